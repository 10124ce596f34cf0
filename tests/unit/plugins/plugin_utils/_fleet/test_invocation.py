# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands for the clouds of a run repeat what its own command line needed to find them."""

from __future__ import annotations

import os

import pytest
from ansible import constants as C

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.invocation import (
    Invocation,
    inventory_options,
    invocation_of,
)

pytestmark = pytest.mark.core


def test_the_inventories_are_those_of_the_command_line() -> None:
    here = os.getcwd()
    arguments = {"inventory": [f"{here}/fleet.yml", "/etc/fleet.yml", "a,b"]}
    assert invocation_of(arguments, {}) == Invocation(("fleet.yml", "/etc/fleet.yml", "a,b"))


def test_the_configured_inventory_need_not_be_named() -> None:
    assert invocation_of({"inventory": list(C.DEFAULT_HOST_LIST)}, {}) == Invocation()
    assert invocation_of({}, {"awx_job_id": 7}).in_awx


def test_the_inventory_of_a_job_of_awx_is_gone_after_it() -> None:
    """So that no command names it."""
    assert inventory_options(Invocation(("/runner/inventory",), in_awx=True)) == []
    assert inventory_options(Invocation(("a.yml", "b c"))) == ["-i", "a.yml", "-i", "b c"]
