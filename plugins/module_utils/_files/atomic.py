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
import secrets
import stat
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import check_plain

_OPEN_FILES = "/proc/self/fd"
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW


def atomic_write(
    path: str, text: str | t.Iterable[str], *, for_users: bool = False, durable: bool = False
) -> None:
    """Replace a file's content. Raises OSError or UnicodeError, and then leaves no partial file
    behind.

    text: the content, or its parts, which are not in memory together.
    for_users: the umask says who can read it, or the mode of the file that is replaced; by default, only
    the owner can.
    durable: return only after the content and the name are on the disk.
    """
    before = _replaceable(path)
    temporary = os.path.join(os.path.dirname(path), f".{secrets.token_hex(8)}.tmp")
    handle, has_name = _open(temporary, 0o666 if for_users else 0o600)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            if for_users and before is not None:
                os.fchmod(handle, stat.S_IMODE(before.st_mode))
            file.writelines([text] if isinstance(text, str) else text)
            if durable:
                file.flush()
                os.fsync(file.fileno())
            if not has_name:
                file.flush()
                _give_name(handle, temporary)
        os.replace(temporary, path)
    except BaseException:
        # It is missing if the interruption comes after the rename.
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if durable:
        sync_directory(os.path.dirname(path) or os.curdir)


def _open(temporary: str, mode: int) -> tuple[int, bool]:
    """A new file in the directory, and whether it has the temporary name. Where the file system permits
    it has none until it is complete: what is killed then leaves nothing behind.
    """
    directory, unnamed = os.path.dirname(temporary) or os.curdir, getattr(os, "O_TMPFILE", 0)
    if os.path.isdir(_OPEN_FILES):
        with contextlib.suppress(OSError):
            return os.open(directory, os.O_WRONLY | os.O_CLOEXEC | unnamed, mode), False
    return os.open(temporary, _CREATE, mode), True


def _give_name(handle: int, path: str) -> None:
    """Link an open file without a name to a path."""
    links = os.open(_OPEN_FILES, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # With a directory, os.link follows the link to the file, instead of linking to the link.
        os.link(str(handle), path, src_dir_fd=links)
    finally:
        os.close(links)


def _replaceable(path: str) -> os.stat_result | None:
    """The file that is there, if any. Raises OSError where it is a pipe, a device or a socket, or a link
    to one: whoever uses it would lose it.
    """
    try:
        check_plain(path)
        return os.stat(path)
    except FileNotFoundError:
        return None


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
