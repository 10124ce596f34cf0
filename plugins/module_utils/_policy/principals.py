# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find, remove and check the principals of policies.

AWS shows a deleted principal as its unique ID, and rejects a new policy that names one.

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
    raw: RawStatement, kind: str, removed: t.Callable[[str], bool], element: str = "Principal"
) -> RawStatement | None:
    """A statement without some principals of one kind (``AWS``, ``Service``); ``None`` if none is
    left.

    ``element`` is ``NotPrincipal`` to remove from the exceptions of a statement.
    """
    principal = raw.get(element)
    if not isinstance(principal, dict):
        principal = {"AWS": principal}
    values = as_list(principal.get(kind))
    kept = [value for value in values if not removed(value)]
    if len(kept) == len(values):
        return raw
    rest = {key: value for key, value in principal.items() if key != kind}
    if kept:
        rest = {key: (kept if key == kind else value) for key, value in principal.items()}
    return {**raw, element: rest} if rest else None


def statement_unique_ids(raw: t.Mapping[str, t.Any]) -> list[str]:
    """The principals of a statement that AWS shows as unique ids."""
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
    """The principals of a document that AWS shows as unique ids."""
    return {found for raw in statements_of(document) for found in statement_unique_ids(raw)}


def refuse_dangling(
    document: Document,
    name: str,
    principals: t.Callable[[t.Collection[str]], t.Mapping[str, str]],
) -> None:
    """Raise if a statement names a principal that does not exist (any more): AWS would reject the
    whole policy.
    """
    ids = document_unique_ids(document)
    if not ids:
        return
    known = principals(ids)
    for index, raw in enumerate(statements_of(document)):
        deleted = [found for found in statement_unique_ids(raw) if found not in known]
        if deleted:
            raise dangling_error(describe_statement(raw, index), name, deleted)


def refuse_deleted_arns(
    before: Document,
    after: Document,
    name: str,
    account_id: str,
    principals: t.Callable[[], t.Mapping[str, str]],
) -> None:
    """Raise if a new policy names a role or user by the ARN of a deleted principal. Live policies
    show deleted ones as unique ids.
    """
    if not _arns_of(after, account_id) - _arns_of(before, account_id):
        return
    deleted = _arns_of(after, account_id).difference(principals().values())
    for index, raw in enumerate(statements_of(after)):
        found = deleted.intersection(_aws_principals(raw))
        if found:
            raise dangling_error(
                describe_statement(raw, index),
                name,
                found,
                "Create that principal again, or restore the rest of the policy by hand.",
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
    statement: str, name: str, deleted: t.Iterable[str], remedy: str = ""
) -> RefusedError:
    """The error for a statement that names deleted principals."""
    ids = ", ".join(sorted(deleted))
    return RefusedError(
        f"{statement} of the {name} names {ids}, which is no role or user of this account: the "
        "principal was deleted, or belongs to another account. AWS rejects a policy that names a "
        "deleted principal.",
        remedy or "Remove it from that statement and run again. AWS never reuses a unique id.",
        principals=sorted(deleted),
    )
