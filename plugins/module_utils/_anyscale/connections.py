# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connections of this process to the control plane, shared by its clients.

This module util is private to the collection. I/O.
"""

from __future__ import annotations

import functools
import os
import ssl
import typing as t
import urllib.error
import urllib.parse
import urllib.request

from ansible.module_utils.urls import make_context

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.keep_alive import (
    KeepAlive,
)


class Trust(t.NamedTuple):
    """Whom to believe to be the control plane."""

    validate_certs: bool = True
    ca_path: str | None = None


@functools.cache
def tls_context(trust: Trust) -> ssl.SSLContext:
    """It takes longer to make than a call, so that all clients of a process, and of those forked
    from it, share one.
    """
    return make_context(validate_certs=trust.validate_certs, cafile=trust.ca_path)


def connections(trust: Trust | None) -> KeepAlive:
    """The connections of this process, for all its clients. Without trust: for plain http."""
    return _connections(trust, *sorted(urllib.request.getproxies().items()))


@functools.cache
def _connections(trust: Trust | None, *_proxies: tuple[str, str]) -> KeepAlive:
    return KeepAlive(tls_context(trust) if trust else None)


# Two processes that write to one connection would read each other's answers.
os.register_at_fork(after_in_child=_connections.cache_clear)
