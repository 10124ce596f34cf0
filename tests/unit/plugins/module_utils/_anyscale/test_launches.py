# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Launches as the control plane lists them: what is kept of them, how much is read, and wrong forms."""

from __future__ import annotations

import io
import json
import typing as t
import urllib.parse

import pytest
import urllib3

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launch_rows import (
    KINDS,
    Launch,
    Launches,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launches import (
    read_compute_config,
    read_launches,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError

Json = dict[str, t.Any]

CLOUD = "cld_x"
CONFIG = "cpt_1"


def row(**changes: t.Any) -> Json:
    """What all kinds have."""
    return {"id": "id_1", "name": "a", "cloud_id": CLOUD, **changes}


def version(name: str, state: str, config_id: t.Any = CONFIG) -> Json:
    """A version of a service."""
    return {"version": name, "current_state": state, "compute_config_id": config_id}


# By case: the kind, a row of it, and what it is: state, compute config, version; else the key of
# the wrong form.
Expected: t.TypeAlias = "list[tuple[str, str | None, str | None]] | str"
ROWS: dict[str, tuple[str, Json, Expected]] = {
    "a cluster": (
        "cluster",
        row(state="Running", compute_template_id=CONFIG, access_token="secret"),
        [("Running", CONFIG, None)],
    ),
    "a cluster without a compute config": (
        "cluster",
        row(state="Running", compute_template_id=None),
        [("Running", None, None)],
    ),
    "a cluster that has ended": ("cluster", row(state="Terminated"), []),
    "a service with its version": (
        "service",
        row(current_state="RUNNING", versions=[version("v1", "RUNNING")]),
        [("RUNNING", CONFIG, "v1")],
    ),
    "a service in a roll-out has both versions": (
        "service",
        row(
            current_state="ROLLING_OUT",
            versions=[version("v1", "RUNNING"), version("v2", "STARTING", "cpt_2")],
        ),
        [("ROLLING_OUT", CONFIG, "v1"), ("ROLLING_OUT", "cpt_2", "v2")],
    ),
    "a service without its version that ended": (
        "service",
        row(
            current_state="RUNNING",
            versions=[version("v1", "TERMINATED"), version("v2", "RUNNING", "cpt_2")],
        ),
        [("RUNNING", "cpt_2", "v2")],
    ),
    "a job": (
        "job",
        row(state={"current_state": "PENDING"}, config={"compute_config_id": CONFIG}),
        [("PENDING", CONFIG, None)],
    ),
    "a schedule": (
        "schedule",
        row(next_trigger_at="2026-12-01T00:00:00Z", config={"compute_config_id": CONFIG}),
        [("ENABLED", CONFIG, None)],
    ),
    "a schedule that is paused": (
        "schedule",
        row(next_trigger_at=None, config={"compute_config_id": CONFIG}),
        [],
    ),
    "a workspace": (
        "workspace",
        row(state="Running", compute_config_id=CONFIG),
        [("Running", CONFIG, None)],
    ),
    "a workspace that was never started": ("workspace", row(compute_config_id=CONFIG), []),
    "of another cloud": ("workspace", row(state="Running", cloud_id="cld_y"), []),
    "a cluster whose state is no text": ("cluster", row(state=5), "state"),
    "a cluster whose config is no text": (
        "cluster",
        row(state="Running", compute_template_id={}),
        "compute_template_id",
    ),
    "a cluster without a name": ("cluster", {"id": "x", "state": "Running"}, "name"),
    "a service whose versions are no list": (
        "service",
        row(current_state="RUNNING", versions={}),
        "versions",
    ),
    "a service with a version that is no object": (
        "service",
        row(current_state="RUNNING", versions=[None]),
        "versions",
    ),
    "a job without its state": ("job", row(config={}), "state"),
    "a job whose config is no object": (
        "job",
        row(state={"current_state": "RUNNING"}, config=[]),
        "config",
    ),
}


class Server:
    """Lists rows by kind, a page at a time; ``statuses`` refuse kinds."""

    def __init__(self, rows: t.Mapping[str, list[Json]], **statuses: int) -> None:
        self.queries: list[dict[str, list[str]]] = []
        self._rows = rows
        self._statuses = statuses

    def request(self, _method: str, url: str, **_options: t.Any) -> urllib3.HTTPResponse:
        parts = urllib.parse.urlsplit(url)
        query = urllib.parse.parse_qs(parts.query)
        self.queries.append(query)
        kind = next(name for name, kind in KINDS.items() if kind.path == parts.path)
        start, size = int(query.get("paging_token", ["0"])[0]), int(query["count"][0])
        rows = self._rows.get(kind, [])
        token = str(start + size) if start + size < len(rows) else None
        body = {"results": rows[start : start + size], "metadata": {"next_paging_token": token}}
        return urllib3.HTTPResponse(
            io.BytesIO(json.dumps(body).encode()),
            {},
            self._statuses.get(kind, 200),
            preload_content=False,
        )

    def read(self, limit: int = 100, active_only: bool = True) -> Launches:
        """Read them with the client."""
        client = AnyscaleClient("https://console.example.com", "secret", pool=self)
        return read_launches(client, CLOUD, limit, active_only)


@pytest.mark.parametrize("case", ROWS)
def test_row(case: str) -> None:
    kind, one, expected = ROWS[case]
    server = Server({kind: [one]})
    if isinstance(expected, str):
        with pytest.raises(AnyscaleError, match=f"a launch whose {expected} has another form"):
            server.read()
        return
    assert server.read().found == tuple(
        Launch(kind, "id_1", "a", state, config_id, name) for state, config_id, name in expected
    )


def test_all_of_them_with_those_that_ended() -> None:
    server = Server({"cluster": [row(state="Terminated")]})
    assert [launch.state for launch in server.read(active_only=False).found] == ["Terminated"]
    assert not any("state_filter" in query for query in server.queries)


def test_only_active_ones_are_asked_for() -> None:
    server = Server({})
    server.read()
    for kind, query in zip(KINDS.values(), server.queries, strict=True):
        assert query["cloud_id"] == [CLOUD]
        assert query.get("state_filter", []) == list(kind.active_states)


@pytest.mark.parametrize(
    ("limit", "rows", "calls", "truncated"),
    [
        pytest.param(100, 100, 2, False, id="as many as the limit"),
        pytest.param(100, 101, 2, True, id="one more than the limit"),
        pytest.param(60, 130, 2, True, id="a limit within a page"),
        pytest.param(1, 1, 1, False, id="a single one"),
    ],
)
def test_limit(limit: int, rows: int, calls: int, truncated: bool) -> None:
    clusters = [row(id=f"id_{number}", state="Running") for number in range(rows)]
    server = Server({"cluster": clusters})
    found = server.read(limit)
    assert len(found.found) == min(limit, rows)
    assert found.truncated == (("cluster",) if truncated else ())
    assert len(server.queries) == calls + len(KINDS) - 1


@pytest.mark.parametrize("status", [403, 404, 405])
def test_kind_that_cannot_be_listed_is_told(status: int) -> None:
    job = row(state={"current_state": "RUNNING"}, config={"compute_config_id": CONFIG})
    found = Server({"job": [job]}, workspace=status).read()
    assert list(found.unread) == ["workspace"]
    assert str(status) in found.unread["workspace"]
    assert [launch.kind for launch in found.found] == ["job"]


def test_token_that_is_not_accepted_is_an_error() -> None:
    with pytest.raises(AnyscaleError):
        Server({}, service=401).read()


class Template:
    """Answers with a compute config."""

    def __init__(self, status: int, body: Json) -> None:
        self.urls: list[str] = []
        self._status = status
        self._body = body

    def request(self, _method: str, url: str, **_options: t.Any) -> urllib3.HTTPResponse:
        self.urls.append(url)
        data = io.BytesIO(json.dumps(self._body).encode())
        return urllib3.HTTPResponse(data, {}, self._status, preload_content=False)

    def read(self, config_id: str = CONFIG) -> Json | None:
        """Read it with the client."""
        client = AnyscaleClient("https://console.example.com", "secret", pool=self)
        return read_compute_config(client, config_id)


def test_compute_config() -> None:
    template = {"id": CONFIG, "name": "team-a", "version": 3, "config": {}}
    assert Template(200, {"result": template}).read() == template
    assert Template(404, {"error": {"detail": "gone"}}).read() is None
    for key in template:
        with pytest.raises(AnyscaleError, match=f"without its {key}"):
            Template(200, {"result": {**template, key: None}}).read()


@pytest.mark.parametrize("config_id", ["../clouds/x", "..", "a/b", "a?b"])
def test_id_of_a_compute_config_stays_one_segment(config_id: str) -> None:
    server = Template(404, {})
    assert server.read(config_id) is None
    path = urllib.parse.urlsplit(server.urls[0]).path
    assert path.startswith("/api/v2/compute_templates/")
    assert path.count("/") == 4
    assert ".." not in path
