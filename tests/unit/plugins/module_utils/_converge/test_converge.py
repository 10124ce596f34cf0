# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow of all tasks: it ends once there is nothing left to do, and reports as a change only
what it wrote itself.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import Task, run
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import UnsettledError

ROUNDS = 8
WRONG, IN_SYNC = Plan("old", "new", reasons=("differs",)), Plan("new", "new")


class Scripted(Task):
    """A task whose reads return scripted plans."""

    def __init__(self, folder: Path, found: list[Plan], writes: bool = True) -> None:
        super().__init__({"lock_dir": str(folder)}, lambda _params: t.cast(t.Any, None))
        self._found, self._writes = iter(found), writes

    @property
    def resource(self) -> str:
        return "the document"

    def plan(self) -> Plan:
        return WRONG

    def apply(self, plan: Plan) -> None:
        if self._writes:
            self.written.append(self.resource)

    def verify(self, plan: Plan) -> Plan:
        return next(self._found)


@pytest.mark.parametrize("writes", [1, 2, ROUNDS - 1, ROUNDS])
def test_it_is_settled_by_whichever_write_is_the_last_one(tmp_path: Path, writes: int) -> None:
    task = Scripted(tmp_path, [*[WRONG] * (writes - 1), IN_SYNC])
    result = run(task, check_mode=False)
    assert result["changed"]
    assert result["previous"] == "old"
    assert len(task.written) == writes


def test_it_gives_up_after_so_many(tmp_path: Path) -> None:
    with pytest.raises(UnsettledError, match=f"after each of {ROUNDS} attempts") as caught:
        run(Scripted(tmp_path, [WRONG] * ROUNDS), check_mode=False)
    assert caught.value.details["written"] == ["the document"]


def test_what_another_writer_wrote_is_no_change_of_ours(tmp_path: Path) -> None:
    """Just what was wanted, in the moment between the read and the write, which was not made then."""
    result = run(Scripted(tmp_path, [IN_SYNC], writes=False), check_mode=False)
    assert (result["changed"], result["reasons"]) == (False, [])
    assert "previous" not in result
