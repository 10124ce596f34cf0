# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults and delays on request, in AWS and in the Anyscale API."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
import typing as t
import urllib.error

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    EndpointConnectionError,
    ReadTimeoutError,
)
from botocore.parsers import ResponseParserError

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox

ACCOUNT = "222222222222"
USERINFO = "/api/v2/userinfo/"
TRUST = json.dumps(
    {
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    }
)
OTHER_TRUST = TRUST.replace("ec2", "lambda")
READ = {
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/ray"},
    "Action": "s3:GetObject",
}
POLICY = json.dumps(
    {"Version": "2012-10-17", "Statement": [{**READ, "Resource": "arn:aws:s3:::data-1/*"}]}
)


@pytest.fixture(autouse=True)
def scene(sandbox: Sandbox) -> None:
    """A role and a bucket."""
    sandbox.client("iam", ACCOUNT).create_role(RoleName="ray", AssumeRolePolicyDocument=TRUST)
    location = {"LocationConstraint": "us-west-2"}
    sandbox.client("s3", ACCOUNT).create_bucket(Bucket="data-1", CreateBucketConfiguration=location)


def service_of_trust(client: t.Any) -> str:
    """The service that the role trusts, as a client sees it."""
    document = client.get_role(RoleName="ray")["Role"]["AssumeRolePolicyDocument"]
    return str(document["Statement"]["Principal"]["Service"])


def has_policy(client: t.Any) -> bool:
    """Whether the bucket has a policy, as a client sees it."""
    try:
        return bool(client.get_bucket_policy(Bucket="data-1")["Policy"])
    except client.exceptions.from_code("NoSuchBucketPolicy"):
        return False


AWS_FAULTS = {
    "S3 is slow down": ("s3", "GetBucketPolicy", {"status": 503}, ("SlowDown", 503)),
    "IAM throttles": ("iam", "GetRole", {"status": 400}, ("Throttling", 400)),
    "with its own code": (
        "iam",
        "GetRole",
        {"status": 500, "code": "ServiceFailure"},
        ("ServiceFailure", 500),
    ),
    "any operation": ("iam", "*", {"status": 403}, ("AccessDenied", 403)),
}
CALLS: dict[str, tuple[str, dict[str, str]]] = {
    "s3": ("get_bucket_policy", {"Bucket": "data-1"}),
    "iam": ("get_role", {"RoleName": "ray"}),
}


@pytest.mark.parametrize(
    ("service", "operation", "fault", "error"), AWS_FAULTS.values(), ids=AWS_FAULTS
)
def test_aws_fault(
    sandbox: Sandbox,
    aws: t.Any,
    refused: t.Any,
    service: str,
    operation: str,
    fault: dict[str, t.Any],
    error: tuple[str, int],
) -> None:
    method, parameters = CALLS[service]
    sandbox.fault(operation=operation, message="as asked", **fault)
    assert refused(getattr(aws(service), method), **parameters) == (*error, "as asked")
    assert [call["status"] for call in sandbox.calls()] == [error[1]]


def test_aws_fault_says_when_to_come_back(sandbox: Sandbox, aws: t.Any) -> None:
    sandbox.fault(operation="ListBuckets", status=503, retry_after=1.5)
    with pytest.raises(ClientError) as caught:
        aws("s3").list_buckets()
    assert caught.value.response["ResponseMetadata"]["HTTPHeaders"]["retry-after"] == "1.5"


def test_fault_comes_so_many_times(sandbox: Sandbox, aws: t.Any, refused: t.Any) -> None:
    sandbox.fault(operation="GetRole", status=400, times=2)
    assert [refused(aws("iam").get_role, RoleName="ray")[0] for _attempt in range(2)] == [
        "Throttling"
    ] * 2
    assert aws("iam").get_role(RoleName="ray")["Role"]
    assert sandbox.faults() == []


@pytest.mark.parametrize(
    "hit", [{"resource": "other"}, {"account_id": "333333333333"}], ids=["resource", "account"]
)
def test_fault_of_another(sandbox: Sandbox, aws: t.Any, hit: dict[str, str]) -> None:
    sandbox.fault(operation="GetRole", status=500, **hit)
    assert aws("iam").get_role(RoleName="ray")["Role"]
    assert len(sandbox.faults()) == 1


def test_setup_has_no_faults(sandbox: Sandbox) -> None:
    sandbox.fault(operation="*", status=500)
    assert sandbox.client("iam", ACCOUNT).get_role(RoleName="ray")["Role"]
    assert sandbox.calls() == []


@pytest.mark.parametrize(
    ("after", "written"), [(False, "ec2"), (True, "lambda")], ids=["before", "after"]
)
def test_error_before_or_after_the_write(
    sandbox: Sandbox, aws: t.Any, refused: t.Any, after: bool, written: str
) -> None:
    sandbox.fault(operation="UpdateAssumeRolePolicy", status=500, after=after)
    assert (
        refused(aws("iam").update_assume_role_policy, RoleName="ray", PolicyDocument=OTHER_TRUST)[1]
        == 500
    )
    assert service_of_trust(sandbox.client("iam", ACCOUNT)) == f"{written}.amazonaws.com"


@pytest.mark.parametrize(
    ("after", "written"), [(False, "ec2"), (True, "lambda")], ids=["before", "after"]
)
def test_dropped_connection(sandbox: Sandbox, aws: t.Any, after: bool, written: str) -> None:
    sandbox.fault(operation="UpdateAssumeRolePolicy", drop=True, after=after)
    with pytest.raises(ConnectionClosedError):
        aws("iam").update_assume_role_policy(RoleName="ray", PolicyDocument=OTHER_TRUST)
    assert service_of_trust(sandbox.client("iam", ACCOUNT)) == f"{written}.amazonaws.com"
    assert [call["status"] for call in sandbox.calls()] == [0]


@pytest.mark.parametrize(
    ("after", "written"), [(False, "ec2"), (True, "lambda")], ids=["before", "after"]
)
def test_no_answer_until_the_caller_gives_up(
    sandbox: Sandbox, aws: t.Any, after: bool, written: str
) -> None:
    sandbox.fault(operation="UpdateAssumeRolePolicy", hang=True, after=after)
    session = boto3.Session(**sandbox.credentials(ACCOUNT))
    config = Config(retries={"total_max_attempts": 1}, proxies={}, read_timeout=0.3)
    iam = session.client("iam", endpoint_url=sandbox.aws_url, config=config)
    with pytest.raises(ReadTimeoutError):
        iam.update_assume_role_policy(RoleName="ray", PolicyDocument=OTHER_TRUST)
    assert service_of_trust(sandbox.client("iam", ACCOUNT)) == f"{written}.amazonaws.com"
    assert [call["status"] for call in sandbox.calls()] == [0]


@pytest.mark.parametrize(
    ("after", "written"), [(False, "ec2"), (True, "lambda")], ids=["before", "after"]
)
def test_connections_are_refused_until_aws_is_back(
    sandbox: Sandbox, aws: t.Any, api: t.Any, after: bool, written: str
) -> None:
    sandbox.fault(operation="UpdateAssumeRolePolicy", leave=True, after=after)
    with pytest.raises(ConnectionClosedError):
        aws("iam").update_assume_role_policy(RoleName="ray", PolicyDocument=OTHER_TRUST)
    for _attempt in range(3):
        with pytest.raises(EndpointConnectionError):
            aws("iam").get_role(RoleName="ray")
    assert api("GET", USERINFO).status == 200, "Anyscale is another server"
    sandbox.come_back()
    assert service_of_trust(aws("iam")) == f"{written}.amazonaws.com"
    assert [call["status"] for call in sandbox.calls()] == [0, 200, 200]


def test_connections_are_refused_until_anyscale_is_back(sandbox: Sandbox, api: t.Any) -> None:
    sandbox.fault(operation=f"GET {USERINFO}", leave=True)
    with pytest.raises(http.client.RemoteDisconnected):
        api("GET", USERINFO)
    with pytest.raises(urllib.error.URLError, match="refused"):
        api("GET", USERINFO)
    sandbox.come_back()
    assert api("GET", USERINFO).status == 200


def test_a_reset_lets_servers_come_back(sandbox: Sandbox, aws: t.Any) -> None:
    sandbox.fault(operation="GetRole", leave=True)
    with pytest.raises(ConnectionClosedError):
        aws("iam").get_role(RoleName="ray")
    sandbox.reset()
    assert aws("iam").list_roles()["Roles"] == []


@pytest.mark.parametrize("service", CALLS)
def test_half_an_answer_of_aws(sandbox: Sandbox, aws: t.Any, service: str) -> None:
    sandbox.client("s3", ACCOUNT).put_bucket_policy(Bucket="data-1", Policy=POLICY)
    sandbox.fault(operation="Get*", cut=True)
    method, parameters = CALLS[service]
    if service == "iam":
        with pytest.raises(ResponseParserError):
            getattr(aws(service), method)(**parameters)
    else:
        half = getattr(aws(service), method)(**parameters)["Policy"]
        assert 0 < len(half) < len(POLICY)
    assert getattr(aws(service), method)(**parameters)["ResponseMetadata"]["HTTPStatusCode"] == 200


def test_half_an_answer_of_anyscale(sandbox: Sandbox, api: t.Any) -> None:
    sandbox.fault(operation=f"GET {USERINFO}", cut=True)
    with pytest.raises(json.JSONDecodeError):
        api("GET", USERINFO)
    assert api("GET", USERINFO).status == 200


def test_half_an_answer_comes_after_the_write(sandbox: Sandbox, aws: t.Any) -> None:
    sandbox.fault(operation="UpdateAssumeRolePolicy", cut=True)
    with pytest.raises(ResponseParserError):
        aws("iam").update_assume_role_policy(RoleName="ray", PolicyDocument=OTHER_TRUST)
    assert service_of_trust(sandbox.client("iam", ACCOUNT)) == "lambda.amazonaws.com"


def test_some_calls_are_spared_first(sandbox: Sandbox, aws: t.Any, refused: t.Any) -> None:
    sandbox.fault(operation="GetRole", status=500, skip=2, times=2)
    statuses = []
    for _call in range(5):
        with contextlib.suppress(ClientError):
            aws("iam").get_role(RoleName="ray")
        statuses.append(sandbox.calls()[-1]["status"])
    assert statuses == [200, 200, 500, 500, 200]


def test_delay_without_an_error(sandbox: Sandbox, aws: t.Any) -> None:
    sandbox.fault(operation="GetRole", delay=0.3)
    begin = time.monotonic()
    assert aws("iam").get_role(RoleName="ray")["Role"]
    assert time.monotonic() - begin >= 0.3


@pytest.mark.parametrize("status", [401, 403, 404, 409, 429, 500, 502, 503, 599])
def test_anyscale_fault(sandbox: Sandbox, api: t.Any, status: int) -> None:
    sandbox.fault(operation=f"GET {USERINFO}", status=status, message="as asked", retry_after=2)
    answer = api("GET", USERINFO)
    assert (answer.status, answer.body) == (status, {"error": {"detail": "as asked"}})
    assert answer.headers["Retry-After"] == "2"
    assert api("GET", USERINFO).status == 200


def test_anyscale_fault_by_route(sandbox: Sandbox, api: t.Any) -> None:
    sandbox.fault(operation="GET /api/v2/clouds/{id}/resources", status=500)
    cloud_id = sandbox.organization.add_cloud("demo")
    assert api("GET", f"/api/v2/clouds/{cloud_id}").status == 200
    assert api("GET", f"/api/v2/clouds/{cloud_id}/resources").status == 500


def test_anyscale_answer_lost_after_the_write(sandbox: Sandbox, api: t.Any) -> None:
    cloud_id = sandbox.organization.add_cloud("demo")
    sandbox.fault(operation="POST /api/v2/compute_templates/", drop=True, after=True)
    config = {"cloud_id": cloud_id, "head_node_type": {"name": "head", "instance_type": "m5.large"}}
    with pytest.raises(http.client.RemoteDisconnected):
        api("POST", "/api/v2/compute_templates/", {"name": "team-a", "config": config})
    assert len(api("POST", "/api/v2/compute_templates/search", {}).body["results"]) == 1


def test_late_read_of_a_trust_policy(sandbox: Sandbox, aws: t.Any) -> None:
    sandbox.settings(consistency_delay=0.4)
    aws("iam").update_assume_role_policy(RoleName="ray", PolicyDocument=OTHER_TRUST)
    assert service_of_trust(aws("iam")) == "ec2.amazonaws.com"
    assert service_of_trust(sandbox.client("iam", ACCOUNT)) == "lambda.amazonaws.com"
    time.sleep(0.45)
    assert service_of_trust(aws("iam")) == "lambda.amazonaws.com"


def test_late_read_of_a_bucket_policy(sandbox: Sandbox, aws: t.Any) -> None:
    sandbox.settings(consistency_delay=0.4)
    aws("s3").put_bucket_policy(Bucket="data-1", Policy=POLICY)
    assert not has_policy(aws("s3"))
    assert has_policy(sandbox.client("s3", ACCOUNT))
    time.sleep(0.45)
    assert has_policy(aws("s3"))
    aws("s3").delete_bucket_policy(Bucket="data-1")
    assert has_policy(aws("s3"))


def test_late_search_for_compute_configs(sandbox: Sandbox, api: t.Any) -> None:
    """By its id, a version can be read at once; of those that searches find, the one before is the
    newest.
    """
    cloud_id = sandbox.organization.add_cloud("demo")
    config = {"cloud_id": cloud_id, "head_node_type": {"name": "head", "instance_type": "m5.large"}}
    request = {"name": "team-a", "new_version": True, "config": config}
    sandbox.organization.create_template(request)
    sandbox.settings(consistency_delay=0.4)
    made = api("POST", "/api/v2/compute_templates/", request).body["result"]

    def found() -> list[int]:
        return [
            row["version"]
            for row in api("POST", "/api/v2/compute_templates/search", {"version": -1}).body[
                "results"
            ]
        ]

    assert (made["version"], found()) == (2, [1])
    assert api("GET", f"/api/v2/compute_templates/{made['id']}").status == 200
    time.sleep(0.45)
    assert found() == [2]


def test_young_role_is_not_yet_a_principal(sandbox: Sandbox, aws: t.Any, refused: t.Any) -> None:
    sandbox.settings(principal_delay=0.5)
    sandbox.client("iam", ACCOUNT).create_role(RoleName="young", AssumeRolePolicyDocument=TRUST)
    policy = POLICY.replace("role/ray", "role/young")
    invalid = ("MalformedPolicy", 400, "Invalid principal in policy")
    assert refused(aws("s3").put_bucket_policy, Bucket="data-1", Policy=policy) == invalid
    time.sleep(0.55)
    aws("s3").put_bucket_policy(Bucket="data-1", Policy=policy)


def test_unknown_setting(sandbox: Sandbox) -> None:
    with pytest.raises(TypeError, match="consistency"):
        sandbox.settings(consistency=1)
