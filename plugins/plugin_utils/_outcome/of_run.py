# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcomes of all clouds of a run: those of the fleet engine, and of tasks of their own.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.of_role import role_outcome
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder

Json = dict[str, t.Any]


def outcomes_of_run(
    folder: RunFolder, left_to_tasks: t.Iterable[str], hostvars: t.Any, check_mode: bool
) -> dict[str, Json]:
    """The outcomes, by the names of the clouds."""
    by_role = {
        name: role_outcome(hostvars[name], folder.token, check_mode) for name in left_to_tasks
    }
    return {**folder.read_outcomes(), **by_role}
