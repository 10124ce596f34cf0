# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs parts of the tests by name, all of them whatever fails, and ends with a summary. The
Makefile calls it.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
import traceback
import typing as t
from pathlib import Path

from ansible_collections.rayfleet.anyscale.tests.support.awx_modules import fetch_modules
from ansible_collections.rayfleet.anyscale.tests.tools.browser import PROGRAMS, find_browser
from ansible_collections.rayfleet.anyscale.tests.tools.docsite import build_site
from ansible_collections.rayfleet.anyscale.tests.tools.lint import lint
from ansible_collections.rayfleet.anyscale.tests.tools.package import build
from ansible_collections.rayfleet.anyscale.tests.tools.part import Part
from ansible_collections.rayfleet.anyscale.tests.tools.publishable import check_package
from ansible_collections.rayfleet.anyscale.tests.tools.sanity import sanity
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE, ROOT, clean_environment

SANDBOX = ("python", "-m", "ansible_collections.rayfleet.anyscale.tests.sandbox", "--seed", "--")
WORKERS = ("-n", "2")
# The tests of a file share what it prepares, such as a run of a playbook, and so stay together.
BY_FILE = (*WORKERS, "--dist", "loadfile")
_MODULES = (
    "iam_trust_ec2",
    "s3_cloud_access",
    "compute_config_profile",
    "cloud_iam_info",
    "options",
    "backup",
)
TESTS = ("tests/unit", "tests/integration", "tests/reliability", "tests/docs")
CORE = "core and not long and not soak"
IN_WORKER = tuple(f"tests/integration/modules/test_{name}.py" for name in _MODULES)


def unit(part: Part) -> None:
    """Pure functions, clients and modules, in this process."""
    part.run("pytest", *WORKERS, "tests/unit")


def integration(part: Part) -> None:
    """Modules, role and playbooks against the sandbox."""
    part.run("pytest", *BY_FILE, "tests/integration", "tests/reliability", "tests/docs")


def long(part: Part) -> None:
    """The tables in full, properties on many examples, and the tests of modules once more in the
    way of Ansible's workers.
    """
    part.run("pytest", *BY_FILE, "-m", "long", *TESTS)
    part.run("pytest", *WORKERS, "--hypothesis-profile=thorough", "tests/unit/plugins")
    part.run("pytest", *BY_FILE, "--in-worker", *IN_WORKER)


def browser(part: Part) -> None:
    """The audit's page in a real browser."""
    if find_browser() is None:
        part.skip(
            f"no browser shows a page here ({', '.join(PROGRAMS)}), so the audit's page was not "
            "tested in one"
        )
        return
    venv = CACHE / "browser"
    if _set_up(part, "browser", venv, sys.executable) == 0:
        # Where the tests find no browser after all, they skip themselves, which is no success here.
        part.run(
            "pytest",
            "--confcutdir=tests/browser",
            "tests/browser",
            env=clean_environment(venv),
            never_say=(" skipped",),
        )


def awx(part: Part) -> None:
    """The playbook awx: the released modules of awx.awx, before a stand-in for AWX."""
    if fetch_modules(part):
        part.run("pytest", *WORKERS, "tests/awx", never_say=(" skipped",))


def molecule(part: Part) -> None:
    """The role on the seeded fleet. The sandbox is around it, so that it cannot outlive it."""
    part.run(*SANDBOX, "molecule", "test", "--all", "--no-command-borders", closing=8)


def docs(part: Part) -> None:
    """Documentation that renders, with references that exist, and a changelog that can be released."""
    part.run(
        "antsibull-docs",
        "lint-collection-docs",
        "--plugin-docs",
        "--validate-collection-refs=dependent",
        "--disallow-unknown-collection-refs",
        "--check-extra-docs-refs",
        ".",
    )
    part.run("antsibull-changelog", "lint")


def docsite(part: Part) -> None:
    """The documentation as a website."""
    venv = CACHE / "docsite"
    if _set_up(part, "docsite", venv, sys.executable) == 0:
        build_site(part, venv)


def package(part: Part) -> None:
    """The tarball as Galaxy, ansible-builder and its users take it."""
    venv = CACHE / "package"
    if _set_up(part, "package", venv, sys.executable, may_fail=True) == 0:
        check_package(part, venv)


def matrix(part: Part) -> None:
    """What ansible-core touches, at the other end of the supported range: the oldest release, or
    the newest.
    """
    others = ("python3.11",) if sys.version_info >= (3, 12) else ("python3.13", "python3.12")
    for python in others:
        venv = CACHE / "matrix" / python
        status = _set_up(part, "pytest", venv, python, may_lack_python=True)
        if status == 0:
            env = clean_environment(venv)
            part.run("ansible", "--version", env=env, closing=0)
            part.run("pytest", *BY_FILE, "-m", CORE, "tests/unit", "tests/integration", env=env)
            return
        if status != NO_SUCH_PYTHON:
            return
    part.skip(
        f"no {' or '.join(others)} runs here, so the other end of the supported range was not "
        "tested"
    )


NO_SUCH_PYTHON = 3


def _set_up(
    part: Part,
    size: str,
    venv: Path,
    python: str,
    may_lack_python: bool = False,
    may_fail: bool = False,
) -> int:
    """Make an environment with the caller's settings of pip or uv, as `make setup` does."""
    command = [str(ROOT / "tests/tools/setup.sh"), size, str(venv)]
    env = {**os.environ, "PYTHON": python}
    done = subprocess.run(
        command, env=env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    part.say(*done.stdout.splitlines())
    if done.returncode and may_fail:
        part.say(*done.stderr.splitlines())
        part.skip("the virtual environment of its tools could not be made")
    elif done.returncode and not (may_lack_python and done.returncode == NO_SUCH_PYTHON):
        part.fail("the virtual environment could not be made", done.stderr.splitlines())
    return done.returncode


PARTS: dict[str, t.Callable[[Part], None]] = {
    function.__name__: function
    for function in (
        unit,
        integration,
        long,
        browser,
        awx,
        molecule,
        lint,
        sanity,
        docs,
        docsite,
        build,
        package,
        matrix,
    )
}


def main() -> int:
    """Run the parts that the command line names. 0: none failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument(
        "--whole", action="store_true", help="for a release: a part that was skipped is a failure"
    )
    arguments = parser.parse_args()
    names = arguments.names
    parts = []
    for name in names:
        print(f"== {name}: {(PARTS[name].__doc__ or '').strip()}", flush=True)
        part = Part(name, live=len(names) == 1)
        started = time.monotonic()
        try:
            PARTS[name](part)
        except Exception:  # the other parts run all the same
            part.fail("the part itself broke", traceback.format_exc().splitlines())
        part.seconds = time.monotonic() - started
        parts.append(part)
    print("\n== summary")
    for part in parts:
        print(
            (
                f"{part.outcome:8} {part.name:12} {part.seconds:6.1f} s   "
                f"{'; '.join(part.failures) or part.skipped}"
            ).rstrip()
        )
    return int(any(part.failures or (part.skipped and arguments.whole) for part in parts))


if __name__ == "__main__":
    sys.exit(main())
