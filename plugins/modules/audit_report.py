#!/usr/bin/python
# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation only: the work is done on the controller, by the action plugin of the same name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: audit_report
short_description: Write the report of a fleet audit, and its findings for other tools
version_added: 0.2.0
description:
  - Collects the result of M(rayfleet.anyscale.fleet_audit) or of M(rayfleet.anyscale.cloud_iam_info)
    of each host of the play, and writes one report in the formats that O(formats) lists.
  - A host without a result, or whose task failed, is in the report with the state V(error) and its
    message. The state of any other cloud is that of its worst check. Clouds in the group
    C(anyscale_uncovered), which the inventory plugin makes of those that the fleet file neither
    permits nor names, have the state V(not_permitted) instead, because any member of the
    organization can register one.
  - The task requires C(run_once=true), which also gives its result to all hosts.
options:
  results:
    description:
      - The name of the variable in which each host registered its result of
        M(rayfleet.anyscale.cloud_iam_info).
    type: str
    default: cloud_iam_info_result
  run:
    description:
      - The RV(rayfleet.anyscale.fleet_selection_info#module:run) of the selection. The results are
        then those of M(rayfleet.anyscale.fleet_audit), for the hosts that it audited, and
        M(rayfleet.anyscale.fleet_outcome_info) fails for each of RV(failed_clouds).
    type: str
    version_added: 0.7.0
  hosts:
    description:
      - The hosts of the report, in its order. Without it, all hosts of the play.
    type: list
    elements: str
    version_added: 0.7.0
  report_dir:
    description:
      - The directory to write to, on the controller. It is created with mode V(0700) if it does not
        exist. A relative path starts at the directory from which Ansible was started.
      - The files of an earlier report in it are replaced.
    type: path
    required: true
  formats:
    description:
      - The formats of the report. Files of other formats that are in O(report_dir) are left as they
        are.
      - V(json), V(csv) and V(html) are for people and programs of your own. V(json) is also what
        O(previous_report) of the next audit reads.
      - V(sarif) (SARIF 2.1.0), V(ocsf) (compliance findings of OCSF 1.5.0, one a line), V(junit)
        (JUnit XML) and V(asff) (AWS Security Finding Format) are for other tools.
      - A finding has the same fingerprint in all formats and in all audits. It is made from the ID of
        the cloud, that of its resource or else the name of the host, the ID of the check, and the
        further role, if the finding is for one. For a host without C(cloud_iam_cloud_id), the name
        stands for the ID.
    type: list
    elements: str
    choices: [json, csv, html, sarif, ocsf, junit, asff]
    default: [json, csv, html]
    version_added: 1.0.0
  organization:
    description:
      - The name of the organization, for the heading of the page and for C(report.json).
    type: str
    version_added: 1.0.0
  previous_report:
    description:
      - The C(report.json) of an earlier audit. Each finding is then marked as new, persisting,
        fixed or gone.
      - It may be the one in O(report_dir), which is read before it is replaced. A file that does
        not exist causes a warning, so that the first audit of a schedule can use the same options.
      - Clouds of the earlier report that are missing in this one, as after an audit with
        C(--limit), cause a warning too.
    type: path
  fail_on:
    description:
      - Which clouds make the task fail, after the report is written.
      - A cloud with the state V(not_permitted) never does.
      - V(never), none; V(error), those that could not be audited; V(drift), also those with a check
        that failed, and those with a check that warns or is unknown and whose evidence shows a
        document that onboarding would change.
      - Any other check with the status V(warn) or V(unknown) never makes the task fail. With
        V(drift), clouds with unknown checks cause a warning. A cloud whose applicable checks are
        all V(unknown) counts as one that could not be audited.
    type: str
    choices: [never, error, drift]
    default: error
  label:
    description:
      - Identifies the audit among the counts that the jobs of a workflow publish
        (RV(ansible_stats)). It counts only with O(run).
    type: str
    version_added: 1.0.0
  min_clouds:
    description:
      - How many clouds have to be audited. With fewer, the task fails after the report is written,
        also with O(fail_on=never). Without it, an audit of no cloud looks like one of a fleet in sync.
      - Clouds with the state V(error) or V(not_permitted) do not count.
    type: int
    default: 0
    version_added: 1.0.0
  heal:
    description:
      - Whether what onboarding would change is noted for the playbook heal, for the clouds that a run of
        the playbook onboard has converged, and whose variables want the same since. The next run of heal
        converges them. An audit does not fail if it cannot note this, which is a warning.
      - Nothing is noted of clouds of which something is pending already, of those with the variable
        C(heal_excluded=true), of those whose variables name no role, or that need tasks of their own, and
        of checks that no run of onboard makes pass.
    type: bool
    default: false
    version_added: 1.0.0
  heal_state_dir:
    description:
      - The O(rayfleet.anyscale.fleet_healing#module:state_dir) of the playbook heal.
      - By default, C(anyscale_healing) in C(ANSIBLE_HOME).
    type: path
    version_added: 1.0.0
extends_documentation_fragment:
  - rayfleet.anyscale._attributes.run_once
attributes:
  check_mode:
    support: full
    description: In check mode no file is written, and nothing is noted for O(heal). Everything else is
      the same.
  diff_mode:
    support: none
    description: Writing a report is not reported as a change.
  idempotent:
    support: full
    description: Writing a report is not reported as a change. Each run replaces the files.
notes:
  - The files contain policies, ARNs and names. The umask says who can read them, and a file that is
    replaced keeps its mode.
  - The HTML page is self-contained and makes no request, so it can be sent by mail or stored as an
    artifact of a job.
  - The files are described in R(The audit
    report,ansible_collections.rayfleet.anyscale.docsite.report).
seealso:
  - module: rayfleet.anyscale.fleet_audit
  - module: rayfleet.anyscale.cloud_iam_info
author:
  - Rayfleet contributors (@rayfleet)
"""

EXAMPLES = r"""
- name: Audit all clouds and compare with the previous audit
  hosts: anyscale_clouds
  connection: local
  gather_facts: false
  tasks:
    - name: Audit the cloud
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
    - The absolute paths of the files, by format, for the formats that O(formats) lists. In check
      mode, of those that would have been written.
  returned: always
  type: dict
  sample:
    json: /home/me/reports/report.json
    csv: /home/me/reports/report.csv
    html: /home/me/reports/report.html
    sarif: /home/me/reports/report.sarif
  contains:
    json:
      description:
        - The whole report, one JSON object. C(schema_version) is V(1). It is increased when a key
          is removed or changes its meaning.
        - Its other keys are C(generated_at), C(collection_version), C(previous) (C(generated_at) of
          the earlier report, or C(null)), C(totals) (as in RV(counts)) and C(clouds), a list.
        - Each cloud has C(name) (the host), C(state), C(cloud) (the facts, or C(null)), C(error) (a
          message, or C(null)) and C(checks). Each check has C(id), C(title), C(status), C(reason),
          C(evidence), C(remedy), C(change) and C(fingerprint).
      returned: if O(formats) has V(json)
      type: str
    csv:
      description: One row per finding, with the column names of Prowler, separated by semicolons.
      returned: if O(formats) has V(csv)
      type: str
    html:
      description: The report as a page for a browser.
      returned: if O(formats) has V(html)
      type: str
    sarif:
      description: Checks that failed, warned or are unknown, and clouds that could not be audited, as
        a log of SARIF 2.1.0.
      returned: if O(formats) has V(sarif)
      type: str
    ocsf:
      description: All checks as compliance findings of OCSF (class 2003), one JSON object a line.
      returned: if O(formats) has V(ocsf)
      type: str
    junit:
      description: All checks as JUnit XML, with a suite for each cloud.
      returned: if O(formats) has V(junit)
      type: str
    asff:
      description:
        - A directory with all checks in the AWS Security Finding Format. Each file has at most 100
          findings of one account in one region, and is called
          C(<account>.<region>.<number>.json). Such files of an earlier audit are deleted.
        - Clouds whose account or region is not known are not in it, and cause a warning.
      returned: if O(formats) has V(asff)
      type: str
counts:
  description: Numbers of clouds, checks and findings.
  returned: always
  type: dict
  sample:
    clouds:
      {"error": 0, "fail": 1, "unknown": 0, "warn": 0, "pass": 11, "not_applicable": 0, "not_permitted": 2}
    drifted: 1
    checks: {"fail": 2, "unknown": 0, "warn": 0, "pass": 214, "not_applicable": 0}
    changes: {"new": 0, "persisting": 2, "fixed": 9, "gone": 0}
  contains:
    clouds:
      description: Clouds by state, the worst first. The state of a cloud is the status of its worst
        check, or V(error) if it could not be audited.
      returned: always
      type: dict
    checks:
      description: Checks of all clouds, by status.
      returned: always
      type: dict
    changes:
      description: Findings (checks with the status V(fail) or V(warn)), by how they changed since
        O(previous_report). V(gone) are findings whose check no longer applies.
      returned: always
      type: dict
failed_clouds:
  description: The hosts that make the task fail, according to O(fail_on).
  returned: always
  type: list
  elements: str
  sample: [vision-prod]
ansible_stats:
  description: What the task publishes, as M(ansible.builtin.set_stats) does, for the next jobs of a workflow
    of AWX. C(data) has the counts of the report, its files and the failed clouds with the name of the
    step, by a name with the ID of the job.
  returned: with O(run)
  type: dict
  sample:
    data:
      anyscale_audit_4711:
        {"step": "audit nightly", "counts": {"drifted": 1}, "failed_clouds": [vision-prod],
          "paths": {"html": /var/lib/anyscale/reports/nightly/report.html}}
    per_host: false
    aggregate: true
noted:
  description: The clouds that are noted for the playbook heal, see O(heal).
  returned: always
  type: list
  elements: str
  sample: [vision-prod]
too_few_clouds:
  description: Why the task fails according to O(min_clouds), or an empty text.
  returned: always
  type: str
  sample: ""
"""
