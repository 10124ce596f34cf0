# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter plugin onboard_outcome."""

from __future__ import annotations

DOCUMENTATION = r"""
name: onboard_outcome
short_description: Summarize an onboarding
version_added: 0.4.0
author: Rayfleet contributors (@rayfleet)
description:
  - Summarizes what the playbook C(onboard) did, for its report and its artifacts.
positional: _input, hostvars, failed
options:
  _input:
    description:
      - The result of M(rayfleet.anyscale.fleet_plan_info), or an empty dictionary if no cloud was
        selected.
    type: dict
    required: true
  hostvars:
    description:
      - The variables of all hosts, including those that tasks of the playbook registered.
    type: dict
    required: true
  failed:
    description:
      - The hosts for which a task failed.
    type: list
    elements: str
    required: true
seealso:
  - module: rayfleet.anyscale.fleet_plan_info
  - plugin: rayfleet.anyscale.merge_artifacts
    plugin_type: filter
    description: Adds up the counts of the slices of a job.
"""

EXAMPLES = r"""
- name: Show how many clouds changed
  ansible.builtin.debug:
    msg: "{{ (onboard_plan | rayfleet.anyscale.onboard_outcome(hostvars, failed)).counts.changed }}"
  vars:
    failed: "{{ ansible_play_hosts_all | difference(ansible_play_hosts) }}"
  run_once: true
"""

RETURN = r"""
_value:
  description:
    - The counts, the failed clouds, the outcome of each cloud that was not in sync, and the
      directories of the backups with the ID of their run.
  type: dict
  sample:
    counts: {"selected": 500, "changed": 1, "in_sync": 498, "failed": 1, "not_reached": 0, "deferred": 0}
    failed_clouds: [vision-lab]
    clouds:
      vision-lab: {"state": "failed", "msg": "Role vision-lab-ray does not exist in account 222222222222."}
      vision-prod: {"state": "changed", "reasons": ["ec2_trust_missing"], "overwritten": false}
    backups: [{"folder": "/home/jo/.ansible/anyscale_backups", "run": "21333zt9ae9x8"}]
"""

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.summary import outcome


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        """Return the filter by its name."""
        return {"onboard_outcome": outcome}
