# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The outcome of each cloud of a run, from what was done to the resources that it wants.

This plugin util is private to the collection.
"""

from __future__ import annotations

import functools
import typing as t

from ansible.module_utils.common.parameters import remove_values

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    STATEMENT_LOST,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import Live
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.diffs import document_diff
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.done import Done
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Resource,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    BUCKET,
    STAGES,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import (
    CHANGED,
    FAILED,
    IN_SYNC,
    NOT_REACHED,
    WOULD_CHANGE,
)

# The facts of a cloud that playbooks need after it was converged.
_FACTS = ("role_arn", "instance_profile_arn", "compute_config")

Json = dict[str, t.Any]


def planned_outcome(cloud: Cloud) -> Json:
    """The outcome of a cloud that needs no change, or that is refused."""
    return {**_base(cloud), "state": FAILED if cloud.error else IN_SYNC, **_failure(cloud)}


def outcome_of(cloud: Cloud, done: t.Sequence[Done], check_mode: bool) -> Json:
    """The outcome of a cloud that needed changes. ``done``: what was done to its resources, in the
    order of the documents in the diff.
    """
    principals = [one.principal for one in done if one.principal]
    changed = [one for one in done if one.plan.changed]
    writes = [write for one in done for write in one.writes]
    backups = [backup["backup_file"] for one in done for backup in one.journal.backups]
    return {
        **_base(cloud),
        "state": _state(cloud, done, changed, check_mode),
        "changed": any(one.plan.changed or one.journal.written for one in done),
        "reasons": list(
            dict.fromkeys(reason for one in changed for reason in _reasons(cloud, one))
        ),
        "resources": [_name(one.resource) for one in changed],
        "warnings": _warnings(cloud, done),
        "backup_files": list(dict.fromkeys(backups)),
        "writes": writes,
        **({"principal": principals[0]} if principals else {}),
        "overwritten": any(one.restorations for one in done),
        **_facts(cloud, done),
        **_failure(cloud, done),
    }


def diffs_of(cloud: Cloud, done: t.Sequence[Done]) -> list[Json]:
    """What changed, document by document."""
    return [
        document_diff(
            cloud.name,
            one.clouds[0].name,
            _name(one.resource),
            functools.partial(_displayed, one),
        )
        for one in done
        if one.plan.changed
    ]


def reasons_of(cloud: Cloud) -> list[str]:
    """Why a cloud needs changes, as planned."""
    plans = [plan for stage in STAGES for _resource, plan in cloud.planned(stage)]
    return list(dict.fromkeys(reason for plan in plans for reason in plan.reasons))


def warnings_of(cloud: Cloud) -> list[str]:
    """The warnings of the plans of a cloud that needs no change."""
    return _warnings(cloud, [])


def _name(resource: Resource) -> str:
    """A resource that was loaded, as messages name it."""
    return t.cast(Live, resource.live).resource


def _displayed(one: Done) -> tuple[t.Any, t.Any]:
    """A document before and after what was done, as the user sees it."""
    display = one.resource.reconciler(one.clouds).display
    return display(one.plan.before), display(one.plan.after)


def _base(cloud: Cloud) -> Json:
    return {"changed": False, "account_id": cloud.settings.account_id, "reasons": []}


def _state(
    cloud: Cloud, done: t.Sequence[Done], changed: t.Sequence[Done], check_mode: bool
) -> str:
    if cloud.error:
        return FAILED
    reached = {one.resource for one in done}
    if any(plan.changed and found not in reached for found, plan in cloud.plans.items()):
        return NOT_REACHED
    if not changed:
        return IN_SYNC
    return WOULD_CHANGE if check_mode else CHANGED


def _reasons(cloud: Cloud, one: Done) -> t.Iterable[str]:
    """Why a resource was changed for a cloud: if others share it, what the cloud itself needed."""
    plan = one.plan if len(one.clouds) == 1 else cloud.plans.get(one.resource)
    restored = [reason for reason in one.found.reasons if reason == STATEMENT_LOST]
    return [*(plan.reasons if plan else ()), *restored]


def _warnings(cloud: Cloud, done: t.Sequence[Done]) -> list[str]:
    """The warnings of the cloud's own plans, and of what was done."""
    found = [
        f"{_name(resource)}: {warning}"
        for stage in STAGES
        for resource, plan in cloud.planned(stage)
        for warning in plan.warnings
    ]
    found += [
        f"{_name(one.resource)}: {warning}"
        for one in done
        # Those of a resource that several clouds share are about other clouds as well.
        for plan in ([one.plan] if len(one.clouds) == 1 else []) + [one.found]
        for warning in plan.warnings
    ]
    return _censored(cloud, list(map(escape_control_chars, dict.fromkeys(found))))


def _facts(cloud: Cloud, done: t.Sequence[Done]) -> Json:
    # What is planned for a cloud that has failed is not there.
    own = (
        []
        if cloud.error
        else [resources[0] for stage in STAGES if (resources := cloud.planned(stage))]
    )
    results = [plan.result for _resource, plan in own]
    reached = {resource for resource, _plan in own}
    results += [
        one.plan.result for one in done if one.resource in reached and one.resource.stage != BUCKET
    ]
    return {name: result[name] for result in results for name in _FACTS if name in result}


def _failure(cloud: Cloud, done: t.Sequence[Done] = ()) -> Json:
    """Why a cloud failed, and what was written of it before, which no count of changes shows."""
    if not cloud.error:
        return {}
    failure = cloud.error.failure()
    told = cloud.error.details.get("written", ())
    before = dict.fromkeys(name for one in done for name in one.journal.written if name not in told)
    if before:
        failure["msg"] += f" Written before: {', '.join(before)}."
    return _censored(cloud, failure)


def _censored(cloud: Cloud, found: t.Any) -> t.Any:
    """What is displayed, without the secrets among the variables of the cloud."""
    return remove_values(found, cloud.settings.secrets)
