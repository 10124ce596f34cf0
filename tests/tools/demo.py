# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The demo: converge a fleet of clouds in the sandbox, twice, and say what happened. ``make demo`` runs it.

The clouds come from the sandbox's Anyscale API; their AWS accounts are reached by assuming a role in each.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import boto3

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox.vendor import Verdict, judge
from ansible_collections.rayfleet.anyscale.tests.tools.playbooks import Run, plugin_inventory, run_playbook

Verdicts = dict[str, Verdict]


def main() -> int:
    """0: the fleet was converged, the second run changed nothing, and the vendor accepts every cloud."""
    accounts = len({cloud.account_id for cloud in FLEET})
    print(f"Starting the sandbox and seeding it with {len(FLEET)} clouds in {accounts} AWS accounts.", flush=True)
    with Sandbox() as sandbox, tempfile.TemporaryDirectory() as folder:
        os.environ.update(sandbox.child_variables())  # the vendor's verification runs in this process
        sandbox.seed(FLEET)
        inventory = plugin_inventory(Path(folder))
        before = _judged(sandbox)
        runs = [_timed_run(sandbox, inventory, number) for number in ("first", "second")]
        after = _judged(sandbox)
    return _summarise(runs[0], runs[1], before, after)


def _judged(sandbox: Sandbox) -> Verdicts:
    return {cloud.name: judge(boto3.Session(**sandbox.credentials(cloud.account_id, setup=True)), cloud) for cloud in FLEET}


def _timed_run(sandbox: Sandbox, inventory: Path, number: str) -> Run:
    print(f"\n=== The {number} run: ansible-playbook -i {inventory.name} rayfleet.anyscale.onboard", flush=True)
    os.environ["ANSIBLE_DISPLAY_OK_HOSTS"] = "false"  # only what changed; the recap counts the others
    started = time.monotonic()
    run = run_playbook(sandbox, "onboard", inventory, show=True)
    print(f"=== It took {time.monotonic() - started:.1f} s.")
    return run


def _summarise(first: Run, second: Run, before: Verdicts, after: Verdicts) -> int:
    print("\n=== Summary")
    print(f"{'cloud':14}{'account':14}{'vendor before':18}{'vendor after':14}what the first run changed")
    for cloud in FLEET:
        name = cloud.name
        reasons = ", ".join(sorted(first.reasons(name))) or "nothing: it was right already"
        print(f"{name:14}{cloud.account_id:14}{_words(before[name]):18}{_words(after[name]):14}{reasons}")
    changed_again = sorted(cloud.name for cloud in FLEET if second.changed(cloud.name))
    refused = sorted(name for name, verdict in after.items() if not (verdict.roles and verdict.bucket))
    failed = sorted(first.failed() | second.failed())
    print(f"\nThe second run changed {', '.join(changed_again) or 'nothing'} and made {len(second.writes)} calls that write.")
    print(f"The vendor's own verification (roles, instance profile, bucket) accepts {len(FLEET) - len(refused)} of {len(FLEET)} clouds.")
    for name in refused:
        print(f"  {name}: {'; '.join(after[name].complaints)}")
    if failed:
        print(f"Failed: {', '.join(failed)}")
    print("The sandbox is down again. Nothing outside this machine was touched.")
    return int(bool(changed_again or refused or failed or second.writes))


def _words(verdict: Verdict) -> str:
    refused = [part for part in ("roles", "bucket") if not getattr(verdict, part)]
    return f"no: {'+'.join(refused)}" if refused else "accepted"


if __name__ == "__main__":
    sys.exit(main())
