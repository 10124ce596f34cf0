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
IN_A_SLICE = 3  # of twelve clouds in four slices
KEY = "0123456789abcdef" * 4
REPORT = "Report the outcome of the cloud"
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


def run_for(
    sandbox: Sandbox,
    folder: Path,
    fleet: list[Cloud],
    playbook: str,
    *options: str,
    job_id: int = 1,
    **variables: t.Any,
) -> Job:
    """A job for all clouds of a fleet."""
    folder.mkdir(exist_ok=True)
    return run_job(
        folder,
        inventory(sandbox, fleet),
        f"playbooks/{playbook}.yml",
        *options,
        variables=variables,
        environment={**sandbox.child_variables(), "RAYFLEET_BACKUP_KEY": KEY},
        job_id=job_id,
    )


def onboarded(sandbox: Sandbox, folder: Path, number: int, *options: str) -> Job:
    """A job that onboards so many clouds, all of which have drifted."""
    fleet = drifted_fleet(number)
    sandbox.reset()
    sandbox.seed(fleet)
    job = run_for(sandbox, folder, fleet, "onboard", *options)
    assert job.exit_status == 0, job.output[-2000:]
    assert job.published["anyscale_onboard_1"]["counts"]["changed"] == number
    return job


@pytest.mark.parametrize(
    "number", [IN_A_SLICE, pytest.param(2000, marks=pytest.mark.long)], ids="{} clouds".format
)
def test_a_changed_cloud_costs_little(
    running_sandbox: Sandbox, tmp_path: Path, number: int
) -> None:
    """All of them have drifted, in everything. A few share what a slice costs for itself."""
    job = onboarded(running_sandbox, tmp_path, number)
    print(f"{size_of(job) / number:.0f} bytes a cloud, {len(job.events)} events")
    assert size_of(job) <= MOST_BYTES * number


@pytest.mark.long
def test_a_cloud_costs_little_in_each_playbook(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Also in a slice: an audit that fails for all clouds, and what changes all of them. The playbook
    heal is in test_awx_project.py.
    """
    fleet = drifted_fleet(IN_A_SLICE)
    running_sandbox.reset()
    running_sandbox.seed(fleet)
    jobs: dict[str, Json] = {
        "audit": {"audit_fail_on": "drift", "audit_report_dir": str(tmp_path / "report")},
        "onboard": {},
        "offboard": {"fleet_clouds": "*"},
        "rollback": {"rollback_run": "3", "rollback_force": "yes"},
    }
    for job_id, (playbook, answers) in enumerate(jobs.items(), 1):
        given = {"cloud_iam_backup_dir": str(tmp_path / "backups"), **answers}
        folder = tmp_path / playbook
        job = run_for(running_sandbox, folder, fleet, playbook, job_id=job_id, **given)
        concerned = {host for host, task, _result in job.results if task == REPORT}
        assert concerned == {cloud.name for cloud in fleet}, job.seen
        assert job.exit_status == (2 if playbook == "audit" else 0), job.seen
        print(f"{playbook}: {size_of(job) / IN_A_SLICE:.0f} bytes a cloud")
        assert size_of(job) <= MOST_BYTES * IN_A_SLICE


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
