# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The variables that the documentation's page on the playbooks has for each of them."""

from __future__ import annotations

import re

from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

PAGE = ROOT / "docs/docsite/rst/playbook_variables.rst"
SHARED = "Variables of several playbooks"
ROW = re.compile(r"^   \* - ``(\w+)``\n((?:     .*\n)+)", re.MULTILINE)
_SECTION = re.compile(r"^(?P<title>.+)\n-+\n(?P<text>(?:.*\n(?!.+\n-+\n))*)", re.MULTILINE)


def sections() -> dict[str, str]:
    """The texts of the page's sections, by their titles."""
    return {found["title"]: found["text"] for found in _SECTION.finditer(PAGE.read_text())}


def documented_variables(playbook: str) -> list[str]:
    """The variables of a playbook: those in its own table, and those that it shares with others."""
    found = sections()
    own = [name for name, _cells in ROW.findall(found[f"The playbook {playbook}"])]
    shared = [
        name
        for name, cells in ROW.findall(found[SHARED])
        if playbook in re.split(r", ", cells.splitlines()[-1].removeprefix("     - "))
    ]
    return own + shared
