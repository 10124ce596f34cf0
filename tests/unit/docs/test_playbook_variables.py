# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page on the playbooks' variables documents exactly the variables that the playbooks read."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import jinja2
import jinja2.meta
import jinja2.nodes
import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.support.playbook_variables import (
    ROW,
    SHARED,
    documented_variables,
    sections,
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
    "onboard": {"anyscale_default_role_arn", "anyscale_control_plane_role_arn"},
    "offboard": {
        "anyscale_default_role_arn",
        "offboard_default_role",
        "offboard_running",
        "offboard_shared_role",
    },
}
_TEMPLATE = re.compile(r"lookup\('ansible\.builtin\.template', '([\w.]+)'\)")


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
def test_the_page_documents_the_variables_of(playbook: str) -> None:
    """No more and no fewer, and each of them once."""
    assert sorted(documented_variables(playbook)) == sorted(_used(playbook))


def test_every_variable_has_a_type_a_default_a_meaning_and_an_example() -> None:
    """Those of several playbooks also say which these are."""
    for title, text in sections().items():
        for name, cells in ROW.findall(text):
            number = len(re.findall(r"^     - \S", cells, re.MULTILINE))
            assert number == (5 if title == SHARED else 4), name


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
