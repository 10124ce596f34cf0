# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan many clouds at once, in one process: which of them a role would change, and why.

This plugin util is private to the collection. It plans with the tasks that converge, so that a
cloud is never considered in sync if a run for it alone would change it.
"""

from __future__ import annotations

import concurrent.futures
import contextvars
import dataclasses
import os
import threading
import typing as t

from ansible.errors import AnsibleError
from ansible.module_utils.common.parameters import remove_values

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.argspec import (
    aws_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import (
    Task,
    module_arguments,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.arguments import Validated
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.role_tasks import (
    Call,
    NotForeseen,
    RoleTasks,
)

# The options that determine the account, given that all tasks share one environment. The tasks
# check that it is the expected account.
_TO_ACCOUNT = tuple(name for name in aws_argument_spec() if name not in ("account_id", "region"))


@dataclasses.dataclass(frozen=True)
class Observed:
    """The plan of a cloud: the reasons for changes (none if it is in sync) and their resources, or
    why it could not be planned; and warnings.
    """

    reasons: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    obstacle: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether it is known to be in sync."""
        return not self.reasons and self.obstacle is None


class SessionPool:
    """One session for all tasks that connect in the same way, so that data of an account is read
    once for all its clouds.

    ``make`` gets the parameters, and the first session of the account if there is one for another
    region.
    """

    def __init__(
        self, make: t.Callable[[t.Mapping[str, t.Any], AwsSession | None], AwsSession]
    ) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._accounts: dict[tuple[t.Any, ...], dict[str | None, AwsSession]] = {}

    def session(self, params: t.Mapping[str, t.Any]) -> AwsSession:
        """The session for a task's parameters."""
        key = tuple(params.get(option) for option in _TO_ACCOUNT)
        region = params.get("region")
        with self._lock:
            of_account = self._accounts.setdefault(key, {})
            if region not in of_account:
                of_account[region] = self._make(params, next(iter(of_account.values()), None))
            return of_account[region]


class Fleet:
    """Plans a role for the clouds of a play."""

    def __init__(
        self, role: RoleTasks, modules: t.Mapping[str, type[Task]], connect: Connect, folder: str
    ) -> None:
        """``folder``: the directory in which a local connection runs modules."""
        self._role = role
        self._modules = modules
        self._connect = connect
        self._folder = folder
        # Ansible's templating is not thread-safe. The lock costs no time, because Python runs only
        # one thread at a time anyway.
        self._templating = threading.Lock()

    def observe(self, names: t.Iterable[str], threads: int) -> dict[str, Observed]:
        """Plan clouds by their names in the inventory, this many at a time. A failure of one cloud
        does not affect the others.
        """
        pool = concurrent.futures.ThreadPoolExecutor(threads)
        try:
            looks = {
                name: pool.submit(contextvars.copy_context().run, self._observed, name)
                for name in names
            }
            return {name: look.result() for name, look in looks.items()}
        finally:
            # A task that has timed out does not wait for the other clouds
            pool.shutdown(wait=False, cancel_futures=True)

    def _observed(self, name: str) -> Observed:
        try:
            return self._look(name)
        except (NotForeseen, AnsibleError) as why:
            return Observed(obstacle=str(why))
        except Exception as error:
            # for example a change in ansible-core: the cloud's own tasks still run
            return Observed(obstacle=f"{type(error).__name__}: {error}")

    def _look(self, name: str) -> Observed:
        """Plan the role's tasks up to the first that would change something."""
        warnings: list[str] = []
        calls = self._role.calls(name)
        result: t.Mapping[str, t.Any] | None = None
        while True:
            try:
                with self._templating:
                    call = calls.send(t.cast(t.Mapping[str, t.Any], result))
            except StopIteration:
                return Observed(warnings=tuple(warnings))
            plan, resources = self._plan(call)
            if plan.changed:
                return Observed(reasons=plan.reasons, resources=resources)
            warnings += plan.warnings
            result = plan.result

    def _plan(self, call: Call) -> tuple[Plan, tuple[str, ...]]:
        """The plan of a call, with its result if it changes nothing, and the names of the resources
        to change. Secrets are removed as in the output of the module.
        """
        task_class = self._modules[call.action]
        validated = Validated(task_class, call.action, call.arguments)

        def censored(text: str) -> str:
            return (
                "a task with no_log"
                if call.no_log
                else t.cast(str, remove_values(text, validated.secrets))
            )

        if validated.complaint:
            raise NotForeseen(censored(validated.complaint))
        try:
            task = task_class(self._with_whole_paths(task_class, validated.params), self._connect)
            plan = task.plan()
            result = {} if plan.changed else {**task.result_of(plan), "warnings": []}
        except TaskError as error:
            raise NotForeseen(censored(error.failure()["msg"])) from error
        except Exception as error:  # a bug, which the cloud's own task reports
            raise NotForeseen(censored(f"{type(error).__name__}: {error}")) from error
        reported = dataclasses.replace(
            plan, result=result, warnings=() if call.no_log else tuple(map(censored, plan.warnings))
        )
        return reported, tuple(map(censored, task.changed_resources(plan)))

    def _with_whole_paths(
        self, task_class: type[Task], params: t.Mapping[str, t.Any]
    ) -> dict[str, t.Any]:
        """Parameters with absolute paths. The module would resolve relative ones in another
        directory than this process.
        """
        spec = module_arguments(task_class)["argument_spec"]
        paths = {
            name: params[name]
            for name, rule in spec.items()
            if rule.get("type") == "path" and params.get(name)
        }
        return {
            **params,
            **{name: os.path.join(self._folder, path) for name, path in paths.items()},
        }
