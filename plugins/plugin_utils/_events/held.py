# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a run of heal still has the clouds that it has taken, which is asked before each write.

This plugin util is private to the collection. The resource is locked when it is asked. So a run that
offboards or rolls back the cloud, which makes the state forget it first, writes after this one if the
answer was yes.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    RefusedError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events import messages
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.healing import Healing
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import StateFile
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud


class Held:
    """The clouds of a run."""

    def __init__(self, run: str, state: StateFile) -> None:
        self._run = run
        self._state = state
        self._read: tuple[tuple[int, ...], Healing] | None = None

    def withheld(self, clouds: t.Sequence[Cloud]) -> dict[Cloud, TaskError]:
        """Those that the run may write nothing for any more, and why."""
        by_name = {cloud.name: cloud for cloud in clouds}
        return {
            by_name[name]: RefusedError(*messages.lost(is_forgotten))
            for name, is_forgotten in self._healing().lost(self._run, by_name).items()
        }

    def _healing(self) -> Healing:
        """The state. That of thousands of clouds is read again only once it is another one."""
        version = self._state.version()
        if self._read is None or self._read[0] != version:
            self._read = version, self._state.read()
        return self._read[1]
