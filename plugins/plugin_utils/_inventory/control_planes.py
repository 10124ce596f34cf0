# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the clouds whose clusters' role is a control-plane role, with which a cluster could launch and
stop those of other clouds.

This plugin util is private to the collection. Pure. Any member of the organization can register any
role as either one, so that only the clouds that the operator lists by their IDs count against those
that are listed by their IDs.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    parse_arn,
    role_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.authority import (
    ROLE,
    Described,
)

_Identity = tuple[str, str]


@dataclasses.dataclass(frozen=True)
class ControlPlane:
    """What a cloud has registered as the role that Anyscale assumes.

    label: the cloud, for a message. listed_by_id: whether the fleet file names it by its ID.
    """

    role_arn: str
    cloud_id: str
    label: str
    listed_by_id: bool


def control_plane_conflicts(
    clouds: t.Sequence[Described], control_planes: t.Iterable[ControlPlane]
) -> dict[int, str]:
    """Why clouds are left out, by their index."""
    found: dict[_Identity, list[ControlPlane]] = collections.defaultdict(list)
    for one in control_planes:
        found[_identity(one.role_arn, "")].append(one)
    conflicts = {}
    for index, cloud in enumerate(clouds):
        role = cloud.values.get(ROLE)
        reason = _reason(cloud, found.get(_identity(role, cloud.account_id), ())) if role else ""
        if reason:
            conflicts[index] = reason
    return conflicts


def _reason(cloud: Described, users: t.Iterable[ControlPlane]) -> str:
    """Why a cloud is left out whose role these use as their control-plane role; else empty."""
    what = f"its role {cloud.name_of(ROLE)} is the control-plane role"
    others = {}
    for one in users:
        if one.cloud_id == cloud.cloud_id:
            return f"{what} of the cloud itself; set role to one that is for clusters alone"
        if ROLE in cloud.from_api and (one.listed_by_id or not cloud.listed_by_id):
            others[one.cloud_id] = one
    if not others:
        return ""
    remedy = (
        "set role to one that is for clusters alone"
        if any(one.listed_by_id for one in others.values())
        else "if it is not, list this cloud by its ID under clouds"
    )
    labels = ", ".join(others[cloud_id].label for cloud_id in sorted(others))
    return f"{what} of {labels}; {remedy}"


def _identity(role: str, account_id: str) -> _Identity:
    """That of a role by its name or ARN; account_id: the account, unless the ARN says it."""
    arn = parse_arn(role)
    return role_identity(arn.account_id if arn else account_id, role)
