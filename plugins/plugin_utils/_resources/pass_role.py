# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The policies by which control-plane roles launch clusters with roles, as resources of a fleet.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import folded_role_name
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import pass_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    PolicyReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Key,
    Resource,
    connection_of,
    ids_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import PASS_ROLE


class PassRole(Resource):
    """The inline policy by which a control-plane role may launch clusters with roles."""

    stage = PASS_ROLE

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The control-plane role, in the account, and how the cloud connects."""
        module = self._module(settings)
        return (
            *connection_of(settings),
            folded_role_name(module.control_plane.name),
            module.policy_name,
        )

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The policy, planned for the roles of all these clouds."""
        modules = [self._module(settings, fresh) for settings in self.wants_of(clouds)]
        roles = dict.fromkeys(role for module in modules for role in module.roles)
        profiles = dict.fromkeys(name for module in modules for name in module.profiles)
        store = modules[0].store(list(roles), list(profiles))
        planners = pass_role.merged_planners(module.planner() for module in modules)
        guards = [module.guard(store) for module in modules]
        return PolicyReconciler(t.cast(t.Any, store), planners, guards, ids_of(clouds))

    def _module(self, settings: CloudSettings, fresh: bool = False) -> pass_role.PassRoleModule:
        options = settings.pass_role_options(self.state)
        return pass_role.PassRoleModule(options, self.services.connect(fresh), self.services.known)
