# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests of this process to the sandbox, answered in the thread that makes them: no sockets, no
server's thread to wait for.

All clients here send with urllib3: botocore, the Anyscale client, and what uses ``requests``. So
one method of urllib3 is replaced, and what is above it (signatures, retries, parsers) and below the
server's handler (rules, accounts, faults, the journal) is the same as over a socket. Child
processes still come over sockets, to the same state.
"""

from __future__ import annotations

import contextlib
import http.client
import io
import os
import typing as t
from unittest import mock

import urllib3
from werkzeug.test import run_wsgi_app

from ansible_collections.rayfleet.anyscale.tests.sandbox._http import HOST, Handler, HttpServer

_METHODS_WITH_BODY = ("POST", "PUT", "PATCH")


@contextlib.contextmanager
def answered_in_process(
    servers: t.Iterable[HttpServer], needs_sockets: t.Callable[[], bool]
) -> t.Iterator[None]:
    """Within, what this process sends to these servers is answered so, but while sockets are
    needed: for faults of the connection itself.
    """
    by_port = {server.port: server for server in servers}
    over_socket = urllib3.HTTPConnectionPool.urlopen
    process = os.getpid()

    def urlopen(
        pool: urllib3.HTTPConnectionPool,
        method: str,
        url: str,
        body: t.Any = None,
        headers: t.Mapping[str, str | bytes] | None = None,
        *positional: t.Any,
        **options: t.Any,
    ) -> t.Any:
        server = by_port.get(pool.port or 0) if pool.host == HOST and not pool.proxy else None
        # A forked process has a copy of the state, and the sandbox is elsewhere.
        if server is None or os.getpid() != process or needs_sockets():
            return over_socket(
                pool, method, url, body, t.cast(t.Any, headers), *positional, **options
            )
        return _answer(server, method, url, _bytes(body), headers or {}, options)

    with mock.patch.object(urllib3.HTTPConnectionPool, "urlopen", urlopen):
        yield


def _answer(
    server: HttpServer,
    method: str,
    target: str,
    body: bytes,
    headers: t.Mapping[str, str | bytes],
    options: t.Mapping[str, t.Any],
) -> urllib3.HTTPResponse:
    environ = _environ(server, method, target, body, headers)
    content, status, answered = run_wsgi_app(server.application, environ, buffered=True)
    return urllib3.HTTPResponse(
        io.BytesIO(b"".join(content)),
        urllib3.HTTPHeaderDict(answered.items()),
        int(status.split()[0]),
        preload_content=options.get("preload_content", True),
        decode_content=options.get("decode_content", True),
        request_method=method,
    )


def _environ(
    server: HttpServer,
    method: str,
    target: str,
    body: bytes,
    headers: t.Mapping[str, str | bytes],
) -> dict[str, t.Any]:
    """What the server's own handler makes of a request, with the headers that urllib3 adds."""
    sent = urllib3.HTTPHeaderDict({"Host": f"{HOST}:{server.port}", "Accept-Encoding": "identity"})
    if body or method in _METHODS_WITH_BODY:
        sent["Content-Length"] = str(len(body))
    for name, value in headers.items():
        sent[name] = value.decode("latin-1") if isinstance(value, bytes) else value
    message = http.client.HTTPMessage()
    connection = http.client.HTTPConnection(HOST)  # refuses what no request can hold; never opened
    connection.putrequest(method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in sent.items():
        connection.putheader(name, value)
        message[name] = value
    handler = Handler.__new__(Handler)
    vars(handler).update(
        server=server.listener,
        command=method,
        path=f"/{target.lstrip('/')}",  # as the standard library's handler shortens it
        request_version="HTTP/1.1",
        headers=message,
        rfile=io.BytesIO(body),
        connection=None,
        client_address=(HOST, 0),
    )
    return handler.make_environ()


def _bytes(body: t.Any) -> bytes:
    if body is None:
        return b""
    if hasattr(body, "read"):
        body = body.read()
    return body.encode() if isinstance(body, str) else bytes(body)
