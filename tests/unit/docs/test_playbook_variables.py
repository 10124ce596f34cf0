# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The specification of the playbooks' variables has exactly those that the playbooks read, and the
reference pages have what it says.
"""

from __future__ import annotations

import importlib
import json
import re
import typing as t
from pathlib import Path

import jinja2
import jinja2.meta
import jinja2.nodes
import pytest
import yaml

from ansible_collections.rayfleet.anyscale.docs.tools import playbook_pages
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.playbook_variables import (
    load_playbook,
    playbook_names,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

PLAYBOOKS = ROOT / "playbooks"
NAMES = sorted(path.stem for path in PLAYBOOKS.glob("*.yml"))
# Keywords and options whose values are expressions without braces.
EXPRESSIONS = {"when", "that", "failed_when", "changed_when", "break_when", "until"}
ANSIBLE = {"groups", "hostvars", "inventory_hostname", "item", "lookup", "omit", "query", "undef"}
FROM_AWX = {"awx_job_id"}
# What actions read of the hosts that they are for.
OF_HOSTS = {
    "onboard": {
        "anyscale_authority",
        "anyscale_default_role_arn",
        "anyscale_control_plane_role_arn",
        "anyscale_ring",
    },
    "heal": {
        "anyscale_authority",
        "anyscale_default_role_arn",
        "anyscale_control_plane_role_arn",
        "heal_excluded",
    },
    "offboard": {
        "anyscale_authority",
        "anyscale_default_role_arn",
        "offboard_default_role",
        "offboard_running",
        "offboard_shared_role",
    },
}
_TEMPLATE = re.compile(r"lookup\('ansible\.builtin\.template', '([\w.]+)'\)")

_PASSED = re.compile(r"{{ (?P<variable>\w+)\b")
_DEFAULT = re.compile(r"default\((?P<default>[^,()]+)[,)]")
_UNSET = object()


class Variables:
    """The variables that a playbook reads and sets, with its task files and templates."""

    def __init__(self, path: Path) -> None:
        self.read: set[str] = set()
        self.set: set[str] = set()
        self._folder = path.parent
        self._walk(yaml.safe_load(path.read_text()), is_expression=False)

    def _walk(self, value: t.Any, is_expression: bool) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                self._visit(key, item)
                self._walk(item, key in EXPRESSIONS)
        elif isinstance(value, list):
            for item in value:
                self._walk(item, is_expression)
        elif isinstance(value, str):
            self._read(f"{{{{ {value} }}}}" if is_expression else value)

    def _visit(self, key: str, value: t.Any) -> None:
        if key == "register":
            self.set.add(value)
        elif key in ("vars", "ansible.builtin.set_fact"):
            self.set.update(value)
        elif key == "ansible.builtin.import_tasks":
            self._include(self._folder / value)
        elif key == "ansible.builtin.import_role":
            tasks = value.get("tasks_from", "main")
            role = ROOT / "roles" / value["name"].rpartition(".")[2]
            self._include(role / "tasks" / f"{tasks}.yml")
            self.set.update(yaml.safe_load((role / "vars/main.yml").read_text()))

    def _include(self, path: Path) -> None:
        included = Variables(path)
        self.read |= included.read
        self.set |= included.set

    def _read(self, text: str) -> None:
        environment = jinja2.Environment()
        template = environment.parse(text)
        # Jinja refuses names of filters and tests that it does not know, such as Ansible's.
        for node in template.find_all(jinja2.nodes.Filter):
            environment.filters.setdefault(node.name, str)
        for node in template.find_all(jinja2.nodes.Test):
            environment.tests.setdefault(node.name, bool)
        self.read |= jinja2.meta.find_undeclared_variables(template)
        for name in _TEMPLATE.findall(text):
            self._read((PLAYBOOKS / "templates" / name).read_text())


def _role_options() -> set[str]:
    specs = yaml.safe_load((ROOT / "roles/cloud_iam/meta/argument_specs.yml").read_text())
    return {name for spec in specs["argument_specs"].values() for name in spec["options"]}


def _used(playbook: str) -> set[str]:
    """The variables that the user of a playbook can set, without those of the role."""
    variables = Variables(PLAYBOOKS / f"{playbook}.yml")
    read = variables.read | OF_HOSTS.get(playbook, set())
    names = read - variables.set - ANSIBLE - FROM_AWX - _role_options()
    return {name for name in names if not name.startswith("ansible_")}


@pytest.mark.parametrize("playbook", NAMES)
def test_the_specification_has_the_variables_of(playbook: str) -> None:
    """No more and no fewer than the playbook reads."""
    variables = load_playbook(playbook).variables
    of_a_role = "role" in load_playbook(playbook).entry
    assert set(() if of_a_role else variables) == _used(playbook)


@pytest.mark.parametrize("playbook", NAMES)
def test_what_a_playbook_sets_is_not_taken_for_a_misspelt_variable(playbook: str) -> None:
    """In a run of several playbooks. Add it to results in playbooks/meta/variables.yml."""
    names = Variables(PLAYBOOKS / f"{playbook}.yml").set
    load_playbook(playbook).refuse_names(names, names)


@pytest.mark.parametrize("playbook", NAMES)
def test_a_playbook_validates_its_variables_first(playbook: str) -> None:
    """Against its own specification."""
    [play, *_others] = yaml.safe_load((PLAYBOOKS / f"{playbook}.yml").read_text())
    [arguments] = [value for key, value in play["tasks"][0].items() if "rayfleet.anyscale." in key]
    assert arguments["playbook"] == playbook


def test_every_playbook_is_specified() -> None:
    assert sorted(playbook_names()) == NAMES


@pytest.mark.parametrize("playbook", NAMES)
def test_every_variable_has_an_example_that_it_accepts(playbook: str) -> None:
    """Unless there is nothing to set."""
    specified = load_playbook(playbook)
    for variable in () if "role" in specified.entry else specified.variables.values():
        if variable.name != "anyscale_authority":
            text = variable.example
            value = json.loads(text)[variable.name] if text[:1] == "{" else text
            assert not variable.is_unset(value)
            variable.parse(value)


def _default_of(text: str) -> t.Any:
    """The default in a template, such as ``{{ name | default(16) }}``."""
    found = _DEFAULT.search(text)
    return yaml.safe_load(found["default"]) if found else _UNSET


def _passed(playbook: str) -> t.Iterator[tuple[str, str, str, str]]:
    """What tasks pass to modules: the variable, the template, the module and its option."""
    for play in yaml.safe_load((PLAYBOOKS / f"{playbook}.yml").read_text()):
        tasks = list(play["tasks"])
        for task in tasks:
            if "ansible.builtin.import_tasks" in task:
                path = PLAYBOOKS / task["ansible.builtin.import_tasks"]
                tasks += yaml.safe_load(path.read_text())
            for action, options in task.items():
                if action.startswith("rayfleet.anyscale.") and isinstance(options, dict):
                    for option, template in options.items():
                        found = _PASSED.match(str(template))
                        if found:
                            yield found["variable"], template, action.split(".")[-1], option


@pytest.mark.parametrize("playbook", NAMES)
def test_type_choices_and_default_are_those_of_the_module(playbook: str) -> None:
    """To which a playbook passes the variable, unless the playbook has a default of its own."""
    variables = load_playbook(playbook).variables
    for name, template, module, option in _passed(playbook):
        if name in variables:
            variable = variables[name]
            path = f"ansible_collections.rayfleet.anyscale.plugins.modules.{module}"
            rule = yaml.safe_load(importlib.import_module(path).DOCUMENTATION)["options"][option]
            assert variable.type == rule["type"], name
            assert set(variable.choices) == set(rule.get("choices", ())), name
            own = _default_of(template)
            if not variable.default_description:
                expected = rule.get("default") if own in ("omit", _UNSET) else own
                assert variable.default == expected, name


@pytest.mark.parametrize("playbook", NAMES)
def test_the_page_is_what_the_tool_writes(playbook: str) -> None:
    """Its first comment says how to write it."""
    path = playbook_pages.FOLDER / f"playbook_{playbook}.rst"
    assert path.read_text() == playbook_pages.page(playbook)
    assert f"python -m {playbook_pages.__name__}" in path.read_text()


@pytest.mark.parametrize("playbook", NAMES)
def test_the_pages_are_among_the_pages(playbook: str) -> None:
    sections = yaml.safe_load((ROOT / "docs/docsite/extra-docs.yml").read_text())["sections"]
    names = [name for section in sections for name in section["toctree"]]
    assert f"playbook_{playbook}" in names
    label = f"docsite.playbook_{playbook}>`"
    assert label in (playbook_pages.FOLDER / "playbooks.rst").read_text()


def test_variables_are_found_wherever_a_playbook_reads_them(tmp_path: Path) -> None:
    """In text, in expressions, and in nested values. What the playbook sets itself is excluded."""
    playbook = tmp_path / "play.yml"
    playbook.write_text(
        """
- hosts: "{{ one }}"
  vars: {own: "{{ two }}"}
  tasks:
    - action.name: {option: ["{{ three | regex_escape }}"]}
      register: result
      when: [four is defined, result is changed]
    - block:
        - ansible.builtin.assert: {that: five == own, fail_msg: six}
"""
    )
    variables = Variables(playbook)
    assert variables.read - variables.set == {"one", "two", "three", "four", "five"}
    assert variables.set == {"own", "result"}
