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


def host_names(
    resources: t.Sequence[CloudResource],
    listed: t.Callable[[CloudResource], bool],
    taken: t.Mapping[str, str],
) -> list[str]:
    """A name for each resource.

    listed: whether the operator names a resource by its ID; such a one comes first, then the one
    that was registered first. taken: the hosts and groups of other inventory sources, each with
    the ID of the cloud or ``<cloud>.<resource>`` that it stands for, else empty.
    """
    used = dict(taken)
    names = {}
    for index in sorted(
        range(len(resources)), key=lambda index: _precedence(resources[index], listed)
    ):
        names[index] = _first_free(resources[index], used)
        used[names[index]] = ""
    return [names[index] for index in range(len(resources))]


def _precedence(
    resource: CloudResource, listed: t.Callable[[CloudResource], bool]
) -> tuple[bool, bool, str, str, str]:
    """A cloud that cannot be read now keeps its name; one of another provider, which never has a
    host of its own, takes no name from those that have one.
    """
    return (
        not may_be_on_aws(resource.cloud),
        not listed(resource),
        resource.named_at,
        resource.cloud_id,
        resource.resource_id or "",
    )


def _first_free(resource: CloudResource, used: t.Mapping[str, str]) -> str:
    short, *longer = resource.host_names()
    is_own_id = short == resource.cloud_id
    candidates = longer if _RESERVED.match(short) and not is_own_id else [short, *longer]
    numbered = (f"{candidates[-1]}-{number}" for number in itertools.count(2))
    own = (resource.cloud_id, f"{resource.cloud_id}.{resource.resource_id}")
    return next(
        name
        for name in itertools.chain(candidates, numbered)
        if name not in used or used[name] in own
    )
