# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The documents that a rollback restores, from their backups: what each gives to roles and takes from
them, and in which order they are restored.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    ec2_service,
    parse_arn,
    partition_of,
    role_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import trust_policy_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    BUCKET_POLICY,
    COMPUTE_CONFIG,
    IAM_MAPPING,
    INSTANCE_PROFILE,
    ROLE_ATTACHMENT,
    ROLE_POLICY,
    TRUST_POLICY,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import canonical

# The steps of a rollback: what gives roles something is restored before clusters may start with them
# again, and what takes something from roles when no cluster starts with them any more. A role that
# moved from one way to its bucket to the other so keeps access.
GIVES, CLUSTERS, TAKES = STEPS = ("gives", "clusters", "takes")
# The reverse of the order in which onboarding writes, which is also that of what takes something.
_ORDER = {
    COMPUTE_CONFIG: 0,
    IAM_MAPPING: 0,
    BUCKET_POLICY: 1,
    ROLE_POLICY: 1,
    ROLE_ATTACHMENT: 1,
    TRUST_POLICY: 2,
}

# The kind of key of all policies of a role.
OWN_POLICIES = "own_policies"
_OF_BUCKETS = (BUCKET_POLICY, ROLE_POLICY, ROLE_ATTACHMENT)
# Of these no other cloud's clusters have anything.
_OF_ONE_CLOUD = (COMPUTE_CONFIG, IAM_MAPPING)

Key = tuple[str, ...]
Role = tuple[str, str]  # as role_identity


@dataclasses.dataclass(frozen=True)
class Restorable:
    """A document to restore, with its backups ordered by time, and the IDs of the clouds that they
    were written for.

    needed_by: the hosts of other clouds whose clusters need what it takes from roles. used_by: the IDs
    of clouds that are rolled back, and whose clusters need it until they are.
    """

    first: Backup
    last: Backup
    files: tuple[str, ...]
    clouds: frozenset[str]
    needed_by: tuple[str, ...] = ()
    used_by: frozenset[str] = frozenset()

    @property
    def latest(self) -> str:
        """The file name of the last backup, which begins with its time."""
        return self.files[-1].rpartition("/")[2]

    @property
    def revoked_roles(self) -> set[Role]:
        """The roles that lose something if the document is restored: the trust in EC2, or the
        access to a bucket.
        """
        now, restored = self._granted_roles
        return now - restored

    @property
    def regaining_roles(self) -> set[Role]:
        """The roles that get such a thing back."""
        now, restored = self._granted_roles
        return restored - now

    @property
    def changed_roles(self) -> dict[str, set[Role]]:
        """Both, by what the document does to them."""
        return {GIVES: self.regaining_roles, TAKES: self.revoked_roles}

    @property
    def _granted_roles(self) -> tuple[set[Role], set[Role]]:
        """The roles that it grants something now, and restored."""
        first, last = self.first, self.last
        return _granted_roles(first, last.after), _granted_roles(first, first.before)

    @property
    def step(self) -> str:
        """When it is restored."""
        if self.first.kind in _OF_ONE_CLOUD:
            return CLUSTERS
        now, restored = (
            _permissions(self.first, document) for document in (self.last.after, self.first.before)
        )
        return GIVES if restored - now else TAKES

    def as_item(self, clouds: t.Sequence[str] | None) -> dict[str, t.Any]:
        """The item of a loop over the module that restores it. ``clouds``: the only clouds to
        restore it for, if it is limited to some.
        """
        return {
            "resource": self.first.resource,
            "kind": self.first.kind,
            "step": self.step,
            "account_id": self.first.account_id or None,
            "files": list(self.files),
            "clouds": clouds,
            "written_for": sorted(self.clouds),
            "used_by": sorted(self.used_by),
            "needed_by": list(self.needed_by),
        }


def documents_of(backups: t.Mapping[str, Backup]) -> list[Restorable]:
    """The documents that backups, by their paths, are of, in the order in which they are restored:
    by steps, by kinds, and within a kind the one that was written last first. Instance profiles are
    kept.
    """
    files: dict[str, list[str]] = {}
    restored = [path for path in backups if backups[path].kind != INSTANCE_PROFILE]
    for path in sorted(restored, key=lambda path: path.rpartition("/")[2]):
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
    return sorted(documents, key=_place)


def place_of(step: str, kind: str) -> tuple[int, int]:
    """The place of a document in the order in which all are restored. Without a kind: the first place
    of the step.
    """
    order = _ORDER.get(kind, 0)
    return STEPS.index(step), -order if step == GIVES else order


def _place(document: Restorable) -> tuple[int, int]:
    return place_of(document.step, document.first.kind)


def moves_roles(documents: t.Collection[Restorable]) -> bool:
    """Whether any role gets back one way to a bucket and loses another one."""
    of_buckets = [one for one in documents if one.first.kind in _OF_BUCKETS]
    regaining = {role for one in of_buckets for role in one.regaining_roles}
    return any(one.revoked_roles & regaining for one in of_buckets)


def _granted_roles(backup: Backup, document: Document | None) -> set[Role]:
    """The roles that a document of a backup grants something."""
    if backup.kind in (ROLE_POLICY, ROLE_ATTACHMENT):
        role = role_identity(backup.account_id, backup.target["role_arn"])
        return {role} if document else set()
    raws = statements_of(document) if document and backup.kind not in _OF_ONE_CLOUD else []
    if backup.kind == TRUST_POLICY:
        arn = backup.target["role_arn"]
        lets_ec2 = any(
            trust_policy_plan.allows(raw, ec2_service(partition_of(arn))) for raw in raws
        )
        return {role_identity(backup.account_id, arn)} if lets_ec2 else set()
    principals = [canonical(raw).principals or () for raw in raws if raw["Effect"] == "Allow"]
    roles = {
        value
        for found in principals
        for _kind, value in found
        if (parsed := parse_arn(value)) and parsed.resource.startswith("role/")
    }
    return {role_identity(account_of(role), role) for role in roles}


def _permissions(backup: Backup, document: Document | None) -> set[tuple[str, ...]]:
    """What a document of a backup grants: to which roles, or, by an inline policy, the actions and
    what they are on.
    """
    if backup.kind != ROLE_POLICY:
        return {*_granted_roles(backup, document)}
    found = map(canonical, statements_of(document) if document else [])
    return {
        (action, resource)
        for one in found
        if one.effect == "Allow"
        for action in one.actions or ()
        for resource in one.resources or ()
    }


def key_of(backup: Backup) -> Key:
    """What identifies the document of a backup, with the kind of it."""
    if backup.kind == TRUST_POLICY:
        return TRUST_POLICY, *role_identity(backup.account_id, backup.target["role_arn"])
    if backup.kind == BUCKET_POLICY:
        return BUCKET_POLICY, backup.target["bucket"]
    if backup.kind in (ROLE_POLICY, ROLE_ATTACHMENT):
        return OWN_POLICIES, *role_identity(backup.account_id, backup.target["role_arn"])
    if backup.kind == IAM_MAPPING:
        return IAM_MAPPING, backup.target["cloud_id"]
    return COMPUTE_CONFIG, backup.target["cloud_id"], backup.target["name"]
