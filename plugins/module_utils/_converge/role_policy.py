# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An inline policy of a role: its reads, its write, and what is judged of the role with it.

This module util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.identity import read_identity
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    LivePolicy,
    PolicyPlanner,
    PolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_policy_plan import (
    Target,
    revoke_all,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import live_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    ROLE_POLICY,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    length_of,
    parse_policy,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Identity,
    NamedPolicy,
)


@dataclasses.dataclass(frozen=True)
class LiveRolePolicy(LivePolicy):
    """A live inline policy; empty if there is none.

    role: as ``GetRole`` returns it; ``None`` if there is no such policy and none is to be made.
    own: the role's own policies, with this one, as far as they are read.
    """

    policy_name: str = ""
    role_arn: str = ""
    role: t.Mapping[str, t.Any] | None = None
    own: Identity = dataclasses.field(default_factory=Identity)

    @property
    def principal(self) -> Role:
        """The role as it appears in requests."""
        unique_id = str(self.role["RoleId"]) if self.role else ""
        return Role(self.role_arn, account_of(self.role_arn), unique_id)

    @property
    def target(self) -> Target:
        """The policy for the plan."""
        return Target(self.role_arn, self.policy_name, sum(map(length_of, self._others())))

    def identity_with(self, document: Document) -> Identity:
        """The role's own policies with this one as it is to be."""
        others = [named for named in self.own.policies if named.name != self.policy_name]
        policies = (*others, NamedPolicy(self.policy_name, document))
        return dataclasses.replace(self.own, policies=policies)

    def _others(self) -> list[Document]:
        """The role's other inline policies: attached ones are named by their ARNs."""
        return [
            named.document
            for named in self.own.policies
            if named.name != self.policy_name and not named.name.startswith("arn:")
        ]


class RolePolicyStore(PolicyStore[LiveRolePolicy]):
    """An inline policy of a role.

    reads_own: whether all policies of the role are read, which is needed to grant something. Without
    it, a role that does not exist has no policy.
    """

    def __init__(
        self,
        iam: Iam,
        role: RoleReference,
        policy_name: str,
        account_id: str | None,
        *,
        reads_own: bool,
    ) -> None:
        """``account_id``: the account that the role must be in, if an option names it."""
        self._iam = iam
        self._role = role
        self._policy_name = policy_name
        self._account_id = account_id
        self._reads_own = reads_own

    def load(self) -> LiveRolePolicy:
        """The live policy."""
        if self._reads_own:
            role = self.read_role()
            own = read_identity(self._iam, role)
            found = [one.document for one in own.policies if one.name == self._policy_name]
            return self._live(found[0] if found else None, role, own)
        document = self._iam.inline_policy(self._role.name, self._policy_name)
        if document is None:
            return self._live(None)
        return self._live(document, self.read_role())

    def read_document(self, live: LiveRolePolicy) -> Document:
        """The live policy; without statements if there is none."""
        return self._parsed(self._iam.inline_policy(self._role.name, self._policy_name))

    def read_role(self) -> dict[str, t.Any]:
        """The role as IAM has it. Raises if it does not exist."""
        return live_role(self._iam, self._role, self._account_id)

    def write(self, live: LiveRolePolicy, document: Document) -> None:
        """Replace the policy, or delete it if it has no statements left."""
        if statements_of(document):
            self._iam.put_inline_policy(self._role.name, self._policy_name, document)
        else:
            self._iam.delete_inline_policy(self._role.name, self._policy_name)

    def check_owner(self, live: LiveRolePolicy) -> None:
        """The role must be the wanted one. A policy is written to a role by its name, and another
        account may have a role of that name, without this policy.
        """
        if live.role is None:
            self.read_role()

    def principals(self, *documents: Document) -> t.Mapping[str, str]:
        """Policies of roles name no principals."""
        return {}

    def owner_of(self, live: LiveRolePolicy) -> str:
        """The account of the role."""
        return account_of(live.role_arn)

    def backup(self, live: LiveRolePolicy, before: Document, after: Document) -> Backup:
        """The inline policy."""
        target = {"role_arn": live.role_arn, "policy_name": live.policy_name}
        before, after = self.display(before), self.display(after)
        return Backup(ROLE_POLICY, target, account_of(live.role_arn), before, after)

    def display(self, document: t.Any) -> t.Any:
        """A policy without statements is displayed as none."""
        return document if statements_of(document) else None

    def _live(
        self,
        document: t.Any,
        role: t.Mapping[str, t.Any] | None = None,
        own: Identity | None = None,
    ) -> LiveRolePolicy:
        arn = str(role["Arn"] if role else self._role)
        name = self._policy_name
        resource = f"inline policy {name} of role {arn}"
        parsed = self._parsed(document)
        return LiveRolePolicy(
            resource, parsed, policy_name=name, role_arn=arn, role=role, own=own or Identity()
        )

    def _parsed(self, document: t.Any) -> Document:
        what = f"inline policy {self._policy_name} of role {self._role.name}"
        return parse_policy(document, what)


@dataclasses.dataclass(frozen=True)
class RevokingPlanner(PolicyPlanner[LiveRolePolicy]):
    """Resources leave the statements of ours in an inline policy.

    base_sid: what the Sids of these statements begin with. is_revoked: tells the resources.
    """

    base_sid: str
    is_revoked: t.Callable[[str], bool]
    reason: str

    def plan(self, live: LiveRolePolicy) -> Plan:
        """Plan the policy."""
        return revoke_all(live.document, self.base_sid, self.is_revoked, live.target, self.reason)
