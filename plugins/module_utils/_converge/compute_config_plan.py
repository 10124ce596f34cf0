# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan a compute config so that every node of its clusters has the same instance profile.

This module util is private to the collection. Pure: the live compute config and what is wanted in,
a plan out.

A node group (the head, or a group of workers) with its own instance configuration ignores that of
the cluster entirely, so that the profile is set there too. A node group without one inherits the
cluster's and is not changed. https://docs.anyscale.com/configuration/compute/aws
"""

from __future__ import annotations

import copy
import dataclasses
import difflib
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_reader import (
    to_api,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    INSTANCE_CONFIG,
    WORKER_DEFAULTS,
    JsonObject,
    compose,
    deployments,
    normalize,
    same_config,
    worker_name,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_arn
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    option,
)

PROFILE = "IamInstanceProfile"
# Reasons that do not need another version.
ARCHIVED, NOT_ARCHIVED = "compute_config_archived", "not_archived"
HEAD = "head_node"
_AUTOMATIC = "automatic workers"
# How many names a message lists.
_MOST_NAMES = 10
_SPEC = "cloud_iam_compute_config_spec"

# https://docs.anyscale.com/configuration/compute/aws: the keys that Anyscale sets itself when it
# launches an instance.
UNSUPPORTED_KEYS = frozenset(
    {
        "ClientToken",
        "DryRun",
        "ImageId",
        "InstanceType",
        "Ipv6Addresses",
        "LaunchTemplate",
        "MaxCount",
        "MinCount",
        "PrivateIpAddress",
        "SecurityGroups",
        "UserData",
    }
)
_NAME = re.compile(r"[^\s:]+(\s+[^\s:]+)*\Z")
_HIDDEN = {
    "profile_missing": "node_group_hides_profile",
    "profile_differs": "node_group_profile_differs",
}


class WithoutVmsError(RefusedError):
    """A compute config uses no AWS virtual machines, and so cannot have an instance profile."""


@dataclasses.dataclass(frozen=True)
class Observed:
    """The live state: the newest version of the compute config (archived or not), and its cloud's
    resources and default.

    Without ``resources``, every deployment config is assumed to run on AWS virtual machines.
    others: the names of the cloud's compute configs, where this one does not exist.
    """

    name: str
    cloud_id: str
    template: t.Mapping[str, t.Any] | None = None
    resources: t.Sequence[t.Mapping[str, t.Any]] = ()
    default_config: t.Mapping[str, t.Any] | None = None
    others: t.Sequence[str] = ()

    @property
    def archived(self) -> bool:
        """Whether the compute config exists, but is archived."""
        return bool(self.template and self.template.get("archived_at"))

    @property
    def config(self) -> t.Mapping[str, t.Any] | None:
        """The live config that clusters can use."""
        return self.template["config"] if self.template and not self.archived else None


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is wanted: the profile's ARN, the declared part of the config in Anyscale's YAML schema,
    and the state. ``may_create``: whether one that does not exist, or is archived, is created.
    """

    arn: str
    config: t.Mapping[str, t.Any] | None = None
    state: str = "present"
    may_create: bool = True


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


@dataclasses.dataclass(frozen=True)
class NodeGroup:
    """A node group on AWS virtual machines, and its instance profile in the compute config: an ARN,
    a name, or none.
    """

    deployment: str | None
    name: str
    profile: str | None


@dataclasses.dataclass(frozen=True)
class _Finding:
    """A level with a wrong profile; ``node_group`` is ``None`` for the cluster level."""

    reason: str
    deployment: str | None
    node_group: str | None
    before: str | None
    after: str | None


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
        return _absent(observed, observed.config, wanted.arn)
    return _plan(observed, None, (NOT_ARCHIVED,))


def node_groups(observed: Observed) -> list[NodeGroup]:
    """The head node and the worker groups of a live compute config that run on AWS virtual
    machines.
    """
    applicable, _others = _split_by_platform(deployments(observed.config or {}), observed)
    return [
        NodeGroup(
            label,
            name,
            _profile_text(
                (level if INSTANCE_CONFIG in level else entry).get(INSTANCE_CONFIG, {}).get(PROFILE)
            ),
        )
        for label, entry in applicable
        for name, level in _nodes(entry)
    ]


def _nodes(entry: JsonObject) -> t.Iterator[tuple[str, JsonObject]]:
    """The node groups, each with its own level. Workers that Anyscale selects have only the
    cluster's.
    """
    yield from ((name, level) for name, level in _levels(entry) if name is not None)
    if entry.get("auto_select_worker_config"):
        yield _AUTOMATIC, {}


def _present(observed: Observed, wanted: Wanted) -> ConfigPlan:
    missing = _missing(observed)
    if missing and not wanted.may_create:
        raise RefusedError(
            missing,
            f"Correct the name, or set {option('create_compute_config')} to true.",
        )
    start, entries = _starting_point(observed, wanted.config)
    if wanted.config is not None:
        entries = _enforced(entries, wanted, observed)
    enforced = compose(start, entries)
    applicable, not_applicable = _split_by_platform(entries, observed)
    if not applicable:
        raise _without_vms(observed, [found["reason"] for found in not_applicable])
    findings = [
        finding for label, entry in applicable for finding in _set_profile(entry, label, wanted.arn)
    ]
    if observed.template is None:
        reasons = ["compute_config_missing"]
    else:
        reasons = [ARCHIVED] if observed.archived else []
        reasons += [] if same_config(observed.template["config"], enforced) else ["config_differs"]
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
        return f"{what} would be created; the cloud has no other."
    nearest = difflib.get_close_matches(observed.name, names, 1)
    return (
        f"{what} would be created; the cloud has {', '.join(map(repr, names[:_MOST_NAMES]))}"
        + (f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else "")
        + "."
        + (f" Did you mean {nearest[0]!r}?" if nearest else "")
    )


def _absent(observed: Observed, config: t.Mapping[str, t.Any], arn: str) -> ConfigPlan:
    entries = deployments(config)
    applicable, not_applicable = _split_by_platform(entries, observed)
    findings: list[_Finding] = []
    warnings: list[str] = []
    for label, entry in applicable:
        for group, level in _levels(entry):
            profile = level.get(INSTANCE_CONFIG, {}).get(PROFILE)
            if not profile:
                continue
            if not _same_profile(profile, arn):
                place = f"Node group {group!r}" if group else "The cluster's instance configuration"
                warnings.append(
                    f"{place} has another instance profile, {_profile_text(profile)}, which was "
                    "not changed."
                )
                continue
            del level[INSTANCE_CONFIG][PROFILE]
            if not level[INSTANCE_CONFIG]:
                del level[INSTANCE_CONFIG]
            findings.append(_Finding("profile_present", label, group, _profile_text(profile), None))
    reasons = [finding.reason for finding in findings]
    return _plan(observed, compose(config, entries), reasons, findings, not_applicable, warnings)


def _plan(
    observed: Observed,
    config: JsonObject | None,
    reasons: t.Iterable[str],
    findings: t.Iterable[_Finding] = (),
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
            "previous_version": observed.template["version"] if observed.template else None,
            "overrides": overrides,
            "not_applicable": list(not_applicable),
        },
        config=config,
        live=observed.config,
    )


# --- where to start from --------------------------------------------------------------------------


def _starting_point(
    observed: Observed, declared: t.Mapping[str, t.Any] | None
) -> tuple[t.Mapping[str, t.Any], list[JsonObject]]:
    """The config to change and its deployment configs: the live one, also from the archive, else an
    empty one for a declared config, else the cloud's default.
    """
    cloud = {"cloud_id": observed.cloud_id}
    if observed.template is not None:
        live = observed.template["config"]
        return {**live, **cloud}, deployments(live)
    if declared is not None:
        return cloud, []
    if observed.default_config is None:
        raise InputError(
            f"The compute config {observed.name!r} does not exist, and there is no config to "
            "create it from.",
            f"Set {option('config', _SPEC)}, at least with a head_node.",
        )
    return {**observed.default_config, **cloud}, deployments(observed.default_config)


def _new_entry(declared: JsonObject, observed: Observed) -> JsonObject:
    """A new deployment config, completed as Anyscale's client does it."""
    head: JsonObject = {"name": "head-node"}
    if "head_node_type" not in declared and observed.default_config is not None:
        default = deployments(observed.default_config)[0].get("head_node_type", {})
        # Anyscale determines the resources from the instance type.
        head.update(
            {key: value for key, value in default.items() if key not in ("name", "resources")}
        )
    entry = _merged_entry({"head_node_type": head}, declared)
    if entry.get("worker_node_types") or entry.get("auto_select_worker_config"):
        # With workers, the head node runs no workload unless the config says so.
        entry["head_node_type"].setdefault("resources", {"cpu": 0, "gpu": 0})
    return entry


# --- the declared state ---------------------------------------------------------------------------


def _enforced(entries: list[JsonObject], wanted: Wanted, observed: Observed) -> list[JsonObject]:
    """The deployment configs with the declared keys set; ``configs`` also declares which of them
    exist.
    """
    config = wanted.config or {}
    declared = deployments(to_api(config))
    _check_declared(declared, wanted.arn, observed)
    if "configs" in config:
        return [
            _enforced_entry(_for_same_resource(entries, one, observed), one, observed)
            for one in declared
        ]
    if not entries:
        return [_new_entry(declared[0], observed)]
    target = entries[0] if len(entries) == 1 else _for_same_resource(entries, declared[0], observed)
    if target is None:
        names = ", ".join(repr(entry.get("cloud_deployment")) for entry in entries)
        raise InputError(
            f"The compute config {observed.name!r} has several deployments ({names}), and config "
            "does not say to which one it applies.",
            f"Set cloud_resource in {option('config', _SPEC)} to one of them, or declare all of "
            "them in its configs.",
        )
    return [
        _enforced_entry(entry, declared[0], observed) if entry is target else entry
        for entry in entries
    ]


def _for_same_resource(
    entries: list[JsonObject], declared: JsonObject, observed: Observed
) -> JsonObject | None:
    name = _resource_name(declared, observed)
    return next((entry for entry in entries if _resource_name(entry, observed) == name), None)


def _enforced_entry(
    live: JsonObject | None, declared: JsonObject, observed: Observed
) -> JsonObject:
    if live is None:
        return _new_entry(declared, observed)
    if "cloud_deployment" in declared:
        if _resource_name(live, observed) == _resource_name(declared, observed):
            # The primary resource need not be named: adding its name is no change.
            declared = _without(declared, "cloud_deployment")
        else:
            live = _without(live, "cloud_resource_id")
    return _merged_entry(live, declared)


def _merged_entry(live: JsonObject, declared: JsonObject) -> JsonObject:
    by_name = ("head_node_type", "worker_node_types")
    merged = _merged(live, {key: value for key, value in declared.items() if key not in by_name})
    if "head_node_type" in declared:
        merged["head_node_type"] = _merged_node(
            live.get("head_node_type", {}), declared["head_node_type"]
        )
    if "worker_node_types" in declared:
        groups: dict[str, JsonObject] = {}
        for node in live.get("worker_node_types", []):
            groups.setdefault(worker_name(node), node)
        merged["worker_node_types"] = [
            _merged_node(groups.get(node["name"], WORKER_DEFAULTS), node)
            for node in declared["worker_node_types"]
        ]
    elif declared.get("auto_select_worker_config"):
        merged.pop("worker_node_types", None)
    return merged


def _merged_node(live: JsonObject, declared: JsonObject) -> JsonObject:
    merged = _merged(live, declared)
    if declared.get("instance_type", "custom") != "custom":
        merged.pop("required_resources", None)
    return merged


def _merged(live: t.Any, declared: t.Any) -> t.Any:
    """Merge mappings key by key; any other declared value replaces the live one."""
    if isinstance(live, dict) and isinstance(declared, dict):
        return {**live, **{key: _merged(live.get(key), value) for key, value in declared.items()}}
    return copy.deepcopy(declared)


def _without(entry: JsonObject, removed_key: str) -> JsonObject:
    return {key: value for key, value in entry.items() if key != removed_key}


def _check_declared(declared: list[JsonObject], arn: str, observed: Observed) -> None:
    known = [resource.get("name") for resource in observed.resources]
    for entry in declared:
        if known and entry.get("cloud_deployment", known[0]) not in known:
            raise InputError(
                f"config names the cloud resource {entry['cloud_deployment']!r}, which does not "
                f"exist in cloud {observed.cloud_id}.",
                f"Its cloud resources are {', '.join(map(str, known))}.",
            )
    for _label, entry in _split_by_platform(declared, observed)[0]:
        _check_instance_configs(entry, arn)


def _check_instance_configs(entry: JsonObject, arn: str) -> None:
    for group, level in _levels(entry):
        place = (
            "The advanced_instance_config of "
            f"{f'node group {group!r}' if group else 'the cluster'} in config"
        )
        instance_config = level.get(INSTANCE_CONFIG, {})
        unsupported = sorted(UNSUPPORTED_KEYS & instance_config.keys())
        if unsupported:
            raise InputError(
                f"{place} has {', '.join(unsupported)}, which Anyscale sets itself.",
                "Remove them.",
            )
        if instance_config.get(PROFILE, {"Arn": arn}) != {"Arn": arn}:
            raise InputError(
                f"{place} has another {PROFILE} than {arn}.",
                "Remove it: this module sets it wherever it is needed.",
            )


# --- the instance profile -------------------------------------------------------------------------


def _levels(entry: JsonObject) -> t.Iterator[tuple[str | None, JsonObject]]:
    """The levels that can have an instance configuration: the cluster (``None``), the head, and
    each worker group.
    """
    yield None, entry
    if "head_node_type" in entry:
        yield HEAD, entry["head_node_type"]
    for node in entry.get("worker_node_types", []):
        yield worker_name(node), node


def _set_profile(entry: JsonObject, label: str | None, arn: str) -> t.Iterator[_Finding]:
    """Set the profile in place at every level that needs it. Yields a finding for each level that
    changes.
    """
    for group, level in _levels(entry):
        if group is not None and INSTANCE_CONFIG not in level:
            continue
        profile = level.get(INSTANCE_CONFIG, {}).get(PROFILE)
        reason = _difference(profile, arn)
        if reason is None:
            continue
        level.setdefault(INSTANCE_CONFIG, {})[PROFILE] = {"Arn": arn}
        yield _Finding(
            reason if group is None else _HIDDEN.get(reason, reason),
            label,
            group,
            _profile_text(profile),
            arn,
        )


def _difference(profile: t.Any, arn: str) -> str | None:
    """Why a profile is not ``{"Arn": arn}``, as a reason code."""
    if profile == {"Arn": arn}:
        return None
    if not profile:
        return "profile_missing"
    if isinstance(profile, dict) and "Name" in profile:
        return "profile_by_name"
    kind = _identity(_profile_text(profile))[0]
    return "wrong_arn_kind" if kind and kind != _identity(arn)[0] else "profile_differs"


def _same_profile(profile: t.Any, arn: str) -> bool:
    """Whether a profile is the one of ``arn``, by either kind of ARN or by name."""
    _kind, account_id, name = _identity(arn)
    _found_kind, found_account_id, found_name = _identity(_profile_text(profile))
    return found_name == name and found_account_id in ("", account_id)


def _identity(text: str | None) -> tuple[str, str, str]:
    """Kind (``role``, ``instance-profile``), account and name of an ARN; only the name for a bare
    name.
    """
    arn = parse_arn(text or "")
    if arn is None:
        return "", "", text or ""
    return arn.resource.partition("/")[0], arn.account_id, arn.resource.rpartition("/")[2]


def _profile_text(profile: t.Any) -> str | None:
    """The text of a profile: its ARN, else its name."""
    if isinstance(profile, dict):
        profile = profile.get("Arn") or profile.get("Name")
    return None if profile is None else str(profile)


# --- the cloud's resources ------------------------------------------------------------------------


def refuse_without_vms(observed: Observed) -> None:
    """Raise if no resource of a cloud has AWS virtual machines."""
    others = [other_kind(resource) for resource in observed.resources]
    if others and all(others):
        raise _without_vms(observed, [kind for kind in others if kind])


def _without_vms(observed: Observed, reasons: t.Iterable[str]) -> WithoutVmsError:
    return WithoutVmsError(
        f"The compute config {observed.name!r} of cloud {observed.cloud_id} does not run on AWS "
        f"virtual machines ({', '.join(reasons)}), so it cannot have an instance profile.",
        "Remove this cloud from the hosts, or add a cloud resource with AWS virtual machines to "
        "it.",
    )


def other_kind(resource: t.Mapping[str, t.Any]) -> str | None:
    """A description of a resource that has no AWS virtual machines; ``None`` for one that has."""
    provider, stack = str(resource.get("provider")), str(resource.get("compute_stack") or "VM")
    is_aws_vm = (provider.upper(), stack.upper()) == ("AWS", "VM")
    return None if is_aws_vm else f"{resource.get('name')} is {stack} on {provider}"


def _split_by_platform(
    entries: t.Iterable[JsonObject], observed: Observed
) -> tuple[list[tuple[str | None, JsonObject]], list[JsonObject]]:
    """The deployment configs on AWS virtual machines, each with its name, and the others with the
    reason.
    """
    applicable: list[tuple[str | None, JsonObject]] = []
    others: list[JsonObject] = []
    for entry in entries:
        name = _resource_name(entry, observed)
        resource = next(
            (resource for resource in observed.resources if resource.get("name") == name), None
        )
        if not observed.resources:
            applicable.append((name, entry))
        elif resource is None:
            others.append({"deployment": name, "reason": f"the cloud has no resource {name!r}"})
        elif kind := other_kind(resource):
            others.append({"deployment": name, "reason": kind})
        else:
            applicable.append((name, entry))
    return applicable, others


def _resource_name(entry: JsonObject, observed: Observed) -> str | None:
    """The name of a deployment config's cloud resource; the primary resource's if it names none."""
    if entry.get("cloud_deployment"):
        return str(entry["cloud_deployment"])
    by_id = [
        resource
        for resource in observed.resources
        if resource.get("cloud_resource_id") == entry.get("cloud_resource_id")
    ]
    candidates = by_id if entry.get("cloud_resource_id") else observed.resources
    if len(candidates) > 1:
        candidates = [resource for resource in observed.resources if resource.get("is_default")]
    if observed.resources and len(candidates) != 1:
        raise RefusedError(
            f"Cloud {observed.cloud_id} has {len(candidates)} primary resources; there must be "
            "exactly one.",
            "Check 'anyscale cloud get' and make one of its resources the default.",
        )
    return candidates[0].get("name") if candidates else None
