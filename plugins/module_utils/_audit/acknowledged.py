# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Findings that a cloud's operator accepts as they are, each with a reason and an end date.

This module util is private to the collection. Pure. An acknowledged finding keeps its status, but
fails no audit; once its end date has passed, it counts again, and its reason says so.
"""

from __future__ import annotations

import dataclasses
import datetime
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import FAIL, WARN
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, option

Json = dict[str, t.Any]
_KEYS = {"check", "reason", "until"}
_FINDINGS = (FAIL, WARN)


@dataclasses.dataclass(frozen=True)
class Acknowledgement:
    """Why a finding is accepted, and the last day on which it is, in UTC."""

    reason: str
    until: datetime.date


def parse_acknowledged(
    entries: t.Iterable[t.Any] | None, checks: t.Collection[str]
) -> dict[str, Acknowledgement]:
    """What is acknowledged, by the IDs of checks. Raises InputError for an entry that would
    acknowledge nothing, or something for ever.
    """
    found: dict[str, Acknowledgement] = {}
    for position, entry in enumerate(entries or []):
        where = f"{option('acknowledged')} has an item {position + 1}"
        if not isinstance(entry, dict) or set(entry) != _KEYS:
            raise InputError(
                f"{where} that is not a dict of check, reason and until alone.",
                "Give each of them: the ID of a check, why its finding is accepted, and until when.",
            )
        check = str(entry["check"])
        if check not in checks or check in found:
            what = "twice" if check in found else "which is not the ID of a check"
            raise InputError(
                f"{where} with the check {check[:80]!r}, {what}.",
                "Give each check once. The IDs are on the documentation's page on checks.",
            )
        reason = " ".join(str(entry["reason"] or "").split())
        if not reason:
            raise InputError(f"{where} without a reason.", "Say why the finding is accepted.")
        found[check] = Acknowledgement(reason, _date(entry["until"], where))
    return found


def acknowledge(
    outcomes: t.Iterable[Json], found: t.Mapping[str, Acknowledgement], now: float
) -> list[Json]:
    """The outcomes of checks, each with ``acknowledged``: the acknowledgement that counts, else
    ``None``.
    """
    today = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).date()
    return [_with_acknowledgement(outcome, found.get(outcome["id"]), today) for outcome in outcomes]


def _with_acknowledgement(
    outcome: Json, found: Acknowledgement | None, today: datetime.date
) -> Json:
    if found is None or outcome["status"] not in _FINDINGS:
        return {**outcome, "acknowledged": None}
    if found.until < today:
        ended = f"The acknowledgement of this finding ended on {found.until}: {found.reason}"
        return {**outcome, "reason": f"{outcome['reason']} {ended}", "acknowledged": None}
    acknowledged = {"reason": found.reason, "until": found.until.isoformat()}
    return {**outcome, "acknowledged": acknowledged}


def _date(value: t.Any, where: str) -> datetime.date:
    """A date, as text or as YAML reads one without quotes."""
    if isinstance(value, datetime.date) and not isinstance(value, datetime.datetime):
        return value
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError:
        raise InputError(
            f"{where} with until {str(value)[:80]!r}, which is not a date.",
            "Give the last day on which the finding is accepted, such as 2027-03-31.",
        ) from None
