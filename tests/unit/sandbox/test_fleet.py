# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The seeded fleet: the states that it covers, and that it really is in them."""

from __future__ import annotations

import collections
import contextlib
import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import (
    BROKEN_CLOUD,
    FLEET,
    Cloud,
    Sandbox,
    _seed_documents,
    inventory,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed import ROLE_TAGS
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed_documents import CONTROL_PLANE_POLICY

BY_NAME = {cloud.name: cloud for cloud in FLEET}
BUCKET_ACTIONS = {"s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"}
OBJECT_ACTIONS = {
    "s3:PutObject",
    "s3:GetObject",
    "s3:DeleteObject",
    "s3:ListMultipartUploadParts",
    "s3:AbortMultipartUpload",
}


@pytest.fixture(scope="module")
def fleet(running: Sandbox) -> Sandbox:
    """The sandbox with the fleet in it; the tests only read."""
    running.reset()
    running.seed((*FLEET, BROKEN_CLOUD))
    return running


def trust(sandbox: Sandbox, cloud: Cloud) -> list[dict[str, t.Any]]:
    role = sandbox.client("iam", cloud.account_id).get_role(RoleName=cloud.role_name)["Role"]
    assert role["Arn"] == cloud.role_arn
    statements = role["AssumeRolePolicyDocument"]["Statement"]
    assert isinstance(statements, list)
    return statements


def bucket_statements(sandbox: Sandbox, cloud: Cloud) -> list[dict[str, t.Any]] | None:
    s3 = sandbox.client("s3", cloud.account_id)
    try:
        return list(
            json.loads(s3.get_bucket_policy(Bucket=cloud.bucket_name)["Policy"])["Statement"]
        )
    except s3.exceptions.from_code("NoSuchBucketPolicy"):
        return None


def compute_config(sandbox: Sandbox, cloud: Cloud) -> dict[str, t.Any] | None:
    found = sandbox.organization.templates.search(
        {"cloud_id": cloud.cloud_id, "name": {"equals": cloud.compute_config_name}}
    )
    return dict(found[0]["config"]) if found else None


def profile_roles(sandbox: Sandbox, cloud: Cloud) -> list[str] | None:
    iam = sandbox.client("iam", cloud.account_id)
    try:
        profile = iam.get_instance_profile(InstanceProfileName=cloud.role_name)["InstanceProfile"]
    except iam.exceptions.NoSuchEntityException:
        return None
    assert profile["Arn"] == cloud.instance_profile_arn
    return [role["RoleName"] for role in profile["Roles"]]


def test_fleet_covers_the_states_of_real_fleets() -> None:
    assert (len(FLEET), len({cloud.cloud_id for cloud in FLEET})) == (12, 12)
    assert {cloud.account_id for cloud in FLEET} == {"222222222222", "333333333333"}
    assert {cloud.compute_config for cloud in FLEET} == {
        "missing",
        "in_sync",
        "role_arn",
        "other_profile",
        "hidden_by_worker",
    }
    assert {cloud.bucket_policy for cloud in FLEET} == {
        "none",
        "cloudformation",
        "cloud_foundation",
        "foreign_reader",
        "complete",
    }
    assert {cloud.profile for cloud in FLEET} == {"missing", "empty", "filled"}
    assert {cloud.owner for cloud in FLEET} == {"", "cloudformation", "terraform"}
    assert max(collections.Counter(cloud.bucket_name for cloud in FLEET).values()) == 3


TRUSTS: dict[str, tuple[str, list[tuple[t.Any, t.Any, bool]]]] = {
    "lambda only": (
        "vision-prod",
        [({"Service": "lambda.amazonaws.com"}, "sts:AssumeRole", False)],
    ),
    "manual page": ("vision-dev", [({"Service": ["ec2.amazonaws.com"]}, "sts:AssumeRole", False)]),
    "CloudFormation": (
        "speech-prod",
        [({"Service": "ec2.amazonaws.com"}, "sts:AssumeRole", False)],
    ),
    "list-form Action": (
        "speech-dev",
        [({"Service": "ec2.amazonaws.com"}, ["sts:AssumeRole"], False)],
    ),
    "EC2 with a Condition": (
        "search-prod",
        [({"Service": "ec2.amazonaws.com"}, "sts:AssumeRole", True)],
    ),
    "foreign principal": (
        "search-dev",
        [
            ({"AWS": "arn:aws:iam::444444444444:root"}, "sts:AssumeRole", True),
            ({"Service": "lambda.amazonaws.com"}, "sts:AssumeRole", False),
        ],
    ),
    "EC2 among others": (
        "search-lab",
        [
            (
                {"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]},
                ["sts:AssumeRole", "sts:TagSession"],
                False,
            )
        ],
    ),
}


@pytest.mark.parametrize(("name", "expected"), TRUSTS.values(), ids=TRUSTS)
def test_trust(fleet: Sandbox, name: str, expected: list[tuple[t.Any, t.Any, bool]]) -> None:
    found = trust(fleet, BY_NAME[name])
    assert [
        (in_order(one["Principal"]), in_order(one["Action"]), bool(one.get("Condition")))
        for one in found
    ] == [(in_order(principal), in_order(action), met) for principal, action, met in expected]


def in_order(element: t.Any) -> t.Any:
    """With lists sorted: IAM has an order of its own."""
    if isinstance(element, dict):
        return {kind: in_order(values) for kind, values in element.items()}
    return sorted(element) if isinstance(element, list) else element


BUCKETS: dict[str, tuple[str, list[str] | None]] = {
    "no policy": ("vision-prod", None),
    "CloudFormation": ("speech-prod", [""]),
    "cloud foundation": ("speech-dev", ["AllowSSLRequestsOnly", "AllowAnyscaleResources"]),
    "shared": ("search-prod", ["AnalyticsExport"]),
    "complete": ("genomics-prod", ["ClusterObjects", "ClusterBucket"]),
}


@pytest.mark.parametrize(("name", "sids"), BUCKETS.values(), ids=BUCKETS)
def test_bucket(fleet: Sandbox, name: str, sids: list[str] | None) -> None:
    found = bucket_statements(fleet, BY_NAME[name])
    assert (None if found is None else [one.get("Sid", "") for one in found]) == sids


@pytest.mark.parametrize("cloud", FLEET, ids=[cloud.name for cloud in FLEET])
def test_instance_profile(fleet: Sandbox, cloud: Cloud) -> None:
    assert (
        profile_roles(fleet, cloud)
        == {"missing": None, "empty": [], "filled": [cloud.role_name]}[cloud.profile]
    )


@pytest.mark.parametrize("cloud", FLEET, ids=[cloud.name for cloud in FLEET])
def test_compute_config(fleet: Sandbox, cloud: Cloud) -> None:
    profile = cloud.instance_profile_arn
    other = f"arn:aws:iam::{cloud.account_id}:instance-profile/ray-autoscaler-v1"
    states: dict[str, tuple[str, bool] | None] = {
        "missing": None,
        "in_sync": (profile, False),
        "role_arn": (cloud.role_arn, False),
        "other_profile": (other, False),
        "hidden_by_worker": (profile, True),
    }
    config = compute_config(fleet, cloud)
    found = None
    if config:
        for cluster in (config, *config["deployment_configs"]):
            hidden = any(
                worker["advanced_configurations_json"] for worker in cluster["worker_node_types"]
            )
            found = cluster["advanced_configurations_json"]["IamInstanceProfile"]["Arn"], hidden
            assert found == states[cloud.compute_config]
    assert found == states[cloud.compute_config]


def test_one_cloud_is_in_sync_in_everything(fleet: Sandbox) -> None:
    cloud = BY_NAME["genomics-prod"]
    granted = {
        (action, statement["Resource"])
        for statement in bucket_statements(fleet, cloud) or []
        for action in statement["Action"]
        if (statement["Effect"], statement["Principal"]) == ("Allow", {"AWS": cloud.role_arn})
        and "Condition" not in statement
    }
    bucket = f"arn:aws:s3:::{cloud.bucket_name}"
    assert granted == {(action, bucket) for action in BUCKET_ACTIONS} | {
        (action, f"{bucket}/*") for action in OBJECT_ACTIONS
    }
    (statement,) = trust(fleet, cloud)
    assert (statement["Effect"], statement["Action"], statement["Condition"]) == (
        "Allow",
        "sts:AssumeRole",
        {},
    )
    assert statement["Principal"] == {"Service": ["ec2.amazonaws.com"]}
    assert (cloud.profile, cloud.compute_config) == ("filled", "in_sync")


@pytest.mark.parametrize(
    ("name", "of_role", "of_bucket"),
    [
        ("speech-prod", "anyscale-deploy-environment", "aws:cloudformation:stack-name"),
        ("speech-dev", "tf_module", None),
    ],
)
def test_owner_tags(fleet: Sandbox, name: str, of_role: str | None, of_bucket: str | None) -> None:
    """CloudFormation puts no tags of its own on roles."""
    cloud = BY_NAME[name]
    role = fleet.client("iam", cloud.account_id).get_role(RoleName=cloud.role_name)["Role"]
    assert (of_role in {one["Key"] for one in role.get("Tags", [])}) is bool(of_role)
    assert not any(one["Key"].startswith("aws:") for one in role.get("Tags", []))
    tags = bucket_tags(fleet.client("s3", cloud.account_id), cloud.bucket_name)
    assert (of_bucket in tags) is bool(of_bucket)


@pytest.mark.parametrize("cloud", FLEET, ids=[cloud.name for cloud in FLEET])
def test_control_plane_may_launch_clusters_with_its_role(fleet: Sandbox, cloud: Cloud) -> None:
    documents = inline_policies(
        fleet.client("iam", cloud.account_id), cloud.control_plane_role_name
    )
    statement = documents[CONTROL_PLANE_POLICY]["Statement"][0]
    assert statement["Resource"] == [cloud.role_arn, cloud.instance_profile_arn]
    assert {"iam:PassRole", "iam:GetInstanceProfile"} <= set(statement["Action"])


def test_broken_cloud_has_no_role(fleet: Sandbox) -> None:
    iam = fleet.client("iam", BROKEN_CLOUD.account_id)
    with pytest.raises(iam.exceptions.NoSuchEntityException):
        iam.get_role(RoleName=BROKEN_CLOUD.role_name)
    assert BROKEN_CLOUD.cloud_id in fleet.organization.clouds


def test_inventory(fleet: Sandbox) -> None:
    group = inventory(fleet, (*FLEET, BROKEN_CLOUD))["all"]["children"]["anyscale_clouds"]
    assert list(group["hosts"]) == [*BY_NAME, BROKEN_CLOUD.name]
    assert group["vars"]["ansible_connection"] == "local"
    by_default = group["hosts"]["vision-prod"]
    assert by_default == {
        "cloud_iam_cloud_id": BY_NAME["vision-prod"].cloud_id,
        "cloud_iam_account_id": "222222222222",
        "cloud_iam_region": "us-west-2",
        "cloud_iam_bucket": "anyscale-vision-prod-data",
        "cloud_iam_compute_config": "vision-prod-ray",
        "cloud_iam_assume_role_arn": "arn:aws:iam::222222222222:role/anyscale-onboarding",
    }
    assert (
        group["hosts"]["search-lab"]["cloud_iam_role"]
        == "arn:aws:iam::222222222222:role/ray/lab/search-lab-ray"
    )


@pytest.mark.parametrize("account_id", ["222222222222", "333333333333"])
def test_tooling_account_may_assume_the_onboarding_role(fleet: Sandbox, account_id: str) -> None:
    arn = f"arn:aws:iam::{account_id}:role/anyscale-onboarding"
    granted = fleet.client("sts").assume_role(RoleArn=arn, RoleSessionName="onboard")
    assert (
        granted["AssumedRoleUser"]["Arn"]
        == f"arn:aws:sts::{account_id}:assumed-role/anyscale-onboarding/onboard"
    )


def roles_by_calls(sandbox: Sandbox, cloud: Cloud) -> None:
    """Make a cloud's roles and instance profile by calls of AWS's API."""
    iam = sandbox.client("iam", cloud.account_id)
    trust_of_control_plane = json.dumps(_seed_documents.control_plane_trust(cloud))
    iam.create_role(
        RoleName=cloud.control_plane_role_name, AssumeRolePolicyDocument=trust_of_control_plane
    )
    for name, document in _seed_documents.control_plane_policies(cloud).items():
        iam.put_role_policy(
            RoleName=cloud.control_plane_role_name,
            PolicyName=name,
            PolicyDocument=json.dumps(document),
        )
    if cloud.trust:
        tags = [{"Key": key, "Value": value} for key, value in ROLE_TAGS[cloud.owner].items()]
        document = json.dumps(_seed_documents.trust_policy(cloud))
        iam.create_role(
            RoleName=cloud.role_name,
            Path=cloud.role_path,
            AssumeRolePolicyDocument=document,
            Tags=tags,
        )
    if cloud.profile != "missing":
        iam.create_instance_profile(InstanceProfileName=cloud.role_name)
    if cloud.profile == "filled":
        iam.add_role_to_instance_profile(
            InstanceProfileName=cloud.role_name, RoleName=cloud.role_name
        )


def bucket_by_calls(sandbox: Sandbox, cloud: Cloud) -> None:
    """Make a cloud's bucket and its policy by calls of AWS's API."""
    s3 = sandbox.client("s3", cloud.account_id)
    with contextlib.suppress(s3.exceptions.BucketAlreadyOwnedByYou):
        s3.create_bucket(
            Bucket=cloud.bucket_name, CreateBucketConfiguration={"LocationConstraint": "us-west-2"}
        )
    document = _seed_documents.bucket_policy(cloud)
    if document:
        s3.put_bucket_policy(Bucket=cloud.bucket_name, Policy=json.dumps(document))


def inline_policies(iam: t.Any, role: str) -> dict[str, t.Any]:
    """A role's own policies by their names."""
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return {
        name: iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in names
    }


def bucket_tags(s3: t.Any, bucket: str) -> dict[str, str]:
    """A bucket's tags."""
    try:
        found = s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
    except s3.exceptions.from_code("NoSuchTagSet"):
        return {}
    return {tag["Key"]: tag["Value"] for tag in found}


def plain(shown: t.Any) -> t.Any:
    """What AWS shows, without what differs from one making to the next."""
    if isinstance(shown, list):
        return [plain(item) for item in shown]
    if isinstance(shown, dict):
        passing = (
            "CreateDate",
            "CreationDate",
            "RoleId",
            "InstanceProfileId",
            "RoleLastUsed",
            "ResponseMetadata",
        )
        return {key: plain(value) for key, value in shown.items() if key not in passing}
    return shown


def aws_state(sandbox: Sandbox, account_id: str) -> dict[str, t.Any]:
    """Everything that AWS shows of an account's roles, instance profiles and buckets."""
    iam, s3 = sandbox.client("iam", account_id), sandbox.client("s3", account_id)
    roles = [
        iam.get_role(RoleName=role["RoleName"])["Role"]
        for role in iam.list_roles(MaxItems=1000)["Roles"]
    ]
    state: dict[str, t.Any] = {
        role["RoleName"]: role for role in roles if role["RoleName"] != "anyscale-onboarding"
    }
    state |= {f"policies of {name}": inline_policies(iam, name) for name in state}
    for profile in iam.list_instance_profiles()["InstanceProfiles"]:
        state["profile " + profile["InstanceProfileName"]] = profile
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        acl, location = s3.get_bucket_acl(Bucket=name), s3.get_bucket_location(Bucket=name)
        try:
            policy = s3.get_bucket_policy(Bucket=name)["Policy"]
        except s3.exceptions.from_code("NoSuchBucketPolicy"):
            policy = None
        state["bucket " + name] = [acl, location, policy]
    return t.cast("dict[str, t.Any]", plain(state))


def test_seeded_accounts_are_as_if_made_by_calls(sandbox: Sandbox) -> None:
    sandbox.seed()
    accounts = {cloud.account_id for cloud in FLEET}
    seeded = {account_id: aws_state(sandbox, account_id) for account_id in accounts}
    sandbox.reset()
    for cloud in FLEET:
        roles_by_calls(sandbox, cloud)
        bucket_by_calls(sandbox, cloud)
    for account_id in accounts:
        assert seeded[account_id] == aws_state(sandbox, account_id)


def test_seeded_bucket_policy_is_bound_to_the_seeded_role(sandbox: Sandbox) -> None:
    sandbox.seed()
    cloud = BY_NAME["speech-prod"]
    iam = sandbox.client("iam", cloud.account_id)
    role_id = iam.get_role(RoleName=cloud.control_plane_role_name)["Role"]["RoleId"]
    for name in _seed_documents.control_plane_policies(cloud):
        iam.delete_role_policy(RoleName=cloud.control_plane_role_name, PolicyName=name)
    iam.delete_role(RoleName=cloud.control_plane_role_name)
    (statement,) = bucket_statements(sandbox, cloud) or []
    assert statement["Principal"]["AWS"] == [cloud.role_arn, role_id]


def test_seeding_again_adds_to_shared_accounts(sandbox: Sandbox) -> None:
    sandbox.seed(FLEET[:2])
    sandbox.seed(FLEET[2:])
    roles = sandbox.client("iam", FLEET[0].account_id).list_roles(MaxItems=1000)["Roles"]
    assert [role["RoleName"] for role in roles].count("anyscale-onboarding") == 1


def test_seeding_leaves_no_calls(fleet: Sandbox) -> None:
    assert fleet.calls() == []
