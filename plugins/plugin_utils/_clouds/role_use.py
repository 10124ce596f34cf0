# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether anything still runs with the roles that a cloud is to lose: its active launches and its
running instances.

This plugin util is private to the collection.
"""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.shared_clients import (
    SharedClients,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.launches_info import (
    CloudLaunchesModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    NOT_APPLICABLE,
    CheckAborted,
    Outcome,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.read_running import (
    DEFAULT_LIMIT,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.running import (
    Judged,
    display_name,
    incomplete,
    judged_instances,
    judged_launches,
    running_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import (
    counted,
    summarize_names,
)

# Of each role, IAM is asked twice.
_MOST_ROLES = 50


class InUse(t.NamedTuple):
    """What runs with the roles, as a sentence, and why there may be more; empty texts for neither."""

    running: str = ""
    unknown: str = ""


class RoleUse:
    """Finds what runs with the roles of clouds. Threads share it."""

    def __init__(self, sessions: AccountSessions, clouds: int) -> None:
        """``clouds``: how many are going to be looked at."""
        self._sessions = sessions
        self._clients = SharedClients(configs_wanted=clouds)

    def of(self, settings: CloudSettings) -> InUse:
        """What runs with the roles that a cloud is to lose. An error leaves it unknown."""
        wanted = as_offboarded(settings)
        if wanted is None:
            return InUse()
        try:
            if settings.cloud_id is None:
                raise InputError("cloud_iam_cloud_id is not set.", "Set it to the cloud's ID.")
            module = CloudLaunchesModule(
                {**wanted, "limit": DEFAULT_LIMIT, "active_only": True, "aws": True},
                self._sessions.session,
                self._clients.client if settings.publish else _not_asked,
            )
            found = in_use(module.facts())
        except TaskError as error:
            return InUse(unknown=error.failure()["msg"])
        unread = len(settings.further_roles) - _MOST_ROLES
        if unread > 0:
            return found._replace(unknown=f"{unread} of its roles were not read. {found.unknown}")
        return found


def as_offboarded(settings: CloudSettings) -> dict[str, t.Any] | None:
    """The options of the module cloud_launches_info for the roles that a cloud is to lose, up to so
    many; ``None`` if it loses none. The default role of a cloud with rules is not among them.
    """
    further = settings.further_roles[:_MOST_ROLES]
    if settings.offboards_own_role:
        groups = {
            group: role
            for group, role in (settings.node_group_roles or {}).items()
            if role == settings.role or role in further
        }
        return {**settings.info_options(), "node_group_roles": groups or None}
    if not further:
        return None
    of_first = settings.for_further_role(further[0]).info_options()
    return {**of_first, "further_roles": further[1:]}


def in_use(facts: Facts) -> InUse:
    """What runs with the role, from what was read."""
    launches, no_launches = _judged(lambda: judged_launches(facts))
    instances, no_instances = _judged(lambda: judged_instances(facts))
    more = "" if no_launches else _incomplete(facts)
    unsure = [
        _why(one.obstacle) if one.obstacle else one.reason
        for one in (*launches, *instances)
        if one.uses_role is None
    ]
    counted = [
        *([_launches_text(launches)] if _used(launches) else []),
        *([_instances_text(instances)] if _used(instances) else []),
    ]
    reasons = dict.fromkeys(filter(None, (no_launches, no_instances, more, *unsure[:1])))
    return InUse(" and ".join(counted), " ".join(reasons))


def _judged(judge: t.Callable[[], list[Judged]]) -> tuple[list[Judged], str]:
    """What was judged, or why nothing could be. On other machines than AWS's, nothing runs with an
    instance profile.
    """
    try:
        return judge(), ""
    except CheckAborted as aborted:
        outcome = aborted.outcome
        return [], "" if outcome.status == NOT_APPLICABLE else _why(outcome)


def _why(outcome: Outcome) -> str:
    return " ".join(f"{outcome.reason} {outcome.remedy}".split())


def _incomplete(facts: Facts) -> str:
    launches = running_of(facts).launches
    return incomplete(launches.get()) if launches.is_known else ""


def _used(judged: t.Iterable[Judged]) -> list[Judged]:
    return [one for one in judged if one.uses_role]


def _launches_text(launches: t.Iterable[Judged]) -> str:
    used = _used(launches)
    return (
        f"{counted(len(used), 'launch')} ("
        + summarize_names(
            [f"{one.facts['kind']} {display_name(one.facts['name'])}" for one in used]
        )
        + ")"
    )


def _instances_text(instances: t.Iterable[Judged]) -> str:
    used = _used(instances)
    regions = collections.Counter(one.facts["region"] for one in used)
    places = ", ".join(f"{count} in {region}" for region, count in sorted(regions.items()))
    return f"{counted(len(used), 'instance')} ({places})"


def _not_asked(_params: t.Mapping[str, t.Any]) -> AnyscaleClient | None:
    return None
