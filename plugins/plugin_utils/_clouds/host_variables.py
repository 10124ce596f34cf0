# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables of many hosts, as the tasks of a play see them, for one task that acts for all of
them.

This plugin util is private to the collection. All that it needs of ansible-core is a variable
manager and a templar.
"""

from __future__ import annotations

import contextlib
import json
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.in_worker import (
    FORK_IS_UNSAFE,
    SWITCH,
    is_this_python,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.merged_hosts import (
    refuse_merged,
)

Variables = dict[str, t.Any]

# What the playbooks set as the interpreter.
_PLAYBOOK_PYTHON = "ansible_playbook_python"
_IS_PLAYBOOK_PYTHON = f"{{{{ {_PLAYBOOK_PYTHON} }}}}"


class HostVariables:
    """The variables of the hosts of a play."""

    def __init__(self, action: ActionBase) -> None:
        self._play = action._task.get_play()
        self._manager = action._task.get_variable_manager()
        self._templar = action._templar.copy_with_new_env(available_variables={})
        self._inventory = self._manager._inventory
        self._hosts = [host.name for host in self._inventory.get_hosts()]
        self._all_hosts = [
            host.name
            for host in self._inventory.get_hosts(
                self._play.hosts or "all", ignore_restrictions=True
            )
        ]

    def of(self, name: str) -> Variables:
        """All variables of a host, not templated. It need not be in the play, nor in the limit of
        the run.
        """
        # With the lists of hosts. Otherwise Ansible builds them for each host, which takes time
        # proportional to the square of the fleet.
        return self._manager.get_vars(
            play=self._play,
            host=self._inventory.get_host(name),
            _hosts=self._hosts,
            _hosts_all=self._all_hosts,
        )

    def refuse_merged(self, name: str) -> None:
        """Raise InputError for a cloud that has become one with a host or group of another inventory
        source.
        """
        refuse_merged(self._inventory, name)

    def of_whole_inventory(self) -> dict[str, Variables]:
        """The variables that each host has of its own, whatever the limit of the run, not
        templated.
        """
        return {name: host.vars for name, host in self._inventory.hosts.items()}

    @property
    def is_awx_job(self) -> bool:
        """Whether AWX has started the run, and so may have given it a slice of the inventory."""
        return "awx_job_id" in self._manager.extra_vars

    def templated(self, variables: Variables, names: t.Iterable[str]) -> Variables:
        """Those variables of these names that are set, templated, in plain types. Raises InputError
        for one that cannot be templated.
        """
        self._templar.available_variables = variables
        found: Variables = {}
        for name in names:
            if name in variables:
                try:
                    found[name] = self._templar.template(variables[name])
                except AnsibleError as error:
                    raise InputError(
                        f"The variable {name} has no value: {error}", "Correct it."
                    ) from error
        # Ansible's types carry tags, and decrypt vaulted values only when they are read.
        return t.cast(Variables, json.loads(json.dumps(found, default=str)))

    def with_values(self, variables: Variables, names: t.Iterable[str]) -> Variables:
        """The same, of which some cannot be templated, without these."""
        found: Variables = {}
        for name in names:
            with contextlib.suppress(InputError):
                found |= self.templated(variables, [name])
        return found

    def of_host(self, name: str, names: t.Iterable[str]) -> Variables:
        """Those variables of a host that are set, templated. An error names the host."""
        try:
            return self.templated(self.of(name), names)
        except InputError as error:
            raise InputError(f"{name}: {error.message}", error.remedy) from error

    def is_true(self, name: str, variable: str) -> bool:
        """Whether a variable of a host, which may be an answer of a survey, is true."""
        value = self.of_host(name, [variable]).get(variable)
        try:
            return value not in (None, "") and boolean(value)
        except TypeError:
            raise InputError(
                f"{name}: {variable} is {value!r}, which is neither true nor false.", "Correct it."
            ) from None

    def obstacle(self, variables: Variables, connection: str | None) -> str:
        """Why a module for this host would not run on this machine, as this user and with this
        Python, so that its cloud is left to tasks of its own; empty if it would.

        connection: of the play. Raises InputError for a setting that cannot be templated.
        """
        try:
            return self._obstacle(variables, connection)
        except AnsibleError as error:
            raise InputError(
                f"A connection setting of the host (ansible_*) has no value: {error}",
                "Correct it.",
            ) from error

    def _obstacle(self, variables: Variables, connection: str | None) -> str:
        template = self._templar.template
        self._templar.available_variables = variables
        used = str(template(variables.get("ansible_connection", connection)))
        interpreter = C.config.get_config_value("INTERPRETER_PYTHON", variables=variables)
        if interpreter == _IS_PLAYBOOK_PYTHON:  # to compile it for each host takes a millisecond
            interpreter = variables.get(_PLAYBOOK_PYTHON, interpreter)
        obstacles = {
            "a fork after boto3 is unsafe on this system": FORK_IS_UNSAFE,
            f"{SWITCH} is false": not boolean(template(variables.get(SWITCH, True)), strict=False),
            f"the connection is {used}": used.removeprefix("ansible.builtin.") != "local",
            "it becomes another user": boolean(
                template(variables.get("ansible_become", False)), strict=False
            ),
            "it has another Python": not is_this_python(str(template(interpreter))),
        }
        return next((why for why, applies in obstacles.items() if applies), "")
