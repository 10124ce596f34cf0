# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The top of the report's page, for the person who decides. Each figure is a link that filters the
clouds.

This plugin util is private to the collection. Pure.
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._survey import answer
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.figures import (
    CAN_START,
    CANNOT_START,
    LACK_ACCESS,
    START_UNKNOWN,
    STARTS,
    Account,
    Problem,
    account_of,
    accounts_of,
    fixes_of,
    needs_attention,
    problems_of,
    start_of,
    starts_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.markup import (
    Html,
    address,
    joined,
    tag,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import (
    CHANGES,
    NOT_PERMITTED,
    STATUSES,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.words import (
    WORDS,
    cells,
    copyable,
    moment,
    number,
    plural,
    table,
)

_START_WORDS = {
    CAN_START: "can",
    LACK_ACCESS: "can, but lack access or the role",
    CANNOT_START: "cannot",
    START_UNKNOWN: "not known",
}
_START_LOOKS = {
    CAN_START: "pass",
    LACK_ACCESS: "warn",
    CANNOT_START: "fail",
    START_UNKNOWN: "unknown",
}
_MOST_PROBLEMS = 8
_ACCOUNT_HEADS = ("Account", "Clouds", "Need attention", "Cannot start", "Findings")

Json = t.Mapping[str, t.Any]


def masthead(report: Json) -> Html:
    """Whose fleet it is, and its state in one sentence."""
    clouds = report["clouds"]
    regions = {(cloud["cloud"] or {}).get("region") for cloud in clouds} - {None, ""}
    accounts = set(map(account_of, clouds)) - {""}
    about = (
        moment(report["generated_at"]),
        plural(len(accounts), "account", "accounts"),
        plural(len(regions), "region", "regions"),
        f"rayfleet.anyscale {report['collection_version']}",
    )
    return tag(
        "header",
        tag("p", *_eyebrow(report), class_="eyebrow"),
        tag("h1", headline(clouds), id="headline"),
        tag("p", "  ·  ".join(about), class_="hint"),
        class_="masthead",
    )


def _eyebrow(report: Json) -> t.Iterator[Html | str]:
    yield "Anyscale fleet audit"
    if report.get("organization"):
        yield "  ·  "
        yield tag("span", report["organization"], class_="organization")


def headline(clouds: t.Sequence[Json]) -> str:
    """The state of the fleet. A cloud without applicable checks needs no attention, but may not be in
    sync.
    """
    needing = sum(map(needs_attention, clouds))
    other = sum(cloud["state"] != "pass" for cloud in clouds)
    all_clouds = plural(len(clouds), "cloud", "clouds")
    if needing:
        return f"{number(needing)} of {all_clouds} {'needs' if needing == 1 else 'need'} attention"
    if other:
        return f"No check applies to {number(other)} of {all_clouds}, and none needs attention"
    passing = "The cloud passes" if len(clouds) == 1 else f"All {all_clouds} pass"
    return f"{passing} all checks that apply"


def overview(report: Json) -> Html:
    """What to decide on: can clusters start, who fixes what, where, and what the problems are."""
    problems = problems_of(report)
    return tag(
        "section",
        _starts(report),
        _fixes(report),
        _changes(report),
        _problems(problems),
        _accounts(accounts_of(report)),
        class_="overview",
        aria_label="Overview",
    )


def _card(title: str, *content: Html | None, kind: str) -> Html:
    return tag("article", tag("h2", title), *content, class_=f"card {kind}-card")


def _hint(text: str) -> Html:
    return tag("p", text, class_="hint")


def _figure(count: int, words: str, look: str, **link: str) -> Html:
    """A number that is a link to what it counts, unless there is nothing."""
    content = joined(tag("b", number(count)), tag("span", words))
    look = look if count else "none"
    if link and count:
        return tag("li", tag("a", content, href=address(**link), class_=f"figure {look}"))
    return tag("li", tag("span", content, class_=f"figure {look}"))


def _bar(parts: t.Mapping[str, int]) -> Html:
    """Shares as a bar. Words say the same, so that it is hidden from screen readers."""
    total, x, drawn = sum(parts.values()), 0.0, []
    for look, count in parts.items():
        if count:
            width = 100 * count / total
            drawn.append(tag("rect", class_=look, x=f"{x:.3f}", width=f"{width:.3f}", height="10"))
            x += width
    box = {"viewBox": "0 0 100 10", "preserveAspectRatio": "none"}
    return tag("svg", *drawn, **box, class_="bar", aria_hidden="true")


def _starts(report: Json) -> Html:
    counts = starts_of(report)
    figures = (
        _figure(counts[start], _START_WORDS[start], _START_LOOKS[start], start=start)
        for start in STARTS
    )
    elsewhere = sum(
        cloud["state"] != NOT_PERMITTED and not start_of(cloud) for cloud in report["clouds"]
    )
    return _card(
        "Can clusters start today?",
        tag("ul", *figures, class_="figures", aria_label="Clouds by whether clusters can start"),
        _bar({_START_LOOKS[start]: counts[start] for start in STARTS}),
        _hint(
            "Clouds, by the checks of what clusters need: the role's trust, the instance profile and what "
            "Anyscale may do to start, then the access to the bucket and the role itself."
            + (f" Not counted: {number(elsewhere)} on Kubernetes." if elsewhere else "")
        ),
        kind="starts",
    )


def _fixes(report: Json) -> Html:
    fixes = fixes_of(report)
    figures = (
        _figure(fixes.by_command, "a command fixes", "accent"),
        _figure(fixes.by_people, "need people", "warn"),
    )
    hint = (
        f"{'All' if fixes.fixed == fixes.by_command else number(fixes.fixed)} of them by this "
        f"{'launch' if report['job_template'] else 'command'}, in "
        f"{plural(len(fixes.clouds), 'cloud', 'clouds')}. "
        + ("" if fixes.names_clouds else "It onboards every cloud of the inventory. ")
        + _preview(report)
    )
    nothing = (
        "No finding has to be fixed." if not fixes.by_people else "No command fixes these findings."
    )
    return _card(
        "Who fixes what",
        tag("ul", *figures, class_="figures", aria_label="Findings by what fixes them"),
        _hint(hint if fixes.command else nothing),
        copyable("Command", fixes.command, "command") if fixes.command else None,
        kind="fixes",
    )


def _preview(report: Json) -> str:
    """How to see what the command would do, and what it lacks."""
    if report["job_template"]:
        return f"Preview it with {answer('fleet_mode', 'check')} and Show changes."
    needs = ", ".join(report.get("commands_need") or ())
    connected = ", ".join(report.get("connected_by") or ())
    also = f", and run it with the same -e for {needs}" if needs else ""
    other = (
        f" It does not repeat how this audit connected ({connected}), which may not be allowed to write."
        if connected
        else ""
    )
    return f"Preview it with --check --diff{also}.{other}"


def _changes(report: Json) -> Html | None:
    previous = report["previous"]
    if not previous:
        return None
    counts = report["totals"]["changes"]
    figures = (_figure(counts[change], WORDS[change], change, change=change) for change in CHANGES)
    return _card(
        "Since the previous audit",
        tag("ul", *figures, class_="figures", aria_label="Findings by change"),
        _hint(f"Compared with the audit at {moment(previous['generated_at'])}"),
        kind="changes",
    )


def _problems(problems: t.Sequence[Problem]) -> Html:
    found = [problem for problem in problems if problem.attention]
    quiet = [problem for problem in problems if not problem.attention]
    rest = found[_MOST_PROBLEMS:]
    return _card(
        "Most frequent problems",
        tag("ul", *map(_problem, found[:_MOST_PROBLEMS]), class_="problems")
        if found
        else _hint("No check needs attention."),
        _folded(plural(len(rest), "more problem", "more problems"), "problems", map(_problem, rest))
        if rest
        else None,
        _folded(
            f"No problem in {plural(len(quiet), 'check', 'checks')}",
            "passing",
            (tag("li", problem.title) for problem in quiet),
        )
        if quiet
        else None,
        kind="problems",
    )


def _folded(words: str, kind: str, items: t.Iterable[Html]) -> Html:
    content = tag("ul", *items, class_=kind)
    return tag("details", tag("summary", words), content, class_="quiet")


def _problem(problem: Problem) -> Html:
    link = tag(
        "a",
        tag("span", problem.title, class_="problem-title"),
        _bar({status: problem.counts[status] for status in STATUSES}),
        tag("b", number(problem.attention)),
        href=address(check=problem.check_id),
        class_="problem",
        title=", ".join(
            f"{number(count)} {WORDS[status]}" for status, count in problem.counts.items() if count
        ),
    )
    return tag("li", link)


def _accounts(accounts: t.Sequence[Account]) -> Html:
    rows = (
        cells(
            tag("a", account.account_id, href=address(account=account.account_id))
            if account.account_id
            else "not known",
            number(account.clouds),
            *(
                number(count) if count else "-"
                for count in (account.attention, account.cannot_start, account.findings)
            ),
        )
        for account in accounts
    )
    made = table(_ACCOUNT_HEADS, rows, class_="plain-table numbers", aria_label="AWS accounts")
    return _card(
        "By AWS account",
        tag("div", made, class_="scroller", tabindex="0", role="group", aria_label="AWS accounts"),
        kind="accounts",
    )
