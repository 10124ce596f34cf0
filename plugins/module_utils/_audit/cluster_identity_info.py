# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ask AWS who a cluster node is: what the module ``cluster_identity_info`` does.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.cluster_identity import (
    NOBODY,
    Identity,
    as_result,
    judge,
    parse_identity,
    with_path,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError

ARGUMENT_SPEC: dict[str, dict[str, t.Any]] = {
    "expected_role": {"type": "str"},
    "default_role": {"type": "str"},
    "look_up_role": {"type": "bool", "default": True},
    "region": {"type": "str", "aliases": ["aws_region"]},
    "endpoint_url": {"type": "str", "aliases": ["aws_endpoint_url"]},
    "aws_ca_bundle": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
}


def look(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The module's result, but for ``changed``."""
    expected, default = _role(params, "expected_role"), _role(params, "default_role")
    session = AwsSession(params)
    identity = _caller(session)
    live_arn = _live_arn(session, identity) if params["look_up_role"] else None
    identity = with_path(identity, live_arn)
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


def _role(params: t.Mapping[str, t.Any], option: str) -> RoleReference | None:
    return None if params[option] is None else parse_role(params[option], option)


def _caller(session: AwsSession) -> Identity:
    try:
        answer = session.call("sts", "get_caller_identity")
    except AwsError as error:
        if error.code != "NoCredentialsError":
            raise
        return Identity(NOBODY)
    return parse_identity(answer["Arn"], answer["UserId"])


def _live_arn(session: AwsSession, identity: Identity) -> str | None:
    """The ARN that IAM has for the role, where IAM can be asked."""
    try:
        role = Iam(session).role(identity.role_name) if identity.role_name else None
    except AwsError:
        return None
    return str(role["Arn"]) if role else None
