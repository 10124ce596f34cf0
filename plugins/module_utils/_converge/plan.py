# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a task: the live state, the desired state, and why they differ.

This module util is private to the collection. Pure data.
"""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class Plan:
    """The only source of check mode's prediction, ``changed``, ``diff`` and the returned values.

    before, after: JSON-safe documents; ``None`` if there is (or will be) none.
    reasons: codes, one per kind of difference; empty if nothing is to be written.
    warnings: messages for the user, also if nothing changes.
    result: the module's return values, as they will be once the plan is applied.
    """

    before: t.Any
    after: t.Any
    reasons: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    result: t.Mapping[str, t.Any] = dataclasses.field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.reasons)

    def without_documents(self) -> Plan:
        """The same plan for those who only need to know what it comes to: thousands of documents
        need much memory.
        """
        single = {
            name: value
            for name, value in self.result.items()
            if value is None or isinstance(value, (str, int))
        }
        return Plan(None, None, self.reasons, self.warnings, single)
