# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Two runs without a common lock, as two jobs of AWX are, change the policy of one bucket. In whatever
order their reads and writes arrive, in the end both have what they wanted to grant, and what others have
in it is there.
"""

from __future__ import annotations

import dataclasses
import threading
import typing as t
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    SETTLED_SECONDS,
    LivePolicy,
    PolicyPlanner,
    PolicyReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.restore_plan import (
    Equality,
    decide,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import Backup
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    policies_equal,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import Clock
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import Clouds
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet import engine as engines
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.engine import Engine
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.run import Run, RunOptions
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import Feed
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.done import Done
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback import restoration
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.engine import (
    RollbackEngine,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.restoration import (
    Restoration,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.fleet_in_memory import (
    KINDS,
    InMemory,
    Store,
    World,
    cloud_of,
    document,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.test_run import (
    Events,
)

pytestmark = pytest.mark.core

BUCKET = "bucket data"
# The longest that a call takes: what SETTLED_SECONDS counts on.
_CALL_SECONDS = 1.0
# How much longer a process sleeps than it wanted to.
_LATE_SECONDS = 1.0
_STUCK_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class Wait:
    """What a controller waits for: a time, or the end of a call, which takes so long at most."""

    ready_at: float
    deadline: float = float("inf")


class Turns:
    """One controller goes on at a time, from one call or sleep to the next one; which, is chosen."""

    def __init__(self, choices: t.Iterable[int], paces: t.Iterable[float]) -> None:
        self._choices, self._paces = iter(choices), iter(paces)
        self._changed = threading.Condition()
        self._waiting: dict[str, Wait] = {}
        self._running: set[str] = set()
        self.now = 1000.0

    def wait(self, name: str, wait: Wait) -> None:
        """Let a controller wait for its turn."""
        with self._changed:
            self._waiting[name] = wait
            self._running.discard(name)
            self._changed.notify_all()
            if not self._changed.wait_for(lambda: name in self._running, _STUCK_SECONDS):
                raise AssertionError(f"{name} never had its turn again")

    def run(self, controllers: t.Mapping[str, t.Callable[[], None]]) -> None:
        """Let controllers run to their ends."""
        self._running = set(controllers)

        def work(name: str) -> None:
            try:
                controllers[name]()
            finally:
                with self._changed:
                    self._running.discard(name)
                    self._changed.notify_all()

        threads = [threading.Thread(target=work, args=[name]) for name in controllers]
        for thread in threads:
            thread.start()
        with self._changed:
            while True:
                assert self._changed.wait_for(lambda: not self._running, _STUCK_SECONDS)
                if not self._waiting:
                    break
                self._choose()
        for thread in threads:
            thread.join()

    def _choose(self) -> None:
        """Let one go on. Another one's call does not take longer by that than a call does."""
        pace = next(self._paces, 0.1)
        after = {name: max(self.now, one.ready_at) + pace for name, one in self._waiting.items()}
        possible = [
            name
            for name in sorted(self._waiting)
            if all(
                after[name] <= one.deadline for other, one in self._waiting.items() if other != name
            )
        ]
        if possible:
            name = possible[next(self._choices, 0) % len(possible)]
            self.now = after[name]
        else:
            name = min(self._waiting, key=lambda name: self._waiting[name].deadline)
            self.now = max(self.now, self._waiting[name].ready_at)
        del self._waiting[name]
        self._running.add(name)
        self._changed.notify_all()


class OwnClock(Clock):
    """The clock of a controller."""

    def __init__(self, turns: Turns, name: str) -> None:
        self._turns, self._name = turns, name

    def now(self) -> float:
        return self._turns.now

    def sleep(self, seconds: float) -> None:
        ready_at = self._turns.now + seconds
        self._turns.wait(self._name, Wait(ready_at, ready_at + _LATE_SECONDS))


class View(World):
    """The documents as a controller reads and writes them."""

    def __init__(self, documents: dict[str, list[str]], turns: Turns, name: str) -> None:
        super().__init__()
        self.documents = documents
        self._turns, self._name = turns, name
        self.clock = t.cast(t.Any, OwnClock(turns, name))

    def step(self, step: str, name: str) -> None:
        if step in ("load", "write") and name == BUCKET:
            now = self._turns.now
            self._turns.wait(self._name, Wait(now, now + _CALL_SECONDS))
        super().step(step, name)


def controller(view: View, folder: Path, name: str, state: str) -> t.Callable[[], None]:
    """A run for one cloud, with locks of its own."""
    cloud = cloud_of(name, folder / name, bucket="data")
    services = InMemory(view)
    engine = Engine(services, state=state, stages=["bucket"], threads=1, clock=view.clock)
    run = Run(engine, RunOptions(), Clouds({name: cloud}), t.cast(Feed, Events()))

    def converge() -> None:
        run.plan()
        while not run.is_finished:
            run.converge_next()
        run.end()
        assert run.outcomes[name]["state"] in ("changed", "in_sync"), run.outcomes

    return converge


_some = settings(
    max_examples=settings().max_examples * 2,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
_choices = st.lists(st.integers(0, 1), max_size=30)
_paces = st.lists(st.sampled_from([0.05, 0.5, 0.95]), max_size=30)


@_some
@given(
    states=st.tuples(*[st.sampled_from(["present", "absent"])] * 2),
    choices=_choices,
    paces=_paces,
)
def test_no_grant_and_no_statement_of_others_is_lost(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    states: tuple[str, str],
    choices: list[int],
    paces: list[float],
) -> None:
    monkeypatch.setattr(engines, "KINDS", KINDS)
    wanted = dict(zip("ab", states, strict=True))
    there = [name for name, state in wanted.items() if state == "absent"]
    documents = {BUCKET: ["theirs", *there]}
    turns = Turns(choices, paces)
    turns.run(
        {
            name: controller(View(documents, turns, name), tmp_path, name, state)
            for name, state in wanted.items()
        }
    )
    found = documents[BUCKET]
    granted = {name for name, state in wanted.items() if state == "present"}
    assert len(found) == len(set(found))
    assert {"theirs", *granted} <= set(found)
    if granted:
        # The one that grants may restore what the other revoked, as if it was lost by accident; the
        # other one notices
        assert set(found) == {"theirs", *granted}


def test_what_another_run_revokes_stays_revoked_however_long_a_batch_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both write at the same moment. The run that grants puts back what it takes for lost together
    with its own grant, before the other one looks for the last time.
    """
    monkeypatch.setattr(engines, "KINDS", KINDS)
    world = World(bucket__data=["theirs", "x"])
    services, clock = InMemory(world), world.clock
    stages = ["bucket", "compute_config"]
    granting = Engine(services, state="present", stages=stages, threads=1, clock=clock)
    revoking = Engine(services, state="absent", stages=["bucket"], threads=1, clock=clock)
    granted = [cloud_of(name, tmp_path / "1", bucket="data") for name in "yz"]
    revoked = [cloud_of("x", tmp_path / "2", bucket="data")]
    done = list[Done]()

    def meanwhile(step: str, name: str) -> None:
        if (step, name) == ("written", BUCKET) and not revoked[0].plans:
            world.documents[BUCKET] = ["theirs", "x"]  # as the other run has read it
            revoking.plan(revoked)
            done.extend(revoking.converge(dict.fromkeys(revoked)))
        elif (step, name) == ("written", "compute_config y"):
            clock.sleep(SETTLED_SECONDS)
        elif (step, name) == ("written", "compute_config z"):
            revoking.confirm(done)

    granting.plan(granted)
    world.meanwhile = meanwhile
    granting.confirm(granting.converge(dict.fromkeys(granted)))
    assert world.documents[BUCKET] == ["theirs", "y", "z"]


@dataclasses.dataclass(frozen=True)
class Restorer(PolicyPlanner[LivePolicy]):
    """As a rollback plans a policy."""

    backup: Backup

    def plan(self, live: LivePolicy) -> Plan:
        verdict = decide([self.backup], live.document, Equality(policies_equal), force=False)
        after = self.backup.before if verdict.reason else live.document
        return Plan(live.document, after, (verdict.reason,) if verdict.reason else ())


def rollback(view: View, folder: Path, backup: Backup, states: list[str]) -> t.Callable[[], None]:
    """A run that restores the policy, and keeps how that ended."""
    store = Store(view, BUCKET)
    reconciler = PolicyReconciler(store, [Restorer(backup)], [], clock=view.clock)
    params = {"lock_dir": str(folder / "rollback")}
    one = Restoration(BUCKET, "bucket_policy", "gives", ("b",), params)

    def restore() -> None:
        with pytest.MonkeyPatch.context() as patch:
            module = mock.Mock(reconciler=lambda: reconciler)
            patch.setattr(restoration, "RestoreModule", lambda _params, _connect: module)
            engine = RollbackEngine([one], mock.Mock(), threads=1, clock=view.clock)
            engine.plan()
        engine.restore()
        engine.confirm()
        states.append(engine.outcome_of("b", check_mode=False)["state"])

    return restore


@_some
@given(choices=_choices, paces=_paces)
def test_what_a_rollback_gives_back_is_there_or_it_says_that_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choices: list[int], paces: list[float]
) -> None:
    """While another run grants something in the same policy, which is there in the end."""
    monkeypatch.setattr(engines, "KINDS", KINDS)
    documents = {BUCKET: ["theirs"]}
    before, after = document("theirs", "b"), document("theirs")
    backup = Backup("bucket_policy", {"bucket": "data"}, "222222222222", before, after)
    turns, states = Turns(choices, paces), list[str]()
    turns.run(
        {
            "a": controller(View(documents, turns, "a"), tmp_path, "a", "present"),
            "b": rollback(View(documents, turns, "b"), tmp_path, backup, states),
        }
    )
    assert {"theirs", "a"} <= set(documents[BUCKET])
    assert states in (["changed"], ["failed"])
    if states == ["changed"]:
        assert "b" in documents[BUCKET]
