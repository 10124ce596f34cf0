# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the contenders talk to, seen from outside: the stand-in server with a latency, or the
sandbox.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import os
import subprocess
import sys
import typing as t
import urllib.request

from ansible_collections.rayfleet.anyscale.benchmarks import _fleet
from ansible_collections.rayfleet.anyscale.benchmarks._schedule import Cell
from ansible_collections.rayfleet.anyscale.benchmarks.stand_in import CONTROL
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox, generated_fleet
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import (
    TOOLING_ACCOUNT,
    caller_key,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import OWNER_TOKEN
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import REGION

_STAND_IN = "ansible_collections.rayfleet.anyscale.benchmarks.stand_in"


@dataclasses.dataclass(frozen=True)
class Report:
    """What a server saw of a run: its calls by operation, how many of them wrote, what it had no
    answer for, what drift is left.
    """

    calls: dict[str, int]
    writes: int = 0
    unknown: tuple[str, ...] = ()
    drifted: dict[str, int] = dataclasses.field(default_factory=dict)


class Server(t.Protocol):
    """A server, in a ``with`` block."""

    def __enter__(self) -> Server: ...
    def __exit__(self, *exception: object) -> None: ...

    def variables(self) -> dict[str, str]:
        """The environment variables by which a contender finds it."""

    def prepare(self, cell: Cell) -> None:
        """Be in the state that a cell begins with, and count calls from zero."""

    def forget_calls(self) -> None:
        """Count calls from zero, and leave the state as it is."""

    def report(self) -> Report:
        """What it saw since then."""


class StandInServer:
    """The stand-in server in its process."""

    def __enter__(self) -> StandInServer:
        command = (sys.executable, "-m", _STAND_IN)
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._url = t.cast(t.IO[str], self._process.stdout).readline().strip()
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        return self

    def __exit__(self, *exception: object) -> None:
        self._process.communicate()  # it ends when its standard input does

    def variables(self) -> dict[str, str]:
        """The environment variables by which a contender finds it."""
        return {
            "AWS_ENDPOINT_URL": self._url,
            "AWS_ACCESS_KEY_ID": caller_key(TOOLING_ACCOUNT),
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "ANYSCALE_HOST": self._url,
            "ANYSCALE_CLI_TOKEN": OWNER_TOKEN,
            "NO_PROXY": "127.0.0.1",
            "no_proxy": "127.0.0.1",
        }

    def prepare(self, cell: Cell) -> None:
        """Generate the fleet again."""
        latency = (cell.latency_ms or 0) / 1000
        self._control(
            "reset",
            {"shape": cell.shape, "share": cell.scenario.drifted_share, "latency": latency},
        )

    def forget_calls(self) -> None:
        """Count calls from zero."""
        self._control("forget")

    def report(self) -> Report:
        """What it saw."""
        report = self._control("report")
        return Report(
            report["calls"], report["writes"], tuple(report["unknown"]), report["drifted"]
        )

    def _control(self, what: str, body: t.Any = None) -> dict[str, t.Any]:
        with self._opener.open(f"{self._url}{CONTROL}/{what}", json.dumps(body).encode()) as answer:
            return json.load(answer)


class SandboxServer:
    """The sandbox, with a fleet that is as it should be: filling it takes a while, so that it is
    done once.
    """

    def __enter__(self) -> SandboxServer:
        self._sandbox = Sandbox()
        self._sandbox.__enter__()
        self._seeded = _fleet.Shape(0)
        return self

    def __exit__(self, *exception: object) -> None:
        self._sandbox.__exit__(*exception)

    def variables(self) -> dict[str, str]:
        """The environment variables by which a contender finds it."""
        return self._sandbox.child_variables()

    def prepare(self, cell: Cell) -> None:
        """Fill it, if that has not been done."""
        if self._seeded != cell.shape:
            self._sandbox.reset()
            self._sandbox.seed(generated_fleet.clouds(*cell.shape))
            self._seeded = cell.shape
        self.forget_calls()

    def forget_calls(self) -> None:
        """Count calls from zero."""
        self._sandbox.clear_calls()

    def report(self) -> Report:
        """What it saw."""
        calls = collections.Counter(
            f"{call['service']}:{call['operation']}" for call in self._sandbox.calls()
        )
        return Report(dict(calls), len(self._sandbox.writes()))
