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

# By kind (buckets, roles) and name: the clouds that are registered with it, in words.
Shared = t.Mapping[tuple[str, str], str]

_SHARED_HEAD = (
    "# These are registered for several clouds. If they are meant to share them, add under allow:\n"
    "#   shared:\n"
)
_SHARED_KIND = re.compile(r"#     (\w+):")
_SHARED_NAME = re.compile(r"#     (- \S+)  # (.*)")
_CLOUD_LINE = re.compile(r"^  (cld_[\w-]+): \{\}(?:  # (.*))?$", re.MULTILINE)


def render(
    content: t.Mapping[str, t.Any], names: t.Mapping[str, str], shared: Shared | None = None
) -> str:
    """The lines. names: of clouds by ID, for comments; they, and those of the clouds in shared, may
    contain any character.
    """
    if not content:
        return ""
    text: str = yaml.safe_dump(dict(content), default_flow_style=False, width=1000)

    def with_name(match: re.Match[str]) -> str:
        # On one line, so that nothing behind a line break stops being a comment.
        name = _on_one_line(names.get(match[1], ""))
        return match[0] + (f"  # {name}" if name else "")

    return _CLOUD_LINE.sub(with_name, text) + _rendered_shared(shared or {})


def _on_one_line(text: str) -> str:
    return " ".join(escape_control_chars(text).split())


def _rendered_shared(shared: Shared) -> str:
    """A comment: whether clouds are meant to share something is for the operator to decide."""
    if not shared:
        return ""
    lines: dict[str, None] = {_SHARED_HEAD: None}
    for (kind, name), clouds in sorted(shared.items()):
        lines[f"#     {kind}:\n"] = None  # once, before the first of the kind
        item = yaml.safe_dump([name], width=1000).strip()
        lines[f"#     {item}  # {_on_one_line(clouds)}\n"] = None
    return "".join(lines)


def _parsed_shared(text: str) -> dict[tuple[str, str], str]:
    found, kind = {}, ""
    for line in text.splitlines():
        if of_kind := _SHARED_KIND.fullmatch(line):
            kind = of_kind[1]
        elif item := _SHARED_NAME.fullmatch(line):
            found[kind, yaml.safe_load(item[1])[0]] = item[2]
    return found


def merged(texts: t.Iterable[str]) -> str:
    """Several such texts as one."""
    content: Json = {}
    names: dict[str, str] = {}
    shared: dict[tuple[str, str], str] = {}
    for text in texts:
        _collect(content, yaml.safe_load(text) or {})
        shared |= _parsed_shared(text)
        names |= {match[1]: match[2] or "" for match in _CLOUD_LINE.finditer(text)}
    return render(_sorted(content), names, shared)


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
