# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Refuse a cloud of the inventory plugin that has become one with a host or a group of an inventory
source that was read after it.

This plugin util is private to the collection. The inventory plugin gives a cloud another name than
the hosts and groups that are there already. Of what sources after it add it knows nothing, and
members of the organization choose the names of clouds.
"""

from __future__ import annotations

import typing as t

from ansible.inventory.group import Group

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.other_sources import (
    KNOWN_CONNECTION,
    connection_variables,
    is_made_here,
)

_REMEDY = (
    "Have the source of the plugin anyscale_clouds read last: its -i after the others, or its file "
    "the last one by name in the inventory directory. Then the cloud gets another name, unless that "
    "host has the cloud's ID as cloud_iam_cloud_id."
)


class Inventory(t.Protocol):
    """What is needed of ansible-core's inventory manager."""

    hosts: t.Mapping[str, t.Any]
    groups: t.Mapping[str, Group]


def refuse_merged(inventory: Inventory, name: str) -> None:
    """Raise if a cloud of the plugin has the name of a group with other hosts, or has connection
    variables that it did not have when the plugin was done.
    """
    variables = inventory.hosts[name].vars if name in inventory.hosts else {}
    if not is_made_here(variables):
        return
    group = inventory.groups.get(name)
    if group and not _has_only_clouds(group):
        raise InputError(f"Cloud {name} has the name of a group of the inventory.", _REMEDY)
    added = connection_variables(variables) - set(variables.get(KNOWN_CONNECTION) or ())
    if added:
        raise InputError(
            f"Cloud {name} has the name of a host of another inventory source, which sets "
            f"{', '.join(sorted(added))}.",
            _REMEDY,
        )


def _has_only_clouds(group: Group) -> bool:
    """As one that the plugin itself constructs."""
    hosts = group.get_hosts()
    return bool(hosts) and all(is_made_here(host.vars) for host in hosts)
