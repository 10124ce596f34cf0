# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Principals in a policy that were deleted: AWS shows their unique ids, and refuses a policy that still names them.

This module util is private to the collection.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _policy as policy
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError

_ROLE_OR_USER = re.compile(r"arn:[a-z-]+:iam::(?P<account_id>[0-9]{12}):(?:role|user)/")


def unique_ids(document: policy.Document) -> set[str]:
    """The principals that a document shows by their unique ids."""
    return {found for raw in policy.statements(document) for found in policy.unique_ids(raw)}


def refuse_dangling(document: policy.Document, name: str, principals: t.Callable[[], t.Mapping[str, str]]) -> None:
    """Raise where a statement names somebody whom the account does not have (any more), before AWS refuses it whole."""
    if not unique_ids(document):
        return
    known = principals()
    for index, raw in enumerate(policy.statements(document)):
        gone = [found for found in policy.unique_ids(raw) if found not in known]
        if gone:
            raise dangling_error(policy.describe(raw, index), name, gone)


def refuse_gone(
    before: policy.Document, after: policy.Document, name: str, account_id: str, principals: t.Callable[[], t.Mapping[str, str]]
) -> None:
    """Raise where a policy names a role or user by an ARN that its account has no more. What is live shows those that it has."""
    if not _arns_of(after, account_id) - _arns_of(before, account_id):
        return
    gone = _arns_of(after, account_id).difference(principals().values())
    for index, raw in enumerate(policy.statements(after)):
        found = gone.intersection(_aws_principals(raw))
        if found:
            raise dangling_error(policy.describe(raw, index), name, found, "Make it again, or write the rest of the policy by hand.")


def _arns_of(document: policy.Document, account_id: str) -> set[str]:
    named = {principal for raw in policy.statements(document) for principal in _aws_principals(raw)}
    return {arn for arn in named if (match := _ROLE_OR_USER.match(arn)) and match["account_id"] == account_id}


def _aws_principals(raw: t.Mapping[str, t.Any]) -> list[str]:
    return [*policy.aws_principals(raw.get("Principal")), *policy.aws_principals(raw.get("NotPrincipal"))]


def dangling_error(statement: str, name: str, gone: t.Iterable[str], remedy: str = "") -> RefusedError:
    """The error that names a statement with deleted principals."""
    ids = ", ".join(sorted(gone))
    return RefusedError(
        f"{statement} of the {name} names {ids}, which no role or user of this account has: the principal "
        "was deleted, or is of another account, and AWS refuses every new policy that names a deleted one.",
        remedy or "Take it out of that statement and run again; unique ids are never used again.",
        principals=sorted(gone),
    )
