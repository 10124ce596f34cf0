# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge a bucket's policy, for the module ``s3_cloud_access``.

This module util is private to the collection.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
    default_role_name,
    parse_bucket,
    parse_role,
    partition_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.s3 import Bucket
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import bucket_policy_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_task import (
    PolicyTask,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    live_role,
    refuse_caller,
    refuse_other_account,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    InputError,
    option,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    BUCKET_POLICY,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    compact_json,
    describe_statement,
    parse_policy,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    aws_principals,
    dangling_error,
    document_unique_ids,
)

_ACTION = re.compile(r"s3:[A-Za-z]+\Z")


class Task(PolicyTask):
    """A bucket's policy."""

    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "bucket": {"type": "str", "required": True},
        "roles": {"type": "list", "elements": "str"},
        "cloud_id": {"type": "str"},
        "actions": {"type": "list", "elements": "str", "default": list(bucket_policy_plan.ACTIONS)},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "prune_dangling_principals": {"type": "bool", "default": False},
    }
    rules: t.ClassVar[dict[str, t.Any]] = {
        "required_one_of": [["roles", "cloud_id"]],
        "mutually_exclusive": [["roles", "cloud_id"]],
    }

    def __init__(self, params: t.Mapping[str, t.Any], connect: Connect = AwsSession) -> None:
        super().__init__(params, connect)
        self._name = parse_bucket(params["bucket"])
        self._actions = _parse_actions(params["actions"])
        self._references = _wanted_roles(params)
        self._iam = Iam(self.session)
        self._live_roles: dict[str, dict[str, t.Any]] = {}

    @property
    def resource(self) -> str:
        """The bucket's policy, as a resource name."""
        return f"policy of bucket {self._name}"

    def display_document(self, document: t.Any) -> t.Any:
        """A policy without statements is displayed as none."""
        return document if statements_of(document) else None

    def read(self) -> Document:
        """The live bucket policy."""
        try:
            return parse_policy(self._bucket().policy(), self.resource)
        except AwsError as error:
            raise self._with_likely_causes(error) from error

    def write(self, document: Document) -> None:
        """Replace the bucket policy, or delete it if it has no statements left."""
        if not statements_of(document):
            self._bucket().delete_policy()
            return
        try:
            self._bucket().put_policy(document)
        except AwsError as error:
            raise _with_public_access_hint(error, document) from error

    def decide(self, document: Document) -> Plan:
        """Plan the bucket policy."""
        return bucket_policy_plan.decide(document, self._wanted(document))

    def backup(self, plan: Plan) -> Backup:
        """The bucket's policy."""
        before, after = (
            self.display_document(self.replaced_by(plan)),
            self.display_document(plan.after),
        )
        return Backup(
            BUCKET_POLICY, {"bucket": self._name}, self._owner(), before, after, self.clouds
        )

    def arns(self, document: Document) -> t.Mapping[str, str]:
        """The principals of the bucket's account. They are listed only if the document contains a
        unique id.
        """
        return self._iam.principals() if document_unique_ids(document) else {}

    def guard(self, plan: Plan) -> None:
        """The credentials must be for the bucket's account, the roles must exist, and the policy
        must not name deleted principals.
        """
        self._refuse_caller()
        if self.params["state"] == "present":
            for reference in self._references:
                self._live(reference)
        self._refuse_blocked(plan)

    def is_transient(self, error: AwsError) -> bool:
        """S3 rejects a new role until it has propagated; one that does not exist in IAM is rejected
        for good.
        """
        if error.code == "MalformedPolicy" and "invalid principal" in error.message.lower():
            return all(self._iam.role(reference.name) for reference in self._references)
        return super().is_transient(error)

    def _wanted(self, document: Document) -> bucket_policy_plan.Wanted:
        unique_ids = document_unique_ids(document)
        needs_ids = unique_ids or "userid" in compact_json(document).lower()
        roles = tuple(self._role(reference, bool(needs_ids)) for reference in self._references)
        arns = self.arns(document)
        return bucket_policy_plan.Wanted(
            bucket=self._name,
            roles=roles,
            state=self.params["state"],
            partition=partition_of(roles[0].arn),
            actions=self._actions,
            arns=arns,
            dangling=frozenset(unique_ids - set(arns)),
            prune=self.params["prune_dangling_principals"],
        )

    def _role(self, reference: RoleReference, needs_id: bool) -> Role:
        """A role for the plan. IAM is called only if the parameters do not say enough for this
        policy.
        """
        if reference.arn is not None and not needs_id:
            return Role(str(reference), reference.arn.account_id)
        if (
            self.params["state"] == "absent"
            and reference.arn is not None
            and self._iam.role(reference.name) is None
        ):
            return Role(str(reference), reference.arn.account_id)
        live = self._live(reference)
        return Role(live["Arn"], account_of(live["Arn"]), live["RoleId"])

    def _live(self, reference: RoleReference) -> dict[str, t.Any]:
        if reference.name not in self._live_roles:
            self._live_roles[reference.name] = live_role(
                self._iam, reference, self.params.get("account_id")
            )
        return self._live_roles[reference.name]

    def _owner(self) -> str:
        """The account that must own the bucket: the cloud's, which is also that of its roles."""
        return (
            self.params.get("account_id")
            or self._role(self._references[0], needs_id=False).account_id
        )

    def _bucket(self) -> Bucket:
        return Bucket(self.session, self._name, self._owner())

    def _refuse_caller(self, **details: t.Any) -> None:
        named_by = None if self.params.get("account_id") else self._references[0]
        refuse_caller(self.session.account_id(), self._owner(), named_by, **details)

    def _with_likely_causes(self, error: AwsError) -> AwsError:
        """S3 returns the same error for a missing permission and for an unexpected bucket owner:
        explain both.
        """
        if error.code not in ("AccessDenied", "MethodNotAllowed"):
            return error
        self._refuse_caller(**error.details)
        other_owner = (
            f"The bucket may also belong to another account than {self._owner()}: bucket names "
            "are global."
        )
        return AwsError(error.message, f"{error.remedy} {other_owner}", **error.details)

    def _refuse_blocked(self, plan: Plan) -> None:
        wanted = self._wanted(plan.after)
        blocking = bucket_policy_plan.blocking_ids(plan.after, wanted)
        if blocking:
            statement, deleted = next(iter(blocking.items()))
            raise dangling_error(
                statement,
                self.resource,
                deleted,
                f"Set {option('prune_dangling_principals')} to true, or remove it from that "
                "statement. AWS never reuses a unique ID.",
            )


def _wanted_roles(params: t.Mapping[str, t.Any]) -> list[RoleReference]:
    if params.get("roles") is None:
        return [RoleReference(default_role_name(params["cloud_id"]))]
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


def _parse_actions(actions: list[str]) -> tuple[str, ...]:
    """Validate the actions. AWS accepts wildcards in them, but Anyscale's verification does not."""
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
