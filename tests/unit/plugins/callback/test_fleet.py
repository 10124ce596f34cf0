# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stdout callback counts a cloud as, whichever host Ansible ran the tasks of the whole run
on.
"""

from __future__ import annotations

import itertools
import types
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.callback.fleet import CallbackModule
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress import text as texts
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.events import (
    CloudDone,
    StageBegan,
)

CLOUDS = ("first", "second", "third", "fourth")
SUMMARY, OUTCOME = "fleet_summary_info", "fleet_outcome_info"


def _callback() -> t.Any:
    """The callback with its defaults, and without lines for single clouds."""
    plugin: t.Any = CallbackModule()
    plugin.get_option = lambda _name: False
    plugin._bar = True
    return plugin


def _result(host: str, module: str, *, run_once: bool, **result: t.Any) -> t.Any:
    """The result of a task of this collection."""
    task = types.SimpleNamespace(
        action=f"rayfleet.anyscale.{module}",
        resolved_action=f"rayfleet.anyscale.{module}",
        args={},
        check_mode=False,
        diff=False,
        get_name=lambda: module,
        loop=None,
        loop_with=None,
        name=module,
        run_once=run_once,
        ignore_errors=False,
        _uuid=module,
    )
    return types.SimpleNamespace(
        host=types.SimpleNamespace(get_name=lambda: host),
        task=task,
        result=result,
        exception=None,
        is_changed=lambda: bool(result.get("changed")),
    )


def _recap(plugin: t.Any) -> list[str]:
    lines = texts.recap(plugin._progress, "clouds", False, 80)
    return ["".join(text for text, _outcome in line) for line in lines]


def _totals(plugin: t.Any) -> str:
    """The recap's last line."""
    return _recap(plugin)[-1]


@pytest.mark.parametrize(("failing", "standby"), list(itertools.permutations(CLOUDS, 2)))
def test_a_cloud_that_was_not_reached_is_not_in_sync(failing: str, standby: str) -> None:
    """The rollout stopped at the cloud that fails. Another one stands by in the report, for which
    the task with its outcome runs, and those of the whole run may.
    """
    plugin = _callback()
    progress = plugin._progress
    progress.begin(dict.fromkeys(CLOUDS, ""), ["select", "converge"], 0.0)
    plugin.v2_runner_on_ok(_result(CLOUDS[0], "fleet_selection_info", run_once=True))
    progress.start_engine()
    progress.begin_stage(StageBegan("Plan", 4), 0.0)
    for name in CLOUDS:
        progress.report(CloudDone(name, "", "failed" if name == failing else "pending"))
    progress.end_engine()
    plugin.v2_runner_on_ok(_result(CLOUDS[0], "fleet_converge", run_once=True))
    progress.begin({failing: "", standby: ""}, [OUTCOME, SUMMARY], 1.0)
    plugin.v2_runner_on_ok(_result(standby, OUTCOME, run_once=False, state="not_reached"))
    plugin.v2_runner_on_ok(_result(standby, SUMMARY, run_once=True))
    progress.settle({failing})
    assert _totals(plugin) == ("clouds=4 in_sync=0 changed=0 failed=1 unreachable=0 not_finished=3")


@pytest.mark.parametrize("host", CLOUDS)
def test_a_task_of_the_whole_run_is_for_no_cloud(host: str) -> None:
    """In a playbook without an engine, the cloud that it runs on has no result of its own."""
    plugin = _callback()
    progress = plugin._progress
    progress.begin(dict.fromkeys(CLOUDS, ""), ["select", "last"], 0.0)
    plugin.v2_runner_on_ok(_result(host, "fleet_selection_info", run_once=True))
    own = next(name for name in CLOUDS if name != host)
    plugin.v2_runner_on_ok(_result(own, "iam_trust_ec2", run_once=False))
    progress.settle(())
    assert _totals(plugin) == "clouds=1 in_sync=1 changed=0 failed=0 unreachable=0"


def test_clouds_that_no_event_touches_are_not_counted() -> None:
    """Healing is for those that it takes."""
    plugin = _callback()
    progress = plugin._progress
    progress.begin(dict.fromkeys(CLOUDS, ""), ["begin", "converge"], 0.0)
    begin = _result(CLOUDS[1], "fleet_healing", run_once=True, hosts=[CLOUDS[0]])
    plugin.v2_runner_on_ok(begin)
    progress.start_engine()
    progress.report(CloudDone(CLOUDS[0], "", "changed", ("ec2_trust_missing",)))
    progress.end_engine()
    plugin.v2_runner_on_ok(_result(CLOUDS[1], "fleet_healing", run_once=True))
    progress.settle(())
    assert _totals(plugin) == "clouds=1 in_sync=0 changed=1 failed=0 unreachable=0"


def test_clouds_that_the_fleet_file_does_not_permit_are_counted() -> None:
    """With their accounts, though the play is not for them."""
    plugin = _callback()
    stray = types.SimpleNamespace(
        vars={"anyscale_account_id": "222222222222"}, get_groups=lambda: []
    )
    inventory = types.SimpleNamespace(get_host={"stray": stray}.get)
    manager = types.SimpleNamespace(_inventory=inventory)
    plugin._play = types.SimpleNamespace(get_variable_manager=lambda: manager)
    plugin._progress.begin({"first": "111111111111"}, ["select", "converge"], 0.0)
    found = {"hosts": ["first"], "not_permitted": ["stray"]}
    plugin.v2_runner_on_ok(_result("first", "fleet_selection_info", run_once=True, **found))
    plugin.v2_runner_on_ok(_result("first", "iam_trust_ec2", run_once=False))
    plugin._progress.settle(())
    assert _totals(plugin) == (
        "clouds=2 in_sync=1 changed=0 failed=0 unreachable=0 not_permitted=1"
    )
    assert plugin._progress.clouds["stray"].account == "222222222222"


@pytest.mark.parametrize("host", CLOUDS)
@pytest.mark.parametrize("module", ["playbook_variables_info", "fleet_converge"])
def test_an_error_of_the_run_is_of_no_cloud(
    host: str, module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be on any host that Ansible runs the task, which fails there."""
    plugin, printed = _callback(), []
    monkeypatch.setattr(plugin._display, "display", lambda text, **_more: printed.append(text))
    progress = plugin._progress
    progress.begin(dict.fromkeys(CLOUDS, ""), ["select", "converge"], 0.0)
    if module == "fleet_converge":
        progress.start_engine()
    result = _result(host, module, run_once=True, msg="Task failed: No host has ring x.")
    plugin.v2_runner_on_failed(result)
    progress.settle(set(CLOUDS))
    assert printed == ["The run was refused: No host has ring x."]
    recap = _recap(plugin)
    assert recap[-1] == "clouds=4 in_sync=0 changed=0 failed=0 unreachable=0 not_finished=4"
    assert "The run was refused: No host has ring x." in recap
    assert not any("failures" in line for line in recap)


def test_an_error_after_the_clouds_were_read_does_not_refuse_the_run() -> None:
    """As where the report cannot be written: what the engine has reported stays true."""
    plugin = _callback()
    progress = plugin._progress
    progress.begin({"first": ""}, ["audit"], 0.0)
    progress.start_engine()
    progress.report(CloudDone("first", "", "in_sync"))
    progress.end_engine()
    result = _result("first", "audit_report", run_once=True, msg="No space is left.")
    plugin.v2_runner_on_failed(result)
    progress.settle({"first"})
    recap = _recap(plugin)
    assert "The run failed: No space is left." in recap
    assert recap[-1] == "clouds=1 in_sync=1 changed=0 failed=0 unreachable=0"


def test_an_error_of_the_run_that_is_rescued_is_none() -> None:
    plugin = _callback()
    progress = plugin._progress
    progress.begin({"first": ""}, ["select", "own"], 0.0)
    plugin.v2_runner_on_failed(_result("first", "fleet_selection_info", run_once=True, msg="No."))
    plugin.v2_runner_on_ok(_result("first", "iam_trust_ec2", run_once=False))
    progress.settle(())
    assert not any("No." in line for line in _recap(plugin))
