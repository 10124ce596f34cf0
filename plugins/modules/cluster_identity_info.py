#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cluster_identity_info
short_description: Find out which IAM role a node of an Anyscale cluster runs with
version_added: 0.2.0
description:
  - Runs on a node of a cluster and calls STS C(GetCallerIdentity) there, as C(aws sts
    get-caller-identity) does, with the credentials that the node's own programs get.
  - With O(output), reads what that command printed instead, and calls nothing. The node then needs no
    Ansible, and the module can run on the controller.
  - With O(expected_role), returns whether that is the role that the cluster should run with, and
    if not, why.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.info
attributes:
  platform:
    support: full
    platforms: posix
    description: The nodes that the module can run on. They need a Python that has boto3.
options:
  expected_role:
    description:
      - The name or the ARN of the role that the cluster should run with. The path in an ARN is
        compared where IAM may be read.
    type: str
  default_role:
    description:
      - The name or the ARN of the cloud's default role, to report it as V(default_role) and not as
        V(another_role). Without this option, a role counts as the default role if it is named
        V(<cloud_id>-cluster_node_role), V(vm-<region>-<hex>-cluster_node_role) or
        V(ray-autoscaler-v1).
    type: str
  look_up_role:
    description:
      - Whether to read the role from IAM, since STS does not return its path. This needs
        C(iam:GetRole) on the node. Without that permission, or where the node cannot reach IAM,
        RV(role_arn) has no path.
    type: bool
    default: true
  output:
    description:
      - The whole text that C(aws sts get-caller-identity) printed on a node, in one of the formats of
        the AWS CLI, that is JSON, YAML, text or a table, up to 10000 characters. No call is made, so
        that O(look_up_role) and the options of the connection have no effect, and the path of a role is
        not compared.
      - It is an error if the text is another one, such as an error message of the CLI, or if its account
        is not that of its ARN.
    type: str
    version_added: 0.9.0
  region:
    description:
      - The AWS region. Without it, the region that boto3 finds in the environment or in its
        configuration, else V(us-east-1).
    type: str
    aliases: [aws_region]
  endpoint_url:
    description:
      - The URL of an endpoint to use in place of AWS's own.
    type: str
    aliases: [aws_endpoint_url]
  aws_ca_bundle:
    description:
      - A file of CA certificates, on the node, to verify TLS connections with.
    type: path
  validate_certs:
    description:
      - Whether to verify TLS certificates.
    type: bool
    default: true
requirements:
  - python >= 3.10
  - boto3 >= 1.34, without O(output)
notes:
  - The module has no options for credentials and is not in the action group
    V(rayfleet.anyscale.all), since the controller's credentials are not the node's.
seealso:
  - module: rayfleet.anyscale.compute_config_profile
    description: Sets the instance profile that gives a cluster its role.
  - name: Anyscale, manage IAM roles
    description: The manual procedure.
    link: https://docs.anyscale.com/iam/manage-iam-roles
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Read the node's identity
  rayfleet.anyscale.cluster_identity_info:
    expected_role: ray-team-a
  register: identity

- name: Check that the node runs with the expected role
  ansible.builtin.assert:
    that: identity.matches
    fail_msg: "{{ identity.message }}"

- name: Judge what somebody pasted from the terminal of a workspace
  rayfleet.anyscale.cluster_identity_info:
    expected_role: ray-team-a
    output: |
      {
          "UserId": "AROAQ3EGSIJTZ5XEXAMPLE:i-0abc1234def567890",
          "Account": "123456789012",
          "Arn": "arn:aws:sts::123456789012:assumed-role/ray-team-a/i-0abc1234def567890"
      }
  delegate_to: localhost
"""

RETURN = r"""
kind:
  description:
    - The kind of caller, V(assumed_role), V(user), V(federated_user) or V(root); V(none) where
      there are no credentials.
  type: str
  returned: success
  sample: assumed_role
account_id:
  description: The AWS account. This and the values below are V(null) where they do not apply.
  type: str
  returned: success
  sample: "123456789012"
arn:
  description: The caller's ARN, as STS returns it.
  type: str
  returned: success
  sample: arn:aws:sts::123456789012:assumed-role/ray-team-a/i-0abc1234def567890
user_id:
  description: The caller's unique ID.
  type: str
  returned: success
  sample: AROAQ3EGSIJTZ5XEXAMPLE:i-0abc1234def567890
role_name:
  description: The role's name.
  type: str
  returned: success
  sample: ray-team-a
role_arn:
  description: The role's ARN, with its path where it could be read from IAM.
  type: str
  returned: success
  sample: arn:aws:iam::123456789012:role/ray/ray-team-a
session_name:
  description: The name of the role's session. For credentials of a node's instance profile, it is
    the instance ID.
  type: str
  returned: success
  sample: i-0abc1234def567890
instance_id:
  description: The instance ID, where RV(session_name) is one.
  type: str
  returned: success
  sample: i-0abc1234def567890
matches:
  description: Whether the node runs with the expected role, with credentials of its instance
    profile.
  type: bool
  returned: success, with O(expected_role)
reason:
  description:
    - A code for why it does not match. Empty where it does.
    - V(default_role), the compute config was not used; V(another_role), another instance profile
      was used; V(another_account) and V(another_path), a role of the same name in another account
      or under another path; V(no_role), the credentials are not a role's, or there are none;
      V(not_the_instance), the credentials come from C(AssumeRole) and take precedence over those
      of the node's instance profile.
  type: str
  returned: success, with O(expected_role)
  sample: default_role
message:
  description: The reason as a sentence. Empty where it matches.
  type: str
  returned: success, with O(expected_role)
"""

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.cluster_identity import (
    ARGUMENT_SPEC,
    read_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError


def main() -> None:
    """Run as a module."""
    module = AnsibleModule(argument_spec=ARGUMENT_SPEC, supports_check_mode=True)
    try:
        module.exit_json(changed=False, **read_identity(module.params))
    except TaskError as error:
        module.fail_json(**error.failure())


if __name__ == "__main__":
    main()
