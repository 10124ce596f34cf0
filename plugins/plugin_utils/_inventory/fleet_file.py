# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet file: settings of the user for each cloud that the API does not have, checked key by
key.

This plugin util is private to the collection. Pure: it gets the parsed content of the file.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

Settings = dict[str, t.Any]

INPUT_KEYS = (
    "role",
    "compute_config",
    "compute_config_spec",
    "assume_role_arn",
    "assume_role_external_id",
    "instance_profile",
)
PLACEHOLDERS = ("account_id", "cloud_id", "cloud", "region")

_SECTIONS = ("defaults", "clouds")
_MERGED_KEYS = ("tags", "variables")
_NOT_A_VARIABLE = frozenset({"cloud_iam_cloud_id", *(f"cloud_iam_{key}" for key in INPUT_KEYS)})

_VARIABLE = re.compile(r"cloud_iam_[a-z0-9_]+\Z")
_PLACEHOLDER = re.compile(r"\{(" + "|".join(PLACEHOLDERS) + r")\}")
_BRACES = re.compile(r"\{[^{}]*\}")
_TEMPLATE = re.compile(r"\{\{|\{%|\{#")
_DEEPEST = 50
_MAX_VALUE_CHARS = 60


@dataclasses.dataclass(frozen=True)
class FleetFile:
    """Settings for all clouds, and for single clouds. More specific settings take precedence."""

    defaults: Settings = dataclasses.field(default_factory=dict)
    clouds: dict[str, Settings] = dataclasses.field(default_factory=dict)

    def settings(self, names: t.Iterable[str]) -> Settings:
        """The defaults, overridden by the settings under these names, the last of which takes
        precedence. ``null`` removes a setting.
        """
        merged = dict(self.defaults)
        for name in names:
            for key, value in self.clouds.get(name, {}).items():
                both = key in _MERGED_KEYS and value and merged.get(key)
                merged[key] = {**merged[key], **value} if both else value
        return {key: value for key, value in merged.items() if value is not None}


class UnknownPlaceholder(Exception):
    """The value of a placeholder is unknown for this cloud."""


def filled_in(value: t.Any, known: t.Mapping[str, str | None]) -> t.Any:
    """A setting with the placeholders in its strings replaced once, so that placeholders in the
    inserted values are not replaced.
    """
    if isinstance(value, str):
        return (
            _PLACEHOLDER.sub(lambda match: _known(match[1], known), value)
            if "{" in value
            else value
        )
    if isinstance(value, dict):
        return {key: filled_in(inner, known) for key, inner in value.items()}
    return [filled_in(inner, known) for inner in value] if isinstance(value, list) else value


def _known(name: str, known: t.Mapping[str, str | None]) -> str:
    value = known[name]
    if value is None:
        raise UnknownPlaceholder(name)
    return value


def parse_fleet_file(document: t.Any) -> FleetFile:
    """The checked content of a fleet file. An error names the invalid key."""
    sections = _mapping({} if document is None else document, "the document")
    _refuse_unknown(sections, _SECTIONS, "at the top level")
    clouds = _mapping(_or_empty(sections.get("clouds")), "clouds")
    return FleetFile(
        _settings(sections.get("defaults"), "defaults"),
        {name: _settings(settings, f"clouds.{name}") for name, settings in clouds.items()},
    )


def _settings(value: t.Any, where: str) -> Settings:
    settings = _mapping(_or_empty(value), where)
    _refuse_unknown(settings, _CHECKS, f"in {where}")
    return {
        key: inner if inner is None else _CHECKS[key](inner, f"{where}.{key}")
        for key, inner in settings.items()
    }


def _or_empty(value: t.Any) -> t.Any:
    return {} if value is None else value


def _refuse_unknown(mapping: t.Mapping[str, t.Any], known: t.Iterable[str], where: str) -> None:
    unknown = [key for key in mapping if key not in known]
    if unknown:
        raise InputError(
            f"there is an unknown key {', '.join(map(repr, unknown))} {where}.",
            f"The keys there are {', '.join(known)}.",
        )


def _mapping(value: t.Any, where: str) -> dict[str, t.Any]:
    if not isinstance(value, dict):
        raise InputError(
            f"{where} is {_describe(value)}, which is not a mapping.",
            "Write one 'key: value' per line, with the same indentation.",
        )
    for key in value:
        if not isinstance(key, str):
            raise InputError(
                f"{where} has the key {_describe(key)}, which is not a string.", "Put it in quotes."
            )
    return value


def _text(value: t.Any, where: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise InputError(
            f"{where} is {_describe(value)}, which is not a string.",
            "Give a string, in quotes, or omit the key.",
        )
    unknown = [found for found in _BRACES.findall(value) if not _PLACEHOLDER.match(found)]
    if unknown and not _TEMPLATE.search(value):
        names = ", ".join(f"{{{name}}}" for name in PLACEHOLDERS)
        raise InputError(
            f"{where} has {', '.join(unknown)}, which is not a placeholder.",
            f"The placeholders are {names}.",
        )
    return _plain(value, where)


def _label(value: t.Any, where: str) -> str:
    """A ring, which may be a number as well."""
    return (
        str(value)
        if isinstance(value, int) and not isinstance(value, bool)
        else _text(value, where)
    )


def _flag(value: t.Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise InputError(
            f"{where} is {_describe(value)}, which is neither true nor false.",
            "Give true or false, without quotes.",
        )
    return value


def _tags(value: t.Any, where: str) -> dict[str, t.Any]:
    for key, inner in _mapping(value, where).items():
        if not isinstance(inner, (str, int, float)):
            raise InputError(
                f"{where}.{key} is {_describe(inner)}, which is not a valid tag value.",
                "Give a string, a number, true or false.",
            )
    return _plain(value, where)


def _variables(value: t.Any, where: str) -> dict[str, t.Any]:
    for name in _mapping(value, where):
        if name in _NOT_A_VARIABLE:
            key = name.removeprefix("cloud_iam_")
            remedy = (
                "It comes from the API."
                if key == "cloud_id"
                else f"Use the key {key} next to variables."
            )
            raise InputError(f"{where} has {name!r}, which cannot be set there.", remedy)
        if not _VARIABLE.match(name):
            remedy = "Set other variables in host_vars, in group_vars or with compose."
            raise InputError(
                f"{where} has {name!r}, which is not a variable of the role cloud_iam.", remedy
            )
    return _plain(value, where)


def _document(value: t.Any, where: str) -> dict[str, t.Any]:
    return _plain(_mapping(value, where), where)


def _plain(value: t.Any, where: str, depth: int = 0) -> t.Any:
    """The value itself. Raises if it contains anything but strings, numbers, lists and mappings."""
    if depth > _DEEPEST:
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
        for key, inner in _mapping(value, where).items():
            _plain(inner, f"{where}.{key}", depth + 1)
    elif isinstance(value, list):
        for position, inner in enumerate(value):
            _plain(inner, f"{where}[{position}]", depth + 1)
    elif value is not None and not isinstance(value, (str, int, float)):
        raise InputError(
            f"{where} is {_describe(value)}, which is neither a string nor a number.",
            "Put it in quotes.",
        )
    return value


def _describe(value: t.Any) -> str:
    """An invalid value, for an error message: its type, or the value itself."""
    if value is None:
        return "empty"
    if isinstance(value, (dict, list)):
        return "a mapping" if isinstance(value, dict) else "a list"
    kind = type(value).__name__.removeprefix("_AnsibleTagged")
    text = repr(value) if isinstance(value, (str, int, float)) else f"of the type {kind.lower()}"
    return text if len(text) <= _MAX_VALUE_CHARS else f"{text[:_MAX_VALUE_CHARS]}..."


_CHECKS: dict[str, t.Callable[[t.Any, str], t.Any]] = {
    **dict.fromkeys(INPUT_KEYS, _text),
    "compute_config_spec": _document,
    "ring": _label,
    "tags": _tags,
    "variables": _variables,
    "skip": _flag,
}
