# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Record the IDs of AWS requests that wrote, beside the backups, so that an event in CloudTrail is
known to be a run's own.

This module util is private to the collection. A line for each write, signed with the key of the
backups: nobody else can have an event taken for a run's own. The newest lines are kept, at least as
many as fit in one file. What cannot be recorded is no error: the event of that write then leads to a
run that finds nothing to change.
"""

from __future__ import annotations

import contextlib
import datetime
import fcntl
import hmac
import json
import os
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    backup_directory,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup_key import (
    known_key,
    signature_of,
    signing_key,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import open_plain

# Of 5,000 clouds that are all onboarded, some 20,000 writes are 7 MB.
MOST_BYTES = 16 * 1024 * 1024
_FILE, _OLDER_FILE = "aws_writes.jsonl", "aws_writes.1.jsonl"
_OF_OTHERS = 0o022
_REQUEST_ID = re.compile(rb'"request_id": "([A-Za-z0-9-]{1,128})"')
_ATTEMPTS = 5


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
        lines = [_signed({**base, **write}, key) for write in writes]
        os.makedirs(directory, mode=0o700, exist_ok=True)
        _append(directory, "".join(lines).encode())


def own_writes(
    directory: str, request_ids: t.Collection[str], given_key: str | None
) -> dict[str, str]:
    """By the ID of the request, the ARN of the caller of those of these requests that runs recorded."""
    found: dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError, TaskError):
        key = known_key(given_key)
        if key is None or not request_ids:
            return {}
        for name in (_OLDER_FILE, _FILE):
            for line in _lines(os.path.join(directory, name)):
                match = _REQUEST_ID.search(line)
                if match and match[1].decode() in request_ids:
                    found |= _verified(line, key)
    return found


def _signed(content: dict[str, str], key: bytes) -> str:
    return json.dumps({**content, "signature": signature_of(content, key)}) + "\n"


def _verified(line: bytes, key: bytes) -> dict[str, str]:
    """The request and the caller of a line; nothing where the key's holder did not write it."""
    try:
        content = json.loads(line)
        signature = content.pop("signature")
        if hmac.compare_digest(str(signature), signature_of(content, key)):
            return {str(content["request_id"]): str(content["principal"])}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, TaskError):
        pass
    return {}


def _append(directory: str, text: bytes) -> None:
    """Add lines to the file, which becomes the older one when it is full."""
    path = os.path.join(directory, _FILE)
    for _attempt in range(_ATTEMPTS):
        handle = open_plain(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not _is_current(handle, path):
                continue
            size = os.fstat(handle).st_size
            if size and size + len(text) > MOST_BYTES:
                os.replace(path, os.path.join(directory, _OLDER_FILE))
                continue
            # A line that a killed process has left half written ends here
            is_whole = not size or os.pread(handle, 1, size - 1) == b"\n"
            file.write(text if is_whole else b"\n" + text)
            return


def _is_current(handle: int, path: str) -> bool:
    """Whether an open file is still the one at the path: it may have become the older one."""
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False


def _lines(path: str) -> t.Iterator[bytes]:
    """The lines of a file that is the user's alone to write; none of another one, or if there is
    none.
    """
    with contextlib.suppress(OSError):
        handle = open_plain(path, os.O_RDONLY)
        with os.fdopen(handle, "rb") as file:
            found = os.fstat(handle)
            if found.st_uid == os.geteuid() and not found.st_mode & _OF_OTHERS:
                yield from file
