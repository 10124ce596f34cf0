# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge the access of roles to a bucket, by the bucket's policy or by their own policies, for the
module ``s3_cloud_access``.

This module util is private to the collection.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
    parse_bucket,
    parse_policy_arn,
    parse_policy_name,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_policy import (
    BucketGuard,
    BucketPlanner,
    BucketPolicyStore,
    LiveBucketPolicy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_stages import (
    ATTACHMENT_STAGE,
    BUCKET_STAGE,
    EITHER,
    GRANTS,
    PROPAGATION_SECONDS,
    ROLE_POLICY_STAGE,
    Stage,
    stages,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    PRESETS,
    SID,
    OfBucket,
)
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
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_attachment import (
    BucketAttachmentReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_bucket_access import (
    BucketGrantPlanner,
    BucketWant,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_policy import (
    LiveRolePolicy,
    RevokingPlanner,
    RolePolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    refuse_other_account,
    wanted_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.sequence import (
    Step,
    converge_in_order,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, option

_ACTION = re.compile(r"s3:[A-Za-z]+\Z")
_WILDCARDS = frozenset("*?$")
_LONGEST_KEY = 1024
# Why a role's own policies lose what is ours, by the state that is wanted.
_WHY_IT_GOES = {"absent": "access_present", "present": "access_in_role_policy"}
# What the result says of a role's inline policy.
_OF_ROLE_POLICY = ("policy_name", "role_policy", "previous")

Json = dict[str, t.Any]


class BucketAccessModule(ConvergingModule):
    """The module s3_cloud_access."""

    options: t.ClassVar[Options] = {
        "bucket": {"type": "str", "required": True},
        "roles": {"type": "list", "elements": "str"},
        "cloud_id": {"type": "str"},
        "grant": {"type": "str", "choices": list(GRANTS), "default": EITHER},
        "policy_name": {"type": "str", "default": SID},
        "policy_arn": {"type": "str"},
        "prefix": {"type": "str"},
        "preset": {"type": "str", "choices": list(PRESETS), "default": "all"},
        "actions": {"type": "list", "elements": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "prune_dangling_principals": {"type": "bool", "default": False},
        **anyscale_argument_spec(),
    }
    rules: t.ClassVar[dict[str, t.Any]] = {
        "required_one_of": [["roles", "cloud_id"]],
        "mutually_exclusive": [["actions", "preset"]],
    }

    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        connect: Connect = AwsSession,
        known: Known | None = None,
    ) -> None:
        super().__init__(params, connect, known)
        self.bucket = parse_bucket(params["bucket"])
        self.roles = _wanted_roles(params, lambda: self.registration)
        name = params.get("policy_name")
        self.policy_name = SID if name is None else parse_policy_name(name)
        self.policy_arn = _parse_policy_arn(params, self.roles)
        self._want = BucketWant(
            self.bucket, _parse_actions(params), parse_prefix(params.get("prefix"))
        )

    @property
    def stages(self) -> tuple[Stage, ...]:
        """What is converged, in order."""
        grant = self.params.get("grant") or EITHER
        return stages(grant, self.params["state"], self.policy_arn is not None)

    def result(self, check_mode: bool) -> Json:
        """Converge each stage, for all roles."""
        steps = [
            Step(reconciler, stage.takes_away)
            for stage in self.stages
            for reconciler in self._reconcilers(stage)
        ]
        found = converge_in_order(steps, self.params, check_mode, PROPAGATION_SECONDS)
        return _merged(found, [stage.resource for stage in self.stages], len(self.roles))

    def reconciler(self) -> PolicyReconciler[LiveBucketPolicy]:
        """The policy of the bucket."""
        planner = self.planner(self.store(self.roles))
        return PolicyReconciler(planner.store, [planner], [self.guard(planner)], self.clouds)

    def store(
        self, roles: t.Sequence[RoleReference], existing: t.Collection[RoleReference] = ()
    ) -> BucketPolicyStore:
        """The policy of the bucket, for these roles, of which some are known to exist."""
        return BucketPolicyStore(
            self.session,
            self.bucket,
            roles,
            self.params.get("account_id"),
            must_exist=self.params["state"] == "present",
            existing=existing,
        )

    def planner(self, store: BucketPolicyStore) -> BucketPlanner:
        """What the parameters want of the bucket's policy."""
        state = self._state_of(BUCKET_STAGE)
        planner = BucketPlanner(
            store,
            tuple(self.roles),
            str(state),
            self._want.actions,
            self.params["prune_dangling_principals"],
            self._want.prefix,
            counts_own=state == "absent" or self.params.get("grant") == EITHER,
            policy_name=self.policy_name,
            policy_arn=self.policy_arn or "",
        )
        store.serve(planner)
        return planner

    def guard(self, planner: BucketPlanner) -> PolicyGuard[LiveBucketPolicy]:
        """Who may want it."""
        return BucketGuard(planner, self.role_guard).check

    def role_policy_reconciler(
        self, role: RoleReference
    ) -> PolicyReconciler[LiveRolePolicy] | None:
        """The inline policy of a role; ``None`` where the parameters want nothing of it."""
        planner = self.role_policy_planner()
        if planner is None:
            return None
        store = self.role_policy_store(role)
        return PolicyReconciler(store, [planner], [self.role_policy_guard], self.clouds)

    def role_policy_store(self, role: RoleReference) -> RolePolicyStore:
        """The inline policy of a role."""
        return RolePolicyStore(
            Iam(self.session),
            role,
            self.policy_name,
            self.params.get("account_id"),
            reads_own=self._state_of(ROLE_POLICY_STAGE) == "present",
        )

    def role_policy_planner(self) -> PolicyPlanner[LiveRolePolicy] | None:
        """What the parameters want of an inline policy, if anything."""
        state = self._state_of(ROLE_POLICY_STAGE)
        if state is None:
            return None
        if state == "present":
            return BucketGrantPlanner(self._want)
        return RevokingPlanner(
            SID, OfBucket(self.bucket), reason=_WHY_IT_GOES[self.params["state"]]
        )

    def role_policy_guard(self, live: LiveRolePolicy, _plan: Plan) -> None:
        """Raise unless the role may be changed; to grant it something, it must be for clusters."""
        if self._state_of(ROLE_POLICY_STAGE) == "present":
            self.role_guard.check(live.role_arn)
        else:
            self.role_guard.check_change(live.role_arn)

    def attachment_reconciler(self, role: RoleReference) -> BucketAttachmentReconciler | None:
        """The managed policy and a role; ``None`` where the parameters want nothing of them."""
        state = self._state_of(ATTACHMENT_STAGE)
        if state is None or self.policy_arn is None:
            return None
        is_present = self.attaches_policy
        return BucketAttachmentReconciler(
            Iam(self.session),
            role,
            self.policy_arn,
            self.params.get("account_id"),
            self._want if is_present else None,
            self.role_guard,
            reason="access_missing" if is_present else _WHY_IT_GOES[self.params["state"]],
            clouds=self.clouds,
        )

    @property
    def attaches_policy(self) -> bool:
        """Whether the managed policy is to be attached; else it is to be detached."""
        return self._state_of(ATTACHMENT_STAGE) == "present"

    def _reconcilers(self, stage: Stage) -> t.Iterator[Reconciler[t.Any]]:
        """The reconcilers of a stage."""
        if stage.resource == BUCKET_STAGE:
            yield self.reconciler()
            return
        for role in self.roles:
            found: Reconciler[t.Any] | None = (
                self.role_policy_reconciler(role)
                if stage.resource == ROLE_POLICY_STAGE
                else self.attachment_reconciler(role)
            )
            if found is not None:
                yield found

    def _state_of(self, resource: str) -> str | None:
        """What is wanted of a kind of resource; ``None`` for nothing."""
        return next((stage.state for stage in self.stages if stage.resource == resource), None)


def _merged(results: t.Sequence[Json], resources: t.Sequence[str], roles: int) -> Json:
    """The result of all stages: that of the bucket's policy, with what the others add to it."""
    by_kind: dict[str, list[Json]] = {}
    rest = list(results)
    for resource in resources:
        number = 1 if resource == BUCKET_STAGE else roles
        by_kind[resource], rest = rest[:number], rest[number:]
    (bucket,) = by_kind[BUCKET_STAGE]
    merged = {
        **bucket,
        "granted_by": _granted_by([bucket, *results]),
        "changed": any(result["changed"] for result in results),
        "reasons": list(dict.fromkeys(code for one in results for code in one["reasons"])),
        "warnings": list(dict.fromkeys(text for one in results for text in one["warnings"])),
        "diff": _diff_of(bucket, [result for result in results if result["changed"]]),
    }
    if merged["changed"]:
        merged["previous"] = bucket.get("previous") if bucket["changed"] else bucket["policy"]
    files = [result["backup_file"] for result in results if "backup_file" in result]
    if files:
        merged |= {"backup_file": files[-1], "backup_files": list(dict.fromkeys(files))}
    if policies := by_kind.get(ROLE_POLICY_STAGE):
        merged["role_policies"] = {
            one["role_arn"]: {name: one[name] for name in _OF_ROLE_POLICY if name in one}
            for one in policies
        }
    if attachments := by_kind.get(ATTACHMENT_STAGE):
        merged["attached"] = {one["role_arn"]: one["attached"] for one in attachments}
    return merged


def _granted_by(results: t.Iterable[Json]) -> dict[str, list[str]]:
    """For each role, what grants it access by either way."""
    found: dict[str, dict[str, None]] = {}
    for result in results:
        for role, names in result.get("granted_by", {}).items():
            found.setdefault(role, {}).update(dict.fromkeys(names))
    return {role: list(names) for role, names in found.items()}


def _diff_of(bucket: Json, changed: t.Sequence[Json]) -> Json | list[Json]:
    """The diff of the resource that changed; of several, a list, in which each document is compared
    with itself.
    """
    if len(changed) < 2:
        return dict((changed[0] if changed else bucket)["diff"])
    return [result["diff"] for result in changed]


def _wanted_roles(
    params: t.Mapping[str, t.Any], registration: t.Callable[[], Registration]
) -> list[RoleReference]:
    if params.get("roles") is None:
        return [wanted_role(params, registration)]
    if not params["roles"]:
        raise InputError("roles is an empty list.", "Set at least one role.")
    references = [parse_role(value, "roles") for value in params["roles"]]
    accounts = {reference.account_id for reference in references if reference.account_id}
    if len(accounts) > 1:
        raise InputError(
            f"roles are in different accounts: {', '.join(sorted(accounts))}.",
            "A bucket and its roles must be in the same account.",
        )
    for reference in references:
        refuse_other_account(reference, params.get("account_id"), "roles")
    return list(dict.fromkeys(references))


def _parse_actions(params: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    """Validate the actions. AWS accepts wildcards in them, but Anyscale's verification does not."""
    actions = params.get("actions")
    if actions is None:
        return PRESETS[params.get("preset") or "all"]
    for action in actions:
        if not _ACTION.match(action):
            raise InputError(
                f"actions contains {action!r}, which is not the full name of an S3 action.",
                "Use a full name without wildcards, such as s3:GetObject.",
            )
    if not actions:
        raise InputError(
            "actions is an empty list.", "Omit it to grant the actions that a cluster needs."
        )
    return tuple(dict.fromkeys(actions))


def parse_prefix(prefix: str | None, name: str = "prefix") -> str:
    """Validate the prefix of the objects, the value of the option ``name``; an empty one is a
    variable that was not set.
    """
    if prefix is None:
        return ""
    named = option(name, "cloud_iam_bucket_prefix")
    if not prefix.strip() or not prefix.isprintable() or len(prefix.encode()) > _LONGEST_KEY:
        raise InputError(
            f"{named} is {prefix[:80]!r}, which is not the beginning of the key of an object.",
            "Set it to such as team-a/, or omit it.",
        )
    if prefix.startswith("/") or _WILDCARDS.intersection(prefix):
        raise InputError(
            f"{named} is {prefix[:80]!r}; it must not start with / or contain *, ? or $.",
            "Set it to the beginning of the keys only, such as team-a/.",
        )
    return prefix


def _parse_policy_arn(
    params: t.Mapping[str, t.Any], roles: t.Sequence[RoleReference]
) -> str | None:
    """Validate the ARN of the managed policy: it must be of the roles' account, or of AWS."""
    if params.get("policy_arn") is None:
        return None
    arn = parse_policy_arn(params["policy_arn"])
    account_id = params.get("account_id") or roles[0].account_id
    if account_id and account_of(arn) not in ("aws", account_id):
        raise InputError(
            f"{option('policy_arn', 'cloud_iam_bucket_policy_arn')} is {arn}, which is not in account "
            f"{account_id}.",
            "Set it to a policy of the role's account, or of AWS.",
        )
    return arn
