# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan the resources of many clouds before the first write.

This plugin util is private to the collection.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible.module_utils.common.parameters import remove_values

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import Live
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    refuse_other_account,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    IAM_MAPPING,
    PREFIX,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.notices import (
    pass_role_notice_of,
    region_notice_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.required_variables import (
    refuse_incomplete,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.binding import Binding
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.bound import (
    refuse_unplanned,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.joint_plan import (
    by_document,
    plan_together,
    refuse_different_places,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Resource,
    refusing,
    resources_in,
    resources_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import Services
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.shared_roles import (
    refuse_with_others_of_role,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    PASS_ROLE,
    PROFILE,
    STAGES,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.workers import Workers


class Planner:
    """Plans clouds: each has its plans afterwards, or an error."""

    def __init__(
        self,
        services: Services,
        workers: Workers,
        *,
        state: str,
        kinds: t.Sequence[type[Resource]],
        keeps_documents: bool,
        binding: Binding | None,
        on_cloud: t.Callable[[Cloud], None],
    ) -> None:
        """on_cloud: called for each cloud that is planned, from any thread."""
        self._services = services
        self._workers = workers
        self._state = state
        self._kinds = kinds
        self._keeps_documents = keeps_documents
        self._binding = binding
        self._on_cloud = on_cloud

    def plan(self, clouds: t.Sequence[Cloud]) -> None:
        """Plan all clouds. Afterwards each has its plans, or an error: then nothing of it is to be
        written.
        """
        for cloud in clouds:
            cloud.resources.clear()
            cloud.plans.clear()
        # Of a cloud that is refused nothing is read.
        readable = [cloud for cloud in clouds if not cloud.error]
        self._workers.each(self._prepare, readable, lambda cloud: refusing([cloud]))
        for kind in self._kinds:
            able = [
                cloud
                for cloud in readable
                if not cloud.error and cloud.manages(kind.stage, self._state)
            ]
            resources = resources_of(kind, able, self._services, self._state)
            self._workers.each(
                self._plan_resource, resources, lambda resource: refusing(resource.clouds)
            )
        if self._binding is not None:
            refuse_unplanned(clouds, self._binding)
        for resources in by_document(resources_in(STAGES, clouds)):
            refuse_different_places(resources)
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
                self._on_cloud(cloud)

    def notices(self, cloud: Cloud) -> list[str]:
        """What the operator is told of the variables of a planned cloud. Nothing is read for it."""
        registration = self._services.known_registration(cloud.settings)
        found = [*cloud.notices, region_notice_of(cloud, registration)]
        stages = [kind.stage for kind in self._kinds]
        if self._state == "present" and PASS_ROLE in stages and not cloud.error:
            known = cloud.registered_role or self._services.known_default_role(cloud.settings)
            found.append(pass_role_notice_of(cloud, known))
        told = [*dict.fromkeys(filter(None, found))]
        return t.cast("list[str]", remove_values(told, cloud.settings.secrets))


def _drop_documents(clouds: t.Iterable[Cloud]) -> None:
    """Free the memory of documents that are read again before they are written. The plan of an
    instance profile is needed whole, for the ARN in the compute config.
    """
    for cloud in clouds:
        for resource, plan in cloud.plans.items():
            if resource.stage != PROFILE:
                cloud.plans[resource] = plan.without_documents()
            resource.live = Live(t.cast(Live, resource.live).resource)
