# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Principals in a policy, and those that were deleted: AWS shows their unique ids, and refuses a
policy that still names them.

This module util is private to the collection. Pure.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import is_unique_id
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
    as_list,
    describe_statement,
    statements_of,
)

_ROLE_OR_USER = re.compile(r"arn:[a-z-]+:iam::(?P<account_id>[0-9]{12}):(?:role|user)/")


def without_principals(
    raw: RawStatement, kind: str, gone: t.Callable[[str], bool], element: str = "Principal"
) -> RawStatement | None:
    """A statement without some of its principals of one kind (``AWS``, ``Service``); ``None`` when
    none is left.

    ``element`` is ``NotPrincipal`` for those that a statement excepts.
    """
    principal = raw.get(element)
    if not isinstance(principal, dict):
        principal = {"AWS": principal}
    there = as_list(principal.get(kind))
    kept = [value for value in there if not gone(value)]
    if len(kept) == len(there):
        return raw
    left = {key: value for key, value in principal.items() if key != kind}
    if kept:
        left = {key: (kept if key == kind else value) for key, value in principal.items()}
    return {**raw, element: left} if left else None


def statement_unique_ids(raw: t.Mapping[str, t.Any]) -> list[str]:
    """The principals of a statement that AWS shows by their unique id."""
    found = [
        principal
        for element in ("Principal", "NotPrincipal")
        for principal in aws_principals(raw.get(element))
    ]
    return [principal for principal in found if is_unique_id(principal)]


def aws_principals(element: t.Any) -> list[str]:
    """The values under ``AWS`` of a Principal element, as written."""
    if isinstance(element, dict):
        return as_list(element.get("AWS"))
    return as_list(element)


def document_unique_ids(document: Document) -> set[str]:
    """The principals that a document shows by their unique ids."""
    return {found for raw in statements_of(document) for found in statement_unique_ids(raw)}


def refuse_dangling(
    document: Document, name: str, principals: t.Callable[[], t.Mapping[str, str]]
) -> None:
    """Raise where a statement names somebody whom the account does not have (any more), before AWS
    refuses it whole.
    """
    if not document_unique_ids(document):
        return
    known = principals()
    for index, raw in enumerate(statements_of(document)):
        gone = [found for found in statement_unique_ids(raw) if found not in known]
        if gone:
            raise dangling_error(describe_statement(raw, index), name, gone)


def refuse_gone(
    before: Document,
    after: Document,
    name: str,
    account_id: str,
    principals: t.Callable[[], t.Mapping[str, str]],
) -> None:
    """Raise where a policy names a role or user by an ARN that its account has no more. What is
    live shows those that it has.
    """
    if not _arns_of(after, account_id) - _arns_of(before, account_id):
        return
    gone = _arns_of(after, account_id).difference(principals().values())
    for index, raw in enumerate(statements_of(after)):
        found = gone.intersection(_aws_principals(raw))
        if found:
            raise dangling_error(
                describe_statement(raw, index),
                name,
                found,
                "Make it again, or write the rest of the policy by hand.",
            )


def _arns_of(document: Document, account_id: str) -> set[str]:
    named = {principal for raw in statements_of(document) for principal in _aws_principals(raw)}
    return {
        arn
        for arn in named
        if (match := _ROLE_OR_USER.match(arn)) and match["account_id"] == account_id
    }


def _aws_principals(raw: t.Mapping[str, t.Any]) -> list[str]:
    return [*aws_principals(raw.get("Principal")), *aws_principals(raw.get("NotPrincipal"))]


def dangling_error(
    statement: str, name: str, gone: t.Iterable[str], remedy: str = ""
) -> RefusedError:
    """The error that names a statement with deleted principals."""
    ids = ", ".join(sorted(gone))
    return RefusedError(
        f"{statement} of the {name} names {ids}, which no role or user of this account has: the "
        "principal was deleted, or is of another account, and AWS refuses every new policy that "
        "names a deleted one.",
        remedy or "Take it out of that statement and run again; unique ids are never used again.",
        principals=sorted(gone),
    )
