# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox to practise in, as a person uses it: started, sourced, played with, stopped."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT

MODULE = "ansible_collections.rayfleet.anyscale.tests.sandbox"


class Shell(t.Protocol):
    """Runs a script in a shell that has sourced the sandbox's file."""

    def __call__(self, script: str, status: int = 0) -> str: ...


@contextlib.contextmanager
def practising(folder: Path, *options: str, end: int = signal.SIGTERM) -> t.Iterator[Shell]:
    """A sandbox in a process of its own, which ends by a signal and leaves nothing."""
    argv = [sys.executable, "-m", MODULE, "--folder", str(folder), *options]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = [process.stdout.readline() for _line in range(5)]
        assert f"    . {folder}/environment\n" in told

        def shell(script: str, status: int = 0) -> str:
            done = subprocess.run(
                ["sh", "-c", f". {folder}/environment\n{script}"],
                cwd=folder.parent,
                env={**os.environ, "AWS_PROFILE": "production", "ANYSCALE_CREDENTIALS": "mine"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == status, done.stdout + done.stderr
            return done.stdout + done.stderr

        try:
            yield shell
        finally:
            os.kill(process.pid, end)
            assert process.wait(timeout=20) == 0
    assert not folder.exists()


def test_a_person_practises(tmp_path: Path) -> None:
    with practising(tmp_path / "sandbox") as shell:
        names = shell("env | grep -E '^(AWS|ANYSCALE)_'")
        assert "production" not in names
        assert "mine" not in names
        assert f"{tmp_path}/sandbox/ansible" in shell("echo $ANSIBLE_HOME")
        onboarded = shell(
            "ansible-playbook -i sandbox/fleet.yml -l vision-prod rayfleet.anyscale.onboard"
        )
        assert "changed: vision-prod" in onboarded
        backups = tmp_path / "sandbox/ansible/anyscale_backups"
        assert list(backups.iterdir())
        assert json.loads(shell("sandbox calls"))
        assert f"rm -r {backups}" in shell("sandbox reset")
        shell(f"rm -r {backups}")
        assert shell("sandbox reset") == ""
        assert json.loads(shell("sandbox calls")) == []
        shell("""sandbox faults '{"operation": "GetRole", "status": 500}'""")
        assert [fault["operation"] for fault in json.loads(shell("sandbox faults"))] == ["GetRole"]
        shell("sandbox faults clear")
        assert json.loads(shell("sandbox faults")) == []
        assert (
            json.loads(shell("""sandbox settings '{"trust_quota": 4096}'"""))["trust_quota"] == 4096
        )
        assert "No such cloud: nowhere." in shell("sandbox node nowhere", status=1)
        node = shell("sandbox node vision-prod env")
        assert "/sandbox/nodes/vision-prod/" in node
        assert "ANYSCALE_CLI_TOKEN" not in node
        assert "AWS_SECRET_ACCESS_KEY" not in node
        inventory = json.loads(
            shell("ansible-inventory -i sandbox/fleet.anyscale_clouds.yml --list")
        )
        clouds = inventory["anyscale_clouds"]["hosts"]
        assert sorted(clouds) == sorted(cloud.name for cloud in FLEET)


def test_the_commands_of_the_page(tmp_path: Path) -> None:
    page = (ROOT / "docs/docsite/rst/sandbox.rst").read_text()
    blocks = re.findall(r":class: tested\n\n((?:   .+\n)+)", page)
    commands = re.findall(r"^   \$ ((?:.*\\\n)*.+)$", "".join(blocks), re.MULTILINE)
    assert len(commands) == page.count("   $ ") - page.count("   $ make sandbox")
    with practising(tmp_path / "sandbox") as shell:
        for command in commands:
            shell(command.replace("~/anyscale/.cache/sandbox", str(tmp_path / "sandbox")))


def test_the_page_on_events_up_to_the_rulebook(tmp_path: Path) -> None:
    page = (ROOT / "docs/docsite/rst/events.rst").read_text()
    blocks = re.findall(r":class: tested\n\n((?:   .+\n)+)", page)
    commands = re.findall(r"^   \$ (.+)$", "".join(blocks), re.MULTILINE)
    with practising(tmp_path / "sandbox") as shell:
        told = [
            shell(command.replace("~/anyscale/.cache/sandbox", str(tmp_path / "sandbox")))
            for command in commands
        ]
        _onboarded, previewed, healed, left = (text for text in told if "PLAY RECAP" in text)
    assert "1 changed, 0 in sync, 0 failed" in healed
    assert all("vision-prod: role cld_" in text for text in (previewed, healed))
    assert re.search("0 of clouds, [1-9] by runs themselves", left)


def test_a_generated_fleet_may_be_written_to(tmp_path: Path) -> None:
    with practising(tmp_path / "sandbox", "--clouds", "20", end=signal.SIGINT) as shell:
        checked = shell(
            "export ANSIBLE_STDOUT_CALLBACK=rayfleet.anyscale.fleet\n"
            "ansible-playbook -i sandbox/fleet.anyscale_clouds.yml rayfleet.anyscale.onboard --check"
        )
        assert "clouds=20 in_sync=18 changed=0 would_change=2 failed=0" in checked


def test_one_folder_has_one_sandbox(tmp_path: Path) -> None:
    argv = [sys.executable, "-m", MODULE, "--folder", str(tmp_path / "sandbox")]
    with practising(tmp_path / "sandbox"):
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "A sandbox runs already" in done.stderr
        assert (tmp_path / "sandbox/environment").exists()


@pytest.mark.parametrize("count", ["0", "-1", "many"])
def test_refused_number_of_clouds(count: str) -> None:
    argv = [sys.executable, "-m", MODULE, "--clouds", count]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 2
