# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Converge the resources of many clouds in one process: plan all of them before the first write,
write by threads, and confirm what was written.

This plugin util is private to the collection. It runs the reconcilers of the modules, so that
nothing is decided twice.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_stages import (
    PROPAGATION_SECONDS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import (
    Journal,
    execute,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    RESTORED_SECONDS,
    SETTLED_SECONDS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import Live
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import SYSTEM_CLOCK, Clock
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.confirmation import (
    Confirmation,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.planner import Planner
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.writer import (
    Writer,
    params_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.binding import Binding
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.done import Done
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.joint_plan import (
    predict_for_others,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.joint_reconciler import (
    Withheld,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.kinds import KINDS
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Resource,
    refusing,
    resources_in,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import Services
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.shared_roles import (
    groups_by_role,
    refuse_left_to_tasks,
    refuse_with_others_of_role,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    OF_BUCKET,
    STAGES,
    bucket_stages_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.workers import Workers


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
        withheld: Withheld | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """stages: the kinds of resources. keeps_documents: whether plans are needed with their
        documents, to predict or to display them. binding: the plan file without whose consent nothing
        is written, if there is one. withheld: asked before each write, if the run may lose clouds.
        """
        self._state = state
        # With state absent, first no new cluster starts with the role, then the role loses what
        # clusters need.
        self._order = STAGES if state == "present" else STAGES[::-1]
        # Called for each cloud that is planned, and that is written, from any thread.
        self.on_cloud: t.Callable[[Cloud], None] = lambda _cloud: None
        self._workers = Workers(threads)
        self._writer = Writer(services, binding, withheld, keeps_documents, clock)
        seconds = SETTLED_SECONDS if state == "present" else RESTORED_SECONDS
        self._confirmation = Confirmation(services, self._workers, self._writer, clock, seconds)
        self._planner = Planner(
            services,
            self._workers,
            state=state,
            kinds=[kind for kind in KINDS if kind.stage in stages],
            keeps_documents=keeps_documents,
            binding=binding,
            on_cloud=self._announce,
        )

    def _announce(self, cloud: Cloud) -> None:
        """The run sets ``on_cloud`` once there is an engine."""
        self.on_cloud(cloud)

    def stop(self) -> None:
        """Let no new save begin, and nothing be read any more."""
        self._workers.stop()

    @property
    def is_stopped(self) -> bool:
        """Whether what was begun last may be incomplete."""
        return self._workers.is_stopped

    def plan(self, clouds: t.Sequence[Cloud]) -> None:
        """Plan all clouds. Afterwards each has its plans, or an error: then nothing of it is to be
        written.
        """
        self._planner.plan(clouds)

    def refuse_left_to_tasks(
        self, planned: t.Iterable[Cloud], left: t.Iterable[Cloud], obstacles: t.Mapping[str, str]
    ) -> None:
        """Refuse what cannot be done as some clouds are left to tasks of their own. obstacles: why they
        are.
        """
        if self._state == "absent":
            concerned = [*(one for one in planned if one.is_pending or one.error), *left]
            refuse_with_others_of_role(concerned)
            refuse_left_to_tasks(concerned, obstacles)
            refuse_with_others_of_role(concerned)

    def groups(self, clouds: t.Collection[Cloud]) -> list[list[Cloud]]:
        """The planned clouds of which none may be converged in an earlier batch than another: with
        state absent, it would take the role of the other one.
        """
        return groups_by_role(clouds) if self._state == "absent" else []

    def notices(self, cloud: Cloud) -> list[str]:
        """What the operator is told of the variables of a planned cloud. Nothing is read for it."""
        return self._planner.notices(cloud)

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
            self._confirmation.confirm_due()
            pending = resource.pending(clouds)
            if pending:
                one = Done(resource, pending)
                done.append(one)  # before it can fail: it may have written a part
                self._writer.save(one, clouds, read_back)
                if self._state == "present":  # else a role is taken from all its clouds or none
                    self._confirmation.expect(one)
                for cloud in pending:
                    unsaved[cloud] -= 1
                    if not unsaved[cloud]:
                        self.on_cloud(cloud)

        for stage in self._order:
            if self._state == "absent":
                refuse_with_others_of_role(clouds)
            resources = resources_in([stage], clouds)
            self._wait_for_grants(done, resources, clouds)
            self._workers.each(save, resources, lambda resource: refusing(resource.pending(clouds)))
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
        granting = [
            one
            for one in done
            if one.writes
            and one.resource.stage in OF_BUCKET
            and any(
                not bucket_stages_of(cloud.settings, self._state).get(one.resource.stage)
                for cloud in losing.intersection(one.clouds)
            )
        ]
        if granting:  # a grant that another writer has overwritten is written again meanwhile
            self._confirmation.wait(
                lambda: max(one.written_at for one in granting) + PROPAGATION_SECONDS
            )

    def confirm(self, done: t.Iterable[Done]) -> None:
        """Read back what was written, after the time that another controller needs to write what
        it had planned before. What was overwritten is converged again, and read back again.
        """
        self._confirmation.confirm(done)


def _predicted(resource: Resource, pending: list[Cloud], clouds: t.Collection[Cloud]) -> Done:
    """Each cloud's guard has judged the cloud's own plan of what is live, as it will at the write."""
    reconciler, live = resource.reconciler(resource.wanting(clouds)), t.cast(Live, resource.live)
    plan = execute(reconciler, live, reconciler.plan(live), params_of(pending), True, Journal())
    return Done(resource, pending, plan=plan)
