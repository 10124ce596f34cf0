#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback_plan_info
short_description: Find the backups of runs, and assign them to the hosts that can restore them
version_added: 0.2.0
description:
  - Reads the backups that the modules of this collection left on the controller, and returns for
    each host, which is a cloud, the documents that it is to restore with
    M(rayfleet.anyscale.backup_restore). Nothing is restored here.
  - A document is assigned to the first host whose variables of the role
    P(rayfleet.anyscale.cloud_iam#role) name it, as its role, its bucket or its compute config. A
    document that no host names is assigned to a host of the same AWS account, which can connect to
    that account. If there is none, the task fails.
  - The task requires C(run_once=true), which also gives its result to all hosts.
options:
  playbook:
    description:
      - The playbook of this collection that the task is the first one of. Its variables are validated before
        anything else, as by M(rayfleet.anyscale.playbook_variables_info).
    type: str
    version_added: 1.0.0
  run_ids:
    description:
      - The IDs of the runs to roll back, as in the names of their backups, in any order. A document that
        several of them wrote, such as the policy of a bucket that slices of a job share, gets the state
        before the first of them.
      - O(run_ids) and O(paths) are mutually exclusive. Without both, nothing is assigned, and RV(runs)
        are the last runs that left backups.
      - An empty O(run_ids), such as an unset variable of a pipeline, is an error. In a job of AWX, where
        it is a question of the survey that was left out, it is as if not set.
    type: list
    elements: str
    version_added: 1.0.0
  paths:
    description:
      - The backups to restore. A directory stands for all backups in it.
    type: list
    elements: path
  backup_dir:
    description:
      - The directory on the controller that contains the backups of O(run_ids), as an absolute path
        or one that begins with V(~). By default, the directory C(anyscale_backups) in
        E(ANSIBLE_HOME), which is V(~/.ansible) if not set.
    type: path
  only_named_documents:
    description:
      - Whether to restore only documents that the variables of a host name. The others are left
        out, with a warning. If that leaves none, the task fails.
    type: bool
    default: false
  fleet:
    description:
      - Hosts that are also clouds, in addition to those of the play. A document is not restored if
        their clusters would lose access by that, even though the run left no backup for them
        because the document was already in sync for them.
    version_added: 0.5.0
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.run_once
  - rayfleet.anyscale._attributes.info
attributes:
  diff_mode:
    description: The tasks that restore documents show the differences.
seealso:
  - module: rayfleet.anyscale.backup_restore
  - plugin: rayfleet.anyscale.run_id
    plugin_type: lookup
    description: Returns the ID of a run.
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Find the documents that a run replaced
  rayfleet.anyscale.rollback_plan_info:
    run_ids: ["4711"]
  run_once: true
  register: plan

- name: Restore them in their order
  rayfleet.anyscale.backup_restore:
    files: "{{ item.files }}"
    account_id: "{{ item.account_id | default(omit, true) }}"
    clouds: "{{ item.clouds if item.clouds is not none else omit }}"
    needed_by: "{{ item.needed_by }}"
    backup: true
  loop: "{{ plan.documents[inventory_hostname] | default([]) }}"
"""

RETURN = r"""
run:
  description: A name for this rollback, for a group of its hosts. Each task returns another one.
  returned: success
  type: str
  sample: 0f3a9c41
hosts:
  description: The hosts that have a document to restore.
  returned: success
  type: list
  elements: str
  sample: [vision-prod]
restored_for:
  description: The hosts in the play and O(fleet) that these documents were written for, or whose clusters
    need them.
  returned: success
  type: list
  elements: str
  sample: [vision-prod, vision-lab]
documents:
  description:
    - The documents of each host, in the order in which they are to be restored. C(step) is V(gives)
      for what gives roles something back, V(clusters) for compute configs and Cloud IAM mappings, and
      V(takes) for what takes something from roles. Hosts that share roles or buckets are to finish
      each step before the next. In a step, trust policies are first if they give something, else
      last, and of each kind the document that was written last comes first.
    - C(files) are the backups. C(needed_by) are clouds whose clusters would lose access.
    - With O(only_named_documents=true), C(clouds) are the IDs of the clouds of the play, else
      V(null). C(written_for) are those of the clouds that the document was written for, C(used_by)
      those of other clouds to roll back whose clusters need it until they are.
  returned: success
  type: dict
  sample:
    vision-prod:
      - resource: trust policy of arn:aws:iam::123456789012:role/ray-team-a
        kind: trust_policy
        step: takes
        account_id: "123456789012"
        clouds: null
        written_for: [cld_753dbc20747e0f54ff2e5338]
        used_by: []
        files:
          - /srv/anyscale_backups/20261124T101500-123456Z.4711.trust_policy.ray-team-a-0cc175b9c0f1.json
        needed_by: []
wait_seconds:
  description:
    - How long to wait between the documents of the first step and those of the last one. It is V(0)
      unless a role gets back one way to a bucket and loses another one, because a change of IAM does
      not count everywhere at once.
  returned: success
  type: int
  sample: 0
left_out:
  description: With O(only_named_documents=true), the documents that no host names.
  returned: success
  type: list
  elements: str
  sample: []
kept:
  description:
    - The instance profiles that the runs created, and the roles that they put into existing ones, from
      the records of the runs. Instances may be using them, so that they are kept.
    - C(clouds) are the IDs of the clouds that they were written for, as far as the records name them.
  returned: success
  type: list
  elements: dict
  sample:
    - resource: instance profile ray-team-a with role ray-team-a in account 123456789012
      clouds: [cld_1]
runs:
  description:
    - The last 20 runs that left backups in O(backup_dir), newest first, if neither O(run_ids) nor
      O(paths) is set.
    - C(time) is that of the first backup, in UTC. C(name) is what the run did, and empty if that is not
      recorded, as in backups of releases before 1.0.0. C(documents) are the numbers of documents by
      their kinds. C(rolled_back_by) are the runs that restored documents of it, and whose restorations
      were not rolled back themselves, newest first. C(restored) is how many these restored, and
      C(unreadable) the number of files that cannot be read.
  returned: success
  type: list
  elements: dict
  sample:
    - run_id: "4711"
      time: 2026-11-24 10:15
      name: onboard
      clouds: [vision-prod]
      documents: {trust_policy: 1, bucket_policy: 1}
      rolled_back_by: []
      restored: 0
      unreadable: 0
lines:
  description: The same as lines for people, and how many older runs there are.
  returned: success
  type: list
  elements: str
  sample:
    - "2026-11-24 10:15 UTC  4711; onboard; 1 cloud: vision-prod; 1 trust policy, 1 bucket policy"
"""
