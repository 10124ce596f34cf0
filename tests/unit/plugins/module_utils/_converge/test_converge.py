# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The only loop that changes anything: it ends once there is nothing left to do, reports as a change
only what it wrote itself, and backs up what it replaces.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import typing as t
from pathlib import Path
from unittest import mock

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import (
    Journal,
    Unconfirmed,
    confirm,
    converge,
    execute,
    result_of,
    save_once,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    NOT_SAVED,
    Live,
    Reconciler,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    RefusedError,
    TaskError,
    UnsettledError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    TRUST_POLICY,
    Backup,
    read,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.lock import resource_lock

ROUNDS = 8
NAME = "the document"
OLD, NEW = "old", "new"
WRITTEN = Saved()
UNKNOWN = Saved(is_written=False)
ROLE = {"role_arn": "arn:aws:iam::123456789012:role/ray"}
Json = dict[str, t.Any]


@dataclasses.dataclass(frozen=True)
class State(Live):
    """What was read."""

    document: str = OLD


class Scripted(Reconciler[State]):
    """A resource whose reads and saves follow a script. ``calls`` are the steps that were taken.

    found: the documents of each read, of which the last one is there from then on. saves: the
    outcomes of the saves, or their errors; each is a write if there are no more.
    """

    def __init__(
        self,
        found: t.Sequence[str],
        folder: Path,
        saves: t.Sequence[Saved | BaseException] = (),
        refusal: TaskError | None = None,
    ) -> None:
        self._found, self._saves, self._refusal = list(found), list(saves), refusal
        self._folder = folder
        self.calls: list[str] = []

    def _read(self) -> State:
        return State(NAME, self._found.pop(0) if len(self._found) > 1 else self._found[0])

    def load(self) -> State:
        self.calls.append("load")
        return self._read()

    def plan(self, live: State) -> Plan:
        reasons = () if live.document == NEW else (f"was {live.document}",)
        warnings = () if live.document == NEW else (f"It was {live.document}.",)
        return Plan(live.document, NEW, reasons, warnings, {"of": NAME})

    def guard(self, live: State, plan: Plan) -> None:
        self.calls.append("guard")
        if self._refusal:
            raise self._refusal

    def backup(self, live: State, plan: Plan) -> Backup:
        return Backup(TRUST_POLICY, ROLE, "123456789012", {"Id": plan.before}, {"Id": plan.after})

    def save(self, live: State, plan: Plan, written: list[str]) -> Saved:
        self.calls.append("save")
        with (
            pytest.raises(UnsettledError, match="could not be acquired"),
            resource_lock(NAME, str(self._folder / "locks"), seconds=0),
        ):
            pass
        if self._saves:
            saved = self._saves.pop(0)
            if isinstance(saved, BaseException):
                written += ["possibly"] if saved is NO_ANSWER else []
                raise saved
        else:
            saved = WRITTEN
        if saved.may_be_written:
            written.append(NAME)
        return saved

    def read_back(self, live: State, plan: Plan, saved: Saved) -> tuple[State, Plan]:
        self.calls.append("read back")
        live = self._read()
        return live, dataclasses.replace(self.plan(live), before=OLD)


@pytest.fixture(name="params")
def _params(tmp_path: Path) -> Json:
    return {
        "lock_dir": str(tmp_path / "locks"),
        "backup": True,
        "backup_dir": str(tmp_path / "backups"),
    }


def backups(folder: Path) -> list[str]:
    """The documents that were backed up, oldest first."""
    return [
        read(str(path)).backup.before["Id"] for path in sorted((folder / "backups").glob("*.json"))
    ]


# --- the loop -------------------------------------------------------------------------------------


def test_what_is_in_sync_is_only_read(tmp_path: Path, params: Json) -> None:
    """No reads that only a change needs, and no lock."""
    reconciler = Scripted([NEW], tmp_path)
    result = converge(reconciler, params, check_mode=False)
    assert reconciler.calls == ["load"]
    assert (result["changed"], result["reasons"], "previous" in result) == (False, [], False)
    assert not (tmp_path / "locks").exists()


def test_a_change_is_planned_again_with_the_lock(tmp_path: Path, params: Json) -> None:
    """Another task on this machine may have changed the resource meanwhile."""
    reconciler = Scripted([OLD, "other", NEW], tmp_path)
    result = converge(reconciler, params, check_mode=False)
    assert reconciler.calls == ["load", "guard", "load", "guard", "save", "read back"]
    assert (result["changed"], result["previous"], result["reasons"]) == (
        True,
        "other",
        ["was other"],
    )
    assert backups(tmp_path) == ["other"]


def test_what_another_task_has_done_is_not_done_again(tmp_path: Path, params: Json) -> None:
    """While this one waited for the lock."""
    reconciler = Scripted([OLD, NEW], tmp_path)
    assert not converge(reconciler, params, check_mode=False)["changed"]
    assert "save" not in reconciler.calls


@pytest.mark.parametrize("writes", [1, 2, ROUNDS - 1, ROUNDS])
def test_it_is_settled_by_whichever_write_is_the_last_one(
    tmp_path: Path, params: Json, writes: int
) -> None:
    reconciler = Scripted([OLD] * (writes + 1) + [NEW], tmp_path)
    result = converge(reconciler, params, check_mode=False)
    assert (result["changed"], result["previous"]) == (True, OLD)
    assert reconciler.calls.count("save") == writes


def test_it_gives_up_after_so_many(tmp_path: Path, params: Json) -> None:
    reconciler = Scripted([OLD], tmp_path)
    with pytest.raises(UnsettledError, match=f"after each of {ROUNDS} attempts") as caught:
        converge(reconciler, params, check_mode=False)
    assert caught.value.details["written"] == [NAME]
    assert reconciler.calls.count("save") == ROUNDS


def test_reasons_and_warnings_of_all_rounds_are_reported(tmp_path: Path, params: Json) -> None:
    """Each once."""
    reconciler = Scripted([OLD, OLD, "lost", "lost", NEW], tmp_path)
    result = converge(reconciler, params, check_mode=False)
    assert result["reasons"] == ["was old", "was lost"]
    assert result["warnings"] == [f"{NAME}: It was {one}." for one in (OLD, "lost")]


def test_what_another_writer_wrote_is_no_change_of_ours(tmp_path: Path, params: Json) -> None:
    """Just what was wanted, in the moment between the read and the write, which was not made then."""
    result = converge(Scripted([OLD, OLD, NEW], tmp_path, [NOT_SAVED]), params, check_mode=False)
    assert (result["changed"], result["reasons"]) == (False, [])
    assert "previous" not in result
    assert backups(tmp_path) == [], "nothing was replaced"


def test_a_write_of_unknown_outcome_counts(tmp_path: Path, params: Json) -> None:
    """It may have replaced the document, so that its backup is kept."""
    result = converge(Scripted([OLD, OLD, NEW], tmp_path, [UNKNOWN]), params, check_mode=False)
    assert result["changed"]
    assert backups(tmp_path) == [OLD]


# --- check mode -----------------------------------------------------------------------------------


def test_check_mode_predicts_the_same_and_writes_nothing(tmp_path: Path, params: Json) -> None:
    predicting = Scripted([OLD], tmp_path)
    predicted = converge(predicting, params, check_mode=True)
    assert predicting.calls == ["load", "guard"]
    assert list(tmp_path.iterdir()) == []
    done = converge(Scripted([OLD, OLD, NEW], tmp_path), params, check_mode=False)
    assert Path(done.pop("backup_file")).is_file()
    assert predicted == done


@pytest.mark.parametrize("check_mode", [True, False], ids=["check mode", "a run"])
def test_a_refusal_comes_before_any_write(tmp_path: Path, params: Json, check_mode: bool) -> None:
    """In check mode too, which predicts the error."""
    reconciler = Scripted([OLD], tmp_path, refusal=RefusedError("No."))
    with pytest.raises(RefusedError, match=r"No\.") as caught:
        converge(reconciler, params, check_mode)
    assert caught.value.details == {}
    assert "save" not in reconciler.calls


@pytest.mark.parametrize("check_mode", [True, False], ids=["check mode", "a run"])
def test_without_a_backup_nothing_is_replaced(
    tmp_path: Path, params: Json, check_mode: bool
) -> None:
    """If one is wanted."""
    (tmp_path / "backups").write_text("a file")
    reconciler = Scripted([OLD], tmp_path)
    with pytest.raises(TaskError, match="its backup cannot be written"):
        converge(reconciler, params, check_mode)
    assert "save" not in reconciler.calls
    converge(reconciler, {**params, "backup": False}, check_mode=True)


def _in_a_file(folder: Path) -> None:
    folder.write_text("")


def _open_to_all(folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)


@pytest.mark.parametrize("place", [_in_a_file, _open_to_all])
def test_without_a_lock_nothing_is_replaced(
    tmp_path: Path, params: Json, place: t.Callable[[Path], None]
) -> None:
    """Which check mode knows too, in the same words."""
    place(tmp_path / "locks")
    messages = set()
    for check_mode in (True, False):
        reconciler = Scripted([OLD], tmp_path)
        with pytest.raises(TaskError, match="lock directory") as caught:
            converge(reconciler, params, check_mode)
        assert "save" not in reconciler.calls
        messages.add(str(caught.value.failure()))
    assert len(messages) == 1


# --- backups and errors ---------------------------------------------------------------------------


def test_each_replaced_document_is_backed_up(tmp_path: Path, params: Json) -> None:
    """The result names the last backup, and the journal all of them."""
    reconciler, journal = Scripted([OLD, OLD, "other", NEW], tmp_path), Journal()
    live = reconciler.load()
    plan = execute(reconciler, live, reconciler.plan(live), params, False, journal)
    files = [backup["backup_file"] for backup in journal.backups]
    assert len(files) == 2
    assert plan.result["backup_file"] == files[-1]
    assert plan.before == OLD, "what was there first"


NO_ANSWER = TaskError("No answer.")
AFTER_ERRORS: dict[str, tuple[BaseException, list[str]]] = {
    "a refusal": (TaskError("Denied."), []),
    "of unknown outcome": (NO_ANSWER, [OLD]),
    "a bug": (KeyError("Statement"), [OLD]),
    "an interruption": (KeyboardInterrupt(), [OLD]),
}


@pytest.mark.parametrize("case", AFTER_ERRORS)
def test_a_backup_is_kept_of_what_may_be_replaced(tmp_path: Path, params: Json, case: str) -> None:
    """A rollback would take that of a refused write for a change."""
    error, kept = AFTER_ERRORS[case]
    reconciler, journal = Scripted([OLD], tmp_path, [error]), Journal()
    live = reconciler.load()
    with pytest.raises((TaskError, KeyError, KeyboardInterrupt)):
        execute(reconciler, live, reconciler.plan(live), params, False, journal)
    assert (backups(tmp_path), len(journal.backups)) == (kept, len(kept))


ERRORS = {
    "an error": (TaskError("Denied.", "Ask."), "Denied. Ask."),
    "a bug": (KeyError("Statement"), "KeyError: 'Statement'. Report this as a bug."),
}


@pytest.mark.parametrize("case", ERRORS)
def test_an_error_says_what_was_written_before_it(tmp_path: Path, params: Json, case: str) -> None:
    """And where the document is that was replaced."""
    error, message = ERRORS[case]
    reconciler = Scripted([OLD], tmp_path, [WRITTEN, copy.deepcopy(error)])
    with pytest.raises(TaskError) as caught:
        converge(reconciler, params, check_mode=False)
    assert caught.value.details["written"] == [NAME]
    assert read(caught.value.details["backup_file"]).backup.before == {"Id": OLD}
    assert caught.value.failure()["msg"] == f"{message} Already written: {NAME}."


def test_an_error_before_any_write_says_nothing_more(tmp_path: Path, params: Json) -> None:
    reconciler = Scripted([OLD], tmp_path, [TaskError("Denied.", "Ask.")])
    with pytest.raises(TaskError, match="Denied") as caught:
        converge(reconciler, params, check_mode=False)
    assert (caught.value.remedy, caught.value.details) == ("Ask.", {})


def test_a_bug_before_any_write_keeps_its_traceback(tmp_path: Path, params: Json) -> None:
    with pytest.raises(KeyError):
        converge(Scripted([OLD], tmp_path, [KeyError("Statement")]), params, check_mode=False)


# --- to save now, and to read back later ----------------------------------------------------------


def test_a_save_is_not_read_back(tmp_path: Path, params: Json) -> None:
    """By who does so later."""
    reconciler, journal = Scripted([OLD], tmp_path), Journal()
    plan, unconfirmed = save_once(reconciler, NAME, params, journal)
    assert reconciler.calls == ["load", "guard", "save"]
    assert unconfirmed == Unconfirmed(State(NAME), plan, WRITTEN)
    assert (plan.before, plan.after) == (OLD, NEW)
    assert (journal.written, backups(tmp_path)) == ([NAME], [OLD])


def test_what_is_in_sync_is_not_saved(tmp_path: Path, params: Json) -> None:
    plan, unconfirmed = save_once(Scripted([NEW], tmp_path), NAME, params, Journal())
    assert (plan.changed, unconfirmed) == (False, None)


def test_a_save_that_another_writer_forestalled_is_tried_again(
    tmp_path: Path, params: Json
) -> None:
    """From what is there then. The backup of the one that was not made is deleted."""
    reconciler, journal = Scripted([OLD, "other"], tmp_path, [NOT_SAVED, WRITTEN]), Journal()
    plan, unconfirmed = save_once(reconciler, NAME, params, journal)
    assert plan.before == "other"
    assert unconfirmed is not None
    assert (journal.written, len(journal.backups), backups(tmp_path)) == ([NAME], 1, ["other"])


def test_a_save_of_unknown_outcome_is_to_be_confirmed(tmp_path: Path, params: Json) -> None:
    _plan, unconfirmed = save_once(Scripted([OLD], tmp_path, [UNKNOWN]), NAME, params, Journal())
    assert unconfirmed is not None
    assert unconfirmed.saved == UNKNOWN


def test_saves_that_another_writer_forestalls_end(tmp_path: Path, params: Json) -> None:
    reconciler = Scripted([OLD], tmp_path, [NOT_SAVED] * 20)
    with pytest.raises(UnsettledError, match=f"after each of {ROUNDS} attempts") as caught:
        save_once(reconciler, NAME, params, Journal())
    assert reconciler.calls.count("save") == ROUNDS
    assert "written" not in caught.value.details


SAVED = Unconfirmed(State(NAME), Plan(OLD, NEW, ("was old",)), WRITTEN)


def test_what_is_visible_is_confirmed_by_one_read(tmp_path: Path, params: Json) -> None:
    reconciler = Scripted([NEW], tmp_path)
    assert not confirm(reconciler, SAVED, params, Journal()).changed
    assert reconciler.calls == ["read back"]


def test_what_was_overwritten_is_converged_again(tmp_path: Path, params: Json) -> None:
    """Read once more with the lock, and backed up."""
    reconciler, journal = Scripted([OLD, OLD, NEW], tmp_path), Journal(written=["before"])
    again = confirm(reconciler, SAVED, params, journal)
    again_to_do = ["read back", "guard"]
    assert reconciler.calls == [*again_to_do, *again_to_do, "save", "read back"]
    assert again.reasons == ("was old",)
    assert journal.written == ["before", NAME]
    assert backups(tmp_path) == [OLD]


@pytest.mark.parametrize("saves", [0, 1], ids=["confirmed later", "read back at once"])
def test_what_is_to_be_done_again_may_be_refused(tmp_path: Path, params: Json, saves: int) -> None:
    """Another writer may have made the document one that must not be changed. What was written
    before is told.
    """
    reconciler, journal = Scripted([OLD], tmp_path), Journal(written=[NAME])
    plan = reconciler.plan(State(NAME))
    run = (
        functools.partial(execute, reconciler, State(NAME), plan, params, False, journal)
        if saves
        else functools.partial(confirm, reconciler, SAVED, params, journal)
    )
    judge = [None] * saves + [RefusedError("No.")]
    with (
        mock.patch.object(reconciler, "guard", side_effect=judge),
        pytest.raises(RefusedError, match=r"No\.") as caught,
    ):
        run()
    assert caught.value.details["written"] == [NAME]
    assert reconciler.calls.count("save") == saves


def test_what_another_task_restored_is_not_restored_again(tmp_path: Path, params: Json) -> None:
    """While this one waited for the lock."""
    reconciler = Scripted([OLD, NEW], tmp_path)
    assert not confirm(reconciler, SAVED, params, Journal()).changed
    assert "save" not in reconciler.calls


def test_an_error_of_the_confirmation_says_what_was_written(tmp_path: Path, params: Json) -> None:
    """By the save that it confirms."""
    reconciler = Scripted([OLD], tmp_path, [TaskError("Denied.")])
    with pytest.raises(TaskError, match="Denied") as caught:
        confirm(reconciler, SAVED, params, Journal(written=[NAME]))
    assert caught.value.details["written"] == [NAME]


# --- the result -----------------------------------------------------------------------------------


class Displayed(Scripted):
    """Its document ``old`` means that there is none."""

    def display(self, document: t.Any) -> t.Any:
        return None if document == OLD else document


@pytest.mark.parametrize(
    ("kind", "before", "previous"),
    [
        pytest.param(Scripted, '"old"\n', OLD, id="a document"),
        pytest.param(Displayed, "", None, id="none"),
    ],
)
def test_the_result_shows_what_was_there(
    tmp_path: Path, kind: type[Scripted], before: str, previous: str | None
) -> None:
    result = result_of(kind([OLD], tmp_path), NAME, Plan(OLD, NEW, ("differs",), ("w",), {"a": 1}))
    assert result == {
        "a": 1,
        "changed": True,
        "previous": previous,
        "reasons": ["differs"],
        "warnings": ["the document: w"],
        "diff": {
            "before_header": "the document (before)",
            "after_header": "the document (after)",
            "before": before,
            "after": '"new"\n',
        },
    }


def test_what_people_are_shown_is_escaped_and_data_is_not(tmp_path: Path) -> None:
    """Ansible displays a diff and warnings as they are; what a result returns may be put back."""
    evil, shown = "\x9b2J\u202e\u200b", "\\x9b2J\\u202e\\u200b"
    result = result_of(
        Scripted([OLD], tmp_path),
        evil,
        Plan({evil: evil}, NEW, ("differs",), (evil,), {"name": evil}),
    )
    assert result["warnings"] == [f"{shown}: {shown}"]
    assert result["diff"]["before"] == f'{{\n  "{shown}": "{shown}"\n}}\n'
    assert result["diff"]["before_header"] == f"{shown} (before)"
    assert (result["name"], result["previous"]) == (evil, {evil: evil})
