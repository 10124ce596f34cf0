# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An event is a run's own where the signed record and the caller say so, and nothing else does."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import (
    Change,
    changes_in,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.dependencies import (
    watched_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.own import is_own
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import (
    ACCOUNT,
    ONBOARDING,
    OTHER_ACCOUNT,
    POLICY_ARN,
    record,
)

SESSION = f"arn:aws:sts::{ACCOUNT}:assumed-role/anyscale-onboarding/rayfleet-anyscale"
IDENTITY = {
    "type": "AssumedRole",
    "arn": SESSION,
    "sessionContext": {"sessionIssuer": {"arn": ONBOARDING}},
}
[OWN] = changes_in(
    record(
        "UpdateAssumeRolePolicy",
        userIdentity=IDENTITY,
        requestID="own-1",
        userAgent="rayfleet-anyscale",
    )
).changes
RECORDED = {"own-1": SESSION}
ADMIN = f"arn:aws:sts::{ACCOUNT}:assumed-role/Admin/rayfleet-anyscale"


@pytest.mark.parametrize(
    ("change", "recorded", "allowed", "expected"),
    [
        pytest.param(OWN, RECORDED, [], True, id="recorded"),
        pytest.param(OWN, RECORDED, [ONBOARDING], True, id="recorded, by the configured role"),
        pytest.param(OWN, {}, [ONBOARDING], False, id="the role and the session, not recorded"),
        pytest.param(OWN, RECORDED, [ADMIN], False, id="another role is configured"),
        pytest.param(OWN, {"own-1": ADMIN}, [], False, id="recorded for another caller"),
        pytest.param(
            dataclasses.replace(OWN, principal=ADMIN), RECORDED, [], False, id="another caller"
        ),
        pytest.param(dataclasses.replace(OWN, principal=""), RECORDED, [], False, id="no caller"),
        pytest.param(
            dataclasses.replace(OWN, request_id=""), {"": SESSION}, [], False, id="no request"
        ),
        pytest.param(
            dataclasses.replace(OWN, principal=SESSION.replace(ACCOUNT, OTHER_ACCOUNT)),
            RECORDED,
            [],
            False,
            id="the role of the same name in another account",
        ),
    ],
)
def test_which_events_are_own(
    change: Change, recorded: dict[str, str], allowed: list[str], expected: bool
) -> None:
    assert is_own(change, recorded, allowed) is expected


ARN = f"arn:aws:iam::{ACCOUNT}"


def test_what_a_cloud_depends_on() -> None:
    settings = CloudSettings(
        ACCOUNT,
        role=f"{ARN}:role/team/ray",
        bucket="s3://ray-data",
        bucket_policy_arn=POLICY_ARN,
        node_group_roles={"gpu": "ray-gpu"},
        manage_pass_role=True,
        control_plane_role=f"{ARN}:role/control",
    )
    found = watched_of("speech", settings, f"{ARN}:role/registered", f"{ARN}:instance-profile/p")
    assert (found.cloud, found.account_id) == ("speech", ACCOUNT)
    assert found.roles == {"ray", "ray-gpu", "control"}
    assert found.instance_profiles == {"ray", "ray-gpu", "p"}
    assert (found.buckets, found.policies) == ({"ray-data"}, {POLICY_ARN})


def test_the_registered_role_where_none_is_given() -> None:
    found = watched_of("a", CloudSettings(ACCOUNT), f"{ARN}:role/registered", None)
    assert (found.roles, found.instance_profiles) == ({"registered"}, {"registered"})
    found = watched_of("a", CloudSettings(ACCOUNT, instance_profile="own"), None, None)
    assert (found.roles, found.instance_profiles) == (set(), {"own"})


def test_an_invalid_bucket_is_not_watched() -> None:
    assert watched_of("a", CloudSettings(ACCOUNT, bucket="a/b"), None, None).buckets == set()
