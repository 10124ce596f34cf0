# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit's report as compliance findings of OCSF (class 2003), one a line, for security lakes.

This plugin util is private to the collection. Pure. https://schema.ocsf.io/1.5.0/classes/compliance_finding
"""

from __future__ import annotations

import datetime
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.findings import (
    ERROR,
    Finding,
    findings_of,
)

_VERSION = "1.5.0"
_CLASS = 2003
_SEVERITY_IDS = {"informational": 1, "medium": 3, "high": 4}
# What happened to the finding since the previous report. Without one, each is told as new.
_ACTIVITIES = {
    "": (1, "Create"),
    "new": (1, "Create"),
    "persisting": (2, "Update"),
    "fixed": (3, "Close"),
    "gone": (3, "Close"),
}
_NEW, _SUPPRESSED, _RESOLVED = (1, "New"), (3, "Suppressed"), (4, "Resolved")
_NOT_APPLICABLE = (99, "Not Applicable")
_UNKNOWN = (0, "Unknown")
# Of the finding, and of the compliance, by the status of the check.
_STATUSES = {
    "pass": (_RESOLVED, (1, "Pass")),
    "warn": (_NEW, (2, "Warning")),
    "fail": (_NEW, (3, "Fail")),
    ERROR: (_NEW, (3, "Fail")),
    "unknown": (_NEW, _UNKNOWN),
    "not_applicable": (_NOT_APPLICABLE, _NOT_APPLICABLE),
}

Json = t.Mapping[str, t.Any]


def to_ocsf(report: Json) -> t.Iterator[str]:
    """All findings, those that pass too, cloud by cloud."""
    made_at = datetime.datetime.fromisoformat(report["generated_at"].replace("Z", "+00:00"))
    milliseconds = int(made_at.timestamp()) * 1000
    product = {
        "name": "rayfleet.anyscale",
        "vendor_name": "Rayfleet",
        "version": report["collection_version"],
    }
    for cloud in report["clouds"]:
        yield "".join(
            f"{_json.dumps(_event(found, milliseconds, product))}\n" for found in findings_of(cloud)
        )


def _event(found: Finding, time: int, product: Json) -> dict[str, t.Any]:
    event = {
        **_kind(found),
        "time": time,
        **_state(found),
        "message": found.reason,
        "metadata": {
            "version": _VERSION,
            "product": product,
            "event_code": found.check_id,
            "profiles": ["cloud"],
        },
        "cloud": _cloud(found),
        "finding_info": {
            "uid": found.fingerprint,
            "title": found.title,
            "desc": found.reason,
            "types": ["Cloud IAM"],
            "created_time": time,
        },
        "compliance": _compliance_of(found),
        "resources": [_resource(found)],
        "unmapped": {
            "cloud_id": found.cloud_id,
            "cloud_name": found.cloud_name,
            "is_permitted": found.is_permitted,
            "role": found.subject,
        },
    }
    return {**event, "remediation": {"desc": found.remedy}} if found.remedy else event


def _kind(found: Finding) -> dict[str, t.Any]:
    """The class of the event, and what happened to the finding."""
    activity_id, activity = _ACTIVITIES[found.change]
    return {
        "activity_id": activity_id,
        "activity_name": activity,
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": _CLASS,
        "class_name": "Compliance Finding",
        "type_uid": _CLASS * 100 + activity_id,
        "type_name": f"Compliance Finding: {activity}",
    }


def _state(found: Finding) -> dict[str, t.Any]:
    """How urgent the finding is, and whether something is to be done about it."""
    (status_id, status), _compliance = _STATUSES[found.status]
    if found.suppressed:
        status_id, status = _SUPPRESSED
    return {
        "severity_id": _SEVERITY_IDS[found.severity],
        "severity": found.severity.title(),
        "status_id": status_id,
        "status": status,
        "status_code": found.status.upper(),
        "status_detail": found.suppressed or found.reason,
    }


def _compliance_of(found: Finding) -> dict[str, t.Any]:
    """What the finding says about the check, and what that looks for."""
    _status, (status_id, status) = _STATUSES[found.status]
    return {
        "control": found.check_id,
        "desc": found.rule_title,
        "standards": ["rayfleet.anyscale"],
        "status_id": status_id,
        "status": status,
    }


def _cloud(found: Finding) -> dict[str, t.Any]:
    """Where the cloud is, as far as that is known."""
    known: dict[str, t.Any] = {"provider": "AWS"}
    if found.region:
        known["region"] = found.region
    if found.account_id:
        known["account"] = {
            "uid": found.account_id,
            "name": found.account_id,
            "type_id": 10,
            "type": "AWS Account",
        }
    return known


def _resource(found: Finding) -> dict[str, t.Any]:
    resource = found.resource
    known = {
        "uid": resource.uid,
        "name": resource.name or found.cloud_name,
        "type": resource.kind,
        "region": found.region,
    }
    return {
        **{key: value for key, value in known.items() if value},
        "cloud_partition": resource.partition,
        "group": {"name": resource.service},
    }
