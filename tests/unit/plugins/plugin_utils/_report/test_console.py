# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator reads at the end of an audit."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.console import (
    report_lines,
    too_few_clouds,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import (
    STATES,
    make_report,
)

pytestmark = pytest.mark.core

Json = dict[str, t.Any]
FAILING = {
    "trust": "EC2 may not assume",
    "bucket": "No access",
    "config": "No profile",
    "pass": "P",
}


def check(kind: str, status: str = "fail", **more: t.Any) -> Json:
    """A check; its title is that of the status, as of a module's."""
    title = FAILING[kind] if status == "fail" else f"not {FAILING[kind]}"
    return {"id": kind, "title": title, "status": status, "reason": "", "evidence": {}, **more}


def lines(clouds: dict[str, list[Json]], **given: t.Any) -> list[str]:
    """The lines for clouds with these checks. Without one, it could not be audited."""
    results = {name: {"checks": checks} for name, checks in clouds.items()}
    report = make_report(
        results.items(),
        "2027-01-05T00:00:00Z",
        "1",
        given.get("previous"),
        given.get("not_permitted", ()),
    )
    paths = given.get("paths", {"json": "/r/report.json", "html": "/r/report.html"})
    return report_lines(report, paths, "onboard --check", is_written=given.get("is_written", True))


def test_clouds_are_counted_by_state_the_worst_first() -> None:
    clouds = {
        "sound": [check("trust", "pass")],
        "drifted": [check("trust")],
        "gone": [],
        "warned": [check("trust", "warn")],
    }
    assert lines(clouds)[0] == (
        "4 clouds: 1 could not be audited, 1 with failed checks, 1 with warnings, 1 passed"
    )


def test_a_sound_cloud_has_two_lines() -> None:
    assert lines({"sound": [check("trust", "pass")]}) == [
        "1 cloud: 1 passed",
        "Report: /r/report.html",
    ]


def test_the_most_frequent_of_the_failed_checks_are_named() -> None:
    """By the clouds that have them, of which those that anybody can register do not count, nor what
    is acknowledged. A check can be there for each further role of a cloud.
    """
    clouds = {
        "a": [check("trust"), check("trust"), check("bucket"), check("pass")],
        "b": [check("bucket"), check("config"), check("trust", acknowledged="kept")],
        "c": [check("bucket"), check("config", "warn")],
        "stranger": [check("trust"), check("trust")],
    }
    assert lines(clouds, not_permitted=["stranger"])[2:-1] == [
        "Most frequent among the failed checks:",
        "  3 clouds: No access",
        "  1 cloud: EC2 may not assume",
        "  1 cloud: No profile",
    ]


WOULD_CHANGE = {"evidence": {"after": {}}}


def test_drift_is_counted_as_everywhere_else() -> None:
    """A failed check, or a warning about what onboarding would change."""
    clouds = {
        "sound": [check("trust", "pass")],
        "failing": [check("trust")],
        "warned": [check("trust", "warn", **WOULD_CHANGE)],
        "hinted": [check("trust", "warn")],
    }
    assert lines(clouds)[1] == (
        "2 drifted: a check fails, or onboarding would change a document (onboard --check)"
    )


def test_clouds_with_nothing_worse_than_a_warning_are_named_with_the_reason() -> None:
    """The first few: only the page of the report has all."""
    clouds = {
        "failing": [check("trust"), check("bucket", "warn", reason="It is told by its check.")],
        "warned": [
            check("bucket", "warn", reason="The grant has\x1b a wildcard."),
            check("trust", "warn", reason="Another one."),
            check("config", "warn", reason="Accepted.", acknowledged="kept"),
        ],
        "unsure": [check("trust", "pass"), check("bucket", "unknown", reason="S3 said no.")],
    }
    assert lines(clouds)[-5:-1] == [
        "Unknown:",
        "  unsure: S3 said no.",
        "With warnings:",
        "  warned: The grant has\\x1b a wildcard. And 1 more.",
    ]
    many = {f"{n}": [check("trust", "warn", reason="So.")] for n in range(5)}
    assert lines(many)[-5:-1] == ["  0: So.", "  1: So.", "  2: So.", "  and 2 more clouds"]


def test_changes_are_those_that_there_are() -> None:
    before = make_report([("a", {"checks": [check("trust")]})], "2027-01-04T00:00:00Z", "1")
    assert lines({"a": [check("trust", "pass"), check("bucket")]}, previous=before)[2] == (
        "Since the previous report: 1 new, 1 fixed"
    )
    sound = make_report([("a", {"checks": [check("trust", "pass")]})], "2027-01-04T00:00:00Z", "1")
    assert lines({"a": [check("trust", "pass")]}, previous=sound)[1] == (
        "Since the previous report: no findings"
    )


@pytest.mark.parametrize(
    ("given", "last"),
    [
        pytest.param({}, "Report: /r/report.html", id="the page"),
        pytest.param(
            {"paths": {"json": "/r/a", "csv": "/r/b"}}, "Report: /r/a, /r/b", id="no page"
        ),
        pytest.param({"is_written": False}, "1 cloud: 1 passed", id="in check mode"),
    ],
)
def test_the_report_is_where_it_was_written(given: Json, last: str) -> None:
    assert lines({"sound": [check("trust", "pass")]}, **given)[-1] == last


@pytest.mark.parametrize(
    ("states", "least", "told"),
    [
        pytest.param({"not_permitted": 12}, 0, "", id="no number is required"),
        pytest.param({"pass": 1, "not_permitted": 11}, 1, "", id="enough"),
        pytest.param({"fail": 1, "warn": 1, "unknown": 1}, 3, "", id="drifted clouds were audited"),
        pytest.param(
            {"not_permitted": 12},
            1,
            "Audited 0 clouds, fewer than audit_min_clouds (1): 12 not permitted. HOW",
            id="none is permitted",
        ),
        pytest.param(
            {"pass": 1, "error": 2, "not_permitted": 1},
            4,
            "Audited 1 cloud, fewer than audit_min_clouds (4): 2 could not be audited, "
            "1 not permitted. HOW",
            id="some failed, and some are not permitted",
        ),
        pytest.param(
            {"error": 1},
            1,
            "Audited 0 clouds, fewer than audit_min_clouds (1): 1 could not be audited.",
            id="none could be read",
        ),
        pytest.param(
            {"pass": 3},
            500,
            "Audited 3 clouds, fewer than audit_min_clouds (500). There are no more in the "
            "inventory, or none that the limit or the variables fleet_accounts, fleet_regions and "
            "fleet_clouds select.",
            id="the others are missing",
        ),
    ],
)
def test_an_audit_of_too_few_clouds_says_which_are_missing(
    states: dict[str, int], least: int, told: str
) -> None:
    """An audit of none finds nothing, and would look like one of a fleet in sync."""
    assert too_few_clouds({**dict.fromkeys(STATES, 0), **states}, least, "HOW") == told
