# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who follows the guide sees what it shows: each page's commands are run, and print what is on the
page.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.docs.tools.guide_pages import FOLDER, pages, record
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox


@pytest.mark.long
@pytest.mark.parametrize("page", pages())
def test_the_commands_print_what_the_page_shows(
    running_sandbox: Sandbox, tmp_path: Path, page: str
) -> None:
    """Where it differs for a reason: python -m
    ansible_collections.rayfleet.anyscale.docs.tools.guide_pages.
    """
    text = (FOLDER / f"{page}.rst").read_text()
    assert record(text, running_sandbox, tmp_path).splitlines() == text.splitlines()


def test_these_pages_are_recorded() -> None:
    assert pages() == [
        "accounts",
        "audit",
        "first_cloud",
        "fleet",
        "plan",
        "rollback",
        "troubleshooting",
        "way_cloud_role",
        "way_compute_config",
        "way_iam_mapping",
    ]
