# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session in one AWS account: credentials, the role to assume, clients, and the function that
makes all calls.

This module util is private to the collection. I/O.
https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import threading
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import account_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.argspec import (
    DEFAULT_SESSION_NAME,
    aws_argument_spec,
    base_connection_of,
    check_connection,
    connection_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.botocore_loader import (
    core_session,
    user_agent,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credential_chain import (
    find_credentials,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credential_errors import (
    Search,
    credentials_error,
    is_about_credentials,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credentials import (
    CredentialCache,
    Credentials,
    LazyCredentials,
    good_until,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.errors import (
    SUBJECTS,
    error_of_answer,
    error_without_answer,
    settings_error,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.limits import AccountLimits
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.policy_documents import (
    decode_exactly,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.requests import (
    is_read,
    permission_of,
    record_write,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.sending import (
    has_deadline,
    note_sending,
    refuse_late,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    CredentialsError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._requirements import missing_boto3
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import backoff

try:
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

    HAS_BOTO3 = True
except ImportError:
    HAS_BOTO3 = False

    class BotoCoreError(Exception):  # type: ignore[no-redef]
        """A placeholder for when botocore is not installed; never raised."""

    class ClientError(Exception):  # type: ignore[no-redef]
        """A placeholder for when botocore is not installed; never raised."""


_DEFAULT_REGION = "us-east-1"
_NONE = Credentials(None, "", "", None)
_BOTO3_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_DEFAULT_PROFILE")
_LEGACY_VARIABLES = ("AWS_ACCESS_KEY", "AWS_SECRET_KEY", "AWS_SESSION_TOKEN")
_ATTEMPTS = 8
_TIMEOUTS = {"connect_timeout": 10.0, "read_timeout": 30.0}
_TRUNCATED_RESPONSE_SECONDS = 1.0
# The options that determine who assumes a role.
_OF_SOURCE = tuple(
    name
    for name in aws_argument_spec()
    if not name.startswith("assume_role_") and name not in ("account_id", "region")
)
# These replace documents that have other writers too: before a retry, the caller must read the
# document again.
_OVERWRITES = (
    "UpdateAssumeRolePolicy",
    "PutRolePolicy",
    "DeleteRolePolicy",
    "PutBucketPolicy",
    "DeleteBucketPolicy",
)


class AwsSession:
    """A thread-safe session in the account that the options select. It makes no call before the
    first request.

    ``cache`` shares credentials with other tasks; ``connections`` is the size
    of the connection pool of a service; ``limits`` are those of the account, where other sessions
    call it at the same time; ``sources`` shares the ARNs of those who assume roles.
    """

    def __init__(
        self,
        params: t.Mapping[str, t.Any],
        cache: CredentialCache | None = None,
        connections: int = 1,
        limits: AccountLimits | None = None,
        sources: t.MutableMapping[str, str] | None = None,
    ) -> None:
        if not HAS_BOTO3:
            raise missing_boto3()
        self._params = check_connection(params)
        self._cache = cache
        self._connections = connections
        self._limits = limits
        self._lock = threading.RLock()
        self._clients: dict[str, t.Any] = {}
        self._session: t.Any = None
        self._credentials: Credentials | LazyCredentials = _NONE
        self._caller_arn: str | None = None
        self._sources = {} if sources is None else sources

    def call(self, service: str, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        """Call an AWS operation by its boto3 name. Raises AwsError with the error code, the request
        id and a remedy.

        Retries on throttling, on internal errors and if there is no response, except for operations
        that overwrite. Those are not sent after their deadline.
        """
        client = self._client(service)
        operation = client.meta.method_to_api_mapping[method]
        is_iam_write = service == "iam" and not is_read(operation)
        overwrites = operation in _OVERWRITES
        is_urgent = overwrites and has_deadline()
        limits = self._limits
        with limits.in_flight(is_iam_write, is_urgent) if limits else contextlib.nullcontext():
            if overwrites:
                refuse_late(operation)
            return _call(self._credentials, client, method, arguments)

    def account_id(self) -> str:
        """The account of the session."""
        return account_of(self.caller_arn())

    def caller_arn(self) -> str:
        """The ARN of the user or the role's session that makes the calls: one STS call, unless a
        role was assumed.
        """
        with self._lock:
            self._connected()
            if self._caller_arn is None:
                self._caller_arn = str(self.call("sts", "get_caller_identity")["Arn"])
            return self._caller_arn

    def caller_arns(self) -> tuple[str, ...]:
        """The ARNs of all that a run acts as: the caller, and who assumes its role: one more STS
        call for all the sessions that share ``sources``.
        """
        arns = (self.caller_arn(),)
        return (*arns, self._source_arn()) if self._params.get("assume_role_arn") else arns

    def _source_arn(self) -> str:
        """The ARN of who assumes the role."""
        options = {name: self._params.get(name) for name in _OF_SOURCE}
        key = json.dumps(options, sort_keys=True)
        if key not in self._sources:
            base, credentials = self._base_session()
            client = self._create_client(base, "sts")
            answer = _call(credentials, client, "get_caller_identity", {})
            self._sources[key] = str(answer["Arn"])
        return self._sources[key]

    def _client(self, service: str) -> t.Any:
        with self._lock:
            session = self._connected()
            if service not in self._clients:
                self._clients[service] = self._create_client(session, service)
            return self._clients[service]

    def _connected(self) -> t.Any:
        if self._session is None or not self._credentials.is_fresh:
            self._session, self._credentials = (
                self._assumed_session()
                if self._params.get("assume_role_arn")
                else self._base_session()
            )
            self._clients.clear()
        return self._session

    def _base_session(self) -> tuple[t.Any, LazyCredentials]:
        params = self._params
        with self._setting_errors("An AWS session"):
            core = core_session()
        credentials = LazyCredentials(functools.partial(self._find_base, core))
        core.register_component("credential_provider", credentials)
        # Of the clients with which boto3 gets credentials
        core.set_default_client_config(Config(**_TIMEOUTS))
        session = boto3.session.Session(
            botocore_session=core,
            profile_name=params.get("profile"),
            region_name=params.get("region"),
        )
        return session, credentials

    def _find_base(self, core: t.Any) -> Credentials:
        params = self._params
        given = _given_keys(params)
        if given:
            return given
        find = functools.partial(find_credentials, core)
        # Keys of the environment come first, unless an option names a profile.
        if self._cache is None or (
            os.environ.get("AWS_ACCESS_KEY_ID") and not params.get("profile")
        ):
            return find()
        return self._cache.credentials(base_connection_of(params), find)

    def _assumed_session(self) -> tuple[t.Any, Credentials]:
        """A session with the assumed role. The base session is created only if it is needed."""
        base = functools.cache(self._base_session)

        def assume() -> Credentials:
            return self._assume(*base())

        assumed = (
            self._cache.credentials(connection_of(self._params), assume)
            if self._cache
            else assume()
        )
        self._caller_arn = assumed.caller_arn
        session = boto3.session.Session(
            botocore_session=core_session(),
            aws_access_key_id=assumed.access_key,
            aws_secret_access_key=assumed.secret_key,
            aws_session_token=assumed.session_token,
            region_name=self._params.get("region") or self._region_of(base()[0]),
        )
        return session, assumed

    def _assume(self, base: t.Any, credentials: LazyCredentials) -> Credentials:
        params = self._params
        arguments = {
            "RoleArn": params["assume_role_arn"],
            "RoleSessionName": params.get("assume_role_session_name", DEFAULT_SESSION_NAME),
        }
        if params.get("assume_role_external_id"):
            arguments["ExternalId"] = params["assume_role_external_id"]
        answer = _call(credentials, self._create_client(base, "sts"), "assume_role", arguments)
        issued = answer["Credentials"]
        return Credentials(
            caller_arn=answer["AssumedRoleUser"]["Arn"],
            access_key=issued["AccessKeyId"],
            secret_key=issued["SecretAccessKey"],
            session_token=issued["SessionToken"],
            good_until=good_until(issued["Expiration"].timestamp()),
        )

    def _region_of(self, session: t.Any) -> str | None:
        with self._setting_errors("An AWS session"):
            return t.cast("str | None", session.region_name)

    @contextlib.contextmanager
    def _setting_errors(self, what: str) -> t.Iterator[None]:
        """Raise an error of the collection for what boto3 raises where it reads settings."""
        try:
            yield
        except (BotoCoreError, ValueError) as error:
            profile = self._params.get("profile") or os.environ.get("AWS_PROFILE")
            if is_about_credentials(error):
                raise credentials_error(error, Search(profile)) from error
            raise settings_error(what, error) from error

    def _create_client(self, session: t.Any, service: str) -> t.Any:
        params = self._params
        verify = params.get("aws_ca_bundle") if params.get("validate_certs", True) else False
        config = Config(
            **_TIMEOUTS,
            max_pool_connections=self._connections,
            retries={"mode": "adaptive", "total_max_attempts": _ATTEMPTS},
            user_agent=user_agent(),
            user_agent_extra=DEFAULT_SESSION_NAME,
        )
        with self._setting_errors(f"A client for {service}"):
            client = session.client(
                service,
                region_name=session.region_name or _DEFAULT_REGION,
                endpoint_url=params.get("endpoint_url"),
                verify=verify,
                config=config,
            )
        if service == "iam":
            decode_exactly(client)
        if self._limits:
            client.meta.events.register(f"response-received.{service}", self._limits.notice_answer)
        for operation in _OVERWRITES:
            client.meta.events.register_last(
                f"needs-retry.{service}.{operation}", _raise_instead_of_retry
            )
        # Of the same event as botocore's rate limiter, which waits, so that it comes after that.
        client.meta.events.register_last("before-send", _notice_sending)
        return client


Connect = t.Callable[[t.Mapping[str, t.Any]], AwsSession]


def _given_keys(params: t.Mapping[str, t.Any]) -> Credentials | None:
    """The keys among the options, or else in the legacy variables, which boto3 does not read;
    ``None`` if boto3 is to find credentials itself.
    """
    if params.get("access_key"):
        return Credentials(
            None, params["access_key"], params["secret_key"], params.get("session_token")
        )
    if params.get("profile") or any(os.environ.get(name) for name in _BOTO3_VARIABLES):
        return None
    access_key, secret_key, token = (os.environ.get(name) for name in _LEGACY_VARIABLES)
    if not access_key:
        return None
    if not secret_key:
        raise CredentialsError(
            "AWS_ACCESS_KEY is set in the environment, but AWS_SECRET_KEY is not.",
            "Set both, or better AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.",
            code="PartialCredentialsError",
        )
    return Credentials(None, access_key, secret_key, token)


def _call(
    credentials: Credentials | LazyCredentials,
    client: t.Any,
    method: str,
    arguments: dict[str, t.Any],
) -> dict[str, t.Any]:
    """Call an operation with a client, and remove the secrets that it was signed with from errors:
    proxies and other endpoints may quote the rejected request.
    """
    try:
        return _call_with_retries(client, method, arguments)
    except AwsError as error:
        for secret in credentials.secrets:
            error.message = error.message.replace(secret, "***")
        raise


def _call_with_retries(client: t.Any, method: str, arguments: dict[str, t.Any]) -> dict[str, t.Any]:
    operation = client.meta.method_to_api_mapping[method]
    service = client.meta.service_model.service_name
    about = ", ".join(
        f"{SUBJECTS[name]} {value}" for name, value in arguments.items() if name in SUBJECTS
    )
    for _attempt in backoff(_TRUNCATED_RESPONSE_SECONDS):
        try:
            answer = getattr(client, method)(**arguments)
        except AwsError:
            raise
        except ClientError as error:
            # Not in a variable, by which its traceback would hold itself, and the answer.
            raise _refusal(error, service, operation, about) from error
        except Exception as error:  # botocore's parsers raise other exceptions than BotoCoreError
            failure = error_without_answer(error, operation, about)
        else:
            record_write(service, operation, answer["ResponseMetadata"].get("RequestId"))
            return answer
        # Botocore retries all transient errors except a truncated response.
        if operation in _OVERWRITES or failure.code != "ResponseParserError":
            break
    # Outside the handler, so that no traceback shows a text that may quote credentials.
    raise failure


def _refusal(error: ClientError, service: str, operation: str, about: str) -> AwsError:
    """The error for an answer that refuses; a write that may have taken effect is recorded."""
    refusal = error_of_answer(error, operation, permission_of(service, operation), about)
    if refusal.outcome_unknown:
        record_write(service, operation, refusal.details.get("request_id"))
    return refusal


def _notice_sending(event_name: str, **_event: t.Any) -> None:
    """Raise if a call that overwrites a document is about to leave too late."""
    operation = event_name.rpartition(".")[2]
    if operation in _OVERWRITES:
        refuse_late(operation)
    note_sending()


def _raise_instead_of_retry(
    operation: t.Any,
    response: t.Any = None,
    caught_exception: Exception | None = None,
    **_event: t.Any,
) -> None:
    """Raise the transient error at the point where botocore would retry the call."""
    if caught_exception is not None:
        raise caught_exception
    error = ClientError(response[1], operation.name)
    if error_of_answer(error, operation.name, "", "").is_transient:
        raise error
