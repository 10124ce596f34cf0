# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare policies by meaning, through a canonical form of their statements, or as they are spelled.

This module util is private to the collection. Pure.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import account_id_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    RawStatement,
    as_list,
    compact_json,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.key_order import (
    STATEMENT_ELEMENTS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.wildcards import (
    matches_pattern,
    pattern_contains,
    patterns_overlap,
)

_VERSION_WHEN_ABSENT = "2008-10-17"
_ELEMENTS = frozenset(STATEMENT_ELEMENTS)
_PRINCIPAL_ELEMENTS = ("Principal", "NotPrincipal")


@dataclasses.dataclass(frozen=True)
class Statement:
    """The canonical form of a statement. ``None`` means that the element is absent."""

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

    def includes_action(self, action: str) -> bool:
        """Whether the statement applies to an action such as ``s3:GetObject``, by name or by
        wildcard.
        """
        action = action.lower()
        if self.actions is not None:
            return action in self.actions or self._has_wildcard_for(action)
        if self.not_actions is not None:
            return action not in self.not_actions and not self._has_wildcard_for(action)
        return False

    def _has_wildcard_for(self, action: str) -> bool:
        # Most statements have none.
        return bool(self._wildcards) and any(
            matches_pattern(pattern, action) for pattern in self._wildcards
        )

    @functools.cached_property
    def _wildcards(self) -> tuple[str, ...]:
        """The actions that are no names, which few are: a hundred are judged by a statement."""
        patterns = self.actions or self.not_actions or frozenset()
        return tuple(pattern for pattern in patterns if "*" in pattern or "?" in pattern)

    def includes_resource(self, resource: str) -> bool:
        """Whether the statement applies to all of a resource; ``arn:aws:s3:::b/*`` means each
        object in b.
        """
        if self.resources is not None:
            return any(pattern_contains(pattern, resource) for pattern in self.resources)
        if self.not_resources is not None:
            return not any(patterns_overlap(pattern, resource) for pattern in self.not_resources)
        return True

    def overlaps_resource(self, resource: str) -> bool:
        """Whether the statement applies to at least a part of a resource."""
        if self.resources is not None:
            return any(patterns_overlap(pattern, resource) for pattern in self.resources)
        if self.not_resources is not None:
            return not any(pattern_contains(pattern, resource) for pattern in self.not_resources)
        return True


def canonical(raw: t.Mapping[str, t.Any], arns: t.Mapping[str, str] | None = None) -> Statement:
    """The canonical form of a raw statement. ``arns`` maps the unique ids (AROA...) of existing
    principals to their ARNs.
    """
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
        others=frozenset((key, compact_json(raw[key])) for key in raw if key not in _ELEMENTS),
    )


def policies_equal(
    one: t.Mapping[str, t.Any],
    other: t.Mapping[str, t.Any],
    arns: t.Mapping[str, str] | None = None,
) -> bool:
    """Whether two documents mean the same: the same statements, equally often, in any order."""
    return _meaning(one, arns) == _meaning(other, arns)


def policies_identical(
    one: t.Mapping[str, t.Any],
    other: t.Mapping[str, t.Any],
    arns: t.Mapping[str, str] | None = None,
) -> bool:
    """Whether two documents have the same JSON, but for what AWS changes of it: the order of keys and
    of values, and how it shows principals. The order of statements, which it keeps, counts.
    """
    return _spelling(one, arns or {}) == _spelling(other, arns or {})


def missing_statements(
    wanted: t.Iterable[RawStatement],
    document: t.Mapping[str, t.Any],
    arns: t.Mapping[str, str] | None = None,
) -> list[RawStatement]:
    """The raw statements of ``wanted`` that a document does not contain (any more); duplicates
    count separately.
    """
    remaining = collections.Counter(canonical(raw, arns) for raw in statements_of(document))
    missing = []
    for raw in wanted:
        meaning = canonical(raw, arns)
        if remaining[meaning]:
            remaining[meaning] -= 1
        else:
            missing.append(raw)
    return missing


def _meaning(
    document: t.Mapping[str, t.Any], arns: t.Mapping[str, str] | None
) -> tuple[t.Any, ...]:
    """The Version matters only if a policy variable is used: before 2012-10-17 there were none."""
    version = (
        str(document.get("Version") or _VERSION_WHEN_ABSENT)
        if "${" in compact_json(document.get("Statement"))
        else ""
    )
    return version, collections.Counter(canonical(raw, arns) for raw in statements_of(document))


def _spelling(document: t.Mapping[str, t.Any], arns: t.Mapping[str, str]) -> str:
    raws = [
        _ordered(
            {
                key: _resolved(value, arns) if key in _PRINCIPAL_ELEMENTS else value
                for key, value in raw.items()
            }
        )
        for raw in statements_of(document)
    ]
    is_one = isinstance(document.get("Statement"), dict)
    return compact_json(
        _ordered({**document, "Statement": None}) | {"Statement": raws[0] if is_one else raws}
    )


def _resolved(element: t.Any, arns: t.Mapping[str, str]) -> t.Any:
    """An element with principals, each as AWS shows it where it can."""
    if isinstance(element, dict):
        return {kind: _resolved(value, arns) for kind, value in element.items()}
    if isinstance(element, list):
        return [_resolved(value, arns) for value in element]
    return _principal(str(element), arns)


def _ordered(value: t.Any) -> t.Any:
    """A part of a document with its keys and values sorted."""
    if isinstance(value, dict):
        return {key: _ordered(value[key]) for key in sorted(value)}
    return sorted(map(_ordered, value), key=compact_json) if isinstance(value, list) else value


def _principals(element: t.Any, arns: t.Mapping[str, str]) -> frozenset[tuple[str, str]] | None:
    if element is None:
        return None
    if not isinstance(element, dict):
        element = {"AWS": element}
    return frozenset(
        (kind, _principal(str(value), arns))
        for kind, values in element.items()
        for value in as_list(values)
    )


def _principal(value: str, arns: t.Mapping[str, str]) -> str:
    return account_id_of(value) or arns.get(value, value)


def _texts(element: t.Any, fold: t.Callable[[str], str] = str) -> frozenset[str] | None:
    return None if element is None else frozenset(fold(_text(value)) for value in as_list(element))


def _text(value: t.Any) -> str:
    """A scalar as AWS compares it: ``true`` equals ``"true"``; ``1``, ``1.0`` and ``"1"`` are
    equal.
    """
    if isinstance(value, str):  # as nearly all are
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return (
        str(int(value)) if isinstance(value, float) and value.is_integer() else compact_json(value)
    )


def _conditions(block: t.Any) -> frozenset[tuple[str, str, frozenset[str]]]:
    """Names of operators and of condition keys do not differ by case."""
    return frozenset(
        (operator.lower(), key.lower(), _texts(values) or frozenset())
        for operator, keys in (block or {}).items()
        for key, values in keys.items()
    )
