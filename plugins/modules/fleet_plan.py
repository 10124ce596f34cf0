#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_plan
short_description: Look at a whole fleet at once, and tell which clouds a role would change
version_added: 0.2.0
description:
  - Looks at all hosts of the batch in one task and one process, with threads, and tells which of
    them the tasks of a role would change. The others need no task of their own, which is most of
    what a run over a fleet costs.
  - What is looked at is what the role's tasks themselves would look at in check mode. Their
    conditions and arguments are templated for each host, with its variables. A host is right only
    if none of them would change anything.
  - Whatever cannot be told of a host (an undefined variable, an argument that is refused, an error
    of AWS or Anyscale, a connection that is not local) makes that host one that goes on, so that
    its own tasks show it. A host never fails here.
  - The role may hold tasks of the modules M(rayfleet.anyscale.cloud_iam),
    M(rayfleet.anyscale.iam_trust_ec2), M(rayfleet.anyscale.s3_cloud_access) and
    M(rayfleet.anyscale.compute_config_profile), without loops, delegation, retries or an
    environment of their own; with any other, all hosts go on. Its argument specification is not
    looked at.
  - The task needs C(run_once=true), which is what gives its result to all hosts.
options:
  role:
    description:
      - The role whose tasks are meant, by its full name.
    type: str
    required: true
  tasks_from:
    description:
      - The role's entry point.
    type: str
    default: main
  observe:
    description:
      - V(auto) looks where there are more than O(few) hosts; V(always) looks; V(never) lets all
        hosts go on.
    type: str
    choices: [auto, always, never]
    default: auto
  few:
    description:
      - How many hosts are too few to be worth it.
    type: int
    default: 5
  threads:
    description:
      - How many hosts are looked at at a time. More help where calls take long; from some point on
        this process is busy all the time, and slices of the inventory on more machines are what
        helps.
    type: int
    default: 8
  bulk_reads:
    description:
      - Whether roles and instance profiles are read by the page
        (C(iam:GetAccountAuthorizationDetails)) where an account has many of the hosts. A page is
        read for every ten reads that were asked for, so that it saves calls in any account. A
        caller who may not do this reads them one by one.
    type: bool
    default: true
  rings:
    description:
      - The rings of a rollout, in their order. A host's ring is its variable C(anyscale_ring).
        Hosts of no ring on this list come last.
    type: list
    elements: str
    default: []
  canary_percent:
    description:
      - How many percent of the hosts that go on come first, as a batch of their own; at least one
        host, where it is not V(0). They are the first of the first ring, and so on.
    type: int
    default: 0
    version_added: 0.4.0
  part:
    description:
      - With V(canary), only these hosts go on.
    type: str
    choices: [all, canary]
    default: all
    version_added: 0.4.0
  serial:
    description:
      - How many hosts a batch has at the most. Without it, the canary and each ring are a batch.
    type: int
    version_added: 0.4.0
  changed_by:
    description:
      - The name of a variable. Only hosts are looked at whose task registered by it, earlier in
        this run, that it changed something. In check mode there are none.
      - Before it looks, the task waits for three seconds. Another controller, which shares no locks
        with this one, may have looked at a policy before this run wrote to it, and overwrites it
        after that. By then it has done so.
      - A host that differs again is warned about.
    type: str
    version_added: 0.4.0
attributes:
  check_mode:
    support: full
    description: Changes nothing, in check mode or out of it.
  diff_mode:
    support: none
    description: The tasks of the hosts that go on show their differences.
  idempotent:
    support: full
    description: Changes nothing.
  platform:
    support: full
    platforms: posix
    description: Runs on the controller, which needs boto3.
  action:
    support: full
    description: Runs on the controller.
  bypass_host_loop:
    support: full
    description: Runs once for the batch. The strategies P(ansible.builtin.free#strategy) and
      P(ansible.builtin.host_pinned#strategy) refuse it.
seealso:
  - module: rayfleet.anyscale.cloud_iam
    description: The task of the role that the playbook C(rayfleet.anyscale.onboard) looks at.
  - name: IAM, GetAccountAuthorizationDetails
    description: The call that reads by the page.
    link: https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Tell which clouds need something
  rayfleet.anyscale.fleet_plan:
    role: rayfleet.anyscale.cloud_iam
    observe: always
  run_once: true
  register: plan

- name: Show why
  ansible.builtin.debug:
    var: plan.differing
  run_once: true

- name: Remember one of those that go on, since each of them knows the plan
  ansible.builtin.add_host:
    name: "{{ plan.hosts[0] }}"
    groups: planned
  when: plan.hosts | length > 0
  changed_when: false

# Then, after this play:
- name: Converge only those
  hosts: "{{ hostvars[groups.planned[0]].plan.hosts if 'planned' in groups else 'all:!all' }}"
  connection: local
  gather_facts: false
  roles:
    - rayfleet.anyscale.cloud_iam
"""

RETURN = r"""
hosts:
  description: The hosts that differ or could not be seen, ring by ring and in a ring in the order
    of the inventory; with O(part=canary), the first of them. A play can have them as its C(hosts).
  returned: success
  type: list
  elements: str
  sample: [vision-prod, search-dev]
batches:
  description: How many of RV(hosts) the canary and each ring have, or each batch of them where
    O(serial) is given; as a play's C(serial) takes it. Those without any are left out.
  returned: success
  type: list
  elements: int
  sample: [1, 1]
later:
  description: How many hosts that differ or could not be seen are not in RV(hosts), since they are
    not of the canary.
  returned: success
  type: int
  sample: 0
  version_added: 0.4.0
differing:
  description: Of each host that differs, the reasons that the first task that would change
    something gives.
  returned: success
  type: dict
  sample: {"vision-prod": ["ec2_trust_missing"]}
resources:
  description: Of each host that differs, the names of what that task would write to.
  returned: success
  type: dict
  sample: {"vision-prod": ["trust policy of arn:aws:iam::222222222222:role/vision-prod-ray"]}
  version_added: 0.4.0
unseen:
  description: Of each host that could not be seen to the end, why.
  returned: success
  type: dict
  sample: {"search-dev": "Role search-dev-ray does not exist in account 222222222222."}
right:
  description: How many hosts need nothing.
  returned: success
  type: int
  sample: 498
"""
