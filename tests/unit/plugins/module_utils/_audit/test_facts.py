# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is derived from the facts about a cloud."""

from __future__ import annotations

import dataclasses

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    CheckAborted,
    unknown,
)


def some_facts() -> Facts:
    """Facts of which nothing is read here."""
    names = [field.name for field in dataclasses.fields(Facts) if field.init]
    return Facts(**dict.fromkeys(names))  # type: ignore[arg-type]


def test_what_several_checks_derive_is_derived_once() -> None:
    """For each key; and anew for other facts."""
    derived: list[str] = []

    def derive() -> str:
        derived.append("derived")
        return str(len(derived))

    facts = some_facts()
    assert [facts.once(key, derive) for key in ("a", "a", "b", "a")] == ["1", "1", "2", "1"]
    assert dataclasses.replace(facts).once("a", derive) == "3"
    assert facts == some_facts()


def test_each_check_that_needs_what_cannot_be_derived_is_aborted() -> None:
    """Not the first one alone."""
    facts = some_facts()

    def derive() -> str:
        raise unknown("It is not known.")

    for _check in range(2):
        with pytest.raises(CheckAborted):
            facts.once("a", derive)
