# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each of many hosts has for a few variables, not templated.

This plugin util is private to the collection. Ansible takes milliseconds to merge the variables of a
host. So this is done once for all hosts that have these variables from the same places, which are one
or two lots of a fleet.
"""

from __future__ import annotations

import typing as t

from ansible.inventory.group import Group
from ansible.inventory.host import Host
from ansible.playbook.task import Task
from ansible.plugins.action import ActionBase
from ansible.vars.plugins import get_vars_from_inventory_sources, get_vars_from_path

Json = dict[str, t.Any]
_STAGE = "task"


class Lot(t.NamedTuple):
    """Hosts that have the same values, of the variables that were asked for and that are set."""

    hosts: list[str]
    values: Json


class HostValues:
    """The variables of the hosts of a play, and of the play without a host."""

    def __init__(self, action: ActionBase, task: Task | None = None) -> None:
        """task: whose variables these are, which are not those that its play has for hosts: the files
        beside the playbook that imports this one are the play's alone.
        """
        self._play = action._task.get_play()
        self._manager = action._task.get_variable_manager()
        self._inventory = self._manager._inventory
        self._loader = self._manager._loader
        self._task = task
        self._folders = task.get_search_path() if task else [self._loader.get_basedir()]

    def of_play(self) -> t.Container[str]:
        """The variables by which Ansible selects the hosts of the play: none is of a host."""
        return t.cast(Json, self._manager.get_vars(play=self._play))

    def of_hosts(self, hosts: t.Sequence[str], names: t.Collection[str]) -> list[Lot]:
        """The hosts in lots, in their order, with those of the variables that each lot has."""
        wanted = frozenset(names)
        setting = {
            name
            for name, group in self._inventory.groups.items()
            if not wanted.isdisjoint(self._own(group))
        }
        lots: dict[tuple[tuple[str, ...], str], Lot] = {}
        for name in hosts:
            host = self._inventory.get_host(name)
            groups = tuple(group.name for group in host.get_groups() if group.name in setting)
            own = {key: value for key, value in self._own(host).items() if key in wanted}
            origin = groups, repr(own)
            if origin not in lots:
                lots[origin] = Lot([], self._merged(host, hosts, wanted))
            lots[origin].hosts.append(name)
        return list(lots.values())

    def _own(self, entity: Host | Group) -> Json:
        """All that a host or a group has itself, wherever it is set."""
        found = {
            **entity.vars,
            **get_vars_from_inventory_sources(
                self._loader, self._inventory._sources, [entity], _STAGE
            ),
        }
        for folder in self._folders:
            found |= get_vars_from_path(self._loader, folder, [entity], _STAGE)
        if isinstance(entity, Host):  # what tasks have set
            found |= self._manager._vars_cache.get(entity.name, {})
            found |= self._manager._nonpersistent_fact_cache.get(entity.name, {})
        return found

    def _merged(self, host: Host, hosts: t.Sequence[str], wanted: frozenset[str]) -> Json:
        found = self._manager.get_vars(
            play=self._play, host=host, task=self._task, _hosts=hosts, _hosts_all=hosts
        )
        return {name: found[name] for name in sorted(wanted & found.keys())}
