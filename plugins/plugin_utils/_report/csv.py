# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit's report as CSV: a row for each finding, and for each launch or instance that runs with
another role. The columns have Prowler's names, where it has them.

This plugin util is private to the collection. Pure. As in the reports of Prowler
(https://docs.prowler.com), semicolons separate the columns.
"""

from __future__ import annotations

import csv
import functools
import io
import operator
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.findings import (
    AUDIT,
    ERROR,
    SEVERITIES,
    Finding,
    findings_of,
    fingerprint,
)

# Prowler's columns in its order, without those that an audit has no values for. The last three are
# additions.
COLUMNS = (
    "TIMESTAMP",
    "ACCOUNT_UID",
    "FINDING_UID",
    "PROVIDER",
    "CHECK_ID",
    "CHECK_TITLE",
    "STATUS",
    "STATUS_EXTENDED",
    "MUTED",
    "SERVICE_NAME",
    "SEVERITY",
    "RESOURCE_TYPE",
    "RESOURCE_UID",
    "RESOURCE_NAME",
    "PARTITION",
    "REGION",
    "REMEDIATION_RECOMMENDATION_TEXT",
    "CLOUD_ID",
    "CLOUD_NAME",
    "CHANGE",
)
DELIMITER = ";"
_ordered = operator.itemgetter(*COLUMNS)

# A spreadsheet evaluates a cell that begins with one of these as a formula. Some keyboards produce
# the full-width ones.
_FORMULA_STARTS = "=+\\-@＝＋－＠"  # noqa: RUF001
# Where a reader may begin a cell, whatever separator it was told, and whether it minds quotes or not.
# It may take white space and quotes away.
_FORMULA = re.compile(rf"""(^|[,;|\t\r\n])([\s"']*)(?=[{_FORMULA_STARTS}])""")

Json = t.Mapping[str, t.Any]


def to_csv(report: Json) -> t.Iterator[str]:
    """The whole table with its header, cloud by cloud. One that could not be audited has a row of
    its own, so that it is not overlooked.
    """
    text = io.StringIO()
    # Quote all cells, because Python before 3.13 does not quote one that contains only a carriage
    # return.
    writer = csv.writer(text, delimiter=DELIMITER, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerow(COLUMNS)
    same = {"TIMESTAMP": report["generated_at"], "PROVIDER": "aws"}
    for cloud in report["clouds"]:
        yield text.getvalue()
        text.seek(0)
        text.truncate()
        for about in _rows(cloud):
            writer.writerow(map(_cell, _ordered({**same, **about})))
    yield text.getvalue()


def _rows(cloud: Json) -> t.Iterator[dict[str, t.Any]]:
    """A row for each finding, and for each thing that the evidence of its check lists as running."""
    running = {
        check["id"]: [
            one
            for key in ("launches", "instances")
            for one in (check.get("evidence") or {}).get(key, ())
        ]
        for check in cloud["checks"]
    }
    for found in findings_of(cloud):
        if found.check_id == AUDIT and found.status != ERROR:
            continue
        about = _about(found)
        yield about
        for one in () if found.subject else running.get(found.check_id, ()):
            yield {**about, **_about_running(cloud, found.check_id, one)}


def _about_running(cloud: Json, check_id: str, one: Json) -> dict[str, t.Any]:
    """What differs for a launch or an instance from the check's row."""
    status = "unknown" if one["verdict"] == "cannot_tell" else "fail"
    is_instance = one["kind"] == "instance"
    return {
        "FINDING_UID": fingerprint(cloud, check_id, one["id"]),
        "STATUS": status.upper(),
        "STATUS_EXTENDED": one["reason"],
        "SEVERITY": SEVERITIES[status],
        "SERVICE_NAME": "ec2" if is_instance else "anyscale",
        "RESOURCE_TYPE": "AwsEc2Instance" if is_instance else f"Anyscale{one['kind'].title()}",
        "RESOURCE_UID": one["id"],
        "RESOURCE_NAME": one.get("name") or one["id"],
        "CHANGE": None,
    }


def _about(found: Finding) -> dict[str, t.Any]:
    accepted = f" {found.suppressed}" if found.suppressed else ""
    return {
        "ACCOUNT_UID": found.account_id,
        "REGION": found.region,
        "CLOUD_ID": found.cloud_id,
        "CLOUD_NAME": found.cloud_name,
        "FINDING_UID": found.fingerprint,
        "CHECK_ID": found.check_id,
        "CHECK_TITLE": found.title,
        "STATUS": found.status.upper(),
        "STATUS_EXTENDED": f"{found.reason}{accepted}",
        "MUTED": str(bool(found.suppressed)),
        "SEVERITY": found.severity,
        "REMEDIATION_RECOMMENDATION_TEXT": found.remedy,
        "CHANGE": found.change,
        "SERVICE_NAME": found.resource.service,
        "RESOURCE_TYPE": found.resource.kind,
        "RESOURCE_UID": found.resource.uid,
        "RESOURCE_NAME": found.resource.name,
        "PARTITION": found.resource.partition,
    }


@functools.lru_cache(maxsize=1024)  # a fleet repeats most of them: names, titles, statuses
def _cell(text: str | None) -> str:
    """A text with an apostrophe before each part that a spreadsheet could evaluate as a formula."""
    return _FORMULA.sub(r"\1\2'", escape_control_chars(text or ""))
