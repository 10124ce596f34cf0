# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Principals in a policy that were deleted: AWS shows their unique ids, and refuses a policy that still names them.

This module util is private to the collection.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _policy as policy
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError


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


def dangling_error(statement: str, name: str, gone: t.Iterable[str], remedy: str = "") -> RefusedError:
    """The error that names a statement with deleted principals."""
    ids = ", ".join(sorted(gone))
    return RefusedError(
        f"{statement} of the {name} names {ids}, which no role or user of this account has: the principal "
        "was deleted, or is of another account, and AWS refuses every new policy that names a deleted one.",
        remedy or "Take it out of that statement and run again; unique ids are never used again.",
        principals=sorted(gone),
    )
