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
import logging
import typing as t

try:
    import boto3.session
    import botocore.hooks
    import botocore.session
except ImportError:
    pass  # AwsSession reports that boto3 is missing

_SERVICES = ("iam", "s3", "sts")
_shared: dict[str, t.Any] = {}


def core_session() -> t.Any:
    """A new botocore session, with its own credentials, settings and components."""
    if not _shared:
        # Its warnings are tracebacks of what the collection's own errors say.
        logging.getLogger("botocore").setLevel(logging.ERROR)
        hooks = botocore.hooks.HierarchicalEmitter()
        loader = botocore.session.Session(event_hooks=hooks).get_component("data_loader")
        _shared.update(loader=loader, paths=list(loader.search_paths), hooks=hooks)
    # A copy of the emitter, so that handlers of one client are not called for others.
    session = botocore.session.Session(
        event_hooks=copy.copy(_shared["hooks"]), include_builtin_handlers=False
    )
    session.register_component("data_loader", _shared["loader"])
    # Each boto3 session adds its own search path.
    _shared["loader"].search_paths[:] = _shared["paths"]
    return session


def warm_up() -> None:
    """Load the service models that tasks need, without calling AWS or looking for credentials."""
    # Through boto3, since it imports more for a client than botocore does.
    session = boto3.session.Session(
        botocore_session=core_session(), aws_access_key_id="none", aws_secret_access_key="none"
    )
    for service in _SERVICES:
        session.client(service, region_name="us-east-1")
