# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who is compared: the command of each contender, run in a folder that holds what it needs and in a
clean environment.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import sys
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.benchmarks import _fleet, _playbooks
from ansible_collections.rayfleet.anyscale.tests.sandbox import _seed_documents as documents
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import caller_key
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import Cloud

BIN = Path(sys.executable).parent
AWSCLI_BIN = BIN.parents[1] / "awscli/bin"
_HERE = Path(__file__).resolve().parent
_BARE_BOTO3 = "ansible_collections.rayfleet.anyscale.benchmarks.bare_boto3"
_INVENTORY = "plugin: rayfleet.anyscale.anyscale_clouds\n"


@dataclasses.dataclass(frozen=True)
class Workplace:
    """A folder with the playbooks and, once a contender asks for them, the inventories and
    documents of fleets.
    """

    folder: Path
    forks: int
    threads: int

    def __post_init__(self) -> None:
        _playbooks.write(self.folder)
        (self.folder / "fleet.anyscale_clouds.yml").write_text(_INVENTORY)
        (self.folder / "home").mkdir()

    def inventory(self, count: int) -> str:
        """The static inventory of so many clouds."""
        path = self.folder / f"fleet-{count}.json"
        if not path.exists():
            path.write_text(json.dumps(_fleet.inventory(_fleet.clouds(count))))
        return str(path)

    def cloud_folders(self, count: int) -> list[str]:
        """A folder of each cloud, for the shell script."""
        folders = {self.folder / "clouds" / cloud.name: cloud for cloud in _fleet.clouds(count)}
        for folder, cloud in folders.items():
            if not folder.exists():
                folder.mkdir(parents=True)
                _write_documents(folder, cloud)
        return [str(folder) for folder in folders]

    def environment(self, server_variables: t.Mapping[str, str]) -> dict[str, str]:
        """Nothing of the user's own: no settings, no credentials, no proxy."""
        return {
            "PATH": os.pathsep.join([str(BIN), str(AWSCLI_BIN), os.defpath]),
            "HOME": str(self.folder / "home"),
            "ANSIBLE_HOME": str(self.folder / "home/ansible"),
            "ANSIBLE_PIPELINING": "true",
            "ANSIBLE_RETRY_FILES_ENABLED": "false",
            "LC_ALL": "C.UTF-8",
            "NO_COLOR": "1",
            **server_variables,
        }


def _write_documents(folder: Path, cloud: Cloud) -> None:
    names = {
        "AWS_ACCESS_KEY_ID": caller_key(cloud.account_id),
        "role": cloud.role_name,
        "bucket": cloud.bucket_name,
        "profile": cloud.instance_profile_arn,
    }
    (folder / "names").write_text(
        "".join(f"{name}={shlex.quote(value)}\n" for name, value in names.items())
    )
    search = {
        "name": {"equals": cloud.compute_config_name},
        "cloud_id": cloud.cloud_id,
        "version": -1,
    }
    contents = {
        "trust": documents.trust_policy(cloud),
        "bucket": documents.bucket_policy(cloud),
        "search": search,
        "compute_config": _fleet.compute_config(cloud),
    }
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


@dataclasses.dataclass(frozen=True)
class Contender:
    """A way to converge the fleet that takes part in the benchmark.

    seconds_per_cloud, seconds_per_drifted_cloud: rough guesses, the second on top of the first, for
    the time that is left and the time at which a run is given up.
    most_clouds: a slow contender is run on so many at the most, and its time is scaled to more of
    them.
    parts: what of a cloud it converges.
    has_forks: whether it is one process and its forks, whose memory is measured.
    """

    title: str
    command: t.Callable[[Workplace, int], list[str]]
    seconds_per_cloud: float
    seconds_per_drifted_cloud: float = 0.2
    most_clouds: int = 0
    parts: tuple[str, ...] = ("trust", "bucket", "compute_config")
    has_forks: bool = True

    @property
    def is_slow(self) -> bool:
        """Whether it is run on few clouds only."""
        return self.most_clouds > 0


def _playbook(place: Workplace, clouds: int, *arguments: str) -> list[str]:
    return [
        "ansible-playbook",
        "--inventory",
        place.inventory(clouds),
        "--forks",
        str(place.forks),
        *arguments,
    ]


def _onboard(plan: str) -> t.Callable[[Workplace, int], list[str]]:
    def command(place: Workplace, clouds: int) -> list[str]:
        variables = f"fleet_plan={plan} fleet_plan_threads={place.threads}"
        return _playbook(place, clouds, "rayfleet.anyscale.onboard", "--extra-vars", variables)

    return command


def _cli(place: Workplace, clouds: int) -> list[str]:
    return [str(_HERE / "cli.sh"), str(place.forks), *place.cloud_folders(clouds)]


def _bare_boto3(place: Workplace, clouds: int) -> list[str]:
    return [
        sys.executable,
        "-m",
        _BARE_BOTO3,
        place.inventory(clouds),
        "--threads",
        str(place.threads),
    ]


def _ansible_inventory(place: Workplace, clouds: int) -> list[str]:
    return [
        "ansible-inventory",
        "--inventory",
        str(place.folder / "fleet.anyscale_clouds.yml"),
        "--graph",
    ]


PLAN = Contender("onboard, with the plan", _onboard("always"), 0.015)
PER_CLOUD = Contender("onboard, cloud by cloud", _onboard("never"), 0.15)
AMAZON_AWS = Contender(
    "amazon.aws",
    lambda place, clouds: _playbook(place, clouds, "amazon_aws.yml"),
    1.2,
    most_clouds=50,
    parts=("trust", "bucket"),
)
CLI = Contender("AWS CLI script", _cli, 1.2, most_clouds=10, has_forks=False)
BARE_BOTO3 = Contender("bare boto3", _bare_boto3, 0.012, 0.01)
ENGINE = Contender(
    "Ansible doing nothing",
    lambda place, clouds: _playbook(place, clouds, "nothing.yml"),
    0.05,
    parts=(),
)
INVENTORY = Contender("ansible-inventory", _ansible_inventory, 0.003, parts=())
