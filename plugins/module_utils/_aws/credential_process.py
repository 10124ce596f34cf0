# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ``credential_process`` of a profile, which ends in a bounded time, cannot ask anything, and whose
failure says how it ended. What it prints may be secret and is never shown.

This module util is private to the collection. I/O.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import CredentialsError

SECONDS = 60


class CredentialProcess:
    """A process that runs, with as much of the interface of ``Popen`` as botocore uses. ``popen``
    starts it.
    """

    def __init__(
        self, profile: str, popen: t.Callable[..., t.Any], command: list[str], **pipes: t.Any
    ) -> None:
        self._profile = profile
        try:
            # A session of its own, so that it can be ended with its children.
            self._process = popen(
                command, stdin=subprocess.DEVNULL, start_new_session=True, **pipes
            )
        except OSError as error:
            raise self._error(f"cannot be run: {command[0]}: {error.strerror}") from error

    @property
    def returncode(self) -> int:
        """The exit status."""
        return int(self._process.returncode)

    def communicate(self) -> tuple[bytes, bytes]:
        """What it printed, if it succeeded."""
        try:
            printed: tuple[bytes, bytes] = self._process.communicate(timeout=SECONDS)
        except BaseException as error:
            self._end()
            if isinstance(error, subprocess.TimeoutExpired):
                raise self._error(f"did not end in {SECONDS} s") from error
            raise
        if self.returncode < 0:
            raise self._error(f"was ended by signal {-self.returncode}")
        if self.returncode > 0:
            raise self._error(f"exited with {self.returncode}")
        return printed

    def _end(self) -> None:
        """End it with its children. One that has left its session may hold a pipe for ever."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.communicate(timeout=1)

    def _error(self, what: str) -> CredentialsError:
        return CredentialsError(
            f"The credential_process of profile {self._profile} {what}.",
            f"It has to print credentials without asking for anything. {by_hand(self._profile)}",
            code="CredentialRetrievalError",
        )


def by_hand(profile: str | None) -> str:
    """How to try by hand what a profile, or else the environment, leads to."""
    named = f" --profile {shlex.quote(profile)}" if profile else ""
    return f"Run 'aws sts get-caller-identity{named}' where this runs: it has to work there first."
