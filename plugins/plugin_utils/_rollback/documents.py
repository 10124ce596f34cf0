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
    ec2_service,
    parse_arn,
    parse_bucket,
    partition_of,
    role_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import trust_policy_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
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
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds import role_users
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.role_users import (
    Cloud,
    cloud_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

_CONTROL_PLANE = "cloud_iam_control_plane_role"
VARIABLES = (
    *role_users.VARIABLES,
    "cloud_iam_bucket",
    "cloud_iam_compute_config",
    _CONTROL_PLANE,
)

# As the variable of the playbook, whose users read the messages, and as the option.
_SWITCH = "rollback_only_named_documents (option only_named_documents)"
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
_OWN_POLICIES = "own_policies"
_OF_BUCKETS = (BUCKET_POLICY, ROLE_POLICY, ROLE_ATTACHMENT)
# Of these no other cloud's clusters have anything.
_OF_ONE_CLOUD = (COMPUTE_CONFIG, IAM_MAPPING)

_Key = tuple[str, ...]
_Role = tuple[str, str]  # as role_identity


@dataclasses.dataclass(frozen=True)
class Host:
    """A host: its cloud, the account that the operator says it can connect to, and the documents
    that belong to the cloud.
    """

    cloud: Cloud
    account_id: str
    documents: frozenset[_Key]


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
        now, restored = self._granted_roles
        return now - restored

    @property
    def regaining_roles(self) -> set[_Role]:
        """The roles that get such a thing back."""
        now, restored = self._granted_roles
        return restored - now

    @property
    def changed_roles(self) -> dict[str, set[_Role]]:
        """Both, by what the document does to them."""
        return {GIVES: self.regaining_roles, TAKES: self.revoked_roles}

    @property
    def _granted_roles(self) -> tuple[set[_Role], set[_Role]]:
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
            "needed_by": list(self.needed_by),
        }


@dataclasses.dataclass(frozen=True)
class Assignment:
    """The documents that each host is to restore, and those that no host can."""

    by_host: dict[str, list[Restorable]]
    unassigned: list[Restorable]


def host_of(variables: t.Mapping[str, t.Any]) -> Host:
    """The host of these variables. Values that are not valid name no document."""
    cloud = cloud_of(variables)
    account_id, bucket, config = (
        str(variables.get(f"cloud_iam_{name}") or "")
        for name in ("account_id", "bucket", "compute_config")
    )
    # Any host of the cloud can restore the mapping of each of its resources.
    documents: set[_Key] = {
        (COMPUTE_CONFIG, cloud.cloud_id, config),
        (IAM_MAPPING, cloud.cloud_id),
    }
    documents.update(
        (kind, *role_identity(account_id, role))
        for role in cloud.named
        for kind in (TRUST_POLICY, _OWN_POLICIES)
    )
    if control_plane := variables.get(_CONTROL_PLANE):
        documents.add((_OWN_POLICIES, *role_identity(account_id, str(control_plane))))
    with contextlib.suppress(InputError):
        documents.add((BUCKET_POLICY, parse_bucket(bucket)))
    return Host(cloud, account_id, frozenset(documents))


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


def with_dependents(
    documents: t.Iterable[Restorable], fleet: t.Mapping[str, Host], rolled_back: t.Collection[str]
) -> list[Restorable]:
    """The documents, each with the hosts of a fleet whose clusters need what would be lost, and
    which are not rolled back themselves.

    A run wrote only what was not in sync. If a document was already in sync for a cloud, because of
    another cloud of the run or in a later run, no backup records that this cloud needs it.
    rolled_back: IDs of clouds.
    """
    others = {name: host for name, host in fleet.items() if host.cloud.cloud_id not in rolled_back}
    return [
        dataclasses.replace(document, needed_by=tuple(_dependents(document, others)))
        for document in documents
    ]


def _dependents(document: Restorable, hosts: t.Mapping[str, Host]) -> t.Iterator[str]:
    revoked_roles, key = document.revoked_roles, _key(document.first)
    for name, host in hosts.items():
        # Clouds that the document was written for are checked by the task that restores it.
        if (
            host.cloud.cloud_id not in document.clouds
            and any(host.cloud.may_run_with(account, role) for account, role in revoked_roles)
            and (key[0] != BUCKET_POLICY or key in host.documents)
        ):
            yield name


def _granted_roles(backup: Backup, document: Document | None) -> set[_Role]:
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


def assign(
    documents: t.Iterable[Restorable], hosts: t.Mapping[str, Host], only_named: bool
) -> Assignment:
    """Assign each document to the first cloud that it belongs to, else to the first cloud of its
    account. ``only_named``: leave the latter documents out. A policy of a role that moves between
    it and a bucket's policy goes to the cloud of the latter: after a failure that one leaves the
    other way as it is.
    """
    documents = list(documents)
    moved = _moved(documents)
    owners: dict[_Key, str] = {}
    neighbors: dict[str, str] = {}
    for name, host in hosts.items():
        neighbors.setdefault(host.account_id, name)
        for key in host.documents:
            owners.setdefault(key, name)
    assignment = Assignment({}, [])
    for document in documents:
        taker = owners.get(moved.get(document.first.resource, _key(document.first)))
        if taker is None and not only_named and document.first.account_id:
            taker = neighbors.get(document.first.account_id)
        target = (
            assignment.unassigned if taker is None else assignment.by_host.setdefault(taker, [])
        )
        target.append(document)
    return assignment


def _moved(documents: t.Sequence[Restorable]) -> dict[str, _Key]:
    """The key of the bucket's policy for each policy of a role, by its resource, that gets one of both
    ways back and loses the other one.
    """
    of_bucket: dict[tuple[_Role, str], _Key] = {}
    for document in documents:
        if document.first.kind == BUCKET_POLICY:
            for step, roles in document.changed_roles.items():
                for role in roles:
                    of_bucket.setdefault((role, step), _key(document.first))
    return {
        document.first.resource: of_bucket[role, other]
        for document in documents
        if document.first.kind in (ROLE_POLICY, ROLE_ATTACHMENT)
        for step, other in ((GIVES, TAKES), (TAKES, GIVES))
        for role in document.changed_roles[step]
        if (role, other) in of_bucket
    }


def why_unassigned(resources: t.Sequence[str], only_named: bool, uncovered: t.Sequence[str]) -> str:
    """Why documents cannot be restored, by their resources, for the operator of the playbook.

    uncovered: the hosts of the play that the fleet file does not cover: their accounts and the names
    of their documents are not the operator's word.
    """
    names = summarize_names(resources)
    permit = (
        f"The fleet file does not cover {summarize_names(uncovered)}, so that nothing is restored for "
        "them: add the lines of their host variable anyscale_authority to it, which ansible-inventory "
        "--host <cloud> shows. "
        if uncovered
        else ""
    )
    if only_named:
        return (
            f"None of these documents belongs to a cloud of the play: {names}. {permit}Add their "
            f"clouds to the play, or set {_SWITCH} to false so that any cloud of their account restores "
            "them."
        )
    return (
        f"No cloud of the play is in the account of these documents: {names}. {permit}Add a cloud of "
        f"that account to the play, or set {_SWITCH} to true to leave these documents out."
    )


def _key(backup: Backup) -> _Key:
    if backup.kind == TRUST_POLICY:
        return TRUST_POLICY, *role_identity(backup.account_id, backup.target["role_arn"])
    if backup.kind == BUCKET_POLICY:
        return BUCKET_POLICY, backup.target["bucket"]
    if backup.kind in (ROLE_POLICY, ROLE_ATTACHMENT):
        return _OWN_POLICIES, *role_identity(backup.account_id, backup.target["role_arn"])
    if backup.kind == IAM_MAPPING:
        return IAM_MAPPING, backup.target["cloud_id"]
    return COMPUTE_CONFIG, backup.target["cloud_id"], backup.target["name"]
