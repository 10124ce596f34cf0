# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A session for many tasks in one account. It reads roles, instance profiles, policies and the
regions of buckets in pages where that needs fewer calls.

This module util is private to the collection.
https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html
https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListBuckets.html
"""

from __future__ import annotations

import contextlib
import functools
import pickle
import threading
import typing as t
import zlib

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.policy_documents import decoded
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.requests import is_read
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError

Json = dict[str, t.Any]
# A read: the operation by its boto3 name, and the values of its arguments that name a resource.
Read = tuple[str, ...]
Answers = t.Iterator[tuple[Read, Json]]
# What a resource on a page answers.
AnswersAbout = t.Callable[[Json], Answers]
Marker = dict[str, str]
# The resources on the page at a marker, and the marker of the next page.
ReadPage = t.Callable[[Marker], tuple[list[Json], t.Optional[Marker]]]

# The arguments of each operation that a page answers.
_READS_OF_ROLES = {
    "get_role": ("RoleName",),
    "get_instance_profile": ("InstanceProfileName",),
    "list_instance_profiles_for_role": ("RoleName",),
    "list_role_policies": ("RoleName",),
    "get_role_policy": ("RoleName", "PolicyName"),
    "list_attached_role_policies": ("RoleName",),
}
_READS_OF_POLICIES = {
    "get_policy": ("PolicyArn",),
    "get_policy_version": ("PolicyArn", "VersionId"),
}
_READS = {**_READS_OF_ROLES, **_READS_OF_POLICIES}
# The arguments that name what a write changes.
_CHANGED = ("RoleName", "InstanceProfileName", "PolicyArn")
# At most one page is read per this many requested reads, however many roles an account has.
_READS_PER_PAGE = 10
# A whole page is in memory while it is read. AWS allows up to 1000.
_PER_PAGE = 300
_BUCKETS_PER_PAGE = 1000
# Keys of a role in a page that GetRole does not return, and of a policy that GetPolicy does not.
_PAGE_ONLY = ("RolePolicyList", "AttachedManagedPolicies", "InstanceProfileList")
_VERSIONS = "PolicyVersionList"


class _Pages:
    """The pages of one kind of resource in one account, and what they answer."""

    def __init__(self, read_page: ReadPage, answers_about: AnswersAbout) -> None:
        self._read_page = read_page
        self._answers_about = answers_about
        self._lock = threading.Lock()
        # What this run has changed, which a page that is being read may show as it was before.
        self._changed: set[str] = set()
        self._restart()

    def answer(self, read: Read) -> Json | None:
        """The answer of a read, if a page has it; may load further pages to find it. Other reads share
        it.
        """
        with self._lock:
            self._reads += 1
            while (
                read not in self._resources
                and self._next_page is not None
                and self._pages < max(self._reads, self._expected) // _READS_PER_PAGE
            ):
                self._load(self._next_page)
            packed = None if self._changed.intersection(read) else self._resources.get(read)
        return None if packed is None else _answers(self._answers_about, packed)[read]

    def expect(self, reads: int) -> None:
        """Note that so many more reads are going to be requested, so that pages are read at once."""
        with self._lock:
            self._expected += reads

    def forget(self, names: t.Iterable[str]) -> None:
        """Do not answer from a page what names one of these."""
        # Without the lock, so that a write does not wait for a page that is being read.
        self._changed.update(names)

    def forget_all(self) -> None:
        """Start again with the first page."""
        with self._lock:
            self._changed.clear()
            self._restart()

    def _restart(self) -> None:
        self._reads = 0
        self._expected = 0
        self._pages = 0
        self._next_page: Marker | None = {}
        # The resource that answers a read, which is in memory once.
        self._resources: dict[Read, bytes] = {}

    def _load(self, marker: Marker) -> None:
        """Load another page. Without the permission to do so, resources are read one by one."""
        self._pages += 1
        self._next_page = None
        with contextlib.suppress(AwsError):
            resources, self._next_page = self._read_page(marker)
            for resource in resources:
                reads = (read for read, _answer in self._answers_about(resource))
                self._resources.update(dict.fromkeys(reads, _packed(resource)))


def _packed(resource: Json) -> bytes:
    """A resource of a page in a fifth of the memory: it is kept for the whole run, and most of it is
    the text of policies.
    """
    return zlib.compress(pickle.dumps(resource), zlib.Z_BEST_SPEED)


@functools.lru_cache(maxsize=64)  # the reads of one cloud follow one another
def _answers(answers_about: AnswersAbout, packed: bytes) -> dict[Read, Json]:
    """All that a resource of a page answers, with its policy documents decoded once for all of it."""
    return dict(answers_about(decoded(pickle.loads(zlib.decompress(packed)))))


class AwsManagedPolicies:
    """The policies that AWS manages, which are the same in all accounts of a partition: each is
    read once in a run.
    """

    def __init__(self) -> None:
        self._answers: dict[Read, Json] = {}

    def answer(self, read: Read, call: t.Callable[[], Json]) -> Json:
        """The answer of a read. Threads that ask at the same time may each make the call."""
        found = self._answers.get(read)
        if found is None:
            found = self._answers[read] = call()
        return found

    def forget_all(self) -> None:
        """Read them again."""
        self._answers.clear()

    @staticmethod
    def has(read: Read) -> bool:
        """Whether a read is of a policy that AWS manages."""
        return read[0] in _READS_OF_POLICIES and ":iam::aws:" in read[1]


class BulkSession(AwsSession):
    """An AwsSession that answers reads from the pages it has loaded, and otherwise calls AWS.

    ``account``: another session in the same account. IAM has no regions, so that a session for
    another region delegates its IAM calls to that one. ``aws_managed`` is shared with the sessions
    of other accounts.
    """

    def __init__(
        self,
        *arguments: t.Any,
        account: AwsSession | None = None,
        aws_managed: AwsManagedPolicies | None = None,
        **options: t.Any,
    ) -> None:
        super().__init__(*arguments, **options)
        self._account = account
        self._aws_managed = aws_managed or AwsManagedPolicies()
        self._of_roles = _Pages(self._read_roles, _answers_about_role)
        self._of_policies = _Pages(self._read_policies, _answers_about_policy)
        self._of_buckets: _Pages = (
            account._of_buckets
            if isinstance(account, BulkSession)
            else _Pages(self._read_buckets, _answers_about_bucket)
        )

    def call(self, service: str, method: str, **arguments: t.Any) -> Json:
        """Answer a read from a page, or call AWS."""
        if service != "iam":
            found = self._location(**arguments) if method == "get_bucket_location" else None
            return super().call(service, method, **arguments) if found is None else found
        if self._account is not None:
            return self._account.call(service, method, **arguments)
        read = _read_of(method, arguments)
        if read is None or self._aws_managed.has(read):
            return self._call_iam(method, arguments)
        pages = self._of_roles if method in _READS_OF_ROLES else self._of_policies
        found = pages.answer(read)
        return self._call_iam(method, arguments) if found is None else found

    @functools.cached_property
    def unbuffered(self) -> AwsSession:
        """This session, of which every read is a call."""
        return _Unbuffered(self)

    def call_unbuffered(self, service: str, method: str, **arguments: t.Any) -> Json:
        """Call AWS, whatever the pages have. A write is noticed."""
        if service != "iam":
            return super().call(service, method, **arguments)
        if isinstance(self._account, BulkSession):
            return self._account.call_unbuffered(service, method, **arguments)
        return self._call_iam(method, arguments)

    def caller_arn(self) -> str:
        """The ARN of the caller, for the account's sessions together."""
        return self._account.caller_arn() if self._account is not None else super().caller_arn()

    def caller_arns(self) -> tuple[str, ...]:
        """The ARNs of all that the run acts as, for the account's sessions together."""
        return self._account.caller_arns() if self._account is not None else super().caller_arns()

    def expect_reads(self, roles: int) -> None:
        """Note that so many reads of roles and instance profiles are going to be requested."""
        if isinstance(self._account, BulkSession):
            self._account.expect_reads(roles)
        else:
            self._of_roles.expect(roles)

    def forget_reads(self) -> None:
        """Read anew what was read by the page, as after writes: a page from before them would hide
        them. This session's own writes are never hidden.
        """
        self._of_roles.forget_all()
        self._of_policies.forget_all()

    def _location(self, Bucket: str, ExpectedBucketOwner: str = "") -> Json | None:  # noqa: N803
        """The region of a bucket of this account, if a page has it."""
        is_own = ExpectedBucketOwner == self.account_id()
        return self._of_buckets.answer(("get_bucket_location", Bucket)) if is_own else None

    def _read_roles(self, marker: Marker) -> tuple[list[Json], Marker | None]:
        return self._read_details("Role", "RoleDetailList", marker)

    def _read_policies(self, marker: Marker) -> tuple[list[Json], Marker | None]:
        return self._read_details("LocalManagedPolicy", "Policies", marker)

    def _read_details(
        self, kind: str, key: str, marker: Marker
    ) -> tuple[list[Json], Marker | None]:
        page = super().call(
            "iam",
            "get_account_authorization_details",
            Filter=[kind],
            MaxItems=_PER_PAGE,
            **marker,
        )
        return page[key], {"Marker": page["Marker"]} if page.get("IsTruncated") else None

    def _read_buckets(self, marker: Marker) -> tuple[list[Json], Marker | None]:
        # AWS returns regions only to calls that say how many buckets they want.
        page = super().call("s3", "list_buckets", MaxBuckets=_BUCKETS_PER_PAGE, **marker)
        token = page.get("ContinuationToken")
        return page["Buckets"], {"ContinuationToken": token} if token else None

    def _call_iam(self, method: str, arguments: Json) -> Json:
        """Call AWS, but for what it manages itself: no write changes that."""
        names = [arguments[name] for name in _CHANGED if name in arguments]
        if not _is_read(method):
            self._of_roles.forget(names)
            self._of_policies.forget(names)
        call = functools.partial(super().call, "iam", method, **arguments)
        read = _read_of(method, arguments)
        if read is not None and self._aws_managed.has(read):
            return self._aws_managed.answer(read, call)
        return call()


class _Unbuffered(AwsSession):
    """A BulkSession whose pages are passed by."""

    def __init__(self, session: BulkSession) -> None:
        # Not that of the base: clients and credentials are those of the other session.
        self._bulk = session

    def call(self, service: str, method: str, **arguments: t.Any) -> Json:
        """Call AWS."""
        return self._bulk.call_unbuffered(service, method, **arguments)

    def caller_arn(self) -> str:
        """The ARN of the caller."""
        return self._bulk.caller_arn()

    def caller_arns(self) -> tuple[str, ...]:
        """The ARNs of all that the run acts as."""
        return self._bulk.caller_arns()


def _read_of(method: str, arguments: Json) -> Read | None:
    """A read that pages may answer. Other arguments, such as the marker of a page, make it another
    one.
    """
    names = _READS.get(method)
    if names is None or set(arguments) != set(names):
        return None
    return method, *(str(arguments[name]) for name in names)


def _is_read(method: str) -> bool:
    """Whether an operation, by its boto3 name, changes nothing."""
    return is_read(method.title().replace("_", ""))


def _answers_about_role(listed: Json) -> Answers:
    role = {name: value for name, value in listed.items() if name not in _PAGE_ONLY}
    name = role["RoleName"]
    profiles = [{**profile, "Roles": [role]} for profile in listed["InstanceProfileList"]]
    yield ("get_role", name), {"Role": role}
    yield ("list_instance_profiles_for_role", name), _whole("InstanceProfiles", profiles)
    for profile in profiles:
        yield (
            ("get_instance_profile", profile["InstanceProfileName"]),
            {"InstanceProfile": profile},
        )
    inline = listed["RolePolicyList"]
    names = [policy["PolicyName"] for policy in inline]
    yield ("list_role_policies", name), _whole("PolicyNames", names)
    for policy in inline:
        yield ("get_role_policy", name, policy["PolicyName"]), {"RoleName": name, **policy}
    attached = listed["AttachedManagedPolicies"]
    yield ("list_attached_role_policies", name), _whole("AttachedPolicies", attached)


def _answers_about_policy(listed: Json) -> Answers:
    """Of each policy only its default version: nobody asks for the others."""
    policy = {name: value for name, value in listed.items() if name != _VERSIONS}
    arn, default = policy["Arn"], policy["DefaultVersionId"]
    versions = [version for version in listed[_VERSIONS] if version.get("VersionId") == default]
    # A policy without its document would be answered half by the page, half by AWS.
    if versions:
        yield ("get_policy", arn), {"Policy": policy}
        yield ("get_policy_version", arn, default), {"PolicyVersion": versions[0]}


def _answers_about_bucket(listed: Json) -> Answers:
    if listed.get("BucketRegion"):
        yield (
            ("get_bucket_location", listed["Name"]),
            {"LocationConstraint": listed["BucketRegion"]},
        )


def _whole(key: str, items: list[t.Any]) -> Json:
    """A list as an operation returns it that has pages of its own."""
    return {key: items, "IsTruncated": False}
