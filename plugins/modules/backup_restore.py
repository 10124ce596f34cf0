#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_restore
short_description: Put a trust policy, bucket policy or compute config back as it was before a run
version_added: 0.2.0
description:
  - Takes the backups that a run left of one document, and makes the live document what it was
    before the first of them.
  - A policy is replaced as a whole; a bucket policy that was not there is deleted. Of a compute
    config, whose versions are immutable, the version before is published as a new one; one that was
    not there is archived. An instance profile is never deleted.
  - It is refused where the live document is none that the run found or left, or where somebody else
    wrote to it between two tasks of the run, since what others wrote would be lost. O(force) does
    it all the same.
  - Nothing is written, and no permission to write is needed, where the document is what it was
    already.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._anyscale
  - rayfleet.anyscale._backup
options:
  files:
    description:
      - The backups of one document, as the O(ignore:backup) of the other modules writes them. Their
        order is that of their names, which begin with the time.
      - A file that others than its owner can write to, or that belongs to another user, is refused.
    type: list
    elements: path
    required: true
  force:
    description:
      - Whether the document is put back also where others have changed it since, or where it was
        written for others than O(clouds), or where others need it. What they wrote is lost then.
    type: bool
    default: false
  clouds:
    description:
      - The ids of the clouds to put the document back for. A bucket policy, or a role's trust
        policy, that was written for other clouds as well is refused, since their clusters would
        lose what they run with.
      - Where a backup does not say which cloud it was written for, as those of earlier releases,
        there is a warning.
      - Without it, for whom the document was written does not matter.
    version_added: 0.3.0
    type: list
    elements: str
  needed_by:
    description:
      - Who would lose by it, though no backup tells. If there is anybody, the document is put back
        only with O(force).
      - M(rayfleet.anyscale.rollback_plan) finds the clouds of an inventory of which that is true.
    version_added: 0.5.0
    type: list
    elements: str
seealso:
  - module: rayfleet.anyscale.rollback_plan
    description: Finds the backups of a run.
  - module: rayfleet.anyscale.iam_trust_ec2
  - module: rayfleet.anyscale.s3_cloud_access
  - module: rayfleet.anyscale.compute_config_profile
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Let EC2 assume the role, and keep what was there
  rayfleet.anyscale.iam_trust_ec2:
    role: ray-team-a
    backup: true
  register: trust

- name: Show what putting it back would change
  rayfleet.anyscale.backup_restore:
    files: ["{{ trust.backup_file }}"]
  check_mode: true
  diff: true
  when: trust is changed

- name: Put a bucket policy back, whoever has changed it since
  rayfleet.anyscale.backup_restore:
    files:
      - ~/.ansible/anyscale_backups/20261124T101500-123456Z.4711.bucket_policy.anyscale-prod-5d41402abc4b.json
    force: true
    backup: true
"""

RETURN = r"""
reasons:
  description:
    - Why the document differed from the one before the run. Empty where nothing changed.
    - V(changed_since_backup), there was another one; V(added_since_backup), there was none;
      V(removed_since_backup), there was one, and there is none any more.
  type: list
  elements: str
  returned: success
  sample: [changed_since_backup]
document:
  description:
    - The whole document, as it is now or, in check mode, as it would be. V(null) where there is
      none. A compute config is shown in a normal form.
  type: dict
  returned: success
previous:
  description: The whole document before. V(null) where there was none.
  type: dict
  returned: changed
compute_config:
  description: The version for clusters to use, as V(name:version). V(null) where none is left to
    use.
  type: str
  returned: where the document is a compute config
  sample: team-a:5
backup_file:
  description: The file with the document before and the one now; the last one, where it was
    replaced more than once.
  type: str
  returned: changed, with O(backup=true)
  sample: >-
    /home/ops/.ansible/anyscale_backups/20261124T111500-654321Z.4712.trust_policy.ray-team-a-0cc175b9c0f1.json
error:
  description: What to branch on after a failure.
  type: dict
  returned: failure, where there is more than a message
  contains:
    operation:
      description: The AWS operation that failed.
      type: str
      sample: PutBucketPolicy
    code:
      description: AWS's error code.
      type: str
      sample: AccessDenied
    request_id:
      description: AWS's request id, for a support case.
      type: str
    method:
      description: The HTTP method of the call to Anyscale that failed.
      type: str
      sample: POST
    path:
      description: Its path.
      type: str
      sample: /api/v2/compute_templates/
    status:
      description: The HTTP status of the answer.
      type: int
      sample: 403
    trace_id:
      description: Anyscale's trace id, for a support case.
      type: str
    principals:
      description: The unique ids of deleted principals that the policy names.
      type: list
      elements: str
    written:
      description: What had been written by then. Without it, nothing that is known of.
      type: list
      elements: str
      sample: ["policy of bucket anyscale-production-data"]
    backup_file:
      description: The file with what was replaced by then.
      type: str
      sample: >-
        /home/jo/.ansible/anyscale_backups/20270105T090000-000000Z.4711.trust_policy.ray-team-a-5d41402abc4b.json
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.restore import Task
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import run_module


def main() -> None:
    """Run as a module."""
    run_module(Task)


if __name__ == "__main__":
    main()
