# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evaluate whether a Deny statement of a bucket policy denies a role access: yes, no, or unknown.

This module util is private to the collection. Pure. The result is ``None`` (unknown) if it depends
on condition keys that only the request has, such as its VPC endpoint or its headers.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    folded_role_name,
    parse_arn,
    partition_of,
    role_name_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.conditions import (
    all_of,
    any_of,
    are_met,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import RawStatement
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    Statement,
    canonical,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.request_context import (
    RequestContext,
    cluster_context,
)

# The name of a cluster's session is the id of an EC2 instance.
_INSTANCE = "i-"


@dataclasses.dataclass(frozen=True)
class Role:
    """A role as it appears in the requests of its sessions. ``unique_id`` is empty if unknown."""

    arn: str
    account_id: str
    unique_id: str = ""

    def context(self, now: float, action: str, resource_account: str = "") -> RequestContext:
        """What is known of a cluster's requests for an action, from ``now`` on, on a resource of
        the role's account or of another one.
        """
        service = action.partition(":")[0].lower()
        return cluster_context(
            self.arn, self.unique_id, resource_account or self.account_id, service, now
        )

    def has_arn(self, text: str) -> bool:
        """Whether a text is the role's ARN, in whichever spelling: neither the path nor the case of
        its name distinguishes it from another role of the account.
        """
        arn = parse_arn(text) if folded_role_name(text) == folded_role_name(self.arn) else None
        return (
            arn is not None
            and arn.service == "iam"
            and arn.resource.startswith("role/")
            and arn.account_id == self.account_id
        )

    def is_named_by(self, principal: str) -> bool:
        """Whether a principal is the role, or a session of it."""
        is_id = bool(self.unique_id) and principal == self.unique_id
        is_session = principal.casefold().startswith(self.sessions.casefold())
        return is_id or is_session or self.has_arn(principal)

    @property
    def sessions(self) -> str:
        """What the ARNs of the role's sessions begin with. They do not contain the role's path."""
        name = role_name_of(self.arn)
        return f"arn:{partition_of(self.arn)}:sts::{self.account_id}:assumed-role/{name}/"


def denies(
    raw: RawStatement, role: Role, actions: t.Iterable[tuple[str, str]], now: float
) -> bool | None:
    """Whether a Deny statement denies a role one of the (action, resource) pairs, from ``now`` on;
    ``None`` if that depends on the request.
    """
    statement = canonical(raw)
    principal_matches = _matches_principal(statement, role)
    if statement.effect != "Deny" or principal_matches is False:
        return False
    denied = any_of(
        all_of(
            [
                True if statement.includes_resource(resource) else None,
                are_met(statement, role.context(now, action)),
            ]
        )
        for action, resource in actions
        if statement.includes_action(action) and statement.overlaps_resource(resource)
    )
    return all_of([principal_matches, denied])


def names_role(principal: tuple[str, str], role: Role) -> bool | None:
    """Whether a principal, by its kind and name, stands for a role; ``None`` where it does for one
    session of a cluster, or may.
    """
    kind, name = principal
    if kind != "AWS":
        # A canonical user ID stands for an account, but does not say which. What a star among
        # services stands for is not documented.
        return None if kind == "CanonicalUser" or principal == ("Service", "*") else False
    if name in ("*", role.arn, role.account_id) or (role.unique_id and name == role.unique_id):
        return True
    return None if name.startswith(role.sessions + _INSTANCE) else False


def _matches_principal(statement: Statement, role: Role) -> bool | None:
    """Whether a statement's principals match a role. A role in NotPrincipal need not except its
    sessions, nor does its account.

    S3 also compares the role session's ARN, which contains the instance id and which no wildcard in
    a principal matches. https://repost.aws/knowledge-center/explicit-deny-principal-elements-s3
    """
    if statement.not_principals is None:
        return any_of(names_role(found, role) for found in statement.principals or ())
    if ("AWS", "*") in statement.not_principals:
        return False
    own = [found for found in statement.not_principals if found != ("AWS", role.account_id)]
    is_excepted = any_of(names_role(found, role) for found in own if found[0] == "AWS")
    return True if is_excepted is False else None
