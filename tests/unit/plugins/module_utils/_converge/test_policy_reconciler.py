# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A policy document that other writers replace as well: what they write is not lost, and neither is
what is wanted here.

The store is in memory. It does what a test says before each read, and after each write.
"""

from __future__ import annotations

import dataclasses
import tempfile
import typing as t
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.sending import (
    note_sending,
    refuse_late,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.converge import converge
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.policy_reconciler import (
    LivePolicy,
    PolicyPlanner,
    PolicyReconciler,
    PolicyStore,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.reconciler import (
    NOT_SAVED,
    Saved,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    AwsError,
    ConflictError,
    OutdatedError,
    RefusedError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    BUCKET_POLICY,
    Backup,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._retry import Clock

ACCOUNT = "123456789012"
NAME = "policy of bucket data"
FRESH_SECONDS, BUSY_SECONDS, VISIBLE_SECONDS = 2.0, 60.0, 30.0
THROTTLED = AwsError("Too many calls.", code="SlowDown", status=503)
NO_ANSWER = AwsError("No answer.", code="InternalError", status=500)
DENIED = AwsError("Denied.", code="AccessDenied", status=403)


class Time(Clock):
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept = 0.0
        self.on_sleep: t.Callable[[], None] = lambda: None

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        self.slept += seconds
        self.on_sleep()


def statement(sid: str, **more: t.Any) -> dict[str, t.Any]:
    """A statement that no other means the same as."""
    return {"Sid": sid, "Effect": "Allow", "Action": f"s3:{sid}", **more}


def document(*sids: str) -> Document:
    """A document with a statement for each Sid."""
    return {"Version": "2012-10-17", "Statement": [statement(sid) for sid in sids]}


def sids(found: Document) -> list[str]:
    """The Sids of a document."""
    return [raw.get("Sid", "") for raw in statements_of(found)]


class Memory(PolicyStore[LivePolicy]):
    """A document in memory, and what another writer does with it meanwhile.

    refusals: the errors of the next writes, each with whether the document is written nevertheless.
    meanwhile: called before a read and after a write. wait: what a write does before it leaves.
    """

    def __init__(self, *names: str) -> None:
        self.document = document(*names)
        self.refusals: list[tuple[AwsError, bool]] = []
        self.meanwhile: t.Callable[[str], None] = lambda _moment: None
        self.wait: t.Callable[[], None] = lambda: None
        self.reads = 0
        self.writes: list[list[str]] = []
        self.listed: list[tuple[Document, ...]] = []
        self.arns: dict[str, str] = {}

    def load(self) -> LivePolicy:
        self.meanwhile("read")
        self.reads += 1
        return LivePolicy(NAME, self.document)

    def write(self, live: LivePolicy, document: Document) -> None:
        self.wait()
        refuse_late("PutDocument")
        refusal = self.refusals.pop(0) if self.refusals else None
        takes_effect = refusal is None or refusal[1]
        if takes_effect:
            self.document = document
            self.writes.append(sids(document))
        self.meanwhile("written" if takes_effect else "refused")
        if refusal:
            raise refusal[0]

    def principals(self, *documents: Document) -> t.Mapping[str, str]:
        self.listed.append(documents)
        return self.arns

    def owner_of(self, live: LivePolicy) -> str:
        return ACCOUNT

    def backup(self, live: LivePolicy, before: Document, after: Document) -> Backup:
        return Backup(
            BUCKET_POLICY, {"bucket": "data"}, ACCOUNT, before, after, ("from the store",)
        )


@dataclasses.dataclass(frozen=True)
class Wants(PolicyPlanner[LivePolicy]):
    """A statement is there."""

    sid: str = "Ours"
    warnings: tuple[str, ...] = ()

    def plan(self, live: LivePolicy) -> Plan:
        found = live.document
        if self.sid in sids(found):
            return Plan(found, found, (), self.warnings, {"has": self.sid})
        after = {**found, "Statement": [*statements_of(found), statement(self.sid)]}
        return Plan(found, after, (f"no_{self.sid}",), self.warnings, {"has": self.sid})


def reconciler_of(
    store: Memory, *planners: Wants, clock: Time | None = None, **options: t.Any
) -> PolicyReconciler[LivePolicy]:
    """For one statement, or for several."""
    return PolicyReconciler(store, planners or [Wants()], [], clock=clock or Time(), **options)


# --- plan -----------------------------------------------------------------------------------------


def test_what_is_read_has_the_time_and_the_principals() -> None:
    """Of the documents that it is compared with, too."""
    store, other = Memory("A"), document("B")
    store.arns = {"AROA": "arn"}
    live = reconciler_of(store, compared=[other]).load()
    assert (live.read_at, live.arns) == (1000.0, {"AROA": "arn"})
    assert store.listed == [(store.document, other)]


def test_a_document_is_as_old_as_the_request_for_it() -> None:
    """That may have waited for its turn, and been sent again. What else is read makes it no younger."""
    store, clock = Memory("A"), Time()

    def answer_late(moment: str) -> None:
        for _call in range(2):
            clock.seconds += 10
            note_sending()

    store.meanwhile = answer_late
    reconciler = reconciler_of(store, clock=clock)
    live = reconciler.load()
    assert (live.read_at, reconciler.reload(live).read_at) == (1010.0, 1040.0)


COMPOSED: dict[str, tuple[list[str], list[str], tuple[str, ...]]] = {
    "both change it": (["A"], ["A", "One", "Two"], ("no_One", "no_Two")),
    "the first changes it": (["Two"], ["Two", "One"], ("no_One",)),
    "the second changes it": (["One"], ["One", "Two"], ("no_Two",)),
    "neither changes it": (["One", "Two"], ["One", "Two"], ()),
}


@pytest.mark.parametrize(("before", "after", "reasons"), COMPOSED.values(), ids=COMPOSED)
def test_several_wants_are_planned_one_after_the_other(
    before: list[str], after: list[str], reasons: tuple[str, ...]
) -> None:
    """Each from the document that the one before leaves."""
    store = Memory(*before)
    reconciler = reconciler_of(store, Wants("One", ("a", "b")), Wants("Two", ("b", "c")))
    plan = reconciler.plan(reconciler.load())
    assert (sids(plan.before), sids(plan.after)) == (before, after)
    assert (plan.reasons, plan.warnings) == (reasons, ("a", "b", "c"))


def test_each_guard_may_refuse_the_change() -> None:
    guards = [mock.Mock(), mock.Mock(side_effect=RefusedError("No."))]
    reconciler = PolicyReconciler(Memory(), [Wants()], guards)
    live = reconciler.load()
    plan = reconciler.plan(live)
    with pytest.raises(RefusedError):
        reconciler.guard(live, plan)
    guards[0].assert_called_once_with(live, plan)


# --- save -----------------------------------------------------------------------------------------


def saved(
    store: Memory, clock: Time, seconds: float = 0.0
) -> tuple[Saved | AwsError | TaskError, list[str]]:
    """The outcome of a save that begins so long after the read, and what it says was written."""
    reconciler, written = reconciler_of(store, clock=clock), list[str]()
    live = reconciler.load()
    clock.seconds += seconds
    try:
        return reconciler.save(live, reconciler.plan(live), written), written
    except TaskError as error:
        return error, written


def test_a_fresh_plan_is_written_at_once() -> None:
    store = Memory("A")
    assert saved(store, Time(), FRESH_SECONDS) == (Saved(), [NAME])
    assert (store.reads, store.writes) == (1, [["A", "Ours"]])


def test_an_old_plan_is_compared_with_the_document_first() -> None:
    """The process may have been suspended."""
    store = Memory("A")
    assert saved(store, Time(), FRESH_SECONDS + 0.1) == (Saved(), [NAME])
    assert (store.reads, store.writes) == (2, [["A", "Ours"]])


@pytest.mark.parametrize("found", [("A", "B"), (), ("A", "Ours")], ids=["more", "less", "ours"])
def test_an_old_plan_of_another_document_is_not_written(found: tuple[str, ...]) -> None:
    """Nor if it is what is wanted: then another writer wrote it."""
    store = Memory("A")

    def change(moment: str) -> None:
        store.document = document(*found) if store.reads else store.document

    store.meanwhile = change
    assert saved(store, Time(), FRESH_SECONDS + 0.1) == (NOT_SAVED, [])
    assert store.writes == []


def test_a_document_that_means_the_same_is_no_other() -> None:
    """AWS may show a principal as its ID in one read and as its ARN in the next."""
    store = Memory()
    arn = f"arn:aws:iam::{ACCOUNT}:role/ray"
    raw = statement("A", Principal={"AWS": arn})
    store.document = {"Version": "2012-10-17", "Statement": [raw]}
    store.arns = {"AROAQ3EGSIJTZ5AAAAAAA": arn}

    def change(moment: str) -> None:
        if store.reads == 1:
            shown = {**raw, "Principal": {"AWS": "AROAQ3EGSIJTZ5AAAAAAA"}}
            store.document = {"Version": "2012-10-17", "Statement": [shown]}

    store.meanwhile = change
    assert saved(store, Time(), FRESH_SECONDS + 0.1) == (Saved(), [NAME])


@pytest.mark.parametrize(
    ("found", "outcome", "written"),
    [(["A"], Saved(), [["A", "Ours"]]), (["A", "B"], NOT_SAVED, [])],
    ids=["the same", "more"],
)
def test_a_write_that_waits_for_its_turn_overwrites_nothing(
    found: list[str], outcome: Saved, written: list[list[str]]
) -> None:
    """The document is read again first."""
    store, clock = Memory("A"), Time()

    def wait() -> None:
        if store.reads == 1:
            clock.seconds += FRESH_SECONDS + 0.1
            store.document = document(*found)

    store.wait = wait
    assert saved(store, clock)[0] == outcome
    assert (store.reads, store.writes) == (2, written)


def test_a_write_that_always_waits_too_long_ends() -> None:
    """Nothing was written, and the error is not about the document."""
    store, clock = Memory("A"), Time()

    store.wait = lambda: clock.sleep(FRESH_SECONDS + 0.1)
    error, written = saved(store, clock)
    assert isinstance(error, OutdatedError)
    assert (store.writes, written) == ([], [])
    assert clock.seconds < 1000 + 2 * BUSY_SECONDS


@pytest.mark.parametrize(
    "code", ["SlowDown", "OperationAborted", "ConcurrentModification", "InternalError"]
)
def test_a_transient_error_is_retried_after_another_read(code: str) -> None:
    """And a pause. Conflicts with another write are transient too."""
    store, clock = Memory("A"), Time()
    status = 500 if code == "InternalError" else 409
    store.refusals = [(AwsError("Later.", code=code, status=status), False)] * 2
    assert saved(store, clock) == (Saved(), [NAME])
    assert store.reads == 3
    assert clock.slept > 0
    assert store.writes == [["A", "Ours"]]


def test_a_refusal_is_not_retried() -> None:
    store, clock = Memory("A"), Time()
    store.refusals = [(DENIED, False)]
    assert saved(store, clock) == (DENIED, [])
    assert (store.reads, clock.slept) == (1, 0.0)


def test_transient_errors_end() -> None:
    """With the last one."""
    store, clock = Memory("A"), Time()
    last = AwsError("Too many calls, again.", code="SlowDown", status=503)
    store.refusals = [(THROTTLED, False), *[(last, False)] * 1000]
    assert saved(store, clock) == (last, [])
    assert BUSY_SECONDS <= clock.slept <= BUSY_SECONDS + 1


def test_a_retry_does_not_overwrite_what_was_written_meanwhile() -> None:
    store = Memory("A")
    store.refusals = [(THROTTLED, False)]

    def change(moment: str) -> None:
        if moment == "refused":
            store.document = document("A", "B")

    store.meanwhile = change
    assert saved(store, Time()) == (NOT_SAVED, [])
    assert store.writes == []


def test_a_retry_that_cannot_read_reports_why_it_was_one() -> None:
    """The error of the write says more than that of the read after it."""
    store = Memory("A")
    store.refusals = [(THROTTLED, False)]

    def fail(moment: str) -> None:
        if moment == "read" and store.reads:
            raise DENIED

    store.meanwhile = fail
    assert saved(store, Time()) == (THROTTLED, [])


def test_an_old_plan_that_cannot_be_compared_is_not_written() -> None:
    store = Memory("A")

    def fail(moment: str) -> None:
        if moment == "read" and store.reads:
            raise DENIED

    store.meanwhile = fail
    assert saved(store, Time(), FRESH_SECONDS + 0.1) == (DENIED, [])
    assert store.writes == []


UNKNOWN: dict[str, tuple[bool, list[str] | None, Saved, list[str]]] = {
    "it took effect": (True, None, Saved(), [NAME]),
    "it took effect, and was overwritten": (
        True,
        ["A", "B"],
        Saved(is_written=False),
        [f"{NAME} (possibly)"],
    ),
    "it did not, and another writer was faster": (
        False,
        ["A", "B"],
        Saved(is_written=False),
        [f"{NAME} (possibly)"],
    ),
    "it did not": (False, None, Saved(), [NAME]),
}


@pytest.mark.parametrize("case", UNKNOWN)
def test_a_write_without_an_answer(case: str) -> None:
    """Whether it took effect shows the document, as far as it can."""
    takes_effect, found, outcome, names = UNKNOWN[case]
    store = Memory("A")
    store.refusals = [(NO_ANSWER, takes_effect)]

    def change(moment: str) -> None:
        if moment in ("written", "refused") and found:
            store.document = document(*found)

    store.meanwhile = change
    assert saved(store, Time()) == (outcome, names)
    assert len(store.writes) == (1 if takes_effect or not found else 0), "never twice"


@pytest.mark.parametrize("last", [DENIED, THROTTLED, NO_ANSWER], ids=lambda error: error.code)
@pytest.mark.parametrize("can_read", [True, False])
def test_a_write_without_an_answer_is_not_forgotten(last: AwsError, can_read: bool) -> None:
    """Whatever the attempts after it end with: what is read may be what was there before."""
    store = Memory("A")
    store.refusals = [(NO_ANSWER, False), *[(last, False)] * 1000]

    def fail(moment: str) -> None:
        if moment == "read" and len(store.refusals) < 1000 and not can_read:
            raise DENIED

    store.meanwhile = fail
    assert saved(store, Time()) == (last, [f"{NAME} (possibly)"])


@pytest.mark.parametrize(
    ("found", "outcome", "names"),
    [
        (["A", "Ours"], Saved(), [NAME]),
        (["A", "B"], Saved(is_written=False), [f"{NAME} (possibly)"]),
    ],
    ids=["it took effect", "another writer's"],
)
def test_it_is_looked_for_once_more(found: list[str], outcome: Saved, names: list[str]) -> None:
    """After the last attempt: an earlier read did not show it yet."""
    store = Memory("A")
    store.refusals = [(NO_ANSWER, False), (DENIED, False)]

    def show(moment: str) -> None:
        if moment == "read" and not store.refusals:
            store.document = document(*found)

    store.meanwhile = show
    assert saved(store, Time()) == (outcome, names)
    assert store.reads == 3
    assert store.writes == []


# --- read back ------------------------------------------------------------------------------------


def read_back(
    store: Memory, found: Document, outcome: Saved | None = None, clock: Time | None = None
) -> Plan:
    """The plan after a document with ``Ours`` was written, of what another writer has made of it."""
    reconciler = reconciler_of(store, clock=clock)
    live = reconciler.load()
    plan = reconciler.plan(live)
    store.document = found
    return reconciler.read_back(live, plan, outcome or Saved())[1]


def test_what_was_written_is_there() -> None:
    """The plan says what was done, and that nothing is left."""
    store = Memory("A")
    plan = read_back(store, document("Ours", "A"))
    assert (plan.changed, plan.warnings, sids(plan.before)) == (False, (), ["A"])
    assert store.reads == 2


def test_warnings_of_what_was_written_are_not_repeated() -> None:
    """They are those of its plan."""
    store = Memory("A")
    reconciler = reconciler_of(store, Wants(warnings=("w",)))
    live = reconciler.load()
    plan = reconciler.plan(live)
    store.document = plan.after
    assert plan.warnings == ("w",)
    assert reconciler.read_back(live, plan, Saved())[1].warnings == ()


def test_what_is_not_visible_yet_is_waited_for() -> None:
    """A read may still show what was there before."""
    store, clock = Memory("A"), Time()

    def appear() -> None:
        if clock.slept > 10:
            store.document = document("A", "Ours")

    clock.on_sleep = appear
    assert not read_back(store, document("A"), clock=clock).changed
    assert clock.slept < VISIBLE_SECONDS


def test_what_never_becomes_visible_is_written_again() -> None:
    store, clock = Memory("A"), Time()
    plan = read_back(store, document("A"), clock=clock)
    assert plan.reasons == ("no_Ours",)
    assert VISIBLE_SECONDS <= clock.slept <= VISIBLE_SECONDS + 1


LOST = "unmanaged_statement_lost"
OVERWRITTEN: dict[str, tuple[list[str], Saved, tuple[str, ...], list[str], list[str]]] = {
    "by a document without ours, and without one that was added last": (
        ["A", "C"],
        Saved(),
        ("no_Ours", LOST),
        ["A", "C", "B", "Ours"],
        [],
    ),
    "by the document with one more": (
        ["A", "B", "C"],
        Saved(),
        ("no_Ours",),
        ["A", "B", "C", "Ours"],
        [],
    ),
    "by one that keeps ours": (
        ["Ours", "B"],
        Saved(),
        (),
        ["Ours", "B"],
        ["Statement 1 (Sid 'A')"],
    ),
    "by one that keeps ours alone": (
        ["Ours"],
        Saved(),
        (),
        ["Ours"],
        ["Statement 1 (Sid 'A'), Statement 2 (Sid 'B')"],
    ),
    "by one that keeps all": (
        ["A", "Ours", "B", "C"],
        Saved(),
        (),
        ["A", "Ours", "B", "C"],
        [],
    ),
    "where it is unknown whether ours was written": (
        ["C"],
        Saved(is_written=False),
        ("no_Ours",),
        ["C", "Ours"],
        ["Statement 1 (Sid 'A'), Statement 2 (Sid 'B')"],
    ),
    "where ours was not written": (["C"], NOT_SAVED, ("no_Ours",), ["C", "Ours"], []),
}


@pytest.mark.parametrize("case", OVERWRITTEN)
def test_another_writer_has_replaced_it(case: str) -> None:
    """One that kept our statement removed the others on purpose, which is only reported. One that
    did not, and kept others, has read the document before we wrote it, and lost them by accident.
    """
    found, outcome, reasons, after, removed = OVERWRITTEN[case]
    clock = Time()
    plan = read_back(Memory("A", "B"), document(*found), outcome, clock)
    assert clock.slept == 0, "what is written over will not appear"
    assert plan.reasons == reasons
    assert (sids(plan.before), sids(plan.after)) == (found, after)
    assert list(plan.warnings) == [
        f"While this task ran, another writer removed {name}." for name in removed
    ]


@pytest.mark.parametrize(
    ("found", "what"),
    [(["C"], "replaced as a whole"), ([], "removed"), (["Theirs", "C"], "replaced as a whole")],
    ids=["replaced", "removed", "replaced by more"],
)
def test_a_policy_of_which_nothing_is_left_is_a_conflict(found: list[str], what: str) -> None:
    """An incident responder may have decided that, and nothing of it is undone."""
    with pytest.raises(ConflictError, match=f"was {what} by another writer") as caught:
        read_back(Memory("A", "B"), document(*found))
    expected, live = (caught.value.details[name] for name in ("expected", "found"))
    assert (sids(expected), sids(live)) == (["A", "B", "Ours"], found)


def test_a_conflict_names_the_backup_and_writes_nothing(tmp_path: Path) -> None:
    store = Memory("A")

    def replace(moment: str) -> None:
        if moment == "written":
            store.document = document("C")

    store.meanwhile = replace
    params = {
        "lock_dir": str(tmp_path / "locks"),
        "backup": True,
        "backup_dir": str(tmp_path / "b"),
    }
    with pytest.raises(ConflictError) as caught:
        converge(reconciler_of(store), params, check_mode=False)
    (backup,) = (tmp_path / "b").iterdir()
    assert str(backup) in caught.value.failure()["msg"]
    assert caught.value.details["backup_file"] == str(backup)
    assert (sids(store.document), len(store.writes)) == (["C"], 1)


ROLE, PARTNER = f"arn:aws:iam::{ACCOUNT}:role/ray", "210987654321"
RESTORED: dict[str, tuple[dict[str, t.Any], bool]] = {
    "an Allow for a role": ({"Principal": {"AWS": ROLE}}, True),
    "an Allow for the account": (
        {"Principal": {"AWS": [ACCOUNT, f"arn:aws:iam::{ACCOUNT}:root"]}},
        True,
    ),
    "an Allow for a service": ({"Principal": {"Service": "lambda.amazonaws.com"}}, True),
    "an Allow for an identity provider of the account": (
        {"Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/x"}},
        True,
    ),
    "an Allow for a role by its unique id": ({"Principal": {"AWS": "AROAQ3EGSIJTZ5AAAAAAA"}}, True),
    "an Allow for a deleted principal": ({"Principal": {"AWS": "AROAQ3EGSIJTZ5BBBBBBB"}}, False),
    "an Allow for another account": ({"Principal": {"AWS": PARTNER}}, False),
    "an Allow for a role and another account": ({"Principal": {"AWS": [ROLE, PARTNER]}}, False),
    "an Allow for everybody": ({"Principal": "*"}, False),
    "an Allow for an identity provider": (
        {"Principal": {"Federated": "accounts.google.com"}},
        False,
    ),
    "an Allow for a canonical user": ({"Principal": {"CanonicalUser": "79a5"}}, False),
    "an Allow for all but one": ({"NotPrincipal": {"AWS": ROLE}}, False),
    "a Deny for another account": ({"Effect": "Deny", "Principal": {"AWS": PARTNER}}, True),
    "a Deny for all but one": ({"Effect": "Deny", "NotPrincipal": {"AWS": PARTNER}}, True),
}


@pytest.mark.parametrize(("elements", "restored"), RESTORED.values(), ids=RESTORED)
def test_no_statement_that_lets_others_than_the_account_in_is_restored(
    elements: dict[str, t.Any], restored: bool
) -> None:
    store, lost = Memory("A"), statement("Lost", **elements)
    store.arns = {"AROAQ3EGSIJTZ5AAAAAAA": ROLE}
    store.document["Statement"].append(lost)
    plan = read_back(store, document("A", "B"))
    assert (lost in statements_of(plan.after)) is restored
    assert (LOST in plan.reasons) is restored
    assert sids(plan.after)[-1] == "Ours"
    assert ["was not restored" in warning for warning in plan.warnings] == [True] * (not restored)


@dataclasses.dataclass(frozen=True)
class Joins(PolicyPlanner[LivePolicy]):
    """A name is in the statement that several share, as roles do in a bucket's policy."""

    name: str

    def plan(self, live: LivePolicy) -> Plan:
        found = live.document
        shared = [raw for raw in statements_of(found) if raw.get("Sid") == "Shared"]
        names = shared[0]["Names"] if shared else []
        if self.name in names:
            return Plan(found, found)
        others = [raw for raw in statements_of(found) if raw not in shared]
        joined = statement("Shared", Names=[*names, self.name])
        return Plan(found, {**found, "Statement": [*others, joined]}, ("not_in_it",))


def test_others_in_a_shared_statement_are_restored_with_it() -> None:
    """Our write has changed the statement, and another writer has then replaced all of it."""
    store = Memory("A")
    store.document["Statement"].append(statement("Shared", Names=["one", "two"]))
    reconciler = PolicyReconciler(store, [Joins("three")], [], clock=Time())
    live = reconciler.load()
    plan = reconciler.plan(live)
    store.document = document("A", "B")
    again = reconciler.read_back(live, plan, Saved())[1]
    assert sids(again.after) == ["A", "B", "Shared"]
    assert statements_of(again.after)[-1]["Names"] == ["one", "two", "three"]


def test_what_was_restored_is_restored_again() -> None:
    """Another writer may overwrite the restoration as well."""
    store = Memory("A", "B")
    reconciler = reconciler_of(store)
    live = reconciler.load()
    plan = reconciler.plan(live)
    for _time in range(2):
        store.document = document("B")
        live, plan = reconciler.read_back(live, plan, Saved())
        assert sids(plan.after) == ["B", "A", "Ours"]


def test_a_statement_that_was_changed_is_not_lost() -> None:
    """It is there by its Sid, and stays as it is now."""
    found = {"Version": "2012-10-17", "Statement": [statement("A", Resource="*")]}
    plan = read_back(Memory("A"), found)
    assert plan.reasons == ("no_Ours",)
    assert statements_of(plan.after)[0] == statement("A", Resource="*")


def test_a_statement_without_a_sid_is_restored() -> None:
    """Also if the document has another one without."""
    store = Memory("A")
    raw, other = ({"Effect": "Allow", "Action": action} for action in ("s3:X", "s3:Y"))
    store.document["Statement"].append(raw)
    plan = read_back(store, {"Version": "2012-10-17", "Statement": [statement("A"), other]})
    assert raw in statements_of(plan.after)


def test_a_backup_includes_what_is_restored() -> None:
    """Putting it back must not remove it again."""
    store = Memory("A", "B")
    reconciler = reconciler_of(store, clouds=["cld_1", "cld_2"])
    live = reconciler.load()
    plan = reconciler.plan(live)
    assert sids(reconciler.backup(live, plan).before) == ["A", "B"]
    store.document = document("B")
    live, plan = reconciler.read_back(live, plan, Saved())
    backup = reconciler.backup(live, plan)
    assert (sids(backup.before), sids(backup.after)) == (["B", "A"], ["B", "A", "Ours"])
    assert sids(plan.before) == ["B"], "what the user sees is what was there"
    assert backup.clouds == ("cld_1", "cld_2")


def test_a_backup_is_of_the_clouds_that_the_store_knows() -> None:
    """Where the caller knows none, as in a restoration."""
    reconciler = reconciler_of(Memory())
    live = reconciler.load()
    assert reconciler.backup(live, reconciler.plan(live)).clouds == ("from the store",)


# --- another writer, at any moment ----------------------------------------------------------------


class AnotherWriter:
    """It adds statements of its own, one by one, and never removes one of them: to the document as
    it is (``add``), to the document as it was when it last wrote (``stale``), or to none, so that
    all others are gone (``replace``).
    """

    def __init__(self, store: Memory, edits: list[str | None]) -> None:
        self._store, self._edits = store, edits
        self._known = self.last = store.document
        self.own: list[str] = []

    def __call__(self, moment: str = "sleep") -> None:
        edit = self._edits.pop(0) if self._edits else None
        if edit is None:
            return
        self.own.append(f"Theirs{len(self.own)}")
        start = {"add": self._store.document, "stale": self._known, "replace": document()}[edit]
        names = dict.fromkeys([*sids(start), *self.own])
        self._store.document = self._known = self.last = document(*names)


@given(
    edits=st.lists(st.sampled_from([None, "add", "stale", "replace"]), max_size=12),
    refusals=st.lists(
        st.sampled_from([(THROTTLED, False), (NO_ANSWER, True), (NO_ANSWER, False)]), max_size=3
    ),
)
def test_no_statement_of_another_writer_is_lost(
    edits: list[str | None], refusals: list[tuple[AwsError, bool]]
) -> None:
    """Whenever it writes but between a read and the write after it, which AWS offers no way to find
    out; and whatever the writes of this task come to. Ours is there as well in the end, unless it
    left nothing of what was there: then its document stays.
    """
    # Each overwriting is one of the rounds after which a task gives up.
    edits = [edit for place, edit in enumerate(edits) if edit is None or place < 7]
    store, clock = Memory("A"), Time()
    store.refusals = list(refusals)
    store.meanwhile = writer = AnotherWriter(store, edits)
    clock.on_sleep = writer
    with tempfile.TemporaryDirectory() as folder:
        try:
            converge(reconciler_of(store, clock=clock), {"lock_dir": folder}, check_mode=False)
        except ConflictError:
            is_conflict = True
        else:
            is_conflict = False
    everything = {"Ours", *writer.own} <= set(sids(store.document))
    assert store.document == writer.last if is_conflict else everything
