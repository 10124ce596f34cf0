#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_selection_info
short_description: Select the clouds of a play by account, region and name
version_added: 0.4.0
description:
  - Validates the answers of a survey, and returns the hosts of the batch that they select. A host
    is selected if O(accounts), O(regions) and O(clouds) all select it.
  - In AWX this replaces a limit. A limit that matches no host of a slice makes AWX fail the whole
    sliced job, but a play that selects none of the slice's hosts just ends.
  - The task requires C(run_once=true), which also gives its result to all hosts.
options:
  playbook:
    description:
      - The playbook of this collection that the task is the first one of. Its variables are validated before
        anything else, as by M(rayfleet.anyscale.playbook_variables_info).
    type: str
    version_added: 1.0.0
  accounts:
    description:
      - AWS accounts. The account of a host is C(cloud_iam_account_id), else that of the ARN in
        C(cloud_iam_role). A host whose account is unknown is left out, with a warning.
      - In this and the next two options, a string is split at commas, and an empty value selects
        all hosts.
    type: list
    elements: str
    default: []
  regions:
    description:
      - Regions. The region of a host is C(cloud_iam_region). A host whose region is unknown is left
        out, with a warning.
    type: list
    elements: str
    default: []
  clouds:
    description:
      - Names of hosts, in which V(*) stands for any text and V(?) for any character. An item that
        begins with V(!) leaves hosts out.
    type: list
    elements: str
    default: []
  require_selection:
    description:
      - Whether it is an error if none of the options above is set and O(limited=false).
    type: bool
    default: false
  limited:
    description:
      - Whether the hosts of the play are a selection already, because of C(--limit) or of the pattern
        of the play. It is then enough for O(require_selection).
    version_added: 1.0.0
    type: bool
    default: false
  confirm_above:
    description:
      - The number of selected hosts up to which nothing has to be confirmed. With more of them it is an
        error if O(confirmed) is not set. By default, nothing has to be confirmed.
    version_added: 1.0.0
    type: int
  confirmed:
    description:
      - How many hosts are expected to be selected. Another number of selected hosts is an error, even
        if O(confirm_above) is not exceeded. It counts only with O(confirm_above).
    version_added: 1.0.0
    type: int
  allow_empty_selection:
    description:
      - Whether an empty selection is allowed, for example in one slice of many. Otherwise it is an
        error.
    type: bool
    default: false
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.run_once
  - rayfleet.anyscale._attributes.info
seealso:
  - module: rayfleet.anyscale.fleet_converge
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Select clouds
  rayfleet.anyscale.fleet_selection_info:
    accounts: "{{ fleet_accounts | default([]) }}"
    clouds: vision-*, !vision-lab
  run_once: true
  register: selection

- name: Converge them
  rayfleet.anyscale.fleet_converge:
    run: "{{ selection.run }}"
    hosts: "{{ selection.hosts }}"
    step: "{{ item }}"
  loop: "{{ range(selection.hosts | length + 1) | list }}"
  loop_control:
    break_when: step.finished
  run_once: true
  register: step
"""

RETURN = r"""
run:
  description: A name for what is done with the selection, for the tasks that do it.
  returned: success
  type: str
  sample: 0f3a9c41
hosts:
  description: The selected hosts, in the order of the inventory.
  returned: success
  type: list
  elements: str
  sample: [vision-dev, vision-prod]
not_permitted:
  description: Clouds in the group C(anyscale_uncovered) that would be selected if the fleet file
    covered them. Empty if the pattern of the play is another one than C(anyscale_clouds).
  returned: success
  type: list
  elements: str
  sample: []
total:
  description: The number of hosts that the selection was made from.
  returned: success
  type: int
  sample: 12
"""
