# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read and write a YAML file that holds one mapping, never leaving a half-written one behind.

This module util is private to the collection.
"""

from __future__ import annotations

import os
import stat
import typing as t

from ansible.module_utils.common.yaml import HAS_YAML, yaml_dump, yaml_load

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.atomic import atomic_write

_MODE = 0o644
_PERMISSIONS = "Check the folder's permissions."


def read(path: str, keys: t.Collection[str]) -> dict[str, t.Any] | None:
    """The mapping in a file, ``None`` where there is no file. Raises where writing there would lose
    something else.

    keys: those that such a mapping may have; one with any other is not ours to replace.
    """
    if not HAS_YAML:
        raise TaskError(
            "dest needs the Python library PyYAML on the machine that the module runs on.",
            "Install it, or leave out dest.",
        )
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise InputError(
            f"dest is {path!r}, in a folder that does not exist.", "Make the folder first."
        )
    try:
        with open(path, encoding="utf-8") as file:
            found = yaml_load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(
            f"dest is {path!r}, which cannot be read: {error.strerror}.", "Name a file."
        ) from error
    except (
        Exception
    ) as error:  # PyYAML's own errors, whose class is not imported where PyYAML is missing
        raise InputError(
            f"dest is {path!r}, which holds something else than YAML.",
            "Name another file, or remove it.",
        ) from error
    if found is not None and not (isinstance(found, dict) and all(key in keys for key in found)):
        raise InputError(
            f"dest is {path!r}, which holds something else than a compute config.",
            "Name another file, or remove it.",
        )
    return found


def refuse_unwritable(path: str) -> None:
    """Raise where a file could not be put in the place of what is there."""
    if not os.access(os.path.dirname(os.path.realpath(path)), os.W_OK | os.X_OK):
        raise InputError(
            f"dest is {path!r}, in a folder that this user cannot write to.", _PERMISSIONS
        )


def write(path: str, document: t.Mapping[str, t.Any]) -> None:
    """Put a mapping in the place of what the file holds, all at once. A file that is there keeps
    its mode.
    """
    target = os.path.realpath(path)
    text = yaml_dump(dict(document), sort_keys=False, default_flow_style=False, allow_unicode=True)
    try:
        atomic_write(
            target, text, stat.S_IMODE(os.stat(target).st_mode) if os.path.exists(target) else _MODE
        )
    except OSError as error:
        raise TaskError(
            f"dest is {path!r}, which cannot be written: {error.strerror}.", _PERMISSIONS
        ) from error
