# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lock an AWS resource, so that one process of a user on a machine writes to it at a time.

This module util is private to the collection. The kernel releases a lock when its process ends, so
that a killed process blocks no other. Lock files are never deleted: two processes could then hold
the lock. If something else deletes one, such as a job that removes old files, the next
process locks the new file.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
    UnsettledError,
    option,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.directory import (
    check_writable_directory,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.home import ansible_home
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import open_plain
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import backoff

VARIABLE = "RAYFLEET_LOCK_DIR"
_WAIT_SECONDS = 600.0
_OTHER_DIRECTORY = f"Set {option('lock_dir')}, or the environment variable {VARIABLE}, to"


@contextlib.contextmanager
def resource_lock(
    resource: str, directory: str | None = None, seconds: float = _WAIT_SECONDS
) -> t.Iterator[None]:
    """Hold the lock of a resource. Waits for it for a number of seconds.

    ``directory`` contains the lock files; see ``lock_directory`` for the default.
    """
    handle = _acquire(resource, directory, seconds)
    try:
        yield
    finally:
        os.close(handle)


def _acquire(resource: str, directory: str | None, seconds: float) -> int:
    """Lock the file and return its handle. It is opened again for each attempt, since the file may
    have been replaced.
    """
    name = hashlib.sha256(resource.encode()).hexdigest()[:32] + ".lock"
    for _attempt in backoff(seconds, first=0.02, longest=0.5):
        path = os.path.join(_private_directory(directory), name)
        with contextlib.ExitStack() as closing:
            handle = _open(path)
            closing.callback(os.close, handle)
            if _is_locked(handle, path) and _is_current(handle, path):
                closing.pop_all()
                return handle
    raise UnsettledError(
        f"The lock of {resource} could not be acquired in {seconds:.0f} s: another task on this "
        "machine is changing it.",
        "Check for another run that hangs, then run again.",
    )


def check_lockable(directory: str | None) -> str:
    """The directory of the lock files. Raises if none could be made in it, without making any, nor the
    directory if it does not exist yet.
    """
    path = lock_directory(directory)
    with _usable(path):
        check_writable_directory(path)
        if os.path.lexists(path):
            _refuse_shared(path)
    return path


def lock_directory(directory: str | None) -> str:
    """The directory of the lock files: the given one, else the one that the environment names, else one
    in the user's home. In a directory that all users share, another user could take its name first.
    """
    named = directory or os.environ.get(VARIABLE) or os.path.join(ansible_home(), "anyscale_locks")
    path = os.path.expanduser(named)
    if not os.path.isabs(path):  # runs with different working directories share locks
        source = "lock_dir" if directory else VARIABLE
        raise InputError(f"{source} {named!r} is not an absolute path.", "Start it with / or ~.")
    return path


def _open(path: str) -> int:
    try:
        return open_plain(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise TaskError(
            f"The lock file {path} cannot be opened: {error.strerror}.",
            f"{_OTHER_DIRECTORY} another directory.",
        ) from error


def _private_directory(directory: str | None) -> str:
    path = check_lockable(directory)
    with _usable(path):
        os.makedirs(path, mode=0o700, exist_ok=True)
        _refuse_shared(path)
    return path


@contextlib.contextmanager
def _usable(path: str) -> t.Iterator[None]:
    """Raise an error of the collection for what the system says of a directory."""
    try:
        yield
    except (OSError, ValueError) as error:  # ValueError: a path with a null character
        why = getattr(error, "strerror", None) or error
        raise TaskError(
            f"The lock directory {path!r} cannot be used: {why}.",
            f"{_OTHER_DIRECTORY} another directory.",
        ) from error


def _refuse_shared(path: str) -> None:
    """Raise if another user owns the directory or can write to it."""
    found = os.lstat(path)
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
        raise TaskError(
            f"The lock directory {path} must be a directory that the current user owns and no "
            "other user can write to.",
            f"Remove it, or correct its owner and mode (0700). {_OTHER_DIRECTORY} another one.",
        )


def _is_locked(handle: int, path: str) -> bool:
    """Lock a file unless another process has locked it."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        raise TaskError(
            f"The lock file {path} cannot be locked: {error.strerror}.",
            f"{_OTHER_DIRECTORY} a local directory.",
        ) from error


def _is_current(handle: int, path: str) -> bool:
    """Whether the locked file is still the one at the path. Its time is updated, since cleanup jobs
    delete old files.
    """
    with contextlib.suppress(OSError):
        os.utime(handle)
    try:
        return os.path.samestat(os.fstat(handle), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
