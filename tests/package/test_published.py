# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tarball as others take it: Galaxy imports it, ansible-builder puts it into an image, and it
runs where nothing else is. The session ``package`` makes the environment of the tools for this.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Sandbox, inventory
from ansible_collections.rayfleet.anyscale.tests.support.awx_runs import run_job
from ansible_collections.rayfleet.anyscale.tools.environment import (
    CACHE,
    ROOT,
    clean_environment,
)

TOOLS = CACHE / "nox/package"
IN_CONTEXT = "rayfleet-anyscale.tar.gz"
# The importer continues without documentation, and its own sanity tests need containers; the session
# sanity runs them here.
NOT_READ = ("Error running ansible-doc", "skipping loading of docstrings")
SETTINGS = "[galaxy-importer]\ncheck_required_tags = true\nrun_ansible_test = false\n"
_INSTALLED = re.compile(r'^ARG ANSIBLE_INSTALL_REFS="(?P<requirements>[^"]+)"$', re.MULTILINE)


def run_tool(*command: str, cwd: Path = ROOT, **variables: str) -> str:
    """What a command prints in the environment of the tools."""
    env = {**clean_environment(TOOLS), **variables}
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_galaxy_imports_it_with_the_documentation_of_each_module(
    tarball: Path, tmp_path: Path
) -> None:
    (tmp_path / "settings.cfg").write_text(SETTINGS)
    settings = {"GALAXY_IMPORTER_CONFIG": str(tmp_path / "settings.cfg")}
    command = ("python", "-m", "galaxy_importer.main", str(tarball))
    output = run_tool(*command, cwd=tmp_path, **settings)
    assert "completed successfully" in output
    assert [text for text in NOT_READ if text in output] == []
    result = json.loads((tmp_path / "importer_result.json").read_text())
    documented = {
        content["content_name"]
        for content in result["docs_blob"]["contents"]
        if content["content_type"] == "module" and content.get("doc_strings")
    }
    assert documented == {path.stem for path in ROOT.glob("plugins/modules/*.py")}


@pytest.fixture(scope="module")
def context(tarball: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ansible-builder makes of execution-environment/ and the tarball, for a container engine."""
    folder = tmp_path_factory.mktemp("image") / "execution-environment"
    shutil.copytree(ROOT / "execution-environment", folder)
    shutil.copy(tarball, folder / IN_CONTEXT)
    made = folder / "context"
    options = ("--context", str(made), "--output-filename", "Containerfile")
    assert "Complete!" in run_tool("ansible-builder", "create", *options, cwd=folder)
    return made


def test_the_image_is_built_with_the_tarball(context: Path, tarball: Path) -> None:
    assert (context / "_build" / IN_CONTEXT).read_bytes() == tarball.read_bytes()


def test_a_job_with_an_ssh_key_can_start(context: Path) -> None:
    """Which ansible-runner does in ssh-agent, as for the verification of running nodes."""
    assert (context / "_build/bindep.txt").read_text().split() == ["openssh-clients"]


@pytest.fixture(scope="module")
def needs(context: Path, collections: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the collection needs in the image, as the script prints that is run when it is built."""
    folder = tmp_path_factory.mktemp("needs")
    script = str(context / "_build/scripts/introspect.py")
    pip, packages = str(folder / "requirements.txt"), str(folder / "bindep.txt")
    options = ("--write-pip", pip, "--write-bindep", packages)
    run_tool("python", script, "introspect", *options, str(collections))
    return folder


def test_the_collection_needs_no_packages_of_the_system(needs: Path) -> None:
    assert (needs / "requirements.txt").exists()
    assert not (needs / "bindep.txt").exists()


@pytest.fixture(scope="module")
def image(context: Path, needs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with what the image would hold and nothing else."""
    if sys.version_info < (3, 12):
        pytest.skip("this Python is too old for the image's ansible-core")
    found = _INSTALLED.search((context / "Containerfile").read_text())
    assert found, "the Containerfile installs no ansible-core and ansible-runner"
    folder = tmp_path_factory.mktemp("installed") / "venv"
    run_tool(sys.executable, "-m", "venv", "--without-pip", str(folder))
    pip = ("python", "-m", "pip", "--python", str(folder / "bin/python"), "install", "--quiet")
    run_tool(*pip, *found["requirements"].split(), "-r", str(needs / "requirements.txt"))
    return folder


@pytest.mark.parametrize("playbook", ["onboard", "audit"])
def test_it_runs_where_only_its_requirements_are_installed(
    image: Path, collections: Path, tmp_path: Path, playbook: str
) -> None:
    with Sandbox() as sandbox:
        sandbox.seed(FLEET)
        environment = {**sandbox.child_variables(), "ANSIBLE_COLLECTIONS_PATH": str(collections)}
        job = run_job(
            tmp_path,
            inventory(sandbox, FLEET),
            f"rayfleet.anyscale.{playbook}",
            variables={"audit_report_dir": str(tmp_path / "report")},
            environment=environment,
            bin_folder=image / "bin",
        )
    assert job.exit_status == 0, job.output
    assert {host for host, _task, _result in job.results}
