# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Anyscale's real CLI against the stand-in for its control plane."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._launches import STATES
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import OWNER

# Anyscale's package takes long to import, so one process runs a list of commands of its CLI.
_RUN_COMMANDS = """
import json, sys
from anyscale.scripts import cli
from click.testing import CliRunner
results = [CliRunner().invoke(cli, command) for command in json.loads(sys.argv[1])]
print(json.dumps([[result.exit_code, f"{result.output}{result.exception or ''}"] for result in results]))
"""
_PROFILE = "arn:aws:iam::222222222222:instance-profile/ray"
_INSTANCE_CONFIG = {"IamInstanceProfile": {"Arn": _PROFILE}}
_CONFIG = {
    "cloud": "vision-prod",
    "head_node": {"instance_type": "m5.2xlarge"},
    "worker_nodes": [
        {
            "instance_type": "m5.4xlarge",
            "min_nodes": 0,
            "max_nodes": 5,
            "market_type": "PREFER_SPOT",
        }
    ],
    "advanced_instance_config": _INSTANCE_CONFIG,
}
_MAPPING = {
    "cloud_provider": "AWS",
    "compute_stack": "VM",
    "dataplane_iam_mapping": {
        "rules": [{"selector": "workload-type in (job, service),project=ml", "value": "ray-ml"}],
        "fallback_rule": "FAIL",
    },
}
_COMMANDS = {
    "cloud list": ["cloud", "list", "--max-items", "20", "--no-interactive", "--output", "json"],
    "cloud get": ["cloud", "get", "--name", "genomics-prod"],
    "cloud config get": ["cloud", "config", "get", "--name", "genomics-prod"],
    "scheduler config get": ["scheduler", "config", "get"],
    "machine-pool list": ["machine-pool", "list"],
    "cloud config update": [
        *("cloud", "config", "update", "--name", "genomics-prod", "--spec-file", "MAPPING")
    ],
    "cloud config get again": ["cloud", "config", "get", "--name", "genomics-prod"],
    "create": ["compute-config", "create", "--name", "team-a", "--config-file", "CONFIG"],
    "create again": ["compute-config", "create", "--name", "team-a", "--config-file", "CONFIG"],
    "get": ["compute-config", "get", "--name", "team-a"],
    "get version": ["compute-config", "get", "--name", "team-a:1"],
    "list": ["compute-config", "list", "--include-shared"],
    "archive": ["compute-config", "archive", "--name", "team-a"],
    "get archived": ["compute-config", "get", "--name", "team-a"],
    "create archived": ["compute-config", "create", "--name", "team-a", "--config-file", "CONFIG"],
    "get seeded": ["compute-config", "get", "--name", "genomics-dev-ray"],
    "job list": ["job", "list", "--include-all-users"],
    "schedule list": ["schedule", "list"],
    "workspace list": ["workspace_v2", "list", "--no-interactive", "--output", "json"],
    "cluster list": ["cluster", "list", "--include-all-projects"],
}


class Outcome(t.NamedTuple):
    """How a command ended, and what it said."""

    status: int
    output: str


@pytest.fixture(scope="module")
def outcomes(running: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """The results of the commands, run one after the other on the seeded fleet."""
    running.reset()
    running.seed()
    running.organization.scheduler.apply(
        {"resource_flavors": [{"name": "gpu", "advanced_instance_config": _INSTANCE_CONFIG}]}, OWNER
    )
    running.organization.add_machine_pool(
        "h100",
        [{"instance_type": "p5.48xlarge", "advanced_instance_config": _INSTANCE_CONFIG}],
    )
    template = running.organization.templates.search({"name": {"equals": "genomics-dev-ray"}}, 0.0)[
        0
    ]
    for kind in STATES:
        arguments = kind, template["config"]["cloud_id"], f"a-{kind}", template["id"]
        running.organization.launch(*arguments)
    config = tmp_path_factory.mktemp("cli") / "config.yaml"
    config.write_text(json.dumps(_CONFIG))
    mapping = config.with_name("mapping.yaml")
    mapping.write_text(json.dumps(_MAPPING))
    files = {"CONFIG": str(config), "MAPPING": str(mapping)}
    commands = [[files.get(word, word) for word in command] for command in _COMMANDS.values()]
    environment = {**running.environment(), "COLUMNS": "400", "HOME": str(config.parent)}
    argv = [sys.executable, "-c", _RUN_COMMANDS, json.dumps(commands)]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)
    results = json.loads(done.stdout.splitlines()[-1])
    return {name: Outcome(*result) for name, result in zip(_COMMANDS, results, strict=True)}


EXPECTED: dict[str, tuple[int, tuple[str, ...]]] = {
    "cloud list": (0, tuple(cloud.cloud_id for cloud in FLEET)),
    "cloud get": (
        0,
        ("s3://anyscale-genomics-prod-data", f"cluster_iam_role_id: {FLEET[7].role_arn}"),
    ),
    "scheduler config get": (0, ("gpu", _PROFILE)),
    "machine-pool list": (0, ("h100", "mp_")),
    "cloud config get": (0, ("dataplane_iam_mapping: {}",)),
    "cloud config update": (0, ("Successfully updated cloud configuration",)),
    "cloud config get again": (
        0,
        (
            "fallback_rule: FAIL",
            "mode: CUSTOMER_MANAGED",
            "selector: workload-type in (job, service),project=ml\n    value: ray-ml",
        ),
    ),
    "create": (0, ("Created compute config: 'team-a:1'",)),
    "create again": (0, ("Created compute config: 'team-a:2'",)),
    "get": (
        0,
        ("name: team-a:2", "cloud: vision-prod", f"Arn: {_PROFILE}", "market_type: PREFER_SPOT"),
    ),
    "get version": (0, ("name: team-a:1", f"Arn: {_PROFILE}")),
    "list": (0, ("team-a", "genomics-prod-ray", "forecast-dev-ray")),
    "archive": (0, ("Compute config is successfully archived.",)),
    "get archived": (1, ("Compute config 'team-a' not found.",)),
    "create archived": (1, ("is archived, so its name can no longer be used.",)),
    "get seeded": (
        0,
        (
            "name: genomics-dev-ray:1",
            f"Arn: {FLEET[8].instance_profile_arn}",
            "BlockDeviceMappings:",
        ),
    ),
    "job list": (0, ("a-job",)),
    "schedule list": (0, ("a-schedule",)),
    "workspace list": (0, ("a-workspace",)),
    "cluster list": (0, ("a-cluster",)),
}


@pytest.mark.parametrize("command", EXPECTED)
def test_command(outcomes: dict[str, Outcome], command: str) -> None:
    status, texts = EXPECTED[command]
    assert outcomes[command].status == status, outcomes[command].output
    for text in texts:
        assert text in outcomes[command].output


@pytest.mark.long
def test_refused_token_ends_the_installed_command(sandbox: Sandbox, tmp_path: Path) -> None:
    executable = shutil.which("anyscale", path=sysconfig.get_path("scripts"))
    assert executable
    sandbox.fault(operation="GET /api/v2/userinfo/", status=401)
    environment = {**sandbox.environment(), "HOME": str(tmp_path)}
    done = subprocess.run(
        [executable, "compute-config", "list"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "invalid or have expired" in done.stdout + done.stderr
