# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One line stays at the bottom of the screen; what Ansible prints is above it, in full."""

from __future__ import annotations

import atexit
import sys
import threading
import time
import typing as t

import pytest
from ansible.utils.display import Display

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.terminal import (
    Screen,
    Ticker,
)

ERASE = "\r\x1b[K"


class _Display:
    """Prints as Ansible's does."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self.screen: Screen | None = None

    def display(
        self, msg: str, color: str | None = None, stderr: bool = False, newline: bool = True
    ) -> None:
        (sys.stderr if stderr else sys.stdout).write(msg + "\n" * newline)

    def prompt(self, msg: str) -> str:
        assert self.screen is not None
        self.screen.draw("over the prompt")
        return f"answer to {msg}"

    prompt_until = do_var_prompt = prompt


@pytest.fixture
def display() -> _Display:
    return _Display()


@pytest.fixture
def at_exit(monkeypatch: pytest.MonkeyPatch) -> list[t.Callable[[], None]]:
    """What is to be called when the process ends."""
    functions: list[t.Callable[[], None]] = []
    monkeypatch.setattr(atexit, "register", functions.append)
    return functions


@pytest.fixture
def screen(display: _Display, at_exit: list[t.Callable[[], None]]) -> Screen:
    display.screen = Screen(t.cast(Display, display))
    return display.screen


def test_a_message_is_printed_where_the_bottom_line_was(
    display: _Display, screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    """And the line is drawn again below it."""
    screen.draw("1 of 2")
    display.display("failed")
    screen.draw("1 of 2")
    assert capsys.readouterr().out == f"{ERASE}1 of 2{ERASE}failed\n{ERASE}1 of 2"


def test_a_message_for_the_other_stream_too(
    display: _Display, screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is the same terminal."""
    screen.draw("1 of 2")
    display.display("warning", stderr=True)
    assert capsys.readouterr() == (f"{ERASE}1 of 2{ERASE}", "warning\n")


def test_nothing_is_drawn_twice(screen: Screen, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor erased."""
    for line in ("1 of 2", "1 of 2"):
        screen.draw(line)
    screen.erase()
    screen.erase()
    assert capsys.readouterr().out == f"{ERASE}1 of 2{ERASE}"


def test_nothing_is_drawn_into_an_open_line(
    display: _Display, screen: Screen, capsys: pytest.CaptureFixture[str]
) -> None:
    """Until it is complete."""
    display.display("working", newline=False)
    screen.draw("1 of 2")
    display.display(" done")
    screen.draw("2 of 2")
    assert capsys.readouterr().out == f"working done\n{ERASE}2 of 2"


@pytest.mark.parametrize("prompt", ["prompt", "prompt_until", "do_var_prompt"])
def test_nothing_is_drawn_while_a_person_is_asked(
    display: _Display, screen: Screen, capsys: pytest.CaptureFixture[str], prompt: str
) -> None:
    """The line is erased before, and drawn again after."""
    screen.draw("1 of 2")
    assert getattr(display, prompt)("sure?") == "answer to sure?"
    screen.draw("1 of 2")
    assert capsys.readouterr().out == f"{ERASE}1 of 2{ERASE}{ERASE}1 of 2"


@pytest.mark.parametrize(
    ("color", "expected"),
    [
        pytest.param(
            "red",
            "\\x1b[31m \\x1b[2J\n",
            id="a text that Ansible is to colour has no colours of its own",
        ),
        pytest.param(
            None, "\x1b[31m \\x1b[2J\n", id="a text without a colour may be coloured already"
        ),
    ],
)
def test_what_is_printed_is_escaped(
    display: _Display,
    screen: Screen,
    capsys: pytest.CaptureFixture[str],
    color: str | None,
    expected: str,
) -> None:
    """Wherever it comes from."""
    display.display("\x1b[31m \x1b[2J", color)
    assert capsys.readouterr().out == expected


def test_another_process_neither_draws_nor_erases(
    display: _Display,
    screen: Screen,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A worker's messages go to the process that forked it, as they are."""
    screen.draw("1 of 2")
    monkeypatch.setattr(screen, "_process", -1)
    display.display("\x07")
    screen.erase()
    assert capsys.readouterr().out == f"{ERASE}1 of 2\x07\n"


def test_the_line_is_erased_with_the_process(
    screen: Screen, at_exit: list[t.Callable[[], None]], capsys: pytest.CaptureFixture[str]
) -> None:
    """And does not come back, though a ticker may still be ticking."""
    screen.draw("1 of 2")
    for function in at_exit:
        function()
    screen.draw("2 of 2")
    assert capsys.readouterr().out == f"{ERASE}1 of 2{ERASE}"


def test_a_ticker_ticks_until_it_is_stopped() -> None:
    """Also when no process reads."""
    ticked = threading.Event()
    ticker = Ticker(ticked.set, 0.001)
    assert ticked.wait(10)
    ticker.stop()
    time.sleep(0.05)
    ticked.clear()
    assert not ticked.wait(0.05)
