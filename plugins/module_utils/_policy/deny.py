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

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.conditions import (
    all_of,
    are_met,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import RawStatement
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    Statement,
    canonical,
)

# A cluster calls S3 directly, not through another AWS service, with TLS 1.2 or newer.
_REQUEST = {
    "aws:securetransport": "true",
    "aws:principalisawsservice": "false",
    "aws:viaawsservice": "false",
    "s3:tlsversion": "1.2",
}


@dataclasses.dataclass(frozen=True)
class Role:
    """A role as it appears in the requests of its sessions. ``unique_id`` is empty if unknown."""

    arn: str
    account_id: str
    unique_id: str = ""

    def request(self) -> dict[str, str]:
        """The condition keys whose values are the same in every request of the role.

        The name of a cluster's session is the id of an EC2 instance, so only a pattern of
        ``aws:userid`` is known.
        """
        known = {
            "aws:principalarn": self.arn,
            "aws:principalaccount": self.account_id,
            "aws:principaltype": "AssumedRole",
        }
        return {
            **_REQUEST,
            **known,
            **({"aws:userid": f"{self.unique_id}:i-*"} if self.unique_id else {}),
        }


def denies(raw: RawStatement, role: Role, actions: t.Iterable[tuple[str, str]]) -> bool | None:
    """Whether a Deny statement denies a role one of the (action, resource) pairs; ``None`` if that
    depends on the request.
    """
    statement = canonical(raw)
    principal_matches = _matches_principal(statement, role)
    if statement.effect != "Deny" or principal_matches is False:
        return False
    resources = [resource for action, resource in actions if statement.includes_action(action)]
    if not any(statement.overlaps_resource(resource) for resource in resources):
        return False
    whole = any(statement.includes_resource(resource) for resource in resources)
    return all_of([principal_matches, True if whole else None, are_met(statement, role.request())])


def _matches_principal(statement: Statement, role: Role) -> bool | None:
    """Whether a statement's principals match a role. A role in NotPrincipal need not except its
    sessions.

    S3 also compares the role session's ARN, which contains the instance id and which no wildcard in
    a principal matches. https://repost.aws/knowledge-center/explicit-deny-principal-elements-s3
    """
    identifiers = {("AWS", role.arn), ("AWS", role.unique_id)}
    if statement.not_principals is None:
        return bool(
            {*identifiers, ("AWS", role.account_id), ("AWS", "*")}
            & (statement.principals or frozenset())
        )
    if ("AWS", "*") in statement.not_principals:
        return False
    return None if identifiers & statement.not_principals else True
