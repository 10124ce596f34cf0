# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a cloud of the inventory depends on in its AWS account, by its variables.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    instance_profile_name_of,
    parse_bucket,
    role_name_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.touched import Watched


def watched_of(
    cloud: str,
    settings: CloudSettings,
    registered_role: str | None,
    registered_profile: str | None,
) -> Watched:
    """A cloud with its roles, instance profiles, bucket and managed policy.

    registered_role, registered_profile: the ARNs that the inventory has read of Anyscale.
    """
    own = settings.role or registered_role
    roles = [*([own] if own else ()), *settings.further_roles]
    names = {role_name_of(role) for role in roles}
    profile = settings.instance_profile or (role_name_of(own) if own else None)
    profiles = {profile, instance_profile_name_of(registered_profile or "")}
    # That of a further role has its name
    profiles |= {role_name_of(role) for role in settings.further_roles}
    if settings.manage_pass_role and settings.control_plane_role:
        names.add(role_name_of(settings.control_plane_role))
    return Watched(
        cloud,
        settings.account_id,
        roles=frozenset(names),
        instance_profiles=frozenset(name for name in profiles if name),
        buckets=_bucket(settings.bucket),
        policies=frozenset([settings.bucket_policy_arn] if settings.bucket_policy_arn else ()),
    )


def _bucket(given: str | None) -> frozenset[str]:
    """The name of the bucket. One that is invalid fails its cloud when it is converged."""
    try:
        return frozenset([parse_bucket(given)] if given else ())
    except InputError:
        return frozenset()
