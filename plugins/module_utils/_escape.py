# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Escape foreign text that people are shown, so that it cannot move the cursor, change the order of what
they read, or hide in it.

This module util is private to the collection. Pure. Only what is shown is escaped; data that goes back
to AWS or Anyscale is left as it is.
"""

from __future__ import annotations

import re
import typing as t

# Control characters of ASCII and of ISO 8859 except line breaks, tabs and Escape, which starts colors.
_CONTROLS = r"\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f"
# What changes the direction of writing, and other line breaks.
_DIRECTIONS = r"\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
# What fonts show as nothing: Unicode's Default_Ignorable_Code_Point, the blank pattern of Braille, and
# marks of annotations. https://www.unicode.org/reports/tr44/#Default_Ignorable_Code_Point
_INVISIBLE = (
    r"\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2065\u206a-\u206f\u2800"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff"
)
# Halves of characters, which no terminal can be sent.
_HALVES = r"\ud800-\udfff]"
_ESCAPED = f"{_CONTROLS}{_DIRECTIONS}{_INVISIBLE}{_HALVES}"
_ANY = re.compile(rf"\x1b|{_ESCAPED}")
_ANY_BUT_COLORS = re.compile(rf"\x1b(?!\[[0-9;]*m)|{_ESCAPED}")


def escape_control_chars(text: str, colors: bool = False) -> str:
    """A text with its control, direction and invisible characters escaped, as Python writes them.
    ``colors``: keep color codes, for text that Ansible has colored.
    """
    if text.isascii() and text.isprintable():  # as most texts are
        return text
    return (_ANY_BUT_COLORS if colors else _ANY).sub(lambda found: _escaped(found[0]), text)


def escape_data(data: t.Any) -> t.Any:
    """JSON data with all strings escaped, keys as well."""
    if isinstance(data, str):
        return escape_control_chars(data)
    if isinstance(data, dict):
        return {escape_data(key): escape_data(value) for key, value in data.items()}
    return [escape_data(item) for item in data] if isinstance(data, (list, tuple)) else data


def _escaped(char: str) -> str:
    return char.encode("unicode_escape").decode()
