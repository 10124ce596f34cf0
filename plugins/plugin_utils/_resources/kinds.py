# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds of resources of a fleet, in the order in which they are planned.

This plugin util is private to the collection.
"""

from __future__ import annotations

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.bucket_access import (
    BucketPolicy,
    FormerRoleAttachment,
    FormerRolePolicy,
    RoleAttachment,
    RolePolicy,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.compute_config import (
    ComputeConfig,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.iam_mapping import (
    IamMapping,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.instance_profile import (
    InstanceProfile,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.pass_role import PassRole
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Resource
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.trust_policy import (
    TrustPolicy,
)

# Bucket policies are last: unlike the others they cannot be
# read in bulk, so that their progress is that of the whole plan.
KINDS: tuple[type[Resource], ...] = (
    TrustPolicy,
    InstanceProfile,
    PassRole,
    ComputeConfig,
    IamMapping,
    RolePolicy,
    RoleAttachment,
    FormerRolePolicy,
    FormerRoleAttachment,
    BucketPolicy,
)
