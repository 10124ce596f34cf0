# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a file all at once: whoever reads it meanwhile, or after an interruption, finds the old one
or the new one.

This module util is private to the collection.
"""

from __future__ import annotations

import contextlib
import errno
import os
import tempfile


def atomic_write(path: str, text: str, mode: int | None = None, durable: bool = False) -> None:
    """Put a text in the place of what a file holds. Raises OSError or UnicodeError, and then leaves
    no half of it behind.

    mode: the file's permissions; without it, its owner alone can read it.
    durable: do not return before it is on the disk, under its name.
    """
    handle, temporary = tempfile.mkstemp(
        dir=os.path.dirname(path), prefix=".", suffix=".tmp"
    )  # its mode is 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        if mode is not None:
            os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(
            FileNotFoundError
        ):  # an interruption may come when it has its name already
            os.unlink(temporary)
        raise
    if durable:
        _sync_folder(os.path.dirname(path) or os.curdir)


def _sync_folder(folder: str) -> None:
    """Bring the names in a folder to the disk, where its file system can do that for folders at
    all.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
