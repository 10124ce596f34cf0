# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The conditions and arguments of a role's tasks for a host, templated as Ansible does, without
running the tasks.

This plugin util is private to the collection. The internals of ansible-core that it needs are used
in this file only.
"""

from __future__ import annotations

import functools
import typing as t

from ansible import constants as C, context
from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.playbook.block import Block
from ansible.playbook.role_include import IncludeRole
from ansible.playbook.task import Task as PlayTask
from ansible.plugins.action import ActionBase

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.in_worker import (
    SWITCH,
    is_this_python,
)

# Keywords with which a task is more than one run of its module with its arguments.
_KEYWORDS = (
    "async_val",
    "changed_when",
    "check_mode",
    "delegate_to",
    "environment",
    "failed_when",
    "loop",
    "retries",
    "until",
)

# In newer releases, the expression of a variable that registers the whole result of a task.
_WHOLE_RESULT = "_task.polymorphic_result"

Variables = dict[str, t.Any]
Result = t.Mapping[str, t.Any]


class NotForeseen(Exception):
    """What a role would do for a host cannot be planned; the text has the reason."""


class Call(t.NamedTuple):
    """A task as it would be run: the module's full name and its arguments."""

    action: str
    arguments: dict[str, t.Any]
    no_log: bool = False


class RoleTasks:
    """The tasks of a role's entry point, as if they were included by the task of an action."""

    def __init__(
        self, action: ActionBase, role: str, tasks_from: str, modules: t.Collection[str]
    ) -> None:
        """``modules``: the full names of the modules that can be planned."""
        self._task = action._task
        self._templar = _remembering(action._templar.copy_with_new_env(available_variables={}))
        self._play = self._task.get_play()
        self._manager = self._task.get_variable_manager()
        self._hosts = {host.name: host for host in self._manager._inventory.get_hosts()}
        self._all_hosts = [
            host.name
            for host in self._manager._inventory.get_hosts(
                self._play.hosts or "all", ignore_restrictions=True
            )
        ]
        self._tasks = self._loaded(role, tasks_from, action._loader)
        for task in self._tasks:
            _refuse_unforeseen(task, modules)

    def calls(self, name: str) -> t.Generator[Call, Result, None]:
        """The module calls that the role would make for a host. Send back the result of each, for
        the conditions of the next.

        Raises NotForeseen, or the AnsibleError that Ansible would fail with.
        """
        templar = self._templar
        registered: Variables = {}
        for task in self._tasks:
            variables = {**self._variables(name, task), **registered}
            templar.available_variables = variables  # it was used for other hosts in between
            _refuse_elsewhere(task, variables, templar)
            try:
                runs = all(templar.evaluate_conditional(condition) for condition in task.when)
                arguments = _arguments(task, templar) if runs else {}
            except AnsibleError as error:
                if task.no_log:
                    raise NotForeseen("a task with no_log") from error
                raise
            result: Result = {"changed": False, "skipped": True}
            if runs:
                result = yield Call(task.resolved_action, arguments, bool(task.no_log))
            registered |= dict.fromkeys(_registered(task), result)

    def _variables(self, name: str, task: PlayTask) -> Variables:
        """A host's variables, as a task sees them."""
        # Pass the lists of hosts. Otherwise Ansible builds them for each host, which takes time
        # proportional to the square of the fleet.
        return self._manager.get_vars(
            play=self._play,
            host=self._hosts[name],
            task=task,
            _hosts=list(self._hosts),
            _hosts_all=self._all_hosts,
        )

    def _loaded(self, role: str, tasks_from: str, loader: t.Any) -> list[PlayTask]:
        """The role's tasks, with the keywords that they inherit here. The play is a copy that only
        this process has.
        """
        # Without the task that validates the role's variables: the modules validate their
        # arguments.
        statement = {
            "ansible.builtin.include_role": {
                "name": role,
                "tasks_from": tasks_from,
                "rolespec_validate": False,
            }
        }
        include = IncludeRole.load(
            statement, block=self._task._parent, variable_manager=self._manager, loader=loader
        )
        blocks, _handlers = include.get_block_list(
            play=self._play, variable_manager=self._manager, loader=loader
        )
        return [task for task in _flat(blocks) if not task.implicit]


def _remembering(templar: t.Any) -> t.Any:
    """A templar that compiles each template once instead of once per host, which would take most of
    the time of a plan.
    """
    environment = templar._engine.environment
    for name in ("from_string", "compile_expression"):
        setattr(environment, name, functools.cache(getattr(environment, name)))
    return templar


def _flat(items: t.Iterable[t.Any]) -> t.Iterator[PlayTask]:
    for item in items:
        if not isinstance(item, Block):
            yield item
        elif item.rescue or item.always:
            raise NotForeseen(
                f"the role has a block with rescue or always, {item.name or 'without a name'}"
            )
        else:
            yield from _flat(item.block)


def _refuse_unforeseen(task: PlayTask, modules: t.Collection[str]) -> None:
    """Raise for a task that cannot be planned."""
    if task.resolved_action not in modules:
        raise NotForeseen(
            f"the role has a task with {task.resolved_action or task.action}, {task.get_name()}"
        )
    if isinstance(task.register, dict) and set(task.register.values()) != {_WHOLE_RESULT}:
        raise NotForeseen(f"{task.get_name()} registers a part of its result")
    keywords = [
        name.removesuffix("_val")
        for name in _KEYWORDS
        if getattr(task, name) not in (None, 0, [], [{}])
    ]
    if context.CLIARGS.get("check") and "check_mode" in keywords:
        keywords.remove("check_mode")  # planning is a check mode anyway
    if keywords:
        raise NotForeseen(f"{task.get_name()} has {', '.join(keywords)}")


def _refuse_elsewhere(task: PlayTask, variables: Variables, templar: t.Any) -> None:
    """Raise where the module would not run on this machine, as this user and with this Python."""
    connection = templar.template(variables.get("ansible_connection", task.connection))
    interpreter = templar.template(
        C.config.get_config_value("INTERPRETER_PYTHON", variables=variables)
    )
    obstacles = {
        f"{SWITCH} is false": not boolean(
            templar.template(variables.get(SWITCH, True)), strict=False
        ),
        f"the connection is {connection}": str(connection).removeprefix("ansible.builtin.")
        != "local",
        "it becomes another user": boolean(
            templar.template(variables.get("ansible_become", task.become or False)), strict=False
        ),
        "it has another Python": not is_this_python(str(interpreter)),
    }
    for why, applies in obstacles.items():
        if applies:
            raise NotForeseen(why)


def _arguments(task: PlayTask, templar: t.Any) -> dict[str, t.Any]:
    """A task's arguments with ``module_defaults``, which do not apply to arguments that the task
    omits explicitly.
    """
    # here, so that this file can be imported even if ansible-core removes it
    from ansible.executor.module_common import _apply_action_arg_defaults

    given = templar.template(task.args)
    completed = _apply_action_arg_defaults(
        task.resolved_action, task, {**dict.fromkeys(task.args), **given}, templar
    )
    return {
        name: value for name, value in completed.items() if name in given or name not in task.args
    }


def _registered(task: PlayTask) -> t.Iterable[str]:
    """The variables that register a task's result: one name, or in newer releases several, each
    with an expression.
    """
    if task.register is None:
        return ()
    return (task.register,) if isinstance(task.register, str) else tuple(task.register)
