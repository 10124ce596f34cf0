# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evaluate whether a role's identity policies allow an action: yes, only under a condition, or no.

This module util is private to the collection. Pure: identity policies and the permissions boundary
in, a Verdict out. Resource-based policies, session policies and the organization's policies are not
evaluated.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.conditions import (
    all_of,
    any_of,
    are_met,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
    describe_statement,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    Statement,
    canonical,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.request_context import (
    RequestContext,
)

ALLOWED = "allowed"
CONDITIONAL = "conditional"
DENIED = "denied"
_ANSWERS = {True: ALLOWED, None: CONDITIONAL, False: DENIED}
BY_ANSWER = {answer: value for value, answer in _ANSWERS.items()}


@dataclasses.dataclass(frozen=True)
class NamedPolicy:
    """A policy document and its name."""

    name: str
    document: Document

    @functools.cached_property
    def statements(self) -> tuple[tuple[RawStatement, Statement], ...]:
        """Its statements, each as it is and in its canonical form: a hundred actions are judged by
        them.
        """
        return tuple((raw, canonical(raw)) for raw in statements_of(self.document))


@dataclasses.dataclass(frozen=True)
class Identity:
    """A role's attached and inline policies, and its permissions boundary."""

    policies: tuple[NamedPolicy, ...] = ()
    boundary: NamedPolicy | None = None


@dataclasses.dataclass(frozen=True)
class Action:
    """An action on a resource, with what is known of the request."""

    name: str
    resource: str
    context: RequestContext


@dataclasses.dataclass(frozen=True)
class MatchedStatement:
    """A statement that matches an action, its position, and whether it applies; ``None`` is
    unknown.
    """

    policy_name: str
    index: int
    raw: RawStatement
    applies: bool | None

    @property
    def effect(self) -> str:
        """``Allow`` or ``Deny``."""
        return str(self.raw["Effect"])

    def __str__(self) -> str:
        return f"{describe_statement(self.raw, self.index)} of policy {self.policy_name}"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """The answer, the statements that lead to it, and whether only the boundary prevents the
    action.
    """

    answer: str
    statements: tuple[MatchedStatement, ...] = ()
    by_boundary: bool = False

    @property
    def denying(self) -> tuple[MatchedStatement, ...]:
        """The statements that deny the action unconditionally: an explicit Deny overrides every
        Allow.
        """
        return tuple(found for found in self.statements if found.effect == "Deny" and found.applies)


def judge(identity: Identity, action: Action) -> Verdict:
    """Whether a role may perform an action: its policies must allow it, and so must its boundary,
    if it has one.
    """
    return Judge(identity, action.resource, action.context).verdict(action.name)


class Judge:
    """Judges actions of a role on one resource: whether a statement applies to it is found out once
    for a hundred of them.
    """

    def __init__(self, identity: Identity, resource: str, context: RequestContext) -> None:
        """Take what is known of the requests."""
        self._own = _candidates(identity.policies, resource, context)
        boundary = identity.boundary
        self._within = _candidates([boundary], resource, context) if boundary else None

    def verdict(self, action: str) -> Verdict:
        """Whether the role may perform an action such as ``s3:GetObject``."""
        own = _judge(self._own, action)
        if self._within is None:
            return own
        within = _judge(self._within, action)
        both = all_of(BY_ANSWER[verdict.answer] for verdict in (own, within))
        return Verdict(
            _ANSWERS[both],
            own.statements + within.statements,
            own.answer == ALLOWED and within.answer != ALLOWED,
        )


@dataclasses.dataclass(frozen=True)
class _Candidate:
    """A statement that may apply to a resource."""

    policy_name: str
    index: int
    raw: RawStatement
    statement: Statement
    resource: str
    context: RequestContext

    @functools.cached_property
    def match(self) -> MatchedStatement | None:
        """The statement for the actions that it includes, unless it does not apply."""
        if not self.statement.overlaps_resource(self.resource):
            return None
        whole = self.statement.includes_resource(self.resource)
        applies = all_of([True if whole else None, are_met(self.statement, self.context)])
        if applies is False:
            return None
        return MatchedStatement(self.policy_name, self.index, self.raw, applies)


def _candidates(
    policies: t.Iterable[NamedPolicy], resource: str, context: RequestContext
) -> list[_Candidate]:
    return [
        _Candidate(named.name, index, raw, statement, resource, context)
        for named in policies
        for index, (raw, statement) in enumerate(named.statements)
    ]


def _judge(candidates: t.Iterable[_Candidate], action: str) -> Verdict:
    """Evaluate policies without a boundary: a Deny overrides; otherwise one Allow is enough."""
    matches = [
        candidate.match
        for candidate in candidates
        if candidate.statement.includes_action(action) and candidate.match
    ]
    allowed = any_of([match.applies for match in matches if match.effect == "Allow"])
    denied = any_of([match.applies for match in matches if match.effect == "Deny"])
    answer = all_of([allowed, None if denied is None else not denied])
    return Verdict(_ANSWERS[answer], tuple(matches))
