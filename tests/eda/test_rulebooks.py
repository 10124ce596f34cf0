# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-rulebook takes the rulebooks: by its schema, its parser, and the names of what they use."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import jsonschema
import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.eda.conftest import run_python
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

Json = dict[str, t.Any]
RULEBOOKS = sorted((ROOT / "extensions/eda/rulebooks").glob("*.yml"))
# What Ansible of the environment has, and what is of ansible-rulebook itself.
FIND = """
import json, pathlib, sys
import ansible_collections, ansible_rulebook
name = sys.argv[1].split(".")
path = (
    pathlib.Path(ansible_rulebook.__path__[0], "event_source")
    if name[:2] == ["eda", "builtin"]
    else pathlib.Path(ansible_collections.__path__[0], *name[:2], "extensions/eda/plugins/event_source")
)
print((path / f"{name[2]}.py").read_text())
"""
PARSE = """
import json, sys, yaml
from ansible_rulebook.rules_parser import parse_rule_sets
from ansible_rulebook.json_generator import generate_dict_rulesets
with open(sys.argv[1]) as file:
    rule_sets = parse_rule_sets(yaml.safe_load(file), {})
print(json.dumps(generate_dict_rulesets(rule_sets, {}), default=str))
"""


@pytest.fixture(scope="module", name="schema")
def _schema(eda: Path) -> Json:
    code = "import ansible_rulebook as a, os; print(os.path.dirname(a.__file__))"
    folder = Path(run_python(eda, code).strip())
    return t.cast(Json, json.loads((folder / "schema/ruleset_schema.json").read_text()))


@pytest.mark.parametrize("path", RULEBOOKS, ids=lambda path: path.stem)
def test_a_rulebook_has_the_form(path: Path, schema: Json) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text()), schema)


def test_another_form_is_refused(schema: Json) -> None:
    """So that the schema is one that says something."""
    [ruleset] = yaml.safe_load(RULEBOOKS[0].read_text())
    ruleset["rules"][0]["action"]["run_playbook"]["nmae"] = "x"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate([ruleset], schema)


@pytest.mark.parametrize("path", RULEBOOKS, ids=lambda path: path.stem)
def test_its_conditions_are_parsed(path: Path, eda: Path) -> None:
    [ruleset] = json.loads(run_python(eda, PARSE, str(path)))
    conditions = [json.dumps(rule["Rule"]["condition"]) for rule in ruleset["RuleSet"]["rules"]]
    events = ["audit"] if path.stem == "heal_poll" else ["detail.eventName", "heal"]
    assert len(conditions) == len(events)
    assert all(f'"{event}"' in one for event, one in zip(events, conditions, strict=True))


@pytest.mark.parametrize("path", RULEBOOKS, ids=lambda path: path.stem)
def test_its_sources_exist_and_have_the_options(path: Path, eda: Path) -> None:
    [ruleset] = yaml.safe_load(path.read_text())
    for source in ruleset["sources"]:
        [(name, options)] = [(key, value) for key, value in source.items() if "." in key]
        code = run_python(eda, FIND, name)
        assert all(f"{option}:" in code or f'"{option}"' in code for option in options)
