# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What still runs with a role that a cloud is to lose, and what cannot be told."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
    not_applicable,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.role_use import (
    as_offboarded,
    in_use,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    OTHER_PROFILE,
    PROFILE,
    PROFILE_NAME,
    REFUSED,
    Json,
    facts,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.running_builder import (
    MAPPED,
    OWN_ROLE,
    instances,
    launched,
    mapped,
    running,
)

NOTHING: Fact[t.Any] = Fact(obstacle=not_applicable("The cloud does not run on AWS."))

# By case: the facts that differ, what runs with the role, and words of why there may be more.
TABLE: dict[str, tuple[Json, str, str]] = {
    "nothing": (launched(), "", ""),
    "a launch with the role": (launched("cpt_1"), "1 launch (cluster cluster-0)", ""),
    "an older version with the role": (
        launched("cpt_old_right"),
        "1 launch (cluster cluster-0)",
        "",
    ),
    "another role": (launched("cpt_own"), "", ""),
    "one node group with the role, and one with another": (
        launched("cpt_worker"),
        "1 launch (cluster cluster-0)",
        "",
    ),
    "a launch of which it cannot be told": (launched("cpt_gone"), "", "does not exist any more"),
    "Cloud IAM mapping that gives some workloads another role": (
        {**launched("cpt_1"), **MAPPED},
        "",
        "depends on the workload",
    ),
    "Cloud IAM mapping that may give it the role": (
        {**launched("cpt_own"), **mapped(PROFILE_NAME)},
        "",
        "depends on the workload",
    ),
    "a node group with a further role of the cloud": (
        {**launched("cpt_own"), **OWN_ROLE},
        "1 launch (cluster cluster-0)",
        "",
    ),
    "launches that are refused": (running(launches=REFUSED), "", "It was refused"),
    "more launches than were read": (
        launched("cpt_1", truncated=("cluster",)),
        "1 launch (cluster cluster-0)",
        "more launches of kind cluster",
    ),
    "instances with the role and without": (
        instances(PROFILE, OTHER_PROFILE, PROFILE, None),
        "2 instances (2 in us-west-2)",
        "",
    ),
    "instances that are refused": (running(instances=REFUSED), "", "It was refused"),
    "profiles of the role that are refused": (
        {**instances(PROFILE), "role_profiles": REFUSED},
        "",
        "It was refused",
    ),
    "a cloud elsewhere": (running(launches=NOTHING, instances=NOTHING), "", ""),
}


@pytest.mark.parametrize(("changes", "used", "words"), TABLE.values(), ids=TABLE)
def test_role_in_use(changes: Json, used: str, words: str) -> None:
    found = in_use(facts(**changes))
    assert found.running == used
    assert words in found.unknown
    assert bool(found.unknown) == bool(words)


RULES = [{"selector": f"project=p{number}", "role": f"ray-{number}"} for number in range(60)]
MAPPED_TO: Json = {"assign": "iam_mapping", "mapping_rules": RULES[:2]}
# By case: the variables of a cloud, and the roles that it is to lose, the first of all clusters.
LOST: dict[str, tuple[Json, list[str]]] = {
    "its own": ({"role": "ray"}, ["ray"]),
    "the registered one": ({}, [""]),
    "those of node groups": (
        {"role": "ray", "node_group_roles": {"gpu": "ray-gpu", "cpu": "ray"}},
        ["ray", "ray-gpu"],
    ),
    "those of rules, not the cloud's own": ({"role": "ray", **MAPPED_TO}, ["ray-0", "ray-1"]),
    "those of rules, of which one is for the cloud's own": (
        {"role": "ray-0", **MAPPED_TO},
        ["ray-1"],
    ),
    "none, where the only rule is for the cloud's own": (
        {"role": "ray-0", **MAPPED_TO, "mapping_rules": RULES[:1]},
        [],
    ),
    "its own, which a rule gives all clusters": ({"role": "ray", "assign": "iam_mapping"}, ["ray"]),
    "those of very many rules": (
        {"assign": "iam_mapping", "mapping_rules": RULES},
        [f"ray-{number}" for number in range(50)],
    ),
    "those of very many node groups": (
        {"role": "ray", "node_group_roles": {rule["role"]: rule["role"] for rule in RULES}},
        ["ray", *(f"ray-{number}" for number in range(50))],
    ),
}


@pytest.mark.parametrize("case", LOST)
def test_the_roles_that_a_cloud_is_to_lose(case: str) -> None:
    """Of which something may run with each."""
    variables, roles = LOST[case]
    found = as_offboarded(CloudSettings("123456789012", **variables))
    if found is None:
        assert roles == []
        return
    groups = (found["node_group_roles"] or {}).values()
    named = [found["role"] or "", *groups, *(found["further_roles"] or ())]
    assert list(dict.fromkeys(named)) == roles
