# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The canary comes first, rings in the order of the rollout, clouds in a ring in that of the
inventory; no cloud is left out.
"""

from __future__ import annotations

import itertools
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.rollout import (
    batches_of,
    by_ring,
    canary_first,
    canary_of,
    cut,
    unknown_rings,
)

RINGS = ["canary", "early"]


@pytest.mark.parametrize(
    ("clouds", "rings", "expected"),
    [
        pytest.param({}, RINGS, [], id="no clouds, no rings left"),
        pytest.param({"a": None, "b": None}, [], [["a", "b"]], id="without rings one batch of all"),
        pytest.param(
            {"a": "canary", "b": "early"},
            [],
            [["a", "b"]],
            id="rings of clouds mean nothing without a list",
        ),
        pytest.param(
            {"a": "early", "b": "canary"}, RINGS, [["b"], ["a"]], id="the order is the list's"
        ),
        pytest.param(
            {"a": "canary", "b": "early"},
            ["early", "canary"],
            [["b"], ["a"]],
            id="also the other way round",
        ),
        pytest.param(
            {"b": "canary", "a": "canary"},
            RINGS,
            [["a", "b"]],
            id="in a ring the order is by name, since that of AWX's inventories is arbitrary",
        ),
        pytest.param(
            {"a": "early"},
            ["canary", "early", "late"],
            [["a"]],
            id="a ring without clouds is left out",
        ),
        pytest.param(
            {"a": None, "b": "canary"}, RINGS, [["b"], ["a"]], id="a cloud of no ring comes last"
        ),
        pytest.param(
            {"a": "mars", "b": "early"}, RINGS, [["b"], ["a"]], id="so does one of an unknown ring"
        ),
        pytest.param(
            {"a": "mars", "b": None, "c": "venus"},
            RINGS,
            [["a", "b", "c"]],
            id="all of these together",
        ),
        pytest.param({"a": "", "b": "canary"}, RINGS, [["b"], ["a"]], id="an empty ring is none"),
        pytest.param(
            {"a": "Canary", "b": "early"},
            RINGS,
            [["b"], ["a"]],
            id="names are compared as they are written",
        ),
        pytest.param(
            {"a": 2, "b": 1}, ["1", "2"], [["b"], ["a"]], id="numbered rings, as YAML gives them"
        ),
        pytest.param(
            {"a": ["canary"], "b": "early"}, RINGS, [["b"], ["a"]], id="what can be no ring is none"
        ),
    ],
)
def test_the_batches(clouds: dict[str, t.Any], rings: list[str], expected: list[list[str]]) -> None:
    """Each list is a ring."""
    assert by_ring(clouds, rings) == expected


UNKNOWN: dict[str, tuple[list[str], list[t.Any], list[str]]] = {
    "all are known": (["canary", "early"], ["early", "canary", "late", None], []),
    "a misspelt one": (["canry", "early"], ["canary", "early"], ["canry"]),
    "another case": (["Canary"], ["canary"], ["Canary"]),
    "a number, as YAML gives it": (["1", "2"], [1, 2], []),
    "no host has a ring": (["canary"], [None, ""], ["canary"]),
    "a host without a ring is in none": (["None"], [None], ["None"]),
    "each once": (["canry", "canry"], ["canary"], ["canry"]),
    "none is listed": ([], ["canary"], []),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_the_listed_rings_that_no_host_has(case: str) -> None:
    """Else a misspelt ring would leave its clouds to the last batch."""
    rings, of_hosts, unknown = UNKNOWN[case]
    assert unknown_rings(rings, of_hosts) == unknown


_names = st.sampled_from(["canary", "early", "late", "mars"])


@given(
    clouds=st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.none() | _names),
    rings=st.lists(_names, unique=True),
)
def test_every_cloud_comes_once_and_none_before_its_ring(
    clouds: dict[str, str | None], rings: list[str]
) -> None:
    """Whatever the clouds and the rings."""
    batches = by_ring(clouds, rings)
    order = list(itertools.chain.from_iterable(batches))
    assert sorted(order) == sorted(clouds)
    assert all(batches), "a batch of no hosts is an error to Ansible"
    places = [
        rings.index(ring) if (ring := clouds[name]) in rings else len(rings) for name in order
    ]
    assert places == sorted(places)
    for batch in batches:
        assert batch == sorted(batch)


TWO_RINGS = [["a", "b", "c"], ["d", "e"]]


@pytest.mark.parametrize(
    ("batches", "percent", "canary", "all_batches"),
    [
        pytest.param([], 10, [], [], id="no clouds, no canary"),
        pytest.param([["a", "b"]], 0, [], [["a", "b"]], id="no percent, no canary"),
        pytest.param([["a", "b"]], 1, [["a"]], [["a"], ["b"]], id="one cloud at the least"),
        pytest.param(
            [["a", "b", "c", "d"]],
            50,
            [["a", "b"]],
            [["a", "b"], ["c", "d"]],
            id="the part that it says",
        ),
        pytest.param([["a", "b", "c"]], 50, [["a", "b"]], [["a", "b"], ["c"]], id="rounded up"),
        pytest.param([["a", "b"]], 100, [["a", "b"]], [["a", "b"]], id="all of them"),
        pytest.param(
            TWO_RINGS, 20, [["a"]], [["a"], ["b", "c"], ["d", "e"]], id="of the first ring"
        ),
        pytest.param(TWO_RINGS, 60, [["a", "b", "c"]], TWO_RINGS, id="the first ring"),
        pytest.param(
            TWO_RINGS,
            80,
            [["a", "b", "c"], ["d"]],
            [["a", "b", "c"], ["d"], ["e"]],
            id="ring by ring",
        ),
    ],
)
def test_the_canary(
    batches: list[list[str]], percent: int, canary: list[list[str]], all_batches: list[list[str]]
) -> None:
    """Alone, and before the rest."""
    assert canary_of(batches, percent) == canary
    assert canary_first(batches, percent) == all_batches


@given(sizes=st.lists(st.integers(1, 30), max_size=5), percent=st.integers(0, 100))
def test_the_canary_changes_no_order_and_loses_no_cloud(sizes: list[int], percent: int) -> None:
    """Whatever the rings, and however large it is."""
    names = iter(range(sum(sizes)))
    batches = [[str(next(names)) for _each in range(size)] for size in sizes]
    every = list(itertools.chain.from_iterable(batches))
    assert list(itertools.chain.from_iterable(canary_first(batches, percent))) == every
    canary = list(itertools.chain.from_iterable(canary_of(batches, percent)))
    assert canary == every[: len(canary)]
    assert 0 <= len(canary) - len(every) * percent / 100 < 1
    assert all(
        any(set(batch) <= set(ring) for ring in batches) for batch in canary_first(batches, percent)
    )


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        pytest.param(1, [["a"], ["b"], ["c"], ["d"], ["e"]], id="one by one"),
        pytest.param(2, [["a", "b"], ["c"], ["d", "e"]], id="no batch has clouds of two rings"),
        pytest.param(3, TWO_RINGS, id="a ring that is small enough stays whole"),
    ],
)
def test_smaller_batches(most: int, expected: list[list[str]]) -> None:
    """A failure stops what comes after the batch, so that a ring must not share one with the next."""
    assert cut(TWO_RINGS, most) == expected


CLOUDS = {"a": "early", "b": "canary", "c": None, "d": "early", "e": "canary"}


@pytest.mark.parametrize(
    ("rings", "percent", "only", "serial", "expected"),
    [
        pytest.param([], 0, "all", None, ["abcde"], id="without steps one batch of all"),
        pytest.param([], 0, "all", 2, ["ab", "cd", "e"], id="a largest batch"),
        pytest.param(RINGS, 0, "all", None, ["be", "ad", "c"], id="ring by ring"),
        pytest.param(RINGS, 0, "all", 1, list("beadc"), id="rings with a largest batch"),
        pytest.param([], 20, "all", None, ["a", "bcde"], id="a canary first"),
        pytest.param(RINGS, 20, "all", None, ["b", "e", "ad", "c"], id="the canary of rings"),
        pytest.param(RINGS, 60, "canary", None, ["be", "a"], id="the canary alone, ring by ring"),
        pytest.param(RINGS, 60, "canary", 1, ["b", "e", "a"], id="and with a largest batch"),
        pytest.param([], 100, "canary", None, ["abcde"], id="a canary of all"),
    ],
)
def test_the_batches_of_a_rollout(
    rings: list[str], percent: int, only: str, serial: int | None, expected: list[str]
) -> None:
    assert batches_of(CLOUDS, rings, percent, only, serial) == [list(batch) for batch in expected]


@pytest.mark.parametrize(
    ("groups", "rings", "percent", "only", "serial", "expected"),
    [
        pytest.param(["bc"], [], 0, "all", 2, ["a", "bc", "de"], id="in one batch that has room"),
        pytest.param(
            ["ae"], [], 0, "all", 2, ["ae", "bc", "d"], id="wherever they would have been"
        ),
        pytest.param(["abcd"], [], 0, "all", 2, ["abcd", "e"], id="more than the largest batch"),
        pytest.param(["bcd"], [], 0, "all", 2, ["a", "bcd", "e"], id="and none beside these"),
        pytest.param(["ab"], RINGS, 0, "all", None, ["e", "abd", "c"], id="with the last ring"),
        pytest.param(["bc", "ad"], RINGS, 0, "all", 1, ["e", "ad", "bc"], id="several groups"),
        pytest.param(["ab"], [], 20, "all", None, ["abcde"], id="in no canary without the rest"),
        pytest.param(["be"], RINGS, 40, "canary", None, ["be"], id="in a canary that has them"),
        pytest.param(["ab"], RINGS, 40, "canary", None, ["e"], id="or not at all"),
    ],
)
def test_a_group_of_clouds_is_not_divided(
    groups: list[str],
    rings: list[str],
    percent: int,
    only: str,
    serial: int | None,
    expected: list[str],
) -> None:
    found = batches_of(CLOUDS, rings, percent, only, serial, list(map(list, groups)))
    assert ["".join(sorted(batch)) for batch in found] == expected


@pytest.mark.parametrize("only", ["all", "canary"])
def test_without_clouds_there_are_no_batches(only: str) -> None:
    assert batches_of({}, RINGS, 10, only, None) == []


@given(
    clouds=st.dictionaries(st.text("abcdef", min_size=1, max_size=3), st.none() | _names),
    rings=st.lists(_names, unique=True),
    percent=st.integers(0, 100),
    only=st.sampled_from(["all", "canary"]),
    serial=st.none() | st.integers(1, 5),
)
def test_no_cloud_is_in_two_batches_and_none_of_a_whole_rollout_is_left_out(
    clouds: dict[str, str | None], rings: list[str], percent: int, only: str, serial: int | None
) -> None:
    """Whatever the steps."""
    batches = batches_of(clouds, rings, percent, only, serial)
    order = list(itertools.chain.from_iterable(batches))
    whole = list(itertools.chain.from_iterable(by_ring(clouds, rings)))
    assert order == (whole if only == "all" else whole[: len(order)])
    assert all(1 <= len(batch) <= (serial or len(clouds)) for batch in batches)
    for batch in batches:
        assert len({clouds[name] if clouds[name] in rings else None for name in batch}) == 1
