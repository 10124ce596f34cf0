# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs the collection's playbooks as users do, by ansible-playbook, and returns what happened to
each cloud.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import subprocess
import sys
import typing as t
from pathlib import Path

import yaml

from ansible_collections.rayfleet.anyscale.tests.sandbox import (
    Cloud,
    Sandbox,
    inventory as sandbox_inventory,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ALLOW, DEFAULTS

Json = dict[str, t.Any]
BIN = Path(sys.executable).parent
_OF_ROLE = (
    "iam_trust_ec2",
    "s3_cloud_access",
    "iam_instance_profile",
    "iam_pass_role",
    "compute_config_profile",
    "cloud_iam_mapping",
    "cloud_variables_info",  # only if it refuses the cloud
)


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of a playbook: what it printed, each task's result for each host, and the calls that
    it made.
    """

    exit_status: int
    output: str
    results: list[tuple[str, str, Json, str]]
    writes: list[Json]
    operations: dict[str, int]

    def result(self, host: str, module: str) -> Json:
        """What a module of the collection returned for a host."""
        return next(
            result
            for found, action, result, _name in self.results
            if found == host and action == f"rayfleet.anyscale.{module}"
        )

    def named(self, name: str) -> list[Json]:
        """The results of the task of a name, one for each host."""
        return [result for _host, _action, result, found in self.results if found == name]

    @property
    def outcomes(self) -> dict[str, Json]:
        """What the report of the playbook onboard returned for each cloud that is in it."""
        return {
            host: result
            for host, action, result, _name in self.results
            if action == "rayfleet.anyscale.fleet_outcome_info"
        }

    @property
    def counts(self) -> Json:
        """The counts of the summary of the playbook onboard."""
        [summary] = self.named("Summarize the run")
        return t.cast(Json, summary["counts"])

    @property
    def lines(self) -> list[str]:
        """The lines of the summary of the playbook onboard."""
        [summary] = self.named("Summarize the run")
        return t.cast("list[str]", summary["lines"])

    def tasks_of_role(self, host: str) -> list[Json]:
        """The results of the tasks of the role cloud_iam for a host, without skipped ones, and the
        validation of the variables only if it failed; of a task with a loop, those of its items.
        """
        tasks = [
            result
            for found, action, result, _name in self.results
            if found == host and action.removeprefix("rayfleet.anyscale.") in _OF_ROLE
            if result.get("failed") or not action.endswith("cloud_variables_info")
        ]
        return [
            result
            for task in tasks
            for result in task.get("results", [task])
            if not result.get("skipped")
        ]

    def reasons(self, host: str) -> set[str]:
        """The reasons for all changes of a host."""
        return {
            reason
            for found, _action, result, _name in self.results
            if found == host
            for reason in result.get("reasons", [])
        }

    def changed(self, host: str) -> bool:
        """Whether any task changed a host."""
        return any(
            result.get("changed") for found, _action, result, _name in self.results if found == host
        )

    def failed(self) -> set[str]:
        """The hosts that a task failed for."""
        return {host for host, _action, result, _name in self.results if result.get("failed")}


def inventory_file(
    folder: Path, sandbox: Sandbox, fleet: t.Iterable[Cloud], **variables: t.Any
) -> Path:
    """A static inventory of a fleet. ``variables`` are laid over every cloud's own; ``None`` takes
    one away.
    """
    inventory = sandbox_inventory(sandbox, fleet)
    for host in inventory["all"]["children"]["anyscale_clouds"]["hosts"].values():
        host.update(variables)
        for name in [name for name, value in host.items() if value is None]:
            del host[name]
    path = folder / "fleet.yml"
    path.write_text(yaml.safe_dump(inventory))
    return path


def plugin_inventory(folder: Path, **sections: t.Any) -> Path:
    """The fleet as the sandbox's Anyscale API shows it, with a fleet file that permits it and says
    what the API cannot know. ``sections`` replace those of the file; ``None`` takes one away.
    """
    content = {"allow": ALLOW, "defaults": DEFAULTS, **sections}
    content = {name: section for name, section in content.items() if section is not None}
    (folder / "fleet_file.yml").write_text(yaml.safe_dump(content, sort_keys=False))
    path = folder / "fleet.anyscale_clouds.yml"
    path.write_text(
        yaml.safe_dump(
            {"plugin": "rayfleet.anyscale.anyscale_clouds", "fleet_file": "fleet_file.yml"}
        )
    )
    return path


def run_playbook(
    sandbox: Sandbox,
    name: str,
    inventory: Path,
    *arguments: str,
    show: bool = False,
    confirm: bool = False,
    variables: t.Mapping[str, str] | None = None,
) -> Run:
    """Run a playbook of the collection by its FQCN, or another one by its path. ``show``: print
    what it prints, as it comes. ``confirm``: with the default, to wait and to read back what was
    written; arguments may say it as well.
    """
    sandbox.clear_calls()
    log = inventory.parent / "results.jsonl"
    log.unlink(missing_ok=True)
    playbook = name if name.endswith(".yml") else f"rayfleet.anyscale.{name}"
    if not confirm:
        waiting = ("onboard", "offboard", "rollback")
        given = [part for one in waiting for part in ("-e", f"{one}_read_back=false")]
        arguments = (*given, *arguments)
    if name == "offboard":
        # The playbook requires a selection: here it is whatever else the arguments leave.
        arguments = ("-e", "fleet_clouds=*", *arguments)
    command = [str(BIN / "ansible-playbook"), "-i", str(inventory), playbook, *arguments]
    exit_status, output = _run(
        command,
        inventory.parent,
        {**_environment(sandbox, inventory.parent, log), **(variables or {})},
        show,
    )
    operations = collections.Counter(call["operation"] for call in sandbox.calls())
    results = (
        [tuple(json.loads(line)) for line in log.read_text().splitlines()] if log.exists() else []
    )
    return Run(exit_status, output, results, sandbox.writes(), dict(operations))


def _environment(sandbox: Sandbox, folder: Path, log: Path) -> dict[str, str]:
    """Nothing of the user's own; the results of the tasks go to the log, whatever the screen shows."""
    return {
        **sandbox.environment(),
        "HOME": str(folder),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).parent / "callback_plugins"),
        "ANSIBLE_CALLBACKS_ENABLED": "results_log",
        "ANSIBLE_PIPELINING": "true",
        "RESULTS_LOG": str(log),
        "COLUMNS": "400",
    }


def _run(
    command: list[str], folder: Path, environment: dict[str, str], show: bool
) -> tuple[int, str]:
    lines = []
    with subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in t.cast(t.IO[str], process.stdout):
            lines.append(line)
            if show:
                print(line, end="", flush=True)
    return process.returncode, "".join(lines)
