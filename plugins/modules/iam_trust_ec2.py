#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_trust_ec2
short_description: Let EC2 assume an IAM role, so that Anyscale clusters can run with it
version_added: 0.1.0
description:
  - Merges the one statement that lets EC2 assume an existing IAM role into the role's trust policy.
    Every other statement keeps its content and its place.
  - The trust holds if a statement allows V(sts:AssumeRole), written as a string and without a
    condition, to V(ec2.amazonaws.com). This is what C(anyscale cloud verify) accepts. A list that
    contains only this action, which AWS accepts as well, is rewritten to the string if the
    statement is for EC2 alone. Otherwise a statement with the Sid V(AnyscaleEC2Trust) is appended,
    with a number at its end if another statement has that Sid.
  - A statement with that Sid for EC2 alone is put back as it was if it was edited, for example by a
    condition, of which a warning tells. If it has more actions, such as V(sts:TagSession), it stays
    as it is.
  - If the trust already holds, nothing is written and no permission to write is needed.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._anyscale
  - rayfleet.anyscale._backup
options:
  role:
    description:
      - The name or the ARN of the role. It must exist; it is never created.
      - One of O(role) and O(cloud_id) is required.
    type: str
    aliases: [role_name]
  cloud_id:
    description:
      - The ID of an Anyscale cloud. Without O(role), it selects the role that the cloud was registered
        with at Anyscale, or V(<cloud_id>-cluster_node_role) if none is.
      - With O(role), Anyscale is called before a change alone, if there is a token for it. A cloud that is
        registered in another account than that of the role is an error.
    type: str
  state:
    description:
      - V(present) lets EC2 assume the role.
      - V(absent) removes EC2 from every statement that lets it assume the role, with or without a
        condition. A trust policy cannot be empty, so this fails if EC2 is the only principal in it.
    type: str
    choices: [present, absent]
    default: present
  allow_privileged:
    description:
      - Whether clusters may run with a role that has permissions like an administrator's, which each
        user of a cluster would have too. With V(false), a change for such a role is refused, in
        check mode too. Needed permissions are C(iam:ListAttachedRolePolicies),
        C(iam:ListRolePolicies), C(iam:GetRolePolicy), C(iam:GetPolicy) and C(iam:GetPolicyVersion);
        without one of them the change is refused as well.
      - A role is like an administrator if a statement of an inline policy or of an attached policy,
        also of one of AWS such as C(PowerUserAccess), allows C(sts:AssumeRole) or C(iam:*) on all
        resources, in any notation, without a condition or under one that each request of a cluster
        meets, such as that of TLS. One action of IAM with which a role gives itself permissions is
        enough, such as C(iam:PutRolePolicy), C(iam:CreateAccessKey) or C(iam:CreatePolicyVersion),
        also on the role itself or on a policy that is attached to it
        (see L(the actions of IAM, https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html)).
        So is C(sts:AssumeRole) on all roles of any account, or on the role of the run itself. A Deny
        and a permissions boundary are not taken into account.
      - Whatever this is set to, a change is refused for the role of the run itself (the caller's, and
        that of O(assume_role_arn) and of who assumes it) and for roles of AWS (service-linked ones,
        and those under C(/aws-reserved/)), and O(state=present) for a control-plane role of Anyscale,
        as far as it is known.
      - It is not used for O(state=absent), nor where nothing has to change.
    type: bool
    default: false
  quota_chars:
    description:
      - The account's quota for the length of a role trust policy, in characters without white space
        (see L(IAM and STS quotas,
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)). A longer
        policy is refused before it is sent, unless the live one is as long already.
    type: int
    default: 2048
seealso:
  - module: rayfleet.anyscale.s3_cloud_access
    description: The next step, access to the cloud's bucket.
  - module: rayfleet.anyscale.fleet_converge
    description: Does the same, and the next steps, for many clouds.
  - name: Anyscale, manage IAM roles
    description: The manual procedure.
    link: https://docs.anyscale.com/iam/manage-iam-roles
  - name: IAM, UpdateAssumeRolePolicy
    description: The only AWS operation that writes.
    link: https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Let the clusters of a cloud run with a role of our own
  rayfleet.anyscale.iam_trust_ec2:
    role: ray-team-a
    account_id: "123456789012"

- name: Predict the change of the default role of a cloud in another account
  rayfleet.anyscale.iam_trust_ec2:
    cloud_id: cld_4fxb3wsbdcq2n1p9
    account_id: "210987654321"
    assume_role_arn: arn:aws:iam::210987654321:role/anyscale-onboarding
  check_mode: true
  diff: true
  register: trust

- name: Show why it is needed
  ansible.builtin.debug:
    var: trust.reasons

- name: No longer let EC2 assume the role
  rayfleet.anyscale.iam_trust_ec2:
    role: arn:aws:iam::123456789012:role/ray-team-a
    state: absent
"""

RETURN = r"""
reasons:
  description:
    - Why a change was needed, one code per kind of difference. Empty if nothing changed.
    - V(ec2_trust_missing), no statement let EC2 assume the role; V(ec2_trust_conditional), only one
      with a condition did; V(action_not_a_string), only one whose action Anyscale does not
      recognize did; V(statement_differs), the managed statement had been edited;
      V(unmanaged_statement_lost), another writer removed a statement during the run, and it was
      restored; V(ec2_trust_present), EC2 could assume the role, which O(state=absent) removes.
  type: list
  elements: str
  returned: success
  sample: [ec2_trust_missing]
role_arn:
  description: The role's ARN.
  type: str
  returned: success
  sample: arn:aws:iam::123456789012:role/ray-team-a
role_name:
  description: The role's name, without its path.
  type: str
  returned: success
  sample: ray-team-a
role_id:
  description: The role's unique ID. A role that is deleted and created again under the same name
    has a different one.
  type: str
  returned: success
  sample: AROAQ3EGSIJTZ5XEXAMPLE
trust_policy:
  description: The whole trust policy as it is now or, in check mode, as it would be.
  type: dict
  returned: success
  sample:
    Version: "2012-10-17"
    Statement:
      - Sid: AnyscaleEC2Trust
        Effect: Allow
        Principal: {Service: ec2.amazonaws.com}
        Action: sts:AssumeRole
previous:
  description: The whole trust policy before the change, so that it can be restored.
  type: dict
  returned: changed
sid:
  description: The Sid of the statement that lets EC2 assume the role. Empty if the statement has
    none, and with O(state=absent).
  type: str
  returned: success
  sample: AnyscaleEC2Trust
backup_file:
  description: The file with the trust policy before and after the change. If the policy had to be
    written more than once, the last file.
  type: str
  returned: changed, with O(backup=true)
  sample: >-
    /home/ops/.ansible/anyscale_backups/20261124T101500-123456Z.4711.trust_policy.ray-team-a-0cc175b9c0f1.json
error:
  description: Details of the failure, for use in conditions.
  type: dict
  returned: failure, if there is more than a message
  contains:
    operation:
      description: The AWS operation that failed.
      type: str
      sample: UpdateAssumeRolePolicy
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
      sample: 7a62c49f-347e-4fc4-9331-6e8eEXAMPLE
    statement:
      description: The statement that prevents the change.
      type: dict
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
      sample: ["trust policy of arn:aws:iam::123456789012:role/ray-team-a"]
    backup_file:
      description: The file with the document that was replaced before the failure.
      type: str
      sample: >-
        /home/jo/.ansible/anyscale_backups/20270105T090000-000000Z.4711.trust_policy.ray-team-a-5d41402abc4b.json
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import run_module
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy import (
    TrustPolicyModule,
)


def main() -> None:
    """Run as a module."""
    run_module(TrustPolicyModule)


if __name__ == "__main__":
    main()
