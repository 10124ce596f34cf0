# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one call may take: seconds and bytes, however slowly its answer arrives.

This module util is private to the collection. I/O. A time-out of a socket bounds each wait for the
next bytes, not the answer: a server that sends a byte now and then would hold its client for ever.
"""

from __future__ import annotations

import contextlib
import contextvars
import http.client
import io
import time
import typing as t

_MIB = 1024 * 1024


class LimitError(OSError):
    """An answer exceeds a limit. Another attempt would as well."""


class Allowance:
    """What a call may still take, all its attempts together: ``seconds`` from now on, of which at
    most ``silence`` without a byte; and ``size`` bytes for each answer.
    """

    def __init__(
        self,
        seconds: float,
        size: int,
        silence: float,
        clock: t.Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._size = size
        self._silence = silence
        self._clock = clock
        self._ends_at = clock() + seconds

    def seconds_left(self) -> float:
        """The seconds until the end; zero or less after it."""
        return self._ends_at - self._clock()

    def wait(self) -> float:
        """How long to wait for the next bytes. Raises where the time is up."""
        left = self.seconds_left()
        if left <= 0:
            raise LimitError(f"the answer was not complete after {self._seconds:g} s")
        return min(self._silence, left)

    def check_size(self, size: int) -> None:
        """Raise where this many bytes are too many for an answer."""
        if size > self._size:
            raise LimitError(f"the answer is larger than {self._size / _MIB:g} MiB")

    @contextlib.contextmanager
    def applied(self) -> t.Iterator[None]:
        """Apply it to the answers that this thread begins to read within."""
        before = _CURRENT.set(self)
        try:
            yield
        finally:
            _CURRENT.reset(before)


_CURRENT: contextvars.ContextVar[Allowance] = contextvars.ContextVar("allowance")


class BoundedResponse(http.client.HTTPResponse):
    """An answer that is read within the allowance that applies to this thread: the status, the
    headers, the body, and a proxy's answer before them.
    """

    def __init__(self, sock: t.Any, *arguments: t.Any, **options: t.Any) -> None:
        super().__init__(sock, *arguments, **options)
        bounded = _BoundedStream(t.cast(io.BufferedReader, self.fp), sock, _CURRENT.get())
        self.fp: t.Any = io.BufferedReader(bounded)


class _BoundedStream(io.RawIOBase):
    """The bytes that a socket receives. Before each wait its time-out is set anew."""

    def __init__(self, source: io.BufferedReader, sock: t.Any, allowance: Allowance) -> None:
        super().__init__()
        self._source = source
        self._sock = sock
        self._allowance = allowance
        self._received = 0

    def readable(self) -> bool:
        """As a stream that is read from has to answer."""
        return True

    def readinto(self, buffer: t.Any) -> int:
        """Read what is there, or wait for it."""
        self._sock.settimeout(self._allowance.wait())
        try:
            count = self._source.readinto1(buffer)
        except TimeoutError:
            self._allowance.wait()  # raises where it was the end of the allowance
            raise
        self._received += count
        self._allowance.check_size(self._received)
        return count

    def close(self) -> None:
        """Close the socket's file too, or the socket would stay open."""
        self._source.close()
        super().close()
