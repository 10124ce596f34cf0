# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is compared: the command of each contender, and how it is known that the command did its
work.
"""

from __future__ import annotations

import dataclasses
import sys
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.benchmarks import _proofs
from ansible_collections.rayfleet.anyscale.benchmarks._fleet import Shape
from ansible_collections.rayfleet.anyscale.benchmarks._proofs import Proof
from ansible_collections.rayfleet.anyscale.benchmarks._workplace import (
    AUDIT_FOLDER,
    INVENTORY_SOURCE,
    Workplace,
)

_HERE = Path(__file__).resolve().parent
_BARE_BOTO3 = "ansible_collections.rayfleet.anyscale.benchmarks.bare_boto3"

Command = t.Callable[[Workplace, Shape], list[str]]


@dataclasses.dataclass(frozen=True)
class Contender:
    """A way to converge or to audit the fleet that takes part in the benchmark.

    seconds_per_cloud, seconds_per_drifted_cloud: rough guesses, the second on top of the first, for
    the time that is left and the time at which a run is given up.
    most_clouds: a slow contender is run on so many at the most, and its time is scaled to more of
    them.
    parts: what of a cloud it converges; empty for one that must not write.
    proof: what shows that it did its work, where the server cannot tell.
    is_floor: whether the others of a table are compared with it.
    has_forks: whether its memory is measured.
    """

    title: str
    command: Command
    seconds_per_cloud: float
    seconds_per_drifted_cloud: float = 0.02
    most_clouds: int = 0
    parts: tuple[str, ...] = ("trust", "bucket", "compute_config")
    proof: Proof = _proofs.none
    is_floor: bool = False
    has_forks: bool = True

    @property
    def is_slow(self) -> bool:
        """Whether it is run on few clouds only."""
        return self.most_clouds > 0


def _playbook(name: str, *arguments: str) -> Command:
    def command(place: Workplace, shape: Shape) -> list[str]:
        inventory, forks = place.inventory(shape), str(place.forks)
        variables = f"fleet_threads={place.threads}"
        return [
            *("ansible-playbook", "--inventory", inventory, "--forks", forks),
            *("--extra-vars", variables, *arguments, name),
        ]

    return command


def _cli(place: Workplace, shape: Shape) -> list[str]:
    return [str(_HERE / "cli.sh"), str(place.forks), *place.cloud_folders(shape)]


def _bare_boto3(*arguments: str) -> Command:
    def command(place: Workplace, shape: Shape) -> list[str]:
        threads = str(place.threads)
        program = (sys.executable, "-m", _BARE_BOTO3, place.inventory(shape))
        return [*program, "--threads", threads, *arguments]

    return command


def _ansible_inventory(place: Workplace, shape: Shape) -> list[str]:
    return ["ansible-inventory", "--inventory", str(place.folder / INVENTORY_SOURCE), "--graph"]


ONBOARD = Contender(
    "onboard",
    _playbook("rayfleet.anyscale.onboard", "--extra-vars", "fleet_engine=true"),
    0.005,
    0.018,
)
ROLE = Contender(
    "the role, cloud by cloud",
    _playbook("rayfleet.anyscale.onboard", "--extra-vars", "fleet_engine=false"),
    0.09,
    0.15,
)
AUDIT = Contender(
    "audit",
    _playbook("rayfleet.anyscale.audit", "--extra-vars", f"audit_report_dir={AUDIT_FOLDER}"),
    0.01,
    parts=(),
    proof=_proofs.audited,
)
OFFBOARD = Contender(
    "offboard --check",
    # The clouds run with their default roles, which are not offboarded unless this is said.
    _playbook(
        "rayfleet.anyscale.offboard", "--check", "--extra-vars", "offboard_default_role=true"
    ),
    0.01,
    parts=(),
    proof=_proofs.would_change,
)
AMAZON_AWS = Contender(
    "amazon.aws",
    _playbook("amazon_aws.yml"),
    1.2,
    0.1,
    most_clouds=25,
    parts=("trust", "bucket"),
)
CLI = Contender("AWS CLI script", _cli, 4.0, 2.0, most_clouds=5, has_forks=False)
BARE_BOTO3 = Contender("bare boto3", _bare_boto3(), 0.0065, 0.006, is_floor=True)
BARE_AUDIT = Contender("bare boto3", _bare_boto3("--audit"), 0.022, 0.0, parts=(), is_floor=True)
NOTHING = Contender("Ansible doing nothing", _playbook("nothing.yml"), 0.04, parts=())
INVENTORY = Contender(
    "ansible-inventory", _ansible_inventory, 0.0017, parts=(), proof=_proofs.listed
)
