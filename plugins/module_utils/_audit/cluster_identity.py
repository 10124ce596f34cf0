# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The identity of a cluster node in AWS, and whether it is the role that its cluster should run
with: what the module ``cluster_identity_info`` does.

This module util is private to the collection. ``read_identity`` may call AWS; the other functions are
pure. https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    parse_arn,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.caller_output import (
    parse_output,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError, TaskError

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "expected_role": {"type": "str"},
    "default_role": {"type": "str"},
    "look_up_role": {"type": "bool", "default": True},
    "output": {"type": "str"},
    "region": {"type": "str", "aliases": ["aws_region"]},
    "endpoint_url": {"type": "str", "aliases": ["aws_endpoint_url"]},
    "aws_ca_bundle": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
}

ASSUMED_ROLE, FEDERATED_USER, USER, ROOT, NO_CREDENTIALS = (
    "assumed_role",
    "federated_user",
    "user",
    "root",
    "none",
)

# EC2 names the session of an instance's role after the instance.
_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}\Z")
# The names that Anyscale gives to default roles: in 'anyscale cloud setup', in 'anyscale cloud
# resource setup', and in releases before these commands.
_CONVENTIONAL_NAME = re.compile(
    r"(?:cld_[A-Za-z0-9_-]+|vm-[a-z]+(?:-[a-z]+)+-[0-9]+-[0-9a-f]+)-cluster_node_role\Z|ray-autoscaler-v1\Z"
)
_WITHOUT_ROLE = {
    ROOT: "The node uses an access key of the account's root user, which no node should have.",
    USER: "The node uses an access key of an IAM user: credentials in the environment or in a file "
    "take precedence over the node's role.",
    FEDERATED_USER: "The node uses credentials of a federated user: credentials in the environment "
    "or in a file take precedence over the node's role.",
    NO_CREDENTIALS: "The node has no credentials: it has no instance profile, or its instance "
    "metadata service cannot be reached.",
}


@dataclasses.dataclass(frozen=True)
class Identity:
    """A caller of AWS. Fields that do not apply to its kind are ``None``. ``role_arn`` has no path
    unless IAM was asked for it, since STS does not return it.
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
        """The instance of the session, where EC2 started the session for one."""
        return self.session_name if _INSTANCE_ID.match(self.session_name or "") else None


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Whether the caller runs with the expected role; if not, a reason code and a message."""

    matches: bool
    reason: str = ""
    message: str = ""


def read_identity(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The module's result, except ``changed``."""
    expected, default = _role(params, "expected_role"), _role(params, "default_role")
    identity, live_arn = _identity(params)
    if expected is None:
        return as_result(identity)
    verdict = judge(
        identity, expected, default.name if default else None, path_is_known=live_arn is not None
    )
    return {
        **as_result(identity),
        "matches": verdict.matches,
        "reason": verdict.reason,
        "message": verdict.message,
    }


def _identity(params: t.Mapping[str, t.Any]) -> tuple[Identity, str | None]:
    """The caller, and its role's ARN where IAM was asked. What the CLI printed needs no call."""
    if params.get("output") is not None:
        return parse_identity(*parse_output(params["output"])), None
    session = AwsSession(params)
    identity = _caller(session)
    live_arn = _live_arn(session, identity) if params["look_up_role"] else None
    return with_path(identity, live_arn), live_arn


def parse_identity(arn: str, user_id: str) -> Identity:
    """The caller in an answer of ``GetCallerIdentity``."""
    parts = parse_arn(arn)
    if parts is None:
        raise TaskError(
            f"GetCallerIdentity returned {arn!r}, which is not an ARN.",
            "Check endpoint_url: the server there is not AWS.",
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
    """Compare a caller with the role that it should have.

    default_role: the name of the cloud's default role. Without it, a default role is recognized by
    the names that Anyscale gives.
    path_is_known: whether the ARN of the caller's role is IAM's, with its path.
    """
    if identity.kind != ASSUMED_ROLE:
        other = f"The node is {identity.arn}, which is not a role."
        return Verdict(False, "no_role", _WITHOUT_ROLE.get(identity.kind, other))
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
            f"The node runs with {identity.role_arn}, whose path is not that of {expected.arn}.",
        )
    if identity.instance_id is None:
        return Verdict(
            False,
            "not_the_instance",
            f"The session name of role {identity.role_name} is {identity.session_name!r}, not an "
            "instance ID: these credentials come from AssumeRole, and take precedence over those "
            "of the node's instance profile.",
        )
    return Verdict(True)


def as_result(identity: Identity) -> dict[str, t.Any]:
    """The identity as the module returns it."""
    return {**dataclasses.asdict(identity), "instance_id": identity.instance_id}


def _another_role(identity: Identity, expected: RoleReference, default_role: str | None) -> Verdict:
    name = identity.role_name or ""
    if name == default_role or (default_role is None and _CONVENTIONAL_NAME.match(name)):
        return Verdict(
            False,
            "default_role",
            f"The node runs with the cloud's default role {name}, not {expected.name}: its "
            "cluster was started without the compute config that names the instance profile, or "
            "with an older version of it.",
        )
    return Verdict(
        False,
        "another_role",
        f"The node runs with role {name}, not {expected.name}: the compute config of its cluster, "
        "or of its node group, names another instance profile, or that profile holds another role.",
    )


def _role(params: t.Mapping[str, t.Any], option: str) -> RoleReference | None:
    return None if params[option] is None else parse_role(params[option], option)


def _caller(session: AwsSession) -> Identity:
    try:
        answer = session.call("sts", "get_caller_identity")
    except AwsError as error:
        if error.code != "NoCredentialsError":
            raise
        return Identity(NO_CREDENTIALS)
    return parse_identity(answer["Arn"], answer["UserId"])


def _live_arn(session: AwsSession, identity: Identity) -> str | None:
    """The ARN that IAM has for the role, where IAM can be asked."""
    try:
        role = Iam(session).role(identity.role_name) if identity.role_name else None
    except AwsError:
        return None
    return str(role["Arn"]) if role else None
