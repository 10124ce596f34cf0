# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit's report as JUnit XML, for a CI server: a suite for each cloud, a case for each finding.

This plugin util is private to the collection. Pure. https://github.com/testmoapp/junitxml
"""

from __future__ import annotations

import collections
import re
import typing as t
from xml.sax import saxutils

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.findings import (
    ERROR,
    Finding,
    findings_of,
)

# What XML 1.0 cannot hold, even escaped, beside the characters that findings escape.
_NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_FAILURE, _ERROR, _SKIPPED = "failure", "error", "skipped"
_COUNTS = {"failures": _FAILURE, "errors": _ERROR, "skipped": _SKIPPED}

Json = t.Mapping[str, t.Any]


def to_junit(report: Json) -> t.Iterator[str]:
    """The whole document, cloud by cloud. The totals are at its start, so that all findings are
    counted before the first is written.
    """
    total: collections.Counter[str] = collections.Counter()
    for cloud in report["clouds"]:
        total.update(map(_outcome, findings_of(cloud)))
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f"<testsuites{_attributes({'name': 'rayfleet.anyscale', **_counts(total)})}>\n"
    for cloud in report["clouds"]:
        yield _suite(cloud, report["generated_at"])
    yield "</testsuites>\n"


def _suite(cloud: Json, generated_at: str) -> str:
    found = list(findings_of(cloud))
    about = {
        "name": found[0].cloud_name,
        **_counts(collections.Counter(map(_outcome, found))),
        "time": "0",
        "timestamp": generated_at.removesuffix("Z"),  # the form has no time zone
    }
    return f"<testsuite{_attributes(about)}>\n{''.join(map(_case, found))}</testsuite>\n"


def _case(found: Finding) -> str:
    """A case, whose name stays the same whatever its status: CI servers follow cases by name."""
    role = f" ({found.subject})" if found.subject else ""
    case = _attributes(
        {
            "name": f"{found.check_id}{role}: {found.rule_title}",
            "classname": f"rayfleet.anyscale.{found.cloud_name}",
            "time": "0",
        }
    )
    properties = (
        f"<properties><property{_attributes({'name': 'fingerprint', 'value': found.fingerprint})}/>"
        "</properties>"
    )
    return f"<testcase{case}>{properties}{_problem(found)}</testcase>\n"


def _problem(found: Finding) -> str:
    """Why a case did not pass. Only ``failure`` and ``error`` make a build fail, as the audit does;
    a skipped case says which status it has.
    """
    outcome = _outcome(found)
    if not outcome:
        return ""
    if outcome == _SKIPPED:
        why = found.suppressed or found.reason
        permitted = "" if found.is_permitted else "not permitted, "
        return f"<skipped{_attributes({'message': f'{permitted}{found.status}: {why}'})}/>"
    about = _attributes({"message": found.title, "type": found.status})
    text = "\n".join(filter(None, (found.reason, found.remedy)))
    return f"<{outcome}{about}>{saxutils.escape(_plain(text))}</{outcome}>"


def _outcome(found: Finding) -> str:
    """The element that a case has, or empty if it passes."""
    if found.status == "pass":
        return ""
    if found.suppressed or not found.is_permitted:
        return _SKIPPED
    return {"fail": _FAILURE, ERROR: _ERROR}.get(found.status, _SKIPPED)


def _counts(outcomes: t.Mapping[str, int]) -> dict[str, str]:
    tests = {"tests": str(sum(outcomes.values()))}
    return tests | {name: str(outcomes.get(outcome, 0)) for name, outcome in _COUNTS.items()}


def _attributes(values: t.Mapping[str, str]) -> str:
    return "".join(f" {name}={saxutils.quoteattr(_plain(value))}" for name, value in values.items())


def _plain(text: str) -> str:
    """A text without what XML cannot hold."""
    return _NO_XML.sub("\N{REPLACEMENT CHARACTER}", text)
