# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sandbox on the command line: around one command, or until it is interrupted."""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
import threading

from ansible_collections.rayfleet.anyscale.tests.sandbox import BROKEN_CLOUD, FLEET, Sandbox

_PROGRAM = "python -m ansible_collections.rayfleet.anyscale.tests.sandbox"


def main(arguments: list[str]) -> int:
    """Run the command in the sandbox and return its exit status; without a command serve until
    interrupted.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options, command = _parser().parse_args(arguments[:end]), arguments[end + 1 :]
    with Sandbox() as sandbox:
        if options.seed or options.seed_broken:
            sandbox.seed((*FLEET, BROKEN_CLOUD) if options.seed_broken else FLEET)
        if command:
            return subprocess.run(command, env=sandbox.environment(), check=False).returncode
        _serve(sandbox)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=_PROGRAM,
        usage=f"{_PROGRAM} [--seed | --seed-broken] [-- COMMAND ARG...]",
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
    return parser


def _serve(sandbox: Sandbox) -> None:
    for name, value in sandbox.child_variables().items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    sys.stdout.flush()
    interrupted = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *received: interrupted.set())
    interrupted.wait()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
