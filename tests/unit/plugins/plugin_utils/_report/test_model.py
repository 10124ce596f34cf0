# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The report's states, totals and changes: nothing that was not read counts as in sync, and nothing
unknown is called fixed.
"""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._json import Number
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import (
    STATES,
    failed_clouds,
    failure_of,
    json_parts,
    make_report,
    missing_clouds,
    parse_report,
    standing_of,
    to_json,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._report.audit_results import (
    check,
    fleet,
    result,
)

NOW, BEFORE = "2026-11-25T06:00:14Z", "2026-11-18T06:00:11Z"
Json = dict[str, t.Any]


def report(results: Json, previous: Json | None = None) -> Json:
    """A report that is made now."""
    return make_report(results.items(), NOW, "0.2.0", previous)


def of_statuses(*statuses: str) -> Json:
    """A result whose checks have these statuses."""
    ids = ("trust_ec2", "bucket_access", "bucket_deny", "role_account", "effective_profile")
    return result(
        "vision",
        *(check(check_id, status) for check_id, status in zip(ids, statuses, strict=False)),
    )


@pytest.mark.parametrize(
    ("found", "state"),
    [
        pytest.param(of_statuses("pass", "pass"), "pass", id="all pass"),
        pytest.param(
            of_statuses("pass", "not_applicable"),
            "pass",
            id="what is not applicable does not count",
        ),
        pytest.param(of_statuses("not_applicable"), "not_applicable", id="nothing is applicable"),
        pytest.param(of_statuses("warn", "pass"), "warn", id="a warning is worse than a pass"),
        pytest.param(
            of_statuses("warn", "unknown"), "unknown", id="the unknown is worse than a warning"
        ),
        pytest.param(of_statuses("unknown", "unknown"), "error", id="every check is unknown"),
        pytest.param(
            of_statuses("unknown", "not_applicable"),
            "error",
            id="every check that applies is unknown",
        ),
        pytest.param(
            of_statuses("unknown", "fail", "warn"), "fail", id="a failure is the worst check"
        ),
        pytest.param(
            {**of_statuses("pass"), "failed": True, "msg": "No."},
            "error",
            id="a task that failed, whatever it returned",
        ),
        pytest.param(of_statuses(), "error", id="no checks at all"),
        pytest.param({"skipped": True, "changed": False}, "error", id="a task that was skipped"),
        pytest.param(
            {"censored": "the output has been hidden"}, "error", id="a result that is hidden"
        ),
        pytest.param(None, "error", id="no result"),
        pytest.param("a text", "error", id="another kind of variable"),
    ],
)
def test_the_state_of_a_cloud(found: t.Any, state: str) -> None:
    """It is that of its worst check, and an error where there are none."""
    made = report({"vision": found})
    assert made["clouds"][0]["state"] == state
    assert made["totals"]["clouds"] == {**dict.fromkeys(STATES, 0), state: 1}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        pytest.param(
            {"failed": True, "msg": "Role vision does not exist."},
            "Role vision does not exist.",
            id="the task's own message",
        ),
        pytest.param(
            {"unreachable": True, "msg": "No route."}, "No route.", id="a host that is unreachable"
        ),
        pytest.param(None, "There is no result for this cloud", id="none"),
    ],
)
def test_an_error_says_why(found: t.Any, words: str) -> None:
    """And shows nothing else."""
    [cloud] = report({"vision": found})["clouds"]
    assert words in cloud["error"]
    assert (cloud["name"], cloud["cloud"], cloud["checks"]) == ("vision", None, [])


def test_an_error_keeps_what_is_known_of_the_cloud() -> None:
    """So that it can be found by its account."""
    [cloud] = report(
        {"vision": {"failed": True, "msg": "No.", "cloud": {"account_id": "222222222222"}}}
    )["clouds"]
    assert cloud["cloud"] == {"account_id": "222222222222"}


def test_a_cloud_without_any_result_keeps_what_was_tried() -> None:
    """It counts as not audited, and its checks say why, the first of them at once."""
    checks = [
        check("trust_ec2", "not_applicable"),
        check("role_account", "unknown", reason="iam:GetRole was refused."),
    ]
    [cloud] = report({"vision": result("vision", *checks)})["clouds"]
    assert cloud["error"] == "The status of every check is unknown. iam:GetRole was refused."
    assert (cloud["cloud"]["cloud_id"], [found["id"] for found in cloud["checks"]]) == (
        "cld_vision",
        ["trust_ec2", "role_account"],
    )


@pytest.mark.parametrize(
    ("before", "now", "change"),
    [
        pytest.param("pass", "fail", "new", id="it passed"),
        pytest.param("not_applicable", "fail", "new", id="it was not applicable"),
        pytest.param("unknown", "fail", "new", id="it was not known then"),
        pytest.param("absent", "warn", "new", id="there was no such check"),
        pytest.param("fail", "fail", "persisting", id="it failed before"),
        pytest.param("warn", "fail", "persisting", id="it only warned before"),
        pytest.param("fail", "warn", "persisting", id="it only warns now"),
        pytest.param("fail", "pass", "fixed", id="it passes now"),
        pytest.param(
            "warn", "not_applicable", "gone", id="what is no longer applicable is not fixed"
        ),
        pytest.param("fail", "unknown", None, id="what became unknown is not fixed"),
        pytest.param("pass", "pass", None, id="it passes still"),
        pytest.param("unknown", "pass", None, id="it was unknown, and was no finding"),
    ],
)
def test_the_change_of_a_check(before: str, now: str, change: str | None) -> None:
    """Against an earlier report on the same cloud."""
    earlier = result(
        "vision",
        check("bucket_deny"),
        *([] if before == "absent" else [check("trust_ec2", before)]),
    )
    made = report(
        {"vision": result("vision", check("trust_ec2", now))}, report({"vision": earlier})
    )
    assert made["clouds"][0]["checks"][0]["change"] == change
    assert made["totals"]["changes"] == {
        **dict.fromkeys(("new", "persisting", "fixed", "gone"), 0),
        **({change: 1} if change else {}),
    }


def test_without_an_earlier_report_nothing_is_new() -> None:
    """There is nothing to compare with, which is something else than having had no findings."""
    made = report({"vision": of_statuses("fail", "pass")})
    assert made["previous"] is None
    assert [found["change"] for found in made["clouds"][0]["checks"]] == [None, None]


def test_a_finding_is_compared_with_that_of_its_own_cloud() -> None:
    """By the host's name; a cloud that is gone, or that cannot be seen any more, has nothing fixed."""
    previous = make_report(
        [(name, of_statuses("fail")) for name in ("vision", "gone", "lost")],
        BEFORE,
        "0.1.0",
    )
    made = report(
        {"vision": of_statuses("pass"), "search": of_statuses("fail"), "lost": None}, previous
    )
    assert made["previous"] == {"generated_at": BEFORE}
    assert made["totals"]["changes"] == {"new": 1, "persisting": 0, "fixed": 1, "gone": 0}
    assert missing_clouds(made, previous) == ["gone"]


def test_a_command_is_for_the_host_of_the_report() -> None:
    """Which the module did not know; a result of a module without commands has none."""
    onboard = "ansible-playbook rayfleet.anyscale.onboard --limit"
    made = report(
        {
            "the lab": result("lab", check(status="fail", command=f"{onboard} <cloud>")),
            "older": {"checks": [{"id": "trust_ec2", "status": "fail", "reason": "No."}]},
        }
    )
    assert [cloud["checks"][0]["command"] for cloud in made["clouds"]] == [
        f"{onboard} 'the lab'",
        "",
    ]


def test_the_report_keeps_what_the_module_said() -> None:
    """In the order of the inventory."""
    results = fleet(30)
    made = report(results)
    assert [cloud["name"] for cloud in made["clouds"]] == list(results)
    for cloud in made["clouds"]:
        kept = [
            {key: value for key, value in found.items() if key != "change"}
            for found in cloud["checks"]
        ]
        assert kept == results[cloud["name"]].get("checks", [])
    assert made["totals"]["checks"]["pass"] == sum(
        found["status"] == "pass"
        for outcome in results.values()
        for found in outcome.get("checks", [])
    )
    assert (made["schema_version"], made["generated_at"], made["collection_version"]) == (
        1,
        NOW,
        "0.2.0",
    )


@pytest.mark.parametrize(
    ("fail_on", "expected"),
    [("never", []), ("error", ["lost"]), ("drift", ["drifted", "narrow", "partly", "lost"])],
)
def test_which_clouds_an_audit_fails_for(fail_on: str, expected: list[str]) -> None:
    """Warnings and the unknown fail none, unless the collection would write another document."""
    states = {"drifted": "fail", "warned": "warn", "undetermined": "unknown", "in-sync": "pass"}
    found = {name: of_statuses(status, "pass") for name, status in states.items()}
    documents = {"before": {"Statement": []}, "after": {"Statement": [{}]}}
    for name, status in (("narrow", "warn"), ("partly", "unknown")):
        found[name] = result(
            name, check("trust_ec2", status, evidence=documents), check("bucket_access")
        )
    made = report({**found, "elsewhere": of_statuses("not_applicable"), "lost": None})
    assert failed_clouds(made, fail_on) == expected


def test_a_report_is_read_back_as_it_was() -> None:
    """It is JSON, to the last key."""
    made = report(fleet(10))
    assert parse_report(json.dumps(made), "report.json") == made


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("", "not JSON", id="an empty file"),
        pytest.param("STATUS;FAIL", "not JSON", id="the CSV"),
        pytest.param("[]", "it is not a report", id="a list"),
        pytest.param('{"clouds": []}', "it is not a report", id="an object without a version"),
        pytest.param(
            '{"schema_version": 2}', "its schema_version is 2, not 1", id="a later version"
        ),
        pytest.param('{"schema_version": 1}', "its clouds are not valid", id="no clouds"),
        pytest.param(
            '{"schema_version": 1, "clouds": null}',
            "its clouds are not valid",
            id="clouds that are null",
        ),
        pytest.param(
            '{"schema_version": 1, "clouds": [{"name": "a"}]}',
            "its clouds are not valid",
            id="a cloud without checks",
        ),
        pytest.param(
            '{"schema_version": 1, "clouds": [{"name": "a", "checks": [{}]}]}',
            "its clouds are not valid",
            id="an empty check",
        ),
    ],
)
def test_what_cannot_be_compared_with_is_refused(text: str, words: str) -> None:
    """With the file's name, and what to name instead."""
    with pytest.raises(InputError) as caught:
        parse_report(text, "old/report.json")
    assert "old/report.json" in caught.value.message
    assert words in caught.value.message
    assert caught.value.remedy


# --- why the audit fails for a cloud --------------------------------------------------------------

DRIFT = {"evidence": {"after": {}}}


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"failed": True, "msg": "AWS said no."}, "AWS said no."),
        (None, "There is no result for this cloud, because its task did not run."),
        (of_statuses("unknown"), "The status of every check is unknown. It is unknown."),
        (of_statuses("fail", "pass", "fail"), "Failed checks: trust_ec2, bucket_deny."),
        (
            result("vision", check("trust_ec2"), check("bucket_access", "warn", **DRIFT)),
            "Warnings about what onboarding would change: bucket_access.",
        ),
        (
            result("vision", check("trust_ec2", "fail", **DRIFT), check("role_account", "warn")),
            "Failed checks: trust_ec2.",
        ),
        (
            result("vision", check("trust_ec2", "fail"), check("bucket_deny", "unknown", **DRIFT)),
            "Failed checks: trust_ec2. Warnings about what onboarding would change: bucket_deny.",
        ),
    ],
    ids=["failed", "no result", "all unknown", "fail", "warn", "both in one", "both"],
)
def test_a_cloud_that_fails_the_audit_says_why(found: Json | None, message: str) -> None:
    """In one line, which also stands in the recap."""
    made = report({"vision": found})
    assert failed_clouds(made, "drift") == ["vision"]
    assert failure_of(made["clouds"][0]) == message


# --- what a cloud counts as while an audit runs ---------------------------------------------------


@pytest.mark.parametrize(
    ("found", "standing", "findings"),
    [
        pytest.param(of_statuses("pass", "not_applicable"), "in_sync", (), id="all pass"),
        pytest.param(of_statuses("pass", "warn"), "in_sync", (), id="a warning for people"),
        pytest.param(
            result("vision", check("trust_ec2"), check("bucket_access", "warn", **DRIFT)),
            "drifted",
            ("bucket_access",),
            id="a warning about a document that onboarding would change",
        ),
        pytest.param(
            result("vision", check("trust_ec2"), check("bucket_access", "unknown", **DRIFT)),
            "drifted",
            ("bucket_access",),
            id="unknown, and onboarding would change it",
        ),
        pytest.param(
            of_statuses("fail", "unknown", "fail"),
            "drifted",
            ("trust_ec2", "bucket_deny"),
            id="failed checks",
        ),
        pytest.param(
            result("vision", check("trust_ec2", "fail", acknowledged={"reason": "Meant."})),
            "in_sync",
            (),
            id="what is acknowledged is to stay",
        ),
        pytest.param(of_statuses("pass", "unknown"), "unknown", (), id="a check is unknown"),
        pytest.param(of_statuses("unknown"), "failed", (), id="every check is unknown"),
        pytest.param({"failed": True, "msg": "No."}, "failed", (), id="it could not be audited"),
    ],
)
def test_what_a_cloud_counts_as(found: Json, standing: str, findings: tuple[str, ...]) -> None:
    """The progress, the totals and ``audit_fail_on=drift`` have one meaning of drift."""
    made = report({"vision": found})
    assert standing_of(made["clouds"][0]) == (standing, findings)
    assert made["totals"]["drifted"] == (standing == "drifted")
    assert bool(failed_clouds(made, "drift")) == (standing in ("drifted", "failed"))
    stranger = make_report([("vision", found)], NOW, "0.2.0", not_permitted={"vision"})
    assert standing_of(stranger["clouds"][0]) == ("not_permitted", ())
    assert stranger["totals"]["drifted"] == 0


# --- as JSON --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 3])
def test_the_report_as_json_is_the_report(size: int) -> None:
    """Of a cloud after the other, whatever there is of them."""
    made = report(fleet(size), report(fleet(2)))
    parts = list(to_json(made))
    assert json.loads("".join(parts)) == made
    assert len(parts) == size + 2


@pytest.mark.parametrize("rest", [{}, {"a": [1, {"b": "]}"}], "ü": None}], ids=["alone", "more"])
def test_one_key_of_an_object_is_serialized_by_the_item(rest: Json) -> None:
    """The others as they are."""
    document = {**rest, "items": (item for item in (1, "two", {"three": []}))}
    text = "".join(json_parts(document, "items"))
    assert json.loads(text) == {**rest, "items": [1, "two", {"three": []}]}


def test_a_number_that_is_not_finite_does_not_spoil_the_report() -> None:
    """Every reader of JSON reads the report, whatever is in one policy of one cloud."""
    odd = {"evidence": {"limits": [float("inf"), Number("1e999"), Number("1E2"), 0.5]}}
    made = report({"vision": result("vision", check(**odd))})
    text = "".join(to_json(made))
    read = json.loads(text, parse_constant=pytest.fail)
    assert read["clouds"][0]["checks"][0]["evidence"]["limits"] == ["inf", "1e999", 100.0, 0.5]
    assert parse_report(text, "report.json") == made


@pytest.mark.parametrize(
    "found",
    [
        pytest.param(of_statuses("pass", "fail"), id="a check fails"),
        pytest.param(of_statuses("pass", "unknown"), id="a check is unknown"),
        pytest.param({"failed": True, "msg": "No."}, id="it could not be audited"),
        pytest.param(None, id="there is no result"),
        pytest.param(
            result("vision", check("trust_ec2", "warn", evidence={"after": {}})),
            id="onboarding would change it",
        ),
    ],
)
def test_what_anybody_can_register_fails_no_audit(found: t.Any) -> None:
    """And is in the report all the same, with a state of its own."""
    made = make_report([("vision", found)], NOW, "0.2.0", not_permitted={"vision"})
    [cloud] = made["clouds"]
    assert cloud["state"] == "not_permitted"
    assert made["totals"]["clouds"] == {**dict.fromkeys(STATES, 0), "not_permitted": 1}
    assert [failed_clouds(made, fail_on) for fail_on in ("never", "error", "drift")] == [[]] * 3
    permitted = report({"vision": found})["clouds"][0]
    assert (cloud["checks"], cloud["error"]) == (permitted["checks"], permitted["error"])


ACKNOWLEDGED = {"acknowledged": {"reason": "It is meant.", "until": "2027-03-31"}}


def test_an_acknowledged_finding_counts_apart_and_fails_no_audit() -> None:
    drift = {"evidence": {"before": {}, "after": {"Statement": []}}}
    found = report(
        {
            "vision": result(
                "vision",
                check("trust_ec2", "pass"),
                check("bucket_deny", "fail", **ACKNOWLEDGED),
                check("bucket_access", "warn", **drift, **ACKNOWLEDGED),
            ),
            "speech": result(
                "speech",
                check("trust_ec2", "fail"),
                check("bucket_deny", "fail", **ACKNOWLEDGED),
            ),
        }
    )
    assert {cloud["name"]: cloud["state"] for cloud in found["clouds"]} == {
        "vision": "pass",
        "speech": "fail",
    }
    assert found["totals"]["acknowledged"] == 3
    assert found["totals"]["checks"]["fail"] == 1
    assert found["totals"]["checks"]["warn"] == 0
    assert failed_clouds(found, "drift") == ["speech"]
    assert failure_of(found["clouds"][1]) == "Failed checks: trust_ec2."


def test_a_finding_is_new_once_its_acknowledgement_has_ended() -> None:
    before = report({"vision": result("vision", check("bucket_deny", "fail", **ACKNOWLEDGED))})
    now = report({"vision": result("vision", check("bucket_deny", "fail"))}, before)
    assert now["clouds"][0]["checks"][0]["change"] == "new"
    fixed = report({"vision": result("vision", check("bucket_deny", "fail", **ACKNOWLEDGED))}, now)
    assert fixed["clouds"][0]["checks"][0]["change"] is None
