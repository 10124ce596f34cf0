# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks of a cloud, in the order in which a cluster meets what they check.

This module util is private to the collection. Pure: facts in, the list of checks out.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.bucket import (
    bucket_access,
    bucket_account,
    bucket_dangling_principals,
    bucket_deny,
    bucket_region,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.compute_config import (
    compute_config_arn_kind,
    compute_config_override,
    effective_profile,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.control_plane import (
    control_plane_get_instance_profile,
    control_plane_pass_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.iac_owner import (
    document_owner,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.instance_profile import (
    instance_profile_exists,
    instance_profile_name,
    instance_profile_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.role import (
    permissions_boundary,
    role_account,
    trust_anyscale_verify,
    trust_ec2,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Outcome,
    not_applicable,
    outcome_of,
)

_Judge = t.Callable[[Facts], Outcome]

# The names of the functions are the ids of the checks.
CHECKS: dict[_Judge, str] = {
    trust_ec2: "EC2 may assume the role",
    trust_anyscale_verify: "Anyscale's own verification accepts the trust policy",
    role_account: "The role is in the cloud's account",
    permissions_boundary: "The permissions boundary leaves the role the bucket",
    instance_profile_exists: "The instance profile exists",
    instance_profile_name: "The instance profile is named like the role",
    instance_profile_role: "The instance profile holds the role",
    control_plane_pass_role: "Anyscale may pass the role to EC2",
    control_plane_get_instance_profile: "Anyscale may look at the instance profile",
    bucket_access: "The bucket grants the role access",
    bucket_deny: "No statement denies the role the bucket",
    bucket_account: "The bucket is in the cloud's account",
    bucket_region: "The bucket is in the cloud's region",
    bucket_dangling_principals: "The bucket's policy names no deleted principal",
    compute_config_override: "The compute config gives every node group the profile",
    compute_config_arn_kind: "The compute config names the profile by its ARN",
    effective_profile: "Every node group ends up with the role",
    document_owner: "No other tool will undo the policies",
}


def checked(facts: Facts) -> list[dict[str, t.Any]]:
    """What all checks come to."""
    return [_checked(judge, title, facts) for judge, title in CHECKS.items()]


def _checked(judge: _Judge, title: str, facts: Facts) -> dict[str, t.Any]:
    def on_virtual_machines() -> Outcome:
        if facts.elsewhere:
            raise not_applicable(
                f"The cloud does not run on AWS virtual machines: {facts.elsewhere}."
            )
        return judge(facts)

    outcome = dataclasses.asdict(outcome_of(on_virtual_machines))
    return {
        "id": judge.__name__,
        "title": title,
        **outcome,
        "reason": " ".join(outcome["reason"].split()),
    }
