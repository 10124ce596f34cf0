#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: playbook_variables_info
short_description: Validate the variables of a playbook of this collection
version_added: 1.0.0
description:
  - Validates the variables of one of the collection's playbooks by the specification that the
    reference pages are made from, and returns their values.
  - The playbooks for clouds do the same in the first of their tasks, by its option C(playbook).
  - A value of another type, one that is not among the choices, and one out of bounds are errors,
    which name the variable. So is a variable that begins as those of the playbook do and that does
    not exist, because a misspelt one would be ignored.
  - Variables that are read for each host are validated by the task that reads them. One that is read
    once for all hosts has to have one value for all of them, where the task has C(run_once=true). The
    pattern of hosts, such as C(onboard_hosts), is an error as a variable of hosts, since Ansible selects
    the hosts of a play before it reads theirs.
options:
  playbook:
    description:
      - The name of the playbook, without the name of the collection.
    type: str
    required: true
    choices: [audit, explain, onboard, offboard, heal, rollback, verify_cluster, awx, awx_report]
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.controller
  - rayfleet.anyscale._attributes.info
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Validate the variables
  rayfleet.anyscale.playbook_variables_info:
    playbook: onboard
  run_once: true
"""

RETURN = r"""
variables:
  description: The values of the variables in their types, with the defaults of those that are not set.
  returned: success
  type: dict
  sample:
    onboard_canary_percent: 10
    onboard_hosts: [anyscale_clouds]
"""
