# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of the documentation that shows the results, as a generated part of a hand-written page."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.rayfleet.anyscale.docs.tools.marks import replace_part

PAGE = Path(__file__).resolve().parents[1] / "docs/docsite/rst/benchmark.rst"


def write(text: str, page: Path = PAGE) -> None:
    """Replace the report on the page."""
    page.write_text(replace_part(page.read_text(), "report", text))
