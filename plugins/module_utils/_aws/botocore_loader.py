# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Botocore sessions that share what is slow to create: the parsed service models and the event
handlers.

This module util is private to the collection. A forked process inherits the models that its parent
has loaded, so that a task that runs in Ansible's worker finds those of IAM and S3 in memory.
"""

from __future__ import annotations

import copy
import functools
import ipaddress
import logging
import typing as t
import urllib.parse
import urllib.request

try:
    import boto3.session
    import botocore.hooks
    from botocore.config import Config
    from botocore.session import Session
except ImportError:
    Session = object  # AwsSession reports that boto3 is missing

_SERVICES = ("iam", "s3", "sts")
_shared: dict[str, t.Any] = {}


class _Session(Session):
    """A session of botocore whose clients, also those with which it gets credentials, send nothing
    that is for this machine to a proxy.
    """

    def create_client(self, *arguments: t.Any, **options: t.Any) -> t.Any:
        """A client of a service."""
        client = super().create_client(*arguments, **options)
        if urllib.request.getproxies() and _is_loopback(client.meta.endpoint_url):
            without = Config(proxies={})
            given = options.pop("config", None)
            config = given.merge(without) if given else without
            client = super().create_client(*arguments, **options, config=config)
        return client


def core_session() -> t.Any:
    """A new botocore session, with its own credentials, settings and components."""
    if not _shared:
        # Its warnings are tracebacks of what the collection's own errors say.
        logging.getLogger("botocore").setLevel(logging.ERROR)
        hooks = botocore.hooks.HierarchicalEmitter()
        loader = Session(event_hooks=hooks).get_component("data_loader")
        _shared.update(loader=loader, paths=list(loader.search_paths), hooks=hooks)
    # A copy of the emitter, so that handlers of one client are not called for others.
    session = _Session(event_hooks=copy.copy(_shared["hooks"]), include_builtin_handlers=False)
    session.register_component("data_loader", _shared["loader"])
    # Each boto3 session adds its own search path.
    _shared["loader"].search_paths[:] = _shared["paths"]
    return session


@functools.cache
def user_agent() -> str:
    """What botocore says of itself to AWS. As a client's setting it is not built anew for each
    request, which takes a third of the time that botocore spends on a small one.
    """
    return str(core_session().user_agent())


def warm_up() -> None:
    """Load the service models that tasks need, without calling AWS or looking for credentials."""
    # Through boto3, since it imports more for a client than botocore does.
    session = boto3.session.Session(
        botocore_session=core_session(), aws_access_key_id="none", aws_secret_access_key="none"
    )
    for service in _SERVICES:
        session.client(service, region_name="us-east-1")


def _is_loopback(url: str) -> bool:
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
