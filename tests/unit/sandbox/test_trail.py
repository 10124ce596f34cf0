# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Once there is a queue, each write of IAM and S3 that took effect is a message in it, with the ID of
the request that its caller knows.
"""

from __future__ import annotations

import json
import threading
import typing as t

import boto3
import pytest
from botocore.exceptions import ClientError

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import (
    changes_in,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import TOOLING_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed_documents import LAMBDA_ONLY
from ansible_collections.rayfleet.anyscale.tests.sandbox._trail import QUEUE, QUEUE_REGION
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import bridged, record
from ansible_collections.rayfleet.anyscale.tests.unit.sandbox.conftest import ACCOUNT, Aws

Json = dict[str, t.Any]


class Queue:
    """The queue, as a rulebook reads it."""

    def __init__(self, sandbox: Sandbox) -> None:
        given = {**sandbox.credentials(), "region_name": QUEUE_REGION}
        self.client = boto3.client("sqs", endpoint_url=sandbox.aws_url, **given)
        self.url = self.client.get_queue_url(QueueName=QUEUE)["QueueUrl"]

    def receive(self, seconds: int = 0) -> list[Json]:
        """The messages, which are deleted."""
        given = {"QueueUrl": self.url, "MaxNumberOfMessages": 10, "WaitTimeSeconds": seconds}
        found = self.client.receive_message(**given).get("Messages", [])
        for message in found:
            self.client.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"]) for message in found]


@pytest.fixture(name="queue")
def _queue(sandbox: Sandbox) -> Queue:
    sandbox.open_queue()
    return Queue(sandbox)


def create_role(aws: Aws, document: str = json.dumps(LAMBDA_ONLY)) -> str:
    """Create a role. Returns the ID of the request."""
    answer = aws("iam").create_role(RoleName="ray", AssumeRolePolicyDocument=document)
    return str(answer["ResponseMetadata"]["RequestId"])


def test_a_write_is_a_message(queue: Queue, aws: Aws) -> None:
    request_id = create_role(aws)
    [event] = queue.receive()
    [change] = changes_in(event).changes
    assert (change.call, change.account_id, change.role) == ("CreateRole", ACCOUNT, "ray")
    assert (change.request_id, change.principal) == (
        request_id,
        f"arn:aws:iam::{ACCOUNT}:user/administrator",
    )
    assert queue.receive() == []


def test_a_write_of_a_bucket_names_its_owner(queue: Queue, aws: Aws) -> None:
    s3 = aws("s3")
    place = {"LocationConstraint": "us-west-2"}
    answer = s3.create_bucket(Bucket="ray-bucket", CreateBucketConfiguration=place)
    s3.put_object(Bucket="ray-bucket", Key="data", Body=b"")
    [change] = [one for event in queue.receive() for one in changes_in(event).changes]
    assert (change.call, change.account_id, change.bucket) == (
        "CreateBucket",
        ACCOUNT,
        "ray-bucket",
    )
    assert change.request_id == answer["ResponseMetadata"]["RequestId"]


def test_an_event_has_the_fields_of_aws(queue: Queue, aws: Aws) -> None:
    create_role(aws)
    [event] = queue.receive()
    # sessionContext is that of sessions, which administrators have none of
    model = bridged(record("CreateRole"))
    assert set(model) <= set(event)
    assert set(model["detail"]) <= set(event["detail"])


def test_what_took_no_effect_or_prepares_the_scene_is_none(
    queue: Queue, sandbox: Sandbox, aws: Aws
) -> None:
    sandbox.client("iam", ACCOUNT).create_role(
        RoleName="ray", AssumeRolePolicyDocument=json.dumps(LAMBDA_ONLY)
    )
    with pytest.raises(ClientError, match="EntityAlreadyExists"):
        create_role(aws)
    aws("iam").get_role(RoleName="ray")
    assert queue.receive() == []


def test_long_parameters_are_left_out(queue: Queue, aws: Aws) -> None:
    """IAM does not count spaces. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html"""
    create_role(aws, json.dumps(LAMBDA_ONLY) + " " * 110_000)
    [event] = queue.receive()
    assert event["detail"]["requestParameters"]["omitted"] is True


def test_who_waits_for_messages_holds_up_nobody(queue: Queue, aws: Aws) -> None:
    found: list[Json] = []
    waiting = threading.Thread(target=lambda: found.extend(queue.receive(seconds=20)))
    waiting.start()
    create_role(aws)
    waiting.join(15)
    assert len(found) == 1


def test_reading_the_queue_needs_three_permissions(
    queue: Queue, sandbox: Sandbox, aws: Aws
) -> None:
    """Those that the page on events names."""
    actions = ["sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:DeleteMessage"]
    arn = f"arn:aws:sqs:us-east-1:{TOOLING_ACCOUNT}:{QUEUE}"
    statement = {"Effect": "Allow", "Action": actions, "Resource": arn}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    sandbox.settings(identity_policies={TOOLING_ACCOUNT: document})
    create_role(aws)
    assert len(Queue(sandbox).receive()) == 1
    statement["Resource"] = arn + "-2"
    sandbox.settings(identity_policies={TOOLING_ACCOUNT: document})
    with pytest.raises(ClientError, match="AccessDenied"):
        Queue(sandbox)


def test_without_a_queue_nothing_is_kept(sandbox: Sandbox, aws: Aws) -> None:
    create_role(aws)
    assert sandbox.events() == {"ansible_eda": {"events": {}}}


def test_drift_is_the_write_of_another_writer(sandbox: Sandbox) -> None:
    sandbox.seed()
    sandbox.open_queue()
    sandbox.drift("vision-prod")
    [change] = changes_in(sandbox.events()["ansible_eda"]).changes
    assert change.call == "UpdateAssumeRolePolicy"
    sandbox.clear_events()
    assert not changes_in(sandbox.events()["ansible_eda"]).changes
    with pytest.raises(ValueError, match="No such cloud: nowhere"):
        sandbox.drift("nowhere")
