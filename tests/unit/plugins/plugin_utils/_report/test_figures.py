# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report tells the person who decides: each figure, and what is in none of them."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.figures import (
    Account,
    Fixes,
    accounts_of,
    fixes_of,
    problems_of,
    starts_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import make_report
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._report.audit_results import (
    check,
    result,
)

Json = dict[str, t.Any]

DECISIVE = [found.id for found in CHECKS if found.is_needed_to_start]
ONBOARD = "ansible-playbook rayfleet.anyscale.onboard"
COMMAND = f"{ONBOARD} --limit <cloud>"
ACCEPTED = {"until": "2027-03-31", "reason": "Ticket SEC-1234."}


def report(results: Json, not_permitted: t.Container[str] = ()) -> Json:
    """The report of these results."""
    return make_report(
        results.items(), "2026-11-25T06:00:14Z", "0.9.0", not_permitted=not_permitted
    )


def _all_but(**others: str) -> list[Json]:
    """The decisive checks: they pass, except these."""
    return [check(name, others.get(name, "pass")) for name in DECISIVE]


@pytest.mark.parametrize(
    ("found", "start"),
    [
        pytest.param(result("one", *_all_but()), "can", id="all that is needed passes"),
        pytest.param(
            result("one", *_all_but(), check("bucket_access", "fail")),
            "lacking",
            id="there is no access to the bucket",
        ),
        pytest.param(
            result("one", *_all_but(), check("bucket_cors", "fail")),
            "can",
            id="what fails is not needed",
        ),
        pytest.param(result("one", *_all_but(trust_ec2="warn")), "can", id="it warns"),
        pytest.param(result("one", *_all_but(trust_ec2="fail")), "cannot", id="one fails"),
        pytest.param(
            result(
                "one",
                *_all_but()[1:],
                check(DECISIVE[0], "fail", evidence={"only_anyscale_verify": True}),
            ),
            "can",
            id="what fails is only what anyscale cloud verify does not accept",
        ),
        pytest.param(
            result("one", *_all_but(control_plane_trust="unknown")), "unknown", id="one is unknown"
        ),
        pytest.param(
            result("one", *_all_but(control_plane_trust="unknown", trust_ec2="fail")),
            "cannot",
            id="one is unknown, but another one fails",
        ),
        pytest.param(
            result("one", *_all_but()[1:], check(DECISIVE[0], "fail", acknowledged=ACCEPTED)),
            "cannot",
            id="that it is accepted lets no cluster start",
        ),
        pytest.param(
            result("one", check("trust_ec2")), "unknown", id="what is needed was not checked"
        ),
        pytest.param(
            result("one", *_all_but(**dict.fromkeys(DECISIVE, "not_applicable"))),
            None,
            id="on Kubernetes",
        ),
        pytest.param({"failed": True, "msg": "No."}, "unknown", id="it could not be audited"),
        pytest.param({}, "unknown", id="its task did not run"),
    ],
)
def test_whether_clusters_can_start(found: Json, start: str | None) -> None:
    """Never called possible where something that is needed is not known to be there."""
    expected = {"can": 0, "lacking": 0, "cannot": 0, "unknown": 0, **({start: 1} if start else {})}
    assert starts_of(report({"one": found})) == expected
    assert sum(starts_of(report({"one": found}, {"one"})).values()) == 0, "not permitted"


@pytest.mark.parametrize(
    ("results", "fixes"),
    [
        pytest.param({"one": result("one", check())}, Fixes(), id="nothing is wrong"),
        pytest.param(
            {
                "b": result(
                    "b",
                    check("trust_ec2", "fail", command=COMMAND),
                    check("bucket_access", "warn", command=COMMAND),
                ),
                "a b": result("a b", check("trust_ec2", "fail", command=COMMAND)),
            },
            Fixes(3, 0, f"{ONBOARD} --limit 'b,a b'", 3, ("b", "a b")),
            id="one command, for the clouds that need it, quoted for the shell",
        ),
        pytest.param(
            {
                "one": result(
                    "one",
                    check("trust_ec2", "fail", command=COMMAND),
                    check("bucket_access", "fail", command=COMMAND),
                    check("bucket_dangling_principals", "warn", command=f"{COMMAND} -e x=true"),
                    check("bucket_deny", "fail"),
                )
            },
            Fixes(3, 1, f"{ONBOARD} --limit one", 2, ("one",)),
            id="of two commands the one that fixes the most",
        ),
        pytest.param(
            {
                "one": result(
                    "one", check("trust_ec2", "fail", command=COMMAND, acknowledged=ACCEPTED)
                )
            },
            Fixes(),
            id="accepted as it is",
        ),
        pytest.param(
            {
                "one": {"failed": True, "msg": "No."},
                "two": result("two", check(), check("bucket_deny", "unknown")),
            },
            Fixes(by_people=2),
            id="an error and an unknown check need people",
        ),
        pytest.param(
            {"one": result("one", *(check(name, "unknown") for name in DECISIVE))},
            Fixes(by_people=1),
            id="a cloud of which nothing is known is one thing to look at",
        ),
        pytest.param(
            {"a,b": result("a,b", check("trust_ec2", "fail", command=COMMAND))},
            Fixes(by_people=1),
            id="a name that --limit would take for two",
        ),
        pytest.param(
            {
                f"c{number}": result("c", check("trust_ec2", "fail", command=COMMAND))
                for number in range(51)
            },
            Fixes(51, 0, ONBOARD, 51, tuple(f"c{number}" for number in range(51))),
            id="too many to name",
        ),
    ],
)
def test_what_a_command_fixes_and_what_needs_people(results: Json, fixes: Fixes) -> None:
    assert fixes_of(report(results)) == fixes
    assert fixes_of(report(results, set(results))).by_command == 0, "not permitted"


def test_the_command_for_all_has_the_options_of_the_audit_too() -> None:
    """Before the playbook, and quoted; also where the clouds are too many to name."""
    options = ["-i", "a fleet/<cloud>.yml"]
    drifted = check("trust_ec2", "fail", command=COMMAND)
    few = {name: result(name, drifted) for name in ("a b", "c")}
    many = {f"c{number}": result("c", drifted) for number in range(51)}
    onboard = ONBOARD.replace(" ", " -i 'a fleet/<cloud>.yml' ")
    for results, command in ((few, f"{onboard} --limit 'a b,c'"), (many, onboard)):
        made = make_report(results.items(), "", "", options=options)
        assert fixes_of(made).command == command


def test_in_a_job_of_awx_a_launch_fixes() -> None:
    """With the answers that select the clouds, where they are few enough to name."""
    drifted = check("trust_ec2", "fail", command=COMMAND, remedy=f"Run '{COMMAND}'. Then wait.")
    pruned = check("bucket_deny", "warn", command=f"{COMMAND} -e a=true")
    for count, named in ((2, " and c0,c1 for Clouds"), (51, "")):
        results = {f"c{number}": result("c", drifted) for number in range(count)}
        made = make_report(results.items(), "", "", job_template="Anyscale onboard")
        launch = "Launch the job template Anyscale onboard with apply for Mode"
        assert fixes_of(made).command == launch + named
        [found] = made["clouds"][0]["checks"]
        assert found["command"] == f"{launch} and c0 for Clouds"
        assert found["remedy"] == f"{launch} and c0 for Clouds. Then wait."
    results = {name: result(name, pruned) for name in ("lab", "a/b")}
    made = make_report(results.items(), "", "", job_template="Anyscale onboard")
    commands = [cloud["checks"][0]["command"] for cloud in made["clouds"]]
    assert commands == [f"{launch} and lab for Clouds, after setting a=true in the inventory", ""]


def test_the_accounts_with_the_most_trouble_come_first() -> None:
    """A cloud that is not permitted counts in none, and one whose account is not known is last."""
    results = {
        "sound": result("sound", *_all_but(), account_id="1"),
        "broken": result("broken", *_all_but(trust_ec2="fail"), account_id="2"),
        "leaky": result("leaky", *_all_but(), check("bucket_deny", "warn"), account_id="2"),
        "odd": result("odd", *_all_but(), check("bucket_deny", "warn"), account_id="3"),
        "lost": {"failed": True, "msg": "No."},
        "foreign": result("foreign", *_all_but(trust_ec2="fail"), account_id="9"),
    }
    assert accounts_of(report(results, {"foreign"})) == [
        Account("2", clouds=2, attention=2, cannot_start=1, findings=2),
        Account("3", clouds=1, attention=1, findings=1),
        Account("1", clouds=1),
        Account("", clouds=1, attention=1),
    ]


def test_the_most_frequent_problem_comes_first_with_the_title_of_its_worst_status() -> None:
    results = {
        "one": result("one", check("trust_ec2", "unknown"), check("bucket_access", "fail")),
        "two": result("two", check("trust_ec2"), check("bucket_access", "warn")),
        "three": result("three", check("trust_ec2", "fail", acknowledged=ACCEPTED)),
        "four": result("four", check("role_account", "fail")),
    }
    problems = problems_of(report(results, {"four"}))
    assert [(one.check_id, one.title, one.attention) for one in problems] == [
        (
            "bucket_access",
            "The role does not have all access to the bucket, or by a statement that has to change",
            2,
        ),
        ("trust_ec2", "It is unknown whether EC2 can assume the role", 1),
    ]
