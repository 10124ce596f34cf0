# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is installed elsewhere has a version, and a hash or a digest where the tool knows one."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[3]
REQUIREMENTS = ROOT / "tests/requirements"
IMAGE = yaml.safe_load((ROOT / "execution-environment/execution-environment.yml").read_text())
PROJECT = ROOT / "examples/awx_project"
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")
_VERSION = r"\d+\.\d+\.\d+(-rc\.\d+)?"  # a candidate too
_VERSION_IN_URL = re.compile(rf"-{_VERSION}\.tar\.gz\Z")


def pins(name: str) -> dict[str, tuple[str, bool]]:
    """The version of each requirement, and whether it has a hash."""
    text = (REQUIREMENTS / f"{name}.txt").read_text().replace("\\\n", " ")
    lines = (line.split() for line in text.splitlines())
    return {
        words[0].split("==")[0]: (words[0].split("==")[1], "--hash=sha256:" in " ".join(words))
        for words in lines
    }


@pytest.mark.parametrize("name", sorted(path.stem for path in REQUIREMENTS.glob("*.txt")))
def test_each_requirement_of_the_tests_has_a_hash(name: str) -> None:
    found = pins(name)
    assert found
    assert [package for package, (_version, has_hash) in found.items() if not has_hash] == []


def test_the_image_holds_what_the_tests_run_with() -> None:
    needs = IMAGE["dependencies"]
    python = [needs["ansible_core"]["package_pip"], needs["ansible_runner"]["package_pip"]]
    found = dict(text.split("==") for text in [*python, *needs["python"]])
    tested = pins("pytest")
    assert found == {package: tested[package][0] for package in found}
    assert set(found) == {"ansible-core", "ansible-runner", "boto3", "botocore"}


def test_the_base_image_has_a_version() -> None:
    name = IMAGE["images"]["base_image"]["name"]
    assert re.search(r":\d+\.\d+\Z|@sha256:[0-9a-f]{64}\Z", name)


def test_awx_is_given_an_image_by_its_digest() -> None:
    variables = yaml.safe_load((PROJECT / "awx/vars.yml").read_text())
    assert _DIGEST.search(variables["awx_setup_execution_environment_image"])


def _is_pinned(collection: dict[str, t.Any]) -> bool:
    if collection.get("type") == "url":
        return bool(_VERSION_IN_URL.search(collection["name"]))
    return bool(re.fullmatch(_VERSION, str(collection.get("version"))))


def test_the_project_for_awx_names_one_version_of_each_collection() -> None:
    needs = yaml.safe_load((PROJECT / "collections/requirements.yml").read_text())
    assert [found["name"] for found in needs["collections"] if not _is_pinned(found)] == []
