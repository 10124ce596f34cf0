# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A command is run to its end or to its limit, and the memory of its processes is measured."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.benchmarks import _measure

FORKING = """
import os, time
shared = bytearray(30_000_000)
if os.fork() == 0:
    own = bytearray(60_000_000)
    time.sleep(0.5)
else:
    os.wait()
"""


def run(
    folder: Path, *command: str, limit: float = 10, look_at_memory: bool = False
) -> _measure.Measure:
    """Run a command."""
    return _measure.run(command, dict(os.environ), folder, folder / "output", limit, look_at_memory)


def test_the_exit_status_and_the_output_are_kept(tmp_path: Path) -> None:
    assert run(tmp_path, "sh", "-c", "echo one; echo two >&2; exit 3").exit_status == 3
    assert (tmp_path / "output").read_text() == "one\ntwo\n"


def test_a_run_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    started = time.monotonic()
    measure = run(tmp_path, "sh", "-c", "sleep 60 & echo $!; wait", limit=0.2)
    sleeper = Path(f"/proc/{(tmp_path / 'output').read_text().strip()}/stat")
    assert measure.exit_status < 0
    assert 0.2 <= measure.seconds <= time.monotonic() - started < 30
    # dead, but perhaps not buried
    while sleeper.exists() and " (sleep) Z " not in sleeper.read_text():
        assert time.monotonic() - started < 10
        time.sleep(0.01)


def test_processor_time_is_that_of_the_children_too(tmp_path: Path) -> None:
    busy = (
        "import time; started = time.process_time()\nwhile time.process_time() - started < 0.3: "
        "pass"
    )
    measure = run(tmp_path, "sh", "-c", f"'{sys.executable}' -c '{busy}'; true")
    assert 0.3 <= measure.cpu_seconds < 3


@pytest.mark.skipif(
    not os.path.exists("/proc/self/smaps_rollup"), reason="the kernel does not tell"
)
def test_a_fork_is_charged_with_its_private_pages(tmp_path: Path) -> None:
    measure = run(tmp_path, sys.executable, "-c", FORKING, look_at_memory=True)
    assert 57 <= measure.fork < 75
    assert 14 <= measure.controller < 60
    assert 87 <= measure.together < 130


@pytest.mark.skipif(
    not os.path.exists("/proc/self/smaps_rollup"), reason="the kernel does not tell"
)
def test_memory_of_a_process_that_a_child_started_counts(tmp_path: Path) -> None:
    below = "import time; held = bytearray(60_000_000); time.sleep(0.5)"
    measure = run(
        tmp_path,
        *("sh", "-c", f"sh -c \"'{sys.executable}' -c '{below}'; true\"; true"),
        look_at_memory=True,
    )
    assert 57 <= measure.fork < 90
    assert measure.controller < 5
    assert measure.together >= measure.fork


def test_memory_is_measured_only_on_request(tmp_path: Path) -> None:
    measure = run(tmp_path, "sleep", "0.3")
    assert (measure.controller, measure.fork, measure.together) == (0, 0, 0)
