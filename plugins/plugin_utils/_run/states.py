# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The states in which a run leaves a cloud.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

IN_SYNC, CHANGED, WOULD_CHANGE = "in_sync", "changed", "would_change"
PENDING = "pending"  # between the plan and the batch
FAILED, NOT_REACHED, DEFERRED = "failed", "not_reached", "deferred"
NOT_PERMITTED = "not_permitted"  # not selected, since the fleet file does not cover it
