# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator reads of a report at the end of an audit.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    effective_status,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import NOT_PERMITTED

_STATES = {
    "error": "could not be audited",
    "fail": "with failed checks",  # not hosts that failed, which the recap counts
    "warn": "with warnings",
    "pass": "passed",
}
_MOST_FREQUENT = 3
# States whose clouds are named with their reasons, up to so many.
_NAMED = {"unknown": "Unknown:", "warn": "With warnings:"}
_MOST_NAMED = 3

# Any other cloud has checks with a result.
_NOT_AUDITED = ("error", NOT_PERMITTED)
_NO_MORE = (
    "There are no more in the inventory, or none that the limit or the variables fleet_accounts, "
    "fleet_regions and fleet_clouds select."
)

Json = t.Mapping[str, t.Any]


def report_lines(
    report: Json, paths: t.Mapping[str, str], how_to_preview: str, *, is_written: bool
) -> list[str]:
    """The clouds by state, the drift, what changed, problems, and where the report is.

    how_to_preview: what shows the changes of an onboarding.
    is_written: whether there are files, which there are not in check mode.
    """
    totals = report["totals"]
    lines = [f"{_clouds(len(report['clouds']))}: {clouds_by_state(totals['clouds'])}"]
    if totals["drifted"]:
        lines.append(
            f"{totals['drifted']} drifted: a check fails, or onboarding would change a document "
            f"({how_to_preview})"
        )
    if report["previous"]:
        lines.append(f"Since the previous report: {_counted(totals['changes']) or 'no findings'}")
    lines += _problems(report)
    for state in _NAMED:
        lines += _named(report, state)
    if is_written:
        lines.append(f"Report: {paths.get('html') or ', '.join(paths.values())}")
    return lines


def too_few_clouds(counts: t.Mapping[str, int], least: int, how_to_permit: str) -> str:
    """Why an audit of too few clouds fails, or an empty text if there are enough. It finds nothing
    wrong, and would look like one of a fleet in sync.

    counts: the clouds by state. how_to_permit: the sentence for those that are not permitted.
    """
    missing = {state: counts[state] for state in _NOT_AUDITED}
    audited = sum(counts.values()) - sum(missing.values())
    if audited >= least:
        return ""
    head = f"Audited {_clouds(audited)}, fewer than audit_min_clouds ({least})"
    if not any(missing.values()):
        return f"{head}. {_NO_MORE}"
    permit = f" {how_to_permit}" if missing[NOT_PERMITTED] else ""
    return f"{head}: {clouds_by_state(missing)}.{permit}"


def clouds_by_state(counts: t.Mapping[str, int]) -> str:
    """How many clouds are in which state, without the states of none."""
    return _counted(counts, _STATES)


def _counted(counts: t.Mapping[str, int], words: t.Mapping[str, str] | None = None) -> str:
    """The counts in their order, without those of nothing."""
    return ", ".join(
        f"{count} {(words or {}).get(kind, kind.replace('_', ' '))}"
        for kind, count in counts.items()
        if count
    )


def _problems(report: Json) -> t.Iterator[str]:
    """The checks that most clouds fail, the most frequent first."""
    failed = collections.Counter(
        title
        for cloud in report["clouds"]
        if cloud["state"] != NOT_PERMITTED
        for title in sorted({check["title"] for check in cloud["checks"] if _is_failed(check)})
    )
    if failed:
        yield "Most frequent among the failed checks:"
    for title, count in sorted(failed.items(), key=lambda item: (-item[1], item[0]))[
        :_MOST_FREQUENT
    ]:
        yield f"  {_clouds(count)}: {title}"


def _named(report: Json, state: str) -> t.Iterator[str]:
    """The clouds in a state, with the reason: no most frequent problem says what they have."""
    clouds = [cloud for cloud in report["clouds"] if cloud["state"] == state]
    if clouds:
        yield _NAMED[state]
    for cloud in clouds[:_MOST_NAMED]:
        reason, *more = (
            check["reason"] for check in cloud["checks"] if effective_status(check) == state
        )
        also = f" And {len(more)} more." if more else ""
        yield escape_control_chars(f"  {cloud['name']}: {reason}{also}")
    if len(clouds) > _MOST_NAMED:
        yield f"  and {_clouds(len(clouds) - _MOST_NAMED).replace(' ', ' more ')}"


def _is_failed(check: Json) -> bool:
    return effective_status(check) == "fail"


def _clouds(count: int) -> str:
    return "1 cloud" if count == 1 else f"{count} clouds"
