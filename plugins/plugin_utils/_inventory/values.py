# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check values of a fleet file, with errors that name the key.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.placeholders import (
    PLACEHOLDERS,
    unknown_placeholders,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.vault import (
    DEEPEST,
    Decrypted,
)

_TEMPLATE = re.compile(r"\{\{|\{%|\{#")
_MAX_VALUE_CHARS = 60


def or_empty(value: t.Any) -> t.Any:
    """An empty mapping for a key that has no value."""
    return {} if value is None else value


def refuse_unknown(given: t.Mapping[str, t.Any], known: t.Iterable[str], where: str) -> None:
    """Raise for a key that the mapping cannot have."""
    unknown = [key for key in given if key not in known]
    if unknown:
        raise InputError(
            f"there is an unknown key {', '.join(map(repr, unknown))} {where}.",
            f"The keys there are {', '.join(known)}.",
        )


def mapping(value: t.Any, where: str) -> dict[str, t.Any]:
    """A mapping whose keys are strings."""
    if not isinstance(value, dict):
        raise InputError(
            f"{where} is {describe(value)}, which is not a mapping.",
            "Write one 'key: value' per line, with the same indentation.",
        )
    for key in value:
        if not isinstance(key, str):
            raise InputError(
                f"{where} has the key {describe(key)}, which is not a string.", "Put it in quotes."
            )
    return value


def text(value: t.Any, where: str) -> str:
    """A string without templates, in braces nothing but placeholders."""
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            f"{where} is {describe(value)}, which is not a string.",
            "Give a string, in quotes, or omit the key.",
        )
    unknown = unknown_placeholders(value)
    if unknown and not _TEMPLATE.search(value):
        names = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        shown = "encrypted text in braces" if isinstance(value, Decrypted) else ", ".join(unknown)
        raise InputError(
            f"{where} has {shown}, which is not a placeholder.",
            f"The placeholders are {names}.",
        )
    return plain(value, where)


def label(value: t.Any, where: str) -> str:
    """A ring, which may be a number as well."""
    return (
        str(value) if isinstance(value, int) and not isinstance(value, bool) else text(value, where)
    )


def flag(value: t.Any, where: str) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise InputError(
            f"{where} is {describe(value)}, which is neither true nor false.",
            "Give true or false, without quotes.",
        )
    return value


def document(value: t.Any, where: str) -> dict[str, t.Any]:
    """A mapping of strings, numbers, lists and mappings."""
    return plain(mapping(value, where), where)


def plain(value: t.Any, where: str, depth: int = 0) -> t.Any:
    """The same value. Raises if it contains anything but strings, numbers, lists and mappings."""
    if depth > DEEPEST:
        raise InputError(
            f"{where} is nested too deeply.", "Remove a YAML alias that refers to its own parent."
        )
    if isinstance(value, str) and _TEMPLATE.search(value):
        remedy = (
            "Use templates in group_vars, host_vars or compose. Here, placeholders such as "
            "{account_id} are replaced."
        )
        raise InputError(f"{where} has a template, which is not evaluated.", remedy)
    if isinstance(value, dict):
        return {
            key: plain(inner, f"{where}.{key}", depth + 1)
            for key, inner in mapping(value, where).items()
        }
    if isinstance(value, list):
        return [
            plain(inner, f"{where}[{position}]", depth + 1) for position, inner in enumerate(value)
        ]
    if value is not None and not isinstance(value, (str, int, float)):
        raise InputError(
            f"{where} is {describe(value)}, which is neither a string nor a number.",
            "Put it in quotes.",
        )
    return str(value) if isinstance(value, Decrypted) else value


def describe(value: t.Any) -> str:
    """An invalid value, for an error message: its type, or the value itself."""
    if value is None:
        return "empty"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    kind = type(value).__name__.removeprefix("_AnsibleTagged")
    text = repr(value) if isinstance(value, (str, int, float)) else f"of the type {kind.lower()}"
    return text if len(text) <= _MAX_VALUE_CHARS else f"{text[:_MAX_VALUE_CHARS]}..."
