# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each event of a worker is read once, and is displayed by the worker or by the reader, never by
both.
"""

from __future__ import annotations

import stat
import threading
import time
import typing as t
from pathlib import Path

import pytest
from ansible import constants as C

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.events import (
    CloudDone,
    Event,
    StageBegan,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import (
    Feed,
    FeedReader,
    runs_folder,
)

Shown = list[tuple[str, t.Optional[str]]]
FILE = "progress.jsonl"


@pytest.fixture
def shown() -> Shown:
    """What the worker displayed, with the colors."""
    return []


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run, among those of other runs."""
    folder = tmp_path / "runs/one"
    folder.mkdir(parents=True)
    return folder


def _feed(run: Path, shown: Shown, **options: t.Any) -> Feed:
    return Feed(str(run), lambda msg, color=None: shown.append((msg, color)), **options)


def test_events_are_read_once(run: Path, shown: Shown) -> None:
    """In their order, as soon as they are written."""
    reader = FeedReader(run.parent)
    with _feed(run, shown) as feed:
        feed.stage("Plan", 2)
        feed.done("a", "111111111111", "in_sync")
        assert reader.poll() == [StageBegan("Plan", 2), CloudDone("a", "111111111111", "in_sync")]
        assert reader.poll() == []
        feed.done("b", "", "failed", ["x"], "It failed.")
        assert reader.poll() == [CloudDone("b", "", "failed", ("x",), "It failed.")]
    assert reader.poll() == []


def test_an_incomplete_line_is_left_until_it_is_complete(run: Path) -> None:
    reader = FeedReader(run.parent)
    line = '{"event": "stage", "name": "Plan", "clouds": 1}\n'
    for part in (line + line[:9], line[9:20]):
        with (run / FILE).open("a") as file:
            file.write(part)
    assert reader.poll() == [StageBegan("Plan", 1)]
    assert reader.poll() == []
    with (run / FILE).open("a") as file:
        file.write(line[20:])
    assert reader.poll() == [StageBegan("Plan", 1)]


def test_a_reader_may_come_before_and_stay_after_the_run(tmp_path: Path, shown: Shown) -> None:
    """Folders come and go, also that of all runs."""
    runs = tmp_path / "runs"
    reader = FeedReader(runs)
    assert reader.poll() == []
    (runs / "one").mkdir(parents=True)
    assert reader.poll() == []
    with _feed(runs / "one", shown) as feed:
        feed.stage("Plan", 1)
    (runs / "two").mkdir()
    with _feed(runs / "two", shown) as feed:
        feed.stage("Audit", 1)
    assert reader.poll() == [StageBegan("Plan", 1), StageBegan("Audit", 1)]
    (runs / "one" / FILE).unlink()
    assert reader.poll() == []


def test_a_second_feed_of_a_run_continues_the_first(run: Path, shown: Shown) -> None:
    """Such as that of the next batch."""
    for name in ("Plan", "Converge"):
        with _feed(run, shown) as feed:
            feed.stage(name, 1)
    assert FeedReader(run.parent).poll() == [StageBegan("Plan", 1), StageBegan("Converge", 1)]


def test_lines_of_many_threads_stay_whole(run: Path, shown: Shown) -> None:
    names = [f"cloud-{number}" for number in range(8)]
    with _feed(run, shown) as feed:
        threads = [
            threading.Thread(
                target=lambda name=name: [
                    feed.done(name, "", "failed", (), "long " * 3000) for _time in range(20)
                ]
            )
            for name in names
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    events = FeedReader(run.parent).poll()
    assert sorted(_cloud(event) for event in events) == sorted(names * 20)
    assert len(shown) == 160


def _cloud(event: Event) -> str:
    assert isinstance(event, CloudDone)
    return event.cloud


def test_only_the_user_may_read_events(run: Path, shown: Shown) -> None:
    """They contain the names and accounts of clouds."""
    FeedReader(run.parent).announce()
    with _feed(run, shown):
        assert stat.S_IMODE((run / FILE).stat().st_mode) == 0o600


def test_a_worker_displays_changes_and_failures_alone(run: Path, shown: Shown) -> None:
    """With the whole message, escaped, and nothing for a cloud in sync; of the stages, those that are to
    be shown.
    """
    with _feed(run, shown) as feed:
        feed.stage("Plan", 4)
        feed.done("a", "111111111111", "in_sync")
        feed.done("b", "111111111111", "pending")
        feed.done("c", "", "would_change", ["x", "y"])
        feed.done("d", "", "failed", (), f"It failed.\n\x1b[2J {'long ' * 100}end")
        feed.stage("Converge", 1, is_shown=True)
        feed.done("b", "111111111111", "changed", ["x"])
        feed.done("b", "111111111111", "changed", ["x"])
    assert shown == [
        ("would change: c: x, y", C.COLOR_CHANGED),
        (f"failed: d, Plan: It failed. \\x1b[2J {'long ' * 100}end", C.COLOR_ERROR),
        ("Converge: 1 cloud", None),
        ("changed: b (account 111111111111): x", C.COLOR_CHANGED),
    ]


def test_a_worker_displays_nothing_if_its_events_are_read(run: Path, shown: Shown) -> None:
    """Neither lines nor a heartbeat."""
    FeedReader(run.parent).announce()
    with _feed(run, shown, heartbeat=0.01) as feed:
        feed.stage("Converge", 2, is_shown=True)
        feed.done("a", "", "changed", ["x"])
        feed.done("b", "", "failed", (), "no")
        time.sleep(0.1)
    assert shown == []


def test_a_worker_has_a_heartbeat(run: Path, shown: Shown) -> None:
    """Until it is closed, also while no cloud is done."""
    now, threads = [0.0], threading.active_count()
    with _feed(run, shown, clock=lambda: now[0], heartbeat=0.05) as feed:
        time.sleep(0.12)
        assert shown == [], "no stage has begun"
        feed.stage("Plan", 4)
        feed.done("a", "", "in_sync")
        now[0] = 10.0
        time.sleep(0.2)
    count = len(shown)
    assert count >= 2
    assert set(shown) == {
        ("Plan: 1 of 4 clouds in 0:10, 0 changed, 0 failed, 0:30 left", None),
    }
    feed._beat()  # which may just have begun
    assert len(shown) == count
    deadline = time.monotonic() + 5
    while threading.active_count() > threads and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() == threads


def test_a_full_disk_does_not_stop_the_work(run: Path, shown: Shown) -> None:
    """It is said once that nothing more is seen of it."""
    (run / FILE).symlink_to("/dev/full")
    FeedReader(run.parent).announce()
    with _feed(run, shown) as feed:
        feed.stage("Plan", 1)
        feed.done("a", "", "in_sync")
    ((line, color),) = shown
    assert line.startswith("The progress can no longer be shown: ")
    assert "No space left on device" in line
    assert color == C.COLOR_WARN


def test_the_folder_of_all_runs_is_ansibles_temporary_one() -> None:
    """Which Ansible creates for its main process alone, and removes."""
    assert runs_folder() == Path(C.DEFAULT_LOCAL_TMP) / "rayfleet.anyscale"


def test_a_reader_creates_the_folder_of_all_runs(tmp_path: Path) -> None:
    """Which the user alone can look into; a second time it is there."""
    for _time in range(2):
        FeedReader(tmp_path / "runs").announce()
    assert stat.S_IMODE((tmp_path / "runs").stat().st_mode) == 0o700
