# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The text of a run's progress: the bar, the lines for a cloud, the recap.

This plugin util is private to the collection. Pure. Lines consist of pieces, each with the outcome
that determines its color, if any.
"""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.causes import causes_of
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.events import StageBegan
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.fit import (
    DOTS,
    display_width,
    names_on_a_line,
    on_one_line,
    truncate,
    wrap,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.state import (
    Cloud,
    EngineStage,
    Outcome,
    Progress,
)

Piece = tuple[str, t.Optional[Outcome]]
Line = list[Piece]

_UNKNOWN = "unknown"
# On narrower terminals, a bar would take the room of the numbers.
_MIN_WIDTH_FOR_BAR = 60
_MOST_GROUPS = 20
_MOST_COLUMNS_OF_CAUSE = 2000
_INDENT = " " * 8


def noun(progress: Progress) -> str:
    """The noun for a host: ``clouds`` if any host is known to be a cloud."""
    is_fleet = progress.has_engine or any(cloud.account for cloud in progress.clouds.values())
    return "clouds" if is_fleet else "hosts"


def _number_of(what: str, count: int) -> str:
    return f"1 {what.removesuffix('s')}" if count == 1 else f"{count} {what}"


def bar_line(progress: Progress, what: str, check: bool, width: int, now: float) -> Line:
    """One line of at most this width with the progress of the run."""
    pieces: Line = []
    if width >= _MIN_WIDTH_FOR_BAR:
        room = min(width // 4, 30)
        full = int(progress.share() * room)
        pieces.append((f"[{'#' * full}{'.' * (room - full)}] ", None))
    pieces += _standing(progress, what, check, now)
    return _cut([*pieces, (_doing(progress, now), None)], width)


def heartbeat(progress: Progress, what: str, check: bool, now: float) -> str:
    """The same as a line of a log, if there is no terminal to draw on."""
    standing = "".join(text for text, _outcome in _standing(progress, what, check, now))
    return standing + _doing(progress, now)


def stage_line(stage: StageBegan) -> str:
    """That a stage begins."""
    return f"{stage.name}: {_number_of('clouds', stage.clouds)}"


def stage_heartbeat(progress: Progress, stage: EngineStage, now: float) -> str:
    """The same where only the reports of an engine are known, as a line about its stage."""
    counts = "".join(text for text, _outcome in _counts(progress, check=False))
    return (
        f"{stage.name}: {stage.done} of {_number_of('clouds', stage.clouds)} in {_clock(now - stage.started)}"
        f"{counts}{_left(stage.time_left(now))}"
    )


def changed_line(cloud: Cloud) -> str:
    """The line for a change or a predicted change of a cloud, with its reasons."""
    outcome = cloud.change.value if cloud.change else ""
    return f"{outcome}: {_named(cloud)}: {', '.join(map(on_one_line, cloud.unreported))}"


def failed_line(cloud: Cloud, task: str, message: str, unreachable: bool = False) -> str:
    """The line for a failed task of a cloud, with the whole message."""
    outcome = Outcome.UNREACHABLE if unreachable else Outcome.FAILED
    return f"{outcome.value}: {_named(cloud)}, {on_one_line(task)}: {on_one_line(message)}"


def recap(progress: Progress, what: str, check: bool, width: int) -> list[Line]:
    """The recap of the run: a table by account, the drift, the reasons for changes, the failures, and the
    totals in machine-readable form.
    """
    finished = [cloud for cloud in progress.clouds.values() if cloud.outcome]
    if not finished:
        return []
    findings = _grouped(
        (finding, cloud.name)
        for cloud in finished
        if cloud.outcome is Outcome.DRIFTED
        for finding in cloud.findings
    )
    changed, predicted = (
        _grouped(
            (reason, cloud.name)
            for cloud in finished
            if cloud.change is change
            for reason in cloud.reasons
        )
        for change in (Outcome.CHANGED, Outcome.WOULD_CHANGE)
    )
    failures = causes_of((cloud.name, cloud.message) for cloud in finished if cloud.failure)
    return [
        *_table(finished, what, check),
        *_section("drift", findings, width),
        *_section("reasons for changes", changed, width),
        *_section("reasons for predicted changes", predicted, width),
        *_failures(failures, width),
        *_run_error(progress),
        [("", None)],
        _totals(finished, what, check),
    ]


def _run_error(progress: Progress) -> list[Line]:
    if not progress.run_error:
        return []
    return [[("", None)], [(on_one_line(progress.run_error), Outcome.FAILED)]]


def _standing(progress: Progress, what: str, check: bool, now: float) -> Line:
    """The numbers of clouds done, changed and failed, the elapsed and the remaining time."""
    pieces: Line = [
        (
            (
                f"{progress.done} of {_number_of(what, len(progress.clouds))} done in "
                f"{_clock(progress.elapsed(now))}"
            ),
            None,
        )
    ]
    pieces += _counts(progress, check)
    pieces.append((_left(progress.time_left(now)), None))
    return pieces


def _counts(progress: Progress, check: bool) -> Line:
    # A variable of a playbook may enable check mode as well.
    only_predicted = check or (progress.changed and progress.changed == progress.predicted)
    changed = Outcome.WOULD_CHANGE if only_predicted else Outcome.CHANGED
    pieces: Line = []
    for count, outcome in ((progress.changed, changed), (progress.failed, Outcome.FAILED)):
        pieces += [(", ", None), (f"{count} {outcome.value}", outcome if count else None)]
    return pieces


def _doing(progress: Progress, now: float) -> str:
    """The stage of the engine that is at work, else the task."""
    stage = progress.engine_stage
    if stage:
        left = _left(stage.time_left(now))
        return f" | {stage.name}: {stage.done} of {stage.clouds}{left}"
    return f" | {progress.task}" if progress.task else ""


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f", {_clock(seconds)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _cut(pieces: Line, width: int) -> Line:
    """Pieces cut to a width, with dots at the end if something was cut."""
    pieces = [(on_one_line(text, strip=False), outcome) for text, outcome in pieces]
    if sum(display_width(text) for text, _outcome in pieces) <= width:
        return pieces
    fitting: Line = []
    room = width - len(DOTS)
    for text, outcome in pieces:
        short = truncate(text, max(room, 0), dots="")
        fitting.append((short, outcome))
        room -= display_width(short)
    return [*fitting, (DOTS[: max(width, 0)], None)]


def _named(cloud: Cloud) -> str:
    name = on_one_line(cloud.name)
    return f"{name} (account {cloud.account})" if cloud.account else name


def _table(clouds: t.Sequence[Cloud], what: str, check: bool) -> list[Line]:
    """The number of clouds by account and outcome, with a last row for all accounts."""
    columns = _columns(clouds, check)
    counts: dict[str, collections.Counter[Outcome | None]] = collections.defaultdict(
        collections.Counter
    )
    for cloud in clouds:
        counts[cloud.account][cloud.outcome] += 1
    rows = [
        (account or _UNKNOWN, counts[account])
        for account in sorted(counts, key=lambda account: (not account, account))
    ]
    if len(rows) > 1:
        rows.append(("all", sum(counts.values(), collections.Counter())))
    first = max(len("account"), *(len(account) for account, _count in rows))
    header = f"{'account':{first}}  {what:>6}  " + "  ".join(
        f"{column.value:>7}" for column in columns
    )
    lines: list[Line] = [[(header, None)]]
    for account, count in rows:
        line: Line = [(f"{account:{first}}  {count.total():>6}", None)]
        line += [
            (f"  {count[column]:>{max(len(column.value), 7)}}", column if count[column] else None)
            for column in columns
        ]
        lines.append(line)
    return lines


def _columns(clouds: t.Iterable[Cloud], check: bool) -> list[Outcome]:
    """The outcomes that are always in the table, and any others that occurred."""
    usual = {
        Outcome.IN_SYNC,
        Outcome.WOULD_CHANGE if check else Outcome.CHANGED,
        Outcome.FAILED,
        Outcome.UNREACHABLE,
    }
    found = {cloud.outcome for cloud in clouds}
    return [outcome for outcome in Outcome if outcome in usual | found]


def _grouped(pairs: t.Iterable[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """The names for each text, the most frequent text first."""
    groups: dict[str, list[str]] = {}
    for text, name in pairs:
        groups.setdefault(text, []).append(name)
    return sorted(groups.items(), key=lambda group: (-len(group[1]), group[0]))


def _section(title: str, groups: t.Sequence[tuple[str, list[str]]], width: int) -> list[Line]:
    """Each text with the number and the names of its clouds, as far as they fit on one line."""
    if not groups:
        return []
    lines: list[Line] = [[("", None)], [(f"{title}:", None)]]
    for text, names in groups[:_MOST_GROUPS]:
        # Leave room for names beside a long text.
        head = truncate(on_one_line(text), max(width * 2 // 3, 20))
        line = (
            f"{len(names):>6}  {head}: "
            f"{', '.join(on_one_line(name) for name in names[: width // 2])}"
        )
        lines.append([(truncate(line, width), None)])
    if len(groups) > _MOST_GROUPS:
        lines.append([(f"{_INDENT}and {len(groups) - _MOST_GROUPS} more", None)])
    return lines


def _failures(causes: t.Sequence[tuple[str, list[str]]], width: int) -> list[Line]:
    """Each cause in full, with the number and the names of its clouds: on one line if they fit."""
    lines: list[Line] = []
    for cause, names in causes[:_MOST_GROUPS]:
        text = truncate(on_one_line(cause), _MOST_COLUMNS_OF_CAUSE)
        shown = [on_one_line(name) for name in names]
        told = [f"{text}: {', '.join(shown)}"]
        if display_width(told[0]) > width - len(_INDENT):
            room = width - len(_INDENT)
            told = [*wrap(text, room), truncate(names_on_a_line(shown, room), room)]
        heads = [f"{len(names):>6}  ", *[_INDENT] * (len(told) - 1)]
        lines += [[(head + line, Outcome.FAILED)] for head, line in zip(heads, told, strict=True)]
    if len(causes) > _MOST_GROUPS:
        lines.append([(f"{_INDENT}and {len(causes) - _MOST_GROUPS} more", None)])
    return [[("", None)], [("failures:", None)], *lines] if lines else []


def _totals(clouds: t.Sequence[Cloud], what: str, check: bool) -> Line:
    """One line in the format of Ansible's own recap, which scripts search for ``changed=``."""
    counts = collections.Counter(cloud.outcome for cloud in clouds)
    columns = {*_columns(clouds, check), Outcome.CHANGED}
    numbers = [
        f"{outcome.value.replace(' ', '_')}={counts[outcome]}"
        for outcome in Outcome
        if outcome in columns
    ]
    return [(" ".join([f"{what}={len(clouds)}", *numbers]), None)]
