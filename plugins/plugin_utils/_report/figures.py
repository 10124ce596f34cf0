# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The figures of a report for the person who decides: whether clusters can start, what a command
fixes, and where the problems are.

This plugin util is private to the collection. Pure. Any member of the organization can register a
cloud in any state, so clouds that the operator neither permits nor names are in no figure.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.layers import (
    DOES_NOT_APPLY,
    LACKING,
    NO,
    NOT_KNOWN,
    YES,
    judge_clusters,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    command_for_all,
    counting,
    effective_status,
    general_command,
    names_hosts,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import (
    NOT_PERMITTED,
    STATUSES,
)

CAN_START, LACK_ACCESS, CANNOT_START, START_UNKNOWN = STARTS = (
    "can",
    "lacking",
    "cannot",
    "unknown",
)

_OPEN = ("fail", "unknown", "warn")
_STARTS = {
    YES: CAN_START,
    LACKING: LACK_ACCESS,
    NO: CANNOT_START,
    NOT_KNOWN: START_UNKNOWN,
    DOES_NOT_APPLY: "",
}

Json = t.Mapping[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Fixes:
    """Who fixes what.

    by_command, by_people: how many findings a command fixes, and how many a person has to decide
    on; a cloud that could not be audited is one of the latter.
    command: the one that fixes the most, or empty. fixed: how many it fixes. clouds: of which clouds.
    """

    by_command: int = 0
    by_people: int = 0
    command: str = ""
    fixed: int = 0
    clouds: tuple[str, ...] = ()

    @property
    def names_clouds(self) -> bool:
        """Whether the command is for these clouds alone."""
        return names_hosts(self.command, self.clouds)


@dataclasses.dataclass
class Account:
    """What one AWS account has: clouds, those that need attention, those whose clusters cannot start,
    and findings. ``account_id`` is empty for clouds whose account is not known.
    """

    account_id: str
    clouds: int = 0
    attention: int = 0
    cannot_start: int = 0
    findings: int = 0


@dataclasses.dataclass(frozen=True)
class Problem:
    """One check over all clouds: its title where it is worst, and how often it has each status, what is
    acknowledged left out.
    """

    check_id: str
    title: str
    counts: t.Mapping[str, int]

    @property
    def attention(self) -> int:
        """How many clouds need attention because of it."""
        return sum(self.counts[status] for status in _OPEN)


def is_open(check: Json) -> bool:
    """Whether a check counts as a finding: not where the operator has acknowledged it."""
    return effective_status(check) in _OPEN


def findings_in(cloud: Json) -> list[Json]:
    """The findings of a cloud, the worst first. What could not be audited at all has none."""
    found = filter(is_open, () if cloud["state"] == "error" else cloud["checks"])
    return sorted(found, key=lambda check: STATUSES.index(check["status"]))


def needs_attention(cloud: Json) -> bool:
    """Whether somebody has to do something about a cloud."""
    return cloud["state"] in ("error", *_OPEN)


def account_of(cloud: Json) -> str:
    """The AWS account of a cloud, or ``""``."""
    return str((cloud["cloud"] or {}).get("account_id") or "")


def start_of(cloud: Json) -> str:
    """Whether clusters of a cloud can start, as explain says it too; ``""`` for a cloud that
    does not run on AWS virtual machines, or is not permitted.
    """
    return "" if cloud["state"] == NOT_PERMITTED else _STARTS[judge_clusters(cloud["checks"]).start]


def starts_of(report: Json) -> dict[str, int]:
    """How many clouds have clusters that can start, start without what they need, cannot start, and
    of how many that is not known.
    """
    counts = collections.Counter(map(start_of, report["clouds"]))
    return {start: counts[start] for start in STARTS}


def fixes_of(report: Json) -> Fixes:
    """What a command fixes and what needs people."""
    by_people = sum(cloud["state"] == "error" for cloud in report["clouds"])
    fixed: dict[str, list[str]] = {}
    for cloud in _permitted(report):
        for check in findings_in(cloud):
            if check.get("command"):
                command = general_command(check["command"], cloud["name"])
                fixed.setdefault(command, []).append(cloud["name"])
            else:
                by_people += 1
    if not fixed:
        return Fixes(by_people=by_people)
    command, most = max(fixed.items(), key=lambda item: len(item[1]))
    clouds = tuple(dict.fromkeys(most))
    return Fixes(
        by_command=sum(map(len, fixed.values())),
        by_people=by_people,
        command=command_for_all(command, clouds),
        fixed=len(most),
        clouds=clouds,
    )


def accounts_of(report: Json) -> list[Account]:
    """The AWS accounts, those with the most clouds that need attention first, and last the clouds of
    which the account is not known.
    """
    accounts: dict[str, Account] = {}
    for cloud in _permitted(report):
        account_id = account_of(cloud)
        account = accounts.setdefault(account_id, Account(account_id))
        account.clouds += 1
        account.attention += needs_attention(cloud)
        account.cannot_start += start_of(cloud) == CANNOT_START
        account.findings += len(findings_in(cloud))
    return sorted(
        accounts.values(),
        key=lambda one: (
            not one.account_id,
            -one.attention,
            -one.cannot_start,
            -one.findings,
            one.account_id,
        ),
    )


def problems_of(report: Json) -> list[Problem]:
    """All checks that were made, the most frequent problem first."""
    titles = {check.id: check.title for check in CHECKS}
    found: dict[str, dict[str, list[str]]] = {}
    for cloud in _permitted(report):
        for check in cloud["checks"]:
            found.setdefault(check["id"], {})
            titles.setdefault(check["id"], check["title"])
        for check in counting(cloud["checks"]):
            found[check["id"]].setdefault(check["status"], []).append(check["title"])
    problems = [
        Problem(
            check_id,
            next(
                (by_status[status][0] for status in STATUSES if status in by_status),
                titles[check_id],
            ),
            {status: len(by_status.get(status, ())) for status in STATUSES},
        )
        for check_id, by_status in found.items()
    ]
    return sorted(problems, key=lambda problem: -problem.attention)


def _permitted(report: Json) -> list[Json]:
    return [cloud for cloud in report["clouds"] if cloud["state"] != NOT_PERMITTED]
