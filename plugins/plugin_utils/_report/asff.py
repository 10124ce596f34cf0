# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit's report in the AWS Security Finding Format, as files for BatchImportFindings: each with
the findings of one account in one region.

This plugin util is private to the collection. Pure.
https://docs.aws.amazon.com/securityhub/latest/userguide/securityhub-findings-format.html
"""

from __future__ import annotations

import collections
import itertools
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.findings import (
    ERROR,
    Finding,
    findings_of,
)

# Of BatchImportFindings: how many findings it takes at once.
_BATCH = 100
# Of the format: how many characters it takes. So no finding comes near to its limit of 240 KB.
_TITLE, _DESCRIPTION, _REMEDY, _FIELD = 256, 1024, 512, 1024
_ACCOUNT, _REGION = re.compile(r"[0-9]{12}"), re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]{1,2}")
_FILE = re.compile(r"[0-9]{12}\.[a-z0-9-]+\.[0-9]{4,}\.json")
_COMPLIANCE = {
    "pass": "PASSED",
    "warn": "WARNING",
    "fail": "FAILED",
    ERROR: "FAILED",
    "unknown": "NOT_AVAILABLE",
    "not_applicable": "NOT_AVAILABLE",
}
# What there is nothing to do about. Archived, Security Hub no longer shows it, and shows it as new
# again once it is active. It cannot be suppressed: no import takes a suppression back, so that the
# finding would stay hidden after its acknowledgement has ended.
_CLOSED = ("pass", "not_applicable")

Json = t.Mapping[str, t.Any]


def to_asff(report: Json) -> t.Iterator[tuple[str, t.Iterator[str]]]:
    """The files, each with its name and its text, which has to be read before the next file."""
    for (account_id, region), clouds in _by_place(report).items():
        findings = (found for cloud in clouds for found in findings_of(cloud))
        for number in itertools.count(1):
            batch = list(itertools.islice(findings, _BATCH))
            if not batch:
                break
            yield f"{account_id}.{region}.{number:04}.json", _array(batch, report)


def is_asff_file(name: str) -> bool:
    """Whether a file has a name that this report's files have."""
    return bool(_FILE.fullmatch(name))


def clouds_without_place(report: Json) -> list[str]:
    """The clouds whose account or region is not known. Security Hub takes no finding of these."""
    return [cloud["name"] for cloud in report["clouds"] if not _place(cloud)]


def _by_place(report: Json) -> dict[tuple[str, str], list[Json]]:
    places = collections.defaultdict(list)
    for cloud in report["clouds"]:
        if place := _place(cloud):
            places[place].append(cloud)
    return places


def _place(cloud: Json) -> tuple[str, str] | None:
    """The account and the region of a cloud. They become part of a path, so that no other text is
    taken for them.
    """
    facts = cloud["cloud"] or {}
    account_id, region = str(facts.get("account_id")), str(facts.get("region"))
    is_known = _ACCOUNT.fullmatch(account_id) and _REGION.fullmatch(region)
    return (account_id, region) if is_known else None


def _array(batch: t.Iterable[Finding], report: Json) -> t.Iterator[str]:
    for position, found in enumerate(batch):
        yield f"{',' if position else '['}\n{_json.dumps(_finding(found, report))}"
    yield "\n]\n"


def _finding(found: Finding, report: Json) -> dict[str, t.Any]:
    partition = _partition(found.region)
    where = f"arn:{partition}:securityhub:{found.region}:{found.account_id}"
    finding: dict[str, t.Any] = {
        "SchemaVersion": "2018-10-08",
        "Id": found.fingerprint,
        "ProductArn": f"{where}:product/{found.account_id}/default",
        "ProductName": "rayfleet.anyscale",
        "CompanyName": "Rayfleet",
        "GeneratorId": f"rayfleet.anyscale/{found.check_id}",
        "AwsAccountId": found.account_id,
        "Types": ["Software and Configuration Checks/AWS Security Best Practices"],
        "CreatedAt": report["generated_at"],
        "UpdatedAt": report["generated_at"],
        "Severity": {"Label": found.severity.upper()},
        "Title": _shortened(found.title, _TITLE),
        "Description": _shortened(_description(found), _DESCRIPTION),
        "Resources": [_resource(found, partition)],
        "Compliance": {"Status": _COMPLIANCE[found.status]},
        "RecordState": "ARCHIVED" if found.status in _CLOSED or found.suppressed else "ACTIVE",
        "ProductFields": _product_fields(found, report["collection_version"]),
    }
    if found.remedy.strip():
        finding["Remediation"] = {"Recommendation": {"Text": _shortened(found.remedy, _REMEDY)}}
    return finding


def _description(found: Finding) -> str:
    accepted = f"{found.suppressed} " if found.suppressed else ""
    return f"{accepted}{found.cloud_name}: {found.reason}"


def _resource(found: Finding, partition: str) -> dict[str, t.Any]:
    """What the finding is about, or the account where that is not known."""
    resource = found.resource
    known = bool(resource.uid)
    return {
        "Type": resource.kind if known else "AwsAccount",
        "Id": _shortened(resource.uid, _FIELD) if known else f"AWS::::Account:{found.account_id}",
        "Partition": partition,
        "Region": found.region,
    }


def _product_fields(found: Finding, version: str) -> dict[str, str]:
    fields = {
        "ProviderVersion": version,
        "rayfleet/anyscale/CheckId": found.check_id,
        "rayfleet/anyscale/Status": found.status,
        "rayfleet/anyscale/CloudName": found.cloud_name,
        "rayfleet/anyscale/CloudId": found.cloud_id,
        "rayfleet/anyscale/Role": found.subject,
    }
    return {name: _shortened(value, _FIELD) for name, value in fields.items() if value.strip()}


def _partition(region: str) -> str:
    """The partition that Security Hub is called in, which the region decides."""
    begins = {"cn-": "aws-cn", "us-gov-": "aws-us-gov"}
    return next((name for start, name in begins.items() if region.startswith(start)), "aws")


def _shortened(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
