# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge the resources of many clouds in one process: plan all of them before the first write,
write by threads, and confirm what was written.

This plugin util is private to the collection. It runs the reconcilers of the modules, so that
nothing is decided twice.
"""

from __future__ import annotations

import contextlib
import dataclasses
import threading
import typing as t

from ansible.module_utils.common.parameters import remove_values

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.requests import (
    recorded_writes,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_stages import (
    PROPAGATION_SECONDS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import (
    Journal,
    Unconfirmed,
    confirm,
    execute,
    noting_what_was_written,
    save_once,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    SETTLED_SECONDS,
    PolicyReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    refuse_other_account,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    IAM_MAPPING,
    PREFIX,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    TaskError,
    UnsettledError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.write_record import (
    record_own_writes,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import SYSTEM_CLOCK, Clock
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.notices import (
    pass_role_notice_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.required_variables import (
    refuse_incomplete,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.binding import Binding
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.bound import (
    bound,
    refuse_unplanned,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.done import Done
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.joint_plan import (
    by_document,
    plan_together,
    predict_for_others,
    refuse_with_others_of_role,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.kinds import KINDS
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Resource,
    refusing,
    resources_in,
    resources_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import Services
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    BUCKET,
    OF_BUCKET,
    PASS_ROLE,
    PROFILE,
    STAGES,
    TRUST,
    bucket_stages_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.threads import for_each

# How often what another writer overwrote is converged again.
_MOST_RESTORATIONS = 3

Item = t.TypeVar("Item")


class Engine:
    """Plans and converges clouds."""

    def __init__(
        self,
        services: Services,
        *,
        state: str,
        stages: t.Collection[str],
        threads: int,
        keeps_documents: bool = True,
        binding: Binding | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """stages: the kinds of resources. keeps_documents: whether plans are needed with their
        documents, to predict or to display them. binding: the plan file without whose consent nothing
        is written, if there is one.
        """
        self._services = services
        self._state = state
        self._kinds = [kind for kind in KINDS if kind.stage in stages]
        # With state absent, first no new cluster starts with the role, then the role loses what
        # clusters need.
        self._order = STAGES if state == "present" else STAGES[::-1]
        self._threads = threads
        self._keeps_documents = keeps_documents
        self._binding = binding
        self._clock = clock
        # Called for each cloud that is planned, and that is written, from any thread.
        self.on_cloud: t.Callable[[Cloud], None] = lambda _cloud: None
        self._stopped = threading.Event()

    def stop(self) -> None:
        """Let no new save begin, and nothing be read any more."""
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        """Whether what was begun last may be incomplete."""
        return self._stopped.is_set()

    # --- plan -------------------------------------------------------------------------------------

    def plan(self, clouds: t.Sequence[Cloud]) -> None:
        """Plan all clouds. Afterwards each has its plans, or an error: then nothing of it is to be
        written.
        """
        for cloud in clouds:
            cloud.resources.clear()
            cloud.plans.clear()
        # Of a cloud that is refused nothing is read.
        readable = [cloud for cloud in clouds if not cloud.error]
        self._each(self._prepare, readable, lambda cloud: [cloud])
        for kind in self._kinds:
            able = [
                cloud
                for cloud in readable
                if not cloud.error and cloud.manages(kind.stage, self._state)
            ]
            resources = resources_of(kind, able, self._services, self._state)
            self._each(self._plan_resource, resources, lambda resource: resource.clouds)
        if self._binding is not None:
            refuse_unplanned(clouds, self._binding)
        for resources in by_document(resources_in(STAGES, clouds)):
            plan_together(resources)
        if self._state == "absent":
            refuse_with_others_of_role(clouds)
        # Whatever is written, or planned again, is read again first.
        self._services.forget_reads()
        if not self._keeps_documents:
            _drop_documents(clouds)

    def _prepare(self, cloud: Cloud) -> None:
        """Find out the role of a cloud, and what is going to be read."""
        refuse_incomplete(cloud, [kind.stage for kind in self._kinds], self._state)
        self._services.expect_reads(cloud.settings)
        settings = cloud.settings
        for role in settings.further_roles:
            variable = PREFIX + (
                "mapping_rules" if settings.assign == IAM_MAPPING else "node_group_roles"
            )
            refuse_other_account(parse_role(role, variable), settings.account_id, variable)
        if settings.role is not None:
            return
        if self._state == "present" or settings.offboards_own_role:
            role = self._services.default_role(settings, cloud.registered_role)
            cloud.settings = dataclasses.replace(settings, role=role)

    def _plan_resource(self, resource: Resource) -> None:
        """Load a resource, and plan what each of its clouds wants of it."""
        resource.live = resource.reconciler(resource.clouds).load()
        for cloud in resource.clouds:
            with refusing([cloud]):
                cloud.plans[resource] = resource.plan_own(cloud)
            if resource.stage == self._kinds[-1].stage:
                self.on_cloud(cloud)

    def notices(self, cloud: Cloud) -> list[str]:
        """What the operator is told of the variables of a planned cloud. Nothing is read for it."""
        found = list(cloud.notices)
        stages = [kind.stage for kind in self._kinds]
        if self._state == "present" and PASS_ROLE in stages and not cloud.error:
            known = cloud.registered_role or self._services.known_default_role(cloud.settings)
            found.append(pass_role_notice_of(cloud, known))
        return t.cast("list[str]", remove_values([*filter(None, found)], cloud.settings.secrets))

    # --- predict and converge ---------------------------------------------------------------------

    def predict(self, clouds: t.Collection[Cloud]) -> list[Done]:
        """What converging these planned clouds would do. Nothing is written."""
        done: list[Done] = []
        for resource in resources_in(self._order, clouds):
            pending = resource.pending(clouds)
            if pending:
                with refusing(pending):
                    one = _predicted(resource, pending, clouds)
                    predict_for_others(one.resource, one.plan, clouds)
                    done.append(one)
        return done

    def converge(self, clouds: t.Collection[Cloud], read_back: bool = False) -> list[Done]:
        """Converge these planned clouds, kind by kind of resource. read_back: whether policies are
        read back at once, and not by ``confirm()``.
        """
        done: list[Done] = []
        unsaved = {cloud: sum(plan.changed for plan in cloud.plans.values()) for cloud in clouds}

        def save(resource: Resource) -> None:
            pending = resource.pending(clouds)
            if pending:
                one = Done(resource, pending)
                done.append(one)  # before it can fail: it may have written a part
                self._save(one, clouds, read_back)
                for cloud in pending:
                    unsaved[cloud] -= 1
                    if not unsaved[cloud]:
                        self.on_cloud(cloud)

        for stage in self._order:
            if self._state == "absent":
                refuse_with_others_of_role(clouds)
            resources = resources_in([stage], clouds)
            self._wait_for_grants(done, resources, clouds)
            self._each(save, resources, lambda resource: resource.pending(clouds))
        return done

    def _wait_for_grants(
        self, done: t.Sequence[Done], resources: t.Sequence[Resource], clouds: t.Collection[Cloud]
    ) -> None:
        """Wait where a role is about to lose its way to the bucket and has just got the other one,
        which does not count everywhere at once.
        """
        losing = {
            cloud
            for resource in resources
            for cloud in resource.pending(clouds)
            if bucket_stages_of(cloud.settings, self._state).get(resource.stage)
        }
        if any(
            one.writes and not bucket_stages_of(cloud.settings, self._state).get(one.resource.stage)
            for one in done
            if one.resource.stage in OF_BUCKET
            for cloud in losing.intersection(one.clouds)
        ):
            self._clock.sleep(PROPAGATION_SECONDS)

    def _save(self, one: Done, clouds: t.Collection[Cloud], read_back: bool) -> None:
        """Write a resource for all clouds that want it."""
        resource, journal, params = one.resource, one.journal, _params_of(one.clouds)
        one.wanting = resource.wanting(clouds)
        reconciler = self._reconciler_of(one)
        live = t.cast(Live, resource.live)
        with self._recording(one):
            if resource.stage in (TRUST, BUCKET) and not read_back:
                one.plan, one.unconfirmed = save_once(reconciler, live.resource, params, journal)
            else:
                own = one.clouds[0].plans[resource]
                one.plan = self._kept(execute(reconciler, live, own, params, False, journal))
        one.written_at = self._clock.now()

    @contextlib.contextmanager
    def _recording(self, one: Done) -> t.Iterator[None]:
        """Add the writes to what was done, and record their requests. Add to an error what was written
        before it.
        """
        with noting_what_was_written(one.journal), recorded_writes() as writes:
            try:
                yield
            finally:
                one.writes += writes
                if writes:
                    with contextlib.suppress(TaskError):
                        one.principal = self._services.caller_arn(one.wanting[0].settings)
                    record_own_writes(writes, one.principal, _params_of(one.wanting))

    def _reconciler_of(self, one: Done) -> Reconciler[t.Any]:
        """What writes a resource for all that want it."""
        reconciler = one.resource.reconciler(one.wanting, fresh=True)
        if self._binding is None:
            return reconciler
        return bound(reconciler, self._binding, one.clouds, one.wanting)

    # --- confirm ----------------------------------------------------------------------------------

    def confirm(self, done: t.Iterable[Done]) -> None:
        """Read back what was written, after the time that another controller needs to write what
        it had planned before. What was overwritten is converged again, and read back again.
        """
        waiting = [one for one in done if one.unconfirmed]
        for _round in range(_MOST_RESTORATIONS):
            if not waiting or self.is_stopped:
                return
            self._wait_until_settled(waiting)
            self._each(self._confirm, waiting, lambda one: one.clouds)
            waiting = [one for one in waiting if one.unconfirmed]
        if waiting:
            self._wait_until_settled(waiting)
            self._each(self._give_up, waiting, lambda one: one.clouds)

    def _wait_until_settled(self, waiting: t.Sequence[Done]) -> None:
        """Wait until the last write is old enough. What was read before that is forgotten: one page
        of a bulk read has the documents of many clouds.
        """
        settled_at = max(one.written_at for one in waiting) + SETTLED_SECONDS
        self._clock.sleep(max(0.0, settled_at - self._clock.now()))
        self._services.forget_reads()
        for one in waiting:
            with contextlib.suppress(TaskError):
                self._services.expect_reads(one.clouds[0].settings)

    def _confirm(self, one: Done) -> None:
        unconfirmed = t.cast(Unconfirmed, one.unconfirmed)
        one.unconfirmed = None
        with self._recording(one):
            if _is_visible(one, unconfirmed) or self.is_stopped:
                one.plan = self._kept(one.plan)
                return
            # What was written for a cloud that has failed since is put back as well.
            reconciler = self._reconciler_of(one)
            again = confirm(reconciler, unconfirmed, _params_of(one.wanting), one.journal)
        one.found = dataclasses.replace(
            one.found,
            reasons=tuple(dict.fromkeys((*one.found.reasons, *again.reasons))),
            warnings=tuple(dict.fromkeys((*one.found.warnings, *again.warnings))),
        )
        if again.changed:
            one.overwritten, one.written_at = True, self._clock.now()
            one.plan = dataclasses.replace(one.plan, after=again.after)
            one.unconfirmed = dataclasses.replace(unconfirmed, plan=again)

    def _give_up(self, one: Done) -> None:
        unconfirmed = t.cast(Unconfirmed, one.unconfirmed)
        with self._recording(one):
            if not _is_visible(one, unconfirmed):
                raise UnsettledError(
                    f"Another writer keeps overwriting the {unconfirmed.live.resource}. It was "
                    f"restored {_MOST_RESTORATIONS} times, and overwritten again each time.",
                    "Find the other writer in CloudTrail, then run again.",
                )

    def _kept(self, plan: Plan) -> Plan:
        return plan if self._keeps_documents else plan.without_documents()

    # --- threads ----------------------------------------------------------------------------------

    def _each(
        self,
        work: t.Callable[[Item], None],
        items: t.Sequence[Item],
        clouds_of: t.Callable[[Item], t.Sequence[Cloud]],
    ) -> None:
        """Do something for each item, by threads, until the engine is stopped. An error fails the
        clouds of the item.
        """

        def guarded(item: Item) -> None:
            if not self.is_stopped:
                with refusing(clouds_of(item)):
                    work(item)

        for_each(guarded, items, self._threads)


def _is_visible(one: Done, unconfirmed: Unconfirmed) -> bool:
    """Whether what was written is there."""
    reconciler = t.cast(PolicyReconciler[t.Any], one.resource.reconciler(one.wanting))
    return reconciler.shows(reconciler.load(), unconfirmed.plan)


def _drop_documents(clouds: t.Iterable[Cloud]) -> None:
    """Free the memory of documents that are read again before they are written. The plan of an
    instance profile is needed whole, for the ARN in the compute config.
    """
    for cloud in clouds:
        for resource, plan in cloud.plans.items():
            if resource.stage != PROFILE:
                cloud.plans[resource] = plan.without_documents()
            resource.live = Live(t.cast(Live, resource.live).resource)


def _predicted(resource: Resource, pending: list[Cloud], clouds: t.Collection[Cloud]) -> Done:
    reconciler, live = resource.reconciler(resource.wanting(clouds)), t.cast(Live, resource.live)
    plan = execute(reconciler, live, reconciler.plan(live), _params_of(pending), True, Journal())
    return Done(resource, pending, plan=plan)


def _params_of(clouds: t.Sequence[Cloud]) -> t.Mapping[str, t.Any]:
    """The options for the backup and the lock: with a backup if one of the clouds wants one."""
    settings = [cloud.settings for cloud in clouds]
    options = next((one for one in settings if one.backup), settings[0]).shared_options()
    return {**options, "cloud_names": [cloud.name for cloud in clouds]}
