# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of an instance profile: that it is there, its name and its role."""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    BOTH_HOLD,
    GIVEN_BY_CLOUD,
    GONE,
    NO_PROFILE,
    OTHER_NAME,
    OTHER_PROFILE,
    PROFILE,
    PROFILE_NAME,
    Json,
    Row,
    assert_verdict,
    checks_of,
    on,
    profile,
    rows_of,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    ROLE,
    ROLE_B,
)

# By check: what is the case, the facts that differ, the status, and words of the reason.
TABLE: dict[str, dict[str, Row]] = {
    "instance_profile_exists": {
        "none": (
            NO_PROFILE,
            "fail",
            f"Instance profile {PROFILE_NAME} does not exist in account {ACCOUNT}.",
        ),
        "only another one": (
            {"profile": GONE, **OTHER_NAME},
            "fail",
            "The role is in ray-autoscaler-v1",
        ),
        "only another one, which clusters are given": (
            {"profile": GONE, **OTHER_NAME, **GIVEN_BY_CLOUD},
            "warn",
            "Clusters use ray-autoscaler-v1",
        ),
    },
    "instance_profile_name": {
        "none": (NO_PROFILE, "not_applicable", "No instance profile"),
        "another name": (OTHER_NAME, "fail", "is the one that Anyscale uses by default"),
        "another name that the user gave": (
            {**OTHER_NAME, "profile_name": Fact("ray-autoscaler-v1")},
            "warn",
            "whose compute config names it",
        ),
        "another name that the cloud names": (
            {**OTHER_NAME, **on(cluster_instance_profile_id=OTHER_PROFILE)},
            "pass",
            "is registered for the cloud",
        ),
        "another name beside the registered one": (BOTH_HOLD, "pass", ""),
    },
    "instance_profile_role": {
        "none": (NO_PROFILE, "not_applicable", "does not exist"),
        "an empty one": ({"profile": Fact(profile(PROFILE))}, "fail", "holds no role"),
        "another role": ({"profile": Fact(profile(PROFILE, ROLE_B))}, "fail", f"holds {ROLE_B}"),
        "a role of the same name in another path": (
            {"profile": Fact(profile(PROFILE, ROLE.replace("role/", "role/x/")))},
            "fail",
            "role/x/",
        ),
    },
}
ROWS = rows_of(TABLE)


@pytest.mark.parametrize(("check", "changes", "status", "words"), ROWS.values(), ids=list(ROWS))
def test_verdicts(check: str, changes: Json, status: str, words: str) -> None:
    assert_verdict(check, changes, status, words)


def test_each_check_has_rows() -> None:
    assert set(TABLE) == checks_of("instance_profile")
