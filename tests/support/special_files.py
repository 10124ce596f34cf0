# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files that are no plain files: whoever opens one may wait for ever, or read without end."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import typing as t

KINDS = ("a pipe", "a device", "a socket")


@contextlib.contextmanager
def special_file(path: pathlib.Path, kind: str) -> t.Iterator[pathlib.Path]:
    """Such a file at a path. A device needs no rights where it is reached through a link."""
    with contextlib.ExitStack() as closing:
        if kind == "a pipe":
            os.mkfifo(path)
        elif kind == "a device":
            path.symlink_to("/dev/zero")
        else:
            with contextlib.chdir(path.parent):  # the path of a socket has to be short
                closing.enter_context(socket.socket(socket.AF_UNIX)).bind(path.name)
        yield path
