# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Select the clouds of a play by the answers of a survey. The documentation is in
plugins/modules.
"""

from __future__ import annotations

import typing as t

from ansible import context

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_arn
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.first_task import (
    PLAYBOOK,
    FirstTask,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    host_variable,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.hosts import NOT_READ
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import (
    RunFolder,
    new_token,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import invocation_of
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.selection import (
    Location,
    Selection,
    parse_selection,
    refuse_unconfirmed,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.uncovered import left_out
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import (
    how_to_select,
    where_the_hosts_are,
)

_ANSWERS = ("accounts", "regions", "clouds")
_RULES = {
    "argument_spec": {
        **PLAYBOOK,
        **{name: {"type": "list", "elements": "str", "default": []} for name in _ANSWERS},
        "require_selection": {"type": "bool", "default": False},
        "limited": {"type": "bool", "default": False},
        "confirm_above": {"type": "int"},
        "confirmed": {"type": "int"},
        "allow_empty_selection": {"type": "bool", "default": False},
    }
}


class ActionModule(FirstTask):
    """Runs once for all hosts of the batch."""

    rules = _RULES

    def run_for(
        self, names: list[str], hostvars: t.Any, arguments: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Validate the answers, and return the hosts that they select."""
        invocation = invocation_of(context.CLIARGS, hostvars["localhost"])
        selection = parse_selection(**{name: arguments[name] for name in _ANSWERS})
        is_selected = arguments["limited"] or not selection.is_empty
        if arguments["require_selection"] and not is_selected:
            raise InputError("No cloud is selected", how_to_select(invocation))
        hosts, unlocated = _select(selection, names, hostvars)
        uncovered = left_out(hostvars._inventory, self._task.get_play().hosts)
        not_permitted, _unlocated = _select(selection, uncovered, hostvars)
        none = _none_of(len(names), selection)
        if not hosts and not arguments["allow_empty_selection"]:
            raise InputError(none, where_the_hosts_are(invocation))
        numbers = (arguments["confirm_above"], arguments["confirmed"])
        refuse_unconfirmed(len(hosts), *numbers, invocation)
        warnings = [_location_warning(name, hostvars[name]) for name in unlocated]
        if not hosts:
            warnings.append(
                f"{none}. Unless this is a slice of a job, and others have the selected clouds, compare "
                "the spelling with the inventory."
            )
        run = new_token()
        RunFolder(run).write("selection", {"not_permitted": not_permitted})
        return {
            "run": run,
            "hosts": hosts,
            "not_permitted": not_permitted,
            "total": len(names),
            "warnings": warnings,
        }


def _none_of(clouds: int, selection: Selection) -> str:
    subject = "The only cloud is not" if clouds == 1 else f"None of the {clouds} clouds is"
    return f"{subject} selected by {selection}"


def _location_warning(name: str, known: t.Mapping[str, t.Any]) -> str:
    # What the fleet file sets does not reach the host of a cloud that could not be read.
    why_not_read = _text(known, NOT_READ)
    remedy = why_not_read or "Set cloud_iam_account_id and cloud_iam_region for this host."
    return f"{name} is left out, because its account or region is unknown. {remedy}"


def _select(selection: Selection, names: list[str], hostvars: t.Any) -> tuple[list[str], list[str]]:
    """The selected hosts, and those left out because their account or region is unknown."""
    named = [name for name in names if selection.matches_name(name)]
    if not selection.needs_locations:
        return named, []
    locations = {name: _location(hostvars[name]) for name in named}
    hosts = [name for name in named if selection.matches_location(locations[name])]
    unlocated = [
        name
        for name in named
        if (selection.accounts and not locations[name].account)
        or (selection.regions and not locations[name].region)
    ]
    return hosts, unlocated


def _location(known: t.Mapping[str, t.Any]) -> Location:
    """The account and region of a host's cloud. The account is that of the variable, else that of
    the role's ARN. A cloud that is not permitted may have only those that are registered.
    """
    role = parse_arn(_text(known, "cloud_iam_role") or "")
    account = _text(known, "cloud_iam_account_id") or (role and role.account_id)
    return Location(
        account or _text(known, "anyscale_account_id"),
        _text(known, "cloud_iam_region") or _text(known, "anyscale_region"),
    )


def _text(known: t.Mapping[str, t.Any], name: str) -> str | None:
    value = host_variable(known, name)
    return str(value) if value else None
