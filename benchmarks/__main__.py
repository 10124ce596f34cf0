# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the benchmark: rounds through everything that is scheduled, then the report, which goes into
the documentation.

The exit status is 0 unless a run itself failed: a goal that was missed is a figure, not an error.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import re
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.rayfleet.anyscale.benchmarks import _goals, _machine, _page, _tables
from ansible_collections.rayfleet.anyscale.benchmarks._results import Results, row
from ansible_collections.rayfleet.anyscale.benchmarks._runs import RunFailed, Runs
from ansible_collections.rayfleet.anyscale.benchmarks._schedule import (
    QUICK,
    WHOLE,
    Cell,
    all_rounds,
    cells,
)
from ansible_collections.rayfleet.anyscale.benchmarks._servers import SandboxServer, StandInServer
from ansible_collections.rayfleet.anyscale.benchmarks._workplace import Workplace

_FORKS = 4 * (os.cpu_count() or 1)  # as AWX reckons what a machine can do
_THREADS = 16  # what the fleet engine uses by default


def main() -> int:
    """Run the benchmark that the command line asks for."""
    options = _options()
    rounds = options.rounds or (1 if options.quick else 5)
    sizes = (QUICK if options.quick else WHOLE).up_to(options.largest)
    scheduled = [cell for cell in cells(sizes) if re.search(options.only, str(cell))]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        place = Workplace(folder, options.forks, options.threads)
        runs = Runs(
            place, stack.enter_context(StandInServer()), stack.enter_context(SandboxServer())
        )
        failed = _run(runs, all_rounds(scheduled, rounds), rounds)
    results = Results(
        {
            cell: row(cell.clouds, runs.measures[cell], runs.calls[cell])
            for cell in scheduled
            if cell not in failed
        }
    )
    report = _tables.report(
        results,
        _goals.goals(results, sizes),
        _machine.describe(options.forks, options.threads),
        rounds,
    )
    print(f"\n{report}")
    for cell, failure in failed.items():
        print(f"\nFAILED: {cell}: {failure}")
    if sizes == WHOLE and not options.only and not failed:
        _page.write(report)
        print(f"\nWritten into {_page.PAGE}")
    return int(bool(failed))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench OPTIONS=...", description=__doc__)
    parser.add_argument(
        "--rounds",
        type=int,
        help="how many measures each median is of (default: 5, with --quick 1); "
        "long runs have fewer",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="all rows with few clouds: tries the benchmark out, and writes no documentation",
    )
    parser.add_argument(
        "--largest",
        type=int,
        default=WHOLE.largest,
        help="leave out fleets of more clouds, which take longest; writes no documentation",
    )
    parser.add_argument(
        "--only",
        default="",
        metavar="REGEX",
        help="run only what matches, such as 'audit|2000 clouds'; writes no documentation",
    )
    parser.add_argument(
        "--forks", type=int, default=_FORKS, help="of Ansible, and of the shell script"
    )
    parser.add_argument(
        "--threads", type=int, default=_THREADS, help="of bare boto3, and of the fleet engine"
    )
    return parser.parse_args()


def _run(runs: Runs, scheduled: list[tuple[int, Cell]], rounds: int) -> dict[Cell, RunFailed]:
    """Run everything, each cell with the number of its round. A cell that failed is not tried
    again.
    """
    failed: dict[Cell, RunFailed] = {}
    for contender in dict.fromkeys(cell.contender for _round, cell in scheduled):
        print(f"Warming up: {contender.title}", flush=True)
        with contextlib.suppress(RunFailed):  # its cells fail with the same error
            runs.warm_up(contender)
    to_do = collections.deque(scheduled)
    while to_do:
        number, cell = to_do.popleft()
        if cell in failed:
            continue
        left = sum(
            runs.expected_seconds(other) for _round, other in to_do if other not in failed
        ) + runs.expected_seconds(cell)
        print(
            f"{time.strftime('%H:%M:%S')}  round {number + 1} of {rounds}, about {left / 60:.0f} "
            f"min left  {cell}",
            end=" ",
            flush=True,
        )
        try:
            print(f"{runs.run(cell):.1f} s", flush=True)
        except RunFailed as failure:
            failed[cell] = failure
            print(f"FAILED: {failure}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(main())
