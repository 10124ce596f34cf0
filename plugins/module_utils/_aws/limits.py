# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many calls a run has in flight in one AWS account, and fewer while AWS throttles them.

This module util is private to the collection. It makes no call. AWS throttles per account, so that
threads which each only slow themselves down would go on throttling one another, and other users of
the account.
"""

from __future__ import annotations

import contextlib
import threading
import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import is_throttling

MAX_CALLS = 8
MAX_IAM_WRITES = 4

# Calls that are in flight together are throttled together, which is one reason to slow down.
_HALVING_SECONDS = 1.0
# How long it takes from no call at all to all of them.
_RECOVERY_SECONDS = 60.0


class AccountLimits:
    """The limits of one account, for all threads of a run."""

    def __init__(
        self,
        calls: int = MAX_CALLS,
        iam_writes: int = MAX_IAM_WRITES,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_calls = calls
        self._max_iam_writes = iam_writes
        self._clock = clock
        self._finished = threading.Condition()
        self._calls = 0
        self._iam_writes = 0
        self._urgent_waiting = 0
        # The share of the calls that was allowed when AWS last throttled, and when that was.
        self._share = 1.0
        self._throttled_at: float | None = None

    @contextlib.contextmanager
    def in_flight(self, is_iam_write: bool, is_urgent: bool = False) -> t.Iterator[None]:
        """Wait until another call may be made, and count it while it is made.

        is_urgent: the call comes before all that are not. Of a document that was read just now, a
        write that waits behind other reads would find it outdated again and again.
        """
        with self._finished:
            self._urgent_waiting += is_urgent
            try:
                self._finished.wait_for(lambda: self._is_next(is_iam_write, is_urgent))
                self._calls += 1
                self._iam_writes += is_iam_write
            finally:
                if is_urgent:
                    self._urgent_waiting -= 1
                    # Others wait for it, though there may be room for them.
                    self._finished.notify_all()
        try:
            yield
        finally:
            with self._finished:
                self._calls -= 1
                self._iam_writes -= is_iam_write
                # All of them, because the first one may wait for room for an IAM write.
                self._finished.notify_all()

    def notice_answer(
        self,
        parsed_response: t.Mapping[str, t.Any] | None = None,
        **_event: t.Any,
    ) -> None:
        """Allow half as many calls if an answer is about throttling: a handler for botocore's event
        ``response-received``, which comes with every answer, also with those that botocore retries.
        """
        answer = parsed_response or {}
        status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if "Error" in answer and is_throttling(str(answer["Error"].get("Code")), status):
            self.slow_down()

    def slow_down(self) -> None:
        """Allow half as many calls, at least one; the rest again little by little."""
        with self._finished:
            now = self._clock()
            if self._throttled_at is None or now - self._throttled_at >= _HALVING_SECONDS:
                self._share = max(self._share_at(now) / 2, 1 / self._max_calls)
                self._throttled_at = now

    def _is_next(self, is_iam_write: bool, is_urgent: bool) -> bool:
        return self._has_room(is_iam_write) and (is_urgent or not self._urgent_waiting)

    def _has_room(self, is_iam_write: bool) -> bool:
        share = self._share_at(self._clock())
        return self._calls < max(1, int(self._max_calls * share)) and (
            not is_iam_write or self._iam_writes < max(1, int(self._max_iam_writes * share))
        )

    def _share_at(self, now: float) -> float:
        if self._throttled_at is None:
            return 1.0
        return min(1.0, self._share + (now - self._throttled_at) / _RECOVERY_SECONDS)
