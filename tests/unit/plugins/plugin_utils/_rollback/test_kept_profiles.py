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
KEPT: dict[str, tuple[list[Backup], t.Collection[str] | None, list[str]]] = {
    "none": ([TRUST], None, []),
    "one that was created": ([TRUST, record("a")], None, [NEW]),
    "one that was empty": ([record("b", False)], None, [FILLED]),
    "by account, each once": (
        [record("a", True, OTHER), record("b", False), record("a"), record("a")],
        None,
        [NEW, FILLED, ELSEWHERE],
    ),
    "of some clouds only": (
        [record("a", True, ACCOUNT, VISION), record("b", False, ACCOUNT, SPEECH)],
        [VISION],
        [NEW],
    ),
    "of clouds that are not recorded": ([record("a")], [VISION], [NEW]),
}


@pytest.mark.parametrize(("backups", "clouds", "kept"), KEPT.values(), ids=list(KEPT))
def test_what_is_kept(
    backups: list[Backup], clouds: t.Collection[str] | None, kept: list[str]
) -> None:
    assert kept_profiles(backups, clouds) == kept


def test_the_line_names_some_of_many() -> None:
    assert kept_line([]) == ""
    assert kept_line([NEW, FILLED]) == f"Kept, as instances may be using it: {NEW}, {FILLED}."
    assert kept_line([str(number) for number in range(12)]).endswith("9 and 2 more.")
