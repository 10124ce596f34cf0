# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What STS answers is read for every kind of caller, and a wrong role is distinguished from roles
that are wrong in another way.
"""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.cluster_identity import (
    Identity,
    as_result,
    judge,
    parse_identity,
    with_path,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError

ACCOUNT = "222222222222"
INSTANCE = "i-0abc1234def567890"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT}:role/ray-team-a"

CALLERS: dict[str, tuple[str, str, str | None, str | None, str | None]] = {
    "an instance": (
        f"assumed-role/ray-team-a/{INSTANCE}",
        "assumed_role",
        "ray-team-a",
        INSTANCE,
        INSTANCE,
    ),
    "an instance with an old, short id": (
        "assumed-role/ray-team-a/i-0abc1234",
        "assumed_role",
        "ray-team-a",
        "i-0abc1234",
        "i-0abc1234",
    ),
    "an operator who assumed the role": (
        "assumed-role/ray-team-a/jo@example.com",
        "assumed_role",
        "ray-team-a",
        "jo@example.com",
        None,
    ),
    "a session that is almost an instance's": (
        "assumed-role/r/i-0xyz1234",
        "assumed_role",
        "r",
        "i-0xyz1234",
        None,
    ),
    "a user": ("user/jo", "user", None, None, None),
    "a user with a path": ("user/people/jo", "user", None, None, None),
    "a federated user": ("federated-user/jo", "federated_user", None, None, None),
    "the root user": ("root", "root", None, None, None),
}


@pytest.mark.parametrize("case", CALLERS)
def test_a_caller_is_read(case: str) -> None:
    resource, kind, role_name, session_name, instance_id = CALLERS[case]
    service = "sts" if "assumed" in resource or "federated" in resource else "iam"
    arn = f"arn:aws:{service}::{ACCOUNT}:{resource}"
    assert as_result(parse_identity(arn, "AROAEXAMPLE:x")) == {
        "kind": kind,
        "arn": arn,
        "user_id": "AROAEXAMPLE:x",
        "account_id": ACCOUNT,
        "role_name": role_name,
        "role_arn": role_name and f"arn:aws:iam::{ACCOUNT}:role/{role_name}",
        "session_name": session_name,
        "instance_id": instance_id,
    }


def test_the_partition_is_kept() -> None:
    assert (
        parse_identity(f"arn:aws-cn:sts::{ACCOUNT}:assumed-role/r/i-0abc1234", "x").role_arn
        == f"arn:aws-cn:iam::{ACCOUNT}:role/r"
    )


def test_an_answer_that_is_not_of_aws() -> None:
    with pytest.raises(TaskError, match=r"endpoint_url|not an ARN"):
        parse_identity("<html>", "")


NODE = parse_identity(f"arn:aws:sts::{ACCOUNT}:assumed-role/ray-team-a/{INSTANCE}", "AROAEXAMPLE:x")
DEFAULT = dataclasses.replace(NODE, role_name="cld_4fxb3wsbdcq2n1p9-cluster_node_role")
OF_A_RESOURCE = dataclasses.replace(NODE, role_name="vm-us-west-2-0123abcd-cluster_node_role")
OF_OLD = dataclasses.replace(NODE, role_name="ray-autoscaler-v1")
ALMOST = dataclasses.replace(NODE, role_name="vm-builders-cluster_node_role")
WITH_PATH = with_path(NODE, f"arn:aws:iam::{ACCOUNT}:role/ray/ray-team-a")

VERDICTS: dict[str, tuple[Identity, str, str | None, str]] = {
    "the role by its name": (NODE, "ray-team-a", None, ""),
    "the role by its ARN": (NODE, ROLE_ARN, None, ""),
    "the role by an ARN with a path that STS does not tell": (
        NODE,
        f"arn:aws:iam::{ACCOUNT}:role/ray/ray-team-a",
        None,
        "",
    ),
    "the role by an ARN with its path": (
        WITH_PATH,
        f"arn:aws:iam::{ACCOUNT}:role/ray/ray-team-a",
        None,
        "",
    ),
    "the role by an ARN with another path": (WITH_PATH, ROLE_ARN, None, "another_path"),
    "a role of that name elsewhere": (
        NODE,
        "arn:aws:iam::333333333333:role/ray-team-a",
        None,
        "another_account",
    ),
    "the default role by convention": (DEFAULT, "ray-team-a", None, "default_role"),
    "the default role of a resource that the CLI set up": (
        OF_A_RESOURCE,
        "ray-team-a",
        None,
        "default_role",
    ),
    "the default role of clouds of old": (OF_OLD, "ray-team-a", None, "default_role"),
    "a role that is named almost like that": (ALMOST, "ray-team-a", None, "another_role"),
    "the default role as it was registered": (NODE, "ray-team-b", "ray-team-a", "default_role"),
    "the convention where another one is registered": (
        DEFAULT,
        "ray-team-a",
        "registered",
        "another_role",
    ),
    "another role": (NODE, "ray-team-b", None, "another_role"),
    "the default role, which is expected": (
        DEFAULT,
        "cld_4fxb3wsbdcq2n1p9-cluster_node_role",
        None,
        "",
    ),
    "names differ in case": (NODE, "Ray-Team-A", None, "another_role"),
    "an operator assumed the role": (
        dataclasses.replace(NODE, session_name="jo"),
        "ray-team-a",
        None,
        "not_the_instance",
    ),
    "a user": (
        Identity("user", "arn:aws:iam::222222222222:user/jo"),
        "ray-team-a",
        None,
        "no_role",
    ),
    "the root user": (
        Identity("root", f"arn:aws:iam::{ACCOUNT}:root"),
        "ray-team-a",
        None,
        "no_role",
    ),
    "no identity": (Identity("none"), "ray-team-a", None, "no_role"),
    "a kind that is new": (
        Identity("robot", "arn:aws:sts::222222222222:robot/r2"),
        "ray-team-a",
        None,
        "no_role",
    ),
}


@pytest.mark.parametrize("case", VERDICTS)
def test_a_caller_is_judged(case: str) -> None:
    identity, expected, default_role, reason = VERDICTS[case]
    verdict = judge(
        identity, parse_role(expected), default_role, path_is_known=identity is WITH_PATH
    )
    assert (verdict.matches, verdict.reason) == (not reason, reason)
    assert bool(verdict.message) == bool(reason)
