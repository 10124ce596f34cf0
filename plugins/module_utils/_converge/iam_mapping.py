# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules that are wanted of a Cloud IAM mapping, and the roles that they may name.

This module util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
    anyscale_client,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
    parse_cloud_id,
    parse_instance_profile,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    iam_mapping_plan,
    instance_profile_plan,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import converge
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_plan import (
    ABSENT,
    FALLBACK_RULES,
    MERGED,
    REPLACED,
    STATES,
    MappingPlan,
    Rule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_reconciler import (
    IamMappingReconciler,
    MappingPlanner,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_store import (
    IamMappingStore,
    LiveMapping,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.known import Known
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import (
    ConvergingModule,
    Options,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    live_role,
    refuse_other_account,
    refuse_other_cloud,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    RefusedError,
    TaskError,
    option,
)


class _RulesPlanner(MappingPlanner):
    """The rules that a module's options want.

    pending_profiles: the names of instance profiles that this run is about to create.
    """

    def __init__(self, module: IamMappingModule, pending_profiles: t.Collection[str]) -> None:
        self._module = module
        self._pending_profiles = pending_profiles
        self.replaces_all = module.wanted.state == REPLACED

    def plan(self, live: LiveMapping) -> MappingPlan:
        """Plan the rules in their order."""
        plan = iam_mapping_plan.decide(live.spec, self._module.wanted, live.kind)
        result = {**plan.result, "cloud_resource_id": live.resource_id or None}
        warnings = () if live.resource_id else (_gone(self._module.cloud_id),)
        return dataclasses.replace(plan, result=result, warnings=(*plan.warnings, *warnings))

    def guard(self, live: LiveMapping, plan: Plan) -> None:
        """The cloud must be in the account, and each role that is wanted must be one for clusters
        that EC2 can be told by name.
        """
        account_id = self._module.params.get("account_id")
        if account_id:
            refuse_other_cloud(account_id, self._module.cloud_id, live.registered)
        if self._module.wanted.state == ABSENT:
            return
        for rule in self._module.wanted.rules:
            try:
                self._check_role(rule, live)
            except TaskError as error:
                raise _in_rule(rule, error) from error

    def _check_role(self, rule: Rule, live: LiveMapping) -> None:
        iam = Iam(self._module.session)
        arn = live_role(iam, rule.role, self._module.params.get("account_id"))["Arn"]
        refuse_other_cloud(account_of(arn), self._module.cloud_id, live.registered)
        self._module.role_guard.check_for_clusters(arn)
        name = rule.role.name
        if name in self._pending_profiles:
            return
        profile = iam.instance_profile(name)
        if not instance_profile_plan.holds(profile, RoleReference(name)):
            held = instance_profile_plan.held_role(profile)
            what = (
                "there is none of this name" if profile is None else f"it contains {held or 'none'}"
            )
            raise RefusedError(
                f"Anyscale looks up the instance profile {name} of role {name}, and {what}.",
                "Create it with the module rayfleet.anyscale.iam_instance_profile."
                if held is None
                else "Name a role whose instance profile has the same name.",
            )


def _gone(cloud_id: str) -> str:
    return (
        f"Cloud {cloud_id} does not exist at Anyscale, or the token may not see it, so that no rule was "
        "removed."
    )


def _in_rule(rule: Rule, error: TaskError) -> TaskError:
    """An error about a role, for those who set it by a rule. It stays of its kind."""
    remedy = error.remedy.replace(option("role"), f"the role of {rule.where}")
    message = f"The {rule.where} ({rule.selector!r}): {error.message}"
    return type(error)(message, remedy, **error.details)


class IamMappingModule(ConvergingModule):
    """The module cloud_iam_mapping."""

    options: t.ClassVar[Options] = {
        "cloud_id": {"type": "str"},
        "cloud": {"type": "str"},
        "resource": {"type": "str"},
        "rules": {"type": "list", "elements": "dict", "required": True},
        "fallback_rule": {"type": "str", "choices": list(FALLBACK_RULES)},
        "position": {"type": "dict"},
        "pending_instance_profiles": {"type": "list", "elements": "str"},
        "allow_privileged": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": list(STATES), "default": MERGED},
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
        self.wanted = iam_mapping_plan.parse_wanted(params)
        for rule in self.wanted.rules:
            refuse_other_account(rule.role, params.get("account_id"), f"The role of {rule.where}")
        for name in params.get("pending_instance_profiles") or ():
            parse_instance_profile(name, "pending_instance_profiles")
        self.anyscale = anyscale_client(params)

    @property
    def roles(self) -> tuple[RoleReference, ...]:
        """The roles that the rules give clusters, each once."""
        return tuple({rule.role.name: rule.role for rule in self.wanted.rules}.values())

    def reconciler(
        self, store: IamMappingStore | None = None, pending_profiles: t.Collection[str] = ()
    ) -> IamMappingReconciler:
        """The mapping. ``pending_profiles``: the names of instance profiles that this run is about to
        create.
        """
        return IamMappingReconciler(
            store or self.store(self.anyscale),
            _RulesPlanner(self, pending_profiles),
            self.params.get("account_id") or "",
            self.clouds,
        )

    def store(self, client: AnyscaleClient) -> IamMappingStore:
        """Where the mapping is kept, read and written by this client."""
        resource = self.params.get("resource")
        is_absent = self.params["state"] == ABSENT
        return IamMappingStore(
            client, self.cloud_id, resource, lambda: self.registration, may_be_gone=is_absent
        )

    def result(self, check_mode: bool) -> dict[str, t.Any]:
        """Converge the mapping. Profiles that an earlier task creates are missing in check mode
        alone.
        """
        pending = self.params.get("pending_instance_profiles") or () if check_mode else ()
        return converge(self.reconciler(pending_profiles=pending), self.params, check_mode)

    @functools.cached_property
    def cloud_id(self) -> str:
        """The cloud's ID, asked of Anyscale if only its name is given."""
        if self.params.get("cloud_id"):
            return parse_cloud_id(self.params["cloud_id"])
        return str(self.anyscale.find_cloud(self.params["cloud"])["id"])

    @property
    def asks_anyscale(self) -> bool:
        """Whether Anyscale can be asked about the cloud: without it there is no mapping."""
        return True
