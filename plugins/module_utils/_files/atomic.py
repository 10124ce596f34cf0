# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write files atomically: a reader sees the old content or the new, also after an interruption.

This module util is private to the collection.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile
import typing as t


def atomic_write(
    path: str, text: str | t.Iterable[str], mode: int | None = None, durable: bool = False
) -> None:
    """Replace a file's content. Raises OSError or UnicodeError, and then leaves no partial file
    behind.

    text: the content, or its parts, which are not in memory together.
    mode: the file's permissions; by default, only the owner can read it.
    durable: return only after the content and the name are on the disk.
    """
    # mkstemp creates it with mode 0600.
    handle, temporary = tempfile.mkstemp(dir=os.path.dirname(path), prefix=".", suffix=".tmp")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.writelines([text] if isinstance(text, str) else text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        # It is missing if the interruption comes after the rename.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if durable:
        sync_directory(os.path.dirname(path) or os.curdir)


def sync_directory(directory: str) -> None:
    """Flush a directory's entries to the disk, if its file system supports that."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
