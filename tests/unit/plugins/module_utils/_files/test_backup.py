# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Backups are whole or not there, their owner's alone, in files whose names sort and lead nowhere
else; garbage is refused.
"""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import re
import socket
import stat
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError, TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files import backup as files_backup
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    Backup,
    Untrusted,
    check_backup_options,
    check_run_id,
    delete_backup,
    files_in,
    others_since,
    read,
    untrusted,
    write_backup,
)

ACCOUNT = "222222222222"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        }
    ],
}
CONFIG = {"cloud_id": "cld_1", "deployment_configs": [{}]}
KINDS: dict[str, Backup] = {
    "a trust policy": Backup(
        "trust_policy",
        {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/ray/ray-team-a"},
        ACCOUNT,
        TRUST,
        TRUST,
    ),
    "a bucket policy that was not there": Backup(
        "bucket_policy", {"bucket": "anyscale-prod.data"}, ACCOUNT, None, TRUST
    ),
    "a bucket policy that goes": Backup(
        "bucket_policy", {"bucket": "anyscale-prod"}, ACCOUNT, TRUST, None
    ),
    "an inline policy that was not there": Backup(
        "role_policy",
        {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/ray-team-a", "policy_name": "Ours"},
        ACCOUNT,
        None,
        TRUST,
    ),
    "an attachment that goes": Backup(
        "role_attachment",
        {
            "role_arn": f"arn:aws:iam::{ACCOUNT}:role/ray-team-a",
            "policy_arn": "arn:aws:iam::aws:policy/AmazonS3FullAccess",
        },
        ACCOUNT,
        {"PolicyArn": "arn:aws:iam::aws:policy/AmazonS3FullAccess"},
        None,
    ),
    "a compute config": Backup(
        "compute_config", {"cloud_id": "cld_1", "name": "größe/../ 1"}, ACCOUNT, CONFIG, None
    ),
    "a bucket policy for several clouds": Backup(
        "bucket_policy", {"bucket": "shared"}, ACCOUNT, None, TRUST, ("cld_1", "cld_2")
    ),
    "a compute config of an unknown account": Backup(
        "compute_config", {"cloud_id": "cld_1", "name": "team-a"}, "", CONFIG, CONFIG
    ),
}
PROFILE_ARN = f"arn:aws:iam::{ACCOUNT}:instance-profile/ray/ray-team-a"
PROFILE = {"name": "ray-team-a", "arn": PROFILE_ARN, "role_arn": f"arn:aws:iam::{ACCOUNT}:role/a"}
for _name, _before in {
    "an instance profile that was not there": None,
    "an empty instance profile": {**PROFILE, "role_arn": None},
}.items():
    KINDS[_name] = Backup(
        "instance_profile", {"instance_profile_arn": PROFILE_ARN}, ACCOUNT, _before, PROFILE
    )
ONE = KINDS["a trust policy"]
KEY = "a key of the operator"


@pytest.fixture(autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home without a key."""
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path_factory.mktemp("home")))


def parameters(folder: pathlib.Path, **more: t.Any) -> dict[str, t.Any]:
    return {"backup": True, "backup_dir": str(folder / "backups"), "run_id": "4711", **more}


def write(folder: pathlib.Path, backup: Backup = ONE, **more: t.Any) -> pathlib.Path:
    return pathlib.Path(write_backup(backup, parameters(folder, **more))["backup_file"])


def mode(path: pathlib.Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_kept_is_what_is_read(tmp_path: pathlib.Path, kind: str) -> None:
    assert read(str(write(tmp_path, KINDS[kind]))).backup == KINDS[kind]


def test_the_context_is_in_the_file(tmp_path: pathlib.Path) -> None:
    content = json.loads(write(tmp_path).read_text())
    assert set(content) == {
        "schema_version",
        "written_at",
        "run_id",
        "run_name",
        "cloud_names",
        "rolls_back",
        "signature",
        *(field.name for field in dataclasses.fields(Backup)),
    }
    assert content["run_id"] == "4711"
    assert re.match(r"\d{4}-\d\d-\d\dT.*\+00:00\Z", content["written_at"])


def test_what_wrote_it_is_in_the_file_and_signed(tmp_path: pathlib.Path) -> None:
    given = {"run_name": "onboard", "cloud_names": ["a", "b"], "rolls_back": "7"}
    stored = read(str(write(tmp_path, **given)))
    origin = stored.origin
    assert (origin.run_id, origin.run_name, origin.cloud_names, origin.rolls_back) == (
        "4711",
        "onboard",
        ("a", "b"),
        "7",
    )
    content = {**stored.content, "cloud_names": ["a"]}
    assert untrusted([stored], {}) == Untrusted()
    assert untrusted([dataclasses.replace(stored, content=content)], {}) == Untrusted(
        altered=(stored.path,)
    )


def test_of_one_of_an_earlier_release_it_is_not_known(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path)
    content = json.loads(path.read_text())
    for name in ("run_name", "cloud_names", "rolls_back"):
        del content[name]
    path.write_text(json.dumps(content))
    origin = read(str(path)).origin
    assert (origin.run_name, origin.cloud_names, origin.rolls_back) == ("", (), "")


@pytest.mark.parametrize("name", ["", " ", "a" * 81, "a\nb", "\x1b[2J"])
def test_a_name_of_a_run_that_no_line_can_show_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="run_name"):
        check_backup_options({"run_name": name})


def test_one_that_does_not_say_for_which_clouds_it_is_can_be_read(tmp_path: pathlib.Path) -> None:
    """As releases wrote them that did not keep it."""
    path = write(tmp_path)
    content = json.loads(path.read_text())
    del content["clouds"]
    path.write_text(json.dumps(content))
    assert read(str(path)).backup == ONE


def test_only_the_owner_can_read_it(tmp_path: pathlib.Path) -> None:
    before = os.umask(0)
    try:
        path = write(tmp_path)
    finally:
        os.umask(before)
    assert (mode(path), mode(path.parent)) == (0o600, 0o700)


NOT_BACKED_UP: dict[str, tuple[Backup | None, dict[str, t.Any]]] = {
    "where no backup is asked for": (ONE, {"backup": False}),
    "where nothing is replaced": (None, {}),
}


@pytest.mark.parametrize("case", NOT_BACKED_UP)
def test_nothing_is_kept(tmp_path: pathlib.Path, case: str) -> None:
    backup, options = NOT_BACKED_UP[case]
    assert write_backup(backup, parameters(tmp_path, **options)) == {}
    assert list(tmp_path.iterdir()) == []


def test_names_sort_by_time_whatever_they_are_of(tmp_path: pathlib.Path) -> None:
    written = [
        write(tmp_path, backup, run_id=run) for run in ("9", "10", "a") for backup in KINDS.values()
    ]
    assert sorted(path.name for path in written) == [path.name for path in written]
    assert [path.name for path in written] == [
        os.path.basename(path) for path in files_in(str(tmp_path / "backups"))
    ]


def test_a_run_is_found_by_its_id_alone(tmp_path: pathlib.Path) -> None:
    write(tmp_path, run_id="47")
    ours = write(tmp_path, run_id="4711")
    write(tmp_path, run_id="4711-2")
    (tmp_path / "backups/4711.json").write_text("{}")
    assert files_in(str(tmp_path / "backups"), "4711") == [str(ours)]


def test_without_a_run_id_a_backup_is_a_run_of_its_own(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, run_id=None)
    run_id = json.loads(path.read_text())["run_id"]
    assert path.name.startswith(f"{run_id}.{run_id}.")
    assert files_in(str(path.parent), run_id) == [str(path)]


HOSTILE = [
    "../../etc/passwd",
    "/etc/passwd",
    "..",
    ".",
    "a\0b",
    "x" * 500,
    "-rf",
    "$(id)",
    "{{ 7 * 7 }}",
    "名前",
    "\N{ROCKET}",
    "\n",
    "a.json",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_in_its_folder(tmp_path: pathlib.Path, name: str) -> None:
    path = write(
        tmp_path, Backup("compute_config", {"cloud_id": "cld_1", "name": name}, "", None, CONFIG)
    )
    assert path.parent == tmp_path / "backups"
    assert [path] == list(path.parent.iterdir())
    assert read(str(path)).backup.target["name"] == name


@given(name=st.text(min_size=1), other=st.text(min_size=1))
def test_names_are_plain_and_distinguish_documents(name: str, other: str) -> None:
    one, another = (
        files_backup._file_label(
            Backup("compute_config", {"cloud_id": "cld_1", "name": text}, "", None, None)
        )
        for text in (name, other)
    )
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]*", one)
    assert len(one) < 60
    assert (one == another) == (name == other)


def test_what_was_not_replaced_is_dropped(tmp_path: pathlib.Path) -> None:
    """Whether its file is still there or not, and whether there is one."""
    result = write_backup(ONE, parameters(tmp_path))
    for backup_file in (result, result, {}):
        delete_backup(backup_file)
    assert list((tmp_path / "backups").iterdir()) == []


@pytest.mark.parametrize("run_id", ["", " ", "a b", "../x", "a/b", "a.b", "a" * 65, "é", "a\n"])
def test_a_run_id_that_cannot_be_part_of_a_name_is_refused(run_id: str) -> None:
    with pytest.raises(InputError, match="run_id"):
        check_run_id(run_id)


def test_an_interrupted_write_leaves_nothing_behind(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(handle: int) -> t.NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, backup_key=KEY)
    assert list((tmp_path / "backups").iterdir()) == []


def _a_file(folder: pathlib.Path) -> None:
    (folder / "backups").write_text("")


def _open_to_others(folder: pathlib.Path) -> None:
    (folder / "backups").mkdir()
    (folder / "backups").chmod(0o777)


FOLDERS: dict[str, t.Callable[[pathlib.Path], dict[str, str] | None]] = {
    "that is a file": _a_file,
    "that others can write to": _open_to_others,
    "that is none of a file system's": lambda folder: {"backup_dir": "/proc/backups"},
    "with a name too long": lambda folder: {"backup_dir": "/tmp/" + "x" * 500},
    "with a name that cannot be": lambda folder: {"backup_dir": "/tmp/a\0b"},
}


@pytest.mark.parametrize("case", FOLDERS)
def test_a_folder_that_cannot_be_used_is_explained(tmp_path: pathlib.Path, case: str) -> None:
    options = FOLDERS[case](tmp_path) or {}
    with pytest.raises(TaskError) as caught:
        write(tmp_path, **options)
    message = caught.value.failure()["msg"]
    assert message.startswith(
        f"The {ONE.resource} was not changed, because its backup cannot be written"
    )
    assert "backup_dir" in message


def _content(**changes: t.Any) -> str:
    told = {"schema_version": 1, "written_at": "2027-01-05T09:00:00+00:00", "run_id": "4711"}
    return json.dumps({**told, **dataclasses.asdict(ONE), **changes})


GARBAGE: dict[str, str] = {
    "empty": "",
    "not JSON": "{",
    "half of one": _content()[:100],
    "lists in lists without end": "[" * 100_000,
    "a document with a Sid that is a list": _content(
        before={"Statement": [{"Effect": "Allow", "Sid": ["One"]}]}
    ),
    "a document with half a character": _content(after={**TRUST, "Id": "\ud800"}),
    "a list": "[]",
    "clouds that are no names": _content(clouds=[7]),
    "clouds that are no list": _content(clouds=7),
    "nothing known": "{}",
    "a later schema": _content(schema_version=2),
    "a previous version that is no number": _content(previous_version="1"),
    "a previous version that is none": _content(previous_version=-1),
    "an unknown kind": _content(kind="user_policy"),
    "a kind that is no text": _content(kind=[]),
    "no target": _content(target=None),
    "another kind's target": _content(target={"bucket": "anyscale-prod"}),
    "a role's name for its ARN": _content(target={"role_arn": "ray-team-a"}),
    "a role's name for its ARN and no account": _content(
        target={"role_arn": "ray-team-a"}, account_id=None
    ),
    "a role of another account": _content(account_id="333333333333"),
    "a trust policy that was not there": _content(before=None),
    "a document that is a text": _content(before=json.dumps(TRUST)),
    "a document that is no policy": _content(before={"Statement": [{"Effect": "Perhaps"}]}),
    "an instance profile that is another thing": _content(
        kind="instance_profile", target={"instance_profile_arn": "x"}, before=None, after=PROFILE
    ),
    "an instance profile of another account": _content(
        kind="instance_profile",
        target={"instance_profile_arn": PROFILE_ARN.replace("2", "3")},
        before=None,
        after=PROFILE,
    ),
    "an instance profile without its role": _content(
        kind="instance_profile",
        target={"instance_profile_arn": PROFILE_ARN},
        before=None,
        after={"name": "ray-team-a"},
    ),
    "a bucket that is a path": _content(kind="bucket_policy", target={"bucket": "../x"}),
    "an inline policy without a name": _content(
        kind="role_policy",
        target={"role_arn": f"arn:aws:iam::{ACCOUNT}:role/ray-team-a", "policy_name": "../x"},
    ),
    "an inline policy of another account's role": _content(
        kind="role_policy",
        target={"role_arn": "arn:aws:iam::333333333333:role/r", "policy_name": "Ours"},
    ),
    "an attachment of another policy": _content(
        kind="role_attachment",
        target={
            "role_arn": f"arn:aws:iam::{ACCOUNT}:role/ray-team-a",
            "policy_arn": f"arn:aws:iam::{ACCOUNT}:policy/bucket",
        },
        before={"PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"},
        after=None,
    ),
    "an attachment of what is no policy": _content(
        kind="role_attachment",
        target={
            "role_arn": f"arn:aws:iam::{ACCOUNT}:role/ray-team-a",
            "policy_arn": f"arn:aws:iam::{ACCOUNT}:role/x",
        },
        before={"PolicyArn": f"arn:aws:iam::{ACCOUNT}:role/x"},
        after=None,
    ),
    "a compute config of another cloud": _content(
        kind="compute_config", target={"cloud_id": "cld_2", "name": "n"}, before=CONFIG, after=None
    ),
    "a compute config without a name": _content(
        kind="compute_config", target={"cloud_id": "cld_1", "name": ""}, before=CONFIG, after=None
    ),
}


def test_only_its_name_keeps_this_content_from_being_a_backup(tmp_path: pathlib.Path) -> None:
    """So that each case below is refused for its own reason."""
    path = (
        tmp_path / f"20270105T090000-000000Z.4711.trust_policy.{files_backup._file_label(ONE)}.json"
    )
    path.write_text(_content())
    assert read(str(path)).backup == ONE


@pytest.mark.parametrize("case", GARBAGE)
def test_what_is_no_backup_is_refused(tmp_path: pathlib.Path, case: str) -> None:
    path = tmp_path / "backup.json"
    path.write_text(GARBAGE[case])
    path.chmod(0o600)
    with pytest.raises(InputError, match=r"backup\.json"):
        read(str(path))


def test_a_backup_that_other_users_can_write_to_is_refused(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path)
    path.chmod(0o620)
    with pytest.raises(InputError, match="Other users than its owner"):
        read(str(path))


def test_what_another_user_owns_is_not_trusted(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The owner of a folder or a file can change it at any time, whatever its mode is now."""
    path = write(tmp_path)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(InputError, match="belongs to another user"):
        read(str(path))
    with pytest.raises(TaskError, match=r"was not changed.* belongs to another user"):
        write(tmp_path)


RELATIVE = ["backups", "./backups", "../backups", "", "~no-such-user/backups"]


@pytest.mark.parametrize("directory", RELATIVE)
def test_a_folder_that_is_not_absolute_is_refused(directory: str) -> None:
    """It would be another one wherever a task runs."""
    with pytest.raises(InputError, match=r"backup_dir .* is not an absolute path"):
        check_backup_options({"backup": True, "backup_dir": directory})


@pytest.mark.parametrize(
    "options",
    [{"backup": True, "backup_dir": "/srv/backups"}, {"backup": False, "backup_dir": "backups"}],
    ids=["absolute", "unused"],
)
def test_options_with_which_backups_can_be_kept(options: dict[str, t.Any]) -> None:
    check_backup_options(options)


@pytest.mark.parametrize("path", ["/no/such/file", "/", "a\0b"])
def test_a_backup_that_cannot_be_read_is_explained(path: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read(path)


def test_a_folder_that_cannot_be_read_is_explained() -> None:
    with pytest.raises(InputError, match="/no/such/folder"):
        files_in("/no/such/folder")


# --- what a backup is believed ------------------------------------------------------------------


def changed(path: pathlib.Path, **changes: t.Any) -> pathlib.Path:
    """The same file with another content."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    return path


OTHER_NAME: dict[str, dict[str, t.Any]] = {
    "another run": {"run_id": "4712"},
    "a run that is no text": {"run_id": 4711.5},
    "another time": {"written_at": "2020-01-01T00:00:00+00:00"},
    "the same time in another zone": {"written_at": "2020-01-01T01:00:00+01:00"},
    "a time without a zone": {"written_at": "2020-01-01T00:00:00"},
    "no time": {"written_at": "yesterday"},
    "another target": {"target": {"role_arn": f"arn:aws:iam::{ACCOUNT}:role/ray/other"}},
    "another kind": {"kind": "bucket_policy", "target": {"bucket": "anyscale-prod"}},
}


@pytest.mark.parametrize("changes", OTHER_NAME.values(), ids=OTHER_NAME)
def test_a_backup_belongs_to_its_file_name(
    tmp_path: pathlib.Path, changes: dict[str, t.Any]
) -> None:
    path = changed(write(tmp_path), **changes)
    with pytest.raises(InputError, match="is not a backup"):
        read(str(path))


def test_a_renamed_backup_is_refused(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path)
    moved = path.rename(path.with_name(path.name.replace("4711", "4712")))
    with pytest.raises(InputError, match=re.escape(path.name)):
        read(str(moved))


def test_a_backup_is_believed_with_the_key_that_signed_it_alone(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, backup_key=KEY)
    stored = read(str(path))
    assert untrusted([stored], {"backup_key": KEY}) == Untrusted()
    assert untrusted([stored], {"backup_key": "another key of someone"}) == Untrusted(
        altered=(str(path),)
    )
    assert untrusted([stored], {}) == Untrusted(altered=(str(path),))


def test_the_key_of_the_user_is_made_by_the_first_backup(tmp_path: pathlib.Path) -> None:
    stored = read(str(write(tmp_path)))
    assert untrusted([stored], {}) == Untrusted()
    assert untrusted([stored], {"backup_key": KEY}) == Untrusted(altered=(stored.path,))


EDITED: dict[str, dict[str, t.Any]] = {
    "the document before": {"before": {**TRUST, "Id": "other"}},
    "the document after": {"after": None},
    "the clouds": {"clouds": ["cld_7"]},
    "more than is read": {"note": "x"},
    "no signature": {"signature": None},
    "a signature that is no text": {"signature": 7},
    "a signature in other letters": {"signature": "ü" * 64},
}


@pytest.mark.parametrize("changes", EDITED.values(), ids=EDITED)
def test_an_edited_backup_is_not_believed(
    tmp_path: pathlib.Path, changes: dict[str, t.Any]
) -> None:
    path = changed(write(tmp_path), **changes)
    found = untrusted([read(str(path))], {})
    assert found.paths == (str(path),)
    assert bool(found.unsigned) == (changes.get("signature", "") in (None, 7)), "it has one or none"


def test_a_signature_does_not_depend_on_the_layout(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps(dict(reversed(content.items())), ensure_ascii=False))
    assert untrusted([read(str(path))], {}) == Untrusted()


def test_a_number_that_python_would_round_is_signed_as_it_is(tmp_path: pathlib.Path) -> None:
    odd = _json.loads('{"Version": "2012-10-17", "Statement": [], "x": [1e999, 1.0]}')
    stored = read(str(write(tmp_path, dataclasses.replace(ONE, after=odd))))
    assert untrusted([stored], {}) == Untrusted()


def _socket(path: pathlib.Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


NO_PLAIN_FILES: dict[str, t.Callable[[pathlib.Path], None]] = {
    "a FIFO": os.mkfifo,
    "a socket": _socket,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link": lambda path: path.symlink_to(path.with_name("elsewhere.json")),
    "a folder": pathlib.Path.mkdir,
}


@pytest.mark.parametrize("make", NO_PLAIN_FILES.values(), ids=NO_PLAIN_FILES)
def test_what_is_no_plain_file_is_refused_at_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path, make: t.Callable[[pathlib.Path], None]
) -> None:
    monkeypatch.chdir(tmp_path)  # the path of a socket is short
    (tmp_path / "elsewhere.json").write_text("{}")
    make(pathlib.Path("x.json"))
    with pytest.raises(
        InputError, match=r"cannot be read: it is (not a plain file|a symbolic link)"
    ):
        read("x.json")


def test_the_default_folder_is_in_ansibles_home(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANSIBLE_HOME", str(tmp_path / "home"))
    path = write(tmp_path, backup_dir=None)
    assert path.parent == tmp_path / "home/anyscale_backups"
    assert [key.name for key in path.parents[1].glob("*.key")] == ["anyscale_backup.key"]
    monkeypatch.delenv("ANSIBLE_HOME")
    monkeypatch.setenv("HOME", "/home/jo")
    assert files_backup.backup_directory(None) == "/home/jo/.ansible/anyscale_backups"


def test_the_other_backups_of_a_document_since_the_first_one(tmp_path: pathlib.Path) -> None:
    """Of whichever run, in the order of time. What cannot be read, or another key signed, tells
    nothing.
    """
    trust, bucket = KINDS["a trust policy"], KINDS["a bucket policy that goes"]
    params = {"backup": True, "backup_dir": str(tmp_path), "backup_key": "k" * 32}

    def written(run_id: str, backup: Backup = trust, **changed: str) -> str:
        return write_backup(backup, {**params, "run_id": run_id, **changed})["backup_file"]

    written("earlier")
    first = written("4711")
    later, last = written("4712"), written("4713")
    written("4712", bucket)
    written("4714", backup_key="o" * 32)
    pathlib.Path(written("4715")).write_text("{")
    found = others_since([read(first)], params)
    assert [one.path for one in found] == [later, last]
    assert others_since([read(first), read(last), read(later)], params) == []
