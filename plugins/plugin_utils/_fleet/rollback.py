# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Assign the documents of a run to the clouds that are to restore them, and find the other clouds
that need these documents.

This plugin util is private to the collection. Pure. A document belongs to a cloud if the cloud's
variables of the role cloud_iam name it. Any other cloud of the same account can connect to the
account as well, so it can restore the document.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    default_role_name,
    ec2_service,
    parse_arn,
    parse_bucket,
    parse_role,
    partition_of,
    role_name_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import trust_policy_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    BUCKET_POLICY,
    COMPUTE_CONFIG,
    TRUST_POLICY,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import canonical

VARIABLES = (
    "cloud_iam_account_id",
    "cloud_iam_cloud_id",
    "cloud_iam_role",
    "cloud_iam_bucket",
    "cloud_iam_compute_config",
    "anyscale_default_role_arn",
)

# The reverse of the order in which onboarding writes.
_ORDER = (COMPUTE_CONFIG, BUCKET_POLICY, TRUST_POLICY)

_Key = tuple[str, ...]
_Role = tuple[str, str]  # account ID and name


@dataclasses.dataclass(frozen=True)
class Cloud:
    """A host: its account, its ID at Anyscale, the documents that belong to it, and the names of
    the roles that its clusters may run with.
    """

    account_id: str
    cloud_id: str
    documents: frozenset[_Key]
    roles: frozenset[str]

    def runs_with(self, roles: t.Iterable[_Role]) -> bool:
        """Whether its clusters run with one of these roles. If its account is unknown, only the
        name is compared.
        """
        return any(
            name in self.roles and self.account_id in ("", account) for account, name in roles
        )


@dataclasses.dataclass(frozen=True)
class Restorable:
    """A document to restore, with its backups ordered by time, and the IDs of the clouds that they
    were written for.
    """

    first: Backup
    last: Backup
    files: tuple[str, ...]
    clouds: frozenset[str]
    needed_by: tuple[str, ...] = ()

    @property
    def latest(self) -> str:
        """The file name of the last backup, which begins with its time."""
        return self.files[-1].rpartition("/")[2]

    @property
    def revoked_roles(self) -> set[_Role]:
        """The roles that lose something if the document is restored: the trust in EC2, or the
        access to a bucket.
        """
        now, restored = (
            _granted_roles(self.first, document)
            for document in (self.last.after, self.first.before)
        )
        return now - restored

    def as_item(self, clouds: t.Sequence[str] | None) -> dict[str, t.Any]:
        """The item of a loop over the module that restores it. ``clouds``: the only clouds to
        restore it for, if it is limited to some.
        """
        return {
            "resource": self.first.resource,
            "kind": self.first.kind,
            "account_id": self.first.account_id or None,
            "files": list(self.files),
            "clouds": clouds,
            "needed_by": list(self.needed_by),
        }


@dataclasses.dataclass(frozen=True)
class Assignment:
    """The documents that each host is to restore, and those that no host can."""

    by_host: dict[str, list[Restorable]]
    unassigned: list[Restorable]


def cloud_of(variables: t.Mapping[str, t.Any]) -> Cloud:
    """The cloud that a host's variables describe. Values that are not valid name no document."""
    account_id, cloud_id, role, bucket, config, registered = (
        str(variables.get(name) or "") for name in VARIABLES
    )
    documents: set[_Key] = {(COMPUTE_CONFIG, cloud_id, config)}
    roles = {role_name_of(registered)} if registered else set()
    with contextlib.suppress(InputError):
        name = parse_role(role).name if role else default_role_name(cloud_id)
        documents.add((TRUST_POLICY, account_id, name))
        roles.add(name)
    with contextlib.suppress(InputError):
        documents.add((BUCKET_POLICY, parse_bucket(bucket)))
    return Cloud(account_id, cloud_id, frozenset(documents), frozenset(roles))


def documents_of(backups: t.Mapping[str, Backup]) -> list[Restorable]:
    """The documents that backups, by their paths, are of, ordered by kind, and within a kind the
    one that was written last first.
    """
    files: dict[str, list[str]] = {}
    for path in sorted(backups, key=lambda path: path.rpartition("/")[2]):
        files.setdefault(backups[path].resource, []).append(path)
    documents = [
        Restorable(
            backups[paths[0]],
            backups[paths[-1]],
            tuple(paths),
            frozenset(cloud for path in paths for cloud in backups[path].clouds),
        )
        for paths in files.values()
    ]
    documents.sort(key=lambda document: document.latest, reverse=True)
    return sorted(documents, key=lambda document: _ORDER.index(document.first.kind))


def with_dependents(
    documents: t.Iterable[Restorable], fleet: t.Mapping[str, Cloud], rolled_back: t.Collection[str]
) -> list[Restorable]:
    """The documents, each with the hosts of a fleet whose clusters need what would be lost, and
    which are not rolled back themselves.

    A run wrote only what was not in sync. If a document was already in sync for a cloud, because of
    another cloud of the run or in a later run, no backup records that this cloud needs it.
    rolled_back: IDs of clouds.
    """
    others = {name: cloud for name, cloud in fleet.items() if cloud.cloud_id not in rolled_back}
    return [
        dataclasses.replace(document, needed_by=tuple(_dependents(document, others)))
        for document in documents
    ]


def _dependents(document: Restorable, clouds: t.Mapping[str, Cloud]) -> t.Iterator[str]:
    revoked_roles, key = document.revoked_roles, _key(document.first)
    for name, cloud in clouds.items():
        # Clouds that the document was written for are checked by the task that restores it.
        if (
            cloud.cloud_id not in document.clouds
            and cloud.runs_with(revoked_roles)
            and (key[0] != BUCKET_POLICY or key in cloud.documents)
        ):
            yield name


def _granted_roles(backup: Backup, document: Document | None) -> set[_Role]:
    """The roles that a document of a backup grants something."""
    raws = statements_of(document) if document and backup.kind != COMPUTE_CONFIG else []
    if backup.kind == TRUST_POLICY:
        arn = backup.target["role_arn"]
        lets_ec2 = any(
            trust_policy_plan.allows(raw, ec2_service(partition_of(arn))) for raw in raws
        )
        return {(backup.account_id, role_name_of(arn))} if lets_ec2 else set()
    principals = [canonical(raw).principals or () for raw in raws if raw["Effect"] == "Allow"]
    roles = {
        value
        for found in principals
        for _kind, value in found
        if (parsed := parse_arn(value)) and parsed.resource.startswith("role/")
    }
    return {(account_of(role), role_name_of(role)) for role in roles}


def assign(
    documents: t.Iterable[Restorable], clouds: t.Mapping[str, Cloud], only_named: bool
) -> Assignment:
    """Assign each document to the first cloud that it belongs to, else to the first cloud of its
    account. ``only_named``: leave the latter documents out.
    """
    owners: dict[_Key, str] = {}
    neighbors: dict[str, str] = {}
    for name, cloud in clouds.items():
        neighbors.setdefault(cloud.account_id, name)
        for key in cloud.documents:
            owners.setdefault(key, name)
    assignment = Assignment({}, [])
    for document in documents:
        host = owners.get(_key(document.first))
        if host is None and not only_named and document.first.account_id:
            host = neighbors.get(document.first.account_id)
        target = assignment.unassigned if host is None else assignment.by_host.setdefault(host, [])
        target.append(document)
    return assignment


def _key(backup: Backup) -> _Key:
    if backup.kind == TRUST_POLICY:
        return TRUST_POLICY, backup.account_id, role_name_of(backup.target["role_arn"])
    if backup.kind == BUCKET_POLICY:
        return BUCKET_POLICY, backup.target["bucket"]
    return COMPUTE_CONFIG, backup.target["cloud_id"], backup.target["name"]
