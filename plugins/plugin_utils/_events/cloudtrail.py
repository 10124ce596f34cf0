# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the records of CloudTrail in a message say was changed, whatever the message is wrapped in.

This plugin util is private to the collection. Pure, and of Python's own library alone but for rooms
that are: ansible-rulebook may run without ansible-core. Whoever can send a message can write
anything into it, so each value is checked, and what is not a change of the kinds below is counted
and left out. A change is a hint to read what is there, never what is there.

The fields of a record: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
The parameters of IAM are those of its API, with a small first letter; those of S3 have bucketName:
https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html
https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html
"""

from __future__ import annotations

import collections
import dataclasses
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    parse_account_id,
    parse_arn,
    parse_bucket,
    parse_instance_profile,
    parse_policy_arn,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

ROLE, BUCKET, PROFILE, POLICY = "role", "bucket", "instance_profile", "policy_arn"

# Why something is left out.
NOT_JSON, NO_RECORD, TOO_DEEP, TOO_LARGE = "not_json", "no_record", "too_deep", "too_large"
MALFORMED, OTHER_CALL, FAILED_CALL, READ_ONLY = (
    "malformed",
    "other_call",
    "failed_call",
    "read_only",
)

_IAM, _S3 = "iam.amazonaws.com", "s3.amazonaws.com"
# By the name of the call: what it has to name. What is created again after it was deleted, as
# Terraform does to replace it, has lost what was put back before.
_CALLS: dict[str, dict[str, tuple[str, ...]]] = {
    _IAM: {
        "UpdateAssumeRolePolicy": (ROLE,),
        "DeleteRole": (ROLE,),
        "CreateRole": (ROLE,),
        "AddRoleToInstanceProfile": (PROFILE, ROLE),
        "RemoveRoleFromInstanceProfile": (PROFILE, ROLE),
        "DeleteInstanceProfile": (PROFILE,),
        "PutRolePolicy": (ROLE,),
        "DeleteRolePolicy": (ROLE,),
        "AttachRolePolicy": (ROLE, POLICY),
        "DetachRolePolicy": (ROLE, POLICY),
        "PutRolePermissionsBoundary": (ROLE,),
        "DeleteRolePermissionsBoundary": (ROLE,),
        "CreatePolicyVersion": (POLICY,),
        "SetDefaultPolicyVersion": (POLICY,),
        "DeletePolicyVersion": (POLICY,),
    },
    _S3: {
        "PutBucketPolicy": (BUCKET,),
        "DeleteBucketPolicy": (BUCKET,),
        "DeleteBucket": (BUCKET,),
        "CreateBucket": (BUCKET,),
        "PutBucketEncryption": (BUCKET,),
        "DeleteBucketEncryption": (BUCKET,),
    },
}
# What onboarding does not manage: an audit tells what it broke.
_AUDITED = frozenset(
    {
        "PutRolePermissionsBoundary",
        "DeleteRolePermissionsBoundary",
        "PutBucketEncryption",
        "DeleteBucketEncryption",
    }
)
_PARAMETERS = {
    ROLE: "roleName",
    BUCKET: "bucketName",
    PROFILE: "instanceProfileName",
    POLICY: "policyArn",
}
# The keys of what records come in: EventBridge, SNS, SQS, log files and LookupEvents of CloudTrail,
# and ansible-rulebook, which numbers the events of a rule m_0, m_1, ...
_WRAPPERS = frozenset(
    (
        *("ansible_eda", "event", "events", "body", "Body", "Records", "Sns"),
        *("Message", "detail", "CloudTrailEvent"),
    )
)
_NUMBERED = re.compile(r"m(_[0-9]{1,9})?\Z")
# What ARNs of callers and policies are made of. Paths of IAM may have more, such as the braces of a
# template of Ansible, for which no variable of a playbook may be a way.
_PLAIN = re.compile(r"[A-Za-z0-9_+=,.@:/-]{1,2048}\Z")
_REQUEST_ID = re.compile(r"[A-Za-z0-9-]{1,128}\Z")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z\Z")
# A message of SQS has at most 1 MiB, a log file of CloudTrail some 50 MB before it is compressed.
_MOST_CHARACTERS = 64 * 1024 * 1024
_MOST_WRAPPERS = 16
# A record in a list of events is four values.
_MOST_VALUES = 1_000_000

Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Change:
    """A call that took effect.

    account_id: of what it changed, all of whose names are empty if CloudTrail left them out.
    principal: the ARN of the caller, that of the role for a session; empty if unknown, as the ID of
    the request and the time may be.
    """

    call: str
    account_id: str
    role: str = ""
    bucket: str = ""
    instance_profile: str = ""
    policy_arn: str = ""
    principal: str = ""
    request_id: str = ""
    time: str = ""

    @property
    def targets(self) -> dict[str, str]:
        """What it changed: names by kind. A policy that is attached or detached stays as it is."""
        kinds = _CALLS[_source(self.call)][self.call]
        return {kind: getattr(self, kind) for kind in kinds if kind != POLICY or kinds == (POLICY,)}

    @property
    def is_managed(self) -> bool:
        """Whether onboarding puts back what it can have broken."""
        return self.call not in _AUDITED

    def record(self) -> Json:
        """The part of CloudTrail's record that is used: all that has to be passed on."""
        return {
            "eventSource": _source(self.call),
            "eventName": self.call,
            "eventTime": self.time,
            "requestID": self.request_id,
            "recipientAccountId": self.account_id,
            "userIdentity": {"arn": self.principal},
            "requestParameters": {
                name: value for kind, name in _PARAMETERS.items() if (value := getattr(self, kind))
            },
        }


@dataclasses.dataclass
class Found:
    """The changes in messages, and how much was left out, by reason."""

    changes: list[Change] = dataclasses.field(default_factory=list)
    dropped: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)


def changes_in(message: t.Any) -> Found:
    """The changes in a message, or in many. It never raises, whatever the message is."""
    found, characters, values = Found(), 0, 0
    waiting = [(message, 0, "")]
    while waiting:
        value, depth, account = waiting.pop()
        values += 1
        characters += len(value) if isinstance(value, str) else 0
        if values > _MOST_VALUES or characters > _MOST_CHARACTERS:
            found.dropped[TOO_LARGE] += 1
            break
        if depth > _MOST_WRAPPERS:
            found.dropped[TOO_DEEP] += 1
        elif isinstance(value, t.Mapping) and "eventName" in value:
            _add(value, account, found)
        else:
            inner, reason = _unwrapped(value)
            account = _bridged_account(value)
            # From the end, so that they come out in their order
            waiting += [(one, depth + 1, account) for one in reversed(inner)]
            if reason:
                found.dropped[reason] += 1
    return found


def _unwrapped(value: t.Any) -> tuple[list[t.Any], str]:
    """What a value wraps, or the reason why it is left out."""
    if isinstance(value, str):
        try:
            inner = _json.loads(value)
        except ValueError:
            return [], NOT_JSON
        return ([], NO_RECORD) if isinstance(inner, str) else ([inner], "")
    if isinstance(value, (list, tuple)):
        return list(value), ""
    if not isinstance(value, t.Mapping):
        return [], NO_RECORD
    inner = [one for key, one in value.items() if _is_wrapper(key)]
    return inner, "" if inner else NO_RECORD


def _is_wrapper(key: t.Any) -> bool:
    return isinstance(key, str) and (key in _WRAPPERS or bool(_NUMBERED.match(key)))


def _bridged_account(value: t.Any) -> str:
    """The account of an event of EventBridge. The record in it may have none: AWS's own example of
    such an event has none, and neither has the schema of these events.

    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event-cloudtrail.html
    """
    return _text(value, "account") if isinstance(value, t.Mapping) and "detail" in value else ""


def _add(record: t.Mapping[str, t.Any], account: str, found: Found) -> None:
    """Add the change of a record, or count why there is none. account: of the event that it was in."""
    call, source = record["eventName"], record.get("eventSource")
    if not isinstance(call, str) or not isinstance(source, str):
        found.dropped[MALFORMED] += 1
    elif call not in _CALLS.get(source, ()):
        found.dropped[OTHER_CALL] += 1
    elif record.get("readOnly") is True:
        found.dropped[READ_ONLY] += 1
    elif record.get("errorCode") not in (None, ""):
        found.dropped[FAILED_CALL] += 1
    else:
        try:
            found.changes.append(_change(call, _CALLS[source][call], record, account))
        except InputError:
            found.dropped[MALFORMED] += 1


def _change(
    call: str, kinds: t.Iterable[str], record: t.Mapping[str, t.Any], account: str
) -> Change:
    """The change of a record. Raises InputError where it does not say what it changed."""
    parameters, caller = _mapping(record, "requestParameters"), _mapping(record, "userIdentity")
    left_out = _are_left_out(record.get("requestParameters"), kinds)
    named = () if left_out else kinds
    names = {kind: _PARSERS[kind](_text(parameters, _PARAMETERS[kind])) for kind in named}
    owner = _owner(record, names.get(BUCKET, ""))
    account_id = parse_account_id(owner or _text(record, "recipientAccountId") or account)
    request_id, time = _text(record, "requestID"), _text(record, "eventTime")
    return Change(
        call,
        account_id,
        **names,
        principal=_principal(caller),
        request_id=request_id if _REQUEST_ID.match(request_id) else "",
        time=time if _TIME.match(time) else "",
    )


def _are_left_out(parameters: t.Any, kinds: t.Iterable[str]) -> bool:
    """Whether CloudTrail left out the parameters, as it does above 100 KB. IAM takes policies that are
    longer, of spaces: what changed then is unknown, and must not go unnoticed.

    https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
    https://docs.aws.amazon.com/IAM/latest/APIReference/API_UpdateAssumeRolePolicy.html
    """
    if not isinstance(parameters, t.Mapping):
        return parameters is None
    return not any(_PARAMETERS[kind] in parameters for kind in kinds)


def _owner(record: t.Mapping[str, t.Any], bucket: str) -> str:
    """The account of the bucket: a call from another account is in the trails of both."""
    resources = record.get("resources")
    for one in resources if bucket and isinstance(resources, (list, tuple)) else ():
        if isinstance(one, t.Mapping) and one.get("type") == "AWS::S3::Bucket":
            arn = _text(one, "ARN")
            if arn.rpartition(":")[2] == bucket:
                return _text(one, "accountId")
    return ""


def _principal(caller: t.Mapping[str, t.Any]) -> str:
    """The ARN of the caller; empty if it has none, such as a service of AWS."""
    issuer = _mapping(_mapping(caller, "sessionContext"), "sessionIssuer")
    arn = _text(issuer, "arn") or _text(caller, "arn")
    return arn if _PLAIN.match(arn) and parse_arn(arn) else ""


def identity_of(arn: str) -> tuple[str, str]:
    """The account and the name by which two ARNs of one caller are the same: the ARN of a session
    has its role's name, and not its path.
    """
    parsed = parse_arn(arn)
    if parsed is None:
        return "", arn
    kind, separator, name = parsed.resource.partition("/")
    if kind == "assumed-role":
        return account_of(arn), f"role/{name.partition('/')[0]}".casefold()
    if kind == "role":
        return account_of(arn), f"role/{name.rpartition('/')[2]}".casefold()
    return account_of(arn), f"{kind}{separator}{name}"


def _role(value: str) -> str:
    reference = parse_role(value)
    if reference.arn is not None:
        raise InputError("roleName is an ARN.")
    return reference.name


def _bucket(value: str) -> str:
    if parse_bucket(value) != value:
        raise InputError("bucketName is no name.")
    return value


def _policy(value: str) -> str:
    if not _PLAIN.match(value):
        raise InputError("policyArn has other characters than ARNs have.")
    return parse_policy_arn(value)


_PARSERS: dict[str, t.Callable[[str], str]] = {
    ROLE: _role,
    BUCKET: _bucket,
    PROFILE: parse_instance_profile,
    POLICY: _policy,
}


def _source(call: str) -> str:
    return _IAM if call in _CALLS[_IAM] else _S3


def _mapping(holder: t.Mapping[str, t.Any], name: str) -> t.Mapping[str, t.Any]:
    value = holder.get(name)
    return value if isinstance(value, t.Mapping) else {}


def _text(holder: t.Mapping[str, t.Any], name: str) -> str:
    value = holder.get(name)
    return value if isinstance(value, str) else ""
