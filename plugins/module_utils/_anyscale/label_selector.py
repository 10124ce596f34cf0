# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The selectors of Cloud IAM mapping rules: Kubernetes label selectors, parsed, validated and
compared by meaning.

This module util is private to the collection. Pure.
https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
https://docs.anyscale.com/iam/cloud-iam-mapping
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

WORKLOAD_TYPE, PROJECT, USER = KEYS = ("workload-type", "project", "user")
WORKLOAD_TYPES = ("job", "service", "workspace")
IN, NOT_IN, EXISTS, NOT_EXISTS = "in", "notin", "exists", "!"
_ORDERED = {"<": "lt", ">": "gt"}

_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?\Z")
# As permissive as a mail server is: which users exist is for Anyscale to say.
_EMAIL = re.compile(r"[^\s@(),=!<>]+@[^\s@(),=!<>]+\Z")
_WORD = r"[^\s,()=!<>]+"
_REQUIREMENT = re.compile(
    rf"""\s*(?:
      !\s*(?P<missing>{_WORD})
    | (?P<key>{_WORD})
      (?:
        \s*(?P<equal>==|=|!=)\s*(?P<value>{_WORD})
      | \s*(?P<ordered>[<>])\s*(?P<number>{_WORD})
      | \s+(?P<set>in|notin)\s*\((?P<values>[^()]*)\)
      )?
    )\s*""",
    re.VERBOSE,
)
_SYNTAX = (
    "Write it as a Kubernetes label selector, such as 'workload-type=job,project=ml' or 'user in "
    "(a@example.com, b@example.com)'."
)


@dataclasses.dataclass(frozen=True)
class Requirement:
    """One part of a selector: what it demands of the label of a key."""

    key: str
    operator: str
    values: frozenset[str] = frozenset()

    def implies(self, other: Requirement) -> bool:
        """Whether all clusters that meet this requirement surely meet the other one."""
        if self == other:
            return True
        if self.key != other.key:
            return False
        if other.operator == EXISTS:
            return self.operator in (IN, *_ORDERED.values())
        if other.operator == NOT_IN:
            # A label that is not there is in no set.
            return (
                self.operator == NOT_EXISTS
                or (self.operator == NOT_IN and other.values <= self.values)
                or (self.operator == IN and not other.values & self.values)
            )
        return other.operator == IN and self.operator == IN and self.values <= other.values


Selector = frozenset[Requirement]


def parse_selector(text: str, where: str) -> Selector:
    """The requirements of a selector, all of which a cluster must meet. Raises where Anyscale would
    refuse it. ``where`` names it in errors.
    """
    if not text.strip():
        raise InputError(
            f"{where} is empty.", f"{_SYNTAX} For clusters that no rule selects, use fallback_rule."
        )
    requirements = [_parse_requirement(part, where) for part in _split(text, where)]
    for requirement in requirements:
        _check_requirement(requirement, where)
    return frozenset(requirements)


def is_label_value(text: str) -> bool:
    """Whether a text is one value of a selector, and no more."""
    return bool(_LABEL_VALUE.match(text))


def meaning(text: t.Any) -> t.Hashable:
    """What a live selector means, to compare it with others: its requirements, or, where it cannot
    be parsed, itself.
    """
    try:
        return parse_selector(text, "selector") if isinstance(text, str) else repr(text)
    except InputError:
        return str(text).strip()


def covers(earlier: t.Any, later: t.Any) -> bool:
    """Whether one selector surely selects each cluster that another one does. ``False``: it may
    not. Both are texts.
    """
    one, other = meaning(earlier), meaning(later)
    if not isinstance(one, frozenset) or not isinstance(other, frozenset):
        return one == other
    return all(any(given.implies(needed) for given in other) for needed in one)


def _split(text: str, where: str) -> list[str]:
    """The parts between the commas that are not within parentheses."""
    parts, depth = [""], 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth not in (0, 1):
            raise _invalid(text, where)
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    if depth:
        raise _invalid(text, where)
    return parts


def _parse_requirement(part: str, where: str) -> Requirement:
    found = _REQUIREMENT.fullmatch(part)
    if found is None:
        raise _invalid(part, where)
    if found["missing"]:
        return Requirement(found["missing"], NOT_EXISTS)
    if found["equal"]:
        operator = NOT_IN if found["equal"] == "!=" else IN
        return Requirement(found["key"], operator, frozenset((found["value"],)))
    if found["ordered"]:
        return Requirement(found["key"], _ORDERED[found["ordered"]], frozenset((found["number"],)))
    if found["set"]:
        values = frozenset(value.strip() for value in found["values"].split(","))
        return Requirement(found["key"], found["set"], values)
    return Requirement(found["key"], EXISTS)


def _check_requirement(requirement: Requirement, where: str) -> None:
    key, values = requirement.key, sorted(requirement.values)
    if key not in KEYS:
        raise InputError(
            f"{where} has the key {_quoted(key)}, which a rule cannot select by.",
            f"The keys are {', '.join(KEYS)}.",
        )
    if requirement.operator in _ORDERED.values():
        if key == WORKLOAD_TYPE or not re.fullmatch(r"-?[0-9]{1,18}", values[0]):
            raise InputError(
                f"{where} compares {key} with {_quoted(values[0])} by size, which is for whole "
                "numbers alone.",
                "Use =, !=, in or notin.",
            )
        return
    wrong = [value for value in values if not _is_value(key, value)]
    if wrong:
        raise InputError(
            f"{where} has {_quoted(wrong[0])} as a value of {key}, which no cluster can have.",
            _REMEDIES[key],
        )


_REMEDIES = {
    WORKLOAD_TYPE: f"The values are {', '.join(WORKLOAD_TYPES)}.",
    PROJECT: (
        "Use the name of a project: at most 63 letters, digits, '-', '_' and '.', with a letter or "
        "digit at each end."
    ),
    USER: "Use the email address of a user or of a service account.",
}


def _is_value(key: str, value: str) -> bool:
    if key == WORKLOAD_TYPE:
        return value in WORKLOAD_TYPES
    if key == USER and _EMAIL.match(value):
        return True
    return is_label_value(value)


def _invalid(part: str, where: str) -> InputError:
    return InputError(
        f"{where} has {_quoted(part)}, which is no part of a label selector.", _SYNTAX
    )


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 80 else text[:80] + "...")
