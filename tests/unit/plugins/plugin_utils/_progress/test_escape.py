# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No external text moves a terminal's cursor, and no line is wider than its limit."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.escape import (
    display_width,
    escape_control_chars,
    escape_data,
    on_one_line,
    truncate,
)


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
    data = [{"before": "\x1b[2J", "lines": ["\x07", 1]}, None, True]
    assert escape_data(data) == [{"before": "\\x1b[2J", "lines": ["\\x07", 1]}, None, True]


@given(st.text(), st.integers(0, 30))
def test_a_cut_text_is_its_start_and_no_wider(text: str, width: int) -> None:
    """For any text and width."""
    short = truncate(text, width)
    assert display_width(short) <= width
    assert short == text or text.startswith(short.removesuffix("..."))


@given(st.text())
def test_one_line_is_one_line(text: str) -> None:
    """For any text."""
    assert not {"\n", "\r", "\t", "\x1b"} & set(on_one_line(text))
    assert not {
        "\n",
        "\r",
        "\t",
        "\x1b",
    } & set(on_one_line(text, strip=False))
