# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The runs that left backups: when, what they did, for which clouds, and whether they were rolled
back since.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    BUCKET_POLICY,
    COMPUTE_CONFIG,
    IAM_MAPPING,
    INSTANCE_PROFILE,
    ROLE_ATTACHMENT,
    ROLE_POLICY,
    TRUST_POLICY,
    Backup,
    StoredBackup,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import (
    counted,
    summarize_names,
)

_NOUNS = {
    TRUST_POLICY: ("trust policy", "trust policies"),
    BUCKET_POLICY: ("bucket policy", "bucket policies"),
    ROLE_POLICY: ("inline policy", "inline policies"),
    ROLE_ATTACHMENT: ("attachment", "attachments"),
    IAM_MAPPING: ("Cloud IAM mapping", "Cloud IAM mappings"),
    COMPUTE_CONFIG: ("compute config", "compute configs"),
    INSTANCE_PROFILE: ("instance profile", "instance profiles"),
}
_MOST_NAMES = 3
_NOTHING = "no document, only files that cannot be read"


@dataclasses.dataclass(frozen=True)
class PastRun:
    """A run, from its backups.

    time: of its first backup, in UTC. clouds: the names in the inventory, or the IDs where no name is
    known. documents: how many of each kind. resources: what they are, with their accounts.
    rolled_back_by: the runs that restored documents of it and were not rolled back themselves, with
    how many of them all restored; unreadable: how many files cannot be read.
    """

    run_id: str
    time: str
    name: str
    clouds: tuple[str, ...]
    documents: t.Mapping[str, int]
    resources: tuple[str, ...] = ()
    rolled_back_by: tuple[str, ...] = ()
    restored: int = 0
    unreadable: int = 0

    @property
    def total(self) -> int:
        """How many documents it replaced. Instance profiles are not restored."""
        return sum(number for kind, number in self.documents.items() if kind != INSTANCE_PROFILE)

    def as_item(self) -> dict[str, t.Any]:
        """The run as an item of a result."""
        return {
            "run_id": self.run_id,
            "time": self.time,
            "name": self.name,
            "clouds": list(self.clouds),
            "documents": dict(self.documents),
            "rolled_back_by": list(self.rolled_back_by),
            "restored": self.restored,
            "unreadable": self.unreadable,
        }


def past_runs(
    backups: t.Mapping[str, t.Sequence[StoredBackup]],
    unreadable: t.Mapping[str, int],
    names: t.Mapping[str, str],
) -> list[PastRun]:
    """The runs, newest first. backups: of each run, oldest first. names: those of clouds in the
    inventory, by their IDs.
    """
    restored = _restored(backups)
    runs = [
        _run_of(run_id, found, unreadable.get(run_id, 0), names, restored.get(run_id, {}))
        for run_id, found in backups.items()
    ]
    return sorted(runs, key=lambda run: run.time, reverse=True)


def _restored(
    backups: t.Mapping[str, t.Sequence[StoredBackup]],
) -> dict[str, dict[str, set[str]]]:
    """The documents of each run that were restored, by the runs that did so, without those of which
    the restoration was rolled back itself.
    """
    restored: dict[str, dict[str, set[str]]] = {}
    seen = set[str]()
    for run_id in sorted(backups, key=lambda run_id: _begin(backups[run_id]), reverse=True):
        seen.add(run_id)
        undone = set[str]().union(*restored.get(run_id, {}).values())
        for one in backups[run_id]:
            if one.backup.resource not in undone:
                # No run rolls back a later one, or itself
                for earlier in {*filter(None, one.origin.rolls_back.split(","))} - seen:
                    by_run = restored.setdefault(earlier, {})
                    by_run.setdefault(run_id, set()).add(one.backup.resource)
    return restored


def _begin(backups: t.Sequence[StoredBackup]) -> str:
    return backups[0].origin.written_at if backups else ""


def _run_of(
    run_id: str,
    backups: t.Sequence[StoredBackup],
    unreadable: int,
    names: t.Mapping[str, str],
    restored: t.Mapping[str, set[str]],
) -> PastRun:
    kinds = {one.backup.resource: one.backup.kind for one in backups}
    clouds = dict.fromkeys(name for one in backups for name in _clouds_of(one, names))
    return PastRun(
        run_id,
        _minute(_begin(backups)),
        next((one.origin.run_name for one in backups if one.origin.run_name), ""),
        tuple(sorted(clouds)),
        collections.Counter(kinds.values()),
        tuple(dict.fromkeys(_with_account(one.backup) for one in backups)),
        tuple(restored),
        len(set(kinds).intersection(*[set().union(*restored.values())])),
        unreadable,
    )


def _with_account(backup: Backup) -> str:
    """A document, with its account if its name does not have it."""
    if not backup.account_id or backup.account_id in backup.resource:
        return backup.resource
    return f"{backup.resource} in account {backup.account_id}"


def _clouds_of(stored: StoredBackup, names: t.Mapping[str, str]) -> tuple[str, ...]:
    """Its clouds, by the names that the run knew, else by those of this inventory."""
    found = [names.get(cloud, cloud) for cloud in stored.backup.clouds]
    return stored.origin.cloud_names or tuple(found)


def _minute(written_at: str) -> str:
    """A time as people read it: the day and the minute."""
    return written_at[:16].replace("T", " ")


def lines_of(runs: t.Sequence[PastRun], more: int) -> list[str]:
    """A line for each run. more: how many older ones are not shown."""
    lines = [escape_control_chars(_line(run)) for run in runs]
    return [*lines, f"and {more} older"] if more else lines


def _line(run: PastRun) -> str:
    kinds = [
        f"{number} {_NOUNS[kind][number != 1]}"
        for kind in _NOUNS
        if (number := run.documents.get(kind, 0))
    ]
    parts = [
        f"{run.time or 'time unknown'} UTC  {run.run_id}",
        run.name or "what it did is not recorded",
        _clouds(run.clouds),
        ", ".join(kinds) + _documents(run) if kinds else _NOTHING,
    ]
    if run.unreadable and kinds:
        parts.append(f"{counted(run.unreadable, 'file')} cannot be read")
    return "; ".join([*filter(None, parts), *_rolled_back(run)])


def _clouds(names: t.Sequence[str]) -> str:
    if not names:
        return ""
    noun = "1 cloud" if len(names) == 1 else f"{len(names)} clouds"
    return f"{noun}: {summarize_names(names, _MOST_NAMES)}"


def _documents(run: PastRun) -> str:
    """The documents of a run that has not recorded its clouds, such as tasks of the operator's own."""
    return "" if run.clouds else f": {summarize_names(run.resources, _MOST_NAMES)}"


def _rolled_back(run: PastRun) -> list[str]:
    """Whether it was rolled back. What was in its earlier state already is not written, and so counts
    as not restored.
    """
    if not run.rolled_back_by:
        return []
    by = ", ".join(run.rolled_back_by)
    if run.restored >= run.total:
        return [f"rolled back by {by}"]
    return [f"{run.restored} of {counted(run.total, 'document')} restored by {by}"]
