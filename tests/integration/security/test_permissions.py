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
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    parse_settings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.role_use import RoleUse
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.scope import (
    parse_scope,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._permissions.statements import (
    PLAYBOOKS,
    READING,
    Statement,
    policy,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import TOOLING_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ONBOARDING_ROLE
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
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import Run
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    BIN,
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of

RUN_ID, EXTERNAL_ID = "onboarding", "b6b9a6c0"
# One cloud with Anyscale's own names, one with a role under a path.
NEW = (
    Cloud("vision", ACCOUNT, trust="lambda_only", bucket="anyscale-production-data-vision"),
    Cloud(
        "lab",
        ACCOUNT,
        role="lab-ray",
        role_path="/ray/lab/",
        trust="lambda_only",
        bucket_policy="foreign_reader",
    ),
    Cloud("speech", ACCOUNT, role="speech-ray", trust="lambda_only", profile="empty"),
)
_AS_ONBOARDED: Json = {
    "trust": "many_services",
    "bucket_policy": "complete",
    "profile": "filled",
    "compute_config": "in_sync",
}
OLD = tuple(
    dataclasses.replace(cloud, role=f"{cloud.name}-ray", **_AS_ONBOARDED) for cloud in NEW[:2]
)
SCOPE = parse_scope(
    ACCOUNT,
    roles=["*-cluster_node_role", "vision-ray", NEW[1].role_arn, "speech-ray"],
    control_plane_roles=["*-crossacct-iam-role"],
    buckets=["anyscale-production-data-*", "anyscale-lab-data", "anyscale-speech-data"],
)


# --- what the playbooks do, all of it -------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Scene:
    """What makes a playbook do all that it can, and the modules that it runs.

    work: with the modules, or a prediction in check mode; returns what went wrong, an empty list
    on success.
    """

    clouds: tuple[Cloud, ...]
    prepare: t.Callable[[Sandbox, Run], object]
    work: t.Callable[[Sandbox, Run, bool], list[str]]
    arguments: tuple[str, ...] = ()

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


def _with_policies_of_its_own(sandbox: Sandbox, run: Run) -> None:
    """A role that has one policy of each kind, of which none is for administrators."""
    iam, name = sandbox.client("iam", ACCOUNT), NEW[2].role_name
    document = json.dumps(
        document_of({"Effect": "Allow", "Action": "ecr:GetAuthorizationToken", "Resource": "*"})
    )
    arn = iam.create_policy(PolicyName="images", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=name, PolicyArn=arn)
    iam.put_role_policy(RoleName=name, PolicyName="images", PolicyDocument=document)
    _readable_by_a_deleted_principal(sandbox, run)


def _onboarded(sandbox: Sandbox, run: Run) -> None:
    """With backups; since then, another writer has changed a bucket's policy."""
    failures = _converge(NEW, backup=True, run_id=RUN_ID)(sandbox, run, False)
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


def _converge(
    clouds: tuple[Cloud, ...], state: str = "present", **more: t.Any
) -> t.Callable[[Sandbox, Run, bool], list[str]]:
    def work(_sandbox: Sandbox, _run: Run, check: bool) -> list[str]:
        variables = {
            cloud.name: {
                **_options(cloud),
                "compute_config": cloud.compute_config_name,
                "prune_dangling_principals": True,
                "lock_dir": str(Path.home() / "locks"),
                **more,
            }
            for cloud in clouds
        }
        outcomes = engine_runs.converge(variables, state, check_mode=check)
        return _failures(outcomes.values())

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
    return _failures(
        run("backup_restore", check=check, files=[str(file)], force=True, account_id=ACCOUNT)
        for file in files
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
    return [*filter(None, unknown), *_converge(OLD, state="absent")(sandbox, run, check)]


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
SCENES: dict[str, Scene] = {
    "audit": Scene(OLD, _launched_by_anyscale, _with_bulk_reads(_audit, OLD_ROLES, BUCKETS)),
    "onboard": Scene(
        NEW, _with_policies_of_its_own, _with_bulk_reads(_converge(NEW), NEW_ROLES), ONE_BY_ONE
    ),
    "offboard": Scene(
        OLD,
        _readable_by_a_deleted_principal,
        _with_bulk_reads(_offboard, OLD_ROLES),
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
}

# --- with exactly their policies ------------------------------------------------------------------


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
        inventory = inventory_file(tmp_path, sandbox, SCENES[playbook].clouds, **variables)
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
        assert 403 not in [call["status"] for call in sandbox.calls()]
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
    assert made(sandbox, ACCOUNT, 403) == set()


@pytest.mark.long
@pytest.mark.parametrize(
    ("playbook", "left_out"),
    [
        pytest.param(name, one, id=f"{name}-{one.sid}")
        for name, statements in PLAYBOOKS.items()
        for one in statements
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
    refused = made(sandbox, ACCOUNT, 403)
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
