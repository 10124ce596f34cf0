# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The clients that the clouds of a run share: what is read by the page is what single reads would
give, with fewer calls.
"""

from __future__ import annotations

import collections
import concurrent.futures
import io
import json
import time
import typing as t
import urllib.parse

import pytest
import urllib3

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.shared_clients import (
    BulkClient,
    SharedClients,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    InputError,
)

Json = dict[str, t.Any]
PARAMS = {"anyscale_host": "https://x.example.com", "anyscale_token": "t", "validate_certs": True}


class Organization:
    """A control plane with clouds and a compute config for each, in the place of connections to it;
    counts the calls.
    """

    def __init__(self, clouds: int, listing_status: int = 200) -> None:
        self.calls: collections.Counter[str] = collections.Counter()
        self.clouds = [{"id": f"cld_{n:03}", "name": f"cloud {n}"} for n in range(clouds)]
        self.configs = [
            {"id": f"cpt_{n:03}", "name": "ray", "version": 1, "config": {"cloud_id": cloud["id"]}}
            for n, cloud in enumerate(self.clouds)
        ]
        self._listing_status = listing_status

    def request(self, method: str, url: str, *, body: bytes, **_options: t.Any) -> t.Any:
        """As ``urllib3.PoolManager.request``."""
        path, _mark, text = url.removeprefix("https://x.example.com/api/v2/").partition("?")
        query = dict(urllib.parse.parse_qsl(text))
        status, answer = 200, {}
        if path == "compute_templates/search":
            search = json.loads(body)
            name = "search" if "name" in search else "configs"
            rows = [
                row
                for row in self.configs
                if search.get("cloud_id") in (None, row["config"]["cloud_id"])
            ]
            answer = _page(rows, query)
        elif path in ("scheduler/config", "machine_pools/"):
            time.sleep(0.002)  # long enough for other threads to ask meanwhile
            name, status = path, self._listing_status
            answer = {"result": {"machine_pools": [], "config": {}}}
        elif path == "clouds/":
            time.sleep(0.002)  # long enough for other threads to ask meanwhile
            name, status, answer = "clouds", self._listing_status, _page(self.clouds, query)
        else:
            name = "cloud"
            found = [row for row in self.clouds if row["id"] == path.removeprefix("clouds/")]
            status, answer = (200, {"result": found[0]}) if found else (404, {})
        self.calls[name] += 1
        content = io.BytesIO(json.dumps(answer).encode())
        return urllib3.HTTPResponse(content, {}, status, preload_content=False)

    def client(self) -> BulkClient:
        """A client for all of its compute configs."""
        return BulkClient(
            "https://x.example.com",
            "t",
            pool=self,
            sleep=lambda _seconds: None,
            configs_wanted=len(self.clouds),
        )


def _page(rows: list[Json], query: Json) -> Json:
    start = int(query.get("paging_token", 0))
    end = start + int(query["count"])
    following = str(end) if end < len(rows) else None
    return {"results": rows[start:end], "metadata": {"next_paging_token": following}}


def test_clouds_are_those_of_single_reads_for_fewer_calls() -> None:
    """Of 120 clouds nine are read before a page of 50 is worth it."""
    organization = Organization(120)
    client = organization.client()
    assert [client.cloud(cloud["id"]) for cloud in organization.clouds] == organization.clouds
    assert organization.calls == {"cloud": 9, "clouds": 3}


def test_few_clouds_are_read_one_by_one() -> None:
    """In an organization of thousands."""
    organization = Organization(5000)
    client = organization.client()
    for cloud in organization.clouds[-9:]:
        assert client.cloud(cloud["id"]) == cloud
    assert organization.calls == {"cloud": 9}


def test_pages_are_never_more_than_a_tenth_of_the_reads() -> None:
    """Also where the clouds are on the last ones."""
    organization = Organization(5000)
    client = organization.client()
    for asked, cloud in enumerate(organization.clouds[-300:], 1):
        assert client.cloud(cloud["id"]) == cloud
        assert organization.calls["clouds"] * 10 <= asked


def test_a_cloud_that_no_page_has_is_asked_for() -> None:
    """Once all are known, each time, as there may be a new one."""
    organization = Organization(60)
    client = organization.client()
    for cloud in organization.clouds:
        client.cloud(cloud["id"])
    listed = organization.calls["clouds"]
    for _time in range(2):
        with pytest.raises(AnyscaleError) as refused:
            client.cloud("cld_gone")
        assert refused.value.status == 404
    organization.clouds.append({"id": "cld_new", "name": "new"})
    assert client.cloud("cld_new") == {"id": "cld_new", "name": "new"}
    assert organization.calls["clouds"] == listed


def test_clouds_that_cannot_be_listed_are_read_one_by_one() -> None:
    """The listing is not asked for again."""
    organization = Organization(60, listing_status=403)
    client = organization.client()
    for cloud in organization.clouds:
        assert client.cloud(cloud["id"]) == cloud
    assert organization.calls == {"cloud": 60, "clouds": 1}


def test_compute_configs_are_read_by_the_page() -> None:
    """As many as the run is going to want are worth it from the first one on."""
    organization = Organization(120)
    client = organization.client()
    found = [client.newest_compute_config("ray", cloud["id"]) for cloud in organization.clouds]
    assert found == organization.configs
    assert organization.calls == {"configs": 2}


def test_threads_read_no_page_twice() -> None:
    """Sixteen of them."""
    organization = Organization(300)
    client = organization.client()
    ids = [cloud["id"] for cloud in organization.clouds]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert list(pool.map(client.cloud, ids)) == organization.clouds
    assert organization.calls["clouds"] == 6


@pytest.mark.parametrize("same", [{}, {"cloud_id": "cld_2"}, {"region": "us-east-1"}])
def test_clouds_of_an_organization_share_a_client(same: Json) -> None:
    """Whatever is asked about."""
    clients = SharedClients(configs_wanted=2)
    assert clients.client({**PARAMS, "cloud_id": "cld_1"}) is clients.client({**PARAMS, **same})


@pytest.mark.parametrize(
    "other",
    [
        {"anyscale_token": "u"},
        {"anyscale_host": "https://y.example.com"},
        {"validate_certs": False},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_organization_has_its_own(other: Json) -> None:
    """What one token may see says nothing about another's."""
    clients = SharedClients(configs_wanted=2)
    assert clients.client(PARAMS) is not clients.client({**PARAMS, **other})


def test_invalid_options_are_an_error_of_their_cloud_alone() -> None:
    """Each time, and not in the way of others."""
    clients = SharedClients(configs_wanted=2)
    for _time in range(2):
        with pytest.raises(InputError, match="anyscale_host"):
            clients.client({**PARAMS, "anyscale_host": "ftp://x"})
    assert clients.client(PARAMS) is clients.client(PARAMS)


@pytest.mark.parametrize("status", [200, 403])
def test_what_is_one_for_the_organization_is_read_once(status: int) -> None:
    """For all clouds and threads, and refused once too."""
    organization = Organization(0, listing_status=status)
    client = organization.client()

    def read(_cloud: int) -> list[t.Any]:
        return [_outcome(client.scheduler_flavors), _outcome(client.machine_pools)]

    with concurrent.futures.ThreadPoolExecutor(8) as threads:
        found = list(threads.map(read, range(40)))
    assert organization.calls == {"scheduler/config": 1, "machine_pools/": 1}
    assert found == [[{}, {}] if status == 200 else [403, 403]] * 40


def _outcome(read: t.Callable[[], t.Any]) -> t.Any:
    try:
        return read()
    except AnyscaleError as error:
        return error.status
