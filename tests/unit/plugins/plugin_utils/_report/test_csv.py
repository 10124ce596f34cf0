# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report as CSV: a row for each check, by Prowler's names, and nothing that a spreadsheet would
run.
"""

from __future__ import annotations

import csv
import io
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.csv import COLUMNS, to_csv
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import make_report
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._report.audit_results import (
    check,
    fleet,
    result,
)

NOW = "2026-11-25T06:00:14Z"
Json = dict[str, t.Any]


def rows(results: Json, previous: Json | None = None) -> list[dict[str, str]]:
    """The rows, read as Prowler's readers do."""
    text = "".join(to_csv(make_report(results.items(), NOW, "0.2.0", previous)))
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


def test_a_row_contains_all_about_a_check() -> None:
    """In the columns that other tools know."""
    [row] = rows(
        {
            "vision": result(
                "vision",
                check("trust_ec2", "fail", reason="No statement; none.", remedy="one\ntwo"),
            )
        }
    )
    assert row == {
        "TIMESTAMP": NOW,
        "ACCOUNT_UID": "222222222222",
        "FINDING_UID": "265cd83af6b522c64de05263f84d241d",
        "PROVIDER": "aws",
        "CHECK_ID": "trust_ec2",
        "CHECK_TITLE": "EC2 cannot assume the role, or only under a condition",
        "STATUS": "FAIL",
        "STATUS_EXTENDED": "No statement; none.",
        "MUTED": "False",
        "SERVICE_NAME": "iam",
        "SEVERITY": "high",
        "RESOURCE_TYPE": "AwsIamRole",
        "RESOURCE_UID": "arn:aws:iam::222222222222:role/vision-ray",
        "RESOURCE_NAME": "vision-ray",
        "PARTITION": "aws",
        "REGION": "us-west-2",
        "REMEDIATION_RECOMMENDATION_TEXT": "one\ntwo",
        "CLOUD_ID": "cld_vision",
        "CLOUD_NAME": "vision",
        "CHANGE": "",
    }


def test_a_fleet_has_a_row_for_each_check_and_for_each_error() -> None:
    """So that a cloud that could not be audited is not overlooked."""
    results = fleet(60, drift=3)
    found = rows(results)
    assert len(found) == sum(len(outcome.get("checks", [None])) for outcome in results.values())
    errors = [row for row in found if row["STATUS"] == "ERROR"]
    assert [row["CLOUD_NAME"] for row in errors] == [
        name for name, outcome in results.items() if outcome.get("failed")
    ]
    assert errors
    assert all(row["STATUS_EXTENDED"] and row["CHECK_ID"] == "audit" for row in errors)


def test_what_runs_with_another_role_has_rows_of_its_own() -> None:
    """After the row of the check that lists it."""
    about = {"reason": "It is another.", "instance_profiles": [], "state": "RUNNING"}
    job = {"kind": "job", "id": "prodjob_1", "name": "=cmd", "verdict": "other", **about}
    instance = {"kind": "instance", "id": "i-1", "verdict": "cannot_tell", **about}
    found = rows(
        {
            "vision": result(
                "vision",
                check("launches_use_the_config", "fail", evidence={"launches": [job]}),
                check("instances_run_with_the_role", "fail", evidence={"instances": [instance]}),
            )
        }
    )
    keys = ("STATUS", "RESOURCE_TYPE", "RESOURCE_UID", "RESOURCE_NAME")
    of_role = ("FAIL", "AwsIamRole", "arn:aws:iam::222222222222:role/vision-ray", "vision-ray")
    assert [tuple(row[key] for key in keys) for row in found] == [
        of_role,
        ("FAIL", "AnyscaleJob", "prodjob_1", "'=cmd"),
        of_role,
        ("UNKNOWN", "AwsEc2Instance", "i-1", "i-1"),
    ]
    assert len({row["FINDING_UID"] for row in found}) == 4


def test_an_error_comes_before_the_unknown_checks() -> None:
    """So that it is not overlooked either."""
    found = rows({"vision": result("vision", check("trust_ec2", "unknown"))})
    assert [(row["CHECK_ID"], row["STATUS"]) for row in found] == [
        ("audit", "ERROR"),
        ("trust_ec2", "UNKNOWN"),
    ]


def test_the_header_is_there_without_clouds() -> None:
    """An empty table is a table."""
    assert (
        "".join(to_csv(make_report((), NOW, "0.2.0")))
        == ";".join(f'"{column}"' for column in COLUMNS) + "\n"
    )


@pytest.mark.parametrize(
    ("check_id", "facts", "expected"),
    [
        pytest.param(
            "bucket_deny",
            {},
            ("s3", "AwsS3Bucket", "arn:aws:s3:::anyscale-vision-data"),
            id="a bucket",
        ),
        pytest.param(
            "bucket_deny",
            {"bucket": None},
            ("s3", "AwsS3Bucket", ""),
            id="an unknown bucket",
        ),
        pytest.param(
            "role_account",
            {},
            ("iam", "AwsIamRole", "arn:aws:iam::222222222222:role/vision-ray"),
            id="a role",
        ),
        pytest.param(
            "role_account",
            {"role": None, "default_role_arn": "arn:aws-cn:iam::1:role/x/cld_1"},
            ("iam", "AwsIamRole", "arn:aws-cn:iam::1:role/x/cld_1"),
            id="a role that does not exist, by its name",
        ),
        pytest.param(
            "role_account",
            {"role": None, "default_role_arn": None},
            ("iam", "AwsIamRole", ""),
            id="no role at all",
        ),
        pytest.param(
            "bucket_access",
            {"default_role_arn": "arn:aws-us-gov:iam::1:role/r", "role": None},
            ("s3", "AwsS3Bucket", "arn:aws-us-gov:s3:::anyscale-vision-data"),
            id="a bucket is in the role's partition",
        ),
    ],
)
def test_the_resource_that_a_finding_is_about(
    check_id: str, facts: Json, expected: tuple[str, str, str]
) -> None:
    """By its ARN where there is one."""
    [row] = rows({"vision": result("vision", check(check_id), **facts)})
    assert (row["SERVICE_NAME"], row["RESOURCE_TYPE"], row["RESOURCE_UID"]) == expected


def test_a_finding_keeps_its_id_and_names_its_change() -> None:
    """From one audit to the next."""
    before, now = (
        {"vision": result("vision", check("trust_ec2", status))} for status in ("fail", "pass")
    )
    [first], [second] = rows(before), rows(now, make_report(before.items(), NOW, "0.2.0"))
    assert first["FINDING_UID"] == second["FINDING_UID"]
    assert second["CHANGE"] == "fixed"


FORMULAS = "=+-@＝＋－＠"
DELIMITERS = ",;|\t"


def cells(text: str, delimiter: str, quoting: int) -> t.Iterator[str]:
    """The cells as a reader sees them that was told, or guessed, another format."""
    lines = io.StringIO(text, newline="")
    for row in csv.reader(lines, delimiter=delimiter, quoting=t.cast(t.Any, quoting)):
        yield from row


@given(st.text(st.sampled_from([*FORMULAS, *DELIMITERS, *"\r\n \"'a\u3000\u200b"]), max_size=12))
def test_no_reader_sees_a_formula(value: str) -> None:
    """Wherever a cell begins for it, and though it takes white space and quotes away."""
    found = {f"{value}x": result("v", check(reason=value, remedy=f"1{value}"), region=value)}
    text = "".join(to_csv(make_report(found.items(), NOW, "0.2.0")))
    for delimiter in DELIMITERS:
        for quoting in (csv.QUOTE_MINIMAL, csv.QUOTE_NONE):
            for cell in cells(text, delimiter, quoting):
                assert cell.strip().strip('"').strip()[:1] not in tuple(FORMULAS), cell


@pytest.mark.parametrize(
    ("value", "written"),
    [
        pytest.param("=1+1", "'=1+1", id="at its start"),
        pytest.param("  =1+1", "  '=1+1", id="after blanks"),
        pytest.param("＝1", "'＝1", id="of full width"),
        pytest.param("Sid A,=cmd|' /C calc'!A0", "Sid A,'=cmd|' /C calc'!A0", id="after a comma"),
        pytest.param("a|@x;-2\n+3", "a|'@x;'-2\n'+3", id="after other separators"),
        pytest.param('a,"=1"', 'a,"\'=1"', id="after a quote"),
        pytest.param("\t=1", "\t'=1", id="after a tab"),
        pytest.param("\r=1", "\\r=1", id="after a carriage return, which is shown"),
        pytest.param("a-b = c + d @ e, f", "a-b = c + d @ e, f", id="none"),
        pytest.param("ad\u202emin", "ad\\u202emin", id="an invisible character"),
    ],
)
def test_a_formula_is_made_text(value: str, written: str) -> None:
    """And stays readable."""
    [row] = rows({"vision": result("vision", check("trust_ec2", "fail", reason=value))})
    assert row["STATUS_EXTENDED"] == written


def test_separators_and_quotes_stay_inside_their_cell() -> None:
    """No text begins a cell or a row of its own."""
    value = 'a";"=1+1"\r\n;;;"=2'
    [row] = rows({"vision": result("vision", check("trust_ec2", reason=value))})
    assert row["STATUS_EXTENDED"] == value.replace('"=', "\"'=")
    assert None not in row


def test_an_acknowledged_finding_is_muted_and_says_why() -> None:
    accepted = {"acknowledged": {"reason": "It is meant.", "until": "2027-03-31"}}
    found = make_report(
        [("vision", result("vision", check("bucket_deny", "fail", **accepted)))], "now", "0.9.0"
    )
    (row,) = csv.DictReader(io.StringIO("".join(to_csv(found))), delimiter=";")
    assert (row["STATUS"], row["MUTED"]) == ("FAIL", "True")
    assert row["STATUS_EXTENDED"] == "It is fail. Acknowledged until 2027-03-31: It is meant."
