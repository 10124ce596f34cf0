# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks of the contenders that are not the collection: amazon.aws, and Ansible's engine
doing nothing.

amazon.aws gets every advantage: keys of each account, so that no role has to be assumed; no waiting
for what was written.
"""

from __future__ import annotations

from pathlib import Path

AMAZON_AWS = """\
- name: Converge with amazon.aws
  hosts: anyscale_clouds
  gather_facts: false
  vars:
    cluster_role: "{{ cloud_iam_cloud_id }}-cluster_node_role"
    cluster_role_arn: "arn:aws:iam::{{ cloud_iam_account_id }}:role/{{ cluster_role }}"
    trust_policy:
      Version: "2012-10-17"
      Statement:
        - {Sid: Allow, Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: "sts:AssumeRole"}
        - {Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: "sts:AssumeRole"}
    bucket_policy:
      Version: "2012-10-17"
      Statement:
        - Sid: ClusterObjects
          Effect: Allow
          Principal: {AWS: "{{ cluster_role_arn }}"}
          Action:
            - s3:PutObject
            - s3:GetObject
            - s3:DeleteObject
            - s3:ListMultipartUploadParts
            - s3:AbortMultipartUpload
          Resource: "arn:aws:s3:::{{ cloud_iam_bucket }}/*"
        - Sid: ClusterBucket
          Effect: Allow
          Principal: {AWS: "{{ cluster_role_arn }}"}
          Action: ["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation"]
          Resource: "arn:aws:s3:::{{ cloud_iam_bucket }}"
  module_defaults:
    group/amazon.aws.aws:
      access_key: "AKIATOOL{{ cloud_iam_account_id }}"
      secret_key: secret
      region: "{{ cloud_iam_region }}"
  tasks:
    - name: Converge the role's trust policy
      amazon.aws.iam_role:
        name: "{{ cluster_role }}"
        assume_role_policy_document: "{{ trust_policy }}"
        create_instance_profile: false
        delete_instance_profile: false
        wait: false
    - name: Converge the instance profile
      amazon.aws.iam_instance_profile:
        name: "{{ cluster_role }}"
        role: "{{ cluster_role }}"
    - name: Converge the bucket's policy
      amazon.aws.s3_bucket:
        name: "{{ cloud_iam_bucket }}"
        policy: "{{ bucket_policy }}"
"""

NOTHING = """\
- name: Do nothing, three times
  hosts: anyscale_clouds
  gather_facts: false
  tasks:
    - name: Do nothing
      do_nothing:
    - name: Do nothing again
      do_nothing:
    - name: Do nothing once more
      do_nothing:
"""

_DO_NOTHING = """\
from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    def run(self, tmp=None, task_vars=None):
        return {"changed": False}
"""


def write(folder: Path) -> None:
    """Put the playbooks into a folder, and what they need beside them."""
    (folder / "amazon_aws.yml").write_text(AMAZON_AWS)
    (folder / "nothing.yml").write_text(NOTHING)
    (folder / "action_plugins").mkdir()
    (folder / "action_plugins/do_nothing.py").write_text(_DO_NOTHING)
