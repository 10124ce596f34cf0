# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From the events of a run: the outcome of each cloud, how much is done and how long the rest
will take.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.events import (
    CloudDone,
    StageBegan,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.state import (
    EngineStage,
    Outcome,
    Progress,
)

THREE = {"a": "111111111111", "b": "111111111111", "c": "222222222222"}
TASKS = ["trust", "bucket"]
Event = tuple[t.Any, ...]
BEGIN: Event = ("begin", THREE, TASKS, 0.0)


def _after(*events: Event) -> Progress:
    """A run after these events, each a method with its arguments."""
    progress = Progress()
    for method, *arguments in events:
        getattr(progress, method)(*arguments)
    return progress


def _all_over(task: str, names: str = "abc") -> list[Event]:
    return [("task_finished", name, task) for name in names]


def _engine(stage: str = "Plan", **results: str) -> list[Event]:
    """What an engine reports in one stage: a result for each cloud by name."""
    return [
        ("begin_stage", StageBegan(stage, len(results)), 1.0),
        *(
            ("report", CloudDone(name, "111111111111", result, (f"{name}_differs",), "no"))
            for name, result in results.items()
        ),
    ]


START: Event = ("start_engine",)
END: Event = ("end_engine",)
REPORT: Event = ("begin", {"a": "", "b": ""}, ["report"], 1.0)
IN_SYNC, DRIFTED, UNKNOWN, UNAUDITED, CHANGED, WOULD, FAILED, UNREACHABLE, UNFINISHED, STRAY = (
    Outcome
)
AGAIN: Event = ("begin", {"a": "", "b": "", "c": ""}, ["last"], 1.0)
CONTINUED: Event = ("begin", {"b": "", "c": ""}, TASKS, 1.0)


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param(
            [BEGIN, *_all_over("trust"), ("settle", ())],
            [IN_SYNC, IN_SYNC, IN_SYNC],
            id="nothing changed",
        ),
        pytest.param(
            [BEGIN, ("task_finished", "a", "trust"), ("settle", ())],
            [IN_SYNC, None, None],
            id="no task was for the others",
        ),
        pytest.param(
            [BEGIN, ("change", "a", ["x"]), *_all_over("trust"), ("settle", ())],
            [CHANGED, IN_SYNC, IN_SYNC],
            id="one changed",
        ),
        pytest.param(
            [
                BEGIN,
                ("find", "a", ["trust"]),
                ("find", "b", []),
                *_all_over("trust"),
                ("settle", ()),
            ],
            [DRIFTED, IN_SYNC, IN_SYNC],
            id="one drifted",
        ),
        pytest.param(
            [
                BEGIN,
                ("find", "a", ["trust"], UNKNOWN),
                ("find", "b", [], UNKNOWN),
                *_all_over("trust"),
                ("settle", ()),
            ],
            [DRIFTED, UNKNOWN, IN_SYNC],
            id="one has an unknown check",
        ),
        pytest.param(
            [BEGIN, ("audit_failed", "a"), ("settle", ())],
            [UNAUDITED, None, None],
            id="one could not be audited",
        ),
        pytest.param(
            [BEGIN, ("audit_failed", "a"), ("fail", "a", "no"), ("settle", ("a",))],
            [FAILED, None, None],
            id="not audited, then failed",
        ),
        pytest.param(
            [BEGIN, ("find", "a", ["trust"]), ("fail", "a", "no"), ("settle", ("a",))],
            [FAILED, None, None],
            id="drifted, then failed",
        ),
        pytest.param(
            [BEGIN, ("find", "a", ["trust"]), ("change", "a", ["x"]), ("settle", ())],
            [CHANGED, None, None],
            id="drifted, then changed",
        ),
        pytest.param(
            [BEGIN, ("change", "a", ["x"], True), ("settle", ())],
            [WOULD, None, None],
            id="one would change",
        ),
        pytest.param(
            [BEGIN, ("change", "a", ["x"]), ("change", "a", ["y"], True), ("settle", ())],
            [CHANGED, None, None],
            id="a change is a change",
        ),
        pytest.param(
            [BEGIN, ("fail", "a", "no"), ("settle", ("a",))], [FAILED, None, None], id="one failed"
        ),
        pytest.param(
            [BEGIN, ("fail", "a", "no", True), ("settle", ("a",))],
            [UNREACHABLE, None, None],
            id="one could not be reached",
        ),
        pytest.param(
            [BEGIN, ("change", "a", ["x"]), ("fail", "a", "no"), ("settle", ("a",))],
            [FAILED, None, None],
            id="changed, then failed",
        ),
        pytest.param(
            [BEGIN, *_all_over("trust"), ("fail", "a", "no"), ("settle", ())],
            [IN_SYNC, IN_SYNC, IN_SYNC],
            id="failed, but rescued",
        ),
        pytest.param(
            [BEGIN, *_all_over("trust"), ("stop",), ("settle", ())],
            [UNFINISHED] * 3,
            id="stopped halfway",
        ),
        pytest.param(
            [BEGIN, *_all_over("bucket", "a"), ("fail", "b", "no"), ("stop",), ("settle", ("b",))],
            [IN_SYNC, FAILED, UNFINISHED],
            id="stopped when one was done and one had failed",
        ),
        pytest.param(
            [
                BEGIN,
                ("select", {"b"}),
                ("task_finished", "a", "trust"),
                ("task_finished", "b", "trust"),
                AGAIN,
                ("task_finished", "a", "last"),
                ("settle", ()),
            ],
            [None, IN_SYNC, None],
            id="not chosen, though one task for all is run for it",
        ),
        pytest.param(
            [
                BEGIN,
                ("select", {"b"}),
                AGAIN,
                ("select", {"a", "c"}),
                BEGIN,
                *_all_over("trust"),
                ("settle", ()),
            ],
            [IN_SYNC, None, IN_SYNC],
            id="chosen by the next playbook",
        ),
        pytest.param(
            [BEGIN, ("fail", "a", "no"), AGAIN, ("settle", ("a",))],
            [FAILED, None, None],
            id="failed in an earlier play",
        ),
        pytest.param(
            [
                ("begin", {"a": ""}, TASKS, 0.0),
                ("leave_unpermitted", {"c": "222222222222"}),
                ("task_finished", "a", "trust"),
                ("settle", ()),
            ],
            [IN_SYNC, None, STRAY],
            id="one is not permitted, so that the play is not for it",
        ),
    ],
)
def test_what_each_cloud_counts_as(events: list[Event], expected: list[Outcome | None]) -> None:
    """In the order a, b, c."""
    assert _outcomes(events) == expected


def _outcomes(events: list[Event]) -> list[Outcome | None]:
    progress = _after(*events)
    return [progress.clouds[name].outcome if name in progress.clouds else None for name in "abc"]


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        pytest.param(
            [*_engine(a="in_sync", b="changed", c="failed"), END],
            [IN_SYNC, CHANGED, FAILED],
            id="each is done",
        ),
        pytest.param(
            [*_engine(a="in_sync", b="would_change", c="unknown"), END],
            [IN_SYNC, WOULD, UNKNOWN],
            id="predicted, unknown",
        ),
        pytest.param(
            [*_engine("Audit", a="in_sync", b="drifted", c="failed"), END],
            [IN_SYNC, DRIFTED, UNAUDITED],
            id="an audit",
        ),
        pytest.param(
            [*_engine("Audit", a="not_permitted", b="drifted", c="unknown"), END],
            [STRAY, DRIFTED, UNKNOWN],
            id="an audit looks at what is not permitted",
        ),
        pytest.param(
            [
                *_engine("Audit", b="drifted", c="failed"),
                END,
                ("fail", "b", "x"),
                ("fail", "c", "x"),
            ],
            [UNFINISHED, FAILED, FAILED],
            id="an audit, and the outcome of two is a failure",
        ),
        pytest.param([], [UNFINISHED] * 3, id="the engine ended at once"),
        pytest.param(
            [
                *_engine(a="in_sync", b="pending", c="pending"),
                *_engine("Converge", b="changed"),
                END,
            ],
            [IN_SYNC, CHANGED, UNFINISHED],
            id="the engine stopped before it came to one",
        ),
        pytest.param(
            [
                *_engine("Converge", a="changed", b="changed", c="changed"),
                *_engine("Confirm", a="in_sync", b="pending", c="pending"),
                *_engine("Converge", b="changed", c="failed"),
                END,
            ],
            [CHANGED, CHANGED, FAILED],
            id="two are overwritten, and one of them cannot be restored",
        ),
        pytest.param(
            [
                *_engine(a="in_sync", b="pending", c="deferred"),
                *_engine("Converge", b="changed"),
                END,
                AGAIN,
                *_all_over("last"),
            ],
            [IN_SYNC, CHANGED, None],
            id="left to another run",
        ),
        pytest.param(
            [
                *_engine(a="in_sync", b="pending", c="pending"),
                END,
                CONTINUED,
                ("change", "b", ["x"]),
                *_all_over("bucket", "bc"),
            ],
            [IN_SYNC, CHANGED, IN_SYNC],
            id="two had tasks of their own",
        ),
        pytest.param(
            [*_engine(a="in_sync", b="pending"), END, CONTINUED, ("fail", "b", "no"), ("stop",)],
            [IN_SYNC, FAILED, UNFINISHED],
            id="one had tasks of its own, and failed",
        ),
        pytest.param(
            [
                *_engine(a="in_sync", b="pending", c="pending"),
                *(END, CONTINUED, *_all_over("trust", "bc"), ("stop",)),
                *(AGAIN, *_all_over("last", "bc")),
            ],
            [IN_SYNC, UNFINISHED, UNFINISHED],
            id="two were stopped in the midst of their own tasks, and stand by in the last play",
        ),
        pytest.param(
            [END, AGAIN, *(("task_finished", name, "last", False) for name in "abc")],
            [UNFINISHED] * 3,
            id="all that came to them was skipped",
        ),
        pytest.param(
            [
                *_engine(a="in_sync", b="changed", c="failed"),
                END,
                REPORT,
                ("change", "b", ["b_differs"]),
                *_all_over("report", "b"),
                ("fail", "c", "no"),
            ],
            [IN_SYNC, CHANGED, FAILED],
            id="reported by tasks as well",
        ),
    ],
)
def test_what_each_cloud_of_an_engine_counts_as(
    events: list[Event], expected: list[Outcome | None]
) -> None:
    """In the order a, b, c. For Ansible, those fail that had a task which failed."""
    failed = [event[1] for event in events if event[0] == "fail"]
    assert _outcomes([BEGIN, START, *events, ("settle", failed)]) == expected


def test_a_cloud_that_failed_before_the_engine_started_stays_failed() -> None:
    """The engine does not report it."""
    events = [BEGIN, ("fail", "a", "no"), START, *_engine(b="in_sync"), END, ("settle", ("a",))]
    assert _outcomes(events) == [FAILED, IN_SYNC, UNFINISHED]


def test_what_an_engine_says_of_a_cloud_is_kept() -> None:
    """The message of a failure is whole, the account is known, reasons are reported once."""
    progress = _after(
        BEGIN, START, *_engine(b="changed", c="failed", d="changed"), *_engine(b="changed"), END
    )
    assert progress.clouds["c"].message == "no"
    assert progress.clouds["d"].account == "111111111111"
    assert progress.clouds["b"].unreported == ["b_differs"]


def test_a_cloud_that_was_not_selected_cannot_be_reported() -> None:
    """The engine's count of the stage includes it, since it was told how many there are."""
    progress = _after(BEGIN, ("select", {"b"}), START, *_engine(b="in_sync"))
    assert progress.report(CloudDone("a", "", "changed")) is None
    assert set(progress.clouds) == {"b"}


@pytest.mark.parametrize(
    ("events", "counts"),
    [
        pytest.param([BEGIN], (0, 0, 0), id="at the start"),
        pytest.param([BEGIN, *_all_over("trust")], (0, 0, 0), id="a task of two is over"),
        pytest.param(
            [BEGIN, *_all_over("trust"), *_all_over("bucket", "ab")],
            (2, 0, 0),
            id="two have had their last task",
        ),
        pytest.param(
            [BEGIN, *_all_over("bucket", "a") * 3], (1, 0, 0), id="no cloud is done twice"
        ),
        pytest.param(
            [BEGIN, ("change", "a", ["x"]), ("change", "a", ["y"])],
            (0, 1, 0),
            id="no cloud changes twice",
        ),
        pytest.param(
            [BEGIN, ("fail", "a", "no"), ("fail", "a", "no")], (1, 0, 1), id="no cloud fails twice"
        ),
        pytest.param(
            [BEGIN, ("fail", "a", "no"), ("settle", ())], (3, 0, 0), id="rescued ones did not fail"
        ),
        pytest.param(
            [BEGIN, *_all_over("trust"), ("finish",)],
            (3, 0, 0),
            id="the play is over before its last task",
        ),
        pytest.param(
            [BEGIN, *_all_over("bucket"), AGAIN], (0, 0, 0), id="another play is more work"
        ),
        pytest.param([BEGIN, *_all_over("trust"), START], (0, 0, 0), id="an engine starts"),
        pytest.param(
            [BEGIN, ("fail", "a", "no"), START, *_engine(b="in_sync"), END, START],
            (2, 0, 1),
            id="an engine starts again in the same play, which had failures before",
        ),
        pytest.param(
            [BEGIN, START, *_engine(a="in_sync", b="failed", c="pending")],
            (2, 0, 1),
            id="an engine has looked at all",
        ),
        pytest.param(
            [BEGIN, START, *_engine(b="pending"), *_engine("Converge", b="changed") * 2],
            (1, 1, 0),
            id="an engine has changed one",
        ),
        pytest.param(
            [BEGIN, START, *_engine(a="changed", b="changed"), *_engine("Confirm", b="pending")],
            (1, 2, 0),
            id="one of two is overwritten",
        ),
        pytest.param(
            [
                BEGIN,
                START,
                *_engine(a="in_sync", b="changed", c="failed"),
                END,
                REPORT,
                ("change", "b", ["b_differs"]),
                ("fail", "c", "no"),
                ("finish",),
            ],
            (3, 1, 1),
            id="reported by tasks as well",
        ),
        pytest.param(
            [
                BEGIN,
                START,
                *_engine(a="in_sync", b="pending", c="pending"),
                END,
                CONTINUED,
                *_all_over("trust", "bc"),
            ],
            (1, 0, 0),
            id="two have tasks of their own",
        ),
        pytest.param(
            [
                BEGIN,
                START,
                *_engine(a="in_sync", b="pending", c="pending"),
                END,
                CONTINUED,
                *_all_over("bucket", "bc"),
                AGAIN,
            ],
            (3, 0, 0),
            id="after an engine a later play is no more work",
        ),
    ],
)
def test_the_counters(events: list[Event], counts: tuple[int, int, int]) -> None:
    """How many are done, changed and failed."""
    progress = _after(*events)
    assert (progress.done, progress.changed, progress.failed) == counts


@pytest.mark.parametrize(
    ("events", "share"),
    [
        pytest.param([], 0, id="before the run"),
        pytest.param([BEGIN], 0, id="at the start"),
        pytest.param([BEGIN, *_all_over("trust")], 1 / 2, id="a task of two is over"),
        pytest.param(
            [BEGIN, *_all_over("bucket", "a")],
            1 / 3,
            id="tasks that one did not have are over with a later one",
        ),
        pytest.param([BEGIN, ("fail", "a", "no")], 1 / 3, id="who failed is no more work"),
        pytest.param(
            [BEGIN, ("task_finished", "a", "included")],
            0,
            id="tasks that were not known do not count",
        ),
        pytest.param(
            [("begin", THREE, [], 0.0), ("task_finished", "a", "included")],
            0,
            id="nor where none is known",
        ),
        pytest.param(
            [
                ("begin", THREE, ["x", "y", "z"], 0.0),
                ("task_finished", "a", "y"),
                ("task_finished", "a", "x"),
            ],
            2 / 9,
            id="nothing is undone by an earlier task",
        ),
        pytest.param(
            [BEGIN, ("task_finished", "a", "trust"), START, *_engine(a="in_sync", b="pending")],
            1 / 3,
            id="an engine is done with one",
        ),
        pytest.param(
            [
                BEGIN,
                START,
                *_engine(a="in_sync", b="pending", c="in_sync"),
                END,
                ("begin", {"b": ""}, TASKS, 1.0),
                ("task_finished", "b", "trust"),
            ],
            5 / 6,
            id="tasks of its own for the one that is left",
        ),
        pytest.param(
            [BEGIN, START, *_engine(a="failed", b="pending"), END, CONTINUED, ("fail", "b", "no")],
            2 / 3,
            id="one failed in the engine, and one in a task of its own",
        ),
        pytest.param([BEGIN, *_all_over("bucket"), ("finish",)], 1, id="at the end"),
    ],
)
def test_the_share_of_the_work_that_is_done(events: list[Event], share: float) -> None:
    """Tasks count, so that a bar moves while all clouds take a step together."""
    assert _after(*events).share() == pytest.approx(share)


@pytest.mark.parametrize(
    ("events", "now", "expected"),
    [
        pytest.param([], 9.0, None, id="before the run"),
        pytest.param([BEGIN], 9.0, None, id="nothing is done"),
        pytest.param([BEGIN, *_all_over("trust")], 1.0, None, id="too early"),
        pytest.param([BEGIN, *_all_over("trust")], 10.0, 10.0, id="half is done"),
        pytest.param([BEGIN, *_all_over("bucket", "a")], 10.0, 20.0, id="a third is done"),
        pytest.param(
            [BEGIN, START, *_engine(a="in_sync", b="pending")],
            10.0,
            None,
            id="an engine is at work",
        ),
        pytest.param(
            [
                BEGIN,
                START,
                *_engine(a="in_sync", b="pending", c="pending"),
                END,
                ("begin", {"b": ""}, TASKS, 100.0),
                ("task_finished", "b", "trust"),
            ],
            110.0,
            30.0,
            id="the engine's time does not count",
        ),
        pytest.param(
            [
                *(BEGIN, START, *_engine(a="in_sync", b="pending", c="pending"), END),
                *(("begin", {"b": ""}, TASKS, 100.0), ("task_finished", "b", "trust")),
                ("begin", {"c": ""}, TASKS, 110.0),
            ],
            120.0,
            20.0,
            id="the time of an earlier batch does",
        ),
    ],
)
def test_the_time_left(events: list[Event], now: float, expected: float | None) -> None:
    """At the speed so far."""
    assert _after(*events).time_left(now) == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("done", "now", "expected"),
    [
        pytest.param(0, 9.0, None, id="nothing is done"),
        pytest.param(1, 2.0, None, id="too early"),
        pytest.param(1, 11.0, 30.0, id="a quarter is done"),
        pytest.param(4, 11.0, None, id="all is done"),
        pytest.param(5, 11.0, None, id="more than was expected"),
    ],
)
def test_the_time_left_of_a_stage(done: int, now: float, expected: float | None) -> None:
    """At the speed of this stage, which has nothing to do with the others."""
    assert EngineStage("Plan", 4, 1.0, done).time_left(now) == expected


def test_a_cloud_is_done_after_its_last_task() -> None:
    """Once."""
    progress = _after(BEGIN)
    assert [
        progress.task_finished("a", task) for task in ("trust", "bucket", "bucket", "included")
    ] == [
        False,
        True,
        False,
        False,
    ]


def test_predictions_are_counted_until_they_come_true() -> None:
    """So that a run whose changes are all predictions can be distinguished."""
    progress = _after(
        BEGIN,
        ("change", "a", ["x"], True),
        ("change", "a", ["y"], True),
        ("change", "b", ["x"], True),
    )
    assert (progress.changed, progress.predicted) == (2, 2)
    progress.change("a", ["y"])
    progress.change("a", ["z"], True)
    assert (progress.changed, progress.predicted) == (2, 1)


def test_reasons_are_reported_once() -> None:
    """Those that come after a cloud was reported are reported separately; all of them stay known."""
    progress = _after(BEGIN, ("change", "a", ["x", "y", "x"]))
    assert [(cloud.name, cloud.unreported) for cloud in progress.unreported()] == [
        ("a", ["x", "y"])
    ]
    progress.clouds["a"].unreported = []
    assert progress.unreported() == []
    progress.change("a", ["y", "z"])
    assert [cloud.unreported for cloud in progress.unreported()] == [["z"]]
    assert progress.clouds["a"].reasons == ["x", "y", "z"]


def test_an_account_stays_known() -> None:
    """Also where a later play does not know it."""
    assert _after(BEGIN, AGAIN).clouds["c"].account == "222222222222"


def test_a_host_that_no_play_named_is_counted() -> None:
    """Such as one that was added while the play ran."""
    progress = _after(BEGIN, ("change", "d", ["x"]), ("task_finished", "d", "trust"))
    assert len(progress.clouds) == 4
    assert progress.changed == 1
