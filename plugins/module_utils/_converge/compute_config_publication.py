# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publish a version of a compute config, and note it.

This module util is private to the collection.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.written import (
    noted_if_unknown,
)


def publish(
    client: AnyscaleClient,
    name: str,
    config: dict[str, t.Any],
    previous: int,
    resource: str,
    written: list[str],
) -> int:
    """Publish a config as the version after the previous one. Returns its number, which is higher
    if another writer published at the same time.
    """
    with noted_if_unknown(f"another version of {resource}", written):
        published = client.publish_compute_config(name, config, previous_version=previous)
    written.append(f"version {published['version']} of {resource}")
    return int(published["version"])
