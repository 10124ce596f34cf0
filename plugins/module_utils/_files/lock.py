# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One writer at a time for an AWS resource, among the processes of one user on one machine.

This module util is private to the collection. The kernel drops a lock with its process, so that a
dead one blocks nobody. Lock files stay where they are: taking one away would let two processes hold
"the" lock. Where somebody else does so, such as what cleans the folder for temporary files, whoever
comes next locks the file that is there then.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import tempfile
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    TaskError,
    UnsettledError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import backoff

_WAIT_SECONDS = 600.0


@contextlib.contextmanager
def resource_lock(
    resource: str, directory: str | None = None, seconds: float = _WAIT_SECONDS
) -> t.Iterator[None]:
    """Hold the lock of a resource, waiting for it for so many seconds.

    ``directory`` is where the lock files are; by default a folder of the user's own under the
    system's temporary one.
    """
    handle = _taken(resource, directory, seconds)
    try:
        yield
    finally:
        os.close(handle)


def _taken(resource: str, directory: str | None, seconds: float) -> int:
    """A handle of the lock file, which is locked. Opened anew for each attempt: the file may be
    another one by then.
    """
    name = hashlib.sha256(resource.encode()).hexdigest()[:32] + ".lock"
    for _attempt in backoff(seconds, first=0.02, longest=0.5):
        path = os.path.join(_own_directory(directory), name)
        with contextlib.ExitStack() as closing:
            handle = _opened(path)
            closing.callback(os.close, handle)
            if _is_locked(handle, path) and _is_there(handle, path):
                closing.pop_all()
                return handle
    raise UnsettledError(
        f"Another task of this machine has been changing {resource} for more than {seconds:.0f} s.",
        "Look for a run that hangs, then run again.",
    )


def _opened(path: str) -> int:
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise TaskError(
            f"The lock file {path} cannot be opened: {error.strerror}.",
            "Set lock_dir to another folder.",
        ) from error


def _own_directory(directory: str | None) -> str:
    path = directory or os.path.join(tempfile.gettempdir(), f"rayfleet.anyscale-{os.getuid()}")
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        found = os.lstat(path)
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        why = getattr(error, "strerror", None) or error
        raise TaskError(
            f"The folder for lock files, {path!r}, cannot be used: {why}.",
            "Set lock_dir to another.",
        ) from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise TaskError(
            f"The folder for lock files, {path}, is not a folder that only its owner, this user, "
            "can write to.",
            "Remove it or set lock_dir to another.",
        )
    return path


def _is_locked(handle: int, path: str) -> bool:
    """Lock a file, unless somebody else has."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise TaskError(
            f"The lock file {path} cannot be locked: {error.strerror}.",
            "Set lock_dir to a local folder.",
        ) from error


def _is_there(handle: int, path: str) -> bool:
    """Whether the file that is locked is the one that others find. It counts as new from now on:
    cleaners go by the age.
    """
    with contextlib.suppress(OSError):
        os.utime(handle)
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
