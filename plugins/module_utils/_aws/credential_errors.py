# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Convert whatever boto3 raises while it looks for credentials into an error that names the profile,
what failed, and how to fix that.

This module util is private to the collection. It makes no call: to describe an error must not fail.
https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credential_process import (
    by_hand,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.errors import SET_CREDENTIALS
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    CredentialsError,
    option,
)

_SECRET_SETTINGS = ("aws_secret_access_key", "aws_session_token")
_SECRET_VARIABLES = (
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
)
_CONTAINER = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
_TOKEN_FILES = ("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
_WEB_IDENTITY = "AssumeRoleWithWebIdentity"
_HTTP_STATUS = re.compile(r"non 200 response (\d{3})")

Described = tuple[str, str]


@dataclasses.dataclass
class Search:
    """A search for credentials: where it began, and how far it has come."""

    profile: str | None  # that the options or the environment name
    profiles: t.Mapping[str, t.Mapping[str, t.Any]] = dataclasses.field(default_factory=dict)
    role: str | None = None  # the last that was to be assumed
    process: str | None = None  # the profile whose credential_process has succeeded last

    @property
    def chain(self) -> list[str]:
        """The profiles that lead from one to the next by source_profile."""
        names: list[str] = []
        name = self.profile or "default"
        while name in self.profiles and name not in names:
            names.append(name)
            name = self.profiles[name].get("source_profile", "")
        return names

    def having(self, setting: str, value: str | None = None) -> str | None:
        """The first profile of the chain that has a setting, or that has a value of it."""
        found = (
            name
            for name in self.chain
            if setting in self.profiles[name] and value in (None, self.profiles[name][setting])
        )
        return next(found, None)

    @property
    def subject(self) -> str:
        """Whose credentials they are."""
        name = self.profile or next(iter(self.chain), None)
        return f"profile {name}" if name else "the environment"

    def without_secrets(self, text: str) -> str:
        """A text without the secrets of profiles and environment: proxies may quote the request."""
        secrets = [os.environ.get(name) for name in _SECRET_VARIABLES]
        for profile in self.profiles.values():
            secrets += [profile.get(name) for name in _SECRET_SETTINGS]
        for secret in filter(None, secrets):
            text = text.replace(str(secret), "***")
        return text


def credentials_error(error: Exception, search: Search) -> CredentialsError:
    """The error for an exception of boto3, of its dependencies, or of Python."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    describe = next(_DESCRIBE[kind] for kind in kinds if kind in _DESCRIBE)
    message, remedy = describe(error, search)
    answer = getattr(error, "response", None)
    answer = answer if isinstance(answer, dict) else {}
    metadata = answer.get("ResponseMetadata", {})
    return CredentialsError(
        search.without_secrets(message),
        remedy,
        operation=getattr(error, "operation_name", None),
        code=str(answer.get("Error", {}).get("Code") or kinds[0]),
        status=metadata.get("HTTPStatusCode"),
        request_id=metadata.get("RequestId"),
    )


def is_about_credentials(error: Exception) -> bool:
    """Whether an exception that came while a client was made is about how it finds credentials."""
    kinds = (kind.__name__ for kind in type(error).__mro__)
    describe = next(_DESCRIBE[kind] for kind in kinds if kind in _DESCRIBE)
    # Botocore has one class for a wrong profile and for a wrong file of certificates.
    return describe not in _GENERAL and "ca_bundle" not in str(error)


def second_factor_error(profile: str, settings: t.Mapping[str, t.Any]) -> CredentialsError:
    """The error for a profile whose role is to be assumed with a second factor."""
    role, serial = (shlex.quote(str(settings.get(name, ""))) for name in ("role_arn", "mfa_serial"))
    return CredentialsError(
        f"The role of profile {profile} is assumed with the second factor {serial} (mfa_serial): a "
        "task cannot ask for a second factor.",
        f"Get temporary credentials first (aws sts assume-role --role-arn {role} --serial-number "
        f"{serial} --token-code ... --role-session-name ..., or aws sts get-session-token), export "
        "them, and unset AWS_PROFILE.",
        code="RefreshWithMFAUnsupportedError",
    )


# --- what each kind of exception says -------------------------------------------------------------


def _unknown(error: Exception, search: Search) -> Described:
    """The text of an exception of Python may quote what it could not parse."""
    return (
        f"The AWS credentials of {search.subject} cannot be had ({type(error).__name__}).",
        by_hand(search.profile),
    )


def _by_its_text(error: Exception, search: Search) -> Described:
    return (
        f"The AWS credentials of {search.subject} cannot be had: {error}",
        by_hand(search.profile),
    )


def _no_credentials(_error: Exception, search: Search) -> Described:
    where = f": profile {search.profile} leads to none" if search.profile else ""
    return (
        f"Unable to locate credentials{where}.",
        SET_CREDENTIALS,
    )


def _no_profile(error: Exception, _search: Search) -> Described:
    return (
        f"{error}.",
        f"Check {option('profile')} or the environment variable AWS_PROFILE, and the files "
        "~/.aws/config and ~/.aws/credentials (AWS_CONFIG_FILE, AWS_SHARED_CREDENTIALS_FILE).",
    )


def _config(error: Exception, search: Search) -> Described:
    return (
        f"The AWS configuration of {search.subject} is not valid: {error}",
        "Fix it in ~/.aws/config and ~/.aws/credentials, or in the environment. "
        f"{by_hand(search.profile)}",
    )


def _sso(_error: Exception, search: Search) -> Described:
    name = search.having("sso_role_name") or search.having("sso_session") or search.profile
    return (
        f"The AWS credentials of profile {name} cannot be had: there is no token of its SSO session, "
        "or it has expired.",
        f"Run: aws sso login --profile {shlex.quote(name or 'default')}",
    )


def _login(error: Exception, search: Search) -> Described:
    name = search.having("login_session") or search.profile
    return (
        f"The AWS credentials of profile {name} cannot be had: {error}",
        f"Run: aws login --profile {shlex.quote(name or 'default')}",
    )


def _dependency(error: Exception, search: Search) -> Described:
    return (
        f"The AWS credentials of {search.subject} cannot be had: {error}",
        "Install it for the Python that runs the module: pip install 'botocore[crt]'",
    )


def _no_second_factor(_error: Exception, search: Search) -> Described:
    name = search.having("mfa_serial")
    if name:
        failure = second_factor_error(name, search.profiles[name])
        return failure.message, failure.remedy
    return (
        f"The AWS credentials of {search.subject} need a second factor, which a task cannot ask for.",
        "Get temporary credentials first, and export them.",
    )


def _retrieval(error: Exception, search: Search) -> Described:
    provider = getattr(error, "kwargs", {}).get("provider")
    if provider == "custom-process":
        return _printed(error, search)
    return (
        _container(error, search) if provider == "container-role" else _by_its_text(error, search)
    )


def _container(error: Exception, search: Search) -> Described:
    """The answer may contain credentials, so that only its status is shown."""
    name = next((name for name in _CONTAINER if name in os.environ), None)
    if name is None:
        return _unknown(error, search)
    status = _HTTP_STATUS.search(str(error))
    what = f"answered with HTTP {status[1]}" if status else "gave no valid answer"
    return (
        f"The service of {name} ({os.environ[name]}), which gives a container its AWS "
        f"credentials, {what}.",
        "Check the role of the task or pod, or unset the variable to use other credentials.",
    )


def _printed(error: Exception, search: Search) -> Described:
    has_expired = isinstance(error, RuntimeError)
    return (
        f"The credential_process of profile {search.process} printed "
        f"{'credentials that have expired' if has_expired else 'no valid credentials'}.",
        "See https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html for "
        f"what it has to print. {by_hand(search.process)}",
    )


def _of_python(error: Exception, search: Search) -> Described:
    """What came with an answer that is not as it has to be."""
    command = search.having("credential_process")
    if search.process:
        return _printed(error, search)
    if command and isinstance(error, ValueError):
        return (
            f"The credential_process of profile {command} cannot be run: {error}.",
            "Fix its quotes in ~/.aws/config.",
        )
    if any(name in os.environ for name in _CONTAINER):
        return _container(error, search)
    return _unknown(error, search)


def _file(error: Exception, search: Search) -> Described:
    """A file with a token, which is named by a variable or by a setting."""
    path = str(getattr(error, "filename", None) or "")
    variable = next((name for name in _TOKEN_FILES if path and os.environ.get(name) == path), None)
    profile = search.having("web_identity_token_file", path)
    if not (variable or profile):
        return _unknown(error, search)
    named = variable or f"web_identity_token_file of profile {profile}"
    return (
        f"{named}: {path} cannot be read: {getattr(error, 'strerror', None) or error}.",
        "Check the path, and that the token is written there for the user who runs this.",
    )


def _role(error: Exception, search: Search) -> Described:
    """A call that AWS answered with an error, or that botocore refuses to make."""
    response = getattr(error, "response", None)
    answer = response.get("Error", {}) if isinstance(response, dict) else {}
    code, operation = str(answer.get("Code") or ""), getattr(error, "operation_name", "")
    if operation in ("GetRoleCredentials", "CreateToken"):
        return _sso_role(error, search) if code == "ForbiddenException" else _sso(error, search)
    profile = search.having("role_arn", search.role)
    what = f"{code}: {answer.get('Message')}" if code else str(error)
    source = search.profiles.get(profile or "", {})
    return (
        f"The role {search.role} of {f'profile {profile}' if profile else 'the environment'} cannot "
        f"be assumed: {what}",
        _role_remedy(operation, source),
    )


def _role_remedy(operation: str, settings: t.Mapping[str, t.Any]) -> str:
    if operation == _WEB_IDENTITY:
        return (
            "Check that the role's trust policy allows the identity provider of the token, and that "
            "the token (web_identity_token_file, or AWS_WEB_IDENTITY_TOKEN_FILE) is valid."
        )
    source = next(
        (
            f"{name} {settings[name]}"
            for name in ("source_profile", "credential_source")
            if settings.get(name)
        ),
        "the source",
    )
    return (
        f"Check role_arn, and the credentials of {source}: the role's trust policy has to allow them, "
        "and they need the permission sts:AssumeRole."
    )


def _sso_role(error: Exception, search: Search) -> Described:
    name = search.having("sso_role_name") or search.profile
    return (
        f"The AWS credentials of profile {name} cannot be had: {error}",
        "Check sso_account_id and sso_role_name of the profile, and that the role is assigned to you.",
    )


def _no_answer(error: Exception, search: Search) -> Described:
    """The text of an HTTP client may quote the headers that it could not send."""
    may_quote = type(error).__name__ == "HTTPClientError"
    what = "the HTTP client cannot send the request" if may_quote else str(error)
    return (
        f"The AWS credentials of {search.subject} cannot be had: {what or type(error).__name__}",
        "Check the network, the proxy and the region, then run again.",
    )


_DESCRIBE: dict[str, t.Callable[[Exception, Search], Described]] = {
    "NoCredentialsError": _no_credentials,
    "ProfileNotFound": _no_profile,
    "ConfigParseError": _config,
    "ConfigNotFound": _config,
    "InvalidConfigError": _config,
    "InfiniteLoopConfigError": _config,
    "PartialCredentialsError": _config,
    "UnknownCredentialError": _config,
    "UnknownTokenProviderError": _config,
    "InvalidIMDSEndpointError": _config,
    "InvalidIMDSEndpointModeError": _config,
    "InvalidSTSRegionalEndpointsConfigError": _config,
    "InvalidRetryConfigurationError": _config,
    "InvalidMaxRetryAttemptsError": _config,
    "InvalidRetryModeError": _config,
    "InvalidDefaultsMode": _config,
    "InvalidProxiesConfigError": _config,
    "InvalidEndpointConfigurationError": _config,
    "InvalidChecksumConfigError": _config,
    "SSOError": _sso,
    "TokenRetrievalError": _sso,
    "NoAuthTokenError": _sso,
    "LoginError": _login,
    "MissingDependencyException": _dependency,
    "RefreshWithMFAUnsupportedError": _no_second_factor,
    "CredentialRetrievalError": _retrieval,
    "MetadataRetrievalError": _container,
    "ConnectionError": _no_answer,
    "HTTPClientError": _no_answer,
    "ParamValidationError": _role,
    "ClientError": _role,
    "BotoCoreError": _by_its_text,
    "OSError": _file,
    "ValueError": _of_python,
    "TypeError": _of_python,
    "LookupError": _of_python,
    "AttributeError": _of_python,
    "RuntimeError": _of_python,
    "Exception": _unknown,
}
_GENERAL = (_by_its_text, _no_answer, _file, _of_python, _unknown)
