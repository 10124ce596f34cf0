# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide when clouds are healed because of events. The documentation is in plugins/modules."""

from __future__ import annotations

import datetime
import functools
import time
import typing as t

from ansible import context
from ansible.utils.display import Display

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    FleetAction,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import NEEDS_TASKS
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events import messages
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.healing import (
    Claim,
    Healing,
    Rules,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import (
    has_state,
    healing_state,
    state_directory,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.of_run import (
    outcomes_of_run,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import (
    RunFolder,
    new_token,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import (
    Invocation,
    invocation_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import CHANGED, IN_SYNC
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import how_to_onboard
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

_POLL_SECONDS = 2.0
_RULES = Rules()

Json = dict[str, t.Any]
Touched = dict[str, list[str]]

_NOTHING_DUE = "Nothing was due."
_NOTHING: Json = {"refused": {}, "retried": [], "stopped": [], "left": []}
display = Display()


class ActionModule(FleetAction):
    """Runs once for all hosts."""

    rules: t.ClassVar[Json] = {
        "argument_spec": {
            "step": {
                "type": "str",
                "choices": ["begin", "finish", "onboarded", "forget"],
                "required": True,
            },
            "clouds": {"type": "list", "elements": "dict", "default": []},
            "hosts": {"type": "list", "elements": "str", "default": []},
            "run": {"type": "str"},
            "state_dir": {"type": "path"},
            "mode": {"type": "str", "choices": ["check", "apply"], "default": "apply"},
            "quiet_seconds": {"type": "float", "default": _RULES.quiet},
            "longest_wait_seconds": {"type": "float", "default": _RULES.longest_wait},
            "run_seconds": {"type": "float", "default": _RULES.run_seconds},
            "most_heals": {"type": "int", "default": _RULES.most_heals},
            "window_seconds": {"type": "float", "default": _RULES.window},
            "max_clouds": {"type": "int", "default": _RULES.max_clouds},
            "only_onboarded": {"type": "bool", "default": True},
            "paused": {"type": "bool", "default": False},
        },
        "required_if": [("step", "finish", ("run",)), ("step", "onboarded", ("run",))],
    }

    def run_for(self, names: list[str], hostvars: t.Any, arguments: Json) -> Json:
        """Do one step."""
        rules = _rules_of(arguments)
        directory = state_directory(arguments["state_dir"])
        is_check = self._task.check_mode or arguments["mode"] == "check"
        if arguments["step"] == "forget":
            # Who has never named the directory may never have healed anything.
            tell = display.display if arguments["state_dir"] else display.v
            return self._forget(arguments["hosts"], directory, rules, is_check, tell)
        if arguments["step"] == "finish":
            return self._finish(arguments["run"], directory, rules, is_check)
        if arguments["step"] == "onboarded":
            return {} if is_check else _note_onboarded(arguments["run"], hostvars, directory, rules)
        touched = {str(cloud["name"]): cloud["documents"] for cloud in arguments["clouds"]}
        may_heal = set(names)
        if arguments["only_onboarded"]:
            may_heal &= _read(directory, rules).onboarded
        left = [name for name in names if name in touched and name not in may_heal]
        if left:
            display.display(messages.not_onboarded(left, directory))
        of_healed = {name: documents for name, documents in touched.items() if name in may_heal}
        begin: t.Callable[[list[str], Touched, str, Rules], Json] = self._preview
        if not is_check:
            invocation = invocation_of(context.CLIARGS, hostvars["localhost"])
            begin = functools.partial(self._begin, invocation=invocation)
        if arguments["paused"]:
            begin = self._hold_in_check_mode if is_check else self._hold
        found = begin([name for name in names if name in may_heal], of_healed, directory, rules)
        return {**found, "not_onboarded": left}

    @staticmethod
    def _preview(names: list[str], touched: Touched, _directory: str, rules: Rules) -> Json:
        """What the events of a run would have it take, which is not noted."""
        hosts = [name for name in names if name in touched]
        if len(hosts) > rules.max_clouds:
            raise messages.too_many(hosts, rules)
        return {"run": _new_run(_NOTHING_DUE), "hosts": hosts, **_NOTHING}

    @staticmethod
    def _hold(names: list[str], touched: Touched, directory: str, rules: Rules) -> Json:
        """Keep what events say for a run after the pause."""
        with healing_state(directory, rules) as healing:
            _note(healing, touched)
        return _held(names, healing)

    @staticmethod
    def _hold_in_check_mode(
        names: list[str], touched: Touched, directory: str, rules: Rules
    ) -> Json:
        """What such a run would keep."""
        healing = _read(directory, rules)
        _note(healing, touched)
        return _held(names, healing)

    @staticmethod
    def _begin(
        names: list[str], touched: Touched, directory: str, rules: Rules, invocation: Invocation
    ) -> Json:
        """Take the clouds that are due; wait for those that are still changing, or that another run
        has.
        """
        run = _new_run(_NOTHING_DUE)
        with healing_state(directory, rules) as healing:
            failed = healing.failed
            _note(healing, touched)
        taken, claim = _take(run, directory, rules, set(names))
        if claim.too_many:
            raise messages.too_many(_in_order(names, claim.too_many), rules)
        stopped = [one for one in _stopped(claim) if one["cloud"] in touched]
        told = [
            (
                one["cloud"],
                messages.left_as_it_is(one, rules, how_to_onboard([one["cloud"]], invocation)),
            )
            for one in stopped
        ]
        refused = {cloud: message for cloud, message in told if cloud not in taken}
        left = [name for name in touched if name not in taken and name not in refused]
        retried = [name for name in names if name in failed and name in taken]
        if retried:
            display.display(f"Tried again, since a run failed: {summarize_names(retried)}")
        return {
            "run": run,
            "hosts": [name for name in names if name in taken or name in refused],
            "refused": refused,
            "retried": retried,
            "stopped": stopped,
            "left": sorted(left),
            "warnings": [
                *(message for cloud, message in told if cloud in taken),
                *messages.had_by_another_run(sorted(left)),
            ],
        }

    def _finish(self, run: str, directory: str, rules: Rules, is_check: bool) -> Json:
        """Say which clouds had to be changed, and keep those that failed for a later run."""
        outcomes = RunFolder(run).read_outcomes()
        healed = [name for name, outcome in outcomes.items() if outcome.get("changed")]
        done = {name for name, outcome in outcomes.items() if _is_done(outcome)}
        times: dict[str, float] = {}
        if not is_check:
            with healing_state(directory, rules) as healing:
                times = healing.finish(run, healed, done, time.time())
        retries = [{"cloud": name, "at": _time(at)} for name, at in times.items()]
        return {"healed": healed, "retries": retries, "warnings": messages.not_converged(retries)}

    @staticmethod
    def _forget(
        hosts: list[str],
        directory: str,
        rules: Rules,
        is_check: bool,
        tell: t.Callable[[str], object],
    ) -> Json:
        """Let no later run do what is pending of clouds, and no event heal them. What cannot be
        forgotten is said, and keeps no cloud from being offboarded.
        """
        forgotten: list[str] = []
        if is_check or not hosts:
            return {"forgotten": forgotten}
        try:
            if has_state(directory):
                with healing_state(directory, rules) as healing:
                    forgotten = healing.forget(hosts)
        except InputError as error:
            told = f"{error} A run of heal may converge these clouds again."
            return {"forgotten": forgotten, "warnings": [told]}
        tell(messages.forgotten(forgotten, len(hosts), directory))
        return {"forgotten": forgotten}


def _read(directory: str, rules: Rules) -> Healing:
    """The state. Where none is kept yet, nothing is written."""
    if not has_state(directory):
        return Healing(rules=rules)
    with healing_state(directory, rules, keep=False) as healing:
        return healing


def _note(healing: Healing, touched: Touched) -> None:
    for name, documents in touched.items():
        for document in documents:
            healing.note(name, str(document), time.time())


def _held(names: t.Sequence[str], healing: Healing) -> Json:
    """What a run returns for which healing is paused."""
    pending = _in_order(names, healing.pending)
    run = _new_run(messages.paused(pending))
    return {"run": run, "hosts": [], "pending": pending, **_NOTHING}


def _in_order(names: t.Sequence[str], some: t.Iterable[str]) -> list[str]:
    """Some of the clouds, in the order of the play."""
    found = set(some)
    return [name for name in names if name in found]


def _new_run(closing: str) -> str:
    """A run, and what it ends with if it has no clouds."""
    run = new_token()
    RunFolder(run).write("selection", {"none": closing})
    return run


def _note_onboarded(run: str, hostvars: t.Any, directory: str, rules: Rules) -> Json:
    """Let events heal the clouds that a run of onboard has converged, in all their parts. What cannot
    be noted is said, and fails no onboarding.
    """
    folder = RunFolder(run)
    of_run = folder.read("run", {"whole": False})
    if not of_run["whole"]:
        return {}
    outcomes = outcomes_of_run(folder, of_run["left_to_tasks"], hostvars, False)
    converged = [name for name, one in outcomes.items() if one["state"] in (IN_SYNC, CHANGED)]
    if not converged:
        return {}
    try:
        with healing_state(directory, rules) as healing:
            healing.note_onboarded(converged, of_run["began"], time.time())
    except TaskError as error:
        return {
            "warnings": [
                f"{error} No event heals the clouds of this run, until a run of onboard can note them."
            ]
        }
    return {}


def _take(
    run: str, directory: str, rules: Rules, of_play: t.Container[str]
) -> tuple[set[str], Claim]:
    """Take the clouds that are due, and wait for those that are still changing, or that another run
    has: no longer than for the former, since that run may be lost, and events of others wait behind
    this one.
    """
    taken: set[str] = set()
    deadline = time.time() + rules.longest_wait
    while True:
        with healing_state(directory, rules) as healing:
            claim = healing.claim(run, time.time(), of_play)
        taken |= set(claim.clouds)
        if claim.too_many or claim.wait is None or time.time() > deadline:
            return taken, claim
        # What is due need not wait for a run of another cloud.
        if taken and claim.wait > rules.longest_wait:
            return taken, claim
        time.sleep(min(claim.wait, _POLL_SECONDS))


def _rules_of(arguments: Json) -> Rules:
    """The rules. Raises for a value that would heal never, or without end."""
    for name in ("quiet_seconds", "longest_wait_seconds", "run_seconds", "window_seconds"):
        if not 0 <= arguments[name] <= 7 * 24 * 3600:
            raise InputError(
                f"{name} is {arguments[name]}.", "Give a number of seconds, at most a week."
            )
    for name in ("most_heals", "max_clouds"):
        if arguments[name] < 1:
            raise InputError(f"{name} is {arguments[name]}.", "Give a positive number.")
    return Rules(
        arguments["quiet_seconds"],
        arguments["longest_wait_seconds"],
        arguments["run_seconds"],
        arguments["most_heals"],
        arguments["window_seconds"],
        max_clouds=arguments["max_clouds"],
    )


def _stopped(claim: Claim) -> list[Json]:
    return [
        {"cloud": cloud, "document": document, "until": _time(until)}
        for cloud, documents in claim.stopped.items()
        for document, until in documents.items()
    ]


def _is_done(outcome: Json) -> bool:
    """Whether no later run is to take the cloud: it is in sync, or no run of this playbook can
    converge it, as its message says.
    """
    reason = (outcome.get("error") or {}).get("reason")
    return outcome["state"] in (IN_SYNC, CHANGED) or reason == NEEDS_TASKS


def _time(seconds: float) -> str:
    at = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
