# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit's report as CSV: a row for each check, and for each launch or instance that runs with
another role. The columns have Prowler's names, where it has them.

This plugin util is private to the collection. Pure. As in the reports of Prowler
(https://docs.prowler.com), semicolons separate the columns.
"""

from __future__ import annotations

import csv
import io
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars

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

_SEVERITIES = {"error": "high", "fail": "high", "unknown": "medium", "warn": "medium"}
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
    writer = csv.DictWriter(
        text, COLUMNS, delimiter=DELIMITER, lineterminator="\n", quoting=csv.QUOTE_ALL
    )
    writer.writeheader()
    for cloud in report["clouds"]:
        yield text.getvalue()
        text.seek(0)
        text.truncate()
        for about in _rows(cloud):
            row = {
                "TIMESTAMP": report["generated_at"],
                "PROVIDER": "aws",
                **_about_cloud(cloud),
                **about,
            }
            writer.writerow({column: _escape_formula(value) for column, value in row.items()})
    yield text.getvalue()


def _rows(cloud: Json) -> t.Iterator[dict[str, t.Any]]:
    """A row for each check, and for each thing that its evidence lists as running."""
    for check in [*([_not_audited(cloud)] if cloud["error"] else []), *cloud["checks"]]:
        about = _about_check(cloud, check)
        yield about
        evidence = check.get("evidence") or {}
        for one in (*evidence.get("launches", ()), *evidence.get("instances", ())):
            yield {**about, **_about_running(about["FINDING_UID"], one)}


def _about_running(finding: str, one: Json) -> dict[str, t.Any]:
    """What differs for a launch or an instance from the check's row."""
    status = "unknown" if one["verdict"] == "cannot_tell" else "fail"
    is_instance = one["kind"] == "instance"
    return {
        "FINDING_UID": f"{finding}-{one['id']}",
        "STATUS": status.upper(),
        "STATUS_EXTENDED": one["reason"],
        "SEVERITY": _SEVERITIES[status],
        "SERVICE_NAME": "ec2" if is_instance else "anyscale",
        "RESOURCE_TYPE": "AwsEc2Instance" if is_instance else f"Anyscale{one['kind'].title()}",
        "RESOURCE_UID": one["id"],
        "RESOURCE_NAME": one.get("name") or one["id"],
        "CHANGE": None,
    }


def _not_audited(cloud: Json) -> Json:
    return {
        "id": "audit",
        "title": "The cloud could not be audited",
        "status": "error",
        "reason": cloud["error"],
    }


def _about_cloud(cloud: Json) -> dict[str, t.Any]:
    facts = cloud["cloud"] or {}
    return {
        "ACCOUNT_UID": facts.get("account_id"),
        "REGION": facts.get("region"),
        "CLOUD_ID": facts.get("cloud_id"),
        "CLOUD_NAME": cloud["name"],
    }


def _about_check(cloud: Json, check: Json) -> dict[str, t.Any]:
    return {
        # Prowler's pattern. It is the same in every audit, so that findings can be tracked.
        "FINDING_UID": f"rayfleet-anyscale-{check['id']}-{cloud['name']}",
        "CHECK_ID": check["id"],
        "CHECK_TITLE": check["title"],
        "STATUS": check["status"].upper(),
        "STATUS_EXTENDED": _with_acknowledgement(check),
        "MUTED": str(bool(check.get("acknowledged"))),
        "SEVERITY": _SEVERITIES.get(check["status"], "informational"),
        "REMEDIATION_RECOMMENDATION_TEXT": check.get("remedy"),
        "CHANGE": check.get("change"),
        **_resource(cloud["cloud"] or {}, check["id"]),
    }


def _with_acknowledgement(check: Json) -> str:
    """The reason of a check, and why its finding is accepted."""
    found = check.get("acknowledged")
    accepted = f" Acknowledged until {found['until']}: {found['reason']}" if found else ""
    return f"{check['reason']}{accepted}"


def _resource(facts: Json, check_id: str) -> dict[str, t.Any]:
    """The resource of a finding: the bucket, else the role of the clusters."""
    role_arn = (facts.get("role") or {}).get("arn") or facts.get("default_role_arn") or ""
    partition = role_arn.split(":")[1] if role_arn.startswith("arn:") else "aws"
    if check_id.startswith("bucket_"):
        name = (facts.get("bucket") or {}).get("name") or ""
        service, kind, uid = "s3", "AwsS3Bucket", f"arn:{partition}:s3:::{name}" if name else ""
    else:
        service, kind, name, uid = "iam", "AwsIamRole", role_arn.rpartition("/")[2], role_arn
    return {
        "SERVICE_NAME": service,
        "RESOURCE_TYPE": kind,
        "RESOURCE_UID": uid,
        "RESOURCE_NAME": name,
        "PARTITION": partition,
    }


def _escape_formula(value: t.Any) -> str:
    """A value as text, with an apostrophe before each part that a spreadsheet could evaluate as a
    formula.
    """
    text = "" if value is None else escape_control_chars(str(value))
    return _FORMULA.sub(r"\1\2'", text)
