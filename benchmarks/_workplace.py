# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the contenders run: a folder that holds what they need, and a clean environment."""

from __future__ import annotations

import dataclasses
import json
import os
import shlex
import sys
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.benchmarks import _fleet, _playbooks
from ansible_collections.rayfleet.anyscale.benchmarks._fleet import Shape
from ansible_collections.rayfleet.anyscale.tests.sandbox import (
    _seed_documents as documents,
    generated_fleet,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import caller_key
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import Cloud

BIN = Path(sys.executable).parent
AWSCLI_BIN = BIN.parents[1] / "awscli/bin"
INVENTORY_SOURCE = "fleet.anyscale_clouds.yml"
AUDIT_FOLDER = "audit"
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
        (self.folder / INVENTORY_SOURCE).write_text(_INVENTORY)
        (self.folder / "home").mkdir()

    def inventory(self, shape: Shape) -> str:
        """The static inventory of the clouds of a shape."""
        path = self.folder / f"fleet-{'-'.join(map(str, shape))}.json"
        if not path.exists():
            path.write_text(json.dumps(_fleet.inventory(generated_fleet.clouds(*shape))))
        return str(path)

    def cloud_folders(self, shape: Shape) -> list[str]:
        """A folder of each cloud, for the shell script."""
        folders = {
            self.folder / "clouds" / cloud.name: cloud for cloud in generated_fleet.clouds(*shape)
        }
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
