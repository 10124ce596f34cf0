# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A selection means what its answers say, and an answer that can mean nothing is refused by name,
with what to give instead.
"""

from __future__ import annotations

import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.invocation import Invocation
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.selection import (
    Location,
    Selection,
    parse_selection,
    refuse_unconfirmed,
)

ONE, TWO = "111111111111", "222222222222"
FLEET = {
    "vision-prod": Location(ONE, "us-west-2"),
    "vision-lab": Location(ONE, "eu-central-1"),
    "speech-prod": Location(TWO, "us-west-2"),
    "nowhere": Location(),
}


def parse(**answers: t.Sequence[str]) -> Selection:
    """A selection; what is not answered is empty."""
    return parse_selection(**{"accounts": [], "regions": [], "clouds": [], **answers})


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        pytest.param({}, set(FLEET), id="nothing means all"),
        pytest.param({"accounts": ["", " "], "clouds": [""]}, set(FLEET), id="so do empty answers"),
        pytest.param({"accounts": [ONE]}, {"vision-prod", "vision-lab"}, id="an account"),
        pytest.param(
            {"accounts": [f" {ONE} ", TWO]},
            set(FLEET) - {"nowhere"},
            id="two accounts, with spaces; not a cloud of none",
        ),
        pytest.param({"regions": ["us-west-2"]}, {"vision-prod", "speech-prod"}, id="a region"),
        pytest.param(
            {"accounts": [ONE], "regions": ["us-west-2"]}, {"vision-prod"}, id="both have to hold"
        ),
        pytest.param({"clouds": ["speech-prod"]}, {"speech-prod"}, id="a name"),
        pytest.param(
            {"clouds": ["vision-*", "nowhere"]},
            {"vision-prod", "vision-lab", "nowhere"},
            id="names and patterns",
        ),
        pytest.param(
            {"clouds": ["vision-???"]}, {"vision-lab"}, id="a question mark is one character"
        ),
        pytest.param({"clouds": ["Vision-*"]}, set(), id="case counts"),
        pytest.param({"clouds": ["vision"]}, set(), id="a name is whole"),
        pytest.param({"clouds": ["!*-prod"]}, {"vision-lab", "nowhere"}, id="all but those"),
        pytest.param(
            {"clouds": ["vision-*", "!vision-lab"]}, {"vision-prod"}, id="these but not that"
        ),
        pytest.param(
            {"clouds": ["!vision-lab", "vision-*"]}, {"vision-prod"}, id="in whatever order"
        ),
    ],
)
def test_a_selection_means(answers: dict[str, list[str]], expected: set[str]) -> None:
    """These clouds, and no others."""
    selection = parse(**answers)
    assert {
        name
        for name, place in FLEET.items()
        if selection.matches_name(name) and selection.matches_location(place)
    } == expected


@pytest.mark.parametrize(
    ("option", "item"),
    [
        pytest.param("accounts", "1234", id="an account of four digits"),
        pytest.param("accounts", "1111-1111-1111", id="an account with hyphens"),
        pytest.param("accounts", f"{ONE} {TWO}", id="accounts without a comma"),
        pytest.param("accounts", "١١١١١١١١١١١١", id="digits of another script"),
        pytest.param("accounts", f"{ONE}\nrm", id="an account with a line after it"),
        pytest.param("regions", "us-west", id="a region without a number"),
        pytest.param("regions", "US-WEST-2", id="a region in capitals"),
        pytest.param("regions", "us-west-2a", id="an availability zone"),
        pytest.param("regions", "*", id="a pattern for regions"),
        pytest.param("clouds", "{{ lookup('pipe', 'id') }}", id="a template"),
        pytest.param("clouds", "a:b", id="a pattern of Ansible's"),
        pytest.param("clouds", "~vision.*", id="a regular expression"),
        pytest.param("clouds", "vision[1:3]", id="a range"),
        pytest.param("clouds", "!", id="an exclusion of nothing"),
        pytest.param("clouds", "!!vision", id="a double exclusion"),
        pytest.param("clouds", "$(id)", id="a shell's substitution"),
    ],
)
def test_a_meaningless_answer_is_refused(option: str, item: str) -> None:
    """The variable is named, what was given, and what to give."""
    with pytest.raises(InputError) as raised:
        parse(**{option: [item]})
    assert f"fleet_{option}" in raised.value.message
    assert repr(item) in raised.value.message
    assert raised.value.remedy


@pytest.mark.parametrize(
    "region",
    [
        "us-west-2",
        "ap-southeast-5",
        "us-gov-east-1",
        "cn-northwest-1",
        "us-iso-east-1",
        "mx-central-1",
    ],
)
def test_every_region_of_aws_is_one(region: str) -> None:
    assert parse(regions=[region]).regions == {region}


def test_what_it_says_of_itself_is_what_was_answered() -> None:
    assert (
        str(parse(accounts=[TWO, ONE], clouds=["b*", "!a"]))
        == f"accounts {ONE}, {TWO}; clouds b*, !a"
    )
    assert parse().is_empty
    assert not parse(clouds=["*"]).is_empty


CONFIRMATIONS: dict[str, tuple[int, int | None, int | None, str]] = {
    "few clouds": (5, 5, None, ""),
    "nothing has to be confirmed, as in check mode": (900, None, None, ""),
    "nothing has to be confirmed, and the number is wrong": (900, None, 7, ""),
    "many clouds, confirmed": (6, 5, 6, ""),
    "many clouds": (6, 5, None, "6 clouds are selected"),
    "many clouds, and another number": (12, 5, 10, "12 clouds are selected"),
    "few clouds, and another number": (2, 5, 3, "2 clouds are selected"),
    "one cloud, and another number": (1, 5, 3, "1 cloud is selected"),
}


@pytest.mark.parametrize("case", CONFIRMATIONS)
def test_many_clouds_have_to_be_confirmed_by_their_number(case: str) -> None:
    """The error has the number, and what to add to the command."""
    selected, above, confirmed, words = CONFIRMATIONS[case]
    if not words:
        refuse_unconfirmed(selected, above, confirmed, Invocation())
        return
    with pytest.raises(InputError) as raised:
        refuse_unconfirmed(selected, above, confirmed, Invocation())
    assert words in raised.value.message
    assert f"offboard_confirm={selected}" in raised.value.remedy
