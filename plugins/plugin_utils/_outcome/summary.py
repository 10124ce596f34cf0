# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Summarize a run over many clouds: the counts, and the lines that the operator reads last.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import os
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    backup_directory,
    run_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.lines import merged
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.next_plays import (
    MOST_FAILED,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import (
    CHANGED,
    DEFERRED,
    FAILED,
    IN_SYNC,
    NOT_PERMITTED,
    NOT_REACHED,
    WOULD_CHANGE,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.uncovered import how_to_permit
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import undo_command
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

_MOST_LINES = 200
_PLAIN = Invocation()

Json = dict[str, t.Any]
Outcomes = t.Mapping[str, t.Mapping[str, t.Any]]


def counts_of(outcomes: Outcomes, not_permitted: t.Sequence[str] = ()) -> dict[str, int]:
    """How many clouds have which outcome. A predicted change counts as one.

    not_permitted: the clouds that are not selected, since the fleet file does not cover them.
    """
    states = [outcome["state"] for outcome in outcomes.values()]
    return {
        "selected": len(states),
        CHANGED: states.count(CHANGED) + states.count(WOULD_CHANGE),
        **{state: states.count(state) for state in (FAILED, NOT_REACHED, IN_SYNC, DEFERRED)},
        NOT_PERMITTED: len(not_permitted),
    }


def failed_clouds(outcomes: Outcomes) -> list[str]:
    """The clouds that failed, by name."""
    return _clouds_in(outcomes, FAILED)


def written_in_part(outcomes: Outcomes) -> list[str]:
    """The clouds that failed after a part was written, which no count of changes has."""
    return [name for name in failed_clouds(outcomes) if outcomes[name].get("changed")]


def backups_of(outcomes: Outcomes) -> list[dict[str, str]]:
    """The directories with the backups and the ID of their run: one, unless clouds have settings of
    their own.
    """
    files = [file for outcome in outcomes.values() for file in outcome.get("backup_files", ())]
    places = sorted({(os.path.dirname(file), run_of(file)) for file in files})
    return [{"folder": folder, "run": run} for folder, run in places]


def lines_to_add(outcomes: Outcomes) -> str:
    """What to add to the fleet file for the clouds that it does not cover: YAML, empty if nothing."""
    return merged(_lines_of_each(outcomes))


def closing_lines(
    outcomes: Outcomes,
    check_mode: bool,
    invocation: Invocation = _PLAIN,
    not_permitted: t.Sequence[str] = (),
) -> list[str]:
    """What the operator reads last: the counts, which clouds failed or were not reached, and how to
    go on. Why a cloud changed or failed was told when it did.
    """
    clouds = {"Failed": failed_clouds(outcomes)}
    clouds["Of these, a part was written for"] = written_in_part(outcomes)
    clouds["Not reached"] = _clouds_in(outcomes, NOT_REACHED)
    # Found after the change was told.
    clouds["Changed, and restored after another writer had overwritten it"] = sorted(
        name for name, outcome in outcomes.items() if outcome.get("overwritten")
    )
    told = [f"{title}: {summarize_names(names)}" for title, names in clouds.items() if names]
    return [
        _head(outcomes, check_mode, not_permitted),
        *told,
        *_not_permitted(not_permitted, invocation),
        *_how_to_go_on(outcomes, invocation),
    ]


def not_in_recap(outcomes: Outcomes) -> list[str]:
    """What the recap of hosts has not, of many clouds that failed."""
    count = len(_clouds_in(outcomes, FAILED))
    if count <= MOST_FAILED:
        return []
    return [f"Of the {count} clouds that failed, {MOST_FAILED} are in the recap of hosts."]


def lines_of(
    outcomes: Outcomes,
    check_mode: bool,
    invocation: Invocation = _PLAIN,
    not_permitted: t.Sequence[str] = (),
) -> list[str]:
    """The summary for who has not seen the run: one line of counts, one for each cloud that was not
    in sync, and how to go on.
    """
    changed = _changed(check_mode)
    shown = sorted(
        name for name, one in outcomes.items() if one["state"] not in (IN_SYNC, DEFERRED)
    )
    lines = [_line(name, outcomes[name], changed) for name in shown[:_MOST_LINES]]
    if len(shown) > _MOST_LINES:
        lines.append(f"and {len(shown) - _MOST_LINES} more")
    return [
        _head(outcomes, check_mode, not_permitted),
        *lines,
        *_not_permitted(not_permitted, invocation),
        *_how_to_go_on(outcomes, invocation),
    ]


def _lines_of_each(outcomes: Outcomes) -> t.Iterator[str]:
    errors = (outcome.get("error") or {} for outcome in outcomes.values())
    return (error["lines_to_add"] for error in errors if error.get("lines_to_add"))


def _clouds_in(outcomes: Outcomes, state: str) -> list[str]:
    return sorted(name for name, outcome in outcomes.items() if outcome["state"] == state)


def _changed(check_mode: bool) -> str:
    return "would change" if check_mode else "changed"


def _head(outcomes: Outcomes, check_mode: bool, not_permitted: t.Sequence[str]) -> str:
    counts = counts_of(outcomes, not_permitted)
    parts = [
        f"{counts[CHANGED]} {_changed(check_mode)}",
        f"{counts[IN_SYNC]} in sync",
        f"{counts[FAILED]} failed",
    ]
    more = {NOT_REACHED: "not reached", DEFERRED: "deferred", NOT_PERMITTED: "not permitted"}
    return ", ".join(parts + [f"{counts[one]} {text}" for one, text in more.items() if counts[one]])


def _not_permitted(names: t.Sequence[str], invocation: Invocation) -> list[str]:
    if not names:
        return []
    return [f"Not permitted: {summarize_names(names)}", how_to_permit(invocation)]


def _how_to_go_on(outcomes: Outcomes, invocation: Invocation) -> list[str]:
    in_sync = any(outcome["state"] == IN_SYNC for outcome in outcomes.values())
    recap = (
        ["Clouds in sync may be missing in the recap of hosts; the counts include them."]
        if in_sync
        else []
    )
    undo = [_how_to_undo(backup, invocation) for backup in backups_of(outcomes)]
    return [*recap, *_how_to_permit(outcomes), *undo]


def _line(name: str, outcome: t.Mapping[str, t.Any], changed: str) -> str:
    if outcome["state"] == FAILED:
        return f"{name} failed: {outcome.get('msg', '')}"
    if outcome["state"] == NOT_REACHED:
        return f"{name} was not reached"
    again = (
        ", and restored after another writer had overwritten it"
        if outcome.get("overwritten")
        else ""
    )
    return f"{name} {changed}: {', '.join(outcome['reasons'])}{again}"


def _how_to_permit(outcomes: Outcomes) -> list[str]:
    """Where it says what to add to the fleet file for the clouds that it does not cover."""
    if not any(_lines_of_each(outcomes)):
        return []
    return [
        "The lines to add to the fleet file are printed above. To permit what is registered at "
        "Anyscale, read them, and merge those that are right into its sections allow and clouds."
    ]


def _how_to_undo(backup: t.Mapping[str, str], invocation: Invocation) -> str:
    home = os.path.expanduser("~")
    folder = backup["folder"]
    shown = f"~{folder.removeprefix(home)}" if folder.startswith(f"{home}/") else folder
    command = undo_command(
        backup["run"],
        invocation,
        backup_dir=None if folder == backup_directory(None) else folder,
    )
    return f"Backups of the replaced documents are in {shown}. To undo this run: {command}"
