# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the clouds of a run share: one session for one way to connect, and the limits of an account.
No request leaves the process.
"""

from __future__ import annotations

import concurrent.futures
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.bulk_iam import BulkSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.tests.support.aws_answers import (
    ACCOUNT,
    KEYS,
    USER,
    Answers,
)

Params = dict[str, t.Any]
IN_ACCOUNT = {**KEYS, "assume_role_arn": f"arn:aws:iam::{ACCOUNT}:role/onboarding"}


@pytest.fixture(name="sessions")
def _sessions() -> AccountSessions:
    return AccountSessions(cache=None, threads=16)


@pytest.mark.parametrize(
    "same",
    [{}, {"role": "other", "bucket": "b"}, {"account_id": ACCOUNT}, {"anyscale_token": "t"}],
    ids=["the same", "another resource", "the account that is expected", "another token"],
)
def test_what_connects_alike_shares_a_session(sessions: AccountSessions, same: Params) -> None:
    """Whatever the work is about."""
    assert sessions.session({**KEYS, "role": "ray"}) is sessions.session({**KEYS, **same})


@pytest.mark.parametrize(
    "other",
    [
        {"access_key": "AKIAIOSFODNN7EXAMPL2"},
        {"assume_role_arn": "arn:aws:iam::210987654321:role/onboarding"},
        {"assume_role_external_id": "another"},
        {"endpoint_url": "http://127.0.0.1:1"},
        {"validate_certs": False},
        {"region": "us-west-2"},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_connects_otherwise_has_its_own(sessions: AccountSessions, other: Params) -> None:
    """An answer for one caller is none for another."""
    assert sessions.session(IN_ACCOUNT) is not sessions.session({**IN_ACCOUNT, **other})


def test_regions_of_an_account_share_its_calls_of_iam(sessions: AccountSessions) -> None:
    """And who calls. Buckets are each region's own."""
    first, second = (sessions.session({**KEYS, "region": f"us-west-{n}"}) for n in (1, 2))
    answers = Answers()
    answers.attach(first, "iam", "sts")
    assert second.account_id() == first.account_id() == ACCOUNT
    assert (second.caller_arn(), first.caller_arn()) == (USER, USER)
    second.call("iam", "list_roles")
    assert answers.requests == ["GetCallerIdentity", "ListRoles"]
    assert second._client("s3").meta.region_name == "us-west-2"


def test_an_account_has_one_limit_whatever_role_leads_to_it(sessions: AccountSessions) -> None:
    """AWS throttles the account."""
    other_role = f"arn:aws:iam::{ACCOUNT}:role/audit"
    elsewhere = "arn:aws:iam::210987654321:role/onboarding"
    limits = [
        sessions.session({**IN_ACCOUNT, **other})._limits
        for other in (
            {},
            {"region": "us-west-2"},
            {"assume_role_arn": other_role},
            {"assume_role_arn": elsewhere},
        )
    ]
    assert limits[0] is limits[1] is limits[2]
    assert limits[0] is not limits[3]


def test_connections_suffice_for_the_calls_in_flight() -> None:
    """No more than the limit, and no more than there are threads."""
    for threads, connections in ((4, 4), (16, 8)):
        session = AccountSessions(None, threads).session(KEYS)
        assert session._client("iam").meta.config.max_pool_connections == connections


def test_without_bulk_reads_each_read_is_a_call() -> None:
    """As the operator may wish."""
    assert not isinstance(AccountSessions(None, 1, bulk_reads=False).session(KEYS), BulkSession)


def test_all_pages_can_be_forgotten(sessions: AccountSessions) -> None:
    """Of all accounts, and the regions among them."""
    for params in (KEYS, {**KEYS, "region": "us-west-2"}, IN_ACCOUNT):
        session = sessions.session(params)
        assert isinstance(session, BulkSession)
        session._of_roles._resources["get_role", "ray"] = b"ray"
    sessions.forget_reads()
    for params in (KEYS, {**KEYS, "region": "us-west-2"}, IN_ACCOUNT):
        assert t.cast(BulkSession, sessions.session(params))._of_roles._resources == {}


def test_invalid_options_are_an_error_of_their_cloud_alone(sessions: AccountSessions) -> None:
    """Each time they are given, and not in the way of others."""
    for _time in range(2):
        with pytest.raises(InputError, match="account"):
            sessions.session({**KEYS, "account_id": "12"})
    assert sessions.session(KEYS) is sessions.session(KEYS)


def test_threads_make_one_session(sessions: AccountSessions) -> None:
    """Also where they ask for it at the same moment."""
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _n: sessions.session(KEYS), range(200)))
    assert len({id(session) for session in found}) == 1


def test_a_role_of_another_account_than_the_clouds_is_not_assumed(
    sessions: AccountSessions,
) -> None:
    """Also where a cloud of the role's own account already has a session with it."""
    for _time in range(2):
        with pytest.raises(InputError, match="in account 123456789012, but account_id is 2101"):
            sessions.session({**IN_ACCOUNT, "account_id": "210187654321"})
        sessions.session({**IN_ACCOUNT, "account_id": ACCOUNT})
