# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet file: settings of the user for each cloud that the API does not have, checked key by
key.

This plugin util is private to the collection. It gets the loaded content of the file, in which
values may still be encrypted.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    PREFIX,
    refuse_unknown_variables,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory import values
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.allow import (
    Allow,
    parse_allow,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.placeholders import (
    CLOUD_NAME,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.vault import decrypted

Settings = dict[str, t.Any]

INPUT_KEYS = (
    "role",
    "compute_config",
    "compute_config_spec",
    "assume_role_arn",
    "assume_role_external_id",
    "instance_profile",
)

PLUGIN = "rayfleet.anyscale.fleet_file"
_SECTIONS = ("allow", "defaults", "clouds")
_MERGED_KEYS = ("tags", "variables")
_NOT_A_VARIABLE = frozenset({"cloud_iam_cloud_id", *(f"cloud_iam_{key}" for key in INPUT_KEYS)})


@dataclasses.dataclass(frozen=True)
class FleetFile:
    """Settings for all clouds, and for single clouds, of which more specific ones take precedence;
    and what the operator permits. Without a section ``allow`` that is nothing.
    """

    defaults: Settings = dataclasses.field(default_factory=dict)
    clouds: dict[str, Settings] = dataclasses.field(default_factory=dict)
    allow: Allow | None = None

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


def parse_fleet_file(document: t.Any) -> FleetFile:
    """The checked content of a fleet file. An error names the invalid key."""
    sections = values.mapping({} if document is None else document, "the document")
    if sections.get("plugin", PLUGIN) != PLUGIN:
        raise InputError(f"plugin is not {PLUGIN}.", "Correct the key, or omit it.")
    sections = {name: section for name, section in sections.items() if name != "plugin"}
    values.refuse_unknown(sections, _SECTIONS, "at the top level")
    clouds = values.mapping(values.or_empty(sections.get("clouds")), "clouds")
    return FleetFile(
        _settings(sections.get("defaults"), "defaults"),
        {name: _settings(settings, f"clouds.{name}") for name, settings in clouds.items()},
        parse_allow(decrypted(sections["allow"], "allow")) if "allow" in sections else None,
    )


def _settings(value: t.Any, where: str) -> Settings:
    settings = values.mapping(values.or_empty(value), where)
    values.refuse_unknown(settings, _CHECKS, f"in {where}")
    return {
        key: inner if inner is None else _setting(key, inner, f"{where}.{key}")
        for key, inner in settings.items()
    }


def _setting(key: str, value: t.Any, where: str) -> t.Any:
    return _CHECKS[key](decrypted(value, where), where)


def _without_cloud_name(value: t.Any, where: str) -> str:
    """Which role is assumed must not be up to members of the organization."""
    if CLOUD_NAME in values.text(value, where):
        raise InputError(
            f"{where} has {CLOUD_NAME}, which any member of the Anyscale organization chooses.",
            "Use {cloud_id} or {account_id}.",
        )
    return t.cast(str, value)


def _tags(value: t.Any, where: str) -> dict[str, t.Any]:
    for key, inner in values.mapping(value, where).items():
        if not isinstance(inner, (str, int, float)):
            raise InputError(
                f"{where}.{key} is {values.describe(inner)}, which is not a valid tag value.",
                "Give a string, a number, true or false.",
            )
    return values.plain(value, where)


def _variables(value: t.Any, where: str) -> dict[str, t.Any]:
    for name in values.mapping(value, where):
        if name in _NOT_A_VARIABLE:
            key = name.removeprefix("cloud_iam_")
            remedy = (
                "It comes from the API."
                if key == "cloud_id"
                else f"Use the key {key} next to variables."
            )
            raise InputError(f"{where} has {name!r}, which cannot be set there.", remedy)
        if not name.startswith(PREFIX):
            remedy = "Set other variables in host_vars, in group_vars or with compose."
            raise InputError(
                f"{where} has {name!r}, which is not a variable of the role cloud_iam.", remedy
            )
    refuse_unknown_variables(value, where)
    return values.plain(value, where)


_CHECKS: dict[str, t.Callable[[t.Any, str], t.Any]] = {
    **dict.fromkeys(INPUT_KEYS, values.text),
    "assume_role_arn": _without_cloud_name,
    "assume_role_external_id": _without_cloud_name,
    "compute_config_spec": values.document,
    "ring": values.label,
    "tags": _tags,
    "variables": _variables,
    "skip": values.flag,
}
