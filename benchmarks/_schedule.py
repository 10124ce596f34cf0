# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured: each contender in each scenario, at each size and latency. Rounds go through
all of it.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.benchmarks._contenders import (
    AMAZON_AWS,
    BARE_BOTO3,
    CLI,
    ENGINE,
    INVENTORY,
    PER_CLOUD,
    PLAN,
    Contender,
)


@dataclasses.dataclass(frozen=True)
class Scenario:
    """The state in which the clouds are found."""

    title: str
    drifted_share: float


IN_SYNC = Scenario("all in sync", 0.0)
DRIFTED = Scenario("all drifted", 1.0)
FEW_DRIFTED = Scenario("1 % drifted", 0.01)
LISTED = Scenario("the inventory", 0.0)


@dataclasses.dataclass(frozen=True)
class Cell:
    """One contender's place in the tables. ``latency_ms`` is the stand-in server's; without it the
    sandbox answers.
    """

    scenario: Scenario
    clouds: int
    latency_ms: int | None
    contender: Contender

    @property
    def expected_seconds(self) -> float:
        """About how long it takes."""
        drift = self.contender.seconds_per_drifted_cloud * self.scenario.drifted_share
        return 2 + self.clouds * (self.contender.seconds_per_cloud + drift)

    def __str__(self) -> str:
        server = "sandbox" if self.latency_ms is None else f"{self.latency_ms} ms"
        return f"{self.scenario.title}, {self.clouds} clouds, {server}: {self.contender.title}"


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Numbers of clouds: ``few`` at the most for the slow contenders, ``small``, the larger ones,
    those of the inventory.
    """

    few: int
    small: int
    larger: tuple[int, ...]
    listed: tuple[int, ...]


WHOLE = Sizes(50, 50, (500, 2000), (500, 2000, 5000, 10000))
QUICK = Sizes(5, 50, (), (500,))


def cells(sizes: Sizes) -> list[Cell]:
    """All that one round runs."""
    scheduled = [
        *_cells(
            IN_SYNC, sizes, sizes.small, 20, PLAN, PER_CLOUD, AMAZON_AWS, CLI, BARE_BOTO3, ENGINE
        ),
        *_cells(IN_SYNC, sizes, sizes.small, 0, PLAN, BARE_BOTO3),
        *_cells(IN_SYNC, sizes, sizes.small, None, PLAN, BARE_BOTO3),
        *_cells(DRIFTED, sizes, sizes.small, 20, PLAN, PER_CLOUD, AMAZON_AWS, CLI, BARE_BOTO3),
        *_cells(FEW_DRIFTED, sizes, sizes.small, 20, PLAN, BARE_BOTO3),
    ]
    for size in sizes.larger:
        scheduled += _cells(IN_SYNC, sizes, size, 20, PLAN, PER_CLOUD, BARE_BOTO3)
        scheduled += _cells(IN_SYNC, sizes, size, 0, PLAN, BARE_BOTO3)
        scheduled += _cells(DRIFTED, sizes, size, 20, PLAN, BARE_BOTO3)
        scheduled += _cells(FEW_DRIFTED, sizes, size, 20, PLAN, BARE_BOTO3)
    if sizes.larger:
        scheduled += _cells(IN_SYNC, sizes, sizes.larger[0], 20, ENGINE)
    for size in sizes.listed:
        scheduled += _cells(LISTED, sizes, size, 20, INVENTORY)
    return scheduled


def _cells(
    scenario: Scenario, sizes: Sizes, clouds: int, latency_ms: int | None, *contenders: Contender
) -> t.Iterator[Cell]:
    for contender in contenders:
        yield Cell(scenario, min(contender.most_clouds, sizes.few) or clouds, latency_ms, contender)


def in_round(scheduled: list[Cell], number: int) -> list[Cell]:
    """The cells in the order of a round: every second one goes backwards, so that no contender
    always runs after the same one.
    """
    return scheduled[::-1] if number % 2 else scheduled
