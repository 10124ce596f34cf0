# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""GetAccountAuthorizationDetails: the same as GetRole and GetInstanceProfile show, for all of an
account, in pages.
"""

from __future__ import annotations

import json
import re
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Sandbox

ACCOUNT = "222222222222"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/boundary"
LISTS = ("UserDetailList", "GroupDetailList", "RoleDetailList", "Policies")
ROLE_FIELDS = {"Path", "RoleName", "RoleId", "Arn", "CreateDate", "AssumeRolePolicyDocument"}
DETAIL_FIELDS = ROLE_FIELDS | {
    "InstanceProfileList",
    "RolePolicyList",
    "AttachedManagedPolicies",
    "Tags",
    "RoleLastUsed",
}
PROFILE_FIELDS = {"Path", "InstanceProfileName", "InstanceProfileId", "Arn", "CreateDate"}

READER = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:Get*", "Resource": "*"}],
}

Json = dict[str, t.Any]


def trust(**changes: t.Any) -> str:
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "ec2.amazonaws.com"},
        "Action": "sts:AssumeRole",
        **changes,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def all_roles(iam: t.Any, **parameters: t.Any) -> dict[str, Json]:
    """Every role of the account by its name, as all pages together show it."""
    pages = iam.get_paginator("get_account_authorization_details").paginate(
        Filter=["Role"], **parameters
    )
    return {role["RoleName"]: role for page in pages for role in page["RoleDetailList"]}


def picked(shown: Json, fields: t.Iterable[str]) -> Json:
    return {field: shown[field] for field in fields if field in shown}


@pytest.fixture(name="fleet", scope="module")
def seeded_fleet(running: Sandbox) -> Sandbox:
    """The sandbox with the fleet in it; the tests only read."""
    running.reset()
    running.seed()
    return running


ACCOUNTS = sorted({cloud.account_id for cloud in FLEET})


@pytest.mark.parametrize("account_id", ACCOUNTS)
def test_every_role_of_the_fleet_is_shown_as_by_get_role(fleet: Sandbox, account_id: str) -> None:
    iam = fleet.client("iam", account_id)
    details = all_roles(iam)
    assert set(details) == {role["RoleName"] for role in iam.list_roles(MaxItems=1000)["Roles"]}
    for name, detail in details.items():
        role = iam.get_role(RoleName=name)["Role"]
        assert set(detail) == DETAIL_FIELDS
        assert picked(detail, ROLE_FIELDS) == picked(role, ROLE_FIELDS)
        assert (detail["Tags"], detail["RoleLastUsed"]) == (
            role.get("Tags", []),
            role["RoleLastUsed"],
        )


@pytest.mark.parametrize("account_id", ACCOUNTS)
def test_every_profile_of_the_fleet_is_shown_as_by_get_instance_profile(
    fleet: Sandbox, account_id: str
) -> None:
    iam = fleet.client("iam", account_id)
    shown = {
        profile["Arn"]: profile
        for role in all_roles(iam).values()
        for profile in role["InstanceProfileList"]
    }
    filled = [
        profile for profile in iam.list_instance_profiles()["InstanceProfiles"] if profile["Roles"]
    ]
    assert filled
    assert set(shown) == {profile["Arn"] for profile in filled}
    for found in shown.values():
        profile = iam.get_instance_profile(InstanceProfileName=found["InstanceProfileName"])[
            "InstanceProfile"
        ]
        assert set(found) == PROFILE_FIELDS | {"Roles"}
        assert picked(found, PROFILE_FIELDS) == picked(profile, PROFILE_FIELDS)
        assert found["Roles"] == [picked(role, ROLE_FIELDS) for role in profile["Roles"]]


def test_policies_tags_and_boundary(sandbox: Sandbox) -> None:
    iam = sandbox.client("iam", ACCOUNT)
    for name in ("boundary", "reader"):
        iam.create_policy(PolicyName=name, PolicyDocument=json.dumps(READER))
    tags = [{"Key": "ring", "Value": "canary"}]
    iam.create_role(
        RoleName="ray", AssumeRolePolicyDocument=trust(), Tags=tags, PermissionsBoundary=BOUNDARY
    )
    iam.put_role_policy(RoleName="ray", PolicyName="inline", PolicyDocument=json.dumps(READER))
    reader = f"arn:aws:iam::{ACCOUNT}:policy/reader"
    iam.attach_role_policy(RoleName="ray", PolicyArn=reader)
    shown = all_roles(iam)["ray"]
    assert shown["RolePolicyList"] == [{"PolicyName": "inline", "PolicyDocument": READER}]
    assert shown["AttachedManagedPolicies"] == [{"PolicyName": "reader", "PolicyArn": reader}]
    assert shown["Tags"] == tags
    boundary = {
        "PermissionsBoundaryType": "PermissionsBoundaryPolicy",
        "PermissionsBoundaryArn": BOUNDARY,
    }
    assert (
        shown["PermissionsBoundary"]
        == iam.get_role(RoleName="ray")["Role"]["PermissionsBoundary"]
        == boundary
    )


KEPT = {
    "lists of one": {"Principal": {"Service": ["ec2.amazonaws.com"]}, "Action": ["sts:AssumeRole"]},
    "empty Sid and Condition": {"Sid": "", "Condition": {}},
    "percent and plus signs": {"Condition": {"StringEquals": {"sts:ExternalId": "a%41+b %"}}},
    "not ASCII": {"Condition": {"StringEquals": {"aws:PrincipalTag/team": "Bücher"}}},
}


@pytest.mark.parametrize("changes", KEPT.values(), ids=KEPT)
def test_trust_is_shown_alike_by_every_operation(sandbox: Sandbox, changes: Json) -> None:
    iam = sandbox.client("iam", ACCOUNT)
    iam.create_role(RoleName="ray", AssumeRolePolicyDocument=trust(**changes))
    iam.create_instance_profile(InstanceProfileName="ray")
    iam.add_role_to_instance_profile(InstanceProfileName="ray", RoleName="ray")
    detail = all_roles(iam)["ray"]
    shown = [
        detail,
        *detail["InstanceProfileList"][0]["Roles"],
        iam.get_role(RoleName="ray")["Role"],
        *iam.list_roles()["Roles"],
        *iam.get_instance_profile(InstanceProfileName="ray")["InstanceProfile"]["Roles"],
        *iam.list_instance_profiles()["InstanceProfiles"][0]["Roles"],
        *iam.list_instance_profiles_for_role(RoleName="ray")["InstanceProfiles"][0]["Roles"],
    ]
    assert [role["AssumeRolePolicyDocument"] for role in shown] == [
        json.loads(trust(**changes))
    ] * len(shown)


def test_trusted_role_is_shown_by_its_id_once_it_is_gone(sandbox: Sandbox) -> None:
    iam = sandbox.client("iam", ACCOUNT)
    friend = iam.create_role(RoleName="friend", AssumeRolePolicyDocument=trust())["Role"]
    iam.create_role(
        RoleName="ray", AssumeRolePolicyDocument=trust(Principal={"AWS": friend["Arn"]})
    )
    assert all_roles(iam)["ray"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
        "AWS": friend["Arn"]
    }
    iam.delete_role(RoleName="friend")
    assert all_roles(iam)["ray"]["AssumeRolePolicyDocument"]["Statement"][0]["Principal"] == {
        "AWS": friend["RoleId"]
    }


def test_trust_is_as_late_as_by_get_role(sandbox: Sandbox, aws: t.Any) -> None:
    sandbox.client("iam", ACCOUNT).create_role(RoleName="ray", AssumeRolePolicyDocument=trust())
    sandbox.settings(consistency_delay=60.0)
    aws("iam").update_assume_role_policy(RoleName="ray", PolicyDocument=trust(Sid="New"))
    clients = aws("iam"), sandbox.client("iam", ACCOUNT)
    statements = [
        all_roles(iam)["ray"]["AssumeRolePolicyDocument"]["Statement"][0] for iam in clients
    ]
    assert [statement.get("Sid") for statement in statements] == [None, "New"]


def furnish(sandbox: Sandbox, roles: int) -> t.Any:
    """An account with roles, two users, a group and a policy; returns a client of it."""
    for number in range(roles):
        sandbox.accounts.add_role(ACCOUNT, f"ray-{number:04}", json.loads(trust()))
    iam = sandbox.client("iam", ACCOUNT)
    for name in ("ann", "bob"):
        iam.create_user(UserName=name)
    iam.create_group(GroupName="staff")
    iam.create_policy(PolicyName="reader", PolicyDocument=json.dumps(READER))
    return iam


FILTERS: dict[str, tuple[list[str], tuple[int, int, int, int]]] = {
    "none": ([], (2, 1, 3, 1)),
    "roles": (["Role"], (0, 0, 3, 0)),
    "users and groups": (["User", "Group"], (2, 1, 0, 0)),
    "policies of the account": (["LocalManagedPolicy"], (0, 0, 0, 1)),
    "policies of AWS": (["AWSManagedPolicy"], (0, 0, 0, 0)),
}


@pytest.mark.parametrize(("types", "counts"), FILTERS.values(), ids=FILTERS)
def test_filter(sandbox: Sandbox, types: list[str], counts: tuple[int, int, int, int]) -> None:
    answer = furnish(sandbox, 3).get_account_authorization_details(Filter=types)
    assert tuple(len(answer[name]) for name in LISTS) == counts
    assert not answer["IsTruncated"]
    assert "Marker" not in answer


PAGES: dict[str, tuple[int, Json, list[int]]] = {
    "100 by default": (205, {}, [100, 100, 5]),
    "as many as there are": (6, {"MaxItems": 6}, [6]),
    "one more than fits": (7, {"MaxItems": 6}, [6, 1]),
    "one by one": (3, {"MaxItems": 1}, [1, 1, 1]),
    "1000 at most": (1001, {"MaxItems": 1000}, [1000, 1]),
    "none": (0, {}, [0]),
}


@pytest.mark.parametrize(("roles", "parameters", "sizes"), PAGES.values(), ids=PAGES)
def test_pages(sandbox: Sandbox, roles: int, parameters: Json, sizes: list[int]) -> None:
    iam = furnish(sandbox, roles)
    names: list[list[str]] = []
    marker: Json = {}
    truncated = True
    while truncated:
        answer = iam.get_account_authorization_details(Filter=["Role"], **parameters, **marker)
        names.append([role["RoleName"] for role in answer["RoleDetailList"]])
        truncated = answer["IsTruncated"]
        assert truncated == ("Marker" in answer)
        marker = picked(answer, ["Marker"])
    assert [len(page) for page in names] == sizes
    assert [name for page in names for name in page] == [
        f"ray-{number:04}" for number in range(roles)
    ]


def test_pages_go_through_all_lists(sandbox: Sandbox) -> None:
    pages = (
        furnish(sandbox, 3)
        .get_paginator("get_account_authorization_details")
        .paginate(PaginationConfig={"PageSize": 2})
    )
    counts = [tuple(len(page[name]) for name in LISTS) for page in pages]
    assert counts == [(2, 0, 0, 0), (0, 1, 1, 0), (0, 0, 2, 0), (0, 0, 0, 1)]


def test_role_deleted_between_pages_hides_no_other(sandbox: Sandbox) -> None:
    iam = furnish(sandbox, 4)
    first = iam.get_account_authorization_details(Filter=["Role"], MaxItems=2)
    iam.delete_role(RoleName="ray-0001")
    second = iam.get_account_authorization_details(
        Filter=["Role"], MaxItems=2, Marker=first["Marker"]
    )
    assert [role["RoleName"] for role in second["RoleDetailList"]] == ["ray-0002", "ray-0003"]


INVALID: dict[str, tuple[Json, str]] = {
    "more than 1000 items": (
        {"MaxItems": 1001},
        "Value '1001' at 'maxItems' .* less than or equal to 1000",
    ),
    "unknown type": ({"Filter": ["Roles"]}, "at 'filter' .* enum value set"),
    "marker of another operation": ({"Marker": "cmF5"}, "Invalid Marker."),
    "marker that is cut off": ({"Marker": "MmFyb"}, "Invalid Marker."),
    "marker in other letters": ({"Marker": "!MmFybjph!"}, "Invalid Marker."),
}


@pytest.mark.parametrize(("parameters", "message"), INVALID.values(), ids=INVALID)
def test_invalid(aws: t.Any, refused: t.Any, parameters: Json, message: str) -> None:
    code, status, text = refused(aws("iam").get_account_authorization_details, **parameters)
    assert (code, status) == ("ValidationError", 400)
    assert re.search(message, text)
