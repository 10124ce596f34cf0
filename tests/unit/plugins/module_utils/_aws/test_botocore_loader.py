# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A proxy is for other hosts: what is sent to this machine, with its credentials, stays on it. And
sessions have what makes them smaller and faster than botocore's own.
"""

from __future__ import annotations

import os
import re
import typing as t
from pathlib import Path
from unittest import mock

import pytest
from botocore.httpsession import URLLib3Session
from botocore.utils import parse_timestamp

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws import botocore_loader
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.botocore_loader import (
    core_session,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError
from ansible_collections.rayfleet.anyscale.tests.support.aws_answers import KEYS
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

# A call of an AWS operation, with the service's name.
_CALL = re.compile(r"call\(\s*\"([a-z0-9-]+)\"")
PROXY = "http://proxy.example.com:3128"
Json = dict[str, t.Any]


@pytest.fixture(name="sent")
def _sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
    """Each request that is sent, with the proxy that it is sent to."""
    sent: list[tuple[str, str | None]] = []

    def send(session: URLLib3Session, request: t.Any) -> t.NoReturn:
        proxy = session._proxy_config.proxy_url_for(request.url)
        sent.append((request.url.rstrip("/"), proxy))
        raise AwsError("Not sent.")

    monkeypatch.setattr(URLLib3Session, "send", send)
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower() in ("no_proxy", "all_proxy"):
            monkeypatch.delenv(name)
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, PROXY)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_STS_REGIONAL_ENDPOINTS", "regional")  # not so in older releases
    return sent


def call(**params: t.Any) -> None:
    """Make a call, which is not sent."""
    with pytest.raises(AwsError, match="Not sent"):
        AwsSession({"region": "us-west-2", **params}).caller_arn()


HOSTS: dict[str, tuple[str, str | None]] = {
    "IPv4": ("http://127.0.0.1:4566", None),
    "another loopback address": ("http://127.1.2.3:4566", None),
    "IPv6": ("http://[::1]:4566", None),
    "by name": ("http://localhost:4566", None),
    "with TLS": ("https://localhost:4566", None),
    "a name below": ("http://aws.localhost:4566", None),
    "another host": ("http://aws.example.com", PROXY),
    "a name that begins so": ("http://localhost.example.com", PROXY),
    "an address in a name": ("http://127.0.0.1.example.com", PROXY),
    "AWS": ("", PROXY),
}


@pytest.mark.parametrize(("endpoint", "proxy"), HOSTS.values(), ids=HOSTS)
def test_loopback_needs_no_proxy(
    sent: list[tuple[str, str | None]], endpoint: str, proxy: str | None
) -> None:
    call(**KEYS, endpoint_url=endpoint)
    assert sent == [(endpoint or "https://sts.us-west-2.amazonaws.com", proxy)]


@pytest.mark.parametrize(("endpoint", "proxy"), HOSTS.values(), ids=HOSTS)
def test_nor_do_the_calls_with_which_boto3_gets_credentials(
    sent: list[tuple[str, str | None]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    endpoint: str,
    proxy: str | None,
) -> None:
    """They carry the token of a web identity."""
    (tmp_path / "token").write_text("token")
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/onboarding")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(tmp_path / "token"))
    if endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", endpoint)
    call()
    assert sent == [(endpoint or "https://sts.us-west-2.amazonaws.com", proxy)]


KEPT = {
    "request-created": True,
    "before-call.s3": True,
    "before-parse.sso-oidc.CreateToken": True,
    "before-parameter-build.ec2.RunInstances": True,
    "before-call.glacier": False,
    "docs.request-params.s3.PutObject.complete-section": False,
}


@pytest.mark.parametrize(("event", "is_kept"), KEPT.items(), ids=KEPT)
def test_handlers_of_services_that_nobody_calls_are_left_out(event: str, is_kept: bool) -> None:
    handlers = botocore_loader._Handlers()
    handlers.register(event, lambda **_event: "called")
    assert len(handlers.emit(event)) == is_kept


def test_each_service_that_is_called_has_botocores_handlers() -> None:
    """Else what these do for a call, such as to refuse a bucket's name, would not be done."""
    sources = (ROOT / "plugins").rglob("*.py")
    called = {name for path in sources for name in _CALL.findall(path.read_text("utf-8"))}
    assert {"iam", "ec2"} < called
    assert called <= {*botocore_loader._SERVICES, *botocore_loader._OTHER_SERVICES}


# A text with a time, its seconds since 1970, and whether botocore's slow function has to read it.
TIMES: dict[str, tuple[t.Any, float, bool]] = {
    "of IAM": ("2026-11-29T18:30:00Z", 1795977000.0, False),
    "with a fraction": ("2026-11-29T18:30:00.500Z", 1795977000.5, False),
    "elsewhere": ("2026-11-29T19:30:00+01:00", 1795977000.0, False),
    "of a header": ("Sun, 29 Nov 2026 18:30:00 GMT", 1795977000.0, True),
    "as seconds in a text": ("1795977000", 1795977000.0, True),
    "as seconds": (1795977000.5, 1795977000.5, True),
}


@pytest.mark.parametrize(("value", "seconds", "is_slow"), TIMES.values(), ids=TIMES)
def test_times(
    monkeypatch: pytest.MonkeyPatch, value: t.Any, seconds: float, is_slow: bool
) -> None:
    slow = mock.Mock(wraps=parse_timestamp)
    monkeypatch.setattr(botocore_loader, "parse_timestamp", slow)
    parser = core_session().get_component("response_parser_factory").create_parser("query")
    assert parser._timestamp_parser(value).timestamp() == seconds
    assert slow.called == is_slow
