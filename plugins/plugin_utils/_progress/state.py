# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress of a run over many clouds: which are done, which changed and why, which failed, and
how long the rest will take.

This plugin util is private to the collection. Pure: its methods are called with each event and the
time. The methods called for every task of every cloud take constant time. A task that works for all
clouds of a play at once is an engine here: it reports each cloud itself.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.events import (
    AUDIT,
    CloudDone,
    StageBegan,
)

# No estimate is made before this number of seconds.
_EARLY = 2.0


class Outcome(enum.Enum):
    """What a cloud counts as. The values are displayed."""

    IN_SYNC = "in sync"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"
    UNAUDITED = "not audited"
    CHANGED = "changed"
    WOULD_CHANGE = "would change"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    UNFINISHED = "not finished"
    NOT_PERMITTED = "not permitted"


# What a cloud without drift may count as after its audit, by the result of that.
UNCERTAINTIES = {
    "failed": Outcome.UNAUDITED,
    "unknown": Outcome.UNKNOWN,
    "not_permitted": Outcome.NOT_PERMITTED,
}


class Stage(enum.Enum):
    """How far a cloud is in the run."""

    WAITING = enum.auto()
    UNDER_WAY = enum.auto()
    STOPPED = enum.auto()
    DONE = enum.auto()


@dataclasses.dataclass
class Cloud:
    """A cloud, or a host in any other playbook."""

    name: str
    account: str = ""
    stage: Stage | None = None
    step: int = 0
    has_result: bool = False
    # What an engine reported of it, except that it was pending.
    reported: Outcome | None = None
    change: Outcome | None = None
    failure: Outcome | None = None
    message: str = ""
    reasons: list[str] = dataclasses.field(default_factory=list)
    unreported: list[str] = dataclasses.field(default_factory=list)
    findings: list[str] = dataclasses.field(default_factory=list)
    uncertainty: Outcome | None = None

    @property
    def outcome(self) -> Outcome | None:
        """What it counts as at the end of the run; ``None`` if no task was for it."""
        if self.failure:
            return self.failure
        if self.stage is not Stage.DONE:
            return Outcome.UNFINISHED
        if self.change:
            return self.change
        if self.findings:
            return Outcome.DRIFTED
        return self.uncertainty or (Outcome.IN_SYNC if self.has_result else None)


@dataclasses.dataclass
class EngineStage:
    """A stage of an engine: for how many clouds it is, and how many are through with it."""

    name: str
    clouds: int
    started: float
    done: int = 0

    def time_left(self, now: float) -> float | None:
        """The estimated remaining seconds; ``None`` while it is too early for an estimate, and at
        the end.
        """
        taken, rest = now - self.started, self.clouds - self.done
        if not self.done or rest <= 0 or taken < _EARLY:
            return None
        return taken * rest / self.done


class Progress:
    """The state of a run, updated by events. Other threads may read its counters at any time."""

    def __init__(self) -> None:
        self.clouds: dict[str, Cloud] = {}
        self.done = 0
        self.changed = 0
        self.predicted = 0
        self.failed = 0
        self.task = ""
        self.run_error = ""
        self.has_engine = False
        self.engine_stage: EngineStage | None = None
        self._batch: list[Cloud] = []
        self._left_out: set[str] = set()
        self._has_reports = False
        self._failed_on = ""
        self._places: dict[str, int] = {}
        self._steps = 1
        self._taken = 0
        self._done_before = 0
        self._started: float | None = None
        self._clock: float | None = None
        self._done_at_clock = 0

    def begin(self, accounts: t.Mapping[str, str], steps: t.Sequence[str], now: float) -> None:
        """A play starts. accounts: of each cloud by name. steps: the IDs of its tasks."""
        self.finish()
        self._places = {step: place for place, step in enumerate(steps, 1)}
        self._steps = max(len(steps), 1)
        for name, account in accounts.items():
            if name in self._left_out:
                continue
            cloud = self._cloud(name)
            cloud.account = cloud.account or account
            cloud.step = 0
            self._batch.append(cloud)
            # After an engine, plays show what was done, or have tasks for clouds that wait. A cloud
            # may also only stand by in them.
            if not cloud.failure and not (self.has_engine and cloud.stage):
                self._move(cloud, Stage.UNDER_WAY)
        self._done_before = self.done
        self._started = now if self._started is None else self._started
        if self._clock is None or not self.has_engine:
            self._clock, self._done_at_clock = now, self.done

    def select(self, selected: t.Collection[str]) -> None:
        """Of the clouds of the play, the run is only for these."""
        self._left_out.difference_update(selected)
        self._leave_out([cloud.name for cloud in self._batch if cloud.name not in selected])

    def leave_unpermitted(self, accounts: t.Mapping[str, str]) -> None:
        """The run is not for these clouds, because the operator does not permit them.

        accounts: of each cloud by name.
        """
        for name, account in accounts.items():
            cloud = self._cloud(name)
            cloud.account, cloud.uncertainty = account, Outcome.NOT_PERMITTED
            self._move(cloud, Stage.DONE)

    def start_engine(self) -> None:
        """An engine starts: each cloud of the play waits for its report."""
        self.has_engine, self._clock = True, None
        for cloud in self._batch:
            if cloud.stage is Stage.UNDER_WAY:
                self._move(cloud, Stage.WAITING)
        self._taken, self._done_before = 0, self.done

    def end_engine(self) -> None:
        """The engine has ended. Clouds that are pending wait for tasks of their own."""
        self.engine_stage = None

    def begin_stage(self, event: StageBegan, now: float) -> None:
        """A stage of the engine begins."""
        self.engine_stage = EngineStage(event.name, event.clouds, now)

    def report(self, event: CloudDone) -> Cloud | None:
        """The engine reports a cloud. Returns the cloud if the run is for it."""
        if self.engine_stage:
            self.engine_stage.done += 1
        self._has_reports = True
        if event.result == "deferred":
            self._leave_out([event.cloud])
        if event.cloud in self._left_out:
            return None
        cloud = self._cloud(event.cloud)
        cloud.account = cloud.account or event.account
        if event.result == "pending":
            self._move(cloud, Stage.WAITING)
        else:
            cloud.has_result, cloud.reported = True, Outcome[event.result.upper()]
            self._record(cloud, event)
            self._move(cloud, Stage.DONE)
        self._done_before = self.done
        return cloud

    def task_finished(self, name: str, task: str, own: bool = True) -> bool:
        """A task finished for a cloud. Returns whether it was the cloud's last one, as far as is
        known.

        own: whether the task did something for this cloud. A skipped task did not.
        """
        if name in self._left_out:
            return False
        cloud = self._cloud(name)
        cloud.has_result = True
        if own and cloud.stage is Stage.WAITING:
            self._move(cloud, Stage.UNDER_WAY)
        place = self._places.get(task, 0)
        if cloud.stage is not Stage.UNDER_WAY or place <= cloud.step:
            return False
        self._taken += place - cloud.step
        cloud.step = place
        if place < self._steps:
            return False
        self._move(cloud, Stage.DONE)
        return True

    def change(self, name: str, reasons: t.Iterable[str], predicted: bool = False) -> None:
        """A task changed a cloud for these reasons. predicted: it would have, without check mode."""
        cloud = self._cloud(name)
        before = cloud.change
        if before is not Outcome.CHANGED:
            cloud.change = Outcome.WOULD_CHANGE if predicted else Outcome.CHANGED
        self.changed += before is None
        self.predicted += (cloud.change is Outcome.WOULD_CHANGE) - (before is Outcome.WOULD_CHANGE)
        new = [reason for reason in dict.fromkeys(reasons) if reason not in cloud.reasons]
        cloud.reasons += new
        cloud.unreported += new

    def find(
        self, name: str, findings: t.Iterable[str], uncertainty: Outcome | None = None
    ) -> None:
        """An audit of a cloud found these checks with drift. uncertainty: what it counts as if it
        found none, unless that is in sync.
        """
        cloud = self._cloud(name)
        cloud.findings, cloud.uncertainty = list(dict.fromkeys(findings)), uncertainty

    def audit_failed(self, name: str) -> None:
        """The audit of a cloud failed, which does not end its part in the run."""
        self._cloud(name).uncertainty = Outcome.UNAUDITED

    def fail(self, name: str, message: str, unreachable: bool = False) -> None:
        """A task failed for a cloud, which ends the cloud's part in the run."""
        cloud = self._cloud(name)
        self._fail(cloud, message, Outcome.UNREACHABLE if unreachable else Outcome.FAILED)
        if cloud.stage in (Stage.UNDER_WAY, Stage.WAITING):
            self._taken += self._steps - cloud.step
        self._move(cloud, Stage.DONE)

    def fail_run(self, name: str, message: str) -> str:
        """A task of the whole run failed, which no cloud did. Returns the line that says so.

        name: the host that Ansible ran the task on.
        """
        what = "failed" if self._has_reports else "was refused"
        self.run_error, self._failed_on = f"The run {what}: {message}", name
        return self.run_error

    def stop(self) -> None:
        """The play ends early, for example because too many clouds of the batch failed."""
        for cloud in self._batch:
            if cloud.stage is Stage.UNDER_WAY:
                self._move(cloud, Stage.STOPPED)

    def finish(self) -> None:
        """The play is over. Clouds that wait and had no task of their own in it still wait."""
        for cloud in self._batch:
            if cloud.stage is Stage.UNDER_WAY:
                self._move(cloud, Stage.DONE)
        self._batch, self._taken, self._done_before = [], 0, self.done

    def settle(self, failed: t.Container[str]) -> None:
        """The run is over. failed: the clouds that failed according to Ansible, which excludes
        those that were rescued, and those that failed in an engine and had no task of their own.
        """
        if self._failed_on in failed:
            self.stop()
        else:
            self.run_error = ""
        self.finish()
        for cloud in self.clouds.values():
            is_rescued = cloud.name not in failed and cloud.reported is not Outcome.FAILED
            if cloud.failure and is_rescued:
                self.failed -= 1
                cloud.failure, cloud.message = None, ""

    def unreported(self) -> list[Cloud]:
        """The clouds of the play with changes that were not printed yet."""
        return [cloud for cloud in self._batch if cloud.unreported]

    def share(self) -> float:
        """The completed part of the work, from 0 to 1, counted in tasks."""
        return min((self._done_before + self._taken / self._steps) / max(len(self.clouds), 1), 1.0)

    def elapsed(self, now: float) -> float:
        """The seconds since the start of the run."""
        return now - (now if self._started is None else self._started)

    def time_left(self, now: float) -> float | None:
        """The estimated remaining seconds at the present rate; ``None`` while it is too early for
        an estimate.
        """
        worked = self._done_before - self._done_at_clock + self._taken / self._steps
        if self._clock is None or worked <= 0 or now - self._clock < _EARLY:
            return None
        rest = len(self.clouds) * (1 - self.share())
        return (now - self._clock) * rest / worked

    def _record(self, cloud: Cloud, event: CloudDone) -> None:
        if cloud.reported in (Outcome.CHANGED, Outcome.WOULD_CHANGE):
            self.change(cloud.name, event.reasons, cloud.reported is Outcome.WOULD_CHANGE)
        elif cloud.reported is not Outcome.FAILED:
            findings = event.reasons if cloud.reported is Outcome.DRIFTED else ()
            self.find(cloud.name, findings, UNCERTAINTIES.get(event.result))
        elif self.engine_stage and self.engine_stage.name == AUDIT:
            cloud.reported, cloud.message = Outcome.UNAUDITED, event.message
            self.audit_failed(cloud.name)
        else:
            self._fail(cloud, event.message, Outcome.FAILED)

    def _fail(self, cloud: Cloud, message: str, outcome: Outcome) -> None:
        # The first failure has the reason; a later task may only report that something failed.
        if cloud.failure is None:
            self.failed += 1
            cloud.message = message
        cloud.failure = outcome

    def _leave_out(self, names: t.Collection[str]) -> None:
        """The run is not for these clouds, in this play and in later ones."""
        for name in names:
            self._move(self.clouds.pop(name, Cloud(name)), None)
        self._left_out.update(names)

    def _cloud(self, name: str) -> Cloud:
        return self.clouds.setdefault(name, Cloud(name))

    def _move(self, cloud: Cloud, stage: Stage | None) -> None:
        self.done += (stage is Stage.DONE) - (cloud.stage is Stage.DONE)
        cloud.stage = stage
