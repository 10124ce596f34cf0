# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cache the credentials of assumed roles in files for the tasks of one run, so that STS is called
once per account instead of once per task.

This module util is private to the collection. The directory is deleted at the end of the run; only
the owner can read the files. A denial is cached for a while too, so that tasks for other clouds of
the account fail at once instead of each after its own retries. A transient error, such as a
timeout, is cached for a few seconds, for the tasks that wait for the same response. A task that
Ansible retries ignores denials cached before it started.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credentials import Credentials
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.atomic import atomic_write
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.lock import resource_lock

_DENIAL_SECONDS = 60.0
_TRANSIENT_SECONDS = 10.0


class SessionCache:
    """Files in a directory, one for each set of connection options."""

    def __init__(self, directory: str, ignore_cached_denials: bool = False) -> None:
        """``ignore_cached_denials``: ignore denials that were cached before this task started."""
        self._directory = directory
        self._ignore_denials = ignore_cached_denials

    def assumed(
        self, key: t.Mapping[str, t.Any], assume: t.Callable[[], Credentials]
    ) -> Credentials:
        """The cached credentials for a key, else those that ``assume`` returns. Concurrent tasks
        call it once.

        ``key`` contains everything that determines the credentials. Only its hash leaves the
        process.
        """
        name = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[
            :32
        ]
        path = os.path.join(self._directory, f"{name}.json")
        since = time.time() if self._ignore_denials else 0.0
        cached = _read(path, since)
        if cached is None:
            with contextlib.ExitStack() as lock:
                with contextlib.suppress(TaskError):  # the cache is optional
                    lock.enter_context(resource_lock(f"session {name}", self._directory))
                cached = _read(path, since)
                if cached is None:
                    cached = _assume_or_error(assume)
                    _write(path, cached)
        if isinstance(cached, AwsError):
            raise cached
        return cached


def _assume_or_error(assume: t.Callable[[], Credentials]) -> Credentials | AwsError:
    try:
        return assume()
    except AwsError as error:
        return error


def _read(path: str, since: float) -> Credentials | AwsError | None:
    """The cached result if it is still valid: for a denial, one since a given time. A corrupt file
    is ignored.
    """
    try:
        with open(path, encoding="utf-8") as file:
            cached = json.load(file)
        if "denied" not in cached:
            assumed = Credentials(**cached)
            return assumed if assumed.is_fresh else None
        is_valid = cached["at"] >= since and time.time() < cached["good_until"]
        return (
            AwsError(cached["denied"], cached["remedy"], **cached["details"]) if is_valid else None
        )
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _write(path: str, cached: Credentials | AwsError) -> None:
    """Write atomically, readable only by the owner. A full disk only makes the run slower."""
    if isinstance(cached, AwsError):
        now = time.time()
        until = now + (_TRANSIENT_SECONDS if cached.is_transient else _DENIAL_SECONDS)
        record = {
            "denied": cached.message,
            "remedy": cached.remedy,
            "details": cached.details,
            "at": now,
            "good_until": until,
        }
    else:
        record = dataclasses.asdict(cached)
    with contextlib.suppress(OSError):
        atomic_write(path, json.dumps(record))
