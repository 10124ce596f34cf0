# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge whether a Deny statement of a bucket policy hits a role: surely, perhaps, or not at all.

This module util is private to the collection. Pure. A condition on what only the request knows (its
VPC endpoint, its headers) makes the answer ``None``, perhaps.
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

# A cluster speaks TLS 1.2 or newer to S3, by itself and not through another AWS service.
_REQUEST = {
    "aws:securetransport": "true",
    "aws:principalisawsservice": "false",
    "aws:viaawsservice": "false",
    "s3:tlsversion": "1.2",
}


@dataclasses.dataclass(frozen=True)
class Role:
    """A role as a request of its sessions shows it. ``unique_id`` is empty where it is not known."""

    arn: str
    account_id: str
    unique_id: str = ""

    def request(self) -> dict[str, str]:
        """The condition keys whose values are known of every request of the role.

        The name of a cluster's session is the id of an EC2 instance, so the user id is known as a
        pattern only.
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
    """Whether a Deny takes one of the (action, resource) pairs from a role; ``None`` where only a
    request can tell.
    """
    statement = canonical(raw)
    matches_principal = _names(statement, role)
    if statement.effect != "Deny" or matches_principal is False:
        return False
    resources = [resource for action, resource in actions if statement.includes_action(action)]
    if not any(statement.overlaps_resource(resource) for resource in resources):
        return False
    whole = any(statement.includes_resource(resource) for resource in resources)
    return all_of([matches_principal, True if whole else None, are_met(statement, role.request())])


def _names(statement: Statement, role: Role) -> bool | None:
    """Whether a statement is about a role. An exception for the role need not be one for its
    sessions.

    S3 looks for the session as well, which is named after the cluster's instance, and which no
    wildcard can stand for. https://repost.aws/knowledge-center/explicit-deny-principal-elements-s3
    """
    itself = {("AWS", role.arn), ("AWS", role.unique_id)}
    if statement.not_principals is None:
        return bool(
            {*itself, ("AWS", role.account_id), ("AWS", "*")}
            & (statement.principals or frozenset())
        )
    if ("AWS", "*") in statement.not_principals:
        return False
    return None if itself & statement.not_principals else True
