# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of ``make test``: the result of each session, with the last line of each of its
commands, and the slowest tests. Reads the reports that nox wrote, and the sessions' logs.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tools.environment import CACHE

LOGS = CACHE / "logs"
OUTCOMES = {"success": "passed", "skipped": "skipped"}
SLOWEST = 10
_RULE = re.compile(r"={5,}")
_DURATION = re.compile(r"^(?P<seconds>\d+\.\d\d)s (?P<phase>call|setup|teardown) +(?P<test>\S.*)$")


def closing_lines(log: str) -> list[str]:
    """The last line of each command's output. In the log a line with a $ is before each output."""
    last = ""
    found = []
    for line in [*log.splitlines(), "$ end"]:
        if line.startswith("$ "):
            found.append(last)
            last = ""
        else:
            last = line.strip() or last
    return [_RULE.sub("=====", line) for line in found if line]


def slowest(logs: t.Mapping[str, str]) -> list[str]:
    """The slowest tests of all sessions, as pytest prints them at the end of each."""
    found = [
        (float(match["seconds"]), f"{match['test']} ({match['phase']}, {session})")
        for session, log in logs.items()
        for match in map(_DURATION.match, log.splitlines())
        if match
    ]
    return [f"{seconds:7.2f} s  {test}" for seconds, test in sorted(found, reverse=True)[:SLOWEST]]


def summary(sessions: t.Sequence[t.Mapping[str, t.Any]], logs: t.Mapping[str, str]) -> list[str]:
    """The result of each session."""
    lines = ["== summary"]
    for session in sessions:
        name, outcome = _name(session), OUTCOMES.get(session["result"], "FAILED")
        reason = session["reason"] or ""
        lines.append(f"{outcome:8} {name:14} {session['duration']:6.1f} s   {reason}".rstrip())
        lines += [f"    {line}" for line in closing_lines(logs.get(name, ""))]
    tests = slowest(logs)
    return [*lines, "", f"The {len(tests)} slowest tests:", *tests] if tests else lines


def all_passed(sessions: t.Sequence[t.Mapping[str, t.Any]], whole: bool) -> bool:
    """Whether no session failed, and none was skipped where the whole is wanted."""
    good = ("success",) if whole else ("success", "skipped")
    return bool(sessions) and all(session["result"] in good for session in sessions)


def _name(session: t.Mapping[str, t.Any]) -> str:
    """As the log is named: with the Python version where a session is for one."""
    return str((session["signatures"] or [session["name"]])[0])


def main() -> int:
    """0: all passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("reports", nargs="+", type=Path, help="what nox wrote for --report")
    parser.add_argument("--since", type=float, help="when it all began, in seconds of the epoch")
    parser.add_argument(
        "--whole", action="store_true", help="a session that was skipped is a failure"
    )
    arguments = parser.parse_args()
    sessions = []
    for report in arguments.reports:
        if not report.exists():
            sys.exit(f"{report} is missing: nox came to no end")
        sessions += json.loads(report.read_text())["sessions"]
    logs = {name: (LOGS / f"{name}.log") for name in map(_name, sessions)}
    texts = {name: path.read_text() for name, path in logs.items() if path.exists()}
    print("", *summary(sessions, texts), sep="\n")
    passed = all_passed(sessions, arguments.whole)
    minutes, seconds = divmod(int(time.time() - arguments.since), 60) if arguments.since else (0, 0)
    print(f"\n{'All passed' if passed else 'FAILED'} in {minutes} min {seconds} s.")
    return int(not passed)


if __name__ == "__main__":
    sys.exit(main())
