# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Appends each task's result to the file RESULTS_LOG as a line of JSON: host, action, result, name
of the task. For the tests alone.
"""

from __future__ import annotations

import json
import os
import typing as t

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = r"""
name: results_log
type: notification
short_description: Log task results for the tests
description: Appends each task's result to the file RESULTS_LOG as a line of JSON.
"""


class CallbackModule(CallbackBase):
    """A callback that keeps what the screen does not show."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "results_log"
    CALLBACK_NEEDS_ENABLED = True

    def _log(self, result: t.Any, failed: bool = False) -> None:
        host = result._host.get_name()
        action = result._task.resolved_action or result._task.action
        line = json.dumps(
            [host, action, {**result._result, "failed": failed}, result._task.name], default=str
        )
        with open(os.environ["RESULTS_LOG"], "a", encoding="utf-8") as log:
            log.write(line + "\n")

    def v2_runner_on_ok(self, result: t.Any, **_kwargs: t.Any) -> None:
        """Log a task that did what it was to do."""
        self._log(result)

    def v2_runner_on_failed(self, result: t.Any, **_kwargs: t.Any) -> None:
        """Log a task that failed, also where that is ignored."""
        self._log(result, failed=True)

    def v2_runner_on_unreachable(self, result: t.Any, **_kwargs: t.Any) -> None:
        """Log a host that could not be reached."""
        self._log(result, failed=True)
