# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured: each contender in each scenario, at each size and latency. Rounds go through
all of it.
"""

from __future__ import annotations

import dataclasses

from ansible_collections.rayfleet.anyscale.benchmarks import _fleet
from ansible_collections.rayfleet.anyscale.benchmarks._contenders import (
    AMAZON_AWS,
    AUDIT,
    BARE_AUDIT,
    BARE_BOTO3,
    CLI,
    INVENTORY,
    NOTHING,
    OFFBOARD,
    ONBOARD,
    ROLE,
    Contender,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import generated_fleet

# Long runs vary less, and are measured in fewer rounds: for each number of seconds, how many
# rounds a cell has that takes longer.
_FEWER_ROUNDS = ((50, 1), (18, 3))


@dataclasses.dataclass(frozen=True)
class Scenario:
    """The state in which the clouds are found, and over how many accounts and buckets they are
    spread; 0 buckets: each has its own.
    """

    title: str
    drifted_share: float
    accounts: int = len(generated_fleet.ACCOUNTS)
    buckets: int = 0

    def of(self, contender: Contender) -> str:
        """Its title with that of a contender, unless it is the title of a scenario for that one."""
        is_own = self.title.startswith(contender.title)
        return self.title if is_own else f"{contender.title}, {self.title}"


IN_SYNC = Scenario("all in sync", 0.0)
DRIFTED = Scenario("all drifted", 1.0)
FEW_DRIFTED = Scenario("1 % drifted", 0.01)
SHARED = Scenario("all drifted, 5 buckets in 5 accounts", 1.0, accounts=5, buckets=5)
UNSHARED = Scenario("all drifted, a bucket each in 5 accounts", 1.0, accounts=5)
AUDITED = Scenario("audit, all in sync", 0.0)
AUDITED_DRIFTED = Scenario("audit, 10 % drifted", 0.1)
OFFBOARDED = Scenario("offboard --check, all in sync", 0.0)
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
    def shape(self) -> _fleet.Shape:
        """The fleet that it is measured on."""
        return _fleet.Shape(self.clouds, self.scenario.accounts, self.scenario.buckets)

    @property
    def drifted(self) -> int:
        """How many of the clouds have drifted."""
        return len(generated_fleet.drifted_numbers(self.clouds, self.scenario.drifted_share))

    @property
    def expected_seconds(self) -> float:
        """About how long it takes."""
        drift = self.contender.seconds_per_drifted_cloud * self.drifted
        return 2 + self.clouds * self.contender.seconds_per_cloud + drift

    def rounds(self, rounds: int) -> int:
        """In how many of so many rounds it is measured."""
        fewer = [few for seconds, few in _FEWER_ROUNDS if self.expected_seconds > seconds]
        return min([rounds, *fewer])

    def __str__(self) -> str:
        server = "sandbox" if self.latency_ms is None else f"{self.latency_ms} ms"
        return f"{self.scenario.title}, {self.clouds} clouds, {server}: {self.contender.title}"


@dataclasses.dataclass(frozen=True)
class Sizes:
    """Numbers of clouds: ``few`` at the most for the slow contenders; ``sharing`` for the clouds
    that share buckets.
    """

    few: int
    small: int
    medium: int
    large: int
    largest: int
    sharing: int

    def up_to(self, clouds: int) -> Sizes:
        """The same without what is larger than so many clouds: its cells repeat smaller ones."""
        return Sizes(*(min(size, clouds) for size in dataclasses.astuple(self)))


WHOLE = Sizes(few=25, small=50, medium=500, large=2000, largest=10000, sharing=200)
QUICK = Sizes(few=4, small=10, medium=25, large=50, largest=100, sharing=20)


def cells(sizes: Sizes) -> list[Cell]:
    """All that one round runs."""
    small, medium, large, largest = sizes.small, sizes.medium, sizes.large, sizes.largest
    slow = (AMAZON_AWS, CLI)
    planned: list[tuple[Scenario, tuple[int, ...], int | None, tuple[Contender, ...]]] = [
        (IN_SYNC, (small,), 20, (ONBOARD, ROLE, *slow, BARE_BOTO3, NOTHING)),
        (IN_SYNC, (medium,), 20, (ONBOARD, ROLE, BARE_BOTO3, NOTHING)),
        (IN_SYNC, (large,), 20, (ONBOARD, BARE_BOTO3)),
        (IN_SYNC, (largest,), 20, (ONBOARD,)),
        (IN_SYNC, (medium, large), 0, (ONBOARD, BARE_BOTO3)),
        (IN_SYNC, (small,), None, (ONBOARD, BARE_BOTO3)),
        (DRIFTED, (small,), 20, (ONBOARD, ROLE, *slow, BARE_BOTO3)),
        (DRIFTED, (medium, large), 20, (ONBOARD, BARE_BOTO3)),
        (FEW_DRIFTED, (medium,), 20, (ONBOARD, BARE_BOTO3)),
        (SHARED, (sizes.sharing,), 20, (ONBOARD, BARE_BOTO3)),
        (UNSHARED, (sizes.sharing,), 20, (ONBOARD, BARE_BOTO3)),
        (AUDITED, (small, medium), 20, (AUDIT, BARE_AUDIT)),
        (AUDITED, (large, largest), 20, (AUDIT,)),
        (AUDITED_DRIFTED, (medium,), 20, (AUDIT, BARE_AUDIT)),
        (AUDITED_DRIFTED, (large,), 20, (AUDIT,)),
        (OFFBOARDED, (small, medium, large), 20, (OFFBOARD,)),
        (LISTED, (medium, large, largest), 20, (INVENTORY,)),
    ]
    scheduled = [
        Cell(scenario, min(contender.most_clouds, sizes.few) or size, latency_ms, contender)
        for scenario, counts, latency_ms, contenders in planned
        for size in counts
        for contender in contenders
    ]
    return list(dict.fromkeys(scheduled))


def in_round(scheduled: list[Cell], number: int) -> list[Cell]:
    """The cells in the order of a round: every second one goes backwards, so that no contender
    always runs after the same one.
    """
    return scheduled[::-1] if number % 2 else scheduled


def all_rounds(scheduled: list[Cell], rounds: int) -> list[tuple[int, Cell]]:
    """Each cell with the number of the round that it is run in, in their order."""
    return [
        (number, cell)
        for number in range(rounds)
        for cell in in_round(scheduled, number)
        if number < cell.rounds(rounds)
    ]
