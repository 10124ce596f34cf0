# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every kind of resource defines so that ``converge()`` can bring it to its desired state.

This module util is private to the collection. A reconciler holds what is wanted and the way to the
owner API. It keeps no state of a run: what was loaded, planned and saved is passed from step to
step.
"""

from __future__ import annotations

import abc
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import Backup


@dataclasses.dataclass(frozen=True)
class Live:
    """The live state of a resource.

    resource: its name in messages, and of its lock, the same for all that write to it.
    """

    resource: str


@dataclasses.dataclass(frozen=True)
class Saved:
    """The outcome of a save. ``may_be_written``: also if AWS did not say whether the write took
    effect.
    """

    is_written: bool = True
    may_be_written: bool = True


NOT_SAVED = Saved(is_written=False, may_be_written=False)

State = t.TypeVar("State", bound=Live)


class Reconciler(abc.ABC, t.Generic[State]):
    """One resource and what is wanted of it. ``clouds``: the ids of the clouds that want it, if
    known.
    """

    clouds: tuple[str, ...] = ()

    @abc.abstractmethod
    def load(self) -> State:
        """Read the live state."""

    @abc.abstractmethod
    def plan(self, live: State) -> Plan:
        """Plan from the live state, without any call. Raises if the change is not possible."""

    @abc.abstractmethod
    def guard(self, live: State, plan: Plan) -> None:
        """Raise if a change is not permitted. It reads what only a change needs, in check mode
        too, which predicts the error.
        """

    @abc.abstractmethod
    def save(self, live: State, plan: Plan, written: list[str]) -> Saved:
        """Make the write calls of a plan. Each resource that is written is added to ``written``,
        for the message if a later step fails.
        """

    @abc.abstractmethod
    def read_back(self, live: State, plan: Plan, saved: Saved) -> tuple[State, Plan]:
        """Read until what was saved is visible. Returns the live state and the plan of what is
        still (or again) to do, which the guard has not judged yet.
        """

    def backup(self, live: State, plan: Plan) -> Backup | None:
        """The backup of the document that a plan replaces; ``None`` if it replaces none."""
        return None

    def display(self, document: t.Any) -> t.Any:
        """A document of a plan as the user sees it; ``None`` if it means that there is none."""
        return document

    def checked(self, live: State) -> Plan:
        """The plan, of which a change is permitted."""
        plan = self.plan(live)
        if plan.changed:
            self.guard(live, plan)
        return plan
