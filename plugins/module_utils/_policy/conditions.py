# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evaluate whether requests meet the conditions of a statement: yes, no, or unknown.

This module util is private to the collection. Pure. Only some condition keys of a request are
known; the result is ``None`` if it depends on another one.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import Statement
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.wildcards import (
    matches_pattern,
    pattern_contains,
    patterns_intersect,
)

_Test = t.Callable[[str, str], t.Optional[bool]]
_Operator = t.Callable[[str, frozenset[str]], t.Optional[bool]]


def are_met(statement: Statement, request: t.Mapping[str, str | None]) -> bool | None:
    """Whether a request meets all conditions of a statement.

    request: the known condition keys, in lower case, with their values; ``None`` for a key that the
    request is known not to have.
    """
    return all_of(
        _is_met_without_key(operator, values)
        if key in request and request[key] is None
        else _is_met(operator, request.get(key), values)
        for operator, key, values in statement.conditions
    )


def all_of(verdicts: t.Iterable[bool | None]) -> bool | None:
    """Whether all verdicts are true; ``None`` if none is false and at least one is unknown."""
    found = list(verdicts)
    if False in found:
        return False
    return None if None in found else True


def any_of(verdicts: t.Iterable[bool | None]) -> bool | None:
    """Whether any verdict is true; ``None`` if none is true and at least one is unknown."""
    found = list(verdicts)
    if True in found:
        return True
    return None if None in found else False


def _is_met(operator: str, actual: str | None, values: frozenset[str]) -> bool | None:
    name = operator.removesuffix("IfExists")
    if name == "Null":
        return None if actual is None else "false" in values
    if actual is None or ":" in name:
        return None
    met = _OPERATORS.get(name)
    return None if met is None else met(actual, values)


def _is_met_without_key(operator: str, values: frozenset[str]) -> bool:
    """Whether a request without the condition's key meets it: negated operators are met."""
    if operator == "Null":
        return "true" in values
    if ":" in operator:
        return operator.startswith("ForAllValues:")
    return operator.endswith("IfExists") or "Not" in operator


def _equals(actual: str, value: str) -> bool | None:
    """Here ``*`` and ``?`` in a value are literal characters, which no request value contains."""
    if "*" in value or "?" in value or not matches_pattern(actual, value):
        return False
    return True if actual == value else None


def _equals_ignore_case(actual: str, value: str) -> bool | None:
    return _equals(actual.lower(), value.lower())


def _like(actual: str, value: str) -> bool | None:
    if pattern_contains(value, actual):
        return True
    return None if patterns_intersect(value, actual) else False


def _any(test: _Test) -> _Operator:
    """At least one value must pass the test. The value of a policy variable is unknown here."""

    def met(actual: str, values: frozenset[str]) -> bool | None:
        return any_of(None if "${" in value else test(actual, value) for value in values)

    return met


def _none(test: _Test) -> _Operator:
    """None of the values may pass the test."""

    def met(actual: str, values: frozenset[str]) -> bool | None:
        verdict = _any(test)(actual, values)
        return None if verdict is None else not verdict

    return met


def _at_least(actual: str, values: frozenset[str]) -> bool | None:
    """The known value is a minimum: the request's value is not less than it, but may be less than a
    larger one.
    """
    try:
        return None if any(float(actual) < float(value) for value in values) else False
    except ValueError:
        return None


_OPERATORS: dict[str, _Operator] = {
    "Bool": _any(_equals_ignore_case),
    "StringEquals": _any(_equals),
    "StringNotEquals": _none(_equals),
    "StringEqualsIgnoreCase": _any(_equals_ignore_case),
    "StringNotEqualsIgnoreCase": _none(_equals_ignore_case),
    "StringLike": _any(_like),
    "StringNotLike": _none(_like),
    "ArnEquals": _any(_like),
    "ArnNotEquals": _none(_like),
    "ArnLike": _any(_like),
    "ArnNotLike": _none(_like),
    "NumericLessThan": _at_least,
}
