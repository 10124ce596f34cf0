# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The small parts that the report's page repeats: numbers, icons, pills and badges.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.markup import (
    Child,
    Html,
    tag,
)

WORDS = {
    "error": "Error",
    "fail": "Fail",
    "unknown": "Unknown",
    "warn": "Warning",
    "pass": "Pass",
    "not_applicable": "Not applicable",
    "not_permitted": "Not permitted",
    "new": "New",
    "persisting": "Persisting",
    "fixed": "Fixed",
    "gone": "Gone",
}
_MOMENT = re.compile(r"(\d{4}-\d{2}-\d{2})T(\d{2}:\d{2})", re.ASCII)


def number(count: int) -> str:
    """A number with separators."""
    return f"{count:,}"


def plural(count: int, one: str, many: str) -> str:
    """A number with its noun."""
    return f"{number(count)} {one if count == 1 else many}"


def moment(text: t.Any) -> str:
    """ "2026-11-25T10:21:03Z" in a readable form, in UTC like all times in the report."""
    found = _MOMENT.match(str(text))
    return f"{found[1]} {found[2]} UTC" if found else str(text)


def sign(kind: str) -> Html:
    """The icon of a state or status."""
    return tag("span", class_=f"sign {kind}", aria_hidden="true")


def pill(kind: str) -> Html:
    """A state or status in words, with its icon."""
    return tag("span", WORDS[kind], class_=f"pill {kind}")


def badge(change: str | None, count: int | None = None) -> Html | None:
    """A change since the previous audit, or how many there are."""
    if not change:
        return None
    words = WORDS[change] if count is None else f"{number(count)} {change}"
    return tag("span", words, class_=f"badge {change}")


def copyable(title: str, text: str, kind: str) -> Html:
    """Text to use as it is, with a button that copies it."""
    button = tag("button", "Copy", type="button", class_="copy live", aria_label=f"Copy: {title}")
    shown = tag("pre", text, class_=kind, tabindex="0", aria_label=title)
    return tag("div", shown, button, class_="copyable")


def table(heads: t.Sequence[str], rows: t.Iterable[Html], **attributes: t.Any) -> Html:
    """A table with its head."""
    head = tag("tr", *(tag("th", words, scope="col") for words in heads))
    return tag("table", tag("thead", head), tag("tbody", *rows), **attributes)


def cells(*values: Child) -> Html:
    """A row of a table."""
    return tag("tr", *(tag("td", value) for value in values))
