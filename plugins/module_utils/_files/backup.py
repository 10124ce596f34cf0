# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keep a document in a file before it is replaced, with all that it takes to put it back, and read
such files again.

This module util is private to the collection. The names of the files sort by time and hold nothing
that could lead out of
their folder: what users call their roles and compute configs is shortened to letters, digits and
dashes.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import errno
import hashlib
import json
import os
import re
import stat
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    parse_account_id,
    parse_bucket,
    parse_cloud_id,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.atomic import atomic_write
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import parse_policy

DIRECTORY = "~/.ansible/anyscale_backups"
TRUST_POLICY, BUCKET_POLICY, COMPUTE_CONFIG = "trust_policy", "bucket_policy", "compute_config"

_SCHEMA_VERSION = 1
# By kind: what says whose the document is, and how the task that writes to it calls it.
_TARGETS = {
    TRUST_POLICY: (("role_arn",), "trust policy of {role_arn}"),
    BUCKET_POLICY: (("bucket",), "policy of bucket {bucket}"),
    COMPUTE_CONFIG: (("cloud_id", "name"), "compute config {name} of cloud {cloud_id}"),
}
# How much of a text is repeated in a message. The name of a file is at the end of its path.
_LONGEST_SHOWN = 80
_LONGEST_PATH_SHOWN = 500
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_NAME = re.compile(
    r"[0-9]{8}T[0-9]{6}-[0-9]{6}Z\.(?P<run_id>[A-Za-z0-9_-]{1,64})\.[a-z_]+\.[A-Za-z0-9-]+\.json\Z"
)
_WRITABLE_BY_OTHERS = 0o022
_OTHER_FOLDER = (
    "Set backup_dir to another folder (one that does not exist is made), or backup to false."
)


@dataclasses.dataclass(frozen=True)
class Backup:
    """A document that a task replaces and what it leaves in its place, each ``None`` where there is
    none.

    target: what the document belongs to: ``role_arn``, ``bucket``, or ``name`` and ``cloud_id``.
    account_id: the AWS account; empty for a compute config of which it is not known.
    clouds: the ids of the clouds that it was written for; empty where that is not known.
    """

    kind: str
    target: t.Mapping[str, str]
    account_id: str
    before: t.Any
    after: t.Any
    clouds: tuple[str, ...] = ()

    @property
    def resource(self) -> str:
        """What is written to, by the name that the task that writes to it has for it."""
        return _TARGETS[self.kind][1].format(**self.target)


def backup_argument_spec() -> dict[str, dict[str, t.Any]]:
    """The options of a module that keeps what it replaces."""
    return {
        "backup": {"type": "bool", "default": False},
        "backup_dir": {"type": "path", "default": DIRECTORY},
        "run_id": {"type": "str"},
    }


def check_backup_options(params: t.Mapping[str, t.Any]) -> None:
    """Refuse options with which backups would be kept where, or under a name by which, nobody finds
    them.
    """
    if params.get("run_id") is not None:
        check_run_id(params["run_id"])
    if params.get("backup"):
        check_directory(params["backup_dir"])


def check_directory(directory: str) -> str:
    """A folder for backups that is the same one wherever the task runs."""
    if not os.path.isabs(directory):
        raise InputError(
            f"backup_dir {directory!r} is not an absolute path.", "Begin it with / or ~."
        )
    return os.path.abspath(directory)


def check_run_id(run_id: str) -> str:
    """A run's id, which becomes a part of file names."""
    if not _RUN_ID.match(run_id):
        shown = run_id if len(run_id) <= _LONGEST_SHOWN else run_id[:_LONGEST_SHOWN] + "..."
        raise InputError(
            f"run_id is {shown!r}, which cannot be a part of file names.",
            "Take 1 to 64 letters, digits, _ and -.",
        )
    return run_id


def write_backup(backup: Backup | None, params: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Write a backup where the parameters ask for it; returns what a module's result says of it.

    It is there as a whole or not at all, and only its owner can read it.
    """
    if backup is None or not params.get("backup"):
        return {}
    now = datetime.datetime.now(datetime.timezone.utc)
    stamp = f"{now:%Y%m%dT%H%M%S}-{now:%f}Z"
    run_id = params.get("run_id") or stamp
    directory = check_directory(params["backup_dir"])
    path = os.path.join(directory, f"{stamp}.{run_id}.{backup.kind}.{_short_name(backup)}.json")
    content = {
        "schema_version": _SCHEMA_VERSION,
        "written_at": now.isoformat(),
        "run_id": run_id,
        **dataclasses.asdict(backup),
    }
    try:
        _make_own(directory)
        atomic_write(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n", durable=True)
    except (OSError, ValueError) as error:
        raise _unwritable(backup, directory, error) from error
    return {"backup_file": path}


def check_writable(backup: Backup | None, params: t.Mapping[str, t.Any]) -> None:
    """Raise where a backup that the parameters ask for could not be written, without writing
    anything.
    """
    if backup is None or not params.get("backup"):
        return
    directory = check_directory(params["backup_dir"])
    try:
        _refuse_not_own(directory)
    except (OSError, ValueError) as error:
        raise _unwritable(backup, directory, error) from error


def delete_backup(backup_file: t.Mapping[str, str]) -> None:
    """Take away what ``write_backup`` wrote, of a document that was not replaced after all. If it stays, it
    does no harm.
    """
    if backup_file:
        with contextlib.suppress(OSError):
            os.unlink(backup_file["backup_file"])


def read(path: str) -> Backup:
    """The backup in a file. Raises for one that others own or can write to, or that holds something
    else.
    """
    try:
        with open(path, encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            content = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"files has {path[:_LONGEST_PATH_SHOWN]!r}, which cannot be read: {why}.",
            "Name another file.",
        ) from error
    if found.st_uid != os.geteuid():
        raise InputError(
            f"The backup {path} belongs to another user.",
            "See that nobody changed it, then copy it, as this user.",
        )
    if not stat.S_ISREG(found.st_mode) or found.st_mode & _WRITABLE_BY_OTHERS:
        raise InputError(
            f"The backup {path} can be written to by others than its owner.",
            "See that nobody changed it, then chmod it 0600.",
        )
    try:
        return _checked(content)
    except (KeyError, TypeError, AttributeError, TaskError) as error:
        raise InputError(
            f"{path} is not a backup that this release can read ({error}).",
            "Name the file of a backup.",
        ) from error


def run_of(path: str) -> str:
    """The id of the run that wrote a backup, by the file's name; empty where that is no name of a
    backup.
    """
    match = _NAME.match(os.path.basename(path))
    return match["run_id"] if match else ""


def files_in(directory: str, run_id: str | None = None) -> list[str]:
    """The paths of the backups in a folder, of all runs or of one, in the order of their time."""
    try:
        names = sorted(os.listdir(directory))
    except (OSError, ValueError) as error:
        raise InputError(
            f"The folder {directory} cannot be read: {getattr(error, 'strerror', None) or error}.",
            "Name another.",
        ) from error
    found = [(name, match["run_id"]) for name in names if (match := _NAME.match(name))]
    return [os.path.join(directory, name) for name, of_run in found if run_id in (None, of_run)]


def _short_name(backup: Backup) -> str:
    """Enough of a name to know it by, and a hash that no other name has."""
    name = list(backup.target.values())[-1].rpartition("/")[2]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name)[:40].strip("-")
    digest = hashlib.sha256(json.dumps(backup.resource).encode()).hexdigest()[:12]
    return f"{readable}-{digest}".lstrip("-")


def _unwritable(backup: Backup, directory: str, error: Exception) -> TaskError:
    why = getattr(error, "strerror", None) or error
    return TaskError(
        f"The {backup.resource} was not changed, since its backup cannot be written to "
        f"{directory}: {why}.",
        _OTHER_FOLDER,
    )


def _make_own(directory: str) -> None:
    os.makedirs(directory, mode=0o700, exist_ok=True)
    _refuse_not_own(directory)


def _refuse_not_own(directory: str) -> None:
    """Raise for a folder that is not this user's alone to write to, or that could not be made."""
    nearest = directory
    while not os.path.lexists(nearest):
        nearest = os.path.dirname(nearest)
    if not os.path.isdir(nearest):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    if nearest != directory:
        return
    found = os.stat(directory)
    if found.st_uid != os.geteuid():
        raise ValueError("that folder belongs to another user")
    if found.st_mode & _WRITABLE_BY_OTHERS:
        raise ValueError("others than its owner can write to that folder")


def _checked(content: dict[str, t.Any]) -> Backup:
    """The backup of a file's content, of which nothing is believed: it is going to be written to
    AWS or to Anyscale.
    """
    if content["schema_version"] != _SCHEMA_VERSION:
        raise InputError(f"its schema_version is {content['schema_version']!r}")
    kind, target = content["kind"], content["target"]
    named = {key: target[key] for key in _TARGETS[kind][0]}
    clouds = tuple(content.get("clouds", ()))  # earlier releases did not keep them
    backup = Backup(kind, named, content["account_id"], content["before"], content["after"], clouds)
    _check_target(backup)
    for document in (backup.before, backup.after):
        if document is not None:
            _check_document(backup, document)
    return backup


def _check_target(backup: Backup) -> None:
    if not all(
        isinstance(value, str) and value for value in (*backup.target.values(), *backup.clouds)
    ):
        raise InputError("its target, or its clouds, are not made of names")
    if backup.kind == COMPUTE_CONFIG:
        parse_cloud_id(backup.target["cloud_id"])
        return
    parse_account_id(backup.account_id)
    if backup.kind == BUCKET_POLICY:
        parse_bucket(backup.target["bucket"])
    elif (
        parse_role(backup.target["role_arn"], "role_arn").account_id != backup.account_id
        or backup.before is None
    ):
        raise InputError("a trust policy is of its role's account, and never empty")


def _check_document(backup: Backup, document: t.Any) -> None:
    if not isinstance(document, dict):
        raise InputError("a document of it is not a JSON object")
    if backup.kind != COMPUTE_CONFIG:
        parse_policy(document, "document")
    elif document["cloud_id"] != backup.target["cloud_id"]:
        raise InputError("its compute config is of another cloud")
