# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Events heal clouds once for a burst, by one run at a time, and a document that keeps changing only
so often in a time.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import typing as t

import pytest
from hypothesis import given, settings, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.healing import (
    WHOLE_CLOUD,
    Claim,
    Healing,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules, found

RULES = Rules(
    quiet=5,
    longest_wait=60,
    run_seconds=600,
    most_heals=3,
    window=3600,
    first_retry=300,
    longest_retry=86400,
)
NOTHING = Claim({}, {}, None)


def stored(healing: Healing) -> Healing:
    """The state as another run reads it from its file."""
    return Healing(json.loads(json.dumps(healing.state)), RULES)


def noted(*events: tuple[str, str, float]) -> Healing:
    """After these events: cloud, document and time."""
    healing = Healing(rules=RULES)
    for event in events:
        healing.note(*event)
    return healing


def test_nothing_happened() -> None:
    assert Healing(rules=RULES).claim("1", 0) == NOTHING


def test_a_cloud_is_due_when_it_has_been_quiet() -> None:
    healing = noted(("a", "role ray", 100))
    assert healing.claim("1", 102) == Claim({}, {}, 3)
    assert healing.claim("1", 105) == Claim({"a": ["role ray"]}, {}, None)
    assert healing.claim("2", 105) == NOTHING


def test_a_burst_is_one_run() -> None:
    healing = noted(*(("a", f"document {n % 4}", 100 + n / 100) for n in range(400)))
    claims = [stored(healing).claim(str(run), 104) for run in range(3)]
    assert all(not claim.clouds for claim in claims)
    assert len(healing.claim("1", 110).clouds["a"]) == 4
    assert healing.claim("2", 110) == NOTHING


def test_a_cloud_that_is_never_quiet_waits_no_longer_than_it_may() -> None:
    healing = noted(*(("a", "role ray", 100 + second) for second in range(60)))
    assert healing.claim("1", 159.5).wait == pytest.approx(0.5)
    assert healing.claim("1", 160).clouds == {"a": ["role ray"]}


def test_an_event_while_a_run_is_on_waits_for_its_end() -> None:
    healing = noted(("a", "role ray", 0), ("b", "role b", 0))
    assert set(healing.claim("1", 10).clouds) == {"a", "b"}
    healing.note("a", "role ray", 20)
    claim = healing.claim("2", 30)
    assert (claim.clouds, claim.wait) == ({}, 580)
    healing.finish("2", ["a"], ["a"], 31)  # which has nothing in flight
    assert healing.claim("2", 32).clouds == {}
    healing.finish("1", ["a"], ["a", "b"], 40)
    assert healing.claim("2", 41).clouds == {"a": ["role ray"]}


FOUND = found("trust")
HOUR = 3600.0


def found_again_and_again() -> Healing:
    """What an audit finds has been put back three times, and is found once more."""
    healing = Healing(rules=RULES)
    for number in range(4):
        now = number * 6 * HOUR
        assert healing.note_found({"a": [FOUND]}, now) == ["a"]
        if number < 3:
            assert healing.claim(str(number), now + 10).clouds == {"a": [FOUND]}
            healing.finish(str(number), ["a"], ["a"], now + 20)
    return healing


def test_what_audits_find_is_put_back_only_so_often_in_a_day() -> None:
    """They are hours apart."""
    healing = stored(found_again_and_again())
    assert healing.claim("1", 18 * HOUR + 10).stopped == {"a": {FOUND: 24 * HOUR + 20}}
    assert healing.claim("2", 24 * HOUR + 30).clouds == {"a": [FOUND]}


def test_what_audits_find_keeps_no_event_from_being_seen_to() -> None:
    """Which has its own limit."""
    healing, now = found_again_and_again(), 18 * HOUR
    for number in range(4):
        healing.note("a", "role ray", now + number * 60)
        claim = healing.claim(f"e{number}", now + number * 60 + 10)
        if number < 3:
            assert set(claim.clouds["a"]) >= {"role ray"}
            healing.finish(f"e{number}", ["a"], ["a"], now + number * 60 + 20)
    assert list(claim.stopped["a"]) == ["role ray"]


def test_what_audits_find_of_many_is_left_before_what_events_say() -> None:
    most = dataclasses.replace(RULES, max_clouds=2)
    healing, accounts = Healing(rules=most), dict.fromkeys("abcd", "1")
    healing.note_found({name: [FOUND] for name in "abc"}, 0)
    assert healing.claim("1", 10, None, accounts) == Claim({}, {}, None, {"1": list("abc")})
    healing.note("c", "role c", 10)
    healing.note("d", "role d", 10)
    claim = healing.claim("2", 20, None, accounts)
    assert (set(claim.clouds), claim.too_many) == ({"c", "d"}, {"1": ["a", "b"]})
    assert healing.pending == {"a", "b"}


def test_an_audit_is_no_reason_to_try_a_failed_cloud_earlier() -> None:
    healing = noted(("a", "role ray", 0))
    healing.claim("1", 10)
    healing.finish("1", [], [], 20)
    assert healing.note_found({"a": [FOUND], "b": [FOUND]}, 30) == ["b"]
    assert set(healing.claim("2", 40).clouds) == {"b"}


def test_a_run_takes_only_its_own_clouds() -> None:
    healing = noted(("a", "role ray", 0), ("b", "role b", 0))
    assert set(healing.claim("1", 10, ["b", "c"]).clouds) == {"b"}
    assert set(healing.claim("2", 10).clouds) == {"a"}


def test_a_run_that_would_take_too_many_of_an_account_takes_none_of_it() -> None:
    """Neither those that it took while it waited for the others; nothing of them is forgotten. Another
    account's clouds wait for none of that.
    """
    most = dataclasses.replace(RULES, max_clouds=3)
    healing, accounts = Healing(rules=most), {**dict.fromkeys("abcd", "1"), "e": "2"}
    for number, cloud in enumerate("abecd"):
        healing.note(cloud, f"role {cloud}", 100 * (number // 3))
    assert set(healing.claim("1", 10, None, accounts).clouds) == {"a", "b", "e"}
    assert healing.claim("1", 110, None, accounts) == Claim({}, {}, None, {"1": list("abcd")})
    assert healing.claim("2", 110, None, accounts).too_many == {"1": list("abcd")}
    assert healing.unfinished - healing.pending == {"e"}
    healing.note("f", "role f", 110)
    claim = healing.claim("3", 120, None, {**accounts, "f": "2"})
    assert (claim.clouds, list(claim.too_many)) == ({"f": ["role f"]}, ["1"])
    assert set(healing.claim("4", 120, "abc", accounts).clouds) == {"a", "b", "c"}
    assert set(healing.claim("5", 120, None, accounts).clouds) == {"d"}


def test_what_is_onboarded_and_what_is_no_longer() -> None:
    """A run of onboard has done what was pending before it began, and nothing of later."""
    healing = noted(("a", "role a", 0), ("b", "role b", 0), ("b", "bucket b", 50))
    healing.note_onboarded(dict.fromkeys("abc", "x"), began=30, now=60)
    assert set(healing.onboarded) == {"a", "b", "c"}
    assert healing.claim("2", 100).clouds == {"b": ["bucket b"]}
    assert healing.forget(["b", "c", "d"], 110) == ["b", "c"]
    assert set(stored(healing).onboarded) == {"a"}


@pytest.mark.parametrize(
    ("began", "forgotten", "ended", "expected"),
    [
        pytest.param(100, 150, 300, set(), id="while onboard ran"),
        pytest.param(100, 90, 300, {"a"}, id="before it began"),
        pytest.param(100, 9000, 300, set(), id="while it ran, before a clock was set back"),
    ],
)
def test_no_run_of_onboard_undoes_what_was_decided_after_it_began(
    began: float, forgotten: float, ended: float, expected: set[str]
) -> None:
    """Also of a cloud that was not onboarded before. A run that begins later has the last word."""
    healing = Healing(rules=RULES)
    healing.forget(["a"], forgotten)
    assert set(stored(healing).note_onboarded({"a": "x"}, began, ended)) == expected
    assert set(healing.note_onboarded({"a": "x", "b": "x"}, began, ended)) == expected | {"b"}
    assert healing.onboarded == expected | {"b"}
    assert set(healing.note_onboarded({"a": "x"}, ended + 1, ended + 2)) == {"a"}
    assert healing.state["forgotten"] == {}


LOSSES: dict[str, tuple[t.Callable[[Healing], object], dict[str, bool]]] = {
    "it goes on": (lambda healing: healing.note("a", "bucket a", 20), {}),
    "offboarded": (lambda healing: healing.forget(["a"], 20), {"a": True}),
    "taken for lost": (lambda healing: healing.claim("2", 611), {"a": False}),
    "onboarded as before": (lambda healing: healing.note_onboarded({"a": "x"}, 15, 20), {}),
    "onboarded with other variables": (
        lambda healing: healing.note_onboarded({"a": "y"}, 15, 20),
        {"a": False},
    ),
}


@pytest.mark.parametrize(("happens", "expected"), LOSSES.values(), ids=LOSSES)
def test_what_a_run_may_converge_no_more(
    happens: t.Callable[[Healing], object], expected: dict[str, bool]
) -> None:
    """It has taken both clouds. What it says of them at its end takes nothing from another run."""
    healing = Healing(rules=RULES)
    healing.note_onboarded({"a": "x"}, 0, 0)
    for cloud in "ab":
        healing.note(cloud, f"role {cloud}", 0)
    healing.claim("1", 10, "a")
    happens(healing)
    assert stored(healing).lost("1", ["a"]) == expected
    assert healing.lost("1", ["b"]) == {"b": False}


def test_what_changed_since_onboard_began_is_not_lost_with_the_run_that_had_it() -> None:
    healing = Healing(rules=RULES)
    healing.note_onboarded({"a": "x"}, 0, 0)
    healing.note("a", "role ray", 20)
    healing.claim("1", 30)
    healing.note_onboarded({"a": "y"}, 10, 40)
    assert healing.claim("2", 50).clouds == {"a": ["role ray"]}


def test_which_clouds_have_the_settings_that_onboard_converged_them_with() -> None:
    """The last run of onboard counts."""
    healing = Healing(rules=RULES)
    healing.note_onboarded({"a": "1", "b": "1", "c": "1"}, began=0, now=10)
    healing.note_onboarded({"b": "2"}, began=20, now=30)
    healing.forget(["c"], 40)
    healing = stored(healing)
    assert healing.as_onboarded(dict.fromkeys("abcd", "1")) == {"a"}
    assert healing.as_onboarded(dict.fromkeys("abcd", "2")) == {"b"}
    assert healing.as_onboarded({}) == set()


def test_what_no_run_has_ended_for() -> None:
    healing = noted(("a", "role a", 0), ("b", "role b", 0))
    healing.claim("1", 10, {"a"})
    assert (healing.pending, healing.unfinished) == ({"b"}, {"a", "b"})
    healing.finish("1", ["a"], ["a"], 20)
    assert healing.unfinished == {"b"}


def test_a_cloud_that_onboard_converges_is_not_tried_again() -> None:
    healing = noted(("a", "role a", 0))
    fail(healing, 20)
    healing.note_onboarded({"a": "x"}, began=30, now=60)
    assert (healing.failed, healing.claim("2", 1e6)) == (set(), NOTHING)


def test_a_lost_run_gives_back_what_it_took() -> None:
    healing = noted(("a", "role ray", 0))
    assert healing.claim("1", 10).clouds
    assert not stored(healing).claim("2", 610).clouds
    assert stored(healing).claim("2", 611).clouds == {"a": ["role ray"]}


def flap(healing: Healing, document: str, now: float) -> Claim:
    """A document changes, and a run puts it back."""
    healing.note("a", document, now)
    claim = healing.claim(f"run at {now}", now + 5)
    healing.finish(f"run at {now}", claim.clouds, claim.clouds, now + 6)
    return claim


def test_a_flapping_document_is_left_after_three_times_and_said() -> None:
    """With all of its cloud, since a run converges all of it: one for another document would put this
    one back too.
    """
    healing = Healing(rules=RULES)
    assert [len(flap(healing, "role ray", now).clouds) for now in (0, 100, 200)] == [1, 1, 1]
    # Another document is put back while this one has not changed again
    assert flap(healing, "bucket ray", 250).clouds == {"a": ["bucket ray"]}
    stop = Claim({}, {"a": {"role ray": 3606}}, None)
    assert flap(healing, "role ray", 300) == stop
    assert flap(healing, "bucket ray", 400) == stop
    # What was left is put back once the first time is long enough ago
    assert stored(healing).claim("late", 3605) == stop
    assert healing.claim("late", 3607).clouds == {"a": ["role ray", "bucket ray"]}


def test_a_cloud_is_put_back_only_so_often_whatever_changes_of_it() -> None:
    """Such as ever new managed policies, each of which is a document of its own."""
    healing = Healing(rules=RULES)
    claims = [flap(healing, f"policy arn {now}", now) for now in range(0, 2400, 60)]
    assert [bool(claim.clouds) for claim in claims] == [True] * 9 + [False] * 31
    assert claims[-1].stopped == {"a": {WHOLE_CLOUD: 3606}}
    assert len(stored(healing).claim("late", 3607).clouds["a"]) == 31


def test_a_run_that_changes_nothing_uses_nothing_up() -> None:
    healing = Healing(rules=RULES)
    for now in range(0, 1000, 10):
        healing.note("a", "role ray", now)
        assert healing.claim(str(now), now + 5).clouds
        healing.finish(str(now), [], ["a"], now + 6)
    assert healing.state["clouds"] == {}


def fail(healing: Healing, now: float, *changed: str) -> dict[str, float]:
    """A run takes the cloud, and fails for it. Returns when it is tried again."""
    assert healing.claim(f"run at {now}", now).clouds, now
    return healing.finish(f"run at {now}", changed, [], now)


def test_a_cloud_that_failed_is_tried_again_ever_later_and_never_forgotten() -> None:
    healing = noted(("a", "role ray", 0))
    now, waits = 10.0, []
    for _time in range(12):
        at = fail(healing, now)["a"]
        healing = stored(healing)
        assert healing.claim("early", at - 1) == NOTHING  # and no run waits for it
        waits.append(at - now)
        now = at
    assert waits == [300, 600, 1200, 2400, 4800, 9600, 19200, 38400, 76800, *[86400] * 3]
    assert healing.claim("last", now).clouds == {"a": ["role ray"]}
    assert healing.finish("last", [], ["a"], now) == {}
    assert healing.state["clouds"] == {}


def test_a_new_event_is_tried_at_once() -> None:
    """What was missing may be there now."""
    healing = noted(("a", "role ray", 0))
    fail(healing, 10)
    healing.note("a", "role ray", 20)
    assert healing.claim("2", 25).clouds == {"a": ["role ray"]}
    healing.note("a", "bucket ray", 26)  # while the run is on
    assert healing.finish("2", [], [], 40) == {"a": 40}
    assert set(healing.claim("3", 41).clouds["a"]) == {"role ray", "bucket ray"}


def test_a_cloud_that_failed_holds_no_other_up() -> None:
    healing = noted(("a", "role ray", 0))
    fail(healing, 10)
    healing.note("b", "role b", 20)
    assert healing.claim("2", 25) == Claim({"b": ["role b"]}, {}, None)
    assert healing.claim("3", 310) == Claim({"a": ["role ray"]}, {}, None)


def test_what_a_run_wrote_before_it_failed_counts_as_put_back() -> None:
    """Otherwise a cloud of which a part fails would be written without end."""
    healing, now = noted(("a", "role ray", 0)), 10.0
    for _time in range(3):
        now = fail(healing, now, "a")["a"]
    assert healing.claim("4", now) == Claim({}, {"a": {"role ray": 3610}}, None)
    assert healing.claim("5", 3611).clouds == {"a": ["role ray"]}


def test_a_clock_that_was_set_back_stops_nothing() -> None:
    healing = noted(("a", "role ray", 1_000_000))
    assert healing.claim("1", 100).wait == 5
    assert healing.claim("1", 105).clouds == {"a": ["role ray"]}
    healing.finish("1", ["a"], ["a"], 1_000_000)
    assert healing.claim("2", 110) == NOTHING
    healing.note("a", "role ray", 110)
    assert fail(healing, 115) == {"a": 415}
    healing.state["clouds"]["a"]["retry"]["at"] = 1_000_000
    assert healing.claim("3", 120) == NOTHING
    assert healing.claim("3", 86520).clouds


def test_the_state_is_bounded() -> None:
    healing = noted(*(("a", f"{n} " + "x" * 1000, n) for n in range(1000)))
    assert len(json.dumps(healing.state)) < 32_000
    assert len(healing.claim("1", 2000).clouds["a"]) == 64


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["note", "claim", "finish"]),
        st.sampled_from("ab"),
        st.sampled_from(["role", "bucket"]),
        st.floats(0, 900),
    ),
    max_size=60,
)


# The clouds of a run that it changed, and those that it is done with.
CHANGED: list[t.Callable[[list[str]], tuple[list[str], list[str]]]] = [
    lambda clouds: (clouds, clouds),
    lambda clouds: ([], clouds[:1]),
    lambda clouds: (clouds, []),
]


class Fleet:
    """Runs that take clouds, and end at some time or never."""

    def __init__(self) -> None:
        self.healing, self.now = Healing(rules=RULES), 0.0
        self.flights: dict[str, tuple[str, float, list[str]]] = {}
        self.heals: dict[tuple[str, str], list[float]] = collections.defaultdict(list)
        self.open: set[tuple[str, str]] = set()

    def note(self, cloud: str, document: str, _number: int) -> None:
        """A document changes."""
        self.healing.note(cloud, document, self.now)
        self.open.add((cloud, document))

    def claim(self, _cloud: str, _document: str, number: int) -> None:
        """A run takes what is due: no cloud that another one has."""
        claim = self.healing.claim(str(number), self.now)
        for cloud, documents in claim.clouds.items():
            assert cloud not in self.flights or self.now > self.flights[cloud][1]
            self.flights[cloud] = (str(number), self.now + RULES.run_seconds, documents)
            self.open -= {(cloud, document) for document in documents}

    def finish(self, cloud: str, _document: str, number: int) -> None:
        """The run of a cloud ends: all its clouds changed, none, or some before they failed."""
        run, _until, _documents = self.flights.get(cloud, ("", 0, []))
        of_run = {name: flight for name, flight in self.flights.items() if flight[0] == run}
        changed, done = CHANGED[number % 3](sorted(of_run))
        self.healing.finish(run, changed, done, self.now)
        for name, (_run, _until, documents) in of_run.items():
            del self.flights[name]
            if name not in done:
                self.open |= {(name, document) for document in documents}
            for document in documents if name in changed else ():
                self.heals[name, document].append(self.now)


@settings(max_examples=200)
@given(STEPS)
def test_whatever_happens(steps: list[tuple[str, str, str, int, float]]) -> None:
    """One run has a cloud at a time, no document is put back more than three times in an hour, and
    none is forgotten.
    """
    fleet = Fleet()
    for number, (step, cloud, document, elapsed) in enumerate(steps):
        fleet.now += elapsed
        fleet.healing = stored(fleet.healing)
        getattr(fleet, step)(cloud, document, number)
        clouds = fleet.healing.state["clouds"].items()
        assert fleet.open <= {(name, one) for name, state in clouds for one in state["pending"]}
    for times in fleet.heals.values():
        for at in times:
            assert sum(at - RULES.window < other <= at for other in times) <= RULES.most_heals
