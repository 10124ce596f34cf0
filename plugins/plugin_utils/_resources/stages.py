# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of resources by name, and the order in which they are written.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_stages import (
    ATTACHMENT_STAGE,
    BUCKET_STAGE,
    ROLE_POLICY_STAGE,
    stages,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)

TRUST, BUCKET, PROFILE = "trust", "bucket", "instance_profile"
PASS_ROLE, CONFIG, MAPPING = "pass_role", "compute_config", "iam_mapping"
ROLE_POLICY, ATTACHMENT = "role_policy", "role_attachment"
FORMER_POLICY, FORMER_ATTACHMENT = "former_role_policy", "former_role_attachment"
# What gives roles access to a bucket, in the order in which it is written: what grants access is
# before what takes it away.
OF_BUCKET = (ROLE_POLICY, ATTACHMENT, BUCKET, FORMER_POLICY, FORMER_ATTACHMENT)
# The order in which they are written for state present.
STAGES = (TRUST, *OF_BUCKET, PROFILE, PASS_ROLE, CONFIG, MAPPING)
# Of these kinds, clouds that share a resource may want different things of it.
SHARED = (ROLE_POLICY, BUCKET, FORMER_POLICY, PASS_ROLE)
# By the stage of the module, and whether it takes away.
_STAGE_OF = {
    (ROLE_POLICY_STAGE, False): ROLE_POLICY,
    (ROLE_POLICY_STAGE, True): FORMER_POLICY,
    (ATTACHMENT_STAGE, False): ATTACHMENT,
    (ATTACHMENT_STAGE, True): FORMER_ATTACHMENT,
}


def bucket_stages_of(settings: CloudSettings, state: str) -> dict[str, bool]:
    """What a cloud's way to the bucket is about, and whether it takes away what gave access before."""
    found = stages(settings.bucket_grant, state, settings.bucket_policy_arn is not None)
    return {
        BUCKET
        if one.resource == BUCKET_STAGE
        else _STAGE_OF[one.resource, one.takes_away]: one.takes_away
        for one in found
    }
