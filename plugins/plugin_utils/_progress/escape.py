# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Escape untrusted text for a terminal, so that it cannot move the cursor or hide other text.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import re
import typing as t
import unicodedata

# Control characters except line breaks and tabs, and characters that change the writing direction.
_CONTROLS = (
    r"\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]"
)
DOTS = "..."
_ANY = re.compile(rf"\x1b|{_CONTROLS}")
_ANY_BUT_COLORS = re.compile(rf"\x1b(?!\[[0-9;]*m)|{_CONTROLS}")


def escape_control_chars(text: str, colors: bool = False) -> str:
    """A text with its control characters escaped. ``colors``: keep color codes, for text that
    Ansible has colored.
    """
    return (_ANY_BUT_COLORS if colors else _ANY).sub(lambda found: _escaped(found[0]), text)


def escape_data(data: t.Any) -> t.Any:
    """JSON data with all strings escaped, except keys."""
    if isinstance(data, str):
        return escape_control_chars(data)
    if isinstance(data, dict):
        return {key: escape_data(value) for key, value in data.items()}
    return [escape_data(item) for item in data] if isinstance(data, list) else data


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


def _width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()
