# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that must be set for what is managed of a cloud.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    folded_role_name,
    role_name_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CLOUD_ROLE,
    PREFIX,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    CONFIG,
    MAPPING,
    OF_BUCKET,
    PASS_ROLE,
    PROFILE,
)

# By the kind of resource that needs them, with the switch that does without.
_REQUIRED: dict[str, tuple[tuple[str, ...], str]] = {
    **dict.fromkeys(OF_BUCKET, (("bucket",), "manage_bucket_access")),
    CONFIG: (("cloud_id", "compute_config"), "manage_compute_config"),
    MAPPING: (("cloud_id",), "manage_iam_mapping"),
}


def refuse_incomplete(cloud: Cloud, stages: t.Collection[str], state: str) -> None:
    """Raise InputError for the first variable that a cloud needs and that is not set.

    stages: the kinds of resources that the run is for.
    """
    managed = [stage for stage in stages if cloud.manages(stage, state)]
    if cloud.settings.role is None:
        _refuse_roleless(cloud, state, managed)
    for stage in managed:
        names, switch = _REQUIRED.get(stage, ((), ""))
        for name in names:
            if getattr(cloud.settings, name) is None:
                raise InputError(
                    f"{PREFIX}{name} is not set.", f"Set it, or set {PREFIX}{switch} to false."
                )
    if PROFILE in managed and cloud.settings.assign == CLOUD_ROLE:
        _refuse_unused_role(cloud)
    if PASS_ROLE in managed and cloud.settings.control_plane_role is None:
        _refuse_unnamed_control_plane(cloud)


def _refuse_roleless(cloud: Cloud, state: str, managed: t.Collection[str]) -> None:
    """The role of all clusters is not taken from Anyscale, that of a cloud is."""
    settings = cloud.settings
    if MAPPING in managed and settings.mapping_rules is None:
        raise InputError(
            f"Neither {PREFIX}mapping_rules nor {PREFIX}role is set.",
            "Set the rules of the Cloud IAM mapping, or the role that all clusters get by it.",
        )
    needs_own = state == "present" or settings.offboards_own_role
    if managed and needs_own and not cloud.registered_role and not settings.cloud_id:
        raise InputError(
            f"Neither {PREFIX}role nor {PREFIX}cloud_id is set.",
            "Set the role, or the cloud's ID, for the role that is registered at Anyscale.",
        )


def _refuse_unused_role(cloud: Cloud) -> None:
    """Clusters that no compute config and no rule gives another role run with the registered one."""
    named, registered = cloud.settings.role, cloud.registered_role
    if named and registered and folded_role_name(named) != folded_role_name(registered):
        raise InputError(
            f"{PREFIX}role is {role_name_of(named)!r}, but with {PREFIX}assign=cloud_role clusters "
            f"run with the role that the cloud is registered with, {role_name_of(registered)!r}.",
            f"Remove {PREFIX}role, or give clusters the role by {PREFIX}assign=compute_config.",
        )


def _refuse_unnamed_control_plane(cloud: Cloud) -> None:
    """That a role is registered for a cloud permits nothing: where the inventory is read from
    Anyscale, the operator has to name it.
    """
    if cloud.authority is not None:
        raise InputError(
            f"{PREFIX}control_plane_role is not set, and the role that is registered at Anyscale is "
            "not written to on Anyscale's word.",
            f"Set it under variables in the fleet file, or set {PREFIX}manage_pass_role to false.",
        )
    if cloud.settings.cloud_id is None:
        raise InputError(
            f"Neither {PREFIX}control_plane_role nor {PREFIX}cloud_id is set.",
            f"Set one of them, or set {PREFIX}manage_pass_role to false.",
        )
