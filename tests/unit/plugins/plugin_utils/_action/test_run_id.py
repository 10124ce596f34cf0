# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ID of a run is one word, which a double click selects."""

from __future__ import annotations

import typing as t

import pytest
from ansible import constants as C
from ansible.errors import AnsibleError

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_id import (
    run_id,
    with_run,
)

TEMPORARY = {
    "letters and digits": ("ansible-local-21333zt9ae9x8", "21333zt9ae9x8"),
    "an underscore at the end": ("ansible-local-21446er2tlpq_", "21446er2tlpq0"),
    "underscores within": ("ansible-local-214_6er_2tlp", "21406er02tlp"),
}


@pytest.mark.parametrize(("name", "expected"), TEMPORARY.values(), ids=list(TEMPORARY))
def test_the_id_has_letters_and_digits_only(
    monkeypatch: pytest.MonkeyPatch, name: str, expected: str
) -> None:
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", f"/home/jo/.ansible/tmp/{name}")
    assert run_id({}) == expected


@pytest.mark.parametrize("of_environment", [None, "4711"], ids=["a command line", "a job of AWX"])
def test_a_job_of_awx_is_known_by_its_number(
    monkeypatch: pytest.MonkeyPatch, of_environment: str | None
) -> None:
    if of_environment:
        monkeypatch.setenv("JOB_ID", of_environment)
    assert run_id({"awx_job_id": 4711}) == "4711"


def test_the_number_of_another_job_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its backups would be among those of that job."""
    monkeypatch.setenv("JOB_ID", "4712")
    with pytest.raises(AnsibleError, match="awx_job_id is 4711, but this is the job 4712 of AWX"):
        run_id({"awx_job_id": 4711})
    assert run_id({}) != "4712"


PLAY = {"awx_job_id": 4711, "ansible_play_name": "Set up the roles"}
OF_RUN = {"run_id": "4711", "run_name": "Set up the roles"}
ARGUMENTS: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], dict[str, t.Any]]] = {
    "none": ({}, PLAY, OF_RUN),
    "those of the task": ({"run_id": "a", "run_name": "b"}, PLAY, {"run_id": "a", "run_name": "b"}),
    "variables that are null": ({"run_id": None, "run_name": None}, PLAY, OF_RUN),
    "a name that is too long": (
        {},
        {**PLAY, "ansible_play_name": "a" * 90},
        {**OF_RUN, "run_name": "a" * 80},
    ),
    "a name in two lines": ({}, {**PLAY, "ansible_play_name": "a\nb"}, {"run_id": "4711"}),
    "no name": ({}, {"awx_job_id": 4711}, {"run_id": "4711"}),
}


@pytest.mark.parametrize(
    ("given", "variables", "expected"), ARGUMENTS.values(), ids=list(ARGUMENTS)
)
def test_the_backups_of_a_task_are_of_the_run(
    given: dict[str, t.Any], variables: dict[str, t.Any], expected: dict[str, t.Any]
) -> None:
    others = {"role": "ray"}
    assert with_run({**others, **given}, variables) == {**others, **expected}
