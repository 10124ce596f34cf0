#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_converge
short_description: Converge the IAM set-up of many Anyscale clouds in one process
version_added: 0.7.0
description:
  - Does for many hosts, each of which is a cloud, what the role P(rayfleet.anyscale.cloud_iam#role)
    does for one, in one process and by threads. The variables of the role mean the same. It is the
    task of the playbooks C(rayfleet.anyscale.onboard) and C(rayfleet.anyscale.offboard).
  - All clouds of a batch are planned before anything is written. A cloud of which one step would be
    refused is not changed at all. A role or a bucket that several clouds share is read, planned and
    written once for all clouds of the batch.
  - Written policies are read back after three seconds, in which another controller, which shares no
    locks with this one, has written what it had planned before. What was overwritten is restored,
    up to three times.
  - With O(rings), O(canary_percent) or O(serial), the clouds that need changes are converged in batches,
    one after the other. All hosts are planned before the first batch, and those of a batch again before it
    begins.
  - In a run that M(rayfleet.anyscale.fleet_healing) has begun, it is asked before each write whether the
    run still has the clouds. Nothing more is written for a host that was offboarded or rolled back
    meanwhile, or that another run has taken, and it fails.
  - The task requires C(run_once=true).
  - The task does not fail for what happens to a cloud, so that the run continues for the others.
    M(rayfleet.anyscale.fleet_outcome_info) returns the outcome of each cloud, and fails for those
    that failed.
  - Hosts whose modules would not run on the controller, as the same user and with the same Python,
    are left to tasks of their own, see P(rayfleet.anyscale.fleet_run_hosts#lookup). With
    O(state=absent), one that has the same role as another host is refused together with it, since
    these tasks would take the role's access also if the other one fails.
  - C(module_defaults) and C(environment) are not used. Each connection option has a variable
    instead.
  - Tags of the command line choose the parts V(trust), V(bucket) and V(compute_config). Another tag
    is an error, because the run would do nothing.
  - If the run is interrupted, nothing further is written, and what is being written is finished,
    which takes ten seconds at most. Another run continues.
requirements:
  - boto3 (on the controller)
options:
  run:
    description:
      - The RV(rayfleet.anyscale.fleet_selection_info#module:run) of the selection.
    type: str
    required: true
  hosts:
    description:
      - The hosts to converge, of those of the play.
    type: list
    elements: str
    required: true
  refused:
    description:
      - Hosts that fail without being read, each with the message.
    type: dict
    default: {}
  state:
    description:
      - V(present) gives the roles what clusters need. V(absent) removes it again, in reverse order.
    type: str
    choices: [present, absent]
    default: present
  mode:
    description:
      - V(check) only predicts, as C(--check) does.
    type: str
    choices: [check, apply]
    default: apply
  engine:
    description:
      - V(false) leaves all hosts to tasks of their own.
    type: bool
    default: true
  step:
    description:
      - What the run is called in the list of runs that can be rolled back, and in the artifact of a job
        of AWX.
      - By default, C(onboard), C(onboard canary) with O(only=canary), or C(offboard) with O(state=absent).
    type: str
    version_added: 1.0.0
  tasks_follow:
    description:
      - Whether the playbook has tasks for the hosts that are left to them. With V(false), these hosts
        fail, and their message says why they need such tasks.
    type: bool
    default: true
    version_added: 1.0.0
  threads:
    description:
      - How many resources are read or written at the same time. In one AWS account, at most eight
        calls are made at the same time, of them four that write to IAM, and fewer while AWS
        throttles them.
    type: int
    default: 16
  bulk_reads:
    description:
      - Whether roles, policies and instance profiles are read in pages with
        C(iam:GetAccountAuthorizationDetails), where that takes fewer calls. Credentials without
        this permission read them one by one.
    type: bool
    default: true
  confirm:
    description:
      - Whether written policies are read back once another writer that does not use the same locks
        has had the time to overwrite them, which takes three seconds per batch, or with O(state=absent)
        eight. Otherwise they are read back at once.
    type: bool
    default: true
  rings:
    description:
      - The rings of a rollout, in order. The ring of a host is its variable C(anyscale_ring). Hosts
        without a ring in this list come last.
      - A ring that no host of the whole inventory has is an error, and in a job of AWX, which may be a
        slice of the inventory, a warning.
    type: list
    elements: str
    default: []
  canary_percent:
    description:
      - The size of the canary in percent of the hosts that need changes, rounded up to whole hosts.
        The canary is a batch of its own, which comes first. Its hosts are taken from the first
        ring, then from the next, and so on; within a ring by name, so that they are the same whatever
        the order of the inventory.
    type: int
    default: 0
  only:
    description:
      - V(canary) converges only the hosts of the canary.
    type: str
    choices: [all, canary]
    default: all
  serial:
    description:
      - The maximum size of a batch. If not set, the canary and each ring are one batch each.
      - With O(state=absent), hosts that have the same role are in one batch, however many they are, in
        that of the last of them. If some of them are not to be in this run, none is.
    type: int
  max_fail_percentage:
    description:
      - If more hosts of a batch fail, no further batch is converged. If not set, V(0) with
        O(rings) or O(canary_percent), else V(100).
    type: float
  plan_file:
    description:
      - The path of a plan file. A relative one starts at the directory in which Ansible runs.
      - In check mode the file is written, with its mode set to C(0600), and beside it a summary in
        Markdown, whose name ends in C(.md). It keeps names and keyed digests and no documents. A plan
        file that is there already is replaced; any other file is an error.
      - Otherwise a host fails if it needs a change that the plan does not show for it, from a
        document that is as it was, and nothing else is written. The file permits nothing that is not
        permitted without it.
      - It is signed with the key for backups. Where it is applied on another machine than the one
        that made it, set C(cloud_iam_backup_key) to the same key on both. A file that was edited, or
        signed with another key, is an error before anything is read.
      - Each change of a plan is made once. It is recorded beside the backups, in the file
        C(applied_plans.jsonl) of C(cloud_iam_backup_dir), when the document is written. A host fails
        if it needs the same change again, because a run was rolled back or another writer changed the
        document. What an interrupted run has not written, the next run with the same file does.
      - All hosts must be converged by the engine. It cannot be combined with O(engine=false) or
        O(state=absent).
    type: str
    version_added: 1.0.0
  plan_max_age_hours:
    description:
      - How many hours after it was made a plan file can be applied. An older one is an error before
        anything is read.
    type: int
    default: 168
    version_added: 1.0.0
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.run_once
attributes:
  check_mode:
    support: full
    description: Predicts the outcomes without changing anything.
  diff_mode:
    support: full
    description: The differences are part of the outcome of each cloud.
  idempotent:
    support: full
    description: When run twice in a row, the second run changes nothing.
seealso:
  - module: rayfleet.anyscale.fleet_selection_info
  - module: rayfleet.anyscale.fleet_outcome_info
  - module: rayfleet.anyscale.fleet_summary_info
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Select clouds
  rayfleet.anyscale.fleet_selection_info:
    regions: us-west-2
  run_once: true
  register: selection

- name: Converge them
  rayfleet.anyscale.fleet_converge:
    run: "{{ selection.run }}"
    hosts: "{{ selection.hosts }}"
    canary_percent: 5
  run_once: true

- name: Summarize the run
  rayfleet.anyscale.fleet_summary_info:
    run: "{{ selection.run }}"
  run_once: true
  register: summary

- name: Show which clouds changed and why
  ansible.builtin.debug:
    var: summary.lines
  run_once: true
"""

RETURN = r"""
counts:
  description: How many hosts have which outcome of the plan. Those that are C(pending) need changes.
  returned: success
  type: dict
  sample: {"pending": 12, "in_sync": 488, "failed": 0, "deferred": 0}
batches:
  description: The number of batches.
  returned: success
  type: int
  sample: 1
stopped:
  description: Whether too many hosts have failed.
  returned: success
  type: bool
  sample: false
"""
