# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWX stores of a run grows with the clouds that changed, and no faster: each event of a play
names the play's hosts as they are written in the playbook.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox, inventory
from ansible_collections.rayfleet.anyscale.tests.support.awx_runs import (
    Job,
    run_job,
    size_of,
)

Json = dict[str, t.Any]

ACCOUNT = "222222222222"
MOST_BYTES = 10_000  # of a cloud, without a diff
# What grows with the fleet and not with its changes: the names of the selected clouds.
OF_A_NAME = 200


def drifted_fleet(number: int) -> list[Cloud]:
    """Clouds of which each needs all that there is to do."""
    return [
        Cloud(
            f"cloud-{count:04}",
            ACCOUNT,
            role=f"ray-{count:04}",
            trust="foreign_principal",
            bucket=f"anyscale-data-{count:04}",
            bucket_policy="foreign_reader",
        )
        for count in range(number)
    ]


def onboarded(
    sandbox: Sandbox, folder: Path, number: int, *options: str, **variables: t.Any
) -> Job:
    """A job that onboards so many clouds, all of which have drifted."""
    fleet = drifted_fleet(number)
    sandbox.reset()
    sandbox.seed(fleet)
    hosts = inventory(sandbox, fleet)
    environment = sandbox.child_variables()
    job = run_job(
        folder,
        hosts,
        "playbooks/onboard.yml",
        *options,
        variables=variables,
        environment=environment,
    )
    assert job.exit_status == 0, job.output[-2000:]
    assert job.published["anyscale_onboard_1"]["counts"]["changed"] == number
    return job


@pytest.mark.parametrize(
    "number", [8, pytest.param(2000, marks=pytest.mark.long)], ids="{} clouds".format
)
def test_a_changed_cloud_costs_little(
    running_sandbox: Sandbox, tmp_path: Path, number: int
) -> None:
    """All of them have drifted, in everything. Eight share what a job costs for itself, as in a slice."""
    job = onboarded(running_sandbox, tmp_path, number)
    print(f"{size_of(job) / number:.0f} bytes a cloud, {len(job.events)} events")
    assert size_of(job) <= MOST_BYTES * number


def test_it_grows_no_faster_than_the_fleet(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Not with the square of it, as where each event names all hosts."""
    sizes = []
    for number in (12, 24, 48):
        folder = tmp_path / str(number)
        folder.mkdir()
        sizes.append(size_of(onboarded(running_sandbox, folder, number, "--check")))
    first, second = (sizes[1] - sizes[0]) / 12, (sizes[2] - sizes[1]) / 24
    print(f"{sizes}: {first:.0f} and {second:.0f} bytes for each further cloud")
    assert abs(second - first) <= OF_A_NAME
