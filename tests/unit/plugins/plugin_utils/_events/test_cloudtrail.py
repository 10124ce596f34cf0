# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each record of CloudTrail that says what changed gives that change, whatever it is wrapped in; any
other message gives none, and is counted.
"""

from __future__ import annotations

import json
import re
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import (
    Change,
    changes_in,
    identity_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import (
    ACCOUNT,
    CALLS,
    OTHER_ACCOUNT,
    POLICY_ARN,
    bridged,
    looked_up,
    notified,
    queued,
    record,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

TARGETS = {
    "ray": {"role": "ray"},
    "ray in ray-profile": {"instance_profile": "ray-profile", "role": "ray"},
    "ray-profile": {"instance_profile": "ray-profile"},
    "ray-bucket": {"bucket": "ray-bucket"},
    "policy": {"policy_arn": POLICY_ARN},
}


@pytest.mark.parametrize(
    ("call", "targets"),
    [
        ("UpdateAssumeRolePolicy", "ray"),
        ("DeleteRole", "ray"),
        ("CreateRole", "ray"),
        ("AddRoleToInstanceProfile", "ray in ray-profile"),
        ("RemoveRoleFromInstanceProfile", "ray in ray-profile"),
        ("DeleteInstanceProfile", "ray-profile"),
        ("PutRolePolicy", "ray"),
        ("DeleteRolePolicy", "ray"),
        ("AttachRolePolicy", "ray"),
        ("DetachRolePolicy", "ray"),
        ("PutRolePermissionsBoundary", "ray"),
        ("DeleteRolePermissionsBoundary", "ray"),
        ("CreatePolicyVersion", "policy"),
        ("SetDefaultPolicyVersion", "policy"),
        ("DeletePolicyVersion", "policy"),
        ("PutBucketPolicy", "ray-bucket"),
        ("DeleteBucketPolicy", "ray-bucket"),
        ("DeleteBucket", "ray-bucket"),
        ("CreateBucket", "ray-bucket"),
        ("PutBucketEncryption", "ray-bucket"),
        ("DeleteBucketEncryption", "ray-bucket"),
    ],
)
def test_each_call_names_what_it_changes(call: str, targets: str) -> None:
    [change] = changes_in(record(call)).changes
    assert change.call == call
    assert change.account_id == ACCOUNT
    assert change.targets == TARGETS[targets]


def test_the_table_of_the_test_has_every_call() -> None:
    [table] = [
        mark.args[1]
        for mark in test_each_call_names_what_it_changes.pytestmark  # type: ignore[attr-defined]
    ]
    assert {call for call, _targets in table} == set(CALLS)


CALL = re.compile(
    r"\b(?:Add|Attach|Create|Delete|Detach|Put|Remove|Set|Update)[A-Z][A-Za-z]*"
    r"(?:Role|Bucket|Profile|Policy|Version|Boundary|Encryption)\b|\b(?:Create|Delete)(?:Role|Bucket)\b"
)


@pytest.mark.parametrize(
    ("path", "begin", "end"),
    [
        pytest.param(
            "docs/docsite/rst/events.rst", "\n.. list-table::", "\nHow it dec", id="table"
        ),
        pytest.param(
            "plugins/modules/event_clouds_info.py", "These calls", "that failed", id="module"
        ),
    ],
)
def test_the_pages_name_the_calls_that_count(path: str, begin: str, end: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8").partition(begin)[2].partition(end)[0]
    assert set(CALL.findall(text)) == set(CALLS)


ONE = record("DeleteRole")
WRAPPED = {
    "the record": ONE,
    "as text": json.dumps(ONE),
    "EventBridge": bridged(ONE),
    "EventBridge to SQS": queued(bridged(ONE)),
    "a body that is text": queued(json.dumps(bridged(ONE))),
    "EventBridge to SNS to SQS": queued(notified(bridged(ONE))),
    "SNS in SNS": queued(notified(notified(bridged(ONE)))),
    "raw delivery of SNS": queued(ONE),
    "Lambda of SQS": {"Records": [{"body": json.dumps(bridged(ONE))}]},
    "Lambda of SNS": {"Records": [{"Sns": notified(bridged(ONE))}]},
    "a log file": {"Records": [ONE]},
    "LookupEvents": looked_up(ONE),
    "LookupEvents, as text": {**looked_up(ONE), "CloudTrailEvent": json.dumps(ONE)},
    "an event of ansible-rulebook": {"ruleset": "x", "event": queued(bridged(ONE))},
    "events of ansible-rulebook": {"ansible_eda": {"events": {"m_0": queued(bridged(ONE))}}},
    "a list": [bridged(ONE)],
}


@pytest.mark.parametrize("message", [pytest.param(one, id=name) for name, one in WRAPPED.items()])
def test_a_record_is_found_in_every_wrapper(message: t.Any) -> None:
    found = changes_in(message)
    assert found.changes == changes_in(ONE).changes
    assert not found.dropped


def test_many_records_come_out_in_their_order() -> None:
    records = [record("DeleteRole", requestParameters={"roleName": f"r{n}"}) for n in range(5)]
    found = changes_in({"events": {f"m_{n}": one for n, one in enumerate(records)}})
    assert [change.role for change in found.changes] == ["r0", "r1", "r2", "r3", "r4"]


def nested(depth: int) -> t.Any:
    """A record in so many lists."""
    value: t.Any = ONE
    for _level in range(depth):
        value = [value]
    return value


def without(name: str) -> dict[str, t.Any]:
    """A record without a field."""
    return {key: value for key, value in ONE.items() if key != name}


def cycle() -> t.Any:
    """A list that contains itself."""
    found: list[t.Any] = []
    found.append(found)
    return found


def call_of_role(name: t.Any) -> dict[str, t.Any]:
    """A record of a call for a role with this name."""
    return record("DeleteRole", requestParameters={"roleName": name})


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        pytest.param("", "not_json", id="empty text"),
        pytest.param("hello", "not_json", id="text"),
        pytest.param("[" * 100_000, "not_json", id="deep JSON"),
        pytest.param('{"detail": NaN}', "not_json", id="NaN"),
        pytest.param('{"detail": "\\ud800"}', "not_json", id="a lone surrogate that wraps nothing"),
        pytest.param('"\\"x\\""', "no_record", id="text in text"),
        pytest.param(None, "no_record", id="null"),
        pytest.param(7, "no_record", id="a number"),
        pytest.param({}, "no_record", id="an empty object"),
        pytest.param({"detail": None}, "no_record", id="a wrapper of nothing"),
        pytest.param({7: ONE}, "no_record", id="a key that is no text"),
        pytest.param(nested(40), "too_deep", id="too many wrappers"),
        pytest.param(cycle(), "too_deep", id="a cycle"),
        pytest.param([[]] * 1_000_001, "too_large", id="too many values"),
        pytest.param("x" * (65 * 1024 * 1024), "too_large", id="too much text"),
        pytest.param(without("eventSource"), "malformed", id="no source"),
        pytest.param({**ONE, "eventName": ["DeleteRole"]}, "malformed", id="a name that is a list"),
        pytest.param({**ONE, "eventSource": {}}, "malformed", id="a source that is an object"),
        pytest.param({**ONE, "eventSource": "s3.amazonaws.com"}, "other_call", id="another source"),
        pytest.param({**ONE, "eventName": "CreateUser"}, "other_call", id="another call"),
        pytest.param({**ONE, "eventName": "GetRole", "readOnly": True}, "other_call", id="a read"),
        pytest.param({**ONE, "readOnly": True}, "read_only", id="read only"),
        pytest.param({**ONE, "errorCode": "AccessDenied"}, "failed_call", id="a failed call"),
        pytest.param({**ONE, "errorCode": {}}, "failed_call", id="an error of another type"),
        pytest.param({**ONE, "requestParameters": "ray"}, "malformed", id="parameters as text"),
        pytest.param(without("recipientAccountId"), "malformed", id="no account"),
        pytest.param(
            {"account": ACCOUNT, "detail": [without("recipientAccountId")]},
            "malformed",
            id="an account, and a list as its detail",
        ),
        pytest.param(
            bridged(without("recipientAccountId"), "2" * 13), "malformed", id="a bridge's account"
        ),
        pytest.param({**ONE, "recipientAccountId": "2" * 13}, "malformed", id="no account ID"),
        pytest.param(
            {**ONE, "recipientAccountId": 222222222222}, "malformed", id="a number for one"
        ),
        pytest.param(call_of_role(None), "malformed", id="no role"),
        pytest.param(call_of_role(["ray"]), "malformed", id="a list of roles"),
        pytest.param(call_of_role("ray\0"), "malformed", id="NUL"),
        pytest.param(call_of_role("ray\n"), "malformed", id="a line break"),
        pytest.param(call_of_role("\ud800"), "malformed", id="a lone surrogate"),
        pytest.param(call_of_role("räy"), "malformed", id="a letter that IAM does not take"),
        pytest.param(call_of_role("r" * 65), "malformed", id="a name that is too long"),
        pytest.param(call_of_role("*"), "malformed", id="a pattern"),
        pytest.param(
            call_of_role(f"arn:aws:iam::{OTHER_ACCOUNT}:role/ray"), "malformed", id="an ARN as name"
        ),
        pytest.param(call_of_role("{{x}}"), "malformed", id="a template as role"),
        pytest.param(
            record(
                "CreatePolicyVersion",
                requestParameters={"policyArn": "arn:aws:iam::222222222222:policy/{{x}}/p"},
            ),
            "malformed",
            id="a template in a policy's path",
        ),
        pytest.param(
            record("PutBucketPolicy", requestParameters={"bucketName": "s3://ray-bucket"}),
            "malformed",
            id="a bucket's URI",
        ),
    ],
)
def test_what_names_no_change_is_counted(message: t.Any, reason: str) -> None:
    found = changes_in(message)
    assert not found.changes
    assert dict(found.dropped) == {reason: 1}


def test_the_good_is_kept_beside_the_bad() -> None:
    found = changes_in([ONE, "x", {**ONE, "errorCode": "NoSuchEntity"}, ONE])
    assert len(found.changes) == 2
    assert found.dropped == {"not_json": 1, "failed_call": 1}


# The fields are those of public examples of records; what those leave out, such as the account of an
# event in a log of another product, is made up.
OWNED = {"type": "AWS::S3::Bucket", "ARN": "arn:aws:s3:::ray-bucket", "accountId": ACCOUNT}
SHAPES: dict[str, tuple[t.Any, str, str]] = {
    "an event of EventBridge without the account in the record": (
        bridged(without("recipientAccountId"), OTHER_ACCOUNT),
        OTHER_ACCOUNT,
        "ray",
    ),
    "the same, by SNS": (
        queued(notified(bridged(without("recipientAccountId"), OTHER_ACCOUNT))),
        OTHER_ACCOUNT,
        "ray",
    ),
    "an event that went to another account's bus": (bridged(ONE, OTHER_ACCOUNT), ACCOUNT, "ray"),
    "the first version with an account, without readOnly": (
        {**without("readOnly"), "eventVersion": "1.03", "eventType": "AwsApiCall"},
        ACCOUNT,
        "ray",
    ),
    "a role's path, with responseElements": (
        record(
            "CreateRole",
            requestParameters={"roleName": "ray", "path": "/x/", "tags": [{"key": "a"}]},
            responseElements={"role": {"roleName": "other", "arn": "arn:aws:iam::1:role/other"}},
        ),
        ACCOUNT,
        "ray",
    ),
    "by CloudFormation, which has no key": (
        record(
            "DeleteRolePolicy",
            sourceIPAddress="cloudformation.amazonaws.com",
            userAgent="cloudformation.amazonaws.com",
            userIdentity={"type": "AssumedRole", "invokedBy": "cloudformation.amazonaws.com"},
        ),
        ACCOUNT,
        "ray",
    ),
    "by a service": (
        record("DetachRolePolicy", userIdentity={"type": "AWSService", "invokedBy": "x"}),
        ACCOUNT,
        "ray",
    ),
    "in China": (
        record("AttachRolePolicy", awsRegion="cn-north-1"),
        ACCOUNT,
        "ray",
    ),
    "a bucket in another region": (
        record(
            "PutBucketEncryption",
            awsRegion="eu-central-1",
            requestID="9D767BCC3B4E7487",
            requestParameters={
                "bucketName": "ray-bucket",
                "Host": "s3.eu-central-1.amazonaws.com",
                "encryption": "",
                "ServerSideEncryptionConfiguration": {"Rule": {"BucketKeyEnabled": True}},
            },
            resources=[OWNED],
        ),
        ACCOUNT,
        "ray-bucket",
    ),
    "a bucket, in the trail of the account that called": (
        record("DeleteBucketPolicy", OTHER_ACCOUNT, resources=[OWNED], sharedEventID="x"),
        ACCOUNT,
        "ray-bucket",
    ),
    "an empty error": ({**ONE, "errorCode": ""}, ACCOUNT, "ray"),
    "no error": ({**ONE, "errorCode": None, "errorMessage": None}, ACCOUNT, "ray"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_records_as_they_are_found(shape: str) -> None:
    message, account, name = SHAPES[shape]
    found = changes_in(message)
    [change] = found.changes
    assert (change.account_id, [*change.targets.values()][-1]) == (account, name)
    assert not found.dropped
    assert changes_in(change.record()).changes == [change]


@pytest.mark.parametrize("call", sorted(CALLS))
@pytest.mark.parametrize(
    "parameters",
    [
        pytest.param({"omitted": True, "originalSize": 131_313, "reason": "too large"}, id="said"),
        pytest.param({}, id="nothing"),
        pytest.param(None, id="null"),
    ],
)
def test_parameters_that_cloudtrail_left_out_hide_nothing(call: str, parameters: t.Any) -> None:
    """It leaves out those above 100 KB, and IAM takes policies of 131,072 characters, most of them
    spaces: a writer could have its change go unnoticed.
    """
    [change] = changes_in(bridged({**record(call), "requestParameters": parameters})).changes
    assert (change.call, change.account_id) == (call, ACCOUNT)
    assert set(change.targets.values()) == {""}
    assert changes_in(change.record()).changes == [change]


def test_a_bucket_is_that_of_its_owner() -> None:
    """A call from another account is in that account's trail as well."""
    owner = {
        "type": "AWS::S3::Bucket",
        "ARN": "arn:aws:s3:::ray-bucket",
        "accountId": OTHER_ACCOUNT,
    }
    other = {**owner, "ARN": "arn:aws:s3:::another", "accountId": "444444444444"}
    [change] = changes_in(record("PutBucketPolicy", resources=[other, owner])).changes
    assert (change.bucket, change.account_id) == ("ray-bucket", OTHER_ACCOUNT)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("requestID", "a b"),
        ("requestID", 7),
        ("eventTime", "yesterday"),
        ("userIdentity", None),
        ("userIdentity", {"arn": "arn:aws:iam::1:x\n"}),
        ("userIdentity", {"arn": "arn:aws:iam::222222222222:user/{{x}}/jane"}),
        ("userIdentity", {"invokedBy": "AWS Internal"}),
    ],
)
def test_what_is_about_the_caller_need_not_be_there(field: str, value: t.Any) -> None:
    """An event without it is nobody's own, and counts."""
    [change] = changes_in({**ONE, field: value}).changes
    kept = {"requestID": "request_id", "eventTime": "time", "userIdentity": "principal"}[field]
    assert getattr(change, kept) == ""


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("arn:aws:iam::{a}:role/x/Admin", "arn:aws:sts::{a}:assumed-role/Admin/jane", True),
        ("arn:aws:iam::{a}:role/admin", "arn:aws:sts::{a}:assumed-role/Admin/jane", True),
        ("arn:aws:sts::{a}:assumed-role/Admin/joe", "arn:aws:sts::{a}:assumed-role/Admin/jo", True),
        ("arn:aws:iam::{a}:role/Admin", "arn:aws:sts::{b}:assumed-role/Admin/jane", False),
        ("arn:aws:iam::{a}:role/Admin", "arn:aws:iam::{a}:user/Admin", False),
        ("arn:aws:iam::{a}:user/x/Admin", "arn:aws:iam::{a}:user/Admin", False),
        ("arn:aws:sts::{a}:assumed-role/jane/Admin", "arn:aws:iam::{a}:role/Admin", False),
    ],
)
def test_which_arns_are_those_of_one_caller(one: str, other: str, same: bool) -> None:
    accounts = {"a": ACCOUNT, "b": OTHER_ACCOUNT}
    found = identity_of(one.format(**accounts)) == identity_of(other.format(**accounts))
    assert found is same


TEXT = st.text(st.characters(min_codepoint=0, max_codepoint=0x10FFFF), max_size=20)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXT
KEYS = (
    st.sampled_from(["detail", "body", "Records", "Message", "event", "m_0", *ONE])
    | st.sampled_from(["roleName", "bucketName", "arn"])
    | TEXT
)
JSON = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(KEYS, inner, max_size=6)
        | inner.map(json.dumps)
        | inner.map(lambda value: {**ONE, "requestParameters": value})
        | inner.map(lambda value: {**ONE, "userIdentity": value, "resources": value})
        | st.tuples(st.sampled_from(sorted(ONE)), inner).map(lambda pair: {**ONE, pair[0]: pair[1]})
    ),
    max_leaves=12,
)


@given(JSON)
def test_any_message_gives_a_result(message: t.Any) -> None:
    found = changes_in(message)
    assert all(isinstance(change, Change) and change.targets for change in found.changes)
    assert all(count > 0 for count in found.dropped.values())


@given(JSON)
def test_what_is_passed_on_says_the_same(message: t.Any) -> None:
    for change in changes_in(message).changes:
        assert changes_in(json.loads(json.dumps(change.record()))).changes == [change]
