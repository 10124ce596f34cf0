# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The explanation of a cloud as lines for a terminal.

This plugin util is private to the collection. Pure. What can be copied, a command or a document, is
never wrapped.
"""

from __future__ import annotations

import re
import textwrap
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    FAIL,
    NOT_APPLICABLE,
    UNKNOWN,
    WARN,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import escape_control_chars

_MOST_COLUMNS = 100
_STATUS_WIDTH = 9
_FACT_WIDTH = 16
_STATUSES = {NOT_APPLICABLE: "n/a"}
_NOUNS = {FAIL: "problem", UNKNOWN: "unknown", WARN: "warning"}
_OF_STEP = " " * len("  1. ")
_OF_ACCOUNT = r"\b([Rr]ole )?arn:[\w-]+:iam::{}:(role/|instance-profile/)"
_MUST_DECIDE = "People must decide what to do."
# The layer that decides the role may pass though clusters cannot start with it.
_ALL_LAYERS_WITH_PROBLEMS = (
    "All layers, each checked by itself: a pass makes up for no problem above."
)
_MUST_BE_KNOWN = "Find out what is unknown, then run this playbook again."
_FOR_THE_FLEET_FILE = (
    "The remedy: if what is registered at Anyscale is right, add this to the fleet file."
)

Json = dict[str, t.Any]


def lines_of(explanation: t.Mapping[str, t.Any], columns: int = _MOST_COLUMNS) -> list[str]:
    """The lines. Names and messages are from AWS and Anyscale, so that they are escaped."""
    text, cloud = _Text(min(columns, _MOST_COLUMNS)), explanation["cloud"] or {}
    text.add(explanation["name"])
    text.add("=" * len(explanation["name"]))
    text.wrap(explanation["sentence"])
    if explanation["error"]:
        text.wrap(explanation["error"])
    text.add()
    for fact, value in _facts(cloud):
        if value:
            text.wrap(value, f"  {fact:<{_FACT_WIDTH}}")
    if explanation["layers"]:
        _add_steps(text, explanation)
        text.add()
        text.wrap(_ALL_LAYERS_WITH_PROBLEMS if explanation["steps"] else "All layers:")
        _add_layers(text, explanation["layers"], cloud.get("account_id") or "")
    return text.lines


class _Text:
    """Lines that are wrapped at a width."""

    def __init__(self, width: int) -> None:
        self.lines: list[str] = []
        self._width = width

    def add(self, line: str = "") -> None:
        """A line as it is."""
        self.lines.append(escape_control_chars(line))

    def wrap(self, text: str, first: str = "") -> None:
        """A text on lines that begin with ``first``, and then with as many spaces."""
        self.lines += textwrap.wrap(
            escape_control_chars(text),
            self._width,
            initial_indent=first,
            subsequent_indent=" " * len(first),
            break_long_words=False,
            break_on_hyphens=False,
        )

    def copyable(self, text: str, indent: str) -> None:
        """A text whose lines stay as they are."""
        for line in text.splitlines():
            self.add(f"{indent}{line}")


def _facts(cloud: Json) -> t.Iterator[tuple[str, str]]:
    """What was looked at, as far as it is known."""
    yield "cloud", _listed(cloud.get("cloud_name"), cloud.get("cloud_id"))
    yield "AWS account", _listed(cloud.get("account_id"), cloud.get("region"))
    role, default = cloud.get("role") or {}, cloud.get("default_role_arn")
    yield "role", role.get("arn", "")
    if role.get("arn") != default:
        yield "default role", default or ""
    for further in cloud.get("further_roles") or ():
        names = ", ".join(further["named_by"])
        yield "further role", f"{further['arn'] or further['name']} ({names})"
    yield "bucket", (cloud.get("bucket") or {}).get("name") or ""
    yield "control plane", cloud.get("control_plane_role_arn") or ""
    configs = cloud.get("compute_configs") or ()
    yield "compute config", _listed(*(f"{one['name']}:{one['version']}" for one in configs))
    rules = sum(len(one.get("rules") or ()) for one in cloud.get("iam_mappings") or ())
    yield "IAM mapping", f"{rules} {'rule' if rules == 1 else 'rules'}" if rules else ""


def _listed(*words: str | None) -> str:
    return ", ".join(filter(None, words))


def _add_steps(text: _Text, explanation: t.Mapping[str, t.Any]) -> None:
    steps, needs = explanation["steps"], explanation["needs"]
    connected = ", ".join(explanation["connected_by"])
    not_repeated = f" It does not repeat how this run connected ({connected})." if connected else ""
    text.add()
    if not steps:
        text.wrap("There is nothing to do.")
        return
    text.wrap(f"What to do ({_counts(steps)}):")
    first_command = next((step["command"] for step in steps if step["command"]), "")
    for number, step in enumerate(steps, 1):
        text.add()
        head = f"  {number}. "
        if step["command"]:
            is_first = step["command"] == first_command
            preview = f" With --check --diff, it shows what it would write.{not_repeated}"
            hint = preview if is_first else ""
            also = f", with the same -e for {', '.join(needs)}" if is_first and needs else ""
            text.wrap(f"Run this command{also}.{hint}", head)
            text.add()
            text.copyable(step["command"], _OF_STEP)
        else:
            is_unknown = all(finding["status"] == UNKNOWN for finding in step["findings"])
            text.wrap(_MUST_BE_KNOWN if is_unknown else _MUST_DECIDE, head)
        text.add()
        _add_findings(text, step["findings"])
        if not step["command"]:
            _add_decision(text, step)


def _counts(steps: t.Sequence[Json]) -> str:
    """What the steps are for, in numbers."""
    statuses = [finding["status"] for step in steps for finding in step["findings"]]
    numbers = {status: statuses.count(status) for status in _NOUNS}
    return ", ".join(
        f"{number} {_NOUNS[status]}{'s' if number > 1 and status != UNKNOWN else ''}"
        for status, number in numbers.items()
        if number
    )


def _add_findings(text: _Text, findings: t.Sequence[Json]) -> None:
    for (status, reason), names in _alike(
        (finding["status"], finding["reason"], finding["id"]) for finding in findings
    ).items():
        text.wrap(f"{', '.join(names)}: {reason}", f"{_OF_STEP}{status:<{_STATUS_WIDTH}}")
    notes: dict[str, list[str]] = {}
    for finding in findings:
        if finding["note"]:
            notes.setdefault(finding["note"], []).append(finding["id"])
    for note, names in notes.items():
        text.wrap(f"On {' and '.join(names)}: {note}", _OF_STEP)


def _add_decision(text: _Text, step: Json) -> None:
    remedy = step["decide"]
    if "\n" in remedy:
        is_authority = step["findings"][0]["id"] == "authority"
        text.wrap(_FOR_THE_FLEET_FILE if is_authority else "The remedy:", _OF_STEP)
        text.add()
        text.copyable(remedy, _OF_STEP)
    elif remedy:
        text.wrap(f"The remedy: {remedy}", _OF_STEP)
    else:
        text.wrap("No remedy is known.", _OF_STEP)


def _add_layers(text: _Text, layers: t.Sequence[Json], account: str) -> None:
    text.add()
    for layer in layers:
        text.add(f"  {layer['title']}")
        for (status, outcome), names in _alike(
            (check["status"], _outcome(check, account), check["id"]) for check in layer["checks"]
        ).items():
            word = _STATUSES.get(status, status)
            text.wrap(f"{', '.join(names)}: {outcome}", f"    {word:<{_STATUS_WIDTH}}")


def _alike(outcomes: t.Iterable[tuple[str, str, str]]) -> dict[tuple[str, str], list[str]]:
    """The IDs of checks by status and outcome."""
    found: dict[tuple[str, str], list[str]] = {}
    for status, outcome, name in outcomes:
        found.setdefault((status, outcome), []).append(name)
    return found


def _outcome(check: Json, account: str) -> str:
    if check["step"]:
        return f"see {check['step']}"
    accepted = check["acknowledged"]
    more = f" Accepted until {accepted['until']}: {accepted['reason']}" if accepted else ""
    # What is in the cloud's account needs no more than its kind and name.
    reason = re.sub(
        _OF_ACCOUNT.format(re.escape(account)), lambda arn: arn[1] or arn[2], check["reason"]
    )
    return f"{reason}{more}"
