# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""S3's bucket policies, and what else of a bucket is read, for the stand-in server.

https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

from __future__ import annotations

import typing as t
from urllib.parse import parse_qsl, unquote

from ansible_collections.rayfleet.anyscale.benchmarks._http import Answer, Request
from ansible_collections.rayfleet.anyscale.benchmarks._state import State
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_errors import Refusal
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import REGION

_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'

# What a bucket without any configuration answers, by the part of it that is read: the XML, or the
# error code.
_OWNER = "<ID>75aa57f09aa0c8caeab4f8c24e99d10f8e7faeebf76c078efc7c6caea54ba06a</ID>"
_DEFAULTS: dict[str, tuple[str, str]] = {
    "acl": (
        "GetBucketAcl",
        f"<AccessControlPolicy {_NAMESPACE}><Owner>{_OWNER}</Owner><AccessControlList><Grant>"
        f'<Grantee xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type='
        f'"CanonicalUser">{_OWNER}</Grantee>'
        "<Permission>FULL_CONTROL</Permission></Grant></AccessControlList></AccessControlPolicy>",
    ),
    "accelerate": ("GetBucketAccelerateConfiguration", f"<AccelerateConfiguration {_NAMESPACE}/>"),
    "encryption": (
        "GetBucketEncryption",
        "<ServerSideEncryptionConfiguration "
        f"{_NAMESPACE}><Rule><ApplyServerSideEncryptionByDefault><SSEAlgorithm>AES256"
        "</SSEAlgorithm></ApplyServerSideEncryptionByDefault><BucketKeyEnabled>false"
        "</BucketKeyEnabled></Rule></ServerSideEncryptionConfiguration>",
    ),
    "inventory": (
        "ListBucketInventoryConfigurations",
        (
            "<ListInventoryConfigurationsResult "
            f"{_NAMESPACE}><IsTruncated>false</IsTruncated></ListInventoryConfigurationsResult>"
        ),
    ),
    "location": (
        "GetBucketLocation",
        f"<LocationConstraint {_NAMESPACE}>{REGION}</LocationConstraint>",
    ),
    "logging": ("GetBucketLogging", f"<BucketLoggingStatus {_NAMESPACE}/>"),
    "object-lock": ("GetObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"),
    "ownershipControls": (
        "GetBucketOwnershipControls",
        (
            "<OwnershipControls "
            f"{_NAMESPACE}><Rule><ObjectOwnership>BucketOwnerEnforced</ObjectOwnership></Rule>"
            "</OwnershipControls>"
        ),
    ),
    "publicAccessBlock": (
        "GetPublicAccessBlock",
        "<PublicAccessBlockConfiguration "
        f"{_NAMESPACE}><BlockPublicAcls>true</BlockPublicAcls><IgnorePublicAcls>true"
        "</IgnorePublicAcls><BlockPublicPolicy>true</BlockPublicPolicy><RestrictPublicBuckets>"
        "true</RestrictPublicBuckets></PublicAccessBlockConfiguration>",
    ),
    "requestPayment": (
        "GetBucketRequestPayment",
        (
            "<RequestPaymentConfiguration "
            f"{_NAMESPACE}><Payer>BucketOwner</Payer></RequestPaymentConfiguration>"
        ),
    ),
    "cors": ("GetBucketCors", "NoSuchCORSConfiguration"),
    "tagging": ("GetBucketTagging", "NoSuchTagSet"),
    "versioning": ("GetBucketVersioning", f"<VersioningConfiguration {_NAMESPACE}/>"),
}
_POLICY_OPERATIONS = {"GET": "GetBucketPolicy", "PUT": "PutBucketPolicy"}


def operation(request: Request) -> str:
    """The name of the operation that a request asks for."""
    bucket, part = _target(request)
    if request.method == "GET" and not bucket:
        return "ListBuckets"
    if part == "policy":
        return _POLICY_OPERATIONS.get(request.method, "Unknown")
    if request.method == "HEAD" and not part:
        return "HeadBucket"
    return _DEFAULTS[part][0] if request.method == "GET" and part in _DEFAULTS else "Unknown"


def answer(state: State, account: str, request: Request) -> Answer:
    """The answer to a request; one that is not known is refused, so that nothing is measured that
    was not answered.
    """
    bucket, part = _target(request)
    name = operation(request)
    if name == "ListBuckets":
        return _list(state, account, request)
    _check_access(state, account, bucket, request.headers)
    if name in _ANSWERS:
        return _ANSWERS[name](state, bucket, request)
    if name == "Unknown":
        raise Refusal(
            "NotImplemented", 501, f"{request.method} {request.target} is not implemented"
        )
    default = _DEFAULTS[part][1]
    if not default.startswith("<"):
        raise Refusal(default, 404, f"The {part} of the bucket does not exist")
    return Answer(body=default.encode(), content_type="application/xml")


def _list(state: State, account: str, request: Request) -> Answer:
    """A page of an account's buckets. The token is the number of those before it."""
    query = dict(parse_qsl(request.target.partition("?")[2]))
    names = [name for name, owner in state.fleet.owners.items() if owner == account]
    start = int(query.get("continuation-token", 0))
    end = start + int(query["max-buckets"])
    shown = "".join(
        f"<Bucket><Name>{name}</Name><CreationDate>2026-01-01T00:00:00Z</CreationDate>"
        f"<BucketRegion>{REGION}</BucketRegion></Bucket>"
        for name in names[start:end]
    )
    token = f"<ContinuationToken>{end}</ContinuationToken>" if end < len(names) else ""
    content = (
        f"<ListAllMyBucketsResult {_NAMESPACE}><Buckets>{shown}</Buckets>{token}"
        "</ListAllMyBucketsResult>"
    )
    return Answer(body=content.encode(), content_type="application/xml")


def _get_policy(state: State, bucket: str, request: Request) -> Answer:
    return Answer(body=state.bucket_policies[bucket].encode(), content_type="application/json")


def _put_policy(state: State, bucket: str, request: Request) -> Answer:
    state.bucket_policies[bucket] = request.body.decode()
    return Answer(204)


def _head(state: State, bucket: str, request: Request) -> Answer:
    return Answer(content_type="application/xml")


_ANSWERS: dict[str, t.Callable[[State, str, Request], Answer]] = {
    "GetBucketPolicy": _get_policy,
    "PutBucketPolicy": _put_policy,
    "HeadBucket": _head,
}


def _target(request: Request) -> tuple[str, str]:
    """The bucket, and the part of it that the request names."""
    path, _mark, query = request.target.partition("?")
    return unquote(path.strip("/")), query.partition("&")[0].partition("=")[0]


def _check_access(state: State, account: str, bucket: str, headers: t.Mapping[str, str]) -> None:
    owner = state.fleet.owners.get(bucket)
    if owner is None:
        raise Refusal("NoSuchBucket", 404, "The specified bucket does not exist")
    if not owner == account == headers.get("x-amz-expected-bucket-owner", owner):
        raise Refusal("AccessDenied", 403, "Access Denied")
