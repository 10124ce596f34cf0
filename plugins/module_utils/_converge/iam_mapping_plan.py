# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plan the Cloud IAM mapping of a cloud resource: which rules, in which order, and what happens to
clusters that no rule selects.

This module util is private to the collection. Pure. The first rule that selects a cluster counts, so
that the order of the rules is never changed but where it is wanted.
https://docs.anyscale.com/iam/cloud-iam-mapping
"""

from __future__ import annotations

import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.label_selector import (
    covers,
    meaning,
    parse_selector,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    option,
)

MERGED, REPLACED, ABSENT = STATES = ("merged", "replaced", "absent")
CLOUD_DEFAULT, FAIL = FALLBACK_RULES = ("CLOUD_DEFAULT", "FAIL")
FIRST, LAST, BEFORE, AFTER = PLACES = ("first", "last", "before", "after")
MAPPING = "dataplane_iam_mapping"

RULE_MISSING, ROLE_DIFFERS, OUT_OF_ORDER = "rule_missing", "role_differs", "rules_out_of_order"
UNMANAGED_RULE, RULE_PRESENT = "unmanaged_rule", "rule_present"
FALLBACK_DIFFERS = "fallback_rule_differs"

# In playbooks, these options have variables of other names.
RULES = option("rules", "cloud_iam_mapping_rules")
POSITION = option("position", "cloud_iam_mapping_position")
FALLBACK_RULE = option("fallback_rule", "cloud_iam_mapping_fallback_rule")
STATE = option("state", "cloud_iam_mapping_state")

_OF_A_RULE = ("selector", "role")
# What the service derives from the rules itself, or refuses beside them.
_DERIVED = ("rules", "fallback_rule", "mode", "default_rule")

JsonObject = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class Rule:
    """A rule that is wanted. ``where``: its name in errors."""

    selector: str
    role: RoleReference
    where: str

    @property
    def meaning(self) -> t.Hashable:
        """What the selector means."""
        return meaning(self.selector)

    def on(self, live: JsonObject) -> JsonObject:
        """The rule in the place of a live one, of which everything else is kept."""
        return {"selector": self.selector, **live, "value": self.role.name}


class Position(t.NamedTuple):
    """Where wanted rules go. ``selector``: of the rule that they go before or after."""

    at: str
    selector: str = ""


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What is wanted of a mapping. A ``fallback_rule`` of ``None`` is the live one."""

    rules: tuple[Rule, ...]
    state: str = MERGED
    fallback_rule: str | None = None
    position: Position | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class MappingPlan(Plan):
    """A plan with the whole config of the resource that it leads to."""

    spec: JsonObject


class _Entry(t.NamedTuple):
    """A rule of the new list, and the index of the live one that it was, if any."""

    rule: JsonObject
    origin: int | None = None


# --- what the options want ------------------------------------------------------------------------


def parse_wanted(params: t.Mapping[str, t.Any]) -> Wanted:
    """What the options of the module want. Raises InputError for what no mapping can have."""
    state, fallback_rule = params["state"], params.get("fallback_rule")
    rules = _parse_rules(params.get("rules"))
    position = _parse_position(params.get("position"), rules)
    if not rules and state != REPLACED:
        raise InputError(f"{RULES} is an empty list.", "Name at least one rule.")
    if position is not None and state != MERGED:
        raise InputError(
            f"{POSITION} is set, but {STATE} is {state}.",
            "Omit it: it says where merged rules go.",
        )
    if fallback_rule is not None and not rules:
        raise InputError(
            f"{FALLBACK_RULE} is set, but there are no rules, without which Anyscale ignores it.",
            "Omit it, or set rules.",
        )
    return Wanted(rules, state, None if state == ABSENT else fallback_rule, position)


def _parse_rules(given: t.Any) -> tuple[Rule, ...]:
    if not isinstance(given, list):
        raise InputError(f"{RULES} is not a list.", "Set it to a list of dictionaries.")
    rules = tuple(
        _parse_rule(rule, f"rule {number} of {RULES}") for number, rule in enumerate(given, 1)
    )
    first: dict[t.Hashable, Rule] = {}
    for rule in rules:
        earlier = first.setdefault(rule.meaning, rule)
        if earlier is not rule:
            raise InputError(
                f"The {rule.where} has the same selector as {earlier.where}, so that it would never "
                "apply.",
                "Remove one of them.",
            )
    return rules


def _parse_rule(given: t.Any, where: str) -> Rule:
    if not isinstance(given, dict) or sorted(given) != sorted(_OF_A_RULE):
        raise InputError(
            f"The {where} is not a dictionary with the keys selector and role.",
            "Write it like {selector: workload-type=job, role: ray-jobs}.",
        )
    wrong = [key for key in _OF_A_RULE if not isinstance(given[key], str)]
    if wrong:
        raise InputError(f"The {wrong[0]} of {where} is not a text.", "Put it in quotes.")
    parse_selector(given["selector"], f"The selector of {where}")
    role = parse_role(given["role"], f"The role of {where}")
    return Rule(given["selector"], role, where)


def _parse_position(given: t.Any, rules: t.Sequence[Rule]) -> Position | None:
    if given is None:
        return None
    if not isinstance(given, dict) or not set(given) <= {"at", "selector"}:
        raise InputError(
            f"{POSITION} is not a dictionary with the keys at and selector.",
            "Write it like {at: before, selector: workload-type=job}, or {at: first}.",
        )
    at, selector = given.get("at"), given.get("selector")
    if at not in PLACES:
        raise InputError(
            f"{POSITION} has no valid value of at.", f"Set at to one of {', '.join(PLACES)}."
        )
    if at in (FIRST, LAST):
        if selector is not None:
            raise InputError(
                f"{POSITION} has a selector, but at is {at}.",
                "Omit selector, or set at to before or after.",
            )
        return Position(at)
    if not isinstance(selector, str):
        raise InputError(
            f"{POSITION} is {at}, but names no rule.", "Set its selector to that of the rule."
        )
    parse_selector(selector, f"The selector of {POSITION}")
    if meaning(selector) in {rule.meaning for rule in rules}:
        raise InputError(
            f"{POSITION} names the rule {selector!r}, which is one of {RULES} itself.",
            "Name another rule.",
        )
    return Position(at, selector)


# --- the plan -------------------------------------------------------------------------------------


def rules_of(spec: t.Mapping[str, t.Any]) -> list[JsonObject]:
    """The rules of a resource's config, in their order."""
    return list((spec.get(MAPPING) or {}).get("rules") or [])


def mapping_of(spec: t.Mapping[str, t.Any]) -> JsonObject:
    """The mapping of a resource's config as users see it: what the options of the module can be set
    to. Two that are equal mean the same.
    """
    rules = rules_of(spec)
    return {
        "rules": [_displayed(rule) for rule in rules],
        "fallback_rule": _fallback_of(spec) if rules else None,
    }


def _displayed(rule: JsonObject) -> JsonObject:
    others = {key: value for key, value in rule.items() if key not in ("selector", "value")}
    return {"selector": rule.get("selector"), "role": rule.get("value"), **others}


def _fallback_of(spec: t.Mapping[str, t.Any]) -> str | None:
    """``default_rule`` is its former name."""
    mapping = spec.get(MAPPING) or {}
    return mapping.get("fallback_rule") or mapping.get("default_rule")


def decide(spec: JsonObject, wanted: Wanted, kind: t.Mapping[str, str]) -> MappingPlan:
    """Plan the mapping in the config of a resource.

    kind: its ``cloud_provider`` and ``compute_stack``, without which the service refuses a config.
    """
    live = rules_of(spec)
    entries = {MERGED: _merged, REPLACED: _replaced, ABSENT: _remaining}[wanted.state](live, wanted)
    reasons = _reasons(live, entries, wanted.state)
    fallback_rule = wanted.fallback_rule or _fallback_of(spec) or CLOUD_DEFAULT
    if live and entries and wanted.fallback_rule and wanted.fallback_rule != _fallback_of(spec):
        reasons.append(FALLBACK_DIFFERS)
    rules = [entry.rule for entry in entries]
    after = with_mapping(spec, rules, fallback_rule, kind) if reasons else spec
    return plan_of(spec, after, reasons, _warnings(spec, rules, wanted))


def plan_of(
    before: JsonObject,
    after: JsonObject,
    reasons: t.Iterable[str],
    warnings: t.Iterable[str] = (),
) -> MappingPlan:
    """The plan that leads from one config to another."""
    mapping = mapping_of(after)
    return MappingPlan(
        before=mapping_of(before),
        after=mapping,
        reasons=tuple(reasons),
        warnings=tuple(warnings),
        result=mapping,
        spec=after,
    )


def restored_mapping(
    spec: JsonObject, earlier: t.Mapping[str, t.Any], kind: t.Mapping[str, str]
) -> JsonObject:
    """A config with the mapping of an earlier one, and all else as it is."""
    return with_mapping(spec, rules_of(earlier), _fallback_of(earlier) or CLOUD_DEFAULT, kind)


def with_mapping(
    spec: JsonObject,
    rules: t.Sequence[JsonObject],
    fallback_rule: str,
    kind: t.Mapping[str, str],
) -> JsonObject:
    """A config with these rules, and all else as it is: the service would wipe what is left out.
    Without rules it still has its kind, since an empty one would change nothing.
    """
    live = spec.get(MAPPING) or {}
    mapping = {key: value for key, value in live.items() if key not in _DERIVED}
    if rules:
        mapping |= {"rules": list(rules), "fallback_rule": fallback_rule}
    return {**kind, **spec, MAPPING: mapping}


def _merged(live: t.Sequence[JsonObject], wanted: Wanted) -> list[_Entry]:
    """The live rules with the wanted ones, which are in their own order."""
    found = _first_indices(live)
    ours = [_entry(rule, live, found) for rule in wanted.rules]
    indices = {entry.origin for entry in ours}
    others = [_Entry(rule, index) for index, rule in enumerate(live) if index not in indices]
    if wanted.position is None:
        return _in_place(live, ours)
    at, selector = wanted.position
    if at in (FIRST, LAST):
        return [*ours, *others] if at == FIRST else [*others, *ours]
    anchor = _anchor(others, selector)
    if all(entry.origin is not None for entry in ours):
        placed = _in_place(live, ours)
        if _is_beside(placed, ours, others[anchor], at):
            return placed
    cut = anchor if at == BEFORE else anchor + 1
    return [*others[:cut], *ours, *others[cut:]]


def _in_place(live: t.Sequence[JsonObject], ours: t.Sequence[_Entry]) -> list[_Entry]:
    """The wanted rules in the places of those that exist. One that does not exist goes before the
    wanted one after it that does, else to the end.
    """
    existing = iter([entry for entry in ours if entry.origin is not None])
    indices = {entry.origin for entry in ours}
    placed = [
        next(existing) if index in indices else _Entry(rule, index)
        for index, rule in enumerate(live)
    ]
    place = len(placed)
    for entry in reversed(ours):
        if entry.origin is None:
            placed.insert(place, entry)
        else:
            place = placed.index(entry)
    return placed


def _anchor(others: t.Sequence[_Entry], selector: str) -> int:
    wanted = meaning(selector)
    for place, entry in enumerate(others):
        if meaning(entry.rule.get("selector")) == wanted:
            return place
    known = ", ".join(repr(entry.rule.get("selector")) for entry in others) or "none"
    raise RefusedError(
        f"{POSITION} names the rule {selector!r}, which the Cloud IAM mapping does not have.",
        f"Name one of its other rules ({known}), or set at to first or last.",
    )


def _is_beside(
    placed: t.Sequence[_Entry], ours: t.Sequence[_Entry], anchor: _Entry, at: str
) -> bool:
    """Whether all wanted rules are on the wanted side of another one."""
    border = placed.index(anchor)
    places = [placed.index(entry) for entry in ours]
    return max(places) < border if at == BEFORE else min(places) > border


def _replaced(live: t.Sequence[JsonObject], wanted: Wanted) -> list[_Entry]:
    """The wanted rules alone."""
    found = _first_indices(live)
    return [_entry(rule, live, found) for rule in wanted.rules]


def _remaining(live: t.Sequence[JsonObject], wanted: Wanted) -> list[_Entry]:
    """The live rules that give none of the roles by the same selector."""
    unwanted = {(rule.meaning, rule.role.name) for rule in wanted.rules}
    return [
        _Entry(rule, index)
        for index, rule in enumerate(live)
        if (meaning(rule.get("selector")), str(rule.get("value"))) not in unwanted
    ]


def _first_indices(live: t.Sequence[JsonObject]) -> dict[t.Hashable, int]:
    """Where the rule of each selector is. Of several, only the first one ever applies."""
    found: dict[t.Hashable, int] = {}
    for index, rule in enumerate(live):
        found.setdefault(meaning(rule.get("selector")), index)
    return found


def _entry(rule: Rule, live: t.Sequence[JsonObject], found: t.Mapping[t.Hashable, int]) -> _Entry:
    index = found.get(rule.meaning)
    return _Entry(rule.on({} if index is None else live[index]), index)


def _reasons(live: t.Sequence[JsonObject], entries: t.Sequence[_Entry], state: str) -> list[str]:
    indices = [entry.origin for entry in entries if entry.origin is not None]
    differing = [
        entry
        for entry in entries
        if entry.origin is not None and entry.rule.get("value") != live[entry.origin].get("value")
    ]
    reasons = {
        RULE_MISSING: len(indices) < len(entries),
        ROLE_DIFFERS: bool(differing),
        OUT_OF_ORDER: indices != sorted(indices),
        (RULE_PRESENT if state == ABSENT else UNMANAGED_RULE): len(indices) < len(live),
    }
    return [reason for reason, applies in reasons.items() if applies]


# --- warnings -------------------------------------------------------------------------------------


def _warnings(spec: JsonObject, rules: t.Sequence[JsonObject], wanted: Wanted) -> t.Iterator[str]:
    if wanted.state != ABSENT:
        yield from _never_applying(rules, wanted)
        return
    left = {meaning(rule.get("selector")): rule for rule in reversed(rules)}
    for rule in wanted.rules:
        if rule.meaning in left:
            yield (
                f"Rule {rule.selector!r} gives another role, {left[rule.meaning].get('value')}, and "
                "was not removed."
            )
    if not rules and rules_of(spec) and _fallback_of(spec) == FAIL:
        yield (
            "Without rules there is no fallback_rule FAIL either: clusters that did not start "
            "before will."
        )


def _never_applying(rules: t.Sequence[JsonObject], wanted: Wanted) -> t.Iterator[str]:
    """A warning for each wanted rule whose clusters an earlier rule selects."""
    ours = {rule.meaning for rule in wanted.rules}
    for place, rule in enumerate(rules):
        selector = rule.get("selector")
        if meaning(selector) not in ours:
            continue
        earlier = next(
            (one for one in rules[:place] if covers(one.get("selector"), selector)), None
        )
        if earlier is not None and meaning(earlier.get("selector")) != meaning(selector):
            yield (
                f"Rule {selector!r} never applies: rule {earlier.get('selector')!r}, which is "
                "before it, selects all of its clusters."
            )
