# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No foreign text moves a cursor, changes the order of what is read, or hides."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import (
    escape_control_chars,
    escape_data,
)

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "BN"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Größe: 名前, 5 > 3", "Größe: 名前, 5 > 3", id="ordinary text"),
        pytest.param("a\n\tb", "a\n\tb", id="line breaks and tabs"),
        pytest.param("a\r\nb", "a\r\nb", id="line breaks of Windows"),
        pytest.param("good\rbad", "good\\rbad", id="back to the start of the line"),
        pytest.param("\x1b[2J\x1b[31mred", "\\x1b[2J\\x1b[31mred", id="escape sequences"),
        pytest.param("\x9b2J", "\\x9b2J", id="escape sequences of one character"),
        pytest.param("\x1b]0;title\x07", "\\x1b]0;title\\x07", id="the window's title"),
        pytest.param("a\x08b\x7f\x00", "a\\x08b\\x7f\\x00", id="backspace, delete, null"),
        pytest.param("\u202etxt.exe", "\\u202etxt.exe", id="from right to left"),
        pytest.param("a\u061cb\u2067c", "a\\u061cb\\u2067c", id="marks of direction"),
        pytest.param("ad\u200bmin", "ad\\u200bmin", id="no width"),
        pytest.param(
            "ad\u00admin\ufeff", "ad\\xadmin\\ufeff", id="a soft hyphen, a byte order mark"
        ),
        pytest.param("a\u3164b\u2800c", "a\\u3164b\\u2800c", id="letters that are blank"),
        pytest.param("x\U000e0041\ufe0f", "x\\U000e0041\\ufe0f", id="tags, variation selectors"),
        pytest.param("a\u2028b\x85c", "a\\u2028b\\x85c", id="other line breaks"),
        pytest.param("a\ud800b", "a\\ud800b", id="half a character"),
    ],
)
def test_control_characters_are_shown_as_escapes(text: str, expected: str) -> None:
    """And nothing else changes."""
    assert escape_control_chars(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("\x1b[0;31mred\x1b[0m", "\x1b[0;31mred\x1b[0m", id="colours"),
        pytest.param("\x1b[2Jx\x1b[31", "\\x1b[2Jx\\x1b[31", id="anything else"),
    ],
)
def test_the_colours_of_ansible_may_stay(text: str, expected: str) -> None:
    """On demand."""
    assert escape_control_chars(text, colors=True) == expected


def test_data_is_escaped_at_every_depth() -> None:
    """Whatever else is in it."""
    data = [{"before": "\x1b[2J", "li\u200bnes": ["\x07", 1]}, None, True]
    assert escape_data(data) == [{"before": "\\x1b[2J", "li\\u200bnes": ["\\x07", 1]}, None, True]


@given(st.text(st.characters(codec=None)))
def test_nothing_is_left_that_is_not_shown(text: str) -> None:
    shown = escape_control_chars(text).replace("\r\n", "\n").replace("\n", "").replace("\t", "")
    hidden = {char for char in shown if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp")}
    bidi = {char for char in shown if unicodedata.bidirectional(char) in BIDI}
    assert hidden | bidi == set()
