# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan for all hosts of a batch at once: which of them need a role's tasks. The documentation is in
plugins/modules.
"""

from __future__ import annotations

import functools
import time
import typing as t

from ansible.errors import AnsibleError

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.bulk_iam import BulkSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credential_cache import (
    SessionCache,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    bucket_policy as s3_cloud_access,
    cloud as cloud_iam,
    compute_config as compute_config_profile,
    trust_policy as iam_trust_ec2,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_task import (
    SETTLED_SECONDS,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.in_worker import (
    FORK_IS_UNSAFE,
    run_cache,
    warm_up_workers,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    FleetAction,
    host_variable,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.observe import (
    Fleet,
    Observed,
    SessionPool,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.role_tasks import (
    NotForeseen,
    RoleTasks,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.rollout import (
    by_ring,
    canary_first,
    canary_of,
    cut,
)

_MODULES: dict[str, t.Any] = {
    "rayfleet.anyscale.cloud_iam": cloud_iam.Task,
    "rayfleet.anyscale.compute_config_profile": compute_config_profile.Task,
    "rayfleet.anyscale.iam_trust_ec2": iam_trust_ec2.Task,
    "rayfleet.anyscale.s3_cloud_access": s3_cloud_access.Task,
}
_RULES = {
    "argument_spec": {
        "role": {"type": "str", "required": True},
        "tasks_from": {"type": "str", "default": "main"},
        "observe": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
        "few": {"type": "int", "default": 5},
        "threads": {"type": "int", "default": 8},
        "bulk_reads": {"type": "bool", "default": True},
        "rings": {"type": "list", "elements": "str", "default": []},
        "canary_percent": {"type": "int", "default": 0},
        "part": {"type": "str", "choices": ["all", "canary"], "default": "all"},
        "serial": {"type": "int"},
        "changed_by": {"type": "str"},
    }
}
_RING = "anyscale_ring"

warm_up_workers()


class ActionModule(FleetAction):
    """Runs once for all hosts of the batch. It fails for none of them: a host that it cannot plan
    counts as one that may need changes.
    """

    rules = _RULES

    def run_for(
        self, names: list[str], hostvars: t.Any, arguments: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Plan, and return the hosts that need changes, in order."""
        _refuse_contradictions(arguments)
        changed_by = arguments["changed_by"]
        if changed_by:
            names = self._changed(names, hostvars, changed_by)
            time.sleep(SETTLED_SECONDS if names else 0.0)
        observed = self._observed(names, arguments) if names else {}
        right = [name for name in names if observed[name].is_right]
        going_on = [name for name in names if not observed[name].is_right]
        ring_of = (
            {name: host_variable(hostvars[name], _RING) for name in names}
            if arguments["rings"]
            else dict.fromkeys(names)
        )
        rings = by_ring({name: ring_of[name] for name in going_on}, arguments["rings"])
        batches = (canary_of if arguments["part"] == "canary" else canary_first)(
            rings, arguments["canary_percent"]
        )
        batches = cut(batches, arguments["serial"] or len(names) or 1)
        unassigned = [ring for ring in arguments["rings"] if ring not in map(str, ring_of.values())]
        return {
            "hosts": [name for batch in batches for name in batch],
            "batches": [len(batch) for batch in batches],
            "later": len(going_on) - sum(map(len, batches)),
            "differing": {
                name: list(observed[name].reasons) for name in going_on if observed[name].reasons
            },
            "resources": {
                name: list(observed[name].resources)
                for name in going_on
                if observed[name].resources
            },
            "unseen": {
                name: observed[name].obstacle for name in going_on if observed[name].obstacle
            },
            "right": len(right),
            "warnings": [
                *(
                    f"No host is in ring {ring}: {_RING} is {ring} for none of them."
                    for ring in unassigned
                ),
                *(
                    _overwritten(name, observed[name])
                    for name in going_on
                    if changed_by and observed[name].resources
                ),
                *(
                    f"{name}: {warning}"
                    for name in right
                    if not changed_by
                    for warning in observed[name].warnings
                ),
            ],
        }

    def _changed(self, names: list[str], hostvars: t.Any, register: str) -> list[str]:
        """The hosts that were changed by the task that registered its result under this name. In
        check mode it changed none.
        """
        if self._task.check_mode:
            return []
        results = {name: host_variable(hostvars[name], register) for name in names}
        return [
            name
            for name, result in results.items()
            if isinstance(result, dict) and result.get("changed")
        ]

    def _observed(self, names: list[str], arguments: dict[str, t.Any]) -> dict[str, Observed]:
        """The plan of each host, unless planning is switched off."""
        few = arguments["observe"] == "auto" and len(names) <= arguments["few"]
        if few or arguments["observe"] == "never":
            return dict.fromkeys(names, Observed(obstacle="it was not planned"))
        if FORK_IS_UNSAFE:
            return dict.fromkeys(
                names, Observed(obstacle="a fork after boto3 is unsafe on this system")
            )
        try:
            role = RoleTasks(self, arguments["role"], arguments["tasks_from"], _MODULES)
        except NotForeseen as why:
            return dict.fromkeys(names, Observed(obstacle=str(why)))
        except (AttributeError, ImportError, TypeError) as change:
            # of ansible-core: the clouds' own tasks run all the same
            return dict.fromkeys(names, Observed(obstacle=f"{type(change).__name__}: {change}"))
        # A write of this run may not be visible in bulk reads yet.
        by_the_page = arguments["bulk_reads"] and not arguments["changed_by"]
        pool = SessionPool(
            functools.partial(_session, by_the_page, run_cache(), arguments["threads"])
        )
        return Fleet(role, _MODULES, pool.session, self._loader.get_basedir()).observe(
            names, arguments["threads"]
        )


def _refuse_contradictions(arguments: dict[str, t.Any]) -> None:
    """Raise for arguments that have valid types but invalid values."""
    percent = arguments["canary_percent"]
    for name in ("threads", "serial"):
        if arguments[name] is not None and arguments[name] < 1:
            raise AnsibleError(f"{name} is {arguments[name]}. Give a positive number.")
    if not 0 <= percent <= 100:
        raise AnsibleError(f"canary_percent is {percent}. Give a number from 0 to 100.")
    if arguments["part"] == "canary" and not percent:
        raise AnsibleError(
            "part is canary, but canary_percent is 0, so there is no canary. Set canary_percent "
            "(playbook variable onboard_canary_percent)."
        )


def _session(
    by_the_page: bool,
    cache: SessionCache,
    threads: int,
    params: t.Mapping[str, t.Any],
    account: AwsSession | None,
) -> AwsSession:
    """A session for this number of threads. ``account``: an existing session of the same account,
    whose IAM reads it shares.
    """
    if by_the_page:
        return BulkSession(params, cache=cache, connections=threads, account=account)
    return AwsSession(params, cache=cache, connections=threads)


def _overwritten(name: str, observed: Observed) -> str:
    return (
        f"{name}: another writer overwrote {', '.join(observed.resources)} after this run had "
        "changed it."
    )
