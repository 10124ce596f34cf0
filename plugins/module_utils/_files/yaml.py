# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read a YAML file that contains one mapping, and replace it atomically.

This module util is private to the collection.
"""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.common.yaml import HAS_YAML, yaml_dump, yaml_load

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
    setting,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.atomic import atomic_write
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import open_text

_PERMISSIONS = "Check the directory's permissions."


def read(path: str, keys: t.Collection[str]) -> dict[str, t.Any] | None:
    """The mapping in a file; ``None`` if there is no file. Raises if the file contains anything
    else, which must not be overwritten.

    keys: the keys that the mapping may have; a file with any other key must not be replaced.
    """
    if not HAS_YAML:
        raise TaskError(
            "dest needs the Python library PyYAML on the host where the module runs.",
            "Install it, or omit dest.",
        )
    if not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise InputError(
            f"{setting('dest')} is {path!r}, in a directory that does not exist.",
            "Create the directory first.",
        )
    try:
        with open_text(path) as file:
            found = yaml_load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(
            f"{setting('dest')} is {path!r}, which cannot be read: {error.strerror}.",
            f"Set {setting('dest')} to a file that this user can read.",
        ) from error
    # An error of PyYAML, whose class cannot be imported if PyYAML is not installed.
    except Exception as error:
        raise InputError(
            f"{setting('dest')} is {path!r}, which does not contain valid YAML.",
            f"Set {setting('dest')} to another file, or remove this one.",
        ) from error
    if found is not None and not (isinstance(found, dict) and all(key in keys for key in found)):
        raise InputError(
            f"{setting('dest')} is {path!r}, which contains something else than a compute config.",
            f"Set {setting('dest')} to another file, or remove this one.",
        )
    return found


def refuse_unwritable(path: str) -> None:
    """Raise if the file could not be replaced."""
    if not os.access(os.path.dirname(os.path.realpath(path)), os.W_OK | os.X_OK):
        raise InputError(
            f"{setting('dest')} is {path!r}, in a directory that this user cannot write to.",
            _PERMISSIONS,
        )


def write(path: str, document: t.Mapping[str, t.Any]) -> None:
    """Replace the file's content atomically. An existing file keeps its mode."""
    target = os.path.realpath(path)
    text = yaml_dump(dict(document), sort_keys=False, default_flow_style=False, allow_unicode=True)
    try:
        atomic_write(target, text, for_users=True)
    except OSError as error:
        raise TaskError(
            f"{setting('dest')} is {path!r}, which cannot be written: {error.strerror}.",
            _PERMISSIONS,
        ) from error
