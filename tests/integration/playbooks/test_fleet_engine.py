# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fleet engine in the playbook onboard: it decides as the role cloud_iam does, plans all clouds
before the first write, and writes what clouds share once.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import re
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.pass_role_plan import (
    POLICY_NAME as PASS_ROLE_POLICY,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    for_reader,
    naming_variables,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    ONBOARDING_ROLE,
    SCIENCE_ACCOUNT,
    VISION_ACCOUNT,
)
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    bucket_policy_of,
    delete_role,
    make_role,
    put_bucket_policy,
    put_trust,
    trust_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.cloud_ways import (
    OTHER_RULE,
    OWN_POLICY,
    add_rule_of_others,
    further_role_of,
    give_own_access,
    inline_policy,
    make_further_role,
    make_managed_policy,
    managed_policy_of,
    mapping_rules,
    put_our_statement,
)
from ansible_collections.rayfleet.anyscale.tests.support.fleets import (
    ONE_STEP,
    fresh,
    in_sync,
    inventory_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import Run, run_playbook
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of

Json = dict[str, t.Any]
Spoil = t.Callable[[Sandbox, Cloud], t.Any]

EC2: Json = {
    "Effect": "Allow",
    "Principal": {"Service": "ec2.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
PUBLIC_TRUST = {
    "Sid": "Public",
    "Effect": "Allow",
    "NotPrincipal": {"AWS": "arn:aws:iam::444444444444:root"},
    "Action": "sts:AssumeRole",
    "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
}
CONVERGE = "rayfleet.anyscale.fleet_converge"
# What is written is not read back again after a time, which tests/reliability tests.

# --- the engine against the role ------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Drift:
    """One way in which a cloud is found.

    reasons: of all changes; ``None`` where the cloud cannot be converged.
    changes: of the cloud as it is seeded; spoil: what is done to it then; variables: the host's
    own. waits: whether converging it takes a time, which tests with another clock are for.
    """

    reasons: tuple[str, ...] | None
    changes: Json = dataclasses.field(default_factory=dict)
    spoil: Spoil | None = None
    variables: Json = dataclasses.field(default_factory=dict)
    waits: bool = False


def _add_trust(*statements: Json) -> Spoil:
    def spoil(sandbox: Sandbox, cloud: Cloud) -> None:
        document = trust_of(sandbox, cloud.role_name)
        put_trust(
            sandbox,
            {**document, "Statement": [*document["Statement"], *statements]},
            cloud.role_name,
        )

    return spoil


def _trust_a_deleted_principal(sandbox: Sandbox, cloud: Cloud) -> None:
    arn = make_role(sandbox, f"{cloud.name}-gone")
    _add_trust({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"})(
        sandbox, cloud
    )
    delete_role(sandbox, f"{cloud.name}-gone")


def _deny_in_bucket(sandbox: Sandbox, cloud: Cloud) -> None:
    objects = f"arn:aws:s3:::{cloud.bucket_name}/*"
    statement = {
        "Sid": "Closed",
        "Effect": "Deny",
        "Principal": {"AWS": cloud.role_arn},
        "Action": "s3:PutObject",
        "Resource": objects,
    }
    put_bucket_policy(
        sandbox, cloud.bucket_name, {"Version": "2012-10-17", "Statement": [statement]}
    )


def _allow_everything(sandbox: Sandbox, cloud: Cloud) -> None:
    document = {"Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
    sandbox.client("iam", cloud.account_id).put_role_policy(
        RoleName=cloud.role_name,
        PolicyName="everything",
        PolicyDocument=json.dumps({"Version": "2012-10-17", **document}),
    )


def _drop_role(sandbox: Sandbox, cloud: Cloud) -> None:
    iam = sandbox.client("iam", cloud.account_id)
    iam.remove_role_from_instance_profile(
        InstanceProfileName=cloud.role_name, RoleName=cloud.role_name
    )
    delete_role(sandbox, cloud.role_name)


def _drop_bucket(sandbox: Sandbox, cloud: Cloud) -> None:
    sandbox.client("s3", cloud.account_id).delete_bucket(Bucket=cloud.bucket_name)


def _swap_role_in_profile(sandbox: Sandbox, cloud: Cloud) -> None:
    make_role(sandbox, f"{cloud.name}-other")
    sandbox.client("iam", cloud.account_id).add_role_to_instance_profile(
        InstanceProfileName=cloud.role_name, RoleName=f"{cloud.name}-other"
    )


def _register_profile(sandbox: Sandbox, cloud: Cloud) -> None:
    """Of a name of its own, and with the cloud's role."""
    iam, name = sandbox.client("iam", cloud.account_id), f"{cloud.name}-registered"
    made = iam.create_instance_profile(InstanceProfileName=name)
    iam.add_role_to_instance_profile(InstanceProfileName=name, RoleName=cloud.role_name)
    [resource] = sandbox.organization.resources[cloud.cloud_id]
    resource["aws_config"]["cluster_instance_profile_id"] = made["InstanceProfile"]["Arn"]


def _archive_config(sandbox: Sandbox, cloud: Cloud) -> None:
    template = sandbox.organization.templates.search(
        {"name": {"equals": cloud.compute_config_name}}
    )[0]
    sandbox.organization.templates.set_archived(template["id"], True)


def _add_gpu_role(*more: Spoil) -> Spoil:
    def spoil(sandbox: Sandbox, cloud: Cloud) -> None:
        make_further_role(sandbox, cloud)
        for one in more:
            one(sandbox, cloud)

    return spoil


def _give_our_own_access(sandbox: Sandbox, cloud: Cloud) -> None:
    give_own_access(sandbox, cloud, OWN_POLICY)


def _cloud(name: str) -> Cloud:
    return Cloud(name, VISION_ACCOUNT)


CONTROL_PLANE = "control-plane-of-two"
PASS_ROLE: Json = {
    "cloud_iam_manage_pass_role": True,
    "cloud_iam_control_plane_role": CONTROL_PLANE,
}
BY_OWN_POLICY: Json = {"cloud_iam_bucket_grant": "role_policy"}
BY_BUCKET_POLICY: Json = {"cloud_iam_bucket_grant": "bucket_policy"}
OWN_ROLE: Json = {"cloud_iam_assign": "cloud_role"}
MAPPED: Json = {"cloud_iam_assign": "iam_mapping"}
TWIN: Json = {"role": "twin-ray", "bucket_policy": "none"}


def _two_rules(name: str) -> Json:
    """A rule for the cloud's own role, and one for another."""
    cloud = _cloud(name)
    rules = [
        {"selector": "project=vision", "role": further_role_of(cloud)},
        {"selector": "user=a@x.y", "role": cloud.role_name},
    ]
    return {**MAPPED, "cloud_iam_mapping_rules": rules}


def _group_role(name: str, group: str) -> Json:
    """A role of its own for a node group."""
    return {"cloud_iam_node_group_roles": {group: further_role_of(_cloud(name))}}


NESTED = {
    "head_node": {"instance_type": "{{ family }}.2xlarge"},
    "enable_cross_zone_scaling": "{{ family == 'gpu' }}",
}
DRIFTS = {
    "in-sync": Drift(()),
    "in-sync-by-another-template": Drift(
        (), {"trust": "manual_page", "bucket_policy": "cloud_foundation"}
    ),
    "in-sync-with-public-trust": Drift((), spoil=_add_trust(PUBLIC_TRUST)),
    "in-sync-beside-a-condition": Drift((), {"trust": "conditional"}, _add_trust(EC2)),
    "in-sync-beside-a-deleted-principal": Drift((), spoil=_trust_a_deleted_principal),
    "in-sync-in-the-other-account": Drift((), {"account_id": SCIENCE_ACCOUNT}),
    "in-sync-and-terraform-owned": Drift((), {"owner": "terraform"}),
    "trust-for-lambda-only": Drift(("ec2_trust_missing",), {"trust": "lambda_only"}),
    "trust-with-a-list": Drift(("action_not_a_string",), {"trust": "list_action"}),
    "trust-conditional": Drift(("ec2_trust_conditional",), {"trust": "conditional"}),
    "trust-with-many-services": Drift(
        ("action_not_a_string",),
        {"trust": "many_services", "role_path": "/ray/", "role": "many-ray"},
    ),
    "trust-denied": Drift(None, spoil=_add_trust({**EC2, "Sid": "Never", "Effect": "Deny"})),
    "trust-blocked-by-a-deleted-principal": Drift(
        None, {"trust": "lambda_only"}, _trust_a_deleted_principal
    ),
    "trust-over-quota": Drift(
        None, {"trust": "lambda_only"}, variables={"cloud_iam_quota_chars": 100}
    ),
    "trust-switched-off": Drift(
        (), {"trust": "lambda_only"}, variables={"cloud_iam_manage_trust": False}
    ),
    "bucket-without-policy": Drift(("access_missing",), {"bucket_policy": "none"}),
    "bucket-by-template": Drift(("access_missing",), {"bucket_policy": "cloudformation"}),
    "bucket-denied": Drift(None, spoil=_deny_in_bucket),
    "bucket-gone": Drift(None, {"bucket_policy": "none"}, _drop_bucket),
    "bucket-switched-off": Drift(
        (), {"bucket_policy": "none"}, variables={"cloud_iam_manage_bucket_access": False}
    ),
    "profile-missing": Drift(("instance_profile_missing",), {"profile": "missing"}),
    "profile-empty": Drift(("instance_profile_without_role",), {"profile": "empty"}),
    "profile-of-another-role": Drift(None, {"profile": "empty"}, _swap_role_in_profile),
    "profile-not-to-be-made": Drift(
        None, {"profile": "missing"}, variables={"cloud_iam_create_instance_profile": False}
    ),
    "profile-of-another-name": Drift(
        ("instance_profile_missing", "profile_differs"),
        variables={"cloud_iam_instance_profile": "shared-ray"},
    ),
    "profile-of-the-own-role": Drift(
        ("instance_profile_missing",),
        {"profile": "missing", "compute_config": "missing"},
        variables=OWN_ROLE,
    ),
    "profile-that-is-registered": Drift(
        (),
        {"profile": "missing", "compute_config": "missing"},
        _register_profile,
        OWN_ROLE,
    ),
    "config-missing": Drift(("compute_config_missing",), {"compute_config": "missing"}),
    "config-archived": Drift(("compute_config_archived",), spoil=_archive_config),
    "config-archived-and-not-to-be-made": Drift(
        None, spoil=_archive_config, variables={"cloud_iam_create_compute_config": False}
    ),
    "config-with-the-role": Drift(("wrong_arn_kind",), {"compute_config": "role_arn"}),
    "config-with-another-profile": Drift(("profile_differs",), {"compute_config": "other_profile"}),
    "config-hidden-by-a-worker": Drift(
        ("node_group_hides_profile",), {"compute_config": "hidden_by_worker"}
    ),
    "config-of-the-other-kind": Drift(
        ("wrong_arn_kind",), variables={"cloud_iam_arn_kind": "role"}
    ),
    "config-with-a-nested-template": Drift(
        ("config_differs",), variables={"cloud_iam_compute_config_spec": NESTED, "family": "r5"}
    ),
    "config-as-it-is": Drift(
        (), variables={"cloud_iam_compute_config_spec": NESTED, "family": "m5"}
    ),
    "config-in-a-file": Drift(
        ("dest_differs",),
        variables={"cloud_iam_dest": "{{ inventory_dir }}/{{ inventory_hostname }}.yaml"},
    ),
    "config-switched-off": Drift(
        (), {"compute_config": "missing"}, variables={"cloud_iam_manage_compute_config": False}
    ),
    "config-not-published": Drift(
        (), {"compute_config": "missing"}, variables={"cloud_iam_publish": False}
    ),
    "bucket-by-own-policy": Drift((), {"bucket_policy": "none"}, give_own_access),
    "bucket-by-own-policy-that-is-wanted": Drift(
        (), {"bucket_policy": "none"}, give_own_access, BY_OWN_POLICY
    ),
    "bucket-to-the-bucket-policy": Drift(
        ("access_missing", "access_in_role_policy"),
        {"bucket_policy": "none"},
        _give_our_own_access,
        BY_BUCKET_POLICY,
        waits=True,
    ),
    "bucket-to-an-own-policy": Drift(
        ("access_missing", "access_in_bucket_policy"),
        {"bucket_policy": "none"},
        put_our_statement,
        BY_OWN_POLICY,
        waits=True,
    ),
    "bucket-to-a-managed-policy": Drift(
        ("access_missing",),
        {"bucket_policy": "none"},
        make_managed_policy,
        {
            **BY_OWN_POLICY,
            "cloud_iam_bucket_policy_arn": managed_policy_of(_cloud("bucket-to-a-managed-policy")),
        },
    ),
    "bucket-of-a-twin-1": Drift(("access_missing",), TWIN, variables=BY_OWN_POLICY),
    "bucket-of-a-twin-2": Drift(
        ("access_missing",), {**TWIN, "trust": "", "profile": "missing"}, variables=BY_OWN_POLICY
    ),
    "group-with-a-role": Drift(
        (
            "ec2_trust_missing",
            "access_missing",
            "instance_profile_missing",
            "node_group_profile_differs",
        ),
        spoil=_add_gpu_role(),
        variables=_group_role("group-with-a-role", "cpu"),
    ),
    "group-that-there-is-not": Drift(
        None, spoil=_add_gpu_role(), variables=_group_role("group-that-there-is-not", "tpu")
    ),
    "group-that-is-not-kept": Drift(
        ("node_group_profile_differs",), {"compute_config": "worker_of_another_role"}
    ),
    "group-that-is-kept": Drift(
        (),
        {"compute_config": "worker_of_another_role"},
        variables={"cloud_iam_node_groups": "keep"},
    ),
    "mapping-of-two-roles": Drift(
        ("ec2_trust_missing", "access_missing", "instance_profile_missing", "rule_missing"),
        spoil=_add_gpu_role(add_rule_of_others),
        variables=_two_rules("mapping-of-two-roles"),
    ),
    "mapping-of-a-role-that-there-is-not": Drift(
        None, variables=_two_rules("mapping-of-a-role-that-there-is-not")
    ),
    "mapping-of-all": Drift(("rule_missing",), {"role": "mapped-ray"}, add_rule_of_others, MAPPED),
    "mapping-of-no-role": Drift(None, variables=MAPPED),
    "pass-role-1": Drift(
        ("pass_role_missing",),
        spoil=lambda sandbox, _cloud: make_role(sandbox, CONTROL_PLANE),
        variables=PASS_ROLE,
    ),
    "pass-role-2": Drift(("pass_role_missing",), variables=PASS_ROLE),
    "registered-role": Drift(
        ("ec2_trust_missing",),
        {"role": "registered-ray", "trust": "lambda_only"},
        variables={"cloud_iam_role": None},
    ),
    "role-gone": Drift(None, spoil=_drop_role),
    "role-of-an-administrator": Drift(None, {"profile": "missing"}, _allow_everything),
    "role-of-an-administrator-on-purpose": Drift(
        ("instance_profile_missing",),
        {"profile": "missing"},
        _allow_everything,
        {"cloud_iam_allow_privileged": True},
    ),
    "role-of-the-control-plane": Drift(
        None,
        variables={
            "cloud_iam_role": Cloud(
                "role-of-the-control-plane", VISION_ACCOUNT
            ).control_plane_role_arn
        },
    ),
    "account-of-another-cloud": Drift(
        None,
        {"trust": "lambda_only"},
        variables={
            "cloud_iam_cloud_id": Cloud("in-sync-in-the-other-account", SCIENCE_ACCOUNT).cloud_id
        },
    ),
    "role-of-another-path": Drift(
        None,
        {"role": "moved-ray"},
        variables={"cloud_iam_role": f"arn:aws:iam::{VISION_ACCOUNT}:role/elsewhere/moved-ray"},
    ),
}
DRIFTED = {name: in_sync(name, **drift.changes) for name, drift in DRIFTS.items()}


class Verdicts(t.NamedTuple):
    """The single drifts, each a cloud: by the engine and by the role in check mode, then converged,
    and then once more.
    """

    engine: Run
    role: Run
    real: Run
    again: Run


# What each run of the tests has the role decide, whose tasks take most of the time: of each step a
# cloud that differs and one that cannot be converged, and what has a task or a loop of its own. That
# the engine gets the options of the role's tasks in any case is a unit test of settings.
BY_ROLE = (
    *("in-sync", "trust-with-a-list", "trust-denied", "trust-switched-off", "bucket-by-template"),
    *("bucket-gone", "profile-of-another-role", "profile-of-another-name", "config-missing"),
    *("config-archived-and-not-to-be-made", "config-hidden-by-a-worker", "config-in-a-file"),
    *("config-not-published", "bucket-to-an-own-policy", "group-with-a-role"),
    *("group-that-there-is-not", "mapping-of-two-roles", "mapping-of-no-role", "pass-role-1"),
    *("registered-role", "role-gone", "role-of-an-administrator", "account-of-another-cloud"),
)


def _compared(request: pytest.FixtureRequest) -> list[str]:
    """The clouds whose verdicts by the role are asked for."""
    return [
        item.callspec.params["name"]
        for item in request.session.items
        if getattr(item, "originalname", "") == "test_the_engine_decides_as_the_role_does"
    ]


@pytest.fixture(scope="module")
def verdicts(
    request: pytest.FixtureRequest,
    running_sandbox: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Verdicts:
    """A cloud that the role converges has its own tasks, as one of any other playbook. The engine's runs
    are bound to the plan of its check mode, which changes nothing about them.
    """
    clouds = list(DRIFTED.values())
    fresh(running_sandbox, clouds)
    for name, drift in DRIFTS.items():
        if drift.spoil:
            drift.spoil(running_sandbox, DRIFTED[name])
    own = {name: drift.variables for name, drift in DRIFTS.items()}
    inventory = inventory_of(tmp_path_factory.mktemp("verdicts"), running_sandbox, clouds, own)
    limit = ("--limit", ",".join(["all", *(f"!{name}" for name in sorted(WAITING))]))
    plan = ("-e", "onboard_plan_file=plan.json")
    compared = ("--limit", ",".join(_compared(request) or BY_ROLE))
    by_role = ("--check", "-e", "fleet_engine=false", "--forks", "8", *compared)
    options = [(*plan, "--check"), by_role, (*plan, *limit), (*plan, *limit)]
    return Verdicts(*(run_playbook(running_sandbox, "onboard", inventory, *one) for one in options))


WAITING = {name for name, drift in DRIFTS.items() if drift.waits}
WRITTEN = set(DRIFTS) - WAITING
BEYOND_HELP = {name for name, drift in DRIFTS.items() if drift.reasons is None}
IN_SYNC = {name for name, drift in DRIFTS.items() if drift.reasons == ()}


def _verdict(outcome: Json | None) -> tuple[str, ...] | str:
    """Why a cloud is changed, or the message that it fails with."""
    if outcome is None:
        return ()
    return str(outcome["msg"]) if outcome["state"] == "failed" else tuple(outcome["reasons"])


def _by_role(run: Run, name: str) -> tuple[str, ...] | str:
    """The same, from the cloud's own tasks."""
    results = run.tasks_of_role(name)
    # Of an item of a loop, callbacks are told no more than that there was an exception.
    failed = [str(one["msg"]) for one in results if one.get("failed") or "exception" in one]
    reasons = [reason for result in results for reason in result.get("reasons", ())]
    with naming_variables():  # a module names its options too
        return for_reader(failed[0]) if failed else tuple(dict.fromkeys(reasons))


@pytest.mark.core
@pytest.mark.parametrize("name", DRIFTS)
def test_the_engine_finds_the_drift(verdicts: Verdicts, name: str) -> None:
    """Every reason and no other, or why the cloud cannot be converged."""
    engine = _verdict(verdicts.engine.outcomes.get(name))
    assert (None if isinstance(engine, str) else engine) == DRIFTS[name].reasons


@pytest.mark.core
@pytest.mark.parametrize("name", few_of(DRIFTS, *BY_ROLE))
def test_the_engine_decides_as_the_role_does(verdicts: Verdicts, name: str) -> None:
    """The same reasons, or the same message."""
    engine = _verdict(verdicts.engine.outcomes.get(name))
    assert engine == _by_role(verdicts.role, name)


def test_check_mode_predicts_the_run(verdicts: Verdicts) -> None:
    """The same outcomes, but that nothing is written."""
    predicted = {
        name: _verdict(outcome)
        for name, outcome in verdicts.engine.outcomes.items()
        if name in WRITTEN
    }
    assert {
        name: _verdict(outcome) for name, outcome in verdicts.real.outcomes.items()
    } == predicted
    assert verdicts.engine.writes == verdicts.role.writes == []
    assert verdicts.real.writes != []


def test_only_clouds_that_changed_or_failed_are_reported(verdicts: Verdicts) -> None:
    """The others are counted, and cost no event of their own."""
    assert set(verdicts.real.outcomes) == WRITTEN - IN_SYNC
    assert verdicts.real.counts == {
        "selected": len(WRITTEN),
        "changed": len(WRITTEN) - len(IN_SYNC) - len(BEYOND_HELP),
        "failed": len(BEYOND_HELP),
        "not_reached": 0,
        "in_sync": len(IN_SYNC),
        "deferred": 0,
        "not_permitted": 0,
    }


def test_after_a_run_all_clouds_are_in_sync_that_can_be(verdicts: Verdicts) -> None:
    """The next run writes nothing, what fails fails again, and the rest is reported all the same."""
    assert verdicts.real.failed() == verdicts.again.failed() == BEYOND_HELP
    assert verdicts.again.writes == []
    assert verdicts.again.counts["in_sync"] == len(WRITTEN) - len(BEYOND_HELP)
    assert [run.exit_status for run in verdicts] == [2, 2, 2, 2]


def test_a_cloud_that_fails_is_left_untouched(verdicts: Verdicts, running_sandbox: Sandbox) -> None:
    """All is planned before the first write, whichever of its steps is refused."""
    written = " ".join(str(call["resource"]) for call in verdicts.real.writes)
    assert [name for name in BEYOND_HELP if DRIFTED[name].role_name in written] == []


def test_warnings_of_clouds_in_sync_are_shown(verdicts: Verdicts) -> None:
    """They have no event of their own, so the engine's task has them, with the cloud's name."""
    [plan] = [
        result for _host, action, result, _name in verdicts.again.results if action == CONVERGE
    ]
    warnings = [str(text) for text in plan["warnings"]]
    [public] = [text for text in warnings if text.startswith("in-sync-with-public-trust: ")]
    assert "Public" in public
    assert public in " ".join(verdicts.again.output.split())


def test_each_way_leads_to_the_roles_that_are_wanted(
    verdicts: Verdicts, running_sandbox: Sandbox
) -> None:
    """Rules of another writer stay first. Clouds that share a role, or the role that passes it, keep
    what each wants of one policy.
    """
    gpu = further_role_of(DRIFTED["mapping-of-two-roles"])
    own = DRIFTED["mapping-of-two-roles"].role_name
    assert verdicts.real.outcomes["mapping-of-two-roles"]["state"] == "changed"
    other, *ours = mapping_rules(running_sandbox, DRIFTED["mapping-of-two-roles"])
    assert (other[1], ours) == (
        OTHER_RULE["value"],
        [("project=vision", gpu), ("user=a@x.y", own)],
    )
    [_other, for_all] = mapping_rules(running_sandbox, DRIFTED["mapping-of-all"])
    assert for_all == ("workload-type in (job, service, workspace)", "mapped-ray")
    twins = [DRIFTED[f"bucket-of-a-twin-{number}"] for number in (1, 2)]
    granted = json.dumps(inline_policy(running_sandbox, twins[0]))
    assert all(f"arn:aws:s3:::{twin.bucket_name}/*" in granted for twin in twins)
    passed = json.dumps(inline_policy(running_sandbox, twins[0], PASS_ROLE_POLICY, CONTROL_PLANE))
    assert all(DRIFTED[f"pass-role-{number}"].role_arn in passed for number in (1, 2))


def test_a_registered_role_is_used_where_the_inventory_names_none(verdicts: Verdicts) -> None:
    """Not the default role, which does not exist in this account."""
    outcome = verdicts.real.outcomes["registered-role"]
    assert outcome["role_arn"] == DRIFTED["registered-role"].role_arn


# --- clouds that share resources ------------------------------------------------------------------


SHARED_BUCKET, SHARED_ROLE = "anyscale-shared-by-many", "shared-ray"
SHARING = {"bucket": SHARED_BUCKET, "bucket_policy": "foreign_reader"}
SHARED = {
    # Two clouds with one role, which the first is seeded with, in one bucket with the others.
    "pair-1": in_sync("pair-1", role=SHARED_ROLE, **{**SHARING, "trust": "lambda_only"}),
    "pair-2": in_sync("pair-2", role=SHARED_ROLE, **{**SHARING, "trust": "", "profile": "missing"}),
    "own-role": in_sync("own-role", role="own-ray", **SHARING),
    # Refused for a step of its own, so that it withdraws what it wants of the bucket.
    "refused": in_sync("refused", role="refused-ray", trust="lambda_only", **SHARING),
    # Denied when its first step is written, after the bucket was planned for all.
    "denied": in_sync("denied", role="denied-ray", **{**SHARING, "trust": "lambda_only"}),
    # Two clouds whose roles cannot both be in one instance profile.
    "either": in_sync("either", role="either-ray", **SHARING),
    "or": in_sync("or", role="or-ray", **SHARING),
}
CONTRADICTION: Json = {"cloud_iam_instance_profile": "either-or"}
CONVERGED = ("pair-1", "pair-2", "own-role")


class Sharing(t.NamedTuple):
    """A run on clouds that share resources, and the bucket's policy before and after it."""

    run: Run
    before: Json
    after: Json
    backups: list[str]


@pytest.fixture(scope="module")
def sharing(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Sharing:
    """In three batches: the bucket is written once in each that has something to add."""
    folder = tmp_path_factory.mktemp("sharing")
    fresh(running_sandbox, SHARED.values())
    own = {
        "refused": {"cloud_iam_quota_chars": 100},
        "either": CONTRADICTION,
        "or": CONTRADICTION,
    }
    inventory = inventory_of(folder, running_sandbox, list(SHARED.values()), own)
    before = t.cast(Json, bucket_policy_of(running_sandbox, SHARED_BUCKET))
    denied = {"resource": "denied-ray", "status": 403, "code": "AccessDenied"}
    running_sandbox.fault("UpdateAssumeRolePolicy", **denied)
    run = run_playbook(running_sandbox, "onboard", inventory, "--diff")
    backups = [path.name for path in (folder / "ansible/anyscale_backups").glob("*.json")]
    after = t.cast(Json, bucket_policy_of(running_sandbox, SHARED_BUCKET))
    return Sharing(run, before, after, backups)


def test_what_clouds_share_is_written_once(sharing: Sharing) -> None:
    """For all of them, with one backup; each cloud is changed for its own reasons."""
    written = [call for call in sharing.run.writes if call["status"] == 200]
    assert [(call["operation"], call["resource"]) for call in written] == [
        ("UpdateAssumeRolePolicy", SHARED_ROLE),
        ("PutBucketPolicy", SHARED_BUCKET),
    ]
    kinds = collections.Counter(name.split(".")[2] for name in sharing.backups)
    assert kinds == {"trust_policy": 1, "bucket_policy": 1}, "none of the denied write"
    assert {name: _verdict(sharing.run.outcomes[name]) for name in CONVERGED} == {
        "pair-1": ("ec2_trust_missing", "access_missing"),
        "pair-2": ("ec2_trust_missing", "access_missing"),
        "own-role": ("access_missing",),
    }


def test_a_refused_cloud_withdraws_what_it_wants(sharing: Sharing) -> None:
    """The bucket gives its role nothing, and the statements of others are kept."""
    assert sharing.after["Statement"][:-1] == sharing.before["Statement"]
    assert sharing.after["Statement"][-1]["Principal"]["AWS"] == sorted(
        {SHARED[name].role_arn for name in CONVERGED}
    )
    assert "quota is 100" in _verdict(sharing.run.outcomes["refused"])
    assert "AccessDenied" in _verdict(sharing.run.outcomes["denied"])


def test_wants_that_contradict_each_other_fail_their_clouds_alone(sharing: Sharing) -> None:
    """Each names the other, and nobody else fails."""
    assert sharing.run.failed() == {"refused", "denied", "either", "or"}
    for name in ("either", "or"):
        message = _verdict(sharing.run.outcomes[name])
        assert "either, or have the same instance profile" in message
        assert "they differ in cloud_iam_role." in message
        assert "Give each of these clouds its own, or the same variables." in message


def test_the_diff_of_a_shared_document_is_displayed_once(sharing: Sharing) -> None:
    """For one cloud; the others name it."""
    documents = {
        name: [diff.get("after_header") or diff["prepared"] for diff in outcome.get("diff", ())]
        for name, outcome in sharing.run.outcomes.items()
    }
    shown_for = " ".join(documents["pair-2"])
    assert shown_for.count("displayed for pair-1") == 2
    assert not any("displayed for" in text for text in documents["pair-1"])
    assert sharing.run.output.count('+      "Sid": "AnyscaleEC2Trust"') == 1
    assert sharing.run.output.count('+      "Sid": "AnyscaleClusterAccess"') == 1


def test_each_write_can_be_traced(sharing: Sharing) -> None:
    """By the request ID and the principal, as CloudTrail has them, for each cloud that it is for."""
    for name in ("pair-1", "pair-2"):
        outcome = sharing.run.outcomes[name]
        assert [write["operation"] for write in outcome["writes"]] == [
            "iam:UpdateAssumeRolePolicy",
            "s3:PutBucketPolicy",
        ]
        assert all(write["request_id"] for write in outcome["writes"])
        assert outcome["principal"].startswith(f"arn:aws:sts::{VISION_ACCOUNT}:assumed-role/")
        assert len(outcome["backup_files"]) == 2


def _nearly_full(bucket: str) -> Json:
    """A policy of others to which a role can be added, but no three roles."""
    document: Json = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{VISION_ACCOUNT}:root"},
                "Action": "s3:GetBucketTagging",
                "Resource": f"arn:aws:s3:::{bucket}",
                "Condition": {"StringEquals": {"aws:PrincipalTag/team": ["x"]}},
            }
        ],
    }
    used = len(json.dumps(document, separators=(",", ":")))
    teams = document["Statement"][0]["Condition"]["StringEquals"]["aws:PrincipalTag/team"]
    teams[0] += "x" * (19_880 - used)
    return document


def test_the_size_is_that_of_all_clouds_of_the_run(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Each cloud alone fits into the policy; all together may not, by a count that S3 makes in a way of
    its own. That is said in check mode too, and before the first ring is written.
    """
    bucket = "anyscale-full"
    clouds = [
        in_sync(name, role=f"{name}-{'x' * 50}", bucket=bucket)
        for name in ("large-1", "large-2", "large-3")
    ]
    other = in_sync("other", bucket_policy="none")
    fresh(running_sandbox, [*clouds, other])
    put_bucket_policy(running_sandbox, bucket, _nearly_full(bucket))
    own = {cloud.name: {"anyscale_ring": cloud.name} for cloud in clouds}
    steps = {"cloud_iam_manage_trust": False, "cloud_iam_manage_compute_config": False}
    inventory = inventory_of(tmp_path, running_sandbox, [*clouds, other], own, **steps)
    rings = (
        '{"onboard_rings": ["large-1", "large-2", "large-3"], "onboard_max_fail_percentage": 100}'
    )
    run = run_playbook(running_sandbox, "onboard", inventory, "--check", "-e", rings)
    warned = {
        name
        for name, outcome in run.outcomes.items()
        if any(_exceeds(warning) for warning in outcome.get("warnings", ()))
    }
    assert warned == {"large-1", "large-3"}, run.output
    alone = run_playbook(
        running_sandbox, "onboard", inventory, "--check", "--limit", "large-2", "-e", rings
    )
    assert not any(map(_exceeds, alone.outcomes["large-2"].get("warnings", ()))), alone.output


def _exceeds(warning: str) -> bool:
    """Whether a warning is of a policy that is longer than S3's limit."""
    found = re.search(r"is (\d+) bytes long", warning)
    return bool(found) and int(found[1]) > 20480


# --- clouds with errors, and clouds that the engine leaves to the role ----------------------------

LOCKED = f"arn:aws:iam::{VISION_ACCOUNT}:role/missing"
# The variables of a cloud that fails, and what its message says.
FAILING: dict[str, tuple[Json, str]] = {
    "no-variable": ({"cloud_iam_bucket": "{{ nowhere }}"}, "'nowhere' is undefined"),
    "no-nested-variable": (
        {"cloud_iam_compute_config_spec": {"head_node": {"instance_type": "{{ nowhere }}"}}},
        "'nowhere' is undefined",
    ),
    "no-bucket": ({"cloud_iam_bucket": None}, "cloud_iam_bucket is not set. Set it, or set"),
    "not-a-number": ({"cloud_iam_quota_chars": "many"}, "cloud_iam_quota_chars"),
    "not-positive": ({"cloud_iam_quota_chars": 0}, "quota_chars is 0. Set"),
    "role-elsewhere": (
        {"cloud_iam_role": f"arn:aws:iam::{SCIENCE_ACCOUNT}:role/r"},
        f"in account {SCIENCE_ACCOUNT}, but cloud_iam_account_id is {VISION_ACCOUNT}",
    ),
    "account-elsewhere": (
        {
            "cloud_iam_account_id": SCIENCE_ACCOUNT,
            "cloud_iam_assume_role_arn": f"arn:aws:iam::{SCIENCE_ACCOUNT}:role/{ONBOARDING_ROLE}",
        },
        f"The account of this cloud is {SCIENCE_ACCOUNT}, but cloud cld_",
    ),
    "no-account": ({"cloud_iam_account_id": "2222"}, "2222"),
    "no-role": ({"cloud_iam_role": "missing"}, "Role missing does not exist"),
    "no-cloud": (
        {"cloud_iam_cloud_id": "cld_unknown", "cloud_iam_compute_config": "new"},
        "cld_unknown",
    ),
    "locked-1": ({"cloud_iam_assume_role_arn": LOCKED}, f"AssumeRole (role {LOCKED}) failed"),
    "locked-2": ({"cloud_iam_assume_role_arn": LOCKED}, f"AssumeRole (role {LOCKED}) failed"),
    "bad-ring": ({"cloud_iam_role": "missing", "anyscale_ring": "{{ nowhere }}"}, "nowhere"),
    "bad-setting": ({"ansible_become": "{{ nowhere }}"}, "'nowhere' is undefined"),
    "by-ssh": (
        {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1},
        "127.0.0.1",
    ),
}
SU = {"ansible_become": True, "ansible_become_method": "ansible.builtin.su"}
# Clouds that tasks of their own converge. Their trust policies lack EC2.
LEFT: dict[str, Json] = {
    "another-user": {**ONE_STEP, **SU},
    "as-a-module": {**ONE_STEP, "anyscale_in_worker": False},
    "by-template": {**ONE_STEP, "anyscale_in_worker": "{{ nope }}", "nope": "no"},
}
TO_ROLE = {*LEFT, "by-ssh"}
NEIGHBOURS = ("good-1", "good-2", "good-3")


@pytest.fixture(scope="module")
def mixed(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on clouds with one error each, and on those of the role, between good ones."""
    names = [*LEFT, NEIGHBOURS[0], *FAILING, *NEIGHBOURS[1:]]
    changes = {
        "no-cloud": {"role": "no-cloud-ray"},
        **{name: {"trust": "lambda_only"} for name in LEFT},
    }
    clouds = [in_sync(name, **changes.get(name, {})) for name in names]
    fresh(running_sandbox, clouds)
    own = {**LEFT, **{name: variables for name, (variables, _message) in FAILING.items()}}
    own["no-cloud"]["cloud_iam_role"] = "no-cloud-ray"
    inventory = inventory_of(tmp_path_factory.mktemp("mixed"), running_sandbox, clouds, own)
    return run_playbook(running_sandbox, "onboard", inventory)


@pytest.mark.core
@pytest.mark.parametrize("name", FAILING)
def test_a_cloud_that_fails_says_why(mixed: Run, name: str) -> None:
    """In its own event and in the summary."""
    outcome = mixed.outcomes[name]
    assert outcome["state"] == "failed"
    assert FAILING[name][1] in outcome["msg"]
    assert f"{name} failed: {outcome['msg']}" in mixed.lines
    assert "Report this as a bug" not in outcome["msg"]


@pytest.mark.core
@pytest.mark.parametrize("name", LEFT)
def test_a_cloud_of_the_role_is_converged_by_its_own_tasks(mixed: Run, name: str) -> None:
    """Which show what they changed, and it is in the summary like the others."""
    [trust] = mixed.tasks_of_role(name)
    assert trust["reasons"] == ["ec2_trust_missing"]
    assert f"{name} changed: ec2_trust_missing" in mixed.lines


@pytest.mark.core
def test_no_failure_keeps_the_good_clouds_from_being_read(mixed: Run) -> None:
    """They are in sync, and no cloud but those of the role has tasks."""
    assert mixed.counts == {
        "selected": len(FAILING) + len(LEFT) + len(NEIGHBOURS),
        "changed": len(LEFT),
        "failed": len(FAILING),
        "not_reached": 0,
        "in_sync": len(NEIGHBOURS),
        "deferred": 0,
        "not_permitted": 0,
    }
    assert mixed.failed() == set(FAILING)
    with_tasks = {name for name in (*FAILING, *LEFT, *NEIGHBOURS) if mixed.tasks_of_role(name)}
    assert with_tasks <= TO_ROLE
    assert mixed.exit_status == 2


def test_an_account_that_cannot_be_assumed_is_asked_once(
    mixed: Run, running_sandbox: Sandbox
) -> None:
    """For all of its clouds."""
    assumed = [call["resource"] for call in running_sandbox.calls()]
    assert assumed.count(LOCKED) == 1
