# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox to practise in: its files, for a person's own shell, and how long it lasts."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import os
import shlex
import shutil
import sys
import typing as t
from pathlib import Path

import yaml

from ansible_collections.rayfleet.anyscale.tests.sandbox import generated_fleet, practice_tool
from ansible_collections.rayfleet.anyscale.tests.sandbox._server import Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    ALLOW,
    DEFAULTS,
    FLEET,
    Cloud,
    inventory,
)

_DRIFTED = 0.1
_FLEET_PLUGIN = {
    "plugin": "rayfleet.anyscale.anyscale_clouds",
    "fleet_file": "fleet_file.yml",
}
# Credentials of the shell would reach real accounts. Backups and locks must not mix with those of
# real runs, but the installed collections have to be found as before.
_ENVIRONMENT = """\
# For the shell in which you practise: AWS and Anyscale are the sandbox, and nothing else.
for _name in $(env | sed -n -E 's/^((AWS|ANYSCALE)_[A-Za-z0-9_]*)=.*/\\1/p'); do unset "$_name"; done
unset _name
if [ -z "${{ANSIBLE_COLLECTIONS_PATH:-}}" ]; then
    ANSIBLE_COLLECTIONS_PATH="${{ANSIBLE_HOME:-$HOME/.ansible}}/collections:/usr/share/ansible/collections"
    export ANSIBLE_COLLECTIONS_PATH
fi
export ANSIBLE_HOME={home}
{variables}
# The clone's programs come last: for who has installed no Ansible.
case ":$PATH:" in *:{bin}:*) ;; *) export PATH={bin}:"$PATH":{programs} ;; esac
"""
_WELCOME = """\
AWS and Anyscale are simulated on this machine with {count} clouds. In another terminal:

    . {folder}/environment
    ansible-playbook -i {folder}/fleet.yml rayfleet.anyscale.audit
    ansible-playbook -i {folder}/fleet.yml rayfleet.anyscale.explain --limit {first}
    sandbox --help

{folder} also has fleet.anyscale_clouds.yml, which reads the clouds from the Anyscale API.
Press Ctrl-C here to stop: the sandbox and that folder are gone then.
"""


class InUse(Exception):
    """Another sandbox has the folder."""


def generated_clouds(count: int) -> tuple[Cloud, ...]:
    """A fleet of any size in ten accounts, a tenth of it drifted."""
    as_they_should_be = generated_fleet.clouds(count)
    numbers = set(generated_fleet.drifted_numbers(count, _DRIFTED))
    return tuple(
        dataclasses.replace(
            generated_fleet.drifted(cloud) if number in numbers else cloud,
            registry=True,
            cors=True,
        )
        for number, cloud in enumerate(as_they_should_be)
    )


@contextlib.contextmanager
def practice(sandbox: Sandbox, folder: Path, count: int | None) -> t.Iterator[str]:
    """Seed the sandbox, with the fleet of the guide or with ``count`` generated clouds, and keep the
    files for it in a folder. Gives what to tell the person.
    """
    clouds = FLEET if count is None else generated_clouds(count)
    with _own(folder):
        sandbox.begin(lambda begun: _seed(begun, clouds if count is not None else None))
        _write(sandbox, folder, clouds)
        yield _WELCOME.format(count=len(clouds), folder=folder, first=clouds[0].name)


def _seed(sandbox: Sandbox, clouds: tuple[Cloud, ...] | None) -> None:
    """The fleet of the guide, or another one, and the queue."""
    if clouds is None:
        sandbox.seed_for_guide()
    else:
        sandbox.seed(clouds)
    sandbox.open_queue()


@contextlib.contextmanager
def _own(folder: Path) -> t.Iterator[None]:
    """The folder, emptied of what a killed sandbox left, and removed at the end."""
    folder.mkdir(parents=True, exist_ok=True)
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InUse(f"A sandbox runs already, with its files in {folder}.") from None
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield
        shutil.rmtree(folder)
    finally:
        os.close(handle)


def _write(sandbox: Sandbox, folder: Path, clouds: tuple[Cloud, ...]) -> None:
    (folder / "fleet.yml").write_text(_as_yaml(inventory(sandbox, clouds)))
    (folder / "fleet.anyscale_clouds.yml").write_text(_as_yaml(_FLEET_PLUGIN))
    (folder / "fleet_file.yml").write_text(fleet_file(clouds))
    program = folder / "bin" / "sandbox"
    program.parent.mkdir()
    source = Path(practice_tool.__file__).read_text(encoding="utf-8")
    program.write_text(f"#!/usr/bin/env python3\n{source}", encoding="utf-8")
    program.chmod(0o755)
    variables = "\n".join(
        f"export {name}={shlex.quote(value)}" for name, value in sandbox.child_variables().items()
    )
    (folder / "environment").write_text(
        _ENVIRONMENT.format(
            home=shlex.quote(str(folder / "ansible")),
            variables=variables,
            bin=shlex.quote(str(program.parent)),
            programs=shlex.quote(str(Path(sys.prefix) / "bin")),
        )
    )


def _as_yaml(value: t.Any) -> str:
    return yaml.safe_dump(value, sort_keys=False)


def fleet_file(clouds: tuple[Cloud, ...] = FLEET) -> str:
    """A fleet file: what the API does not know of the fleet: what may be written to, and how."""
    generated = {
        "accounts": sorted({cloud.account_id for cloud in clouds}),
        "roles": ["{cloud_id}-cluster_node_role"],
        "buckets": ["anyscale-*-data"],
        "unlisted": "include",
    }
    content = {
        "plugin": "rayfleet.anyscale.fleet_file",
        "allow": ALLOW if clouds is FLEET else generated,
        "defaults": DEFAULTS,
    }
    return _as_yaml(content)
