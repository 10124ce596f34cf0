# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tarball: builds it, looks into it, installs it into an empty collections path and reads the
documentation there.
"""

from __future__ import annotations

import shutil
import tarfile
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tests.tools.part import Part
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT, clean_environment

DIST = CACHE / "dist"
COLLECTION = "rayfleet.anyscale"
REQUIRED = (
    *(
        "MANIFEST.json",
        "LICENSE",
        "README.md",
        "CHANGELOG.rst",
        "CONTRIBUTING.md",
        "meta/runtime.yml",
    ),
    *(
        "meta/execution-environment.yml",
        "meta/ee-requirements.txt",
        "execution-environment/execution-environment.yml",
    ),
    *(
        "playbooks/audit.yml",
        "playbooks/onboard.yml",
        "playbooks/rollback.yml",
        "playbooks/tasks/select_clouds.yml",
    ),
    *("playbooks/templates/audit_summary.txt.j2", "playbooks/templates/onboard_summary.txt.j2"),
    *(str(path.relative_to(ROOT)) for path in ROOT.glob("plugins/plugin_utils/report/*.*")),
    *(str(path.relative_to(ROOT)) for path in ROOT.glob("examples/awx_project/**/*.*")),
)
DOCUMENTED = {
    "module": "plugins/modules/*.py",
    "role": "roles/*",
    **{kind: f"plugins/{kind}/*.py" for kind in ("callback", "filter", "inventory", "lookup")},
}


def build(part: Part) -> None:
    """Build, inspect, install, read the documentation of each module, role and plugin, and parse
    the playbooks.
    """
    tarball = build_tarball(part)
    if not tarball:
        return
    inspect_content(part, tarball)
    installed = DIST / "collections"
    shutil.rmtree(installed, ignore_errors=True)
    if part.run(
        "ansible-galaxy",
        "collection",
        "install",
        "--offline",
        "--force",
        "--no-deps",
        "-p",
        str(installed),
        str(tarball),
    ):
        read_documentation(part, installed)
        check_playbooks(part, installed)


def build_tarball(part: Part) -> Path | None:
    """The collection's tarball, freshly built; ``None`` after a failure."""
    shutil.rmtree(DIST, ignore_errors=True)
    if not part.run("ansible-galaxy", "collection", "build", "--force", "--output-path", str(DIST)):
        return None
    [tarball] = DIST.glob("*.tar.gz")
    return tarball


def inspect_content(part: Part, tarball: Path) -> None:
    """Nothing hidden, cached or generated inside; what a user needs is there."""
    with tarfile.open(tarball) as archive:
        names = archive.getnames()
    stray = [
        name
        for name in names
        if any(step.startswith(".") or step == "__pycache__" for step in Path(name).parts)
    ]
    missing = sorted(set(REQUIRED) - set(names))
    if stray:
        part.fail(f"the tarball holds {', '.join(stray[:10])}")
    if missing:
        part.fail(f"the tarball lacks {', '.join(missing)}")
    part.say(f"{tarball.name}: {len(names)} entries, {tarball.stat().st_size // 1024} KB")


def read_documentation(part: Part, collections: Path) -> None:
    """Every module, role and plugin must show its documentation, and from the installed copy, not
    from the clone.
    """
    env = clean_environment() | {"ANSIBLE_COLLECTIONS_PATH": str(collections)}
    for kind, pattern in DOCUMENTED.items():
        names = [f"{COLLECTION}.{path.stem}" for path in sorted(ROOT.glob(pattern))]
        if not names:
            part.fail(f"there is no {kind}: {pattern}")
        for name in names:
            shown = part.run(
                "ansible-doc",
                "-t",
                kind,
                name,
                env=env,
                closing=0,
                must_say=f"({collections}/ansible_collections",
            )
            if shown:
                part.say(f"documented: {name}")


def check_playbooks(part: Part, collections: Path) -> None:
    """Every playbook must be found by its full name in the installed copy, and parse."""
    env = clean_environment() | {"ANSIBLE_COLLECTIONS_PATH": str(collections)}
    for path in sorted(ROOT.glob("playbooks/*.yml")):
        part.run("ansible-playbook", "--syntax-check", f"{COLLECTION}.{path.stem}", env=env)
