# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A message stays short, however many it is about."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import (
    counted,
    first_sentence,
    summarize_names,
)


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        pytest.param(0, "", id="none"),
        pytest.param(2, "c0, c1", id="few"),
        pytest.param(10, "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9", id="as many as are named"),
        pytest.param(2000, "c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 1990 more", id="many"),
    ],
)
def test_some_of_many(count: int, expected: str) -> None:
    """The first ten are enough to know what it is about."""
    assert summarize_names([f"c{number}" for number in range(count)]) == expected


@pytest.mark.parametrize(
    ("number", "noun", "expected"),
    [
        (0, "cloud", "0 clouds"),
        (1, "cloud", "1 cloud"),
        (2, "cloud", "2 clouds"),
        (1, "launch", "1 launch"),
        (2, "launch", "2 launches"),
    ],
)
def test_a_number_has_its_plural(number: int, noun: str, expected: str) -> None:
    assert counted(number, noun) == expected


LONG = "Role a/b of " + "many " * 30 + "accounts is missing"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", "", id="none"),
        pytest.param("Role a.b is missing", "Role a.b is missing", id="one without a full stop"),
        pytest.param("Role a is missing.", "Role a is missing.", id="one"),
        pytest.param("Role a is missing. Create it.", "Role a is missing.", id="two"),
        pytest.param("It failed.\nRequest ID: 7.", "It failed.", id="two on two lines"),
        pytest.param("Use 2.5 or e.g. 3, at once.", "Use 2.5 or e.g. 3, at once.", id="dots"),
        pytest.param(f"{LONG}. Create it.", f"{LONG[:116]} ...", id="a long one"),
        pytest.param("x" * 130, "x" * 116 + " ...", id="a long word"),
    ],
)
def test_the_first_sentence_of_a_message(text: str, expected: str) -> None:
    """At a word, with dots for what is left out."""
    assert first_sentence(text) == expected


@given(st.text())
def test_the_first_sentence_is_short_and_on_one_line(text: str) -> None:
    assert len(first_sentence(text)) <= 120
    assert "\n" not in first_sentence(text)
