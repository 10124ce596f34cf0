# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in server without a network: boto3's requests are handed to it as they are sent."""

from __future__ import annotations

import io
import typing as t
import urllib.parse

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.config import Config

from ansible_collections.rayfleet.anyscale.benchmarks._http import Request
from ansible_collections.rayfleet.anyscale.benchmarks.stand_in import StandIn
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import caller_key

CLOUDS = 12


class _Raw(io.BytesIO):
    """A body as botocore reads it."""

    def stream(self, *_size: t.Any, **_options: t.Any) -> t.Iterator[bytes]:
        yield self.read()


@pytest.fixture
def stand_in() -> StandIn:
    """A stand-in with 12 clouds, so that two of the ten accounts have two."""
    server = StandIn()
    server.reset({"shape": [CLOUDS], "share": 0.0, "latency": 0.0})
    return server


@pytest.fixture
def aws(stand_in: StandIn) -> t.Callable[..., t.Any]:
    """A boto3 client of the stand-in, in an account."""

    def send(request: AWSPreparedRequest, **_event: t.Any) -> AWSResponse:
        url = urllib.parse.urlsplit(request.url)
        headers = {
            name.lower(): value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        }
        body = request.body.read() if hasattr(request.body, "read") else request.body or b""
        content = body.encode() if isinstance(body, str) else bytes(body)
        target = f"{url.path}?{url.query}" if url.query else url.path
        answer = stand_in.answer(Request(request.method, target, headers, content))
        return AWSResponse(
            request.url, answer.status, {"content-type": answer.content_type}, _Raw(answer.body)
        )

    def client(service: str, account: str) -> t.Any:
        config = Config(retries={"total_max_attempts": 1})
        keys = {"aws_access_key_id": caller_key(account), "aws_secret_access_key": "secret"}
        made = boto3.client(
            service,
            region_name="us-west-2",
            endpoint_url="http://127.0.0.1:9",
            config=config,
            **keys,
        )
        made.meta.events.register("before-send", send)
        return made

    return client
