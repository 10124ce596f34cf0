# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write a resource for all clouds that want it, and record what was written.

This plugin util is private to the collection.
"""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.requests import recorded_writes
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import (
    execute,
    noting_what_was_written,
    save_once,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Live,
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.write_record import (
    record_own_writes,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import Clock
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.binding import Binding
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.bound import bound
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.done import Done
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.joint_reconciler import (
    JointReconciler,
    Withheld,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import Services
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    BUCKET,
    TRUST,
)


class Writer:
    """Writes resources."""

    def __init__(
        self,
        services: Services,
        binding: Binding | None,
        withheld: Withheld | None,
        keeps_documents: bool,
        clock: Clock,
    ) -> None:
        self._services = services
        self._withheld = withheld
        self._binding = binding
        self._keeps_documents = keeps_documents
        self._clock = clock

    def save(self, one: Done, clouds: t.Collection[Cloud], read_back: bool) -> None:
        """Write a resource for all clouds that want it."""
        resource, journal = one.resource, one.journal
        params = OptionsAtWrite(lambda: one.pending)
        one.wanting = resource.wanting(clouds)
        reconciler = self.reconciler_of(one)
        live = t.cast(Live, resource.live)
        with self.recording(one):
            if resource.stage in (TRUST, BUCKET) and not read_back:
                one.plan, one.unconfirmed = save_once(reconciler, live.resource, params, journal)
            else:
                own = one.clouds[0].plans[resource]
                one.plan = self.kept(execute(reconciler, live, own, params, False, journal))
        one.written_at = self._clock.now()

    @contextlib.contextmanager
    def recording(self, one: Done) -> t.Iterator[None]:
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
                    record_own_writes(writes, one.principal, params_of(one.wanting))

    def reconciler_of(self, one: Done) -> Reconciler[t.Any]:
        """What writes a resource for all that want it."""
        reconciler: Reconciler[t.Any] = (
            JointReconciler(one.resource, one.wanting, one.leave_out, self._withheld)
            if len(one.wanting) > 1 or self._withheld
            else one.resource.reconciler(one.wanting, fresh=True)
        )
        return bound(reconciler, self._binding, one) if self._binding else reconciler

    def kept(self, plan: Plan) -> Plan:
        """What is kept of the plan of a resource that is written."""
        return plan if self._keeps_documents else plan.without_documents()


class OptionsAtWrite(t.Mapping[str, t.Any]):
    """The options for the backup and the lock, of the clouds that are left when they are used: just before
    the write, some may be refused.
    """

    def __init__(self, clouds: t.Callable[[], t.Sequence[Cloud]]) -> None:
        self._clouds = clouds

    def __getitem__(self, name: str) -> t.Any:
        return params_of(self._clouds())[name]

    def __iter__(self) -> t.Iterator[str]:
        return iter(params_of(self._clouds()))

    def __len__(self) -> int:
        return len(params_of(self._clouds()))


def params_of(clouds: t.Sequence[Cloud]) -> t.Mapping[str, t.Any]:
    """The options for the backup and the lock: with a backup if one of the clouds wants one."""
    settings = [cloud.settings for cloud in clouds]
    options = next((one for one in settings if one.backup), settings[0]).shared_options()
    return {**options, "cloud_names": [cloud.name for cloud in clouds]}
