# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading by the page gives what single reads would give, with fewer calls, and never costs much
where it does not help.
"""

from __future__ import annotations

import collections
import concurrent.futures
import copy
import threading
import time
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.bulk_iam import BulkSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError

PAGE = "get_account_authorization_details"
READS = {
    "get_role": ("RoleName", "Role"),
    "get_instance_profile": ("InstanceProfileName", "InstanceProfile"),
}
Json = dict[str, t.Any]


class Account:
    """IAM of one account, in the place of ``AwsSession.call``: roles, each with an instance profile
    of its name; counts the calls.
    """

    def __init__(
        self, roles: int, per_page: int = 1000, page_errors: t.Mapping[int, Exception] | None = None
    ) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.pages: list[Json] = []
        self._lock = threading.Lock()
        self._per_page = per_page
        self._page_errors = page_errors or {}
        self.roles = {
            f"role-{number:03}": _role(f"role-{number:03}", number) for number in range(roles)
        }
        self.profiles = {name: _profile(name, role) for name, role in self.roles.items()}

    def call(self, service: str, method: str, **arguments: t.Any) -> Json:
        """Answer as AWS does."""
        with self._lock:
            self.counts[method] += 1
            if method == PAGE:
                self.pages.append(arguments)
            number = len(self.pages)
        if method == PAGE:
            return self._page(arguments, number)
        if method not in READS:
            return {"echo": (service, method, arguments)}
        name_key, answer_key = READS[method]
        found: t.Mapping[str, Json] = self.roles if method == "get_role" else self.profiles
        if arguments[name_key] not in found:
            raise AwsError(f"There is no {arguments[name_key]}.", code="NoSuchEntity")
        return {answer_key: copy.deepcopy(found[arguments[name_key]])}

    def _page(self, arguments: Json, number: int) -> Json:
        time.sleep(0.002)  # long enough for other threads to ask meanwhile
        if number in self._page_errors:
            raise self._page_errors[number]
        start = int(arguments.get("Marker", 0))
        end = start + min(self._per_page, arguments["MaxItems"])
        details = [
            {**role, "InstanceProfileList": [self.profiles[name]]}
            for name, role in self.roles.items()
        ]
        more: Json = (
            {"IsTruncated": True, "Marker": str(end)}
            if end < len(details)
            else {"IsTruncated": False}
        )
        return {"RoleDetailList": copy.deepcopy(details[start:end]), "UserDetailList": [], **more}

    @property
    def singles(self) -> int:
        """The reads of one role or one profile."""
        return sum(self.counts[method] for method in READS)


def _role(name: str, number: int) -> Json:
    trust = {"Version": "2012-10-17", "Statement": [{"Sid": f"Of{number}", "Effect": "Allow"}]}
    arn = f"arn:aws:iam::222222222222:role/{name}"
    return {
        "RoleName": name,
        "RoleId": f"AROA{number:016}",
        "Arn": arn,
        "AssumeRolePolicyDocument": trust,
        "Tags": [],
    }


def _profile(name: str, role: Json) -> Json:
    return {
        "InstanceProfileName": name,
        "Arn": f"arn:aws:iam::222222222222:instance-profile/{name}",
        "Roles": [role],
    }


@pytest.fixture(name="connect")
def _connect(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[Account], BulkSession]:
    def connect(account: Account) -> BulkSession:
        monkeypatch.setattr(AwsSession, "call", account.call)
        return BulkSession({})

    return connect


Connect = t.Callable[[Account], BulkSession]


def read(session: BulkSession, method: str, name: str) -> Json | None:
    """A role or a profile; ``None`` where AWS says that there is none."""
    name_key, answer_key = READS[method]
    try:
        return t.cast(Json, session.call("iam", method, **{name_key: name})[answer_key])
    except AwsError as error:
        assert error.code == "NoSuchEntity"  # noqa: PT017
        return None


def _relevant(answer: Json | None) -> Json | None:
    """A page has more of a role than a single read."""
    return answer and {key: value for key, value in answer.items() if key != "InstanceProfileList"}


@pytest.mark.parametrize("per_page", [1000, 7], ids=["one page", "many pages"])
def test_the_answers_are_those_of_single_reads(connect: Connect, per_page: int) -> None:
    """For every role and every profile, whether it came from a page or not."""
    account = Account(60, per_page)
    session = connect(account)
    for name in account.roles:
        assert _relevant(read(session, "get_role", name)) == account.roles[name]
        assert read(session, "get_instance_profile", name) == account.profiles[name]


def test_a_session_of_another_region_reads_the_same_pages(connect: Connect) -> None:
    """And calls what has regions by itself."""
    account = Account(100)
    first = connect(account)
    sessions = [first, BulkSession({}, account=first), BulkSession({}, account=first)]
    for number, name in enumerate(account.roles):
        assert _relevant(read(sessions[number % 3], "get_role", name)) == account.roles[name]
    assert account.counts[PAGE] == 1
    assert account.singles == 9
    assert sessions[1].call("s3", "get_bucket_policy", Bucket="b")["echo"][0] == "s3"


def test_a_page_takes_the_place_of_most_reads(connect: Connect) -> None:
    """Of the 200 reads of 100 clouds nine are made before the page is worth it."""
    account = Account(100)
    session = connect(account)
    for name in account.roles:
        read(session, "get_role", name)
        read(session, "get_instance_profile", name)
    assert account.counts[PAGE] == 1
    assert account.singles == 9


def test_few_reads_are_made_one_by_one(connect: Connect) -> None:
    """A page of an account with thousands of roles would be the dearer."""
    account = Account(9)
    session = connect(account)
    for name in account.roles:
        assert read(session, "get_role", name)
    assert (account.singles, account.counts[PAGE]) == (9, 0)


@given(
    roles=st.integers(0, 60),
    per_page=st.integers(1, 20),
    reads=st.lists(st.tuples(st.sampled_from(sorted(READS)), st.integers(0, 90)), max_size=150),
)
def test_pages_are_never_more_than_a_tenth_of_the_reads(
    roles: int, per_page: int, reads: list[tuple[str, int]]
) -> None:
    """At no moment, for any account and any sequence of reads; and every answer is correct."""
    account = Account(roles, per_page)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(AwsSession, "call", account.call)
        session = BulkSession({})
        for asked, (method, number) in enumerate(reads, 1):
            name = f"role-{number:03}"
            expected = (
                account.roles.get(name) if method == "get_role" else account.profiles.get(name)
            )
            assert _relevant(read(session, method, name)) == expected
            assert account.counts[PAGE] * 10 <= asked
            assert account.singles + account.counts[PAGE] <= asked * 1.1


def test_pages_follow_one_another_to_the_last(connect: Connect) -> None:
    """Each is asked for with the marker of the one before, none twice, and after the last one no
    more.
    """
    account = Account(25, per_page=10)
    session = connect(account)
    for _round in range(4):
        for name in account.roles:
            read(session, "get_role", name)
    assert [page.get("Marker") for page in account.pages] == [None, "10", "20"]
    assert {page["MaxItems"] for page in account.pages} == {300}
    assert all(page["Filter"] == ["Role"] for page in account.pages), (
        "users and groups would fill the pages"
    )


@pytest.mark.parametrize("code", ["AccessDenied", "Throttling", "ServiceFailure"])
def test_a_page_that_is_refused_is_not_asked_for_again(connect: Connect, code: str) -> None:
    """Without a warning: single reads need no such permission."""
    account = Account(60, page_errors={1: AwsError("No.", code=code)})
    session = connect(account)
    for name in account.roles:
        assert read(session, "get_role", name) == account.roles[name]
    assert (account.singles, account.counts[PAGE]) == (60, 1)


def test_a_later_page_that_is_refused_leaves_what_the_first_showed(connect: Connect) -> None:
    """From there on, one by one."""
    account = Account(60, per_page=20, page_errors={2: AwsError("No.", code="Throttling")})
    session = connect(account)
    for _round in range(2):
        for name in account.roles:
            assert _relevant(read(session, "get_role", name)) == account.roles[name]
    assert account.counts[PAGE] == 2
    assert account.singles == 9 + 40 + 40, (
        "20 roles were on the first page, which the tenth read asked for"
    )


def test_what_no_page_showed_is_asked_for(connect: Connect) -> None:
    """A role that does not exist, one made meanwhile, and a profile that holds no role: each is
    AWS's to answer.
    """
    account = Account(20)
    session = connect(account)
    for name in account.roles:
        read(session, "get_role", name)
    assert account.counts[PAGE] == 1
    account.roles["role-new"] = _role("role-new", 999)
    account.profiles["empty"] = {"InstanceProfileName": "empty", "Arn": "arn", "Roles": []}
    assert read(session, "get_role", "role-new") == account.roles["role-new"]
    assert read(session, "get_instance_profile", "empty") == account.profiles["empty"]
    assert read(session, "get_role", "missing") is None


def test_a_role_and_a_profile_of_one_name_are_two_things(connect: Connect) -> None:
    """The rule, not the exception: a profile is named like its role."""
    account = Account(20)
    session = connect(account)
    for name in account.roles:
        read(session, "get_role", name)
    assert "InstanceProfileName" in t.cast(Json, read(session, "get_instance_profile", "role-005"))
    assert "RoleId" in t.cast(Json, read(session, "get_role", "role-005"))


@pytest.mark.parametrize(
    ("service", "method"),
    [
        ("iam", "update_assume_role_policy"),
        ("iam", "list_roles"),
        ("s3", "get_bucket_policy"),
        ("sts", "get_caller_identity"),
    ],
)
def test_everything_else_goes_to_aws(connect: Connect, service: str, method: str) -> None:
    """Also once there are pages, and it does not count as a read that a page could have spared."""
    account = Account(20)
    session = connect(account)
    for _call in range(30):
        assert session.call(service, method, RoleName="role-001") == {
            "echo": (service, method, {"RoleName": "role-001"})
        }
    assert account.counts == {method: 30}


def test_threads_get_correct_answers_and_no_page_twice(connect: Connect) -> None:
    """Sixteen of them, on an account of several pages."""
    account = Account(200, per_page=30)
    session = connect(account)
    wanted = [(method, name) for name in account.roles for method in READS]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda read_: (read_, read(session, *read_)), wanted))
    for (method, name), answer in answers:
        assert _relevant(answer) == (
            account.roles[name] if method == "get_role" else account.profiles[name]
        )
    markers = [page.get("Marker") for page in account.pages]
    assert len(markers) == len(set(markers)) == 7
    assert account.singles + len(markers) < len(wanted) / 2
