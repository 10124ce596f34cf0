# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the stand-ins say of launches and of instances."""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import FLEET, Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._launches import PATHS
from ansible_collections.rayfleet.anyscale.tests.unit.sandbox.conftest import Api, Aws, Refused

_CLOUD, _OTHER = FLEET[7], FLEET[8]


@pytest.mark.parametrize("path", PATHS)
def test_launches_are_listed_by_cloud_and_state(sandbox: Sandbox, api: Api, path: str) -> None:
    sandbox.seed((_CLOUD, _OTHER))
    kind, largest, takes_states = PATHS[path]
    ended = {"job": "SUCCESS", "service": "TERMINATED"}.get(kind, "Terminated")
    launched = [
        sandbox.organization.launch(kind, cloud.cloud_id, "a", state=state)
        for cloud in (_CLOUD, _OTHER)
        for state in (None, ended)
    ]
    filtered = f"{path}?cloud_id={_CLOUD.cloud_id}"
    assert _ids(api("GET", filtered).body) == launched[:2]
    if takes_states:
        states = "state_filter=Running&state_filter=RUNNING"
        assert _ids(api("GET", f"{filtered}&{states}").body) == launched[:1]
    assert api("GET", f"{path}?count={largest + 1}").status == 422


def test_cloud_services_model_accepts_a_service(sandbox: Sandbox, api: Api) -> None:
    models = pytest.importorskip("anyscale.client.openapi_client.models")
    sandbox.seed((_CLOUD,))
    sandbox.organization.launch("service", _CLOUD.cloud_id, "a")
    (row,) = api("GET", "/api/v2/services-v2/").body["results"]
    known = models.DecoratedListServiceAPIModel.openapi_types
    made = models.DecoratedListServiceAPIModel(**{k: v for k, v in row.items() if k in known})
    assert made.name == "a"


def test_instances_show_their_profile_and_their_cloud(
    sandbox: Sandbox, aws: Aws, refused: Refused
) -> None:
    sandbox.seed((_CLOUD,))
    account = _CLOUD.account_id
    with_role = sandbox.accounts.add_instance(
        account, "us-west-2", _CLOUD.cloud_id, _CLOUD.role_name
    )
    sandbox.accounts.add_instance(account, "us-west-2", _CLOUD.cloud_id, state="stopped")
    sandbox.accounts.add_instance(account, "us-west-2", "cld_other")
    ec2 = aws("ec2", account)
    filters = [
        {"Name": "tag:anyscale-cloud-id", "Values": [_CLOUD.cloud_id]},
        {"Name": "instance-state-name", "Values": ["pending", "running"]},
    ]
    (reservation,) = ec2.describe_instances(Filters=filters)["Reservations"]
    (instance,) = reservation["Instances"]
    assert instance["InstanceId"] == with_role
    assert instance["IamInstanceProfile"]["Arn"] == _CLOUD.instance_profile_arn
    sandbox.settings(denied=["DescribeInstances"])
    code, status, _message = refused(ec2.describe_instances)
    assert (code, status) == ("UnauthorizedOperation", 403)


def _ids(body: dict[str, list[dict[str, str]]]) -> list[str]:
    return [row["id"] for row in body["results"]]
