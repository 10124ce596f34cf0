# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook offboard takes a role off its clouds in the safe order, but not the role that a
cloud falls back to.
"""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import bucket_policy_of, trust_of
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    Run,
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import LONG, few_of

OWN = next(cloud for cloud in FLEET if cloud.name == "search-dev")
DEFAULT = next(cloud for cloud in FLEET if cloud.name == "vision-prod")
OTHER = next(cloud for cloud in FLEET if cloud.name == "search-lab")
TRUST, BUCKET, CONFIG = (
    "UpdateAssumeRolePolicy",
    "DeleteBucketPolicy",
    "POST /api/v2/compute_templates/",
)


@pytest.fixture(name="seeded")
def _seeded(running_sandbox: Sandbox) -> Sandbox:
    running_sandbox.reset()
    running_sandbox.seed((OWN, OTHER, DEFAULT))
    return running_sandbox


def offboard(sandbox: Sandbox, inventory: pathlib.Path, *arguments: str) -> Run:
    return run_playbook(sandbox, "offboard", inventory, *arguments)


@pytest.mark.core
def test_a_role_is_taken_off_in_the_safe_order(seeded: Sandbox, tmp_path: pathlib.Path) -> None:
    """What onboarding granted is removed, unmanaged statements stay; the instance profile and the role stay;
    again changes nothing.
    """
    trust, bucket = trust_of(seeded, OWN.role_name), bucket_policy_of(seeded, OWN.bucket_name)
    inventory = inventory_file(tmp_path, seeded, [OWN])
    run_playbook(seeded, "onboard", inventory)
    check = offboard(seeded, inventory, "--check")
    assert (check.exit_status, check.writes) == (0, [])
    run = offboard(seeded, inventory)
    assert run.exit_status == 0, run.output
    assert [call["operation"] for call in run.writes] == [CONFIG, BUCKET, TRUST]
    assert (trust_of(seeded, OWN.role_name), bucket_policy_of(seeded, OWN.bucket_name)) == (
        trust,
        bucket,
    )
    assert seeded.client("iam", OWN.account_id).get_instance_profile(
        InstanceProfileName=OWN.role_name
    )
    again = offboard(seeded, inventory)
    assert (again.exit_status, again.writes) == (0, [])


@pytest.mark.long
def test_it_can_be_rolled_back(seeded: Sandbox, tmp_path: pathlib.Path) -> None:
    inventory = inventory_file(tmp_path, seeded, [OWN])
    run_playbook(seeded, "onboard", inventory)
    trust, bucket = trust_of(seeded, OWN.role_name), bucket_policy_of(seeded, OWN.bucket_name)
    offboard(seeded, inventory, "-e", "cloud_iam_run_id=leaving")
    assert "ec2.amazonaws.com" not in json.dumps(trust_of(seeded, OWN.role_name))
    run = run_playbook(seeded, "rollback", inventory, "-e", "rollback_run=leaving")
    assert run.exit_status == 0, run.output
    assert (trust_of(seeded, OWN.role_name), bucket_policy_of(seeded, OWN.bucket_name)) == (
        trust,
        bucket,
    )


DEFAULTS: dict[str, tuple[t.Any, dict[str, t.Any]]] = {
    "by convention, when no role is named": (DEFAULT, {}),
    "by convention, by its name": (DEFAULT, {"cloud_iam_role": DEFAULT.role_name}),
    "by convention, by its ARN": (DEFAULT, {"cloud_iam_role": DEFAULT.role_arn}),
    "by convention, where another one is registered": (
        DEFAULT,
        {"anyscale_default_role_arn": OTHER.role_arn},
    ),
    "as it is registered, by its name": (
        OTHER,
        {"cloud_iam_role": OTHER.role_name, "anyscale_default_role_arn": OTHER.role_arn},
    ),
    "as it is registered, by its ARN with a path": (
        OTHER,
        {"anyscale_default_role_arn": OTHER.role_arn},
    ),
}


@pytest.mark.parametrize(
    "case",
    few_of(
        DEFAULTS,
        "by convention, when no role is named",
        "as it is registered, by its ARN with a path",
    ),
)
def test_the_default_role_of_a_cloud_is_refused(
    seeded: Sandbox, tmp_path: pathlib.Path, case: str
) -> None:
    cloud, variables = DEFAULTS[case]
    run = offboard(seeded, inventory_file(tmp_path, seeded, [cloud], **variables))
    assert run.failed() == {cloud.name}
    assert run.exit_status == 2
    assert f"{cloud.role_name} is the default role of cloud {cloud.cloud_id}" in run.output
    assert "offboard_default_role" in run.output
    assert not any(
        action == "rayfleet.anyscale.cloud_iam" for _host, action, _result, _name in run.results
    )
    assert (run.writes, run.operations) == ([], {})


Variables = t.Mapping[str, t.Any]


def _two_clouds(
    sandbox: Sandbox,
    folder: pathlib.Path,
    of_the_first: Variables | None = None,
    /,
    **of_the_other: t.Any,
) -> pathlib.Path:
    """An inventory of two clouds with other variables than their own; ``None`` takes one away."""
    inventory = inventory_file(folder, sandbox, [OWN, OTHER])
    content = yaml.safe_load(inventory.read_text())
    hosts = content["all"]["children"]["anyscale_clouds"]["hosts"]
    for name, variables in ((OWN.name, of_the_first or {}), (OTHER.name, of_the_other)):
        hosts[name] = {
            key: value for key, value in {**hosts[name], **variables}.items() if value is not None
        }
    inventory.write_text(yaml.safe_dump(content))
    return inventory


UNKNOWN_ACCOUNT = {"cloud_iam_account_id": None}
SHARED: dict[str, dict[str, t.Any]] = {
    "by its ARN": {"cloud_iam_role": OWN.role_arn},
    "by its name": {"cloud_iam_role": OWN.role_name},
    "by its ARN, which has the account": {"cloud_iam_role": OWN.role_arn, **UNKNOWN_ACCOUNT},
    "by its name, in an unknown account": {
        "cloud_iam_role": OWN.role_name,
        **UNKNOWN_ACCOUNT,
    },
    "as its default role": {"anyscale_default_role_arn": OWN.role_arn},
    "as its default role, which has the account": {
        "anyscale_default_role_arn": OWN.role_arn,
        "cloud_iam_role": "r",
        **UNKNOWN_ACCOUNT,
    },
    "as its default role, and runs with it": {
        "anyscale_default_role_arn": OWN.role_arn,
        "cloud_iam_role": None,
    },
    "as its default role by convention": {"cloud_iam_cloud_id": "cld_other"},
}


@pytest.mark.parametrize("case", few_of(SHARED, "by its ARN", "as its default role by convention"))
def test_a_role_that_another_cloud_needs_is_refused(
    seeded: Sandbox, tmp_path: pathlib.Path, case: str
) -> None:
    name = "cld_other-cluster_node_role" if "convention" in case else OWN.role_name
    inventory = _two_clouds(
        seeded,
        tmp_path,
        {"cloud_iam_role": OWN.role_arn.replace(OWN.role_name, name)},
        **SHARED[case],
    )
    run = offboard(seeded, inventory, "-e", f"offboard_hosts={OWN.name}")
    assert run.failed() == {OWN.name}, run.output
    assert run.exit_status == 2, run.output
    assert f"{name} is also a role of {OTHER.name}, according to" in run.output
    assert "offboard_shared_role" in run.output
    assert (run.writes, run.operations) == ([], {})


@pytest.mark.long
def test_where_its_own_account_is_not_known_the_name_counts(
    seeded: Sandbox, tmp_path: pathlib.Path
) -> None:
    """A role of that name may be the other cloud's, whatever account that one is of."""
    unknown = {"cloud_iam_role": OWN.role_name, **UNKNOWN_ACCOUNT}
    elsewhere = {"cloud_iam_role": OWN.role_name, "cloud_iam_account_id": "999999999999"}
    run = offboard(
        seeded,
        _two_clouds(seeded, tmp_path, unknown, **elsewhere),
        "-e",
        f"offboard_hosts={OWN.name}",
    )
    assert run.failed() == {OWN.name}
    assert f"is also a role of {OTHER.name}, according to" in run.output


@pytest.mark.long
def test_the_default_role_of_a_cloud_of_the_play_is_not_taken_by_another_one(
    seeded: Sandbox, tmp_path: pathlib.Path
) -> None:
    """The other cloud loses another role, or is refused to lose this one; it loses both only on
    request.
    """
    default = {"anyscale_default_role_arn": OWN.role_arn}
    run = offboard(seeded, _two_clouds(seeded, tmp_path, **default), "--check")
    assert run.failed() == {OWN.name}
    assert f"is also a role of {OTHER.name}, according to" in run.output
    inventory = _two_clouds(seeded, tmp_path, **default, cloud_iam_role=OWN.role_arn)
    run = offboard(seeded, inventory, "--check")
    assert run.failed() == {OWN.name, OTHER.name}
    run = offboard(seeded, inventory, "--check", "-e", "offboard_default_role=true")
    assert run.exit_status == 0, run.output


FREE: dict[str, tuple[dict[str, t.Any], list[str]]] = {
    "where the other cloud has another one": ({}, []),
    "where the other cloud has another one, in an unknown account": (UNKNOWN_ACCOUNT, []),
    "where the other one is of another account": (
        {"cloud_iam_role": OWN.role_name, "cloud_iam_account_id": "999999999999"},
        [],
    ),
    "where the other one's default role is of another account": (
        {
            "anyscale_default_role_arn": OWN.role_arn.replace(OWN.account_id, "999999999999"),
            "cloud_iam_account_id": "999999999999",
        },
        [],
    ),
    "where nothing is registered": ({"anyscale_default_role_arn": ""}, []),
    "where it is requested": (
        {"cloud_iam_role": OWN.role_arn},
        ["-e", "offboard_shared_role=true"],
    ),
}


@pytest.mark.parametrize("case", few_of(FREE, "where it is requested"))
def test_a_role_is_deleted_that_no_other_cloud_needs(
    seeded: Sandbox, tmp_path: pathlib.Path, case: str
) -> None:
    of_the_other, arguments = FREE[case]
    inventory = _two_clouds(seeded, tmp_path, **of_the_other)
    run = offboard(seeded, inventory, "-e", f"offboard_hosts={OWN.name}", "--check", *arguments)
    assert run.exit_status == 0, run.output
    assert run.result(OWN.name, "cloud_iam"), run.output


def test_a_role_that_its_clouds_share_is_deleted_with_all_of_them(
    seeded: Sandbox, tmp_path: pathlib.Path
) -> None:
    run = offboard(seeded, _two_clouds(seeded, tmp_path, cloud_iam_role=OWN.role_arn), "--check")
    assert run.exit_status == 0, run.output


@pytest.mark.long
def test_the_default_role_is_deleted_on_request(seeded: Sandbox, tmp_path: pathlib.Path) -> None:
    inventory = inventory_file(
        tmp_path, seeded, [DEFAULT], anyscale_default_role_arn=DEFAULT.role_arn
    )
    run_playbook(seeded, "onboard", inventory)
    run = offboard(seeded, inventory, "-e", "offboard_default_role=true")
    assert run.exit_status == 0, run.output
    assert len(run.writes) == 3, run.output


@pytest.mark.long
def test_another_role_than_the_registered_one_is_deleted(
    seeded: Sandbox, tmp_path: pathlib.Path
) -> None:
    """A registry that knows nothing (null) forbids nothing; the refusal of one cloud is not
    another's.
    """
    inventory = inventory_file(tmp_path, seeded, [OWN, DEFAULT], anyscale_default_role_arn=None)
    run_playbook(seeded, "onboard", inventory)
    content = inventory.read_text().replace(
        f"{OWN.name}:", f"{OWN.name}:\n          anyscale_default_role_arn: null", 1
    )
    inventory.write_text(content)
    run = offboard(seeded, inventory)
    assert run.failed() == {DEFAULT.name}
    assert len(run.writes) == 3


@pytest.mark.parametrize("limit", few_of([[], ["--limit", OWN.name]], []), ids=["all", "limited"])
def test_a_pattern_that_matches_no_cloud_is_an_error(
    seeded: Sandbox, tmp_path: pathlib.Path, limit: list[str]
) -> None:
    """A name that is mistyped must not look like a role that is gone."""
    run = offboard(
        seeded, inventory_file(tmp_path, seeded, [OWN]), "-e", "offboard_hosts=serach-dev", *limit
    )
    assert run.exit_status == 4
    assert run.operations == {}
    assert (
        "No host in the inventory matches serach-dev: there is no cloud to offboard." in run.output
    )


@pytest.mark.parametrize(
    ("limit", "status"),
    [([], 2), pytest.param(["--limit", OWN.name], 4, marks=LONG)],
    ids=["all", "limited"],
)
def test_an_inventory_without_a_host_is_an_error(
    seeded: Sandbox, tmp_path: pathlib.Path, limit: list[str], status: int
) -> None:
    run = offboard(seeded, inventory_file(tmp_path, seeded, []), *limit)
    assert run.exit_status == status
    assert (
        "No host in the inventory matches" if limit else "The inventory has no hosts."
    ) in run.output
