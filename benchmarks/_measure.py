# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs one command and measures it: time, processor time, and the memory of its processes."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import resource
import signal
import subprocess
import threading
import time
import typing as t
from pathlib import Path

_SECONDS_BETWEEN_SAMPLES = 0.1
_FIELDS = ("Pss", "Private_Clean", "Private_Dirty")


@dataclasses.dataclass(frozen=True)
class Measure:
    """One run. Memory in megabytes, 0 where it was not measured.

    controller: the most that the command's own process had in proportional set size, which shares
    out shared pages.
    fork: the most that any process below it had of its own, pages that it shares with no other
    process.
    together: the most that all of them had at once, in proportional set size.
    """

    exit_status: int
    seconds: float
    cpu_seconds: float
    controller: float = 0.0
    fork: float = 0.0
    together: float = 0.0


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
    memory = _Memory(process.pid)
    if look_at_memory:
        memory.start()
    try:
        status, used = _wait(process.pid, limit)
    finally:
        seconds = time.monotonic() - started
        memory.stop()
    process.returncode = os.waitstatus_to_exitcode(status)
    cpu_seconds = used.ru_utime + used.ru_stime
    found = (memory.controller, memory.fork, memory.together)
    return Measure(process.returncode, seconds, cpu_seconds, *found)


def _wait(pid: int, limit: float) -> tuple[int, resource.struct_rusage]:
    """The status of a command and what it used, once it has ended or was ended at its limit."""
    timer = threading.Timer(limit, _end, (pid,))
    timer.start()
    try:
        _pid, status, used = os.wait4(pid, 0)
    except BaseException:  # an interrupt does not reach a process group of its own
        _end(pid)
        raise
    finally:
        timer.cancel()
    return status, used


def _end(pid: int) -> None:
    """End a command and all that it started: it leads a process group of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


class _Memory(threading.Thread):
    """Samples the memory of a process and of all below it, and keeps the maximum."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self._stopped = threading.Event()
        self.controller = 0.0
        self.fork = 0.0
        self.together = 0.0

    def run(self) -> None:
        """Sample until ``stop()`` is called."""
        while not self._stopped.wait(_SECONDS_BETWEEN_SAMPLES):
            controller = _megabytes(self._pid)
            below = [_megabytes(pid) for pid in _descendants(self._pid)]
            self.controller = max(self.controller, controller["Pss"])
            self.fork = max(
                [self.fork, *(one["Private_Clean"] + one["Private_Dirty"] for one in below)]
            )
            self.together = max(self.together, sum(one["Pss"] for one in (controller, *below)))

    def stop(self) -> None:
        """End the sampling."""
        self._stopped.set()
        if self.is_alive():
            self.join()


def _descendants(pid: int) -> t.Iterator[int]:
    """The processes below one, those that a thread other than the main one started left out."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return
    for child in map(int, children):
        yield child
        yield from _descendants(child)


def _megabytes(pid: int) -> dict[str, float]:
    """The sizes of a process; nothing of one that has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return dict.fromkeys(_FIELDS, 0.0)
    sizes = {line.partition(":")[0]: float(line.split()[1]) / 1024 for line in lines}
    return {field: sizes[field] for field in _FIELDS}
