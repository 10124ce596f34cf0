# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide what is missing of the instance profile by which EC2 gives a role to the instances of a
cluster.

This module util is private to the collection. Pure. A profile holds one role at the most; one that
holds another role belongs to somebody else and is never changed.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    parse_arn,
    role_name_of,
    role_path_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError

MISSING = "instance_profile_missing"
EMPTY = "instance_profile_without_role"


def held_role(profile: t.Mapping[str, t.Any] | None) -> str | None:
    """The ARN of the role that a profile, as ``GetInstanceProfile`` shows it, holds."""
    roles = profile["Roles"] if profile else []
    return roles[0]["Arn"] if roles else None


def holds(profile: t.Mapping[str, t.Any] | None, wanted: RoleReference) -> bool:
    """Whether a profile holds the wanted role."""
    held = held_role(profile)
    if held is None:
        return False
    return held == str(wanted.arn) if wanted.arn else role_name_of(held) == wanted.name


def decide(
    profile: t.Mapping[str, t.Any] | None,
    name: str,
    wanted: RoleReference,
    role_arn: str | None,
    may_create: bool,
) -> Plan:
    """What the profile must become.

    role_arn: the wanted role's ARN as IAM has it; it need not be known where the profile holds the
    role already.
    """
    held = held_role(profile)
    if held is not None and not holds(profile, wanted):
        raise RefusedError(
            f"Instance profile {name} holds {held}, not {wanted}.",
            "A role is never swapped, since instances may run with it: name another "
            "instance_profile, or empty this one yourself.",
            role_arn=held,
        )
    if profile is None and not may_create:
        raise RefusedError(
            f"Instance profile {name} does not exist.",
            "Set create_instance_profile to true, or make it first.",
        )
    role_arn = held or role_arn
    arn = profile["Arn"] if profile else new_arn(name, role_arn or "")
    after = {"name": name, "arn": arn, "role_arn": role_arn}
    before = {"name": name, "arn": arn, "role_arn": held} if profile else None
    reasons = (MISSING,) if profile is None else () if held else (EMPTY,)
    return Plan(before, after, reasons, result={"instance_profile_arn": arn})


def new_arn(name: str, role_arn: str) -> str:
    """The ARN that a profile will have: beside the role, under the same path."""
    role = parse_arn(role_arn)
    if role is None:
        return ""
    return f"arn:{role.partition}:iam::{role.account_id}:instance-profile{role_path_of(role_arn)}{name}"
