# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module s3_cloud_access against S3 and IAM as the sandbox plays them."""

from __future__ import annotations

import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.s3 import Bucket
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import overwriting
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_policy import (
    BucketPolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import opaque_id
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    OTHER_ACCOUNT,
    PARTNER_ACCOUNT,
    ROLE,
    ROLE_ARN,
    Json,
    bucket_policy_of,
    delete_role,
    make_bucket,
    make_role,
    policy,
    put_bucket_policy,
    register_cloud,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    Run,
    after,
    before,
    converge,
    documented_reasons,
    failure,
    hold_up,
    refused,
    settled,
    write_operations,
)

MODULE = "s3_cloud_access"
PUT, DELETE = "PutBucketPolicy", "DeleteBucketPolicy"
CLOUD_ID = opaque_id("cld", "apollo")
DEFAULT_ROLE = f"{CLOUD_ID}-cluster_node_role"
BUCKET = "anyscale-production-data"
BUCKET_ARN = f"arn:aws:s3:::{BUCKET}"
BOTH = [BUCKET_ARN, f"{BUCKET_ARN}/*"]
ROLE_B = "ray-team-b"
ROLE_B_ARN = f"arn:aws:iam::{ACCOUNT}:role/{ROLE_B}"
FORMER = "FormerTool"
FORMER_ARN = f"arn:aws:iam::{ACCOUNT}:role/{FORMER}"
EIGHT = [
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:GetBucketLocation",
    "s3:PutObject",
    "s3:GetObject",
    "s3:DeleteObject",
    "s3:ListMultipartUploadParts",
    "s3:AbortMultipartUpload",
]
TLS_ONLY = {
    "Sid": "AllowSSLRequestsOnly",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": BOTH,
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
EXPORT = {
    "Sid": "AnalyticsExport",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{PARTNER_ACCOUNT}:root"},
    "Action": "s3:GetObject",
    "Resource": f"{BUCKET_ARN}/exports/*",
}
PUBLIC = {
    "Sid": "Website",
    "Effect": "Allow",
    "Principal": "*",
    "Action": "s3:GetObject",
    "Resource": f"{BUCKET_ARN}/public/*",
}
GIVEN = {"bucket": BUCKET, "roles": [ROLE_ARN]}


def grant(*roles: str, sid: str = "AnyscaleClusterAccess", **more: t.Any) -> Json:
    """A grant of all eight actions, as S3 shows it."""
    arns = roles[0] if len(roles) == 1 else list(roles)
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": arns},
        "Action": EIGHT,
        "Resource": BOTH,
        **more,
    }


def deny(sid: str = "Blocked", **more: t.Any) -> Json:
    return {
        "Sid": sid,
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": BOTH,
        **more,
    }


def stored(sandbox: Sandbox) -> list[Json]:
    """The statements of the live policy."""
    return (bucket_policy_of(sandbox, BUCKET) or policy())["Statement"]


def warned(result: Json, *phrases: str) -> bool:
    """Whether one warning has all phrases."""
    return any(all(phrase in warning for phrase in phrases) for warning in result["warnings"])


@pytest.fixture
def scene(sandbox: Sandbox) -> Sandbox:
    """Two roles and a bucket with unmanaged statements."""
    make_role(sandbox, ROLE)
    make_role(sandbox, ROLE_B)
    make_bucket(sandbox, BUCKET, policy(TLS_ONLY, EXPORT))
    return sandbox


def with_policy(*statements: Json) -> t.Callable[[Sandbox], None]:
    return lambda sandbox: put_bucket_policy(sandbox, BUCKET, policy(*statements))


# --- the cycle ------------------------------------------------------------------------------------

MODIFICATIONS: dict[str, tuple[list[Json], Json, list[str], list[Json]]] = {
    "another role": (
        [TLS_ONLY, EXPORT, grant(ROLE_ARN)],
        {"roles": [ROLE_B, ROLE_ARN]},
        ["access_missing"],
        [TLS_ONLY, EXPORT, grant(ROLE_ARN, ROLE_B_ARN)],
    ),
    "ours with fewer actions": (
        [grant(ROLE_ARN, Action=["s3:GetObject", "s3:PutObject"]), TLS_ONLY, EXPORT],
        {},
        ["access_missing", "statement_differs"],
        [grant(ROLE_ARN), TLS_ONLY, EXPORT],
    ),
    "ours twice": (
        [grant(ROLE_ARN), TLS_ONLY, grant(ROLE_ARN), EXPORT],
        {},
        ["duplicate_statement"],
        [grant(ROLE_ARN), TLS_ONLY, EXPORT],
    ),
}


@pytest.mark.parametrize("modification", MODIFICATIONS)
def test_create_modify_delete(scene: Sandbox, run_module: Run, modification: str) -> None:
    options = {**GIVEN, "account_id": ACCOUNT}
    made = converge(scene, run_module, MODULE, ["access_missing"], **options)
    assert before(made)["Statement"] == made["previous"]["Statement"] == [TLS_ONLY, EXPORT]
    assert stored(scene) == [TLS_ONLY, EXPORT, grant(ROLE_ARN)]
    assert [statement["Sid"] for statement in after(made)["Statement"]] == [
        "AllowSSLRequestsOnly",
        "AnalyticsExport",
        made["sid"],
    ]
    assert after(made) == made["policy"]
    assert made["granted_by"] == {ROLE_ARN: ["AnyscaleClusterAccess"]}
    assert made["bytes_used"] == len(json.dumps(made["policy"], separators=(",", ":")))

    found, changes, reasons, wanted = MODIFICATIONS[modification]
    put_bucket_policy(scene, BUCKET, policy(*found))
    modified = converge(scene, run_module, MODULE, reasons, **{**options, **changes})
    assert before(modified)["Statement"] == found
    assert stored(scene) == wanted

    gone = converge(
        scene, run_module, MODULE, ["access_present"], state="absent", **{**options, **changes}
    )
    assert before(gone)["Statement"] == wanted
    assert (
        after(gone)["Statement"]
        == stored(scene)
        == [statement for statement in wanted if statement["Sid"] != made["sid"]]
    )


def test_a_bucket_without_a_policy_has_none_again_in_the_end(
    sandbox: Sandbox, run_module: Run
) -> None:
    make_role(sandbox)
    make_bucket(sandbox, BUCKET)
    made = converge(sandbox, run_module, MODULE, ["access_missing"], **GIVEN)
    assert (before(made), made["previous"]) == (None, None)

    sandbox.clear_calls()
    run_module(MODULE, state="absent", **GIVEN)
    assert write_operations(sandbox) == [DELETE]
    run_module(MODULE, **GIVEN)
    gone = converge(sandbox, run_module, MODULE, ["access_present"], state="absent", **GIVEN)
    assert (after(gone), gone["policy"], gone["bytes_used"]) == (None, None, 0)
    assert bucket_policy_of(sandbox, BUCKET) is None


def test_a_bucket_with_a_name_of_before_2018(sandbox: Sandbox, run_module: Run) -> None:
    make_role(sandbox)
    make_bucket(sandbox, "AcmeRay_Data")
    given = {**GIVEN, "bucket": "s3://AcmeRay_Data/"}
    converge(sandbox, run_module, MODULE, ["access_missing"], **given)
    made = bucket_policy_of(sandbox, "AcmeRay_Data") or {}
    assert "arn:aws:s3:::AcmeRay_Data/*" in made["Statement"][0]["Resource"]
    settled(sandbox, run_module, MODULE, **given)


def test_every_write_is_one_call(scene: Sandbox, run_module: Run) -> None:
    for options in (GIVEN, {**GIVEN, "roles": [ROLE, ROLE_B]}, {**GIVEN, "state": "absent"}):
        scene.clear_calls()
        run_module(MODULE, **options)
        assert write_operations(scene) == [PUT]


@pytest.mark.parametrize("account", [{}, {"account_id": ACCOUNT}], ids=["from the role", "given"])
def test_every_call_says_whose_the_bucket_must_be(
    scene: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch, account: Json
) -> None:
    send, owners = AwsSession.call, []

    def listen(self: AwsSession, service: str, method: str, **arguments: t.Any) -> Json:
        if service == "s3":
            owners.append(arguments.get("ExpectedBucketOwner"))
        return send(self, service, method, **arguments)

    monkeypatch.setattr(AwsSession, "call", listen)
    put_bucket_policy(scene, BUCKET, policy(grant(ROLE_ARN)))
    for options in (
        {"roles": [ROLE_ARN, ROLE_B]},
        {"roles": [ROLE_ARN, ROLE_B], "state": "absent"},
    ):
        run_module(MODULE, **{**GIVEN, **account, **options})
    assert write_operations(scene) == [PUT, DELETE]
    assert set(owners) == {ACCOUNT}


# --- which bucket, which roles, which actions -----------------------------------------------------

NAMED: dict[str, Json] = {
    "bucket by ARN": {"bucket": BUCKET_ARN},
    "bucket by address": {"bucket": f"s3://{BUCKET}"},
    "bucket by address with a slash": {"bucket": f"s3://{BUCKET}/"},
    "role by name": {"roles": [ROLE]},
    "role by name, in the account": {"roles": [ROLE], "account_id": ACCOUNT},
    "role twice": {"roles": [ROLE, ROLE_ARN]},
}


@pytest.mark.parametrize("how", NAMED)
def test_the_same_by_other_names(scene: Sandbox, run_module: Run, how: str) -> None:
    run_module(MODULE, **GIVEN)
    result = settled(scene, run_module, MODULE, **{**GIVEN, **NAMED[how]})
    assert (result["bucket"], list(result["granted_by"])) == (BUCKET, [ROLE_ARN])


@pytest.mark.parametrize("is_registered", [True, False], ids=["registered", "by its name"])
def test_a_cloud_stands_for_its_role(scene: Sandbox, run_module: Run, is_registered: bool) -> None:
    """The one that is registered for it at Anyscale, else the one that Anyscale created."""
    arn = make_role(scene, "customers" if is_registered else DEFAULT_ROLE)
    assert register_cloud(scene, arn if is_registered else None) == CLOUD_ID
    assert run_module(MODULE, bucket=BUCKET, cloud_id=CLOUD_ID)["granted_by"] == {
        arn: ["AnyscaleClusterAccess"]
    }


def test_clouds_share_a_bucket_and_a_statement(scene: Sandbox, run_module: Run) -> None:
    third = make_role(scene, "ray-team-0", Path="/lab/")
    for role in (ROLE_ARN, ROLE_B_ARN, third):
        converge(scene, run_module, MODULE, ["access_missing"], bucket=BUCKET, roles=[role])
    all_roles = sorted([ROLE_ARN, ROLE_B_ARN, third])
    assert stored(scene) == [TLS_ONLY, EXPORT, grant(*all_roles)]
    settled(scene, run_module, MODULE, bucket=BUCKET, roles=all_roles)
    converge(
        scene,
        run_module,
        MODULE,
        ["access_present"],
        bucket=BUCKET,
        roles=[ROLE_ARN],
        state="absent",
    )
    assert stored(scene) == [TLS_ONLY, EXPORT, grant(*sorted([ROLE_B_ARN, third]))]


def test_other_actions_get_a_statement_of_their_own(scene: Sandbox, run_module: Run) -> None:
    run_module(MODULE, **GIVEN)
    reading = ["s3:GetObject", "s3:ListBucket"]
    made = converge(
        scene,
        run_module,
        MODULE,
        ["access_missing"],
        bucket=BUCKET,
        roles=[ROLE_B],
        actions=reading,
    )
    assert made["sid"].startswith("AnyscaleClusterAccess")
    assert made["sid"] != "AnyscaleClusterAccess"
    assert stored(scene)[:3] == [TLS_ONLY, EXPORT, grant(ROLE_ARN)]
    assert stored(scene)[3] == {**grant(ROLE_B_ARN, sid=made["sid"]), "Action": reading}
    settled(
        scene, run_module, MODULE, bucket=BUCKET, roles=[ROLE_B], actions=list(reversed(reading))
    )


HAS_ACCESS: dict[str, tuple[list[Json], list[str]]] = {
    "split between bucket and objects": (
        [
            {**grant(ROLE_ARN, sid="Objects"), "Action": EIGHT[3:], "Resource": BOTH[1]},
            {**grant(ROLE_ARN, sid=""), "Action": EIGHT[:3], "Resource": BOTH[0]},
        ],
        ["Objects", "#2"],
    ),
}


@pytest.mark.parametrize("state", HAS_ACCESS)
def test_access_that_is_there_is_left_alone(scene: Sandbox, run_module: Run, state: str) -> None:
    statements, names = HAS_ACCESS[state]
    put_bucket_policy(scene, BUCKET, policy(*statements))
    assert settled(scene, run_module, MODULE, **GIVEN)["granted_by"] == {ROLE_ARN: names}


LACKS_ACCESS: dict[str, Json] = {
    "Anyscale's CloudFormation, four actions": {
        **grant(ROLE_ARN, sid=""),
        "Action": EIGHT[3:6] + EIGHT[:1],
    },
    "everybody": {**grant(ROLE_ARN, sid="World"), "Principal": "*"},
}


@pytest.mark.parametrize("state", LACKS_ACCESS)
def test_access_that_is_not_enough_is_completed(
    scene: Sandbox, run_module: Run, state: str
) -> None:
    make_role(scene, f"my-{ROLE}-2")
    put_bucket_policy(scene, BUCKET, policy(LACKS_ACCESS[state]))
    found = stored(scene)
    converge(scene, run_module, MODULE, ["access_missing"], **GIVEN)
    assert stored(scene) == [*found, grant(ROLE_ARN)]


def test_absent_takes_a_role_out_of_unmanaged_statements(scene: Sandbox, run_module: Run) -> None:
    theirs = grant(ROLE_ARN, ROLE_B_ARN, sid="AllowAnyscaleResources")
    put_bucket_policy(scene, BUCKET, policy(TLS_ONLY, theirs, grant(ROLE_ARN)))
    converge(
        scene,
        run_module,
        MODULE,
        ["access_present", "access_in_other_statement"],
        state="absent",
        **GIVEN,
    )
    assert stored(scene) == [TLS_ONLY, grant(ROLE_B_ARN, sid="AllowAnyscaleResources")]


@pytest.mark.parametrize("prune", [False, True], ids=["left alone elsewhere", "pruned everywhere"])
def test_absent_for_a_role_that_is_gone(scene: Sandbox, run_module: Run, prune: bool) -> None:
    run_module(MODULE, **GIVEN)
    delete_role(scene, ROLE)
    converge(
        scene,
        run_module,
        MODULE,
        ["dangling_principal"],
        state="absent",
        prune_dangling_principals=prune,
        **GIVEN,
    )
    assert stored(scene) == [TLS_ONLY, EXPORT]


# --- refusals -------------------------------------------------------------------------------------


def filler(size: int) -> Json:
    """An unmanaged statement that makes the policy about so many bytes long."""
    resources = [f"{BUCKET_ARN}/{number:06d}{'x' * 400}" for number in range(size // 440)]
    return {**EXPORT, "Sid": "Large", "Resource": resources}


def nothing(sandbox: Sandbox) -> None:
    """The scene as it is."""


Arrange = t.Callable[[Sandbox], object]
NOT_THE_ROLE = {"StringNotEquals": {"aws:PrincipalArn": ROLE_B_ARN}}
REFUSALS: dict[str, tuple[Arrange, Json, tuple[str, ...]]] = {
    "bucket does not exist": (
        nothing,
        {"bucket": "anyscale-no-such-data"},
        ("anyscale-no-such-data", "NoSuchBucket", "account"),
    ),
    "bucket of another account": (
        lambda sandbox: make_bucket(sandbox, "anyscale-foreign-data", account=OTHER_ACCOUNT),
        {"bucket": "anyscale-foreign-data"},
        ("anyscale-foreign-data", ACCOUNT, "s3:GetBucketPolicy", "belong to another account"),
    ),
    "caller in another account": (
        nothing,
        {"account_id": OTHER_ACCOUNT, "roles": [f"arn:aws:iam::{OTHER_ACCOUNT}:role/{ROLE}"]},
        (
            f"credentials are for account {ACCOUNT}",
            f"account_id of this cloud is {OTHER_ACCOUNT}",
            "assume_role_arn",
        ),
    ),
    "caller in another account than bucket and role": (
        lambda sandbox: (
            make_role(sandbox, account=OTHER_ACCOUNT),
            make_bucket(sandbox, "anyscale-foreign-data", account=OTHER_ACCOUNT),
        ),
        {
            "bucket": "anyscale-foreign-data",
            "roles": [f"arn:aws:iam::{OTHER_ACCOUNT}:role/{ROLE}"],
            "account_id": OTHER_ACCOUNT,
        },
        (f"account_id of this cloud is {OTHER_ACCOUNT}", "assume_role_arn"),
    ),
    "role does not exist": (
        nothing,
        {"roles": ["ray-team-z"]},
        ("ray-team-z", "does not exist", "Create it first"),
    ),
    "default role does not exist": (
        register_cloud,
        {"roles": None, "cloud_id": CLOUD_ID},
        (DEFAULT_ROLE, "does not exist"),
    ),
    "registered role of another account": (
        lambda sandbox: register_cloud(sandbox, f"arn:aws:iam::{OTHER_ACCOUNT}:role/{ROLE}"),
        {"roles": None, "cloud_id": CLOUD_ID, "account_id": ACCOUNT},
        (OTHER_ACCOUNT, ACCOUNT),
    ),
    "role with another path": (
        nothing,
        {"roles": [f"arn:aws:iam::{ACCOUNT}:role/lab/{ROLE}"]},
        (f"lab/{ROLE}", ROLE_ARN, "path"),
    ),
    "role of another account": (
        nothing,
        {"roles": [f"arn:aws:iam::{OTHER_ACCOUNT}:role/{ROLE}"], "account_id": ACCOUNT},
        ("roles", OTHER_ACCOUNT, ACCOUNT),
    ),
    "roles of two accounts": (
        nothing,
        {"roles": [ROLE_ARN, f"arn:aws:iam::{OTHER_ACCOUNT}:role/{ROLE}"]},
        ("roles", OTHER_ACCOUNT, ACCOUNT, "same account"),
    ),
    "no actions": (nothing, {"actions": []}, ("actions", "empty")),
    "an action with a wildcard": (
        nothing,
        {"actions": ["s3:*Object"]},
        ("actions", "s3:*Object", "without wildcards"),
    ),
    "Deny without a Sid": (with_policy(TLS_ONLY, deny(sid="")), {}, ("tatement 2", ROLE_ARN)),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_it_refuses(scene: Sandbox, run_module: Run, case: str) -> None:
    arrange, options, phrases = REFUSALS[case]
    arrange(scene)
    given = {**GIVEN, **options}
    refused(
        scene,
        run_module,
        MODULE,
        *phrases,
        **{option: value for option, value in given.items() if value is not None},
    )


def test_a_deny_that_hits_does_not_keep_a_role_in(scene: Sandbox, run_module: Run) -> None:
    put_bucket_policy(scene, BUCKET, policy(deny(Principal={"AWS": ROLE_ARN}), grant(ROLE_ARN)))
    converge(scene, run_module, MODULE, ["access_present"], state="absent", **GIVEN)
    assert stored(scene) == [deny(Principal={"AWS": ROLE_ARN})]


def test_the_statement_that_denies_is_returned(scene: Sandbox, run_module: Run) -> None:
    put_bucket_policy(scene, BUCKET, policy(deny(Condition=NOT_THE_ROLE)))
    assert refused(scene, run_module, MODULE, **GIVEN)["error"]["statement"] == deny(
        Condition=NOT_THE_ROLE
    )


MAY_DENY: dict[str, Json] = {
    "outside a network": deny(Condition={"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
}


@pytest.mark.parametrize("case", MAY_DENY)
def test_it_warns_of_a_deny_that_depends_on_the_request(
    scene: Sandbox, run_module: Run, case: str
) -> None:
    put_bucket_policy(scene, BUCKET, policy(MAY_DENY[case]))
    for check in (True, False, False):
        assert warned(run_module(MODULE, check=check, **GIVEN), "Blocked", ROLE_ARN, "may deny")


HARMLESS: dict[str, Json] = {
    "unencrypted transport": TLS_ONLY,
}


@pytest.mark.parametrize("case", HARMLESS)
def test_a_deny_without_effect_on_the_role_is_ignored(
    scene: Sandbox, run_module: Run, case: str
) -> None:
    put_bucket_policy(scene, BUCKET, policy(HARMLESS[case]))
    result = run_module(MODULE, **GIVEN)
    assert (result["changed"], result["warnings"]) == (True, [])


def test_a_policy_up_to_the_limit_is_written(scene: Sandbox, run_module: Run) -> None:
    put_bucket_policy(scene, BUCKET, policy(filler(19000)))
    result = run_module(MODULE, **GIVEN)
    assert 19000 < result["bytes_used"] < result["bytes_limit"] == 20480


def test_a_policy_that_s3_finds_too_long(scene: Sandbox, run_module: Run) -> None:
    """S3 alone can tell, so that check mode warns."""
    put_bucket_policy(scene, BUCKET, policy(filler(20000)))
    predicted = run_module(MODULE, check=True, **GIVEN)
    assert warned(predicted, "bytes long", "20480")
    failed = failure(run_module(MODULE, **GIVEN))
    assert "role_policy" in failed["msg"]
    assert "exceeds the maximum allowed size" in failed["msg"]
    assert stored(scene) == [filler(20000)]


def test_a_refusal_of_the_read_is_explained(scene: Sandbox, run_module: Run) -> None:
    scene.fault(
        "GetBucketPolicy", status=403, code="AccessDenied", message="Access Denied", times=2
    )
    result = refused(scene, run_module, MODULE, BUCKET, "s3:GetBucketPolicy", **GIVEN)
    assert len(result["error"].pop("request_id")) == 16
    assert result["error"] == {
        "operation": "GetBucketPolicy",
        "code": "AccessDenied",
        "status": 403,
    }


WRITE_REFUSALS: dict[str, tuple[list[Json], Json, tuple[str, ...]]] = {
    "not allowed": ([TLS_ONLY], {}, (BUCKET, "s3:PutBucketPolicy")),
    "an unmanaged public statement": ([TLS_ONLY, PUBLIC], {}, ("Website", "public")),
    "the last statement": (
        [grant(ROLE_ARN)],
        {"state": "absent"},
        (BUCKET, "s3:DeleteBucketPolicy"),
    ),
}


@pytest.mark.parametrize("case", WRITE_REFUSALS)
def test_a_refusal_of_the_write_is_explained(scene: Sandbox, run_module: Run, case: str) -> None:
    found, options, phrases = WRITE_REFUSALS[case]
    put_bucket_policy(scene, BUCKET, policy(*found))
    operation = DELETE if options else PUT
    scene.fault(operation, status=403, code="AccessDenied", message="Access Denied")
    result = failure(run_module(MODULE, **GIVEN, **options))
    assert [phrase for phrase in phrases if phrase not in result["msg"]] == [], result["msg"]
    error = result["error"]
    assert (error["operation"], error["code"], error["status"]) == (operation, "AccessDenied", 403)
    assert error["request_id"]
    assert stored(scene) == found


MALFORMED: dict[str, tuple[Json, tuple[str, ...]]] = {
    "a Sid that is a list": ({**EXPORT, "Sid": ["AnalyticsExport"]}, ("tatement 2", "Sid")),
    "a Sid that is an object": (
        {**EXPORT, "Sid": {"Name": "AnalyticsExport"}},
        ("tatement 2", "Sid"),
    ),
    "half a character": ({**EXPORT, "Resource": f"{BUCKET_ARN}/\ud800"}, ("Unicode",)),
    "nested deeply": ({**EXPORT, "Resource": json.loads("[" * 500 + "]" * 500)}, ("nested",)),
}


@pytest.mark.parametrize("case", MALFORMED)
@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_policy_that_cannot_be_is_refused(
    scene: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch, state: str, case: str
) -> None:
    """S3 would not take such a one; whatever answers so, nothing is written to it."""
    statement, phrases = MALFORMED[case]
    monkeypatch.setattr(Bucket, "policy", lambda self: json.dumps(policy(TLS_ONLY, statement)))
    refused(scene, run_module, MODULE, f"policy of bucket {BUCKET}", *phrases, state=state, **GIVEN)
    assert stored(scene) == [TLS_ONLY, EXPORT]


@pytest.mark.parametrize("case", MALFORMED)
def test_a_policy_that_cannot_be_is_refused_after_a_write(
    scene: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """And it is said what was written by then."""
    statement, phrases = MALFORMED[case]
    read = Bucket.policy

    def read_garbled(self: Bucket) -> str | None:
        return json.dumps(policy(TLS_ONLY, statement)) if write_operations(scene) else read(self)

    monkeypatch.setattr(Bucket, "policy", read_garbled)
    scene.clear_calls()
    result = failure(run_module(MODULE, **GIVEN))
    assert [
        phrase for phrase in (f"policy of bucket {BUCKET}", *phrases) if phrase not in result["msg"]
    ] == []
    assert result["error"]["written"] == [f"policy of bucket {BUCKET}"]
    assert stored(scene) == [TLS_ONLY, EXPORT, grant(ROLE_ARN)]


# --- principals that come and go ------------------------------------------------------------------


def test_a_role_just_made_is_waited_for(sandbox: Sandbox, run_module: Run) -> None:
    make_bucket(sandbox, BUCKET, policy(TLS_ONLY))
    make_role(sandbox)
    sandbox.settings(principal_delay=2.0)
    result = run_module(MODULE, **GIVEN)
    assert result["changed"] is True
    assert len(write_operations(sandbox)) > 1
    assert stored(sandbox) == [TLS_ONLY, grant(ROLE_ARN)]


def test_a_role_that_is_deleted_is_not_waited_for(
    scene: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = Bucket.put_policy

    def put_too_late(self: Bucket, document: Json) -> None:
        if ROLE in [
            role["RoleName"] for role in scene.client("iam", ACCOUNT).list_roles()["Roles"]
        ]:
            delete_role(scene, ROLE)
        put(self, document)

    monkeypatch.setattr(Bucket, "put_policy", put_too_late)
    result = failure(run_module(MODULE, **GIVEN))
    assert result["error"]["code"] == "MalformedPolicy"
    assert "Fix the statement named above" in result["msg"]
    assert write_operations(scene) == [PUT]


def leave_dangling(sandbox: Sandbox, *statements: Json) -> str:
    """Put a policy that names a role, then delete that role; returns its unique id."""
    make_role(sandbox, FORMER)
    put_bucket_policy(sandbox, BUCKET, policy(*statements))
    return delete_role(sandbox, FORMER)


def test_a_deleted_principal_in_ours_is_pruned(scene: Sandbox, run_module: Run) -> None:
    unique_id = leave_dangling(scene, TLS_ONLY, grant(FORMER_ARN, ROLE_ARN))
    assert unique_id in json.dumps(stored(scene))
    converge(scene, run_module, MODULE, ["dangling_principal"], **GIVEN)
    assert stored(scene) == [TLS_ONLY, grant(ROLE_ARN)]


def test_a_deleted_principal_in_ours_does_not_block_absent(scene: Sandbox, run_module: Run) -> None:
    leave_dangling(scene, TLS_ONLY, grant(FORMER_ARN, ROLE_ARN, ROLE_B_ARN))
    converge(
        scene, run_module, MODULE, ["access_present", "dangling_principal"], state="absent", **GIVEN
    )
    assert stored(scene) == [TLS_ONLY, grant(ROLE_B_ARN)]


THEIRS: dict[str, tuple[Json, list[Json]]] = {
    "beside others": (
        {**EXPORT, "Principal": {"AWS": [FORMER_ARN, ROLE_B_ARN]}},
        [{**EXPORT, "Principal": {"AWS": ROLE_B_ARN}}],
    ),
    "alone": ({**EXPORT, "Principal": {"AWS": FORMER_ARN}}, []),
}


@pytest.mark.parametrize("case", THEIRS)
def test_a_deleted_principal_in_an_unmanaged_statement_blocks_unless_it_is_pruned(
    scene: Sandbox, run_module: Run, case: str
) -> None:
    theirs, left = THEIRS[case]
    unique_id = leave_dangling(scene, TLS_ONLY, theirs)
    result = refused(
        scene,
        run_module,
        MODULE,
        "AnalyticsExport",
        unique_id,
        "prune_dangling_principals",
        **GIVEN,
    )
    assert result["error"]["principals"] == [unique_id]
    reasons = ["access_missing", "dangling_principal_in_other_statement"]
    converge(scene, run_module, MODULE, reasons, prune_dangling_principals=True, **GIVEN)
    assert stored(scene) == [TLS_ONLY, *left, grant(ROLE_ARN)]


def test_a_deleted_principal_in_an_unmanaged_statement_does_not_matter_where_nothing_is_written(
    scene: Sandbox, run_module: Run
) -> None:
    leave_dangling(scene, {**EXPORT, "Principal": {"AWS": FORMER_ARN}}, grant(ROLE_ARN))
    settled(scene, run_module, MODULE, **GIVEN)
    converge(
        scene,
        run_module,
        MODULE,
        ["dangling_principal_in_other_statement"],
        prune_dangling_principals=True,
        **GIVEN,
    )
    assert stored(scene) == [grant(ROLE_ARN)]


def test_a_role_made_anew_is_granted_access_anew(scene: Sandbox, run_module: Run) -> None:
    run_module(MODULE, **GIVEN)
    former = delete_role(scene, ROLE)
    make_role(scene, ROLE)
    assert stored(scene)[2]["Principal"] == {"AWS": former}
    converge(scene, run_module, MODULE, ["access_missing", "dangling_principal"], **GIVEN)
    assert stored(scene) == [TLS_ONLY, EXPORT, grant(ROLE_ARN)]


def test_a_role_shown_by_its_id_has_access(
    scene: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS shows one principal by its ARN or by its id, on its own schedule."""
    run_module(MODULE, **GIVEN)
    role_id = scene.client("iam", ACCOUNT).get_role(RoleName=ROLE)["Role"]["RoleId"]
    read = Bucket.policy
    monkeypatch.setattr(
        Bucket, "policy", lambda self: (read(self) or "").replace(ROLE_ARN, role_id)
    )
    assert settled(scene, run_module, MODULE, **GIVEN)["granted_by"] == {
        ROLE_ARN: ["AnyscaleClusterAccess"]
    }


# --- other writers, slow and failing AWS ----------------------------------------------------------


def test_reads_may_lag_behind_the_write(scene: Sandbox, run_module: Run) -> None:
    scene.settings(consistency_delay=1.0)
    assert run_module(MODULE, **GIVEN)["changed"] is True
    assert write_operations(scene) == [PUT]
    assert run_module(MODULE, **GIVEN, state="absent")["changed"] is True
    assert write_operations(scene) == [PUT, PUT]
    assert stored(scene) == [TLS_ONLY, EXPORT]


def test_a_deletion_may_lag_as_well(sandbox: Sandbox, run_module: Run) -> None:
    make_role(sandbox)
    make_bucket(sandbox, BUCKET, policy(grant(ROLE_ARN)))
    sandbox.settings(consistency_delay=1.0)
    assert run_module(MODULE, **GIVEN, state="absent")["policy"] is None
    assert write_operations(sandbox) == [DELETE]


PASSING: dict[str, Json] = {
    "another change is under way": {"status": 409, "code": "OperationAborted", "times": 2},
    "throttled": {"status": 503, "code": "SlowDown"},
    "an error of the service": {"status": 500},
    "the answer is lost": {"after": True, "drop": True},
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_failure_is_outlasted(scene: Sandbox, run_module: Run, fault: str) -> None:
    scene.fault(PUT, **PASSING[fault])
    result = run_module(MODULE, **GIVEN)
    assert (result["changed"], result["reasons"]) == (True, ["access_missing"])
    assert stored(scene) == [TLS_ONLY, EXPORT, grant(ROLE_ARN)]
    assert len(write_operations(scene)) == (
        1 if fault == "the answer is lost" else PASSING[fault].get("times", 1) + 1
    )
    assert scene.faults() == []


@pytest.fixture
def overwrite(scene: Sandbox, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., None]:
    """Let another writer put these statements, one list of them after each of our writes."""
    put = Bucket.put_policy

    def prepare(*policies: list[Json]) -> None:
        coming = list(policies)

        def put_and_lose(self: Bucket, document: Json) -> None:
            put(self, document)
            if coming:
                put_bucket_policy(scene, BUCKET, policy(*coming.pop(0)))

        monkeypatch.setattr(Bucket, "put_policy", put_and_lose)
        # What was there before our write may also be an old answer: it is waited for, here not as
        # long as for AWS.
        monkeypatch.setattr(overwriting, "_VISIBLE_SECONDS", 0.5)

    return prepare


Overwrite = t.Callable[..., None]
OVERWRITES: dict[str, tuple[list[Json], list[Json]]] = {
    "ours wiped out": ([TLS_ONLY, EXPORT], [TLS_ONLY, EXPORT, grant(ROLE_ARN)]),
    "ours and another wiped out": ([EXPORT], [TLS_ONLY, EXPORT, grant(ROLE_ARN)]),
    "ours replaced by a newcomer": (
        [TLS_ONLY, EXPORT, PUBLIC],
        [TLS_ONLY, EXPORT, PUBLIC, grant(ROLE_ARN)],
    ),
    "ours and that of another account wiped out": ([TLS_ONLY], [TLS_ONLY, grant(ROLE_ARN)]),
    "our statement with another cloud's role": (
        [TLS_ONLY, EXPORT, grant(ROLE_B_ARN)],
        [TLS_ONLY, EXPORT, grant(ROLE_ARN, ROLE_B_ARN)],
    ),
}


def by_text(statements: list[Json]) -> list[str]:
    """The statements in a canonical order."""
    return sorted(json.dumps(statement, sort_keys=True) for statement in statements)


@pytest.mark.parametrize("case", OVERWRITES)
def test_nothing_is_lost_to_another_writer(
    scene: Sandbox, run_module: Run, overwrite: Overwrite, case: str
) -> None:
    written, wanted = OVERWRITES[case]
    overwrite(written)
    result = run_module(MODULE, **GIVEN)
    assert by_text(stored(scene)) == by_text(wanted)
    assert result["granted_by"] == {ROLE_ARN: ["AnyscaleClusterAccess"]}
    assert before(result) == result["previous"] == policy(TLS_ONLY, EXPORT)
    assert write_operations(scene) == [PUT, PUT]


def test_a_policy_that_was_replaced_as_a_whole_is_a_conflict(
    scene: Sandbox, run_module: Run, overwrite: Overwrite
) -> None:
    overwrite([PUBLIC])
    result = failure(run_module(MODULE, **GIVEN))
    assert "by another writer just after this task had written it" in result["msg"]
    expected, found = (result["error"][name]["Statement"] for name in ("expected", "found"))
    assert [raw["Sid"] for raw in expected] == [
        TLS_ONLY["Sid"],
        EXPORT["Sid"],
        "AnyscaleClusterAccess",
    ]
    assert found == stored(scene) == [PUBLIC]
    assert write_operations(scene) == [PUT]


def test_what_was_removed_deliberately_stays_removed(
    scene: Sandbox, run_module: Run, overwrite: Overwrite
) -> None:
    overwrite([TLS_ONLY, grant(ROLE_ARN)])
    result = run_module(MODULE, **GIVEN)
    assert stored(scene) == [TLS_ONLY, grant(ROLE_ARN)]
    assert warned(result, "AnalyticsExport")
    assert write_operations(scene) == [PUT]


def test_a_newcomer_who_keeps_all_is_left_alone(
    scene: Sandbox, run_module: Run, overwrite: Overwrite
) -> None:
    overwrite([TLS_ONLY, EXPORT, grant(ROLE_ARN), PUBLIC])
    result = run_module(MODULE, **GIVEN)
    assert stored(scene) == [TLS_ONLY, EXPORT, grant(ROLE_ARN), PUBLIC]
    assert (result["changed"], result["warnings"]) == (True, [])
    assert write_operations(scene) == [PUT]


def test_a_writer_that_never_stops_is_an_error(
    scene: Sandbox, run_module: Run, overwrite: Overwrite
) -> None:
    overwrite(*[[TLS_ONLY, {**EXPORT, "Sid": f"Round{number}"}] for number in range(50)])
    result = failure(run_module(MODULE, **GIVEN))
    assert BUCKET in result["msg"]
    assert "another writer" in result["msg"]
    assert len(write_operations(scene)) < 20


def test_what_was_written_while_s3_was_busy_is_kept(
    scene: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A conflict means that another writer is active: what was decided before that must not be sent
    again.
    """
    scene.fault(PUT, status=409, code="OperationAborted")
    put = Bucket.put_policy

    def put_after_another(self: Bucket, document: Json) -> None:
        try:
            put(self, document)
        except AwsError:
            put_bucket_policy(scene, BUCKET, policy(TLS_ONLY, EXPORT, PUBLIC))
            raise

    monkeypatch.setattr(Bucket, "put_policy", put_after_another)
    run_module(MODULE, **GIVEN)
    assert stored(scene) == [TLS_ONLY, EXPORT, PUBLIC, grant(ROLE_ARN)]


def test_what_was_written_while_this_was_held_up_is_kept(
    scene: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that resumes after seconds, to a policy that another writer has changed, reads it
    again first.
    """
    hold_up(
        monkeypatch,
        BucketPolicyStore,
        lambda: put_bucket_policy(scene, BUCKET, policy(TLS_ONLY, EXPORT, PUBLIC)),
    )
    run_module(MODULE, **GIVEN)
    assert stored(scene) == [TLS_ONLY, EXPORT, PUBLIC, grant(ROLE_ARN)]


LOST: dict[str, Json] = {
    "an error of the service": {"status": 500},
    "no answer": {"drop": True},
}


@pytest.fixture
def after_failure(scene: Sandbox, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., None]:
    """Let another writer put these statements as soon as one of our writes has failed."""
    put = Bucket.put_policy

    def prepare(*statements: Json) -> None:
        def put_before_another(self: Bucket, document: Json) -> None:
            try:
                put(self, document)
            except AwsError:
                put_bucket_policy(scene, BUCKET, policy(*statements))
                raise

        monkeypatch.setattr(Bucket, "put_policy", put_before_another)

    return prepare


@pytest.mark.parametrize("fault", LOST)
def test_a_write_that_may_have_been_overwritten_is_reported(
    scene: Sandbox, run_module: Run, after_failure: Overwrite, fault: str
) -> None:
    """What shows is neither what was there nor what was written: it may have been written and is
    gone.
    """
    after_failure(TLS_ONLY, EXPORT, PUBLIC)
    scene.fault(PUT, **LOST[fault])
    scene.fault(PUT, status=403, code="AccessDenied")
    result = failure(run_module(MODULE, **GIVEN))
    assert result["error"]["written"] == [f"policy of bucket {BUCKET} (possibly)"]


def test_a_write_with_an_unknown_outcome_is_reported_where_it_cannot_be_read_back(
    scene: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not the reads that follow it, before a retry and at the end, whichever they are: here, of
    the role that an id in the policy stands for.
    """
    arn = make_role(scene, "reader")
    role_id = scene.client("iam", ACCOUNT).get_role(RoleName="reader")["Role"]["RoleId"]
    put_bucket_policy(scene, BUCKET, policy(TLS_ONLY, {**EXPORT, "Principal": {"AWS": arn}}))
    read = Bucket.policy

    def by_id_later(self: Bucket) -> str | None:
        text = read(self)
        return text.replace(arn, role_id) if text and PUT in write_operations(scene) else text

    monkeypatch.setattr(Bucket, "policy", by_id_later)
    scene.clear_calls()
    scene.fault(PUT, status=500, after=True)
    scene.fault("ListRoles", status=403, code="AccessDenied", times=2)
    result = failure(run_module(MODULE, **GIVEN))
    assert result["error"]["operation"] == PUT
    assert result["error"]["written"] == [f"policy of bucket {BUCKET} (possibly)"]
    assert "The call may have taken effect nevertheless." in result["msg"]


def test_a_write_that_was_refused_is_not_reported_as_done(
    scene: Sandbox, run_module: Run, after_failure: Overwrite
) -> None:
    after_failure(TLS_ONLY, EXPORT, PUBLIC)
    scene.fault(PUT, status=409, code="OperationAborted")
    scene.fault(PUT, status=403, code="AccessDenied")
    assert "written" not in failure(run_module(MODULE, **GIVEN))["error"]


def test_what_is_lost_while_the_outcome_of_a_write_is_unknown_is_reported_and_not_restored(
    scene: Sandbox, run_module: Run, after_failure: Overwrite
) -> None:
    """It cannot be known whether the other writer removed it, or overwrote ours with an older
    policy: its last write counts.
    """
    after_failure(TLS_ONLY)
    scene.fault(PUT, status=500)
    result = run_module(MODULE, **GIVEN)
    assert stored(scene) == [TLS_ONLY, grant(ROLE_ARN)]
    assert warned(result, "another writer removed", "AnalyticsExport")


def test_what_is_lost_after_a_write_without_an_answer_is_restored(
    scene: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write was visible, so another writer removed it, with an unmanaged statement."""
    scene.fault(PUT, status=500, after=True)
    read, wiped = Bucket.policy, []

    def read_before_another(self: Bucket) -> str | None:
        text = read(self)
        if not wiped and text and "AnyscaleClusterAccess" in text:
            wiped.append(put_bucket_policy(scene, BUCKET, policy(EXPORT)))
        return text

    monkeypatch.setattr(Bucket, "policy", read_before_another)
    run_module(MODULE, **GIVEN)
    assert by_text(stored(scene)) == by_text([TLS_ONLY, EXPORT, grant(ROLE_ARN)])


def test_a_condition_put_on_our_statement_is_named_when_it_is_removed(
    scene: Sandbox, run_module: Run
) -> None:
    condition = {"StringEquals": {"aws:SourceVpce": "vpce-0a1b2c3d"}}
    put_bucket_policy(scene, BUCKET, policy(grant(ROLE_ARN, Condition=condition)))
    result = run_module(MODULE, **GIVEN)
    assert result["reasons"] == ["access_missing", "statement_differs"]
    assert warned(result, "AnyscaleClusterAccess", "the Condition is removed", "vpce-0a1b2c3d")
    assert stored(scene) == [grant(ROLE_ARN)]


def test_a_principal_that_shows_by_its_id_meanwhile_is_not_lost(
    scene: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS may show an ARN as an id shortly after a write: that is no change by another writer."""
    arn = make_role(scene, "reader")
    role_id = scene.client("iam", ACCOUNT).get_role(RoleName="reader")["Role"]["RoleId"]
    reader = {**EXPORT, "Principal": {"AWS": arn}}
    del reader["Sid"]
    put_bucket_policy(scene, BUCKET, policy(reader))
    read = Bucket.policy

    def by_id(self: Bucket) -> str | None:
        text = read(self)
        return text.replace(arn, role_id) if text and "AnyscaleClusterAccess" in text else text

    monkeypatch.setattr(Bucket, "policy", by_id)
    assert run_module(MODULE, **GIVEN)["warnings"] == []
    assert stored(scene) == [reader, grant(ROLE_ARN)]
    assert write_operations(scene) == [PUT]


# --- each reason that is documented ---------------------------------------------------------------

REASONS: dict[str, tuple[list[Json], Json]] = {
    "access_missing": ([TLS_ONLY], {}),
    "statement_differs": ([grant(ROLE_ARN, Action=EIGHT[1:])], {}),
    "duplicate_statement": ([grant(ROLE_ARN), grant(ROLE_ARN)], {}),
    "dangling_principal": ([grant(ROLE_ARN, FORMER_ARN)], {}),
    "dangling_principal_in_other_statement": (
        [{**EXPORT, "Principal": {"AWS": FORMER_ARN}}],
        {"prune_dangling_principals": True},
    ),
    "unmanaged_statement_lost": ([TLS_ONLY, EXPORT], {}),
    "access_present": ([TLS_ONLY, grant(ROLE_ARN)], {"state": "absent"}),
    "access_in_other_statement": ([grant(ROLE_ARN, sid="Theirs")], {"state": "absent"}),
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_occurs(
    scene: Sandbox, run_module: Run, overwrite: Overwrite, reason: str
) -> None:
    found, options = REASONS[reason]
    leave_dangling(scene, *found)
    if reason == "unmanaged_statement_lost":
        overwrite([EXPORT])
    assert reason in run_module(MODULE, **GIVEN, **options)["reasons"]


def test_each_documented_reason_has_a_case() -> None:
    moves = {"access_in_bucket_policy", "access_in_role_policy"}  # test_bucket_ways
    assert documented_reasons(MODULE) == set(REASONS) | moves
