# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of a table of which a few are enough for each change, and all are for the long version."""

from __future__ import annotations

import typing as t

import pytest

LONG = pytest.mark.long


def few_of(cases: t.Iterable[t.Any], *few: t.Any) -> list[t.Any]:
    """All cases as parameters; those that are not among the few are marked ``long``.

    A name that is not a case is an error, so that none of the few gets lost.
    """
    cases = list(cases)
    lost = [case for case in few if case not in cases]
    assert not lost, f"{lost} are not among {cases}"
    return [case if case in few else pytest.param(case, marks=LONG) for case in cases]
