# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress of a task that works for all clouds in one worker process, while it works.

This plugin util is private to the collection. I/O. The worker writes events into the folder of the
run. The callback ``fleet`` reads them in Ansible's main process, and says so beforehand. Another
callback does not: then the worker itself displays its progress.
"""

from __future__ import annotations

import os
import threading
import time
import typing as t
from pathlib import Path

from ansible import constants as C

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress import text as texts
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.events import (
    CloudDone,
    Event,
    StageBegan,
    decode,
    encode,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.state import Progress
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.terminal import Ticker

_FILE = "progress.jsonl"
_WATCHED = "progress.watched"


def runs_folder() -> Path:
    """The folder with a folder for each run. It belongs to this process and those that it starts,
    and Ansible removes it at the end.
    """
    return Path(C.DEFAULT_LOCAL_TMP) / "rayfleet.anyscale"


class Feed:
    """Writes the events of one run. Used in a worker process, by any of its threads.

    display: displays a line, in a ``color``, as the method ``display`` of Ansible's ``Display`` does.
    heartbeat: the interval, in seconds, between lines with the progress of the stage, if no callback
    reads the events.
    """

    def __init__(
        self,
        folder: str | Path,
        display: t.Callable[..., None],
        clock: t.Callable[[], float] = time.monotonic,
        heartbeat: float = 30,
    ) -> None:
        self._display = display
        self._clock = clock
        self._lock = threading.Lock()
        folder = Path(folder)
        descriptor = os.open(folder / _FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._file: t.TextIO | None = os.fdopen(descriptor, "w", encoding="utf-8")
        self._shown = None if (folder.parent / _WATCHED).exists() else Progress()
        self._ticker = Ticker(self._beat, heartbeat) if self._shown else None

    def __enter__(self) -> Feed:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Display no more."""
        if self._ticker:
            self._ticker.stop()
        with self._lock:
            self._shown = None
            self._close_file()

    def stage(self, name: str, clouds: int, is_shown: bool = False) -> None:
        """A stage begins, such as ``Plan``, for so many clouds. is_shown: also at once, on a line of its
        own, if no callback reads the events.
        """
        event = StageBegan(name, clouds)
        with self._lock:
            self._write(event)
            if self._shown:
                self._shown.begin_stage(event, self._clock())
                if is_shown:
                    self._display(texts.stage_line(event))

    def done(
        self,
        cloud: str,
        account: str,
        outcome: str,
        reasons: t.Sequence[str] = (),
        message: str = "",
    ) -> None:
        """A cloud is through with the stage. outcome: one of ``events.RESULTS``."""
        event = CloudDone(cloud, account, outcome, tuple(reasons), message)
        with self._lock:
            self._write(event)
            if self._shown:
                self._show(self._shown, event)

    def _write(self, event: Event) -> None:
        if not self._file:
            return
        try:
            self._file.write(encode(event) + "\n")
            self._file.flush()
        except OSError as error:  # a full disk must not stop what is being converged
            self._display(f"The progress can no longer be shown: {error}", color=C.COLOR_WARN)
            self._close_file()

    def _close_file(self) -> None:
        file, self._file = self._file, None
        try:
            if file:
                file.close()
        except OSError:  # what could not be written before cannot be written now
            pass

    def _show(self, progress: Progress, event: CloudDone) -> None:
        cloud = progress.report(event)
        if cloud and event.result == "failed":
            stage = progress.engine_stage
            line = texts.failed_line(cloud, stage.name if stage else "", event.message)
            self._display(line, color=C.COLOR_ERROR)
        elif cloud and cloud.unreported:
            self._display(texts.changed_line(cloud), color=C.COLOR_CHANGED)
            cloud.unreported = []

    def _beat(self) -> None:
        with self._lock:
            stage = self._shown and self._shown.engine_stage
            if self._shown and stage:
                self._display(texts.stage_heartbeat(self._shown, stage, self._clock()))


class FeedReader:
    """Reads the events of all runs, each once. Used in Ansible's main process."""

    def __init__(self, runs: Path) -> None:
        self._runs = runs
        self._read: dict[Path, int] = {}

    def announce(self) -> None:
        """Tell workers that are started from now on that their events are read."""
        self._runs.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self._runs / _WATCHED).touch()

    def poll(self) -> list[Event]:
        """The events since the last time."""
        return [
            decode(line)
            for path in sorted(self._runs.glob(f"*/{_FILE}"))
            for line in self._new_lines(path)
        ]

    def _new_lines(self, path: Path) -> list[str]:
        """The new lines of a file. The last one may still be incomplete, and is left."""
        start = self._read.get(path, 0)
        try:
            with path.open("rb") as file:
                file.seek(start)
                whole, line_break, _rest = file.read().rpartition(b"\n")
        except FileNotFoundError:  # the run has removed its folder
            return []
        self._read[path] = start + len(whole) + len(line_break)
        return whole.decode().split("\n") if line_break else []
