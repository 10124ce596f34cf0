# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What another writer sets by a version of a compute config that it publishes between our read and our
version is kept, and no rollback reverts it unless it is forced to.
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
import typing as t
from unittest import mock

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_reconciler import (
    ComputeConfigReconciler,
    ComputeConfigStore,
    ConfigWant,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import (
    Journal,
    execute,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.restore import (
    RestoreModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    ConflictError,
    RefusedError,
    UnsettledError,
)

Json = dict[str, t.Any]
CLOUD = "cld_1234567890"
PROFILE = "arn:aws:iam::222222222222:instance-profile/ray"
OWN = {"IamInstanceProfile": {"Arn": PROFILE}}
RESOURCE = {"name": "r", "provider": "AWS", "compute_stack": "VM", "is_default": True}


def config(instance_type: str, **more: t.Any) -> Json:
    return {"cloud_id": CLOUD, "head_node_type": {"instance_type": instance_type}, **more}


@dataclasses.dataclass
class Versions:
    """A compute config at Anyscale. ``before``, ``after``: what another writer publishes just before
    and after the versions that are ours, in order.
    """

    configs: list[Json]
    before: list[Json] = dataclasses.field(default_factory=list)
    after: list[Json] = dataclasses.field(default_factory=list)

    def newest_compute_config(self, _name: str, _cloud: str) -> Json | None:
        return next(iter(self.compute_config_versions_after("", "", 0)), None)

    def compute_config_versions_after(self, _name: str, _cloud: str, version: int) -> list[Json]:
        return [
            {"id": f"cpt_{number}", "version": number, "config": self.configs[number - 1]}
            for number in range(len(self.configs), version, -1)
        ]

    def default_compute_config(self, _cloud: str) -> Json:
        return config("m5.large")

    def compute_config_names(self, _cloud: str) -> list[str]:
        return []

    def publish_compute_config(self, _name: str, new: Json, *, previous_version: int) -> Json:
        self.configs += self.before[:1]
        self.configs.append(new)
        published = {"version": len(self.configs)}
        self.configs += self.after[:1]
        del self.before[:1], self.after[:1]
        return published

    @property
    def heads(self) -> list[str]:
        """The instance type of the head node of each version."""
        return [one["head_node_type"]["instance_type"] for one in self.configs]


@dataclasses.dataclass
class Converging:
    """Convergences, with their backups."""

    versions: Versions
    directory: pathlib.Path
    journal: Journal = dataclasses.field(default_factory=Journal)

    @property
    def params(self) -> Json:
        return {
            "lock_dir": str(self.directory / "locks"),
            "backup": True,
            "backup_dir": str(self.directory / "backups"),
            "backup_key": "k" * 32,
        }

    def run(self, state: str = "present") -> Plan:
        client = t.cast(t.Any, self.versions)
        store = ComputeConfigStore(client, "team", CLOUD, lambda: mock.Mock(resources=[RESOURCE]))
        want = ConfigWant("team", CLOUD, PROFILE, state=state, account_id="222222222222")
        return self._execute(ComputeConfigReconciler(want, store))

    def roll_back(self, **more: t.Any) -> Plan:
        files = [one["backup_file"] for one in self.journal.backups]
        options = {"files": files, "force": False, "accept_unsigned": False, **more}
        anyscale = {"anyscale_host": "https://localhost", "anyscale_token": "t"}
        module = RestoreModule({**self.params, **options, **anyscale, "validate_certs": True})
        module._anyscale = t.cast(t.Any, self.versions)
        return self._execute(module.reconciler())

    def _execute(self, reconciler: Reconciler[t.Any]) -> Plan:
        live = reconciler.load()
        plan = reconciler.checked(live)
        return execute(reconciler, live, plan, self.params, False, self.journal)


@pytest.fixture
def converging(tmp_path: pathlib.Path) -> t.Callable[..., Converging]:
    return lambda *earlier, **more: Converging(Versions(list(earlier), **more), tmp_path)


Make = t.Callable[..., Converging]
SMALL, LARGE = config("m5.large"), config("m5.24xlarge")
WITH_PROFILE = {"advanced_configurations_json": OWN}


@pytest.mark.parametrize("earlier", [[SMALL], []], ids=["a next version", "the first version"])
def test_what_another_writer_set_is_kept(converging: Make, earlier: list[Json]) -> None:
    case = converging(*earlier, before=[LARGE])
    plan = case.run()
    newest, number = case.versions.configs[-1], len(earlier) + 3
    assert case.versions.heads == [
        *["m5.large"] * len(earlier),
        "m5.24xlarge",
        "m5.large",
        "m5.24xlarge",
    ]
    assert PROFILE in str(newest)
    assert plan.result["compute_config"] == f"team:{number}"
    assert plan.reasons[-1] == "concurrent_version_lost"
    assert f"They are in version {number}." in plan.warnings[-1]
    assert not case.run().changed


def test_what_another_writer_set_is_kept_where_the_profile_is_removed(converging: Make) -> None:
    case = converging({**SMALL, **WITH_PROFILE}, before=[{**LARGE, **WITH_PROFILE}])
    case.run("absent")
    assert case.versions.heads[-1] == "m5.24xlarge"
    assert PROFILE not in str(case.versions.configs[-1])


def test_what_another_writer_set_as_well_is_published_once(converging: Make) -> None:
    case = converging(SMALL, before=[{**SMALL, **WITH_PROFILE}])
    plan = case.run()
    assert (len(case.versions.configs), plan.result["compute_config"]) == (3, "team:3")
    assert plan.warnings == ()


def test_a_writer_that_published_after_ours_has_decided(converging: Make) -> None:
    """A warning says what its version may lack."""
    newest = {**config("m5.xlarge"), **WITH_PROFILE}
    case = converging(SMALL, before=[LARGE], after=[newest])
    plan = case.run()
    assert case.versions.configs[3:] == [newest]
    assert plan.result["compute_config"] == "team:4"
    assert "version 3, which this task published, does not contain its changes" in plan.warnings[0]


def test_a_writer_that_goes_on_ends_the_task(converging: Make) -> None:
    others = [config(f"m5.{size}xlarge") for size in range(2, 30)]
    case = converging(SMALL, before=others)
    with pytest.raises(UnsettledError, match="another writer keeps changing it"):
        case.run()


def test_a_rollback_does_not_revert_another_version_unless_forced(converging: Make) -> None:
    case = converging(SMALL, before=[LARGE])
    case.run()
    with pytest.raises(RefusedError, match=r"while the run wrote to it \(version 2\)"):
        case.roll_back()
    assert len(case.versions.configs) == 4
    plan = case.roll_back(force=True)
    assert case.versions.heads[4:] == ["m5.large"]
    assert "version 2" in plan.warnings[0]


def test_a_rollback_without_another_version(converging: Make) -> None:
    """Also after the same content was published again."""
    case = converging(SMALL)
    case.run()
    case.versions.configs += [LARGE, case.versions.configs[-1]]
    case.roll_back()
    assert case.versions.heads == ["m5.large", "m5.large", "m5.24xlarge", "m5.large", "m5.large"]
    assert PROFILE not in str(case.versions.configs[-1])


def test_a_backup_that_does_not_know_versions_is_restored(converging: Make) -> None:
    case = converging(SMALL, before=[{**SMALL, "idle_termination_minutes": 15}])
    case.run()
    for backup in case.journal.backups:
        path = pathlib.Path(backup["backup_file"])
        content = json.loads(path.read_text())
        del content["previous_version"], content["signature"]
        path.write_text(json.dumps(content))
    case.roll_back(accept_unsigned=True)
    assert PROFILE not in str(case.versions.configs[-1])


def test_a_rollback_that_overtakes_another_version_tells(converging: Make) -> None:
    case = converging(SMALL)
    case.run()
    case.versions.before = [LARGE]
    with pytest.raises(ConflictError, match=r"published version 3 .* Version 4, which restores"):
        case.roll_back()
