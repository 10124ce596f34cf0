# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every layer that may decide which instance profile a node group gets, and every combination of
them: what effective_profile says, which is about all layers, and compute_config_override, which is
about the compute config alone.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import (
    Facts,
    FurtherRole,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.node_profiles import (
    effective_profiles,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import Fact
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    CONFIG,
    OTHER_PROFILE,
    PROFILE,
    PROFILE_NAME,
    REFUSED,
    RESOURCE,
    Json,
    config,
    facts,
    on,
    profile,
    role,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    ROLE_B,
)

DISK: Json = {"BlockDeviceMappings": []}
OURS = {"IamInstanceProfile": {"Arn": PROFILE}}
OTHERS = {"IamInstanceProfile": {"Arn": OTHER_PROFILE}}
B_NAME = ROLE_B.rpartition("/")[2]
B_PROFILE = f"arn:aws:iam::{ACCOUNT}:instance-profile/{B_NAME}"
# The cloud's own role is another one, so that only the compute config leads to the role.
OTHER_DEFAULT = on(cluster_iam_role_id=ROLE_B)
NAMED = config(PROFILE)
UNNAMED = config(None)
WRONG = config(OTHER_PROFILE)


def flavors(**configs: Json) -> Json:
    """Flavors of the scheduler, each with an instance configuration."""
    return {
        "scheduler_flavors": Fact({name: [one] if one else [] for name, one in configs.items()})
    }


def rules(*values: t.Any, fallback: str = "CLOUD_DEFAULT", resource: str = RESOURCE) -> Json:
    """A Cloud IAM mapping with rules of these values."""
    found = [{"selector": f"project=p{index}", "value": one} for index, one in enumerate(values)]
    return {"mappings": Fact([{"resource": resource, "rules": found, "fallback_rule": fallback}])}


def in_pool(*templates: Json, name: str = "h100", pools: Json | None = None) -> Json:
    """A group of workers of a machine pool, which has these launch templates."""
    worker = {"flags": {"cloud_deployment": {"machine_pool": name}}}
    return {
        **config(PROFILE, worker),
        "machine_pools": Fact({"h100": list(templates)} if pools is None else pools),
    }


def further(is_wanted: bool = True) -> Json:
    """A further role, which has an instance profile of its name."""
    of_role = {
        "role": Fact(role(Arn=ROLE_B, RoleName=B_NAME)),
        "role_wanted": Fact(parse_role(ROLE_B)),
        "role_profiles": Fact([profile(B_PROFILE, ROLE_B)]),
        "profile_name": Fact(B_NAME),
        "profile": Fact(profile(B_PROFILE, ROLE_B)),
    }
    return {"further_roles": (FurtherRole(B_NAME, ("a test",), is_wanted, of_role),)}


def with_group(arn: str | None = None, **changes: t.Any) -> Json:
    """A group of workers that names its own profile, and options of the operator."""
    own = {"advanced_configurations_json": {"IamInstanceProfile": {"Arn": arn}}} if arn else None
    return {**config(PROFILE, own), **changes}


GROUP_ROLE: Json = {"group_roles": {"cpu": parse_role(ROLE_B)}, **further()}

# What is the case, what effective_profile says with words of it, and what compute_config_override
# says.
LAYERS: dict[str, tuple[Json, str, str, str]] = {
    # --- the scheduler ---
    "a flavor without an instance configuration": (flavors(spot={}), "pass", "", "pass"),
    "a flavor with the same profile": (flavors(gpu=OURS), "pass", "", "pass"),
    "a flavor with another profile that holds the role": (
        {
            **flavors(gpu=OTHERS),
            "role_profiles": Fact([profile(PROFILE), profile(OTHER_PROFILE)]),
        },
        "pass",
        "",
        "pass",
    ),
    "a flavor with another profile": (
        flavors(gpu=OTHERS),
        "unknown",
        f"{OTHER_PROFILE} (from scheduler flavor gpu) may take its place",
        "pass",
    ),
    "a flavor with another profile, by name": (
        flavors(gpu={"IamInstanceProfile": {"Name": "x"}}),
        "unknown",
        "x (from scheduler flavor gpu)",
        "pass",
    ),
    "a flavor that may hide the profile, of a cloud with the role": (
        flavors(reserved=DISK),
        "pass",
        "",
        "pass",
    ),
    "a flavor that may hide the profile, of a cloud with another role": (
        {**flavors(reserved=DISK), **OTHER_DEFAULT},
        "unknown",
        f"{B_PROFILE} (from scheduler flavor reserved)",
        "pass",
    ),
    "a flavor with the profile, and a compute config with another": (
        {**flavors(gpu=OURS), **WRONG},
        "unknown",
        f"it is {OTHER_PROFILE} (from the compute config)",
        "fail",
    ),
    "a flavor with another profile, and a compute config with another": (
        {**flavors(gpu=OTHERS), **WRONG},
        "fail",
        "does not hold the role",
        "fail",
    ),
    "a flavor with another profile, and none in the compute config": (
        {**flavors(gpu=OTHERS), **UNNAMED},
        "unknown",
        "(by the name of the default role), but",
        "fail",
    ),
    "a flavor with another profile, and no compute config": (
        {**flavors(gpu=OTHERS), "compute_configs": {}},
        "unknown",
        "from scheduler flavor gpu",
        "not_applicable",
    ),
    "one of two flavors with another profile": (
        flavors(cpu=OURS, gpu=OTHERS),
        "unknown",
        "from scheduler flavor gpu",
        "pass",
    ),
    "the scheduler is refused": ({"scheduler_flavors": REFUSED}, "unknown", "refused", "pass"),
    "the scheduler is refused, and the compute config has another profile": (
        {"scheduler_flavors": REFUSED, **WRONG},
        "fail",
        OTHER_PROFILE,
        "fail",
    ),
    "the scheduler is refused, and the compute config has none": (
        {"scheduler_flavors": REFUSED, **UNNAMED},
        "unknown",
        "refused",
        "fail",
    ),
    # --- machine pools ---
    "a pool with the same profile, of a cloud with the role": (in_pool(OURS), "pass", "", "pass"),
    "a pool with the same profile, of a cloud with another role": (
        {**in_pool(OURS), **OTHER_DEFAULT},
        "unknown",
        f"node groups cpu run with. By the documented order it is {PROFILE} (from the compute config), but "
        f"{B_PROFILE} (from machine pool h100)",
        "pass",
    ),
    "a pool without a profile, of a cloud with the role": (in_pool(), "pass", "", "pass"),
    "a pool with another profile": (in_pool(OTHERS), "unknown", "from machine pool h100", "pass"),
    "a pool that is not listed": (
        in_pool(pools={}),
        "unknown",
        "an unknown one (from machine pool h100)",
        "pass",
    ),
    "the pools are refused": (
        {**in_pool(), "machine_pools": REFUSED},
        "unknown",
        "refused",
        "pass",
    ),
    "a pool with another profile, which no node group names": (
        {"machine_pools": Fact({"h100": [OTHERS]})},
        "pass",
        "",
        "pass",
    ),
    # --- Cloud IAM mapping ---
    "rules that name the role": (
        rules(PROFILE_NAME, PROFILE_NAME),
        "pass",
        "So do workloads that match a rule",
        "pass",
    ),
    "rules that name another role": (
        rules(B_NAME),
        "warn",
        f"{B_PROFILE} (from Cloud IAM mapping project=p0) to workloads",
        "pass",
    ),
    "rules that name another role, which the operator wants": (
        {**rules(PROFILE_NAME, B_NAME), **further()},
        "pass",
        f"run with {B_PROFILE} (from Cloud IAM mapping project=p1), as is wanted",
        "pass",
    ),
    "rules that name another role, which only they name": (
        {**rules(B_NAME), **further(is_wanted=False)},
        "warn",
        B_PROFILE,
        "pass",
    ),
    "rules that name an ARN": (
        rules(PROFILE),
        "warn",
        "an unknown one (from Cloud IAM mapping project=p0)",
        "pass",
    ),
    "rules that name nothing": (rules(None), "warn", "an unknown one", "pass"),
    "rules of another resource": (rules(B_NAME, resource="vm-east"), "pass", "", "pass"),
    "rules that name the role, and another profile otherwise": (
        {**rules(PROFILE_NAME), **WRONG},
        "fail",
        OTHER_PROFILE,
        "fail",
    ),
    "rules that name the role, and nothing else starts": (
        {**rules(PROFILE_NAME, fallback="FAIL"), **WRONG},
        "pass",
        "",
        "warn",
    ),
    "rules that name another role, and nothing else starts": (
        rules(B_NAME, fallback="FAIL"),
        "fail",
        "No cluster runs with the role",
        "pass",
    ),
    "rules that name both, and nothing else starts": (
        rules(B_NAME, PROFILE_NAME, fallback="FAIL"),
        "warn",
        B_PROFILE,
        "pass",
    ),
    "rules that name a wanted role, and nothing else starts": (
        {**rules(B_NAME, fallback="FAIL"), **further()},
        "pass",
        "as is wanted",
        "pass",
    ),
    "rules that name the role, nothing else starts, and no compute config": (
        {**rules(PROFILE_NAME, fallback="FAIL"), "compute_configs": {}},
        "pass",
        "decides the role of every cluster",
        "not_applicable",
    ),
    "rules that name the role, nothing else starts, and a flavor with another": (
        {**rules(PROFILE_NAME, fallback="FAIL"), **flavors(gpu=OTHERS)},
        "unknown",
        "from scheduler flavor gpu",
        "pass",
    ),
    "rules that name another role, and none in the compute config": (
        {**rules(B_NAME), **UNNAMED},
        "warn",
        B_PROFILE,
        "warn",
    ),
    "the mapping is refused, and the compute config has none": (
        {"mappings": REFUSED, **UNNAMED},
        "unknown",
        "refused",
        "warn",
    ),
    # --- node groups with roles of their own ---
    "a group with another profile": (with_group(OTHER_PROFILE), "fail", OTHER_PROFILE, "fail"),
    "a group with another profile, which is kept": (
        with_group(OTHER_PROFILE, node_groups="keep"),
        "pass",
        f"but for node groups cpu, which keep {OTHER_PROFILE} (from the compute config)",
        "pass",
    ),
    "another profile of the cluster, which is not kept": (
        {**WRONG, "node_groups": "keep"},
        "fail",
        OTHER_PROFILE,
        "fail",
    ),
    "a group with a role of its own": (
        with_group(B_PROFILE, **GROUP_ROLE),
        "pass",
        "every node group runs with its role",
        "pass",
    ),
    "a group that inherits, and is to have a role of its own": (
        with_group(None, **GROUP_ROLE),
        "fail",
        f"node groups cpu run with {PROFILE} (from the compute config), which does not hold {ROLE_B}",
        "fail",
    ),
    "a group that names another, and is to have a role of its own": (
        with_group(OTHER_PROFILE, **GROUP_ROLE, node_groups="keep"),
        "fail",
        ROLE_B,
        "fail",
    ),
    "a group with a role of its own, and a flavor with the cloud's": (
        {**with_group(B_PROFILE, **GROUP_ROLE), **flavors(gpu=OURS)},
        "unknown",
        "node groups cpu run with",
        "pass",
    ),
    "a role for a group that there is not": (
        {**NAMED, **further(), "group_roles": {"gpu": parse_role(ROLE_B)}},
        "pass",
        "",
        "unknown",
    ),
}


@pytest.mark.parametrize(
    ("changes", "effective", "words", "override"), LAYERS.values(), ids=LAYERS.keys()
)
def test_layers(changes: Json, effective: str, words: str, override: str) -> None:
    found = facts(**changes)
    said = verdict("effective_profile", found)
    assert said["status"] == effective, said["reason"]
    assert words in said["reason"]
    of_config = verdict("compute_config_override", found)
    assert of_config["status"] == override, of_config["reason"]


def test_many_long_rules_are_summed_up() -> None:
    long = [{"selector": "project=" + "x" * 5000, "value": f"role-{n}"} for n in range(500)]
    found = facts(mappings=Fact([{"resource": RESOURCE, "rules": long}]))
    reason = verdict("effective_profile", found)["reason"]
    assert "and 495 more" in reason
    assert len(reason) < 2000


def test_a_group_is_shown_with_all_that_may_decide() -> None:
    found: Facts = facts(**rules(B_NAME), **flavors(gpu=OTHERS))
    head = effective_profiles(found, CONFIG)[0].as_json()
    assert head == {
        "deployment": RESOURCE,
        "node_group": "head_node",
        "instance_profile_arn": PROFILE,
        "decided_by": "compute_config",
        "alternatives": [
            {
                "instance_profile_arn": B_PROFILE,
                "decided_by": "iam_mapping",
                "layer": "project=p0",
            },
            {
                "instance_profile_arn": OTHER_PROFILE,
                "decided_by": "scheduler_flavor",
                "layer": "gpu",
            },
        ],
    }
