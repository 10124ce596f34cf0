# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge whether a managed policy is attached to a role. The policy itself is never changed.

This module util is private to the collection.
"""

from __future__ import annotations

import abc
import dataclasses
import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.identity import (
    boundary_of,
    managed_policy,
    own_policies,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.protected_roles import (
    Judged,
    administrator_statement,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_bucket_access import (
    BucketWant,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_guard import (
    RoleGuard,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import live_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.written import (
    write_repeatedly,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    InputError,
    RefusedError,
    UnsettledError,
    option,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    ROLE_ATTACHMENT,
    Backup,
    attachment_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Identity,
    NamedPolicy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import (
    SYSTEM_CLOCK,
    Clock,
    backoff,
)

_VISIBLE_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class LiveAttachment(Live):
    """Whether the policy is attached to the role.

    role: as ``GetRole`` returns it; ``None`` if it does not exist. own: the role's own policies, and
    policy: the managed one, where they are to be judged.
    """

    role_arn: str
    is_attached: bool
    role: t.Mapping[str, t.Any] | None = None
    own: Identity = dataclasses.field(default_factory=Identity)
    policy: NamedPolicy | None = None

    @property
    def principal(self) -> Role:
        """The role as it appears in requests."""
        unique_id = str(self.role["RoleId"]) if self.role else ""
        return Role(self.role_arn, account_of(self.role_arn), unique_id)


class AttachmentReconciler(Reconciler[LiveAttachment]):
    """A managed policy and a role: what is wanted of the two is up to the subclass."""

    def __init__(
        self,
        iam: Iam,
        role: RoleReference,
        policy_arn: str,
        account_id: str | None,
        clouds: t.Iterable[str] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``account_id``: the account that the role must be in, if an option names it."""
        self.policy_arn = policy_arn
        self.clouds = tuple(clouds)
        self._iam = iam
        self._role = role
        self._account_id = account_id
        self._clock = clock

    def load(self) -> LiveAttachment:
        """Read which policies are attached to the role."""
        role = live_role(self._iam, self._role, self._account_id)
        attached = self.policy_arn in self._iam.attached_policies(role["RoleName"])
        arn = role["Arn"]
        return LiveAttachment(
            f"attachment of policy {self.policy_arn} to role {arn}", arn, attached, role
        )

    @abc.abstractmethod
    def plan(self, live: LiveAttachment) -> Plan:
        """Plan whether it is attached."""

    def save(self, live: LiveAttachment, plan: Plan, written: list[str]) -> Saved:
        """Attach it, or detach it. Both succeed where nothing is left to do."""
        change = self._iam.detach_policy if plan.after is None else self._iam.attach_policy
        write_repeatedly(
            lambda: change(self._role.name, self.policy_arn), live.resource, written, self._clock
        )
        return Saved()

    def read_back(
        self, live: LiveAttachment, plan: Plan, saved: Saved
    ) -> tuple[LiveAttachment, Plan]:
        """Read until the change is visible."""
        wanted = plan.after is not None
        for _attempt in backoff(_VISIBLE_SECONDS, clock=self._clock):
            live = dataclasses.replace(
                live, is_attached=AttachmentReconciler.load(self).is_attached
            )
            if live.is_attached is wanted:
                return live, dataclasses.replace(plan, reasons=(), warnings=())
        raise UnsettledError(
            f"The {live.resource} was {'made' if wanted else 'removed'}, but is not so after "
            f"{_VISIBLE_SECONDS:.0f} s.",
            "Another writer may have changed it at the same time: check it, then run again.",
        )

    def backup(self, live: LiveAttachment, plan: Plan) -> Backup:
        """Whether it was attached before."""
        target = {"role_arn": live.role_arn, "policy_arn": self.policy_arn}
        account_id = account_of(live.role_arn)
        return Backup(ROLE_ATTACHMENT, target, account_id, plan.before, plan.after, self.clouds)

    def document(self, is_attached: bool) -> dict[str, str] | None:
        """The document of the attachment."""
        return attachment_of(self.policy_arn) if is_attached else None


class BucketAttachmentReconciler(AttachmentReconciler):
    """A managed policy that grants a role a bucket is attached to it, or no longer is."""

    def __init__(
        self,
        iam: Iam,
        role: RoleReference,
        policy_arn: str,
        account_id: str | None,
        want: BucketWant | None,
        role_guard: RoleGuard,
        reason: str,
        clouds: t.Iterable[str] = (),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``want``: the access that the policy must grant; ``None`` to detach it. ``reason``: the
        code of a change.
        """
        super().__init__(iam, role, policy_arn, account_id, clouds, clock)
        self._want = want
        self._role_guard = role_guard
        self._reason = reason

    def load(self) -> LiveAttachment:
        """Read which policies are attached; and all of them, with the one to attach, if it must grant
        access. A role that does not exist has none.
        """
        if self._want is None:
            if self._role.arn is not None and self._iam.role(self._role.name) is None:
                resource = f"attachment of policy {self.policy_arn} to role {self._role}"
                return LiveAttachment(resource, str(self._role), is_attached=False)
            return super().load()
        live = super().load()
        role = t.cast(t.Mapping[str, t.Any], live.role)
        policy = self._policy()
        others = [named for named in own_policies(self._iam, role) if named.name != self.policy_arn]
        own = Identity((*others, policy), boundary_of(self._iam, role))
        return dataclasses.replace(live, own=own, policy=policy)

    def plan(self, live: LiveAttachment) -> Plan:
        """Plan whether it is attached. Raises if it does not grant the access."""
        warnings: tuple[str, ...] = ()
        granted_by: dict[str, list[str]] = {}
        if self._want is not None and live.policy is not None:
            self._refuse_insufficient(self._want, live.policy, live.principal)
            warnings = self._want.check_denied(live.own, live.principal)
            sources = self._want.judge(live.own, live.principal).sources
            granted_by = {live.role_arn: list(sources)}
        is_wanted = self._want is not None
        changed = is_wanted is not live.is_attached
        return Plan(
            self.document(live.is_attached),
            self.document(is_wanted),
            (self._reason,) if changed else (),
            warnings,
            {
                "role_arn": live.role_arn,
                "policy_arn": self.policy_arn,
                "attached": is_wanted,
                "granted_by": granted_by,
            },
        )

    def guard(self, live: LiveAttachment, plan: Plan) -> None:
        """What any change of a role's policies needs, and what clusters with the role do."""
        if self._want is not None and live.policy is not None:
            self._role_guard.check(live.role_arn)
            _refuse_administrator(live.policy, live.role_arn)
            return
        self._role_guard.check_change(live.role_arn)

    def _policy(self) -> NamedPolicy:
        try:
            return managed_policy(self._iam, self.policy_arn)
        except AwsError as error:
            if error.code != "NoSuchEntity":
                raise
            raise InputError(
                f"Policy {self.policy_arn} does not exist.",
                f"Set {option('policy_arn', 'cloud_iam_bucket_policy_arn')} to a policy of the "
                "role's account.",
            ) from error

    def _refuse_insufficient(self, want: BucketWant, policy: NamedPolicy, role: Role) -> None:
        """Raise if the policy by itself does not grant the access as Anyscale's verification finds
        it.
        """
        missing = want.missing_in(policy, role)
        if not missing and want.is_complete(Identity((policy,)), role):
            return
        what = (
            f"does not certainly allow {', '.join(missing)} on bucket {want.bucket}"
            if missing
            else f"allows the access to bucket {want.bucket} in a form that 'anyscale cloud verify' "
            "does not find: it looks for the full names of the actions or s3:*"
        )
        raise RefusedError(
            f"The default version of policy {policy.name} {what}.",
            "Publish a version of it that does, or set "
            f"{option('policy_arn', 'cloud_iam_bucket_policy_arn')} to another policy.",
        )


def _refuse_administrator(policy: NamedPolicy, role_arn: str) -> None:
    """Raise if clusters would get permissions like an administrator's by the policy."""
    judged = Judged(role_arn, (policy.name,), now=time.time())
    why = administrator_statement(judged, policy.name, policy.document)
    if why:
        raise RefusedError(
            f"Policy {policy.name} gives permissions like an administrator's: {why}. Every user of a "
            "cluster with the role would have them too.",
            f"Set {option('policy_arn', 'cloud_iam_bucket_policy_arn')} to a policy that grants "
            "access to the bucket alone.",
        )
