#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_selection
short_description: Tell which clouds of a play are meant, by account, region and name
version_added: 0.4.0
description:
  - Takes the answers of a survey, validates them, and tells which hosts of the batch they mean. A
    host is one that all of O(accounts), O(regions) and O(clouds) mean.
  - It does for a job of AWX what a limit does elsewhere. A limit that leaves nothing of a slice
    makes AWX fail the whole sliced job, whereas a play for none of the slice's hosts just ends.
  - The task needs C(run_once=true), which is what gives its result to all hosts.
options:
  accounts:
    description:
      - AWS accounts. A host's account is C(cloud_iam_account_id), else that of the ARN in
        C(cloud_iam_role). A host of which it is not known is left out, with a warning.
      - In this and the next two, a text is split at commas, and nothing means all hosts.
    type: list
    elements: str
    default: []
  regions:
    description:
      - Regions, as in C(cloud_iam_region).
    type: list
    elements: str
    default: []
  clouds:
    description:
      - Names of hosts, in which C(*) stands for any text and C(?) for any character. Those that
        begin with C(!) leave hosts out.
    type: list
    elements: str
    default: []
  required:
    description:
      - Whether it is an error to choose nothing.
    type: bool
    default: false
  may_be_empty:
    description:
      - Whether it is no error if no host is meant, as in one slice of many.
    type: bool
    default: false
attributes:
  check_mode:
    support: full
    description: Changes nothing, in check mode or out of it.
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
  platform:
    support: full
    platforms: posix
    description: Runs on the controller.
  action:
    support: full
    description: Runs on the controller.
  bypass_host_loop:
    support: full
    description: Runs once for the batch. The strategies P(ansible.builtin.free#strategy) and
      P(ansible.builtin.host_pinned#strategy) refuse it.
seealso:
  - module: rayfleet.anyscale.fleet_plan
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Choose
  rayfleet.anyscale.fleet_selection:
    accounts: "{{ fleet_accounts | default([]) }}"
    clouds: vision-*, !vision-lab
  run_once: true
  register: selection

- name: Remember one of those that are meant, since each of them knows all
  ansible.builtin.add_host:
    name: "{{ selection.hosts[0] }}"
    groups: selected
  when: selection.hosts | length > 0
  changed_when: false

# Then, after this play:
- name: Look only at those
  hosts: "{{ hostvars[groups.selected[0]].selection.hosts if 'selected' in groups else 'all:!all'
    }}"
  connection: local
  gather_facts: false
  tasks:
    - name: Look at the cloud
      ansible.builtin.import_role:
        name: rayfleet.anyscale.cloud_iam
        tasks_from: info
"""

RETURN = r"""
hosts:
  description: The hosts that are meant, in the order of the inventory. A play can have them as its
    C(hosts).
  returned: success
  type: list
  elements: str
  sample: [vision-dev, vision-prod]
total:
  description: Of how many.
  returned: success
  type: int
  sample: 12
"""
