# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of hosts that are handed over to a play: each stands for its own host there, or is refused."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    refuse_patterns,
)

pytestmark = pytest.mark.core

SAFE = [
    "vision",
    "~vis.*",
    "vis*",
    "*",
    "visio?",
    "[vu]ision",
    "vision[0]",
    "all",
    "clouds",
    "fe80::1",
]
REFUSED = ["!vision", "&vision", "vision,prod", "vision:prod:1", "vision prod:1"]


@pytest.mark.parametrize("name", SAFE)
def test_a_host_of_exactly_that_name_comes_first(name: str) -> None:
    """Whatever other hosts and groups there are that the name would match."""
    inventory = InventoryManager(DataLoader(), sources=None)
    inventory.add_group("clouds")
    for host in ("vision", "vision2", name):
        inventory.add_host(host, "clouds")
    refuse_patterns([name])
    assert [host.name for host in inventory.get_hosts([name])] == [name]


@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_matches_other_hosts_is_refused(name: str) -> None:
    with pytest.raises(AnsibleError, match="Rename it in the inventory"):
        refuse_patterns(["vision", name])
