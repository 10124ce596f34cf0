#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_pass_role
short_description: Let Anyscale's control-plane role launch clusters with IAM roles
version_added: 0.9.0
description:
  - To launch instances with a role, Anyscale's control-plane role needs
    L(iam:PassRole, https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html) on
    the role, and V(iam:GetInstanceProfile) on its instance profile. This module merges both into one
    inline policy of the control-plane role, on exactly these ARNs, and V(iam:PassRole) only to EC2.
  - What the control-plane role's other policies allow already needs no statement, such as
    V(iam:PassRole) on all resources. Such a wide permission lets every user of the cloud run clusters
    with any role of the account that trusts EC2; this module does not narrow it.
  - Many clouds can share a control-plane role and its policy. A statement with the Sid
    V(AnyscalePassRole) or V(AnyscaleGetInstanceProfile) that is as this module writes it keeps its
    other resources. Every other statement keeps its content and its place.
  - A Deny, or a permissions boundary, that certainly prevents it is an error, one that may do so is a
    warning.
  - If everything is allowed already, nothing is written and no permission to write is needed.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._anyscale
  - rayfleet.anyscale._backup
options:
  control_plane_role:
    description:
      - The name or ARN of the role that Anyscale assumes to launch clusters. It is refused if the run
        itself uses the role, or if it belongs to AWS.
      - If not set, the one that is registered at Anyscale for O(cloud_id). Any member of the Anyscale
        organization can register a cloud, so name the role where that matters.
      - One of O(control_plane_role) and O(cloud_id) is required.
    type: str
  cloud_id:
    description:
      - The ID of an Anyscale cloud. Without O(control_plane_role), it selects the control-plane role
        that is registered for the cloud. Without O(roles), it selects the role that the cloud was
        registered with, or V(<cloud_id>-cluster_node_role) if none is.
      - A cloud that is registered in another account than that of the control-plane role is an error.
    type: str
  roles:
    description:
      - The names or ARNs of the roles that clusters run with, in the account of the control-plane
        role. An ARN saves a C(GetRole) call.
      - Roles of the run itself, control-plane roles and roles of AWS are refused.
      - One of O(roles) and O(cloud_id) is required.
    type: list
    elements: str
  instance_profiles:
    description:
      - The names or ARNs of the instance profiles. By default, those with the names of the O(roles).
      - An instance profile that does not exist yet is expected in the path of the role of its name.
    type: list
    elements: str
  policy_name:
    description:
      - The name of the inline policy of the control-plane role. It is created if there is none, and
        deleted if it has no statement left.
      - All inline policies of a role together may have
        L(10240 characters, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)
        without white space. A change beyond that is refused.
    type: str
    default: AnyscalePassRole
  state:
    description:
      - V(present) allows it.
      - V(absent) takes the O(roles) and O(instance_profiles) out of the managed statements of
        O(policy_name). Other clouds that run with the same roles need them as well. No other
        statement, and no other policy, is changed.
    type: str
    choices: [present, absent]
    default: present
  allow_privileged:
    description:
      - Whether the O(roles) may have permissions like an administrator's, as in
        O(rayfleet.anyscale.iam_trust_ec2#module:allow_privileged).
    type: bool
    default: false
seealso:
  - module: rayfleet.anyscale.iam_trust_ec2
    description: The other half, EC2 in the role's trust policy.
  - module: rayfleet.anyscale.cloud_iam_info
    description: Checks whether the control-plane role has these permissions.
  - name: IAM, PutRolePolicy
    description: The AWS operation that writes, besides C(DeleteRolePolicy).
    link: https://docs.aws.amazon.com/IAM/latest/APIReference/API_PutRolePolicy.html
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Let Anyscale launch clusters with a role
  rayfleet.anyscale.iam_pass_role:
    control_plane_role: anyscale-control-plane
    roles: [ray-team-a]
    account_id: "123456789012"

- name: Let the registered control-plane role of a cloud launch clusters with two roles
  rayfleet.anyscale.iam_pass_role:
    cloud_id: cld_4fxb3wsbdcq2n1p9
    roles:
      - arn:aws:iam::123456789012:role/ray/ray-team-a
      - arn:aws:iam::123456789012:role/ray/ray-team-b
    account_id: "123456789012"

- name: Take the permission back
  rayfleet.anyscale.iam_pass_role:
    control_plane_role: anyscale-control-plane
    roles: [ray-team-a]
    state: absent
"""

RETURN = r"""
reasons:
  description:
    - Why a change was needed, one code per kind of difference. Empty if nothing changed.
    - V(pass_role_missing), the control-plane role was not allowed to pass a role or to read an instance
      profile; V(statement_differs), a managed statement had been edited; V(duplicate_statement), it
      existed more than once; V(pass_role_present), a managed statement had one of the O(roles) or
      O(instance_profiles), which O(state=absent) removes; V(unmanaged_statement_lost), another writer
      removed a statement during the run, and it was restored.
  type: list
  elements: str
  returned: success
  sample: [pass_role_missing]
role_arn:
  description: The ARN of the control-plane role. Its name as given, if O(state=absent) and it has no
    such policy.
  type: str
  returned: success
  sample: arn:aws:iam::123456789012:role/anyscale-control-plane
policy_name:
  description: The name of the inline policy.
  type: str
  returned: success
  sample: AnyscalePassRole
role_policy:
  description: The whole inline policy as it is now or, in check mode, as it would be. V(null) if there
    is none.
  type: dict
  returned: success
previous:
  description: The whole inline policy before the change. V(null) if there was none.
  type: dict
  returned: changed
granted_by:
  description: For each ARN of a role or an instance profile, the statements that allow it, by position,
    Sid and policy. Empty with O(state=absent).
  type: dict
  returned: success
  sample:
    arn:aws:iam::123456789012:role/ray-team-a:
      - Statement 1 (Sid 'AnyscalePassRole') of policy AnyscalePassRole
backup_file:
  description: The file with the inline policy before and after the change. If it had to be written
    more than once, the last file.
  type: str
  returned: changed, with O(backup=true)
error:
  description: Details of the failure, for use in conditions.
  type: dict
  returned: failure, if there is more than a message
  contains:
    operation:
      description: The AWS operation that failed.
      type: str
      sample: PutRolePolicy
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
    statement:
      description: The statement that prevents the change.
      type: dict
    chars_used:
      description: How long the inline policies of the role would be.
      type: int
    chars_limit:
      description: How long they may be.
      type: int
      sample: 10240
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
    backup_file:
      description: The file with the document that was replaced before the failure.
      type: str
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import run_module
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.pass_role import (
    PassRoleModule,
)


def main() -> None:
    """Run as a module."""
    run_module(PassRoleModule)


if __name__ == "__main__":
    main()
