# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules cloud_iam_mapping and iam_instance_profile against IAM and the Anyscale control plane
as the sandbox plays them.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import MEMBER_TOKEN
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    OTHER_ACCOUNT,
    ROLE,
    Json,
    make_role,
    policy,
)
from ansible_collections.rayfleet.anyscale.tests.support.fake_clock import pass_quickly
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    Run,
    after,
    before,
    converge,
    failure,
    refused,
    settled,
    write_operations,
)

MODULE, PROFILE = "cloud_iam_mapping", "iam_instance_profile"
RESOURCES = "GET /api/v2/clouds/{id}/resources"
GET = "GET /api/v2/clouds/{id}/deployment/{id}/config"
PUT = "PUT /api/v2/clouds/{id}/deployment/{id}/config"
CLOUD = Cloud("vision", ACCOUNT, role=ROLE, trust="manual_page", profile="filled")
JOBS = "workload-type in (job, service),project=ml"
JO = "user=jo@example.com"
KIND = {"cloud_provider": "AWS", "compute_stack": "VM"}
GIVEN: Json = {"cloud_id": CLOUD.cloud_id, "account_id": ACCOUNT}
OURS: Json = {**GIVEN, "rules": [{"selector": JOBS, "role": ROLE}]}


def seed(sandbox: Sandbox, *rules: tuple[str, str], **more: t.Any) -> None:
    """The cloud with its role and instance profile, and rules of others."""
    sandbox.seed((CLOUD,))
    put(sandbox, *rules, **more)


def put(sandbox: Sandbox, *rules: tuple[str, str], fallback: str = "FAIL", **more: t.Any) -> None:
    """Replace the mapping behind the module's back."""
    values = [{"selector": selector, "value": value} for selector, value in rules]
    mapping = {"mode": "CUSTOMER_MANAGED", "rules": values, "fallback_rule": fallback}
    sandbox.organization.mappings[resource_id(sandbox)] = {
        "cloud_deployment_id": resource_id(sandbox),
        **KIND,
        "dataplane_iam_mapping": mapping if rules else {},
        **more,
    }


def resource_id(sandbox: Sandbox) -> str:
    return str(sandbox.organization.resources[CLOUD.cloud_id][0]["cloud_resource_id"])


def live(sandbox: Sandbox) -> Json:
    return sandbox.organization.mapping(CLOUD.cloud_id, resource_id(sandbox))


def rules(sandbox: Sandbox) -> list[tuple[str, str]]:
    found = live(sandbox)["dataplane_iam_mapping"].get("rules", [])
    return [(rule["selector"], rule["value"]) for rule in found]


def make_profile(sandbox: Sandbox, name: str, role: str | None) -> None:
    iam = sandbox.client("iam", ACCOUNT)
    iam.create_instance_profile(InstanceProfileName=name)
    if role:
        iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=role)


def test_create_modify_delete(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox, (JO, "ray-jo"), user_tag_annotation_prefix="team/")
    made = converge(sandbox, run_module, MODULE, ["rule_missing"], **OURS)
    assert rules(sandbox) == [(JO, "ray-jo"), (JOBS, ROLE)]
    assert live(sandbox)["user_tag_annotation_prefix"] == "team/"
    assert before(made) == {
        "fallback_rule": "FAIL",
        "rules": [{"selector": JO, "role": "ray-jo"}],
    }
    assert after(made) == {name: made[name] for name in ("fallback_rule", "rules")}
    assert made["cloud_resource_id"] == resource_id(sandbox)
    first = {**OURS, "position": {"at": "before", "selector": " user in (jo@example.com)"}}
    converge(sandbox, run_module, MODULE, ["rules_out_of_order"], **first)
    assert rules(sandbox) == [(JOBS, ROLE), (JO, "ray-jo")]
    put(sandbox, (JOBS, "other"), (JO, "ray-jo"))
    changes = ["role_differs", "fallback_rule_differs"]
    converge(sandbox, run_module, MODULE, changes, fallback_rule="CLOUD_DEFAULT", **OURS)
    converge(sandbox, run_module, MODULE, ["unmanaged_rule"], state="replaced", **OURS)
    assert rules(sandbox) == [(JOBS, ROLE)]
    converge(sandbox, run_module, MODULE, ["rule_present"], state="absent", **OURS)
    assert live(sandbox)["dataplane_iam_mapping"] == {}


def test_the_calls(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox)
    sandbox.clear_calls()
    run_module(MODULE, **OURS)
    assert write_operations(sandbox) == [PUT]
    settled(sandbox, run_module, MODULE, **OURS)
    assert [call["operation"] for call in sandbox.calls()] == [RESOURCES, GET]


def test_removing_needs_nothing_of_aws(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed(sandbox, (JOBS, ROLE))
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    removed = run_module(MODULE, state="absent", **OURS)
    assert removed["changed"] is True, removed
    assert {call["service"] for call in sandbox.calls()} == {"anyscale"}


def test_a_cloud_that_is_gone_has_no_rules(sandbox: Sandbox, run_module: Run) -> None:
    """It is not there, or the token may not see it, which the API does not tell apart."""
    options = {**OURS, "cloud_id": "cld_gone"}
    (warning,) = settled(sandbox, run_module, MODULE, state="absent", **options)["warnings"]
    assert "cld_gone does not exist at Anyscale, or the token may not see it" in warning
    refused(sandbox, run_module, MODULE, "HTTP 404", **options)


def test_all_rules_can_be_removed(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox, (JO, "ray-jo"), user_tag_annotation_prefix="team/")
    options = {**GIVEN, "rules": [], "state": "replaced"}
    converge(sandbox, run_module, MODULE, ["unmanaged_rule"], **options)
    assert live(sandbox)["dataplane_iam_mapping"] == {}
    assert live(sandbox)["user_tag_annotation_prefix"] == "team/"


def test_another_resource_and_the_cloud_by_its_name(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox)
    second = sandbox.organization.add_resource(CLOUD.cloud_id, "second")
    options = {**OURS, "cloud": CLOUD.name, "resource": "second"}
    del options["cloud_id"]
    assert run_module(MODULE, **options)["changed"] is True
    assert rules(sandbox) == []
    assert "rules" in sandbox.organization.mappings[second]["dataplane_iam_mapping"]


def test_an_arn_stands_for_its_role(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox)
    options = {**OURS, "rules": [{"selector": JOBS, "role": CLOUD.role_arn}]}
    run_module(MODULE, **options)
    assert rules(sandbox) == [(JOBS, ROLE)]


# --- what is refused ------------------------------------------------------------------------------

Arrange = t.Callable[[Sandbox], Json]


def of_role(name: str) -> Json:
    return {"rules": [{"selector": JO, "role": ROLE}, {"selector": JOBS, "role": name}]}


def no_role(_sandbox: Sandbox) -> Json:
    return of_role("nowhere")


def no_profile(sandbox: Sandbox) -> Json:
    make_role(sandbox, "bare")
    return of_role("bare")


def empty_profile(sandbox: Sandbox) -> Json:
    make_role(sandbox, "bare")
    make_profile(sandbox, "bare", None)
    return of_role("bare")


def profile_of_another_role(sandbox: Sandbox) -> Json:
    make_role(sandbox, "bare")
    make_profile(sandbox, "bare", ROLE)
    return of_role("bare")


def administrator(sandbox: Sandbox) -> Json:
    make_role(sandbox, "admin")
    make_profile(sandbox, "admin", "admin")
    document = policy({"Effect": "Allow", "Action": "iam:*", "Resource": "*"})
    sandbox.client("iam", ACCOUNT).put_role_policy(
        RoleName="admin", PolicyName="ops", PolicyDocument=json.dumps(document)
    )
    return of_role("admin")


def control_plane(_sandbox: Sandbox) -> Json:
    return of_role(CLOUD.control_plane_role_name)


def arn_of_another_account(_sandbox: Sandbox) -> Json:
    return of_role(f"arn:aws:iam::{OTHER_ACCOUNT}:role/{ROLE}")


def account_of_another_cloud(sandbox: Sandbox) -> Json:
    aws = sandbox.organization.resources[CLOUD.cloud_id][0]["aws_config"]
    for name in ("anyscale_iam_role_id", "cluster_iam_role_id"):
        aws[name] = aws[name].replace(ACCOUNT, OTHER_ACCOUNT)
    return {}


def resource_in_another_account(sandbox: Sandbox) -> Json:
    sandbox.organization.add_resource(
        CLOUD.cloud_id,
        "second",
        aws_config={"anyscale_iam_role_id": f"arn:aws:iam::{OTHER_ACCOUNT}:role/control-plane"},
    )
    return {"resource": "second"}


def caller_in_another_account_than_the_resource(sandbox: Sandbox) -> Json:
    return {**resource_in_another_account(sandbox), "account_id": None}


def member(_sandbox: Sandbox) -> Json:
    return {"anyscale_token": MEMBER_TOKEN}


def resource_of_another_cloud(sandbox: Sandbox) -> Json:
    other = sandbox.organization.add_cloud("other")
    return {"resource": sandbox.organization.resources[other][0]["cloud_resource_id"]}


def on_kubernetes(sandbox: Sandbox) -> Json:
    sandbox.organization.resources[CLOUD.cloud_id][0]["compute_stack"] = "K8S"
    return {}


REFUSED: dict[Arrange, tuple[str, ...]] = {
    no_role: ("rule 2 of rules (cloud_iam_mapping_rules in playbooks)", "nowhere does not exist"),
    no_profile: ("rule 2 of rules", "there is none of this name", "iam_instance_profile"),
    empty_profile: ("rule 2 of rules", "contains none", "iam_instance_profile"),
    profile_of_another_role: ("rule 2 of rules", f"role/{ROLE}", "same name"),
    administrator: ("rule 2 of rules", "like an administrator's", "the role of rule 2"),
    control_plane: ("rule 2 of rules", "control-plane role", "the role of rule 2"),
    arn_of_another_account: ("role of rule 2", f"account {OTHER_ACCOUNT}", "AWS account of its"),
    account_of_another_cloud: (f"registered at Anyscale in account {OTHER_ACCOUNT}",),
    resource_in_another_account: (f"registered at Anyscale in account {OTHER_ACCOUNT}",),
    caller_in_another_account_than_the_resource: (
        "rule 1 of rules",
        f"registered at Anyscale in account {OTHER_ACCOUNT}",
    ),
    member: ("only an owner", "anyscale_token"),
    resource_of_another_cloud: ("not a resource of cloud", "vm-aws-us-west-2"),
    on_kubernetes: ("K8S on AWS",),
}


@pytest.mark.parametrize("arrange", REFUSED, ids=lambda arrange: arrange.__name__)
def test_it_refuses(sandbox: Sandbox, run_module: Run, arrange: Arrange) -> None:
    seed(sandbox)
    options = {**OURS, **arrange(sandbox)}
    refused(sandbox, run_module, MODULE, *REFUSED[arrange], **options)


def test_a_profile_that_an_earlier_task_creates(sandbox: Sandbox, run_module: Run) -> None:
    """Only in check mode may it be missing."""
    seed(sandbox)
    make_role(sandbox, "bare")
    options = {**OURS, **of_role("bare"), "pending_instance_profiles": ["bare"]}
    assert run_module(MODULE, check=True, **options)["changed"] is True
    assert "none of this name" in failure(run_module(MODULE, **options))["msg"]
    run_module(PROFILE, role="bare", account_id=ACCOUNT)
    assert run_module(MODULE, **options)["changed"] is True


# --- faults and other writers ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        {"status": 500, "after": True},
        {"drop": True, "after": True},
        {"drop": True},
        {"status": 409},
        {"status": 429, "retry_after": 5},
    ],
    ids=str,
)
def test_a_fault_is_outlasted(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch, fault: Json
) -> None:
    pass_quickly(monkeypatch)
    seed(sandbox, (JO, "ray-jo"))
    sandbox.fault(PUT, times=1, **fault)
    made = run_module(MODULE, **OURS)
    assert made.get("changed") is True, made
    assert rules(sandbox) == [(JO, "ray-jo"), (JOBS, ROLE)]


def test_a_refusal_of_the_service_is_explained(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox)
    sandbox.fault(PUT, status=403, message="Permission denied")
    failed = failure(run_module(MODULE, **OURS))
    assert "HTTP 403" in failed["msg"]
    assert "owner of the organization" in failed["msg"]
    assert failed["error"]["status"] == 403
    assert rules(sandbox) == []


# --- backups --------------------------------------------------------------------------------------


def test_a_backup_restores_the_rules_and_nothing_else(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox, (JO, "ray-jo"), user_tag_annotation_prefix="old")
    made = run_module(MODULE, backup=True, state="replaced", fallback_rule="CLOUD_DEFAULT", **OURS)
    assert ".iam_mapping." in made["backup_file"]
    sandbox.organization.mappings[resource_id(sandbox)]["user_tag_annotation_prefix"] = "new"
    files = {"files": [made["backup_file"]]}
    restored = converge(sandbox, run_module, "backup_restore", ["changed_since_backup"], **files)
    assert rules(sandbox) == [(JO, "ray-jo")]
    assert restored["document"] == made["previous"]
    assert live(sandbox)["user_tag_annotation_prefix"] == "new"
    assert live(sandbox)["dataplane_iam_mapping"]["fallback_rule"] == "FAIL"


def test_a_mapping_that_did_not_exist_is_cleared_again(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox)
    made = run_module(MODULE, backup=True, **OURS)
    run_module("backup_restore", files=[made["backup_file"]])
    assert live(sandbox)["dataplane_iam_mapping"] == {}


def test_a_change_of_another_writer_is_not_undone(sandbox: Sandbox, run_module: Run) -> None:
    seed(sandbox)
    made = run_module(MODULE, backup=True, **OURS)
    put(sandbox, (JOBS, ROLE), (JO, "ray-jo"))
    files = [made["backup_file"]]
    refused(sandbox, run_module, "backup_restore", "changed by another writer", files=files)


# --- the instance profile -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "reason"),
    [("missing", "instance_profile_missing"), ("empty", "instance_profile_without_role")],
)
def test_the_instance_profile_of_a_role(
    sandbox: Sandbox, run_module: Run, state: str, reason: str
) -> None:
    sandbox.seed((dataclasses.replace(CLOUD, profile=state),))
    options = {"role": ROLE, "account_id": ACCOUNT}
    made = converge(sandbox, run_module, PROFILE, [reason], **options)
    assert made["instance_profile_arn"] == CLOUD.instance_profile_arn
    assert run_module(MODULE, **OURS)["changed"] is True


def test_the_instance_profile_of_a_cloud(sandbox: Sandbox, run_module: Run) -> None:
    sandbox.seed((dataclasses.replace(CLOUD, profile="missing"),))
    made = run_module(PROFILE, **GIVEN)
    assert made["instance_profile_arn"] == CLOUD.instance_profile_arn


def missing(sandbox: Sandbox) -> Json:
    return {"role": role_in(no_profile(sandbox)), "create_instance_profile": False}


def for_an_administrator(sandbox: Sandbox) -> Json:
    return {"role": role_in(administrator(sandbox)), "instance_profile": "new"}


def of_another_role(sandbox: Sandbox) -> Json:
    return {"role": role_in(profile_of_another_role(sandbox))}


def role_in(options: Json) -> str:
    return str(options["rules"][-1]["role"])


PROFILES: dict[Arrange, tuple[str, ...]] = {
    missing: ("Instance profile bare does not exist", "create_instance_profile"),
    for_an_administrator: ("like an administrator's", "allow_privileged"),
    of_another_role: ("Instance profile bare contains", "instance_profile"),
}


@pytest.mark.parametrize("arrange", PROFILES, ids=lambda arrange: arrange.__name__)
def test_a_profile_that_is_refused(sandbox: Sandbox, run_module: Run, arrange: Arrange) -> None:
    sandbox.seed((CLOUD,))
    options = {**arrange(sandbox), "account_id": ACCOUNT}
    refused(sandbox, run_module, PROFILE, *PROFILES[arrange], **options)
