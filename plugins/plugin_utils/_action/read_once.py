# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of hosts that would be ignored, since a playbook reads the variable once for all of them.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible.inventory.manager import split_host_pattern

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.host_values import Lot
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.playbook_variables import (
    Playbook,
    Variable,
)

Groups = t.Mapping[str, t.Sequence[str]]
_MOST_NAMED = 3
# Left out of a pattern where the inventory has none.
_UNCOVERED = "anyscale_uncovered"


def refuse_pattern_of_hosts(
    playbook: Playbook,
    of_play: t.Container[str],
    lots: t.Sequence[Lot],
    groups: Groups,
    in_awx: bool,
) -> None:
    """Raise InputError if hosts have the variable for the pattern of hosts, and the play does not:
    Ansible has then selected other hosts than this pattern says.
    """
    name = playbook.hosts_variable
    if not name or name in of_play:
        return
    variable = playbook.variables[name]
    hosts = [
        host for lot in lots if not variable.is_unset(lot.values.get(name)) for host in lot.hosts
    ]
    if hosts:
        raise InputError(
            f"{name} is a variable of hosts ({_label(hosts, lots, groups)}), where it has no effect: "
            "Ansible selects the hosts of a play before it reads theirs",
            "Take it out of the inventory. Set it "
            + (
                "in the extra variables of the job template."
                if in_awx
                else f"by -e, such as {variable.command()}, or use --limit."
            )
            + _for_some(variable),
        )


def refuse_other_pattern(
    playbook: Playbook, given: t.Sequence[str], selected: t.Sequence[str]
) -> None:
    """Raise InputError if the hosts of the play are not those of its variable: Ansible takes the default
    for a template whose variables only hosts have.

    given: the value of the variable for a host. selected: the hosts of the play.
    """
    wanted, taken = (
        {*split_host_pattern(list(pattern))} - {_UNCOVERED} for pattern in (given, selected)
    )
    if wanted != taken:
        name = playbook.hosts_variable
        raise InputError(
            f"{name} is {','.join(given)} for a host, but this run is for {','.join(selected)}: Ansible "
            "selects the hosts of a play before it reads their variables",
            f"Set {name} to a pattern without variables of hosts.",
        )


def refuse_differing(
    playbook: Playbook, lots: t.Sequence[Lot], groups: Groups, in_awx: bool
) -> None:
    """Raise InputError for the first variable of which hosts have different values."""
    for name in playbook.read_once:
        variable = playbook.variables[name]
        values = [_value(variable, lot) for lot in lots]
        if any(value != values[0] for value in values):
            raise InputError(
                f"{name} is read once for all hosts of a run, but {_difference(variable, lots, groups)}",
                "Set it to one value for all of them, such as in group_vars/all.yml"
                + ("." if in_awx else " or by -e.")
                + _for_some(variable),
            )


def _difference(variable: Variable, lots: t.Sequence[Lot], groups: Groups) -> str:
    """Which hosts have another value than others."""
    unset = [variable.is_unset(lot.values.get(variable.name)) for lot in lots]
    if any(unset):
        having = [
            host
            for lot, is_unset in zip(lots, unset, strict=True)
            if not is_unset
            for host in lot.hosts
        ]
        return f"it is set for {_label(having, lots, groups)}, and not for the others"
    first = _value(variable, lots[0])
    others = [host for lot in lots if _value(variable, lot) != first for host in lot.hosts]
    return f"{_label(others, lots, groups)} and the others have different values of it"


def _value(variable: Variable, lot: Lot) -> t.Any:
    """What a lot has in the end, in the type of the variable where that can be told without a
    template.
    """
    value = lot.values.get(variable.name)
    if variable.is_unset(value):
        return variable.default
    try:
        return variable.parse(value)
    except InputError:
        return value


def _for_some(variable: Variable) -> str:
    if not variable.for_some:
        return ""
    return f" For some clouds alone, set {variable.for_some} for them in the inventory."


def _label(hosts: t.Collection[str], lots: t.Sequence[Lot], groups: Groups) -> str:
    """Hosts of the run by the name of their group, if they are all that it has in the run, else by
    their own.
    """
    of_run = {host for lot in lots for host in lot.hosts}
    for name in sorted(groups):
        if of_run.intersection(groups[name]) == set(hosts):
            return f"the group {name}"
    named = sorted(hosts)[:_MOST_NAMED]
    rest = len(hosts) - len(named)
    return ", ".join(named) + (f" and {rest} more" if rest else "")
