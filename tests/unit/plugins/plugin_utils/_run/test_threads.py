# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The threads of a fleet hand their results over in order, and share the memory that they free, where
the C library can be told so.
"""

from __future__ import annotations

import ctypes
import threading
import types
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.threads import for_each


def test_results_are_in_the_order_of_the_items() -> None:
    """Whichever is done first."""
    first_may_end = threading.Event()

    def work(item: str) -> str:
        if item == "first":
            assert first_may_end.wait(20)
        else:
            first_may_end.set()
        return item.upper()

    assert for_each(work, ["first", "second"], threads=2) == ["FIRST", "SECOND"]


def _without_libraries(name: str | None) -> t.NoReturn:
    raise OSError("There is no C library to load.")


def test_two_arenas_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    """M_ARENA_MAX is -8 in the header malloc.h of the GNU C library."""
    told: list[tuple[int, int]] = []
    library = types.SimpleNamespace(mallopt=lambda name, value: told.append((name, value)))
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    for_each(lambda item: None, [1], threads=1)
    assert told == [(-8, 2)]


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(lambda name: types.SimpleNamespace(), id="a C library without mallopt"),
        pytest.param(_without_libraries, id="a Python that cannot load libraries"),
    ],
)
def test_elsewhere_threads_work_as_well(
    monkeypatch: pytest.MonkeyPatch, load: t.Callable[[str | None], t.Any]
) -> None:
    done: list[int] = []
    monkeypatch.setattr(ctypes, "CDLL", load)
    for_each(done.append, [1, 2], threads=1)
    assert done == [1, 2]
