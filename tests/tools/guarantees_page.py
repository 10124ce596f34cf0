# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes the documentation's page on guarantees; the figures in it are those of the last long run, and kept until the next one."""

from __future__ import annotations

import argparse
import json
import textwrap
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tests.bench._machine import hardware, software, today
from ansible_collections.rayfleet.anyscale.tests.tools.environment import CACHE, ROOT
from ansible_collections.rayfleet.anyscale.tests.tools.guarantees import GUARANTEES, Guarantee

PAGE = ROOT / "docs/docsite/rst/guarantees.rst"
FIGURES = CACHE / "soak"

BEGIN = ".. What follows is written by the long run."
END = ".. What came before was written by the long run."
NONE = "There are none: no long run has been made since this page was begun."
HEAD = ".. list-table::\n   :header-rows: 1\n   :widths: 40 60\n"

_PAGE = """\
..
  Do not edit this page. It is written by
  python -m ansible_collections.rayfleet.anyscale.tests.tools.guarantees_page

  Copyright (c) 2026, Rayfleet contributors
  GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
  SPDX-License-Identifier: GPL-3.0-or-later

.. _ansible_collections.rayfleet.anyscale.docsite.guarantees:

What is guaranteed and how it is tested
=======================================

As far as the APIs of AWS allow, no policy statement of others is lost, and a run that stops half-way is completed by the next. Each section
says what that means, what it does not, and which tests show it. They all run against the sandbox, which does what is known of AWS and
Anyscale, and not against AWS.

Repeat it
---------

.. code-block:: console

   $ make test                           # everything, with the bounded versions of these tests
   $ make soak                           # the long versions; writes the figures below
   $ .venv/bin/pytest FILE               # the bounded version of one file
   $ .venv/bin/pytest -m soak FILE       # the long version, where it has one

Files are named from the root of the clone, which ``make setup`` makes ready.

{sections}

Figures of the last long run
----------------------------

{figures}
"""


def page(figures: str) -> str:
    """The whole page, with a text of figures."""
    return _PAGE.format(sections="\n\n".join(map(_section, GUARANTEES)), figures=f"{BEGIN}\n\n{figures}\n\n{END}")


def _section(guarantee: Guarantee) -> str:
    tests = ", ".join(f"``{name}``" for name in guarantee.tests)
    return "\n\n".join(
        (
            f"{guarantee.title}\n{'-' * len(guarantee.title)}",
            "What holds:",
            _listed(guarantee.holds),
            "What does not:",
            _listed(guarantee.does_not),
            _wrapped(f"Shown by {tests}."),
        )
    )


def _listed(items: t.Iterable[str]) -> str:
    return "\n".join(_wrapped(item, "* ") for item in items)


def _wrapped(text: str, begin: str = "") -> str:
    return textwrap.fill(
        text, 120, initial_indent=begin, subsequent_indent=" " * len(begin), break_long_words=False, break_on_hyphens=False
    )


def table(records: t.Iterable[t.Mapping[str, t.Any]]) -> str:
    """Figures as a table, one row for each test that recorded some."""
    rows = [HEAD, _row("what was tried", "figures")]
    for record in records:
        rows.append(_row(record["title"], "; ".join(f"{name}: {value}" for name, value in record["figures"].items())))
    return "\n".join(rows)


def _row(*cells: str) -> str:
    return "   * - " + "\n     - ".join(cells)


def measured(folder: Path = FIGURES) -> str | None:
    """The figures of the long run that ended last, with its day and its machine; ``None`` where there are none."""
    records = [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]
    if not records:
        return None
    where = {"date": today(), **hardware(), "software": software()}
    return "\n\n".join(("\n".join(f":{name}: {value}" for name, value in where.items()), table(records)))


def kept(text: str) -> str:
    """The figures that a page has."""
    _before, _begin, rest = text.partition(f"{BEGIN}\n\n")
    return rest.partition(f"\n\n{END}")[0] or NONE


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--measured", action="store_true", help="put in the figures that a long run has recorded just now")
    figures = measured() if parser.parse_args().measured else None
    PAGE.write_text(page(figures or kept(PAGE.read_text() if PAGE.exists() else "")))


if __name__ == "__main__":
    main()
