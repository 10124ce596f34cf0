# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Records of CloudTrail as the tests of events need them. The shapes are those of the pages that
``_events/cloudtrail.py`` names.
"""

from __future__ import annotations

import itertools
import json
import typing as t

ACCOUNT, OTHER_ACCOUNT = "222222222222", "333333333333"
ONBOARDING = f"arn:aws:iam::{ACCOUNT}:role/anyscale-onboarding"
POLICY_ARN = f"arn:aws:iam::{ACCOUNT}:policy/ray-data"

_numbers = itertools.count(1)

# What each call names, by the name of the call.
OF_ROLE = {"roleName": "ray"}
OF_PROFILE = {"instanceProfileName": "ray-profile"}
OF_BUCKET = {"bucketName": "ray-bucket", "Host": "ray-bucket.s3.amazonaws.com"}
CALLS: dict[str, tuple[str, dict[str, t.Any]]] = {
    "UpdateAssumeRolePolicy": ("iam", {**OF_ROLE, "policyDocument": "{}"}),
    "DeleteRole": ("iam", OF_ROLE),
    "CreateRole": ("iam", {**OF_ROLE, "path": "/", "assumeRolePolicyDocument": "{}"}),
    "AddRoleToInstanceProfile": ("iam", {**OF_ROLE, **OF_PROFILE}),
    "RemoveRoleFromInstanceProfile": ("iam", {**OF_ROLE, **OF_PROFILE}),
    "DeleteInstanceProfile": ("iam", OF_PROFILE),
    "PutRolePolicy": ("iam", {**OF_ROLE, "policyName": "data", "policyDocument": "{}"}),
    "DeleteRolePolicy": ("iam", {**OF_ROLE, "policyName": "data"}),
    "AttachRolePolicy": ("iam", {**OF_ROLE, "policyArn": POLICY_ARN}),
    "DetachRolePolicy": ("iam", {**OF_ROLE, "policyArn": POLICY_ARN}),
    "PutRolePermissionsBoundary": ("iam", {**OF_ROLE, "permissionsBoundary": POLICY_ARN}),
    "DeleteRolePermissionsBoundary": ("iam", OF_ROLE),
    "CreatePolicyVersion": ("iam", {"policyArn": POLICY_ARN, "setAsDefault": True}),
    "SetDefaultPolicyVersion": ("iam", {"policyArn": POLICY_ARN, "versionId": "v2"}),
    "DeletePolicyVersion": ("iam", {"policyArn": POLICY_ARN, "versionId": "v1"}),
    "PutBucketPolicy": ("s3", {**OF_BUCKET, "bucketPolicy": {"Statement": []}, "policy": ""}),
    "DeleteBucketPolicy": ("s3", {**OF_BUCKET, "policy": ""}),
    "DeleteBucket": ("s3", OF_BUCKET),
    "CreateBucket": ("s3", {**OF_BUCKET, "CreateBucketConfiguration": {}}),
    "PutBucketEncryption": ("s3", {**OF_BUCKET, "encryption": ""}),
    "DeleteBucketEncryption": ("s3", {**OF_BUCKET, "encryption": ""}),
}


def record(call: str, account: str = ACCOUNT, **fields: t.Any) -> dict[str, t.Any]:
    """A record of a call by a person, with what it names; fields replace those of the record."""
    service, parameters = CALLS[call]
    return {
        "eventVersion": "1.10",
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": "AROAEXAMPLE:jane",
            "arn": f"arn:aws:sts::{account}:assumed-role/Admin/jane",
            "accountId": account,
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "arn": f"arn:aws:iam::{account}:role/path/Admin"}
            },
        },
        "eventTime": "2026-11-29T09:30:00Z",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": call,
        "awsRegion": "us-east-1",
        "requestParameters": parameters,
        "responseElements": None,
        "requestID": f"00000000-0000-4000-8000-{next(_numbers):012d}",
        "eventID": "d1a3b4c5-0000-4000-8000-000000000000",
        "readOnly": False,
        "recipientAccountId": account,
        **fields,
    }


def bridged(found: dict[str, t.Any], account: str = ACCOUNT) -> dict[str, t.Any]:
    """A record as an event of EventBridge.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
    """
    return {
        "version": "0",
        "id": "6f87d04b-9f74-4f04-a780-7acf4b0a9b38",
        "detail-type": "AWS API Call via CloudTrail",
        "source": f"aws.{found['eventSource'].partition('.')[0]}",
        "account": account,
        "resources": [],
        "detail": found,
    }


def notified(message: t.Any) -> dict[str, t.Any]:
    """A message as a notification of SNS.

    https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
    """
    return {"Type": "Notification", "TopicArn": "arn", "Message": json.dumps(message)}


def queued(body: t.Any) -> dict[str, t.Any]:
    """A message as the source amazon.aws.aws_sqs_queue passes it on: with its body parsed."""
    return {"body": body, "meta": {"MessageId": "1", "event": {"uuid": "1"}}}


def looked_up(found: dict[str, t.Any]) -> dict[str, t.Any]:
    """A record as the source amazon.aws.aws_cloudtrail passes it on, from LookupEvents.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_Event.html
    """
    return {"EventName": found["eventName"], "ReadOnly": "false", "CloudTrailEvent": found}
