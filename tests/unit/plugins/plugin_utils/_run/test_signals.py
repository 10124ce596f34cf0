# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A signal lets the work in progress end, for a limited time, and then does what it did before.

Each case is a process of its own, which a signal may end.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time

import pytest

SIGNALS = [signal.SIGINT, signal.SIGTERM]
# A handler runs between any two steps of the program: neither print() nor Event.wait() may be what it
# interrupts, since they must not be entered twice.
PROGRAM = """
import os, signal, threading, time
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._run.signals import (
    finishing_on_signals,
)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
stopped = []
def say(line):
    os.write(1, f"{line}\\n".encode())
def stop():
    say("stop")
    stopped.append(True)
def wait():
    while not stopped:
        time.sleep(0.01)
"""


class Program:
    """A process that runs a program; ``lines`` are what it printed so far."""

    def __init__(self, body: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM + textwrap.dedent(body)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_for(self, line: str) -> None:
        """Wait for a line."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == f"{line}\n"

    def send(self, number: int) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def end(self, seconds: float = 20.0) -> tuple[int, list[str]]:
        """The exit status, and the other lines."""
        output, _errors = self._process.communicate(timeout=seconds)
        return self._process.returncode, output.splitlines()


FINISHING = """
with finishing_on_signals(stop):
    say("working")
    wait()
    time.sleep(0.2)
    say("finished")
say("never")
"""


@pytest.mark.parametrize("number", SIGNALS)
def test_the_work_is_finished_first(number: int) -> None:
    """Then the signal ends the process, as it would have."""
    program = Program(FINISHING)
    program.wait_for("working")
    program.send(number)
    assert program.end() == (-number, ["stop", "finished"])


def test_a_second_signal_does_not_cut_the_work() -> None:
    """Terminals send one for each key, and Ansible passes them on."""
    program = Program(FINISHING)
    program.wait_for("working")
    program.send(signal.SIGINT)
    program.wait_for("stop")
    program.send(signal.SIGTERM)
    program.send(signal.SIGINT)
    assert program.end() == (-signal.SIGINT, ["finished"])


def test_a_signal_while_another_one_is_handled_does_not_cut_the_work() -> None:
    """As from a terminal and from Ansible at once."""
    program = Program(
        """
        def stop_and_signal():
            stop()
            signal.raise_signal(signal.SIGTERM)
        with finishing_on_signals(stop_and_signal):
            say("working")
            wait()
            say("finished")
        """
    )
    program.wait_for("working")
    program.send(signal.SIGINT)
    assert program.end() == (-signal.SIGINT, ["stop", "finished"])


def test_a_signal_that_another_thread_gets_is_seen_at_once() -> None:
    """The system chooses the thread, and the main thread waits for the others."""
    program = Program(
        """
        def work():
            time.sleep(0.3)  # until the main thread waits
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
            wait()
            say("finished")
        with finishing_on_signals(stop):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
        """
    )
    assert program.end() == (-signal.SIGTERM, ["stop", "finished"])


def test_other_signals_do_not_stop_the_work() -> None:
    """Such as those of Ansible's timeouts."""
    program = Program(
        """
        signal.signal(signal.SIGALRM, lambda number, frame: say("alarm"))
        with finishing_on_signals(stop):
            signal.raise_signal(signal.SIGALRM)
            time.sleep(0.2)
            say("finished")
        """
    )
    assert program.end() == (0, ["alarm", "finished"])


def test_work_that_does_not_end_is_ended() -> None:
    """After the time."""
    program = Program(
        """
        with finishing_on_signals(stop, seconds=0.5):
            say("working")
            time.sleep(60)
        """
    )
    program.wait_for("working")
    began = time.monotonic()
    program.send(signal.SIGTERM)
    assert program.end() == (-signal.SIGKILL, ["stop"])
    assert 0.4 < time.monotonic() - began < 15


def test_without_a_signal_nothing_happens() -> None:
    """And the handlers are those of before."""
    program = Program(
        """
        def handle(number, frame):
            say("before")
        signal.signal(signal.SIGTERM, handle)
        with finishing_on_signals(stop, seconds=0.1):
            pass
        assert signal.getsignal(signal.SIGTERM) is handle
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
        time.sleep(0.3)
        say("end")
        """
    )
    assert program.end() == (0, ["end"])


def test_what_handled_the_signal_before_handles_it_after_the_work() -> None:
    """Once."""
    program = Program(
        """
        def handle(number, frame):
            say(f"before {number}")
        signal.signal(signal.SIGTERM, handle)
        with finishing_on_signals(stop):
            say("working")
            wait()
        say("end")
        """
    )
    program.wait_for("working")
    program.send(signal.SIGTERM)
    assert program.end() == (0, ["stop", f"before {int(signal.SIGTERM)}", "end"])


def test_an_error_of_the_work_restores_the_handlers() -> None:
    program = Program(
        """
        try:
            with finishing_on_signals(stop):
                raise KeyError
        except KeyError:
            assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
            say("end")
        """
    )
    assert program.end() == (0, ["end"])
