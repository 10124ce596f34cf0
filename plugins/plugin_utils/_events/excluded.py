# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clouds that events are not to heal, by a variable of their hosts.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible.plugins.action import ActionBase

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.host_values import (
    HostValues,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.host_variables import (
    HostVariables,
)

VARIABLE = "heal_excluded"


def without_excluded(action: ActionBase, names: t.Sequence[str]) -> list[str]:
    """The hosts whose clouds may be healed. Raises InputError for a variable without a meaning: its
    cloud was perhaps to be left out.
    """
    hosts = HostVariables(action)
    excluded = {
        name
        for lot in HostValues(action).of_hosts(names, [VARIABLE])
        if VARIABLE in lot.values
        for name in lot.hosts
        # A template may have another value for each host.
        if lot.values[VARIABLE] is True or hosts.is_true(name, VARIABLE)
    }
    return [name for name in names if name not in excluded]
