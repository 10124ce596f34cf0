# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How this run was started, and what a command for its clouds repeats of that.

This plugin util is private to the collection. Pure, but for the look at the command line.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible import constants as C


@dataclasses.dataclass(frozen=True)
class Invocation:
    """How this run was started: what its command line has for ``-i``, and whether it is a job of
    AWX, whose operator has no command line.
    """

    inventories: tuple[str, ...] = ()
    in_awx: bool = False


def invocation_of(arguments: t.Mapping[str, t.Any], variables: t.Mapping[str, t.Any]) -> Invocation:
    """From Ansible's own arguments, which have absolute paths, or the configured inventory if none is
    given, and from the variables of a host.
    """
    given = [str(one) for one in arguments.get("inventory") or ()]
    configured = [str(one) for one in C.DEFAULT_HOST_LIST or ()]
    inventories = [] if given == configured else [_as_typed(one) for one in given]
    return Invocation(tuple(inventories), "awx_job_id" in variables)


def inventory_options(invocation: Invocation) -> list[str]:
    """The options of a command for the clouds of this run. The inventory of a job of AWX is gone
    after it.
    """
    inventories = () if invocation.in_awx else invocation.inventories
    return [word for one in inventories for word in ("-i", one)]


def _as_typed(inventory: str) -> str:
    """A path below the current directory as it is most likely typed."""
    here = os.path.join(os.getcwd(), "")
    return inventory.removeprefix(here) if os.path.isabs(inventory) else inventory
