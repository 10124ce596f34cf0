#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cloud_iam
short_description: Converge all that an Anyscale cloud's clusters run with, in one task
version_added: 0.2.0
description:
  - Does for one cloud, in one task, what M(rayfleet.anyscale.iam_trust_ec2),
    M(rayfleet.anyscale.s3_cloud_access) and M(rayfleet.anyscale.compute_config_profile) do. Lets
    EC2 assume the IAM role that the cloud's clusters run with, gives the role the cloud's bucket,
    and names its instance profile in a compute config.
  - All steps are looked at and decided before the first one writes. Where one of them would be
    refused, nothing is written.
  - To take back, the order is the other way round. First no new cluster runs with the role, then it
    loses what clusters need; the instance profile stays.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._anyscale
  - rayfleet.anyscale._backup
options:
  cloud_id:
    description:
      - The id of the Anyscale cloud. Required where O(role) is not given, and for the compute
        config.
    type: str
  role:
    description:
      - The name or ARN of the role that clusters are to run with. Without it, the cloud's default
        role, named V(<cloud_id>-cluster_node_role).
    type: str
    aliases: [role_arn, role_name]
  bucket:
    description:
      - The cloud's bucket, as its name, its ARN or its V(s3://) address. Required unless
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
      - Set it to V(false) for O(state=absent) where only EC2 may assume the role; a trust policy
        cannot be empty.
    type: bool
    default: true
  bucket_access:
    description:
      - Whether the bucket's policy is converged.
    type: bool
    default: true
  compute_config_profile:
    description:
      - Whether the compute config and the instance profile are converged.
    type: bool
    default: true
  state:
    description:
      - V(present) converges. V(absent) takes back what V(present) gives.
    type: str
    choices: [present, absent]
    default: present
  quota_chars:
    description:
      - The account's quota for the length of a trust policy, in characters without white space.
    type: int
    default: 2048
  prune_dangling_principals:
    description:
      - Whether deleted principals are taken out of others' statements in the bucket policy, where
        they block any change. See
        O(rayfleet.anyscale.s3_cloud_access#module:prune_dangling_principals).
    type: bool
    default: false
  instance_profile:
    description:
      - The name of the instance profile. Without it, the role's name, which is what Anyscale falls
        back to.
    type: str
  create_instance_profile:
    description:
      - Whether the instance profile is made where there is none. Without it, a missing one is an
        error.
    type: bool
    default: true
  arn_kind:
    description:
      - V(instance_profile) writes the ARN of the instance profile, which is what EC2 asks for.
      - V(role) writes the ARN of the role, as some of the vendor's samples have it.
    type: str
    choices: [instance_profile, role]
    default: instance_profile
  config:
    description:
      - What the compute config must be apart from the instance profile, in the schema of the
        vendor's YAML file. Keys that are left out are left alone. See
        O(rayfleet.anyscale.compute_config_profile#module:config).
    type: dict
  dest:
    description:
      - A file to write the compute config to as well, as YAML for C(anyscale compute-config
        create).
    type: path
  publish:
    description:
      - Whether the compute config is read from and published to Anyscale. V(false) needs no token.
    type: bool
    default: true
seealso:
  - module: rayfleet.anyscale.iam_trust_ec2
    description: The first step alone.
  - module: rayfleet.anyscale.s3_cloud_access
    description: The second step alone, for several roles at once too.
  - module: rayfleet.anyscale.compute_config_profile
    description: The third step alone, which can archive as well.
  - module: rayfleet.anyscale.fleet_plan
    description: Which clouds of a fleet need this task.
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Let a cloud's clusters run with a role of their own
  rayfleet.anyscale.cloud_iam:
    cloud_id: cld_4fxb3wsbdcq2n1p9
    account_id: "123456789012"
    role: ray-team-a
    bucket: anyscale-production-data
    compute_config: team-a
    assume_role_arn: arn:aws:iam::123456789012:role/anyscale-onboarding
  register: cloud

- name: Show what to use
  ansible.builtin.debug:
    var: cloud.compute_config_profile.compute_config

- name: Take it back
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
  description: Why something differed, the codes of all steps. Empty where nothing changed.
  type: list
  elements: str
  returned: success
  sample: [ec2_trust_missing, access_missing]
trust:
  description: What M(rayfleet.anyscale.iam_trust_ec2) returns.
  type: dict
  returned: success, unless O(trust=false)
bucket_access:
  description: What M(rayfleet.anyscale.s3_cloud_access) returns.
  type: dict
  returned: success, unless O(bucket_access=false)
compute_config_profile:
  description: What M(rayfleet.anyscale.compute_config_profile) returns.
  type: dict
  returned: success, unless O(compute_config_profile=false)
error:
  description: What to branch on after a failure, as the module of the step returns it.
  type: dict
  returned: failure, where there is more than a message
  contains:
    step:
      description: The step that failed while it was carried out. Without it, nothing was written.
      type: str
      sample: bucket_access
    done:
      description: The steps that had changed something by then.
      type: list
      elements: str
      sample: [trust]
    written:
      description: What the step that failed had written by then. Without it, nothing that is known
        of.
      type: list
      elements: str
      sample: [instance profile ray-team-a]
    backup_file:
      description: The file with what was replaced by then.
      type: str
      sample: >-
        /home/jo/.ansible/anyscale_backups/20270105T090000-000000Z.4711.trust_policy.ray-team-a-5d41402abc4b.json
    backup_files:
      description: The files with what the steps before it replaced.
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
