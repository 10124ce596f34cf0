# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tarball: what is in it, and that what it installs is documented and found."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from ansible_collections.rayfleet.anyscale.tools.bill_of_materials import bill_of_materials
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT
from ansible_collections.rayfleet.anyscale.tools.release import build_tarball, commit_time

COLLECTION = "rayfleet.anyscale"
REQUIRED = {
    *("MANIFEST.json", "LICENSE", "README.md", "CHANGELOG.rst", "CONTRIBUTING.md"),
    *("meta/runtime.yml", "meta/execution-environment.yml", "meta/ee-requirements.txt"),
    *("execution-environment/execution-environment.yml", "extensions/audit/event_query.yml"),
}
# The code finds these by their names, so that all that are in the clone have to be in the tarball.
FOUND_BY_NAME = (
    *("playbooks/**/*.*", "plugins/plugin_utils/**/assets/*.*", "examples/**/*.*"),
    "extensions/eda/**/*.*",
)
DOCUMENTED = {
    "module": "plugins/modules/*.py",
    "role": "roles/*",
    **{kind: f"plugins/{kind}/*.py" for kind in ("callback", "inventory", "lookup")},
}


@pytest.fixture(scope="module")
def names(tarball: Path) -> set[str]:
    """Of the files and folders in the tarball."""
    with tarfile.open(tarball) as archive:
        return set(archive.getnames())


def in_clone(pattern: str) -> set[str]:
    """The files of the clone that match a pattern, which has to match some."""
    found = {str(path.relative_to(ROOT)) for path in ROOT.glob(pattern)}
    assert found, pattern
    return found


def test_nothing_hidden_or_generated_is_inside(names: set[str]) -> None:
    steps = {name: Path(name).parts for name in names}
    assert [
        name
        for name, parts in steps.items()
        if "__pycache__" in parts or any(part.startswith(".") for part in parts)
    ] == []


def test_what_users_need_is_inside(names: set[str]) -> None:
    assert REQUIRED - names == set()


@pytest.mark.parametrize("pattern", FOUND_BY_NAME)
def test_what_is_found_by_name_is_inside(names: set[str], pattern: str) -> None:
    assert in_clone(pattern) - names == set()


def test_two_builds_are_the_same(tarball: Path, tmp_path: Path) -> None:
    """From a copy in another folder, of other times, whose files another order lists."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    copy = tmp_path / "ansible_collections/rayfleet/anyscale"
    for number, name in enumerate(sorted(filter(None, listed.split("\0")), reverse=True)):
        if (ROOT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
            os.utime(copy / name, (number, number))
    (tmp_path / "dist").mkdir()
    again = build_tarball(tmp_path / "dist", commit_time(), copy)
    assert again.read_bytes() == tarball.read_bytes()


def test_the_bill_of_materials_is_one(tarball: Path) -> None:
    """By the schema that CycloneDX's own library has; with every file, and what is needed."""
    text = bill_of_materials(tarball, 1_764_000_000)
    assert text == bill_of_materials(tarball, 1_764_000_000)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    collection = bill["metadata"]["component"]
    digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
    assert collection["hashes"] == [{"alg": "SHA-256", "content": digest}]
    with tarfile.open(tarball) as archive:
        packed = {member.name for member in archive if member.isfile()}
    files = {one["name"] for one in bill["components"] if one["type"] == "file"}
    assert packed - files == {"MANIFEST.json", "FILES.json"}
    assert files < packed
    needed = {one["name"] for one in bill["components"] if one["type"] == "library"}
    assert needed == {"ansible-core", "boto3", "botocore"}


@pytest.mark.parametrize("kind", DOCUMENTED)
def test_documentation_is_read_from_the_installed_copy(collections: Path, kind: str) -> None:
    expected = sorted(f"{COLLECTION}.{Path(path).stem}" for path in in_clone(DOCUMENTED[kind]))
    shown = run_installed(collections, "ansible-doc", "--json", "-t", kind, *expected)
    documented = json.loads(shown)
    assert sorted(documented) == expected
    for name, document in documented.items():
        path = document["path"] if kind == "role" else document["doc"]["filename"]
        assert path.startswith(f"{collections}/ansible_collections"), name


def test_playbooks_are_found_in_the_installed_copy(collections: Path) -> None:
    names = sorted(in_clone("playbooks/*.yml"))
    playbooks = [f"{COLLECTION}.{Path(name).stem}" for name in names]
    shown = run_installed(collections, "ansible-playbook", "--syntax-check", *playbooks)
    installed = collections / "ansible_collections/rayfleet/anyscale"
    assert [line for line in shown.splitlines() if line.startswith("playbook: ")] == [
        f"playbook: {installed / name}" for name in names
    ]


def run_installed(collections: Path, *command: str) -> str:
    """What a command prints that finds the collection in the installed copy."""
    env = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(collections)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
