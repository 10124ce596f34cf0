# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Name the hosts: unique names, which stay the same whatever other clouds are registered.

This plugin util is private to the collection. Pure. Host variables and limits are bound to a name,
so that a name of one cloud must never become that of another: whoever comes later gets a longer one.
"""

from __future__ import annotations

import itertools
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.api import may_be_on_aws
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.resource import (
    CloudResource,
)

CLOUDS_GROUP = "anyscale_clouds"
UNCOVERED_GROUP = "anyscale_uncovered"
NOT_APPLICABLE_GROUP = "anyscale_not_applicable"
OWN_GROUPS = frozenset({CLOUDS_GROUP, UNCOVERED_GROUP, NOT_APPLICABLE_GROUP})

# Names that a host cannot have: those reserved by Ansible, those of the groups created here, and
# what could be the ID of another cloud.
_RESERVED = re.compile(
    rf"(all|ungrouped|localhost|127\.0\.0\.1|{CLOUDS_GROUP}|{UNCOVERED_GROUP}|{NOT_APPLICABLE_GROUP}"
    r"|account_[0-9]{12}|(region|ring|bucket)_.*)\Z|.*cld(rsrc)?_",
    re.IGNORECASE,
)
_LIKE_ID = re.compile(r"cld(rsrc)?_", re.IGNORECASE)


def host_names(
    resources: t.Sequence[CloudResource],
    listed: t.Container[str],
    taken: t.Mapping[str, str],
) -> list[str]:
    """A name for each resource.

    listed: the IDs of the clouds that the operator names by their IDs; these come first, then the
    one that was registered first. taken: the hosts and groups of other inventory sources, each with
    the ID of the cloud or ``<cloud>.<resource>`` that it stands for, else empty.
    """
    ranks = _ranks(resources, listed)
    owners = _owners(resources, ranks)
    used = dict(taken)
    names = {}
    for index in sorted(range(len(resources)), key=lambda index: _order(resources[index], ranks)):
        resource = resources[index]
        may_be_short = _is_own(resource.host_names()[0], ranks[resource.cloud_id], owners)
        names[index] = _first_free(resource, may_be_short, used)
        used[names[index]] = ""
    return [names[index] for index in range(len(resources))]


def _ranks(resources: t.Iterable[CloudResource], listed: t.Container[str]) -> dict[str, int]:
    """The clouds by ID, in the order in which they choose: by what is known of a cloud whose
    resources cannot be read. One of another provider, which never has a host of its own, takes no
    name from those that have one.
    """
    clouds = {resource.cloud_id: resource for resource in resources}
    ordered = sorted(
        clouds.values(),
        key=lambda one: (
            not may_be_on_aws(one.cloud),
            one.cloud_id not in listed,
            one.cloud_created_at,
            one.cloud_id,
        ),
    )
    return {one.cloud_id: rank for rank, one in enumerate(ordered)}


def _owners(resources: t.Iterable[CloudResource], ranks: t.Mapping[str, int]) -> dict[str, int]:
    """The rank of the first cloud of each name. A name that looks like the ID of another cloud is
    nobody's.
    """
    owners: dict[str, int] = {}
    for resource in resources:
        name, rank = resource.cloud_host_name, ranks[resource.cloud_id]
        if name == resource.cloud_id or not _LIKE_ID.search(name):
            owners[name] = min(rank, owners.get(name, rank))
    return owners


def _is_own(name: str, rank: int, owners: t.Mapping[str, int]) -> bool:
    """Whether no cloud that comes before the one of this rank can have a host of this name: as its
    own, or as ``<cloud>.<resource>``, whatever resources it has.
    """
    parts = [name, *(name[: dot.start()] for dot in re.finditer(r"\.", name))]
    return all(owners.get(part, rank) >= rank for part in parts)


def _order(resource: CloudResource, ranks: t.Mapping[str, int]) -> tuple[int, bool, str, str]:
    return (
        ranks[resource.cloud_id],
        not resource.is_primary,
        resource.created_at,
        resource.resource_id or "",
    )


def _first_free(resource: CloudResource, may_be_short: bool, used: t.Mapping[str, str]) -> str:
    short, *longer = resource.host_names()
    is_reserved = _RESERVED.match(short) and short != resource.cloud_id
    candidates = [short, *longer] if may_be_short and not is_reserved else longer
    numbered = (f"{candidates[-1]}-{number}" for number in itertools.count(2))
    own = (resource.cloud_id, f"{resource.cloud_id}.{resource.resource_id}")
    return next(
        name
        for name in itertools.chain(candidates, numbered)
        if name not in used or used[name] in own
    )
