# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Open files that must be plain files: another process could have put anything in their place.

This module util is private to the collection. A FIFO, a socket or a device would block the task, and
a link would lead to another file.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import typing as t

_OPEN = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


def open_plain(path: str, flags: int, mode: int = 0o600) -> int:
    """Open a file without waiting for anything. Raises OSError or ValueError, for what is no plain
    file too. Returns its handle.

    flags, mode: those of ``os.open``.
    """
    with contextlib.suppress(FileNotFoundError):
        _check(os.lstat(path))
    handle = os.open(path, flags | _OPEN, mode)
    try:
        _check(os.fstat(handle))
    except OSError:
        os.close(handle)
        raise
    return handle


@contextlib.contextmanager
def open_text(path: str) -> t.Iterator[t.TextIO]:
    """A file to read as UTF-8, for paths that users name: links are followed. Raises as
    ``open_plain``.
    """
    handle = open_plain(os.path.realpath(path), os.O_RDONLY | os.O_NOCTTY)
    with os.fdopen(handle, encoding="utf-8") as file:
        yield file


def check_plain(path: str) -> None:
    """Raise OSError where a path that a user names, or a link there, leads to anything but a plain
    file.
    """
    _check(os.stat(path))


def _check(found: os.stat_result) -> None:
    if stat.S_ISLNK(found.st_mode):
        raise OSError(errno.ELOOP, "it is a symbolic link, not a plain file")
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "it is not a plain file")
