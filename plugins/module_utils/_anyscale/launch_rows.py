# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rows in which the control plane lists launches, and what is kept of them.

This module util is private to the collection. Pure. Paths, query parameters, page sizes, states and
keys are those of ``client/openapi_client`` in Anyscale's Python package 0.26.112
(``api/default_api.py``, and the models that are named below). Rows also have tokens and private
keys, so that only what is listed here is kept of them.
"""

from __future__ import annotations

import dataclasses
import typing as t

JsonObject = dict[str, t.Any]
Malformed = t.Callable[[str], Exception]

# SessionState (session_state.py), without Stopped and Terminated.
_CLUSTER_STATES = (
    "StartingUp",
    "StartupErrored",
    "Running",
    "Updating",
    "UpdatingErrored",
    "Stopping",
    "Terminating",
    "AwaitingStartup",
    "AwaitingFileMounts",
    "TerminatingErrored",
    "StoppingErrored",
)
# ServiceEventCurrentState (service_event_current_state.py), without TERMINATED.
_SERVICE_STATES = (
    "RUNNING",
    "UNHEALTHY",
    "SYSTEM_FAILURE",
    "USER_ERROR_FAILURE",
    "STARTING",
    "TERMINATING",
    "UPDATING",
    "ROLLING_OUT",
    "ROLLING_BACK",
)
# HaJobStates (ha_job_states.py), without SUCCESS, TERMINATED and OUT_OF_RETRIES.
_JOB_STATES = (
    "PENDING",
    "AWAITING_CLUSTER_START",
    "UPDATING",
    "RUNNING",
    "ERRORED",
    "CLEANING_UP",
    "BROKEN",
    "RESTARTING",
)
_ENDED = "TERMINATED"
ENABLED, PAUSED = "ENABLED", "PAUSED"


@dataclasses.dataclass(frozen=True)
class Launch:
    """A launch, or one of the versions of a service that run side by side.

    kind: a key of ``KINDS``. version: of a service. compute_config_id: ``None`` if it names none.
    """

    kind: str
    id: str
    name: str
    state: str
    compute_config_id: str | None
    version: str | None = None

    @property
    def is_active(self) -> bool:
        """Whether it runs, or starts again by itself."""
        states = KINDS[self.kind].active_states
        return self.state != PAUSED if not states else self.state in states


@dataclasses.dataclass(frozen=True)
class Launches:
    """The launches of a cloud.

    truncated: the kinds of which there are more than were read. unread: why a kind could not be
    listed.
    """

    found: tuple[Launch, ...] = ()
    truncated: tuple[str, ...] = ()
    unread: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


class Row:
    """A row whose values have the form of the API. Raises what ``malformed`` makes where one has not."""

    def __init__(self, row: JsonObject, malformed: Malformed) -> None:
        self._row = row
        self._malformed = malformed

    def text(self, key: str) -> str:
        """A text, which has to be there."""
        value = self.text_or_none(key)
        if value is None:
            raise self._wrong(key)
        return value

    def text_or_none(self, key: str) -> str | None:
        """A text that may be missing."""
        value = self._row.get(key)
        if not isinstance(value, (str, type(None))):
            raise self._wrong(key)
        return value

    def part(self, key: str) -> Row:
        """An object in it, which has to be there."""
        value = self._row.get(key)
        if not isinstance(value, dict):
            raise self._wrong(key)
        return Row(value, self._malformed)

    def parts(self, key: str) -> list[Row]:
        """The objects of a list in it, which has to be there."""
        values = self._row.get(key)
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise self._wrong(key)
        return [Row(value, self._malformed) for value in values]

    def _wrong(self, key: str) -> Exception:
        return self._malformed(f"a launch whose {key} has another form than in its API")


def _cluster(row: Row) -> t.Iterator[Launch]:
    """``decorated_session.py``."""
    yield _launch("cluster", row, row.text("state"), row.text_or_none("compute_template_id"))


def _service(row: Row) -> t.Iterator[Launch]:
    """``decorated_list_service_api_model.py`` and the model of its versions. A version that has
    ended is none of a service that has not.
    """
    state, versions = row.text("current_state"), row.parts("versions")
    live = [version for version in versions if version.text("current_state") != _ENDED]
    for version in versions if state == _ENDED else live:
        config_id = version.text_or_none("compute_config_id")
        yield _launch("service", row, state, config_id, version.text("version"))


def _job(row: Row) -> t.Iterator[Launch]:
    """``decorated_production_job.py`` and ``production_job_config.py``."""
    state = row.part("state").text("current_state")
    yield _launch("job", row, state, row.part("config").text_or_none("compute_config_id"))


def _schedule(row: Row) -> t.Iterator[Launch]:
    """``decorated_schedule.py``. One without its next moment is paused, as Anyscale's own SDK takes
    it (``schedule/_private/schedule_sdk.py``).
    """
    state = ENABLED if row.text_or_none("next_trigger_at") else PAUSED
    yield _launch("schedule", row, state, row.part("config").text_or_none("compute_config_id"))


def _workspace(row: Row) -> t.Iterator[Launch]:
    """``experimental_workspace.py``; one that was never started has no state."""
    state = row.text_or_none("state") or "Terminated"
    yield _launch("workspace", row, state, row.text_or_none("compute_config_id"))


def _launch(
    kind: str, row: Row, state: str, config_id: str | None, version: str | None = None
) -> Launch:
    return Launch(kind, row.text("id"), row.text("name"), state, config_id or None, version)


class Kind(t.NamedTuple):
    """How one kind of launch is listed. Without ``active_states``, the API takes no states."""

    path: str
    page_size: int
    active_states: tuple[str, ...]
    launches: t.Callable[[Row], t.Iterator[Launch]]


KINDS = {
    "cluster": Kind("/api/v2/decorated_sessions/", 50, _CLUSTER_STATES, _cluster),
    "service": Kind("/api/v2/services-v2/", 50, _SERVICE_STATES, _service),
    "job": Kind("/api/v2/decorated_ha_jobs/", 50, _JOB_STATES, _job),
    "schedule": Kind("/api/v2/experimental_cron_jobs/", 50, (), _schedule),
    "workspace": Kind("/api/v2/experimental_workspaces/", 50, _CLUSTER_STATES, _workspace),
}
