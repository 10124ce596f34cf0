# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The goals, as ratios and counts of what was measured in one run."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.benchmarks._contenders import (
    AMAZON_AWS,
    AUDIT,
    BARE_BOTO3,
    INVENTORY,
    OFFBOARD,
    ONBOARD,
    ROLE,
    Contender,
)
from ansible_collections.rayfleet.anyscale.benchmarks._results import Results, Row
from ansible_collections.rayfleet.anyscale.benchmarks._schedule import (
    AUDITED,
    AUDITED_DRIFTED,
    DRIFTED,
    IN_SYNC,
    LISTED,
    OFFBOARDED,
    SHARED,
    UNSHARED,
    Scenario,
    Sizes,
)

_PUT_BUCKET_POLICY = "s3:PutBucketPolicy"
_MEGABYTES = 150
_GROWTH = 1.2
# Growth by less than this is noise.
_LEAST_GROWTH = 1.0


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


def goals(results: Results, sizes: Sizes) -> list[Goal]:
    """All of them, at the sizes of a run."""
    return [
        *_in_sync(results, sizes),
        *_drifted(results, sizes),
        *_shared(results, sizes),
        *_audit(results, sizes),
        _role(results, sizes),
        *_memory(results, sizes),
        *_linear(results, sizes),
    ]


def _in_sync(results: Results, sizes: Sizes) -> t.Iterator[Goal]:
    for latency_ms, limit in ((20, 0.6), (0, 1.3)):
        for clouds in _different(sizes.medium, sizes.large):
            ratio = _ratio(results, IN_SYNC, latency_ms, clouds, ONBOARD, BARE_BOTO3)
            yield Goal(
                f"all in sync, {clouds} clouds, {latency_ms} ms a call: times the time of bare "
                "boto3",
                limit,
                ratio,
            )


def _drifted(results: Results, sizes: Sizes) -> t.Iterator[Goal]:
    for clouds in _different(sizes.medium, sizes.large):
        text = f"all drifted, {clouds} clouds, 20 ms a call"
        ratio = _ratio(results, DRIFTED, 20, clouds, ONBOARD, BARE_BOTO3)
        yield Goal(f"{text}: times the time of bare boto3", 2.0, ratio)
        ratio = _ratio(results, DRIFTED, 20, clouds, AMAZON_AWS, ONBOARD)
        yield Goal(f"{text}: times faster than amazon.aws", 20, ratio, at_least=True)
        found = results.find(DRIFTED, 20, ONBOARD, clouds)
        yield Goal(f"{text}: calls a cloud", 12, found.calls_per_cloud if found else None)


def _shared(results: Results, sizes: Sizes) -> t.Iterator[Goal]:
    shared, unshared = (
        results.find(scenario, 20, ONBOARD, sizes.sharing) for scenario in (SHARED, UNSHARED)
    )
    text = f"all drifted, {sizes.sharing} clouds on {SHARED.buckets} buckets"
    puts = round(shared.calls.get(_PUT_BUCKET_POLICY, 0) * shared.clouds) if shared else None
    yield Goal(f"{text}: PutBucketPolicy in all", SHARED.buckets, puts)
    ratio = shared.seconds / unshared.seconds if shared and unshared else None
    yield Goal(f"{text}: times the time of {sizes.sharing} buckets", 1.0, ratio)


def _audit(results: Results, sizes: Sizes) -> t.Iterator[Goal]:
    for clouds in _different(sizes.medium, sizes.large):
        audit = results.find(AUDITED, 20, AUDIT, clouds)
        plan = results.find(IN_SYNC, 20, ONBOARD, clouds)
        ratio = audit.seconds / plan.seconds if audit and plan else None
        yield Goal(
            f"audit, all in sync, {clouds} clouds: times the time of onboard's plan", 2.0, ratio
        )
    found = results.find(AUDITED, 20, AUDIT, sizes.large)
    yield Goal(
        f"audit, all in sync, {sizes.large} clouds: calls a cloud",
        # The policy, the tags, the CORS rules and the encryption of a bucket have no page.
        5,
        found.calls_per_cloud if found else None,
    )


def _role(results: Results, sizes: Sizes) -> Goal:
    return Goal(
        f"the role, cloud by cloud, all in sync, {sizes.medium} clouds: times faster than "
        "amazon.aws",
        10,
        _ratio(results, IN_SYNC, 20, sizes.medium, AMAZON_AWS, ROLE),
        at_least=True,
    )


def _memory(results: Results, sizes: Sizes) -> t.Iterator[Goal]:
    """What the controller and the engine, its largest fork, take, and how all together grows."""
    measured = (
        (IN_SYNC, ONBOARD),
        (DRIFTED, ONBOARD),
        (AUDITED, AUDIT),
        (AUDITED_DRIFTED, AUDIT),
        (OFFBOARDED, OFFBOARD),
    )
    for scenario, contender in measured:
        found = results.find(scenario, 20, contender, sizes.large)
        text = f"{scenario.of(contender)}, {sizes.large} clouds: MB"
        yield Goal(f"{text} of the controller", _MEGABYTES, found.controller if found else None)
        yield Goal(f"{text} of the engine", _MEGABYTES, found.fork if found else None)
    for scenario, contender, counts in (
        (IN_SYNC, ONBOARD, (sizes.small, sizes.large, sizes.largest)),
        (DRIFTED, ONBOARD, (sizes.small, sizes.medium, sizes.large)),
        (AUDITED, AUDIT, (sizes.small, sizes.large, sizes.largest)),
        (OFFBOARDED, OFFBOARD, (sizes.small, sizes.medium, sizes.large)),
    ):
        if len(set(counts)) == len(counts):
            rows = [results.find(scenario, 20, contender, clouds) for clouds in counts]
            yield Goal(
                f"{scenario.of(contender)}: memory for each cloud beyond {counts[0]}, at "
                f"{counts[2]} clouds to that at {counts[1]}",
                _GROWTH,
                _growth(*rows),
            )


def _growth(base: Row | None, fewer: Row | None, more: Row | None) -> float | None:
    """How much more memory a cloud takes in the larger of two fleets, beyond what a small fleet
    takes.
    """
    if not (base and fewer and more):
        return None
    small, large = (
        max(_LEAST_GROWTH, row.together - base.together) / (row.clouds - base.clouds)
        for row in (fewer, more)
    )
    return large / small


def _linear(results: Results, sizes: Sizes) -> t.Iterator[Goal]:
    for scenario, contender in ((IN_SYNC, ONBOARD), (AUDITED, AUDIT), (LISTED, INVENTORY)):
        if sizes.largest > sizes.medium:
            small, large = (
                results.find(scenario, 20, contender, clouds)
                for clouds in (sizes.medium, sizes.largest)
            )
            figure = large.seconds_per_cloud / small.seconds_per_cloud if small and large else None
            yield Goal(
                f"{scenario.of(contender)}: time per cloud at {sizes.largest} clouds to that "
                f"at {sizes.medium}",
                _GROWTH,
                figure,
            )


def _different(*sizes: int) -> t.Iterable[int]:
    return dict.fromkeys(sizes)


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
