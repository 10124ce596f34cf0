# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clients of AWS that a session makes: how patient they are, how they keep to an account's
limits, and who calls with them. No request leaves the process.
"""

from __future__ import annotations

import contextlib
import time
import typing as t

import pytest
from botocore.retries.adaptive import ClientRateLimiter

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credentials import Credentials
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.limits import AccountLimits
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.sending import (
    noted_sendings,
    sent_by,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    OutdatedError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import Clock
from ansible_collections.rayfleet.anyscale.tests.support.aws_answers import (
    ACCOUNT,
    KEYS,
    USER,
    Answers,
)


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


_A_READ = {"iam": "list_roles", "s3": "list_buckets", "sts": "get_caller_identity"}


def test_aws_learns_what_calls_it(client: t.Any) -> None:
    def refuse(request: t.Any, **_others: t.Any) -> None:
        raise PermissionError(request.headers["User-Agent"].decode())

    client.meta.events.register("before-send", refuse)
    with pytest.raises(PermissionError, match=r"^Botocore/[\d.]+ .* rayfleet-anyscale$"):
        getattr(client, _A_READ[client.meta.service_model.service_name])()


# --- the limits of an account ---------------------------------------------------------------------


def test_throttling_that_botocore_retries_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The call succeeds, and nobody sees an error; yet there are too many calls."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    limits = AccountLimits(clock=lambda: 0.0)
    session = AwsSession(KEYS, limits=limits)
    answers = Answers(ListRoles=[(400, "Throttling"), None])
    answers.attach(session, "iam")
    session.call("iam", "list_roles")
    assert answers.requests == ["ListRoles", "ListRoles"]
    assert limits._share_at(0.0) == 0.5


def test_throttling_of_a_write_that_is_not_retried_is_noticed() -> None:
    """As where the document has to be read again first."""
    limits = AccountLimits(clock=lambda: 0.0)
    session = AwsSession(KEYS, limits=limits)
    answers = Answers(UpdateAssumeRolePolicy=[(400, "Throttling")])
    answers.attach(session, "iam")
    with pytest.raises(AwsError, match="Throttling"):
        session.call("iam", "update_assume_role_policy", RoleName="ray", PolicyDocument="{}")
    assert answers.requests == ["UpdateAssumeRolePolicy"]
    assert limits._share_at(0.0) == 0.5


@pytest.mark.parametrize(
    ("service", "method", "arguments", "is_iam_write"),
    [
        ("iam", "list_roles", {}, False),
        ("iam", "create_instance_profile", {"InstanceProfileName": "ray"}, True),
        ("sts", "get_caller_identity", {}, False),
        ("s3", "put_bucket_policy", {"Bucket": "data", "Policy": "{}"}, False),
    ],
)
def test_each_call_counts_while_it_is_in_flight(
    service: str, method: str, arguments: dict[str, str], is_iam_write: bool
) -> None:
    """A write of IAM as that too, and one that overwrites what was read just now as urgent."""
    seen = []

    class Watched(AccountLimits):
        @contextlib.contextmanager
        def in_flight(self, is_iam_write: bool, is_urgent: bool = False) -> t.Iterator[None]:
            seen.append((is_iam_write, is_urgent))
            yield

    session = AwsSession(KEYS, limits=Watched())
    Answers().attach(session, service)
    session.call(service, method, **arguments)
    with sent_by(1.0, Time()):
        session.call(service, method, **arguments)
    assert seen == [(is_iam_write, False), (is_iam_write, method == "put_bucket_policy")]


# --- when a call leaves ---------------------------------------------------------------------------


class Time(Clock):
    """A clock that stands still until it is set."""

    seconds = 0.0

    def now(self) -> float:
        return self.seconds


_OVERWRITINGS: dict[str, tuple[str, dict[str, str]]] = {
    "update_assume_role_policy": ("iam", {"RoleName": "ray", "PolicyDocument": "{}"}),
    "put_role_policy": ("iam", {"RoleName": "ray", "PolicyName": "p", "PolicyDocument": "{}"}),
    "delete_role_policy": ("iam", {"RoleName": "ray", "PolicyName": "p"}),
    "put_bucket_policy": ("s3", {"Bucket": "data", "Policy": "{}"}),
    "delete_bucket_policy": ("s3", {"Bucket": "data"}),
}


@pytest.mark.parametrize("waits_for", ["its turn", "the rate that botocore keeps to"])
@pytest.mark.parametrize("method", _OVERWRITINGS)
def test_a_call_that_overwrites_does_not_leave_after_its_deadline(
    method: str, waits_for: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is certain that it did not, and that it may be made again after another read."""
    service, arguments = _OVERWRITINGS[method]
    clock = Time()

    def wait(**_event: t.Any) -> None:
        clock.seconds += 3

    class Busy(AccountLimits):
        @contextlib.contextmanager
        def in_flight(self, is_iam_write: bool, is_urgent: bool = False) -> t.Iterator[None]:
            wait()
            yield

    session = AwsSession(KEYS, limits=Busy() if waits_for == "its turn" else None)
    client = session._client(service)
    client.meta.events.register("before-send", wait)
    monkeypatch.setattr(client._endpoint.http_session, "send", pytest.fail)
    with sent_by(2.0, clock), pytest.raises(OutdatedError) as caught:
        session.call(service, method, **arguments)
    assert (caught.value.is_transient, caught.value.outcome_unknown) == (True, False)


def test_calls_leave_at_their_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that overwrite nothing also after the deadline."""
    monkeypatch.setattr(time, "sleep", lambda _seconds: None)
    clock, session = Time(), AwsSession(KEYS)
    Answers(ListRoles=[(500, "ServiceFailure"), None]).attach(session, "iam")

    def wait(**_event: t.Any) -> None:
        clock.seconds += 3

    session._client("iam").meta.events.register("before-send", wait)
    with sent_by(2.0, clock), noted_sendings(clock) as times:
        session.call("iam", "list_roles")
    assert times == [3.0, 6.0]


# --- who calls ------------------------------------------------------------------------------------


def test_the_caller_is_asked_for_once() -> None:
    """The account is a part of the answer."""
    session = AwsSession(KEYS)
    answers = Answers()
    answers.attach(session, "sts")
    assert (session.caller_arn(), session.account_id()) == (USER, ACCOUNT)
    assert (session.account_id(), session.caller_arn()) == (ACCOUNT, USER)
    assert answers.requests == ["GetCallerIdentity"]


def test_an_assumed_role_is_its_own_answer() -> None:
    """``AssumeRole`` says who the caller is now; nobody asks again."""
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/audit/rayfleet-anyscale"

    class Cache:
        def credentials(self, _key: t.Any, _assume: t.Any) -> Credentials:
            return Credentials(arn, "ASIA", "secret", "token", time.time() + 600)

    params = {**KEYS, "assume_role_arn": f"arn:aws:iam::{ACCOUNT}:role/audit"}
    session = AwsSession(params, t.cast(t.Any, Cache()))
    answers = Answers(GetCallerIdentity=[(403, "AccessDenied")])
    answers.attach(session, "sts")
    assert (session.caller_arn(), session.account_id()) == (arn, ACCOUNT)
    assert answers.requests == []


def test_who_assumes_a_role_is_asked_for_once_for_all_sessions(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """That is one of those that a run acts as. Without a role to assume, there is no other."""
    assumed = Credentials("arn of the session", "ASIA", "secret", "token", time.time() + 600)

    class Cache:
        def credentials(self, _key: t.Any, _find: t.Any) -> Credentials:
            return assumed

    answers, create = Answers(), AwsSession._create_client

    def answered(self: AwsSession, session: t.Any, service: str) -> t.Any:
        client = create(self, session, service)
        client.meta.events.register_first(f"before-send.{service}", answers._answer_for(service))
        return client

    monkeypatch.setattr(AwsSession, "_create_client", answered)
    sources: dict[str, str] = {}
    for name, region in (("audit", None), ("other", "us-west-2"), ("audit", None)):
        role = f"arn:aws:iam::{ACCOUNT}:role/{name}"
        params = {**KEYS, "assume_role_arn": role, "region": region}
        session = AwsSession(params, t.cast(t.Any, Cache()), sources=sources)
        assert session.caller_arns() == ("arn of the session", USER)
    assert answers.requests == ["GetCallerIdentity"]
    assert AwsSession(KEYS, sources=sources).caller_arns() == (USER,)
