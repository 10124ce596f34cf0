# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge an instance profile and the compute config that names it, for
``compute_config_profile``.

This module util is private to the collection. Versions of a compute config are immutable, so that
earlier content is never lost. A new version is published only if the config differs.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import (
    anyscale_argument_spec,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
    anyscale_client,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_reader import (
    KEYS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    compose,
    deployments,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_writer import (
    to_yaml_schema,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    account_of,
    default_role_name,
    parse_cloud_id,
    parse_instance_profile,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import (
    AwsSession,
    Connect,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    compute_config_plan,
    instance_profile_plan,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    live_role,
    refuse_caller,
    refuse_service_linked,
    wanted_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.task import (
    Task as BaseTask,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    InputError,
    UnsettledError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files import yaml
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    COMPUTE_CONFIG,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import backoff

_USABLE_SECONDS = 60.0
_VISIBLE_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class ProfilePlan(Plan):
    """The plans for the instance profile in IAM, the compute config, and the file."""

    profile: Plan = Plan(None, None)
    config: compute_config_plan.ConfigPlan = compute_config_plan.ConfigPlan(None, None)
    file: Plan = Plan(None, None)


class Task(BaseTask):
    """An instance profile, the compute config that names it, and a file with this compute config."""

    options: t.ClassVar[dict[str, dict[str, t.Any]]] = {
        "name": {"type": "str", "required": True},
        "cloud_id": {"type": "str"},
        "cloud": {"type": "str"},
        "role": {"type": "str", "aliases": ["role_arn", "role_name"]},
        "instance_profile": {"type": "str"},
        "create_instance_profile": {"type": "bool", "default": True},
        "arn_kind": {
            "type": "str",
            "choices": ["instance_profile", "role"],
            "default": "instance_profile",
        },
        "config": {"type": "dict"},
        "dest": {"type": "path"},
        "publish": {"type": "bool", "default": True},
        "state": {
            "type": "str",
            "choices": ["present", "absent", "archived"],
            "default": "present",
        },
        **anyscale_argument_spec(),
    }
    rules: t.ClassVar[dict[str, t.Any]] = {
        "required_one_of": [["cloud_id", "cloud"]],
        "mutually_exclusive": [["cloud_id", "cloud"]],
    }

    def __init__(self, params: t.Mapping[str, t.Any], connect: Connect = AwsSession) -> None:
        super().__init__(params, connect)
        if params["state"] != "present" and not params["publish"]:
            raise InputError(
                f"publish is false, but state is {params['state']}.",
                "There would be nothing to do: omit publish.",
            )
        self._iam = Iam(self.session)
        self._anyscale = anyscale_client(params) if params["publish"] else None
        self._published = 0
        self._resources: list[dict[str, t.Any]] | None = None
        self._default: dict[str, t.Any] | None = None

    @property
    def resource(self) -> str:
        """The compute config, as a resource name."""
        return f"compute config {self.params['name']} of cloud {self._cloud_id}"

    def plan(self) -> Plan:
        """Plan all parts from the live state in IAM and Anyscale."""
        return self._plan_with(self._plan_of_profile())

    def _plan_with(self, profile: Plan) -> ProfilePlan:
        config = self._plan_of_config(self._arn_to_write(profile))
        file = self._plan_of_file(config)
        parts = (profile, config, file)
        return ProfilePlan(
            before={"instance_profile": profile.before, **config.before, "file": file.before},
            after={"instance_profile": profile.after, **config.after, "file": file.after},
            reasons=tuple(dict.fromkeys(reason for part in parts for reason in part.reasons)),
            warnings=tuple(warning for part in parts for warning in part.warnings),
            result={**profile.result, **config.result, **file.result},
            profile=profile,
            config=config,
            file=file,
        )

    def apply(self, plan: Plan) -> None:
        """Make the profile usable first: clusters could not start with a version that names an
        unusable one.
        """
        parts = t.cast(ProfilePlan, plan)
        if parts.profile.changed:
            self._make_profile(parts.profile)
        if parts.config.changed and self._anyscale is not None:
            self._publish(self._anyscale, parts.config)
        if parts.file.changed:
            yaml.write(self.params["dest"], parts.file.after)
            self.written.append(f"file {self.params['dest']}")

    def backup(self, plan: Plan) -> Backup | None:
        """The compute config, if it is written: creating an instance profile replaces nothing."""
        config = t.cast(ProfilePlan, plan).config
        if self._anyscale is None or not config.changed:
            return None
        profile_arn = plan.result.get("instance_profile_arn")
        account_id = self.params.get("account_id") or (
            account_of(profile_arn) if profile_arn else ""
        )
        target = {"cloud_id": self._cloud_id, "name": self.params["name"]}
        before = config.live and compose(config.live, deployments(config.live))
        return Backup(COMPUTE_CONFIG, target, account_id, before, config.config, (self._cloud_id,))

    def verify(self, plan: Plan) -> Plan:
        """Read until everything that was written is visible."""
        written = t.cast(ProfilePlan, plan)
        for _attempt in backoff(_VISIBLE_SECONDS):
            current = self._plan_with(
                self._plan_of_profile() if written.profile.changed else written.profile
            )
            if not current.changed:
                live = {
                    key: current.result[key]
                    for key in ("compute_config", "compute_config_id")
                    if key in current.result
                }
                return dataclasses.replace(
                    plan,
                    reasons=(),
                    warnings=self._warn_of_other_version(plan),
                    result={**plan.result, **live},
                )
        self._refuse_another_version(current.config)
        return current

    # --- the instance profile ---------------------------------------------------------------------

    def _plan_of_profile(self) -> Plan:
        if self.params["state"] == "archived":
            return Plan(None, None)
        profile = self._iam.instance_profile(self._profile_name)
        if self.params["state"] == "absent":
            return self._plan_unchanged_profile(profile)
        role_arn = None
        if profile is None or not instance_profile_plan.holds(profile, self._role):
            role_arn = live_role(self._iam, self._role, self.params.get("account_id"))["Arn"]
            refuse_service_linked(role_arn)
        plan = instance_profile_plan.decide(
            profile,
            self._profile_name,
            self._role,
            role_arn,
            self.params["create_instance_profile"],
        )
        self._refuse_account(plan.result["instance_profile_arn"])
        return plan

    def _plan_unchanged_profile(self, profile: t.Mapping[str, t.Any] | None) -> Plan:
        """The profile unchanged, since other clouds may use it. Only its ARN is needed, even if the
        profile does not exist.
        """
        if profile is None:
            role_arn = str(
                self._role.arn
                or live_role(self._iam, self._role, self.params.get("account_id"))["Arn"]
            )
            return Plan(
                None,
                None,
                result={
                    "instance_profile_arn": instance_profile_plan.new_arn(
                        self._profile_name, role_arn
                    )
                },
            )
        self._refuse_account(profile["Arn"])
        document = {
            "name": self._profile_name,
            "arn": profile["Arn"],
            "role_arn": instance_profile_plan.held_role(profile),
        }
        return Plan(document, document, result={"instance_profile_arn": profile["Arn"]})

    def _refuse_account(self, profile_arn: str) -> None:
        account_id = self.params.get("account_id")
        wanted, named_by = account_id or self._role.account_id, None if account_id else self._role
        if wanted:
            refuse_caller(account_of(profile_arn), wanted, named_by)

    def _make_profile(self, plan: Plan) -> None:
        name = plan.after["name"]
        if plan.before is None:
            self._iam.create_instance_profile(
                name, "/" + plan.after["arn"].partition("/")[2].removesuffix(name)
            )
            self.written.append(f"instance profile {name}")
        try:
            self._iam.add_role_to_instance_profile(self._role.name, name)
        except AwsError as error:
            # The response to an earlier attempt was lost, or a task for another cloud was faster:
            # then the profile contains the role.
            if error.code != "LimitExceeded" or not instance_profile_plan.holds(
                self._iam.instance_profile(name), self._role
            ):
                raise
        self.written.append(f"role {self._role.name} in instance profile {name}")
        for _attempt in backoff(_USABLE_SECONDS):
            if instance_profile_plan.holds(self._iam.instance_profile(name), self._role):
                return
        raise UnsettledError(
            f"Instance profile {name} still does not contain its role after {_USABLE_SECONDS:.0f} "
            "s.",
            "Run again.",
        )

    def _arn_to_write(self, profile: Plan) -> str:
        if self.params["arn_kind"] == "role" and profile.after:
            return profile.after["role_arn"]
        return profile.result.get("instance_profile_arn", "")

    # --- the compute config -----------------------------------------------------------------------

    def _plan_of_config(self, arn: str) -> compute_config_plan.ConfigPlan:
        wanted = compute_config_plan.Wanted(arn, self.params.get("config"), self.params["state"])
        if self._anyscale is None:
            return self._unpublished(wanted)
        name, cloud_id = self.params["name"], self._cloud_id
        observed = compute_config_plan.Observed(
            name, cloud_id, self._anyscale.newest_compute_config(name, cloud_id)
        )
        if observed.config is not None:
            plan = compute_config_plan.decide(observed, wanted)
            if not plan.changed and len(deployments(observed.config)) == 1:
                return self._with_version(plan, observed)
        return self._with_version(
            compute_config_plan.decide(self._with_surroundings(self._anyscale, observed), wanted),
            observed,
        )

    def _with_surroundings(
        self, client: AnyscaleClient, observed: compute_config_plan.Observed
    ) -> compute_config_plan.Observed:
        """Add what only a change needs: the cloud's resources, and the default compute config."""
        if self._resources is None:
            self._resources = client.cloud_resources(observed.cloud_id)
        observed = dataclasses.replace(observed, resources=self._resources)
        if observed.template is not None or self.params["state"] != "present":
            return observed
        # Such a cloud may have no default compute config
        compute_config_plan.refuse_without_vms(observed)
        if self._default is None:
            self._default = client.default_compute_config(observed.cloud_id)
        return dataclasses.replace(observed, default_config=self._default)

    def _unpublished(self, wanted: compute_config_plan.Wanted) -> compute_config_plan.ConfigPlan:
        """Plan without publishing: the live state is not read, and the config is only written to
        the file.
        """
        unknown = compute_config_plan.ConfigPlan({"compute_config": None}, {"compute_config": None})
        if self.params.get("dest") is None:
            return unknown
        declared = dataclasses.replace(wanted, config=wanted.config or {})
        observed = compute_config_plan.Observed(
            self.params["name"], self.params.get("cloud_id") or ""
        )
        made = compute_config_plan.decide(observed, declared)
        return dataclasses.replace(unknown, config=made.config, warnings=made.warnings)

    def _with_version(
        self, plan: compute_config_plan.ConfigPlan, observed: compute_config_plan.Observed
    ) -> compute_config_plan.ConfigPlan:
        """Add the version that clusters should use, ``name:version``, to the plan."""
        previous = observed.template["version"] if observed.template else 0
        publishes = plan.changed and self.params["state"] != "archived"
        version = previous + 1 if publishes else previous
        usable = plan.config is not None
        names = {
            "compute_config": f"{observed.name}:{version}" if usable else None,
            "compute_config_id": observed.template["id"]
            if usable and observed.template and not publishes
            else None,
        }
        return dataclasses.replace(plan, result={**plan.result, **names})

    def _publish(self, client: AnyscaleClient, plan: compute_config_plan.ConfigPlan) -> None:
        name, previous = self.params["name"], plan.result["previous_version"] or 0
        if self.params["state"] == "archived":
            template = client.newest_compute_config(name, self._cloud_id)
            if template is not None:
                client.archive_compute_config(template["id"])
                self.written.append(f"{self.resource} (archived)")
        elif plan.config is not None:
            self._published = client.publish_compute_config(
                name, plan.config, previous_version=previous
            )["version"]
            self.written.append(f"version {self._published} of {self.resource}")

    def _refuse_another_version(self, live: compute_config_plan.ConfigPlan) -> None:
        """Versions cannot be deleted: another one is published only if another writer published a
        newer one.
        """
        if (
            live.changed
            and self._published
            and self._published >= (live.result["previous_version"] or 0)
        ):
            raise UnsettledError(
                f"Version {self._published} of {self.resource} was published, but the live "
                f"compute config still differs after {_VISIBLE_SECONDS:.0f} s: "
                f"{', '.join(live.reasons)}.",
                "Compare it with config: Anyscale may have changed a value.",
                reasons=list(live.reasons),
            )

    def _warn_of_other_version(self, plan: Plan) -> tuple[str, ...]:
        """Warn if another writer published a version between our read and our publication."""
        expected = (plan.result.get("previous_version") or 0) + 1
        if self._published <= expected:
            return ()
        return (
            (
                f"Another writer published version {expected} at the same time; version "
                f"{self._published}, which this task published, does not contain its changes."
            ),
        )

    # --- the file ---------------------------------------------------------------------------------

    def _plan_of_file(self, config: compute_config_plan.ConfigPlan) -> Plan:
        if self.params.get("dest") is None or config.config is None:
            return Plan(None, None)
        before = yaml.read(self.params["dest"], KEYS)
        after = to_yaml_schema(config.config, self._cloud_name)
        reasons = () if before == after else ("dest_differs",)
        if reasons:
            yaml.refuse_unwritable(self.params["dest"])
        return Plan(before, after, reasons, result={"file": os.path.abspath(self.params["dest"])})

    # --- names ------------------------------------------------------------------------------------

    @functools.cached_property
    def _cloud_id(self) -> str:
        if self.params.get("cloud_id"):
            return parse_cloud_id(self.params["cloud_id"])
        return self._anyscale.find_cloud(self.params["cloud"])["id"] if self._anyscale else ""

    @functools.cached_property
    def _cloud_name(self) -> str | None:
        if self.params.get("cloud") or self._anyscale is None:
            return self.params.get("cloud")
        return self._anyscale.cloud(self._cloud_id).get("name")

    @functools.cached_property
    def _role(self) -> RoleReference:
        if self.params.get("role") is not None:
            return wanted_role(self.params)
        if not self._cloud_id:
            raise InputError(
                "role is not set, and without cloud_id there is no default role.",
                "Set role or cloud_id.",
            )
        return RoleReference(default_role_name(self._cloud_id))

    @functools.cached_property
    def _profile_name(self) -> str:
        return parse_instance_profile(self.params.get("instance_profile") or self._role.name)
