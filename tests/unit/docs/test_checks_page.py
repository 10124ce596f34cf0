# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page on checks: its tables, and that no check and no reason code is missing anywhere."""

from __future__ import annotations

import re

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.docs.tools import checks_page
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS
from ansible_collections.rayfleet.anyscale.plugins.modules import cloud_iam_info
from ansible_collections.rayfleet.anyscale.tests.support.reason_codes import (
    codes_in,
    documented_codes,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

PLUGINS = ROOT / "plugins"
PAGES = PLUGINS.parent / "docs/docsite/rst"
SOURCES = (
    *sorted((PLUGINS / "module_utils/_converge").glob("*.py")),
    PLUGINS / "module_utils/_audit/cluster_identity.py",
)
MODULES = sorted(
    path.stem for path in (PLUGINS / "modules").glob("*.py") if path.stem != "__init__"
)


# A row of the table of reason codes without a check: codes, modules, meaning.
_ROW = re.compile(r"^   \* - (``.*)\n     - (:ansplugin:.*)\n     - \S.*$", re.MULTILINE)


def codes_on_page(module: str) -> set[str]:
    """The reason codes of a module that the page's tables have."""
    of_checks = {code for check in CHECKS if check.module == module for code in check.reasons}
    others = checks_page.PAGE.read_text().partition("Reason codes without a check\n---")[2]
    return of_checks | {
        code
        for codes, modules in _ROW.findall(others)
        if f"<rayfleet.anyscale.{module}#module>" in modules
        for code in re.findall(r"``(\w+)``", codes)
    }


def test_the_page_is_what_the_tool_writes() -> None:
    """Its first comment says how to write it."""
    assert checks_page.PAGE.read_text() == checks_page.page()
    assert checks_page.__name__ in checks_page.page().split("\n\n", maxsplit=1)[0]


def test_the_page_has_every_check() -> None:
    """With both of its titles."""
    page = checks_page.PAGE.read_text()
    for check in CHECKS:
        titles = f"Passes: {check.title}\n\n       Fails: {check.failing_title}\n"
        row = f"   * - ``{check.id}``\n\n       {titles}"
        assert row in page


def test_the_module_documents_every_check() -> None:
    """In the order of an audit."""
    returned = yaml.safe_load(cloud_iam_info.RETURN)["checks"]["contains"]["id"]["description"]
    assert re.findall(r"V\((\w+)\)", " ".join(returned)) == [check.id for check in CHECKS]


def test_troubleshooting_names_every_check() -> None:
    """Each is in one row, which says what happens while it fails."""
    rows = re.findall(
        r"^   \* - (``.*)$", (PAGES / "troubleshooting.rst").read_text(), re.MULTILINE
    )
    named = re.findall(r"``(\w+)``", " ".join(rows))
    assert sorted(named) == sorted(check.id for check in CHECKS)


@pytest.mark.parametrize("module", MODULES)
def test_the_page_has_every_reason_code_of(module: str) -> None:
    """By the documentation of its returned values."""
    assert codes_on_page(module) == documented_codes(module)


def test_every_reason_code_of_the_source_is_documented() -> None:
    in_source = {code for path in SOURCES for code in codes_in(path)}
    assert in_source == {code for module in MODULES for code in documented_codes(module)}
    assert len(in_source) > 20


def test_the_page_is_among_the_pages() -> None:
    sections = yaml.safe_load((ROOT / "docs/docsite/extra-docs.yml").read_text())["sections"]
    assert "checks" in [name for section in sections for name in section["toctree"]]
