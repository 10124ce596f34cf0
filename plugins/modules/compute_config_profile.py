#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_config_profile
short_description: Name a role's instance profile in an Anyscale compute config
version_added: 0.1.0
description:
  - Makes the instance profile of an existing IAM role where it is missing, and publishes a version
    of a compute config whose clusters run with it, on every node.
  - Compute configs are immutable versions. A new one is published only where something really
    differs; all else in it is kept, and older versions stay as they are.
  - A head node or a worker group with an instance configuration of its own ignores that of the
    cluster entirely, so the instance profile is set there too. Deployments on Kubernetes and on
    other clouds are left alone.
  - An instance profile that holds another role is an error; roles are never swapped.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._anyscale
  - rayfleet.anyscale._backup
options:
  name:
    description:
      - The name of the compute config, without a version.
    type: str
    required: true
  cloud_id:
    description:
      - The id of the Anyscale cloud. Names of compute configs are unique in a cloud only.
      - Exactly one of O(cloud_id) and O(cloud) is required.
    type: str
  cloud:
    description:
      - The name of the Anyscale cloud. It costs a call to look up, and must be unique in the
        organization.
    type: str
  role:
    description:
      - The name or ARN of the role that clusters are to run with. Without it, the cloud's default
        role, named V(<cloud_id>-cluster_node_role).
    type: str
    aliases: [role_arn, role_name]
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
      - What the compute config must be apart from the instance profile, in the schema of the YAML
        file that C(anyscale compute-config create) reads (C(head_node), C(worker_nodes), C(zones),
        C(advanced_instance_config) and so on). Keys that are given are enforced, keys that are left
        out are left alone. Worker groups are matched by name.
      - Where the compute config does not exist yet, it is made from this, or from the cloud's
        default without it.
    type: dict
  dest:
    description:
      - A file to write the compute config to as well, as YAML for C(anyscale compute-config
        create). It must be a compute config already, or not exist; its folder must exist.
    type: path
  publish:
    description:
      - Whether the compute config is read from and published to Anyscale. With V(false), only the
        instance profile and O(dest) are converged and no token is needed.
    type: bool
    default: true
  state:
    description:
      - V(present) converges.
      - V(absent) publishes a version without this instance profile, where the newest one names it.
        Other profiles, and the instance profile itself, are left alone.
      - V(archived) archives the compute config with all its versions, also those that others made.
        Its name cannot be used until it is unarchived.
    type: str
    choices: [present, absent, archived]
    default: present
seealso:
  - module: rayfleet.anyscale.iam_trust_ec2
    description: The first step, EC2 in the role's trust policy.
  - module: rayfleet.anyscale.s3_cloud_access
    description: The step before, access to the cloud's bucket.
  - name: Anyscale, compute configuration on AWS
    description: What the advanced instance configuration holds, and which node group it is for.
    link: https://docs.anyscale.com/configuration/compute/aws
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Let the clusters of a team run with a role of their own
  rayfleet.anyscale.compute_config_profile:
    name: team-a
    cloud_id: cld_4fxb3wsbdcq2n1p9
    role: ray-team-a
    account_id: "123456789012"
  register: team_a

- name: Use it for a job
  ansible.builtin.command:
    argv: [anyscale, job, submit, --compute-config, "{{ team_a.compute_config }}", --, python, main.py]
  changed_when: true

- name: Declare the nodes as well
  rayfleet.anyscale.compute_config_profile:
    name: team-a-gpu
    cloud: production
    role: arn:aws:iam::123456789012:role/ray-team-a
    config:
      head_node:
        instance_type: m5.2xlarge
      worker_nodes:
        - name: gpu
          instance_type: g5.4xlarge
          max_nodes: 10

- name: Only make the instance profile and a file for the vendor's command line
  rayfleet.anyscale.compute_config_profile:
    name: team-a
    cloud_id: cld_4fxb3wsbdcq2n1p9
    role: ray-team-a
    publish: false
    dest: team-a.yaml
"""

RETURN = r"""
reasons:
  description:
    - Why something differed, one code for each kind of difference. Empty where nothing changed.
    - V(instance_profile_missing), there was no instance profile; V(instance_profile_without_role),
      it held none; V(compute_config_missing), there was no compute config; V(profile_missing), it
      named no instance profile; V(profile_differs), another one; V(profile_by_name), one by its
      name; V(wrong_arn_kind), a role's ARN in the place of an instance profile's, or the other way
      round; V(node_group_hides_profile), a node group's own instance configuration hid it;
      V(node_group_profile_differs), a node group named another one; V(config_differs), O(config)
      was not what was live; V(dest_differs), the file was not; V(profile_present), it named the
      instance profile and must not; V(archive_wanted), it was not archived.
  type: list
  elements: str
  returned: success
  sample: [compute_config_missing]
compute_config:
  description:
    - The version for clusters to use, as V(name:version). V(null) where none is left to use.
  type: str
  returned: success, unless O(publish=false)
  sample: team-a:4
compute_config_id:
  description: Its id. V(null) in check mode, where it does not exist yet.
  type: str
  returned: success, unless O(publish=false)
  sample: cpt_8kfdcvmckjnjqd1xwnctmpldl4
previous_version:
  description: The newest version before. V(null) where there was none.
  type: int
  returned: success, unless O(publish=false)
  sample: 3
instance_profile_arn:
  description: The ARN of the instance profile.
  type: str
  returned: success, unless O(state=archived)
  sample: arn:aws:iam::123456789012:instance-profile/ray-team-a
overrides:
  description: The node groups that had another instance profile, or would have run without this
    one.
  type: list
  elements: dict
  returned: success, unless O(publish=false)
  contains:
    node_group:
      description: The name of the worker group, or V(head_node).
      type: str
      sample: gpu
    deployment:
      description: The cloud resource that the deployment is for.
      type: str
      sample: vm-aws-us-west-2
    reason:
      description: What was wrong, one of the codes above.
      type: str
      sample: node_group_hides_profile
    before:
      description: What it named.
      type: str
    after:
      description: What it names now.
      type: str
not_applicable:
  description: The deployments that are not on AWS virtual machines, and so have no instance
    profile.
  type: list
  elements: dict
  returned: success, unless O(publish=false)
file:
  description: The absolute path of the file that O(dest) names.
  type: str
  returned: where O(dest) is given
previous:
  description: The instance profile, the compute config (in a normal form) and the file as they
    were.
  type: dict
  returned: changed
backup_file:
  description: The file with the compute config before and the one now; the last one, where it was
    replaced more than once.
  type: str
  returned: changed, with O(backup=true), unless the compute config stays as it is
  sample: >-
    /home/ops/.ansible/anyscale_backups/20261124T101500-123456Z.4711.compute_config.team-a-0cc175b9c0f1.json
error:
  description: What to branch on after a failure.
  type: dict
  returned: failure, where there is more than a message
  contains:
    operation:
      description: The AWS operation that failed.
      type: str
      sample: CreateInstanceProfile
    code:
      description: AWS's error code.
      type: str
      sample: AccessDenied
    request_id:
      description: AWS's request id, for a support case.
      type: str
    method:
      description: The HTTP method of the call to Anyscale that failed.
      type: str
      sample: POST
    path:
      description: Its path.
      type: str
      sample: /api/v2/compute_templates/
    status:
      description: The HTTP status of the answer.
      type: int
      sample: 403
    trace_id:
      description: Anyscale's trace id, for a support case.
      type: str
    written:
      description: What had been written by then. Without it, nothing that is known of.
      type: list
      elements: str
      sample: ["instance profile ray-team-a"]
    backup_file:
      description: The file with what was replaced by then.
      type: str
      sample: >-
        /home/jo/.ansible/anyscale_backups/20270105T090000-000000Z.4711.trust_policy.ray-team-a-5d41402abc4b.json
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config import Task
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import run_module


def main() -> None:
    """Run as a module."""
    run_module(Task)


if __name__ == "__main__":
    main()
