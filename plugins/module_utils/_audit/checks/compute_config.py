# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks on compute configs: that clusters made from them run with the role, all nodes of them.

This module util is private to the collection. Pure: each function takes the facts and returns what
the check comes to. https://docs.anyscale.com/configuration/compute/aws
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.node_profiles import (
    BY_COMPUTE_CONFIG,
    Effective,
    effective_profiles,
    observed_config,
    without_compute_config,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    BY_WEIGHT,
    PASS,
    WARN,
    Outcome,
    failed,
    not_applicable,
    outcome_of,
    passed,
    unknown,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import compute_config_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError

_CONVERGE = "Run rayfleet.anyscale.compute_config_profile, which publishes a new version."
_KINDS = {"instance_profile": "an instance profile", "role": "a role"}


def compute_config_override(facts: Facts) -> Outcome:
    """Whether each compute config names the instance profile so that it reaches every node group."""
    return _of_each(facts, _override)


def compute_config_arn_kind(facts: Facts) -> Outcome:
    """Whether each profile that a compute config names is named by an ARN of the right kind."""
    return _of_each(facts, _arn_kind)


def effective_profile(facts: Facts) -> Outcome:
    """Whether every node group ends up with a profile that holds the role, whichever layer decides."""
    outcome = _of_each(facts, _effective) if facts.compute_configs else _default(facts)
    if outcome.status not in (PASS, WARN):
        return outcome
    rules = facts.mappings.get()
    if rules:
        return warned(
            f"{outcome.reason} But Cloud IAM mapping gives workloads that match its rules other "
            "profiles.",
            "See that each role in the rules has its trust, its bucket access and its instance "
            "profile too.",
            **outcome.evidence,
            iam_mappings=rules,
        )
    return outcome


def _override(facts: Facts, name: str) -> Outcome:
    arn = facts.live_role()["Arn"] if facts.arn_kind == "role" else facts.profile_arn()
    observed = observed_config(facts, name)
    if observed.template is None:
        return failed(f"{name}: cloud {facts.cloud_id} has no such compute config.", _CONVERGE)
    if observed.archived:
        return failed(
            f"{name}: the compute config is archived.",
            f"Unarchive it ('anyscale compute-config unarchive -n {name}').",
        )
    try:
        plan = compute_config_plan.decide(observed, compute_config_plan.Wanted(arn))
    except compute_config_plan.WithoutVmsError as error:
        raise not_applicable(f"{name}: {error.message}") from error
    except TaskError as error:
        raise unknown(f"{name}: {error.message}", error.remedy) from error
    version = f"{name}:{observed.template['version']}"
    if not plan.changed:
        return passed(f"{version}: every node group is given {arn}.")
    evidence = {
        "reasons": list(plan.reasons),
        "overrides": plan.result["overrides"],
        "before": plan.before["compute_config"],
        "after": plan.after["compute_config"],
    }
    reason = f"{version}: not every node group is given {arn} ({', '.join(plan.reasons)})."
    groups = effective_profiles(facts, name)
    if groups and all(_is_right(facts, group) for group in groups):
        return warned(f"{reason} They all get the role in another way.", _CONVERGE, **evidence)
    return failed(reason, _CONVERGE, **evidence)


def _arn_kind(facts: Facts, name: str) -> Outcome:
    named = [
        group for group in effective_profiles(facts, name) if group.decided_by == BY_COMPUTE_CONFIG
    ]
    if not named:
        raise not_applicable(f"{name}: it names no instance profile.")
    wrong = [group for group in named if group.kind != facts.arn_kind]
    if wrong:
        reason = (
            f"{name}: {_listed(wrong)} should have the ARN of {_KINDS[facts.arn_kind]}, but have "
            f"{_profiles(wrong)}."
        )
        return failed(reason, _CONVERGE, node_groups=_shown(wrong))
    return passed(f"{name}: the profile is named by the ARN of {_KINDS[facts.arn_kind]}.")


def _effective(facts: Facts, name: str) -> Outcome:
    groups = effective_profiles(facts, name)
    if not groups:
        raise not_applicable(
            f"{name}: there is no node group on AWS virtual machines that could use it."
        )
    wrong = [group for group in groups if not group.is_one_of(facts.role_profiles.get())]
    if wrong:
        reason = (
            f"{name}: {_listed(wrong)} would not run with the role, but with {_profiles(wrong)}."
        )
        return failed(reason, _CONVERGE, node_groups=_shown(groups))
    unsure = [group for group in groups if not _is_right(facts, group)]
    if unsure:
        reason = (
            f"{name}: {_listed(unsure)} should run with the role, if Anyscale takes "
            f"{_profiles(unsure)} for its instance profile."
        )
        return warned(reason, _CONVERGE, node_groups=_shown(groups))
    return passed(f"{name}: every node group runs with the role.", node_groups=_shown(groups))


def _default(facts: Facts) -> Outcome:
    group = without_compute_config(facts)
    what = (
        "Without a compute config that says otherwise, clusters run with "
        f"{group.instance_profile_arn} ({group.decided_by})"
    )
    if group.is_one_of(facts.role_profiles.get()):
        return passed(f"{what}, which holds the role.")
    return warned(
        f"{what}, which does not hold the role.",
        "Name the compute configs that are to give clusters the role.",
    )


def _is_right(facts: Facts, group: Effective) -> bool:
    """Whether a node group runs with the role beyond doubt."""
    return group.kind in ("instance_profile", facts.arn_kind) and group.is_one_of(
        facts.role_profiles.get()
    )


def _listed(groups: t.Iterable[Effective]) -> str:
    return "node groups " + ", ".join(sorted({group.node_group for group in groups}))


def _profiles(groups: t.Iterable[Effective]) -> str:
    return ", ".join(
        sorted({f"{group.instance_profile_arn} ({group.decided_by})" for group in groups})
    )


def _shown(groups: t.Iterable[Effective]) -> list[dict[str, t.Any]]:
    return [dataclasses.asdict(group) for group in groups]


def _of_each(facts: Facts, judge: t.Callable[[Facts, str], Outcome]) -> Outcome:
    """The verdicts on all compute configs as one: the worst of them counts, and all are told."""
    if not facts.compute_configs:
        raise not_applicable("No compute config was named to be looked at.")
    outcomes = {
        name: outcome_of(functools.partial(judge, facts, name)) for name in facts.compute_configs
    }
    worst = min(outcomes.values(), key=lambda outcome: BY_WEIGHT.index(outcome.status))
    telling = [outcome for outcome in outcomes.values() if outcome.status == worst.status]
    evidence: dict[str, t.Any] = {
        "compute_configs": {name: _without_documents(outcome) for name, outcome in outcomes.items()}
    }
    changed = {
        name: outcome.evidence for name, outcome in outcomes.items() if "after" in outcome.evidence
    }
    for document in ("before", "after") if changed else ():
        evidence[document] = {name: found[document] for name, found in changed.items()}
    return Outcome(
        worst.status, " ".join(outcome.reason for outcome in telling), worst.remedy, evidence
    )


def _without_documents(outcome: Outcome) -> dict[str, t.Any]:
    facts = {
        key: value for key, value in outcome.evidence.items() if key not in ("before", "after")
    }
    return {"status": outcome.status, **facts}
