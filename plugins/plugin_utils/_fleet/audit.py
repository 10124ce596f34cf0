# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Audit many clouds at once, in one process, with the reads and checks of the module
cloud_iam_info.

This plugin util is private to the collection.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import dataclasses
import functools
import itertools
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.info import (
    CloudInfoModule,
    ConnectAnyscale,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import command_for
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import unread_checks
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import Connect
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
    as_task_error,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import Clouds
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.threads import thread_pool

Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Audited:
    """A cloud after its audit: the result as the module returns it, or why it has to be audited by
    a task of its own.
    """

    name: str
    result: Json | None = None
    obstacle: str = ""


class FleetAudit:
    """Audits the clouds of a play."""

    def __init__(
        self,
        read: t.Callable[[str], Clouds],
        connect: Connect,
        connect_anyscale: ConnectAnyscale,
    ) -> None:
        """read: the cloud of a host, from its variables. connect: the session for the parameters of
        a cloud; connect_anyscale: the client. Threads share what these return.
        """
        self._read = read
        self._module = functools.partial(
            CloudInfoModule, connect=connect, connect_anyscale=connect_anyscale
        )

    def audit(self, names: t.Iterable[str], threads: int) -> t.Iterator[Audited]:
        """Audit clouds by their names in the inventory, in the order in which they are done. A
        failure of one cloud does not affect the others.
        """
        pool = thread_pool(threads)

        def start(name: str) -> concurrent.futures.Future[Audited]:
            return pool.submit(contextvars.copy_context().run, self._prepared(name))

        try:
            # Results are handed on as they come, and no more are made than that.
            left = iter(names)
            running = set(map(start, itertools.islice(left, 2 * threads)))
            while running:
                done, running = concurrent.futures.wait(
                    running, return_when=concurrent.futures.FIRST_COMPLETED
                )
                running |= set(map(start, itertools.islice(left, len(done))))
                for audited in done:
                    yield audited.result()
        finally:
            # A task that has timed out does not wait for the other clouds.
            pool.shutdown(wait=False, cancel_futures=True)

    def _prepared(self, name: str) -> t.Callable[[], Audited]:
        """What a thread has to do for a cloud. Ansible's templating is not for several threads."""
        try:
            clouds = self._read(name)
        except Exception as error:  # such as a bug, or another release of ansible-core
            failure = {"msg": str(error)} if isinstance(error, AnsibleError) else _failure(error)
            audited = Audited(name, {"failed": True, **failure, "cloud": None})
            return lambda: audited
        if name in clouds.obstacles:
            audited = Audited(name, obstacle=clouds.obstacles[name])
            return lambda: audited
        return functools.partial(self._audited, clouds.for_engine[name])

    def _audited(self, cloud: Cloud) -> Audited:
        try:
            result = self._result(cloud)
        except TaskError as error:
            result = _unread(cloud, error) or {"failed": True, **_failure(error)}
        except Exception as error:  # a bug must not take the other clouds' audit away
            result = {"failed": True, **_failure(error)}
        if not result.get("cloud"):
            result["cloud"] = _known_facts(cloud.settings) or None
        for check in result.get("checks", ()):
            check["command"] = command_for(check["command"], cloud.name)
        secrets = cloud.settings.secrets
        return Audited(cloud.name, remove_values(result, secrets) if secrets else result)

    def _result(self, cloud: Cloud) -> Json:
        if cloud.error:
            raise cloud.error
        if cloud.settings.cloud_id is None:
            raise InputError("cloud_iam_cloud_id is not set.", "Set it to the ID of the cloud.")
        options = {**cloud.settings.info_options(), "authority": cloud.authority}
        return self._module(options).result(check_mode=False)


def _unread(cloud: Cloud, error: TaskError) -> Json | None:
    """The result for a cloud that is not covered, and could not be read: with the reason for the
    first, and with no failure of the audit, since anybody can register such a cloud.
    """
    if cloud.authority is None or not cloud.is_uncovered:
        return None
    return {"changed": False, "checks": unread_checks(cloud.authority, error.message)}


def _failure(error: Exception) -> Json:
    return as_task_error(error).failure()


def _known_facts(settings: CloudSettings) -> dict[str, str]:
    """What a report shows of a cloud that could not be audited."""
    facts = {
        "account_id": settings.account_id,
        "cloud_id": settings.cloud_id,
        "region": settings.connection.get("region"),
    }
    return {fact: str(value) for fact, value in facts.items() if value}
