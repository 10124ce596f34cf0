# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""CloudTrail, a rule of EventBridge and the queue that is its target: each write of IAM and S3 that took
effect is a message in the queue, at once. AWS takes some minutes.

The records: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
The events around them: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
The rule is one for all writes, where an operator's names calls; that the filter of the rulebooks drops
the others can be seen so.
"""

from __future__ import annotations

import collections
import datetime
import json
import threading
import typing as t
import uuid

from moto.sqs.models import sqs_backends

from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import (
    TOOLING_ACCOUNT,
    AwsCall,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_callers import Caller
from ansible_collections.rayfleet.anyscale.tests.sandbox._journal import writes

QUEUE, QUEUE_REGION = "anyscale-changes", "us-east-1"
# Calls of S3 on buckets are management events. Those on objects are data events, which a trail has
# only if it is told so.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-s3-info.html
_OF_BUCKETS = "Bucket"
# CloudTrail leaves out what is longer.
_MOST_PARAMETERS = 100 * 1024
_MOST_EVENTS = 1000

Json = dict[str, t.Any]


class Trail:
    """The events since the last reset, once there is a queue for them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._events: collections.deque[Json] = collections.deque(maxlen=_MOST_EVENTS)
        self._queue: t.Any = None

    def open(self) -> None:
        """Make the queue, in the account of the caller that the sandbox hands out."""
        self._queue = sqs_backends[TOOLING_ACCOUNT][QUEUE_REGION]
        self._queue.create_queue(QUEUE)

    def close(self) -> None:
        """No queue any more, and no events."""
        self._queue = None
        self.clear()

    def clear(self) -> None:
        """Forget the events. Those in the queue stay there."""
        with self._lock:
            self._events.clear()

    def events(self) -> list[Json]:
        """The newest events, in order."""
        with self._lock:
            return list(self._events)

    def record(self, call: AwsCall, caller: Caller) -> None:
        """Record a call that took effect, if a trail records it."""
        if self._queue is None or not _is_recorded(call):
            return
        event = _event(call, caller)
        with self._lock:
            self._events.append(event)
        self._queue.send_message(QUEUE, json.dumps(event))


def _is_recorded(call: AwsCall) -> bool:
    is_management = call.service == "iam" or (
        call.service == "s3" and _OF_BUCKETS in call.operation
    )
    return is_management and writes(call.service, call.operation)


def _event(call: AwsCall, caller: Caller) -> Json:
    record = _record(call, caller)
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "AWS API Call via CloudTrail",
        "source": f"aws.{call.service}",
        "account": call.account_id,
        "time": record["eventTime"],
        "region": QUEUE_REGION,
        "resources": [],
        "detail": record,
    }


def _record(call: AwsCall, caller: Caller) -> Json:
    now = datetime.datetime.now(datetime.timezone.utc)
    record: Json = {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole" if ":assumed-role/" in caller.arn else "IAMUser",
            "arn": caller.arn,
            "accountId": caller.account_id,
        },
        "eventTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "eventSource": f"{call.service}.amazonaws.com",
        "eventName": call.operation,
        "awsRegion": QUEUE_REGION,
        "sourceIPAddress": "127.0.0.1",
        "userAgent": call.headers.get("User-Agent", ""),
        "requestParameters": _parameters(call),
        "responseElements": None,
        "requestID": call.request_id,
        "eventID": str(uuid.uuid4()),
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": call.account_id,
    }
    if call.service == "s3":
        bucket = {"type": "AWS::S3::Bucket", "ARN": f"arn:aws:s3:::{call.resource}"}
        record["resources"] = [{**bucket, "accountId": call.account_id}]
    return record


def _parameters(call: AwsCall) -> Json:
    """Those of IAM begin with a small letter; those of S3 have other names.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
    """
    if call.service == "s3":
        return {"bucketName": call.resource, "Host": call.headers.get("Host", "")}
    given = {
        name[0].lower() + name[1:]: value
        for name, value in call.parameters.items()
        if name not in ("Action", "Version")
    }
    size = len(json.dumps(given))
    if size <= _MOST_PARAMETERS:
        return given
    return {"omitted": True, "originalSize": size, "reason": "requestParameters too large"}
