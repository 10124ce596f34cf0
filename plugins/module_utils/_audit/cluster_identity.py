# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Who a cluster node is to AWS, and whether that is the role that its cluster should run with.

This module util is private to the collection. Pure: it reads what ``GetCallerIdentity`` answers.
https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    parse_arn,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError

ASSUMED_ROLE, FEDERATED_USER, USER, ROOT, NOBODY = (
    "assumed_role",
    "federated_user",
    "user",
    "root",
    "none",
)

# EC2 names the session of an instance's role after the instance.
_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}\Z")
# What Anyscale names a default role: 'anyscale cloud setup', 'anyscale cloud resource setup', and
# what came before these.
_CONVENTIONAL = re.compile(
    r"(?:cld_[A-Za-z0-9_-]+|vm-[a-z]+(?:-[a-z]+)+-[0-9]+-[0-9a-f]+)-cluster_node_role\Z|ray-autoscaler-v1\Z"
)
_WITHOUT_A_ROLE = {
    ROOT: "the account's root user: its keys are on the node, which nothing should have",
    USER: "an IAM user: keys in the environment or in a file hide the node's role",
    FEDERATED_USER: "a federated user: keys in the environment or in a file hide the node's role",
    NOBODY: "nobody: the node has no instance profile, or its metadata service cannot be reached",
}


@dataclasses.dataclass(frozen=True)
class Identity:
    """A caller of AWS. What does not apply to its kind is ``None``; a role's ARN is without the
    path until IAM told it.
    """

    kind: str
    arn: str | None = None
    user_id: str | None = None
    account_id: str | None = None
    role_name: str | None = None
    role_arn: str | None = None
    session_name: str | None = None

    @property
    def instance_id(self) -> str | None:
        """The instance that the session is of, where it is one of an instance."""
        return self.session_name if _INSTANCE_ID.match(self.session_name or "") else None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether the caller runs with the expected role, and if not, why: a code, and a sentence for
    people.
    """

    matches: bool
    reason: str = ""
    message: str = ""


def parse_identity(arn: str, user_id: str) -> Identity:
    """The caller that ``GetCallerIdentity`` names."""
    parts = parse_arn(arn)
    if parts is None:
        raise TaskError(
            f"GetCallerIdentity answered with {arn!r}, which is not an ARN.",
            "Check endpoint_url: what answers there is not AWS.",
        )
    kind, *names = parts.resource.split("/")
    caller = Identity(kind.replace("-", "_"), arn, user_id, parts.account_id)
    if caller.kind != ASSUMED_ROLE or len(names) != 2:
        return caller
    role_name, session_name = names
    role_arn = f"arn:{parts.partition}:iam::{parts.account_id}:role/{role_name}"
    return dataclasses.replace(
        caller, role_name=role_name, role_arn=role_arn, session_name=session_name
    )


def with_path(identity: Identity, live_arn: str | None) -> Identity:
    """The identity with its role's ARN as IAM has it, where IAM could be asked."""
    return dataclasses.replace(identity, role_arn=live_arn) if live_arn else identity


def judge(
    identity: Identity, expected: RoleReference, default_role: str | None, path_is_known: bool
) -> Verdict:
    """Compare a caller with the role that it should be.

    default_role: the name of the role that the cloud falls back to; without it, it is known by the
    names that Anyscale gives.
    path_is_known: whether the ARN of the caller's role is IAM's, with its path.
    """
    if identity.kind != ASSUMED_ROLE:
        return Verdict(
            False,
            "no_role",
            f"The node acts as {_WITHOUT_A_ROLE.get(identity.kind, identity.arn)}.",
        )
    if identity.role_name != expected.name:
        return _another_role(identity, expected, default_role)
    if expected.account_id and expected.account_id != identity.account_id:
        return Verdict(
            False,
            "another_account",
            f"The node runs with a role of that name in account {identity.account_id}, not "
            f"{expected.account_id}.",
        )
    if expected.arn and path_is_known and identity.role_arn != str(expected.arn):
        return Verdict(
            False,
            "another_path",
            f"The node runs with {identity.role_arn}, which has another path than {expected.arn}.",
        )
    if identity.instance_id is None:
        return Verdict(
            False,
            "not_the_instance",
            f"The session of role {identity.role_name} is {identity.session_name!r}, not an "
            "instance's: somebody assumed the role, and those keys hide what the node itself has.",
        )
    return Verdict(True)


def _another_role(identity: Identity, expected: RoleReference, default_role: str | None) -> Verdict:
    name = identity.role_name or ""
    if name == default_role or (default_role is None and _CONVENTIONAL.match(name)):
        return Verdict(
            False,
            "default_role",
            f"The node runs with the cloud's default role {name}, not {expected.name}: its "
            "cluster was started without the compute config "
            "that names the instance profile, or with an older version of it.",
        )
    return Verdict(
        False,
        "another_role",
        f"The node runs with role {name}, not {expected.name}: the compute config of its cluster, "
        "or of its node group, names another "
        "instance profile, or that profile holds another role.",
    )


def as_result(identity: Identity) -> dict[str, t.Any]:
    """The identity as a module returns it."""
    return {**dataclasses.asdict(identity), "instance_id": identity.instance_id}
