# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running instances: all pages of them, and regions that are none."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.ec2 import running_instances
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.instances import (
    Instance,
    is_region_of,
)

Json = dict[str, t.Any]
PROFILE = "arn:aws:iam::222222222222:instance-profile/ray"


class Session:
    """Answers with the next of some pages."""

    def __init__(self, *pages: Json) -> None:
        self.asked: list[Json] = []
        self._pages = iter(pages)

    def call(self, service: str, method: str, **arguments: t.Any) -> Json:
        """The next page."""
        assert (service, method) == ("ec2", "describe_instances")
        self.asked.append(arguments)
        return next(self._pages)


def instance(number: int, **more: t.Any) -> Json:
    """An instance as EC2 shows it."""
    return {"InstanceId": f"i-{number}", "State": {"Name": "running"}, **more}


def test_all_pages_are_read() -> None:
    held = {"IamInstanceProfile": {"Arn": PROFILE, "Id": "AIPAEXAMPLE"}}
    session: t.Any = Session(
        {"Reservations": [{"Instances": [instance(1, **held), instance(2)]}], "NextToken": "more"},
        {"Reservations": [], "NextToken": "yet more"},
        {"Reservations": [{"Instances": [instance(3)]}]},
    )
    assert running_instances(session, "us-west-2", "cld_x") == [
        Instance("i-1", "us-west-2", "running", PROFILE),
        Instance("i-2", "us-west-2", "running", None),
        Instance("i-3", "us-west-2", "running", None),
    ]
    assert [one.get("NextToken") for one in session.asked] == [None, "more", "yet more"]
    assert {"Name": "tag:anyscale-cloud-id", "Values": ["cld_x"]} in session.asked[0]["Filters"]


# By region, the partition that it is in.
REGIONS = {
    "us-west-2": "aws",
    "ap-southeast-5": "aws",
    "me-central-1": "aws",
    "us-gov-west-1": "aws-us-gov",
    "cn-northwest-1": "aws-cn",
    # Of partitions that are not read.
    "us-iso-east-1": "",
    "us-isob-east-1": "",
    "us-isof-south-1": "",
    "eu-isoe-west-1": "",
    "eusc-de-east-1": "",
}


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov", "aws-cn", "aws-iso"])
@pytest.mark.parametrize("region", REGIONS)
def test_region_is_of_its_partition_alone(region: str, partition: str) -> None:
    assert is_region_of(region, partition) == (REGIONS[region] == partition)


@pytest.mark.parametrize(
    "region",
    [
        "",
        "us-west-2a",
        "us-west",
        "x.example.com/#",
        "us-west-2.example.com",
        "us-west-2\n",
        "US-WEST-2",
    ],
)
def test_text_that_is_no_region(region: str) -> None:
    """Such as an availability zone, or what would lead to another host."""
    assert not is_region_of(region, "aws")
