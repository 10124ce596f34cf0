# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge a fleet of clouds in this worker process. The documentation is in plugins/modules."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import os
import time
import typing as t

from ansible import context
from ansible.utils.display import Display

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.in_worker import (
    run_cache,
    warm_up_workers,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    FleetAction,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import (
    Clouds,
    CloudVariables,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.parts import chosen_stages
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.registered_roles import (
    read_for_notices,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.held import Held
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.settings_digest import (
    digests_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import StateFile
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.engine import Engine
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.run import Run, RunOptions
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.next_plays import pass_on
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.recording import (
    recording_outcomes,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.in_use import PlanInUse
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.store import (
    OPTION as PLAN_OPTION,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import Feed
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.joint_reconciler import (
    Withheld,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import Services
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import PASS_ROLE
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import invocation_of
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.signals import (
    finishing_on_signals,
)

_RULES = {
    "argument_spec": {
        "run": {"type": "str", "required": True},
        "hosts": {"type": "list", "elements": "str", "required": True},
        "refused": {"type": "dict", "default": {}},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "mode": {"type": "str", "choices": ["check", "apply"], "default": "apply"},
        "engine": {"type": "bool", "default": True},
        "tasks_follow": {"type": "bool", "default": True},
        "step": {"type": "str"},
        "threads": {"type": "int", "default": 16},
        "bulk_reads": {"type": "bool", "default": True},
        "confirm": {"type": "bool", "default": True},
        "rings": {"type": "list", "elements": "str", "default": []},
        "canary_percent": {"type": "int", "default": 0},
        "only": {"type": "str", "choices": ["all", "canary"], "default": "all"},
        "serial": {"type": "int"},
        "max_fail_percentage": {"type": "float"},
        "plan_file": {"type": "str"},
        "plan_max_age_hours": {"type": "int", "default": 168},
    }
}
Json = dict[str, t.Any]
display = Display()

warm_up_workers()


class ActionModule(FleetAction):
    """Runs once for all hosts. It does not fail for what happens to clouds: their outcomes say so."""

    rules = _RULES

    def run_for(self, names: list[str], hostvars: t.Any, arguments: Json) -> Json:
        """Plan and converge, and record the outcomes."""
        gc.freeze()
        began = time.time()
        folder = RunFolder(arguments["run"])
        arguments["plan_file"] = self._plan_path(arguments)
        # The directory in which a local connection runs modules.
        with contextlib.chdir(self._loader.get_basedir()):
            run, plan = self._new_run(folder, hostvars, arguments)
            planned = run.plan()
            with finishing_on_signals(run.stop):
                while not run.is_finished:
                    run.converge_next()
        run.end()
        run.warnings += plan.warnings() if plan else []
        # Half a plan must not be taken for a whole one.
        is_whole = plan is not None and not run.was_interrupted
        of_run = {
            "step": _label(arguments),
            "began": began,
            "whole": set(_stages()) == set(chosen_stages(None)),
            "left_to_tasks": run.role_clouds,
            "batches": run.batches_told,
            "of_plan": plan.finish(run.outcomes) if plan and is_whole else "",
        }
        invocation = invocation_of(context.CLIARGS, hostvars["localhost"])
        with recording_outcomes(folder, run.outcomes, invocation, display.display):
            folder.write_outcomes(run.outcomes)
            pass_on(folder, run.outcomes, run.role_clouds, names, _facts(run))
            folder.write("run", of_run)
        return {
            **planned,
            "stopped": run.stopped,
            "warnings": run.warnings,
        }

    def _plan_path(self, arguments: Json) -> str | None:
        """The path of the plan file, if it is set: relative to where Ansible runs, not to the playbook.
        An empty one, or null, is an error: a run that was to be bound would be bound to nothing.
        """
        if "plan_file" not in self._task.args:
            return None
        path = arguments["plan_file"] or ""
        if not path.strip():
            raise InputError(
                f"{PLAN_OPTION} is empty.", "Set it to the path of a file, or omit it."
            )
        return os.path.abspath(os.path.expanduser(path))

    def _new_run(
        self, folder: RunFolder, hostvars: t.Any, arguments: Json
    ) -> tuple[Run, PlanInUse | None]:
        options = _options(
            arguments,
            check_mode=self._task.check_mode or arguments["mode"] == "check",
            diff=bool(self._task.diff),
        )
        stages = _stages()
        variables = CloudVariables(self, self._task.get_play().connection)
        clouds = variables.read(arguments["hosts"], arguments["engine"], arguments["refused"])
        if not arguments["tasks_follow"]:
            clouds.refuse_tasks(invocation_of(context.CLIARGS, hostvars["localhost"]))
        # For healing, and before the engine learns the ARNs of roles.
        folder.write("settings", digests_of(clouds.of_all.values()))
        for cloud in clouds.for_engine.values():
            cloud.settings = dataclasses.replace(cloud.settings, run_name=_label(arguments))
        for name, why in clouds.obstacles.items():
            display.v(f"{name}: left to tasks of its own, because {why}")
        if arguments["state"] == "present" and PASS_ROLE in stages:
            read_for_notices(clouds.for_tasks.values())
        notices = variables.check_rings(options.rings, clouds)
        plan = _plan_in_use(arguments, clouds, options.check_mode)
        sessions = AccountSessions(run_cache(), arguments["threads"], arguments["bulk_reads"])
        services = Services(sessions, len(clouds.for_engine))
        services.known.own_roles |= clouds.assumed_roles
        services.known.control_planes |= clouds.control_planes
        engine = Engine(
            services,
            state=arguments["state"],
            stages=stages,
            threads=arguments["threads"],
            keeps_documents=options.check_mode or options.diff,
            binding=plan.binding if plan else None,
            withheld=_withheld(folder),
        )
        feed = Feed(folder.create(), display.display)
        run = Run(engine, options, clouds, feed, plan.recorder if plan else None)
        run.warnings += notices
        if plan:
            run.warnings += plan.notices(clouds)
        return run, plan


def _stages() -> list[str]:
    """The parts that the tags of the command line choose."""
    return chosen_stages(context.CLIARGS.get("tags"), context.CLIARGS.get("skip_tags"))


def _withheld(folder: RunFolder) -> Withheld | None:
    """Which clouds the run loses before it writes for them, if it is one of heal."""
    healing = folder.read("healing")
    if not healing:
        return None
    return Held(folder.token, StateFile(healing["state_dir"], Rules())).withheld


def _facts(run: Run) -> Json:
    """What the plays after this one need to know."""
    return {
        "left_to_tasks": [len(batch) for batch in run.role_batches],
        "tolerated_percentage": run.options.tolerated_percentage,
        "check_mode": run.options.check_mode,
    }


def _plan_in_use(arguments: Json, clouds: Clouds, check_mode: bool) -> PlanInUse | None:
    """The plan file of the run, if it has one."""
    path = arguments["plan_file"]
    if path is None:
        return None
    if arguments["state"] == "absent":
        raise InputError("plan_file is for state present.", "Omit it.")
    if not arguments["engine"]:
        raise InputError(
            f"{PLAN_OPTION} is set, and engine (fleet_engine in playbooks) is "
            "false. Only the engine compares its writes with a plan.",
            "Omit one of them.",
        )
    return PlanInUse(path, clouds, check_mode, arguments["plan_max_age_hours"])


def _label(arguments: Json) -> str:
    """The name of the step of a workflow that the run is."""
    if arguments["step"]:
        return str(arguments["step"])
    if arguments["state"] == "absent":
        return "offboard"
    return "onboard canary" if arguments["only"] == "canary" else "onboard"


def _options(arguments: Json, check_mode: bool, diff: bool) -> RunOptions:
    """The options of the rollout. Raises for values that are valid alone, and contradict each
    other.
    """
    for name in ("threads", "serial", "plan_max_age_hours"):
        if arguments[name] is not None and arguments[name] < 1:
            raise InputError(f"{name} is {arguments[name]}.", "Give a positive number.")
    percent = arguments["canary_percent"]
    if not 0 <= percent <= 100:
        raise InputError(f"canary_percent is {percent}.", "Give a number from 0 to 100.")
    if arguments["only"] == "canary" and not percent:
        raise InputError(
            "only is canary, but canary_percent is 0, so there is no canary.",
            "Set canary_percent (onboard_canary_percent in playbooks).",
        )
    names = ("rings", "canary_percent", "only", "serial", "max_fail_percentage", "confirm")
    return RunOptions(**{name: arguments[name] for name in names}, check_mode=check_mode, diff=diff)
