# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One part of the tests: runs commands in the clean environment, logs all that they print,
remembers which failed.
"""

from __future__ import annotations

import shlex
import subprocess
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT, clean_environment

LINES_OF_A_FAILURE = 40


class Part:
    """A named part with its log. ``live``: print everything as it comes, not only the closing lines
    of each command.
    """

    def __init__(self, name: str, live: bool) -> None:
        self.name = name
        self.live = live
        self.failures: list[str] = []
        self.skipped = ""
        self.output = ""  # of the last command
        self.seconds = 0.0
        self.log_path = CACHE / "logs" / f"{name}.log"
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        self.log_path.write_text("")

    @property
    def outcome(self) -> str:
        """How the part went, in one word."""
        if self.failures:
            return "FAILED"
        return "skipped" if self.skipped else "passed"

    def run(
        self,
        *argv: str,
        cwd: Path = ROOT,
        env: t.Mapping[str, str] | None = None,
        closing: int = 1,
        must_say: str = "",
        never_say: t.Sequence[str] = (),
        must_fail: bool = False,
    ) -> bool:
        """Run a command and return whether it did what it must.

        closing: how many of its last lines are worth showing when all is well.
        must_say, never_say: texts that have to be, or must not be, in its output, whatever the exit
        status.
        must_fail: the exit status has to be another than 0.
        """
        status, lines = self._stream(argv, cwd, clean_environment() if env is None else env)
        output = self.output = "".join(lines)
        good = (
            (status != 0) == must_fail
            and must_say in output
            and not any(text in output for text in never_say)
        )
        if not good:
            self.fail(f"{shlex.join(argv)} (exit status {status})", lines)
        elif must_fail:
            self.say(f"{shlex.join(argv)} failed, as it must")
        elif not self.live:
            self.say(*lines[-closing:] or [f"{argv[0]}: nothing to report"] if closing else ())
        return good

    def say(self, *lines: str) -> None:
        """Print lines for the user, and log them."""
        text = "".join(f"  {line.rstrip()}\n" for line in lines if line.strip())
        print(text, end="", flush=True)
        self._log(text)

    def skip(self, why: str) -> None:
        """Remember why nothing was tested."""
        self.skipped = why
        self.say(f"skipped: {why}")

    def fail(self, what: str, lines: t.Sequence[str] = ()) -> None:
        """Remember a failure and show the end of what led to it."""
        self.failures.append(what)
        self.say(
            *([] if self.live else lines[-LINES_OF_A_FAILURE:]),
            f"FAILED: {what}; the whole log: {self.log_path.relative_to(ROOT)}",
        )

    def _stream(
        self, argv: t.Sequence[str], cwd: Path, env: t.Mapping[str, str]
    ) -> tuple[int, list[str]]:
        """Run to the end with output going to the log as it comes: a hanging command can be watched
        there.
        """
        lines = []
        self._log(f"$ {shlex.join(argv)}\n")
        with subprocess.Popen(
            argv,
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                lines.append(line)
                self._log(line)
                if self.live:
                    print(line, end="", flush=True)
        return process.returncode, lines

    def _log(self, text: str) -> None:
        with self.log_path.open("a", encoding="utf-8") as log:
            log.write(text)
