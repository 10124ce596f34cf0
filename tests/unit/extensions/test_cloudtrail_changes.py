# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The event filter as ansible-rulebook loads it: by its path, in a Python that knows no collections."""

from __future__ import annotations

import json
import logging
import runpy
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import (
    changes_in,
)
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import (
    bridged,
    looked_up,
    notified,
    queued,
    record,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

Json = dict[str, t.Any]
FILTER = "extensions/eda/plugins/event_filter/cloudtrail_changes.py"
RULEBOOKS = sorted((ROOT / "extensions/eda/rulebooks").glob("*.yml"))
ONE, TWO = record("DeleteRole"), record("PutBucketPolicy")


@pytest.fixture(scope="module", name="reduce")
def _reduce() -> t.Callable[[Json], t.Any]:
    return t.cast("t.Callable[[Json], t.Any]", runpy.run_path(str(ROOT / FILTER))["main"])


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(queued(bridged(ONE)), id="EventBridge to SQS"),
        pytest.param(queued(notified(bridged(ONE))), id="EventBridge to SNS to SQS"),
        pytest.param(looked_up(ONE), id="LookupEvents"),
    ],
)
def test_an_event_says_what_changed_and_nothing_else(
    reduce: t.Callable[[Json], t.Any], event: Json
) -> None:
    reduced = reduce(event)
    assert set(reduced) == {"detail", "key"}
    assert changes_in(reduced).changes == changes_in(ONE).changes
    assert "policyDocument" not in json.dumps(reduced)


def test_each_change_of_a_message_is_an_event(reduce: t.Callable[[Json], t.Any]) -> None:
    found = reduce(queued({"Records": [ONE, TWO, ONE]}))
    assert [one["detail"]["eventName"] for one in found] == ["DeleteRole", "PutBucketPolicy"]
    assert len({one["key"] for one in found}) == 2


def test_what_is_no_change_is_counted_and_not_passed_on(
    reduce: t.Callable[[Json], t.Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    template = "{{ lookup('pipe', 'id') }}"
    assert reduce(queued(template)) == []
    assert reduce(queued({**ONE, "errorCode": "AccessDenied"})) == []
    levels = [one.levelno for one in caplog.records]
    assert levels == [logging.WARNING, logging.DEBUG]
    assert "'not_json': 1, 'failed_call': 1" in caplog.text
    assert template not in caplog.text


def test_nothing_of_a_template_is_passed_on(reduce: t.Callable[[Json], t.Any]) -> None:
    """Ansible evaluates what ansible-rulebook gives it with -e."""
    template = "{{lookup('pipe','id')}}"
    filled = json.loads(json.dumps(ONE).replace("jane", template).replace("2026-", template))
    reduced = reduce(queued(bridged({**filled, "requestID": template})))
    assert reduced["detail"]["eventName"] == "DeleteRole"
    assert "lookup" not in json.dumps(reduced)


def test_it_needs_no_package(tmp_path: Path) -> None:
    """Where it is installed, and where another folder of the same name comes first."""
    installed = tmp_path / "collections/ansible_collections/rayfleet/anyscale"
    installed.parent.mkdir(parents=True)
    installed.symlink_to(ROOT)
    other = tmp_path / "other"
    (other / "ansible_collections").mkdir(parents=True)
    (other / "ansible_collections/__init__.py").touch()
    code = (
        "import json, runpy, sys; sys.path.insert(0, sys.argv[2]); "
        "main = runpy.run_path(sys.argv[1])['main']; "
        "print(json.dumps(main(json.load(sys.stdin))))"
    )
    command = [sys.executable, "-I", "-S", "-c", code, str(installed / FILTER), str(other)]
    event = json.dumps(queued(bridged(ONE)))
    run = subprocess.run(command, input=event, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout)["detail"]["eventName"] == "DeleteRole"


@pytest.mark.parametrize("path", RULEBOOKS, ids=lambda path: path.stem)
def test_a_rulebook_runs_what_there_is(path: Path) -> None:
    """One run at a time, of a playbook of the collection, with all events of a burst."""
    [ruleset] = yaml.safe_load(path.read_text())
    assert ruleset["execution_strategy"] == "sequential"
    actions = [
        action for rule in ruleset["rules"] for action in rule.get("actions", [rule.get("action")])
    ]
    playbooks = [action["run_playbook"]["name"] for action in actions if "run_playbook" in action]
    for playbook in playbooks:
        assert (ROOT / f"playbooks/{playbook.removeprefix('rayfleet.anyscale.')}.yml").is_file()
    if path.stem != "heal_poll":
        source, tick = ruleset["sources"]
        on_events, again = ruleset["rules"]
        assert source["filters"] == [{"rayfleet.anyscale.cloudtrail_changes": None}]
        assert on_events["throttle"]["group_by_attributes"] == ["event.key"]
        assert tick["eda.builtin.generic"]["loop_count"] == -1
        assert again["action"] == on_events["action"]
