# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of hosts that a task hands over to a later play, as its ``hosts``.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible.errors import AnsibleError
from ansible.inventory.manager import split_host_pattern


def refuse_patterns(names: t.Iterable[str]) -> None:
    """Raise for a name that Ansible reads as something else there: its cloud would be left out, unsaid.

    One that looks like a glob, a range or a regular expression is no such name: a host of exactly that name comes before these.
    """
    for name in names:
        if name[0] in "!&" or split_host_pattern(name) != [name]:
            raise AnsibleError(f"Host {name!r} has a name that Ansible reads as a pattern. Rename it in the inventory.")
