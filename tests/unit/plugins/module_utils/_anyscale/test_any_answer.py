# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a server answers, each call and each reader of answers returns what its callers rely on, or
raises the collection's error.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import typing as t

import pytest
import urllib3
from hypothesis import given, note, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_pages import (
    ComputeConfigPages,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    deployments,
    normalize,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_writer import (
    to_yaml_schema,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launches import (
    read_compute_config,
    read_launches,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    read_registration,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.shared_clients import (
    BulkClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    InputError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.api import (
    Choice,
    read_rows,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.fleet_file import (
    FleetFile,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.hosts import build_fleet

Json = dict[str, t.Any]

CONFIG = {"cloud_id": "cld_x"}
KEYS = [
    "result",
    "results",
    "metadata",
    "total",
    "next_paging_token",
    "id",
    "name",
    "version",
    "config",
    "cloud_id",
    "spec",
    "dataplane_iam_mapping",
    "rules",
    "fallback_rule",
    "archived_at",
    "deployment_configs",
    "head_node_type",
    "worker_node_types",
    "allowed_azs",
    "flags",
    "resources",
    "custom_resources",
    "advanced_configurations_json",
    "instance_type",
    "state",
    "provider",
    "compute_stack",
    "region",
    "is_default",
    "aws_config",
    "object_storage",
    "bucket_name",
    "cluster_iam_role_id",
    "anyscale_iam_role_id",
    "cluster_instance_profile_id",
    "cloud_resource_id",
    "required_resources",
    "min_workers",
    "error",
    "detail",
    "credentials",
    "is_aioa",
    "resource_flavors",
    "advanced_instance_config",
    "machine_pools",
    "machine_pool_name",
    "machine_types",
    "launch_templates",
    "compute_template_id",
    "compute_config_id",
    "current_state",
    "versions",
    "next_trigger_at",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "x", "team-a", "cld_x", "AWS", "arn:aws:iam::123456789012:role/r"])
    | st.text(max_size=5)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=25,
)
OBJECTS = st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=6)
# Mostly of the form of an answer, or what is within would never be read.
DOCUMENTS = (
    VALUES
    | st.builds(
        lambda mapping: {"result": {"spec": {"dataplane_iam_mapping": mapping}}}, OBJECTS | VALUES
    )
    | st.builds(
        lambda flavors: {"result": {"config": {"resource_flavors": flavors}}},
        st.lists(OBJECTS, max_size=3) | VALUES,
    )
    | st.builds(
        lambda pools: {"result": {"machine_pools": pools}}, st.lists(OBJECTS, max_size=3) | VALUES
    )
    | st.builds(lambda result: {"result": result}, OBJECTS)
    | st.builds(
        lambda rows, metadata: {"results": rows, "metadata": metadata},
        st.lists(OBJECTS, max_size=3),
        VALUES,
    )
)
ODD_TEXTS = [
    b"",
    b"\xff",
    b"[" * 100_000,
    b'{"result": ' * 200 + b"{}" + b"}" * 200,
    b'{"result": {"version": 1e999, "id": -0}}',
    b'{"results": [], "metadata": {"next_paging_token": 5}}',
    b'{"results": [], "metadata": {"next_paging_token": {}}}',
    b'{"result": {"id": "\\ud800"}}',
    b'{"results": [{"id": NaN}]}',
    b'{"result": {"spec": 5}}',
    b'{"result": {"spec": {"dataplane_iam_mapping": {"rules": [5]}}}}',
]
LOCATIONS = [None, "", "/x", "http://[", "http://a b", "//", "https://x:99999999/", "\u0000"]


def _are_objects(rows: t.Any) -> bool:
    return isinstance(rows, list) and all(isinstance(row, dict) for row in rows)


# What is called, and whether its result is what callers rely on.
CALLS: dict[str, tuple[t.Callable[[AnyscaleClient], t.Any], t.Callable[[t.Any], bool]]] = {
    "clouds": (lambda client: list(client.clouds()), _are_objects),
    "cloud": (
        lambda client: client.cloud("cld_x"),
        lambda cloud: all(isinstance(cloud.get(key), (str, type(None))) for key in ("id", "name")),
    ),
    "cloud by its name": (
        lambda client: client.find_cloud("team-a"),
        lambda cloud: isinstance(cloud["id"], str),
    ),
    "resources": (lambda client: client.cloud_resources("cld_x"), _are_objects),
    "mapping": (
        lambda client: client.iam_mapping("cld_x", "cldrsrc_x"),
        lambda mapping: _are_objects(mapping.get("rules") or []),
    ),
    "scheduler flavors": (
        lambda client: client.scheduler_flavors(),
        lambda found: all(_are_objects(configs) for configs in found.values()),
    ),
    "machine pools": (
        lambda client: client.machine_pools(),
        lambda found: all(_are_objects(configs) for configs in found.values()),
    ),
    "config of a resource": (
        lambda client: client.deployment_config("cld_x", "cldrsrc_x"),
        lambda spec: _are_objects(spec["dataplane_iam_mapping"].get("rules") or []),
    ),
    "writing of the config of a resource": (
        lambda client: client.put_deployment_config("cld_x", "cldrsrc_x", CONFIG),
        lambda done: done is None,
    ),
    "permission level": (
        lambda client: client.permission_level(),
        lambda level: isinstance(level, (str, type(None))),
    ),
    "newest compute config": (
        lambda client: client.newest_compute_config("team-a", "cld_x"),
        lambda found: found is None or _is_version(found),
    ),
    "default compute config": (
        lambda client: client.default_compute_config("cld_x"),
        lambda found: isinstance(found, dict),
    ),
    "publish": (
        lambda client: client.publish_compute_config("team-a", CONFIG, previous_version=1),
        lambda made: isinstance(made["version"], int),
    ),
    "archive": (lambda client: client.archive_compute_config("cpt_1"), lambda done: done is None),
    "unarchive": (
        lambda client: client.unarchive_compute_config("cpt_1"),
        lambda done: done is None,
    ),
    "registration": (
        lambda client: read_registration(client, "cld_x"),
        lambda found: isinstance(found.role_arn, (str, type(None))),
    ),
    "pages of compute configs": (
        lambda client: ComputeConfigPages(client).newest("team-a", "cld_x", 100),
        lambda found: found is None or _is_version(found),
    ),
    "launches": (
        lambda client: read_launches(client, "cld_x", 5),
        lambda found: all(isinstance(one.name, str) for one in found.found),
    ),
    "compute config of a launch": (
        lambda client: read_compute_config(client, "cpt_1"),
        lambda found: found is None or _is_version(found),
    ),
    "inventory": (
        lambda client: build_fleet(read_rows(client, Choice(), 1), FleetFile()),
        lambda fleet: all(isinstance(host.name, str) for host in fleet[0]),
    ),
}


def _is_version(found: Json) -> bool:
    return isinstance(found["version"], int) and isinstance(found["config"], dict)


class Server:
    """Answers each request with the next of some answers, again and again."""

    def __init__(self, *bodies: bytes, status: int = 200, location: str | None = None) -> None:
        self._bodies = itertools.cycle(bodies)
        self._status = status
        self._headers = {} if location is None else {"Location": location}
        self._now = 0.0

    def request(self, *_request: t.Any, **_options: t.Any) -> urllib3.HTTPResponse:
        return urllib3.HTTPResponse(
            io.BytesIO(next(self._bodies)), self._headers, self._status, preload_content=False
        )

    def client(self, kind: t.Callable[..., AnyscaleClient] = AnyscaleClient) -> AnyscaleClient:
        return kind(
            "https://console.example.com",
            "secret",
            pool=self,
            sleep=self._sleep,
            clock=lambda: self._now,
            jitter=lambda: 0.5,
        )

    def _sleep(self, seconds: float) -> None:
        self._now += seconds


def check(call: str, server: Server, *raised: type[TaskError]) -> None:
    ask, is_usable = CALLS[call]
    with contextlib.suppress(*raised):
        assert is_usable(ask(server.client()))


@given(documents=st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_any_json(documents: list[t.Any]) -> None:
    """The same documents for each call: to make them up takes longer than to read them."""
    bodies = [json.dumps(document).encode() for document in documents]
    for call in CALLS:
        note(call)
        by_name = (InputError,) if call == "cloud by its name" else ()  # there is none, or several
        check(call, Server(*bodies), AnyscaleError, *by_name)


@pytest.mark.parametrize("text", ODD_TEXTS, ids=range(len(ODD_TEXTS)))
@pytest.mark.parametrize("call", CALLS)
def test_any_text(call: str, text: bytes) -> None:
    by_name = (InputError,) if call == "cloud by its name" else ()
    for status in (200, 404, 500):
        check(call, Server(text, status=status), AnyscaleError, *by_name)


@pytest.mark.parametrize("location", LOCATIONS)
def test_any_redirect(location: str | None) -> None:
    with pytest.raises(AnyscaleError, match="redirects"):
        Server(b"", status=302, location=location).client().cloud("cld_x")


@given(documents=st.lists(DOCUMENTS, min_size=1, max_size=3))
def test_any_page_that_a_run_reads_in_bulk(documents: list[t.Any]) -> None:
    server = Server(*(json.dumps(document).encode() for document in documents))
    client = server.client(
        lambda *given, **options: BulkClient(*given, **options, configs_wanted=9)
    )
    for _read in range(11):
        with contextlib.suppress(AnyscaleError):
            assert isinstance(client.cloud("cld_x").get("name"), (str, type(None)))


@given(config=OBJECTS)
def test_any_compute_config(config: Json) -> None:
    for reader in (deployments, normalize, lambda config: to_yaml_schema(config, None)):
        with contextlib.suppress(TaskError):
            reader(config)
