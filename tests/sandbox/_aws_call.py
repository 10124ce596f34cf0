# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request to AWS, read: who calls which operation of which service on what."""

from __future__ import annotations

import dataclasses
import io
import json
import re
import typing as t
from urllib.parse import parse_qsl

from moto.core.request import Request
from moto.core.routing import get_service_router
from moto.iam.models import iam_backends
from werkzeug.datastructures import Headers
from werkzeug.exceptions import NotFound

from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_errors import Refusal, new_request_id

TOOLING_ACCOUNT = "111111111111"
PARTITION = "aws"

_CREDENTIAL = re.compile(r"Credential=([^/,\s]+)/\d{8}/([^/]+)/([^/]+)/aws4_request")
_SETUP_KEY = "AKIAROOT"
_CALLER_KEY = "AKIATOOL"
_RESOURCE_PARAMETERS = (
    "RoleName",
    "InstanceProfileName",
    "RoleArn",
    "UserName",
    "PolicyArn",
    "KeyId",
    "QueueName",
    "QueueUrl",
)


def setup_key(account_id: str) -> str:
    """The access key with which a test prepares an account: its calls are not recorded, delayed or
    failed.
    """
    return _SETUP_KEY + account_id


def caller_key(account_id: str) -> str:
    """The access key of an account's own administrator, whose calls are recorded."""
    return _CALLER_KEY + account_id


@dataclasses.dataclass(frozen=True)
class AwsCall:
    """What a request asks for. request_id: that of its answer."""

    request_id: str
    service: str
    operation: str
    access_key: str
    account_id: str
    parameters: dict[str, str]
    method: str
    headers: Headers
    body: bytes

    @property
    def is_setup(self) -> bool:
        """Whether this call prepares the scene instead of being part of it."""
        return self.access_key.startswith(_SETUP_KEY)

    @property
    def resource(self) -> str:
        """The bucket, role or instance profile that the call is about; empty where there is none."""
        names = ("Bucket",) if self.service == "s3" else _RESOURCE_PARAMETERS
        return next((self.parameters[name] for name in names if name in self.parameters), "")


def read_call(environ: dict[str, t.Any]) -> AwsCall:
    """Read a request, leaving its body in place for moto."""
    request = Request(environ)
    body = request.get_data()
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    credential = _CREDENTIAL.search(request.headers.get("Authorization", ""))
    if credential is None:
        raise Refusal("MissingAuthenticationToken", 403, "Request is missing Authentication Token")
    access_key, _region, service = credential.groups()
    read = {"s3": _s3_operation, "kms": _json_operation, "sqs": _json_operation}.get(
        service, _query_operation
    )
    operation, parameters = read(environ, body)
    call = AwsCall(
        new_request_id(service),
        service,
        operation,
        access_key,
        _account_of(access_key) or "",
        parameters,
        request.method,
        request.headers,
        body,
    )
    environ["HTTP_X_MOTO_ACCOUNT_ID"] = call.account_id
    return call


def unsigned_service(environ: dict[str, t.Any]) -> str:
    """The service whose form of errors fits a request without a readable signature: all but S3 take
    forms.
    """
    return (
        "iam"
        if environ.get("CONTENT_TYPE", "").startswith("application/x-www-form-urlencoded")
        else "s3"
    )


def _s3_operation(environ: dict[str, t.Any], _body: bytes) -> tuple[str, dict[str, str]]:
    try:
        operation, parameters = get_service_router("s3").match(Request(environ))
    except NotFound:
        return "Unknown", {}
    query = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    return str(operation.name), {**query, **parameters}


def _json_operation(environ: dict[str, t.Any], body: bytes) -> tuple[str, dict[str, str]]:
    """https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html#API_DescribeKey_Examples"""
    operation = environ.get("HTTP_X_AMZ_TARGET", "Unknown").rpartition(".")[2]
    found = json.loads(body or b"{}")
    return operation, {name: value for name, value in found.items() if isinstance(value, str)}


def _query_operation(environ: dict[str, t.Any], body: bytes) -> tuple[str, dict[str, str]]:
    parameters = dict(parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True))
    parameters.update(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
    return parameters.get("Action", "Unknown"), parameters


def _account_of(access_key: str) -> str | None:
    """The account that an access key belongs to; ``None`` for an unknown key."""
    if re.fullmatch(rf"({_SETUP_KEY}|{_CALLER_KEY})\d{{12}}", access_key):
        return access_key[-12:]
    for account_id, backends in list(iam_backends.items()):
        if access_key in backends[PARTITION].access_keys:
            return account_id
    return None
