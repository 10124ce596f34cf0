# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What blocks a release is reported before anything is built."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import tarfile
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tools.release import (
    State,
    problems,
    state_of,
    uncommitted_files,
)

READY = State(
    version="0.10.0",
    released=["0.9.0", "0.10.0", "0.2.0"],
    fragments=[],
    uncommitted=[],
    tags=["0.9.0"],
)


def test_a_clone_that_is_ready() -> None:
    """The newest release is the highest number, and not what comes last in the alphabet."""
    assert problems(READY) == []


@pytest.mark.parametrize(
    "released",
    [
        pytest.param(["1.0.0-rc.2", "0.9.0", "1.0.0-rc.1"], id="after an earlier candidate"),
        pytest.param(["1.0.0-rc.10", "1.0.0-rc.9"], id="by its number"),
        pytest.param(["1.0.0", "1.0.0-rc.2"], id="the release comes after its candidates"),
    ],
)
def test_a_candidate_can_be_released(released: list[str]) -> None:
    state = dataclasses.replace(READY, version=released[0], released=sorted(released))
    assert problems(state) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            {"uncommitted": [" M README.md", "?? new.py"]},
            "not committed: README.md, new.py",
            id="not committed",
        ),
        pytest.param(
            {"version": "0.11.0"},
            "changelog's newest release is 0.10.0",
            id="a version that the changelog does not have",
        ),
        pytest.param(
            {"version": "0.9.0", "tags": []},
            "changelog's newest release is 0.10.0",
            id="a version that was not raised",
        ),
        pytest.param(
            {"version": "1.0", "released": ["1.0"]},
            "not of the form 1.2.3",
            id="no semantic version",
        ),
        pytest.param({"released": []}, "newest release is none", id="an empty changelog"),
        pytest.param(
            {"fragments": ["faults.yml"]},
            "not in the changelog yet: faults.yml",
            id="left-over fragments",
        ),
        pytest.param({"tags": ["0.10.0"]}, "0.10.0 is tagged already", id="released before"),
    ],
)
def test_what_blocks_a_release_is_reported(change: dict[str, t.Any], expected: str) -> None:
    """Each by itself."""
    [problem] = problems(dataclasses.replace(READY, **change))
    assert expected in problem


def test_all_that_blocks_a_release_is_reported_at_once() -> None:
    """Not one after the other."""
    assert (
        len(
            problems(
                dataclasses.replace(
                    READY, uncommitted=["?? a"], fragments=["b.yml"], tags=["0.10.0"]
                )
            )
        )
        == 3
    )


def test_the_state_is_read_from_the_clone(tmp_path: Path) -> None:
    """From its files, and from git."""
    (tmp_path / "changelogs/fragments").mkdir(parents=True)
    (tmp_path / "changelogs/changelog.yaml").write_text("releases: {1.0.0: {}}\n")
    (tmp_path / "galaxy.yml").write_text("version: 1.1.0\n")
    _git(tmp_path, "init", "--quiet")
    _git(tmp_path, "add", ".")
    _git(
        tmp_path,
        "-c",
        "user.name=a",
        "-c",
        "user.email=a@example.com",
        "commit",
        "--quiet",
        "--message",
        "All",
    )
    _git(tmp_path, "tag", "1.0.0")
    (tmp_path / "changelogs/fragments/new.yml").write_text("minor_changes: []\n")
    assert state_of(tmp_path) == State(
        "1.1.0", ["1.0.0"], ["new.yml"], ["?? changelogs/fragments/"], ["1.0.0"]
    )


def _git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True)


def test_what_is_only_in_the_tarball_is_reported(tmp_path: Path) -> None:
    """Such as a file that git ignores and the build does not; what the build itself adds is none."""
    path = tmp_path / "collection.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for name in ("MANIFEST.json", "FILES.json", "README.md", "plugins/stray.py"):
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    assert uncommitted_files(path, ["README.md", "galaxy.yml"]) == ["plugins/stray.py"]
