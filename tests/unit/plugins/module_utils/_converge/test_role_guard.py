# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guard of roles reads, and how often."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
    registration_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.known import Known
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_guard import (
    RoleGuard,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy import (
    LiveTrust,
    TrustGuard,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    InputError,
    PolicyError,
    RefusedError,
)

ACCOUNT = "123456789012"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/team/ray"
OWN = f"arn:aws:iam::{ACCOUNT}:policy/ops"
CALLER = f"arn:aws:iam::{ACCOUNT}:role/operator"
OF_AWS = "arn:aws:iam::aws:policy"
READ = {"Effect": "Allow", "Action": "iam:Get*", "Resource": "*"}
WRITE = {"Effect": "Allow", "Action": "iam:*", "Resource": "*"}


class Session:
    """IAM with one role: its attached policies, and the documents by the names of policies."""

    def __init__(self, attached: t.Sequence[str] = (), **documents: t.Any) -> None:
        self.attached = attached
        self.documents = documents
        self.denied = ""
        self.calls: list[str] = []

    def caller_arns(self) -> tuple[str, ...]:
        """Somebody else."""
        return (CALLER,)

    def call(self, _service: str, method: str, **arguments: t.Any) -> dict[str, t.Any]:
        """An answer of IAM."""
        self.calls.append(method)
        if method == self.denied:
            raise AwsError(f"{method} failed with AccessDenied", "Grant it.", code="AccessDenied")
        managed = {arn.rpartition("/")[2] for arn in self.attached}
        inline = [name for name in self.documents if name not in managed]
        policy = str(arguments.get("PolicyArn")).rpartition("/")[2]
        return {
            "list_attached_role_policies": {
                "AttachedPolicies": [{"PolicyArn": arn} for arn in self.attached]
            },
            "list_role_policies": {"PolicyNames": inline},
            "get_role_policy": {
                "PolicyDocument": self.documents.get(arguments.get("PolicyName", ""))
            },
            "get_policy": {"Policy": {"DefaultVersionId": "v3"}},
            "get_policy_version": {
                "PolicyVersion": {
                    "Document": arguments.get("VersionId") == "v3" and self.documents.get(policy)
                }
            },
        }[method]


def guard_of(session: Session, known: Known | None = None, allow: bool = False) -> RoleGuard:
    """The guard with these answers."""
    return RoleGuard(t.cast(t.Any, session), known or Known(), lambda: None, allow)


def statement(raw: t.Any) -> dict[str, t.Any]:
    """A policy of one statement."""
    return {"Statement": raw}


ADMINISTRATORS: dict[str, tuple[Session, str]] = {
    "a policy of AWS": (
        Session([f"{OF_AWS}/PowerUserAccess"], PowerUserAccess=statement(WRITE)),
        "policy PowerUserAccess allows iam:AttachRolePolicy on any role",
    ),
    "a policy of the account": (Session([OWN], ops=statement(WRITE)), "policy ops"),
    "a policy of the account that lets it change itself": (
        Session([OWN], ops=statement({**WRITE, "Resource": OWN})),
        "policy ops allows iam:CreatePolicyVersion on policy ops, which is attached to it",
    ),
    "an inline policy that lets it assume the role of the run": (
        Session(inline=statement({**WRITE, "Action": "sts:AssumeRole", "Resource": CALLER})),
        "policy inline allows sts:AssumeRole on the role of this run",
    ),
    "an inline policy": (Session(inline=statement([READ, WRITE])), "Statement 2 .* policy inline"),
    "the last of many": (
        Session(
            [f"{OF_AWS}/ReadOnlyAccess", OWN],
            a=statement(READ),
            ops=statement(WRITE),
            ReadOnlyAccess=statement(READ),
        ),
        "policy ops",
    ),
}


@pytest.mark.parametrize("case", ADMINISTRATORS)
def test_a_role_like_an_administrator(case: str) -> None:
    session, words = ADMINISTRATORS[case]
    with pytest.raises(RefusedError, match=words):
        guard_of(session).check_for_clusters(ROLE)
    guard_of(session).check(ROLE)  # it may have access to a bucket
    session.calls.clear()
    guard_of(session, allow=True).check_for_clusters(ROLE)
    assert session.calls == []


def test_a_role_is_read_once_in_a_run() -> None:
    documents = {"ops": statement(READ), "ReadOnlyAccess": statement(READ)}
    session, known = Session([f"{OF_AWS}/ReadOnlyAccess", OWN], **documents), Known()
    for role in (ROLE, ROLE, f"{ROLE}-2"):
        guard_of(session, known).check_for_clusters(role)
    of_role = ["list_attached_role_policies", "list_role_policies"]
    of_policy = ["get_policy", "get_policy_version"]
    assert sorted(session.calls) == sorted([*of_role * 2, *of_policy * 4])


@pytest.mark.parametrize(
    "operation",
    [
        "list_attached_role_policies",
        "list_role_policies",
        "get_role_policy",
        "get_policy",
        "get_policy_version",
    ],
)
def test_what_cannot_be_read_is_refused_each_time(operation: str) -> None:
    session, known = Session([OWN], ops=statement(READ), inline=statement(READ)), Known()
    session.denied = operation
    for _time in range(2):
        with pytest.raises(AwsError, match=f"{ROLE}.*{operation} failed") as refused:
            guard_of(session, known).check_for_clusters(ROLE)
        assert refused.value.remedy.startswith("Grant it.")
        assert "cloud_iam_allow_privileged" in refused.value.remedy
    session.denied = ""
    guard_of(session, known).check_for_clusters(ROLE)


def test_a_policy_that_is_none_is_refused() -> None:
    with pytest.raises(PolicyError, match="policy inline"):
        guard_of(Session(inline="{")).check_for_clusters(ROLE)


def test_a_role_that_is_assumed_for_any_cloud_is_refused() -> None:
    known = Known()
    known.own_roles.add(ROLE)
    with pytest.raises(RefusedError, match="role of this run itself"):
        guard_of(Session(), known).check(ROLE)


@pytest.mark.parametrize("state", ["present", "absent"])
def test_ec2_trust_of_the_role_of_a_run_is_neither_added_nor_removed(state: str) -> None:
    """A controller on EC2 could not go on without it."""
    known, store = Known(), t.cast(t.Any, types.SimpleNamespace(guard=lambda _live, _plan: None))
    known.own_roles.add(ROLE)
    guard = TrustGuard(store, guard_of(Session(), known), state)
    live = LiveTrust("trust policy", {}, role={"Arn": ROLE})
    with pytest.raises(RefusedError, match="role of this run itself"):
        guard.check(live, Plan({}, {}))
    known.own_roles.clear()
    guard.check(live, Plan({}, {}))


def test_a_control_plane_role_of_any_cloud_is_refused() -> None:
    known = Known()
    known.control_planes.add(ROLE)
    with pytest.raises(RefusedError, match="control-plane role"):
        guard_of(Session(), known).check(ROLE)


# --- the account ----------------------------------------------------------------------------------

OTHER = "210987654321"
CLOUD_ID = "cld_4fxb3wsbdcq2n1p9"


def resource(account_id: str, **more: t.Any) -> dict[str, t.Any]:
    """A resource of a cloud that is registered in an account."""
    arn = f"arn:aws:iam::{account_id}:role/anyscale-control"
    return {"aws_config": {"anyscale_iam_role_id": arn}, **more}


REGISTERED: dict[str, tuple[Registration | None, bool]] = {
    "in the account": (registration_of([resource(ACCOUNT)]), False),
    "in another account": (registration_of([resource(OTHER)]), True),
    "there with one of its resources": (
        registration_of([resource(OTHER, is_default=True), resource(ACCOUNT)]),
        False,
    ),
    "by the name of its role": (
        registration_of([{"aws_config": {"cluster_iam_role_id": "ray"}}]),
        False,
    ),
    "without a role": (registration_of([{}]), False),
    "nowhere": (registration_of([]), False),
    "not asked for": (None, False),
}


@pytest.mark.parametrize("case", REGISTERED)
def test_a_cloud_in_another_account_is_refused(case: str) -> None:
    registration, is_refused = REGISTERED[case]
    found = registration and (CLOUD_ID, registration)
    guard = RoleGuard(t.cast(t.Any, Session()), Known(), lambda: found, True)
    for check in (
        lambda: guard.check_account(ACCOUNT),
        lambda: guard.check(ROLE),
        lambda: guard.check_for_clusters(ROLE),
    ):
        if not is_refused:
            check()
            continue
        with pytest.raises(InputError) as refused:
            check()
        message = refused.value.failure()["msg"]
        for words in (ACCOUNT, OTHER, CLOUD_ID, "cloud_iam_account_id", "cloud_iam_cloud_id"):
            assert words in message


def test_a_control_plane_role_that_is_registered_for_a_cloud_is_refused_for_that_one_alone() -> (
    None
):
    """Else any member of an organization could have another's cloud refused."""
    registration = registration_of([{"aws_config": {"anyscale_iam_role_id": ROLE}}])
    session, known = t.cast(t.Any, Session()), Known(lambda _params, _cloud_id: registration)
    own = RoleGuard(session, known, lambda: (CLOUD_ID, known.registration({}, CLOUD_ID)), True)
    with pytest.raises(RefusedError, match="control-plane role"):
        own.check(ROLE)
    RoleGuard(session, known, lambda: ("cld_other", registration_of([])), True).check(ROLE)
