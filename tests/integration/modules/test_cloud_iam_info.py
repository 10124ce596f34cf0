# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""cloud_iam_info against the sandbox: the seeded fleet, each check with a problem made on purpose,
and each read refused.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import typing as t
from pathlib import Path

import boto3
import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.requests import permission_of
from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed_documents import (
    CONTROL_PLANE_POLICY,
    REGISTRY_POLICY,
    account_trust,
    compute_config,
    control_plane_policies,
)
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    LAMBDA,
    OTHER_ACCOUNT,
    REGION,
    Json,
    bucket_policy_of,
    delete_role,
    make_bucket,
    make_role,
    policy,
    put_bucket_policy,
    put_trust,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    Run,
    documented_returns,
    failure,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    inventory_file,
    run_playbook,
)

CLOUD = Cloud(
    "vision",
    ACCOUNT,
    role="ray-team-a",
    trust="manual_page",
    bucket_policy="complete",
    profile="filled",
    compute_config="in_sync",
)
ASKED: Json = {
    "cloud_id": CLOUD.cloud_id,
    "account_id": ACCOUNT,
    "compute_config": [CLOUD.compute_config_name],
    "authority": {"covered": True},
}
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
OTHER_PROFILE = f"arn:aws:iam::{ACCOUNT}:instance-profile/ray-autoscaler-v1"
ALL_IDS = [check.id for check in CHECKS]
# Those of launches, which are made on request, are in test_cloud_launches_info.py.
IDS = [check.id for check in CHECKS if not check.is_opt_in]
DENY_TO_ALL = {
    "Sid": "Lock",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": f"arn:aws:s3:::{CLOUD.bucket_name}/*",
}
RESOURCES, MAPPING = (
    "GET /api/v2/clouds/{id}/resources",
    "GET /api/v2/clouds/{id}/deployment/{id}/config",
)
SCHEDULER = "GET /api/v2/scheduler/config"
SEARCH = "POST /api/v2/compute_templates/search"


def let_anyscale_launch(sandbox: Sandbox, cloud: Cloud = CLOUD) -> None:
    """What Anyscale's module for Terraform gives the control-plane role: an attached policy, here
    in its second version.
    """
    iam = sandbox.client("iam", ACCOUNT)
    grant = {
        "Sid": "IAM",
        "Effect": "Allow",
        "Action": ["iam:PassRole", "iam:GetInstanceProfile"],
        "Resource": [cloud.role_arn, cloud.instance_profile_arn, OTHER_PROFILE],
    }
    name = f"{CLOUD.name}-control-plane"
    arn = iam.create_policy(
        PolicyName=name, PolicyDocument=json.dumps(policy({**grant, "Action": "ec2:*"}))
    )["Policy"]["Arn"]
    iam.create_policy_version(
        PolicyArn=arn, PolicyDocument=json.dumps(policy(grant)), SetAsDefault=True
    )
    iam.attach_role_policy(RoleName=CLOUD.control_plane_role_name, PolicyArn=arn)
    (_passing, *managing) = control_plane_policies(CLOUD)[CONTROL_PLANE_POLICY]["Statement"]
    put_role_policy(sandbox, CLOUD.control_plane_role_name, *managing, name=CONTROL_PLANE_POLICY)


def put_role_policy(sandbox: Sandbox, role: str, *statements: Json, name: str = "team") -> None:
    """An inline policy of a role, in place of the one of that name."""
    sandbox.client("iam", ACCOUNT).put_role_policy(
        RoleName=role, PolicyName=name, PolicyDocument=json.dumps(policy(*statements))
    )


def bound(sandbox: Sandbox, role: str, *statements: Json) -> None:
    """Give a role a permissions boundary."""
    iam = sandbox.client("iam", ACCOUNT)
    iam.create_policy(PolicyName="boundary", PolicyDocument=json.dumps(policy(*statements)))
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=BOUNDARY)


def resource_of(sandbox: Sandbox, cloud: Cloud = CLOUD) -> Json:
    """The cloud's primary resource, to be changed in place."""
    return t.cast(Json, sandbox.organization.resources[cloud.cloud_id][0])


def publish(sandbox: Sandbox, state: str) -> None:
    """A new version of the compute config, as a cloud in another state has it."""
    sandbox.organization.create_template(
        t.cast(Json, compute_config(dataclasses.replace(CLOUD, compute_config=state)))
    )


def look(run: Run, **options: t.Any) -> dict[str, Json]:
    """The checks by their ids."""
    result = run("cloud_iam_info", **{**ASKED, **options})
    assert not result.get("failed"), result.get("msg")
    return {check["id"]: check for check in result["checks"]}


def statuses(
    checks: t.Mapping[str, Json], but: t.Collection[str] = ("pass", "not_applicable")
) -> dict[str, str]:
    """The statuses that stand out."""
    return {name: check["status"] for name, check in checks.items() if check["status"] not in but}


@pytest.fixture
def in_sync(sandbox: Sandbox) -> Sandbox:
    """A cloud in sync."""
    sandbox.seed((CLOUD,))
    let_anyscale_launch(sandbox)
    sandbox.clear_calls()
    return sandbox


# --- a cloud in sync, and the fleet ---------------------------------------------------------------


@pytest.mark.parametrize("check", [False, True], ids=["for real", "in check mode"])
def test_a_cloud_in_sync_passes_every_check(in_sync: Sandbox, run_module: Run, check: bool) -> None:
    result = run_module("cloud_iam_info", check=check, **ASKED)
    assert [one["id"] for one in result["checks"]] == IDS
    assert {one["status"] for one in result["checks"]} == {"pass"}
    assert result["changed"] is False
    assert result["warnings"] == []
    assert in_sync.writes() == []


def test_what_is_returned_is_documented(in_sync: Sandbox, run_module: Run) -> None:
    returns = documented_returns("cloud_iam_info")
    result = run_module("cloud_iam_info", **ASKED)
    assert set(result) - {"changed", "warnings", "invocation"} == {"cloud", "checks"}
    assert set(result["cloud"]) == set(returns["cloud"]["contains"])
    assert {key for check in result["checks"] for key in check} == set(
        returns["checks"]["contains"]
    )
    assert (
        re.findall(r"V\((\w+)\)", " ".join(returns["checks"]["contains"]["id"]["description"]))
        == ALL_IDS
    )
    assert set(result["cloud"]["compute_configs"][0]) == set(
        returns["cloud"]["contains"]["compute_configs"]["contains"]
    )


def test_what_is_returned_about_the_cloud(in_sync: Sandbox, run_module: Run) -> None:
    by_id, by_name = (
        run_module(
            "cloud_iam_info",
            **options,
            account_id=ACCOUNT,
            compute_config=[CLOUD.compute_config_name],
        )["cloud"]
        for options in ({"cloud_id": CLOUD.cloud_id}, {"cloud": CLOUD.name})
    )
    assert by_id == by_name
    role_id, config_id = by_id["role"].pop("id"), by_id["compute_configs"][0].pop("id")
    assert role_id.startswith("AROA")
    assert config_id.startswith("cpt_")
    group = {
        "deployment": f"vm-aws-{REGION}",
        "instance_profile_arn": CLOUD.instance_profile_arn,
        "decided_by": "compute_config",
        "alternatives": [],
    }
    assert by_id == {
        "cloud_id": CLOUD.cloud_id,
        "cloud_name": CLOUD.name,
        "account_id": ACCOUNT,
        "region": REGION,
        "default_role_arn": CLOUD.role_arn,
        "default_role_source": "registered",
        "role": {
            "arn": CLOUD.role_arn,
            "name": CLOUD.role_name,
            "path": "/",
            "permissions_boundary": None,
        },
        "instance_profiles": [
            {"name": CLOUD.role_name, "arn": CLOUD.instance_profile_arn, "roles": [CLOUD.role_arn]}
        ],
        "bucket": {"name": CLOUD.bucket_name, "region": REGION, "account_id": ACCOUNT},
        "control_plane_role_arn": CLOUD.control_plane_role_arn,
        "compute_configs": [
            {
                "name": CLOUD.compute_config_name,
                "version": 1,
                "node_groups": [
                    {"node_group": "head_node", **group},
                    {"node_group": "cpu", **group},
                ],
            }
        ],
        "iam_mappings": [],
        "further_roles": [],
    }


NO_TRUST = {"trust_ec2": "fail", "trust_anyscale_verify": "fail"}
NO_PROFILE = {"instance_profile_exists": "fail"}
NO_ACCESS = {"bucket_access": "fail"}
PART_OF_ACCESS = {"bucket_access": "warn"}
NO_CONFIG = {"compute_config_override": "fail"}
OTHER_CONFIG = {"compute_config_override": "fail", "effective_profile": "fail"}
ROLE_AS_PROFILE = {"compute_config_override": "fail", "compute_config_arn_kind": "fail"}
FOUND: dict[str, dict[str, str]] = {
    "vision-prod": {**NO_TRUST, **NO_PROFILE, **NO_ACCESS, **NO_CONFIG},
    "vision-dev": {**NO_ACCESS, **ROLE_AS_PROFILE, "effective_profile": "warn"},
    "speech-prod": {**PART_OF_ACCESS, **NO_CONFIG, "document_owner": "warn"},
    "speech-dev": {"trust_anyscale_verify": "fail", **OTHER_CONFIG, "document_owner": "warn"},
    "search-prod": {"trust_ec2": "warn", **NO_ACCESS},
    "search-dev": {**NO_TRUST, **NO_PROFILE, **NO_ACCESS, **NO_CONFIG},
    "search-lab": {
        "trust_anyscale_verify": "fail",
        "instance_profile_role": "fail",
        **NO_ACCESS,
        **NO_CONFIG,
    },
    "genomics-prod": {},
    "genomics-dev": {"compute_config_override": "warn"},
    "forecast-prod": OTHER_CONFIG,
    "forecast-dev": {
        **NO_TRUST,
        **NO_PROFILE,
        **NO_ACCESS,
        **ROLE_AS_PROFILE,
        "effective_profile": "fail",
    },
    "robotics-prod": {**NO_TRUST, **PART_OF_ACCESS, **NO_CONFIG},
}


def test_the_fleet(sandbox: Sandbox, run_module: Run) -> None:
    """Each cloud as it is seeded."""
    sandbox.seed(FLEET)
    found = {
        cloud.name: statuses(
            look(
                run_module,
                cloud_id=cloud.cloud_id,
                account_id=cloud.account_id,
                compute_config=[cloud.compute_config_name],
                access_key=sandbox.credentials(cloud.account_id)["aws_access_key_id"],
                secret_key="sandbox",
            )
        )
        for cloud in FLEET
    }
    assert found == FOUND
    assert sandbox.writes() == []


def test_the_role_s_entry_point_in_the_worker(sandbox: Sandbox, tmp_path: Path) -> None:
    """As an audit runs it: one task for each cloud, and no more calls than as a module."""
    clouds = [cloud for cloud in FLEET if cloud.name in ("genomics-prod", "speech-dev")]
    sandbox.seed(clouds)
    tasks = [
        {
            "ansible.builtin.import_role": {
                "name": "rayfleet.anyscale.cloud_iam",
                "tasks_from": "info",
            }
        }
    ]
    show = {
        "name": "Show",
        "ansible.builtin.debug": {"var": "cloud_iam_info_result.cloud.cloud_name"},
    }
    play = {"hosts": "all", "gather_facts": False, "tasks": [*tasks, show]}
    (tmp_path / "audit.yml").write_text(json.dumps([play]))
    run = run_playbook(
        sandbox, str(tmp_path / "audit.yml"), inventory_file(tmp_path, sandbox, clouds)
    )
    assert run.exit_status == 0, run.output
    for cloud in clouds:
        result = run.result(cloud.name, "cloud_iam_info")
        assert statuses({check["id"]: check for check in result["checks"]}) == FOUND[cloud.name]
    assert {shown["cloud_iam_info_result.cloud.cloud_name"] for shown in run.named("Show")} == {
        cloud.name for cloud in clouds
    }
    assert run.writes == []


# --- problems made on purpose ---------------------------------------------------------------------


def no_trust(sandbox: Sandbox) -> None:
    put_trust(sandbox, policy(LAMBDA), CLOUD.role_name)


def trust_that_crashes_anyscale_s_check(sandbox: Sandbox) -> None:
    ec2 = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    put_trust(
        sandbox,
        policy(
            ec2,
            {
                "Effect": "Allow",
                "NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
                "Action": "sts:AssumeRole",
            },
        ),
        CLOUD.role_name,
    )


def no_role(sandbox: Sandbox) -> None:
    iam = sandbox.client("iam", ACCOUNT)
    iam.remove_role_from_instance_profile(
        RoleName=CLOUD.role_name, InstanceProfileName=CLOUD.role_name
    )
    for attached in iam.list_attached_role_policies(RoleName=CLOUD.role_name)["AttachedPolicies"]:
        iam.detach_role_policy(RoleName=CLOUD.role_name, PolicyArn=attached["PolicyArn"])
    iam.delete_role(RoleName=CLOUD.role_name)


def control_plane_elsewhere(sandbox: Sandbox) -> None:
    resource_of(sandbox)["aws_config"]["anyscale_iam_role_id"] = (
        CLOUD.control_plane_role_arn.replace(ACCOUNT, OTHER_ACCOUNT)
    )


def narrow_boundary(sandbox: Sandbox) -> None:
    bound(
        sandbox,
        CLOUD.role_name,
        {"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"},
    )


def no_profile(sandbox: Sandbox) -> None:
    iam = sandbox.client("iam", ACCOUNT)
    iam.remove_role_from_instance_profile(
        RoleName=CLOUD.role_name, InstanceProfileName=CLOUD.role_name
    )
    iam.delete_instance_profile(InstanceProfileName=CLOUD.role_name)


def another_profile(sandbox: Sandbox) -> None:
    no_profile(sandbox)
    iam = sandbox.client("iam", ACCOUNT)
    iam.create_instance_profile(InstanceProfileName="ray-autoscaler-v1")
    iam.add_role_to_instance_profile(
        RoleName=CLOUD.role_name, InstanceProfileName="ray-autoscaler-v1"
    )


def another_role_in_the_profile(sandbox: Sandbox) -> None:
    make_role(sandbox, "another")
    iam = sandbox.client("iam", ACCOUNT)
    iam.remove_role_from_instance_profile(
        RoleName=CLOUD.role_name, InstanceProfileName=CLOUD.role_name
    )
    iam.add_role_to_instance_profile(RoleName="another", InstanceProfileName=CLOUD.role_name)


def no_launching(sandbox: Sandbox) -> None:
    refusal = {
        "Sid": "OnlyOurRoles",
        "Effect": "Deny",
        "Action": "iam:PassRole",
        "NotResource": f"arn:aws:iam::{ACCOUNT}:role/ours/*",
    }
    put_role_policy(sandbox, CLOUD.control_plane_role_name, refusal)


def bounded_launching(sandbox: Sandbox) -> None:
    bound(
        sandbox,
        CLOUD.control_plane_role_name,
        {"Effect": "Allow", "Action": ["ec2:*", "iam:PassRole"], "Resource": "*"},
    )


def launching_in_one_region(sandbox: Sandbox) -> None:
    condition = {"StringNotEquals": {"aws:RequestedRegion": REGION}}
    refusal = {
        "Sid": "OneRegion",
        "Effect": "Deny",
        "Action": "*",
        "Resource": "*",
        "Condition": condition,
    }
    put_role_policy(sandbox, CLOUD.control_plane_role_name, refusal)


def another_account_trusted(sandbox: Sandbox) -> None:
    put_trust(sandbox, account_trust(OTHER_ACCOUNT), CLOUD.control_plane_role_name)


def any_role_passed(sandbox: Sandbox) -> None:
    statement = {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "*"}
    put_role_policy(sandbox, CLOUD.control_plane_role_name, statement)


def _without_policy(sandbox: Sandbox, name: str) -> None:
    sandbox.client("iam", ACCOUNT).delete_role_policy(
        RoleName=CLOUD.control_plane_role_name, PolicyName=name
    )


def no_instances(sandbox: Sandbox) -> None:
    _without_policy(sandbox, CONTROL_PLANE_POLICY)


def no_services(sandbox: Sandbox) -> None:
    _without_policy(sandbox, "Anyscale_IAM_Policy_Service_Steady_State")


def no_registry(sandbox: Sandbox) -> None:
    sandbox.client("iam", ACCOUNT).detach_role_policy(
        RoleName=CLOUD.role_name, PolicyArn=f"arn:aws:iam::aws:policy/{REGISTRY_POLICY}"
    )


def encrypted(sandbox: Sandbox) -> str:
    """A key of the customer's for the bucket, which is used by whoever the account allows."""
    key = sandbox.client("kms", ACCOUNT).create_key()["KeyMetadata"]["Arn"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    sandbox.client("s3", ACCOUNT).put_bucket_encryption(
        Bucket=CLOUD.bucket_name,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
        },
    )
    return str(key)


def key_forgotten(sandbox: Sandbox) -> None:
    encrypted(sandbox)


def no_cors(sandbox: Sandbox) -> None:
    sandbox.client("s3", ACCOUNT).delete_bucket_cors(Bucket=CLOUD.bucket_name)


def no_access(sandbox: Sandbox) -> None:
    sandbox.client("s3", ACCOUNT).delete_bucket_policy(Bucket=CLOUD.bucket_name)


def no_access_of_anyscale(sandbox: Sandbox) -> None:
    _without_policy(sandbox, "S3BucketAccess")


def access_by_the_role(sandbox: Sandbox) -> None:
    no_access(sandbox)
    put_role_policy(
        sandbox,
        CLOUD.role_name,
        {"Effect": "Allow", "Action": "s3:*", "Resource": f"arn:aws:s3:::{CLOUD.bucket_name}*"},
    )


def denied_by_the_bucket(sandbox: Sandbox) -> None:
    put_bucket_policy(sandbox, CLOUD.bucket_name, policy(*_statements(sandbox), DENY_TO_ALL))


def denied_by_the_role(sandbox: Sandbox) -> None:
    put_role_policy(
        sandbox, CLOUD.role_name, {"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "*"}
    )


def deleted_principal(sandbox: Sandbox) -> None:
    arn = make_role(sandbox, "former")
    resource = f"arn:aws:s3:::{CLOUD.bucket_name}/*"
    reader = {
        "Sid": "Former",
        "Effect": "Allow",
        "Principal": {"AWS": arn},
        "Action": "s3:GetObject",
        "Resource": resource,
    }
    put_bucket_policy(sandbox, CLOUD.bucket_name, policy(*_statements(sandbox), reader))
    delete_role(sandbox, "former")


def another_region(sandbox: Sandbox) -> None:
    resource_of(sandbox)["region"] = "eu-west-1"


def another_bucket(sandbox: Sandbox) -> None:
    resource_of(sandbox)["object_storage"]["bucket_name"] = "s3://another-bucket"


def role_as_profile(sandbox: Sandbox) -> None:
    publish(sandbox, "role_arn")


def other_override(sandbox: Sandbox) -> None:
    publish(sandbox, "other_profile")


def hidden_override(sandbox: Sandbox) -> None:
    """The group of workers with an instance configuration of its own falls back to what the cloud
    names.
    """
    publish(sandbox, "hidden_by_worker")
    resource_of(sandbox)["aws_config"]["cluster_instance_profile_id"] = OTHER_PROFILE


def registered_profile(sandbox: Sandbox) -> None:
    """The role is in the profile that is registered for the cloud alone, and clusters use that one."""
    iam = sandbox.client("iam", ACCOUNT)
    iam.remove_role_from_instance_profile(
        InstanceProfileName=CLOUD.role_name, RoleName=CLOUD.role_name
    )
    iam.delete_instance_profile(InstanceProfileName=CLOUD.role_name)
    name = OTHER_PROFILE.rpartition("/")[2]
    iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=CLOUD.role_name)
    resource_of(sandbox)["aws_config"]["cluster_instance_profile_id"] = OTHER_PROFILE
    publish(sandbox, "other_profile")


def archived(sandbox: Sandbox) -> None:
    template = sandbox.organization.templates.search(
        {"name": {"equals": CLOUD.compute_config_name}}
    )[0]
    sandbox.organization.templates.set_archived(template["id"], True)


def mapping(sandbox: Sandbox) -> None:
    resource = resource_of(sandbox)
    rules = [{"selector": "project=ml", "value": "team-b-ray"}]
    sandbox.organization.mappings[resource["cloud_resource_id"]] = {
        "dataplane_iam_mapping": {
            "mode": "CUSTOMER_MANAGED",
            "rules": rules,
            "fallback_rule": "CLOUD_DEFAULT",
        }
    }


def tagged_role(sandbox: Sandbox) -> None:
    tags = [{"Key": "managed_by", "Value": "Terraform"}]
    sandbox.client("iam", ACCOUNT).tag_role(RoleName=CLOUD.role_name, Tags=tags)
    ours = {
        "Sid": "AnyscaleEC2Trust",
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    put_trust(sandbox, policy(ours), CLOUD.role_name)


def tagged_bucket(sandbox: Sandbox) -> None:
    tags = {"TagSet": [{"Key": "tf_module", "Value": "cloudfoundation"}]}
    sandbox.client("s3", ACCOUNT).put_bucket_tagging(Bucket=CLOUD.bucket_name, Tagging=tags)


def tagged_bucket_with_ours(sandbox: Sandbox) -> None:
    tagged_bucket(sandbox)
    statements = [{**raw, "Sid": f"Team{index}"} for index, raw in enumerate(_statements(sandbox))]
    bucket = f"arn:aws:s3:::{CLOUD.bucket_name}"
    actions = [action for raw in statements for action in raw["Action"]]
    ours = {
        "Sid": "AnyscaleClusterAccess",
        "Effect": "Allow",
        "Principal": {"AWS": [CLOUD.role_arn]},
        "Action": actions,
        "Resource": [bucket, f"{bucket}/*"],
    }
    put_bucket_policy(sandbox, CLOUD.bucket_name, policy(*statements, ours))


def _statements(sandbox: Sandbox) -> list[Json]:
    document = bucket_policy_of(sandbox, CLOUD.bucket_name)
    return list(document["Statement"]) if document else []


PLANE = [
    "control_plane_pass_role",
    "control_plane_get_instance_profile",
    "control_plane_pass_role_width",
    "control_plane_instances",
    "control_plane_services",
    "control_plane_bucket_access",
]
NO_LAUNCH = {"control_plane_pass_role": "fail", "control_plane_get_instance_profile": "fail"}
# What is done, and all that is found then.
PROBLEMS: dict[t.Callable[[Sandbox], None], dict[str, str]] = {
    no_trust: NO_TRUST,
    trust_that_crashes_anyscale_s_check: {"trust_anyscale_verify": "fail"},
    no_role: {"trust_ec2": "fail", "bucket_dangling_principals": "warn"},
    control_plane_elsewhere: {
        "role_account": "fail",
        "control_plane_trust": "unknown",
        **dict.fromkeys(PLANE, "unknown"),
    },
    narrow_boundary: {"permissions_boundary": "fail", "container_registry_access": "warn"},
    no_profile: {"instance_profile_exists": "fail", "effective_profile": "fail"},
    another_profile: {
        "instance_profile_exists": "fail",
        "instance_profile_name": "fail",
        "effective_profile": "fail",
    },
    another_role_in_the_profile: {"instance_profile_role": "fail", "effective_profile": "fail"},
    no_launching: {"control_plane_pass_role": "fail"},
    bounded_launching: {
        "control_plane_get_instance_profile": "fail",
        "control_plane_instances": "warn",
        "control_plane_services": "warn",
        "control_plane_bucket_access": "fail",
    },
    launching_in_one_region: {
        "control_plane_pass_role": "warn",
        "control_plane_get_instance_profile": "warn",
        "control_plane_bucket_access": "warn",
    },
    another_account_trusted: {"control_plane_trust": "fail"},
    any_role_passed: {"control_plane_pass_role_width": "warn"},
    no_instances: {"control_plane_instances": "fail"},
    no_services: {"control_plane_services": "warn"},
    no_registry: {"container_registry_access": "warn"},
    no_cors: {"bucket_cors": "warn"},
    key_forgotten: {"bucket_key": "fail"},
    no_access: NO_ACCESS,
    access_by_the_role: {},
    no_access_of_anyscale: {"control_plane_bucket_access": "fail"},
    denied_by_the_bucket: {"bucket_deny": "fail", "control_plane_bucket_access": "fail"},
    denied_by_the_role: {"bucket_deny": "fail"},
    deleted_principal: {"bucket_dangling_principals": "warn"},
    another_region: {"bucket_region": "fail"},
    role_as_profile: {**ROLE_AS_PROFILE, "effective_profile": "warn"},
    other_override: OTHER_CONFIG,
    registered_profile: {},
    hidden_override: OTHER_CONFIG,
    archived: NO_CONFIG,
    # The rule names a role that does not exist.
    mapping: {
        "effective_profile": "warn",
        "trust_ec2": "fail",
        "instance_profile_exists": "fail",
    },
    tagged_role: {"document_owner": "warn"},
    tagged_bucket: {},
    tagged_bucket_with_ours: {"document_owner": "warn"},
}


@pytest.mark.parametrize("problem", PROBLEMS, ids=[problem.__name__ for problem in PROBLEMS])
def test_a_problem_is_found(
    in_sync: Sandbox, run_module: Run, problem: t.Callable[[Sandbox], None]
) -> None:
    problem(in_sync)
    assert statuses(look(run_module)) == PROBLEMS[problem]
    assert in_sync.writes() == []


def test_sessions_that_were_revoked_are_no_problem(in_sync: Sandbox, run_module: Run) -> None:
    """The policy that IAM's console leaves denies nothing to sessions that begin later."""
    before = {"DateLessThan": {"aws:TokenIssueTime": "2024-05-01T09:30:00.123Z"}}
    revoked = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": before}
    for role in (CLOUD.role_name, CLOUD.control_plane_role_name):
        put_role_policy(in_sync, role, revoked)
    assert statuses(look(run_module)) == {}


def test_each_check_is_found_failing_somewhere() -> None:
    somewhere = {check for found in (*FOUND.values(), *PROBLEMS.values()) for check in found}
    assert set(IDS) - somewhere == {"authority", "bucket_account"}  # which have tests of their own


BUCKETS: dict[str, tuple[str, Json]] = {
    "none of that name": ("no-such-bucket", {"bucket_account": "fail"}),
    "another account's": ("others-bucket", {"bucket_account": "fail"}),
    "not the cloud's": (
        "spare-bucket",
        {
            **{"bucket_account": "warn", "bucket_cors": "warn"},
            **dict.fromkeys(["bucket_access", "control_plane_bucket_access"], "fail"),
        },
    ),
}


@pytest.mark.parametrize(("bucket", "found"), BUCKETS.values(), ids=list(BUCKETS))
def test_a_wrong_bucket(in_sync: Sandbox, run_module: Run, bucket: str, found: Json) -> None:
    make_bucket(in_sync, "others-bucket", account=OTHER_ACCOUNT)
    make_bucket(in_sync, "spare-bucket")
    checks = look(run_module, bucket=bucket)
    assert statuses(checks) == found
    assert bucket in checks["bucket_account"]["reason"]


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1", REGION])
def test_the_region_of_a_bucket(in_sync: Sandbox, run_module: Run, region: str) -> None:
    in_sync.accounts.add_bucket(ACCOUNT, "a-bucket-somewhere", region, None)
    assert (
        run_module("cloud_iam_info", **ASKED, bucket="a-bucket-somewhere")["cloud"]["bucket"][
            "region"
        ]
        == region
    )


def test_a_statement_that_grants_to_the_role_s_id(in_sync: Sandbox, run_module: Run) -> None:
    """Once a deleted role is made again: the grant seems to match until it is read, and is
    another's.
    """
    iam = in_sync.client("iam", ACCOUNT)
    no_role(in_sync)
    iam.create_role(RoleName=CLOUD.role_name, AssumeRolePolicyDocument=json.dumps(policy(LAMBDA)))
    assert {"bucket_access": "fail", "bucket_dangling_principals": "warn"}.items() <= statuses(
        look(run_module)
    ).items()


def test_the_remedies_fix_the_cloud(in_sync: Sandbox, run_module: Run) -> None:
    """The statements for the control plane, as they are printed; the other modules do the rest."""
    iam = in_sync.client("iam", ACCOUNT)
    iam.detach_role_policy(
        RoleName=CLOUD.control_plane_role_name,
        PolicyArn=f"arn:aws:iam::{ACCOUNT}:policy/vision-control-plane",
    )
    checks = look(run_module)
    assert statuses(checks) == NO_LAUNCH
    put_role_policy(
        in_sync,
        CLOUD.control_plane_role_name,
        *(json.loads(checks[name]["remedy"]) for name in NO_LAUNCH),
    )
    assert statuses(look(run_module)) == {}


# --- reads that are refused -----------------------------------------------------------------------

OF_POLICIES = [*PLANE, "container_registry_access", "bucket_deny", "bucket_key"]
# The operation, and the checks that it makes unknown. What Anyscale or another read returns as well
# is known nevertheless.
NEEDED: dict[str, list[str]] = {
    "GetRole": [
        *(
            "trust_ec2",
            "trust_anyscale_verify",
            "role_account",
            "permissions_boundary",
            "instance_profile_name",
            "instance_profile_role",
        ),
        *(*PLANE, "control_plane_trust", "container_registry_access"),
        *("bucket_access", "bucket_deny", "bucket_key", "effective_profile", "document_owner"),
    ],
    "ListAttachedRolePolicies": OF_POLICIES,
    "ListRolePolicies": OF_POLICIES,
    "GetRolePolicy": [*PLANE, "bucket_key"],
    "GetPolicy": [*OF_POLICIES, "permissions_boundary"],
    "GetPolicyVersion": [*OF_POLICIES, "permissions_boundary"],
    "GetInstanceProfile": [
        "instance_profile_exists",
        "instance_profile_role",
        "compute_config_override",
    ],
    "ListInstanceProfilesForRole": ["instance_profile_name", "effective_profile"],
    "GetBucketLocation": ["bucket_region"],
    "GetBucketPolicy": [
        *("bucket_access", "control_plane_bucket_access"),
        *("bucket_deny", "bucket_dangling_principals"),
    ],
    "GetBucketTagging": ["document_owner"],
    "GetBucketCors": ["bucket_cors"],
    "GetBucketEncryption": ["bucket_key"],
    "DescribeKey": ["bucket_key"],
    "GetKeyPolicy": ["bucket_key"],
    "ListGrants": ["bucket_key"],
    "ListRoles": ["bucket_dangling_principals"],
    "ListUsers": ["bucket_dangling_principals"],
}


def service_of(operation: str) -> str:
    """The service of a read."""
    if operation in ("DescribeKey", "GetKeyPolicy", "ListGrants"):
        return "kms"
    return "s3" if "Bucket" in operation else "iam"


@pytest.fixture
def thorough(in_sync: Sandbox) -> Sandbox:
    """A cloud in sync that has one of each that can be read: a boundary, and a principal shown
    by its unique id.
    """
    every = {"Effect": "Allow", "Action": ["s3:*", "ecr:*"], "Resource": "*"}
    bound(in_sync, CLOUD.role_name, every)
    deleted_principal(in_sync)
    encrypted(in_sync)
    return in_sync


@pytest.mark.parametrize("operation", NEEDED)
def test_a_refused_read_makes_its_checks_unknown_and_no_others(
    thorough: Sandbox, run_module: Run, operation: str
) -> None:
    before = look(run_module)
    thorough.settings(denied=[operation])
    checks = look(run_module)
    unknown = [name for name, check in checks.items() if check["status"] == "unknown"]
    assert set(unknown) == set(NEEDED[operation])
    service = service_of(operation)
    for name in unknown:
        evidence = json.dumps(checks[name]["evidence"])
        assert f'"missing_permission": "{permission_of(service, operation)}"' in evidence, name
        if name not in ("compute_config_override", "effective_profile"):
            assert permission_of(service, operation) in checks[name]["remedy"]
    assert {name: check["status"] for name, check in checks.items() if name not in unknown} == {
        name: check["status"] for name, check in before.items() if name not in unknown
    }


def test_the_documented_permissions_are_enough_and_none_is_too_many(
    thorough: Sandbox, run_module: Run
) -> None:
    module = importlib.import_module(
        "ansible_collections.rayfleet.anyscale.plugins.modules.cloud_iam_info"
    )
    documented = set(re.findall(r"C\(((?:iam|s3|kms):\w+)\)", module.DOCUMENTATION))
    assert documented == {permission_of(service_of(name), name) for name in NEEDED}
    thorough.settings(denied=sorted(operations() - set(NEEDED) - {"GetCallerIdentity"}))
    assert "unknown" not in statuses(look(run_module)).values()
    assert {
        call["operation"] for call in thorough.calls() if call["service"] in ("iam", "s3", "kms")
    } == set(NEEDED)


def test_it_works_where_every_write_is_refused(thorough: Sandbox, run_module: Run) -> None:
    before = look(run_module)
    thorough.settings(
        denied=sorted(
            name
            for name in operations()
            if not name.startswith(("Get", "List", "Head", "Describe"))
        )
    )
    assert look(run_module) == before
    assert thorough.writes() == []


def operations() -> set[str]:
    """All operations of the services that are read."""
    session = boto3.Session(region_name=REGION)
    return {
        name
        for service in ("iam", "s3", "sts", "kms")
        for name in session.client(service).meta.service_model.operation_names
    }


def test_a_bucket_that_nothing_may_be_read_of(in_sync: Sandbox, run_module: Run) -> None:
    in_sync.settings(denied=[name for name in NEEDED if "Bucket" in name])
    assert statuses(look(run_module)) == dict.fromkeys(
        [
            "bucket_access",
            "control_plane_bucket_access",
            "bucket_deny",
            "bucket_account",
            "bucket_region",
            "bucket_cors",
            "bucket_key",
            "bucket_dangling_principals",
            "document_owner",
        ],
        "unknown",
    )


# The call, the options beside it, and the checks that a refusal of it makes unknown.
UNKNOWN: dict[str, tuple[str, Json, list[str]]] = {
    "the cloud's row": ("GET /api/v2/clouds/{id}", {}, []),
    "the resources": (
        RESOURCES,
        {"role": CLOUD.role_arn, "bucket": CLOUD.bucket_name},
        [
            *PLANE,
            "control_plane_trust",
            "bucket_region",
            "compute_config_override",
            "compute_config_arn_kind",
            "effective_profile",
        ],
    ),
    "the mapping": (MAPPING, {}, ["effective_profile"]),
    "the scheduler": (SCHEDULER, {}, ["effective_profile"]),
    "the compute configs": (
        SEARCH,
        {},
        ["compute_config_override", "compute_config_arn_kind", "effective_profile"],
    ),
}


@pytest.mark.parametrize(("operation", "options", "unknown"), UNKNOWN.values(), ids=list(UNKNOWN))
def test_anyscale_refuses(
    in_sync: Sandbox, run_module: Run, operation: str, options: Json, unknown: list[str]
) -> None:
    in_sync.fault(operation, status=403, message="Permission denied", times=50)
    checks = look(run_module, **options)
    assert statuses(checks) == dict.fromkeys(unknown, "unknown")
    assert all("Permission denied" in checks[name]["reason"] for name in unknown)


@pytest.mark.parametrize(
    "anyscale", [True, False], ids=["where Anyscale refuses", "where Anyscale is not asked"]
)
def test_the_cloud_s_id_is_not_needed_for_what_is_named(
    in_sync: Sandbox, run_module: Run, anyscale: bool
) -> None:
    in_sync.fault("GET /api/v2/clouds/", status=403, times=50)
    named = {
        "role": CLOUD.role_arn,
        "bucket": CLOUD.bucket_name,
        "cloud": CLOUD.name,
        "compute_config": ["any"],
        "anyscale": anyscale,
    }
    checks = {
        check["id"]: check
        for check in run_module("cloud_iam_info", **named, account_id=ACCOUNT)["checks"]
    }
    assert statuses(checks) == dict.fromkeys(
        [
            *PLANE,
            "control_plane_trust",
            "bucket_region",
            "compute_config_override",
            "compute_config_arn_kind",
            "effective_profile",
        ],
        "unknown",
    )


def test_without_anyscale_the_role_of_the_convention_is_audited(
    sandbox: Sandbox, run_module: Run
) -> None:
    cloud = dataclasses.replace(CLOUD, role="")
    sandbox.seed((cloud,))
    asked = {
        "cloud_id": cloud.cloud_id,
        "account_id": ACCOUNT,
        "bucket": cloud.bucket_name,
        "anyscale": False,
    }
    result = run_module("cloud_iam_info", **asked)
    found = statuses({check["id"]: check for check in result["checks"]})
    assert found == dict.fromkeys(
        [*PLANE, "control_plane_trust", "bucket_region", "effective_profile"], "unknown"
    )
    assert result["cloud"]["role"]["arn"] == cloud.role_arn
    assert (result["cloud"]["default_role_arn"], result["cloud"]["default_role_source"]) == (
        None,
        "unknown",
    )
    assert not [call for call in sandbox.calls() if call["service"] == "anyscale"]


def test_without_anyscale_a_role_that_is_not_there_may_have_another_name(
    in_sync: Sandbox, run_module: Run
) -> None:
    checks = look(run_module, anyscale=False, bucket=CLOUD.bucket_name)
    assert checks["trust_ec2"]["status"] == "unknown"
    assert "the role that the cloud registered is not known" in checks["trust_ec2"]["reason"]
    assert {name for name, check in checks.items() if check["status"] != "unknown"} == {
        "authority",
        "bucket_account",
        "bucket_cors",
        "bucket_key",
        "bucket_dangling_principals",
    }


def test_a_cloud_that_registered_no_role(sandbox: Sandbox, run_module: Run) -> None:
    cloud = dataclasses.replace(CLOUD, role="")
    sandbox.seed((cloud,))
    let_anyscale_launch(sandbox, cloud)
    resource_of(sandbox)["aws_config"]["cluster_iam_role_id"] = None
    result = run_module("cloud_iam_info", **ASKED)
    assert statuses({check["id"]: check for check in result["checks"]}) == {}
    assert (result["cloud"]["default_role_arn"], result["cloud"]["default_role_source"]) == (
        cloud.role_arn,
        "convention",
    )


def test_a_role_beside_the_default(in_sync: Sandbox, run_module: Run) -> None:
    """Its clusters need a compute config; without one they run with the cloud's default role."""
    make_role(in_sync, "team-b")
    checks = look(run_module, role="team-b", compute_config=[])
    assert statuses(checks) == {
        **{**NO_TRUST, **NO_PROFILE, **NO_ACCESS, **NO_LAUNCH},
        "container_registry_access": "warn",
        "effective_profile": "warn",
    }
    assert CLOUD.instance_profile_arn in checks["effective_profile"]["reason"]


def test_a_cloud_on_kubernetes(in_sync: Sandbox, run_module: Run) -> None:
    cloud_id = in_sync.organization.add_cloud("on-eks", compute_stack="K8S", bucket="eks-data")
    checks = look(run_module, cloud_id=cloud_id, compute_config=["any"])
    assert {check["status"] for check in checks.values()} == {"not_applicable"}
    assert "K8S on AWS" in checks["trust_ec2"]["reason"]
    assert {call["operation"] for call in in_sync.calls() if call["service"] != "anyscale"} == {
        "GetCallerIdentity"
    }


def test_a_finding_that_is_acknowledged(in_sync: Sandbox, run_module: Run) -> None:
    no_cors(in_sync)
    accepted = {"check": "bucket_cors", "reason": "No console.", "until": "2999-12-31"}
    checks = look(run_module, acknowledged=[accepted])
    assert statuses(checks) == {"bucket_cors": "warn"}
    assert {name for name, check in checks.items() if check["acknowledged"]} == {"bucket_cors"}
    assert checks["bucket_cors"]["acknowledged"] == {
        key: accepted[key] for key in ("reason", "until")
    }
    ended = look(run_module, acknowledged=[{**accepted, "until": "2026-01-31"}])["bucket_cors"]
    assert ended["acknowledged"] is None
    assert "ended on 2026-01-31" in ended["reason"]


# --- what ends it ---------------------------------------------------------------------------------

ERRORS: dict[str, tuple[Json, str]] = {
    "a caller in another account": (
        {"account_id": OTHER_ACCOUNT},
        f"The credentials are for account {ACCOUNT}",
    ),
    "a cloud id that cannot be one": ({"cloud_id": "production"}, "not an Anyscale cloud id"),
    "a check to acknowledge that does not exist": (
        {"acknowledged": [{"check": "cors", "reason": "None.", "until": "2999-12-31"}]},
        "acknowledged (cloud_iam_acknowledged in playbooks) has an item 1 with the check 'cors'",
    ),
    "a role that may not be assumed": (
        {"assume_role_arn": f"arn:aws:iam::{ACCOUNT}:role/missing"},
        "AssumeRole",
    ),
}


@pytest.mark.parametrize(("options", "words"), ERRORS.values(), ids=list(ERRORS))
def test_what_cannot_be_asked(in_sync: Sandbox, run_module: Run, options: Json, words: str) -> None:
    assert words in failure(run_module("cloud_iam_info", **{**ASKED, **options}))["msg"]


@pytest.mark.parametrize(
    "cloud", [{"cloud_id": CLOUD.cloud_id}, {"cloud": CLOUD.name}], ids=["by its id", "by its name"]
)
def test_a_token_that_anyscale_does_not_accept(
    in_sync: Sandbox, run_module: Run, cloud: Json
) -> None:
    """It is no fact about the cloud: an audit that read nothing must not look like one that found
    no failure.
    """
    for operation in ("GET /api/v2/clouds/{id}", "GET /api/v2/clouds/", RESOURCES):
        in_sync.fault(operation, status=401, message="Token has expired", times=50)
    failed = failure(
        run_module("cloud_iam_info", **cloud, account_id=ACCOUNT, compute_config=["any"])
    )
    assert "Token has expired" in failed["msg"]
    assert "Check the token" in failed["msg"]


def test_a_cloud_with_an_unknown_name(in_sync: Sandbox, run_module: Run) -> None:
    assert "There is no cloud 'prod'" in failure(run_module("cloud_iam_info", cloud="prod"))["msg"]


def test_a_cloud_in_another_account_than_the_caller(in_sync: Sandbox, run_module: Run) -> None:
    """Without account_id nothing is read of what has the same name in the caller's account."""
    key = in_sync.credentials(OTHER_ACCOUNT)["aws_access_key_id"]
    make_role(in_sync, CLOUD.role_name, account=OTHER_ACCOUNT)
    checks = look(run_module, account_id=None, access_key=key, secret_key="sandbox")
    assert checks["trust_ec2"]["status"] == "unknown"
    assert (
        f"is in account {ACCOUNT}, but the credentials are for account {OTHER_ACCOUNT}"
        in checks["trust_ec2"]["reason"]
    )
    assert checks["bucket_account"]["status"] == "fail"
    assert {name for name, check in checks.items() if check["status"] == "pass"} == {
        "authority",
        "compute_config_arn_kind",
    }


# --- further roles ----------------------------------------------------------------------------------


def test_further_roles_get_the_checks_of_the_role(in_sync: Sandbox, run_module: Run) -> None:
    """A role of a node group, one of the operator's variables, and those of live rules: one with an
    instance profile of another name, one that does not exist, and a text that is no name.
    """
    trust = policy(
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    )
    for name in ("ray-gpu", "ray-job", "ray-held"):
        make_role(in_sync, name, trust)
    iam = in_sync.client("iam", ACCOUNT)
    iam.create_instance_profile(InstanceProfileName="jobs")
    iam.add_role_to_instance_profile(InstanceProfileName="jobs", RoleName="ray-held")
    resource = resource_of(in_sync)
    values = ["jobs", "ray-gone", CLOUD.role_name, "arn:aws:iam::1:role/x", "ray-job"]
    in_sync.organization.mappings[resource["cloud_resource_id"]] = {
        "dataplane_iam_mapping": {
            "rules": [{"selector": f"project={value}", "value": value} for value in values],
            "fallback_rule": "CLOUD_DEFAULT",
        }
    }
    in_sync.clear_calls()
    result = run_module(
        "cloud_iam_info",
        **ASKED,
        node_group_roles={"cpu": "ray-gpu"},
        further_roles=["ray-job"],
    )
    found = {one["name"]: one for one in result["cloud"]["further_roles"]}
    assert {name: one["is_wanted"] for name, one in found.items()} == {
        "ray-gpu": True,
        "ray-job": True,
        "ray-held": False,
        "ray-gone": False,
    }
    assert found["ray-gone"]["arn"] is None
    rule = f"of the Cloud IAM mapping of vm-aws-{REGION}"
    assert found["ray-job"]["named_by"] == [
        "further_roles or cloud_iam_mapping_rules",
        f"rule 5 {rule}",
    ]
    checks = {check["id"]: check for check in result["checks"]}
    assert checks["trust_ec2"]["status"] == "fail"
    assert (
        f"Role ray-gone (rule 2 {rule}): Role ray-gone does not exist"
        in checks["trust_ec2"]["reason"]
    )
    by_role = {
        check: {name: one["status"] for name, one in checks[check]["evidence"]["roles"].items()}
        for check in ("trust_ec2", "instance_profile_exists", "bucket_access")
    }
    assert by_role == {
        "trust_ec2": {"ray-gpu": "pass", "ray-job": "pass", "ray-held": "pass", "ray-gone": "fail"},
        "instance_profile_exists": {
            "ray-gpu": "fail",
            "ray-job": "fail",
            "ray-held": "pass",
            "ray-gone": "fail",
        },
        "bucket_access": {
            "ray-gpu": "fail",
            "ray-job": "fail",
            "ray-held": "fail",
            "ray-gone": "not_applicable",
        },
    }
    assert "node groups cpu run with" in checks["effective_profile"]["reason"]
    assert in_sync.writes() == []
    looked_up = [call["operation"] for call in in_sync.calls()].count("GetInstanceProfile")
    assert looked_up == len({CLOUD.role_name, "jobs", "ray-gone", "ray-job", "ray-gpu"})


def test_rules_lead_to_a_bounded_number_of_reads(in_sync: Sandbox, run_module: Run) -> None:
    """Whoever writes rules decides how many there are. What is not read is not called right."""
    resource = resource_of(in_sync)
    rules = [{"selector": f"project=p{number}", "value": f"role-{number}"} for number in range(200)]
    in_sync.organization.mappings[resource["cloud_resource_id"]] = {
        "dataplane_iam_mapping": {"rules": rules, "fallback_rule": "CLOUD_DEFAULT"}
    }
    in_sync.clear_calls()
    result = run_module("cloud_iam_info", **ASKED)
    assert len(in_sync.calls()) < 130
    trust = next(check for check in result["checks"] if check["id"] == "trust_ec2")
    assert len(trust["evidence"]["roles"]) == 200
    assert trust["evidence"]["roles"]["role-199"]["status"] == "unknown"
