# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tarball as others take it: Galaxy imports it, ansible-builder puts it into an image, and it
runs where nothing else is.
"""

from __future__ import annotations

import json
import re
import shutil
import sys
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Sandbox, inventory
from ansible_collections.rayfleet.anyscale.tests.support.awx_runs import run_job
from ansible_collections.rayfleet.anyscale.tests.tools.package import COLLECTION, build_tarball
from ansible_collections.rayfleet.anyscale.tests.tools.part import Part
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT, clean_environment

WORK = CACHE / "published"
IN_CONTEXT = "rayfleet-anyscale.tar.gz"
# The importer goes on without documentation, and its own sanity tests need containers; the part
# sanity runs them here.
NOT_READ = ("Error running ansible-doc", "skipping loading of docstrings")
SETTINGS = "[galaxy-importer]\ncheck_required_tags = true\nrun_ansible_test = false\n"
_INSTALLED = re.compile(r'^ARG ANSIBLE_INSTALL_REFS="(?P<requirements>[^"]+)"$', re.MULTILINE)


def check_package(part: Part, venv: Path) -> None:
    """Build the tarball, and do with it what Galaxy does, what ansible-builder does, and what its
    users do.
    """
    shutil.rmtree(WORK, ignore_errors=True)
    WORK.mkdir(parents=True)
    tarball = build_tarball(part)
    if not tarball:
        return
    import_into_galaxy(part, venv, tarball)
    context = render_image(part, venv, tarball)
    if sys.version_info < (3, 12):
        part.skip(
            "this Python is too old for the image's ansible-core, so the collection was not run "
            "where nothing else is"
        )
        return
    collections = WORK / "collections"
    install = (
        "ansible-galaxy",
        "collection",
        "install",
        "--offline",
        "--force",
        "--no-deps",
        "-p",
        str(collections),
        str(tarball),
    )
    if context and part.run(*install, closing=0):
        image = make_environment(part, venv, context, collections)
        if image:
            run_playbooks(part, image, collections)


def import_into_galaxy(part: Part, venv: Path, tarball: Path) -> None:
    """Galaxy's importer takes it, with the documentation of each module; what it warns about is
    shown.
    """
    folder = WORK / "import"
    folder.mkdir()
    (folder / "settings.cfg").write_text(SETTINGS)
    env = clean_environment(venv) | {"GALAXY_IMPORTER_CONFIG": str(folder / "settings.cfg")}
    command = ("python", "-m", "galaxy_importer.main", str(tarball))
    if not part.run(
        *command, cwd=folder, env=env, must_say="completed successfully", never_say=NOT_READ
    ):
        return
    part.say(*(line for line in part.output.splitlines() if line.startswith(("WARNING", "ERROR"))))
    contents = json.loads((folder / "importer_result.json").read_text())["docs_blob"]["contents"]
    documented = {
        content["content_name"]
        for content in contents
        if content["content_type"] == "module" and content.get("doc_strings")
    }
    missing = {path.stem for path in ROOT.glob("plugins/modules/*.py")} - documented
    if missing:
        part.fail(f"Galaxy would show no documentation of {', '.join(sorted(missing))}")


def render_image(part: Part, venv: Path, tarball: Path) -> Path | None:
    """What ansible-builder makes of execution-environment/ and our tarball, for a container engine;
    ``None`` after a failure.
    """
    folder = WORK / "image"
    shutil.copytree(ROOT / "execution-environment", folder)
    shutil.copy(tarball, folder / IN_CONTEXT)
    context = folder / "context"
    command = (
        "ansible-builder",
        "create",
        "--context",
        str(context),
        "--output-filename",
        "Containerfile",
    )
    if not part.run(
        *command, cwd=folder, env=clean_environment(venv), must_say="Complete!", closing=0
    ):
        return None
    if (context / "_build" / IN_CONTEXT).read_bytes() != tarball.read_bytes():
        part.fail("the image's build context lacks the tarball")
    return context


def make_environment(part: Part, venv: Path, context: Path, collections: Path) -> Path | None:
    """A virtual environment with what the image would hold and nothing else; ``None`` after a
    failure.

    The build context's own script tells what the collection needs, as it does when the image is
    built.
    """
    image, requirements, packages = WORK / "empty", WORK / "requirements.txt", WORK / "bindep.txt"
    env = clean_environment(venv)
    needed = ("--write-pip", str(requirements), "--write-bindep", str(packages), str(collections))
    script = str(context / "_build/scripts/introspect.py")
    made = part.run("python", script, "introspect", *needed, env=env, closing=0) and part.run(
        sys.executable, "-m", "venv", "--without-pip", "--clear", str(image), closing=0
    )
    if packages.exists():
        part.fail(f"the collection asks for packages of the system: {packages.read_text()}")
    found = _INSTALLED.search((context / "Containerfile").read_text())
    if not found:
        part.fail("the Containerfile installs no ansible-core and ansible-runner")
    if not made or not found:
        return None
    pip = (
        "python",
        "-m",
        "pip",
        "--python",
        str(image / "bin/python"),
        "--disable-pip-version-check",
    )
    wanted = (*found["requirements"].split(), "-r", str(requirements))
    if not part.run(*pip, "install", "--quiet", *wanted, env=env, closing=0):
        return None
    part.say(
        f"the image holds {', '.join(found['requirements'].split())} and "
        f"{', '.join(_named(requirements))}"
    )
    return image


def _named(requirements: Path) -> t.Iterator[str]:
    """The packages of a file of requirements, each without the comment that says which collection
    wants it.
    """
    for line in requirements.read_text().splitlines():
        if name := line.partition("#")[0].strip():
            yield name


def run_playbooks(part: Part, image: Path, collections: Path) -> None:
    """Onboard and audit, by their full names, as ansible-runner runs them in the image."""
    with Sandbox() as sandbox:
        sandbox.seed(FLEET)
        environment = {**sandbox.child_variables(), "ANSIBLE_COLLECTIONS_PATH": str(collections)}
        for playbook in ("onboard", "audit"):
            folder = WORK / playbook
            folder.mkdir()
            variables = {"audit_report_dir": str(folder / "report")}
            clouds, name, programs = (
                inventory(sandbox, FLEET),
                f"{COLLECTION}.{playbook}",
                image / "bin",
            )
            job = run_job(
                folder,
                clouds,
                name,
                variables=variables,
                environment=environment,
                bin_folder=programs,
            )
            seen = {host for host, _task, _result in job.results}
            if job.exit_status or not seen:
                part.fail(
                    f"{COLLECTION}.{playbook} failed where only its requirements are installed",
                    job.output.splitlines(),
                )
            else:
                part.say(
                    f"{COLLECTION}.{playbook}: {len(seen)} clouds needed tasks, and nothing but "
                    "what the image holds"
                )
