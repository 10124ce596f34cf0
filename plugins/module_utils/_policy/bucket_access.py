# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evaluate whether a role has access to a bucket: by the bucket's policy, by its own policies, and
whether Anyscale's verification finds it.

This module util is private to the collection. Pure. Either side is enough where both are in one
account, and Anyscale looks at each side alone: it does not find access that is split between them.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import role_name_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.conditions import (
    all_of,
    any_of,
    are_met,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import (
    Role,
    names_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
    as_list,
    statement_name,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    Statement,
    canonical,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    BY_ANSWER,
    Action,
    Identity,
    judge,
)

# An action and the resource that it is needed on; ``arn:aws:s3:::b/*`` means each object in b.
Pair = tuple[str, str]
# What Anyscale's verification looks for, by full name: it reads no wildcard but this one.
# Source: verify_s3_access in anyscale/utils/s3.py of the package anyscale, 0.26.112.
VERIFIED_ACTIONS = frozenset(("s3:PutObject", "s3:GetObject", "s3:ListBucket"))
ALL_OF_S3 = "s3:*"


@dataclasses.dataclass(frozen=True)
class Access:
    """What one side allows a role, for each pair: ``None`` where that depends on the request.

    granted_by: the names of the statements that allow it, or may do so, for each pair. denied_by:
    those that certainly deny some of it, which overrides what the other side allows.
    """

    verdicts: t.Mapping[Pair, bool | None]
    granted_by: t.Mapping[Pair, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    denied_by: tuple[str, ...] = ()

    @property
    def verdict(self) -> bool | None:
        """Whether it is all allowed."""
        return all_of(self.verdicts.values())

    @property
    def missing(self) -> list[Pair]:
        """The pairs that are not certainly allowed."""
        return [pair for pair, verdict in self.verdicts.items() if not verdict]

    @property
    def sources(self) -> tuple[str, ...]:
        """The statements that allow some of it."""
        return tuple(dict.fromkeys(name for names in self.granted_by.values() for name in names))


def by_bucket_policy(
    document: Document,
    role: Role,
    pairs: t.Iterable[Pair],
    arns: t.Mapping[str, str],
    now: float,
) -> Access:
    """What the Allow statements of a bucket's policy allow a role, by any wildcard.

    arns: the ARNs of existing principals that the policy shows as unique ids, by unique id.
    """
    raws = statements_of(document)
    statements = [canonical(raw, arns) for raw in raws]
    verdicts, granted_by = {}, {}
    for pair in pairs:
        found = [allows(statement, role, *pair, now) for statement in statements]
        verdicts[pair] = any_of(found)
        granted_by[pair] = tuple(
            statement_name(raw, index)
            for index, (raw, verdict) in enumerate(zip(raws, found, strict=True))
            if verdict is not False
        )
    return Access(verdicts, granted_by)


def by_identity(
    identity: Identity,
    role: Role,
    pairs: t.Iterable[Pair],
    now: float,
    resource_account: str = "",
) -> Access:
    """What a role's own policies allow it within its permissions boundary; a Deny in them counts."""
    verdicts, granted_by = {}, {}
    denied_by: dict[str, None] = {}
    for pair in pairs:
        action, resource = pair
        found = judge(
            identity, Action(action, resource, role.context(now, action, resource_account))
        )
        verdicts[pair] = BY_ANSWER[found.answer]
        granted_by[pair] = tuple(
            str(match)
            for match in found.statements
            if match.effect == "Allow" and match.policy_name in _own_names(identity)
        )
        denied_by.update(dict.fromkeys(map(str, found.denying)))
    return Access(verdicts, granted_by, tuple(denied_by))


def outside_boundary(
    identity: Identity, role: Role, pairs: t.Iterable[Pair], now: float
) -> tuple[str, ...]:
    """The actions that a role's permissions boundary does not certainly allow. It limits also what a
    bucket's policy grants to the ARN of the role.
    https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html#access_policies_boundaries-eval-logic
    """
    if identity.boundary is None:
        return ()
    found = by_identity(Identity((identity.boundary,)), role, pairs, now)
    return tuple(action for action, _resource in found.missing)


def grants(raw: RawStatement, statement: Statement, role: Role, action: str, resource: str) -> bool:
    """Whether a statement of a bucket's policy, as it is and in its canonical form, grants a role
    an action without a Condition, in a form that Anyscale's verification reads: by the action's
    full name or by ``s3:*``.
    """
    return (
        not {action, ALL_OF_S3}.isdisjoint(map(str, as_list(raw.get("Action"))))
        and statement.effect == "Allow"
        and not statement.conditions
        and statement.principals is not None
        and ("AWS", role.arn) in statement.principals
        and statement.includes_resource(resource)
    )


def allows(statement: Statement, role: Role, action: str, resource: str, now: float) -> bool | None:
    """Whether a statement of a bucket's policy allows a role an action, by name or by a wildcard;
    ``None`` where it does so under a condition or in part.
    """
    # What is allowed to the account is up to the role's own policies.
    named = (statement.principals or frozenset()) - {("AWS", role.account_id)}
    is_named = any_of(names_role(principal, role) for principal in named)
    if (
        statement.effect != "Allow"
        or is_named is False
        or not statement.includes_action(action)
        or not statement.overlaps_resource(resource)
    ):
        return False
    return all_of(
        [
            is_named,
            True if statement.includes_resource(resource) else None,
            are_met(statement, role.context(now, action)),
        ]
    )


def verified_by_bucket_policy(
    document: Document, role_arn: str, needed: t.Collection[str] = VERIFIED_ACTIONS
) -> bool | None:
    """Whether Anyscale's verification finds a role's access in a bucket's policy; ``None`` where it
    fails with a traceback, at an Allow without a Principal.

    It looks for the role's name anywhere in the Principal, and at no Resource, Condition or Deny.
    """
    allowing = [raw for raw in statements_of(document) if raw["Effect"] == "Allow"]
    # It never looks at a statement without an action: a null is one.
    if any("Principal" not in raw and raw.get("Action") != [] for raw in allowing):
        return None
    name = role_name_of(role_arn)
    return _are_found([raw for raw in allowing if name in str(raw.get("Principal"))], needed)


def verified_by_identity(
    identity: Identity, bucket: str, needed: t.Collection[str] = VERIFIED_ACTIONS
) -> bool:
    """Whether Anyscale's verification finds access to a bucket in a role's own policies.

    It looks for the bucket's name anywhere in the Resource, or for a star, and at no Condition,
    Deny or permissions boundary.
    """
    allowing = [
        raw
        for named in identity.policies
        for raw in statements_of(named.document)
        if raw["Effect"] == "Allow"
    ]
    return _are_found(
        [
            raw
            for raw in allowing
            if "*" in as_list(raw.get("Resource")) or bucket in str(raw.get("Resource"))
        ],
        needed,
    )


def anyscale_verifies(
    document: Document, identity: Identity, role_arn: str, bucket: str
) -> bool | None:
    """What Anyscale's verification says of a role's access to a bucket: one side has to have it all;
    ``None`` where it fails with a traceback.
    """
    found = verified_by_bucket_policy(document, role_arn)
    return found if found is not False else verified_by_identity(identity, bucket)


def is_complete_by_identity(
    found: Access, identity: Identity, bucket: str, actions: t.Iterable[str]
) -> bool:
    """Whether a role's own policies certainly allow all that is wanted, in a form that Anyscale's
    verification finds, as far as it looks for the actions.
    """
    needed = VERIFIED_ACTIONS.intersection(actions)
    return found.verdict is True and verified_by_identity(identity, bucket, needed)


def _are_found(raws: t.Iterable[RawStatement], needed: t.Collection[str]) -> bool:
    """Whether statements name all needed actions. Their spelling counts, also its case."""
    names = {str(action) for raw in raws for action in as_list(raw.get("Action"))}
    return bool(names) and (ALL_OF_S3 in names or names.issuperset(needed))


def _own_names(identity: Identity) -> frozenset[str]:
    """The policies that grant something, unlike the boundary, which only limits."""
    return frozenset(named.name for named in identity.policies)
