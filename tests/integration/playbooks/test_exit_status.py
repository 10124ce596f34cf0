# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks exit with the statuses of the documentation's table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import VISION_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    inventory_file,
    plugin_inventory,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

PAGE = ROOT / "docs/docsite/rst/playbooks.rst"
GOOD = Cloud("good", VISION_ACCOUNT, role="good-ray", trust="foreign_principal")
WITHOUT_ROLE = Cloud("without-role", VISION_ACCOUNT, role="misspelled")

ONBOARD: dict[str, tuple[tuple[str, ...], int]] = {
    "changes": (("--check", "--limit", GOOD.name), 0),
    "a limit without hosts": (("--limit", "nosuch"), 1),
    "one cloud fails": (("--check",), 2),
    "all clouds fail": (("--check", "--limit", WITHOUT_ROLE.name), 2),
    "no cloud is selected": (("-e", "fleet_clouds=nosuch"), 2),
    "an invalid variable": (("-e", "fleet_mode=maybe"), 2),
    "an unknown tag": (("--tags", "trsut"), 2),
    "an unknown option": (("--nosuch",), 2),
    "no host matches": (("-e", "onboard_hosts=nosuch"), 4),
}
PLAYBOOKS = ("audit", "explain", "offboard", "onboard", "rollback", "verify_cluster")


# The others are Ansible's own, and what test_onboard.py has for a cloud that fails alone.
@pytest.mark.parametrize(
    "case",
    few_of(
        ONBOARD,
        "changes",
        "all clouds fail",
        "no cloud is selected",
        "an invalid variable",
        "an unknown tag",
        "no host matches",
    ),
)
def test_onboard(running_sandbox: Sandbox, tmp_path: Path, case: str) -> None:
    """As a program that started it would see."""
    options, expected = ONBOARD[case]
    running_sandbox.reset()
    running_sandbox.seed([GOOD])
    inventory = inventory_file(tmp_path, running_sandbox, [GOOD, WITHOUT_ROLE])
    run = run_playbook(running_sandbox, "onboard", inventory, *options)
    assert run.exit_status == expected, run.output
    assert run.writes == []


# All ask the same lookup first.
@pytest.mark.parametrize("playbook", few_of(PLAYBOOKS, "audit", "onboard"))
def test_an_empty_inventory(running_sandbox: Sandbox, tmp_path: Path, playbook: str) -> None:
    """It must not look like a run with nothing to do."""
    inventory = tmp_path / "fleet.yml"
    inventory.write_text("all: {}\n")
    run = run_playbook(running_sandbox, playbook, inventory)
    assert run.exit_status == 4, run.output
    assert "The inventory has no hosts." in run.output


def test_an_inventory_that_could_not_be_read(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """The error that ends the run says why, below Ansible's warnings about other plugins."""
    inventory = plugin_inventory(tmp_path)
    run = run_playbook(
        running_sandbox, "onboard", inventory, variables={"ANYSCALE_CLI_TOKEN": "expired"}
    )
    assert run.exit_status == 4, run.output
    error = run.output.rpartition("[ERROR]: ")[2]
    assert f"{inventory} could not be read: " in error
    assert "Check the token" in error


def test_the_page_has_these_statuses() -> None:
    """Those of signals are tried where runs are interrupted."""
    table = PAGE.read_text().partition("Exit statuses")[2]
    documented = {int(number) for number in re.findall(r"^   \* - (\d+)$", table, re.MULTILINE)}
    assert {status for _options, status in ONBOARD.values()} <= documented
