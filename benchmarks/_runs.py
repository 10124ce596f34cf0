# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One run of a contender in a cell: the server prepared, the command measured, and the work proved
to have been done.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from ansible_collections.rayfleet.anyscale.benchmarks import _measure
from ansible_collections.rayfleet.anyscale.benchmarks._contenders import Contender
from ansible_collections.rayfleet.anyscale.benchmarks._measure import Measure
from ansible_collections.rayfleet.anyscale.benchmarks._schedule import IN_SYNC, Cell
from ansible_collections.rayfleet.anyscale.benchmarks._servers import Report, Server
from ansible_collections.rayfleet.anyscale.benchmarks._workplace import AUDIT_FOLDER, Workplace

_LINES_OF_A_FAILURE = 15


class RunFailed(Exception):
    """A run did not end well, or did not do what it is measured for."""


class Runs:
    """All runs of a benchmark, with their measures and the calls that they made."""

    def __init__(self, place: Workplace, stand_in: Server, sandbox: Server) -> None:
        self._place = place
        self._stand_in = stand_in
        self._sandbox = sandbox
        self._took: dict[Cell, float] = {}
        self.measures: dict[Cell, list[Measure]] = {}
        self.calls: dict[Cell, dict[str, int]] = {}

    def warm_up(self, contender: Contender) -> None:
        """Run a contender once for a single cloud: afterwards Python's byte code is there and files
        are in memory.
        """
        cell = Cell(IN_SYNC, 1, 0, contender)
        self._stand_in.prepare(cell)
        self._measured(cell, self._stand_in, look_at_memory=False)

    def expected_seconds(self, cell: Cell) -> float:
        """How long a cell takes, all included: as long as it last did, else a guess."""
        return self._took.get(cell, cell.expected_seconds)

    def run(self, cell: Cell) -> float:
        """Run a cell once more, and return the seconds that count. Memory is measured in the first
        run only.
        """
        server = self._sandbox if cell.latency_ms is None else self._stand_in
        is_first = cell not in self.measures
        server.prepare(cell)
        measure = self._measured(cell, server, look_at_memory=is_first and cell.contender.has_forks)
        report = server.report()
        converges = bool(cell.scenario.drifted_share and cell.contender.parts)
        self._check(cell, report, steady=not converges)
        if is_first and converges:
            server.forget_calls()
            self._measured(cell, server, look_at_memory=False)
            self._check(cell, server.report(), steady=True)
        self._took[cell] = measure.seconds + 1
        self.measures.setdefault(cell, []).append(measure)
        self.calls[cell] = report.calls
        return measure.seconds

    def _measured(self, cell: Cell, server: Server, look_at_memory: bool) -> Measure:
        command = cell.contender.command(self._place, cell.shape)
        env = self._place.environment(server.variables())
        limit = 120 + 10 * cell.expected_seconds
        shutil.rmtree(self._place.folder / AUDIT_FOLDER, ignore_errors=True)
        measure = _measure.run(
            command, env, self._place.folder, self._output, limit, look_at_memory
        )
        if measure.exit_status:
            last = "\n".join(
                self._output.read_text(errors="replace").splitlines()[-_LINES_OF_A_FAILURE:]
            )
            raise RunFailed(
                f"exit status {measure.exit_status} after {measure.seconds:.0f} s (the limit is "
                f"{limit:.0f} s)\n{last}"
            )
        return measure

    @property
    def _output(self) -> Path:
        return self._place.folder / "output.txt"

    def _check(self, cell: Cell, report: Report, steady: bool) -> None:
        """Whether the run did what it is measured for: no more, and no less."""
        if report.unknown:
            raise RunFailed(
                f"the stand-in server does not know: {', '.join(sorted(set(report.unknown))[:5])}"
            )
        if steady and report.writes:
            raise RunFailed(f"{report.writes} calls wrote where all was in sync: {report.calls}")
        left = {part: report.drifted.get(part, 0) for part in cell.contender.parts}
        if any(left.values()):
            raise RunFailed(f"clouds were left as they had drifted: {left}")
        if cell.contender.parts and sum(report.calls.values()) < len(cell.contender.parts):
            raise RunFailed(f"only these calls were made: {report.calls}")
        output = self._output.read_text(errors="replace")
        wrong = cell.contender.proof(self._place.folder, output, cell.clouds, cell.drifted)
        if wrong:
            raise RunFailed(wrong)
