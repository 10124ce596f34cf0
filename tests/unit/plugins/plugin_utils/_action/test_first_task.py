# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The first task of a playbook validates the variables of that playbook, and of no other."""

from __future__ import annotations

import types
import typing as t

import pytest
from ansible import context
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.playbook.task import Task
from ansible.template import Templar
from ansible.vars.manager import VariableManager

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.first_task import validated

pytestmark = pytest.mark.core


@pytest.mark.parametrize("playbook", ["onbord", "", None])
def test_an_unknown_playbook_is_refused(playbook: t.Any) -> None:
    """Its variables would not be validated."""
    with pytest.raises(AnsibleError, match="Give one of audit, explain, onboard"):
        validated(t.cast(t.Any, None), playbook, {})


def action_of(run_once: bool, hosts: dict[str, dict[str, t.Any]], **of_play: t.Any) -> t.Any:
    """The first task of a play of hosts with these variables."""
    loader = DataLoader()
    inventory = InventoryManager(loader, sources=[",".join(hosts) + ","])
    for name, variables in hosts.items():
        for variable, value in variables.items():
            inventory.hosts[name].set_variable(variable, value)
    manager = VariableManager(loader, inventory)
    play = Play.load({"name": "Run", "hosts": "all", "vars": of_play}, manager, loader)
    given = {"name": "First", "action": "debug", "run_once": run_once}
    task = Task.load(given, variable_manager=manager, loader=loader)
    play.hosts = ["all"]  # as Ansible has it once the play runs
    task.get_play = lambda: play
    templar = Templar(loader, variables={})
    parts = {"_task": task, "_loader": loader, "_templar": templar, "BYPASS_HOST_LOOP": False}
    return types.SimpleNamespace(**parts)


IGNORED: dict[str, tuple[str, dict[str, t.Any], dict[str, t.Any], str]] = {
    "a pattern that has selected nothing": (
        "offboard",
        {"offboard_hosts": "lab"},
        {},
        "offboard_hosts is a variable of hosts (lab), where it has no effect",
    ),
    "the pattern of an import": ("offboard", {}, {"offboard_hosts": "all"}, ""),
    "one that only hosts have the variables of": (
        "offboard",
        {},
        {"offboard_hosts": "lab"},
        "offboard_hosts is lab for a host, but this run is for all",
    ),
    "a pause of one cloud": ("heal", {"heal_paused": True}, {}, "heal_paused is read once"),
    "a pause that is the play's": ("heal", {"heal_paused": True}, {"heal_paused": False}, ""),
}


@pytest.mark.parametrize("case", IGNORED)
def test_what_hosts_have_and_the_playbook_would_ignore(
    monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """A task that runs for each host reads what each has."""
    monkeypatch.setattr(context, "CLIARGS", {})
    playbook, of_lab, of_play, words = IGNORED[case]
    hosts = {"speech": {}, "lab": of_lab}
    variables = {
        **of_lab,
        **of_play,
        "groups": {"all": list(hosts)},
        "ansible_play_hosts_all": list(hosts),
    }
    for run_once in (False, True):
        action = action_of(run_once, hosts, **of_play)
        action._templar.available_variables = variables
        if run_once and words:
            with pytest.raises(AnsibleError) as caught:
                validated(action, playbook, variables)
            assert str(caught.value).startswith(words)
        else:
            validated(action, playbook, variables)


def test_a_job_with_the_number_of_another_one_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before it reads anything."""
    monkeypatch.setattr(context, "CLIARGS", {})
    monkeypatch.setenv("JOB_ID", "4712")
    with pytest.raises(AnsibleError, match="this is the job 4712 of AWX"):
        validated(action_of(True, {"lab": {}}), "audit", {"awx_job_id": 4711})
