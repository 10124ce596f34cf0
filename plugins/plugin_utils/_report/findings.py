# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit's report as findings, each with a fingerprint that stays the same over audits: what the
formats for other tools are made of.

This plugin util is private to the collection. Pure. All texts are escaped, since other tools show
them: what somebody registered at AWS or Anyscale must not hide or reorder what is read there.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import NOT_PERMITTED

AUDIT = "audit"  # the check that a cloud could be audited, which no other tool can miss
AUDIT_TITLE = "The cloud could be audited"
AUDIT_FAILING_TITLE = "The cloud could not be audited"
ERROR = "error"
AUDIT_FIX = "Give the audit what the reason names, such as a permission or a variable."
_TITLES = {AUDIT: (AUDIT_TITLE, AUDIT_FAILING_TITLE)} | {
    check.id: (check.title, check.failing_title) for check in CHECKS
}
SEVERITIES = {ERROR: "high", "fail": "high", "unknown": "medium", "warn": "medium"}
INFORMATIONAL = "informational"
# Half of SHA-256: 128 bits, in hexadecimal digits.
_FINGERPRINT_LENGTH = 32

Json = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Resource:
    """What a finding is about: the bucket, else the role. ``uid`` is its ARN, or empty."""

    service: str
    kind: str
    name: str
    uid: str
    partition: str


@dataclasses.dataclass(frozen=True)
class Finding:
    """What one check found for one cloud, or for one further role of it.

    status: that of the check, or ``error`` where the cloud could not be audited.
    subject: the further role, or what runs with another role; else empty.
    suppressed: why the finding is accepted, and until when, or empty.
    is_permitted: whether the operator permits or names the cloud. Anybody can register another one, in
    any state, so that its findings are nobody's alarm.
    """

    fingerprint: str
    check_id: str
    title: str
    status: str
    reason: str
    remedy: str
    suppressed: str
    change: str
    subject: str
    is_permitted: bool
    cloud_name: str
    cloud_id: str
    account_id: str
    region: str
    resource: Resource

    @property
    def severity(self) -> str:
        """How urgent it is, in the words that OCSF and ASFF share with Prowler."""
        return SEVERITIES.get(self.status, INFORMATIONAL) if self.is_permitted else INFORMATIONAL

    @property
    def rule_title(self) -> str:
        """What the check looks for: the title that it has where it passes."""
        return _TITLES.get(self.check_id, (self.title,))[0]


def identify(report: Json, identities: t.Mapping[str, str]) -> dict[str, t.Any]:
    """The report with the identity of each cloud, as ``uid``."""
    clouds = [{**cloud, "uid": identities[cloud["name"]]} for cloud in report["clouds"]]
    return {**report, "clouds": clouds}


def identity(name: str, cloud_id: str | None, resource_id: str | None) -> str:
    """What stays the same for a host of the inventory: the ID of its cloud, which no two
    organizations share, with that of its resource. Hosts may share a cloud: without the ID of the
    resource, the name tells them apart.
    """
    return f"{cloud_id}.{resource_id or name}" if cloud_id else name


def fingerprint(cloud: Json, check_id: str, subject: str = "") -> str:
    """The same in every audit and format, whatever the order, the time, the version and the texts."""
    key = json.dumps([cloud.get("uid") or cloud["name"], check_id, subject]).encode()
    return hashlib.sha256(key).hexdigest()[:_FINGERPRINT_LENGTH]


def with_fingerprints(report: Json) -> dict[str, t.Any]:
    """The report for JSON: each check with its fingerprint, made when it is written."""
    clouds = (
        {
            **cloud,
            "checks": [
                {**check, "fingerprint": fingerprint(cloud, check["id"])}
                for check in cloud["checks"]
            ],
        }
        for cloud in report["clouds"]
    )
    return {**report, "clouds": clouds}


def findings_of(cloud: Json) -> t.Iterator[Finding]:
    """The findings of a cloud: first whether it could be audited, then those of each check, each
    followed by those of its further roles.
    """
    resource_of = functools.cache(functools.partial(_resource, cloud["cloud"] or {}))
    finding_of = functools.partial(_finding, cloud, _about(cloud), resource_of)
    for check in (_audit_check(cloud), *cloud["checks"]):
        yield finding_of(check)
        for role, outcome in _further_roles(check).items():
            about = {
                "id": check["id"],
                "title": check["title"],
                "acknowledged": check.get("acknowledged"),
                **{key: outcome[key] for key in ("status", "reason", "remedy")},
            }
            yield finding_of(about, role)


def _about(cloud: Json) -> dict[str, t.Any]:
    """What all findings of a cloud have in common."""
    facts = cloud["cloud"] or {}
    return {
        "is_permitted": cloud["state"] != NOT_PERMITTED,
        "cloud_name": _text(cloud["name"]),
        "cloud_id": _text(facts.get("cloud_id")),
        "account_id": _text(facts.get("account_id")),
        "region": _text(facts.get("region")),
    }


def _finding(
    cloud: Json,
    about: Json,
    resource_of: t.Callable[[bool, str], Resource],
    check: Json,
    subject: str = "",
) -> Finding:
    """The finding of one check of a cloud."""
    title = _title(check, _text(subject))
    return Finding(
        fingerprint=fingerprint(cloud, check["id"], subject),
        check_id=check["id"],
        title=title,
        status=check["status"],
        reason=_text(check["reason"]) or title,
        remedy=_text(check.get("remedy")),
        suppressed=_suppressed(check.get("acknowledged")),
        change=check.get("change") or "",
        subject=_text(subject),
        resource=resource_of(check["id"].startswith("bucket_") and not subject, subject),
        **about,
    )


def _audit_check(cloud: Json) -> Json:
    """The check that the cloud could be audited."""
    failed = cloud["error"] is not None
    return {
        "id": AUDIT,
        "title": AUDIT_FAILING_TITLE if failed else AUDIT_TITLE,
        "status": ERROR if failed else "pass",
        "reason": cloud["error"] if failed else "All checks were made.",
        "remedy": AUDIT_FIX if failed else "",
    }


def _further_roles(check: Json) -> Json:
    """The outcome for each further role, as ``judge_each`` puts it into the evidence."""
    roles = (check.get("evidence") or {}).get("roles")
    is_outcomes = isinstance(roles, dict) and all(
        isinstance(outcome, dict) and {"status", "reason", "remedy"} <= set(outcome)
        for outcome in roles.values()
    )
    return roles if is_outcomes and roles else {}


def _title(check: Json, role: str) -> str:
    """The title that is true for the status. A further role may have another than the check."""
    if not role or check["id"] not in _TITLES:
        return _text(check["title"])
    passing, failing = _TITLES[check["id"]]
    title = failing if check["status"] in ("fail", "warn") else passing
    unsure = "Unknown: " if check["status"] == "unknown" else ""
    return f"{unsure}{title} ({role})"


def _suppressed(acknowledged: Json | None) -> str:
    if not acknowledged:
        return ""
    return f"Acknowledged until {acknowledged['until']}: {_text(acknowledged['reason'])}"


def _resource(facts: Json, is_bucket: bool, role: str) -> Resource:
    role_arn = _text(_role_arn(facts, role))
    partition = role_arn.split(":")[1] if role_arn.startswith("arn:") else "aws"
    if is_bucket:
        name = _text((facts.get("bucket") or {}).get("name"))
        return Resource(
            "s3", "AwsS3Bucket", name, f"arn:{partition}:s3:::{name}" if name else "", partition
        )
    return Resource("iam", "AwsIamRole", role_arn.rpartition("/")[2] or role, role_arn, partition)


def _role_arn(facts: Json, role: str) -> str | None:
    """The ARN of a further role, or of the one that clusters have by default."""
    if role:
        named = (further for further in facts.get("further_roles") or () if further["name"] == role)
        return next((further.get("arn") for further in named), None)
    return (facts.get("role") or {}).get("arn") or facts.get("default_role_arn")


def _text(value: t.Any) -> str:
    return "" if value is None else escape_control_chars(str(value))
