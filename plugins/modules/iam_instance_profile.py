#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: iam_instance_profile
short_description: Create the instance profile of an IAM role
version_added: 0.9.0
description:
  - Creates the instance profile of an existing IAM role if it is missing, and adds the role to an
    empty one. EC2 gives instances a role by its instance profile.
  - A rule of a Cloud IAM mapping (M(rayfleet.anyscale.cloud_iam_mapping)) names a role, of which
    Anyscale looks up the instance profile with the same name.
    M(rayfleet.anyscale.compute_config_profile) creates the instance profile of its role itself.
  - An instance profile that contains another role is an error. Its role is never replaced, and an
    instance profile is never deleted, since instances may be using it.
  - With O(backup=true) it writes a record of what it created, or which role it put into which instance
    profile. M(rayfleet.anyscale.backup_restore) does not take that back, but the playbook rollback tells
    it.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._anyscale
  - rayfleet.anyscale._backup
options:
  role:
    description:
      - The name or ARN of the IAM role. It must exist.
      - If not set, the role that the cloud O(cloud_id) was registered with at Anyscale, or
        V(<cloud_id>-cluster_node_role) if none is.
      - At least one of O(role) and O(cloud_id) is required.
    type: str
    aliases: [role_arn, role_name]
  cloud_id:
    description:
      - The ID of the Anyscale cloud whose clusters run with the role. A change for a cloud that is
        registered in another account is an error. Anyscale is asked for it if there is a token, and a
        token is required if O(role) is not set.
    type: str
  instance_profile:
    description:
      - The name of the instance profile. If not set, the name of the role.
      - The instance profile that the cloud was registered with at Anyscale takes its place only with
        O(accept_registered).
    type: str
  accept_registered:
    description:
      - Whether the instance profile that the cloud O(cloud_id) was registered with at Anyscale is
        enough, if it contains the role and O(instance_profile) is not set. Clusters that run with the
        cloud's own role use that one. The rules of a Cloud IAM mapping do not, they lead to the
        one that has the role's name.
    type: bool
    default: false
    version_added: 1.0.0
  create_instance_profile:
    description:
      - Whether the instance profile is created if it does not exist. With V(false), a missing
        instance profile is an error.
    type: bool
    default: true
  allow_privileged:
    description:
      - Whether clusters may run with a role that has permissions like an administrator's, which each
        user of a cluster would have too. With V(false), a change for such a role is refused, in
        check mode too. Needed permissions are C(iam:ListAttachedRolePolicies),
        C(iam:ListRolePolicies), C(iam:GetRolePolicy), C(iam:GetPolicy) and C(iam:GetPolicyVersion);
        without one of them the change is refused as well.
      - Which roles those are, and which are always refused, is documented with
        O(rayfleet.anyscale.iam_trust_ec2#module:allow_privileged).
      - It is not used where nothing has to change.
    type: bool
    default: false
  state:
    description:
      - The instance profile exists and contains the role.
    type: str
    choices: [present]
    default: present
seealso:
  - module: rayfleet.anyscale.cloud_iam_mapping
    description: Gives clusters a role by rules.
  - module: rayfleet.anyscale.compute_config_profile
    description: Gives clusters a role by a compute config.
  - name: AWS, instance profiles
    description: What an instance profile is.
    link: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2_instance-profiles.html
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Create the instance profile that a rule of a Cloud IAM mapping needs
  rayfleet.anyscale.iam_instance_profile:
    role: ray-ml
    account_id: "123456789012"

- name: Create it for the role that the cloud is registered with
  rayfleet.anyscale.iam_instance_profile:
    cloud_id: cld_4fxb3wsbdcq2n1p9
    account_id: "123456789012"
"""

RETURN = r"""
reasons:
  description:
    - Why a change was needed, one code per kind of difference. Empty if nothing changed.
    - V(instance_profile_missing), the instance profile did not exist;
      V(instance_profile_without_role), it contained no role.
  type: list
  elements: str
  returned: success
  sample: [instance_profile_missing]
instance_profile_arn:
  description: The ARN of the instance profile.
  type: str
  returned: success
  sample: arn:aws:iam::123456789012:instance-profile/ray-ml
previous:
  description: The instance profile before the change. V(null) if it did not exist.
  type: dict
  returned: changed
backup_file:
  description: The file with the record.
  type: str
  returned: changed, with O(backup=true)
  sample: >-
    /home/ops/.ansible/anyscale_backups/20261124T101500-123456Z.4711.instance_profile.ray-ml-0cc175b9c0f1.json
error:
  description: Details of the failure, for use in conditions.
  type: dict
  returned: failure, if there is more than a message
  contains:
    operation:
      description: The AWS operation that failed.
      type: str
      sample: CreateInstanceProfile
    code:
      description: The AWS error code.
      type: str
      sample: AccessDenied
    request_id:
      description: The AWS request ID, for a support case.
      type: str
    role_arn:
      description: The ARN of the role that the instance profile contains, if that is another one.
      type: str
    written:
      description: The resources that were written before the failure. Absent if none are known to
        have been.
      type: list
      elements: str
      sample: ["instance profile ray-ml"]
    backup_file:
      description: The file with the record of what was changed before the failure.
      type: str
      sample: >-
        /home/jo/.ansible/anyscale_backups/20270105T090000-000000Z.4711.instance_profile.ray-ml-0cc175b9c0f1.json
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.instance_profile import (
    InstanceProfileModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import run_module


def main() -> None:
    """Run as a module."""
    run_module(InstanceProfileModule)


if __name__ == "__main__":
    main()
