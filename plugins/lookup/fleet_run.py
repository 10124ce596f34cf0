# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup plugin fleet_run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: fleet_run
short_description: What the plays after the fleet engine need to know of its run
version_added: 1.0.0
author: Rayfleet contributors (@rayfleet)
description:
  - Returns the facts of the run that M(rayfleet.anyscale.fleet_converge), M(rayfleet.anyscale.fleet_audit)
    or M(rayfleet.anyscale.fleet_rollback) finished last in this run of Ansible.
  - They are read from a file in Ansible's temporary directory. A task that sets a fact would have events
    of its own in AWX, which every slice of a job would have again.
options:
  _terms:
    description: None. The lookup takes no terms.
seealso:
  - plugin: rayfleet.anyscale.fleet_run_hosts
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Report
  hosts: "{{ query('rayfleet.anyscale.fleet_run_hosts', 'report') }}"
  connection: local
  gather_facts: false
  vars:
    fleet_run: "{{ lookup('rayfleet.anyscale.fleet_run') }}"
  tasks:
    - name: Report the outcome of the cloud
      rayfleet.anyscale.fleet_outcome_info:
        run: "{{ fleet_run.run }}"
"""

RETURN = r"""
_raw:
  description:
    - A list with one dictionary. It is empty if no run has finished, as with C(--list-tasks).
    - C(run) is the RV(rayfleet.anyscale.fleet_selection_info#module:run) of the selection, and
      C(check_mode) says whether the outcomes are predicted.
    - After M(rayfleet.anyscale.fleet_converge), C(left_to_tasks) is how many hosts each batch has that
      is left to tasks of their own, and C(tolerated_percentage) the failures in a batch that do not end
      the rollout.
    - After M(rayfleet.anyscale.fleet_audit), C(hosts) are the selected hosts, and C(left) those of them
      that were not audited.
  type: list
  elements: dict
  sample: [{"run": "0f3a9c41", "check_mode": false, "left_to_tasks": [], "tolerated_percentage": 100.0}]
"""

import typing as t

from ansible.plugins.lookup import LookupBase

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.next_plays import (
    facts_of_run,
)


class LookupModule(LookupBase):
    """Returns the facts."""

    def run(
        self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[dict[str, t.Any]]:
        """Return them as the only item."""
        return [facts_of_run()]
