# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the checks on node groups share: how they name groups and profiles, and how they judge
several compute configs.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts, Json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.node_profiles import (
    Choice,
    Effective,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    BY_WEIGHT,
    Outcome,
    not_applicable,
    onboard,
    outcome_of,
)

# How many profiles a message names: a mapping may have any number of rules.
_MOST_NAMED = 5
CONVERGE = (
    f"{onboard('compute_config_profile')} It publishes a new version, which clusters use once they "
    "are restarted with it."
)


def is_certain(facts: Facts, group: Effective) -> bool:
    """Whether Anyscale surely accepts the kind of ARN that names the profile."""
    return all(
        one.kind in ("instance_profile", facts.arn_kind)
        for one in (*group.documented, *group.undocumented)
    )


def listed(groups: t.Iterable[Effective]) -> str:
    """Node groups by their names."""
    return "node groups " + ", ".join(sorted({group.node_group for group in groups}))


def profiles_of(groups: t.Iterable[Effective]) -> str:
    """The profiles of node groups, each with the layer that decides it."""
    return ", ".join(
        sorted({f"{group.instance_profile_arn} ({group.decided_in_words})" for group in groups})
    )


def named(choices: t.Iterable[Choice]) -> str:
    """Profiles, each with the layer that decides it and its name."""
    texts = [str(choice) for choice in choices]
    more = f" and {len(texts) - _MOST_NAMED} more" if len(texts) > _MOST_NAMED else ""
    return ", ".join(texts[:_MOST_NAMED]) + more


def as_json(groups: t.Iterable[Effective]) -> list[Json]:
    """Node groups as evidence."""
    return [group.as_json() for group in groups]


def of_each(facts: Facts, judge: t.Callable[[Facts, str], Outcome]) -> Outcome:
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
