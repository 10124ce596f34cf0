# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the processes of one run of Ansible share in files: a directory in Ansible's temporary directory
of the run. Ansible removes that at the end, but not after SIGKILL or SIGTERM.

This plugin util is private to the collection. A run holds a lock for as long as one of its processes
lives: workers inherit it, and the kernel releases it with the last of them, so that no process id can
be mistaken for another's. Each run removes what runs without a lock have left.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import os
import shutil
import stat
import tempfile

from ansible import constants as C

_NAME = "rayfleet.anyscale"
_ALIVE = "alive"
_RUNS = "ansible-local-"
_held: list[int] = []


def run_directory(temporary: str | None = None) -> str:
    """The directory of this run, or that in another temporary directory of Ansible."""
    return os.path.join(temporary or C.DEFAULT_LOCAL_TMP, _NAME)


@functools.cache
def begin_run() -> None:
    """Claim the directory of this run, in the process that forks all others of it."""
    claim(C.DEFAULT_LOCAL_TMP)
    remove_leftovers(C.DEFAULT_LOCAL_TMP)


def claim(temporary: str) -> None:
    """Create the directory of this run and lock it until the last process of the run has ended."""
    folder = run_directory(temporary)
    with contextlib.suppress(OSError):
        os.makedirs(folder, mode=0o700, exist_ok=True)
        handle, unnamed = tempfile.mkstemp(dir=folder)
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Once it has its name, it is locked.
        os.replace(unnamed, os.path.join(folder, _ALIVE))
        _held.append(handle)


def remove_leftovers(temporary: str) -> None:
    """Remove the directories of runs that are over, beside the one of this run."""
    own, parent = os.path.basename(temporary), os.path.dirname(temporary)
    with contextlib.suppress(OSError):
        for name in os.listdir(parent):
            if name.startswith(_RUNS) and name != own:
                with contextlib.suppress(OSError):
                    _remove_if_over(os.path.join(parent, name))


def _remove_if_over(temporary: str) -> None:
    folder = run_directory(temporary)
    if not (_is_own_directory(temporary) and _is_own_directory(folder)):
        return
    handle = os.open(os.path.join(folder, _ALIVE), os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(temporary, handle)
    finally:
        os.close(handle)


def _remove(temporary: str, handle: int) -> None:
    """Remove the directory of a run whose lock is held, the lock last: what has no lock is never
    looked at again.
    """
    folder = run_directory(temporary)
    lock = os.path.join(folder, _ALIVE)
    if not os.path.samestat(os.fstat(handle), os.lstat(lock)):
        return
    for entry in os.scandir(folder):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path)
        elif entry.name != _ALIVE:
            os.unlink(entry.path)
    os.unlink(lock)
    os.rmdir(folder)
    os.rmdir(temporary)


def _is_own_directory(path: str) -> bool:
    found = os.lstat(path)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
