# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Cloud IAM mapping that other writers replace as well: no rule of theirs is lost in silence, and
neither is what is wanted here.

The service is in memory. It does what a test says right before each call. Rules are written as
letters: tests/support/mapping_rules.py.
"""

from __future__ import annotations

import copy
import dataclasses
import tempfile
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.api import UnsentError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import converge
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_plan import (
    MappingPlan,
    decide,
    parse_wanted,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_reconciler import (
    IamMappingReconciler,
    MappingPlanner,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_store import (
    IamMappingStore,
    LiveMapping,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AnyscaleError,
    ConflictError,
    InputError,
    RefusedError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import Clock
from ansible_collections.rayfleet.anyscale.tests.support.mapping_rules import (
    options,
    spec,
    words_of,
)

Json = dict[str, t.Any]
READ, WRITE, USER = "read", "write", "user"
UNSENT = -1  # in the place of an HTTP status: nothing was sent
RESOURCE: Json = {
    "cloud_resource_id": "cldrsrc_x",
    "name": "vm",
    "provider": "AWS",
    "compute_stack": "VM",
    "is_default": True,
}
# When the one change of a run without other writers is made: read, plan, read under the lock, read
# once more, write, read back.
CALLS = [READ, USER, READ, USER, READ, WRITE, READ]


class Time(Clock):
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self._now = 0.0

    def now(self) -> float:
        return self._now

    def sleep(self, seconds: float) -> None:
        self._now += seconds


class Service:
    """The config of one resource. ``before``: what happens right before the call of a number.
    ``failures``: the errors of the writes, in their order, and whether they take effect.
    """

    def __init__(self, config: Json, level: str | None = "owner") -> None:
        self.config = config
        self.level = level
        self.resources = [RESOURCE]
        self.calls: list[str] = []
        self.before: dict[int, t.Callable[[], None]] = {}
        self.failures: list[tuple[int, bool]] = []

    def _called(self, name: str) -> None:
        self.before.pop(len(self.calls), lambda: None)()
        self.calls.append(name)

    def cloud_resources(self, _cloud_id: str) -> list[Json]:
        return self.resources

    def permission_level(self) -> str | None:
        self._called(USER)
        return self.level

    def deployment_config(self, _cloud_id: str, _resource_id: str) -> Json:
        self._called(READ)
        return copy.deepcopy(self.config)

    def put_deployment_config(self, _cloud_id: str, _resource_id: str, sent: Json) -> None:
        self._called(WRITE)
        status, takes_effect = self.failures.pop(0) if self.failures else (200, True)
        if takes_effect:
            self.config = copy.deepcopy(sent)
        if status == UNSENT:
            raise UnsentError("PUT failed.", status=0)
        if status != 200:
            raise AnyscaleError("PUT failed.", status=status)

    @property
    def words(self) -> str:
        return words_of(self.config)

    @property
    def writes(self) -> int:
        return self.calls.count(WRITE)


@dataclasses.dataclass
class Rules(MappingPlanner):
    """What the options of the module want."""

    wanted: Json

    def __post_init__(self) -> None:
        self.replaces_all = self.wanted["state"] == "replaced"

    def plan(self, live: LiveMapping) -> MappingPlan:
        return decide(live.spec, parse_wanted(self.wanted), live.kind)

    def guard(self, live: LiveMapping, plan: Plan) -> None:
        """Nothing else is needed."""


def run(service: Service, wanted: Json, check_mode: bool = False, **named: t.Any) -> Json:
    store = IamMappingStore(t.cast(t.Any, service), "cld_x", named.get("resource"))
    reconciler = IamMappingReconciler(store, Rules(wanted), clock=Time())
    with tempfile.TemporaryDirectory() as folder:
        return converge(reconciler, {"lock_dir": folder}, check_mode)


# --- without other writers ------------------------------------------------------------------------


def test_a_change_reads_again_right_before_it_writes() -> None:
    service = Service(spec("X"))
    result = run(service, options("A"))
    assert (service.words, service.calls) == ("X A", CALLS)
    assert (result["changed"], result["reasons"]) == (True, ["rule_missing"])
    assert [rule["role"] for rule in result["previous"]["rules"]] == ["ray-x"]


def test_in_sync_costs_one_read() -> None:
    service = Service(spec("A X"))
    assert not run(service, options("A"))["changed"]
    assert service.calls == [READ]


def test_check_mode_writes_nothing() -> None:
    service = Service(spec("X"))
    assert run(service, options("A"), check_mode=True)["changed"]
    assert (service.words, service.calls) == ("X", [READ, USER])


@pytest.mark.parametrize("level", ["collaborator", "image_reader"])
@pytest.mark.parametrize("check_mode", [True, False])
def test_others_than_owners_are_refused_before_anything_is_written(
    level: str, check_mode: bool
) -> None:
    service = Service(spec("X"), level)
    with pytest.raises(RefusedError, match=f"is {level} of the .*only an owner") as error:
        run(service, options("A"), check_mode)
    assert "anyscale_token" in error.value.remedy
    assert service.writes == 0


@pytest.mark.parametrize("level", [None, "unspecified"])
def test_what_the_service_does_not_say_the_write_shows(level: str | None) -> None:
    service = Service(spec("X"), level)
    service.failures = [(403, False)]
    with pytest.raises(AnyscaleError) as error:
        run(service, options("A"))
    assert "owner of the organization" in error.value.remedy


# --- failures of the write ------------------------------------------------------------------------

# The errors of the writes, and whether they take effect; how many writes there are.
OUTLASTED: dict[str, tuple[list[tuple[int, bool]], int]] = {
    "500 after the commit": ([(500, True)], 1),
    "500 before it": ([(500, False)], 2),
    "no answer, and it was written": ([(0, True)], 1),
    "no answer, and it was not": ([(0, False)], 2),
    "another change holds the lock": ([(409, False)], 2),
    "half an answer": ([(200, True)], 1),
    "502, then 500 after the commit": ([(502, False), (500, True)], 2),
}


@pytest.mark.parametrize("case", OUTLASTED)
def test_a_failure_is_outlasted(case: str) -> None:
    failures, writes = OUTLASTED[case]
    service = Service(spec("X"))
    service.failures = list(failures)
    result = run(service, options("A"))
    assert (service.words, service.writes, result["changed"]) == ("X A", writes, True)


@pytest.mark.parametrize("status", [400, 401, 404, 422, 599])
def test_a_refusal_is_final(status: int) -> None:
    service = Service(spec("X"))
    service.failures = [(status, False)]
    with pytest.raises(AnyscaleError) as error:
        run(service, options("A"))
    assert (service.words, service.writes) == ("X", 1)
    assert "written" not in error.value.details
    assert error.value.remedy


@pytest.mark.parametrize("status", [500, 0])
def test_a_service_that_fails_for_ever_is_an_error(status: int) -> None:
    """After a minute; one of its writes may yet take effect."""
    service = Service(spec("X"))
    service.failures = [(status, False)] * 100
    with pytest.raises(AnyscaleError) as error:
        run(service, options("A"))
    assert 5 <= service.writes <= 40
    assert str(error.value.details["written"]).endswith("(possibly)']")


def test_what_never_left_is_not_said_to_be_written() -> None:
    service = Service(spec("X"))
    service.failures = [(UNSENT, False)] * 100
    with pytest.raises(UnsentError) as error:
        run(service, options("A"))
    assert service.writes >= 5
    assert "written" not in error.value.details


@pytest.mark.parametrize("status", [409, 503, UNSENT])
def test_what_passes_within_a_minute_is_waited_for(status: int) -> None:
    service = Service(spec("X"))
    service.failures = [(status, False)] * 5
    run(service, options("A"))
    assert service.words == "X A"


# --- other writers --------------------------------------------------------------------------------


def writes(service: Service, words: str, **more: t.Any) -> t.Callable[[], None]:
    """Another writer replaces the config."""

    def write() -> None:
        service.config = spec(words, **more)

    return write


class TestBetweenReadAndWrite:
    """The config is another one when it is read right before the write."""

    @pytest.mark.parametrize("number", [2, 4])
    def test_a_new_rule_is_kept_in_its_place(self, number: int) -> None:
        service = Service(spec("X Y"))
        service.before[number] = writes(service, "X E Y")
        run(service, options("A"))
        assert service.words == "X E Y A"

    def test_what_else_is_changed_is_kept(self) -> None:
        service = Service(spec("X", user_tag_annotation_prefix="old"))
        service.before[4] = writes(service, "X", user_tag_annotation_prefix="new")
        run(service, options("A"))
        assert service.config["user_tag_annotation_prefix"] == "new"

    def test_what_is_wanted_is_no_change_of_ours(self) -> None:
        service = Service(spec("X"))
        service.before[4] = writes(service, "X A")
        result = run(service, options("A"))
        assert (result["changed"], service.writes) == (False, 0)

    def test_a_rule_that_replacing_would_remove_is_a_conflict(self) -> None:
        service = Service(spec("X"))
        service.before[4] = writes(service, "X E")
        with pytest.raises(ConflictError) as error:
            run(service, options("A", "replaced"))
        assert (service.words, service.writes) == ("X E", 0)
        assert [rule["role"] for rule in error.value.details["found"]["rules"]] == [
            "ray-x",
            "ray-e",
        ]
        assert [rule["role"] for rule in error.value.details["expected"]["rules"]] == ["ray-a"]


class TestAfterTheWrite:
    """The config is another one when it is read back."""

    def test_an_old_list_gets_our_rule_again_and_keeps_its_own(self) -> None:
        service = Service(spec("X Y"))
        service.before[6] = writes(service, "X E Y")
        result = run(service, options("A", at="first"))
        assert service.words == "A X E Y"
        assert result["changed"]

    def test_what_it_removed_stays_removed_and_is_said(self) -> None:
        service = Service(spec("X Y"))
        service.before[6] = writes(service, "Y E")
        result = run(service, options("A"))
        assert service.words == "Y E A"
        assert "removed or changed the rules 'user=x@x.y'" in result["warnings"][0]

    @pytest.mark.parametrize("words", ["E", ""])
    def test_another_list_altogether_is_a_conflict(self, words: str) -> None:
        service = Service(spec("X Y"))
        service.before[6] = writes(service, words)
        with pytest.raises(ConflictError) as error:
            run(service, options("A"))
        assert (service.words, service.writes) == (words, 1)
        assert len(error.value.details["expected"]["rules"]) == 3
        assert len(error.value.details["written"]) == 1

    def test_one_that_keeps_our_rule_is_left_alone(self) -> None:
        service = Service(spec("X"))
        service.before[6] = writes(service, "E X A")
        run(service, options("A"))
        assert (service.words, service.writes) == ("E X A", 1)

    def test_a_rule_that_replacing_would_remove_is_a_conflict(self) -> None:
        service = Service(spec("X"))
        service.before[6] = writes(service, "A E")
        with pytest.raises(ConflictError):
            run(service, options("A", "replaced"))
        assert service.words == "A E"

    def test_a_write_that_may_have_been_made_and_overwritten_is_said(self) -> None:
        service = Service(spec("X"))
        service.failures = [(500, True)]
        service.before[6] = writes(service, "X E")
        result = run(service, options("A"))
        assert (service.words, result["changed"]) == ("X E A", True)


@given(
    words=st.lists(st.sampled_from("XYZA"), max_size=4, unique=True).map(" ".join),
    at=st.sampled_from([None, "first", "last"]),
    read=st.integers(0, 6),
    write=st.integers(0, 6),
    failure=st.sampled_from([None, (500, True), (500, False), (409, False)]),
)
def test_an_editor_who_reads_and_writes_at_any_moment(
    words: str, at: str | None, read: int, write: int, failure: tuple[int, bool] | None
) -> None:
    """It adds a rule to what it has read before. Only in the moment between the last read and the
    write could it be lost: the API has no versions.
    """
    service = Service(spec(words))
    service.failures = [failure] if failure else []
    seen: list[str] = []
    written: list[int] = []

    def edit() -> None:
        written.append(len(service.calls))
        service.config = spec(f"{seen[0] if seen else service.words} E")

    service.before[min(read, write)] = lambda: seen.append(service.words)
    if read < write:
        service.before[write] = edit
    try:
        run(service, options("A", at=at))
    except ConflictError:
        assert service.words.endswith("E")
        return
    assert "A" in service.words
    is_in_the_gap = bool(written) and service.calls[written[0]] == WRITE
    assert not written or is_in_the_gap or "E" in service.words.split()
    others = [word for word in service.words.split() if word in "XYZ"]
    assert others == [word for word in words.split() if word in "XYZ"]


# --- the resource ---------------------------------------------------------------------------------

OTHER = {**RESOURCE, "cloud_resource_id": "cldrsrc_y", "name": "second", "is_default": False}
ON_KUBERNETES = {**OTHER, "compute_stack": "K8S"}
ON_GOOGLE = {**OTHER, "provider": "GCP"}
RESOURCES: dict[str, tuple[list[Json], str | None, str]] = {
    "not one of the cloud": ([RESOURCE, OTHER], "cldrsrc_z", r"'cldrsrc_z', which is not a res"),
    "the deprecated alias": ([RESOURCE], "default", "'default', which is not a resource of cloud"),
    "two of the same name": ([RESOURCE, {**OTHER, "name": "vm"}], "vm", "'vm', which is not"),
    "Kubernetes": ([RESOURCE, ON_KUBERNETES], "second", "second is K8S on AWS"),
    "another provider": ([RESOURCE, ON_GOOGLE], "second", "second is VM on GCP"),
    "two primary ones": ([RESOURCE, {**OTHER, "is_default": True}], None, "2 primary resources"),
    "none": ([], None, "0 primary resources"),
}


@pytest.mark.parametrize("case", RESOURCES)
def test_a_resource_that_is_refused(case: str) -> None:
    resources, named, words = RESOURCES[case]
    service = Service(spec(""))
    service.resources = resources
    with pytest.raises((RefusedError, InputError), match=words) as error:
        run(service, options("A"), resource=named)
    assert error.value.remedy
    assert service.calls == []


@pytest.mark.parametrize("named", [None, "vm", "cldrsrc_x"])
def test_a_resource_by_its_name_or_id(named: str | None) -> None:
    service = Service(spec(""))
    service.resources = [OTHER, RESOURCE]
    assert run(service, options("A"), resource=named)["changed"]


def test_any_failure_is_told_as_one_of_this_collection() -> None:
    service = Service(spec("X"))
    service.resources = [{**RESOURCE, "provider": 5}]
    with pytest.raises(TaskError):
        run(service, options("A"))
