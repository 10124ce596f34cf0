# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The trust policies of roles, as resources of a fleet.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    PolicyReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.roles import (
    refuse_other_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy import (
    LiveTrust,
    TrustPolicyModule,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Key,
    Resource,
    connection_of,
    ids_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import TRUST


class TrustPolicy(Resource):
    """The trust policy of a role."""

    stage = TRUST

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The role, in the account, and how the cloud connects."""
        return *connection_of(settings), self._module(settings).role.name

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The trust policy, planned for each different want."""
        modules = [self._module(settings, fresh) for settings in self.wants_of(clouds)]
        store = modules[0].store()
        planners = list(dict.fromkeys(module.planner() for module in modules))
        guards = [module.guard(store) for module in modules]
        return PolicyReconciler(store, planners, guards, ids_of(clouds))

    def plan_own(self, cloud: Cloud) -> Plan:
        """Plan what one cloud wants. Its variables may name the role by another ARN than those of
        the cloud that the role was read for.
        """
        for settings in self.wants_of([cloud]):
            refuse_other_role(self._module(settings).role, t.cast(LiveTrust, self.live).role_arn)
        plan = super().plan_own(cloud)
        for settings in self.wants_of([cloud]):
            cloud.know_role(settings, plan.result["role_arn"])
        return plan

    def _module(self, settings: CloudSettings, fresh: bool = False) -> TrustPolicyModule:
        options = settings.trust_options(self.state)
        return TrustPolicyModule(options, self.services.connect(fresh), self.services.known)
