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
import types
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    parse_arn,
    role_identity,
    role_name_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.allow import (
    BUCKETS,
    ROLES,
    Allow,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.placeholders import Known
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

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
    missing under ``clouds``. contested: whether another cloud has the same. missing: by kind,
    the names that no pattern matches. sharing: by kind and name, the clouds that are registered with
    the same, which the operator does not permit to be shared.
    """

    reasons: dict[str, str] = dataclasses.field(default_factory=dict)
    has_account: bool = False
    contested: bool = False
    needs_listing: bool = False
    missing: dict[str, str] = dataclasses.field(default_factory=dict)
    sharing: dict[tuple[str, str], str] = dataclasses.field(default_factory=dict)


def judge_all(
    allow: Allow | None,
    clouds: t.Sequence[Described],
    refused_roles: t.Mapping[int, str] = types.MappingProxyType({}),
) -> list[Verdict]:
    """The verdict on each cloud, in their order. refused_roles: why the role of a cloud is refused
    whatever the patterns are, by its index.
    """
    if allow is None:
        verdicts = [_without_allow(cloud) for cloud in clouds]
        _note_sharing(Allow(), list(zip(clouds, verdicts, strict=True)))
        return verdicts
    verdicts = [_judge(allow, cloud) for cloud in clouds]
    for index, reason in refused_roles.items():
        _refuse_role(verdicts[index], reason)
    judged = list(zip(clouds, verdicts, strict=True))
    covered = [(cloud, verdict) for cloud, verdict in judged if not verdict.reasons]
    for variable in _KIND_OF:
        for claimants in _claims(allow, covered, variable):
            _judge_claimants(variable, claimants)
    for variable in _KIND_OF:
        for claimants in _claims(allow, judged, variable):
            _judge_uncovered_claimants(variable, claimants)
    _note_sharing(allow, judged)
    return verdicts


def _note_sharing(allow: Allow, judged: t.Sequence[tuple[Described, Verdict]]) -> None:
    """Note for the lines to add what would be refused once they are added."""
    for variable, kind in _KIND_OF.items():
        for claimants in _claims(allow, judged, variable):
            labels = sorted({cloud.label for cloud, _verdict in claimants})
            for cloud, verdict in claimants:
                name = cloud.name_of(variable)
                if variable in cloud.from_api and name is not None:
                    verdict.sharing[kind, role_name_of(name)] = summarize_names(labels)


def _refuse_role(verdict: Verdict, reason: str) -> None:
    verdict.reasons[ROLE] = reason
    verdict.missing.pop(ROLES, None)
    verdict.contested = True


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
        # Then nothing is known that a pattern could match.
        for variable in (ACCOUNT_ID, *sorted(cloud.from_api)):
            verdict.reasons.setdefault(variable, "its account is unknown")
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


def _claims(
    allow: Allow, clouds: t.Sequence[tuple[Described, Verdict]], variable: str
) -> list[list[tuple[Described, Verdict]]]:
    """Of each role or bucket that several clouds claim and may not share, these clouds."""
    kind = _KIND_OF[variable]
    claims: dict[tuple[str, str], list[tuple[Described, Verdict]]] = collections.defaultdict(list)
    for cloud, verdict in clouds:
        name = cloud.name_of(variable)
        if name is not None and not allow.may_share(kind, name, cloud.known):
            claims[_identity(variable, cloud, name)].append((cloud, verdict))
    # Several resources of one cloud may share what they have.
    return [
        found for found in claims.values() if len({cloud.cloud_id for cloud, _verdict in found}) > 1
    ]


def _identity(variable: str, cloud: Described, name: str) -> tuple[str, str]:
    """Buckets are unique in all of AWS; roles by their names in any case, within an account."""
    return role_identity(cloud.account_id, name) if variable == ROLE else ("", name)


def _judge_claimants(variable: str, claimants: t.Sequence[tuple[Described, Verdict]]) -> None:
    """The cloud that the operator lists by its ID, or whose value the operator has given, keeps the
    resource; where there are several, what is registered decides nothing.
    """
    keepers = {
        cloud.cloud_id
        for cloud, _verdict in claimants
        if cloud.listed_by_id or variable not in cloud.from_api
    }
    for cloud, verdict in claimants:
        if variable in cloud.from_api and keepers != {cloud.cloud_id}:
            _contest(variable, cloud, verdict, claimants)


def _judge_uncovered_claimants(
    variable: str, claimants: t.Sequence[tuple[Described, Verdict]]
) -> None:
    """The same of clouds that are not covered: what the operator sets for one of them in its
    variables does not permit the rest of what it is registered with.
    """
    keepers = {
        cloud.cloud_id
        for cloud, verdict in claimants
        if cloud.listed_by_id or variable not in cloud.from_api or not verdict.reasons
    }
    for cloud, verdict in claimants:
        is_judged = verdict.reasons and variable in cloud.from_api
        if is_judged and variable not in verdict.reasons and keepers != {cloud.cloud_id}:
            _contest(variable, cloud, verdict, claimants)


def _contest(
    variable: str,
    contested: Described,
    verdict: Verdict,
    claimants: t.Sequence[tuple[Described, Verdict]],
) -> None:
    kind, noun = _KIND_OF[variable], _NOUNS[_KIND_OF[variable]]
    labels = {cloud.cloud_id: cloud.label for cloud, _verdict in claimants}
    others = [labels[one] for one in sorted(labels) if one != contested.cloud_id]
    where = "role" if variable == ROLE else f"variables.{BUCKET}"
    keep = (
        f"give {where} under the cloud that is to keep it"
        if contested.listed_by_id
        else "name the cloud that is to keep it by its ID under clouds"
    )
    verdict.contested = True
    verdict.reasons[variable] = (
        f"its {noun} {contested.name_of(variable)} is also registered for {', '.join(others)}; "
        f"{keep}, or add the {noun} to allow.shared.{kind} if they are meant to share it"
    )


def lines_to_add(cloud: Described, verdict: Verdict) -> dict[str, t.Any]:
    """What a fleet file has to say for a cloud to be covered, as its content; empty where that is
    no matter of more lines.
    """
    lines: dict[str, t.Any] = {}
    if cloud.account_id and (verdict.missing or ACCOUNT_ID in verdict.reasons):
        names = {kind: [name] for kind, name in sorted(verdict.missing.items())}
        lines["allow"] = {"accounts": {cloud.account_id: names}}
    if verdict.needs_listing:
        lines["clouds"] = {cloud.cloud_id: {}}
    return lines
