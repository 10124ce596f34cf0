# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the rows of the Anyscale API and the fleet file to hosts: their names, variables and groups.

This plugin util is private to the collection. Pure, and the same whatever the order in which the
API lists its clouds.
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
# Names that mean something else: Ansible's own, and those of the groups that are made here.
_TAKEN = re.compile(
    rf"(all|ungrouped|localhost|127\.0\.0\.1|{CLOUDS_GROUP}|{NOT_APPLICABLE_GROUP}|account_[0-9]{{12}}|(region|ring|bucket)_.*)\Z"
)

_MOST_NAMED = 50
_UNREADABLE = "These clouds cannot be read and are left out"
_NO_PRIMARY = (
    "These clouds do not have exactly one primary resource, so none of their hosts converges a "
    "compute config"
)
# What the role cloud_iam cannot do without, and where else it can come from.
_NEEDED = {
    "cloud_iam_account_id": (
        "The API shows no role that tells the AWS account of",
        "Set cloud_iam_account_id under variables in the fleet file.",
    ),
    "cloud_iam_role": (
        "The API shows no role for the clusters of, so the cloud's default role would be converged",
        "Name the role in the fleet file.",
    ),
    "cloud_iam_bucket": (
        "The API shows no S3 bucket of",
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
    """Something that keeps the inventory from being complete (``strict`` makes it an error) or that
    the user should know.
    """

    what: str
    who: str
    remedy: str
    is_error: bool = True


def build_fleet(
    rows: t.Iterable[JsonObject], fleet_file: FleetFile, *, mark: bool = False
) -> tuple[list[Host], list[Problem]]:
    """The hosts, sorted by name, and what was met in making them. ``mark``: hosts also for what is
    not applicable.
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
    """A cloud's resources; the cloud alone where there are none: it counts for the names, whatever
    could be read of it.
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
            Problem(_UNREADABLE, f"{alone.label} ({row['failure']})", "Mend that, then run again.")
        )
    elif rows is not None and not readable:
        problems.append(
            Problem(
                "These clouds have no resources and are left out",
                alone.label,
                "Finish or delete them.",
            )
        )
    if not readable:
        return [alone]
    primary = [
        key
        for key, found in readable.items()
        if found.get("is_default") is True or len(readable) == 1
    ]
    if len(primary) != 1:
        problems.append(Problem(_NO_PRIMARY, alone.label, "Ask Anyscale to mend them."))
    return [
        CloudResource(cloud, found, is_primary=[key] == primary)
        for key, found in sorted(readable.items())
    ]


def _host_names(resources: t.Sequence[CloudResource], problems: list[Problem]) -> list[str]:
    """A name of its own for each: all that would share one take a longer one, so that none depends
    on an order.
    """
    candidates = [resource.host_names() for resource in resources]
    chosen = [1 if _TAKEN.match(names[0]) else 0 for names in candidates]
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
    """The names in the fleet file that no cloud has. One that several have is an error: whose
    settings would they be?
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
                "Write their ids in its place.",
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
    remedy = "Check them and the organization of the token."
    return [
        Problem("The fleet file names clouds that the API does not show", name, remedy)
        for name in unmet
    ]


def _is_within(name: str, clouds: t.Collection[str]) -> bool:
    """Whether a name may be that of a resource of one of these clouds."""
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
        # A compute config belongs to the cloud: two hosts that publish the same one would undo each
        # other's work.
        "cloud_iam_manage_compute_config": None if resource.is_primary else False,
        **{f"cloud_iam_{key}": settings[key] for key in INPUT_KEYS if key in settings},
        **settings.get("variables", {}),
    }
    problems += [
        Problem(what, name, remedy)
        for key, (what, remedy) in _NEEDED.items()
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
        "cloud": _without_folders(resource.cloud_name),
        "region": resource.region,
    }
    settings = {}
    for key, value in wanted.items():
        try:
            settings[key] = filled_in(value, known)
        except UnknownPlaceholder as unknown:
            shown = "has a folder in it" if str(unknown) == "cloud" else "the API does not show"
            what = f"The fleet file's {key} needs {{{unknown}}}, which {shown}, so it is not set"
            problems.append(Problem(what, host, "Write it without the placeholder for them."))
    return settings


def _without_folders(name: str) -> str | None:
    """A name of somebody else's, unless it would lead to another folder where it becomes a part of
    a path.
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
    """The patterns of the option ``clouds`` that no cloud meets."""
    remedy = "Check them and the organization of the token."
    unmet = choice.unmet(row["cloud"] for row in rows)
    return [
        Problem("The option clouds names clouds that the API does not show", pattern, remedy)
        for pattern in unmet
    ]


def summaries(problems: t.Iterable[Problem]) -> list[tuple[str, bool]]:
    """One text for each kind of problem, naming whom it is about, and whether ``strict`` makes an
    error of it.
    """
    kinds: dict[tuple[str, str, bool], list[str]] = collections.defaultdict(list)
    for problem in problems:
        kinds[problem.what, problem.remedy, problem.is_error].append(problem.who)
    return [
        (f"{what}: {_enumerated(who)}. {remedy}".strip(), is_error)
        for (what, remedy, is_error), who in kinds.items()
    ]


def _enumerated(who: t.Sequence[str]) -> str:
    """Names for a screen: what people call their clouds may hold anything, and there may be
    thousands of them.
    """
    more = f", and {len(who) - _MOST_NAMED} more" if len(who) > _MOST_NAMED else ""
    named = ", ".join(who[:_MOST_NAMED])
    return "".join(char if char.isprintable() else "?" for char in named) + more
