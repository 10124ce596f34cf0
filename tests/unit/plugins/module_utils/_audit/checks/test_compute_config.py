# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of compute configs: which profile each node group ends up with."""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import (
    DefaultRole,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    CONFIG,
    GONE,
    NO_PROFILE,
    OTHER_PROFILE,
    PROFILE,
    PROFILE_NAME,
    REFUSED,
    RESOURCE,
    Json,
    Row,
    assert_verdict,
    checks_of,
    config,
    facts,
    on,
    profile,
    resource,
    rows_of,
    template,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    OTHER_ACCOUNT,
    ROLE,
    ROLE_B,
)

DISK: Json = {"advanced_configurations_json": {"BlockDeviceMappings": []}}


def automatic(**cluster: Json) -> Json:
    """A compute config whose head has the profile and whose workers Anyscale selects, on a cloud
    with another role.
    """
    head = {
        "instance_type": "m5.large",
        "advanced_configurations_json": {"IamInstanceProfile": {"Arn": PROFILE}},
    }
    return {
        **config(config={"head_node_type": head, "auto_select_worker_config": True, **cluster}),
        **on(cluster_iam_role_id=ROLE_B),
    }


# By check: what is the case, the facts that differ, the status, and words of the reason.
TABLE: dict[str, dict[str, Row]] = {
    "compute_config_override": {
        "no compute config of that name": (
            {"compute_configs": {CONFIG: GONE}},
            "fail",
            "no compute config of that name",
        ),
        "archived": (config(archived_at="2026-01-01T00:00:00Z"), "fail", "archived"),
        "another profile": (config(OTHER_PROFILE), "fail", "(it names another one)"),
        "the role's ARN": (config(ROLE), "fail", "(it names one by the wrong kind of ARN)"),
        "the role's ARN, as wanted": ({**config(ROLE), "arn_kind": "role"}, "pass", ROLE),
        "no profile": (config(None), "warn", "run with the role nevertheless"),
        "hidden from a worker group": (
            config(PROFILE, DISK),
            "warn",
            "(a node group with its own instance configuration hides it)",
        ),
        "hidden from a worker group of a cloud with another default": (
            {**config(PROFILE, DISK), **on(cluster_iam_role_id=ROLE_B)},
            "fail",
            "(a node group with its own instance configuration hides it)",
        ),
        "two primary resources": (
            {"resources": Fact([resource(name="a"), resource(name="b")])},
            "unknown",
            "2 primary resources",
        ),
        "of an unknown shape": (
            config(config={"deployment_configs": [None]}),
            "unknown",
            "deployment_configs[0] is None",
        ),
        "missing for workers that Anyscale selects": (automatic(), "fail", "it names none)"),
        "one of two that is wrong": (
            {"compute_configs": {"a": Fact(template()), "b": Fact(template(OTHER_PROFILE))}},
            "fail",
            "b:3",
        ),
        "one of two that is refused": (
            {"compute_configs": {"a": Fact(template()), "b": REFUSED}},
            "unknown",
            "refused",
        ),
        "none was named": (
            {"compute_configs": {}},
            "not_applicable",
            "No compute config was named",
        ),
        "a resource of Kubernetes": (
            {"resources": Fact([resource(compute_stack="K8S")])},
            "not_applicable",
            "K8S",
        ),
    },
    "compute_config_arn_kind": {
        "the role's ARN": (
            config(ROLE),
            "fail",
            "node groups cpu, head_node should have the ARN of an instance profile",
        ),
        "the role's ARN, as wanted": ({**config(ROLE), "arn_kind": "role"}, "pass", "a role"),
        "a name": (config({"Name": PROFILE_NAME}), "fail", PROFILE_NAME),
        "the ARN of another profile": (config(OTHER_PROFILE), "pass", ""),
        "no profile": (config(None), "not_applicable", "names no instance profile"),
        "no such compute config": (
            {"compute_configs": {CONFIG: GONE}},
            "not_applicable",
            "has no compute config of that name",
        ),
    },
    "effective_profile": {
        "no such compute config": (
            {"compute_configs": {CONFIG: GONE}},
            "not_applicable",
            "has no compute config of that name",
        ),
        "another profile": (
            config(OTHER_PROFILE),
            "fail",
            f"{OTHER_PROFILE} (from the compute config)",
        ),
        "another profile that holds the role": (
            {**config(OTHER_PROFILE), "role_profiles": Fact([profile(OTHER_PROFILE, ROLE)])},
            "pass",
            "every node group",
        ),
        "the role's ARN": (config(ROLE), "warn", "only if Anyscale accepts"),
        "the role's ARN, as wanted": ({**config(ROLE), "arn_kind": "role"}, "pass", ""),
        "a profile of this name in another account": (
            config(PROFILE.replace(ACCOUNT, OTHER_ACCOUNT)),
            "fail",
            OTHER_ACCOUNT,
        ),
        "a profile in another path": (
            config(PROFILE.replace("profile/", "profile/ray/")),
            "pass",
            "",
        ),
        "no profile, so the one named like the role": (config(None), "pass", ""),
        "no profile, but one of the cloud's": (
            {**config(None), **on(cluster_instance_profile_id=OTHER_PROFILE)},
            "fail",
            "(the default of the cloud)",
        ),
        "no profile, and a cloud with another role": (
            {**config(None), **on(cluster_iam_role_id=ROLE_B)},
            "fail",
            "ray-team-b (by the name of the default role)",
        ),
        "no profile, and Anyscale's default role": (
            {
                **config(None),
                **on(cluster_iam_role_id=None),
                "default_role": Fact(DefaultRole(ROLE_B, "convention")),
            },
            "fail",
            "ray-team-b (by the name of the default role)",
        ),
        "hidden from a worker group of a cloud with another role": (
            {**config(PROFILE, DISK), **on(cluster_iam_role_id=ROLE_B)},
            "fail",
            "node groups cpu run with",
        ),
        "workers that Anyscale selects, of a cloud with another role": (
            automatic(),
            "fail",
            "node groups automatic workers run with",
        ),
        "workers that Anyscale selects, with the cluster's profile": (
            automatic(advanced_configurations_json={"IamInstanceProfile": {"Arn": PROFILE}}),
            "pass",
            "every node group",
        ),
        "a profile that is missing": (
            {**config(None), **NO_PROFILE},
            "fail",
            "(by the name of the default role)",
        ),
        "a mapping": (
            {
                "mappings": Fact(
                    [{"resource": RESOURCE, "rules": [{"selector": "project=a", "value": "b"}]}]
                )
            },
            "warn",
            "Cloud IAM mapping",
        ),
        "a mapping that is refused": ({"mappings": REFUSED}, "unknown", "refused"),
        "a mapping that is refused, and another profile": (
            {"mappings": REFUSED, **config(OTHER_PROFILE)},
            "fail",
            "",
        ),
        "a mapping, and a compute config that is refused": (
            {"mappings": Fact([{"rules": [{}]}]), "compute_configs": {CONFIG: REFUSED}},
            "unknown",
            "",
        ),
        "of an unknown shape": (
            config(config={"worker_node_types": [None]}),
            "unknown",
            "worker_node_types[0] is None",
        ),
        "none was named, and the role is the default": (
            {"compute_configs": {}},
            "pass",
            "whose compute config names no instance profile",
        ),
        "none was named, and the role is not the default": (
            {"compute_configs": {}, **on(cluster_iam_role_id=ROLE_B)},
            "warn",
            "does not hold",
        ),
        "two primary resources": (
            {"resources": Fact([resource(name="a"), resource(name="b")])},
            "unknown",
            "2 primary resources",
        ),
    },
}
ROWS = rows_of(TABLE)


@pytest.mark.parametrize(("check", "changes", "status", "words"), ROWS.values(), ids=list(ROWS))
def test_verdicts(check: str, changes: Json, status: str, words: str) -> None:
    assert_verdict(check, changes, status, words)


def test_each_check_has_rows() -> None:
    assert set(TABLE) == checks_of("compute_config") | checks_of("effective_profile")


def test_what_would_be_made_of_a_compute_config() -> None:
    evidence = verdict("compute_config_override", facts(**config(OTHER_PROFILE)))["evidence"]
    before, after = (
        evidence[side][CONFIG]["deployment_configs"][0] for side in ("before", "after")
    )
    assert before["advanced_configurations_json"]["IamInstanceProfile"] == {"Arn": OTHER_PROFILE}
    assert after["advanced_configurations_json"]["IamInstanceProfile"] == {"Arn": PROFILE}
    assert evidence["compute_configs"][CONFIG]["reasons"] == ["profile_differs"]
