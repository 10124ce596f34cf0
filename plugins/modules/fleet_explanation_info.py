#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_explanation_info
short_description: Explain the IAM set-up of clouds that were audited
version_added: 1.0.0
description:
  - Says of each cloud whether its clusters can start, what to do about what is wrong, and what was
    found in each layer of its IAM set-up. Displays it as it stands, wrapped at the width of the
    terminal and at most at 100 columns.
  - The results are those of M(rayfleet.anyscale.fleet_audit) and, for the hosts that it left, those
    that the hosts registered. Calls nothing and writes nothing.
  - M(rayfleet.anyscale.fleet_outcome_info) then fails for each cloud of which nothing could be read.
  - The task requires C(run_once=true), which also gives its result to all hosts.
options:
  run:
    description:
      - The RV(rayfleet.anyscale.fleet_selection_info#module:run) of the selection.
    type: str
    required: true
  hosts:
    description:
      - The hosts to explain, in this order.
    type: list
    elements: str
    required: true
  results:
    description:
      - The variable in which hosts that are left registered the result of
        M(rayfleet.anyscale.cloud_iam_info).
    type: str
    default: cloud_iam_info_result
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.run_once
  - rayfleet.anyscale._attributes.info
seealso:
  - module: rayfleet.anyscale.fleet_audit
  - module: rayfleet.anyscale.cloud_iam_info
  - module: rayfleet.anyscale.audit_report
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Explain the clouds that were audited
  rayfleet.anyscale.fleet_explanation_info:
    run: "{{ selection.run }}"
    hosts: "{{ selection.hosts }}"
  run_once: true
  register: explained
"""

RETURN = r"""
explanations:
  description: The explanation of each cloud.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The host.
      type: str
      sample: vision-prod
    answer:
      description: Whether clusters can start, have the access to the bucket that they need, and run
        with the role. V(yes); V(no); V(maybe), a finding says what it depends on; V(unknown), a fact
        could not be read; V(not_applicable), there is nothing to check.
      type: str
      sample: "no"
    sentence:
      description: The answer in words.
      type: str
      sample: Clusters cannot start with the role.
    error:
      description: Why nothing of the cloud could be read, else V(null).
      type: str
    cloud:
      description: As RV(rayfleet.anyscale.cloud_iam_info#module:cloud).
      type: dict
    steps:
      description: What to do, in this order. Each step has the C(command) that fixes its C(findings),
        or, where that is empty, the remedy about which people must C(decide). A finding is the
        C(id), C(status), C(title) and C(reason) of a check that failed, warns or is unknown, and a
        C(note) on the command.
      type: list
      elements: dict
    needs:
      description: The variables that this run was given with C(-e) and that the commands need too, but
        do not have, because they are no plain values or may be secret.
      type: list
      elements: str
      sample: [cloud_iam_backup_key]
    connected_by:
      description: The variables of the connection that this run was given with C(-e), which no command
        repeats, since what may read may not be allowed to write.
      type: list
      elements: str
      sample: [cloud_iam_profile]
    layers:
      description: Each layer, with its C(title) and its C(checks). A check has C(id), C(status),
        C(reason), C(acknowledged), and C(step), the number of the step that is for it, from 1, else
        V(null).
      type: list
      elements: dict
lines:
  description: What was displayed.
  returned: success
  type: list
  elements: str
"""
