# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Name what still gives a role access to a bucket that it was taken away from.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import Wanted
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.bucket_access import (
    allows,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.conditions import any_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
    describe_statement,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    canonical,
)


def what_still_grants(document: Document, wanted: Wanted) -> tuple[str, ...]:
    """Name what still gives a role access that is out of all statements for it alone."""
    return tuple(
        warning
        for role in wanted.roles
        for warning in (
            *_statements_that_still_grant(document, role, wanted),
            *_own_policies_that_still_grant(role, wanted),
        )
    )


def _statements_that_still_grant(document: Document, role: Role, wanted: Wanted) -> t.Iterator[str]:
    has_own = bool(wanted.own_grants.get(role.arn)) or role.arn in wanted.unread
    for index, raw in enumerate(statements_of(document)):
        where = describe_statement(raw, index)
        statement = canonical(raw, wanted.arns)
        found = any_of(
            allows(statement, role, *pair, wanted.now) for pair in wanted.pairs_of_any_access()
        )
        if found is False and _is_for_all_but_others(raw, role, wanted):
            found = None
        if found is not False:
            may = "still allows" if found else "may still allow"
            yield (
                f"{where} {may} {role.arn} access, and not that role alone. Narrow that statement if "
                "the role must not have access."
            )
        elif has_own and _is_for_account(raw, role, wanted):
            yield (
                f"{where} allows access to account {role.account_id}, and so to {role.arn} as far "
                "as its own policies allow it."
            )


def _is_for_all_but_others(raw: RawStatement, role: Role, wanted: Wanted) -> bool:
    """Whether a statement allows everybody something but principals of which the role is none. AWS
    advises against NotPrincipal there, and does not say whom it leaves out in each case.
    """
    statement = canonical(raw, wanted.arns)
    return (
        statement.effect == "Allow"
        and statement.not_principals is not None
        and ("AWS", role.arn) not in statement.not_principals
        and any(
            statement.includes_action(action) and statement.overlaps_resource(resource)
            for action, resource in wanted.pairs_of_any_access()
        )
    )


def _is_for_account(raw: RawStatement, role: Role, wanted: Wanted) -> bool:
    """Whether a statement leaves it to the account's own policies who has access."""
    statement = canonical(raw, wanted.arns)
    return (
        statement.effect == "Allow"
        and ("AWS", role.account_id) in (statement.principals or ())
        and any(statement.includes_action(name) for name, _on in wanted.pairs_of_any_access())
    )


def _own_policies_that_still_grant(role: Role, wanted: Wanted) -> t.Iterator[str]:
    if sources := wanted.own_grants.get(role.arn):
        yield (
            f"{', '.join(sources)} still allows {role.arn} access, or may do so. Remove it from "
            "there if the role must not have access."
        )
    elif role.arn in wanted.unread:
        yield (
            f"Whether the own policies of {role.arn} still allow it access could not be found out: "
            f"{wanted.unread[role.arn]}"
        )
