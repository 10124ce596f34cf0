# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Clouds that name the same resource share it, whatever they call it; what they want of it is merged, or
refused if it contradicts itself.
"""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.known import Known
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    PolicyReconciler,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    InputError,
    RefusedError,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.engine import Engine
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.kinds import KINDS
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import (
    Cloud,
    Resource,
    resources_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.services import Services
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    ATTACHMENT,
    BUCKET,
    CONFIG,
    FORMER_ATTACHMENT,
    FORMER_POLICY,
    PROFILE,
    ROLE_POLICY,
    STAGES,
    TRUST,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.fleet_in_memory import (
    planned_resource,
)

pytestmark = pytest.mark.core

ACCOUNT, OTHER_ACCOUNT = "123456789012", "210987654321"
ARN = f"arn:aws:iam::{ACCOUNT}:role/ray"
KIND: dict[str, type[Resource]] = {kind.stage: kind for kind in KINDS}


class Sessions:
    """The sessions of a run, each a name."""

    def session(self, params: t.Mapping[str, t.Any]) -> str:
        """A session."""
        return "shared"

    def fresh_session(self, params: t.Mapping[str, t.Any]) -> str:
        """One without bulk reads."""
        return "fresh"


@pytest.fixture(name="services")
def _services(monkeypatch: pytest.MonkeyPatch) -> Services:
    monkeypatch.setenv("ANYSCALE_CLI_TOKEN", "not-checked")
    return Services(t.cast(t.Any, Sessions()), clouds=3)


def cloud_of(name: str, **settings: t.Any) -> Cloud:
    """A cloud with resources of its own, named after it."""
    own: dict[str, t.Any] = {
        "account_id": ACCOUNT,
        "cloud_id": f"cld_{name}",
        "role": f"ray-{name}",
        "bucket": f"data-{name}",
        "compute_config": f"config-{name}",
        "connection": {"validate_certs": True},
        "backup": False,
    }
    return Cloud(name, CloudSettings(**{**own, **settings}))


def grouped(
    services: Services, stage: str, clouds: t.Sequence[Cloud], state: str = "present"
) -> list[list[str]]:
    """The clouds of each resource of a kind."""
    resources = resources_of(KIND[stage], clouds, services, state)
    return [[cloud.name for cloud in resource.clouds] for resource in resources]


def errors(clouds: t.Sequence[Cloud]) -> dict[str, str]:
    """The clouds that are refused, each with the reason."""
    return {cloud.name: cloud.error.message for cloud in clouds if cloud.error}


# --- keys -----------------------------------------------------------------------------------------

SAME: dict[str, tuple[str, dict[str, t.Any], dict[str, t.Any]]] = {
    "a role": (TRUST, {"role": "ray"}, {"role": "ray"}),
    "a role by its ARN": (TRUST, {"role": "ray"}, {"role": ARN}),
    "a bucket": (BUCKET, {"bucket": "data"}, {"bucket": "data"}),
    "a bucket by its ARN": (BUCKET, {"bucket": "data"}, {"bucket": "arn:aws:s3:::data"}),
    "a bucket by its URI": (BUCKET, {"bucket": "s3://data/"}, {"bucket": "data"}),
    "a bucket in another region": (
        BUCKET,
        {"bucket": "data"},
        {"bucket": "data", "connection": {"validate_certs": True, "region": "us-west-2"}},
    ),
    "an instance profile": (
        PROFILE,
        {"instance_profile": "p", "role": "ray"},
        {"instance_profile": "p", "role": "ray"},
    ),
    "the instance profile of a role": (PROFILE, {"role": "ray"}, {"role": ARN}),
    "the instance profile of a role by its name": (
        PROFILE,
        {"role": "ray"},
        {"role": "ray", "instance_profile": "ray"},
    ),
    "a compute config of a cloud": (
        CONFIG,
        {"cloud_id": "cld_1", "compute_config": "c"},
        {"cloud_id": "cld_1", "compute_config": "c"},
    ),
}


@pytest.mark.parametrize("case", SAME)
def test_these_are_the_same(services: Services, case: str) -> None:
    """One resource, of both clouds. A third cloud has another."""
    stage, one, other = SAME[case]
    clouds = [cloud_of("a", **one), cloud_of("b", **other), cloud_of("c")]
    assert grouped(services, stage, clouds) == [["a", "b"], ["c"]]
    assert errors(clouds) == {}


DIFFERENT: dict[str, tuple[str, dict[str, t.Any], dict[str, t.Any]]] = {
    "roles": (TRUST, {"role": "ray"}, {"role": "ray2"}),
    "roles of two accounts": (TRUST, {"role": "r"}, {"role": "r", "account_id": OTHER_ACCOUNT}),
    "names of other letters": (TRUST, {"role": "ray"}, {"role": "Ray"}),
    "buckets": (BUCKET, {"bucket": "data"}, {"bucket": "data2"}),
    "instance profiles of two accounts": (
        PROFILE,
        {"role": "ray"},
        {"role": "ray", "account_id": OTHER_ACCOUNT},
    ),
    "instance profiles of a role": (
        PROFILE,
        {"role": "ray"},
        {"role": "ray", "instance_profile": "p"},
    ),
    "roles by other credentials": (
        TRUST,
        {"role": "ray"},
        {"role": "ray", "connection": {"validate_certs": True, "profile": "p"}},
    ),
    "buckets by other credentials": (
        BUCKET,
        {"bucket": "data"},
        {"bucket": "data", "connection": {"validate_certs": True, "profile": "p"}},
    ),
    "compute configs of two clouds": (CONFIG, {"compute_config": "c"}, {"compute_config": "c"}),
    "compute configs of a cloud": (
        CONFIG,
        {"cloud_id": "cld_1", "compute_config": "c"},
        {"cloud_id": "cld_1", "compute_config": "d"},
    ),
}


@pytest.mark.parametrize("case", DIFFERENT)
def test_these_are_different(services: Services, case: str) -> None:
    stage, one, other = DIFFERENT[case]
    clouds = [cloud_of("a", **one), cloud_of("b", **other)]
    assert grouped(services, stage, clouds) == [["a"], ["b"]]


REGISTERED: dict[str, tuple[str | None, str | None, dict[str, t.Any], bool]] = {
    "the same": ("p1", "p1", {}, True),
    "one each": ("p1", "p2", {}, False),
    "one for one of them": ("p1", None, {}, False),
    "one each, but both name another": ("p1", "p2", {"instance_profile": "p"}, True),
}


@pytest.mark.parametrize("case", REGISTERED)
def test_clouds_of_a_role_share_a_profile_if_the_same_is_registered(
    services: Services, case: str
) -> None:
    """Else the profile of the first cloud of a run would be that of all."""
    *registered, settings, is_shared = REGISTERED[case]
    clouds = [cloud_of(name, role="ray", **settings) for name in "ab"]
    for cloud, name in zip(clouds, registered, strict=True):
        cloud.registered_profile = name and f"arn:aws:iam::{ACCOUNT}:instance-profile/{name}"
    assert grouped(services, PROFILE, clouds) == ([["a", "b"]] if is_shared else [["a"], ["b"]])


INVALID: dict[str, tuple[str, dict[str, t.Any], str]] = {
    "a bucket that is none": (BUCKET, {"bucket": "B"}, "bucket is 'B', which does not name"),
    "an empty role": (TRUST, {"role": ""}, "role is empty."),
    "a quota that is none": (TRUST, {"quota_chars": 0}, "quota_chars is 0."),
    "a role of another account": (
        TRUST,
        {"role": ARN, "account_id": OTHER_ACCOUNT},
        f"role is {ARN}, which is in account {ACCOUNT}",
    ),
}


@pytest.mark.parametrize("case", INVALID)
def test_invalid_variables_are_an_error_of_their_cloud(services: Services, case: str) -> None:
    """The others have their resources."""
    stage, settings, message = INVALID[case]
    clouds = [cloud_of("a", **settings), cloud_of("b")]
    assert grouped(services, stage, clouds) == [["b"]]
    assert list(errors(clouds)) == ["a"]
    assert errors(clouds)["a"].startswith(message)


# --- merged wants ---------------------------------------------------------------------------------


def merged(
    services: Services, stage: str, clouds: t.Sequence[Cloud], state: str = "present"
) -> t.Any:
    """The reconciler of the one resource of these clouds."""
    [resource] = resources_of(KIND[stage], clouds, services, state)
    reconciler = resource.reconciler(resource.clouds)
    assert isinstance(reconciler, PolicyReconciler)
    return reconciler


def test_a_bucket_is_planned_once_for_all_roles(services: Services) -> None:
    """Each role once."""
    clouds = [
        cloud_of("a", bucket="data"),
        cloud_of("b", bucket="data", role="ray-a"),
        cloud_of("c", bucket="data"),
    ]
    reconciler = merged(services, BUCKET, clouds)
    [planner] = reconciler._planners
    assert [str(role) for role in planner.roles] == ["ray-a", "ray-c"]
    assert reconciler.clouds == ("cld_a", "cld_b", "cld_c")


def test_only_who_wants_it_prunes_a_bucket(services: Services) -> None:
    """Of two clouds one does, in one plan after the other."""
    clouds = [
        cloud_of("a", bucket="data"),
        cloud_of("b", bucket="data", prune_dangling_principals=True),
    ]
    planners = merged(services, BUCKET, clouds)._planners
    assert [(planner.prune, [str(role) for role in planner.roles]) for planner in planners] == [
        (True, ["ray-b"]),
        (False, ["ray-a"]),
    ]


def test_a_trust_policy_is_planned_once_for_each_quota(services: Services) -> None:
    clouds = [
        cloud_of("a", role="ray"),
        cloud_of("b", role="ray"),
        cloud_of("c", role="ray", quota_chars=4096),
    ]
    reconciler = merged(services, TRUST, clouds)
    assert [planner.quota_chars for planner in reconciler._planners] == [2048, 4096]
    assert reconciler.clouds == ("cld_a", "cld_b", "cld_c")


@pytest.mark.parametrize(
    ("stage", "way"),
    [
        (BUCKET, "bucket_policy"),
        (ROLE_POLICY, "role_policy"),
        (FORMER_POLICY, "bucket_policy"),
        (ATTACHMENT, "role_policy"),
        (FORMER_ATTACHMENT, "bucket_policy"),
        (PROFILE, "either"),
    ],
)
def test_a_backup_is_of_all_clouds_that_share_the_resource(
    services: Services, stage: str, way: str
) -> None:
    """Each of them finds it for its rollback."""
    shared: dict[str, t.Any] = {"role": "ray", "bucket": "data", "bucket_grant": way}
    if stage in (ATTACHMENT, FORMER_ATTACHMENT):
        shared["bucket_policy_arn"] = ARN_OF_POLICY
    clouds = [cloud_of(name, **shared) for name in "ab"]
    found = resources_of(KIND[stage], clouds, services, "present")
    assert errors(clouds) == {}
    assert [one.reconciler(one.clouds).clouds for one in found] == [("cld_a", "cld_b")]


def test_clouds_without_an_id_are_not_named(services: Services) -> None:
    """In a backup, by which they are found."""
    clouds = [cloud_of("a", role="ray", cloud_id=None), cloud_of("b", role="ray")]
    assert merged(services, TRUST, clouds).clouds == ("cld_b",)


@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.parametrize("stage", [TRUST, BUCKET])
def test_the_state_is_wanted_by_all(services: Services, stage: str, state: str) -> None:
    [planner] = merged(services, stage, [cloud_of("a")], state)._planners
    assert planner.state == state


@pytest.mark.parametrize(("fresh", "session"), [(False, "shared"), (True, "fresh")])
def test_what_is_written_is_read_by_calls_of_its_own(
    services: Services, fresh: bool, session: str
) -> None:
    [resource] = resources_of(KIND[BUCKET], [cloud_of("a")], services, "present")
    reconciler = t.cast(t.Any, resource.reconciler(resource.clouds, fresh))
    assert reconciler._store._session == session


# --- contradictions -------------------------------------------------------------------------------


def with_profile(cloud: Cloud, arn: str = f"arn:aws:iam::{ACCOUNT}:instance-profile/p") -> Cloud:
    """The cloud with the plan of its instance profile, with which its compute config is planned."""
    after = {"role_arn": ARN, "arn": arn}
    plan = Plan(after, after, result={"instance_profile_arn": arn})
    resource = planned_resource(PROFILE)
    resource.add(cloud, cloud.settings)
    cloud.plans[resource] = plan
    return cloud


def test_a_profile_has_one_role(services: Services) -> None:
    """Clouds that want another in it are refused, and name each other. A third is not."""
    clouds = [
        cloud_of("a", instance_profile="p"),
        cloud_of("b", instance_profile="p"),
        cloud_of("c"),
    ]
    assert grouped(services, PROFILE, clouds) == [["c"]]
    message = (
        "a, b have the same instance profile, and want different things of it: they differ in "
        "cloud_iam_role."
    )
    assert errors(clouds) == dict.fromkeys("ab", message)


SHARED_ROLE = {"bucket": "data", "role": "ray"}
ARN_OF_POLICY = f"arn:aws:iam::{ACCOUNT}:policy/data"
WAYS: dict[str, tuple[dict[str, t.Any], dict[str, t.Any], bool]] = {
    "two": ({"bucket_grant": "role_policy"}, {"bucket_grant": "bucket_policy"}, True),
    "two policies of the role": (
        {"bucket_grant": "role_policy"},
        {"bucket_grant": "role_policy", "bucket_policy_arn": ARN_OF_POLICY},
        True,
    ),
    "one": ({"bucket_grant": "role_policy"}, {"bucket_grant": "role_policy"}, False),
    "one, and any": ({"bucket_grant": "role_policy"}, {}, False),
    "one, for other actions, of which the more count": (
        {"bucket_grant": "role_policy"},
        {"bucket_grant": "role_policy", "bucket_actions": "read_only"},
        False,
    ),
    "two, of two roles": (
        {"bucket_grant": "role_policy"},
        {"bucket_grant": "bucket_policy", "role": "other"},
        False,
    ),
}


@pytest.mark.parametrize("case", WAYS)
def test_a_role_gets_a_bucket_in_one_way(services: Services, case: str) -> None:
    """Else each cloud would take away in each run what the other one grants."""
    one, other, is_refused = WAYS[case]
    clouds = [cloud_of("a", **SHARED_ROLE, **one), cloud_of("b", **{**SHARED_ROLE, **other})]
    assert grouped(services, BUCKET, clouds) == ([] if is_refused else [["a", "b"]])
    message = (
        "a, b give role ray the same bucket in different ways: they differ in "
        "cloud_iam_bucket_grant or cloud_iam_bucket_policy_arn."
    )
    assert errors(clouds) == (dict.fromkeys("ab", message) if is_refused else {})


def test_no_cloud_detaches_a_policy_that_another_one_wants(services: Services) -> None:
    """It grants the role the bucket of each."""
    of_both = {"role": "ray", "bucket_policy_arn": ARN_OF_POLICY}
    one = cloud_of("a", **of_both, bucket_grant="role_policy")
    other = cloud_of("b", **of_both, bucket_grant="bucket_policy")
    same = cloud_of("c", **of_both, bucket_grant="role_policy")
    [attached] = resources_of(KIND[ATTACHMENT], [one, same], services, "present")
    [detached] = resources_of(KIND[FORMER_ATTACHMENT], [other], services, "present")
    joint = attached.joined([detached])
    assert joint.reconciler([one, same])
    with pytest.raises(InputError, match=f"a, b, c .*{ARN_OF_POLICY} .*role ray"):
        joint.reconciler([one, other, same])


CONFIG_1 = {"cloud_id": "cld_1", "compute_config": "c"}
CONTRADICTIONS: dict[str, tuple[dict[str, t.Any], str, str]] = {
    "content": ({"compute_config_spec": {"zones": ["b"]}}, "cloud_iam_compute_config_spec", ""),
    "files": ({"dest": "/other"}, "cloud_iam_dest", ""),
    "profiles": ({}, "cloud_iam_instance_profile", "arn:other"),
    "kinds of ARNs": ({"arn_kind": "role"}, "cloud_iam_instance_profile", ""),
    "several": (
        {"compute_config_spec": None, "dest": None},
        "cloud_iam_compute_config_spec, cloud_iam_dest",
        "",
    ),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_compute_config_has_one_content(services: Services, case: str) -> None:
    """The variables that differ are named, and no others; their values may be secrets."""
    settings, words, arn = CONTRADICTIONS[case]
    one = {**CONFIG_1, "compute_config_spec": {"zones": ["a"]}, "dest": "/file"}
    clouds = [
        with_profile(cloud_of("a", **one), "arn:one"),
        with_profile(cloud_of("b", **{**one, **settings}), arn or "arn:one"),
        with_profile(cloud_of("c"), "arn:one"),
    ]
    assert grouped(services, CONFIG, clouds) == [["c"]]
    assert errors(clouds)["a"].endswith(f"they differ in {words}.")
    assert errors(clouds)["b"] == errors(clouds)["a"]


def test_clouds_that_want_the_same_compute_config_share_it(services: Services) -> None:
    clouds = [with_profile(cloud_of(name, **CONFIG_1)) for name in "ab"]
    assert grouped(services, CONFIG, clouds) == [["a", "b"]]
    assert errors(clouds) == {}


@given(st.lists(st.sampled_from("xyz"), min_size=1, max_size=6))
def test_all_are_refused_or_none(roles: list[str]) -> None:
    """Who is the first one does not decide who is right."""
    services = Services(t.cast(t.Any, Sessions()), clouds=3)
    clouds = [
        cloud_of(f"c{place}", instance_profile="p", role=role, publish=False)
        for place, role in enumerate(roles)
    ]
    resources_of(KIND[PROFILE], clouds, services, "present")
    assert len(errors(clouds)) == (len(clouds) if len(set(roles)) > 1 else 0)


def test_wants_are_compared_once(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """A role that is that of the whole fleet makes no more work than one of each cloud."""
    kind, made = t.cast(t.Any, KIND[PROFILE]), list[str]()
    original = kind._want

    def counted(self: Resource, cloud: Cloud) -> t.Any:
        made.append(cloud.name)
        return original(self, cloud)

    monkeypatch.setattr(kind, "_want", counted)
    clouds = [cloud_of(f"c{place}", role="ray") for place in range(20)]
    assert len(grouped(services, PROFILE, clouds)[0]) == 20
    assert len(made) == 20


# --- clouds ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reasons", "error", "pending"),
    [
        pytest.param([(), ("differs",)], None, True, id="one of its resources differs"),
        pytest.param([(), ()], None, False, id="none differs"),
        pytest.param([("differs",)], RefusedError("No."), False, id="it is refused"),
        pytest.param([], None, False, id="nothing is planned"),
    ],
)
def test_a_cloud_is_pending(
    reasons: list[tuple[str, ...]], error: RefusedError | None, pending: bool
) -> None:
    """If it needs a change, and may have one."""
    cloud = dataclasses.replace(cloud_of("a"), error=error)
    for stage, own in zip(STAGES, reasons, strict=False):
        cloud.plans[planned_resource(stage)] = Plan(None, None, own)
    assert cloud.is_pending == pending


def test_resources_are_planned_in_an_order_that_their_plans_need() -> None:
    """The profile before the config that names it; the role first. All stages have a kind."""
    planned = [kind.stage for kind in KINDS]
    assert sorted(planned) == sorted(STAGES)
    assert planned[0] == STAGES[0] == TRUST
    assert planned.index(PROFILE) < planned.index(CONFIG)
    assert STAGES.index(PROFILE) < STAGES.index(CONFIG)


# --- one document, by several connections ---------------------------------------------------------


class InAccount:
    """A session in the account, whose buckets have no policy and whose roles all exist."""

    def account_id(self) -> str:
        """The account."""
        return ACCOUNT

    def caller_arns(self) -> tuple[str, ...]:
        """The account itself."""
        return (f"arn:aws:iam::{ACCOUNT}:root",)

    def call(self, _service: str, method: str, **arguments: t.Any) -> t.Any:
        """Answer a read."""
        if method == "get_role":
            name = arguments["RoleName"]
            arn = f"arn:aws:iam::{ACCOUNT}:role/{name}"
            return {"Role": {"RoleName": name, "RoleId": f"AROA{name}", "Arn": arn}}
        lists = {
            "list_attached_role_policies": "AttachedPolicies",
            "list_role_policies": "PolicyNames",
        }
        if method in lists:
            return {lists[method]: []}
        assert method == "get_bucket_policy"
        raise AwsError("There is no policy.", code="NoSuchBucketPolicy", status=404)


class SessionsInAccount:
    """Sessions in the account, by any connection."""

    def session(self, _params: t.Mapping[str, t.Any]) -> t.Any:
        """A session."""
        return InAccount()

    fresh_session = session

    def forget_reads(self) -> None:
        """Nothing is remembered."""


def test_a_bucket_by_several_connections_is_planned_for_all_roles() -> None:
    """Each connection has guards of its own, and the document has a size."""
    services = Services(t.cast(t.Any, SessionsInAccount()), clouds=3)
    clouds = [
        cloud_of(name, bucket="data", connection={"validate_certs": True, "profile": name})
        for name in "abc"
    ]
    engine = Engine(services, state="present", stages=[BUCKET], threads=1)
    engine.plan(clouds)
    assert errors(clouds) == {}
    assert (
        len({resource for cloud in clouds for resource in cloud.plans if resource.stage == BUCKET})
        == 3
    )


# --- the instance profile of each role ------------------------------------------------------------

REGISTERED_PROFILE = f"arn:aws:iam::{ACCOUNT}:instance-profile/registered"


class WithProfile(InAccount):
    """In which the registered instance profile holds a role, and no other profile exists."""

    def __init__(self, role: str) -> None:
        self._role = {"Arn": f"arn:aws:iam::{ACCOUNT}:role/{role}"}

    def call(self, service: str, method: str, **arguments: t.Any) -> t.Any:
        """Answer a read."""
        if method != "get_instance_profile":
            return super().call(service, method, **arguments)
        name = arguments["InstanceProfileName"]
        if name != "registered":
            raise AwsError("There is none.", code="NoSuchEntity", status=404)
        profile = {"InstanceProfileName": name, "Arn": REGISTERED_PROFILE, "Roles": [self._role]}
        return {"InstanceProfile": profile}


MISSING = ("instance_profile_missing",)
GROUP = {"node_group_roles": {"gpu": "ray-gpu"}}
RULES = {"assign": "iam_mapping", "mapping_rules": [{"selector": "x=y", "role": "ray-gpu"}]}
# What is wanted, the role in the registered profile, and the profile of each role with the reasons.
PROFILES: dict[str, tuple[str, dict[str, t.Any], str, dict[str, tuple[str, tuple[str, ...]]]]] = {
    "by a compute config": ("present", {}, "ray", {"ray": ("registered", ())}),
    "as the role that is registered": (
        "present",
        {"assign": "cloud_role"},
        "ray",
        {"ray": ("registered", ())},
    ),
    "by the rules of a mapping": (
        "present",
        RULES,
        "ray",
        {"ray": ("ray", MISSING), "ray-gpu": ("ray-gpu", MISSING)},
    ),
    "in a node group": (
        "present",
        GROUP,
        "ray-gpu",
        {"ray": ("ray", MISSING), "ray-gpu": ("ray-gpu", MISSING)},
    ),
    "in a profile of another name": (
        "present",
        {**GROUP, "instance_profile": "p"},
        "ray",
        {"ray": ("p", MISSING), "ray-gpu": ("ray-gpu", MISSING)},
    ),
    "without a question to Anyscale": (
        "present",
        {"publish": False},
        "ray",
        {"ray": ("ray", MISSING)},
    ),
    "no longer": ("absent", {}, "ray", {"ray": ("registered", ())}),
    "no longer, where there is no profile": (
        "absent",
        GROUP,
        "other",
        {"ray": ("ray", ()), "ray-gpu": ("ray-gpu", ())},
    ),
}


@pytest.mark.parametrize("case", PROFILES)
def test_the_profile_of_each_role_that_clusters_get(services: Services, case: str) -> None:
    """A node group's role is never one that clusters of the whole cloud would get by Anyscale."""
    state, settings, held, expected = PROFILES[case]
    services.sessions = t.cast(t.Any, SessionsInAccount())
    services.sessions.session = lambda _params: WithProfile(held)  # type: ignore[assignment]
    services.known = Known(
        lambda _params, _cloud: Registration(instance_profile=REGISTERED_PROFILE)
    )
    cloud = cloud_of("a", role="ray", **settings)
    found = {}
    for resource in resources_of(KIND[PROFILE], [cloud], services, state):
        reconciler = resource.reconciler(resource.clouds)
        plan = reconciler.plan(reconciler.load())
        name = plan.result["instance_profile_arn"].rpartition("/")[2]
        found[str(resource.wants_of([cloud])[0].role)] = (name, plan.reasons)
        assert reconciler.clouds == ("cld_a",)
    assert errors([cloud]) == {}
    assert found == expected
