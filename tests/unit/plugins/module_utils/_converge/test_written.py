# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A write whose outcome is unknown is recorded as possible, whatever it is of; one that was refused
is not.
"""

from __future__ import annotations

import typing as t
from unittest import mock

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.api import UnsentError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import parse_role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.compute_config_reconciler import (
    ComputeConfigReconciler,
    ComputeConfigStore,
    ConfigWant,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import (
    Journal,
    execute,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.instance_profile import (
    InstanceProfileReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    Reconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.restore import (
    RestoreModule,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    AwsError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    COMPUTE_CONFIG,
    Backup,
    write_backup,
)

ROLE = "arn:aws:iam::222222222222:role/ray"
PROFILE = "arn:aws:iam::222222222222:instance-profile/ray"
CLOUD = "cld_1234567890"
CONFIG = {"cloud_id": CLOUD, "head_node_type": {"instance_type": "m5.large"}}
OTHER_CONFIG = {"cloud_id": CLOUD, "head_node_type": {"instance_type": "m5.xlarge"}}
TEAM = f"compute config team of cloud {CLOUD}"
# Codes of AWS.
LOST, DENIED = "ReadTimeoutError", "AccessDenied"


def writes_of(reconciler: Reconciler[t.Any], params: t.Mapping[str, t.Any]) -> list[str]:
    """What is recorded of a convergence, also in its error."""
    live = reconciler.load()
    with pytest.raises(TaskError) as caught:
        execute(reconciler, live, reconciler.checked(live), params, False, Journal())
    return list(caught.value.details.get("written", []))


@pytest.mark.parametrize(
    ("lost", "written"),
    [
        ({"create": [LOST, DENIED]}, ["instance profile ray (possibly)"]),
        ({"create": [DENIED]}, []),
        (
            {"create": [LOST], "add": [LOST, DENIED]},
            ["instance profile ray", "role ray in instance profile ray (possibly)"],
        ),
    ],
    ids=["created, then refused", "refused", "added, then refused"],
)
def test_an_instance_profile(
    lost: dict[str, list[str]], written: list[str], tmp_path: t.Any
) -> None:
    iam = mock.Mock()
    iam.instance_profile.return_value = None
    iam.role.return_value = {"Arn": ROLE, "RoleName": "ray", "RoleId": "AROAEXAMPLE"}
    for step, call in [
        ("create", iam.create_instance_profile),
        ("add", iam.add_role_to_instance_profile),
    ]:
        errors = [AwsError("It failed.", code=code) for code in lost.get(step, [])]
        call.side_effect = [*errors, None]
    clock = mock.Mock(**{"now.return_value": 0.0})
    reconciler = InstanceProfileReconciler(
        iam, "ray", parse_role(ROLE), "222222222222", mock.Mock(), clock=clock
    )
    assert writes_of(reconciler, {"lock_dir": str(tmp_path)}) == written


def control_plane(error: TaskError, archived: bool) -> mock.Mock:
    client = mock.Mock()
    client.newest_compute_config.return_value = {
        "id": "cpt_1",
        "version": 3,
        "config": CONFIG,
        "archived_at": "2026-11-29" if archived else None,
    }
    for write in ("archive", "unarchive", "publish"):
        getattr(client, f"{write}_compute_config").side_effect = error
    return client


def wanting(state: str) -> t.Callable[[mock.Mock, t.Any], Reconciler[t.Any]]:
    resource = {"name": "r", "provider": "AWS", "compute_stack": "VM", "is_default": True}

    def make(client: mock.Mock, _directory: t.Any) -> Reconciler[t.Any]:
        store = ComputeConfigStore(client, "team", CLOUD, lambda: mock.Mock(resources=[resource]))
        return ComputeConfigReconciler(ConfigWant("team", CLOUD, PROFILE, state=state), store)

    return make


def restoring(earlier: t.Any) -> t.Callable[[mock.Mock, t.Any], Reconciler[t.Any]]:
    def make(client: mock.Mock, directory: t.Any) -> Reconciler[t.Any]:
        target = {"cloud_id": CLOUD, "name": "team"}
        params = {"backup": True, "backup_dir": str(directory), "backup_key": "k" * 32}
        backup = Backup(COMPUTE_CONFIG, target, "222222222222", earlier, CONFIG)
        files = list(write_backup(backup, params).values())
        more = {"files": files, "force": True, "accept_unsigned": True, "validate_certs": True}
        module = RestoreModule(
            {**params, **more, "anyscale_host": "https://localhost", "anyscale_token": "t"}
        )
        module._anyscale = client
        return module.reconciler()

    return make


MADE = {
    "publish": (wanting("present"), False, f"another version of {TEAM} (possibly)"),
    "archive": (wanting("archived"), False, f"{TEAM} (archived) (possibly)"),
    "unarchive": (wanting("present"), True, f"{TEAM} (unarchived) (possibly)"),
    "restore": (restoring(OTHER_CONFIG), False, f"another version of {TEAM} (possibly)"),
    "restore by archiving": (restoring(None), False, f"{TEAM} (archived) (possibly)"),
    "restore an archived one": (restoring(CONFIG), True, f"{TEAM} (unarchived) (possibly)"),
}


@pytest.mark.parametrize(("make", "archived", "written"), MADE.values(), ids=list(MADE))
def test_a_compute_config(make: t.Any, archived: bool, written: str, tmp_path: t.Any) -> None:
    params = {"lock_dir": str(tmp_path / "locks")}
    failed, unsent = AnyscaleError("It failed.", status=503), UnsentError("Nothing was sent.")
    assert writes_of(make(control_plane(failed, archived), tmp_path / "b"), params) == [written]
    assert writes_of(make(control_plane(unsent, archived), tmp_path / "c"), params) == []
