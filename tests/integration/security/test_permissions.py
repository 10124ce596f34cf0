# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each playbook works with the very policy that the lookup gives for it, makes use of all of it,
and does less with less.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.docs.tools.permissions_page import (
    caller_policy,
    trust_policy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.cluster_identity import (
    read_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.bulk_iam import BulkSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    ACTIONS,
    SID,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.pass_role_plan import (
    PASS_ROLE,
    PASS_SID,
    POLICY_NAME,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    parse_settings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.in_worker import run_cache
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.role_use import RoleUse
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import changes_in
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.policies import (
    changed_policies,
    roles_with_policies,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.touched import (
    Watch,
    Watched,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.scope import (
    parse_scope,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.statements import (
    PLAYBOOKS,
    READING,
    Statement,
    policy,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources import resources
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import TOOLING_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed_documents import (
    CONTROL_PLANE_POLICY,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ONBOARDING_ROLE, REGION
from ansible_collections.rayfleet.anyscale.tests.support import engine_runs
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    PARTNER_ACCOUNT,
    Json,
    bucket_policy_of,
    delete_role,
    make_role,
    policy as document_of,
    put_bucket_policy,
    put_trust,
)
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import record
from ansible_collections.rayfleet.anyscale.tests.support.fleets import inventory_of
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import Run
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    BIN,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of

RUN_ID, EXTERNAL_ID = "onboarding", "b6b9a6c0"
MANAGED = f"arn:aws:iam::{ACCOUNT}:policy/bucket-access"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/cluster-boundary"
# One cloud with Anyscale's own names, one with a role under a path; and by each way to the bucket, one
# that gets it and one that leaves it. None does both, which takes a wait.
NEW = (
    Cloud("vision", ACCOUNT, trust="lambda_only", bucket="anyscale-production-data-vision"),
    Cloud("lab", ACCOUNT, role="lab-ray", role_path="/ray/lab/", trust="lambda_only"),
    Cloud("speech", ACCOUNT, role="speech-ray", trust="lambda_only", profile="empty"),
    Cloud("audio", ACCOUNT, role="audio-ray", trust="cloudformation", bucket_policy="complete"),
    Cloud("radar", ACCOUNT, role="radar-ray", trust="cloudformation"),
)
_BY_MANAGED = {"bucket_grant": "role_policy", "bucket_policy_arn": MANAGED}
# Variables of single clouds, without their prefix.
OF_NEW: dict[str, Json] = {
    "vision": {"bucket_grant": "role_policy", "manage_pass_role": True},
    "speech": _BY_MANAGED,
    "audio": {**_BY_MANAGED, "bucket_grant": "bucket_policy", "manage_pass_role": True},
    "radar": {"bucket_grant": "role_policy"},
}
_AS_ONBOARDED: Json = {
    "trust": "many_services",
    "bucket_policy": "complete",
    "profile": "filled",
    "compute_config": "in_sync",
}
OLD = tuple(
    dataclasses.replace(cloud, role=f"{cloud.name}-ray", **_AS_ONBOARDED) for cloud in NEW[:2]
)
OF_OLD: dict[str, Json] = {
    "vision": {"manage_pass_role": True},
    "lab": {"manage_pass_role": True, "bucket_policy_arn": MANAGED},
}
# A call for each of these clouds, and a policy that only IAM knows the roles of.
EVENTS: Json = {
    "ansible_eda": {
        "events": [
            record("UpdateAssumeRolePolicy", ACCOUNT, requestParameters={"roleName": one.role_name})
            for one in NEW
        ]
        + [record("CreatePolicyVersion", ACCOUNT, requestParameters={"policyArn": MANAGED})]
    },
    "heal_quiet_seconds": 0,
    "heal_only_onboarded": False,
}
SCOPE = parse_scope(
    ACCOUNT,
    roles=["*-cluster_node_role", "*-ray", NEW[1].role_arn],
    control_plane_roles=["*-crossacct-iam-role"],
    buckets=["anyscale-production-data-*", "anyscale-*-data"],
    bucket_policies=["bucket-*"],
    permissions_boundary="cluster-boundary",
    role_policies=True,
    pass_role=True,
)


# --- what the playbooks do, all of it -------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Scene:
    """What makes a playbook do all that it can, and the modules that it runs.

    work: with the modules, or a prediction in check mode; returns what went wrong, an empty list
    on success. own: variables of single clouds.
    """

    clouds: tuple[Cloud, ...]
    prepare: t.Callable[[Sandbox, Run], object]
    work: t.Callable[[Sandbox, Run, bool], list[str]]
    arguments: tuple[str, ...] = ()
    own: t.Mapping[str, Json] = dataclasses.field(default_factory=dict)

    def set_up(self, sandbox: Sandbox, run: Run) -> None:
        """The accounts as they are found."""
        sandbox.reset()
        sandbox.seed(self.clouds)
        self.prepare(sandbox, run)
        sandbox.clear_calls()


def _readable_by_a_deleted_principal(sandbox: Sandbox, _run: Run) -> None:
    """A bucket that others read as well: a partner, and a role that was deleted since, which AWS
    shows by its unique id.
    """
    name = NEW[1].bucket_name
    others = (bucket_policy_of(sandbox, name) or {"Statement": []})["Statement"]
    readers = [make_role(sandbox, "gone"), f"arn:aws:iam::{PARTNER_ACCOUNT}:root"]
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": readers},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{name}/*",
    }
    put_bucket_policy(sandbox, name, document_of(*others, statement))
    delete_role(sandbox, "gone")


def _launched_by_anyscale(sandbox: Sandbox, run: Run) -> None:
    """One of each that an audit reads: an attached policy beside an inline one, a permissions
    boundary, and a key of the customer's.
    """
    iam, (cloud, _other) = sandbox.client("iam", ACCOUNT), OLD
    document = json.dumps(
        document_of({"Effect": "Allow", "Action": ["iam:*", "s3:*"], "Resource": "*"})
    )
    arn = iam.create_policy(PolicyName="everything", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=cloud.control_plane_role_name, PolicyArn=arn)
    iam.put_role_permissions_boundary(RoleName=cloud.role_name, PermissionsBoundary=arn)
    key = sandbox.client("kms", ACCOUNT).create_key()["KeyMetadata"]["Arn"]
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    sandbox.client("s3", ACCOUNT).put_bucket_encryption(
        Bucket=cloud.bucket_name,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": default}]
        },
    )
    _readable_by_a_deleted_principal(sandbox, run)


def _give_policies(sandbox: Sandbox, clouds: t.Iterable[Cloud]) -> t.Any:
    """Managed policies of the account, of which one is the permissions boundary of all roles; returns
    IAM.
    """
    iam = sandbox.client("iam", ACCOUNT)
    allowed = document_of({"Effect": "Allow", "Action": ["ecr:*", "s3:*"], "Resource": "*"})
    for arn in (MANAGED, BOUNDARY):
        iam.create_policy(PolicyName=arn.rpartition("/")[2], PolicyDocument=json.dumps(allowed))
    for cloud in clouds:
        iam.put_role_permissions_boundary(RoleName=cloud.role_name, PermissionsBoundary=BOUNDARY)
    return iam


def _put_inline(iam: t.Any, role: str, name: str, *statements: Json) -> None:
    document = json.dumps(document_of(*statements))
    iam.put_role_policy(RoleName=role, PolicyName=name, PolicyDocument=document)


def _access(bucket: str, *others: str) -> Json:
    """Our statement for a bucket, in a policy of a role."""
    found = [
        f"arn:aws:s3:::{name}{objects}" for name in (bucket, *others) for objects in ("", "/*")
    ]
    return {"Sid": SID, "Effect": "Allow", "Action": list(ACTIONS), "Resource": found}


def _passing(*role_arns: str) -> Json:
    """Our statement for roles, in a policy of the control-plane role."""
    to_ec2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}
    statement = {"Sid": PASS_SID, "Effect": "Allow", "Action": PASS_ROLE}
    return {**statement, "Resource": list(role_arns), "Condition": to_ec2}


def _found_before(sandbox: Sandbox) -> None:
    """What the new clouds have already: control-plane roles that pass no role, access that goes, and a
    role that has one policy of each kind, of which none is for administrators.
    """
    iam, (vision, _lab, speech, audio, radar) = _give_policies(sandbox, NEW), NEW
    for cloud in (vision, audio):
        iam.delete_role_policy(
            RoleName=cloud.control_plane_role_name, PolicyName=CONTROL_PLANE_POLICY
        )
    _put_inline(iam, audio.control_plane_role_name, POLICY_NAME, _passing(vision.role_arn))
    iam.attach_role_policy(RoleName=audio.role_name, PolicyArn=MANAGED)
    _put_inline(iam, audio.role_name, SID, _access(audio.bucket_name))
    _put_inline(iam, radar.role_name, SID, _access(radar.bucket_name))
    ours = {**_access(radar.bucket_name), "Principal": {"AWS": radar.role_arn}}
    put_bucket_policy(sandbox, radar.bucket_name, document_of(ours))
    images = {"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"}
    _put_inline(iam, speech.role_name, "images", images)


def _before_onboarding(sandbox: Sandbox, run: Run) -> None:
    _found_before(sandbox)
    _readable_by_a_deleted_principal(sandbox, run)


def _before_offboarding(sandbox: Sandbox, run: Run) -> None:
    """Policies by which roles have more than is taken from them, and policies that end; and an
    instance that runs with another role.
    """
    sandbox.accounts.add_instance_profile(ACCOUNT, "other")
    sandbox.accounts.add_instance(ACCOUNT, REGION, OLD[0].cloud_id, "other")
    iam, (vision, lab) = _give_policies(sandbox, OLD), OLD
    _put_inline(iam, vision.role_name, SID, _access(vision.bucket_name, "shared"))
    _put_inline(
        iam, vision.control_plane_role_name, POLICY_NAME, _passing(vision.role_arn, lab.role_arn)
    )
    iam.attach_role_policy(RoleName=lab.role_name, PolicyArn=MANAGED)
    _put_inline(iam, lab.role_name, SID, _access(lab.bucket_name))
    _put_inline(iam, lab.control_plane_role_name, POLICY_NAME, _passing(lab.role_arn))
    _readable_by_a_deleted_principal(sandbox, run)


def _onboarded(sandbox: Sandbox, run: Run) -> None:
    """With backups; since then, another writer has changed a bucket's policy."""
    _found_before(sandbox)
    failures = _converge(NEW, OF_NEW, backup=True, run_id=RUN_ID)(sandbox, run, False)
    assert failures == []
    _readable_by_a_deleted_principal(sandbox, run)


def _options(cloud: Cloud) -> Json:
    return {
        "cloud_id": cloud.cloud_id,
        "account_id": ACCOUNT,
        "role": cloud.role_arn,
        "bucket": cloud.bucket_name,
    }


def _failures(results: t.Iterable[Json]) -> list[str]:
    return [result["msg"] for result in results if result.get("failed")]


def _unknown(outcomes: t.Iterable[Json]) -> list[str]:
    """What could not be read, and is a warning."""
    warnings = [text for outcome in outcomes for text in outcome.get("warnings", [])]
    return [text for text in warnings if "could not be" in text]


def _converge(
    clouds: tuple[Cloud, ...], own: t.Mapping[str, Json], state: str = "present", **more: t.Any
) -> t.Callable[[Sandbox, Run, bool], list[str]]:
    def work(_sandbox: Sandbox, _run: Run, check: bool) -> list[str]:
        variables = {
            cloud.name: {
                **_options(cloud),
                "compute_config": cloud.compute_config_name,
                "prune_dangling_principals": True,
                "lock_dir": str(Path.home() / "locks"),
                **own.get(cloud.name, {}),
                **more,
            }
            for cloud in clouds
        }
        outcomes = engine_runs.converge(variables, state, check_mode=check).values()
        return [*_failures(outcomes), *_unknown(outcomes)]

    return work


Read = tuple[str, str, Json]
NEW_ROLES: Read = ("iam", "get_role", {"RoleName": NEW[0].role_name})
OLD_ROLES: Read = ("iam", "get_role", {"RoleName": OLD[0].role_name})
BUCKETS: Read = (
    "s3",
    "get_bucket_location",
    {"Bucket": OLD[0].bucket_name, "ExpectedBucketOwner": ACCOUNT},
)


def _with_bulk_reads(
    work: t.Callable[[Sandbox, Run, bool], list[str]], *reads: Read
) -> t.Callable[[Sandbox, Run, bool], list[str]]:
    """The work on few clouds, and what the session of many clouds reads by the page for them."""

    def both(sandbox: Sandbox, run: Run, check: bool) -> list[str]:
        complaints = work(sandbox, run, check)
        return complaints + [read[1] for read in reads if _is_read_singly(sandbox, *read)]

    return both


def _is_read_singly(sandbox: Sandbox, service: str, method: str, arguments: Json) -> bool:
    """Whether the session for many clouds asks for one of them at a time, however many it is asked
    for.
    """
    before, session = len(sandbox.calls()), BulkSession({"account_id": ACCOUNT})
    for _time in range(10):
        with contextlib.suppress(TaskError):
            session.call(service, method, **arguments)
    called = [call["operation"].lower() for call in sandbox.calls()[before:]]
    return called.count(method.replace("_", "")) == 10


@pytest.fixture(autouse=True)
def _home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where playbooks find the backups that modules have written."""
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "ansible"))


def _roll_back(_sandbox: Sandbox, run: Run, check: bool) -> list[str]:
    folder = Path(os.environ["ANSIBLE_HOME"]) / "anyscale_backups"
    files = sorted(folder.glob("*.json"), reverse=True)
    # Instance profiles are recorded, and kept.
    return _failures(
        run("backup_restore", check=check, files=[str(file)], force=True, account_id=ACCOUNT)
        for file in files
        if ".instance_profile." not in file.name
    )


def _audit(_sandbox: Sandbox, run: Run, check: bool) -> list[str]:
    results = [
        run(
            "cloud_iam_info",
            check=check,
            **_options(cloud),
            compute_config=[cloud.compute_config_name],
            check_launches=True,
        )
        for cloud in OLD
    ]
    return [
        *_failures(results),
        *(
            one["reason"]
            for result in results
            for one in result["checks"]
            if one["status"] == "unknown"
        ),
    ]


def _offboard(sandbox: Sandbox, run: Run, check: bool) -> list[str]:
    """Find out what runs with the roles, and take them away."""
    use = RoleUse(AccountSessions(None, 1), len(OLD))
    unknown = [
        use.of(
            parse_settings({f"cloud_iam_{name}": value for name, value in _options(cloud).items()})
        ).unknown
        for cloud in OLD
    ]
    return [*filter(None, unknown), *_converge(OLD, OF_OLD, "absent")(sandbox, run, check)]


def _node(sandbox: Sandbox) -> dict[str, str]:
    """The credentials of a cluster's node, by the names of the options."""
    given = sandbox.client("sts", ACCOUNT).assume_role(
        RoleArn=NEW[1].role_arn, RoleSessionName="i-0abc1234def567890"
    )["Credentials"]
    return {
        "access_key": given["AccessKeyId"],
        "secret_key": given["SecretAccessKey"],
        "session_token": given["SessionToken"],
    }


def _verify(sandbox: Sandbox, _run: Run, _check: bool) -> list[str]:
    found = read_identity(
        {
            **_node(sandbox),
            "expected_role": NEW[1].role_name,
            "default_role": None,
            "look_up_role": True,
        }
    )
    return [] if found["role_arn"] == NEW[1].role_arn else ["The role's path is not known."]


def _trusted_by_the_account(sandbox: Sandbox, _run: Run) -> None:
    """In the place of EC2, which the sandbox cannot be."""
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
    }
    put_trust(sandbox, document_of(statement), NEW[1].role_name)


ONE_BY_ONE = ("-e", "fleet_bulk_reads=false")


def _find_roles(_sandbox: Sandbox, _run: Run, _check: bool) -> list[str]:
    """What healing asks for beside what onboarding does. It is a warning where IAM does not answer."""
    cloud = resources.Cloud("vision", parse_settings({"cloud_iam_account_id": ACCOUNT}))
    watch = Watch([Watched("vision", ACCOUNT)])
    changes = changes_in(EVENTS).changes
    sessions = AccountSessions(run_cache(), 1, bulk_reads=False)
    policies = changed_policies(changes, watch)
    found, warnings = roles_with_policies(policies, [cloud], sessions)
    assert warnings or found == {MANAGED: [NEW[3].role_name]}
    return warnings


SCENES: dict[str, Scene] = {
    "audit": Scene(OLD, _launched_by_anyscale, _with_bulk_reads(_audit, OLD_ROLES, BUCKETS)),
    "onboard": Scene(
        NEW,
        _before_onboarding,
        _with_bulk_reads(_converge(NEW, OF_NEW), NEW_ROLES),
        ONE_BY_ONE,
        OF_NEW,
    ),
    "heal": Scene(NEW, _before_onboarding, _find_roles, ("-e", json.dumps(EVENTS)), OF_NEW),
    "offboard": Scene(
        OLD,
        _before_offboarding,
        _with_bulk_reads(_offboard, OLD_ROLES),
        ONE_BY_ONE,
        OF_OLD,
    ),
    "rollback": Scene(
        NEW, _onboarded, _roll_back, ("-e", f"rollback_run={RUN_ID}", "-e", "rollback_force=true")
    ),
    "verify_cluster": Scene(
        NEW[1:2],
        _trusted_by_the_account,
        _verify,
        ("-e", f"verify_expected_role={NEW[1].role_name}"),
    ),
}


# What fewer clouds are read without.
FOR_MANY_CLOUDS = {
    "audit": {"s3:ListBuckets"},
    "onboard": {"iam:GetAccountAuthorizationDetails"},
    "offboard": {"iam:GetAccountAuthorizationDetails"},
}

# --- with exactly their policies ------------------------------------------------------------------


# The statuses of AccessDenied: KMS, whose protocol is JSON, has another than IAM and S3.
REFUSED = (400, 403)
# The operations that are named otherwise than what they take.
NAMED = {
    "iam:PassRole": "iam:AddRoleToInstanceProfile",
    "s3:GetBucketCORS": "s3:GetBucketCors",
    "s3:GetEncryptionConfiguration": "s3:GetBucketEncryption",
    "s3:ListAllMyBuckets": "s3:ListBuckets",
}


def operations(actions: t.Iterable[str]) -> set[str]:
    """The operations that take actions."""
    return {NAMED.get(action, action) for action in actions}


def operations_of(document: Json) -> set[str]:
    """All that a policy is for."""
    return operations(
        action for statement in document["Statement"] for action in statement["Action"]
    )


def made(sandbox: Sandbox, account_id: str, *statuses: int) -> set[str]:
    """The operations that were called in an account, or only those that were answered so."""
    calls = [
        call
        for call in sandbox.calls()
        if call["account_id"] == account_id and call["status"] in (statuses or [call["status"]])
    ]
    return {f"{call['service']}:{call['operation']}" for call in calls} - {"sts:GetCallerIdentity"}


@pytest.fixture(name="fleet")
def _fleet(sandbox: Sandbox, tmp_path: Path) -> t.Callable[[str], tuple[Path, dict[str, str]]]:
    """The inventory of a playbook, and the credentials in its environment where it has any."""

    def fleet(playbook: str) -> tuple[Path, dict[str, str]]:
        variables = {
            "cloud_iam_assume_role_external_id": EXTERNAL_ID,
            "cloud_iam_check_launches": True,
            "cloud_iam_prune_dangling_principals": True,
        }
        scene = SCENES[playbook]
        own = {
            name: {f"cloud_iam_{key}": value for key, value in found.items()}
            for name, found in scene.own.items()
        }
        inventory = inventory_of(tmp_path, sandbox, scene.clouds, own, **variables)
        if playbook != "verify_cluster":
            return inventory, {}
        inventory.write_text(
            inventory.read_text().replace("anyscale_clouds:", "anyscale_clusters:")
        )
        keys = {
            "access_key": "AWS_ACCESS_KEY_ID",
            "secret_key": "AWS_SECRET_ACCESS_KEY",
            "session_token": "AWS_SESSION_TOKEN",
        }
        return inventory, {keys[name]: value for name, value in _node(sandbox).items()}

    return fleet


@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_a_playbook_works_with_its_policy_and_makes_use_of_all_of_it(
    sandbox: Sandbox,
    run_module: Run,
    fleet: t.Callable[[str], tuple[Path, dict[str, str]]],
    playbook: str,
) -> None:
    """The caller is in another account and assumes a role, but for nodes, with no more than the
    documentation gives it.
    """
    SCENES[playbook].set_up(sandbox, run_module)
    inventory, credentials = fleet(playbook)
    put_trust(
        sandbox,
        trust_policy(f"arn:aws:iam::{TOOLING_ACCOUNT}:user/tooling", EXTERNAL_ID),
        ONBOARDING_ROLE,
    )
    caller, document = (
        caller_policy(f"arn:aws:iam::*:role/{ONBOARDING_ROLE}"),
        policy(playbook, SCOPE),
    )
    sandbox.settings(identity_policies={TOOLING_ACCOUNT: caller, ACCOUNT: document})
    used = set()
    for more in ((), ONE_BY_ONE) if playbook == "audit" else ((),):
        arguments = (*SCENES[playbook].arguments, *more)
        run = run_playbook(sandbox, playbook, inventory, *arguments, variables=credentials)
        assert run.exit_status == 0, run.output
        assert not {call["status"] for call in sandbox.calls()}.intersection(REFUSED)
        assert made(sandbox, TOOLING_ACCOUNT) == (set() if credentials else operations_of(caller))
        used |= made(sandbox, ACCOUNT)
    assert operations_of(document) - used == FOR_MANY_CLOUDS.get(playbook, set())
    assert used <= operations_of(document)


# --- with less ------------------------------------------------------------------------------------


def kept(playbook: str, keep: t.Callable[[str], bool]) -> Json:
    """The policy of a playbook with some of its statements, by their Sids."""
    document = policy(playbook, SCOPE)
    return {
        **document,
        "Statement": [statement for statement in document["Statement"] if keep(statement["Sid"])],
    }


@pytest.mark.parametrize("check", few_of([False, True], True), ids=["for real", "in check mode"])
@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_check_mode_needs_what_reads_alone(
    sandbox: Sandbox, run_module: Run, playbook: str, check: bool
) -> None:
    """And for real, all is well with all of it."""
    scene = SCENES[playbook]
    scene.set_up(sandbox, run_module)
    sandbox.settings(
        identity_policies={
            ACCOUNT: kept(playbook, lambda sid: not check or sid.startswith(READING))
        }
    )
    assert scene.work(sandbox, run_module, check) == []
    assert made(sandbox, ACCOUNT, *REFUSED) == set()


@pytest.mark.long
@pytest.mark.parametrize(
    ("playbook", "left_out"),
    [
        pytest.param(name, one, id=f"{name}-{one.sid}")
        for name, statements in PLAYBOOKS.items()
        for one in statements
        if name != "heal" or one not in PLAYBOOKS["onboard"]
    ],
)
def test_without_a_statement_something_is_missing(
    sandbox: Sandbox, run_module: Run, playbook: str, left_out: Statement
) -> None:
    """AWS refuses what that statement would have allowed, and that is not without consequences."""
    scene = SCENES[playbook]
    scene.set_up(sandbox, run_module)
    sandbox.settings(identity_policies={ACCOUNT: kept(playbook, lambda sid: sid != left_out.sid)})
    assert scene.work(sandbox, run_module, False) != []
    refused = made(sandbox, ACCOUNT, *REFUSED)
    assert refused
    assert refused <= operations(left_out.actions)


# --- as users get them ----------------------------------------------------------------------------


def test_the_lookup_is_there_for_users(tmp_path: Path) -> None:
    """By its full name, as a dictionary."""
    expression = (
        f"lookup('rayfleet.anyscale.iam_policy', 'onboard', account_id='{ACCOUNT}', "
        "leave_out=['ReadInBulk'])"
    )
    command = [
        str(BIN / "ansible"),
        "localhost",
        "-m",
        "ansible.builtin.debug",
        "-a",
        f"msg={{{{ {expression} }}}}",
    ]
    environment = {
        "PATH": str(BIN),
        "HOME": str(tmp_path),
        "LC_ALL": "C.UTF-8",
        "ANSIBLE_NOCOLOR": "1",
    }
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    shown = json.loads(done.stdout.partition("=>")[2])["msg"]
    assert shown == policy("onboard", parse_scope(ACCOUNT), ["ReadInBulk"])
