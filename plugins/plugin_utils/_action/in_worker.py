# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module's task in Ansible's worker process where nothing could differ, else as the ordinary
module.

This plugin util is private to the collection. A new Python that imports Ansible, boto3 and the
service models costs many times what the AWS calls of a task take. With a local connection the
worker is the same machine, user and Python as the module would have, and it has all of that in
memory.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import os
import sys
import typing as t

from ansible import constants as C
from ansible.errors import AnsibleError
from ansible.module_utils.common.parameters import remove_values
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible.utils.vars import merge_hash

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import warm_up
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws import botocore_loader
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credential_cache import (
    SessionCache,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import ModuleTask
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.arguments import Validated

SWITCH = "anyscale_in_worker"
# What Python and its libraries, the dynamic loader and botocore's loader read when they start, and
# not again.
_READ_AT_START = ("PYTHON", "LD_", "DYLD_", "AWS_DATA_PATH", "SSL_CERT_", "TMP", "TEMP")
# There, a process that was forked after boto3 was used is ended by the system.
FORK_IS_UNSAFE = sys.platform == "darwin"

Result = dict[str, t.Any]
display = Display()


class InWorkerAction(ActionBase):
    """The base of an action plugin that has the name of its module. A subclass names the module's
    task.
    """

    task_class: t.ClassVar[type[ModuleTask]]
    _supports_async = True

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        """Every action of a module is one that uses AWS."""
        super().__init_subclass__(**kwargs)
        warm_up_workers()

    def run(self, tmp: None = None, task_vars: Result | None = None) -> Result:
        """Run the task, here or as a module."""
        variables = task_vars or {}
        result = super().run(tmp, variables)
        environment: dict[str, str] = {}
        self._compute_environment_string(environment)
        obstacle = self._obstacle(variables, environment)
        if obstacle is None:
            display.vvv(f"{self._task.action}: in the worker process")
            return merge_hash(result, self._run_here(environment))
        display.vvv(f"{self._task.action}: as a module, because {obstacle}")
        result = merge_hash(
            result, self._execute_module(task_vars=variables, wrap_async=self._task.async_val)
        )
        if not self._task.async_val:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _obstacle(self, task_vars: Result, environment: t.Mapping[str, str]) -> str | None:
        """Why the task cannot run here with the same outcome as the module; ``None`` where it can."""
        early = sorted(name for name in environment if name.startswith(_READ_AT_START))
        obstacles = {
            f"{SWITCH} is false": not boolean(
                self._templar.template(task_vars.get(SWITCH, True)), strict=False
            ),
            f"the connection is {self._connection.transport}": self._connection.transport
            != "local",
            "it becomes another user": self._connection.become is not None,
            "it is asynchronous": bool(self._task.async_val),
            "remote files are to be kept": C.DEFAULT_KEEP_REMOTE_FILES,
            "a fork after boto3 is unsafe on this system": FORK_IS_UNSAFE,
            f"its environment sets {', '.join(early)}": bool(early),
            "it has another Python": not self._has_this_python(task_vars),
        }
        return next((why for why, stands in obstacles.items() if stands), None)

    def _has_this_python(self, task_vars: Result) -> bool:
        if self._task.delegate_to:
            task_vars = task_vars.get("ansible_delegated_vars", {}).get(self._task.delegate_to, {})
        return is_this_python(
            str(
                self._templar.template(
                    C.config.get_config_value("INTERPRETER_PYTHON", variables=task_vars)
                )
            )
        )

    def _run_here(self, environment: t.Mapping[str, str]) -> Result:
        gc.freeze()  # what came into memory since this action was imported
        # The folder in which a local connection runs modules.
        with _environment(environment), contextlib.chdir(self._loader.get_basedir()):
            validated = Validated(
                self.task_class, self._task.resolved_action or self._task.action, self._task.args
            )
            result: Result = (
                {"failed": True, "msg": validated.complaint}
                if validated.complaint
                else self._outcome(validated.params)
            )
        if not self._task.diff:
            result.pop("diff", None)
        result["warnings"] = [*validated.warnings, *result.get("warnings", [])]
        if validated.deprecations:
            result["deprecations"] = validated.deprecations
        if _shows_invocation():
            result["invocation"] = {"module_args": validated.params}
        return t.cast(Result, remove_values(result, validated.secrets))

    def _outcome(self, params: Result) -> Result:
        try:
            cache = run_cache(ignore_cached_denials=bool(self._task.until or self._task.retries))
            return self.task_class(params, functools.partial(AwsSession, cache=cache)).result(
                self._task.check_mode
            )
        except TaskError as error:
            return {"failed": True, **error.failure()}


@contextlib.contextmanager
def _environment(variables: t.Mapping[str, str]) -> t.Iterator[None]:
    """The task's ``environment:`` for as long as it runs; the items of a loop share this process."""
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in variables.items()})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def warm_up_workers() -> None:
    """Load what calls of AWS need, for an action that is being imported: Ansible does so before it
    forks the workers that run it.
    """
    if not FORK_IS_UNSAFE:
        # What is wrong with boto3, or with settings, is for the tasks that use them to say.
        with contextlib.suppress(Exception):
            botocore_loader.warm_up()
            warm_up()
        # What the collector looked at in a worker would be copied into it, page by page.
        gc.collect()
        gc.freeze()


def run_cache(ignore_cached_denials: bool = False) -> SessionCache:
    """The sessions of this run of Ansible. Its temporary folder is its user's alone, and goes with
    the run.
    """
    return SessionCache(
        os.path.join(C.DEFAULT_LOCAL_TMP, "rayfleet.anyscale"), ignore_cached_denials
    )


def is_this_python(wanted: str) -> bool:
    """Whether an interpreter setting means this Python. Discovery counts as it: it would find one
    that may not have boto3.
    """
    return wanted.startswith("auto") or _same_python(wanted, sys.executable)


def _same_python(one: str, other: str) -> bool:
    """A virtual environment's python is a link to that of its base, so the folder counts as well."""

    def place(path: str) -> tuple[str, str]:
        return os.path.realpath(path), os.path.realpath(os.path.dirname(os.path.abspath(path)))

    return place(one) == place(other)


def _shows_invocation() -> bool:
    """Modules return their arguments always, or as the setting says in releases of ansible-core
    that have it.
    """
    try:
        return bool(C.config.get_config_value("INJECT_INVOCATION"))
    except AnsibleError:
        return True
