# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page of the documentation that holds the results, between two comments: all outside of them
is written by hand.
"""

from __future__ import annotations

from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs/docsite/rst/benchmark.rst"
_BEGIN = ".. What follows is written by the benchmark."
_END = ".. What came before was written by the benchmark."


def write(text: str, page: Path = PAGE) -> None:
    """Put a report in the place of the one that is there."""
    before, found_begin, rest = page.read_text().partition(_BEGIN)
    _old, found_end, after = rest.partition(_END)
    if not (found_begin and found_end):
        raise ValueError(f"{page} lacks the comments that the report goes between.")
    page.write_text(f"{before}{_BEGIN}\n\n{text}\n\n{_END}{after}")
