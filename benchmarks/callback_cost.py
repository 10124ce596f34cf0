# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the fleet callback costs: three tasks that do nothing for many hosts, shown by it and by
Ansible's default, in turns.

    python -m ansible_collections.rayfleet.anyscale.benchmarks.callback_cost --hosts 1000 --rounds 5

Both are run in a pipe and on a terminal. On a machine with others on it whole runs differ by more
than a callback costs, so the processor's time within callbacks is measured on its own, in Ansible's
process.
"""

from __future__ import annotations

import argparse
import os
import pty
import statistics
import sys
import tempfile
import time
import typing as t
from pathlib import Path

CALLBACKS = ("ansible.builtin.default", "rayfleet.anyscale.fleet")
PLACES = ("pipe", "terminal")

_PLAYBOOK = """\
- name: Do nothing, three times
  hosts: all
  gather_facts: false
  connection: local
  tasks:
    - name: Do nothing
      do_nothing:
    - name: Do nothing again
      do_nothing:
    - name: Do nothing once more
      do_nothing:
"""
_ACTION = """\
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {"changed": True, "reasons": ["nothing_done"]}
"""

_STOPWATCH = """\
import atexit
import time
from ansible.executor.task_queue_manager import TaskQueueManager
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = '''
name: stopwatch
type: notification
short_description: Time
description: Time within callbacks.
'''
send, spent = TaskQueueManager.send_callback, [0.0]


def timed(self, *arguments, **options):
    started = time.thread_time()
    try:
        send(self, *arguments, **options)
    finally:
        spent[0] += time.thread_time() - started


def write():
    with open("within", "w", encoding="ascii") as file:
        file.write(str(spent[0]))


TaskQueueManager.send_callback = timed
atexit.register(write)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "stopwatch"
"""
_MEASURES = ("processor", "clock", "callbacks")

Times = tuple[float, float, float]


def main() -> None:
    """Measure and print the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    times: dict[tuple[str, str], list[Times]] = {
        (place, callback): [] for place in PLACES for callback in CALLBACKS
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _write(folder, arguments.hosts)
        for _round in range(arguments.rounds):
            for place, callback in times:
                times[place, callback].append(_run(folder, place, callback))
    for place in PLACES:
        _report(place, times[place, CALLBACKS[0]], times[place, CALLBACKS[1]])


def _write(folder: Path, hosts: int) -> None:
    lines = [
        f"cloud-{number:05} cloud_iam_account_id={111111111111 + number % 20}"
        for number in range(hosts)
    ]
    (folder / "hosts.ini").write_text("\n".join(lines))
    (folder / "nothing.yml").write_text(_PLAYBOOK)
    (folder / "action_plugins").mkdir()
    (folder / "action_plugins/do_nothing.py").write_text(_ACTION)
    (folder / "callback_plugins").mkdir()
    (folder / "callback_plugins/stopwatch.py").write_text(_STOPWATCH)


def _run(folder: Path, place: str, callback: str) -> Times:
    """The seconds of one run: the processor's, with all workers, the clock's, and the processor's
    within callbacks.
    """
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        "hosts.ini",
        "nothing.yml",
        "--forks",
        "4",
    ]
    own = {
        "HOME": str(folder),
        "TERM": "xterm",
        "ANSIBLE_STDOUT_CALLBACK": callback,
        "RAYFLEET_PROGRESS": "auto",
    }
    environment = {**{name: value for name, value in os.environ.items() if name != "CI"}, **own}
    started = time.monotonic()
    child, output = pty.fork() if place == "terminal" else _fork_with_pipe()
    if child == 0:
        os.chdir(folder)
        os.execve(command[0], command, environment)
    while _read(output):
        pass
    os.close(output)
    _child, status, used = os.wait4(child, 0)
    if status:
        raise SystemExit(
            f"{callback} in a {place}: exit status {os.waitstatus_to_exitcode(status)}"
        )
    return (
        used.ru_utime + used.ru_stime,
        time.monotonic() - started,
        float((folder / "within").read_text()),
    )


def _fork_with_pipe() -> tuple[int, int]:
    output, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.dup2(end, 1)
        os.dup2(end, 2)
    os.close(end)
    return child, output


def _read(output: int) -> bytes:
    try:
        return os.read(output, 65536)
    except OSError:  # how a pseudo-terminal says that all is said
        return b""


def _report(place: str, default: t.Sequence[Times], fleet: t.Sequence[Times]) -> None:
    for number, what in enumerate(_MEASURES):
        before, after = (
            statistics.median(run[number] for run in runs) for runs in (default, fleet)
        )
        print(
            f"{place:9} {what:10} default {before:7.3f} s   fleet {after:7.3f} s   "
            f"{100 * (after / before - 1):+.1f} %"
        )
        for name, runs in (("default", default), ("fleet", fleet)):
            print(f"    {name:8} {', '.join(f'{run[number]:.3f}' for run in runs)}")


if __name__ == "__main__":
    main()
