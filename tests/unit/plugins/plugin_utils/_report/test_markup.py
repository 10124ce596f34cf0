# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Markup: whatever a text is, it stays a text, and only what ``tag`` made is markup."""

from __future__ import annotations

import html.parser
import re
import urllib.parse

from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.markup import address, tag

TEXTS = st.one_of(
    st.text(st.characters()),
    st.lists(
        st.sampled_from(
            ["<", ">", "&", "&lt;", '"', "'", "</p>", "<script>", "<!--", "\x1b[2J", "\x9b"]
        )
    ).map("".join),
)
CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]")


class Parsed(html.parser.HTMLParser):
    """The elements of markup, and its text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(markup)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember an element."""
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        """Add to the text."""
        self.text += data

    def handle_comment(self, data: str) -> None:
        """There are none."""
        raise AssertionError(data)


@given(TEXTS)
def test_a_text_makes_no_markup_and_comes_back_as_it_can_be_shown(text: str) -> None:
    made = tag("p", text, tag("b", text), title=text, data_empty=None, hidden=True)
    parsed = Parsed(made)
    shown = escape_control_chars(text)
    assert parsed.elements == [("p", {"title": shown, "hidden": None}), ("b", {})]
    assert parsed.text == shown * 2
    assert not CONTROLS.search(made)


@given(TEXTS)
def test_an_address_is_a_fragment_of_which_the_page_reads_the_text(text: str) -> None:
    made = address(cloud=text, finding="x")
    assert made[0] == "#"
    shown = escape_control_chars(text)
    assert dict(urllib.parse.parse_qsl(made[1:], keep_blank_values=True)) == {
        "cloud": shown,
        "finding": "x",
    }
