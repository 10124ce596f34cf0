# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge the instance profile of a role. It is created, and never deleted or given another role.
Where the registered one of the cloud holds the role, it is used, and none is created.

This module util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
    instance_profile_name_of,
    parse_instance_profile,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    instance_profile_plan,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import (
    ConvergingModule,
    Options,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_guard import (
    RoleGuard,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    live_role,
    refuse_caller,
    wanted_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.written import (
    write_repeatedly,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    UnsettledError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    INSTANCE_PROFILE,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import (
    SYSTEM_CLOCK,
    Clock,
    backoff,
)

_USABLE_SECONDS = 60.0


@dataclasses.dataclass(frozen=True)
class LiveProfile(Live):
    """The profile as ``GetInstanceProfile`` returns it, ``None`` if there is none; and the ARN of
    the wanted role, if the profile does not say it.
    """

    profile: t.Mapping[str, t.Any] | None
    role_arn: str | None = None


class InstanceProfileReconciler(Reconciler[LiveProfile]):
    """An instance profile that contains the role. With ``state`` absent it is only read, since
    other clouds may use it.

    registered: the ARN of the profile that is registered for the cloud, if any. It is asked for if
    the profile of the name does not contain the role.
    """

    def __init__(
        self,
        iam: Iam,
        name: str,
        role: RoleReference,
        account_id: str | None,
        role_guard: RoleGuard,
        *,
        state: str = "present",
        may_create: bool = True,
        registered: t.Callable[[], str | None] = lambda: None,
        clouds: t.Iterable[str] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.name = name
        self.role = role
        self._iam = iam
        self._account_id = account_id
        self._role_guard = role_guard
        self._state = state
        self._may_create = may_create
        self._registered = registered
        self.clouds = tuple(clouds)
        self._clock = clock

    def load(self) -> LiveProfile:
        """Read the profile. IAM is asked for the role only if the profile does not contain it."""
        profile = self._iam.instance_profile(self.name)
        if not instance_profile_plan.holds(profile, self.role):
            profile = self._registered_profile() or profile
        role_arn = self._role_arn(profile)
        name = profile["InstanceProfileName"] if profile else self.name
        # The same lock for all that write to it, however they name the role and the account.
        account_id = account_of(profile["Arn"] if profile else str(role_arn))
        return LiveProfile(f"instance profile {name} in account {account_id}", profile, role_arn)

    def plan(self, live: LiveProfile) -> Plan:
        """Plan the profile. Its ARN is in the result, even if the profile does not exist yet."""
        plan = self._unchanged(live) if self._state == "absent" else self._present(live)
        account_id, named_by = self._account_id, None if self._account_id else self.role
        if live.profile is not None or self._state == "present":
            wanted = account_id or self.role.account_id
            if wanted:
                refuse_caller(account_of(plan.result["instance_profile_arn"]), wanted, named_by)
        return plan

    def guard(self, live: LiveProfile, plan: Plan) -> None:
        """Clusters run with the role that is added."""
        self._role_guard.check_for_clusters(plan.after["role_arn"])

    def backup(self, live: LiveProfile, plan: Plan) -> Backup:
        """The record of a profile that is created or gets its role, which no rollback takes back, but
        tells.
        """
        arn = plan.after["arn"]
        target = {"instance_profile_arn": arn}
        return Backup(
            INSTANCE_PROFILE, target, account_of(arn), plan.before, plan.after, self.clouds
        )

    def save(self, live: LiveProfile, plan: Plan, written: list[str]) -> Saved:
        """Create the profile, and put the role into it."""
        if plan.before is None:
            path = "/" + plan.after["arn"].partition("/")[2].removesuffix(self.name)
            write_repeatedly(
                lambda: self._iam.create_instance_profile(self.name, path),
                f"instance profile {self.name}",
                written,
                self._clock,
            )
        what = f"role {self.role.name} in instance profile {self.name}"
        is_new = plan.before is None
        write_repeatedly(lambda: self._add_role(is_new), what, written, self._clock)
        return Saved()

    def read_back(self, live: LiveProfile, plan: Plan, saved: Saved) -> tuple[LiveProfile, Plan]:
        """Read until the profile contains the role: clusters could not start with one that does
        not.
        """
        for _attempt in backoff(_USABLE_SECONDS, clock=self._clock):
            if self._is_usable():
                return live, dataclasses.replace(plan, reasons=())
        raise UnsettledError(
            f"Instance profile {self.name} still does not contain its role after "
            f"{_USABLE_SECONDS:.0f} s.",
            "Run again.",
        )

    def _registered_profile(self) -> dict[str, t.Any] | None:
        """The profile that is registered for the cloud, if it contains the role."""
        arn = self._registered()
        name = instance_profile_name_of(arn) if arn else ""
        found = self._iam.instance_profile(name) if name else None
        is_right = found and found["Arn"] == arn and instance_profile_plan.holds(found, self.role)
        return found if is_right else None

    def _add_role(self, is_new: bool) -> None:
        """Put the role into the profile. One that was just created may not be known everywhere yet."""
        refusals: list[AwsError] = []
        for _attempt in backoff(_USABLE_SECONDS, clock=self._clock):
            try:
                self._iam.add_role_to_instance_profile(self.role.name, self.name)
                return
            except AwsError as error:
                # The response to an earlier attempt was lost, or a task for another cloud was
                # faster: then the profile contains the role.
                if error.code == "LimitExceeded" and self._is_usable():
                    return
                refusals.append(error)
                if not is_new or error.code != "NoSuchEntity":
                    break
        raise refusals[-1]

    def _is_usable(self) -> bool:
        return instance_profile_plan.holds(self._iam.instance_profile(self.name), self.role)

    def _role_arn(self, profile: t.Mapping[str, t.Any] | None) -> str | None:
        """The ARN of the wanted role; ``None`` if a profile that is needed says it."""
        if self._state == "absent" and (profile is not None or self.role.arn is not None):
            return str(self.role)
        if self._state == "present" and instance_profile_plan.holds(profile, self.role):
            return None
        return self._live_role_arn()

    def _live_role_arn(self) -> str:
        return str(live_role(self._iam, self.role, self._account_id)["Arn"])

    def _present(self, live: LiveProfile) -> Plan:
        return instance_profile_plan.decide(
            live.profile, self.name, self.role, live.role_arn, self._may_create
        )

    def _unchanged(self, live: LiveProfile) -> Plan:
        if live.profile is None:
            arn = instance_profile_plan.new_arn(self.name, live.role_arn or "")
            return Plan(None, None, result={"instance_profile_arn": arn})
        arn = live.profile["Arn"]
        held = instance_profile_plan.held_role(live.profile)
        name = live.profile["InstanceProfileName"]
        document = {"name": name, "arn": arn, "role_arn": held}
        return Plan(document, document, result={"instance_profile_arn": arn})


def profile_of_role(
    module: ConvergingModule, role: RoleReference, name: str, *, accept_registered: bool = False
) -> InstanceProfileReconciler:
    """The instance profile of a role, with what the options of a module say of it."""
    return InstanceProfileReconciler(
        Iam(module.session),
        name,
        role,
        module.params.get("account_id"),
        module.role_guard,
        state=module.params["state"],
        may_create=module.params["create_instance_profile"],
        registered=module.registered_profile if accept_registered else lambda: None,
        clouds=module.clouds,
    )


class InstanceProfileModule(ConvergingModule):
    """The module iam_instance_profile."""

    options: t.ClassVar[Options] = {
        "role": {"type": "str", "aliases": ["role_arn", "role_name"]},
        "cloud_id": {"type": "str"},
        "instance_profile": {"type": "str"},
        "accept_registered": {"type": "bool", "default": False},
        "create_instance_profile": {"type": "bool", "default": True},
        "allow_privileged": {"type": "bool", "default": False},
        "state": {"type": "str", "choices": ["present"], "default": "present"},
        **anyscale_argument_spec(),
    }
    rules: t.ClassVar[dict[str, t.Any]] = {"required_one_of": [["role", "cloud_id"]]}

    def reconciler(self) -> InstanceProfileReconciler:
        """The instance profile of the role. Where the registered one is accepted, that takes its place
        if it contains the role.
        """
        is_accepted = self.params.get("accept_registered", False)
        return profile_of_role(self, self.role, self.profile_name, accept_registered=is_accepted)

    @functools.cached_property
    def profile_name(self) -> str:
        """The name of the instance profile: if not set, that of the role."""
        return parse_instance_profile(self.params.get("instance_profile") or self.role.name)

    @functools.cached_property
    def role(self) -> RoleReference:
        """The role that the instance profile contains."""
        return wanted_role(self.params, lambda: self.registration)
