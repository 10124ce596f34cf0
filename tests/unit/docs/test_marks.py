# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A generated part is replaced between its marks, and nothing else of the page changes."""

from __future__ import annotations

import textwrap

import pytest

from ansible_collections.rayfleet.anyscale.docs.tools.marks import part_of, parts, replace_part

PAGE = """\
By hand.

.. BEGIN one (written by a program)

old

.. END one

1. An item:

   .. BEGIN two

   old

   .. END two

   More of the item.
"""


@pytest.mark.parametrize("name", ["one", "two"])
def test_a_part_is_replaced(name: str) -> None:
    """With the indentation of its marks, and with blank lines as they are."""
    text = "first\n\n   second"
    page = replace_part(PAGE, name, text)
    assert part_of(page, name) == text
    indented = textwrap.indent(text, " " * 3 * (name == "two"))
    kept_before = PAGE.partition(f".. BEGIN {name}")[0]
    kept_after = PAGE.partition(f".. END {name}")[2]
    assert page.startswith(kept_before)
    assert page.endswith(kept_after)
    assert f"\n\n{indented}\n\n" in page
    assert replace_part(page, name, text) == page
    assert replace_part(page, name, "old") == PAGE


def test_parts_are_listed_in_their_order() -> None:
    assert parts(PAGE) == ["one", "two"]


@pytest.mark.parametrize(
    "page",
    [
        "By hand.\n",
        ".. BEGIN ones\n\n.. END ones\n",
        ".. BEGIN one\n\nno end\n",
        ".. BEGIN one\n\n   .. END one\n",
    ],
    ids=["no marks", "another name", "no end", "an end with another indentation"],
)
def test_a_page_without_the_marks_is_an_error(page: str) -> None:
    with pytest.raises(ValueError, match=r"lacks the marks '.. BEGIN one' and '.. END one'"):
        replace_part(page, "one", "new")
