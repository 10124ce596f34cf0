# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The IAM calls that the collection makes, each as a method with plain values in and out.

This module util is private to the collection. I/O. A resource that does not exist is ``None``; any
other error is an AwsError. https://docs.aws.amazon.com/IAM/latest/APIReference/
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.errors import none_if_missing
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import compact_json


class Iam:
    """IAM in one account."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session
        self._principals: dict[str, str] | None = None

    def account_id(self) -> str:
        """``GetCallerIdentity``: the account of the credentials."""
        return self._session.account_id()

    def role(self, name: str) -> dict[str, t.Any] | None:
        """``GetRole``: the role with its ARN, its unique id, its tags and its trust policy."""
        answer = none_if_missing(self._call, "get_role", RoleName=name)
        return answer and answer["Role"]

    def put_trust_policy(self, role_name: str, document: t.Mapping[str, t.Any]) -> None:
        """``UpdateAssumeRolePolicy``: replace the whole trust policy."""
        self._call(
            "update_assume_role_policy", RoleName=role_name, PolicyDocument=compact_json(document)
        )

    def instance_profile(self, name: str) -> dict[str, t.Any] | None:
        """``GetInstanceProfile``: the profile with its ARN and its role."""
        answer = none_if_missing(self._call, "get_instance_profile", InstanceProfileName=name)
        return answer and answer["InstanceProfile"]

    def create_instance_profile(self, name: str, path: str) -> None:
        """``CreateInstanceProfile``; succeeds if the profile exists already."""
        try:
            self._call("create_instance_profile", InstanceProfileName=name, Path=path)
        except AwsError as error:
            if error.code != "EntityAlreadyExists":
                raise

    def add_role_to_instance_profile(self, role_name: str, name: str) -> None:
        """``AddRoleToInstanceProfile``; a profile contains at most one role."""
        self._call("add_role_to_instance_profile", RoleName=role_name, InstanceProfileName=name)

    def instance_profiles_of(self, role_name: str) -> list[dict[str, t.Any]]:
        """``ListInstanceProfilesForRole``: the profiles that contain a role."""
        return list(
            self._pages("list_instance_profiles_for_role", "InstanceProfiles", RoleName=role_name)
        )

    def inline_policies(self, role_name: str) -> dict[str, t.Any]:
        """``ListRolePolicies`` and ``GetRolePolicy``: the documents of a role's inline policies, by
        name.
        """
        names = list(self._pages("list_role_policies", "PolicyNames", RoleName=role_name))
        return {
            name: self._call("get_role_policy", RoleName=role_name, PolicyName=name)[
                "PolicyDocument"
            ]
            for name in names
        }

    def inline_policy(self, role_name: str, name: str) -> t.Any:
        """``GetRolePolicy``: the document of an inline policy of a role; ``None`` if there is no such
        policy, or no such role.
        """
        answer = none_if_missing(self._call, "get_role_policy", RoleName=role_name, PolicyName=name)
        return answer and answer["PolicyDocument"]

    def put_inline_policy(self, role_name: str, name: str, document: t.Mapping[str, t.Any]) -> None:
        """``PutRolePolicy``: create or replace an inline policy of a role."""
        self._call(
            "put_role_policy",
            RoleName=role_name,
            PolicyName=name,
            PolicyDocument=compact_json(document),
        )

    def delete_inline_policy(self, role_name: str, name: str) -> None:
        """``DeleteRolePolicy``; succeeds if there is no such policy."""
        none_if_missing(self._call, "delete_role_policy", RoleName=role_name, PolicyName=name)

    def attach_policy(self, role_name: str, arn: str) -> None:
        """``AttachRolePolicy``; succeeds if it is attached already."""
        self._call("attach_role_policy", RoleName=role_name, PolicyArn=arn)

    def detach_policy(self, role_name: str, arn: str) -> None:
        """``DetachRolePolicy``; succeeds if it is not attached."""
        none_if_missing(self._call, "detach_role_policy", RoleName=role_name, PolicyArn=arn)

    def attached_policies(self, role_name: str) -> list[str]:
        """``ListAttachedRolePolicies``: the ARNs of a role's managed policies."""
        return [
            attached["PolicyArn"]
            for attached in self._pages(
                "list_attached_role_policies", "AttachedPolicies", RoleName=role_name
            )
        ]

    def managed_policy(self, arn: str) -> t.Any:
        """``GetPolicy`` and ``GetPolicyVersion``: the default version of a managed policy."""
        version = self._call("get_policy", PolicyArn=arn)["Policy"]["DefaultVersionId"]
        return self._call("get_policy_version", PolicyArn=arn, VersionId=version)["PolicyVersion"][
            "Document"
        ]

    def roles_with_policy(self, arn: str) -> list[str]:
        """``ListEntitiesForPolicy``: the names of the roles that have a managed policy."""
        entities = self._pages(
            "list_entities_for_policy", "PolicyRoles", PolicyArn=arn, EntityFilter="Role"
        )
        return [role["RoleName"] for role in entities]

    def principals(self, ids: t.Collection[str] = ()) -> dict[str, str]:
        """``ListRoles`` and ``ListUsers``: the ARNs of the account's roles and users, by unique id.
        Cached. A list that lacks one of these ids is read again: it may be that of a new principal.
        """
        if self._principals is None or not set(ids) <= self._principals.keys():
            roles = {role["RoleId"]: role["Arn"] for role in self._pages("list_roles", "Roles")}
            self._principals = roles | {
                user["UserId"]: user["Arn"] for user in self._pages("list_users", "Users")
            }
        return self._principals

    def _pages(self, method: str, key: str, **arguments: t.Any) -> t.Iterator[t.Any]:
        marker: dict[str, str] = {}
        while True:
            answer = self._call(method, **arguments, **marker)
            yield from answer[key]
            if not answer.get("IsTruncated"):
                return
            marker = {"Marker": answer["Marker"]}

    def _call(self, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        return self._session.call("iam", method, **arguments)
