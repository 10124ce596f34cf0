# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page on guarantees: its figures, and the tests that it names."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.docs.tools.marks import part_of
from ansible_collections.rayfleet.anyscale.docs.tools.soak_figures_table import (
    HEAD,
    PAGE,
    PART,
    measured,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

RECORDS = [
    {"name": "races", "title": "Clouds that share", "figures": {"runs": 20, "lost": 0}},
    {"name": "faults", "title": "Calls that fail", "figures": {"cases": 1500}},
]
_ROW = re.compile(r"   \* - [^\n]+\n     - [^\n]+")
_WHERE = ("date", "processor", "memory", "system", "software")
_TEST_FILE = re.compile(r"``(tests/[\w/]+\.py)``")


def test_the_figures_have_their_shape() -> None:
    """The day and the machine, then a table of two columns."""
    where, head, rows = part_of(PAGE.read_text(), PART).partition(HEAD)
    assert tuple(re.findall(r"^:(\w+): \S", where, re.MULTILINE)) == _WHERE
    assert head
    assert len(_ROW.findall(rows)) > 1
    assert _ROW.sub("", rows).strip() == ""


def test_the_figures_of_a_long_run(tmp_path: Path) -> None:
    """In the order of the files' names."""
    assert measured(tmp_path) == ""
    for record in RECORDS:
        (tmp_path / f"{record['name']}.json").write_text(json.dumps(record))
    figures = measured(tmp_path)
    assert tuple(re.findall(r"^:(\w+): \S", figures, re.MULTILINE)) == _WHERE
    assert figures.endswith(
        "* - Calls that fail\n     - cases: 1500\n   * - Clouds that share\n     - runs: 20; "
        "lost: 0"
    )


@pytest.mark.parametrize("name", sorted(set(_TEST_FILE.findall(PAGE.read_text()))))
def test_the_tests_that_it_names_exist(name: str) -> None:
    assert (ROOT / name).is_file()


def test_each_section_names_its_tests() -> None:
    sections = re.split(r"\n(?=[^\n]+\n-{3,}\n)", PAGE.read_text())
    assert [
        section.splitlines()[0]
        for section in sections
        if "What holds:" in section and not _TEST_FILE.search(section)
    ] == []


def test_the_page_is_among_the_pages() -> None:
    sections = yaml.safe_load((ROOT / "docs/docsite/extra-docs.yml").read_text())["sections"]
    assert "guarantees" in [name for section in sections for name in section["toctree"]]
