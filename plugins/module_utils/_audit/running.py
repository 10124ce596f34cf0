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
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import (
    Facts,
    Json,
    Running,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.node_profiles import (
    Effective,
    effective_profiles,
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
        profiles = tuple(sorted({group.instance_profile_arn for group in groups}))
        verdict, reason = _verdict(facts, template, groups)
        uses_role = any(group.is_one_of(facts.role_profiles.get()) for group in groups)
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
    if facts.mappings.get():
        raise unknown(
            f"Cloud IAM mapping may give it another profile than {config}, which is not known from "
            "outside."
        )
    of_role = facts.role_profiles.get()
    wrong = [group for group in groups if not group.is_one_of(of_role)]
    if not wrong:
        uncertain = [
            group for group in groups if group.kind not in ("instance_profile", facts.arn_kind)
        ]
        if uncertain:
            raise unknown(
                f"It runs with the role only if Anyscale accepts {_named(uncertain)} as its "
                "instance profile."
            )
        return WANTED, f"Every node group of {config} runs with the role."
    reason = f"Node groups of {config} run with {_named(wrong)}, which does not hold the role."
    newest = _newest_version(facts, template["name"])
    if newest is not None and template["version"] < newest:
        return OLDER_VERSION, f"{reason} The newest version is {newest}."
    return OTHER, reason


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
        of_role = {profile["Arn"] for profile in facts.role_profiles.get()}
    except CheckAborted as aborted:
        return Judged(CANNOT_TELL, aborted.outcome.reason, about, profiles, aborted.outcome)
    is_wanted = arn in of_role
    verdict, holds = (WANTED, "holds") if is_wanted else (OTHER, "does not hold")
    reason = f"It runs with {arn}, which {holds} the role."
    return Judged(verdict, reason, about, profiles, uses_role=is_wanted)


def _named(groups: t.Iterable[Effective]) -> str:
    return ", ".join(
        sorted(
            {f"{display_name(group.instance_profile_arn)} ({group.decided_by})" for group in groups}
        )
    )
