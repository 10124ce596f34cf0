# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How clouds are observed: which are in sync, which cloud a failure belongs to, and how many are
read at a time. Without Ansible's internals.
"""

from __future__ import annotations

import threading
import time
import typing as t

import pytest
from ansible.errors import AnsibleError

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import Task
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.observe import (
    Fleet,
    Observed,
    SessionPool,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.role_tasks import (
    Call,
    NotForeseen,
)

pytestmark = pytest.mark.core

MODULE = "rayfleet.anyscale.fake"
SECRET = "wJalrXUtnFEMI/K7MDENG/canary"
Step = dict[str, t.Any]


class FakeTask(Task):
    """Decides what its option ``outcome`` says, and connects as a task does."""

    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "outcome": {"type": "dict", "default": {}},
        "number": {"type": "int"},
        "file": {"type": "path"},
    }

    @property
    def resource(self) -> str:
        """Of no account."""
        return "fake"

    def plan(self) -> Plan:
        """The wanted plan, or the wanted error."""
        outcome = self.params["outcome"]
        if "refuse" in outcome:
            raise RefusedError(outcome["refuse"], "Fix it.")
        if "crash" in outcome:
            raise ZeroDivisionError(outcome["crash"])
        result = {"arn": outcome.get("arn"), "file": self.params["file"]}
        return Plan(
            None,
            None,
            tuple(outcome.get("reasons", ())),
            tuple(outcome.get("warnings", ())),
            result,
        )

    def apply(self, plan: Plan) -> None:
        """A plan must not write."""
        raise AssertionError("a plan wrote")

    def verify(self, plan: Plan) -> Plan:
        """Nor to this."""
        raise AssertionError("a look verified")


class FakeRole:
    """The tasks of each host, as a list of steps, in the place of RoleTasks. Notes what each step's
    result was.
    """

    def __init__(self, hosts: dict[str, list[Step | Exception]]) -> None:
        self.results: dict[str, list[t.Any]] = {name: [] for name in hosts}
        self.advancing = 0
        self.most_advancing = 0
        self._hosts = hosts

    def calls(self, name: str) -> t.Generator[Call, t.Mapping[str, t.Any], None]:
        """The calls for a host; a step that is an exception is raised, as conditions and templates
        raise.
        """
        for step in self._hosts[name]:
            self._template()
            if isinstance(step, Exception):
                raise step
            self.results[name].append((yield Call(MODULE, step)))

    def _template(self) -> None:
        self.advancing += 1
        self.most_advancing = max(self.most_advancing, self.advancing)
        time.sleep(0.001)
        self.advancing -= 1


def observe(
    hosts: dict[str, list[Step | Exception]], threads: int = 4
) -> tuple[dict[str, Observed], FakeRole]:
    """Observe hosts."""
    role = FakeRole(hosts)
    fleet = Fleet(
        t.cast(t.Any, role), {MODULE: FakeTask}, t.cast(t.Any, lambda params: None), "/play"
    )
    return fleet.observe(list(hosts), threads), role


def step(**outcome: t.Any) -> Step:
    """A task with this outcome."""
    return {"outcome": outcome}


IN_SYNC = step()


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        pytest.param([], Observed(), id="no step, nothing to do"),
        pytest.param([IN_SYNC, IN_SYNC], Observed(), id="every step is in sync"),
        pytest.param(
            [step(warnings=["w1"]), step(warnings=["w2", "w3"])],
            Observed(warnings=("w1", "w2", "w3")),
            id="in sync, with warnings",
        ),
        pytest.param(
            [IN_SYNC, step(reasons=["a", "b"])],
            Observed(("a", "b"), ("fake",)),
            id="the second step differs",
        ),
        pytest.param(
            [step(reasons=["a"]), step(reasons=["b"])],
            Observed(("a",), ("fake",)),
            id="the first that differs tells why",
        ),
        pytest.param(
            [step(reasons=["a"]), step(refuse="No.")],
            Observed(("a",), ("fake",)),
            id="what comes after it is not observed",
        ),
        pytest.param(
            [IN_SYNC, step(refuse="No.")],
            Observed(obstacle="No. Fix it."),
            id="a step is refused: message and remedy",
        ),
        pytest.param(
            [IN_SYNC, NotForeseen("it has another Python")],
            Observed(obstacle="it has another Python"),
            id="not foreseen",
        ),
        pytest.param(
            [AnsibleError("'x' is undefined")],
            Observed(obstacle="'x' is undefined"),
            id="a template fails",
        ),
        pytest.param(
            [KeyError("x")], Observed(obstacle="KeyError: 'x'"), id="Ansible's inside has changed"
        ),
        pytest.param(
            [step(crash="boom")],
            Observed(obstacle="ZeroDivisionError: boom"),
            id="a bug in a module",
        ),
    ],
)
def test_what_is_seen_of_a_cloud(steps: list[Step | Exception], expected: Observed) -> None:
    """A cloud is in sync only without reasons and without an obstacle."""
    found = observe({"cloud": steps})[0]["cloud"]
    assert found == expected
    assert found.is_right == (not expected.reasons and expected.obstacle is None)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"numbr": 1}, f"Unsupported parameters for ({MODULE}) module: numbr"),
        (
            {"number": "many"},
            "argument 'number' is of type str and we were unable to convert to int",
        ),
        ({"secret_key": "wJalrXUtn"}, "parameters are required together: access_key, secret_key"),
    ],
    ids=["an unknown option", "a value of the wrong type", "a secret without its key"],
)
def test_arguments_are_refused_as_the_module_refuses_them(arguments: Step, words: str) -> None:
    """In the words of Ansible's own validation."""
    found = observe({"cloud": [arguments]})[0]["cloud"]
    assert words in str(found.obstacle)
    assert not found.is_right


def test_each_step_gets_the_result_of_the_one_before() -> None:
    """The role of the first is what the next ones are about."""
    _seen, role = observe({"cloud": [step(arn="arn:1"), {**step(arn="arn:2"), "file": "x.yml"}]})
    assert [result["arn"] for result in role.results["cloud"]] == ["arn:1", "arn:2"]
    assert [result["file"] for result in role.results["cloud"]] == [None, "/play/x.yml"], (
        "found where a run would find it"
    )
    assert role.results["cloud"][0] == {
        **FakeTask({"outcome": {"arn": "arn:1"}, "file": None}, lambda params: None).result(True)
    }


def test_the_failure_of_a_cloud_affects_no_other() -> None:
    """All are returned, in the order in which they were asked for."""
    kinds: list[list[Step | Exception]] = [
        [IN_SYNC],
        [step(reasons=["r"])],
        [step(refuse="No.")],
        [RuntimeError("?")],
    ]
    hosts = {f"cloud-{number:02}": kinds[number % 4] for number in range(40)}
    seen, _role = observe(hosts)
    assert list(seen) == list(hosts)
    assert [found.is_right for found in seen.values()] == [number % 4 == 0 for number in range(40)]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param(
            [
                {
                    "outcome": {"refuse": f"{SECRET} is no role."},
                    "secret_key": SECRET,
                    "access_key": "AKIA",
                }
            ],
            id="a refusal",
        ),
        pytest.param(
            [
                {
                    "numbr": SECRET,
                    "secret_key": SECRET,
                    "access_key": "AKIA",
                    "session_token": SECRET,
                }
            ],
            id="an unknown option",
        ),
        pytest.param(
            [{"number": SECRET, "secret_key": SECRET, "access_key": "AKIA"}],
            id="a value of the wrong type",
        ),
        pytest.param(
            [{"outcome": {"crash": f"at {SECRET}"}, "secret_key": SECRET, "access_key": "AKIA"}],
            id="a bug",
        ),
        pytest.param(
            [
                {
                    "outcome": {"warnings": [f"{SECRET} is odd."]},
                    "secret_key": SECRET,
                    "access_key": "AKIA",
                }
            ],
            id="a warning",
        ),
    ],
)
def test_no_text_shows_a_secret(steps: list[Step | Exception]) -> None:
    """As nothing that a module returns does."""
    found = observe({"cloud": steps})[0]["cloud"]
    assert found.obstacle or found.warnings
    assert SECRET not in repr(found)


def test_templates_are_worked_on_one_at_a_time() -> None:
    """They are not made for threads."""
    _seen, role = observe(
        {f"cloud-{number}": [IN_SYNC, IN_SYNC] for number in range(30)}, threads=8
    )
    assert role.most_advancing == 1


@pytest.mark.parametrize("threads", [1, 5])
def test_so_many_clouds_are_observed_at_a_time(
    monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """No fewer, or the barrier breaks, and no more."""
    lock, barrier, now, most = threading.Lock(), threading.Barrier(threads), 0, 0

    def plan(_task: FakeTask) -> Plan:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        barrier.wait(timeout=20)
        with lock:
            now -= 1
        return Plan(None, None)

    monkeypatch.setattr(FakeTask, "plan", plan)
    seen, _role = observe({f"cloud-{number}": [IN_SYNC] for number in range(4 * threads)}, threads)
    assert all(found.is_right for found in seen.values())
    assert most == threads


# --- sessions -------------------------------------------------------------------------------------

CONNECTION = {"assume_role_arn": "arn:aws:iam::222222222222:role/onboarding", "region": "us-west-2"}


class Session:
    """A session that knows what it was made from."""

    made = 0

    def __init__(self, params: t.Mapping[str, t.Any], account: Session | None = None) -> None:
        time.sleep(0.01)
        type(self).made += 1
        self.params = params
        self.account = account


@pytest.mark.parametrize(
    ("other", "shares"),
    [
        ({}, True),
        ({"account_id": "333333333333"}, True),
        ({"bucket": "another", "lock_dir": "/elsewhere"}, True),
        ({"assume_role_arn": "arn:aws:iam::333333333333:role/onboarding"}, False),
        ({"assume_role_external_id": "tenant-b"}, False),
        ({"assume_role_session_name": "another"}, False),
        ({"access_key": "AKIA", "secret_key": "s"}, False),
        ({"profile": "another"}, False),
        ({"endpoint_url": "http://127.0.0.1:1"}, False),
        ({"region": "eu-west-1"}, False),
        ({"validate_certs": False}, False),
    ],
    ids=lambda value: (
        next(iter(value), "the same")
        if isinstance(value, dict)
        else "shared"
        if value
        else "its own"
    ),
)
def test_tasks_share_a_session_only_for_the_same_connection(
    other: dict[str, t.Any], shares: bool
) -> None:
    """Otherwise a cloud would be read in another's account."""
    pool = SessionPool(t.cast(t.Any, Session))
    assert (pool.session(CONNECTION) is pool.session({**CONNECTION, **other})) == shares


def test_another_region_of_an_account_asks_the_same_iam() -> None:
    """Which has no regions: pages are worth it for all clouds of an account together."""
    pool = SessionPool(t.cast(t.Any, Session))
    first, other, elsewhere = (
        t.cast(Session, pool.session({**CONNECTION, **changes}))
        for changes in (
            {},
            {"region": "eu-west-1"},
            {"assume_role_arn": "arn:aws:iam::333333333333:role/onboarding"},
        )
    )
    assert first.account is None
    assert other.account is first
    assert elsewhere.account is None


def test_threads_make_one_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is what makes an account's pages worth it."""
    monkeypatch.setattr(Session, "made", 0)
    pool = SessionPool(t.cast(t.Any, Session))
    threads = [threading.Thread(target=pool.session, args=(CONNECTION,)) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Session.made == 1
