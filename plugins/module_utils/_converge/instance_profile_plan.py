# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan the instance profile through which EC2 passes a role to the instances of a cluster.

This module util is private to the collection. Pure. A profile contains at most one role; one that
contains another role is never changed.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    parse_arn,
    role_path_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError, option

MISSING = "instance_profile_missing"
EMPTY = "instance_profile_without_role"


def held_role(profile: t.Mapping[str, t.Any] | None) -> str | None:
    """The ARN of the role in a profile, as ``GetInstanceProfile`` returns it."""
    roles = profile["Roles"] if profile else []
    return roles[0]["Arn"] if roles else None


def holds(profile: t.Mapping[str, t.Any] | None, wanted: RoleReference) -> bool:
    """Whether a profile contains the wanted role."""
    held = held_role(profile)
    return held is not None and wanted.is_role(held)


def decide(
    profile: t.Mapping[str, t.Any] | None,
    name: str,
    wanted: RoleReference,
    role_arn: str | None,
    may_create: bool,
) -> Plan:
    """Plan the profile, which may have another name than a new one.

    role_arn: the wanted role's ARN according to IAM; not needed if the profile already contains the
    role.
    """
    held = held_role(profile)
    if held is not None and not holds(profile, wanted):
        raise RefusedError(
            f"Instance profile {name} contains {held}, not {wanted}.",
            "The role of an instance profile is never replaced, since instances may be using it: "
            f"set {option('instance_profile')} to another name, or remove the role from this one.",
            role_arn=held,
        )
    if profile is None and not may_create:
        raise RefusedError(
            f"Instance profile {name} does not exist.",
            f"Set {option('create_instance_profile')} to true, or create the instance profile first.",
        )
    role_arn = held or role_arn
    name = profile["InstanceProfileName"] if profile else name
    arn = profile["Arn"] if profile else new_arn(name, role_arn or "")
    after = {"name": name, "arn": arn, "role_arn": role_arn}
    before = {"name": name, "arn": arn, "role_arn": held} if profile else None
    reasons = (MISSING,) if profile is None else () if held else (EMPTY,)
    return Plan(before, after, reasons, result={"instance_profile_arn": arn})


def new_arn(name: str, role_arn: str) -> str:
    """The ARN that a new profile will have: in the role's account, with the role's path."""
    role = parse_arn(role_arn)
    if role is None:
        return ""
    return f"arn:{role.partition}:iam::{role.account_id}:instance-profile{role_path_of(role_arn)}{name}"
