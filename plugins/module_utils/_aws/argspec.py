# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The AWS connection options, named as in amazon.aws, and their validation.

This module util is private to the collection.
"""

from __future__ import annotations

import os
import re
import typing as t

from ansible.module_utils.basic import env_fallback

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    parse_account_id,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._credentials import (
    validate_header_value,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    option,
    setting,
)

DEFAULT_SESSION_NAME = "rayfleet-anyscale"
# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_STS_PATTERNS = {
    "assume_role_session_name": (
        re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}\Z"),
        "2 to 64 letters, digits and characters of _+=,.@-",
    ),
    "assume_role_external_id": (
        re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}\Z"),
        "2 to 1224 letters, digits and characters of _+=,.@:/-",
    ),
}


def aws_argument_spec() -> dict[str, dict[str, t.Any]]:
    """The connection options, named as in amazon.aws, and those for the role to assume."""
    return {
        "access_key": {
            "type": "str",
            "aliases": ["aws_access_key_id", "aws_access_key"],
            "no_log": False,
        },
        "secret_key": {
            "type": "str",
            "aliases": ["aws_secret_access_key", "aws_secret_key"],
            "no_log": True,
        },
        "session_token": {"type": "str", "aliases": ["aws_session_token"], "no_log": True},
        "profile": {"type": "str", "aliases": ["aws_profile"]},
        "region": {
            "type": "str",
            "aliases": ["aws_region"],
            "fallback": (env_fallback, ["AWS_REGION", "AWS_DEFAULT_REGION"]),
        },
        "endpoint_url": {
            "type": "str",
            "aliases": ["aws_endpoint_url"],
            "fallback": (env_fallback, ["AWS_URL"]),
        },
        "aws_ca_bundle": {"type": "path", "fallback": (env_fallback, ["AWS_CA_BUNDLE"])},
        "validate_certs": {"type": "bool", "default": True},
        "account_id": {"type": "str"},
        "assume_role_arn": {"type": "str"},
        "assume_role_external_id": {"type": "str"},
        "assume_role_session_name": {"type": "str", "default": DEFAULT_SESSION_NAME},
    }


AWS_RULES: dict[str, t.Any] = {
    "mutually_exclusive": [
        ["profile", "access_key"],
        ["profile", "secret_key"],
        ["profile", "session_token"],
    ],
    "required_together": [["access_key", "secret_key"]],
    "required_by": {
        "session_token": ["access_key"],
        "assume_role_external_id": ["assume_role_arn"],
    },
}


def connection_of(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The key that identifies a connection in a cache: its options, and the environment variables
    that boto3 reads.
    """
    options = {name: params.get(name) for name in aws_argument_spec() if name != "account_id"}
    return {**options, "environment": _environment()}


def base_connection_of(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The key that identifies the credentials that boto3 finds itself, with which roles are assumed:
    those of a profile are the same for all of them.
    """
    options = {name: params.get(name) for name in ("profile", "region")}
    return {**options, "environment": _environment()}


def _environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name.startswith("AWS_") or name == "HOME"
    }


def check_connection(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """Validate the options without calling AWS. An empty option is treated as not set."""
    checked = {name: value for name, value in params.items() if value != ""}
    for name in ("access_key", "secret_key", "session_token"):
        if checked.get(name):
            validate_header_value(checked[name], name)
    if bool(checked.get("access_key")) != bool(checked.get("secret_key")):
        raise InputError("One of access_key and secret_key is empty.", "Set both or neither.")
    if checked.get("account_id"):
        parse_account_id(checked["account_id"])
    if checked.get("assume_role_arn"):
        _check_assumption(checked)
    return checked


def _check_assumption(params: t.Mapping[str, t.Any]) -> None:
    """Validate the role to assume and the other parameters of AssumeRole, before the external id is
    sent to the role's account.
    """
    role = parse_role(params["assume_role_arn"], "assume_role_arn")
    account_id = params.get("account_id")
    if account_id and role.account_id and role.account_id != account_id:
        raise InputError(
            f"{setting('assume_role_arn')} is {role}, which is in account {role.account_id}, but "
            f"{setting('account_id')} is {account_id}.",
            f"Set {option('assume_role_arn')} to a role in {account_id}, or fix "
            f"{option('account_id')}.",
        )
    if role.arn is None:
        raise InputError(
            f"{setting('assume_role_arn')} is {params['assume_role_arn']!r}, which is not an ARN.",
            "Set it to the role's ARN.",
        )
    for name, (pattern, allowed) in _STS_PATTERNS.items():
        value = params.get(name)
        if value is not None and not pattern.match(value):
            raise InputError(
                f"{setting(name)} is {value!r}, which STS does not accept.", f"Use {allowed}"
            )
