#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_plan_info
short_description: Find the hosts of a fleet that a role would change
version_added: 0.2.0
description:
  - Plans the tasks of a role for all hosts of the batch, in one task and one process with threads,
    and returns the hosts that these tasks would change. The other hosts need no task of their own,
    which saves most of the time of a run over a fleet.
  - The plan is what the role's tasks would predict in check mode. Their conditions and arguments
    are templated for each host, with its variables. A host is in sync only if none of these tasks
    would change anything.
  - A host for which this cannot be decided (an undefined variable, a refused argument, an error of
    AWS or Anyscale, a connection that is not local) counts as one that may need changes, so that
    its own tasks report the reason. No host fails here.
  - The role may contain tasks of the modules M(rayfleet.anyscale.cloud_iam),
    M(rayfleet.anyscale.iam_trust_ec2), M(rayfleet.anyscale.s3_cloud_access) and
    M(rayfleet.anyscale.compute_config_profile), without loops, delegation, retries or an
    environment of their own. With any other task, all hosts count as ones that may need changes.
    The role's argument specification is not evaluated.
  - The task requires C(run_once=true), which also gives its result to all hosts.
requirements:
  - boto3 (on the controller)
options:
  role:
    description:
      - The fully qualified name of the role.
    type: str
    required: true
  tasks_from:
    description:
      - The role's entry point.
    type: str
    default: main
  observe:
    description:
      - V(auto) plans if there are more than O(few) hosts; V(always) plans; V(never) returns all
        hosts.
    type: str
    choices: [auto, always, never]
    default: auto
  few:
    description:
      - The largest number of hosts for which V(auto) does not plan.
    type: int
    default: 5
  threads:
    description:
      - How many hosts are planned at the same time. More threads help if calls take long, until the
        process uses a whole CPU core. From then on, only slices of the inventory on more machines
        help.
    type: int
    default: 8
  bulk_reads:
    description:
      - Whether roles and instance profiles are read in pages with
        C(iam:GetAccountAuthorizationDetails) if an account has many of the hosts. One page is read
        for every ten single reads that it may replace, so this saves calls in an account of any
        size. Credentials without this permission read them one by one.
    type: bool
    default: true
  rings:
    description:
      - The rings of a rollout, in order. The ring of a host is its variable C(anyscale_ring). Hosts
        without a ring in this list come last.
    type: list
    elements: str
    default: []
  canary_percent:
    description:
      - The size of the canary in percent of the hosts that may need changes, rounded up to whole
        hosts. The canary is a batch of its own, which comes first. Its hosts are taken from the
        first ring, then from the next, and so on.
    type: int
    default: 0
    version_added: 0.4.0
  part:
    description:
      - V(canary) returns only the hosts of the canary.
    type: str
    choices: [all, canary]
    default: all
    version_added: 0.4.0
  serial:
    description:
      - The maximum size of a batch. If not set, the canary and each ring are one batch each.
    type: int
    version_added: 0.4.0
  changed_by:
    description:
      - The name of a variable in which a task registered its result earlier in this run. Only hosts
        that this task changed are planned. In check mode there are none.
      - The task waits for three seconds before it plans. Another controller, which shares no locks
        with this one, may have read a policy before this run wrote it, and may overwrite it later.
        After this time it has done so.
      - A host that needs changes again causes a warning.
    type: str
    version_added: 0.4.0
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.run_once
attributes:
  check_mode:
    support: full
    description: Changes nothing, with or without C(check_mode).
  diff_mode:
    support: none
    description: The hosts' own tasks show the differences.
  idempotent:
    support: full
    description: Changes nothing.
seealso:
  - module: rayfleet.anyscale.cloud_iam
    description: The task of the role that the playbook C(rayfleet.anyscale.onboard) plans.
  - name: IAM, GetAccountAuthorizationDetails
    description: The AWS operation that reads pages.
    link: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Find clouds that need changes
  rayfleet.anyscale.fleet_plan_info:
    role: rayfleet.anyscale.cloud_iam
    observe: always
  run_once: true
  register: plan

- name: Show the plan
  ansible.builtin.debug:
    var: plan.differing
  run_once: true

- name: Add one of these hosts to a group, since each host has the plan
  ansible.builtin.add_host:
    name: "{{ plan.hosts[0] }}"
    groups: planned
  when: plan.hosts | length > 0
  changed_when: false

# In a later play:
- name: Converge only these clouds
  hosts: "{{ hostvars[groups.planned[0]].plan.hosts if 'planned' in groups else 'all:!all' }}"
  connection: local
  gather_facts: false
  roles:
    - rayfleet.anyscale.cloud_iam
"""

RETURN = r"""
hosts:
  description: The hosts that need changes or could not be planned, ring by ring, and within a ring
    in the order of the inventory. With O(part=canary), only the canary. Can be used as the C(hosts)
    of a play.
  returned: success
  type: list
  elements: str
  sample: [vision-prod]
batches:
  description: How many of RV(hosts) belong to the canary and to each ring or, if O(serial) is set,
    to each batch of them. Empty batches are left out. Can be used as the C(serial) of a play.
  returned: success
  type: list
  elements: int
  sample: [1, 1]
later:
  description: How many hosts that need changes or could not be planned are not in RV(hosts),
    because they do not belong to the canary.
  returned: success
  type: int
  sample: 0
  version_added: 0.4.0
differing:
  description: For each host that needs changes, the reason codes of the first task that would
    change something.
  returned: success
  type: dict
  sample: {"vision-prod": ["ec2_trust_missing"]}
resources:
  description: For each host that needs changes, the names of the resources that this task would
    write.
  returned: success
  type: dict
  sample: {"vision-prod": ["trust policy of arn:aws:iam::222222222222:role/vision-prod-ray"]}
  version_added: 0.4.0
unseen:
  description: For each host that could not be planned, the reason.
  returned: success
  type: dict
  sample: {"search-dev": "Role search-dev-ray does not exist in account 222222222222."}
right:
  description: How many hosts are in sync.
  returned: success
  type: int
  sample: 498
"""
