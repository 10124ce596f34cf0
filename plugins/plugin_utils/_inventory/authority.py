# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Judge which clouds the operator's ``allow`` covers, so that what a member of the organization has
registered describes a cloud and never permits anything.

This plugin util is private to the collection. Pure. Judged are values that come from the API: what
the fleet file says itself is the operator's word.
"""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    parse_arn,
    role_name_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.allow import (
    BUCKETS,
    ROLES,
    Allow,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.placeholders import Known

CLOUD_ID, ACCOUNT_ID = "cloud_iam_cloud_id", "cloud_iam_account_id"
ROLE, BUCKET = "cloud_iam_role", "cloud_iam_bucket"

_KIND_OF = {ROLE: ROLES, BUCKET: BUCKETS}
_NOUNS = {ROLES: "role", BUCKETS: "bucket"}


@dataclasses.dataclass(frozen=True, eq=False)
class Described:
    """A cloud resource, as the API and the fleet file describe it.

    values: its account, role (name or ARN) and bucket, where they are known. from_api: the
    variables among these whose values are not the operator's word. listed, listed_by_id: whether
    the fleet file names it. known: the values of placeholders. obstacles: by variable, why it has
    no value that could be judged.
    """

    label: str
    cloud_id: str
    values: t.Mapping[str, str | None]
    from_api: frozenset[str]
    listed: bool
    listed_by_id: bool
    known: Known
    obstacles: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def account_id(self) -> str:
        """Its account; empty where it is unknown."""
        return self.values.get(ACCOUNT_ID) or ""

    def name_of(self, variable: str) -> str | None:
        """The name of its bucket, or that of its role with the path."""
        value = self.values.get(variable)
        arn = parse_arn(value) if value and variable == ROLE else None
        return arn.resource.removeprefix("role/") if arn else value


@dataclasses.dataclass
class Verdict:
    """Why a cloud is not covered, by variable; empty if it is.

    has_account: whether its account may be written to. needs_listing: whether only its name is
    missing under ``clouds``. contested: whether another cloud claims the same. missing: by kind,
    the names that no pattern matches.
    """

    reasons: dict[str, str] = dataclasses.field(default_factory=dict)
    has_account: bool = False
    contested: bool = False
    needs_listing: bool = False
    missing: dict[str, str] = dataclasses.field(default_factory=dict)


def judge_all(allow: Allow | None, clouds: t.Sequence[Described]) -> list[Verdict]:
    """The verdict on each cloud, in their order."""
    if allow is None:
        return [_without_allow(cloud) for cloud in clouds]
    verdicts = [_judge(allow, cloud) for cloud in clouds]
    covered = [
        (cloud, verdict)
        for cloud, verdict in zip(clouds, verdicts, strict=True)
        if not verdict.reasons
    ]
    for variable in _KIND_OF:
        _judge_claims(allow, covered, variable)
    return verdicts


def _without_allow(cloud: Described) -> Verdict:
    verdict = _judge(Allow(), cloud)
    verdict.reasons = {
        **dict.fromkeys(
            [*cloud.from_api, CLOUD_ID],
            "the fleet file has no section allow, so nothing is written",
        ),
        **cloud.obstacles,
    }
    return verdict


def _judge(allow: Allow, cloud: Described) -> Verdict:
    """The verdict on a cloud by itself."""
    verdict = Verdict(dict(cloud.obstacles), allow.has_account(cloud.account_id))
    if not cloud.listed and not allow.includes_unlisted:
        verdict.needs_listing = True
        verdict.reasons.setdefault(
            CLOUD_ID,
            "the fleet file does not name the cloud under clouds, and allow.unlisted is skip",
        )
    if not cloud.account_id:
        verdict.reasons.setdefault(ACCOUNT_ID, "its account is unknown")
        return verdict
    if ACCOUNT_ID in cloud.from_api and not verdict.has_account:
        verdict.reasons.setdefault(
            ACCOUNT_ID, f"allow.accounts does not have its account {cloud.account_id}"
        )
    for variable, kind in _KIND_OF.items():
        name = cloud.name_of(variable)
        if variable not in cloud.from_api or name is None:
            continue
        if not allow.permits(kind, cloud.account_id, name, cloud.known):
            verdict.missing[kind] = role_name_of(name)
            verdict.reasons.setdefault(
                variable,
                f"no pattern of allow.{kind} or allow.accounts.{cloud.account_id}.{kind} matches "
                f"its {_NOUNS[kind]} {name}",
            )
    return verdict


def _judge_claims(
    allow: Allow, covered: t.Sequence[tuple[Described, Verdict]], variable: str
) -> None:
    """Refuse clouds that claim a role or a bucket of another cloud."""
    kind = _KIND_OF[variable]
    claims: dict[tuple[str, str], list[tuple[Described, Verdict]]] = collections.defaultdict(list)
    for cloud, verdict in covered:
        name = cloud.name_of(variable)
        if name is not None and not allow.may_share(kind, name, cloud.known):
            claims[_identity(variable, cloud, name)].append((cloud, verdict))
    for claimants in claims.values():
        # Several resources of one cloud may share what they have.
        if len({cloud.cloud_id for cloud, _verdict in claimants}) > 1:
            _judge_claimants(variable, claimants)


def _identity(variable: str, cloud: Described, name: str) -> tuple[str, str]:
    """Buckets are unique in all of AWS; roles by their names in any case, within an account."""
    return (cloud.account_id, role_name_of(name).casefold()) if variable == ROLE else ("", name)


def _judge_claimants(variable: str, claimants: t.Sequence[tuple[Described, Verdict]]) -> None:
    """The cloud that the operator lists by its ID, or whose value the operator has given, keeps the
    resource; where there are several, what is registered decides nothing.
    """
    kind = _KIND_OF[variable]
    keepers = {
        cloud.cloud_id
        for cloud, _verdict in claimants
        if cloud.listed_by_id or variable not in cloud.from_api
    }
    labels = {cloud.cloud_id: cloud.label for cloud, _verdict in claimants}
    for cloud, verdict in claimants:
        keeps = variable not in cloud.from_api or keepers == {cloud.cloud_id}
        if not keeps:
            verdict.contested = True
            others = ", ".join(labels[one] for one in sorted(labels) if one != cloud.cloud_id)
            verdict.reasons[variable] = (
                f"its {_NOUNS[kind]} {cloud.name_of(variable)} is also registered for {others}; "
                f"name the cloud that is to keep it by its ID under clouds, or add the "
                f"{_NOUNS[kind]} to allow.shared.{kind} if they are meant to share it"
            )


def lines_to_add(cloud: Described, verdict: Verdict) -> dict[str, t.Any]:
    """What a fleet file has to say for a cloud to be covered, as its content; empty where that is
    no matter of more lines.
    """
    lines: dict[str, t.Any] = {}
    if verdict.missing or ACCOUNT_ID in verdict.reasons:
        names = {kind: [name] for kind, name in sorted(verdict.missing.items())}
        lines["allow"] = {"accounts": {cloud.account_id: names}} if cloud.account_id else {}
    if verdict.needs_listing:
        lines["clouds"] = {cloud.cloud_id: {}}
    return lines
