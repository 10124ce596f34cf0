# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading clouds and resources: which calls are made, what is kept, and what a failure of one or of
all means.
"""

from __future__ import annotations

import json
import threading
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory.api import (
    Choice,
    read_rows,
)
from ansible_collections.rayfleet.anyscale.tests.support.growth import LINEAR, growth
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._inventory.api_rows import (
    Json,
    resource,
)


def cloud(number: int, **changes: t.Any) -> Json:
    return {
        "id": f"cld_{number}",
        "name": f"cloud-{number}",
        "provider": "AWS",
        "state": "ACTIVE",
        "credentials": "secret",
        **changes,
    }


class Client:
    """Stands for the API: lists these clouds, and has a resource for each but where it has a
    failure.
    """

    def __init__(self, clouds: list[Json], failures: t.Mapping[str, int] | None = None) -> None:
        self._clouds = clouds
        self._failures = failures or {}
        self.asked: list[str] = []

    def clouds(self) -> t.Iterator[Json]:
        yield from self._clouds

    def cloud_resources(self, cloud_id: str) -> list[Json]:
        self.asked.append(cloud_id)
        if cloud_id in self._failures:
            raise AnyscaleError(f"{cloud_id} failed.", "Fix it.", status=self._failures[cloud_id])
        return [
            {
                **resource(),
                "aws_config": {**resource()["aws_config"], "external_id": "secret"},
                "file_storage": {},
            }
        ]

    def rows(self, *patterns: str, threads: int = 2) -> list[Json]:
        return read_rows(t.cast(t.Any, self), Choice(patterns), threads)


class TestCalls:
    @pytest.mark.parametrize(
        ("changes", "listed", "asked"),
        [
            pytest.param({}, True, True, id="on AWS"),
            pytest.param(
                {"compute_stack": "K8S"},
                True,
                True,
                id="on Kubernetes, where another resource may be on virtual machines",
            ),
            pytest.param({"provider": "GCP"}, True, False, id="on another provider"),
            pytest.param({"provider": None}, True, False, id="on none"),
            pytest.param({"is_aioa": True}, True, False, id="hosted by Anyscale"),
            pytest.param({"state": "DELETING"}, False, False, id="being deleted"),
            pytest.param({"state": "DELETED"}, False, False, id="deleted"),
            pytest.param({"id": "../x"}, True, False, id="id that would lead elsewhere"),
            pytest.param({"id": None}, True, False, id="no id"),
        ],
    )
    def test_resources_are_asked_for_where_there_can_be_any(
        self, changes: Json, listed: bool, asked: bool
    ) -> None:
        client = Client([cloud(1, **changes)])
        assert (len(client.rows()), client.asked) == (listed, ["cld_1"] if asked else [])

    def test_a_cloud_listed_twice_is_one(self) -> None:
        client = Client([cloud(1), cloud(2), cloud(1)])
        assert len(client.rows()) == 2
        assert sorted(client.asked) == ["cld_1", "cld_2"]

    @pytest.mark.parametrize(
        ("patterns", "asked"),
        [
            pytest.param([], ["cld_1", "cld_2", "cld_3"], id="none: all"),
            pytest.param(["cloud-1", "cld_3"], ["cld_1", "cld_3"], id="name and id"),
            pytest.param(["*-2", "cld_[3-9]"], ["cld_2", "cld_3"], id="patterns"),
            pytest.param(["cloud"], [], id="part of a name"),
            pytest.param(["CLOUD-1"], [], id="other case"),
        ],
    )
    def test_what_is_not_chosen_is_listed_but_not_asked_for(
        self, patterns: list[str], asked: list[str]
    ) -> None:
        client = Client([cloud(number) for number in (1, 2, 3)])
        rows = client.rows(*patterns)
        assert sorted(client.asked) == asked
        assert [row["cloud"]["id"] for row in rows if row["chosen"]] == asked
        assert len(rows) == 3

    def test_a_name_with_the_signs_of_a_pattern_can_be_given(self) -> None:
        assert Client([cloud(1, name="a[1]")]).rows("a[1]")[0]["chosen"]
        assert Choice(["a[1]", "a[2]"]).unmet([cloud(1, name="a[1]")]) == ["a[2]"]

    def test_many_at_a_time(self) -> None:
        together = threading.Barrier(4, timeout=10)

        class Slow(Client):
            def cloud_resources(self, cloud_id: str) -> list[Json]:
                together.wait()
                return super().cloud_resources(cloud_id)

        assert all(
            row["resources"] for row in Slow([cloud(number) for number in range(8)]).rows(threads=4)
        )


class TestRows:
    def test_plain_data_without_unused_fields(self) -> None:
        rows = Client([cloud(1)]).rows()
        assert json.loads(json.dumps(rows)) == rows
        assert "secret" not in json.dumps(rows)
        assert "file_storage" not in rows[0]["resources"][0]
        assert rows[0]["resources"] == [resource()]

    @pytest.mark.parametrize("status", [400, 403, 404, 500, 503, 0])
    def test_the_failure_of_one_cloud_is_in_its_row(self, status: int) -> None:
        rows = Client([cloud(1), cloud(2)], {"cld_1": status}).rows()
        assert [(row["failure"], bool(row["resources"])) for row in rows] == [
            ("cld_1 failed. Fix it.", False),
            (None, True),
        ]

    def test_many_that_fail_on_their_own_are_no_outage(self) -> None:
        clouds = [cloud(number) for number in range(20)]
        assert all(
            row["failure"] for row in Client(clouds, {row["id"]: 403 for row in clouds}).rows()
        )

    @pytest.mark.parametrize(
        ("status", "enough"),
        [
            pytest.param(401, 1, id="token refused: the first says all"),
            pytest.param(503, 5, id="unavailable: some are tried"),
            pytest.param(0, 5, id="no answer: some are tried"),
        ],
    )
    def test_an_outage_is_an_error_and_ends_the_calls(self, status: int, enough: int) -> None:
        over = threading.Event()

        class Waiting(Client):
            def cloud_resources(self, cloud_id: str) -> list[Json]:
                assert len(self.asked) < enough or over.wait(10)
                return super().cloud_resources(cloud_id)

        clouds = [cloud(number) for number in range(100)]
        client = Waiting(clouds, {row["id"]: status for row in clouds})
        with pytest.raises(AnyscaleError):
            client.rows(threads=1)
        over.set()
        for thread in threading.enumerate():
            if "ThreadPool" in thread.name:
                thread.join(10)
        assert len(client.asked) <= enough + 1


class TestUnmetPatterns:
    @given(
        st.lists(st.sampled_from(["a", "a*", "?", "[ab]", "[", "cld_*", "cld_1", "CLD_1", "b"])),
        st.lists(
            st.tuples(
                st.sampled_from(["cld_1", "cld_2", None]),
                st.sampled_from(["a", "b", "[", "cld_1", None, 7]),
            )
        ),
    )
    def test_they_are_those_that_take_no_cloud(
        self, patterns: list[str], clouds: list[tuple[str | None, t.Any]]
    ) -> None:
        rows = [{"id": cloud_id, "name": name} for cloud_id, name in clouds]
        unmet = [
            pattern
            for pattern in dict.fromkeys(patterns)
            if not any(Choice([pattern]).takes(row) for row in rows)
        ]
        assert Choice(patterns).unmet(rows) == unmet

    def test_of_many_each_is_looked_up_once(self) -> None:
        """Else ten times as many take a hundred times as long."""

        def unmet(clouds: int) -> None:
            rows = [cloud(number) for number in range(clouds)]
            patterns = [f"cld_{number}" for number in reversed(range(clouds + 1))]
            assert Choice(patterns).unmet(rows) == [f"cld_{clouds}"]

        assert growth(unmet, 1000) < LINEAR
