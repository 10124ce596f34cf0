# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup plugin fleet_run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_run
short_description: The hosts that the next plays of a run of the fleet engine are for
version_added: 0.7.0
author: Rayfleet contributors (@rayfleet)
description:
  - Returns the hosts that a run of M(rayfleet.anyscale.fleet_converge) leaves to the next plays of
    a playbook, each with the group that it is to be added to.
  - The hosts of a play are passed as a group, because a list of names as the C(hosts) of a play is
    repeated in every event of AWX.
options:
  _terms:
    description: The RV(rayfleet.anyscale.fleet_selection_info#module:run) of the selection.
    type: str
    required: true
  standby:
    description: The selected hosts. If no host is left for a play, or all that are have failed, the
      first of them that has not failed is added. A play in which all hosts fail would end the run.
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Group the clouds for the next plays
  ansible.builtin.add_host:
    name: "{{ item.name }}"
    groups: "{{ item.group }}"
  loop: "{{ query('rayfleet.anyscale.fleet_run', selection.run, standby=selection.hosts) }}"
  run_once: true
  changed_when: false
"""

RETURN = r"""
_raw:
  description:
    - For each host its name and a group. The group C(fleet_<run>_tasks) has the hosts that tasks of
      their own are to converge, C(fleet_<run>_report) those that changed, would change or failed.
  type: list
  elements: dict
  sample: [{"name": "vision-prod", "group": "fleet_0f3a9c41_report"}]
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.next_plays import (
    hosts_of_next_plays,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder


class LookupModule(LookupBase):
    """Returns the hosts with their groups."""

    def run(
        self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[dict[str, str]]:
        """Return one item for each host and group."""
        self.set_options(var_options=variables, direct=kwargs)
        [run] = terms
        try:
            folder = RunFolder(str(run))
        except TaskError as error:
            raise AnsibleLookupError(error.failure()["msg"]) from None
        groups = hosts_of_next_plays(
            folder.read_outcomes(),
            folder.read("run", {}).get("left_to_tasks", []),
            self.get_option("standby"),
        )
        return [
            {"name": name, "group": f"fleet_{run}_{group}"}
            for group, names in groups.items()
            for name in names
        ]
