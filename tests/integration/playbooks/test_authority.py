# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a member of the organization registers is never written to unless the operator permits it."""

from __future__ import annotations

import json
import re
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import TOOLING_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed_documents import account_trust
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    ONBOARDING_ROLE,
    SCIENCE_ACCOUNT,
    VISION_ACCOUNT,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    Run,
    plugin_inventory,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

# The teams' own cloud, and three that a member of the organization has registered: with the bucket
# of the first, with the tool's own role, and in an account that is none of the operator's.
OWN = Cloud("speech", VISION_ACCOUNT, role="speech-ray", trust="lambda_only")
THIEF = Cloud(
    "thief", VISION_ACCOUNT, role="thief-ray", bucket=OWN.bucket_name, trust="lambda_only"
)
ADMIN = Cloud("admin", VISION_ACCOUNT, role=ONBOARDING_ROLE)
ABROAD = Cloud("abroad", SCIENCE_ACCOUNT, role="abroad-ray", trust="lambda_only")
FLEET = (OWN, THIEF, ADMIN, ABROAD)
ALLOW = {
    "accounts": [VISION_ACCOUNT],
    "roles": ["*-ray"],
    "buckets": ["anyscale-*"],
    "unlisted": "include",
}


@pytest.fixture
def sandbox(running_sandbox: Sandbox) -> Sandbox:
    running_sandbox.reset()
    running_sandbox.seed(FLEET)
    return running_sandbox


def written(run: Run) -> str:
    return json.dumps(run.writes)


def checks_of(run: Run, folder: Path) -> dict[str, dict[str, t.Any]]:
    """The checks of each cloud in the report of an audit."""
    [path] = folder.glob("anyscale-audit/*.json")
    report = json.loads(path.read_text())
    return {
        cloud["name"]: {check["id"]: check for check in cloud["checks"]}
        for cloud in report["clouds"]
    }


def account_of_cloud() -> str:
    """What the role awx_setup puts for {account_id} into the role that audits assume."""
    text = (ROOT / "roles/awx_setup/vars/main.yml").read_text()
    [found] = re.findall(r'^awx_setup_account_of_cloud: !unsafe "(.*)"$', text, re.MULTILINE)
    return str(found)


def test_without_allow_nothing_is_written_and_the_lines_to_add_are_printed(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    run = run_playbook(sandbox, "onboard", plugin_inventory(tmp_path, allow=None))
    assert run.exit_status == 2
    assert not run.writes
    assert "AssumeRole" not in run.operations
    assert set(run.failed()) == {cloud.name for cloud in FLEET}
    [summary] = run.named("Summarize the run")
    assert summary["lines_to_add"] in run.output  # as it stands, to be pasted
    assert any("printed above" in line for line in run.lines)
    lines = yaml.safe_load(summary["lines_to_add"])
    assert sorted(lines["clouds"]) == sorted(cloud.cloud_id for cloud in FLEET)
    assert lines["allow"]["accounts"][SCIENCE_ACCOUNT] == {
        "roles": ["abroad-ray"],
        "buckets": [ABROAD.bucket_name],
    }


def test_only_what_the_operator_permits_is_written(sandbox: Sandbox, tmp_path: Path) -> None:
    inventory = plugin_inventory(tmp_path, allow=ALLOW, clouds={OWN.cloud_id: {}})
    run = run_playbook(sandbox, "onboard", inventory)
    assert run.exit_status == 0, run.output
    assert run.counts["changed"] == run.counts["selected"] == 1
    assert run.counts["not_permitted"] == len(FLEET) - 1
    assert "1 changed, 0 in sync, 0 failed, 3 not permitted\n" in run.output
    assert {call["resource"] for call in run.writes if call["service"] != "anyscale"} == {
        OWN.bucket_name,
        OWN.role_name,
    }
    assert not any(name in written(run) for name in ("thief-ray", ONBOARDING_ROLE, "abroad"))
    refused = run_playbook(sandbox, "onboard", inventory, "-e", "onboard_hosts=anyscale_uncovered")
    assert refused.exit_status == 2
    assert not refused.writes
    assert re.search(r"fatal: \[thief\].*bucket .* is also registered for speech", refused.output)


def test_an_audit_of_no_cloud_fails_where_one_is_required(sandbox: Sandbox, tmp_path: Path) -> None:
    """As with a fleet file that permits nothing yet, of which an audit would find nothing wrong."""
    inventory = plugin_inventory(tmp_path, allow={"accounts": [SCIENCE_ACCOUNT]}, clouds={})
    run = run_playbook(sandbox, "audit", inventory, "-e", "audit_min_clouds=1")
    assert run.exit_status == 2, run.output
    assert set(checks_of(run, tmp_path)) == {cloud.name for cloud in FLEET}
    told = f"Audited 0 clouds, fewer than audit_min_clouds (1): {len(FLEET)} not permitted. "
    lines = run.output.splitlines()
    [failure] = [line for line in lines if line.startswith("fatal: ") and told in line]
    assert "-e onboard_hosts=anyscale_uncovered --check" in failure
    assert lines.index(failure) > lines.index("4 clouds: 4 not permitted")
    assert not any(line.startswith("The fleet file does not cover") for line in lines)
    [report] = run.named("Write the report")
    assert "anyscale_audit" in report["ansible_stats"]["data"]
    assert not report["failed"], "of a task that fails, Ansible publishes nothing"


def test_a_listed_cloud_that_is_not_returned_is_not_passed_over(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """No audit succeeds that did not look at it, and no onboarding looks like one that has converged
    it. Neither says anything where a limit leaves it out.
    """
    listed = {OWN.cloud_id: {}, "cld_gone": {"ring": "canary"}}
    inventory = plugin_inventory(tmp_path, allow=ALLOW, clouds=listed)
    why = "The fleet file lists this cloud, and the Anyscale API does not return it."
    audit = run_playbook(sandbox, "audit", inventory)
    assert audit.exit_status == 2
    assert audit.failed() == {"cld_gone"}
    assert f"failed: cld_gone, Audit: {why}" in audit.output
    assert checks_of(audit, tmp_path)[OWN.name]

    onboarded = run_playbook(sandbox, "onboard", inventory)
    assert onboarded.exit_status == 2
    assert onboarded.failed() == {"cld_gone"}
    assert onboarded.counts["changed"] == 1
    assert why in onboarded.output
    assert "cld_gone" not in written(onboarded)

    limit = ("--limit", OWN.name)
    assert run_playbook(sandbox, "onboard", inventory, *limit).exit_status == 0
    assert run_playbook(sandbox, "audit", inventory, *limit).exit_status == 0


def test_the_operators_own_variables_are_permitted(sandbox: Sandbox, tmp_path: Path) -> None:
    inventory = plugin_inventory(tmp_path, allow=ALLOW, clouds={OWN.cloud_id: {}})
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars/thief.yml").write_text("cloud_iam_bucket: anyscale-thief-own\n")
    sandbox.client("s3", VISION_ACCOUNT).create_bucket(
        Bucket="anyscale-thief-own",
        CreateBucketConfiguration={"LocationConstraint": "us-west-2"},
    )
    run = run_playbook(sandbox, "onboard", inventory, "-e", "onboard_hosts=thief")
    assert run.exit_status == 0, run.output
    assert "anyscale-thief-own" in written(run)
    assert "cloud_iam_bucket is anyscale-thief-own; the bucket registered" in run.output
    assert OWN.bucket_name not in written(run)


def test_an_audit_looks_at_every_cloud(sandbox: Sandbox, tmp_path: Path) -> None:
    inventory = plugin_inventory(tmp_path, allow=ALLOW, clouds={OWN.cloud_id: {}})
    assert run_playbook(sandbox, "onboard", inventory).exit_status == 0
    run = run_playbook(sandbox, "audit", inventory, "-e", "audit_fail_on=drift")
    # What anybody can register makes no audit fail, but is reported.
    assert run.exit_status == 0, run.output
    assert "4 clouds: 1 passed, 3 not permitted\n" in run.output
    assert re.search(r"To see the lines to add: ansible-playbook .* --check\n", run.output)
    checks = checks_of(run, tmp_path)
    assert {name: found["authority"]["status"] for name, found in checks.items()} == {
        "speech": "pass",
        "thief": "fail",
        "admin": "warn",
        "abroad": "warn",
    }
    # With the role of an account that is permitted; in another one none is assumed.
    assert checks["admin"]["role_account"]["status"] == "pass"
    assert checks["abroad"]["role_account"]["status"] == "unknown"
    assert not any(SCIENCE_ACCOUNT in json.dumps(call) for call in sandbox.calls())


def test_an_audit_of_awx_assumes_a_role_of_its_own(sandbox: Sandbox, tmp_path: Path) -> None:
    """In the account of each cloud, also of one that is not permitted, but in no other account; and
    not the role of the inventory.
    """
    inventory = plugin_inventory(tmp_path, allow=ALLOW, clouds={OWN.cloud_id: {}})
    for account in (VISION_ACCOUNT, SCIENCE_ACCOUNT):
        sandbox.accounts.add_role(account, "anyscale-audit", account_trust(TOOLING_ACCOUNT))
    role_arn = f"arn:aws:iam::{account_of_cloud()}:role/anyscale-audit"
    (tmp_path / "job.yml").write_text(yaml.safe_dump({"cloud_iam_assume_role_arn": role_arn}))
    run = run_playbook(sandbox, "audit", inventory, "-e", f"@{tmp_path}/job.yml")
    assert run.exit_status == 0, run.output
    checks = checks_of(run, tmp_path)
    assert {name: found["role_account"]["status"] for name, found in checks.items()} == {
        "speech": "pass",
        "thief": "pass",
        "admin": "pass",
        "abroad": "unknown",
    }
    assumed = {call["resource"] for call in sandbox.calls() if call["operation"] == "AssumeRole"}
    assert assumed == {f"arn:aws:iam::{VISION_ACCOUNT}:role/anyscale-audit"}


@pytest.mark.parametrize(
    "playbook", few_of(["onboard", "offboard", "audit", "rollback"], "onboard", "audit")
)
def test_a_misspelt_variable_is_an_error_with_the_nearest_name(
    sandbox: Sandbox, tmp_path: Path, playbook: str
) -> None:
    inventory = plugin_inventory(tmp_path, allow=ALLOW, clouds={OWN.cloud_id: {}})
    (tmp_path / "host_vars").mkdir()
    (tmp_path / "host_vars/speech.yml").write_text("cloud_iam_rol: other-ray\n")
    arguments = ("--limit", "speech", "-e", "rollback_run=none")
    run = run_playbook(sandbox, playbook, inventory, *arguments)
    assert run.exit_status == 2
    assert not run.writes
    assert "speech has cloud_iam_rol, which is not a variable" in run.output
    assert "Did you mean cloud_iam_role?" in run.output
