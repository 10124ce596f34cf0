# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan a compute config so that every node of its clusters has the same instance profile.

This module util is private to the collection. Pure: the live compute config and what is wanted in,
a plan out.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    JsonObject,
    compose,
    deployments,
    normalize,
    same_config,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_declared import (
    enforced,
    starting_point,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_groups import (
    Finding,
    Profiles,
    missing_groups,
    set_profiles,
    take_out_profiles,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_observed import (
    Observed,
    split_by_platform,
    without_vms,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    option,
)

# Reasons that do not need another version.
ARCHIVED, NOT_ARCHIVED = "compute_config_archived", "not_archived"
# Another writer published a version just before ours, which was made without it.
VERSION_OVERTAKEN = "concurrent_version_lost"
ALL, KEEP = NODE_GROUPS = ("all", "keep")
# How many names a message lists.
_MOST_NAMES = 10
_NAME = re.compile(r"[^\s:]+(\s+[^\s:]+)*\Z")


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is wanted: the profile's ARN, the declared part of the config in Anyscale's YAML schema,
    and the state. ``may_create``: whether one that does not exist, or is archived, is created.

    node_groups: ``keep`` for node groups that may have another profile of their own, else ``all``.
    group_arns: the ARNs of the node groups that are to have another one, by their names.
    """

    arn: str
    config: t.Mapping[str, t.Any] | None = None
    state: str = "present"
    may_create: bool = True
    node_groups: str = ALL
    group_arns: t.Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def profiles(self) -> Profiles:
        """The profiles of the cluster and of its node groups."""
        return Profiles(self.arn, self.group_arns, self.node_groups == KEEP)


@dataclasses.dataclass(frozen=True)
class ConfigPlan(Plan):
    """A plan with the whole config to publish, or the live one if it does not change; ``None`` if
    none will be usable.

    live: the config that clusters can use now, as the API returns it.
    """

    config: JsonObject | None = None
    live: t.Mapping[str, t.Any] | None = None

    @property
    def publishes(self) -> bool:
        """Whether a version is published: taking one out of the archive does not need another."""
        return bool(set(self.reasons) - {ARCHIVED, NOT_ARCHIVED})


def decide(observed: Observed, wanted: Wanted) -> ConfigPlan:
    """Plan a compute config. A plan for the published result has no reason to publish again."""
    if not _NAME.match(observed.name):
        raise InputError(
            f"{observed.name!r} is not a valid compute config name.",
            "Remove colons (a version cannot be selected) and leading or trailing blanks.",
        )
    if wanted.state == "present":
        return _present(observed, wanted)
    if observed.config is None:
        return _plan(observed, None, ())
    if wanted.state == "absent":
        return _absent(observed, observed.config, wanted.profiles)
    return _plan(observed, None, (NOT_ARCHIVED,))


def decide_again(
    observed: Observed, overtaken: t.Mapping[str, t.Any], wanted: Wanted
) -> ConfigPlan:
    """Plan where the newest version is ours and was made without the version of another writer just
    before it: what that set is kept.
    """
    before = dataclasses.replace(observed, template={**overtaken, "archived_at": None})
    kept = decide(before, wanted)
    if same_config(t.cast(t.Any, observed.config), t.cast(t.Any, kept.config)):
        return decide(observed, wanted)
    template = t.cast(t.Any, observed.template)
    theirs, ours = overtaken["version"], template["version"]
    warning = (
        f"Another writer published version {theirs} at the same time, and version {ours} was "
        f"published without its changes. They are in version {ours + 1}."
    )
    plan = _plan(observed, kept.config, (VERSION_OVERTAKEN,), warnings=(*kept.warnings, warning))
    return dataclasses.replace(plan, result={**kept.result, **_previous(observed)})


def _present(observed: Observed, wanted: Wanted) -> ConfigPlan:
    missing = _missing(observed)
    if missing and not wanted.may_create:
        raise RefusedError(
            missing,
            f"Correct the name, or set {option('create_compute_config')} to true.",
        )
    start, entries = starting_point(observed, wanted.config)
    if wanted.config is not None:
        entries = enforced(entries, wanted.config, wanted.profiles, observed)
    declared = compose(start, entries)
    applicable, not_applicable = split_by_platform(entries, observed)
    if not applicable:
        raise without_vms(observed, [found["reason"] for found in not_applicable])
    _refuse_missing_groups(observed, [entry for _label, entry in applicable], wanted.profiles)
    findings = [
        finding
        for label, entry in applicable
        for finding in set_profiles(entry, label, wanted.profiles)
    ]
    if observed.template is None:
        reasons = ["compute_config_missing"]
    else:
        reasons = [ARCHIVED] if observed.archived else []
        reasons += [] if same_config(observed.template["config"], declared) else ["config_differs"]
        reasons += [finding.reason for finding in findings]
    warnings = [missing] if observed.others and missing else []
    return _plan(observed, compose(start, entries), reasons, findings, not_applicable, warnings)


def _missing(observed: Observed) -> str:
    """What to know before a compute config is created, in case its name is misspelled; empty for
    one that clusters can use.
    """
    what = f"The compute config {observed.name!r} of cloud {observed.cloud_id}"
    if observed.archived:
        return f"{what} is archived."
    if observed.template is not None:
        return ""
    names = sorted(observed.others)
    if not names:
        return f"{what} does not exist yet; the cloud has no other."
    nearest = difflib.get_close_matches(observed.name, names, 1)
    return f"{what} does not exist yet; the cloud has {_summarize(list(map(repr, names)))}." + (
        f" Did you mean {nearest[0]!r}?" if nearest else ""
    )


def _summarize(names: t.Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    return ", ".join(names[:_MOST_NAMES]) + more


def _refuse_missing_groups(
    observed: Observed, entries: t.Sequence[JsonObject], wanted: Profiles
) -> None:
    """Raise if there is no node group of a name that is given a role."""
    missing, names = missing_groups(entries, wanted)
    if missing:
        nearest = difflib.get_close_matches(missing, names, 1)
        raise InputError(
            f"{option('node_group_roles')} names the node group {missing!r}, which the compute "
            f"config {observed.name!r} of cloud {observed.cloud_id} does not have on AWS virtual "
            "machines.",
            f"Its node groups are {_summarize(names)}."
            + (f" Did you mean {nearest[0]!r}?" if nearest else ""),
        )


def _absent(observed: Observed, config: t.Mapping[str, t.Any], wanted: Profiles) -> ConfigPlan:
    entries = deployments(config)
    applicable, not_applicable = split_by_platform(entries, observed)
    warnings: list[str] = []
    findings = [
        finding
        for label, entry in applicable
        for finding in take_out_profiles(entry, label, wanted, warnings)
    ]
    reasons = [finding.reason for finding in findings]
    return _plan(observed, compose(config, entries), reasons, findings, not_applicable, warnings)


def _plan(
    observed: Observed,
    config: JsonObject | None,
    reasons: t.Iterable[str],
    findings: t.Iterable[Finding] = (),
    not_applicable: t.Sequence[JsonObject] = (),
    warnings: t.Iterable[str] = (),
) -> ConfigPlan:
    overrides = [
        dataclasses.asdict(finding) for finding in findings if finding.node_group is not None
    ]
    reasons = tuple(dict.fromkeys(reasons))
    before = None if observed.config is None else normalize(observed.config)
    is_other = bool(reasons) or before is None
    after = before if not is_other else None if config is None else normalize(config)
    return ConfigPlan(
        before={"compute_config": before},
        after={"compute_config": after},
        reasons=reasons,
        warnings=tuple(warnings),
        result={
            **_previous(observed),
            "overrides": overrides,
            "not_applicable": list(not_applicable),
        },
        config=config,
        live=observed.config,
    )


def _previous(observed: Observed) -> dict[str, int | None]:
    return {"previous_version": observed.template["version"] if observed.template else None}
