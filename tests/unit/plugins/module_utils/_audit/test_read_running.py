# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is read of what runs on a cloud: how much, where, and what is left unknown."""

from __future__ import annotations

import types
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.launch_rows import (
    Launch,
    Launches,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit import read_running
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import Fact, unknown
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.read_running import (
    RunningReader,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.instances import Instance

Json = dict[str, t.Any]

CLOUD = "cld_4fxb3wsbdcq2n1p9"
CALLER = "arn:aws:sts::222222222222:assumed-role/audit/x"


def resource(region: t.Any, **more: t.Any) -> Json:
    """A resource on virtual machines."""
    return {"provider": "AWS", "compute_stack": "VM", "region": region, **more}


class Cloud(types.SimpleNamespace):
    """A reader of a cloud with these resources."""

    def __init__(self, *resources: Json, elsewhere: str = "", **params: t.Any) -> None:
        super().__init__(
            params=params, cloud_id=CLOUD, elsewhere=elsewhere, resources=Fact(list(resources))
        )


class Session(types.SimpleNamespace):
    """A session in a region."""

    def caller_arn(self) -> str:
        """Whose it is."""
        return CALLER


@pytest.fixture(name="asked")
def _asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The sessions' and the asked regions, in their order; each region has one instance."""
    asked: list[tuple[str, str]] = []

    def running_instances(session: Session, region: str, cloud_id: str) -> list[Instance]:
        assert cloud_id == CLOUD
        asked.append((session.region, region))
        return [Instance(f"i-{region}", region, "running", None)]

    monkeypatch.setattr(read_running, "running_instances", running_instances)
    monkeypatch.setattr(read_running, "read_launches", lambda *_arguments: Launches())
    return asked


def reader(cloud: Cloud, anyscale: t.Any = True) -> RunningReader:
    """The reader, whose session is in the region of the connection."""
    return RunningReader(
        t.cast(t.Any, cloud),
        t.cast(t.Any, Session(region=cloud.params.get("region"))),
        anyscale or None,
        t.cast(t.Any, lambda params: Session(region=params["region"])),
    )


@pytest.mark.parametrize(
    ("cloud", "regions"),
    [
        pytest.param(Cloud(resource("us-west-2")), ["us-west-2"], id="its region"),
        pytest.param(
            Cloud(resource("us-west-2"), region="us-east-1"),
            ["us-west-2"],
            id="another than that of the connection",
        ),
        pytest.param(
            Cloud(resource("us-west-2"), resource("eu-west-1"), resource("us-west-2")),
            ["eu-west-1", "us-west-2"],
            id="two regions, each once",
        ),
        pytest.param(
            Cloud(resource("us-west-2"), resource("eu-west-1", compute_stack="K8S")),
            ["us-west-2"],
            id="not that of Kubernetes",
        ),
    ],
)
def test_instances_are_read_in_the_regions_of_the_cloud(
    asked: list[tuple[str, str]], cloud: Cloud, regions: list[str]
) -> None:
    found = reader(cloud).running().instances.get()
    assert [one.region for one in found] == regions
    assert asked == [(region, region) for region in regions]


@pytest.mark.parametrize("region", [None, "us-gov-west-1", "x.example.com"])
def test_a_region_of_elsewhere_is_not_asked(asked: list[tuple[str, str]], region: t.Any) -> None:
    found = reader(Cloud(resource("us-west-2"), resource(region))).running().instances
    assert found.obstacle is not None
    assert "is not a region of partition aws" in found.obstacle.outcome.reason
    assert asked == []


def test_without_anyscale_the_region_of_the_connection_is_asked(
    asked: list[tuple[str, str]],
) -> None:
    cloud = Cloud(region="us-east-1")
    cloud.resources = Fact(obstacle=unknown("Anyscale was not queried."))
    found = reader(cloud, anyscale=False).running()
    assert asked == [("us-east-1", "us-east-1")]
    assert found.launches.obstacle is not None
    assert "Anyscale was not queried" in found.launches.obstacle.outcome.reason


def test_nothing_is_read_of_a_cloud_elsewhere(asked: list[tuple[str, str]]) -> None:
    found = reader(Cloud(resource("us-west-2"), elsewhere="it is K8S")).running()
    assert found.launches.is_not_applicable
    assert found.instances.is_not_applicable
    assert asked == []


def test_instances_are_read_on_request(asked: list[tuple[str, str]]) -> None:
    found = reader(Cloud(resource("us-west-2"))).running(instances=False)
    assert found.instances.is_not_applicable
    assert asked == []


def test_each_compute_config_is_read_once_and_so_many(
    asked: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["cpt_1", "cpt_1", None, "cpt_2", "cpt_3", "cpt_1"]
    launches = Launches(
        tuple(Launch("job", f"prodjob_{n}", "x", "RUNNING", name) for n, name in enumerate(names))
    )
    read: list[str] = []

    def read_compute_config(_client: t.Any, config_id: str) -> Json:
        read.append(config_id)
        return {"id": config_id}

    monkeypatch.setattr(read_running, "read_launches", lambda *_arguments: launches)
    monkeypatch.setattr(read_running, "read_compute_config", read_compute_config)
    configs = reader(Cloud(resource("us-west-2"))).running(limit=2).configs
    assert read == ["cpt_1", "cpt_2"]
    assert list(configs) == ["cpt_1", "cpt_2", "cpt_3"]
    obstacle = configs["cpt_3"].obstacle
    assert obstacle is not None
    assert "More than 2 compute configs" in obstacle.outcome.reason
