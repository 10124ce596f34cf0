# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a worker says of a cloud arrives as it was said, whatever characters it contains."""

from __future__ import annotations

import json

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.events import (
    RESULTS,
    CloudDone,
    Event,
    StageBegan,
    decode,
    encode,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.state import Outcome


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(StageBegan("Plan", 500), id="stage"),
        pytest.param(CloudDone("vision", "111111111111", "in_sync"), id="in sync"),
        pytest.param(
            CloudDone("名\u2028前", "", "failed", ("a", "b"), "two\nlines\r\n\x1b[2J \ud800"),
            id="characters of all kinds",
        ),
    ],
)
def test_an_event_is_one_line(event: Event) -> None:
    """Nothing in it ends the line."""
    line = encode(event)
    assert line.isascii()
    assert line.splitlines() == [line]
    assert decode(line) == event


def test_the_keys_of_the_lines() -> None:
    assert json.loads(encode(StageBegan("Plan", 500))) == {
        "event": "stage",
        "name": "Plan",
        "clouds": 500,
    }
    assert json.loads(encode(CloudDone("a", "1", "changed", ("x",), "m"))) == {
        "event": "done",
        "cloud": "a",
        "account": "1",
        "outcome": "changed",
        "reasons": ["x"],
        "message": "m",
    }


def test_a_result_that_nobody_could_count_is_refused() -> None:
    """Where it is written, and not where it is read. Each of the others is an outcome, or means
    that there is none yet.
    """
    with pytest.raises(ValueError, match="'right' is not one of in_sync, changed"):
        CloudDone("a", "", "right")
    outcomes = {outcome.name.lower() for outcome in Outcome}
    assert set(RESULTS) - outcomes == {"pending", "deferred"}
