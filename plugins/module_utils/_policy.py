# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policy documents: read them, compare them by meaning, ask what a statement covers, edit them without loss.

This module util is private to the collection. Pure: documents in, new documents out, nothing is changed in place.
A raw statement is the dict that AWS returned; it is what gets written back. A Statement is its canonical form; it is
what gets compared. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html
"""

from __future__ import annotations

import collections
import dataclasses
import json
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import PolicyError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._names import account_id_of, is_unique_id

Raw = dict[str, t.Any]
Document = dict[str, t.Any]

VERSION = "2012-10-17"
_VERSION_WHEN_ABSENT = "2008-10-17"
_NOT_JSON = "Run again, since the answer may have broken off; if that does not help, put it right in the AWS console."
_IN_CONSOLE = "Put it right in the AWS console first."
# No policy of AWS's has more than seven levels, and Python shows no document of more than several hundred.
_MOST_LEVELS = 300
_VARIABLE = re.compile(r"\$\{[^}]*\}")
_ELEMENTS = frozenset(("Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"))


@dataclasses.dataclass(frozen=True)
class Statement:
    """What a statement means, whatever way it is spelled. ``None`` means that the element is absent."""

    sid: str
    effect: str
    principals: frozenset[tuple[str, str]] | None
    not_principals: frozenset[tuple[str, str]] | None
    actions: frozenset[str] | None
    not_actions: frozenset[str] | None
    resources: frozenset[str] | None
    not_resources: frozenset[str] | None
    conditions: frozenset[tuple[str, str, frozenset[str]]]
    others: frozenset[tuple[str, str]]

    def covers_action(self, action: str) -> bool:
        """Whether the statement is about an action such as ``s3:GetObject``, by name or by wildcard."""
        if self.actions is not None:
            return any(matches(pattern, action.lower()) for pattern in self.actions)
        if self.not_actions is not None:
            return not any(matches(pattern, action.lower()) for pattern in self.not_actions)
        return False

    def covers_resource(self, resource: str) -> bool:
        """Whether the statement is about all of a resource; ``arn:aws:s3:::b/*`` stands for each object in b."""
        if self.resources is not None:
            return any(contains(pattern, resource) for pattern in self.resources)
        if self.not_resources is not None:
            return not any(_overlap(pattern, resource) for pattern in self.not_resources)
        return True

    def touches_resource(self, resource: str) -> bool:
        """Whether the statement is about at least a part of a resource."""
        if self.resources is not None:
            return any(_overlap(pattern, resource) for pattern in self.resources)
        if self.not_resources is not None:
            return not any(contains(pattern, resource) for pattern in self.not_resources)
        return True


def parse(document: str | t.Mapping[str, t.Any] | None, name: str) -> Document:
    """A policy document from AWS's answer; ``None`` is an empty one. ``name`` says whose it is, for errors."""
    if document is None:
        return {"Version": VERSION, "Statement": []}
    if isinstance(document, str):
        try:
            document = json.loads(document)
        except ValueError as error:
            raise PolicyError(f"The {name} is not JSON: {error}.", _NOT_JSON) from error
        except RecursionError as error:
            raise _nested(name) from error
    if not isinstance(document, dict):
        raise PolicyError(f"The {name} is not a JSON object.", _IN_CONSOLE)
    _check_writable(document, name)
    for index, raw in enumerate(statements(document)):
        _check_statement(raw, index, name)
    return document


def statements(document: t.Mapping[str, t.Any]) -> list[Raw]:
    """The raw statements of a document, in its order; a single one may stand there without a list."""
    found = document.get("Statement")
    if found is None:
        return []
    return list(found) if isinstance(found, list) else [found]


def with_statements(document: t.Mapping[str, t.Any], raws: t.Iterable[Raw]) -> Document:
    """The same document with other statements; all else in it (Version, Id) is kept."""
    return {**document, "Statement": list(raws)}


def canonical(raw: t.Mapping[str, t.Any], arns: t.Mapping[str, str] | None = None) -> Statement:
    """The meaning of a raw statement. ``arns`` maps unique ids (AROA...) to the ARNs of principals that still exist."""
    return Statement(
        sid=str(raw.get("Sid") or ""),
        effect=str(raw.get("Effect", "")),
        principals=_principals(raw.get("Principal"), arns or {}),
        not_principals=_principals(raw.get("NotPrincipal"), arns or {}),
        actions=_texts(raw.get("Action"), str.lower),
        not_actions=_texts(raw.get("NotAction"), str.lower),
        resources=_texts(raw.get("Resource")),
        not_resources=_texts(raw.get("NotResource")),
        conditions=_conditions(raw.get("Condition")),
        others=frozenset((key, compact(raw[key])) for key in raw if key not in _ELEMENTS),
    )


def statements_equal(one: t.Mapping[str, t.Any], other: t.Mapping[str, t.Any], arns: t.Mapping[str, str] | None = None) -> bool:
    """Whether two raw statements mean the same."""
    return canonical(one, arns) == canonical(other, arns)


def policies_equal(one: t.Mapping[str, t.Any], other: t.Mapping[str, t.Any], arns: t.Mapping[str, str] | None = None) -> bool:
    """Whether two documents mean the same: the same statements, each as often, in whatever order."""
    return _meaning(one, arns) == _meaning(other, arns)


def missing_statements(wanted: t.Iterable[Raw], document: t.Mapping[str, t.Any], arns: t.Mapping[str, str] | None = None) -> list[Raw]:
    """Those of the wanted raw statements that a document no longer holds, counted as often as they occur."""
    there = collections.Counter(canonical(raw, arns) for raw in statements(document))
    missing = []
    for raw in wanted:
        meaning = canonical(raw, arns)
        if there[meaning]:
            there[meaning] -= 1
        else:
            missing.append(raw)
    return missing


def free_sid(document: t.Mapping[str, t.Any], sid: str) -> str:
    """A Sid that no statement of the document has: the given one, else with the first number that is free."""
    taken = {str(raw.get("Sid") or "") for raw in statements(document)}
    number, candidate = 1, sid
    while candidate in taken:
        number += 1
        candidate = f"{sid}{number}"
    return candidate


def without_principals(raw: Raw, kind: str, gone: t.Callable[[str], bool], element: str = "Principal") -> Raw | None:
    """A statement without some of its principals of one kind (``AWS``, ``Service``); ``None`` when none is left.

    ``element`` is ``NotPrincipal`` for those that a statement excepts.
    """
    principal = raw.get(element)
    if not isinstance(principal, dict):
        principal = {"AWS": principal}
    there = as_list(principal.get(kind))
    kept = [value for value in there if not gone(value)]
    if len(kept) == len(there):
        return raw
    left = {key: value for key, value in principal.items() if key != kind}
    if kept:
        left = {key: (kept if key == kind else value) for key, value in principal.items()}
    return {**raw, element: left} if left else None


def unique_ids(raw: t.Mapping[str, t.Any]) -> list[str]:
    """The principals of a statement that AWS shows by their unique id."""
    found = [principal for element in ("Principal", "NotPrincipal") for principal in aws_principals(raw.get(element))]
    return [principal for principal in found if is_unique_id(principal)]


def aws_principals(element: t.Any) -> list[str]:
    """The values under ``AWS`` of a Principal element, as written."""
    if isinstance(element, dict):
        return as_list(element.get("AWS"))
    return as_list(element)


def describe(raw: t.Mapping[str, t.Any], index: int) -> str:
    """How to name a statement to a user who looks for it in the document."""
    sid = raw.get("Sid")
    return f"Statement {index + 1} (Sid {sid!r})" if sid else f"Statement {index + 1} (without a Sid)"


def name_of(raw: t.Mapping[str, t.Any], index: int) -> str:
    """A short name of a statement for lists: its Sid, else its place, counted from 1."""
    return str(raw.get("Sid") or f"#{index + 1}")


def compact(document: t.Any) -> str:
    """A document as it is sent: JSON without white space, which no quota of AWS counts."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def as_list(value: t.Any) -> list[t.Any]:
    """A list as it is, a scalar as a list of one, nothing as an empty list."""
    if value is None:
        return []
    return list(value) if isinstance(value, list) else [value]


def matches(pattern: str, text: str) -> bool:
    """Whether a pattern with AWS's wildcards ``*`` and ``?`` matches all of a text."""
    places = _with_empty_stars({0}, pattern)
    for char in text:
        places = _one_further(places, pattern, char)
        if not places:
            return False
    return len(pattern) in places


def intersect(one: str, other: str) -> bool:
    """Whether there is a text that two patterns both match.

    Walks through the one and keeps all places in the other that a common text may have led to: no more steps than the
    product of the lengths, whatever the wildcards.
    """
    places = _with_empty_stars({0}, other)
    for char in one:
        places = set(range(min(places), len(other) + 1)) if char == "*" else _one_further(places, other, char, any_char=char == "?")
        if not places:
            return False
    return len(other) in places


def contains(pattern: str, narrower: str) -> bool:
    """Whether every text that one pattern stands for is matched by another."""
    if narrower.endswith("*") and not pattern.endswith("*"):
        return False
    return matches(pattern, narrower)


def _one_further(places: set[int], pattern: str, char: str, any_char: bool = False) -> set[int]:
    """The places in a pattern after one more character: a star stays where it is, all else moves on."""
    further = set()
    for place in places:
        expected = pattern[place : place + 1]
        if expected == "*":
            further.add(place)
        elif expected == "?" or expected == char or (any_char and expected):
            further.add(place + 1)
    return _with_empty_stars(further, pattern)


def _with_empty_stars(places: set[int], pattern: str) -> set[int]:
    """The places and those behind the stars that they stand at, each of which may match nothing."""
    reached = set(places)
    for place in places:
        while pattern[place : place + 1] == "*" and place + 1 not in reached:
            place += 1
            reached.add(place)
    return reached


def _overlap(pattern: str, resource: str) -> bool:
    """Whether a pattern may match a part of a resource; a policy variable in it may stand for anything."""
    return intersect(_VARIABLE.sub("*", pattern), resource)


def _meaning(document: t.Mapping[str, t.Any], arns: t.Mapping[str, str] | None) -> tuple[t.Any, ...]:
    """The Version only has a meaning where a policy variable is used: before 2012-10-17 there were none."""
    version = str(document.get("Version") or _VERSION_WHEN_ABSENT) if "${" in compact(document.get("Statement")) else ""
    return version, collections.Counter(canonical(raw, arns) for raw in statements(document))


def _principals(element: t.Any, arns: t.Mapping[str, str]) -> frozenset[tuple[str, str]] | None:
    if element is None:
        return None
    if not isinstance(element, dict):
        element = {"AWS": element}
    return frozenset((kind, _principal(str(value), arns)) for kind, values in element.items() for value in as_list(values))


def _principal(value: str, arns: t.Mapping[str, str]) -> str:
    return account_id_of(value) or arns.get(value, value)


def _texts(element: t.Any, fold: t.Callable[[str], str] = str) -> frozenset[str] | None:
    return None if element is None else frozenset(fold(_text(value)) for value in as_list(element))


def _text(value: t.Any) -> str:
    """A scalar as AWS compares it: ``true`` and ``"true"``, ``1``, ``1.0`` and ``"1"`` are the same."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else compact(value)


def _conditions(block: t.Any) -> frozenset[tuple[str, str, frozenset[str]]]:
    return frozenset(
        (operator, key.lower(), _texts(values) or frozenset()) for operator, keys in (block or {}).items() for key, values in keys.items()
    )


def _check_writable(document: Document, name: str) -> None:
    """Refuse what JSON can hold and no request can: it would have to be written back."""
    level: list[t.Any] = [document]
    for _level in range(_MOST_LEVELS):
        level = [value for one in level if isinstance(one, (dict, list)) for value in (one.values() if isinstance(one, dict) else one)]
    if level:
        raise _nested(name)
    try:
        compact(document).encode()
    except UnicodeEncodeError as error:
        raise PolicyError(f"The {name} has a character in it that is none of Unicode's (half of a pair).", _IN_CONSOLE) from error


def _nested(name: str) -> PolicyError:
    return PolicyError(f"The {name} is not JSON that can be a policy's: it is nested too deeply.", _IN_CONSOLE)


def _check_statement(raw: t.Any, index: int, name: str) -> None:
    def refuse(what: str) -> t.NoReturn:
        raise PolicyError(f"Statement {index + 1} of the {name} {what}.", _IN_CONSOLE)

    if not isinstance(raw, dict):
        refuse("is not a JSON object")
    if raw.get("Effect") not in ("Allow", "Deny"):
        refuse("has no Effect of Allow or Deny")
    if not isinstance(raw.get("Sid", ""), (str, type(None))):
        refuse("has a Sid that is not a text")
    condition = raw.get("Condition")
    if condition is not None and not (isinstance(condition, dict) and all(isinstance(keys, dict) for keys in condition.values())):
        refuse("has a Condition that is not a JSON object of objects")
    for element in ("Principal", "NotPrincipal"):
        principal = raw.get(element)
        values = list(principal.values()) if isinstance(principal, dict) else [principal]
        if not all(isinstance(item, str) for value in values for item in as_list(value)):
            refuse(f"has a {element} that is not made of strings")
