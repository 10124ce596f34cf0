# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A release: whether the clone is ready for it, and, once all tests have passed, its tarball.
``make release`` runs both.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import yaml

from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT

MADE_BY_THE_BUILD = {"MANIFEST.json", "FILES.json"}
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclasses.dataclass(frozen=True)
class State:
    """What decides whether a clone can be released."""

    version: str
    released: list[str]
    fragments: list[str]
    uncommitted: list[str]
    tags: list[str]


def state_of(root: Path) -> State:
    """Of the clone, as it is now."""
    changelog = yaml.safe_load((root / "changelogs/changelog.yaml").read_text())
    return State(
        version=yaml.safe_load((root / "galaxy.yml").read_text())["version"],
        released=list(changelog["releases"]),
        fragments=sorted(path.name for path in (root / "changelogs/fragments").glob("*.y*ml")),
        uncommitted=_git(root, "status", "--porcelain"),
        tags=_git(root, "tag", "--list"),
    )


def _git(root: Path, *arguments: str) -> list[str]:
    return subprocess.run(
        ["git", *arguments], cwd=root, check=True, capture_output=True, text=True
    ).stdout.splitlines()


def problems(state: State) -> list[str]:
    """What has to be fixed before this is a release."""
    found = []
    if state.uncommitted:
        found.append(f"not committed: {', '.join(line[3:] for line in state.uncommitted[:10])}")
    if not _VERSION.fullmatch(state.version):
        found.append(f"galaxy.yml has the version {state.version}, which is not of the form 1.2.3")
    newest = max(state.released, key=_order, default="none")
    if newest != state.version:
        found.append(
            f"galaxy.yml has the version {state.version}, and the changelog's newest release is "
            f"{newest}"
        )
    if state.fragments:
        found.append(
            f"not in the changelog yet: {', '.join(state.fragments)} (antsibull-changelog release)"
        )
    if state.version in state.tags:
        found.append(f"{state.version} is tagged already: raise the version")
    return found


def _order(version: str) -> tuple[int, ...]:
    """Versions as numbers, since 0.10.0 comes after 0.9.0."""
    found = _VERSION.match(version)
    return tuple(map(int, found.groups())) if found else ()


def uncommitted_files(tarball: Path, committed: list[str]) -> list[str]:
    """The tarball's files that are not in the repository."""
    with tarfile.open(tarball) as archive:
        files = {member.name for member in archive if not member.isdir()}
    return sorted(files - {*committed} - MADE_BY_THE_BUILD)


def build_tarball(folder: Path) -> Path:
    """Build the collection's tarball in a folder that holds no other."""
    command = ("ansible-galaxy", "collection", "build", "--force", "--output-path", str(folder))
    subprocess.run(command, cwd=ROOT, check=True)
    [tarball] = folder.glob("*.tar.gz")
    return tarball


def build_release(state: State) -> list[str]:
    """Build the tarball and say what is left to do; returns what is wrong with it."""
    shutil.rmtree(CACHE / "dist", ignore_errors=True)
    tarball = build_tarball(CACHE / "dist")
    found = uncommitted_files(tarball, _git(ROOT, "ls-files"))
    if found:
        return [f"the tarball holds what is not in the repository: {', '.join(found[:10])}"]
    path = tarball.relative_to(ROOT)
    print(
        f"\n{path} is built.\nsha256: {hashlib.sha256(tarball.read_bytes()).hexdigest()}\n\nLeft "
        "to do by hand:"
    )
    print(f"  git tag --annotate --message 'Release {state.version}' {state.version}")
    print(f"  git push origin {state.version}")
    print(f"  ansible-galaxy collection publish {path}")
    return []


def main() -> int:
    """0: the clone is ready, or the tarball is built."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "step",
        choices=("ready", "build"),
        help="ready: look, before the tests; build: look again, and build the tarball",
    )
    step = parser.parse_args().step
    state = state_of(ROOT)
    found = problems(state) or (build_release(state) if step == "build" else [])
    if found:
        print("No release:", *(f"  {problem}" for problem in found), sep="\n", file=sys.stderr)
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
