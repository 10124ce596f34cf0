# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Identity-based policies: whether one gives a permission, as IAM decides that. Of the operators of
conditions, two are known.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox._principals import Document, as_list

ALLOW, DENY = "Allow", "Deny"

_ELEMENTS = {"Sid", "Effect", "Action", "Resource", "Condition"}


class Permission(t.NamedTuple):
    """What a call takes: an action on a resource. ``keys`` are the request's condition keys, in
    lower case.
    """

    action: str
    resource: str
    keys: t.Mapping[str, str] = {}


def check(document: t.Any) -> None:
    """Raise for a document with anything in it that is not evaluated here: no test may pass because
    an element was ignored.
    """
    for statement in as_list(document["Statement"]):
        unknown = set(statement) - _ELEMENTS | set(statement.get("Condition", {})) - set(_OPERATORS)
        if unknown or not {"Effect", "Action", "Resource"} <= set(statement):
            raise ValueError(
                "The sandbox cannot judge a statement with "
                f"{', '.join(sorted(unknown)) or 'less than it needs'}: {statement}"
            )


def effect(document: Document, permission: Permission) -> str | None:
    """``Deny`` where a statement denies it, else ``Allow`` where one allows it; ``None`` where none
    is about it.
    """
    effects = {
        statement["Effect"]
        for statement in as_list(document["Statement"])
        if _applies(statement, permission)
    }
    return next((found for found in (DENY, ALLOW) if found in effects), None)


def _applies(statement: Document, permission: Permission) -> bool:
    return (
        any(
            _matches(action.lower(), permission.action.lower())
            for action in as_list(statement["Action"])
        )
        and any(
            _matches(resource, permission.resource) for resource in as_list(statement["Resource"])
        )
        and _is_met(statement.get("Condition", {}), permission.keys)
    )


def _matches(pattern: str, text: str) -> bool:
    expression = "".join({"*": ".*", "?": "."}.get(char, re.escape(char)) for char in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _is_met(condition: Document, keys: t.Mapping[str, str]) -> bool:
    """A key that the request does not have meets no condition."""
    return all(
        key.lower() in keys
        and any(_OPERATORS[operator](value, keys[key.lower()]) for value in as_list(values))
        for operator, block in condition.items()
        for key, values in block.items()
    )


def _is_arn_like(pattern: str, arn: str) -> bool:
    """Each of the six components is compared by itself."""
    patterns, parts = pattern.split(":", 5), arn.split(":", 5)
    return len(patterns) == len(parts) and all(map(_matches, patterns, parts))


_OPERATORS: dict[str, t.Callable[[str, str], bool]] = {
    "StringEquals": str.__eq__,
    "ArnLike": _is_arn_like,
}
