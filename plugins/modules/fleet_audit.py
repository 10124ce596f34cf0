#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: fleet_audit
short_description: Check the IAM set-up of all clouds of a play without changing it
version_added: 0.7.0
description:
  - Reads and checks each host's cloud as M(rayfleet.anyscale.cloud_iam_info) does, in one task and
    one process with threads, which share connections, credentials and bulk reads. Writes nothing.
  - A cloud's options are the variables C(cloud_iam_*) of its host, which are documented in the role
    P(rayfleet.anyscale.cloud_iam#role).
  - The results are stored in a file for M(rayfleet.anyscale.audit_report), so that the result of
    this task stays small. The file is removed with the temporary directory of the run.
  - A cloud that cannot be audited, because of its variables or an error of AWS or Anyscale, has that
    message as its result. No host fails here.
  - A host whose tasks would not run in a process of this machine, as this user and with this Python
    is left. That is a host with another connection, with C(ansible_become), with another
    C(ansible_python_interpreter) or with C(anyscale_in_worker=false), and every host on macOS. The
    entry point C(info) of the role audits it.
  - The task requires C(run_once=true), which also gives its result to all hosts.
requirements:
  - boto3 (on the controller)
options:
  run:
    description:
      - The RV(rayfleet.anyscale.fleet_selection_info#module:run) of the selection.
    type: str
    required: true
  hosts:
    description:
      - The hosts to audit.
    type: list
    elements: str
    required: true
  engine:
    description:
      - V(false) leaves all hosts.
    type: bool
    default: true
  threads:
    description:
      - How many clouds are audited at the same time. In one AWS account at most eight calls are in
        flight, and fewer while AWS throttles them.
    type: int
    default: 16
  bulk_reads:
    description:
      - Whether roles, instance profiles and policies are read with
        C(iam:GetAccountAuthorizationDetails), and the regions of buckets with
        C(s3:ListAllMyBuckets), where that takes fewer calls. Without these permissions they are read
        one by one.
    type: bool
    default: true
  fail_on:
    description:
      - Which clouds P(rayfleet.anyscale.fleet_run_hosts#lookup) returns for the play that reports, as the
        option of M(rayfleet.anyscale.audit_report) is set there. Here the task fails for none.
    type: str
    choices: [never, error, drift]
    default: error
    version_added: 1.0.0
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.run_once
  - rayfleet.anyscale._attributes.info
seealso:
  - module: rayfleet.anyscale.fleet_selection_info
  - module: rayfleet.anyscale.cloud_iam_info
  - module: rayfleet.anyscale.audit_report
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Audit all clouds
  hosts: anyscale_clouds
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - name: Select clouds
      rayfleet.anyscale.fleet_selection_info:
      run_once: true
      register: selection

    - name: Read and check all clouds
      rayfleet.anyscale.fleet_audit:
        run: "{{ selection.run }}"
        hosts: "{{ selection.hosts }}"
      run_once: true
      register: audited

    - name: Read and check the clouds that are left
      ansible.builtin.import_role:
        name: rayfleet.anyscale.cloud_iam
        tasks_from: info
      when: inventory_hostname in audited.left
      ignore_errors: true # noqa: ignore-errors

    - name: Write the report
      rayfleet.anyscale.audit_report:
        run: "{{ selection.run }}"
        report_dir: reports
      run_once: true
"""

RETURN = r"""
left:
  description: The hosts that were not audited, in order.
  returned: always
  type: list
  elements: str
  sample: [speech-lab]
obstacles:
  description: Why each of RV(left) was not audited.
  returned: always
  type: dict
  sample: {"speech-lab": "the connection is ssh"}
"""
