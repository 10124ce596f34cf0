# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials are kept for the processes of one run alone, for as long as they are good, and never
for another connection.
"""

from __future__ import annotations

import base64
import concurrent.futures
import dataclasses
import errno
import json
import os
import pathlib
import stat
import subprocess
import sys
import threading
import time
import typing as t

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.argspec import connection_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credentials import (
    Credentials,
    good_until,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    InputError,
    OutdatedError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.credential_cache import (
    SessionCache,
    new_key,
)
from ansible_collections.rayfleet.anyscale.tests.support.secret_scan import leaks

KEY = {
    "assume_role_arn": "arn:aws:iam::222222222222:role/onboarding",
    "secret_key": "base-secret-4711",
}
RUN = new_key()
SECRETS = ("ASIAKEPT", "kept-secret-0815", "kept-token-2357")
REFUSAL = AwsError(
    "AssumeRole failed with AccessDenied: no.",
    "Allow it.",
    operation="AssumeRole",
    code="AccessDenied",
    status=403,
)

# Each process appends its id when it is the one that has to ask.
ASK = """
import os, sys, time
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.credential_cache import (
    SessionCache,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.credentials import Credentials
def assume():
    with open(sys.argv[2], "a") as log:
        log.write(f"{os.getpid()}\\n")
    time.sleep(0.3)
    return Credentials("222222222222", f"key of {os.getpid()}", "s", "t", time.time() + 600)
print("ready", flush=True)
sys.stdin.readline()
print(SessionCache(sys.argv[1], bytes.fromhex(sys.argv[3])).credentials({"role": "one"}, assume).access_key)
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "sessions"


class Sts:
    """Answers AssumeRole with a given result, and counts the calls."""

    def __init__(self, answer: Exception | None = None, seconds: float = 3600.0) -> None:
        self.asked = 0
        self._answer = answer
        self._seconds = seconds

    def __call__(self) -> Credentials:
        self.asked += 1
        if self._answer is not None:
            raise self._answer
        return Credentials("222222222222", *SECRETS, good_until=time.time() + self._seconds)


def kept_file(folder: pathlib.Path) -> pathlib.Path:
    """The one file that holds credentials or a refusal."""
    (path,) = folder.glob("*.session")
    return path


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let so much time pass."""
    moment = time.time() + seconds
    monkeypatch.setattr(time, "time", lambda: moment)


# --- what is kept, and for how long ---------------------------------------------------------------


def test_many_tasks_ask_once(folder: pathlib.Path) -> None:
    """Each has a cache of its own on the same folder, as forked workers have; all get what the
    first got.
    """
    sts = Sts()
    found = [SessionCache(str(folder), RUN).credentials(KEY, sts) for _task in range(5)]
    assert sts.asked == 1
    assert all(found[0] == other for other in found)
    assert (
        found[0].caller_arn,
        found[0].access_key,
        found[0].secret_key,
        found[0].session_token,
    ) == ("222222222222", *SECRETS)


@pytest.mark.parametrize(
    ("seconds_left", "usable_for"),
    [(43200, 42900), (3600, 3300), (900, 600), (600, 300), (400, 200), (60, 30), (1, 0.5)],
    ids=lambda value: f"{value:g} s",
)
def test_credentials_are_begun_with_well_before_their_end(
    monkeypatch: pytest.MonkeyPatch, seconds_left: float, usable_for: float
) -> None:
    """Five minutes, or half of what is left where that is less."""
    later(monkeypatch, 0)
    assert good_until(time.time() + seconds_left) - time.time() == pytest.approx(usable_for)


@pytest.mark.parametrize("seconds_ago", [0, 1, 4000])
def test_credentials_that_are_over_are_not_begun_with(seconds_ago: float) -> None:
    """However they came here."""
    assert not Credentials(
        "222222222222", *SECRETS, good_until=good_until(time.time() - seconds_ago)
    ).is_fresh


@pytest.mark.parametrize(("passed", "asked"), [(0, 1), (3299, 1), (3301, 2), (7200, 2)])
def test_kept_credentials_are_asked_for_again_near_their_end(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, passed: float, asked: int
) -> None:
    """And those that were got then are kept in turn."""
    sts, cache = Sts(seconds=3300), SessionCache(str(folder), RUN)
    cache.credentials(KEY, sts)
    later(monkeypatch, passed)
    assert cache.credentials(KEY, sts).is_fresh
    cache.credentials(KEY, sts)
    assert sts.asked == asked


def kinds_of(kind: type[AwsError]) -> list[type[AwsError]]:
    """A class and all below it."""
    return [kind, *(below for one in kind.__subclasses__() for below in kinds_of(one))]


# An outdated write is none of STS.
@pytest.mark.parametrize("kind", [kind for kind in kinds_of(AwsError) if kind is not OutdatedError])
def test_a_refusal_stays_of_its_kind(folder: pathlib.Path, kind: type[AwsError]) -> None:
    """Of what could not be called, the outcome is known."""
    sts = Sts(kind("No answer.", "Run again.", code="ReadTimeoutError"))
    for _time in range(2):
        with pytest.raises(AwsError) as caught:
            SessionCache(str(folder), RUN).credentials(KEY, sts)
        assert isinstance(caught.value, kind)
        assert caught.value.outcome_unknown == kind("", code="ReadTimeoutError").outcome_unknown
    assert sts.asked == 1


@pytest.mark.parametrize(("passed", "asked"), [(0, 1), (59, 1), (61, 2)])
def test_a_refusal_is_remembered_for_a_minute(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, passed: float, asked: int
) -> None:
    """All of it: the message, the remedy and the details."""
    sts = Sts(REFUSAL)
    for wait in (0.0, passed):
        later(monkeypatch, wait)
        with pytest.raises(AwsError) as caught:
            SessionCache(str(folder), RUN).credentials(KEY, sts)
        assert caught.value.failure() == REFUSAL.failure()
        assert caught.value.code == "AccessDenied"
    assert sts.asked == asked


PASSING: dict[str, dict[str, t.Any]] = {
    "throttled": {"code": "Throttling", "status": 400},
    "throttled, as other services say": {"code": "RequestLimitExceeded", "status": 400},
    "an error of AWS": {"code": "InternalFailure", "status": 500},
    "a gateway's error": {"code": "503", "status": 503},
    "no answer in time": {"code": "ReadTimeoutError"},
    "no connection": {"code": "EndpointConnectionError"},
    "half an answer": {"code": "ResponseParserError"},
}
LASTING: dict[str, dict[str, t.Any]] = {
    "denied": {"code": "AccessDenied", "status": 403},
    "no credentials": {"code": "NoCredentialsError"},
    "another region": {"code": "RegionDisabledException", "status": 403},
}


@pytest.mark.parametrize("details", PASSING.values(), ids=PASSING)
def test_what_may_pass_is_remembered_for_those_who_wait(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, details: dict[str, t.Any]
) -> None:
    """All waiting callers get one answer within seconds; a later caller calls AWS again."""
    sts = Sts(AwsError("AssumeRole failed.", **details))
    for passed, asked in ((0.0, 1), (9.0, 1), (2.0, 2)):
        later(monkeypatch, passed)
        with pytest.raises(AwsError):
            SessionCache(str(folder), RUN).credentials(KEY, sts)
        assert sts.asked == asked


@pytest.mark.parametrize("details", LASTING.values(), ids=LASTING)
def test_what_does_not_pass_is_remembered_for_longer(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, details: dict[str, t.Any]
) -> None:
    """It stays until an operator fixes it."""
    sts = Sts(AwsError("AssumeRole failed.", **details))
    for passed in (0.0, 50.0):
        later(monkeypatch, passed)
        with pytest.raises(AwsError):
            SessionCache(str(folder), RUN).credentials(KEY, sts)
    assert sts.asked == 1


def test_after_a_refusal_credentials_are_kept_again(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the trust was fixed."""
    with pytest.raises(AwsError):
        SessionCache(str(folder), RUN).credentials(KEY, Sts(REFUSAL))
    later(monkeypatch, 61)
    sts = Sts()
    for _task in range(2):
        assert SessionCache(str(folder), RUN).credentials(KEY, sts).access_key == SECRETS[0]
    assert sts.asked == 1


def test_who_tries_again_is_not_refused_by_what_was_before(folder: pathlib.Path) -> None:
    """A task with retries waits for an operator to fix the trust: the refusal of the last attempt
    is not reused.
    """
    with pytest.raises(AwsError):
        SessionCache(str(folder), RUN).credentials(KEY, Sts(REFUSAL))
    assert (
        SessionCache(str(folder), RUN, ignore_cached_denials=True).credentials(KEY, Sts()).is_fresh
    )


def test_of_many_who_try_again_at_once_one_asks(folder: pathlib.Path) -> None:
    """Its answer is new for all callers that waited with it."""
    sts, begin = Sts(REFUSAL), threading.Barrier(4)

    def slowly() -> Credentials:
        time.sleep(0.5)
        return sts()

    def ask() -> Exception | None:
        begin.wait()
        with pytest.raises(AwsError) as caught:
            SessionCache(str(folder), RUN, ignore_cached_denials=True).credentials(KEY, slowly)
        return caught.value

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        assert len([asked.result() for asked in [pool.submit(ask) for _task in range(4)]]) == 4
    assert sts.asked == 1


@pytest.mark.parametrize(
    "error", [InputError("An option is wrong."), ValueError("a bug"), KeyboardInterrupt()], ids=repr
)
def test_what_is_no_answer_of_aws_is_not_remembered(folder: pathlib.Path, error: Exception) -> None:
    """It says nothing about the account; no other caller has to wait for it either."""
    with pytest.raises(type(error)):
        SessionCache(str(folder), RUN).credentials(KEY, Sts(error))
    assert SessionCache(str(folder), RUN).credentials(KEY, Sts()).is_fresh


# --- whose they are -------------------------------------------------------------------------------

CONNECTION = {
    "assume_role_arn": "arn:aws:iam::222222222222:role/onboarding",
    "assume_role_session_name": "rayfleet-anyscale",
}


@pytest.mark.parametrize(
    "other",
    [
        {"assume_role_arn": "arn:aws:iam::333333333333:role/onboarding"},
        {"assume_role_external_id": "tenant-b"},
        {"assume_role_session_name": "another-session"},
        {"access_key": "AKIAOTHER", "secret_key": "other"},
        {"session_token": "other"},
        {"profile": "other"},
        {"endpoint_url": "http://127.0.0.1:1"},
        {"region": "cn-north-1"},
        {"aws_ca_bundle": "/etc/other.pem"},
        {"validate_certs": False},
    ],
    ids=lambda other: next(iter(other)),
)
def test_another_connection_has_credentials_of_its_own(
    folder: pathlib.Path, other: dict[str, t.Any]
) -> None:
    """Every option of the connection counts."""
    sts = Sts()
    for params in (CONNECTION, {**CONNECTION, **other}):
        SessionCache(str(folder), RUN).credentials(connection_of(params), sts)
    assert sts.asked == 2


@pytest.mark.parametrize(
    "name",
    [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_PROFILE",
        "AWS_ENDPOINT_URL_STS",
        "AWS_CONFIG_FILE",
        "HOME",
    ],
)
def test_another_environment_has_credentials_of_its_own(
    folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A task's environment may hold other base credentials, or lead to them."""
    sts = Sts()
    for value in ("one", "other"):
        monkeypatch.setenv(name, value)
        SessionCache(str(folder), RUN).credentials(connection_of(CONNECTION), sts)
    assert sts.asked == 2


@pytest.mark.parametrize(
    "same",
    [
        {"account_id": "222222222222"},
        {"role": "another", "bucket": "another"},
        {"anyscale_token": "another"},
    ],
    ids=["the account that is expected", "what the task is about", "the token for Anyscale"],
)
def test_what_is_not_of_the_connection_shares(folder: pathlib.Path, same: dict[str, t.Any]) -> None:
    """Else a cloud's three tasks would ask three times."""
    sts = Sts()
    for params in (CONNECTION, {**CONNECTION, **same}):
        SessionCache(str(folder), RUN).credentials(connection_of(params), sts)
    assert sts.asked == 1


def test_a_refusal_is_for_its_own_connection_alone(folder: pathlib.Path) -> None:
    """The wrong external id of one cloud does not affect the others."""
    with pytest.raises(AwsError):
        SessionCache(str(folder), RUN).credentials(
            connection_of({**CONNECTION, "assume_role_external_id": "wrong"}), Sts(REFUSAL)
        )
    assert SessionCache(str(folder), RUN).credentials(connection_of(CONNECTION), Sts()).is_fresh


# --- who can see them -----------------------------------------------------------------------------


def test_folder_and_files_are_their_owners_alone(folder: pathlib.Path) -> None:
    """Whatever the umask."""
    before = os.umask(0)
    try:
        SessionCache(str(folder), RUN).credentials(KEY, Sts())
        with pytest.raises(AwsError):
            SessionCache(str(folder), RUN).credentials({"another": "role"}, Sts(REFUSAL))
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    modes = {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in folder.iterdir()}
    assert set(modes.values()) == {"0o600"}, modes


def test_file_names_contain_no_secret(folder: pathlib.Path) -> None:
    """Names of files show in listings, backups and errors. Nothing half-made stays."""
    SessionCache(str(folder), RUN).credentials(KEY, Sts())
    names = [path.name for path in folder.iterdir()]
    leaked = [
        word
        for word in (*KEY.values(), "onboarding", "base-secret", *SECRETS)
        for name in names
        if word in name
    ]
    assert leaked == []
    assert sorted(name.rpartition(".")[2] for name in names) == ["lock", "session"]


def test_nothing_can_be_read_without_the_key_of_the_run(folder: pathlib.Path) -> None:
    """Neither what AssumeRole answered nor what it was asked with, nor who denied what to whom."""
    SessionCache(str(folder), RUN).credentials(KEY, Sts())
    with pytest.raises(AwsError):
        SessionCache(str(folder), RUN).credentials({"another": "role"}, Sts(REFUSAL))
    words = dict(enumerate((*SECRETS, *KEY.values(), REFUSAL.message, "222222222222", RUN.hex())))
    assert leaks(folder, {str(number): word for number, word in words.items()}) == []


def test_another_run_does_not_read_them(folder: pathlib.Path) -> None:
    """It asks, and keeps its own, as if the file were corrupt."""
    SessionCache(str(folder), RUN).credentials(KEY, Sts())
    other, sts = new_key(), Sts()
    for _task in range(2):
        assert SessionCache(str(folder), other).credentials(KEY, sts).is_fresh
    assert sts.asked == 1


def test_a_file_under_the_name_of_another_does_not_count(folder: pathlib.Path) -> None:
    """One role's credentials are not taken for another's."""
    SessionCache(str(folder), RUN).credentials(KEY, Sts())
    one = kept_file(folder)
    SessionCache(str(folder), RUN).credentials({"another": "role"}, Sts())
    (another,) = set(folder.glob("*.session")) - {one}
    another.write_bytes(one.read_bytes())
    sts = Sts()
    SessionCache(str(folder), RUN).credentials({"another": "role"}, sts)
    assert sts.asked == 1


def test_the_same_credentials_are_never_encrypted_alike(folder: pathlib.Path) -> None:
    """A number is used once with a key."""
    seen = set()
    for _time in range(3):
        SessionCache(str(folder), RUN).credentials(KEY, Sts())
        seen.add(kept_file(folder).read_bytes()[:16])
        kept_file(folder).unlink()
    assert len(seen) == 3


def test_keys_without_an_end_are_not_kept(folder: pathlib.Path) -> None:
    """A user's keys are where they were found, and good for ever to a thief."""
    keys = Credentials(None, "AKIA", "secret", None)
    assert SessionCache(str(folder), RUN).credentials(KEY, lambda: keys) is keys
    assert list(folder.glob("*.session")) == []


@pytest.mark.parametrize(
    "shown",
    [repr, str, lambda assumed: repr([assumed]), lambda assumed: f"{assumed}"],
    ids=["repr", "str", "in a list", "f-string"],
)
def test_no_representation_shows_a_secret(shown: t.Callable[[Credentials], str]) -> None:
    """Tracebacks and logs show representations."""
    text = shown(Credentials("222222222222", *SECRETS, good_until=0.0))
    assert "222222222222" in text
    assert not [secret for secret in SECRETS if secret in text]


# --- failures of the files ------------------------------------------------------------------------

WHOLE = dataclasses.asdict(Credentials("222222222222", *SECRETS, good_until=4e9))


SEALED = {
    "empty": b"",
    "half-written": json.dumps(WHOLE).encode()[:-20],
    "nested without end": b"[" * 100_000,
    "no text": b"\x00\xff\xfe",
    "a list": b"[]",
    "a number": b"7",
    "null": b"null",
    "an object without keys": b"{}",
    "a key too many": json.dumps({**WHOLE, "surprise": 1}).encode(),
    "an end that is no number": json.dumps({**WHOLE, "good_until": "tomorrow"}).encode(),
    "an end that is not a number by name": json.dumps(
        {**WHOLE, "good_until": float("nan")}
    ).encode(),
    "a refusal without its end": b'{"denied": "no."}',
    "a refusal of an unknown kind": (
        b'{"denied": "no.", "kind": "x", "remedy": "", "details": {}, "at": 9e9, "good_until": 4e9}'
    ),
    "a refusal with wrong details": (
        b'{"denied": "no.", "kind": "AwsError", "remedy": "", "details": 7, "at": 9e9,'
        b' "good_until": 4e9}'
    ),
}
UNSEALED = {
    "empty": b"",
    "no base64": b"{}",
    "no text": b"\x00\xff\xfe",
    "too short": b"AAAA",
    "not encrypted": base64.b64encode(json.dumps(WHOLE).encode()),
}


def sealed(text: bytes, name: str) -> bytes:
    """A text as the run itself would have written it to the file of a name."""
    nonce = os.urandom(12)
    return base64.b64encode(nonce + AESGCM(RUN).encrypt(nonce, text, name.encode()))


@pytest.mark.parametrize(
    ("content", "is_sealed"),
    [
        *(pytest.param(content, True, id=case) for case, content in SEALED.items()),
        *(pytest.param(content, False, id=f"{case}, bare") for case, content in UNSEALED.items()),
    ],
)
def test_a_file_that_cannot_be_understood_does_not_count(
    folder: pathlib.Path, content: bytes, is_sealed: bool
) -> None:
    """AWS is asked, and the file is replaced by a good one."""
    SessionCache(str(folder), RUN).credentials(KEY, Sts())
    path = kept_file(folder)
    path.write_bytes(sealed(content, path.stem) if is_sealed else content)
    sts = Sts()
    for _task in range(2):
        assert SessionCache(str(folder), RUN).credentials(KEY, sts).access_key == SECRETS[0]
    assert sts.asked == 1


def test_a_folder_in_the_place_of_the_file_does_not_count(folder: pathlib.Path) -> None:
    """Nothing can be kept then, and nothing half-made stays."""
    SessionCache(str(folder), RUN).credentials(KEY, Sts())
    path = kept_file(folder)
    path.unlink()
    path.mkdir()
    sts = Sts()
    for _task in range(2):
        assert SessionCache(str(folder), RUN).credentials(KEY, sts).is_fresh
    assert sts.asked == 2
    assert not list(folder.glob(".*.tmp"))


def _unnamed(flags: int) -> bool:
    """Whether a new file without a name is opened."""
    return flags & os.O_TMPFILE == os.O_TMPFILE


def _read_only(monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path) -> pathlib.Path:
    """Root may write to any folder, so the file system refuses here."""
    folder.mkdir(mode=0o700)
    original = os.open

    def refusing(path: t.Any, flags: int, *arguments: t.Any, **options: t.Any) -> int:
        if (flags & os.O_CREAT or _unnamed(flags)) and str(path).startswith(str(folder)):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return original(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", refusing)
    return folder


def _full(monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path) -> pathlib.Path:
    """The lock was there already; there is no room for another file."""

    original = os.open

    def full(path: t.Any, flags: int, *arguments: t.Any, **options: t.Any) -> int:
        if str(path).endswith(".tmp") or _unnamed(flags):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return original(path, flags, *arguments, **options)

    monkeypatch.setattr(os, "open", full)
    return folder


def _below_a_file(monkeypatch: pytest.MonkeyPatch, folder: pathlib.Path) -> pathlib.Path:
    folder.write_text("not a folder")
    return folder / "sessions"


@pytest.mark.parametrize(
    "make", [_read_only, _full, _below_a_file], ids=["read-only", "disk full", "cannot be made"]
)
def test_a_folder_that_cannot_be_written_to_only_costs_calls(
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    make: t.Callable[[pytest.MonkeyPatch, pathlib.Path], pathlib.Path],
) -> None:
    """A run works without its cache."""
    cache, sts = SessionCache(str(make(monkeypatch, folder)), RUN), Sts()
    assert [cache.credentials(KEY, sts).access_key for _task in range(2)] == [SECRETS[0]] * 2
    assert sts.asked == 2


# --- many at once ---------------------------------------------------------------------------------


def test_of_processes_that_ask_at_once_one_does(
    folder: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    """The others wait for it and get the same."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    command = [sys.executable, "-c", ASK, str(folder), str(tmp_path / "asked"), RUN.hex()]
    processes = [
        subprocess.Popen(
            command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _number in range(3)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [process.communicate(timeout=60)[0] for process in processes]
    asked = (tmp_path / "asked").read_text().split()
    assert len(asked) == 1, asked
    assert answers == [f"key of {asked[0]}\n"] * 3


def test_of_threads_that_ask_at_once_one_does(folder: pathlib.Path) -> None:
    """The plan reads with threads, in one process."""
    sts = Sts()

    def assume() -> Credentials:
        time.sleep(0.1)
        return sts()

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(
                lambda _task: SessionCache(str(folder), RUN).credentials(KEY, assume), range(8)
            )
        )
    assert sts.asked == 1
    assert {assumed.session_token for assumed in found} == {SECRETS[2]}


def test_roles_do_not_wait_for_one_another(folder: pathlib.Path) -> None:
    """While one account's answer is long in coming, another's is got."""

    def nested() -> Credentials:
        return SessionCache(str(folder), RUN).credentials({"role": "another"}, Sts())

    assert SessionCache(str(folder), RUN).credentials(KEY, nested).is_fresh
