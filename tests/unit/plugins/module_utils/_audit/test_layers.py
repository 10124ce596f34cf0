# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether clusters can start is answered by what was found, and by nothing that was not."""

from __future__ import annotations

import itertools
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.layers import (
    LAYERS,
    judge_clusters,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import BY_WEIGHT
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS

Json = dict[str, t.Any]
IDS = [check.id for check in CHECKS]
# What is not given passes.
VERDICTS: dict[str, tuple[Json, str, str]] = {
    "all passes": ({}, "yes", "can start with the role."),
    "EC2 is not trusted": ({"trust_ec2": "fail"}, "no", "cannot start"),
    "PassRole is missing": ({"control_plane_pass_role": "fail"}, "no", "cannot start"),
    "no access to the bucket": ({"bucket_access": "fail"}, "no", "access to the bucket"),
    "neither trust nor access": (
        {"bucket_access": "fail", "trust_ec2": "fail"},
        "no",
        "cannot start",
    ),
    "a node group with another role": ({"effective_profile": "fail"}, "no", "not all of them"),
    "a missing compute config": ({"compute_config_override": "fail"}, "maybe", "another role"),
    "what clusters do not need fails": (
        {"trust_anyscale_verify": "fail", "bucket_cors": "fail", "authority": "fail"},
        "yes",
        "can start with the role.",
    ),
    "what clusters do not need is unknown": (
        {"bucket_cors": "unknown", "document_owner": "unknown"},
        "yes",
        "can start",
    ),
    "a warning on what they need": ({"trust_ec2": "warn"}, "maybe", "unless a finding"),
    "what they need is unknown": ({"bucket_key": "unknown"}, "unknown", "not known"),
    "a failure is certain, whatever is unknown": (
        {"trust_ec2": "fail", "bucket_key": "unknown"},
        "no",
        "cannot start",
    ),
    "unknown, and may run with another role": (
        {"instance_profile_name": "fail", "bucket_key": "unknown"},
        "unknown",
        "not known",
    ),
    "nothing applies": (dict.fromkeys(IDS, "not_applicable"), "not_applicable", "nothing to check"),
}


# What is not given passes: how the report counts the cloud.
STARTS: dict[str, tuple[Json, str]] = {
    "all passes": ({}, "yes"),
    "a warning": ({"trust_ec2": "warn", "bucket_access": "warn"}, "yes"),
    "what clusters do not need": (
        {"trust_anyscale_verify": "fail", "bucket_cors": "unknown"},
        "yes",
    ),
    "EC2 is not trusted": ({"trust_ec2": "fail", "bucket_access": "fail"}, "no"),
    "no access to the bucket": ({"bucket_access": "fail"}, "lacking"),
    "a node group with another role": ({"effective_profile": "fail"}, "lacking"),
    "a missing compute config": ({"compute_config_override": "fail"}, "lacking"),
    "access that is not known": ({"bucket_key": "unknown"}, "unknown"),
    "neither the trust is known nor is there access": (
        {"trust_ec2": "unknown", "bucket_access": "fail"},
        "unknown",
    ),
    "nothing applies": (dict.fromkeys(IDS, "not_applicable"), "not_applicable"),
}


def checks(statuses: Json, **more: t.Any) -> list[Json]:
    return [{"id": name, "status": statuses.get(name, "pass"), **more} for name in IDS]


@pytest.mark.parametrize("case", VERDICTS)
def test_the_verdict_if(case: str) -> None:
    statuses, answer, words = VERDICTS[case]
    verdict = judge_clusters(checks(statuses))
    assert verdict.answer == answer
    assert words in verdict.sentence


@pytest.mark.parametrize("case", STARTS)
def test_whether_clusters_start_if(case: str) -> None:
    statuses, start = STARTS[case]
    assert judge_clusters(checks(statuses)).start == start


def test_the_report_and_the_explanation_say_the_same() -> None:
    """Of all pairs of outcomes of a check that clusters need to start, and one for what they lack."""
    for first, second in itertools.product(BY_WEIGHT, repeat=2):
        for other in ("bucket_access", "effective_profile", "compute_config_override"):
            verdict = judge_clusters(checks({"trust_ec2": first, other: second}))
            assert (verdict.start == "yes") == (
                "can start with the role" in verdict.sentence
                and "not known" not in verdict.sentence
            )
            assert (verdict.start == "no") == ("cannot start" in verdict.sentence)
            if "can start" in verdict.sentence and "not known" not in verdict.sentence:
                assert verdict.start in ("yes", "lacking")


def test_what_was_not_checked_is_not_known() -> None:
    verdict = judge_clusters([])
    assert (verdict.answer, verdict.start) == ("unknown", "unknown")


@pytest.mark.parametrize("name", ["bucket_access", "control_plane_trust"])
def test_what_only_the_cli_of_anyscale_rejects_stops_no_cluster(name: str) -> None:
    """But nor is it certain that they start."""
    verdict = judge_clusters(checks({name: "fail"}, evidence={"only_anyscale_verify": True}))
    assert verdict.answer == "maybe"


def test_an_accepted_finding_stops_clusters_all_the_same() -> None:
    accepted = {"reason": "For now", "until": "2027-03-31"}
    assert judge_clusters(checks({"trust_ec2": "fail"}, acknowledged=accepted)).answer == "no"


def test_clusters_start_only_if_no_check_that_they_need_is_unknown_or_fails() -> None:
    """Of all pairs of outcomes of two checks that they need."""
    for first, second in itertools.product(BY_WEIGHT, repeat=2):
        answer = judge_clusters(checks({"trust_ec2": first, "bucket_access": second})).answer
        assert (answer == "yes") == ({first, second} <= {"pass", "not_applicable"})
        assert (answer == "no") == ("fail" in (first, second))


def test_every_check_is_in_one_layer() -> None:
    assert sorted(name for layer in LAYERS for name in layer.checks) == sorted(IDS)
