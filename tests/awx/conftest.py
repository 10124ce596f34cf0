# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of the set-up of AWX share: the real modules of awx.awx, before a stand-in for AWX
on loopback.
"""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.awx.stand_in import TOKEN, StandIn
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, clean_environment

MODULES = next((CACHE / "nox/awx").glob("lib/python*/site-packages"), CACHE)
ANYSCALE_TOKEN = "token-for-anyscale-4711"
BACKUP_KEY = "key-for-backups-0815"
VARIABLES = {
    "awx_setup_organization": "Platform",
    "awx_setup_project_url": "https://git.example.com/platform/fleet.git",
    "awx_setup_aws_credential": "AWS operator",
    "awx_setup_audit_aws_credential": "AWS auditor",
    "awx_setup_anyscale_token": ANYSCALE_TOKEN,
    "awx_setup_backup_key": BACKUP_KEY,
}


@dataclasses.dataclass(frozen=True)
class Run:
    """One run of the playbook: what it printed, and the requests of it that changed something."""

    output: str
    exit_status: int
    changed: int
    writes: list[tuple[str, str]]


RunAwx = t.Callable[..., Run]


@pytest.fixture(scope="module")
def awx() -> t.Iterator[StandIn]:
    """An AWX with nothing in it but two AWS credentials."""
    if not (MODULES / "ansible_collections/awx/awx").is_dir():
        pytest.skip("the modules of awx.awx are not here; make awx installs them")
    with StandIn() as stand_in:
        for name in ("AWS operator", "AWS auditor"):
            stand_in.add("credentials", name=name, credential_type=stand_in.aws_type)
        yield stand_in


@pytest.fixture(scope="module")
def run_awx(awx: StandIn, tmp_path_factory: pytest.TempPathFactory) -> RunAwx:
    """Run the playbook awx with its variables in a file, and more of them as keywords."""
    folder = tmp_path_factory.mktemp("awx")
    environment = {
        **clean_environment(),
        "ANSIBLE_COLLECTIONS_PATH": str(MODULES),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "CONTROLLER_HOST": awx.url,
        "CONTROLLER_OAUTH_TOKEN": TOKEN,
    }

    def run(**more: t.Any) -> Run:
        (folder / "vars.yml").write_text(yaml.safe_dump({**VARIABLES, **more}))
        awx.writes.clear()
        command = [
            str(Path(sys.executable).parent / "ansible-playbook"),
            "-v",
            "rayfleet.anyscale.awx",
            "-e",
            "@vars.yml",
        ]
        done = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        output = done.stdout + done.stderr
        changed = re.search(r"changed=(\d+)", output)
        return Run(output, done.returncode, int(changed[1]) if changed else -1, list(awx.writes))

    return run
