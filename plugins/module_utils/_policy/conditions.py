# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Evaluate whether requests meet the conditions of a statement: yes, no, or unknown.

This module util is private to the collection. Pure. Only some condition keys of a request are
known; the result is ``None`` if it depends on another one.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import datetime
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import Statement
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.request_context import (
    AtLeast,
    RequestContext,
    Value,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.wildcards import (
    matches_pattern,
    pattern_contains,
    patterns_intersect,
)

# Whether a request's value, of which this is known, passes a test with one value of a condition.
_Test = t.Callable[[t.Union[str, AtLeast], str], t.Optional[bool]]
_ARN_PARTS = 6
_DATE = re.compile(
    r"(?P<day>\d{4}-\d\d-\d\d)(?:T(?P<time>\d\d:\d\d(?::\d\d)?)(?P<part>\.\d+)?"
    r"(?:Z|(?P<zone>[+-]\d\d:\d\d))?)?"
)


def are_met(statement: Statement, context: RequestContext) -> bool | None:
    """Whether a request meets all conditions of a statement."""
    return all_of(
        _agreed(_is_met(operator, value, wanted) for value in context.values_of(key))
        for operator, key, wanted in statement.conditions
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


def _agreed(verdicts: t.Iterable[bool | None]) -> bool | None:
    """The verdict that is the same for each value that a key may have, if there is one."""
    found = set(verdicts)
    return found.pop() if len(found) == 1 else None


def _is_met(operator: str, actual: Value, wanted: frozenset[str]) -> bool | None:
    """Whether a condition is met by a key of this value. ``operator`` is in lower case.

    Of one value, ForAllValues and ForAnyValue say what the operator says without them.
    """
    quantifier, _colon, name = operator.rpartition(":")
    if operator == "null":
        return _is_null(actual, wanted)
    test, is_negated = _OPERATORS.get(name.removesuffix("ifexists"), (None, False))
    if test is None or quantifier not in _QUANTIFIERS:
        return None
    if actual is None:
        if not name.endswith("ifexists"):
            return _QUANTIFIERS[quantifier](is_negated)
        # ForAnyValue has no absent key met, IfExists has. What both do is not documented.
        return None if quantifier == "foranyvalue" else True
    passed = any_of(None if "${" in value else test(actual, value) for value in wanted)
    return not passed if is_negated and passed is not None else passed


# What a condition on a key that the request does not have comes to, if its operator is negated or
# not.
_QUANTIFIERS: dict[str, t.Callable[[bool], bool]] = {
    "": lambda is_negated: is_negated,
    "forallvalues": lambda is_negated: True,
    "foranyvalue": lambda is_negated: False,
}


def _is_null(actual: Value, wanted: frozenset[str]) -> bool | None:
    answers = {"true": actual is None, "false": actual is not None}
    return any_of(answers.get(value.lower()) for value in wanted)


def _equals(actual: str | AtLeast, value: str) -> bool | None:
    """Here ``*`` and ``?`` in a value are literal characters, which no request value contains."""
    if isinstance(actual, AtLeast):
        return None
    if "*" in value or "?" in value or not matches_pattern(actual, value):
        return False
    return True if actual == value else None


def _equals_ignore_case(actual: str | AtLeast, value: str) -> bool | None:
    return _equals(actual if isinstance(actual, AtLeast) else actual.lower(), value.lower())


def _like(actual: str | AtLeast, value: str) -> bool | None:
    if isinstance(actual, AtLeast):
        return None
    if pattern_contains(value, actual):
        return True
    return None if patterns_intersect(value, actual) else False


def _arn_like(actual: str | AtLeast, value: str) -> bool | None:
    """Each of the six parts of an ARN is compared by itself, so that no wildcard but those of the
    last one matches a colon. What AWS makes of a star alone is not documented.
    """
    parts = [] if isinstance(actual, AtLeast) else actual.split(":", _ARN_PARTS - 1)
    patterns = value.split(":", _ARN_PARTS - 1)
    if len(parts) < _ARN_PARTS or not value.strip("*"):
        return None
    if len(patterns) < _ARN_PARTS:
        return False
    return all_of(_like(part, pattern) for part, pattern in zip(parts, patterns, strict=True))


def _unknown(actual: str | AtLeast, value: str) -> bool | None:
    return None


def _compare(
    read: t.Callable[[str], float | None], compare: t.Callable[[float, float], bool | None]
) -> _Test:
    """Compare a number of which a minimum is known with a value that ``read`` makes a number of."""

    def test(actual: str | AtLeast, value: str) -> bool | None:
        limit = read(value)
        if limit is None or not isinstance(actual, AtLeast):
            return None
        return compare(actual.number, limit)

    return test


def _number(value: str) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _seconds(value: str) -> float | None:
    """A moment in ISO 8601, in UTC where no zone is given, or in seconds since 1970."""
    match = _DATE.fullmatch(value)
    if match is None:
        return _number(value) if not re.fullmatch(r"\d{4}", value) else None  # may be a year
    text = f"{match['day']}T{match['time'] or '00:00'}{match['zone'] or '+00:00'}"
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment.timestamp() + float(match["part"] or 0)


# Of a number that is not less than a minimum.
_COMPARISONS: dict[str, t.Callable[[float, float], bool | None]] = {
    "equals": lambda minimum, limit: False if limit < minimum else None,
    "lessthan": lambda minimum, limit: False if limit <= minimum else None,
    "lessthanequals": lambda minimum, limit: False if limit < minimum else None,
    "greaterthan": lambda minimum, limit: True if limit < minimum else None,
    "greaterthanequals": lambda minimum, limit: True if limit <= minimum else None,
}
# By the operator's name in lower case: the test of one value, of which any may pass, or, where it
# is negated, none.
_OPERATORS: dict[str, tuple[_Test, bool]] = {
    "bool": (_equals_ignore_case, False),
    "binaryequals": (_unknown, False),
    "stringequals": (_equals, False),
    "stringnotequals": (_equals, True),
    "stringequalsignorecase": (_equals_ignore_case, False),
    "stringnotequalsignorecase": (_equals_ignore_case, True),
    "stringlike": (_like, False),
    "stringnotlike": (_like, True),
    "arnequals": (_arn_like, False),
    "arnnotequals": (_arn_like, True),
    "arnlike": (_arn_like, False),
    "arnnotlike": (_arn_like, True),
    "ipaddress": (_unknown, False),
    "notipaddress": (_unknown, True),
    "numericnotequals": (_compare(_number, _COMPARISONS["equals"]), True),
    "datenotequals": (_compare(_seconds, _COMPARISONS["equals"]), True),
    **{f"numeric{name}": (_compare(_number, test), False) for name, test in _COMPARISONS.items()},
    **{f"date{name}": (_compare(_seconds, test), False) for name, test in _COMPARISONS.items()},
}
