# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Observe many clouds at once, in one process: which of them differ from what a role would make of
them, and why.

This plugin util is private to the collection. It decides with the very tasks that converge, so that
a cloud is never called right that a run for it alone would change.
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

# What leads to an account, since the environment is one for all tasks; which account is wanted is
# for the tasks to check.
_TO_ACCOUNT = tuple(name for name in aws_argument_spec() if name not in ("account_id", "region"))


@dataclasses.dataclass(frozen=True)
class Observed:
    """What was seen of a cloud: why it differs (nothing: it does not) and in what, or why that
    cannot be told, and warnings.
    """

    reasons: tuple[str, ...] = ()
    resources: tuple[str, ...] = ()
    obstacle: str | None = None
    warnings: tuple[str, ...] = ()

    @property
    def is_right(self) -> bool:
        """Whether there is nothing to do for it, beyond doubt."""
        return not self.reasons and self.obstacle is None


class SessionPool:
    """One session for all tasks that connect in the same way, so that an account is asked once what
    all its clouds need.

    ``make`` is given parameters, and the account's first session where it has one for another
    region already.
    """

    def __init__(
        self, make: t.Callable[[t.Mapping[str, t.Any], AwsSession | None], AwsSession]
    ) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._accounts: dict[tuple[t.Any, ...], dict[str | None, AwsSession]] = {}

    def session(self, params: t.Mapping[str, t.Any]) -> AwsSession:
        """The session that a task's parameters ask for."""
        key = tuple(params.get(option) for option in _TO_ACCOUNT)
        region = params.get("region")
        with self._lock:
            of_account = self._accounts.setdefault(key, {})
            if region not in of_account:
                of_account[region] = self._make(params, next(iter(of_account.values()), None))
            return of_account[region]


class Fleet:
    """The clouds that a role is for, and how to look at them."""

    def __init__(
        self, role: RoleTasks, modules: t.Mapping[str, type[Task]], connect: Connect, folder: str
    ) -> None:
        """``folder``: where a local connection runs modules."""
        self._role = role
        self._modules = modules
        self._connect = connect
        self._folder = folder
        # Ansible's templates are not made for threads; one at a time costs nothing, as Python runs
        # one at a time anyway.
        self._templating = threading.Lock()

    def observe(self, names: t.Iterable[str], threads: int) -> dict[str, Observed]:
        """Look at clouds by their names in the inventory, so many at a time. No cloud's trouble is
        another's.
        """
        pool = concurrent.futures.ThreadPoolExecutor(threads)
        try:
            looks = {
                name: pool.submit(contextvars.copy_context().run, self._observed, name)
                for name in names
            }
            return {name: look.result() for name, look in looks.items()}
        finally:
            pool.shutdown(
                wait=False, cancel_futures=True
            )  # a task that is out of time does not look at the others first

    def _observed(self, name: str) -> Observed:
        try:
            return self._look(name)
        except (NotForeseen, AnsibleError) as why:
            return Observed(obstacle=str(why))
        except (
            Exception
        ) as error:  # a change in ansible-core, say: the cloud's own tasks run all the same
            return Observed(obstacle=f"{type(error).__name__}: {error}")

    def _look(self, name: str) -> Observed:
        """Follow the role's tasks up to the first that would change something."""
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
        """What a call would change, and in what; where that is nothing, its result. As free of
        secrets as what the module says.
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
        except Exception as error:  # a bug: the cloud's own task is to show it
            raise NotForeseen(censored(f"{type(error).__name__}: {error}")) from error
        told = dataclasses.replace(
            plan, result=result, warnings=() if call.no_log else tuple(map(censored, plan.warnings))
        )
        return told, tuple(map(censored, task.changed_resources(plan)))

    def _with_whole_paths(
        self, task_class: type[Task], params: t.Mapping[str, t.Any]
    ) -> dict[str, t.Any]:
        """Parameters with the paths that the module finds: it starts in another folder than this
        process, which has but one.
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
