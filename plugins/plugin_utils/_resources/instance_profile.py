# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The instance profiles of roles, as resources of a fleet.

This plugin util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.instance_profile import (
    InstanceProfileModule,
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
    connection_of,
    ids_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.same_for_all import (
    SameForAll,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import PROFILE


class InstanceProfile(SameForAll):
    """The instance profile of a role."""

    stage = PROFILE

    def key(self, cloud: Cloud, settings: CloudSettings) -> Key:
        """The profile, in the account, and how the cloud connects. Without a name of its own, a cloud
        uses its registered profile, if that contains the role.
        """
        module = self._module(settings)
        may_be_registered = module.params["accept_registered"] and not settings.instance_profile
        registered = cloud.registered_profile if may_be_registered else None
        return *connection_of(settings), module.profile_name, registered

    def reconciler(self, clouds: t.Sequence[Cloud], fresh: bool = False) -> Reconciler[t.Any]:
        """The profile with the role of these clouds."""
        reconciler = self._module(self._first(clouds), fresh).reconciler()
        reconciler.clouds = tuple(ids_of(clouds))
        return reconciler

    def _want(self, cloud: Cloud) -> dict[str, t.Any]:
        return {"cloud_iam_role": self._module(self._first([cloud])).role.name}

    def _module(self, settings: CloudSettings, fresh: bool = False) -> InstanceProfileModule:
        options = settings.instance_profile_options(self.state)
        return InstanceProfileModule(options, self.services.connect(fresh), self.services.known)
