# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell what a role would lose with a statement of a bucket's policy that its own policies do not allow.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    Wanted,
    is_object_action,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.bucket_access import (
    ALL_OF_S3,
    Pair,
    by_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    RawStatement,
    as_list,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Identity,
    NamedPolicy,
)


def only_granted_by(raw: RawStatement, role: Role, wanted: Wanted) -> tuple[str, ...]:
    """The actions of a statement that a role's own policies do not certainly allow as well, with all
    that is wanted, which they are going to allow.
    """
    own = with_going(wanted.identities.get(role.arn, Identity()), [wanted])
    found = by_identity(own, role, _pairs_of(raw), wanted.now)
    return tuple(dict.fromkeys(action for action, _resource in found.missing))


def with_going(own: Identity, wants: t.Iterable[Wanted]) -> Identity:
    """The own policies of a role with all that is wanted, which they are going to allow."""
    going = [
        {"Effect": "Allow", "Action": list(wanted.actions), "Resource": list(wanted.resources)}
        for wanted in wants
    ]
    policies = (*own.policies, NamedPolicy("wanted", {"Statement": going}))
    return dataclasses.replace(own, policies=policies)


def _pairs_of(raw: RawStatement) -> list[Pair]:
    """Each action of a statement with the resources that it applies to. A statement that names
    exceptions counts as one for everything.
    """
    return [
        (action, resource)
        for action in map(str, as_list(raw.get("Action", ALL_OF_S3)))
        for resource in map(str, as_list(raw.get("Resource", "*")))
        if _may_be_on(action, resource)
    ]


def _may_be_on(action: str, resource: str) -> bool:
    if "*" in action or "?" in action:
        return True
    is_of_objects = "/" in resource
    may_be_of_both = "*" in resource.partition("/")[0]
    return may_be_of_both or is_object_action(action) == is_of_objects
