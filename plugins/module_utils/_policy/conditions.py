# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge whether the conditions of a statement are met by requests of which some things are known:
surely, perhaps, not at all.

This module util is private to the collection. Pure. What depends on a key that is not known makes
the answer ``None``.
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
    """Whether all conditions of a statement are met.

    request: what is known of it, by keys in lower case: the values, and ``None`` for a key that it
    surely does not have.
    """
    return all_of(
        _is_met_without(operator, values)
        if key in request and request[key] is None
        else _is_met(operator, request.get(key), values)
        for operator, key, values in statement.conditions
    )


def all_of(verdicts: t.Iterable[bool | None]) -> bool | None:
    """Whether all verdicts are true; ``None`` where none is false and one is not known."""
    found = list(verdicts)
    if False in found:
        return False
    return None if None in found else True


def any_of(verdicts: t.Iterable[bool | None]) -> bool | None:
    """Whether one of the verdicts is true; ``None`` where none is and one is not known."""
    found = list(verdicts)
    if True in found:
        return True
    return None if None in found else False


def _is_met(operator: str, have: str | None, values: frozenset[str]) -> bool | None:
    name = operator.removesuffix("IfExists")
    if name == "Null":
        return None if have is None else "false" in values
    if have is None or ":" in name:
        return None
    met = _OPERATORS.get(name)
    return None if met is None else met(have, values)


def _is_met_without(operator: str, values: frozenset[str]) -> bool:
    """Whether a condition is met by a request that does not have its key: one that denies a value
    is.
    """
    if operator == "Null":
        return "true" in values
    if ":" in operator:
        return operator.startswith("ForAllValues:")
    return operator.endswith("IfExists") or "Not" in operator


def _equals(have: str, value: str) -> bool | None:
    """A star or a question mark in a value stands for itself here, and no request has one."""
    if "*" in value or "?" in value or not matches_pattern(have, value):
        return False
    return True if have == value else None


def _equals_ignore_case(have: str, value: str) -> bool | None:
    return _equals(have.lower(), value.lower())


def _like(have: str, value: str) -> bool | None:
    if pattern_contains(value, have):
        return True
    return None if patterns_intersect(value, have) else False


def _any(test: _Test) -> _Operator:
    """One of the values must pass the test; what a policy variable stands for only the request can
    tell.
    """

    def met(have: str, values: frozenset[str]) -> bool | None:
        return any_of(None if "${" in value else test(have, value) for value in values)

    return met


def _none(test: _Test) -> _Operator:
    """None of the values may pass the test."""

    def met(have: str, values: frozenset[str]) -> bool | None:
        verdict = _any(test)(have, values)
        return None if verdict is None else not verdict

    return met


def _at_least(have: str, values: frozenset[str]) -> bool | None:
    """What a request has is a minimum here: it is surely not less than that, and perhaps less than
    more.
    """
    try:
        return None if any(float(have) < float(value) for value in values) else False
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
