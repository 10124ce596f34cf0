# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A change touches the clouds that depend on what it names in its account, and no other one."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import (
    Change,
    changes_in,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.touched import (
    Watch,
    Watched,
)
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import (
    ACCOUNT,
    CALLS,
    OTHER_ACCOUNT,
    POLICY_ARN,
    record,
)


def watched(cloud: str, account: str = ACCOUNT, **names: str) -> Watched:
    """A cloud that depends on one of each kind."""
    return Watched(
        cloud, account, **{kind: frozenset(given.split()) for kind, given in names.items()}
    )


WATCHED = [
    watched("speech", roles="Ray", instance_profiles="Ray", buckets="shared", policies=POLICY_ARN),
    watched("vision", roles="vision vision-jobs", instance_profiles="vision", buckets="shared"),
    watched("elsewhere", OTHER_ACCOUNT, roles="Ray", instance_profiles="Ray", buckets="theirs"),
]
FLEET = Watch(WATCHED)


def named(call: str, account: str = ACCOUNT, **parameters: str) -> Change:
    """The change of a call with these parameters."""
    found = {**CALLS[call][1], **parameters}
    [change] = changes_in(record(call, account, requestParameters=found)).changes
    return change


@pytest.mark.parametrize(
    ("change", "clouds"),
    [
        pytest.param(named("DeleteRole", roleName="Ray"), ["speech"], id="a role"),
        pytest.param(named("DeleteRole", roleName="rAY"), ["speech"], id="a role, in other case"),
        pytest.param(
            named("DeleteRole", OTHER_ACCOUNT, roleName="Ray"), ["elsewhere"], id="its account's"
        ),
        pytest.param(
            named("DeleteRole", "444444444444", roleName="Ray"),
            [],
            id="nobody's, in a third account",
        ),
        pytest.param(
            named("PutRolePolicy", roleName="vision-jobs"), ["vision"], id="a further role"
        ),
        pytest.param(named("DeleteRole", roleName="ray-2"), [], id="a role of nobody"),
        pytest.param(
            named("PutBucketPolicy", bucketName="shared"),
            ["speech", "vision"],
            id="a shared bucket",
        ),
        pytest.param(
            named("PutBucketPolicy", bucketName="Shared"), [], id="a bucket, in other case"
        ),
        pytest.param(named("PutBucketPolicy", bucketName="theirs"), [], id="a bucket elsewhere"),
        pytest.param(
            named("DeleteInstanceProfile", instanceProfileName="ray"), ["speech"], id="a profile"
        ),
        pytest.param(
            named("RemoveRoleFromInstanceProfile", roleName="x", instanceProfileName="vision"),
            ["vision"],
            id="a profile that loses another role",
        ),
        pytest.param(
            named("AddRoleToInstanceProfile", roleName="Ray", instanceProfileName="Ray"),
            ["speech"],
            id="a role and a profile of one cloud",
        ),
        pytest.param(
            named("CreatePolicyVersion"), ["speech"], id="a policy that grants the bucket"
        ),
        pytest.param(
            named("AttachRolePolicy", roleName="other"), [], id="that policy, for another role"
        ),
        pytest.param(
            named("DetachRolePolicy", roleName="vision"), ["vision"], id="that policy, for a role"
        ),
    ],
)
def test_which_clouds_a_change_touches(change: Change, clouds: list[str]) -> None:
    assert list(FLEET.documents_of(change)) == clouds


def test_a_policy_touches_the_clouds_of_the_roles_that_have_it() -> None:
    arn = POLICY_ARN + "-2"
    change = named("SetDefaultPolicyVersion", policyArn=arn)
    assert FLEET.documents_of(change) == {}
    assert FLEET.documents_of(change, {arn: ["VISION", "unknown"]}) == {
        "vision": f"policy {arn} in {ACCOUNT}"
    }
    attached = named("AttachRolePolicy", policyArn=arn, roleName="Ray")
    assert list(FLEET.documents_of(attached, {arn: ["VISION"]})) == ["speech"]


@pytest.mark.parametrize(
    ("call", "clouds", "document"),
    [
        ("UpdateAssumeRolePolicy", ["speech", "vision"], "unnamed role"),
        ("DeleteInstanceProfile", ["speech", "vision"], "unnamed instance profile"),
        ("RemoveRoleFromInstanceProfile", ["speech", "vision"], "unnamed instance profile"),
        ("PutBucketPolicy", ["speech", "vision"], "unnamed bucket"),
        ("CreatePolicyVersion", ["speech", "vision", "without"], "unnamed policy"),
    ],
)
def test_what_is_not_named_touches_all_of_its_account(
    call: str, clouds: list[str], document: str
) -> None:
    """The managed policies of a role are in no variable."""
    [change] = changes_in({**record(call), "requestParameters": {"omitted": True}}).changes
    found = Watch([*WATCHED, Watched("without", ACCOUNT)]).documents_of(change)
    assert found == dict.fromkeys(clouds, f"{document} in {ACCOUNT}")


@pytest.mark.parametrize(
    ("change", "document"),
    [
        (named("DeleteRole", roleName="RAY"), "role ray"),
        (named("DetachRolePolicy", roleName="Ray"), "role ray"),
        (named("DeleteInstanceProfile", instanceProfileName="RAY"), "instance profile ray"),
        (named("DeleteBucketPolicy", bucketName="shared"), "bucket shared"),
        (
            named("AddRoleToInstanceProfile", roleName="Ray", instanceProfileName="made-up"),
            "role ray",
        ),
        (
            named("RemoveRoleFromInstanceProfile", roleName="made-up", instanceProfileName="ray"),
            "instance profile ray",
        ),
    ],
)
def test_a_document_of_a_cloud_has_one_name(change: Change, document: str) -> None:
    """However a caller spells it, and whatever else the event names, so that nothing hides that it
    changes again and again.
    """
    assert FLEET.documents_of(change)["speech"] == f"{document} in {ACCOUNT}"


def test_the_accounts_of_the_clouds() -> None:
    assert FLEET.has_account(ACCOUNT)
    assert not FLEET.has_account("444444444444")


NAMES = st.sampled_from(["ray", "Ray", "vision", "shared", "theirs", "xyz"])


@given(
    st.sampled_from([ACCOUNT, OTHER_ACCOUNT, "444444444444"]), st.sampled_from(sorted(CALLS)), NAMES
)
def test_no_change_touches_a_cloud_of_another_account(account: str, call: str, name: str) -> None:
    parameters: dict[str, t.Any] = dict.fromkeys(
        ("roleName", "bucketName", "instanceProfileName"), name
    )
    in_account = {ACCOUNT: {"speech", "vision"}, OTHER_ACCOUNT: {"elsewhere"}}
    assert set(FLEET.documents_of(named(call, account, **parameters))) <= in_account.get(
        account, set()
    )
