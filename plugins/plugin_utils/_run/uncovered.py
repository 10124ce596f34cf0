# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clouds that the fleet file does not cover: which ones a run leaves out, and where it says what
to add to the file.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import shlex
import typing as t

from ansible.inventory.manager import InventoryManager, split_host_pattern

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.host_names import (
    CLOUDS_GROUP,
    UNCOVERED_GROUP,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import (
    Invocation,
    inventory_options,
)


def left_out(inventory: InventoryManager, hosts: t.Sequence[str]) -> list[str]:
    """The clouds that a play for all clouds leaves out, within the limit of the command line.

    hosts: the pattern of the play. One that the operator gives names the clouds that are meant.
    """
    is_for_all = split_host_pattern(list(hosts)) == [CLOUDS_GROUP]
    if not is_for_all or UNCOVERED_GROUP not in inventory.groups:  # or Ansible would warn
        return []
    found = inventory.get_hosts(UNCOVERED_GROUP, ignore_restrictions=True)
    return [host.name for host in found]


def how_to_permit(invocation: Invocation) -> str:
    """The line of a summary that counts such clouds as not permitted."""
    return (
        "The fleet file does not cover the clouds that are not permitted. "
        f"{where_the_lines_are(invocation)}"
    )


def where_the_lines_are(invocation: Invocation) -> str:
    """The command that prints the lines, and writes nothing. In AWX, whose operator has no command
    line and is not asked for the hosts of an onboarding, the report that has them.
    """
    if invocation.in_awx:
        return (
            "The lines to add are in the report of an audit, in the check authority of each cloud"
        )
    variable = f"onboard_hosts={UNCOVERED_GROUP}"
    words = ["ansible-playbook", *inventory_options(invocation), "rayfleet.anyscale.onboard"]
    words += ["-e", variable, "--check"]
    return f"To see the lines to add: {' '.join(shlex.quote(word) for word in words)}"
