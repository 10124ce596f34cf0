# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Parse and validate ARNs, role names, bucket names, account ids and cloud ids.

This module util is private to the collection. Pure: it calls no API.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
"""

from __future__ import annotations

import dataclasses
import re

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    option,
    setting,
)

_ACCOUNT_ID = re.compile(r"[0-9]{12}\Z")
_ARN = re.compile(
    r"arn:(?P<partition>aws(?:-[a-z]+)*):(?P<service>[a-z0-9-]+):(?P<region>[a-z0-9-]*):(?P<account_id>[0-9]{12})?:(?P<resource>\S+)\Z"
)
# As us-east-1 accepted names until March 2018; today's names are among them.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
BUCKET_NAME_CHARACTERS = "A-Za-z0-9._-"
BUCKET_NAME_LIMIT = 255
_BUCKET = re.compile(rf"[{BUCKET_NAME_CHARACTERS}]{{3,{BUCKET_NAME_LIMIT}}}\Z")
_CLOUD_ID = re.compile(r"cld_[A-Za-z0-9_-]{1,100}\Z")
_IAM_NAME = re.compile(r"[A-Za-z0-9_+=,.@-]+\Z")
_PATTERN = re.compile(r"[*?$]")
_UNIQUE_ID = re.compile(r"A(?:RO|ID|KI|IP|GP)A[A-Z0-9]{12,}\Z")
_ROOT_ARN = re.compile(r"arn:aws(?:-[a-z]+)*:iam::([0-9]{12}):root\Z")

ROLE_NAME_LIMIT = 64
INSTANCE_PROFILE_NAME_LIMIT = 128
POLICY_NAME_LIMIT = 128
_EC2_SERVICES = {"aws-cn": "ec2.amazonaws.com.cn"}
# The other name of EC2, by the partition's own domain.
_OTHER_EC2_SERVICES = {
    "aws-iso": "ec2.c2s.ic.gov",
    "aws-iso-b": "ec2.sc2s.sgov.gov",
    "aws-iso-e": "ec2.cloud.adc-e.uk",
    "aws-iso-f": "ec2.csp.hci.ic.gov",
    "aws-eusc": "ec2.amazonaws.eu",
}


@dataclasses.dataclass(frozen=True)
class Arn:
    """An Amazon Resource Name, split at its colons."""

    partition: str
    service: str
    region: str
    account_id: str
    resource: str

    def __str__(self) -> str:
        return (
            f"arn:{self.partition}:{self.service}:{self.region}:{self.account_id}:{self.resource}"
        )


@dataclasses.dataclass(frozen=True)
class RoleReference:
    """A role as the user gives it: a name or an ARN."""

    name: str
    arn: Arn | None = None

    @property
    def account_id(self) -> str | None:
        """The account in the ARN; ``None`` if only a name was given."""
        return self.arn.account_id if self.arn else None

    def is_role(self, arn: str) -> bool:
        """Whether the role of an ARN, as IAM returns it, is this one. A path that is given counts."""
        if self.arn is None:
            return folded_role_name(arn) == folded_role_name(self.name)
        same_path = role_path_of(arn) == role_path_of(str(self.arn))
        return same_path and role_identity(account_of(arn), arn) == role_identity(
            self.arn.account_id, self.name
        )

    def __str__(self) -> str:
        return str(self.arn) if self.arn else self.name


def parse_arn(text: str) -> Arn | None:
    """Parse an ARN; ``None`` if the text is not one."""
    match = _ARN.match(text)
    if match is None:
        return None
    return Arn(**{part: value or "" for part, value in match.groupdict().items()})


def parse_role(value: str, option: str = "role") -> RoleReference:
    """Parse the role name or ARN that is the value of ``option``."""
    arn = parse_arn(value)
    if arn is None:
        return RoleReference(_iam_name(value, option, "role", ROLE_NAME_LIMIT))
    if arn.service != "iam" or not arn.resource.startswith("role/") or not arn.account_id:
        raise InputError(
            f"{setting(option)} is {value!r}, which is not the ARN of an IAM role.",
            "Set it to arn:aws:iam::<account id>:role/<role name> or to the role's name.",
        )
    if _PATTERN.search(arn.resource):
        raise InputError(
            f"{setting(option)} is {value!r}, which has one of the characters *, ? and $.",
            "Set it to the ARN of one role: in a policy, these characters stand for others.",
        )
    name = arn.resource.rpartition("/")[2]
    return RoleReference(_iam_name(name, option, "role", ROLE_NAME_LIMIT), arn)


def parse_instance_profile(value: str, option: str = "instance_profile") -> str:
    """Validate an instance profile's name."""
    return _iam_name(value, option, "instance profile", INSTANCE_PROFILE_NAME_LIMIT)


def parse_policy_name(value: str, option: str = "policy_name") -> str:
    """Validate the name of an inline policy."""
    return _iam_name(value, option, "policy", POLICY_NAME_LIMIT)


def parse_policy_arn(value: str, option: str = "policy_arn") -> str:
    """Validate the ARN of a managed policy, of the account or of AWS."""
    # AWS is in the place of the account: arn:aws:iam::aws:policy/...
    arn = parse_arn(value.replace(":iam::aws:", ":iam:::", 1))
    if arn is None or arn.service != "iam" or not arn.resource.startswith("policy/"):
        raise InputError(
            f"{setting(option)} is {value[:200]!r}, which is not the ARN of a managed policy.",
            "Set it to arn:aws:iam::<account id>:policy/<name>.",
        )
    _iam_name(arn.resource.rpartition("/")[2], option, "policy", POLICY_NAME_LIMIT)
    return value


def parse_account_id(value: str, option: str = "account_id") -> str:
    """Validate an AWS account id: twelve digits, including leading zeros."""
    if not _ACCOUNT_ID.match(value):
        raise InputError(
            f"{setting(option)} is {value!r}, which is not an AWS account id.",
            f"Set it to the twelve digits, quoted, so that YAML keeps leading zeros.{_blanks(value)}",
        )
    return value


def parse_bucket(value: str, option: str = "bucket") -> str:
    """Extract a bucket's name from its name, its ARN or its ``s3://`` URI."""
    name = value
    if value.startswith("s3://"):
        name = value.removeprefix("s3://").removesuffix("/")
    else:
        arn = parse_arn(value)
        if arn is not None and arn.service == "s3":
            name = arn.resource
    if not _BUCKET.match(name):
        raise InputError(
            f"{setting(option)} is {value!r}, which does not name an S3 bucket.",
            "Set it to the bucket's name, arn:aws:s3:::<name> or s3://<name>, without a key "
            f"prefix or an object key.{_blanks(value)}",
        )
    return name


def parse_cloud_id(value: str, option: str = "cloud_id") -> str:
    """Validate an Anyscale cloud id, such as ``cld_4fxb3wsbdcq2n1p9``."""
    if not _CLOUD_ID.match(value):
        raise InputError(
            f"{setting(option)} is {value!r}, which is not an Anyscale cloud id.",
            f"A cloud id starts with cld_, such as cld_4fxb3wsbdcq2n1p9.{_blanks(value)}",
        )
    return value


def default_role_name(cloud_id: str) -> str:
    """The name of the role that Anyscale creates for a cloud with managed resources.

    https://docs.anyscale.com/iam/manage-iam-roles
    """
    name = f"{parse_cloud_id(cloud_id)}-cluster_node_role"
    if len(name) > ROLE_NAME_LIMIT:
        raise InputError(
            f"cloud_id is {cloud_id!r}; the default role name {name} would have {len(name)} "
            f"characters, and IAM allows at most {ROLE_NAME_LIMIT}.",
            f"Check {option('cloud_id')}, or set {option('role')}.",
        )
    return name


def role_name_of(role_arn: str) -> str:
    """The name at the end of a role's ARN, without its path."""
    return role_arn.rpartition("/")[2]


def folded_role_name(role: str) -> str:
    """The name of a role, given by name or ARN, to compare it with others: no two roles of an
    account have names that differ only by case, and a path distinguishes none.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
    """
    return role_name_of(role).casefold()


def role_identity(account_id: str, role: str) -> tuple[str, str]:
    """What identifies a role, given by name or ARN: its account and its name."""
    return account_id, folded_role_name(role)


def instance_profile_name_of(arn: str) -> str:
    """The name in the ARN of an instance profile; empty if the text is not such an ARN, or the name
    is none that IAM takes, such as a pattern.
    """
    parsed = parse_arn(arn)
    if parsed is None or not parsed.resource.startswith("instance-profile/"):
        return ""
    name = parsed.resource.rpartition("/")[2]
    is_name = _IAM_NAME.match(name) and len(name) <= INSTANCE_PROFILE_NAME_LIMIT
    return name if is_name else ""


def role_path_of(role_arn: str) -> str:
    """The path in a role's ARN: usually ``/``; ``/aws-service-role/...`` for service-linked roles."""
    return "/" + "".join(f"{part}/" for part in role_arn.split("/")[1:-1])


def partition_of(arn: str) -> str:
    """The partition of an ARN: ``aws``, ``aws-cn``, ``aws-us-gov``, ..."""
    return arn.split(":", 2)[1]


def account_of(arn: str) -> str:
    """The account of an ARN; empty for an ARN without one, such as a bucket's."""
    return arn.split(":", 5)[4]


def account_id_of(principal: str) -> str | None:
    """The account that a principal stands for (an account id or a root ARN), else ``None``."""
    if _ACCOUNT_ID.match(principal):
        return principal
    root = _ROOT_ARN.match(principal)
    return root.group(1) if root else None


def is_unique_id(principal: str) -> bool:
    """Whether a principal is a unique id (AROA..., AIDA...), which AWS shows for deleted
    principals.
    """
    return bool(_UNIQUE_ID.match(principal))


def ec2_service(partition: str) -> str:
    """The service principal of EC2 in a partition."""
    return _EC2_SERVICES.get(partition, "ec2.amazonaws.com")


def ec2_services(partition: str) -> frozenset[str]:
    """All service principals that EC2 may use in a partition: some have their own in addition to
    the usual one.
    """
    usual = "ec2.amazonaws.com"
    return frozenset((usual, ec2_service(partition), _OTHER_EC2_SERVICES.get(partition, usual)))


def _iam_name(value: str, option: str, kind: str, limit: int) -> str:
    if _IAM_NAME.match(value) and len(value) <= limit:
        return value
    excerpt = value if len(value) <= 200 else value[:200] + "..."
    hint = _blanks(value)
    if not hint and "/" in value:
        hint = " Give the name without the path" + (", or the ARN." if kind == "role" else ".")
    raise InputError(
        f"{setting(option)} is {excerpt!r}, which is not the name of an IAM {kind}.",
        f"A name has 1 to {limit} letters, digits and characters of _+=,.@-{hint}",
    )


def _blanks(value: str) -> str:
    """A hint for a value that may be right but for blanks around it, which are hard to see."""
    return " Remove the blanks around it." if value.strip() != value else ""
