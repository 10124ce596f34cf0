# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit, as ansible-playbook runs it: what is in the report, who may read it, and for which
clouds the audit fails.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest
import yaml

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.findings import (
    fingerprint,
    identity,
)
from ansible_collections.rayfleet.anyscale.tests.integration.playbooks.test_run_settings import (
    SETTINGS,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET as SEEDED, Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import ONBOARDING_ROLE
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    policy,
    put_bucket_policy,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    BIN,
    Run,
    inventory_file,
    plugin_inventory,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._report.audit_results import (
    check,
    result,
)

Json = dict[str, t.Any]

IN_SYNC = result("vision-prod", check("trust_ec2"), check("bucket_access"))
DRIFTED = result("search-dev", check("trust_ec2", "fail"), check("bucket_access", "warn"))
UNKNOWN_TRUST = result("speech-lab", check("trust_ec2", "unknown"), check("bucket_access"))
BROKEN = {"failed": True, "msg": "Role search-lab-ray does not exist."}
FLEET = {
    "vision-prod": IN_SYNC,
    "search-dev": DRIFTED,
    "speech-lab": UNKNOWN_TRUST,
    "search-lab": BROKEN,
    "search-new": None,
}

RESULTS: Json = {
    "ansible.builtin.set_fact": {
        "cloud_iam_info_result": (
            "{{ lookup('ansible.builtin.file', inventory_hostname ~ '.json') | from_json }}"
        )
    },
    "when": "(playbook_dir ~ '/' ~ inventory_hostname ~ '.json') is exists",
}
# Tasks that report on the fleet in one run, each in a folder of its name.
ON_FLEET: dict[str, Json] = {
    "by default": {},
    "first": {"previous_report": "first/out/report.json"},
    **{f"fail_on {value}": {"fail_on": value} for value in ("never", "error", "drift")},
    **{
        name: {"previous_report": f"{name}/previous.json"}
        for name in ("no JSON", "no report", "of another version")
    },
}
PREVIOUS = {"no JSON": "{", "no report": "[]", "of another version": '{"schema_version": 2}'}


class Audited(t.NamedTuple):
    """What the task returned, what the run printed, and the folder that it ran in."""

    returned: Json
    output: str
    folder: Path

    @property
    def report(self) -> Json:
        """The report as JSON."""
        return json.loads((self.folder / "out/report.json").read_text())


Audit = t.Callable[..., Audited]


@pytest.fixture
def audit(tmp_path: Path) -> Audit:
    """Let the action write its report on these results, started in the test's folder. ``options``
    are the task's.
    """

    def run(results: t.Mapping[str, Json | None], **options: t.Any) -> Audited:
        return _run_tasks(tmp_path, results, {".": {"report_dir": "out", **options}})["."]

    return run


@pytest.fixture(scope="module")
def audits(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Audited]:
    """Reports on the fleet by tasks with various options, in one run."""
    folder = tmp_path_factory.mktemp("audits")
    for name in ON_FLEET:
        (folder / name).mkdir()
    for name, text in PREVIOUS.items():
        (folder / name / "previous.json").write_text(text)
    tasks = {name: {"report_dir": f"{name}/out", **options} for name, options in ON_FLEET.items()}
    return _run_tasks(folder, FLEET, tasks)


def _run_tasks(
    folder: Path, results: t.Mapping[str, Json | None], tasks: t.Mapping[str, Json]
) -> dict[str, Audited]:
    """Run a task for each folder, with these options, on these results."""
    for name, found in results.items():
        if found is not None:
            (folder / f"{name}.json").write_text(json.dumps(found))
    play = {
        **{"hosts": "all", "connection": "local", "gather_facts": False},
        "vars": {"ansible_python_interpreter": "{{ ansible_playbook_python }}"},
        "tasks": [RESULTS, *_reports(tasks.values())],
    }
    (folder / "play.yml").write_text(yaml.safe_dump([play], sort_keys=False))
    (folder / "hosts.yml").write_text(
        yaml.safe_dump({"all": {"hosts": dict.fromkeys(results)}}, sort_keys=False)
    )
    done = subprocess.run(
        [str(BIN / "ansible-playbook"), "-i", "hosts.yml", "play.yml"],
        cwd=folder,
        env=_environment(folder),
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout + done.stderr
    assert done.returncode == 0, output
    returned = json.loads((folder / "returned.json").read_text())
    return {
        name: Audited(one, output, folder / name) for name, one in zip(tasks, returned, strict=True)
    }


def _reports(tasks: t.Iterable[Json]) -> t.Iterator[Json]:
    """The tasks with these options, and one that writes what each of them returned."""
    registered = []
    for options in tasks:
        registered.append(f"audit_{len(registered)}")
        task = {"rayfleet.anyscale.audit_report": options, "register": registered[-1]}
        yield {**task, "run_once": True, "ignore_errors": True}
    content = f"{{{{ [{', '.join(registered)}] | to_json }}}}"
    dest = "{{ playbook_dir }}/returned.json"
    copy = {"content": content, "dest": dest, "mode": "0600"}
    yield {"ansible.builtin.copy": copy, "run_once": True}


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "ANSIBLE_HOME": str(folder / "ansible"),
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "400",
    }


@pytest.mark.core
def test_every_host_of_the_play_is_in_the_report(audits: dict[str, Audited]) -> None:
    """Also the one whose task failed, and the one that has no result."""
    clouds = {cloud["name"]: cloud for cloud in audits["by default"].report["clouds"]}
    assert {name: cloud["state"] for name, cloud in clouds.items()} == {
        "vision-prod": "pass",
        "search-dev": "fail",
        "speech-lab": "unknown",
        "search-lab": "error",
        "search-new": "error",
    }
    assert clouds["search-lab"]["error"] == BROKEN["msg"]
    assert clouds["vision-prod"]["cloud"] == IN_SYNC["cloud"]


def test_the_umask_says_who_reads_the_files(audits: dict[str, Audited]) -> None:
    """All three, and the folder, where Ansible was started. Nothing else is left there."""
    audited = audits["by default"]
    folder, ordinary = audited.folder / "out", audited.folder / "ordinary"
    ordinary.mkdir()
    (ordinary / "file").touch()
    assert audited.returned["paths"] == {
        kind: str(folder / f"report.{kind}") for kind in ("json", "csv", "html")
    }
    mode = (ordinary / "file").stat().st_mode
    assert {path.name: path.stat().st_mode for path in folder.iterdir()} == {
        "report.json": mode,
        "report.csv": mode,
        "report.html": mode,
    }
    assert folder.stat().st_mode == ordinary.stat().st_mode


def test_all_formats_contain_the_same(audits: dict[str, Audited]) -> None:
    """From one pass."""
    folder = audits["by default"].folder / "out"
    with open(folder / "report.csv", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=";"))
    assert [(row["CLOUD_NAME"], row["CHECK_ID"], row["STATUS"]) for row in rows] == [
        ("vision-prod", "trust_ec2", "PASS"),
        ("vision-prod", "bucket_access", "PASS"),
        ("search-dev", "trust_ec2", "FAIL"),
        ("search-dev", "bucket_access", "WARN"),
        ("speech-lab", "trust_ec2", "UNKNOWN"),
        ("speech-lab", "bucket_access", "PASS"),
        ("search-lab", "audit", "ERROR"),
        ("search-new", "audit", "ERROR"),
    ]
    assert BROKEN["msg"] in (folder / "report.html").read_text()


def test_findings_are_written_for_other_tools(audit: Audit, tmp_path: Path) -> None:
    """Only in the formats that are asked for. Of an earlier audit, no batch for Security Hub is left
    that would be imported again.
    """
    hub = tmp_path / "out/report.asff"
    hub.mkdir(parents=True)
    for name in ("222222222222.us-west-2.0002.json", "notes.txt"):
        (hub / name).touch()
    audited = audit(FLEET, formats="sarif,ocsf,junit,asff")
    names = {"sarif": "sarif", "ocsf": "ocsf.ndjson", "junit": "junit.xml", "asff": "asff"}
    paths = {kind: str(tmp_path / f"out/report.{name}") for kind, name in names.items()}
    assert audited.returned["paths"] == paths
    assert {str(path) for path in (tmp_path / "out").iterdir()} == {*paths.values()}
    assert {path.name for path in hub.iterdir()} == {
        "222222222222.us-west-2.0001.json",
        "notes.txt",
    }
    assert "Not in the findings for Security Hub" in " ".join(audited.output.split())
    [run] = json.loads(Path(paths["sarif"]).read_text())["runs"]
    uid = identity("search-dev", None, None)
    assert run["results"][0]["fingerprints"] == {
        "rayfleetAnyscale/v1": fingerprint({"uid": uid}, "trust_ec2")
    }


@pytest.mark.parametrize(
    ("fail_on", "failed"),
    [
        ("never", []),
        ("error", ["search-lab", "search-new"]),
        ("drift", ["search-dev", "search-lab", "search-new"]),
    ],
)
def test_the_task_fails_for_the_clouds_of_fail_on(
    audits: dict[str, Audited], fail_on: str, failed: list[str]
) -> None:
    """Once the report is written."""
    audited = audits[f"fail_on {fail_on}"]
    assert audited.returned["failed_clouds"] == failed
    assert audited.returned["failed"] == bool(failed)
    assert audited.returned["changed"] is False
    assert len(audited.report["clouds"]) == len(FLEET)
    if failed:
        assert ", ".join(failed) in audited.returned["msg"]


def test_the_task_fails_for_too_few_clouds(audit: Audit) -> None:
    """Also where it fails for no cloud, and with the reason beside that for clouds."""
    audited = audit({"vision-prod": IN_SYNC, "search-lab": BROKEN}, min_clouds=2)
    why = "Audited 1 cloud, fewer than audit_min_clouds (2): 1 could not be audited."
    assert audited.returned["too_few_clouds"] == why
    assert audited.returned["msg"] == (
        f"1 of 2 clouds could not be audited: search-lab. The report contains the reasons. {why}"
    )
    assert len(audited.report["clouds"]) == 2


def test_drift_that_cannot_be_determined_is_warned_about(audit: Audit) -> None:
    """It does not fail the audit, but it must not look in sync either."""
    assert "checks with the status unknown" in " ".join(
        audit({"speech-lab": UNKNOWN_TRUST}, fail_on="drift").output.split()
    )


def test_an_audit_compares_with_the_report_that_it_replaces(
    audit: Audit, audits: dict[str, Audited], tmp_path: Path
) -> None:
    """Each time with the same options: the first time there is nothing to compare with, which is
    warned about.
    """
    first = audits["first"]
    assert first.report["previous"] is None
    assert "first/out/report.json' does not exist" in " ".join(first.output.split())
    shutil.copytree(first.folder / "out", tmp_path / "out")
    fixed = result("search-dev", check("trust_ec2"), check("bucket_access", "fail"))
    second = audit({**FLEET, "search-dev": fixed}, previous_report="out/report.json")
    assert second.report["previous"] == {"generated_at": first.report["generated_at"]}
    assert second.returned["counts"]["changes"] == {
        "new": 0,
        "persisting": 1,
        "fixed": 1,
        "gone": 0,
    }


def test_clouds_that_only_the_earlier_report_has_are_warned_about(
    audit: Audit, audits: dict[str, Audited]
) -> None:
    """As where a limit leaves them out, and the next audit would call their old findings new."""
    previous = audits["by default"].folder / "out/report.json"
    limited = audit({"vision-prod": IN_SYNC}, previous_report=str(previous))
    assert "4 clouds of the previous report are missing in this report: search-dev" in " ".join(
        limited.output.split()
    )


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("no JSON", "not JSON"),
        ("no report", "it is not a report"),
        ("of another version", "its schema_version is 2, not 1"),
    ],
)
def test_what_is_no_earlier_report_is_refused(
    audits: dict[str, Audited], name: str, words: str
) -> None:
    """Before anything is written."""
    audited = audits[name]
    assert audited.returned["failed"]
    assert words in audited.returned["msg"]
    assert not (audited.folder / "out").exists()


def test_a_folder_that_cannot_be_made_is_named(audit: Audit, tmp_path: Path) -> None:
    """With the reason."""
    (tmp_path / "out").write_text("a file")
    audited = audit(FLEET)
    assert audited.returned["failed"]
    assert str(tmp_path / "out") in audited.returned["msg"]


@pytest.mark.core
def test_values_reach_the_report_as_they_are(audit: Audit) -> None:
    """Text with the syntax of a template is not evaluated."""
    reason = "{{ lookup('pipe', 'id') }} {% raw %} </script> ünï \u2028 \"'"
    found = result(
        "vision-prod",
        check("trust_ec2", "fail", reason=reason, evidence={"before": [reason, None, True, 3]}),
    )
    audited = audit({"vision-prod": found})
    found = audited.report["clouds"][0]["checks"][0]
    assert found["reason"] == reason
    assert found["evidence"] == {"before": [reason, None, True, 3]}


CLOUDS = SEEDED[:4]
MISNAMED, UNTOUCHED = CLOUDS[0].name, [cloud.name for cloud in CLOUDS[1:]]


@pytest.fixture
def run_audit(sandbox: Sandbox, tmp_path: Path) -> t.Callable[..., Run]:
    """Run the playbook on clouds that have drifted; of one of them the inventory names another
    account than its own.
    """
    sandbox.seed(CLOUDS)
    inventory = inventory_file(tmp_path, sandbox, CLOUDS)
    content = yaml.safe_load(inventory.read_text())
    content["all"]["children"]["anyscale_clouds"]["hosts"][MISNAMED]["cloud_iam_account_id"] = (
        "999999999999"
    )
    inventory.write_text(yaml.safe_dump(content))
    shown = {"ANSIBLE_SHOW_CUSTOM_STATS": "true"}
    return lambda *arguments, playbook="audit", **variables: run_playbook(
        sandbox, playbook, inventory, *arguments, variables=shown | variables
    )


@pytest.mark.core
def test_settings_of_ansible_change_no_report(
    run_audit: t.Callable[..., Run], tmp_path: Path
) -> None:
    """Nor what the audit fails for; with a cloud that is left to the role, too."""
    (tmp_path / "host_vars").mkdir()
    (tmp_path / f"host_vars/{UNTOUCHED[0]}.yml").write_text("anyscale_in_worker: false\n")
    every = _clouds_after(run_audit(), tmp_path)
    for case, settings in SETTINGS.items():
        run = run_audit(**settings)
        assert _audits(run) == ["cloud_iam_info", "fleet_audit"], case
        assert _clouds_after(run, tmp_path) == every, case
        assert _failures(run) == {MISNAMED}, case


@pytest.mark.core
def test_bulk_reads_change_no_report(sandbox: Sandbox, tmp_path: Path) -> None:
    """They make fewer calls; those that have no bulk read are made for each cloud."""
    clouds = [
        dataclasses.replace(
            one,
            name=f"{one.name}-{number}",
            account_id=ACCOUNT,
            role=one.role and f"ray-{one.name}-{number}",
            bucket="",
        )
        for number in range(3)
        for one in SEEDED[:8]
    ]
    sandbox.seed(clouds)
    iam = sandbox.client("iam", ACCOUNT)
    denied = policy({"Effect": "Deny", "Action": "iam:PassRole", "Resource": "*"})
    arn = iam.create_policy(PolicyName="no-pass", PolicyDocument=json.dumps(denied))["Policy"][
        "Arn"
    ]
    for cloud in clouds:
        iam.attach_role_policy(RoleName=cloud.control_plane_role_name, PolicyArn=arn)
    inventory = inventory_file(tmp_path, sandbox, clouds)
    reports, operations = [], []
    for bulk_reads in ("true", "false"):
        arguments = ("-e", f"fleet_bulk_reads={bulk_reads}", "-e", "audit_fail_on=never")
        run = run_playbook(sandbox, "audit", inventory, *arguments)
        report = json.loads((tmp_path / "anyscale-audit/report.json").read_text())
        reports.append(report["clouds"])
        operations.append(run.operations)
    assert reports[0] == reports[1]
    statuses = {check["id"]: check["status"] for check in reports[0][0]["checks"]}
    assert statuses["control_plane_pass_role"] == "fail"
    in_bulk, singly = operations
    assert (in_bulk["GetBucketPolicy"], in_bulk["ListBuckets"]) == (len(clouds), 1)
    assert in_bulk["GetAccountAuthorizationDetails"] == 2, "roles, and policies"
    assert in_bulk["GET /api/v2/scheduler/config"] == 1, "one for the organization"
    of_iam = ("GetRole", "ListRolePolicies", "GetRolePolicy", "ListAttachedRolePolicies")
    assert sum(in_bulk.get(name, 0) for name in of_iam) < len(clouds)
    assert singly["GetRole"] == 2 * len(clouds)
    assert not {"GetAccountAuthorizationDetails", "ListBuckets"} & singly.keys()


def test_an_audit_can_be_imported_twice(run_audit: t.Callable[..., Run], tmp_path: Path) -> None:
    """Each time for its own clouds. One that fails in the first does not end the second."""
    parts = {"first": [MISNAMED, UNTOUCHED[1]], "second": [UNTOUCHED[0]]}
    imports = [
        {
            "ansible.builtin.import_playbook": "rayfleet.anyscale.audit",
            "vars": {"audit_hosts": ",".join(names), "audit_report_dir": str(tmp_path / part)},
        }
        for part, names in parts.items()
    ]
    (tmp_path / "site.yml").write_text(yaml.safe_dump(imports))
    run = run_audit(playbook=str(tmp_path / "site.yml"), ANSIBLE_ANY_ERRORS_FATAL="true")
    for part, names in parts.items():
        report = json.loads((tmp_path / part / "report.json").read_text())
        assert [cloud["name"] for cloud in report["clouds"]] == names
    assert (run.exit_status, run.failed()) == (2, {MISNAMED})


def test_an_audit_in_check_mode_writes_no_report(
    run_audit: t.Callable[..., Run], tmp_path: Path
) -> None:
    """All else is the same."""
    run = run_audit("--check")
    assert (run.exit_status, _failures(run)) == (2, {MISNAMED})
    assert "4 clouds: 1 could not be audited, 3 with failed checks\n" in run.output
    assert "Report: " not in run.output
    assert not (tmp_path / "anyscale-audit").exists()


def _audits(run: Run) -> list[str]:
    """What has audited, a name for each task of each host."""
    names = (action.rpartition(".")[2] for _host, action, _result, _name in run.results)
    return sorted(name for name in names if name in ("cloud_iam_info", "fleet_audit"))


def _clouds_after(run: Run, folder: Path) -> list[Json]:
    """The clouds of the report that a run has written."""
    assert run.exit_status == 2
    return json.loads((folder / "anyscale-audit/report.json").read_text())["clouds"]


def _failures(run: Run) -> set[str]:
    """The clouds that the recap counts a failure for."""
    return set(re.findall(r"^(\S+) +: .* failed=[1-9]", run.output, re.MULTILINE))


@pytest.mark.core
def test_the_playbook_audits_every_cloud_and_writes_nothing_but_the_report(
    run_audit: t.Callable[..., Run], tmp_path: Path
) -> None:
    """One task for all clouds; the one that cannot be audited stops no other, and is the only one
    that fails.
    """
    run = run_audit("-e", '{"audit_organization": "Example Robotics"}')
    report = json.loads((tmp_path / "anyscale-audit/report.json").read_text())
    assert report["organization"] == "Example Robotics"
    assert "Example Robotics" in (tmp_path / "anyscale-audit/report.html").read_text()
    assert (
        next(
            cloud["cloud"]["account_id"] for cloud in report["clouds"] if cloud["name"] == MISNAMED
        )
        == "999999999999"
    )
    assert {cloud["name"]: cloud["state"] for cloud in report["clouds"]} == {
        MISNAMED: "error",
        **dict.fromkeys(UNTOUCHED, "fail"),
    }
    assert run.writes == []
    assert (run.exit_status, _failures(run)) == (2, {MISNAMED})
    assert "999999999999" in run.output
    assert _audits(run) == ["fleet_audit"]
    assert "skipping: no hosts matched" not in run.output


@pytest.mark.parametrize("engine", [True, False], ids=["engine", "role"])
def test_without_a_compute_config_all_else_is_checked(
    sandbox: Sandbox, tmp_path: Path, engine: bool
) -> None:
    """As with an inventory that has only what the API knows."""
    sandbox.seed(SEEDED[:1])
    role = f"arn:aws:iam::{{account_id}}:role/{ONBOARDING_ROLE}"
    inventory = plugin_inventory(tmp_path, defaults={"assume_role_arn": role})
    arguments = ("-e", f"audit_report_dir={tmp_path}", "-e", f"fleet_engine={engine}")
    run = run_playbook(sandbox, "audit", inventory, *arguments)
    assert run.exit_status == 0, run.output
    [cloud] = json.loads((tmp_path / "report.json").read_text())["clouds"]
    checks = {check["id"]: check["status"] for check in cloud["checks"]}
    assert cloud["state"] == "fail"
    assert checks["compute_config_override"] == "not_applicable"
    assert checks["trust_ec2"] != "not_applicable"


@pytest.mark.core
def test_a_cloud_that_another_process_has_to_audit_is_left_to_the_role(
    run_audit: t.Callable[..., Run], tmp_path: Path
) -> None:
    """It has a task of its own, in the same run; the report is the same for all."""
    every = _clouds_after(run_audit(), tmp_path)
    by_role = run_audit("-e", "fleet_engine=false")
    assert _audits(by_role) == ["cloud_iam_info"] * len(CLOUDS) + ["fleet_audit"]
    assert _clouds_after(by_role, tmp_path) == every
    left = UNTOUCHED[0]
    (tmp_path / "host_vars").mkdir()
    (tmp_path / f"host_vars/{left}.yml").write_text("anyscale_in_worker: false\n")
    mixed = run_audit()
    assert _audits(mixed) == ["cloud_iam_info", "fleet_audit"]
    assert _clouds_after(mixed, tmp_path) == every
    assert (mixed.exit_status, _failures(mixed)) == (2, {MISNAMED})


@pytest.mark.parametrize("limit", few_of([[], ["--limit", MISNAMED]], []), ids=["all", "limited"])
@pytest.mark.parametrize(
    "pattern",
    few_of(["no-such-host", "anyscale_clouds:!anyscale_clouds"], "no-such-host"),
    ids=["a name that none has", "all but all"],
)
def test_a_pattern_that_matches_no_cloud_is_an_error(
    run_audit: t.Callable[..., Run], tmp_path: Path, pattern: str, limit: list[str]
) -> None:
    """Nothing was audited, which must not look as if nothing had been found."""
    run = run_audit("-e", f"audit_hosts={pattern}", *limit)
    assert run.exit_status == 4
    assert f"No host in the inventory matches {pattern}." in run.output
    assert not (tmp_path / "anyscale-audit").exists()


def test_a_limit_that_leaves_none_of_the_pattern_is_an_error(
    run_audit: t.Callable[..., Run],
) -> None:
    """Which names the limit."""
    run = run_audit("-e", f"audit_hosts={MISNAMED}", "--limit", UNTOUCHED[0])
    assert (run.exit_status, run.operations) == (4, {})
    assert "--limit" in run.output


@pytest.mark.long
def test_a_limit_of_an_inventory_without_a_host_is_an_error(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """As it is without a limit."""
    inventory = inventory_file(tmp_path, sandbox, [])
    run = run_playbook(sandbox, "audit", inventory, "--limit", "x")
    assert run.exit_status == 4
    assert "The inventory has no hosts." in run.output


def test_the_recap_and_the_exit_status_follow_fail_on(run_audit: t.Callable[..., Run]) -> None:
    """The recap counts a failure for exactly the clouds that the audit fails for."""
    run = run_audit("-e", "audit_fail_on=drift")
    assert (run.exit_status, _failures(run)) == (2, {MISNAMED, *UNTOUCHED})


WARNED = {
    "narrow": Cloud(
        "narrow",
        ACCOUNT,
        trust="conditional",
        bucket_policy="complete",
        profile="filled",
        compute_config="in_sync",
    ),
    "wide": Cloud(
        "wide",
        ACCOUNT,
        trust="cloudformation",
        bucket_policy="none",
        profile="filled",
        compute_config="in_sync",
    ),
    "hidden": Cloud(
        "hidden",
        ACCOUNT,
        cors=False,
        trust="cloudformation",
        bucket_policy="complete",
        profile="filled",
        compute_config="in_sync",
    ),
    "in-sync": Cloud(
        "in-sync",
        ACCOUNT,
        trust="cloudformation",
        bucket_policy="complete",
        profile="filled",
        compute_config="in_sync",
    ),
}


def test_drift_is_what_onboarding_would_change(sandbox: Sandbox, tmp_path: Path) -> None:
    """Also where the check only warns, since it works or may work; not where it warns of what is no
    document of ours.
    """
    sandbox.seed(WARNED.values())
    wide = WARNED["wide"]
    everything = [f"arn:aws:s3:::{wide.bucket_name}", f"arn:aws:s3:::{wide.bucket_name}/*"]
    grant = {
        "Effect": "Allow",
        "Principal": {"AWS": wide.role_arn},
        "Action": "*",
        "Resource": everything,
    }
    put_bucket_policy(sandbox, wide.bucket_name, policy(grant))
    inventory = inventory_file(tmp_path, sandbox, WARNED.values())
    onboarding = run_playbook(sandbox, "onboard", inventory, "--check")
    audited = run_playbook(sandbox, "audit", inventory, "-e", "audit_fail_on=drift")
    states = {
        cloud["name"]: cloud["state"]
        for cloud in json.loads((tmp_path / "anyscale-audit/report.json").read_text())["clouds"]
    }
    assert states == {"narrow": "warn", "wide": "warn", "hidden": "warn", "in-sync": "pass"}
    assert {name for name in WARNED if onboarding.changed(name)} == {"narrow", "wide"}
    assert (audited.exit_status, _failures(audited)) == (2, {"narrow", "wide"})
    assert "Warnings about what onboarding would change: trust_ec2." in audited.output
    assert run_playbook(sandbox, "audit", inventory).exit_status == 0


def test_the_counts_and_the_paths_are_published(
    run_audit: t.Callable[..., Run], tmp_path: Path
) -> None:
    """For AWX, once for the run; and said at the end for people."""
    first = run_audit("-e", "audit_report_dir=reports", "-e", "audit_fail_on=never")
    assert (first.exit_status, _failures(first)) == (0, set())
    page = str(tmp_path / "reports/report.html")
    published = json.loads(first.output.partition("RUN: ")[2].partition("\n")[0])["anyscale_audit"]
    assert published["paths"]["html"] == page
    assert published["counts"]["clouds"] == {
        "error": 1,
        "fail": 3,
        "unknown": 0,
        "warn": 0,
        "pass": 0,
        "not_applicable": 0,
        "not_permitted": 0,
    }
    assert "4 clouds: 1 could not be audited, 3 with failed checks\n" in first.output
    assert f"Report: {page}" in first.output
    second = run_audit(
        "-e",
        "audit_report_dir=reports",
        "-e",
        "audit_previous_report=reports/report.json",
        "-e",
        "audit_fail_on=never",
    )
    findings = sum(published["counts"]["checks"][status] for status in ("fail", "warn"))
    assert f"\nSince the previous report: {findings} persisting\n" in second.output
