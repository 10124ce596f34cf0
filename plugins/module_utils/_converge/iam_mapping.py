# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge the Cloud IAM mapping of a cloud resource, which has other writers.

This module util is private to the collection. The API replaces the config of the resource as a whole,
and has no version of it. So it is read again right before each write, a write whose outcome is
unknown is looked for instead of sent again, and what was written is read back.
"""

from __future__ import annotations

import abc
import dataclasses
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.answer import (
    HIBERNATED,
    NO_ANSWER,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
    anyscale_client,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
    read_registration,
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
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_observed import (
    other_kind,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import converge
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_plan import (
    ABSENT,
    FALLBACK_RULES,
    MERGED,
    REPLACED,
    RULES,
    STATES,
    MappingPlan,
    Rule,
    mapping_of,
    rules_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.known import Known
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import (
    ConvergingModule,
    Options,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    NOT_SAVED,
    Live,
    Reconciler,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    live_role,
    refuse_other_account,
    refuse_other_cloud,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    ConflictError,
    InputError,
    RefusedError,
    TaskError,
    option,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    IAM_MAPPING,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import (
    SYSTEM_CLOCK,
    Clock,
    backoff,
)

_BUSY_SECONDS = 60.0
_LONGEST_PAUSE = 16.0
_VISIBLE_SECONDS = 30.0
# Each may last as long as a call waits for its answer.
_UNANSWERED_WRITES = 4
_FORBIDDEN, _NOT_FOUND, _CONFLICT, _TOO_MANY = 403, 404, 409, 429
_OWNER = "owner"
_OWNERS_ONLY = "Set anyscale_token to that of an owner of the organization."

JsonObject = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class LiveMapping(Live):
    """The config of a cloud resource, which contains the mapping.

    resource_id: empty if there is no such cloud. kind: what the service needs to be told of the
    resource in each config. registered: what is registered for this resource alone: each may be in
    an account of its own.
    """

    resource_id: str
    spec: JsonObject
    kind: t.Mapping[str, str]
    registered: Registration


class IamMappingStore:
    """Where the mapping of a cloud resource is kept.

    resource: the name or ID of the resource; ``None`` for the primary one of the cloud. may_be_gone:
    a cloud that does not exist has no mapping, and is no error.
    """

    def __init__(
        self,
        client: AnyscaleClient,
        cloud_id: str,
        resource: str | None,
        registration: t.Callable[[], Registration] | None = None,
        *,
        may_be_gone: bool = False,
    ) -> None:
        self.cloud_id = cloud_id
        self._client = client
        self._named = resource
        self._registration = registration or (lambda: read_registration(client, cloud_id))
        self._may_be_gone = may_be_gone

    def load(self) -> LiveMapping:
        """Read the config of the resource."""
        try:
            return self._load()
        except AnyscaleError as error:
            if not self._may_be_gone or error.status != _NOT_FOUND:
                raise
        named = f"Cloud IAM mapping of cloud {self.cloud_id}"
        return LiveMapping(named, "", {}, {}, Registration())

    def _load(self) -> LiveMapping:
        resource = self._resource
        resource_id = _id_of(resource)
        spec = self._client.deployment_config(self.cloud_id, resource_id)
        kind = {
            "cloud_provider": str(resource.get("provider")),
            "compute_stack": str(resource.get("compute_stack") or "VM"),
        }
        target = {"cloud_id": self.cloud_id, "resource_id": resource_id}
        named = Backup(IAM_MAPPING, target, "", None, None).resource
        return LiveMapping(named, resource_id, spec, kind, Registration(resources=(resource,)))

    def write(self, live: LiveMapping, spec: JsonObject) -> None:
        """Replace the config of the resource."""
        try:
            self._client.put_deployment_config(self.cloud_id, live.resource_id, spec)
        except AnyscaleError as error:
            remedy = _OWNERS_ONLY if error.status == _FORBIDDEN else error.remedy
            raise AnyscaleError(
                error.message, remedy or f"Check {RULES}.", **error.details
            ) from error

    def refuse_others_than_owners(self) -> None:
        """Raise if the token's user may not write the mapping. Where the service does not say what
        the user is, the write shows it.
        """
        level = self._client.permission_level()
        if level not in (None, "unspecified", _OWNER):
            raise RefusedError(
                f"The token's user is {level} of the Anyscale organization, and only an owner may "
                "change a Cloud IAM mapping.",
                _OWNERS_ONLY,
            )

    @functools.cached_property
    def _resource(self) -> JsonObject:
        """The resource, of this cloud: the API would also write that of another one."""
        registration = self._registration()
        known = [resource for resource in registration.resources if _id_of(resource)]
        if self._named is None:
            found = registration.primary
            if found is None or not _id_of(found):
                raise RefusedError(
                    f"Cloud {self.cloud_id} has {len(registration.primaries)} primary resources at "
                    "Anyscale; there must be exactly one.",
                    f"Set {_RESOURCE} to one of {_names(known)}.",
                )
        else:
            named = [one for one in known if self._named in (one.get("name"), _id_of(one))]
            if len(named) != 1:
                raise InputError(
                    f"{_RESOURCE} is {self._named!r}, which is not a resource of cloud "
                    f"{self.cloud_id}.",
                    f"Its resources are {_names(known)}.",
                )
            found = named[0]
        if kind := other_kind(found):
            raise RefusedError(
                f"The Cloud IAM mapping of cloud {self.cloud_id} is not for IAM roles: {kind}.",
                f"Set {_RESOURCE} to a resource with AWS virtual machines, or remove this cloud "
                "from the hosts.",
            )
        return found


_RESOURCE = option("resource", "cloud_iam_mapping_resource")


def _id_of(resource: t.Mapping[str, t.Any]) -> str:
    return str(resource.get("cloud_resource_id") or resource.get("cloud_deployment_id") or "")


def _names(resources: t.Sequence[t.Mapping[str, t.Any]]) -> str:
    return ", ".join(f"{one.get('name')} ({_id_of(one)})" for one in resources) or "none"


class MappingPlanner(abc.ABC):
    """What is wanted of a mapping. ``replaces_all``: rules that it does not know are removed."""

    replaces_all: bool = False

    @abc.abstractmethod
    def plan(self, live: LiveMapping) -> MappingPlan:
        """Plan the mapping. Pure."""

    @abc.abstractmethod
    def guard(self, live: LiveMapping, plan: Plan) -> None:
        """Raise if the change is not permitted."""


class IamMappingReconciler(Reconciler[LiveMapping]):
    """A Cloud IAM mapping, and what is wanted of it."""

    def __init__(
        self,
        store: IamMappingStore,
        planner: MappingPlanner,
        account_id: str = "",
        clouds: t.Iterable[str] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``account_id``: of the roles, for the backup; if it is not known, the one of the
        resource.
        """
        self._store = store
        self._planner = planner
        self._account_id = account_id
        self._clock = clock
        self.clouds = tuple(clouds) or (store.cloud_id,)

    def load(self) -> LiveMapping:
        """Read the config of the resource."""
        return self._store.load()

    def plan(self, live: LiveMapping) -> MappingPlan:
        """Plan the mapping."""
        return self._planner.plan(live)

    def guard(self, live: LiveMapping, plan: Plan) -> None:
        """As the planner permits it, and for owners alone."""
        self._planner.guard(live, plan)
        self._store.refuse_others_than_owners()

    def backup(self, live: LiveMapping, plan: Plan) -> Backup:
        """The whole config that a plan replaces."""
        target = {"cloud_id": self._store.cloud_id, "resource_id": live.resource_id}
        after = t.cast(MappingPlan, plan).spec
        account_id = self._account_id or "".join(live.registered.accounts)
        return Backup(IAM_MAPPING, target, account_id, live.spec, after, self.clouds)

    def save(self, live: LiveMapping, plan: Plan, written: list[str]) -> Saved:
        """Write the config, unless it is not the one any more that was planned from. Retry while the
        service cannot write it, and if it is unknown whether it did.
        """
        refusals: list[AnyscaleError] = []
        for _attempt in self._pauses(_BUSY_SECONDS, first=0.2, longest=_LONGEST_PAUSE):
            now = self._load_again(refusals)
            if now.spec != live.spec:
                return _uncertain(now, t.cast(MappingPlan, plan), refusals, written)
            try:
                self._store.write(live, t.cast(MappingPlan, plan).spec)
                written.append(live.resource)
                return Saved()
            except AnyscaleError as error:
                if not _is_transient(error):
                    raise
                refusals.append(error)
            if [error.status for error in refusals].count(NO_ANSWER) == _UNANSWERED_WRITES:
                break
        now = self._load_again(refusals)
        if now.spec != live.spec:
            return _uncertain(now, t.cast(MappingPlan, plan), refusals, written)
        raise refusals[-1]

    def read_back(
        self, live: LiveMapping, plan: Plan, saved: Saved
    ) -> tuple[LiveMapping, MappingPlan]:
        """Read until the write is visible. If the mapping has changed in another way, plan again
        from it.
        """
        written = t.cast(MappingPlan, plan)
        for _attempt in self._pauses(_VISIBLE_SECONDS):
            now = self.load()
            if mapping_of(now.spec) == plan.after:
                return now, dataclasses.replace(written, reasons=(), warnings=())
            if mapping_of(now.spec) != plan.before:
                break
        again = self._plan_again(live, written, saved, now)
        if again.changed:
            self.guard(now, again)
        return now, again

    def _plan_again(
        self, before: LiveMapping, written: MappingPlan, saved: Saved, now: LiveMapping
    ) -> MappingPlan:
        """Plan on what another writer left. Rules that this writer removed stay removed, with a
        warning. What would end in two writers who undo each other's changes is an error.
        """
        again = self.plan(now)
        seen, found = rules_of(before.spec), rules_of(now.spec)
        known = [*seen, *rules_of(written.spec)]
        is_replaced = saved.is_written and bool(seen) and not any(rule in found for rule in seen)
        would_remove = self._planner.replaces_all and any(rule not in known for rule in found)
        if again.changed and (is_replaced or would_remove):
            raise ConflictError(
                f"Another writer changed the {now.resource} while this task did. It was left as it "
                "is now.",
                "Compare error.found with error.expected, and find the other writer. If the mapping "
                "is as it should be, run again, which starts from it as it is now.",
                expected=written.after,
                found=mapping_of(now.spec),
            )
        kept = [rule for rule in seen if rule in rules_of(written.spec)]
        removed = [rule for rule in kept if rule not in found]
        if not removed or (again.changed and not saved.may_be_written):
            return again
        names = ", ".join(f"{rule.get('selector')!r}" for rule in removed)
        warning = f"While this task ran, another writer removed or changed the rules {names}."
        return dataclasses.replace(again, warnings=(*again.warnings, warning))

    def _load_again(self, refusals: t.Sequence[AnyscaleError]) -> LiveMapping:
        """The config right before a write. If reading fails, the error that caused the retry is
        raised.
        """
        try:
            return self.load()
        except TaskError as error:
            if not refusals:
                raise
            raise refusals[-1] from error

    def _pauses(self, seconds: float, **bounds: float) -> t.Iterator[int]:
        return backoff(seconds, clock=self._clock, **bounds)


def _is_transient(error: AnyscaleError) -> bool:
    """Whether the same write may succeed later, or may have taken effect."""
    return error.status in (_CONFLICT, _TOO_MANY) or _is_outcome_unknown(error)


def _is_outcome_unknown(error: AnyscaleError) -> bool:
    """Whether a write may have taken effect. The service also fails after it has written: it then
    could not tell all machine pools.
    """
    return error.status < 300 or 500 <= error.status < HIBERNATED


def _uncertain(
    now: LiveMapping, plan: MappingPlan, refusals: t.Sequence[AnyscaleError], written: list[str]
) -> Saved:
    """The outcome if the config is not the one any more that was planned from: if it is the wanted
    one, a write of unknown outcome took effect.
    """
    if not any(map(_is_outcome_unknown, refusals)):
        return NOT_SAVED
    is_visible = mapping_of(now.spec) == plan.after
    written.append(now.resource if is_visible else f"{now.resource} (possibly)")
    return Saved(is_written=is_visible)


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
