# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep the state of healing in a file that runs share, one at a time.

This plugin util is private to the collection. Only its owner can read the file or write to it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.atomic import atomic_write
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.home import ansible_home
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.lock import resource_lock
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import open_plain
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.healing import (
    SCHEMA_VERSION,
    Healing,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.rules import Rules

VARIABLE = "heal_state_dir"
_FILE = "healing.json"
_OF_OTHERS = 0o022
_PARTS = ("pending", "in_flight", "heals", "retry")


def state_directory(given: str | None) -> str:
    """The directory of the state, by default one in ``ANSIBLE_HOME``."""
    path = os.path.expanduser(given or os.path.join(ansible_home(), "anyscale_healing"))
    if not os.path.isabs(path):
        raise InputError(f"{VARIABLE} {given!r} is not an absolute path.", "Start it with / or ~.")
    return path


@dataclasses.dataclass(frozen=True)
class StateFile:
    """The state in a directory that runs share, and the rules of this one."""

    directory: str
    rules: Rules

    def read(self) -> Healing:
        """The state as it is. Where none is kept yet, nothing is written."""
        if not self.version():
            return Healing(rules=self.rules)
        with self._locked() as healing:
            return healing

    def version(self) -> tuple[int, ...]:
        """What another write of the state, which is another file, does not have; empty without a state."""
        try:
            found = os.lstat(self._path)
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise self._unusable(error) from error
        return found.st_ino, found.st_mtime_ns, found.st_size

    @contextlib.contextmanager
    def update(self) -> t.Iterator[Healing]:
        """The state, for one run at a time; written at the end."""
        with self._locked() as healing:
            yield healing
            atomic_write(self._path, _json.dumps(healing.state) + "\n", durable=True)

    @contextlib.contextmanager
    def _locked(self) -> t.Iterator[Healing]:
        try:
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            with resource_lock(self._path, self.directory):
                yield Healing(_read(self._path), self.rules)
        except (OSError, ValueError) as error:
            raise self._unusable(error) from error

    def _unusable(self, error: Exception) -> InputError:
        why = getattr(error, "strerror", None) or error
        return InputError(
            f"The state of healing in {self._path} cannot be used: {why}.",
            f"Correct that, or set {VARIABLE} to another directory. Without the file, the next "
            "run begins with no memory of earlier ones.",
        )

    @property
    def _path(self) -> str:
        return os.path.join(self.directory, _FILE)


def _read(path: str) -> t.Any:
    """The state in the file; ``None`` if there is none yet. Raises ValueError for another file."""
    try:
        handle = open_plain(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, encoding="utf-8") as file:
        found = os.fstat(handle)
        if found.st_uid != os.geteuid() or found.st_mode & _OF_OTHERS:
            raise ValueError("it belongs to another user, or other users can write to it")
        state = _json.loads(file.read())
    if not _is_state(state):
        raise ValueError("it is not a state that this release wrote")
    return state


def _is_state(state: t.Any) -> bool:
    """Whether a document has the shape of a state, down to its times."""
    if not isinstance(state, dict) or state.get("schema_version") != SCHEMA_VERSION:
        return False
    clouds, onboarded, forgotten = (
        state.get(part) for part in ("clouds", "onboarded", "forgotten")
    )
    return (
        isinstance(clouds, dict)
        and all(map(_is_cloud, clouds.values()))
        and isinstance(onboarded, dict)
        and all(map(_is_onboarded, onboarded.values()))
        and isinstance(forgotten, dict)
        and all(map(_is_time, forgotten.values()))
    )


def _is_onboarded(noted: t.Any) -> bool:
    return (
        isinstance(noted, dict)
        and set(noted) == {"at", "settings"}
        and _is_time(noted["at"])
        and isinstance(noted["settings"], str)
    )


def _is_cloud(cloud: t.Any) -> bool:
    if not isinstance(cloud, dict) or set(cloud) != set(_PARTS):
        return False
    flight, heals, retry = cloud["in_flight"], cloud["heals"], cloud["retry"]
    return (
        _are_noted(cloud["pending"])
        and (flight is None or _is_flight(flight))
        and (retry is None or _is_retry(retry))
        and isinstance(heals, dict)
        and all(isinstance(times, list) and all(map(_is_time, times)) for times in heals.values())
    )


def _is_flight(flight: t.Any) -> bool:
    return (
        isinstance(flight, dict)
        and isinstance(flight.get("run"), str)
        and _is_time(flight.get("until"))
        and _are_noted(flight.get("documents"))
    )


def _is_retry(retry: t.Any) -> bool:
    return (
        isinstance(retry, dict)
        and set(retry) == {"failures", "at"}
        and isinstance(retry["failures"], int)
        and retry["failures"] >= 1
        and _is_time(retry["at"])
    )


def _are_noted(documents: t.Any) -> bool:
    return isinstance(documents, dict) and all(
        isinstance(noted, dict)
        and set(noted) == {"first", "last"}
        and all(map(_is_time, noted.values()))
        for noted in documents.values()
    )


def _is_time(value: t.Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
