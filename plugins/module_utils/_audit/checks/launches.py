# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks on what runs on a cloud: whether its launches and its instances run with the role.

This module util is private to the collection. Pure: each function takes the facts and returns the
outcome of its check.
"""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    CheckAborted,
    Outcome,
    failed,
    not_applicable,
    passed,
    unknown,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.running import (
    CANNOT_TELL,
    OLDER_VERSION,
    OTHER,
    WANTED,
    Judged,
    counts_of,
    display_name,
    incomplete,
    judged_instances,
    judged_launches,
    running_of,
)

_LAUNCHES = ("launch", "launches")
_INSTANCES = ("running instance", "running instances")
# More are counted, but not listed: a cloud may have thousands.
_MOST_LISTED = 50
_RESTART = (
    "Start these clusters, services, jobs and workspaces again with the newest version of the "
    "compute config, and name it in these schedules. Anyscale has no default compute config that "
    "would do so by itself."
)
_REPLACE = (
    "Restart the clusters of these instances with the newest version of the compute config: an "
    "instance keeps the profile that it was started with."
)
_READ_MORE = (
    "Run the module rayfleet.anyscale.cloud_launches_info with a higher limit, or with a token that "
    "may list all launches."
)


def launches_use_the_config(facts: Facts) -> Outcome:
    """Whether everything that was launched in the cloud runs with the role."""
    judged = judged_launches(facts)
    missing = incomplete(running_of(facts).launches.get())
    wrong = [one for one in judged if one.verdict in (OTHER, OLDER_VERSION)]
    if wrong:
        return failed(
            f"{_others(wrong, judged, _LAUNCHES)} with the role: {_names(wrong)}. {missing}",
            _RESTART,
            **_evidence(judged, "launches"),
        )
    unsure = [one for one in judged if one.verdict == CANNOT_TELL]
    if unsure or missing:
        why = f"{_names(unsure)}: {unsure[0].reason} " if unsure else ""
        raise _unknown(
            f"Whether all launches run with the role is unknown. {why}{missing}",
            unsure,
            _READ_MORE if missing else "",
            _evidence(judged, "launches"),
        )
    if not judged:
        raise not_applicable("Nothing is launched in the cloud.")
    return passed(
        f"{_all(judged, _LAUNCHES).capitalize()} with the role.", **_evidence(judged, "launches")
    )


def instances_run_with_the_role(facts: Facts) -> Outcome:
    """Whether all running instances of the cloud have an instance profile that holds the role."""
    judged = judged_instances(facts)
    if not judged:
        raise not_applicable("No instance of the cloud is running.")
    wrong = [one for one in judged if one.verdict == OTHER]
    if wrong:
        profiles = collections.Counter(
            one.profiles[0] if one.profiles else "no profile" for one in wrong
        )
        found = ", ".join(f"{count} with {profile}" for profile, count in sorted(profiles.items()))
        return failed(
            f"{_others(wrong, judged, _INSTANCES)} with the role: {found}.",
            _REPLACE,
            **_evidence(judged, "instances"),
        )
    unsure = [one for one in judged if one.verdict == CANNOT_TELL]
    if unsure:
        raise _unknown(
            f"Whether {_all(judged, _INSTANCES)} with the role is unknown: {unsure[0].reason}",
            unsure,
            "",
            _evidence(judged, "instances"),
        )
    return passed(
        f"{_all(judged, _INSTANCES).capitalize()} with the role.", **_evidence(judged, "instances")
    )


def _all(judged: t.Sequence[Judged], nouns: tuple[str, str]) -> str:
    """The subject for all of them, and its verb."""
    one, many = nouns
    return f"all {len(judged)} {many} run" if len(judged) > 1 else f"the {one} runs"


def _others(wrong: t.Sequence[Judged], judged: t.Sequence[Judged], nouns: tuple[str, str]) -> str:
    """The subject for those that are otherwise, and its verb."""
    noun = nouns[len(judged) > 1]
    return f"{len(wrong)} of {len(judged)} {noun} {'does' if len(wrong) == 1 else 'do'} not run"


def _unknown(
    reason: str, unsure: t.Sequence[Judged], remedy: str, evidence: dict[str, t.Any]
) -> CheckAborted:
    """The outcome with the first obstacle's evidence and remedy, such as the permission to grant."""
    first = unsure[0].obstacle if unsure else None
    if first is None:
        return unknown(reason, remedy, **evidence)
    return unknown(reason, remedy or first.remedy, **{**first.evidence, **evidence})


def _names(judged: t.Sequence[Judged]) -> str:
    """The first of them, by kind and name."""
    first = [
        f"{one.facts['kind']} {display_name(one.facts['name'])} ({one.verdict})"
        for one in judged[:5]
    ]
    more = len(judged) - len(first)
    return ", ".join(first) + (f" and {more} more" if more else "")


def _evidence(judged: t.Sequence[Judged], key: str) -> dict[str, t.Any]:
    """The verdicts counted, and what does not run with the role, or may not."""
    others = [one.as_json() for one in judged if one.verdict != WANTED]
    evidence: dict[str, t.Any] = {"counts": counts_of(judged), key: others[:_MOST_LISTED]}
    if len(others) > _MOST_LISTED:
        evidence["not_listed"] = len(others) - _MOST_LISTED
    return evidence
