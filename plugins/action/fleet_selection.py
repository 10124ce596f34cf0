# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Narrow a play to the clouds that a survey's answers mean. Its documentation is in
plugins/modules.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_arn
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    FleetAction,
    host_variable,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.selection import (
    Place,
    Selection,
    parse_selection,
)

_ANSWERS = ("accounts", "regions", "clouds")
_RULES = {
    "argument_spec": {
        **{name: {"type": "list", "elements": "str", "default": []} for name in _ANSWERS},
        "required": {"type": "bool", "default": False},
        "may_be_empty": {"type": "bool", "default": False},
    }
}


class ActionModule(FleetAction):
    """Runs once for all hosts of the batch."""

    rules = _RULES

    def run_for(
        self, names: list[str], hostvars: t.Any, arguments: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Validate the answers, and say which hosts they mean."""
        selection = parse_selection(**{name: arguments[name] for name in _ANSWERS})
        if arguments["required"] and selection.is_everything:
            raise InputError(
                "No cloud is chosen",
                "Give fleet_clouds, fleet_accounts or fleet_regions; fleet_clouds=* is all clouds.",
            )
        hosts, nowhere = _select(selection, names, hostvars)
        if not hosts and not arguments["may_be_empty"]:
            raise InputError(
                f"None of {len(names)} clouds is selected by {selection}",
                "Check the spelling against the inventory.",
            )
        warnings = [
            f"{name} is left out: its variables tell no account, or no region." for name in nowhere
        ]
        return {"hosts": hosts, "total": len(names), "warnings": warnings}


def _select(selection: Selection, names: list[str], hostvars: t.Any) -> tuple[list[str], list[str]]:
    """The hosts that are meant, and those left out for want of a place."""
    named = [name for name in names if selection.names(name)]
    if not selection.asks_for_places:
        return named, []
    places = {name: _place(hostvars[name]) for name in named}
    hosts = [name for name in named if selection.covers(places[name])]
    lacks = [
        name
        for name in named
        if (selection.accounts and not places[name].account)
        or (selection.regions and not places[name].region)
    ]
    return hosts, lacks


def _place(known: t.Mapping[str, t.Any]) -> Place:
    """Where a host's cloud is. The account is the one that is given, else that of the role's ARN."""
    role = parse_arn(_text(known, "cloud_iam_role") or "")
    account = _text(known, "cloud_iam_account_id") or (role and role.account_id)
    return Place(account or None, _text(known, "cloud_iam_region"))


def _text(known: t.Mapping[str, t.Any], name: str) -> str | None:
    value = host_variable(known, name)
    return str(value) if value else None
