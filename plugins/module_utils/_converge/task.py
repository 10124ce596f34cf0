# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The flow of every module that converges: observe, plan, apply, verify.

This module util is private to the collection. A Task implements these steps for one kind of
resource. Check mode's prediction, ``changed``, ``diff`` and the returned values all come from its
Plan.
"""

from __future__ import annotations

import abc
import dataclasses
import json
import typing as t

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.argspec import (
    AWS_RULES,
    aws_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    TaskError,
    UnsettledError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    Backup,
    backup_argument_spec,
    check_backup_options,
    check_writable,
    delete_backup,
    write_backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.lock import resource_lock

_ROUNDS = 8
# Options that are names. An empty one is a variable that was not set, and means neither all nor the
# default.
_NAMES = (
    "account_id",
    "assume_role_arn",
    "bucket",
    "cloud",
    "cloud_id",
    "compute_config",
    "dest",
    "instance_profile",
    "name",
    "role",
)
# Longer than any valid name or path.
_LONGEST_NAME = 4096


class ModuleTask(abc.ABC):
    """What a module does. Created from its parameters and a way to connect; raises only TaskError."""

    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {}
    shared_options: t.ClassVar[dict[str, dict[str, t.Any]]] = {}
    rules: t.ClassVar[dict[str, t.Any]] = {}

    def __init__(self, params: t.Mapping[str, t.Any], connect: Connect = AwsSession) -> None:
        self.params = params
        for option in _NAMES:
            if isinstance(params.get(option), str):
                _refuse_no_name(option, params[option])
        self._refuse_null()
        self.session = connect(params)

    @abc.abstractmethod
    def result(self, check_mode: bool) -> dict[str, t.Any]:
        """Run the task. Returns the module's result with its ``warnings``."""

    def _refuse_null(self) -> None:
        """Raise if a required option is null: Ansible's own validation accepts that."""
        needed = [option for option, rule in self.options.items() if rule.get("required")]
        for switch, value, options in self.rules.get("required_if", ()):
            needed += options if self.params.get(switch) == value else ()
        for option in needed:
            if self.params.get(option) is None:
                raise InputError(f"{option} is null.", "Set it to a value.")
        for options in self.rules.get("required_one_of", ()):
            if all(self.params.get(option) is None for option in options):
                raise InputError(f"{' and '.join(options)} are null.", "Set one of them.")


class Task(ModuleTask):
    """One resource to converge. ``written`` lists what it has written, for the message if a later
    step fails.

    ``kept`` is the part of the result that names the last backup. ``clouds`` are the ids of the
    clouds that the resource is converged for, if known.
    """

    shared_options = backup_argument_spec()

    def __init__(self, params: t.Mapping[str, t.Any], connect: Connect = AwsSession) -> None:
        super().__init__(params, connect)
        self.written: list[str] = []
        self.kept: dict[str, str] = {}
        self.clouds: tuple[str, ...] = (params["cloud_id"],) if params.get("cloud_id") else ()
        check_backup_options(params)

    def result(self, check_mode: bool) -> dict[str, t.Any]:
        """Converge the resource."""
        return run(self, check_mode)

    def changed_resources(self, plan: Plan) -> list[str]:
        """The names of the resources that a plan would change."""
        return [self.resource] if plan.changed else []

    def result_of(self, plan: Plan) -> dict[str, t.Any]:
        """The module's result for a plan that was carried out, or that has nothing to do."""
        before, after = self.display_document(plan.before), self.display_document(plan.after)
        return {
            **plan.result,
            **({"previous": before} if plan.changed else {}),
            "changed": plan.changed,
            "reasons": list(plan.reasons),
            "warnings": [f"{self.resource}: {warning}" for warning in plan.warnings],
            "diff": {
                "before_header": f"{self.resource} (before)",
                "after_header": f"{self.resource} (after)",
                "before": _readable(before),
                "after": _readable(after),
            },
        }

    @property
    @abc.abstractmethod
    def resource(self) -> str:
        """The name of the resource, the same in every task that writes to it."""

    def display_document(self, document: t.Any) -> t.Any:
        """A document of a plan as the user sees it; ``None`` if it means that there is none."""
        return document

    def backup(self, plan: Plan) -> Backup | None:
        """The backup of the document that a plan replaces; ``None`` if it replaces none."""
        return None

    @abc.abstractmethod
    def plan(self) -> Plan:
        """Observe the live state and plan. Raises if a needed change is not permitted or not
        possible.
        """

    @abc.abstractmethod
    def apply(self, plan: Plan) -> None:
        """Make the write calls of a plan."""

    @abc.abstractmethod
    def verify(self, plan: Plan) -> Plan:
        """Read back until an applied plan is visible. Returns a plan of what is still (or again) to
        do.
        """


def _refuse_no_name(option: str, name: str) -> None:
    """Raise if a text cannot be the name of anything."""
    if not name.strip():
        raise InputError(f"{option} is empty.", "Set it, or omit it.")
    if len(name) > _LONGEST_NAME or not name.isprintable():
        what = (
            f"has {len(name)} characters"
            if name.isprintable()
            else "contains a line break or another control character"
        )
        raise InputError(f"{option} {what}: {name[:80]!r}.", "Set it to the name only.")


def run(task: Task, check_mode: bool) -> dict[str, t.Any]:
    """Converge a task's resource. Returns the module's result with its ``warnings``."""
    return execute(task, task.plan(), check_mode)


def execute(task: Task, plan: Plan, check_mode: bool) -> dict[str, t.Any]:
    """Converge a task's resource for which a plan exists already."""
    if plan.changed and check_mode:
        check_writable(task.backup(plan), task.params)
    elif plan.changed:
        try:
            with resource_lock(task.resource, task.params.get("lock_dir")):
                plan = _converge(task)
        except TaskError as error:
            raise _with_what_was_written(error, task) from error
    return task.result_of(plan)


def run_module(task_class: type[ModuleTask]) -> None:
    """The whole ``main()`` of a module. The diff, the longest part of the result, is returned only
    with --diff.
    """
    module = AnsibleModule(supports_check_mode=True, **module_arguments(task_class))
    try:
        result = task_class(module.params).result(module.check_mode)
    except TaskError as error:
        module.fail_json(**error.failure())
    if not module._diff:
        result.pop("diff", None)
    for warning in result.pop("warnings"):
        module.warn(warning)
    module.exit_json(**result)


def module_arguments(task_class: type[ModuleTask]) -> dict[str, t.Any]:
    """The arguments of AnsibleModule for a task's options."""
    lock_dir = {"lock_dir": {"type": "path"}}
    arguments: dict[str, t.Any] = {
        "argument_spec": {
            **aws_argument_spec(),
            **lock_dir,
            **task_class.shared_options,
            **task_class.options,
        }
    }
    for rules in (AWS_RULES, task_class.rules):
        for name, rule in rules.items():
            arguments[name] = (
                {**arguments.get(name, {}), **rule}
                if isinstance(rule, dict)
                else [*arguments.get(name, []), *rule]
            )
    return arguments


def _converge(task: Task) -> Plan:
    """Plan again under the lock, then write until there is nothing left to do.

    Each replaced document is backed up. The result names the last backup, which includes what other
    writers added meanwhile.
    """
    first = plan = task.plan()
    reasons, warnings = list(first.reasons), list(first.warnings)
    for _round in range(_ROUNDS):
        if not plan.changed:
            break
        _apply(task, plan)
        plan = task.verify(plan)
        reasons += plan.reasons
        warnings += plan.warnings
    if plan.changed:
        raise UnsettledError(
            f"{task.resource} was overwritten by another writer after each of {_ROUNDS} attempts.",
            "Find the other writer (for AWS, in CloudTrail), then run again.",
            reasons=list(plan.reasons),
        )
    # Another writer may have written what was wanted: then this task changed nothing.
    before, reasons = (first.before, reasons) if task.written else (plan.before, [])
    result = {**plan.result, **task.kept}
    return dataclasses.replace(
        plan, before=before, reasons=_unique(reasons), warnings=_unique(warnings), result=result
    )


def _apply(task: Task, plan: Plan) -> None:
    """Apply a plan. If it wrote nothing because another writer was faster, delete the backup."""
    before, noted = task.kept, len(task.written)
    task.kept = write_backup(task.backup(plan), task.params) or before
    task.apply(plan)
    if len(task.written) == noted and task.kept != before:
        delete_backup(task.kept)
        task.kept = before


def _with_what_was_written(error: TaskError, task: Task) -> TaskError:
    """Add to a task's error what it had written before, and the backup of what that replaced."""
    written = list(_unique(task.written))
    if written:
        error.details |= {"written": written, **task.kept}
        error.remedy = f"{error.remedy} Already written: {', '.join(written)}.".strip()
    return error


def _unique(texts: t.Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))


def _readable(document: t.Any) -> str:
    return (
        ""
        if document is None
        else json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    )
