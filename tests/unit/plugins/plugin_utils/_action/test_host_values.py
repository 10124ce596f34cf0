# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The values of hosts are those that Ansible has, wherever they are set, and are read in lots."""

from __future__ import annotations

import json
import types
import typing as t
from pathlib import Path

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook.play import Play
from ansible.vars.manager import VariableManager

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.host_values import (
    HostValues,
)

pytestmark = pytest.mark.core

Json = dict[str, t.Any]
HOSTS = ["speech", "vision", "lab"]
IN_GROUPS: Json = {
    "all": {
        "children": {
            "clouds": {"hosts": {name: {"other": name} for name in HOSTS}},
            "account": {"hosts": {"speech": None, "vision": None}},
        }
    }
}


def values_in(folder: Path, files: dict[str, Json], **of_play: t.Any) -> HostValues:
    """Those of an inventory with these files beside it, in a play with these variables."""
    for name, content in {"inventory.yml": IN_GROUPS, **files}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(content))
    loader = DataLoader()
    loader.set_basedir(str(folder))
    inventory = InventoryManager(loader, sources=[str(folder / "inventory.yml")])
    manager = VariableManager(loader, inventory)
    play = Play.load({"name": "Heal", "hosts": "all", "vars": of_play}, manager, loader)
    task = types.SimpleNamespace(get_play=lambda: play, get_variable_manager=lambda: manager)
    return HostValues(t.cast(t.Any, types.SimpleNamespace(_task=task)))


ALL = "group_vars/all.yml"
ACCOUNT = "group_vars/account.yml"
LAB = "host_vars/lab.yml"
LOTS: dict[str, tuple[dict[str, Json], list[tuple[list[str], Json]]]] = {
    "none": ({ALL: {"other": 1}}, [(HOSTS, {})]),
    "of all": ({ALL: {"paused": True}}, [(HOSTS, {"paused": True})]),
    "of a group": (
        {ACCOUNT: {"paused": True}},
        [(["speech", "vision"], {"paused": True}), (["lab"], {})],
    ),
    "of a host, before that of all": (
        {ALL: {"paused": True}, LAB: {"paused": False}},
        [(["speech", "vision"], {"paused": True}), (["lab"], {"paused": False})],
    ),
    "not templated": ({ALL: {"paused": "{{ x }}"}}, [(HOSTS, {"paused": "{{ x }}"})]),
}


@pytest.mark.parametrize("case", LOTS)
def test_what_hosts_have(tmp_path: Path, case: str) -> None:
    files, lots = LOTS[case]
    assert values_in(tmp_path, files).of_hosts(HOSTS, ["paused", "most"]) == lots


def test_variables_of_the_inventory_and_of_tasks_count(tmp_path: Path) -> None:
    """Those that the inventory plugin sets, and a task before."""
    values = values_in(tmp_path, {})
    values._inventory.hosts["speech"].set_variable("most", 3)
    values._inventory.groups["account"].set_variable("most", 4)
    values._manager.set_nonpersistent_facts("lab", {"most": 5})
    found = values.of_hosts(HOSTS, ["most"])
    assert [lot.values for lot in found] == [{"most": 3}, {"most": 4}, {"most": 5}]


def test_a_variable_of_the_play_is_that_of_all_hosts(tmp_path: Path) -> None:
    """And selects them. One of the inventory does not."""
    values = values_in(tmp_path, {ACCOUNT: {"paused": True, "hosts": "lab"}}, paused=False)
    assert {lot.values["paused"] for lot in values.of_hosts(HOSTS, ["paused"])} == {False}
    assert "paused" in values.of_play()
    assert "hosts" not in values.of_play()


def test_many_hosts_are_merged_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes milliseconds."""
    values = values_in(tmp_path, {ALL: {"paused": True}})
    merge, merged = values._manager.get_vars, list[str]()

    def counted(**arguments: t.Any) -> Json:
        merged.append(arguments["host"].name)
        return t.cast(Json, merge(**arguments))

    monkeypatch.setattr(values._manager, "get_vars", counted)
    values.of_hosts(HOSTS, ["paused"])
    assert merged == ["speech"]
