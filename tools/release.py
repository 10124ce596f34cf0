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
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import yaml

from ansible_collections.rayfleet.anyscale.tools.bill_of_materials import bill_of_materials
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT
from ansible_collections.rayfleet.anyscale.tools.tarball import (
    FILES,
    MANIFEST,
    make_reproducible,
    read_member,
)

MADE_BY_THE_BUILD = {MANIFEST, FILES}
_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:-rc\.(\d+))?")


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
        found.append(
            f"galaxy.yml has the version {state.version}, which is not of the form 1.2.3 or 1.2.3-rc.1"
        )
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
    """Versions as numbers, since 0.10.0 comes after 0.9.0. Candidates come before their release."""
    found = _VERSION.match(version)
    if not found:
        return ()
    *numbers, candidate = found.groups()
    return (*map(int, numbers), int(candidate is None), int(candidate or 0))


def uncommitted_files(tarball: Path, committed: list[str]) -> list[str]:
    """The tarball's files that are not in the repository."""
    with tarfile.open(tarball) as archive:
        files = {member.name for member in archive if not member.isdir()}
    return sorted(files - {*committed} - MADE_BY_THE_BUILD)


def commit_time(root: Path = ROOT) -> int:
    """The time of the commit, which all files of a release have, in seconds since 1970. The variable
    SOURCE_DATE_EPOCH (https://reproducible-builds.org/specs/source-date-epoch/) replaces it.
    """
    given = os.environ.get("SOURCE_DATE_EPOCH")
    return int(given or _git(root, "log", "-1", "--format=%ct")[0])


def build_tarball(folder: Path, epoch: int, source: Path = ROOT) -> Path:
    """Build the collection's tarball in a folder that holds no other: the same for the same files."""
    command = ("ansible-galaxy", "collection", "build", "--force", "--output-path", str(folder))
    subprocess.run(command, cwd=source, check=True)
    [tarball] = folder.glob("*.tar.gz")
    make_reproducible(tarball, epoch)
    return tarball


def build_release(state: State) -> list[str]:
    """Build the tarball and what belongs to it, and say what is left to do; returns what is wrong
    with it.
    """
    shutil.rmtree(CACHE / "dist", ignore_errors=True)
    epoch = commit_time()
    tarball = build_tarball(CACHE / "dist", epoch)
    found = uncommitted_files(tarball, _git(ROOT, "ls-files"))
    if found:
        return [f"the tarball holds what is not in the repository: {', '.join(found[:10])}"]
    stem = tarball.name.removesuffix(".tar.gz")
    bill, manifest = tarball.with_name(f"{stem}.cdx.json"), tarball.with_name(MANIFEST)
    bill.write_text(bill_of_materials(tarball, epoch))
    manifest.write_bytes(read_member(tarball, MANIFEST))
    path, bill, manifest = (made.relative_to(ROOT) for made in (tarball, bill, manifest))
    print(
        f"\n{path} and {bill} are built.\nsha256: "
        f"{hashlib.sha256(tarball.read_bytes()).hexdigest()}\n\nLeft to do by hand:"
    )
    print(f"  git tag --sign --message 'Release {state.version}' {state.version}")
    print(f"  git push origin {state.version}")
    print(f"  gpg --armor --detach-sign --output {path.with_name(stem)}.asc {manifest}")
    print(f"  ansible-galaxy collection publish {path}")
    print(f"  Attach {path}, {bill} and the signature to the release of {state.version}.")
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
