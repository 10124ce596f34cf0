# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading by the page gives what a search for each would give, with fewer calls, and never costs much
where it does not help.
"""

from __future__ import annotations

import concurrent.futures
import copy
import io
import itertools
import json
import threading
import time
import typing as t
import urllib.parse

import pytest
import urllib3
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_pages import (
    ComputeConfigPages,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError

Json = dict[str, t.Any]
Key = tuple[str, str]


class Organization:
    """The search of a control plane, in the place of connections to it: compute configs by cloud and
    name, each with its versions; counts the calls.
    """

    def __init__(
        self, count: int = 0, *, largest_page: int = 100, seconds: float = 0.0, total: bool = True
    ) -> None:
        self.configs: dict[Key, list[Json]] = {}
        self.pages: list[Json] = []
        self.singles: list[Key] = []
        self.refused: dict[int, int] = {}  # a page's number, and the status
        self.now = 0.0
        self.on_page: t.Callable[[], object] = lambda: None
        self._largest_page = largest_page
        self._seconds = seconds
        self._has_total = total
        self._clock = itertools.count()
        self._lock = threading.Lock()
        for number in range(count):
            self.publish("ray", f"cld_{number:04}")

    def publish(self, name: str, cloud_id: str, **keys: t.Any) -> Json:
        versions = self.configs.setdefault((cloud_id, name), [])
        template = {
            "id": f"cpt_{next(self._clock)}",
            "name": name,
            "version": len(versions) + 1,
            "created_at": next(self._clock),
            "anonymous": False,
            "archived_at": None,
            "config": {"cloud_id": cloud_id, "flags": {"number": next(self._clock)}},
            **keys,
        }
        versions.append(template)
        return template

    def newest(self, key: Key) -> Json | None:
        return self.configs[key][-1] if key in self.configs else None

    def request(self, method: str, url: str, *, body: bytes, **_options: t.Any) -> t.Any:
        """As ``urllib3.PoolManager.request``."""
        query = dict(urllib.parse.parse_qsl(url.partition("?")[2]))
        search = json.loads(body)
        assert (method, search["version"], search["archive_status"]) == ("POST", -1, "ALL")
        status = 200
        with self._lock:
            if "name" in search:
                self.singles.append((search["cloud_id"], search["name"]["equals"]))
            else:
                self.pages.append(query)
                self.now += self._seconds
                status = self.refused.get(len(self.pages), 200)
        answer = self._page(search, query)
        if "name" not in search:
            time.sleep(0.001)  # long enough for other threads to ask meanwhile
            self.on_page()
        content = io.BytesIO(json.dumps(answer).encode())
        return urllib3.HTTPResponse(content, {}, status, preload_content=False)

    def _page(self, search: Json, query: Json) -> Json:
        found = sorted(
            (versions[-1] for versions in self.configs.values()),
            key=lambda template: -template["created_at"],
        )
        if "name" in search:
            wanted = search["cloud_id"], search["name"]["equals"]
            found = [row for row in found if (row["config"]["cloud_id"], row["name"]) == wanted]
        elif not search["include_anonymous"]:
            found = [row for row in found if not row["anonymous"]]
        start = int(query.get("paging_token", 0))
        end = start + min(int(query["count"]), self._largest_page)
        metadata: Json = {"next_paging_token": str(end) if end < len(found) else None}
        if self._has_total:
            metadata["total"] = len(found)
        return {"results": copy.deepcopy(found[start:end]), "metadata": metadata}

    def reader(self) -> ComputeConfigPages:
        client = AnyscaleClient(
            "https://x.example.com", "t", pool=self, sleep=lambda _seconds: None
        )
        return ComputeConfigPages(client, lambda: self.now)

    def read_all(self, pages: ComputeConfigPages, **options: t.Any) -> None:
        """Read each config, correctly."""
        for cloud_id, name in list(self.configs):
            found = pages.newest(name, cloud_id, len(self.configs), **options)
            assert found == self.newest((cloud_id, name))


def test_a_page_takes_the_place_of_a_hundred_searches() -> None:
    organization = Organization(250)
    organization.read_all(organization.reader())
    assert (len(organization.pages), organization.singles) == (3, [])
    assert organization.pages[0] == {"count": "100"}


def test_few_are_searched_for_one_by_one() -> None:
    organization = Organization(9)
    organization.read_all(organization.reader())
    assert (len(organization.pages), len(organization.singles)) == (0, 9)


def test_reads_that_nobody_announced_count_when_they_come() -> None:
    organization = Organization(100)
    pages = organization.reader()
    for cloud_id, name in organization.configs:
        assert pages.newest(name, cloud_id, 1) == organization.newest((cloud_id, name))
    assert (len(organization.pages), len(organization.singles)) == (1, 9)


def test_one_name_in_two_clouds_is_two_configs() -> None:
    organization = Organization(20)
    organization.publish("ray", "cld_0000")
    pages = organization.reader()
    one, other = (pages.newest("ray", cloud_id, 20) for cloud_id in ("cld_0000", "cld_0001"))
    assert one is not None
    assert other is not None
    assert (one["version"], other["version"]) == (2, 1)
    assert pages.newest("ray", "cld_9999", 20) is None
    assert organization.singles == [("cld_9999", "ray")]


def test_two_names_in_one_cloud_are_two_configs() -> None:
    organization = Organization(20)
    other = organization.publish("other", "cld_0000")
    assert organization.reader().newest("other", "cld_0000", 20) == other


def test_archived_ones_are_found_as_such() -> None:
    organization = Organization(20)
    archived = organization.publish("old", "cld_0000", archived_at="2026-01-01T00:00:00Z")
    assert organization.reader().newest("old", "cld_0000", 20) == archived
    assert organization.singles == []


@pytest.mark.parametrize("usable_first", [True, False])
def test_of_several_versions_the_same_is_taken_as_by_a_search(usable_first: bool) -> None:
    """A server that gives more than the newest: rather one in use than one archived."""
    organization = Organization(20)
    usable = organization.publish("ray", "cld_x", version=3)
    archived = organization.publish("ray", "cld_x", version=7, archived_at="2026-01-01T00:00:00Z")
    usable["created_at"], archived["created_at"] = (2000, 1000) if usable_first else (1000, 2000)
    organization.configs["cld_x", "ray"] = [usable]
    organization.configs["cld_x", "again"] = [archived]  # a second row of the same config
    assert organization.reader().newest("ray", "cld_x", 20) == usable


@pytest.mark.parametrize(
    "broken",
    [
        {"id": None},
        {"version": "1"},
        {"config": None},
        {"config": {}},
        {"config": {"cloud_id": 7}},
        {"name": None},
    ],
)
def test_a_row_that_is_none_spoils_no_other(broken: Json) -> None:
    organization = Organization(20)
    organization._page = lambda search, query: {  # type: ignore[method-assign]
        "results": [
            {**versions[-1], **(broken if key[0] == "cld_0003" else {})}
            for key, versions in organization.configs.items()
        ]
    }
    pages = organization.reader()
    assert pages.newest("ray", "cld_0004", 20) == organization.newest(("cld_0004", "ray"))
    assert organization.singles == []
    try:
        found = pages.newest("ray", "cld_0003", 20)
    except AnyscaleError as error:
        assert "compute config ray without its" in error.message  # noqa: PT017
    else:
        assert found is None
    assert organization.singles == [("cld_0003", "ray")]


def test_each_caller_gets_its_own() -> None:
    organization = Organization(20)
    pages = organization.reader()
    first = pages.newest("ray", "cld_0000", 20)
    assert first is not None
    first["config"].clear()
    assert pages.newest("ray", "cld_0000", 20) == organization.newest(("cld_0000", "ray"))


class TestCosts:
    @pytest.mark.parametrize("total", [True, False])
    def test_an_organization_with_far_more_configs(self, total: bool) -> None:
        """Thousands of which the run wants fifty: its pages would cost more than they spare."""
        organization = Organization(2000, total=total)
        pages = organization.reader()
        for number in range(50):
            assert pages.newest("ray", f"cld_{number:04}", 50)
        assert len(organization.singles) == 50
        assert len(organization.pages) <= (1 if total else 5)

    def test_anonymous_ones_fill_no_pages(self) -> None:
        organization = Organization(100)
        for number in range(1000):
            organization.publish(f"anonymous-{number}", "cld_0000", anonymous=True)
        pages = organization.reader()
        for number in range(100):
            assert pages.newest("ray", f"cld_{number:04}", 100)
        assert (len(organization.pages), organization.singles) == (1, [])

    def test_a_server_whose_pages_are_smaller(self) -> None:
        organization = Organization(200, largest_page=20)
        organization.read_all(organization.reader())
        assert (len(organization.pages), organization.singles) == (10, [])

    def test_one_whose_pages_are_too_small(self) -> None:
        organization = Organization(200, largest_page=5)
        organization.read_all(organization.reader())
        assert (len(organization.pages), len(organization.singles)) == (1, 200)

    @pytest.mark.parametrize("number", [1, 2])
    @pytest.mark.parametrize("status", [403, 422, 500])
    def test_a_refused_page_leaves_a_search_for_each(self, status: int, number: int) -> None:
        """Pages are asked for once, and half of them are not used."""
        organization = Organization(200)
        organization.refused = {number: status}
        pages = organization.reader()
        for _round in range(3):
            organization.read_all(pages)
        assert (len(organization.pages), len(organization.singles)) == (number, 600)

    @given(
        configs=st.integers(0, 60),
        largest_page=st.integers(1, 20),
        total=st.booleans(),
        announced=st.integers(1, 120),
        reads=st.lists(
            st.tuples(st.integers(0, 90), st.sampled_from([None, 0.0, 3.0, 20.0])), max_size=120
        ),
    )
    def test_pages_are_never_more_than_a_tenth_of_the_reads(
        self,
        configs: int,
        largest_page: int,
        total: bool,
        announced: int,
        reads: list[tuple[int, float | None]],
    ) -> None:
        """At no moment, announced ones included; and every answer is correct, and as young as
        wanted.
        """
        organization = Organization(configs, largest_page=largest_page, seconds=0.5, total=total)
        pages = organization.reader()
        for asked, (number, max_age) in enumerate(reads, 1):
            key = f"cld_{number:04}", "ray"
            changed = bool(max_age == 0.0 and key in organization.configs)
            if changed:
                organization.publish(key[1], key[0])
            found = pages.newest(key[1], key[0], announced, max_age=max_age)
            if max_age == 0.0:
                assert found == organization.newest(key)
            else:
                assert found is None or found in organization.configs[key]
                assert (found is None) == (key not in organization.configs)
            assert len(organization.pages) * 10 <= max(asked, announced)
            organization.now += 1.0


class TestAge:
    def test_without_a_limit_any_will_do(self) -> None:
        organization = Organization(20)
        pages = organization.reader()
        organization.read_all(pages)
        organization.now += 3600.0
        organization.read_all(pages)
        assert (len(organization.pages), organization.singles) == (1, [])

    def test_what_is_too_old_is_read_anew(self) -> None:
        """By the page, where as many are read as before."""
        organization = Organization(100)
        pages = organization.reader()
        organization.read_all(pages)
        organization.now += 3600.0
        for cloud_id, name in list(organization.configs):
            organization.publish(name, cloud_id)
        organization.read_all(pages, max_age=60.0)
        assert (len(organization.pages), organization.singles) == (2, [])

    def test_a_write_is_seen_by_the_next_read_that_must_be_fresh(self) -> None:
        organization = Organization(100)
        pages = organization.reader()
        organization.read_all(pages)
        for cloud_id, name in list(organization.configs):
            organization.now += 1.0
            version = organization.publish(name, cloud_id)
            assert pages.newest(name, cloud_id, 100, max_age=0.0) == version
        assert (len(organization.pages), len(organization.singles)) == (1, 100)

    def test_pages_are_not_read_for_what_must_be_fresher_than_any(self) -> None:
        organization = Organization(50)
        organization.read_all(organization.reader(), max_age=0.0)
        assert (len(organization.pages), len(organization.singles)) == (0, 50)

    def test_pages_that_are_soon_too_old_are_read_as_seldom_as_any(self) -> None:
        """Each time they answer more reads than they cost, and yet not ten times as many."""
        organization = Organization(40, largest_page=20)
        pages = organization.reader()
        for asked in range(1, 400):
            organization.now += 1.0
            assert pages.newest("ray", f"cld_{asked % 40:04}", 40, max_age=5.0)
            assert len(organization.pages) * 10 <= max(asked, 40)
        assert len(organization.pages) > 30

    def test_the_age_counts_from_the_first_page_on(self) -> None:
        """What is published while pages are read may be missing in those that were."""
        organization = Organization(300, seconds=10.0)
        pages = organization.reader()
        made: list[Json] = []
        organization.on_page = lambda: made or made.append(organization.publish("ray", "cld_0299"))
        pages.newest("ray", "cld_0000", 300)
        assert len(organization.pages) == 3
        assert pages.newest("ray", "cld_0299", 300, max_age=29.0) == made[0]
        assert organization.singles == [("cld_0299", "ray")]
        assert pages.newest("ray", "cld_0299", 300, max_age=30.0) != made[0]

    def test_pages_that_take_longer_than_they_may_be_old_are_not_read_again(self) -> None:
        organization = Organization(300, seconds=10.0)
        pages = organization.reader()
        organization.read_all(pages)
        organization.read_all(pages, max_age=5.0)
        assert (len(organization.pages), len(organization.singles)) == (3, 300)

    def test_pages_that_answered_few_reads_are_not_read_again(self) -> None:
        """Fifty configs are wanted, and not there yet."""
        organization = Organization(100)
        pages = organization.reader()
        for _round in range(3):
            organization.now += 100.0
            for number in range(50):
                assert pages.newest("other", f"cld_{number:04}", 50, max_age=50.0) is None
        assert (len(organization.pages), len(organization.singles)) == (1, 150)


def test_threads_get_correct_answers_and_no_page_twice() -> None:
    organization = Organization(500)
    pages = organization.reader()
    keys = list(organization.configs)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        found = pool.map(lambda key: pages.newest(key[1], key[0], len(keys)), keys)
        assert list(found) == [organization.newest(key) for key in keys]
    assert [page.get("paging_token") for page in organization.pages] == [
        None,
        "100",
        "200",
        "300",
        "400",
    ]
    assert organization.singles == []
