# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documentation's page on permissions is what the tool makes of the table."""

from __future__ import annotations

import json

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.docs.tools import permissions_page
from ansible_collections.rayfleet.anyscale.docs.tools.marks import parts
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.scope import (
    parse_scope,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.statements import (
    PLAYBOOKS,
    READING,
    policy,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT


def test_the_page_is_what_the_tool_writes() -> None:
    """Its first comment says how to write it."""
    assert permissions_page.PAGE.read_text() == permissions_page.page()
    assert permissions_page.__name__ in permissions_page.page().split("\n\n", maxsplit=1)[0]
    assert parts(permissions_page.page()) == ["caller_policy", "trust_policy", *PLAYBOOKS]


def test_the_page_names_the_statements_that_check_mode_needs() -> None:
    assert " or ".join(f"``{prefix}``" for prefix in READING) in permissions_page.page()


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_page_shows_the_policy_of(playbook: str) -> None:
    blocks = permissions_page.page().split(".. code-block:: json\n")[1:]
    shown = [json.JSONDecoder().raw_decode(block.lstrip())[0] for block in blocks]
    assert policy(playbook, parse_scope("123456789012")) in shown
    assert f"\nThe playbook {playbook}\n" in permissions_page.page()


def test_the_page_is_among_the_pages() -> None:
    sections = yaml.safe_load((ROOT / "docs/docsite/extra-docs.yml").read_text())["sections"]
    assert "permissions" in [name for section in sections for name in section["toctree"]]
