# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clouds whose resources are documents in memory, for tests of the fleet engine: the engine, the loop
that converges a resource and the reconciler of policies are the real ones.
"""

from __future__ import annotations

import dataclasses
import threading
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.requests import record_write
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    LivePolicy,
    PolicyGuard,
    PolicyPlanner,
    PolicyReconciler,
    PolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    BUCKET_POLICY,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import Clock
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Key,
    Resource,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import Services
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    BUCKET,
    CONFIG,
    FORMER_POLICY,
    MAPPING,
    PASS_ROLE,
    PROFILE,
    ROLE_POLICY,
    TRUST,
    bucket_stages_of,
)

ACCOUNT = "123456789012"
# Those of a cloud whose clusters get the role by a compute config.
STAGES = (TRUST, BUCKET, PROFILE, CONFIG)
CALLER = f"arn:aws:iam::{ACCOUNT}:user/onboarding"


class Time(Clock):
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.slept += seconds


def document(*sids: str) -> Document:
    """A document with a statement for each Sid, of which no two mean the same."""
    return {
        "Version": "2012-10-17",
        "Statement": [{"Sid": sid, "Effect": "Allow", "Action": f"s3:{sid}"} for sid in sids],
    }


def arn_of(role: str) -> str:
    """The ARN of a role; of an ARN, the ARN itself."""
    return role if role.startswith("arn:") else f"arn:aws:iam::{ACCOUNT}:role/{role}"


class World:
    """The documents by the names of resources, such as ``bucket data``, each with the names of the
    roles that it grants something.

    limit: the most roles in a document. errors: by the step (``load``, ``guard``, ``write``) and the
    resource, for ``plan`` the role, for ``judge`` the cloud, for ``connect`` its ID. calls: the steps that
    were taken. asked, registrations: the roles, and all that is registered, that have been read,
    by the ID of the cloud. meanwhile: called with each step.
    """

    def __init__(self, **documents: list[str]) -> None:
        self.documents = {name.replace("__", " "): one for name, one in documents.items()}
        self.limit = 100
        self.errors: dict[tuple[str, str], Exception] = {}
        self.calls: list[tuple[str, str]] = []
        self.asked: dict[str, str] = {}
        self.registrations: dict[str, Registration] = {}
        self.meanwhile: t.Callable[[str, str], None] = lambda _step, _name: None
        # Called before a document is loaded, without the lock of the steps.
        self.before_load: dict[str, t.Callable[[], object]] = {}
        self.clock = Time()
        self._lock = threading.RLock()

    def step(self, step: str, name: str) -> None:
        """Take a step, which may fail."""
        with self._lock:
            self.calls.append((step, name))
            self.meanwhile(step, name)
        if (step, name) in self.errors:
            raise self.errors[step, name]

    def names(self, step: str) -> list[str]:
        """The resources that a step was taken for, in order."""
        return [name for taken, name in self.calls if taken == step]


class Store(PolicyStore[LivePolicy]):
    """Where a document of a world is kept."""

    def __init__(self, world: World, name: str) -> None:
        self._world, self._name = world, name

    def load(self) -> LivePolicy:
        self._world.before_load.get(self._name, lambda: None)()
        self._world.step("load", self._name)
        return LivePolicy(self._name, document(*self._world.documents.get(self._name, ())))

    def write(self, live: LivePolicy, document: Document) -> None:
        self._world.step("write", self._name)
        self._world.documents[self._name] = [raw["Sid"] for raw in statements_of(document)]
        record_write("fake", "Put", f"request {self._name}")
        self._world.meanwhile("written", self._name)

    def principals(self, *documents: Document) -> t.Mapping[str, str]:
        return {}

    def owner_of(self, live: LivePolicy) -> str:
        return ACCOUNT

    def backup(self, live: LivePolicy, before: Document, after: Document) -> Backup:
        name = self._name.replace(" ", "-")
        return Backup(BUCKET_POLICY, {"bucket": name}, ACCOUNT, before, after)

    def display(self, document: t.Any) -> t.Any:
        return [raw["Sid"] for raw in statements_of(document)] or None


@dataclasses.dataclass(frozen=True)
class _Planner(PolicyPlanner[LivePolicy]):
    """A role is granted something, or no longer."""

    world: World
    name: str
    role: str
    state: str

    def plan(self, live: LivePolicy) -> Plan:
        if ("plan", self.role) in self.world.errors:
            raise self.world.errors["plan", self.role]
        before = [raw["Sid"] for raw in statements_of(live.document)]
        others = [sid for sid in before if sid != self.role]
        wanted = [*others, self.role] if self.state == "present" else others
        if len(wanted) > self.world.limit:
            raise RefusedError(f"{self.name} has room for {self.world.limit} roles.")
        kind = self.name.partition(" ")[0]
        result = {"role_arn": arn_of(self.role), kind: self.name}
        warnings = (f"{self.role} is old.",) if self.role.startswith("old") else ()
        if set(before) == set(wanted):
            return Plan(live.document, live.document, (), warnings, result)
        reason = f"{kind}_{'without' if self.state == 'present' else 'with'}_{self.role}"
        return Plan(live.document, document(*wanted), (reason,), warnings, result)


class InMemory(Services):
    """The services of a run whose resources are in memory."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.forgotten = 0
        self.sessions = t.cast(t.Any, self)

    def forget_reads(self) -> None:
        """As the sessions of a run do it."""
        self.forgotten += 1

    def expect_reads(self, settings: CloudSettings) -> None:
        """Nothing is read by the page. The options of a connection may be invalid."""
        self.world.step("connect", str(settings.cloud_id))

    def default_role(self, settings: CloudSettings, registered: str | None) -> str:
        """The registered role. A cloud without one is an error."""
        if registered is None:
            raise InputError("Neither cloud_iam_role nor cloud_iam_cloud_id is set.", "Set one.")
        return registered

    def known_default_role(self, settings: CloudSettings) -> str | None:
        """What Anyscale was asked for one of these clouds, if it was."""
        return self.world.asked.get(str(settings.cloud_id))

    def known_registration(self, settings: CloudSettings) -> Registration | None:
        """The same, whole."""
        return self.world.registrations.get(str(settings.cloud_id))

    def caller_arn(self, settings: CloudSettings) -> str:
        """Who makes all calls."""
        self.world.step("caller", str(settings.cloud_id))
        return CALLER


class _Resource(Resource):
    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        if not (name := self._name(settings)):
            raise InputError(f"{self.stage} is null.", "Set it.")
        return settings.account_id, str(settings.connection), name

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        world, wants = t.cast(InMemory, self.services).world, self.wants_of(clouds)
        name = f"{self.stage} {self._name(wants[0])}"
        if fresh:
            world.calls.append(("fresh", name))
        roles = [t.cast(str, settings.role).rpartition("/")[2] for settings in wants]
        takes_away = bucket_stages_of(wants[0], self.state).get(self.stage, self.state == "absent")

        def guard_of(cloud: Cloud) -> PolicyGuard[LivePolicy]:
            def guard(_live: LivePolicy, _plan: Plan) -> None:
                world.step("guard", name)
                world.step("judge", cloud.name)

            return guard

        return PolicyReconciler(
            Store(world, name),
            [
                _Planner(world, name, role, "absent" if takes_away else "present")
                for role in dict.fromkeys(roles)
            ],
            [guard_of(cloud) for cloud in clouds],
            [str(cloud.settings.cloud_id) for cloud in clouds],
            clock=world.clock,
        )

    def _name(self, settings: CloudSettings) -> str | None:
        role = (settings.role or "").rpartition("/")[2]
        return {
            TRUST: role,
            BUCKET: settings.bucket,
            PROFILE: settings.instance_profile or role,
            CONFIG: settings.compute_config,
            MAPPING: settings.cloud_id,
            ROLE_POLICY: role,
            PASS_ROLE: settings.control_plane_role,
            FORMER_POLICY: role,
        }[self.stage]


class TrustInMemory(_Resource):
    """The trust policy of the role."""

    stage = TRUST

    def plan_own(self, cloud: Cloud) -> Plan:
        """The later steps know the role."""
        plan = super().plan_own(cloud)
        for settings in self.wants_of([cloud]):
            cloud.know_role(settings, plan.result["role_arn"])
        return plan


class BucketInMemory(_Resource):
    """The policy of the bucket."""

    stage = BUCKET


class RolePolicyInMemory(_Resource):
    """An inline policy of the role."""

    stage = ROLE_POLICY


class FormerRolePolicyInMemory(_Resource):
    """The same, of a role that is to lose it."""

    stage = FORMER_POLICY


class ProfileInMemory(_Resource):
    """The instance profile."""

    stage = PROFILE


class ConfigInMemory(_Resource):
    """The compute config."""

    stage = CONFIG


class PassRoleInMemory(_Resource):
    """The policy of the control-plane role."""

    stage = PASS_ROLE


class MappingInMemory(_Resource):
    """The Cloud IAM mapping."""

    stage = MAPPING


def planned_resource(stage: str) -> Resource:
    """A resource of a stage, of which only that matters."""
    kind = next(kind for kind in KINDS if kind.stage == stage)
    return kind(InMemory(World()), "present")


def stages_of(cloud: Cloud) -> list[str]:
    """The stages that a cloud has plans of, in the order in which they were planned."""
    return list(dict.fromkeys(resource.stage for resource in cloud.plans))


KINDS: tuple[type[Resource], ...] = (
    TrustInMemory,
    ProfileInMemory,
    ConfigInMemory,
    PassRoleInMemory,
    MappingInMemory,
    RolePolicyInMemory,
    FormerRolePolicyInMemory,
    BucketInMemory,
)


def cloud_of(name: str, folder: t.Any, **settings: t.Any) -> Cloud:
    """A cloud with resources of its own, named after it. folder: for backups and locks."""
    own: dict[str, t.Any] = {
        "account_id": ACCOUNT,
        "cloud_id": f"cld_{name}",
        "role": name,
        "bucket": name,
        "compute_config": name,
        "backup_dir": f"{folder}/backups",
        "lock_dir": f"{folder}/locks",
        "run_id": "4711",
    }
    return Cloud(name, CloudSettings(**{**own, **settings}))


def in_sync_world(*names: str) -> World:
    """A world in which clouds of these names need nothing."""
    world = World()
    for name in names:
        for stage in (TRUST, BUCKET, PROFILE, CONFIG):
            world.documents[f"{stage} {name}"] = [name]
    return world
