# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tell in Markdown what a plan file permits, for those who review it in a pull request.

This plugin util is private to the collection. Pure. Names and statements of others are text and never
markup: they are in code spans, and in code blocks of which no line begins with what ends the block.
"""

from __future__ import annotations

import collections
import dataclasses
import difflib
import itertools
import json
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_arn
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    missing_statements,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.states import FAILED

# How a summary begins: another file is never replaced by one.
HEAD = "# Plan for Anyscale clouds\n"
_MOST_CHARS_OF_NAME = 300
_MOST_CHARS_OF_MESSAGE = 1500
_CONTEXT = 2
# The keys of a compute config below which all values are displayed, in the form of the API and in that
# of the YAML file: names, sizes and places. Flags, labels, tags and what else EC2 accepts for an
# instance may be secrets, whether the config is live or declared: a variable can be from a vault.
_LEVELS = frozenset(
    {"compute_config", "file", "deployment_configs", "configs", "head_node_type", "head_node"}
    | {"worker_node_types", "worker_nodes", "resources", "required_resources"}
)
_DISPLAYED = frozenset(
    {"cloud", "cloud_id", "cloud_deployment", "cloud_resource", "allowed_azs", "zones"}
    | {"name", "instance_type", "min_workers", "max_workers", "min_nodes", "max_nodes"}
    | {"use_spot", "fallback_to_ondemand", "market_type", "auto_select_worker_config"}
    | {"idle_termination_minutes", "maximum_uptime_minutes", "enable_cross_zone_scaling"}
    | {"accelerator", "cpu_architecture"}
)
_AMOUNTS = ("resources", "required_resources")
_PROFILE_NAME = ("IamInstanceProfile", "Name")

Outcomes = t.Mapping[str, t.Mapping[str, t.Any]]


@dataclasses.dataclass(frozen=True)
class Shown:
    """A change of a document as it is displayed. hides_values: whether it is a compute config, of which
    values may be secrets.
    warnings: what its planning warned of.
    """

    document: str
    clouds: tuple[str, ...]
    before: t.Any
    after: t.Any
    hides_values: bool = False
    warnings: tuple[str, ...] = ()


def summary_of(
    outcomes: Outcomes, shown: t.Sequence[Shown], made_at: str, notices: t.Sequence[str] = ()
) -> str:
    """The summary. outcomes: of all clouds of the run. notices: what is told of their variables."""
    states = collections.Counter(outcome["state"] for outcome in outcomes.values())
    counts = ", ".join(
        f"{count} {state.replace('_', ' ')}" for state, count in sorted(states.items())
    )
    lines = [HEAD, f"Made at {made_at}. Clouds: {counts or 'none'}.", ""]
    if notices:
        lines += ["## Warnings", ""]
        lines += [f"- {_code(text, _MOST_CHARS_OF_MESSAGE)}" for text in notices]
        lines.append("")
    failed = {name: one for name, one in outcomes.items() if one["state"] == FAILED}
    if failed:
        lines += ["## Failed: not part of the plan", ""]
        lines += [
            f"- {_code(name)}: {_code(str(one.get('msg', '')), _MOST_CHARS_OF_MESSAGE)}"
            for name, one in sorted(failed.items())
        ]
        lines.append("")
    by_clouds: dict[tuple[str, ...], list[Shown]] = {}
    for one in shown:
        by_clouds.setdefault(tuple(sorted(one.clouds)), []).append(one)
    # What one cloud needs comes before what many share
    for clouds, changes in sorted(by_clouds.items(), key=lambda item: (len(item[0]) > 1, item[0])):
        lines += _section(clouds, changes)
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(clouds: t.Sequence[str], changes: t.Iterable[Shown]) -> list[str]:
    if len(clouds) == 1:
        lines = [f"## {_code(clouds[0])}", ""]
    else:
        lines = [f"## Shared by {len(clouds)} clouds", "", ", ".join(map(_code, clouds)), ""]
    for one in sorted(changes, key=lambda one: one.document):
        lines += [f"{_code(one.document)}:", "", "````diff", *_difference(one), "````", ""]
        warnings = [f"- Warning: {_code(text, _MOST_CHARS_OF_MESSAGE)}" for text in one.warnings]
        lines += [*warnings, ""] if warnings else []
    return lines


def _difference(one: Shown) -> list[str]:
    """The lines that are removed and added. Each begins with what a difference begins with, so that
    none can end the code block.
    """
    if one.hides_values:
        before, after = _leaves(one.before), _leaves(one.after)
        lines = [f"- {line}" for line in before if line not in after]
        lines += [f"+ {line}" for line in after if line not in before]
        return [line.partition("\0")[0] for line in lines]
    before, after = _compared(one.before, one.after)
    found = difflib.unified_diff(before, after, lineterm="", n=_CONTEXT)
    return [line for line in list(found)[2:] if not line.startswith("@@")]


def _compared(before: t.Any, after: t.Any) -> tuple[list[str], list[str]]:
    """The lines of both documents; of policies, those of the statements that differ."""
    if _is_policy(before) or _is_policy(after):
        one, other = before or {}, after or {}
        removed = missing_statements(statements_of(one), other)
        added = missing_statements(statements_of(other), one)
        if removed or added:
            return _lines_of(removed), _lines_of(added)
    return _lines([] if before is None else [before]), _lines([] if after is None else [after])


def _is_policy(document: t.Any) -> bool:
    return isinstance(document, dict) and "Statement" in document


def _lines_of(statements: t.Sequence[t.Any]) -> list[str]:
    return _lines(list(statements))


def _lines(documents: t.Sequence[t.Any]) -> list[str]:
    return [
        line
        for one in documents
        for line in json.dumps(one, indent=2, sort_keys=True, default=str).splitlines()
    ]


def _leaves(document: t.Any, path: tuple[str, ...] = ()) -> list[str]:
    """A line for each value of a compute config by its path. What is compared and not displayed is
    after a null character.
    """
    if isinstance(document, dict):
        items: t.Iterable[tuple[str, t.Any]] = document.items()
    elif isinstance(document, list):
        items = ((str(index), item) for index, item in enumerate(document))
    else:
        place = ".".join(json.dumps(key)[1:-1] for key in path)
        value = json.dumps(document, default=str)
        is_shown = _is_displayed(document, path)
        return [f"{place}: {value}" if is_shown else f"{place}: (not displayed)\0{value}"]
    return [line for key, item in items for line in _leaves(item, (*path, str(key)))]


def _is_displayed(value: t.Any, path: t.Sequence[str]) -> bool:
    """Whether a value is none that may be a secret, by its place."""
    if value is None or (isinstance(value, str) and parse_arn(value)):
        return True
    keys = [key for key in path if not key.isdigit()]
    known = list(itertools.takewhile(_LEVELS.__contains__, keys))
    rest = keys[len(known) :]
    is_amount = bool(known) and known[-1] in _AMOUNTS and not isinstance(value, str)
    return (
        is_amount
        or (len(rest) == 1 and rest[0] in _DISPLAYED)
        or (tuple(keys[-2:]) == _PROFILE_NAME)
    )


def _code(text: str, most: int = _MOST_CHARS_OF_NAME) -> str:
    """A code span with a text of others, on one line."""
    plain = escape_control_chars(" ".join(text.split())).replace("`", r"\u0060")
    if len(plain) > most:
        plain = f"{plain[:most]}... ({len(plain)} characters)"
    return f"`{plain or ' '}`"
