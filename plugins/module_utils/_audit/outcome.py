# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The words of a check: what it can come to, and how it ends where what it needs to know could not
be read.

This module util is private to the collection. Pure. A fact that could not be read ends every check
that asks for it, as ``unknown`` and with the missing permission, so that no check can pass on what
nobody saw.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    AwsError,
    TaskError,
)

PASS = "pass"
FAIL = "fail"
WARN = "warn"
UNKNOWN = "unknown"
NOT_APPLICABLE = "not_applicable"
# From the one that counts most: what several verdicts are together.
BY_WEIGHT = (FAIL, UNKNOWN, WARN, PASS, NOT_APPLICABLE)

_UNAUTHENTICATED = 401
_REFUSALS = (
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "MethodNotAllowed",
    "UnauthorizedOperation",
)

Value = t.TypeVar("Value")


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a check came to: its status, why in a sentence, the facts in JSON, and what to do (a
    sentence or a document).
    """

    status: str
    reason: str
    remedy: str = ""
    evidence: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)


def passed(reason: str, **evidence: t.Any) -> Outcome:
    """All is as it must be."""
    return Outcome(PASS, reason, evidence=evidence)


def failed(reason: str, remedy: str = "", **evidence: t.Any) -> Outcome:
    """Clusters do not get what they need, or not from here."""
    return Outcome(FAIL, reason, remedy, evidence)


def warned(reason: str, remedy: str = "", **evidence: t.Any) -> Outcome:
    """It works, or may work, but somebody should look at it."""
    return Outcome(WARN, reason, remedy, evidence)


class CheckAborted(Exception):
    """Ends a check without a verdict."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


def not_applicable(reason: str) -> CheckAborted:
    """There is nothing to check."""
    return CheckAborted(Outcome(NOT_APPLICABLE, reason))


def unknown(reason: str, remedy: str = "", **evidence: t.Any) -> CheckAborted:
    """What the check needs to know could not be read."""
    return CheckAborted(Outcome(UNKNOWN, reason, remedy, evidence))


@dataclasses.dataclass(frozen=True)
class Fact(t.Generic[Value]):
    """What a read found, or why nothing is known of it."""

    value: Value | None = None
    obstacle: CheckAborted | None = None

    def get(self) -> Value:
        """The value. Raises Undecided where it is not known."""
        if self.obstacle is not None:
            raise self.obstacle
        return t.cast(Value, self.value)

    @property
    def is_known(self) -> bool:
        """Whether there is a value, which may be ``None``."""
        return self.obstacle is None

    @property
    def is_not_applicable(self) -> bool:
        """Whether there is nothing of which it could be a fact."""
        return self.obstacle is not None and self.obstacle.outcome.status == NOT_APPLICABLE


def fact(read: t.Callable[[], Value], service: str = "") -> Fact[Value]:
    """What a read finds. A refusal of ``service`` or nearly any other error makes it a fact that is
    not known, and ends nothing else.
    """
    try:
        return Fact(read())
    except CheckAborted as obstacle:
        return Fact(obstacle=obstacle)
    except TaskError as error:
        return Fact(obstacle=obstacle_of(error, service))


def obstacle_of(error: TaskError, service: str = "") -> CheckAborted:
    """Why nothing is known where a read failed. That Anyscale does not accept the token is no fact
    about a cloud: it ends the task.
    """
    if isinstance(error, AnyscaleError) and error.status == _UNAUTHENTICATED:
        raise error
    return unknown(error.message, error.remedy, **_evidence(error, service))


def outcome_of(judge: t.Callable[[], Outcome]) -> Outcome:
    """What a check comes to, also where it cannot come to a verdict."""
    try:
        return judge()
    except CheckAborted as undecided:
        return undecided.outcome


def _evidence(error: TaskError, service: str) -> dict[str, t.Any]:
    if isinstance(error, AwsError) and error.code in _REFUSALS:
        return {
            "missing_permission": f"{service}:{error.details.get('operation')}",
            **error.details,
        }
    return dict(error.details)
