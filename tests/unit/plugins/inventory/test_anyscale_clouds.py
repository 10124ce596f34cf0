# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin's documentation says what is true, and loading the plugin is safe before a
fork.
"""

from __future__ import annotations

import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.plugins.inventory import anyscale_clouds, fleet_file
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_plan import (
    parse_wanted,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    parse_settings,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.fleet_file import (
    _CHECKS,
    INPUT_KEYS,
    parse_fleet_file,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.hosts import build_fleet
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.placeholders import (
    PLACEHOLDERS,
    filled_in,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._inventory.api_rows import (
    ALLOW_ALL,
    row,
)

pytestmark = pytest.mark.core

INVENTORY = Path(__file__).parents[4] / "examples" / "inventory"
ROLE = Path(__file__).parents[4] / "roles" / "cloud_iam" / "meta" / "argument_specs.yml"
DOCUMENTATION = yaml.safe_load(anyscale_clouds.DOCUMENTATION)
FRAGMENTS = {
    "anyscale_host",
    "anyscale_token",
    "anyscale_allow_http",
    "keyed_groups",
    "groups",
    "compose",
    "cache",
    "cache_plugin",
    "cache_connection",
    "cache_timeout",
}
FLEET_FILES = [document for document in yaml.safe_load_all(fleet_file.EXAMPLES) if document]
EXAMPLES = [document for document in yaml.safe_load_all(anyscale_clouds.EXAMPLES) if document]


@pytest.mark.parametrize(
    "name",
    [
        "fleet.anyscale_clouds.yml",
        "anyscale_clouds.yml",
        "x.anyscale_clouds.yaml",
        "fleet.yml",
        "gone.yml",
    ],
)
def test_a_configuration_is_known_by_its_name(name: str, tmp_path: Path) -> None:
    if name != "gone.yml":
        (tmp_path / name).touch()
    assert anyscale_clouds.InventoryModule().verify_file(str(tmp_path / name)) is (
        "anyscale_clouds" in name
    )


@pytest.mark.parametrize(
    "example", [*EXAMPLES, yaml.safe_load((INVENTORY / "fleet.anyscale_clouds.yml").read_text())]
)
def test_examples_use_options_that_there_are(example: dict[str, t.Any]) -> None:
    if example.get("plugin") == anyscale_clouds.InventoryModule.NAME:
        assert set(example) <= set(DOCUMENTATION["options"]) | FRAGMENTS
    else:
        assert parse_fleet_file(example).clouds


def test_the_example_of_a_fleet_file_is_one() -> None:
    assert parse_fleet_file(
        yaml.safe_load((INVENTORY / "fleet_file.example.yml").read_text())
    ).defaults


@pytest.mark.parametrize("example", FLEET_FILES)
def test_the_rules_of_documented_fleet_files_are_valid(example: dict[str, t.Any]) -> None:
    """As the module cloud_iam_mapping reads them, for each cloud that has a section."""
    parsed = parse_fleet_file(example)
    for names in ([], *([name] for name in parsed.clouds)):
        variables = parsed.settings(names).get("variables", {})
        filled = filled_in(variables, dict.fromkeys(PLACEHOLDERS, "cld_1"))
        settings = parse_settings({**filled, "cloud_iam_account_id": "123456789012"})
        if settings.mapping_rules:
            options = {
                "rules": settings.mapping_rules,
                "fallback_rule": settings.mapping_fallback_rule,
                "position": settings.mapping_position,
                "state": settings.mapping_state,
            }
            assert parse_wanted(options).rules


def test_every_key_placeholder_fact_and_group_is_documented() -> None:
    text = anyscale_clouds.DOCUMENTATION
    (host,) = build_fleet(
        [row()], parse_fleet_file({"allow": ALLOW_ALL, "defaults": {"ring": "x"}})
    )[0]
    facts = {name for name in host.variables if name.startswith("anyscale_")}
    kinds = {group.partition("_")[0] for group in host.groups}
    wanted = (
        {f"C({key})" for key in _CHECKS}
        | {f"V({{{name}}})" for name in PLACEHOLDERS}
        | {f"C({name})" for name in facts}
    )
    assert {name for name in wanted if name not in text} == set()
    assert {kind for kind in kinds if not re.search(rf"C\({kind}_", text)} == set()


def test_the_role_has_the_variables_that_are_set() -> None:
    options = yaml.safe_load(ROLE.read_text())["argument_specs"]["main"]["options"]
    (host,) = build_fleet([row()], parse_fleet_file({"allow": ALLOW_ALL}))[0]
    inputs = {name for name in host.variables if name.startswith("cloud_iam_")} | {
        "cloud_iam_manage_compute_config"
    }
    assert inputs | {f"cloud_iam_{key}" for key in INPUT_KEYS} <= set(options)


def test_boto3_is_not_loaded() -> None:
    """Ansible loads inventory plugins in the process that it forks later, which boto3 does not
    survive everywhere.
    """
    code = (
        f"import sys, {anyscale_clouds.__name__}; print([name for name in sys.modules if "
        "name.startswith('boto')])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "[]\n"
