#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_summary_info
short_description: Summarize a run of a playbook over many clouds
version_added: 0.7.0
description:
  - Counts the outcomes of all selected clouds, those in sync included, which are not in Ansible's
    own recap.
  - Displays the counts, the clouds that failed, were not reached or are not permitted, and how to go
    on, as they stand.
  - Publishes the counts for the next jobs of a workflow of AWX.
  - Fails for an audit of too few clouds, see
    RV(rayfleet.anyscale.audit_report#module:too_few_clouds), as its last task.
  - The task requires C(run_once=true), which also gives its result to all hosts.
options:
  run:
    description:
      - The RV(rayfleet.anyscale.fleet_selection_info#module:run) of the selection.
    type: str
    required: true
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.run_once
  - rayfleet.anyscale._attributes.info
seealso:
  - module: rayfleet.anyscale.fleet_converge
  - module: rayfleet.anyscale.awx_report_info
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Summarize the run
  rayfleet.anyscale.fleet_summary_info:
    run: "{{ lookup('rayfleet.anyscale.fleet_run').run }}"
  run_once: true
  register: summary

- name: Show which clouds changed and why
  ansible.builtin.debug:
    msg: "{{ summary.lines }}"
  run_once: true
"""

RETURN = r"""
counts:
  description: How many clouds have which outcome. C(changed) counts predicted changes as well, and
    C(selected) all but those that are C(not_permitted), because the fleet file does not cover them.
  returned: success
  type: dict
  sample: {"selected": 500, "changed": 1, "failed": 1, "not_reached": 0, "in_sync": 498, "deferred": 0,
    "not_permitted": 0}
failed_clouds:
  description: The clouds that failed.
  returned: success
  type: list
  elements: str
  sample: [vision-lab]
lines:
  description: The summary for people, with one line for each of the first 200 clouds that were not
    in sync, and the command that restores what was replaced.
  returned: success
  type: list
  elements: str
  sample: ["1 changed, 498 in sync, 1 failed", "vision-prod changed: ec2_trust_missing"]
lines_to_add:
  description: What to add to the fleet file for the clouds that it does not cover, as YAML to be
    merged into its sections C(allow) and C(clouds). The task prints it as it stands. Empty if it
    covers all.
  returned: success
  type: str
  sample: ""
ansible_stats:
  description: What the task publishes, as M(ansible.builtin.set_stats) does, for the next jobs of a workflow
    of AWX. C(data) has the counts and the failed clouds with the name of the step, by a name with the ID of
    the job. The jobs of a workflow are added up from it. C(written_in_part) are the failed clouds of
    which a part was written, and C(runs) the IDs of the backups of the run. Those of an audit are published
    by M(rayfleet.anyscale.audit_report).
  returned: success, for a run that is no audit
  type: dict
  sample:
    data:
      anyscale_onboard_4711:
        {"step": "onboard", "counts": {"selected": 500}, "failed_clouds": [vision-lab],
          "written_in_part": [], "runs": ["4711"]}
    per_host: false
    aggregate: true
"""
