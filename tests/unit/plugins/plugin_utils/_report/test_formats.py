# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The formats for other tools, as readers that others wrote take them: what each status becomes, and
that no text breaks out of its place.
"""

from __future__ import annotations

import csv
import io
import json
import typing as t
import xml.etree.ElementTree

import boto3
import botocore.validate
import junitparser
import pytest
from hypothesis import given, strategies as st
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from py_ocsf_models.objects.cloud import Cloud
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as SarifLog

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.asff import (
    clouds_without_place,
    is_asff_file,
    to_asff,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.csv import to_csv
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.findings import (
    findings_of,
    identify,
    identity,
    with_fingerprints,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.junit import to_junit
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import (
    make_report,
    to_json,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.ocsf import to_ocsf
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.sarif import to_sarif
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._report.audit_results import (
    ACCOUNT,
    check,
    fleet,
    result,
)

NOW = "2026-11-25T06:00:14Z"
LATER = "2026-11-26T06:00:14Z"
ACKNOWLEDGED = {"acknowledged": {"reason": "It is meant.", "until": "2027-03-31"}}
HUB = boto3.session.Session(
    region_name="us-west-2", aws_access_key_id="testing", aws_secret_access_key="testing"
).client("securityhub")
IMPORT = HUB.meta.service_model.operation_model("BatchImportFindings").input_shape
# What readers do not take for its meaning: controls, directions, halves of characters, markup, links.
HOSTILE = st.text(
    st.sampled_from(
        [*"\x00\x07\x1b\r\n\t\u202e\u2028\u200b\ufffe\uffff\ud800<>&\"'[](){}=;,\\é€😀]]>"]
    ),
    max_size=20,
)

Json = dict[str, t.Any]


def report_of(results: Json, at: str = NOW, **options: t.Any) -> Json:
    return make_report(results.items(), at, "1.0.0", **options)


def of_status(status: str, **more: t.Any) -> Json:
    return report_of({"vision": result("vision", check("trust_ec2", status, **more), check())})


def encoded(parts: t.Iterable[str]) -> str:
    """A text as it is written, which has to be possible."""
    return "".join(parts).encode("utf-8", "backslashreplace").decode()


def sarif(report: Json) -> list[t.Any]:
    """The results, read with the classes that somebody made of the schema, which forbid what it does
    not know.
    """
    [run] = SarifLog.model_validate_json(encoded(to_sarif(report))).runs
    rules = [rule.id for rule in run.tool.driver.rules]
    assert len(set(rules)) == len(rules)
    assert all(rules[one.ruleIndex] == one.ruleId for one in run.results if one.ruleIndex >= 0)
    return run.results


def ocsf(report: Json) -> list[ComplianceFinding]:
    found = []
    for line in encoded(to_ocsf(report)).splitlines():
        Cloud.model_validate(json.loads(line)["cloud"])  # a profile, which the class passes over
        found.append(ComplianceFinding.model_validate_json(line))
    return found


def junit(report: Json) -> list[junitparser.TestSuite]:
    text = encoded(to_junit(report))
    suites = junitparser.JUnitXml.fromstring(text.encode())
    told = (suites.tests, suites.failures, suites.errors, suites.skipped)
    suites.update_statistics()
    assert told == (suites.tests, suites.failures, suites.errors, suites.skipped)
    return list(suites)


def texts_in(data: t.Any) -> t.Iterator[str]:
    if isinstance(data, str):
        yield data
    for one in data.values() if isinstance(data, dict) else data if isinstance(data, list) else ():
        yield from texts_in(one)


def properties_of(case: junitparser.TestCase) -> dict[str, str]:
    """The properties of a case, as pytest writes them too; junitparser knows those of suites alone."""
    return {one.get("name"): one.get("value") for one in case._elem.iter("property")}


def asff(report: Json) -> list[Json]:
    """The findings of all files, each of which the API takes, as botocore knows it."""
    found = []
    for name, parts in to_asff(report):
        batch = json.loads(encoded(parts))
        problems = botocore.validate.ParamValidator().validate({"Findings": batch}, IMPORT)
        assert not problems.has_errors(), problems.generate_report()
        assert 1 <= len(batch) <= 100
        assert is_asff_file(name)
        places = {(one["AwsAccountId"], one["Resources"][0]["Region"]) for one in batch}
        assert places == {tuple(name.split(".")[:2])}
        for one in batch:
            assert len(json.dumps(one).encode()) < 10_000  # of 240 KB
            assert len(one["Title"]) <= 256
            assert len(one["Description"]) <= 1024
            assert len(one.get("Remediation", {"Recommendation": {"Text": "x"}})) == 1
        found += batch
    return found


def fingerprints(report: Json) -> dict[str, list[str]]:
    """Those of all formats. In SARIF only what is wrong or unknown has one."""
    cells = csv.DictReader(io.StringIO(encoded(to_csv(report))), delimiter=";")
    whole = json.loads(encoded(to_json(with_fingerprints(report))))
    return {
        "json": [one["fingerprint"] for cloud in whole["clouds"] for one in cloud["checks"]],
        "csv": [row["FINDING_UID"] for row in cells],
        "sarif": [one.fingerprints["rayfleetAnyscale/v1"] for one in sarif(report)],
        "ocsf": [one.finding_info.uid for one in ocsf(report)],
        "junit": [properties_of(case)["fingerprint"] for suite in junit(report) for case in suite],
        "asff": [one["Id"] for one in asff(report)],
    }


# --- one finding, in each format's own terms

STATUSES = {
    "pass": (None, ("Resolved", "Pass", 1), [], ("PASSED", "ARCHIVED", "INFORMATIONAL")),
    "warn": (
        ("fail", "warning"),
        ("New", "Warning", 3),
        ["Skipped"],
        ("WARNING", "ACTIVE", "MEDIUM"),
    ),
    "fail": (("fail", "error"), ("New", "Fail", 4), ["Failure"], ("FAILED", "ACTIVE", "HIGH")),
    "unknown": (
        ("open", "none"),
        ("New", "Unknown", 3),
        ["Skipped"],
        ("NOT_AVAILABLE", "ACTIVE", "MEDIUM"),
    ),
    "not_applicable": (
        None,
        ("Not Applicable", "Other", 1),
        ["Skipped"],
        ("NOT_AVAILABLE", "ARCHIVED", "INFORMATIONAL"),
    ),
}


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_is_told_in_the_terms_of_each_format(status: str) -> None:
    """Nothing that is not known to be right is called a pass."""
    report = of_status(status)
    in_sarif, in_ocsf, in_junit, in_asff = STATUSES[status]
    assert [(one.kind.value, one.level.value) for one in sarif(report)] == (
        [in_sarif] if in_sarif else []
    )
    event = ocsf(report)[1]
    assert (event.status, event.compliance.status_id.name, event.severity_id) == in_ocsf
    [suite] = junit(report)
    assert [type(found).__name__ for found in list(suite)[1].result] == in_junit
    finding = asff(report)[1]
    assert (
        finding["Compliance"]["Status"],
        finding["RecordState"],
        finding["Severity"]["Label"],
    ) == in_asff


def test_an_acknowledged_finding_is_suppressed() -> None:
    """It makes nothing fail, and is there with its reason. Security Hub could not be told that a
    suppression has ended.
    """
    why = "Acknowledged until 2027-03-31: It is meant."
    report = of_status("fail", **ACKNOWLEDGED)
    [found] = sarif(report)
    assert [(one.kind.value, one.justification) for one in found.suppressions] == [
        ("external", why)
    ]
    event = ocsf(report)[1]
    assert (event.status, event.status_id, event.status_detail) == ("Suppressed", 3, why)
    [skipped] = list(junit(report)[0])[1].result
    assert (type(skipped), skipped.message) == (junitparser.Skipped, f"fail: {why}")
    finding = asff(report)[1]
    assert finding["RecordState"] == "ARCHIVED"
    assert finding["Description"].startswith(why)
    assert "Workflow" not in finding


def test_a_cloud_that_could_not_be_audited_is_seen() -> None:
    """In every format, and once it can be, Security Hub closes that finding."""
    failed = {
        "failed": True,
        "msg": "No role.",
        "cloud": {"account_id": ACCOUNT, "region": "eu-west-1"},
    }
    report = report_of({"vision": failed})
    [found] = sarif(report)
    assert (found.ruleId, found.level.value, found.message.text) == (
        "audit",
        "error",
        "vision: No role.",
    )
    [event] = ocsf(report)
    assert (event.status_code, event.compliance.status_id.name, event.severity_id) == (
        "ERROR",
        "Fail",
        4,
    )
    [suite] = junit(report)
    assert (suite.tests, suite.errors) == (1, 1)
    [finding] = asff(report)
    assert (finding["Compliance"]["Status"], finding["RecordState"]) == ("FAILED", "ACTIVE")
    audited = asff(of_status("pass"))[0]
    assert audited["Id"] == finding["Id"]
    assert (audited["Compliance"]["Status"], audited["RecordState"]) == ("PASSED", "ARCHIVED")


def test_what_the_operator_does_not_permit_is_nobodys_alarm() -> None:
    """Anybody can register such a cloud, in any state."""
    found = {"vision": result("vision", check("trust_ec2", "fail"))}
    report = report_of(found, not_permitted={"vision"})
    assert [one.level.value for one in sarif(report)] == ["note"]
    assert {one.severity for one in ocsf(report)} == {"Informational"}
    [suite] = junit(report)
    assert (suite.failures, suite.errors, suite.skipped) == (0, 0, 1)
    assert {one["Severity"]["Label"] for one in asff(report)} == {"INFORMATIONAL"}


def test_a_cloud_whose_account_is_not_known_is_not_sent_anywhere() -> None:
    """Nor one whose account is a path."""
    unknown = {"failed": True, "msg": "No."}
    path = result("b", check(), account_id="../../../../etc/x")
    report = report_of({"a": unknown, "b": path, "c": result("c", check(), region="x/../y")})
    assert asff(report) == []
    assert clouds_without_place(report) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("region", "partition"),
    [("us-west-2", "aws"), ("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov")],
)
def test_security_hub_is_in_the_partition_of_the_region(region: str, partition: str) -> None:
    findings = asff(report_of({"v": result("v", check(), region=region)}))
    assert {one["ProductArn"] for one in findings} == {
        f"arn:{partition}:securityhub:{region}:{ACCOUNT}:product/{ACCOUNT}/default"
    }


# --- fingerprints


def test_every_format_has_the_same_fingerprints() -> None:
    report = report_of(fleet(20, drift=3))
    placed = {cloud["name"] for cloud in report["clouds"]} - {*clouds_without_place(report)}
    of = fingerprints(report)
    every = [found for cloud in report["clouds"] for found in findings_of(cloud)]
    shown = [one.fingerprint for one in every if one.check_id != "audit" or one.status == "error"]
    assert of["ocsf"] == of["junit"] == [one.fingerprint for one in every]
    assert of["csv"] == shown
    assert of["json"] == [one.fingerprint for one in every if one.check_id != "audit"]
    assert set(of["asff"]) == {one.fingerprint for one in every if one.cloud_name in placed}
    assert of["sarif"] == [
        one.fingerprint for one in every if one.status in ("fail", "warn", "unknown", "error")
    ]
    assert len(set(of["ocsf"])) == len(of["ocsf"])


def test_a_fingerprint_depends_on_the_cloud_the_check_and_the_role_alone() -> None:
    """Not on the order, the time, the version, the status or the texts."""
    names = ["a", "b"]
    before = {
        name: result(name, check("trust_ec2", "fail"), check("bucket_deny")) for name in names
    }
    after = {
        name: result(
            name, check("bucket_deny", "warn"), check("trust_ec2", reason="Fine."), region="x"
        )
        for name in reversed(names)
    }
    ids = {"a": identity("a", "cld_1", None), "b": identity("b", "cld_1", "cldrsrc_2")}
    first = identify(report_of(before), ids)
    second = identify(make_report(after.items(), LATER, "2.0.0"), ids)
    keys = [
        {(one.cloud_name, one.check_id): one.fingerprint for one in found}
        for found in (
            [one for cloud in report["clouds"] for one in findings_of(cloud)]
            for report in (first, second)
        )
    ]
    assert keys[0] == keys[1]
    assert len(set(keys[0].values())) == 6


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        pytest.param(("a", "cld_1", "r"), ("b", "cld_1", "r"), True, id="a host gets another name"),
        pytest.param(("a", "cld_1", None), ("b", "cld_1", None), False, id="hosts share a cloud"),
        pytest.param(("a", "cld_1", "r"), ("a", "cld_1", "s"), False, id="resources of a cloud"),
        pytest.param(("a", None, None), ("a", None, "r"), True, id="a cloud without an ID"),
        pytest.param(("a", "cld_1", None), ("a", "cld_2", None), False, id="two clouds"),
    ],
)
def test_the_identity_of_a_cloud(
    one: tuple[str, str | None, str | None], other: tuple[str, str | None, str | None], same: bool
) -> None:
    assert (identity(*one) == identity(*other)) is same


def test_a_further_role_has_a_finding_of_its_own() -> None:
    """With its own status and title, and suppressed with its check."""
    roles = {
        "batch": {"status": "fail", "reason": "No statement.", "remedy": "Add it.", "named_by": []},
        "idle": {"status": "pass", "reason": "Good.", "remedy": "", "named_by": []},
    }
    found = result(
        "vision",
        check("trust_ec2", "fail", evidence={"roles": roles}, **ACKNOWLEDGED),
        further_roles=[{"name": "batch", "arn": f"arn:aws:iam::{ACCOUNT}:role/batch"}],
    )
    events = ocsf(report_of({"vision": found}))
    assert [(one.finding_info.title, one.status) for one in events[2:]] == [
        ("EC2 cannot assume the role, or only under a condition (batch)", "Suppressed"),
        ("EC2 can assume the role (idle)", "Suppressed"),
    ]
    assert [one.resources[0].uid for one in events[2:]] == [
        f"arn:aws:iam::{ACCOUNT}:role/batch",
        None,
    ]
    assert len({one.finding_info.uid for one in events}) == 4


# --- large and hostile reports


def test_changes_since_the_previous_report_are_told() -> None:
    previous = of_status("fail")
    fixed = report_of({"vision": result("vision", check("trust_ec2"))}, previous=previous)
    still = report_of({"vision": result("vision", check("trust_ec2", "fail"))}, previous=previous)
    assert [one.activity_name for one in ocsf(fixed)] == ["Create", "Close"]
    assert [one.activity_name for one in ocsf(still)] == ["Create", "Update"]
    assert [one.baselineState.value for one in sarif(still)] == ["unchanged"]


@given(HOSTILE, HOSTILE)
def test_no_text_breaks_out_of_its_place(name: str, text: str) -> None:
    """Every reader still finds the same findings, and no character that hides or reorders others."""
    hostile = check("trust_ec2", "fail", reason=text, remedy=text, title=text)
    results = {f"{name}x": result("v", hostile, cloud_id=text, default_role_arn=text, role=None)}
    report = report_of(results)
    of = fingerprints(report)
    assert of["ocsf"] == of["junit"] == of["asff"]
    assert [*of["csv"], *of["sarif"]] == [of["ocsf"][1]] * 2
    read = [
        json.loads(encoded(to_sarif(report))),
        *map(json.loads, encoded(to_ocsf(report)).splitlines()),
        *(json.loads(encoded(parts)) for _name, parts in to_asff(report)),
        encoded(to_junit(report)),
    ]
    assert not set("\x00\x07\x1b\u202e\u2028\u200b\ud800") & set("".join(texts_in(read)))


@pytest.mark.parametrize("make", [to_sarif, to_ocsf, to_junit], ids=lambda make: make.__name__)
def test_a_fleet_is_written_cloud_by_cloud(make: t.Callable[[Json], t.Iterator[str]]) -> None:
    """So that the text of a large fleet is never in memory as a whole."""
    parts = list(make(report_of(fleet(200))))
    assert max(map(len, parts)) < sum(map(len, parts)) / 8


def test_a_message_of_sarif_embeds_no_link() -> None:
    [found] = sarif(of_status("fail", reason="See [this](https://example.com)."))
    assert found.message.text == r"vision: See \[this\](https://example.com)."


def test_a_case_of_junit_keeps_its_name() -> None:
    """CI servers compare runs by it."""
    names = [
        [(case.classname, case.name) for suite in junit(of_status(status)) for case in suite]
        for status in STATUSES
    ]
    assert all(one == names[0] for one in names)
    text = encoded(to_junit(of_status("fail", reason="a < b", remedy="x & y")))
    [problem] = xml.etree.ElementTree.fromstring(text).iter("failure")
    assert problem.text == "a < b\nx & y"
