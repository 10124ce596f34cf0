# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run a module's task in Ansible's worker process if the result is the same, else as an ordinary
module.

This plugin util is private to the collection. A new Python process that imports Ansible, boto3 and
the service models takes many times longer than the AWS calls of a task. With a local connection,
the worker has the same machine, user and Python as the module would have, and has all of that in
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
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.module import (
    ConvergingModule,
    Module,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.arguments import Validated
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.credential_cache import (
    SessionCache,
    new_key,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.environment import (
    configured_home,
    with_environment,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_directory import (
    begin_run,
    run_directory,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_id import with_run

SWITCH = "anyscale_in_worker"
# Variables that Python and its libraries, the dynamic loader and botocore's loader read only at
# their start.
_READ_AT_START = ("PYTHON", "LD_", "DYLD_", "AWS_DATA_PATH", "SSL_CERT_", "TMP", "TEMP")
# macOS terminates a process that was forked after boto3 was used.
FORK_IS_UNSAFE = sys.platform == "darwin"

# Made in the controller's memory when an action is imported, and inherited by the workers that it forks.
_RUN_KEY = new_key()

Result = dict[str, t.Any]
display = Display()


class InWorkerAction(ActionBase):
    """The base of an action plugin with the name of its module. A subclass sets the module's task
    class.
    """

    module_class: t.ClassVar[type[Module]]
    _supports_async = True

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        """Every action of a module uses AWS, so warm up when it is imported."""
        super().__init_subclass__(**kwargs)
        warm_up_workers()

    def run(self, tmp: None = None, task_vars: Result | None = None) -> Result:
        """Run the task, here or as a module."""
        variables = task_vars or {}
        result = super().run(tmp, variables)
        if issubclass(self.module_class, ConvergingModule):
            self._task.args = with_run(self._task.args, variables)
        environment: dict[str, str] = {}
        self._compute_environment_string(environment)
        obstacle = self._obstacle(variables, environment)
        if obstacle is None:
            display.vvv(f"{self._task.action}: in the worker process")
            return merge_hash(result, self._run_here({**configured_home(), **environment}))
        display.vvv(f"{self._task.action}: as a module, because {obstacle}")
        if self._connection.transport == "local" and (home := configured_home()):
            self._task.environment = [home, *(self._task.environment or ())]
        result = merge_hash(
            result, self._execute_module(task_vars=variables, wrap_async=self._task.async_val)
        )
        if not self._task.async_val:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _obstacle(self, task_vars: Result, environment: t.Mapping[str, str]) -> str | None:
        """Why the task cannot run here with the same result as the module; ``None`` if it can."""
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
        return next((why for why, applies in obstacles.items() if applies), None)

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
        gc.freeze()  # what was loaded since this action was imported
        # The directory in which a local connection runs modules.
        with with_environment(environment), contextlib.chdir(self._loader.get_basedir()):
            validated = Validated(
                self.module_class, self._task.resolved_action or self._task.action, self._task.args
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
            return self.module_class(params, functools.partial(AwsSession, cache=cache)).result(
                self._task.check_mode
            )
        except TaskError as error:
            return {"failed": True, **error.failure()}


def warm_up_workers() -> None:
    """Load what AWS calls need. This runs when an action is imported, which is before Ansible forks
    the workers.
    """
    begin_run()
    if not FORK_IS_UNSAFE:
        # Errors of boto3 or of settings are reported by the tasks that use them.
        with contextlib.suppress(Exception):
            botocore_loader.warm_up()
            warm_up()
        # A garbage collection in a worker would copy the memory pages that it touches.
        gc.collect()
        gc.freeze()


def run_cache(ignore_cached_denials: bool = False) -> SessionCache:
    """The credentials of this run of Ansible. Ansible's temporary directory belongs to its user
    alone, and is removed with the run, unless that is killed.
    """
    return SessionCache(run_directory(), _RUN_KEY, ignore_cached_denials)


def is_this_python(setting: str) -> bool:
    """Whether an interpreter setting means this Python. Discovery counts as this Python, because it
    might find one without boto3.
    """
    return setting.startswith("auto") or _same_python(setting, sys.executable)


@functools.lru_cache(maxsize=32)  # the hosts of a fleet have the same
def _same_python(one: str, other: str) -> bool:
    """Whether two paths are the same Python. The python of a virtual environment is a link to that
    of its base, so the directories are compared as well.
    """

    def place(path: str) -> tuple[str, str]:
        return os.path.realpath(path), os.path.realpath(os.path.dirname(os.path.abspath(path)))

    return place(one) == place(other)


def _shows_invocation() -> bool:
    """Whether modules return their arguments: the setting, or always in releases of ansible-core
    without it.
    """
    try:
        return bool(C.config.get_config_value("INJECT_INVOCATION"))
    except AnsibleError:
        return True
