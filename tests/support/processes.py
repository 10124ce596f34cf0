# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Finds the processes of a run by a mark in their environment: Ansible's workers leave the group
and the session that they are born in.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

MARK = "RAYFLEET_TEST_RUN"
PROC = Path("/proc")


@dataclasses.dataclass(frozen=True)
class Seen:
    """What every user who lists the processes sees of one, and the environment that only its owner
    sees.
    """

    command: bytes
    environment: bytes


def marked(mark: str) -> dict[int, Seen]:
    """The processes that were started with the variable ``MARK`` set to this, and all that came
    from them, by their ids.
    """
    wanted = f"{MARK}={mark}".encode()
    found = {}
    for folder in PROC.glob("[0-9]*"):
        try:
            seen = Seen((folder / "cmdline").read_bytes(), (folder / "environ").read_bytes())
        except OSError:  # ended meanwhile, or another user's
            continue
        if wanted in seen.environment.split(b"\0"):
            found[int(folder.name)] = seen
    return found
