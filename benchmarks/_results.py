# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came out: the measures of each cell, and the figures that the tables and the goals are made
of.
"""

from __future__ import annotations

import dataclasses
import statistics
import typing as t

from ansible_collections.rayfleet.anyscale.benchmarks._contenders import Contender
from ansible_collections.rayfleet.anyscale.benchmarks._measure import Measure
from ansible_collections.rayfleet.anyscale.benchmarks._schedule import Cell, Scenario


@dataclasses.dataclass(frozen=True)
class Row:
    """The figures of one contender at one size, of so many ``runs``; ``scaled_from`` is their
    number of clouds, where it is another.
    """

    clouds: int
    seconds: float
    fastest: float
    slowest: float
    cpu_seconds: float
    controller: float
    fork: float
    together: float
    calls: dict[str, float]
    runs: int = 1
    scaled_from: int = 0

    @property
    def seconds_per_cloud(self) -> float:
        """The time for each cloud, start-up included."""
        return self.seconds / self.clouds

    @property
    def calls_per_cloud(self) -> float:
        """All calls for each cloud."""
        return sum(self.calls.values())

    def scaled(self, clouds: int) -> Row:
        """The same for another number of clouds, taken to be linear."""
        factor = clouds / self.clouds
        times = {
            name: getattr(self, name) * factor
            for name in ("seconds", "fastest", "slowest", "cpu_seconds")
        }
        return dataclasses.replace(self, clouds=clouds, scaled_from=self.clouds, **times)


def row(clouds: int, measures: t.Sequence[Measure], calls: t.Mapping[str, int]) -> Row:
    """Medians of the times, and the most memory that was seen."""
    seconds = [measure.seconds for measure in measures]
    return Row(
        clouds=clouds,
        seconds=statistics.median(seconds),
        fastest=min(seconds),
        slowest=max(seconds),
        cpu_seconds=statistics.median(measure.cpu_seconds for measure in measures),
        controller=max(measure.controller for measure in measures),
        fork=max(measure.fork for measure in measures),
        together=max(measure.together for measure in measures),
        calls={name: count / clouds for name, count in sorted(calls.items())},
        runs=len(measures),
    )


class Results:
    """The rows, with methods that find them."""

    def __init__(self, rows: t.Mapping[Cell, Row]) -> None:
        self._rows = dict(rows)

    def tables(self) -> list[tuple[Scenario, int | None]]:
        """The scenarios and latencies that were measured, in their order."""
        return list(dict.fromkeys((cell.scenario, cell.latency_ms) for cell in self._rows))

    def sizes(self, scenario: Scenario, latency_ms: int | None) -> list[int]:
        """The numbers of clouds that every contender but the slow ones was run on."""
        return sorted(
            {
                cell.clouds
                for cell in self._rows
                if (cell.scenario, cell.latency_ms) == (scenario, latency_ms)
                and not cell.contender.is_slow
            }
        )

    def contenders(self, scenario: Scenario, latency_ms: int | None) -> list[Contender]:
        """Who was run there."""
        return list(
            dict.fromkeys(
                cell.contender
                for cell in self._rows
                if (cell.scenario, cell.latency_ms) == (scenario, latency_ms)
            )
        )

    def floor(self, scenario: Scenario, latency_ms: int | None, clouds: int) -> Row | None:
        """The row that the others are compared with; ``None`` if there is none."""
        for contender in self.contenders(scenario, latency_ms):
            if contender.is_floor:
                return self.find(scenario, latency_ms, contender, clouds)
        return None

    def find(
        self, scenario: Scenario, latency_ms: int | None, contender: Contender, clouds: int
    ) -> Row | None:
        """A row, for a slow contender scaled from the number of clouds that it was run on; ``None``
        if there is none.
        """
        found = self._rows.get(Cell(scenario, clouds, latency_ms, contender))
        if found is None and contender.is_slow:
            measured = [
                row
                for cell, row in self._rows.items()
                if (cell.scenario, cell.latency_ms, cell.contender)
                == (scenario, latency_ms, contender)
            ]
            return measured[0].scaled(clouds) if measured else None
        return found
