# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What other inventory sources have defined before this one: never taken over, since names come from
members of the organization.

This plugin util is private to the collection.
"""

from __future__ import annotations

import re
import typing as t

from ansible.inventory.data import InventoryData

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.host_names import (
    OWN_GROUPS,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.hosts import Host
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.problems import Problem

# A host variable: the names of its connection variables when this plugin was done with it.
KNOWN_CONNECTION = "anyscale_connection_variables"

_CONNECTION = re.compile(r"ansible_(host|port|user|connection|(ssh|winrm|psrp|paramiko)_\w+)\Z")
# By which a host of another source says that it is a cloud; one of this plugin's always has both.
_CLOUD, _RESOURCE = ("cloud_iam_cloud_id", "anyscale_cloud_id"), "anyscale_resource_id"


class OtherSources:
    """Hosts and groups that are there already."""

    def __init__(self, inventory: InventoryData) -> None:
        self._variables = {
            name: frozenset(host.vars)
            for name, host in inventory.hosts.items()
            if not is_made_here(host.vars)
        }
        self._hosts = {name: _identity(host.vars) for name, host in inventory.hosts.items()}
        self._groups = {
            name: any(not is_made_here(host.vars) for host in group.get_hosts())
            for name, group in inventory.groups.items()
        }

    def names(self) -> dict[str, str]:
        """The names that are taken, each with the cloud or resource that the host is, else empty."""
        return {**dict.fromkeys(self._groups, ""), **self._hosts}

    def free_groups(self, host: Host) -> list[str]:
        """The groups of a host, without those that hold hosts of another source."""
        return [group for group in host.groups if not self._is_refused(group)]

    def unset_variables(self, host: Host) -> dict[str, t.Any]:
        """The variables of a host without those that it has from another source, which are the
        operator's word.
        """
        theirs = self._variables.get(host.name, frozenset())
        return {name: value for name, value in host.variables.items() if name not in theirs}

    def refused_groups(self, hosts: t.Iterable[Host]) -> list[Problem]:
        """The groups that their hosts are left out of."""
        names = sorted(
            {group for host in hosts for group in host.groups if self._is_refused(group)}
        )
        return [
            Problem(
                "These groups have hosts of another inventory source, so no cloud is added to them",
                name,
                "Rename the groups there.",
            )
            for name in names
        ]

    def _is_refused(self, group: str) -> bool:
        """The groups whose names nobody else can choose may be shared with an inventory that is
        written by hand.
        """
        return group not in OWN_GROUPS and self._groups.get(group, False)


def _identity(variables: t.Mapping[str, t.Any]) -> str:
    cloud_id = next((str(variables[name]) for name in _CLOUD if variables.get(name)), "")
    resource_id = variables.get(_RESOURCE)
    return f"{cloud_id}.{resource_id}" if cloud_id and resource_id else cloud_id


def is_made_here(variables: t.Mapping[str, t.Any]) -> bool:
    """Whether a host is a cloud of this plugin, by its own variables."""
    return _RESOURCE in variables


def connection_variables(variables: t.Iterable[str]) -> set[str]:
    """Those by which Ansible reaches a host. This plugin sets none of them by itself."""
    return {name for name in variables if _CONNECTION.match(name)}
