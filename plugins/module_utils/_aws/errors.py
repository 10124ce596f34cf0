# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS and botocore raise, as the collection's errors: what failed, with whose answer, and what
to do about it.

This module util is private to the collection. Pure.
https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError

_MISSING = ("NoSuchEntity", "NoSuchBucketPolicy", "NoSuchTagSet")


_READS = ("Get", "List", "AssumeRole")
# What a call is about, by the argument that names it.
SUBJECTS = {
    "RoleName": "role",
    "RoleArn": "role",
    "InstanceProfileName": "instance profile",
    "Bucket": "bucket",
}
# The action that AWS misses, which need not be that of the call: of AddRoleToInstanceProfile it may
# be iam:PassRole.
_MISSED = re.compile(r"not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9]+)")
_ACCESS_DENIED = "Allow the caller {action}; the message says whether a policy denies it."
_WRONG_KEYS = (
    "Check access_key, secret_key and session_token, or the credentials that boto3 finds in the "
    "environment."
)
_EXPIRED = "Get new temporary credentials."
_TOO_FAST = (
    "Run again with fewer forks: the account's rate of calls was exceeded for longer than the "
    "retries last."
)
_NOT_AWS = "Check endpoint_url and the proxy: what answers there is not AWS."
_FAILED = "That is a failure of AWS's own: run again a little later."
_UNANSWERED = "Check the network and the proxy, then run again."
_BUSY = "Somebody else is changing the same thing: run again when they are done."
_REFUSED = (
    "AWS takes a policy whole, or not at all, and the message says what for: mend that statement, "
    "whosever it is, then run again."
)
_SETTINGS = "Check region, endpoint_url and aws_ca_bundle."
_REMEDIES = {
    "AccessDenied": _ACCESS_DENIED,
    "AccessDeniedException": _ACCESS_DENIED,
    "MethodNotAllowed": (
        "Only the account that owns the bucket may do this: connect to that account, with "
        "assume_role_arn for example."
    ),
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
    ("UpdateAssumeRolePolicy LimitExceeded"): (
        "Raise the account's quota 'Role trust policy length', and quota_chars with it, or take "
        "out statements that are no longer needed."
    ),
    "Throttling": _TOO_FAST,
    "SlowDown": _TOO_FAST,
    "NoCredentialsError": (
        "Set access_key and secret_key, or profile, or one of the sources that boto3 reads by "
        "itself."
    ),
    "PartialCredentialsError": (
        "Set access_key and secret_key, or profile, or one of the sources that boto3 reads by "
        "itself."
    ),
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
    "HTTPClientError": (
        "Look for a line break or a blank in the credentials (access_key, secret_key, "
        "session_token, or those that boto3 finds in the environment), and check endpoint_url."
    ),
    "ResponseParserError": _NOT_AWS,
    "RecursionError": "Put the policy right in the AWS console first.",
}
# In the place of texts that quote a request's headers or an answer's body, since both may hold
# credentials, or that mean nothing.
_UNQUOTED = {
    "HTTPClientError": "the HTTP client cannot send the request",
    "ResponseParserError": "the answer is not in AWS's language",
    "RecursionError": "the policy in the answer is nested too deeply",
}


def settings_error(what: str, error: Exception) -> AwsError:
    """The error for settings that boto3 refuses before any call."""
    code = type(error).__name__
    return AwsError(f"{what} cannot be made: {error}", _REMEDIES.get(code, _SETTINGS), code=code)


def error_of_answer(error: t.Any, operation: str, action: str, about: str) -> AwsError:
    answer, metadata = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, status = str(answer.get("Code") or ""), metadata.get("HTTPStatusCode")
    missed = _MISSED.search(str(answer.get("Message") or ""))
    # Without a body that it understands, botocore makes the status the code.
    is_of_aws = bool(code) and not code.isdigit()
    remedy = (
        _REMEDIES.get(f"{operation} {code}")
        or _REMEDIES.get(code)
        or (_FAILED if int(status or 0) >= 500 else "")
    )
    failure = AwsError(
        f"{_named(operation, about)} failed with {code if is_of_aws else f'HTTP {status}'}: "
        f"{answer.get('Message') or 'no message'}",
        remedy.format(action=missed[1] if missed else action) if is_of_aws else _NOT_AWS,
        operation=operation,
        code=code,
        status=status,
        request_id=metadata.get("RequestId"),
    )
    failure.remedy = failure.remedy or (_TOO_FAST if failure.is_transient else "")
    return _with_doubt(failure, operation)


def error_without_answer(error: Exception, operation: str, about: str) -> AwsError:
    code = type(error).__name__
    text = _UNQUOTED.get(code, str(error))
    failure = AwsError(
        f"{_named(operation, about)} failed: {text}",
        _REMEDIES.get(code, ""),
        operation=operation,
        code=code,
    )
    return _with_doubt(failure, operation)


def _with_doubt(failure: AwsError, operation: str) -> AwsError:
    """The failure, with the warning that a write is due whose answer was lost."""
    if failure.outcome_unknown and not operation.startswith(_READS):
        failure.remedy += " It may have been done all the same."
    return failure


def _named(operation: str, about: str) -> str:
    return f"{operation} ({about})" if about else operation


def none_if_missing(
    call: t.Callable[..., dict[str, t.Any]], method: str, **arguments: t.Any
) -> t.Any:
    """The answer of a call, or ``None`` where AWS says that what was asked for does not exist."""
    try:
        return call(method, **arguments)
    except AwsError as error:
        if error.code in _MISSING:
            return None
        raise
