# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide whether a document can be put back as it was before a run, without taking what others
wrote since.

This module util is private to the collection. Pure. A run may have written a document more than
once, for several clouds
that share a bucket for example: its backups are a chain, of which each found what an earlier one
left.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import Backup

CHANGED, ADDED, REMOVED = "changed_since_backup", "added_since_backup", "removed_since_backup"

_UNKNOWN = (
    "It may have been written for other clouds as well: not all of its backups say for which."
)

Same = t.Callable[[t.Any, t.Any], bool]


class Verdict(t.NamedTuple):
    """Why the live document is not what it was before the run (empty: it is), and what the user
    should know.
    """

    reason: str
    warnings: tuple[str, ...] = ()


def the_one_resource(backups: t.Sequence[Backup]) -> Backup:
    """The first of the backups, all of which must be of one document."""
    if not backups:
        raise InputError("files is an empty list.", "Name at least one backup.")
    others = sorted({backup.resource for backup in backups} - {backups[0].resource})
    if others:
        raise InputError(
            f"files are of several documents: {', '.join([backups[0].resource, *others])}.",
            "Put back one document in a task.",
        )
    return backups[0]


def written_for(backups: t.Iterable[Backup]) -> tuple[str, ...]:
    """The clouds that a document was written for; none where a backup does not know."""
    clouds = [backup.clouds for backup in backups]
    return tuple(sorted({cloud for some in clouds for cloud in some})) if all(clouds) else ()


def decide(
    backups: t.Sequence[Backup],
    live: t.Any,
    same: Same,
    force: bool,
    clouds: t.Collection[str] | None = None,
    needed_by: t.Sequence[str] = (),
) -> Verdict:
    """What to do about a live document (``None``: there is none) to make it what it was before the
    first of the backups.

    backups: of this one document, in the order of their time. same: whether two documents mean the
    same.
    clouds: the ones to put it back for, where that is not all that it was written for. needed_by:
    who would lose by it.
    """
    wanted = backups[0].before
    if _alike(live, wanted, same):
        return Verdict("")
    reason = REMOVED if live is None else ADDED if wanted is None else CHANGED
    obstacles = [
        found
        for found in (_obstacle(backups, live, same), _others(backups, clouds), _need(needed_by))
        if found
    ]
    unknown = () if clouds is None or all(backup.clouds for backup in backups) else (_UNKNOWN,)
    if not obstacles:
        return Verdict(reason, unknown)
    obstacle = ", and ".join(obstacles)
    if not force:
        raise RefusedError(
            f"The {backups[0].resource} {obstacle}.",
            "Look at the difference with force in check mode; force puts the backup back, and "
            "what others wrote or need goes.",
        )
    return Verdict(reason, (f"It {obstacle}: what others wrote or need is not kept.", *unknown))


def _others(backups: t.Iterable[Backup], clouds: t.Collection[str] | None) -> str | None:
    """Whose clusters would lose what they run with, though it is not for them that the document is
    put back.
    """
    if clouds is None:
        return None
    others = sorted({cloud for backup in backups for cloud in backup.clouds} - set(clouds))
    return (
        f"was written for other clouds as well, which are not put back: {', '.join(others)}"
        if others
        else None
    )


def _need(hosts: t.Sequence[str]) -> str | None:
    """Whose clusters would lose what they run with, though the run wrote nothing for them."""
    return f"is what others run with as well (needed_by: {', '.join(hosts)})" if hosts else None


def _obstacle(backups: t.Sequence[Backup], live: t.Any, same: Same) -> str | None:
    """Why to put the first backup back would take more than the run wrote."""
    known: list[t.Any] = []
    for backup in backups:
        if known and not _is_one_of(backup.before, known, same):
            return "was changed by somebody else while the run wrote to it"
        known += [backup.before, backup.after]
    return (
        None
        if _is_one_of(live, known, same)
        else "is not what the run left: somebody changed it since"
    )


def _is_one_of(document: t.Any, known: t.Iterable[t.Any], same: Same) -> bool:
    return any(_alike(document, other, same) for other in known)


def _alike(one: t.Any, other: t.Any, same: Same) -> bool:
    return one is other if one is None or other is None else same(one, other)
