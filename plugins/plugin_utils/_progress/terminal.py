# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The screen that Ansible writes to: keep one line at its bottom, and escape control characters in
everything that is written.

This plugin util is private to the collection. I/O. All output of Ansible, including that of its
worker processes, goes through one object (``Display``), whose methods are wrapped. Ansible forks
while other threads run, so the only lock that is safe to hold here is the one that Ansible itself
acquires before a fork.
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

from ansible_collections.rayfleet.anyscale.plugins.module_utils._escape import (
    escape_control_chars,
)

_ERASE = "\r\x1b[K"
_USUAL_WIDTH = 80
_PROMPTS = ("prompt", "prompt_until", "do_var_prompt")


class Screen:
    """Wraps a ``Display``. Created once per process, because it wraps the methods that it finds."""

    def __init__(self, display: Display) -> None:
        self._process = os.getpid()
        # Reentrant.
        self.lock = display._lock
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
        """The maximum width of the bottom line: one less than the terminal, so it does not wrap."""
        try:
            return (os.get_terminal_size(sys.stdout.fileno()).columns or _USUAL_WIDTH) - 1
        except OSError:
            return _USUAL_WIDTH - 1

    def draw(self, line: str) -> None:
        """Draw the bottom line, unless a prompt is open or another line is incomplete."""
        with self.lock:
            if line != self._drawn and not (self._open_line or self._prompts or self._closed):
                self._put(_ERASE + line)
                self._drawn = line

    def erase(self) -> None:
        """Erase the bottom line."""
        with self.lock:
            if self._drawn and os.getpid() == self._process:
                self._put(_ERASE)
                self._drawn = ""

    def flush(self) -> None:
        """Flush the output. Without a terminal, Ansible flushes it only at the end of the run."""
        self._put("")

    def _close(self) -> None:
        """Erase the line for the shell, and draw no more even if a ticker is still running."""
        with self.lock:
            self.erase()
            self._closed = True

    def _display(self, msg: str, color: str | None = None, *args: t.Any, **options: t.Any) -> None:
        """Replacement of ``Display.display``."""
        if os.getpid() != self._process:  # a worker, which sends its output to this process
            self._write(msg, color, *args, **options)
            return
        with self.lock:
            self.erase()
            # With ``color``, Ansible colors the text later, so color codes that are already in it
            # do not come from Ansible.
            safe = escape_control_chars(msg, colors=color is None) if isinstance(msg, str) else msg
            self._write(safe, color, *args, **options)
            self._open_line = not options.get("newline", True) and not msg.endswith("\n")

    def _alone(self, prompt: t.Callable[..., t.Any]) -> t.Callable[..., t.Any]:
        """A prompt method during which nothing is drawn."""

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
        with contextlib.suppress(OSError, ValueError):  # the reader has closed the pipe
            sys.stdout.write(text)
            sys.stdout.flush()


class Ticker:
    """Calls a function periodically in its own thread, until it is stopped."""

    def __init__(self, function: t.Callable[[], None], seconds: float) -> None:
        self._function = function
        self._seconds = seconds
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="rayfleet-ticker", daemon=True).start()

    def stop(self) -> None:
        """Make no further call."""
        self._stopped.set()

    def _run(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the reader has closed the pipe
            while not self._stopped.wait(self._seconds):
                self._function()
