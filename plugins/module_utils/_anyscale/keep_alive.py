# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open URLs over connections that stay open, one for each thread: thousands of calls need no
thousands of TLS handshakes.

This module util is private to the collection. I/O. Proxies are found by urllib itself, as for any
URL.
"""

from __future__ import annotations

import functools
import http.client
import io
import select
import ssl
import threading
import typing as t
import urllib.error
import urllib.request
import urllib.response

_PROXY_AUTHORIZATION = "Proxy-authorization"


class KeepAlive:
    """The opener of Anyscale clients. A redirect is an error, as they demand."""

    def __init__(self, context: ssl.SSLContext | None) -> None:
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler(),
            _KeepAliveHandler(context),
            urllib.request.UnknownHandler(),
        ):
            self._opener.add_handler(handler)

    def open(
        self,
        *,
        url: str,
        method: str,
        data: bytes | None,
        headers: t.Mapping[str, str],
        http_agent: str,
        timeout: float,
        **_fixed: t.Any,
    ) -> urllib.response.addinfourl:
        """Send a request. What else the client asks for, no redirects and no netrc, is so in any
        case.
        """
        request = urllib.request.Request(
            url, data, {**headers, "User-agent": http_agent}, method=method
        )
        return self._opener.open(request, timeout=timeout)


class _KeepAliveHandler(urllib.request.AbstractHTTPHandler):
    """What urllib opens http and https with, but for the connection, which it would close after
    each answer.
    """

    http_request = https_request = urllib.request.AbstractHTTPHandler.do_request_

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__()
        self._kept = threading.local()
        self._classes: dict[str, t.Callable[..., http.client.HTTPConnection]] = {
            "http": http.client.HTTPConnection,
            "https": functools.partial(http.client.HTTPSConnection, context=context),
        }

    def http_open(self, request: urllib.request.Request) -> urllib.response.addinfourl:
        """Send a request, once more over a new connection where the kept one turns out to have been
        closed meanwhile.
        """
        headers = {**request.headers, **request.unredirected_hdrs}
        connection = self._connection(request, headers)
        was_open = connection.sock is not None
        try:
            try:
                return _answer(connection, request, headers)
            except (ConnectionError, ssl.SSLError, http.client.BadStatusLine):
                if not was_open or request.get_method() != "GET":
                    raise
                connection.close()
                return _answer(connection, request, headers)
        except urllib.error.HTTPError:
            raise
        except BaseException as failure:
            connection.close()
            if isinstance(failure, OSError):
                raise urllib.error.URLError(failure) from failure
            raise

    https_open = http_open

    def _connection(
        self, request: urllib.request.Request, headers: dict[str, str]
    ) -> http.client.HTTPConnection:
        """This thread's connection to where the request goes: the host, a proxy, or the host
        through a proxy's tunnel.
        """
        tunnel = getattr(request, "_tunnel_host", None)
        proxy_headers = (
            {_PROXY_AUTHORIZATION: headers.pop(_PROXY_AUTHORIZATION)}
            if tunnel and _PROXY_AUTHORIZATION in headers
            else {}
        )
        connections = self._kept.__dict__
        key = f"{request.type} {request.host} {tunnel}"
        if key not in connections:
            connections[key] = self._classes[request.type](request.host)
            if tunnel:
                connections[key].set_tunnel(tunnel, headers=proxy_headers)
        return _made_ready(connections[key], request.timeout)


def _made_ready(
    connection: http.client.HTTPConnection, timeout: float | None
) -> http.client.HTTPConnection:
    """Closed, to be opened anew, where the server has closed it; and as patient as the next request
    is.
    """
    if _is_dropped(connection):
        connection.close()
    connection.timeout = timeout
    if connection.sock is not None:
        connection.sock.settimeout(timeout)
    return connection


def _is_dropped(connection: http.client.HTTPConnection) -> bool:
    """Whether the server has closed a connection that was kept: there is something to read, and
    nothing was asked.
    """
    if connection.sock is None:
        return False
    readable = select.poll()  # unlike select(), it takes any number of open files
    readable.register(connection.sock, select.POLLIN)
    return bool(readable.poll(0))


def _answer(
    connection: http.client.HTTPConnection,
    request: urllib.request.Request,
    headers: t.Mapping[str, str],
) -> urllib.response.addinfourl:
    """The answer, read to its end: what is left of one would be taken for the start of the next."""
    connection.request(request.get_method(), request.selector, request.data, headers)
    response = connection.getresponse()
    body = io.BytesIO(response.read())
    if not 200 <= response.status < 300:
        raise urllib.error.HTTPError(
            request.full_url, response.status, response.reason, response.headers, body
        )
    return urllib.response.addinfourl(body, response.headers, request.full_url, response.status)
