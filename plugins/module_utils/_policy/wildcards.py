# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Compare wildcard patterns of IAM policies: match a string, contain or overlap another pattern.

This module util is private to the collection. Pure.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

import re

_LITERAL = re.compile(r"[^*?]*")
_VARIABLE = re.compile(r"\$\{[^}]*\}")


def matches_pattern(pattern: str, text: str) -> bool:
    """Whether a pattern with the IAM wildcards ``*`` and ``?`` matches an entire string."""
    literal = _literal_start(pattern)
    if not text.startswith(literal):
        return False
    pattern, text = pattern[len(literal) :], text[len(literal) :]
    # Most patterns have no wildcard, or a star at the end.
    if pattern in ("", "*"):
        return pattern == "*" or not text
    positions = _skip_stars({0}, pattern)
    for char in text:
        positions = _advance(positions, pattern, char)
        if not positions:
            return False
    return len(pattern) in positions


def patterns_intersect(one: str, other: str) -> bool:
    """Whether some string matches both patterns.

    Walks through one pattern and tracks every position in the other that a common prefix can lead
    to. The number of steps is at most the product of the lengths.
    """
    if one == other or "*" in (one, other):
        return True
    starts = _literal_start(one), _literal_start(other)
    if starts[0] == one:
        return matches_pattern(other, one)
    if starts[1] == other:
        return matches_pattern(one, other)
    # Of two with wildcards, most differ before the first one.
    if not (starts[0].startswith(starts[1]) or starts[1].startswith(starts[0])):
        return False
    positions = _skip_stars({0}, other)
    for char in one:
        positions = (
            set(range(min(positions), len(other) + 1))
            if char == "*"
            else _advance(positions, other, char, any_char=char == "?")
        )
        if not positions:
            return False
    return len(other) in positions


def pattern_contains(pattern: str, narrower: str) -> bool:
    """Whether a pattern matches every string that a narrower pattern matches."""
    if narrower.endswith("*") and not pattern.endswith("*"):
        return False
    return matches_pattern(pattern, narrower)


def _literal_start(pattern: str) -> str:
    """What a pattern has before its first wildcard."""
    return _LITERAL.match(pattern)[0]  # type: ignore[index]  # matches any string


def _advance(positions: set[int], pattern: str, char: str, any_char: bool = False) -> set[int]:
    """The positions in a pattern after one more character: a star does not advance, others do. A
    star as the character is one of a narrower pattern, and may stand for none or many.
    """
    advanced = set()
    for position in positions:
        expected = pattern[position : position + 1]
        if expected == "*":
            advanced.add(position)
        elif (expected == "?" and char != "*") or expected == char or (any_char and expected):
            advanced.add(position + 1)
    return _skip_stars(advanced, pattern)


def _skip_stars(positions: set[int], pattern: str) -> set[int]:
    """The positions, and those after the stars at them, since a star may match nothing."""
    reached = set(positions)
    for position in positions:
        while pattern[position : position + 1] == "*" and position + 1 not in reached:
            position += 1
            reached.add(position)
    return reached


def patterns_overlap(pattern: str, resource: str) -> bool:
    """Whether a pattern may match a part of a resource; a policy variable may have any value."""
    return patterns_intersect(_VARIABLE.sub("*", pattern), resource)
