# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How clouds are healed: how long events are waited for, and how often and how many are converged.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

_LONGEST_SECONDS = 7 * 24 * 3600
_DAY = 86400.0
_FOUND = "what audits find ("


@dataclasses.dataclass(frozen=True)
class Rules:
    """How clouds are healed; times in seconds.

    quiet: how long after its last event a cloud is converged. longest_wait: how long after the first
    one at the latest. run_seconds: after this time, a run that has not said how it ended is taken
    for lost. most_heals, window: how often a document is put back in this time; what audits find, in
    a day, unless the window is longer. first_retry,
    longest_retry: how long after a run failed for a cloud it is tried again; twice as long after each
    further one. max_clouds: how many clouds of an account a run takes; if there are more, it takes none
    of them.
    """

    quiet: float = 5.0
    longest_wait: float = 60.0
    run_seconds: float = 3600.0
    most_heals: int = 3
    window: float = 3600.0
    first_retry: float = 300.0
    longest_retry: float = 86400.0
    max_clouds: int = 100

    @property
    def most_heals_of_cloud(self) -> int:
        """How often a cloud is put back in the window, whichever of its documents changed. A cloud has few
        documents of its own, but managed policies of any number can be attached to its roles.
        """
        return 3 * self.most_heals

    def window_of(self, document: str) -> float:
        """The time in which a document is put back so often. Audits are far apart: within an hour, not even
        what changes after each run would be found so often.
        """
        return max(self.window, _DAY) if is_found(document) else self.window

    def too_many(
        self, clouds: t.Iterable[str], accounts: t.Mapping[str, str]
    ) -> dict[str, list[str]]:
        """Those of the clouds that are more than a run takes of an account, by account. A limit for all
        accounts together would let the events of one keep the clouds of others from being converged.
        """
        found: dict[str, list[str]] = {}
        for name in clouds:
            found.setdefault(accounts.get(name, ""), []).append(name)
        return {account: names for account, names in found.items() if len(names) > self.max_clouds}


def found(check: str) -> str:
    """What is noted as the document of a check by which an audit has found drift."""
    return f"{_FOUND}{check})"


def is_found(document: str) -> bool:
    """Whether an audit has noted this, and no event."""
    return document.startswith(_FOUND)


def rules_of(arguments: t.Mapping[str, t.Any]) -> Rules:
    """The rules of a task. Raises for a value that would heal never, or without end."""
    for name in ("quiet_seconds", "longest_wait_seconds", "run_seconds", "window_seconds"):
        if not 0 <= arguments[name] <= _LONGEST_SECONDS:
            raise InputError(
                f"{name} is {arguments[name]}.", "Give a number of seconds, at most a week."
            )
    for name in ("most_heals", "max_clouds"):
        if arguments[name] < 1:
            raise InputError(f"{name} is {arguments[name]}.", "Give a positive number.")
    return Rules(
        quiet=arguments["quiet_seconds"],
        longest_wait=arguments["longest_wait_seconds"],
        run_seconds=arguments["run_seconds"],
        most_heals=arguments["most_heals"],
        window=arguments["window_seconds"],
        max_clouds=arguments["max_clouds"],
    )
