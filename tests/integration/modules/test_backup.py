# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every module that replaces a document keeps of it first, and that nothing is replaced where
that is not possible.
"""

from __future__ import annotations

import json
import os
import pathlib
import stat
import typing as t

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    same_config,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.s3 import Bucket
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    converge,
    overwriting,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_plan import (
    mapping_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import read
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    policies_equal,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    ROLE,
    ROLE_ARN,
    Json,
    bucket_policy_of,
    make_bucket,
    make_role,
    policy,
    put_bucket_policy,
    put_trust,
    trust_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    MODULES as OF_EVERY_CLOUD,
    Run,
    failure,
    settled,
)
from ansible_collections.rayfleet.anyscale.tests.support.operations import PUT_MAPPING
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of

MAPPING = "cloud_iam_mapping"
MODULES = (*OF_EVERY_CLOUD, MAPPING)
CLOUD = Cloud(
    "vision",
    ACCOUNT,
    role=ROLE,
    trust="lambda_only",
    bucket_policy="foreign_reader",
    profile="filled",
    compute_config="role_arn",
)
GIVEN: dict[str, Json] = {
    "iam_trust_ec2": {"role": CLOUD.role_name},
    "s3_cloud_access": {"bucket": CLOUD.bucket_name, "roles": [CLOUD.role_arn]},
    "compute_config_profile": {
        "name": CLOUD.compute_config_name,
        "cloud_id": CLOUD.cloud_id,
        "role": CLOUD.role_name,
    },
    MAPPING: {
        "cloud_id": CLOUD.cloud_id,
        "rules": [{"selector": "project=ml", "role": CLOUD.role_name}],
    },
}
KINDS = {
    "iam_trust_ec2": "trust_policy",
    "s3_cloud_access": "bucket_policy",
    "compute_config_profile": "compute_config",
    MAPPING: "iam_mapping",
}
SECRETS = ("AKIA", "wJalrXUtnFEMI/K7MDENG/canary", "aph0_", "fleet-7f3a")


def newest(sandbox: Sandbox) -> Json | None:
    """The compute config's newest version."""
    found = sandbox.organization.templates.search(
        {"name": {"equals": CLOUD.compute_config_name}, "version": -1}
    )
    return found[0]["config"] if found else None


def live(sandbox: Sandbox, module: str) -> t.Any:
    """The document that a module writes to."""
    if module == "compute_config_profile":
        return newest(sandbox)
    if module == MAPPING:
        (resource,) = sandbox.organization.resources[CLOUD.cloud_id]
        return sandbox.organization.mapping(CLOUD.cloud_id, resource["cloud_resource_id"])
    return (
        trust_of(sandbox)
        if module == "iam_trust_ec2"
        else bucket_policy_of(sandbox, CLOUD.bucket_name)
    )


def same(module: str, one: t.Any, other: t.Any) -> bool:
    if module == MAPPING:
        return mapping_of(one) == mapping_of(other)
    return (
        same_config(one, other)
        if module == "compute_config_profile"
        else policies_equal(one, other)
    )


@pytest.fixture(name="seeded")
def _seeded(sandbox: Sandbox) -> Sandbox:
    sandbox.seed((CLOUD,))
    return sandbox


@pytest.fixture(name="folder")
def _folder(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "backups"


@pytest.mark.parametrize("module", MODULES)
def test_a_change_keeps_what_was_there_and_what_it_left(
    seeded: Sandbox, run_module: Run, folder: pathlib.Path, module: str
) -> None:
    before = live(seeded, module)
    result = run_module(module, **GIVEN[module], backup=True, backup_dir=str(folder), run_id="4711")
    path = pathlib.Path(result["backup_file"])
    assert result["changed"]
    assert [path] == list(folder.iterdir())
    assert f".4711.{KINDS[module]}." in path.name
    assert [stat.S_IMODE(found.stat().st_mode) for found in (path, folder)] == [0o600, 0o700]
    backup = read(str(path)).backup
    assert (backup.kind, backup.account_id) == (KINDS[module], ACCOUNT)
    assert result["diff"]["after_header"] == f"{backup.resource} (after)"
    assert same(module, backup.before, before)
    assert same(module, backup.after, live(seeded, module))
    assert not same(module, backup.after, before)


@pytest.mark.parametrize("module", MODULES)
def test_check_mode_keeps_nothing(
    seeded: Sandbox, run_module: Run, folder: pathlib.Path, module: str
) -> None:
    result = run_module(module, check=True, **GIVEN[module], backup=True, backup_dir=str(folder))
    assert result["changed"]
    assert "backup_file" not in result
    assert not folder.exists()


@pytest.mark.parametrize("module", MODULES)
def test_documents_in_sync_are_not_backed_up(
    seeded: Sandbox, run_module: Run, folder: pathlib.Path, module: str
) -> None:
    """No file, and the calls of a run without a backup."""
    run_module(module, **GIVEN[module])
    costs = []
    for options in ({"backup": False}, {"backup_dir": str(folder)}):
        assert "backup_file" not in settled(seeded, run_module, module, **GIVEN[module], **options)
        costs.append([call["operation"] for call in seeded.calls()])
    assert costs[0] == costs[1]
    assert not folder.exists()


@pytest.mark.parametrize("module", MODULES)
def test_no_backup_is_made_where_none_is_wanted(
    seeded: Sandbox, run_module: Run, tmp_path: pathlib.Path, module: str
) -> None:
    result = run_module(module, **GIVEN[module], backup=False, backup_dir=str(tmp_path / "backups"))
    assert result["changed"]
    assert "backup_file" not in result
    assert not list(tmp_path.glob("**/*.json"))


@pytest.mark.parametrize("module", MODULES)
def test_by_default_it_is_in_the_users_home(
    seeded: Sandbox,
    run_module: Run,
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
) -> None:
    monkeypatch.delenv("ANSIBLE_HOME", raising=False)
    path = run_module(module, **GIVEN[module])["backup_file"]
    assert pathlib.Path(path).parent == tmp_path / ".ansible/anyscale_backups"


def _in_a_file(folder: pathlib.Path) -> pathlib.Path:
    folder.write_text("")
    return folder / "backups"


def _open_to_all(folder: pathlib.Path) -> pathlib.Path:
    folder.mkdir()
    folder.chmod(0o777)
    return folder


@pytest.mark.parametrize("place", [_in_a_file, _open_to_all])
@pytest.mark.parametrize("module", MODULES)
def test_without_a_backup_nothing_is_changed(
    seeded: Sandbox,
    run_module: Run,
    folder: pathlib.Path,
    module: str,
    place: t.Callable[[pathlib.Path], pathlib.Path],
) -> None:
    """Which check mode knows too, in the same words."""
    options = {**GIVEN[module], "backup": True, "backup_dir": str(place(folder))}
    seeded.clear_calls()
    message = failure(run_module(module, **options))["msg"]
    assert "was not changed, because its backup cannot be written" in message
    assert "backup_dir" in message
    assert failure(run_module(module, check=True, **options))["msg"] == message
    assert seeded.writes() == []


@pytest.mark.parametrize(("exists", "check"), [(True, True), (True, False), (False, True)])
def test_a_folder_that_this_user_cannot_write_to(
    seeded: Sandbox,
    run_module: Run,
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    check: bool,
    exists: bool,
) -> None:
    """Nor one that could not be made, which a run finds when it makes it."""
    if exists:
        folder.mkdir(mode=0o700)
    monkeypatch.setattr(
        os, "access", lambda path, mode: path not in (str(folder), str(folder.parent))
    )
    options = {**GIVEN["iam_trust_ec2"], "backup": True, "backup_dir": str(folder)}
    assert (
        "Permission denied" in failure(run_module("iam_trust_ec2", check=check, **options))["msg"]
    )


@pytest.mark.parametrize("module", MODULES)
def test_a_relative_folder_is_refused_before_anything_is_read(
    seeded: Sandbox, run_module: Run, module: str
) -> None:
    seeded.clear_calls()
    message = failure(run_module(module, **GIVEN[module], backup=True, backup_dir="backups"))["msg"]
    assert "backup_dir 'backups' is not an absolute path" in message
    assert seeded.calls() == []


def test_an_interrupted_backup_leaves_no_file_and_no_change(
    seeded: Sandbox, run_module: Run, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> t.NoReturn:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    seeded.clear_calls()
    keep = {"backup": True, "backup_dir": str(folder), "backup_key": "a key of the operator"}
    message = failure(run_module("iam_trust_ec2", **GIVEN["iam_trust_ec2"], **keep))["msg"]
    assert "No space left on device" in message
    assert (list(folder.iterdir()), seeded.writes()) == ([], [])


@pytest.mark.parametrize("module", MODULES)
def test_the_backup_is_there_before_the_write(
    seeded: Sandbox,
    run_module: Run,
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
) -> None:
    """It says what is live, and is deleted if the write is refused."""
    deleted: list[dict[str, str]] = []
    monkeypatch.setattr(converge, "delete_backup", deleted.append)
    before = live(seeded, module)
    for operation in ("UpdateAssumeRolePolicy", "PutBucketPolicy"):
        seeded.fault(operation, status=403, code="AccessDenied")
    for operation in ("POST /api/v2/compute_templates/", PUT_MAPPING):
        seeded.fault(operation, status=403, code="forbidden")
    failure(run_module(module, **GIVEN[module], backup=True, backup_dir=str(folder)))
    (path,) = folder.iterdir()
    assert same(module, read(str(path)).backup.before, before)
    assert same(module, live(seeded, module), before)
    assert [one["backup_file"] for one in deleted] == [str(path)]


@pytest.mark.parametrize("module", MODULES)
def test_no_secret_is_in_a_backup(
    seeded: Sandbox, run_module: Run, folder: pathlib.Path, module: str
) -> None:
    condition = {"StringEquals": {"sts:ExternalId": SECRETS[3]}}
    trust = {
        "Effect": "Allow",
        "Principal": {"AWS": ACCOUNT},
        "Action": "sts:AssumeRole",
        "Condition": condition,
    }
    assumed = make_role(seeded, "onboarding", policy(trust))
    key = seeded.credentials(ACCOUNT)["aws_access_key_id"]
    connection = {
        "access_key": key,
        "secret_key": SECRETS[1],
        "assume_role_arn": assumed,
        "assume_role_external_id": SECRETS[3],
    }
    path = run_module(module, **GIVEN[module], **connection, backup=True, backup_dir=str(folder))[
        "backup_file"
    ]
    text = pathlib.Path(path).read_text()
    assert not [secret for secret in (*SECRETS, key, seeded.token) if secret in text]


def test_a_bucket_without_a_policy_and_one_whose_policy_is_deleted(
    sandbox: Sandbox, run_module: Run, folder: pathlib.Path
) -> None:
    make_role(sandbox)
    make_bucket(sandbox, "fleet-data")
    given = {"bucket": "fleet-data", "roles": [ROLE_ARN], "backup": True, "backup_dir": str(folder)}
    made = read(run_module("s3_cloud_access", **given)["backup_file"]).backup
    gone = read(run_module("s3_cloud_access", **given, state="absent")["backup_file"]).backup
    assert made.before is None
    assert gone.after is None
    assert policies_equal(made.after, gone.before)
    assert made.after["Statement"]


def test_a_compute_config_that_is_made_and_one_that_is_archived(
    seeded: Sandbox, run_module: Run, folder: pathlib.Path
) -> None:
    given = {
        **GIVEN["compute_config_profile"],
        "name": "team-b",
        "backup": True,
        "backup_dir": str(folder),
    }
    made = read(run_module("compute_config_profile", **given)["backup_file"]).backup
    archived = read(
        run_module("compute_config_profile", **given, state="archived")["backup_file"]
    ).backup
    assert made.before is None
    assert archived.after is None
    assert same_config(made.after, archived.before)


@pytest.mark.parametrize(
    "options",
    [{"publish": False, "dest": "team.yaml"}, {"dest": "team.yaml"}],
    ids=["only a file", "a file beside it"],
)
def test_a_file_is_none_of_its_documents(
    seeded: Sandbox, run_module: Run, folder: pathlib.Path, options: Json
) -> None:
    run_module("compute_config_profile", **GIVEN["compute_config_profile"])
    given = {**GIVEN["compute_config_profile"], **options, "dest": "team.yaml"}
    result = run_module("compute_config_profile", **given, backup=True, backup_dir=str(folder))
    assert result["reasons"] == ["dest_differs"]
    assert "backup_file" not in result
    assert not folder.exists()


def test_hostile_names_of_compute_configs(
    seeded: Sandbox, run_module: Run, folder: pathlib.Path
) -> None:
    for name in ("../../escape", "/etc/passwd", "{{ 7 * 7 }}", "名前"):
        given = {**GIVEN["compute_config_profile"], "name": name}
        path = pathlib.Path(
            run_module("compute_config_profile", **given, backup=True, backup_dir=str(folder))[
                "backup_file"
            ]
        )
        assert path.parent == folder
        assert path.is_file()
        assert read(str(path)).backup.target["name"] == name
    assert len(list(folder.iterdir())) == 4


# --- others who write meanwhile -------------------------------------------------------------------

_OBJECTS = f"arn:aws:s3:::{CLOUD.bucket_name}/*"
_NEWCOMER: Json = {
    "Sid": "Newcomer",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
}
NEWCOMERS: dict[str, Json] = {
    "iam_trust_ec2": {**_NEWCOMER, "Action": "sts:AssumeRole"},
    "s3_cloud_access": {**_NEWCOMER, "Action": "s3:GetObject", "Resource": _OBJECTS},
}
WRITES: dict[str, tuple[type[Iam | Bucket], str, str]] = {
    "iam_trust_ec2": (Iam, "put_trust_policy", "UpdateAssumeRolePolicy"),
    "s3_cloud_access": (Bucket, "put_policy", "PutBucketPolicy"),
}


def statements(document: Json | None) -> list[Json]:
    return document["Statement"] if document else []


def put(sandbox: Sandbox, module: str, document: Json) -> None:
    """Replace a policy behind the module's back."""
    if module == "iam_trust_ec2":
        put_trust(sandbox, document)
    else:
        put_bucket_policy(sandbox, CLOUD.bucket_name, document)


def meet(monkeypatch: pytest.MonkeyPatch, module: str, meeting: t.Callable[[], object]) -> None:
    """Let another writer act immediately after the first of our writes, whether it failed or not."""
    owner, name, _operation = WRITES[module]
    write, met = getattr(owner, name), []

    def write_and_meet(*arguments: t.Any) -> None:
        try:
            write(*arguments)
        finally:
            if not met:
                met.append(meeting())

    monkeypatch.setattr(owner, name, write_and_meet)
    # What was there before our write may also be an old answer: it is waited for, here not as long
    # as for AWS.
    monkeypatch.setattr(overwriting, "_VISIBLE_SECONDS", 0.5)


@pytest.mark.parametrize("module", WRITES)
def test_it_is_of_what_was_replaced_and_not_of_what_was_seen_first(
    seeded: Sandbox,
    run_module: Run,
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
) -> None:
    """A round that AWS refused wrote nothing; what the next one replaces holds what a newcomer
    added meanwhile.
    """
    found = live(seeded, module)
    with_newcomer = policy(*statements(found), NEWCOMERS[module])
    seeded.fault(WRITES[module][2], status=409, code="ConcurrentModification")
    meet(monkeypatch, module, lambda: put(seeded, module, with_newcomer))
    result = run_module(module, **GIVEN[module], backup=True, backup_dir=str(folder))
    (path,) = folder.iterdir()
    assert result["backup_file"] == str(path)
    backup = read(str(path)).backup
    assert policies_equal(backup.before, with_newcomer)
    assert policies_equal(backup.after, live(seeded, module))
    run_module("backup_restore", files=[str(path)])
    assert policies_equal(live(seeded, module), with_newcomer)


@pytest.mark.parametrize("module", WRITES)
def test_each_document_that_was_replaced_is_kept(
    seeded: Sandbox,
    run_module: Run,
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
) -> None:
    """Another writer removed ours and it was written again: the result names the last, which has
    the newcomer.
    """
    found = live(seeded, module)
    with_newcomer = policy(*statements(found), NEWCOMERS[module])
    meet(monkeypatch, module, lambda: put(seeded, module, with_newcomer))
    result = run_module(module, **GIVEN[module], backup=True, backup_dir=str(folder))
    first, last = sorted(folder.iterdir())
    assert result["backup_file"] == str(last)
    assert policies_equal(read(str(first)).backup.before, found)
    assert policies_equal(read(str(last)).backup.before, with_newcomer)
    assert policies_equal(read(str(last)).backup.after, live(seeded, module))
    refusal = failure(run_module("backup_restore", files=[str(first), str(last)]))
    assert "was changed by another writer while the run wrote to it" in refusal["msg"]
    run_module("backup_restore", files=[str(last)])
    assert policies_equal(live(seeded, module), with_newcomer)


@pytest.mark.parametrize("module", WRITES)
def test_a_restore_does_not_remove_what_was_restored_before(
    seeded: Sandbox,
    run_module: Run,
    folder: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    module: str,
) -> None:
    """Another writer removed ours and an unmanaged statement, which was restored with ours: it
    stays when ours is removed.
    """
    found = live(seeded, module)
    put(seeded, module, policy(*statements(found), NEWCOMERS[module]))
    meet(monkeypatch, module, lambda: put(seeded, module, policy(*statements(found))))
    result = run_module(module, **GIVEN[module], backup=True, backup_dir=str(folder))
    assert "unmanaged_statement_lost" in result["reasons"]
    for files in ([result["backup_file"]], sorted(map(str, folder.iterdir()))):
        run_module(module, **GIVEN[module])
        assert run_module("backup_restore", files=files)["changed"]
        assert policies_equal(live(seeded, module), policy(*statements(found), NEWCOMERS[module]))


# --- the role -------------------------------------------------------------------------------------


def _backups(folder: pathlib.Path) -> list[Json]:
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


WAYS: dict[str, Json] = {
    "by the engine": {},
    "by the role": {"fleet_engine": False},
    "as modules": {"anyscale_in_worker": False},
}


@pytest.mark.parametrize("way", few_of(WAYS, "by the engine"))
def test_all_hosts_of_a_run_share_its_id(
    running_sandbox: Sandbox, tmp_path: pathlib.Path, way: str
) -> None:
    """And the next run has another. By default there are backups, and the results name them. The records
    of instance profiles are among them.
    """
    clouds = [FLEET[0], FLEET[-2]]
    running_sandbox.reset()
    running_sandbox.seed(clouds)
    inventory = inventory_file(tmp_path, running_sandbox, clouds)
    variables = ("-e", json.dumps(WAYS[way]))
    folder = tmp_path / "ansible/anyscale_backups"
    run_playbook(running_sandbox, "onboard", inventory, "--check", *variables)
    assert not folder.exists()
    first = run_playbook(running_sandbox, "onboard", inventory, *variables)
    results = [result for _host, _action, result, _name in first.results]
    files = {result["backup_file"] for result in results if "backup_file" in result}
    files |= {file for result in results for file in result.get("backup_files", [])}
    backups = _backups(folder)
    records = set(map(str, folder.glob("*.instance_profile.*.json")))
    assert files | records == set(map(str, folder.glob("*.json")))
    assert len(files - records) == 6
    assert records
    (run_id,) = {backup["run_id"] for backup in backups}
    run_playbook(running_sandbox, "rollback", inventory, "-e", f"rollback_run={run_id}")
    (other,) = {backup["run_id"] for backup in _backups(folder)[len(backups) :]}
    assert run_id != other


def test_the_role_keeps_backups_as_configured(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """Under the id of the job in AWX, where another folder is named; and none where that is said."""
    with_backup, without = FLEET[0], FLEET[-2]
    running_sandbox.reset()
    running_sandbox.seed([with_backup, without])
    inventory = inventory_file(
        tmp_path,
        running_sandbox,
        [with_backup, without],
        cloud_iam_backup_dir=str(tmp_path / "kept"),
    )
    content = yaml.safe_load(inventory.read_text())
    hosts = content["all"]["children"]["anyscale_clouds"]["hosts"]
    hosts[without.name]["cloud_iam_backup"] = False
    del hosts[without.name]["cloud_iam_backup_dir"]
    inventory.write_text(yaml.safe_dump(content))
    run = run_playbook(running_sandbox, "onboard", inventory, "-e", "awx_job_id=4711")
    assert run.changed(with_backup.name)
    assert run.changed(without.name)
    kept = _backups(tmp_path / "kept")
    assert {backup["run_id"] for backup in kept} == {"4711"}
    documents = [backup for backup in kept if backup["kind"] != "instance_profile"]
    assert len(documents) == 3, "those of the one cloud alone"
    assert not (tmp_path / "ansible/anyscale_backups").exists()
