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
    parse_bucket,
    role_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    BUCKET_POLICY,
    COMPUTE_CONFIG,
    IAM_MAPPING,
    ROLE_ATTACHMENT,
    ROLE_POLICY,
    TRUST_POLICY,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds import role_users
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.role_users import (
    CloudRoles,
    cloud_roles_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._rollback.documents import (
    GIVES,
    OWN_POLICIES,
    TAKES,
    Key,
    Restorable,
    Role,
    key_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.uncovered import (
    where_the_lines_are,
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


@dataclasses.dataclass(frozen=True)
class Host:
    """A host: its cloud, the account that the operator says it can connect to, and the documents
    that belong to the cloud.
    """

    cloud: CloudRoles
    account_id: str
    documents: frozenset[Key]


@dataclasses.dataclass(frozen=True)
class Assignment:
    """The documents that each host is to restore, and those that no host can."""

    by_host: dict[str, list[Restorable]]
    unassigned: list[Restorable]


def host_of(variables: t.Mapping[str, t.Any]) -> Host:
    """The host of these variables. Values that are not valid name no document."""
    cloud = cloud_roles_of(variables)
    account_id, bucket, config = (
        str(variables.get(f"cloud_iam_{name}") or "")
        for name in ("account_id", "bucket", "compute_config")
    )
    # Any host of the cloud can restore the mapping of each of its resources.
    documents: set[Key] = {
        (COMPUTE_CONFIG, cloud.cloud_id, config),
        (IAM_MAPPING, cloud.cloud_id),
    }
    documents.update(
        (kind, *role_identity(account_id, role))
        for role in cloud.named
        for kind in (TRUST_POLICY, OWN_POLICIES)
    )
    if control_plane := variables.get(_CONTROL_PLANE):
        documents.add((OWN_POLICIES, *role_identity(account_id, str(control_plane))))
    with contextlib.suppress(InputError):
        documents.add((BUCKET_POLICY, parse_bucket(bucket)))
    return Host(cloud, account_id, frozenset(documents))


def with_dependents(
    documents: t.Sequence[Restorable],
    fleet: t.Mapping[str, Host],
    limit: t.Collection[str] | None = None,
) -> list[Restorable]:
    """The documents, each with those of a fleet whose clusters need what would be lost: the hosts of
    clouds that are not rolled back, and the clouds that are, as long as they are not.

    A run wrote only what was not in sync. If a document was already in sync for a cloud, because of
    another cloud of the run or in a later run, no backup records that this cloud needs it.
    limit: the IDs of the only clouds to restore documents for, if there are such.
    """
    written_for = {cloud for document in documents for cloud in document.clouds}
    rolled_back = written_for if limit is None else written_for.intersection(limit)
    others = {name: host for name, host in fleet.items() if host.cloud.cloud_id not in rolled_back}
    own = {name: host for name, host in fleet.items() if name not in others}
    return [
        dataclasses.replace(
            document,
            needed_by=tuple(_dependents(document, others)),
            used_by=frozenset(own[name].cloud.cloud_id for name in _dependents(document, own)),
        )
        for document in documents
    ]


def _dependents(document: Restorable, hosts: t.Mapping[str, Host]) -> t.Iterator[str]:
    revoked_roles, key = document.revoked_roles, key_of(document.first)
    for name, host in hosts.items():
        # Clouds that the document was written for are checked by the task that restores it.
        if (
            host.cloud.cloud_id not in document.clouds
            and any(host.cloud.may_run_with(account, role) for account, role in revoked_roles)
            and (key[0] != BUCKET_POLICY or key in host.documents)
        ):
            yield name


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
    owners: dict[Key, str] = {}
    neighbors: dict[str, str] = {}
    for name, host in hosts.items():
        neighbors.setdefault(host.account_id, name)
        for key in host.documents:
            owners.setdefault(key, name)
    assignment = Assignment({}, [])
    for document in documents:
        taker = owners.get(moved.get(document.first.resource, key_of(document.first)))
        if taker is None and not only_named and document.first.account_id:
            taker = neighbors.get(document.first.account_id)
        target = (
            assignment.unassigned if taker is None else assignment.by_host.setdefault(taker, [])
        )
        target.append(document)
    return assignment


def restored_for(
    assignment: Assignment, fleet: t.Mapping[str, Host], limit: t.Collection[str] | None
) -> list[str]:
    """The hosts of a fleet of which something is restored, whichever host restores it: those that the
    documents were written for, and those whose clusters need them.

    limit: the IDs of the only clouds to restore documents for, if there are such.
    """
    documents = [document for found in assignment.by_host.values() for document in found]
    written_for = {cloud for document in documents for cloud in document.clouds}
    clouds = written_for if limit is None else written_for.intersection(limit)
    needed_by = {name for document in documents for name in document.needed_by}
    return [
        name
        for name, host in fleet.items()
        if host.cloud.cloud_id in clouds or name in needed_by or name in assignment.by_host
    ]


def hosts_of_item(
    name: str,
    item: t.Mapping[str, t.Any],
    hosts: t.Mapping[str, t.Sequence[str]],
    assigned: t.Mapping[str, t.Sequence[str]],
) -> tuple[str, ...]:
    """The hosts that a document is restored for, the one that restores it first: with them, also those
    whose clusters need it until they are rolled back.

    hosts: those of each cloud in the play. assigned: as ``assigned_hosts``; for a cloud that has no
    host in the play, or none with valid variables.
    """
    clouds = [*item["written_for"], *item["used_by"]]
    others = [one for cloud in clouds for one in hosts.get(cloud) or assigned.get(cloud, ())]
    return tuple(dict.fromkeys([name, *others]))


def assigned_hosts(
    documents: t.Mapping[str, t.Sequence[t.Mapping[str, t.Any]]],
) -> dict[str, list[str]]:
    """The hosts that restore what was written for each cloud, by its ID. documents: the items of each
    host.
    """
    found: dict[str, list[str]] = {}
    for name, items in documents.items():
        for cloud in dict.fromkeys(cloud for item in items for cloud in item["written_for"]):
            found.setdefault(cloud, []).append(name)
    return found


def _moved(documents: t.Sequence[Restorable]) -> dict[str, Key]:
    """The key of the bucket's policy for each policy of a role, by its resource, that gets one of both
    ways back and loses the other one.
    """
    of_bucket: dict[tuple[Role, str], Key] = {}
    for document in documents:
        if document.first.kind == BUCKET_POLICY:
            for step, roles in document.changed_roles.items():
                for role in roles:
                    of_bucket.setdefault((role, step), key_of(document.first))
    return {
        document.first.resource: of_bucket[role, other]
        for document in documents
        if document.first.kind in (ROLE_POLICY, ROLE_ATTACHMENT)
        for step, other in ((GIVES, TAKES), (TAKES, GIVES))
        for role in document.changed_roles[step]
        if (role, other) in of_bucket
    }


def why_unassigned(
    resources: t.Sequence[str],
    only_named: bool,
    uncovered: t.Sequence[str],
    invocation: Invocation,
) -> str:
    """Why documents cannot be restored, by their resources, for the operator of the playbook.

    uncovered: the hosts of the play that the fleet file does not cover: their accounts and the names
    of their documents are not the operator's word.
    """
    names = summarize_names(resources)
    permit = (
        f"The fleet file does not cover {summarize_names(uncovered)}, so that nothing is restored for "
        f"them. {where_the_lines_are(invocation)}. "
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
