# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents of each kind are restored by the module backup_restore, those of a run by the playbook
rollback.
"""

from __future__ import annotations

import json
import pathlib
import typing as t

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    same_config,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import restore
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy import (
    TrustPolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    Backup,
    read,
    write_backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import (
    policies_equal,
)
from ansible_collections.rayfleet.anyscale.tests.integration.playbooks.test_run_settings import (
    SETTINGS,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import VISION_ACCOUNT
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    LAMBDA,
    OTHER_ACCOUNT,
    PARTNER,
    ROLE,
    Json,
    all_policies,
    bucket_policy_of,
    delete_role,
    make_role,
    policy,
    put_bucket_policy,
    put_trust,
    trust_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    Run,
    after,
    before,
    check_documented,
    converge,
    documented_reasons,
    failure,
    refused,
    settled,
    write_operations,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of

MODULE = "backup_restore"
CLOUD = Cloud(
    "vision",
    ACCOUNT,
    role=ROLE,
    trust="lambda_only",
    bucket_policy="foreign_reader",
    profile="filled",
    compute_config="role_arn",
)
BARE = Cloud("bare", ACCOUNT, role="ray-bare", trust="lambda_only")
ARCHIVE, UNARCHIVE = (
    f"POST /api/v2/compute_templates/{{id}}/{verb}" for verb in ("archive", "unarchive")
)
CREATE = "POST /api/v2/compute_templates/"


class Kind(t.NamedTuple):
    """One kind of document: how it is written, read, compared, and changed by another writer."""

    module: str
    options: t.Callable[[Cloud], Json]
    live: t.Callable[[Sandbox, Cloud], t.Any]
    same: t.Callable[[t.Any, t.Any], bool]
    meddle: t.Callable[[Sandbox, Cloud], object]
    write: str


def _versions(sandbox: Sandbox, cloud: Cloud) -> list[Json]:
    query = {"name": {"equals": cloud.compute_config_name}, "version": -2, "archive_status": "ALL"}
    return sorted(
        sandbox.organization.templates.search(query), key=lambda template: int(template["version"])
    )


def _live_config(sandbox: Sandbox, cloud: Cloud) -> Json | None:
    found = [template for template in _versions(sandbox, cloud) if not template["archived_at"]]
    return found[-1]["config"] if found else None


def _publish(sandbox: Sandbox, cloud: Cloud) -> None:
    head = {"name": "head-node", "instance_type": "p5.48xlarge"}
    body = {
        "cloud_id": cloud.cloud_id,
        "deployment_configs": [{"head_node_type": head}],
        "head_node_type": head,
    }
    sandbox.organization.create_template(
        {"name": cloud.compute_config_name, "anonymous": False, "new_version": True, "config": body}
    )


def _policies_same(one: Json | None, other: Json | None) -> bool:
    return one is other if one is None or other is None else policies_equal(one, other)


def _configs_same(one: Json | None, other: Json | None) -> bool:
    return one is other if one is None or other is None else same_config(one, other)


KINDS = {
    "trust policy": Kind(
        "iam_trust_ec2",
        lambda cloud: {"role": cloud.role_name},
        lambda sandbox, cloud: trust_of(sandbox, cloud.role_name),
        _policies_same,
        lambda sandbox, cloud: put_trust(sandbox, policy(LAMBDA, PARTNER), cloud.role_name),
        "UpdateAssumeRolePolicy",
    ),
    "bucket policy": Kind(
        "s3_cloud_access",
        lambda cloud: {"bucket": cloud.bucket_name, "roles": [cloud.role_arn]},
        lambda sandbox, cloud: bucket_policy_of(sandbox, cloud.bucket_name),
        _policies_same,
        lambda sandbox, cloud: put_bucket_policy(
            sandbox,
            cloud.bucket_name,
            policy(
                {
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:DeleteBucket",
                    "Resource": f"arn:aws:s3:::{cloud.bucket_name}",
                },
            ),
        ),
        "PutBucketPolicy",
    ),
    "compute config": Kind(
        "compute_config_profile",
        lambda cloud: {
            "name": cloud.compute_config_name,
            "cloud_id": cloud.cloud_id,
            "role": cloud.role_name,
        },
        _live_config,
        _configs_same,
        _publish,
        CREATE,
    ),
}


@pytest.fixture(name="seeded")
def _seeded(sandbox: Sandbox) -> Sandbox:
    sandbox.seed((CLOUD, BARE))
    return sandbox


def change(run: Run, kind: Kind, cloud: Cloud = CLOUD, **options: t.Any) -> str:
    """Let the kind's module change its document; the backup."""
    return str(run(kind.module, **kind.options(cloud), **options, backup=True)["backup_file"])


# --- one document ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", KINDS)
def test_a_document_is_restored(seeded: Sandbox, run_module: Run, name: str) -> None:
    """Predicted, done, and twice nothing left to do; then the rollback is rolled back."""
    kind = KINDS[name]
    wanted = kind.live(seeded, CLOUD)
    backup = change(run_module, kind)
    changed = kind.live(seeded, CLOUD)
    made = converge(seeded, run_module, MODULE, ["changed_since_backup"], files=[backup])
    assert kind.same(kind.live(seeded, CLOUD), wanted)
    assert not kind.same(wanted, changed)
    assert made["diff"]["before_header"] == f"{read(backup).backup.resource} (before)"
    own = run_module(MODULE, files=[change(run_module, kind)], backup=True, run_id="back")[
        "backup_file"
    ]
    check = run_module(MODULE, files=[own], check=True)
    assert (before(check), after(check)) == (after(made), before(made))
    # What the rollback took from a principal is given back, and said.
    is_said = any("gives access back to" in warning for warning in check["warnings"])
    assert is_said == (name != "compute config")
    run_module(MODULE, files=[own])
    assert kind.same(kind.live(seeded, CLOUD), changed)


@pytest.mark.parametrize("name", ["bucket policy", "compute config"])
def test_there_was_none(seeded: Sandbox, run_module: Run, name: str) -> None:
    """It is deleted, and created again when that is rolled back."""
    kind = KINDS[name]
    backup = change(run_module, kind, BARE)
    changed = kind.live(seeded, BARE)
    made = run_module(MODULE, files=[backup], backup=True)
    check_documented(MODULE, made)
    assert made["reasons"] == ["added_since_backup"]
    assert made["document"] is None
    assert after(made) is None
    assert kind.live(seeded, BARE) is None
    settled(seeded, run_module, MODULE, files=[backup])
    back = run_module(MODULE, files=[made["backup_file"]])
    assert back["reasons"] == ["removed_since_backup"]
    assert kind.same(kind.live(seeded, BARE), changed)


def test_the_instance_profile_is_never_deleted(seeded: Sandbox, run_module: Run) -> None:
    backup = change(run_module, KINDS["compute config"], BARE)
    seeded.clear_calls()
    run_module(MODULE, files=[backup])
    assert write_operations(seeded) == [ARCHIVE]
    profile = seeded.client("iam", ACCOUNT).get_instance_profile(
        InstanceProfileName=BARE.role_name
    )["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == [BARE.role_name]


def test_a_version_is_published_once_and_the_older_ones_stay(
    seeded: Sandbox, run_module: Run
) -> None:
    backup = change(run_module, KINDS["compute config"])
    assert run_module(MODULE, files=[backup])["compute_config"] == f"{CLOUD.compute_config_name}:3"
    first, second, third = _versions(seeded, CLOUD)
    assert same_config(first["config"], third["config"])
    assert not same_config(second["config"], third["config"])


def test_what_was_archived_comes_out_of_the_archive(seeded: Sandbox, run_module: Run) -> None:
    """No new version is needed for it."""
    backup = change(run_module, KINDS["compute config"], state="archived")
    converge(seeded, run_module, MODULE, ["removed_since_backup"], files=[backup])
    assert [template["archived_at"] for template in _versions(seeded, CLOUD)] == [None]


def test_an_archived_one_with_another_newest_version_is_published_anew(
    seeded: Sandbox, run_module: Run
) -> None:
    kind = KINDS["compute config"]
    wanted = kind.live(seeded, CLOUD)
    files = [change(run_module, kind), change(run_module, kind, state="archived")]
    seeded.clear_calls()
    assert run_module(MODULE, files=files)["compute_config"] == f"{CLOUD.compute_config_name}:3"
    assert write_operations(seeded) == [UNARCHIVE, CREATE]
    assert kind.same(kind.live(seeded, CLOUD), wanted)


@pytest.mark.parametrize("name", KINDS)
def test_several_tasks_of_a_run_are_restored_together(
    seeded: Sandbox, run_module: Run, name: str
) -> None:
    """In whatever order their backups are named."""
    kind = KINDS[name]
    wanted = kind.live(seeded, CLOUD)
    files = [change(run_module, kind), change(run_module, kind, state="absent")]
    if name == "bucket policy":
        files.append(change(run_module, kind, actions=["s3:GetObject"]))
    run_module(MODULE, files=list(reversed(files)))
    assert kind.same(kind.live(seeded, CLOUD), wanted)


@pytest.mark.parametrize("name", KINDS)
def test_what_another_writer_changed_since_is_refused_unless_forced(
    seeded: Sandbox, run_module: Run, name: str
) -> None:
    kind = KINDS[name]
    wanted = kind.live(seeded, CLOUD)
    backup = change(run_module, kind)
    kind.meddle(seeded, CLOUD)
    theirs = kind.live(seeded, CLOUD)
    refused(
        seeded,
        run_module,
        MODULE,
        "was changed by another writer after the run",
        "force",
        read(backup).backup.resource,
        files=[backup],
    )
    forced = run_module(MODULE, files=[backup], force=True, backup=True)
    assert any("force restores it all the same" in warning for warning in forced["warnings"])
    assert kind.same(kind.live(seeded, CLOUD), wanted)
    assert kind.same(read(forced["backup_file"]).backup.before, theirs)


def test_a_later_run_of_ours_is_named_and_rolled_back_with_the_earlier_one(
    seeded: Sandbox, run_module: Run
) -> None:
    kind = KINDS["bucket policy"]
    wanted = kind.live(seeded, CLOUD)
    first = change(run_module, kind, run_id="4711")
    later = change(run_module, kind, run_id="4712", actions=["s3:GetObjectTagging"])
    refused(
        seeded,
        run_module,
        MODULE,
        "was also changed by run 4712",
        f"add {later} to files",
        files=[first],
    )
    assert run_module(MODULE, files=[first, later])["changed"]
    assert kind.same(kind.live(seeded, CLOUD), wanted)


def test_a_later_run_has_to_be_rolled_back_first(seeded: Sandbox, run_module: Run) -> None:
    kind = KINDS["trust policy"]
    first, second = change(run_module, kind), change(run_module, kind, state="absent")
    put_trust(seeded, policy(LAMBDA, PARTNER), CLOUD.role_name)
    third = change(run_module, kind)
    refused(
        seeded, run_module, MODULE, "was changed by another writer after the run", files=[first]
    )
    refused(seeded, run_module, MODULE, "while the run wrote to it", files=[first, second, third])
    assert run_module(MODULE, files=[third])["changed"]


@pytest.mark.parametrize("name", KINDS)
def test_a_write_that_was_refused_leaves_no_backup(
    seeded: Sandbox, run_module: Run, name: str, tmp_path: pathlib.Path
) -> None:
    """A rollback would take it for a change of the run."""
    kind = KINDS[name]
    seeded.fault(kind.write, status=403, code="AccessDenied")
    failure(
        run_module(
            kind.module, **kind.options(CLOUD), backup=True, backup_dir=str(tmp_path / "kept")
        )
    )
    assert not list((tmp_path / "kept").iterdir())


def test_another_writer_changes_it_during_the_restore(
    seeded: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What they wrote is refused like anything that they wrote before, and is not lost."""
    backup = change(run_module, KINDS["trust policy"])
    real = TrustPolicyStore.write

    def overtaken(self: TrustPolicyStore, *arguments: t.Any) -> None:
        real(self, *arguments)
        put_trust(seeded, policy(LAMBDA, PARTNER), CLOUD.role_name)

    monkeypatch.setattr(TrustPolicyStore, "write", overtaken)
    assert (
        "was changed by another writer after the run"
        in failure(run_module(MODULE, files=[backup]))["msg"]
    )
    assert policies_equal(trust_of(seeded, CLOUD.role_name), policy(LAMBDA, PARTNER))


def test_a_version_that_does_not_show_is_not_published_twice(
    seeded: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = change(run_module, KINDS["compute config"])
    monkeypatch.setattr(restore, "_VISIBLE_SECONDS", 0.1)
    monkeypatch.setattr(restore, "same_config", lambda one, other: False)
    seeded.clear_calls()
    assert "still differs" in failure(run_module(MODULE, files=[backup], force=True))["msg"]
    assert write_operations(seeded) == [CREATE]


def test_a_deleted_principal_cannot_be_restored(seeded: Sandbox, run_module: Run) -> None:
    """AWS would refuse the policy; the error names the deleted principal before the write."""
    friend = make_role(seeded, "friend")
    trust = {"Effect": "Allow", "Principal": {"AWS": friend}, "Action": "sts:AssumeRole"}
    put_trust(seeded, policy(LAMBDA, trust), CLOUD.role_name)
    gone = delete_role(seeded, "friend")
    document = trust_of(seeded, CLOUD.role_name)
    assert gone in json.dumps(document)
    put_trust(seeded, policy(LAMBDA), CLOUD.role_name)
    backup = pathlib.Path(change(run_module, KINDS["trust policy"]))
    content = json.loads(backup.read_text())
    backup.write_text(json.dumps({**content, "before": document}))
    options = {"files": [str(backup)], "force": True}
    refused(seeded, run_module, MODULE, "changed after they were signed", **options)
    refused(seeded, run_module, MODULE, gone, accept_unsigned=True, **options)


@pytest.mark.parametrize("check", [True, False], ids=["check mode", "for real"])
def test_an_arn_of_a_deleted_principal_cannot_be_restored(
    seeded: Sandbox, run_module: Run, check: bool
) -> None:
    """In check mode too; once there is one of that name again, it can."""
    friend = make_role(seeded, "friend")
    trust = {"Effect": "Allow", "Principal": {"AWS": friend}, "Action": "sts:AssumeRole"}
    put_trust(seeded, policy(LAMBDA, trust), CLOUD.role_name)
    backup = change(run_module, KINDS["trust policy"])
    put_trust(seeded, policy(LAMBDA), CLOUD.role_name)
    delete_role(seeded, "friend")
    seeded.clear_calls()
    message = failure(run_module(MODULE, files=[backup], force=True, check=check))["msg"]
    assert friend in message
    assert "was deleted" in message
    assert seeded.writes() == []
    make_role(seeded, "friend")
    assert run_module(MODULE, files=[backup], force=True)["changed"]


def _without_the_role(sandbox: Sandbox, files: list[str]) -> Json:
    iam = sandbox.client("iam", ACCOUNT)
    iam.remove_role_from_instance_profile(
        InstanceProfileName=CLOUD.role_name, RoleName=CLOUD.role_name
    )
    delete_role(sandbox, CLOUD.role_name)
    return {"files": files[:1]}


def _from_another_account(sandbox: Sandbox, files: list[str]) -> Json:
    key = sandbox.credentials(OTHER_ACCOUNT)["aws_access_key_id"]
    return {"files": files[1:], "access_key": key, "secret_key": "sandbox"}


def _record_of_a_profile(_sandbox: Sandbox, files: list[str]) -> Json:
    arn = f"arn:aws:iam::{ACCOUNT}:instance-profile/{ROLE}"
    after = {"name": ROLE, "arn": arn, "role_arn": CLOUD.role_arn}
    record = Backup("instance_profile", {"instance_profile_arn": arn}, ACCOUNT, None, after)
    where = {"backup": True, "backup_dir": str(pathlib.Path(files[0]).parent)}
    return {"files": [write_backup(record, where)["backup_file"]]}


REFUSED: dict[str, tuple[t.Callable[[Sandbox, list[str]], Json], str]] = {
    "no files": (lambda sandbox, files: {"files": []}, "files is an empty list"),
    "a file that is not there": (
        lambda sandbox, files: {"files": ["/no/such/file.json"]},
        "/no/such/file.json",
    ),
    "backups of two documents": (lambda sandbox, files: {"files": files}, "different documents"),
    "another account than the backup's": (
        lambda sandbox, files: {"files": files[:1], "account_id": OTHER_ACCOUNT},
        OTHER_ACCOUNT,
    ),
    "a record of an instance profile": (_record_of_a_profile, "which is kept"),
    "a role that is gone": (_without_the_role, "does not exist"),
    "a caller of another account": (_from_another_account, "assume_role_arn"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_restored_is_explained(seeded: Sandbox, run_module: Run, case: str) -> None:
    files = [change(run_module, KINDS["trust policy"]), change(run_module, KINDS["bucket policy"])]
    arrange, words = REFUSED[case]
    refused(seeded, run_module, MODULE, words, **arrange(seeded, files))


def test_each_documented_reason_is_tested() -> None:
    assert documented_reasons(MODULE) == {
        "changed_since_backup",
        "added_since_backup",
        "removed_since_backup",
    }


# --- a run ----------------------------------------------------------------------------------------

CLOUDS = [cloud for cloud in FLEET if cloud.name in ("vision-prod", "search-prod", "search-lab")]
RUN = ("-e", "cloud_iam_run_id=onboarding")


def state(sandbox: Sandbox, cloud: Cloud) -> list[t.Any]:
    """The documents of a cloud."""
    return [kind.live(sandbox, cloud) for kind in KINDS.values()]


def same_state(one: list[t.Any], other: list[t.Any]) -> bool:
    return all(
        kind.same(*documents) for kind, *documents in zip(KINDS.values(), one, other, strict=True)
    )


def onboarded(sandbox: Sandbox, folder: pathlib.Path) -> tuple[pathlib.Path, list[list[t.Any]]]:
    """A fleet of two accounts' worth of documents, two clouds of which share a bucket, onboarded by
    the run ``onboarding``.
    """
    sandbox.reset()
    sandbox.seed(CLOUDS)
    inventory = inventory_file(folder, sandbox, CLOUDS)
    states = [state(sandbox, cloud) for cloud in CLOUDS]
    run = run_playbook(sandbox, "onboard", inventory, *RUN)
    assert run.exit_status == 0, run.output
    return inventory, states


class Look:
    """The documents of the fleet at one time: all policies of its accounts, and the compute configs."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._policies = all_policies(sandbox, {cloud.account_id for cloud in FLEET})
        self._configs = {cloud.name: _live_config(sandbox, cloud) for cloud in FLEET}

    def differing(self, other: Look) -> list[str]:
        """The documents that are not exactly the same; of compute configs, those that mean another one."""
        return [
            *(name for name, one in self._policies.items() if one != other._policies[name]),
            *(
                name
                for name, one in self._configs.items()
                if not _configs_same(one, other._configs[name])
            ),
        ]


def test_a_run_is_rolled_back_and_the_rollback_as_well(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """Of the whole fleet, in whatever state a cloud was found: no document keeps as much as another
    spelling.
    """
    running_sandbox.reset()
    running_sandbox.seed(FLEET)
    inventory = inventory_file(tmp_path, running_sandbox, FLEET)
    earlier = Look(running_sandbox)
    onboarding = run_playbook(running_sandbox, "onboard", inventory, *RUN)
    assert onboarding.exit_status == 0, onboarding.output
    onboarded_state = Look(running_sandbox)
    assert len(onboarded_state.differing(earlier)) > len(FLEET)
    options = ("-e", "rollback_run=onboarding")
    check = run_playbook(running_sandbox, "rollback", inventory, *options, "--check", "--diff")
    assert (check.exit_status, check.writes) == (0, [])
    assert '-      "Sid": "AnyscaleEC2Trust"' in check.output
    back = ("-e", "cloud_iam_run_id=back")
    first = run_playbook(running_sandbox, "rollback", inventory, *options, *back, confirm=True)
    assert first.exit_status == 0, first.output
    assert Look(running_sandbox).differing(earlier) == []
    changed = {cloud.name for cloud in FLEET if onboarding.changed(cloud.name)}
    [healing] = first.named("Let no run of heal undo this")
    assert changed.issubset(healing["forgotten"]), "also those that share a document"
    [kept] = [line for line in first.lines if line.startswith("Kept")]
    assert (
        f"instance profile search-dev-ray with role search-dev-ray in account {VISION_ACCOUNT}"
        in kept
    )
    assert (
        f"role search-lab-ray in instance profile search-lab-ray in account {VISION_ACCOUNT}"
        in kept
    )
    assert kept in " ".join(first.output.split())
    again = run_playbook(running_sandbox, "rollback", inventory, *options)
    assert (again.exit_status, again.writes) == (0, [])
    assert not any(again.changed(cloud.name) for cloud in FLEET)
    back = ("-e", "rollback_run=back")
    taken_back = run_playbook(running_sandbox, "rollback", inventory, *back)
    assert taken_back.exit_status == 0, taken_back.output
    assert Look(running_sandbox).differing(onboarded_state) == []


def test_without_a_run_the_runs_are_listed(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """And what a run says of its undo is what undoes it. A cloud of which one document is refused is
    not rolled back at all, and none is if none may fail: then nothing is said to be kept either.
    """
    inventory, _states = onboarded(running_sandbox, tmp_path)
    changed = [state(running_sandbox, cloud) for cloud in CLOUDS]
    put_trust(running_sandbox, policy(LAMBDA, PARTNER), CLOUDS[0].role_name)
    refused_one = state(running_sandbox, CLOUDS[0])
    back = ("-e", "rollback_run=onboarding", "-e", "cloud_iam_run_id=back")
    whole = run_playbook(
        running_sandbox,
        "rollback",
        inventory,
        *back,
        "--check",
        *("-e", "rollback_max_fail_percentage=0"),
    )
    assert not any(whole.changed(cloud.name) for cloud in CLOUDS), whole.output
    assert "Kept" not in whole.output
    part = run_playbook(running_sandbox, "rollback", inventory, *back)
    assert (part.exit_status, part.failed()) == (2, {CLOUDS[0].name}), part.output
    assert same_state(state(running_sandbox, CLOUDS[0]), refused_one)
    assert not same_state(changed[1], state(running_sandbox, CLOUDS[1]))
    undo = f"-i {inventory.name} rayfleet.anyscale.rollback -e rollback_run=back"
    assert undo in "\n".join(part.lines)
    listed = run_playbook(running_sandbox, "rollback", inventory)
    assert (listed.exit_status, listed.operations) == (0, {})
    [newest, first] = listed.lines[1:]
    assert "  back; rollback; 2 clouds: search-lab, search-prod; " in newest
    assert "  onboarding; onboard; 3 clouds: search-lab, search-prod, vision-prod; " in first
    assert first.endswith("4 of 7 documents restored by back")


def test_an_empty_run_is_no_list(running_sandbox: Sandbox, tmp_path: pathlib.Path) -> None:
    """It is the variable of a pipeline that was not set. The error says how to list, and so does that of
    a run without backups.
    """
    inventory = inventory_file(tmp_path, running_sandbox, [BARE])
    (tmp_path / "ansible" / "anyscale_backups").mkdir(parents=True)
    empty, unknown = (
        run_playbook(
            running_sandbox, "rollback", inventory, "-e", json.dumps({"rollback_run": run})
        )
        for run in (" , ", "4711")
    )
    assert (empty.exit_status, unknown.exit_status) == (2, 2)
    assert "rollback_run" in empty.output
    assert "contains no ID of a run" in empty.output
    assert "leave it out: then the runs are listed" in empty.output
    assert "of run 4711. " in unknown.output
    assert "Without rollback_run and rollback_paths, the playbook lists the runs." in unknown.output


def test_a_cloud_that_was_rolled_back_is_onboarded_again(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """The rollback has archived the compute config that the run had made. No version is new."""
    running_sandbox.reset()
    running_sandbox.seed([BARE])
    inventory = inventory_file(tmp_path, running_sandbox, [BARE])
    assert run_playbook(running_sandbox, "onboard", inventory, *RUN).exit_status == 0
    onboarded_state = state(running_sandbox, BARE)
    undone = run_playbook(running_sandbox, "rollback", inventory, "-e", "rollback_run=onboarding")
    assert undone.exit_status == 0, undone.output
    assert _live_config(running_sandbox, BARE) is None
    again = run_playbook(running_sandbox, "onboard", inventory)
    assert again.exit_status == 0, again.output
    assert same_state(state(running_sandbox, BARE), onboarded_state)
    assert [version["archived_at"] for version in _versions(running_sandbox, BARE)] == [None]


@pytest.mark.long
def test_one_cloud_is_rolled_back_alone(running_sandbox: Sandbox, tmp_path: pathlib.Path) -> None:
    inventory, states = onboarded(running_sandbox, tmp_path)
    changed = [state(running_sandbox, cloud) for cloud in CLOUDS]
    name = CLOUDS[0].name
    run = run_playbook(
        running_sandbox, "rollback", inventory, "-e", "rollback_run=onboarding", "--limit", name
    )
    assert {host for host in run.outcomes if run.changed(host)} == {name}
    (warning,) = run.result(name, "rollback_plan_info")["warnings"]
    assert warning.startswith("Not restored")
    assert f"trust policy of {CLOUDS[1].role_arn}" in warning
    assert f"trust policy of {CLOUDS[0].role_arn}" not in warning
    assert same_state(state(running_sandbox, CLOUDS[0]), states[0])
    for cloud, wanted in list(zip(CLOUDS, changed, strict=True))[1:]:
        assert same_state(state(running_sandbox, cloud), wanted), cloud.name


@pytest.mark.long
def test_the_documents_of_a_fleet_are_not_all_named(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """But for some of them, and how many there are; the result has them all."""
    running_sandbox.reset()
    running_sandbox.seed(FLEET[:8])
    inventory = inventory_file(tmp_path, running_sandbox, FLEET[:8])
    assert run_playbook(running_sandbox, "onboard", inventory, *RUN).exit_status == 0
    run = run_playbook(
        running_sandbox,
        "rollback",
        inventory,
        "-e",
        "rollback_run=onboarding",
        "--limit",
        FLEET[0].name,
        "--check",
    )
    plan = run.result(FLEET[0].name, "rollback_plan_info")
    (warning,) = plan["warnings"]
    assert len(plan["left_out"]) > 10
    assert warning.endswith(f" and {len(plan['left_out']) - 10} more.")
    assert [resource for resource in plan["left_out"] if resource in warning] == plan["left_out"][
        :10
    ]


@pytest.mark.long
def test_a_bucket_that_another_cloud_uses_is_not_taken_from_it(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """Unless by force, the one cloud's rollback ends before it."""
    inventory, states = onboarded(running_sandbox, tmp_path)
    one, other = (cloud for cloud in CLOUDS if cloud.bucket_name == "anyscale-search-shared")
    shared = bucket_policy_of(running_sandbox, one.bucket_name)
    options = ("-e", "rollback_run=onboarding", "--limit", one.name)
    run = run_playbook(running_sandbox, "rollback", inventory, *options)
    assert run.exit_status == 2
    assert "other clouds" in run.output
    assert other.cloud_id in run.output
    assert policies_equal(bucket_policy_of(running_sandbox, one.bucket_name), shared)
    run = run_playbook(
        running_sandbox, "rollback", inventory, *options, "-e", "rollback_force=true"
    )
    assert run.exit_status == 0, run.output
    assert other.cloud_id in run.output, run.output
    assert same_state(state(running_sandbox, one), states[CLOUDS.index(one)])


@pytest.mark.long
def test_what_a_cloud_found_in_sync_is_not_taken_from_it(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """Two clouds with one role and one bucket: the run wrote both policies for whichever came
    first.
    """
    twins = [
        Cloud(name, VISION_ACCOUNT, trust="lambda_only", bucket="anyscale-twins")
        for name in ("castor", "pollux")
    ]
    running_sandbox.reset()
    running_sandbox.seed(twins)
    inventory = inventory_file(tmp_path, running_sandbox, twins, cloud_iam_role=twins[0].role_arn)
    for twin in twins:
        done = run_playbook(
            running_sandbox,
            "onboard",
            inventory,
            "--limit",
            twin.name,
            "-e",
            f"cloud_iam_run_id={twin.name}",
        )
        assert done.exit_status == 0, done.output
    policies = [
        kind.live(running_sandbox, twins[0])
        for kind in (KINDS["trust policy"], KINDS["bucket policy"])
    ]
    for limit in ([], ["--limit", "castor"]):
        run = run_playbook(
            running_sandbox, "rollback", inventory, "-e", "rollback_run=castor", *limit
        )
        assert run.failed() == {"castor"}, run.output
        assert "is used by hosts that the run has not recorded (needed_by: pollux)" in run.output
        assert [
            kind.live(running_sandbox, twins[0])
            for kind in (KINDS["trust policy"], KINDS["bucket policy"])
        ] == policies
    for name in ("pollux", "castor"):
        done = run_playbook(running_sandbox, "rollback", inventory, "-e", f"rollback_run={name}")
    assert done.exit_status == 2, "pollux is in the inventory still, and names the role"
    done = run_playbook(
        running_sandbox,
        "rollback",
        inventory,
        "-e",
        "rollback_run=castor",
        "-e",
        "rollback_force=true",
    )
    assert done.exit_status == 0, done.output


@pytest.mark.core
def test_the_last_document_that_was_written_is_restored_first_and_drift_ends_it(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """The compute config is in use: then the role keeps its bucket and its trust, too."""
    inventory, _states = onboarded(running_sandbox, tmp_path)
    _publish(running_sandbox, CLOUDS[0])
    changed = state(running_sandbox, CLOUDS[0])
    options = ("-e", "rollback_run=onboarding")
    run = run_playbook(running_sandbox, "rollback", inventory, *options)
    assert run.failed() == {CLOUDS[0].name}
    assert run.exit_status == 2
    assert "was changed by another writer after the run" in run.output
    assert same_state(state(running_sandbox, CLOUDS[0]), changed)
    forced = run_playbook(
        running_sandbox, "rollback", inventory, *options, "-e", "rollback_force=true"
    )
    assert forced.exit_status == 0, forced.output


def test_a_backup_that_was_edited_is_restored_by_no_force(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """The error names the variable that accepts it."""
    inventory, _states = onboarded(running_sandbox, tmp_path)
    cloud = CLOUDS[0]
    changed = state(running_sandbox, cloud)
    (path,) = (
        path
        for path in tmp_path.rglob("*.onboarding.trust_policy.*.json")
        if read(str(path)).backup.target["role_arn"] == cloud.role_arn
    )
    content = json.loads(path.read_text())
    content["before"]["Statement"].append(PARTNER)
    path.write_text(json.dumps(content))
    options = ("--limit", cloud.name, "-e", "rollback_run=onboarding", "-e", "rollback_force=true")
    run = run_playbook(running_sandbox, "rollback", inventory, *options)
    assert run.failed() == {cloud.name}
    assert "set rollback_accept_unsigned to true" in run.output
    assert same_state(state(running_sandbox, cloud), changed)
    accepted = (*options, "-e", "rollback_accept_unsigned=true")
    run = run_playbook(running_sandbox, "rollback", inventory, *accepted)
    assert run.exit_status == 0, run.output
    trust = KINDS["trust policy"].live(running_sandbox, cloud)
    assert KINDS["trust policy"].same(trust, content["before"])


@pytest.mark.core
def test_two_runs_are_rolled_back_one_after_the_other(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """By one playbook that imports this one twice. The first rollback is refused for all clouds that
    it is for; the second one is made all the same, whatever ansible.cfg sets for all plays.
    """
    one, other = CLOUDS[0], CLOUDS[2]
    running_sandbox.reset()
    running_sandbox.seed(CLOUDS)
    inventory = inventory_file(tmp_path, running_sandbox, CLOUDS)
    before = state(running_sandbox, other)
    for cloud in (one, other):
        run = run_playbook(
            running_sandbox,
            "onboard",
            inventory,
            "--limit",
            cloud.name,
            "-e",
            f"cloud_iam_run_id={cloud.name}",
        )
        assert run.exit_status == 0, run.output
    _publish(running_sandbox, one)
    playbook = tmp_path / "both.yml"
    playbook.write_text(
        yaml.safe_dump(
            [
                {
                    "import_playbook": "rayfleet.anyscale.rollback",
                    "vars": {"rollback_run": cloud.name},
                }
                for cloud in (one, other)
            ]
        )
    )
    run = run_playbook(
        running_sandbox,
        str(playbook),
        inventory,
        variables=SETTINGS["pinned, and tasks may take a second"],
    )
    assert (run.exit_status, run.failed()) == (2, {one.name}), run.output
    assert same_state(state(running_sandbox, other), before)
    assert "no hosts matched" not in run.output


@pytest.mark.long
def test_several_runs_are_rolled_back_at_once(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """As the slices of a job are, which wrote to the policy of one bucket. One of them alone would take
    away what another one wrote after it. They may be named in any order.
    """
    one, other = CLOUDS[1:]
    assert one.bucket_name == other.bucket_name
    running_sandbox.reset()
    running_sandbox.seed(CLOUDS)
    inventory = inventory_file(tmp_path, running_sandbox, CLOUDS)
    before = [state(running_sandbox, cloud) for cloud in (one, other)]
    for number, cloud in enumerate((one, other), 1):
        options = ("--limit", cloud.name, "-e", f"cloud_iam_run_id={number}")
        assert run_playbook(running_sandbox, "onboard", inventory, *options).exit_status == 0
    alone = run_playbook(running_sandbox, "rollback", inventory, "-e", "rollback_run=1", "--check")
    assert one.name in alone.failed(), alone.output
    unknown = run_playbook(running_sandbox, "rollback", inventory, "-e", "rollback_run=1,3,2,4")
    assert f"There is no backup in {tmp_path}" in unknown.output
    assert "of runs 3, 4." in unknown.output
    options = ("-e", '{"rollback_run": "2, 1", "cloud_iam_run_id": "back"}')
    run = run_playbook(running_sandbox, "rollback", inventory, *options)
    assert run.exit_status == 0, run.output
    for cloud, earlier in zip((one, other), before, strict=True):
        assert same_state(state(running_sandbox, cloud), earlier), cloud.name
    listed = run_playbook(running_sandbox, "rollback", inventory).output
    assert listed.count("rolled back by back") == 2, listed


@pytest.mark.long
def test_files_and_folders_in_the_place_of_a_run(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    inventory, states = onboarded(running_sandbox, tmp_path)
    folder = tmp_path / "ansible/anyscale_backups"
    (trust,) = (
        str(path)
        for path in folder.glob("*.trust_policy.cld-*")
        if CLOUDS[0].role_arn in path.read_text()
    )
    run_playbook(
        running_sandbox, "rollback", inventory, "-e", json.dumps({"rollback_paths": [trust]})
    )
    assert policies_equal(trust_of(running_sandbox, CLOUDS[0].role_name), states[0][0])
    assert not same_state(state(running_sandbox, CLOUDS[0]), states[0])
    only = [*(path for path in folder.glob("*.onboarding.*"))]
    kept = tmp_path / "kept"
    kept.mkdir(mode=0o700)
    for path in only:
        path.rename(kept / path.name)
    run = run_playbook(
        running_sandbox, "rollback", inventory, "-e", json.dumps({"rollback_paths": [str(kept)]})
    )
    assert run.exit_status == 0, run.output
    for cloud, wanted in zip(CLOUDS, states, strict=True):
        assert same_state(state(running_sandbox, cloud), wanted), cloud.name


@pytest.mark.long
def test_another_cloud_of_the_account_restores_an_unassigned_document(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """The cloud was taken out of the inventory; where no cloud of the account is left, the plan
    says so.
    """
    inventory, states = onboarded(running_sandbox, tmp_path)
    hosts = inventory.read_text()
    inventory.write_text(
        hosts.replace(f"      {CLOUDS[0].name}:", "      renamed:").replace(
            CLOUDS[0].cloud_id, "cld_another"
        )
    )
    run = run_playbook(running_sandbox, "rollback", inventory, "-e", "rollback_run=onboarding")
    assert run.exit_status == 0, run.output
    assert same_state(state(running_sandbox, CLOUDS[0]), states[0])
    inventory.write_text(hosts.replace(ACCOUNT, OTHER_ACCOUNT))
    run = run_playbook(running_sandbox, "rollback", inventory, "-e", "rollback_run=onboarding")
    assert run.exit_status == 2
    assert "No cloud of the play is in the account of" in run.output


@pytest.mark.long
def test_a_cloud_of_which_the_run_has_nothing_is_no_success(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """The plan says so instead of a recap without a change."""
    running_sandbox.reset()
    running_sandbox.seed(CLOUDS[:2])
    run_playbook(
        running_sandbox, "onboard", inventory_file(tmp_path, running_sandbox, CLOUDS[:1]), *RUN
    )
    inventory = inventory_file(tmp_path, running_sandbox, CLOUDS[:2])
    run = run_playbook(
        running_sandbox,
        "rollback",
        inventory,
        "-e",
        "rollback_run=onboarding",
        "--limit",
        CLOUDS[1].name,
    )
    assert run.exit_status == 2
    assert run.writes == []
    assert "None of these documents belongs to a cloud of the play" in run.output
    assert f"trust policy of {CLOUDS[0].role_arn}" in run.output


@pytest.mark.long
def test_a_name_that_is_a_pattern_is_refused(
    running_sandbox: Sandbox, tmp_path: pathlib.Path
) -> None:
    """As the host of a play it would stand for others, or for none."""
    inventory, states = onboarded(running_sandbox, tmp_path)
    hosts = inventory.read_text()
    inventory.write_text(hosts.replace(f" {CLOUDS[0].name}:", " '!vision':"))
    run = run_playbook(running_sandbox, "rollback", inventory, "-e", "rollback_run=onboarding")
    assert run.exit_status == 2
    assert run.writes == []
    assert "Host '!vision' has a name that Ansible reads as a pattern" in run.output
    inventory.write_text(
        hosts.replace(f" {CLOUDS[0].name}:", " '*':").replace(f" {CLOUDS[1].name}:", " '~.*':")
    )
    run = run_playbook(
        running_sandbox, "rollback", inventory, "-e", "rollback_run=onboarding", "--limit", "~\\*"
    )
    assert run.exit_status == 0, run.output
    assert same_state(state(running_sandbox, CLOUDS[0]), states[0])


MISTAKES = {
    "an unknown run": (["-e", "rollback_run=unknown"], "There is no backup"),
    "a run's id that is a path": (["-e", "rollback_run=../x"], "run_id"),
    "a folder that is not absolute": (
        ["-e", "rollback_run=onboarding", "-e", "cloud_iam_backup_dir=backups"],
        "backup_dir 'backups' is not an absolute path",
    ),
    "a run and files": (
        ["-e", '{"rollback_run": "x", "rollback_paths": ["/etc/hostname"]}'],
        "parameters are mutually exclusive: run_ids|paths",
    ),
    "a file that is no backup": (["-e", '{"rollback_paths": ["/etc/hostname"]}'], "/etc/hostname"),
}


@pytest.mark.parametrize("case", few_of(MISTAKES, "an unknown run"))
def test_a_mistake_is_explained(
    running_sandbox: Sandbox, tmp_path: pathlib.Path, case: str
) -> None:
    arguments, words = MISTAKES[case]
    running_sandbox.reset()
    (tmp_path / "ansible/anyscale_backups").mkdir(parents=True)
    run = run_playbook(
        running_sandbox, "rollback", inventory_file(tmp_path, running_sandbox, CLOUDS), *arguments
    )
    assert run.exit_status == 2
    assert words in " ".join(run.output.split())
    assert run.writes == []


@pytest.mark.parametrize(
    "limit", few_of([[], ["--limit", CLOUDS[0].name]], []), ids=["all", "limited"]
)
def test_a_pattern_that_matches_no_cloud_is_an_error(
    running_sandbox: Sandbox, tmp_path: pathlib.Path, limit: list[str]
) -> None:
    """A mistyped name must not look like a run that is rolled back."""
    running_sandbox.reset()
    inventory = inventory_file(tmp_path, running_sandbox, CLOUDS)
    run = run_playbook(
        running_sandbox,
        "rollback",
        inventory,
        "-e",
        "rollback_run=x",
        "-e",
        "rollback_hosts=visoin",
        *limit,
    )
    assert run.exit_status == 4
    assert run.operations == {}
    assert "No host in the inventory matches visoin. Check the inventory" in run.output
    assert "rollback_hosts" in run.output


@pytest.mark.long
def test_tags_are_refused(running_sandbox: Sandbox, tmp_path: pathlib.Path) -> None:
    """No tag of onboard leaves a part of a run as it is."""
    running_sandbox.reset()
    inventory = inventory_file(tmp_path, running_sandbox, CLOUDS)
    for tags in (["--tags", "trust"], ["--skip-tags", "trust"]):
        run = run_playbook(running_sandbox, "rollback", inventory, "-e", "rollback_run=x", *tags)
        assert (run.exit_status, run.operations) == (2, {})
        assert "is not a tag of the playbook rollback" in run.output
