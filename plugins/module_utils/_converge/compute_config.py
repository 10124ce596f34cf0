# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ``compute_config_profile``: the instance profiles of a cloud's role and of its node
groups' roles, and the compute config that names them.

This module util is private to the collection.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    anyscale_client,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
    folded_role_name,
    parse_cloud_id,
    parse_instance_profile,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_plan import (
    ALL,
    NODE_GROUPS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_reconciler import (
    ComputeConfigReconciler,
    ComputeConfigStore,
    ConfigWant,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import (
    Journal,
    execute,
    result_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.instance_profile import (
    InstanceProfileReconciler,
    profile_of_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.known import Known
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import (
    ConvergingModule,
    Options,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    refuse_other_account,
    wanted_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    option,
)

_OF_GROUPS = "node_group_instance_profiles"
# How much of a node group's name a message shows.
_LONGEST_GROUP = 100


class ComputeConfigModule(ConvergingModule):
    """The module compute_config_profile: an instance profile, the compute config that names it,
    and a file with this compute config.
    """

    options: t.ClassVar[Options] = {
        "name": {"type": "str", "required": True},
        "cloud_id": {"type": "str"},
        "cloud": {"type": "str"},
        "role": {"type": "str", "aliases": ["role_arn", "role_name"]},
        "instance_profile": {"type": "str"},
        "create_instance_profile": {"type": "bool", "default": True},
        "allow_privileged": {"type": "bool", "default": False},
        "create_compute_config": {"type": "bool", "default": True},
        "arn_kind": {
            "type": "str",
            "choices": ["instance_profile", "role"],
            "default": "instance_profile",
        },
        "config": {"type": "dict"},
        "node_groups": {"type": "str", "choices": list(NODE_GROUPS), "default": ALL},
        "node_group_roles": {"type": "dict"},
        "dest": {"type": "path"},
        "publish": {"type": "bool", "default": True},
        "state": {
            "type": "str",
            "choices": ["present", "absent", "archived"],
            "default": "present",
        },
        **anyscale_argument_spec(),
    }
    rules: t.ClassVar[dict[str, t.Any]] = {
        "required_one_of": [["cloud_id", "cloud"]],
        "mutually_exclusive": [["cloud_id", "cloud"]],
    }

    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        connect: Connect = AwsSession,
        known: Known | None = None,
    ) -> None:
        super().__init__(params, connect, known)
        if params["state"] != "present" and not params["publish"]:
            raise InputError(
                f"publish is false, but state is {params['state']}.",
                "There would be nothing to do: omit publish.",
            )
        roles_of_groups(params)
        self.anyscale = anyscale_client(params) if params["publish"] else None

    def reconciler(self) -> ComputeConfigReconciler:
        """The compute config, once the instance profile exists."""
        nothing = Plan(None, None)
        return self.config_reconciler(nothing, roles=dict.fromkeys(self.group_roles, nothing))

    def result(self, check_mode: bool) -> dict[str, t.Any]:
        """Converge the instance profiles first: clusters could not start with a version that names
        an unusable one.
        """
        journal, nothing = Journal(), Plan(None, None)
        profiles = self._profile_reconcilers()
        lives = {role: profile.load() for role, profile in profiles.items()}
        plans = {role: profiles[role].checked(live) for role, live in lives.items()}
        config = self.config_reconciler(plans.get(None, nothing), roles=_named(plans))
        live = config.load()
        config_plan = config.checked(live)
        for role, profile in profiles.items():
            plans[role] = execute(
                profile, lives[role], plans[role], self.params, check_mode, journal
            )
        config_plan = execute(config, live, config_plan, self.params, check_mode, journal)
        return result_of(config, live.resource, self._together(plans, config_plan))

    def _profile_reconcilers(self) -> dict[str | None, InstanceProfileReconciler]:
        """Those of the cloud's role (``None``) and of each role of a node group, which has the role's
        name.
        """
        if self.params["state"] == "archived":
            return {}
        found: dict[str | None, InstanceProfileReconciler] = {
            None: profile_of_role(self, self.role, self.profile_name, accept_registered=True)
        }
        for name, role in self.group_roles.items():
            found[name] = profile_of_role(self, role, role.name)
        return found

    @functools.cached_property
    def group_roles(self) -> dict[str, RoleReference]:
        """The roles of node groups other than the cloud's role, each by its folded name."""
        found = {
            folded_role_name(role.name): role for role in roles_of_groups(self.params).values()
        }
        own = folded_role_name(self.role.name) if found else ""
        return {name: role for name, role in found.items() if name != own}

    def config_reconciler(
        self,
        profile: Plan,
        store: ComputeConfigStore | None = None,
        roles: t.Mapping[str, Plan] | None = None,
    ) -> ComputeConfigReconciler:
        """The compute config with the ARN that the plan of the instance profile leads to.

        roles: the plan of the instance profile of each of the ``group_roles``.
        """
        name, arn, roles = self.params["name"], self._arn_to_write(profile), roles or {}
        of_groups = {} if self.params["state"] == "archived" else self._of_groups(profile, roles)
        if store is None and self.anyscale is not None:
            store = ComputeConfigStore(
                self.anyscale, name, self.cloud_id, lambda: self.registration
            )
        want = ConfigWant(
            name,
            self.cloud_id,
            arn,
            self.params.get("config"),
            self.params["state"],
            self.params.get("dest"),
            self.params["create_compute_config"],
            self.params.get("cloud"),
            self.params.get("account_id") or (account_of(arn) if arn else ""),
            self.params["node_groups"],
            {group: self._arn_to_write(plan) for group, plan in of_groups.items()},
        )

        def check_role() -> None:
            if want.account_id:
                self.role_guard.check_account(want.account_id)
            if want.state == "present":
                for plan in (profile, *roles.values()):
                    self.role_guard.check_for_clusters(plan.after["role_arn"])

        return ComputeConfigReconciler(want, store, self.clouds, check_role)

    def _of_groups(self, profile: Plan, roles: t.Mapping[str, Plan]) -> dict[str, Plan]:
        """The plan of the instance profile of each named node group: that of its role, else that of
        the cloud's role.
        """
        names = {
            group: folded_role_name(role.name)
            for group, role in roles_of_groups(self.params).items()
        }
        return {
            group: roles[name] if name in self.group_roles else profile
            for group, name in names.items()
        }

    def _arn_to_write(self, profile: Plan) -> str:
        """The ARN that the compute config is to contain, from the plan of the profile."""
        if self.params["arn_kind"] == "role" and profile.after:
            return str(profile.after["role_arn"])
        return str(profile.result.get("instance_profile_arn", ""))

    def _together(self, profiles: t.Mapping[str | None, Plan], config: Plan) -> Plan:
        """The plans of the profiles and of the compute config, as one."""
        own, others = profiles.get(None, Plan(None, None)), _named(profiles)
        plans = (own, *others.values(), config)
        # That of the compute config alone: those of instance profiles are not restored.
        result = {**own.result, **config.result}
        if not config.changed:
            result.pop("backup_file", None)
        of_groups = self._of_groups(own, others) if profiles else {}
        if of_groups:
            result[_OF_GROUPS] = {
                group: plan.result["instance_profile_arn"] for group, plan in of_groups.items()
            }
        before, after = (
            {
                "instance_profile": getattr(own, side),
                **({_OF_GROUPS: _sides(others, side)} if others else {}),
                **getattr(config, side),
            }
            for side in ("before", "after")
        )
        return Plan(
            before=before,
            after=after,
            reasons=tuple(dict.fromkeys(reason for plan in plans for reason in plan.reasons)),
            warnings=tuple(warning for plan in plans for warning in plan.warnings),
            result=result,
        )

    @functools.cached_property
    def cloud_id(self) -> str:
        """The cloud's ID, asked of Anyscale if only its name is given."""
        if self.params.get("cloud_id"):
            return parse_cloud_id(self.params["cloud_id"])
        return self.anyscale.find_cloud(self.params["cloud"])["id"] if self.anyscale else ""

    @functools.cached_property
    def profile_name(self) -> str:
        """The name of the instance profile: if not set, that of the role."""
        return parse_instance_profile(self.params.get("instance_profile") or self.role.name)

    @functools.cached_property
    def role(self) -> RoleReference:
        """The role that the instance profile contains."""
        if self.params.get("role") is None and not self.cloud_id:
            raise InputError(
                "role is not set, and without cloud_id there is no default role.",
                f"Set {option('role')} or {option('cloud_id')}.",
            )
        params = {**self.params, "cloud_id": self.cloud_id}
        return wanted_role(params, lambda: self.registration)

    @property
    def asks_anyscale(self) -> bool:
        """Whether Anyscale can be asked about the cloud."""
        return self.params["publish"] and super().asks_anyscale


def roles_of_groups(params: t.Mapping[str, t.Any]) -> dict[str, RoleReference]:
    """The roles of the node groups that node_group_roles names. Raises for one that is no role, or
    is in another account than the cloud's.
    """
    roles = {}
    for group, text in (params.get("node_group_roles") or {}).items():
        place = f"{option('node_group_roles')}, for {str(group)[:_LONGEST_GROUP]!r},"
        if not isinstance(group, str) or not isinstance(text, str):
            raise InputError(f"{place} is no text.", "Set it to the name or ARN of a role.")
        roles[group] = parse_role(text, place)
        refuse_other_account(roles[group], params.get("account_id"), place)
    return roles


def _named(plans: t.Mapping[str | None, Plan]) -> dict[str, Plan]:
    """The plans of the node groups' roles."""
    return {role: plan for role, plan in plans.items() if role is not None}


def _sides(plans: t.Mapping[str, Plan], side: str) -> dict[str, t.Any]:
    """The instance profiles of roles, ``before`` or ``after``."""
    return {role: getattr(plan, side) for role, plan in plans.items()}
