#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rollback_plan
short_description: Find the backups of a run, and share them out among the hosts that can put them
  back
version_added: 0.2.0
description:
  - Reads the backups that the modules of this collection left on the controller, and tells for each
    host, which is a cloud, the documents that it is to put back with
    M(rayfleet.anyscale.backup_restore). Nothing is put back here.
  - A document goes to the first host whose own it is by the variables of the role
    P(rayfleet.anyscale.cloud_iam#role), its role, its bucket or its compute config. One that is
    nobody's own goes to a host of the same AWS account, which has a connection to it; where there
    is none, the task fails.
  - The task needs C(run_once=true), which is what gives its result to all hosts.
options:
  run_id:
    description:
      - The run to put back, as it is called in the names of its backups.
      - Exactly one of O(run_id) and O(paths) is required.
    type: str
  paths:
    description:
      - The backups to put back. A folder stands for all backups in it.
    type: list
    elements: path
  backup_dir:
    description:
      - The folder on the controller in which the backups of O(run_id) are, an absolute path or one
        that begins with V(~).
    type: path
    default: ~/.ansible/anyscale_backups
  own:
    description:
      - Whether only documents are put back that are a host's own. The others are left out, which a
        warning says; where that is all of them, the task fails.
    type: bool
    default: false
  fleet:
    description:
      - Hosts that are clouds as well, besides those of the play. What their clusters run with is
        not to be lost by what is put back, though there is no backup of theirs, since the run, or a
        later one, found it right already.
    version_added: 0.5.0
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    description: Changes nothing, in check mode or out of it.
  diff_mode:
    support: none
    description: The tasks that put documents back show the differences.
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
  - module: rayfleet.anyscale.backup_restore
  - plugin: rayfleet.anyscale.run_id
    plugin_type: lookup
    description: What runs are called.
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Find out what a run replaced
  rayfleet.anyscale.rollback_plan:
    run_id: "4711"
  run_once: true
  register: plan

- name: Put it back, compute configs first and trust policies last
  rayfleet.anyscale.backup_restore:
    files: "{{ item.files }}"
    account_id: "{{ item.account_id | default(omit, true) }}"
    clouds: "{{ item.clouds if item.clouds is not none else omit }}"
    backup: true
  loop: "{{ plan.documents[inventory_hostname] | default([]) }}"
"""

RETURN = r"""
hosts:
  description: The hosts that have anything to put back.
  returned: success
  type: list
  elements: str
  sample: [vision-prod]
documents:
  description:
    - The documents of each host, first compute configs, then bucket policies, then trust policies;
      of a kind, the one that was written last first. With O(own=true), their C(clouds) are the ids
      of the clouds of the play, for M(rayfleet.anyscale.backup_restore).
  returned: success
  type: dict
  sample:
    vision-prod:
      - resource: trust policy of arn:aws:iam::123456789012:role/ray-team-a
        kind: trust_policy
        account_id: "123456789012"
        clouds: null
        files:
          - /srv/anyscale_backups/20261124T101500-123456Z.4711.trust_policy.ray-team-a-0cc175b9c0f1.json
left_out:
  description: The documents that are no host's own, with O(own=true).
  returned: success
  type: list
  elements: str
  sample: []
"""
