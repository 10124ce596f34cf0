# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Markup in which every text is escaped, because only ``tag`` makes markup.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import html
import typing as t
import urllib.parse

from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars

_VOID = frozenset({"input"})


class Html(str):
    """Text that is markup already."""

    __slots__ = ()


Child = t.Union[str, Html, None]


def tag(name: str, *children: Child, **attributes: t.Any) -> Html:
    """An element. ``class_`` is the attribute class, and ``data_state`` data-state. An attribute that
    is ``True`` has no value, and one that is ``None`` or ``False`` is left out, like a child that is
    ``None``.
    """
    head = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{_escaped(value)}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    return Html(f"<{name}{head}>" + ("" if name in _VOID else f"{joined(*children)}</{name}>"))


def joined(*children: Child) -> Html:
    """Elements and texts, one after the other."""
    return Html(
        "".join(
            child if isinstance(child, Html) else _escaped(child)
            for child in children
            if child is not None
        )
    )


def address(**values: str) -> str:
    """The fragment by which the page is opened with these filters."""
    return f"#{urllib.parse.urlencode({key: escape_control_chars(one) for key, one in values.items()})}"


def _escaped(value: t.Any) -> str:
    return html.escape(escape_control_chars(str(value)))
