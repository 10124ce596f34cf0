# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Changes of one thing are told together, whoever made them."""

from __future__ import annotations

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import (
    Change,
    changes_in,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.touches import (
    Summary,
    Touch,
    by_target,
)
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import (
    OTHER_ACCOUNT,
    record,
)


def changes(*records: dict[str, object]) -> list[Change]:
    """The changes of records."""
    return changes_in([*records]).changes


def test_what_touches_the_same_is_one_group() -> None:
    of_ray = [record("DeleteRole"), record("PutRolePolicy"), record("DetachRolePolicy")]
    elsewhere = record("DeleteRole", OTHER_ACCOUNT)
    bucket = record("PutBucketPolicy")
    found = by_target(changes(of_ray[0], elsewhere, bucket, *of_ray, bucket))
    assert [[change.call for change in group] for group in found] == [
        ["DeleteRole", "PutRolePolicy", "DetachRolePolicy"],
        ["DeleteRole"],
        ["PutBucketPolicy"],
    ]


def test_names_that_a_caller_chose_make_no_two_things_one() -> None:
    """The kinds are told apart: a role has no space in its name."""
    found = changes(record("DeleteInstanceProfile"), record("DeleteRole"))
    assert len(by_target(found)) == 2


def test_what_is_told_of_a_cloud_is_bounded() -> None:
    callers = [{"arn": f"arn:aws:iam::222222222222:user/u{number}"} for number in range(40)]
    summary = Summary.of(
        changes(*(record("DeleteRole", userIdentity=caller) for caller in callers))
    )
    touch = Touch()
    touch.add("role ray", summary)
    touch.add("role ray", Summary.of(changes(record("PutRolePermissionsBoundary"))))
    found = touch.result()
    assert found["documents"] == ["role ray"]
    assert found["calls"] == ["DeleteRole", "PutRolePermissionsBoundary"]
    assert found["principals"] == [caller["arn"] for caller in callers[:10]]
    assert found["managed"]
