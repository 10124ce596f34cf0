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
    only_with: the fields of the scope of which one must be set, or the policy does not have it.
    """

    sid: str
    actions: tuple[str, ...]
    resources: _Resources
    purpose: str
    optional_when: str = ""
    condition: t.Callable[[Scope], Document] | None = None
    only_with: tuple[str, ...] = ()

    def is_in(self, scope: Scope) -> bool:
        """Whether the policy for a scope has it."""
        return not self.only_with or any(getattr(scope, name) for name in self.only_with)

    def document(self, scope: Scope) -> Document:
        """The statement of the policy document."""
        document = {
            "Sid": self.sid,
            "Effect": "Allow",
            "Action": list(self.actions),
            "Resource": list(self.resources(scope)),
        }
        condition = self.condition(scope) if self.condition else {}
        return {**document, "Condition": condition} if condition else document


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
    kept = [
        statement.document(scope)
        for statement in statements
        if statement.is_in(scope) and statement.sid not in leave_out
    ]
    return {"Version": "2012-10-17", "Statement": kept}


def _everything(scope: Scope) -> t.Iterable[str]:
    """The resource of actions that AWS cannot limit to resources."""
    return ("*",)


def _passed_to_ec2(scope: Scope) -> Document:
    return {"StringEquals": {"iam:PassedToService": sorted(ec2_services(scope.partition))}}


def _with_boundary(scope: Scope) -> Document:
    """A role without the boundary is given no policies: it limits what they can allow."""
    boundary = scope.permissions_boundary
    return {"StringEquals": {"iam:PermissionsBoundary": boundary}} if boundary else {}


def _of_these_policies(scope: Scope) -> Document:
    return {"ArnLike": {"iam:PolicyARN": list(scope.bucket_policies)}}


def _of_these_policies_with_boundary(scope: Scope) -> Document:
    return {**_of_these_policies(scope), **_with_boundary(scope)}


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
_LIST_ROLES_OF_POLICIES = Statement(
    "ListRolesOfPolicies",
    ("iam:ListEntitiesForPolicy",),
    Scope.managed_policy_arns,
    "To find the roles that have a managed policy of which an event says that it was changed.",
    "Always, preferably with heal_look_up_policies=false, without which there is a warning. Only "
    "clouds with the policy in cloud_iam_bucket_policy_arn are then found.",
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
_DELETE_BUCKET_POLICIES_OF_MOVED_ROLES = dataclasses.replace(
    _DELETE_BUCKET_POLICIES,
    purpose="To delete a bucket policy that had only statements for roles which have the bucket by "
    "policies of their own from now on.",
    only_with=("role_policies", "bucket_policies"),
)
_WRITE_ROLE_POLICIES = Statement(
    "WriteRolePolicies",
    ("iam:PutRolePolicy",),
    Scope.role_arns,
    "To write a statement for the bucket into an inline policy of the role. AWS cannot limit what "
    "else the policy allows.",
    "In check mode, and if no inline policy changes.",
    _with_boundary,
    ("role_policies",),
)
_DELETE_ROLE_POLICIES = Statement(
    "DeleteRolePolicies",
    ("iam:DeleteRolePolicy",),
    Scope.role_arns,
    "To delete an inline policy of the role, because a policy cannot be without statements.",
    "In check mode, and if each inline policy has statements that are kept.",
    only_with=("role_policies",),
)
_ATTACH_POLICIES = Statement(
    "AttachPolicies",
    ("iam:AttachRolePolicy",),
    Scope.role_arns,
    "To attach cloud_iam_bucket_policy_arn to the role.",
    "In check mode, and if it is attached already.",
    _of_these_policies_with_boundary,
    ("bucket_policies",),
)
_DETACH_POLICIES = Statement(
    "DetachPolicies",
    ("iam:DetachRolePolicy",),
    Scope.role_arns,
    "To detach cloud_iam_bucket_policy_arn from the role.",
    "In check mode, and if no role loses it.",
    _of_these_policies,
    ("bucket_policies",),
)
_WRITE_CONTROL_PLANE_POLICIES = Statement(
    "WriteControlPlanePolicies",
    ("iam:PutRolePolicy",),
    Scope.control_plane_role_arns,
    "To write which roles Anyscale may pass, and which instance profiles it may read, into an inline "
    "policy of its control-plane role.",
    "In check mode, and if that policy does not change.",
    only_with=("pass_role",),
)
_DELETE_CONTROL_PLANE_POLICIES = Statement(
    "DeleteControlPlanePolicies",
    ("iam:DeleteRolePolicy",),
    Scope.control_plane_role_arns,
    "To delete that policy, because a policy cannot be without statements.",
    "In check mode, and if it has statements that are kept.",
    only_with=("pass_role",),
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
_UNLESS_NEEDED = (
    "With cloud_iam_allow_privileged=true and cloud_iam_bucket_grant=either. A role then gets the "
    "bucket by the bucket's policy, whatever its own policies allow, with a warning. Without the "
    "former, a change for a role whose policies cannot be read is refused."
)
_READ_PERMISSIONS_OF_ROLES = Statement(
    "ReadPermissionsOfRoles",
    ("iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:GetRolePolicy"),
    Scope.role_arns,
    "To find out whether a role has permissions like an administrator's, before clusters run with "
    "it, and whether its own policies give it the bucket.",
    _UNLESS_NEEDED,
)
_READ_MANAGED_POLICIES_OF_ROLES = Statement(
    "ReadManagedPolicies",
    ("iam:GetPolicy", "iam:GetPolicyVersion"),
    Scope.managed_policy_arns,
    "The same, for the managed policies that are attached to a role, and its permissions boundary.",
    _UNLESS_NEEDED,
)
_READ_CONTROL_PLANE_ROLES = Statement(
    "ReadControlPlaneRoles",
    ("iam:GetRole", "iam:ListAttachedRolePolicies", "iam:ListRolePolicies", "iam:GetRolePolicy"),
    Scope.control_plane_role_arns,
    "To find out which roles Anyscale's control-plane role may pass already.",
    only_with=("pass_role",),
)
_READ_ROLE_POLICIES = Statement(
    "ReadRolePolicies",
    ("iam:GetRolePolicy",),
    Scope.role_arns,
    "To read the inline policy of the role that may have a statement for the bucket.",
)
_READ_POLICIES_OF_CONTROL_PLANE = dataclasses.replace(
    _READ_CONTROL_PLANE_ROLES,
    actions=("iam:GetRole", "iam:GetRolePolicy"),
    purpose="To read the inline policy of Anyscale's control-plane role that passes roles.",
)
_WHAT_IS_LEFT = (
    "If cloud_iam_bucket_policy_arn is not set. Whether a role's own policies still give it the bucket "
    "is then unknown, which is a warning."
)
_LIST_POLICIES_OF_ROLES = Statement(
    "ListPoliciesOfRoles",
    ("iam:ListAttachedRolePolicies", "iam:ListRolePolicies"),
    Scope.role_arns,
    "To find out what else gives a role the bucket.",
    _WHAT_IS_LEFT,
)
_LIST_ATTACHED_POLICIES = Statement(
    "ListAttachedPolicies",
    ("iam:ListAttachedRolePolicies",),
    Scope.role_arns,
    "To find out whether cloud_iam_bucket_policy_arn is attached to the role.",
    only_with=("bucket_policies",),
)
_READ_POLICIES_THAT_ARE_LEFT = dataclasses.replace(
    _READ_MANAGED_POLICIES,
    purpose="The same, for the managed policies that are attached to a role, and its permissions "
    "boundary.",
    optional_when="Always. Whether a role's own policies still give it the bucket is then unknown, "
    "which is a warning.",
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
_LESS_IN_ROLE_POLICY = (
    "To take the bucket out of an inline policy of the role. AWS cannot limit what else the policy "
    "allows."
)
_LESS_IN_CONTROL_PLANE_POLICY = (
    "To take roles and instance profiles out of the inline policy of Anyscale's control-plane role "
    "that passes them."
)
_AS_IT_WAS = "To restore an inline policy of the role as it was before the run."
_AS_IT_WAS_FOR_CONTROL_PLANE = (
    "To restore an inline policy of Anyscale's control-plane role as it was before the run."
)
_READ_OWN_ROLE = Statement(
    "ReadRoles",
    ("iam:GetRole",),
    Scope.role_arns,
    "To read the path of the role, which its session does not contain. The caller is the cluster's "
    "node, with that role.",
    "Always. The path is then not compared.",
)

_ONBOARD = (
    _READ_ROLES,
    _READ_PERMISSIONS_OF_ROLES,
    _READ_MANAGED_POLICIES_OF_ROLES,
    _READ_CONTROL_PLANE_ROLES,
    _READ_INSTANCE_PROFILES,
    _READ_BUCKET_POLICIES,
    _LIST_PRINCIPALS,
    _READ_IN_BULK,
    _WRITE_TRUST_POLICIES,
    _WRITE_BUCKET_POLICIES,
    _DELETE_BUCKET_POLICIES_OF_MOVED_ROLES,
    _WRITE_ROLE_POLICIES,
    _DELETE_ROLE_POLICIES,
    _ATTACH_POLICIES,
    _DETACH_POLICIES,
    _WRITE_CONTROL_PLANE_POLICIES,
    _CREATE_INSTANCE_PROFILES,
    _PASS_ROLES,
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
    "onboard": _ONBOARD,
    "heal": (*_ONBOARD, _LIST_ROLES_OF_POLICIES),
    "offboard": (
        _READ_ROLES,
        _READ_ROLE_POLICIES,
        _LIST_POLICIES_OF_ROLES,
        _READ_POLICIES_THAT_ARE_LEFT,
        _READ_POLICIES_OF_CONTROL_PLANE,
        _READ_INSTANCE_PROFILES,
        _LIST_INSTANCE_PROFILES_OF_ROLE,
        _LIST_RUNNING_INSTANCES,
        _READ_BUCKET_POLICIES,
        _LIST_PRINCIPALS,
        _READ_IN_BULK,
        _WRITE_TRUST_POLICIES,
        _WRITE_BUCKET_POLICIES,
        _DELETE_BUCKET_POLICIES,
        dataclasses.replace(_WRITE_ROLE_POLICIES, purpose=_LESS_IN_ROLE_POLICY),
        _DELETE_ROLE_POLICIES,
        _DETACH_POLICIES,
        dataclasses.replace(_WRITE_CONTROL_PLANE_POLICIES, purpose=_LESS_IN_CONTROL_PLANE_POLICY),
        _DELETE_CONTROL_PLANE_POLICIES,
    ),
    "rollback": (
        _READ_ROLES,
        dataclasses.replace(_READ_ROLE_POLICIES, only_with=("role_policies",)),
        _LIST_ATTACHED_POLICIES,
        _READ_POLICIES_OF_CONTROL_PLANE,
        _READ_BUCKET_POLICIES,
        _LIST_PRINCIPALS,
        _WRITE_TRUST_POLICIES,
        _WRITE_BUCKET_POLICIES,
        _DELETE_BUCKET_POLICIES,
        dataclasses.replace(_WRITE_ROLE_POLICIES, purpose=_AS_IT_WAS),
        _DELETE_ROLE_POLICIES,
        _ATTACH_POLICIES,
        _DETACH_POLICIES,
        dataclasses.replace(_WRITE_CONTROL_PLANE_POLICIES, purpose=_AS_IT_WAS_FOR_CONTROL_PLANE),
        _DELETE_CONTROL_PLANE_POLICIES,
    ),
    "verify_cluster": (_READ_OWN_ROLE,),
}
