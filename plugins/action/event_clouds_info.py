# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the clouds that events of AWS touch. The documentation is in plugins/modules."""

from __future__ import annotations

import contextlib
import itertools
import typing as t

from ansible import context
from ansible.utils.display import Display

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_arn
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
    option,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    backup_directory,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.write_record import (
    own_writes,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.first_task import (
    PLAYBOOK,
    FirstTask,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.in_worker import run_cache
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import CloudVariables
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.registered_roles import (
    registered_roles,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.cloudtrail import (
    BUCKET,
    Change,
    changes_in,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.dependencies import (
    watched_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.excluded import (
    without_excluded,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.own import is_own
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.policies import (
    changed_policies,
    roles_with_policies,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.summary import (
    lines_of,
    not_looked_up_warning,
    warnings_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.touched import Watch
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.touches import (
    Summary,
    Touch,
    by_target,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import (
    invocation_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

# Where ansible-rulebook puts the events that a rule matched.
_VARIABLE = "ansible_eda"
# Each is a call. A burst of more is of one writer, and the audit finds what it did.
_MOST_POLICIES = 50

Json = dict[str, t.Any]
display = Display()


class ActionModule(FirstTask):
    """Runs once for all hosts."""

    rules: t.ClassVar[Json] = {
        "argument_spec": {
            **PLAYBOOK,
            "messages": {"type": "raw"},
            "own_principals": {"type": "list", "elements": "str", "default": []},
            "look_up_policies": {"type": "bool", "default": True},
        }
    }
    _received: t.Any = None

    def run(self, tmp: None = None, task_vars: Json | None = None) -> Json:
        """Run with the events as they came: they are not templated, since anyone who can send a
        message could write a template into it.
        """
        self._received = (task_vars or {}).get(_VARIABLE)
        return super().run(tmp, task_vars)

    def run_for(self, names: list[str], hostvars: t.Any, arguments: Json) -> Json:
        """Find the clouds of the events."""
        _refuse_others_than_arns(arguments["own_principals"])
        invocation = invocation_of(context.CLIARGS, hostvars["localhost"])
        found = changes_in(self._messages(arguments))
        clouds = self._clouds(names)
        warnings = _ask_for_roles(found.changes, clouds)
        watch = Watch(
            watched_of(cloud.name, cloud.settings, cloud.registered_role, cloud.registered_profile)
            for cloud in clouds.values()
        )
        recorded = _recorded(found.changes, clouds.values())
        roles_with: dict[str, list[str]] = {}
        if arguments["look_up_policies"]:
            policies = changed_policies(found.changes, watch)
            sessions = AccountSessions(run_cache(), 1, bulk_reads=False)
            looked_up = dict(itertools.islice(policies.items(), _MOST_POLICIES))
            roles_with, unknown = roles_with_policies(looked_up, clouds.values(), sessions)
            warnings += unknown
            warnings += not_looked_up_warning(len(policies), _MOST_POLICIES, invocation)
        touches: dict[str, Touch] = {}
        own, of_clouds = 0, 0
        for changes in by_target(found.changes):
            documents = watch.documents_of(changes[0], roles_with)
            allowed = arguments["own_principals"] or _assumed(clouds[name] for name in documents)
            foreign = [change for change in changes if not is_own(change, recorded, allowed)]
            own += len(changes) - len(foreign)
            if foreign and documents:
                of_clouds += len(foreign)
                summary = Summary.of(foreign)
                for name, document in documents.items():
                    touches.setdefault(name, Touch()).add(document, summary)
        told = [{"name": name, **touches[name].result()} for name in names if name in touches]
        counts = {
            "changes": len(found.changes),
            "of_clouds": of_clouds,
            "own": own,
            "clouds_not_watched": len(names) - len(clouds),
        }
        dropped = dict(sorted(found.dropped.items()))
        display.display("\n".join(["", *lines_of(told, counts, dropped)]))
        warnings += warnings_of(told, dropped, invocation)
        return {"clouds": told, "counts": counts, "dropped": dropped, "warnings": warnings}

    def _messages(self, arguments: Json) -> t.Any:
        messages = self._received if arguments["messages"] is None else arguments["messages"]
        if messages is None:
            raise InputError(
                f"There are no events: {_VARIABLE} is not set.",
                f"Run this from ansible-rulebook, or set {_VARIABLE} to what a rule matched.",
            )
        return messages

    def _clouds(self, names: t.Sequence[str]) -> dict[str, Cloud]:
        """The clouds that may be converged. Others are not even named, whatever events say."""
        with contextlib.chdir(self._loader.get_basedir()):
            watched = without_excluded(self, names)
            read = CloudVariables(self, self._task.get_play().connection).read(watched, True, {})
        return {
            name: cloud
            for name, cloud in read.of_all.items()
            if not cloud.error and not cloud.is_uncovered
        }


def _refuse_others_than_arns(principals: t.Iterable[str]) -> None:
    """No event is of a caller without an ARN, so that each write of a run would lead to another one."""
    for principal in principals:
        if parse_arn(principal) is None:
            raise InputError(
                f"{option('own_principals', 'heal_own_principals')} has {principal!r}, which is no "
                "ARN.",
                "Set it to the ARNs of the roles or users that runs act as.",
            )


def _ask_for_roles(changes: t.Iterable[Change], clouds: t.Mapping[str, Cloud]) -> list[str]:
    """Ask Anyscale for the roles of clouds whose variables name none, in the accounts in which
    something of IAM has changed. Returns a warning about those that are unknown.
    """
    accounts = {change.account_id for change in changes if BUCKET not in change.targets}
    names = [
        name
        for name, cloud in clouds.items()
        if cloud.settings.account_id in accounts
        and not (cloud.settings.role or cloud.registered_role)
        and cloud.settings.cloud_id
    ]
    roles, unread = registered_roles(names, lambda name: clouds[name].settings)
    for name, role in roles.items():
        clouds[name].registered_role = role
    if not unread:
        return []
    return [
        f"{summarize_names(list(unread))}: the registered role is unknown, so that events of it are "
        f"not found. {next(iter(unread.values()))}"
    ]


def _recorded(changes: t.Iterable[Change], clouds: t.Iterable[Cloud]) -> dict[str, str]:
    """The requests of the changes that are in the record of the runs, wherever the clouds have it."""
    ids = {change.request_id for change in changes if change.request_id}
    places = {(cloud.settings.backup_dir, cloud.settings.backup_key) for cloud in clouds}
    found: dict[str, str] = {}
    for directory, key in places if ids else ():
        with contextlib.suppress(TaskError):
            found |= own_writes(backup_directory(directory), ids, key)
    return found


def _assumed(clouds: t.Iterable[Cloud]) -> list[str]:
    """The roles that runs assume for clouds."""
    found = (cloud.settings.connection.get("assume_role_arn") for cloud in clouds)
    return list(dict.fromkeys(arn for arn in found if arn))
