#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: backup_restore
short_description: Restore a policy, compute config or Cloud IAM mapping to its state before a run
version_added: 0.2.0
description:
  - Reads the backups that a run left of one document, and restores the document to its state before
    the first of them.
  - A policy is replaced as a whole. A bucket policy or an inline policy of a role that did not exist
    before is deleted. A managed policy that was attached to a role is detached, and the other way
    round. Versions
    of a compute config are immutable, so the content of the earlier version is published as a new
    one; a compute config that did not exist before is archived. An instance profile is never
    deleted. Of the config of a cloud resource, the rules and the fallback rule of its Cloud IAM
    mapping are restored.
  - The module fails if the live document is neither one that the run found nor one that it wrote,
    or if another writer changed it between two tasks of the run, because the change of that writer
    would be lost. The same holds for a version of a compute config that another writer published
    just before that of the run. O(force) overrides this. If it was other runs of this collection, the
    error names them, and the backups to add to O(files).
  - It also fails if a backup is not signed with O(backup_key), or was changed since. The error names
    the files. Only O(accept_unsigned) overrides this.
  - If a policy would again allow something to a principal that the live policy allows nothing, such as
    the roles that an offboarding removed, or a role whose inline policy it deleted, a warning names the
    principals. If it was not only the runs of these backups that changed the policy since, or if a
    backup is not signed with O(backup_key), the module fails, and O(force) overrides this.
  - If the document is already in its earlier state, nothing is written and no permission to write
    is needed. A policy that means the same in another spelling is restored as it was spelled; only
    what AWS changes by itself does not count, that is the order of keys and of values in a list, and
    how it shows principals. Changes of other writers are found by what they mean.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._anyscale
  - rayfleet.anyscale._backup
options:
  files:
    description:
      - The backups of one document, as the O(ignore:backup) option of the other modules writes
        them. They are processed in the order of their names, which begin with the time.
      - A file that belongs to another user, that other users can write to, or that is no plain
        file is refused, and so is one whose content was written to a file of another name.
    type: list
    elements: path
    required: true
  force:
    description:
      - Whether to restore the document even if another writer has changed it since, if it was
        written for clouds that are not in O(clouds), or if O(needed_by) is not empty. The changes of
        other writers, and the access of other clouds, are then lost.
      - Run with O(force) in check mode first. The warnings name everything that it overrides.
    type: bool
    default: false
  accept_unsigned:
    description:
      - Whether to restore the document also from backups that have no signature, or another one than
        that of their content with O(backup_key). Any user or tool that can write to their directory may
        have written them, and so decide what is written to AWS or Anyscale. Read them first.
      - Backups of releases before 0.8.0 have no signature. If a run had another key, set O(backup_key)
        to that instead.
    version_added: 1.0.0
    type: bool
    default: false
  clouds:
    description:
      - The IDs of the clouds to restore the document for. A bucket policy, or a role's trust
        policy, that was also written for other clouds is refused, because their clusters would lose
        access.
      - A backup that does not record for which cloud it was written, such as those of earlier
        releases, causes a warning.
      - If not set, the document is restored for whichever cloud it was written.
    version_added: 0.3.0
    type: list
    elements: str
  needed_by:
    description:
      - The names of clouds that would lose access, even though no backup records them. If there are
        any, the document is restored only with O(force).
      - M(rayfleet.anyscale.rollback_plan_info) finds these clouds in an inventory.
    version_added: 0.5.0
    type: list
    elements: str
seealso:
  - module: rayfleet.anyscale.rollback_plan_info
    description: Finds the backups of a run.
  - module: rayfleet.anyscale.iam_trust_ec2
  - module: rayfleet.anyscale.s3_cloud_access
  - module: rayfleet.anyscale.compute_config_profile
  - module: rayfleet.anyscale.cloud_iam_mapping
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Let EC2 assume the role, and back up the trust policy
  rayfleet.anyscale.iam_trust_ec2:
    role: ray-team-a
    backup: true
  register: trust

- name: Show what restoring it would change
  rayfleet.anyscale.backup_restore:
    files: ["{{ trust.backup_file }}"]
  check_mode: true
  diff: true
  when: trust is changed

- name: Restore a bucket policy, even if another writer has changed it since
  rayfleet.anyscale.backup_restore:
    files:
      - ~/.ansible/anyscale_backups/20261124T101500-123456Z.4711.bucket_policy.anyscale-prod-5d41402abc4b.json
    force: true
    backup: true
"""

RETURN = r"""
reasons:
  description:
    - Why the document differed from its state before the run. Empty if nothing changed.
    - V(changed_since_backup), its content was different; V(added_since_backup), it did not exist
      before; V(removed_since_backup), it no longer existed.
  type: list
  elements: str
  returned: success
  sample: [changed_since_backup]
document:
  description:
    - The whole document as it is now or, in check mode, as it would be. V(null) if it does not
      exist. A compute config is returned in a normalized form, a Cloud IAM mapping as its rules and
      its fallback rule, and that of an attached policy as its C(PolicyArn).
  type: dict
  returned: success
previous:
  description: The whole document before the change. V(null) if it did not exist.
  type: dict
  returned: changed
compute_config:
  description: The version that clusters are to use, as V(name:version). V(null) if the compute
    config is archived.
  type: str
  returned: if the document is a compute config
  sample: team-a:5
backup_file:
  description: The file with the document before and after the change. If the document had to be
    written more than once, the last file.
  type: str
  returned: changed, with O(backup=true)
  sample: >-
    /home/ops/.ansible/anyscale_backups/20261124T111500-654321Z.4712.trust_policy.ray-team-a-0cc175b9c0f1.json
error:
  description: Details of the failure, for use in conditions.
  type: dict
  returned: failure, if there is more than a message
  contains:
    operation:
      description: The AWS operation that failed.
      type: str
      sample: PutBucketPolicy
    code:
      description: The AWS error code.
      type: str
      sample: AccessDenied
    request_id:
      description: The AWS request ID, for a support case.
      type: str
    method:
      description: The HTTP method of the Anyscale API call that failed.
      type: str
      sample: POST
    path:
      description: The path of the Anyscale API call that failed.
      type: str
      sample: /api/v2/compute_templates/
    status:
      description: The HTTP status of the response.
      type: int
      sample: 403
    trace_id:
      description: The trace ID of the Anyscale response, for a support case.
      type: str
    principals:
      description: The unique IDs of deleted principals that the policy names.
      type: list
      elements: str
    expected:
      description: The policy that the task wrote, if another writer removed it, or replaced all of
        it, at the same time.
      type: dict
    found:
      description: The policy that the other writer left, with C(expected). It is left as it is.
      type: dict
    written:
      description: The resources that were written before the failure. Absent if none are known to
        have been.
      type: list
      elements: str
      sample: ["policy of bucket anyscale-production-data"]
    backup_file:
      description: The file with the document that was replaced before the failure.
      type: str
      sample: >-
        /home/jo/.ansible/anyscale_backups/20270105T090000-000000Z.4711.trust_policy.ray-team-a-5d41402abc4b.json
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import run_module
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.restore import (
    RestoreModule,
)


def main() -> None:
    """Run as a module."""
    run_module(RestoreModule)


if __name__ == "__main__":
    main()
