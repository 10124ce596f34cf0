# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No line is wider than its limit, or more than one."""

from __future__ import annotations

from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.fit import (
    display_width,
    on_one_line,
    truncate,
)


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
