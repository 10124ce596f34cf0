# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plays after a run are for its hosts, in groups of that run, and know its facts."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
from ansible import constants as C
from ansible.errors import AnsibleLookupError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader

from ansible_collections.rayfleet.anyscale.plugins.lookup import fleet_run, fleet_run_hosts
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.next_plays import (
    REPORT,
    TASKS,
    pass_on,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder

pytestmark = pytest.mark.core

FIRST, SECOND = "0f3a9c41", "ffffffff"


class HostVars:
    """As Ansible's, which has its inventory."""

    def __init__(self, hosts: str) -> None:
        self._inventory = InventoryManager(DataLoader(), [f"{hosts},"])

    def matching(self, pattern: str) -> list[str]:
        """The names of the hosts that a play with the pattern is for."""
        return [host.name for host in self._inventory.get_hosts(pattern)]


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path))


@pytest.fixture(name="hostvars")
def _hostvars() -> HostVars:
    return HostVars("a,b,c,d")


def group_of(play: t.Any, hostvars: HostVars) -> str:
    """The pattern of a play."""
    [group] = fleet_run_hosts.LookupModule().run([play], {"hostvars": hostvars})
    return group


def run_of(
    token: str, states: t.Mapping[str, str], for_tasks: t.Sequence[str] = (), **facts: t.Any
) -> None:
    """What the engine leaves."""
    outcomes = {name: {"state": state} for name, state in states.items()}
    pass_on(RunFolder(token), outcomes, for_tasks, [*states, *for_tasks], facts)


def test_hosts_have_the_groups_of_their_run(hostvars: HostVars) -> None:
    """Those with tasks of their own, and those for the report."""
    run_of(FIRST, {"a": "changed", "b": "in_sync", "c": "failed"}, ["d"])
    assert group_of(TASKS, hostvars) == f"fleet_{FIRST}_tasks"
    assert hostvars.matching(f"fleet_{FIRST}_tasks") == ["d"]
    assert group_of(REPORT, hostvars) == f"fleet_{FIRST}_report"
    assert hostvars.matching(f"fleet_{FIRST}_report") == ["a", "c"]


def test_a_group_may_be_asked_for_twice(hostvars: HostVars) -> None:
    """Ansible evaluates the hosts of a play as often as it likes."""
    run_of(FIRST, {"a": "changed"})
    assert hostvars.matching(group_of(REPORT, hostvars)) == ["a"]
    assert hostvars.matching(group_of(REPORT, hostvars)) == ["a"]


def test_another_run_has_other_groups_and_facts(hostvars: HostVars) -> None:
    """A playbook that is imported twice is about its own clouds each time."""
    run_of(FIRST, {"a": "changed"}, check_mode=True)
    assert hostvars.matching(group_of(REPORT, hostvars)) == ["a"]
    run_of(SECOND, {"b": "changed"}, check_mode=False)
    assert hostvars.matching(group_of(REPORT, hostvars)) == ["b"]
    assert fleet_run.LookupModule().run([]) == [{"run": SECOND, "check_mode": False}]


def test_a_run_is_passed_on_when_it_has_ended() -> None:
    """What was passed on before it is not about it."""
    RunFolder(FIRST).write("run", {})
    assert fleet_run.LookupModule().run([]) == [{}]


def test_a_play_can_be_listed_without_a_run(hostvars: HostVars) -> None:
    """As with --list-tasks, which runs nothing."""
    assert group_of(REPORT, hostvars) == "fleet__report"
    assert hostvars.matching("fleet__report") == []


@pytest.mark.parametrize("play", ["reports", "", 1])
def test_another_play_is_refused(hostvars: HostVars, play: t.Any) -> None:
    with pytest.raises(AnsibleLookupError, match="Give report or tasks"):
        group_of(play, hostvars)
