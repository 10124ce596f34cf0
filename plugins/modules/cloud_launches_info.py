#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: cloud_launches_info
short_description: Find out which launches of an Anyscale cloud run with which role
version_added: 0.9.0
description:
  - Lists what was launched in a cloud, that is clusters, services, jobs, schedules and workspaces,
    with the version of the compute config that each names, and tells whether it runs with the
    wanted role. Writes nothing.
  - With O(aws), also lists the running instances of the cloud and their instance profiles.
  - A compute config that sets the role helps only where it is used. Anyscale has no default compute
    config that a cloud could be given, and what runs keeps the version that it was started with.
  - The role of a launch is that of the instance profiles of its version of the compute config, by all
    layers that decide them, as M(rayfleet.anyscale.cloud_iam_info) finds them. If that depends on which
    rule of the Cloud IAM mapping a workload matches, or on a layer whose order is not documented, the
    verdict is V(cannot_tell).
  - What a job, a service or a workspace runs on is a cluster, which is listed as well.
  - It is an error if the credentials are for another account than O(account_id), if credentials or
    the token are not accepted, if an option is invalid, or if Anyscale's answer has another form
    than its API. Of a cloud that does not run on AWS virtual machines nothing is listed, with a
    warning.
extends_documentation_fragment:
  - rayfleet.anyscale._attributes
  - rayfleet.anyscale._aws
  - rayfleet.anyscale._anyscale
attributes:
  check_mode:
    support: full
    description: Writes nothing, in C(check_mode) or not.
  diff_mode:
    support: none
    description: Changes nothing.
  idempotent:
    support: full
    description: Changes nothing.
options:
  cloud_id:
    description:
      - The cloud's ID. Exactly one of O(cloud_id) and O(cloud) is required.
    type: str
  cloud:
    description:
      - The cloud's name, from which Anyscale returns its ID.
    type: str
  role:
    description:
      - The name or ARN of the role that clusters should run with.
      - Without it, the role that is registered for the cloud, else the one named
        V(<cloud_id>-cluster_node_role).
    type: str
    aliases: [role_arn, role_name]
  instance_profile:
    description:
      - The name of an instance profile that should hold the role. A launch with any profile that
        holds the role runs with the role.
    type: str
  compute_config:
    description:
      - The names of the compute configs that launches should use, without a version. An older
        version of one of these that gives another role than its newest is V(older_version).
    type: list
    elements: str
  arn_kind:
    description:
      - The kind of ARN by which compute configs name the profile, that of the instance profile or
        that of the role. A launch that names it by another kind is V(cannot_tell).
    type: str
    choices: [instance_profile, role]
    default: instance_profile
  node_groups:
    description:
      - Whether V(all) node groups should run with the role, or those that name another instance
        profile themselves V(keep) it. See O(rayfleet.anyscale.compute_config_profile#module:node_groups).
    type: str
    choices: [all, keep]
    default: all
  node_group_roles:
    description:
      - The roles that node groups should run with instead, by the names of the groups. See
        O(rayfleet.anyscale.compute_config_profile#module:node_group_roles).
    type: dict
  further_roles:
    description:
      - The names or ARNs of other roles that clusters of the cloud are to run with, such as those
        that rules of the Cloud IAM mapping are to name. An instance with one of these, or with one
        of O(node_group_roles), is V(wanted).
    type: list
    elements: str
  limit:
    description:
      - How many launches of each kind to read at most, and how many compute configs, from 1 to
        10000. Each page has 50 launches and takes a call, and each compute config takes one.
        RV(truncated) names the kinds of which there are more.
    type: int
    default: 200
  active_only:
    description:
      - Whether to list only what runs or starts again by itself. V(false) lists what has ended, and
        schedules that are paused, as well.
    type: bool
    default: true
  aws:
    description:
      - Whether to list the running instances that have the cloud's ID in the tag
        C(anyscale-cloud-id), in the regions of the cloud's resources. This needs
        C(ec2:DescribeInstances), and makes a call for each 1000 instances.
      - Works in the partitions C(aws), C(aws-us-gov) and C(aws-cn). Elsewhere it is an error.
    type: bool
    default: false
seealso:
  - module: rayfleet.anyscale.cloud_iam_info
    description: Checks what decides the role. Its option check_launches adds this.
  - module: rayfleet.anyscale.compute_config_profile
    description: Sets the role in a compute config.
  - module: rayfleet.anyscale.cluster_identity_info
    description: Tells the role from within a node.
  - name: Anyscale, manage IAM roles
    description: The manual procedure.
    link: https://docs.anyscale.com/iam/manage-iam-roles
  - name: Amazon EC2, DescribeInstances
    description: What instances are read with.
    link: https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
notes:
  - The caller needs C(iam:GetRole) and C(iam:ListInstanceProfilesForRole) for the role, and with
    O(aws) C(ec2:DescribeInstances). Without one of the first two, verdicts are V(cannot_tell).
  - Anyscale lists only what the token's user may see. A kind of launch that may not be listed is in
    RV(unread), with a warning.
  - O(lock_dir) has no effect, since nothing is written.
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: List the launches of a cloud and its instances
  rayfleet.anyscale.cloud_launches_info:
    cloud: production
    account_id: "123456789012"
    role: ray-team-a
    compute_config: [team-a-ray]
    aws: true
  register: found

- name: Show what still runs with another role
  ansible.builtin.debug:
    msg: "{{ item.kind }} {{ item.name | default(item.id) }}: {{ item.reason }}"
  loop: "{{ (found.launches + found.instances) | rejectattr('verdict', 'eq', 'wanted') }}"
  loop_control:
    label: "{{ item.id }}"
"""

RETURN = r"""
cloud_id:
  description: The cloud's ID.
  type: str
  returned: success
  sample: cld_4fxb3wsbdcq2n1p9
role:
  description: The wanted role, by name or ARN; V(null) where it is not known.
  type: str
  returned: success
  sample: arn:aws:iam::123456789012:role/ray-team-a
compute_configs:
  description: The wanted compute configs that exist, each with its newest version. If one could not
    be read, there is a warning.
  type: list
  elements: dict
  returned: success
  contains:
    name:
      description: The name.
      type: str
      sample: team-a-ray
    version:
      description: The number of the newest version.
      type: int
      sample: 3
    id:
      description: The ID of that version.
      type: str
      sample: cpt_8kqvxwz5n5wdy3r3
launches:
  description: The launches.
  type: list
  elements: dict
  returned: success
  contains:
    kind:
      description: V(cluster), V(service), V(job), V(schedule) or V(workspace).
      type: str
      sample: job
    id:
      description: Its ID.
      type: str
      sample: prodjob_2k1dh1c8v1
    name:
      description: Its name.
      type: str
      sample: nightly-training
    state:
      description: Its state, in Anyscale's words. A schedule is V(ENABLED) or V(PAUSED).
      type: str
      sample: RUNNING
    version:
      description: For a service, the version. Each that runs is listed. Else V(null).
      type: str
    compute_config:
      description: The compute config with its C(id), C(name) and C(version). Values that are not
        known are V(null).
      type: dict
    instance_profiles:
      description: The instance profiles that its node groups get, or may get, by ARN or as the layer
        that decides it has them. Empty where they are not known.
      type: list
      elements: str
    verdict:
      description: V(wanted), every node group runs with the role that it is to run with, or keeps its
        own; V(other), one runs with another role; V(older_version), the same, with an older version
        of a wanted compute config; V(cannot_tell).
      type: str
      sample: older_version
    reason:
      description: Why, as a sentence.
      type: str
instances:
  description: The running instances. Empty without O(aws).
  type: list
  elements: dict
  returned: success
  contains:
    kind:
      description: V(instance).
      type: str
    id:
      description: Its ID.
      type: str
      sample: i-0abc1234def567890
    region:
      description: Its region.
      type: str
      sample: us-west-2
    state:
      description: V(pending) or V(running).
      type: str
    instance_profiles:
      description: The ARN of its instance profile, if it has one.
      type: list
      elements: str
    verdict:
      description: V(wanted), V(other) or V(cannot_tell).
      type: str
      sample: wanted
    reason:
      description: Why, as a sentence.
      type: str
counts:
  description: How many launches and instances have each verdict.
  type: dict
  returned: success
  sample: {wanted: 4, other: 1, older_version: 2, cannot_tell: 0}
truncated:
  description: The kinds of launches of which there are more than O(limit). There is a warning.
  type: list
  elements: str
  returned: success
unread:
  description: The kinds of launches that could not be listed, each with the reason. There is a
    warning.
  type: dict
  returned: success
error:
  description: Details of a failure, for conditions in a playbook.
  type: dict
  returned: failure, where there is more than a message
  contains:
    missing_permission:
      description: The IAM action to allow, where AWS refused a read.
      type: str
      sample: ec2:DescribeInstances
    operation:
      description: The AWS operation that failed.
      type: str
      sample: DescribeInstances
    code:
      description: AWS's error code.
      type: str
      sample: UnauthorizedOperation
    status:
      description: The HTTP status of the answer.
      type: int
      sample: 403
    request_id:
      description: The AWS request ID, for a support case.
      type: str
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.launches_info import (
    CloudLaunchesModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import run_module


def main() -> None:
    """Run as a module."""
    run_module(CloudLaunchesModule)


if __name__ == "__main__":
    main()
