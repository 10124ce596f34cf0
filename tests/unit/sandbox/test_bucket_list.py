# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ListBuckets: the account's own buckets, with their regions if a page is asked for."""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Sandbox

ACCOUNT = "222222222222"


def test_a_page_has_the_regions_and_only_the_account_s_own(
    sandbox: Sandbox, aws: t.Callable[..., t.Any]
) -> None:
    """As GetBucketLocation says of each."""
    sandbox.seed(FLEET)
    s3 = aws("s3")
    pages = list(s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 2}))
    assert [len(page["Buckets"]) for page in pages[:-1]] == [2] * (len(pages) - 1)
    found = {bucket["Name"]: bucket["BucketRegion"] for page in pages for bucket in page["Buckets"]}
    assert found == {
        cloud.bucket_name: s3.get_bucket_location(Bucket=cloud.bucket_name)["LocationConstraint"]
        for cloud in FLEET
        if cloud.account_id == ACCOUNT
    }
    assert len(found) > 2


def test_without_a_number_there_are_no_regions(
    sandbox: Sandbox, aws: t.Callable[..., t.Any]
) -> None:
    """As AWS documents: a region is for requests with a parameter."""
    sandbox.seed(FLEET)
    listed = aws("s3").list_buckets()["Buckets"]
    assert listed
    assert not any("BucketRegion" in bucket for bucket in listed)
