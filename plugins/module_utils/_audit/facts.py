# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The facts about one cloud that the checks use: each is known, or has a reason why it is not.

This module util is private to the collection. Pure: it holds what was read and derives names from
it.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launch_rows import (
    Launches,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
    folded_role_name,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
    not_applicable,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.instances import Instance
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    instance_profile_plan,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import Document
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Identity,
    NamedPolicy,
)

Json = dict[str, t.Any]
Derived = t.TypeVar("Derived")


@dataclasses.dataclass(frozen=True)
class DefaultRole:
    """The role that clusters run with unless a compute config sets another one, and how it is
    known: ``registered`` or ``convention``.
    """

    arn: str
    source: str


@dataclasses.dataclass(frozen=True)
class Running:
    """What runs on a cloud: its launches, the versions of compute configs that they name, by id, and
    its instances.
    """

    launches: Fact[Launches]
    configs: t.Mapping[str, Fact[Json | None]]
    instances: Fact[list[Instance]]


@dataclasses.dataclass(frozen=True, eq=False)
class FurtherRole:
    """A role beside the one to check that clusters of the cloud may run with.

    named_by: what names it, in words. is_wanted: whether the operator's variables do; else only a
    rule of the Cloud IAM mapping does, which any owner of the organization may have written.
    facts: what was read of it, by the names of the facts on the role to check.
    """

    name: str
    named_by: tuple[str, ...]
    is_wanted: bool
    facts: t.Mapping[str, Fact[t.Any]]


@dataclasses.dataclass(frozen=True)
class Facts:
    """What was read. ``None`` stands for what does not exist in AWS or Anyscale; documents and rows
    are as the API returned them.

    elsewhere: what the cloud runs on where that is not AWS virtual machines; else, and where it is
    not known, empty.
    now: when it was read, in seconds since 1970: from then on access counts.
    anyscale_host: the address of the control plane; empty for the one of anyscale.com.
    authority: what the inventory plugin says of the operator's permission; ``None`` where the
    inventory is another one.
    account_id: the caller's account, in which everything in AWS was read. cloud_account: the
    account that the cloud is in.
    role_wanted: the role to check, by name or ARN; role: that role as IAM has it. mappings: the
    Cloud IAM mapping of each resource that has rules.
    control_plane_role: the role that Anyscale assumes, as IAM has it; control_plane: its policies.
    bucket_cors: the rules by which browsers may read the bucket from other sites.
    scheduler_flavors, machine_pools: the instance configurations of each, by its name; of machine
    pools only where a compute config names one.
    node_groups, group_roles: as the options of compute_config_profile; the roles are by the names
    of the groups. further_roles: those of the groups, and all others that clusters may run with.
    bucket_key: the KMS key that the bucket is encrypted with, as KMS has it; ``None`` where no key
    of a customer is. key_policy, key_grants: who may use that key.
    bucket_actions, bucket_prefix: what the role should be able to do in the bucket, and with which
    objects.
    bucket_region: ``None`` where the bucket does not exist; not applicable where it is in another
    account.
    principals: by unique ID, read only where the bucket's policy contains such IDs.
    running: what runs on the cloud; ``None`` where that was not asked for.
    """

    account_id: str
    cloud_id: str | None
    now: float
    arn_kind: str
    anyscale_host: str
    authority: Json | None
    elsewhere: str
    cloud: Fact[Json]
    resources: Fact[list[Json]]
    primary: Fact[Json]
    mappings: Fact[list[Json]]
    scheduler_flavors: Fact[dict[str, list[Json]]]
    machine_pools: Fact[dict[str, list[Json]]]
    compute_configs: t.Mapping[str, Fact[Json | None]]
    cloud_account: Fact[str]
    default_role: Fact[DefaultRole]
    role_wanted: Fact[RoleReference]
    role: Fact[Json | None]
    trust: Fact[Document]
    identity: Fact[Identity]
    boundary: Fact[NamedPolicy | None]
    profile_name: Fact[str]
    profile: Fact[Json | None]
    role_profiles: Fact[list[Json]]
    control_plane_arn: Fact[str]
    control_plane_role: Fact[Json | None]
    control_plane_trust: Fact[Document]
    control_plane: Fact[Identity | None]
    registered_bucket: Fact[str | None]
    bucket_actions: tuple[str, ...]
    bucket_prefix: str
    bucket: Fact[str]
    bucket_region: Fact[str | None]
    bucket_policy: Fact[Document]
    bucket_tags: Fact[list[dict[str, str]]]
    bucket_cors: Fact[list[Json]]
    bucket_key: Fact[Json | None]
    key_policy: Fact[Document]
    key_grants: Fact[list[Json]]
    principals: Fact[dict[str, str]]
    running: Running | None = None
    node_groups: str = "all"
    group_roles: t.Mapping[str, RoleReference] = dataclasses.field(default_factory=dict)
    further_roles: tuple[FurtherRole, ...] = ()
    _derived: dict[t.Any, t.Any] = dataclasses.field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def once(self, key: t.Hashable, derive: t.Callable[[], Derived]) -> Derived:
        """What several checks derive from the facts, derived once."""
        if key not in self._derived:
            self._derived[key] = derive()
        return t.cast(Derived, self._derived[key])

    def of_role(self, further: FurtherRole) -> Facts:
        """The same facts with a further role as the one to check. Compute configs are not about
        it.
        """
        replaced: dict[str, t.Any] = {
            **further.facts,
            "compute_configs": {},
            "group_roles": {},
            "further_roles": (),
        }
        return self.once(("of_role", further.name), lambda: dataclasses.replace(self, **replaced))

    def of_group(self, name: str) -> Facts:
        """The facts with the role that a node group is to run with as the one to check."""
        role = self.group_roles.get(name)
        named = [
            further
            for further in self.further_roles
            if role is not None and folded_role_name(further.name) == folded_role_name(role.name)
        ]
        return self.of_role(named[0]) if named else self

    def live_role(self) -> Json:
        """The role, where it exists."""
        role = self.role.get()
        if role is None:
            raise not_applicable(f"Role {self.role_wanted.get()} does not exist.")
        return role

    def principal(self) -> Role:
        """The role as policy evaluation needs it."""
        role = self.live_role()
        return Role(role["Arn"], account_of(role["Arn"]), role["RoleId"])

    def existing_bucket_region(self) -> str:
        """The region of the bucket, where the bucket exists."""
        region = self.bucket_region.get()
        if region is None:
            raise not_applicable(f"Bucket {self.bucket.get()} does not exist.")
        return region

    def unregistered_bucket(self) -> str:
        """That the bucket to check is not the one that is registered for the cloud; empty where it
        is, and where that is not known.
        """
        registered = self.registered_bucket.value
        if registered in (None, self.bucket.get()):
            return ""
        return (
            f"Bucket {self.bucket.get()} is not the one registered for the cloud at Anyscale, "
            f"{registered}."
        )

    def profile_arn(self) -> str:
        """The ARN of the instance profile to check, as it is or as it will be once created."""
        profile = self.profile.get()
        return (
            profile["Arn"]
            if profile
            else instance_profile_plan.new_arn(self.profile_name.get(), self.live_role()["Arn"])
        )

    def instance_profiles(self) -> list[Json]:
        """All instance profiles that were read: those of the role, and the one to check."""
        profiles = [
            *(self.role_profiles.value or []),
            *([self.profile.value] if self.profile.value else []),
        ]
        return list({profile["Arn"]: profile for profile in profiles}.values())
