# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connect to AWS: the connection options, boto3's credential chain, and the role to assume in a cloud's account.

This module util is private to the collection.
https://boto3.amazonaws.com/v1/documentation/api/latest/guide/credentials.html
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import threading
import typing as t

from ansible.module_utils.basic import env_fallback, missing_required_lib

from ansible_collections.rayfleet.anyscale.plugins.module_utils._botocore import core_session
from ansible_collections.rayfleet.anyscale.plugins.module_utils._credentials import refuse_unsendable
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError, InputError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._names import account_of, parse_account_id, parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._patience import attempts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._session_cache import Assumed, SessionCache, good_until

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
_KNOWN_TO_BOTO3 = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_ATTEMPTS = 8
_CONNECT_SECONDS = 10
_READ_SECONDS = 30
_UNREADABLE_SECONDS = 1.0

# https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
_TAKEN_BY_STS = {
    "assume_role_session_name": (re.compile(r"[A-Za-z0-9_+=,.@-]{2,64}\Z"), "2 to 64 characters out of letters, digits and _+=,.@-"),
    "assume_role_external_id": (re.compile(r"[A-Za-z0-9_+=,.@:/-]{2,1224}\Z"), "2 to 1224 characters out of letters, digits and _+=,.@:/-"),
}

_READS = ("Get", "List", "AssumeRole")
# These replace what others write to as well: before another attempt, somebody has to look whether they have.
_OVERWRITES = ("UpdateAssumeRolePolicy", "PutBucketPolicy", "DeleteBucketPolicy")
# What a call is about, by the argument that names it.
_SUBJECTS = {"RoleName": "role", "RoleArn": "role", "InstanceProfileName": "instance profile", "Bucket": "bucket"}
# The action that AWS misses, which need not be that of the call: of AddRoleToInstanceProfile it may be iam:PassRole.
_MISSED = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9]+)")
_ACCESS_DENIED = "Allow the caller {action}; the message says whether a policy denies it."
_WRONG_KEYS = "Check access_key, secret_key and session_token, or the credentials that boto3 finds in the environment."
_EXPIRED = "Get new temporary credentials."
_TOO_FAST = "Run again with fewer forks: the account's rate of calls was exceeded for longer than the retries last."
_NOT_AWS = "Check endpoint_url and the proxy: what answers there is not AWS."
_FAILED = "That is a failure of AWS's own: run again a little later."
_UNANSWERED = "Check the network and the proxy, then run again."
_BUSY = "Somebody else is changing the same thing: run again when they are done."
_REFUSED = "AWS takes a policy whole, or not at all, and the message says what for: mend that statement, whosever it is, then run again."
_SETTINGS = "Check region, endpoint_url and aws_ca_bundle."
_REMEDIES = {
    "AccessDenied": _ACCESS_DENIED,
    "AccessDeniedException": _ACCESS_DENIED,
    "MethodNotAllowed": "Only the account that owns the bucket may do this: connect to that account, with assume_role_arn for example.",
    "InvalidClientTokenId": _WRONG_KEYS,
    "InvalidAccessKeyId": _WRONG_KEYS,
    "MissingAuthenticationToken": _WRONG_KEYS,
    "IncompleteSignature": _WRONG_KEYS,
    "SignatureDoesNotMatch": _WRONG_KEYS,
    "InvalidToken": _WRONG_KEYS,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "NoSuchBucket": "Check the bucket's name and the account that the caller is in.",
    "MalformedPolicy": _REFUSED,
    "MalformedPolicyDocument": _REFUSED,
    "LimitExceeded": "Raise the quota in the account's Service Quotas, or free some of it.",
    "UpdateAssumeRolePolicy LimitExceeded": "Raise the account's quota 'Role trust policy length', and quota_chars with it, "
    "or take out statements that are no longer needed.",
    "Throttling": _TOO_FAST,
    "SlowDown": _TOO_FAST,
    "NoCredentialsError": "Set access_key and secret_key, or profile, or one of the sources that boto3 reads by itself.",
    "PartialCredentialsError": "Set access_key and secret_key, or profile, or one of the sources that boto3 reads by itself.",
    "ProfileNotFound": "Check profile, and the files ~/.aws/config and ~/.aws/credentials.",
    "ThrottlingException": _TOO_FAST,
    "RequestLimitExceeded": _TOO_FAST,
    "TooManyRequestsException": _TOO_FAST,
    "OperationAborted": _BUSY,
    "ConcurrentModification": _BUSY,
    "EntityTemporarilyUnmodifiable": _BUSY,
    "ConnectTimeoutError": _UNANSWERED,
    "ConnectionClosedError": _UNANSWERED,
    "ProxyConnectionError": _UNANSWERED,
    "ReadTimeoutError": _UNANSWERED,
    "EndpointConnectionError": "Check region, endpoint_url and the network.",
    "HTTPClientError": "Look for a line break or a blank in the credentials (access_key, secret_key, session_token, or those that "
    "boto3 finds in the environment), and check endpoint_url.",
    "ResponseParserError": _NOT_AWS,
    "RecursionError": "Put the policy right in the AWS console first.",
}
# In the place of texts that quote a request's headers or an answer's body, since both may hold credentials, or that mean nothing.
_UNQUOTED = {
    "HTTPClientError": "the HTTP client cannot send the request",
    "ResponseParserError": "the answer is not in AWS's language",
    "RecursionError": "the policy in the answer is nested too deeply",
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


def connection_of(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The connection that parameters ask for, to know it again: the options, and the environment that boto3 reads as well."""
    options = {name: params.get(name) for name in aws_argument_spec() if name != "account_id"}
    return {**options, "environment": {name: value for name, value in os.environ.items() if name.startswith("AWS_") or name == "HOME"}}


class AwsSession:
    """A session in the account that the options lead to, for as many threads as like. Nothing is called before it is needed.

    ``cache`` keeps the credentials of assumed roles for other tasks; ``connections`` are how many calls of a service can
    be under way at once without a new connection each.
    """

    def __init__(self, params: t.Mapping[str, t.Any], cache: SessionCache | None = None, connections: int = 1) -> None:
        if not HAS_BOTO3:
            raise TaskError(
                missing_required_lib("boto3"),
                "Install it for that Python, or set ansible_python_interpreter to one that has it: "
                '"{{ ansible_playbook_python }}" is the Python that runs ansible-playbook.',
            )
        self._params = _checked(params)
        self._cache = cache
        self._connections = connections
        self._lock = threading.RLock()
        self._clients: dict[str, t.Any] = {}
        self._session: t.Any = None
        self._assumed: Assumed | None = None
        self._account_id: str | None = None

    def call(self, service: str, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        """Call an operation of AWS by its boto3 name. Raises AwsError with the code, the request id and a remedy.

        It is repeated where AWS is too busy, fails or does not answer, unless it overwrites.
        """
        client = self._client(service)
        return _call(self._session, client, method, arguments)

    def account_id(self) -> str:
        """The account that the session is in: one call of STS, unless a role was assumed."""
        with self._lock:
            self._connected()
            if self._account_id is None:
                self._account_id = self.call("sts", "get_caller_identity")["Account"]
            return self._account_id

    def _client(self, service: str) -> t.Any:
        with self._lock:
            session = self._connected()
            if service not in self._clients:
                self._clients[service] = self._made(session, service)
            return self._clients[service]

    def _connected(self) -> t.Any:
        if self._session is None or (self._assumed and not self._assumed.is_fresh):
            self._session = self._in_account() if self._params.get("assume_role_arn") else self._base_session()
            self._clients.clear()
        return self._session

    def _base_session(self) -> t.Any:
        params = self._params
        try:
            return boto3.session.Session(
                botocore_session=core_session(),
                **_keys(params),
                profile_name=params.get("profile"),
                region_name=params.get("region"),
            )
        except BotoCoreError as error:
            raise _unusable("An AWS session", error) from error

    def _in_account(self) -> t.Any:
        """The session of the role to assume. The one to assume it from is made only where it is needed."""
        base = functools.cache(self._base_session)

        def assume() -> Assumed:
            return self._assume(base())

        assumed = self._cache.assumed(connection_of(self._params), assume) if self._cache else assume()
        self._assumed, self._account_id = assumed, assumed.account_id
        return boto3.session.Session(
            botocore_session=core_session(),
            aws_access_key_id=assumed.access_key,
            aws_secret_access_key=assumed.secret_key,
            aws_session_token=assumed.session_token,
            region_name=self._params.get("region") or base().region_name,
        )

    def _assume(self, base: t.Any) -> Assumed:
        params = self._params
        arguments = {"RoleArn": params["assume_role_arn"], "RoleSessionName": params.get("assume_role_session_name", DEFAULT_SESSION_NAME)}
        if params.get("assume_role_external_id"):
            arguments["ExternalId"] = params["assume_role_external_id"]
        answer = _call(base, self._made(base, "sts"), "assume_role", arguments)
        credentials = answer["Credentials"]
        return Assumed(
            account_id=account_of(answer["AssumedRoleUser"]["Arn"]),
            access_key=credentials["AccessKeyId"],
            secret_key=credentials["SecretAccessKey"],
            session_token=credentials["SessionToken"],
            good_until=good_until(credentials["Expiration"].timestamp()),
        )

    def _made(self, session: t.Any, service: str) -> t.Any:
        params = self._params
        verify = params.get("aws_ca_bundle") if params.get("validate_certs", True) else False
        config = Config(
            connect_timeout=_CONNECT_SECONDS,
            read_timeout=_READ_SECONDS,
            max_pool_connections=self._connections,
            retries={"mode": "adaptive", "total_max_attempts": _ATTEMPTS},
            user_agent_extra=DEFAULT_SESSION_NAME,
        )
        try:
            client = session.client(
                service,
                region_name=session.region_name or _DEFAULT_REGION,
                endpoint_url=params.get("endpoint_url"),
                verify=verify,
                config=config,
            )
        except (BotoCoreError, ValueError) as error:
            raise _unusable(f"A client for {service}", error) from error
        for operation in _OVERWRITES:
            client.meta.events.register_last(f"needs-retry.{service}.{operation}", _end_here)
        return client


Connect = t.Callable[[t.Mapping[str, t.Any]], AwsSession]


def _keys(params: t.Mapping[str, t.Any]) -> dict[str, str | None]:
    """The keys to give to boto3; none where it is to look by itself. It does not know the older names of the variables."""
    keys = {"aws_access_key_id": "access_key", "aws_secret_access_key": "secret_key", "aws_session_token": "session_token"}
    given = {name: params.get(option) for name, option in keys.items()}
    if params.get("profile") or params.get("access_key") or any(os.environ.get(name) for name in _KNOWN_TO_BOTO3):
        return given
    older = {"aws_access_key_id": "AWS_ACCESS_KEY", "aws_secret_access_key": "AWS_SECRET_KEY", "aws_session_token": "AWS_SESSION_TOKEN"}
    return {name: os.environ.get(variable) for name, variable in older.items()} if os.environ.get("AWS_ACCESS_KEY") else given


def _checked(params: t.Mapping[str, t.Any]) -> dict[str, t.Any]:
    """The options, checked as far as they can be without a call; empty ones of the connection count as not given."""
    checked = {name: value for name, value in params.items() if value != ""}
    for option in ("access_key", "secret_key", "session_token"):
        if checked.get(option):
            refuse_unsendable(checked[option], option)
    if bool(checked.get("access_key")) != bool(checked.get("secret_key")):
        raise InputError("One of access_key and secret_key is empty.", "Give both or none.")
    if checked.get("account_id"):
        parse_account_id(checked["account_id"])
    if checked.get("assume_role_arn"):
        _check_assumption(checked)
    return checked


def _check_assumption(params: t.Mapping[str, t.Any]) -> None:
    """The role to assume, and what goes to STS with it."""
    if parse_role(params["assume_role_arn"], "assume_role_arn").arn is None:
        raise InputError(f"assume_role_arn is {params['assume_role_arn']!r}, which is not an ARN.", "Give the role's ARN.")
    for option, (pattern, taken) in _TAKEN_BY_STS.items():
        value = params.get(option)
        if value is not None and not pattern.match(value):
            raise InputError(f"{option} is {value!r}, which STS does not take.", f"Give {taken}")


def _call(session: t.Any, client: t.Any, method: str, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    """Call an operation with a client of a session, whose keys are in no message."""
    try:
        return _answered(client, method, arguments)
    except AwsError as error:
        _take_out_keys(error, session)
        raise


def _answered(client: t.Any, method: str, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    operation = client.meta.method_to_api_mapping[method]
    action = f"{client.meta.service_model.service_name}:{operation}"
    about = ", ".join(f"{_SUBJECTS[name]} {value}" for name, value in arguments.items() if name in _SUBJECTS)
    for _attempt in attempts(_UNREADABLE_SECONDS):
        try:
            return getattr(client, method)(**arguments)
        except ClientError as error:
            raise _with_answer(error, operation, action, about) from error
        except Exception as error:  # botocore's parsers, for one, raise what is no BotoCoreError
            failure = _without_answer(error, operation, about)
        # Of all that may pass, botocore itself does not repeat a call whose answer breaks off.
        if operation in _OVERWRITES or failure.code != "ResponseParserError":
            break
    # Outside of the handler: not even a traceback is to show a text that may quote credentials.
    raise failure


def _take_out_keys(error: AwsError, session: t.Any) -> None:
    """Take a session's secrets out of a message: some that answer in the place of AWS quote the request that they refuse."""
    if "status" in error.details:  # else nobody answered, and whether there are credentials at all may take long to find out
        with contextlib.suppress(BotoCoreError):
            keys = session.get_credentials()
            for secret in filter(None, (keys.secret_key, keys.token) if keys else ()):
                error.message = error.message.replace(secret, "***")


def _end_here(operation: t.Any, response: t.Any = None, caught_exception: Exception | None = None, **_event: t.Any) -> None:
    """End a call, at the point where botocore would repeat it, by an error that may pass."""
    if caught_exception is not None:
        raise caught_exception
    error = ClientError(response[1], operation.name)
    if _with_answer(error, operation.name, "", "").is_passing:
        raise error


def _unusable(what: str, error: Exception) -> AwsError:
    """The error for settings that boto3 refuses before any call."""
    code = type(error).__name__
    return AwsError(f"{what} cannot be made: {error}", _REMEDIES.get(code, _SETTINGS), code=code)


def _with_answer(error: t.Any, operation: str, action: str, about: str) -> AwsError:
    answer, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, status = str(answer.get("Code") or ""), metadata.get("HTTPStatusCode")
    missed = _MISSED.search(str(answer.get("Message") or ""))
    # Without a body that it understands, botocore makes the status the code.
    is_of_aws = bool(code) and not code.isdigit()
    remedy = _REMEDIES.get(f"{operation} {code}") or _REMEDIES.get(code) or (_FAILED if int(status or 0) >= 500 else "")
    failure = AwsError(
        f"{_named(operation, about)} failed with {code if is_of_aws else f'HTTP {status}'}: {answer.get('Message') or 'no message'}",
        remedy.format(action=missed[1] if missed else action) if is_of_aws else _NOT_AWS,
        operation=operation,
        code=code,
        status=status,
        request_id=metadata.get("RequestId"),
    )
    failure.remedy = failure.remedy or (_TOO_FAST if failure.is_passing else "")
    return _with_doubt(failure, operation)


def _without_answer(error: Exception, operation: str, about: str) -> AwsError:
    code = type(error).__name__
    text = _UNQUOTED.get(code, str(error))
    failure = AwsError(f"{_named(operation, about)} failed: {text}", _REMEDIES.get(code, ""), operation=operation, code=code)
    return _with_doubt(failure, operation)


def _with_doubt(failure: AwsError, operation: str) -> AwsError:
    """The failure, with the warning that a write is due whose answer was lost."""
    if failure.is_lost and not operation.startswith(_READS):
        failure.remedy += " It may have been done all the same."
    return failure


def _named(operation: str, about: str) -> str:
    return f"{operation} ({about})" if about else operation
