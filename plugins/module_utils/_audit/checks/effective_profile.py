# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check on the role that each node group runs with in the end, by every layer that may decide
it.

This module util is private to the collection. Pure: the function takes the facts and returns the
outcome of its check. https://docs.anyscale.com/iam/cloud-iam-mapping
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.node_groups import (
    CONVERGE,
    as_json,
    is_certain,
    listed,
    named,
    of_each,
    profiles_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts, Json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.node_profiles import (
    KEPT,
    RIGHT,
    UNDECIDED,
    WRONG,
    Choice,
    Effective,
    effective_profiles,
    missing_config,
    require_layers,
    standing,
    without_compute_config,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    PASS,
    WARN,
    Outcome,
    failed,
    not_applicable,
    passed,
    unknown,
    warned,
)

_SAME_PROFILE = (
    "Name the same instance profile in that flavor of the scheduler, or machine pool, or remove "
    "IamInstanceProfile there and give the cloud itself a profile that holds the role."
)
_RULES = (
    "Make sure that each role in the rules has its trust policy, bucket access and instance profile "
    "as well. If they are as wanted, name them in cloud_iam_mapping_rules."
)
_STANDINGS = (WRONG, UNDECIDED, RIGHT, KEPT)


def effective_profile(facts: Facts) -> Outcome:
    """Whether every node group gets a profile that holds the role, whichever layer decides it."""
    outcome = of_each(facts, _effective) if facts.compute_configs else _default(facts)
    if outcome.status not in (PASS, WARN):
        return outcome
    groups = _all_groups(facts)
    require_layers(facts, groups)
    facts.mappings.get()
    return _with_mapping(facts, groups, outcome)


def _effective(facts: Facts, name: str) -> Outcome:
    groups = effective_profiles(facts, name)
    if not groups:
        missing = missing_config(facts, name)
        raise not_applicable(missing or f"{name}: it has no node group on AWS virtual machines.")
    found = {word: [one for one in groups if standing(facts, one) == word] for word in _STANDINGS}
    if found[WRONG]:
        reason = (
            f"{name}: {listed(found[WRONG])} run with {profiles_of(found[WRONG])}, which does not "
            f"hold {_roles(facts, found[WRONG])}."
        )
        return failed(reason, CONVERGE, node_groups=as_json(groups))
    if found[UNDECIDED]:
        require_layers(facts, found[UNDECIDED])
        raise unknown(
            f"{name}: {_undecided(found[UNDECIDED])}", _SAME_PROFILE, node_groups=as_json(groups)
        )
    uncertain = [one for one in found[RIGHT] if not is_certain(facts, one)]
    if uncertain:
        reason = (
            f"{name}: {listed(uncertain)} run with the role only if Anyscale accepts "
            f"{profiles_of(uncertain)} as its instance profile."
        )
        return warned(reason, CONVERGE, node_groups=as_json(groups))
    kept = found[KEPT]
    what = f"every node group runs with {'its' if facts.group_roles else 'the'} role" + (
        f", but for {listed(kept)}, which keep {profiles_of(kept)}" if kept else ""
    )
    return passed(f"{name}: {what}.", node_groups=as_json(groups))


def _default(facts: Facts) -> Outcome:
    group = without_compute_config(facts)
    if not group.documented:
        return passed("Cloud IAM mapping decides the role of every cluster.")
    word, what = (
        standing(facts, group),
        (
            "Clusters whose compute config names no instance profile run with "
            f"{group.instance_profile_arn} ({group.decided_in_words})"
        ),
    )
    if word == RIGHT:
        return passed(f"{what}, which holds the role.")
    if word == UNDECIDED:
        require_layers(facts, [group])
        raise unknown(f"{what}, or not: {_undecided([group])}", _SAME_PROFILE)
    return warned(
        f"{what}, which does not hold the role.",
        "Set cloud_iam_compute_config (the module's option compute_config) to the compute config "
        "that gives clusters the role.",
    )


def _with_mapping(facts: Facts, groups: list[Effective], outcome: Outcome) -> Outcome:
    """The outcome, with what workloads get that match a rule of the Cloud IAM mapping."""
    choices = list(
        dict.fromkeys(
            Choice(one.instance_profile_arn, one.decided_by, one.layer)
            for group in groups
            for one in group.by_workload
        )
    )
    if not choices:
        return outcome
    others = [one for one in choices if not one.is_one_of(_wanted_profiles(facts))]
    evidence = {**outcome.evidence, "iam_mappings": facts.mappings.get()}
    if not others:
        reason = f"{outcome.reason} So do workloads that match a rule of the Cloud IAM mapping."
        given = [one for one in choices if not one.is_one_of(facts.role_profiles.get())]
        if given:
            reason = (
                f"{outcome.reason} Workloads that match a rule of the Cloud IAM mapping run with "
                f"{named(given)}, as is wanted."
            )
        return dataclasses.replace(outcome, reason=reason, evidence=evidence)
    what = f"Cloud IAM mapping gives {named(others)}"
    if len(others) == len(choices) and not any(group.documented for group in groups):
        reason = f"No cluster runs with the role: {what}, and lets no other cluster start."
        return failed(reason, _RULES, **evidence)
    reason = f"{outcome.reason} But {what} to workloads that match its rules."
    return warned(reason, _RULES, **evidence)


def _all_groups(facts: Facts) -> list[Effective]:
    """The node groups of all compute configs; without any, the default one."""
    if not facts.compute_configs:
        return [without_compute_config(facts)]
    return [group for name in facts.compute_configs for group in effective_profiles(facts, name)]


def _wanted_profiles(facts: Facts) -> list[Json]:
    """The profiles that hold the role, or another one that the operator's variables name."""
    wanted = [facts.of_role(further) for further in facts.further_roles if further.is_wanted]
    return [profile for found in (facts, *wanted) for profile in found.role_profiles.value or []]


def _undecided(groups: t.Iterable[Effective]) -> str:
    groups = list(groups)
    layers = dict.fromkeys(choice for group in groups for choice in group.undocumented)
    return (
        f"it is not known which instance profile {listed(groups)} run with. By the documented "
        f"order it is {profiles_of(groups)}, but {named(layers)} may take its place: Anyscale does "
        "not document which of them decides."
    )


def _roles(facts: Facts, groups: t.Iterable[Effective]) -> str:
    """The roles that node groups are to run with, in words."""
    names = {str(facts.group_roles.get(group.node_group, "")) for group in groups}
    return "the role" if names == {""} else ", ".join(sorted(name or "the role" for name in names))
