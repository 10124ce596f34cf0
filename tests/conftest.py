# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the integration tests share: one sandbox, empty at each test's start, and modules run
through their main().
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import pathlib
import tempfile
import types
import typing as t
from unittest import mock

import botocore.session
import hypothesis
import pytest
from ansible.module_utils import _internal
from ansible.module_utils.common import warnings
from ansible.module_utils.testing import patch_module_args

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action import in_worker
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.credential_cache import (
    SessionCache,
    new_key,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox

# What properties are tried on: a few examples each time, many with --hypothesis-profile=thorough.
# Examples take their time on a busy machine, which is no failure.
hypothesis.settings.register_profile("quick", max_examples=25, deadline=None)
hypothesis.settings.register_profile("thorough", max_examples=200, deadline=None)
hypothesis.settings.load_profile("quick")

pytest.register_assert_rewrite(
    "ansible_collections.rayfleet.anyscale.tests.support.module_assertions"
)

ACCOUNT = "222222222222"
MODULES = "ansible_collections.rayfleet.anyscale.plugins.modules"
ACTIONS = "ansible_collections.rayfleet.anyscale.plugins.action"
IN_WORKER = "--in-worker"
_NOT_FROM_OUTSIDE = (
    "AWS_PROFILE",
    "AWS_SESSION_TOKEN",
    "AWS_CA_BUNDLE",
    "AWS_REGION",
    "AWS_URL",
    "AWS_ACCESS_KEY",
    "AWS_SECRET_KEY",
)

Result = dict[str, t.Any]
RunModule = t.Callable[..., Result]


def pytest_addoption(parser: pytest.Parser) -> None:
    """The other way to run modules."""
    parser.addoption(
        IN_WORKER, action="store_true", help="run modules as Ansible's worker processes run them"
    )


@pytest.fixture(scope="session")
def running_sandbox() -> t.Iterator[Sandbox]:
    """The sandbox's servers, started once: an empty organization and empty accounts cost nothing,
    servers do. They are for child processes; this one is answered without sockets.
    """
    with Sandbox() as sandbox, sandbox.in_process():
        yield sandbox


@pytest.fixture(scope="session", autouse=True)
def shared_service_models() -> t.Iterator[None]:
    """Botocore's models of the services are read once, not for each run of a module: that is most
    of a run's time.
    """
    with mock.patch.object(
        botocore.session, "create_loader", functools.cache(botocore.session.create_loader)
    ):
        yield


@pytest.fixture
def surroundings(
    running_sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> None:
    """An environment that leads to the sandbox, as a caller in ``ACCOUNT`` whose home and working
    folder are empty.
    """
    for name in _NOT_FROM_OUTSIDE:
        monkeypatch.delenv(name, raising=False)
    for name, value in running_sandbox.child_variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv(
        "AWS_ACCESS_KEY_ID", running_sandbox.credentials(ACCOUNT)["aws_access_key_id"]
    )
    # Nothing here speaks TLS; to read the machine's certificates again for each call would take half
    # of the time.
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def sandbox(running_sandbox: Sandbox, surroundings: None) -> Sandbox:
    """An empty sandbox; this process's environment leads to it."""
    running_sandbox.reset()
    return running_sandbox


@pytest.fixture
def run_module(
    surroundings: None,
    request: pytest.FixtureRequest,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
) -> RunModule:
    """Run a module by its name with its options as keywords; ``check=True`` is check mode. Returns
    its result.

    A traceback, in the result or on the standard error, fails the test. Warnings are returned as
    texts. With ``--in-worker``, it is run as its action plugin runs it inside of Ansible, where
    there is one: whatever a test says of a module has to hold there too.
    """

    def run(module: str, /, check: bool = False, **options: t.Any) -> Result:
        main = importlib.import_module(f"{MODULES}.{module}")
        locks = {"lock_dir": str(tmp_path / "locks")} if hasattr(main, "run_module") else {}
        arguments = {**locks, **options}
        if hasattr(main, "run_module") and request.config.getoption(IN_WORKER):
            return _run_in_worker(module, arguments, check, tmp_path)
        modes = {"_ansible_check_mode": check, "_ansible_diff": True}
        # A module's own interpreter knows nothing of the controller; this one does once another
        # test has imported it.
        apart = mock.patch.object(_internal, "is_controller", False)
        with (
            apart,
            mock.patch.object(warnings, "_global_warnings", {}),
            patch_module_args({**arguments, **modes}),
        ):
            with pytest.raises(SystemExit):
                main.main()
            messages = list(warnings.get_warning_messages())
        output = capsys.readouterr()
        result = json.loads(output.out.splitlines()[-1])
        assert "exception" not in result
        assert output.err == ""
        return {**result, "warnings": messages}

    return run


def _run_in_worker(module: str, arguments: Result, check: bool, folder: pathlib.Path) -> Result:
    """The result of an action plugin for a task, in a run of Ansible of its own."""
    kind = importlib.import_module(f"{ACTIONS}.{module}").ActionModule
    action = kind.__new__(kind)
    name = f"rayfleet.anyscale.{module}"
    action._task = types.SimpleNamespace(
        args={
            option: value
            for option, value in arguments.items()
            if not option.startswith("_ansible_")
        },
        check_mode=check,
        diff=True,
        action=name,
        resolved_action=name,
        until=[],
        retries=None,
    )
    action._loader = types.SimpleNamespace(get_basedir=os.getcwd)
    # This process continues after the task, and the sessions of a run go with it. The invocation is
    # shown where that is asked for.
    with (
        tempfile.TemporaryDirectory(dir=folder) as sessions,
        mock.patch.object(in_worker.gc, "freeze"),
        mock.patch.object(in_worker, "_shows_invocation", return_value=True),
        mock.patch.object(
            in_worker, "run_cache", functools.partial(SessionCache, sessions, new_key())
        ),
    ):
        result = {"changed": False, **action._run_here({})}
    return t.cast(Result, json.loads(json.dumps(result)))
