# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge whether a role's own policies let it do something: surely, only under a condition, or not
at all.

This module util is private to the collection. Pure: identity policies and the permissions boundary
in, a Verdict out. A policy of the resource, session policies and the policies of the organization
are not looked at.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
"""

from __future__ import annotations

import dataclasses
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

ALLOWED = "allowed"
CONDITIONAL = "conditional"
DENIED = "denied"
_ANSWERS = {True: ALLOWED, None: CONDITIONAL, False: DENIED}
BY_ANSWER = {answer: value for value, answer in _ANSWERS.items()}


@dataclasses.dataclass(frozen=True)
class NamedPolicy:
    """A policy document and the name to find it by."""

    name: str
    document: Document


@dataclasses.dataclass(frozen=True)
class Identity:
    """What decides for a role whatever it does: its attached and inline policies, and the boundary
    around them.
    """

    policies: tuple[NamedPolicy, ...] = ()
    boundary: NamedPolicy | None = None


@dataclasses.dataclass(frozen=True)
class Action:
    """What the role is to do: an action, on a resource, with what is known of the request's
    condition keys (in lower case).
    """

    name: str
    resource: str
    known: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Place:
    """A statement where it stands, and whether it applies: surely, or perhaps (``None``)."""

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
    """The answer, the statements that lead to it, and whether it is the boundary alone that stands
    in the way.
    """

    answer: str
    places: tuple[Place, ...] = ()
    by_boundary: bool = False

    @property
    def denying(self) -> tuple[Place, ...]:
        """The statements that surely deny it: no statement that allows can make up for one."""
        return tuple(place for place in self.places if place.effect == "Deny" and place.applies)


def judge(identity: Identity, action: Action) -> Verdict:
    """Whether a role may take an action: its policies must allow it, and its boundary too, where it
    has one.
    """
    own = _judge(identity.policies, action)
    if identity.boundary is None:
        return own
    within = _judge((identity.boundary,), action)
    both = all_of(BY_ANSWER[verdict.answer] for verdict in (own, within))
    return Verdict(
        _ANSWERS[both],
        own.places + within.places,
        own.answer == ALLOWED and within.answer != ALLOWED,
    )


def _judge(policies: t.Iterable[NamedPolicy], action: Action) -> Verdict:
    """One statement that denies is enough; without one, one that allows is."""
    places = [place for document in policies for place in _places(document, action)]
    allowed = any_of(place.applies for place in places if place.effect == "Allow")
    denied = any_of(place.applies for place in places if place.effect == "Deny")
    answer = all_of([allowed, None if denied is None else not denied])
    return Verdict(_ANSWERS[answer], tuple(places))


def _places(named: NamedPolicy, action: Action) -> t.Iterator[Place]:
    """The statements of a policy that apply, surely or perhaps."""
    for index, raw in enumerate(statements_of(named.document)):
        applies = _applies(canonical(raw), action)
        if applies is not False:
            yield Place(named.name, index, raw, applies)


def _applies(statement: Statement, action: Action) -> bool | None:
    if not statement.includes_action(action.name) or not statement.overlaps_resource(
        action.resource
    ):
        return False
    whole = statement.includes_resource(action.resource)
    return all_of([True if whole else None, are_met(statement, action.known)])
