# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide when clouds are healed because of events. The documentation is in plugins/modules."""

from __future__ import annotations

import typing as t

from ansible import context
from ansible.utils.display import Display

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    FleetAction,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events import messages
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.excluded import (
    without_excluded,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.noting import (
    forget,
    healed_of,
    note_end,
    note_onboarded,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import (
    Rules,
    rules_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.scope import scope_of
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import (
    StateFile,
    state_directory,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.taking import (
    asked_for,
    hold,
    preview,
    preview_hold,
    take,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.of_run import (
    outcomes_of_run,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import (
    RunFolder,
    new_token,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import (
    invocation_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import how_to_onboard

_DEFAULTS = Rules()
_RULES = {
    "argument_spec": {
        "step": {
            "type": "str",
            "choices": ["begin", "finish", "onboarded", "forget", "forgotten"],
            "required": True,
        },
        "clouds": {"type": "list", "elements": "dict", "default": []},
        "hosts": {"type": "list", "elements": "str", "default": []},
        "run": {"type": "str"},
        "state_dir": {"type": "path"},
        "mode": {"type": "str", "choices": ["check", "apply"], "default": "apply"},
        "quiet_seconds": {"type": "float", "default": _DEFAULTS.quiet},
        "longest_wait_seconds": {"type": "float", "default": _DEFAULTS.longest_wait},
        "run_seconds": {"type": "float", "default": _DEFAULTS.run_seconds},
        "most_heals": {"type": "int", "default": _DEFAULTS.most_heals},
        "window_seconds": {"type": "float", "default": _DEFAULTS.window},
        "max_clouds": {"type": "int", "default": _DEFAULTS.max_clouds},
        "only_onboarded": {"type": "bool", "default": True},
        "paused": {"type": "bool", "default": False},
    },
    "required_if": [("step", "finish", ("run",)), ("step", "onboarded", ("run",))],
}
_NOTHING_DUE = "Nothing was due."

Json = dict[str, t.Any]
display = Display()


class ActionModule(FleetAction):
    """Runs once for all hosts."""

    rules = _RULES

    def run_for(self, names: list[str], hostvars: t.Any, arguments: Json) -> Json:
        """Do one step."""
        state = StateFile(state_directory(arguments["state_dir"]), rules_of(arguments))
        is_check = self._task.check_mode or arguments["mode"] == "check"
        if arguments["step"] == "begin":
            return self._begin(state, names, hostvars, arguments, is_check)
        if arguments["step"] == "finish":
            return _finish(state, arguments["run"], is_check)
        if arguments["step"] == "onboarded":
            return {} if is_check else _onboarded(state, arguments["run"], hostvars)
        return {"forgotten": []} if is_check else _forget(state, arguments)

    def _begin(
        self, state: StateFile, names: list[str], hostvars: t.Any, arguments: Json, is_check: bool
    ) -> Json:
        """Begin a run of heal, and say which clouds it leaves."""
        events = {str(cloud["name"]): cloud["documents"] for cloud in arguments["clouds"]}
        healing = state.read()
        names = without_excluded(self, names)
        only_onboarded = arguments["only_onboarded"]
        asked = asked_for(names, healing, events, only_onboarded)
        scope = scope_of(self, names, asked, only_onboarded)
        touched = scope.noted(healing, events)
        strangers = scope.not_onboarded(healing, events)
        changed = scope.not_rolled_out(healing, events)
        invocation = invocation_of(context.CLIARGS, hostvars["localhost"])
        run, closing = new_token(), _NOTHING_DUE
        if strangers:
            display.display(messages.not_onboarded(strangers, state.directory))
        if arguments["paused"]:
            found = (preview_hold if is_check else hold)(state, scope, touched)
            closing = messages.paused(found["pending"])
        elif is_check:
            found = preview(scope, healing, touched, state.rules, invocation)
        else:
            found = take(run, state, scope, touched, invocation)
        if found["retried"]:
            display.display(messages.tried_again(found["retried"]))
        folder = RunFolder(run)
        # What the run ends with if it has no clouds.
        folder.write("selection", {"none": closing})
        if not is_check:  # whose clouds are noted as the run's
            folder.write("healing", {"state_dir": state.directory})
        warnings = messages.not_rolled_out(changed, how_to_onboard(changed, invocation))
        return {
            "run": run,
            **found,
            "warnings": [*warnings, *found["warnings"]],
            "not_onboarded": strangers,
            "not_rolled_out": changed,
        }


def _finish(state: StateFile, run: str, is_check: bool) -> Json:
    """Say which clouds had to be changed, and keep those that failed for a later run."""
    outcomes = RunFolder(run).read_outcomes()
    noted: Json = {"retries": []} if is_check else note_end(state, run, outcomes)
    return {"healed": healed_of(outcomes), **noted}


def _onboarded(state: StateFile, run: str, hostvars: t.Any) -> Json:
    """Let events heal the clouds that a run of onboard has converged, in all their parts."""
    folder = RunFolder(run)
    of_run = folder.read("run", {"whole": False})
    if not of_run["whole"]:
        return {}
    outcomes = outcomes_of_run(folder, of_run["left_to_tasks"], hostvars, False)
    settings = folder.read("settings", {})
    invocation = invocation_of(context.CLIARGS, hostvars["localhost"])
    return {"warnings": note_onboarded(state, outcomes, settings, of_run["began"], invocation)}


def _forget(state: StateFile, arguments: Json) -> Json:
    """Let no event heal clouds any more, which is told before they are offboarded, and not again after."""
    clouds = arguments["hosts"]
    found = forget(state, clouds)
    if arguments["step"] == "forget" and clouds and not found.get("warnings"):
        # Who has never named the directory may never have healed anything.
        tell = display.display if arguments["state_dir"] else display.v
        tell(messages.forgotten(found["forgotten"], len(clouds), state.directory))
    return found
