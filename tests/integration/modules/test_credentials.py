# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials that boto3 cannot get: real profiles, a real ``main()``, and an error that says which
profile fails, why, and what to do. Nothing is called with credentials that are not there.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import sys
import time
import typing as t
from pathlib import Path

import botocore.credentials
import botocore.utils
import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws import credential_process
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credentials import Credentials
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import CredentialsError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import SYSTEM_CLOCK
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.credential_cache import (
    SessionCache,
    new_key,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ONBOARDING_ROLE
from ansible_collections.rayfleet.anyscale.tests.support.engine_runs import converge
from ansible_collections.rayfleet.anyscale.tests.support.fake_clock import pass_quickly
from ansible_collections.rayfleet.anyscale.tests.support.secret_scan import canary, leaks

Json = dict[str, t.Any]
RunModule = t.Callable[..., Json]

ACCOUNT = "222222222222"
CLOUD = Cloud("vision", ACCOUNT, role="ray", trust="lambda_only")
NO_SUCH_ROLE = f"arn:aws:iam::{ACCOUNT}:role/missing"
MFA = f"arn:aws:iam::{ACCOUNT}:mfa/operator"
SSO = """
sso_start_url = https://acme.awsapps.com/start
sso_region = us-east-1
sso_account_id = 222222222222
sso_role_name = admin
"""
SOURCE = """
[profile source]
aws_access_key_id = {key}
aws_secret_access_key = {secret}
"""
SECRET = canary()


@dataclasses.dataclass(frozen=True)
class Row:
    """The profiles of a config file, in which the profile ``prod`` is used, what the error says, and
    what it must not say. ``{folder}`` is the folder of the scripts.
    """

    config: str
    words: tuple[str, ...]
    environment: t.Mapping[str, str] = dataclasses.field(default_factory=dict)


def process(script: str) -> str:
    """A credential_process that runs a Python script."""
    return f"credential_process = {sys.executable} {{folder}}/{script}.py"


SCRIPTS = {
    "exits": f"import sys; print({SECRET!r}); print({SECRET!r}, file=sys.stderr); sys.exit(3)",
    "killed": "import os; os.kill(os.getpid(), 9)",
    "garbage": f"print('not JSON', {SECRET!r})",
    "list": f"print('[\"{SECRET}\"]')",
    "version": f"""print('{{"Version": "{SECRET}"}}')""",
    "half": f"""print('{{"Version": 1, "SecretAccessKey": "{SECRET}"}}')""",
    "expired": """print('{"Version": 1, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", """
    """"SecretAccessKey": "s", "Expiration": "2020-01-01T00:00:00Z"}')""",
    "undated": """print('{"Version": 1, "AccessKeyId": "AKIAIOSFODNN7EXAMPLE", """
    """"SecretAccessKey": "s", "Expiration": "tomorrow"}')""",
    "hangs": "import time; time.sleep(600)",
    # What it starts lives in a session of its own, and holds what is read of it.
    "left": "import subprocess; subprocess.Popen(['sleep', '20'], start_new_session=True)",
}

ROWS = {
    "a profile that does not exist": Row("[profile other]\n", ("(prod)", "AWS_PROFILE")),
    "a config file that cannot be parsed": Row("profile prod]\nx", ("{folder}/config", "pars")),
    "a profile with half a key": Row(
        "[profile prod]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\n",
        ("aws_secret_access_key", "profile prod"),
    ),
    "a credential_process that does not exist": Row(
        "[profile prod]\ncredential_process = /nowhere/x --account 1\n",
        ("credential_process of profile prod cannot be run", "/nowhere/x"),
    ),
    "a credential_process that fails": Row(
        f"[profile prod]\n{process('exits')}\n",
        ("credential_process of profile prod exited with 3", "--profile prod"),
    ),
    "a credential_process that is killed": Row(
        f"[profile prod]\n{process('killed')}\n",
        ("credential_process of profile prod was ended by signal 9",),
    ),
    "a credential_process with a quote too many": Row(
        "[profile prod]\ncredential_process = x 'y\n", ("credential_process of profile prod",)
    ),
    **{
        f"a credential_process that prints {what}": Row(
            f"[profile prod]\n{process(script)}\n",
            ("credential_process of profile prod", "printed no valid credentials"),
        )
        for script, what in {
            "garbage": "garbage",
            "list": "a list",
            "version": "another version",
            "half": "half a key",
            "undated": "an end that is no date",
        }.items()
    },
    "a credential_process that prints expired credentials": Row(
        f"[profile prod]\n{process('expired')}\n",
        ("credential_process of profile prod", "expired"),
    ),
    "a credential_process that hangs": Row(
        f"[profile prod]\n{process('hangs')}\n",
        ("credential_process of profile prod", "did not end in 1 s"),
    ),
    "a credential_process that leaves one behind": Row(
        f"[profile prod]\n{process('left')}\n",
        ("credential_process of profile prod", "did not end in 1 s"),
    ),
    "a source profile whose credential_process fails": Row(
        f"[profile prod]\nrole_arn = {NO_SUCH_ROLE}\nsource_profile = helper\n"
        f"[profile helper]\n{process('exits')}\n",
        ("credential_process of profile helper exited with 3", "--profile helper"),
    ),
    "a source profile that does not exist": Row(
        f"[profile prod]\nrole_arn = {NO_SUCH_ROLE}\nsource_profile = helper\n",
        ("profile prod", '"helper"', "does not exist"),
    ),
    "profiles that lead to each other": Row(
        f"[profile prod]\nrole_arn = {NO_SUCH_ROLE}\nsource_profile = b\n"
        f"[profile b]\nrole_arn = {NO_SUCH_ROLE}\nsource_profile = prod\n",
        ("profile prod", "nfinite loop"),
    ),
    "a role without a source": Row(
        f"[profile prod]\nrole_arn = {NO_SUCH_ROLE}\n",
        ("profile prod", "source_profile or credential_source"),
    ),
    "an unknown credential_source": Row(
        f"[profile prod]\nrole_arn = {NO_SUCH_ROLE}\ncredential_source = Nowhere\n",
        ("profile prod", "Nowhere"),
    ),
    "a role that AWS refuses": Row(
        f"[profile prod]\nrole_arn = {NO_SUCH_ROLE}\nsource_profile = source\n{SOURCE}",
        (
            f"role {NO_SUCH_ROLE} of profile prod cannot be assumed",
            "AccessDenied",
            "source_profile source",
        ),
    ),
    "the first of two roles is refused": Row(
        f"[profile prod]\nrole_arn = arn:aws:iam::{ACCOUNT}:role/last\nsource_profile = first\n"
        f"[profile first]\nrole_arn = {NO_SUCH_ROLE}\nsource_profile = source\n{SOURCE}",
        (
            f"role {NO_SUCH_ROLE} of profile first cannot be assumed",
            "AccessDenied",
            "source_profile source",
        ),
    ),
    "no role's ARN": Row(
        f"[profile prod]\nrole_arn = admin\nsource_profile = source\n{SOURCE}",
        ("profile prod", "role admin"),
    ),
    "a second factor": Row(
        f"[profile prod]\nrole_arn = {NO_SUCH_ROLE}\nsource_profile = source\n"
        f"mfa_serial = {MFA}\n{SOURCE}",
        ("profile prod", MFA, "cannot ask for a second factor", "aws sts assume-role"),
    ),
    "a second factor of the source": Row(
        f"[profile prod]\nrole_arn = {NO_SUCH_ROLE}\nsource_profile = first\n"
        f"[profile first]\nrole_arn = {NO_SUCH_ROLE}\nsource_profile = source\n"
        f"mfa_serial = {MFA}\n{SOURCE}",
        ("profile first", MFA, "cannot ask for a second factor"),
    ),
    "SSO without a token": Row(
        f"[profile prod]\n{SSO}", ("profile prod", "aws sso login --profile prod")
    ),
    "SSO of a session without a token": Row(
        "[profile prod]\nsso_session = acme\nsso_account_id = 222222222222\nsso_role_name = admin\n"
        "[sso-session acme]\nsso_start_url = https://acme.awsapps.com/start\nsso_region = us-east-1\n",
        ("profile prod", "aws sso login --profile prod"),
    ),
    "SSO of a source profile without a token": Row(
        f"[profile prod]\nrole_arn = {NO_SUCH_ROLE}\nsource_profile = my base\n"
        f"[profile 'my base']\n{SSO}",
        ("profile my base", "aws sso login --profile 'my base'"),
    ),
    "SSO with an expired token": Row(
        "[profile prod]\n" + SSO.replace("acme", "expired"),
        ("profile prod", "aws sso login --profile prod"),
    ),
    "SSO without a session": Row(
        "[profile prod]\nsso_session = nowhere\nsso_account_id = 1\nsso_role_name = admin\n",
        ("profile prod", '"nowhere"'),
    ),
    "SSO with a setting that is missing": Row(
        "[profile prod]\nsso_account_id = 1\nsso_role_name = admin\n",
        ("profile prod", "sso_start_url"),
    ),
    "a web identity whose token is missing": Row(
        f"[profile prod]\nrole_arn = {NO_SUCH_ROLE}\nweb_identity_token_file = /nowhere/token\n",
        ("profile prod", "web_identity_token_file", "/nowhere/token", "No such file"),
    ),
    "a web identity that is refused": Row(
        f"[profile prod]\nrole_arn = {NO_SUCH_ROLE}\nweb_identity_token_file = {{folder}}/token\n",
        (f"role {NO_SUCH_ROLE} of profile prod cannot be assumed", "web_identity_token_file"),
    ),
    "a web identity of the environment": Row(
        "",
        ("AWS_WEB_IDENTITY_TOKEN_FILE", "/nowhere/token", "No such file"),
        {
            "AWS_PROFILE": "",
            "AWS_ROLE_ARN": NO_SUCH_ROLE,
            "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token",
        },
    ),
    "a web identity without a role": Row(
        "",
        ("AWS_ROLE_ARN",),
        {"AWS_PROFILE": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere/token"},
    ),
    "half a key in the environment": Row(
        "",
        ("AWS_SECRET_ACCESS_KEY",),
        {"AWS_PROFILE": "", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"},
    ),
    "a container's service that cannot be reached": Row(
        "",
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/x"),
        {"AWS_PROFILE": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/x"},
    ),
    "a container's service of another host": Row(
        "",
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://192.0.2.1/x"),
        {"AWS_PROFILE": "", "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://192.0.2.1/x"},
    ),
    "a container's token that is missing": Row(
        "",
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/nowhere/token"),
        {
            "AWS_PROFILE": "",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/x",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nowhere/token",
        },
    ),
    "no credentials at all": Row(
        "", ("Unable to locate credentials", "profile"), {"AWS_PROFILE": ""}
    ),
}


@pytest.fixture(name="use")
def _use(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> t.Callable[[Row], dict[str, str]]:
    """Use the profile of a row. Returns what ``{...}`` in its texts stands for."""
    names = {
        "folder": str(tmp_path),
        "key": sandbox.credentials(ACCOUNT)["aws_access_key_id"],
        "secret": SECRET,
    }
    cache = tmp_path / "sso"
    cache.mkdir()
    (tmp_path / "token").write_text("no.token.of.anyone")
    ended = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC).isoformat()
    token = {"accessToken": SECRET, "expiresAt": ended, "region": "us-east-1"}
    name = hashlib.sha1(b"https://expired.awsapps.com/start").hexdigest()
    (cache / f"{name}.json").write_text(json.dumps(token))
    for script, text in SCRIPTS.items():
        (tmp_path / f"{script}.py").write_text(text)
    monkeypatch.setattr(botocore.credentials.SSOProvider, "_SSO_TOKEN_CACHE_DIR", str(cache))
    monkeypatch.setattr(botocore.utils.ContainerMetadataFetcher, "SLEEP_TIME", 0)
    monkeypatch.setattr(credential_process, "SECONDS", 1)
    pass_quickly(monkeypatch)

    def use(row: Row) -> dict[str, str]:
        config = tmp_path / "config"
        config.write_text(row.config.format_map(names))
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        monkeypatch.setenv("AWS_PROFILE", "prod")
        for name, value in row.environment.items():
            monkeypatch.setenv(name, value)
            if not value:
                monkeypatch.delenv(name)
        return names

    return use


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_the_error_names_what_failed_and_its_remedy(
    sandbox: Sandbox,
    run_module: RunModule,
    use: t.Callable[[Row], dict[str, str]],
    row: Row,
) -> None:
    """Nothing that a process printed, and no key, shows; AWS is called for a role at most."""
    sandbox.seed([CLOUD])
    names = use(row)
    began = time.monotonic()
    result = run_module("iam_trust_ec2", role=CLOUD.role_name)
    assert time.monotonic() - began < 20
    assert result.get("failed"), result
    missing = [word for word in row.words if word.format_map(names) not in result["msg"]]
    assert missing == [], result["msg"]
    assert leaks(json.dumps(result), {"secret": SECRET}) == []
    assert {call["operation"] for call in sandbox.calls()} <= {
        "AssumeRole",
        "AssumeRoleWithWebIdentity",
    }


ONCE = """
import json, os, sys
if os.path.exists(sys.argv[1]):
    sys.exit(3)
open(sys.argv[1], "w").close()
keys = {"AccessKeyId": sys.argv[2], "SecretAccessKey": "once"}
print(json.dumps({"Version": 1, **keys, "Expiration": "2100-01-01T00:00:00Z"}))
"""


def test_credentials_that_end_after_a_write(
    sandbox: Sandbox,
    run_module: RunModule,
    monkeypatch: pytest.MonkeyPatch,
    use: t.Callable[[Row], dict[str, str]],
    tmp_path: Path,
) -> None:
    """What was written is told, and the remedy is that of what failed."""
    sandbox.seed([CLOUD])
    (tmp_path / "once.py").write_text(ONCE)
    use(Row(f"[profile prod]\n{process('once')} {{folder}}/used {{key}}\n", ()))
    monkeypatch.setattr(Credentials, "is_fresh", property(lambda _one: not sandbox.writes()))
    result = run_module("iam_trust_ec2", role=CLOUD.role_name)
    assert "credential_process of profile prod exited with 3" in result["msg"]
    written = f"trust policy of arn:aws:iam::{ACCOUNT}:role/{CLOUD.role_name}"
    assert f"Already written: {written}" in result["msg"]
    assert result["error"]["written"] == [written]
    assert [call["operation"] for call in sandbox.writes()] == ["UpdateAssumeRolePolicy"]


def test_an_error_is_described_without_a_call(
    sandbox: Sandbox,
    run_module: RunModule,
    monkeypatch: pytest.MonkeyPatch,
    use: t.Callable[[Row], dict[str, str]],
) -> None:
    """Even where the credentials whose secrets it must not contain have come to their end."""
    sandbox.seed([CLOUD])
    role = f"arn:aws:iam::{ACCOUNT}:role/{ONBOARDING_ROLE}"
    source = SOURCE.replace("{key}", sandbox.credentials()["aws_access_key_id"])
    use(Row(f"[profile prod]\nrole_arn = {role}\nsource_profile = source\n{source}", ()))
    monkeypatch.setattr(Credentials, "is_fresh", False)
    sandbox.fault("GetRole", status=403)
    result = run_module("iam_trust_ec2", role=CLOUD.role_name)
    assert "GetRole" in result["msg"]
    assert [call["operation"] for call in sandbox.calls()] == ["AssumeRole", "GetRole"]


COUNTED = """
import json, sys
with open(sys.argv[1], "a") as log:
    log.write("x")
if not sys.argv[2:]:
    sys.exit(3)
keys = {"AccessKeyId": sys.argv[2], "SecretAccessKey": "counted"}
print(json.dumps({"Version": 1, **keys, "Expiration": "2100-01-01T00:00:00Z"}))
"""
IN_ACCOUNTS = [
    Cloud(f"{account[:3]}-{number}", account, role=f"ray-{number}", trust="lambda_only")
    for account in (ACCOUNT, "333333333333")
    for number in range(3)
]


@pytest.mark.parametrize("works", [True, False], ids=["works", "fails"])
def test_the_fleet_asks_a_profile_once_for_all_its_accounts(
    sandbox: Sandbox,
    use: t.Callable[[Row], dict[str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    works: bool,
) -> None:
    """Not once for each cloud, role or thread; each cloud says what failed."""
    # A thread waits for the lock while another one asks, so that this time must pass.
    monkeypatch.setattr(SYSTEM_CLOCK, "sleep", time.sleep)
    sandbox.seed(IN_ACCOUNTS)
    (tmp_path / "counted.py").write_text(COUNTED)
    key = sandbox.credentials()["aws_access_key_id"] if works else ""
    use(Row(f"[profile prod]\n{process('counted')} {{folder}}/asked {key}\n", ()))
    outcomes = converge(
        {
            cloud.name: {
                "account_id": cloud.account_id,
                "assume_role_arn": f"arn:aws:iam::{cloud.account_id}:role/{ONBOARDING_ROLE}",
                "cloud_id": cloud.cloud_id,
                "role": cloud.role_arn,
                "bucket": cloud.bucket_name,
                "compute_config": cloud.compute_config_name,
                "backup": False,
            }
            for cloud in IN_ACCOUNTS
        }
    )
    assert (tmp_path / "asked").read_text() == "x"
    assert {outcome["failed"] for outcome in outcomes.values()} == {not works}, outcomes
    messages = {outcome.get("msg") for outcome in outcomes.values()}
    assert works or all("profile prod exited with 3" in str(message) for message in messages)
    assumed = [call for call in sandbox.calls() if call["operation"] == "AssumeRole"]
    assert len(assumed) == (2 if works else 0)


def test_tasks_of_a_role_ask_a_profile_once(
    sandbox: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    use: t.Callable[[Row], dict[str, str]],
    tmp_path: Path,
) -> None:
    """Each task has a process of its own: what they share is the cache of the run."""
    sandbox.seed([CLOUD])
    (tmp_path / "counted.py").write_text(COUNTED)
    use(Row(f"[profile prod]\n{process('counted')} {{folder}}/asked {{key}}\n", ()))
    cache = SessionCache(str(tmp_path / "run"), new_key())
    for _task in range(3):
        assert AwsSession({}, cache).account_id() == ACCOUNT
    assert (tmp_path / "asked").read_text() == "x"
    use(Row(f"[profile prod]\n{process('counted')} {{folder}}/failed\n", ()))
    monkeypatch.setenv(
        "AWS_REGION", "us-east-1"
    )  # other surroundings have credentials of their own
    for _task in range(3):
        with pytest.raises(CredentialsError, match="exited with 3"):
            AwsSession({}, cache).account_id()
    assert (tmp_path / "failed").read_text() == "x"
