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

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.api import (
    Choice,
    is_id,
    may_be_on_aws,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.fleet_file import (
    INPUT_KEYS,
    FleetFile,
    Settings,
    UnknownPlaceholder,
    filled_in,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.resource import (
    CloudResource,
    JsonObject,
)

CLOUDS_GROUP = "anyscale_clouds"
NOT_APPLICABLE_GROUP = "anyscale_not_applicable"

_UNSAFE_IN_GROUP = re.compile(r"\W")
# Names that a host cannot have: those reserved by Ansible, and those of the groups created here.
_RESERVED = re.compile(
    rf"(all|ungrouped|localhost|127\.0\.0\.1|{CLOUDS_GROUP}|{NOT_APPLICABLE_GROUP}|account_[0-9]{{12}}|(region|ring|bucket)_.*)\Z"
)

_MOST_NAMED = 50
_UNREADABLE = "These clouds cannot be read and are left out"
_NO_PRIMARY = (
    "These clouds do not have exactly one primary resource, so none of their hosts converges a "
    "compute config"
)
# The variables that the role cloud_iam requires, and where else they can come from.
_REQUIRED = {
    "cloud_iam_account_id": (
        "The API returns no role ARN with the AWS account of",
        "Set cloud_iam_account_id under variables in the fleet file.",
    ),
    "cloud_iam_role": (
        "The API returns no role for the clusters of, so the default role would be converged",
        "Set role in the fleet file.",
    ),
    "cloud_iam_bucket": (
        "The API returns no S3 bucket of",
        (
            "Set cloud_iam_bucket, or cloud_iam_manage_bucket_access to false, under variables in the "
            "fleet file."
        ),
    ),
}


@dataclasses.dataclass(frozen=True)
class Host:
    """A host of the inventory: one cloud resource."""

    name: str
    variables: JsonObject
    groups: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A gap in the inventory, which ``strict`` turns into an error, or something to warn about."""

    what: str
    who: str
    remedy: str
    is_error: bool = True


def build_fleet(
    rows: t.Iterable[JsonObject], fleet_file: FleetFile, *, mark: bool = False
) -> tuple[list[Host], list[Problem]]:
    """The hosts, sorted by name, and the problems found. ``mark``: create hosts also for resources
    that are not applicable.
    """
    rows = sorted(rows, key=lambda row: str(row["cloud"].get("id")))
    problems: list[Problem] = []
    resources = [resource for row in rows for resource in _resources(row, problems)]
    problems += _unmet_names(fleet_file, resources, rows)
    hosts = []
    for name, resource in sorted(
        zip(_host_names(resources, problems), resources, strict=True), key=lambda pair: pair[0]
    ):
        if resource.is_applicable:
            host = _host(name, resource, fleet_file, problems)
        else:
            host = (
                Host(name, resource.facts(), (NOT_APPLICABLE_GROUP,))
                if mark and resource.is_listed
                else None
            )
        hosts += [host] if host else []
    return hosts, problems


def _resources(row: JsonObject, problems: list[Problem]) -> list[CloudResource]:
    """A cloud's resources, or only the cloud if there are none: its name must be known to detect
    duplicates, even if its resources could not be read.
    """
    cloud, rows = row["cloud"], row["resources"]
    readable = {
        found["cloud_resource_id"]: found
        for found in rows or []
        if is_id(found.get("cloud_resource_id"))
    }
    alone = CloudResource(cloud, {}, is_listed=row["chosen"] and not may_be_on_aws(cloud))
    if row["failure"]:
        problems.append(
            Problem(
                _UNREADABLE,
                f"{alone.label} ({row['failure']})",
                "Fix the cause, then run again.",
            )
        )
    elif rows is not None and not readable:
        problems.append(
            Problem(
                "These clouds have no resources and are left out",
                alone.label,
                "Complete their set-up, or delete them.",
            )
        )
    if not readable:
        return [alone]
    primary = [key for key, found in readable.items() if found.get("is_default") is True]
    if len(readable) == 1:
        primary = list(readable)
    if len(primary) != 1:
        remedy = "Check 'anyscale cloud get' and make one of its resources the default."
        problems.append(Problem(_NO_PRIMARY, alone.label, remedy))
    return [
        CloudResource(cloud, found, is_primary=[key] == primary)
        for key, found in sorted(readable.items())
    ]


def _host_names(resources: t.Sequence[CloudResource], problems: list[Problem]) -> list[str]:
    """A unique name for each resource. All resources that would share a name get a longer one, so
    that names do not depend on the order.
    """
    candidates = [resource.host_names() for resource in resources]
    chosen = [1 if _RESERVED.match(names[0]) else 0 for names in candidates]
    last = 2
    while True:
        names = [each[position] for each, position in zip(candidates, chosen, strict=True)]
        count = collections.Counter(names)
        shared = [
            index for index, name in enumerate(names) if count[name] > 1 and chosen[index] < last
        ]
        if not shared:
            return names
        for index in shared:
            chosen[index] += 1
            if resources[index].is_applicable:
                who = f"{names[index]} of {resources[index].cloud_id}"
                problems.append(
                    Problem(
                        "Several clouds would have the same host name, so their ids are appended",
                        who,
                        "",
                        is_error=False,
                    )
                )


def _unmet_names(
    fleet_file: FleetFile, resources: t.Iterable[CloudResource], rows: t.Iterable[JsonObject]
) -> list[Problem]:
    """The names in the fleet file that no cloud has. A name that several clouds have is an error,
    because its settings would be ambiguous.
    """
    if not fleet_file.clouds:
        return []
    owners: dict[str, set[str]] = collections.defaultdict(set)
    for resource in resources:
        for name in resource.names():
            owners[name].update([resource.cloud_id] if may_be_on_aws(resource.cloud) else [])
    for name in fleet_file.clouds:
        if len(owners.get(name, ())) > 1:
            whose = f"{len(owners[name])} clouds: {', '.join(sorted(owners[name]))}"
            raise InputError(
                f"The fleet file's {name!r} is the name of {whose}.",
                "Use the IDs of the clouds instead.",
            )
    unread = {
        str(row["cloud"].get(key))
        for row in rows
        if row["resources"] is None
        for key in ("name", "id")
    }
    unmet = [
        name for name in fleet_file.clouds if name not in owners and not _is_within(name, unread)
    ]
    remedy = "Check the spelling, and the organization that the token belongs to."
    return [
        Problem("The fleet file has clouds that the API does not return", name, remedy)
        for name in unmet
    ]


def _is_within(name: str, clouds: t.Collection[str]) -> bool:
    """Whether a name can be that of a resource of one of these clouds."""
    return any(name[: dot.start()] in clouds for dot in re.finditer(r"\.", name))


def _host(
    name: str, resource: CloudResource, fleet_file: FleetFile, problems: list[Problem]
) -> Host | None:
    wanted = fleet_file.settings(resource.names())
    if wanted.get("skip"):
        return None
    settings = _filled_in(wanted, resource, name, problems)
    inputs = {
        "cloud_iam_cloud_id": resource.cloud_id,
        "cloud_iam_account_id": resource.account_id,
        "cloud_iam_region": resource.bucket_region,
        "cloud_iam_bucket": resource.bucket,
        "cloud_iam_role": None if "role" in wanted else resource.arn("cluster_iam_role_id"),
        # A compute config belongs to the cloud. Two hosts that publish the same one would overwrite
        # each other's versions.
        "cloud_iam_manage_compute_config": None if resource.is_primary else False,
        **{f"cloud_iam_{key}": settings[key] for key in INPUT_KEYS if key in settings},
        **settings.get("variables", {}),
    }
    problems += [
        Problem(what, name, remedy)
        for key, (what, remedy) in _REQUIRED.items()
        if _is_missing(key, inputs)
    ]
    variables = {
        **{key: value for key, value in inputs.items() if value is not None},
        **resource.facts(),
        "anyscale_ring": settings.get("ring"),
        "anyscale_tags": settings.get("tags", {}),
    }
    return Host(name, variables, _groups(variables))


def _is_missing(key: str, inputs: t.Mapping[str, t.Any]) -> bool:
    return inputs.get(key) is None and not (
        key == "cloud_iam_bucket" and inputs.get("cloud_iam_manage_bucket_access") is False
    )


def _filled_in(
    wanted: Settings, resource: CloudResource, host: str, problems: list[Problem]
) -> Settings:
    known = {
        "account_id": resource.account_id,
        "cloud_id": resource.cloud_id,
        "cloud": _safe_in_path(resource.cloud_name),
        "region": resource.region,
    }
    settings = {}
    for key, value in wanted.items():
        try:
            settings[key] = filled_in(value, known)
        except UnknownPlaceholder as unknown:
            why = (
                "is not usable in a path" if str(unknown) == "cloud" else "the API does not return"
            )
            what = f"The fleet file's {key} needs {{{unknown}}}, which {why}, so it is not set"
            problems.append(Problem(what, host, "Set it without the placeholder for these hosts."))
    return settings


def _safe_in_path(name: str) -> str | None:
    """The name, unless it would lead to another directory as a part of a path: users choose the
    names of clouds.
    """
    return None if "/" in name or name in (".", "..") else name


def _groups(variables: t.Mapping[str, t.Any]) -> tuple[str, ...]:
    values = {
        kind: variables[f"anyscale_{kind}"] for kind in ("account_id", "region", "ring", "bucket")
    }
    made = (
        f"{kind.removesuffix('_id')}_{_UNSAFE_IN_GROUP.sub('_', value)}"
        for kind, value in values.items()
        if value
    )
    return (CLOUDS_GROUP, *made)


def unmet_patterns(choice: Choice, rows: t.Iterable[JsonObject]) -> list[Problem]:
    """The patterns of the option ``clouds`` that match no cloud."""
    remedy = "Check the spelling, and the organization that the token belongs to."
    unmet = choice.unmet(row["cloud"] for row in rows)
    return [
        Problem("The option clouds has clouds that the API does not return", pattern, remedy)
        for pattern in unmet
    ]


def summaries(problems: t.Iterable[Problem]) -> list[tuple[str, bool]]:
    """One message for each kind of problem, with the names that it concerns, and whether ``strict``
    turns it into an error.
    """
    kinds: dict[tuple[str, str, bool], list[str]] = collections.defaultdict(list)
    for problem in problems:
        kinds[problem.what, problem.remedy, problem.is_error].append(problem.who)
    return [
        (f"{what}: {_enumerated(who)}. {remedy}".strip(), is_error)
        for (what, remedy, is_error), who in kinds.items()
    ]


def _enumerated(who: t.Sequence[str]) -> str:
    """Names for a message. The names of clouds may contain control characters, and there may be
    thousands.
    """
    more = f", and {len(who) - _MOST_NAMED} more" if len(who) > _MOST_NAMED else ""
    named = ", ".join(who[:_MOST_NAMED])
    return "".join(char if char.isprintable() else "?" for char in named) + more
