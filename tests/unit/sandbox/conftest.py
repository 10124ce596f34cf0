# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One sandbox for all tests here, empty at the start of each, and clients that call it."""

from __future__ import annotations

import json
import typing as t
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox

ACCOUNT = "222222222222"
_RUNNING = Sandbox()
_CLIENTS: dict[tuple[str, str], t.Any] = {}


@pytest.fixture(scope="session")
def running() -> t.Iterator[Sandbox]:
    """The sandbox's servers."""
    with _RUNNING as sandbox:
        yield sandbox


@pytest.fixture(name="sandbox")
def empty_sandbox(running: Sandbox) -> Sandbox:
    """The sandbox, emptied."""
    running.reset()
    return running


class Aws(t.Protocol):
    """Makes a client whose calls count."""

    def __call__(self, service: str, account_id: str = ACCOUNT) -> t.Any: ...


@pytest.fixture
def aws(sandbox: Sandbox) -> Aws:
    """Recorded clients of an account's administrator, which do not retry."""

    def client(service: str, account_id: str = ACCOUNT) -> t.Any:
        if (service, account_id) not in _CLIENTS:
            session = boto3.Session(**sandbox.credentials(account_id))
            config = Config(retries={"total_max_attempts": 1}, proxies={})
            _CLIENTS[service, account_id] = session.client(
                service, endpoint_url=sandbox.aws_url, config=config
            )
        return _CLIENTS[service, account_id]

    return client


class Answer(t.NamedTuple):
    """What the API answered."""

    status: int
    body: t.Any
    headers: t.Any


class Api(t.Protocol):
    """Calls the Anyscale API."""

    def __call__(self, method: str, path: str, body: t.Any = None, **headers: str) -> Answer: ...


@pytest.fixture
def api(sandbox: Sandbox) -> Api:
    """The Anyscale API, called as its owner unless headers say otherwise."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def call(method: str, path: str, body: t.Any = None, **headers: str) -> Answer:
        sent = headers or {"Authorization": f"Bearer {sandbox.token}"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(sandbox.anyscale_url + path, data, sent, method=method)
        try:
            with opener.open(request) as answer:
                return Answer(answer.status, json.loads(answer.read() or "null"), answer.headers)
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, json.loads(error.read() or "null"), error.headers)

    return call


class Refused(t.Protocol):
    """Calls a function that AWS must refuse."""

    def __call__(
        self, function: t.Callable[..., t.Any], **parameters: t.Any
    ) -> tuple[str, int, str]: ...


@pytest.fixture
def refused() -> Refused:
    """The error code, the HTTP status and the message of a call that AWS must refuse."""

    def call(function: t.Callable[..., t.Any], **parameters: t.Any) -> tuple[str, int, str]:
        with pytest.raises(ClientError) as caught:
            function(**parameters)
        response = caught.value.response
        return (
            response["Error"]["Code"],
            response["ResponseMetadata"]["HTTPStatusCode"],
            response["Error"]["Message"],
        )

    return call
