#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: awx_report_info
short_description: Add up what the jobs of an AWX workflow published
version_added: 1.0.0
description:
  - Adds up the artifacts that the playbooks C(audit) and C(onboard) publish, step by step, and
    displays the sums, the clouds that failed, where the reports are and how to undo what was changed,
    as they stand.
  - AWX passes the artifacts of earlier jobs to a job as variables. If two artifacts have the same
    name, only one of them is passed. The playbooks therefore include the ID of the job in the name,
    which is different for each slice of a job.
options:
  artifacts:
    description:
      - The artifacts by name.
    type: dict
    required: true
  required_steps:
    description:
      - The steps that must have published counts without failed clouds. See RV(problems).
    type: list
    elements: str
    default: []
  slices:
    description:
      - The number of slices of the step C(onboard), of which AWX
        makes no more than the inventory has hosts. A slice that published nothing is a problem, since
        it may have changed clouds before it timed out or was canceled.
    type: int
    default: 1
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.run_once
  - rayfleet.anyscale._attributes.info
seealso:
  - module: rayfleet.anyscale.fleet_summary_info
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Add up what all earlier jobs of the workflow published
  rayfleet.anyscale.awx_report_info:
    artifacts: "{{ dict(names | zip(query('ansible.builtin.vars', *names))) }}"
    required_steps: [onboard canary, onboard]
  vars:
    names: "{{ query('ansible.builtin.varnames', '^anyscale_(audit|onboard)_[0-9]+$') }}"
  run_once: true
  register: report
"""

RETURN = r"""
steps:
  description: For each step the number of its jobs, the sums of their counts, the clouds that failed
    in any of them, and those of these of which a part was written, the runs that replaced documents, and
    the reports of audits. They are in the order of their jobs.
  returned: success
  type: dict
  sample:
    onboard:
      jobs: 4
      counts: {"selected": 500, "changed": 12, "in_sync": 487, "failed": 1, "not_reached": 0, "deferred": 0}
      failed_clouds: [vision-lab]
      written_in_part: []
      runs: ["4711", "4712"]
      reports: []
lines:
  description: What the task displays.
  returned: success
  type: list
  elements: str
  sample: ["onboard (4 jobs): 500 selected, 12 changed, 1 failed, 487 in sync", "  Failed: vision-lab"]
problems:
  description: A message for each required step in which clouds failed, or of which no job published
    its counts, and one for missing slices.
  returned: success
  type: list
  elements: str
  sample: ["1 cloud failed in step onboard."]
"""
