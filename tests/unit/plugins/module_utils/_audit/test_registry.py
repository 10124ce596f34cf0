# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks together: a cloud in sync, one elsewhere, and facts that are refused."""

from __future__ import annotations

import dataclasses
import json

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import (
    Facts,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import (
    CHECKS,
    Check,
    run_checks,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.wanted_bucket import (
    wanted_access,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    bucket_policy_plan,
    compute_config_observed,
    compute_config_plan,
    instance_profile_plan,
    trust_policy_plan,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    ACCESS,
    CLOUD_ID,
    CONFIG,
    GONE,
    NO_PROFILE,
    OTHER_PROFILE,
    PROFILE,
    PROFILE_NAME,
    REFUSED,
    TRUST,
    Json,
    access,
    config,
    facts,
    profile,
    template,
    trusting,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ASSUME,
    FORMER_ID,
    ROLE,
    TLS_ONLY,
    TRUST_LAMBDA,
)

NAMES = [check.id for check in CHECKS]


def test_every_check_passes_for_a_cloud_in_sync() -> None:
    found = run_checks(facts())
    assert {one["id"]: one["status"] for one in found} == dict.fromkeys(NAMES, "pass")
    assert [one["id"] for one in found] == NAMES
    assert all(not one["remedy"] and "after" not in one["evidence"] for one in found)
    json.dumps(found)


def test_nothing_applies_to_a_cloud_elsewhere() -> None:
    found = run_checks(facts(elsewhere="k8s-eks is K8S on AWS", role=REFUSED))
    assert {one["status"] for one in found} == {"not_applicable"}
    assert all("k8s-eks is K8S on AWS" in one["reason"] for one in found)


# A fact that is refused, and the checks that are unknown then. All others have the verdict that
# they have with it.
BY_PLANE = {
    "control_plane_pass_role",
    "control_plane_get_instance_profile",
    "control_plane_pass_role_width",
    "control_plane_instances",
    "control_plane_services",
}
HANGS_ON: dict[str, set[str]] = {
    "cloud": set(),
    "resources": {
        "compute_config_override",
        "compute_config_arn_kind",
        "effective_profile",
        "launches_use_the_config",
    },
    "primary": {"bucket_region", "control_plane_trust"},
    "mappings": {"effective_profile", "launches_use_the_config"},
    "scheduler_flavors": {"effective_profile", "launches_use_the_config"},
    "machine_pools": set(),
    "cloud_account": {"role_account", "bucket_account"},
    "default_role": set(),
    "role_wanted": {"role_account"},
    "role": set(NAMES)
    - {
        "authority",
        "instance_profile_exists",
        "bucket_account",
        "bucket_region",
        "bucket_cors",
        "bucket_key",
        "bucket_dangling_principals",
    }
    - {
        "control_plane_trust",
        "control_plane_pass_role_width",
        "control_plane_instances",
        "control_plane_services",
        "control_plane_get_instance_profile",
        "compute_config_override",
        "compute_config_arn_kind",
        "effective_profile",
        "launches_use_the_config",
        "instances_run_with_the_role",
    },
    "trust": {"trust_ec2", "trust_anyscale_verify"},
    "identity": {"container_registry_access", "bucket_deny"},
    "boundary": {"permissions_boundary"},
    "profile_name": {"instance_profile_exists", "instance_profile_role"},
    "profile": {"instance_profile_exists", "instance_profile_role", "compute_config_override"},
    "role_profiles": {
        "instance_profile_name",
        "effective_profile",
        "launches_use_the_config",
        "instances_run_with_the_role",
    },
    "control_plane_arn": {"control_plane_trust", "control_plane_bucket_access", *BY_PLANE},
    "control_plane_role": {"control_plane_trust", "control_plane_bucket_access"},
    "control_plane_trust": {"control_plane_trust"},
    "control_plane": {"control_plane_bucket_access", *BY_PLANE},
    "registered_bucket": set(),
    "bucket": {
        *("bucket_access", "control_plane_bucket_access", "bucket_deny"),
        *("bucket_account", "bucket_region", "bucket_cors", "bucket_key"),
    },
    "bucket_region": {"bucket_region"},
    "bucket_policy": {
        *("bucket_access", "control_plane_bucket_access"),
        *("bucket_deny", "bucket_dangling_principals"),
    },
    "bucket_tags": {"document_owner"},
    "bucket_cors": {"bucket_cors"},
    "bucket_key": {"bucket_key"},
    "key_policy": set(),  # but with a key
    "key_grants": set(),
    "principals": set(),
}


def test_each_fact_is_in_the_table() -> None:
    kinds = {
        field.name for field in dataclasses.fields(Facts) if str(field.type).startswith("Fact[")
    }
    assert set(HANGS_ON) == kinds


@pytest.mark.parametrize(("name", "unknown"), HANGS_ON.items(), ids=list(HANGS_ON))
def test_a_fact_that_is_refused(name: str, unknown: set[str]) -> None:
    found = {one["id"]: one for one in run_checks(facts(**{name: REFUSED}))}
    assert {check for check, one in found.items() if one["status"] == "unknown"} == unknown
    assert {one["status"] for check, one in found.items() if check not in unknown} <= {"pass"}
    shown = [
        one["evidence"].get("missing_permission")
        for check, one in found.items()
        if check in unknown and "compute_configs" not in one["evidence"]
    ]
    assert set(shown) <= {"iam:Anything"}


# A check that differs, and where the documents are in its evidence.
DOCUMENTS: dict[str, tuple[str, Json]] = {
    "the trust policy": ("trust_ec2", trusting(TRUST_LAMBDA)),
    "the trust policy, for Anyscale": (
        "trust_anyscale_verify",
        trusting({**TRUST, "Action": [ASSUME]}),
    ),
    "the bucket's policy": ("bucket_access", access(TLS_ONLY)),
}


@pytest.mark.parametrize(("check", "changes"), DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_the_proposed_document_is_in_sync(check: str, changes: Json) -> None:
    evidence = verdict(check, facts(**changes))["evidence"]
    (name,) = changes
    assert evidence["before"] == changes[name].get()
    assert verdict(check, facts(**{name: Fact(evidence["after"])}))["status"] == "pass"


def test_reasons_are_on_one_line() -> None:
    wanted = RoleReference("two\nlines")
    assert all(
        "\n" not in one["reason"] for one in run_checks(facts(role=GONE, role_wanted=Fact(wanted)))
    )


# --- titles and reason codes ----------------------------------------------------------------------


@pytest.mark.parametrize("check", CHECKS, ids=NAMES)
def test_titles(check: Check) -> None:
    """Each is a sentence that is true for the status, and is not said of another status."""
    assert check.title_of("pass") == check.title_of("not_applicable") == check.title
    assert check.title_of("fail") == check.title_of("warn") == check.failing_title != check.title
    assert all(
        title[0].isupper() and title[-1] != "." for title in (check.title, check.failing_title)
    )


def test_an_outcome_has_the_title_for_its_status() -> None:
    """Where the check is unknown, a name keeps its capital."""
    denied = {one["id"]: one["title"] for one in run_checks(facts(**trusting(TRUST_LAMBDA)))}
    assert denied["trust_ec2"] == "EC2 cannot assume the role, or only under a condition"
    assert denied["bucket_access"] == "The role has access to the bucket"
    unread = {one["id"]: one["title"] for one in run_checks(facts(role=REFUSED))}
    assert unread["trust_ec2"] == "It is unknown whether EC2 can assume the role"
    assert (
        unread["instance_profile_role"]
        == "It is unknown whether the instance profile holds the role"
    )


OURS = {**TRUST, "Sid": "AnyscaleEC2Trust"}
CONDITION = {"Condition": {"Bool": {"a:b": "true"}}}
DISK = {"advanced_configurations_json": {"BlockDeviceMappings": []}}
GPU = {"advanced_configurations_json": {"IamInstanceProfile": {"Arn": OTHER_PROFILE}}}
FORMER = {**ACCESS, "Principal": {"AWS": [ROLE, FORMER_ID]}}
# By module and reason code: the facts for which the module has the code.
DRIFT: dict[tuple[str, str], Json] = {
    ("iam_trust_ec2", "ec2_trust_missing"): trusting(TRUST_LAMBDA),
    ("iam_trust_ec2", "ec2_trust_conditional"): trusting({**TRUST, **CONDITION}),
    ("iam_trust_ec2", "action_not_a_string"): trusting({**TRUST, "Action": [ASSUME]}),
    ("iam_trust_ec2", "statement_differs"): trusting({**OURS, **CONDITION}),
    ("s3_cloud_access", "access_missing"): access(TLS_ONLY),
    ("s3_cloud_access", "statement_differs"): access({**ACCESS, "Action": ACCESS["Action"][1:]}),
    ("s3_cloud_access", "duplicate_statement"): access(ACCESS, ACCESS),
    ("s3_cloud_access", "dangling_principal"): access(FORMER),
    ("s3_cloud_access", "dangling_principal_in_other_statement"): access(
        ACCESS, {**FORMER, "Sid": "Team"}
    ),
    ("compute_config_profile", "instance_profile_missing"): {**NO_PROFILE},
    ("compute_config_profile", "instance_profile_without_role"): {
        "profile": Fact(profile(PROFILE))
    },
    ("compute_config_profile", "compute_config_missing"): {"compute_configs": {CONFIG: GONE}},
    ("compute_config_profile", "compute_config_archived"): {
        "compute_configs": {CONFIG: Fact(template(archived_at="2026-11-01T00:00:00Z"))}
    },
    ("compute_config_profile", "profile_missing"): config(None),
    ("compute_config_profile", "profile_differs"): config(OTHER_PROFILE),
    ("compute_config_profile", "profile_by_name"): config({"Name": PROFILE_NAME}),
    ("compute_config_profile", "wrong_arn_kind"): config(ROLE),
    ("compute_config_profile", "node_group_hides_profile"): config(PROFILE, DISK),
    ("compute_config_profile", "node_group_profile_differs"): config(PROFILE, GPU),
}


def reasons_of(found: Facts) -> set[tuple[str, str]]:
    """The reason codes with which each module would change what is there, with the module."""
    live = found.compute_configs[CONFIG].get()
    observed = compute_config_observed.Observed(
        CONFIG, CLOUD_ID, live, found.resources.get(), template()["config"]
    )
    plans = {
        "iam_trust_ec2": [
            trust_policy_plan.decide(found.trust.get(), trust_policy_plan.Wanted()),
        ],
        "s3_cloud_access": [
            bucket_policy_plan.decide(
                found.bucket_policy.get(), dataclasses.replace(wanted_access(found), prune=True)
            ),
        ],
        "compute_config_profile": [
            instance_profile_plan.decide(
                found.profile.get(), PROFILE_NAME, found.role_wanted.get(), ROLE, may_create=True
            ),
            compute_config_plan.decide(observed, compute_config_plan.Wanted(PROFILE)),
        ],
    }
    return {
        (module, code) for module, made in plans.items() for plan in made for code in plan.reasons
    }


@pytest.mark.parametrize(("problem", "changes"), DRIFT.items(), ids=list(map(" ".join, DRIFT)))
def test_what_a_module_would_change_is_reported_by_a_check_with_its_reason_codes(
    problem: tuple[str, str], changes: Json
) -> None:
    found = facts(**changes)
    reported = {
        (check.module, code)
        for check, outcome in zip(CHECKS, run_checks(found), strict=True)
        if outcome["status"] in ("fail", "warn")
        for code in check.reasons
    }
    assert problem in reasons_of(found)
    assert reasons_of(found) <= reported


def test_each_reason_code_of_a_check_is_in_the_table() -> None:
    assert set(DRIFT) == {(check.module, code) for check in CHECKS for code in check.reasons}
    assert reasons_of(facts()) == set()
