# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs playbooks as AWX does: ansible-runner, a private data directory for each job, and the
project's template in it.
"""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

Json = dict[str, t.Any]

TEMPLATE = ROOT / "examples/awx_project"
IDENT = "1"
# What AWX sets for each job, besides its credentials.
OF_AWX = {
    "ANSIBLE_FORCE_COLOR": "True",
    "ANSIBLE_HOST_KEY_CHECKING": "False",
    "ANSIBLE_INVENTORY_UNPARSED_FAILED": "True",
    "ANSIBLE_PARAMIKO_RECORD_HOST_KEYS": "False",
    "ANSIBLE_RETRY_FILES_ENABLED": "False",
    "MAX_EVENT_RES": "700000",
}
# A job's inventory, which AWX hands over as a script that prints it.
_SCRIPT = "#! /usr/bin/env python3\n# -*- coding: utf-8 -*-\nprint({!r})\n"


@dataclasses.dataclass(frozen=True)
class Job:
    """A job that has run: how it ended, the events that AWX would store, and the folder of its
    artifacts.
    """

    exit_status: int
    events: list[Json]
    folder: Path

    @property
    def output(self) -> str:
        """What it printed."""
        return (self.folder / "stdout").read_text(encoding="utf-8")

    @property
    def seen(self) -> str:
        """What a person sees in AWX: the text of each event, without its colors."""
        texts = (str(event["stdout"]) for event in self.events)
        return re.sub(r"\x1b\[[0-9;]*m|\r", "", "\n".join(text for text in texts if text))

    @property
    def results(self) -> list[tuple[str, str, Json]]:
        """The host, the task's name and the result, for each end of a task."""
        data = [
            event["event_data"] for event in self.events if "res" in event.get("event_data", {})
        ]
        return [(one["host"], one["task"], one["res"]) for one in data]

    @property
    def published(self) -> Json:
        """What the job published by set_stats, which AWX hands on to the next jobs of a workflow."""
        [last] = [
            event["event_data"] for event in self.events if event["event"] == "playbook_on_stats"
        ]
        return t.cast(Json, last.get("artifact_data", {}))


def run_job(
    folder: Path,
    inventory: Json,
    playbook: str,
    *options: str,
    variables: t.Mapping[str, t.Any],
    environment: t.Mapping[str, str],
    job_id: int = 1,
    bin_folder: Path = Path(sys.executable).parent,
) -> Job:
    """Run a playbook of the project's template, such as ``playbooks/audit.yml``, or one of a
    collection by its full name.

    folder: where the private data directory and a home of its own are made.
    options: for the command line, as AWX puts there the limit, the verbosity and the forks.
    variables: extra variables, to which AWX adds its own; environment: what the credentials of the
    job template inject.
    job_id: AWX's, which each slice of a job has for itself.
    bin_folder: the virtual environment's that has ansible-runner and Ansible.
    """
    given = (variables, environment, job_id)
    command, surroundings = prepare_job(folder, inventory, playbook, options, *given, bin_folder)
    done = subprocess.run(
        command,
        cwd=folder,
        env=surroundings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return read_job(folder, done.returncode, done.stdout + done.stderr)


def prepare_job(
    folder: Path,
    inventory: Json,
    playbook: str,
    options: t.Sequence[str],
    variables: t.Mapping[str, t.Any],
    environment: t.Mapping[str, str],
    job_id: int = 1,
    bin_folder: Path = Path(sys.executable).parent,
) -> tuple[list[str], dict[str, str]]:
    """Make the folders of a job. Returns the command that runs it, and its environment."""
    private = folder / "private"
    of_job = {"JOB_ID": str(job_id), "AWX_PRIVATE_DATA_DIR": str(private)}
    of_awx = {
        "awx_job_id": job_id,
        "awx_job_template_name": f"Anyscale {Path(playbook).stem}",
    }
    variables, environment = {**variables, **of_awx}, {**OF_AWX, **of_job, **environment}
    _fill(private, inventory, options, variables, environment)
    home = folder / "home"
    home.mkdir()
    surroundings = {"PATH": f"{bin_folder}:/usr/bin:/bin", "HOME": str(home), "LC_ALL": "C.UTF-8"}
    runner = [str(bin_folder / "python"), "-m", "ansible_runner", "run", str(private)]
    return [*runner, "-p", playbook, "-i", IDENT, "--quiet"], surroundings


def read_job(folder: Path, exit_status: int, output: str) -> Job:
    """A job that has run in its folder."""
    artifacts = folder / "private/artifacts" / IDENT
    assert artifacts.is_dir(), output
    events = [
        json.loads(path.read_text(encoding="utf-8"))
        for path in (artifacts / "job_events").glob("[0-9]*.json")
    ]
    return Job(exit_status, sorted(events, key=lambda event: event["counter"]), artifacts)


def size_of(job: Job) -> int:
    """The bytes of all that AWX stores: the data of its events, and what they print."""
    return sum(
        len(json.dumps(event.get("event_data", {}))) + len(event["stdout"]) for event in job.events
    )


def summary_of(job: Job) -> list[str]:
    """The lines that the task displays as they stand, below its banner and above its result."""
    _above, banner, below = job.seen.partition("\nTASK [Summarize the run]")
    assert banner, job.seen
    return below.partition("\nok: [")[0].rpartition("\n\n")[2].splitlines()


def _fill(
    private: Path,
    inventory: Json,
    options: t.Sequence[str],
    variables: t.Mapping[str, t.Any],
    environment: t.Mapping[str, str],
) -> None:
    """The private data directory, in ansible-runner's layout."""
    shutil.copytree(TEMPLATE, private / "project")
    contents = {
        "inventory/hosts": _SCRIPT.format(_script_data(inventory)),
        "env/envvars": json.dumps(environment),
        "env/extravars": json.dumps(variables),
        "env/cmdline": " ".join(options),
        "env/settings": json.dumps({"suppress_ansible_output": True}),
    }
    for name, content in contents.items():
        path = private / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
    (private / "inventory/hosts").chmod(0o700)


def _script_data(inventory: Json) -> str:
    """A static inventory of one group in the format of inventory scripts."""
    [(group, content)] = inventory["all"]["children"].items()
    listed = {
        group: {"hosts": list(content["hosts"]), "vars": content.get("vars", {})},
        "_meta": {"hostvars": content["hosts"]},
    }
    return json.dumps(listed)


def sliced(inventory: Json, count: int) -> list[Json]:
    """The inventories of a job's slices: of the hosts, sorted by name, the first of each has every
    so many, and so on.
    """
    [(group, content)] = inventory["all"]["children"].items()
    names = [sorted(content["hosts"])[number::count] for number in range(count)]
    return [
        {
            "all": {
                "children": {
                    group: {**content, "hosts": {name: content["hosts"][name] for name in chosen}}
                }
            }
        }
        for chosen in names
    ]
