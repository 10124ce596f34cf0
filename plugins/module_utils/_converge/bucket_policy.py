# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bucket's policy: its reads, its write, and what is planned of it for the roles of clusters.

This module util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import itertools
import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
    partition_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.identity import read_identity
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.s3 import Bucket
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    bucket_policy_plan,
    bucket_want,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_only_grant import (
    with_going,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    LivePolicy,
    PolicyPlanner,
    PolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_guard import (
    RoleGuard,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_policy_plan import (
    without_resources,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    live_role,
    refuse_caller,
    refuse_other_arn,
    refuse_other_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    RefusedError,
    TaskError,
    option,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    BUCKET_POLICY,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.bucket_access import (
    by_identity,
    is_complete_by_identity,
    outside_boundary,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    compact_json,
    describe_statement,
    parse_policy,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import Identity
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    aws_principals,
    dangling_error,
    document_unique_ids,
)

_DENIED = ("AccessDenied", "AccessDeniedException")


@dataclasses.dataclass(frozen=True)
class LiveBucketPolicy(LivePolicy):
    """A live bucket policy, with the roles that it is planned for, or the error of a role that
    could not be read.

    identities: the own policies of the roles whose plan depends on them, or why the caller may not
    read them.
    """

    roles: t.Mapping[RoleReference, Role | TaskError] = dataclasses.field(default_factory=dict)
    identities: t.Mapping[RoleReference, Identity | AwsError] = dataclasses.field(
        default_factory=dict
    )

    def role(self, reference: RoleReference) -> Role:
        """A role. Raises if it could not be read."""
        role = self.roles[reference]
        if isinstance(role, TaskError):
            raise role
        return role


class BucketPolicyStore(PolicyStore[LiveBucketPolicy]):
    """The policy of a bucket, for roles of one account."""

    def __init__(
        self,
        session: AwsSession,
        bucket: str,
        roles: t.Sequence[RoleReference],
        account_id: str | None,
        must_exist: bool = True,
        existing: t.Collection[RoleReference] = (),
    ) -> None:
        """account_id: the account of the cloud, if an option names it. must_exist: whether a role
        that the policy is planned for must exist, also if its ARN is known. existing: the roles
        that are known to exist.
        """
        self.bucket = bucket
        self._session = session
        self._iam = Iam(session)
        self._references = roles
        self._account_id = account_id
        self._must_exist = must_exist
        self._existing = existing
        self._live_roles: dict[RoleReference, dict[str, t.Any]] = {}
        self._identities: dict[RoleReference, Identity | AwsError | None] = {}
        self.planners: list[BucketPlanner] = []

    def serve(self, planner: BucketPlanner) -> None:
        """Read the own policies of roles too where this plan depends on them."""
        self.planners.append(planner)

    @property
    def resource(self) -> str:
        """The bucket's policy, as a resource name."""
        return f"policy of bucket {self.bucket}"

    def load(self) -> LiveBucketPolicy:
        """The live bucket policy, and the roles as far as the plan needs them."""
        document = self._read()
        ids = document_unique_ids(document)
        needs_ids = ids or "userid" in compact_json(document).lower()
        roles = {
            reference: self._role_or_error(reference, bool(needs_ids))
            for reference in self._references
        }
        # Listed again if one of them is unknown, since the policy was read after the list.
        arns = self._iam.principals(ids) if ids else {}
        live = LiveBucketPolicy(self.resource, document, arns=arns, roles=roles)
        needed = {
            reference: None for planner in self.planners for reference in planner.in_doubt(live)
        }
        identities = {
            reference: identity
            for reference in needed
            if (identity := self._identity(reference)) is not None
        }
        return dataclasses.replace(live, identities=identities)

    def read_document(self, live: LiveBucketPolicy) -> Document:
        """The live bucket policy."""
        return self._read()

    def write(self, live: LiveBucketPolicy, document: Document) -> None:
        """Replace the bucket policy, or delete it if it has no statements left."""
        if not statements_of(document):
            self._bucket().delete_policy()
            return
        try:
            self._bucket().put_policy(document)
        except AwsError as error:
            raise _with_length_hint(_with_public_access_hint(error, document)) from error

    def principals(self, *documents: Document) -> t.Mapping[str, str]:
        """The principals of the bucket's account."""
        return self._iam.principals() if any(map(document_unique_ids, documents)) else {}

    def owner_of(self, live: LiveBucketPolicy) -> str:
        """The account that must own the bucket."""
        return self.account_id

    def backup(self, live: LiveBucketPolicy, before: Document, after: Document) -> Backup:
        """The bucket's policy."""
        target = {"bucket": self.bucket}
        before, after = self.display(before), self.display(after)
        return Backup(BUCKET_POLICY, target, self.account_id, before, after)

    def display(self, document: t.Any) -> t.Any:
        """A policy without statements is displayed as none."""
        return document if statements_of(document) else None

    def is_transient(self, error: AwsError) -> bool:
        """S3 rejects a new role until it has propagated; one that does not exist in IAM is rejected
        for good.
        """
        if error.code == "MalformedPolicy" and "invalid principal" in error.message.lower():
            # Those that the write adds, if that is known: many clouds may share the bucket.
            names = [reference.name for reference in self._existing or self._references]
            return bool(names) and all(map(self._iam.role, names))
        return super().is_transient(error)

    def refuse_caller(self, **details: t.Any) -> None:
        """Raise if the credentials are for another account than the bucket's."""
        named_by = None if self._account_id else self._references[0]
        refuse_caller(self._session.account_id(), self.account_id, named_by, **details)

    def refuse_missing_role(self, reference: RoleReference) -> None:
        """Raise if there is no role with exactly the ARN: S3 would reject the policy."""
        if reference not in self._existing:
            refuse_other_arn(reference, self.live_role(reference)["Arn"])

    def live_role(self, reference: RoleReference) -> dict[str, t.Any]:
        """A role as IAM has it. Raises if it does not exist."""
        if reference not in self._live_roles:
            self._live_roles[reference] = live_role(self._iam, reference, self._account_id)
        return self._live_roles[reference]

    def _read(self) -> Document:
        try:
            return parse_policy(self._bucket().policy(), self.resource)
        except AwsError as error:
            raise self._with_likely_causes(error) from error

    def _role_or_error(self, reference: RoleReference, needs_id: bool) -> Role | TaskError:
        try:
            return self._role(reference, needs_id)
        except TaskError as error:
            return error

    def _identity(self, reference: RoleReference) -> Identity | AwsError | None:
        """The own policies of a role, which are read once; ``None`` if it does not exist, which is for
        others to say. What the caller may not read is unknown.
        """
        if reference not in self._identities:
            try:
                role = self.live_role(reference)
                self._identities[reference] = read_identity(self._iam, role)
            except RefusedError:
                self._identities[reference] = None
            except AwsError as error:
                if error.code not in _DENIED:
                    raise
                self._identities[reference] = error
        return self._identities[reference]

    def _role(self, reference: RoleReference, needs_id: bool) -> Role:
        """A role for the plan. IAM is called only if the reference does not say enough for this
        policy.
        """
        if reference.arn is None or (self._must_exist and needs_id):
            return _role_of(self.live_role(reference))
        given = Role(str(reference), reference.arn.account_id)
        if self._must_exist:
            return given
        live = self._remaining_role(reference, needs_id)
        return given if live is None else _role_of(live)

    def _remaining_role(self, reference: RoleReference, needs_id: bool) -> dict[str, t.Any] | None:
        """A role that need not exist; ``None`` if it does not, or may not be read where its ARN is
        enough. Raises if the role of that name is another: it would be left with the bucket.
        """
        if reference not in self._live_roles:
            try:
                found = self._iam.role(reference.name)
            except AwsError as error:
                if needs_id or error.code not in _DENIED:
                    raise
                return None
            if found is None:
                return None
            refuse_other_role(reference, found["Arn"])
            self._live_roles[reference] = found
        return self._live_roles[reference]

    @property
    def account_id(self) -> str:
        """The account that must own the bucket: the cloud's, which is also that of its roles."""
        return self._account_id or self._account_of(self._references[0])

    def _account_of(self, reference: RoleReference) -> str:
        return reference.account_id or self._role(reference, needs_id=False).account_id

    def _bucket(self) -> Bucket:
        return Bucket(self._session, self.bucket, self.account_id)

    def _with_likely_causes(self, error: AwsError) -> AwsError:
        """S3 returns the same error for a missing permission and for an unexpected bucket owner:
        explain both.
        """
        if error.code not in ("AccessDenied", "MethodNotAllowed"):
            return error
        self.refuse_caller(**error.details)
        other_owner = (
            f"The bucket may also belong to another account than {self.account_id}: bucket names "
            "are global."
        )
        return AwsError(error.message, f"{error.remedy} {other_owner}", **error.details)


@dataclasses.dataclass(frozen=True)
class BucketPlanner(PolicyPlanner[LiveBucketPolicy]):
    """Roles have (or no longer have) access to the bucket.

    state: as the plan's. counts_own: whether access by a role's own policies is enough (with
    ``absent``, whether it is told). policy_name, policy_arn: the role's own policies that are ours,
    and that it loses with ``absent``.
    """

    store: BucketPolicyStore = dataclasses.field(compare=False)
    roles: tuple[RoleReference, ...]
    state: str = "present"
    actions: tuple[str, ...] = bucket_want.ACTIONS
    prune: bool = False
    prefix: str = ""
    counts_own: bool = False
    policy_name: str = ""
    policy_arn: str = ""

    def plan(self, live: LiveBucketPolicy) -> Plan:
        """Plan the bucket policy."""
        return bucket_policy_plan.decide(live.document, self._wanted(live, live.document))

    def refuse_dangling(self, live: LiveBucketPolicy, plan: Plan) -> None:
        """Raise if the policy would name deleted principals."""
        blocking = bucket_policy_plan.blocking_ids(plan.after, self._wanted(live, plan.after))
        if blocking:
            statement, deleted = next(iter(blocking.items()))
            raise dangling_error(
                statement,
                live.resource,
                deleted,
                f"Set {option('prune_dangling_principals')} to true, or remove it from that "
                "statement. AWS never reuses a unique ID.",
            )

    def in_doubt(self, live: LiveBucketPolicy) -> list[RoleReference]:
        """The roles whose own policies the plan depends on: those without all access by the bucket's
        policy, or that leave it for another cloud; those that lose it, since it is said what they
        keep; and those to which it allows more than their own policies are going to allow at least.
        """
        known = [one for one in self.roles if isinstance(live.roles.get(one), Role)]
        if not known or not (self.counts_own or self.state == "released"):
            return []
        if self.state == "absent":
            return known
        wanted = self._want_of(live, known, live.document)
        raws = statements_of(live.document)
        in_doubt = (
            bucket_policy_plan.staying(raws, wanted)
            if self.state == "released"
            else [
                one
                for one in wanted.roles
                if not bucket_policy_plan.has_access(raws, one, wanted)
                or self._leaving_wants(live, one)
            ]
        )
        by_role = dict(zip(wanted.roles, known, strict=True))
        return [by_role[role] for role in in_doubt]

    def _wanted(self, live: LiveBucketPolicy, document: Document) -> bucket_want.Wanted:
        wanted = self._want_of(live, self.roles, document)
        if self.state == "released":
            return dataclasses.replace(wanted, identities=self._own_of(live, wanted.roles))
        pairs = wanted.pairs_of_any_access() if self.state == "absent" else wanted.pairs()
        own_grants, own_denies, limits, unread = {}, {}, {}, {}
        for reference, role in zip(self.roles, wanted.roles, strict=True):
            identity = live.identities.get(reference)
            if isinstance(identity, AwsError):
                unread[role.arn] = identity.message
            elif identity is not None:
                identity = self._as_it_will_be(identity)
                if leaving := self._leaving_wants(live, role):
                    identity = with_going(identity, leaving)
                found = by_identity(identity, role, pairs, wanted.now)
                is_enough = is_complete_by_identity(
                    found, identity, self.store.bucket, self.actions
                )
                if is_enough or (self.state == "absent" and found.sources):
                    own_grants[role.arn] = found.sources
                outside = outside_boundary(identity, role, pairs, wanted.now)
                if found.denied_by:
                    own_denies[role.arn] = found.denied_by
                elif identity.boundary and outside:
                    limits[role.arn] = bucket_want.Limit(identity.boundary.name, outside)
        return dataclasses.replace(
            wanted, own_grants=own_grants, own_denies=own_denies, limits=limits, unread=unread
        )

    def _leaving_wants(self, live: LiveBucketPolicy, role: Role) -> list[bucket_want.Wanted]:
        """What other clouds want that take the role out of the bucket's policy: its own policies are
        going to allow that.
        """
        return [
            one._want_of(live, [reference], live.document)
            for one in dict.fromkeys(self.store.planners)  # many clouds may want the same
            if one.state == "released"
            for reference in one.roles
            if isinstance(found := live.roles.get(reference), Role) and found.arn == role.arn
        ]

    def _own_of(self, live: LiveBucketPolicy, roles: t.Sequence[Role]) -> dict[str, Identity]:
        """The own policies of roles as they are going to be, by ARN, as far as they were read."""
        found = [live.identities.get(reference) for reference in self.roles]
        return {
            role.arn: self._as_it_will_be(identity)
            for role, identity in zip(roles, found, strict=True)
            if isinstance(identity, Identity)
        }

    def _as_it_will_be(self, identity: Identity) -> Identity:
        """The own policies of a role, without what another stage of the same task takes away: with a
        managed policy that is kept or attached, the statements in the inline one.
        """
        keeps_inline = self.state == "released" and not self.policy_arn
        if self.state == "present" or keeps_inline:
            return identity
        detached = self.policy_arn if self.state == "absent" else None
        is_revoked = bucket_want.OfBucket(self.store.bucket)
        policies = [
            dataclasses.replace(
                named,
                document=without_resources(named.document, bucket_want.SID, is_revoked),
            )
            if named.name == self.policy_name
            else named
            for named in identity.policies
            if named.name != detached
        ]
        return dataclasses.replace(identity, policies=tuple(policies))

    def _want_of(
        self, live: LiveBucketPolicy, references: t.Iterable[RoleReference], document: Document
    ) -> bucket_want.Wanted:
        """What is wanted for some roles, without what their own policies allow."""
        roles = tuple(live.role(reference) for reference in references)
        return bucket_want.Wanted(
            bucket=self.store.bucket,
            roles=roles,
            state=self.state,
            partition=partition_of(roles[0].arn),
            actions=self.actions,
            prefix=self.prefix,
            arns=live.arns,
            dangling=frozenset(document_unique_ids(document) - set(live.arns)),
            prune=self.prune,
            now=time.time(),
        )


@dataclasses.dataclass(frozen=True)
class BucketGuard:
    """The guard of a cloud that wants something of the bucket's policy, for its own roles."""

    planner: BucketPlanner
    role_guard: RoleGuard

    def check(self, live: LiveBucketPolicy, plan: Plan) -> None:
        """The credentials must be for the bucket's account, the roles must exist and be for
        clusters, and the policy must not name deleted principals.
        """
        store = self.planner.store
        store.refuse_caller()
        self.role_guard.check_account(store.account_id)
        if self.planner.state == "present":
            for reference in self.planner.roles:
                store.refuse_missing_role(reference)
                self.role_guard.check(live.role(reference).arn)
        self.planner.refuse_dangling(live, plan)


def merged_planners(planners: t.Iterable[BucketPlanner]) -> list[BucketPlanner]:
    """The planners of a bucket with those for the same purpose put together, so that the policy is
    planned once for all their roles.
    """

    def purpose(planner: BucketPlanner) -> tuple[t.Any, ...]:
        return (
            planner.state,
            planner.actions,
            planner.prune,
            planner.prefix,
            planner.counts_own,
            planner.policy_name,
            planner.policy_arn,
        )

    groups = itertools.groupby(sorted(planners, key=purpose, reverse=True), purpose)
    merged = []
    for _purpose, group in groups:
        first, *others = group
        roles = [role for planner in (first, *others) for role in planner.roles]
        merged.append(dataclasses.replace(first, roles=tuple(dict.fromkeys(roles))))
    return merged


def _role_of(live: t.Mapping[str, t.Any]) -> Role:
    return Role(live["Arn"], account_of(live["Arn"]), live["RoleId"])


def _with_public_access_hint(error: AwsError, document: Document) -> AwsError:
    """S3 returns AccessDenied without an explanation if the bucket blocks public policies and a
    statement is public.
    """
    public = [
        describe_statement(raw, index)
        for index, raw in enumerate(statements_of(document))
        if raw["Effect"] == "Allow" and "*" in aws_principals(raw.get("Principal"))
    ]
    if error.code != "AccessDenied" or not public:
        return error
    remedy = (
        f"{public[0]} grants public access; if the bucket blocks public policies, S3 rejects "
        "every policy that contains it."
    )
    return AwsError(error.message, f"{error.remedy} {remedy}", **error.details)


def _with_length_hint(error: AwsError) -> AwsError:
    """S3 measures a form of its own, so that it alone can tell whether a policy is too long."""
    if error.code != "MalformedPolicy" or "maximum allowed size" not in error.message:
        return error
    remedy = (
        "Remove statements that are no longer needed, use another bucket for some of the clouds, or "
        f"set {option('grant', 'cloud_iam_bucket_grant')} to role_policy, which grants the access by "
        "the role's own policies."
    )
    return AwsError(error.message, remedy, **error.details)
