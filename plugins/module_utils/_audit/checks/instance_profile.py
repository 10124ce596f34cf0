# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks on the instance profile, by which EC2 gives the role to the instances of a cluster.

This module util is private to the collection. Pure: each function takes the facts and returns the
outcome of its check. https://docs.anyscale.com/configuration/compute/aws
"""

from __future__ import annotations

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    parse_arn,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.node_profiles import (
    profiles_with_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Outcome,
    failed,
    not_applicable,
    onboard,
    passed,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    instance_profile_plan,
)

_CONVERGE = onboard("compute_config_profile")


def instance_profile_exists(facts: Facts) -> Outcome:
    """Whether the instance profile exists."""
    name, profile = facts.profile_name.get(), facts.profile.get()
    if profile is None:
        in_use = [found["InstanceProfileName"] for found in profiles_with_role(facts)]
        if in_use:
            return warned(
                f"Instance profile {name} does not exist. Clusters use {', '.join(in_use)}, which "
                "holds the role as well.",
                f"Set cloud_iam_instance_profile (the module's option instance_profile) to "
                f"{in_use[0]}. To create {name} instead: {_CONVERGE}",
                other_profiles=in_use,
            )
        others = [found["InstanceProfileName"] for found in facts.role_profiles.value or []]
        held = f" The role is in {', '.join(others)}." if others else ""
        return failed(
            f"Instance profile {name} does not exist in account {facts.account_id}.{held}",
            _CONVERGE,
            other_profiles=others,
        )
    return passed(f"Instance profile {name} exists.", arn=profile["Arn"])


def instance_profile_name(facts: Facts) -> Outcome:
    """Whether a profile with the role's name holds the role: Anyscale uses that one where no
    profile is named.
    """
    role_name = facts.live_role()["RoleName"]
    profiles = {
        profile["InstanceProfileName"]: profile["Arn"] for profile in facts.role_profiles.get()
    }
    if not profiles:
        raise not_applicable("No instance profile holds the role.")
    if role_name in profiles:
        return passed(
            f"The role is in an instance profile of its own name, {role_name}.", profiles=profiles
        )
    held = f"The role is in {', '.join(profiles)}, and in no instance profile named {role_name}"
    remedy = (
        f"Create an instance profile {role_name} that holds the role, or name one in the "
        "registration of the cloud or in every compute config."
    )
    named = facts.primary.value and (facts.primary.value.get("aws_config") or {}).get(
        "cluster_instance_profile_id"
    )
    if named in profiles.values():
        return passed(f"{held}, but {named} is registered for the cloud.", profiles=profiles)
    if facts.profile_name.get() in profiles:
        return warned(
            f"{held}: Anyscale finds it only for clusters whose compute config names it.",
            remedy,
            profiles=profiles,
        )
    return failed(
        f"{held}, which is the one that Anyscale uses by default.", remedy, profiles=profiles
    )


def instance_profile_role(facts: Facts) -> Outcome:
    """Whether the instance profile holds the role."""
    role = facts.live_role()
    name, profile = facts.profile_name.get(), facts.profile.get()
    if profile is None:
        raise not_applicable(f"Instance profile {name} does not exist.")
    held = instance_profile_plan.held_role(profile)
    if instance_profile_plan.holds(
        profile, RoleReference(role["RoleName"], parse_arn(role["Arn"]))
    ):
        return passed(f"Instance profile {name} holds the role.", role=held)
    if held is None:
        return failed(
            f"Instance profile {name} holds no role.",
            _CONVERGE,
        )
    return failed(
        f"Instance profile {name} holds {held}, not {role['Arn']}.",
        "Set cloud_iam_instance_profile (the module's option instance_profile) to another one, or "
        "remove the role from this one. The collection does not, since instances may run with it.",
        role=held,
    )
