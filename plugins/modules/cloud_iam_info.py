#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cloud_iam_info
short_description: Tell how the IAM set-up of an Anyscale cloud is, and what is wrong with it
version_added: 0.2.0
description:
  - Reads all that decides on the identity of a cloud's clusters, from AWS and from Anyscale, and
    writes nothing.
  - Checks each layer that can break it. The trust policy, for AWS and for the vendor's own
    verification; the instance profile; what Anyscale's control-plane role may do with them; the
    bucket and its policy; each node group of the compute configs.
  - What a check needs to know and may not read makes that check V(unknown), with the missing
    permission in its evidence. It never passes, and the other checks go on.
  - A caller in another account than O(account_id), credentials or a token that do not work and an
    option that cannot be right are errors.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._anyscale
attributes:
  check_mode:
    support: full
    description: Writes nothing, in C(check_mode) or not.
  diff_mode:
    support: none
    description: Changes nothing. Where a policy differs, RV(checks) has it as it is and as it
      should be.
  idempotent:
    support: full
    description: Changes nothing.
options:
  cloud_id:
    description:
      - The cloud's id. Exactly one of O(cloud_id) and O(cloud) is required.
    type: str
  cloud:
    description:
      - The cloud's name, which Anyscale is asked for.
    type: str
  role:
    description:
      - The name or ARN of the role that clusters are to run with.
      - Without it, the role that the cloud registered, else the one named
        V(<cloud_id>-cluster_node_role).
    type: str
    aliases: [role_arn, role_name]
  instance_profile:
    description:
      - The name of the instance profile that is to hold the role. Without it, the role's name,
        which is what Anyscale falls back to.
    type: str
  bucket:
    description:
      - The cloud's bucket, as its name, its ARN or its V(s3://) address. Without it, the one of the
        cloud's primary resource.
    type: str
  compute_config:
    description:
      - The names of compute configs to look at, each in its newest version.
    type: list
    elements: str
  arn_kind:
    description:
      - Which ARN compute configs are to name, that of the instance profile or that of the role.
    type: str
    choices: [instance_profile, role]
    default: instance_profile
  anyscale:
    description:
      - Whether Anyscale is asked. V(false) needs no token, and makes V(unknown) what only Anyscale
        can tell.
    type: bool
    default: true
seealso:
  - module: rayfleet.anyscale.iam_trust_ec2
    description: Puts the trust policy right.
  - module: rayfleet.anyscale.s3_cloud_access
    description: Puts the bucket's policy right.
  - module: rayfleet.anyscale.compute_config_profile
    description: Puts the instance profile and the compute config right.
  - name: Anyscale, manage IAM roles
    description: The procedure by hand in the console.
    link: https://docs.anyscale.com/iam/manage-iam-roles
notes:
  - The caller needs these permissions and no others. C(iam:GetRole),
    C(iam:ListAttachedRolePolicies), C(iam:ListRolePolicies) and C(iam:GetRolePolicy) on the cluster
    role and on the control-plane role; C(iam:GetPolicy) and C(iam:GetPolicyVersion) on their
    policies and permissions boundaries; C(iam:GetInstanceProfile);
    C(iam:ListInstanceProfilesForRole); C(s3:GetBucketLocation), C(s3:GetBucketPolicy) and
    C(s3:GetBucketTagging) on the bucket. C(iam:ListRoles) and C(iam:ListUsers) are needed only
    where the bucket's policy names a principal by its unique id.
  - The policies of the control-plane role are evaluated as they are written. Service control
    policies of an organization and session policies are not looked at.
  - O(lock_dir) has no effect, since nothing is written.
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Look at a cloud
  rayfleet.anyscale.cloud_iam_info:
    cloud: production
    account_id: "123456789012"
    compute_config: [team-a-ray]
  register: found

- name: Show what is wrong and what to do
  ansible.builtin.debug:
    msg: "{{ item.title }}: {{ item.reason }} {{ item.remedy }}"
  loop: "{{ found.checks | rejectattr('status', 'in', ['pass', 'not_applicable']) }}"
  loop_control:
    label: "{{ item.id }}"

- name: Look at AWS alone, in another account
  rayfleet.anyscale.cloud_iam_info:
    cloud_id: cld_4fxb3wsbdcq2n1p9
    role: arn:aws:iam::210987654321:role/ray-team-a
    bucket: anyscale-production-data
    anyscale: false
    account_id: "210987654321"
    assume_role_arn: arn:aws:iam::210987654321:role/anyscale-audit

- name: Stop unless Anyscale may pass the role to EC2
  ansible.builtin.assert:
    that: (found.checks | selectattr('id', 'eq', 'control_plane_pass_role') | first).status ==
      'pass'
"""

RETURN = r"""
cloud:
  description: What was found out about the cloud. What is not known, or does not exist, is V(null)
    or an empty list.
  type: dict
  returned: success
  contains:
    cloud_id:
      description: The cloud's id.
      type: str
      sample: cld_4fxb3wsbdcq2n1p9
    cloud_name:
      description: The cloud's name.
      type: str
      sample: production
    account_id:
      description: The AWS account of the cloud, as far as that is known; else that of the caller.
      type: str
      sample: "123456789012"
    region:
      description: The region of the cloud.
      type: str
      sample: us-west-2
    default_role_arn:
      description: The role that clusters run with unless they are told otherwise.
      type: str
      sample: arn:aws:iam::123456789012:role/cld_4fxb3wsbdcq2n1p9-cluster_node_role
    default_role_source:
      description: How that is known. V(registered) with the cloud, V(convention) of Anyscale, or
        V(unknown).
      type: str
      sample: registered
    role:
      description: The role that was looked at, with its C(arn), C(name), unique C(id), C(path) and
        C(permissions_boundary).
      type: dict
    instance_profiles:
      description: The instance profiles of the role and the one that was looked at, each with its
        C(name), C(arn) and C(roles).
      type: list
      elements: dict
    bucket:
      description: The bucket that was looked at, with its C(name), C(region) and C(account_id).
      type: dict
    control_plane_role_arn:
      description: The role that Anyscale assumes to launch clusters.
      type: str
    compute_configs:
      description: The compute configs that were looked at and exist.
      type: list
      elements: dict
      contains:
        name:
          description: The name.
          type: str
          sample: team-a-ray
        version:
          description: The newest version.
          type: int
          sample: 3
        id:
          description: The id of that version.
          type: str
          sample: cpt_8hxb3wsbdcq2n1p9
        node_groups:
          description:
            - Of each node group, its C(deployment), its C(node_group) (V(head), a name, or
              V(automatic workers) for those that Anyscale selects), the C(instance_profile_arn)
              that it gets, and what C(decided_by) that is.
            - V(compute_config), it is named there; V(cloud), it is registered with the cloud;
              V(role_name), it is the one named like the cloud's role.
          type: list
          elements: dict
    iam_mappings:
      description: Of each resource with a Cloud IAM mapping, its C(resource) name, C(rules) in
        their order, and C(fallback_rule).
      type: list
      elements: dict
checks:
  description: What each check came to, always all of them and in this order.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description:
        - V(trust_ec2), EC2 may assume the role. V(trust_anyscale_verify), C(anyscale cloud verify)
          sees that too and does not end with a traceback. V(role_account), the role is in the
          cloud's account. V(permissions_boundary), the role's boundary leaves it the bucket.
        - V(instance_profile_exists), V(instance_profile_name), V(instance_profile_role), the
          instance profile is there, is named like the role, and holds it.
        - V(control_plane_pass_role), V(control_plane_get_instance_profile), Anyscale may pass the
          role to EC2 and look at the profile. Without that no cluster with the role starts.
        - V(bucket_access), the bucket's policy gives the role what clusters need. V(bucket_deny),
          no statement denies it. V(bucket_account), V(bucket_region), the bucket is where the cloud
          is. V(bucket_dangling_principals), its policy names nobody who was deleted.
        - V(compute_config_override), the compute configs name the profile so that it reaches every
          node group. V(compute_config_arn_kind), they name it by an ARN of the right kind.
          V(effective_profile), every node group ends up with the role.
        - V(document_owner), neither Terraform nor CloudFormation will put another policy back.
      type: str
      sample: control_plane_pass_role
    title:
      description: What is right where the check passes.
      type: str
      sample: Anyscale may pass the role to EC2
    status:
      description:
        - V(pass); V(fail), clusters do not get what they need; V(warn), they may, but somebody
          should look; V(unknown), it could not be read; V(not_applicable), there is nothing to
          check.
      type: str
      sample: fail
    reason:
      description: Why, on one line.
      type: str
    evidence:
      description:
        - The facts. Where a document differs from what the collection would make of it, C(before)
          and C(after) are the documents; for compute configs, by their names.
        - Where AWS refused a read, C(missing_permission) is the action to allow.
      type: dict
    remedy:
      description: What to do, on one line, or the very lines of a policy, a template or a Terraform
        source to add. May be empty.
      type: str
error:
  description: What to branch on after a failure.
  type: dict
  returned: failure, where there is more than a message
  contains:
    operation:
      description: The AWS operation that failed.
      type: str
      sample: AssumeRole
    code:
      description: AWS's error code.
      type: str
      sample: AccessDenied
    status:
      description: The HTTP status of the answer.
      type: int
      sample: 403
    request_id:
      description: AWS's request id, for a support case.
      type: str
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.info import Task
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import run_module


def main() -> None:
    """Run as a module."""
    run_module(Task)


if __name__ == "__main__":
    main()
