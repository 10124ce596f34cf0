# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connections of this process to the control plane, shared by its clients and their threads.

This module util is private to the collection. I/O. Connections are urllib3's, which boto3 brings.
"""

from __future__ import annotations

import base64
import functools
import os
import ssl
import typing as t
import urllib.parse
import urllib.request

from ansible.module_utils.urls import make_context

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.answer import (
    NO_ANSWER,
    Answer,
    Failure,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import is_loopback
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.limits import (
    Allowance,
    BoundedResponse,
    LimitError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    option,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import check_plain
from ansible_collections.rayfleet.anyscale.plugins.module_utils._requirements import missing_boto3

try:
    import urllib3
    from urllib3.exceptions import (
        ConnectTimeoutError,
        HTTPError,
        InsecureRequestWarning,
        NewConnectionError,
        ProxyError,
        SSLError,
    )

    HAS_URLLIB3 = True
except ImportError:
    HAS_URLLIB3 = False

# As many as the inventory plugin may use threads; a connection is only made when one is needed.
_MAX_CONNECTIONS = 100
# How much of a body is read, and decoded, at once: a small part of a compressed one may be large.
_PIECE_SIZE = 16 * 1024
# None is asked for. A server that compresses nevertheless is understood, but not two layers, nor a
# format whose few bytes stand for any number of them.
_ENCODINGS = ("", "identity", "gzip", "deflate")


class TlsSettings(t.NamedTuple):
    """How the control plane's certificate is verified."""

    validate_certs: bool = True
    ca_path: str | None = None


@functools.cache
def tls_context(settings: TlsSettings) -> ssl.SSLContext:
    """It takes longer to make than a call, so that all clients of a process, and of those forked
    from it, share one.
    """
    try:
        if settings.ca_path:
            check_plain(settings.ca_path)
        return make_context(validate_certs=settings.validate_certs, cafile=settings.ca_path)
    except OSError as error:
        raise InputError(
            f"The CA bundle {settings.ca_path} cannot be used: {error.strerror or error}.",
            f"Correct {option('aws_ca_bundle')}, or ca_path of the inventory plugin, or the "
            "environment variable ANYSCALE_SSL_CA_CERT or AWS_CA_BUNDLE.",
        ) from error


def connection_pool(url: str, settings: TlsSettings) -> t.Any:
    """The connections of this process for a URL: to its host, or to the proxy that the environment
    names for it.
    """
    if not HAS_URLLIB3:
        raise missing_boto3()
    proxy = _proxy_of(url)
    uses_tls = "https:" in (url[:6], (proxy or "")[:6])
    return _pool(settings if uses_tls else None, proxy)


def send(
    pool: t.Any,
    method: str,
    url: str,
    *,
    headers: t.Mapping[str, str],
    body: bytes | None,
    allowance: Allowance,
) -> Answer:
    """Send one request, once. A redirect is an answer: to follow it would carry the token to
    another host.
    """
    try:
        with allowance.applied():
            response = pool.request(
                method,
                url,
                headers=headers,
                body=body,
                timeout=allowance.wait(),
                redirect=False,
                retries=False,
                preload_content=False,
                enforce_content_length=True,
            )
    except (HTTPError, OSError) as error:
        return Answer(NO_ANSWER, failure=_failure(error))
    return _complete(response, allowance)


def _complete(response: t.Any, allowance: Allowance) -> Answer:
    """The answer that a response begins. One that breaks off is none; of one that exceeds a limit
    the status still counts.
    """
    try:
        content = _content(response, allowance)
    except (HTTPError, OSError) as error:
        response.close()  # or the server would go on sending
        failure = _failure(error)
        status = response.status if failure.is_final else NO_ANSWER
        return Answer(status, headers=response.headers, failure=failure)
    response.release_conn()
    return Answer(response.status, content, response.headers)


def _content(response: t.Any, allowance: Allowance) -> bytes:
    """The decoded body. Its size is checked as it grows."""
    encoding = response.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise LimitError(f"the answer is encoded as {encoding[:40]!r}")
    content = bytearray()
    for piece in response.stream(_PIECE_SIZE):
        content += piece
        allowance.check_size(len(content))
    return bytes(content)


@functools.cache
def _pool(settings: TlsSettings | None, proxy: str | None) -> t.Any:
    options: dict[str, t.Any] = {"maxsize": _MAX_CONNECTIONS}
    if settings is not None:
        context = tls_context(settings)
        options.update(ssl_context=context, cert_reqs=context.verify_mode)
        if t.cast(t.Any, urllib3).__version__.startswith("1."):
            # These releases compare names themselves then; OpenSSL would miss the name of a server
            # that is addressed by a number.
            context.check_hostname = False
        if not settings.validate_certs:
            urllib3.disable_warnings(InsecureRequestWarning)  # the option is the operator's word
    if proxy is None:
        pool = urllib3.PoolManager(**options)
    else:
        address, headers = _without_password(proxy)
        pool = urllib3.ProxyManager(
            address,
            proxy_headers=headers,
            proxy_ssl_context=options.get("ssl_context"),
            **options,
        )
    pool.pool_classes_by_scheme = _bounded_pools()
    return pool


def _bounded_pools() -> dict[str, type]:
    """urllib3's own pools, but that their connections read answers within an allowance."""
    pools: dict[str, t.Any] = {
        "http": urllib3.HTTPConnectionPool,
        "https": urllib3.HTTPSConnectionPool,
    }
    return {
        scheme: type(pool.__name__, (pool,), {"ConnectionCls": _bounded(pool.ConnectionCls)})
        for scheme, pool in pools.items()
    }


def _bounded(connection: type) -> type:
    return type(connection.__name__, (connection,), {"response_class": BoundedResponse})


# Two processes that write to one connection would read each other's answers.
os.register_at_fork(after_in_child=_pool.cache_clear)


def _proxy_of(url: str) -> str | None:
    """The proxy for a URL by the variables that Ansible's own modules use: ``https_proxy``,
    ``http_proxy`` and ``no_proxy``. None for this machine: a proxy would get the token, and send it to
    itself.
    """
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or is_loopback(parts.hostname or "") or urllib.request.proxy_bypass(parts.netloc):
        return None
    address = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_http(address):
        # The value is not shown: it may hold a password.
        raise InputError(
            f"The proxy that the environment names for {parts.scheme} is not the address of an "
            "HTTP proxy.",
            f"Set {parts.scheme}_proxy to one such as http://proxy.example.com:3128, or unset it.",
        )
    return address


def _is_http(address: str) -> bool:
    try:
        parts = urllib.parse.urlsplit(address)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _without_password(proxy: str) -> tuple[str, dict[str, str]]:
    """A proxy's address, and the headers that carry the user and password that it held."""
    parts = urllib.parse.urlsplit(proxy)
    user, _at, host = parts.netloc.rpartition("@")
    if not user:
        return proxy, {}
    credentials = base64.b64encode(urllib.parse.unquote_to_bytes(user)).decode()
    return f"{parts.scheme}://{host}", {"Proxy-Authorization": f"Basic {credentials}"}


def _failure(error: BaseException) -> Failure:
    """Why there is no answer, and what is certain of it.

    Nothing was sent where there was no connection, and where the other end's certificate was
    refused. What else goes wrong may do so after the request was read. An answer that exceeds a
    limit would do so again.
    """
    is_proxy = isinstance(error, ProxyError)
    first = t.cast(t.Any, error).original_error if is_proxy else error
    cause = _cause(error)
    is_untrusted = isinstance(cause, ssl.SSLCertVerificationError) or (
        isinstance(first, SSLError) and isinstance(cause, ValueError)  # the name did not match
    )
    text = str(cause) or type(cause).__name__
    return Failure(
        f"through the proxy: {text}" if is_proxy else text,
        is_unsent=is_untrusted or isinstance(first, (NewConnectionError, ConnectTimeoutError)),
        is_final=is_untrusted or isinstance(cause, LimitError),
    )


def _cause(error: BaseException) -> BaseException:
    """What urllib3 wrapped: its own texts hold addresses of objects in memory, and differ between
    its releases.
    """
    while isinstance(error, HTTPError):
        inner = error.__cause__ or error.__context__
        if inner is None:
            return error
        error = inner
    return error
