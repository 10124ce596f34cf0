# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The further roles that a cloud's clusters may run with, each judged by the checks of the role.

This module util is private to the collection. Pure. One outcome stands for all roles: the worst.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import (
    Facts,
    FurtherRole,
    Json,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    BY_WEIGHT,
    FAIL,
    NOT_APPLICABLE,
    PASS,
    Outcome,
    is_onboard,
    outcome_of,
)

# How many roles a reason names.
_MOST = 5
_NOT_WANTED = (
    "Onboard sets up only the roles that the variables name: add the rule to cloud_iam_mapping_rules "
    "if it is right, else remove it from the Cloud IAM mapping."
)


def judge_each(judge: t.Callable[[Facts], Outcome], facts: Facts) -> Outcome:
    """The outcome of a check for the role and each further one: the worst status, with the reasons
    for it.
    """
    own = outcome_of(lambda: judge(facts))
    if not facts.further_roles:
        return own
    found = {further: _of_role(judge, facts, further) for further in facts.further_roles}
    worst = min((own, *found.values()), key=lambda outcome: BY_WEIGHT.index(outcome.status))
    decisive = [further for further, one in found.items() if one.status == worst.status]
    reasons = [own.reason] if own.status == worst.status else []
    if reasons and worst.status in (PASS, NOT_APPLICABLE):
        reasons.append(f"It is the same for {_summarize([one.name for one in decisive])}.")
    else:
        reasons += [
            f"Role {further.name} ({', '.join(further.named_by)}): {found[further].reason}"
            for further in decisive[:_MOST]
        ]
        if len(decisive) > _MOST:
            reasons.append(f"So it is for {len(decisive) - _MOST} more roles.")
    roles = {further.name: _as_json(further, outcome) for further, outcome in found.items()}
    return dataclasses.replace(
        worst, reason=" ".join(reasons), evidence={**own.evidence, "roles": roles}
    )


def _summarize(names: t.Sequence[str]) -> str:
    more = f" and {len(names) - _MOST} more roles" if len(names) > _MOST else ""
    return ", ".join(names[:_MOST]) + more


def _of_role(judge: t.Callable[[Facts], Outcome], facts: Facts, further: FurtherRole) -> Outcome:
    """The outcome for a further role, with a remedy that is for it."""
    of_role = facts.of_role(further)
    outcome = outcome_of(lambda: judge(of_role))
    if outcome.status == FAIL and of_role.role.is_known and of_role.role.get() is None:
        remedy = f"Create it, or correct what names it: {', '.join(further.named_by)}."
        return dataclasses.replace(outcome, remedy=remedy)
    if is_onboard(outcome.remedy) and not further.is_wanted:
        return dataclasses.replace(outcome, remedy=_NOT_WANTED)
    return outcome


def _as_json(further: FurtherRole, outcome: Outcome) -> Json:
    return {"named_by": list(further.named_by), **dataclasses.asdict(outcome)}
