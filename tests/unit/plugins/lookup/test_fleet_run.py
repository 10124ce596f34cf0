# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The hosts that a run leaves to the next plays are returned with a group for each play of each run."""

from __future__ import annotations

import pathlib
import typing as t

import pytest
import yaml
from ansible import constants as C
from ansible.errors import AnsibleError, AnsibleLookupError

from ansible_collections.rayfleet.anyscale.plugins.lookup import fleet_run
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder

pytestmark = pytest.mark.core

NAME = "rayfleet.anyscale.fleet_run"
OPTIONS: dict[str, t.Any] = yaml.safe_load(fleet_run.DOCUMENTATION)["options"]
RUN = "0f3a9c41"


@pytest.fixture(autouse=True)
def _folder(monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path) -> None:
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path))


def look_up(run: str = RUN, **options: t.Any) -> dict[str, list[str]]:
    """As Ansible does it: the hosts by their groups."""
    C.config.initialize_plugin_configuration_definitions("lookup", NAME, OPTIONS)
    plugin = fleet_run.LookupModule()
    plugin._load_name = NAME
    groups: dict[str, list[str]] = {}
    for item in plugin.run([run], {}, **options):
        groups.setdefault(item["group"], []).append(item["name"])
    return groups


def run_of(clouds: dict[str, t.Any], for_role: t.Sequence[str] = ()) -> None:
    """What the engine has written."""
    RunFolder(RUN).write_outcomes(clouds)
    RunFolder(RUN).write("run", {"left_to_tasks": list(for_role)})


def test_hosts_have_the_groups_of_their_run() -> None:
    """Those with tasks of their own, and those for the report."""
    clouds = {"a": {"state": "changed"}, "b": {"state": "in_sync"}, "c": {"state": "failed"}}
    run_of(clouds, ["d"])
    assert look_up(standby=list("abcd")) == {
        f"fleet_{RUN}_tasks": ["d"],
        f"fleet_{RUN}_report": ["a", "c"],
    }


def test_a_selected_host_stands_by_for_a_play_without_hosts() -> None:
    clouds = {name: {"state": "in_sync"} for name in "ab"}
    run_of(clouds)
    assert look_up(standby=["b", "a"]) == {
        f"fleet_{RUN}_tasks": ["b"],
        f"fleet_{RUN}_report": ["b"],
    }


def test_a_run_without_outcomes_has_plays_all_the_same() -> None:
    """As where no cloud was selected, or the engine did not begin."""
    assert look_up(standby=["a"]) == {f"fleet_{RUN}_tasks": ["a"], f"fleet_{RUN}_report": ["a"]}
    assert look_up(standby=[]) == {}


def test_another_run_has_other_groups() -> None:
    """And no hosts of this one."""
    run_of({"a": {"state": "changed"}})
    assert look_up("ffffffff", standby=["b"]) == {
        "fleet_ffffffff_tasks": ["b"],
        "fleet_ffffffff_report": ["b"],
    }


def test_what_is_no_run_is_refused() -> None:
    with pytest.raises(AnsibleLookupError, match=r"run is '\.\./x'"):
        look_up("../x", standby=["a"])


def test_the_selected_hosts_must_be_given() -> None:
    """Without them a play could have no hosts."""
    with pytest.raises(AnsibleError, match="standby"):
        look_up()
