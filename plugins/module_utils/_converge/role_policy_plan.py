# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan an inline policy of a role so that our statements in it grant (or no longer grant) something.

This module util is private to the collection. Pure: a document in, a Plan out. Statements of ours are
told by their Sid, and each grants the same actions on a growing list of resources, so that many
clouds can share a policy. https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies.html
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import RefusedError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
    as_list,
    compact_json,
    describe_statement,
    free_sid,
    length_of,
    statements_of,
    with_statements,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import canonical

# Of all inline policies of a role together, without white space. It cannot be raised.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
CHARS_LIMIT = 10_240
# What follows a Sid of ours: a hash of what is granted, where that is not the usual, and a number
# where another statement has the Sid.
_HASH = r"(?:[0-9a-f]{8})?"
_NUMBER = r"[0-9]{0,3}"


@dataclasses.dataclass(frozen=True)
class Grant:
    """What a statement of ours says. ``sid``: its usual one. ``reason``: of a change that
    grants it.
    """

    sid: str
    actions: tuple[str, ...]
    resources: tuple[str, ...]
    condition: t.Mapping[str, t.Mapping[str, t.Any]] | None = None
    reason: str = "access_missing"

    def statement(self, sid: str, resources: t.Iterable[str]) -> RawStatement:
        """Our statement for some resources."""
        statement = {
            "Sid": sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(resources),
        }
        return {**statement, "Condition": dict(self.condition)} if self.condition else statement

    def has_sid_of(self, raw: RawStatement) -> bool:
        """Whether a statement has our Sid, perhaps with a number."""
        return bool(re.fullmatch(re.escape(self.sid) + _NUMBER, str(raw.get("Sid") or "")))


@dataclasses.dataclass(frozen=True)
class Target:
    """The inline policy. ``other_chars``: how long the role's other inline policies are."""

    role_arn: str
    policy_name: str
    other_chars: int = 0


def grant_all(document: Document, grants: t.Iterable[Grant], target: Target) -> Plan:
    """Plan the policy with a statement of ours for each of these."""
    after = document
    reasons: list[str] = []
    warnings: list[str] = []
    for grant in grants:
        raws = statements_of(after)
        parts = [_part(raw, grant) for raw in raws]
        wanted = _wanted(after, parts, grant)
        found = _reasons(raws, parts, grant)
        if found:
            after = with_statements(after, _merged(parts, wanted))
            warnings += _condition_warnings(raws, parts, grant)
        reasons += found
    _refuse_length(document, after, target)
    return _plan(document, after, reasons, warnings, target)


def revoke_all(
    document: Document,
    base_sid: str,
    is_revoked: t.Callable[[str], bool],
    target: Target,
    reason: str = "access_present",
) -> Plan:
    """Plan the policy without some resources in statements of ours. An ``after`` without statements
    means that the policy is to be deleted.
    """
    after = without_resources(document, base_sid, is_revoked)
    reasons = [reason] if after != document else []
    return _plan(document, after, reasons, [], target)


def without_resources(
    document: Document, base_sid: str, is_removed: t.Callable[[str], bool]
) -> Document:
    """A policy without some resources in statements of ours, whatever their actions are.

    base_sid: what the Sids of all our statements for a purpose begin with.
    """
    ours = re.compile(re.escape(base_sid) + _HASH + _NUMBER)
    kept = [
        _without_resources(raw, is_removed)
        if raw["Effect"] == "Allow" and ours.fullmatch(str(raw.get("Sid") or ""))
        else raw
        for raw in statements_of(document)
    ]
    left = [raw for raw in kept if raw is not None]
    return document if left == statements_of(document) else with_statements(document, left)


def _plan(
    before: Document,
    after: Document,
    reasons: t.Iterable[str],
    warnings: t.Iterable[str],
    target: Target,
) -> Plan:
    result = {
        "role_arn": target.role_arn,
        "policy_name": target.policy_name,
        "role_policy": after if statements_of(after) else None,
    }
    return Plan(before, after, tuple(dict.fromkeys(reasons)), tuple(warnings), result)


class _Part(t.NamedTuple):
    """What becomes of a statement: the resources that go to our new statement, and the statement
    without them; ``None`` if nothing is left of it.
    """

    is_ours: bool
    carried: tuple[str, ...]
    rest: RawStatement | None

    @property
    def is_replaced(self) -> bool:
        """Whether our new statement replaces it."""
        return self.is_ours and self.rest is None


def _part(raw: RawStatement, grant: Grant) -> _Part:
    """Resources that were not asked for are carried along only from a statement that grants exactly
    what ours does. None are taken out of a statement that grants more.
    """
    if not grant.has_sid_of(raw) or not _is_within(raw, grant):
        return _Part(False, (), raw)
    resources = tuple(map(str, as_list(raw.get("Resource"))))
    if _is_complete(raw, grant):
        return _Part(True, resources, None)
    moved = tuple(resource for resource in resources if resource in grant.resources)
    return _Part(True, moved, _without_resources(raw, moved.__contains__))


def _is_within(raw: RawStatement, grant: Grant) -> bool:
    """Whether a statement grants nothing that ours would not grant on the same resources."""
    statement, ours = canonical(raw), canonical(grant.statement("", ()))
    return (
        statement.effect == "Allow"
        and statement.principals is None
        and statement.not_principals is None
        and statement.actions is not None
        and statement.actions <= (ours.actions or frozenset())
        and statement.resources is not None
        and ours.conditions <= statement.conditions
        and not statement.others
    )


def _is_complete(raw: RawStatement, grant: Grant) -> bool:
    """Whether a statement grants exactly what ours does on its resources."""
    statement, ours = canonical(raw), canonical(grant.statement("", ()))
    return (statement.actions, statement.conditions) == (ours.actions, ours.conditions)


def _wanted(document: Document, parts: t.Sequence[_Part], grant: Grant) -> RawStatement:
    """Our statement as it should be. It keeps the Sid of the first that it replaces."""
    replaced = [
        raw for raw, part in zip(statements_of(document), parts, strict=True) if part.is_replaced
    ]
    sid = str(replaced[0]["Sid"]) if replaced else free_sid(document, grant.sid)
    carried = (resource for part in parts for resource in part.carried)
    return grant.statement(sid, dict.fromkeys((*carried, *grant.resources)))


def _reasons(raws: t.Sequence[RawStatement], parts: t.Sequence[_Part], grant: Grant) -> list[str]:
    """Why the statements need a change, one code per kind of difference."""
    reasons = []
    ours = [raw for raw, part in zip(raws, parts, strict=True) if part.carried]
    granted = {
        str(resource)
        for raw in ours
        if _is_complete(raw, grant)
        for resource in as_list(raw["Resource"])
    }
    if not granted.issuperset(grant.resources):
        reasons.append(grant.reason)
    if any(not _is_complete(raw, grant) for raw in ours):
        reasons.append("statement_differs")
    if len(ours) > 1:
        reasons.append("duplicate_statement")
    return reasons


def _merged(parts: t.Sequence[_Part], ours: RawStatement) -> list[RawStatement]:
    """The statements with ours in the place of the first that it replaces, else at the end."""
    place = next((index for index, part in enumerate(parts) if part.is_replaced), len(parts))
    left = [[part.rest for part in some if part.rest] for some in (parts[:place], parts[place:])]
    return [*left[0], ours, *left[1]]


def _without_resources(
    raw: RawStatement, is_removed: t.Callable[[str], bool]
) -> RawStatement | None:
    """A statement without some of its resources; ``None`` if none is left."""
    if "Resource" not in raw:
        return raw
    resources = as_list(raw["Resource"])
    kept = [resource for resource in resources if not is_removed(str(resource))]
    if len(kept) == len(resources):
        return raw
    return {**raw, "Resource": kept} if kept else None


def _condition_warnings(
    raws: t.Sequence[RawStatement], parts: t.Sequence[_Part], grant: Grant
) -> t.Iterator[str]:
    """Name the Conditions that a change of our statements takes away."""
    for index, (raw, part) in enumerate(zip(raws, parts, strict=True)):
        if part.carried and raw.get("Condition") and not _is_complete(raw, grant):
            yield (
                f"{describe_statement(raw, index)} has a Condition of its own, which is replaced by "
                f"that of the managed statement. Condition: {compact_json(raw['Condition'])}"
            )


def _refuse_length(before: Document, after: Document, target: Target) -> None:
    """Raise if the role's inline policies would be too long: known before the write."""
    used = target.other_chars + length_of(after)
    if used <= CHARS_LIMIT or length_of(after) <= length_of(before):
        return
    raise RefusedError(
        f"The inline policies of {target.role_arn} would have {used} characters without white "
        f"space; IAM allows at most {CHARS_LIMIT} for all of them together.",
        "Remove statements that are no longer needed, or grant it by a managed policy instead.",
        chars_used=used,
        chars_limit=CHARS_LIMIT,
    )
