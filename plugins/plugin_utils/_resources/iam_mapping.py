# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Cloud IAM mappings of clouds, as resources of a fleet.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import role_name_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping import (
    IamMappingModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    PREFIX,
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Key,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.same_for_all import (
    SameForAll,
    to_anyscale,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    MAPPING,
    PROFILE,
)


class IamMapping(SameForAll):
    """The Cloud IAM mapping of a cloud resource."""

    stage = MAPPING

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The cloud, and its resource if it is not the primary one."""
        return settings.cloud_id, settings.mapping_resource

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The mapping with the rules, whose instance profiles may be about to be created."""
        module = self._module(self._first(clouds), fresh)
        pending = [
            str(found.wants_of([cloud])[0].role)
            for cloud in clouds
            for found, plan in cloud.planned(PROFILE)
            if plan.changed
        ]
        store = module.store(self.services.client(module))
        return module.reconciler(store, list(map(role_name_of, pending)))

    def _want(self, cloud: Cloud) -> dict[str, t.Any]:
        options = self._first([cloud]).mapping_options(self.state)
        names = ("rules", "fallback_rule", "position", "state")
        wants = {f"{PREFIX}mapping_{name}": options[name] for name in names}
        return {**to_anyscale(cloud.settings), **wants}

    def _module(self, settings: CloudSettings, fresh: bool = False) -> IamMappingModule:
        options = settings.mapping_options(self.state)
        return IamMappingModule(options, self.services.connect(fresh), self.services.known)
