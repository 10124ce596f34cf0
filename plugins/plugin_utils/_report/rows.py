# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cloud on the report's page: a row that opens to what is wrong, how to fix it, and the evidence.

This plugin util is private to the collection. Pure. What needs no attention is data, of which the
page's script makes elements when a row is opened, since it is most of a fleet.
"""

from __future__ import annotations

import difflib
import functools
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    after_command,
    counting,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.figures import (
    account_of,
    findings_in,
    start_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.markup import (
    Child,
    Html,
    address,
    joined,
    tag,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.words import (
    badge,
    cells,
    copyable,
    number,
    pill,
    plural,
    sign,
    table,
)

_TITLES_IN_ROW = 2
# A sentence is for people. Any other remedy is a document or a command, which can be copied.
_SENTENCE = re.compile(r"[A-Z][a-z]* [^\n]*")
_RUNNING_CHECKS = {
    "launches_use_the_config": "launches",
    "instances_run_with_the_role": "instances",
}
_MOST_RUNNING = 300
_RUNNING_HEADS = ("Cloud", "What", "State", "Compute config", "Runs with", "Why")

Json = t.Mapping[str, t.Any]


def cloud_row(cloud: Json) -> Html:
    """The whole row of a cloud."""
    facts = cloud["cloud"] or {}
    found = findings_in(cloud)
    searched = (
        facts.get("cloud_name"),
        facts.get("default_role_arn"),
        (facts.get("role") or {}).get("arn"),
        (facts.get("bucket") or {}).get("name"),
    )
    return tag(
        "details",
        _summary(cloud, facts, found),
        tag("div", *_body(cloud, found), class_="body"),
        class_="cloud",
        data_name=cloud["name"],
        data_state=cloud["state"],
        data_account=account_of(cloud),
        data_region=facts.get("region") or "",
        data_start=start_of(cloud),
        data_marks=" ".join(_marks(cloud, found)),
        data_search=" ".join(dict.fromkeys(str(text) for text in searched if text)),
    )


def _marks(cloud: Json, found: t.Sequence[Json]) -> t.Iterator[str]:
    """What the filters of checks and changes look for: the ids of findings, and ids with changes."""
    yield from (check["id"] for check in found)
    yield from (f"{check['id']}:{check['change']}" for check in cloud["checks"] if check["change"])


def _summary(cloud: Json, facts: Json, found: t.Sequence[Json]) -> Html:
    cloud_id = facts.get("cloud_id")
    return tag(
        "summary",
        pill(cloud["state"]),
        tag(
            "span",
            tag("h3", cloud["name"], class_="cloud-name"),
            tag("small", cloud_id) if cloud_id and cloud_id != cloud["name"] else None,
            class_="who",
        ),
        tag("span", account_of(cloud) or "-", class_="where"),
        tag("span", facts.get("region") or "-", class_="where"),
        tag("span", *_in_short(cloud, found), class_="what"),
    )


def _in_short(cloud: Json, found: t.Sequence[Json]) -> t.Iterator[Child]:
    if cloud["state"] == "error":
        yield tag("span", cloud["error"], class_="error-text")
        return
    for check in found[:_TITLES_IN_ROW]:
        yield tag("span", sign(check["status"]), check["title"], class_="title")
    more = len(found) - _TITLES_IN_ROW
    rest = [plural(more, "more finding", "more findings")] if more > 0 else []
    rest += _without_findings(cloud["checks"])
    changes = [check["change"] for check in cloud["checks"]]
    badges = (badge(one, changes.count(one)) for one in ("new", "fixed") if one in changes)
    yield tag("span", ", ".join(rest), *badges, class_="rest")


def _without_findings(checks: t.Sequence[Json]) -> t.Iterator[str]:
    """How many checks are no findings, in words: that they pass is not said of others."""
    statuses = [check["status"] for check in counting(checks)]
    elsewhere, accepted = statuses.count("not_applicable"), len(checks) - len(statuses)
    yield f"{plural(statuses.count('pass'), 'check', 'checks')} passed"
    if elsewhere:
        yield plural(elsewhere, "does not apply", "do not apply")
    if accepted:
        yield f"{number(accepted)} acknowledged"


def _body(cloud: Json, found: t.Sequence[Json]) -> t.Iterator[Html]:
    if cloud["state"] == "error":
        words = "The cloud could not be audited."
        yield tag("p", words, class_="reason")
        yield tag("pre", cloud["error"], class_="error", tabindex="0")
    yield from (_finding(cloud["name"], check) for check in found)


def _finding(name: str, check: Json) -> Html:
    link = tag("a", "Link", href=address(cloud=name, finding=check["id"]), class_="link")
    command = check.get("command") or ""
    remedy = check.get("remedy") or ""
    remedy = after_command(remedy, command) if command else remedy
    is_sentence = bool(_SENTENCE.fullmatch(remedy))
    return tag(
        "article",
        tag(
            "div",
            pill(check["status"]),
            tag("h4", check["title"]),
            badge(check["change"]),
            tag("code", check["id"], class_="check-id"),
            link,
            class_="verdict",
        ),
        tag("p", check["reason"], class_="reason"),
        copyable("Command", command, "command") if command else None,
        tag("p", remedy, class_="remedy") if is_sentence else None,
        copyable("Remedy", remedy, "remedy") if remedy and not is_sentence else None,
        _evidence(check.get("evidence") or {}),
        class_="finding",
        data_check=check["id"],
    )


def _evidence(found: Json) -> Html | None:
    """The data that a finding is based on: the difference between two documents, then the rest."""
    if not found:
        return None
    has_documents = "before" in found or "after" in found
    documents = (
        (
            tag("p", tag("del", "Live"), " ", tag("ins", "After converging"), class_="hint"),
            tag(
                "pre",
                difference(found.get("before"), found.get("after")),
                class_="diff",
                tabindex="0",
            ),
        )
        if has_documents
        else ()
    )
    others = [item for item in found.items() if item[0] not in ("before", "after")]
    facts = tag("dl", *map(_fact, others), class_="facts") if others else None
    return tag("details", tag("summary", "Evidence"), *documents, facts, class_="evidence")


def _fact(item: tuple[str, t.Any]) -> Html:
    name, value = item
    if value is None or value == [] or value == {}:
        shown = tag("code", "none")
    elif isinstance(value, (dict, list)):
        shown = tag("pre", _json.dumps(value, indent=2, ensure_ascii=False), tabindex="0")
    else:
        shown = tag("code", str(value))
    return joined(tag("dt", str(name).replace("_", " ")), tag("dd", shown))


def difference(before: t.Any, after: t.Any) -> Html:
    """Two documents as one, with the lines marked that are removed and added."""
    return _difference(_lines(before), _lines(after))


def _lines(document: t.Any) -> tuple[str, ...]:
    if document is None:
        return ()
    return tuple(_json.dumps(document, indent=2, ensure_ascii=False).split("\n"))


@functools.lru_cache(maxsize=256)
def _difference(before: tuple[str, ...], after: tuple[str, ...]) -> Html:
    """Cached, because hundreds of clouds can share a bucket."""
    parts: list[Html] = []
    for kind, i, i_end, j, j_end in difflib.SequenceMatcher(None, before, after).get_opcodes():
        if kind == "equal":
            parts.append(joined("".join(f"  {line}\n" for line in before[i:i_end])))
        if kind in ("delete", "replace"):
            parts.append(tag("del", "".join(f"- {line}\n" for line in before[i:i_end])))
        if kind in ("insert", "replace"):
            parts.append(tag("ins", "".join(f"+ {line}\n" for line in after[j:j_end])))
    return joined(*parts)


def running(clouds: t.Iterable[Json]) -> Html | None:
    """What still runs with another role, or may, in all clouds: from the evidence of the checks of
    launches. There is nothing where these checks were not made.
    """
    made = [
        (cloud["name"], check, key)
        for cloud in clouds
        for check in cloud["checks"]
        if (key := _RUNNING_CHECKS.get(check["id"]))
    ]
    if not made:
        return None
    rows = [
        _running_row(name, check["id"], one)
        for name, check, key in made
        for one in (check.get("evidence") or {}).get(key) or ()
    ]
    more = f", of which {_MOST_RUNNING} are shown; report.json has more"
    count = plural(len(rows), "entry", "entries") + (more if len(rows) > _MOST_RUNNING else "")
    return tag(
        "section",
        tag("h2", "What still runs with another role", id="running-title"),
        tag("p", count if rows else "Nothing that is known", class_="hint"),
        tag("div", table(_RUNNING_HEADS, rows[:_MOST_RUNNING], class_="plain-table"), class_="wide")
        if rows
        else None,
        class_="card running",
        id="running",
        aria_labelledby="running-title",
    )


def _running_row(name: str, check_id: str, one: Json) -> Html:
    config = one.get("compute_config") or {}
    return cells(
        tag("a", name, href=address(cloud=name, finding=check_id)),
        f"{one['kind']} {one.get('name') or one['id']}",
        str(one["state"]),
        f"{config['name']}:{config['version']}" if config.get("name") else "",
        ", ".join(one["instance_profiles"]),
        one["reason"],
    )
