# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the findings ``onboard`` fixes, as far as the cloud's variables say: a command that would
leave a finding as it is must not be its remedy.

This module util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    command_of,
    onboard,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS

TRUST, BUCKET, COMPUTE_CONFIG, IAM_MAPPING, CLOUD_ROLE, PASS_ROLE = PARTS = (
    "trust",
    "bucket",
    "compute_config",
    "iam_mapping",
    "cloud_role",
    "pass_role",
)
# What onboarding manages unless a variable says otherwise.
BY_DEFAULT = (TRUST, BUCKET, COMPUTE_CONFIG, IAM_MAPPING)

_SWITCHES = {
    TRUST: "cloud_iam_manage_trust",
    BUCKET: "cloud_iam_manage_bucket_access",
    COMPUTE_CONFIG: "cloud_iam_manage_compute_config",
    IAM_MAPPING: "cloud_iam_manage_iam_mapping",
}
_PARTS_OF_MODULES = {
    "iam_trust_ec2": (TRUST,),
    "s3_cloud_access": (BUCKET,),
    "compute_config_profile": (COMPUTE_CONFIG,),
}
# Each way of giving clusters the role fixes these.
_OF_PROFILES = ("instance_profile_exists", "instance_profile_role", "effective_profile")
_OF_PASS_ROLE = ("control_plane_pass_role", "control_plane_get_instance_profile")
_PARTS = {
    **{check.id: _PARTS_OF_MODULES[check.module] for check in CHECKS if check.module},
    **dict.fromkeys(_OF_PROFILES, (COMPUTE_CONFIG, IAM_MAPPING, CLOUD_ROLE)),
}

Json = dict[str, t.Any]


def as_managed(outcomes: t.Iterable[Json], managed: t.Collection[str]) -> list[Json]:
    """The outcomes of checks with the remedies that are right for the parts that onboarding manages
    for the cloud.
    """
    return [_as_managed(outcome, managed) for outcome in outcomes]


def _as_managed(outcome: Json, managed: t.Collection[str]) -> Json:
    parts = _PARTS.get(outcome["id"], ())
    if outcome["command"] and parts and not set(parts).intersection(managed):
        switches = " and ".join(_SWITCHES[part] for part in parts if part in _SWITCHES)
        why = f"Onboarding leaves this as it is, by {switches} of the cloud. With that changed:"
        return {**outcome, "command": "", "remedy": f"{why} {outcome['remedy']}"}
    if outcome["id"] not in _OF_PASS_ROLE or outcome["evidence"].get("add_to") != "policy":
        return outcome
    if PASS_ROLE in managed:
        remedy = onboard("iam_pass_role")
        return {**outcome, "command": command_of(remedy), "remedy": remedy}
    hint = "Onboarding adds what is missing if cloud_iam_manage_pass_role is true."
    return {**outcome, "reason": f"{outcome['reason']} {hint}"}
