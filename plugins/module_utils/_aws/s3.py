# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few calls of S3 that the collection makes, each as one method with plain values in and out.

This module util is private to the collection. I/O. What a call cannot find is ``None``; what AWS
refuses is an AwsError. https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.errors import none_if_missing
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import compact_json

# Regions that S3 names in its own way: the first one by nothing at all.
_REGIONS = {None: "us-east-1", "": "us-east-1", "EU": "eu-west-1"}


class Bucket:
    """A bucket of S3. Every call says whose it is expected to be, since bucket names are
    everybody's.
    """

    def __init__(self, session: AwsSession, name: str, owner: str) -> None:
        self._session = session
        self._target = {"Bucket": name, "ExpectedBucketOwner": owner}

    def policy(self) -> str | None:
        """``GetBucketPolicy``: the policy as the text that S3 holds, ``None`` where the bucket has
        none.
        """
        answer = none_if_missing(self._call, "get_bucket_policy")
        return answer and answer["Policy"]

    def put_policy(self, document: t.Mapping[str, t.Any]) -> None:
        """``PutBucketPolicy``: replace the policy as a whole."""
        self._call("put_bucket_policy", Policy=compact_json(document))

    def delete_policy(self) -> None:
        """``DeleteBucketPolicy``."""
        self._call("delete_bucket_policy")

    def region(self) -> str:
        """``GetBucketLocation``: the region that the bucket is in."""
        return _region(self._call("get_bucket_location"))

    def region_whoever_owns_it(self) -> str:
        """``GetBucketLocation`` without saying whose the bucket is to be: it tells another's bucket
        from a refusal.
        """
        return _region(
            self._session.call("s3", "get_bucket_location", Bucket=self._target["Bucket"])
        )

    def tags(self) -> list[dict[str, str]]:
        """``GetBucketTagging``: the tags, as a list of ``Key`` and ``Value``."""
        answer = none_if_missing(self._call, "get_bucket_tagging")
        return answer["TagSet"] if answer else []

    def _call(self, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        return self._session.call("s3", method, **self._target, **arguments)


def _region(answer: t.Mapping[str, t.Any]) -> str:
    constraint = answer.get("LocationConstraint")
    return _REGIONS.get(constraint) or str(constraint)
