# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The placeholders of a fleet file, such as ``{account_id}``, and the values that replace them.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import re
import typing as t

PLACEHOLDERS = ("account_id", "cloud_id", "cloud", "region")
# The values of these are chosen by members of the organization, the second one among those that exist.
CLOUD_NAME, REGION = "{cloud}", "{region}"

Known = t.Mapping[str, str | None]

_PLACEHOLDER = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")
_BRACES = re.compile(r"\{[^{}]*\}")


class UnknownPlaceholder(Exception):
    """The value of a placeholder is unknown for this cloud."""


def filled_in(value: t.Any, known: Known) -> t.Any:
    """A setting with the placeholders in its strings replaced once, so that placeholders in the
    inserted values are not replaced. Raises UnknownPlaceholder.
    """
    if isinstance(value, str):
        return (
            _PLACEHOLDER.sub(lambda match: _value_of(match[1], known), value)
            if "{" in value
            else value
        )
    if isinstance(value, dict):
        return {key: filled_in(inner, known) for key, inner in value.items()}
    return [filled_in(inner, known) for inner in value] if isinstance(value, list) else value


def unknown_placeholders(text: str) -> list[str]:
    """What looks like a placeholder and is none."""
    return [found for found in _BRACES.findall(text) if not _PLACEHOLDER.match(found)]


def _value_of(name: str, known: Known) -> str:
    value = known[name]
    if value is None:
        raise UnknownPlaceholder(name)
    return value
