# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts of a cloud in sync, to be changed one by one."""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launch_rows import (
    Launch,
    Launches,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.bucket_cors import (
    wanted_rule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.container_registry import (
    PULL_ACTIONS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.control_plane_actions import (
    INSTANCE_ACTIONS,
    SERVICE_ACTIONS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import (
    DefaultRole,
    Facts,
    Running,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
    not_applicable,
    unknown,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import (
    CHECKS,
    run_checks,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.instances import Instance
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    PRESETS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Identity,
    NamedPolicy,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    ASSUME,
    BUCKET,
    BUCKET_ARN,
    CONTROL,
    EC2,
    EIGHT,
    OBJECTS_ARN,
    ROLE,
    ROLE_ID,
    TRUST_CONTROL_PLANE,
    Document,
    Raw,
    allow,
    policy,
)

_ONE_OF_MANY = re.compile(
    r"\b1 (?:\w+ )?(?:buckets|clouds|documents|instances|launches|policies|profiles|roles|rules|statements)\b"
)
Json = dict[str, t.Any]

CLOUD_ID = "cld_4fxb3wsbdcq2n1p9"
NOW = 1_795_000_000.0  # 2026-11-18
REGION = "us-west-2"
RESOURCE = "vm-aws-us-west-2"
PROFILE_NAME = "ray-team-a"
PROFILE = f"arn:aws:iam::{ACCOUNT}:instance-profile/{PROFILE_NAME}"
OTHER_PROFILE = f"arn:aws:iam::{ACCOUNT}:instance-profile/ray-autoscaler-v1"
CONFIG = "team-a-ray"
REGISTRY_POLICY = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"

REFUSED: Fact[t.Any] = Fact(
    obstacle=unknown("It was refused.", "Allow it.", missing_permission="iam:Anything")
)
PASS_ROLE = allow(Action=["iam:PassRole", "iam:GetInstanceProfile"], Resource=[ROLE, PROFILE])
LAUNCHING = (
    allow(Action=[*INSTANCE_ACTIONS], Resource="*"),
    allow(Action=[*SERVICE_ACTIONS], Resource="*"),
)
CONTROL_ROLE = {
    "Arn": CONTROL,
    "RoleName": "anyscale-iam-role-1f2e",
    "RoleId": "AROAQ3EGSIJTZ5CCCCCCC",
}
CONTROL_ACCESS = allow(Action=EIGHT, Resource=[BUCKET_ARN, OBJECTS_ARN])
PULL = allow(Action=[*PULL_ACTIONS], Resource="*")
CORS_RULE = wanted_rule("")
ACCESS = allow(
    Sid="AnyscaleClusterAccess",
    Principal={"AWS": [ROLE]},
    Action=EIGHT,
    Resource=[BUCKET_ARN, OBJECTS_ARN],
)
TRUST = allow(Principal={"Service": EC2}, Action=ASSUME)


def named(*raws: Raw, name: str = "team") -> NamedPolicy:
    """A policy of these statements."""
    return NamedPolicy(name, policy(*raws))


def role(**changes: t.Any) -> Json:
    """The role as IAM shows it."""
    return {
        "Arn": ROLE,
        "RoleName": PROFILE_NAME,
        "RoleId": ROLE_ID,
        "AssumeRolePolicyDocument": policy(TRUST),
        **changes,
    }


def profile(arn: str = PROFILE, *role_arns: str) -> Json:
    """An instance profile as IAM shows it."""
    return {
        "Arn": arn,
        "InstanceProfileName": arn.rpartition("/")[2],
        "Roles": [{"Arn": held} for held in role_arns],
    }


def resource(**changes: t.Any) -> Json:
    """The cloud's one resource; changes of its aws_config by their names."""
    config = {
        "anyscale_iam_role_id": CONTROL,
        "cluster_iam_role_id": ROLE,
        "cluster_instance_profile_id": None,
        "external_id": CLOUD_ID,
    }
    top = {key: value for key, value in changes.items() if key not in config}
    config.update({key: value for key, value in changes.items() if key in config})
    whole = {
        "name": RESOURCE,
        "provider": "AWS",
        "compute_stack": "VM",
        "region": REGION,
        "is_default": True,
    }
    return {
        **whole,
        "object_storage": {"bucket_name": f"s3://{BUCKET}", "region": None},
        "aws_config": config,
        **top,
    }


def template(arn: t.Any = PROFILE, worker: Json | None = None, **changes: t.Any) -> Json:
    """A compute config whose cluster has an instance profile, with one group of workers."""
    cluster: Json = {
        "head_node_type": {"name": "head-node", "instance_type": "m5.large"},
        "worker_node_types": [{"name": "cpu", "instance_type": "m5.large", **(worker or {})}],
        **(
            {
                "advanced_configurations_json": {
                    "IamInstanceProfile": {"Arn": arn} if isinstance(arn, str) else arn
                }
            }
            if arn
            else {}
        ),
    }
    config = {"cloud_id": CLOUD_ID, **cluster, "deployment_configs": [cluster]}
    return {
        "id": "cpt_1",
        "name": CONFIG,
        "version": 3,
        "archived_at": None,
        "config": config,
        **changes,
    }


def bucket_policy(*raws: Raw) -> Fact[Document]:
    """The bucket's policy."""
    return Fact(policy(*raws))


def running() -> Running:
    """What runs on the cloud: a cluster with the compute config, and its one instance."""
    launch = Launch("cluster", "ses_1", "experiment", "Running", "cpt_1")
    instance = Instance("i-0123456789abcdef0", REGION, "running", PROFILE)
    return Running(Fact(Launches((launch,))), {"cpt_1": Fact(template())}, Fact([instance]))


def facts(**changes: t.Any) -> Facts:
    """The facts of a cloud in sync, but for changes."""
    whole = Facts(
        account_id=ACCOUNT,
        cloud_id=CLOUD_ID,
        now=NOW,
        arn_kind="instance_profile",
        anyscale_host="",
        authority={"covered": True},
        elsewhere="",
        cloud=Fact({"id": CLOUD_ID, "name": "production", "provider": "AWS", "region": REGION}),
        resources=Fact([resource()]),
        primary=Fact(resource()),
        mappings=Fact([]),
        scheduler_flavors=Fact({}),
        machine_pools=Fact({}),
        compute_configs={CONFIG: Fact(template())},
        cloud_account=Fact(ACCOUNT),
        default_role=Fact(DefaultRole(ROLE, "registered")),
        role_wanted=Fact(parse_role(ROLE)),
        role=Fact(role()),
        trust=Fact(policy(TRUST)),
        identity=Fact(Identity((named(PULL, name=REGISTRY_POLICY),))),
        boundary=Fact(None),
        profile_name=Fact(PROFILE_NAME),
        profile=Fact(profile(PROFILE, ROLE)),
        role_profiles=Fact([profile(PROFILE, ROLE)]),
        control_plane_arn=Fact(CONTROL),
        control_plane_role=Fact(CONTROL_ROLE),
        control_plane_trust=Fact(policy(TRUST_CONTROL_PLANE)),
        control_plane=Fact(Identity((named(PASS_ROLE, *LAUNCHING, CONTROL_ACCESS),))),
        registered_bucket=Fact(BUCKET),
        bucket_actions=PRESETS["all"],
        bucket_prefix="",
        bucket=Fact(BUCKET),
        bucket_region=Fact(REGION),
        bucket_policy=bucket_policy(ACCESS),
        bucket_tags=Fact([]),
        bucket_cors=Fact([CORS_RULE]),
        bucket_key=Fact(None),
        key_policy=Fact(obstacle=not_applicable("There is no key.")),
        key_grants=Fact(obstacle=not_applicable("There is no key.")),
        principals=Fact({}),
        running=running(),
    )
    return dataclasses.replace(whole, **changes)


# --- what differs ---------------------------------------------------------------------------------

GONE: Fact[t.Any] = Fact(None)


def trusting(*raws: Json) -> Json:
    """The role's trust policy."""
    return {"trust": Fact(policy(*raws))}


def access(*raws: Json) -> Json:
    """The bucket's policy."""
    return {"bucket_policy": bucket_policy(*raws)}


def own(*raws: Json) -> Json:
    """The role's own policies, beside the one to pull images."""
    registry = named(PULL, name=REGISTRY_POLICY)
    return {"identity": Fact(Identity((named(*raws), registry)))}


def plane(*raws: Json, **more: t.Any) -> Json:
    """What decides for the role that Anyscale assumes."""
    return {"control_plane": Fact(Identity((named(*raws),), **more))}


def trusted_plane(*raws: Json) -> Json:
    """The trust policy of the role that Anyscale assumes."""
    return {"control_plane_trust": Fact(policy(*raws))}


def config(*arguments: t.Any, **changes: t.Any) -> Json:
    """The compute config."""
    return {"compute_configs": {CONFIG: Fact(template(*arguments, **changes))}}


def on(**changes: t.Any) -> Json:
    """The cloud's resource."""
    return {"resources": Fact([resource(**changes)]), "primary": Fact(resource(**changes))}


NO_PROFILE = {"profile": GONE, "role_profiles": Fact([])}
OTHER_NAME = {"role_profiles": Fact([profile(OTHER_PROFILE, ROLE)])}
BOTH_HOLD = {"role_profiles": Fact([profile(OTHER_PROFILE, ROLE), profile(PROFILE, ROLE)])}
# The cloud itself names that profile, and no compute config any.
GIVEN_BY_CLOUD = {**on(cluster_instance_profile_id=OTHER_PROFILE), "compute_configs": {}}


# --- rows of a table ------------------------------------------------------------------------------

# The facts that differ, the status of a check, and words of its reason.
Row = tuple[Json, str, str]


def rows_of(table: t.Mapping[str, t.Mapping[str, Row]]) -> dict[str, tuple[str, Json, str, str]]:
    """The rows of a table, which has the checks' names and what is the case, by both."""
    return {
        f"{check}: {case}": (check, *row)
        for check, rows in table.items()
        for case, row in rows.items()
    }


def checks_of(subject: str) -> set[str]:
    """The names of the checks that are registered from the file of a subject."""
    return {check.id for check in CHECKS if check.judge.__module__.endswith(f".checks.{subject}")}


def verdict(check: str, found: Facts) -> Json:
    """The result of one check."""
    return next(one for one in run_checks(found) if one["id"] == check)


def assert_verdict(check: str, changes: Json, status: str, words: str) -> None:
    """A check comes to this status, and to a reason with these words, if the facts of a cloud that
    is in sync are changed in this way.
    """
    found = verdict(check, facts(**changes))
    assert found["status"] == status, found["reason"]
    assert words in found["reason"]
    assert not _ONE_OF_MANY.search(f"{found['reason']} {found['remedy']}")
