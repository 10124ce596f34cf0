# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each cloud of a run counts once, by its outcome, and every cloud that was not in sync is named."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.next_plays import (
    MOST_FAILED,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.summary import (
    backups_of,
    closing_lines,
    counts_of,
    failed_clouds,
    lines_of,
    lines_to_add,
    not_in_recap,
    written_in_part,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.uncovered import how_to_permit

pytestmark = pytest.mark.core

Json = dict[str, t.Any]

STATES = ("changed", "would_change", "failed", "not_reached", "in_sync", "deferred")
CHANGED: Json = {"state": "changed", "reasons": ["ec2_trust_missing", "access_missing"]}
IN_SYNC: Json = {"state": "in_sync", "reasons": []}
FAILED: Json = {"state": "failed", "reasons": [], "msg": "No such role."}
OUTCOMES: dict[str, Json] = {
    "e": {**CHANGED, "overwritten": True},
    "d": {"state": "not_reached", "reasons": []},
    "c": FAILED,
    "b": IN_SYNC,
    "a": CHANGED,
    "f": {"state": "deferred", "reasons": []},
}
STAMP = "20270105T090000-000000Z"


def test_every_cloud_counts_once() -> None:
    assert counts_of(OUTCOMES) == {
        "selected": 6,
        "changed": 2,
        "failed": 1,
        "not_reached": 1,
        "in_sync": 1,
        "deferred": 1,
        "not_permitted": 0,
    }


@pytest.mark.parametrize(
    ("more", "lines"),
    [
        (0, []),
        (
            1,
            [
                f"Of the {MOST_FAILED + 1} clouds that failed, {MOST_FAILED} are in the recap of hosts."
            ],
        ),
    ],
    ids=["few", "many"],
)
def test_what_the_recap_has_not_is_said(more: int, lines: list[str]) -> None:
    assert not_in_recap({str(number): FAILED for number in range(MOST_FAILED + more)}) == lines


def test_a_predicted_change_counts_as_one() -> None:
    """So that a run with --check and the run itself have the same counts."""
    predicted = {name: {**one, "state": "would_change"} for name, one in OUTCOMES.items()}
    assert counts_of(predicted)["changed"] == 6


@given(st.lists(st.sampled_from(STATES), max_size=20))
def test_no_cloud_is_left_out_of_the_counts(states: list[str]) -> None:
    counts = counts_of({str(n): {"state": state} for n, state in enumerate(states)})
    assert counts.pop("selected") == len(states) == sum(counts.values())


def test_clouds_that_are_not_permitted_are_counted_beside_the_selected_ones() -> None:
    """They would vanish unseen otherwise: a run reads and writes nothing of them."""
    counts = counts_of(OUTCOMES, ["x", "y"])
    assert (counts["selected"], counts["not_permitted"]) == (6, 2)
    for said in (lines_of, closing_lines):
        head, *lines = said(OUTCOMES, False, not_permitted=["x", "y"])
        assert head == "2 changed, 1 in sync, 1 failed, 1 not reached, 1 deferred, 2 not permitted"
        assert "Not permitted: x, y" in lines
        assert how_to_permit(Invocation()) in lines


def test_without_clouds_the_counts_are_there() -> None:
    """As where no cloud was selected."""
    assert set(counts_of({}).values()) == {0}
    assert lines_of({}, check_mode=False) == ["0 changed, 0 in sync, 0 failed"]


def test_failed_clouds_are_named_in_order() -> None:
    assert failed_clouds({"z": FAILED, "y": CHANGED, "x": FAILED}) == ["x", "z"]


def test_every_cloud_that_was_not_in_sync_has_a_line() -> None:
    """By name. One that is deferred to another run is only counted."""
    assert lines_of(OUTCOMES, check_mode=False) == [
        "2 changed, 1 in sync, 1 failed, 1 not reached, 1 deferred",
        "a changed: ec2_trust_missing, access_missing",
        "c failed: No such role.",
        "d was not reached",
        "e changed: ec2_trust_missing, access_missing, and restored after another writer had "
        "overwritten it",
        "Clouds in sync may be missing in the recap of hosts; the counts include them.",
    ]


def test_what_is_read_last_names_the_clouds_to_look_at_and_tells_nothing_again() -> None:
    """The reasons were told when a cloud changed or failed."""
    assert closing_lines(OUTCOMES, check_mode=False) == [
        "2 changed, 1 in sync, 1 failed, 1 not reached, 1 deferred",
        "Failed: c",
        "Not reached: d",
        "Changed, and restored after another writer had overwritten it: e",
        "Clouds in sync may be missing in the recap of hosts; the counts include them.",
    ]


def test_clouds_that_failed_after_a_write_are_named() -> None:
    """No count of changes has them."""
    outcomes = {**OUTCOMES, "g": {**FAILED, "changed": True}}
    lines = closing_lines(outcomes, check_mode=False)
    assert lines[1:3] == ["Failed: c, g", "Of these, a part was written for: g"]
    assert written_in_part(outcomes) == ["g"]


def test_a_prediction_reads_as_one() -> None:
    lines = lines_of({"a": {**CHANGED, "state": "would_change"}}, check_mode=True)
    assert lines == [
        "1 would change, 0 in sync, 0 failed",
        "a would change: ec2_trust_missing, access_missing",
    ]


@pytest.mark.parametrize(("clouds", "shown", "last"), [(200, 200, None), (203, 200, "and 3 more")])
def test_a_large_fleet_has_a_bounded_summary(clouds: int, shown: int, last: str | None) -> None:
    """What is left out is counted."""
    _head, *lines = lines_of({f"{n:04}": FAILED for n in range(clouds)}, check_mode=False)
    assert len([line for line in lines if "failed" in line]) == shown
    assert lines[shown:] == ([last] if last else [])


UNCOVERED: dict[str, Json] = {
    name: {
        **FAILED,
        "error": {
            "lines_to_add": f"allow:\n  roles:\n  - {name}-ray\nclouds:\n  cld_{name}: {{}}\n"
        },
    }
    for name in "ab"
}


def test_the_lines_to_add_to_the_fleet_file_are_one_yaml_document() -> None:
    """Which is printed as it stands: a list of lines in a task's result could not be pasted."""
    text = lines_to_add({**OUTCOMES, **UNCOVERED})
    assert text == ("allow:\n  roles:\n  - a-ray\n  - b-ray\nclouds:\n  cld_a: {}\n  cld_b: {}\n")
    said = [line for line in lines_of(UNCOVERED, False) if "fleet file" in line]
    assert len(said) == 1
    assert "printed above" in said[0]
    assert "merge" in said[0]


def test_where_all_is_permitted_nothing_is_to_be_added() -> None:
    assert lines_to_add(OUTCOMES) == ""
    assert not any("fleet file" in line for line in lines_of(OUTCOMES, False))


def _backup(folder: str, run: str = "4711", name: str = "ray-6f93b71c3b65") -> str:
    return f"{folder}/{STAMP}.{run}.trust_policy.{name}.json"


def test_backups_are_named_once_for_each_run_and_folder() -> None:
    """Whichever cloud and resource they are of."""
    outcomes = {
        "a": {**CHANGED, "backup_files": [_backup("/one"), _backup("/one", name="b-6f93b71c3b65")]},
        "b": {**CHANGED, "backup_files": [_backup("/other")]},
        "c": {**FAILED, "backup_files": [_backup("/one")]},
        "d": FAILED,
    }
    assert backups_of(outcomes) == [
        {"folder": "/one", "run": "4711"},
        {"folder": "/other", "run": "4711"},
    ]


@pytest.mark.parametrize(
    ("folder", "displayed", "options"),
    [
        pytest.param(
            "{home}/{default}", "~/{default}", "-e rollback_run=4711", id="the default directory"
        ),
        pytest.param(
            "/var/b",
            "/var/b",
            "-e rollback_run=4711 -e cloud_iam_backup_dir=/var/b",
            id="another directory",
        ),
        pytest.param(
            "{home}/b",
            "~/b",
            "-e rollback_run=4711 -e cloud_iam_backup_dir=/home/jo/b",
            id="another directory of the user",
        ),
    ],
)
def test_the_command_that_restores_the_backups(
    monkeypatch: pytest.MonkeyPatch, folder: str, displayed: str, options: str
) -> None:
    """It can be copied as it is."""
    monkeypatch.setenv("HOME", "/home/jo")
    monkeypatch.delenv("ANSIBLE_HOME", raising=False)
    default = ".ansible/anyscale_backups"
    place = folder.format(home="/home/jo", default=default)
    line = lines_of({"a": {**CHANGED, "backup_files": [_backup(place)]}}, check_mode=False)[-1]
    assert line == (
        f"Backups of the replaced documents are in {displayed.format(default=default)}. To undo "
        f"this run: ansible-playbook rayfleet.anyscale.rollback {options}"
    )


def test_a_job_of_awx_names_no_command() -> None:
    outcomes = {"a": {**CHANGED, "backup_files": [_backup("/var/b")]}}
    line = lines_of(outcomes, False, Invocation(in_awx=True))[-1]
    assert line.endswith("To undo this run: launch the job template rollback with 4711 for Run")
