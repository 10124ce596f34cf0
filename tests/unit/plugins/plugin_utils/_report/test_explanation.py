# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The explanation of a cloud says first what is wrong and what to do, and says it once."""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    BY_WEIGHT,
    onboard,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.explanation import explain
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.explanation_text import (
    lines_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import make_report
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._report.audit_results import (
    check,
    result,
)

Json = dict[str, t.Any]

ONBOARD = "ansible-playbook rayfleet.anyscale.onboard --limit <cloud>"
BY_ONBOARD: Json = {"command": ONBOARD, "remedy": onboard("iam_trust_ec2")}
NEW_VERSION = f"{onboard('compute_config_profile')} It publishes a new version."
STATEMENT = '{\n  "Sid": "AnyscalePassRole"\n}'
ACCEPTED = {"reason": "The images are public.", "until": "2027-03-31"}


def cloud(*checks: Json, **facts: t.Any) -> Json:
    """A cloud of the report of a run with an inventory, with the other checks passing."""
    given = {one["id"]: one for one in checks}
    of_all = [given.get(one.id) or check(one.id) for one in CHECKS]
    results = {"vision-prod": result("vision-prod", *of_all, **facts)}
    return make_report(results.items(), "", "", options=["-i", "fleet.yml"])["clouds"][0]


def text_of(*checks: Json, columns: int = 100, **facts: t.Any) -> str:
    return "\n".join(lines_of(explain(cloud(*checks, **facts)), columns))


# The checks; then of each step the command or the decision, and the findings that it is for.
STEPS: dict[str, tuple[list[Json], list[tuple[str, list[str]]]]] = {
    "nothing is wrong": ([], []),
    "one command for all that it fixes": (
        [check("bucket_access", "warn", **BY_ONBOARD), check("trust_ec2", "fail", **BY_ONBOARD)],
        [("onboard", ["trust_ec2", "bucket_access"])],
    ),
    "another command": (
        [
            check("trust_ec2", "fail", **BY_ONBOARD),
            check("bucket_dangling_principals", "warn", command=f"{ONBOARD} -e prune=true"),
        ],
        [("onboard", ["trust_ec2"]), ("prune=true", ["bucket_dangling_principals"])],
    ),
    "a decision for each": (
        [check("role_account", "fail", remedy="Move it."), check("bucket_region", "fail")],
        [("Move it.", ["role_account"]), ("", ["bucket_region"])],
    ),
    "the worst first": (
        [
            check("trust_ec2", "warn", remedy="Wait."),
            check("bucket_key", "unknown", remedy="Allow it."),
            check("control_plane_pass_role", "fail", remedy=STATEMENT),
        ],
        [
            (STATEMENT, ["control_plane_pass_role"]),
            ("Allow it.", ["bucket_key"]),
            ("Wait.", ["trust_ec2"]),
        ],
    ),
    "the operator's permission before what it is for": (
        [
            check("authority", "warn", remedy="allow:\n  roles: [x]\n"),
            check("trust_ec2", "fail", **BY_ONBOARD),
        ],
        [("allow:\n  roles: [x]\n", ["authority"]), ("onboard", ["trust_ec2"])],
    ),
    "unknown for one reason": (
        [
            check("trust_ec2", "unknown", reason="AWS refuses iam:GetRole.", remedy="Allow it."),
            check("bucket_deny", "unknown", reason="AWS refuses iam:GetRole.", remedy="Allow it."),
        ],
        [("Allow it.", ["trust_ec2", "bucket_deny"])],
    ),
    "an accepted finding is to stay": (
        [check("container_registry_access", "fail", acknowledged=ACCEPTED)],
        [],
    ),
}


@pytest.mark.parametrize("case", STEPS)
def test_what_to_do_if(case: str) -> None:
    checks, expected = STEPS[case]
    steps = explain(cloud(*checks))["steps"]
    found = [[finding["id"] for finding in step["findings"]] for step in steps]
    assert found == [names for _words, names in expected]
    for step, (words, _names) in zip(steps, expected, strict=True):
        assert words in (step["command"] or step["decide"])


@pytest.mark.parametrize("case", STEPS)
def test_each_problem_refers_to_its_step(case: str) -> None:
    """What needs none refers to none."""
    explained = explain(cloud(*STEPS[case][0]))
    of_steps = {
        finding["id"]: number
        for number, step in enumerate(explained["steps"], 1)
        for finding in step["findings"]
    }
    of_layers = {one["id"]: one["step"] for layer in explained["layers"] for one in layer["checks"]}
    assert {name: step for name, step in of_layers.items() if step} == of_steps
    assert sorted(of_layers) == sorted(one.id for one in CHECKS)


@pytest.mark.parametrize("case", STEPS)
def test_the_explanation_is_json(case: str) -> None:
    explained = explain(cloud(*STEPS[case][0]))
    assert json.loads(json.dumps(explained)) == explained


@pytest.mark.parametrize("columns", [79, 119])
@pytest.mark.parametrize("case", STEPS)
def test_lines_fit_the_terminal(case: str, columns: int) -> None:
    """But for what is copied."""
    text = text_of(*STEPS[case][0], columns=columns)
    longest = [line for line in text.splitlines() if "ansible-playbook" not in line]
    assert max(map(len, longest)) <= min(columns, 100)
    assert "\x1b" not in text


def test_a_command_is_told_once_on_one_line_as_it_is_run() -> None:
    """With the inventory of this run, and quoted."""
    text = text_of(
        check("trust_ec2", "fail", **BY_ONBOARD),
        check("compute_config_override", "fail", command=ONBOARD, remedy=NEW_VERSION),
        check("effective_profile", "fail", command=ONBOARD, remedy=NEW_VERSION),
        columns=79,
    )
    command = "ansible-playbook -i fleet.yml rayfleet.anyscale.onboard --limit vision-prod"
    assert text.count("ansible-playbook") == text.splitlines().count(f"     {command}") == 1
    note = "On compute_config_override and effective_profile: It publishes a new version."
    assert " ".join(text.split()).count(note) == 1
    assert "or the module" not in text


def test_what_a_command_lacks_is_told_with_it() -> None:
    """Once, and only where there is a command."""
    needs = ["cloud_iam_backup_key", "cloud_iam_node_groups"]
    for found, times in ((check("trust_ec2", "fail", **BY_ONBOARD), 1), (check("bucket_key"), 0)):
        explained = explain(cloud(found), needs, ["cloud_iam_profile"])
        text = " ".join(" ".join(lines_of(explained)).split())
        assert text.count("with the same -e for cloud_iam_backup_key, cloud_iam_node_") == times
        assert text.count("does not repeat how this run connected (cloud_iam_profile).") == times


def test_a_document_stays_as_it_is() -> None:
    text = text_of(check("control_plane_pass_role", "fail", remedy=STATEMENT), columns=79)
    assert '     {\n       "Sid": "AnyscalePassRole"\n     }\n' in text
    assert "People must decide" in text


@given(
    st.lists(
        st.tuples(st.sampled_from(BY_WEIGHT), st.booleans()),
        min_size=len(CHECKS),
        max_size=len(CHECKS),
    )
)
def test_every_outcome_is_told_once(found: list[tuple[str, bool]]) -> None:
    """Whatever they are, and whoever has to fix them; and the command too."""
    checks = [
        check(one.id, status, reason=f"Reason-{number}.", **(BY_ONBOARD if by_command else {}))
        for number, (one, (status, by_command)) in enumerate(zip(CHECKS, found, strict=True))
    ]
    text = text_of(*checks)
    told = re.findall(r"Reason-\d+\.", text)
    assert sorted(told) == sorted(one["reason"] for one in checks)
    is_fixed = any(
        by_command and status in ("fail", "warn", "unknown") for status, by_command in found
    )
    assert text.count("ansible-playbook") == is_fixed


def test_the_answer_and_the_problems_come_first() -> None:
    text = text_of(check("trust_ec2", "fail", reason="Nobody is trusted.", **BY_ONBOARD))
    lines = text.splitlines()
    assert lines[0] == "vision-prod"
    assert lines[2] == "Clusters cannot start with the role."
    assert text.count("Nobody is trusted.") == 1
    assert text.index("Nobody is trusted.") < text.index("It is pass.")
    assert "What to do (1 problem):" in lines


def test_a_pass_is_not_read_as_the_answer() -> None:
    """Where clusters cannot start, the role that they would run with can still be the right one."""
    failing = text_of(check("trust_ec2", "fail", **BY_ONBOARD))
    assert "All layers, each checked by itself: a pass makes up for no problem above." in failing
    assert "All layers:" in text_of()


def test_what_was_looked_at() -> None:
    """What is not known is left out, and the default role is shown if it is another one."""
    text = text_of(bucket=None, default_role_arn="arn:aws:iam::222222222222:role/default")
    facts = dict(line.split(maxsplit=1) for line in text.splitlines()[4:11] if line)
    assert facts["cloud"] == "vision-prod, cld_visionprod"
    assert facts["AWS"] == "account     222222222222, us-west-2"
    assert facts["role"] == "arn:aws:iam::222222222222:role/vision-prod-ray"
    assert facts["default"] == "role    arn:aws:iam::222222222222:role/default"
    assert "bucket" not in facts


def test_checks_with_one_outcome_are_told_together() -> None:
    """In a layer, and without the account, which is above."""
    reason = "Role arn:aws:iam::222222222222:role/ray does not exist."
    text = text_of(
        check("role_account", "not_applicable", reason=reason),
        check("permissions_boundary", "not_applicable", reason=reason),
        check("document_owner", reason="arn:aws:iam::222222222222:role/ray has no tags."),
    )
    assert "    n/a      role_account, permissions_boundary: Role ray does not exist.\n" in text
    assert "    pass     document_owner: role/ray has no tags." in text


def test_an_accepted_finding_says_until_when() -> None:
    text = text_of(check("container_registry_access", "fail", acknowledged=ACCEPTED))
    assert "Accepted until 2027-03-31: The images are public." in " ".join(text.split())
    assert "There is nothing to do." in text


def test_a_cloud_that_was_not_read() -> None:
    """It says why, and nothing of layers."""
    failed = {"failed": True, "msg": "AssumeRole is refused.", "cloud": {"cloud_id": "cld_1"}}
    unread = make_report([("vision-prod", failed)], "", "")["clouds"][0]
    explained = explain(unread)
    assert (explained["answer"], explained["error"]) == ("unknown", "AssumeRole is refused.")
    assert lines_of(explained)[2:] == [
        "This cloud could not be read.",
        "AssumeRole is refused.",
        "",
        "  cloud           cld_1",
    ]


def test_names_from_anyscale_do_not_control_the_terminal() -> None:
    """Nor do reasons and remedies."""
    evil = "\x1b[2J\x07"
    text = text_of(
        check("trust_ec2", "fail", reason=evil, remedy=f"1\n{evil}"),
        check("role_account", reason=evil),
        cloud_name=evil,
        account_id="(",
    )
    assert not set(evil[:1] + evil[-1:]) & set(text)
    assert text.count("\\x1b[2J\\x07") == 4
