# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to see what the fleet file lacks."""

from __future__ import annotations

import typing as t

import pytest
from ansible.inventory.data import InventoryData
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.uncovered import (
    how_to_permit,
    left_out,
    where_the_lines_are,
)

ONBOARD = "rayfleet.anyscale.onboard -e onboard_hosts=anyscale_uncovered --check"
WAYS: dict[str, tuple[Invocation, str]] = {
    "the configured inventory": (
        Invocation(),
        f"To see the lines to add: ansible-playbook {ONBOARD}",
    ),
    "the inventories of the command line": (
        Invocation(("fleet.yml", "my hosts")),
        f"To see the lines to add: ansible-playbook -i fleet.yml -i 'my hosts' {ONBOARD}",
    ),
    "a job of AWX": (
        Invocation(in_awx=True),
        "The lines to add are in the report of an audit, in the check authority of each cloud",
    ),
}


@pytest.mark.parametrize("case", WAYS)
def test_where_the_lines_are(case: str) -> None:
    """In AWX, no survey asks for the hosts of an onboarding, and only audits look at these clouds."""
    invocation, way = WAYS[case]
    assert where_the_lines_are(invocation) == way


def test_a_summary_says_how_to_see_them() -> None:
    assert how_to_permit(Invocation()) == (
        "The fleet file does not cover the clouds that are not permitted. To see the lines to add: "
        f"ansible-playbook {ONBOARD}"
    )


LEFT_OUT: dict[str, tuple[list[str], str | None, list[str]]] = {
    "all clouds": (["anyscale_clouds"], None, ["stray", "thief"]),
    "a limit": (["anyscale_clouds"], "thief,vision", ["thief"]),
    "a limit without them": (["anyscale_clouds"], "vision", []),
    "an audit, which looks at them": (["anyscale_clouds,anyscale_uncovered"], None, []),
    "hosts that the operator names": (["anyscale_clouds:&account_111111111111"], None, []),
}


@pytest.mark.parametrize("case", LEFT_OUT)
def test_what_a_play_for_all_clouds_leaves_out(case: str) -> None:
    hosts, limit, expected = LEFT_OUT[case]
    inventory = _inventory(anyscale_clouds=["vision"], anyscale_uncovered=["stray", "thief"])
    inventory.subset(limit)
    inventory.restrict_to_hosts(inventory.get_hosts("vision"))  # as while a play runs
    assert left_out(inventory, hosts) == expected


def test_an_inventory_by_hand_leaves_nothing_out() -> None:
    assert left_out(_inventory(anyscale_clouds=["vision"]), ["anyscale_clouds"]) == []


def _inventory(**groups: list[str]) -> t.Any:
    manager = InventoryManager(loader=DataLoader(), sources=None)
    data: InventoryData = manager._inventory
    for group, names in groups.items():
        data.add_group(group)
        for name in names:
            data.add_host(name, group)
    return manager
