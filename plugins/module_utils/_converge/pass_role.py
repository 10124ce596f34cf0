# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge what Anyscale's control-plane role needs to launch clusters with roles, for the module
``iam_pass_role``.

This module util is private to the collection. Many clouds share a control-plane role: what they want
is merged.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
    instance_profile_name_of,
    parse_arn,
    parse_instance_profile,
    parse_policy_name,
    parse_role,
    partition_of,
    role_identity,
    role_name_of,
    role_path_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import pass_role_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.known import Known
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import (
    ConvergingModule,
    Options,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    PolicyGuard,
    PolicyPlanner,
    PolicyReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_guard import (
    RoleGuard,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_policy import (
    LiveRolePolicy,
    RolePolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    live_role,
    refuse_other_account,
    refuse_other_arn,
    refuse_other_cloud,
    wanted_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    TaskError,
    option,
)


@dataclasses.dataclass(frozen=True)
class LivePassRole(LiveRolePolicy):
    """A live inline policy of a control-plane role, with the ARNs of what is passed, or the error of a
    role that could not be read.

    profile_arns: of instance profiles, by name; what one that does not exist yet will have.
    """

    role_arns: t.Mapping[RoleReference, str | TaskError] = dataclasses.field(default_factory=dict)
    profile_arns: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    def arn_of(self, reference: RoleReference) -> str:
        """The ARN of a role. Raises if it could not be read."""
        found = self.role_arns[reference]
        if isinstance(found, TaskError):
            raise found
        return found


class PassRoleStore(RolePolicyStore):
    """An inline policy of a control-plane role, for roles and instance profiles of its account."""

    def __init__(
        self,
        session: AwsSession,
        control_plane: RoleReference,
        policy_name: str,
        account_id: str | None,
        *,
        is_granted: bool,
        roles: t.Sequence[RoleReference],
        profiles: t.Sequence[str],
    ) -> None:
        """``is_granted``: whether the roles are to be passed, and so must exist."""
        iam = Iam(session)
        super().__init__(iam, control_plane, policy_name, account_id, reads_own=is_granted)
        self._iam = iam
        self._control_plane = control_plane
        self._account_id = account_id
        self._is_granted = is_granted
        self._roles = roles
        self._profiles = profiles
        self._exact: set[RoleReference] = set()

    def load(self) -> LivePassRole:
        """The live policy, and the ARNs."""
        found = super().load()
        if found.role is None:
            # There is no policy to take anything out of.
            return LivePassRole(**_fields_of(found))
        roles = {reference: self._arn_or_error(reference, found) for reference in self._roles}
        paths = {
            reference.name: role_path_of(arn)
            for reference, arn in roles.items()
            if isinstance(arn, str)
        }
        profiles = {name: self._profile_arn(name, paths, found) for name in self._profiles}
        return LivePassRole(**_fields_of(found), role_arns=roles, profile_arns=profiles)

    def read_role(self) -> dict[str, t.Any]:
        """The control-plane role, which is not the one that clusters run with."""
        try:
            return super().read_role()
        except RefusedError as error:
            if self._iam.role(self._control_plane.name) is not None:
                raise
            raise RefusedError(
                f"Role {self._control_plane}, which Anyscale is to assume to launch clusters, does not "
                "exist.",
                f"Set {option('control_plane_role')} to the role that is registered for the cloud as "
                "its anyscale_iam_role_id.",
            ) from error

    def refuse_other_role(self, reference: RoleReference) -> None:
        """Raise if there is no role with exactly the ARN that is to be passed: another one, of that name
        or in another account, is not what was judged, and AWS would not let it be passed.
        """
        if reference.arn is None or reference in self._exact:
            return
        live = live_role(self._iam, reference, self._account_id)
        refuse_other_arn(reference, live["Arn"])
        self._exact.add(reference)

    def _arn_or_error(self, reference: RoleReference, found: LiveRolePolicy) -> str | TaskError:
        """A role's ARN; what is no longer granted need not exist."""
        if reference.arn is not None:
            return str(reference)
        if not self._is_granted:
            return _arn_like(found.role_arn, "role", "/", reference.name)
        try:
            return str(live_role(self._iam, reference, self._account_id)["Arn"])
        except TaskError as error:
            return error

    def _profile_arn(self, name: str, paths: t.Mapping[str, str], found: LiveRolePolicy) -> str:
        """The ARN of an instance profile. One that is made later has the path of its role."""
        profile = self._iam.instance_profile(name) if self._is_granted else None
        if profile:
            return str(profile["Arn"])
        return _arn_like(found.role_arn, "instance-profile", paths.get(name, "/"), name)


@dataclasses.dataclass(frozen=True)
class PassRolePlanner(PolicyPlanner[LivePassRole]):
    """The control-plane role may (or no longer may) pass roles and read their instance profiles."""

    roles: tuple[RoleReference, ...]
    profiles: tuple[str, ...]
    state: str = "present"

    def plan(self, live: LivePassRole) -> Plan:
        """Plan the policy."""
        if self.state == "present":
            wanted = self._wanted(live)
            return pass_role_plan.allow(live.document, wanted, live.identity_with, live.target)
        if live.role is None:
            return pass_role_plan.withdraw(
                live.document, pass_role_plan.Wanted((), ()), live.target
            )
        return pass_role_plan.withdraw(live.document, self._wanted(live), live.target)

    def _wanted(self, live: LivePassRole) -> pass_role_plan.Wanted:
        return pass_role_plan.Wanted(
            tuple(live.arn_of(reference) for reference in self.roles),
            tuple(live.profile_arns[name] for name in self.profiles),
            time.time(),
        )


@dataclasses.dataclass(frozen=True)
class PassRoleGuard:
    """The guard of a cloud whose control-plane role is to pass roles."""

    store: PassRoleStore
    role_guard: RoleGuard
    roles: tuple[RoleReference, ...]
    state: str

    def check(self, live: LivePassRole, plan: Plan) -> None:
        """The control-plane role must be the customer's, and not one of this run; the roles must be
        for clusters.
        """
        self.role_guard.check_change(live.role_arn)
        if self.state == "present":
            for reference in self.roles:
                arn = live.arn_of(reference)
                _refuse_passing_itself(arn, live.role_arn)
                self.store.refuse_other_role(reference)
                self.role_guard.check_for_clusters(arn)


def merged_planners(planners: t.Iterable[PassRolePlanner]) -> list[PassRolePlanner]:
    """The planners of a policy with those for the same state put together, so that it is planned once
    for all their roles.
    """

    def state_of(planner: PassRolePlanner) -> str:
        return planner.state

    merged = []
    for _state, group in itertools.groupby(sorted(planners, key=state_of), state_of):
        first, *others = group
        roles = [role for planner in (first, *others) for role in planner.roles]
        profiles = [name for planner in (first, *others) for name in planner.profiles]
        merged.append(
            dataclasses.replace(
                first,
                roles=tuple(dict.fromkeys(roles)),
                profiles=tuple(dict.fromkeys(profiles)),
            )
        )
    return merged


class PassRoleModule(ConvergingModule):
    """The module iam_pass_role."""

    options: t.ClassVar[Options] = {
        "control_plane_role": {"type": "str"},
        "cloud_id": {"type": "str"},
        "roles": {"type": "list", "elements": "str"},
        "instance_profiles": {"type": "list", "elements": "str"},
        "policy_name": {"type": "str", "default": pass_role_plan.POLICY_NAME},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "allow_privileged": {"type": "bool", "default": False},
        **anyscale_argument_spec(),
    }
    rules: t.ClassVar[dict[str, t.Any]] = {
        "required_one_of": [["control_plane_role", "cloud_id"], ["roles", "cloud_id"]],
    }

    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        connect: Connect = AwsSession,
        known: Known | None = None,
    ) -> None:
        super().__init__(params, connect, known)
        name = params.get("policy_name")
        self.policy_name = pass_role_plan.POLICY_NAME if name is None else parse_policy_name(name)
        self.roles = self._parse_roles()
        self.profiles = self._parse_profiles()
        self.control_plane = self._parse_control_plane()

    def reconciler(self) -> PolicyReconciler[LivePassRole]:
        """The inline policy of the control-plane role."""
        store = self.store(self.roles, self.profiles)
        guards = [self.guard(store)]
        return PolicyReconciler(t.cast(t.Any, store), [self.planner()], guards, self.clouds)

    def store(self, roles: t.Sequence[RoleReference], profiles: t.Sequence[str]) -> PassRoleStore:
        """The inline policy of the control-plane role, for these roles and instance profiles."""
        return PassRoleStore(
            self.session,
            self.control_plane,
            self.policy_name,
            self.params.get("account_id"),
            is_granted=self.params["state"] == "present",
            roles=roles,
            profiles=profiles,
        )

    def planner(self) -> PassRolePlanner:
        """What the parameters want."""
        return PassRolePlanner(tuple(self.roles), tuple(self.profiles), self.params["state"])

    def guard(self, store: PassRoleStore) -> PolicyGuard[LivePassRole]:
        """Who may want it."""
        roles, state = tuple(self.roles), self.params["state"]
        return PassRoleGuard(store, self.role_guard, roles, state).check

    def _parse_roles(self) -> list[RoleReference]:
        if self.params.get("roles") is None:
            return [wanted_role(self.params, lambda: self.registration)]
        if not self.params["roles"]:
            raise InputError("roles is an empty list.", "Set at least one role.")
        roles = [parse_role(value, "roles") for value in self.params["roles"]]
        for role in roles:
            refuse_other_account(role, self.params.get("account_id"), "roles")
        return list(dict.fromkeys(roles))

    def _parse_profiles(self) -> list[str]:
        """The names of the profiles: by default those of the roles, and the one that is registered for
        the cloud with one of them.
        """
        given = self.params.get("instance_profiles")
        if given is None:
            own = [role.name for role in self.roles]
            return list(dict.fromkeys([*own, *self._registered_profiles()]))
        return list(dict.fromkeys(map(self._parse_profile, given)))

    def _parse_profile(self, value: str) -> str:
        """The name of a profile, which must be in the account of its roles."""
        arn = parse_arn(value)
        accounts = (self.params.get("account_id"), *(role.account_id for role in self.roles))
        account_id = next(filter(None, accounts), None)
        if arn is not None and account_id and arn.account_id != account_id:
            raise InputError(
                f"instance_profiles has {value}, which is not in account {account_id}.",
                "Set it to an instance profile of the account of the roles.",
            )
        return instance_profile_name_of(value) or parse_instance_profile(value, "instance_profiles")

    def _registered_profiles(self) -> list[str]:
        found = self._registered()
        registered = found[1] if found else None
        if registered is None or not registered.role_arn or not registered.instance_profile:
            return []
        name = instance_profile_name_of(registered.instance_profile)
        is_passed = role_name_of(registered.role_arn) in [role.name for role in self.roles]
        return [name] if name and is_passed else []

    def _parse_control_plane(self) -> RoleReference:
        account_id = self.params.get("account_id")
        given = self.params.get("control_plane_role")
        if given is not None:
            role = parse_role(given, "control_plane_role")
            refuse_other_account(role, account_id, "control_plane_role")
            return role
        if account_id:
            refuse_other_cloud(account_id, self.cloud_id, self.registration)
        registered = self.registration.control_plane_arn
        if not registered:
            raise RefusedError(
                f"No single control-plane role is registered for cloud {self.cloud_id} at Anyscale.",
                f"Set {option('control_plane_role')}.",
            )
        role = parse_role(registered, "The anyscale_iam_role_id of the cloud at Anyscale")
        refuse_other_account(role, account_id, f"The control-plane role of cloud {self.cloud_id}")
        return role


def _refuse_passing_itself(role_arn: str, control_plane_arn: str) -> None:
    """Raise if clusters would run with the control-plane role."""
    identities = [role_identity(account_of(arn), arn) for arn in (role_arn, control_plane_arn)]
    if identities[0] == identities[1]:
        raise RefusedError(
            f"{role_arn} is to be passed to clusters by itself: it is the control-plane role.",
            f"Set {option('roles', 'cloud_iam_role')} to the roles of the clusters.",
        )


def _arn_like(role_arn: str, kind: str, path: str, name: str) -> str:
    """The ARN of something in the account of a role."""
    return f"arn:{partition_of(role_arn)}:iam::{account_of(role_arn)}:{kind}{path}{name}"


def _fields_of(live: LiveRolePolicy) -> dict[str, t.Any]:
    return {field.name: getattr(live, field.name) for field in dataclasses.fields(live)}
