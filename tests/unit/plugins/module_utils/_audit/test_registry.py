# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All checks together: a cloud with which all is right, one elsewhere, and facts that are refused."""

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
    run_checks,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    GONE,
    REFUSED,
    TRUST,
    Json,
    access,
    facts,
    trusting,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ASSUME,
    TLS_ONLY,
    TRUST_LAMBDA,
)

NAMES = [check.id for check in CHECKS]


def test_all_is_right_with_a_cloud_with_which_all_is_right() -> None:
    found = run_checks(facts())
    assert {one["id"]: one["status"] for one in found} == dict.fromkeys(NAMES, "pass")
    assert [one["id"] for one in found] == NAMES
    assert all(not one["remedy"] and "after" not in one["evidence"] for one in found)
    json.dumps(found)


def test_nothing_applies_to_a_cloud_elsewhere() -> None:
    found = run_checks(facts(elsewhere="k8s-eks is K8S on AWS", role=REFUSED))
    assert {one["status"] for one in found} == {"not_applicable"}
    assert all("k8s-eks is K8S on AWS" in one["reason"] for one in found)


# A fact that is refused, and the checks that are unknown then. All others come to the verdict that
# they come to with it.
HANGS_ON: dict[str, set[str]] = {
    "cloud": set(),
    "resources": {"compute_config_override", "compute_config_arn_kind", "effective_profile"},
    "primary": {"bucket_region"},
    "mappings": {"effective_profile"},
    "cloud_account": {"role_account", "bucket_account"},
    "default_role": set(),
    "role_wanted": {"role_account"},
    "role": set(NAMES)
    - {"instance_profile_exists", "bucket_account", "bucket_region", "bucket_dangling_principals"}
    - {
        "control_plane_get_instance_profile",
        "compute_config_override",
        "compute_config_arn_kind",
        "effective_profile",
    },
    "trust": {"trust_ec2", "trust_anyscale_verify"},
    "identity": {"bucket_deny"},
    "boundary": {"permissions_boundary"},
    "profile_name": {"instance_profile_exists", "instance_profile_role"},
    "profile": {"instance_profile_exists", "instance_profile_role", "compute_config_override"},
    "role_profiles": {"instance_profile_name", "effective_profile"},
    "control_plane_arn": {"control_plane_pass_role", "control_plane_get_instance_profile"},
    "control_plane": {"control_plane_pass_role", "control_plane_get_instance_profile"},
    "registered_bucket": set(),
    "bucket": {"bucket_access", "bucket_deny", "bucket_account", "bucket_region"},
    "bucket_region": {"bucket_region"},
    "bucket_policy": {"bucket_access", "bucket_deny", "bucket_dangling_principals"},
    "bucket_tags": {"document_owner"},
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
    "the trust policy, for the vendor": (
        "trust_anyscale_verify",
        trusting({**TRUST, "Action": [ASSUME]}),
    ),
    "the bucket's policy": ("bucket_access", access(TLS_ONLY)),
}


@pytest.mark.parametrize(("check", "changes"), DOCUMENTS.values(), ids=list(DOCUMENTS))
def test_what_would_be_made_of_it_is_right(check: str, changes: Json) -> None:
    evidence = verdict(check, facts(**changes))["evidence"]
    (name,) = changes
    assert evidence["before"] == changes[name].get()
    assert verdict(check, facts(**{name: Fact(evidence["after"])}))["status"] == "pass"


def test_reasons_are_on_one_line() -> None:
    wanted = RoleReference("two\nlines")
    assert all(
        "\n" not in one["reason"] for one in run_checks(facts(role=GONE, role_wanted=Fact(wanted)))
    )
