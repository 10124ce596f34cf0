# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report's page says at its top and in its rows, in words."""

from __future__ import annotations

import html
import re
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.html import to_html
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import make_report
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.rows import difference
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._report.audit_results import (
    check,
    result,
)

Json = dict[str, t.Any]

COMMAND = "ansible-playbook rayfleet.anyscale.onboard --limit <cloud>"
ACCEPTED = {"until": "2027-03-31", "reason": "Ticket SEC-1234."}
DRIFTED = check("trust_ec2", "fail", command=COMMAND)
ON_KUBERNETES = [check(found.id, "not_applicable") for found in CHECKS if not found.is_opt_in]


def text_of(results: Json, previous: Json | None = None, organization: str | None = None) -> str:
    """The page as people read it, a line for each element."""
    before = (
        None if previous is None else make_report(previous.items(), "2026-11-18T06:00:11Z", "0.9.0")
    )
    report = make_report(results.items(), "2026-11-25T06:00:14Z", "0.9.0", before)
    page = "".join(to_html({**report, "organization": organization}))
    body = page[page.index("</head>") : page.index('id="report"')]
    return html.unescape(re.sub(r"(<[^>]*>)+", "\n", body))


def clouds(count: int, *checks: Json) -> Json:
    """As many clouds with these checks."""
    return {f"cloud-{number}": result(f"cloud-{number}", *checks) for number in range(count)}


@pytest.mark.parametrize(
    ("results", "line"),
    [
        pytest.param({}, "All 0 clouds pass all checks that apply", id="no clouds"),
        pytest.param(clouds(1, check()), "The cloud passes all checks that apply", id="one passes"),
        pytest.param(clouds(2, check()), "All 2 clouds pass all checks that apply", id="all pass"),
        pytest.param(
            {**clouds(2, check()), "elsewhere": result("elsewhere", *ON_KUBERNETES)},
            "No check applies to 1 of 3 clouds, and none needs attention",
            id="one is elsewhere",
        ),
        pytest.param(
            {**clouds(1, DRIFTED), "elsewhere": result("elsewhere", *ON_KUBERNETES)},
            "1 of 2 clouds needs attention",
            id="one fails",
        ),
        pytest.param(clouds(1, check()), "No finding has to be fixed.", id="nothing to fix"),
        pytest.param(
            clouds(1, check("bucket_deny", "fail")),
            "No command fixes these findings.",
            id="people have to fix it",
        ),
        pytest.param(
            clouds(2, DRIFTED, check("bucket_access", "warn", command=f"{COMMAND} -e x=1")),
            "2 of them by this command, in 2 clouds. Preview it with --check --diff.",
            id="there are two commands",
        ),
        pytest.param(
            clouds(51, DRIFTED),
            "All of them by this command, in 51 clouds. It onboards every cloud of the inventory. "
            "Preview it with --check --diff.",
            id="too many to name",
        ),
        pytest.param(
            {**clouds(1, check()), "elsewhere": result("elsewhere", *ON_KUBERNETES)},
            "Clouds, by the checks of what clusters need: the role's trust, the instance profile and "
            "what Anyscale may do to start, then the access to the bucket and the role itself. Not "
            "counted: 1 on Kubernetes.",
            id="clusters elsewhere are not judged",
        ),
        pytest.param(
            clouds(1, *(check(found.id, "fail") for found in CHECKS[:4]), check("bucket_deny")),
            "2 more findings, 1 check passed",
            id="a row names the worst",
        ),
        pytest.param(
            clouds(
                1,
                *(check(found.id) for found in CHECKS[:3]),
                check("bucket_key", "not_applicable"),
                check("bucket_cors", "fail", acknowledged=ACCEPTED),
            ),
            "3 checks passed, 1 does not apply, 1 acknowledged",
            id="a row counts what passes, what does not apply and what is acknowledged apart",
        ),
        pytest.param(
            clouds(1, check(), check("bucket_key", "not_applicable")),
            "No problem in 2 checks",
            id="checks without a problem are folded",
        ),
    ],
)
def test_what_the_page_says(results: Json, line: str) -> None:
    assert line in text_of(results).splitlines()


def test_the_organization_and_what_changed_are_said_where_they_are_known() -> None:
    """Of a cloud that could not be audited, why; of evidence without a value, that there is none."""
    found = check("trust_ec2", "fail", evidence={"role": None, "roles": []})
    results = {"one": result("one", found), "lost": {"failed": True, "msg": "No."}}
    alone = text_of(results).splitlines()
    assert not {"Since the previous audit", "Robots & Sons"} & set(alone)
    assert (alone.count("No."), alone.count("none")) == (2, 2)
    lines = text_of(results, {"one": result("one", check())}, "Robots & Sons").splitlines()
    assert "Robots & Sons" in lines
    assert "Compared with the audit at 2026-11-18 06:00 UTC" in lines
    assert "1 new" in lines


def test_what_the_command_lacks_is_said_with_it() -> None:
    report = make_report(clouds(1, DRIFTED).items(), "2026-11-25T06:00:14Z", "0.9.0")
    page = "".join(to_html({**report, "commands_need": ["cloud_iam_backup_key"]}))
    assert "with the same -e for cloud_iam_backup_key" in page
    assert "same -e" not in "".join(to_html(report))
    connected = "".join(to_html({**report, "connected_by": ["cloud_iam_profile"]}))
    assert "does not repeat how this audit connected (cloud_iam_profile)" in connected


def test_in_a_job_of_awx_no_command_is_shown() -> None:
    results = clouds(2, check("trust_ec2", "fail", command=COMMAND, remedy=f"Run '{COMMAND}'."))
    report = make_report(
        results.items(), "2026-11-25T06:00:14Z", "0.9.0", job_template="Anyscale onboard"
    )
    page = "".join(to_html(report))
    assert (
        "Launch the job template Anyscale onboard with apply for Mode and cloud-0,cloud-1" in page
    )
    assert "2 of them by this launch" in page or "All of them by this launch" in page
    assert "Preview it with check for Mode and Show changes." in page
    assert "ansible-playbook" not in page
    assert "--check" not in page


def test_of_what_runs_with_another_role_the_first_are_shown() -> None:
    job = {
        "kind": "job",
        "id": "prodjob_1",
        "state": "RUNNING",
        "instance_profiles": [],
        "reason": "r",
    }
    found = check("launches_use_the_config", "fail", evidence={"launches": [job] * 301})
    lines = text_of(clouds(1, found)).splitlines()
    assert "301 entries, of which 300 are shown; report.json has more" in lines
    assert lines.count("job prodjob_1") == 300


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        pytest.param(
            None, ["x"], "<ins>+ [\n+   &quot;x&quot;\n+ ]\n</ins>", id="there was no document"
        ),
        pytest.param(
            ["x"], None, "<del>- [\n-   &quot;x&quot;\n- ]\n</del>", id="there will be none"
        ),
        pytest.param(
            [1, 2, 3], [1, 3], "  [\n    1,\n<del>-   2,\n</del>    3\n  ]\n", id="a line goes"
        ),
        pytest.param(
            [1, 3], [1, 2, 3], "  [\n    1,\n<ins>+   2,\n</ins>    3\n  ]\n", id="a line comes"
        ),
        pytest.param(
            {"a": 1},
            {"a": 2},
            "  {\n<del>-   &quot;a&quot;: 1\n</del><ins>+   &quot;a&quot;: 2\n</ins>  }\n",
            id="a line differs",
        ),
        pytest.param([1], [1], "  [\n    1\n  ]\n", id="no difference"),
        pytest.param(None, None, "", id="no documents"),
    ],
)
def test_the_difference_of_two_documents(before: t.Any, after: t.Any, shown: str) -> None:
    """Line by line, nothing more and nothing less."""
    assert difference(before, after) == shown
