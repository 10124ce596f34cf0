# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation's page on calls is what the tool makes of the table."""

from __future__ import annotations

import re

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.docs.tools import api_calls_page
from ansible_collections.rayfleet.anyscale.tests.support.call_budgets import ALL_SCENES
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT


def test_the_page_is_what_the_tool_writes() -> None:
    """Its first comment says how to write it."""
    assert api_calls_page.PAGE.read_text() == api_calls_page.page()
    assert api_calls_page.__name__ in api_calls_page.page().split("\n\n", maxsplit=1)[0]


@pytest.mark.parametrize("name", ALL_SCENES)
def test_the_page_shows_all_calls_of(name: str) -> None:
    (row,) = [
        row.partition("\n\n")[0]
        for row in api_calls_page.page().split("   * - ")
        if row.startswith(f"{name} (")
    ]
    shown = re.findall(r"``([^`]+)``( twice| (\d+) times)?", row)
    counts = {operation: int(number or (2 if times else 1)) for operation, times, number in shown}
    assert counts == ALL_SCENES[name].calls
    assert f"({sum(counts.values())} calls)" in row


def test_the_page_is_among_the_pages() -> None:
    sections = yaml.safe_load((ROOT / "docs/docsite/extra-docs.yml").read_text())["sections"]
    assert "api_calls" in [name for section in sections for name in section["toctree"]]
