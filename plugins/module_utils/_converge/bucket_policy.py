# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge a bucket's policy: what the module ``s3_cloud_access`` does.

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
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError, InputError
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
        """The bucket."""
        return f"policy of bucket {self._name}"

    def display_document(self, document: t.Any) -> t.Any:
        """A policy without statements is none."""
        return document if statements_of(document) else None

    def read(self) -> Document:
        """The live bucket policy."""
        try:
            return parse_policy(self._bucket().policy(), self.resource)
        except AwsError as error:
            raise self._diagnosed(error) from error

    def write(self, document: Document) -> None:
        """Replace the bucket policy, or delete it where nothing is left in it."""
        if not statements_of(document):
            self._bucket().delete_policy()
            return
        try:
            self._bucket().put_policy(document)
        except AwsError as error:
            raise _explained(error, document) from error

    def decide(self, document: Document) -> Plan:
        """What the bucket policy must become."""
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
        """Of the principals in the bucket's account; only a document that shows an id makes it
        worth to list them.
        """
        return self._iam.principals() if document_unique_ids(document) else {}

    def guard(self, plan: Plan) -> None:
        """The caller must be of the bucket's account, the roles must exist, and nobody in the
        policy may be gone.
        """
        self._refuse_caller()
        if self.params["state"] == "present":
            for reference in self._references:
                self._live(reference)
        self._refuse_blocked(plan)

    def is_transient(self, error: AwsError) -> bool:
        """A role just made is unknown to S3 for a while; one that IAM does not know (any more)
        stays unknown.
        """
        if error.code == "MalformedPolicy" and "invalid principal" in error.message.lower():
            return all(self._iam.role(reference.name) for reference in self._references)
        return super().is_transient(error)

    def _wanted(self, document: Document) -> bucket_policy_plan.Wanted:
        shown_by_id = document_unique_ids(document)
        needs_ids = shown_by_id or "userid" in compact_json(document).lower()
        roles = tuple(self._role(reference, bool(needs_ids)) for reference in self._references)
        arns = self.arns(document)
        return bucket_policy_plan.Wanted(
            bucket=self._name,
            roles=roles,
            state=self.params["state"],
            partition=partition_of(roles[0].arn),
            actions=self._actions,
            arns=arns,
            dangling=frozenset(shown_by_id - set(arns)),
            prune=self.params["prune_dangling_principals"],
        )

    def _role(self, reference: RoleReference, needs_id: bool) -> Role:
        """A role as the decision needs it; IAM is asked only for what the parameters and the policy
        leave open.
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
        """The account that the bucket must belong to: the cloud's, which is its roles' too."""
        return (
            self.params.get("account_id")
            or self._role(self._references[0], needs_id=False).account_id
        )

    def _bucket(self) -> Bucket:
        return Bucket(self.session, self._name, self._owner())

    def _refuse_caller(self, **details: t.Any) -> None:
        refuse_caller(
            self.session.account_id(), self._owner(), f"bucket {self._name}, its roles", **details
        )

    def _diagnosed(self, error: AwsError) -> AwsError:
        """S3 refuses alike whom it does not allow to read, and whoever expects a bucket of its name
        in another account.
        """
        if error.code not in ("AccessDenied", "MethodNotAllowed"):
            return error
        self._refuse_caller(**error.details)
        elsewhere = (
            f"Or does the bucket belong to another account than {self._owner()}? Bucket names are "
            "shared by all accounts."
        )
        return AwsError(error.message, f"{error.remedy} {elsewhere}", **error.details)

    def _refuse_blocked(self, plan: Plan) -> None:
        wanted = self._wanted(plan.after)
        blocking = bucket_policy_plan.blocking_ids(plan.after, wanted)
        if blocking:
            statement, gone = next(iter(blocking.items()))
            raise dangling_error(
                statement,
                self.resource,
                gone,
                "Set prune_dangling_principals to true, or take it out of that statement; unique "
                "ids are never used again.",
            )


def _wanted_roles(params: t.Mapping[str, t.Any]) -> list[RoleReference]:
    if params.get("roles") is None:
        return [RoleReference(default_role_name(params["cloud_id"]))]
    if not params["roles"]:
        raise InputError("roles is an empty list.", "Name at least one role.")
    references = [parse_role(value, "roles") for value in params["roles"]]
    accounts = {reference.account_id for reference in references if reference.account_id}
    if len(accounts) > 1:
        raise InputError(
            f"roles are of the accounts {', '.join(sorted(accounts))}.",
            "A bucket and its roles must be in one account.",
        )
    for reference in references:
        refuse_other_account(reference, params.get("account_id"), "roles")
    return list(dict.fromkeys(references))


def _parse_actions(actions: list[str]) -> tuple[str, ...]:
    """The actions spelled out: AWS would take a wildcard, the vendor's verification does not
    understand it.
    """
    for action in actions:
        if not _ACTION.match(action):
            raise InputError(
                f"actions has {action!r}, which is not the full name of one S3 action.",
                "Spell it out, as in s3:GetObject.",
            )
    if not actions:
        raise InputError("actions is an empty list.", "Leave it out for what a cluster needs.")
    return tuple(dict.fromkeys(actions))


def _explained(error: AwsError, document: Document) -> AwsError:
    """S3 answers a plain AccessDenied where the cause is a public statement in a bucket that blocks
    public policies.
    """
    public = [
        describe_statement(raw, index)
        for index, raw in enumerate(statements_of(document))
        if raw["Effect"] == "Allow" and "*" in aws_principals(raw.get("Principal"))
    ]
    if error.code != "AccessDenied" or not public:
        return error
    remedy = (
        f"{public[0]} is open to everybody; where the bucket blocks public policies, S3 refuses "
        "any policy that holds it."
    )
    return AwsError(error.message, f"{error.remedy} {remedy}", **error.details)
