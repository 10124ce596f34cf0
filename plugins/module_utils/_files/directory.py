# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell whether files could be written to a directory, which need not exist yet, without writing any.

This module util is private to the collection.
"""

from __future__ import annotations

import errno
import os


def check_writable_directory(directory: str) -> None:
    """Raise OSError if a file could not be created in a directory, or the directory itself not."""
    nearest = directory
    while not os.path.lexists(nearest):
        nearest = os.path.dirname(nearest)
    if not os.path.isdir(nearest):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
