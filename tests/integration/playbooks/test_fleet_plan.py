# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan of a fleet: it predicts what the tasks would do, counts no cloud as in sync that they
would change, and lets the others continue.
"""

from __future__ import annotations

import collections
import dataclasses
import sys
import typing as t
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.compat.version import LooseVersion
from ansible.release import __version__ as ansible_version

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    ONBOARDING_ROLE,
    REGION,
    SCIENCE_ACCOUNT,
    VISION_ACCOUNT,
)
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    delete_role,
    make_role,
    put_bucket_policy,
    put_trust,
    trust_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    Run,
    inventory_file,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import few_of

Json = dict[str, t.Any]
Spoil = t.Callable[[Sandbox, Cloud], t.Any]

PLAN = "rayfleet.anyscale.fleet_plan_info"
TRUST, BUCKET, CONFIG = (
    f"rayfleet.anyscale.{name}"
    for name in ("iam_trust_ec2", "s3_cloud_access", "compute_config_profile")
)
ROLE = "rayfleet.anyscale.cloud_iam"
# The role's task is of the module of its name.
OF_A_CLOUD = (TRUST, BUCKET, CONFIG, ROLE)
SECRET = "wJalrXUtnFEMI/K7MDENG/canary"
EC2: Json = {
    "Effect": "Allow",
    "Principal": {"Service": "ec2.amazonaws.com"},
    "Action": "sts:AssumeRole",
}
EC2_AND_LAMBDA = {
    "Version": "2012-10-17",
    "Statement": [EC2, {**EC2, "Principal": {"Service": "lambda.amazonaws.com"}}],
}
PUBLIC_TRUST = {
    "Sid": "Public",
    "Effect": "Allow",
    "Principal": "*",
    "Action": "sts:AssumeRole",
    "Condition": {"Bool": {"aws:Wish": "true"}},
}


# Variables that leave the trust policy alone to be converged, where no more is needed to show
# something.
ONE_STEP: Json = {"cloud_iam_manage_bucket_access": False, "cloud_iam_manage_compute_config": False}


# --- fleets, inventories and plays ----------------------------------------------------------------


def in_sync(name: str, **changes: t.Any) -> Cloud:
    """A cloud that needs nothing, unless something is changed about it."""
    as_wanted: Json = {
        "trust": "cloudformation",
        "bucket_policy": "complete",
        "profile": "filled",
        "compute_config": "in_sync",
    }
    return Cloud(**{"name": name, "account_id": VISION_ACCOUNT, **as_wanted, **changes})


def inventory_of(
    folder: Path,
    sandbox: Sandbox,
    clouds: t.Sequence[Cloud],
    own: t.Mapping[str, Json] | None = None,
    **for_all: t.Any,
) -> Path:
    """The inventory of clouds, some of which have variables of their own; ``None`` takes one away."""
    path = inventory_file(folder, sandbox, clouds, **for_all)
    content = yaml.safe_load(path.read_text())
    hosts = content["all"]["children"]["anyscale_clouds"]["hosts"]
    for name, variables in (own or {}).items():
        hosts[name] = {
            key: value for key, value in {**hosts[name], **variables}.items() if value is not None
        }
    # The order of the inventory is that of the clouds.
    content["all"]["children"]["anyscale_clouds"]["hosts"] = {
        cloud.name: hosts[cloud.name] for cloud in clouds
    }
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def fresh(sandbox: Sandbox, clouds: t.Iterable[Cloud]) -> None:
    """Nothing but these clouds in the sandbox."""
    sandbox.reset()
    sandbox.seed(clouds)


def look(name: str = "Look", **options: t.Any) -> Json:
    """The task that plans."""
    return {"name": name, PLAN: {"role": ROLE, "observe": "always", **options}, "run_once": True}


def run_play(
    sandbox: Sandbox, inventory: Path, tasks: list[Json], *arguments: str, **keywords: t.Any
) -> Run:
    """A play of a user's own, on all clouds, beside the inventory."""
    play = {
        "hosts": "anyscale_clouds",
        "connection": "local",
        "gather_facts": False,
        **keywords,
        "tasks": tasks,
    }
    path = inventory.parent / "play.yml"
    path.write_text(yaml.safe_dump([play], sort_keys=False))
    return run_playbook(sandbox, str(path), inventory, *arguments)


def plan_of(run: Run, name: str = "Look") -> Json:
    """What a planning task returned."""
    results = run.named(name)
    assert results, run.output
    return results[0]


def onboard_plan(run: Run) -> Json:
    """What the plan of the playbook onboard returned."""
    return plan_of(run, "Find clouds that need changes")


def task_results(run: Run, host: str) -> list[Json]:
    """The results of a host's own tasks."""
    return [
        result
        for found, action, result, _name in run.results
        if found == host and action in OF_A_CLOUD
    ]


# --- the plan against the modules -----------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Drift:
    """One way in which a cloud is found.

    seen: the reasons of the first task that would change something; ``None`` where a task would
    fail.
    changes: of the cloud as it is seeded; spoil: what is done to it then; variables: the host's
    own.
    """

    seen: tuple[str, ...] | None
    changes: Json = dataclasses.field(default_factory=dict)
    spoil: Spoil | None = None
    variables: Json = dataclasses.field(default_factory=dict)


def _add_trust(*statements: Json) -> Spoil:
    def spoil(sandbox: Sandbox, cloud: Cloud) -> None:
        document = trust_of(sandbox, cloud.role_name)
        put_trust(
            sandbox,
            {**document, "Statement": [*document["Statement"], *statements]},
            cloud.role_name,
        )

    return spoil


def _trust_a_deleted_principal(sandbox: Sandbox, cloud: Cloud) -> None:
    arn = make_role(sandbox, f"{cloud.name}-gone")
    _add_trust({"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "sts:AssumeRole"})(
        sandbox, cloud
    )
    delete_role(sandbox, f"{cloud.name}-gone")


def _deny_in_bucket(sandbox: Sandbox, cloud: Cloud) -> None:
    objects = f"arn:aws:s3:::{cloud.bucket_name}/*"
    statement = {
        "Sid": "Closed",
        "Effect": "Deny",
        "Principal": {"AWS": cloud.role_arn},
        "Action": "s3:PutObject",
        "Resource": objects,
    }
    put_bucket_policy(
        sandbox, cloud.bucket_name, {"Version": "2012-10-17", "Statement": [statement]}
    )


def _drop_role(sandbox: Sandbox, cloud: Cloud) -> None:
    iam = sandbox.client("iam", cloud.account_id)
    iam.remove_role_from_instance_profile(
        InstanceProfileName=cloud.role_name, RoleName=cloud.role_name
    )
    delete_role(sandbox, cloud.role_name)


def _drop_bucket(sandbox: Sandbox, cloud: Cloud) -> None:
    sandbox.client("s3", cloud.account_id).delete_bucket(Bucket=cloud.bucket_name)


def _swap_role_in_profile(sandbox: Sandbox, cloud: Cloud) -> None:
    make_role(sandbox, f"{cloud.name}-other")
    sandbox.client("iam", cloud.account_id).add_role_to_instance_profile(
        InstanceProfileName=cloud.role_name, RoleName=f"{cloud.name}-other"
    )


def _archive_config(sandbox: Sandbox, cloud: Cloud) -> None:
    template = sandbox.organization.templates.search(
        {"name": {"equals": cloud.compute_config_name}}
    )[0]
    sandbox.organization.templates.set_archived(template["id"], True)


NESTED = {
    "head_node": {"instance_type": "{{ family }}.2xlarge"},
    "enable_cross_zone_scaling": "{{ family == 'gpu' }}",
}
DRIFTS = {
    "in-sync": Drift(()),
    "in-sync-by-another-template": Drift(
        (), {"trust": "manual_page", "bucket_policy": "cloud_foundation"}
    ),
    "in-sync-with-public-trust": Drift((), spoil=_add_trust(PUBLIC_TRUST)),
    "in-sync-beside-a-condition": Drift((), {"trust": "conditional"}, _add_trust(EC2)),
    "in-sync-beside-a-deleted-principal": Drift((), spoil=_trust_a_deleted_principal),
    "in-sync-in-the-other-account": Drift((), {"account_id": SCIENCE_ACCOUNT}),
    "in-sync-and-terraform-owned": Drift((), {"owner": "terraform"}),
    "trust-for-lambda-only": Drift(("ec2_trust_missing",), {"trust": "lambda_only"}),
    "trust-with-a-list": Drift(("action_not_a_string",), {"trust": "list_action"}),
    "trust-conditional": Drift(("ec2_trust_conditional",), {"trust": "conditional"}),
    "trust-with-many-services": Drift(
        ("action_not_a_string",),
        {"trust": "many_services", "role_path": "/ray/", "role": "many-ray"},
    ),
    "trust-denied": Drift(None, spoil=_add_trust({**EC2, "Sid": "Never", "Effect": "Deny"})),
    "trust-blocked-by-a-deleted-principal": Drift(
        None, {"trust": "lambda_only"}, _trust_a_deleted_principal
    ),
    "trust-over-quota": Drift(
        None, {"trust": "lambda_only"}, variables={"cloud_iam_quota_chars": 100}
    ),
    "trust-switched-off": Drift(
        (), {"trust": "lambda_only"}, variables={"cloud_iam_manage_trust": False}
    ),
    "bucket-without-policy": Drift(("access_missing",), {"bucket_policy": "none"}),
    "bucket-by-template": Drift(("access_missing",), {"bucket_policy": "cloudformation"}),
    "bucket-denied": Drift(None, spoil=_deny_in_bucket),
    "bucket-gone": Drift(None, {"bucket_policy": "none"}, _drop_bucket),
    "bucket-switched-off": Drift(
        (), {"bucket_policy": "none"}, variables={"cloud_iam_manage_bucket_access": False}
    ),
    "profile-missing": Drift(("instance_profile_missing",), {"profile": "missing"}),
    "profile-empty": Drift(("instance_profile_without_role",), {"profile": "empty"}),
    "profile-of-another-role": Drift(None, {"profile": "empty"}, _swap_role_in_profile),
    "profile-not-to-be-made": Drift(
        None, {"profile": "missing"}, variables={"cloud_iam_create_instance_profile": False}
    ),
    "profile-of-another-name": Drift(
        ("instance_profile_missing", "profile_differs"),
        variables={"cloud_iam_instance_profile": "shared-ray"},
    ),
    "config-missing": Drift(("compute_config_missing",), {"compute_config": "missing"}),
    "config-archived": Drift(None, spoil=_archive_config),
    "config-with-the-role": Drift(("wrong_arn_kind",), {"compute_config": "role_arn"}),
    "config-with-another-profile": Drift(("profile_differs",), {"compute_config": "other_profile"}),
    "config-hidden-by-a-worker": Drift(
        ("node_group_hides_profile",), {"compute_config": "hidden_by_worker"}
    ),
    "config-of-the-other-kind": Drift(
        ("wrong_arn_kind",), variables={"cloud_iam_arn_kind": "role"}
    ),
    "config-with-a-nested-template": Drift(
        ("config_differs",), variables={"cloud_iam_compute_config_spec": NESTED, "family": "r5"}
    ),
    "config-as-it-is": Drift(
        (), variables={"cloud_iam_compute_config_spec": NESTED, "family": "m5"}
    ),
    "config-in-a-file": Drift(
        ("dest_differs",),
        variables={"cloud_iam_dest": "{{ inventory_dir }}/{{ inventory_hostname }}.yaml"},
    ),
    "config-switched-off": Drift(
        (), {"compute_config": "missing"}, variables={"cloud_iam_manage_compute_config": False}
    ),
    "config-not-published": Drift(
        (), {"compute_config": "missing"}, variables={"cloud_iam_publish": False}
    ),
    "role-gone": Drift(None, spoil=_drop_role),
    "role-of-another-path": Drift(
        None,
        {"role": "moved-ray"},
        variables={"cloud_iam_role": f"arn:aws:iam::{VISION_ACCOUNT}:role/elsewhere/moved-ray"},
    ),
}
DRIFTED = {name: in_sync(name, **drift.changes) for name, drift in DRIFTS.items()}
ALL_CLOUDS = (*FLEET, *DRIFTED.values())


class Verdicts(t.NamedTuple):
    """Two plans of the seeded fleet and the single drifts; of the latter, a run for real and a run
    after that.
    """

    plan: Run
    modules: Run
    real: Run
    again: Run


@pytest.fixture(scope="module")
def verdicts(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Verdicts:
    """The plan by itself; every cloud by its own tasks in check mode; then both for real, twice, on
    those that are not run elsewhere.
    """
    fresh(running_sandbox, ALL_CLOUDS)
    for name, drift in DRIFTS.items():
        if drift.spoil:
            drift.spoil(running_sandbox, DRIFTED[name])
    own = {name: drift.variables for name, drift in DRIFTS.items()}
    inventory = inventory_of(tmp_path_factory.mktemp("verdicts"), running_sandbox, ALL_CLOUDS, own)
    plan = run_play(running_sandbox, inventory, [look()])
    modules = run_playbook(
        running_sandbox, "onboard", inventory, "--check", "-e", "fleet_plan=never", "--forks", "8"
    )
    options = ("-e", "fleet_plan=always", "--forks", "8", "--limit", ",".join(DRIFTS))
    real, again = (
        run_playbook(running_sandbox, "onboard", inventory, *options) for _run in range(2)
    )
    return Verdicts(plan, modules, real, again)


def _by_plan(plan: Json, host: str) -> tuple[str, ...] | str:
    """What a plan says of a host: the first reasons, none for one in sync, or why it could not
    be read.
    """
    assert (host in plan["hosts"]) == (host in plan["differing"] or host in plan["unseen"])
    return (
        t.cast(str, plan["unseen"][host])
        if host in plan["unseen"]
        else tuple(plan["differing"].get(host, ()))
    )


def _by_modules(run: Run, host: str) -> tuple[str, ...] | str:
    """The same, from the host's own tasks: of the first that would change something, or failed."""
    results = task_results(run, host)
    assert results, "no task ran"
    for result in results:
        if result["failed"]:
            return t.cast(str, result["msg"])
        if result["changed"]:
            return tuple(result["reasons"])
    return ()


@pytest.mark.parametrize("cloud", ALL_CLOUDS, ids=lambda cloud: cloud.name)
def test_the_plan_says_what_the_modules_would_do(verdicts: Verdicts, cloud: Cloud) -> None:
    """Why a cloud differs, or that it does not, or the message that its own task fails with."""
    assert _by_plan(plan_of(verdicts.plan), cloud.name) == _by_modules(verdicts.modules, cloud.name)


@pytest.mark.parametrize("name", DRIFTS)
def test_a_drift_is_seen_for_what_it_is(verdicts: Verdicts, name: str) -> None:
    """So that the plan and the modules are not both wrong."""
    seen = _by_plan(plan_of(verdicts.plan), name)
    assert (None if isinstance(seen, str) else seen) == DRIFTS[name].seen


def test_a_plan_changes_nothing(verdicts: Verdicts) -> None:
    """It is not a change, it fails no cloud, and it makes no call that writes."""
    assert verdicts.plan.writes == []
    assert verdicts.plan.exit_status == 0
    assert plan_of(verdicts.plan)["changed"] is False


def test_a_plan_counts_and_orders_the_clouds(verdicts: Verdicts) -> None:
    """Those that continue, in the order of the inventory, in one batch; the others as a number."""
    plan = plan_of(verdicts.plan)
    continuing = [cloud.name for cloud in ALL_CLOUDS if _by_plan(plan, cloud.name) != ()]
    assert plan["hosts"] == continuing
    assert plan["batches"] == [len(continuing)]
    assert plan["right"] == len(ALL_CLOUDS) - len(continuing)


def test_only_clouds_that_continue_cost_tasks(verdicts: Verdicts) -> None:
    """The others have none of their own."""
    with_tasks = {cloud.name for cloud in ALL_CLOUDS if task_results(verdicts.real, cloud.name)}
    assert with_tasks < set(DRIFTS)
    assert with_tasks == set(onboard_plan(verdicts.real)["hosts"])


def test_after_a_run_all_clouds_are_in_sync_that_can_be(verdicts: Verdicts) -> None:
    """The second run finds no difference and writes nothing; what fails fails again."""
    beyond_help = {name for name, drift in DRIFTS.items() if drift.seen is None}
    plan = onboard_plan(verdicts.again)
    assert set(plan["hosts"]) == set(plan["unseen"]) == beyond_help
    assert plan["differing"] == {}
    assert verdicts.real.failed() == verdicts.again.failed() == beyond_help
    assert verdicts.again.writes == []


def test_the_recap_counts_clouds_that_needed_no_task(verdicts: Verdicts) -> None:
    """As in sync, with those whose tasks found nothing to do."""
    beyond_help = sum(drift.seen is None for drift in DRIFTS.values())
    at_once = onboard_plan(verdicts.real)["right"]
    assert (
        f"{len(DRIFTS) - at_once - beyond_help} changed, {at_once} in sync, {beyond_help} failed"
    ) in verdicts.real.output


def test_the_plan_is_shown_where_only_failing_clouds_continue(verdicts: Verdicts) -> None:
    """As on every night after: Ansible ends the run with the batch, but how the others are has been
    said by then.
    """
    beyond_help = sum(drift.seen is None for drift in DRIFTS.values())
    assert (
        f"{len(DRIFTS) - beyond_help} in sync, 0 to change, {beyond_help} not read"
        in verdicts.again.output
    )


def test_warnings_of_clouds_in_sync_are_shown(verdicts: Verdicts) -> None:
    """By the plan, with the cloud's name, as its own task would have shown them; of the others, by
    their tasks.
    """
    of_modules = {
        cloud.name: [
            w
            for result in task_results(verdicts.modules, cloud.name)
            for w in result.get("warnings", [])
        ]
        for cloud in ALL_CLOUDS
    }
    plan = plan_of(verdicts.plan)
    shown = collections.defaultdict(list)
    for warning in plan.get("warnings", []):
        name, _colon, text = warning.partition(": ")
        shown[name].append(text)
    for name, warnings in of_modules.items():
        expected = [] if name in plan["hosts"] else warnings
        assert len(shown[name]) == len(expected), name
        assert all(
            whole.endswith(text) for whole, text in zip(expected, shown[name], strict=True)
        ), name
    assert len(shown["in-sync-with-public-trust"]) == 1


# --- clouds that could not be read ----------------------------------------------------------------

LOCKED = f"arn:aws:iam::{VISION_ACCOUNT}:role/missing"
FAILING: dict[str, tuple[Json, str, str | None]] = {
    "no-variable": (
        {"cloud_iam_bucket": "{{ nowhere }}"},
        "'nowhere' is undefined",
        "'nowhere' is undefined",
    ),
    "no-nested-variable": (
        {"cloud_iam_compute_config_spec": {"head_node": {"instance_type": "{{ nowhere }}"}}},
        "'nowhere' is undefined",
        "'nowhere' is undefined",
    ),
    "no-bucket": (
        {"cloud_iam_bucket": None},
        "'cloud_iam_bucket' is undefined",
        "cloud_iam_bucket",
    ),
    "not-a-number": ({"cloud_iam_quota_chars": "many"}, "quota_chars", "quota_chars"),
    "not-positive": (
        {"cloud_iam_quota_chars": 0},
        "quota_chars is 0. Set",
        "quota_chars is 0. Set",
    ),
    "role-elsewhere": (
        {"cloud_iam_role": f"arn:aws:iam::{SCIENCE_ACCOUNT}:role/r"},
        f"in account {SCIENCE_ACCOUNT}, but account_id is {VISION_ACCOUNT}",
        f"in account {SCIENCE_ACCOUNT}, but account_id is {VISION_ACCOUNT}",
    ),
    "account-elsewhere": (
        {"cloud_iam_account_id": SCIENCE_ACCOUNT},
        "The credentials are for account",
        "The credentials are for account",
    ),
    "no-account": ({"cloud_iam_account_id": "2222"}, "account", "account"),
    "no-role": (
        {"cloud_iam_role": "missing"},
        "Role missing does not exist",
        "Role missing does not exist",
    ),
    "no-cloud": (
        {
            "cloud_iam_cloud_id": "cld_unknown",
            "cloud_iam_compute_config": "new",
            "cloud_iam_role": "no-cloud-ray",
        },
        "cld_unknown",
        "cld_unknown",
    ),
    "locked-1": (
        {"cloud_iam_assume_role_arn": LOCKED},
        f"AssumeRole (role {LOCKED}) failed with AccessDenied",
        "AccessDenied",
    ),
    "locked-2": (
        {"cloud_iam_assume_role_arn": LOCKED},
        f"AssumeRole (role {LOCKED}) failed with AccessDenied",
        "AccessDenied",
    ),
    "locked-3": (
        {"cloud_iam_assume_role_arn": LOCKED},
        f"AssumeRole (role {LOCKED}) failed with AccessDenied",
        "AccessDenied",
    ),
    "by-ssh": (
        {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1},
        "the connection is ssh",
        "127.0.0.1",
    ),
    "another-user": (
        {**ONE_STEP, "ansible_become": True, "ansible_become_method": "ansible.builtin.su"},
        "it becomes another user",
        None,
    ),
    "as-a-module": ({**ONE_STEP, "anyscale_in_worker": False}, "anyscale_in_worker is false", None),
    "as-a-module-by-template": (
        {**ONE_STEP, "anyscale_in_worker": "{{ nope }}", "nope": "no"},
        "anyscale_in_worker is false",
        None,
    ),
    "bad-setting": (
        {"ansible_become": "{{ nowhere }}"},
        "'nowhere' is undefined",
        "'nowhere' is undefined",
    ),
}
NEIGHBOURS = ("good-1", "good-2", "good-3")


@pytest.fixture(scope="module")
def failing_run(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on clouds with one failure each, between good ones."""
    named = {"no-cloud": {"role": "no-cloud-ray"}}
    names = [NEIGHBOURS[0], *FAILING, *NEIGHBOURS[1:]]
    clouds = [in_sync(name, **named.get(name, {})) for name in names]
    fresh(running_sandbox, clouds)
    own = {name: variables for name, (variables, _why, _own) in FAILING.items()}
    return run_playbook(
        running_sandbox,
        "onboard",
        inventory_of(tmp_path_factory.mktemp("failing"), running_sandbox, clouds, own),
    )


@pytest.mark.core
@pytest.mark.parametrize("name", FAILING)
def test_a_cloud_that_cannot_be_read_continues(failing_run: Run, name: str) -> None:
    """And the plan says why, on one line."""
    plan = onboard_plan(failing_run)
    assert name in plan["hosts"]
    assert FAILING[name][1] in plan["unseen"][name]


@pytest.mark.core
@pytest.mark.parametrize("name", FAILING)
def test_its_own_tasks_show_it(failing_run: Run, name: str) -> None:
    """A cloud that fails, fails with the message of its own task."""
    message = FAILING[name][2]
    failures = [
        str(result.get("msg"))
        for host, _action, result, _task in failing_run.results
        if host == name and result["failed"]
    ]
    if message is None:
        assert task_results(failing_run, name), "no task of its own ran"
    else:
        assert message in failures[0]
        assert set(failures[1:]) <= {"This cloud failed. Its error is shown above.", failures[0]}


def test_no_failure_keeps_the_good_clouds_from_being_read(failing_run: Run) -> None:
    """They are in sync, and stay out."""
    assert onboard_plan(failing_run)["right"] == len(NEIGHBOURS)
    assert not any(task_results(failing_run, name) for name in NEIGHBOURS)


def test_an_account_that_cannot_be_assumed_is_asked_once(
    failing_run: Run, running_sandbox: Sandbox
) -> None:
    """By the plan, for all of its clouds, and by none of their tasks."""
    assumed = collections.Counter(
        call["resource"] for call in running_sandbox.calls() if call["operation"] == "AssumeRole"
    )
    assert assumed[LOCKED] == 1


def test_a_call_that_fails_makes_one_cloud_go_on(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Its own tasks read it again, and find nothing to do."""
    clouds = [in_sync("one"), in_sync("two")]
    fresh(running_sandbox, clouds)
    running_sandbox.fault("POST /api/v2/compute_templates/search", status=500)
    run = run_playbook(
        running_sandbox,
        "onboard",
        inventory_of(tmp_path, running_sandbox, clouds),
        "-e",
        "fleet_plan=always",
    )
    plan = onboard_plan(run)
    assert (plan["right"], len(plan["unseen"])) == (1, 1)
    assert "500" in next(iter(plan["unseen"].values()))
    assert (run.failed(), run.writes, run.exit_status) == (set(), [], 0)


@pytest.mark.core
def test_another_python_is_not_this_one(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """In a play that does not set the interpreter itself, as onboard does."""
    clouds = [in_sync("this"), in_sync("another"), in_sync("linked"), in_sync("discovered")]
    fresh(running_sandbox, clouds)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    pythons = {
        "another": "/usr/bin/env",
        "linked": str(tmp_path / "bin" / "python"),
        "discovered": "auto_silent",
    }
    own = {name: {"ansible_python_interpreter": python} for name, python in pythons.items()}
    run = run_play(running_sandbox, inventory_of(tmp_path, running_sandbox, clouds, own), [look()])
    assert plan_of(run)["unseen"] == dict.fromkeys(["another", "linked"], "it has another Python")


# --- which clouds are planned first ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "chosen", "seen"),
    [
        ([], 6, True),
        (["--limit", "anyscale_clouds,!cloud-0"], 5, False),
        (["-e", "onboard_hosts=cloud-1", "-e", "fleet_plan=always"], 1, True),
    ],
    ids=["six", "five, by a limit", "one, always"],
)
def test_more_than_a_handful_of_clouds_is_planned_first(
    running_sandbox: Sandbox, tmp_path: Path, options: list[str], chosen: int, seen: bool
) -> None:
    """Otherwise each cloud's own tasks find out."""
    clouds = [in_sync(f"cloud-{number}") for number in range(6)]
    fresh(running_sandbox, clouds)
    run = run_playbook(
        running_sandbox,
        "onboard",
        inventory_of(tmp_path, running_sandbox, clouds, **ONE_STEP),
        *options,
    )
    assert onboard_plan(run)["right"] == (chosen if seen else 0)
    assert len([cloud for cloud in clouds if task_results(run, cloud.name)]) == (
        0 if seen else chosen
    )
    assert set(onboard_plan(run)["unseen"].values()) == (set() if seen else {"it was not planned"})
    assert f"0 changed, {chosen} in sync, 0 failed" in run.output


def test_check_mode_plans_as_well(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """With the same outcome as without; a nightly check of a fleet is a run in check mode."""
    clouds = [in_sync("one"), in_sync("two", trust="lambda_only"), in_sync("three")]
    fresh(running_sandbox, clouds)
    run = run_playbook(
        running_sandbox,
        "onboard",
        inventory_of(tmp_path, running_sandbox, clouds, **ONE_STEP),
        "--check",
        "-e",
        "fleet_plan=always",
    )
    plan = onboard_plan(run)
    assert plan["unseen"] == {}
    assert (plan["hosts"], plan["differing"], plan["right"]) == (
        ["two"],
        {"two": ["ec2_trust_missing"]},
        2,
    )
    assert run.writes == []
    assert "1 would change, 2 in sync, 0 failed" in run.output


@pytest.mark.core
def test_the_playbook_twice_in_a_run_is_for_its_own_hosts(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Imported for some clouds and then for others: the second time is not for those of the first."""
    clouds = [in_sync("early", trust="lambda_only"), in_sync("late", trust="lambda_only")]
    fresh(running_sandbox, clouds)
    imports = [
        {
            "ansible.builtin.import_playbook": "rayfleet.anyscale.onboard",
            "vars": {"onboard_hosts": cloud.name},
        }
        for cloud in clouds
    ]
    (tmp_path / "site.yml").write_text(yaml.safe_dump(imports))
    inventory = inventory_of(tmp_path, running_sandbox, clouds, **ONE_STEP)
    run = run_playbook(
        running_sandbox, str(tmp_path / "site.yml"), inventory, "-e", "fleet_plan=always"
    )
    assert run.exit_status == 0, run.output
    assert {cloud.name: len(task_results(run, cloud.name)) for cloud in clouds} == {
        "early": 1,
        "late": 1,
    }


@pytest.mark.parametrize("playbook", few_of(["onboard", "audit"], "onboard"))
def test_a_cloud_that_fails_does_not_end_the_playbooks_after_it(
    running_sandbox: Sandbox, tmp_path: Path, playbook: str
) -> None:
    """Ansible ends a run where all hosts of a play fail, also in a play that is there to fail them."""
    clouds = [in_sync("bad"), in_sync("good"), in_sync("later", trust="lambda_only")]
    fresh(running_sandbox, clouds)
    patterns = ("bad,good", "later")
    imports = [
        {
            "ansible.builtin.import_playbook": f"rayfleet.anyscale.{playbook}",
            "vars": {f"{playbook}_hosts": pattern},
        }
        for pattern in patterns
    ]
    last = {
        "hosts": "later",
        "gather_facts": False,
        "tasks": [{"name": "Notify", "ansible.builtin.debug": {"msg": "The end"}}],
    }
    (tmp_path / "site.yml").write_text(yaml.safe_dump([*imports, last]))
    inventory = inventory_of(
        tmp_path, running_sandbox, clouds, {"bad": {"cloud_iam_role": "no/role/"}}, **ONE_STEP
    )
    run = run_playbook(
        running_sandbox, str(tmp_path / "site.yml"), inventory, "-e", "fleet_plan=always"
    )
    assert run.exit_status == 2, run.output
    assert run.failed() == {"bad"}, run.output
    assert len(task_results(run, "later")) == (1 if playbook == "onboard" else 0)
    assert [result["failed_clouds"] for result in run.named("Write the report")] == (
        [["bad"], []] if playbook == "audit" else []
    )
    assert "The end" in run.output


# --- rollouts -------------------------------------------------------------------------------------

RINGS = '{"onboard_rings": ["canary", "early"]}'


def _drifted(**rings: t.Any) -> tuple[list[Cloud], dict[str, Json]]:
    """Clouds whose trust is missing, with the ring of each."""
    clouds = [in_sync(name.replace("_", "-"), trust="lambda_only") for name in rings]
    own = {
        cloud.name: {"anyscale_ring": ring}
        for cloud, ring in zip(clouds, rings.values(), strict=True)
    }
    return clouds, own


def _converged(run: Run) -> list[str]:
    """The clouds in the order in which their trust policies were written."""
    names = {
        cloud.role_name: cloud.name
        for cloud in _drifted(
            no_ring=None, early_1="", canary_1="", mars="", canary_2="", early_2=""
        )[0]
    }
    return [
        names[call["resource"]]
        for call in run.writes
        if call["operation"] == "UpdateAssumeRolePolicy"
    ]


class Rollout(t.NamedTuple):
    """A rollout that stopped in its second ring, and its end after that was fixed."""

    stopped: Run
    resumed: Run


@pytest.fixture(scope="module")
def rollout(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Rollout:
    """Three rings, the second of which has a cloud that EC2 is denied."""
    clouds, own = _drifted(
        no_ring=None,
        early_1="early",
        canary_1="canary",
        mars="mars",
        canary_2="{{ 'can' ~ 'ary' }}",
        early_2="early",
    )
    fresh(running_sandbox, clouds)
    broken = clouds[1]
    before = trust_of(running_sandbox, broken.role_name)
    _add_trust({**EC2, "Effect": "Deny"})(running_sandbox, broken)
    inventory = inventory_of(
        tmp_path_factory.mktemp("rollout"), running_sandbox, clouds, own, **ONE_STEP
    )
    options = ("-e", "fleet_plan=always", "-e", RINGS)
    stopped = run_playbook(running_sandbox, "onboard", inventory, *options)
    put_trust(running_sandbox, before, broken.role_name)
    return Rollout(stopped, run_playbook(running_sandbox, "onboard", inventory, *options))


@pytest.mark.core
def test_rings_are_batches_in_their_order(rollout: Rollout) -> None:
    """A cloud of no ring, or of an unknown one, comes last."""
    plan = onboard_plan(rollout.stopped)
    assert plan["hosts"] == ["canary-1", "canary-2", "early-1", "early-2", "no-ring", "mars"]
    assert plan["batches"] == [2, 2, 2]


@pytest.mark.core
def test_a_failure_stops_the_run_before_the_next_ring(rollout: Rollout) -> None:
    """The ring before it is done, the one after it is not begun."""
    assert rollout.stopped.failed() == {"early-1"}
    assert rollout.stopped.exit_status == 2
    assert set(_converged(rollout.stopped)[:2]) == {"canary-1", "canary-2"}
    assert not task_results(rollout.stopped, "no-ring")
    assert not task_results(rollout.stopped, "mars")


def test_the_next_run_does_only_what_is_left(rollout: Rollout) -> None:
    """The first ring is in sync, so it is no batch any more."""
    plan = onboard_plan(rollout.resumed)
    left = ["early-1", "no-ring", "mars"]
    assert [name for name in plan["hosts"] if name != "early-2"] == left
    assert plan["batches"] == [len(plan["hosts"]) - 2, 2]
    assert not task_results(rollout.resumed, "canary-1")
    assert not task_results(rollout.resumed, "canary-2")
    assert set(_converged(rollout.resumed)) >= set(left)
    assert (rollout.resumed.failed(), rollout.resumed.exit_status) == (set(), 0)


def test_smaller_batches_are_never_of_two_rings(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """Else a failure in one ring would come too late for the next."""
    clouds, own = _drifted(canary_1="canary", early_1="early", early_2="early")
    own["canary-1"]["cloud_iam_role"] = "missing"
    fresh(running_sandbox, clouds)
    inventory = inventory_of(tmp_path, running_sandbox, clouds, own, **ONE_STEP)
    run = run_playbook(
        running_sandbox,
        "onboard",
        inventory,
        "-e",
        RINGS,
        "-e",
        "onboard_serial=3",
        "-e",
        "fleet_plan=always",
    )
    assert run.failed() == {"canary-1"}
    assert _converged(run) == []
    assert "early-1 was not reached" in run.output
    refused = run_playbook(
        running_sandbox, "onboard", inventory, "-e", RINGS, "-e", "onboard_serial=50%"
    )
    assert "serial" in refused.output
    assert refused.exit_status != 0
    assert refused.operations == {}


@pytest.mark.long
def test_the_run_reports_the_outcome_of_all_clouds_also_where_it_stops(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """All clouds of a batch fail, and yet there are counts at the end."""
    clouds, own = _drifted(canary_1="canary", early_1="early")
    own["canary-1"]["cloud_iam_role"] = "missing"
    fresh(running_sandbox, clouds)
    inventory = inventory_of(tmp_path, running_sandbox, clouds, own, **ONE_STEP)
    run = run_playbook(running_sandbox, "onboard", inventory, "-e", RINGS)
    [published] = run.named("Publish the counts")
    counts = published["ansible_stats"]["data"]["anyscale_onboard"]["counts"]
    assert counts == {
        "selected": 2,
        "changed": 0,
        "failed": 1,
        "not_reached": 1,
        "in_sync": 0,
        "deferred": 0,
    }
    assert run.exit_status == 2


@pytest.mark.parametrize(
    "options", few_of([(), ("--limit", "canary-1")], ()), ids=["without a limit", "with a limit"]
)
def test_a_pattern_that_matches_no_cloud_is_an_error(
    running_sandbox: Sandbox, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """A run for no cloud would look like one with nothing to do."""
    clouds, own = _drifted(canary_1="canary")
    fresh(running_sandbox, clouds)
    inventory = inventory_of(tmp_path, running_sandbox, clouds, own)
    run = run_playbook(running_sandbox, "onboard", inventory, "-e", "onboard_hosts=prodd", *options)
    assert run.exit_status != 0
    assert "No host in the inventory matches prodd" in run.output
    assert run.operations == {}


@pytest.mark.long
def test_a_failure_budget_lets_the_rings_go_on(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """With half of a ring failed, which is no more than was allowed."""
    clouds, own = _drifted(canary_1="canary", canary_2="canary", early_1="early")
    fresh(running_sandbox, clouds)
    _add_trust({**EC2, "Effect": "Deny"})(running_sandbox, clouds[0])
    inventory = inventory_of(tmp_path, running_sandbox, clouds, own, **ONE_STEP)
    budget = ("-e", "onboard_max_fail_percentage=50")
    run = run_playbook(
        running_sandbox, "onboard", inventory, "-e", "fleet_plan=always", "-e", RINGS, *budget
    )
    assert run.failed() == {"canary-1"}
    assert _converged(run) == ["canary-2", "early-1"]


@pytest.mark.long
def test_rings_hold_also_without_a_plan(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """With a number for a ring, as YAML gives it."""
    clouds, own = _drifted(early_1=2, canary_1=1)
    fresh(running_sandbox, clouds)
    inventory = inventory_of(tmp_path, running_sandbox, clouds, own, **ONE_STEP)
    run = run_playbook(
        running_sandbox,
        "onboard",
        inventory,
        "-e",
        "fleet_plan=never",
        "-e",
        '{"onboard_rings": [1, 2]}',
    )
    assert _converged(run) == ["canary-1", "early-1"]


def test_batches_are_of_clouds_that_continue(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """With onboard_serial, clouds in sync fill no batch."""
    clouds = [
        in_sync("mars", trust="lambda_only"),
        *(in_sync(f"good-{number}") for number in range(4)),
        in_sync("no-ring", trust="lambda_only"),
    ]
    fresh(running_sandbox, clouds)
    inventory = inventory_of(tmp_path, running_sandbox, clouds, **ONE_STEP)
    run = run_playbook(running_sandbox, "onboard", inventory, "-e", "onboard_serial=1")
    assert run.output.count("PLAY [Onboard Anyscale clouds]") == 2
    assert _converged(run) == ["mars", "no-ring"]


def test_an_undefined_ring_fails_only_that_cloud(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """It comes last, with and without a plan; the plan fails no cloud, least of all
    where it needs no rings.
    """
    clouds, own = _drifted(mars="{{ nowhere }}", canary_1="canary")
    fresh(running_sandbox, clouds)
    looks = {
        "Look": look(rings=["canary"]),
        "Do not look": look("Do not look", observe="never", rings=["canary"]),
        "Without rings": look("Without rings"),
    }
    tasks = [{**task, "ignore_errors": True} for task in looks.values()]
    run = run_play(running_sandbox, inventory_of(tmp_path, running_sandbox, clouds, own), tasks)
    plans = {name: plan_of(run, name) for name in looks}
    assert {name: plan["msg"] for name, plan in plans.items() if plan["failed"]} == {}
    assert [plan["hosts"] for plan in plans.values()] == [
        ["canary-1", "mars"],
        ["canary-1", "mars"],
        ["mars", "canary-1"],
    ]


# Releases in which a task can register parts of its result.
PARTS = LooseVersion(ansible_version) >= LooseVersion("2.21")

# --- roles of a user's own ------------------------------------------------------------------------

IN_ACCOUNT = {
    "account_id": "{{ cloud_iam_account_id }}",
    "assume_role_arn": "{{ cloud_iam_assume_role_arn }}",
}


def _trust(**keywords: t.Any) -> Json:
    return {
        "name": "Trust",
        TRUST: {"cloud_id": "{{ cloud_iam_cloud_id }}", **IN_ACCOUNT},
        **keywords,
    }


def _bucket(name: str, **keywords: t.Any) -> Json:
    return {
        "name": "Bucket",
        BUCKET: {"bucket": name, "cloud_id": "{{ cloud_iam_cloud_id }}", **IN_ACCOUNT},
        **keywords,
    }


def _whole(**keywords: t.Any) -> Json:
    options = {
        "cloud_id": "{{ cloud_iam_cloud_id }}",
        "bucket_access": False,
        "compute_config_profile": False,
        **IN_ACCOUNT,
    }
    return {"name": "Trust", "rayfleet.anyscale.cloud_iam": options, **keywords}


MY_BUCKET = "{{ cloud_iam_bucket }}"
NO_BUCKET_YET = (
    "{{ (trust is defined and trust.role_name is defined) | ternary('fleet-without-policy', "
    "cloud_iam_bucket) }}"
)
# Tasks of a role, or its files, and which of the two clouds, of which one is in sync and one
# lacks its trust, would change.
FORESEEN: dict[str, tuple[list[Json] | dict[str, t.Any], set[str]]] = {
    "a step": ([_trust()], {"drifted"}),
    "a step that is never done": ([_trust(when=False)], set()),
    "a step for another host": ([_trust(when="inventory_hostname == 'in-sync'")], set()),
    "a step with two conditions": (
        [_trust(when=["true", "inventory_hostname == 'drifted'"])],
        {"drifted"},
    ),
    "a condition of a block": (
        [{"name": "Block", "when": "inventory_hostname == 'in-sync'", "block": [_trust()]}],
        set(),
    ),
    "no step": ([], set()),
    "a variable of a step": (
        [_trust(when="false"), _bucket("{{ which }}", vars={"which": "fleet-without-policy"})],
        {"in-sync", "drifted"},
    ),
    "a variable of a block": (
        [
            _trust(when="false"),
            {
                "name": "Block",
                "vars": {"which": "fleet-without-policy"},
                "block": [_bucket("{{ which }}")],
            },
        ],
        {"in-sync", "drifted"},
    ),
    "a variable of the first step alone": (
        [
            _trust(when="false", vars={"which": "fleet-without-policy"}),
            _bucket("{{ which | default(cloud_iam_bucket) }}"),
        ],
        set(),
    ),
    "a variable of a step that hides the host's": (
        [
            _trust(when="false"),
            _bucket(MY_BUCKET, vars={"cloud_iam_bucket": "fleet-without-policy"}),
        ],
        {"in-sync", "drifted"},
    ),
    "a condition on a variable of the step": (
        [_trust(when="false"), _trust(when="mine", vars={"mine": True})],
        {"drifted"},
    ),
    "a result that the next step uses": (
        [_trust(register="trust"), _bucket(NO_BUCKET_YET)],
        {"in-sync", "drifted"},
    ),
    "all that a result has": (
        [
            _trust(register="trust"),
            _bucket(
                "fleet-without-policy", when="trust.reasons is defined and trust.diff is defined"
            ),
        ],
        {"in-sync", "drifted"},
    ),
    "what a result has of each part": (
        [
            _whole(register="cloud"),
            _bucket(
                "fleet-without-policy",
                when="cloud.trust.role_arn is defined and cloud.reasons is defined",
            ),
        ],
        {"in-sync", "drifted"},
    ),
    "a result of a step that was skipped": (
        [_trust(register="trust", when=False), _bucket(NO_BUCKET_YET, when="trust is skipped")],
        set(),
    ),
    "a condition on a result": (
        [_trust(register="trust"), _bucket("fleet-without-policy", when="trust is changed")],
        {"drifted"},
    ),
    "a default of the role": (
        {
            "tasks/main.yml": [_trust(when="false"), _bucket("{{ which }}")],
            "defaults/main.yml": {"which": "fleet-without-policy"},
        },
        {"in-sync", "drifted"},
    ),
    "a role that needs another": (
        {
            "tasks/main.yml": [_bucket("{{ which }}")],
            "vars/main.yml": {"which": "fleet-without-policy"},
            "meta/main.yml": {"dependencies": ["needed"]},
        },
        {"in-sync", "drifted"},
    ),
    "imported tasks": (
        {
            "tasks/main.yml": [
                {"name": "Import", "ansible.builtin.import_tasks": "more.yml", "when": False}
            ],
            "tasks/more.yml": [_trust()],
        },
        set(),
    ),
    "short names of modules": (
        {
            "tasks/main.yml": [{"name": "Trust", "iam_trust_ec2": _trust()[TRUST]}],
            "meta/main.yml": {"collections": ["rayfleet.anyscale"]},
        },
        {"drifted"},
    ),
    "an alias of an option": (
        [
            {
                "name": "Trust",
                TRUST: {"role_name": "{{ cloud_iam_cloud_id }}-cluster_node_role", **IN_ACCOUNT},
            }
        ],
        {"drifted"},
    ),
    "run for the first host alone": ([_trust(run_once=True)], {"drifted"}),
}
UNFORESEEN: dict[str, tuple[list[Json], str]] = {
    "another module": (
        [{"name": "Say", "ansible.builtin.debug": {"msg": "hello"}}],
        "ansible.builtin.debug",
    ),
    "another module after ours": (
        [_trust(), {"name": "Say", "ansible.builtin.debug": {"msg": "hello"}}],
        "ansible.builtin.debug",
    ),
    "set_fact": (
        [{"name": "Set", "ansible.builtin.set_fact": {"cloud_iam_bucket": "x"}}],
        "ansible.builtin.set_fact",
    ),
    "a loop": ([_trust(loop=[1, 2])], "loop"),
    "an old loop": ([_trust(with_items=["a"])], "loop"),
    "delegation": ([_trust(delegate_to="localhost")], "delegate_to"),
    "retries": ([_trust(retries=2, delay=1)], "retries"),
    "until": ([_trust(register="trust", until="trust is succeeded")], "until"),
    "failed_when": ([_trust(register="trust", failed_when="trust.reasons")], "failed_when"),
    "changed_when": ([_trust(register="trust", changed_when="trust.reasons")], "changed_when"),
    "an environment": ([_trust(environment={"AWS_REGION": "eu-west-1"})], "environment"),
    "an environment of a block": (
        [{"name": "Block", "environment": {"AWS_REGION": "x"}, "block": [_trust()]}],
        "environment",
    ),
    "check mode of its own": ([_trust(check_mode=True)], "check_mode"),
    "asynchronous": ([{**_trust(), "async": 30, "poll": 1}], "async"),
    "a rescue": ([{"name": "Block", "block": [_trust()], "rescue": [_trust()]}], "rescue"),
    "an always": ([{"name": "Block", "block": [_trust()], "always": [_trust()]}], "always"),
    "included tasks": (
        [{"name": "Include", "ansible.builtin.include_tasks": "more.yml"}],
        "include_tasks",
    ),
    **(
        {
            "a part of a result": (
                [_trust(register={"why": "_task.result.reasons"})],
                "registers a part of its result",
            )
        }
        if PARTS
        else {}
    ),
    "another user": ([_trust(become=True)], "it becomes another user"),
    "another user for a later step": (
        [_trust(when=False), _trust(become=True)],
        "it becomes another user",
    ),
    "another connection by a variable": (
        [_trust(when=False), _trust(vars={"ansible_connection": "ssh"})],
        "the connection is ssh",
    ),
    "delegation in a block": (
        [{"name": "Block", "delegate_to": "localhost", "block": [_trust()]}],
        "delegate_to",
    ),
}


ROLES: dict[str, list[Json] | dict[str, t.Any]] = {
    **{case: files for case, (files, _hosts) in FORESEEN.items()},
    **{case: tasks for case, (tasks, _why) in UNFORESEEN.items()},
}
NAMES = {case: f"role_{number}" for number, case in enumerate(ROLES)}


def write_role(folder: Path, name: str, files: list[Json] | dict[str, t.Any]) -> None:
    """A role beside the play: its tasks, or its files."""
    for path, content in (files if isinstance(files, dict) else {"tasks/main.yml": files}).items():
        file = folder / "roles" / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(content, sort_keys=False))


def _named(content: t.Any, name: str) -> t.Any:
    """A role's file in which each task with a module of the collection has this name."""
    if isinstance(content, list):
        return [_named(item, name) for item in content]
    if not isinstance(content, dict):
        return content
    named = {**content, "name": name} if content.get("name") in ("Trust", "Bucket") else content
    return {
        key: _named(value, name) if key in ("block", "tasks/main.yml", "tasks/more.yml") else value
        for key, value in named.items()
    }


@pytest.fixture(scope="module")
def own_roles(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """All of these roles planned for, and those that can be foreseen applied in check mode, in one
    play.
    """
    folder = tmp_path_factory.mktemp("roles")
    clouds = [
        in_sync("in-sync"),
        in_sync("drifted", trust="lambda_only"),
        in_sync("other", bucket="fleet-without-policy", bucket_policy="none"),
    ]
    fresh(running_sandbox, clouds)
    write_role(folder, "needed", [_trust(when="false")])
    for case, files in ROLES.items():
        write_role(folder, NAMES[case], _named(files, case))
    tasks = [look(f"Look {case}", role=name) for case, name in NAMES.items()]
    tasks += [
        {"ansible.builtin.include_role": {"name": NAMES[case], "apply": {"check_mode": True}}}
        for case in FORESEEN
    ]
    run = run_play(running_sandbox, inventory_of(folder, running_sandbox, clouds[:2]), tasks)
    assert run.exit_status == 0, run.output
    return run


@pytest.mark.core
@pytest.mark.parametrize("case", FORESEEN)
def test_a_role_is_foreseen_as_it_runs(own_roles: Run, case: str) -> None:
    """Conditions, variables and results of its tasks count; no cloud counts as in sync that the
    role would change.
    """
    plan = plan_of(own_roles, f"Look {case}")
    changed = {
        host
        for host, _action, result, name in own_roles.results
        if name == case and result.get("changed")
    }
    assert changed <= set(plan["hosts"])
    assert plan["unseen"] == {}
    assert set(plan["hosts"]) == FORESEEN[case][1]


@pytest.mark.core
@pytest.mark.parametrize("case", UNFORESEEN)
def test_a_role_that_cannot_be_foreseen_lets_all_go_on(own_roles: Run, case: str) -> None:
    """And the plan says which task, and what of it."""
    plan = plan_of(own_roles, f"Look {case}")
    assert plan["hosts"] == ["in-sync", "drifted"]
    assert all(UNFORESEEN[case][1] in plan["unseen"][host] for host in plan["hosts"]), plan[
        "unseen"
    ]


def test_another_entry_point_is_planned_separately(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """A cloud that has everything is one from which everything is yet to be taken back."""
    clouds = [in_sync("one"), in_sync("two")]
    fresh(running_sandbox, clouds)
    for cloud in clouds:
        put_trust(running_sandbox, EC2_AND_LAMBDA, cloud.role_name)
    step = {
        "name": "Trust",
        TRUST: {
            "cloud_id": "{{ cloud_iam_cloud_id }}",
            "state": "{{ wanted | default('present') }}",
            **IN_ACCOUNT,
        },
    }
    taking_back = [
        _trust(when="false"),
        {"name": "Block", "vars": {"wanted": "absent"}, "block": [step]},
    ]
    write_role(tmp_path, "steps", {"tasks/main.yml": [step], "tasks/back.yml": taking_back})
    looks = [look("Look", role="steps", tasks_from="back"), look("Plan the other", role="steps")]
    applied = {"ansible.builtin.include_role": {"name": "steps", "tasks_from": "back"}}
    again = look("Look again", role="steps", tasks_from="back")
    run = run_play(
        running_sandbox, inventory_of(tmp_path, running_sandbox, clouds), [*looks, applied, again]
    )
    assert run.changed("one")
    assert run.changed("two")
    assert plan_of(run)["differing"] == {"one": ["ec2_trust_present"], "two": ["ec2_trust_present"]}
    assert (plan_of(run, "Plan the other")["right"], plan_of(run, "Look again")["right"]) == (
        2,
        2,
    )


@pytest.mark.core
def test_a_task_with_no_log_is_not_reported(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """The message of a task with no_log is censored when the task runs; the plan must not show it
    either.
    """
    fresh(running_sandbox, [in_sync("one")])
    for name, role in {
        "refused": "classified-name",
        "templated": "{{ 'classified-name' | to_datetime }}",
    }.items():
        write_role(
            tmp_path,
            name,
            [{"name": "Hidden", "no_log": True, TRUST: {"role": role, **IN_ACCOUNT}}],
        )
    looks = [look("Refused", role="refused"), look("Templated", role="templated")]
    run = run_play(
        running_sandbox, inventory_of(tmp_path, running_sandbox, [in_sync("one")]), looks, "-vvv"
    )
    assert plan_of(run, "Refused")["hosts"] == plan_of(run, "Templated")["hosts"] == ["one"]
    assert "classified-name" not in run.output


# --- plays of a user's own ------------------------------------------------------------------------

ARN = f"arn:aws:iam::{VISION_ACCOUNT}:role/{ONBOARDING_ROLE}"


def _defaults(**options: t.Any) -> list[Json]:
    return [{"group/rayfleet.anyscale.all": {"assume_role_arn": "{{ onboarding }}", **options}}]


BARE: Json = {"name": "Trust", TRUST: {"cloud_id": "{{ cloud_iam_cloud_id }}"}}
BY_ROLE = {
    "assume_role_arn": "{{ nothing | default(omit) }}",
    "cloud_id": "{{ cloud_iam_cloud_id }}",
}
# The defaults of modules, the tasks of a role, and what the plan then finds of a cloud in sync.
DEFAULTED: dict[str, tuple[list[Json], Json, tuple[str, ...] | str]] = {
    "as the tasks need them": (_defaults(), BARE, ()),
    "without them": ([], BARE, "does not exist"),
    "of one module": ([*_defaults(), {TRUST: {"state": "absent"}}], BARE, ("ec2_trust_present",)),
    "of another module": ([*_defaults(), {BUCKET: {"state": "absent"}}], BARE, ()),
    "by a template": (_defaults(region="{{ nowhere }}"), BARE, "'nowhere' is undefined"),
    "of no option": (_defaults(regoin=REGION), BARE, "regoin"),
    "hidden by an argument": (
        _defaults(state="absent"),
        {**BARE, TRUST: {**BARE[TRUST], "state": "present"}},
        (),
    ),
    "hidden by an argument that is omitted": (
        _defaults(),
        {**BARE, TRUST: BY_ROLE},
        "does not exist",
    ),
}


@pytest.fixture(scope="module")
def defaulted(running_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """For all of these a plan and the role itself, in a block with these defaults."""
    folder = tmp_path_factory.mktemp("defaulted")
    clouds = [in_sync("one"), in_sync("two")]
    fresh(running_sandbox, clouds)
    inventory = inventory_of(folder, running_sandbox, clouds, onboarding=ARN)
    for cloud in clouds:
        put_trust(running_sandbox, EC2_AND_LAMBDA, cloud.role_name)
    tasks = []
    for number, (case, (defaults, task, _seen)) in enumerate(DEFAULTED.items()):
        write_role(folder, f"role_{number}", [{**task, "name": case}])
        apply = {"check_mode": True, "ignore_errors": True}
        applied = {"ansible.builtin.include_role": {"name": f"role_{number}", "apply": apply}}
        tasks.append(
            {
                "name": "Block",
                "module_defaults": defaults,
                "block": [look(f"Look {case}", role=f"role_{number}"), applied],
            }
        )
    return run_play(running_sandbox, inventory, tasks)


@pytest.mark.core
@pytest.mark.parametrize("case", DEFAULTED)
def test_module_defaults_are_those_of_the_tasks(defaulted: Run, case: str) -> None:
    """The plan says what the role's task does, whether that is intended or not."""
    seen, (result, _other) = (
        _by_plan(plan_of(defaulted, f"Look {case}"), "one"),
        defaulted.named(case),
    )
    expected = DEFAULTED[case][2]
    if isinstance(expected, str):
        assert result["failed"]
        assert expected in result["msg"]
        assert expected in seen
    else:
        assert tuple(result["reasons"]) == expected
        assert seen == expected


@pytest.mark.parametrize("valid_token", few_of([True, False], False), ids=["accepted", "refused"])
def test_no_secret_is_shown(running_sandbox: Sandbox, tmp_path: Path, valid_token: bool) -> None:
    """Not one that module_defaults hold, not at -vvv, not in a message that would echo it."""
    clouds = [in_sync("one"), in_sync("two")]
    fresh(running_sandbox, clouds)
    key, token = (
        running_sandbox.credentials()["aws_access_key_id"],
        running_sandbox.token if valid_token else f"aph0_{SECRET}",
    )
    defaults = [
        {"group/rayfleet.anyscale.all": {"access_key": key, "secret_key": SECRET}},
        {CONFIG: {"anyscale_token": token}},
    ]
    config = {
        "name": "{{ cloud_iam_compute_config }}",
        "cloud_id": "{{ cloud_iam_cloud_id }}",
        "instance_profile": "{{ profile }}",
    }
    write_role(
        tmp_path,
        "keyed",
        [
            {"name": "Trust", TRUST: {"role": "{{ wanted }}", **IN_ACCOUNT}},
            {CONFIG: {**config, **IN_ACCOUNT}},
        ],
    )
    one = clouds[0].role_name
    own: dict[str, Json] = {
        "one": {"wanted": one, "profile": one if valid_token else token},
        "two": {"wanted": f"role/{SECRET}"},
    }
    inventory = inventory_of(tmp_path, running_sandbox, clouds, own)
    run = run_play(
        running_sandbox, inventory, [look(role="keyed")], "-vvv", module_defaults=defaults
    )
    plan = plan_of(run)
    assert plan["right"] == (1 if valid_token else 0)
    assert "which is not the name of an IAM role" in plan["unseen"]["two"]
    assert SECRET not in run.output
    assert token not in run.output
    assert SECRET not in str(run.results)
    assert token not in str(run.results)


@pytest.mark.core
def test_a_strategy_without_batches_is_refused(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """By Ansible, before anything is read."""
    fresh(running_sandbox, [in_sync("one")])
    run = run_play(
        running_sandbox,
        inventory_of(tmp_path, running_sandbox, [in_sync("one")]),
        [look()],
        strategy="free",
    )
    assert run.exit_status != 0
    assert (
        f"'{PLAN}' module bypasses the host loop, which is currently not supported in the free "
        "strategy"
    ) in run.output
    assert run.operations == {}


def test_a_wrong_argument_fails_the_plan_itself(running_sandbox: Sandbox, tmp_path: Path) -> None:
    """With a message that names it, and without a call."""
    wrong: dict[str, tuple[Json, str]] = {
        "no threads": ({"threads": 0}, "threads is 0. Give a positive number."),
        "no such role": ({"role": "rayfleet.anyscale.nothing"}, "rayfleet.anyscale.nothing"),
        "no such entry point": ({"tasks_from": "nothing"}, "nothing"),
        "no such choice": ({"observe": "sometimes"}, "observe must be one of: auto, always, never"),
        "no such option": ({"rols": "x"}, "rols"),
    }
    fresh(running_sandbox, [in_sync("one")])
    tasks = [
        {**look(case, **options), "ignore_errors": True}
        for case, (options, _words) in wrong.items()
    ]
    run = run_play(
        running_sandbox, inventory_of(tmp_path, running_sandbox, [in_sync("one")]), tasks
    )
    messages = {case: plan_of(run, case)["msg"] for case in wrong}
    assert {
        case for case, (_options, words) in wrong.items() if words not in messages[case]
    } == set(), messages
    assert all(plan_of(run, case)["failed"] for case in wrong)
    assert run.operations == {}


@pytest.mark.parametrize(
    "name", few_of(["vision,prod", "!vision", "&vision", "vision:prod:1"], "vision,prod")
)
def test_a_name_that_is_a_pattern_is_refused(
    running_sandbox: Sandbox, tmp_path: Path, name: str
) -> None:
    """Before anything is read: as the host of a play it would match other hosts, or none."""
    fresh(running_sandbox, [in_sync("one")])
    inventory = inventory_of(tmp_path, running_sandbox, [in_sync("one")])
    inventory.write_text(inventory.read_text().replace(" one:", f" '{name}':"))
    run = run_play(running_sandbox, inventory, [look()])
    assert (
        f"Host '{name}' has a name that Ansible reads as a pattern. Rename it in the inventory."
        in run.output
    )
    assert run.operations == {}


# --- what a plan costs, and where sessions are kept -----------------------------------------------

STEADY = [in_sync(f"steady-{number:02}") for number in range(30)]
SHARED: Json = {
    "cloud_iam_bucket": "{{ prefix }}-{{ inventory_hostname }}-data",
    "cloud_iam_compute_config": "{{ inventory_hostname }}-ray",
    "prefix": "any{{ 'scale' }}",
}


class Steady(t.NamedTuple):
    """One plan of a steady fleet of one account: its calls, and what it kept on the disk during the
    run and after it.
    """

    way: str
    run: Run
    calls: list[Json]
    on_disk: list[str]
    left: list[Path]


@pytest.fixture(scope="module", params=few_of(["by the page", "pages denied"], "by the page"))
def steady(
    request: pytest.FixtureRequest,
    running_sandbox: Sandbox,
    tmp_path_factory: pytest.TempPathFactory,
) -> Steady:
    """With pages, and where AWS denies them."""
    folder = tmp_path_factory.mktemp("steady")
    fresh(running_sandbox, STEADY)
    if request.param == "pages denied":
        running_sandbox.settings(denied=["GetAccountAuthorizationDetails"])
    inventory = inventory_of(folder, running_sandbox, STEADY, **SHARED)
    temporary = folder / "ansible" / "tmp"
    find = f"find {temporary} -path *rayfleet.anyscale* -printf '%m %y %f\\n'"
    tasks = [look(), {"name": "List", "ansible.builtin.command": find, "run_once": True}]
    run = run_play(running_sandbox, inventory, tasks)
    found = run.named("List")[0]["stdout_lines"]
    return Steady(
        request.param, run, running_sandbox.calls(), found, list(temporary.glob("*/rayfleet*"))
    )


def test_every_cloud_is_planned_with_its_own_variables(steady: Steady) -> None:
    """Each bucket, role and profile once: no host's variables are another's, also where they are
    templates of one another.
    """
    assert plan_of(steady.run)["right"] == len(STEADY)
    read = collections.Counter(
        call["resource"] for call in steady.calls if call["operation"] == "GetBucketPolicy"
    )
    assert read == {cloud.bucket_name: 1 for cloud in STEADY}
    for operation in ("GetRole", "GetInstanceProfile"):
        single = collections.Counter(
            call["resource"] for call in steady.calls if call["operation"] == operation
        )
        assert set(single) <= {cloud.role_name for cloud in STEADY}
        assert set(single.values()) <= {1}


@pytest.mark.long
def test_no_nested_template_is_filled_in_for_another_host(
    running_sandbox: Sandbox, tmp_path: Path
) -> None:
    """Of forty clouds, every other one wants another instance type, deep in a dictionary that all
    share.
    """
    clouds = [in_sync(f"nested-{number:02}") for number in range(40)]
    fresh(running_sandbox, clouds)
    own = {cloud.name: {"family": ("m5", "r5")[number % 2]} for number, cloud in enumerate(clouds)}
    steps: Json = {
        "cloud_iam_manage_trust": False,
        "cloud_iam_manage_bucket_access": False,
        "cloud_iam_role": "{{ cloud_iam_cloud_id }}-cluster_node_role",
    }
    inventory = inventory_of(
        tmp_path, running_sandbox, clouds, own, cloud_iam_compute_config_spec=NESTED, **steps
    )
    run = run_play(running_sandbox, inventory, [look(bulk_reads=False)])
    assert plan_of(run)["differing"] == {cloud.name: ["config_differs"] for cloud in clouds[1::2]}
    assert plan_of(run)["right"] == 20
    assert "GetAccountAuthorizationDetails" not in run.operations, "pages were not wanted"


def test_a_steady_fleet_costs_few_calls(steady: Steady) -> None:
    """A page takes the place of most reads of IAM; where pages are denied, it is two reads for each
    cloud.
    """
    operations = collections.Counter(steady.run.operations)
    assert (operations["AssumeRole"], operations["POST /api/v2/compute_templates/search"]) == (
        1,
        len(STEADY),
    )
    reads, pages = (
        operations["GetRole"] + operations["GetInstanceProfile"],
        operations["GetAccountAuthorizationDetails"],
    )
    assert pages == 1
    if steady.way == "by the page":
        assert reads + pages <= len(STEADY) + 1
    else:
        assert reads == 2 * len(STEADY)


def test_denied_pages_fail_no_cloud(steady: Steady) -> None:
    """They show nowhere."""
    assert steady.run.exit_status == 0
    assert "warnings" not in plan_of(steady.run)
    assert "GetAccountAuthorizationDetails" not in steady.run.output


@pytest.mark.core
def test_sessions_are_kept_for_the_run_alone(steady: Steady) -> None:
    """In a folder and in files that only their owner can read; both are gone with the run."""
    on_disk, left = steady.on_disk, steady.left
    assert "700 d rayfleet.anyscale" in on_disk
    files = [line for line in on_disk if " f " in line]
    assert sorted(line.rpartition(".")[2] for line in files) == ["json", "lock"]
    assert all(line.startswith("600 ") for line in files)
    assert left == []
