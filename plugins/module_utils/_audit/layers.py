# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The layers of a cloud's IAM set-up, and whether clusters can start with what was found in them.

This module util is private to the collection. Pure: outcomes of checks in, as the module
cloud_iam_info returns them.
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    FAIL,
    NOT_APPLICABLE,
    UNKNOWN,
    WARN,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.registry import CHECKS

YES, MAYBE, NO, NOT_KNOWN, DOES_NOT_APPLY = "yes", "maybe", "no", "unknown", "not_applicable"
LACKING = "lacking"

Json = t.Mapping[str, t.Any]


class Layer(t.NamedTuple):
    """A layer, and the IDs of the checks on it."""

    title: str
    checks: tuple[str, ...]


# In the order in which a cluster depends on them.
LAYERS = (
    Layer("Permission to write", ("authority",)),
    Layer("Role", ("role_account", "permissions_boundary", "container_registry_access")),
    Layer("EC2 trust", ("trust_ec2", "trust_anyscale_verify")),
    Layer(
        "Instance profile",
        ("instance_profile_exists", "instance_profile_name", "instance_profile_role"),
    ),
    Layer(
        "Control plane",
        (
            "control_plane_trust",
            "control_plane_pass_role",
            "control_plane_get_instance_profile",
            "control_plane_pass_role_width",
            "control_plane_instances",
            "control_plane_services",
            "control_plane_bucket_access",
        ),
    ),
    Layer("Bucket", ("bucket_account", "bucket_region", "bucket_cors")),
    Layer(
        "Bucket access",
        ("bucket_access", "bucket_deny", "bucket_key", "bucket_dangling_principals"),
    ),
    Layer("Compute config", ("compute_config_override", "compute_config_arn_kind")),
    Layer(
        "What clusters run with",
        ("effective_profile", "launches_use_the_config", "instances_run_with_the_role"),
    ),
    Layer("Other tools", ("document_owner",)),
)
_TO_START = frozenset(check.id for check in CHECKS if check.is_needed_to_start)
_TO_USE_THE_BUCKET = frozenset(
    {"permissions_boundary", "bucket_account", "bucket_access", "bucket_deny", "bucket_key"}
)
_TO_RUN_WITH_THE_ROLE = frozenset(
    {
        "role_account",
        "instance_profile_name",
        "compute_config_override",
        "compute_config_arn_kind",
        "effective_profile",
    }
)
_NEEDED = _TO_START | _TO_USE_THE_BUCKET | _TO_RUN_WITH_THE_ROLE


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What was found of the clusters of a cloud.

    answer: whether they can start, have access to the bucket, and run with the role: ``yes``,
    ``no``, ``maybe`` where a finding says what it depends on, ``unknown`` or ``not_applicable``.
    sentence: the answer in words. start: whether they can start at all: ``yes``, ``no``,
    ``lacking`` where they can, but the access or the role is not, or may not be, the right one,
    ``unknown``, or ``not_applicable`` for a cloud that does not run on AWS virtual machines.
    """

    answer: str
    sentence: str
    start: str


def judge_clusters(checks: t.Sequence[Json]) -> Verdict:
    """What the outcomes of all checks of a cloud mean for its clusters. That a finding is
    acknowledged does not help a cluster.
    """
    needed = [check for check in checks if check["id"] in _NEEDED]
    failing = {check["id"] for check in needed if _felt_status(check) == FAIL}
    statuses = {check["status"] for check in needed}
    start = _judge_start(checks)
    lacking = LACKING if start == YES else start
    if start == NO:
        return Verdict(NO, "Clusters cannot start with the role.", NO)
    if failing & _TO_USE_THE_BUCKET:
        sentence = "Clusters do not have the access to the bucket that they need."
        return Verdict(NO, sentence, lacking)
    if "effective_profile" in failing:
        able = "Clusters can start, but not all of them" if start == YES else "Not all clusters"
        return Verdict(NO, f"{able} run with the role.", lacking)
    if UNKNOWN in statuses or start == NOT_KNOWN:
        sentence = "It is not known whether clusters can start with the role."
        return Verdict(NOT_KNOWN, sentence, NOT_KNOWN if start == YES else start)
    if failing:
        return Verdict(MAYBE, "Clusters can start, but may run with another role.", lacking)
    if not statuses - {NOT_APPLICABLE}:
        sentence = "There is nothing to check for the clusters of this cloud."
        return Verdict(DOES_NOT_APPLY, sentence, start)
    if statuses & {FAIL, WARN}:
        sentence = "Clusters can start with the role, unless a finding below says otherwise."
        return Verdict(MAYBE, sentence, start)
    return Verdict(YES, "Clusters can start with the role.", start)


def _judge_start(checks: t.Iterable[Json]) -> str:
    """Whether clusters can start, with whatever access."""
    found = {check["id"]: _felt_status(check) for check in checks}
    decisive = {found.get(check_id, UNKNOWN) for check_id in _TO_START}
    if FAIL in decisive:
        return NO
    if UNKNOWN in decisive:
        return NOT_KNOWN
    return DOES_NOT_APPLY if decisive == {NOT_APPLICABLE} else YES


def _felt_status(check: Json) -> str:
    """The status as clusters feel it: some is only what 'anyscale cloud verify' does not accept."""
    is_felt = not (check.get("evidence") or {}).get("only_anyscale_verify")
    return str(check["status"]) if is_felt else WARN
