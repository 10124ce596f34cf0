# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Patterns with the wildcards of IAM policies: whether one matches a text, contains another, or
overlaps it.

This module util is private to the collection. Pure.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

import re

_VARIABLE = re.compile(r"\$\{[^}]*\}")


def matches_pattern(pattern: str, text: str) -> bool:
    """Whether a pattern with AWS's wildcards ``*`` and ``?`` matches all of a text."""
    places = _with_empty_stars({0}, pattern)
    for char in text:
        places = _one_further(places, pattern, char)
        if not places:
            return False
    return len(pattern) in places


def patterns_intersect(one: str, other: str) -> bool:
    """Whether there is a text that two patterns both match.

    Walks through the one and keeps all places in the other that a common text may have led to: no
    more steps than the product of the lengths, whatever the wildcards.
    """
    places = _with_empty_stars({0}, other)
    for char in one:
        places = (
            set(range(min(places), len(other) + 1))
            if char == "*"
            else _one_further(places, other, char, any_char=char == "?")
        )
        if not places:
            return False
    return len(other) in places


def pattern_contains(pattern: str, narrower: str) -> bool:
    """Whether every text that one pattern stands for is matched by another."""
    if narrower.endswith("*") and not pattern.endswith("*"):
        return False
    return matches_pattern(pattern, narrower)


def _one_further(places: set[int], pattern: str, char: str, any_char: bool = False) -> set[int]:
    """The places in a pattern after one more character: a star stays where it is, all else moves
    on.
    """
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


def patterns_overlap(pattern: str, resource: str) -> bool:
    """Whether a pattern may match a part of a resource; a policy variable in it may stand for
    anything.
    """
    return patterns_intersect(_VARIABLE.sub("*", pattern), resource)
