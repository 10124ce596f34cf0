# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No token and no key shows anywhere, however it was given, whatever fails, and however
verbose Ansible is.
"""

from __future__ import annotations

import contextlib
import http.server
import io
import json
import ssl
import subprocess
import tempfile
import threading
import types
import typing as t
import uuid
from pathlib import Path

import pytest
import urllib3
import yaml
from moto.sts.models import sts_backends

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox, _anyscale
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    ONBOARDING_ROLE,
    VISION_ACCOUNT,
)
from ansible_collections.rayfleet.anyscale.tests.support.fake_clock import pass_quickly
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    BIN,
    Run,
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.processes import MARK, PROC, Seen, marked
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of
from ansible_collections.rayfleet.anyscale.tests.support.secret_scan import canary, leaks

Json = dict[str, t.Any]
RunModule = t.Callable[..., Json]

TRUST, BUCKET, CONFIG, INFO = (
    f"rayfleet.anyscale.{name}"
    for name in (
        "iam_trust_ec2",
        "s3_cloud_access",
        "compute_config_profile",
        "cloud_iam_info",
    )
)
NOWHERE, ELSEWHERE = "http://127.0.0.1:1", "http://anyscale.example.com"
# A request fails in an unforeseen way, where it is authorized as this variable says; who
# waits does so for a moment.
DEFECT = "RAYFLEET_TEST_DEFECT"
ANYSCALE, AWS = "Bearer", "AWS4-HMAC-SHA256"
SITE = f"""
import http.client, os, time
putheader, sleep = http.client.HTTPConnection.putheader, time.sleep
def defective(self, header, *values):
    if os.environ.get({DEFECT!r}, "nothing") in str(values[0]):
        raise RuntimeError("a defect")
    return putheader(self, header, *values)
http.client.HTTPConnection.putheader = defective
time.sleep = lambda seconds: sleep(min(seconds, 0.02))
"""

pytestmark = pytest.mark.skipif(
    not (PROC / "self/environ").exists(), reason="the processes of a run are watched in /proc"
)


def _cloud(name: str) -> Cloud:
    return Cloud(
        name,
        VISION_ACCOUNT,
        role=f"{name}-ray",
        trust="lambda_only",
        bucket_policy="foreign_reader",
        compute_config="role_arn",
    )


GOOD, ECHOED, DENIED, LOCKED, MISTAKEN, CONFUSED = CLOUDS = [
    _cloud(name) for name in ("good", "echoed", "denied", "locked", "mistaken", "confused")
]
ASSUMED = f"arn:aws:iam::{VISION_ACCOUNT}:role/{ONBOARDING_ROLE}"
MISSING = f"arn:aws:iam::{VISION_ACCOUNT}:role/missing"


class Watch(threading.Thread):
    """Watches a run while it lasts, as other users of the machine could: its processes, and the
    sessions, outcomes and progress that it keeps.
    """

    def __init__(self, mark: str, home: Path) -> None:
        super().__init__(daemon=True)
        self._mark, self._home = mark, home
        self._ended = threading.Event()
        self.processes: set[Seen] = set()
        self.sessions: dict[Path, tuple[int, bytes]] = {}
        self.outcomes: dict[Path, tuple[int, bytes]] = {}

    def run(self) -> None:
        """Sample repeatedly."""
        while not self._ended.wait(0.05):
            self.processes |= set(marked(self._mark).values())
            self._read("*.session", self.sessions)
            self._read("run-*/*", self.outcomes)

    def _read(self, pattern: str, found: dict[Path, tuple[int, bytes]]) -> None:
        for path in self._home.glob(f"tmp/ansible-local-*/rayfleet.anyscale/{pattern}"):
            with contextlib.suppress(FileNotFoundError):  # the run has ended
                found[path] = path.stat().st_mode & 0o777, path.read_bytes()

    def __enter__(self) -> Watch:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ended.set()
        self.join()


class Scene:
    """A folder to run things in, with canaries in the place of all secrets; afterwards they are
    searched for everywhere.
    """

    def __init__(self, sandbox: Sandbox, folder: Path, temporary: Path) -> None:
        self.sandbox = sandbox
        self._temporary = temporary
        self.folder, self.home, self._elsewhere = (
            folder / name for name in ("run", "home", "elsewhere")
        )
        for path in (self.folder, self.home, self._elsewhere):
            path.mkdir()
        (self._elsewhere / "sitecustomize.py").write_text(SITE)
        names = ("token", "secret_key", "session_token", "backup_key")
        self.canaries = {name: canary() for name in names}
        self.planted: list[Path] = []
        sandbox.reset()
        sandbox.seed(CLOUDS)

    def given_in_the_environment(self) -> dict[str, str]:
        """Variables that hold the secrets."""
        keys = {
            "AWS_SECRET_ACCESS_KEY": "secret_key",
            "AWS_SESSION_TOKEN": "session_token",
            "ANYSCALE_CLI_TOKEN": "token",
            "RAYFLEET_BACKUP_KEY": "backup_key",
        }
        return {variable: self.canaries[name] for variable, name in keys.items()}

    def given_in_files(self) -> dict[str, str]:
        """Variables that lead to files that hold them, where the CLIs of AWS and Anyscale keep
        them.
        """
        key = self.sandbox.credentials()["aws_access_key_id"]
        names = {"aws_secret_access_key": "secret_key", "aws_session_token": "session_token"}
        lines = [
            "[default]",
            f"aws_access_key_id={key}",
            *(f"{setting}={self.canaries[name]}" for setting, name in names.items()),
        ]
        files = {
            self.home / ".aws/credentials": "\n".join(lines),
            self.home / ".anyscale/credentials.json": json.dumps(
                {"cli_token": self.canaries["token"]}
            ),
        }
        for path, content in files.items():
            path.parent.mkdir()
            path.write_text(content)
            self.planted.append(path)
        empty = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "ANYSCALE_CLI_TOKEN")
        return {"AWS_SHARED_CREDENTIALS_FILE": str(self.planted[0]), **dict.fromkeys(empty, "")}

    def given_as_variables(self) -> Path:
        """A file of variables, as one that Ansible Vault protects."""
        path = self._elsewhere / "vault.yml"
        path.write_text(yaml.safe_dump(self.canaries))
        return path

    def surroundings(self, mark: str) -> dict[str, str]:
        """Variables with which Ansible says and keeps as much as it can."""
        return {
            "HOME": str(self.home),
            "ANSIBLE_HOME": str(self.home / "ansible"),
            "TMPDIR": str(self._temporary),
            "ANSIBLE_LOG_PATH": str(self.folder / "ansible.log"),
            "ANSIBLE_DISPLAY_TRACEBACK": "always",
            "ANSIBLE_DEBUG": "true",
            "PYTHONPATH": str(self._elsewhere),
            MARK: mark,
        }

    def run(
        self, name: str, inventory: Path, *arguments: str, **variables: str
    ) -> tuple[Run, Watch]:
        """Run a playbook with -vvvv, watched."""
        mark = uuid.uuid4().hex
        with Watch(mark, self.home / "ansible") as watch:
            run = run_playbook(
                self.sandbox,
                name,
                inventory,
                "-vvvv",
                *arguments,
                variables={**self.surroundings(mark), **variables},
            )
        return run, watch

    def list_inventory(
        self, variables: t.Mapping[str, str], **options: t.Any
    ) -> tuple[subprocess.CompletedProcess[str], Watch]:
        """List an inventory of the plugin with -vvvv and a cache, watched."""
        cache = {
            "cache": True,
            "cache_plugin": "ansible.builtin.jsonfile",
            "cache_connection": str(self.folder / "cache"),
        }
        path = self.folder / "fleet.anyscale_clouds.yml"
        path.write_text(
            yaml.safe_dump({"plugin": "rayfleet.anyscale.anyscale_clouds", **cache, **options})
        )
        mark = uuid.uuid4().hex
        environment = {**self.sandbox.environment(), **self.surroundings(mark), **variables}
        command = [str(BIN / "ansible-inventory"), "-i", str(path), "--list", "-vvvv"]
        with Watch(mark, self.home / "ansible") as watch:
            done = subprocess.run(
                command,
                cwd=self.folder,
                env=environment,
                capture_output=True,
                text=True,
                check=False,
            )
        return done, watch

    def refuse(self) -> None:
        """The failures of some clouds: a token is refused by an answer that quotes it, and a
        call by AWS.
        """
        self.refuse_token(1000, resource=ECHOED.cloud_id)
        self.sandbox.fault("GetRole", status=403, resource=DENIED.role_name, times=1000)

    def refuse_token(self, times: int, **fault: str) -> None:
        """Answers of Anyscale that quote the token."""
        words = f"The token {self.canaries['token']} is not valid."
        self.sandbox.fault("* /api/*", status=401, message=words, times=times, **fault)

    def all_canaries(self) -> dict[str, str]:
        """Also those that AssumeRole answered with."""
        roles = [
            role
            for backends in sts_backends.values()
            for backend in backends.values()
            for role in backend.assumed_roles
        ]
        assumed = {
            f"assumed secret key {number}": role.secret_access_key
            for number, role in enumerate(roles)
        }
        return {
            **self.canaries,
            **assumed,
            **{
                f"assumed session token {number}": role.session_token
                for number, role in enumerate(roles)
            },
        }

    def found(self, *texts: str) -> list[str]:
        """The canaries in texts and in all files that are there now, but for those that they were
        planted in.
        """
        assert (self.folder / "ansible.log").stat().st_size
        for path in self.planted:
            path.unlink()
        secrets = self.all_canaries()
        return [
            leak
            for where in (*texts, self.folder, self.home, self._temporary)
            for leak in leaks(where, secrets)
        ]


def leaked_by_processes(watch: Watch, canaries: t.Mapping[str, str]) -> list[str]:
    """The canaries in the command lines of a run."""
    assert watch.processes
    return [
        leak
        for seen in watch.processes
        for leak in leaks(seen.command.replace(b"\0", b" "), canaries)
    ]


@pytest.fixture
def scene(
    running_sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> t.Iterator[Scene]:
    """A scene in which the token that is planted is one of the organization's."""
    # Ansible makes sockets in its temporary folder, whose paths have to be short: those of pytest's
    # folders may not be.
    with tempfile.TemporaryDirectory() as temporary:
        made = Scene(running_sandbox, tmp_path, Path(temporary))
        monkeypatch.setitem(_anyscale._USERS, made.canaries["token"], _anyscale.OWNER)
        yield made


ALL = {cloud.name for cloud in CLOUDS}
ECHO = "The token *** is not valid"
BY_THE_ROLE = ("-e", "fleet_engine=false")
SAID = (ECHO, "AccessDenied", "Not a bucket!")


def given_as_host_variables(scene: Scene) -> Json:
    """The connection of a cloud, in variables of which a vault holds the secrets."""
    return {
        "cloud_iam_access_key": scene.sandbox.credentials()["aws_access_key_id"],
        "cloud_iam_secret_key": "{{ secret_key }}",
        "cloud_iam_session_token": "{{ session_token }}",
        "cloud_iam_anyscale_token": "{{ token }}",
        "cloud_iam_backup_key": "{{ backup_key }}",
    }


def fleet_inventory(scene: Scene, **variables: t.Any) -> Path:
    """The clouds, of which one cannot be reached and two have a setting that is wrong."""
    path = inventory_file(scene.folder, scene.sandbox, CLOUDS, **variables)
    inventory = yaml.safe_load(path.read_text())
    hosts = inventory["all"]["children"]["anyscale_clouds"]["hosts"]
    hosts[LOCKED.name]["cloud_iam_assume_role_arn"] = MISSING
    hosts[MISTAKEN.name]["cloud_iam_bucket"] = "Not a bucket!"
    # An error quotes the value, which may be a secret in the wrong place.
    hosts[CONFUSED.name]["cloud_iam_quota_chars"] = variables.get("cloud_iam_secret_key", "many")
    path.write_text(yaml.safe_dump(inventory))
    return path


# The playbook with its variables, where the secrets are given, the clouds that it is to fail for,
# and what it is to say then.
PLAYBOOKS: dict[str, tuple[str, tuple[str, ...], str, set[str], tuple[str, ...]]] = {
    "onboard": ("onboard", (), "environment", ALL - {GOOD.name}, SAID),
    "onboard, with a diff": ("onboard", ("--diff",), "environment", ALL - {GOOD.name}, SAID),
    "onboard, with credentials files": ("onboard", (), "files", ALL - {GOOD.name}, SAID),
    "onboard, with variables": ("onboard", (), "variables", ALL - {GOOD.name}, SAID),
    "onboard, with a defect": ("onboard", (), "defect", ALL, ("RuntimeError: a defect",)),
    "onboard by the role": ("onboard", BY_THE_ROLE, "environment", ALL - {GOOD.name}, SAID),
    "onboard by the role, with variables": (
        "onboard",
        BY_THE_ROLE,
        "variables",
        ALL - {GOOD.name},
        SAID,
    ),
    "audit": ("audit", (), "files", ALL - {GOOD.name, DENIED.name}, SAID),
    "audit, with variables": ("audit", (), "variables", ALL - {GOOD.name, DENIED.name}, SAID),
    "explain, with variables": (
        "explain",
        ("-e", "fleet_clouds=*"),
        "variables",
        ALL - {GOOD.name, DENIED.name},
        SAID,
    ),
    "offboard, with variables": (
        "offboard",
        ("-e", f"offboard_confirm={len(ALL)}"),
        "variables",
        ALL - {GOOD.name},
        SAID,
    ),
}


@pytest.mark.parametrize("case", PLAYBOOKS)
def test_playbooks_show_no_secret(scene: Scene, case: str) -> None:
    """Not on the screen, in the log, in results, in backups, in reports, nor in what is left."""
    name, arguments, source, failing, words = PLAYBOOKS[case]
    scene.refuse()
    variables = scene.given_in_files() if source == "files" else scene.given_in_the_environment()
    if source == "variables":
        variables, inventory = {}, fleet_inventory(scene, **given_as_host_variables(scene))
        arguments = (*arguments, "-e", f"@{scene.given_as_variables()}")
    else:
        inventory = fleet_inventory(scene)
    defect = {DEFECT: ANYSCALE} if source == "defect" else {}
    run, watch = scene.run(name, inventory, *arguments, **variables, **defect)
    assert run.failed() == failing, run.output
    assert [text for text in words if text not in run.output] == []
    assert scene.found(run.output, json.dumps(run.results)) == []
    assert leaked_by_processes(watch, scene.all_canaries()) == []
    assert outcomes_seen(watch, scene) == []
    assert watch.outcomes


def outcomes_seen(watch: Watch, scene: Scene) -> list[str]:
    """The canaries in what a run keeps until its end, for its user's eyes alone."""
    assert {mode for mode, _content in watch.outcomes.values()} <= {0o600}
    contents = b"".join(content for _mode, content in watch.outcomes.values())
    return leaks(contents, scene.all_canaries())


def test_a_rollback_shows_no_secret_and_sessions_are_kept_for_a_run_alone(scene: Scene) -> None:
    """What AssumeRole answered is in encrypted files of the run's own, and nowhere once the run has
    ended.
    """
    inventory, variables = (
        inventory_file(scene.folder, scene.sandbox, CLOUDS),
        scene.given_in_the_environment(),
    )
    onboard, during = scene.run("onboard", inventory, "-e", "cloud_iam_run_id=first", **variables)
    assert onboard.exit_status == 0, onboard.output
    assert {mode for mode, _content in during.sessions.values()} == {0o600}
    contents = b" ".join(content for _mode, content in during.sessions.values())
    assert leaks(contents, scene.all_canaries()) == []
    assert [path for path in during.sessions if path.exists()] == []
    scene.refuse_token(2)  # of two clouds, whichever come first
    rollback, watch = scene.run("rollback", inventory, "-e", "rollback_run=first", **variables)
    assert len(rollback.failed()) == 2, rollback.output
    assert ECHO in rollback.output, rollback.output
    assert (
        scene.found(
            onboard.output, rollback.output, json.dumps([onboard.results, rollback.results])
        )
        == []
    )
    for seen in (during, watch):
        assert leaked_by_processes(seen, scene.all_canaries()) == []


def _of(cloud: Cloud, **options: t.Any) -> Json:
    return {"account_id": cloud.account_id, "assume_role_arn": ASSUMED, **options}


def _config(cloud: Cloud, **options: t.Any) -> Json:
    names = {"cloud_id": cloud.cloud_id, "role": cloud.role_name}
    return {CONFIG: _of(cloud, name=cloud.compute_config_name, **{**names, **options})}


# Each is a task whose name says what happens: with "fails:" what it says then, else it succeeds.
TASKS: dict[str, Json] = {
    "a compute config": _config(GOOD, backup=True),
    "the facts": {
        INFO: _of(
            GOOD,
            cloud_id=GOOD.cloud_id,
            role=GOOD.role_name,
            bucket=GOOD.bucket_name,
            compute_config=[GOOD.compute_config_name],
        )
    },
    f"fails: {ECHO}": {TRUST: _of(ECHOED, cloud_id=ECHOED.cloud_id)},
    "fails: AccessDenied": {TRUST: _of(DENIED, role=DENIED.role_name)},
    "fails: a defect": {**_config(GOOD), "environment": {DEFECT: ANYSCALE}},
    "fails: the HTTP client cannot": {**_config(GOOD), "environment": {DEFECT: AWS}},
    "fails: quota_chars": {TRUST: _of(GOOD, role=GOOD.role_name, quota_chars="{{ secret_key }}")},
    "fails: Unsupported parameters": {TRUST: _of(GOOD, role=GOOD.role_name, rolle="x")},
    "fails: not the name of an IAM role": {TRUST: _of(GOOD, role="{{ secret_key }}+")},
    "fails: session_token contains characters": {
        TRUST: _of(GOOD, role=GOOD.role_name, session_token="{{ session_token }} {{ secret_key }}")
    },
}
# These are for the worker alone, where a task takes a tenth of the time.
MORE_TASKS: dict[str, Json] = {
    "a role": {TRUST: _of(GOOD, role=GOOD.role_name)},
    "a bucket": {BUCKET: _of(GOOD, bucket=GOOD.bucket_name, roles=[GOOD.role_arn])},
    "fails: AssumeRole": {TRUST: {**_of(GOOD, role=GOOD.role_name), "assume_role_arn": MISSING}},
    "fails: EndpointConnectionError": {TRUST: _of(GOOD, role=GOOD.role_name, endpoint_url=NOWHERE)},
    "fails: no answer": {
        CONFIG: _of(
            GOOD, name="x", cloud_id=GOOD.cloud_id, role=GOOD.role_name, anyscale_host=NOWHERE
        )
    },
    "fails: value of state must be one of": {TRUST: _of(GOOD, role=GOOD.role_name, state="gone")},
    "fails: mutually exclusive": {TRUST: _of(GOOD, role=GOOD.role_name, profile="missing")},
    "fails: access_key": {TRUST: _of(GOOD, role=GOOD.role_name, access_key="")},
    "fails: anyscale_host": {
        CONFIG: _of(
            GOOD, name="x", cloud_id=GOOD.cloud_id, anyscale_host="http://{{ token }}@anyscale.com"
        )
    },
}


@pytest.mark.parametrize(
    "in_worker", few_of([True, False], True), ids=["in the worker", "as modules"]
)
def test_modules_show_no_secret_that_is_given_as_an_option(scene: Scene, in_worker: bool) -> None:
    """Whether they succeed, are refused, find no role, or are given something wrong beside it."""
    scene.refuse()
    for_aws = {"access_key": scene.sandbox.credentials()["aws_access_key_id"]}
    for_aws |= {option: f"{{{{ {option} }}}}" for option in ("secret_key", "session_token")}
    defaults = {
        "group/rayfleet.anyscale.all": for_aws,
        **{key: {"anyscale_token": "{{ token }}"} for key in (TRUST, BUCKET, CONFIG, INFO)},
    }
    cases = {**TASKS, **MORE_TASKS} if in_worker else TASKS
    tasks = [
        {"name": name, "ignore_errors": True, "register": "task_result", **task}
        for name, task in cases.items()
    ]
    play = {"hosts": GOOD.name, "gather_facts": False, "module_defaults": defaults, "tasks": tasks}
    (scene.folder / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False))
    inventory = inventory_file(scene.folder, scene.sandbox, CLOUDS, anyscale_in_worker=in_worker)
    # With ANSIBLE_DEBUG, Ansible itself shows the options of all modules that it executes.
    debug = str(in_worker).lower()
    run, watch = scene.run(
        str(scene.folder / "play.yml"),
        inventory,
        "-e",
        f"@{scene.given_as_variables()}",
        ANSIBLE_DEBUG=debug,
    )
    results = {name: run.named(name)[0] for name in cases}
    assert {
        name: _misses(name, result) for name, result in results.items() if _misses(name, result)
    } == {}
    assert scene.found(run.output, json.dumps(run.results)) == []
    for seen in watch.processes:
        assert leaks(seen.command + seen.environment, scene.all_canaries()) == []


def _misses(name: str, result: Json) -> str:
    """What a task returned that its name does not announce."""
    expected = name.partition("fails: ")[2]
    said = str(result) if result["failed"] else ""
    return "" if bool(said) == bool(expected) and expected in said else str(result)


INVENTORIES: dict[str, tuple[str, str]] = {
    "a token in the environment": ("environment", ""),
    "a token in a file, for a control plane that does not answer": ("files", "no answer"),
    "a token in a template, which is refused and echoed": ("template", ECHO),
    "a token in the environment, with a defect": ("defect", "a defect"),
}


@pytest.mark.parametrize("case", INVENTORIES)
def test_the_inventory_shows_no_secret(scene: Scene, case: str) -> None:
    """Not in its output, its log, or its cache."""
    source, words = INVENTORIES[case]
    variables, options = scene.given_in_the_environment(), {}
    if source == "files":
        variables |= {**scene.given_in_files(), "ANYSCALE_HOST": NOWHERE}
    elif source == "defect":
        variables |= {DEFECT: ANYSCALE}
    elif source == "template":
        scene.refuse_token(1)
        options["anyscale_token"] = "{{ lookup('ansible.builtin.env', 'ANYSCALE_CLI_TOKEN') }}"
    done, watch = scene.list_inventory(variables, **options)
    assert words in done.stderr, done.stderr
    assert (GOOD.name in done.stdout) == (not words), done.stderr
    assert scene.found(done.stdout, done.stderr) == []
    assert leaked_by_processes(watch, scene.canaries) == []


def test_a_token_that_an_answer_is_cut_in_does_not_show_in_part() -> None:
    """Of an answer that is no JSON, as a proxy's, the beginning is quoted."""
    token = canary()
    page = f"{'x' * (1000 - len(token) // 2)}{token}"

    def refuse(*_request: t.Any, **_options: t.Any) -> urllib3.HTTPResponse:
        return urllib3.HTTPResponse(io.BytesIO(page.encode()), status=403, preload_content=False)

    pool = types.SimpleNamespace(request=refuse)
    with pytest.raises(AnyscaleError, match="HTTP 403") as refused:
        AnyscaleClient(NOWHERE, token, pool=pool).cloud("x")
    assert token[:8] not in refused.value.message


@pytest.mark.parametrize(
    ("operation", "options"),
    [("GetRole", {}), ("AssumeRole", {"assume_role_arn": ASSUMED})],
    ids=["a call", "the assumption of a role"],
)
def test_keys_that_an_answer_in_the_place_of_aws_quotes_are_not_shown(
    sandbox: Sandbox,
    run_module: RunModule,
    monkeypatch: pytest.MonkeyPatch,
    operation: str,
    options: Json,
) -> None:
    """As gateways do that find a signature wrong. Those of the environment are no options, whose
    values Ansible itself would take out.
    """
    secrets = {"AWS_SECRET_ACCESS_KEY": canary(), "AWS_SESSION_TOKEN": canary()}
    for variable, secret in secrets.items():
        monkeypatch.setenv(variable, secret)
    secret_key, token = secrets.values()
    words = (
        f"The canonical request should have been x-amz-security-token:{token}, with {secret_key}"
    )
    sandbox.fault(operation, status=403, message=words, times=1000)
    result = run_module("iam_trust_ec2", role=GOOD.role_name, **options)
    assert (
        "The canonical request should have been x-amz-security-token:***, with ***" in result["msg"]
    )
    assert leaks(json.dumps(result), secrets) == []


# --- how secrets travel ---------------------------------------------------------------------------

ANYSCALE_MODULES: dict[str, Json] = {
    "iam_trust_ec2": {"cloud_id": GOOD.cloud_id},
    "s3_cloud_access": {"cloud_id": GOOD.cloud_id, "bucket": GOOD.bucket_name},
    "iam_pass_role": {"cloud_id": GOOD.cloud_id},
    "cloud_iam_info": {"cloud": GOOD.name},
    "cloud_launches_info": {"cloud": GOOD.name},
    "compute_config_profile": {"cloud": GOOD.name, "name": "x", "role": GOOD.role_name},
}


@pytest.mark.parametrize("module", ANYSCALE_MODULES)
def test_modules_send_the_token_unencrypted_where_that_is_allowed_alone(
    sandbox: Sandbox, run_module: RunModule, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    """Otherwise nothing is asked for, neither of Anyscale nor of AWS. What listens is found as a
    proxy, since it is not elsewhere.
    """
    sandbox.seed([GOOD])
    monkeypatch.setenv("http_proxy", sandbox.anyscale_url)
    options = {**ANYSCALE_MODULES[module], "account_id": VISION_ACCOUNT, "anyscale_host": ELSEWHERE}
    refused = run_module(module, **options)
    assert refused.get("failed")
    assert "unencrypted" in refused["msg"]
    assert "anyscale_allow_http" in refused["msg"]
    assert sandbox.calls() == []
    assert not run_module(module, **options, anyscale_allow_http=True).get("failed")
    assert "anyscale" in {call["service"] for call in sandbox.calls()}


@pytest.mark.parametrize("allowed", [False, True], ids=["refused", "allowed"])
def test_the_inventory_sends_the_token_unencrypted_where_that_is_allowed_alone(
    scene: Scene, allowed: bool
) -> None:
    """As modules do."""
    variables = {"ANYSCALE_HOST": ELSEWHERE, "http_proxy": scene.sandbox.anyscale_url}
    done, _watch = scene.list_inventory(
        variables, **({"anyscale_allow_http": True} if allowed else {})
    )
    assert (
        "unencrypted" in done.stderr,
        GOOD.name in done.stdout,
        bool(scene.sandbox.calls()),
    ) == (not allowed, allowed, allowed)


class Encrypted(http.server.BaseHTTPRequestHandler):
    """Knows nothing, and is not known."""

    asked: t.ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Note that a request got here."""
        self.asked.append(self.path)
        self.send_error(404)

    do_POST = do_GET

    def log_message(self, *_args: t.Any) -> None:
        """Say nothing."""


@pytest.fixture
def untrusted_host(tmp_path: Path) -> t.Iterator[str]:
    """The address of a server that speaks TLS with a certificate of its own making."""
    key, certificate = (tmp_path / name for name in ("key.pem", "certificate.pem"))
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    command = (
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-keyout",
        key,
        "-out",
        certificate,
        *subject,
    )
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    Encrypted.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Encrypted) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_port}"
        server.shutdown()


UNTRUSTED_HOSTS: dict[str, tuple[str, str, Json]] = {
    "Anyscale": (
        "compute_config_profile",
        "anyscale_host",
        {"cloud": GOOD.name, "name": "x", "role": GOOD.role_name},
    ),
    "AWS": ("iam_trust_ec2", "endpoint_url", {"role": GOOD.role_name}),
}


@pytest.mark.parametrize("case", UNTRUSTED_HOSTS)
def test_modules_call_no_untrusted_host_unless_configured(
    sandbox: Sandbox,
    run_module: RunModule,
    monkeypatch: pytest.MonkeyPatch,
    untrusted_host: str,
    case: str,
) -> None:
    """Certificates are verified by default, before anything is sent."""
    pass_quickly(monkeypatch)
    sandbox.seed([GOOD])
    module, option, options = UNTRUSTED_HOSTS[case]
    refused = run_module(module, **options, **{option: untrusted_host})
    assert refused.get("failed")
    assert "certificate verify failed" in refused["msg"]
    assert Encrypted.asked == []
    assert run_module(module, **options, **{option: untrusted_host}, validate_certs=False)["failed"]
    assert Encrypted.asked != []


@pytest.mark.parametrize("verified", [True, False], ids=["verified by default", "not verified"])
def test_the_inventory_calls_no_untrusted_host_unless_configured(
    scene: Scene, untrusted_host: str, verified: bool
) -> None:
    """As modules do."""
    done, _watch = scene.list_inventory(
        {"ANYSCALE_HOST": untrusted_host}, **({} if verified else {"validate_certs": False})
    )
    assert ("certificate verify failed" in done.stderr, bool(Encrypted.asked)) == (
        verified,
        not verified,
    )
