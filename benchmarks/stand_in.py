# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in server: AWS and Anyscale for a generated fleet, in a process of its own, each answer
after a set latency.

It prints its address, and ends when its standard input does, so that it cannot outlive who started
it.
"""

from __future__ import annotations

import asyncio
import collections
import functools
import gc
import json
import re
import sys
import typing as t
from urllib.parse import parse_qsl

from ansible_collections.rayfleet.anyscale.benchmarks import (
    _anyscale_api,
    _fleet,
    _query_api,
    _s3_api,
)
from ansible_collections.rayfleet.anyscale.benchmarks._http import Answer, Connection, Request
from ansible_collections.rayfleet.anyscale.benchmarks._state import Fleet, State
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_errors import Refusal

CONTROL = "/_bench"
_CREDENTIAL = re.compile(r"Credential=\w+?(\d{12})/\d{8}/[^/]+/(\w+)/aws4_request")
_UNSIGNED = Refusal("MissingAuthenticationToken", 403, "Request is missing Authentication Token")
_WRITES = ("Update", "Put", "Create", "Add", "Delete")


class StandIn:
    """The answers of the services, and the count of their calls. The access key of a call ends in
    its account.
    """

    def __init__(self) -> None:
        self._fleet = functools.cache(Fleet)
        self.reset({"shape": [0], "share": 0.0, "latency": 0.0})

    def reset(self, wanted: t.Mapping[str, t.Any]) -> None:
        """Start over, with clouds of a ``shape`` of which a ``share`` has drifted, and a
        ``latency`` in seconds; forget the calls.
        """
        self._state = State(self._fleet(_fleet.Shape(*wanted["shape"])), wanted["share"])
        self._latency = wanted["latency"]
        self.forget_calls()

    def forget_calls(self) -> None:
        """Count from zero again."""
        self._calls: collections.Counter[str] = collections.Counter()
        self._unknown: list[str] = []

    def report(self) -> dict[str, t.Any]:
        """What was called since then, and what of the drift is left."""
        writes = sum(
            count for name, count in self._calls.items() if name.split(":")[1].startswith(_WRITES)
        )
        return {
            "calls": self._calls,
            "writes": writes,
            "unknown": self._unknown,
            "drifted": self._state.still_drifted(),
        }

    def answer(self, request: Request) -> Answer:
        """The answer to any request."""
        if request.target.startswith(CONTROL):
            return self._control(request)
        return self._service(request)._replace(delay=self._latency)

    def _control(self, request: Request) -> Answer:
        if request.target == f"{CONTROL}/reset":
            self.reset(json.loads(request.body))
            gc.collect()
            # the fleet stays: scanning it repeatedly would show in the latencies
            gc.freeze()
        elif request.target == f"{CONTROL}/forget":
            self.forget_calls()
        return Answer(body=json.dumps(self.report()).encode(), content_type="application/json")

    def _service(self, request: Request) -> Answer:
        if request.target.startswith("/api/"):
            self._count("anyscale", _anyscale_api.operation(request), request)
            return _anyscale_api.answer(self._state, request)
        signed = _CREDENTIAL.search(request.headers.get("authorization", ""))
        account, service = signed.groups() if signed else ("", "iam")
        try:
            if not signed:
                raise _UNSIGNED
            return self._aws(request, account, service)
        except Refusal as refusal:
            refused = refusal.response(service, request.method)
            return Answer(refusal.status, refused.get_data(), refused.content_type or "")

    def _aws(self, request: Request, account: str, service: str) -> Answer:
        if service == "s3":
            self._count(service, _s3_api.operation(request), request)
            return _s3_api.answer(self._state, account, request)
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        name = form.get("Action", "")
        self._count(service, name if name in _query_api.OPERATIONS else "Unknown", request)
        return Answer(body=_query_api.answer(self._state, service, account, form).encode())

    def _count(self, service: str, name: str, request: Request) -> None:
        self._calls[f"{service}:{name}"] += 1
        if name == "Unknown":
            self._unknown.append(f"{request.method} {request.target} {request.body[:200]!r}")


class _Parent(asyncio.Protocol):
    """Standard input, whose end means that the parent process is gone."""

    def __init__(self, is_gone: asyncio.Event) -> None:
        self._is_gone = is_gone

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._is_gone.set()


async def _serve() -> None:
    loop, is_gone, stand_in = asyncio.get_running_loop(), asyncio.Event(), StandIn()
    server = await loop.create_server(
        lambda: Connection(stand_in.answer), "127.0.0.1", 0, backlog=1024
    )
    await loop.connect_read_pipe(lambda: _Parent(is_gone), sys.stdin)
    host, port = server.sockets[0].getsockname()
    print(f"http://{host}:{port}", flush=True)
    await is_gone.wait()


if __name__ == "__main__":
    asyncio.run(_serve())
