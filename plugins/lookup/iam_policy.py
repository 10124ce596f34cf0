# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup plugin iam_policy."""

from __future__ import annotations

DOCUMENTATION = r"""
name: iam_policy
short_description: The minimal IAM policy for the caller of a playbook
version_added: 0.3.0
author: Rayfleet contributors (@rayfleet)
description:
  - The identity-based policy with which whoever runs a playbook of this collection can do all that
    it does in a cloud's AWS account, and nothing else. It is for the role that is assumed there, or
    for the caller itself where it is in that account.
  - Nothing is asked of AWS.
  - What each statement is for, and how it is when the caller is in another account, is on the page
    of the documentation L(The permissions that it needs,
    https://github.com/rayfleet/ansible-collection-anyscale/blob/main/docs/docsite/rst/permissions.rst).
options:
  _terms:
    description:
      - Playbooks of the collection, V(audit), V(onboard), V(offboard), V(rollback) or
        V(verify_cluster). Each has a policy of its own.
    type: list
    elements: str
    required: true
  account_id:
    description: The AWS account of the clouds, twelve digits, quoted.
    type: str
    required: true
  partition:
    description: The partition of that account, such as V(aws-cn) or V(aws-us-gov).
    type: str
    default: aws
  roles:
    description:
      - The roles that clusters run with, by their names or ARNs. The name of a role under a path
        begins with it, as in V(/ray/team-a).
      - All names may have IAM's wildcards, V(*) for any text, paths included, and V(?) for one
        character.
      - The default is what Anyscale calls the roles that it makes.
    type: list
    elements: str
    default: ["*-cluster_node_role"]
  instance_profiles:
    description: The instance profiles of these roles, named in the same way. Without it, they are
      called like O(roles).
    type: list
    elements: str
  control_plane_roles:
    description: The roles that Anyscale assumes, named in the same way. Only V(audit) reads them.
    type: list
    elements: str
    default: ["anyscale-iam-role-*"]
  buckets:
    description: The clouds' buckets, by their names, ARNs or V(s3://) addresses, with the same
      wildcards.
    type: list
    elements: str
    default: ["anyscale-production-data-*"]
  leave_out:
    description:
      - Statements to leave out, by their Sids. The page of the documentation tells which ones a
        playbook can do without, and when; others are refused. C(--check) needs no statements but
        those whose Sids begin with C(Read) or C(List).
      - With several playbooks, each of them must be able to do without.
    type: list
    elements: str
    default: []
seealso:
  - name: AWS, actions, resources, and condition keys for IAM
    description: Which actions can be limited to which resources.
    link: https://docs.aws.amazon.com/service-authorization/latest/reference/list_identityandaccessmanagement.html
notes:
  - IAM takes at most 6,144 characters for a managed policy and 10,240 for all inline policies of a
    role, without white space. For many roles and buckets, use wildcards.
"""

EXAMPLES = r"""
- name: Give the role that onboards clouds what it needs in each account, and the role that audits
    them no more than that
  amazon.aws.iam_policy:
    iam_type: role
    iam_name: "anyscale-{{ item }}"
    policy_name: "anyscale-{{ item }}"
    policy_json: "{{ lookup('rayfleet.anyscale.iam_policy', item, account_id=cloud_iam_account_id,
      roles=['ray-*', '/ray/lab/*']) }}"
    state: present
  loop: [onboard, audit]

- name: Print it, without the permission to read all of the account's roles
  ansible.builtin.debug:
    msg: >-
      {{ lookup('rayfleet.anyscale.iam_policy', 'onboard', account_id='123456789012', roles=['ray-team-a'],
                buckets=['anyscale-production-data-cld-4fxb3wsbdcq2n1p9'],
                leave_out=['ReadByThePage']) }}

- name: Write it to a file, which Terraform takes as policy = file("onboard.json")
  ansible.builtin.copy:
    content: "{{ lookup('rayfleet.anyscale.iam_policy', 'onboard', account_id='123456789012') |
      to_nice_json }}"
    dest: onboard.json
    mode: "0644"
"""

RETURN = r"""
_raw:
  description: The policy of each playbook, a document as IAM takes it.
  type: list
  elements: dict
  sample:
    - Version: "2012-10-17"
      Statement:
        - Sid: ReadRoles
          Effect: Allow
          Action: ["iam:GetRole"]
          Resource: ["arn:aws:iam::123456789012:role/*-cluster_node_role"]
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
    """Options in, documents out."""

    def run(
        self, terms: list[t.Any], variables: dict[str, t.Any] | None = None, **kwargs: t.Any
    ) -> list[Document]:
        """The policy of each playbook."""
        self.set_options(var_options=variables, direct=kwargs)
        options = self.get_options()
        # Ansible passes over them, and a policy for the default bucket in the place of the misspelt
        # one would be the wrong one.
        unknown = [name for name in kwargs if name not in options]
        if unknown:
            raise AnsibleLookupError(
                f"There is no option {', '.join(unknown)}. See: ansible-doc -t lookup "
                "rayfleet.anyscale.iam_policy"
            )
        if not terms:
            raise AnsibleLookupError(
                "No playbook is named. See: ansible-doc -t lookup rayfleet.anyscale.iam_policy"
            )
        leave_out = options.pop("leave_out")
        options.pop("_terms")
        try:
            scope = parse_scope(**options)
            return [policy(str(playbook), scope, leave_out) for playbook in terms]
        except InputError as error:
            raise AnsibleLookupError(error.failure()["msg"]) from None
