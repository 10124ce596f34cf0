# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A pattern of hosts is returned only if it leaves hosts for a play: Ansible would skip a play without,
and the run would look like one with nothing to do.
"""

from __future__ import annotations

import pathlib
import re
import typing as t

import pytest
import yaml
from ansible import constants as C, context
from ansible.errors import AnsibleError, AnsibleLookupError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.lookup import inventory_hostnames
from ansible.utils.display import Display

from ansible_collections.rayfleet.anyscale.plugins.lookup import fleet_hosts
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.failures import (
    forget_failure,
    record_failure,
)

pytestmark = pytest.mark.core

NAME = "rayfleet.anyscale.fleet_hosts"
OPTIONS: dict[str, t.Any] = yaml.safe_load(fleet_hosts.DOCUMENTATION)["options"]
GROUPS = {
    "all": ["vision", "speech", "web"],
    "ungrouped": ["web"],
    "anyscale_clouds": ["vision", "speech"],
    "empty": [],
}
NOT_ALL = "No host in the inventory matches {}. Check the inventory (ansible-inventory --graph)"


@pytest.fixture(autouse=True)
def _found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of Ansible's loader, which is for a process that has its collections, the one plugin."""

    def get(name: str, **arguments: t.Any) -> inventory_hostnames.LookupModule:
        assert name == "ansible.builtin.inventory_hostnames"
        return inventory_hostnames.LookupModule(**arguments)

    monkeypatch.setattr(fleet_hosts.lookup_loader, "get", get)


def look_up(
    monkeypatch: pytest.MonkeyPatch,
    pattern: t.Any,
    groups: dict[str, list[str]] | None = None,
    of_play: dict[str, str] | None = None,
    **arguments: t.Any,
) -> list[str]:
    """As Ansible does it for a play, with these arguments of the command line."""
    monkeypatch.setattr(context, "CLIARGS", arguments)
    C.config.initialize_plugin_configuration_definitions("lookup", NAME, OPTIONS)
    plugin = fleet_hosts.LookupModule(loader=DataLoader(), templar=None)
    plugin._load_name = NAME
    all_groups = GROUPS if groups is None else groups
    variables = {"groups": all_groups, **(of_play or {})}
    return plugin.run([pattern], variables, variable="onboard_hosts")


FOUND: dict[str, tuple[t.Any, str | None, str]] = {
    "a group": ("anyscale_clouds", None, "anyscale_clouds"),
    "a host": ("vision", None, "vision"),
    "all": ("all", None, "all"),
    "several": ("vision,web", None, "vision,web"),
    "a list": (["vision", "web"], None, "vision,web"),
    "a glob": ("vis*", None, "vis*"),
    "a regular expression": ("~v.*n", None, "~v.*n"),
    "all but some": ("all,!web", None, "all,!web"),
    "all but an empty group": ("all:!empty", None, "all:!empty"),
    "all but the uncovered, of which there are none": (
        "all,!anyscale_uncovered",
        None,
        "all,!anyscale_uncovered",
    ),
    "a host by its place": ("anyscale_clouds[0]", None, "anyscale_clouds[0]"),
    "within the limit": ("anyscale_clouds", "vision", "anyscale_clouds"),
    "a limit of a group": ("vision", "anyscale_clouds", "vision"),
    "a limit that only excludes": ("anyscale_clouds", "!vision", "anyscale_clouds"),
    "a limit in a file": ("anyscale_clouds", "@hosts.txt", "anyscale_clouds"),
    "an empty limit": ("anyscale_clouds", "", "anyscale_clouds"),
}


@pytest.mark.parametrize(("pattern", "limit", "found"), FOUND.values(), ids=FOUND)
def test_a_pattern_with_hosts(
    monkeypatch: pytest.MonkeyPatch, pattern: t.Any, limit: str | None, found: str
) -> None:
    """Is returned as it is."""
    assert look_up(monkeypatch, pattern, subset=limit) == [found]


MISSING: dict[str, tuple[str, str | None]] = {
    "no such host": ("nothing", None),
    "an empty group": ("empty", None),
    "a glob of none": ("x*", None),
    "all are excluded": ("vision,!vision", None),
    "none is within the limit": ("anyscale_clouds", "web"),
    "a limit of none": ("anyscale_clouds", "nothing"),
    "a limit that excludes all": ("vision", "!vision"),
}


@pytest.mark.parametrize(("pattern", "limit"), MISSING.values(), ids=MISSING)
@pytest.mark.filterwarnings("ignore")
def test_a_pattern_without_hosts(
    monkeypatch: pytest.MonkeyPatch, pattern: str, limit: str | None
) -> None:
    """The message names the variable that sets it."""
    with pytest.raises(AnsibleLookupError, match=re.escape(NOT_ALL.format(pattern))) as caught:
        look_up(monkeypatch, pattern, subset=limit)
    assert "--limit, and onboard_hosts." in str(caught.value)


UNKNOWN: dict[str, tuple[t.Any, str | None, str, str]] = {
    "an exclusion": ("all:!speach", None, "!speach", "onboard_hosts"),
    "one of a list": (["all", "!speach"], None, "!speach", "onboard_hosts"),
    "by a glob": ("all,!lab-*", None, "!lab-*", "onboard_hosts"),
    "one of several names": ("vision,nothing", None, "nothing", "onboard_hosts"),
    "an exclusion of the limit": ("all", "anyscale_clouds,!speach", "!speach", "--limit"),
    "besides the hosts of a file": ("all", "@hosts.txt,!speach", "!speach", "--limit"),
}


@pytest.mark.parametrize("case", UNKNOWN)
@pytest.mark.filterwarnings("ignore")
def test_what_names_nothing_is_an_error(monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    """Ansible warns, and takes the clouds that a misspelt exclusion was to leave out."""
    pattern, limit, part, where = UNKNOWN[case]
    words = f"{where} has {part}, which names no host or group of the inventory."
    with pytest.raises(AnsibleLookupError, match=re.escape(words)):
        look_up(monkeypatch, pattern, subset=limit)


@pytest.mark.filterwarnings("ignore")
def test_a_slice_need_not_have_what_is_excluded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another slice of the job of AWX may have it."""
    of_slice = {"awx_workflow_job_name": "Fleet onboard", "awx_job_template_name": "Fleet onboard"}
    assert look_up(monkeypatch, "all,!speach", of_play=of_slice) == ["all,!speach"]


@pytest.mark.parametrize("groups", [{}, {"all": []}], ids=["nothing", "no hosts"])
def test_an_empty_inventory(monkeypatch: pytest.MonkeyPatch, groups: dict[str, list[str]]) -> None:
    """Has an error of its own."""
    with pytest.raises(AnsibleLookupError, match=r"The inventory has no hosts\. Pass an inventory"):
        look_up(monkeypatch, "anyscale_clouds", groups)


@pytest.mark.parametrize("groups", [{}, {"all": ["odd"]}], ids=["no host", "one of another plugin"])
def test_an_inventory_that_could_not_be_read(
    monkeypatch: pytest.MonkeyPatch, groups: dict[str, list[str]]
) -> None:
    """Ansible's plugin for INI files makes hosts of the lines of a JSON file."""
    record_failure("fleet.json", "The token is expired.")
    try:
        with pytest.raises(AnsibleLookupError, match=r"^fleet.json could not be read: The token"):
            look_up(monkeypatch, "anyscale_clouds", groups)
    finally:
        forget_failure("fleet.json")


@pytest.mark.parametrize("groups", [{}, GROUPS], ids=["no inventory", "an inventory"])
def test_a_syntax_check_needs_no_inventory(
    monkeypatch: pytest.MonkeyPatch, groups: dict[str, list[str]]
) -> None:
    """Nor that the pattern matches."""
    assert look_up(monkeypatch, "nothing", groups, syntax=True) == ["nothing"]


def test_the_variable_must_be_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """The message would be of no use without."""
    monkeypatch.setattr(context, "CLIARGS", {})
    C.config.initialize_plugin_configuration_definitions("lookup", NAME, OPTIONS)
    plugin = fleet_hosts.LookupModule(loader=DataLoader(), templar=None)
    plugin._load_name = NAME
    with pytest.raises(AnsibleError, match="variable"):
        plugin.run(["all"], {"groups": GROUPS})


AUDITED = "anyscale_clouds,anyscale_uncovered"


@pytest.mark.parametrize(
    ("uncovered", "pattern"),
    [(["theirs"], AUDITED), ([], "anyscale_clouds"), (None, "anyscale_clouds")],
)
def test_a_group_of_uncovered_clouds_that_is_not_there_is_not_asked_for(
    monkeypatch: pytest.MonkeyPatch, uncovered: list[str] | None, pattern: str
) -> None:
    """Ansible would warn about it in each audit of an inventory that is written by hand."""
    warnings: list[str] = []
    monkeypatch.setattr(Display, "warning", lambda _display, text, **_more: warnings.append(text))
    groups = GROUPS if uncovered is None else {**GROUPS, "anyscale_uncovered": uncovered}
    assert look_up(monkeypatch, AUDITED, groups) == [pattern]
    assert warnings == []


def test_clouds_that_are_not_covered_are_said_to_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = {"all": ["theirs"], "anyscale_clouds": [], "anyscale_uncovered": ["theirs"]}
    told = (
        "in the group anyscale_uncovered: 1, because the fleet file does not cover them. To see the "
        "lines to add: ansible-playbook -i fleet.yml rayfleet.anyscale.onboard -e "
        "onboard_hosts=anyscale_uncovered --check."
    )
    with pytest.raises(AnsibleLookupError, match=re.escape(told)):
        look_up(monkeypatch, "anyscale_clouds", groups, inventory=["fleet.yml"])
