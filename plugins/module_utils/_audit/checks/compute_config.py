# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks on compute configs: whether all nodes of their clusters run with the role.

This module util is private to the collection. Pure: each function takes the facts and returns the
outcome of its check. https://docs.anyscale.com/configuration/compute/aws
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
    onboard,
    outcome_of,
    passed,
    unknown,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import compute_config_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_observed import (
    WithoutVmsError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError

_CONVERGE = (
    f"{onboard('compute_config_profile')} It publishes a new version, which clusters use once they "
    "are restarted with it."
)
_KINDS = {"instance_profile": "an instance profile", "role": "a role"}


def compute_config_override(facts: Facts) -> Outcome:
    """Whether each compute config sets the instance profile for every node group."""
    return _of_each(facts, _override)


def compute_config_arn_kind(facts: Facts) -> Outcome:
    """Whether compute configs name the profile by the kind of ARN that is configured."""
    return _of_each(facts, _arn_kind)


def effective_profile(facts: Facts) -> Outcome:
    """Whether every node group gets a profile that holds the role, whichever layer decides it."""
    outcome = _of_each(facts, _effective) if facts.compute_configs else _default(facts)
    if outcome.status not in (PASS, WARN):
        return outcome
    rules = facts.mappings.get()
    if rules:
        return warned(
            f"{outcome.reason} But Cloud IAM mapping gives other profiles to workloads that match "
            "its rules.",
            "Make sure that each role in the rules has its trust policy, bucket access and "
            "instance profile as well.",
            **outcome.evidence,
            iam_mappings=rules,
        )
    return outcome


def _override(facts: Facts, name: str) -> Outcome:
    arn = facts.live_role()["Arn"] if facts.arn_kind == "role" else facts.profile_arn()
    observed = observed_config(facts, name)
    if observed.template is None:
        return failed(
            f"{name}: cloud {facts.cloud_id} has no compute config of that name.", _CONVERGE
        )
    if observed.archived:
        return failed(f"{name}: the compute config is archived.", _CONVERGE)
    try:
        plan = compute_config_plan.decide(observed, compute_config_plan.Wanted(arn))
    except WithoutVmsError as error:
        raise not_applicable(f"{name}: {error.message}") from error
    except TaskError as error:
        raise unknown(f"{name}: {error.message}", error.remedy) from error
    version = f"{name}:{observed.template['version']}"
    if not plan.changed:
        return passed(f"{version}: every node group gets {arn}.")
    evidence = {
        "reasons": list(plan.reasons),
        "overrides": plan.result["overrides"],
        "before": plan.before["compute_config"],
        "after": plan.after["compute_config"],
    }
    reason = f"{version}: not every node group gets {arn} from it ({', '.join(plan.reasons)})."
    groups = effective_profiles(facts, name)
    if groups and all(_has_role(facts, group) for group in groups):
        return warned(f"{reason} They all run with the role nevertheless.", _CONVERGE, **evidence)
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
        return failed(reason, _CONVERGE, node_groups=_as_json(wrong))
    return passed(f"{name}: the profile is named by the ARN of {_KINDS[facts.arn_kind]}.")


def _effective(facts: Facts, name: str) -> Outcome:
    groups = effective_profiles(facts, name)
    if not groups:
        raise not_applicable(f"{name}: it has no node group on AWS virtual machines.")
    wrong = [group for group in groups if not group.is_one_of(facts.role_profiles.get())]
    if wrong:
        reason = (
            f"{name}: {_listed(wrong)} run with {_profiles(wrong)}, which does not hold the role."
        )
        return failed(reason, _CONVERGE, node_groups=_as_json(groups))
    uncertain = [group for group in groups if not _has_role(facts, group)]
    if uncertain:
        reason = (
            f"{name}: {_listed(uncertain)} run with the role only if Anyscale accepts "
            f"{_profiles(uncertain)} as its instance profile."
        )
        return warned(reason, _CONVERGE, node_groups=_as_json(groups))
    return passed(f"{name}: every node group runs with the role.", node_groups=_as_json(groups))


def _default(facts: Facts) -> Outcome:
    group = without_compute_config(facts)
    what = (
        "Clusters whose compute config names no instance profile run with "
        f"{group.instance_profile_arn} ({group.decided_by})"
    )
    if group.is_one_of(facts.role_profiles.get()):
        return passed(f"{what}, which holds the role.")
    return warned(
        f"{what}, which does not hold the role.",
        "Set cloud_iam_compute_config (the module's option compute_config) to the compute config "
        "that gives clusters the role.",
    )


def _has_role(facts: Facts, group: Effective) -> bool:
    """Whether it is certain that a node group runs with the role."""
    return group.kind in ("instance_profile", facts.arn_kind) and group.is_one_of(
        facts.role_profiles.get()
    )


def _listed(groups: t.Iterable[Effective]) -> str:
    return "node groups " + ", ".join(sorted({group.node_group for group in groups}))


def _profiles(groups: t.Iterable[Effective]) -> str:
    return ", ".join(
        sorted({f"{group.instance_profile_arn} ({group.decided_by})" for group in groups})
    )


def _as_json(groups: t.Iterable[Effective]) -> list[dict[str, t.Any]]:
    return [dataclasses.asdict(group) for group in groups]


def _of_each(facts: Facts, judge: t.Callable[[Facts, str], Outcome]) -> Outcome:
    """The outcomes for all compute configs as one: the worst status, with the reasons for it."""
    if not facts.compute_configs:
        raise not_applicable("No compute config was named.")
    outcomes = {
        name: outcome_of(functools.partial(judge, facts, name)) for name in facts.compute_configs
    }
    worst = min(outcomes.values(), key=lambda outcome: BY_WEIGHT.index(outcome.status))
    decisive = [outcome for outcome in outcomes.values() if outcome.status == worst.status]
    evidence: dict[str, t.Any] = {
        "compute_configs": {name: _without_documents(outcome) for name, outcome in outcomes.items()}
    }
    changed = {
        name: outcome.evidence for name, outcome in outcomes.items() if "after" in outcome.evidence
    }
    for document in ("before", "after") if changed else ():
        evidence[document] = {name: found[document] for name, found in changed.items()}
    return Outcome(
        worst.status, " ".join(outcome.reason for outcome in decisive), worst.remedy, evidence
    )


def _without_documents(outcome: Outcome) -> dict[str, t.Any]:
    facts = {
        key: value for key, value in outcome.evidence.items() if key not in ("before", "after")
    }
    return {"status": outcome.status, **facts}
