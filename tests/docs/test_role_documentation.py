# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the role documents is what it does: its defaults, the variables that its tasks read, the
example inventory, and the examples of each role.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles/cloud_iam"
ENTRY_POINTS = yaml.safe_load((ROLE / "meta/argument_specs.yml").read_text())["argument_specs"]
DEFAULTS = yaml.safe_load((ROLE / "defaults/main.yml").read_text())
# What the tasks leave behind, what is found from it, and the module that one of them is of.
INTERNAL = {
    *yaml.safe_load((ROLE / "vars/main.yml").read_text()),
    *yaml.safe_load((ROLE / "vars/main.yml").read_text())["cloud_iam_result_names"],
    "cloud_iam_mapping",
    "cloud_iam_info",
    "cloud_iam_info_result",
}


def test_documented_defaults_are_the_defaults() -> None:
    """No more and no fewer."""
    documented = {
        name: option["default"]
        for entry_point in ENTRY_POINTS.values()
        for name, option in entry_point["options"].items()
        if "default" in option
    }
    assert documented == DEFAULTS


def test_every_entry_point_is_documented() -> None:
    """A file of tasks is one."""
    assert (
        set(ENTRY_POINTS)
        == {path.stem for path in (ROLE / "tasks").glob("*.yml")}
        == {"main", "absent", "info"}
    )


def read_by(entry_point: str) -> set[str]:
    """The variables of the role that the tasks of an entry point read, and what these lead to."""
    text = (ROLE / "tasks" / f"{entry_point}.yml").read_text()
    found = set(re.findall(r"\b(?:__)?cloud_iam_\w+", text))
    variables = yaml.safe_load((ROLE / "vars/main.yml").read_text())
    for name, value in variables.items():
        if name in found:
            found |= set(re.findall(r"\b(?:__)?cloud_iam_\w+", str(value)))
    return found - INTERNAL


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_what_tasks_read_is_documented(entry_point: str) -> None:
    """For their entry point."""
    assert read_by(entry_point) <= set(ENTRY_POINTS[entry_point]["options"])


@pytest.mark.parametrize("entry_points", [("main", "absent"), ("info",)], ids="-".join)
def test_what_is_documented_is_read(entry_points: tuple[str, ...]) -> None:
    """A variable that no task reads is a mistake. The first two have the same variables."""
    for entry_point in entry_points:
        read = {name for one in entry_points for name in read_by(one)}
        assert set(ENTRY_POINTS[entry_point]["options"]) <= read


@pytest.mark.parametrize("entry_point", ENTRY_POINTS)
def test_entry_points_agree_on_defaults(entry_point: str) -> None:
    """Which are the role's."""
    for name, option in ENTRY_POINTS[entry_point]["options"].items():
        assert option.get("default") == DEFAULTS.get(name), name


def test_the_example_inventory_sets_documented_variables_alone() -> None:
    """As Ansible itself reads it."""
    command = [
        str(Path(sys.executable).parent / "ansible-inventory"),
        "-i",
        "examples/inventory/fleet.example.yml",
        "--list",
    ]
    inventory = json.loads(
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    )
    clouds = inventory["_meta"]["hostvars"]
    assert set(inventory["anyscale_clouds"]["hosts"]) == set(clouds) == {"production", "research"}
    for cloud, variables in clouds.items():
        assert {name for name in variables if name.startswith("cloud_iam_")} <= set(
            ENTRY_POINTS["main"]["options"]
        ), cloud
        assert {
            "cloud_iam_cloud_id",
            "cloud_iam_account_id",
            "cloud_iam_bucket",
            "cloud_iam_compute_config",
        } <= set(variables), cloud


def specifications(role: str) -> dict[str, dict[str, Any]]:
    """The entry points of a role, by their names."""
    text = (ROOT / f"roles/{role}/meta/argument_specs.yml").read_text()
    return yaml.safe_load(text)["argument_specs"]


ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
EXAMPLES = {
    f"{role}, {entry_point}": (role, entry_point, specification.get("examples", ""))
    for role in ROLES
    for entry_point, specification in specifications(role).items()
}
BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def uses(example: str) -> list[dict[str, Any]]:
    """The tasks of a play in an example that run a role, or tasks alone."""
    tasks = [task for one in yaml.safe_load(example) or [] for task in one.get("tasks", [one])]
    return [task for task in tasks if "ansible.builtin.import_role" in task]


@pytest.mark.parametrize(("role", "entry_point", "example"), EXAMPLES.values(), ids=EXAMPLES)
def test_an_entry_point_has_an_example_that_it_accepts(
    role: str, entry_point: str, example: str
) -> None:
    """By its specification, as Ansible validates it."""
    [task] = uses(example)
    assert task["ansible.builtin.import_role"] == {
        "name": f"rayfleet.anyscale.{role}",
        **({} if entry_point == "main" else {"tasks_from": entry_point}),
    }
    options = specifications(role)[entry_point]["options"]
    assert ArgumentSpecValidator(options).validate(task["vars"]).error_messages == []


@pytest.mark.parametrize("role", ROLES)
def test_the_readme_of_a_role_shows_an_example_of_its_documentation(role: str) -> None:
    blocks = BLOCK.findall((ROOT / f"roles/{role}/README.md").read_text())
    documented = [specification["examples"] for specification in specifications(role).values()]
    assert blocks
    assert [block for block in blocks if block not in documented] == []
