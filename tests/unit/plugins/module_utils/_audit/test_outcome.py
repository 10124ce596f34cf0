# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The command of a remedy, and the host in it."""

from __future__ import annotations

import contextlib
import shlex
import typing as t
import weakref

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    CheckAborted,
    after_command,
    command_for,
    command_of,
    fact,
    onboard,
    unknown,
)

ONBOARD = "ansible-playbook rayfleet.anyscale.onboard --limit <cloud>"


@pytest.mark.parametrize(
    ("remedy", "command"),
    [
        pytest.param(onboard("iam_trust_ec2"), ONBOARD, id="onboard"),
        pytest.param(onboard("m", " -e a=true"), f"{ONBOARD} -e a=true", id="with options"),
        pytest.param(f"{onboard('m')} Then restart.", ONBOARD, id="with a sentence after it"),
        pytest.param(f"Set a. To create b: {onboard('m')}", "", id="only the other way"),
        pytest.param("Exclude the role.", "", id="a person decides"),
        pytest.param("", "", id="nothing to fix"),
    ],
)
def test_a_command_is_what_a_remedy_begins_with(remedy: str, command: str) -> None:
    assert command_of(remedy) == command


@pytest.mark.parametrize(
    ("remedy", "rest"),
    [
        pytest.param(onboard("iam_trust_ec2"), "", id="nothing"),
        pytest.param(f"{onboard('m')} Then restart.", "Then restart.", id="a sentence"),
        pytest.param(onboard("m with an_option", " -e a=true"), "", id="with options"),
        pytest.param("Create it.", "Create it.", id="no command"),
    ],
)
def test_what_a_remedy_says_besides_its_command(remedy: str, rest: str) -> None:
    assert after_command(remedy) == rest


@pytest.mark.parametrize("host", ["search-dev", "cld_1.k8s", "the lab"])
def test_the_host_is_one_word_for_the_shell(host: str) -> None:
    command = command_for(ONBOARD, host)
    assert shlex.split(command)[-2:] == ["--limit", host]
    assert command_for(command, "another") == command


@pytest.mark.parametrize(
    "host", ["a*", "a:b", "a,b", "@file", "~a", "!a", "-x", "a;rm", "a\nb", ""]
)
def test_a_host_that_limit_takes_for_something_else_has_no_command(host: str) -> None:
    assert command_for(ONBOARD, host) == ""
    assert command_for("", host) == ""


def test_a_fact_that_is_not_known_holds_nothing_of_its_reader() -> None:
    """Else the documents of hundreds of clouds are in memory until a garbage collection."""

    class Reader:
        def read(self) -> t.NoReturn:
            raise unknown("Access is denied.")

    reader = Reader()
    gone, found = weakref.ref(reader), fact(reader.read)
    with contextlib.suppress(CheckAborted):
        found.get()
    del reader
    assert gone() is None
