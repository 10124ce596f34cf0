# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generated fleets: any number of clouds over some accounts, as they should be or drifted."""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import Cloud

ACCOUNTS = tuple(f"{210_000_000_000 + number}" for number in range(10))


def clouds(count: int, accounts: int = len(ACCOUNTS), buckets: int = 0) -> tuple[Cloud, ...]:
    """The clouds of a shape, each with all that the onboarding would give it."""
    if buckets % accounts:
        raise ValueError(f"{buckets} buckets in {accounts} accounts: clouds would share across two")
    return tuple(
        Cloud(
            f"cloud-{number:05}",
            ACCOUNTS[number % accounts],
            trust="ec2_and_lambda",
            bucket=f"anyscale-shared-{number % buckets}-data" if buckets else "",
            bucket_policy="complete",
            profile="filled",
            compute_config="in_sync",
            registry=False,
            cors=False,
        )
        for number in range(count)
    )


def drifted_numbers(count: int, share: float) -> t.Sequence[int]:
    """Which clouds have drifted: a share of them, evenly spread; at least one, if any."""
    if not share:
        return ()
    step = round(1 / share)
    return range(step - 1, count, step) or (count - 1,)


def drifted(cloud: Cloud) -> Cloud:
    """The same cloud after another writer removed EC2 from the trust policy and the role from the
    bucket policy.
    """
    return dataclasses.replace(cloud, trust="lambda_only", bucket_policy="foreign_reader")
