# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module s3_cloud_access by either way: the bucket's policy, and the role's own policies."""

from __future__ import annotations

import json
import time
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    PRESETS,
    Wanted,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.bucket_access import (
    by_bucket_policy,
    by_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Identity,
    NamedPolicy,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    OTHER_ACCOUNT,
    PARTNER_ACCOUNT,
    ROLE,
    ROLE_ARN,
    Json,
    bucket_policy_of,
    make_bucket,
    make_role,
    policy,
    put_bucket_policy,
)
from ansible_collections.rayfleet.anyscale.tests.support.fake_clock import QuickTime, pass_quickly
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    Run,
    converge,
    diffs,
    failure,
    refused,
    settled,
    write_operations,
)

MODULE, RESTORE = "s3_cloud_access", "backup_restore"
SID = "AnyscaleClusterAccess"
BUCKET = "anyscale-production-data"
BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"
BOTH = [BUCKET_ARN, f"{BUCKET_ARN}/*"]
EIGHT = list(Wanted(BUCKET, ()).actions)
LOGS = {"Sid": "Logs", "Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
OWN_GRANT = {"Sid": "S3BucketAccess", "Effect": "Allow", "Action": EIGHT, "Resource": BOTH}
OUR_OWN = {**OWN_GRANT, "Sid": SID}
EXPORT = {
    "Sid": "AnalyticsExport",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{PARTNER_ACCOUNT}:root"},
    "Action": "s3:GetObject",
    "Resource": f"{BUCKET_ARN}/exports/*",
}
OURS = {**OUR_OWN, "Principal": {"AWS": ROLE_ARN}}
GIVEN = {"bucket": BUCKET, "roles": [ROLE_ARN], "account_id": ACCOUNT}
BY_ROLE = {**GIVEN, "grant": "role_policy"}
BY_BUCKET = {**GIVEN, "grant": "bucket_policy"}
ABSENT = {**GIVEN, "state": "absent"}


@pytest.fixture(autouse=True, name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> QuickTime:
    return pass_quickly(monkeypatch)


@pytest.fixture
def scene(sandbox: Sandbox) -> Sandbox:
    """A role, and a bucket with an unmanaged statement."""
    make_role(sandbox)
    make_bucket(sandbox, BUCKET, policy(EXPORT))
    return sandbox


def put_own(sandbox: Sandbox, *statements: Json, name: str = "ops") -> None:
    """An inline policy of the role."""
    sandbox.client("iam", ACCOUNT).put_role_policy(
        RoleName=ROLE, PolicyName=name, PolicyDocument=json.dumps(policy(*statements))
    )


def attach(sandbox: Sandbox, *statements: Json, name: str = "bucket", attached: bool = True) -> str:
    """A managed policy, which may be attached to the role; returns its ARN."""
    iam = sandbox.client("iam", ACCOUNT)
    document = json.dumps(policy(*statements))
    arn = str(iam.create_policy(PolicyName=name, PolicyDocument=document)["Policy"]["Arn"])
    if attached:
        iam.attach_role_policy(RoleName=ROLE, PolicyArn=arn)
    return arn


def own_of(sandbox: Sandbox) -> dict[str, Json]:
    """The role's own policies, inline and attached."""
    iam = sandbox.client("iam", ACCOUNT)
    found = {
        name: iam.get_role_policy(RoleName=ROLE, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=ROLE)["PolicyNames"]
    }
    for one in iam.list_attached_role_policies(RoleName=ROLE)["AttachedPolicies"]:
        arn = one["PolicyArn"]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found[arn] = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"][
            "Document"
        ]
    return found


def stored(sandbox: Sandbox) -> list[Json]:
    return t.cast(list[Json], (bucket_policy_of(sandbox, BUCKET) or policy())["Statement"])


def has_access(sandbox: Sandbox) -> bool:
    """Whether the role has all access by one of the two ways now."""
    role, pairs = Role(ROLE_ARN, ACCOUNT), Wanted(BUCKET, ()).pairs()
    own = Identity(tuple(NamedPolicy(*one) for one in own_of(sandbox).items()))
    ways = (
        by_bucket_policy(policy(*stored(sandbox)), role, pairs, {}, time.time()),
        by_identity(own, role, pairs, time.time()),
    )
    return any(way.verdict for way in ways)


# --- either ---------------------------------------------------------------------------------------

ENOUGH: dict[str, t.Callable[[Sandbox], object]] = {
    "by an inline policy": lambda sandbox: put_own(sandbox, OWN_GRANT),
    "by an attached policy": lambda sandbox: attach(sandbox, OWN_GRANT),
    "by two policies": lambda sandbox: (
        put_own(sandbox, {**OWN_GRANT, "Action": EIGHT[:4]}),
        attach(sandbox, {**OWN_GRANT, "Action": EIGHT[4:]}),
    ),
}


@pytest.mark.parametrize("case", ENOUGH)
def test_access_by_the_roles_own_policies_is_left_alone(
    scene: Sandbox, run_module: Run, case: str
) -> None:
    ENOUGH[case](scene)
    result = settled(scene, run_module, MODULE, **GIVEN)
    assert result["warnings"] == []
    assert all("S3BucketAccess" in source for source in result["granted_by"][ROLE_ARN])
    assert stored(scene) == [EXPORT]


NOT_ENOUGH: dict[str, t.Callable[[Sandbox], object]] = {
    "split between the two": lambda sandbox: (
        put_bucket_policy(
            sandbox, BUCKET, policy(EXPORT, {**OURS, "Sid": "", "Action": EIGHT[:4]})
        ),
        put_own(sandbox, {**OWN_GRANT, "Action": EIGHT[4:]}),
    ),
    "denied again": lambda sandbox: put_own(
        sandbox, OWN_GRANT, {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"}
    ),
}


@pytest.mark.parametrize("case", NOT_ENOUGH)
def test_where_it_is_not_complete_the_buckets_policy_is(
    scene: Sandbox, run_module: Run, case: str
) -> None:
    NOT_ENOUGH[case](scene)
    own = own_of(scene)
    made = converge(scene, run_module, MODULE, ["access_missing"], **GIVEN)
    assert OURS in stored(scene)
    assert SID in made["granted_by"][ROLE_ARN]
    assert own_of(scene) == own


def test_a_cloud_in_sync_costs_no_more_calls(scene: Sandbox, run_module: Run) -> None:
    put_bucket_policy(scene, BUCKET, policy(OURS))
    scene.clear_calls()
    run_module(MODULE, **GIVEN)
    assert [call["operation"] for call in scene.calls()] == ["GetBucketPolicy"]


def test_own_policies_that_may_not_be_read(scene: Sandbox, run_module: Run) -> None:
    put_own(scene, OWN_GRANT)
    scene.fault("ListRolePolicies", status=403, code="AccessDenied", message="no", times=9)
    made = run_module(MODULE, **GIVEN)
    assert made["changed"]
    assert "could not be read" in made["warnings"][0]
    assert stored(scene) == [EXPORT, OURS]


# --- by the role's own policies -------------------------------------------------------------------


def test_an_inline_policy_is_made_mended_and_removed(scene: Sandbox, run_module: Run) -> None:
    put_own(scene, LOGS, name="ops")
    made = converge(scene, run_module, MODULE, ["access_missing"], **BY_ROLE)
    assert own_of(scene) == {"ops": policy(LOGS), SID: policy(OUR_OWN)}
    assert made["role_policies"][ROLE_ARN]["role_policy"] == policy(OUR_OWN)
    assert stored(scene) == [EXPORT]

    put_own(scene, LOGS, {**OUR_OWN, "Action": EIGHT[1:]}, name=SID)
    converge(scene, run_module, MODULE, ["access_missing", "statement_differs"], **BY_ROLE)
    assert own_of(scene)[SID] == policy(LOGS, OUR_OWN)

    gone = converge(scene, run_module, MODULE, ["access_present"], **ABSENT)
    assert own_of(scene) == {"ops": policy(LOGS), SID: policy(LOGS)}
    assert gone["warnings"] == []


def test_one_policy_is_for_several_buckets(scene: Sandbox, run_module: Run) -> None:
    make_bucket(scene, "other-data")
    for bucket in (BUCKET, "other-data"):
        run_module(MODULE, **{**BY_ROLE, "bucket": bucket, "policy_name": "shared"})
    (statement,) = own_of(scene)["shared"]["Statement"]
    assert statement["Resource"] == [*BOTH, "arn:aws:s3:::other-data", "arn:aws:s3:::other-data/*"]
    run_module(MODULE, **{**ABSENT, "bucket": "other-data", "policy_name": "shared"})
    assert own_of(scene) == {"shared": policy(OUR_OWN)}
    run_module(MODULE, **{**ABSENT, "policy_name": "shared"})
    assert own_of(scene) == {}


@pytest.mark.parametrize("existing", [False, True], ids=["ours", "a managed policy"])
def test_a_role_moves_there_and_back_without_a_moment_without_access(
    scene: Sandbox,
    run_module: Run,
    clock: QuickTime,
    monkeypatch: pytest.MonkeyPatch,
    existing: bool,
) -> None:
    arn = attach(scene, OWN_GRANT, attached=False) if existing else None
    put_bucket_policy(scene, BUCKET, policy(EXPORT, OURS))
    seen, call = [], AwsSession.call

    def watched(self: AwsSession, service: str, method: str, **arguments: t.Any) -> t.Any:
        answer = call(self, service, method, **arguments)
        seen.append(has_access(scene))
        return answer

    monkeypatch.setattr(AwsSession, "call", watched)
    there = converge(
        scene,
        run_module,
        MODULE,
        ["access_missing", "access_in_bucket_policy"],
        **BY_ROLE,
        policy_arn=arn,
    )
    assert stored(scene) == [EXPORT]
    assert list(own_of(scene)) == [arn or SID]
    assert [one["after_header"].split()[-2] for one in diffs(there)] == [ROLE_ARN, BUCKET]
    back = converge(
        scene,
        run_module,
        MODULE,
        ["access_missing", "access_in_role_policy"],
        **BY_BUCKET,
        policy_arn=arn,
    )
    assert stored(scene) == [EXPORT, OURS]
    assert own_of(scene) == {}
    assert all(seen)
    assert clock.slept >= 20
    assert there["granted_by"] != back["granted_by"] == {ROLE_ARN: [SID]}


READ = {**OWN_GRANT, "Action": list(PRESETS["read_only"])}
# What the role has by its own policies, by the name of the inline one; what it is to have; whether it
# leaves our statement, which allows it more, and what is changed besides.
LEAVING: dict[str, tuple[dict[str, Json], bool, bool, list[str]]] = {
    "they allow less": ({"ops": READ}, False, False, []),
    "they are going to allow less": ({}, False, False, ["access_missing"]),
    "they allow as much": ({"ops": OWN_GRANT}, False, True, []),
    "they allow as much, by ours": ({SID: OUR_OWN}, False, True, []),
    "they allow as much, by ours, which goes": (
        {SID: OUR_OWN},
        True,
        False,
        ["access_missing", "access_in_role_policy"],
    ),
}


@pytest.mark.parametrize("case", LEAVING)
def test_a_role_leaves_our_statement_if_its_own_policies_allow_as_much(
    scene: Sandbox, run_module: Run, case: str
) -> None:
    own, by_managed, leaves, reasons = LEAVING[case]
    put_bucket_policy(scene, BUCKET, policy(EXPORT, OURS))
    for name, statement in own.items():
        put_own(scene, statement, name=name)
    options: Json = {**BY_ROLE, "preset": "read_only"}
    if by_managed:
        options["policy_arn"] = attach(scene, READ, attached=False)
    expected = [*reasons, *["access_in_bucket_policy"] * leaves]
    found = (
        converge(scene, run_module, MODULE, expected, **options)
        if expected
        else run_module(MODULE, **options)
    )
    assert found["reasons"] == expected
    assert any("s3:PutObject" in text for text in found["warnings"]) is not leaves
    assert stored(scene) == ([EXPORT] if leaves else [EXPORT, OURS])


def test_an_unmanaged_statement_of_the_bucket_stays(scene: Sandbox, run_module: Run) -> None:
    unmanaged = {**OURS, "Sid": "Theirs"}
    put_bucket_policy(scene, BUCKET, policy(unmanaged))
    made = converge(scene, run_module, MODULE, ["access_missing"], **BY_ROLE)
    assert stored(scene) == [unmanaged]
    assert "Theirs" in made["granted_by"][ROLE_ARN]


WIDE = {"Effect": "Allow", "Action": "*", "Resource": "*"}
UNFIT: dict[str, tuple[list[Json], tuple[str, ...]]] = {
    "one that lacks an action": (
        [{**OWN_GRANT, "Action": EIGHT[1:]}],
        ("s3:ListBucket", "does not"),
    ),
    "one for another bucket": ([{**OWN_GRANT, "Resource": "arn:aws:s3:::x*"}], ("does not",)),
    "one that Anyscale's check does not read": (
        [{**OWN_GRANT, "Action": ["s3:Get*", "s3:Put*", "s3:List*", "s3:Delete*", "s3:Abort*"]}],
        ("anyscale cloud verify",),
    ),
    "one for administrators": ([OWN_GRANT, WIDE], ("administrator",)),
}


@pytest.mark.parametrize("case", UNFIT)
def test_a_managed_policy_that_is_not_attached(scene: Sandbox, run_module: Run, case: str) -> None:
    statements, phrases = UNFIT[case]
    arn = attach(scene, *statements, attached=False)
    refused(scene, run_module, MODULE, arn, *phrases, **BY_ROLE, policy_arn=arn)


def test_a_managed_policy_that_is_not_there(scene: Sandbox, run_module: Run) -> None:
    arn = f"arn:aws:iam::{ACCOUNT}:policy/none"
    refused(scene, run_module, MODULE, arn, "does not exist", **BY_ROLE, policy_arn=arn)


@pytest.mark.parametrize("by", ["a Deny", "the boundary"])
def test_what_the_role_is_denied_cannot_be_granted(
    scene: Sandbox, run_module: Run, by: str
) -> None:
    if by == "a Deny":
        put_own(scene, {"Sid": "No", "Effect": "Deny", "Action": "s3:Put*", "Resource": "*"})
        refused(scene, run_module, MODULE, "Sid 'No'", "denies", **BY_ROLE)
        return
    arn = attach(scene, {**WIDE, "Action": "ec2:*"}, name="limit", attached=False)
    scene.client("iam", ACCOUNT).put_role_permissions_boundary(
        RoleName=ROLE, PermissionsBoundary=arn
    )
    refused(scene, run_module, MODULE, arn, "boundary", **BY_ROLE)
    (warning,) = run_module(MODULE, check=True, **GIVEN)["warnings"]
    assert f"The permissions boundary {arn} of {ROLE_ARN}" in warning


QUEUES = {"Sid": "Queues", "Effect": "Allow", "Action": "sqs:*", "Resource": "*"}
# What the inline policy has before, what another writer leaves just after the module's write, and
# what is there in the end.
RACES: dict[str, tuple[list[Json], list[Json], list[Json]]] = {
    "ours is overwritten": ([], [LOGS], [LOGS, OUR_OWN]),
    "ours and another are overwritten": ([LOGS, QUEUES], [QUEUES], [QUEUES, LOGS, OUR_OWN]),
    "another is added": ([LOGS], [LOGS, OUR_OWN, QUEUES], [LOGS, OUR_OWN, QUEUES]),
}


@pytest.mark.parametrize("case", RACES)
def test_another_writer_of_the_inline_policy(
    scene: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    before, theirs, expected = RACES[case]
    if before:
        put_own(scene, *before, name=SID)
    write, written = Iam.put_inline_policy, []

    def overwritten(iam: Iam, role: str, name: str, document: t.Any) -> None:
        write(iam, role, name, document)
        if not written:
            put_own(scene, *theirs, name=SID)
        written.append(document)

    monkeypatch.setattr(Iam, "put_inline_policy", overwritten)
    made = run_module(MODULE, **BY_ROLE)
    assert made["changed"]
    assert own_of(scene) == {SID: policy(*expected)}
    assert ("unmanaged_statement_lost" in made["reasons"]) is (
        case == "ours and another are overwritten"
    )


# --- absent ---------------------------------------------------------------------------------------


def test_absent_detaches_no_other_policy_and_says_what_still_grants(
    scene: Sandbox, run_module: Run
) -> None:
    module_s = attach(scene, OWN_GRANT, name="S3BucketAccess")
    named = attach(scene, OWN_GRANT, name="named")
    everyone = {
        "Sid": "Org",
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": BOTH,
        "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}},
    }
    account = {**OURS, "Sid": "Account", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    listed = {
        **everyone,
        "Sid": "Listed",
        "Condition": {"StringEquals": {"aws:PrincipalArn": [ROLE_ARN, f"{ROLE_ARN}-2"]}},
    }
    put_bucket_policy(scene, BUCKET, policy(OURS, everyone, account, listed))
    reasons = ["access_present", "access_in_other_statement"]
    gone = converge(scene, run_module, MODULE, reasons, **ABSENT, policy_arn=named)
    assert list(own_of(scene)) == [module_s]
    condition = {"StringEquals": {"aws:PrincipalArn": [f"{ROLE_ARN}-2"]}}
    assert stored(scene)[-1]["Condition"] in (
        condition,
        {"StringEquals": {"aws:PrincipalArn": f"{ROLE_ARN}-2"}},
    )
    for phrase in ("'Org') may still allow", "'Account') allows access to account", module_s):
        assert any(phrase in warning for warning in gone["warnings"]), phrase
    assert not any(named in warning for warning in gone["warnings"])


def test_absent_of_a_role_that_is_gone(scene: Sandbox, run_module: Run) -> None:
    gone = {
        **ABSENT,
        "roles": [f"{ROLE_ARN}-gone"],
        "policy_arn": f"arn:aws:iam::{ACCOUNT}:policy/x",
    }
    assert settled(scene, run_module, MODULE, **gone)["warnings"] == []


# --- what is narrower -----------------------------------------------------------------------------


def test_a_prefix_and_a_preset(scene: Sandbox, run_module: Run) -> None:
    """Of the objects alone: the bucket is there for whoever asks for it."""
    narrow = {"prefix": "team-a/", "preset": "read_only"}
    made = converge(scene, run_module, MODULE, ["access_missing"], **GIVEN, **narrow)
    statement = stored(scene)[-1]
    assert sorted(statement["Action"]) == ["s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket"]
    assert statement["Resource"] == [BUCKET_ARN, f"{BUCKET_ARN}/team-a/*"]
    assert made["sid"].startswith(SID)
    assert made["sid"] != SID
    converge(
        scene,
        run_module,
        MODULE,
        ["access_missing", "access_in_bucket_policy"],
        **BY_ROLE,
        **narrow,
    )
    assert own_of(scene)[SID]["Statement"][0]["Resource"] == statement["Resource"]
    converge(scene, run_module, MODULE, ["access_present"], **ABSENT)
    assert own_of(scene) == {}


REFUSALS: dict[str, tuple[Json, str]] = {
    "a prefix with a slash": ({"prefix": "/x"}, "must not start"),
    "a prefix with a wildcard": ({"prefix": "team-*"}, "must not start"),
    "an empty prefix": ({"prefix": ""}, "omit it"),
    "actions and a preset": ({"preset": "required", "actions": EIGHT}, "mutually exclusive"),
    "a policy of another account": (
        {"policy_arn": f"arn:aws:iam::{PARTNER_ACCOUNT}:policy/x"},
        "not in account",
    ),
    "a role for a policy": ({"policy_arn": ROLE_ARN}, "not the ARN of a managed policy"),
    "a policy name with a slash": ({"policy_name": "a/b"}, "policy_name"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_it_refuses(scene: Sandbox, run_module: Run, case: str) -> None:
    options, phrase = REFUSALS[case]
    refused(scene, run_module, MODULE, phrase, **GIVEN, **options)


def test_nothing_is_written_if_a_later_step_is_refused(scene: Sandbox, run_module: Run) -> None:
    """A bucket of another account would be granted by the role's own policies, to whoever owns it."""
    make_bucket(scene, "theirs", account=PARTNER_ACCOUNT)
    given = {**BY_ROLE, "bucket": "theirs"}
    refused(scene, run_module, MODULE, "belong to another account", **given)
    assert own_of(scene) == {}


# --- the way back ---------------------------------------------------------------------------------


@pytest.mark.parametrize("existing", [False, True], ids=["ours", "a managed policy"])
def test_a_move_can_be_taken_back(scene: Sandbox, run_module: Run, existing: bool) -> None:
    arn = attach(scene, OWN_GRANT, attached=False) if existing else None
    put_bucket_policy(scene, BUCKET, policy(EXPORT, OURS))
    made = run_module(MODULE, **BY_ROLE, policy_arn=arn, backup=True)
    assert len(made["backup_files"]) == 2
    own, bucket = made["backup_files"]
    back = converge(scene, run_module, RESTORE, ["changed_since_backup"], files=[bucket])
    assert "gives access back to" in back["warnings"][0]
    assert back["document"]["Statement"] == stored(scene) == [EXPORT, OURS]
    gone = converge(scene, run_module, RESTORE, ["added_since_backup"], files=[own])
    assert gone["document"] is None
    assert own_of(scene) == {}


def test_what_was_removed_comes_back(scene: Sandbox, run_module: Run) -> None:
    arn = attach(scene, OWN_GRANT)
    put_own(scene, OUR_OWN, LOGS, name=SID)
    made = run_module(MODULE, **ABSENT, policy_arn=arn, backup=True)
    own, attachment = made["backup_files"]
    converge(scene, run_module, RESTORE, ["changed_since_backup"], files=[own])
    back = converge(scene, run_module, RESTORE, ["removed_since_backup"], files=[attachment])
    assert f"gives access back to {ROLE_ARN}" in back["warnings"][0]
    assert own_of(scene) == {SID: policy(OUR_OWN, LOGS), arn: policy(OWN_GRANT)}


def test_what_was_removed_comes_back_in_no_other_account(
    scene: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where there is a role of the same name, without the policy."""
    run_module(MODULE, **BY_ROLE)
    files = run_module(MODULE, **ABSENT, backup=True)["backup_files"]
    make_role(scene, account=OTHER_ACCOUNT)
    for name, value in scene.credentials(OTHER_ACCOUNT).items():
        monkeypatch.setenv(name.upper(), value)
    phrase = f"credentials are for account {OTHER_ACCOUNT}, but role {ROLE_ARN}"
    refused(scene, run_module, RESTORE, phrase, files=files, force=True, account_id=ACCOUNT)


def test_what_was_written_before_a_failure_is_told(scene: Sandbox, run_module: Run) -> None:
    put_bucket_policy(scene, BUCKET, policy(EXPORT, OURS))
    scene.fault("PutBucketPolicy", status=403, code="AccessDenied", message="no", times=9)
    failed = failure(run_module(MODULE, **BY_ROLE))
    assert failed["error"]["written"] == [f"inline policy {SID} of role {ROLE_ARN}"]
    assert has_access(scene)
    scene.clear_faults()
    scene.clear_calls()
    assert run_module(MODULE, **BY_ROLE)["changed"]
    assert write_operations(scene) == ["PutBucketPolicy"]
