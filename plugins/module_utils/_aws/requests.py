# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which calls write, and AWS's ids of those that a piece of work made, with which they are found in
CloudTrail.

This module util is private to the collection. It makes no call.
"""

from __future__ import annotations

import contextlib
import contextvars
import typing as t

Write = dict[str, str]

_READS = ("Get", "List", "Describe", "AssumeRole")
# Of the context and not of the thread, so that work which hands its context to threads sees theirs.
_writes: contextvars.ContextVar[list[Write] | None] = contextvars.ContextVar("writes", default=None)


# Permissions that are not named like their operation.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
_PERMISSIONS = {
    "s3:GetBucketCors": "s3:GetBucketCORS",
    "s3:GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "s3:ListBuckets": "s3:ListAllMyBuckets",
}


def permission_of(service: str, operation: str) -> str:
    """The permission that an operation needs."""
    name = f"{service}:{operation}"
    return _PERMISSIONS.get(name, name)


def is_read(operation: str) -> bool:
    """Whether an operation, by its API name, changes nothing in the account."""
    return operation.startswith(_READS)


@contextlib.contextmanager
def recorded_writes() -> t.Iterator[list[Write]]:
    """A list of the writes made meanwhile, each with ``operation`` (such as
    ``iam:UpdateAssumeRolePolicy``) and ``request_id``: those that took effect, and those of which
    AWS's answer leaves it open.
    """
    writes: list[Write] = []
    token = _writes.set(writes)
    try:
        yield writes
    finally:
        _writes.reset(token)


def record_write(service: str, operation: str, request_id: str | None) -> None:
    """Record a call if it is a write that AWS answered, and if they are recorded."""
    writes = _writes.get()
    if writes is not None and request_id and not is_read(operation):
        writes.append({"operation": f"{service}:{operation}", "request_id": request_id})
