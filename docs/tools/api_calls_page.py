# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the table of the page on API calls, from the table that the tests compare real calls with."""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.docs.tools.marks import replace_part
from ansible_collections.rayfleet.anyscale.tests.sandbox._journal import writes
from ansible_collections.rayfleet.anyscale.tests.support.call_budgets import ALL_SCENES
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

PAGE = ROOT / "docs/docsite/rst/api_calls.rst"

_TIMES = {1: "", 2: " twice"}


def page() -> str:
    """The page with the table as it should be."""
    return replace_part(PAGE.read_text(), "calls", "\n".join(_table()))


def _table() -> t.Iterator[str]:
    yield ".. list-table::\n   :header-rows: 1\n   :widths: 22 28 25 25\n"
    yield _row(
        "state of the cloud", "AWS calls that read", "AWS calls that write", "Anyscale calls"
    )
    for name, scene in ALL_SCENES.items():
        anyscale = {
            operation: count for operation, count in scene.calls.items() if "/" in operation
        }
        aws = {
            operation: count
            for operation, count in scene.calls.items()
            if operation not in anyscale
        }
        changes = {operation: count for operation, count in aws.items() if writes("aws", operation)}
        reads = {operation: count for operation, count in aws.items() if operation not in changes}
        yield _row(
            f"{name} ({sum(scene.calls.values())} calls)",
            *map(_counted, (reads, changes, anyscale)),
        )


def _row(*cells: str) -> str:
    return "   * - " + "\n     - ".join(cells)


def _counted(calls: t.Mapping[str, int]) -> str:
    return (
        ", ".join(
            f"``{operation}``{_TIMES.get(count, f' {count} times')}"
            for operation, count in calls.items()
        )
        or "none"
    )


if __name__ == "__main__":
    PAGE.write_text(page())
