#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_report
short_description: Write the report on an audit of a fleet, for people and for machines
version_added: 0.2.0
description:
  - Gathers what the module M(rayfleet.anyscale.cloud_iam_info) found for each host of the play, and
    writes it as JSON, CSV and HTML.
  - A host without a result, or whose task failed, is in the report with the state V(error) and its
    message. The state of any other cloud is that of its worst check.
  - The task needs C(run_once=true), which is what gives its result to all hosts.
options:
  results:
    description:
      - The name of the variable in which each host's result of M(rayfleet.anyscale.cloud_iam_info)
        is registered.
    type: str
    default: cloud_iam_info_result
  report_dir:
    description:
      - The folder to write to, on the controller. It is made if there is none, for its owner alone.
        A relative path begins where Ansible was started.
      - What an earlier report left there is replaced.
    type: path
    required: true
  previous_report:
    description:
      - The C(report.json) of an earlier audit. Each finding is then marked as new, persisting,
        fixed or gone.
      - It may be the one in O(report_dir), which is read before it is replaced. Where there is no
        such file there is a warning, so that the first audit of a schedule needs no other options.
      - There is a warning, too, if it has clouds that this report has not, as after an audit with
        C(--limit) over the same file.
    type: path
  fail_on:
    description:
      - For which clouds the task fails, once the report is written.
      - V(never) is for none; V(error) for those that could not be audited; V(drift) also for those
        with a check that failed, or with one that warns of a document that onboarding would write
        anew.
      - Any other check that only warns, or that could not be told, never fails the task. With
        V(drift) there is a warning if there are clouds of which it cannot be told. A cloud of which
        no check could be told counts as not audited.
    type: str
    choices: [never, error, drift]
    default: error
attributes:
  check_mode:
    support: full
    description: In check mode nothing is written; all else is the same.
  diff_mode:
    support: none
    description: A report is no change.
  idempotent:
    support: full
    description: A report is no change. Each run replaces the files.
  platform:
    support: full
    platforms: posix
    description: Runs on the controller.
  action:
    support: full
    description: Runs on the controller.
  bypass_host_loop:
    support: full
    description: Runs once for the play. The strategies P(ansible.builtin.free#strategy) and
      P(ansible.builtin.host_pinned#strategy) refuse it.
notes:
  - The files hold policies, ARNs and names. Their mode is C(0600).
  - The page needs no other file and asks for none. It may be sent by mail or kept as an artifact.
  - What is in the files is described in R(The audit
    report,ansible_collections.rayfleet.anyscale.docsite.report).
seealso:
  - module: rayfleet.anyscale.cloud_iam_info
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Audit all clouds and compare with the last time
  hosts: anyscale_clouds
  connection: local
  gather_facts: false
  tasks:
    - name: Look at each cloud
      ansible.builtin.import_role:
        name: rayfleet.anyscale.cloud_iam
        tasks_from: info
      ignore_errors: true # noqa: ignore-errors

    - name: Write the report
      rayfleet.anyscale.audit_report:
        report_dir: reports
        previous_report: reports/report.json
        fail_on: drift
      run_once: true
      register: audit
"""

RETURN = r"""
paths:
  description:
    - The files, by their format. In check mode, those that would have been written.
  returned: always
  type: dict
  sample:
    json: /home/me/reports/report.json
    csv: /home/me/reports/report.csv
    html: /home/me/reports/report.html
  contains:
    json:
      description:
        - The whole report, one JSON object. C(schema_version) is V(1); it changes when a key
          changes its meaning or goes.
        - C(generated_at), C(collection_version), C(previous) (C(generated_at) of the earlier
          report, or C(null)), C(totals) (as in RV(counts)) and C(clouds), a list.
        - Each cloud has C(name) (the host), C(state), C(cloud) (the facts, or C(null)), C(error) (a
          message, or C(null)) and C(checks). Each check has C(id), C(title), C(status), C(reason),
          C(evidence), C(remedy) and C(change).
      returned: always
      type: str
    csv:
      description: One row for each check, in the columns of Prowler, separated by semicolons.
      returned: always
      type: str
    html:
      description: The page for people.
      returned: always
      type: str
counts:
  description: How many there are of each kind.
  returned: always
  type: dict
  sample:
    clouds: {"error": 0, "fail": 1, "unknown": 0, "warn": 0, "pass": 11, "not_applicable": 0}
    checks: {"fail": 2, "unknown": 0, "warn": 0, "pass": 214, "not_applicable": 0}
    changes: {"new": 0, "persisting": 2, "fixed": 9, "gone": 0}
  contains:
    clouds:
      description: Clouds by state, the worst first. A cloud's state is that of its worst check,
        V(error) where there is none.
      returned: always
      type: dict
    checks:
      description: Checks of all clouds by status.
      returned: always
      type: dict
    changes:
      description: Findings, which are checks that fail or warn, by what became of them since
        O(previous_report).
      returned: always
      type: dict
failed_clouds:
  description: The hosts that the task fails for, by O(fail_on).
  returned: always
  type: list
  elements: str
  sample: [vision-prod]
"""
