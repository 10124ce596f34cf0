# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run that did not do what it is measured for is found out."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.benchmarks import _proofs
from ansible_collections.rayfleet.anyscale.benchmarks._contenders import ONBOARD
from ansible_collections.rayfleet.anyscale.benchmarks._schedule import (
    AUDITED_DRIFTED,
    DRIFTED,
    FEW_DRIFTED,
    IN_SYNC,
    SHARED,
    Cell,
    Scenario,
)
from ansible_collections.rayfleet.anyscale.benchmarks._state import Fleet, State
from ansible_collections.rayfleet.anyscale.benchmarks._workplace import AUDIT_FOLDER

GRAPH = """@all:
  |--@anyscale_clouds:
  |  |--cloud-00000
  |  |--cloud-00001
"""
RECAP = """PLAY RECAP ****
cloud-00000                : ok=1    changed=1    unreachable=0    failed=0
cloud-00001                : ok=1    changed=1    unreachable=0    failed=0
cloud-00002                : ok=1    changed=0    unreachable=0    failed=0
localhost                  : ok=1    changed=1    unreachable=0    failed=0
"""


@pytest.mark.parametrize(
    ("clouds", "wrong"), [(2, ""), (3, "2 hosts were listed, not 3")], ids=["all", "one missing"]
)
def test_every_cloud_is_listed(tmp_path: Path, clouds: int, wrong: str) -> None:
    assert _proofs.listed(tmp_path, GRAPH, clouds, 0) == wrong


@pytest.mark.parametrize(
    ("clouds", "wrong"),
    [(2, ""), (3, "2 clouds would be changed, not 3")],
    ids=["all", "one unchanged"],
)
def test_every_cloud_would_be_changed(tmp_path: Path, clouds: int, wrong: str) -> None:
    assert _proofs.would_change(tmp_path, RECAP, clouds, 0) == wrong


def write_report(folder: Path, **states: int) -> None:
    """The report of an audit, as far as it is looked at."""
    (folder / AUDIT_FOLDER).mkdir()
    totals = {"clouds": {"error": 0, "fail": 0, "unknown": 0, "warn": 0, "pass": 0, **states}}
    (folder / AUDIT_FOLDER / "report.json").write_text(json.dumps({"totals": totals}))


AUDITS: dict[str, tuple[dict[str, int], str]] = {
    "as it should be": ({"pass": 7, "warn": 1, "fail": 2}, ""),
    "a cloud is missing": ({"pass": 7, "fail": 2}, "9 clouds are in the report, not 10"),
    "drift was not seen": ({"pass": 9, "fail": 1}, "1 clouds failed a check, not 2"),
    "what is in sync fails": ({"pass": 7, "fail": 3}, "3 clouds failed a check, not 2"),
    "a cloud was not read": (
        {"pass": 7, "unknown": 1, "fail": 2},
        "1 clouds could not be audited, not 0",
    ),
}


@pytest.mark.parametrize(("states", "wrong"), AUDITS.values(), ids=AUDITS)
def test_an_audit_finds_the_clouds_that_drifted(
    tmp_path: Path, states: dict[str, int], wrong: str
) -> None:
    write_report(tmp_path, **states)
    assert _proofs.audited(tmp_path, "", 10, 2) == wrong


def test_an_audit_without_a_report_did_nothing(tmp_path: Path) -> None:
    assert _proofs.audited(tmp_path, "", 10, 2) == "no report was written"


@pytest.mark.parametrize(
    ("scenario", "clouds", "drifted"),
    [
        (IN_SYNC, 50, 0),
        (DRIFTED, 50, 50),
        (FEW_DRIFTED, 50, 1),
        (AUDITED_DRIFTED, 50, 5),
        (SHARED, 20, 20),
    ],
    ids=lambda value: value.title if isinstance(value, Scenario) else str(value),
)
def test_a_cell_knows_how_many_clouds_the_server_lets_drift(
    scenario: Scenario, clouds: int, drifted: int
) -> None:
    cell = Cell(scenario, clouds, 20, ONBOARD)
    state: t.Any = State(Fleet(cell.shape), scenario.drifted_share)
    assert cell.drifted == drifted
    assert set(state.still_drifted().values()) == {drifted}
