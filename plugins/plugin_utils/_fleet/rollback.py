# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Share out the documents of a run among the clouds that are to put them back, and tell which other
clouds need them.

This plugin util is private to the collection. Pure. A document is its cloud's own where the
variables of the role cloud_iam name it; any other cloud of the same account has a connection that
leads to it.
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

# What clusters run with was given from the trust policy on: it is taken back the other way round.
_ORDER = (COMPUTE_CONFIG, BUCKET_POLICY, TRUST_POLICY)

_Key = tuple[str, ...]
_Role = tuple[str, str]  # its account and its name


@dataclasses.dataclass(frozen=True)
class Cloud:
    """A host: its account, its id at Anyscale, the documents that are its own, and the roles that
    its clusters may run with.
    """

    account_id: str
    cloud_id: str
    documents: frozenset[_Key]
    roles: frozenset[str]

    def runs_with(self, roles: t.Iterable[_Role]) -> bool:
        """Whether one of these is a role of its; where its account is not known, the name alone
        counts.
        """
        return any(
            name in self.roles and self.account_id in ("", account) for account, name in roles
        )


@dataclasses.dataclass(frozen=True)
class Restorable:
    """A document to put back, with its backups in the order of their time, and the ids of the
    clouds that they were written for.
    """

    first: Backup
    last: Backup
    files: tuple[str, ...]
    clouds: frozenset[str]
    needed_by: tuple[str, ...] = ()

    @property
    def latest(self) -> str:
        """The name of its last backup, which begins with its time."""
        return self.files[-1].rpartition("/")[2]

    @property
    def revoked_roles(self) -> set[_Role]:
        """The roles that lose something by it: that EC2 may assume them, or a bucket's."""
        given, left = (
            _given(self.first, document) for document in (self.last.after, self.first.before)
        )
        return given - left

    def as_item(self, clouds: t.Sequence[str] | None) -> dict[str, t.Any]:
        """The item of a loop over the module that puts it back; ``clouds``: for which alone."""
        return {
            "resource": self.first.resource,
            "kind": self.first.kind,
            "account_id": self.first.account_id or None,
            "files": list(self.files),
            "clouds": clouds,
            "needed_by": list(self.needed_by),
        }


@dataclasses.dataclass(frozen=True)
class Shares:
    """What each host is to put back, and what is left to nobody."""

    by_host: dict[str, list[Restorable]]
    unassigned: list[Restorable]


def cloud_of(variables: t.Mapping[str, t.Any]) -> Cloud:
    """The cloud that a host's variables describe. One that they describe badly has no documents of
    its own.
    """
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
    """The documents that backups, by their paths, are of: by kind, and of a kind the one that was
    written last first.
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
    documents: t.Iterable[Restorable], fleet: t.Mapping[str, Cloud], taken_back: t.Collection[str]
) -> list[Restorable]:
    """The documents, each with the hosts of a fleet whose clusters need what would be lost, and are
    not among those taken back.

    A run wrote only what was not right yet: for a cloud that found it right, by another cloud of
    the run or in a later run, there is no backup that would tell. taken_back: ids of clouds.
    """
    others = {name: cloud for name, cloud in fleet.items() if cloud.cloud_id not in taken_back}
    return [
        dataclasses.replace(document, needed_by=tuple(_in_need(document, others)))
        for document in documents
    ]


def _in_need(document: Restorable, clouds: t.Mapping[str, Cloud]) -> t.Iterator[str]:
    revoked_roles, key = document.revoked_roles, _key(document.first)
    for name, cloud in clouds.items():
        # A backup of its own is looked at where the document is put back.
        if (
            cloud.cloud_id not in document.clouds
            and cloud.runs_with(revoked_roles)
            and (key[0] != BUCKET_POLICY or key in cloud.documents)
        ):
            yield name


def _given(backup: Backup, document: Document | None) -> set[_Role]:
    """The roles that a document of a backup gives something."""
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


def assign(documents: t.Iterable[Restorable], clouds: t.Mapping[str, Cloud], own: bool) -> Shares:
    """Give each document to the first cloud whose own it is, else, unless only their own is asked
    for, to one of its account.
    """
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
        (shares.unassigned if host is None else shares.by_host.setdefault(host, [])).append(
            document
        )
    return shares


def _key(backup: Backup) -> _Key:
    if backup.kind == TRUST_POLICY:
        return TRUST_POLICY, backup.account_id, role_name_of(backup.target["role_arn"])
    if backup.kind == BUCKET_POLICY:
        return BUCKET_POLICY, backup.target["bucket"]
    return COMPUTE_CONFIG, backup.target["cloud_id"], backup.target["name"]
