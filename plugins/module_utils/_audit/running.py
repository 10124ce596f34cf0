# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what runs on a cloud runs with the wanted role.

This module util is private to the collection. Pure. A launch is judged by the instance profiles of
its version of a compute config, an instance by its own. What cannot be told is never called right.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launch_rows import (
    Launch,
    Launches,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.checks.node_groups import (
    is_certain,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import (
    Facts,
    Json,
    Running,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.node_profiles import (
    KEPT,
    RIGHT,
    UNDECIDED,
    WRONG,
    Choice,
    Effective,
    effective_profiles,
    require_layers,
    standing,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    CheckAborted,
    Fact,
    Outcome,
    not_applicable,
    unknown,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.instances import Instance
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars

WANTED, OTHER, OLDER_VERSION, CANNOT_TELL = VERDICTS = (
    "wanted",
    "other",
    "older_version",
    "cannot_tell",
)

# Longer than any name or ARN that is in use.
_LONGEST_NAME = 200


@dataclasses.dataclass(frozen=True)
class Judged:
    """A launch or an instance, with the verdict and the reason for it.

    facts: about it, in JSON. profiles: the instance profiles that it runs with, as far as known.
    obstacle: why it cannot be told. uses_role: whether any part of it runs with the role, which is
    less than the verdict ``wanted``; ``None`` if that cannot be told.
    """

    verdict: str
    reason: str
    facts: t.Mapping[str, t.Any]
    profiles: tuple[str, ...] = ()
    obstacle: Outcome | None = None
    uses_role: bool | None = None

    def as_json(self) -> Json:
        """As modules and reports have it."""
        return {
            **self.facts,
            "instance_profiles": list(self.profiles),
            "verdict": self.verdict,
            "reason": self.reason,
        }


def running_of(facts: Facts) -> Running:
    """What runs, where that was asked for."""
    if facts.running is None:
        raise not_applicable("What runs on the cloud was not asked for.")
    return facts.running


def judged_launches(facts: Facts) -> list[Judged]:
    """Each launch that was read."""
    return facts.once(
        "judged_launches",
        lambda: [_judged(facts, launch) for launch in running_of(facts).launches.get().found],
    )


def judged_instances(facts: Facts) -> list[Judged]:
    """Each running instance."""
    return facts.once(
        "judged_instances",
        lambda: [_instance(facts, one) for one in running_of(facts).instances.get()],
    )


def incomplete(launches: Launches) -> str:
    """Why there may be launches that were not read, as a sentence; empty where there are none."""
    sentences = [
        f"There are more launches of kind {kind} than were read." for kind in launches.truncated
    ]
    sentences += [
        f"Launches of kind {kind} cannot be listed: {why.rstrip('.')}."
        for kind, why in launches.unread.items()
    ]
    return " ".join(sentences)


def display_name(name: str) -> str:
    """A name that a member of the organization gave, for a sentence that is shown on terminals."""
    return escape_control_chars(
        name if len(name) <= _LONGEST_NAME else f"{name[:_LONGEST_NAME]}..."
    )


def counts_of(judged: t.Iterable[Judged]) -> dict[str, int]:
    """How many have each verdict."""
    found = [one.verdict for one in judged]
    return {verdict: found.count(verdict) for verdict in VERDICTS}


def _judged(facts: Facts, launch: Launch) -> Judged:
    about: Json = {
        "kind": launch.kind,
        "id": launch.id,
        "name": launch.name,
        "state": launch.state,
        "version": launch.version,
        "compute_config": {"id": launch.compute_config_id, "name": None, "version": None},
    }
    profiles: tuple[str, ...] = ()
    obstacle: Outcome | None = None
    uses_role: bool | None = None
    try:
        template = _template(facts, launch)
        about["compute_config"].update(name=template["name"], version=template["version"])
        groups = _groups(facts, template)
        profiles = tuple(sorted({choice.instance_profile_arn for choice in _choices(groups)}))
        verdict, reason = _verdict(facts, template, groups)
        uses_role = _uses_role(facts, groups)
    except CheckAborted as aborted:
        obstacle = aborted.outcome
        verdict, reason = CANNOT_TELL, " ".join(obstacle.reason.split())
    return Judged(verdict, reason, about, profiles, obstacle, uses_role)


def _template(facts: Facts, launch: Launch) -> Json:
    """The version of a compute config that a launch names."""
    if launch.compute_config_id is None:
        raise unknown("It names no compute config.")
    template = running_of(facts).configs[launch.compute_config_id].get()
    if template is None:
        raise unknown(
            f"Compute config {display_name(launch.compute_config_id)} does not exist any more."
        )
    if template["config"].get("cloud_id") != facts.cloud_id:
        raise unknown(
            f"Compute config {display_name(launch.compute_config_id)} is for another cloud."
        )
    return template


def _groups(facts: Facts, template: Json) -> list[Effective]:
    """The profile of each node group."""
    key = template["id"]
    of_template = dataclasses.replace(facts, compute_configs={key: Fact[Json | None](template)})
    groups = effective_profiles(of_template, key)
    if not groups:
        raise unknown("Its compute config has no node group on AWS virtual machines.")
    return groups


def _verdict(facts: Facts, template: Json, groups: list[Effective]) -> tuple[str, str]:
    config = f"{display_name(template['name'])}:{template['version']}"
    facts.mappings.get()
    require_layers(facts, groups)
    found = [(group, _standing(facts, group)) for group in groups]
    wrong = [group for group, word in found if word == WRONG]
    if wrong:
        reason = f"{config}: {_listed(wrong)} run with {_named(wrong)}, which is not their role's."
        newest = _newest_version(facts, template["name"])
        if newest is not None and template["version"] < newest:
            return OLDER_VERSION, f"{reason} The newest version is {newest}."
        return OTHER, reason
    undecided = [group for group, word in found if word == UNDECIDED]
    if undecided:
        raise unknown(
            f"{config}: which profile {_listed(undecided)} get depends on the workload, or on layers "
            f"whose order is not documented: {_named(undecided)}."
        )
    uncertain = [group for group, word in found if word == RIGHT and not is_certain(facts, group)]
    if uncertain:
        raise unknown(
            f"{config}: {_listed(uncertain)} run with the role only if Anyscale accepts "
            f"{_named(uncertain)} as its instance profile."
        )
    return WANTED, f"{config}: every node group runs with its role, or keeps its own."


def _standing(facts: Facts, group: Effective) -> str:
    """Whether a node group runs with the role that it is to run with, whatever the workload."""
    word = standing(facts, group)
    by_rule = {choice.is_one_of(wanted_profiles(facts)) for choice in group.by_workload}
    if not by_rule:
        return word
    if by_rule == {True}:
        return word if word in (RIGHT, KEPT) else UNDECIDED
    no_other = not group.documented and not group.undocumented
    return WRONG if by_rule == {False} and (word == WRONG or no_other) else UNDECIDED


def wanted_profiles(facts: Facts) -> list[Json]:
    """The instance profiles that hold the role, or a further one that the operator's variables
    name.
    """
    further = [facts.of_role(role) for role in facts.further_roles if role.is_wanted]
    return [
        profile
        for of_role in (facts, *further)
        if of_role is facts or not of_role.role_profiles.is_not_applicable
        for profile in of_role.role_profiles.get()
    ]


def _uses_role(facts: Facts, groups: t.Iterable[Effective]) -> bool | None:
    """Whether any node group runs with the role, or with a further one; ``None`` if it may."""
    found = [
        {choice.is_one_of(wanted_profiles(facts)) for choice in _choices([group])}
        for group in groups
    ]
    if {True} in found:
        return True
    return None if any(True in holds for holds in found) else False


def _choices(groups: t.Iterable[Effective]) -> list[Choice]:
    """All profiles that node groups may get."""
    return [choice for group in groups for choice in (group, *group.alternatives)]


def _newest_version(facts: Facts, name: str) -> int | None:
    """The newest version of a wanted compute config."""
    config = facts.compute_configs[name].value if name in facts.compute_configs else None
    return config["version"] if config else None


def _instance(facts: Facts, instance: Instance) -> Judged:
    about = dataclasses.asdict(instance)
    arn = about.pop("profile_arn")
    about["kind"] = "instance"
    profiles = (arn,) if arn else ()
    if arn is None:
        return Judged(OTHER, "It has no instance profile.", about, uses_role=False)
    try:
        of_role = {profile["Arn"] for profile in wanted_profiles(facts)}
    except CheckAborted as aborted:
        return Judged(CANNOT_TELL, aborted.outcome.reason, about, profiles, aborted.outcome)
    is_wanted = arn in of_role
    verdict, holds = (WANTED, "holds") if is_wanted else (OTHER, "does not hold")
    reason = f"It runs with {arn}, which {holds} the role."
    return Judged(verdict, reason, about, profiles, uses_role=is_wanted)


def _listed(groups: t.Iterable[Effective]) -> str:
    return "node groups " + ", ".join(sorted({display_name(one.node_group) for one in groups}))


def _named(groups: t.Iterable[Effective]) -> str:
    return ", ".join(sorted({display_name(str(choice)) for choice in _choices(groups)}))
