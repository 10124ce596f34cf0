# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests of this process to the sandbox, answered in the thread that makes them: no sockets, no
server's thread to wait for.

All clients here send with urllib3: botocore, the Anyscale client, and what uses ``requests``. So the
one method of urllib3 is replaced that opens a connection. What is sent is handed to the server's own
handler, byte by byte as over a socket, and what the handler answers is what the client reads. Child
processes still come over sockets, to the same state.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import socket
import typing as t
from unittest import mock

from urllib3.connection import HTTPConnection, HTTPSConnection

from ansible_collections.rayfleet.anyscale.tests.sandbox._http import HOST, Handler, HttpServer


@contextlib.contextmanager
def answered_in_process(
    servers: t.Iterable[HttpServer], needs_sockets: t.Callable[[], bool]
) -> t.Iterator[None]:
    """Within, what this process sends to these servers is answered so, but while sockets are needed:
    for faults of the connection itself.
    """
    by_port = {server.port: server for server in servers}
    open_socket = HTTPConnection._new_conn
    process = os.getpid()

    def new_connection(connection: HTTPConnection) -> t.Any:
        server = by_port.get(connection.port or 0) if connection.host == HOST else None
        if (
            server is None
            or isinstance(connection, HTTPSConnection)
            or os.getpid() != process  # a forked process has a copy of the state
            or needs_sockets()
        ):
            return open_socket(connection)
        return _CallersEnd(server)

    with mock.patch.object(HTTPConnection, "_new_conn", new_connection):
        yield


@functools.cache
def _at_its_end() -> socket.socket:
    one, other = socket.socketpair()
    other.close()
    return one


class _End:
    """As much of a socket as clients and handlers use: what is sent into it, and no more."""

    def __init__(self) -> None:
        self.sent = bytearray()

    def sendall(self, data: bytes) -> None:
        self.sent += data

    def settimeout(self, seconds: float | None) -> None:
        """Answers come at once."""

    def setsockopt(self, *option: int) -> None:
        """There is nothing to tune."""

    def close(self) -> None:
        """There is nothing to free."""


class _CallersEnd(_End):
    """The request is answered when the answer is read."""

    def __init__(self, server: HttpServer) -> None:
        super().__init__()
        self._server = server

    def makefile(self, _mode: str, _buffering: int | None = None) -> io.BytesIO:
        """The whole answer: the server's handler ends each connection after one."""
        end = _HandlersEnd(bytes(self.sent))
        Handler(t.cast(t.Any, end), (HOST, 0), self._server.listener)
        return io.BytesIO(end.sent)


class _HandlersEnd(_End):
    """The request is there as a whole, and its end."""

    def __init__(self, request: bytes) -> None:
        super().__init__()
        self._request = request

    def fileno(self) -> int:
        """Of a socket at its end, for the handler, which looks whether there is more to read."""
        return _at_its_end().fileno()

    def makefile(self, _mode: str, _buffering: int | None = None) -> io.BytesIO:
        return io.BytesIO(self._request)
