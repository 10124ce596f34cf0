# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A role is not taken from a cloud that falls back to it, nor from a cloud that is not offboarded
with it, unless the operator asks for that.
"""

from __future__ import annotations

import dataclasses
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.role_users import (
    CloudRoles,
    cloud_roles_of,
    refusals,
)

ACCOUNT, ELSEWHERE = "222222222222", "333333333333"
ROLE, ARN = "search-ray", f"arn:aws:iam::{ACCOUNT}:role/ray/lab/search-ray"
USUAL, OTHER_USUAL = "cld_one-cluster_node_role", "cld_other-cluster_node_role"
Variables = dict[str, t.Any]


def cloud(cloud_id: str, **more: t.Any) -> Variables:
    """Variables of a cloud; ``registered`` is the role that Anyscale has."""
    given_variables = {"cloud_id": cloud_id, "account_id": ACCOUNT, **more}
    registered = given_variables.pop("registered", None)
    variables = {f"cloud_iam_{name}": value for name, value in given_variables.items()}
    return {**variables, "anyscale_default_role_arn": registered}


def mapped(*roles: str) -> Variables:
    """Variables of rules of a Cloud IAM mapping."""
    return {"assign": "iam_mapping", "mapping_rules": [{"role": role} for role in roles]}


def refused(
    one: Variables, other: Variables | None = None, select: str = "one", **switches: bool
) -> dict[str, str]:
    """The refusals of a fleet of one cloud or two."""
    fleet = {"one": cloud_roles_of(one)} | (
        {"other": cloud_roles_of(other)} if other is not None else {}
    )
    allowed = {
        name: frozenset(fleet) if switches.get(name) else frozenset()
        for name in ("default_role", "shared_role")
    }
    return refusals(fleet, select.split(), **allowed)


# --- a cloud's own default role -------------------------------------------------------------------

DEFAULT: dict[str, tuple[Variables, str]] = {
    "the usual one, because no role is named": ({}, USUAL),
    "the usual one, because an empty role is named": ({"role": ""}, USUAL),
    "the usual one, by its name": ({"role": USUAL}, USUAL),
    "the usual one, by its ARN": ({"role": f"arn:aws:iam::{ACCOUNT}:role/{USUAL}"}, USUAL),
    "the usual one, where another one is registered": ({"role": USUAL, "registered": ARN}, USUAL),
    "the registered one, because no role is named": ({"registered": ARN}, ROLE),
    "the registered one, by its name": ({"role": ROLE, "registered": ARN}, ROLE),
    "the registered one, by its ARN with a path": ({"role": ARN, "registered": ARN}, ROLE),
    "the registered one, by its name in other letters": (
        {"role": ROLE.upper(), "registered": ARN},
        ROLE.upper(),
    ),
    "the usual one, for a node group": ({"role": "own", "node_group_roles": {"a": USUAL}}, USUAL),
    "the usual one, in a rule": ({"role": "own", **mapped(USUAL)}, USUAL),
    "the registered one, where the path is given differently": (
        {"role": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}", "registered": ARN},
        ROLE,
    ),
}


@pytest.mark.parametrize("case", DEFAULT)
def test_the_default_role_of_a_cloud_is_refused(case: str) -> None:
    variables, role = DEFAULT[case]
    one = cloud("cld_one", **variables)
    message = refused(one)["one"]
    assert message.startswith(f"{role} is the default role of cloud cld_one: without it, none of")
    assert "Set cloud_iam_role to another role" in message
    assert "set offboard_default_role=true for this cloud" in message
    assert set(refused(one, shared_role=True)) == {"one"}, "the other switch does not allow it"
    assert refused(one, default_role=True) == {}


NOT_DEFAULT: dict[str, Variables] = {
    "another one than the usual one": {"role": ROLE},
    "another one than the registered one": {"role": "own", "registered": ARN},
    "where Anyscale has nothing registered": {"role": ROLE, "registered": ""},
    "where null is registered": {"role": ROLE, "registered": None},
    "those of rules alone": mapped(ROLE),
    "the default role of a node group that the assignment leaves out": {
        "role": ROLE,
        "node_group_roles": {"gpu": USUAL},
        **mapped("own"),
    },
    "a name that only begins like the registered one": {"role": f"{ROLE}-2", "registered": ARN},
    "a name that only ends like the registered one": {"role": f"old-{ROLE}", "registered": ARN},
}


@pytest.mark.parametrize("case", NOT_DEFAULT)
def test_another_role_of_a_cloud_is_not_refused(case: str) -> None:
    assert refused(cloud("cld_one", **NOT_DEFAULT[case])) == {}


@pytest.mark.parametrize("cloud_id", [None, "", "no cloud's ID"])
def test_where_the_default_role_is_unknown_any_role_is_refused(cloud_id: str | None) -> None:
    """Without a valid cloud ID and a registered role nothing tells which role clusters fall back to."""
    one = cloud(t.cast(str, cloud_id), role=ROLE)
    assert refused(one)["one"].startswith(f"Whether {ROLE} is the default role of this cloud is un")
    assert "cloud_iam_cloud_id" in refused(one)["one"]
    assert refused(one, default_role=True) == {}
    assert refused({**one, "anyscale_default_role_arn": f"{ARN}-2"}) == {}
    registered = refused({**one, "anyscale_default_role_arn": ARN})["one"]
    assert f"{ROLE} is the default role of " in registered


def test_a_cloud_that_names_nothing_is_left_to_the_validation_of_its_variables() -> None:
    """There is no role that it could lose."""
    assert refused({}, {}, select="one other") == {}


# --- a role of other clouds -----------------------------------------------------------------------

UNKNOWN: Variables = {"account_id": None}
SHARED: dict[str, tuple[Variables, Variables]] = {
    "by its ARN": ({"role": ARN}, {"role": ARN}),
    "by its name in other letters": ({"role": ARN}, {"role": ROLE.title()}),
    "as its registered role, in other letters": (
        {"role": ROLE.title()},
        {"role": "own", "registered": ARN},
    ),
    "by its ARN, with another path": (
        {"role": f"arn:aws:iam::{ACCOUNT}:role/{ROLE}"},
        {"role": ARN},
    ),
    "by its name": ({"role": ARN}, {"role": ROLE}),
    "by its ARN, which has the account": ({"role": ARN}, {"role": ARN, **UNKNOWN}),
    "by its name, in an unknown account": ({"role": ARN}, {"role": ROLE, **UNKNOWN}),
    "as its registered role": ({"role": ARN}, {"role": "own", "registered": ARN}),
    "as its registered role, which has the account": (
        {"role": ARN},
        {"role": "own", "registered": ARN, **UNKNOWN},
    ),
    "for a node group": ({"role": ARN}, {"role": "own", "node_group_roles": {"gpu": ROLE}}),
    "in a rule": ({"role": ARN}, {"role": "own", **mapped("other", ROLE)}),
    "which the offboarded cloud has in a rule": (mapped("other", ROLE), {"role": ARN}),
    "as its registered role, where it names no role": ({"role": ARN}, {"registered": ARN}),
    "as its usual role, because it names no role": ({"role": OTHER_USUAL}, {}),
    "as its usual role, where it names another one": ({"role": OTHER_USUAL}, {"role": "own"}),
    "as its usual role, where another one is registered": (
        {"role": OTHER_USUAL},
        {"role": "own", "registered": ARN},
    ),
    "by its name, and the offboarded cloud's own account is unknown": (
        {"role": ROLE, **UNKNOWN},
        {"role": ROLE, "account_id": ELSEWHERE},
    ),
    "by its name, and both accounts are unknown": (
        {"role": ROLE, **UNKNOWN},
        {"role": ROLE, **UNKNOWN},
    ),
    "in the account of the registered role of the offboarded cloud": (
        {"role": ROLE, "registered": f"arn:aws:iam::{ACCOUNT}:role/own", **UNKNOWN},
        {"role": ROLE},
    ),
    "in an account that YAML made a number": (
        {"role": ROLE},
        {"role": ROLE, "account_id": 222222222222},
    ),
    "without a cloud ID": ({"role": ARN}, {"role": ROLE, "cloud_id": None}),
}


@pytest.mark.parametrize("case", SHARED)
def test_a_role_that_another_cloud_needs_is_refused(case: str) -> None:
    variables, others = SHARED[case]
    one, other = cloud("cld_one", **variables), cloud(**{"cloud_id": "cld_other", **others})
    name = str(variables.get("role", ROLE)).rpartition("/")[2]
    message = refused(one, other)["one"]
    assert message.startswith(f"{name} is also a role of other, according to the inventory.")
    assert "select them too" in message
    assert "set offboard_shared_role=true for this cloud" in message
    assert refused(one, other, shared_role=True) == {}
    assert set(refused(one, other, default_role=True)) == {"one"}, "the other switch does not"


FREE: dict[str, tuple[Variables, Variables]] = {
    "the other cloud has another one": ({"role": ARN}, {"role": "own"}),
    "the other cloud has another one, in an unknown account": (
        {"role": ARN},
        {"role": "own", **UNKNOWN},
    ),
    "the other cloud is in another account": (
        {"role": ARN},
        {"role": ROLE, "account_id": ELSEWHERE},
    ),
    "the other cloud is in the account of its role": (
        {"role": ARN},
        {"role": ARN.replace(ACCOUNT, ELSEWHERE), **UNKNOWN},
    ),
    "the other cloud's registered role is in another account": (
        {"role": ARN},
        {"registered": ARN.replace(ACCOUNT, ELSEWHERE), "account_id": ELSEWHERE},
    ),
    "the other cloud is in the account of its registered role": (
        {"role": ARN},
        {"role": ROLE, "registered": f"arn:aws:iam::{ELSEWHERE}:role/own", **UNKNOWN},
    ),
    "the offboarded cloud is in the account of its role": (
        {"role": ARN, **UNKNOWN},
        {"role": ROLE, "account_id": ELSEWHERE},
    ),
    "nothing is registered for the other cloud": ({"role": ARN}, {"role": "own", "registered": ""}),
    "a dot in its name is no wildcard": ({"role": "ray.a"}, {"role": "ray-a"}),
}


@pytest.mark.parametrize("case", FREE)
def test_a_role_that_no_other_cloud_needs_is_not_refused(case: str) -> None:
    variables, others = FREE[case]
    assert refused(cloud("cld_one", **variables), cloud("cld_other", **others)) == {}


class Both(t.NamedTuple):
    """Two clouds that are both offboarded, and which of them is refused by default, and with
    ``offboard_default_role``.
    """

    one: Variables
    other: Variables
    refused: set[str]
    on_request: set[str]


BOTH = {
    "one role of both": Both({"role": ARN}, {"role": ROLE}, set(), set()),
    "the default role of the other one, which loses another one": Both(
        {"role": ARN}, {"role": "own", "registered": ARN}, {"one"}, {"one"}
    ),
    "the default role of the other one, which loses it too": Both(
        {"role": ARN}, {"role": ARN, "registered": ARN}, {"one", "other"}, set()
    ),
    "the default role of both": Both(
        {"role": ARN, "registered": ARN},
        {"role": ARN, "registered": ARN},
        {"one", "other"},
        set(),
    ),
    "the registered role of the other one, which names no role": Both(
        {"role": ARN}, {"registered": ARN}, {"one", "other"}, set()
    ),
    "the usual role of the other one, which names no role and loses the registered one": Both(
        {"role": OTHER_USUAL}, {"registered": ARN}, {"one", "other"}, {"one"}
    ),
    "the default role of the other one, in another account": Both(
        {"role": ARN}, {"role": ROLE, "registered": ARN, "account_id": ELSEWHERE}, {"other"}, set()
    ),
}


@pytest.mark.parametrize("case", BOTH)
def test_clouds_that_are_offboarded_together(case: str) -> None:
    """A cloud that loses the role too does not need it, unless it may fall back to it."""
    both = BOTH[case]
    one, other = cloud("cld_one", **both.one), cloud("cld_other", **both.other)
    assert set(refused(one, other, "one other")) == both.refused
    assert set(refused(one, other, "one other", default_role=True)) == both.on_request
    assert refused(one, other, "one other", default_role=True, shared_role=True) == {}


def test_what_one_cloud_is_allowed_another_is_not() -> None:
    fleet = {
        name: cloud_roles_of(cloud(f"cld_{name}", role=ARN)) for name in ("one", "other", "third")
    }
    messages = refusals(fleet, ["one", "other"], default_role=(), shared_role=["one"])
    assert list(messages) == ["other"]


def test_many_clouds_are_not_all_named() -> None:
    """A message for each of thousands of clouds must not name thousands."""
    fleet = {
        f"cloud-{number}": cloud_roles_of(cloud(f"cld_{number}", role=ARN)) for number in range(50)
    }
    messages = refusals(fleet, ["cloud-0"], default_role=(), shared_role=())
    assert "cloud-1, cloud-2, " in messages["cloud-0"]
    assert "cloud-10 and 39 more, according to" in messages["cloud-0"]


# --- laws -----------------------------------------------------------------------------------------

_NAMES = st.sampled_from(["", "a", "b", "c"])
_CLOUDS = st.builds(
    CloudRoles,
    account_id=st.sampled_from(["", ACCOUNT, ELSEWHERE]),
    cloud_id=st.sampled_from(["", "cld_1", "cld_2"]),
    role=_NAMES,
    default_roles=st.frozensets(_NAMES.filter(bool), max_size=2),
)
_FLEETS = st.dictionaries(st.integers(0, 5).map(str), _CLOUDS, min_size=1)
_HOSTS = st.frozensets(st.integers(0, 5).map(str))
_SWITCHES = st.fixed_dictionaries({"default_role": _HOSTS, "shared_role": _HOSTS})


@given(_FLEETS, _CLOUDS, _SWITCHES, st.data())
def test_a_cloud_more_in_the_fleet_never_removes_a_refusal(
    fleet: dict[str, CloudRoles],
    more: CloudRoles,
    switches: dict[str, frozenset[str]],
    data: st.DataObject,
) -> None:
    selected = data.draw(st.lists(st.sampled_from(sorted(fleet)), unique=True))
    before, after = (
        refusals(clouds, selected, **switches) for clouds in (fleet, {**fleet, "more": more})
    )
    assert set(before) <= set(after)


@given(_FLEETS, _SWITCHES, st.data())
def test_an_account_that_is_unknown_never_removes_a_refusal(
    fleet: dict[str, CloudRoles], switches: dict[str, frozenset[str]], data: st.DataObject
) -> None:
    selected = data.draw(st.lists(st.sampled_from(sorted(fleet)), unique=True))
    name = data.draw(st.sampled_from(sorted(fleet)))
    less = {**fleet, name: dataclasses.replace(fleet[name], account_id="")}
    before, after = (refusals(clouds, selected, **switches) for clouds in (fleet, less))
    assert set(before) <= set(after)


@given(_FLEETS, _SWITCHES, st.data())
def test_a_switch_only_allows(
    fleet: dict[str, CloudRoles], switches: dict[str, frozenset[str]], data: st.DataObject
) -> None:
    """Each of them refuses nothing more; together they refuse nothing."""
    selected = data.draw(st.lists(st.sampled_from(sorted(fleet)), unique=True))
    strict = refusals(fleet, selected, default_role=(), shared_role=())
    assert set(refusals(fleet, selected, **switches)) <= set(strict) <= set(selected)
    assert refusals(fleet, selected, default_role=selected, shared_role=selected) == {}


@given(_FLEETS, st.data())
def test_no_cloud_that_stays_loses_a_role(
    fleet: dict[str, CloudRoles], data: st.DataObject
) -> None:
    """What is not refused is no role that the clusters of a cloud that is not offboarded may run with."""
    selected = data.draw(st.lists(st.sampled_from(sorted(fleet)), unique=True))
    messages = refusals(fleet, selected, default_role=(), shared_role=())
    lost = [fleet[name] for name in selected if name not in messages]
    staying = [known for name, known in fleet.items() if name not in selected]
    assert not any(
        known.may_run_with(one.account_id, one.role) for one in lost for known in staying
    )
