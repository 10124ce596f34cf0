# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge the IAM setup of a cloud, step by step, for the module ``cloud_iam``.

This module util is private to the collection. All steps are planned before the first one writes, so
that a cloud is not changed at all if one step would fail.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    bucket_policy as s3_cloud_access,
    compute_config as compute_config_profile,
    trust_policy as iam_trust_ec2,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import (
    ModuleTask,
    Task as Step,
    execute,
    module_arguments,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError

_TRUST, _BUCKET, _COMPUTE_CONFIG = "trust", "bucket_access", "compute_config_profile"
_STEPS: dict[str, type[Step]] = {
    _TRUST: iam_trust_ec2.Task,
    _BUCKET: s3_cloud_access.Task,
    _COMPUTE_CONFIG: compute_config_profile.Task,
}
_SPECS = {name: module_arguments(step)["argument_spec"] for name, step in _STEPS.items()}
# Options that have another name here, or that this task sets.
_OWN = ("name", "cloud", "cloud_id", "role", "roles", "actions", "state")


@dataclasses.dataclass(frozen=True)
class CloudPlan(Plan):
    """The plans of the steps, in the order of execution."""

    steps: t.Mapping[str, Plan] = dataclasses.field(default_factory=dict)


class Task(ModuleTask):
    """The trust policy of a cloud's role, the bucket's policy, and the compute config with its
    instance profile.
    """

    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        **{
            name: option
            for step in _STEPS.values()
            for name, option in step.options.items()
            if name not in _OWN
        },
        "cloud_id": {"type": "str"},
        "role": {"type": "str", "aliases": ["role_arn", "role_name"]},
        "bucket": {"type": "str"},
        "compute_config": {"type": "str"},
        **{name: {"type": "bool", "default": True} for name in _STEPS},
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    }
    shared_options = Step.shared_options
    rules: t.ClassVar[dict[str, t.Any]] = {
        "required_one_of": [["role", "cloud_id"]],
        "required_if": [
            [_BUCKET, True, ["bucket"]],
            [_COMPUTE_CONFIG, True, ["compute_config", "cloud_id"]],
        ],
    }

    def __init__(self, params: t.Mapping[str, t.Any], connect: Connect = AwsSession) -> None:
        super().__init__(params, connect)
        # Created before any step reads or writes, so that invalid options are reported first.
        self._steps = {
            name: self._step(name, params.get("role")) for name in _STEPS if params[name]
        }

    def plan(self) -> CloudPlan:
        """Plan all steps."""
        plans: dict[str, Plan] = {}
        for name in self._order():
            plans[name] = self._steps[name].plan()
            if name == _TRUST and self.params["state"] == "present":
                self._steps |= {
                    later: self._step(later, plans[name].result["role_arn"])
                    for later in self._steps
                    if later != _TRUST
                }
        reasons = dict.fromkeys(reason for plan in plans.values() for reason in plan.reasons)
        warnings = [
            f"{self._steps[name].resource}: {warning}"
            for name, plan in plans.items()
            for warning in plan.warnings
        ]
        before, after = (
            {name: getattr(plan, side) for name, plan in plans.items()}
            for side in ("before", "after")
        )
        return CloudPlan(before, after, tuple(reasons), tuple(warnings), steps=plans)

    def result(self, check_mode: bool) -> dict[str, t.Any]:
        """Converge the steps, or predict it."""
        results: dict[str, dict[str, t.Any]] = {}
        for name, plan in self.plan().steps.items():
            try:
                results[name] = execute(self._steps[name], plan, check_mode)
            except TaskError as error:
                raise _with_what_was_done(error, name, results) from error
        return _together(results)

    def changed_resources(self, plan: CloudPlan) -> list[str]:
        """The names of the resources that a plan would change."""
        return [
            resource
            for name, step in plan.steps.items()
            for resource in self._steps[name].changed_resources(step)
        ]

    def result_of(self, plan: CloudPlan) -> dict[str, t.Any]:
        """The result if nothing is to be done."""
        return _together(
            {name: self._steps[name].result_of(step) for name, step in plan.steps.items()}
        )

    def _order(self) -> list[str]:
        """The reverse order for state absent: first no new cluster runs with the role, then the
        role loses what clusters need.
        """
        return (
            list(self._steps) if self.params["state"] == "present" else list(reversed(self._steps))
        )

    def _step(self, name: str, role: str | None) -> Step:
        """A step for the role. Once known, the ARN is used, so that later steps need not call IAM
        again.
        """
        params = {
            option: self.params.get(option, rule.get("default"))
            for option, rule in _SPECS[name].items()
        }
        params["cloud_id"] = self.params.get("cloud_id")
        if name == _COMPUTE_CONFIG:
            params |= {"name": self.params["compute_config"], "role": role}
        elif role is not None:
            params |= {
                "cloud_id": None,
                **({"roles": [role]} if name == _BUCKET else {"role": role}),
            }
        step = _STEPS[name](params, lambda _params: self.session)
        step.clouds = (self.params["cloud_id"],) if self.params.get("cloud_id") else ()
        return step


def _together(results: dict[str, dict[str, t.Any]]) -> dict[str, t.Any]:
    """The result of each step, and the combined result."""
    diffs = [result.pop("diff") for result in results.values()]
    warnings = [warning for result in results.values() for warning in result.pop("warnings")]
    reasons = dict.fromkeys(reason for result in results.values() for reason in result["reasons"])
    changed = any(result["changed"] for result in results.values())
    return {
        **results,
        "changed": changed,
        "reasons": list(reasons),
        "warnings": warnings,
        "diff": diffs,
    }


def _with_what_was_done(
    error: TaskError, failed: str, results: t.Mapping[str, t.Mapping[str, t.Any]]
) -> TaskError:
    """Add to a step's error the steps that were carried out before."""
    error.details |= {
        "step": failed,
        "done": [name for name, result in results.items() if result["changed"]],
    }
    kept = [result["backup_file"] for result in results.values() if "backup_file" in result]
    if kept:
        error.details["backup_files"] = kept
    if error.details["done"]:
        error.remedy = (
            f"{error.remedy} Already changed: {', '.join(error.details['done'])}.".strip()
        )
    return error
