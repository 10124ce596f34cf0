# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task has the same outcome in Ansible's worker process as it has as a module."""

from __future__ import annotations

import json
import re
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import read
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action import in_worker
from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ONBOARDING_ROLE
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    Run,
    inventory_file,
    run_playbook,
)

pytestmark = pytest.mark.core

Json = dict[str, t.Any]
CLOUD = FLEET[0]
IN_SYNC = next(cloud for cloud in FLEET if cloud.name == "genomics-prod")
SECRET = "wJalrXUtnFEMI/K7MDENG/canary"

TRUST, BUCKET, CONFIG, INFO, RESTORE = (
    f"rayfleet.anyscale.{name}"
    for name in (
        "iam_trust_ec2",
        "s3_cloud_access",
        "compute_config_profile",
        "cloud_iam_info",
        "backup_restore",
    )
)


def _in_account(cloud: t.Any = CLOUD, **options: t.Any) -> Json:
    assumed = f"arn:aws:iam::{cloud.account_id}:role/{ONBOARDING_ROLE}"
    return {"account_id": cloud.account_id, "assume_role_arn": assumed, **options}


# Each is a task. Their names are the cases; they run in this order, and later ones see what earlier
# ones changed.
CASES: dict[str, Json] = {
    "an option is missing": {BUCKET: {"roles": ["r"]}},
    "a secret that would be echoed": {
        TRUST: {"role": "{{ canary }}", "access_key": "AKIA0", "secret_key": "{{ canary }}"}
    },
    "a task that must not be logged": {TRUST: _in_account(role="missing"), "no_log": True},
    "an alias": {TRUST: _in_account(role_name=CLOUD.role_name), "check_mode": True},
    "a role that does not exist": {TRUST: _in_account(role="missing")},
    "check mode with a diff": {
        TRUST: _in_account(role=CLOUD.role_name),
        "check_mode": True,
        "diff": True,
    },
    "a change": {TRUST: _in_account(role=CLOUD.role_name)},
    "a warning": {TRUST: _in_account(role=FLEET[4].role_name)},
    "a bucket in a loop": {
        BUCKET: _in_account(bucket="{{ item }}", roles=[CLOUD.role_arn]),
        "loop": [CLOUD.bucket_name, FLEET[1].bucket_name],
    },
    "a compute config": {CONFIG: _in_account(name="parity", cloud_id=CLOUD.cloud_id)},
    "the registered role": {TRUST: _in_account(cloud_id=CLOUD.cloud_id)},
    "the facts of a cloud": {
        INFO: _in_account(
            IN_SYNC,
            cloud_id=IN_SYNC.cloud_id,
            bucket=IN_SYNC.bucket_name,
            compute_config=[IN_SYNC.compute_config_name],
        )
    },
    "a backup that is not there": {RESTORE: {"backup_file": "/nowhere/backup.json"}},
    "a token in the environment": {
        CONFIG: _in_account(IN_SYNC, name=IN_SYNC.compute_config_name, cloud_id=IN_SYNC.cloud_id),
        "environment": {"ANYSCALE_CLI_TOKEN": "aph0_unknown"},
    },
    "module_defaults of the group": {
        TRUST: {"role": IN_SYNC.role_name},
        "module_defaults": {"group/rayfleet.anyscale.all": _in_account(IN_SYNC)},
    },
    "until it succeeds": {
        TRUST: _in_account(role="missing"),
        "register": "tried",
        "until": "tried is succeeded",
        "retries": 1,
        "delay": 0,
    },
    "delegated": {TRUST: _in_account(IN_SYNC, role=IN_SYNC.role_name), "delegate_to": "localhost"},
    "a result that looks like a template": {
        BUCKET: _in_account(bucket="{{ '{{' }} 6 * 7 }}", roles=[CLOUD.role_arn])
    },
}
# What takes the same way as one of those, with other options.
FURTHER: dict[str, Json] = {
    "an option is unknown": {TRUST: {"role": "r", "rolle": "r"}},
    "an option and its alias": {
        TRUST: _in_account(role=CLOUD.role_name, role_name=CLOUD.role_name),
        "check_mode": True,
    },
    "an account that is not the caller's": {
        TRUST: {"role": CLOUD.role_name, "account_id": CLOUD.account_id}
    },
    "a profile that does not exist": {TRUST: {"role": "r", "profile": "missing"}},
    "a compute config in sync": {
        CONFIG: _in_account(IN_SYNC, name=IN_SYNC.compute_config_name, cloud_id=IN_SYNC.cloud_id)
    },
    "a compute config in check mode with a diff": {
        CONFIG: _in_account(FLEET[1], name="parity", cloud_id=FLEET[1].cloud_id),
        "check_mode": True,
        "diff": True,
    },
    "a bucket for the registered role": {
        BUCKET: _in_account(IN_SYNC, bucket=IN_SYNC.bucket_name, cloud_id=IN_SYNC.cloud_id)
    },
    "a bucket that does not exist": {
        BUCKET: _in_account(bucket="missing-bucket", roles=[CLOUD.role_arn])
    },
    "failed_when": {
        TRUST: _in_account(IN_SYNC, role=IN_SYNC.role_name),
        "register": "found",
        "failed_when": "found.reasons == []",
    },
}
# A new role has a new id and a new request has a new one; each run has a home of its own, and each
# backup its time; what Ansible prefixes a failure with names what ran.
_VARYING = (
    (re.compile(r"\bA(ROA|SIA|KIA)[A-Z0-9]{12,}\b"), "ID"),
    (re.compile(r"\b[0-9a-fA-F-]{32,36}\b|\b[0-9A-Z]{16,52}\b|\b[0-9A-Za-z]{52}\b"), "REQUEST"),
    (re.compile(r"cpt_\w+"), "cpt_"),
    (re.compile(r"/[^\s\"]*/parity\d+/"), "HOME/"),
    (re.compile(r"(Module|Action) failed"), "failed"),
    (re.compile(r"\b\d{8}T\d{6}-\d{6}Z\b"), "TIME"),
)


@pytest.fixture(scope="module")
def both_ways(
    running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> dict[bool, Run]:
    """The same tasks on the same fleet, in the worker and as modules."""
    return _run_both_ways(CASES, running_sandbox, tmp_path_factory)


@pytest.fixture(scope="module")
def further(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[bool, Run]:
    """The further tasks, likewise."""
    return _run_both_ways(FURTHER, running_sandbox, tmp_path_factory)


def _run_both_ways(
    cases: dict[str, Json], running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> dict[bool, Run]:
    runs = {}
    for in_process in (True, False):
        folder = tmp_path_factory.mktemp("parity")
        running_sandbox.reset()
        running_sandbox.seed(FLEET)
        tasks = [{"name": name, "ignore_errors": True, **task} for name, task in cases.items()]
        play = {"hosts": CLOUD.name, "gather_facts": False, "tasks": tasks}
        (folder / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False))
        inventory = inventory_file(
            folder, running_sandbox, [CLOUD], anyscale_in_worker=in_process, canary=SECRET
        )
        runs[in_process] = run_playbook(
            running_sandbox, str(folder / "play.yml"), inventory, "-vvv", "-e", "awx_job_id=4711"
        )
    return runs


def _comparable(result: Json) -> t.Any:
    text = json.dumps(
        {
            key: value
            for key, value in result.items()
            if key not in ("exception", "_ansible_parsed")
        },
        sort_keys=True,
    )
    for pattern, word in _VARYING:
        text = pattern.sub(word, text)
    return json.loads(text)


@pytest.mark.parametrize("name", CASES)
def test_the_whole_result_is_the_same(both_ways: dict[bool, Run], name: str) -> None:
    """Every key of it."""
    _assert_same(both_ways, name)


@pytest.mark.long
@pytest.mark.parametrize("name", FURTHER)
def test_the_whole_result_of_further_tasks_is_the_same(further: dict[bool, Run], name: str) -> None:
    """As well."""
    _assert_same(further, name)


def _assert_same(runs: dict[bool, Run], name: str) -> None:
    here, there = (runs[in_process].named(name) for in_process in (True, False))
    assert here, "the task did not run"
    assert [_comparable(result) for result in here] == [_comparable(result) for result in there]


def test_all_backups_of_a_run_have_its_id_and_name(both_ways: dict[bool, Run]) -> None:
    """Although no task sets them: the list of runs has one entry for them."""
    for run in both_ways.values():
        results = [
            one
            for _host, _action, result, _name in run.results
            for one in [result, *result.get("results", [])]
        ]
        backups = [read(result["backup_file"]) for result in results if "backup_file" in result]
        assert len(backups) > 2
        assert {(one.origin.run_id, one.origin.run_name) for one in backups} == {
            ("4711", CLOUD.name)
        }, "a play without a name has that of its hosts"


def test_the_diff_is_returned_in_diff_mode_alone(both_ways: dict[bool, Run]) -> None:
    """It is the longest part of a result, and Ansible keeps what is registered for each host until
    the end.
    """
    for run in both_ways.values():
        assert [name for name in CASES if any("diff" in result for result in run.named(name))] == [
            name for name, task in CASES.items() if task.get("diff")
        ]


def test_the_same_calls_are_made(both_ways: dict[bool, Run]) -> None:
    """No more and no fewer, but for sessions: in the worker, one does for all tasks of a run."""
    here, as_modules = ({**both_ways[way].operations} for way in (True, False))
    assert here.pop("AssumeRole") < as_modules.pop("AssumeRole")
    assert here == as_modules


def test_the_log_names_the_way_that_was_taken(both_ways: dict[bool, Run]) -> None:
    """With -vvv."""
    assert "in the worker process" in both_ways[True].output
    assert "as a module, because anyscale_in_worker is false" in both_ways[False].output


def test_no_secret_is_shown(both_ways: dict[bool, Run]) -> None:
    """Neither way."""
    for run in both_ways.values():
        assert SECRET not in run.output
        assert SECRET not in json.dumps(run.results)


# Keywords of a task, and why it runs as a module then.
APART: dict[str, tuple[Json, str]] = {
    "another Python": (
        {"vars": {"ansible_python_interpreter": "/usr/bin/env"}},
        "it has another Python",
    ),
    "PYTHONPATH": (
        {"environment": {"PYTHONPATH": "/nowhere"}},
        "its environment sets PYTHONPATH",
    ),
    "TMPDIR": ({"environment": {"TMPDIR": "/var/tmp"}}, "its environment sets TMPDIR"),
    "SSL_CERT_FILE": (
        {"environment": {"SSL_CERT_FILE": "/etc/other.pem"}},
        "its environment sets SSL_CERT_FILE",
    ),
    "asynchronous": ({"async": 30, "poll": 1}, "it is asynchronous"),
    "another user": (
        {"become": True, "become_method": "ansible.builtin.su"},
        "it becomes another user",
    ),
    "another connection": (
        {"vars": {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}},
        "the connection is ssh",
    ),
}


def test_what_could_differ_runs_as_a_module(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """And the log says why."""
    running_sandbox.reset()
    running_sandbox.seed([IN_SYNC])
    tasks = [
        {
            "name": name,
            TRUST: _in_account(IN_SYNC, role=IN_SYNC.role_name),
            "ignore_errors": True,
            "ignore_unreachable": True,
            **keywords,
        }
        for name, (keywords, _why) in APART.items()
    ]
    (tmp_path / "play.yml").write_text(
        yaml.safe_dump([{"hosts": IN_SYNC.name, "gather_facts": False, "tasks": tasks}])
    )
    inventory = inventory_file(tmp_path, running_sandbox, [IN_SYNC])
    run = run_playbook(running_sandbox, str(tmp_path / "play.yml"), inventory, "-vvv")
    for name, (_keywords, why) in APART.items():
        of_task = run.output.partition(f"TASK [{name}]")[2].partition("TASK [")[0]
        assert f"as a module, because {why}" in of_task, name
    assert "in the worker process" not in run.output


# A callback, since these are loaded before all actions.
AS_ON_MACOS = f"""
from ansible.plugins.callback import CallbackBase
from {in_worker.__package__} import in_worker

DOCUMENTATION = '''
name: as_on_macos
type: notification
short_description: As on macOS
description: For a test.
'''
in_worker.FORK_IS_UNSAFE = True


class CallbackModule(CallbackBase):
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "as_on_macos"
"""


def test_on_macos_all_runs_as_modules(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """And the engine converges no cloud: there, a fork of a process that has used boto3 is ended
    by the system.
    """
    plugin = tmp_path / "callbacks" / "as_on_macos.py"
    plugin.parent.mkdir()
    plugin.write_text(AS_ON_MACOS)
    running_sandbox.reset()
    running_sandbox.seed([IN_SYNC])
    inventory = inventory_file(tmp_path, running_sandbox, [IN_SYNC])
    callback = {
        "ANSIBLE_CALLBACK_PLUGINS": str(plugin.parent),
        "ANSIBLE_CALLBACKS_ENABLED": plugin.stem,
    }
    run = run_playbook(running_sandbox, "onboard", inventory, "-vvv", variables=callback)
    assert run.exit_status == 0, run.output
    assert "as a module, because a fork after boto3 is unsafe on this system" in run.output
    assert "in the worker process" not in run.output
    assert "0 changed, 1 in sync, 0 failed" in run.output


def test_bad_settings_of_aws_are_reported_by_the_task(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """They must not end the whole run when the action is imported."""
    running_sandbox.reset()
    running_sandbox.seed([IN_SYNC])
    inventory = inventory_file(tmp_path, running_sandbox, [IN_SYNC])
    run = run_playbook(running_sandbox, "onboard", inventory, variables={"AWS_PROFILE": "missing"})
    assert run.failed() == {IN_SYNC.name}
    assert "The config profile (missing) could not be found" in run.output


@pytest.mark.parametrize("in_worker", [True, False], ids=["in the worker", "as a module"])
def test_relative_paths_are_those_of_the_play(
    running_sandbox: Sandbox, tmp_path: Path, in_worker: bool
) -> None:
    """A local connection runs modules in the folder of the playbook, wherever ansible-playbook was
    started.
    """
    running_sandbox.reset()
    running_sandbox.seed([IN_SYNC])
    folder = tmp_path / "plays"
    folder.mkdir()
    options = _in_account(
        IN_SYNC, name=IN_SYNC.compute_config_name, cloud_id=IN_SYNC.cloud_id, dest="team.yaml"
    )
    (folder / "play.yml").write_text(
        yaml.safe_dump(
            [{"hosts": IN_SYNC.name, "gather_facts": False, "tasks": [{CONFIG: options}]}]
        )
    )
    inventory = inventory_file(tmp_path, running_sandbox, [IN_SYNC], anyscale_in_worker=in_worker)
    run = run_playbook(running_sandbox, str(folder / "play.yml"), inventory)
    assert run.exit_status == 0, run.output
    assert (folder / "team.yaml").exists()


def test_the_models_are_loaded_before_the_fork(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Otherwise each worker would parse them again, which costs more than everything else."""
    probe = tmp_path / "probe.py"
    probe.write_text(
        "import os, botocore.session\n"
        "original = botocore.session.Session.__init__\n"
        "def counted(self, *args, **kwargs):\n"
        "    if kwargs.get('include_builtin_handlers', True):\n"
        f"        open({str(tmp_path / 'sessions')!r}, 'a').write(f'{{os.getpid()}} "
        f"{{os.getppid()}}\\n')\n"
        "    original(self, *args, **kwargs)\n"
        "botocore.session.Session.__init__ = counted\n"
    )
    site = tmp_path / "sitecustomize.py"
    site.write_text(probe.read_text())
    running_sandbox.reset()
    running_sandbox.seed(FLEET[:4])
    inventory = inventory_file(tmp_path, running_sandbox, FLEET[:4])
    run = run_playbook(
        running_sandbox, "onboard", inventory, "--check", variables={"PYTHONPATH": str(tmp_path)}
    )
    assert run.exit_status == 0, run.output
    parsed = (tmp_path / "sessions").read_text().splitlines()
    assert len(parsed) == 1, f"{len(parsed)} processes parsed the models, on Python {sys.version}"
