# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation's page on guarantees says what the tool writes, around figures that only a long run can tell."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.tools import guarantees_page
from ansible_collections.rayfleet.anyscale.tests.tools.environment import ROOT
from ansible_collections.rayfleet.anyscale.tests.tools.guarantees import GUARANTEES, Guarantee
from ansible_collections.rayfleet.anyscale.tests.tools.guarantees_page import HEAD, NONE, PAGE, kept, measured, page, table

RECORDS = [
    {"name": "races", "title": "Clouds that share", "figures": {"runs": 20, "lost": 0}},
    {"name": "faults", "title": "Calls that fail", "figures": {"cases": 1500}},
]
_ROW = re.compile(r"   \* - [^\n]+\n     - [^\n]+")
_WHERE = ("date", "processor", "memory", "system", "software")


def test_the_page_is_what_the_tool_writes() -> None:
    """Its first comment says how to write it."""
    text = PAGE.read_text()
    assert text == page(kept(text))
    assert guarantees_page.__name__ in text.split("\n\n", maxsplit=1)[0]


def test_the_figures_have_their_shape() -> None:
    """The day and the machine, then a table of two columns."""
    figures = kept(PAGE.read_text())
    if figures != NONE:
        where, head, rows = figures.partition(HEAD)
        assert tuple(re.findall(r"^:(\w+): \S", where, re.MULTILINE)) == _WHERE
        assert head and len(_ROW.findall(rows)) > 1 and _ROW.sub("", rows).strip() == ""


def test_figures_that_were_written_are_kept() -> None:
    assert kept(page(table(RECORDS))) == table(RECORDS)
    assert kept("") == NONE


def test_the_figures_of_a_long_run(tmp_path: Path) -> None:
    """In the order of the files' names."""
    assert measured(tmp_path) is None
    for record in RECORDS:
        (tmp_path / f"{record['name']}.json").write_text(json.dumps(record))
    figures = measured(tmp_path)
    assert figures is not None and tuple(re.findall(r"^:(\w+): \S", figures, re.MULTILINE)) == _WHERE
    assert figures.endswith("* - Calls that fail\n     - cases: 1500\n   * - Clouds that share\n     - runs: 20; lost: 0")


@pytest.mark.parametrize("guarantee", GUARANTEES, ids=lambda guarantee: guarantee.title)
def test_the_tests_that_show_it_exist(guarantee: Guarantee) -> None:
    assert [name for name in guarantee.tests if not (ROOT / name).is_file()] == []


def test_the_page_is_among_the_pages() -> None:
    sections = yaml.safe_load((ROOT / "docs/docsite/extra-docs.yml").read_text())["sections"]
    assert "guarantees" in [name for section in sections for name in section["toctree"]]
