# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Print what to add to a fleet file, ready to paste, for the operator to read and to permit.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import re
import typing as t

import yaml

from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars

Json = dict[str, t.Any]

_CLOUD_LINE = re.compile(r"^  (cld_[\w-]+): \{\}(?:  # (.*))?$", re.MULTILINE)


def render(content: t.Mapping[str, t.Any], names: t.Mapping[str, str]) -> str:
    """The lines. names: of clouds by ID, for comments; they may contain any character."""
    if not content:
        return ""
    text: str = yaml.safe_dump(dict(content), default_flow_style=False, width=1000)

    def with_name(match: re.Match[str]) -> str:
        # On one line, so that nothing behind a line break stops being a comment.
        name = " ".join(escape_control_chars(names.get(match[1], "")).split())
        return match[0] + (f"  # {name}" if name else "")

    return _CLOUD_LINE.sub(with_name, text)


def merged(texts: t.Iterable[str]) -> str:
    """Several such texts as one."""
    content: Json = {}
    names: dict[str, str] = {}
    for text in texts:
        _collect(content, yaml.safe_load(text) or {})
        names |= {match[1]: match[2] or "" for match in _CLOUD_LINE.finditer(text)}
    return render(_sorted(content), names)


def _collect(into: Json, more: t.Mapping[str, t.Any]) -> None:
    """Add the items of lists to sets, for sorting each of them once."""
    for key, value in more.items():
        if isinstance(value, list):
            into.setdefault(key, set()).update(value)
        else:
            _collect(into.setdefault(key, {}), value)


def _sorted(content: t.Mapping[str, t.Any]) -> Json:
    return {
        key: sorted(value) if isinstance(value, set) else _sorted(value)
        for key, value in content.items()
    }
