# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a run has to do with a plan file: in check mode it records what the file is to show, else it is
bound to it.

This plugin util is private to the collection.
"""

from __future__ import annotations

import datetime

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    option,
    reads_in_awx,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import answer, check_mode
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import Clouds
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.recorder import (
    PlanRecorder,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.store import (
    OPTION,
    PlanStore,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.summary import Outcomes
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import WOULD_CHANGE
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

_AGE_OPTION = option("plan_max_age_hours", "onboard_plan_max_age_hours")


class PlanInUse:
    """The plan file of a run."""

    def __init__(self, path: str, clouds: Clouds, check_mode: bool, max_age_hours: int) -> None:
        """Raises InputError if the file cannot be used, if the plan is too old to be applied, or if the
        engine does not converge all clouds itself: what tasks write is not compared with it.
        """
        if clouds.obstacles:
            names = [f"{name} ({why})" for name, why in clouds.obstacles.items()]
            raise InputError(
                f"{OPTION} cannot bind clouds that are left to tasks of their own: "
                f"{summarize_names(names)}.",
                "Let the engine converge them (see 'left to tasks' in the documentation of fleets), or "
                "select other clouds.",
            )
        self.store = PlanStore(path, clouds.for_engine.values())
        self.recorder = PlanRecorder() if check_mode else None
        self.binding = None if check_mode else self.store.read()
        if self.binding:
            refuse_old(self.binding.made_at, max_age_hours)
        else:
            self.store.check_writable()

    def notices(self, clouds: Clouds) -> list[str]:
        """What the operator should know before clouds are converged."""
        if self.binding is None:
            return []
        left_out = [
            name
            for name, state in self.binding.clouds.items()
            if state == WOULD_CHANGE and name not in clouds.for_engine
        ]
        if not left_out:
            return []
        return [
            f"The plan of {self.binding.made_at} also has clouds that this run does not have: "
            f"{summarize_names(left_out)}."
        ]

    def warnings(self) -> list[str]:
        """What the operator should know after clouds were converged."""
        if self.binding is None or not self.binding.unrecorded:
            return []
        return [
            f"It could not be recorded that these changes of the plan were made: "
            f"{summarize_names(self.binding.unrecorded)}. Another run with {OPTION} would make them again "
            "if they are rolled back: make a new plan for it."
        ]

    def finish(self, outcomes: Outcomes) -> str:
        """Write what was recorded. Returns what to tell the operator at the end of the run, if
        anything.
        """
        if self.recorder is None:
            return ""
        self.store.write(outcomes, self.recorder)
        apply = "run the same command without --check (or fleet_mode=check)"
        if reads_in_awx():
            apply = f"launch with {answer('fleet_mode', 'apply')} and the same other answers"
        review = f"The plan is in {self.store.path}. Review {self.store.summary_path}"
        return f"{review}, then {apply} to apply it."


def refuse_old(made_at: str, max_age_hours: int, now: datetime.datetime | None = None) -> None:
    """Raise for a plan that was made too long ago: who approved it approved it for then."""
    now = now or datetime.datetime.now(datetime.timezone.utc)
    hours = (now - datetime.datetime.fromisoformat(made_at)) / datetime.timedelta(hours=1)
    if hours > max_age_hours:
        raise InputError(
            f"The plan of {OPTION} was made at {made_at}, {hours:.0f} hours ago, and {_AGE_OPTION} is "
            f"{max_age_hours}.",
            f"Make a new plan with {check_mode()}, and review that, or allow this one with a higher number.",
        )
