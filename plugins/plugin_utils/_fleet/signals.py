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


@contextlib.contextmanager
def finishing_on_signals(
    stop: t.Callable[[], None], seconds: float = _FINISH_SECONDS
) -> t.Iterator[None]:
    """At the first signal, call ``stop``, and wait for the work in the block to end, but not longer
    than these seconds. Then the signal does what it did before.
    """
    received: list[int] = []
    previous = {number: signal.getsignal(number) for number in _SIGNALS}

    def give_up() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True

    def handle(number: int, _frame: t.Any) -> None:
        received.append(number)  # first: another signal may come while this one is handled
        if len(received) == 1:
            stop()
            timer.start()

    for number in _SIGNALS:
        signal.signal(number, handle)
    try:
        yield
    finally:
        timer.cancel()
        for number, handler in previous.items():
            signal.signal(number, handler)
        if received:
            os.kill(os.getpid(), received[0])
