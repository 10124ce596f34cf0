# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings that are accepted: which items are, until when, and what becomes of the outcomes."""

from __future__ import annotations

import datetime
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.acknowledged import (
    acknowledge,
    parse_acknowledged,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

CHECKS = ("bucket_deny", "trust_ec2")
ITEM = {"check": "bucket_deny", "reason": "One object is kept from all.", "until": "2026-11-18"}
# 2026-11-18, just before midnight in UTC
NOW = datetime.datetime(2026, 11, 18, 23, 59, tzinfo=datetime.timezone.utc).timestamp()


def outcome(status: str, check: str = "bucket_deny") -> dict[str, t.Any]:
    """The outcome of a check."""
    return {"id": check, "status": status, "reason": "It is so."}


def judged(status: str, now: float = NOW, **changes: t.Any) -> dict[str, t.Any]:
    """The outcome with the acknowledgement."""
    found = parse_acknowledged([{**ITEM, **changes}], CHECKS)
    (one,) = acknowledge([outcome(status)], found, now)
    return one


@pytest.mark.parametrize("status", ["fail", "warn"])
def test_a_finding_keeps_its_status_on_the_last_day(status: str) -> None:
    assert judged(status) == {
        **outcome(status),
        "acknowledged": {"reason": ITEM["reason"], "until": ITEM["until"]},
    }


@pytest.mark.parametrize("status", ["pass", "unknown", "not_applicable"])
def test_what_is_no_finding_is_not_acknowledged(status: str) -> None:
    assert judged(status) == {**outcome(status), "acknowledged": None}


def test_the_day_after_it_counts_again_and_says_so() -> None:
    one = judged("fail", NOW + 60)
    assert one["acknowledged"] is None
    assert one["reason"] == (
        "It is so. The acknowledgement of this finding ended on 2026-11-18: One object is kept from "
        "all."
    )


def test_other_checks_count() -> None:
    found = parse_acknowledged([ITEM], CHECKS)
    (one,) = acknowledge([outcome("fail", "trust_ec2")], found, NOW)
    assert one["acknowledged"] is None


def test_a_date_of_yaml() -> None:
    assert (
        judged("fail", until=datetime.date(2026, 11, 18))["acknowledged"]["until"] == "2026-11-18"
    )


@pytest.mark.parametrize("entries", [None, []])
def test_nothing_acknowledged(entries: t.Any) -> None:
    assert parse_acknowledged(entries, CHECKS) == {}


REFUSED: dict[str, tuple[t.Any, str]] = {
    "an unknown check": (
        [{**ITEM, "check": "bucket_denied"}],
        "'bucket_denied', which is not the ID",
    ),
    "the same check twice": ([ITEM, ITEM], "an item 2 with the check 'bucket_deny', twice"),
    "no reason": ([{**ITEM, "reason": " "}], "without a reason"),
    "no end": (
        [{key: ITEM[key] for key in ("check", "reason")}],
        "not a dict of check, reason and until",
    ),
    "an end that is null": ([{**ITEM, "until": None}], "'None', which is not a date"),
    "an end that is no date": (
        [{**ITEM, "until": "next week"}],
        "'next week', which is not a date",
    ),
    "a moment": ([{**ITEM, "until": "2026-11-18T10:00:00Z"}], "which is not a date"),
    "another key": ([{**ITEM, "by": "me"}], "not a dict of check, reason and until"),
    "a text": (["bucket_deny"], "not a dict"),
}


@pytest.mark.parametrize(("entries", "words"), REFUSED.values(), ids=list(REFUSED))
def test_what_would_acknowledge_nothing_or_for_ever_is_refused(entries: t.Any, words: str) -> None:
    with pytest.raises(InputError) as refusal:
        parse_acknowledged(entries, CHECKS)
    assert words in str(refusal.value)
    assert "cloud_iam_acknowledged" in str(refusal.value)
