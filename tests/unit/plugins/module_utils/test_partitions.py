# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS GovCloud and China: what is written, judged and suggested there has the names of the partition."""

from __future__ import annotations

import ast
import dataclasses
import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import Fact
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import run_checks
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.instance_profile_plan import (
    new_arn,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import Identity
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    REGION,
    facts,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    CONTROL,
    ROLE,
    allow,
    policy,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

# By partition, one of its regions, its service principal of EC2, and its name of S3 for KMS.
PARTITIONS = {
    "aws": ("us-west-2", "ec2.amazonaws.com", "s3.us-west-2.amazonaws.com"),
    "aws-us-gov": ("us-gov-west-1", "ec2.amazonaws.com", "s3.us-gov-west-1.amazonaws.com"),
    "aws-cn": ("cn-north-1", "ec2.amazonaws.com.cn", "s3.cn-north-1.amazonaws.com.cn"),
}
ELSEWHERE = [partition for partition in PARTITIONS if partition != "aws"]
# What Anyscale itself does not know elsewhere: none of its accounts, and no other name of EC2.
NOT_APPLICABLE = {
    "aws": set(),
    "aws-us-gov": {"control_plane_trust"},
    "aws-cn": {"control_plane_trust", "trust_anyscale_verify"},
}
# Where an ARN of the partition aws is right, because nothing else is judged there.
OF_AWS_ALONE = {"plugins/module_utils/_audit/checks/control_plane_trust.py"}
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
BY_S3 = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
ENCRYPTED: dict[str, t.Any] = {
    "bucket_key": Fact({"Arn": KEY, "KeyState": "Enabled", "KeyManager": "CUSTOMER"}),
    "key_policy": Fact(
        policy(
            allow(
                Principal={"AWS": [ROLE, CONTROL]},
                Action=["kms:Decrypt", "kms:GenerateDataKey"],
                Resource="*",
                Condition=BY_S3,
            )
        )
    ),
    "key_grants": Fact([]),
}
NOTHING: dict[str, t.Any] = {
    **ENCRYPTED,
    "key_policy": Fact(policy()),
    "identity": Fact(Identity(())),
    "control_plane": Fact(Identity(())),
    "trust": Fact(policy()),
    "bucket_policy": Fact(policy()),
    "profile": Fact(None),
    "role_profiles": Fact([]),
    "bucket_cors": Fact([]),
}


def moved(value: t.Any, partition: str) -> t.Any:
    """Facts as they would be in a partition."""
    region, ec2, s3 = PARTITIONS[partition]
    if isinstance(value, str):
        for old, new in (
            ("arn:aws:", f"arn:{partition}:"),
            (f"s3.{REGION}.amazonaws.com", s3),
            (REGION, region),
        ):
            value = value.replace(old, new)
        return ec2 if value == "ec2.amazonaws.com" else value
    if isinstance(value, dict):
        return {key: moved(part, partition) for key, part in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [field.name for field in dataclasses.fields(value) if field.init]
        parts = {name: moved(getattr(value, name), partition) for name in names}
        return dataclasses.replace(value, **parts)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return value.__class__(*(moved(part, partition) for part in value))
    if isinstance(value, (list, tuple, set, frozenset)):
        return value.__class__(moved(part, partition) for part in value)
    return value


def judged(partition: str, **changes: t.Any) -> dict[str, dict[str, t.Any]]:
    found: Facts = moved(facts(**changes), partition)
    return {check["id"]: check for check in run_checks(found)}


@pytest.mark.parametrize("partition", PARTITIONS)
def test_a_cloud_in_sync_passes_each_check_anywhere(partition: str) -> None:
    """Or the check says that Anyscale does not support the partition."""
    here, there = judged("aws", **ENCRYPTED), judged(partition, **ENCRYPTED)
    differing = {
        name: check for name, check in there.items() if check["status"] != here[name]["status"]
    }
    assert set(differing) == NOT_APPLICABLE[partition]
    assert {check["status"] for check in differing.values()} <= {"not_applicable"}
    assert all(partition in check["reason"] for check in differing.values())
    assert there["bucket_key"]["status"] == there["container_registry_access"]["status"] == "pass"


def test_a_trust_policy_without_ec2_fails_in_china_too() -> None:
    """A remedy that makes nothing right is not suggested; one that does is."""
    assert judged("aws-cn", trust=Fact(policy()))["trust_anyscale_verify"]["status"] == "fail"


@pytest.mark.parametrize("partition", ELSEWHERE)
def test_what_is_suggested_is_of_the_partition(partition: str) -> None:
    """In the statements to add, and in the names of AWS's managed policies."""
    found = judged(partition, **NOTHING)
    text = json.dumps(list(found.values()), default=str)
    assert "arn:aws:" not in text
    for check in ("bucket_key", "control_plane_pass_role", "container_registry_access"):
        assert f"arn:{partition}:" in found[check]["remedy"], check
    assert f'"{PARTITIONS[partition][1]}"' in found["control_plane_pass_role"]["remedy"]


@pytest.mark.parametrize("partition", PARTITIONS)
def test_an_instance_profile_is_in_the_partition_of_its_role(partition: str) -> None:
    role = f"arn:{partition}:iam::{ACCOUNT}:role/ray/team-a"
    assert new_arn("team-a", role) == f"arn:{partition}:iam::{ACCOUNT}:instance-profile/ray/team-a"


def test_no_arn_of_one_partition_is_built_into_the_code() -> None:
    """Documentation and messages show such ARNs; a statement or a comparison must not have one."""
    found = {
        str(path.relative_to(ROOT)): texts
        for folder in ("module_utils", "plugin_utils", "action", "lookup")
        for path in sorted((ROOT / "plugins" / folder).rglob("*.py"))
        if (texts := list(_built_in(ast.parse(path.read_text()))))
    }
    assert {name: texts for name, texts in found.items() if name not in OF_AWS_ALONE} == {}
    assert set(found) >= OF_AWS_ALONE


def _built_in(tree: ast.AST) -> t.Iterator[str]:
    """Text that begins like an ARN of aws, with what is not a placeholder for a person to fill in."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and str(node.value).startswith("arn:aws:"):
            yield str(node.value)
