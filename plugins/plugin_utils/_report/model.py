# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The audit's report: the state of each cloud, totals, and the changes since an earlier report.

This plugin util is private to the collection. Pure: results of the module cloud_iam_info in, one
JSON document out, from which the other formats are made.
"""

from __future__ import annotations

import collections
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    after_command,
    command_for,
    counting,
    effective_status,
    is_drift,
    launch_for,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError

SCHEMA_VERSION = 1
STATUSES = ("fail", "unknown", "warn", "pass", "not_applicable")  # of a check, the worst first
NOT_PERMITTED = "not_permitted"
DRIFTED = "drifted"
STATES = ("error", *STATUSES, NOT_PERMITTED)  # of a cloud
CHANGES = ("new", "persisting", "fixed", "gone")
FAIL_ON: dict[str, tuple[str, ...]] = {"never": (), "error": ("error",), "drift": ("error", "fail")}

_FINDINGS = ("fail", "warn")
_NO_RESULT = "There is no result for this cloud, because its task did not run."
_INCONCLUSIVE = {"unknown", "not_applicable"}

Json = dict[str, t.Any]
Findings = t.Collection[tuple[str, str]]


def make_report(
    results: t.Iterable[tuple[str, t.Any]],
    generated_at: str,
    collection_version: str,
    previous: t.Mapping[str, t.Any] | None = None,
    not_permitted: t.Container[str] = (),
    options: t.Sequence[str] = (),
    job_template: str = "",
) -> Json:
    """The report of hosts, each with its result. ``previous`` is an earlier report.

    not_permitted: the clouds that the operator neither permits nor names. Anybody can register such
    a cloud, in any state, so that it has a state of its own and fails no audit. options: what the
    commands need of this run's command line, such as its inventory. job_template: of a job of AWX, the
    one to launch in place of a command.
    """
    before = None if previous is None else _findings(previous)
    clouds = [_cloud(name, result, before, options, job_template) for name, result in results]
    for cloud in clouds:
        if cloud["name"] in not_permitted:
            cloud["state"] = NOT_PERMITTED
    checks = [check for cloud in clouds for check in cloud["checks"]]
    counted = counting(checks)
    return {
        "schema_version": SCHEMA_VERSION,
        "generated_at": generated_at,
        "collection_version": collection_version,
        "job_template": job_template or None,
        "previous": None if previous is None else {"generated_at": previous.get("generated_at")},
        "totals": {
            "clouds": _counted(STATES, (cloud["state"] for cloud in clouds)),
            "drifted": sum(standing_of(cloud)[0] == DRIFTED for cloud in clouds),
            "checks": _counted(STATUSES, (check["status"] for check in counted)),
            "acknowledged": len(checks) - len(counted),
            "changes": _counted(CHANGES, (check["change"] for check in checks)),
        },
        "clouds": clouds,
    }


def parse_report(text: str, source: str) -> Json:
    """An earlier report. Raises if the text is not a report that this one can be compared with."""
    try:
        report = _json.loads(text)
    except ValueError as error:
        message = f"The previous report {source!r} is not JSON: {error}."
        raise InputError(message, "Use the report.json of an earlier audit.") from error
    remedy = "Use a report.json of this version of the collection."
    version = report.get("schema_version") if isinstance(report, dict) else None
    if version != SCHEMA_VERSION:
        found = (
            "it is not a report"
            if version is None
            else f"its schema_version is {version}, not {SCHEMA_VERSION}"
        )
        raise InputError(f"The previous report {source!r} cannot be used: {found}.", remedy)
    clouds = report.get("clouds")
    if not isinstance(clouds, list) or not all(map(_is_comparable, clouds)):
        raise InputError(
            f"The previous report {source!r} cannot be used: its clouds are not valid.", remedy
        )
    return report


def missing_clouds(report: t.Mapping[str, t.Any], previous: t.Mapping[str, t.Any]) -> list[str]:
    """The clouds of an earlier report that are missing in this one."""
    names = {cloud["name"] for cloud in report["clouds"]}
    return [cloud["name"] for cloud in previous["clouds"] if cloud["name"] not in names]


def failed_clouds(report: t.Mapping[str, t.Any], fail_on: str) -> list[str]:
    """The clouds that make an audit fail, by the key of ``FAIL_ON``."""
    return [
        cloud["name"]
        for cloud in report["clouds"]
        if cloud["state"] in FAIL_ON[fail_on]
        or (fail_on == "drift" and cloud["state"] != NOT_PERMITTED and _has_drift(cloud))
    ]


def standing_of(cloud: t.Mapping[str, t.Any]) -> tuple[str, tuple[str, ...]]:
    """What a cloud of a report counts as, in the words of the progress of a run, and the IDs of the
    checks that show drift.
    """
    if cloud["state"] == NOT_PERMITTED:
        return NOT_PERMITTED, ()
    if cloud["state"] == "error":
        return "failed", ()
    drift = tuple(dict.fromkeys(check["id"] for check in cloud["checks"] if is_drift(check)))
    if drift:
        return DRIFTED, drift
    return ("unknown" if cloud["state"] == "unknown" else "in_sync"), ()


def failure_of(cloud: t.Mapping[str, t.Any]) -> str:
    """Why an audit fails for a cloud of a report, for the task that fails for it."""
    if cloud["state"] == "error":
        return str(cloud["error"])
    checks = cloud["checks"]
    failed = [check["id"] for check in checks if effective_status(check) == "fail"]
    drifted = [check["id"] for check in checks if check["status"] != "fail" and is_drift(check)]
    sentences = (
        f"Failed checks: {', '.join(failed)}." if failed else "",
        f"Warnings about what onboarding would change: {', '.join(drifted)}." if drifted else "",
    )
    return " ".join(filter(None, sentences))


def json_parts(
    document: t.Mapping[str, t.Any], key: str, dump: t.Callable[[t.Any], str] = _json.dumps
) -> t.Iterator[str]:
    """An object as JSON, of which the items of one key are serialized one at a time: the text of a
    large fleet is never in memory as a whole.
    """
    rest = dump({name: value for name, value in document.items() if name != key})
    yield f"{rest[:-1]}{', ' if len(rest) > len('{}') else ''}{dump(key)}: ["
    for number, item in enumerate(document[key]):
        yield f"{', ' if number else ''}{dump(item)}"
    yield "]}"


def to_json(report: Json) -> t.Iterator[str]:
    """The whole report, cloud by cloud."""
    return json_parts(report, "clouds")


def _has_drift(cloud: t.Mapping[str, t.Any]) -> bool:
    return any(map(is_drift, cloud["checks"]))


def _cloud(
    name: str,
    result: t.Any,
    before: Findings | None,
    options: t.Sequence[str],
    job_template: str,
) -> Json:
    """A host whose result has no checks, or only unknown ones, was not audited, for whatever
    reason. It must not look as if it had passed.
    """
    result = _json.plain(result) if isinstance(result, dict) else {}
    if result.get("failed") or not result.get("checks"):
        message = str(result.get("msg") or _NO_RESULT)
        return {
            "name": name,
            "state": "error",
            "cloud": result.get("cloud"),
            "error": message,
            "checks": [],
        }
    checks = [
        {
            **check,
            **_fix(check, name, options, job_template),
            "change": None
            if check.get("acknowledged")
            else _change(check["status"], before, (name, check["id"])),
        }
        for check in result["checks"]
    ]
    found = set(map(effective_status, checks))
    is_unknown = "unknown" in found and found <= _INCONCLUSIVE
    error = _all_unknown(checks) if is_unknown else None
    state = "error" if is_unknown else next(state for state in STATES if state in found)
    return {
        "name": name,
        "state": state,
        "cloud": result.get("cloud"),
        "error": error,
        "checks": checks,
    }


def _fix(check: Json, name: str, options: t.Sequence[str], job_template: str) -> Json:
    """The command that fixes a finding. In AWX it is a launch, which begins the remedy too."""
    command = check.get("command") or ""
    if not job_template or not command:
        return {"command": command_for(command, name, options)}
    launch = launch_for(command, name, job_template)
    remedy = f"{launch}. {after_command(check.get('remedy') or '')}".strip() if launch else ""
    return {"command": launch, "remedy": remedy or check.get("remedy")}


def _all_unknown(checks: t.Iterable[Json]) -> str:
    return (
        "The status of every check is unknown. "
        f"{next(check['reason'] for check in checks if check['status'] == 'unknown')}"
    )


def _change(status: str, before: Findings | None, finding: tuple[str, str]) -> str | None:
    """How a finding changed. A finding whose check is now unknown or not applicable is not called
    fixed.
    """
    if before is None or status == "unknown":
        return None
    if status in _FINDINGS:
        return "persisting" if finding in before else "new"
    if finding not in before:
        return None
    return "fixed" if status == "pass" else "gone"


def _is_comparable(cloud: t.Any) -> bool:
    """Whether a cloud of an earlier report has the keys that are compared."""
    checks = (
        cloud.get("checks")
        if isinstance(cloud, dict) and isinstance(cloud.get("name"), str)
        else None
    )
    return isinstance(checks, list) and all(
        isinstance(check, dict)
        and isinstance(check.get("id"), str)
        and isinstance(check.get("status"), str)
        for check in checks
    )


def _findings(report: t.Mapping[str, t.Any]) -> set[tuple[str, str]]:
    return {
        (cloud["name"], check["id"])
        for cloud in report["clouds"]
        for check in cloud["checks"]
        if effective_status(check) in _FINDINGS
    }


def _counted(kinds: t.Iterable[str], found: t.Iterable[str | None]) -> dict[str, int]:
    counts = collections.Counter(found)
    return {kind: counts[kind] for kind in kinds}
