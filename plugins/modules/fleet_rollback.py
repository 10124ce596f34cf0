#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_rollback
short_description: Restore the documents of a run for many Anyscale clouds in one process
version_added: 1.0.0
description:
  - Restores the documents that M(rayfleet.anyscale.rollback_plan_info) has assigned to hosts, each as
    M(rayfleet.anyscale.backup_restore) does, in one process and by threads. It is the task of the
    playbook C(rayfleet.anyscale.rollback).
  - All documents are read and decided before the first write. A cloud of which one document is refused,
    for example because it was changed since, is not rolled back at all, and neither are the clouds that
    share one of the documents to restore with it, or of which one would take from a role what its
    clusters need. At each write it is decided once more, under the lock
    of the document. After a refusal or a failure there, nothing more is written of these clouds.
  - First, all that gives roles something is restored, then compute configs and Cloud IAM mappings, and
    at last what takes something from roles. Within each of these, documents of one kind are restored at
    the same time.
  - Each restored document is backed up, so that the rollback can be rolled back.
  - The task does not fail for what happens to a cloud. M(rayfleet.anyscale.fleet_outcome_info) returns
    the outcome of each cloud, and fails for those that failed.
  - The connection of each host to AWS and Anyscale is that of its variables C(cloud_iam_*).
    C(module_defaults) and C(environment) are not used.
  - If the run is interrupted, nothing further is written, and what is being written is finished, which
    takes ten seconds at most. Another rollback of the same run continues.
  - The task requires C(run_once=true).
requirements:
  - boto3 (on the controller)
options:
  plan:
    description:
      - The result of M(rayfleet.anyscale.rollback_plan_info).
    type: dict
    required: true
  force:
    description:
      - Whether to restore documents that are refused otherwise, see
        O(rayfleet.anyscale.backup_restore#module:force).
    type: bool
    default: false
  accept_unsigned:
    description:
      - Whether to restore documents from backups that are not signed with the key or were changed
        since, see O(rayfleet.anyscale.backup_restore#module:accept_unsigned).
    type: bool
    default: false
  mode:
    description:
      - V(check) only predicts, as C(--check) does.
    type: str
    choices: [check, apply]
    default: apply
  threads:
    description:
      - How many documents are read or written at the same time.
    type: int
    default: 16
  max_fail_percentage:
    description:
      - If more than this percentage of the clouds is refused, nothing is written.
    type: float
    default: 100.0
  confirm:
    description:
      - Whether to read restored policies again eight seconds after the last write, when another
        controller has written what it had planned before, and restored what it took for lost. If it
        took back what was restored, the clouds fail, and what it wrote stays.
    type: bool
    default: true
    version_added: 1.0.0
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.run_once
attributes:
  check_mode:
    support: full
    description: The documents are read, and nothing is written.
  diff_mode:
    support: full
    description: M(rayfleet.anyscale.fleet_outcome_info) returns the differences.
seealso:
  - module: rayfleet.anyscale.rollback_plan_info
  - module: rayfleet.anyscale.backup_restore
  - module: rayfleet.anyscale.fleet_outcome_info
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Find the documents that a run replaced
  rayfleet.anyscale.rollback_plan_info:
    run_id: "4711"
  run_once: true
  register: plan

- name: Restore them
  rayfleet.anyscale.fleet_rollback:
    plan: "{{ plan }}"
  run_once: true

- name: Return the outcome of each cloud
  rayfleet.anyscale.fleet_outcome_info:
    run: "{{ plan.run }}"
"""

RETURN = r"""
counts:
  description: How many clouds have which outcome, as M(rayfleet.anyscale.fleet_outcome_info) returns it.
  returned: success
  type: dict
  sample: {changed: 3, failed: 1}
"""
