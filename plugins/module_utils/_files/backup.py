# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Back up a document to a file before it is replaced, with everything needed to restore it, and
read backups.

This module util is private to the collection. File names sort by time and cannot lead out of the
backup directory: names of roles and compute configs are reduced to letters, digits and dashes. A
backup is signed, and belongs to its file name, so that none can be forged or exchanged for another.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import hashlib
import hmac
import json
import os
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    instance_profile_name_of,
    parse_account_id,
    parse_bucket,
    parse_cloud_id,
    parse_policy_arn,
    parse_policy_name,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
    option,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.atomic import atomic_write
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup_key import (
    KEY_FALLBACK,
    check_given_key,
    check_key,
    known_key,
    signature_of,
    signing_key,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.directory import (
    check_writable_directory,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.home import ansible_home
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import open_plain
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import parse_policy

TRUST_POLICY, BUCKET_POLICY, COMPUTE_CONFIG = "trust_policy", "bucket_policy", "compute_config"
IAM_MAPPING = "iam_mapping"
ROLE_POLICY, ROLE_ATTACHMENT = "role_policy", "role_attachment"
# Recorded, and never restored: instances may be using it.
INSTANCE_PROFILE = "instance_profile"

_SCHEMA_VERSION = 1
_SIGNATURE = "signature"
# By kind: the keys that identify the document, and the resource name that the task that writes it
# uses.
_TARGETS = {
    TRUST_POLICY: (("role_arn",), "trust policy of {role_arn}"),
    BUCKET_POLICY: (("bucket",), "policy of bucket {bucket}"),
    COMPUTE_CONFIG: (("cloud_id", "name"), "compute config {name} of cloud {cloud_id}"),
    IAM_MAPPING: (
        ("cloud_id", "resource_id"),
        "Cloud IAM mapping of resource {resource_id} of cloud {cloud_id}",
    ),
    ROLE_POLICY: (("role_arn", "policy_name"), "inline policy {policy_name} of role {role_arn}"),
    ROLE_ATTACHMENT: (
        ("role_arn", "policy_arn"),
        "attachment of policy {policy_arn} to role {role_arn}",
    ),
    INSTANCE_PROFILE: (("instance_profile_arn",), "instance profile {instance_profile_arn}"),
}
_OF_ANYSCALE = (COMPUTE_CONFIG, IAM_MAPPING)
# How much of a value is quoted in a message. A path is quoted longer, since the file name is at its
# end.
_MAX_VALUE_LENGTH = 80
_MAX_PATH_LENGTH = 500
_RUN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_NAME = re.compile(
    r"[0-9]{8}T[0-9]{6}-[0-9]{6}Z\.(?P<run_id>[A-Za-z0-9_-]{1,64})\.[a-z_]+\.[A-Za-z0-9-]+\.json\Z"
)
_WRITABLE_BY_OTHERS = 0o022
_OTHER_DIRECTORY = (
    f"Set {option('backup_dir')} to another directory (it is created if it does not exist), or set "
    f"{option('backup')} to false."
)


@dataclasses.dataclass(frozen=True)
class Backup:
    """A document before and after a task replaces it; ``None`` if there is none.

    target: what the document belongs to: ``role_arn``, ``bucket``, ``name`` and ``cloud_id``, or
    ``resource_id`` and ``cloud_id``, or ``role_arn`` with ``policy_name`` or ``policy_arn``, or
    ``instance_profile_arn``. The document of an attachment is the ARN, that of an instance profile has
    the ARN of its role.
    account_id: the AWS account; empty for a document at Anyscale whose account is unknown.
    clouds: the ids of the clouds that the document was written for; empty if unknown.
    previous_version: of a compute config, the number of the version that was the newest before, 0 if
    there was none; ``None`` if unknown.
    """

    kind: str
    target: t.Mapping[str, str]
    account_id: str
    before: t.Any
    after: t.Any
    clouds: tuple[str, ...] = ()
    previous_version: int | None = None

    @property
    def resource(self) -> str:
        """The resource name that the task that writes the document uses."""
        return _TARGETS[self.kind][1].format(**self.target)


@dataclasses.dataclass(frozen=True)
class Origin:
    """The run that wrote a backup.

    written_at: the time, in UTC. run_name: what the run does, such as ``onboard``. cloud_names: the
    names of the clouds in the inventory of the run. rolls_back: the IDs of the runs that it rolls
    back, separated by commas.
    """

    run_id: str
    written_at: str
    run_name: str = ""
    cloud_names: tuple[str, ...] = ()
    rolls_back: str = ""


@dataclasses.dataclass(frozen=True)
class StoredBackup:
    """A backup with its file, and the content of this."""

    path: str
    backup: Backup
    content: t.Mapping[str, t.Any]

    @property
    def origin(self) -> Origin:
        """What wrote the file, as far as it says so: files of releases before 1.0.0 do not."""
        names = self.content.get("cloud_names")
        names = names if isinstance(names, list) else []
        texts = {
            name: str(self.content.get(name) or "")
            for name in ("run_id", "written_at", "run_name", "rolls_back")
        }
        return Origin(**texts, cloud_names=tuple(map(str, names)))

    @property
    def has_signature(self) -> bool:
        """Whether the file has a signature, of whatever key."""
        return isinstance(self.content.get(_SIGNATURE), str)

    def is_signed_with(self, key: bytes | None) -> bool:
        """Whether the holder of a key wrote the file, and nobody has changed it since."""
        signed = {name: value for name, value in self.content.items() if name != _SIGNATURE}
        found = self.content.get(_SIGNATURE)
        return (
            key is not None
            and isinstance(found, str)
            and hmac.compare_digest(found.encode(), signature_of(signed, key).encode())
        )


@dataclasses.dataclass(frozen=True)
class Untrusted:
    """The files that any user or tool may have written that can write to their directory: those without
    a signature, and those whose signature is not that of their content with the operator's key.
    """

    unsigned: tuple[str, ...] = ()
    altered: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """All of them."""
        return self.unsigned + self.altered


def attachment_of(policy_arn: str) -> dict[str, str]:
    """The document of an attachment that exists."""
    return {"PolicyArn": policy_arn}


def backup_argument_spec() -> dict[str, dict[str, t.Any]]:
    """The options of a module that backs up what it replaces."""
    return {
        "backup": {"type": "bool", "default": True},
        "backup_dir": {"type": "path"},
        "backup_key": {"type": "str", "no_log": True, "fallback": KEY_FALLBACK},
        "run_id": {"type": "str"},
        "run_name": {"type": "str"},
    }


def check_backup_options(params: t.Mapping[str, t.Any]) -> None:
    """Reject backup options that make no usable file name or directory."""
    if params.get("run_id") is not None:
        check_run_id(params["run_id"])
    if params.get("run_name") is not None:
        _check_run_name(params["run_name"])
    check_given_key(params.get("backup_key"))
    if params.get("backup"):
        backup_directory(params.get("backup_dir"))


def backup_directory(given: str | None) -> str:
    """The directory for backups, by default one in ``ANSIBLE_HOME``."""
    return (
        os.path.join(ansible_home(), "anyscale_backups")
        if given is None
        else check_directory(given)
    )


def check_directory(directory: str) -> str:
    """Validate the backup directory: it must not depend on the working directory."""
    if not os.path.isabs(directory):
        raise InputError(
            f"backup_dir {directory!r} is not an absolute path.", "Start it with / or ~."
        )
    return os.path.abspath(directory)


def check_run_id(run_id: str) -> str:
    """Validate a run's id, which becomes part of file names."""
    if not _RUN_ID.match(run_id):
        excerpt = run_id if len(run_id) <= _MAX_VALUE_LENGTH else run_id[:_MAX_VALUE_LENGTH] + "..."
        raise InputError(
            f"run_id is {excerpt!r}, which cannot be part of a file name.",
            "Use 1 to 64 letters, digits, _ and -.",
        )
    return run_id


def _check_run_name(name: str) -> None:
    """Raise for a name that a line of the list of runs cannot show."""
    if not name.strip() or len(name) > _MAX_VALUE_LENGTH or not name.isprintable():
        raise InputError(
            f"run_name is {name[:_MAX_VALUE_LENGTH]!r}, which is no name of a run.",
            f"Use 1 to {_MAX_VALUE_LENGTH} characters, such as 'onboard'.",
        )


def write_backup(backup: Backup | None, params: t.Mapping[str, t.Any]) -> dict[str, str]:
    """Write a backup if the parameters ask for it. Returns the keys for the module's result.

    Besides the options of the modules, the parameters of a run for many clouds have ``cloud_names``,
    and those of a rollback ``rolls_back``, the IDs of the runs that are rolled back. The file is written
    atomically, and only its owner can read it.
    """
    if backup is None or not params.get("backup"):
        return {}
    directory = backup_directory(params.get("backup_dir"))
    key = signing_key(params.get("backup_key"), directory)
    now = datetime.datetime.now(datetime.timezone.utc)
    content = {
        "schema_version": _SCHEMA_VERSION,
        "written_at": now.isoformat(),
        "run_id": params.get("run_id") or _stamp(now),
        "run_name": params.get("run_name") or "",
        "cloud_names": list(params.get("cloud_names") or ()),
        "rolls_back": params.get("rolls_back") or "",
        **dataclasses.asdict(backup),
    }
    content[_SIGNATURE] = signature_of(content, key)
    path = os.path.join(directory, _file_name(now, content["run_id"], backup))
    try:
        _make_private(directory)
        atomic_write(path, _json.dumps(content, indent=2, ensure_ascii=False) + "\n", durable=True)
    except (OSError, ValueError) as error:
        raise _unwritable(backup, directory, error) from error
    return {"backup_file": path}


def check_writable(backup: Backup | None, params: t.Mapping[str, t.Any]) -> None:
    """Raise if a backup that the parameters ask for could not be written, without writing anything."""
    if backup is None or not params.get("backup"):
        return
    directory = backup_directory(params.get("backup_dir"))
    check_key(params.get("backup_key"), directory)
    try:
        _refuse_shared(directory)
    except (OSError, ValueError) as error:
        raise _unwritable(backup, directory, error) from error


def delete_backup(backup_file: t.Mapping[str, str]) -> None:
    """Delete the backup of a document that was not replaced after all. An error is ignored, since why
    it was not replaced matters more.
    """
    if backup_file:
        with contextlib.suppress(OSError):
            os.unlink(backup_file["backup_file"])


def read(path: str) -> StoredBackup:
    """Read a backup. Raises if another user owns the file or can write to it, if it is no backup, or
    if it is not that of its file name.
    """
    try:
        with open(open_plain(path, os.O_RDONLY), encoding="utf-8") as file:
            found = os.fstat(file.fileno())
            content = _json.loads(file.read())
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        raise InputError(
            f"The backup {path[:_MAX_PATH_LENGTH]!r} cannot be read: {why}.",
            f"Set {option('files', 'rollback_paths')} to readable files.",
        ) from error
    if found.st_uid != os.geteuid():
        raise InputError(
            f"The backup {path} belongs to another user.",
            "Check that it was not modified, then copy it as the user that runs this task.",
        )
    if found.st_mode & _WRITABLE_BY_OTHERS:
        raise InputError(
            f"Other users than its owner can write to the backup {path}.",
            "Check that it was not modified, then set its mode to 0600.",
        )
    try:
        backup = _validated(content)
        _check_name(path, content, backup)
    except (KeyError, TypeError, AttributeError, ValueError, TaskError) as error:
        raise InputError(
            f"{path} is not a backup that this release can read ({error}).",
            f"Set {option('files', 'rollback_paths')} to backups that this collection wrote.",
        ) from error
    return StoredBackup(path, backup, content)


def untrusted(stored: t.Iterable[StoredBackup], params: t.Mapping[str, t.Any]) -> Untrusted:
    """The files that were not written with the operator's key, or were changed since."""
    key = known_key(params.get("backup_key"))
    found = [one for one in stored if not one.is_signed_with(key)]
    return Untrusted(
        tuple(one.path for one in found if not one.has_signature),
        tuple(one.path for one in found if one.has_signature),
    )


def others_since(
    stored: t.Sequence[StoredBackup], params: t.Mapping[str, t.Any]
) -> list[StoredBackup]:
    """The other backups of a document since the first of some of it, in the directories of these,
    oldest first.

    A file that cannot be read, or that the operator's key did not sign, is left out: it tells nothing.
    """
    given = {os.path.abspath(one.path) for one in stored}
    first, backup = min(map(os.path.basename, given)), stored[0].backup
    found: list[StoredBackup] = []
    for directory in {os.path.dirname(path) for path in given}:
        with contextlib.suppress(InputError):
            for path in files_in(directory):
                name = os.path.basename(path)
                if name > first and name.endswith(_name_of_document(backup)) and path not in given:
                    with contextlib.suppress(InputError):
                        found.append(read(path))
    foreign = untrusted(found, params).paths
    return sorted(
        (one for one in found if one.path not in foreign),
        key=lambda one: os.path.basename(one.path),
    )


def run_of(path: str) -> str:
    """The id of the run that wrote a backup, from the file name; empty if that is not a backup's
    name.
    """
    match = _NAME.match(os.path.basename(path))
    return match["run_id"] if match else ""


def files_in(directory: str, run_id: str | None = None) -> list[str]:
    """The paths of the backups in a directory, of all runs or of one, oldest first."""
    try:
        names = sorted(os.listdir(directory))
    except (OSError, ValueError) as error:
        raise InputError(
            f"The directory {directory} cannot be read: "
            f"{getattr(error, 'strerror', None) or error}.",
            f"Set {option('backup_dir')} to the directory with the backups.",
        ) from error
    found = [(name, match["run_id"]) for name in names if (match := _NAME.match(name))]
    return [os.path.join(directory, name) for name, run in found if run_id in (None, run)]


def _file_name(written_at: datetime.datetime, run_id: str, backup: Backup) -> str:
    return f"{_stamp(written_at)}.{run_id}{_name_of_document(backup)}"


def _name_of_document(backup: Backup) -> str:
    """The end of the name of each file that is of the same document."""
    return f".{backup.kind}.{_file_label(backup)}.json"


def _stamp(time: datetime.datetime) -> str:
    return f"{time:%Y%m%dT%H%M%S}-{time:%f}Z"


def _check_name(path: str, content: t.Mapping[str, t.Any], backup: Backup) -> None:
    """Raise if a file's name is not the one that its content was written to: a run is found by it."""
    written_at = datetime.datetime.fromisoformat(content["written_at"])
    if written_at.utcoffset() != datetime.timedelta(0):
        raise InputError("written_at is not a time in UTC")
    name = _file_name(written_at, content["run_id"], backup)
    if os.path.basename(path) != name:
        raise InputError(f"its content belongs to a file with the name {name}")


def _file_label(backup: Backup) -> str:
    """A readable part of the resource's name, and a hash that makes it unique."""
    name = list(backup.target.values())[-1].rpartition("/")[2]
    readable = re.sub(r"[^A-Za-z0-9]+", "-", name)[:40].strip("-")
    digest = hashlib.sha256(json.dumps(backup.resource).encode()).hexdigest()[:12]
    return f"{readable}-{digest}".lstrip("-")


def _unwritable(backup: Backup, directory: str, error: Exception) -> TaskError:
    why = getattr(error, "strerror", None) or error
    return TaskError(
        f"The {backup.resource} was not changed, because its backup cannot be written to "
        f"{directory}: {why}.",
        _OTHER_DIRECTORY,
    )


def _make_private(directory: str) -> None:
    os.makedirs(directory, mode=0o700, exist_ok=True)
    _refuse_shared(directory)


def _refuse_shared(directory: str) -> None:
    """Raise if a directory could not be created, or if another user owns it or can write to it."""
    check_writable_directory(directory)
    if not os.path.lexists(directory):
        return
    found = os.stat(directory)
    if found.st_uid != os.geteuid():
        raise ValueError("the directory belongs to another user")
    if found.st_mode & _WRITABLE_BY_OTHERS:
        raise ValueError("other users than its owner can write to the directory")


def _validated(content: dict[str, t.Any]) -> Backup:
    """Validate a file's content as untrusted input, since it is going to be written to AWS or
    Anyscale.
    """
    if content["schema_version"] != _SCHEMA_VERSION:
        raise InputError(f"its schema_version is {content['schema_version']!r}")
    kind, target = content["kind"], content["target"]
    named = {key: target[key] for key in _TARGETS[kind][0]}
    clouds = tuple(content.get("clouds", ()))  # earlier releases did not write them
    backup = Backup(
        kind,
        named,
        content["account_id"],
        content["before"],
        content["after"],
        clouds,
        _previous_version(content.get("previous_version")),
    )
    _check_target(backup)
    for document in (backup.before, backup.after):
        if document is not None:
            _check_document(backup, document)
    return backup


def _previous_version(number: t.Any) -> int | None:
    is_number = isinstance(number, int) and not isinstance(number, bool)
    if number is not None and not (is_number and number >= 0):
        raise InputError("its previous_version is not the number of a version")
    return t.cast("int | None", number)


def _check_target(backup: Backup) -> None:
    if not all(
        isinstance(value, str) and value for value in (*backup.target.values(), *backup.clouds)
    ):
        raise InputError("its target or its clouds are not non-empty strings")
    if backup.kind in _OF_ANYSCALE:
        parse_cloud_id(backup.target["cloud_id"])
        return
    parse_account_id(backup.account_id)
    if backup.kind == BUCKET_POLICY:
        parse_bucket(backup.target["bucket"])
        return
    if backup.kind == INSTANCE_PROFILE:
        arn = backup.target["instance_profile_arn"]
        if not instance_profile_name_of(arn) or account_of(arn) != backup.account_id:
            raise InputError("its instance profile is none of its account")
        return
    if parse_role(backup.target["role_arn"], "role_arn").account_id != backup.account_id:
        raise InputError("it is of another account than its role")
    if backup.kind == ROLE_POLICY:
        parse_policy_name(backup.target["policy_name"])
    elif backup.kind == ROLE_ATTACHMENT:
        parse_policy_arn(backup.target["policy_arn"])
    elif backup.before is None:
        raise InputError("its trust policy is empty")


def _check_document(backup: Backup, document: t.Any) -> None:
    if not isinstance(document, dict):
        raise InputError("one of its documents is not a JSON object")
    if backup.kind == IAM_MAPPING:
        _check_iam_mapping(backup, document)
    elif backup.kind == ROLE_ATTACHMENT:
        if document != attachment_of(backup.target["policy_arn"]):
            raise InputError("its attachment is of another policy")
    elif backup.kind == INSTANCE_PROFILE:
        if document["role_arn"] is not None:
            parse_role(document["role_arn"], "role_arn")
    elif backup.kind != COMPUTE_CONFIG:
        parse_policy(document, "document")
    elif document["cloud_id"] != backup.target["cloud_id"]:
        raise InputError("its compute config belongs to another cloud")


def _check_iam_mapping(backup: Backup, spec: dict[str, t.Any]) -> None:
    rules = spec["dataplane_iam_mapping"].get("rules") or []
    if not isinstance(rules, list) or not all(isinstance(rule, dict) for rule in rules):
        raise InputError("its Cloud IAM mapping has no list of rules")
    if (
        spec.get("cloud_deployment_id", backup.target["resource_id"])
        != backup.target["resource_id"]
    ):
        raise InputError("its Cloud IAM mapping belongs to another resource")
