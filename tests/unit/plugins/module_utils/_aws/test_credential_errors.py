# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever is raised while boto3 looks for credentials becomes an error of the collection. The classes
of botocore are enumerated, so that one that a new release brings is decided on.
"""

from __future__ import annotations

import inspect
import json
import string
import typing as t

import botocore.exceptions
import pytest
from botocore.exceptions import ClientError, CredentialRetrievalError, EndpointConnectionError

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws import credential_errors
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credential_errors import (
    Search,
    credentials_error,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import CredentialsError

ROLE = "arn:aws:iam::222222222222:role/onboarding"
SECRET = "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"
PROFILES = {
    "prod": {"role_arn": ROLE, "source_profile": "base"},
    "base": {"aws_secret_access_key": SECRET},
}

# What says nothing of credentials: an error of a request, of a parameter, of a response, of a
# region. Its text is shown, with the general remedy.
NOT_OF_CREDENTIALS = {
    "ApiVersionNotFoundError",
    "AliasConflictParameterError",
    "AwsChunkedWrapperError",
    "BaseEndpointResolverError",
    "BotoCoreError",
    "CapacityNotAvailableError",
    "ChecksumError",
    "DataNotFoundError",
    "EndpointProviderError",
    "EndpointResolutionError",
    "EndpointVariantError",
    "FlexibleChecksumError",
    "IncompleteReadError",
    "InvalidDNSNameError",
    "InvalidEndpointDiscoveryConfigurationError",
    "InvalidExpressionError",
    "InvalidHostLabelError",
    "InvalidRegionError",
    "InvalidS3AddressingStyleError",
    "InvalidS3UsEast1RegionalEndpointConfigError",
    "MD5UnavailableError",
    "MissingParametersError",
    "MissingServiceIdError",
    "NoRegionError",
    "OperationNotPageableError",
    "PaginationError",
    "RangeError",
    "ServiceNotInRegionError",
    "StubAssertionError",
    "StubResponseError",
    "UnStubbedResponseError",
    "UndefinedModelAttributeError",
    "UnknownClientMethodError",
    "UnknownEndpointError",
    "UnknownEndpointResolutionBuiltInName",
    "UnknownFIPSEndpointError",
    "UnknownKeyError",
    "UnknownParameterError",
    "UnknownRegionError",
    "UnknownServiceError",
    "UnknownServiceStyle",
    "UnknownSignatureVersionError",
    "UnseekableStreamError",
    "UnsupportedOutpostResourceError",
    "UnsupportedS3AccesspointConfigurationError",
    "UnsupportedS3ArnError",
    "UnsupportedS3ConfigurationError",
    "UnsupportedS3ControlArnError",
    "UnsupportedS3ControlConfigurationError",
    "UnsupportedServiceProtocolsError",
    "UnsupportedSignatureVersionError",
    "ValidationError",
    "WaiterConfigError",
    "WaiterError",
}
CLASSES = {
    name: kind
    for name, kind in vars(botocore.exceptions).items()
    if inspect.isclass(kind)
    and issubclass(kind, Exception)
    and not issubclass(kind, Warning)
    and kind.__module__ == botocore.exceptions.__name__
}


def made(kind: type[Exception]) -> Exception:
    """An exception of a class, with some value for whatever it has to be told."""
    if issubclass(kind, ClientError):
        return kind({"Error": {"Code": "AccessDenied", "Message": "no"}}, "AssumeRole")
    if issubclass(kind, botocore.exceptions.WaiterError):
        return kind(name="w", reason="r", last_response={})
    fields = [name for _text, name, *_rest in string.Formatter().parse(getattr(kind, "fmt", ""))]
    return kind(**{name: "prod" for name in fields if name})


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_each_class_of_botocore_becomes_an_error_with_a_remedy(kind: type[Exception]) -> None:
    """Whose profile is named, and of which nothing can have been written."""
    failure = credentials_error(made(kind), Search("prod", PROFILES, role=ROLE))
    assert isinstance(failure, CredentialsError)
    assert "prod" in f"{failure.message} {failure.remedy}"
    assert failure.remedy.endswith((".", "prod", "'botocore[crt]'"))
    assert failure.code in (kind.__name__, "AccessDenied")
    assert not failure.outcome_unknown


@pytest.mark.parametrize("name", CLASSES)
def test_each_class_of_botocore_was_decided_on(name: str) -> None:
    """A new one is not left to the general remedy by accident."""
    kinds = [kind.__name__ for kind in CLASSES[name].__mro__]
    general = {"BotoCoreError", "ValueError", "Exception", "OSError", "RuntimeError"}
    found = next(kind for kind in kinds if kind in credential_errors._DESCRIBE)
    assert (found in general) == (name in NOT_OF_CREDENTIALS), found


OF_PYTHON = [
    FileNotFoundError(2, "No such file or directory", "/nowhere"),
    PermissionError(13, "Permission denied"),
    BrokenPipeError(),
    EOFError(),
    ValueError(f"bad value {SECRET}"),
    json.JSONDecodeError("Expecting value", SECRET, 0),
    UnicodeDecodeError("utf-8", SECRET.encode(), 0, 1, "invalid start byte"),
    KeyError("AccessKeyId"),
    TypeError(f"{SECRET} is no str"),
    AttributeError("'list' object has no attribute 'get'"),
    RuntimeError("the refreshed credentials are still expired"),
    RecursionError("maximum recursion depth exceeded"),
    ModuleNotFoundError("No module named 'awscrt'"),
    AssertionError(),
]


@pytest.mark.parametrize("error", OF_PYTHON, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("process", [None, "prod"], ids=["", "of a process"])
def test_each_exception_of_python_too(error: Exception, process: str | None) -> None:
    """What could not be parsed may be a secret, and is not quoted."""
    failure = credentials_error(error, Search("prod", PROFILES, process=process))
    assert "profile prod" in failure.message
    assert failure.remedy
    assert SECRET not in str(failure.failure())


@pytest.mark.parametrize(
    ("error", "is_transient"),
    [
        (EndpointConnectionError(endpoint_url="https://sts.amazonaws.com"), True),
        (
            ClientError(
                {
                    "Error": {"Code": "InternalFailure"},
                    "ResponseMetadata": {"HTTPStatusCode": 500, "RequestId": "r"},
                },
                "AssumeRole",
            ),
            True,
        ),
        (ClientError({"Error": {"Code": "Throttling"}}, "AssumeRole"), True),
        (ClientError({"Error": {"Code": "AccessDenied"}}, "AssumeRole"), False),
        (CredentialRetrievalError(provider="x", error_msg="y"), False),
    ],
    ids=["no connection", "an error of AWS", "throttled", "denied", "another"],
)
def test_what_may_pass_is_told_from_what_does_not(error: Exception, is_transient: bool) -> None:
    """Either way, the call that needed credentials was not made."""
    failure = credentials_error(error, Search("prod", PROFILES))
    assert (failure.is_transient, failure.outcome_unknown) == (is_transient, False)


def test_no_secret_of_a_profile_or_of_the_environment_is_quoted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As a proxy does that rejects the request to STS."""
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-2357")
    words = f"{SECRET} and token-2357 are not valid"
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": words}}, "AssumeRole")
    failure = credentials_error(error, Search("prod", PROFILES, role=ROLE))
    assert "*** and *** are not valid" in failure.message


CHAINS: dict[str, tuple[dict[str, t.Any], list[str]]] = {
    "one profile": ({"prod": {}}, ["prod"]),
    "three": (
        {"prod": {"source_profile": "a"}, "a": {"source_profile": "b"}, "b": {}},
        ["prod", "a", "b"],
    ),
    "one that leads to itself": ({"prod": {"source_profile": "prod"}}, ["prod"]),
    "a circle": ({"prod": {"source_profile": "a"}, "a": {"source_profile": "prod"}}, ["prod", "a"]),
    "one that leads nowhere": ({"prod": {"source_profile": "a"}}, ["prod"]),
    "none": ({}, []),
}


@pytest.mark.parametrize(("profiles", "chain"), CHAINS.values(), ids=CHAINS)
def test_profiles_lead_from_one_to_the_next(profiles: dict[str, t.Any], chain: list[str]) -> None:
    """But not for ever."""
    assert Search("prod", profiles).chain == chain
