# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module iam_pass_role, in the worker process where nothing could differ."""

from __future__ import annotations

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.pass_role import (
    PassRoleModule,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.in_worker import (
    InWorkerAction,
)


class ActionModule(InWorkerAction):
    """Runs what the module of the same name runs."""

    module_class = PassRoleModule
