# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a plan file with its summary beside it, and read it to bind a run.

This plugin util is private to the collection. Both files are for their owner alone. A file that is not
one of ours is never replaced, and nothing is read through a link or from a pipe.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import secrets
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    option,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.atomic import atomic_write
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    backup_directory,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup_key import (
    check_given_key,
    check_key,
    known_key,
    signing_key,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.directory import (
    check_writable_directory,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import open_plain
from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import check_mode
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file import content
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.binding import Binding
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.record import PlanRecord
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.recorder import (
    PlanRecorder,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.summary import (
    HEAD,
    Outcomes,
    summary_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud

OPTION = option("plan_file", "onboard_plan_file")
# A plan for ten thousand clouds has about 10 MB.
_MOST_BYTES = 64 * 1024 * 1024
_REMEDY = "Set it to the path of a file that does not exist, or of a plan file to be replaced."


class PlanStore:
    """A plan file, by its absolute path, and its summary, signed with the key of the clouds' backups."""

    def __init__(self, path: str, clouds: t.Collection[Cloud]) -> None:
        self.path = path
        root, extension = os.path.splitext(self.path)
        self.summary_path = f"{root}.md" if extension == ".json" else f"{self.path}.md"
        self._given_key = _given_key(clouds)
        self._run_id = next((cloud.settings.run_id or "" for cloud in clouds), "")
        directories = sorted({cloud.settings.backup_dir or "" for cloud in clouds})
        self._backups = backup_directory((directories or [""])[0] or None)

    def check_writable(self) -> None:
        """Raise if the plan could not be written, before anything is read for it."""
        check_key(self._given_key, self._backups)
        try:
            check_writable_directory(os.path.dirname(self.path))
            if not os.path.isdir(os.path.dirname(self.path)):
                raise NotADirectoryError(2, "its directory does not exist")
            earlier = _read(self.path, missing_ok=True)
            summary = _read(self.summary_path, missing_ok=True)
        except (OSError, ValueError) as error:
            raise _unusable(self.path, error, "be written") from error
        if earlier is not None and not _is_plan_file(earlier):
            raise InputError(f"{OPTION} is {self.path}, which is another file.", _REMEDY)
        if summary is not None and not summary.startswith(HEAD):
            raise InputError(
                f"The summary of {OPTION} would replace {self.summary_path}, which is another file.",
                _REMEDY,
            )

    def write(self, outcomes: Outcomes, recorder: PlanRecorder) -> None:
        """Write what a run in check mode has recorded. The summary is first: a plan file is never
        without it.
        """
        key = signing_key(self._given_key, self._backups)
        now = datetime.datetime.now(datetime.timezone.utc)
        made_at = now.isoformat(timespec="seconds")
        summary = summary_of(outcomes, recorder.shown, made_at, recorder.notices)
        facts = {
            "salt": secrets.token_hex(16),
            "made_at": made_at,
            "summary_sha256": _digest(summary),
        }
        states = {name: str(outcome["state"]) for name, outcome in outcomes.items()}
        plan = content.make(states, recorder.own, recorder.joint, key, facts)
        self.check_writable()
        try:
            atomic_write(self.summary_path, summary)
            atomic_write(
                self.path, _json.dumps(plan, indent=1, sort_keys=True) + "\n", durable=True
            )
        except (OSError, ValueError) as error:
            raise _unusable(self.path, error, "be written") from error

    def read(self) -> Binding:
        """The plan. Raises InputError for a file that is not one, as it was made with the key."""
        try:
            text = _read(self.path)
            summary = _read(self.summary_path, missing_ok=True)
        except (OSError, ValueError) as error:
            raise _unusable(self.path, error, "be read") from error
        if summary is None:
            raise InputError(
                f"{self.summary_path}, the summary of {OPTION}, is missing, so that it may not be the "
                "plan that was reviewed.",
                f"Put it beside the plan file, or make a new plan with {check_mode()}, and review that.",
            )
        key = known_key(self._given_key)
        if key is None:
            raise InputError(
                f"There is no key to verify {OPTION} with.",
                "Set cloud_iam_backup_key to the key that the plan was made with.",
            )
        binding = content.parse(t.cast(str, text), key)
        if _digest(summary) != binding.summary_sha256:
            raise InputError(
                f"{self.summary_path} is not the summary of {OPTION}, so that another plan may have "
                "been reviewed.",
                f"Make a new plan with {check_mode()}, and review that.",
            )
        self._keep_record(binding, key)
        return binding

    def _keep_record(self, binding: Binding, key: bytes) -> None:
        """Let each change of a plan be made once. Raises if a change could not be recorded."""
        try:
            check_writable_directory(self._backups)
        except (OSError, ValueError) as error:
            raise InputError(
                f"What is applied of {OPTION} cannot be recorded in {self._backups}: "
                f"{getattr(error, 'strerror', None) or error}.",
                "Set cloud_iam_backup_dir to a directory that this user can write to.",
            ) from error
        record = PlanRecord(self._backups, binding.salt, key, self._run_id)
        binding.made, binding.on_made = record.made(), record.add
        binding.unrecorded = record.unrecorded


def _given_key(clouds: t.Iterable[Cloud]) -> str | None:
    """The key that the variables of the clouds give."""
    found = {cloud.settings.backup_key for cloud in clouds}
    if len(found) > 1:
        raise InputError(
            f"{OPTION} is signed with one key, and the clouds differ in cloud_iam_backup_key.",
            "Set it to the same for all clouds of the run.",
        )
    given = next(iter(found), None)
    check_given_key(given)
    return given


def _read(path: str, missing_ok: bool = False) -> str | None:
    """The text of a plain file of bounded size. Raises OSError or ValueError for any other."""
    try:
        handle = open_plain(path, os.O_RDONLY)
    except FileNotFoundError:
        if missing_ok:
            return None
        raise
    with os.fdopen(handle, "rb") as file:
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"it has more than {_MOST_BYTES // 1024 // 1024} MiB")
    return data.decode()


def _is_plan_file(text: str) -> bool:
    try:
        found = _json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and found.get("format") == content.FORMAT


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _unusable(path: str, error: Exception, what: str) -> InputError:
    why = getattr(error, "strerror", None) or error
    if isinstance(error, UnicodeDecodeError):
        why = "it is not UTF-8"
    return InputError(
        f"{OPTION} {path} (or its summary) cannot {what}: {why}.",
        f"Correct that, or set it to another path. A run with {check_mode()} writes the file, and the "
        "same one without it applies it.",
    )
