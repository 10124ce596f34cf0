# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Share out the documents of a run among the clouds that are to put them back.

This plugin util is private to the collection. Pure. A document is its cloud's own where the variables of the role
cloud_iam name it; any other cloud of the same account has a connection that leads to it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._backup import BUCKET_POLICY, COMPUTE_CONFIG, TRUST_POLICY, Backup
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._names import (
    default_role_name,
    parse_bucket,
    parse_role,
    role_name_of,
)

VARIABLES = ("cloud_iam_account_id", "cloud_iam_cloud_id", "cloud_iam_role", "cloud_iam_bucket", "cloud_iam_compute_config")

# What clusters run with was given from the trust policy on: it is taken back the other way round.
_ORDER = (COMPUTE_CONFIG, BUCKET_POLICY, TRUST_POLICY)

_Key = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Cloud:
    """A host: its account, its id at Anyscale, and the documents that are its own."""

    account_id: str
    cloud_id: str
    documents: frozenset[_Key]


@dataclasses.dataclass(frozen=True)
class Document:
    """A document to put back, with its backups in the order of their time."""

    first: Backup
    files: tuple[str, ...]

    @property
    def latest(self) -> str:
        """The name of its last backup, which begins with its time."""
        return self.files[-1].rpartition("/")[2]

    def as_item(self, clouds: t.Sequence[str] | None) -> dict[str, t.Any]:
        """The item of a loop over the module that puts it back; ``clouds``: for which alone."""
        return {
            "resource": self.first.resource,
            "kind": self.first.kind,
            "account_id": self.first.account_id or None,
            "files": list(self.files),
            "clouds": clouds,
        }


@dataclasses.dataclass(frozen=True)
class Shares:
    """What each host is to put back, and what is left to nobody."""

    by_host: dict[str, list[Document]]
    nobodys: list[Document]


def cloud_of(variables: t.Mapping[str, t.Any]) -> Cloud:
    """The cloud that a host's variables describe. One that they describe badly has no documents of its own."""
    account_id, cloud_id, role, bucket, config = (str(variables.get(name) or "") for name in VARIABLES)
    documents: set[_Key] = {(COMPUTE_CONFIG, cloud_id, config)}
    with contextlib.suppress(InputError):
        documents.add((TRUST_POLICY, account_id, parse_role(role).name if role else default_role_name(cloud_id)))
    with contextlib.suppress(InputError):
        documents.add((BUCKET_POLICY, parse_bucket(bucket)))
    return Cloud(account_id, cloud_id, frozenset(documents))


def documents_of(backups: t.Mapping[str, Backup]) -> list[Document]:
    """The documents that backups, by their paths, are of: by kind, and of a kind the one that was written last first."""
    files: dict[str, list[str]] = {}
    for path in sorted(backups, key=lambda path: path.rpartition("/")[2]):
        files.setdefault(backups[path].resource, []).append(path)
    documents = [Document(backups[paths[0]], tuple(paths)) for paths in files.values()]
    documents.sort(key=lambda document: document.latest, reverse=True)
    return sorted(documents, key=lambda document: _ORDER.index(document.first.kind))


def share_out(documents: t.Iterable[Document], clouds: t.Mapping[str, Cloud], own: bool) -> Shares:
    """Give each document to the first cloud whose own it is, else, unless only their own is asked for, to one of its account."""
    owners: dict[_Key, str] = {}
    neighbours: dict[str, str] = {}
    for name, cloud in clouds.items():
        neighbours.setdefault(cloud.account_id, name)
        for key in cloud.documents:
            owners.setdefault(key, name)
    shares = Shares({}, [])
    for document in documents:
        host = owners.get(_key(document.first))
        if host is None and not own and document.first.account_id:
            host = neighbours.get(document.first.account_id)
        (shares.nobodys if host is None else shares.by_host.setdefault(host, [])).append(document)
    return shares


def _key(backup: Backup) -> _Key:
    if backup.kind == TRUST_POLICY:
        return TRUST_POLICY, backup.account_id, role_name_of(backup.target["role_arn"])
    if backup.kind == BUCKET_POLICY:
        return BUCKET_POLICY, backup.target["bucket"]
    return COMPUTE_CONFIG, backup.target["cloud_id"], backup.target["name"]
