# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tasks of a role would be given for a host: conditions and arguments, templated as Ansible does, but not run.

This plugin util is private to the collection. All that it takes from inside ansible-core is used in this file alone.
"""

from __future__ import annotations

import functools
import json
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.executor.module_common import _apply_action_arg_defaults
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.playbook.block import Block
from ansible.playbook.role_include import IncludeRole
from ansible.playbook.task import Task as PlayTask
from ansible.plugins.action import ActionBase

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._in_worker import SWITCH, is_this_python

_VALIDATION = "ansible.builtin.validate_argument_spec"
# What makes more, or something else, of a task than one run of its module with its arguments.
_KEYWORDS = ("async_val", "changed_when", "check_mode", "delegate_to", "environment", "failed_when", "loop", "retries", "until")

Variables = dict[str, t.Any]
Result = t.Mapping[str, t.Any]


class NotForeseen(Exception):
    """What a role would do for a host cannot be told without running it; the text says why."""


class Call(t.NamedTuple):
    """A task as it would be run: the module's full name and its arguments."""

    action: str
    arguments: dict[str, t.Any]


class RoleTasks:
    """The tasks of a role's entry point, in the place of the task of an action."""

    def __init__(self, action: ActionBase, role: str, tasks_from: str, modules: t.Collection[str]) -> None:
        """``modules``: the full names of those that can be foreseen."""
        self._task = action._task
        self._templar = _remembering(action._templar.copy_with_new_env(available_variables={}))
        self._play = self._task.get_play()
        self._manager = self._task.get_variable_manager()
        self._hosts = {host.name: host for host in self._manager._inventory.get_hosts()}
        self._everybody = [host.name for host in self._manager._inventory.get_hosts(self._play.hosts or "all", ignore_restrictions=True)]
        self._tasks = self._loaded(role, tasks_from, action._loader)
        for task in self._tasks:
            _refuse_unforeseen(task, modules)
        # Plain, because what Ansible loads keeps track of where each word comes from, at a price.
        self._specs = {id(task): _plain(task.args["argument_spec"]) for task in self._tasks if task.resolved_action == _VALIDATION}

    def variables(self, name: str) -> Variables:
        """A host's variables, as the role's tasks see them."""
        # The lists of hosts are handed over: else they are made anew for each host, and a fleet's time grows with its square.
        return self._manager.get_vars(
            play=self._play, host=self._hosts[name], task=self._tasks[0], _hosts=list(self._hosts), _hosts_all=self._everybody
        )

    def calls(self, name: str) -> t.Generator[Call, Result, None]:
        """The calls of modules that the role would make for a host. Send back the result of each for the sake of the next.

        Raises NotForeseen, or AnsibleError for what Ansible would fail with.
        """
        variables, templar = self.variables(name), self._templar
        for task in self._tasks:
            templar.available_variables = variables  # meanwhile it was used for other hosts
            if task is self._tasks[0]:
                _refuse_elsewhere(task, variables, templar)
            if not all(templar.evaluate_conditional(condition) for condition in task.when):
                result: Result = {"changed": False, "skipped": True}
            elif task.resolved_action == _VALIDATION:
                result = _validated(self._specs[id(task)], variables, templar)
            else:
                arguments = _apply_action_arg_defaults(task.resolved_action, task, templar.template(task.args), templar)
                result = yield Call(task.resolved_action, arguments)
            variables.update(dict.fromkeys(_registered(task), result))

    def _loaded(self, role: str, tasks_from: str, loader: t.Any) -> list[PlayTask]:
        """The role's tasks, with what they inherit here. The play is a copy of this process's own."""
        statement = {"ansible.builtin.include_role": {"name": role, "tasks_from": tasks_from}}
        include = IncludeRole.load(statement, block=self._task._parent, variable_manager=self._manager, loader=loader)
        blocks, _handlers = include.get_block_list(play=self._play, variable_manager=self._manager, loader=loader)
        return [task for task in _flat(blocks) if not task.implicit]


def _remembering(templar: t.Any) -> t.Any:
    """A templar that compiles a template once, not once for each host, which would be most of a plan's time."""
    environment = templar._engine.environment
    for name in ("from_string", "compile_expression"):
        setattr(environment, name, functools.cache(getattr(environment, name)))
    return templar


def _flat(items: t.Iterable[t.Any]) -> t.Iterator[PlayTask]:
    for item in items:
        if not isinstance(item, Block):
            yield item
        elif item.rescue or item.always:
            raise NotForeseen(f"the role has a block with rescue or always, {item.name or 'without a name'}")
        else:
            yield from _flat(item.block)


def _refuse_unforeseen(task: PlayTask, modules: t.Collection[str]) -> None:
    """Raise for a task of which it cannot be told beforehand what it would do."""
    if task.resolved_action not in (_VALIDATION, *modules):
        raise NotForeseen(f"the role has a task with {task.resolved_action or task.action}, {task.get_name()}")
    keywords = [name.removesuffix("_val") for name in _KEYWORDS if getattr(task, name) not in (None, 0, [], [{}])]
    if keywords:
        raise NotForeseen(f"{task.get_name()} has {', '.join(keywords)}")


def _refuse_elsewhere(task: PlayTask, variables: Variables, templar: t.Any) -> None:
    """Raise where the module would not run on this machine, as this user and with this Python."""
    connection = templar.template(variables.get("ansible_connection", task.connection))
    interpreter = templar.template(C.config.get_config_value("INTERPRETER_PYTHON", variables=variables))
    obstacles = {
        f"{SWITCH} is false": not boolean(templar.template(variables.get(SWITCH, True)), strict=False),
        f"the connection is {connection}": str(connection).removeprefix("ansible.builtin.") != "local",
        "it becomes another user": boolean(templar.template(variables.get("ansible_become", task.become or False)), strict=False),
        "it has another Python": not is_this_python(str(interpreter)),
    }
    for why, stands in obstacles.items():
        if stands:
            raise NotForeseen(why)


def _validated(spec: dict[str, t.Any], variables: Variables, templar: t.Any) -> Result:
    """What Ansible does first in a role that has an argument specification."""
    given = templar.template({name: variables[name] for name in spec if name in variables})
    found = ArgumentSpecValidator(spec).validate(given, validate_role_argument_spec=True)
    if found.error_messages:
        raise AnsibleError("; ".join(found.error_messages))
    return {"changed": False}


def _plain(document: t.Any) -> t.Any:
    return json.loads(json.dumps(document))


def _registered(task: PlayTask) -> t.Iterable[str]:
    """The variables that take a task's result: one name, or in newer releases several, each with what is taken of it."""
    if task.register is None:
        return ()
    return (task.register,) if isinstance(task.register, str) else tuple(task.register)
