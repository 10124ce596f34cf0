# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A job of AWX in slices, at the same time, each with a home of its own, does what the whole job
does.
"""

from __future__ import annotations

import concurrent.futures
import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Cloud, Sandbox, inventory
from ansible_collections.rayfleet.anyscale.tests.sandbox._compute_templates import ALL_VERSIONS
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import VISION_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.support.awx_runs import Job, run_job, sliced

Json = dict[str, t.Any]

SLICES = 4
# Neighbours by name and by bucket, so that each slice has one of them.
NEIGHBOURS = [
    Cloud(
        f"search-{team}",
        VISION_ACCOUNT,
        role=f"search-{team}-ray",
        trust="lambda_only",
        bucket="anyscale-search-shared",
    )
    for team in ("ads", "docs", "maps", "news")
]
CLOUDS = [*FLEET, *NEIGHBOURS]


# Twelve jobs; what happens to a shared bucket is in tests/reliability/test_races.py, too.
pytestmark = pytest.mark.long


class Comparison(t.NamedTuple):
    """The same fleet, converged as a whole and, from the same beginning, in slices."""

    slices: list[set[str]]
    whole: Json
    in_slices: Json
    onboard: list[Job]
    again: list[Job]
    writes_again: list[Json]
    audit: list[Job]
    merged: Job


@pytest.fixture(scope="module", name="compared")
def _compared(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    folder = tmp_path_factory.mktemp("jobs")
    fleet = inventory(running_sandbox, CLOUDS)

    def run(name: str, inventories: list[Json]) -> list[Job]:
        return _run_at_once(running_sandbox, folder / name, name.partition("-")[0], inventories)

    _begin(running_sandbox)
    run("onboard-whole", [fleet])
    whole = _state(running_sandbox)
    _begin(running_sandbox)
    slices = sliced(fleet, SLICES)
    onboard = run("onboard-sliced", slices)
    in_slices = _state(running_sandbox)
    running_sandbox.clear_calls()
    again, writes = run("onboard-again", slices), running_sandbox.writes()
    audit = run("audit", slices)
    artifacts = {name: value for job in (*onboard, *audit) for name, value in job.published.items()}
    merged = _run(running_sandbox, folder / "merged", "report", fleet, 99, artifacts)
    return Comparison(
        [_names(one) for one in slices], whole, in_slices, onboard, again, writes, audit, merged
    )


def _names(of_slice: Json) -> set[str]:
    return set(of_slice["all"]["children"]["anyscale_clouds"]["hosts"])


def _begin(sandbox: Sandbox) -> None:
    sandbox.reset()
    sandbox.seed(CLOUDS)


def _run_at_once(
    sandbox: Sandbox, folder: Path, playbook: str, inventories: list[Json]
) -> list[Job]:
    with concurrent.futures.ThreadPoolExecutor(len(inventories)) as pool:
        jobs = [
            pool.submit(_run, sandbox, folder / str(number), playbook, of_slice, number)
            for number, of_slice in enumerate(inventories, 1)
        ]
        return [job.result() for job in jobs]


def _run(
    sandbox: Sandbox,
    folder: Path,
    playbook: str,
    of_slice: Json,
    job_id: int,
    artifacts: Json | None = None,
) -> Job:
    folder.mkdir(parents=True)
    variables = {"audit_report_dir": str(folder), **(artifacts or {})}
    environment = sandbox.child_variables()
    return run_job(
        folder,
        of_slice,
        f"playbooks/{playbook}.yml",
        variables=variables,
        environment=environment,
        job_id=job_id,
    )


def _state(sandbox: Sandbox) -> Json:
    """All that the playbook may change, by the names of clouds and buckets. Order within a policy
    does not count.
    """
    state: Json = {}
    for cloud in CLOUDS:
        iam, s3 = sandbox.client("iam", cloud.account_id), sandbox.client("s3", cloud.account_id)
        profile = iam.get_instance_profile(InstanceProfileName=cloud.role_name)["InstanceProfile"]
        versions = sandbox.organization.templates.search(
            {
                "name": {"equals": cloud.compute_config_name},
                "cloud_id": cloud.cloud_id,
                "version": ALL_VERSIONS,
            }
        )
        state[cloud.name] = {
            "trust": _sorted(
                iam.get_role(RoleName=cloud.role_name)["Role"]["AssumeRolePolicyDocument"][
                    "Statement"
                ]
            ),
            "profile": [role["Arn"] for role in profile["Roles"]],
            "compute configs": [version["config"] for version in versions],
        }
        state[cloud.bucket_name] = _sorted(
            json.loads(s3.get_bucket_policy(Bucket=cloud.bucket_name)["Policy"])["Statement"]
        )
    return state


def _sorted(statements: list[Json]) -> list[Json]:
    return sorted(statements, key=lambda statement: json.dumps(statement, sort_keys=True))


def test_the_shared_bucket_is_in_all_slices(compared: Comparison) -> None:
    """As AWX deals hosts out, clouds with a bucket in common are written to by all nodes at the
    same time.
    """
    sharing = {cloud.name for cloud in CLOUDS if cloud.bucket_name == "anyscale-search-shared"}
    assert all(sharing & names for names in compared.slices)
    assert sorted(name for names in compared.slices for name in names) == sorted(
        cloud.name for cloud in CLOUDS
    )


def test_all_slices_succeed(compared: Comparison) -> None:
    """Also those of a second run, of which none has anything to do."""
    jobs = (*compared.onboard, *compared.again, *compared.audit)
    assert [job.exit_status for job in jobs] == [0] * len(jobs), "\n".join(
        job.output for job in jobs if job.exit_status
    )


@pytest.mark.parametrize(
    "name", sorted({name for cloud in CLOUDS for name in (cloud.name, cloud.bucket_name)})
)
def test_the_slices_end_where_the_whole_job_ends(compared: Comparison, name: str) -> None:
    """Each policy, instance profile and compute config, with all its versions."""
    assert compared.in_slices[name] == compared.whole[name]


def test_a_second_run_of_the_slices_writes_nothing(compared: Comparison) -> None:
    """So none of them undid what another had done."""
    assert compared.writes_again == []


def test_a_slice_does_not_know_the_other_slices(compared: Comparison) -> None:
    """Each reports on its own clouds alone."""
    for job, names in zip(compared.onboard, compared.slices, strict=True):
        assert {host for host, _task, _result in job.results} <= names


def test_what_the_slices_publish_adds_up(compared: Comparison) -> None:
    """To one report, in which no cloud is missing or counted twice."""
    assert compared.merged.exit_status == 0, compared.merged.output
    totals = compared.merged.published["anyscale_totals"]
    assert {step: total["jobs"] for step, total in totals.items()} == {
        "onboard": SLICES,
        "audit": SLICES,
    }
    assert (
        sum(totals["audit"]["counts"]["clouds"].values())
        == totals["onboard"]["counts"]["selected"]
        == len(CLOUDS)
    )
