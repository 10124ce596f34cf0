# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""README's commands work as written, in the folders that it says."""

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
WITHOUT_AN_INDEX = ("pip install ansible-core boto3",)  # what .venv has
LINES = 150


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= LINES


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
            if command in WITHOUT_AN_INDEX or "collection build" in command:
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
