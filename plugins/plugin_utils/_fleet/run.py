# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run of the fleet engine, step by step: first the plan of all clouds, then one batch after the
other, until all are through or too many have failed.

This plugin util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import Clouds
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.notices import grouped
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.engine import Engine
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.of_engine import (
    diffs_of,
    outcome_of,
    planned_outcome,
    reasons_of,
    warnings_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.recorder import (
    PlanRecorder,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import Feed
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.done import Done
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.rollout import batches_of
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import (
    CHANGED,
    DEFERRED,
    FAILED,
    IN_SYNC,
    NOT_REACHED,
    PENDING,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class RunOptions:
    """How clouds are rolled out.

    rings: in order. canary_percent: of the pending clouds. only: ``canary`` for the canary alone.
    serial: the largest batch. max_fail_percentage: of a batch; with more failures the rollout ends.
    confirm: whether written policies are read back after a time. diff: whether documents are
    displayed.
    """

    rings: t.Sequence[str] = ()
    canary_percent: int = 0
    only: str = "all"
    serial: int | None = None
    max_fail_percentage: float | None = None
    confirm: bool = True
    check_mode: bool = False
    diff: bool = False

    @property
    def tolerated_percentage(self) -> float:
        """The failures that do not end the rollout: none in a rollout in steps, unless the operator
        says otherwise.
        """
        if self.max_fail_percentage is not None:
            return self.max_fail_percentage
        return 0.0 if self.rings or self.canary_percent else 100.0


class Run:
    """The clouds of a run, and their outcomes so far."""

    def __init__(
        self,
        engine: Engine,
        options: RunOptions,
        clouds: Clouds,
        feed: Feed,
        recorder: PlanRecorder | None = None,
    ) -> None:
        """recorder: for a plan file, in check mode."""
        self._engine = engine
        self.options = options
        self._clouds = clouds.for_engine
        self._for_tasks = clouds.for_tasks
        self._obstacles = clouds.obstacles
        self._rings = clouds.rings
        self._feed = feed
        self._recorder = recorder
        engine.on_cloud = self._announce
        self._announced: dict[str, str] = {}
        self._batches: list[list[str]] = []
        self._role_batches: list[list[str]] = []
        self._sizes: list[int] = []
        self._next = 0
        self._is_planning = False
        self.outcomes: dict[str, Json] = {}
        self.warnings: list[str] = []
        self.stopped = False

    @property
    def is_finished(self) -> bool:
        """Whether there is no batch left."""
        return self.stopped or self._next >= len(self._batches)

    @property
    def was_interrupted(self) -> bool:
        """Whether not all that was asked for was planned."""
        return self._engine.is_stopped

    @property
    def role_clouds(self) -> list[str]:
        """The clouds that tasks of their own are to converge now, in order."""
        return [name for batch in self.role_batches for name in batch]

    @property
    def role_batches(self) -> list[list[str]]:
        """The same, in batches. They come after those of the engine."""
        return [] if self.stopped else self._role_batches

    @property
    def batches_told(self) -> str:
        """How many clouds each batch has, for check mode, where nothing else tells the steps of a
        rollout; empty without steps.
        """
        options = self.options
        has_steps = options.rings or options.canary_percent or options.serial
        if not (options.check_mode and has_steps and self._sizes):
            return ""
        return f"Clouds of each batch, in order: {summarize_names(list(map(str, self._sizes)))}."

    def plan(self) -> Json:
        """Plan all clouds, and divide the pending ones into batches. Returns the counts."""
        clouds = list(self._clouds.values())
        self._begin("Plan", len(clouds))
        self._engine.plan(clouds)
        if self._engine.is_stopped:
            self.stopped, clouds = True, []
        else:
            clouds += self._refused_of_tasks()
        notices = self._notices(clouds)
        self.warnings += notices
        if self._recorder:
            self._recorder.planned(clouds, notices)
        for cloud in clouds:
            self._announce(cloud)
            if not cloud.is_pending:
                self.outcomes[cloud.name] = planned_outcome(cloud)
                if not cloud.error:
                    self.warnings += [f"{cloud.name}: {text}" for text in warnings_of(cloud)]
                    cloud.plans.clear()  # the documents of a whole fleet need much memory
        pending = [name for name, cloud in self._clouds.items() if cloud.is_pending]
        # A cloud that is refused takes its place in the rollout, which it may end.
        self._divide(
            [name for name, cloud in self._clouds.items() if cloud.is_pending or cloud.error]
        )
        states = [outcome["state"] for outcome in self.outcomes.values()]
        counts = {state: states.count(state) for state in (IN_SYNC, FAILED, DEFERRED)}
        return {"counts": {"pending": len(pending), **counts}, "batches": len(self._batches)}

    def converge_next(self) -> None:
        """Converge the next batch."""
        names = self._batches[self._next]
        # Those that the plan refused have their outcomes, and count as failures of the batch.
        clouds = [self._clouds[name] for name in names if name not in self.outcomes]
        self._next += 1
        if not self.options.check_mode:
            self._begin_batch(len(clouds))
            if self._next > 1:
                self._plan_again(clouds)
        done_for = _by_cloud(self._execute(clouds))
        if self._engine.is_stopped:
            self.stopped = True
            clouds = [cloud for cloud in clouds if cloud in done_for or cloud.error]
        for cloud in clouds:
            self._finish(cloud, self._outcome(cloud, done_for.get(cloud, [])))
            cloud.plans.clear()  # the documents of a whole fleet need much memory
        states = [self.outcomes[name]["state"] for name in names if name in self.outcomes]
        if states.count(FAILED) * 100 > self.options.tolerated_percentage * len(names):
            self.stopped = True

    def stop(self) -> None:
        """Let no new save begin."""
        self._engine.stop()

    def end(self) -> None:
        """Record what the run did not reach, and show no more."""
        unreached = {*self._clouds, *(self._obstacles if self.stopped else ())}
        for name in sorted(unreached - set(self.outcomes)):
            self.outcomes[name] = {"state": NOT_REACHED, "changed": False, "reasons": []}
        self._feed.close()

    def _refused_of_tasks(self) -> list[Cloud]:
        """Those clouds that were to be left to tasks and are refused. They are like all refused ones
        from then on.
        """
        self._engine.refuse_left_to_tasks(
            self._clouds.values(), self._for_tasks.values(), self._obstacles
        )
        refused = {name: cloud for name, cloud in self._for_tasks.items() if cloud.error}
        self._clouds |= refused
        for name in refused:
            del self._for_tasks[name], self._obstacles[name]
        return list(refused.values())

    def _begin_batch(self, clouds: int) -> None:
        count = len(self._batches)
        stage = f"Converge, batch {self._next} of {count}" if count > 1 else "Converge"
        self._begin(stage, clouds, is_shown=count > 1)

    def _plan_again(self, clouds: t.Sequence[Cloud]) -> None:
        """The plan of the run is older than the batches before this one."""
        self._is_planning = True
        self._engine.plan(clouds)
        self._is_planning = False

    def _notices(self, planned: t.Sequence[Cloud]) -> list[str]:
        """What the operator is told of the variables of clouds, also of those of the role."""
        clouds = [*planned, *self._for_tasks.values()]
        return grouped({cloud.name: self._engine.notices(cloud) for cloud in clouds})

    def _execute(self, clouds: t.Sequence[Cloud]) -> list[Done]:
        batch = dict.fromkeys(cloud for cloud in clouds if cloud.is_pending)
        if self.options.check_mode:
            done = self._engine.predict(batch)
            if self._recorder:
                self._recorder.predicted(done)
            return done
        done = self._engine.converge(batch, read_back=not self.options.confirm)
        if self.options.confirm:
            self._engine.confirm(done)
        return done

    def _outcome(self, cloud: Cloud, done: t.Sequence[Done]) -> Json:
        outcome = outcome_of(cloud, done, self.options.check_mode)
        if self.options.diff:
            outcome["diff"] = diffs_of(cloud, done)
        return outcome

    def _begin(self, stage: str, clouds: int, is_shown: bool = False) -> None:
        self._announced.clear()
        self._feed.stage(stage, clouds, is_shown)

    def _announce(self, cloud: Cloud) -> None:
        """Show that a cloud is planned, or written. One that is planned again is shown when it is
        written.
        """
        outcome = planned_outcome(cloud)
        if cloud.is_pending:
            is_planned = self._next == 0
            if self._is_planning and not is_planned:
                return
            outcome["state"] = PENDING if is_planned else CHANGED
            outcome["reasons"] = [] if is_planned else reasons_of(cloud)
        self._show(cloud, outcome)

    def _finish(self, cloud: Cloud, outcome: Json) -> None:
        self.outcomes[cloud.name] = outcome
        if outcome["state"] != NOT_REACHED:
            self._show(cloud, outcome)

    def _show(self, cloud: Cloud, outcome: Json) -> None:
        """Show the state of a cloud, unless it was shown before in this stage."""
        state = outcome["state"]
        if self._announced.get(cloud.name) != state:
            self._announced[cloud.name] = state
            account_id, message = cloud.settings.account_id, outcome.get("msg", "")
            self._feed.done(cloud.name, account_id, state, outcome["reasons"], message)

    def _divide(self, pending: t.Sequence[str]) -> None:
        """Divide the pending clouds into batches, and defer those that are not to be in this run."""
        options = self.options
        names = [*pending, *self._obstacles]
        batches = batches_of(
            {name: self._rings.get(name) for name in names},
            options.rings,
            options.canary_percent,
            options.only,
            options.serial,
            self._groups(pending),
        )
        self._sizes = [len(batch) for batch in batches]
        chosen = {name for batch in batches for name in batch}
        for name in names:
            if name not in chosen:
                self.outcomes[name] = {"state": DEFERRED, "changed": False, "reasons": []}
                self._feed.done(name, "", DEFERRED)
        self._batches, self._role_batches = (
            [part for batch in batches if (part := [name for name in batch if name in those])]
            for those in (self._clouds, self._obstacles)
        )

    def _groups(self, names: t.Iterable[str]) -> list[list[str]]:
        groups = self._engine.groups([self._clouds[name] for name in names])
        return [[cloud.name for cloud in group] for group in groups]


def _by_cloud(done: t.Iterable[Done]) -> dict[Cloud, list[Done]]:
    found: dict[Cloud, list[Done]] = {}
    for one in done:
        for cloud in one.clouds:
            found.setdefault(cloud, []).append(one)
    return found
