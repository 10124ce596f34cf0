# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to see what the fleet file lacks."""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.uncovered import (
    lines_command,
)

ONBOARD = "rayfleet.anyscale.onboard -e onboard_hosts=anyscale_uncovered --check"
COMMANDS: dict[str, tuple[Invocation, str]] = {
    "the configured inventory": (Invocation(), f"ansible-playbook {ONBOARD}"),
    "the inventories of the command line": (
        Invocation(("fleet.yml", "my hosts")),
        f"ansible-playbook -i fleet.yml -i 'my hosts' {ONBOARD}",
    ),
    "a job of AWX": (
        Invocation(in_awx=True),
        "launch the job template onboard as a check, with the extra variable "
        "onboard_hosts=anyscale_uncovered",
    ),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_the_command(case: str) -> None:
    invocation, command = COMMANDS[case]
    assert lines_command(invocation) == command
