# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The goals, as ratios of what was measured in one run."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.benchmarks._contenders import (
    AMAZON_AWS,
    BARE_BOTO3,
    INVENTORY,
    PER_CLOUD,
    PLAN,
    Contender,
)
from ansible_collections.rayfleet.anyscale.benchmarks._results import Results
from ansible_collections.rayfleet.anyscale.benchmarks._schedule import (
    DRIFTED,
    IN_SYNC,
    LISTED,
    Scenario,
)


@dataclasses.dataclass(frozen=True)
class Goal:
    """One goal: its words, its limit, and what was measured, if it was."""

    text: str
    limit: float
    figure: float | None
    at_least: bool = False

    @property
    def outcome(self) -> str:
        """Whether it was met."""
        if self.figure is None:
            return "not measured"
        return (
            "met"
            if (self.figure >= self.limit if self.at_least else self.figure <= self.limit)
            else "missed"
        )


def goals(results: Results) -> list[Goal]:
    """All of them."""
    return [
        *_against_amazon_aws(results),
        *_against_boto3(results),
        *_linear(results),
        *_memory(results),
    ]


def _against_amazon_aws(results: Results) -> t.Iterator[Goal]:
    for clouds in results.sizes(IN_SYNC, 20):
        ratio = _ratio(results, IN_SYNC, 20, clouds, AMAZON_AWS, PER_CLOUD)
        yield Goal(
            f"in sync, {clouds} clouds, cloud by cloud: times faster than amazon.aws",
            12,
            ratio,
            at_least=True,
        )
    for clouds in results.sizes(DRIFTED, 20):
        ratio = _ratio(results, DRIFTED, 20, clouds, AMAZON_AWS, PLAN)
        yield Goal(
            f"all drifted, {clouds} clouds, with the plan: times faster than amazon.aws",
            10,
            ratio,
            at_least=True,
        )


def _against_boto3(results: Results) -> t.Iterator[Goal]:
    for latency_ms, limit in ((20, 1.5), (0, 4.0)):
        for clouds in (500, 2000):
            ratio = _ratio(results, IN_SYNC, latency_ms, clouds, PLAN, BARE_BOTO3)
            yield Goal(
                f"in sync, {clouds} clouds, {latency_ms} ms a call, with the plan: times the "
                "time of bare boto3",
                limit,
                ratio,
            )


def _linear(results: Results) -> t.Iterator[Goal]:
    measured = (
        (IN_SYNC, PLAN, 500, 2000),
        (IN_SYNC, PER_CLOUD, 500, 2000),
        (DRIFTED, PLAN, 500, 2000),
        (LISTED, INVENTORY, 500, 2000),
        (LISTED, INVENTORY, 500, 10000),
    )
    for scenario, contender, fewer, more in measured:
        small, large = (results.find(scenario, 20, contender, clouds) for clouds in (fewer, more))
        figure = large.seconds_per_cloud / small.seconds_per_cloud if small and large else None
        yield Goal(
            f"{scenario.title}, {contender.title}: time per cloud at {more} clouds to that at "
            f"{fewer}",
            1.2,
            figure,
        )


def _memory(results: Results) -> t.Iterator[Goal]:
    """The most that the controller had, and the most that any of its forks had of its own."""
    for scenario, contender in ((IN_SYNC, PLAN), (IN_SYNC, PER_CLOUD), (DRIFTED, PLAN)):
        found = results.find(scenario, 20, contender, 2000)
        text = f"{scenario.title}, 2000 clouds, {contender.title}: MB"
        yield Goal(f"{text} of the controller", 150, found.controller if found else None)
        yield Goal(f"{text} of a fork's own", 25, found.fork if found else None)


def _ratio(
    results: Results,
    scenario: Scenario,
    latency_ms: int,
    clouds: int,
    above: Contender,
    below: Contender,
) -> float | None:
    rows = [results.find(scenario, latency_ms, contender, clouds) for contender in (above, below)]
    return rows[0].seconds / rows[1].seconds if rows[0] and rows[1] else None
