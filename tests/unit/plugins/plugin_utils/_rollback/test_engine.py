# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run is rolled back cloud by cloud as a whole: what is refused is known before the first write, and
what is not known until then leaves the rest of the cloud.
"""

from __future__ import annotations

import dataclasses
import typing as t
from unittest import mock

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.requests import record_write
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.write_record import (
    own_writes,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback import restoration
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.documents import (
    CLUSTERS,
    GIVES,
    TAKES,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.engine import (
    RollbackEngine,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.restoration import (
    Restoration,
)
from ansible_collections.rayfleet.anyscale.tests.support.fake_clock import QuickTime

pytestmark = pytest.mark.core

PLANNED, WRITTEN, READ_BACK, CONFIRMED = "planned", "written", "read back", "confirmed"


@dataclasses.dataclass
class World:
    """The documents by name, their earlier states, and what is refused: when planned, or only when
    written, as where another writer was faster. overwritten: what another writer overwrites after it was
    read back, with something that is not to be lost, or with what was there before. bugs: the documents
    of which the code has a bug, each with the step that comes upon it.
    """

    lock_dir: str
    live: dict[str, str] = dataclasses.field(default_factory=dict)
    refused: dict[str, str] = dataclasses.field(default_factory=dict)
    writes: list[str] = dataclasses.field(default_factory=list)
    loaded: dict[str, int] = dataclasses.field(default_factory=dict)
    read_back: list[str] = dataclasses.field(default_factory=list)
    overwritten: dict[str, bool] = dataclasses.field(default_factory=dict)
    bugs: dict[str, str] = dataclasses.field(default_factory=dict)

    def come_to(self, step: str, name: str) -> None:
        """Raise if there is a bug."""
        if self.bugs.get(name) == step:
            raise KeyError("Statement")


class Document(Reconciler[Live]):
    """A document of the world, which was ``old`` before the run."""

    def __init__(self, world: World, name: str) -> None:
        self._world, self._name = world, name

    def load(self) -> Live:
        self._world.loaded[self._name] = self._world.loaded.get(self._name, 0) + 1
        return Live(self._name)

    def plan(self, live: Live) -> Plan:
        self._world.come_to(PLANNED, self._name)
        when = self._world.refused.get(self._name)
        if when == PLANNED or (when == WRITTEN and self._world.loaded[self._name] > 1):
            raise RefusedError(f"{self._name} was changed")
        now = self._world.live.get(self._name, "new")
        return Plan(now, "old", () if now == "old" else ("changed_since_backup",))

    def guard(self, live: Live, plan: Plan) -> None:
        pass

    def save(self, live: Live, plan: Plan, written: list[str]) -> Saved:
        self._world.come_to(WRITTEN, self._name)
        self._world.live[self._name] = "old"
        self._world.writes.append(self._name)
        written.append(self._name)
        record_write("fake", "Put", f"request-{self._name}")
        return Saved()

    def read_back(self, live: Live, plan: Plan, saved: Saved) -> tuple[Live, Plan]:
        self._world.read_back.append(self._name)
        is_first = self._world.read_back.count(self._name) == 1
        self._world.come_to(READ_BACK if is_first else CONFIRMED, self._name)
        if not is_first and self._name in self._world.overwritten:
            if self._world.overwritten[self._name]:
                raise RefusedError(f"{self._name} was changed by another writer after the run.")
            return live, dataclasses.replace(plan, reasons=("changed_since_backup",))
        return live, dataclasses.replace(plan, reasons=())


@pytest.fixture(name="world")
def _world(tmp_path: t.Any, monkeypatch: pytest.MonkeyPatch) -> World:
    world = World(str(tmp_path))

    class Module:
        def __init__(self, params: t.Mapping[str, t.Any], connect: t.Any) -> None:
            self._name = params["name"]
            self.session = mock.Mock(caller_arn=lambda: "arn:aws:iam::222222222222:user/me")

        def reconciler(self) -> Document:
            return Document(world, self._name)

    monkeypatch.setattr(restoration, "RestoreModule", Module)
    return world


def document(
    world: World, name: str, *hosts: str, kind: str = "trust_policy", step: str = TAKES
) -> Restoration:
    return Restoration(name, kind, step, hosts, {"name": name, "lock_dir": world.lock_dir})


def engine_of(documents: t.Sequence[Restoration], **options: t.Any) -> RollbackEngine:
    return RollbackEngine(documents, t.cast(t.Any, None), threads=4, **options)


def rolled_back(documents: t.Sequence[Restoration], **options: t.Any) -> RollbackEngine:
    engine = engine_of(documents, **options)
    engine.plan()
    engine.restore()
    return engine


def states(engine: RollbackEngine, check_mode: bool = False) -> dict[str, str]:
    return {host: engine.outcome_of(host, check_mode)["state"] for host in engine.hosts}


def test_what_is_restored_is_recorded_as_own(world: World) -> None:
    """So that no event has it undone."""
    one = document(world, "trust", "a")
    key, folder = "k" * 32, f"{world.lock_dir}/backups"
    one.params = {**one.params, "backup": True, "backup_dir": folder, "backup_key": key}
    rolled_back([one])
    assert own_writes(folder, ["request-trust"], key) == {
        "request-trust": "arn:aws:iam::222222222222:user/me"
    }


def test_all_documents_are_restored_step_by_step(world: World) -> None:
    documents = [
        document(world, "takes trust", "a"),
        document(world, "takes bucket", "a", "b", kind="bucket_policy"),
        document(world, "config", "b", kind="compute_config", step=CLUSTERS),
        document(world, "gives bucket", "a", kind="bucket_policy", step=GIVES),
        document(world, "gives trust", "a", step=GIVES),
    ]
    engine = rolled_back(documents)
    order = ["gives trust", "gives bucket", "config", "takes bucket", "takes trust"]
    assert world.writes == order
    assert states(engine) == {"a": "changed", "b": "changed"}
    assert engine.outcome_of("a", False)["reasons"] == ["changed_since_backup"]


class Case(t.NamedTuple):
    """The documents with their hosts, those that are refused when planned, those in sync, and the
    states of the hosts.
    """

    documents: dict[str, str]
    refused: str
    in_sync: str
    states: dict[str, str]


FAILED, CHANGED, IN_SYNC = "failed", "changed", "in_sync"
REFUSALS = {
    "one of two documents of a cloud": Case(
        {"1": "a", "2": "a", "3": "b"}, "2", "", {"a": FAILED, "b": CHANGED}
    ),
    "a shared document": Case(
        {"1": "ab", "2": "a", "3": "b", "4": "c"}, "1", "", {"a": FAILED, "b": FAILED, "c": CHANGED}
    ),
    "a document of a cloud that shares another one": Case(
        {"1": "a", "2": "ab", "3": "b"}, "1", "", {"a": FAILED, "b": FAILED}
    ),
    "a document of a cloud that shares one that is in its earlier state": Case(
        {"1": "a", "2": "ab", "3": "b"}, "1", "2", {"a": FAILED, "b": CHANGED}
    ),
    "at the end of a chain": Case(
        {"1": "a", "2": "ab", "3": "bc", "4": "c"}, "4", "", dict.fromkeys("abc", FAILED)
    ),
    "none, and one is in its earlier state": Case(
        {"1": "a", "2": "b"}, "", "2", {"a": CHANGED, "b": IN_SYNC}
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_a_cloud_is_rolled_back_as_a_whole_or_not_at_all(world: World, case: str) -> None:
    documents, refused, in_sync, expected = REFUSALS[case]
    world.refused = dict.fromkeys(refused, PLANNED)
    world.live = dict.fromkeys(in_sync, "old")
    engine = rolled_back([document(world, name, *hosts) for name, hosts in documents.items()])
    assert states(engine) == expected
    failed = {host for host, state in expected.items() if state == FAILED}
    assert set(world.writes) == {
        name
        for name, hosts in documents.items()
        if not failed.intersection(hosts) and name not in in_sync
    }


@given(
    documents=st.lists(st.sets(st.sampled_from("abcdef"), min_size=1, max_size=3), max_size=8),
    refused=st.sets(st.integers(0, 7)),
    done=st.sets(st.integers(0, 7)),
)
def test_no_cloud_is_ever_rolled_back_in_part(
    tmp_path_factory: pytest.TempPathFactory,
    documents: list[set[str]],
    refused: set[int],
    done: set[int],
) -> None:
    """Whatever clouds share, of each all documents are in their earlier state afterwards, or none was
    written.
    """
    with pytest.MonkeyPatch.context() as patch:
        world = _world.__wrapped__(tmp_path_factory.getbasetemp(), patch)  # type: ignore[attr-defined]
        world.refused = {str(n): PLANNED for n in refused}
        world.live = {str(n): "old" for n in done}
        engine = rolled_back(
            [document(world, str(n), *sorted(hosts)) for n, hosts in enumerate(documents)]
        )
        for host, state in states(engine).items():
            own = [str(n) for n, hosts in enumerate(documents) if host in hosts]
            written = [name for name in own if name in world.writes]
            restored = all(world.live.get(name) == "old" for name in own)
            assert (state == FAILED and not written) or restored
            assert (state == CHANGED) == bool(written)


@given(
    documents=st.lists(st.sets(st.sampled_from("abcdef"), min_size=1, max_size=3), max_size=8),
    refused=st.sets(st.integers(0, 7)),
    done=st.sets(st.integers(0, 7)),
    tolerated=st.sampled_from([0.0, 50.0, 100.0]),
)
def test_check_mode_predicts_each_cloud_and_each_write(
    tmp_path_factory: pytest.TempPathFactory,
    documents: list[set[str]],
    refused: set[int],
    done: set[int],
    tolerated: float,
) -> None:
    """Whatever clouds share, also where too many are refused for any to be rolled back."""
    with pytest.MonkeyPatch.context() as patch:
        world = _world.__wrapped__(tmp_path_factory.getbasetemp(), patch)  # type: ignore[attr-defined]
        world.refused = {str(n): PLANNED for n in refused}
        world.live = {str(n): "old" for n in done}
        check, real = (
            engine_of(
                [document(world, str(n), *sorted(hosts)) for n, hosts in enumerate(documents)]
            )
            for _engine in range(2)
        )
        for engine in (check, real):
            engine.plan()
            engine.stop_if_more_failed_than(tolerated)
        predicted = {host: check.outcome_of(host, True) for host in check.hosts}
        assert world.writes == []
        real.restore()
        changed = {one for outcome in predicted.values() for one in outcome["resources"]}
        assert set(world.writes) == changed
        for host, outcome in predicted.items():
            made = real.outcome_of(host, False)
            assert made["state"] == outcome["state"].replace("would_change", CHANGED)
            assert {**made, "state": ""} == {**outcome, "state": ""}
            assert real.diffs_of(host, False) == check.diffs_of(host, True)


def test_the_error_of_a_cloud_that_shares_a_document_names_the_other_one(world: World) -> None:
    world.refused = {"1": PLANNED}
    engine = rolled_back([document(world, "1", "a"), document(world, "2", "b", "a")])
    assert "1 was changed" in engine.outcome_of("a", False)["msg"]
    message = engine.outcome_of("b", False)["msg"]
    assert "because the 2 is also that of a" in message


def test_what_is_refused_only_at_the_write_ends_its_clouds(world: World) -> None:
    """What was written before is named; of the others all is restored."""
    world.refused = {"bucket": WRITTEN}
    documents = [
        document(world, "config", "a", kind="compute_config", step=CLUSTERS),
        document(world, "bucket", "a", "b", kind="bucket_policy"),
        document(world, "trust", "a"),
        document(world, "other trust", "b"),
        document(world, "third trust", "c"),
    ]
    engine = rolled_back(documents)
    assert world.writes == ["config", "third trust"]
    assert states(engine) == {"a": FAILED, "b": FAILED, "c": CHANGED}
    outcome = engine.outcome_of("a", False)
    assert outcome["msg"].endswith("Already restored: config.")
    assert (outcome["changed"], outcome["resources"]) == (True, ["config"])
    assert engine.outcome_of("b", False)["changed"] is False


def test_a_host_with_an_invalid_variable_is_not_read(world: World) -> None:
    """Nor is what it shares written."""
    documents = [document(world, "1", "a", "b"), document(world, "2", "b")]
    documents[0].error = InputError("cloud_iam_account_id is not set.")
    engine = rolled_back(documents)
    assert states(engine) == {"a": FAILED, "b": FAILED}
    assert (world.writes, "1" in world.loaded) == ([], False)


def test_check_mode_predicts_the_same(world: World) -> None:
    world.refused = {"1": PLANNED}
    engine = engine_of([document(world, name, host) for name, host in ("1a", "2a", "3b")])
    engine.plan()
    assert states(engine, check_mode=True) == {"a": FAILED, "b": "would_change"}
    assert engine.outcome_of("a", True)["changed"] is False
    assert [len(engine.diffs_of(host, True)) for host in "ab"] == [0, 1]
    assert world.writes == []


@pytest.mark.parametrize("gives", [True, False])
def test_what_was_given_back_counts_before_something_is_taken(world: World, gives: bool) -> None:
    """There is a wait, unless nothing had to be given back."""
    world.live = {} if gives else {"gives": "old"}
    clock = QuickTime()
    documents = [
        document(world, "gives", "a", kind="role_policy", step=GIVES),
        document(world, "takes", "a", kind="bucket_policy"),
    ]
    rolled_back(documents, wait_seconds=15, clock=t.cast(t.Any, clock))
    assert (clock.slept >= 15) == gives


def test_a_run_that_is_stopped_writes_nothing_more(world: World) -> None:
    engine = engine_of([document(world, "1", "a")])
    engine.plan()
    engine.stop()
    engine.restore()
    assert states(engine) == {"a": "not_reached"}
    assert world.writes == []


GIVEN_UP = {
    "more than are tolerated": (1, 0.0, True),
    "as many as are tolerated": (1, 50.0, False),
    "fewer than are tolerated": (1, 100.0, False),
    "none": (0, 0.0, False),
}


@pytest.mark.parametrize("check_mode", [True, False])
@pytest.mark.parametrize("case", GIVEN_UP)
def test_too_many_refused_clouds_refuse_the_rollback_as_a_whole(
    world: World, case: str, check_mode: bool
) -> None:
    """Check mode predicts that nothing is written then."""
    failed, tolerated, is_given_up = GIVEN_UP[case]
    world.refused = dict.fromkeys(map(str, range(failed)), PLANNED)
    engine = engine_of([document(world, "0", "a"), document(world, "1", "b")])
    engine.plan()
    engine.stop_if_more_failed_than(tolerated)
    if not check_mode:
        engine.restore()
    found = states(engine, check_mode)
    assert found["b"] == (
        "not_reached" if is_given_up else "would_change" if check_mode else CHANGED
    )
    assert engine.rolls_back_nothing(check_mode) is is_given_up
    outcome = engine.outcome_of("b", check_mode)
    assert outcome["changed"] is not is_given_up
    assert bool(engine.diffs_of("b", check_mode)) is not is_given_up
    assert engine.rolled_back_hosts(check_mode) == [
        host for host, state in found.items() if state not in (FAILED, "not_reached")
    ]


@pytest.mark.parametrize("is_new", [True, False], ids=["with something new", "as it was"])
def test_what_another_writer_overwrites_after_the_read_back_is_found(
    world: World, is_new: bool
) -> None:
    """It had read the policy before that was restored. Its clouds fail, and what it wrote stays."""
    clock = QuickTime()
    world.overwritten = {"bucket": is_new}
    documents = [
        document(world, "bucket", "a", "b", kind="bucket_policy"),
        document(world, "trust", "c"),
        document(world, "config", "c", kind="compute_config", step=CLUSTERS),
    ]
    engine = engine_of(documents, clock=t.cast(t.Any, clock))
    engine.plan()
    engine.restore()
    engine.confirm()
    assert states(engine) == {"a": FAILED, "b": FAILED, "c": CHANGED}
    outcome = engine.outcome_of("a", False)
    assert "bucket was restored, and then overwritten by another writer" in outcome["msg"]
    assert "run the rollback again" in outcome["msg"]
    assert "Already restored" not in outcome["msg"]
    assert outcome["changed"] is True
    assert world.writes.count("bucket") == 1
    assert sorted(world.read_back) == ["bucket", "bucket", "config", "trust", "trust"]
    assert clock.slept == pytest.approx(8.0, abs=0.1)


def test_nothing_is_waited_for_where_no_policy_was_written(world: World) -> None:
    clock = QuickTime()
    world.live = {"trust": "old"}
    documents = [
        document(world, "trust", "a"),
        document(world, "config", "a", kind="compute_config", step=CLUSTERS),
    ]
    engine = engine_of(documents, clock=t.cast(t.Any, clock))
    engine.plan()
    engine.restore()
    engine.confirm()
    assert (clock.slept, states(engine)) == (0, {"a": CHANGED})


BUG = "KeyError: 'Statement'. Report this as a bug."


class Bug(t.NamedTuple):
    """What was written all the same of the two documents of the cloud whose trust has the bug, what of
    it is counted as restored, and what its message says after the bug.
    """

    writes: list[str]
    resources: list[str]
    message: str = ""


BUGS = {
    PLANNED: Bug([], []),
    WRITTEN: Bug(["config"], ["config"], " Already restored: config."),
    READ_BACK: Bug(
        ["config", "trust"], ["config"], " Already written: trust. Already restored: config."
    ),
    CONFIRMED: Bug(
        ["config", "trust"],
        ["config", "trust"],
        " Already written: trust. Already restored: config.",
    ),
}


@pytest.mark.parametrize("step", BUGS)
def test_a_bug_does_not_end_the_rollback_of_other_clouds(world: World, step: str) -> None:
    """Nor is anything untold of what was written of its own."""
    world.bugs = {"trust": step}
    documents = [
        document(world, "config", "a", kind="compute_config", step=CLUSTERS),
        document(world, "trust", "a"),
        document(world, "other trust", "b"),
        document(world, "shared bucket", "c", "d", kind="bucket_policy"),
    ]
    engine = rolled_back(documents, clock=t.cast(t.Any, QuickTime()))
    engine.confirm()
    assert states(engine) == {"a": FAILED, "b": CHANGED, "c": CHANGED, "d": CHANGED}
    others = ["other trust", "shared bucket"]
    assert sorted(world.writes) == sorted([*BUGS[step].writes, *others])
    outcome = engine.outcome_of("a", False)
    assert outcome["msg"] == BUG + BUGS[step].message
    assert outcome["resources"] == BUGS[step].resources
    assert outcome["changed"] is bool(BUGS[step].writes)


def test_a_bug_refuses_all_clouds_of_its_document(world: World) -> None:
    """And those that share another one with them, before anything is written."""
    world.bugs = {"bucket": PLANNED}
    documents = [
        document(world, "bucket", "a", "b", kind="bucket_policy"),
        document(world, "trust", "b", "c"),
    ]
    engine = rolled_back(documents)
    assert states(engine) == {"a": FAILED, "b": FAILED, "c": FAILED}
    assert {engine.outcome_of(host, False)["msg"] for host in "ab"} == {BUG}
    assert (world.writes, engine.rolls_back_nothing(False)) == ([], True)
