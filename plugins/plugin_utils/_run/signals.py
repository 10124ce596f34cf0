# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Let a worker process finish what it is writing before a signal ends it.

This plugin util is private to the collection. Ansible passes SIGINT and SIGTERM on to its workers,
which end at once.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import typing as t

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_FINISH_SECONDS = 10.0
_END = b"\0"  # no signal has this number


@contextlib.contextmanager
def finishing_on_signals(
    stop: t.Callable[[], None], seconds: float = _FINISH_SECONDS
) -> t.Iterator[None]:
    """At the first signal, call ``stop`` from a thread, and wait for the work in the block to end,
    but not longer than these seconds. Then the signal does what it did before.
    """
    received: list[int] = []
    finished = threading.Event()
    previous = {number: signal.getsignal(number) for number in _SIGNALS}

    def watch(reader: int) -> None:
        while (number := os.read(reader, 1)) != _END:
            if number[0] in _SIGNALS:
                stop()
                if not finished.wait(seconds):
                    os.kill(os.getpid(), signal.SIGKILL)
                return

    for number in _SIGNALS:
        signal.signal(number, lambda number, _frame: received.append(number))
    try:
        with _watched_signals(watch):
            try:
                yield
            finally:
                finished.set()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
        if received:
            os.kill(os.getpid(), received[0])


@contextlib.contextmanager
def _watched_signals(watch: t.Callable[[int], None]) -> t.Iterator[None]:
    """Write the numbers of signals to a pipe, which a thread watches until the end.

    A handler of Python runs in the main thread, which does not wake up from waiting for a thread if
    the system delivers the signal to another one.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    watcher = threading.Thread(target=watch, args=[reader], daemon=True)
    watcher.start()
    earlier = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier)
        os.write(writer, _END)
        watcher.join()
        os.close(reader)
        os.close(writer)
