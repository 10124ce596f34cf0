# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The key that backups are signed with: the operator's, else one that is made once per user.

This module util is private to the collection. Who can write to the directory with the backups must
not be able to read the key, so it is never in there.
https://www.rfc-editor.org/rfc/rfc2104
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import functools
import hashlib
import hmac
import os
import secrets
import typing as t

from ansible.module_utils.basic import env_fallback

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, option
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.atomic import sync_directory
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.directory import (
    check_writable_directory,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.home import ansible_home
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import open_plain

# How AnsibleModule finds the key where the option is not set.
KEY_FALLBACK = (env_fallback, ["RAYFLEET_BACKUP_KEY"])
_FILE = "anyscale_backup.key"
_FEWEST_CHARS = 16
_MOST_BYTES = 4096
_ACCESS_OF_OTHERS = 0o077


def check_given_key(given: str | None) -> None:
    """Raise if a key that the operator gives is too short."""
    if given is not None and len(given) < _FEWEST_CHARS:
        raise InputError(
            f"{option('backup_key')} has fewer than {_FEWEST_CHARS} characters.",
            "Set it to a random text, such as the output of 'openssl rand -hex 32', or omit it.",
        )


def check_key(given: str | None, backups: str) -> None:
    """Raise if backups could not be signed, without making a key. ``backups``: their directory."""
    if given is None:
        path = _key_file()
        _refuse_in_backups(path, backups)
        if _stored(path) is None:
            _check_makable(path)


def signing_key(given: str | None, backups: str) -> bytes:
    """The key to sign with: the operator's, else that of the user, which is made if there is none."""
    if given is not None:
        return _encoded(given)
    _refuse_in_backups(_key_file(), backups)
    return _made_once(_key_file())


def known_key(given: str | None) -> bytes | None:
    """The key to verify with; ``None`` if there is none."""
    return _stored(_key_file()) if given is None else _encoded(given)


def signature_of(content: t.Mapping[str, t.Any], key: bytes) -> str:
    """The signature of a JSON object, independent of its layout and the order of its keys."""
    canonical = _json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hmac.new(key, canonical.encode(), hashlib.sha256).hexdigest()


def _encoded(given: str) -> bytes:
    return given.encode(errors="surrogateescape")


def _key_file() -> str:
    return os.path.join(ansible_home(), _FILE)


def _refuse_in_backups(path: str, backups: str) -> None:
    """Raise if the key would be among the backups, where those who can write to them can read it."""
    # An unusable directory is explained when the backup is written.
    with contextlib.suppress(OSError, ValueError):
        backups, path = os.path.realpath(backups), os.path.realpath(path)
        if os.path.commonpath([backups, path]) == backups:
            raise InputError(
                f"The directory for backups, {backups}, contains {path}, the key that they are "
                "signed with.",
                f"Set {option('backup_dir')} to a directory for backups alone, or set "
                f"{option('backup_key')}.",
            )


def _stored(path: str) -> bytes | None:
    """The key in the file; ``None`` if there is none yet."""
    try:
        handle = open_plain(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error) from error
    try:
        return _read(handle)
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error
    finally:
        os.close(handle)


def _check_makable(path: str) -> None:
    """Raise if the key could not be written to the file, which is empty or does not exist."""
    try:
        if not os.path.lexists(path):
            check_writable_directory(os.path.dirname(path))
        elif not os.access(path, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise _unusable(path, error) from error


@functools.cache
def _made_once(path: str) -> bytes:
    """The key in the file. Whichever process locks the empty file first makes the key for all."""
    if key := _stored(path):
        return key
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        handle = open_plain(path, os.O_RDWR | os.O_CREAT)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            return _read(handle) or _make(handle, path)
        finally:
            os.close(handle)
    except (OSError, ValueError) as error:
        raise _unusable(path, error) from error


def _read(handle: int) -> bytes | None:
    found = os.fstat(handle)
    if found.st_uid != os.geteuid():
        raise ValueError("it belongs to another user")
    if found.st_mode & _ACCESS_OF_OTHERS:
        raise ValueError("other users than its owner have access to it (set its mode to 0600)")
    key = os.read(handle, _MOST_BYTES).strip()
    if key and len(key) < _FEWEST_CHARS:
        raise ValueError(f"it has fewer than {_FEWEST_CHARS} characters")
    return key or None


def _make(handle: int, path: str) -> bytes:
    key = secrets.token_hex(32).encode()
    os.write(handle, key + b"\n")
    os.fsync(handle)
    sync_directory(os.path.dirname(path))
    return key


def _unusable(path: str, error: Exception) -> InputError:
    why = getattr(error, "strerror", None) or error
    return InputError(
        f"The key for backups in {path} cannot be used: {why}.",
        f"Correct that, or set {option('backup_key')}, or set {option('backup')} to false.",
    )
