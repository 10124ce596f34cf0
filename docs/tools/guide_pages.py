# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run the commands on the guide's pages in the sandbox, and record their output on the pages.

The blocks of a page are executed from top to bottom. A code block with a caption is a file that the
reader writes. A code block of the class ``recorded`` contains commands, each followed by its output.
A command at the prompt of a node runs on the sandbox's node of that cloud, any other with the
credentials of the sandbox's caller. Without arguments all pages are recorded, otherwise the named ones.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import textwrap
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tools.environment import ROOT, clean_environment

FOLDER = ROOT / "docs/docsite/rst"
RECORDED = ":class: recorded"

_BLOCK = re.compile(
    rf"^\.\. code-block:: \S+\n   (?:{RECORDED}|:caption: (?P<file>\S+))\n\n"
    r"(?P<body>(?: {3}.*\n|\n(?= {3}|\n {3}))+)",
    re.MULTILINE,
)
_COMMAND = re.compile(r"^(?:ray@(?P<cloud>[\w-]+)-head:~)?\$ (?P<line>(?:.*\\\n)*.*)", re.MULTILINE)
_ONE_THREAD = """#!/bin/sh
exec {} -e fleet_threads=1 "$@"
"""
_HIDDEN = (  # values that differ from run to run
    (re.compile(r"\d{8}T\d{6}-\d{6}Z"), "20270105T090000-000000Z"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(?= UTC)"), "2027-01-05 09:00"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|\+00:00)"), "2027-01-05T09:00:00Z"),
    (
        re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        "0c2d1a4e-5b6f-4789-8a9b-0c1d2e3f4a5b",
    ),
    (re.compile(r"(?<=rollback_run=)\d+[a-z0-9_]{8}\b"), "21333zt9ae9x8"),
    # A clone is linked into its virtual environment.
    (
        re.compile(
            r"/home/jo/anyscale-venv/lib/python3\.\d+/site-packages/(?=ansible_collections/)"
        ),
        "/home/jo/.ansible/collections/",
    ),
)


def pages() -> list[str]:
    """The names of the pages with recorded commands."""
    return sorted(path.stem for path in FOLDER.glob("*.rst") if RECORDED in path.read_text())


def record(text: str, sandbox: Sandbox, home: Path) -> str:
    """The page with the output of its commands in a sandbox. ``home`` is an empty folder for the
    reader's home.
    """
    sandbox.reset()
    sandbox.seed_for_guide()
    reader = _Reader(sandbox, home)
    return _BLOCK.sub(reader.follow, text)


class _Reader:
    """Executes the blocks of a page in a folder of the reader's home."""

    def __init__(self, sandbox: Sandbox, home: Path) -> None:
        self._sandbox = sandbox
        self._home = home / "jo"
        self._folder = self._home / "clouds"
        self._folder.mkdir(parents=True)
        self._programs = home / "bin"
        self._programs.mkdir()
        script = self._programs / "ansible-playbook"
        script.write_text(_ONE_THREAD.format(Path(sys.prefix) / "bin" / script.name))
        script.chmod(0o700)

    def follow(self, block: re.Match[str]) -> str:
        """Write the block's file, or run its commands. Returns the block with their output."""
        body = textwrap.dedent(block["body"])
        if block["file"]:
            (self._folder / block["file"]).write_text(body)
            return block[0]
        output = "\n\n".join(self._run(command) for command in _COMMAND.finditer(body))
        return block[0].replace(block["body"], textwrap.indent(output, "   ") + "\n")

    def _run(self, command: re.Match[str]) -> str:
        done = subprocess.run(
            ["sh", "-c", command["line"]],
            cwd=self._folder,
            env=self._environment(command["cloud"]),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return "\n".join([command[0], *self._lines(done.stdout)])

    def _environment(self, cloud: str | None) -> dict[str, str]:
        """The variables of a person's shell, or of a cloud's node. One fork and one thread, so that
        the order of the clouds is the same in every run.
        """
        sandbox = self._sandbox
        variables = {
            **clean_environment(Path(sys.prefix)),
            **(sandbox.node_variables(cloud) if cloud else sandbox.child_variables()),
            "HOME": str(self._home),
            "ANSIBLE_FORKS": "1",
        }
        variables["PATH"] = f"{self._programs}{os.pathsep}{variables['PATH']}"
        del variables["ANSIBLE_HOME"]
        return variables

    def _lines(self, output: str) -> t.Iterator[str]:
        """The output without the values that depend on this run or this machine."""
        output = output.replace(str(self._home.parent), "/home").replace(
            sys.prefix, "/home/jo/anyscale-venv"
        )
        for pattern, replacement in _HIDDEN:
            output = pattern.sub(replacement, output)
        lines = [line.rstrip() for line in output.strip("\n").splitlines()]
        for line, before in zip(lines, ["", *lines], strict=False):
            if line or before:
                yield line


def main(names: t.Sequence[str]) -> None:
    """Record pages."""
    with Sandbox() as sandbox:
        for name in names or pages():
            page = FOLDER / f"{name}.rst"
            with tempfile.TemporaryDirectory() as home:
                page.write_text(record(page.read_text(), sandbox, Path(home)))


if __name__ == "__main__":
    main(sys.argv[1:])
