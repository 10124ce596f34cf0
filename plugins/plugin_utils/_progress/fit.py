# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fit foreign text into the lines of a terminal.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import re
import typing as t
import unicodedata

from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars

DOTS = "..."


def on_one_line(text: str, strip: bool = True) -> str:
    """An escaped text without line breaks. ``strip``: also collapse white space."""
    line = escape_control_chars(text)
    return " ".join(line.split()) if strip else re.sub(r"[\t\r\n]", " ", line)


def display_width(text: str) -> int:
    """The number of terminal columns of a text without control characters."""
    return len(text) if text.isascii() else sum(_width(char) for char in text)


def truncate(text: str, width: int, dots: str = DOTS) -> str:
    """A text cut to this width, with dots at its end if it was cut and they fit."""
    if display_width(text) <= width:
        return text
    if len(dots) >= width:
        dots = ""
    room, end = width - len(dots), 0
    while end < len(text) and room >= _width(text[end]):
        room -= _width(text[end])
        end += 1
    return text[:end] + dots


def wrap(text: str, width: int) -> list[str]:
    """The words of a text on lines of this width. A longer word has a line of its own."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines[-1] else word
        if lines[-1] and display_width(longer) > width:
            lines.append(word)
        else:
            lines[-1] = longer
    return lines


def names_on_a_line(names: t.Sequence[str], width: int) -> str:
    """As many names as fit into this width, the first one in any case, and the number of the others."""
    shown = 1
    while shown < len(names) and display_width(_listed(names, shown + 1)) <= width:
        shown += 1
    return _listed(names, shown)


def _listed(names: t.Sequence[str], shown: int) -> str:
    rest = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {rest} more" if rest else "")


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1
