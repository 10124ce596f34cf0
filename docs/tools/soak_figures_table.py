# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the figures that the last `make soak` recorded into the page on guarantees."""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.benchmarks._machine import hardware, software, today
from ansible_collections.rayfleet.anyscale.docs.tools.marks import replace_part
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT

PAGE = ROOT / "docs/docsite/rst/guarantees.rst"
FIGURES = CACHE / "soak"
PART = "figures"
HEAD = ".. list-table::\n   :header-rows: 1\n   :widths: 40 60\n"


def table(records: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """The figures as a table, one row per test that recorded some."""
    rows = [HEAD, _row("test", "figures")]
    for record in records:
        rows.append(
            _row(
                record["title"],
                "; ".join(f"{name}: {value}" for name, value in record["figures"].items()),
            )
        )
    return "\n".join(rows)


def _row(*cells: str) -> str:
    return "   * - " + "\n     - ".join(cells)


def measured(folder: Path = FIGURES) -> str:
    """The figures of the last run with its date and machine; empty if it recorded none."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    if not records:
        return ""
    where = {"date": today(), **hardware(), "software": software()}
    return "\n\n".join(
        ("\n".join(f":{name}: {value}" for name, value in where.items()), table(records))
    )


def main() -> int:
    """Write the figures into the page. Returns 1 if the last run recorded none."""
    figures = measured()
    if not figures:
        print(f"There are no figures in {FIGURES}. Run `make soak` first.", file=sys.stderr)
        return 1
    PAGE.write_text(replace_part(PAGE.read_text(), PART, figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
