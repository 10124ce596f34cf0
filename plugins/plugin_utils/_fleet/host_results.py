# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of an audit for all hosts of a play, whether the engine audited them or a task of
their own.

This plugin util is private to the collection.
"""

from __future__ import annotations

import json
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import for_reader
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    host_variable,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.audit_results import (
    read_results,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.host_names import (
    UNCOVERED_GROUP,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder

Json = dict[str, t.Any]

# Facts that the inventory may have as well, and the variables that hold them.
_FACT_VARIABLES = {
    "account_id": "cloud_iam_account_id",
    "cloud_id": "cloud_iam_cloud_id",
    "region": "cloud_iam_region",
}


def results_of(
    names: list[str], hostvars: t.Any, register: str, run: str | None
) -> t.Iterator[tuple[str, Json]]:
    """Each host with its result: that of a run, else the one that it registered. What was handed on
    is not kept, since the results of thousands of clouds are large.
    """
    stored = read_results(RunFolder(run)) if run else {}
    for name in names:
        found = stored.pop(name, None)
        yield str(name), _registered(hostvars[name], register) if found is None else found


def not_permitted(names: t.Sequence[str], hostvars: t.Any) -> frozenset[str]:
    """The clouds of the inventory plugin that the operator neither permits nor names."""
    groups = hostvars[names[0]].get("groups") if names else None
    return frozenset((groups or {}).get(UNCOVERED_GROUP, ()))


def _registered(known: t.Mapping[str, t.Any], register: str) -> Json:
    """The result that a host registered, in plain types: Ansible's carry tags and templates. A module
    named its options in the message, and the reader sets variables.
    """
    result = json.loads(json.dumps(known.get(register), default=str))
    if isinstance(result, dict) and isinstance(result.get("msg"), str):
        result["msg"] = for_reader(result["msg"])
    return _with_facts(result, known)


def _with_facts(result: t.Any, known: t.Mapping[str, t.Any]) -> Json:
    """A host's result; if it has no facts about its cloud, with those of the inventory."""
    result = result if isinstance(result, dict) else {}
    return result if result.get("cloud") else {**result, "cloud": _inventory_facts(known) or None}


def _inventory_facts(known: t.Mapping[str, t.Any]) -> dict[str, str]:
    facts = {fact: host_variable(known, variable) for fact, variable in _FACT_VARIABLES.items()}
    return {fact: str(value) for fact, value in facts.items() if value}
