# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A request is a run's own only where the run's key says so."""

from __future__ import annotations

import json
import threading
import typing as t
from pathlib import Path

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._files import signed_lines
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.write_record import (
    own_writes,
    record_own_writes,
)

KEY, OTHER_KEY = "k" * 32, "o" * 32
CALLER = "arn:aws:sts::222222222222:assumed-role/anyscale-onboarding/rayfleet-anyscale"
ONE = {"operation": "iam:UpdateAssumeRolePolicy", "request_id": "7a62c49f-0000"}
TWO = {"operation": "s3:PutBucketPolicy", "request_id": "47B8E8D397DCE7A6"}


class Backups:
    """A directory for backups."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path / "aws_writes.jsonl"

    def params(self, **others: t.Any) -> dict[str, t.Any]:
        """The parameters of a run."""
        return {"backup": True, "backup_dir": str(self.path), "backup_key": KEY, **others}

    def record(self, *writes: dict[str, str], caller: str | None = CALLER, **others: t.Any) -> None:
        """What a run records."""
        record_own_writes(writes, caller, self.params(**others))

    def own(self, *request_ids: str, key: str = KEY) -> dict[str, str]:
        """Which of these are own."""
        return own_writes(str(self.path), request_ids, key)


@pytest.fixture
def backups(tmp_path: Path) -> Backups:
    """One that does not exist yet."""
    return Backups(tmp_path / "backups")


def test_what_a_run_wrote_is_its_own(backups: Backups) -> None:
    backups.record(ONE)
    backups.record(TWO)
    assert backups.own("7a62c49f-0000", "another") == {"7a62c49f-0000": CALLER}
    assert len(backups.own("7a62c49f-0000", "47B8E8D397DCE7A6")) == 2
    assert backups.file.stat().st_mode & 0o777 == 0o600
    assert backups.path.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("writes", "others"),
    [
        pytest.param([], {}, id="nothing was written"),
        pytest.param([ONE], {"caller": None}, id="the caller is unknown"),
        pytest.param([ONE], {"backup": False}, id="no backups are wanted"),
    ],
)
def test_what_is_not_recorded(
    backups: Backups, writes: list[dict[str, str]], others: dict[str, t.Any]
) -> None:
    backups.record(*writes, **others)
    assert not backups.path.exists()
    assert backups.own("7a62c49f-0000") == {}


def test_a_record_that_cannot_be_written_is_no_error(backups: Backups) -> None:
    backups.path.write_text("a file")
    backups.record(ONE)
    assert backups.own("7a62c49f-0000") == {}


def changed(line: str, **fields: str) -> str:
    """A line in which someone has changed something."""
    return json.dumps({**json.loads(line), **fields})


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(lambda line: changed(line, principal="arn:aws:iam::1:root"), id="the caller"),
        pytest.param(lambda line: changed(line, request_id="forged-id"), id="the request"),
        pytest.param(lambda line: changed(line, signature=""), id="the signature"),
        pytest.param(lambda _line: '{"request_id": "forged-id"}', id="no signature"),
        pytest.param(lambda _line: '{"request_id": "forged-id", ' + "[" * 100_000, id="deep"),
        pytest.param(lambda _line: '["request_id": "forged-id"]', id="not JSON"),
        pytest.param(lambda _line: '{"x": {"request_id": "forged-id"}}', id="within another"),
        pytest.param(lambda line: line[:-30], id="half a line"),
    ],
)
def test_a_forged_line_says_nothing(backups: Backups, forge: t.Callable[[str], str]) -> None:
    backups.record(ONE)
    backups.file.write_text(forge(backups.file.read_text().rstrip()))
    assert backups.own("7a62c49f-0000", "forged-id") == {}
    backups.record(TWO)  # goes on after whatever is there
    assert backups.own("47B8E8D397DCE7A6") == {"47B8E8D397DCE7A6": CALLER}


def test_another_key_verifies_nothing(backups: Backups) -> None:
    backups.record(ONE)
    assert backups.own("7a62c49f-0000", key=OTHER_KEY) == {}


def test_a_file_that_others_can_write_to_says_nothing(backups: Backups) -> None:
    backups.record(ONE)
    backups.file.chmod(0o620)
    assert backups.own("7a62c49f-0000") == {}


def test_the_record_is_bounded(backups: Backups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_lines, "MOST_BYTES", 4096)
    ids = [f"request-{number}" for number in range(100)]
    for request_id in ids:
        backups.record({**ONE, "request_id": request_id})
    assert sum(path.stat().st_size for path in backups.path.iterdir()) <= 2 * 4096
    kept = list(backups.own(*ids))
    assert kept == ids[-len(kept) :]
    assert len(kept) >= 10


def test_threads_lose_no_line(backups: Backups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signed_lines, "MOST_BYTES", 60_000)
    ids = [f"request-{number}" for number in range(160)]

    def record(part: int) -> None:
        for request_id in ids[part::8]:
            backups.record({**ONE, "request_id": request_id})

    threads = [threading.Thread(target=record, args=[part]) for part in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(backups.own(*ids)) == sorted(ids)
