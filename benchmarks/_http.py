# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""HTTP/1.1 for the stand-in server: kept-alive connections, as little work per request as possible,
answers after a delay.
"""

from __future__ import annotations

import asyncio
import http
import typing as t

_END_OF_HEAD = b"\r\n\r\n"
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Request(t.NamedTuple):
    """A request, its header names in lower case."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Answer(t.NamedTuple):
    """An answer, and the seconds until it is sent."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/xml"
    delay: float = 0.0

    def encoded(self, method: str) -> bytes:
        """The answer on the wire. One to a HEAD request has no body, but the headers of one."""
        head = (
            f"HTTP/1.1 {self.status} {http.HTTPStatus(self.status).phrase}\r\n"
            f"Content-Type: {self.content_type}\r\n"
            f"Content-Length: {len(self.body)}\r\n"
            "x-amzn-RequestId: 00000000-0000-4000-8000-000000000000\r\n\r\n"
        )
        return head.encode() + (b"" if method == "HEAD" else self.body)


class Connection(asyncio.Protocol):
    """One client's connection. Clients wait for the answer before they send another request."""

    def __init__(self, answer: t.Callable[[Request], Answer]) -> None:
        self._answer = answer
        self._received = b""
        self._head: tuple[str, str, dict[str, str]] | None = None
        self._transport: t.Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer as soon as a request is whole."""
        self._received += data
        if self._head is None:
            end = self._received.find(_END_OF_HEAD)
            if end < 0:
                return
            self._head = _parsed(self._received[:end])
            self._received = self._received[end + len(_END_OF_HEAD) :]
            if self._head[2].get("expect", "").lower() == "100-continue":
                self._transport.write(_CONTINUE)
        method, target, headers = self._head
        length = int(headers.get("content-length", 0))
        if len(self._received) < length:
            return
        body, self._received, self._head = self._received[:length], self._received[length:], None
        self._send(method, self._answer(Request(method, target, headers, body)))

    def _send(self, method: str, answer: Answer) -> None:
        encoded = answer.encoded(method)
        if answer.delay:
            asyncio.get_running_loop().call_later(answer.delay, self._transport.write, encoded)
        else:
            self._transport.write(encoded)


def _parsed(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _version = first.split(" ")
    fields = (line.partition(":") for line in lines)
    return method, target, {name.lower(): value.strip() for name, _colon, value in fields}
