# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stdout callback for a fleet: documentation and wiring."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet
type: stdout
short_description: Progress of a fleet of clouds, and a recap by account
version_added: 0.2.0
author:
  - Rayfleet contributors (@rayfleet)
description:
  - Shows the progress of a run in which each host is a cloud and there are many of them.
  - On a terminal, a bar shows how many clouds are done, changed and failed, and the estimated
    remaining time. Failures are shown at once and in full, above the bar.
  - Elsewhere (in CI, in AWX, in a pipe), one line is printed for each cloud that changed, with the
    reasons, one for each cloud that failed, and periodically one with the progress of the run.
  - At the end, a table shows the totals by account, followed by the reasons with the clouds that
    they concern. For a loop, these are the reasons and the messages of its items. In an audit, a
    cloud counts as C(drifted) if a check fails or onboarding would change a document, else as
    C(unknown) if a check is unknown, and as C(not audited) if it could not be audited. A cloud that
    a rollout did not reach because it stopped counts as C(not finished), and one that the fleet file
    does not cover as C(not permitted). An error of the whole run, such as an invalid variable, is
    told as that, and no cloud counts as failed because of it.
  - While P(rayfleet.anyscale.fleet_converge#module), P(rayfleet.anyscale.fleet_audit#module) or
    P(rayfleet.anyscale.fleet_rollback#module) works for all clouds at once, the callback also shows
    the stage of the work. Clouds are counted, and changes and failures are shown, when the task is
    done with the cloud. Clouds that are in sync count as well, although they have no task of their
    own.
  - The callback works with any playbook. Names of plays, messages of
    P(ansible.builtin.debug#module), warnings, deprecations, failed items, retries and, with
    C(--diff), differences are shown as P(ansible.builtin.default#callback) shows them. Results of
    tasks that were skipped, that changed nothing, or that only report a change are not shown.
  - With C(-v) and more, results are shown as P(ansible.builtin.default#callback) shows them.
  - Control characters in the output are escaped, so that names and messages from AWS and Anyscale
    cannot control the terminal.
notes:
  - A cloud's account is the option C(account_id) of a task of this collection, else the variable
    C(cloud_iam_account_id) of the host or of one of its groups in the inventory. Files in
    C(group_vars) and C(host_vars) are not read, because that would take time for each cloud.
  - "The last line has the totals in the format of Ansible's own recap: C(clouds=12 in_sync=1
    changed=11 failed=0 unreachable=0)."
  - While a debugger may start (the keyword C(debugger), or C(ANSIBLE_ENABLE_TASK_DEBUGGER)), there
    is no bar.
requirements:
  - Set as C(stdout_callback) in the configuration.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
options:
  progress:
    description:
      - V(bar) draws a bar at the bottom of the terminal; V(lines) only prints lines.
      - V(auto) draws a bar if the standard output is a terminal that supports it, and neither CI
        (the environment variable C(CI) is set) nor AWX runs the playbook.
    type: str
    choices: [auto, bar, lines]
    default: auto
    env:
      - name: RAYFLEET_PROGRESS
    ini:
      - section: callback_rayfleet_fleet
        key: progress
  heartbeat:
    description:
      - The interval, in seconds, between lines with the progress of the run if there is no bar.
        V(0) disables them.
    type: int
    default: 30
    env:
      - name: RAYFLEET_HEARTBEAT
    ini:
      - section: callback_rayfleet_fleet
        key: heartbeat
"""

EXAMPLES = r"""
ansible.cfg: |
  [defaults]
  stdout_callback = rayfleet.anyscale.fleet

  [callback_rayfleet_fleet]
  heartbeat = 60
"""

import contextlib
import dataclasses
import functools
import os
import re
import sys
import time
import types
import typing as t

from ansible import constants as C, context
from ansible.errors import AnsibleError
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible.playbook.task_include import TaskInclude
from ansible.plugins.callback.default import CallbackModule as DefaultCallback
from ansible.utils.color import stringc

from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_data
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.host_names import (
    UNCOVERED_GROUP,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress import text as texts
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.events import (
    CloudDone,
    StageBegan,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import (
    FeedReader,
    runs_folder,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.state import (
    UNCERTAINTIES,
    Cloud,
    Outcome,
    Progress,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.terminal import (
    Screen,
    Ticker,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import (
    make_report,
    standing_of,
)

_ACCOUNT = "cloud_iam_account_id"
_REGISTERED_ACCOUNT = "anyscale_account_id"
_COLLECTION = "rayfleet.anyscale."
_AUDIT = f"{_COLLECTION}cloud_iam_info"
# Tasks that work for all hosts of a play. The engines report each cloud while they work, and their
# own results are about no host. A later task has the outcome of one cloud as its result.
_SELECTIONS = (f"{_COLLECTION}fleet_selection_info", f"{_COLLECTION}fleet_healing")
_ENGINES = tuple(
    f"{_COLLECTION}{name}" for name in ("fleet_converge", "fleet_audit", "fleet_rollback")
)
_OUTCOME = f"{_COLLECTION}fleet_outcome_info"
# What ansible-core puts before the message of an action.
_TASK_FAILED = "Task failed: "
_REDRAW_SECONDS = 0.1
_WIDTH_OF_LOGS = 160
# Set if a terminal is not interactive: a log would contain every state of the bar.
_NON_INTERACTIVE = ("CI", "AWX_ISOLATED_DATA_DIR")
# Keys of a failed result that its line already expresses, or that are printed separately.
_PRINTED_SEPARATELY = {
    "msg",
    "changed",
    "failed",
    "unreachable",
    "censored",
    "exception",
    "warnings",
    "deprecations",
    "invocation",
    "diff",
}
_COLORS = {
    Outcome.IN_SYNC: C.COLOR_OK,
    Outcome.DRIFTED: C.COLOR_WARN,
    Outcome.UNKNOWN: C.COLOR_WARN,
    Outcome.UNAUDITED: C.COLOR_ERROR,
    Outcome.CHANGED: C.COLOR_CHANGED,
    Outcome.WOULD_CHANGE: C.COLOR_CHANGED,
    Outcome.FAILED: C.COLOR_ERROR,
    Outcome.UNREACHABLE: C.COLOR_UNREACHABLE,
    Outcome.UNFINISHED: C.COLOR_WARN,
    Outcome.NOT_PERMITTED: C.COLOR_WARN,
}


@dataclasses.dataclass
class _Items:
    """The results of the items of a host's loop: for each change whether it is only predicted, and
    its reasons; and the messages of failed items.
    """

    changes: list[tuple[bool, list[str]]] = dataclasses.field(default_factory=list)
    messages: list[str] = dataclasses.field(default_factory=list)


class CallbackModule(DefaultCallback):
    """Ansible's default output, with less for each host and more for all of them."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "rayfleet.anyscale.fleet"

    def __init__(self) -> None:
        super().__init__()
        self._progress = Progress()
        self._ticker: Ticker | None = None
        self._engine: Ticker | None = None
        self._bar = False
        self._check = False
        self._noun = "hosts"
        self._items: dict[tuple[str, str], _Items] = {}

    # Plays

    def v2_playbook_on_start(self, playbook: t.Any) -> None:
        """Decide how to show the run. With several playbooks, each is a run."""
        self._progress = Progress()
        # Creates the screen, so that the following output is already escaped.
        self._screen.erase()
        self._check = bool(context.CLIARGS["check"])
        wanted = self._setting("progress", "auto")
        self._bar = not C.ENABLE_TASK_DEBUGGER and (
            wanted == "bar" or (wanted == "auto" and _is_interactive())
        )
        super().v2_playbook_on_start(playbook)

    def v2_playbook_on_play_start(self, play: Play) -> None:
        """Print the remaining changes of the previous play, and begin the next one."""
        self._print_changes(self._progress.unreported())
        super().v2_playbook_on_play_start(play)
        accounts = {host.name: _account(host) for host in _hosts(play)}
        self._progress.begin(accounts, _steps(play), time.monotonic())
        self._noun = texts.noun(self._progress)
        seconds = _REDRAW_SECONDS if self._bar else self._setting("heartbeat", 30)
        if self._ticker is None and seconds > 0:
            self._ticker = Ticker(self._tick, seconds)

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        """Record that the play ends early."""
        self._progress.stop()
        super().v2_playbook_on_no_hosts_remaining()

    def v2_playbook_on_stats(self, stats: t.Any) -> None:
        """Print the recap."""
        self._end_engine()
        self._print_changes(self._progress.unreported())
        self._stop_ticking()
        self._progress.settle({*stats.failures, *stats.dark})
        if self._display.verbosity:
            super().v2_playbook_on_stats(stats)
        else:  # without the line of each host
            super().v2_playbook_on_stats(types.SimpleNamespace(processed={}, custom=stats.custom))
        width = self._screen.width if self._bar else _WIDTH_OF_LOGS
        for line in texts.recap(self._progress, self._noun, self._check, width):
            self._display.display(_colored(line))

    # Tasks

    def _task_start(self, task: Task, prefix: str | None = None) -> None:
        """Keep the task's name, which is printed before the first line that is printed for it."""
        self._progress.task = _title(task)
        if _action(task) in _ENGINES:
            self._start_engine()
        if task.debugger:
            self._stop_ticking()
            self._bar = False
        if self._display.verbosity:
            super()._task_start(task, prefix)
        else:
            self._task_type_cache[task._uuid] = prefix or "TASK"
            # With these strategies, a result may belong to another task than the last one started.
            is_free = self._play.strategy.rpartition(".")[2] in ("free", "host_pinned")
            self._last_task_name = None if is_free else task.get_name().strip()

    def v2_runner_on_ok(self, result: t.Any) -> None:
        """Show the result if necessary, and count it."""
        self._end_engine_of(result)
        if self._is_counted(result) and result.is_changed() and not _is_loop(result.task):
            self._progress.change(
                result.host.get_name(), _reasons(result), bool(result.task.check_mode)
            )
        self._finish_items(result)
        self._record(result)
        if self._shows(result):
            super().v2_runner_on_ok(result)
        else:
            self._handle_warnings_and_exception(result)
        self._task_finished(result)

    def v2_runner_on_skipped(self, result: t.Any) -> None:
        """Count the task."""
        self._end_engine_of(result)
        if self._display.verbosity:
            super().v2_runner_on_skipped(result)
        else:
            self._handle_warnings_and_exception(result)
        self._task_finished(result, was_skipped=True)

    def v2_runner_on_failed(self, result: t.Any, ignore_errors: bool = False) -> None:
        """Show the failure at once."""
        self._end_engine_of(result)
        cloud = self._progress.clouds.get(result.host.get_name())
        # The engine has reported it.
        is_shown = bool(_action(result.task) == _OUTCOME and cloud and cloud.message)
        message = self._finish_items(result) or _message(result)
        if _is_of_whole_run(result.task) and not ignore_errors:
            self._fail_run(result, message)
            return
        if not ignore_errors:
            self._record(result)
            self._progress.fail(result.host.get_name(), message)
        elif _action(result.task) == _AUDIT:
            self._progress.audit_failed(result.host.get_name())
        if self._display.verbosity:
            super().v2_runner_on_failed(result, ignore_errors)
        elif is_shown:
            self._handle_warnings(result.result)
        else:
            self._print_failure(result, message, ignored=ignore_errors)

    def v2_runner_on_unreachable(self, result: t.Any) -> None:
        """Show the failure at once."""
        self._end_engine_of(result)
        message = self._finish_items(result) or _message(result)
        if not result.task.ignore_unreachable:
            self._record(result)
            self._progress.fail(result.host.get_name(), message, unreachable=True)
        if self._display.verbosity:
            super().v2_runner_on_unreachable(result)
        else:
            self._print_failure(
                result, message, ignored=bool(result.task.ignore_unreachable), unreachable=True
            )

    def v2_runner_item_on_ok(self, result: t.Any) -> None:
        """Show the item's result if necessary, and keep its change."""
        if self._is_counted(result) and result.is_changed():
            # The keywords of an item's task are templated, such as a check mode from a variable.
            # Those of the task of the whole loop are not.
            self._items_of(result).changes.append((bool(result.task.check_mode), _reasons(result)))
        if self._shows(result):
            super().v2_runner_item_on_ok(result)
        else:
            self._handle_warnings_and_exception(result)

    def v2_runner_item_on_failed(self, result: t.Any) -> None:
        """Keep the message: the result of the loop only says that an item failed."""
        if result.result.get("msg"):
            self._items_of(result).messages.append(str(result.result["msg"]).strip())
        if self._display.verbosity or not _is_of_whole_run(result.task):
            super().v2_runner_item_on_failed(result)
        else:  # with the whole loop, which is a detail of the playbook
            self._handle_failure(result)

    def v2_runner_item_on_skipped(self, result: t.Any) -> None:
        """Show only warnings."""
        if self._display.verbosity:
            super().v2_runner_item_on_skipped(result)
        else:
            self._handle_warnings_and_exception(result)

    def v2_playbook_on_include(self, included_file: t.Any) -> None:
        """Show nothing, because the line would contain the name of every host."""
        if self._display.verbosity:
            super().v2_playbook_on_include(included_file)

    def v2_on_file_diff(self, result: t.Any) -> None:
        """Escape the diff before Ansible adds colors to each line."""
        for part in (result.result, *(result.result.get("results") or ())):
            if isinstance(part, dict) and part.get("diff"):
                part["diff"] = escape_data(part["diff"])
        super().v2_on_file_diff(result)

    def _handle_exception(self, result: t.Any, use_stderr: bool = False) -> None:
        """Remove the exception of a censored result. It contains the message, which Ansible would
        show although the result is hidden.
        """
        if "censored" in result:
            result.pop("exception", None)
        super()._handle_exception(result, use_stderr)

    # Shared by the methods above

    @functools.cached_property
    def _screen(self) -> Screen:
        """Created at its first use, because Ansible also instantiates callbacks that it does not
        use.
        """
        return Screen(self._display)

    def _setting(self, name: str, default: t.Any) -> t.Any:
        """An option of this plugin. AWX derives its own plugin from it, which has no options."""
        return self.get_option(name) if self.has_option(name) else default

    @functools.cached_property
    def _feeds(self) -> FeedReader:
        return FeedReader(runs_folder())

    def _start_engine(self) -> None:
        """Read what the engine reports until its result is there."""
        self._noun = "clouds"
        self._progress.start_engine()
        self._feeds.announce()
        self._engine = self._engine or Ticker(self._read_reports, _REDRAW_SECONDS)

    def _end_engine_of(self, result: t.Any) -> None:
        if _action(result.task) in _ENGINES:
            self._end_engine()

    def _end_engine(self) -> None:
        if self._engine:
            self._engine.stop()
            self._engine = None
            self._read_reports()
            self._progress.end_engine()

    def _read_reports(self) -> None:
        """Count the clouds that the engine has reported, and print changes and failures."""
        with self._screen.lock:
            for event in self._feeds.poll():
                if isinstance(event, StageBegan):
                    self._progress.begin_stage(event, time.monotonic())
                else:
                    self._show_report(event)

    def _show_report(self, event: CloudDone) -> None:
        cloud = self._progress.report(event)
        if cloud and event.result == "failed" and not self._display.verbosity:
            stage = self._progress.engine_stage
            line = texts.failed_line(cloud, stage.name if stage else "", event.message)
            to_stderr = self.get_option("display_failed_stderr")
            self._display.display(line, color=C.COLOR_ERROR, stderr=to_stderr)
            self._screen.flush()
        elif cloud and cloud.unreported:
            self._print_changes([cloud])

    def _is_counted(self, result: t.Any) -> bool:
        """Whether the host's change is not known yet. A report of an engine also says whether the
        change is predicted, which the task that returns the outcome later does not.
        """
        action = _action(result.task)
        cloud = self._progress.clouds.get(result.host.get_name())
        return action not in _ENGINES and not (action == _OUTCOME and cloud and cloud.reported)

    def _tick(self) -> None:
        now = time.monotonic()
        if self._bar:
            self._screen.draw(
                _colored(
                    texts.bar_line(self._progress, self._noun, self._check, self._screen.width, now)
                )
            )
        elif self._progress.clouds:
            self._display.display(texts.heartbeat(self._progress, self._noun, self._check, now))
            self._screen.flush()

    def _stop_ticking(self) -> None:
        if self._ticker:
            self._ticker.stop()
            self._ticker = None
        self._screen.erase()

    def _shows(self, result: t.Any) -> bool:
        """Whether the default callback is to show a successful result."""
        found = result.result
        has_diff = bool(result.task.diff and found.get("changed") and found.get("diff"))
        return bool(self._display.verbosity or has_diff or found.get("_ansible_verbose_always"))

    def _record(self, result: t.Any) -> None:
        """Record what the result of a task of this collection contains besides its outcome."""
        action = _action(result.task)
        if not action.startswith(_COLLECTION):
            return
        cloud = self._progress.clouds.get(result.host.get_name())
        if cloud and not cloud.account:
            cloud.account = _as_account(result.task.args.get("account_id"))
        checks = result.result.get("checks")
        if action == _AUDIT and isinstance(checks, list):
            self._record_audit(result)
        hosts = result.result.get("hosts")
        if action in _SELECTIONS and isinstance(hosts, list):
            self._noun = "clouds"
            self._progress.select(set(hosts))
            self._leave_unpermitted(result.result.get("not_permitted") or ())

    def _record_audit(self, result: t.Any) -> None:
        """Count a cloud that a task of its own has audited as the report does."""
        name = result.host.get_name()
        groups = {group.name for group in result.host.get_groups()}
        strangers = [name] if UNCOVERED_GROUP in groups else []
        report = make_report([(name, result.result)], "", "", not_permitted=strangers)
        standing, drift = standing_of(report["clouds"][0])
        self._progress.find(name, drift, UNCERTAINTIES.get(standing))

    def _leave_unpermitted(self, names: t.Collection[str]) -> None:
        if names:
            inventory = self._play.get_variable_manager()._inventory
            found = {name: inventory.get_host(name) for name in names}
            self._progress.leave_unpermitted(
                {
                    name: _as_account(host.vars.get(_REGISTERED_ACCOUNT)) if host else ""
                    for name, host in found.items()
                }
            )

    def _items_of(self, result: t.Any) -> _Items:
        return self._items.setdefault(_key(result), _Items())

    def _finish_items(self, result: t.Any) -> str:
        """Count the changes of the items of a finished task's loop, if it has one. Returns the
        messages of failed items.
        """
        items = self._items.pop(_key(result), _Items())
        for predicted, reasons in items.changes:
            self._progress.change(result.host.get_name(), reasons, predicted)
        return " ".join(dict.fromkeys(items.messages))

    def _task_finished(self, result: t.Any, was_skipped: bool = False) -> None:
        name = result.host.get_name()
        if (
            not _is_about_no_cloud(result.task)
            and self._progress.task_finished(name, result.task._uuid, not was_skipped)
            and self._progress.clouds[name].unreported
        ):
            self._print_changes([self._progress.clouds[name]])

    def _print_changes(self, clouds: t.Iterable[Cloud]) -> None:
        """Print a line for each cloud that changed, unless there is a bar that counts them."""
        for cloud in clouds:
            if not self._bar and not self._display.verbosity:
                self._display.display(texts.changed_line(cloud), color=C.COLOR_CHANGED)
                self._screen.flush()
            cloud.unreported = []

    def _fail_run(self, result: t.Any, message: str) -> None:
        """Show a failure that is of no cloud."""
        host = result.host.get_name()
        line = self._progress.fail_run(host, message.removeprefix(_TASK_FAILED))
        if self._display.verbosity:
            super().v2_runner_on_failed(result)
            return
        if not _is_loop(result.task):
            self._handle_failure(result)
        to_stderr = self.get_option("display_failed_stderr")
        self._display.display(line, color=C.COLOR_ERROR, stderr=to_stderr)
        self._screen.flush()

    def _handle_failure(self, result: t.Any) -> None:
        """Show the warnings of a failure, and Ansible's traceback if it adds information."""
        if _is_explained(result):
            self._handle_warnings(result.result)
        else:
            self._handle_warnings_and_exception(result)

    def _print_failure(
        self, result: t.Any, message: str, ignored: bool, unreachable: bool = False
    ) -> None:
        """Print one line with the whole message."""
        found = result.result
        self._handle_failure(result)
        self._clean_results(found, result.task.action)
        if _is_loop(result.task) and "results" in found:
            self._process_items(result)
        to_stderr = self.get_option("display_failed_stderr")
        if self.get_option("show_task_path_on_failure"):
            self._print_task_path(result.task)
        cloud = self._progress.clouds.get(result.host.get_name()) or Cloud(result.host.get_name())
        line = texts.failed_line(cloud, _title(result.task), message, unreachable)
        rest = {
            key: value
            for key, value in found.items()
            if key not in _PRINTED_SEPARATELY and not key.startswith("_")
        }
        if rest:
            line = f"{line} => {self._dump_results(rest)}"
        self._display.display(
            line, color=C.COLOR_UNREACHABLE if unreachable else C.COLOR_ERROR, stderr=to_stderr
        )
        if ignored:
            self._display.display("...ignoring", color=C.COLOR_SKIP)
        self._screen.flush()


def _is_interactive() -> bool:
    return (
        sys.stdout.isatty()
        and os.environ.get("TERM", "dumb") != "dumb"
        and not any(os.environ.get(name) for name in _NON_INTERACTIVE)
    )


def _hosts(play: Play) -> list[t.Any]:
    """The hosts of the play. Ansible makes the same call next, which the inventory caches."""
    return play.get_variable_manager()._inventory.get_hosts(play.hosts)


def _steps(play: Play) -> list[str]:
    """The IDs of the play's tasks, as far as they are known beforehand. After an include at the
    end, the number of tasks is unknown.
    """
    blocks = play.compile()
    with contextlib.suppress(AnsibleError):  # tags with variables: keep all tasks, the maximum
        blocks = [block.filter_tagged_tasks({}) for block in blocks]
    tasks = [
        task for block in blocks for task in block.get_tasks() if task.action not in C._ACTION_META
    ]
    is_open = bool(tasks) and isinstance(tasks[-1], TaskInclude)
    return [task._uuid for task in tasks] + [""] * is_open


def _account(host: t.Any) -> str:
    """The account in the inventory for a host, or for the closest of its groups."""
    if _ACCOUNT in host.vars:
        return _as_account(host.vars[_ACCOUNT])
    groups = [group for group in host.get_groups() if _ACCOUNT in group.vars]
    return (
        _as_account(max(groups, key=lambda group: (group.depth, group.priority)).vars[_ACCOUNT])
        if groups
        else ""
    )


def _as_account(value: t.Any) -> str:
    """An account ID, or an empty string for any other value, such as a template."""
    return str(value) if re.fullmatch(r"[0-9]{12}", str(value)) else ""


def _reasons(result: t.Any) -> list[str]:
    """The reasons for a change: those in the result, else the name of the task."""
    reasons = result.result.get("reasons")
    return (
        [str(reason) for reason in reasons]
        if isinstance(reasons, list) and reasons
        else [_title(result.task)]
    )


def _action(task: Task) -> str:
    """The action of a task, by its fully qualified name if that is known."""
    return str(task.resolved_action or task.action)


def _is_of_whole_run(task: Task) -> bool:
    """Whether a task works for all clouds at once, so that its failure is that of no cloud."""
    return bool(task.run_once) and _action(task).startswith(_COLLECTION)


def _is_about_no_cloud(task: Task) -> bool:
    """Whether a task says nothing about the cloud that it runs on: it runs once for all, or returns
    what the engine has reported, also of a cloud that only stands by.
    """
    return bool(task.run_once) or _action(task) == _OUTCOME


def _title(task: Task) -> str:
    """The name of a task, without the name of its role."""
    return str(task.name or task.get_name()).strip()


def _key(result: t.Any) -> tuple[str, str]:
    """The host and the task of a result, or of the result of an item."""
    return result.host.get_name(), result.task._uuid


def _is_loop(task: Task) -> bool:
    return task.loop is not None or bool(task.loop_with)


def _message(result: t.Any) -> str:
    found = result.result
    return str(found.get("msg") or found.get("censored") or "it gave no message")


def _is_explained(result: t.Any) -> bool:
    """Whether the message is sufficient: errors of this collection contain the fix."""
    event = getattr(result.exception, "event", None)
    is_ours = str(result.task.resolved_action or "").startswith(_COLLECTION)
    return is_ours and not getattr(event, "formatted_traceback", None)


def _colored(line: texts.Line) -> str:
    return "".join(stringc(text, _COLORS[outcome]) if outcome else text for text, outcome in line)
