# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox on the command line: around one command, or to practise in until interrupted."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import threading
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tests.sandbox import BROKEN_CLOUD, FLEET, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.practice import InUse, practice
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE

_PROGRAM = "python -m ansible_collections.rayfleet.anyscale.tests.sandbox"


def main(arguments: list[str]) -> int:
    """Run the command in the sandbox and return its exit status; without a command serve until
    interrupted.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    parser = _parser()
    options, command = parser.parse_args(arguments[:end]), arguments[end + 1 :]
    if options.clouds is not None and options.clouds < 1:
        parser.error("--clouds takes a number from 1.")
    with Sandbox() as sandbox:
        if not command:
            return _serve(sandbox, options)
        if options.seed or options.seed_broken:
            sandbox.seed((*FLEET, BROKEN_CLOUD) if options.seed_broken else FLEET)
        return subprocess.run(command, env=sandbox.environment(), check=False).returncode


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        usage=(
            f"{_PROGRAM} [--clouds N] [--folder PATH]\n"
            f"       {_PROGRAM} [--seed | --seed-broken] -- COMMAND ARG..."
        ),
        description="AWS and the Anyscale control plane on loopback.",
    )
    parser.add_argument(
        "--seed", action="store_true", help="put the fleet of 12 clouds into it first"
    )
    parser.add_argument(
        "--seed-broken",
        action="store_true",
        help="the same, and a 13th cloud whose role does not exist",
    )
    parser.add_argument(
        "--clouds", type=int, metavar="N", help="practise with N generated clouds, a tenth drifted"
    )
    parser.add_argument(
        "--folder",
        type=Path,
        default=CACHE / "sandbox",
        help="where the files to practise with are while it runs (default: %(default)s)",
    )
    return parser


def _serve(sandbox: Sandbox, options: argparse.Namespace) -> int:
    """Until SIGINT or SIGTERM, which are how it is meant to end."""
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *received: interrupted.set())
    try:
        with practice(sandbox, options.folder.absolute(), options.clouds) as welcome:
            sys.stdout.write(welcome)
            sys.stdout.flush()
            interrupted.wait()
    except InUse as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
