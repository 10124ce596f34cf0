# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connect to AWS: the connection options, boto3's credential chain, and the role to assume in a cloud's account.

This module util is private to the collection.
https://boto3.amazonaws.com/v1/documentation/api/latest/guide/credentials.html
"""

from __future__ import annotations

import os
import typing as t

from ansible.module_utils.basic import env_fallback, missing_required_lib

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError, InputError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._names import parse_account_id, parse_role

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    HAS_BOTO3 = True
except ImportError:
    HAS_BOTO3 = False

    class BotoCoreError(Exception):  # type: ignore[no-redef]
        """Stands in where botocore is missing: nothing raises it then."""

    class ClientError(Exception):  # type: ignore[no-redef]
        """Stands in where botocore is missing: nothing raises it then."""


DEFAULT_SESSION_NAME = "rayfleet-anyscale"
_DEFAULT_REGION = "us-east-1"
_ATTEMPTS = 8
_CONNECT_SECONDS = 10
_READ_SECONDS = 30

_REMEDIES = {
    "AccessDenied": "Allow the caller {action}; the message says whether a policy denies it.",
    "AccessDeniedException": "Allow the caller {action}; the message says whether a policy denies it.",
    "MethodNotAllowed": "Only the account that owns the bucket may do this: connect to that account, with assume_role_arn for example.",
    "InvalidClientTokenId": "Check access_key, or the credentials that boto3 finds in the environment.",
    "SignatureDoesNotMatch": "Check secret_key, or the credentials that boto3 finds in the environment.",
    "ExpiredToken": "Get new temporary credentials.",
    "ExpiredTokenException": "Get new temporary credentials.",
    "NoSuchBucket": "Check the bucket's name and the account that the caller is in.",
    "Throttling": "Run again with fewer forks: the account's rate of calls was exceeded for longer than the retries last.",
    "SlowDown": "Run again with fewer forks: the account's rate of calls was exceeded for longer than the retries last.",
    "NoCredentialsError": "Set access_key and secret_key, or profile, or one of the sources that boto3 reads by itself.",
    "ProfileNotFound": "Check profile, and the files ~/.aws/config and ~/.aws/credentials.",
    "EndpointConnectionError": "Check region, endpoint_url and the network.",
}


def aws_argument_spec() -> dict[str, dict[str, t.Any]]:
    """The connection options, named as in amazon.aws, and those of the role to assume."""
    return {
        "access_key": {"type": "str", "aliases": ["aws_access_key_id", "aws_access_key"], "no_log": False},
        "secret_key": {"type": "str", "aliases": ["aws_secret_access_key", "aws_secret_key"], "no_log": True},
        "session_token": {"type": "str", "aliases": ["aws_session_token"], "no_log": True},
        "profile": {"type": "str", "aliases": ["aws_profile"]},
        "region": {"type": "str", "aliases": ["aws_region"], "fallback": (env_fallback, ["AWS_REGION", "AWS_DEFAULT_REGION"])},
        "endpoint_url": {"type": "str", "aliases": ["aws_endpoint_url"], "fallback": (env_fallback, ["AWS_URL"])},
        "aws_ca_bundle": {"type": "path", "fallback": (env_fallback, ["AWS_CA_BUNDLE"])},
        "validate_certs": {"type": "bool", "default": True},
        "account_id": {"type": "str"},
        "assume_role_arn": {"type": "str"},
        "assume_role_external_id": {"type": "str"},
        "assume_role_session_name": {"type": "str", "default": DEFAULT_SESSION_NAME},
    }


AWS_RULES: dict[str, t.Any] = {
    "mutually_exclusive": [["profile", "access_key"], ["profile", "secret_key"], ["profile", "session_token"]],
    "required_together": [["access_key", "secret_key"]],
    "required_by": {"session_token": ["access_key"], "assume_role_external_id": ["assume_role_arn"]},
}


class AwsSession:
    """A session in the account that the options lead to. Nothing is called before it is needed."""

    def __init__(self, params: t.Mapping[str, t.Any]) -> None:
        if not HAS_BOTO3:
            raise TaskError(
                missing_required_lib("boto3"),
                "Install it for that Python, or set ansible_python_interpreter to one that has it: "
                "\"{{ ansible_playbook_python }}\" is the Python that runs ansible-playbook.",
            )
        self._params = params
        self._clients: dict[str, t.Any] = {}
        self._session: t.Any = None
        self._account_id: str | None = None
        if params.get("account_id"):
            parse_account_id(params["account_id"])
        if params.get("assume_role_arn") and parse_role(params["assume_role_arn"], "assume_role_arn").arn is None:
            raise InputError(f"assume_role_arn is {params['assume_role_arn']!r}, which is not an ARN.", "Give the role's ARN.")

    def call(self, service: str, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        """Call an operation of AWS by its boto3 name. Raises AwsError with the code, the request id and a remedy."""
        return _call(self._client(service), method, arguments)

    def account_id(self) -> str:
        """The account that the session is in: one call of STS, unless a role was assumed."""
        self._connected()
        if self._account_id is None:
            self._account_id = self.call("sts", "get_caller_identity")["Account"]
        return self._account_id

    def _client(self, service: str) -> t.Any:
        session = self._connected()
        if service not in self._clients:
            self._clients[service] = self._made(session, service)
        return self._clients[service]

    def _connected(self) -> t.Any:
        if self._session is None:
            base = self._base_session()
            self._session = self._assumed(base) if self._params.get("assume_role_arn") else base
        return self._session

    def _base_session(self) -> t.Any:
        params = self._params
        keys = {"aws_access_key_id": params.get("access_key"), "aws_secret_access_key": params.get("secret_key")}
        if not params.get("profile") and not params.get("access_key") and os.environ.get("AWS_ACCESS_KEY"):
            keys = {"aws_access_key_id": os.environ["AWS_ACCESS_KEY"], "aws_secret_access_key": os.environ.get("AWS_SECRET_KEY")}
        try:
            return boto3.session.Session(
                **keys,
                aws_session_token=params.get("session_token"),
                profile_name=params.get("profile"),
                region_name=params.get("region"),
            )
        except BotoCoreError as error:
            raise _without_answer(error, "open an AWS session", "") from error

    def _assumed(self, base: t.Any) -> t.Any:
        params = self._params
        arguments = {"RoleArn": params["assume_role_arn"], "RoleSessionName": params["assume_role_session_name"]}
        if params.get("assume_role_external_id"):
            arguments["ExternalId"] = params["assume_role_external_id"]
        answer = _call(self._made(base, "sts"), "assume_role", arguments)
        self._account_id = answer["AssumedRoleUser"]["Arn"].split(":")[4]
        credentials = answer["Credentials"]
        return boto3.session.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=base.region_name,
        )

    def _made(self, session: t.Any, service: str) -> t.Any:
        params = self._params
        verify = params.get("aws_ca_bundle") if params.get("validate_certs", True) else False
        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            retries={"mode": "adaptive", "total_max_attempts": _ATTEMPTS},
            user_agent_extra=DEFAULT_SESSION_NAME,
        )
        try:
            return session.client(
                service,
                region_name=session.region_name or _DEFAULT_REGION,
                endpoint_url=params.get("endpoint_url"),
                verify=verify,
                config=config,
            )
        except (BotoCoreError, ValueError) as error:
            raise _without_answer(error, f"make a client for {service}", "") from error


def _call(client: t.Any, method: str, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    operation = client.meta.method_to_api_mapping[method]
    action = f"{client.meta.service_model.service_name}:{operation}"
    try:
        return getattr(client, method)(**arguments)
    except ClientError as error:
        raise _with_answer(error, operation, action) from error
    except BotoCoreError as error:
        raise _without_answer(error, operation, action) from error


def _with_answer(error: t.Any, operation: str, action: str) -> AwsError:
    answer, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code = str(answer.get("Code", ""))
    return AwsError(
        f"{operation} failed with {code or 'an error'}: {answer.get('Message') or 'no message'}",
        _REMEDIES.get(code, "").format(action=action),
        operation=operation,
        code=code,
        status=metadata.get("HTTPStatusCode"),
        request_id=metadata.get("RequestId"),
    )


def _without_answer(error: Exception, operation: str, action: str) -> AwsError:
    code = type(error).__name__
    return AwsError(f"{operation} failed: {error}", _REMEDIES.get(code, "").format(action=action), operation=operation, code=code)
