#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: offboard_refusals_info
short_description: Find the Anyscale clouds that must not be offboarded
version_added: 0.7.0
description:
  - Each host is a cloud. Returns the hosts whose role must not be taken away, because their
    clusters fall back to it, or because another cloud needs it. Nothing is changed.
  - The role of a host is C(cloud_iam_role), else the one that is registered at Anyscale, which the
    variable C(anyscale_default_role_arn) names. If a host names neither and its variable
    C(offboard_default_role) is V(true), the registered role is asked of Anyscale.
  - A default role of a cloud is the registered one, and V(<cloud_id>-cluster_node_role).
  - Roles are compared by account and name. The account of a cloud is C(cloud_iam_account_id), else
    that of one of the ARNs above. If the account of one of the clouds is not known, roles are
    compared by name.
  - The variables C(offboard_default_role) and C(offboard_shared_role) of a host allow its cloud's
    default role, and a role that other clouds need, to be taken away. What another cloud is
    registered with is no veto.
  - A cloud is refused also while something still runs with a role that is offboarded with it, its own
    or one of a node group or of a rule, and would lose its access, that is active launches (clusters,
    services, jobs, schedules and workspaces) whose compute config gives any node group the role, and
    running instances whose instance profile holds the role. If the variable C(offboard_running) of
    the host is V(warn), there is a warning instead.
  - This is asked only of hosts in O(hosts) that are not refused already, with the role's session and
    up to 16 hosts at a time. It costs about twelve calls for each cloud, two for each role besides the
    first, of which at most 50 are read, and one for each compute config in use, of which at most 200
    are read, as of each kind of launch.
  - What could not be found out, for example without C(ec2:DescribeInstances) or where it depends on the
    rule of the Cloud IAM mapping that a workload matches, refuses nothing, because it would never end
    for a caller without that permission. There is a warning with the reason. With
    C(cloud_iam_publish=false), only the instances in C(cloud_iam_region) are found.
  - Instances are found by the tag C(anyscale-cloud-id). An instance of the role that is not the cloud's
    is not noticed.
  - The task requires C(run_once=true).
options:
  hosts:
    description:
      - The hosts to offboard.
    type: list
    elements: str
    required: true
  fleet:
    description:
      - Hosts that are also clouds, in addition to O(hosts), whether or not the run is limited to
        others.
    type: list
    elements: str
    default: []
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.run_once
  - rayfleet.anyscale._attributes.info
seealso:
  - module: rayfleet.anyscale.fleet_converge
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Refuse to offboard roles that clusters need
  rayfleet.anyscale.offboard_refusals_info:
    hosts: "{{ selection.hosts }}"
    fleet: "{{ groups.anyscale_clouds }}"
  run_once: true
  register: guard

- name: Offboard the other clouds
  rayfleet.anyscale.fleet_converge:
    run: "{{ selection.run }}"
    hosts: "{{ selection.hosts }}"
    refused: "{{ guard.refused }}"
    state: absent
    step: "{{ item }}"
  loop: "{{ range(selection.hosts | length + 1) | list }}"
  loop_control:
    break_when: step.finished
  run_once: true
  register: step
"""

RETURN = r"""
refused:
  description: The hosts that must not be offboarded, each with the reason.
  returned: success
  type: dict
  sample:
    vision-prod: "ray-team-a is also a role of vision-lab, according to the inventory. ..."
"""
