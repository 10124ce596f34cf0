# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The causes of failures: messages of many clouds that differ only by names are one cause.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import re
import typing as t

_LEFT_OUT = "<...>"
# A word that can be a name of one cloud: with a digit, or with a hyphen, colon, slash, dot or @ between
# other characters. Words with underscores are names of variables.
_NAME = re.compile(r"\d|\w[-:/.@]+\w")
# An action, such as iam:PassRole, is what the cause is about.
_ACTION = re.compile(r"\W*[a-z0-9-]+:[A-Z][A-Za-z]+\W*\Z")


def causes_of(messages: t.Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """The causes, those of most clouds first, each with its clouds. messages: those of clouds by name.
    The words in which the messages of a cause differ are left out.
    """
    groups: dict[tuple[str, ...], list[tuple[str, list[str]]]] = {}
    for name, message in messages:
        words = message.split()
        key = tuple(_LEFT_OUT if _is_name(word, name) else word for word in words)
        groups.setdefault(key, []).append((name, words))
    causes = [
        (_common([words for _name, words in group]), [name for name, _words in group])
        for group in groups.values()
    ]
    return sorted(causes, key=lambda cause: (-len(cause[1]), cause[0]))


def _is_name(word: str, cloud: str) -> bool:
    if word == cloud:
        return True
    return bool(_NAME.search(word)) and not _ACTION.match(word)


def _common(messages: t.Sequence[t.Sequence[str]]) -> str:
    """The text of messages with equally many words."""
    return " ".join(
        words[0] if len(set(words)) == 1 else _LEFT_OUT for words in zip(*messages, strict=True)
    )
