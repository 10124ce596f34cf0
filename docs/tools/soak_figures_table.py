# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Put the figures that the last long run recorded into the page on guarantees, between its two
marks.
"""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.benchmarks._machine import hardware, software, today
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT

PAGE = ROOT / "docs/docsite/rst/guarantees.rst"
FIGURES = CACHE / "soak"

BEGIN = ".. What follows is written by docs/tools/soak_figures_table.py."
END = ".. What came before was written by docs/tools/soak_figures_table.py."
HEAD = ".. list-table::\n   :header-rows: 1\n   :widths: 40 60\n"


def table(records: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """Figures as a table, one row for each test that recorded some."""
    rows = [HEAD, _row("what was tried", "figures")]
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
    """The figures of the last long run, with its day and its machine; empty where it recorded none."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    if not records:
        return ""
    where = {"date": today(), **hardware(), "software": software()}
    return "\n\n".join(
        ("\n".join(f":{name}: {value}" for name, value in where.items()), table(records))
    )


def with_figures(page: str, figures: str) -> str:
    """The page with other figures between its marks."""
    before, _begin, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{figures}\n\n{END}{after}"


def main() -> int:
    """Write the figures into the page. 1: the long run recorded none."""
    figures = measured()
    if not figures:
        print(f"{FIGURES} holds no figures: run make soak first.", file=sys.stderr)
        return 1
    PAGE.write_text(with_figures(PAGE.read_text(), figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
