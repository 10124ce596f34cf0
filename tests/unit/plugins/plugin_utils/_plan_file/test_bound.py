# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A run with a plan file writes nothing that the plan does not show: whatever other writers do in the
meantime, whatever is done to the file, and however the clouds are divided into batches.
"""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.clouds import Clouds
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet import engine as engines
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.engine import Engine
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._fleet.run import Run, RunOptions
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.binding import Binding
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.recorder import (
    PlanRecorder,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._plan_file.store import PlanStore
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._progress.feed import Feed
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet import (
    fleet_in_memory,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.fleet_in_memory import (
    KINDS,
    InMemory,
    World,
    cloud_of,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.plugin_utils._fleet.test_run import (
    Events,
)

pytestmark = pytest.mark.core

KEY = "a key of the tests, long enough"
Json = dict[str, t.Any]
Documents = dict[str, list[str]]


@pytest.fixture(autouse=True)
def _in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "KINDS", KINDS)


class Fleet:
    """Clouds by name, each with the bucket that it has, perhaps with others; and their documents."""

    def __init__(self, folder: Path, buckets: t.Mapping[str, str], **documents: list[str]) -> None:
        self.folder, self.buckets = folder, buckets
        self.world = World(**documents)
        self.roles: dict[str, str] = {}

    def clouds(self, names: t.Iterable[str] | None = None) -> list[Cloud]:
        """The clouds, as their variables say now."""
        return [
            cloud_of(
                name,
                self.folder,
                bucket=self.buckets[name],
                role=self.roles.get(name, name),
                backup_key=KEY,
            )
            for name in (self.buckets if names is None else names)
        ]

    def plan(self, options: RunOptions | None = None, **more: t.Any) -> dict[str, str]:
        """Write the plan file. Returns the states of the clouds."""
        clouds = self.clouds()
        recorder = PlanRecorder()
        options = options or RunOptions(check_mode=True, confirm=False)
        run = self._run(clouds, options, recorder=recorder, **more)
        PlanStore(self.path, clouds).write(run.outcomes, recorder)
        return states_of(run)

    def apply(
        self,
        options: RunOptions | None = None,
        names: t.Iterable[str] | None = None,
        **more: t.Any,
    ) -> Run:
        """Apply the plan file."""
        clouds = self.clouds(names)
        binding = PlanStore(self.path, clouds).read()
        options = options or RunOptions(confirm=False)
        return self._run(clouds, options, binding=binding, **more)

    @property
    def path(self) -> str:
        """The plan file."""
        return str(self.folder / "plan.json")

    def _run(
        self,
        clouds: list[Cloud],
        options: RunOptions,
        recorder: PlanRecorder | None = None,
        binding: Binding | None = None,
        stages: t.Collection[str] = ("trust", "bucket"),
    ) -> Run:
        engine = Engine(
            InMemory(self.world),
            state="present",
            stages=stages,
            threads=1,
            keeps_documents=options.check_mode,
            binding=binding,
            clock=self.world.clock,
        )
        found = Clouds({cloud.name: cloud for cloud in clouds})
        run = Run(engine, options, found, t.cast(Feed, Events()), recorder)
        run.plan()
        while not run.is_finished:
            run.converge_next()
        run.end()
        return run


def states_of(run: Run) -> dict[str, str]:
    """How each cloud ended."""
    return {name: outcome["state"] for name, outcome in run.outcomes.items()}


def reasons_of(run: Run) -> dict[str, str]:
    """Why the clouds were refused that the plan file refuses."""
    return {
        name: outcome["error"]["plan_file"]
        for name, outcome in run.outcomes.items()
        if "plan_file" in outcome.get("error", {})
    }


# --- what is refused, and what is not -------------------------------------------------------------


def test_what_was_planned_is_applied(tmp_path: Path) -> None:
    """Documents of others stay in it. A second time there is nothing left to do."""
    fleet = Fleet(tmp_path, {"a": "data", "b": "data", "c": "c"}, bucket__data=["theirs"])
    assert fleet.plan() == dict.fromkeys("abc", "would_change")
    assert fleet.world.names("write") == []
    assert states_of(fleet.apply()) == dict.fromkeys("abc", "changed")
    assert fleet.world.documents["bucket data"] == ["theirs", "a", "b"]
    assert states_of(fleet.apply()) == dict.fromkeys("abc", "in_sync")


def test_a_change_is_made_once(tmp_path: Path) -> None:
    """After a rollback, or another writer's, another plan is needed. It is for what that shows."""
    fleet = Fleet(tmp_path, {"a": "data", "b": "data"}, bucket__data=["theirs"])
    earlier = {name: list(found) for name, found in fleet.world.documents.items()}
    fleet.plan()
    fleet.apply()
    fleet.world.documents.clear()
    fleet.world.documents.update(earlier)
    again = fleet.apply()
    assert reasons_of(again) == dict.fromkeys("ab", "made_before")
    assert "by run 4711" in again.outcomes["a"]["msg"]
    assert fleet.world.documents == earlier
    fleet.plan()
    assert states_of(fleet.apply()) == dict.fromkeys("ab", "changed")


def test_an_edit_of_one_document_refuses_what_was_made_of_it_alone(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, {"a": "data", "b": "b"})
    fleet.plan()
    fleet.apply()
    fleet.world.documents["trust a"] = []
    again = fleet.apply()
    assert (states_of(again)["b"], reasons_of(again)) == ("in_sync", {"a": "made_before"})


def test_the_rest_of_a_plan_is_applied_by_a_later_run(tmp_path: Path) -> None:
    """Other parts, other clouds, and what could not be written."""
    fleet = Fleet(tmp_path, {"a": "data", "b": "data", "c": "c"})
    fleet.plan()
    fleet.world.errors["write", "bucket data"] = RefusedError("Denied.")
    assert states_of(fleet.apply(names="ac")) == {"a": "failed", "c": "changed"}
    fleet.world.errors.clear()
    fleet.apply(names="b", stages=["trust"])
    assert states_of(fleet.apply()) == {"a": "changed", "b": "changed", "c": "in_sync"}


EDITS: dict[str, tuple[str, list[str], str]] = {
    # what is edited, what it is then, which clouds that refuses
    "another statement in a document of one cloud": ("trust a", ["theirs", "new"], "a"),
    "a statement of others less": ("trust a", [], "a"),
    "another statement in a document of two": ("bucket data", ["theirs", "new"], "ab"),
    "what is planned is there already, and more is not": ("trust a", ["theirs", "a"], ""),
    "a document of no cloud": ("bucket other", ["new"], ""),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edit_refuses_its_clouds_alone(name: str, tmp_path: Path) -> None:
    edited, document, refused = EDITS[name]
    fleet = Fleet(
        tmp_path, {"a": "data", "b": "data", "c": "c"}, bucket__data=["theirs"], trust__a=["theirs"]
    )
    fleet.plan()
    fleet.world.documents[edited] = document
    run = fleet.apply()
    assert reasons_of(run) == dict.fromkeys(refused, "before_differs")
    assert {name for name, state in states_of(run).items() if state == "failed"} == set(refused)
    if refused:
        assert fleet.world.documents[edited] == document
    message = run.outcomes["a"].get("msg", "")
    assert ("make a new plan" in message) == ("a" in refused)


def test_other_variables_are_another_change(tmp_path: Path) -> None:
    """The role that a cloud has now was not planned, for its bucket neither."""
    fleet = Fleet(tmp_path, {"a": "data", "b": "data"})
    fleet.plan()
    fleet.roles["a"] = "evil"
    run = fleet.apply()
    assert states_of(run) == {"a": "failed", "b": "changed"}
    assert reasons_of(run) == {"a": "not_in_plan"}  # the trust policy of another role
    assert fleet.world.documents == {"trust b": ["b"], "bucket data": ["b"]}


def test_another_role_in_a_planned_document_is_another_change(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, {"a": "data", "b": "data"})
    fleet.plan(stages=["bucket"])
    fleet.roles["a"] = "evil"
    run = fleet.apply(stages=["bucket"])
    assert reasons_of(run) == {"a": "after_differs"}
    assert fleet.world.documents == {"bucket data": ["b"]}


def test_the_role_of_another_planned_cloud_is_another_change(tmp_path: Path) -> None:
    """What the plan shows for one cloud is not permitted for another."""
    fleet = Fleet(tmp_path, {"a": "data", "b": "data"})
    fleet.plan(stages=["bucket"])
    fleet.roles["a"] = "b"
    run = fleet.apply(names=["a"], stages=["bucket"])
    assert reasons_of(run) == {"a": "after_differs"}
    assert fleet.world.documents == {}


def test_a_cloud_that_the_plan_does_not_have_is_refused(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, {"a": "data"})
    fleet.plan()
    fleet.buckets = {"a": "data", "z": "data"}
    run = fleet.apply()
    assert states_of(run) == {"a": "changed", "z": "failed"}
    assert reasons_of(run) == {"z": "not_in_plan"}
    assert "it does not have this cloud" in run.outcomes["z"]["msg"]
    assert fleet.world.documents == {"trust a": ["a"], "bucket data": ["a"]}


def test_a_cloud_that_was_in_sync_is_refused_if_it_needs_a_change(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, {"a": "a"}, trust__a=["a"], bucket__a=["a"])
    assert fleet.plan() == {"a": "in_sync"}
    fleet.world.documents["trust a"] = []
    run = fleet.apply()
    assert reasons_of(run) == {"a": "not_in_plan"}
    assert "this cloud was in sync" in run.outcomes["a"]["msg"]


def test_clouds_of_the_plan_may_be_left_out(tmp_path: Path) -> None:
    """And the rest of the plan is applied later."""
    fleet = Fleet(tmp_path, {"a": "data", "b": "data", "c": "data"})
    fleet.plan()
    assert states_of(fleet.apply(names=["b"])) == {"b": "changed"}
    assert fleet.world.documents["bucket data"] == ["b"]
    assert states_of(fleet.apply()) == {"a": "changed", "b": "in_sync", "c": "changed"}


def test_a_plan_for_a_canary_is_for_no_other_cloud(tmp_path: Path) -> None:
    fleet = Fleet(tmp_path, {"a": "data", "b": "data"})
    canary = RunOptions(check_mode=True, canary_percent=50, only="canary")
    assert fleet.plan(canary) == {"a": "would_change", "b": "deferred"}
    assert states_of(fleet.apply()) == {"a": "changed", "b": "failed"}
    assert fleet.world.documents["bucket data"] == ["a"]


def test_an_edit_between_plan_and_write_is_refused_without_a_backup(tmp_path: Path) -> None:
    """What is read just before the write is compared again, before anything is kept of it."""
    fleet = Fleet(tmp_path, {"a": "a", "b": "b"}, trust__a=["theirs"])
    fleet.plan()
    fleet.world.calls.clear()

    def edit(step: str, name: str) -> None:
        if (step, name) == ("load", "trust a") and fleet.world.names("load").count(name) == 2:
            fleet.world.documents[name] = ["theirs", "new"]

    fleet.world.meanwhile = edit
    run = fleet.apply()
    assert states_of(run) == {"a": "failed", "b": "changed"}
    assert reasons_of(run) == {"a": "before_differs"}
    assert "bucket a" not in fleet.world.names("write")
    backups = [path.name for path in (tmp_path / "backups").glob("*.json")]
    assert len(backups) == 2
    assert not any("trust-a" in name for name in backups)


def test_a_cloud_that_is_refused_at_the_write_is_applied_by_a_later_run(tmp_path: Path) -> None:
    """The plan is applied for the others of the document now."""
    fleet = Fleet(tmp_path, {"a": "data", "b": "data"}, bucket__data=["theirs"])
    fleet.plan()

    def refuse(step: str, name: str) -> None:
        if (step, name) == ("write", "trust b"):
            fleet.world.errors["judge", "a"] = RefusedError("No.")

    fleet.world.meanwhile = refuse
    assert states_of(fleet.apply()) == {"a": "failed", "b": "changed"}
    assert fleet.world.documents["bucket data"] == ["theirs", "b"]
    fleet.world.errors.clear()
    assert states_of(fleet.apply()) == {"a": "changed", "b": "in_sync"}
    assert fleet.world.documents["bucket data"] == ["theirs", "b", "a"]


def test_what_another_writer_overwrote_is_restored_only_as_planned(tmp_path: Path) -> None:
    """The first cloud's document is as it was before again: that is written again. The second one's has
    more in it now, and stays.
    """
    fleet = Fleet(tmp_path, {"a": "a", "b": "b"})
    fleet.plan(stages=["bucket"])
    after = {"bucket a": [], "bucket b": ["new"]}

    def overwrite(step: str, name: str) -> None:
        if step == "written" and name in after:
            fleet.world.documents[name] = after.pop(name)

    fleet.world.meanwhile = overwrite
    run = fleet.apply(RunOptions(), stages=["bucket"])
    assert states_of(run) == {"a": "changed", "b": "failed"}
    assert reasons_of(run) == {"b": "before_differs"}
    assert fleet.world.documents == {"bucket a": ["a"], "bucket b": ["new"]}


# --- the laws -------------------------------------------------------------------------------------

NAMES = ["a", "b", "c", "d"]
_some = st.lists(st.sampled_from([*NAMES, "theirs", "new"]), unique=True, max_size=4)
_documents = st.sampled_from([*(f"trust {name}" for name in NAMES), "bucket one", "bucket two"])
_edits = st.dictionaries(st.integers(0, 60), st.tuples(_documents, _some), max_size=4)
_serial = st.none() | st.integers(1, 3)
_many = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@_many
@given(
    buckets=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(["one", "two"]), min_size=1),
    found=st.dictionaries(_documents, _some),
    edits=_edits,
    planned_serial=_serial,
    serial=_serial,
    confirm=st.booleans(),
    renamed=st.dictionaries(st.sampled_from(NAMES), st.sampled_from([*NAMES, "evil"]), max_size=1),
)
def test_nothing_is_written_that_the_plan_does_not_show(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    buckets: dict[str, str],
    found: Documents,
    edits: dict[int, tuple[str, list[str]]],
    planned_serial: int | None,
    serial: int | None,
    confirm: bool,
    renamed: dict[str, str],
) -> None:
    """Whatever another writer does at each step of the run, and with other batches and variables.

    Each document that is written is the planned one, or on the way from what was found to it.
    """
    for earlier in tmp_path.glob("plan.*"):
        earlier.unlink()
    fleet = Fleet(tmp_path, buckets)
    fleet.world.documents = {name: list(sids) for name, sids in found.items()}
    states = fleet.plan(RunOptions(check_mode=True, serial=planned_serial))
    planned = {name for name, state in states.items() if state == "would_change"}
    fleet.roles = {name: role for name, role in renamed.items() if name in buckets}
    written: list[tuple[str, set[str]]] = []
    write = fleet_in_memory.Store.write

    def noting(store: t.Any, live: t.Any, document: Document) -> None:
        written.append((live.resource, {raw["Sid"] for raw in statements_of(document)}))
        write(store, live, document)

    steps = iter(range(10_000))

    def edit(step: str, name: str) -> None:
        if edited := edits.get(next(steps)):
            fleet.world.documents[edited[0]] = list(edited[1])

    monkeypatch.setattr(fleet_in_memory.Store, "write", noting)
    fleet.world.meanwhile = edit
    fleet.apply(RunOptions(confirm=confirm, serial=serial))
    monkeypatch.setattr(fleet_in_memory.Store, "write", write)
    for name, sids in written:
        wanting = {
            cloud for cloud in planned if name in (f"trust {cloud}", f"bucket {buckets[cloud]}")
        }
        assert set(found.get(name, ())) <= sids
        assert sids <= {*found.get(name, ()), *wanting}


@_many
@given(st.data())
def test_an_edited_file_is_refused_before_anything_is_read(
    tmp_path: Path, data: st.DataObject
) -> None:
    """Any character less, more or another one, unless the content is the same."""
    fleet = Fleet(tmp_path, {"a": "data", "b": "data"}, bucket__data=["theirs"])
    path = Path(fleet.path)
    if not path.exists():
        fleet.plan()
        (tmp_path / "copy").write_bytes(path.read_bytes())
        fleet.world.calls.clear()
    text = (tmp_path / "copy").read_text()
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start, min(len(text), start + 40)))
    edited = text[:start] + data.draw(st.text(max_size=5)) + text[end:]
    path.write_text(edited)
    try:
        is_same = json.loads(edited) == json.loads(text)
    except ValueError:
        is_same = False
    if not is_same:
        with pytest.raises(InputError):
            fleet.apply()
        assert fleet.world.calls == []
    path.write_text(text)
