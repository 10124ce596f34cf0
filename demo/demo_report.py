# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The results of the demo's runs: a report for people, and a list of what is not as expected."""

from __future__ import annotations

import collections
import dataclasses
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.console import report_lines
from ansible_collections.rayfleet.anyscale.tests.sandbox import Cloud
from ansible_collections.rayfleet.anyscale.tests.sandbox.anyscale_verify import Verdict
from ansible_collections.rayfleet.anyscale.tests.support.playbook_runs import Run

Json = dict[str, t.Any]

_FINDINGS = ("fail", "unknown", "warn")  # statuses of checks
# The checks that fail until what runs is started again.
_OF_RUNNING = ("launches_use_the_config", "instances_run_with_the_role")


@dataclasses.dataclass(frozen=True)
class Snapshot:
    """How the fleet was at one time: an audit's run and report, and the verdicts of Anyscale's
    own verification.
    """

    run: Run
    report: Json
    verdicts: dict[str, Verdict]

    def lines(self) -> list[str]:
        """A line for each cloud that something is found of, and what the audit says at its end."""
        clouds = [
            (cloud["name"], cloud["error"] or _findings(cloud)) for cloud in self.report["clouds"]
        ]
        return [
            *(f"  {name:14}{found}" for name, found in clouds if found),
            *report_lines(self.report, {}, "onboard --check", is_written=False),
        ]

    def checks(self, key: str, *values: str) -> list[tuple[str, Json]]:
        """The checks that have one of these values, such as a status, each with its cloud."""
        return [
            (cloud["name"], check)
            for cloud in self.report["clouds"]
            for check in cloud["checks"]
            if check[key] in values
        ]

    def refused(self) -> list[str]:
        """The clouds that Anyscale refuses."""
        return sorted(
            name
            for name, verdict in self.verdicts.items()
            if not (verdict.roles and verdict.bucket)
        )


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The demo's five steps. running: the cloud on which clusters go on with their former role."""

    clouds: tuple[Cloud, ...]
    running: Cloud
    before: Snapshot
    first: Run
    second: Run
    after: Snapshot
    intruded: Run

    def table(self) -> list[str]:
        """Each cloud by the audits and by Anyscale, before and after."""
        found = (
            self.before.checks("status", *_FINDINGS),
            self.after.checks("status", *_FINDINGS),
            self.after.checks("change", "fixed"),
        )
        counts = [collections.Counter(name for name, _check in checks) for checks in found]
        lines = [
            f"{'cloud':15}{'account':14}{'findings':10}{'afterwards':12}{'fixed':7}"
            f"{'Anyscale before':18}Anyscale after"
        ]
        for cloud in sorted(self.clouds, key=lambda cloud: cloud.name):
            found_before, found_after, fixed = (count[cloud.name] for count in counts)
            before, after = (
                _words(snapshot.verdicts[cloud.name]) for snapshot in (self.before, self.after)
            )
            lines.append(
                f"{cloud.name:15}{cloud.account_id:14}{found_before:<10}{found_after:<12}{fixed:<7}{before:18}{after}"
            )
        return lines

    def ways(self, clouds: t.Iterable[Cloud]) -> list[str]:
        """How the roles of these clouds have their buckets, before and after, by the audits."""
        names = [cloud.name for cloud in clouds]
        return [
            f"  {name:13}{when} {check['reason']}"
            for when, snapshot in (("before:", self.before), ("after: ", self.after))
            for name, check in snapshot.checks("id", "bucket_access")
            if name in names
        ]

    def summary(self) -> list[str]:
        """The summary, with all that is left for an operator."""
        left, refused = self.after.checks("status", *_FINDINGS), self.after.refused()
        changed = [cloud.name for cloud in self.clouds if self.second.changed(cloud.name)]
        return [
            (
                f"The second run changed {', '.join(changed) or 'nothing'} and made "
                f"{len(self.second.writes)} calls that write."
            ),
            (
                "Anyscale's own verification (roles, instance profile, bucket) accepts "
                f"{len(self.clouds) - len(refused)} of {len(self.clouds)} clouds."
            ),
            *(f"  {name}: {'; '.join(self.after.verdicts[name].complaints)}" for name in refused),
            f"{len(left)} findings are left for people{':' if left else '.'}",
            *(f"  {name}, {check['id']}: {check['reason']}" for name, check in left),
        ]

    def problems(self) -> list[str]:
        """What must not be."""
        audits = (self.before.run, self.after.run)
        wrong = {
            (name, check["id"]) for name, check in self.after.checks("status", "fail", "unknown")
        }
        former = {(self.running.name, check) for check in _OF_RUNNING}
        errors = [cloud for cloud in self.after.report["clouds"] if cloud["error"]]
        runs = (*audits, self.first, self.second, self.intruded)
        found = {
            "A run failed.": any(run.exit_status for run in runs),
            "An audit made calls that write.": any(run.writes for run in audits),
            "The audit before found nothing that fails.": not self.before.checks("status", "fail"),
            "The audit afterwards found what fails, or what it could not tell.": bool(
                errors or wrong - former
            ),
            "The audit afterwards did not find what still runs with another role.": bool(
                former - wrong
            ),
            "The audit afterwards marked nothing as fixed.": not self.after.checks(
                "change", "fixed"
            ),
            "The second run changed a cloud.": any(
                self.second.changed(cloud.name) for cloud in self.clouds
            ),
            "The second run made calls that write.": bool(self.second.writes),
            "Anyscale refuses a cloud.": bool(self.after.refused()),
            "Something was written when there was a cloud that nobody permits.": bool(
                self.intruded.writes
            ),
            "It was not said that nobody permits that cloud.": (
                "The fleet file does not cover" not in self.intruded.output
            ),
        }
        return [problem for problem, is_so in found.items() if is_so]


def _findings(cloud: Json) -> str:
    ids = {
        status: [check["id"] for check in cloud["checks"] if check["status"] == status]
        for status in _FINDINGS
    }
    return "; ".join(f"{status}: {', '.join(names)}" for status, names in ids.items() if names)


def _words(verdict: Verdict) -> str:
    refused = [part for part in ("roles", "bucket") if not getattr(verdict, part)]
    return f"no: {'+'.join(refused)}" if refused else "accepted"
