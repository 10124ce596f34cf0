# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clients of AWS that a session makes: how patient they are. No call is made."""

from __future__ import annotations

import typing as t

import pytest
from botocore.retries.adaptive import ClientRateLimiter

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession

KEYS = {"access_key": "AKIAIOSFODNN7EXAMPLE", "secret_key": "none"}


@pytest.fixture(name="client", params=["iam", "s3", "sts"])
def _client(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> t.Any:
    # What an operator has set for all of AWS is not what a fleet of thousands needs.
    monkeypatch.setenv("AWS_RETRY_MODE", "legacy")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    return AwsSession(KEYS)._client(request.param)


def test_retries_adapt_to_the_rate_that_aws_allows(client: t.Any) -> None:
    """Many processes share an account's rate: a client that is throttled sends less, instead of the
    same again and again.
    """
    retries = client.meta.config.retries
    assert (retries["mode"], retries["total_max_attempts"]) == ("adaptive", 8)


def test_the_rate_is_limited_before_each_call(client: t.Any) -> None:
    """The mode is more than a word in the settings: botocore has hooked its limiter in."""
    handlers = client.meta.events._emitter._handlers.prefix_search("before-send")
    assert any(
        isinstance(getattr(handler, "__self__", None), ClientRateLimiter) for handler in handlers
    )


def test_no_call_waits_for_ever(client: t.Any) -> None:
    assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == (10, 30)
