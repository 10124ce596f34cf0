# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Find the clouds that must not be offboarded, before anything of them is read. The documentation
is in plugins/modules.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible import context

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
    parse_settings,
    variable_rules,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.in_worker import (
    run_cache,
    warm_up_workers,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import FleetAction
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.host_variables import (
    HostVariables,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.registered_roles import (
    registered_roles,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.role_use import (
    InUse,
    RoleUse,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.role_users import (
    VARIABLES,
    cloud_roles_of,
    refusals,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import invocation_of
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.threads import for_each
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

_RULES = {
    "argument_spec": {
        "hosts": {"type": "list", "elements": "str", "required": True},
        "fleet": {"type": "list", "elements": "str", "default": []},
    }
}
_THREADS = 16
_RUNNING, _REFUSE, _WARN = "offboard_running", "refuse", "warn"
_DEFAULT_ROLE, _SHARED_ROLE = "offboard_default_role", "offboard_shared_role"
# A cloud without these is offboarded with the role that is registered at Anyscale.
_ROLES = ("cloud_iam_role", "anyscale_default_role_arn")

Json = dict[str, t.Any]

warm_up_workers()


class ActionModule(FleetAction):
    """Runs once for all hosts."""

    rules = _RULES

    def run_for(self, names: list[str], hostvars: t.Any, arguments: Json) -> Json:
        """Return the refused hosts, each with the message."""
        selected, hosts = arguments["hosts"], HostVariables(self)
        # Where a variable has no value, which role it would name is unknown: that ends the run.
        fleet = {
            name: hosts.of_host(name, VARIABLES)
            for name in dict.fromkeys([*arguments["fleet"], *selected])
        }
        default_role, shared_role = (
            frozenset(name for name in selected if hosts.is_true(name, variable))
            for variable in (_DEFAULT_ROLE, _SHARED_ROLE)
        )
        unnamed = [
            name
            for name in selected
            if name in default_role - shared_role and not any(map(fleet[name].get, _ROLES))
        ]
        registered, unread = _registered_roles(hosts, unnamed)
        for name, role in registered.items():
            fleet[name]["anyscale_default_role_arn"] = role
        clouds = {name: cloud_roles_of(values) for name, values in fleet.items()}
        found = refusals(
            clouds,
            selected,
            default_role=default_role,
            shared_role=shared_role,
            invocation=invocation_of(context.CLIARGS, hostvars["localhost"]),
        )
        refused = {**found, **unread}
        left = [name for name in selected if name not in refused]
        may_run = {name for name in left if _mode(hosts, name) == _WARN}
        in_use = _in_use(hosts, left)
        running = {name: _running(clouds[name].named, use) for name, use in in_use.items()}
        return {
            "refused": {
                **refused,
                **{name: text for name, text in running.items() if text and name not in may_run},
            },
            "warnings": _warnings(
                {name: text for name, text in running.items() if name in may_run},
                {name: use.unknown for name, use in in_use.items()},
            ),
        }


def _mode(hosts: HostVariables, name: str) -> str:
    """What is done about a cloud whose role is in use."""
    value = hosts.of_host(name, [_RUNNING]).get(_RUNNING) or _REFUSE
    if value not in (_REFUSE, _WARN):
        raise InputError(
            f"{name}: {_RUNNING} is {value!r}.", f"Set it to {_REFUSE} or {_WARN}, or omit it."
        )
    return str(value)


def _in_use(hosts: HostVariables, names: t.Sequence[str]) -> dict[str, InUse]:
    """What runs with the role of each host's cloud. A cloud with an invalid setting is left to the
    task that offboards it, which fails for it.
    """
    settings: dict[str, CloudSettings] = {}
    for name in names:
        with contextlib.suppress(InputError):
            settings[name] = parse_settings(hosts.of_host(name, variable_rules()))
    use = RoleUse(AccountSessions(run_cache(), _THREADS), len(settings))
    return dict(zip(settings, for_each(use.of, settings.values(), _THREADS), strict=True))


def _running(roles: t.Sequence[str], found: InUse) -> str:
    """Why a cloud of which a role is in use is not offboarded; empty if nothing is known to use it."""
    if not found.running:
        return ""
    names = summarize_names(roles) or "the role"
    return (
        f"Still running with {'one of ' if len(roles) > 1 else ''}{names}, and so losing access: "
        f"{found.running}. Terminate what runs, or start it again with another role. To offboard the "
        f"cloud all the same, set {_RUNNING}={_WARN} for it."
    )


def _warnings(running: t.Mapping[str, str], unknown: t.Mapping[str, str]) -> list[str]:
    """A line for each cloud whose role is in use, and one for all clouds of which that is unknown for
    the same reason.
    """
    alike: dict[str, list[str]] = {}
    for name, reason in unknown.items():
        if reason:
            alike.setdefault(reason, []).append(name)
    return [f"{name}: {text}" for name, text in running.items() if text] + [
        f"{summarize_names(names)}: whether anything else still runs with the role is unknown, and "
        f"it is offboarded nevertheless. {reason}"
        for reason, names in alike.items()
    ]


def _registered_roles(
    hosts: HostVariables, names: t.Sequence[str]
) -> tuple[dict[str, str], dict[str, str]]:
    """The roles that are registered at Anyscale for hosts whose variables name none, and why those
    of other hosts could not be read.
    """
    # One after the other, because the templar is not for several threads.
    values = {name: hosts.of_host(name, variable_rules()) for name in names}
    return registered_roles(names, lambda name: parse_settings(values[name]))
