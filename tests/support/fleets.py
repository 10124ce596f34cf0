# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fleets for tests: clouds that need nothing but what a test changes about them, and inventories in
which single clouds have variables of their own.
"""

from __future__ import annotations

import typing as t
from pathlib import Path

import yaml

from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import VISION_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import inventory_file

Json = dict[str, t.Any]

# Variables that leave the trust policy alone to be converged, where no more is needed to show
# something.
ONE_STEP: Json = {"cloud_iam_manage_bucket_access": False, "cloud_iam_manage_compute_config": False}


def in_sync(name: str, **changes: t.Any) -> Cloud:
    """A cloud that needs nothing, unless something is changed about it."""
    as_wanted: Json = {
        "trust": "cloudformation",
        "bucket_policy": "complete",
        "profile": "filled",
        "compute_config": "in_sync",
    }
    return Cloud(**{"name": name, "account_id": VISION_ACCOUNT, **as_wanted, **changes})


def inventory_of(
    folder: Path,
    sandbox: Sandbox,
    clouds: t.Sequence[Cloud],
    own: t.Mapping[str, Json] | None = None,
    **for_all: t.Any,
) -> Path:
    """The inventory of clouds, in their order, some of which have variables of their own; ``None``
    takes one away.
    """
    path = inventory_file(folder, sandbox, clouds, **for_all)
    content = yaml.safe_load(path.read_text())
    group = content["all"]["children"]["anyscale_clouds"]
    hosts = group["hosts"]
    for name, variables in (own or {}).items():
        hosts[name] = {
            key: value for key, value in {**hosts[name], **variables}.items() if value is not None
        }
    group["hosts"] = {cloud.name: hosts[cloud.name] for cloud in clouds}
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def fresh(sandbox: Sandbox, clouds: t.Iterable[Cloud]) -> None:
    """Nothing but these clouds in the sandbox."""
    sandbox.reset()
    sandbox.seed(clouds)
