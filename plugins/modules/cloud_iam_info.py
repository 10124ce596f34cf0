#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cloud_iam_info
short_description: Check the IAM set-up of an Anyscale cloud without changing it
version_added: 0.2.0
description:
  - Reads everything that determines which role a cloud's clusters run with, from AWS and from
    Anyscale, and writes nothing.
  - Checks each layer, that is the trust policy, for AWS and for C(anyscale cloud verify), the
    instance profile, the permissions of Anyscale's control-plane role on both, the bucket and its
    policy, and each node group of the compute configs.
  - A check that needs a fact that could not be read is V(unknown), with the missing permission in
    its evidence. It never passes, and the other checks still run.
  - It is an error if the credentials are for another account than O(account_id), if credentials or
    the token are not accepted, or if an option is invalid.
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
    description: Changes nothing. Where a policy has drifted, RV(checks) has it as it is and as the
      collection would write it.
  idempotent:
    support: full
    description: Changes nothing.
options:
  cloud_id:
    description:
      - The cloud's ID. Exactly one of O(cloud_id) and O(cloud) is required.
    type: str
  cloud:
    description:
      - The cloud's name, from which Anyscale returns its ID.
    type: str
  role:
    description:
      - The name or ARN of the role that clusters should run with.
      - Without it, the role that is registered for the cloud, else the one named
        V(<cloud_id>-cluster_node_role).
    type: str
    aliases: [role_arn, role_name]
  instance_profile:
    description:
      - The name of the instance profile that should hold the role. Without it, the role's name,
        which is Anyscale's default, or the one that is registered for the cloud, if that one alone
        holds the role.
    type: str
  bucket:
    description:
      - The cloud's bucket, as its name, its ARN or its V(s3://) address. Without it, the one that
        is registered for the cloud's primary resource.
    type: str
  bucket_actions:
    description:
      - What the role should be able to do in the bucket, as the option
        O(rayfleet.anyscale.s3_cloud_access#module:preset). Without V(s3:ListBucket),
        V(s3:PutObject) or V(s3:GetObject), as far as they are among these actions, C(bucket_access)
        fails; without another one it warns.
    type: str
    choices: [all, required, read_only]
    default: all
    version_added: 0.9.0
  bucket_prefix:
    description:
      - The prefix of the objects that the role should be able to use, without a leading slash and
        without wildcards, such as V(team-a/). If not set, all objects of the bucket.
    type: str
    version_added: 0.9.0
  compute_config:
    description:
      - The names of the compute configs to check, each in its newest version.
    type: list
    elements: str
  node_groups:
    description:
      - Whether V(all) node groups should run with the role, or those that name another instance
        profile themselves V(keep) it. See O(rayfleet.anyscale.compute_config_profile#module:node_groups).
    type: str
    choices: [all, keep]
    default: all
    version_added: 0.9.0
  node_group_roles:
    description:
      - The roles that node groups should run with instead, by the names of the groups. See
        O(rayfleet.anyscale.compute_config_profile#module:node_group_roles).
    type: dict
    version_added: 0.9.0
  further_roles:
    description:
      - The names or ARNs of other roles that clusters of the cloud are to run with, such as those
        that rules of the Cloud IAM mapping are to name.
      - Each of them, each role in O(node_group_roles), and each role that the live rules of the Cloud
        IAM mapping lead to (of these, the first 50) gets the checks of the role. One outcome stands
        for all of them, which is the worst; its reason names the role.
    type: list
    elements: str
    version_added: 0.9.0
  arn_kind:
    description:
      - The kind of ARN that compute configs should name, that of the instance profile or that of
        the role.
    type: str
    choices: [instance_profile, role]
    default: instance_profile
  authority:
    description: What the inventory plugin P(rayfleet.anyscale.anyscale_clouds#inventory) says about the
      operator's permission, the host variable C(anyscale_authority). The check C(authority) judges it;
      without it, the check is V(not_applicable).
    type: dict
    version_added: 0.8.0
  acknowledged:
    description:
      - Findings that are accepted as they are, at most one for each check. Each is a dict of C(check),
        the ID of the check, of C(reason), why its finding is accepted, and of C(until), the last day
        on which it is, in UTC, such as V(2027-03-31). All three are required; an unknown check is an
        error.
      - A finding keeps its status, but does not make an audit fail, and the report counts it apart.
      - An item for a check that neither fails nor warns has no effect. One whose last day has passed has
        none either, and the reason of the finding says so.
    type: list
    elements: dict
    version_added: 0.9.0
  managed:
    description:
      - The parts of the set-up that onboarding manages for the cloud, by the tags of the playbook
        C(onboard). A check of another part has no C(command), and its remedy says why.
    type: list
    elements: str
    choices: [trust, bucket, compute_config, iam_mapping, cloud_role, pass_role]
    default: [trust, bucket, compute_config, iam_mapping]
    version_added: 1.0.0
  anyscale:
    description:
      - Whether to query Anyscale. V(false) needs no token. Checks that need a fact from Anyscale
        are then V(unknown).
    type: bool
    default: true
  check_launches:
    description:
      - Whether to check also what runs on the cloud, by the checks C(launches_use_the_config) and
        C(instances_run_with_the_role), which are left out otherwise. This lists the active launches,
        up to 200 of each kind, and up to 200 compute configs that they name, and needs
        C(ec2:DescribeInstances) for the running instances of the cloud. It costs at least six calls.
    type: bool
    default: false
    version_added: 0.9.0
seealso:
  - module: rayfleet.anyscale.iam_trust_ec2
    description: Fixes the trust policy.
  - module: rayfleet.anyscale.s3_cloud_access
    description: Fixes the bucket's policy.
  - module: rayfleet.anyscale.compute_config_profile
    description: Fixes the instance profile and the compute config.
  - name: Anyscale, manage IAM roles
    description: The manual procedure.
    link: https://docs.anyscale.com/iam/manage-iam-roles
notes:
  - The caller needs these permissions and no others. C(iam:GetRole),
    C(iam:ListAttachedRolePolicies), C(iam:ListRolePolicies) and C(iam:GetRolePolicy) on the cluster
    role, on further roles and on the control-plane role; C(iam:GetPolicy) and
    C(iam:GetPolicyVersion) on their policies and permissions boundaries;
    C(iam:GetInstanceProfile);
    C(iam:ListInstanceProfilesForRole); C(s3:GetBucketLocation), C(s3:GetBucketPolicy),
    C(s3:GetBucketTagging), C(s3:GetBucketCORS) and C(s3:GetEncryptionConfiguration) on the bucket.
    C(iam:ListRoles) and C(iam:ListUsers) are needed only where the bucket's policy names a
    principal by its unique id; C(kms:DescribeKey), C(kms:GetKeyPolicy) and C(kms:ListGrants) only
    where a bucket is encrypted with a customer managed key; C(ec2:DescribeInstances) only with
    O(check_launches).
  - The policies of the control-plane role are evaluated as they are written. Service control
    policies of an organization and session policies are not evaluated.
  - O(lock_dir) has no effect, since nothing is written.
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Check a cloud
  rayfleet.anyscale.cloud_iam_info:
    cloud: production
    account_id: "123456789012"
    compute_config: [team-a-ray]
  register: found

- name: Show problems and remedies
  ansible.builtin.debug:
    msg: "{{ item.title }}: {{ item.reason }} {{ item.remedy }}"
  loop: "{{ found.checks | rejectattr('status', 'in', ['pass', 'not_applicable']) }}"
  loop_control:
    label: "{{ item.id }}"

- name: Check without Anyscale, in another account
  rayfleet.anyscale.cloud_iam_info:
    cloud_id: cld_4fxb3wsbdcq2n1p9
    role: arn:aws:iam::210987654321:role/ray-team-a
    bucket: anyscale-production-data
    anyscale: false
    account_id: "210987654321"
    assume_role_arn: arn:aws:iam::210987654321:role/anyscale-audit

- name: Check a cloud in which one finding is accepted until the end of March
  rayfleet.anyscale.cloud_iam_info:
    cloud: production
    account_id: "123456789012"
    acknowledged:
      - check: bucket_deny
        reason: The security team keeps one object from everybody.
        until: "2027-03-31"

- name: Stop unless Anyscale can pass the role to EC2
  ansible.builtin.assert:
    that: (found.checks | selectattr('id', 'eq', 'control_plane_pass_role') | first).status ==
      'pass'
"""

RETURN = r"""
cloud:
  description: The facts about the cloud. A fact that is not known, or a thing that does not exist,
    is V(null) or an empty list.
  type: dict
  returned: success
  contains:
    cloud_id:
      description: The cloud's ID.
      type: str
      sample: cld_4fxb3wsbdcq2n1p9
    cloud_name:
      description: The cloud's name.
      type: str
      sample: production
    account_id:
      description: The AWS account of the cloud. Where that is not known, the caller's.
      type: str
      sample: "123456789012"
    region:
      description: The region of the cloud.
      type: str
      sample: us-west-2
    default_role_arn:
      description: The role that clusters run with unless their compute config sets another one.
      type: str
      sample: arn:aws:iam::123456789012:role/cld_4fxb3wsbdcq2n1p9-cluster_node_role
    default_role_source:
      description: How it is known. V(registered), it is registered for the cloud;
        V(convention), it has the name that Anyscale gives; or V(unknown).
      type: str
      sample: registered
    role:
      description: The role that was checked, with its C(arn), C(name), unique C(id), C(path) and
        C(permissions_boundary).
      type: dict
    instance_profiles:
      description: The instance profiles of the role and the one that was checked, each with its
        C(name), C(arn) and C(roles).
      type: list
      elements: dict
    bucket:
      description: The bucket that was checked, with its C(name), C(region) and C(account_id).
      type: dict
    control_plane_role_arn:
      description: The role that Anyscale assumes to launch clusters.
      type: str
    compute_configs:
      description: The compute configs that were checked and exist.
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
          description: The ID of that version.
          type: str
          sample: cpt_8hxb3wsbdcq2n1p9
        node_groups:
          description:
            - Of each node group, its C(deployment), its C(node_group) (V(head_node), a name, or
              V(automatic workers) for those that Anyscale selects), the C(instance_profile_arn)
              that it gets, and the layer that it is C(decided_by).
            - V(compute_config), the compute config names it; V(cloud), it is registered for the
              cloud; V(role_name), it has the name of the cloud's role; V(iam_mapping), a rule of the
              Cloud IAM mapping names it, and no cluster starts that matches none.
            - C(alternatives) has what the node group may get instead, each with its own
              C(instance_profile_arn), empty if it is not known, and C(decided_by), and with the
              C(layer) by its name. V(iam_mapping), workloads that match the rule with this selector
              get it; V(scheduler_flavor) and V(machine_pool), Anyscale does not document whether
              the flavor or the pool takes the place of the compute config's.
          type: list
          elements: dict
    iam_mappings:
      description: Of each resource with a Cloud IAM mapping, its C(resource) name, C(rules) in
        their order, and C(fallback_rule).
      type: list
      elements: dict
    further_roles:
      description: The other roles that were checked, each with its C(name), its C(arn) (V(null) if
        it does not exist or could not be read), what it is C(named_by), and whether an option names
        it (C(is_wanted)), not a live rule alone.
      type: list
      elements: dict
checks:
  description: The outcome of each check, always all of them and in this order.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description:
        - V(authority), the operator permits what the cloud is registered with.
        - V(trust_ec2), EC2 can assume the role. V(trust_anyscale_verify), C(anyscale cloud verify)
          accepts the trust policy. V(role_account), the role is in the cloud's account.
          V(permissions_boundary), no permissions boundary limits the role's access to the bucket.
          V(container_registry_access), the role can pull images from Amazon ECR.
        - V(instance_profile_exists), V(instance_profile_name), V(instance_profile_role), the
          instance profile exists, is the one that Anyscale uses by default, and holds the role.
        - V(control_plane_trust), Anyscale can assume the control-plane role, for this cloud alone.
          V(control_plane_pass_role), V(control_plane_get_instance_profile), Anyscale can pass the
          role to EC2 and read the instance profile. Without that no cluster with the role starts.
          V(control_plane_pass_role_width), it cannot pass every role of the account.
          V(control_plane_instances), V(control_plane_services), it can launch and manage instances,
          and run services.
        - V(control_plane_bucket_access), V(bucket_access), the bucket's policy or own policies grant
          the control-plane role, and the role, what they need. V(bucket_deny), no statement denies
          the role access. V(bucket_key), both roles can use the KMS key that it is encrypted
          with. V(bucket_account), V(bucket_region), the bucket is in the account
          and the region of the cloud. V(bucket_cors), Anyscale's console can show its files.
          V(bucket_dangling_principals), its policy names no deleted principal.
        - V(compute_config_override), the compute configs set the instance profile for every node
          group. V(compute_config_arn_kind), they name it by the right kind of ARN.
          V(effective_profile), every node group runs with the role, by all layers, which are the
          compute config, the cloud, Cloud IAM mapping, scheduler flavors and machine pools. Where
          one of the last two may set another profile, that is unknown, since their order is not
          documented.
        - V(launches_use_the_config), every launch runs with the role.
          V(instances_run_with_the_role), every running instance has an instance profile that holds
          it. Both only with O(check_launches).
        - V(document_owner), neither Terraform nor CloudFormation manages the role or the bucket and
          may overwrite its policy.
        - The documentation's page on checks has the titles, the reason codes and the fix of each.
      type: str
      sample: control_plane_pass_role
    title:
      description: A sentence that is true for the check's status, such as V(Anyscale can pass the
        role to EC2) where it passes.
      type: str
      sample: Anyscale cannot pass the role to EC2, or only under a condition
    status:
      description:
        - V(pass); V(fail), clusters do not get what they need; V(warn), it works, or may work, but
          the owner of the cloud should know; V(unknown), a fact could not be read;
          V(not_applicable), there is nothing to check.
      type: str
      sample: fail
    reason:
      description: Why, on one line.
      type: str
    evidence:
      description:
        - The facts. Where the collection would change a document, C(before) and C(after) are the
          document as it is and as it would be; for compute configs, by their names.
        - Where AWS refused a read, C(missing_permission) is the action to allow.
        - C(only_anyscale_verify) is V(true) where what failed matters to C(anyscale cloud verify), and
          may not matter to clusters.
        - C(roles) has the outcome for each further role, by its name, as in O(further_roles).
      type: dict
    acknowledged:
      description: Where the finding is accepted by O(acknowledged), a dict of its C(reason) and its
        C(until); else V(null).
      type: dict
    remedy:
      description: What to do, on one line, or the lines to add to a policy, a CloudFormation
        template or a Terraform source. C(<cloud>) in a command stands for the host. May be empty.
      type: str
    command:
      description: The command that fixes the finding, on one line, which is empty where a person
        has to decide or nothing is to be fixed. C(<cloud>) stands for the host, which the module
        does not know; the playbook C(audit) and its report have the host's name, quoted for a shell.
      type: str
      sample: ansible-playbook rayfleet.anyscale.onboard --limit <cloud>
error:
  description: Details of a failure, for conditions in a playbook.
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
      description: The AWS request ID, for a support case.
      type: str
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.info import CloudInfoModule
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import run_module


def main() -> None:
    """Run as a module."""
    run_module(CloudInfoModule)


if __name__ == "__main__":
    main()
