# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What users notice is not changed without a changelog fragment."""

from __future__ import annotations

import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tools.changelog_fragment import SHOWN, main

FRAGMENT = "changelogs/fragments/topic.yml"
FRAGMENT_NAME = "changelogs/fragments/<topic>.yml"
CHANGELOG = "changelogs/changelog.yaml"
SENTENCE = "minor_changes: [A sentence that two fragments share]\n"
MISSING, COMPLETE, NO_BASE = 1, 0, 2


class Clone:
    """A repository."""

    def __init__(self, root: Path) -> None:
        """Of this folder."""
        self.root = root

    def commit(self, files: t.Mapping[str, str | None]) -> None:
        """Write files, delete those that are to be ``None``, and commit that."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.git("add", "--all")
        self.git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "Change")

    def git(self, *arguments: str) -> None:
        """Run git in the clone."""
        subprocess.run(("git", *arguments), cwd=self.root, check=True)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository just after its release 1.0.0, which is the tag ``base``."""
    made = Clone(tmp_path_factory.mktemp("released"))
    made.git("init", "--quiet", "--initial-branch=main")
    made.commit({CHANGELOG: "releases:\n", "plugins/old.py": "", FRAGMENT: ""})
    made.commit({"galaxy.yml": "version: 1.0.0\n", FRAGMENT: None})
    made.commit({CHANGELOG: "releases: {1.0.0: {}}\n"})
    made.git("tag", "base")
    return made.root


@pytest.fixture
def clone(released: Path, tmp_path: Path) -> Clone:
    """A copy for one test, where nothing has changed since the release."""
    return Clone(shutil.copytree(released, tmp_path / "clone"))


LACKING: dict[str, dict[str, str | None]] = {
    "a new plugin": {"plugins/new.py": ""},
    "a changed plugin": {"plugins/old.py": "pass"},
    "a deleted plugin": {"plugins/old.py": None},
    "a plugin that was moved elsewhere": {"plugins/old.py": None, "tests/old.py": ""},
    "a role": {"roles/a/tasks/main.yml": ""},
    "a playbook": {"playbooks/a.yml": ""},
    "what the collection requires": {"meta/runtime.yml": ""},
    "no fragment but in its folder": {"plugins/a.py": "", "changelogs/fragments/.keep": ""},
    "no fragment but below its folder": {"plugins/a.py": "", "changelogs/fragments/a/b.yml": ""},
    "an edited changelog": {"plugins/a.py": "", CHANGELOG: "releases: {1.0.0: {a: b}}\n"},
    "a raised version": {"plugins/a.py": "", "galaxy.yml": "version: 1.1.0\n"},
}
ENOUGH: dict[str, dict[str, str | None]] = {
    "nothing for users": {"tests/unit/test_a.py": "", "README.md": "", "docs/plugins/a.rst": ""},
    "a plugin with a fragment": {"plugins/a.py": "", FRAGMENT: "bugfixes: []\n"},
    "a fragment of the other suffix": {"plugins/a.py": "", "changelogs/fragments/a.yaml": ""},
    "a release": {"plugins/a.py": "", CHANGELOG: "releases: {1.0.0: {}, 1.1.0: {}}\n"},
}


@pytest.mark.parametrize("files", LACKING.values(), ids=LACKING)
def test_a_change_that_lacks_a_fragment(clone: Clone, files: dict[str, str | None]) -> None:
    """Since the last release, and since a named base."""
    clone.commit(files)
    assert main(clone.root, []) == MISSING
    assert main(clone.root, ["base"]) == MISSING


@pytest.mark.parametrize("files", ENOUGH.values(), ids=ENOUGH)
def test_a_change_that_lacks_none(clone: Clone, files: dict[str, str | None]) -> None:
    """Since the last release, and since a named base."""
    clone.commit(files)
    assert main(clone.root, []) == COMPLETE
    assert main(clone.root, ["base"]) == COMPLETE


def test_nothing_is_missing_right_after_a_release(clone: Clone) -> None:
    """Though the version was raised, and the fragments were deleted, in commits before it."""
    assert main(clone.root, []) == COMPLETE


def test_a_release_mentions_what_came_before_it(clone: Clone) -> None:
    """Its fragment is in the changelog by then. What comes after it needs another."""
    clone.commit({"plugins/a.py": "", FRAGMENT: ""})
    clone.commit({CHANGELOG: "releases: {1.0.0: {}, 1.1.0: {}}\n", FRAGMENT: None})
    assert main(clone.root, ["base"]) == COMPLETE
    assert main(clone.root, []) == COMPLETE
    clone.commit({"plugins/a.py": "pass"})
    assert main(clone.root, []) == MISSING


def test_a_fragment_of_the_base_branch_is_not_that_of_the_change(clone: Clone) -> None:
    """A branch answers for its own commits, not for those that its base got meanwhile."""
    clone.git("switch", "--quiet", "--create", "topic")
    clone.commit({"README.md": "for users, but in no changelog"})
    clone.git("switch", "--quiet", "main")
    clone.commit({"plugins/a.py": ""})
    clone.git("switch", "--quiet", "topic")
    assert main(clone.root, ["main"]) == COMPLETE
    clone.commit({"plugins/b.py": ""})
    clone.git("switch", "--quiet", "main")
    clone.commit({FRAGMENT: ""})
    clone.git("switch", "--quiet", "topic")
    assert main(clone.root, ["main"]) == MISSING


def test_a_deleted_fragment_is_none(clone: Clone) -> None:
    """It describes another change, even where git takes it for renamed to the one at hand."""
    clone.commit({"changelogs/fragments/earlier.yml": SENTENCE})
    clone.git("tag", "pending")
    clone.commit({"plugins/a.py": "", "changelogs/fragments/earlier.yml": None})
    assert main(clone.root, ["pending"]) == MISSING
    clone.commit({FRAGMENT: SENTENCE})
    assert main(clone.root, ["pending"]) == COMPLETE


def test_what_lacks_a_fragment_is_listed(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    """With the folder for it, and at most so many."""
    clone.commit({f"plugins/{number:02}.py": "" for number in range(SHOWN + 3)})
    assert main(clone.root, ["base"]) == MISSING
    shown = capsys.readouterr().err
    assert all(text in shown for text in ("plugins/00.py", "and 3 more", FRAGMENT_NAME))
    assert f"plugins/{SHOWN:02}.py" not in shown


def test_a_base_that_does_not_exist(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing passes by a misspelled name."""
    assert main(clone.root, ["mian"]) == NO_BASE
    assert "cannot compare with mian" in capsys.readouterr().err


def test_a_base_with_another_history(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    """For which git gives no reason."""
    clone.git("switch", "--quiet", "--orphan", "other")
    clone.commit({"README.md": ""})
    assert main(clone.root, ["main"]) == NO_BASE
    assert "no commit in common" in capsys.readouterr().err


def test_a_shallow_clone_is_not_judged(
    clone: Clone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It cannot know when the last release was: the tool says so, and fails nothing."""
    clone.commit({"plugins/a.py": ""})
    clone.git("clone", "--quiet", "--depth=1", f"file://{clone.root}", str(tmp_path / "shallow"))
    assert main(tmp_path / "shallow", []) == COMPLETE
    assert "not checked: this clone is shallow" in capsys.readouterr().err


def test_a_clone_without_a_release(clone: Clone) -> None:
    """The commit that made the changelog is compared with, or a base that had none yet."""
    clone.git("switch", "--quiet", "--orphan", "new")
    clone.commit({"README.md": ""})
    clone.commit({CHANGELOG: "releases: {}\n", "plugins/a.py": ""})
    assert main(clone.root, []) == COMPLETE
    clone.commit({CHANGELOG: "releases: {} # none\n", "plugins/b.py": ""})
    assert main(clone.root, []) == MISSING
    assert main(clone.root, ["HEAD~2"]) == MISSING


def test_a_clone_without_a_changelog(clone: Clone, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to compare with, which is said."""
    clone.git("switch", "--quiet", "--orphan", "new")
    clone.commit({"plugins/a.py": ""})
    assert main(clone.root, []) == COMPLETE
    assert "not checked: no commit has a changelogs/changelog.yaml" in capsys.readouterr().err
