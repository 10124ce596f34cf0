# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command ``sandbox`` of the practice sandbox: a shell on a node of a cloud, and the controls.

Of the standard library only, since it runs with whatever Python the reader's shell finds.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import sys
import typing as t
import urllib.error
import urllib.request

_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_HIDDEN_ON_A_NODE = ("AWS_", "ANYSCALE_", "PS1")


def main() -> int:
    """Carry out a command; the status is 1 where the sandbox refuses it or does not answer."""
    options = _parser().parse_args()
    try:
        if options.action == "node":
            _open_node(options.cloud, options.command)
        change = options.cloud if options.action == "drift" else getattr(options, "change", None)
        answer = _control(options.action, change)
    except urllib.error.HTTPError as error:
        with error:
            print(f"sandbox: {error.read().decode().strip()}", file=sys.stderr)
        return 1
    except (urllib.error.URLError, KeyError):
        print("sandbox: no sandbox answers; start it by make sandbox.", file=sys.stderr)
        return 1
    if answer is not None:
        print(json.dumps(answer, indent=2))
    if options.action == "reset":
        _tell_of_backups()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sandbox", description="Controls the sandbox.")
    actions = parser.add_subparsers(dest="action", required=True)
    node = actions.add_parser("node", help="a shell, or one command, on a node of a cloud")
    node.add_argument("cloud", help="the name of the cloud")
    node.add_argument("command", nargs=argparse.REMAINDER, help="instead of a shell")
    faults = actions.add_parser("faults", help="show or add faults of the next calls")
    faults.add_argument("change", nargs="?", help="the fault as JSON, or clear")
    settings = actions.add_parser("settings", help="show or turn the settings")
    settings.add_argument("change", nargs="?", help="the changed settings as JSON")
    calls = actions.add_parser("calls", help="show the calls so far")
    calls.add_argument("change", nargs="?", choices=("clear",), help="forget them")
    events = actions.add_parser("events", help="show the events of the writes so far")
    events.add_argument("change", nargs="?", choices=("clear",), help="forget them")
    drift = actions.add_parser("drift", help="let another writer change the role of a cloud")
    drift.add_argument("cloud", help="the name of the cloud")
    actions.add_parser("reset", help="all as it was at the start")
    return parser


def _control(action: str, change: str | None) -> t.Any:
    if action == "reset":
        return _call("POST", "restart")
    if action == "drift":
        return _call("POST", action, json.dumps({"cloud": change}))
    if change == "clear":
        return _call("DELETE", action)
    return _call("POST", action, change) if change else _call("GET", action)


def _tell_of_backups() -> None:
    """The runs of before are over with what they changed."""
    folder = os.path.join(os.environ.get("ANSIBLE_HOME", ""), "anyscale_backups")
    if os.path.isdir(folder):
        print(
            "All is as it was at the start. The backups of the runs before are still there, and rollback "
            f"lists these runs, but what they changed is gone. To forget them: rm -r {shlex.quote(folder)}"
        )


def _open_node(cloud: str, command: list[str]) -> t.NoReturn:
    """Become a program of the node: of this shell's variables it has none of AWS or Anyscale."""
    variables = _call("POST", "node", json.dumps({"cloud": cloud}))
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(_HIDDEN_ON_A_NODE)
    }
    prompt = {"PS1": f"ray@{cloud}-head:\\w$ "}
    words = command or ["bash", "--noprofile", "--norc"]
    os.execvpe(words[0], words, {**kept, **variables, **prompt})


def _call(method: str, name: str, body: str | None = None) -> t.Any:
    url = f"{os.environ['AWS_ENDPOINT_URL']}/sandbox/{name}"
    data = body.encode() if body else None
    with _OPENER.open(urllib.request.Request(url, data, method=method), timeout=60) as answer:
        return json.loads(answer.read())


if __name__ == "__main__":
    # The end of what reads the output, such as head, is the end of this, as of any program.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    sys.exit(main())
