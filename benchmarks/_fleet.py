# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The shapes of the fleets that are measured, and their inventory."""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.tests.sandbox import _seed_documents as documents
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ONBOARDING_ROLE, REGION, Cloud
from ansible_collections.rayfleet.anyscale.tests.sandbox.generated_fleet import ACCOUNTS

Json = dict[str, t.Any]


class Shape(t.NamedTuple):
    """How many clouds a fleet has and how many accounts they are in; ``buckets``: how many buckets
    all of them share, 0 where each has its own.
    """

    clouds: int
    accounts: int = len(ACCOUNTS)
    buckets: int = 0


def compute_config(cloud: Cloud, with_profile: bool = True) -> Json:
    """The request that made a cloud's compute config, with the cloud's instance profile or without
    any.
    """
    request = t.cast(Json, documents.compute_config(cloud))
    if not with_profile:
        for level in (request["config"], *request["config"]["deployment_configs"]):
            level["advanced_configurations_json"] = None
    return request


def inventory(fleet: t.Iterable[Cloud]) -> Json:
    """The fleet as a static inventory: one host for each cloud, with the variables that all
    contenders work from.
    """
    group = {
        "hosts": {cloud.name: _host_variables(cloud) for cloud in fleet},
        "vars": {
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        },
    }
    return {"all": {"children": {"anyscale_clouds": group}}}


def _host_variables(cloud: Cloud) -> dict[str, str]:
    return {
        "cloud_iam_cloud_id": cloud.cloud_id,
        "cloud_iam_account_id": cloud.account_id,
        "cloud_iam_region": REGION,
        "cloud_iam_bucket": cloud.bucket_name,
        "cloud_iam_compute_config": cloud.compute_config_name,
        "cloud_iam_assume_role_arn": f"arn:aws:iam::{cloud.account_id}:role/{ONBOARDING_ROLE}",
    }
