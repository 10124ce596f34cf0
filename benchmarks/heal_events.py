# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How long the playbook heal takes from its events to converged clouds, for one event and for ten
thousand, in inventories of several sizes.

    python -m ansible_collections.rayfleet.anyscale.benchmarks.heal_events --clouds 12 1000 5000

All clouds of the inventory have drifted, and events come as the filter of the rulebooks passes them
on: of role after role, so that each cloud has about as many. The stand-in for AWS and Anyscale delays
each answer by 20 ms. Not in it are the 15 seconds for which a rulebook waits; the 5 for which a cloud
has to be quiet are.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.benchmarks import _measure
from ansible_collections.rayfleet.anyscale.benchmarks._contenders import ONBOARD
from ansible_collections.rayfleet.anyscale.benchmarks._schedule import DRIFTED, Cell
from ansible_collections.rayfleet.anyscale.benchmarks._servers import StandInServer
from ansible_collections.rayfleet.anyscale.benchmarks._workplace import Workplace
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    parse_settings,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import (
    changes_in,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.settings_digest import (
    digests_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.state_file import StateFile
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.tests.sandbox import (
    Cloud as SandboxCloud,
    generated_fleet,
)
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import record

LATENCY_MS = 20
LIMIT_SECONDS = 1200


def main() -> None:
    """Print a line for each size and number of events."""
    options = _options()
    with StandInServer() as server:
        for clouds in options.clouds:
            for events in options.events:
                with tempfile.TemporaryDirectory(prefix="heal-events-") as folder:
                    print(_line(server, Path(folder), clouds, events), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--clouds", type=int, nargs="+", default=[12, 1000, 5000])
    parser.add_argument("--events", type=int, nargs="+", default=[1, 10_000])
    return parser.parse_args()


def _line(server: StandInServer, folder: Path, clouds: int, events: int) -> str:
    """Run the playbook, and say what it took."""
    cell = Cell(DRIFTED, clouds, LATENCY_MS, ONBOARD)
    server.prepare(cell)
    place = Workplace(folder, forks=5, threads=16)
    variables = folder / "event.json"
    fleet = generated_fleet.clouds(*cell.shape)
    variables.write_text(json.dumps(_variables(fleet, events)))
    inventory = place.inventory(cell.shape)
    _note_onboarded(place, inventory)
    command = [
        *("ansible-playbook", "-i", inventory, "rayfleet.anyscale.heal"),
        *("-e", f"@{variables}"),
    ]
    output = folder / "output.txt"
    environment = place.environment(server.variables())
    measure = _measure.run(command, environment, folder, output, LIMIT_SECONDS, True)
    text = output.read_text(errors="replace")
    healed = min(clouds, events)
    assert measure.exit_status == 0, text[-2000:]
    ending = f"{healed} changed, 0 in sync, 0 failed" if healed else "Nothing was due."
    assert ending in text, text[-2000:]
    return (
        f"{clouds} clouds, {events} events: {healed} clouds converged in {measure.seconds:.1f} s, "
        f"{measure.cpu_seconds:.1f} s of a processor, {measure.together:.0f} MB"
    )


def _note_onboarded(place: Workplace, inventory: str) -> None:
    """As the run of onboard has that converged the clouds before they drifted."""
    hosts = json.loads(Path(inventory).read_text())["all"]["children"]["anyscale_clouds"]["hosts"]
    clouds = [Cloud(name, parse_settings(variables)) for name, variables in hosts.items()]
    state = f"{place.environment({})['ANSIBLE_HOME']}/anyscale_healing"
    with StateFile(state, Rules()).update() as healing:
        healing.note_onboarded(digests_of(clouds), time.time(), time.time())


def _variables(fleet: t.Sequence[SandboxCloud], events: int) -> dict[str, t.Any]:
    """What ansible-rulebook gives the playbook."""
    return {
        "heal_max_clouds": len(fleet),
        "ansible_eda": {
            "events": {
                f"m_{number}": {"detail": _detail(fleet[number % len(fleet)])}
                for number in range(events)
            }
        },
    }


def _detail(cloud: SandboxCloud) -> dict[str, t.Any]:
    parameters = {"roleName": cloud.role_name, "policyDocument": "{}"}
    found = record("UpdateAssumeRolePolicy", cloud.account_id, requestParameters=parameters)
    return changes_in(found).changes[0].record()


if __name__ == "__main__":
    main()
