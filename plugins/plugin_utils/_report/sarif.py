# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit's report as SARIF 2.1.0, for code scanning: a result for each finding, and for each check
that is unknown.

This plugin util is private to the collection. Pure.
https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

from __future__ import annotations

import re
import typing as t
import urllib.parse

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.findings import (
    AUDIT,
    AUDIT_FAILING_TITLE,
    AUDIT_FIX,
    ERROR,
    Finding,
    findings_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import json_parts

# The checks that have a result. One that passes, or has nothing to check, has none, because tools
# show every result, whatever its kind, and close the finding that a newer file does not have.
_LEVELS = {ERROR: "error", "fail": "error", "warn": "warning", "unknown": "none"}
_BASELINE_STATES = {"new": "new", "persisting": "unchanged"}
# Section 3.11.6 of the specification: a message embeds a link as [text](target), without backslashes.
_LINK_PARTS = re.compile(r"([\\\[\]])")
_REPOSITORY = "https://github.com/rayfleet/ansible-collection-anyscale"

Json = t.Mapping[str, t.Any]


def to_sarif(report: Json) -> t.Iterator[str]:
    """The whole log, cloud by cloud."""
    rules = _rules()
    indices = {rule["id"]: index for index, rule in enumerate(rules)}
    results = (
        _result(found, indices)
        for cloud in report["clouds"]
        for found in findings_of(cloud)
        if found.status in _LEVELS
    )
    run = {
        "tool": {
            "driver": {
                "name": "rayfleet.anyscale",
                "version": report["collection_version"],
                "informationUri": _REPOSITORY,
                "rules": rules,
            }
        },
        "automationDetails": {"id": "rayfleet-anyscale-audit/"},
        "invocations": [{"executionSuccessful": True, "endTimeUtc": report["generated_at"]}],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    yield '{"version": "2.1.0", "runs": ['
    yield from json_parts(run, "results")
    yield "]}"


def _rules() -> list[dict[str, t.Any]]:
    """A rule for each check, with what to do about it."""
    audit = _rule(AUDIT, AUDIT_FAILING_TITLE, AUDIT_FIX)
    return [audit, *(_rule(check.id, check.failing_title, check.fix) for check in CHECKS)]


def _rule(rule_id: str, title: str, fix: str) -> dict[str, t.Any]:
    """A rule. The fix is in reStructuredText, of which it uses literals alone."""
    markdown = fix.replace("``", "`")
    return {
        "id": rule_id,
        "name": "".join(word.title() for word in rule_id.split("_")),
        "shortDescription": {"text": title},
        "fullDescription": {"text": f"{title}."},
        "help": {"text": fix.replace("``", "'"), "markdown": markdown},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["security", "aws", "iam", "anyscale"]},
    }


def _result(found: Finding, indices: t.Mapping[str, int]) -> dict[str, t.Any]:
    level = _LEVELS[found.status]
    is_open = found.status == "unknown"
    result: dict[str, t.Any] = {
        "ruleId": found.check_id,
        # Only a result of the kind "fail" has another level than "none".
        "kind": "open" if is_open else "fail",
        "level": level if is_open or found.is_permitted else "note",
        "message": {"text": _message(f"{found.cloud_name}: {found.reason}")},
        "locations": [_location(found)],
        "fingerprints": {"rayfleetAnyscale/v1": found.fingerprint},
        # The only one by which GitHub tells whether two results are the same.
        "partialFingerprints": {"primaryLocationLineHash": f"{found.fingerprint}:1"},
        "properties": {
            "title": found.title,
            "status": found.status,
            "cloudId": found.cloud_id,
            "accountId": found.account_id,
            "region": found.region,
            "resource": found.resource.uid,
            "role": found.subject,
            "remedy": found.remedy,
        },
    }
    if found.check_id in indices:  # not of a check that only another version has
        result["ruleIndex"] = indices[found.check_id]
    if found.suppressed:
        # Without a status, which no two editions of the schema call the same, it is accepted.
        result["suppressions"] = [{"kind": "external", "justification": found.suppressed}]
    if found.change in _BASELINE_STATES:
        result["baselineState"] = _BASELINE_STATES[found.change]
    return result


def _message(text: str) -> str:
    """A message without links: what somebody registered must not become one."""
    return _LINK_PARTS.sub(r"\\\1", text) if "](" in text else text


def _location(found: Finding) -> dict[str, t.Any]:
    """The cloud. GitHub shows no result that has no file, so that it gets one that nobody has."""
    path = urllib.parse.quote(found.cloud_name, safe="")
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": f"clouds/{path}"},
            "region": {"startLine": 1},
        },
        "logicalLocations": [
            {
                "name": found.cloud_name,
                "fullyQualifiedName": found.resource.uid or found.cloud_name,
                "kind": "resource",
            }
        ],
    }
