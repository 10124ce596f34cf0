#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_identity_info
short_description: Tell which IAM role a node of an Anyscale cluster runs with
version_added: 0.2.0
description:
  - Runs on a node of a cluster and asks STS who it is there, as C(aws sts get-caller-identity) does
    by hand, with the credentials that the node's own programs get.
  - With O(expected_role), says whether that is the role that the cluster should run with, and if
    not, why.
attributes:
  check_mode:
    support: full
    description: Changes nothing, in check mode or out of it.
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
  platform:
    support: full
    platforms: posix
    description: The nodes that the module can run on; it needs Python with boto3 there.
options:
  expected_role:
    description:
      - The name or the ARN of the role that the cluster should run with. The path in an ARN is
        compared where IAM may be read.
    type: str
  default_role:
    description:
      - The name or the ARN of the cloud's default role, to tell it from other wrong ones. Without
        it, a role that is called V(<cloud_id>-cluster_node_role) is taken for one, and so is
        V(vm-<region>-<hex>-cluster_node_role) and V(ray-autoscaler-v1).
    type: str
  look_up_role:
    description:
      - Whether IAM is asked for the role, whose path STS does not tell. The node needs
        C(iam:GetRole) for that; where it has not, or cannot reach IAM, RV(role_arn) has no path.
    type: bool
    default: true
  region:
    description:
      - The AWS region to talk to. Without it, boto3 looks for one in its own way; where it finds
        none, V(us-east-1).
    type: str
    aliases: [aws_region]
  endpoint_url:
    description:
      - A URL to talk to in the place of AWS's own.
    type: str
    aliases: [aws_endpoint_url]
  aws_ca_bundle:
    description:
      - A file of CA certificates on the node to verify TLS connections with.
    type: path
  validate_certs:
    description:
      - Whether TLS certificates are verified.
    type: bool
    default: true
requirements:
  - python >= 3.10
  - boto3 >= 1.34
notes:
  - It takes no credentials, and is not in the group V(rayfleet.anyscale.all), since those of the
    controller are not the node's.
seealso:
  - module: rayfleet.anyscale.compute_config_profile
    description: Where a cluster's role comes from.
  - name: Anyscale, manage IAM roles
    description: The procedure by hand in the console.
    link: https://docs.anyscale.com/iam/manage-iam-roles
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Ask the node who it is
  rayfleet.anyscale.cluster_identity_info:
    expected_role: ray-team-a
  register: identity

- name: Fail where it is somebody else
  ansible.builtin.assert:
    that: identity.matches
    fail_msg: "{{ identity.message }}"
"""

RETURN = r"""
kind:
  description:
    - What the caller is, V(assumed_role), V(user), V(federated_user) or V(root); V(none) where
      there are no credentials.
  type: str
  returned: success
  sample: assumed_role
account_id:
  description: The AWS account. V(null) without credentials, as all that follows where it does not
    apply.
  type: str
  returned: success
  sample: "123456789012"
arn:
  description: The caller's ARN, as STS answers.
  type: str
  returned: success
  sample: arn:aws:sts::123456789012:assumed-role/ray-team-a/i-0abc1234def567890
user_id:
  description: The caller's unique id.
  type: str
  returned: success
  sample: AROAQ3EGSIJTZ5XEXAMPLE:i-0abc1234def567890
role_name:
  description: The role's name.
  type: str
  returned: success
  sample: ray-team-a
role_arn:
  description: The role's ARN, with its path where IAM told it.
  type: str
  returned: success
  sample: arn:aws:iam::123456789012:role/ray/ray-team-a
session_name:
  description: The name of the role's session. For a node it is the id of the instance.
  type: str
  returned: success
  sample: i-0abc1234def567890
instance_id:
  description: The same where it is the id of an instance.
  type: str
  returned: success
  sample: i-0abc1234def567890
matches:
  description: Whether the node runs with the expected role, by the credentials of its instance.
  type: bool
  returned: success, with O(expected_role)
reason:
  description:
    - Why not, as a code. Empty where it does. V(default_role), the compute config was not used;
      V(another_role), another instance profile was; V(another_account) and V(another_path), a role
      of that name but not that one; V(no_role), the credentials are no role's, or there are none;
      V(not_the_instance), somebody assumed the role, and those credentials hide the node's own.
  type: str
  returned: success, with O(expected_role)
  sample: default_role
message:
  description: The same as a sentence. Empty where it matches.
  type: str
  returned: success, with O(expected_role)
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.cluster_identity_info import (
    ARGUMENT_SPEC,
    look,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        module.exit_json(changed=False, **look(module.params))
    except TaskError as error:
        module.fail_json(**error.failure())


if __name__ == "__main__":
    main()
