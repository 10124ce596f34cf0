# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as AWX runs them: by ansible-runner, with credentials injected, a limit, and each event
stored.
"""

from __future__ import annotations

import json
import sys
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import (
    FLEET,
    Cloud,
    Sandbox,
    _anyscale,
    inventory,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import OWNER
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    INSTANCE,
    ROLE,
    ROLE_ARN,
    session,
)
from ansible_collections.rayfleet.anyscale.tests.support.awx_runs import (
    Job,
    run_job,
    size_of,
    summary_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.cloudtrail_records import bridged, record
from ansible_collections.rayfleet.anyscale.tests.support.job_templates import launched
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of
from ansible_collections.rayfleet.anyscale.tests.support.secret_scan import canary, leaks

LIMITED = {"vision-dev", "vision-prod", "search-lab"}
MOST_BYTES = 10_000
# Events of a run, at -vvvv, however many clouds it is for.
OF_THE_RUN = 90
# ansible-runner's own file: how it started Ansible, with the whole environment.
OF_RUNNER = "command"

Json = dict[str, t.Any]


class Case(t.NamedTuple):
    """A job: its playbook, whether the AWS keys are in a file, its command line, and the clouds
    that it is for.
    """

    playbook: str
    in_file: bool
    options: tuple[str, ...]
    clouds: set[str]

    @property
    def reported(self) -> set[str]:
        """The clouds that have events of their own: those that changed."""
        return self.clouds - {IN_SYNC} if self.playbook == "onboard" else set()


EVERYWHERE = {cloud.name for cloud in FLEET}
IN_SYNC = "genomics-prod"
REPORT = "Report the outcome of the cloud"
LIMITED_LOUD = ("--limit", ",".join(sorted(LIMITED)), "-vvvv")
CASES = {
    f"{playbook}, {how}": Case(playbook, *case)
    for playbook in ("audit", "onboard")
    for how, case in {
        "keys in the environment": (False, (), EVERYWHERE),
        "keys in a file, limited, -vvvv": (True, LIMITED_LOUD, LIMITED),
    }.items()
}


class Ran(t.NamedTuple):
    """A job that has run for a case, and the secrets that it was given."""

    case: Case
    job: Job
    secrets: dict[str, str]


@pytest.fixture(
    scope="module",
    name="ran",
    params=few_of(
        CASES, "onboard, keys in the environment", "audit, keys in a file, limited, -vvvv"
    ),
)
def _ran(
    request: pytest.FixtureRequest,
    running_sandbox: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Ran:
    case = CASES[request.param]
    folder = tmp_path_factory.mktemp(case.playbook)
    secrets = {"token": canary(), "secret_key": canary()}
    running_sandbox.reset()
    running_sandbox.seed(FLEET)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(_anyscale._USERS, secrets["token"], OWNER)
        environment = {**running_sandbox.child_variables(), "ANYSCALE_CLI_TOKEN": secrets["token"]}
        environment |= _keys(case, environment["AWS_ACCESS_KEY_ID"], secrets["secret_key"], folder)
        variables = {
            "audit_report_dir": str(folder / "report"),
            "cloud_iam_backup_dir": str(folder / "backups"),
        }
        playbook = f"playbooks/{case.playbook}.yml"
        job = run_job(
            folder,
            inventory(running_sandbox, FLEET),
            playbook,
            *case.options,
            variables=variables,
            environment=environment,
        )
    return Ran(case, job, secrets)


def _keys(case: Case, access_key: str, secret_key: str, folder: Path) -> dict[str, str]:
    """The secret key, as AWX's own credential of AWS gives it, or as a credential type gives it
    that writes a file.
    """
    if not case.in_file:
        return {"AWS_SECRET_ACCESS_KEY": secret_key}
    path = folder / "aws_credentials"
    path.write_text(
        f"[default]\naws_access_key_id={access_key}\naws_secret_access_key={secret_key}\n"
    )
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(path),
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
    }


def test_the_job_succeeds(ran: Ran) -> None:
    """In the eyes of AWX, too, which takes no exit status for it but what ansible-runner says."""
    assert ran.job.exit_status == 0, ran.job.output
    assert (ran.job.folder / "status").read_text() == "successful"


def test_the_job_is_for_the_clouds_of_its_limit(ran: Ran) -> None:
    """Each that changed has its outcome, and no other has."""
    assert {host for host, _name, _result in ran.job.results} <= ran.case.clouds
    reported = {
        host for host, name, result in ran.job.results if name == REPORT and result["changed"]
    }
    assert reported == ran.case.reported


def test_no_result_is_large(ran: Ran) -> None:
    """AWX stores each in its database, at any verbosity. The documents that an audit found wrong
    are as long as their owners made them.
    """
    sizes = {
        (host, task): len(json.dumps(_without_documents(result)))
        for host, task, result in ran.job.results
    }
    assert {of: size for of, size in sizes.items() if size > MOST_BYTES} == {}


def _without_documents(result: Json) -> Json:
    checks = [
        {**check, "evidence": _but_for(check["evidence"], "before", "after")}
        for check in result.get("checks", [])
    ]
    return {**result, "checks": checks} if checks else result


def _but_for(evidence: Json, *names: str) -> Json:
    return {name: value for name, value in evidence.items() if name not in names}


def test_a_cloud_costs_few_events(ran: Ran) -> None:
    """One when its task begins and one when it ends: AWX stores them one by one."""
    clouds = ran.case.reported
    data = [event.get("event_data", {}) for event in ran.job.events]
    about_each = [one for one in data if one.get("host") in clouds and one["task"] == REPORT]
    assert len(about_each) == 2 * len(clouds)
    # With one more for each, as it is grouped for the report.
    assert len(data) < 3 * len(clouds) + OF_THE_RUN


def test_no_secret_is_in_what_awx_stores(ran: Ran) -> None:
    """The events, what was printed, and the caches; but ansible-runner itself writes the job's
    whole environment to a file.
    """
    stored = [path for path in sorted(ran.job.folder.iterdir()) if path.name != OF_RUNNER]
    assert {"job_events", "stdout"} <= {path.name for path in stored}
    assert [leak for path in stored for leak in leaks(path, ran.secrets)] == []


def test_ansible_runner_keeps_the_environment(ran: Ran) -> None:
    """Which is why the documentation says to keep the private data directory from others, and to
    delete it after the job.
    """
    assert leaks(ran.job.folder / OF_RUNNER, {"token": ran.secrets["token"]}) != []


def test_the_counts_arrive(ran: Ran) -> None:
    """As artifacts, for the next job of a workflow, and the report where the job writes it."""
    if ran.case.playbook == "audit":
        (published,) = [
            value for name, value in ran.job.published.items() if name.startswith("anyscale_audit")
        ]
        assert sum(published["counts"]["clouds"].values()) == len(ran.case.clouds)
        assert Path(published["paths"]["json"]).is_file()


def test_a_person_sees_how_it_ended_and_how_to_go_on(ran: Ran) -> None:
    """Where an operator of AWX looks, whatever the project's ansible.cfg hides, and once."""
    folder = ran.job.folder.parents[2]
    changed = len(ran.case.reported)
    lines = {
        "audit": [f"Report: {folder}/report/report.html"],
        "onboard": [
            f"{changed} changed, {len(ran.case.clouds) - changed} in sync, 0 failed",
            f"Backups of the replaced documents are in {folder}/backups. "
            "To undo this run: launch the job template Anyscale rollback with 1 for Run",
        ],
    }[ran.case.playbook]
    assert [line for line in lines if line not in summary_of(ran.job)] == []
    if "-vvvv" not in ran.case.options:
        assert {line: ran.job.seen.count(line) for line in lines} == dict.fromkeys(lines, 1)
        assert "ansible-playbook" not in ran.job.seen


@pytest.mark.parametrize("playbook", ["onboard", pytest.param("audit", marks=pytest.mark.long)])
def test_why_a_cloud_failed_is_told_once(
    running_sandbox: Sandbox, tmp_path: Path, playbook: str
) -> None:
    """When it fails. The end of the job names the cloud, and the event of its host has the first
    sentence and says where to look: Ansible itself displays the message of a failed task twice.
    """
    running_sandbox.reset()
    running_sandbox.seed(FLEET)
    hosts = inventory(running_sandbox, FLEET)
    [group] = hosts["all"]["children"].values()
    group["hosts"]["vision-dev"]["cloud_iam_account_id"] = "999999999999"
    job = run_job(
        tmp_path,
        hosts,
        f"playbooks/{playbook}.yml",
        variables={
            "fleet_clouds": "vision-*",
            "audit_report_dir": str(tmp_path / "report"),
            "cloud_iam_backup_dir": str(tmp_path / "backups"),
        },
        environment=running_sandbox.child_variables(),
    )
    assert job.exit_status == 2
    reason = (
        "which is in account 222222222222, but cloud_iam_account_id is 999999999999. Set "
        "cloud_iam_assume_role_arn"
    )
    whole = " ".join(job.seen.split())
    assert whole.count(reason) == 1, job.seen
    stage = {"onboard": "Plan", "audit": "Audit"}[playbook]
    assert f"failed: vision-dev (account 999999999999), {stage}: " in whole
    [message] = [
        found["msg"] for host, task, found in job.results if (host, task) == ("vision-dev", REPORT)
    ]
    assert message.startswith("cloud_iam_assume_role_arn is arn:aws:iam::222222222222:role/")
    assert len(message) < 200
    assert message.endswith(" The rest is above, where vision-dev failed first.")
    told = {"onboard": "Failed: vision-dev", "audit": "1 could not be audited"}[playbook]
    assert told in "\n".join(summary_of(job))


def test_a_verification_names_the_node_and_its_role(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """And ends with how many nodes were verified."""
    running_sandbox.reset()
    nodes: Json = {"all": {"children": {"anyscale_clusters": {"hosts": {"head": {}}}}}}
    nodes["all"]["children"]["anyscale_clusters"]["vars"] = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
    }
    job = run_job(
        tmp_path,
        nodes,
        "playbooks/verify.yml",
        variables={"verify_expected_role": ROLE},
        environment={**running_sandbox.child_variables(), **session(running_sandbox)},
    )
    assert job.exit_status == 0, job.seen
    assert f"{INSTANCE} runs with {ROLE_ARN}" in job.seen
    assert "1 verified, 0 failed" in job.seen.partition("TASK [Summarize the run]")[2]


def test_a_job_that_heals_ends_as_an_onboarding_does(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """With the events as the rulebook launches it, and with as few of its own as in a slice. A launch
    that sets anything else writes nothing.
    """
    running_sandbox.reset()
    clouds = [
        Cloud(name, ACCOUNT, role=f"{name}-ray", trust="lambda_only")
        for name in ("speech", "search", "vision")
    ]
    running_sandbox.seed(clouds)
    events = [
        record("UpdateAssumeRolePolicy", ACCOUNT, requestParameters={"roleName": cloud.role_name})
        for cloud in clouds
    ]
    hosts = inventory(running_sandbox, clouds)
    [group] = hosts["all"]["children"].values()
    group["vars"] |= {"heal_quiet_seconds": 0, "heal_only_onboarded": False}
    environment = {**running_sandbox.child_variables(), "RAYFLEET_BACKUP_KEY": canary()}

    def launch(job_id: int, **more: t.Any) -> Job:
        folder = tmp_path / str(job_id)
        folder.mkdir()
        variables = {
            "ansible_eda": {"events": [bridged(event) for event in events]},
            **launched("heal", tmp_path),
        }
        given = {"environment": environment, "job_id": job_id}
        path = "playbooks/heal.yml"
        return run_job(folder, hosts, path, variables={**variables, **more}, **given)

    refused = launch(30, cloud_iam_role="arn:aws:iam::222222222222:role/another-ray")
    assert refused.exit_status == 2
    assert "cloud_iam_role is an extra variable of this job, but" in refused.seen
    assert running_sandbox.calls() == []
    job = launch(31)
    assert job.exit_status == 0, job.seen
    assert "changed: speech (account" in job.seen
    assert summary_of(job)[0].startswith("3 changed, "), job.seen
    assert summary_of(job)[-1].endswith("launch the job template Anyscale rollback with 31 for Run")
    assert job.published["anyscale_heal_31"]["step"] == "heal"
    assert size_of(job) <= MOST_BYTES * len(clouds)


def test_a_workflow_ends_with_its_steps_and_how_to_undo_them(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """And then with what failed in them."""
    counts = {"selected": 2, "changed": 1, "failed": 1}
    onboarded = {"step": "onboard", "counts": counts, "failed_clouds": ["vision-dev"]}
    audited = {"step": "audit before", "counts": {"clouds": {"fail": 2, "pass": 0}, "drifted": 2}}
    artifacts: Json = {
        "anyscale_audit_12": {**audited, "failed_clouds": [], "paths": {"html": "/r/report.html"}},
        "anyscale_onboard_13": {**onboarded, "runs": ["13"]},
        "awx_report_required_steps": ["onboard", "audit after"],
        "awx_report_slices": 2,
    }
    job = run_job(
        tmp_path,
        inventory(running_sandbox, FLEET),
        "playbooks/report.yml",
        variables=artifacts,
        environment=running_sandbox.child_variables(),
    )
    assert job.exit_status != 0
    wanted = """\
audit before (1 job): 2 with failed checks; 2 drifted
  Report: /r/report.html
onboard (1 of 2 jobs): 2 selected, 1 changed, 1 failed
  Failed: vision-dev
To undo what was changed: launch the job template Anyscale rollback with 13 for Run
"""
    assert wanted in job.seen
    assert "1 cloud failed in step onboard. No job of step audit after" in job.seen
    assert "1 of 2 jobs of step onboard published nothing" in job.seen
    assert set(job.published["anyscale_totals"]) == {"audit before", "onboard"}


@pytest.mark.parametrize(
    ("workflow", "succeeds"),
    [
        pytest.param("Anyscale onboard", True, id="a slice"),
        pytest.param("Anyscale rollout", False, id="a step of a workflow", marks=pytest.mark.long),
    ],
)
def test_only_a_slice_may_have_no_selected_cloud(
    running_sandbox: Sandbox, tmp_path: Path, workflow: str, succeeds: bool
) -> None:
    """AWX runs the slices of a job in a workflow of the job template's name, however many were asked
    for at the launch. A misspelt filter ends green then, but not silently.
    """
    job = run_job(
        tmp_path,
        inventory(running_sandbox, FLEET),
        "playbooks/onboard.yml",
        variables={
            **launched("onboard", tmp_path, fleet_clouds="visoin-*"),
            "awx_workflow_job_name": workflow,
        },
        environment=running_sandbox.child_variables(),
    )
    assert (job.exit_status == 0) == succeeds, job.seen
    assert "None of the 12 clouds is selected by clouds visoin-*." in job.seen


Launch = t.Callable[..., Job]


@pytest.fixture(name="launch")
def _launch(running_sandbox: Sandbox, tmp_path: Path) -> Launch:
    """Launch a job template of the role awx_setup, with answers to its survey."""
    running_sandbox.reset()
    running_sandbox.seed(FLEET)
    hosts = inventory(running_sandbox, FLEET)
    [group] = hosts["all"]["children"].values()
    group["vars"] |= {"cloud_iam_manage_trust": False}
    environment = {**running_sandbox.child_variables(), "RAYFLEET_BACKUP_KEY": canary()}

    def job(playbook: str, job_id: int, **answers: t.Any) -> Job:
        folder = tmp_path / str(job_id)
        folder.mkdir()
        return run_job(
            folder,
            hosts,
            f"playbooks/{playbook}.yml",
            variables=launched(playbook, tmp_path, **answers),
            environment=environment,
            job_id=job_id,
        )

    return job


OFFBOARDING = {"fleet_mode": "apply", "fleet_clouds": IN_SYNC, "offboard_default_role": "yes"}
UNDO = "launch the job template Anyscale rollback with {} for Run"


def test_each_way_back_names_the_next(launch: Launch) -> None:
    """In an offboarding and its rollback, too: with the job, and the answers that it needs."""
    offboarded = launch("offboard", 21, **OFFBOARDING)
    assert summary_of(offboarded)[0] == "1 changed, 0 in sync, 0 failed", offboarded.seen
    assert summary_of(offboarded)[-1].endswith(UNDO.format(21))
    restored = launch("rollback", 22, fleet_mode="apply", rollback_run="21")
    assert summary_of(restored)[-1].endswith(UNDO.format(22)), restored.seen


@pytest.mark.long
def test_a_rollback_without_a_run_lists_those_to_choose_from(launch: Launch) -> None:
    launch("offboard", 21, **OFFBOARDING)
    listed = launch("rollback", 23)
    choose = "Launch the job template Anyscale rollback with one of these runs for Run, of "
    assert choose in listed.seen
