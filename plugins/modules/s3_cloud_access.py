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
  - Merges the access that the roles of Anyscale clusters need into the policy of an existing
    bucket. Every unmanaged statement keeps its content and its place.
  - A role has access if Allow statements without a condition together grant its ARN each of the
    O(actions), on the bucket or on its objects, by its full name or by V(s3:*). C(anyscale cloud
    verify) does not recognize other wildcards, such as V(s3:*Object). Roles without full access are
    added to one statement with the Sid V(AnyscaleClusterAccess). It serves all roles and clouds that
    share the bucket, because a bucket policy is
    L(limited to 20 KB, https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html).
  - The access of other principals does not change. Those in a statement with that Sid that grants
    exactly the O(actions) stay in it. A statement with that Sid that grants anything else keeps its
    other principals, content and Sid; the O(roles) are moved from it to a statement whose Sid ends
    in a number, unless it grants them more than the O(actions), such as another action. Then they
    stay in it as well, and lose nothing. Only a C(*) is removed from the statement that grants the
    O(actions), with a warning.
  - Deny statements are evaluated. One that certainly denies a role's access is an error, one that
    may deny it is a warning.
  - If all roles already have access, nothing is written and no permission to write is needed.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._anyscale
  - rayfleet.anyscale._backup
options:
  bucket:
    description:
      - The bucket, as its name, its ARN or its V(s3://) URI. Names as they were possible before
        March 2018 in us-east-1, such as V(AcmeRay_Data), are accepted as well.
    type: str
    required: true
  roles:
    description:
      - The names or ARNs of the roles, all in one account. An ARN saves a C(GetRole) call.
      - One of O(roles) and O(cloud_id) is required.
    type: list
    elements: str
  cloud_id:
    description:
      - The ID of an Anyscale cloud. Without O(roles), it selects the role that the cloud was registered
        with at Anyscale, or V(<cloud_id>-cluster_node_role) if none is.
      - With O(roles), Anyscale is called before a change alone, if there is a token for it. A cloud that is
        registered in another account than that of the role is an error.
    type: str
  actions:
    description:
      - The S3 actions that each role is allowed, as full names. The default is what a cluster
        needs.
      - Roles with actions other than the default are in a separate statement, whose Sid ends in a
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
      - V(present) gives the roles access. It is refused for the role of the run itself, for a
        control-plane role of Anyscale, as far as it is known, and for roles of AWS. No cluster may
        run with these.
      - V(absent) removes the roles from every statement that allows them something by name,
        including unmanaged statements. A policy that has no statement left is deleted.
    type: str
    choices: [present, absent]
    default: present
  prune_dangling_principals:
    description:
      - Whether deleted principals are also removed from unmanaged statements of the bucket policy.
        A deleted principal stays in a policy as its
        L(unique ID, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html),
        and S3 rejects every new policy that still contains it. Such IDs are always removed from the
        managed statement. With V(false), one in an unmanaged statement is an error that names the
        statement.
      - Only principals of the bucket's account can be looked up. If an unmanaged statement contains
        principals of another account and one of them is a unique ID, make sure that the principal
        was deleted before you set this option.
    type: bool
    default: false
seealso:
  - module: rayfleet.anyscale.iam_trust_ec2
    description: The previous step, EC2 in the role's trust policy.
  - module: rayfleet.anyscale.compute_config_profile
    description: The next step, the role in a compute config.
  - module: rayfleet.anyscale.fleet_converge
    description: Does the same, and the other steps, for many clouds.
  - name: Anyscale, manage IAM roles
    description: The manual procedure.
    link: https://docs.anyscale.com/iam/manage-iam-roles
  - name: S3, PutBucketPolicy
    description: The AWS operation that writes, besides C(DeleteBucketPolicy).
    link: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Give a cluster role access to the cloud's bucket
  rayfleet.anyscale.s3_cloud_access:
    bucket: anyscale-production-data
    roles:
      - arn:aws:iam::123456789012:role/ray-team-a
    account_id: "123456789012"

- name: Give the default role of a cloud access to its bucket, in another account
  rayfleet.anyscale.s3_cloud_access:
    bucket: s3://anyscale-production-data
    cloud_id: cld_4fxb3wsbdcq2n1p9
    account_id: "210987654321"
    assume_role_arn: arn:aws:iam::210987654321:role/anyscale-onboarding
  register: access

- name: Show which statements grant access
  ansible.builtin.debug:
    var: access.granted_by

- name: Remove a role's access, and deleted roles
  rayfleet.anyscale.s3_cloud_access:
    bucket: anyscale-production-data
    roles: [ray-team-a]
    prune_dangling_principals: true
    state: absent
"""

RETURN = r"""
reasons:
  description:
    - Why a change was needed, one code per kind of difference. Empty if nothing changed.
    - V(access_missing), a role did not have all O(actions); V(statement_differs), the managed
      statement had been edited; V(duplicate_statement), it existed more than once;
      V(dangling_principal), it contained a deleted principal;
      V(dangling_principal_in_other_statement), an unmanaged statement contained one;
      V(unmanaged_statement_lost), another writer removed a statement during the run, and it was
      restored; V(access_present), a role had access, which O(state=absent) removes;
      V(access_in_other_statement), it had access through an unmanaged statement.
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
  description: The whole bucket policy as it is now or, in check mode, as it would be. V(null) if
    there is none.
  type: dict
  returned: success
previous:
  description: The whole bucket policy before the change, so that it can be restored. V(null) if
    there was none.
  type: dict
  returned: changed
sid:
  description: The Sid of the managed statement, whether or not the policy needs to contain it.
  type: str
  returned: success
  sample: AnyscaleClusterAccess
granted_by:
  description: For each role's ARN, the statements that allow it at least one of the actions, by Sid
    or position (V(#2)).
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
  description: The maximum length that S3 accepts, in bytes.
  type: int
  returned: success
  sample: 20480
backup_file:
  description: The file with the bucket policy before and after the change. If the policy had to be
    written more than once, the last file.
  type: str
  returned: changed, with O(backup=true)
  sample: >-
    /home/ops/.ansible/anyscale_backups/20261124T101500-123456Z.4711.bucket_policy.anyscale-production-data-0cc175b9c0f1.json
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
    status:
      description: The HTTP status of the response.
      type: int
      sample: 403
    request_id:
      description: The AWS request ID, for a support case.
      type: str
      sample: 79104EXAMPLEB723
    statement:
      description: The statement that prevents the change.
      type: dict
    principals:
      description: The unique IDs of deleted principals that the policy contains.
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
        /home/jo/.ansible/anyscale_backups/20270105T090000-000000Z.4711.bucket_policy.anyscale-production-data-0cc175b9c0f1.json
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_policy import (
    BucketPolicyModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import run_module


def main() -> None:
    """Run as a module."""
    run_module(BucketPolicyModule)


if __name__ == "__main__":
    main()
