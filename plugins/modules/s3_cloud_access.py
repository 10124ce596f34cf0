#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: s3_cloud_access
short_description: Give IAM roles access to an Anyscale cloud's S3 bucket
version_added: 0.1.0
description:
  - Merges into the policy of an existing bucket what the roles of Anyscale clusters need to read
    and write there. Every statement of others stays as it is, in its place.
  - A role has access where statements that allow, without a condition, together give its ARN each
    of the O(actions), on the bucket or on its objects, spelled out; C(anyscale cloud verify) does
    not understand V(s3:*Object). Roles that miss something are added to one statement with the Sid
    V(AnyscaleClusterAccess), which serves all roles and clouds that share the bucket, since a
    bucket policy holds 20 KB.
  - Statements that deny are evaluated. One that surely takes a role's access away is an error, one
    that may is a warning.
  - Nothing is written, and no permission to write is needed, where the roles have access already.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._backup
options:
  bucket:
    description:
      - The bucket, as its name, its ARN or its V(s3://) address.
    type: str
    required: true
  roles:
    description:
      - The names or ARNs of the roles, all of one account. An ARN saves a call of C(GetRole).
      - Exactly one of O(roles) and O(cloud_id) is required.
    type: list
    elements: str
  cloud_id:
    description:
      - An Anyscale cloud whose default role is meant, the one named
        V(<cloud_id>-cluster_node_role).
    type: str
  actions:
    description:
      - What each role may do, as full names of S3 actions. The default is what a cluster needs.
      - Roles with other actions than the default get a statement of their own, whose Sid ends in a
        hash of the actions.
    type: list
    elements: str
    default:
      - s3:ListBucket
      - s3:ListBucketMultipartUploads
      - s3:GetBucketLocation
      - s3:PutObject
      - s3:GetObject
      - s3:DeleteObject
      - s3:ListMultipartUploadParts
      - s3:AbortMultipartUpload
  state:
    description:
      - V(present) gives the roles access.
      - V(absent) takes the roles out of every statement that allows them anything by name, also out
        of statements of others. A policy without any statement left is deleted.
    type: str
    choices: [present, absent]
    default: present
  prune_dangling_principals:
    description:
      - A principal that was deleted stays in a policy as its unique id, and S3 refuses every new
        policy that still names it. In our own statement such ids are always taken out. In a
        statement of others they are an error that names the statement, unless this is V(true); then
        they are taken out there too.
      - Only the principals of the bucket's account can be looked up. Where a statement of others
        names principals of another account and shows one by its unique id, make sure that it was
        deleted before you set this.
    type: bool
    default: false
seealso:
  - module: rayfleet.anyscale.iam_trust_ec2
    description: The step before, EC2 in the role's trust policy.
  - module: rayfleet.anyscale.compute_config_profile
    description: The next step, the role in a compute config.
  - name: Anyscale, manage IAM roles
    description: The procedure by hand in the console.
    link: https://docs.anyscale.com/iam/manage-iam-roles
  - name: S3, PutBucketPolicy
    description: The call that writes; C(DeleteBucketPolicy) is the other one.
    link: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Give a cluster role the cloud's bucket
  rayfleet.anyscale.s3_cloud_access:
    bucket: anyscale-production-data
    roles:
      - arn:aws:iam::123456789012:role/ray-team-a
    account_id: "123456789012"

- name: Give the default role of a cloud its bucket, in another account
  rayfleet.anyscale.s3_cloud_access:
    bucket: s3://anyscale-production-data
    cloud_id: cld_4fxb3wsbdcq2n1p9
    account_id: "210987654321"
    assume_role_arn: arn:aws:iam::210987654321:role/anyscale-onboarding
  register: access

- name: Show which statements grant what
  ansible.builtin.debug:
    var: access.granted_by

- name: Take a role's access away, and clean up after roles that were deleted
  rayfleet.anyscale.s3_cloud_access:
    bucket: anyscale-production-data
    roles: [ray-team-a]
    prune_dangling_principals: true
    state: absent
"""

RETURN = r"""
reasons:
  description:
    - Why the bucket policy differed, one code for each kind of difference. Empty where nothing
      changed.
    - V(access_missing), a role missed at least one action; V(statement_differs), our own statement
      was edited; V(duplicate_statement), it was there more than once; V(dangling_principal), it
      named a deleted principal; V(dangling_principal_in_other_statement), a statement of others
      did; V(unmanaged_statement_lost), another writer wiped out a statement while this ran and it
      was put back; V(access_present), a role had access and must not; V(access_in_other_statement),
      it had it by a statement of others.
  type: list
  elements: str
  returned: success
  sample: [access_missing]
bucket:
  description: The bucket's name.
  type: str
  returned: success
  sample: anyscale-production-data
policy:
  description: The whole bucket policy, as it is now or, in check mode, as it would be. V(null)
    where there is none.
  type: dict
  returned: success
previous:
  description: The whole bucket policy before, so that it can be put back. V(null) where there was
    none.
  type: dict
  returned: changed
sid:
  description: The Sid of our statement, whether or not the policy needs to have it.
  type: str
  returned: success
  sample: AnyscaleClusterAccess
granted_by:
  description: For each role's ARN, the statements that give it at least one of the actions, by Sid
    or place (V(#2)).
  type: dict
  returned: success
  sample:
    arn:aws:iam::123456789012:role/ray-team-a: [AllowAnyscaleResources]
bytes_used:
  description: The length of the policy, in bytes of compact JSON.
  type: int
  returned: success
  sample: 1204
bytes_limit:
  description: The length that S3 takes at most, in bytes.
  type: int
  returned: success
  sample: 20480
backup_file:
  description: The file with the bucket policy before and the one now; the last one, where it was
    replaced more than once.
  type: str
  returned: changed, with O(backup=true)
  sample: >-
    /home/ops/.ansible/anyscale_backups/20261124T101500-123456Z.4711.bucket_policy.anyscale-production-data-0cc175b9c0f1.json
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
    status:
      description: The HTTP status of AWS's answer.
      type: int
      sample: 403
    request_id:
      description: AWS's request id, for a support case.
      type: str
      sample: 79104EXAMPLEB723
    statement:
      description: The statement that stands in the way.
      type: dict
    principals:
      description: The unique ids of deleted principals.
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

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_policy import Task
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import run_module


def main() -> None:
    """Run as a module."""
    run_module(Task)


if __name__ == "__main__":
    main()
