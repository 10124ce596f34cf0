# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""README has what the certification of a collection asks for, and its commands work as written, in the
folders that it says.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.practice import fleet_file
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

README = (ROOT / "README.md").read_text()
BLOCK = re.compile(r"^```(console|yaml)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINES = 150
# https://docs.ansible.com/projects/partner-certification-requirements/readmes/, and what the community
# asks for: https://docs.ansible.com/projects/ansible/latest/community/collection_contributors/collection_requirements.html
SECTIONS = {
    *("Description", "Requirements", "Installation", "Use cases", "Testing"),
    *(
        "Communication and support",
        "Contributing",
        "Release notes",
        "Related information",
        "License",
    ),
}
LINK = re.compile(r"\]\(([^)]*)\)")
HERE = "https://github.com/rayfleet/ansible-collection-anyscale/"
FILES = (f"{HERE}blob/main/", f"{HERE}raw/main/")  # pages, and pictures


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= LINES


def test_it_has_the_sections_that_are_asked_for() -> None:
    assert SECTIONS - set(re.findall(r"^## (.+)$", README, re.MULTILINE)) == set()


def test_ansible_is_not_part_of_its_installation() -> None:
    """Where the certification forbids it: customers run it in execution environments."""
    [installation] = re.findall(r"^## Installation\n(.*?)^## ", README, re.MULTILINE | re.DOTALL)
    assert "pip install" not in installation


def test_its_links_work_on_galaxy_too() -> None:
    """Which shows it outside the repository: each is a full one, and its file is there."""
    links = LINK.findall(README)
    assert len(links) > len(SECTIONS)
    assert [link for link in links if not link.startswith("https://")] == []
    names = [
        link.removeprefix(start) for link in links for start in FILES if link.startswith(start)
    ]
    assert names
    assert [name for name in names if not (ROOT / name.partition("#")[0]).is_file()] == []


def test_its_commands_work(tarball: Path, tmp_path: Path) -> None:
    """The clone is a folder with the tarball and the clone's ansible.cfg; the reader's fleet file is
    the one of the sandbox.
    """
    home, clone = tmp_path / "home", tmp_path / "clone"
    for folder in (home, clone):
        folder.mkdir()
    shutil.copy(ROOT / "ansible.cfg", clone)
    shutil.copy(tarball, clone)
    script = ["set -ex", f"cd {clone}"]
    for kind, body in BLOCK.findall(README):
        if kind == "yaml":
            script.append(f"cat > role.yml <<'EOF'\n{body}EOF")
            continue
        for line in body.splitlines():
            command = line.removeprefix("$ ")
            if "collection build" in command:
                continue
            script.append(command)
            if "fleet_file.example.yml ." in command:
                script.append(f"cp {tmp_path}/fleet_file.yml fleet_file.example.yml")
    with Sandbox() as sandbox:
        sandbox.seed_for_guide()
        (tmp_path / "fleet_file.yml").write_text(fleet_file())
        env = {**sandbox.environment(), "HOME": str(home)}
        for name in ("ANSIBLE_HOME", "ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_CONFIG"):
            env.pop(name, None)
        done = subprocess.run(
            ["sh", "-c", "\n".join(script)], env=env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert {call["operation"] for call in sandbox.writes()} >= {
            "UpdateAssumeRolePolicy",
            "PutBucketPolicy",
        }
    assert sorted(path.name for path in (home / "clouds").iterdir()) == [
        "anyscale-audit",
        "fleet.anyscale_clouds.yml",
        "fleet_file.example.yml",
        "role.yml",
    ]
