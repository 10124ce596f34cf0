# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The S3 calls that the collection makes, each as a method with plain values in and out.

This module util is private to the collection. I/O. A resource that does not exist is ``None``; any
other error is an AwsError. https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.errors import none_if_missing
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import compact_json

# Location constraints that are no region names: us-east-1 has none.
_REGIONS = {None: "us-east-1", "": "us-east-1", "EU": "eu-west-1"}


class Bucket:
    """An S3 bucket. Every call names the expected owner, since bucket names are global."""

    def __init__(self, session: AwsSession, name: str, owner: str) -> None:
        self._session = session
        self._target = {"Bucket": name, "ExpectedBucketOwner": owner}

    def policy(self) -> str | None:
        """``GetBucketPolicy``: the policy as S3 stores it, as text; ``None`` if there is none."""
        answer = none_if_missing(self._call, "get_bucket_policy")
        return answer and answer["Policy"]

    def put_policy(self, document: t.Mapping[str, t.Any]) -> None:
        """``PutBucketPolicy``: replace the whole policy."""
        self._call("put_bucket_policy", Policy=compact_json(document))

    def delete_policy(self) -> None:
        """``DeleteBucketPolicy``."""
        self._call("delete_bucket_policy")

    def region(self) -> str:
        """``GetBucketLocation``: the bucket's region."""
        return _region(self._call("get_bucket_location"))

    def region_without_owner_check(self) -> str:
        """``GetBucketLocation`` without an expected owner: it tells a bucket of another account
        from a missing permission.
        """
        return _region(
            self._session.call("s3", "get_bucket_location", Bucket=self._target["Bucket"])
        )

    def tags(self) -> list[dict[str, str]]:
        """``GetBucketTagging``: the tags, as a list of ``Key`` and ``Value``."""
        answer = none_if_missing(self._call, "get_bucket_tagging")
        return answer["TagSet"] if answer else []

    def cors_rules(self) -> list[dict[str, t.Any]]:
        """``GetBucketCors``: the rules for requests that browsers make for pages of other sites."""
        answer = none_if_missing(self._call, "get_bucket_cors")
        return answer["CORSRules"] if answer else []

    def encryption(self) -> dict[str, t.Any] | None:
        """``GetBucketEncryption``: how S3 encrypts objects that are written without saying how:
        ``SSEAlgorithm`` and, with a key of KMS, ``KMSMasterKeyID``; ``None`` if it is not set.
        """
        answer = none_if_missing(self._call, "get_bucket_encryption")
        rules = answer["ServerSideEncryptionConfiguration"]["Rules"] if answer else []
        defaults = (rule.get("ApplyServerSideEncryptionByDefault") for rule in rules)
        return next(filter(None, defaults), None)

    def _call(self, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        return self._session.call("s3", method, **self._target, **arguments)


def _region(answer: t.Mapping[str, t.Any]) -> str:
    constraint = answer.get("LocationConstraint")
    return _REGIONS.get(constraint) or str(constraint)
