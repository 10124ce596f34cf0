# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell how to see what to add to the fleet file for clouds that it does not cover.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import shlex

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.invocation import (
    Invocation,
    inventory_options,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.host_names import (
    UNCOVERED_GROUP,
)


def lines_command(invocation: Invocation) -> str:
    """The command that prints the lines, and writes nothing. In AWX, whose operator has no command
    line, what to launch.
    """
    variable = f"onboard_hosts={UNCOVERED_GROUP}"
    if invocation.in_awx:
        return f"launch the job template onboard as a check, with the extra variable {variable}"
    words = ["ansible-playbook", *inventory_options(invocation), "rayfleet.anyscale.onboard"]
    words += ["-e", variable, "--check"]
    return " ".join(shlex.quote(word) for word in words)
