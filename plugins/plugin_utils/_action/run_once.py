# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base of the actions that run once for all hosts of a play, and return the hosts of a later
play.

This plugin util is private to the collection.
"""

from __future__ import annotations

import abc
import typing as t

from ansible.errors import AnsibleError
from ansible.inventory.manager import split_host_pattern
from ansible.plugins.action import ActionBase

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    TaskError,
    for_reader,
    naming_variables,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars
from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import JOB_OF_AWX
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.environment import (
    configured_home,
    with_environment,
)

Json = dict[str, t.Any]


class FleetAction(ActionBase):
    """An action for all hosts of a batch. A subclass defines the rules for its arguments, in the
    format of AnsibleModule.
    """

    BYPASS_HOST_LOOP = True
    _supports_check_mode = True
    _requires_connection = False
    rules: t.ClassVar[Json]
    # The variable with the hosts that it runs for.
    hosts_variable: t.ClassVar[str] = "ansible_play_batch"

    def run(self, tmp: None = None, task_vars: Json | None = None) -> Json:
        """Validate the arguments, and run for all hosts. Invalid input fails the task."""
        variables = task_vars or {}
        result = super().run(tmp, variables)
        _validation, arguments = self.validate_argument_spec(**self.rules)
        names = list(variables[self.hosts_variable])
        refuse_patterns(names)
        with naming_variables(JOB_OF_AWX in variables):
            return {**result, "changed": False, **self._found(names, variables, arguments)}

    def _found(self, names: list[str], variables: Json, arguments: Json) -> Json:
        """What ``run_for`` returns, with its warnings as they are displayed."""
        try:
            with with_environment(configured_home()):
                found = self.run_for(names, variables["hostvars"], arguments)
        except TaskError as error:
            raise AnsibleError(error.failure()["msg"]) from None
        warnings = (escape_control_chars(for_reader(text)) for text in found.get("warnings", ()))
        return {**found, "warnings": list(warnings)}

    @abc.abstractmethod
    def run_for(self, names: list[str], hostvars: t.Any, arguments: Json) -> Json:
        """Return the result. ``hostvars``: variables by host; each access takes milliseconds."""


def refuse_patterns(names: t.Iterable[str]) -> None:
    """Raise for a host name that Ansible reads as a pattern in the ``hosts`` of a play, because its
    cloud would be left out silently.

    A name that looks like a glob, a range or a regular expression is allowed, because Ansible
    prefers a host of exactly that name.
    """
    for name in names:
        if name[0] in "!&" or split_host_pattern(name) != [name]:
            raise AnsibleError(
                f"Host {name!r} has a name that Ansible reads as a pattern. Rename it in the "
                "inventory."
            )


def host_variable(known: t.Mapping[str, t.Any], variable: str) -> t.Any:
    """A host's variable, or ``None`` if it cannot be templated. It fails the task that needs it."""
    try:
        return known.get(variable)
    except AnsibleError:
        return None
