# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in server's answers are those of the sandbox, and it keeps, counts and resets what it
is set.
"""

from __future__ import annotations

import functools
import json
import operator
import typing as t
import urllib.error
import urllib.request

import pytest
from botocore.exceptions import ClientError

from ansible_collections.rayfleet.anyscale.benchmarks import _fleet
from ansible_collections.rayfleet.anyscale.benchmarks._http import Request
from ansible_collections.rayfleet.anyscale.benchmarks._state import compact
from ansible_collections.rayfleet.anyscale.benchmarks.stand_in import CONTROL, StandIn
from ansible_collections.rayfleet.anyscale.tests.sandbox import (
    Sandbox,
    _seed_documents as documents,
    generated_fleet,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import (
    TOOLING_ACCOUNT,
    caller_key,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import opaque_id
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed_documents import CONTROL_PLANE_POLICY
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ONBOARDING_ROLE, REGION, Cloud
from ansible_collections.rayfleet.anyscale.tests.unit.benchmarks.conftest import CLOUDS

Aws = t.Callable[..., t.Any]

FLEET = generated_fleet.clouds(CLOUDS)
CLOUD, ELSEWHERE = FLEET[0], FLEET[1]
ACCOUNT, ROLE, BUCKET = CLOUD.account_id, CLOUD.role_name, CLOUD.bucket_name
CONTROL_PLANE = {"RoleName": CLOUD.control_plane_role_name}
RESOURCE = opaque_id("cldrsrc", f"{CLOUD.cloud_id}/vm-aws-{REGION}")
ONBOARDING = f"arn:aws:iam::{ACCOUNT}:role/{ONBOARDING_ROLE}"
# What no two servers answer alike, and what moto leaves out or adds.
DIFFERING = {
    "ResponseMetadata",
    "CreateDate",
    "CreationDate",
    "RoleId",
    "InstanceProfileId",
    "RoleLastUsed",
    "IsTruncated",
    "Tags",
    "Description",
    "BucketRegion",
    "AccessPointAlias",
    "created_at",
    "last_modified_at",
}


@pytest.fixture(scope="module")
def sandbox() -> t.Iterator[Sandbox]:
    """The sandbox with the same fleet."""
    with Sandbox() as running:
        running.seed(FLEET)
        yield running


def comparable(answer: t.Any) -> t.Any:
    """An answer without what may differ."""
    if isinstance(answer, dict):
        return {
            key: comparable(value)
            for key, value in answer.items()
            if key not in DIFFERING and not str(value).startswith("cpt_")
        }
    return [comparable(item) for item in answer] if isinstance(answer, (list, tuple)) else answer


READS: dict[str, tuple[str, str, dict[str, t.Any]]] = {
    "GetRole": ("iam", "get_role", {"RoleName": ROLE}),
    "GetRole of the control plane": (
        "iam",
        "get_role",
        CONTROL_PLANE,
    ),
    "ListAttachedRolePolicies": ("iam", "list_attached_role_policies", {"RoleName": ROLE}),
    "ListRolePolicies": ("iam", "list_role_policies", {"RoleName": ROLE}),
    "ListRolePolicies of the control plane": ("iam", "list_role_policies", CONTROL_PLANE),
    "GetRolePolicy": (
        "iam",
        "get_role_policy",
        {**CONTROL_PLANE, "PolicyName": CONTROL_PLANE_POLICY},
    ),
    "ListInstanceProfilesForRole": (
        "iam",
        "list_instance_profiles_for_role",
        {"RoleName": ROLE},
    ),
    "ListInstanceProfilesForRole of the control plane": (
        "iam",
        "list_instance_profiles_for_role",
        CONTROL_PLANE,
    ),
    "GetBucketLocation": (
        "s3",
        "get_bucket_location",
        {"Bucket": BUCKET, "ExpectedBucketOwner": ACCOUNT},
    ),
    "ListBuckets": ("s3", "list_buckets", {"MaxBuckets": 1000}),
    "GetInstanceProfile": ("iam", "get_instance_profile", {"InstanceProfileName": ROLE}),
    "GetBucketPolicy": (
        "s3",
        "get_bucket_policy",
        {"Bucket": BUCKET, "ExpectedBucketOwner": ACCOUNT},
    ),
    "GetBucketVersioning": ("s3", "get_bucket_versioning", {"Bucket": BUCKET}),
    "GetBucketLogging": ("s3", "get_bucket_logging", {"Bucket": BUCKET}),
    "ListBucketInventoryConfigurations": (
        "s3",
        "list_bucket_inventory_configurations",
        {"Bucket": BUCKET},
    ),
    "HeadBucket": ("s3", "head_bucket", {"Bucket": BUCKET}),
}


@pytest.mark.parametrize(("service", "method", "arguments"), READS.values(), ids=READS)
def test_a_read_is_answered_as_by_the_sandbox(
    aws: Aws, sandbox: Sandbox, service: str, method: str, arguments: dict[str, t.Any]
) -> None:
    answer = comparable(getattr(aws(service, ACCOUNT), method)(**arguments))
    expected = comparable(getattr(sandbox.client(service, ACCOUNT), method)(**arguments))
    assert answer == expected


REFUSALS: dict[str, tuple[str, str, dict[str, t.Any]]] = {
    "a role that is not there": ("iam", "get_role", {"RoleName": "missing"}),
    "a role of another account": ("iam", "get_role", {"RoleName": ELSEWHERE.role_name}),
    "an instance profile that is not there": (
        "iam",
        "get_instance_profile",
        {"InstanceProfileName": "nothing"},
    ),
    "an inline policy that is not there": (
        "iam",
        "get_role_policy",
        {"RoleName": ROLE, "PolicyName": "missing"},
    ),
    "inline policies of a role that is not there": (
        "iam",
        "list_role_policies",
        {"RoleName": "missing"},
    ),
    "a bucket that is not there": ("s3", "get_bucket_policy", {"Bucket": "nowhere-at-all"}),
    "a bucket of another owner": (
        "s3",
        "get_bucket_policy",
        {"Bucket": BUCKET, "ExpectedBucketOwner": "210000000009"},
    ),
    "a bucket without tags": ("s3", "get_bucket_tagging", {"Bucket": BUCKET}),
    "a bucket without CORS rules": ("s3", "get_bucket_cors", {"Bucket": BUCKET}),
    "a bucket without a lock": ("s3", "get_object_lock_configuration", {"Bucket": BUCKET}),
}


@pytest.mark.parametrize(("service", "method", "arguments"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_that_of_the_sandbox(
    aws: Aws, sandbox: Sandbox, service: str, method: str, arguments: dict[str, t.Any]
) -> None:
    refusals = []
    for client in (aws(service, ACCOUNT), sandbox.client(service, ACCOUNT)):
        with pytest.raises(ClientError) as refusal:
            getattr(client, method)(**arguments)
        answer = refusal.value.response
        refusals.append((answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]))
    assert refusals[0] == refusals[1]


@pytest.mark.parametrize("page", [1, 2, 1000])
def test_account_details_have_every_role_once_whatever_the_page_is(aws: Aws, page: int) -> None:
    pages = list(
        aws("iam", ACCOUNT)
        .get_paginator("get_account_authorization_details")
        .paginate(PaginationConfig={"PageSize": page})
    )
    roles = [role for one in pages for role in one["RoleDetailList"]]
    mine = [cloud for cloud in FLEET if cloud.account_id == ACCOUNT]
    cluster = {role["RoleName"]: role for role in roles if role["InstanceProfileList"]}
    assert len(roles) == len({role["Arn"] for role in roles}) == 2 * len(mine) + 1
    assert set(cluster) == {cloud.role_name for cloud in mine}
    assert all(len(one["RoleDetailList"]) <= page for one in pages)


@pytest.mark.parametrize("kinds", [["Role"], ["LocalManagedPolicy"], ["User", "Role"]], ids=str)
def test_account_details_have_the_kinds_that_are_asked_for(
    aws: Aws, sandbox: Sandbox, kinds: list[str]
) -> None:
    answers = [
        client.get_account_authorization_details(Filter=kinds)
        for client in (aws("iam", ACCOUNT), sandbox.client("iam", ACCOUNT))
    ]
    lists = ("RoleDetailList", "UserDetailList", "GroupDetailList", "Policies")
    counts = [[len(answer[name]) for name in lists] for answer in answers]
    assert counts[0] == counts[1]


def test_account_details_show_what_get_role_and_get_instance_profile_show(aws: Aws) -> None:
    iam = aws("iam", ACCOUNT)
    role, profile = (
        iam.get_role(RoleName=ROLE)["Role"],
        iam.get_instance_profile(InstanceProfileName=ROLE)["InstanceProfile"],
    )
    detail = next(
        one
        for one in iam.get_account_authorization_details()["RoleDetailList"]
        if one["RoleName"] == ROLE
    )
    assert detail["InstanceProfileList"] == [profile]
    assert {key: detail[key] for key in ("Arn", "RoleId", "AssumeRolePolicyDocument")} == {
        key: role[key] for key in ("Arn", "RoleId", "AssumeRolePolicyDocument")
    }


def test_account_details_have_the_policies_that_a_read_of_each_role_has(
    aws: Aws, sandbox: Sandbox
) -> None:
    details = [
        client.get_account_authorization_details(Filter=["Role"])["RoleDetailList"]
        for client in (aws("iam", ACCOUNT), sandbox.client("iam", ACCOUNT))
    ]
    keys = ("RoleName", "RolePolicyList", "AttachedManagedPolicies")
    policies = [sorted(str([role[key] for key in keys]) for role in roles) for roles in details]
    inline = aws("iam", ACCOUNT).get_role_policy(**CONTROL_PLANE, PolicyName=CONTROL_PLANE_POLICY)
    assert policies[0] == policies[1]
    (of_control_plane,) = (
        role["RolePolicyList"]
        for role in details[0]
        if role["RoleName"] == CLOUD.control_plane_role_name
    )
    assert {key: inline[key] for key in ("PolicyName", "PolicyDocument")} in of_control_plane


def test_the_keys_of_an_assumed_role_are_of_its_account(aws: Aws, sandbox: Sandbox) -> None:
    asked = {"RoleArn": ONBOARDING, "RoleSessionName": "bench"}
    answer = aws("sts", TOOLING_ACCOUNT).assume_role(**asked)
    expected = sandbox.client("sts", TOOLING_ACCOUNT).assume_role(**asked)
    assert answer["AssumedRoleUser"]["Arn"] == expected["AssumedRoleUser"]["Arn"]
    assert answer["Credentials"].keys() == expected["Credentials"].keys()
    assert answer["Credentials"]["AccessKeyId"].endswith(ACCOUNT)
    assert len(answer["Credentials"]["AccessKeyId"]) == len(expected["Credentials"]["AccessKeyId"])


def test_a_trust_policy_is_encoded_as_in_a_url(stand_in: StandIn) -> None:
    signature = (
        f"AWS4-HMAC-SHA256 Credential={caller_key(ACCOUNT)}/20260101/us-east-1/iam/aws4_request"
    )
    answer = stand_in.answer(
        Request(
            "POST", "/", {"authorization": signature}, f"Action=GetRole&RoleName={ROLE}".encode()
        )
    )
    assert b"<AssumeRolePolicyDocument>%7B%22Version%22%3A%222012-10-17%22%2C" in answer.body


def test_the_caller_is_of_the_account_of_its_key(aws: Aws) -> None:
    assert aws("sts", ACCOUNT).get_caller_identity()["Account"] == ACCOUNT


def anyscale(
    stand_in: StandIn, method: str, path: str, body: t.Any = None, token: str = Sandbox.token
) -> tuple[int, t.Any]:
    """A call of the Anyscale API."""
    content = b"" if body is None else json.dumps(body).encode()
    answer = stand_in.answer(Request(method, path, {"authorization": f"Bearer {token}"}, content))
    return answer.status, json.loads(answer.body)


def of_sandbox(sandbox: Sandbox, method: str, path: str, body: t.Any = None) -> tuple[int, t.Any]:
    """The same call of the sandbox."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        sandbox.anyscale_url + path,
        data,
        {"Authorization": f"Bearer {sandbox.token}"},
        method=method,
    )
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def search(name: str = CLOUD.compute_config_name, version: int = -1) -> dict[str, t.Any]:
    """A search for one compute config."""
    return {"name": {"equals": name}, "cloud_id": CLOUD.cloud_id, "version": version}


SEARCH = "/api/v2/compute_templates/search?count=100"
ANYSCALE_READS: dict[str, tuple[str, str, t.Any]] = {
    "search": ("POST", SEARCH, search()),
    "search for what is not there": ("POST", SEARCH, search("nothing")),
    "resources": ("GET", f"/api/v2/clouds/{CLOUD.cloud_id}/resources", None),
    "resources of an unknown cloud": ("GET", "/api/v2/clouds/cld_0/resources", None),
    "cloud": ("GET", f"/api/v2/clouds/{CLOUD.cloud_id}", None),
    "unknown cloud": ("GET", "/api/v2/clouds/cld_0", None),
    "Cloud IAM mapping": (
        "GET",
        f"/api/v2/clouds/{CLOUD.cloud_id}/deployment/{RESOURCE}/config",
        None,
    ),
    "Cloud IAM mapping of an unknown resource": (
        "GET",
        f"/api/v2/clouds/{CLOUD.cloud_id}/deployment/cldrsrc_0/config",
        None,
    ),
    "clouds by name": ("GET", f"/api/v2/clouds/?name={CLOUD.name}", None),
    "default compute config": ("GET", f"/api/v2/compute_templates/default/{CLOUD.cloud_id}", None),
}


@pytest.mark.parametrize(("method", "path", "body"), ANYSCALE_READS.values(), ids=ANYSCALE_READS)
def test_anyscale_is_answered_as_by_the_sandbox(
    stand_in: StandIn, sandbox: Sandbox, method: str, path: str, body: t.Any
) -> None:
    answers = [anyscale(stand_in, method, path, body), of_sandbox(sandbox, method, path, body)]
    assert comparable(answers[0]) == comparable(answers[1])


def test_clouds_come_in_pages(stand_in: StandIn) -> None:
    names, token = [], ""
    while token is not None:
        _status, page = anyscale(
            stand_in, "GET", f"/api/v2/clouds/?count=5{token and f'&paging_token={token}'}"
        )
        names += [cloud["name"] for cloud in page["results"]]
        token = page["metadata"]["next_paging_token"]
    assert names == [cloud.name for cloud in FLEET]


def newest_of_all(ask: t.Callable[..., tuple[int, t.Any]], count: int) -> list[t.Any]:
    """The newest version of each compute config, by pages of a search without a name."""
    rows: list[t.Any] = []
    token = ""
    while token is not None:
        path = f"{SEARCH.partition('?')[0]}?count={count}{token and f'&paging_token={token}'}"
        status, page = ask("POST", path, {"version": -1, "archive_status": "ALL"})
        assert (status, page["metadata"]["total"]) == (200, CLOUDS)
        rows += page["results"]
        token = page["metadata"]["next_paging_token"]
    return rows


def test_newest_versions_come_in_pages_as_from_the_sandbox(
    stand_in: StandIn, sandbox: Sandbox
) -> None:
    found = newest_of_all(functools.partial(anyscale, stand_in), 7)
    expected = newest_of_all(functools.partial(of_sandbox, sandbox), 100)
    by_cloud = operator.itemgetter("cloud_id")
    assert sorted((row["config"] for row in comparable(found)), key=by_cloud) == sorted(
        (row["config"] for row in comparable(expected)), key=by_cloud
    )
    assert {row["name"] for row in found} == {cloud.compute_config_name for cloud in FLEET}


def test_a_new_version_comes_first_and_takes_the_place_of_the_older(
    stand_in: StandIn, aws: Aws
) -> None:
    converge(stand_in, aws)
    found = newest_of_all(functools.partial(anyscale, stand_in), 7)
    assert (found[0]["name"], found[0]["version"]) == (CLOUD.compute_config_name, 2)
    assert {row["version"] for row in found[1:]} == {1}


def test_a_wrong_token_is_refused(stand_in: StandIn) -> None:
    assert anyscale(stand_in, "POST", SEARCH, search(), token="wrong")[0] == 401


def converge(stand_in: StandIn, aws: Aws) -> None:
    """Converge the first cloud, as any contender would."""
    document = json.dumps(documents.trust_policy(CLOUD))
    aws("iam", ACCOUNT).update_assume_role_policy(RoleName=ROLE, PolicyDocument=document)
    policy = compact(documents.bucket_policy(CLOUD))
    aws("s3", ACCOUNT).put_bucket_policy(Bucket=BUCKET, ExpectedBucketOwner=ACCOUNT, Policy=policy)
    status, answer = anyscale(
        stand_in, "POST", "/api/v2/compute_templates/", _fleet.compute_config(CLOUD)
    )
    assert (status, answer["result"]["version"]) == (201, 2)


def test_what_was_written_is_read_and_counts_as_converged(stand_in: StandIn, aws: Aws) -> None:
    stand_in.reset({"shape": [CLOUDS], "share": 1.0, "latency": 0.0})
    converge(stand_in, aws)
    trust = aws("iam", ACCOUNT).get_role(RoleName=ROLE)["Role"]["AssumeRolePolicyDocument"]
    found = anyscale(stand_in, "POST", SEARCH, search())[1]["results"]
    assert trust == documents.trust_policy(CLOUD)
    assert [row["version"] for row in found] == [2]
    assert stand_in.report()["drifted"] == {
        "trust": CLOUDS - 1,
        "bucket": CLOUDS - 1,
        "compute_config": CLOUDS - 1,
    }


def test_all_versions_come_newest_first(stand_in: StandIn, aws: Aws) -> None:
    converge(stand_in, aws)
    found = anyscale(stand_in, "POST", SEARCH, search(version=-2))[1]["results"]
    assert [row["version"] for row in found] == [2, 1]


@pytest.mark.parametrize(
    ("clouds", "share", "drifted"),
    [(50, 0.0, 0), (50, 1.0, 50), (50, 0.01, 1), (500, 0.01, 5), (2000, 0.01, 20)],
    ids=["none", "all", "at least one", "1 % of 500", "1 % of 2000"],
)
def test_the_share_that_has_drifted(
    stand_in: StandIn, clouds: int, share: float, drifted: int
) -> None:
    stand_in.reset({"shape": [clouds], "share": share, "latency": 0.0})
    assert set(stand_in.report()["drifted"].values()) == {drifted}


SHARED = _fleet.Shape(12, accounts=2, buckets=4)


def test_clouds_that_share_a_bucket_are_in_one_account() -> None:
    fleet = generated_fleet.clouds(*SHARED)
    owners: dict[str, set[str]] = {}
    for cloud in fleet:
        owners.setdefault(cloud.bucket_name, set()).add(cloud.account_id)
    assert len(owners) == SHARED.buckets
    assert {len(accounts) for accounts in owners.values()} == {1}
    with pytest.raises(ValueError, match="would share across two"):
        generated_fleet.clouds(12, accounts=2, buckets=3)


@pytest.mark.parametrize(
    ("share", "drifted"), [(0.0, 0), (0.5, 6), (1.0, 12)], ids=["none", "half", "all"]
)
def test_a_shared_bucket_has_what_each_of_its_clouds_has(
    stand_in: StandIn, aws: Aws, share: float, drifted: int
) -> None:
    stand_in.reset({"shape": SHARED, "share": share, "latency": 0.0})
    fleet = generated_fleet.clouds(*SHARED)
    roles = sum(cloud.role_arn in policy_of(aws, cloud) for cloud in fleet)
    assert roles == len(fleet) - drifted
    assert stand_in.report()["drifted"]["bucket"] == drifted


def test_a_cloud_whose_statement_is_in_a_shared_bucket_is_converged(
    stand_in: StandIn, aws: Aws
) -> None:
    stand_in.reset({"shape": SHARED, "share": 1.0, "latency": 0.0})
    cloud = generated_fleet.clouds(*SHARED)[0]
    aws("s3", cloud.account_id).put_bucket_policy(
        Bucket=cloud.bucket_name, Policy=compact(documents.bucket_policy(cloud))
    )
    assert stand_in.report()["drifted"]["bucket"] == SHARED.clouds - 1


def policy_of(aws: Aws, cloud: Cloud) -> str:
    """The policy of a cloud's bucket."""
    return str(aws("s3", cloud.account_id).get_bucket_policy(Bucket=cloud.bucket_name)["Policy"])


def test_calls_are_counted_by_operation_and_forgotten(stand_in: StandIn, aws: Aws) -> None:
    aws("iam", ACCOUNT).get_role(RoleName=ROLE)
    aws("iam", ACCOUNT).get_role(RoleName=ROLE)
    converge(stand_in, aws)
    report = stand_in.report()
    stand_in.answer(Request("POST", f"{CONTROL}/forget", {}, b""))
    assert report["calls"] == {
        "iam:GetRole": 2,
        "iam:UpdateAssumeRolePolicy": 1,
        "s3:PutBucketPolicy": 1,
        "anyscale:CreateComputeConfig": 1,
    }
    assert report["writes"] == 3
    assert stand_in.report()["calls"] == {}


def test_what_is_not_known_is_refused_and_reported(stand_in: StandIn, aws: Aws) -> None:
    for service, method, arguments in (
        ("iam", "list_users", {}),
        ("s3", "get_bucket_website", {"Bucket": BUCKET}),
    ):
        with pytest.raises(ClientError):
            getattr(aws(service, ACCOUNT), method)(**arguments)
    assert anyscale(stand_in, "GET", "/api/v2/userinfo/")[0] == 404
    assert len(stand_in.report()["unknown"]) == 3


def test_an_unsigned_call_is_refused(stand_in: StandIn) -> None:
    assert stand_in.answer(Request("POST", "/", {}, b"Action=GetRole&RoleName=x")).status == 403


def test_services_wait_and_the_control_does_not(stand_in: StandIn) -> None:
    stand_in.reset({"shape": [1], "share": 0.0, "latency": 0.02})
    assert stand_in.answer(Request("GET", "/api/v2/clouds/", {}, b"")).delay == 0.02
    assert stand_in.answer(Request("POST", f"{CONTROL}/report", {}, b"")).delay == 0
