#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cloud_iam
short_description: Converge the IAM set-up of an Anyscale cloud's clusters in one task
version_added: 0.2.0
description:
  - Combines M(rayfleet.anyscale.iam_trust_ec2), M(rayfleet.anyscale.s3_cloud_access) and
    M(rayfleet.anyscale.compute_config_profile) for one cloud. It lets EC2 assume the IAM role that
    the cloud's clusters run with, gives the role access to the cloud's bucket, and sets its
    instance profile in a compute config.
  - All steps are planned before the first one writes. If one of them would be refused, nothing is
    written.
  - O(state=absent) runs the steps in reverse order, so that no new cluster starts with the role
    before the role loses the access that clusters need. The instance profile is kept.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._anyscale
  - rayfleet.anyscale._backup
options:
  cloud_id:
    description:
      - The ID of the Anyscale cloud. Required for the compute config, and if O(role) is not set.
    type: str
  role:
    description:
      - The name or ARN of the IAM role that the cloud's clusters run with. If not set, the cloud's
        default role, V(<cloud_id>-cluster_node_role).
    type: str
    aliases: [role_arn, role_name]
  bucket:
    description:
      - The cloud's bucket, as its name, its ARN or its V(s3://) URI. Required unless
        O(bucket_access=false).
    type: str
  compute_config:
    description:
      - The name of the compute config, without a version. Required unless
        O(compute_config_profile=false).
    type: str
  trust:
    description:
      - Whether the role's trust policy is converged.
      - Set this to V(false) for O(state=absent) if EC2 alone may assume the role, because a trust
        policy cannot be empty.
    type: bool
    default: true
  bucket_access:
    description:
      - Whether the bucket policy is converged.
    type: bool
    default: true
  compute_config_profile:
    description:
      - Whether the compute config and the instance profile are converged.
    type: bool
    default: true
  state:
    description:
      - V(present) gives the role what the cloud's clusters need. V(absent) removes it again, in
        reverse order. The instance profile is kept.
    type: str
    choices: [present, absent]
    default: present
  quota_chars:
    description:
      - The account's quota for the length of a role trust policy, in characters without white space
        (see L(IAM and STS quotas,
        https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html)). A longer
        policy is refused before it is sent.
    type: int
    default: 2048
  prune_dangling_principals:
    description:
      - Whether deleted principals are also removed from unmanaged statements of the bucket policy,
        where they make S3 reject every change. See
        O(rayfleet.anyscale.s3_cloud_access#module:prune_dangling_principals).
    type: bool
    default: false
  instance_profile:
    description:
      - The name of the instance profile. If not set, the name of the role, which is what Anyscale
        falls back to.
    type: str
  create_instance_profile:
    description:
      - Whether the instance profile is created if it does not exist. With V(false), a missing
        instance profile is an error.
    type: bool
    default: true
  arn_kind:
    description:
      - Which ARN the compute config contains. V(instance_profile) is the ARN of the instance
        profile, which is what EC2 expects.
      - V(role) is the ARN of the role, as in some of Anyscale's samples.
    type: str
    choices: [instance_profile, role]
    default: instance_profile
  config:
    description:
      - The required content of the compute config apart from the instance profile, in the schema of
        the YAML file that C(anyscale compute-config create) reads. Keys that are left out are not
        changed. See O(rayfleet.anyscale.compute_config_profile#module:config).
    type: dict
  dest:
    description:
      - A file to which the compute config is written as well, as YAML for C(anyscale compute-config
        create).
    type: path
  publish:
    description:
      - Whether the compute config is read from and published to Anyscale. V(false) requires no
        token.
    type: bool
    default: true
seealso:
  - module: rayfleet.anyscale.iam_trust_ec2
    description: The first step on its own.
  - module: rayfleet.anyscale.s3_cloud_access
    description: The second step on its own, also for several roles at once.
  - module: rayfleet.anyscale.compute_config_profile
    description: The third step on its own, which can also archive the compute config.
  - module: rayfleet.anyscale.fleet_plan_info
    description: Finds the clouds of a fleet that need this task.
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Run the clusters of a cloud with a role of their own
  rayfleet.anyscale.cloud_iam:
    cloud_id: cld_4fxb3wsbdcq2n1p9
    account_id: "123456789012"
    role: ray-team-a
    bucket: anyscale-production-data
    compute_config: team-a
    assume_role_arn: arn:aws:iam::123456789012:role/anyscale-onboarding
  register: cloud

- name: Show the version of the compute config that clusters are to use
  ansible.builtin.debug:
    var: cloud.compute_config_profile.compute_config

- name: Remove all of it
  rayfleet.anyscale.cloud_iam:
    cloud_id: cld_4fxb3wsbdcq2n1p9
    account_id: "123456789012"
    role: ray-team-a
    bucket: anyscale-production-data
    compute_config: team-a
    state: absent
"""

RETURN = r"""
reasons:
  description: Why a change was needed, the reason codes of all steps. Empty if nothing changed.
  type: list
  elements: str
  returned: success
  sample: [ec2_trust_missing, access_missing]
trust:
  description: The result of M(rayfleet.anyscale.iam_trust_ec2).
  type: dict
  returned: success, unless O(trust=false)
bucket_access:
  description: The result of M(rayfleet.anyscale.s3_cloud_access).
  type: dict
  returned: success, unless O(bucket_access=false)
compute_config_profile:
  description: The result of M(rayfleet.anyscale.compute_config_profile).
  type: dict
  returned: success, unless O(compute_config_profile=false)
error:
  description: Details of the failure, for use in conditions, as the module of the step returns
    them.
  type: dict
  returned: failure, if there is more than a message
  contains:
    step:
      description: The step that failed while it was being executed. Absent if nothing was written.
      type: str
      sample: bucket_access
    done:
      description: The steps that had changed something before the failure.
      type: list
      elements: str
      sample: [trust]
    written:
      description: The resources that the failed step had written before the failure. Absent if none
        are known to have been.
      type: list
      elements: str
      sample: [instance profile ray-team-a]
    backup_file:
      description: The file with the document that the failed step replaced before the failure.
      type: str
      sample: >-
        /home/jo/.ansible/anyscale_backups/20270105T090000-000000Z.4711.trust_policy.ray-team-a-5d41402abc4b.json
    backup_files:
      description: The files with the documents that the earlier steps replaced.
      type: list
      elements: str
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.cloud import Task
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import run_module


def main() -> None:
    """Run as a module."""
    run_module(Task)


if __name__ == "__main__":
    main()
