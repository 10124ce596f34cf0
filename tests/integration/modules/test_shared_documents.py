# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Of clouds that share a document, each is refused by its own guard alone, whichever comes first, and
check mode predicts that.
"""

from __future__ import annotations

import dataclasses
import json
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.support import engine_runs
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    OTHER_ACCOUNT,
    Json,
    bucket_policy_of,
    make_bucket,
    make_role,
    policy,
)

NOTHING: Json = {
    "manage_trust": False,
    "manage_bucket_access": False,
    "manage_compute_config": False,
    "manage_pass_role": False,
}
WITH_BUCKET: Json = {"manage_bucket_access": True, "bucket": "ray-shared"}
BUCKET: Json = {**NOTHING, **WITH_BUCKET}
PASS_ROLE: Json = {**NOTHING, "manage_pass_role": True, "control_plane_role": "launcher"}
EVERYTHING = policy({"Sid": "Ops", "Effect": "Allow", "Action": "*", "Resource": "*"})


@dataclasses.dataclass(frozen=True)
class Scene:
    """Clouds, by name, each with its variables beside its role.

    arrange: makes what they share. roles: those of clouds that have another one than their own name
    says. registered: what is registered for a cloud, beside its own role. before: the variables of
    clouds that were onboarded before the run. failed: the clouds that are refused, and words: what
    they are told; the others are changed.
    """

    clouds: t.Mapping[str, Json]
    arrange: t.Callable[[Sandbox], object] = lambda _sandbox: None
    roles: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    registered: t.Mapping[str, Json] = dataclasses.field(default_factory=dict)
    before: t.Mapping[str, Json] = dataclasses.field(default_factory=dict)
    state: str = "present"
    failed: t.Collection[str] = ()
    words: str = ""

    def role_of(self, name: str) -> str:
        """The ARN of a cloud's role."""
        return arn_of(self.roles.get(name, f"ray-{name}"))

    def states(self, changed: str) -> dict[str, str]:
        """How each cloud ends."""
        return {name: "failed" if name in self.failed else changed for name in self.clouds}


def arn_of(role: str, account: str = ACCOUNT) -> str:
    """The ARN of a role."""
    return f"arn:aws:iam::{account}:role/{role}"


def with_buckets(sandbox: Sandbox) -> None:
    """The bucket that clouds share, and one for each."""
    for name in ("ray-shared", "ray-one", "ray-two"):
        make_bucket(sandbox, name)


def with_launcher(sandbox: Sandbox) -> None:
    """The control-plane role that clouds share, and a cloud whose role may do everything."""
    make_role(sandbox, "launcher")
    make_bucket(sandbox, "ray-shared")
    sandbox.client("iam", ACCOUNT).put_role_policy(
        RoleName="ray-admin", PolicyName="ops", PolicyDocument=json.dumps(EVERYTHING)
    )


def with_shared_policy(sandbox: Sandbox) -> None:
    """A managed policy that grants the bucket."""
    with_buckets(sandbox)
    arns = ["arn:aws:s3:::ray-shared", "arn:aws:s3:::ray-shared/*"]
    document = policy({"Effect": "Allow", "Action": "s3:*", "Resource": arns})
    sandbox.client("iam", ACCOUNT).create_policy(
        PolicyName="ray-data", PolicyDocument=json.dumps(document)
    )


BY_ROLE_POLICY: Json = {**BUCKET, "bucket_grant": "role_policy"}
BY_ATTACHMENT: Json = {
    **BY_ROLE_POLICY,
    "bucket_policy_arn": f"arn:aws:iam::{ACCOUNT}:policy/ray-data",
}
TRUST: Json = {**NOTHING, "manage_trust": True}
PROFILE: Json = {**NOTHING, "assign": "cloud_role"}
ELSEWHERE: Json = {"cluster_iam_role_id": arn_of("ray-elsewhere", OTHER_ACCOUNT)}
LAUNCHES: Json = {"anyscale_iam_role_id": arn_of("ray-shared")}
SAME_ROLE = {"one": "ray-shared", "two": "ray-shared"}

SCENES: dict[str, Scene] = {
    "a bucket, and a cloud for which another one's role is registered as control-plane role": Scene(
        {"evil": BUCKET, "b": BUCKET, "c": BUCKET},
        with_buckets,
        registered={"evil": {"anyscale_iam_role_id": arn_of("ray-b")}},
    ),
    "a bucket, and a refused cloud": Scene(
        {"evil": BUCKET, "b": BUCKET, "c": BUCKET},
        with_buckets,
        registered={"evil": {"anyscale_iam_role_id": arn_of("ray-evil")}},
        failed=["evil"],
        words="control-plane role",
    ),
    "a bucket that clouds leave, one of them registered elsewhere": Scene(
        {"old": BUCKET, "b": BUCKET},
        with_buckets,
        registered={"old": ELSEWHERE},
        before={"old": BUCKET, "b": BUCKET},
        state="absent",
        failed=["old"],
        words="registered",
    ),
    "a control-plane role, and a privileged role that its cloud permits": Scene(
        {"strict": PASS_ROLE, "admin": {**PASS_ROLE, "allow_privileged": True}},
        with_launcher,
    ),
    "a control-plane role, and a privileged role that its cloud does not permit": Scene(
        {"other": {**PASS_ROLE, "allow_privileged": True}, "admin": PASS_ROLE},
        with_launcher,
        failed=["admin"],
        words="cloud_iam_allow_privileged",
    ),
    "a control-plane role that may pass a privileged role already": Scene(
        {"admin": {**PASS_ROLE, **WITH_BUCKET}, "other": PASS_ROLE},
        with_launcher,
        before={"admin": {**PASS_ROLE, "allow_privileged": True}},
    ),
    "a role policy, and a refused cloud": Scene(
        {
            "one": {**BY_ROLE_POLICY, "bucket": "ray-one"},
            "two": {**BY_ROLE_POLICY, "bucket": "ray-two"},
        },
        with_buckets,
        SAME_ROLE,
        {"one": LAUNCHES},
        failed=["one"],
        words="control-plane role",
    ),
    "an attachment, and a refused cloud": Scene(
        {"one": BY_ATTACHMENT, "two": BY_ATTACHMENT},
        with_shared_policy,
        SAME_ROLE,
        {"one": LAUNCHES},
        failed=["one"],
        words="control-plane role",
    ),
    "a trust policy, and a refused cloud": Scene(
        {"one": TRUST, "two": TRUST},
        roles=SAME_ROLE,
        registered={"one": LAUNCHES},
        failed=["one"],
        words="control-plane role",
    ),
    "an instance profile, and a refused cloud": Scene(
        {"one": PROFILE, "two": PROFILE},
        roles=SAME_ROLE,
        registered={"one": LAUNCHES},
        failed=["one"],
        words="control-plane role",
    ),
}


def registered(sandbox: Sandbox, scene: Scene, name: str, **variables: t.Any) -> Json:
    """The variables of a cloud of a scene, which is registered as the scene says."""
    config = {"cluster_iam_role_id": scene.role_of(name), **scene.registered.get(name, {})}
    return {
        "account_id": ACCOUNT,
        "cloud_id": sandbox.organization.add_cloud(name, aws_config=config),
        "role": scene.role_of(name),
        "backup_dir": str(Path.home() / "backups"),
        "lock_dir": str(Path.home() / "locks"),
        **variables,
    }


def arranged(sandbox: Sandbox, scene: Scene) -> None:
    """The roles of the clouds, what they share, and what was done for them before."""
    for role in dict.fromkeys(scene.role_of(name).rpartition("/")[2] for name in scene.clouds):
        make_role(sandbox, role)
    scene.arrange(sandbox)
    honest = dataclasses.replace(scene, registered={})
    for name, variables in scene.before.items():
        cloud = {name: registered(sandbox, honest, name, **variables)}
        assert engine_runs.converge(cloud, confirm=False)[name]["state"] == "changed"


@pytest.mark.parametrize("is_reversed", [False, True], ids=["in order", "reversed"])
@pytest.mark.parametrize("case", SCENES)
def test_a_cloud_is_refused_alone(sandbox: Sandbox, case: str, is_reversed: bool) -> None:
    """The others are converged, as predicted, and then nothing is left to do."""
    scene = SCENES[case]
    arranged(sandbox, scene)
    names = sorted(scene.clouds, reverse=is_reversed)
    clouds = {name: registered(sandbox, scene, name, **scene.clouds[name]) for name in names}
    for changed, check_mode in (("would_change", True), ("changed", False)):
        outcomes = engine_runs.converge(clouds, scene.state, check_mode=check_mode, confirm=False)
        found = {name: one["state"] for name, one in outcomes.items()}
        assert found == scene.states(changed), outcomes
        assert all(scene.words in outcomes[name]["msg"] for name in scene.failed)
        assert not any(outcomes[name]["changed"] for name in scene.failed)
    again = engine_runs.converge(clouds, scene.state, confirm=False)
    assert not any(one["changed"] for one in again.values())


def test_what_a_refused_cloud_wants_is_not_written(sandbox: Sandbox) -> None:
    """Also if it is first."""
    scene = SCENES["a bucket, and a refused cloud"]
    arranged(sandbox, scene)
    names = ("evil", "b", "c")
    engine_runs.converge({name: registered(sandbox, scene, name, **BUCKET) for name in names})
    written = json.dumps(bucket_policy_of(sandbox, "ray-shared"))
    assert [f"ray-{name}" in written for name in names] == [False, True, True]


LESS = {**BY_ROLE_POLICY, "bucket_actions": "read_only"}
# What is registered for the cloud that needs more, who is in the run, and whether the role stays.
MOVES: dict[str, tuple[dict[str, Json], tuple[str, ...], bool]] = {
    "it is refused": ({"one": ELSEWHERE}, ("one", "two"), True),
    "it is not in the run": ({}, ("two",), True),
    "it gets more by the same run": ({}, ("one", "two"), False),
}


@pytest.mark.parametrize("is_reversed", [False, True], ids=["in order", "reversed"])
@pytest.mark.parametrize("case", MOVES)
def test_a_role_keeps_what_another_cloud_needs(
    sandbox: Sandbox, case: str, is_reversed: bool
) -> None:
    """If a cloud with the same role moves to a policy of the role that grants less."""
    told, names, stays = MOVES[case]
    scene = Scene(
        {"one": BY_ROLE_POLICY, "two": LESS},
        with_buckets,
        SAME_ROLE,
        told,
        before={"one": BUCKET},
        failed=["one"] if told else [],
    )
    arranged(sandbox, scene)
    before = bucket_policy_of(sandbox, "ray-shared")
    clouds = {
        name: registered(sandbox, scene, name, **scene.clouds[name])
        for name in sorted(names, reverse=is_reversed)
    }
    for changed, check_mode in (("would_change", True), ("changed", False)):
        outcomes = engine_runs.converge(clouds, check_mode=check_mode, confirm=False)
        states = scene.states(changed)
        assert {name: one["state"] for name, one in outcomes.items()} == {
            name: states[name] for name in names
        }, outcomes
        assert not stays or "s3:PutObject" in str(outcomes["two"]["warnings"])
    assert bucket_policy_of(sandbox, "ray-shared") == (before if stays else None)
    again = engine_runs.converge(clouds, confirm=False)
    assert not any(one["changed"] for one in again.values())
