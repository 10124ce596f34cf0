# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The compute configs of clouds, as resources of a fleet.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import folded_role_name
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config import (
    ComputeConfigModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_reconciler import (
    ComputeConfigReconciler,
    ComputeConfigStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
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
    CONFIG,
    PROFILE,
)


class ComputeConfig(SameForAll):
    """A compute config, and the file with it. It is planned with the ARN of the instance profile."""

    stage = CONFIG

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The name of the compute config, in the cloud."""
        return settings.cloud_id, self._module(settings).params["name"]

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The compute config with the ARN."""
        module = self._module(self._first(clouds), fresh)
        store = self.services.config_store(module, fresh) if module.anyscale else None
        return self._config(module, clouds[0], store)

    def _want(self, cloud: Cloud) -> dict[str, t.Any]:
        module = self._module(self._first([cloud]))
        want = self._config(module, cloud).want
        return {
            **to_anyscale(cloud.settings),
            "cloud_iam_instance_profile": want.arn,
            "cloud_iam_compute_config_spec": want.config,
            "cloud_iam_dest": want.dest,
            "cloud_iam_node_groups": want.node_groups,
            "cloud_iam_node_group_roles": dict(want.group_arns),
        }

    def _module(self, settings: CloudSettings, fresh: bool = False) -> ComputeConfigModule:
        options = settings.compute_config_options(self.state)
        return ComputeConfigModule(options, self.services.connect(fresh), self.services.known)

    @staticmethod
    def _config(
        module: ComputeConfigModule, cloud: Cloud, store: ComputeConfigStore | None = None
    ) -> ComputeConfigReconciler:
        """The config with the instance profiles that are planned for the roles of a cloud."""
        profiles = cloud.planned(PROFILE)
        own = profiles[0][1] if profiles else Plan(None, None)
        further = {
            folded_role_name(str(found.wants_of([cloud])[0].role)): plan
            for found, plan in profiles[1:]
        }
        return module.config_reconciler(own, store, further)
