# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order the ways to a bucket are converged: what grants is before what takes away."""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_stages import (
    Stage,
    stages,
)

BUCKET, INLINE, ATTACHED = "bucket_policy", "role_policy", "role_attachment"
ROWS: dict[tuple[str, str, bool], list[tuple[str, str]]] = {
    ("either", "present", False): [(BUCKET, "present")],
    ("either", "present", True): [(BUCKET, "present")],
    ("bucket_policy", "present", False): [(BUCKET, "present"), (INLINE, "absent")],
    ("bucket_policy", "present", True): [
        (BUCKET, "present"),
        (INLINE, "absent"),
        (ATTACHED, "absent"),
    ],
    ("role_policy", "present", False): [(INLINE, "present"), (BUCKET, "released")],
    ("role_policy", "present", True): [
        (ATTACHED, "present"),
        (BUCKET, "released"),
        (INLINE, "absent"),
    ],
    **{
        (grant, "absent", has_arn): [
            (BUCKET, "absent"),
            (INLINE, "absent"),
            *([(ATTACHED, "absent")] if has_arn else []),
        ]
        for grant in ("either", "bucket_policy", "role_policy")
        for has_arn in (False, True)
    },
}


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_the_order(row: tuple[str, str, bool]) -> None:
    found = stages(*row)
    assert found == tuple(Stage(*stage) for stage in ROWS[row])
    assert sorted(found, key=lambda stage: stage.takes_away) == list(found)
