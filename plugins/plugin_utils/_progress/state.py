# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a run over many clouds stands: which are done, which changed and why, which failed, how
long the rest will take.

This plugin util is private to the collection. Pure: it is told what happens, and what time it is.
What is told for every task of every cloud takes the same time however many clouds there are.
"""

from __future__ import annotations

import dataclasses
import enum
import typing as t

# Too early to tell how long something takes.
_EARLY = 2.0


class Outcome(enum.Enum):
    """What a cloud counts as. The values are what people read."""

    RIGHT = "right"
    DRIFTED = "drifted"
    UNKNOWN = "unknown"
    UNAUDITED = "not audited"
    CHANGED = "changed"
    WOULD_CHANGE = "would change"
    FAILED = "failed"
    UNREACHABLE = "unreachable"
    UNFINISHED = "not finished"


class Stage(enum.Enum):
    """How far a cloud is in the run."""

    WAITING = enum.auto()
    UNDER_WAY = enum.auto()
    STOPPED = enum.auto()
    DONE = enum.auto()


@dataclasses.dataclass
class Cloud:
    """What is known of a cloud (of a host, in a playbook of another kind)."""

    name: str
    account: str = ""
    stage: Stage | None = None
    step: int = 0
    has_result: bool = False
    planned: bool = False
    # Whether it waited for its turn when the play began, and whether a task of the play was for it
    # alone.
    waited: bool = False
    had_own_task: bool = False
    change: Outcome | None = None
    failure: Outcome | None = None
    message: str = ""
    reasons: list[str] = dataclasses.field(default_factory=list)
    unreported: list[str] = dataclasses.field(default_factory=list)
    findings: list[str] = dataclasses.field(default_factory=list)
    uncertainty: Outcome | None = None

    @property
    def is_idle(self) -> bool:
        """Whether it waited for its turn when the play began, and waits still: what the play did so
        far was for all clouds together.
        """
        return self.stage is Stage.UNDER_WAY and self.waited and not self.had_own_task

    @property
    def outcome(self) -> Outcome | None:
        """What it counts as once the run is over; nothing where no task was for it."""
        if self.failure:
            return self.failure
        if self.stage is not Stage.DONE:
            return Outcome.UNFINISHED
        if self.change:
            return self.change
        if self.findings:
            return Outcome.DRIFTED
        return self.uncertainty or (Outcome.RIGHT if self.has_result else None)


class Progress:
    """A run, told event by event. Its counters may be read by another thread at any time."""

    def __init__(self) -> None:
        self.clouds: dict[str, Cloud] = {}
        self.done = 0
        self.changed = 0
        self.predicted = 0
        self.failed = 0
        self.task = ""
        self._batch: list[Cloud] = []
        self._left_out: set[str] = set()
        self._places: dict[str, int] = {}
        self._steps = 1
        self._taken = 0
        self._done_before = 0
        self._is_planned = False
        self._started: float | None = None
        self._clock: float | None = None
        self._done_at_clock = 0

    def begin(self, accounts: t.Mapping[str, str], steps: t.Sequence[str], now: float) -> None:
        """A play starts, for clouds by name with their accounts, with tasks that are known by their
        ids.
        """
        self.finish()
        self._places = {step: place for place, step in enumerate(steps, 1)}
        self._steps = max(len(steps), 1)
        for name, account in accounts.items():
            if name in self._left_out:
                continue
            cloud = self._cloud(name)
            cloud.account = cloud.account or account
            self._batch.append(cloud)
            if not cloud.failure and not (cloud.planned and cloud.stage is Stage.DONE):
                cloud.step, cloud.waited, cloud.had_own_task = (
                    0,
                    cloud.stage is Stage.WAITING,
                    False,
                )
                self._move(cloud, Stage.UNDER_WAY)
        self._done_before = self.done
        self._started = now if self._started is None else self._started
        if self._clock is None or not self._is_planned:
            self._clock, self._done_at_clock = now, self.done

    def choose(self, chosen: t.Collection[str]) -> None:
        """Of the clouds of the play, the run is for these alone."""
        self._left_out.difference_update(chosen)
        self._leave_out([cloud.name for cloud in self._batch if cloud.name not in chosen])

    def plan(
        self, going_on: t.Collection[str], later: t.Collection[str] = (), again: bool = False
    ) -> None:
        """The clouds of the play were looked at: some go on to a play of their own, some are for
        another run, the others are right.

        again: it was a second look, at those alone that have had their turn.
        """
        self._leave_out(later)
        for cloud in self._batch:
            if cloud.failure or again and cloud.is_idle:
                continue
            cloud.planned = True
            if cloud.name in going_on:
                self._move(cloud, Stage.WAITING)
            else:
                cloud.has_result = True
                self._move(cloud, Stage.DONE)
        self._is_planned, self._clock = True, None
        self._taken, self._done_before = 0, self.done

    def task_finished(self, name: str, task: str, own: bool = True) -> bool:
        """A task is over for a cloud; whether it was the cloud's last one, as far as can be told.

        own: whether it did something for the cloud itself. One that was skipped did not, nor one
        for all clouds by way of this one.
        """
        if name in self._left_out:  # one task for all may be run for it
            return False
        cloud = self._cloud(name)
        cloud.has_result = True
        cloud.had_own_task = cloud.had_own_task or own
        place = self._places.get(task, 0)
        if cloud.stage is not Stage.UNDER_WAY or place <= cloud.step:
            return False
        self._taken += place - cloud.step
        cloud.step = place
        if place < self._steps or cloud.is_idle:
            return False
        self._move(cloud, Stage.DONE)
        return True

    def change(self, name: str, reasons: t.Iterable[str], predicted: bool = False) -> None:
        """A task changed a cloud for these reasons, or would have in earnest."""
        cloud = self._cloud(name)
        before = cloud.change
        if before is not Outcome.CHANGED:
            cloud.change = Outcome.WOULD_CHANGE if predicted else Outcome.CHANGED
        self.changed += before is None
        self.predicted += (cloud.change is Outcome.WOULD_CHANGE) - (before is Outcome.WOULD_CHANGE)
        new = [reason for reason in dict.fromkeys(reasons) if reason not in cloud.reasons]
        cloud.reasons += new
        cloud.unreported += new

    def find(self, name: str, findings: t.Iterable[str], unknown: bool = False) -> None:
        """A look at a cloud found that this is not right with it; whether there is something that
        it could not tell.
        """
        cloud = self._cloud(name)
        cloud.findings, cloud.uncertainty = (
            list(dict.fromkeys(findings)),
            Outcome.UNKNOWN if unknown else None,
        )

    def audit_failed(self, name: str) -> None:
        """A cloud could not be looked at, which does not end its part in the run."""
        self._cloud(name).uncertainty = Outcome.UNAUDITED

    def fail(self, name: str, message: str, unreachable: bool = False) -> None:
        """A task failed for a cloud, which ends the cloud's part in the run."""
        cloud = self._cloud(name)
        if (
            cloud.failure is None
        ):  # what failed first is why: a later task may only say that something did
            self.failed += 1
            cloud.message = message
        cloud.failure = Outcome.UNREACHABLE if unreachable else Outcome.FAILED
        if cloud.stage is Stage.UNDER_WAY:
            self._taken += self._steps - cloud.step
        self._move(cloud, Stage.DONE)

    def stop(self) -> None:
        """The play ends before its time, such as when too many clouds of the batch failed."""
        for cloud in self._batch:
            if cloud.stage is Stage.UNDER_WAY:
                self._move(cloud, Stage.STOPPED)

    def finish(self) -> None:
        """The play is over. One that was about all clouds together, or that stopped before it
        began, was nobody's turn.
        """
        for cloud in self._batch:
            if cloud.stage is Stage.UNDER_WAY:
                self._move(cloud, Stage.WAITING if cloud.is_idle else Stage.DONE)
        self._batch, self._taken, self._done_before = [], 0, self.done

    def settle(self, troubled: t.Container[str]) -> None:
        """The run is over. What failed but was rescued does not count as failed, and only Ansible
        knows.
        """
        self.finish()
        for cloud in self.clouds.values():
            if cloud.failure and cloud.name not in troubled:
                self.failed -= 1
                cloud.failure, cloud.message = None, ""

    def unreported(self) -> list[Cloud]:
        """The clouds of the play that changed and were not told of yet."""
        return [cloud for cloud in self._batch if cloud.unreported]

    def share(self) -> float:
        """How much of the work is done, from 0 to 1; tasks count."""
        return min((self._done_before + self._taken / self._steps) / max(len(self.clouds), 1), 1.0)

    def elapsed(self, now: float) -> float:
        """For how many seconds the run has been going."""
        return now - (now if self._started is None else self._started)

    def time_left(self, now: float) -> float | None:
        """How many seconds the rest will take, should it go on like this; nothing while that cannot
        be told.
        """
        worked = self._done_before - self._done_at_clock + self._taken / self._steps
        if self._clock is None or worked <= 0 or now - self._clock < _EARLY:
            return None
        rest = len(self.clouds) * (1 - self.share())
        return (now - self._clock) * rest / worked

    def _leave_out(self, names: t.Collection[str]) -> None:
        """The run is not for these clouds of the play, whatever plays they are in from now on."""
        for name in names:
            self._move(self.clouds.pop(name), None)
        self._left_out.update(names)
        self._batch = [cloud for cloud in self._batch if cloud.name not in self._left_out]

    def _cloud(self, name: str) -> Cloud:
        return self.clouds.setdefault(name, Cloud(name))

    def _move(self, cloud: Cloud, stage: Stage | None) -> None:
        self.done += (stage is Stage.DONE) - (cloud.stage is Stage.DONE)
        cloud.stage = stage
