# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a change that users notice comes with a changelog fragment, or with a release of it.

Compares HEAD with the commit at which it left BASE; without BASE, with the last release.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path

import yaml

from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

NOTICED = ("meta", "playbooks", "plugins", "roles")
FRAGMENTS = ("changelogs/fragments/*.yml", "changelogs/fragments/*.yaml")
CHANGELOG = "changelogs/changelog.yaml"
SHOWN = 10

HELP = """\
Write changelogs/fragments/<topic>.yml: a sentence for each change, under minor_changes, bugfixes,
breaking_changes and so on. What no user notices, such as code that was moved, goes under trivial,
which is not published."""


class BaseError(Exception):
    """There is nothing to compare HEAD with."""


@dataclasses.dataclass(frozen=True)
class Changes:
    """What a range of commits changed."""

    noticed: list[str]
    fragments: list[str]
    releases: list[str]

    @property
    def lack_fragment(self) -> bool:
        """Whether users would notice a change that no changelog mentions."""
        return bool(self.noticed) and not self.fragments and not self.releases


def changes(root: Path, base: str) -> Changes:
    """From a commit to HEAD. A deleted fragment counts for nothing: a release deletes them."""
    return Changes(
        noticed=_changed(root, base, *NOTICED),
        fragments=_changed(root, base, *(f":(glob){pattern}" for pattern in FRAGMENTS), only="AM"),
        releases=sorted(_releases(root, "HEAD") - _releases(root, base)),
    )


def merge_base(root: Path, ref: str) -> str:
    """The commit at which HEAD left another branch."""
    try:
        return _git(root, "merge-base", ref, "HEAD").strip()
    except subprocess.CalledProcessError as error:
        reason = error.stderr.strip() or "it has no commit in common with HEAD"
        raise BaseError(f"cannot compare with {ref}: {reason}") from error


def last_release(root: Path) -> str:
    """The commit that added the newest release to the changelog.

    It need not be the one that raised the version in galaxy.yml.
    """
    if _git(root, "rev-parse", "--is-shallow-repository").strip() == "true":
        # The oldest commit of a shallow clone seems to have added all releases.
        raise BaseError("this clone is shallow and lacks the last release (git fetch --unshallow)")
    commits = _git(root, "log", "--format=%H", "--", CHANGELOG).split()
    if not commits:
        raise BaseError(f"no commit has a {CHANGELOG}")
    for newer, older in itertools.pairwise(commits):
        if _releases(root, newer) - _releases(root, older):
            return newer
    return commits[-1]


def _changed(root: Path, base: str, *paths: str, only: str = "") -> list[str]:
    """Files that differ. One that was moved counts twice, under its old name and its new one."""
    kinds = [f"--diff-filter={only}"] if only else []
    names = _git(
        root, "diff", "--name-only", "--no-renames", "-z", *kinds, base, "HEAD", "--", *paths
    )
    return sorted(filter(None, names.split("\0")))


def _releases(root: Path, commit: str) -> set[str]:
    """All releases that the changelog had at a commit."""
    if not _git(root, "ls-tree", "--name-only", commit, CHANGELOG):
        return set()
    changelog = yaml.safe_load(_git(root, "show", f"{commit}:{CHANGELOG}")) or {}
    return set(changelog.get("releases") or {})


def _git(root: Path, *arguments: str) -> str:
    return subprocess.run(
        ("git", *arguments), cwd=root, check=True, capture_output=True, text=True
    ).stdout


def report(found: Changes, since: str) -> str:
    """What was compared, and what is missing."""
    listed = [f"  {name}" for name in found.noticed[:SHOWN]]
    if len(found.noticed) > SHOWN:
        listed.append(f"  and {len(found.noticed) - SHOWN} more")
    if found.lack_fragment:
        return "\n".join(
            [f"No changelog fragment came with these changes since {since}:", *listed, HELP]
        )
    if not found.noticed:
        return f"Nothing that users notice changed since {since}."
    mentioned = ", ".join([*found.fragments, *(f"release {version}" for version in found.releases)])
    changed = f"{len(found.noticed)} files that users notice changed since {since}"
    return f"{changed}; mentioned in: {mentioned}"


def main(root: Path = ROOT, argv: list[str] | None = None) -> int:
    """0: nothing is missing. 1: a fragment is. 2: the named base is of no use."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "base", nargs="?", help="a branch, tag or commit; by default, the last release"
    )
    base = parser.parse_args(argv).base
    try:
        commit = merge_base(root, base) if base else last_release(root)
    except BaseError as error:
        print(f"changelog fragment: {'' if base else 'not checked: '}{error}", file=sys.stderr)
        return 2 if base else 0
    found = changes(root, commit)
    since = _git(root, "log", "-1", "--format=%h (%s)", commit).strip()
    print(report(found, since), file=sys.stderr if found.lack_fragment else sys.stdout)
    return int(found.lack_fragment)


if __name__ == "__main__":
    sys.exit(main())
