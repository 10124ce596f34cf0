# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Linters for YAML, Ansible content and Python, and the proof that the most important one is awake."""

from __future__ import annotations

import shutil
import subprocess

from ansible_collections.rayfleet.anyscale.tests.tools.part import Part
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT, clean_environment

TREE = CACHE / "mypy-tree"
COLLECTIONS = CACHE / "lint"
COPY = COLLECTIONS / "ansible_collections/rayfleet/anyscale"
_COLLECTION = "ansible_collections/rayfleet/anyscale"
TYPED = (f"{_COLLECTION}/plugins", f"{_COLLECTION}/tests/sandbox")

MISSPELT = """---
- name: A play that is right but for one misspelt option
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Let EC2 assume a role
      rayfleet.anyscale.iam_trust_ec2:
        role: example
        quota_charz: 4096
"""


def lint(part: Part) -> None:
    """YAML, Ansible and Python style, misspelt module options, types."""
    part.run("yamllint", "--strict", ".")
    _copy_without_actions()
    in_copy = {**clean_environment(), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)}
    part.run("ansible-lint", cwd=COPY, env=in_copy, closing=2)
    check_that_options_are_checked(part, in_copy)
    part.run("ruff", "check", "--quiet", ".")
    _link_tree()
    part.run("mypy", "--config-file", str(ROOT / "pyproject.toml"), *TYPED, cwd=TREE)


def check_that_options_are_checked(part: Part, env: dict[str, str]) -> None:
    """ansible-lint must refuse a misspelt option: with a profile alone, without `enable_list:
    [args]`, it does not.

    It still overlooks one beside a templated choice, such as a templated ``state``: there only
    running the task tells.
    """
    folder = CACHE / "misspelt"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / "misspelt.yml").write_text(MISSPELT)
    command = ("ansible-lint", "--config-file", str(ROOT / ".ansible-lint"), "misspelt.yml")
    part.run(*command, cwd=folder, env=env, must_fail=True, must_say="Unsupported parameters")


def _copy_without_actions() -> None:
    """A copy to lint: ansible-lint checks no options of a module that has an action plugin of its
    name.
    """
    shutil.rmtree(COLLECTIONS, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file() and not name.startswith("plugins/action/"):
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, COPY / name)
    subprocess.run(["git", "init", "--quiet"], cwd=COPY, env=clean_environment(), check=True)


def _link_tree() -> None:
    """A tree in which mypy finds the collection by its full name."""
    link = TREE / "ansible_collections/rayfleet/anyscale"
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT)
