# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stdout callback, as people see it: in a pipe, and on a terminal, with playbooks of any kind
and with the collection's own.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import termios
import textwrap
import time
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.fit import (
    display_width,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import BROKEN_CLOUD, FLEET, Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    LAMBDA,
    PARTNER,
    policy,
    put_trust,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    BIN,
    Run,
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import LONG, few_of
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

CALLBACK = "rayfleet.anyscale.fleet"
ACCOUNTS = {"vision": "111111111111", "speech": "222222222222"}
WIDTH = 100
DIFF = {"before": "old\n", "after": "new\n"}
_DEPRECATION = {"msg": "use another", "version": "9.9", "collection_name": "a.b"}
_KEYWORDS = {"check_mode", "delay", "ignore_errors", "loop", "no_log", "retries", "until"}
ERASE = "\r\x1b[K"
Json = dict[str, t.Any]

# An action that returns what its arguments say, and does what else a worker process may do.
_ACTION = """
import time
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        arguments = dict(self._task.args)
        time.sleep(float(arguments.pop("seconds", 0)))
        if "warning" in arguments:
            Display().warning(arguments.pop("warning"))
        if "unreachable" in arguments:
            raise AnsibleConnectionFailure(arguments["unreachable"])
        return {"changed": False, **arguments}
"""

# An action that reports clouds as an engine does, and returns something else.
_ENGINE = """
import threading
import time
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import (
    Feed, runs_folder
)


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        folder = runs_folder() / "run"
        folder.mkdir(parents=True, exist_ok=True)
        with Feed(folder, Display().display, heartbeat=1) as feed:
            thread = threading.Thread(target=self._report, args=(feed,))
            thread.start()
            thread.join()
        return dict(self._task.args["result"])

    def _report(self, feed):
        for event in self._task.args["reports"]:
            if "stage" in event:
                feed.stage(event["stage"], event["clouds"])
            elif "seconds" in event:
                time.sleep(event["seconds"])
            else:
                feed.done(**event)
"""

_ENGINES = {"fleet_converge": _ENGINE, "fleet_audit": _ENGINE, "fleet_outcome_info": _ACTION}
_REAL_ACTIONS = [ROOT / "plugins/action/fleet_selection_info.py"]

# As a plugin that takes over from another one, which AWX does: of the other one's options it has
# only Ansible's own.
_DERIVED = """
from ansible.plugins.loader import callback_loader

DOCUMENTATION = '''
name: derived
type: stdout
short_description: As another
description: As another.
extends_documentation_fragment: [default_callback]
'''


class CallbackModule(callback_loader.get("rayfleet.anyscale.fleet").__class__):
    CALLBACK_NAME = "derived"
"""


class Shown(t.NamedTuple):
    """What a run wrote, and how it ended. On a terminal both streams are one."""

    status: int
    output: str
    errors: str = ""

    @property
    def lines(self) -> list[str]:
        """What is left to read on the terminal."""
        return _left_on_screen(self.output)

    @property
    def bars(self) -> list[str]:
        """Every state of the bottom line, without colours."""
        drawn = [
            part.partition("\r")[0].partition("\n")[0] for part in self.output.split(ERASE)[1:]
        ]
        return [
            line
            for line in (re.sub(r"\x1b\[[0-9;]*m", "", part) for part in drawn)
            if re.search(r"\d+ of \d+", line)
        ]


class Stage:
    """A folder with an inventory and a playbook, and how to run it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for kind, name, content in (("action", "does", _ACTION), ("callback", "derived", _DERIVED)):
            (folder / f"{kind}_plugins").mkdir()
            (folder / f"{kind}_plugins/{name}.py").write_text(content)
        self.inventory(
            {name: {"cloud_iam_account_id": account} for name, account in ACCOUNTS.items()}
        )

    def inventory(self, hosts: t.Mapping[str, Json], **variables: t.Any) -> None:
        """The hosts with their variables, and those that all have."""
        common = {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            **variables,
        }
        (self.folder / "hosts.yml").write_text(
            yaml.safe_dump({"all": {"hosts": dict(hosts), "vars": common}})
        )

    def fleet(self, reports: list[Json], *plays: Json, **engine: t.Any) -> Stage:
        """A play in which an engine reports the selected clouds, and other plays after it."""
        self._replace_engines()
        selection = {"clouds": ["in-sync", "vision", "speech", "own"]}
        work = {
            "name": "Converge clouds",
            "rayfleet.anyscale.fleet_converge": {
                "reports": "{{ item }}",
                "result": engine.pop("result", {"changed": True}),
            },
            "loop": [reports],
            "run_once": True,
            **engine,
        }
        select = {
            "name": "Select clouds",
            "rayfleet.anyscale.fleet_selection_info": selection,
            "run_once": True,
        }
        common = {"gather_facts": False}
        whole = [{"name": "Work", "hosts": "all", "tasks": [select, work]}, *plays]
        (self.folder / "play.yml").write_text(yaml.safe_dump([common | play for play in whole]))
        hosts = ("other", "in-sync", "vision", "speech", "own")
        self.inventory({name: {"cloud_iam_account_id": "111111111111"} for name in hosts})
        return self

    def _replace_engines(self) -> None:
        """Beside the playbook, a collection with the actions of this file and the real plugins."""
        copy = self.folder / "collections/ansible_collections/rayfleet/anyscale"
        (copy / "plugins/action").mkdir(parents=True)
        for path in (ROOT / "meta", *(ROOT / "plugins").iterdir(), *_REAL_ACTIONS):
            if path.name != "action":
                (copy / path.relative_to(ROOT)).symlink_to(path)
        for name, content in _ENGINES.items():
            (copy / f"plugins/action/{name}.py").write_text(content)

    def playbook(self, *tasks: Json, **play: t.Any) -> Stage:
        """One play, with these tasks."""
        return self.plays([list(tasks)], **play)

    def plays(self, plays: list[list[Json]], **play: t.Any) -> Stage:
        """A play for each list of tasks."""
        common = {"name": "Work", "hosts": "all", "gather_facts": False, **play}
        whole = [{**common, "tasks": tasks} for tasks in plays]
        (self.folder / "play.yml").write_text(yaml.safe_dump(whole))
        return self

    def in_pipe(self, *arguments: str, **variables: str) -> Shown:
        """Run it without a terminal."""
        command, environment = self._command(arguments, variables)
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        return Shown(done.returncode, done.stdout, done.stderr)

    def on_terminal(
        self,
        *arguments: str,
        keys: str = "",
        interrupt: str = "",
        width: int = WIDTH,
        **variables: str,
    ) -> Shown:
        """Run it for a person, who types ``keys`` when there is a question, and interrupts once a
        text is there.
        """
        command, environment = self._command(arguments, {"TERM": "xterm-256color", **variables})
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(self.folder)
            os.execve(command[0], command, environment)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
        output = b""
        while some := _read(terminal):
            output += some
            if keys and b"? :" in output:
                time.sleep(0.5)
                os.write(terminal, keys.encode())
                keys = ""
            if interrupt and interrupt.encode() in output:
                os.kill(child, signal.SIGINT)
                interrupt = ""
        os.close(terminal)
        return Shown(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), output.decode())

    def _command(
        self, arguments: t.Sequence[str], variables: t.Mapping[str, str]
    ) -> tuple[list[str], dict[str, str]]:
        environment = {
            "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.folder),
            "ANSIBLE_HOME": str(self.folder / "home"),
            "LC_ALL": "C.UTF-8",
            "ANSIBLE_STDOUT_CALLBACK": CALLBACK,
            **variables,
        }
        return [
            str(BIN / "ansible-playbook"),
            "-i",
            "hosts.yml",
            "play.yml",
            *arguments,
        ], environment


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # how a pseudo-terminal says that all is said
        return b""


def _left_on_screen(output: str) -> list[str]:
    """The lines that a terminal would show. Whatever moves the cursor in a way that the callback
    does not use is an error.
    """
    lines, column = [""], 0
    for token in re.findall(r"\x1b\[[0-9;]*m|\x1b\[K|.", output, re.DOTALL):
        if token == "\r":
            column = 0
        elif token == "\n":
            lines.append("")
            column = 0
        elif token == "\x1b[K":
            lines[-1] = lines[-1][:column]
        elif not token.startswith("\x1b["):
            assert token.isprintable(), f"{token!r} got through"
            lines[-1] = lines[-1][:column] + token + lines[-1][column + 1 :]
            column += 1
    return lines


def does(name: str, on: str | None = None, **options: t.Any) -> Json:
    """A task that returns these options as its result, for one host or all; those that are keywords
    of tasks are that.
    """
    keywords = {option: options.pop(option) for option in _KEYWORDS & set(options)}
    only = {"when": f"inventory_hostname == '{on}'"} if on else {}
    return {"name": name, "does": options, **only, **keywords}


ON_VISION = {"when": "inventory_hostname == 'vision'"}


def _debug(message: str) -> Json:
    return {"name": "Say", "ansible.builtin.debug": {"msg": message}}


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """Two clouds of two accounts."""
    return Stage(tmp_path)


CHANGE = does("Converge", on="vision", changed=True, reasons=["access_missing"])
_ROLE = "arn:aws:iam::222222222222:role/speech"
_NO_BUCKET = {"bucket": "", "account_id": "222222222222", "region": "us-west-2", "roles": [_ROLE]}
NO_BUCKET = {"name": "Give the bucket", "rayfleet.anyscale.s3_cloud_access": _NO_BUCKET}
REMEDY = (
    "failed: speech (account 222222222222), Give the bucket: bucket is empty. Set it, or omit it."
)
WAIT = does("Wait", seconds=0.6)


@pytest.mark.core
def test_a_log_has_a_line_for_each_cloud_that_changed_or_failed(stage: Stage) -> None:
    """Nothing for those in sync, and nothing that only a terminal understands."""
    shown = stage.playbook(
        {**NO_BUCKET, "when": "inventory_hostname == 'speech'"}, CHANGE
    ).in_pipe()
    assert re.sub(r"\*+", "*", shown.output).splitlines() == [
        "",
        "PLAY [Work] *",
        REMEDY,
        "changed: vision (account 111111111111): access_missing",
        "",
        "PLAY RECAP *",
        "",
        "account       clouds  in sync  changed   failed  unreachable",
        "111111111111       1        0        1        0            0",
        "222222222222       1        0        0        1            0",
        "all                2        0        1        1            0",
        "",
        "reasons for changes:",
        "     1  access_missing: vision",
        "",
        "failures:",
        "     1  bucket is empty. Set it, or omit it.: speech",
        "",
        "clouds=2 in_sync=0 changed=1 failed=1 unreachable=0",
    ]
    assert shown.errors == ""
    assert shown.status == 2


def test_check_mode_is_named(stage: Stage) -> None:
    """Nothing is said to have changed."""
    shown = stage.playbook(CHANGE).in_pipe("--check")
    assert "would change: vision (account 111111111111): access_missing" in shown.output
    assert "clouds=2 in_sync=1 changed=0 would_change=1 failed=0 unreachable=0" in shown.output


@pytest.mark.core
@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        pytest.param(
            "{{ false }}",
            "clouds=2 in_sync=0 changed=2 failed=0 unreachable=0",
            id="for real",
            marks=LONG,
        ),
        pytest.param(
            "{{ true }}",
            "clouds=2 in_sync=0 changed=0 would_change=2 failed=0 unreachable=0",
            id="check mode",
        ),
        pytest.param(
            "{{ inventory_hostname == 'speech' }}",
            "changed=1 would_change=1",
            id="of one cloud",
            marks=LONG,
        ),
        pytest.param(
            "{{ item == 'role' }}",
            "clouds=2 in_sync=0 changed=2 failed=0 unreachable=0",
            id="of one item",
        ),
    ],
)
def test_check_mode_of_a_looped_task_is_what_its_items_came_to(
    stage: Stage, checks: str, expected: str
) -> None:
    """A task of a loop still has its keywords as they are written; only those of its items are
    evaluated.
    """
    task = does(
        "Work",
        loop=["role", "bucket"],
        changed=True,
        reasons=["{{ item }}_differs"],
        check_mode=checks,
    )
    shown = stage.playbook(task).in_pipe()
    assert expected in shown.output
    assert ("reasons for changes:" in shown.output) == (" changed=0 " not in shown.output)
    assert ("reasons for predicted changes:" in shown.output) == ("would_change=" in shown.output)


@pytest.mark.core
def test_a_loop_reports_the_reasons_and_the_messages_of_its_items(stage: Stage) -> None:
    """Once each, also of those that changed something before another one failed; the task is the
    reason of an item without one.
    """
    items = [
        {"name": "role", "why": "role_differs"},
        {"name": "bucket", "why": "role_differs"},
        {"name": "bad"},
        {"name": "worse"},
    ]
    task = does(
        "Put back",
        on="vision",
        loop=items,
        changed="{{ 'why' in item }}",
        reasons="{{ [item.why] if 'why' in item else [] }}",
        failed="{{ 'why' not in item }}",
        msg="{{ item.name }} could not be read.",
    )
    shown = stage.playbook(
        task, does("Install", on="speech", loop=["a", "b"], changed=True)
    ).in_pipe()
    recap = shown.output.partition("reasons for changes:\n")[2]
    assert "     1  Install: speech\n     1  role_differs: vision\n" in recap
    assert "     1  bad could not be read. worse could not be read.: vision\n" in recap
    assert (
        "failed: vision (account 111111111111), Put back: bad could not be read. worse could "
        "not "
        "be read.\n"
    ) in shown.output
    assert "One or more items failed" not in shown.output
    assert "clouds=2 in_sync=0 changed=1 failed=1 unreachable=0" in shown.output


@pytest.mark.core
def test_items_that_are_hidden_stay_hidden(stage: Stage) -> None:
    """Their task's title is the reason then, and that something is hidden the message."""
    tasks = [
        does("Change", loop=["s3cret"], no_log=True, changed=True, reasons=["{{ item }}"]),
        does("Fail", loop=["s3cret"], no_log=True, failed=True, msg="{{ item }}"),
    ]
    shown = stage.playbook(*tasks).in_pipe()
    assert "s3cret" not in shown.output + shown.errors
    assert (
        "     2  Change: vision, speech\n" in shown.output
        or "     2  Change: speech, vision\n" in shown.output
    )


def test_a_playbook_of_another_kind_is_about_hosts(stage: Stage) -> None:
    """The tasks are the reasons."""
    stage.inventory({"web1": {}, "web2": {}})
    shown = stage.playbook(
        does("Install", changed=True), does("Start {{ item }}", on="web1", changed=True)
    ).in_pipe()
    assert "changed: web2: Install\n" in shown.output
    assert "unknown       2        0        2" in shown.output
    assert "hosts=2 in_sync=0 changed=2" in shown.output


# What people need to see of a task of the first cloud.
NEEDED: dict[str, tuple[Json, str]] = {
    "debug": (_debug("hello {{ inventory_hostname }}"), "hello vision"),
    "debug in a loop": ({**_debug("hello {{ item }}"), "loop": ["you", "them"]}, "hello them"),
    "a warning in a result": (
        does("Warn", on="vision", warnings=["careful with this"]),
        "careful with this",
    ),
    "a warning of a worker": (
        does("Warn", on="vision", warning="careful in general"),
        "careful in general",
    ),
    "a deprecation": (does("Warn", on="vision", deprecations=[_DEPRECATION]), "use another"),
    "a warning of what was skipped": (
        does("Warn", on="vision", skipped=True, warnings=["careful"]),
        "[WARNING]: careful",
    ),
    "all that a failed result holds": (
        does("Try", on="vision", failed=True, msg="first item", rc=7),
        '"rc": 7',
    ),
    "a failed item": (
        does("Try {{ item }}", on="vision", loop=["one", "two"], failed=True, msg="no"),
        "(item=two)",
    ),
    "a failure to ignore": (
        does("Try", on="vision", ignore_errors=True, failed=True, msg="no"),
        "Try: no\n...ignoring",
    ),
    "a retry": (
        does("Try", on="vision", retries=1, delay=0, until=False),
        "FAILED - RETRYING: [vision]: Try (",
    ),
    "a name that is not defined": (
        does("Try {{ nothing }}", on="vision"),
        "'nothing' is undefined",
    ),
    "where an error comes from": ({**_debug("{{ nothing }}"), **ON_VISION}, "Origin: "),
    "a host that is not there": (
        does("Reach", on="vision", unreachable="no route"),
        "unreachable: vision (account 111111111111), Reach: ",
    ),
    "differences, if they are wanted": (
        does("Show", on="vision", changed=True, diff=DIFF),
        "+new\n\nchanged: [",
    ),
}


@pytest.mark.core
def test_nothing_is_hidden_that_people_need(stage: Stage) -> None:
    """At no verbosity at all. A play for each, in which the other cloud forgives the failure."""
    forgive = {"name": "Forgive", "ansible.builtin.meta": "clear_host_errors"}
    stage.plays([[task, forgive] for task, _words in NEEDED.values()])
    shown = stage.in_pipe("--diff")
    assert "PLAY [Work]" in shown.output
    everything = shown.output + shown.errors
    assert {case for case, (_task, words) in NEEDED.items() if words not in everything} == set()
    assert "Callback dispatch" not in shown.errors


@pytest.mark.core
@pytest.mark.parametrize(
    "tasks",
    [
        pytest.param([does("Work")], id="in sync", marks=LONG),
        pytest.param([CHANGE], id="changed", marks=LONG),
        pytest.param([does("Work", on="speech", failed=True, msg="no")], id="failed"),
        pytest.param(
            [does("Work", on="speech", unreachable="no route")], id="unreachable", marks=LONG
        ),
        pytest.param(
            [does("Work", ignore_errors=True, failed=True, msg="no")],
            id="failed, ignored",
            marks=LONG,
        ),
        pytest.param(
            [{"block": [does("Work", failed=True, msg="no")], "rescue": [does("Fix")]}],
            id="failed, rescued",
            marks=LONG,
        ),
    ],
)
def test_the_exit_status_is_ansibles(stage: Stage, tasks: list[Json]) -> None:
    """The same as with the default callback, for any outcome."""
    stage.playbook(*tasks)
    assert stage.in_pipe().status == stage.in_pipe(ANSIBLE_STDOUT_CALLBACK="default").status


@pytest.mark.core
@pytest.mark.parametrize(
    "arguments", few_of([["-v"], ["-vvv"], ["-v", "--diff"]], ["-v", "--diff"]), ids=" ".join
)
def test_with_v_all_is_shown_as_ansible_shows_it(stage: Stage, arguments: list[str]) -> None:
    """The table comes after Ansible's own recap."""
    stage.playbook(
        CHANGE,
        does("Show", changed=True, diff=DIFF),
        does("Fail", on="speech", failed=True, msg="no"),
    )
    default, ours = (
        stage.in_pipe(*arguments, "--forks=1", ANSIBLE_STDOUT_CALLBACK=name).output
        for name in ("default", CALLBACK)
    )
    body = default.partition("PLAY [Work]")[2].strip()
    assert body in ours
    assert "clouds=2 in_sync=0 changed=2 failed=1" not in default
    assert "clouds=2 in_sync=0 changed=1 failed=1 unreachable=0" in ours.partition(body)[2]


@pytest.mark.core
def test_hidden_results_stay_hidden(stage: Stage) -> None:
    """With no_log nothing of a result is shown, whatever came of the task."""
    hidden = {"no_log": True, "ignore_errors": True}
    tasks = [
        does(
            "Change",
            **hidden,
            changed=True,
            reasons=["s3cret"],
            diff={"before": "", "after": "s3cret\n"},
        ),
        does("Fail", **hidden, failed=True, msg="s3cret", error={"code": "s3cret"}),
        does("Reach", no_log=True, failed=True, msg="s3cret"),
        {**NO_BUCKET, **hidden},
    ]
    for arguments in ([], ["-v"]):
        shown = stage.playbook(*tasks).in_pipe("--diff", *arguments)
        assert "s3cret" not in shown.output + shown.errors
        assert "no_log: true" in shown.output


@pytest.mark.core
def test_a_rescued_cloud_did_not_fail(stage: Stage) -> None:
    """The failure is shown at once, before the rescue is known; the recap counts the rescue."""
    block = {
        "block": [does("Work", on="speech", failed=True, msg="no")],
        "rescue": [does("Fix", changed=True)],
    }
    shown = stage.playbook(block).in_pipe()
    assert "failed: speech (account 222222222222), Work: no" in shown.output
    assert "clouds=2 in_sync=1 changed=1 failed=0 unreachable=0" in shown.output


def test_a_cloud_whose_play_was_cut_short_is_not_counted_as_in_sync(stage: Stage) -> None:
    """What the rest of its tasks would have done is unknown."""
    shown = stage.playbook(
        does("Try", on="speech", failed=True, msg="no"), does("Continue"), max_fail_percentage=10
    ).in_pipe()
    assert "clouds=2 in_sync=0 changed=0 failed=1 unreachable=0 not_finished=1" in shown.output


def test_the_account_comes_from_where_it_is_known(stage: Stage) -> None:
    """The host's variable, its group's, or the task's option; a template or a file of variables
    gives none.
    """
    hosts = {
        "own": {"cloud_iam_account_id": "333333333333"},
        "common": {},
        "templated": {"cloud_iam_account_id": "{{ '4' * 12 }}"},
    }
    stage.inventory(hosts, cloud_iam_account_id=555555555555)
    shown = stage.playbook(
        does("Work", changed=True), {**NO_BUCKET, "when": "inventory_hostname == 'templated'"}
    ).in_pipe()
    assert "changed: own (account 333333333333): Work" in shown.output
    assert "changed: common (account 555555555555): Work" in shown.output
    assert "failed: templated (account 222222222222), Give the bucket" in shown.output


@pytest.mark.core
@pytest.mark.parametrize("strategy", few_of(["linear", "free"], "linear"))
def test_a_cloud_is_reported_when_its_last_task_is_over(stage: Stage, strategy: str) -> None:
    """Not at the end of the play; what handlers and included tasks add is reported after it."""
    (stage.folder / "more.yml").write_text(yaml.safe_dump([does("Do more", changed=True)]))
    early = [CHANGE, does("Continue"), does("Wait for one", on="speech", seconds=1)]
    shown = stage.playbook(*early, strategy=strategy).in_pipe(RAYFLEET_HEARTBEAT="0")
    assert shown.output.count("changed: vision (account 111111111111): access_missing\n") == 1
    late = [
        {**CHANGE, "notify": "Handle"},
        {"ansible.builtin.include_tasks": "more.yml", "name": "Include"},
    ]
    shown = stage.playbook(
        *late, handlers=[does("Handle", changed=True)], strategy=strategy
    ).in_pipe()
    assert (
        "changed: vision (account 111111111111): access_missing, Do more, Handle\n" in shown.output
    )
    assert "changed: speech (account 222222222222): Do more\n" in shown.output


def test_a_log_has_a_heartbeat(stage: Stage) -> None:
    """Every so many seconds, also while a single task takes its time."""
    stage.playbook(does("Be patient", seconds=3.5))
    output = stage.in_pipe(RAYFLEET_HEARTBEAT="1").output
    beats = re.findall(
        r"^0 of 2 clouds done in 0:0(\d), 0 changed, 0 failed \| Be patient$", output, re.M
    )
    assert len(beats) >= 3
    assert beats == sorted(set(beats))
    assert " done in " not in stage.in_pipe(RAYFLEET_HEARTBEAT="0").output


def test_a_log_can_be_followed(stage: Stage) -> None:
    """A failure is in a pipe at once, not when its buffer is full or the run is over."""
    stage.inventory(
        {"slow": {"seconds": 20, "fails": False}, "quick": {"seconds": 0, "fails": True}}
    )
    stage.playbook(does("Work", seconds="{{ seconds }}", failed="{{ fails }}", msg="no"))
    command, environment = stage._command([], {})
    with subprocess.Popen(
        command,
        cwd=stage.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        next(
            line
            for line in t.cast(t.IO[str], process.stdout)
            if line == "failed: quick, Work: no\n"
        )
        time.sleep(2)  # what came with the end of the run would now be there, and the run over
        still_running = process.poll() is None
        process.terminate()
    assert still_running


@pytest.mark.core
def test_a_terminal_has_a_bar_below_what_is_printed(stage: Stage) -> None:
    """It counts during the run, no message is broken by it, and nothing of it is left."""
    failing = {**NO_BUCKET, "when": "inventory_hostname == 'speech'"}
    shown = stage.playbook(
        WAIT, does("Warn", on="vision", warnings=["careful"]), CHANGE, WAIT, failing, WAIT
    ).on_terminal()
    assert shown.bars[0].startswith(
        "[........................] 0 of 2 clouds done in 0:00, 0 changed, 0 failed"
    )
    assert any(
        "0 of 2 clouds done in 0:01, 1 changed, 0 failed" in line and line.endswith("| Wait")
        for line in shown.bars
    )
    assert any(
        re.match(r"\[#{12,}\.+\] 1 of 2 clouds done in 0:0\d, 1 changed, 1 failed", line)
        for line in shown.bars
    )
    assert REMEDY in shown.lines
    assert "[WARNING]: careful" in shown.lines
    assert not [line for line in shown.lines if " done in " in line]
    assert "clouds=2 in_sync=0 changed=1 failed=1 unreachable=0" in shown.lines
    assert shown.status == 2
    assert "changed: vision" not in shown.output, "the bar counts them"


def test_the_bar_is_not_drawn_more_often_than_a_person_can_see(stage: Stage) -> None:
    """However many events there are."""
    stage.inventory({f"cloud-{number:02}": {} for number in range(40)})
    started = time.monotonic()
    shown = stage.playbook(*[does(f"Work {number}") for number in range(8)]).on_terminal()
    assert 3 < len(shown.bars) < 12 * (time.monotonic() - started)


@pytest.mark.parametrize("width", few_of([20, 40, 132], 20))
def test_the_bar_fits_the_terminal(stage: Stage, width: int) -> None:
    """A line that wraps could not be erased."""
    long = does("名前 and a name that is longer than any terminal is wide", seconds=1)
    shown = stage.playbook(long, WAIT).on_terminal(width=width)
    assert shown.bars
    assert max(map(display_width, shown.bars)) < width
    assert any(line.startswith("clouds=2") for line in shown.lines)


def test_colours_are_left_out_on_demand(stage: Stage) -> None:
    """By the variable that all programs honour, and by Ansible's own."""
    stage.playbook(CHANGE, WAIT, NO_BUCKET)
    assert "\x1b[0;33m1 changed\x1b[0m" in stage.on_terminal().output
    for name in ("NO_COLOR", "ANSIBLE_NOCOLOR"):
        shown = stage.on_terminal(**{name: "1"})
        assert shown.bars
        assert not re.search(r"\x1b\[[0-9;]*m", shown.output)


@pytest.mark.parametrize(
    "variables",
    few_of(
        [
            {"CI": "true"},
            {"AWX_ISOLATED_DATA_DIR": "/x"},
            {"TERM": "dumb"},
            {"RAYFLEET_PROGRESS": "lines"},
            {"ANSIBLE_ENABLE_TASK_DEBUGGER": "1"},
        ],
        {"CI": "true"},
        {"ANSIBLE_ENABLE_TASK_DEBUGGER": "1"},
    ),
    ids=lambda variables: next(iter(variables)),
)
def test_there_is_no_bar_without_a_terminal(stage: Stage, variables: dict[str, str]) -> None:
    """But lines, as in a log."""
    shown = stage.playbook(CHANGE, WAIT).on_terminal(**variables)
    assert not shown.bars
    assert ERASE not in shown.output
    assert "changed: vision (account 111111111111): access_missing" in shown.lines


def test_the_bar_makes_way_for_questions(stage: Stage) -> None:
    """What is typed stays readable, and the bar comes back."""
    question = {"name": "Ask", "ansible.builtin.pause": {"prompt": "Sure? "}}
    shown = stage.playbook(WAIT, question, WAIT).on_terminal(keys="of course\r")
    typed = shown.output.index("of course")
    assert " done in " not in shown.output[shown.output.index("Sure?") : typed]
    assert " done in " in shown.output[:typed]
    assert " done in " in shown.output[typed:]


def test_an_interrupted_run_leaves_no_bar(stage: Stage) -> None:
    """The shell's prompt comes on a line of its own."""
    shown = stage.playbook(does("Wait", seconds=30)).on_terminal(interrupt=" done in 0:01")
    assert shown.bars
    assert shown.lines[-1] == ""
    assert shown.status != 0


@pytest.mark.parametrize("where", few_of(["in_pipe", "on_terminal"], "on_terminal"))
def test_external_texts_cannot_control_a_terminal(stage: Stage, where: str) -> None:
    """Whether they are messages, reasons, warnings, differences or names."""
    evil = "\x1b[8m\x1b[2J\x1b[1;1H\x9b5A\x07good\rbad\u202e"
    diff = {"before": f"{evil}\n", "after": f"x{evil}\n", "before_header": evil}
    tasks = [
        does("Change", changed=True, reasons=[evil], warnings=[evil], diff=diff),
        _debug(evil),
        does("Warn", warning=evil),
        does("Fail \x1b[2J", failed=True, msg=evil, more=evil),
    ]
    stage.inventory({"vision": {"cloud_iam_account_id": evil}})
    for arguments in (["--diff"], ["--diff", "-v"]):
        shown = getattr(stage.playbook(*tasks), where)(
            *arguments, ANSIBLE_CALLBACK_RESULT_FORMAT="yaml"
        )
        assert "good\\rbad\\u202e" in shown.output
        assert "\x1b[8m" not in shown.output + shown.errors
        _left_on_screen(shown.output + shown.errors)


@pytest.mark.core
def test_a_plugin_may_be_derived_from_it(stage: Stage) -> None:
    """As AWX does, which records what is printed event by event."""
    stage.playbook(CHANGE, NO_BUCKET)
    derived = stage.in_pipe(ANSIBLE_STDOUT_CALLBACK="derived")
    assert "Callback dispatch" not in derived.errors
    assert sorted(derived.output.splitlines()) == sorted(stage.in_pipe().output.splitlines())


def _done(cloud: str, outcome: str, *reasons: str, message: str = "") -> Json:
    """An engine's report."""
    return {
        "cloud": cloud,
        "account": "111111111111",
        "outcome": outcome,
        "reasons": list(reasons),
        "message": message,
    }


NO_ROLE = f"Role speech does not exist.{' It really does not.' * 20}"
PLAN: list[Json] = [
    {"stage": "Plan", "clouds": 4},
    _done("in-sync", "in_sync"),
    _done("vision", "pending"),
    _done("speech", "failed", message=NO_ROLE),
    _done("own", "pending"),
]
CONVERGE: list[Json] = [
    {"stage": "Converge", "clouds": 1},
    _done("vision", "changed", "trust_missing", "access_missing"),
]
# The play of the clouds that an engine leaves to tasks of their own.
OWN: Json = {
    "name": "Converge cloud by cloud",
    "hosts": "own",
    "tasks": [does("Converge", changed=True, reasons=["access_missing"])],
}


def _report(**outcomes: Json) -> Json:
    """The play that returns the outcome of each cloud. One cloud stands by."""
    tasks = [
        {
            "name": "Show the outcome",
            "rayfleet.anyscale.fleet_outcome_info": outcome,
            "when": f"inventory_hostname == '{name}'",
        }
        for name, outcome in outcomes.items()
    ]
    return {"name": "Report", "hosts": [*outcomes, "in-sync"], "tasks": tasks}


REPORT = _report(
    vision={"changed": True, "reasons": ["trust_missing", "access_missing"], "diff": DIFF},
    speech={"failed": True, "msg": NO_ROLE, "warnings": ["careful with speech"]},
)


@pytest.mark.core
def test_an_engine_reports_clouds_that_have_no_event(stage: Stage) -> None:
    """Each cloud counts once. A change or a failure is printed once, when the engine reports it."""
    shown = stage.fleet([*PLAN, *CONVERGE], OWN, REPORT).in_pipe()
    cause = textwrap.wrap(NO_ROLE, 160 - 8)
    assert re.sub(r"\*+", "*", shown.output).splitlines() == [
        "",
        "PLAY [Work] *",
        f"failed: speech (account 111111111111), Plan: {NO_ROLE}",
        "changed: vision (account 111111111111): trust_missing, access_missing",
        "",
        "PLAY [Converge cloud by cloud] *",
        "changed: own (account 111111111111): access_missing",
        "",
        "PLAY [Report] *",
        "",
        "PLAY RECAP *",
        "",
        "account       clouds  in sync  changed   failed  unreachable",
        "111111111111       4        1        2        1            0",
        "",
        "reasons for changes:",
        "     2  access_missing: own, vision",
        "     1  trust_missing: vision",
        "",
        "failures:",
        f"     1  {cause[0]}",
        *[f"        {line}" for line in (*cause[1:], "speech")],
        "",
        "clouds=4 in_sync=1 changed=2 failed=1 unreachable=0",
    ]
    assert shown.errors.count("careful with speech") == 1
    assert shown.status == 2


@pytest.mark.core
def test_with_another_callback_the_engine_displays_its_progress_itself(stage: Stage) -> None:
    """The same lines, and a heartbeat."""
    reports = [*PLAN, {"seconds": 2.5}, *CONVERGE]
    shown = stage.fleet(reports, REPORT).in_pipe(ANSIBLE_STDOUT_CALLBACK="default")
    work = shown.output.partition("TASK [Converge clouds]")[2].partition("PLAY [Report]")[0]
    lines = [re.sub(r"0:\d\d", "0:00", line) for line in work.splitlines() if line]
    assert list(dict.fromkeys(lines))[1:4] == [
        f"failed: speech (account 111111111111), Plan: {NO_ROLE}",
        "Plan: 4 of 4 clouds in 0:00, 0 changed, 1 failed",
        "changed: vision (account 111111111111): trust_missing, access_missing",
    ]
    assert " done in " not in shown.output


@pytest.mark.core
def test_a_log_shows_the_progress_of_an_engine_while_it_works(stage: Stage) -> None:
    """A line comes at once and not with the engine's result. The heartbeat has the stage."""
    stage.fleet([*PLAN, {"stage": "Converge", "clouds": 1}, {"seconds": 4}, *CONVERGE[1:]], REPORT)
    command, environment = stage._command([], {"RAYFLEET_HEARTBEAT": "1"})
    seen: dict[str, float] = {}
    with subprocess.Popen(
        command,
        cwd=stage.folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        for line in t.cast(t.IO[str], process.stdout):
            seen.setdefault(re.sub(r"0:\d\d", "0:00", line.rstrip()), time.monotonic())
    failed = seen[f"failed: speech (account 111111111111), Plan: {NO_ROLE}"]
    beat = seen["2 of 4 clouds done in 0:00, 0 changed, 1 failed | Converge: 0 of 1"]
    changed = seen["changed: vision (account 111111111111): trust_missing, access_missing"]
    assert failed < beat < changed
    assert changed - failed > 3


def test_a_terminal_shows_the_stage_of_an_engine(stage: Stage) -> None:
    """The bar counts clouds while the engine works, and stays full afterwards."""
    reports = [*PLAN, {"seconds": 0.5}, *CONVERGE, {"seconds": 0.5}]
    report = _report(vision={"changed": True, "reasons": ["trust_missing"], "seconds": 0.5})
    shown = stage.fleet(reports, OWN, report).on_terminal(width=120)
    assert any(
        re.search(r"2 of 4 clouds done in 0:0\d, 0 changed, 1 failed \| Plan: 4 of 4", line)
        for line in shown.bars
    )
    assert any(
        re.search(r"3 of 4 clouds done in 0:0\d, 1 changed, 1 failed \| Converge: 1 of 1", line)
        for line in shown.bars
    )
    last = [line for line in shown.bars if line.endswith("| Show the outcome")]
    assert last
    assert all(line.startswith(f"[{'#' * 29}] 4 of 4 clouds done in ") for line in last)
    assert f"failed: speech (account 111111111111), Plan: {NO_ROLE}" in shown.lines
    assert "changed: vision" not in shown.output, "the bar counts it"
    assert "clouds=4 in_sync=1 changed=2 failed=1 unreachable=0" in shown.lines


def test_differences_and_results_are_shown_by_the_tasks_after_an_engine(stage: Stage) -> None:
    """With -v, the lines of the engine are left out, because these tasks print the same."""
    stage.fleet([*PLAN, *CONVERGE], REPORT)
    quiet, loud = stage.in_pipe("--diff"), stage.in_pipe("-v", "--diff")
    for shown in (quiet, loud):
        assert shown.output.count("+new\n") == 1
        assert "clouds=4 in_sync=1 changed=1 failed=1 unreachable=0 not_finished=1" in shown.output
    assert quiet.output.count(NO_ROLE) == 1
    assert "fatal: [speech]: FAILED! => " in loud.output
    assert "failed: speech (account" not in loud.output


@pytest.mark.core
def test_an_engine_knows_what_is_only_predicted(stage: Stage) -> None:
    """The task that returns the outcome later does not."""
    reports = [*PLAN[:2], _done("vision", "would_change", "trust_missing")]
    outcome = _report(vision={"changed": True, "reasons": ["trust_missing"]})
    shown = stage.fleet(reports, outcome).in_pipe()
    line = "would change: vision (account 111111111111): trust_missing\n"
    assert shown.output.count(line) == 1
    assert "clouds=4 in_sync=1 changed=0 would_change=1" in shown.output


def test_an_engine_audits(stage: Stage) -> None:
    """A cloud that drifted has no line, unless the audit fails for it."""
    reports = [
        {"stage": "Audit", "clouds": 4},
        _done("in-sync", "in_sync"),
        _done("vision", "drifted", "trust_policy"),
        _done("speech", "failed", message=NO_ROLE),
        _done("own", "unknown"),
    ]
    stage.fleet(reports)
    totals = "clouds=4 in_sync=1 drifted={} unknown=1 not_audited={} changed=0 failed={}"
    tolerant = stage.in_pipe()
    assert totals.format(1, 1, 0) in tolerant.output
    assert tolerant.output.count(f"failed: speech (account 111111111111), Audit: {NO_ROLE}\n") == 1
    assert "vision (account" not in tolerant.output
    (stage.folder / "collections").rename(stage.folder / "unused")
    report = _report(
        vision={"failed": True, "msg": "Failed checks: trust_policy."},
        speech={"failed": True, "msg": NO_ROLE},
    )
    strict = stage.fleet(reports, report).in_pipe()
    assert "clouds=4 in_sync=1 unknown=1 changed=0 failed=2" in strict.output
    line = "failed: vision (account 111111111111), Show the outcome: Failed checks: trust_policy.\n"
    assert strict.output.count(line) == 1
    assert strict.output.count(f"failed: speech (account 111111111111), Audit: {NO_ROLE}\n") == 1
    assert strict.output.count("failed: speech") == 1


@pytest.mark.core
@pytest.mark.parametrize(
    ("engine", "expected"),
    [
        pytest.param(
            {"result": {"failed": True, "msg": "Unknown tag."}},
            "clouds=4 in_sync=0 changed=0 failed=0 unreachable=0 not_finished=4",
            id="fails",
            marks=LONG,
        ),
        pytest.param(
            {"when": False},
            "clouds=4 in_sync=0 changed=1 failed=0 unreachable=0 not_finished=3",
            id="is skipped",
        ),
    ],
)
def test_clouds_that_an_engine_does_not_report_are_not_in_sync(
    stage: Stage, engine: Json, expected: str
) -> None:
    """Unless tasks of their own follow."""
    shown = stage.fleet([], OWN, **engine).in_pipe()
    assert expected in shown.output


@pytest.fixture
def fleet_inventory(running_sandbox: Sandbox, tmp_path: Path) -> Path:
    """The seeded fleet, with a cloud in its midst that is beyond help."""
    running_sandbox.reset()
    running_sandbox.seed(FLEET)
    running_sandbox.seed_broken()
    return inventory_file(tmp_path, running_sandbox, [*FLEET[:6], BROKEN_CLOUD, *FLEET[6:]])


def test_the_onboarding_of_a_fleet(running_sandbox: Sandbox, fleet_inventory: Path) -> None:
    """Clouds that the plan found in sync count as such, in the first run and in the second."""
    variables = {"ANSIBLE_STDOUT_CALLBACK": CALLBACK}
    check, first, second = (
        run_playbook(running_sandbox, "onboard", fleet_inventory, *more, variables=variables)
        for more in (["--check"], [], ["--check"])
    )
    assert "clouds=13 in_sync=1 changed=0 would_change=11 failed=1 unreachable=0" in check.output
    assert "would change: forecast-prod (account 333333333333): profile_differs\n" in check.output
    assert "clouds=13 in_sync=1 changed=11 failed=1 unreachable=0" in first.output
    assert re.search(r"^222222222222 +7 +0 +7 +0 +0$", first.output, re.M)
    assert re.search(
        r"^failed: robotics-lab \(account 333333333333\), .*: Role robotics-lab-ray-misspelled does not",
        first.output,
        re.M,
    )
    assert "clouds=13 in_sync=12 changed=0 would_change=0 failed=1 unreachable=0" in second.output


@pytest.mark.long
def test_a_rollback_is_reported_as_a_rollback(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Its check mode may come from a variable: predicted in two ways, then made but for the cloud of
    which others changed something since.
    """
    running_sandbox.reset()
    running_sandbox.seed(FLEET[:2])
    inventory = inventory_file(tmp_path, running_sandbox, FLEET[:2])
    run_playbook(running_sandbox, "onboard", inventory, "-e", "cloud_iam_run_id=onboarding")

    def rollback(*more: str) -> Run:
        variables = {"ANSIBLE_STDOUT_CALLBACK": CALLBACK}
        return run_playbook(
            running_sandbox,
            "rollback",
            inventory,
            "-e",
            "rollback_run=onboarding",
            *more,
            variables=variables,
        )

    one, other = FLEET[:2]
    for predicted in (rollback("--check"), rollback("-e", "fleet_mode=check")):
        assert predicted.writes == []
        assert (
            "clouds=2 in_sync=0 changed=0 would_change=2 failed=0 unreachable=0" in predicted.output
        )
        assert "reasons for predicted changes:" in predicted.output
        assert "reasons for changes:" not in predicted.output
        assert (
            f"would change: {one.name} (account {one.account_id}): added_since_backup, "
            "changed_since_backup\n"
        ) in predicted.output
    put_trust(running_sandbox, policy(LAMBDA, PARTNER), one.role_name)
    made = rollback()
    assert made.writes
    assert "clouds=2 in_sync=0 changed=1 failed=1 unreachable=0" in made.output
    assert "would" not in made.output
    assert "One or more items failed" not in made.output
    changed, _heading, failed = made.output.partition("reasons for changes:")[2].partition(
        "failures:"
    )
    assert one.name not in changed
    assert re.search(rf"^     1  added_since_backup: {other.name}$", changed, re.M)
    assert re.search(rf"^     1  changed_since_backup: {other.name}$", changed, re.M)
    assert re.match(rf"\n     1  .*{one.role_name} .*\n        {one.name}\n", failed, re.S)


def test_the_audit_of_a_fleet(running_sandbox: Sandbox, fleet_inventory: Path) -> None:
    """Clouds that drifted do not fail an audit, and do not count as in sync."""
    run = run_playbook(
        running_sandbox, "audit", fleet_inventory, variables={"ANSIBLE_STDOUT_CALLBACK": CALLBACK}
    )
    report = json.loads((fleet_inventory.parent / "anyscale-audit/report.json").read_text())[
        "totals"
    ]
    totals = dict(part.split("=") for part in run.output.splitlines()[-1].split())
    assert int(totals["drifted"]) == report["drifted"] > report["clouds"]["fail"] > 0
    assert int(totals["in_sync"]) == 1
    assert f"{report['drifted']} drifted: " in run.output
    assert (totals["clouds"], totals["changed"]) == ("13", "0")
    assert "\ndrift:\n" in run.output


@pytest.mark.long
def test_clouds_that_a_rollout_did_not_reach_are_not_counted_as_in_sync(
    running_sandbox: Sandbox, fleet_inventory: Path
) -> None:
    """The first batch has the broken cloud in it, and the rollout stops."""
    options = (
        "-e",
        "onboard_serial=7",
        "-e",
        "onboard_max_fail_percentage=1",
    )
    run = run_playbook(
        running_sandbox,
        "onboard",
        fleet_inventory,
        *options,
        variables={"ANSIBLE_STDOUT_CALLBACK": CALLBACK},
    )
    totals = dict(part.split("=") for part in run.output.splitlines()[-1].split())
    changed = {cloud.name for cloud in FLEET if run.changed(cloud.name)}
    assert totals["clouds"] == "13"
    assert totals["failed"] == "1"
    assert totals["in_sync"] == "1"
    assert int(totals["changed"]) + int(totals["not_finished"]) == 11
    assert 0 < len(changed) < 11
    assert int(totals["not_finished"]) >= 11 - len(changed)
