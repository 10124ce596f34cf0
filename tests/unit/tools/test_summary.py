# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The end of ``make test``: what it says of sessions that passed, failed and were skipped."""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tools import summary

LOG = """\
$ ansible --version
ansible [core 2.19.14]
  python version = 3.11.2
$ pytest --durations=10
=========================== slowest 10 durations ===========================
1.50s call     tests/unit/test_a.py::test_a[with (call)]
0.25s setup    tests/unit/test_b.py::test_b
============================ 2 passed in 2.01s =============================

$ true
$ yamllint .
yamllint found nothing
"""


def session(result: str, reason: str | None = None, name: str = "unit") -> dict[str, t.Any]:
    """A session as nox reports it."""
    signatures = ["core-3.11"] if name == "core" else [name]
    values = {"name": name, "signatures": signatures, "duration": 31.25}
    return {**values, "result": result, "reason": reason}


def test_the_last_line_of_each_command_is_shown() -> None:
    assert summary.closing_lines(LOG) == [
        "python version = 3.11.2",
        "===== 2 passed in 2.01s =====",
        "yamllint found nothing",
    ]


def test_a_log_without_commands_closes_with_nothing() -> None:
    assert summary.closing_lines("") == []


def test_the_slowest_tests_of_all_sessions_are_shown_in_order() -> None:
    other = "".join(
        f"{number}.00s call     tests/test_c.py::test_{number}\n" for number in range(9)
    )
    found = summary.slowest({"unit": LOG, "playbooks": other})
    assert len(found) == 10
    assert found[0] == "   8.00 s  tests/test_c.py::test_8 (call, playbooks)"
    assert found[7] == "   1.50 s  tests/unit/test_a.py::test_a[with (call)] (call, unit)"


@pytest.mark.parametrize(
    ("result", "word"),
    [("success", "passed"), ("failed", "FAILED"), ("aborted", "FAILED"), ("skipped", "skipped")],
)
def test_the_outcome_of_a_session(result: str, word: str) -> None:
    [_title, line] = summary.summary([session(result, "why", name="core")], {})
    assert line == f"{word:8} core-3.11        31.2 s   why"


OUTCOMES: dict[str, tuple[list[str], bool, bool]] = {
    "all passed": (["success", "success"], True, True),
    "one was skipped": (["success", "skipped"], True, False),
    "one failed": (["success", "failed"], False, False),
    "one was ended": (["aborted"], False, False),
    "none ran": ([], False, False),
}


@pytest.mark.parametrize(("results", "passed", "whole"), OUTCOMES.values(), ids=OUTCOMES)
def test_what_counts_as_passed(results: list[str], passed: bool, whole: bool) -> None:
    sessions = [session(result) for result in results]
    assert summary.all_passed(sessions, whole=False) is passed
    assert summary.all_passed(sessions, whole=True) is whole


def test_the_exit_status_is_that_of_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.json"
    monkeypatch.setattr(sys, "argv", ["summary", str(report)])
    monkeypatch.setattr(summary, "LOGS", tmp_path)
    with pytest.raises(SystemExit, match="nox came to no end"):
        summary.main()
    report.write_text(json.dumps({"sessions": [session("success")]}))
    assert summary.main() == 0
    report.write_text(json.dumps({"sessions": [session("success"), session("failed")]}))
    assert summary.main() == 1
    assert "FAILED in" in capsys.readouterr().out
