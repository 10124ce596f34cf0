# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles that are registered at Anyscale for clouds, where something depends on them.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.account_sessions import (
    AccountSessions,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.in_worker import run_cache
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.notices import (
    pass_role_notice_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import Services
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.threads import for_each

_THREADS = 16


def registered_roles(
    names: t.Sequence[str], settings_of: t.Callable[[str], CloudSettings]
) -> tuple[dict[str, str], dict[str, str]]:
    """The roles by the names of their clouds, and why those of other clouds could not be read.

    settings_of: may raise TaskError, and is called in threads.
    """
    services = Services(AccountSessions(run_cache(), _THREADS), len(names))

    def registered_role(name: str) -> str | TaskError:
        try:
            return services.default_role(settings_of(name), None)
        except TaskError as error:
            return error

    found = dict(zip(names, for_each(registered_role, names, _THREADS), strict=True))
    return (
        {name: role for name, role in found.items() if isinstance(role, str)},
        {name: e.failure()["msg"] for name, e in found.items() if isinstance(e, TaskError)},
    )


def read_for_notices(clouds: t.Iterable[Cloud]) -> None:
    """Ask Anyscale for the role of each cloud of which only that can say whether it may pass those
    that the variables name. Where it cannot be asked, nothing is told.
    """
    unknown = {
        cloud.name: cloud
        for cloud in clouds
        if not cloud.error
        and cloud.registered_role is None
        and cloud.settings.cloud_id
        and cloud.settings.publish
        and pass_role_notice_of(cloud, "")  # a role that none of theirs is
    }
    found, _unread = registered_roles(list(unknown), lambda name: unknown[name].settings)
    for name, role in found.items():
        unknown[name].registered_role = role
