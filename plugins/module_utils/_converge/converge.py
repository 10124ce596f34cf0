# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only loop that changes anything: lock, load, plan, back up, save, read back.

This module util is private to the collection. Check mode's prediction, ``changed``, ``diff`` and
the returned values all come from the Plan.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    ConflictError,
    TaskError,
    UnsettledError,
    as_task_error,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    check_writable,
    delete_backup,
    write_backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.lock import (
    check_lockable,
    resource_lock,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.key_order import (
    in_aws_order,
)

_ROUNDS = 8

Json = dict[str, t.Any]
Params = t.Mapping[str, t.Any]


@dataclasses.dataclass
class Journal:
    """What a convergence has done so far: the resources that it wrote, and the backups of what it
    replaced, oldest first.
    """

    written: list[str] = dataclasses.field(default_factory=list)
    backups: list[Json] = dataclasses.field(default_factory=list)

    @property
    def last_backup(self) -> Json:
        """The part of the result that names the last backup."""
        return self.backups[-1] if self.backups else {}


@dataclasses.dataclass(frozen=True)
class Unconfirmed:
    """What was saved and not read back yet."""

    live: Live
    plan: Plan
    saved: Saved


def converge(reconciler: Reconciler[t.Any], params: Params, check_mode: bool) -> Json:
    """Converge a resource. Returns the module's result with its ``warnings``.

    params: the options for backups and locks.
    """
    live = reconciler.load()
    plan = execute(reconciler, live, reconciler.checked(live), params, check_mode, Journal())
    return result_of(reconciler, live.resource, plan)


def execute(
    reconciler: Reconciler[t.Any],
    live: Live,
    plan: Plan,
    params: Params,
    check_mode: bool,
    journal: Journal,
) -> Plan:
    """Carry out the plan of a resource. Returns the plan from what was there to what is there now,
    or in check mode would be.
    """
    if not plan.changed:
        return plan
    if check_mode:
        check_writable(reconciler.backup(live, plan), params)
        check_lockable(params.get("lock_dir"))
        return plan
    with noting_what_was_written(journal), resource_lock(live.resource, params.get("lock_dir")):
        live = reconciler.load()
        plan = _settled(reconciler, live, reconciler.checked(live), params, journal)
    return dataclasses.replace(plan, result={**plan.result, **journal.last_backup})


def save_once(
    reconciler: Reconciler[t.Any], resource: str, params: Params, journal: Journal
) -> tuple[Plan, Unconfirmed | None]:
    """Save without reading back, for callers that read many resources back later. Returns the plan
    of the change, and what is to be confirmed if anything was written.
    """
    with noting_what_was_written(journal), resource_lock(resource, params.get("lock_dir")):
        for _round in range(_ROUNDS):
            live = reconciler.load()
            plan = reconciler.checked(live)
            if not plan.changed:
                return plan, None
            saved = _save(reconciler, live, plan, params, journal)
            if saved.may_be_written:
                return plan, Unconfirmed(live, plan, saved)
        raise _unsettled(live, plan)


def confirm(
    reconciler: Reconciler[t.Any], unconfirmed: Unconfirmed, params: Params, journal: Journal
) -> Plan:
    """Read back what was saved, and converge it again if another writer has overwritten it. Returns
    the plan of what had to be done again.
    """
    with noting_what_was_written(journal):
        live, plan = _read_back(reconciler, unconfirmed)
    if not plan.changed:
        return plan
    with noting_what_was_written(journal), resource_lock(live.resource, params.get("lock_dir")):
        live, plan = _read_back(reconciler, unconfirmed)
        return _settled(reconciler, live, plan, params, journal)


@contextlib.contextmanager
def noting_what_was_written(journal: Journal) -> t.Iterator[None]:
    """Add to an error, also to a bug, what was written before it, and the backup of what that
    replaced.
    """
    try:
        yield
    except TaskError as error:
        _note_what_was_written(error, journal)
        raise
    except Exception as error:
        if not journal.written:
            raise
        failure = as_task_error(error)
        _note_what_was_written(failure, journal)
        raise failure from error


def _note_what_was_written(error: TaskError, journal: Journal) -> None:
    written = list(_unique(journal.written))
    if written and "written" not in error.details:
        error.details |= {"written": written, **journal.last_backup}
        error.remedy = f"{error.remedy} Already written: {', '.join(written)}.".strip()
        if isinstance(error, ConflictError) and journal.backups:
            error.remedy += f" Backup: {journal.backups[-1]['backup_file']}."


def result_of(reconciler: Reconciler[t.Any], resource: str, plan: Plan) -> Json:
    """The module's result for a plan that was carried out, or that has nothing to do."""
    before, after = reconciler.display(plan.before), reconciler.display(plan.after)
    return {
        **_json.plain(plan.result),
        **({"previous": _json.plain(before)} if plan.changed else {}),
        "changed": plan.changed,
        "reasons": list(plan.reasons),
        "warnings": [escape_control_chars(f"{resource}: {warning}") for warning in plan.warnings],
        "diff": diff_of(resource, before, after),
    }


def diff_of(resource: str, before: t.Any, after: t.Any) -> Json:
    """The documents before and after, in the form that Ansible displays with ``--diff``. They are
    for people alone: Ansible displays them as they are.
    """
    diff = {
        "before_header": f"{resource} (before)",
        "after_header": f"{resource} (after)",
        "before": _readable(before),
        "after": _readable(after),
    }
    return {key: escape_control_chars(text) for key, text in diff.items()}


def _settled(
    reconciler: Reconciler[t.Any], live: Live, plan: Plan, params: Params, journal: Journal
) -> Plan:
    """Write until there is nothing left to do. Each replaced document is backed up.

    Returns the plan from what was there first to what is there now.
    """
    first, before = plan, len(journal.written)
    reasons, warnings = list(first.reasons), list(first.warnings)
    for _round in range(_ROUNDS):
        if not plan.changed:
            break
        saved = _save(reconciler, live, plan, params, journal)
        live, plan = _read_back(reconciler, Unconfirmed(live, plan, saved))
        reasons += plan.reasons
        warnings += plan.warnings
    if plan.changed:
        raise _unsettled(live, plan)
    # Another writer may have written what was wanted: then nothing was changed here.
    has_written = len(journal.written) > before
    return dataclasses.replace(
        plan,
        before=first.before if has_written else plan.before,
        reasons=_unique(reasons if has_written else ()),
        warnings=_unique(warnings),
    )


def _save(
    reconciler: Reconciler[t.Any], live: Live, plan: Plan, params: Params, journal: Journal
) -> Saved:
    """Back up and save. If it is certain that nothing was written, since another writer was faster or
    the write was refused, the backup is deleted: a rollback would take it for a change.
    """
    noted = len(journal.written)
    backup = write_backup(reconciler.backup(live, plan), params)
    journal.backups += [backup] if backup else []
    try:
        saved = reconciler.save(live, plan, journal.written)
    except TaskError:  # any other exception may have come after the write
        _delete_unused(backup, journal, noted)
        raise
    _delete_unused(backup, journal, noted)
    return saved


def _delete_unused(backup: Json, journal: Journal, noted: int) -> None:
    """Delete the last backup if nothing was noted as written since."""
    if backup and len(journal.written) == noted:
        delete_backup(journal.backups.pop())


def _read_back(reconciler: Reconciler[t.Any], unconfirmed: Unconfirmed) -> tuple[Live, Plan]:
    """Read back what was saved. What is to be done again must be permitted, like any change."""
    live, plan = reconciler.read_back(unconfirmed.live, unconfirmed.plan, unconfirmed.saved)
    if plan.changed:
        reconciler.guard(live, plan)
    return live, plan


def _unsettled(live: Live, plan: Plan) -> UnsettledError:
    return UnsettledError(
        f"{live.resource} still differs after each of {_ROUNDS} attempts: another writer keeps "
        "changing it, or the service does not show what was written.",
        "Find the other writer (for AWS, in CloudTrail), then run again.",
        reasons=list(plan.reasons),
    )


def _unique(texts: t.Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _readable(document: t.Any) -> str:
    return (
        ""
        if document is None
        else _json.dumps(in_aws_order(document), indent=2, ensure_ascii=False) + "\n"
    )
