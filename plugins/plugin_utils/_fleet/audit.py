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
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import FAIL, UNKNOWN
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import Connect
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    PREFIX,
    CloudSettings,
    connection_rules,
    parse_settings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.events import CloudDone

Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Audited:
    """A cloud after its audit: the result as the module returns it, or why it has to be audited by
    a task of its own.
    """

    name: str
    result: Json | None = None
    elsewhere: str = ""

    def event(self) -> CloudDone:
        """What the progress of the run shows of it."""
        result = self.result
        if result is None:
            return CloudDone(self.name, "", "pending", (self.elsewhere,))
        account = str((result.get("cloud") or {}).get("account_id") or "")
        if result.get("failed"):
            return CloudDone(self.name, account, "failed", message=str(result["msg"]))
        found = {check["id"]: check["status"] for check in result["checks"]}
        failed = tuple(name for name, status in found.items() if status == FAIL)
        if failed:
            return CloudDone(self.name, account, "drifted", failed)
        return CloudDone(self.name, account, "unknown" if UNKNOWN in found.values() else "in_sync")


class Elsewhere(Exception):
    """The tasks of a host do not run in this process. The text says why."""


class FleetAudit:
    """Audits the clouds of a play."""

    def __init__(
        self,
        variables_of: t.Callable[[str], t.Mapping[str, t.Any]],
        connect: Connect,
        connect_anyscale: ConnectAnyscale,
    ) -> None:
        """variables_of: the variables ``cloud_iam_*`` of a host; raises Elsewhere, or an error of
        the cloud. connect: the session for the parameters of a cloud; connect_anyscale: the client.
        Threads share what these return.
        """
        self._variables_of = variables_of
        self._module = functools.partial(
            CloudInfoModule, connect=connect, connect_anyscale=connect_anyscale
        )

    def audit(self, names: t.Iterable[str], threads: int) -> t.Iterator[Audited]:
        """Audit clouds by their names in the inventory, in the order in which they are done. A
        failure of one cloud does not affect the others.
        """
        pool = concurrent.futures.ThreadPoolExecutor(threads)

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
            variables = self._variables_of(name)
        except Elsewhere as why:
            audited = Audited(name, elsewhere=str(why))
        except TaskError as error:
            audited = Audited(name, {"failed": True, **error.failure()})
        except AnsibleError as error:
            audited = Audited(name, {"failed": True, "msg": str(error)})
        else:
            return functools.partial(self._audited, name, variables)
        return lambda: audited

    def _audited(self, name: str, variables: t.Mapping[str, t.Any]) -> Audited:
        try:
            result = self._result(parse_settings(variables))
        except TaskError as error:
            result = {"failed": True, **error.failure()}
        except Exception as error:  # a bug must not take the other clouds' audit away
            result = {"failed": True, "msg": f"{type(error).__name__}: {error}"}
        if not result.get("cloud"):
            result["cloud"] = _known_facts(variables) or None
        secrets = _secrets(variables)
        return Audited(name, remove_values(result, secrets) if secrets else result)

    def _result(self, settings: CloudSettings) -> Json:
        if settings.cloud_id is None:
            raise InputError("cloud_iam_cloud_id is not set.", "Set it to the ID of the cloud.")
        return self._module(settings.info_options()).result(check_mode=False)


def _known_facts(variables: t.Mapping[str, t.Any]) -> dict[str, str]:
    """What a report shows of a cloud that could not be audited."""
    facts = {
        fact: variables.get(f"{PREFIX}{fact}") for fact in ("account_id", "cloud_id", "region")
    }
    return {fact: str(value) for fact, value in facts.items() if value}


def _secrets(variables: t.Mapping[str, t.Any]) -> set[str]:
    """The values that must not appear anywhere."""
    secret = [name for name, rule in connection_rules().items() if rule.get("no_log")]
    values = (variables.get(f"{PREFIX}{name}") for name in secret)
    return {str(value) for value in values if value}
