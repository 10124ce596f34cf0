# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lines to add to a fleet file, for several clouds as one text."""

from __future__ import annotations

import typing as t

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._inventory import lines


def text_of(number: int) -> str:
    """The lines of one cloud, all of them in one account."""
    account = {"roles": [f"ray-{number:05}", "ray"]}
    return lines.render(
        {"allow": {"accounts": {"111111111111": account}}, "clouds": {f"cld_{number}": {}}},
        {f"cld_{number}": f"cloud {number}"},
    )


def test_lists_are_merged_and_sorted_and_names_are_kept() -> None:
    assert lines.merged([text_of(2), "", text_of(1), text_of(2)]) == (
        "allow:\n  accounts:\n    '111111111111':\n      roles:\n      - ray\n      - ray-00001\n"
        "      - ray-00002\nclouds:\n  cld_1: {}  # cloud 1\n  cld_2: {}  # cloud 2\n"
    )


def test_of_nothing_there_is_nothing() -> None:
    assert lines.merged(["", ""]) == ""


def test_a_list_is_sorted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a fleet's length, sorting it for each cloud takes minutes."""
    sorts: list[int] = []

    def counted(items: t.Iterable[str]) -> list[str]:
        found = sorted(items)
        sorts.append(len(found))
        return found

    monkeypatch.setattr(lines, "sorted", counted, raising=False)
    found = yaml.safe_load(lines.merged(map(text_of, range(50))))
    assert len(found["allow"]["accounts"]["111111111111"]["roles"]) == 51
    assert sorts == [51]
