# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The few AWS calls that the collection makes, each as one method with plain values in and out.

This module util is private to the collection. What a call cannot find is ``None``; what AWS refuses is an AwsError.
https://docs.aws.amazon.com/IAM/latest/APIReference/ and https://docs.aws.amazon.com/AmazonS3/latest/API/
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws_session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy import compact

_MISSING = ("NoSuchEntity", "NoSuchBucketPolicy")


class Iam:
    """IAM in one account."""

    def __init__(self, session: AwsSession) -> None:
        self._session = session
        self._principals: dict[str, str] | None = None

    def account_id(self) -> str:
        """``GetCallerIdentity``: the account that all calls are made in."""
        return self._session.account_id()

    def role(self, name: str) -> dict[str, t.Any] | None:
        """``GetRole``: the role with its ARN, its unique id, its tags and its trust policy."""
        answer = _found(self._call, "get_role", RoleName=name)
        return answer and answer["Role"]

    def put_trust_policy(self, role_name: str, document: t.Mapping[str, t.Any]) -> None:
        """``UpdateAssumeRolePolicy``: replace the trust policy as a whole."""
        self._call("update_assume_role_policy", RoleName=role_name, PolicyDocument=compact(document))

    def instance_profile(self, name: str) -> dict[str, t.Any] | None:
        """``GetInstanceProfile``: the profile with its ARN and the role that it holds."""
        answer = _found(self._call, "get_instance_profile", InstanceProfileName=name)
        return answer and answer["InstanceProfile"]

    def create_instance_profile(self, name: str, path: str) -> None:
        """``CreateInstanceProfile``; one that is there already is as good."""
        try:
            self._call("create_instance_profile", InstanceProfileName=name, Path=path)
        except AwsError as error:
            if error.code != "EntityAlreadyExists":
                raise

    def add_role_to_instance_profile(self, role_name: str, name: str) -> None:
        """``AddRoleToInstanceProfile``; a profile holds one role at the most."""
        self._call("add_role_to_instance_profile", RoleName=role_name, InstanceProfileName=name)

    def principals(self) -> dict[str, str]:
        """``ListRoles`` and ``ListUsers``: the ARNs of all of the account's principals, by their unique ids. Asked for once."""
        if self._principals is None:
            roles = {role["RoleId"]: role["Arn"] for role in self._pages("list_roles", "Roles")}
            self._principals = roles | {user["UserId"]: user["Arn"] for user in self._pages("list_users", "Users")}
        return self._principals

    def _pages(self, method: str, key: str) -> t.Iterator[dict[str, t.Any]]:
        marker: dict[str, str] = {}
        while True:
            answer = self._call(method, **marker)
            yield from answer[key]
            if not answer.get("IsTruncated"):
                return
            marker = {"Marker": answer["Marker"]}

    def _call(self, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        return self._session.call("iam", method, **arguments)


class Bucket:
    """A bucket of S3. Every call says whose it is expected to be, since bucket names are everybody's."""

    def __init__(self, session: AwsSession, name: str, owner: str) -> None:
        self._session = session
        self._target = {"Bucket": name, "ExpectedBucketOwner": owner}

    def policy(self) -> str | None:
        """``GetBucketPolicy``: the policy as the text that S3 holds, ``None`` where the bucket has none."""
        answer = _found(self._call, "get_bucket_policy")
        return answer and answer["Policy"]

    def put_policy(self, document: t.Mapping[str, t.Any]) -> None:
        """``PutBucketPolicy``: replace the policy as a whole."""
        self._call("put_bucket_policy", Policy=compact(document))

    def delete_policy(self) -> None:
        """``DeleteBucketPolicy``."""
        self._call("delete_bucket_policy")

    def _call(self, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        return self._session.call("s3", method, **self._target, **arguments)


def _found(call: t.Callable[..., dict[str, t.Any]], method: str, **arguments: t.Any) -> t.Any:
    """The answer of a call, or ``None`` where AWS says that what was asked for does not exist."""
    try:
        return call(method, **arguments)
    except AwsError as error:
        if error.code in _MISSING:
            return None
        raise
