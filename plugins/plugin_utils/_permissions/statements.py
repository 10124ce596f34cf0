# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What each playbook's caller needs in a cloud's account: the one table, and the IAM policies that
are made from it.

This plugin util is private to the collection. Pure. Which resources an action can be limited to is
AWS's to say:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_identityandaccessmanagement.html
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import ec2_services
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.scope import Scope

Document = dict[str, t.Any]
_Resources = t.Callable[[Scope], t.Iterable[str]]

# A statement whose Sid begins so reads alone: check mode needs no other.
READING = ("Read", "List")


@dataclasses.dataclass(frozen=True)
class Statement:
    """A statement of a playbook's policy.

    purpose: what its actions are for. dispensable: where it can be left out; empty where it never
    can.
    """

    sid: str
    actions: tuple[str, ...]
    resources: _Resources
    purpose: str
    dispensable: str = ""
    condition: t.Callable[[Scope], Document] | None = None

    def document(self, scope: Scope) -> Document:
        """The statement as IAM takes it."""
        document = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(self.resources(scope)),
        }
        return (
            document if self.condition is None else {**document, "Condition": self.condition(scope)}
        )


def policy(playbook: str, scope: Scope, leave_out: t.Collection[str] = ()) -> Document:
    """The policy of a playbook's caller, without those of the dispensable statements whose Sids are
    to be left out.
    """
    if playbook not in PLAYBOOKS:
        raise InputError(
            f"There is no playbook {playbook!r}.", f"Name one of {', '.join(PLAYBOOKS)}."
        )
    statements = PLAYBOOKS[playbook]
    dispensable = [statement.sid for statement in statements if statement.dispensable]
    for sid in leave_out:
        if sid not in dispensable:
            raise InputError(
                f"leave_out has {sid!r}, which is no statement that {playbook} can do without.",
                f"It can do without {', '.join(dispensable)}.",
            )
    kept = [statement.document(scope) for statement in statements if statement.sid not in leave_out]
    return {"Version": "2012-10-17", "Statement": kept}


def _everything(scope: Scope) -> t.Iterable[str]:
    """For actions that AWS cannot limit to resources."""
    return ("*",)


def _passed_to_ec2(scope: Scope) -> Document:
    return {"StringEquals": {"iam:PassedToService": sorted(ec2_services(scope.partition))}}


_READ_ROLES = Statement(
    "ReadRoles",
    ("iam:GetRole",),
    Scope.role_arns,
    "To see that the role is there, and its trust policy.",
)
_READ_INSTANCE_PROFILES = Statement(
    "ReadInstanceProfiles",
    ("iam:GetInstanceProfile",),
    Scope.instance_profile_arns_to_read,
    "To see which role a profile holds.",
)
_READ_BUCKET_POLICIES = Statement(
    "ReadBucketPolicies", ("s3:GetBucketPolicy",), Scope.bucket_arns, "To see who has the bucket."
)
_LIST_PRINCIPALS = Statement(
    "ListPrincipals",
    ("iam:ListRoles", "iam:ListUsers"),
    _everything,
    "To tell whose the unique ids are that AWS shows in a policy in the place of a principal that "
    "was deleted.",
    "Where no policy has such an id.",
)
_READ_BY_THE_PAGE = Statement(
    "ReadByThePage",
    ("iam:GetAccountAuthorizationDetails",),
    _everything,
    "To read many roles and instance profiles at once. It shows the caller all roles of the "
    "account, with their policies.",
    "Always, best with fleet_plan_bulk_reads=false. Each is then read by itself, which makes more "
    "calls.",
)
_WRITE_TRUST_POLICIES = Statement(
    "WriteTrustPolicies",
    ("iam:UpdateAssumeRolePolicy",),
    Scope.role_arns,
    "To replace a role's trust policy.",
    "In check mode, and where no trust policy changes.",
)
_WRITE_BUCKET_POLICIES = Statement(
    "WriteBucketPolicies",
    ("s3:PutBucketPolicy",),
    Scope.bucket_arns,
    "To replace a bucket's policy.",
    "In check mode, and where no bucket policy changes.",
)
_DELETE_BUCKET_POLICIES = Statement(
    "DeleteBucketPolicies",
    ("s3:DeleteBucketPolicy",),
    Scope.bucket_arns,
    "To take away a bucket's policy, since a policy without statements cannot be.",
    "In check mode, and where each bucket's policy has statements that stay.",
)
_MAKE_INSTANCE_PROFILES = Statement(
    "MakeInstanceProfiles",
    ("iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile"),
    Scope.instance_profile_arns,
    "To make an instance profile, and to put the role into it.",
    "In check mode, and where each profile is there and holds its role.",
)
_PASS_ROLES = Statement(
    "PassRoles",
    ("iam:PassRole",),
    Scope.role_arns,
    "AWS asks for it where a role is put into an instance profile.",
    "Wherever MakeInstanceProfiles can be left out.",
    _passed_to_ec2,
)
_READ_ALL_OF_ROLES = Statement(
    "ReadRoles",
    ("iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:GetRolePolicy"),
    Scope.all_role_arns,
    "To see the trust policy of the clusters' role, and what the policies of that role and of "
    "Anyscale's control-plane role allow.",
)
_READ_MANAGED_POLICIES = Statement(
    "ReadManagedPolicies",
    ("iam:GetPolicy", "iam:GetPolicyVersion"),
    Scope.managed_policy_arns,
    "To see what the policies that are attached to these roles allow, and their permissions "
    "boundaries.",
)
_LIST_INSTANCE_PROFILES = Statement(
    "ListInstanceProfiles",
    ("iam:ListInstanceProfilesForRole",),
    Scope.role_arns,
    "To see which profiles hold the clusters' role.",
)
_READ_BUCKETS = Statement(
    "ReadBuckets",
    ("s3:GetBucketLocation", "s3:GetBucketPolicy", "s3:GetBucketTagging"),
    Scope.bucket_arns,
    "To see where the bucket is, who has it, and which tool made it.",
)
_READ_OWN_ROLE = Statement(
    "ReadRoles",
    ("iam:GetRole",),
    Scope.role_arns,
    "To see the path of the role, which its session does not tell. The caller is the cluster's "
    "node, with that very role.",
    "Always. The path is then not compared.",
)

PLAYBOOKS: dict[str, tuple[Statement, ...]] = {
    "audit": (
        _READ_ALL_OF_ROLES,
        _READ_MANAGED_POLICIES,
        _READ_INSTANCE_PROFILES,
        _LIST_INSTANCE_PROFILES,
        _READ_BUCKETS,
        _LIST_PRINCIPALS,
    ),
    "onboard": (
        _READ_ROLES,
        _READ_INSTANCE_PROFILES,
        _READ_BUCKET_POLICIES,
        _LIST_PRINCIPALS,
        _READ_BY_THE_PAGE,
        _WRITE_TRUST_POLICIES,
        _WRITE_BUCKET_POLICIES,
        _MAKE_INSTANCE_PROFILES,
        _PASS_ROLES,
    ),
    "offboard": (
        _READ_ROLES,
        _READ_INSTANCE_PROFILES,
        _READ_BUCKET_POLICIES,
        _LIST_PRINCIPALS,
        _WRITE_TRUST_POLICIES,
        _WRITE_BUCKET_POLICIES,
        _DELETE_BUCKET_POLICIES,
    ),
    "rollback": (
        _READ_ROLES,
        _READ_BUCKET_POLICIES,
        _LIST_PRINCIPALS,
        _WRITE_TRUST_POLICIES,
        _WRITE_BUCKET_POLICIES,
        _DELETE_BUCKET_POLICIES,
    ),
    "verify_cluster": (_READ_OWN_ROLE,),
}
