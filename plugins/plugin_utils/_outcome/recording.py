# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell what a run did where that cannot be recorded for the plays after it, such as on a full disk.

This plugin util is private to the collection.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.summary import (
    Outcomes,
    backups_of,
    closing_lines,
    written_in_part,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import CHANGED
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import (
    counted,
    summarize_names,
)

Show = t.Callable[[str], object]


@contextlib.contextmanager
def recording(folder: RunFolder) -> t.Iterator[None]:
    """What a run that writes nothing to AWS records."""
    with recording_outcomes(folder, {}, Invocation(), str):
        yield


@contextlib.contextmanager
def recording_outcomes(
    folder: RunFolder, outcomes: Outcomes, invocation: Invocation, show: Show
) -> t.Iterator[None]:
    """What a run records of its outcomes. Where that fails, no later play tells them.

    show: displays text as it stands, so that the command in it can be pasted.
    """
    try:
        yield
    except OSError as error:
        cause = f"cannot be recorded in {folder.path}: {error.strerror or error}"
        changed = [name for name, one in outcomes.items() if one["state"] == CHANGED]
        changed += written_in_part(outcomes)
        if changed:
            show("\n".join(["", *closing_lines(outcomes, False, invocation)]))
        raise TaskError(
            _what_changed(outcomes, changed)
            if changed
            else f"The run {cause}. It changed no cloud.",
            f"{f'This {cause}. ' if changed else ''}Free space there, and run again: what is in sync "
            "is left as it is.",
        ) from error


def _what_changed(outcomes: Outcomes, changed: t.Sequence[str]) -> str:
    backups = backups_of(outcomes)
    runs = ", ".join(dict.fromkeys(one["run"] for one in backups))
    folders = ", ".join(dict.fromkeys(one["folder"] for one in backups))
    what = f"changed {counted(len(changed), 'cloud')}: {summarize_names(changed)}."
    if not backups:
        return f"The run {what}"
    return (
        f"Run {runs} {what} Backups of the replaced documents are in {folders}. How to undo the run is "
        "displayed above."
    )
