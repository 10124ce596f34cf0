# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook onboard, end to end, on the seeded fleet: what it changes, what it leaves alone,
what it says.
"""

from __future__ import annotations

import json
import re
import subprocess
import typing as t
from pathlib import Path

import boto3
import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.sandbox import BROKEN_CLOUD, FLEET, Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.anyscale_verify import verify_cloud
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    SCIENCE_ACCOUNT,
    VISION_ACCOUNT,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    BIN,
    Run,
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

Json = dict[str, t.Any]

EXPECTED = {
    "vision-prod": {
        "ec2_trust_missing",
        "access_missing",
        "instance_profile_missing",
        "compute_config_missing",
    },
    "vision-dev": {"access_missing", "wrong_arn_kind"},
    "speech-prod": {"access_missing", "compute_config_missing"},
    "speech-dev": {"action_not_a_string", "profile_differs"},
    "search-prod": {"ec2_trust_conditional", "access_missing"},
    "search-dev": {
        "ec2_trust_missing",
        "access_missing",
        "instance_profile_missing",
        "compute_config_missing",
    },
    "search-lab": {
        "action_not_a_string",
        "access_missing",
        "instance_profile_without_role",
        "compute_config_missing",
    },
    "genomics-prod": set(),
    "genomics-dev": {"node_group_hides_profile"},
    "forecast-prod": {"profile_differs"},
    "forecast-dev": {
        "ec2_trust_missing",
        "access_missing",
        "instance_profile_missing",
        "wrong_arn_kind",
    },
    "robotics-prod": {"ec2_trust_missing", "access_missing", "compute_config_missing"},
}
TRUSTED_BY_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    },
}
REFUSED_BEFORE = {
    "roles": {
        "vision-prod",
        "speech-dev",
        "search-dev",
        "search-lab",
        "forecast-dev",
        "robotics-prod",
    },
    "bucket": {
        "vision-prod",
        "vision-dev",
        "search-prod",
        "search-dev",
        "search-lab",
        "forecast-dev",
    },
}


class Fleet(t.NamedTuple):
    """The seeded fleet after three runs and an audit, with the policies that were there before."""

    sandbox: Sandbox
    check: Run
    first: Run
    second: Run
    audit: Run
    report: Json
    policies_before: dict[str, list[t.Any]]
    refused_before: dict[str, set[str]]


@pytest.fixture(scope="module")
def fleet(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> t.Iterator[Fleet]:
    """``--check --diff``, then for real, then again, then an audit; each test checks another
    aspect of it.
    """
    with pytest.MonkeyPatch.context() as environment:
        for name, value in running_sandbox.child_variables().items():
            environment.setenv(name, value)
        running_sandbox.reset()
        running_sandbox.seed(FLEET)
        folder = tmp_path_factory.mktemp("fleet")
        inventory = inventory_file(folder, running_sandbox, FLEET)
        before, refused = _policies(running_sandbox), _refused(running_sandbox)
        runs = [
            run_playbook(running_sandbox, "onboard", inventory, *more, confirm=True)
            for more in (["--check", "--diff"], [], [])
        ]
        options = ("-e", "audit_fail_on=drift", "-e", f"audit_report_dir={folder}")
        audit = run_playbook(running_sandbox, "audit", inventory, *options)
        report = json.loads((folder / "report.json").read_text())
        yield Fleet(running_sandbox, *runs, audit, report, before, refused)


def _policies(sandbox: Sandbox) -> dict[str, list[t.Any]]:
    """The statements of every role's trust policy and every bucket's policy."""
    found = {}
    for cloud in FLEET:
        found[f"role {cloud.name}"] = sandbox.client("iam", cloud.account_id).get_role(
            RoleName=cloud.role_name
        )["Role"]["AssumeRolePolicyDocument"]["Statement"]
        found[f"bucket {cloud.bucket_name}"] = _bucket_statements(sandbox, cloud)
    return found


def _bucket_statements(sandbox: Sandbox, cloud: Cloud) -> list[t.Any]:
    s3 = sandbox.client("s3", cloud.account_id)
    try:
        return json.loads(s3.get_bucket_policy(Bucket=cloud.bucket_name)["Policy"])["Statement"]
    except s3.exceptions.ClientError:
        return []


def _refused(sandbox: Sandbox) -> dict[str, set[str]]:
    """The clouds whose roles, and whose buckets, Anyscale's verification refuses."""
    verdicts = {
        cloud.name: verify_cloud(
            boto3.Session(**sandbox.credentials(cloud.account_id, setup=True)), cloud
        )
        for cloud in FLEET
    }
    return {
        part: {name for name, verdict in verdicts.items() if not getattr(verdict, part)}
        for part in ("roles", "bucket")
    }


@pytest.mark.core
@pytest.mark.parametrize("cloud", FLEET, ids=lambda cloud: cloud.name)
def test_the_first_run_changes_exactly_what_differs(fleet: Fleet, cloud: Cloud) -> None:
    """Every reason, and no other; the cloud in sync is not touched."""
    assert fleet.first.reasons(cloud.name) == EXPECTED[cloud.name]
    assert fleet.first.changed(cloud.name) == bool(EXPECTED[cloud.name])


def test_every_cloud_succeeds(fleet: Fleet) -> None:
    """No cloud of the seeded fleet is beyond help."""
    assert [run.failed() for run in (fleet.check, fleet.first, fleet.second)] == [
        set(),
        set(),
        set(),
    ]
    assert [run.exit_status for run in (fleet.check, fleet.first, fleet.second)] == [0, 0, 0]


@pytest.mark.core
def test_check_mode_predicts_the_run_and_writes_nothing(fleet: Fleet) -> None:
    """The same clouds for the same reasons."""
    assert fleet.check.writes == []
    for cloud in FLEET:
        assert fleet.check.reasons(cloud.name) == fleet.first.reasons(cloud.name), cloud.name


@pytest.mark.parametrize("cloud", FLEET, ids=lambda cloud: cloud.name)
def test_check_mode_predicts_the_compute_config_to_use(fleet: Fleet, cloud: Cloud) -> None:
    """Down to the version."""
    if EXPECTED[cloud.name]:
        predicted, real = (run.outcomes[cloud.name] for run in (fleet.check, fleet.first))
        assert predicted["compute_config"] == real["compute_config"]


def test_check_mode_shows_the_diff(fleet: Fleet) -> None:
    """With --diff, as readable JSON."""
    assert '+      "Sid": "AnyscaleEC2Trust"' in fleet.check.output


@pytest.mark.core
def test_the_second_run_changes_nothing_and_makes_no_write_call(fleet: Fleet) -> None:
    """And so it needs no permission to write."""
    assert fleet.second.writes == []
    assert not any(fleet.second.changed(cloud.name) for cloud in FLEET)


def test_a_fleet_in_sync_costs_few_reads(fleet: Fleet) -> None:
    """One for each bucket, and one for each cloud whose role is not in the inventory. Roles, profiles
    and compute configs are read by the page, and each account has one session.
    """
    assert fleet.second.operations == {
        "AssumeRole": 2,
        "GetAccountAuthorizationDetails": 2,
        "GetBucketPolicy": len({cloud.bucket_name for cloud in FLEET}),
        "GET /api/v2/clouds/{id}/resources": sum(not cloud.role for cloud in FLEET),
        "POST /api/v2/compute_templates/search": 1,
    }


def test_no_unmanaged_statement_is_lost_or_changed(fleet: Fleet) -> None:
    """Only a list-form Action for EC2 alone is rewritten, in its place."""
    after = _policies(fleet.sandbox)
    for name, statements in fleet.policies_before.items():
        kept = [raw for raw in after[name] if raw in statements]
        rewritten = [raw for raw in statements if raw not in kept]
        assert kept == [raw for raw in statements if raw not in rewritten], name
        assert rewritten == ([] if name != "role speech-dev" else [statements[0]]), name


def test_anyscale_refuses_the_drifted_clouds_before(fleet: Fleet) -> None:
    """So that its acceptance afterwards means something."""
    assert fleet.refused_before == REFUSED_BEFORE


def test_anyscale_accepts_every_cloud_after(fleet: Fleet) -> None:
    """Roles, instance profiles and buckets, by Anyscale's own verification."""
    assert _refused(fleet.sandbox) == {"roles": set(), "bucket": set()}


@pytest.mark.core
def test_an_audit_has_nothing_left_to_repair(fleet: Fleet) -> None:
    """It only warns of a tool that would put its own trust policy back."""
    checks = [
        (cloud["name"], check["id"], check["status"])
        for cloud in fleet.report["clouds"]
        for check in cloud["checks"]
    ]
    assert {name for name, _check, _status in checks} == set(EXPECTED)
    assert {found for found in checks if found[2] not in ("pass", "not_applicable")} == {
        ("speech-prod", "document_owner", "warn"),
    }
    assert fleet.audit.exit_status == 0


def test_anyscales_command_line_shows_the_profile(fleet: Fleet) -> None:
    """In the version that the run returned, at the cluster and at the node group that would have
    hidden it.
    """
    cloud = next(cloud for cloud in FLEET if cloud.name == "genomics-dev")
    version = fleet.first.outcomes[cloud.name]["compute_config"]
    command = [
        str(BIN / "anyscale"),
        "compute-config",
        "get",
        "--name",
        version,
        "--cloud",
        cloud.name,
    ]
    done = subprocess.run(
        command, env=fleet.sandbox.environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"Arn: {cloud.instance_profile_arn}") == 2, done.stdout


@pytest.mark.core
def test_the_summary_counts_the_clouds(fleet: Fleet) -> None:
    """What a person reads last, after each cloud that changed was told once."""
    assert "11 changed, 1 in sync, 0 failed" in fleet.first.output
    assert fleet.first.output.count("node_group_hides_profile") == 1
    assert "11 would change, 1 in sync, 0 failed" in fleet.check.output
    assert "0 changed, 12 in sync, 0 failed" in fleet.second.output


def test_a_broken_cloud_fails_alone(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Its neighbours are converged, and the message says what to do."""
    neighbour = FLEET[-1]
    running_sandbox.reset()
    running_sandbox.seed([neighbour])
    running_sandbox.seed_broken()
    run = run_playbook(
        running_sandbox,
        "onboard",
        inventory_file(tmp_path, running_sandbox, [BROKEN_CLOUD, neighbour]),
    )
    assert run.failed() == {BROKEN_CLOUD.name}
    assert run.reasons(neighbour.name) == EXPECTED[neighbour.name]
    assert "Role robotics-lab-ray-misspelled does not exist in account 333333333333" in run.output
    assert "1 changed, 0 in sync, 1 failed" in run.output
    assert run.exit_status == 2


# --- role variables that mean nothing -------------------------------------------------------------

PWNED = Path("/tmp/pwned-by-a-role-variable")
TEMPLATE = f"{{{{ lookup('ansible.builtin.pipe', 'touch {PWNED}') }}}}"
LONGEST_MESSAGE = 2500
UNSET = object()  # the variable is not defined at all

# What each variable of the role is set to, and how the refusal says so: it reaches its option, which
# refuses it as tests/unit/plugins/test_option_values.py shows for all kinds of values. No text is a
# template but those that Ansible was given as such.
# Stands for the name of a role that exists.
EXISTING = "a role that exists"
MAPPED: dict[str, t.Any] = {
    "cloud_iam_assign": "iam_mapping",
    "cloud_iam_mapping_rules": [{"selector": "project=x", "role": EXISTING}],
}
# What else a variable needs to be of use.
BESIDE: dict[str, dict[str, t.Any]] = {
    "cloud_iam_mapping_rules": MAPPED,
    "cloud_iam_mapping_resource": MAPPED,
    "cloud_iam_mapping_position": MAPPED,
    "cloud_iam_bucket_policy_name": {"cloud_iam_bucket_grant": "role_policy"},
    "cloud_iam_bucket_policy_arn": {"cloud_iam_bucket_grant": "role_policy"},
    "cloud_iam_control_plane_role": {"cloud_iam_manage_pass_role": True},
}
HOSTILE: dict[str, dict[str, tuple[t.Any, str]]] = {
    **{
        f"cloud_iam_{name}": {"a template": (TEMPLATE, f"value of cloud_iam_{name} must be")}
        for name in (
            "bucket_grant",
            "bucket_actions",
            "assign",
            "mapping_state",
            "mapping_fallback_rule",
            "node_groups",
        )
    },
    "cloud_iam_bucket_prefix": {"of a path": ("/team", "cloud_iam_bucket_prefix is '/team'")},
    "cloud_iam_bucket_policy_name": {"a template": (TEMPLATE, "policy_name")},
    "cloud_iam_bucket_policy_arn": {"a template": (TEMPLATE, "policy_arn")},
    "cloud_iam_mapping_rules": {
        "no dictionary": ([TEMPLATE], "cloud_iam_mapping_rules"),
        "a selector of a template": ([{"selector": TEMPLATE, "role": EXISTING}], "selector"),
        "a role of a template": ([{"selector": "project=x", "role": TEMPLATE}], "role"),
    },
    "cloud_iam_mapping_resource": {"a template": (TEMPLATE, "resource")},
    "cloud_iam_mapping_position": {"nowhere": ({"at": TEMPLATE}, "position")},
    "cloud_iam_node_group_roles": {
        "a role of a template": ({"gpu": TEMPLATE}, "node_group_roles"),
        "an unknown group": ({"gpu": EXISTING}, "gpu"),
    },
    "cloud_iam_control_plane_role": {"a template": (TEMPLATE, "control_plane_role")},
    "cloud_iam_cloud_id": {"a template": (TEMPLATE, "is not an Anyscale cloud id")},
    "cloud_iam_account_id": {
        "undefined": (UNSET, "cloud_iam_account_id"),
        "another account": (SCIENCE_ACCOUNT, f"{VISION_ACCOUNT}, but cloud_iam_account_id"),
        "a template": (TEMPLATE, "is not an AWS account id"),
    },
    "cloud_iam_role": {
        "empty": ("", "role is empty"),
        "a template": (TEMPLATE, "is not the name of an IAM role"),
    },
    "cloud_iam_bucket": {
        "undefined": (UNSET, "cloud_iam_bucket is not set"),
        "a template": (TEMPLATE, "does not name an S3 bucket"),
    },
    "cloud_iam_compute_config": {
        "undefined": (UNSET, "cloud_iam_compute_config is not set"),
        "two lines": ("ray\nray", "cloud_iam_compute_config contains a line"),
    },
    "cloud_iam_compute_config_spec": {
        "a template": (TEMPLATE, "config"),
        "a node that is a text": ({"head_node": "m5.large"}, "head_node"),
    },
    "cloud_iam_instance_profile": {
        "a template": (TEMPLATE, "is not the name of an IAM instance profile")
    },
    "cloud_iam_arn_kind": {"a template": (TEMPLATE, "value of cloud_iam_arn_kind must be")},
    "cloud_iam_dest": {"a folder": ("/", "dest")},
    "cloud_iam_quota_chars": {"a template": (TEMPLATE, "quota_chars")},
    "cloud_iam_backup_dir": {"a template": (TEMPLATE, "backup_dir")},
    "cloud_iam_backup_key": {"too short": ("short", "backup_key")},
    "cloud_iam_run_id": {"a template": (TEMPLATE, "run_id")},
    "cloud_iam_lock_dir": {"a template": (TEMPLATE, "lock_dir")},
    "cloud_iam_region": {"a template": (TEMPLATE, "region")},
    "cloud_iam_assume_role_arn": {"a template": (TEMPLATE, "lookup")},
    **{
        f"cloud_iam_{option}": {"a template": (TEMPLATE, option)}
        for option in (
            "assume_role_external_id",
            "assume_role_session_name",
            "access_key",
            "secret_key",
            "session_token",
            "profile",
            "endpoint_url",
            "anyscale_host",
            "anyscale_token",
        )
    },
    **{
        key: {"a template": (TEMPLATE, "lookup")}
        for key in (
            "cloud_iam_validate_certs",
            "cloud_iam_anyscale_allow_http",
            "cloud_iam_create_instance_profile",
            "cloud_iam_create_compute_config",
            "cloud_iam_allow_privileged",
            "cloud_iam_publish",
            "cloud_iam_manage_trust",
            "cloud_iam_manage_bucket_access",
            "cloud_iam_manage_compute_config",
            "cloud_iam_manage_iam_mapping",
            "cloud_iam_manage_pass_role",
            "cloud_iam_prune_dangling_principals",
            "cloud_iam_backup",
        )
    },
}
VALUES = [(variable, kind) for variable, kinds in HOSTILE.items() for kind in kinds]


class _Unsafe(yaml.SafeDumper):
    """Writes a text that looks like a template as one that is none, as AWX does with answers."""


_Unsafe.add_representer(
    str,
    lambda dumper, text: dumper.represent_scalar(
        "!unsafe" if "{{" in text else "tag:yaml.org,2002:str", text
    ),
)


def _host(variable: str, kind: str) -> str:
    return re.sub(r"[^a-z_]+", "-", f"{variable}-{kind}".lower())


@pytest.fixture(scope="module", name="refusals")
def _refusals(
    running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Run, Path]:
    """A run on as many clouds as there are values, each of which is valid but for one variable; and
    its home.
    """
    folder = tmp_path_factory.mktemp("refusals")
    # Nothing is shared, since what clouds share is read with the variables of one of them.
    clouds = [
        Cloud(_host(*value), VISION_ACCOUNT, trust="lambda_only", bucket=f"refusal-{number}")
        for number, value in enumerate(VALUES)
    ]
    running_sandbox.reset()
    running_sandbox.seed(clouds)
    inventory = inventory_file(folder, running_sandbox, clouds)
    group = yaml.safe_load(inventory.read_text())["all"]["children"]["anyscale_clouds"]
    for variable, kind in VALUES:
        host = group["hosts"][_host(variable, kind)]
        value = HOSTILE[variable][kind][0]
        if value is UNSET:
            del host[variable]
            continue
        text = json.dumps({**BESIDE.get(variable, {}), variable: value})
        host |= json.loads(text.replace(EXISTING, clouds[0].role_name))
    (folder / "group_vars").mkdir()
    (folder / "group_vars/anyscale_clouds.yml").write_text(yaml.safe_dump(group.pop("vars")))
    inventory.write_text(
        yaml.dump({"all": {"children": {"anyscale_clouds": group}}}, Dumper=_Unsafe)
    )
    return run_playbook(running_sandbox, "onboard", inventory, "--forks", "10"), folder


@pytest.mark.core
@pytest.mark.parametrize(
    ("variable", "kind"), VALUES, ids=[f"{variable}-{kind}" for variable, kind in VALUES]
)
def test_a_bad_variable_is_refused(refusals: tuple[Run, Path], variable: str, kind: str) -> None:
    """In one place, by its name or its value, and without a traceback."""
    run, _folder = refusals
    messages = [
        result["msg"]
        for host, _action, result, _task in run.results
        if host == _host(variable, kind) and result.get("failed")
    ]
    assert messages, "it was not refused"
    assert HOSTILE[variable][kind][1] in messages[0]
    assert "Traceback" not in messages[0]
    assert len(messages[0]) < LONGEST_MESSAGE


def test_nothing_is_written_where_a_variable_is_bad(refusals: tuple[Run, Path]) -> None:
    """Neither in AWS or Anyscale nor in files, and nothing in a variable is carried out."""
    run, folder = refusals
    assert run.writes == []
    assert not PWNED.exists()
    assert not (folder / "ansible/anyscale_backups").exists()


def test_each_variable_of_the_role_is_tried() -> None:
    """Also those that are yet to come."""
    specifications = yaml.safe_load((ROOT / "roles/cloud_iam/meta/argument_specs.yml").read_text())[
        "argument_specs"
    ]
    # A file of certificates is read where there is TLS, which the sandbox does not speak.
    assert set(HOSTILE) == set(specifications["main"]["options"]) - {"cloud_iam_aws_ca_bundle"}


def test_the_recap_keeps_to_the_limit_and_counts_every_failure(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Also a cloud whose variables were refused before its first step; a cloud outside the limit
    does not count.
    """
    clouds = FLEET[-2:]
    running_sandbox.reset()
    running_sandbox.seed([*clouds, FLEET[0]])
    inventory = inventory_file(tmp_path, running_sandbox, [*clouds, FLEET[0]])
    content = yaml.safe_load(inventory.read_text())
    del content["all"]["children"]["anyscale_clouds"]["hosts"][clouds[0].name][
        "cloud_iam_account_id"
    ]
    inventory.write_text(yaml.safe_dump(content))
    run = run_playbook(
        running_sandbox, "onboard", inventory, "--limit", ",".join(cloud.name for cloud in clouds)
    )
    assert "1 changed, 0 in sync, 1 failed" in run.output
    assert f"Failed: {clouds[0].name}\n" in run.output


def _role_playbook(folder: Path, steps: list[tuple[str, str]]) -> str:
    """A playbook that applies entry points of the role, each to a role of IAM."""
    tasks = [
        {
            "ansible.builtin.include_role": {
                "name": "rayfleet.anyscale.cloud_iam",
                "tasks_from": tasks_from,
            },
            "vars": {"cloud_iam_role": name},
        }
        for tasks_from, name in steps
    ]
    path = folder / "role.yml"
    path.write_text(
        yaml.safe_dump([{"hosts": "anyscale_clouds", "gather_facts": False, "tasks": tasks}])
    )
    return str(path)


def test_a_cloud_moves_to_another_role_and_back(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """The role applied for the new role of IAM and then, with absent, for the old one: the new one
    keeps what it got, until absent takes it back, and what was there before stays.
    """
    cloud = next(cloud for cloud in FLEET if cloud.name == "robotics-prod")
    old, new = cloud.role_name, "next-robotics-ray"
    running_sandbox.reset()
    running_sandbox.seed([cloud])
    iam = running_sandbox.client("iam", cloud.account_id)

    def trust(name: str) -> Json:
        return t.cast(Json, iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"])

    before = trust(old)
    iam.create_role(RoleName=new, AssumeRolePolicyDocument=json.dumps(before))
    inventory = inventory_file(tmp_path, running_sandbox, [cloud], cloud_iam_role=None)
    steps = [("main", old), ("main", new), ("absent", old)]
    moved = run_playbook(running_sandbox, _role_playbook(tmp_path, steps), inventory)
    assert moved.exit_status == 0, moved.output
    granted = json.dumps(_bucket_statements(running_sandbox, cloud))
    assert (f"role/{new}" in granted, cloud.role_arn in granted) == (True, False)
    assert trust(old) == before
    assert "ec2.amazonaws.com" in json.dumps(trust(new))
    newest = running_sandbox.organization.templates.search(
        {"name": {"equals": cloud.compute_config_name}, "version": -1}
    )[0]
    assert f"instance-profile/{new}" in json.dumps(newest["config"])
    absent = _role_playbook(tmp_path, [("absent", new)])
    runs = [run_playbook(running_sandbox, absent, inventory) for _time in range(2)]
    assert runs[0].reasons(cloud.name) == {"profile_present", "access_present", "ec2_trust_present"}
    assert (runs[1].changed(cloud.name), runs[1].writes) == (False, [])
    assert trust(new) == before
    assert f"role/{new}" not in json.dumps(_bucket_statements(running_sandbox, cloud))


def test_a_role_that_anyscale_may_not_pass_is_warned_of_once(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Before the first write, for all clouds at once: in check mode and in the run, by the engine and
    by tasks; and the role alone tells it too.
    """
    clouds = FLEET[:2]
    running_sandbox.reset()
    running_sandbox.seed(clouds)
    named = {"cloud_iam_role": "data-science-nodes", "cloud_iam_assign": "cloud_role"}
    inventory = inventory_file(tmp_path, running_sandbox, clouds, **named)
    for account_id in {cloud.account_id for cloud in clouds}:
        client = running_sandbox.client("iam", account_id)
        trust = json.dumps(TRUSTED_BY_LAMBDA)
        client.create_role(RoleName="data-science-nodes", AssumeRolePolicyDocument=trust)
    told = "cloud_iam_role names another role than the one registered"
    onboard = ("onboard", inventory, "--tags", "trust,cloud_role,pass_role")
    for more in (["--check"], ["--check", "-e", "fleet_engine=false"], []):
        output = run_playbook(running_sandbox, *onboard, *more).output
        assert output.count(told) == 1
        assert f"vision-dev, vision-prod: {told}" in output
    # No call is made for a cloud in sync: the inventory says what is registered, or it is not known.
    registered = f"anyscale_default_role_arn=arn:aws:iam::{clouds[0].account_id}:role/another"
    for more, times in ([], 0), (["-e", registered], 1):
        in_sync = run_playbook(
            running_sandbox, "onboard", inventory, "--check", "--tags", "trust,pass_role", *more
        )
        assert in_sync.counts["in_sync"] == 2
        assert in_sync.output.count(told) == times
        assert "GET /api/v2/clouds/{id}/resources" not in in_sync.operations
    role = _role_playbook(tmp_path, [("main", "data-science-nodes")])
    alone = run_playbook(running_sandbox, role, inventory, "--check").output
    assert [f"{cloud.name}: {told}" in alone for cloud in clouds] == [True, True]


def test_the_role_says_which_variable_is_wrong(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Before anything is read, and as the playbooks say it: one that is missing, also by the rules of
    the fleet file; or unknown. What the tags leave out need not be there.
    """
    running_sandbox.reset()
    running_sandbox.seed(FLEET[:5])
    names = [cloud.name for cloud in FLEET[:5]]
    inventory = inventory_file(tmp_path, running_sandbox, FLEET[:5])
    content = yaml.safe_load(inventory.read_text())
    hosts = content["all"]["children"]["anyscale_clouds"]["hosts"]
    del hosts[names[0]]["cloud_iam_bucket"]
    hosts[names[1]] = {"cloud_iam_account_id": None}
    hosts[names[2]]["cloud_iam_bukket"] = hosts[names[2]].pop("cloud_iam_bucket")
    hosts[names[3]]["anyscale_authority"] = {"covered": False, "reason": "no pattern matches it"}
    del hosts[names[4]]["cloud_iam_compute_config"]
    registered = {"anyscale_bucket": "its-data", "anyscale_cloud_id": FLEET[4].cloud_id}
    hosts[names[4]] = {**hosts[names[4]], **registered}
    inventory.write_text(yaml.safe_dump(content))
    playbook = _role_playbook(tmp_path, [("main", "nobody")])
    run = run_playbook(running_sandbox, playbook, inventory, "--tags", "all,bucket")
    messages = {
        host: result["msg"]
        for host, action, result, _name in run.results
        if action == "rayfleet.anyscale.cloud_variables_info"
    }
    assert [messages[name].partition(". ")[0].rstrip(".") for name in names] == [
        "cloud_iam_bucket is not set",
        "cloud_iam_account_id is not set",
        f"{names[2]} has cloud_iam_bukket, which is not a variable of the role cloud_iam",
        "The fleet file does not permit this: no pattern matches it",
        "cloud_iam_compute_config is not set",
    ]
    assert "Did you mean cloud_iam_bucket?" in messages[names[2]]
    assert (
        run.output.count(f"{names[4]}: cloud_iam_bucket is {FLEET[4].bucket_name}; the bucket") == 1
    )
    assert (run.exit_status, run.operations) == (2, {})
    assert "argument_spec_data" not in run.output
