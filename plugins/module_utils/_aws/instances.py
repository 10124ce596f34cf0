# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running instance of EC2, and the regions in which there are any.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import dataclasses
import re

_REGION = re.compile(r"([a-z]{2,5}(?:-[a-z]+)+)-[0-9]{1,2}\Z")
_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
# Of partitions that are not public, and of the sovereign cloud.
_ELSEWHERE = ("us-iso", "us-isob", "us-isof", "eu-isoe", "eusc-de")


@dataclasses.dataclass(frozen=True)
class Instance:
    """A running instance. ``profile_arn`` is ``None`` if it has no instance profile."""

    id: str
    region: str
    state: str
    profile_arn: str | None


def is_region_of(region: str, partition: str) -> bool:
    """Whether a text is the name of a region of one of AWS's public partitions, and of that one:
    signed requests are sent to the host that has it in its name.
    """
    found = _REGION.match(region)
    if found is None:
        return False
    place = found[1].split("-")
    area = "-".join(place[:2])
    if area in _ELSEWHERE:
        return False
    near = _PARTITIONS.get(place[0]) or _PARTITIONS.get(area)
    return partition == (near or "aws")
