# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-doc shows everything that the collection documents, and has nothing to complain about."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
KINDS = {
    "module": "plugins/modules/*.py",
    "role": "roles/*",
    **{kind: f"plugins/{kind}/*.py" for kind in ("callback", "inventory", "lookup")},
}
# ansible-core 2.21 looks for roles in a collection of its own, and misses the manifest there.
NOT_OURS = "_protomatter' does not have a MANIFEST.json file"

pytestmark = pytest.mark.core


def ansible_doc(folder: Path, *arguments: str) -> tuple[str, list[str]]:
    """What it prints, and its complaints of the collection: warnings and deprecations. They are not
    wrapped, so that each is a line.
    """
    program = Path(sys.executable).with_name("ansible-doc")
    config = folder / "ansible.cfg"
    config.write_text("[defaults]\n")  # that of the clone may turn warnings off
    env = {**os.environ, "ANSIBLE_CONFIG": str(config), "COLUMNS": "10000", "NO_COLOR": "1"}
    done = subprocess.run(
        [program, *arguments], env=env, capture_output=True, text=True, check=True
    )
    complaints = [line for line in done.stderr.splitlines() if line and NOT_OURS not in line]
    return done.stdout, complaints


@pytest.mark.parametrize("kind", KINDS)
def test_documentation_is_shown_without_a_warning(kind: str, tmp_path: Path) -> None:
    names = [f"rayfleet.anyscale.{path.stem}" for path in sorted(ROOT.glob(KINDS[kind]))]
    text, complaints = ansible_doc(tmp_path, "-t", kind, *names)
    assert complaints == []
    assert [name for name in names if name not in text] == []
    assert text.count("EXAMPLES:") >= len(names)


@pytest.mark.parametrize("kind", ["module", "role"])
def test_lists_are_shown_without_a_warning(kind: str, tmp_path: Path) -> None:
    names = [f"rayfleet.anyscale.{path.stem}" for path in ROOT.glob(KINDS[kind])]
    text, complaints = ansible_doc(tmp_path, "-t", kind, "--list", "rayfleet.anyscale")
    assert complaints == []
    assert [name for name in names if name not in text] == []
