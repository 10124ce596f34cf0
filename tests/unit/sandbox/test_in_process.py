# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests that are answered in process: the applications see the same requests as over sockets,
and callers the same answers.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import json
import os
import re
import threading
import typing as t

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError
from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._anyscale import AnyscaleApplication
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws import AwsApplication

CLOUD = FLEET[0]
ACCOUNT = CLOUD.account_id
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
# What differs between any two requests, and what belongs to a connection.
_RANDOM = re.compile(
    r"Signature=[0-9a-f]+|FQoGZXIvYXdz[\w+/=]+|/\d{8}/|\d{8}T\d{6}Z|cpt_\w+|"
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\bA(?:RO|SI|ID)A\w+"
)
_OF_THE_CONNECTION = {"REMOTE_PORT", "werkzeug.socket", "wsgi.input", "HTTP_X_MOTO_ACCOUNT_ID"}
_RANDOM_KEYS = {"CreateDate", "Expiration", "RequestId", "HostId", "date", "server", "connection"}
_RANDOM_KEYS |= {"x-amzn-requestid", "x-amz-request-id", "x-amz-id-2", "content-length"}
_RANDOM_KEYS |= {"last-modified", "LastModified"}
_RANDOM_KEYS |= {"SecretAccessKey", "SessionToken", "created_at", "last_modified_at", "trace_id"}


class Spy:
    """The requests that the applications see, and the threads that they answer them in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.requests: list[dict[str, str]] = []
        self.threads: set[int] = set()
        for application in (AwsApplication, AnyscaleApplication):
            monkeypatch.setattr(application, "__call__", self._spied(application.__call__))

    def _spied(self, answer: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        def call(application: t.Any, environ: dict[str, t.Any], start_response: t.Any) -> t.Any:
            self.threads.add(threading.get_ident())
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            seen = {name: environ[name] for name in environ.keys() - _OF_THE_CONNECTION}
            seen["body"] = body.decode("latin-1")
            self.requests.append(
                {name: _RANDOM.sub("*", str(value)) for name, value in seen.items()}
            )
            environ["wsgi.input"] = io.BytesIO(body)
            return answer(application, environ, start_response)

        return call

    def clear(self) -> None:
        self.requests.clear()
        self.threads.clear()


@pytest.fixture
def spy(monkeypatch: pytest.MonkeyPatch) -> Spy:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return Spy(monkeypatch)


def client(sandbox: Sandbox, service: str, **credentials: str) -> t.Any:
    config = Config(retries={"total_max_attempts": 1}, proxies={})
    session = boto3.Session(**(credentials or sandbox.credentials(ACCOUNT)))
    return session.client(service, endpoint_url=sandbox.aws_url, config=config)


def aws_calls(sandbox: Sandbox) -> t.Iterator[t.Callable[[], t.Any]]:
    """Calls of each kind: forms and paths, with and without bodies, that succeed and that fail."""
    iam, s3, sts = (client(sandbox, service) for service in ("iam", "s3", "sts"))
    role, bucket = CLOUD.role_name, CLOUD.bucket_name
    trust = json.dumps(TRUST)
    yield lambda: iam.get_role(RoleName=role)
    yield lambda: iam.get_role(RoleName="no-such-role")
    # refused by its name
    yield lambda: iam.create_role(RoleName="ü&=+ %", AssumeRolePolicyDocument=trust)
    yield lambda: iam.create_role(
        RoleName="made", AssumeRolePolicyDocument=trust, Description="ü & = + %"
    )
    yield lambda: iam.get_role(RoleName="made")
    yield lambda: iam.update_assume_role_policy(RoleName="made", PolicyDocument="{")
    yield lambda: s3.head_bucket(Bucket=bucket)
    yield lambda: s3.head_bucket(Bucket="no-such-bucket")
    yield lambda: s3.get_bucket_policy(Bucket=bucket, ExpectedBucketOwner=ACCOUNT)
    yield lambda: s3.put_bucket_policy(Bucket=bucket, Policy="no policy")
    yield lambda: s3.put_bucket_tagging(
        Bucket=bucket, Tagging={"TagSet": [{"Key": "ü", "Value": "<&>"}]}
    )
    yield lambda: s3.get_bucket_tagging(Bucket=bucket)
    yield lambda: s3.delete_bucket_policy(Bucket=bucket)
    yield sts.get_caller_identity
    yield lambda: client(
        sandbox, "iam", **{**sandbox.credentials(ACCOUNT), "aws_access_key_id": "AKIAUNKNOWN"}
    ).list_roles()
    yield lambda: client(  # no header can hold it
        sandbox, "iam", **sandbox.credentials(ACCOUNT), aws_session_token="a\nb"
    ).list_roles()
    yield lambda: as_assumed(sandbox, sts).get_role(RoleName=role)
    sandbox.fault("GetRole", status=503, code="SlowDown", retry_after=7)
    yield lambda: iam.get_role(RoleName=role)
    sandbox.fault("GetBucketPolicy", cut=True)
    yield lambda: s3.get_bucket_policy(Bucket=bucket)


def as_assumed(sandbox: Sandbox, sts: t.Any) -> t.Any:
    trust = {**TRUST["Statement"][0], "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}  # type: ignore[dict-item]
    client(sandbox, "iam").update_assume_role_policy(
        RoleName="made", PolicyDocument=json.dumps({**TRUST, "Statement": [trust]})
    )
    arn = f"arn:aws:iam::{ACCOUNT}:role/made"
    keys = sts.assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    return client(
        sandbox,
        "iam",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["SessionToken"],
        region_name="us-east-1",
    )


def anyscale_calls(sandbox: Sandbox) -> t.Iterator[t.Callable[[], t.Any]]:
    """Calls that read, search, write, are refused, and are redirected."""

    def api(token: str = sandbox.token, suffix: str = "") -> AnyscaleClient:
        return AnyscaleClient(sandbox.anyscale_url + suffix, token, sleep=lambda _seconds: None)

    config = {
        "cloud_id": CLOUD.cloud_id,
        "head_node_type": {"name": "head-node", "instance_type": "m5.large"},
        "worker_node_types": [],
    }
    yield lambda: list(api().clouds())
    yield lambda: api().find_cloud(CLOUD.name)
    yield lambda: api().cloud("a cloud/ü")
    yield lambda: api().cloud_resources(CLOUD.cloud_id)
    yield lambda: api("no-such-token").cloud(CLOUD.cloud_id)
    yield lambda: api().publish_compute_config("ü & more", config, previous_version=0)
    yield lambda: api().newest_compute_config("ü & more", CLOUD.cloud_id)
    yield lambda: api(suffix="/").cloud(f"{CLOUD.cloud_id}")
    sandbox.fault("GET /api/v2/clouds/{id}", status=429, retry_after=3, times=10)
    yield lambda: api().cloud(CLOUD.cloud_id)


def outcome(call: t.Callable[[], t.Any]) -> t.Any:
    """The answer of a call, or its error, without what differs between any two."""
    try:
        return masked(call())
    except ClientError as error:
        return masked(error.response)
    except AnyscaleError as error:
        return masked(error.failure())
    except Exception as error:
        return type(error)


def masked(value: t.Any) -> t.Any:
    if isinstance(value, dict):
        return {
            key: "*" if key in _RANDOM_KEYS else masked(inner)
            for key, inner in value.items()
            if key not in ("server", "connection", "date")
        }
    if isinstance(value, list):
        return [masked(inner) for inner in value]
    return _RANDOM.sub("*", value) if isinstance(value, str) else value


Calls = t.Callable[[Sandbox], t.Iterator[t.Callable[[], t.Any]]]


@pytest.mark.parametrize("calls", [aws_calls, anyscale_calls])
def test_it_is_as_over_sockets(sandbox: Sandbox, spy: Spy, calls: Calls) -> None:
    """Requests, signatures and headers, answers, and the journal."""
    seen: list[t.Any] = []
    for transport in (contextlib.nullcontext(), sandbox.in_process()):
        sandbox.reset()
        sandbox.seed((CLOUD,))
        sandbox.clear_calls()
        spy.clear()
        with transport:
            answers = [outcome(call) for call in calls(sandbox)]
        seen.append((answers, list(spy.requests), masked(sandbox.calls()), set(spy.threads)))
    (answers, requests, journal, threads), (own_answers, own_requests, own_journal, own_threads) = (
        seen
    )
    assert own_journal == journal
    assert len(journal) > 5
    assert own_answers == answers
    for own_request, request in zip(own_requests, requests, strict=True):
        assert own_request == request
    assert own_threads == {threading.get_ident()}
    assert not threads & own_threads


def test_faults_of_the_connection_come_over_sockets(sandbox: Sandbox, spy: Spy) -> None:
    iam = client(sandbox, "iam")
    with sandbox.in_process():
        sandbox.fault("ListRoles", drop=True)
        with pytest.raises(ConnectionClosedError):
            iam.list_roles()
        assert threading.get_ident() not in spy.threads
        sandbox.clear_faults()
        iam.list_roles()
        assert threading.get_ident() in spy.threads
    assert [call["status"] for call in sandbox.calls()] == [0, 200]


def test_a_forked_process_changes_the_same_state(sandbox: Sandbox, spy: Spy) -> None:
    with sandbox.in_process():
        child = os.fork()
        if not child:
            with contextlib.suppress(BaseException):
                client(sandbox, "iam").create_instance_profile(InstanceProfileName="made")
                os._exit(0)
            os._exit(1)
        assert os.waitpid(child, 0)[1] == 0
        found = client(sandbox, "iam").get_instance_profile(InstanceProfileName="made")
    assert found["InstanceProfile"]["InstanceProfileName"] == "made"


def test_many_threads_at_once(sandbox: Sandbox, spy: Spy) -> None:
    sandbox.seed((CLOUD,))
    sandbox.clear_calls()
    iam, api = client(sandbox, "iam"), AnyscaleClient(sandbox.anyscale_url, sandbox.token)
    with sandbox.in_process(), concurrent.futures.ThreadPoolExecutor(8) as threads:
        roles = [threads.submit(iam.get_role, RoleName=CLOUD.role_name) for _call in range(40)]
        clouds = [threads.submit(api.cloud, CLOUD.cloud_id) for _call in range(40)]
        assert {role.result()["Role"]["Arn"] for role in roles} == {CLOUD.role_arn}
        assert {cloud.result()["id"] for cloud in clouds} == {CLOUD.cloud_id}
    assert len(sandbox.calls()) == 80


def test_outside_of_it_sockets_are_used(sandbox: Sandbox, spy: Spy) -> None:
    with sandbox.in_process():
        pass
    client(sandbox, "iam").list_roles()
    assert threading.get_ident() not in spy.threads
