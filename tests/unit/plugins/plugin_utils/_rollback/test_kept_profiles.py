# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A rollback names the instance profiles that it keeps."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import Backup
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.kept_profiles import (
    kept_line,
    kept_of,
    kept_profiles,
)

ACCOUNT, OTHER = "222222222222", "333333333333"
VISION, SPEECH = "cld_1", "cld_2"


def record(name: str, is_new: bool = True, account: str = ACCOUNT, *clouds: str) -> Backup:
    """A record of a profile that a run created, or else gave its role."""
    arn = f"arn:aws:iam::{account}:instance-profile/ray/{name}"
    role = f"arn:aws:iam::{account}:role/ray/{name}-role"
    empty = {"name": name, "arn": arn, "role_arn": None}
    before = None if is_new else empty
    after = {**empty, "role_arn": role}
    return Backup("instance_profile", {"instance_profile_arn": arn}, account, before, after, clouds)


TRUST = Backup("trust_policy", {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/a"}, ACCOUNT, {}, {})
NEW = f"instance profile a with role a-role in account {ACCOUNT}"
FILLED = f"role b-role in instance profile b in account {ACCOUNT}"
ELSEWHERE = f"instance profile a with role a-role in account {OTHER}"


def kept(text: str, *clouds: str) -> dict[str, t.Any]:
    """As the result of the task that plans the rollback has it."""
    return {"resource": text, "clouds": list(clouds)}


KEPT: dict[str, tuple[list[Backup], t.Collection[str] | None, list[dict[str, t.Any]]]] = {
    "none": ([TRUST], None, []),
    "one that was created": ([TRUST, record("a")], None, [kept(NEW)]),
    "one that was empty": ([record("b", False)], None, [kept(FILLED)]),
    "by account, each once": (
        [record("a", True, OTHER), record("b", False), record("a"), record("a")],
        None,
        [kept(NEW), kept(FILLED), kept(ELSEWHERE)],
    ),
    "of some clouds only": (
        [record("a", True, ACCOUNT, VISION), record("b", False, ACCOUNT, SPEECH)],
        [VISION],
        [kept(NEW, VISION)],
    ),
    "of clouds that are not recorded": ([record("a")], [VISION], [kept(NEW)]),
    "of two clouds": (
        [record("a", True, ACCOUNT, VISION), record("a", True, ACCOUNT, SPEECH)],
        None,
        [kept(NEW, VISION, SPEECH)],
    ),
}


@pytest.mark.parametrize("case", KEPT)
def test_what_is_kept(case: str) -> None:
    backups, clouds, expected = KEPT[case]
    assert kept_profiles(backups, clouds) == expected


OF_CLOUDS = [kept(NEW, VISION), kept(FILLED, VISION, SPEECH), kept(ELSEWHERE)]
REFUSED = {
    "none": ([], [NEW, FILLED, ELSEWHERE]),
    "one": ([VISION], [FILLED, ELSEWHERE]),
    "another one": ([SPEECH], [NEW, FILLED, ELSEWHERE]),
    "all that are known": ([VISION, SPEECH], [ELSEWHERE]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_belongs_to_clouds_that_are_not_rolled_back_is_not_kept_by_this_run(case: str) -> None:
    refused, texts = REFUSED[case]
    assert kept_of(OF_CLOUDS, refused) == texts


def test_the_line_names_some_of_many() -> None:
    assert kept_line([]) == ""
    assert kept_line([NEW, FILLED]) == f"Kept, as instances may be using it: {NEW}, {FILLED}."
    assert kept_line([str(number) for number in range(12)]).endswith("9 and 2 more.")
