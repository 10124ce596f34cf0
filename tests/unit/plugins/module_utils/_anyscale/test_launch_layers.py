# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the scheduler and the machine pools set for instances, as the control plane answers it."""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AnyscaleError
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._anyscale.test_client import (
    Call,
    Script,
)

Json = dict[str, t.Any]

PROFILE = {"IamInstanceProfile": {"Arn": "arn:aws:iam::210987654321:instance-profile/gpu"}}
RESERVED = {"CapacityReservationSpecification": {"CapacityReservationPreference": "open"}}
SCHEDULER, POOLS = "/api/v2/scheduler/config", "/api/v2/machine_pools/"
READS: dict[str, t.Callable[[AnyscaleClient], Json]] = {
    SCHEDULER: lambda client: client.scheduler_flavors(),
    POOLS: lambda client: client.machine_pools(),
}


def refusal(text: str) -> Json:
    return {"error": {"detail": text}}


def scheduler(config: t.Any) -> Json:
    return {"result": {"version": 3, "is_active": True, "config": config}}


def flavors(*found: t.Any) -> Json:
    return scheduler({"resource_flavors": list(found)})


def pools(*templates: t.Any, **more: t.Any) -> Json:
    kinds = [{"machine_type": "gpu", "launch_templates": list(templates)}]
    pool = {"machine_pool_name": "h100", "spec": {"machine_types": kinds}, **more}
    return {"result": {"machine_pools": [pool]}}


ANSWERS: dict[str, tuple[str, int, Json, Json]] = {
    # path, status and answer, and what is found
    "no scheduler at this control plane": (SCHEDULER, 404, refusal("Not Found"), {}),
    "no active config": (SCHEDULER, 404, refusal("No active scheduler config found."), {}),
    "the scheduler is not enabled": (
        SCHEDULER,
        403,
        refusal("GRS is not enabled for this organization."),
        {},
    ),
    "the scheduler is not enabled, under another name": (
        SCHEDULER,
        403,
        refusal("Anyscale Scheduler is not enabled for this organization."),
        {},
    ),
    "an empty config": (SCHEDULER, 200, scheduler({}), {}),
    "a section of null": (SCHEDULER, 200, scheduler({"resource_flavors": None}), {}),
    "flavors": (
        SCHEDULER,
        200,
        flavors(
            {"name": "spot"},
            {"name": "gpu", "advanced_instance_config": PROFILE},
            {"name": "reserved", "advanced_instance_config": RESERVED},
            {"name": "plain", "advanced_instance_config": {}},
        ),
        {"spot": [], "gpu": [PROFILE], "reserved": [RESERVED], "plain": []},
    ),
    "no machine pools at this control plane": (POOLS, 404, refusal("Not Found"), {}),
    "no machine pools": (POOLS, 200, {"result": {"machine_pools": []}}, {}),
    "launch templates": (
        POOLS,
        200,
        pools(
            {"instance_type": "p5.48xlarge", "advanced_instance_config": PROFILE},
            {"instance_type": "p4d.24xlarge"},
            {"instance_type": "p4de.24xlarge", "advanced_configurations_json": RESERVED},
        ),
        {"h100": [PROFILE, RESERVED]},
    ),
    "machines that the customer manages": (POOLS, 200, pools(spec={"kind": "X"}), {"h100": []}),
    "a machine pool without a spec": (POOLS, 200, pools(spec=None), {"h100": []}),
}


@pytest.mark.parametrize(("path", "status", "answer", "found"), ANSWERS.values(), ids=list(ANSWERS))
def test_what_is_found(path: str, status: int, answer: Json, found: Json) -> None:
    client = Script(Call("GET", path, status, answer)).client()
    assert READS[path](client) == found


ERRORS: dict[str, tuple[str, int, t.Any, str]] = {
    "the token may not read the scheduler": (SCHEDULER, 403, refusal("Permission denied"), "403"),
    "the token may not read pools": (POOLS, 403, refusal("Permission denied"), "403"),
    "a config that is a text": (SCHEDULER, 200, scheduler("x"), "a scheduler config of another"),
    "flavors that are a text": (
        SCHEDULER,
        200,
        scheduler({"resource_flavors": "x"}),
        "resource_flavors of another form",
    ),
    "a flavor without a name": (SCHEDULER, 200, flavors({}), "name of another form"),
    "an instance configuration that is a text": (
        SCHEDULER,
        200,
        flavors({"name": "x", "advanced_instance_config": "x"}),
        "advanced_instance_config of another form",
    ),
    "pools that are a number": (POOLS, 200, {"result": {"machine_pools": 5}}, "machine_pools of"),
    "a pool without a name": (POOLS, 200, pools(machine_pool_name=None), "machine_pool_name of"),
    "a template that is a text": (POOLS, 200, pools("x"), "launch_templates of another form"),
}


@pytest.mark.parametrize(("path", "status", "answer", "words"), ERRORS.values(), ids=list(ERRORS))
def test_what_is_an_error(path: str, status: int, answer: t.Any, words: str) -> None:
    client = Script(Call("GET", path, status, answer)).client()
    with pytest.raises(AnyscaleError, match=words):
        READS[path](client)
