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

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.bulk_iam import (
    AwsManagedPolicies,
    BulkSession,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.s3 import Bucket
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError

PAGE = "get_account_authorization_details"
READS = {
    "get_role": ("RoleName", "Role"),
    "get_instance_profile": ("InstanceProfileName", "InstanceProfile"),
}
# The other reads that pages answer, with the arguments that name a resource.
OTHER_READS = {
    "list_instance_profiles_for_role": ("RoleName",),
    "list_role_policies": ("RoleName",),
    "get_role_policy": ("RoleName", "PolicyName"),
    "list_attached_role_policies": ("RoleName",),
    "get_policy": ("PolicyArn",),
    "get_policy_version": ("PolicyArn", "VersionId"),
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
        self.policies = [_policy(number) for number in range(roles)]
        self.others: dict[tuple[str, ...], Json] = {}
        for role, policy in zip(self.roles, self.policies, strict=True):
            self.others |= _other_reads(role, self.profiles[role], policy)

    def call(self, service: str, method: str, **arguments: t.Any) -> Json:
        """Answer as AWS does."""
        with self._lock:
            self.counts[method] += 1
            if method == PAGE:
                self.pages.append(arguments)
            number = len(self.pages)
        if method == PAGE:
            return self._page(arguments, number)
        if method in OTHER_READS:
            read = (method, *(arguments[name] for name in OTHER_READS[method]))
            if read not in self.others:
                raise AwsError(f"There is no {read}.", code="NoSuchEntity")
            return copy.deepcopy(self.others[read])
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
        details = (
            [self._role_detail(name) for name in self.roles]
            if arguments["Filter"] == ["Role"]
            else [_policy_detail(policy) for policy in self.policies]
        )
        more: Json = (
            {"IsTruncated": True, "Marker": str(end)}
            if end < len(details)
            else {"IsTruncated": False}
        )
        key, other = (
            ("RoleDetailList", "Policies")
            if arguments["Filter"] == ["Role"]
            else ("Policies", "RoleDetailList")
        )
        return {key: copy.deepcopy(details[start:end]), other: [], "UserDetailList": [], **more}

    def _role_detail(self, name: str) -> Json:
        names = self.others.get(("list_role_policies", name), {"PolicyNames": []})["PolicyNames"]
        inline = [self.others["get_role_policy", name, policy] for policy in names]
        attached = self.others.get(("list_attached_role_policies", name), {"AttachedPolicies": []})
        return {
            **self.roles[name],
            "InstanceProfileList": [self.profiles[name]] if name in self.profiles else [],
            "RolePolicyList": [
                {key: policy[key] for key in ("PolicyName", "PolicyDocument")} for policy in inline
            ],
            "AttachedManagedPolicies": attached["AttachedPolicies"],
        }

    @property
    def singles(self) -> int:
        """The reads of one role or one profile."""
        return sum(self.counts[method] for method in READS)

    @property
    def other_singles(self) -> int:
        """The single reads of everything else that pages answer."""
        return sum(self.counts[method] for method in OTHER_READS)


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


def _document(number: int) -> Json:
    return {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": f"s3:{number}"}]}


def _policy(number: int) -> Json:
    return {
        "PolicyName": f"policy-{number:03}",
        "Arn": f"arn:aws:iam::222222222222:policy/policy-{number:03}",
        "DefaultVersionId": f"v{number % 5 + 1}",
    }


def _version(policy: Json) -> Json:
    number = int(policy["PolicyName"][-3:])
    return {
        "Document": _document(number),
        "VersionId": policy["DefaultVersionId"],
        "IsDefaultVersion": True,
    }


def _policy_detail(policy: Json) -> Json:
    older = {"Document": {"Statement": []}, "VersionId": "v0", "IsDefaultVersion": False}
    return {**policy, "PolicyVersionList": [older, _version(policy)]}


def _other_reads(role: str, profile: Json, policy: Json) -> dict[tuple[str, ...], Json]:
    """What single reads return about a role, and about the policy that is attached to it."""
    inline = {"RoleName": role, "PolicyName": "own", "PolicyDocument": _document(0)}
    attached = {"PolicyName": policy["PolicyName"], "PolicyArn": policy["Arn"]}
    return {
        ("list_instance_profiles_for_role", role): {
            "InstanceProfiles": [profile],
            "IsTruncated": False,
        },
        ("list_role_policies", role): {"PolicyNames": ["own"], "IsTruncated": False},
        ("get_role_policy", role, "own"): inline,
        ("list_attached_role_policies", role): {
            "AttachedPolicies": [attached],
            "IsTruncated": False,
        },
        ("get_policy", policy["Arn"]): {"Policy": policy},
        ("get_policy_version", policy["Arn"], policy["DefaultVersionId"]): {
            "PolicyVersion": _version(policy)
        },
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


def read_other(session: AwsSession, read_: tuple[str, ...]) -> Json:
    """Any other read."""
    method, *names = read_
    return session.call("iam", method, **dict(zip(OTHER_READS[method], names, strict=True)))


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


# --- what an audit reads --------------------------------------------------------------------------


@pytest.mark.parametrize("per_page", [1000, 7], ids=["one page", "many pages"])
def test_policies_are_those_of_single_reads(connect: Connect, per_page: int) -> None:
    """Inline, attached and managed ones, and the profiles of a role; from a page or not."""
    account = Account(60, per_page)
    session = connect(account)
    for _round in range(2):
        for read_, answer in account.others.items():
            assert read_other(session, read_) == answer
    assert account.other_singles < len(account.others) / (1 if per_page == 7 else 10)


def test_an_audit_of_many_clouds_costs_pages_alone(connect: Connect) -> None:
    """Roles and policies have pages of their own kind, each once there were ten reads of it."""
    account = Account(100)
    session = connect(account)
    for read_ in account.others:
        read_other(session, read_)
    assert [page["Filter"] for page in account.pages] == [["Role"], ["LocalManagedPolicy"]]
    assert account.other_singles == 9 + 9


def test_a_version_that_is_not_the_default_is_asked_for(connect: Connect) -> None:
    """A page has it, but no task asks for it, so it is not held in memory."""
    account = Account(20)
    session = connect(account)
    old = ("get_policy_version", account.policies[3]["Arn"], "v0")
    account.others[old] = {"PolicyVersion": {"VersionId": "v0", "Document": {"Statement": []}}}
    for read_ in account.others:
        assert read_other(session, read_) == account.others[read_]
    assert account.counts["get_policy_version"] > 0
    before = account.counts["get_policy_version"]
    read_other(session, old)
    assert account.counts["get_policy_version"] == before + 1


def test_the_next_page_of_a_list_is_asked_for(connect: Connect) -> None:
    """With a marker it is another read than the one that a page answers."""
    account = Account(20)
    session = connect(account)
    for name in account.roles:
        read(session, "get_role", name)
    account.counts.clear()
    session.call("iam", "list_role_policies", RoleName="role-001", Marker="x")
    assert account.counts == {"list_role_policies": 1}


def test_policies_of_aws_are_read_once_for_all_accounts(connect: Connect) -> None:
    """They are the same for all, in no account's pages, and before a write as well as after it."""
    account = Account(0)
    arn = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    reads = {
        ("get_policy", arn): {"Policy": {"Arn": arn, "DefaultVersionId": "v9"}},
        ("get_policy_version", arn, "v9"): {"PolicyVersion": {"Document": _document(9)}},
    }
    account.others |= reads
    connect(account)
    shared = AwsManagedPolicies()
    for _account in range(5):
        session = BulkSession({}, aws_managed=shared)
        for read_, answer in reads.items():
            assert read_other(session, read_) == answer
            assert read_other(session.unbuffered, read_) == answer
    assert account.counts == {"get_policy": 1, "get_policy_version": 1}


def test_a_refused_policy_of_aws_is_asked_for_again(connect: Connect) -> None:
    """Another account's caller may read it."""
    account = Account(0)
    session = connect(account)
    read_ = ("get_policy", "arn:aws:iam::aws:policy/ReadOnlyAccess")
    with pytest.raises(AwsError):
        read_other(session, read_)
    account.others[read_] = {"Policy": {"Arn": read_[1]}}
    assert read_other(session, read_) == account.others[read_]


# --- writes ---------------------------------------------------------------------------------------


def test_a_write_is_never_hidden_by_a_page(connect: Connect) -> None:
    """What the session itself has changed is AWS's to answer, by any of its regions."""
    account = Account(40)
    session = connect(account)
    for name in account.roles:
        read(session, "get_role", name)
    account.roles["role-003"] = {**account.roles["role-003"], "Description": "changed"}
    BulkSession({}, account=session).call("iam", "update_assume_role_policy", RoleName="role-003")
    assert read(session, "get_role", "role-003") == account.roles["role-003"]
    single = account.counts["get_role"]
    read(session, "get_role", "role-004")
    assert account.counts["get_role"] == single, "another role's page is as good as before"


def test_a_page_that_is_read_during_a_write_does_not_hide_it(connect: Connect) -> None:
    """It may show the role as it was."""
    account = Account(40)
    session = connect(account)
    before = copy.deepcopy(account.roles["role-039"])
    session.call("iam", "update_assume_role_policy", RoleName="role-039")
    for name in list(account.roles)[:20]:
        read(session, "get_role", name)
    assert account.counts[PAGE] == 1
    account.roles["role-039"]["Description"] = "changed"
    assert read(session, "get_role", "role-039") == {**before, "Description": "changed"}


def test_reads_can_be_forgotten_as_a_whole(connect: Connect) -> None:
    """What anybody has changed since is then read by the page again, for the same price."""
    account = Account(40)
    session = connect(account)
    for name in account.roles:
        read(session, "get_role", name)
    session.call("iam", "update_assume_role_policy", RoleName="role-030")
    for role in account.roles.values():
        role["Description"] = "changed"
    session.forget_reads()
    account.counts.clear()
    for name in account.roles:
        assert _relevant(read(session, "get_role", name)) == account.roles[name]
    assert account.counts == {"get_role": 9, PAGE: 1}


# --- buckets --------------------------------------------------------------------------------------


class Buckets:
    """S3 of one account, in the place of ``AwsSession.call``: buckets by their region, one of them
    in a page without it; counts the calls.
    """

    def __init__(self, buckets: int, error: AwsError | None = None) -> None:
        self.counts: collections.Counter[str] = collections.Counter()
        self.regions = {f"bucket-{n:03}": ("us-east-1", "eu-west-1")[n % 2] for n in range(buckets)}
        self._error = error
        self._lock = threading.Lock()

    def call(self, service: str, method: str, **arguments: t.Any) -> Json:
        """Answer as AWS does."""
        with self._lock:
            self.counts[method] += 1
        if method == "get_caller_identity":
            return {"Arn": "arn:aws:iam::222222222222:user/auditor"}
        if method == "get_bucket_location":
            region = self.regions[arguments["Bucket"]]
            return {"LocationConstraint": None if region == "us-east-1" else region}
        assert (service, method, arguments["MaxBuckets"]) == ("s3", "list_buckets", 1000)
        if self._error:
            raise self._error
        start = int(arguments.get("ContinuationToken", 0))
        names = list(self.regions)[start : start + 30]
        more = {"ContinuationToken": str(start + 30)} if start + 30 < len(self.regions) else {}
        return {
            "Buckets": [
                {
                    "Name": name,
                    **({"BucketRegion": self.regions[name]} if name[-3:] != "007" else {}),
                }
                for name in names
            ],
            **more,
        }


OWN = "222222222222"


@pytest.fixture(name="of_buckets")
def _of_buckets(monkeypatch: pytest.MonkeyPatch) -> t.Callable[[Buckets], BulkSession]:
    def connect(buckets: Buckets) -> BulkSession:
        monkeypatch.setattr(AwsSession, "call", buckets.call)
        monkeypatch.setattr(AwsSession, "_connected", lambda _session: None)
        return BulkSession({})

    return connect


OfBuckets = t.Callable[[Buckets], BulkSession]


def test_regions_of_buckets_are_those_of_single_reads(of_buckets: OfBuckets) -> None:
    """From the pages, but for the bucket whose region they lack."""
    buckets = Buckets(70)
    session = of_buckets(buckets)
    found = {name: Bucket(session, name, OWN).region() for name in buckets.regions}
    assert found == buckets.regions
    assert buckets.counts["list_buckets"] == 3
    assert buckets.counts["get_bucket_location"] < 30
    buckets.counts.clear()
    found = {name: Bucket(session, name, OWN).region() for name in buckets.regions}
    assert found == buckets.regions
    assert buckets.counts == {"get_bucket_location": 1}


def test_sessions_of_an_account_share_its_buckets(of_buckets: OfBuckets) -> None:
    """A list of them has no region."""
    buckets = Buckets(30)
    first = of_buckets(buckets)
    sessions = [first, BulkSession({}, account=first)]
    for number, name in enumerate(buckets.regions):
        assert Bucket(sessions[number % 2], name, OWN).region() == buckets.regions[name]
    assert buckets.counts["list_buckets"] == 1


@pytest.mark.parametrize("owner", ["333333333333", None], ids=["another account", "no owner"])
def test_whose_bucket_it_is_is_for_aws_to_say(of_buckets: OfBuckets, owner: str | None) -> None:
    """A page has the account's own alone."""
    buckets = Buckets(30)
    session = of_buckets(buckets)
    for name in buckets.regions:
        arguments = {"Bucket": name, **({"ExpectedBucketOwner": owner} if owner else {})}
        session.call("s3", "get_bucket_location", **arguments)
    assert (buckets.counts["get_bucket_location"], buckets.counts["list_buckets"]) == (30, 0)


def test_buckets_that_cannot_be_listed_are_read_one_by_one(of_buckets: OfBuckets) -> None:
    """The list is not asked for again."""
    buckets = Buckets(30, AwsError("No.", code="AccessDenied"))
    session = of_buckets(buckets)
    found = {name: Bucket(session, name, OWN).region() for name in buckets.regions}
    assert found == buckets.regions
    assert (buckets.counts["get_bucket_location"], buckets.counts["list_buckets"]) == (30, 1)


def test_a_session_that_reads_nothing_in_bulk_reads_no_list(of_buckets: OfBuckets) -> None:
    """Every read is a call there."""
    buckets = Buckets(30)
    session = of_buckets(buckets).unbuffered
    for name in buckets.regions:
        assert Bucket(session, name, OWN).region() == buckets.regions[name]
    assert buckets.counts["list_buckets"] == 0
