#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: compute_config_profile
short_description: Set a role's instance profile in an Anyscale compute config
version_added: 0.1.0
description:
  - Creates the instance profile of an existing IAM role if it is missing, and publishes a version
    of a compute config that runs clusters with this instance profile, on every node.
  - Versions of a compute config are immutable. A new version is published only if its content
    differs from the newest one. Everything else in the compute config is kept, and older versions
    are not changed.
  - A head node or a worker group with its own advanced instance configuration ignores the one of
    the cluster completely, so the instance profile is set there too. Deployments on Kubernetes and
    on other providers are not changed.
  - An instance profile that contains another role is an error. Its role is never replaced.
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
      - The ID of the Anyscale cloud. Names of compute configs are unique only within a cloud.
      - A change for a cloud that is registered in another account than that of the role is an error.
      - Exactly one of O(cloud_id) and O(cloud) is required.
    type: str
  cloud:
    description:
      - The name of the Anyscale cloud. It costs a call to look up, and must be unique in the
        organization.
    type: str
  role:
    description:
      - The name or ARN of the IAM role that the cloud's clusters run with. If not set, the role that
        the cloud was registered with at Anyscale, or V(<cloud_id>-cluster_node_role) if none is.
    type: str
    aliases: [role_arn, role_name]
  instance_profile:
    description:
      - The name of the instance profile. If not set, the name of the role, which is what Anyscale
        falls back to. If no profile of that name contains the role, but the one that the cloud was
        registered with at Anyscale does (C(cluster_instance_profile_id)), that one is used. With
        O(publish=false), Anyscale is not asked for it.
    type: str
  create_instance_profile:
    description:
      - Whether the instance profile is created if it does not exist. With V(false), a missing
        instance profile is an error.
    type: bool
    default: true
  create_compute_config:
    description:
      - Whether the compute config is created if it does not exist, or taken out of the archive. With
        V(false), that is an error, which lists the compute configs of the cloud and suggests the
        nearest name, in case O(name) is misspelled. With V(true), a warning does so if the cloud
        has compute configs with other names.
      - It is not used for O(state=absent), O(state=archived) and O(publish=false).
    version_added: 0.8.0
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
      - It is not used for O(state=absent) and O(state=archived), nor where nothing has to change.
    type: bool
    default: false
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
        the YAML file that C(anyscale compute-config create) reads (C(head_node), C(worker_nodes),
        C(zones), C(advanced_instance_config) and so on). Keys that are given are enforced, keys
        that are left out are not changed. Worker groups are matched by name.
      - A compute config that does not exist yet is created from this option, or, if it is not set,
        from the cloud's default compute config.
    type: dict
  node_groups:
    description:
      - Which node groups of the compute config get the instance profile of O(role).
      - With V(all), each that would run without it, also one that names another instance profile.
      - With V(keep), a head node or worker group that names another instance profile in its own
        advanced instance configuration keeps it, and that is no difference. The cluster's instance
        profile is set all the same, and in each node group that hides it without naming one.
      - Different roles for groups of workers are a set-up that Anyscale supports, see
        U(https://docs.anyscale.com/configuration/compute/aws).
    version_added: 0.9.0
    type: str
    choices: [all, keep]
    default: all
  node_group_roles:
    description:
      - The roles of node groups that run with another one than O(role), by the names of the groups,
        for example C(gpu) with the value C(ray-team-a-gpu). A value is the name or ARN of an existing role in
        the cloud's account. The name of the head node's group is V(head_node).
      - Each such role gets what O(role) gets here. Its instance profile, which has its name, is
        created as O(create_instance_profile) says, and a role that no cluster may run with is
        refused, see O(allow_privileged).
      - A named group that had no advanced instance configuration of its own gets a copy of the
        cluster's, with its own instance profile, since its own hides the cluster's completely.
      - A name that no node group on AWS virtual machines has is an error, which lists the names that
        there are. Workers that Anyscale selects itself have no name.
      - With O(state=absent), the instance profiles of these roles are taken out of the named groups
        too, as far as these exist.
    version_added: 0.9.0
    type: dict
  dest:
    description:
      - A file to which the compute config is written as well, as YAML for C(anyscale compute-config
        create). An existing file must contain a compute config, and keeps its mode; a new one has that
        of the umask. The directory must exist.
    type: path
  publish:
    description:
      - Whether the compute config is read from and published to Anyscale. With V(false), only the
        instance profile and O(dest) are converged, and no token is required if O(role) is set.
    type: bool
    default: true
  state:
    description:
      - V(present) creates the instance profile and publishes a version that contains it, as needed.
        A compute config that is archived is taken out of the archive, with all its versions.
      - V(absent) publishes a version without this instance profile, and those of
        O(node_group_roles), if the newest version contains one. Other instance profiles in the
        compute config, and the instance profiles themselves, are kept.
      - V(archived) archives the compute config with all its versions, including those of other
        writers. Its name cannot be used until it is taken out of the archive.
    type: str
    choices: [present, absent, archived]
    default: present
seealso:
  - module: rayfleet.anyscale.iam_trust_ec2
    description: The first step, EC2 in the role's trust policy.
  - module: rayfleet.anyscale.s3_cloud_access
    description: The previous step, access to the cloud's bucket.
  - module: rayfleet.anyscale.fleet_converge
    description: Does the same, and the steps before it, for many clouds.
  - name: Anyscale, compute configuration on AWS
    description: The content of the advanced instance configuration, and which node groups use it.
    link: https://docs.anyscale.com/configuration/compute/aws
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Run the clusters of a team with a role of their own
  rayfleet.anyscale.compute_config_profile:
    name: team-a
    cloud_id: cld_4fxb3wsbdcq2n1p9
    role: ray-team-a
    account_id: "123456789012"
  register: team_a

- name: Submit a job that uses it
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

- name: Run one group of workers with another role, and leave others that name one alone
  rayfleet.anyscale.compute_config_profile:
    name: team-a
    cloud_id: cld_4fxb3wsbdcq2n1p9
    role: ray-team-a
    account_id: "123456789012"
    node_groups: keep
    node_group_roles:
      gpu: ray-team-a-gpu

- name: Create only the instance profile and a file for the anyscale command
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
    - Why a change was needed, one code per kind of difference. Empty if nothing changed.
    - V(instance_profile_missing), the instance profile did not exist;
      V(instance_profile_without_role), it contained no role; V(compute_config_missing), the compute
      config did not exist; V(compute_config_archived), it was archived; V(profile_missing), it had
      no instance profile; V(profile_differs), it had another one; V(profile_by_name), it had the
      name of the instance profile instead of an ARN; V(wrong_arn_kind), it had the ARN of the role
      instead of the instance profile, or the other way round; V(node_group_hides_profile), the
      advanced instance configuration of a node group hid the instance profile;
      V(node_group_profile_differs), a node group had another instance profile than it is to have;
      V(config_differs),
      the live compute config differed from O(config); V(concurrent_version_lost), another writer
      published a version at the same time, and a further version has what it set; V(dest_differs),
      the file differed;
      V(profile_present), the compute config had the instance profile, which O(state=absent)
      removes; V(not_archived), it was not archived yet.
  type: list
  elements: str
  returned: success
  sample: [compute_config_missing]
compute_config:
  description:
    - The version that clusters are to use, as V(name:version). V(null) if the compute config does
      not exist or is archived.
  type: str
  returned: success, unless O(publish=false)
  sample: team-a:4
compute_config_id:
  description: The ID of that version. V(null) in check mode if the version does not exist yet.
  type: str
  returned: success, unless O(publish=false)
  sample: cpt_8kfdcvmckjnjqd1xwnctmpldl4
previous_version:
  description: The newest version before the change. V(null) if there was none.
  type: int
  returned: success, unless O(publish=false)
  sample: 3
instance_profile_arn:
  description: The ARN of the instance profile.
  type: str
  returned: success, unless O(state=archived)
  sample: arn:aws:iam::123456789012:instance-profile/ray-team-a
node_group_instance_profiles:
  description: The ARN of the instance profile of each group in O(node_group_roles), by its name.
  type: dict
  returned: success, with O(node_group_roles), unless O(state=archived)
  sample: {"gpu": "arn:aws:iam::123456789012:instance-profile/ray-team-a-gpu"}
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
      description: The name of the cloud resource of the deployment.
      type: str
      sample: vm-aws-us-west-2
    reason:
      description: One of the codes in RV(reasons).
      type: str
      sample: node_group_hides_profile
    before:
      description: The instance profile before the change.
      type: str
    after:
      description: The instance profile after the change.
      type: str
not_applicable:
  description: The deployments that do not run on AWS virtual machines and therefore have no
    instance profile.
  type: list
  elements: dict
  returned: success, unless O(publish=false)
file:
  description: The absolute path of O(dest).
  type: str
  returned: if O(dest) is set
previous:
  description: The instance profile, the compute config (in a normalized form) and the file before
    the change.
  type: dict
  returned: changed
backup_file:
  description: The file with the compute config before and after the change. If the compute config
    had to be written more than once, the last file.
  type: str
  returned: changed, with O(backup=true), unless the compute config itself did not change
  sample: >-
    /home/ops/.ansible/anyscale_backups/20261124T101500-123456Z.4711.compute_config.team-a-0cc175b9c0f1.json
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
    method:
      description: The HTTP method of the Anyscale API call that failed.
      type: str
      sample: POST
    path:
      description: The path of the Anyscale API call that failed.
      type: str
      sample: /api/v2/compute_templates/
    status:
      description: The HTTP status of the response.
      type: int
      sample: 403
    trace_id:
      description: The trace ID of the Anyscale response, for a support case.
      type: str
    written:
      description: The resources that were written before the failure. Absent if none are known to
        have been.
      type: list
      elements: str
      sample: ["instance profile ray-team-a"]
    backup_file:
      description: The file with the document that was replaced before the failure.
      type: str
      sample: >-
        /home/jo/.ansible/anyscale_backups/20270105T090000-000000Z.4711.compute_config.team-a-0cc175b9c0f1.json
"""

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config import (
    ComputeConfigModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import run_module


def main() -> None:
    """Run as a module."""
    run_module(ComputeConfigModule)


if __name__ == "__main__":
    main()
