# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What was launched in a cloud, and the compute config that each launch names: clusters, services,
jobs, schedules and workspaces.

This module util is private to the collection. I/O, read-only. Paths, query parameters, page sizes,
states and keys are those of ``client/openapi_client`` in Anyscale's Python package 0.26.112
(``api/default_api.py``, and the models that are named below). Rows also have tokens and private
keys, so that only what is listed here is kept of them.
"""

from __future__ import annotations

import dataclasses
import typing as t
import urllib.parse

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_versions import (
    missing_key,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError

JsonObject = dict[str, t.Any]

_TEMPLATES = "/api/v2/compute_templates/"
_NOT_FOUND = 404
# Of one kind of launch: the token may not list it, or this control plane does not have it.
_NOT_LISTED = (403, _NOT_FOUND, 405)
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


class _Row:
    """A row whose values have the form of the API. Raises where one does not."""

    def __init__(self, client: AnyscaleClient, path: str, row: JsonObject) -> None:
        self._client = client
        self._path = path
        self._row = row

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

    def part(self, key: str) -> _Row:
        """An object in it, which has to be there."""
        value = self._row.get(key)
        if not isinstance(value, dict):
            raise self._wrong(key)
        return _Row(self._client, self._path, value)

    def parts(self, key: str) -> list[_Row]:
        """The objects of a list in it, which has to be there."""
        values = self._row.get(key)
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise self._wrong(key)
        return [_Row(self._client, self._path, value) for value in values]

    def _wrong(self, key: str) -> AnyscaleError:
        return self._client.api.malformed(
            "GET", self._path, f"a launch whose {key} has another form than in its API"
        )


def _cluster(row: _Row) -> t.Iterator[Launch]:
    """``decorated_session.py``."""
    yield _launch("cluster", row, row.text("state"), row.text_or_none("compute_template_id"))


def _service(row: _Row) -> t.Iterator[Launch]:
    """``decorated_list_service_api_model.py`` and the model of its versions. A version that has
    ended is none of a service that has not.
    """
    state, versions = row.text("current_state"), row.parts("versions")
    live = [version for version in versions if version.text("current_state") != _ENDED]
    for version in versions if state == _ENDED else live:
        config_id = version.text_or_none("compute_config_id")
        yield _launch("service", row, state, config_id, version.text("version"))


def _job(row: _Row) -> t.Iterator[Launch]:
    """``decorated_production_job.py`` and ``production_job_config.py``."""
    state = row.part("state").text("current_state")
    yield _launch("job", row, state, row.part("config").text_or_none("compute_config_id"))


def _schedule(row: _Row) -> t.Iterator[Launch]:
    """``decorated_schedule.py``. One without its next moment is paused, as Anyscale's own SDK takes
    it (``schedule/_private/schedule_sdk.py``).
    """
    state = ENABLED if row.text_or_none("next_trigger_at") else PAUSED
    yield _launch("schedule", row, state, row.part("config").text_or_none("compute_config_id"))


def _workspace(row: _Row) -> t.Iterator[Launch]:
    """``experimental_workspace.py``; one that was never started has no state."""
    state = row.text_or_none("state") or "Terminated"
    yield _launch("workspace", row, state, row.text_or_none("compute_config_id"))


def _launch(
    kind: str, row: _Row, state: str, config_id: str | None, version: str | None = None
) -> Launch:
    return Launch(kind, row.text("id"), row.text("name"), state, config_id or None, version)


class _Kind(t.NamedTuple):
    """How one kind of launch is listed. Without ``active_states``, the API takes no states."""

    path: str
    page_size: int
    active_states: tuple[str, ...]
    launches: t.Callable[[_Row], t.Iterator[Launch]]


KINDS = {
    "cluster": _Kind("/api/v2/decorated_sessions/", 50, _CLUSTER_STATES, _cluster),
    "service": _Kind("/api/v2/services-v2/", 50, _SERVICE_STATES, _service),
    "job": _Kind("/api/v2/decorated_ha_jobs/", 50, _JOB_STATES, _job),
    "schedule": _Kind("/api/v2/experimental_cron_jobs/", 50, (), _schedule),
    "workspace": _Kind("/api/v2/experimental_workspaces/", 50, _CLUSTER_STATES, _workspace),
}


def read_launches(
    client: AnyscaleClient, cloud_id: str, limit: int, active_only: bool = True
) -> Launches:
    """The launches of a cloud, of each kind at most the first ``limit`` rows."""
    found: list[Launch] = []
    truncated: list[str] = []
    unread: dict[str, str] = {}
    for name, kind in KINDS.items():
        try:
            launches, has_more = _of_kind(client, kind, cloud_id, limit, active_only)
        except AnyscaleError as error:
            if error.status not in _NOT_LISTED:
                raise
            unread[name] = error.message
            continue
        found += launches
        truncated += [name] if has_more else []
    return Launches(tuple(found), tuple(truncated), unread)


def _of_kind(
    client: AnyscaleClient, kind: _Kind, cloud_id: str, limit: int, active_only: bool
) -> tuple[list[Launch], bool]:
    """The launches of one kind, and whether there are more. Rows of other clouds count: the limit
    is one of calls, whatever the server filters.
    """
    query: JsonObject = {"cloud_id": cloud_id, "count": min(kind.page_size, limit)}
    if active_only and kind.active_states:
        query["state_filter"] = list(kind.active_states)
    launches: list[Launch] = []
    read = 0
    for page in client.api.pages("GET", kind.path, query):
        for row in page.rows[: limit - read]:
            checked = _Row(client, kind.path, row)
            if checked.text_or_none("cloud_id") in (None, cloud_id):
                launches += kind.launches(checked)
        read += len(page.rows)
        if read >= limit:
            has_more = read > limit or page.next_token is not None
            return _wanted(launches, active_only), has_more
    return _wanted(launches, active_only), False


def _wanted(launches: list[Launch], active_only: bool) -> list[Launch]:
    return [launch for launch in launches if launch.is_active or not active_only]


def read_compute_config(client: AnyscaleClient, config_id: str) -> JsonObject | None:
    """One version of a compute config, archived or not; ``None`` where there is none that the token
    may see.
    """
    path = f"{_TEMPLATES}{urllib.parse.quote(config_id, safe='').replace('.', '%2E')}"
    try:
        template = client.api.result("GET", path)
    except AnyscaleError as error:
        if error.status == _NOT_FOUND:
            return None
        raise
    missing = missing_key(template) or (None if isinstance(template.get("name"), str) else "name")
    if missing is not None:
        raise client.api.malformed("GET", path, f"a compute config without its {missing}")
    return template
