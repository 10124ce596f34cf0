# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record the IDs of AWS requests that wrote, beside the backups, so that an event in CloudTrail is
known to be a run's own.

This module util is private to the collection. A signed line for each write: nobody else can have an
event taken for a run's own. What cannot be recorded is no error: the event of that write then leads to
a run that finds nothing to change.
"""

from __future__ import annotations

import contextlib
import datetime
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files import signed_lines
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    backup_directory,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup_key import (
    known_key,
    signing_key,
)

_NAME = "aws_writes"
_REQUEST_ID = re.compile(rb'"request_id": "([A-Za-z0-9-]{1,128})"')


def record_own_writes(
    writes: t.Sequence[t.Mapping[str, str]], principal: str | None, params: t.Mapping[str, t.Any]
) -> None:
    """Record writes, if the parameters ask for backups: each with ``operation`` and ``request_id``.

    principal: the ARN of the caller.
    """
    if not writes or not principal or not params.get("backup"):
        return
    with contextlib.suppress(OSError, ValueError, TaskError):
        directory = backup_directory(params.get("backup_dir"))
        key = signing_key(params.get("backup_key"), directory)
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
        base = {"written_at": now, "run_id": params.get("run_id") or "", "principal": principal}
        signed_lines.append(directory, _NAME, [{**base, **write} for write in writes], key)


def own_writes(
    directory: str, request_ids: t.Collection[str], given_key: str | None
) -> dict[str, str]:
    """By the ID of the request, the ARN of the caller of those of these requests that runs recorded."""

    def is_asked_for(line: bytes) -> bool:
        match = _REQUEST_ID.search(line)
        return match is not None and match[1].decode() in request_ids

    found: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError, TaskError):
        key = known_key(given_key)
        if key is None or not request_ids:
            return {}
        for content in signed_lines.read(directory, _NAME, key, is_asked_for):
            if {"request_id", "principal"} <= content.keys():
                found[str(content["request_id"])] = str(content["principal"])
    return found
