# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A clock that ``sleep()`` advances at once, for the collection, for botocore and for the sandbox."""

from __future__ import annotations

import threading
import time
import types
import typing as t

import botocore.endpoint
import botocore.retries.bucket
import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import SYSTEM_CLOCK
from ansible_collections.rayfleet.anyscale.tests.sandbox import _compute_templates, _policy_store


class QuickTime:
    """A clock that sleeping advances. ``slept`` are the seconds that were skipped, ``on_pause``
    is called at each pause.
    """

    def __init__(self) -> None:
        self.slept = 0.0
        self.on_pause: t.Callable[[], object] = lambda: None

    def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        self.slept += max(0.0, seconds)
        self.on_pause()

    def monotonic(self) -> float:
        """As ``time.monotonic``."""
        return time.monotonic() + self.slept

    def time(self) -> float:
        """As ``time.time``."""
        return time.time() + self.slept


def pass_quickly(monkeypatch: pytest.MonkeyPatch) -> QuickTime:
    """Put such a clock wherever the collection, botocore and the sandbox's stores read one."""
    clock = QuickTime()
    instead: dict[t.Any, t.Any] = {time.sleep: clock.sleep, time.monotonic: clock.monotonic}

    class Condition(threading.Condition):
        """What botocore's adaptive mode waits with."""

        def wait(self, timeout: float | None = None) -> bool:
            clock.sleep(timeout or 0.0)
            return False

    monkeypatch.setattr(SYSTEM_CLOCK, "now", clock.monotonic)
    monkeypatch.setattr(SYSTEM_CLOCK, "sleep", clock.sleep)
    keywords = t.cast(t.Any, AnyscaleClient.__init__).__kwdefaults__
    for name, value in keywords.items():
        monkeypatch.setitem(keywords, name, instead.get(value, value))
    namespace = types.SimpleNamespace(sleep=clock.sleep, monotonic=clock.monotonic, time=clock.time)
    for module in (botocore.endpoint, botocore.retries.bucket, _compute_templates, _policy_store):
        monkeypatch.setattr(module, "time", namespace)
    monkeypatch.setattr(
        botocore.retries.bucket,
        "threading",
        types.SimpleNamespace(Lock=threading.Lock, Condition=Condition),
    )
    return clock
