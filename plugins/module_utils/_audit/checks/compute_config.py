# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks on compute configs: whether all nodes of their clusters run with the role.

This module util is private to the collection. Pure: each function takes the facts and returns the
outcome of its check. https://docs.anyscale.com/configuration/compute/aws
"""

from __future__ import annotations

import contextlib

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.node_groups import (
    CONVERGE,
    as_json,
    is_certain,
    listed,
    of_each,
    profiles_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.node_profiles import (
    RIGHT,
    Effective,
    effective_profiles,
    keeps_own,
    missing_config,
    named_profiles,
    observed_config,
    require_layers,
    standing,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    CheckAborted,
    Outcome,
    failed,
    not_applicable,
    passed,
    unknown,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import compute_config_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_observed import (
    WithoutVmsError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_plan import (
    KEEP,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError

# What the reason codes of the plan say of the profile in the compute config.
_WORDS = {
    "profile_missing": "it names none",
    "profile_differs": "it names another one",
    "profile_by_name": "it names one by its name instead of its ARN",
    "wrong_arn_kind": "it names one by the wrong kind of ARN",
    "node_group_hides_profile": "a node group with its own instance configuration hides it",
    "node_group_profile_differs": "a node group names another one",
    "config_differs": "other settings differ too",
}
_KINDS = {"instance_profile": "an instance profile", "role": "a role"}


def compute_config_override(facts: Facts) -> Outcome:
    """Whether each compute config sets the instance profile for every node group."""
    return of_each(facts, _override)


def compute_config_arn_kind(facts: Facts) -> Outcome:
    """Whether compute configs name the profile by the kind of ARN that is configured."""
    return of_each(facts, _arn_kind)


def _override(facts: Facts, name: str) -> Outcome:
    observed = observed_config(facts, name)
    if observed.template is None:
        return failed(missing_config(facts, name), CONVERGE)
    if observed.archived:
        return failed(f"{name}: the compute config is archived.", CONVERGE)
    try:
        plan = compute_config_plan.decide(observed, _wanted(facts))
    except WithoutVmsError as error:
        raise not_applicable(f"{name}: {error.message}") from error
    except TaskError as error:
        raise unknown(f"{name}: {error.message}", error.remedy) from error
    version = f"{name}:{observed.template['version']}"
    if not plan.changed:
        return passed(f"{version}: {_what_groups_get(facts)}.")
    evidence = {
        "reasons": list(plan.reasons),
        "overrides": plan.result["overrides"],
        "before": plan.before["compute_config"],
        "after": plan.after["compute_config"],
    }
    reason = (
        f"{version}: not every node group gets the wanted instance profile from it "
        f"({'; '.join(_WORDS[code] for code in plan.reasons)}). Wanted is that {_what_groups_get(facts)}."
    )
    if _is_indifferent(facts, effective_profiles(facts, name)):
        return warned(
            f"{reason} Those that it decides for run with the role nevertheless.",
            CONVERGE,
            **evidence,
        )
    return failed(reason, CONVERGE, **evidence)


def _arn_kind(facts: Facts, name: str) -> Outcome:
    named = [group for group in named_profiles(facts, name) if not keeps_own(facts, group)]
    if not named:
        missing = missing_config(facts, name)
        raise not_applicable(missing or f"{name}: it names no instance profile.")
    wrong = [group for group in named if group.kind != facts.arn_kind]
    if wrong:
        reason = (
            f"{name}: {listed(wrong)} should have the ARN of {_KINDS[facts.arn_kind]}, but have "
            f"{profiles_of(wrong)}."
        )
        return failed(reason, CONVERGE, node_groups=as_json(wrong))
    return passed(f"{name}: the profile is named by the ARN of {_KINDS[facts.arn_kind]}.")


def _is_indifferent(facts: Facts, groups: list[Effective]) -> bool:
    """Whether it is certain that all node groups run with the role, whatever the compute config
    names.
    """
    with contextlib.suppress(CheckAborted):
        require_layers(facts, groups)
        return bool(groups) and all(
            standing(facts, group) == RIGHT and is_certain(facts, group) for group in groups
        )
    return False


def _wanted(facts: Facts) -> compute_config_plan.Wanted:
    """What the compute config should contain."""
    arns = {group: _arn(facts.of_group(group)) for group in facts.group_roles}
    return compute_config_plan.Wanted(_arn(facts), node_groups=facts.node_groups, group_arns=arns)


def _arn(facts: Facts) -> str:
    return str(facts.live_role()["Arn"] if facts.arn_kind == "role" else facts.profile_arn())


def _what_groups_get(facts: Facts) -> str:
    """What the compute config should do, as a clause."""
    wanted = _wanted(facts)
    others = "".join(f", {group} {arn}" for group, arn in wanted.group_arns.items())
    scope = " that names no other one" if facts.node_groups == KEEP else ""
    return f"every node group{scope} gets {wanted.arn}{others}"
