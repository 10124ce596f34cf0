# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a job costs AWX: the events that it stores, the seconds and the memory, for fleets in sync
and drifted, as a whole and in slices.

    python -m ansible_collections.rayfleet.anyscale.benchmarks.awx_events --clouds 12 1000 5000

Jobs are run as AWX runs them, by ansible-runner with its own display callback and the project of
examples/awx_project, against the stand-in for AWS and Anyscale, which delays each answer by 20 ms.
Slices run one after the other, so that their times and sizes are added up and their memory is that
of one of them.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
import tempfile
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.benchmarks import _fleet, _measure
from ansible_collections.rayfleet.anyscale.benchmarks._contenders import AUDIT, ONBOARD
from ansible_collections.rayfleet.anyscale.benchmarks._schedule import Cell, Scenario
from ansible_collections.rayfleet.anyscale.benchmarks._servers import StandInServer
from ansible_collections.rayfleet.anyscale.tests.sandbox import generated_fleet
from ansible_collections.rayfleet.anyscale.tests.support.awx_runs import (
    Job,
    prepare_job,
    read_job,
    size_of,
    sliced,
)

LATENCY_MS = 20
MOST_BYTES = 10_000  # of events, for each cloud
STATES = {"in sync": 0.0, "drifted": 1.0}
# What each playbook is given besides the fleet. An audit that fails for drift has an event of each
# drifted cloud.
PLAYBOOKS: dict[str, dict[str, t.Any]] = {
    "audit": {"audit_fail_on": "drift"},
    "onboard": {"fleet_mode": "apply", "onboard_canary_percent": 10},
}


@dataclasses.dataclass
class Cost:
    """What a job, or all slices of one, cost."""

    events: int = 0
    size: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    megabytes: float = 0.0
    of_runner: float = 0.0


def main() -> int:
    """Print a line for each job; the exit status is 1 if one has too many bytes for each cloud."""
    options = _options()
    missed = False
    with StandInServer() as server:
        for clouds in options.clouds:
            for playbook in options.playbooks:
                for state in options.states:
                    for slices in options.slices:
                        cost = _cost(server, playbook, clouds, state, slices)
                        a_cloud = cost.size / clouds
                        missed |= a_cloud > MOST_BYTES
                        print(
                            f"{playbook}, {state}, {clouds} clouds, slices: {slices}: "
                            f"{cost.events} events, {a_cloud:.0f} bytes a cloud, "
                            f"{cost.seconds:.1f} s, {cost.cpu_seconds:.1f} s of a processor, "
                            f"{cost.megabytes:.0f} MB, ansible-runner's {cost.of_runner:.0f} MB included",
                            flush=True,
                        )
    return int(missed)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clouds", type=int, nargs="+", default=[12, 1000, 5000])
    parser.add_argument("--playbooks", nargs="+", choices=list(PLAYBOOKS), default=list(PLAYBOOKS))
    parser.add_argument("--states", nargs="+", choices=list(STATES), default=list(STATES))
    parser.add_argument("--slices", type=int, nargs="+", default=[1, 4])
    return parser.parse_args()


def _cost(server: StandInServer, playbook: str, clouds: int, state: str, slices: int) -> Cost:
    contender = {"audit": AUDIT, "onboard": ONBOARD}[playbook]
    cell = Cell(Scenario(state, STATES[state]), clouds, LATENCY_MS, contender)
    server.prepare(cell)
    fleet = _fleet.inventory(generated_fleet.clouds(*cell.shape))
    cost = Cost()
    for number, inventory in enumerate(sliced(fleet, slices), 1):
        with tempfile.TemporaryDirectory(prefix="awx-events-") as folder:
            _add(cost, Path(folder), inventory, playbook, server.variables(), number)
    return cost


def _add(
    cost: Cost,
    folder: Path,
    inventory: dict[str, t.Any],
    playbook: str,
    environment: t.Mapping[str, str],
    job_id: int,
) -> None:
    """Run a job, and add what it cost."""
    variables = {
        **PLAYBOOKS[playbook],
        "audit_report_dir": str(folder / "report"),
        "cloud_iam_backup_dir": str(folder / "backups"),
    }
    command, surroundings = prepare_job(
        folder, inventory, f"playbooks/{playbook}.yml", (), variables, environment, job_id
    )
    output = folder / "output.txt"
    measure = _measure.run(command, surroundings, folder, output, 1200, look_at_memory=True)
    job = read_job(folder, measure.exit_status, output.read_text())
    [hosts] = [group["hosts"] for group in inventory["all"]["children"].values()]
    assert _clouds_of(job, playbook) == len(hosts), job.output[-2000:]
    cost.events += len(job.events)
    cost.size += size_of(job)
    cost.seconds += measure.seconds
    cost.cpu_seconds += measure.cpu_seconds
    cost.megabytes = max(cost.megabytes, measure.together)
    cost.of_runner = max(cost.of_runner, measure.controller)


def _clouds_of(job: Job, playbook: str) -> int:
    """For how many clouds the job did its work."""
    [artifact] = [value for name, value in job.published.items() if playbook in name]
    counts = artifact["counts"]
    if playbook == "audit":
        return sum(counts["clouds"].values()) - int(counts["clouds"]["error"])
    return int(counts["changed"] + counts["in_sync"])


if __name__ == "__main__":
    sys.exit(main())
