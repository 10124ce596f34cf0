# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The screen that Ansible writes to: one line stays at its bottom, and whatever is written is
harmless to a terminal.

This plugin util is private to the collection. I/O. All that Ansible prints, also for its worker
processes, goes through one object (``Display``), whose methods are wrapped. Ansible forks while
other threads run, so the only lock that is safe to hold here is the one that it takes itself before
a fork.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import sys
import threading
import typing as t

from ansible.utils.display import Display

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.escape import (
    escape_control_chars,
)

_ERASE = "\r\x1b[K"
_USUAL_WIDTH = 80
_PROMPTS = ("prompt", "prompt_until", "do_var_prompt")


class Screen:
    """What ``display`` writes to. Made once for a process, since it wraps what it finds."""

    def __init__(self, display: Display) -> None:
        self._process = os.getpid()
        self._lock = display._lock
        self._drawn = ""
        self._open_line = False
        self._prompts = 0
        self._closed = False
        self._write = display.display
        display.display = self._display
        for name in _PROMPTS:
            setattr(display, name, self._alone(getattr(display, name)))
        atexit.register(self._close)

    @property
    def width(self) -> int:
        """How wide the bottom line may be: a full line would wrap."""
        try:
            return (os.get_terminal_size(sys.stdout.fileno()).columns or _USUAL_WIDTH) - 1
        except OSError:
            return _USUAL_WIDTH - 1

    def draw(self, line: str) -> None:
        """Let this be the bottom line, unless a person is asked something or another line is not
        complete.
        """
        with self._lock:
            if line != self._drawn and not (self._open_line or self._prompts or self._closed):
                self._put(_ERASE + line)
                self._drawn = line

    def erase(self) -> None:
        """Take the bottom line away."""
        with self._lock:
            if self._drawn and os.getpid() == self._process:
                self._put(_ERASE)
                self._drawn = ""

    def flush(self) -> None:
        """Let what was printed be seen: Ansible itself leaves that to the end of the run where
        there is no terminal.
        """
        self._put("")

    def _close(self) -> None:
        """Leave an empty line to the shell, also while a ticker still ticks."""
        with self._lock:
            self.erase()
            self._closed = True

    def _display(self, msg: str, color: str | None = None, *args: t.Any, **options: t.Any) -> None:
        """Stands in for ``Display.display``."""
        if os.getpid() != self._process:  # a worker, whose texts come to this process
            self._write(msg, color, *args, **options)
            return
        with self._lock:
            self.erase()
            # Ansible colours a text that comes with a colour later on: whatever is in it by now is
            # not Ansible's.
            safe = escape_control_chars(msg, colours=color is None) if isinstance(msg, str) else msg
            self._write(safe, color, *args, **options)
            self._open_line = not options.get("newline", True) and not msg.endswith("\n")

    def _alone(self, prompt: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        """A prompt with nothing drawn while it waits."""

        @functools.wraps(prompt)
        def asked(*args: t.Any, **options: t.Any) -> t.Any:
            if os.getpid() != self._process:
                return prompt(*args, **options)
            self.erase()
            self._prompts += 1
            try:
                return prompt(*args, **options)
            finally:
                self._prompts -= 1

        return asked

    @staticmethod
    def _put(text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads any longer
            sys.stdout.write(text)
            sys.stdout.flush()


class Ticker:
    """Calls a function from time to time, in a thread of its own, until it is stopped."""

    def __init__(self, function: t.Callable[[], None], seconds: float) -> None:
        self._function = function
        self._seconds = seconds
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="rayfleet-ticker", daemon=True).start()

    def stop(self) -> None:
        """Let no further call begin."""
        self._stopped.set()

    def _run(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # nobody reads any longer
            while not self._stopped.wait(self._seconds):
                self._function()
