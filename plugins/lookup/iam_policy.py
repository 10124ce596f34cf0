# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup plugin iam_policy."""

from __future__ import annotations

DOCUMENTATION = r"""
name: iam_policy
short_description: The minimal IAM policy for a playbook of this collection
version_added: 0.3.0
author: Rayfleet contributors (@rayfleet)
description:
  - Returns the identity-based policy that allows everything that a playbook of this collection does
    in the AWS account of a cloud, and nothing else. Attach it to the role that is assumed in that
    account, or to the caller itself if the caller is in that account.
  - No call is made to AWS.
  - The purpose of each statement, and the permissions of a caller in another account, are described
    in L(Required permissions,
    https://github.com/rayfleet/ansible-collection-anyscale/blob/main/docs/docsite/rst/permissions.rst).
options:
  _terms:
    description:
      - Playbooks of the collection, V(audit), V(onboard), V(heal), V(offboard), V(rollback) or
        V(verify_cluster). One policy is returned for each of them.
    type: list
    elements: str
    required: true
  account_id:
    description: The AWS account of the clouds, twelve digits, quoted.
    type: str
    required: true
  partition:
    description: The AWS partition of that account, such as V(aws-cn) or V(aws-us-gov).
    type: str
    default: aws
  roles:
    description:
      - The roles that clusters run with, by their names or ARNs. The name of a role with a path
        begins with the path, as in V(/ray/team-a).
      - Names may contain the wildcards of IAM policies, V(*) for any text including slashes, and
        V(?) for one character.
      - The default matches the roles that Anyscale's command line and its Terraform module create, unless
        the module is given names.
    type: list
    elements: str
    default: ["*-cluster_node_role", "anyscale-cluster-node-*"]
  instance_profiles:
    description: The instance profiles of these roles, in the same notation. If not set, they have
      the names in O(roles).
    type: list
    elements: str
  control_plane_roles:
    description:
      - The roles that Anyscale assumes, in the same notation. V(audit) reads them; the other playbooks
        change them with O(pass_role=true).
      - With O(pass_role=true), use no pattern that matches roles of other teams. Whoever may write
        the inline policies of a role can give it every permission.
    type: list
    elements: str
    default: ["anyscale-iam-role-*"]
  buckets:
    description:
      - The clouds' buckets, by their names, ARNs or V(s3://) URIs, with the same wildcards.
      - The default matches the buckets that Anyscale's command line and its Terraform module create, also
        those in the namespace of the account and the region. Name your own more narrowly if other
        buckets begin like that.
    type: list
    elements: str
    default: ["anyscale-*"]
  role_policies:
    description:
      - Whether the policy allows to write and delete inline policies of O(roles). Set it to V(true) if
        C(cloud_iam_bucket_grant) is V(role_policy), or was, without C(cloud_iam_bucket_policy_arn).
      - AWS cannot limit C(iam:PutRolePolicy) to one inline policy, or to what it allows, so that whoever
        may call it can give O(roles) every permission. O(permissions_boundary) limits that.
    type: bool
    default: false
    version_added: 0.9.0
  bucket_policies:
    description:
      - The managed policies that the policy allows to attach to O(roles), and to detach, by their names
        or ARNs, with the same wildcards. These are the values of C(cloud_iam_bucket_policy_arn).
      - A name is that of a policy of the account. One that could be any policy, such as V(*), is an
        error, and so is a wildcard in the ARN of a policy of AWS.
    type: list
    elements: str
    default: []
    version_added: 0.9.0
  permissions_boundary:
    description:
      - The ARN or the name of the permissions boundary that a role must have for its inline policies to
        be written, and for a policy to be attached to it. The policy then has the condition
        C(iam:PermissionsBoundary), and these calls are denied for a role without it.
      - It has no effect without O(role_policies) and O(bucket_policies).
    type: str
    version_added: 0.9.0
  pass_role:
    description:
      - Whether the policy allows to write and delete inline policies of O(control_plane_roles). Set it to
        V(true) if C(cloud_iam_manage_pass_role) is V(true), or was.
    type: bool
    default: false
    version_added: 0.9.0
  leave_out:
    description:
      - The Sids of statements to leave out. The documentation page describes which statements of a
        playbook are optional, and when; leaving out any other statement is an error. C(--check)
        needs only the statements whose Sids begin with C(Read) or C(List).
      - With several playbooks, the statements must be optional in each of them.
    type: list
    elements: str
    default: []
seealso:
  - name: AWS, actions, resources, and condition keys for IAM
    description: Which actions can be limited to which resources.
    link: https://docs.aws.amazon.com/service-authorization/latest/reference/list_identityandaccessmanagement.html
notes:
  - The L(IAM quotas, https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)
    are 6,144 characters for a managed policy and 10,240 for all inline policies of a role, without
    white space. For many roles and buckets, use wildcards.
"""

EXAMPLES = r"""
- name: Give the onboarding role and the audit role of each account what their playbooks need
  amazon.aws.iam_policy:
    iam_type: role
    iam_name: "anyscale-{{ item }}"
    policy_name: "anyscale-{{ item }}"
    policy_json: "{{ lookup('rayfleet.anyscale.iam_policy', item, account_id=cloud_iam_account_id,
      roles=['ray-*', '/ray/lab/*']) }}"
    state: present
  loop: [onboard, audit]

- name: Print it, without the permission to read all roles of the account
  ansible.builtin.debug:
    msg: >-
      {{ lookup('rayfleet.anyscale.iam_policy', 'onboard', account_id='123456789012', roles=['ray-team-a'],
                buckets=['anyscale-production-data-cld-4fxb3wsbdcq2n1p9'],
                leave_out=['ReadInBulk']) }}

- name: Print it for roles that get their buckets by an attached policy, and that Anyscale is to pass
  ansible.builtin.debug:
    msg: >-
      {{ lookup('rayfleet.anyscale.iam_policy', 'onboard', account_id='123456789012', roles=['ray-team-a'],
                bucket_policies=['anyscale-bucket-access'], permissions_boundary='cluster-boundary',
                pass_role=true, control_plane_roles=['anyscale-iam-role-production']) }}

- name: Write it to a file, for Terraform (policy = file("onboard.json"))
  ansible.builtin.copy:
    content: "{{ lookup('rayfleet.anyscale.iam_policy', 'onboard', account_id='123456789012') |
      to_nice_json }}"
    dest: onboard.json
    mode: "0644"
"""

RETURN = r"""
_raw:
  description: The policy of each playbook, as an IAM policy document.
  type: list
  elements: dict
  sample:
    - Version: "2012-10-17"
      Statement:
        - Sid: ReadRoles
          Effect: Allow
          Action: ["iam:GetRole"]
          Resource:
            - "arn:aws:iam::123456789012:role/*-cluster_node_role"
            - "arn:aws:iam::123456789012:role/anyscale-cluster-node-*"
"""

import typing as t

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.scope import (
    parse_scope,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.statements import (
    Document,
    policy,
)


class LookupModule(LookupBase):
    """Validates the options, and returns the policies."""

    def run(
        self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[Document]:
        """Return the policy of each playbook."""
        self.set_options(var_options=variables, direct=kwargs)
        options = self.get_options()
        # Ansible ignores unknown options, and a misspelled one would silently result in a policy
        # for the default resources.
        unknown = [name for name in kwargs if name not in options]
        if unknown:
            raise AnsibleLookupError(
                f"Unknown option {', '.join(unknown)}. See: ansible-doc -t lookup "
                "rayfleet.anyscale.iam_policy"
            )
        if not terms:
            raise AnsibleLookupError(
                "The name of a playbook is missing. See: ansible-doc -t lookup "
                "rayfleet.anyscale.iam_policy"
            )
        leave_out = options.pop("leave_out")
        options.pop("_terms")
        try:
            scope = parse_scope(**options)
            return [policy(str(playbook), scope, leave_out) for playbook in terms]
        except InputError as error:
            raise AnsibleLookupError(error.failure()["msg"]) from None
