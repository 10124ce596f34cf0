# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run counts only if it did what it is measured for, according to the server and to its proof."""

from __future__ import annotations

import dataclasses
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.benchmarks import _proofs
from ansible_collections.rayfleet.anyscale.benchmarks._contenders import Contender
from ansible_collections.rayfleet.anyscale.benchmarks._proofs import Proof
from ansible_collections.rayfleet.anyscale.benchmarks._runs import RunFailed, Runs
from ansible_collections.rayfleet.anyscale.benchmarks._schedule import DRIFTED, IN_SYNC, Cell
from ansible_collections.rayfleet.anyscale.benchmarks._servers import Report
from ansible_collections.rayfleet.anyscale.benchmarks._workplace import Workplace

CALLS = {"iam:GetRole": 3}


@dataclasses.dataclass
class FakeServer:
    """A server that saw what it is told, report after report."""

    reports: list[Report]

    def __enter__(self) -> FakeServer:
        return self

    def __exit__(self, *exception: object) -> None:
        """Nothing to end."""

    def variables(self) -> dict[str, str]:
        """Nothing that a contender needs."""
        return {}

    def prepare(self, cell: Cell) -> None:
        """Nothing to prepare."""

    def forget_calls(self) -> None:
        """Nothing to forget."""

    def report(self) -> Report:
        """The next report."""
        return self.reports.pop(0)


def contender(proof: Proof = _proofs.none, script: str = "true", **more: t.Any) -> Contender:
    """A shell script as a contender."""
    return Contender("script", lambda place, shape: ["sh", "-c", script], 0.0, proof=proof, **more)


def run(folder: Path, cell: Cell, *reports: Report) -> FakeServer:
    """Run a cell against a server with these reports, and return the server."""
    server = FakeServer(list(reports))
    Runs(Workplace(folder, 1, 1), server, server).run(cell)
    return server


def test_a_converged_fleet_is_converged_again_and_must_stay(tmp_path: Path) -> None:
    cell = Cell(DRIFTED, 3, 20, contender())
    first, second = Report(CALLS, writes=3), Report(CALLS)
    assert run(tmp_path, cell, first, second, Report(CALLS)).reports == [Report(CALLS)]


def test_a_run_that_only_reads_is_not_repeated(tmp_path: Path) -> None:
    cell = Cell(DRIFTED, 3, 20, contender(parts=()))
    assert run(tmp_path, cell, Report(CALLS), Report({})).reports == [Report({})]


FAILURES: dict[str, tuple[Cell, list[Report], str]] = {
    "exit status": (
        Cell(IN_SYNC, 3, 20, contender(script="echo why >&2; exit 2")),
        [],
        r"exit status 2 after .*\nwhy",
    ),
    "proof": (
        Cell(IN_SYNC, 3, 20, contender(lambda *_arguments: "it did nothing")),
        [Report(CALLS)],
        "it did nothing",
    ),
    "no calls": (Cell(IN_SYNC, 3, 20, contender()), [Report({})], "only these calls"),
    "unknown call": (
        Cell(IN_SYNC, 3, 20, contender()),
        [Report(CALLS, unknown=("GET /x",))],
        "does not know: GET /x",
    ),
    "drift is left": (
        Cell(DRIFTED, 3, 20, contender()),
        [Report(CALLS, writes=2, drifted={"trust": 1})],
        "left as they had drifted: {'trust': 1",
    ),
    "a write where all was in sync": (
        Cell(IN_SYNC, 3, 20, contender()),
        [Report(CALLS, writes=1)],
        "1 calls wrote",
    ),
    "a write of the second run": (
        Cell(DRIFTED, 3, 20, contender()),
        [Report(CALLS, writes=3), Report(CALLS, writes=1)],
        "1 calls wrote",
    ),
    "a write of a contender that only reads": (
        Cell(DRIFTED, 3, 20, contender(parts=())),
        [Report(CALLS, writes=1)],
        "1 calls wrote",
    ),
}


@pytest.mark.parametrize(("cell", "reports", "message"), FAILURES.values(), ids=FAILURES)
def test_a_run_that_did_something_else_fails(
    tmp_path: Path, cell: Cell, reports: list[Report], message: str
) -> None:
    with pytest.raises(RunFailed, match=message):
        run(tmp_path, cell, *reports)
