# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What several clouds of a run want of one document, and what the plan of one means for others.

This plugin util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import os
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    LivePolicy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import Live
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    PREFIX,
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    backup_directory,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.lock import lock_directory
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Resource,
    refusing,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import SHARED
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

# Where the backup and the lock of a cloud's documents are, and what tells whether that is the same place.
_PLACES: dict[str, t.Callable[[CloudSettings], str | None]] = {
    "backup_dir": lambda settings: os.path.normpath(backup_directory(settings.backup_dir)),
    "backup_key": lambda settings: settings.backup_key,
    "lock_dir": lambda settings: os.path.normpath(lock_directory(settings.lock_dir)),
}


def by_document(resources: t.Iterable[Resource]) -> t.Iterable[list[Resource]]:
    """The resources that are the same document: clouds that connect in different ways have a
    resource each.
    """
    documents: dict[str, list[Resource]] = {}
    for resource in resources:
        documents.setdefault(t.cast(Live, resource.live).resource, []).append(resource)
    return documents.values()


def refuse_different_places(resources: t.Sequence[Resource]) -> None:
    """Refuse the clouds of a document that differ in where its backup or its lock is, also those in
    sync. What is written for all of them has one backup and one lock: a cloud with others would find no
    backup in its directory, and share no lock with a run for it alone.
    """
    clouds = list(dict.fromkeys(cloud for one in resources for cloud in one.clouds))
    clouds = [cloud for cloud in clouds if not cloud.error]
    if len(clouds) < 2:
        return
    with refusing(clouds):
        for name, place_of in _PLACES.items():
            concerned = [cloud for cloud in clouds if cloud.settings.backup or name == "lock_dir"]
            if len({place_of(cloud.settings) for cloud in concerned}) > 1:
                names = summarize_names([cloud.name for cloud in concerned])
                document = t.cast(Live, resources[0].live).resource
                raise InputError(
                    f"{names} have the {document} in common, and differ in {PREFIX}{name}. What is "
                    "written for all of them has one backup and one lock.",
                    "Set it to the same for these clouds.",
                )


def plan_together(resources: t.Sequence[Resource]) -> None:
    """Plan what several clouds want of one document together, which may be too much for it."""
    wanting = [cloud for resource in resources for cloud in resource.clouds if not cloud.error]
    pending = [cloud for resource in resources for cloud in resource.pending(wanting)]
    if len(wanting) > 1 and pending:
        with refusing(pending):
            joint = resources[0].joined(resources[1:])
            plan = joint.reconciler(wanting).plan(t.cast(Live, joint.live))
            _add_warnings(plan, resources, wanting, pending)


def _add_warnings(
    joint: Plan,
    resources: t.Sequence[Resource],
    wanting: t.Iterable[Cloud],
    pending: t.Iterable[Cloud],
) -> None:
    """Give the clouds that need a change the warnings that none of them has by itself, such as of a
    document's size.
    """
    own = [(cloud, one) for cloud in wanting for one in resources if one in cloud.plans]
    known = {warning for cloud, one in own for warning in cloud.plans[one].warnings}
    more = tuple(warning for warning in joint.warnings if warning not in known)
    for cloud, one in own:
        if more and cloud in pending:
            plan = cloud.plans[one]
            cloud.plans[one] = dataclasses.replace(plan, warnings=(*plan.warnings, *more))


def predict_for_others(resource: Resource, plan: Plan, clouds: t.Collection[Cloud]) -> None:
    """Plan what other clouds, of later batches, will find once a resource is changed. ``plan`` is
    that of these clouds.
    """
    if resource.stage in SHARED:
        live = t.cast(LivePolicy, resource.live)
        resource.live = dataclasses.replace(live, document=plan.after)
    for cloud in resource.clouds:
        if cloud in clouds or cloud.error:
            continue
        if resource.stage not in SHARED:  # all clouds want the same of it
            cloud.plans[resource] = dataclasses.replace(cloud.plans[resource], reasons=())
            continue
        with refusing([cloud]):
            cloud.plans[resource] = _planned_again(resource, cloud)


def _planned_again(resource: Resource, cloud: Cloud) -> Plan:
    """A cloud's own plan of what is predicted. A change that it did not need before is judged now."""
    reconciler, live = resource.reconciler([cloud]), t.cast(Live, resource.live)
    own = reconciler.plan(live)
    if own.changed and not cloud.plans[resource].changed:
        reconciler.guard(live, own)
    return own
