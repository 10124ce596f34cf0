# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The controls that filter and sort the clouds of the report's page.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.figures import (
    CAN_START,
    CANNOT_START,
    LACK_ACCESS,
    START_UNKNOWN,
    account_of,
    problems_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.markup import Html, tag
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import CHANGES, STATES
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.words import (
    WORDS,
    number,
    sign,
)

_STARTS = (
    (CAN_START, "Can start"),
    (LACK_ACCESS, "Can, but lack access or the role"),
    (CANNOT_START, "Cannot start"),
    (START_UNKNOWN, "Not known"),
)
_ORDERS = (("name", "Name"), ("account", "Account"), ("region", "Region"))
_PLACEHOLDER = "Cloud, role, bucket, reason ( / )"

Json = t.Mapping[str, t.Any]
Choices = t.Iterable[tuple[str, str]]


def filters(report: Json) -> Html:
    """The whole form. It is no use without the page's script, which shows it."""
    clouds = report["clouds"]
    regions = {str((cloud["cloud"] or {}).get("region") or "") for cloud in clouds}
    search = tag(
        "input",
        id="text",
        type="search",
        autocomplete="off",
        spellcheck="false",
        placeholder=_PLACEHOLDER,
        aria_keyshortcuts="/",
    )
    problems = [(one.check_id, one.title) for one in problems_of(report) if one.attention]
    return tag(
        "form",
        tag("label", tag("span", "Search"), search, class_="search"),
        _select("account", "Account", "All", _same(map(account_of, clouds))),
        _select("region", "Region", "All", _same(regions)),
        _select("check", "Needs attention because of", "Any check", problems),
        _select(
            "change",
            "Change",
            "Any",
            [(change, WORDS[change]) for change in CHANGES],
            disabled=not report["previous"],
        ),
        _select("start", "Clusters", "Any", _STARTS),
        _select("order", "Sort by", "Worst first", _ORDERS),
        _states(report["totals"]["clouds"]),
        tag("button", "Reset", id="reset", type="reset", class_="plain"),
        id="filters",
        class_="filters live",
        role="search",
        aria_label="Filter the clouds",
    )


def _same(values: t.Iterable[str]) -> list[tuple[str, str]]:
    return [(value, value) for value in sorted(set(values) - {""})]


def _select(name: str, label: str, any_words: str, choices: Choices, **more: t.Any) -> Html:
    options = (tag("option", words, value=value) for value, words in (("", any_words), *choices))
    return tag("label", tag("span", label), tag("select", *options, id=name, **more))


def _states(counts: t.Mapping[str, int]) -> Html:
    chips = (
        tag(
            "button",
            sign(state),
            WORDS[state],
            tag("b", number(counts[state])),
            type="button",
            class_="chip",
            data_chip=state,
            aria_pressed="false",
        )
        for state in STATES
        if counts[state]
    )
    return tag("fieldset", tag("legend", "State"), *chips, id="states", class_="chips")
