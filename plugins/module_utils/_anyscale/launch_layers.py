# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an organization's scheduler and its machine pools set for the instances that are launched,
beside the compute config: their instance configurations.

This module util is private to the collection. I/O. Both are in beta: a control plane that does not
have them, or has not enabled them for the organization, has none.
https://docs.anyscale.com/admin/scheduler/config-reference
https://docs.anyscale.com/machine-pools/config-ref
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.api import (
    Api,
    JsonObject,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError

_SCHEDULER = "/api/v2/scheduler/config"
_MACHINE_POOLS = "/api/v2/machine_pools/"
# The beginning of the sentence names the product, and changes.
_NOT_ENABLED = "not enabled for this organization"
# The name in the documentation, and the one of the compute configs' API.
_INSTANCE_CONFIGS = ("advanced_instance_config", "advanced_configurations_json")

# The instance configurations of each scheduler flavor, or machine pool, by its name.
InstanceConfigs = dict[str, list[JsonObject]]


def read_scheduler_flavors(api: Api) -> InstanceConfigs:
    """The flavors of the active scheduler config, which is one for the whole organization."""
    found = _result(api, _SCHEDULER)
    if found is None:
        return {}
    form = _Form(api, _SCHEDULER)
    config = form.mapping(found.get("config"), "a scheduler config")
    return {
        form.name(flavor, "name"): form.instance_configs([flavor])
        for flavor in form.mappings(config.get("resource_flavors"), "resource_flavors")
    }


def read_machine_pools(api: Api) -> InstanceConfigs:
    """The machine pools of the organization, with the configurations of all launch templates."""
    found = _result(api, _MACHINE_POOLS)
    if found is None:
        return {}
    form = _Form(api, _MACHINE_POOLS)
    pools: InstanceConfigs = {}
    for pool in form.mappings(found.get("machine_pools"), "machine_pools"):
        spec = form.mapping(pool.get("spec"), "the spec of a machine pool")
        kinds = form.mappings(spec.get("machine_types"), "machine_types")
        templates = [
            template
            for kind in kinds
            for template in form.mappings(kind.get("launch_templates"), "launch_templates")
        ]
        pools[form.name(pool, "machine_pool_name")] = form.instance_configs(templates)
    return pools


def _result(api: Api, path: str) -> JsonObject | None:
    """The result of a read; ``None`` where there is no such thing."""
    try:
        return api.result("GET", path)
    except AnyscaleError as error:
        is_disabled = error.status == 403 and _NOT_ENABLED in error.message
        if error.status == 404 or is_disabled:
            return None
        raise


class _Form:
    """Checks that an answer has the form of the API. A section that is not set is null or absent."""

    def __init__(self, api: Api, path: str) -> None:
        self._api = api
        self._path = path

    def mapping(self, value: t.Any, what: str) -> JsonObject:
        """An object."""
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self._malformed(what)
        return value

    def mappings(self, value: t.Any, what: str) -> list[JsonObject]:
        """A list of objects."""
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise self._malformed(what)
        return value

    def name(self, value: JsonObject, key: str) -> str:
        """The name in an object."""
        if not isinstance(value.get(key), str):
            raise self._malformed(key)
        return t.cast(str, value[key])

    def instance_configs(self, values: t.Iterable[JsonObject]) -> list[JsonObject]:
        """The instance configurations that are not empty."""
        found = (self.mapping(value.get(key), key) for value in values for key in _INSTANCE_CONFIGS)
        return [config for config in found if config]

    def _malformed(self, what: str) -> AnyscaleError:
        return self._api.malformed("GET", self._path, f"{what} of another form")
