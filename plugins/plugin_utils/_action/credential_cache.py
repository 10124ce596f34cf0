# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep credentials in files for the tasks of one run, so that they are asked for once instead of once
per task: those of assumed roles, and those to which a profile or the machine leads.

This plugin util is private to the collection. The files are encrypted with a key that exists only in
the memory of the run's processes, which forked workers inherit: what a killed run leaves is
unreadable. Keys without an end, as those of a user, are not kept: they are where they were found.

A denial is kept for a while too, so that tasks for other clouds of the account fail at once instead
of each after its own retries. A transient error, such as a timeout, is kept for a few seconds, for the
tasks that wait for the same response. A task that Ansible retries ignores denials from before it
started.
"""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import json
import math
import os
import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credentials import Credentials
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    CertificateError,
    CredentialsError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.atomic import atomic_write
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.lock import resource_lock

with contextlib.suppress(ImportError):  # ansible-core needs it, but for checks that only import
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_DENIAL_SECONDS = 60.0
_TRANSIENT_SECONDS = 10.0
_KEY_BYTES, _NONCE_BYTES = 32, 12
_ERRORS = {kind.__name__: kind for kind in (AwsError, CertificateError, CredentialsError)}


def new_key() -> bytes:
    """A key for the files of one run."""
    return os.urandom(_KEY_BYTES)


class SessionCache:
    """Files in a directory, one for each set of connection options."""

    def __init__(self, directory: str, key: bytes, ignore_cached_denials: bool = False) -> None:
        """``ignore_cached_denials``: ignore denials that were kept before this task started."""
        self._directory = directory
        self._cipher = AESGCM(key)
        self._ignore_denials = ignore_cached_denials

    def credentials(
        self, key: t.Mapping[str, t.Any], find: t.Callable[[], Credentials]
    ) -> Credentials:
        """The credentials that are kept for a key, else those that ``find`` returns. Concurrent
        tasks call it once.

        ``key`` contains everything that determines the credentials. Only its hash leaves the
        process.
        """
        name = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[
            :32
        ]
        since = time.time() if self._ignore_denials else 0.0
        kept = self._read(name, since)
        if kept is None:
            with contextlib.ExitStack() as lock:
                with contextlib.suppress(TaskError):  # the cache is optional
                    lock.enter_context(resource_lock(f"session {name}", self._directory))
                kept = self._read(name, since)
                if kept is None:
                    kept = _find_or_error(find)
                    self._write(name, kept)
        if isinstance(kept, AwsError):
            raise kept
        return kept

    def _read(self, name: str, since: float) -> Credentials | AwsError | None:
        """What is kept if it is still valid: for a denial, one since a given time. A file that is
        corrupt, or that another run has written, is ignored.
        """
        try:
            with open(self._path(name), encoding="ascii") as file:
                sealed = base64.b64decode(file.read(), validate=True)
            text = self._cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], name.encode())
            return _parse(json.loads(text), since)
        except (OSError, ValueError, TypeError, KeyError, RecursionError, InvalidTag):
            return None

    def _write(self, name: str, kept: Credentials | AwsError) -> None:
        """Write atomically, readable only by the owner. A full disk only makes the run slower."""
        if isinstance(kept, Credentials) and kept.good_until == math.inf:
            return
        nonce = os.urandom(_NONCE_BYTES)
        text = json.dumps(_record(kept)).encode()
        sealed = nonce + self._cipher.encrypt(nonce, text, name.encode())
        with contextlib.suppress(OSError):
            atomic_write(self._path(name), base64.b64encode(sealed).decode())

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, f"{name}.session")


def _find_or_error(find: t.Callable[[], Credentials]) -> Credentials | AwsError:
    try:
        return find()
    except AwsError as error:
        return error


def _parse(record: t.Any, since: float) -> Credentials | AwsError | None:
    if "denied" not in record:
        credentials = Credentials(**record)
        return credentials if credentials.is_fresh else None
    if record["at"] < since or time.time() >= record["good_until"]:
        return None
    return _ERRORS[record["kind"]](record["denied"], record["remedy"], **record["details"])


def _record(kept: Credentials | AwsError) -> dict[str, t.Any]:
    if isinstance(kept, Credentials):
        return dataclasses.asdict(kept)
    now = time.time()
    return {
        "kind": type(kept).__name__,
        "denied": kept.message,
        "remedy": kept.remedy,
        "details": kept.details,
        "at": now,
        "good_until": now + (_TRANSIENT_SECONDS if kept.is_transient else _DENIAL_SECONDS),
    }
