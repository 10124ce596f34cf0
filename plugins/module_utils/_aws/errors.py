# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Convert exceptions of AWS and botocore into the collection's errors: what failed, the error code
and message of the service, and how to fix it.

This module util is private to the collection. It makes no call of its own.
https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import re
import ssl
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.requests import is_read
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    CertificateError,
    option,
)

_MISSING = (
    "NoSuchEntity",
    "NoSuchBucketPolicy",
    "NoSuchTagSet",
    "NoSuchCORSConfiguration",
    "ServerSideEncryptionConfigurationNotFoundError",
)
# The kind of resource, by the argument that names it.
SUBJECTS = {
    "RoleName": "role",
    "RoleArn": "role",
    "InstanceProfileName": "instance profile",
    "Bucket": "bucket",
    "KeyId": "key",
}
# The denied action, which is not always that of the call: AddRoleToInstanceProfile also needs
# iam:PassRole.
_DENIED_ACTION = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9]+)")
_ACCESS_DENIED = (
    "Grant {action} to the caller. The message says whether an explicit deny causes this."
)
SET_CREDENTIALS = (
    f"Set {option('access_key')} and {option('secret_key')}, or {option('profile')}, or provide "
    "credentials in a way that boto3 finds."
)
_WRONG_KEYS = (
    "Check access_key, secret_key and session_token, or the credentials that boto3 finds in the "
    "environment."
)
_EXPIRED = "Get new temporary credentials."
_TOO_FAST = "Run again with fewer forks: AWS throttled the calls for longer than they are retried."
_NOT_AWS = "Check endpoint_url and the proxy: the response is not from AWS."
_FAILED = "This is an internal error of AWS: run again later."
_NO_RESPONSE = "Check the network and the proxy, then run again."
_BUSY = "Another writer is changing the same resource: run again later."
_REFUSED = (
    "AWS rejected the policy. Fix the statement named above, even if this collection does not "
    "manage it, and run again."
)
_SETTINGS = f"Check {option('region')}, {option('endpoint_url')} and {option('aws_ca_bundle')}."
_REMEDIES = {
    "AccessDenied": _ACCESS_DENIED,
    "AccessDeniedException": _ACCESS_DENIED,
    "UnauthorizedOperation": _ACCESS_DENIED,
    "MethodNotAllowed": (
        "Only the account that owns the bucket can do this. Use credentials for that account, for "
        "example with assume_role_arn."
    ),
    "InvalidClientTokenId": _WRONG_KEYS,
    "InvalidAccessKeyId": _WRONG_KEYS,
    "MissingAuthenticationToken": _WRONG_KEYS,
    "IncompleteSignature": _WRONG_KEYS,
    "SignatureDoesNotMatch": _WRONG_KEYS,
    "InvalidToken": _WRONG_KEYS,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "NotFoundException": (
        f"Set {option('region')} to that of the bucket. If the key was deleted, give the bucket "
        "another one."
    ),
    "NoSuchBucket": "Check the bucket's name and the account of the credentials.",
    "MalformedPolicy": _REFUSED,
    "MalformedPolicyDocument": _REFUSED,
    "LimitExceeded": "Request a quota increase in Service Quotas, or delete what is no longer needed.",
    "UpdateAssumeRolePolicy LimitExceeded": (
        f"Request an increase of the quota 'Role trust policy length' and set "
        f"{option('quota_chars')} to it, or remove statements that are no longer needed."
    ),
    "PutRolePolicy LimitExceeded": (
        "All inline policies of a role together may have 10240 characters, which cannot be raised: "
        "remove statements that are no longer needed, or grant it by a managed policy."
    ),
    "Throttling": _TOO_FAST,
    "SlowDown": _TOO_FAST,
    "NoCredentialsError": SET_CREDENTIALS,
    "PartialCredentialsError": SET_CREDENTIALS,
    "ProfileNotFound": f"Check {option('profile')}, and the files ~/.aws/config and ~/.aws/credentials.",
    "ThrottlingException": _TOO_FAST,
    "RequestLimitExceeded": _TOO_FAST,
    "TooManyRequestsException": _TOO_FAST,
    "OperationAborted": _BUSY,
    "ConcurrentModification": _BUSY,
    "EntityTemporarilyUnmodifiable": _BUSY,
    "ConnectTimeoutError": _NO_RESPONSE,
    "ConnectionClosedError": _NO_RESPONSE,
    "ProxyConnectionError": _NO_RESPONSE,
    "ConnectionError": _NO_RESPONSE,
    "IncompleteReadError": _NO_RESPONSE,
    "ReadTimeoutError": _NO_RESPONSE,
    "ResponseStreamingError": _NO_RESPONSE,
    "SSLError": f"Check the network, the proxy and {option('aws_ca_bundle')}, then run again.",
    "EndpointConnectionError": (
        f"Check {option('region')}, {option('endpoint_url')} and the network."
    ),
    "HTTPClientError": (
        "Check the credentials (access_key, secret_key, session_token, or those that boto3 finds "
        "in the environment) for line breaks and spaces, and check endpoint_url."
    ),
    "ResponseParserError": _NOT_AWS,
    "RecursionError": "Fix the policy in the AWS console first.",
}
# Replacements for texts that quote request headers or a response body, which may contain
# credentials, or that explain nothing.
_REPLACED_TEXTS = {
    "HTTPClientError": "the HTTP client cannot complete the request",
    "ResponseParserError": "the response is not a valid AWS response",
    "RecursionError": "the policy in the response is too deeply nested",
}


def settings_error(what: str, error: Exception) -> AwsError:
    """The error for settings that boto3 rejects before any call."""
    code = type(error).__name__
    return AwsError(f"{what} cannot be created: {error}", _REMEDIES.get(code, _SETTINGS), code=code)


def error_of_answer(error: t.Any, operation: str, action: str, about: str) -> AwsError:
    """The error for a call that AWS answered with an error."""
    answer, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, status = str(answer.get("Code") or ""), metadata.get("HTTPStatusCode")
    denied = _DENIED_ACTION.search(str(answer.get("Message") or ""))
    # If it cannot parse the body, botocore uses the HTTP status as the code.
    is_from_aws = bool(code) and not code.isdigit()
    remedy = (
        _REMEDIES.get(f"{operation} {code}")
        or _REMEDIES.get(code)
        or (_FAILED if int(status or 0) >= 500 else "")
    )
    failure = AwsError(
        f"{_describe_call(operation, about)} failed with "
        f"{code if is_from_aws else f'HTTP {status}'}: {answer.get('Message') or 'no message'}",
        remedy.format(action=denied[1] if denied else action) if is_from_aws else _NOT_AWS,
        operation=operation,
        code=code,
        status=status,
        request_id=metadata.get("RequestId"),
    )
    failure.remedy = failure.remedy or (_TOO_FAST if failure.is_transient else "")
    return _with_uncertainty(failure, operation)


def error_without_answer(error: Exception, operation: str, about: str) -> AwsError:
    """The error for a call that AWS did not answer, or not in a way that can be read."""
    code = type(error).__name__
    text = _REPLACED_TEXTS.get(code, str(error))
    kind = CertificateError if _is_untrusted(error) else AwsError
    failure = kind(
        f"{_describe_call(operation, about)} failed: {text}",
        _REMEDIES.get(code, ""),
        operation=operation,
        code=code,
    )
    return _with_uncertainty(failure, operation)


def _is_untrusted(error: t.Any) -> bool:
    """Whether the certificate of the other end was refused. What else breaks a connection with TLS may
    do so after the request was read.
    """
    broken = getattr(error, "kwargs", {}).get("error")  # urllib3's, with its cause
    causes = getattr(broken, "args", ())
    # A ValueError: a name that does not match, in releases of urllib3 that compare names themselves.
    return type(error).__name__ == "SSLError" and any(
        isinstance(cause, (ssl.SSLCertVerificationError, ValueError)) for cause in causes
    )


def error_of_incomplete_answer(operation: str, about: str) -> AwsError:
    """The error for an answer that lacks what it is asked for. Of services that speak JSON, botocore
    takes an answer that is no JSON for one without any field.
    """
    code = "ResponseParserError"
    return AwsError(
        f"{_describe_call(operation, about)} failed: {_REPLACED_TEXTS[code]}",
        _REMEDIES[code],
        operation=operation,
        code=code,
    )


def _with_uncertainty(failure: AwsError, operation: str) -> AwsError:
    """Add a warning if the error leaves the outcome of a write unknown."""
    if failure.outcome_unknown and not is_read(operation):
        failure.remedy += " The call may have taken effect nevertheless."
    return failure


def _describe_call(operation: str, about: str) -> str:
    return f"{operation} ({about})" if about else operation


def none_if_missing(
    call: t.Callable[..., dict[str, t.Any]], method: str, **arguments: t.Any
) -> t.Any:
    """The response of a call, or ``None`` if AWS reports that the resource does not exist."""
    try:
        return call(method, **arguments)
    except AwsError as error:
        if error.code in _MISSING:
            return None
        raise
