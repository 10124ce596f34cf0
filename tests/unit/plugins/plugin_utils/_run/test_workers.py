# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each item has its own guard, and none is begun once the threads are stopped."""

from __future__ import annotations

import contextlib
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.workers import Workers


def test_an_error_is_for_the_guard_of_its_item() -> None:
    done, failed = list[int](), list[int]()

    @contextlib.contextmanager
    def guard(item: int) -> t.Iterator[None]:
        try:
            yield
        except ZeroDivisionError:
            failed.append(item)

    Workers(2).each(lambda item: done.append(1 // item), [1, 0, 1], guard)
    assert (done, failed) == ([1, 1], [0])


def test_nothing_is_begun_once_they_are_stopped() -> None:
    workers, done = Workers(1), list[int]()

    def work(item: int) -> None:
        done.append(item)
        workers.stop()

    workers.each(work, [1, 2], lambda _item: contextlib.nullcontext())
    assert (done, workers.is_stopped) == ([1], True)
