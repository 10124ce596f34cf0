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
import datetime
import functools
import ipaddress
import logging
import typing as t
import urllib.parse
import urllib.request

try:
    import boto3.session
    from botocore.config import Config
    from botocore.hooks import HierarchicalEmitter
    from botocore.session import Session
    from botocore.utils import parse_timestamp
except ImportError:
    HierarchicalEmitter = Session = object  # AwsSession reports that boto3 is missing

_SERVICES = ("iam", "s3", "sts")
# Those that are called besides, or that botocore calls to get credentials.
_OTHER_SERVICES = ("ec2", "kms", "sso", "sso-oidc", "signin")
_shared: dict[str, t.Any] = {}


class _Handlers(HierarchicalEmitter):
    """The handlers of botocore's events, but for those of services that are not called, and of its
    documentation: each client has a copy of them, and they would be a quarter of its memory.
    """

    def register(self, event_name: str, *arguments: t.Any, **options: t.Any) -> None:
        """Call a handler for an event, such as ``before-call.s3``."""
        event, _dot, rest = event_name.partition(".")
        service = rest.partition(".")[0]
        if event != "docs" and service in ("", "*", *_SERVICES, *_OTHER_SERVICES):
            super().register(event_name, *arguments, **options)


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
        hooks = _Handlers()
        loader = Session(event_hooks=hooks).get_component("data_loader")
        _shared.update(loader=loader, paths=list(loader.search_paths), hooks=hooks)
    # A copy of the emitter, so that handlers of one client are not called for others.
    session = _Session(event_hooks=copy.copy(_shared["hooks"]), include_builtin_handlers=False)
    session.register_component("data_loader", _shared["loader"])
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=_moment)
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


def _moment(value: t.Any) -> datetime.datetime:
    """A time in an answer. What botocore reads all of them with takes a hundred times as long as this
    does for most, and a page of IAM has hundreds.
    """
    try:
        return datetime.datetime.fromisoformat(value)
    except (TypeError, ValueError):  # such as seconds since 1970
        return t.cast(datetime.datetime, parse_timestamp(value))


def _is_loopback(url: str) -> bool:
    host = urllib.parse.urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
