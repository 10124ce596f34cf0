# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge a compute config that names instance profiles, and a file with it.

This module util is private to the collection. Versions of a compute config are immutable, so that
earlier content is never lost. A new version is published only if the config differs.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
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
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    compute_config_observed,
    compute_config_plan,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_observed import (
    Observed,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_plan import (
    ALL,
    ARCHIVED,
    NOT_ARCHIVED,
    ConfigPlan,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_publication import (
    overtaken_version,
    publish,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.written import noted
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    UnsettledError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files import yaml
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    COMPUTE_CONFIG,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import (
    SYSTEM_CLOCK,
    Clock,
    backoff,
)

_VISIBLE_SECONDS = 30.0


@dataclasses.dataclass(frozen=True)
class LiveConfig(Live):
    """The newest version of the compute config with what its plan needs to know of the cloud, and
    the content of the file.

    plan: of the compute config, where it was needed to find out what else to read. overtaken: the
    version of another writer that the newest version, which is ours, was made without.
    """

    observed: Observed
    file: t.Any = None
    plan: ConfigPlan | None = None
    overtaken: t.Mapping[str, t.Any] | None = None


@dataclasses.dataclass(frozen=True)
class _Published(Saved):
    """A save that may have published a version; 0 if it published none."""

    version: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class _WithFile(Plan):
    """The plans for the compute config and for the file."""

    config: ConfigPlan
    file: Plan


class ComputeConfigStore:
    """A compute config and its cloud at Anyscale. What only a change needs is read once."""

    def __init__(
        self,
        client: AnyscaleClient,
        name: str,
        cloud_id: str,
        registration: t.Callable[[], Registration],
    ) -> None:
        self.client = client
        self.name = name
        self.cloud_id = cloud_id
        self._registration = registration

    def overtaken(self, previous: int, published: int) -> dict[str, t.Any] | None:
        """The version of another writer that the published one was made without."""
        return overtaken_version(self.client, self.name, self.cloud_id, previous, published)

    def newest(self) -> dict[str, t.Any] | None:
        """The newest version, archived or not."""
        return self.client.newest_compute_config(self.name, self.cloud_id)

    @property
    def resources(self) -> list[dict[str, t.Any]]:
        """The cloud's resources, as they are read for its registration."""
        return list(self._registration().resources)

    @functools.cached_property
    def default_config(self) -> dict[str, t.Any]:
        """The config that clusters of the cloud get when none is named."""
        return self.client.default_compute_config(self.cloud_id)

    @functools.cached_property
    def names(self) -> list[str]:
        """The names of the cloud's compute configs."""
        return self.client.compute_config_names(self.cloud_id)

    @functools.cached_property
    def cloud_name(self) -> str | None:
        """The cloud's name."""
        return self.client.cloud(self.cloud_id).get("name")


@dataclasses.dataclass(frozen=True)
class ConfigWant:
    """What is wanted: the ARN in the config, the declared part of it, the state, the file, and
    whether a compute config that does not exist, or is archived, is created.

    node_groups: whether ``all`` node groups get the ARN, or those with another profile of their own
    ``keep`` it. group_arns: the ARNs of node groups that are to have another one, by their names.
    name, cloud_id: of the compute config. cloud_name: for the file, if it is known. account_id: of
    the instance profile, for the backup.
    """

    name: str
    cloud_id: str
    arn: str
    config: t.Mapping[str, t.Any] | None = None
    state: str = "present"
    dest: str | None = None
    may_create: bool = True
    cloud_name: str | None = None
    account_id: str = ""
    node_groups: str = ALL
    group_arns: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


class ComputeConfigReconciler(Reconciler[LiveConfig]):
    """The compute config, and the file. Without a store the config is only written to the file."""

    def __init__(
        self,
        want: ConfigWant,
        store: ComputeConfigStore | None,
        clouds: t.Iterable[str] = (),
        check_role: t.Callable[[], None] = lambda: None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """``check_role`` raises if the config must not lead to the role, or is of a cloud in another
        account.
        """
        self.want = want
        self._wanted = compute_config_plan.Wanted(
            want.arn,
            want.config,
            want.state,
            want.may_create,
            want.node_groups,
            want.group_arns,
        )
        self._store = store
        self._check_role = check_role
        self._clock = clock
        self.clouds = tuple(clouds)

    def load(self) -> LiveConfig:
        """Read the newest version, and what the plan needs to know of the cloud."""
        resource = f"compute config {self.want.name} of cloud {self.want.cloud_id}"
        file = yaml.read(self.want.dest, KEYS) if self.want.dest is not None else None
        observed = Observed(self.want.name, self.want.cloud_id)
        if self._store is None:
            return LiveConfig(resource, observed, file)
        observed = dataclasses.replace(observed, template=self._store.newest())
        if observed.config is not None:
            plan = compute_config_plan.decide(observed, self._wanted)
            if not plan.changed and len(deployments(observed.config)) == 1:
                return LiveConfig(resource, observed, file, plan)
        return LiveConfig(resource, self._with_surroundings(observed, self._store), file)

    def plan(self, live: LiveConfig) -> Plan:
        """Plan the config, and the file with it."""
        config = self._plan_of_config(live)
        file = self._plan_of_file(config, live.file)
        return _WithFile(
            before={**config.before, "file": file.before},
            after={**config.after, "file": file.after},
            reasons=(*config.reasons, *file.reasons),
            warnings=(*config.warnings, *file.warnings),
            result={**config.result, **file.result},
            config=config,
            file=file,
        )

    def guard(self, live: LiveConfig, plan: Plan) -> None:
        """The role must be one for clusters, and the file must be writable."""
        self._check_role()
        if t.cast(_WithFile, plan).file.changed:
            yaml.refuse_unwritable(str(self.want.dest))

    def backup(self, live: LiveConfig, plan: Plan) -> Backup | None:
        """The compute config, if it is written."""
        config, want = t.cast(_WithFile, plan).config, self.want
        if self._store is None or not config.changed:
            return None
        target = {"cloud_id": want.cloud_id, "name": want.name}
        before = config.live and compose(config.live, deployments(config.live))
        return Backup(
            COMPUTE_CONFIG,
            target,
            want.account_id,
            before,
            config.config,
            (want.cloud_id,),
            previous_version=config.result["previous_version"] or 0,
        )

    def save(self, live: LiveConfig, plan: Plan, written: list[str]) -> Saved:
        """Publish the config, then write the file."""
        parts, version = t.cast(_WithFile, plan), 0
        if parts.config.changed and self._store is not None:
            version = self._publish(self._store, live, parts.config, written)
        if parts.file.changed:
            yaml.write(str(self.want.dest), parts.file.after)
            written.append(f"file {self.want.dest}")
        return _Published(version=version)

    def read_back(self, live: LiveConfig, plan: Plan, saved: Saved) -> tuple[LiveConfig, Plan]:
        """Read until everything that was written is visible. If our version overtook one of another
        writer, plan again from that.
        """
        published = t.cast(_Published, saved).version
        for _attempt in backoff(_VISIBLE_SECONDS, clock=self._clock):
            live = self.load()
            current = self.plan(live)
            if not current.changed and _newest_version(live) >= published:
                return self._with_overtaken(live, plan, current, published)
        _refuse_another_version(live, current, published)
        return live, current

    def _with_overtaken(
        self, live: LiveConfig, written: Plan, current: Plan, published: int
    ) -> tuple[LiveConfig, Plan]:
        """The live state and what is left to do, where it is what was wanted: to keep what a version
        of another writer set, if ours overtook one. If there is another newest version, its
        writer has decided.
        """
        names = ("compute_config", "compute_config_id")
        seen = {key: current.result[key] for key in names if key in current.result}
        result = {**written.result, **seen}
        settled = dataclasses.replace(written, reasons=(), warnings=(), result=result)
        previous = written.result.get("previous_version") or 0
        overtaken = self._store.overtaken(previous, published) if self._store else None
        if self._store is None or overtaken is None:
            return live, settled
        if _newest_version(live) > published:
            warnings = (_overtaken_warning(overtaken["version"], published),)
            return live, dataclasses.replace(settled, warnings=warnings)
        observed = self._with_surroundings(live.observed, self._store)
        live = dataclasses.replace(live, observed=observed, overtaken=overtaken)
        again = self.plan(live)
        return (live, again) if again.changed else (live, settled)

    def _with_surroundings(self, observed: Observed, store: ComputeConfigStore) -> Observed:
        """Add what only a change needs: the cloud's resources, and the default compute config."""
        observed = dataclasses.replace(observed, resources=store.resources)
        if observed.template is not None or self.want.state != "present":
            return observed
        # Such a cloud may have no default compute config
        compute_config_observed.refuse_without_vms(observed)
        observed = dataclasses.replace(observed, others=store.names)
        return dataclasses.replace(observed, default_config=store.default_config)

    def _plan_of_config(self, live: LiveConfig) -> ConfigPlan:
        observed = live.observed
        if self._store is None:
            return self._unpublished(observed)
        if live.overtaken is not None:
            plan = compute_config_plan.decide_again(observed, live.overtaken, self._wanted)
        else:
            plan = live.plan or compute_config_plan.decide(observed, self._wanted)
        return _with_version(plan, observed)

    def _unpublished(self, observed: Observed) -> ConfigPlan:
        """Plan without publishing: the live state is not known, and the config is only written to
        the file.
        """
        unknown = ConfigPlan({"compute_config": None}, {"compute_config": None})
        if self.want.dest is None:
            return unknown
        declared = dataclasses.replace(
            self._wanted, config=self._wanted.config or {}, may_create=True
        )
        made = compute_config_plan.decide(observed, declared)
        return dataclasses.replace(unknown, config=made.config, warnings=made.warnings)

    def _plan_of_file(self, config: ConfigPlan, before: t.Any) -> Plan:
        if self.want.dest is None or config.config is None:
            return Plan(None, None)
        name = self.want.cloud_name
        if name is None and self._store is not None:
            name = self._store.cloud_name
        after = to_yaml_schema(config.config, name)
        reasons = () if before == after else ("dest_differs",)
        return Plan(before, after, reasons, result={"file": os.path.abspath(self.want.dest)})

    def _publish(
        self, store: ComputeConfigStore, live: LiveConfig, plan: ConfigPlan, written: list[str]
    ) -> int:
        """Archive the config, or take it out of the archive and publish a version, as needed.
        Returns its number, or 0.
        """
        template = live.observed.template
        if template is not None and NOT_ARCHIVED in plan.reasons:
            with noted(f"{live.resource} (archived)", written):
                store.client.archive_compute_config(template["id"])
        if template is not None and ARCHIVED in plan.reasons:
            with noted(f"{live.resource} (unarchived)", written):
                store.client.unarchive_compute_config(template["id"])
        if not plan.publishes:
            return 0
        config, previous = t.cast(t.Any, plan.config), plan.result["previous_version"] or 0
        return publish(store.client, store.name, config, previous, live.resource, written)


def _with_version(plan: ConfigPlan, observed: Observed) -> ConfigPlan:
    """Add the version that clusters should use, ``name:version``, to the plan."""
    previous = observed.template["version"] if observed.template else 0
    publishes, usable = plan.publishes, plan.config is not None
    names = {
        "compute_config": f"{observed.name}:{previous + publishes}" if usable else None,
        "compute_config_id": observed.template["id"]
        if usable and observed.template and not publishes
        else None,
    }
    return dataclasses.replace(plan, result={**plan.result, **names})


def _refuse_another_version(live: LiveConfig, plan: Plan, published: int) -> None:
    """Versions cannot be deleted: another one is published only if another writer published a
    newer one.
    """
    config = t.cast(_WithFile, plan).config
    if config.changed and published and published >= (config.result["previous_version"] or 0):
        raise UnsettledError(
            f"Version {published} of {live.resource} was published, but the live "
            f"compute config still differs after {_VISIBLE_SECONDS:.0f} s: "
            f"{', '.join(config.reasons)}.",
            "Compare it with config: Anyscale may have changed a value.",
            reasons=list(config.reasons),
        )


def _newest_version(live: LiveConfig) -> int:
    template = live.observed.template
    return int(template["version"]) if template else 0


def _overtaken_warning(overtaken: int, published: int) -> str:
    return (
        f"Another writer published version {overtaken} at the same time; version {published}, which "
        "this task published, does not contain its changes."
    )
