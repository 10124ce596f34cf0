# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge a role's trust policy, for the module ``iam_trust_ec2``.

This module util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    partition_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import trust_policy_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iac_owner import owner_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_task import (
    PolicyTask,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    live_role,
    refuse_service_linked,
    wanted_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    TRUST_POLICY,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    parse_policy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    document_unique_ids,
    refuse_dangling,
)


class Task(PolicyTask):
    """A role's trust policy."""

    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "role": {"type": "str", "aliases": ["role_name"]},
        "cloud_id": {"type": "str"},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "quota_chars": {"type": "int", "default": trust_policy_plan.DEFAULT_QUOTA_CHARS},
    }
    rules: t.ClassVar[dict[str, t.Any]] = {
        "required_one_of": [["role", "cloud_id"]],
        "mutually_exclusive": [["role", "cloud_id"]],
    }

    def __init__(self, params: t.Mapping[str, t.Any], connect: Connect = AwsSession) -> None:
        super().__init__(params, connect)
        self._wanted_role = wanted_role(params)
        if params["quota_chars"] < 1:
            raise InputError(
                f"quota_chars is {params['quota_chars']}.",
                "Set it to the account's quota, a positive number of characters.",
            )
        self._iam = Iam(self.session)
        self._role: dict[str, t.Any] = {}

    @property
    def resource(self) -> str:
        """The trust policy, as a resource name."""
        return f"trust policy of {self._role['Arn']}"

    def read(self) -> Document:
        """The live trust policy. Loads the role too."""
        self._role = live_role(self._iam, self._wanted_role, self.params.get("account_id"))
        return parse_policy(
            self._role["AssumeRolePolicyDocument"], f"trust policy of role {self._role['RoleName']}"
        )

    def write(self, document: Document) -> None:
        """Replace the trust policy."""
        self._iam.put_trust_policy(self._role["RoleName"], document)

    def decide(self, document: Document) -> Plan:
        """Plan the trust policy."""
        wanted = trust_policy_plan.Wanted(
            self.params["state"], partition_of(self._role["Arn"]), self.params["quota_chars"]
        )
        plan = trust_policy_plan.decide(document, wanted)
        role = {
            "role_arn": self._role["Arn"],
            "role_name": self._role["RoleName"],
            "role_id": self._role["RoleId"],
        }
        owner = owner_of(self._role.get("Tags")) if plan.changed else None
        warnings = (*plan.warnings, *([_owner_warning(owner)] if owner else []))
        return dataclasses.replace(plan, warnings=warnings, result={**plan.result, **role})

    def backup(self, plan: Plan) -> Backup:
        """The trust policy."""
        arn = self._role["Arn"]
        return Backup(
            TRUST_POLICY,
            {"role_arn": arn},
            account_of(arn),
            self.replaced_by(plan),
            plan.after,
            self.clouds,
        )

    def arns(self, document: Document) -> t.Mapping[str, str]:
        """The principals of the role's account. They are listed only if the document contains a
        unique id.
        """
        return self._iam.principals() if document_unique_ids(document) else {}

    def guard(self, plan: Plan) -> None:
        """Neither a service-linked role nor a policy that names deleted principals can be changed."""
        refuse_service_linked(self._role["Arn"])
        refuse_dangling(plan.after, self.resource, self._iam.principals)


def _owner_warning(owner: str) -> str:
    return (
        f"The role is managed by {owner}, which will overwrite the trust policy the next time it "
        "is applied. Add EC2 to the trust policy there as well."
    )
