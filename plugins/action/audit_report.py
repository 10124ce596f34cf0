# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Write the report of an audit of all hosts of a play. The documentation is in plugins/modules."""

from __future__ import annotations

import datetime
import json
import os
import typing as t
from pathlib import Path

from ansible import context
from ansible.errors import AnsibleError
from ansible.module_utils.common.yaml import yaml_load
from ansible.utils.vars import load_extra_vars

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.atomic import atomic_write
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.plain_file import open_text
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._action.run_once import (
    FleetAction,
    host_variable,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.drift import (
    Noted,
    drift_of,
    note_drift,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._events.messages import (
    noted_by_audit,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.host_results import (
    not_permitted,
    results_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.awx_artifacts import (
    published,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._outcome.recording import recording
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.asff import (
    clouds_without_place,
    is_asff_file,
    to_asff,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.console import (
    report_lines,
    too_few_clouds,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.csv import to_csv
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.findings import (
    identify,
    identity,
    with_fingerprints,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.html import to_html
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.junit import to_junit
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.model import (
    FAIL_ON,
    NOT_PERMITTED,
    failed_clouds,
    failure_of,
    make_report,
    missing_clouds,
    parse_report,
    to_json,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.ocsf import to_ocsf
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._report.sarif import to_sarif
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import RunFolder
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import (
    Invocation,
    connected_by,
    inventory_options,
    invocation_of,
    not_repeated,
    variable_options,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.uncovered import (
    how_to_permit,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.undo import (
    how_to_onboard,
    how_to_preview,
    how_to_take_all,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import (
    counted,
    summarize_names,
)

Json = dict[str, t.Any]


def _to_json(report: Json) -> t.Iterator[str]:
    """The whole report, with the fingerprints that the other formats have."""
    return to_json(with_fingerprints(report))


_FORMATS: dict[str, t.Callable[[Json], t.Iterator[str]]] = {
    "json": _to_json,
    "csv": to_csv,
    "html": to_html,
    "sarif": to_sarif,
    "ocsf": to_ocsf,
    "junit": to_junit,
}
_ASFF = "asff"  # a folder, since Security Hub takes its findings in many parts
_EXTENSIONS = {"ocsf": "ocsf.ndjson", "junit": "junit.xml"}
_RULES = {
    "argument_spec": {
        "results": {"type": "str", "default": "cloud_iam_info_result"},
        "run": {"type": "str"},
        "hosts": {"type": "list", "elements": "str"},
        "report_dir": {"type": "path", "required": True},
        "formats": {
            "type": "list",
            "elements": "str",
            "choices": [*_FORMATS, _ASFF],
            "default": ["json", "csv", "html"],
        },
        "organization": {"type": "str"},
        "previous_report": {"type": "path"},
        "fail_on": {"type": "str", "choices": list(FAIL_ON), "default": "error"},
        "label": {"type": "str"},
        "min_clouds": {"type": "int", "default": 0},
        "heal": {"type": "bool", "default": False},
        "heal_state_dir": {"type": "path"},
    }
}
_COLLECTION = Path(__file__).parents[2]
_CLOUD_ID_VARIABLES = ("cloud_iam_cloud_id", "anyscale_cloud_id")
_RESOURCE_ID_VARIABLES = ("anyscale_resource_id",)


class ActionModule(FleetAction):
    """Runs once for all hosts of the play, including those that failed."""

    rules = _RULES
    hosts_variable = "ansible_play_hosts_all"

    def run_for(self, names: list[str], hostvars: t.Any, arguments: Json) -> Json:
        """Make the report, write it in all formats, and fail as ``fail_on`` requires."""
        previous, warnings = _read_previous(arguments["previous_report"])
        invocation = invocation_of(context.CLIARGS, hostvars["localhost"])
        report = self._report(names, hostvars, arguments, previous, invocation)
        folder = os.path.abspath(arguments["report_dir"])
        paths = {
            kind: os.path.join(folder, f"report.{_EXTENSIONS.get(kind, kind)}")
            for kind in dict.fromkeys(arguments["formats"])
        }
        failed = failed_clouds(report, arguments["fail_on"])
        totals, permit = report["totals"], how_to_permit(invocation)
        too_few = too_few_clouds(totals["clouds"], arguments["min_clouds"], permit)
        healing = self._note_drift(report, arguments)
        result: Json = {"paths": paths, "counts": totals, "failed_clouds": failed}
        if arguments["run"]:
            artifact = {"step": " ".join(filter(None, ["audit", arguments["label"]])), **result}
            preview, is_written = how_to_preview(invocation), not self._task.check_mode
            lines = report_lines(report, paths, preview, is_written=is_written)
            how = how_to_onboard(healing.pending, invocation)
            lines += noted_by_audit(healing.clouds, healing.pending, healing.left, how)
            # The reason why the audit fails has the same sentence.
            lines += [permit] if totals["clouds"][NOT_PERMITTED] and not too_few else []
            _record_run(RunFolder(arguments["run"]), report, artifact, lines, too_few)
            job_id = hostvars["localhost"].get("awx_job_id")
            result["ansible_stats"] = published(artifact, job_id)
        if not self._task.check_mode:
            _write_all(report, paths, folder)
        warnings += [*healing.warnings, *_warnings_of(report, previous, arguments, invocation)]
        total = len(report["clouds"])
        reasons = [_failure(failed, total, arguments["fail_on"])] if failed else []
        reasons += [too_few] if too_few else []
        failure = {"failed": True, "msg": " ".join(reasons)} if reasons else {}
        result |= {"noted": healing.clouds, "too_few_clouds": too_few, "warnings": warnings}
        return {**result, **failure}

    def _note_drift(self, report: Json, arguments: Json) -> Noted:
        """Note what healing is to put back."""
        if not arguments["heal"] or self._task.check_mode:
            return Noted()
        return note_drift(self, drift_of(report), arguments["heal_state_dir"])

    def _report(
        self,
        names: list[str],
        hostvars: t.Any,
        arguments: Json,
        previous: Json | None,
        invocation: Invocation,
    ) -> Json:
        """The report of the hosts, whose commands have the inventory and variables of this run."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        names = names if arguments["hosts"] is None else arguments["hosts"]
        extra_vars = load_extra_vars(self._loader)
        report = make_report(
            results_of(names, hostvars, arguments["results"], arguments["run"]),
            now,
            _collection_version(),
            previous,
            not_permitted(names, hostvars),
            [*inventory_options(invocation), *variable_options(extra_vars)],
            invocation.job_template("onboard") if invocation.in_awx else "",
        )
        report["commands_need"] = not_repeated(extra_vars)
        report["connected_by"] = connected_by(extra_vars)
        report["organization"] = arguments["organization"]
        return identify(report, {name: _identity(name, hostvars[name]) for name in names})


def _record_run(
    folder: RunFolder, report: Json, artifact: Json, lines: list[str], failure: str
) -> None:
    """Record which clouds the last play of a run fails for, and why, and what it says at its end.

    failure: why the run fails besides, if it does.
    """
    failing = frozenset(artifact["failed_clouds"])
    outcomes = {
        cloud["name"]: {
            "state": "failed",
            "changed": False,
            "msg": failure_of(cloud),
            # What could not be audited was, when that happened.
            "displayed": cloud["state"] == "error",
        }
        if cloud["name"] in failing
        else {"state": cloud["state"], "changed": False}
        for cloud in report["clouds"]
    }
    of_run = {"step": artifact["step"], "left_to_tasks": [], "lines": lines}
    with recording(folder):
        folder.write_outcomes(outcomes)
        folder.write("run", {**of_run, "failure": failure, "is_published": True})


def _identity(name: str, known: t.Mapping[str, t.Any]) -> str:
    """What the fingerprints of a host's findings are made from: of the inventory alone, so that it is
    the same whether the cloud could be audited or not.
    """
    cloud_id, resource_id = (
        next(filter(None, (host_variable(known, variable) for variable in variables)), None)
        for variables in (_CLOUD_ID_VARIABLES, _RESOURCE_ID_VARIABLES)
    )
    return identity(name, cloud_id and str(cloud_id), resource_id and str(resource_id))


def _read_previous(path: str | None) -> tuple[Json | None, list[str]]:
    """The earlier report, and warnings. The first audit of a schedule has none yet, which must not
    fail it.
    """
    if path is None:
        return None, []
    try:
        with open_text(path) as file:
            text = file.read()
    except FileNotFoundError:
        return None, [
            f"The previous report {path!r} does not exist, so this report shows no changes. This "
            "is expected for the first audit."
        ]
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise AnsibleError(
            f"The previous report {path!r} cannot be read: {why}. Use the report.json of an earlier "
            "audit (playbook variable audit_previous_report, option previous_report)."
        ) from error
    return parse_report(text, path), []


def _collection_version() -> str:
    """An installed collection has a manifest, a clone only the file that it is built from."""
    manifest = _COLLECTION / "MANIFEST.json"
    if manifest.exists():
        return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
    return str(yaml_load((_COLLECTION / "galaxy.yml").read_text(encoding="utf-8"))["version"])


def _write_all(report: Json, paths: t.Mapping[str, str], folder: str) -> None:
    """Write files that the umask lets others read, each atomically, so that a concurrent reader gets
    either the old or the new one.
    """
    try:
        os.makedirs(folder, exist_ok=True)
        for kind, path in paths.items():
            if kind == _ASFF:
                _write_asff(report, path)
            else:
                _write(path, _FORMATS[kind](report))
    except OSError as error:
        raise AnsibleError(
            f"The report cannot be written to {folder!r}: {error.strerror}. Choose another "
            "directory (playbook variable audit_report_dir, option report_dir)."
        ) from error


def _write_asff(report: Json, folder: str) -> None:
    """Write the files for Security Hub, and delete those of an earlier audit that had more."""
    os.makedirs(folder, exist_ok=True)
    written = set()
    for name, parts in to_asff(report):
        _write(os.path.join(folder, name), parts)
        written.add(name)
    for name in filter(is_asff_file, os.listdir(folder)):
        if name not in written:
            os.unlink(os.path.join(folder, name))


def _write(path: str, parts: t.Iterable[str]) -> None:
    # JSON strings may hold lone surrogates, which UTF-8 cannot encode. They must not prevent the rest
    # from being written.
    encodable = (part.encode("utf-8", "backslashreplace").decode("utf-8") for part in parts)
    atomic_write(path, encodable, for_users=True)


def _warnings_of(
    report: Json, previous: Json | None, arguments: Json, invocation: Invocation
) -> list[str]:
    """What the report does not have, and what fails no audit."""
    return [
        *(_unplaced_warning(report) if _ASFF in arguments["formats"] else []),
        *(_missing_warning(report, previous, invocation) if previous else []),
        *(_unknown_warning(report) if arguments["fail_on"] == "drift" else []),
    ]


def _unplaced_warning(report: Json) -> list[str]:
    unplaced = clouds_without_place(report)
    return (
        [
            "Not in the findings for Security Hub, because the account or region is not known: "
            f"{summarize_names(unplaced)}. Set cloud_iam_account_id and "
            "cloud_iam_region."
        ]
        if unplaced
        else []
    )


def _missing_warning(report: Json, previous: Json, invocation: Invocation) -> list[str]:
    missing = missing_clouds(report, previous)
    if not missing:
        return []
    return [
        f"{counted(len(missing), 'cloud')} of the previous report "
        f"{'is' if len(missing) == 1 else 'are'} missing in this report: "
        f"{summarize_names(missing)}. {how_to_take_all(invocation)}"
    ]


def _unknown_warning(report: Json) -> list[str]:
    unknown = report["totals"]["clouds"]["unknown"]
    if not unknown:
        return []
    return [
        "Clouds that do not fail the audit, but have checks with the status unknown: "
        f"{unknown}. The reasons are in the report."
    ]


def _failure(failed: list[str], total: int, fail_on: str) -> str:
    what = "could not be audited" if fail_on == "error" else "drifted or could not be audited"
    return (
        f"{len(failed)} of {counted(total, 'cloud')} {what}: {summarize_names(failed)}. The report contains "
        "the reasons."
    )
