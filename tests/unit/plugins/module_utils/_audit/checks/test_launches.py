# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of what runs on a cloud: its launches and its instances."""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import run_checks
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    CONFIG,
    NO_PROFILE,
    OTHER_PROFILE,
    PROFILE,
    PROFILE_NAME,
    REFUSED,
    Json,
    Row,
    assert_verdict,
    checks_of,
    facts,
    rows_of,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.running_builder import (
    MAPPED,
    OWN_ROLE,
    flavored,
    further,
    instances,
    launched,
    mapped,
    running,
)

# By check: what is the case, the facts that differ, the status, and words of the reason.
TABLE: dict[str, dict[str, Row]] = {
    "launches_use_the_config": {
        "none": (launched(), "not_applicable", "Nothing is launched"),
        "the newest version": (launched("cpt_1"), "pass", "The launch runs with the role"),
        "an older version that gives the role too": (
            launched("cpt_old_right"),
            "pass",
            "The launch runs",
        ),
        "an older version with another profile": (
            launched("cpt_1", "cpt_old"),
            "fail",
            "1 of 2 launches does not run with the role: cluster cluster-1 (older_version)",
        ),
        "another compute config": (launched("cpt_own"), "fail", "cluster-0 (other)"),
        "one group of workers with another profile": (launched("cpt_worker"), "fail", "(other)"),
        "a compute config without a profile, by default": (
            launched("cpt_none"),
            "pass",
            "The launch runs",
        ),
        "a role in place of a profile": (
            launched("cpt_role"),
            "unknown",
            "only if Anyscale accepts",
        ),
        "no compute config": (launched(None), "unknown", "It names no compute config"),
        "a compute config that is gone": (
            launched("cpt_gone"),
            "unknown",
            "does not exist any more",
        ),
        "a compute config that is refused": (launched("cpt_refused"), "unknown", "It was refused"),
        "a compute config of another cloud": (launched("cpt_foreign"), "unknown", "another cloud"),
        "a rule of the Cloud IAM mapping with another profile": (
            {**launched("cpt_1"), **MAPPED},
            "unknown",
            "which profile node groups cpu, head_node get depends on the workload",
        ),
        "a rule with the role's profile": (
            {**launched("cpt_1"), **mapped(PROFILE_NAME)},
            "pass",
            "The launch runs",
        ),
        "a rule with the role's profile, and the compute config with another": (
            {**launched("cpt_own"), **mapped(PROFILE_NAME)},
            "unknown",
            "depends on the workload",
        ),
        "another profile by a rule and by the compute config": (
            {**launched("cpt_own"), **MAPPED},
            "fail",
            "(other)",
        ),
        "another profile by a rule, and no other workload starts": (
            {**launched("cpt_1"), **mapped("other", "FAIL")},
            "fail",
            "(other)",
        ),
        "a flavor of the scheduler with another profile": (
            {**launched("cpt_1"), **flavored(OTHER_PROFILE)},
            "unknown",
            "layers whose order is not documented",
        ),
        "flavors of the scheduler that are refused": (
            {**launched("cpt_1"), "scheduler_flavors": REFUSED},
            "unknown",
            "It was refused",
        ),
        "a node group with a role of its own": (
            {**launched("cpt_worker"), **OWN_ROLE},
            "pass",
            "The launch runs",
        ),
        "a node group that keeps its own profile": (
            {**launched("cpt_worker"), "node_groups": "keep"},
            "pass",
            "The launch runs",
        ),
        "Cloud IAM mapping that is refused": (
            {**launched("cpt_1"), "mappings": REFUSED},
            "unknown",
            "It was refused",
        ),
        "profiles of the role that are refused": (
            {**launched("cpt_own"), "role_profiles": REFUSED},
            "unknown",
            "It was refused",
        ),
        "more than were read": (
            launched("cpt_1", truncated=("cluster",)),
            "unknown",
            "more launches of kind cluster",
        ),
        "none, but jobs could not be listed": (
            launched(unread={"job": "Listing is refused."}),
            "unknown",
            "kind job cannot be listed: Listing is refused",
        ),
        "another compute config, and more than were read": (
            launched("cpt_own", truncated=("cluster",)),
            "fail",
            "(other). There are more launches",
        ),
        "refused": (running(launches=REFUSED), "unknown", "It was refused"),
    },
    "instances_run_with_the_role": {
        "none": (instances(), "not_applicable", "No instance of the cloud is running"),
        "the role's profile": (instances(PROFILE, PROFILE), "pass", "All 2 running instances"),
        "another profile": (
            instances(PROFILE, OTHER_PROFILE, OTHER_PROFILE),
            "fail",
            f"2 of 3 running instances do not run with the role: 2 with {OTHER_PROFILE}",
        ),
        "the profile of a further role": (
            {**instances(OTHER_PROFILE), **OWN_ROLE},
            "pass",
            "The running instance runs",
        ),
        "the profile of a role that only a rule names": (
            {**instances(OTHER_PROFILE), **further(is_wanted=False)},
            "fail",
            "1 of 1 running instance does not run",
        ),
        "no profile": (instances(None), "fail", "1 with no profile"),
        "no profile holds the role": (
            {**instances(PROFILE), **NO_PROFILE},
            "fail",
            "1 of 1 running instance does not run",
        ),
        "profiles of the role that are refused": (
            {**instances(PROFILE), "role_profiles": REFUSED},
            "unknown",
            "It was refused",
        ),
        "refused": (running(instances=REFUSED), "unknown", "It was refused"),
    },
}


@pytest.mark.parametrize(
    ("check", "changes", "status", "words"), rows_of(TABLE).values(), ids=rows_of(TABLE)
)
def test_verdict(check: str, changes: Json, status: str, words: str) -> None:
    assert_verdict(check, changes, status, words)


def test_table_has_all_checks() -> None:
    assert set(TABLE) == checks_of("launches")


def test_checks_are_left_out_unless_they_are_asked_for() -> None:
    assert not checks_of("launches") & {check["id"] for check in run_checks(facts(running=None))}
    assert checks_of("launches") <= {check["id"] for check in run_checks(facts(**launched()))}


def test_evidence_lists_what_differs_and_counts_the_rest() -> None:
    found = verdict("launches_use_the_config", facts(**launched("cpt_1", *["cpt_old"] * 60)))
    evidence = found["evidence"]
    assert evidence["counts"] == {"wanted": 1, "other": 0, "older_version": 60, "cannot_tell": 0}
    assert len(evidence["launches"]) == 50
    assert evidence["not_listed"] == 10
    assert evidence["launches"][0] == {
        "kind": "cluster",
        "id": "ses_1",
        "name": "cluster-1",
        "state": "Running",
        "version": None,
        "compute_config": {"id": "cpt_old", "name": CONFIG, "version": 2},
        "instance_profiles": [OTHER_PROFILE],
        "verdict": "older_version",
        "reason": f"{CONFIG}:2: node groups cpu, head_node run with {OTHER_PROFILE} "
        "(from the compute config), which is not their role's. The newest version is 3.",
    }


@pytest.mark.parametrize("name", ["a\nb", "a\x1b[2Jb", "a\u202eb", "x" * 1000])
def test_names_of_launches_do_no_harm_in_a_reason(name: str) -> None:
    """Any member of the organization chooses them."""
    found = facts(**launched("cpt_own", name=name))
    reason = verdict("launches_use_the_config", found)["reason"]
    assert reason.isprintable()
    assert len(reason) < 500
