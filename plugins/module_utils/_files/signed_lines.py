# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file of signed lines beside the backups, to which many runs append at the same time.

This module util is private to the collection. A line is signed with the key of the backups: what the
holder of the key did not write is passed over. The newest lines are kept, at least as many as fit in
one file.
"""

from __future__ import annotations

import contextlib
import fcntl
import hmac
import json
import os
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup_key import (
    signature_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import open_plain

# Of 5,000 clouds that are all onboarded, some 20,000 writes are 7 MB.
MOST_BYTES = 16 * 1024 * 1024
_OF_OTHERS = 0o022
_ATTEMPTS = 5

Content = t.Mapping[str, t.Any]


def append(directory: str, name: str, contents: t.Iterable[Content], key: bytes) -> None:
    """Add lines to the file of a name. Raises OSError or ValueError if that is not possible."""
    lines = [
        json.dumps({**content, "signature": signature_of(content, key)}) for content in contents
    ]
    os.makedirs(directory, mode=0o700, exist_ok=True)
    _append(directory, name, "".join(f"{line}\n" for line in lines).encode())


def read(
    directory: str, name: str, key: bytes, may_be: t.Callable[[bytes], bool]
) -> t.Iterator[dict[str, t.Any]]:
    """The contents of the lines that the key signed, oldest first. may_be: whether a line has to be
    parsed at all.
    """
    for path in (_older(directory, name), _current(directory, name)):
        for line in _lines(path):
            if may_be(line) and (content := _verified(line, key)) is not None:
                yield content


def _current(directory: str, name: str) -> str:
    return os.path.join(directory, f"{name}.jsonl")


def _older(directory: str, name: str) -> str:
    return os.path.join(directory, f"{name}.1.jsonl")


def _verified(line: bytes, key: bytes) -> dict[str, t.Any] | None:
    """The content of a line, unless the key's holder did not write it."""
    try:
        content = json.loads(line)
        signature = content.pop("signature")
        if hmac.compare_digest(str(signature), signature_of(content, key)):
            return t.cast("dict[str, t.Any]", content)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, TaskError):
        pass
    return None


def _append(directory: str, name: str, text: bytes) -> None:
    """Add lines to the file, which becomes the older one when it is full."""
    path = _current(directory, name)
    for _attempt in range(_ATTEMPTS):
        handle = open_plain(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        with os.fdopen(handle, "r+b", buffering=0):
            fcntl.flock(handle, fcntl.LOCK_EX)
            if not _is_current(handle, path):
                continue
            size = os.fstat(handle).st_size
            if size and size + len(text) > MOST_BYTES:
                os.replace(path, _older(directory, name))
                continue
            # A line that a killed process has left half written ends here
            is_whole = not size or os.pread(handle, 1, size - 1) == b"\n"
            _write(handle, text if is_whole else b"\n" + text, size)
            return


def _write(handle: int, text: bytes, size: int) -> None:
    """Write all of a text at the end of a file, which has a size. On a full disk, a write takes a part
    of it, and the next one fails: that part is taken back, since half a line says nothing.
    """
    try:
        while text:
            text = text[os.write(handle, text) :]
    except OSError:
        os.ftruncate(handle, size)
        raise


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
