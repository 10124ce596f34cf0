# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names and numbers in messages: lists of names are shortened, because a fleet may have thousands, and
messages where they have been told in full.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import re
import typing as t

_NAMED = 10
_MOST_OF_SENTENCE = 120
_DOTS = " ..."


def counted(number: int, noun: str) -> str:
    """A number of things, such as ``1 cloud`` or ``2 clouds``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number} {noun}es" if noun.endswith("ch") else f"{number} {noun}s"


def summarize_names(names: t.Sequence[str], most: int = _NAMED) -> str:
    """The first names, and the number of the others."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def first_sentence(text: str) -> str:
    """The first sentence of a message, or the words of it that have room, with dots for the rest."""
    [sentence] = re.split(r"(?<=[.!?]) (?=[A-Z])", " ".join(text.split()), maxsplit=1)[:1]
    if len(sentence) <= _MOST_OF_SENTENCE:
        return sentence
    room = _MOST_OF_SENTENCE - len(_DOTS)
    words = sentence[: room + 1].rpartition(" ")[0]
    return f"{words or sentence[:room]}{_DOTS}"
