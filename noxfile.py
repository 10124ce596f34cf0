# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that checks the collection, as nox sessions: ``.venv/bin/nox --list``.

The tag ``test`` is ``make test``, the tag ``all`` is ``make test-all``. Both run two sessions side
by side, in the order of this file: the longest come first, so that the short ones fill the gaps at
the end. Arguments behind ``--`` go to pytest.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import nox

from ansible_collections.rayfleet.anyscale.tests.support.browser import PROGRAMS, find_browser
from ansible_collections.rayfleet.anyscale.tests.support.iam_simulate import (
    install_iam_simulate,
)
from ansible_collections.rayfleet.anyscale.tools.environment import (
    CACHE,
    HOME,
    ROOT,
    VENV,
    clean_environment,
)

nox.needs_version = ">=2026"
nox.options.allow_parallel = True
nox.options.default_venv_backend = "none"  # .venv, which tools/setup.sh makes
nox.options.envdir = str(CACHE / "nox")
nox.options.error_on_missing_interpreters = (
    False  # skipped, which `make test-all` treats as a failure
)
nox.options.reuse_venv = "yes"
nox.options.tags = ["test"]

HERE = "ansible_collections.rayfleet.anyscale"
SANDBOX = ("python", "-m", f"{HERE}.tests.sandbox", "--seed", "--")
LOGS = CACHE / "logs"
OWN_VENV: dict[str, t.Any] = {"venv_backend": "uv|virtualenv"}
# Of the range of ansible-core that is supported, the end at which .venv is not.
OTHER_PYTHON = "3.11" if sys.version_info >= (3, 12) else "3.13"
PYTEST = ("pytest", "--durations=10")
# For a session whose own environment holds other tools than those of the tests.
PYTEST_OF_VENV = (str(VENV / "bin/python"), "-m", *PYTEST)
WHOLE = bool(os.environ.get("WHOLE"))  # set by `make test-all`
LINES_OF_A_FAILURE = 40
JUDGED_BY_GALAXY = (
    "published",
    "signature",
)  # files of tests/package that the session package runs
# With a profile alone, without `enable_list: [args]`, ansible-lint finds nothing here. It still
# overlooks a misspelled option beside a templated choice, such as a templated `state`: there only
# running the task tells.
MISSPELLED = """---
- name: A play that is right but for one misspelled option
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Let EC2 assume a role
      rayfleet.anyscale.iam_trust_ec2:
        role: example
        quota_charz: 4096
"""

test = nox.session(tags=["test", "all"])
test_all = nox.session(tags=["all"])


# --- tests


@test
def playbooks(session: nox.Session) -> None:
    """Playbooks against the sandbox, as users run them."""
    pytest(session, "tests/integration/playbooks")


@test
def plugins(session: nox.Session) -> None:
    """Inventory, callback and lookups against the sandbox, and what secures them."""
    pytest(session, "tests/integration/plugins", "tests/integration/security")


@test
def modules(session: nox.Session) -> None:
    """Modules in this process against the sandbox."""
    pytest(session, "tests/integration/modules")


@nox.session(python=OTHER_PYTHON, tags=["test", "all"], **OWN_VENV)
def core(session: nox.Session) -> None:
    """On the other ansible-core: what ansible-core touches. For every change, of the playbooks only
    whether their plays keep what they set.
    """
    install(session, "pytest")
    playbooks = "tests/integration/playbooks" + ("" if WHOLE else "/test_run_settings.py")
    others = [f"tests/integration/{name}" for name in ("modules", "plugins")]
    pytest(session, "-m", "core and not long and not soak", "tests/unit", *others, playbooks)


@test
def reliability(session: nox.Session) -> None:
    """Faults, races, interruption and hostile policies, in the bounded versions."""
    pytest(session, "tests/reliability")


@test_all
def in_worker(session: nox.Session) -> None:
    """The tests of modules, run as Ansible's worker processes run modules."""
    pytest(session, "--in-worker", "tests/integration/modules")


@test
def unit(session: nox.Session) -> None:
    """Pure functions, clients and the sandbox."""
    pytest(session, "tests/unit")


@test
def judge(session: nox.Session) -> None:
    """What is planned for random policies, as iam-simulate, a program of Node's, judges it."""
    if problem := install_iam_simulate():
        session.skip(problem)
    env = {"TIMES": "5" if WHOLE else "1"}
    run(session, *PYTEST, *session.posargs, "tests/iam_simulate", env=env, never_say=" skipped")


@nox.session(tags=["test", "all"], **OWN_VENV)
def linters(session: nox.Session) -> None:
    """parliament and policy_sentry on every policy document that the collection writes or prints."""
    install(session, "linters")
    linter = {"LINTER": str(Path(session.bin) / "python")}
    run(session, *PYTEST_OF_VENV, "tests/policy_linters", env=linter, never_say=" skipped")


@test
def guide(session: nox.Session) -> None:
    """The pages of the guide print what the commands print."""
    pytest(session, "tests/docs")


@test_all
def molecule(session: nox.Session) -> None:
    """The role on the seeded fleet. The sandbox is around it, so that it cannot outlive it."""
    run(session, *SANDBOX, "molecule", "test", "--all", "--no-command-borders")


@nox.session(tags=["all"], **OWN_VENV)
def awx(session: nox.Session) -> None:
    """The playbook awx: the released modules of awx.awx, before a stand-in for AWX."""
    install(session, "awx")
    # The package of the modules is all that this environment holds.
    run(session, *PYTEST_OF_VENV, "tests/awx", never_say=" skipped")


@nox.session(tags=["all"], **OWN_VENV)
def eda(session: nox.Session) -> None:
    """The rulebooks: by ansible-rulebook's own schema and parser, and where there is a Java machine,
    run with the released sources of amazon.aws before the sandbox.
    """
    if sys.version_info < (3, 12):
        session.skip("the first release of ansible with these sources needs Python 3.12")
    install(session, "eda")
    tests = ["tests/eda/test_rulebooks.py"]
    if shutil.which("java"):
        tests.append("tests/eda/test_healing.py")
    else:
        session.log("there is no java: the rulebooks are not run")
    run(session, *PYTEST_OF_VENV, *session.posargs, *tests, never_say=" skipped")


@nox.session(requires=["docsite"], tags=["all"], **OWN_VENV)
def browser(session: nox.Session) -> None:
    """The audit's page and the documentation's website in a real browser."""
    if find_browser() is None:
        session.skip(f"no browser shows a page here: {', '.join(PROGRAMS)}")
    install(session, "browser")
    options = ("--confcutdir=tests/browser", *session.posargs)
    run(session, *PYTEST, *options, "tests/browser", never_say=" skipped")


# --- sanity and style


@test
def sanity(session: nox.Session) -> None:
    """All tests of ansible-test sanity but pylint, which has a session for itself."""
    ansible_test_sanity(session, "--skip-test", "pylint")


@nox.session(tags=["test"])
def pylint(session: nox.Session) -> None:
    """ansible-test's pylint on what runs at the users'."""
    ansible_test_sanity(session, "--test", "pylint", "plugins/")


@test_all
def pylint_all(session: nox.Session) -> None:
    """ansible-test's pylint on everything."""
    ansible_test_sanity(session, "--test", "pylint")


@nox.session(tags=["test", "all", "lint"])
def ansible_lint(session: nox.Session) -> None:
    """Ansible style and misspelled module options, with the proof that those are looked for."""
    # ansible-lint checks no options of a module that has an action plugin of its name.
    copy = copied_clone(session, without="plugins/action/")
    env = {"ANSIBLE_COLLECTIONS_PATH": str(copy.parents[2])}
    run(session, "ansible-lint", cwd=copy, env=env)
    misspelled = CACHE / "misspelled"
    shutil.rmtree(misspelled, ignore_errors=True)
    misspelled.mkdir()
    (misspelled / "misspelled.yml").write_text(MISSPELLED)
    config = ("--config-file", str(ROOT / ".ansible-lint"))
    command = ("ansible-lint", *config, "misspelled.yml")
    run(session, *command, cwd=misspelled, env=env, status=2, must_say="Unsupported parameters")
    say(session, "ansible-lint refused a misspelled option, as it must")


@nox.session(tags=["test", "all", "lint"])
def mypy(session: nox.Session) -> None:
    """Types."""
    tree = CACHE / "mypy-tree"  # in which mypy finds the collection by its full name
    here = tree / HERE.replace(".", "/")
    here.parent.mkdir(parents=True, exist_ok=True)
    link(here, ROOT)
    typed = [
        f"{here.relative_to(tree)}/{folder}" for folder in ("plugins", "demo", "tests/sandbox")
    ]
    run(session, "mypy", "--config-file", str(ROOT / "pyproject.toml"), *typed, cwd=tree)


@nox.session(tags=["test", "all", "lint"])
def ruff(session: nox.Session) -> None:
    """Python style."""
    run(session, "ruff", "check", ".")
    run(session, "ruff", "format", "--check", ".")


@nox.session(tags=["test", "all", "lint"])
def yamllint(session: nox.Session) -> None:
    """YAML style."""
    run(session, "yamllint", "--strict", ".")
    say(session, "yamllint found nothing")


@nox.session(tags=["test", "all", "lint"])
def metadata(session: nox.Session) -> None:
    """The license of each file, and workflows as the forge reads them."""
    workflows = [str(path) for path in sorted((ROOT / ".github/workflows").glob("*.yml"))]
    run(session, "check-jsonschema", "--builtin-schema", "vendor.github-workflows", *workflows)
    run(session, "reuse", "lint", "--quiet")
    say(session, "reuse found nothing")


# --- documentation and package


@test
def docs(session: nox.Session) -> None:
    """Documentation renders, and its references exist."""
    refs = ("--validate-collection-refs=dependent", "--disallow-unknown-collection-refs")
    checks = ("--plugin-docs", *refs, "--check-extra-docs-refs")
    run(session, "antsibull-docs", "lint-collection-docs", *checks, ".")
    say(session, "antsibull-docs found nothing")


@test
def changelog(session: nox.Session) -> None:
    """The changelog can be released, and a fragment tells what users notice of the last changes."""
    run(session, "antsibull-changelog", "lint")
    run(session, "python", "-m", f"{HERE}.tools.changelog_fragment")
    say(session, "the changelog is complete")


@test
def build(session: nox.Session) -> None:
    """The tarball: what is in it, and that it is installed, documented and found; and README."""
    others = [f"--ignore=tests/package/test_{name}.py" for name in ("site", *JUDGED_BY_GALAXY)]
    run(session, *PYTEST, *others, "tests/package")


@nox.session(tags=["all"], **OWN_VENV)
def docsite(session: nox.Session) -> None:
    """The documentation as a website."""
    install(session, "docsite")
    site = CACHE / "site"
    shutil.rmtree(site, ignore_errors=True)
    (site / "rst").mkdir(mode=0o700, parents=True)  # antsibull-docs refuses one of a group
    site.chmod(0o700)
    options = ("--use-current", "--squash-hierarchy", "--fail-on-error", "--dest-dir", "rst")
    run(session, "antsibull-docs", "collection", *options, "rayfleet.anyscale", cwd=site)
    for image in (ROOT / "docs/docsite/rst").glob("*.svg"):  # antsibull-docs takes pages alone
        shutil.copy(image, site / "rst/docsite")
    sphinx = ("-q", "-W", "--keep-going", "-b", "html", "-c", str(ROOT / "docs/docsite"))
    run(session, "sphinx-build", *sphinx, "-d", "doctrees", "rst", "html", cwd=site)
    run(session, *PYTEST_OF_VENV, "tests/package/test_site.py")
    say(session, f"{(site / 'html/index.html').relative_to(ROOT)}")


@nox.session(tags=["all"], **OWN_VENV)
def package(session: nox.Session) -> None:
    """The tarball as Galaxy, ansible-builder and its users take it, and its signature."""
    install(session, "package")
    tests = [f"tests/package/test_{name}.py" for name in JUDGED_BY_GALAXY]
    run(session, *PYTEST_OF_VENV, *tests, never_say=" skipped")


# --- not in a tag


@nox.session
def coverage(session: nox.Session) -> None:
    """Branch coverage of plugins/ by the tests of ``make test-all``, processes and modules included."""
    rcfile = ("--rcfile=pyproject.toml",)
    run(session, "coverage", "combine", "--quiet", *rcfile)
    run(session, "coverage", "html", "--quiet", *rcfile)
    report = run(session, "coverage", "report", *rcfile)
    [total] = [line.split()[-1] for line in report.splitlines() if line.startswith("TOTAL")]
    say(session, f"branch coverage of plugins/: {total}")


@nox.session
def soak(session: nox.Session) -> None:
    """The long versions of the tests, and their figures for the documentation."""
    faults = [f"tests/reliability/test_{name}.py" for name in ("faults", "faults_other_operations")]
    shutil.rmtree(CACHE / "soak", ignore_errors=True)
    # The faults are many and do not mind company; what is about time and processes has the machine
    # for itself.
    run(session, "pytest", "-m", "soak or not soak", "-n", "2", "--dist", "loadfile", *faults)
    run(session, "pytest", "-m", "soak", *(f"--ignore={path}" for path in faults))
    run(session, "python", "-m", f"{HERE}.docs.tools.soak_figures_table")


@nox.session(**OWN_VENV)
def awscli(session: nox.Session) -> None:
    """The AWS CLI, for the benchmark: it wants older releases of what the others need."""
    install(session, "awscli")


@nox.session(requires=["awscli"], **OWN_VENV)
def bench(session: nox.Session) -> None:
    """Measure against amazon.aws, the AWS CLI and boto3."""
    install(session, "bench")
    run(session, "python", "-m", f"{HERE}.benchmarks", *session.posargs)


@nox.session(**OWN_VENV)
def pins(session: nox.Session) -> None:
    """Compile the dependency groups of pyproject.toml into tests/requirements, newest releases first.

    The files hold names, versions, environment markers and hashes, and no addresses, so that they
    install from whatever index the machine is set up for, if it has the released files. Most sizes take
    their versions from ``test``; those that are installed alone, and want older releases, do not.
    """
    session.install("--quiet", "uv")
    folder = ROOT / "tests/requirements"
    form = ("--no-header", "--no-annotate", "--no-emit-index-url", "--no-emit-find-links")
    compile_pins = (
        *("uv", "pip", "compile", "--quiet", "--universal", "--python-version", "3.11"),
        "--generate-hashes",
    )
    groups = (
        "demo",
        "pytest",
        "bench",
        "browser",
        "docsite",
        "awscli",
        "package",
        "linters",
        "awx",
        "eda",
    )
    for group in ("test", *groups):
        alone = group in ("test", "awscli", "package", "linters", "awx", "eda")
        limits = () if alone else ("--constraints", str(folder / "test.txt"))
        upgrade = () if group in ("demo", "pytest", "bench") else ("--upgrade",)
        if group == "awx":  # its tests run with the ansible-core of the others
            upgrade = (*upgrade, "--no-deps")
        output = ("--group", group, "--output-file", str(folder / f"{group}.txt"))
        session.run(*compile_pins, *form, *upgrade, *limits, *output)
    for path in sorted(folder.glob("*.txt")):
        if re.search(r"://|^-|@", path.read_text(), re.MULTILINE):
            session.error(f"{path.relative_to(ROOT)} names an address")


# --- how


def run(
    session: nox.Session,
    *argv: str,
    cwd: Path = ROOT,
    env: t.Mapping[str, str] | None = None,
    status: int = 0,
    must_say: str = "",
    never_say: str = "",
) -> str:
    """Run a command in the clean environment, its output going to the session's log, and return it.

    It has to end with ``status``; ``must_say`` has to be in the output, and ``never_say`` must not
    be: some tools that tested nothing end with 0. Beside other sessions only the end of the output
    of a command that failed is shown.
    """
    line = shlex.join(argv)
    session.log(line)
    path, start = _log(session, f"$ {line}")
    venv = Path(session.bin_paths[0]).parent if session.bin_paths else VENV
    problem = ""
    try:
        with session.chdir(cwd):
            session.run(
                *("bash", "-c", _TEE + " >/dev/null" * session.parallel, str(path), *argv),
                env={**clean_environment(venv), **_coverage(), **(env or {})},
                include_outer_env=False,
                external=True,
                log=False,
                success_codes=[status],
            )
    except nox.command.CommandFailed as error:
        problem = str(error)
    output = path.read_text(encoding="utf-8", errors="replace")[start:]
    if must_say not in output:
        problem = problem or f"did not say {must_say!r}"
    if never_say and never_say in output:
        problem = problem or f"said {never_say!r}"
    if problem:
        if session.parallel:
            print(*output.splitlines()[-LINES_OF_A_FAILURE:], sep="\n", flush=True)
        session.error(f"{line}: {problem}; the whole log: {path.relative_to(ROOT)}")
    return output


_TEE = 'set -o pipefail; "$@" </dev/null 2>&1 | tee -a "$0"'
_logged: set[str] = set()


def _log(session: nox.Session, line: str) -> tuple[Path, int]:
    """Write a line to the session's log, which begins anew with each run. Returns where the log is,
    and how many characters are in it.
    """
    path = LOGS / f"{session.name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a" if session.name in _logged else "w", encoding="utf-8") as log:
        log.write(f"{line}\n")
    _logged.add(session.name)
    return path, len(path.read_text(encoding="utf-8", errors="replace"))


def say(session: nox.Session, text: str) -> None:
    """Close the session's log with a line for the summary."""
    session.log(text)
    _log(session, text)


def _coverage() -> dict[str, str]:
    """Variables that have every Python process that inherits them measured, in `make test-all`."""
    if not WHOLE:
        return {}
    return {"COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"), "COVERAGE_CLONE": str(ROOT)}


def pytest(session: nox.Session, *arguments: str) -> None:
    """Run tests that take long: beside other sessions in one process, else on both cores."""
    # The tests of a file share what it prepares, such as a run of a playbook, and so stay together.
    workers = () if session.parallel else ("-n", "2", "--dist", "loadfile")
    whole = ("-m", "not soak", "--hypothesis-profile=thorough") if WHOLE else ()
    options = (*workers, *whole, *session.posargs)
    run(session, *PYTEST, *options, *arguments)


def install(session: nox.Session, group: str) -> None:
    """Fill the session's own environment with the pins of a group, and link the collection into it.

    The files of pins are complete, so that nothing has to be resolved.
    """
    pins = f"tests/requirements/{group}.txt"
    session.install("--quiet", "--no-compile", "--no-deps", "--requirement", pins)
    [packages] = Path(session.virtualenv.location).glob("lib/python*/site-packages")
    folder = packages / HERE.replace(".", "/")
    folder.parent.mkdir(parents=True, exist_ok=True)
    link(folder, ROOT)


def link(path: Path, target: Path) -> None:
    """Make a symbolic link, unless it is there: another session may make the same one."""
    if path.is_symlink() and path.readlink() != target:  # the clone has been moved
        path.unlink()
    with contextlib.suppress(FileExistsError):
        path.symlink_to(target)


def copied_clone(session: nox.Session, without: str = "") -> Path:
    """A copy of the clone's files, in a tree of collections and a git work tree of its own.

    Without that, tools that ask git find that all of .cache is ignored, and test nothing.
    """
    copy = CACHE / session.name / HERE.replace(".", "/")
    shutil.rmtree(copy, ignore_errors=True)
    listing = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    listed = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file() and not (without and name.startswith(without)):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, copy / name)
    subprocess.run(["git", "init", "--quiet"], cwd=copy, check=True)
    return copy


def ansible_test_sanity(session: nox.Session, *arguments: str) -> None:
    """Sanity tests on a copy, without ignore files. A run that checked nothing is a failure."""
    copy = copied_clone(session)
    if ignored := sorted(path.name for path in (copy / "tests/sanity").glob("ignore-*.txt")):
        session.error(f"tests/sanity has ignore files: {', '.join(ignored)}")
    # Where ansible-test looks for the script that installs pip, before it downloads it.
    scripts = HOME / ".ansible/test/cache"
    scripts.mkdir(parents=True, exist_ok=True)
    for name in ("get_pip_24_2.py", "get_pip_25_2.py"):  # of ansible-core 2.19 and 2.21
        link(scripts / name, ROOT / "tools/get_pip.py")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    options = ("--python", version, "--color", "no", *arguments)
    output = run(
        session, "ansible-test", "sanity", *options, cwd=copy, never_say="All targets skipped"
    )
    if "Required program" in output:
        session.error("ansible-test lacked a program, and passed over what needs it")
    say(session, f"{output.count('Running sanity test')} sanity tests passed")
