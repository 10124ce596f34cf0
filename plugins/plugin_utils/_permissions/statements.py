# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The permissions that each playbook needs in a cloud's account, in one table, and the IAM policies
that are generated from it.

This plugin util is private to the collection. Pure. The resources that an action can be limited to
are documented by AWS:
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

# A statement whose Sid begins with one of these only reads. Check mode needs no other statements.
READING = ("Read", "List")


@dataclasses.dataclass(frozen=True)
class Statement:
    """A statement of a playbook's policy.

    purpose: what its actions are for. optional_when: when it can be left out; empty if never.
    """

    sid: str
    actions: tuple[str, ...]
    resources: _Resources
    purpose: str
    optional_when: str = ""
    condition: t.Callable[[Scope], Document] | None = None

    def document(self, scope: Scope) -> Document:
        """The statement of the policy document."""
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
    """The policy for a playbook, without the optional statements in ``leave_out``."""
    if playbook not in PLAYBOOKS:
        raise InputError(
            f"There is no playbook {playbook!r}.", f"Give one of {', '.join(PLAYBOOKS)}."
        )
    statements = PLAYBOOKS[playbook]
    optional = [statement.sid for statement in statements if statement.optional_when]
    for sid in leave_out:
        if sid not in optional:
            raise InputError(
                f"leave_out has {sid!r}, which is not an optional statement of {playbook}.",
                f"Its optional statements are {', '.join(optional)}.",
            )
    kept = [statement.document(scope) for statement in statements if statement.sid not in leave_out]
    return {"Version": "2012-10-17", "Statement": kept}


def _everything(scope: Scope) -> t.Iterable[str]:
    """The resource of actions that AWS cannot limit to resources."""
    return ("*",)


def _passed_to_ec2(scope: Scope) -> Document:
    return {"StringEquals": {"iam:PassedToService": sorted(ec2_services(scope.partition))}}


_READ_ROLES = Statement(
    "ReadRoles",
    ("iam:GetRole",),
    Scope.role_arns,
    "To read the role and its trust policy.",
)
_READ_INSTANCE_PROFILES = Statement(
    "ReadInstanceProfiles",
    ("iam:GetInstanceProfile",),
    Scope.instance_profile_arns_to_read,
    "To read which role an instance profile contains.",
)
_READ_BUCKET_POLICIES = Statement(
    "ReadBucketPolicies", ("s3:GetBucketPolicy",), Scope.bucket_arns, "To read the bucket policy."
)
_LIST_PRINCIPALS = Statement(
    "ListPrincipals",
    ("iam:ListRoles", "iam:ListUsers"),
    _everything,
    "To find out whether a unique ID in a policy, which AWS shows in place of a deleted principal, "
    "belongs to an existing principal.",
    "If no policy contains a unique ID.",
)
_READ_IN_BULK = Statement(
    "ReadInBulk",
    ("iam:GetAccountAuthorizationDetails",),
    _everything,
    "To read many roles, instance profiles and policies with one call. The response contains all "
    "roles of the account, with their policies, and its managed policies.",
    "Always, preferably with fleet_bulk_reads=false. Roles, instance profiles and policies are then "
    "read one by one, which takes more calls.",
)
_LIST_BUCKETS = Statement(
    "ListBuckets",
    ("s3:ListAllMyBuckets",),
    _everything,
    "To read the regions of many buckets with one call. The response contains the names of all "
    "buckets of the account.",
    "Always, preferably with fleet_bulk_reads=false. The regions are then read one by one, which "
    "takes more calls.",
)
_WRITE_TRUST_POLICIES = Statement(
    "WriteTrustPolicies",
    ("iam:UpdateAssumeRolePolicy",),
    Scope.role_arns,
    "To replace a role's trust policy.",
    "In check mode, and if no trust policy changes.",
)
_WRITE_BUCKET_POLICIES = Statement(
    "WriteBucketPolicies",
    ("s3:PutBucketPolicy",),
    Scope.bucket_arns,
    "To replace a bucket policy.",
    "In check mode, and if no bucket policy changes.",
)
_DELETE_BUCKET_POLICIES = Statement(
    "DeleteBucketPolicies",
    ("s3:DeleteBucketPolicy",),
    Scope.bucket_arns,
    "To delete a bucket policy, because a policy cannot be without statements.",
    "In check mode, and if each bucket policy has statements that are kept.",
)
_CREATE_INSTANCE_PROFILES = Statement(
    "CreateInstanceProfiles",
    ("iam:CreateInstanceProfile", "iam:AddRoleToInstanceProfile"),
    Scope.instance_profile_arns,
    "To create an instance profile, and to add the role to it.",
    "In check mode, and if each instance profile exists and contains its role.",
)
_PASS_ROLES = Statement(
    "PassRoles",
    ("iam:PassRole",),
    Scope.role_arns,
    "AWS requires it to add a role to an instance profile.",
    "Whenever CreateInstanceProfiles can be left out.",
    _passed_to_ec2,
)
_READ_ALL_OF_ROLES = Statement(
    "ReadRoles",
    ("iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:GetRolePolicy"),
    Scope.all_role_arns,
    "To read the trust policy of the clusters' role, and the policies of that role and of "
    "Anyscale's control-plane role.",
)
_READ_MANAGED_POLICIES = Statement(
    "ReadManagedPolicies",
    ("iam:GetPolicy", "iam:GetPolicyVersion"),
    Scope.managed_policy_arns,
    "To read the managed policies that are attached to these roles, and their permissions "
    "boundaries.",
)
_UNLESS_PRIVILEGED = (
    "With cloud_iam_allow_privileged=true. Without that, a change for a role whose policies cannot "
    "be read is refused. A role then gets access by the bucket's policy, whatever its own policies "
    "allow, with a warning."
)
_READ_PERMISSIONS_OF_ROLES = Statement(
    "ReadPermissionsOfRoles",
    ("iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:GetRolePolicy"),
    Scope.role_arns,
    "To find out whether a role has permissions like an administrator's, before clusters run with "
    "it, and whether its own policies give it access to the bucket.",
    _UNLESS_PRIVILEGED,
)
_READ_MANAGED_POLICIES_OF_ROLES = Statement(
    "ReadManagedPolicies",
    ("iam:GetPolicy", "iam:GetPolicyVersion"),
    Scope.managed_policy_arns,
    "The same, for the policies that are attached to the role.",
    _UNLESS_PRIVILEGED,
)
_READ_WHAT_IS_LEFT = Statement(
    "ReadPermissionsOfRoles",
    ("iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:GetRolePolicy"),
    Scope.role_arns,
    "To find what is managed of a role's own policies, and to tell what still gives it access to the "
    "bucket.",
)
_READ_MANAGED_POLICIES_LEFT = Statement(
    "ReadManagedPolicies",
    ("iam:GetPolicy", "iam:GetPolicyVersion"),
    Scope.managed_policy_arns,
    "To tell what still gives a role access to the bucket.",
    "Always. A warning then says that it is not known.",
)
_LIST_INSTANCE_PROFILES = Statement(
    "ListInstanceProfiles",
    ("iam:ListInstanceProfilesForRole",),
    Scope.role_arns,
    "To find the instance profiles that contain the clusters' role.",
)
_LIST_INSTANCES = Statement(
    "ListInstances",
    ("ec2:DescribeInstances",),
    _everything,
    "To find the running instances of a cloud, and their instance profiles. The response contains "
    "also what AWS shows of an instance beside them, such as its addresses and tags.",
    "Without cloud_iam_check_launches=true.",
)
_LIST_RUNNING_INSTANCES = dataclasses.replace(
    _LIST_INSTANCES,
    purpose="To find the running instances of a cloud that still have an instance profile of the role.",
    optional_when="Always. Whether an instance runs with the role is then unknown, which is a warning.",
)
_LIST_INSTANCE_PROFILES_OF_ROLE = dataclasses.replace(
    _LIST_INSTANCE_PROFILES,
    purpose="To find the instance profiles of the role, before instances that run with it lose its "
    "access.",
    optional_when="Always. Whether anything runs with the role is then unknown, which is a warning.",
)
_READ_BUCKETS = Statement(
    "ReadBuckets",
    (
        *("s3:GetBucketLocation", "s3:GetBucketPolicy", "s3:GetBucketTagging"),
        *("s3:GetBucketCORS", "s3:GetEncryptionConfiguration"),
    ),
    Scope.bucket_arns,
    "To read the region of the bucket, its policy, which tool created it, its CORS rules, and the key "
    "that it is encrypted with.",
)
_READ_KEYS = Statement(
    "ReadKeys",
    ("kms:DescribeKey", "kms:GetKeyPolicy", "kms:ListGrants"),
    Scope.key_arns,
    "To read who may use the KMS key that a bucket is encrypted with. No data can be decrypted.",
    "If no bucket is encrypted with a customer managed key.",
)
_READ_OWN_ROLE = Statement(
    "ReadRoles",
    ("iam:GetRole",),
    Scope.role_arns,
    "To read the path of the role, which its session does not contain. The caller is the cluster's "
    "node, with that role.",
    "Always. The path is then not compared.",
)

PLAYBOOKS: dict[str, tuple[Statement, ...]] = {
    "audit": (
        _READ_ALL_OF_ROLES,
        _READ_MANAGED_POLICIES,
        _READ_INSTANCE_PROFILES,
        _LIST_INSTANCE_PROFILES,
        _READ_BUCKETS,
        _READ_KEYS,
        _LIST_PRINCIPALS,
        _LIST_INSTANCES,
        _READ_IN_BULK,
        _LIST_BUCKETS,
    ),
    "onboard": (
        _READ_ROLES,
        _READ_PERMISSIONS_OF_ROLES,
        _READ_MANAGED_POLICIES_OF_ROLES,
        _READ_INSTANCE_PROFILES,
        _READ_BUCKET_POLICIES,
        _LIST_PRINCIPALS,
        _READ_IN_BULK,
        _WRITE_TRUST_POLICIES,
        _WRITE_BUCKET_POLICIES,
        _CREATE_INSTANCE_PROFILES,
        _PASS_ROLES,
    ),
    "offboard": (
        _READ_ROLES,
        _READ_WHAT_IS_LEFT,
        _READ_MANAGED_POLICIES_LEFT,
        _READ_INSTANCE_PROFILES,
        _LIST_INSTANCE_PROFILES_OF_ROLE,
        _LIST_RUNNING_INSTANCES,
        _READ_BUCKET_POLICIES,
        _LIST_PRINCIPALS,
        _READ_IN_BULK,
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
