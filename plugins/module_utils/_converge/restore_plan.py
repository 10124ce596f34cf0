# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Decide whether a document can be restored to its state before a run without losing changes of
other writers.

This module util is private to the collection. Pure. A run may have written a document more than
once, for example for several clouds that share a bucket. Its backups are then a chain: each starts
from the result of an earlier one.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    option,
    reads_in_awx,
    sets_variables,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    Backup,
    Origin,
    StoredBackup,
    Untrusted,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import canonical
from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import answer, check_mode

CHANGED, ADDED, REMOVED = "changed_since_backup", "added_since_backup", "removed_since_backup"

_UNKNOWN = (
    "It may have been written for other clouds too: not all of its backups record the clouds."
)

_MAYBE_ITS_OWN = (
    " Not all of its backups record the clouds of the run, as those of tasks without cloud_id do not: if "
    "these hosts are its clouds, nothing of others is lost. Then use force, or restore the document with "
    "the module backup_restore, whose option files are its backups."
)

Same = t.Callable[[t.Any, t.Any], bool]


class Equality(t.NamedTuple):
    """How documents of a kind are compared: whether they mean the same, by which changes of other
    writers are found, and whether they are the same, which a restored one is, if these differ.
    """

    same_meaning: Same
    identical: Same | None = None


@dataclasses.dataclass(frozen=True)
class Obstacles:
    """What may keep a document from being restored, besides changes of other writers.

    clouds: those to restore the document for, if not all that it was written for. needed_by: the
    hosts that need the current document. untrusted: the files that the operator's key did not sign,
    unless they are accepted. regained: the principals that would be allowed something again. runs: the
    IDs of the runs that are rolled back, newest first. read_others: reads the backups of the document
    by other runs since, oldest first; asked only where the document differs from what the runs left.
    overtaken: the versions of another writer that were published while the run wrote.
    """

    clouds: t.Collection[str] | None = None
    needed_by: t.Sequence[str] = ()
    untrusted: Untrusted = dataclasses.field(default_factory=Untrusted)
    accepts_untrusted: bool = False
    regained: t.Sequence[str] = ()
    runs: t.Sequence[str] = ()
    read_others: t.Callable[[], t.Sequence[StoredBackup]] = tuple
    overtaken: t.Sequence[int] = ()


class Verdict(t.NamedTuple):
    """The reason code of the restore (empty if the document is already in its state before the
    run), and warnings.
    """

    reason: str
    warnings: tuple[str, ...] = ()


def single_resource(backups: t.Sequence[Backup]) -> Backup:
    """The first of the backups. Raises if they are of different documents."""
    if not backups:
        raise InputError("files is an empty list.", "Set at least one backup.")
    others = sorted({backup.resource for backup in backups} - {backups[0].resource})
    if others:
        raise InputError(
            "files are backups of different documents: "
            f"{', '.join([backups[0].resource, *others])}.",
            "Restore one document per task.",
        )
    return backups[0]


def written_for(backups: t.Iterable[Backup]) -> tuple[str, ...]:
    """The clouds that a document was written for; empty if a backup does not record them."""
    clouds = [backup.clouds for backup in backups]
    return tuple(sorted({cloud for written in clouds for cloud in written})) if all(clouds) else ()


def regained_principals(
    earlier: Document, live: Document, arns: t.Mapping[str, str]
) -> tuple[str, ...]:
    """The principals that an earlier policy allows something and the live one nothing.

    arns: the ARNs of existing principals that a policy shows as unique ids, by unique id.
    """
    return tuple(sorted(_allowed(earlier, arns) - _allowed(live, arns)))


def regained_by_role(role_arn: str, earlier: Document, live: Document) -> tuple[str, ...]:
    """The role of a policy, if the earlier one allows it something and the live one nothing."""

    def allows(document: Document) -> bool:
        return any(raw["Effect"] == "Allow" for raw in statements_of(document))

    return (role_arn,) if allows(earlier) and not allows(live) else ()


def overtaken_versions(
    backups: t.Sequence[Backup], versions: t.Iterable[tuple[int, t.Any]], same: Same
) -> list[int]:
    """The versions of a compute config that another writer published between what a backup found and
    what its task published: they were in use before that, and no backup has them.

    versions: all since the first backup, with their configs.
    """
    known = [document for backup in backups for document in (backup.before, backup.after)]
    listed = sorted(versions, key=lambda version: version[0])
    found: set[int] = set()
    for backup in backups:
        if backup.previous_version is not None:
            newer = [one for one in listed if one[0] > backup.previous_version]
            own = [number for number, config in newer if _is_same(config, backup.after, same)]
            between = [one for one in newer if own and one[0] < own[0]]
            found |= {number for number, config in between if not _is_one_of(config, known, same)}
    return sorted(found)


def _allowed(document: Document, arns: t.Mapping[str, str]) -> set[str]:
    statements = [canonical(raw, arns) for raw in statements_of(document)]
    allows = [statement for statement in statements if statement.effect == "Allow"]
    return {
        *(name for allow in allows for _kind, name in allow.principals or ()),
        *(f"all but {name}" for allow in allows for _kind, name in allow.not_principals or ()),
    }


def decide(
    backups: t.Sequence[Backup],
    live: t.Any,
    equality: Equality,
    force: bool,
    obstacles: Obstacles = Obstacles(),
) -> Verdict:
    """Plan how to restore a live document (``None`` if there is none) to its state before the first
    backup.

    backups: of this document, oldest first.
    """
    wanted, same = backups[0].before, equality.same_meaning
    if _is_same(live, wanted, equality.identical or same):
        return Verdict("")
    reason = REMOVED if live is None else ADDED if wanted is None else CHANGED
    if obstacles.untrusted.paths and not obstacles.accepts_untrusted:
        raise _untrusted(backups[0].resource, obstacles.untrusted)
    clouds = obstacles.clouds
    notes = () if clouds is None or all(backup.clouds for backup in backups) else (_UNKNOWN,)
    change = _change_since(backups, live, same, obstacles.read_others)
    # What signed runs alone have taken is what undoing them is to give back.
    is_own = not change.text and not obstacles.untrusted.paths
    found = [
        change.text,
        _overtaken(obstacles.overtaken),
        _other_clouds(backups, clouds),
        _other_hosts(obstacles.needed_by),
        None if is_own else _regained(obstacles.regained),
    ]
    obstacle = ", and ".join(filter(None, found))
    if is_own and obstacles.regained:
        notes = (f"It gives access back to {', '.join(obstacles.regained)}.", *notes)
    if not obstacle:
        return Verdict(reason, notes)
    if not force:
        is_unknown = bool(obstacles.needed_by) and not all(backup.clouds for backup in backups)
        raise _needs_force(
            f"The {backups[0].resource} {obstacle}.",
            _together(change.by, obstacles.runs) if change.by else "",
            _MAYBE_ITS_OWN if is_unknown else "",
        )
    return Verdict(reason, (f"It {obstacle}: force restores it all the same.", *notes))


def _needs_force(message: str, other_way: str, hint: str) -> RefusedError:
    force = option("force", "rollback_force")
    see = f"run in check mode with {force}"
    if reads_in_awx():
        see = f"launch with {check_mode()} and {answer('rollback_force', 'yes')}"
    return RefusedError(
        message,
        f"{other_way}To see the difference, {see}, which restores the backup and discards what other "
        "writers changed or other clouds need." + hint,
    )


def _untrusted(resource: str, files: Untrusted) -> RefusedError:
    kinds = {
        "without a signature, as those of releases before 0.8.0 are": files.unsigned,
        "that were changed after they were signed, or that another key signed": files.altered,
    }
    found = [f"backups {what} ({', '.join(paths)})" for what, paths in kinds.items() if paths]
    return RefusedError(
        f"The {resource} has {' and '.join(found)}.",
        f"If the run had another key, set {option('backup_key')} to that. Else read these files first: any "
        "user or tool that can write to their directory may have written them. To restore them "
        f"nevertheless, set {option('accept_unsigned', 'rollback_accept_unsigned')} to true.",
    )


def _regained(principals: t.Sequence[str]) -> str | None:
    """The principals that a restored policy would let in again."""
    return f"would again allow access to {', '.join(principals)}" if principals else None


def _other_clouds(backups: t.Iterable[Backup], clouds: t.Collection[str] | None) -> str | None:
    """The clouds that the document was written for and is not restored for: their clusters would
    lose access.
    """
    if clouds is None:
        return None
    others = sorted({cloud for backup in backups for cloud in backup.clouds} - set(clouds))
    return (
        f"was also written for clouds that it is not restored for: {', '.join(others)}"
        if others
        else None
    )


def _overtaken(versions: t.Sequence[int]) -> str | None:
    """What another writer set while the run wrote, which no backup has."""
    if not versions:
        return None
    numbers = " and ".join(map(str, versions))
    return (
        f"was also published by another writer while the run wrote to it (version {numbers}), which "
        "no backup contains"
    )


def _other_hosts(hosts: t.Sequence[str]) -> str | None:
    """The hosts whose clusters would lose access, although the run wrote nothing for them."""
    return (
        f"is used by hosts that the run has not recorded (needed_by: {', '.join(hosts)})"
        if hosts
        else None
    )


class _Change(t.NamedTuple):
    """Why restoring the first backup would revert more than the runs wrote, if it would, and the
    backups of the other runs that changed the document, if it was them alone.
    """

    text: str | None
    by: tuple[StoredBackup, ...] = ()


def _change_since(
    backups: t.Sequence[Backup],
    live: t.Any,
    same: Same,
    read_others: t.Callable[[], t.Sequence[StoredBackup]],
) -> _Change:
    """What else changed the document, between its backups or after them."""
    known: list[t.Any] = []
    by: list[StoredBackup] = []
    found = [(one.before, one.after, "while the run wrote to it") for one in backups]
    for state, left, when in [*found, (live, live, "after the run")]:
        if known and not _is_one_of(state, known, same):
            between = _between(known, state, read_others(), same)
            if not between:
                return _Change(f"was changed by another writer {when}")
            by += between
        known += [state, left]
    return _Change(_by_other_runs(by), tuple(by)) if by else _Change(None)


def _between(
    known: t.Sequence[t.Any], state: t.Any, others: t.Sequence[StoredBackup], same: Same
) -> tuple[StoredBackup, ...]:
    """The fewest backups of other runs, newest first, that lead from a known state of a document to
    another one; none if they do not.
    """
    left = list(reversed(others))
    paths: collections.deque[tuple[t.Any, tuple[StoredBackup, ...]]] = collections.deque(
        [(state, ())]
    )
    while paths:
        found, path = paths.popleft()
        for other in [one for one in left if _is_same(one.backup.after, found, same)]:
            left.remove(other)
            if _is_one_of(other.backup.before, known, same):
                return *path, other
            paths.append((other.backup.before, (*path, other)))
    return ()


def _by_other_runs(by: t.Iterable[StoredBackup]) -> str:
    told = {
        one.origin.run_id: f"{one.origin.run_id} ({_described(one.origin)})"
        for one in _newest_first(by)
    }
    noun, verb = ("run", "is") if len(told) == 1 else ("runs", "are")
    return f"was also changed by {noun} {' and '.join(told.values())}, which {verb} not rolled back"


def _together(by: t.Sequence[StoredBackup], runs: t.Sequence[str]) -> str:
    """How all runs are rolled back, by what the reader of the message sets."""
    newest = _newest_first(by)
    if sets_variables():
        ids = dict.fromkeys([*(one.origin.run_id for one in newest), *runs])
        runs = ",".join(ids)
        given = answer("rollback_run", runs) if reads_in_awx() else f"rollback_run={runs}"
        return f"Roll them back together, in one call: {given}. "
    paths = " and ".join(one.path for one in newest)
    return f"Roll them back together, in one task: add {paths} to files. "


def _newest_first(stored: t.Iterable[StoredBackup]) -> list[StoredBackup]:
    return sorted(stored, key=lambda one: (one.origin.written_at, one.path), reverse=True)


def _described(origin: Origin) -> str:
    minute = f"{origin.written_at[:16].replace('T', ' ')} UTC"
    return f"{origin.run_name}, {minute}" if origin.run_name else minute


def _is_one_of(document: t.Any, known: t.Iterable[t.Any], same: Same) -> bool:
    return any(_is_same(document, other, same) for other in known)


def _is_same(one: t.Any, other: t.Any, same: Same) -> bool:
    return one is other if one is None or other is None else same(one, other)
