# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo: audit a fleet of clouds in the sandbox, converge it, twice, audit it again, and converge
it when there is a cloud that nobody permits. ``make demo`` runs it.

Among the clouds are one whose role has the bucket by its own policy, which is left alone, one that is
moved to that, and one whose clusters get their roles by Cloud IAM mapping. On another cloud, clusters
go on with the role that they were started with.

The clouds come from the sandbox's Anyscale API; their AWS accounts are reached by assuming a role
in each. The inventory and the audits' reports stay in .cache/demo.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
import typing as t

import boto3
import yaml

from ansible_collections.rayfleet.anyscale.demo.demo_report import Outcome, Snapshot
from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Cloud, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._seed_documents import REGISTRY_POLICY
from ansible_collections.rayfleet.anyscale.tests.sandbox.anyscale_verify import verify_cloud
from ansible_collections.rayfleet.anyscale.tests.sandbox.fleet import (
    ALLOW,
    BY_MAPPING,
    ONBOARDING_ROLE,
    OTHER_WAYS,
    TO_ROLE_POLICY,
)
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import (
    Run,
    plugin_inventory,
    run_playbook,
)
from ansible_collections.rayfleet.anyscale.tools.environment import CACHE

FOLDER = CACHE / "demo"
# A line for each cloud that changed, and the reasons; what else the playbook says, the demo says
# itself.
SHOWN = {"ANSIBLE_STDOUT_CALLBACK": "rayfleet.anyscale.fleet", "ANSIBLE_DISPLAY_OK_HOSTS": "false"}
# What any member of the organization can register: the role that the runs themselves use, and the
# bucket of another cloud.
VICTIM = FLEET[0]
CLOUDS = (*FLEET, *OTHER_WAYS)
# What runs on it was started with another role, and keeps it until it is started again.
RUNNING = next(cloud for cloud in FLEET if cloud.name == "forecast-prod")
BATCH_ROLE = "ledger-batch-ray"
# What the fleet file says besides what all clouds have in common.
SECTIONS: dict[str, t.Any] = {
    "clouds": {
        TO_ROLE_POLICY.name: {"variables": {"cloud_iam_bucket_grant": "role_policy"}},
        BY_MAPPING.name: {
            "variables": {
                "cloud_iam_assign": "iam_mapping",
                "cloud_iam_manage_pass_role": True,
                "cloud_iam_control_plane_role": BY_MAPPING.control_plane_role_name,
                "cloud_iam_mapping_rules": [
                    {"selector": "workload-type in (job, service)", "role": BATCH_ROLE},
                    {"selector": "workload-type=workspace", "role": BY_MAPPING.role_name},
                ],
            }
        },
        RUNNING.name: {"variables": {"cloud_iam_check_launches": True}},
    },
}
INTRUDER = Cloud("intruder", VICTIM.account_id, role=ONBOARDING_ROLE, bucket=VICTIM.bucket_name)


def main() -> int:
    """0: the audit found drift, the first run fixed all of it, the second changed nothing, Anyscale
    accepts every cloud, and nothing was written for one that nobody permits.
    """
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    accounts = len({cloud.account_id for cloud in CLOUDS})
    print(
        f"Starting the sandbox and seeding it with {len(CLOUDS)} clouds in {accounts} AWS accounts.",
        flush=True,
    )
    print("The operator permits this, in the fleet file, and nothing else is written to:")
    print(_yaml({"allow": ALLOW}), end="")
    print(
        "For three clouds it says how their clusters get the bucket, or their roles, and what to look at:"
    )
    print(_yaml(SECTIONS), end="")
    with Sandbox() as sandbox:
        os.environ.update(sandbox.child_variables())  # Anyscale's verification runs in this process
        _seed(sandbox)
        outcome = Outcome(
            clouds=CLOUDS,
            running=RUNNING,
            before=_snapshot(
                sandbox,
                "1. An audit shows which clouds drifted, and writes nothing but its report",
                audit_report_dir="before",
            ),
            first=_onboard(
                sandbox,
                "2. The first run converges the clouds that differ, and says why each of them "
                "changed",
            ),
            second=_onboard(sandbox, "3. The second run looks again, and has nothing to change"),
            after=_snapshot(
                sandbox,
                "4. The audit afterwards compares with the one before: what failed then is fixed",
                audit_report_dir="after",
                audit_previous_report="before/report.json",
            ),
            intruded=_intruded(sandbox),
        )
        listed = _timed_run(
            sandbox,
            "6. Without a run, the rollback lists the runs that can be undone, and changes nothing",
            "rollback",
            {},
            show=True,
        )
    problems = [f"FAILED: {problem}" for problem in outcome.problems()]
    if listed.exit_status or listed.writes or len(listed.lines) != 2:
        problems.append("FAILED: the rollback did not list the one run that changed something")
    print(
        "\n=== What became of each cloud",
        *outcome.table(),
        "",
        "The other ways to the bucket, and to a role:",
        *outcome.ways(OTHER_WAYS),
        "",
        *outcome.summary(),
        *problems,
        sep="\n",
    )
    print("The sandbox is down again. Nothing outside this machine was touched.")
    print("\nThe pages of the audits, before and after, for a browser:")
    print(*(FOLDER / audit / "report.html" for audit in ("before", "after")), sep="\n")
    return int(bool(problems))


def _seed(sandbox: Sandbox) -> None:
    """The clouds, clusters that run already, and a further role, which a rule names."""
    sandbox.seed(CLOUDS)
    sandbox.seed_running(RUNNING.name)
    iam = sandbox.client("iam", BY_MAPPING.account_id)
    trust = iam.get_role(RoleName=BY_MAPPING.role_name)["Role"]["AssumeRolePolicyDocument"]
    iam.create_role(RoleName=BATCH_ROLE, AssumeRolePolicyDocument=json.dumps(trust))
    iam.attach_role_policy(
        RoleName=BATCH_ROLE, PolicyArn=f"arn:aws:iam::aws:policy/{REGISTRY_POLICY}"
    )


def _yaml(content: t.Mapping[str, t.Any]) -> str:
    return yaml.safe_dump(dict(content), sort_keys=False, default_flow_style=None, width=120)


def _snapshot(sandbox: Sandbox, title: str, **variables: str) -> Snapshot:
    """Audit the fleet, and show what the report says; Anyscale's verification judges it as well."""
    run = _timed_run(sandbox, title, "audit", variables)
    if run.exit_status:
        print(run.output)
    report = json.loads((FOLDER / variables["audit_report_dir"] / "report.json").read_text())
    verdicts = {
        cloud.name: verify_cloud(
            boto3.Session(**sandbox.credentials(cloud.account_id, setup=True)), cloud
        )
        for cloud in CLOUDS
    }
    snapshot = Snapshot(run, report, verdicts)
    print(*snapshot.lines(), sep="\n")
    return snapshot


def _onboard(sandbox: Sandbox, title: str) -> Run:
    return _timed_run(sandbox, title, "onboard", {}, show=True)


def _intruded(sandbox: Sandbox) -> Run:
    sandbox.seed((INTRUDER,))
    return _onboard(
        sandbox,
        "5. A member of the organization registers a cloud with the tool's own role, which nobody "
        f"permits, and the bucket of {VICTIM.name}: nothing is written for it",
    )


def _timed_run(
    sandbox: Sandbox, title: str, playbook: str, variables: t.Mapping[str, str], show: bool = False
) -> Run:
    inventory = plugin_inventory(FOLDER, **SECTIONS)
    arguments = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    print(f"\n=== {title}.")
    print(
        " ".join(
            ["$ ansible-playbook -i", inventory.name, f"rayfleet.anyscale.{playbook}", *arguments]
        ),
        flush=True,
    )
    started = time.monotonic()
    run = run_playbook(sandbox, playbook, inventory, *arguments, show=show, variables=SHOWN)
    print(f"It took {time.monotonic() - started:.1f} s.")
    return run


if __name__ == "__main__":
    sys.exit(main())
