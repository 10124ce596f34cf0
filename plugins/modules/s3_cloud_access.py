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
  - Gives the roles of Anyscale clusters access to an existing bucket, by the bucket's policy or by
    the role's own policies. Every unmanaged statement keeps its content and its place.
  - By the bucket's policy, a role has access if Allow statements without a condition together grant
    its ARN each of the O(actions), on the bucket or on its objects, by its full name or by V(s3:*).
    C(anyscale cloud verify) does not recognize other wildcards, such as V(s3:*Object). Roles without
    full access are added to one statement with the Sid V(AnyscaleClusterAccess). It serves all roles
    and clouds that share the bucket, because a bucket policy is
    L(limited to 20 KB, https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html).
  - By its own policies, a role has access if these allow each of the O(actions) within its
    permissions boundary, none of them denies it, and they name V(s3:PutObject), V(s3:GetObject) and
    V(s3:ListBucket), as far as these are wanted, in full or as V(s3:*), which is what C(anyscale
    cloud verify) looks for. It does not find access that is split between the two ways, and neither
    does this module, which then completes one of them.
  - The access of other principals does not change. Those in a statement with that Sid that grants
    exactly the O(actions) stay in it. A statement with that Sid that grants anything else keeps its
    other principals, content and Sid; the O(roles) are moved from it to a statement whose Sid ends
    in a number, unless it grants them more than the O(actions), such as another action. Then they
    stay in it as well, and lose nothing. Only a C(*) is removed from the statement that grants the
    O(actions), with a warning.
  - Deny statements are evaluated. One that certainly denies a role's access is an error, one that
    may deny it is a warning.
  - Access that a role has beyond the O(actions) or the O(prefix) is not taken away. To narrow it, set
    O(state=absent) first.
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
      - An ARN must have the path and the case that the role's ARN has in IAM. With O(state=absent), only the
        path counts.
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
  grant:
    description:
      - How the roles get access.
      - V(either) leaves access that is complete by one of the two ways as it is. Where it is not, it
        is completed in the bucket's policy. A role's own policies are read only if the bucket's
        policy does not suffice. If the caller may not read them, the bucket's policy is completed,
        with a warning. So it is if they deny the access, or if the role's permissions boundary does
        not certainly allow it, which limits also what the bucket's policy grants.
      - V(bucket_policy) completes the bucket's policy; then the managed statement leaves the inline
        policy O(policy_name) of the role. Neither the role's own policies nor its boundary are read.
        M(rayfleet.anyscale.cloud_iam_info) tells what they prevent.
      - V(role_policy) merges one statement into the inline policy O(policy_name) of the role, or
        attaches O(policy_arn), unless the role's own policies grant the access already; then the
        role leaves the managed statement in the bucket's policy. Unmanaged statements of the bucket
        policy stay. It is the way for a bucket whose policy is full, or is another team's.
      - From a managed statement that allows the role more than is wanted, such as for another cloud
        with the same role, V(role_policy) takes the role only if its own policies allow the same.
        Else the role stays in it, with a warning.
      - A role that moves from one way to the other has access all the time. Between the two changes,
        the module waits 10 seconds, since a change of IAM takes time to
        L(count everywhere,
        https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency).
    version_added: 0.9.0
    type: str
    choices: [either, bucket_policy, role_policy]
    default: either
  policy_name:
    description:
      - The name of the role's inline policy with the managed statement. It is created if there is
        none, its other statements stay, and it is deleted if it has no statement left.
      - A policy of another name stays as it is, also one that this option named before. To move to
        another name, first run with O(state=absent) and the former one.
      - All inline policies of a role together may have
        L(10240 characters, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)
        without white space. A change beyond that is refused.
    version_added: 0.9.0
    type: str
    default: AnyscaleClusterAccess
  policy_arn:
    description:
      - The ARN of a managed policy of the role's account, or of AWS, that is attached to the role
        instead of the inline policy, with O(grant=role_policy). Its default version must grant all
        O(actions) by itself, and must not give permissions like an administrator's; else it is an
        error. The policy itself is never changed.
      - With O(state=absent) or O(grant=bucket_policy), it is detached from the roles. No other
        managed policy is ever detached, also not one that this option named before. With
        O(grant=either) and O(state=present), it has no effect.
    version_added: 0.9.0
    type: str
  prefix:
    description:
      - The prefix of the objects that the role gets access to, without a leading slash and without
        wildcards, such as V(team-a/). It matches the beginning of a key, as in S3, so that V(team-a)
        includes V(team-abc/x). If not set, all objects of the bucket.
      - It limits the actions on objects. V(s3:ListBucket) is granted on the whole bucket without a
        condition, so that the names of all objects can be listed, because clusters and AWS SDKs
        check that the bucket exists by C(HeadBucket), which S3 authorizes as V(s3:ListBucket)
        L(without a prefix, https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html).
      - Anyscale keeps the files of a cloud under the prefixes V(org_.../cld_.../) of its bucket. The
        role of clusters needs these.
      - The managed statement for a prefix has a Sid that ends in a hash.
    version_added: 0.9.0
    type: str
  preset:
    description:
      - The S3 actions that each role is allowed. V(all) is what Anyscale's Terraform module grants to
        clusters, V(s3:ListBucket), V(s3:ListBucketMultipartUploads), V(s3:GetBucketLocation),
        V(s3:PutObject), V(s3:GetObject), V(s3:DeleteObject), V(s3:ListMultipartUploadParts) and
        V(s3:AbortMultipartUpload). V(required) is V(s3:ListBucket), V(s3:PutObject) and
        V(s3:GetObject), which is what clusters cannot do without and what C(anyscale cloud verify)
        looks for. V(read_only) is V(s3:ListBucket), V(s3:GetBucketLocation) and V(s3:GetObject), for
        roles that only read; C(anyscale cloud verify) does not accept these.
      - At most one of O(preset) and O(actions) can be set.
    version_added: 0.9.0
    type: str
    choices: [all, required, read_only]
    default: all
  actions:
    description:
      - The S3 actions that each role is allowed, as full names, instead of those of O(preset).
      - Roles with actions other than those of O(preset=all) are in a separate statement, whose Sid
        ends in a hash of the actions.
    type: list
    elements: str
  state:
    description:
      - V(present) gives the roles access. It is refused for the role of the run itself, for a
        control-plane role of Anyscale, as far as it is known, and for roles of AWS. No cluster may
        run with these.
      - V(absent) removes the roles from every statement of the bucket's policy that allows them
        something by name, including unmanaged statements, and from the lists of C(aws:PrincipalArn)
        and C(aws:userid) in their conditions. A statement with such a list that names no other
        principal is removed, unless requests without the key meet the condition, such as those of an
        AWS service with V(ArnEqualsIfExists) or V(ForAllValues:ArnEquals). Then it keeps the list. A
        policy that has no statement left is deleted.
      - Of a role's own policies, V(absent) removes only what is managed, whatever O(grant) is, the
        bucket in statements of O(policy_name) with the Sid V(AnyscaleClusterAccess), and
        O(policy_arn). A warning names everything that still gives the role access, by one of the
        actions of O(preset=all) or of O(actions), on any object, whatever O(preset) and O(prefix)
        are.
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
    description: >-
      An AWS operation that writes. The others are C(DeleteBucketPolicy), and, with a O(grant) other
      than V(either) or O(state=absent), C(PutRolePolicy), C(DeleteRolePolicy), C(AttachRolePolicy)
      and C(DetachRolePolicy).
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

- name: Give a role access by an inline policy of its own, since the bucket's policy is full
  rayfleet.anyscale.s3_cloud_access:
    bucket: anyscale-production-data
    roles: [ray-team-a]
    grant: role_policy
    account_id: "123456789012"

- name: Attach the policy of the platform team that grants the bucket
  rayfleet.anyscale.s3_cloud_access:
    bucket: anyscale-production-data
    roles: [ray-team-a]
    grant: role_policy
    policy_arn: arn:aws:iam::123456789012:policy/anyscale-bucket
    account_id: "123456789012"

- name: Let a role read the data of one team
  rayfleet.anyscale.s3_cloud_access:
    bucket: anyscale-production-data
    roles: [ray-readers]
    prefix: team-a/
    preset: read_only
    account_id: "123456789012"

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
      V(access_in_other_statement), it had access through an unmanaged statement;
      V(access_in_bucket_policy), the managed statement of the bucket's policy still gave access, which
      O(grant=role_policy) removes; V(access_in_role_policy), the managed statement of the role's
      inline policy, or O(policy_arn), still gave access, which O(grant=bucket_policy) removes.
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
  description: For each role's ARN, what allows it at least one of the actions, the statements of the
    bucket's policy by Sid or position (V(#2)), and those of its own policies, as far as these were
    read, by position, Sid and policy.
  type: dict
  returned: success
  sample:
    arn:aws:iam::123456789012:role/ray-team-a: [AllowAnyscaleResources]
role_policies:
  description: For each role's ARN, the inline policy as it is now or, in check mode, as it would be,
    and as it was before a change. V(null) if there is none.
  type: dict
  returned: if O(state=absent), or if O(grant) is V(bucket_policy) or V(role_policy)
  sample:
    arn:aws:iam::123456789012:role/ray-team-a: {policy_name: AnyscaleClusterAccess, role_policy: null}
attached:
  description: For each role's ARN, whether O(policy_arn) is attached to it.
  type: dict
  returned: if O(policy_arn) is set, unless O(grant=either) and O(state=present)
  sample:
    arn:aws:iam::123456789012:role/ray-team-a: true
bytes_used:
  description: The length of the policy, in bytes of compact JSON.
  type: int
  returned: success
  sample: 1204
bytes_limit:
  description: The maximum length that S3 accepts, in bytes. S3 measures a form of its own, which may
    be longer or shorter than RV(bytes_used), so that a policy near it causes a warning and is sent
    all the same.
  type: int
  returned: success
  sample: 20480
backup_files:
  description: The files with what was replaced, one for each resource, in the order of the changes.
  type: list
  elements: str
  returned: changed, with O(backup=true)
backup_file:
  description: The last of the RV(backup_files). With O(grant=either) and O(state=present), it is the
    one of the bucket policy. If a resource had to be written more than once, the last file.
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

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_access import (
    BucketAccessModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import run_module


def main() -> None:
    """Run as a module."""
    run_module(BucketAccessModule)


if __name__ == "__main__":
    main()
