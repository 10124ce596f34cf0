# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook onboard does the same whatever the settings of Ansible, the command line and the
playbook that imports it are.
"""

from __future__ import annotations

import re
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.fleets import (
    ONE_STEP,
    fresh,
    in_sync,
    inventory_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import BIN, Run, run_playbook

Json = dict[str, t.Any]

# Each by the engine, and by the role.
NAMES = ("changed", "failed", "in-sync", "role-changed", "role-failed", "role-in-sync")
FAILED = {"failed", "role-failed"}
CHANGED = {"changed", "role-changed"}
# Settings that plays and tasks inherit, by the variables of the environment that set them.
SETTINGS: dict[str, dict[str, str]] = {
    "free, and the first failure ends all": {
        "ANSIBLE_STRATEGY": "ansible.builtin.free",
        "ANSIBLE_ANY_ERRORS_FATAL": "true",
        "ANSIBLE_BECOME": "true",
        "ANSIBLE_BECOME_METHOD": "no_such_method",
        "ANSIBLE_GATHERING": "implicit",
        "ANSIBLE_FORKS": "1",
        "ANSIBLE_FORCE_HANDLERS": "true",
        "ANSIBLE_TRANSPORT": "ansible.builtin.ssh",
        "ANSIBLE_DIFF_ALWAYS": "true",
        "ANSIBLE_HASH_BEHAVIOUR": "merge",
    },
    "pinned, and tasks may take a second": {
        "ANSIBLE_STRATEGY": "ansible.builtin.host_pinned",
        "ANSIBLE_TASK_TIMEOUT": "1",
        "ANSIBLE_DISPLAY_OK_HOSTS": "false",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
        "ANSIBLE_DISPLAY_FAILED_STDERR": "true",
        "ANSIBLE_NO_TARGET_SYSLOG": "true",
        "ANSIBLE_PYTHON_INTERPRETER": "/nowhere/python",
        "ANSIBLE_KEEP_REMOTE_FILES": "true",
        "ANSIBLE_INJECT_FACT_VARS": "false",
        "ANSIBLE_PIPELINING": "false",
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
    },
}


def _inventory(folder: Path, sandbox: Sandbox) -> Path:
    """Clouds whose trust policies need EC2, or not, or whose roles do not exist. The inventory says
    nothing of connections and interpreters.
    """
    clouds = [
        in_sync(name, trust="lambda_only" if name.endswith("changed") else "cloudformation")
        for name in NAMES
    ]
    fresh(sandbox, clouds)
    own: dict[str, Json] = {
        name: {
            **({"cloud_iam_role": "missing"} if name.endswith("failed") else {}),
            **({"anyscale_in_worker": False} if name.startswith("role") else {}),
        }
        for name in NAMES
    }
    path = inventory_of(folder, sandbox, clouds, own, **ONE_STEP)
    content = yaml.safe_load(path.read_text())
    del content["all"]["children"]["anyscale_clouds"]["vars"]
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


@pytest.mark.core
@pytest.mark.parametrize("case", SETTINGS)
def test_settings_of_ansible_change_no_outcome(
    running_sandbox: Sandbox, tmp_path: Path, case: str
) -> None:
    """Clouds that fail do not end the run, and the engine may take its time to confirm."""
    inventory = _inventory(tmp_path, running_sandbox)
    run = run_playbook(running_sandbox, "onboard", inventory, variables=SETTINGS[case])
    assert (run.exit_status, run.failed()) == (2, FAILED), run.output
    assert {name for name in NAMES if run.changed(name)} == CHANGED
    assert run.lines[0] == "2 changed, 2 in sync, 2 failed"
    assert "Gathering Facts" not in run.output
    assert sorted(call["operation"] for call in run.writes) == ["UpdateAssumeRolePolicy"] * 2


@pytest.mark.core
def test_tags_choose_steps(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Of the engine and of the role; what fails is reported all the same."""
    inventory = _inventory(tmp_path, running_sandbox)
    run = run_playbook(running_sandbox, "onboard", inventory, "--check", "--tags", "trust")
    assert (run.exit_status, run.failed()) == (2, FAILED), run.output
    assert run.lines[0] == "2 would change, 2 in sync, 2 failed"
    none = run_playbook(running_sandbox, "onboard", inventory, "--check", "--skip-tags", "trust")
    assert none.lines[0] == "0 would change, 6 in sync, 0 failed"


def test_an_unknown_tag_is_refused(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """It would be a green run that did nothing."""
    inventory = _inventory(tmp_path, running_sandbox)
    run = run_playbook(running_sandbox, "onboard", inventory, "--tags", "trust,buckets")
    assert run.exit_status == 2
    message = (
        "Task failed: 'buckets' is not a tag of the playbook onboard. Use bucket, cloud_role, "
        "compute_config, iam_mapping, pass_role, trust."
    )
    assert run.output.count(message) == 2, "the error, and the host's own line"
    assert run.output.count("[ERROR]") == 1
    assert run.operations == {}


# --- playbooks that import it ---------------------------------------------------------------------


def _imports(folder: Path, *patterns: str, playbook: str = "onboard") -> Path:
    """A playbook that imports one of the collection's for each pattern, and then plays on."""
    imports: list[Json] = [
        {
            "ansible.builtin.import_playbook": f"rayfleet.anyscale.{playbook}",
            "vars": {f"{playbook}_hosts": pattern},
        }
        for pattern in patterns
    ]
    end = {"name": "Notify", "ansible.builtin.debug": {"msg": "The end"}}
    last = {"name": "Last", "hosts": patterns[-1], "gather_facts": False, "tasks": [end]}
    path = folder / "site.yml"
    path.write_text(yaml.safe_dump([*imports, last], sort_keys=False))
    return path


@pytest.mark.core
def test_it_can_be_imported_twice(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Each time for its own hosts. A failure that ends the first rollout ends neither the second one
    nor the plays after it, also where all clouds of the role failed.
    """
    inventory = _inventory(tmp_path, running_sandbox)
    site = _imports(tmp_path, "in-sync,role-failed", "changed,role-changed,role-in-sync")
    budget = ("-e", "onboard_max_fail_percentage=50")
    run = run_playbook(running_sandbox, str(site), inventory, *budget)
    assert run.exit_status == 2, run.output
    assert [summary["lines"][0] for summary in run.named("Summarize the run")] == [
        "0 changed, 1 in sync, 1 failed",
        "2 changed, 1 in sync, 0 failed",
    ]
    assert run.failed() == {"role-failed"}
    assert [len(run.tasks_of_role(name)) for name in NAMES] == [0, 0, 0, 1, 1, 1]
    assert "The end" in run.output


@pytest.mark.core
@pytest.mark.parametrize("playbook", ["onboard", "audit", "offboard", "rollback"])
def test_the_syntax_of_an_importing_playbook_can_be_checked(tmp_path: Path, playbook: str) -> None:
    """Without an inventory, as linters and pipelines do."""
    site = _imports(tmp_path, "some_clouds", playbook=playbook)
    command = [str(BIN / "ansible-playbook"), "--syntax-check", str(site)]
    done = subprocess.run(
        command,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ERROR" not in done.stdout + done.stderr


# --- how runs end, and what they show -------------------------------------------------------------


class Ends(t.NamedTuple):
    """Runs on clouds of the same inventory."""

    all_fail: Run
    all_of_role_fail: Run
    in_sync: Run
    none: Run
    no_match: Run


@pytest.fixture(scope="module")
def ends(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Ends:
    """All in check mode."""
    inventory = _inventory(tmp_path_factory.mktemp("ends"), running_sandbox)
    options = [
        ("--limit", "failed,role-failed"),
        ("--limit", "role-failed"),
        ("--limit", "in-sync"),
        ("-e", '{"fleet_clouds": "elsewhere", "fleet_allow_empty_selection": true}'),
        ("-e", "onboard_hosts=prodd", "--limit", "in-sync"),
    ]
    return Ends(
        *(run_playbook(running_sandbox, "onboard", inventory, "--check", *one) for one in options)
    )


def test_the_exit_status_says_whether_a_cloud_failed(ends: Ends) -> None:
    """2 if one did, and 0 also where there was none to converge."""
    assert [run.exit_status for run in ends[:4]] == [2, 2, 0, 0]


def test_the_report_is_shown_also_if_all_clouds_fail(ends: Ends) -> None:
    """Ansible ends a run in which all hosts of a play have failed."""
    for run, lines in (
        (
            ends.all_fail,
            ["0 would change, 0 in sync, 2 failed", "Failed: failed, role-failed"],
        ),
        (
            ends.all_of_role_fail,
            ["0 would change, 0 in sync, 1 failed", "Failed: role-failed"],
        ),
        (ends.in_sync, ["0 would change, 1 in sync, 0 failed"]),
        (ends.none, ["0 would change, 0 in sync, 0 failed"]),
    ):
        assert run.output.count("TASK [Summarize the run]") == 1, run.output
        told = run.output.partition("TASK [Summarize the run]")[2].splitlines()
        assert told[2 : 2 + len(lines)] == lines
        [summary] = run.named("Summarize the run")
        assert summary["ansible_stats"]["data"], "for the next job of a workflow"


def test_a_run_shows_three_plays_at_most(ends: Ends) -> None:
    """And no play without hosts, in the default output."""
    for run in ends[:4]:
        assert len(re.findall(r"^PLAY \[", run.output, re.MULTILINE)) <= 3
        assert "no hosts matched" not in run.output
        warnings = re.findall(r"WARNING\]: (?!role-failed: cloud_iam_role names)", run.output)
        assert bool(warnings) is (run is ends.none)
    assert "None of the 6 clouds is selected" in ends.none.output
    assert ends.none.operations == {}


def test_a_pattern_that_matches_no_cloud_is_an_error(ends: Ends) -> None:
    """A run for no cloud would look like one with nothing to do."""
    assert ends.no_match.exit_status not in (0, 2)
    assert "No host in the inventory matches prodd" in ends.no_match.output
    assert "onboard_hosts" in ends.no_match.output
    assert ends.no_match.operations == {}
