# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read what a role's own policies allow it: its attached and inline policies, and its boundary.

This module util is private to the collection. I/O.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    parse_policy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Identity,
    NamedPolicy,
)

# A role as ``GetRole`` returns it.
LiveRole = t.Mapping[str, t.Any]


def read_identity(iam: Iam, role: LiveRole) -> Identity:
    """A role's own policies and its boundary."""
    return Identity(own_policies(iam, role), boundary_of(iam, role))


def own_policies(iam: Iam, role: LiveRole) -> tuple[NamedPolicy, ...]:
    """A role's attached policies, by their ARNs, and its inline policies, by their names."""
    attached = [managed_policy(iam, arn) for arn in iam.attached_policies(role["RoleName"])]
    inline = [
        _named(name, document) for name, document in iam.inline_policies(role["RoleName"]).items()
    ]
    return (*attached, *inline)


def boundary_of(iam: Iam, role: LiveRole) -> NamedPolicy | None:
    """A role's permissions boundary."""
    boundary = role.get("PermissionsBoundary")
    return managed_policy(iam, boundary["PermissionsBoundaryArn"]) if boundary else None


def managed_policy(iam: Iam, arn: str) -> NamedPolicy:
    """The default version of a managed policy."""
    return _named(arn, iam.managed_policy(arn))


def _named(name: str, document: t.Any) -> NamedPolicy:
    return NamedPolicy(name, parse_policy(document, f"policy {name}"))
