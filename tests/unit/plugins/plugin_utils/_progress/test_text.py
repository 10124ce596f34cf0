# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of a run fits the line, counts every cloud once, and cannot be led astray by what
clouds are called.
"""

from __future__ import annotations

import pytest

from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress import text as texts
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.events import (
    CloudDone,
    StageBegan,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.fit import (
    display_width,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.state import (
    Cloud,
    Progress,
)


def _progress(**accounts: str) -> Progress:
    """A run that has begun: two tasks for clouds by name."""
    progress = Progress()
    progress.begin(accounts, ["trust", "bucket"], 0.0)
    return progress


def _plain(line: texts.Line) -> str:
    return "".join(text for text, _outcome in line)


def _recap(progress: Progress, check: bool = False, width: int = 100) -> list[str]:
    progress.settle([cloud.name for cloud in progress.clouds.values() if cloud.failure])
    return [_plain(line) for line in texts.recap(progress, "clouds", check, width)]


def _halfway() -> Progress:
    progress = _progress(a="111111111111", b="111111111111", c="", d="")
    progress.task = "Give the role the bucket"
    progress.change("a", ["access_missing"])
    progress.fail("b", "no")
    for name in "acd":
        progress.task_finished(name, "trust")
    return progress


STANDING = "1 of 4 clouds done in 1:15, 1 changed, 1 failed, 0:45 left"


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        pytest.param(
            120,
            f"[##################............] {STANDING} | Give the role the bucket",
            id="wide",
        ),
        pytest.param(
            80,
            "[############........] 1 of 4 clouds done in 1:15, 1 changed, 1 failed, 0:45 ...",
            id="not as wide",
        ),
        pytest.param(
            59,
            "1 of 4 clouds done in 1:15, 1 changed, 1 failed, 0:45 le...",
            id="too narrow for a bar",
        ),
        pytest.param(10, "1 of 4 ...", id="hopeless"),
        pytest.param(2, "..", id="beyond hope"),
    ],
)
def test_the_bar(width: int, expected: str) -> None:
    """What counts comes first; the rest is cut."""
    assert _plain(texts.bar_line(_halfway(), "clouds", False, width, 75.0)) == expected


@pytest.mark.parametrize(
    "task",
    ["名前" * 60, "e\u0301" * 200, "a\x1b[2J\r\nb" * 30],
    ids=["wide", "combining", "controlling"],
)
@pytest.mark.parametrize("width", [20, 61, 79, 80, 121])
def test_the_bar_is_never_wider_than_the_terminal(task: str, width: int) -> None:
    """Else it would wrap, and could not be erased."""
    progress = _halfway()
    progress.task = task
    line = _plain(texts.bar_line(progress, "clouds", False, width, 75.0))
    assert display_width(line) <= width
    assert line.isprintable()


def test_the_bar_speaks_of_check_mode() -> None:
    """Nothing has changed there."""
    assert "1 would change, 1 failed" in _plain(
        texts.bar_line(_halfway(), "clouds", True, 120, 75.0)
    )


def test_the_bar_speaks_of_predictions_where_there_is_nothing_else() -> None:
    """A variable of a playbook may ask for check mode, of which the command line knows nothing."""
    progress = _progress(a="111111111111", b="111111111111")
    progress.change("a", ["access_missing"], predicted=True)
    assert "1 would change" in _plain(texts.bar_line(progress, "clouds", False, 120, 75.0))
    progress.change("b", ["access_missing"])
    assert "2 changed" in _plain(texts.bar_line(progress, "clouds", False, 120, 75.0))


def test_the_heartbeat() -> None:
    """The same without the bar, and in full."""
    text_line = texts.heartbeat(_halfway(), "clouds", False, 3675.0)
    assert (
        text_line
        == "1 of 4 clouds done in 1:01:15, 1 changed, 1 failed, 36:45 left | Give the role the bucket"
    )


def test_the_stage_of_an_engine() -> None:
    """Instead of the task, with its own estimate; alone, where nothing else is known."""
    progress = _progress(a="111111111111", b="111111111111", c="", d="")
    progress.task = "Converge clouds"
    progress.start_engine()
    progress.begin_stage(StageBegan("Plan", 4), 10.0)
    progress.report(CloudDone("a", "", "in_sync"))
    stage = "Plan: 1 of 4, 0:30 left"
    assert (
        texts.heartbeat(progress, "clouds", False, 20.0)
        == f"1 of 4 clouds done in 0:20, 0 changed, 0 failed | {stage}"
    )
    assert _plain(texts.bar_line(progress, "clouds", False, 120, 20.0)).endswith(f" | {stage}")
    assert progress.engine_stage
    assert (
        texts.stage_heartbeat(progress, progress.engine_stage, 20.0)
        == "Plan: 1 of 4 clouds in 0:10, 0 changed, 0 failed, 0:30 left"
    )
    progress.end_engine()
    assert texts.heartbeat(progress, "clouds", False, 20.0).endswith(" 0 failed | Converge clouds")


def test_the_stage_of_an_engine_with_one_cloud() -> None:
    progress = _progress(a="111111111111")
    progress.start_engine()
    progress.begin_stage(StageBegan("Plan", 1), 10.0)
    assert progress.engine_stage
    assert texts.stage_heartbeat(progress, progress.engine_stage, 20.0).startswith(
        "Plan: 0 of 1 cloud in"
    )
    assert texts.heartbeat(progress, "clouds", False, 20.0).startswith("0 of 1 cloud done in")


def test_a_cloud_that_changed() -> None:
    """Its name, its account where that is known, the reasons that were not reported before."""
    progress = _progress(a="111111111111", b="")
    progress.change("a", ["x", "y\n"])
    progress.change("b", ["z"], predicted=True)
    assert [texts.changed_line(cloud) for cloud in progress.unreported()] == [
        "changed: a (account 111111111111): x, y",
        "would change: b: z",
    ]


def test_a_cloud_that_failed() -> None:
    """All of the message, on one line."""
    line = texts.failed_line(
        Cloud("a\x1b[2J", "111111111111"), "Look", "It\nfailed.\x07  Do\tthis."
    )
    assert line == "failed: a\\x1b[2J (account 111111111111), Look: It failed.\\x07 Do this."


def test_the_recap() -> None:
    """A table by account, the reasons with the clouds that they are for, the totals."""
    progress = _progress(
        a="222222222222", b="111111111111", c="111111111111", d="", e="111111111111"
    )
    progress.change("a", ["wrong_arn_kind"])
    progress.change("b", ["wrong_arn_kind", "ec2_trust_missing"])
    progress.fail("c", "Role c does not exist.")
    progress.task_finished("d", "bucket")
    progress.fail("e", "no route", unreachable=True)
    assert _recap(progress) == [
        "account       clouds  in sync  changed   failed  unreachable",
        "111111111111       3        0        1        1            1",
        "222222222222       1        0        1        0            0",
        "unknown            1        1        0        0            0",
        "all                5        1        2        1            1",
        "",
        "reasons for changes:",
        "     2  wrong_arn_kind: a, b",
        "     1  ec2_trust_missing: b",
        "",
        "failures:",
        "     1  Role c does not exist.: c",
        "     1  no route: e",
        "",
        "clouds=5 in_sync=1 changed=2 failed=1 unreachable=1",
    ]


def test_the_recap_of_check_mode() -> None:
    """Would change, and not: changed."""
    progress = _progress(a="111111111111")
    progress.change("a", ["access_missing"], predicted=True)
    assert _recap(progress, check=True) == [
        "account       clouds  in sync  would change   failed  unreachable",
        "111111111111       1        0             1        0            0",
        "",
        "reasons for predicted changes:",
        "     1  access_missing: a",
        "",
        "clouds=1 in_sync=0 changed=0 would_change=1 failed=0 unreachable=0",
    ]


def test_the_recap_distinguishes_changes_from_predictions() -> None:
    """Also where there are both, each with its own reasons."""
    progress = _progress(a="111111111111", b="111111111111")
    progress.change("a", ["access_missing"], predicted=True)
    progress.change("b", ["ec2_trust_missing"])
    assert _recap(progress)[3:] == [
        "reasons for changes:",
        "     1  ec2_trust_missing: b",
        "",
        "reasons for predicted changes:",
        "     1  access_missing: a",
        "",
        "clouds=2 in_sync=0 changed=1 would_change=1 failed=0 unreachable=0",
    ]


def test_the_recap_of_an_audit() -> None:
    """A cloud with drift does not count as in sync."""
    progress = _progress(a="111111111111", b="111111111111", c="111111111111")
    progress.find("a", ["trust_policy", "bucket_grants"])
    progress.find("b", ["trust_policy"])
    progress.find("c", [])
    for name in "abc":
        progress.task_finished(name, "bucket")
    assert _recap(progress) == [
        "account       clouds  in sync  drifted  changed   failed  unreachable",
        "111111111111       3        1        2        0        0            0",
        "",
        "drift:",
        "     2  trust_policy: a, b",
        "     1  bucket_grants: a",
        "",
        "clouds=3 in_sync=1 drifted=2 changed=0 failed=0 unreachable=0",
    ]


def test_the_recap_of_a_rollout_that_stopped() -> None:
    """A cloud that was not reached is counted as that, and not as in sync."""
    progress = _progress(a="111111111111", b="111111111111")
    progress.start_engine()
    progress.report(CloudDone("a", "", "in_sync"))
    progress.end_engine()
    assert _recap(progress)[:2] == [
        "account       clouds  in sync  changed   failed  unreachable  not finished",
        "111111111111       2        1        0        0            0             1",
    ]
    assert (
        _recap(progress)[-1] == "clouds=2 in_sync=1 changed=0 failed=0 unreachable=0 not_finished=1"
    )


def test_a_run_for_no_cloud_has_no_recap() -> None:
    """Nor has one in which no task was for a cloud."""
    assert _recap(Progress()) == [] == _recap(_progress(a=""))


DENIED = (
    "{0} has a reason of its own that takes many words, more than there is room for on any line, and at "
    "its end says what to do: set cloud_iam_assume_role_arn to a role in the account of the cloud."
)
OTHERS = (
    "not", "never", "no longer", "hardly", "sometimes", "often", "mostly", "always", "still", "now", "then",
    "soon", "later", "here", "there", "today", "yesterday", "tomorrow", "twice", "once", "perhaps", "surely",
)  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 160])
def test_the_lines_of_a_recap_of_many_fit(width: int) -> None:
    """However many clouds have the same reason, and however many reasons there are."""
    progress = _progress(**{f"cloud-{number}": "" for number in range(500)})
    for number, name in enumerate(progress.clouds):
        progress.change(name, ["access_missing"])
        cause = DENIED.format(name) if number >= len(OTHERS) else f"It is {OTHERS[number]} so."
        progress.fail(name, cause)
    lines = _recap(progress, width=width)
    assert len(lines) < 45
    assert max(map(display_width, lines[3:-1])) <= width
    assert lines[4].startswith("   500  access_missing: cloud-0, ")
    assert "        and 3 more" in lines


@pytest.mark.parametrize("width", [60, 100])
def test_a_cause_of_failures_is_told_once_and_in_full(width: int) -> None:
    """With the clouds below it, as far as a line goes, and the number of the others."""
    progress = _progress(**{f"cloud-{number:03}": "111111111111" for number in range(300)})
    for name in progress.clouds:
        progress.fail(name, DENIED.format(name))
    lines = _recap(progress, width=width)
    start = lines.index("failures:") + 1
    *cause, names = lines[start : lines.index("", start)]
    assert cause[0].startswith("   300  <...> has a reason")
    assert " ".join(" ".join(cause).split()[1:]) == DENIED.format("<...>")
    assert all(line.startswith(" " * 8) for line in cause[1:])
    assert names.startswith("        cloud-000, cloud-001, cloud-002")
    shown = names.count("cloud-")
    assert names.endswith(f" and {300 - shown} more")
    assert len(names) <= width < len(names) + len(", cloud-000")


def test_a_long_word_of_a_cause_can_be_copied() -> None:
    """It is on a line of its own, which the terminal breaks."""
    progress = _progress(a="111111111111")
    arn = "arn:aws:iam::111111111111:role/" + "x" * 80
    progress.fail("a", f"There is no role {arn} here.")
    assert f"        {arn}" in _recap(progress, width=60)


@pytest.mark.parametrize(
    ("account", "has_engine", "noun"),
    [
        pytest.param("", False, "hosts", id="any playbook"),
        pytest.param("111111111111", False, "clouds", id="one has an account"),
        pytest.param("", True, "clouds", id="an engine works for them"),
    ],
)
def test_what_hosts_are_called(account: str, has_engine: bool, noun: str) -> None:
    """Clouds, where they are."""
    progress = _progress(a="", b=account)
    if has_engine:
        progress.start_engine()
    assert texts.noun(progress) == noun
