# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The credentials of assumed roles, kept in files for the tasks of one run: one call of STS for an
account, not one per task.

This module util is private to the collection. The folder belongs to the run and goes with it; each
file is for its owner's eyes alone. A refusal is kept too, for a while: the account's other clouds
are refused at once, not each after its own wait. What may pass, such as a time-out, is kept for
those who wait for the same answer, and not for long. For a task that is repeated until it succeeds,
what it was told the last time does not count.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.atomic import atomic_write
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.lock import resource_lock

_SPARE_SECONDS = 300.0
_REFUSAL_SECONDS = 60.0
_PASSING_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class Assumed:
    """What AssumeRole answered: the account that it led to, and credentials to begin a task with
    until a moment of the epoch.
    """

    account_id: str
    access_key: str = dataclasses.field(repr=False)
    secret_key: str = dataclasses.field(repr=False)
    session_token: str = dataclasses.field(repr=False)
    good_until: float

    @property
    def is_fresh(self) -> bool:
        """Whether they last for another task."""
        return time.time() < self.good_until


def good_until(expires: float) -> float:
    """Until when to begin with credentials that expire then: a task must be able to end with what
    it began with.
    """
    return expires - min(_SPARE_SECONDS, (expires - time.time()) / 2)


class SessionCache:
    """Files in a folder, one for each way to assume a role."""

    def __init__(self, folder: str, ignore_cached_denials: bool = False) -> None:
        """``asks_again``: whether a refusal from before does not count."""
        self._folder = folder
        self._asks_again = ignore_cached_denials

    def assumed(self, key: t.Mapping[str, t.Any], assume: t.Callable[[], Assumed]) -> Assumed:
        """The kept credentials for a key, else those that ``assume`` gets; of many who ask at once,
        one does.

        ``key`` holds all that decides whose credentials they are. Only its hash leaves the process.
        """
        name = hashlib.sha256(json.dumps(key, sort_keys=True, default=str).encode()).hexdigest()[
            :32
        ]
        path = os.path.join(self._folder, f"{name}.json")
        since = time.time() if self._asks_again else 0.0
        kept = _read(path, since)
        if kept is None:
            with contextlib.ExitStack() as lock:
                with contextlib.suppress(TaskError):  # a run works without its cache
                    lock.enter_context(resource_lock(f"session {name}", self._folder))
                kept = _read(path, since)
                if kept is None:
                    kept = _asked(assume)
                    _write(path, kept)
        if isinstance(kept, AwsError):
            raise kept
        return kept


def _asked(assume: t.Callable[[], Assumed]) -> Assumed | AwsError:
    try:
        return assume()
    except AwsError as error:
        return error


def _read(path: str, since: float) -> Assumed | AwsError | None:
    """What is kept and still counts, of refusals those since a moment; a file that cannot be
    understood does not.
    """
    try:
        with open(path, encoding="utf-8") as file:
            kept = json.load(file)
        if "refused" not in kept:
            assumed = Assumed(**kept)
            return assumed if assumed.is_fresh else None
        counts = kept["at"] >= since and time.time() < kept["good_until"]
        return AwsError(kept["refused"], kept["remedy"], **kept["details"]) if counts else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _write(path: str, kept: Assumed | AwsError) -> None:
    """All at once, readable by its owner alone. A full disk only makes the run slower."""
    if isinstance(kept, AwsError):
        now = time.time()
        until = now + (_PASSING_SECONDS if kept.is_transient else _REFUSAL_SECONDS)
        record = {
            "refused": kept.message,
            "remedy": kept.remedy,
            "details": kept.details,
            "at": now,
            "good_until": until,
        }
    else:
        record = dataclasses.asdict(kept)
    with contextlib.suppress(OSError):
        atomic_write(path, json.dumps(record))
