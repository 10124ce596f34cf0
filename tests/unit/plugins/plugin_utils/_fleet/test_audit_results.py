# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Results on their way to the report: as they are, and for their owner alone."""

from __future__ import annotations

import pathlib
import stat

import pytest
from ansible import constants as C
from ansible.errors import AnsibleError

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.audit_results import (
    AuditResults,
    read_results,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.host_results import (
    results_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.folder import (
    RunFolder,
    new_token,
)

RESULTS = {
    "plain": {"checks": [{"id": "trust_ec2", "evidence": {"before": [None, True, 1.5]}}]},
    "ünï\u2028": {"failed": True, "msg": "{{ 6 * 7 }}\n\ud800 {% raw %}"},
    "empty": {},
}


@pytest.fixture(autouse=True)
def _temporary(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path))


def stored() -> RunFolder:
    """The folder of a run with the results."""
    run = RunFolder(new_token())
    with AuditResults(run) as results:
        for name, result in RESULTS.items():
            results.add(name, result)
    return run


def test_what_is_stored_is_read() -> None:
    """In any characters; two audits do not mix."""
    assert read_results(stored()) == read_results(stored()) == RESULTS


def test_the_file_is_for_its_owner_alone() -> None:
    """It holds policies; and its folder."""
    (path,) = pathlib.Path(stored().path).iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize("content", [None, "[", '["one"]', "[1, 2]\n7"])
def test_a_file_that_is_gone_or_damaged_is_an_error(content: str | None) -> None:
    """Not an audit of fewer clouds."""
    run = stored()
    (path,) = pathlib.Path(run.path).iterdir()
    path.unlink()
    if content is not None:
        path.write_text(content)
    with pytest.raises(AnsibleError, match="results of the audit cannot be read"):
        read_results(run)


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: pathlib.Path) -> None:
    """With the reason."""
    (tmp_path / "rayfleet.anyscale").write_text("a file")
    with pytest.raises(AnsibleError, match="cannot be stored"):
        AuditResults(RunFolder(new_token()))


def test_a_large_fleet_is_read_as_a_whole() -> None:
    """Also where it is read in chunks."""
    results = {f"cloud-{number}": {"number": number} for number in range(450)}
    run = RunFolder(new_token())
    with AuditResults(run) as file:
        for name, result in results.items():
            file.add(name, result)
    assert list(read_results(run).items()) == list(results.items())


def test_each_host_is_handed_on_with_its_result_and_no_longer_kept() -> None:
    """In the order of the hosts; a host that a task of its own audited has registered one."""
    registered = {"alone": {"register": {"checks": [], "cloud": {"region": "us-west-2"}}}}
    hosts = ["empty", "alone", "plain"]
    found = results_of(hosts, registered, "register", stored().token)
    kept = found.gi_frame.f_locals["stored"] if next(found) else None  # type: ignore[attr-defined]
    assert kept == {name: RESULTS[name] for name in RESULTS if name != "empty"}
    assert list(found) == [
        ("alone", registered["alone"]["register"]),
        ("plain", RESULTS["plain"]),
    ]
