# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run converges batch by batch, ends once too many clouds have failed, and has an outcome for every
cloud.
"""

from __future__ import annotations

import copy
import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    RefusedError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import Clouds
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet import engine as engines
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.engine import Engine
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.run import Run, RunOptions
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import Feed
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import (
    CHANGED,
    WOULD_CHANGE,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.fleet_in_memory import (
    CALLER,
    KINDS,
    InMemory,
    World,
    cloud_of,
    in_sync_world,
)

pytestmark = pytest.mark.core

DENIED = AwsError("Denied.", code="AccessDenied", status=403)
Json = dict[str, t.Any]


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "KINDS", KINDS)


class Events:
    """What is reported while a run works."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int]] = []
        self.clouds: list[tuple[str, str]] = []

    def close(self) -> None:
        """There is nothing to close."""

    def stage(self, name: str, clouds: int, is_shown: bool = False) -> None:
        """A stage begins."""
        self.stages.append((name, clouds))

    def done(
        self, cloud: str, account: str, outcome: str, reasons: t.Any = (), message: str = ""
    ) -> None:
        """A cloud is through."""
        self.clouds.append((cloud, outcome))


class Fleet:
    """Clouds, and a run for them. rings: of clouds. for_tasks: those that the engine leaves, or
    their names. engine_options: others than the usual ones.
    """

    def __init__(
        self,
        world: World,
        clouds: t.Sequence[Cloud],
        options: RunOptions | None = None,
        rings: t.Mapping[str, str | None] | None = None,
        for_tasks: t.Sequence[str | Cloud] = (),
        **engine_options: t.Any,
    ) -> None:
        self.world, self.events = world, Events()
        services = InMemory(world)
        engine_options = {"state": "present", "stages": ["bucket"], "threads": 1, **engine_options}
        engine = Engine(services, clock=world.clock, **engine_options)
        tasks = [_for_tasks(one) if isinstance(one, str) else one for one in for_tasks]
        left = {cloud.name: cloud for cloud in tasks}
        found = Clouds(
            {cloud.name: cloud for cloud in clouds},
            left,
            dict.fromkeys(left, "the connection is ssh"),
            rings=dict(rings or {}),
        )
        feed = t.cast(Feed, self.events)
        self.run = Run(engine, options or RunOptions(), found, feed)

    def finish(self) -> Json:
        """All steps of the run. Returns the counts of the plan."""
        planned = self.run.plan()
        while not self.run.is_finished:
            self.run.converge_next()
        self.run.end()
        return planned

    @property
    def states(self) -> dict[str, str]:
        """The outcomes of the clouds, as far as there are any."""
        return {name: outcome["state"] for name, outcome in self.run.outcomes.items()}

    @property
    def order(self) -> list[str]:
        """The clouds in the order in which they were written."""
        return [name.partition(" ")[2] for name in self.world.names("write")]


def _for_tasks(name: str) -> Cloud:
    cloud = cloud_of(name, "")
    cloud.notices = ("It is so.",)
    return cloud


def clouds_of(names: t.Iterable[str], folder: t.Any) -> list[Cloud]:
    """Clouds with a bucket each."""
    return [cloud_of(name, folder) for name in names]


# --- the plan -------------------------------------------------------------------------------------


def test_the_plan_has_the_outcome_of_who_is_not_pending(tmp_path: Path) -> None:
    """In sync, or refused. The counts are returned, and nothing is written."""
    world = in_sync_world("a", "old")
    world.errors["load", "bucket b"] = DENIED
    fleet = Fleet(world, clouds_of(["a", "b", "c", "old"], tmp_path))
    assert fleet.run.plan() == {
        "counts": {"pending": 1, "in_sync": 2, "failed": 1, "deferred": 0},
        "batches": 1,
    }
    assert fleet.states == {"a": "in_sync", "b": "failed", "old": "in_sync"}
    assert fleet.run.warnings == ["old: bucket old: old is old."]
    assert world.names("write") == []
    assert fleet.events.stages == [("Plan", 4)]
    assert sorted(fleet.events.clouds) == [
        ("a", "in_sync"),
        ("b", "failed"),
        ("c", "pending"),
        ("old", "in_sync"),
    ]


def test_what_is_told_of_the_variables_is_told_once_for_all_clouds(tmp_path: Path) -> None:
    """Also for those in sync, for those that are refused, and for those of the role."""
    world = in_sync_world("a")
    world.errors["load", "bucket b"] = DENIED
    clouds = clouds_of(["a", "b", "c"], tmp_path)
    for cloud in clouds:
        cloud.notices = ("It is so.",)
    fleet = Fleet(world, clouds, for_tasks=["d"])
    fleet.run.plan()
    assert fleet.run.warnings == ["a, b, c, d: It is so."]


def test_without_pending_clouds_there_is_nothing_to_do(tmp_path: Path) -> None:
    fleet = Fleet(in_sync_world("a"), clouds_of("a", tmp_path))
    assert fleet.run.plan()["batches"] == 0
    assert (fleet.run.is_finished, fleet.run.stopped) == (True, False)


def test_a_run_without_steps_is_one_batch(tmp_path: Path) -> None:
    fleet = Fleet(World(), clouds_of("abc", tmp_path))
    fleet.finish()
    assert fleet.order == ["a", "b", "c"]
    assert fleet.states == dict.fromkeys("abc", "changed")
    assert fleet.events.stages == [("Plan", 3), ("Converge", 3)]
    assert fleet.events.clouds == [
        (name, state) for state in ("pending", "changed") for name in "abc"
    ]


# --- batches --------------------------------------------------------------------------------------

RINGS = {"a": "late", "b": "early", "c": None, "d": "late"}
BATCHES: dict[str, tuple[RunOptions, list[str], list[str]]] = {
    "rings": (RunOptions(rings=["early", "late"]), ["b", "ad", "c"], []),
    "a largest batch": (RunOptions(serial=2), ["ab", "cd"], []),
    "rings with a largest batch": (
        RunOptions(rings=["early", "late"], serial=1),
        ["b", "a", "d", "c"],
        [],
    ),
    "a canary first": (RunOptions(canary_percent=25), ["a", "bcd"], []),
    "the canary alone": (RunOptions(canary_percent=50, only="canary"), ["ab"], ["c", "d"]),
    "the canary of rings": (
        RunOptions(rings=["early", "late"], canary_percent=25),
        ["b", "ad", "c"],
        [],
    ),
}


def batches_in(events: Events) -> list[int]:
    """How many clouds each batch that began has. Of several, each says which it is, on a line of its own."""
    _plan, *batches = events.stages
    several = [
        f"Converge, batch {number} of {len(batches)}" for number in range(1, len(batches) + 1)
    ]
    assert [name for name, _clouds in batches] == (several if len(batches) > 1 else ["Converge"])
    return [clouds for _name, clouds in batches]


@pytest.mark.parametrize(("options", "batches", "deferred"), BATCHES.values(), ids=BATCHES)
def test_the_batches(
    tmp_path: Path, options: RunOptions, batches: list[str], deferred: list[str]
) -> None:
    """Of the pending clouds. Who is not to be in this run is deferred."""
    fleet = Fleet(World(), clouds_of("abcd", tmp_path), options, RINGS)
    plan = fleet.finish()
    assert (plan["batches"], plan["counts"]["deferred"]) == (len(batches), len(deferred))
    assert batches_in(fleet.events) == [len(batch) for batch in batches]
    assert fleet.order == list("".join(batches))
    assert [name for name, state in fleet.states.items() if state == "deferred"] == deferred


def test_only_pending_clouds_count_for_the_canary(tmp_path: Path) -> None:
    """Of a fleet of which most is in sync, it would be empty of changes."""
    names = [f"c{n}" for n in range(8)]
    fleet = Fleet(
        in_sync_world(*names[:6]), clouds_of(names, tmp_path), RunOptions(canary_percent=50)
    )
    fleet.finish()
    assert batches_in(fleet.events) == [1, 1]


def test_a_later_batch_is_planned_anew(tmp_path: Path) -> None:
    """The plan of the run is older than the batches before: what another writer has done since is
    not done, and what it has made impossible is refused before any write.
    """
    world = World()
    fleet = Fleet(world, clouds_of("abc", tmp_path), RunOptions(serial=1))
    fleet.run.plan()
    fleet.run.converge_next()
    world.documents["bucket b"] = ["b"]
    world.errors["load", "bucket c"] = RefusedError("No.")
    fleet.run.converge_next()
    fleet.run.converge_next()
    assert fleet.states == {"a": "changed", "b": "in_sync", "c": "failed"}
    assert fleet.order == ["a"]
    assert world.names("fresh") == ["bucket a"], "no other was about to be written"


def test_a_cloud_of_a_later_batch_has_not_changed_before_it_is_written(tmp_path: Path) -> None:
    """Neither is it shown as changed: its write may still fail."""
    world = World()
    world.errors["write", "bucket b"] = DENIED
    fleet = Fleet(world, clouds_of("ab", tmp_path), RunOptions(serial=1))
    fleet.finish()
    assert fleet.events.clouds[2:] == [("a", "changed"), ("b", "failed")]


def test_the_first_batch_is_not_planned_twice(tmp_path: Path) -> None:
    """Each write is planned from a read of its own anyway."""
    fleet = Fleet(World(), clouds_of("a", tmp_path))
    fleet.run.plan()
    reads = len(fleet.world.names("load"))
    fleet.run.converge_next()
    assert len(fleet.world.names("load")) == reads + 2, "one to write, and one to confirm"


# --- the failure budget ---------------------------------------------------------------------------

STEPS = RunOptions(serial=2)
BUDGETS: dict[str, tuple[RunOptions, list[str], str]] = {
    "any failure is tolerated without steps": (STEPS, ["a"], "changed"),
    "all may fail without steps": (STEPS, ["a", "b"], "changed"),
    "none is tolerated with rings": (RunOptions(rings=["r"], serial=2), ["a"], "not_reached"),
    "none is tolerated with a canary": (
        RunOptions(canary_percent=50, serial=2),
        ["a"],
        "not_reached",
    ),
    "as many as the operator says": (
        RunOptions(rings=["r"], serial=2, max_fail_percentage=50),
        ["a"],
        "changed",
    ),
    "no more than the operator says": (
        RunOptions(serial=2, max_fail_percentage=49.9),
        ["a"],
        "not_reached",
    ),
    "all of a batch": (RunOptions(serial=2, max_fail_percentage=99), ["a", "b"], "not_reached"),
    "no failure, none tolerated": (RunOptions(serial=2, max_fail_percentage=0), [], "changed"),
}


@pytest.mark.parametrize(("options", "failing", "rest"), BUDGETS.values(), ids=BUDGETS)
def test_too_many_failures_end_the_run(
    tmp_path: Path, options: RunOptions, failing: list[str], rest: str
) -> None:
    """After their batch. Who comes after it is not reached."""
    world = World()
    world.errors = {("write", f"bucket {name}"): DENIED for name in failing}
    fleet = Fleet(world, clouds_of("abcd", tmp_path), options)
    fleet.finish()
    assert fleet.states == {
        name: "failed" if name in failing else "changed" if name in "ab" else rest
        for name in "abcd"
    }
    assert fleet.run.stopped == (rest == "not_reached")


def test_what_a_later_plan_refuses_is_a_failure_of_its_batch(tmp_path: Path) -> None:
    world = World()
    fleet = Fleet(world, clouds_of("abc", tmp_path), RunOptions(serial=1, max_fail_percentage=0))
    fleet.run.plan()
    fleet.run.converge_next()
    world.errors["load", "bucket b"] = DENIED
    fleet.run.converge_next()
    fleet.run.end()
    assert fleet.states == {"a": "changed", "b": "failed", "c": "not_reached"}


STEPS: dict[str, tuple[RunOptions, str]] = {
    "without steps": (RunOptions(check_mode=True), ""),
    "rings": (RunOptions(check_mode=True, rings=["canary"]), "1, 4"),
    "a canary": (RunOptions(check_mode=True, canary_percent=40), "2, 3"),
    "the canary alone": (RunOptions(check_mode=True, canary_percent=40, only="canary"), "2"),
    "largest batches": (RunOptions(check_mode=True, serial=2), "2, 2, 1"),
    "a run that writes": (RunOptions(rings=["canary"]), ""),
}


@pytest.mark.parametrize("case", STEPS)
def test_check_mode_tells_the_batches(tmp_path: Path, case: str) -> None:
    """Those with clouds that are left to tasks of their own too."""
    options, sizes = STEPS[case]
    rings = {"d": "canary"}
    fleet = Fleet(World(), clouds_of("abcd", tmp_path), options, rings, for_tasks=["x"])
    fleet.finish()
    told = f"Clouds of each batch, in order: {sizes}." if sizes else ""
    assert fleet.run.batches_told == told


# --- clouds for the role --------------------------------------------------------------------------


def test_clouds_for_the_role_come_after_the_engine(tmp_path: Path) -> None:
    """They have no outcome of the engine."""
    fleet = Fleet(World(), clouds_of("a", tmp_path), for_tasks=["x", "y"])
    fleet.finish()
    assert fleet.states == {"a": "changed"}
    assert fleet.run.role_clouds == ["x", "y"]


def test_clouds_for_the_role_are_under_the_same_budget(tmp_path: Path) -> None:
    world = World()
    world.errors["write", "bucket a"] = DENIED
    options = RunOptions(max_fail_percentage=0)
    fleet = Fleet(world, clouds_of("a", tmp_path), options, for_tasks=["x"])
    fleet.finish()
    assert fleet.states == {"a": "failed", "x": "not_reached"}
    assert fleet.run.role_clouds == []


def test_clouds_for_the_role_may_be_deferred(tmp_path: Path) -> None:
    """Where they are not of the canary."""
    options = RunOptions(canary_percent=50, only="canary")
    fleet = Fleet(World(), clouds_of("ab", tmp_path), options, for_tasks=["x", "y"])
    fleet.finish()
    assert fleet.states == {"a": "changed", "b": "changed", "x": "deferred", "y": "deferred"}
    assert fleet.run.role_clouds == []


# --- check mode, diff, and stops ------------------------------------------------------------------


def test_check_mode_predicts(tmp_path: Path) -> None:
    """Batch by batch, from the one plan."""
    fleet = Fleet(World(), clouds_of("ab", tmp_path), RunOptions(check_mode=True, serial=1))
    fleet.finish()
    assert fleet.states == dict.fromkeys("ab", "would_change")
    assert (fleet.order, list(tmp_path.iterdir())) == ([], [])
    assert fleet.world.names("load") == ["bucket a", "bucket b"]
    assert fleet.events.stages == [("Plan", 2)]


@pytest.mark.parametrize("diff", [True, False], ids=["with --diff", "without"])
@pytest.mark.parametrize("check_mode", [True, False], ids=["check mode", "a run"])
def test_documents_are_displayed_on_request(tmp_path: Path, check_mode: bool, diff: bool) -> None:
    """They are the longest part of a result."""
    options = RunOptions(check_mode=check_mode, diff=diff)
    fleet = Fleet(World(), clouds_of("a", tmp_path), options)
    fleet.finish()
    assert ("diff" in fleet.run.outcomes["a"]) == diff


@pytest.mark.parametrize(("confirm", "slept"), [(True, 3.0), (False, 0.0)])
def test_the_confirmation_can_be_left_out(tmp_path: Path, confirm: bool, slept: float) -> None:
    fleet = Fleet(World(), clouds_of("a", tmp_path), RunOptions(confirm=confirm))
    fleet.finish()
    assert fleet.world.clock.slept == pytest.approx(slept)
    assert fleet.states == {"a": "changed"}


def test_who_made_the_writes_is_named(tmp_path: Path) -> None:
    fleet = Fleet(World(), clouds_of("a", tmp_path))
    fleet.finish()
    assert fleet.run.outcomes["a"]["principal"] == CALLER


def test_a_stopped_plan_has_no_outcomes(tmp_path: Path) -> None:
    """It is incomplete: nobody is in sync for sure."""
    fleet = Fleet(in_sync_world("a", "b"), clouds_of("ab", tmp_path), for_tasks=["x"])
    fleet.world.meanwhile = lambda _step, _name: fleet.run.stop()
    fleet.finish()
    assert fleet.states == dict.fromkeys("abx", "not_reached")


def test_a_stop_leaves_clouds_unreached(tmp_path: Path) -> None:
    """And they are not reported as done."""
    fleet = Fleet(World(), clouds_of("ab", tmp_path))
    fleet.world.meanwhile = lambda step, _name: fleet.run.stop() if step == "write" else None
    fleet.finish()
    assert fleet.states == {"a": "changed", "b": "not_reached"}
    assert [event for event in fleet.events.clouds if event[1] != "pending"] == [("a", "changed")]


def test_a_cloud_that_was_refused_before_a_stop_has_failed(tmp_path: Path) -> None:
    """Although nothing was done for it."""
    clouds = [cloud_of(name, tmp_path, bucket="data") for name in "ab"]
    fleet = Fleet(World(), clouds)

    def refuse_and_stop(step: str, name: str) -> None:
        if fleet.world.names("load") == ["bucket data"] * 2:  # for the plan, and for the write
            fleet.world.errors["judge", "a"] = RefusedError("No.")
        if (step, name) == ("write", "bucket data"):
            fleet.run.stop()

    fleet.world.meanwhile = refuse_and_stop
    fleet.finish()
    assert fleet.states == {"a": "failed", "b": "changed"}


# --- whatever happens -----------------------------------------------------------------------------


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(st.sampled_from(["in sync", "pending", "denied", "failing"]), max_size=6),
    for_tasks=st.integers(0, 2),
    options=st.builds(
        RunOptions,
        rings=st.sampled_from([[], ["early"], ["early", "late"]]),
        canary_percent=st.sampled_from([0, 30, 100]),
        only=st.just("all"),
        serial=st.sampled_from([None, 1, 2]),
        max_fail_percentage=st.sampled_from([None, 0.0, 50.0]),
        check_mode=st.booleans(),
        confirm=st.booleans(),
    ),
    rings=st.lists(st.sampled_from([None, "early", "late"]), min_size=8, max_size=8),
)
def test_every_cloud_has_one_outcome(
    tmp_path: Path,
    kinds: list[str],
    for_tasks: int,
    options: RunOptions,
    rings: list[str | None],
) -> None:
    """In the end, or is left to the role; and none is written twice."""
    by_name = {f"c{place}": kind for place, kind in enumerate(kinds)}
    world = in_sync_world(*(name for name, kind in by_name.items() if kind == "in sync"))
    for name, kind in by_name.items():
        if kind in ("denied", "failing"):
            world.errors["load" if kind == "denied" else "write", f"bucket {name}"] = DENIED
    others = ["x", "y"][:for_tasks]
    names = [*by_name, *others]
    ring_of = dict(zip(names, rings, strict=False))
    fleet = Fleet(world, clouds_of(by_name, tmp_path), options, ring_of, others)
    plan = fleet.finish()
    assert sorted([*fleet.states, *fleet.run.role_clouds]) == sorted(names)
    assert len(set(fleet.order)) == len(fleet.order)
    written = [state for state in fleet.states.values() if state in ("changed", "failed")]
    assert len(written) <= plan["counts"]["pending"] + plan["counts"]["failed"]


# --- check mode -----------------------------------------------------------------------------------

NAMES = ["a", "b", "c", "d"]
_documents = st.sampled_from([*(f"trust {name}" for name in NAMES), "bucket one", "bucket two"])
_found = st.dictionaries(
    _documents, st.lists(st.sampled_from([*NAMES, "theirs"]), unique=True, max_size=4)
)


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    buckets=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["one", "two"]), min_size=1),
    found=_found,
    state=st.sampled_from(["present", "absent"]),
    stages=st.sampled_from([("trust",), ("bucket",), ("trust", "bucket")]),
    limit=st.integers(1, 6),
    options=st.fixed_dictionaries(
        {"confirm": st.booleans()},
        optional={
            "serial": st.integers(1, 3),
            "canary_percent": st.sampled_from([0, 30, 100]),
            "only": st.sampled_from(["all", "canary"]),
            "max_fail_percentage": st.sampled_from([0.0, 50.0, 100.0]),
        },
    ),
)
def test_check_mode_predicts_each_cloud_and_each_write(
    tmp_path: Path,
    buckets: dict[str, str],
    found: dict[str, list[str]],
    state: str,
    stages: t.Collection[str],
    limit: int,
    options: dict[str, t.Any],
) -> None:
    """Whatever clouds share, find, and are refused for, in whatever batches."""

    def ran(world: World, check_mode: bool) -> dict[str, Json]:
        clouds = [cloud_of(name, tmp_path, bucket=bucket) for name, bucket in buckets.items()]
        engine = Engine(InMemory(world), state=state, stages=stages, threads=1, clock=world.clock)
        run_options = RunOptions(**options, check_mode=check_mode, diff=True)
        found_clouds = Clouds({cloud.name: cloud for cloud in clouds})
        run = Run(engine, run_options, found_clouds, t.cast(Feed, Events()))
        run.plan()
        while not run.is_finished:
            run.converge_next()
        run.end()
        return run.outcomes

    world = World()
    world.documents, world.limit = found, limit
    before = copy.deepcopy(found)
    predicted = ran(world, check_mode=True)
    assert (world.documents, world.names("write")) == (before, [])
    made = ran(world, check_mode=False)
    compared = ("state", "changed", "reasons", "resources", "warnings", "msg", "diff")
    for name, outcome in made.items():
        expected = {**predicted[name]}
        if expected["state"] == WOULD_CHANGE:
            expected["state"] = CHANGED
        assert {key: outcome.get(key) for key in compared} == {
            key: expected.get(key) for key in compared
        }
    changed = {one for outcome in predicted.values() for one in outcome.get("resources", ())}
    assert {*world.names("write")} == changed
