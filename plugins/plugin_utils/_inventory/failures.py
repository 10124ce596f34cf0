# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why inventories of this process could not be read, for who finds the inventory without hosts.

This plugin util is private to the collection. Ansible goes on after an inventory plugin has failed,
with a warning that other warnings bury: the error that ends the run has to say the reason again.
"""

from __future__ import annotations

_FAILURES: dict[str, str] = {}


def record_failure(source: str, reason: str) -> None:
    """An inventory source could not be read."""
    _FAILURES[source] = reason


def forget_failure(source: str) -> None:
    """An inventory source is read, again or for the first time."""
    _FAILURES.pop(source, None)


def failures() -> list[str]:
    """The reason of each source that could not be read."""
    return [f"{source} could not be read: {reason}" for source, reason in _FAILURES.items()]
