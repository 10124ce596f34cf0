# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup plugin fleet_run_hosts."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_run_hosts
short_description: The hosts of a play after the fleet engine
version_added: 1.0.0
author: Rayfleet contributors (@rayfleet)
description:
  - For the C(hosts) of a play after M(rayfleet.anyscale.fleet_converge), M(rayfleet.anyscale.fleet_audit)
    or M(rayfleet.anyscale.fleet_rollback). Adds the hosts that the run leaves to the play to a group of the
    inventory, and returns the name of the group.
  - A group is used, because a list of names as the C(hosts) of a play is repeated in every event of AWX. It
    is made here, because M(ansible.builtin.add_host) has two events for each host.
  - The group is never empty, and at least one of its hosts has not failed, if there is one. Ansible skips a
    play without hosts, and a play in which all hosts fail ends the run.
options:
  _terms:
    description:
      - V(report) for the hosts that changed, would change or failed, at most 1,000 of the latter.
      - V(tasks) for the hosts that tasks of their own are to converge.
    type: str
    choices: [report, tasks]
    required: true
seealso:
  - plugin: rayfleet.anyscale.fleet_run
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Report
  hosts: "{{ query('rayfleet.anyscale.fleet_run_hosts', 'report') }}"
  connection: local
  gather_facts: false
  tasks:
    - name: Report the outcome of the cloud
      rayfleet.anyscale.fleet_outcome_info:
        run: "{{ lookup('rayfleet.anyscale.fleet_run').run }}"
"""

RETURN = r"""
_raw:
  description: A list with the name of the group as its only item.
  type: list
  elements: str
  sample: [fleet_0f3a9c41_report]
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.next_plays import (
    REPORT,
    TASKS,
    hosts_of_play,
)


class LookupModule(LookupBase):
    """Makes the group, and returns its name."""

    def run(
        self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[str]:
        """Add the hosts to the group in the process that starts the plays, which looks this up."""
        if terms not in ([REPORT], [TASKS]):
            raise AnsibleLookupError(f"Give {REPORT} or {TASKS}, not {', '.join(map(str, terms))}.")
        group, hosts = hosts_of_play(terms[0])
        if hosts:
            inventory = (variables or {})["hostvars"]._inventory
            inventory.add_group(group)
            for name in hosts:
                inventory.add_host(name, group)
        return [group]
