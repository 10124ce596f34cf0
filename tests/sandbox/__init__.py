# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox: AWS and the Anyscale control plane on loopback, for the demo, the tests and the
benchmarks.
"""

from __future__ import annotations

from ansible_collections.rayfleet.anyscale.tests.sandbox._server import Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    BROKEN_CLOUD,
    FLEET,
    Cloud,
    inventory,
)

__all__ = ["BROKEN_CLOUD", "FLEET", "Cloud", "Sandbox", "inventory"]
