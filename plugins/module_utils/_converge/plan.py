# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task decided: the wanted state beside the live one, and why they differ.

This module util is private to the collection. Pure: a plan is made from data and holds data.
"""

from __future__ import annotations

import dataclasses
import typing as t


@dataclasses.dataclass(frozen=True)
class Plan:
    """The one source of check mode's prediction, ``changed``, ``diff`` and the returned values.

    before, after: JSON-safe documents, ``None`` where there is (or will be) none.
    reasons: codes, one for each kind of difference; empty means that nothing will be written.
    warnings: sentences for the user, also when nothing changes.
    result: the module's own return values, as they will be once the plan is applied.
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
