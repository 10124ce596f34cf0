# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The folder of a run in Ansible's temporary directory: what the tasks of a playbook pass to later
ones without passing it through the events of the run.

This plugin util is private to the collection. Ansible's temporary directory belongs to its user
alone, and is removed with the run.
"""

from __future__ import annotations

import json
import mmap
import os
import re
import secrets
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.atomic import atomic_write
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_directory import (
    run_directory,
)

_OUTCOMES = "outcomes.jsonl"
_PASSED_ON = "passed-on"
Json = dict[str, t.Any]
_TOKEN = re.compile(r"[0-9a-f]{8}\Z")


def new_token() -> str:
    """A name for a run that is unique also if a playbook is imported twice."""
    return secrets.token_hex(4)


def passed_on() -> RunFolder | None:
    """The folder of the run that was passed on last: a playbook may import others one after the other."""
    try:
        with open(os.path.join(run_directory(), _PASSED_ON), encoding="utf-8") as file:
            return RunFolder(file.read())
    except FileNotFoundError:
        return None


class RunFolder:
    """The folder of the run with a token. It is created when something is written."""

    def __init__(self, token: str) -> None:
        if not _TOKEN.match(token):
            raise InputError(
                f"run is {token!r}.", "Set it to what the task that selects the clouds returns."
            )
        self.token = token
        self.path = os.path.join(run_directory(), f"run-{token}")

    def create(self) -> str:
        """Make the folder. Returns its path."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        return self.path

    def write(self, name: str, data: t.Any) -> None:
        """Write data that later tasks of the run read."""
        self.create()
        atomic_write(os.path.join(self.path, f"{name}.json"), json.dumps(data))

    def read(self, name: str, default: t.Any = None) -> t.Any:
        """Read what a task of the run has written, or the default if none has."""
        try:
            with open(os.path.join(self.path, f"{name}.json"), encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return default

    def pass_on(self) -> None:
        """Make it the run that the next plays are about."""
        self.create()
        atomic_write(os.path.join(run_directory(), _PASSED_ON), self.token)

    def write_outcomes(self, outcomes: t.Mapping[str, Json]) -> None:
        """Write the outcome of each cloud, on a line of its own, which begins with the name."""
        self.create()
        lines = [f"\n{json.dumps(name)} {json.dumps(one)}" for name, one in outcomes.items()]
        atomic_write(os.path.join(self.path, _OUTCOMES), "".join(lines) + "\n")

    def read_outcomes(self) -> dict[str, Json]:
        """Read the outcomes of all clouds; none if no task has written them."""
        try:
            with open(os.path.join(self.path, _OUTCOMES), encoding="utf-8") as file:
                lines = file.read().split("\n")
        except FileNotFoundError:
            return {}
        parse = json.JSONDecoder().raw_decode
        return {
            name: json.loads(line[end:]) for line in lines if line for name, end in [parse(line)]
        }

    def read_outcome(self, name: str) -> Json | None:
        """Read the outcome of one cloud. Each cloud has a task that does so, so that the lines of
        the others are not parsed.
        """
        try:
            with (
                open(os.path.join(self.path, _OUTCOMES), "rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
            ):
                head = f"\n{json.dumps(name)} ".encode()
                start = content.find(head)
                line = content[start + len(head) : content.find(b"\n", start + 1)]
        except FileNotFoundError:
            return None
        return t.cast(Json, json.loads(line)) if start >= 0 else None
