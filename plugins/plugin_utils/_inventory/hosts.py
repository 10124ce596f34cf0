# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Build the hosts from the rows of the Anyscale API and the fleet file: names, variables, groups.

This plugin util is private to the collection. Pure. The result does not depend on the order in
which the API lists clouds.
"""

from __future__ import annotations

import collections
import dataclasses
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.api import (
    Choice,
    is_id,
    may_be_on_aws,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.authority import (
    Verdict,
    judge_all,
    lines_to_add,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.control_planes import (
    ControlPlane,
    control_plane_conflicts,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.environment import (
    is_of_awx,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.fleet_file import (
    FleetFile,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.host_names import (
    CLOUDS_GROUP,
    NOT_APPLICABLE_GROUP,
    UNCOVERED_GROUP,
    host_names,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.inputs import Inputs
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.lines import render
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.problems import Problem
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.resource import (
    CloudResource,
    JsonObject,
    missing_cloud,
)

_UNSAFE_IN_GROUP = re.compile(r"\W")
_UNREADABLE = "These clouds cannot be read, and are left out unless the fleet file lists them"
_NO_RESOURCES = "These clouds have no resources, and are left out unless the fleet file lists them"
_EMPTY = (
    "Anyscale says that this cloud has no resources. Complete its set-up, or remove it from the fleet "
    "file and delete it."
)
_NOT_RETURNED = (
    "The fleet file lists this cloud, and the Anyscale API does not return it. If it was deleted, "
    "remove it from the fleet file; if it is not registered yet, set skip to true for it there. Else "
    "check the spelling, and the organization that the token belongs to."
)
_NO_PRIMARY = (
    "These clouds do not have exactly one primary resource, so none of their hosts converges a "
    "compute config"
)
_MISSING = "The fleet file has clouds that the API does not return"
_AMBIGUOUS = "Several clouds have these names of the fleet file, so that its settings apply to none"
_RENAMED = "The ID is appended to the host names of these clouds, since the names are taken"
_FIX = "Fix the cause, then run again."
_COMPLETE = "Complete their set-up, or delete them."
_CHECK = "Check the spelling, and the organization that the token belongs to."
# A host variable: why there is nothing to look at of a cloud that the operator asks for.
NOT_READ = "anyscale_not_read"
# Which role is assumed, and what is sent to it, is up to ``allow`` as well.
_ASSUMED = ("cloud_iam_assume_role_arn", "cloud_iam_assume_role_external_id")


@dataclasses.dataclass(frozen=True)
class Host:
    """A host of the inventory: one cloud resource."""

    name: str
    variables: JsonObject
    groups: tuple[str, ...]


def build_fleet(
    rows: t.Iterable[JsonObject],
    fleet_file: FleetFile,
    *,
    mark: bool = False,
    taken: t.Mapping[str, str] | None = None,
) -> tuple[list[Host], list[Problem]]:
    """The hosts, sorted by name, and the problems found.

    mark: create hosts also for resources that are not applicable. taken: the names of hosts and
    groups of other inventory sources, each with the ID of the cloud that the operator says it is,
    else empty.
    """
    rows = sorted(rows, key=lambda row: str(row["cloud"].get("id")))
    problems: list[Problem] = []
    asked_for = frozenset(fleet_file.clouds) if fleet_file.allow else None
    resources = [resource for row in rows for resource in _resources(row, asked_for, problems)]
    missing = _unmet_names(fleet_file, resources, rows)
    problems += [Problem(_MISSING, name, _CHECK) for name in missing]
    ambiguous = _ambiguous_names(fleet_file, resources)
    problems += [
        Problem(_AMBIGUOUS, name, "Name the clouds by their IDs.", False) for name in ambiguous
    ]
    names = dict(zip(resources, _names(resources, fleet_file, taken or {}, problems), strict=True))
    hosts = [
        Host(names[resource], resource.facts(), (NOT_APPLICABLE_GROUP,))
        for resource in resources
        if mark and resource.is_listed and not resource.is_applicable
    ]
    inputs = {
        names[resource]: Inputs(resource, fleet_file, ambiguous)
        for resource in sorted(resources, key=lambda resource: names[resource])
        if resource.is_applicable
    }
    hosts += _judged(inputs, _control_planes(resources, fleet_file), fleet_file, problems)
    hosts += _not_read(names, fleet_file, ambiguous)
    unmet = {**dict.fromkeys(missing, _NOT_RETURNED), **_unread_names(ambiguous, resources)}
    hosts += _missing(unmet, fleet_file, {**(taken or {}), **dict.fromkeys(names.values(), "")})
    return sorted(hosts, key=lambda host: host.name), problems


def _control_planes(
    resources: t.Iterable[CloudResource], fleet_file: FleetFile
) -> list[ControlPlane]:
    """Those of all clouds that could be read, whether they have a host or not."""
    listed = _listed_ids(fleet_file)
    return [
        ControlPlane(arn, resource.cloud_id, resource.label, resource.cloud_id in listed)
        for resource in resources
        if (arn := resource.arn("anyscale_iam_role_id"))
    ]


def _listed_ids(fleet_file: FleetFile) -> set[str]:
    """What can be IDs of clouds: IDs have no dots, and in <cloud>.<resource> are before the first."""
    return {name.partition(".")[0] for name in fleet_file.clouds}


def _judged(
    inputs: t.Mapping[str, Inputs],
    control_planes: t.Sequence[ControlPlane],
    fleet_file: FleetFile,
    problems: list[Problem],
) -> list[Host]:
    """The hosts of clouds that are not skipped, by whether the operator permits them."""
    chosen = {name: one for name, one in inputs.items() if not one.wanted.get("skip")}
    has_allow = fleet_file.allow is not None
    described = [one.described for one in chosen.values()]
    conflicts = control_plane_conflicts(described, control_planes)
    verdicts = judge_all(fleet_file.allow, described, conflicts)
    hosts = []
    for (name, one), verdict in zip(chosen.items(), verdicts, strict=True):
        hosts.append(_host(name, one, verdict, has_allow))
        gaps = one.problems(name)
        problems += gaps
        is_unlisted = verdict.needs_listing and has_allow
        if verdict.reasons and not is_unlisted and not gaps:
            problems.append(_not_covered(hosts[-1], has_allow))
    return hosts


def _not_read(
    names: t.Mapping[CloudResource, str], fleet_file: FleetFile, ambiguous: t.Mapping[str, str]
) -> list[Host]:
    """Hosts for the clouds that the operator lists and that could not be read. One that is not listed,
    or only by a name that another cloud has too, can be registered by anybody, and makes no run fail.
    """
    listed = fleet_file.clouds.keys() - ambiguous.keys()
    unread = {
        name: Inputs(resource, fleet_file, ambiguous)
        for resource, name in names.items()
        if resource.not_read and not listed.isdisjoint(resource.names())
    }
    return [
        _not_read_host(name, inputs)
        for name, inputs in unread.items()
        if not inputs.wanted.get("skip")
    ]


def _unread_names(
    ambiguous: t.Mapping[str, str], resources: t.Iterable[CloudResource]
) -> dict[str, str]:
    """The names of several clouds none of which could be read: whichever is meant, there is nothing to
    look at. Each with the reason.
    """
    known = {name for resource in resources if not resource.not_read for name in resource.names()}
    return {
        name: f"{why[0].upper()}{why[1:]}." for name, why in ambiguous.items() if name not in known
    }


def _missing(
    missing: t.Mapping[str, str], fleet_file: FleetFile, taken: t.Mapping[str, str]
) -> list[Host]:
    """Hosts for what only the fleet file names, each with the reason. taken: the names of all other
    hosts.
    """
    inputs = []
    for key, why in missing.items():
        settings = fleet_file.settings([key])
        if not settings.get("skip"):
            inputs.append(Inputs(missing_cloud(key, why), FleetFile(settings), {}))
    names = host_names([one.resource for one in inputs], (), taken)
    return [_not_read_host(name, one) for name, one in zip(names, inputs, strict=True)]


def _not_read_host(name: str, inputs: Inputs) -> Host:
    """A host for a cloud of which there is nothing to look at, so that no run for all clouds looks
    like one that was about this one as well.
    """
    facts = {
        **inputs.resource.unread_facts(),
        "anyscale_ring": inputs.settings.get("ring"),
        "anyscale_tags": inputs.settings.get("tags", {}),
        NOT_READ: inputs.resource.not_read,
    }
    return Host(name, facts, _groups(CLOUDS_GROUP, facts))


def _resources(
    row: JsonObject, asked_for: t.Collection[str] | None, problems: list[Problem]
) -> list[CloudResource]:
    """A cloud's resources, or only the cloud if there are none: its name must be known to detect
    duplicates, even if its resources could not be read.

    asked_for: the names in the fleet file. What is wrong with another cloud, which anybody can
    register, is no error; ``None`` if all are asked for.
    """
    cloud, rows = row["cloud"], row["resources"]
    readable = {
        found["cloud_resource_id"]: found
        for found in rows or []
        if is_id(found.get("cloud_resource_id"))
    }
    alone = CloudResource(cloud, {}, is_listed=row["chosen"] and not may_be_on_aws(cloud))
    is_error = asked_for is None or any(name in asked_for for name in alone.names())
    if row["failure"]:
        problems.append(Problem(_UNREADABLE, f"{alone.label} ({row['failure']})", _FIX))
        text = f"This cloud cannot be read: {row['failure']} {_FIX}"
        return [dataclasses.replace(alone, not_read=text)]
    if rows is not None and not readable:
        problems.append(Problem(_NO_RESOURCES, alone.label, _COMPLETE, is_error))
        return [dataclasses.replace(alone, not_read=_EMPTY)]
    if not readable:
        return [alone]
    primary = [key for key, found in readable.items() if found.get("is_default") is True]
    if len(readable) == 1:
        primary = list(readable)
    if len(primary) != 1:
        remedy = "Check 'anyscale cloud get' and make one of its resources the default."
        problems.append(Problem(_NO_PRIMARY, alone.label, remedy, is_error))
    return [
        CloudResource(cloud, found, is_primary=[key] == primary)
        for key, found in sorted(readable.items())
    ]


def _names(
    resources: t.Sequence[CloudResource],
    fleet_file: FleetFile,
    taken: t.Mapping[str, str],
    problems: list[Problem],
) -> list[str]:
    """The names of the hosts, with a problem for those that are not the shortest possible."""
    names = host_names(resources, _listed_ids(fleet_file), taken)
    problems += [
        Problem(_RENAMED, name, "To choose which one keeps its name, list it by its ID.")
        for name, resource in zip(names, resources, strict=True)
        if resource.is_applicable and name != resource.host_names()[0]
    ]
    return names


def _ambiguous_names(fleet_file: FleetFile, resources: t.Iterable[CloudResource]) -> dict[str, str]:
    """The names in the fleet file that several clouds have, each with the reason why none of them
    can be meant.
    """
    owners: dict[str, set[str]] = collections.defaultdict(set)
    for resource in resources:
        for name in resource.names():
            owners[name].update([resource.cloud_id] if may_be_on_aws(resource.cloud) else [])
    return {
        name: f"the fleet file's {name!r} is the name of {len(owners[name])} clouds, "
        f"{', '.join(sorted(owners[name]))}: name them by their IDs"
        for name in fleet_file.clouds
        if len(owners.get(name, ())) > 1
    }


def _unmet_names(
    fleet_file: FleetFile, resources: t.Iterable[CloudResource], rows: t.Iterable[JsonObject]
) -> list[str]:
    """The names in the fleet file that no cloud has."""
    known = {name for resource in resources for name in resource.names()}
    unread = {
        str(row["cloud"].get(key))
        for row in rows
        if row["resources"] is None
        for key in ("name", "id")
    }
    return [
        name for name in fleet_file.clouds if name not in known and not _is_within(name, unread)
    ]


def _is_within(name: str, clouds: t.Collection[str]) -> bool:
    """Whether a name can be that of a resource of one of these clouds."""
    return any(name[: dot.start()] in clouds for dot in re.finditer(r"\.", name))


def _host(name: str, inputs: Inputs, verdict: Verdict, has_allow: bool) -> Host:
    """A host: with variables for the role if the cloud is covered, else with the reason why not."""
    described = inputs.described
    facts = {
        **inputs.resource.facts(),
        "anyscale_ring": inputs.settings.get("ring"),
        "anyscale_tags": inputs.settings.get("tags", {}),
    }
    if not verdict.reasons:
        facts["anyscale_authority"] = {
            "covered": True,
            "listed": described.listed,
            "listed_by_id": described.listed_by_id,
        }
        return Host(name, {**inputs.permitted(), **facts}, _groups(CLOUDS_GROUP, facts))
    # What the operator does not ask for cannot make a run fail, whoever registers it.
    is_asked_for = described.listed or not has_allow
    facts["anyscale_authority"] = {
        "covered": False,
        "listed": described.listed,
        "contested": verdict.contested,
        "reason": "; ".join(dict.fromkeys(verdict.reasons.values())),
        "lines": render(
            lines_to_add(described, verdict),
            {described.cloud_id: inputs.resource.cloud_name},
            verdict.sharing,
        ),
        "uncovered": sorted(verdict.reasons),
        "inputs": _readable(inputs, verdict),
    }
    return Host(name, facts, _groups(CLOUDS_GROUP if is_asked_for else UNCOVERED_GROUP, facts))


def _readable(inputs: Inputs, verdict: Verdict) -> JsonObject:
    """The variables for an audit, which only reads; none where that would need a role in an account
    that is not permitted.
    """
    variables = inputs.permitted()
    if not verdict.has_account and any(name in variables for name in _ASSUMED):
        return {}
    return variables


def _not_covered(host: Host, has_allow: bool) -> Problem:
    """What the operator is told. A cloud that nobody asked for is no error, whoever registers it."""
    authority = host.variables["anyscale_authority"]
    remedy = "ansible-inventory --host <cloud> has the lines to add, in anyscale_authority."
    if is_of_awx():
        remedy = "The lines to add are in anyscale_authority, among the variables of each host."
    if not has_allow:
        what = "The fleet file has no section allow, so nothing is written for these clouds"
        return Problem(what, host.name, remedy)
    return Problem(
        "The fleet file does not cover these clouds, so nothing is written for them",
        f"{host.name} ({authority['reason']})",
        remedy,
        is_error=authority["listed"],
    )


def _groups(first: str, facts: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    values = {
        kind: facts[f"anyscale_{kind}"] for kind in ("account_id", "region", "ring", "bucket")
    }
    made = (
        f"{kind.removesuffix('_id')}_{_UNSAFE_IN_GROUP.sub('_', value)}"
        for kind, value in values.items()
        if value
    )
    return (first, *made)


def unmet_patterns(choice: Choice, rows: t.Iterable[JsonObject]) -> list[Problem]:
    """The patterns of the option ``clouds`` that match no cloud."""
    unmet = choice.unmet(row["cloud"] for row in rows)
    return [
        Problem("The option clouds has clouds that the API does not return", pattern, _CHECK)
        for pattern in unmet
    ]
