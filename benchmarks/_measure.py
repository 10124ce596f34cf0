# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one command and measures it: time, processor time, and the memory of its processes."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import signal
import subprocess
import threading
import time
import typing as t
from pathlib import Path

_SECONDS_BETWEEN_SAMPLES = 0.1


@dataclasses.dataclass(frozen=True)
class Measure:
    """One run. Memory in megabytes, 0 where it was not measured.

    controller: the most that the command's own process had in proportional set size, which shares
    out shared pages.
    fork: the most that any of its children had of its own, pages that it shares with no other
    process.
    """

    exit_status: int
    seconds: float
    cpu_seconds: float
    controller: float = 0.0
    fork: float = 0.0


def run(
    command: t.Sequence[str],
    env: t.Mapping[str, str],
    cwd: Path,
    output: Path,
    limit: float,
    look_at_memory: bool,
) -> Measure:
    """Run a command with its output in a file, for ``limit`` seconds at the most; sampling memory slows
    it a little.
    """
    with output.open("w") as file:
        started = time.monotonic()
        process = subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        timer = threading.Timer(limit, _end, (process.pid,))
        memory = _Memory(process.pid)
        timer.start()
        if look_at_memory:
            memory.start()
        try:
            _pid, status, used = os.wait4(process.pid, 0)
        except BaseException:  # an interrupt does not reach a process group of its own
            _end(process.pid)
            raise
        finally:
            seconds = time.monotonic() - started
            timer.cancel()
            memory.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    return Measure(
        process.returncode, seconds, used.ru_utime + used.ru_stime, memory.controller, memory.fork
    )


def _end(pid: int) -> None:
    """End a command and all that it started: it leads a process group of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


class _Memory(threading.Thread):
    """Samples the memory of a process and its children, and keeps the maximum."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._stopped = threading.Event()
        self.controller = 0.0
        self.fork = 0.0

    def run(self) -> None:
        """Sample until ``stop()`` is called."""
        while not self._stopped.wait(_SECONDS_BETWEEN_SAMPLES):
            self.controller = max(self.controller, _megabytes(self._pid, "Pss"))
            for child in _children(self._pid):
                self.fork = max(self.fork, _megabytes(child, "Private_Clean", "Private_Dirty"))

    def stop(self) -> None:
        """End the sampling."""
        self._stopped.set()
        if self.is_alive():
            self.join()


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        ]
    except OSError:
        return []


def _megabytes(pid: int, *fields: str) -> float:
    """The sum of some fields of a process's memory; nothing of one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.partition(":")[0] in fields) / 1024
