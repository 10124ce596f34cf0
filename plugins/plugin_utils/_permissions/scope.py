# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The resources of an IAM policy, in the notation of users and in that of the policy.

This plugin util is private to the collection. Pure. Names may contain IAM's wildcards, ``*`` for
any text, including the slashes of a path, and ``?`` for one character.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    BUCKET_NAME_CHARACTERS,
    BUCKET_NAME_LIMIT,
    parse_account_id,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

_PARTITION = re.compile(r"aws(?:-[a-z]+)*\Z")
_NAME_WITH_PATH = re.compile(r"/?(?:[A-Za-z0-9_+=,.@*?-]+/)*[A-Za-z0-9_+=,.@*?-]+\Z")
_BUCKET = re.compile(rf"[*?{BUCKET_NAME_CHARACTERS}]{{1,{BUCKET_NAME_LIMIT}}}\Z")
_ARTICLES = {
    "role": "a role",
    "instance-profile": "an instance profile",
    "policy": "a managed policy",
}

# The names that `anyscale cloud setup` uses, and those of Anyscale's module for Terraform, whose
# buckets may have names of the account's own region: anyscale-...-<account>-<region>-an.
# https://registry.terraform.io/modules/anyscale/anyscale-cloudfoundation-modules/aws
DEFAULT_ROLES = ("*-cluster_node_role", "anyscale-cluster-node-*")
DEFAULT_CONTROL_PLANE_ROLES = ("anyscale-iam-role-*",)
DEFAULT_BUCKETS = ("anyscale-*",)


@dataclasses.dataclass(frozen=True)
class Scope:
    """The account, and patterns for names in it. Those of roles and instance profiles begin with
    their path, without the leading slash.

    bucket_policies: ARNs of the managed policies that may be attached to the roles, with the same
    wildcards. permissions_boundary: the ARN of the one that a role must have to be given policies;
    empty for none. role_policies, pass_role: whether inline policies of the roles, and those of the
    control-plane roles, are written.
    """

    account_id: str
    partition: str
    roles: tuple[str, ...]
    control_plane_roles: tuple[str, ...]
    instance_profiles: tuple[str, ...]
    buckets: tuple[str, ...]
    bucket_policies: tuple[str, ...] = ()
    permissions_boundary: str = ""
    role_policies: bool = False
    pass_role: bool = False

    def role_arns(self) -> list[str]:
        """ARNs of the roles that clusters run with."""
        return [f"{_iam(self, 'role')}{name}" for name in self.roles]

    def control_plane_role_arns(self) -> list[str]:
        """ARNs of the roles that Anyscale's control plane assumes."""
        return [f"{_iam(self, 'role')}{name}" for name in self.control_plane_roles]

    def all_role_arns(self) -> list[str]:
        """ARNs of the roles of both kinds."""
        return [*self.role_arns(), *self.control_plane_role_arns()]

    def instance_profile_arns(self) -> list[str]:
        """ARNs of the instance profiles as they are created, with the path of their role."""
        return [f"{_iam(self, 'instance-profile')}{name}" for name in self.instance_profiles]

    def instance_profile_arns_to_read(self) -> list[str]:
        """The same ARNs, and those without a path: IAM authorizes the read of an instance profile
        that does not exist by its name alone.
        """
        names = dict.fromkeys(
            [*self.instance_profiles, *(name.rpartition("/")[2] for name in self.instance_profiles)]
        )
        return [f"{_iam(self, 'instance-profile')}{name}" for name in names]

    def managed_policy_arns(self) -> list[str]:
        """ARNs of all customer managed policies of the account and of all AWS managed policies."""
        return [f"arn:{self.partition}:iam::{owner}:policy/*" for owner in (self.account_id, "aws")]

    def bucket_arns(self) -> list[str]:
        """ARNs of the buckets, without their objects."""
        return [f"arn:{self.partition}:s3:::{name}" for name in self.buckets]

    def key_arns(self) -> list[str]:
        """ARNs of all KMS keys of the account: which one a bucket has is only known once it is read."""
        return [f"arn:{self.partition}:kms:*:{self.account_id}:key/*"]


def parse_scope(
    account_id: str,
    partition: str = "aws",
    roles: t.Sequence[str] = DEFAULT_ROLES,
    control_plane_roles: t.Sequence[str] = DEFAULT_CONTROL_PLANE_ROLES,
    instance_profiles: t.Sequence[str] | None = None,
    buckets: t.Sequence[str] = DEFAULT_BUCKETS,
    bucket_policies: t.Sequence[str] = (),
    permissions_boundary: str | None = None,
    role_policies: bool = False,
    pass_role: bool = False,
) -> Scope:
    """The scope for the options. Instance profiles have the names of the roles unless they are
    given.
    """
    parse_account_id(account_id)
    if not _PARTITION.match(partition):
        raise InputError(
            f"partition is {partition!r}, which is not an AWS partition.",
            "Give for example aws, aws-cn or aws-us-gov.",
        )
    scope = Scope(account_id, partition, (), (), (), ())
    cluster_roles = _names(scope, "role", "roles", roles)
    return dataclasses.replace(
        scope,
        roles=cluster_roles,
        control_plane_roles=_names(scope, "role", "control_plane_roles", control_plane_roles),
        instance_profiles=(
            cluster_roles
            if instance_profiles is None
            else _names(scope, "instance-profile", "instance_profiles", instance_profiles)
        ),
        buckets=_unique("buckets", [_bucket(scope, value) for value in buckets]),
        bucket_policies=_managed_policies(scope, bucket_policies),
        permissions_boundary=_boundary(scope, permissions_boundary),
        role_policies=role_policies,
        pass_role=pass_role,
    )


def _iam(scope: Scope, kind: str) -> str:
    """The prefix of all ARNs of a kind."""
    return f"arn:{scope.partition}:iam::{scope.account_id}:{kind}/"


def _names(scope: Scope, kind: str, option: str, values: t.Iterable[str]) -> tuple[str, ...]:
    return _unique(option, [_name(scope, kind, option, value) for value in values])


def _name(scope: Scope, kind: str, option: str, value: str) -> str:
    """A name with its path, from a name or an ARN."""
    name = value.removeprefix(_iam(scope, kind))
    if not _NAME_WITH_PATH.match(name):
        raise InputError(
            f"{option} has {value!r}, which is not the name or ARN of {_ARTICLES[kind]} in account "
            f"{scope.account_id}.",
            f"Give a name, /path/name or {_iam(scope, kind)}<path/name>. * and ? are wildcards.",
        )
    return name.removeprefix("/")


def _managed_policies(scope: Scope, values: t.Iterable[str]) -> tuple[str, ...]:
    """Their ARNs. By one that could be any policy, a role could be given every permission."""
    arns = tuple(dict.fromkeys(_policy_arn(scope, "bucket_policies", value) for value in values))
    for arn in arns:
        owner, _slash, name = arn.partition("/")
        is_pattern = "*" in name or "?" in name
        if is_pattern and (owner.endswith(":aws:policy") or not name.strip("*?/")):
            raise InputError(
                f"bucket_policies has {arn!r}, which could be a policy like AdministratorAccess.",
                "Name policies of AWS in full, and those of the account at least by a part of their "
                "names.",
            )
    return arns


def _boundary(scope: Scope, value: str | None) -> str:
    """Its ARN, which the condition compares as a whole."""
    if value is None:
        return ""
    arn = _policy_arn(scope, "permissions_boundary", value)
    if "*" in arn or "?" in arn:
        raise InputError(
            f"permissions_boundary is {value!r}, which has a wildcard.", "Name one policy."
        )
    return arn


def _policy_arn(scope: Scope, option: str, value: str) -> str:
    """The ARN of a managed policy of the account, or of AWS."""
    of_aws = f"arn:{scope.partition}:iam::aws:policy/"
    if value.startswith(of_aws) and _NAME_WITH_PATH.match(value.removeprefix(of_aws)):
        return value
    return f"{_iam(scope, 'policy')}{_name(scope, 'policy', option, value)}"


def _bucket(scope: Scope, value: str) -> str:
    name = value.removeprefix(f"arn:{scope.partition}:s3:::").removeprefix("s3://")
    if not _BUCKET.match(name):
        raise InputError(
            f"buckets has {value!r}, which is not an S3 bucket.",
            f"Give its name, arn:{scope.partition}:s3:::<name> or s3://<name>, without an object "
            "key. * and ? are wildcards.",
        )
    return name


def _unique(option: str, names: t.Sequence[str]) -> tuple[str, ...]:
    if not names:
        raise InputError(f"{option} is an empty list.", "Give at least one item, or omit it.")
    return tuple(dict.fromkeys(names))
