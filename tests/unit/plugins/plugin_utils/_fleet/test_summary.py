# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each cloud of an onboarding counts once, by its outcome, and every cloud that was not in sync is
named.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.summary import outcome

Json = dict[str, t.Any]

CHANGED = {"cloud_iam_result": {"changed": True, "reasons": ["ec2_trust_missing"]}}
IN_SYNC: Json = {"cloud_iam_result": {"changed": False, "reasons": []}}
FAILED = {"cloud_iam_result": {"failed": True, "msg": "No such role."}}
# Another writer overwrote it, and it was restored, which changed only that.
AGAIN = {
    "cloud_iam_result": {"changed": True, "reasons": ["access_missing"]},
    "onboard_result": {"changed": True, "reasons": ["ec2_trust_missing", "access_missing"]},
    "onboard_overwritten": True,
}
NOT_AGAIN = {
    **AGAIN,
    "cloud_iam_result": {"changed": False, "reasons": []},
    "onboard_overwritten": False,
}
BOTH = ["ec2_trust_missing", "access_missing"]


@pytest.mark.parametrize(
    ("variables", "failed", "expected"),
    [
        pytest.param(
            CHANGED,
            False,
            {"state": "changed", "reasons": ["ec2_trust_missing"], "overwritten": False},
            id="changed",
        ),
        pytest.param(
            AGAIN,
            False,
            {"state": "changed", "reasons": BOTH, "overwritten": True},
            id="overwritten, and changed again",
        ),
        pytest.param(
            NOT_AGAIN,
            False,
            {"state": "changed", "reasons": BOTH, "overwritten": False},
            id="in sync on its second turn",
        ),
        pytest.param(FAILED, True, {"state": "failed", "msg": "No such role."}, id="failed"),
        pytest.param(
            CHANGED,
            True,
            {"state": "failed", "msg": "its message is above"},
            id="changed, then failed",
        ),
        pytest.param(
            {},
            True,
            {"state": "failed", "msg": "its message is above"},
            id="failed without a result",
        ),
        pytest.param({}, False, {"state": "not_reached"}, id="no task was for it"),
        pytest.param(
            {"cloud_iam_result": None}, False, {"state": "not_reached"}, id="a result that is none"
        ),
        pytest.param(IN_SYNC, False, None, id="in sync after all"),
    ],
)
def test_the_outcome_of_a_cloud(variables: Json, failed: bool, expected: Json | None) -> None:
    """A cloud in sync is not listed."""
    found = outcome({"hosts": ["one"]}, {"one": variables}, ["one"] if failed else [])
    assert found["clouds"].get("one") == expected


def test_every_cloud_counts_once() -> None:
    """Those that the plan found in sync, those that continued, and those that are deferred to
    another run.
    """
    variables = {"a": CHANGED, "b": IN_SYNC, "c": FAILED, "d": {}, "e": AGAIN}
    found = outcome({"hosts": list("edcba"), "right": 10, "later": 3}, variables, ["c"])
    assert found["counts"] == {
        "selected": 18,
        "changed": 2,
        "in_sync": 11,
        "failed": 1,
        "not_reached": 1,
        "deferred": 3,
    }
    assert found["failed_clouds"] == ["c"]
    assert list(found["clouds"]) == ["a", "c", "d", "e"], "by name"


def test_without_a_plan_there_is_nothing() -> None:
    """As where no cloud was selected."""
    nothing = dict.fromkeys(
        ("selected", "changed", "in_sync", "failed", "not_reached", "deferred"), 0
    )
    assert outcome({}, {}, []) == {
        "counts": nothing,
        "failed_clouds": [],
        "clouds": {},
        "backups": [],
    }


def test_backups_are_named_once_for_each_run_and_folder() -> None:
    """Whichever step of whichever cloud made them, in the first place or again."""
    one, other = (
        f"{folder}/20270105T090000-000000Z.4711.trust_policy.ray-6f93b71c3b65.json"
        for folder in ("/one", "/other")
    )
    variables: Json = {
        "a": {
            "cloud_iam_result": {
                "changed": True,
                "trust": {"backup_file": one},
                "bucket_access": {"backup_file": one},
            }
        },
        "b": {
            "cloud_iam_result": {"changed": False, "trust": {}},
            "onboard_result": {"changed": True, "trust": {"backup_file": other}},
        },
        "c": {
            "cloud_iam_result": {
                "failed": True,
                "msg": "Denied.",
                "error": {"backup_files": [one], "backup_file": other},
            }
        },
        "d": FAILED,
        "e": {},
    }
    found = outcome({"hosts": list("abcde")}, variables, ["c", "d"])
    assert found["backups"] == [
        {"folder": "/one", "run": "4711"},
        {"folder": "/other", "run": "4711"},
    ]
