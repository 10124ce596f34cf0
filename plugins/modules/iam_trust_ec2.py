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
  - Merges into the trust policy of an existing IAM role the one statement that lets EC2 assume it.
    Every other statement stays as it is, in its place.
  - The trust holds where a statement allows V(sts:AssumeRole), written as a string and without a
    condition, to V(ec2.amazonaws.com). This is what C(anyscale cloud verify) accepts; a list of one
    action, which AWS takes as well, is rewritten to the string where the statement is for EC2
    alone. Otherwise a statement with the Sid V(AnyscaleEC2Trust) is appended.
  - Nothing is written, and no permission to write is needed, where the trust holds already.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._backup
options:
  role:
    description:
      - The name or the ARN of the role. It must exist; it is never made.
      - Exactly one of O(role) and O(cloud_id) is required.
    type: str
    aliases: [role_name]
  cloud_id:
    description:
      - An Anyscale cloud whose default role is meant, the one named
        V(<cloud_id>-cluster_node_role).
    type: str
  state:
    description:
      - V(present) lets EC2 assume the role.
      - V(absent) takes EC2 out of every statement that lets it assume the role, under a condition
        or not. A trust policy cannot be empty, so this fails where nobody else would be left.
    type: str
    choices: [present, absent]
    default: present
  quota_chars:
    description:
      - The account's quota for the length of a trust policy, in characters without white space
        (Service Quotas calls it "Role trust policy length"). A longer policy is refused before it
        is sent.
    type: int
    default: 2048
seealso:
  - module: rayfleet.anyscale.s3_cloud_access
    description: The next step, access to the cloud's bucket.
  - name: Anyscale, manage IAM roles
    description: The procedure by hand in the console.
    link: https://docs.anyscale.com/iam/manage-iam-roles
  - name: IAM, UpdateAssumeRolePolicy
    description: The one call that writes.
    link: https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Let the clusters of a cloud run with a role of our own
  rayfleet.anyscale.iam_trust_ec2:
    role: ray-team-a
    account_id: "123456789012"

- name: See what would change in the default role of a cloud, in another account
  rayfleet.anyscale.iam_trust_ec2:
    cloud_id: cld_4fxb3wsbdcq2n1p9
    account_id: "210987654321"
    assume_role_arn: arn:aws:iam::210987654321:role/anyscale-onboarding
  check_mode: true
  diff: true
  register: trust

- name: Say why
  ansible.builtin.debug:
    var: trust.reasons

- name: Clusters no longer run with this role
  rayfleet.anyscale.iam_trust_ec2:
    role: arn:aws:iam::123456789012:role/ray-team-a
    state: absent
"""

RETURN = r"""
reasons:
  description:
    - Why the trust policy differed, one code for each kind of difference. Empty where nothing
      changed.
    - V(ec2_trust_missing), nothing let EC2 assume the role; V(ec2_trust_conditional), only under a
      condition; V(action_not_a_string), with an action that Anyscale does not recognise;
      V(statement_differs), our own statement was edited; V(unmanaged_statement_lost), another
      writer wiped out a statement while this ran and it was put back; V(ec2_trust_present), EC2
      could assume the role and must not.
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
  description: The role's unique id. A role made anew under the same name has another one.
  type: str
  returned: success
  sample: AROAQ3EGSIJTZ5XEXAMPLE
trust_policy:
  description: The whole trust policy, as it is now or, in check mode, as it would be.
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
  description: The whole trust policy before, so that it can be put back.
  type: dict
  returned: changed
sid:
  description: The Sid of the statement that lets EC2 assume the role. Empty where it has none, and
    for O(state=absent).
  type: str
  returned: success
  sample: AnyscaleEC2Trust
backup_file:
  description: The file with the trust policy before and the one now; the last one, where it was
    replaced more than once.
  type: str
  returned: changed, with O(backup=true)
  sample: >-
    /home/ops/.ansible/anyscale_backups/20261124T101500-123456Z.4711.trust_policy.ray-team-a-0cc175b9c0f1.json
error:
  description: What to branch on after a failure.
  type: dict
  returned: failure, where there is more than a message
  contains:
    operation:
      description: The AWS operation that failed.
      type: str
      sample: UpdateAssumeRolePolicy
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
      sample: 7a62c49f-347e-4fc4-9331-6e8eEXAMPLE
    statement:
      description: The statement that stands in the way.
      type: dict
    written:
      description: What had been written by then. Without it, nothing that is known of.
      type: list
      elements: str
      sample: ["trust policy of arn:aws:iam::123456789012:role/ray-team-a"]
    backup_file:
      description: The file with what was replaced by then.
      type: str
      sample: >-
        /home/jo/.ansible/anyscale_backups/20270105T090000-000000Z.4711.trust_policy.ray-team-a-5d41402abc4b.json
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import run_module
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy import Task


def main() -> None:
    """Run as a module."""
    run_module(Task)


if __name__ == "__main__":
    main()
