# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of the actions that run once for all hosts of a play, and tell a later play which of
them are its hosts.

This plugin util is private to the collection.
"""

from __future__ import annotations

import abc
import typing as t

from ansible.errors import AnsibleError
from ansible.inventory.manager import split_host_pattern
from ansible.plugins.action import ActionBase

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError

Json = dict[str, t.Any]


class FleetAction(ActionBase):
    """An action for all hosts of a batch. A subclass has the rules for its arguments, as
    AnsibleModule takes them.
    """

    BYPASS_HOST_LOOP = True
    _supports_check_mode = True
    _requires_connection = False
    rules: t.ClassVar[Json]
    # The variable with the hosts that it runs for.
    hosts_variable: t.ClassVar[str] = "ansible_play_batch"

    def run(self, tmp: None = None, task_vars: Json | None = None) -> Json:
        """Validate the arguments, and run for all hosts. Bad input fails the task with its remedy."""
        variables = task_vars or {}
        result = super().run(tmp, variables)
        _validation, arguments = self.validate_argument_spec(**self.rules)
        names = list(variables[self.hosts_variable])
        refuse_patterns(names)
        try:
            return {
                **result,
                "changed": False,
                **self.run_for(names, variables["hostvars"], arguments),
            }
        except TaskError as error:
            raise AnsibleError(error.failure()["msg"]) from error

    @abc.abstractmethod
    def run_for(self, names: list[str], hostvars: t.Any, arguments: Json) -> Json:
        """The result. ``hostvars``: the variables of each host, which take milliseconds to gather."""


def refuse_patterns(names: t.Iterable[str]) -> None:
    """Raise for a name that Ansible reads as something else where it is to be a play's host: its
    cloud would be left out, unsaid.

    One that looks like a glob, a range or a regular expression is no such name: a host of exactly
    that name comes before these.
    """
    for name in names:
        if name[0] in "!&" or split_host_pattern(name) != [name]:
            raise AnsibleError(
                f"Host {name!r} has a name that Ansible reads as a pattern. Rename it in the "
                "inventory."
            )


def host_variable(known: t.Mapping[str, t.Any], variable: str) -> t.Any:
    """A host's variable. One that cannot be templated tells nothing here, and fails where it is
    needed.
    """
    try:
        return known.get(variable)
    except AnsibleError:
        return None
