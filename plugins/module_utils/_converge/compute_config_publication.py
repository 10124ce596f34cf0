# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Publish a version of a compute config, and find the one of another writer that it overtook.

This module util is private to the collection. The service numbers versions in the order in which
they are published, and takes any as the next one, whichever version it was made from.
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


def overtaken_version(
    client: AnyscaleClient, name: str, cloud_id: str, previous: int, published: int
) -> dict[str, t.Any] | None:
    """The last version of another writer between the previous version and the one that was
    published, which was made without it; ``None`` if there is none.
    """
    if published <= previous + 1:
        return None
    after = client.compute_config_versions_after(name, cloud_id, previous)
    return next((version for version in after if version["version"] < published), None)
