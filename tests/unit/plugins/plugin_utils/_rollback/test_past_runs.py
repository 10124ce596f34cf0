# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of runs says of each what a person needs to choose the one to roll back."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    Backup,
    StoredBackup,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.past_runs import (
    lines_of,
    past_runs,
)

pytestmark = pytest.mark.core

ACCOUNT = "222222222222"
NAMES = {"cld_1": "alpha", "cld_2": "beta"}


def stored(run_id: str, backup: Backup, hour: int = 9, **content: t.Any) -> StoredBackup:
    written_at = f"2027-01-05T{hour:02}:00:00+00:00"
    return StoredBackup("", backup, {"run_id": run_id, "written_at": written_at, **content})


def trust(role: str, *clouds: str) -> Backup:
    return Backup(
        "trust_policy", {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/{role}"}, ACCOUNT, {}, {}, clouds
    )


def bucket(name: str, *clouds: str) -> Backup:
    return Backup("bucket_policy", {"bucket": name}, ACCOUNT, None, {}, clouds)


def profile(name: str, cloud: str) -> Backup:
    target = {"instance_profile_arn": f"arn:aws:iam::{ACCOUNT}:instance-profile/{name}"}
    return Backup("instance_profile", target, ACCOUNT, None, {"role_arn": ""}, (cloud,))


UP = [
    stored("up", trust("a", "cld_1"), run_name="onboard", cloud_names=["alpha"]),
    stored("up", trust("b", "cld_2"), run_name="onboard", cloud_names=["beta"]),
    stored(
        "up", bucket("data", "cld_1", "cld_2"), run_name="onboard", cloud_names=["alpha", "beta"]
    ),
    stored("up", bucket("data", "cld_1"), run_name="onboard", cloud_names=["alpha"]),
]
BACK = [
    stored("back", one, 10, run_name="rollback", rolls_back="up", cloud_names=["alpha"])
    for one in (trust("a", "cld_1"), trust("b", "cld_2"), bucket("data", "cld_1"))
]
CASES: dict[str, tuple[dict[str, list[StoredBackup]], dict[str, int], list[str]]] = {
    "a run": (
        {"up": UP},
        {},
        [
            "2027-01-05 09:00 UTC  up; onboard; 2 clouds: alpha, beta; 2 trust policies, "
            "1 bucket policy"
        ],
    ),
    "one that was rolled back": (
        {"up": UP, "back": BACK},
        {},
        [
            "2027-01-05 10:00 UTC  back; rollback; 1 cloud: alpha; 2 trust policies, "
            "1 bucket policy",
            "2027-01-05 09:00 UTC  up; onboard; 2 clouds: alpha, beta; 2 trust policies, "
            "1 bucket policy; rolled back by back",
        ],
    ),
    "one that was rolled back but for the instance profile that it created": (
        {
            "up": [*UP, stored("up", profile("a", "cld_1"), cloud_names=["alpha"])],
            "back": BACK,
        },
        {},
        [
            "2027-01-05 10:00 UTC  back; rollback; 1 cloud: alpha; 2 trust policies, "
            "1 bucket policy",
            "2027-01-05 09:00 UTC  up; onboard; 2 clouds: alpha, beta; 2 trust policies, "
            "1 bucket policy, 1 instance profile; rolled back by back",
        ],
    ),
    "two that were rolled back at once": (
        {
            "1": [stored("1", bucket("data", "cld_1"), 8, cloud_names=["alpha"])],
            "2": [stored("2", bucket("data", "cld_1"), 9, cloud_names=["alpha"])],
            "back": [
                stored("back", bucket("data", "cld_1"), 10, rolls_back="1,2", cloud_names=["alpha"])
            ],
        },
        {},
        [
            "2027-01-05 10:00 UTC  back; what it did is not recorded; 1 cloud: alpha; 1 bucket policy",
            *(
                f"2027-01-05 0{hour}:00 UTC  {run}; what it did is not recorded; 1 cloud: alpha; "
                "1 bucket policy; rolled back by back"
                for hour, run in ((9, 2), (8, 1))
            ),
        ],
    ),
    "one whose rollback was rolled back": (
        {
            "up": UP,
            "back": BACK,
            "again": [stored("again", one.backup, 11, rolls_back="back") for one in BACK],
        },
        {},
        [
            "2027-01-05 11:00 UTC  again; what it did is not recorded; 2 clouds: alpha, beta; "
            "2 trust policies, 1 bucket policy",
            "2027-01-05 10:00 UTC  back; rollback; 1 cloud: alpha; 2 trust policies, "
            "1 bucket policy; rolled back by again",
            "2027-01-05 09:00 UTC  up; onboard; 2 clouds: alpha, beta; 2 trust policies, "
            "1 bucket policy",
        ],
    ),
    "one whose rollback was rolled back in part": (
        {
            "up": UP,
            "back": BACK,
            "again": [stored("again", BACK[0].backup, 11, rolls_back="back")],
        },
        {},
        [
            "2027-01-05 11:00 UTC  again; what it did is not recorded; 1 cloud: alpha; 1 trust policy",
            "2027-01-05 10:00 UTC  back; rollback; 1 cloud: alpha; 2 trust policies, "
            "1 bucket policy; 1 of 3 documents restored by again",
            "2027-01-05 09:00 UTC  up; onboard; 2 clouds: alpha, beta; 2 trust policies, "
            "1 bucket policy; 2 of 3 documents restored by back",
        ],
    ),
    "one that was rolled back once more": (
        {
            "up": UP[:1],
            "back": BACK[:1],
            "again": [stored("again", BACK[0].backup, 11, rolls_back="back")],
            "last": [stored("last", BACK[0].backup, 12, rolls_back="up,again")],
        },
        {},
        [
            "2027-01-05 12:00 UTC  last; what it did is not recorded; 1 cloud: alpha; 1 trust policy",
            "2027-01-05 11:00 UTC  again; what it did is not recorded; 1 cloud: alpha; "
            "1 trust policy; rolled back by last",
            "2027-01-05 10:00 UTC  back; rollback; 1 cloud: alpha; 1 trust policy",
            "2027-01-05 09:00 UTC  up; onboard; 1 cloud: alpha; 1 trust policy; "
            "rolled back by last, back",
        ],
    ),
    "one that says it rolls itself back": (
        {"up": [stored("up", trust("a", "cld_1"), rolls_back="up", cloud_names=["alpha"])]},
        {},
        ["2027-01-05 09:00 UTC  up; what it did is not recorded; 1 cloud: alpha; 1 trust policy"],
    ),
    "one of which a part was": (
        {"up": UP[:2], "back": BACK[:1]},
        {},
        [
            "2027-01-05 10:00 UTC  back; rollback; 1 cloud: alpha; 1 trust policy",
            "2027-01-05 09:00 UTC  up; onboard; 2 clouds: alpha, beta; 2 trust policies; "
            "1 of 2 documents restored by back",
        ],
    ),
    "one of an earlier release": (
        {"old": [stored("old", trust("a", "cld_1", "cld_9"))]},
        {},
        [
            "2027-01-05 09:00 UTC  old; what it did is not recorded; 2 clouds: alpha, cld_9; "
            "1 trust policy"
        ],
    ),
    "tasks of a playbook of one's own, which name no cloud": (
        {
            "own": [
                stored("own", one, run_name="Set up the roles")
                for one in (trust("a"), bucket("data"), trust("b"), trust("c"), trust("a"))
            ]
        },
        {},
        [
            "2027-01-05 09:00 UTC  own; Set up the roles; 3 trust policies, 1 bucket policy: "
            f"trust policy of arn:aws:iam::{ACCOUNT}:role/a, policy of bucket data in account "
            f"{ACCOUNT}, trust policy of arn:aws:iam::{ACCOUNT}:role/b and 1 more"
        ],
    ),
    "one with a file that cannot be read": (
        {"up": UP[:1], "lost": []},
        {"up": 2, "lost": 1},
        [
            "2027-01-05 09:00 UTC  up; onboard; 1 cloud: alpha; 1 trust policy; 2 files cannot be read",
            "time unknown UTC  lost; what it did is not recorded; no document, "
            "only files that cannot be read",
        ],
    ),
    "one with a name that would clear the screen": (
        {"x": [stored("x", trust("a"), run_name="\x1b[2J", cloud_names=["c"])]},
        {},
        ["2027-01-05 09:00 UTC  x; \\x1b[2J; 1 cloud: c; 1 trust policy"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_line_tells_what_a_run_did(case: str) -> None:
    backups, unreadable, lines = CASES[case]
    assert lines_of(past_runs(backups, unreadable, NAMES), 0) == lines


def test_older_ones_are_counted() -> None:
    assert lines_of([], 7) == ["and 7 older"]
