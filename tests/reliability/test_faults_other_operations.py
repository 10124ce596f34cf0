# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever fails in what the other modules, the inventory and the plan do: no false fact, nothing
lost, nothing made twice.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import inspect
import re
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    same_config,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.requests import permission_of
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.statements import (
    PLAYBOOKS,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    Json,
    bucket_policy_of,
    trust_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.call_budgets import IN_SYNC, SCENES
from ansible_collections.rayfleet.anyscale.tests.support.fake_clock import QuickTime, pass_quickly
from ansible_collections.rayfleet.anyscale.tests.support.fault_injection import (
    FOR_EVER,
    Failure,
    Tally,
    is_write,
    kinds,
    tallied,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import Run, failure
from ansible_collections.rayfleet.anyscale.tests.support.operations import (
    CHANGES,
    READ_ONLY_USES,
    UNKNOWN,
    Seen,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import LONG

# What each run of the tests has: of reads and of writes, once and for ever.
_TYPICAL = ("throttled", "half an answer")
_LASTING = ("503",)
_OF_WRITES = ("another change under way", "reset before it acts", "500 after it acts")
# Of these, what each run of the tests has, with the lasting ones.
_QUICK = ("half an answer", "500 after it acts")
USES: dict[str, t.Any] = {**READ_ONLY_USES, **CHANGES}


@dataclasses.dataclass(frozen=True)
class Case:
    """One call of a use, by its number among those of its operation, and how it fails: so many
    times.
    """

    use: str
    operation: str
    number: int
    kind: str
    times: int

    def marks(self, count: int) -> tuple[pytest.MarkDecorator, ...]:
        """Each run of the tests has the last call of each operation."""
        once = (*_TYPICAL, *_OF_WRITES) if is_write(self.operation) else _TYPICAL
        if self.number != count or self.kind not in (_LASTING if self.times > 1 else once):
            return (pytest.mark.soak,)
        change = CHANGES.get(self.use)
        if change and not change.quick_reads and not is_write(self.operation):
            return (LONG,)
        if self.times > 1:
            return ()
        # What the client makes of half an answer is the same whoever reads.
        tried = is_write(self.operation) or self.use == _first_use(self.operation)
        return () if tried and self.kind in _QUICK else (LONG,)


def _first_use(operation: str) -> str:
    return next(name for name, use in USES.items() if operation in use.calls)


def _cases(uses: t.Mapping[str, t.Any]) -> t.Iterator[t.Any]:
    for name, use in uses.items():
        for operation, count in use.calls.items():
            for number in range(1, count + 1):
                for kind in kinds(operation):
                    for times, often in ((1, "once"), (FOR_EVER, "for ever")):
                        case = Case(name, operation, number, kind, times)
                        shown = f"{name}, {operation} {number} of {count}, {kind}, {often}"
                        yield pytest.param(case, id=shown, marks=case.marks(count))


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> QuickTime:
    return pass_quickly(monkeypatch)


@pytest.fixture(scope="module", name="tally")
def _tally(request: pytest.FixtureRequest) -> t.Iterator[Tally]:
    yield from tallied(
        request,
        "faults-of-others",
        "Each call of audits, rollbacks, plans and the inventory failing in each way",
    )


def _failure(sandbox: Sandbox, clock: QuickTime, case: Case) -> Failure:
    return Failure(sandbox, clock, case.operation, case.kind, case.number, case.times)


def _subject(case: Case) -> str:
    """How a message names a call: by its operation, or its path with whatever ids; what is no
    policy at all, by whose it is.

    Once no server can be reached any more, it can be any call, and a write may have been on its way.
    """
    if case.kind == "connections refused":
        return "Could not connect|Connection was closed|no answer"
    if (case.operation, case.kind) == ("GetBucketPolicy", "half an answer"):
        return "policy of bucket"
    return re.escape(case.operation).replace(re.escape("{id}"), "[A-Za-z_0-9]+")


def spent(sandbox: Sandbox) -> dict[str, int]:
    """The calls since they were last forgotten, by operation."""
    return dict(collections.Counter(call["operation"] for call in sandbox.calls()))


# --- uses that read -------------------------------------------------------------------------------


def read_facts(sandbox: Sandbox, run: Run, name: str) -> Seen:
    """What a use that reads finds in accounts that are prepared for it."""
    sandbox.reset()
    READ_ONLY_USES[name].prepare(sandbox)
    sandbox.clear_calls()
    return READ_ONLY_USES[name].observe(sandbox, run)


_FOUND: dict[str, Json] = {}


def found(sandbox: Sandbox, run: Run, name: str) -> Json:
    """What it finds without faults."""
    if name not in _FOUND:
        seen = read_facts(sandbox, run, name)
        assert seen.facts
        assert not seen.words
        _FOUND[name] = seen.facts
    return _FOUND[name]


@pytest.mark.parametrize("name", READ_ONLY_USES)
def test_a_use_that_reads_makes_its_calls(sandbox: Sandbox, run_module: Run, name: str) -> None:
    """Each so many times and no other, so that none is forgotten below."""
    read_facts(sandbox, run_module, name)
    assert spent(sandbox) == READ_ONLY_USES[name].calls
    assert sandbox.writes() == []


@pytest.mark.parametrize("case", list(_cases(READ_ONLY_USES)))
def test_what_cannot_be_seen_is_not_made_up(
    sandbox: Sandbox, run_module: Run, clock: QuickTime, tally: Tally, case: Case
) -> None:
    """Each fact is as it is without the fault, or unknown, and then the words say which call it
    was.
    """
    facts, use = found(sandbox, run_module, case.use), READ_ONLY_USES[case.use]
    sandbox.reset()
    use.prepare(sandbox)
    sandbox.clear_calls()
    with _failure(sandbox, clock, case).under_way():
        seen = use.observe(sandbox, run_module)
    unknown = [name for name in facts if seen.facts.get(name) == UNKNOWN]
    assert {
        name: fact
        for name, fact in seen.facts.items()
        if name not in unknown and fact != facts[name]
    } == {}
    if seen.words:
        assert unknown or not seen.facts
        assert re.search(_subject(case), seen.words), seen.words
    else:
        assert set(seen.facts) == set(facts)
        assert not unknown
        assert case.times == 1 or case.operation in use.spares, "it is not reported"
    assert sandbox.writes() == []
    sandbox.clear_faults()
    assert use.observe(sandbox, run_module).facts == facts
    tally.add(case.operation, case.kind, reported=bool(seen.words))


# --- changes --------------------------------------------------------------------------------------


class State(t.NamedTuple):
    """All that the uses write to."""

    trust: Json
    bucket_policy: Json | None
    own_policies: list[t.Any]
    versions: list[Json]
    rules: list[Json]

    @property
    def is_archived(self) -> list[bool]:
        """Of each version."""
        return [bool(version["archived_at"]) for version in self.versions]

    def alike(self, other: State) -> bool:
        """Whether both are the same, but for ids and times."""
        configs = [[version["config"] for version in state.versions] for state in (self, other)]
        same = len(configs[0]) == len(configs[1]) and all(map(same_config, *configs))
        return same and all(
            getattr(self, name) == getattr(other, name)
            for name in ("trust", "bucket_policy", "own_policies", "is_archived", "rules")
        )


def own_policies(sandbox: Sandbox) -> list[t.Any]:
    """Of all roles: the inline ones with their documents, and which are attached."""
    iam = sandbox.client("iam", ACCOUNT)
    found = []
    for role in sorted(one["RoleName"] for one in iam.list_roles()["Roles"]):
        names = iam.list_role_policies(RoleName=role)["PolicyNames"]
        found += [
            [role, iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]]
            for name in sorted(names)
        ]
        attached = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        found += [[role, one["PolicyArn"]] for one in attached]
    return found


def state(sandbox: Sandbox) -> State:
    """As it is now."""
    versions = sandbox.organization.templates.search({"version": -2, "archive_status": "ALL"})
    ordered = sorted(versions, key=lambda template: int(template["version"]))
    return State(
        trust_of(sandbox),
        bucket_policy_of(sandbox, IN_SYNC.bucket_name),
        own_policies(sandbox),
        ordered,
        list(sandbox.organization.mappings.values()),
    )


def ready(sandbox: Sandbox, run: Run, name: str) -> Json:
    """Accounts that are ready for a change; the options of its module."""
    sandbox.reset()
    options = CHANGES[name].prepare(sandbox, run)
    sandbox.clear_calls()
    return options


_GOALS: dict[str, State] = {}


def goal(sandbox: Sandbox, run: Run, name: str) -> State:
    """The result of a change without faults."""
    if name not in _GOALS:
        options = ready(sandbox, run, name)
        before = state(sandbox)
        assert run(CHANGES[name].module, **options)["changed"]
        assert not before.alike(state(sandbox))
        _GOALS[name] = state(sandbox)
    return _GOALS[name]


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_makes_its_calls(
    sandbox: Sandbox, run_module: Run, clock: QuickTime, name: str
) -> None:
    """Each so many times and no other, so that none is forgotten below."""
    options = ready(sandbox, run_module, name)
    assert run_module(CHANGES[name].module, **options)["changed"]
    assert spent(sandbox) == CHANGES[name].calls


@pytest.mark.parametrize("case", list(_cases(CHANGES)))
def test_a_change_is_made_or_its_failure_is_reported(
    sandbox: Sandbox, run_module: Run, clock: QuickTime, tally: Tally, case: Case
) -> None:
    """What was written is named, the next run converges, and no version is published twice."""
    wanted, module = goal(sandbox, run_module, case.use), CHANGES[case.use].module
    options = ready(sandbox, run_module, case.use)
    with _failure(sandbox, clock, case).under_way():
        result = run_module(module, **options)
    if result.get("failed"):
        assert_reported(sandbox, case, result)
    else:
        assert state(sandbox).alike(wanted)
    assert len(state(sandbox).versions) <= len(wanted.versions)
    sandbox.clear_faults()
    again = [run_module(module, **options) for _time in range(2)]
    assert [result.get("msg") for result in again if result.get("failed")] == []
    assert again[-1]["changed"] is False
    assert state(sandbox).alike(wanted)
    tally.add(case.operation, case.kind, reported=bool(result.get("failed")))


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_that_shows_late_is_made_once(
    sandbox: Sandbox, run_module: Run, clock: QuickTime, name: str
) -> None:
    """However often it has to be read."""
    wanted = goal(sandbox, run_module, name)
    options = ready(sandbox, run_module, name)
    clock.sleep(60.0)  # until what it was made ready by shows
    sandbox.settings(consistency_delay=15.0)
    result = run_module(CHANGES[name].module, **options)
    assert not result.get("failed"), result["msg"]
    written = collections.Counter(call["operation"] for call in sandbox.writes())
    assert written == {
        operation: count for operation, count in CHANGES[name].calls.items() if is_write(operation)
    }
    assert state(sandbox).alike(wanted)


def assert_reported(sandbox: Sandbox, case: Case, result: Json) -> None:
    """A failure that names the call, what was written before it, and what is to be done next."""
    message, error = failure(result)["msg"], result.get("error", {})
    assert re.search(r"[Rr]un again|Check ", message), message
    assert re.search(_subject(case), message), message
    succeeded = [call["operation"] for call in sandbox.writes() if 200 <= call["status"] < 300]
    written = error.get("written", [])
    if case.operation not in succeeded:  # the outcome of a write with half an answer is unknown
        certain = [name for name in written if not name.endswith("(possibly)")]
        assert bool(certain) == bool(succeeded), (message, succeeded)
    assert all(name in message for name in written)


# --- nothing is forgotten -------------------------------------------------------------------------


def test_every_action_that_a_policy_allows_is_among_the_calls() -> None:
    """The policies of the playbooks are as small as can be, so that what they allow is what is
    called.
    """
    allowed = {
        action.partition(":")[2]
        for statements in PLAYBOOKS.values()
        for one in statements
        for action in one.actions
    }
    calls = (
        [use.calls for use in READ_ONLY_USES.values()]
        + [change.calls for change in CHANGES.values()]
        + [one.calls for one in SCENES.values()]
    )
    called = {operation for each in calls for operation in each if "/" not in operation}
    called = {permission_of("s3", name).partition(":")[2] for name in called}
    # A failure of the last one is a warning, which the tests of permissions see.
    allowed -= {"PassRole", "ListEntitiesForPolicy"}
    assert called == allowed | {"AssumeRole", "GetCallerIdentity"}


def test_every_method_of_anyscales_client_is_used(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that no use calls would be a call that nothing here lets fail."""
    used: set[str] = set()
    methods = {
        name: method
        for name, method in inspect.getmembers(AnyscaleClient, inspect.isfunction)
        if not name.startswith("_")
    }
    for name, method in methods.items():
        monkeypatch.setattr(AnyscaleClient, name, _noted(method, used))
    for name, use in READ_ONLY_USES.items():
        assert read_facts(sandbox, run_module, name).facts, use
    for name, change in CHANGES.items():
        run_module(change.module, **ready(sandbox, run_module, name))
    for name in ("nothing created yet", "in sync, with the registered role"):
        SCENES[name].prepare(sandbox)
        SCENES[name].run(run_module)
    assert used == set(methods)


def _noted(method: t.Callable[..., t.Any], used: set[str]) -> t.Callable[..., t.Any]:
    @functools.wraps(method)
    def noted(*arguments: t.Any, **options: t.Any) -> t.Any:
        used.add(method.__name__)
        return method(*arguments, **options)

    return noted
