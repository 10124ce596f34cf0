# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the table of the page on checks, from the registry of the audit."""

from __future__ import annotations

from ansible_collections.rayfleet.anyscale.docs.tools.marks import replace_part
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS, Check
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

PAGE = ROOT / "docs/docsite/rst/checks.rst"

_HEAD = ".. list-table::\n   :header-rows: 1\n   :widths: 36 24 40\n"
_PARAGRAPH = "\n\n       "  # in a cell


def table_of_checks() -> str:
    """A row for each check, in the order of an audit."""
    head = ("check, and its titles", "reason codes", "fix")
    rows = ("   * - " + "\n     - ".join(row) for row in (head, *map(_check_row, CHECKS)))
    return "\n".join((_HEAD, *rows))


def page() -> str:
    """The page with the table as it should be."""
    return replace_part(PAGE.read_text(), "checks", table_of_checks())


def _check_row(check: Check) -> tuple[str, ...]:
    module = f":ansplugin:`{check.module} <rayfleet.anyscale.{check.module}#module>`"
    literals = ", ".join(f"``{name}``" for name in check.reasons)
    codes = f"{module}: {literals}" if check.reasons else "none"
    titles = (f"``{check.id}``", f"Passes: {check.title}", f"Fails: {check.failing_title}")
    return _PARAGRAPH.join(titles), codes, check.fix


if __name__ == "__main__":
    PAGE.write_text(page())
