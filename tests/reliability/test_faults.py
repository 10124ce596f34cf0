# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever fails, whenever: a cloud converges or fails cleanly, the next run converges, nothing is
lost, nothing made twice.

The calls are those of the budget, which is exact: a new call is in the matrix, or the budget's own
tests fail.
"""

from __future__ import annotations

import collections
import dataclasses
import re
import time
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.compute_config_shape import (
    same_config,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    PARTNER_ACCOUNT,
    ROLE,
    Json,
    bucket_policy_of,
    policy,
    put_bucket_policy,
    put_trust,
    trust_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.call_budgets import (
    ALL_SCENES,
    CREATE,
    NEW,
    OF_MODULES,
    SCENES,
)
from ansible_collections.rayfleet.anyscale.tests.support.fake_clock import QuickTime, pass_quickly
from ansible_collections.rayfleet.anyscale.tests.support.fault_injection import (
    FOR_EVER,
    LONGEST_SECONDS,
    PATIENCE,
    Failure,
    Tally,
    impatient,
    is_write,
    kinds,
    tallied,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    Run,
    failure,
    write_operations,
)
from ansible_collections.rayfleet.anyscale.tests.support.rows import LONG, few_of

POSSIBLY = "(possibly)"
POLICY_WRITES = ("UpdateAssumeRolePolicy", "PutBucketPolicy", "DeleteBucketPolicy")
STEPS = ("trust", "bucket", "instance profile", "compute config")

# What each run of the tests has of reads, of faults that last, and of writes that others come
# between.
_TYPICAL = ("throttled", "503", "reset before it acts", "half an answer")
_LASTING = ("throttled", "503")
# Of these, what is enough of a read, of which the client makes the same whatever it asks for.
_OF_READS = ("503", "half an answer")
# Kinds of which the clients make the same, as their own unit tests show: one of each pair is enough.
_LIKE_ANOTHER = {
    "429": "throttled",
    "502": "503",
    "no answer in time": "reset before it acts",
    "reset after it acts": "no answer in time after it acts",
}
# A module makes its calls by what the engine makes them by. Enough is what it reports differently: a
# write that was refused, one that may have been done, and one that was.
_OF_WRITES_OF_MODULES = ("another change under way", "half an answer", "500 after it acts")
_REFUSED_OR_LOST = (
    "throttled",
    "another change under way",
    "reset before it acts",
    "500 after it acts",
)


# --- the matrix -----------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Case:
    """One call of a scene, by its number among those of its operation, and how it fails: so many
    times.
    """

    scene: str
    operation: str
    number: int
    kind: str
    times: int

    @property
    def marks(self) -> tuple[pytest.MarkDecorator, ...]:
        """Each run of the tests has writes, and the last read of each operation, which comes after
        the writes; the long version has them with all typical faults.
        """
        write = is_write(self.operation) and self.times == 1
        typical = _LASTING if self.times > 1 else _TYPICAL
        if self.number != ALL_SCENES[self.scene].calls[self.operation]:
            return (pytest.mark.soak,)
        if not write and self.kind not in typical:
            return (pytest.mark.soak,)
        return () if self.kind in self._enough else (LONG,)

    @property
    def _enough(self) -> t.Collection[str]:
        """The kinds that each run of the tests has of such a call."""
        if self.times > 1:
            return _LASTING[-1:]
        if ALL_SCENES[self.scene].module:
            return _OF_WRITES_OF_MODULES if is_write(self.operation) else ()
        if not is_write(self.operation):
            return _OF_READS
        every = kinds(self.operation)
        return [kind for kind in every if _LIKE_ANOTHER.get(kind) not in every]

    @property
    def is_outlasted(self) -> bool:
        """Whether a single one must not even be noticed."""
        if self.kind in ("599", "another change under way"):
            return self.operation in POLICY_WRITES
        if self.operation == CREATE:
            # What may have been done is not sent again: it has to be there, or never to have been
            # let in.
            return (
                self.kind.startswith("throttled")
                or self.kind == "half an answer"
                or "after" in self.kind
            )
        if "/" in self.operation:
            return self.kind not in ("500", "half an answer")
        return (self.operation, self.kind) != ("GetBucketPolicy", "half an answer")

    @property
    def subject(self) -> str:
        """How a message names the call: by its operation or its path; what is no policy at all, by
        whose it is.
        """
        if (self.operation, self.kind) == ("GetBucketPolicy", "half an answer"):
            return "policy of bucket"
        return re.escape(self.operation).replace(re.escape("{id}"), "[a-z_0-9]+")


def _scene_of(operation: str) -> str:
    """Where the engine makes a call: where everything is made, as far as it is."""
    scenes = sorted(SCENES, key=lambda name: name != "nothing created yet")
    return next(name for name in scenes if operation in SCENES[name].calls)


def _scenes_of(operation: str) -> list[str]:
    """Where the engine makes a call, and each module that makes it."""
    found = [_scene_of(operation)]
    for module in OF_MODULES:
        scenes = [
            name
            for name, scene in ALL_SCENES.items()
            if scene.module == module and operation in scene.calls
        ]
        found += sorted(scenes, key=lambda name: -sum(ALL_SCENES[name].calls.values()))[:1]
    return found


OPERATIONS = list(
    dict.fromkeys(operation for scene in ALL_SCENES.values() for operation in scene.calls)
)


def _cases() -> t.Iterator[t.Any]:
    for operation, scene in ((one, name) for one in OPERATIONS for name in _scenes_of(one)):
        count, who = ALL_SCENES[scene].calls[operation], ALL_SCENES[scene].module or "engine"
        for number in range(1, count + 1):
            for kind in kinds(operation):
                for times, often in ((1, "once"), (FOR_EVER, "for ever")):
                    case = Case(scene, operation, number, kind, times)
                    name = f"{who}, {operation} {number} of {count}, {kind}, {often}"
                    yield pytest.param(case, id=name, marks=case.marks)


# --- what must hold -------------------------------------------------------------------------------


class Policies(t.NamedTuple):
    """The statements of the cloud's two policies."""

    trust: list[Json]
    bucket: list[Json]


class Reference(t.NamedTuple):
    """The result of a scene in a run without faults: the policies, and the versions of the compute
    config.
    """

    policies: Policies
    versions: list[Json]


def policies(sandbox: Sandbox) -> Policies:
    """As they are now."""
    return Policies(
        _statements(trust_of(sandbox)), _statements(bucket_policy_of(sandbox, NEW.bucket_name))
    )


def _statements(document: Json | None) -> list[Json]:
    return document["Statement"] if document else []


def versions(sandbox: Sandbox) -> list[Json]:
    """The configs of all versions of the compute config, the oldest first."""
    found = sandbox.organization.templates.search({"version": -2, "archive_status": "ALL"})
    return [
        template["config"]
        for template in sorted(found, key=lambda template: int(template["version"]))
    ]


_REFERENCES: dict[str, Reference] = {}


def reference(sandbox: Sandbox, run: Run, name: str) -> Reference:
    """The result of a scene without faults, determined once."""
    if name not in _REFERENCES:
        ALL_SCENES[name].prepare(sandbox)
        before = policies(sandbox)
        assert ALL_SCENES[name].run(run)["changed"] is ALL_SCENES[name].changes_something
        now = policies(sandbox)
        if not ALL_SCENES[name].takes_out:
            assert [
                raw
                for raw in (*before.trust, *before.bucket)
                if raw not in (*now.trust, *now.bucket)
            ] == []
        _REFERENCES[name] = Reference(now, versions(sandbox))
    return _REFERENCES[name]


def nothing_lost(sandbox: Sandbox, wanted: Reference) -> None:
    """Each statement that is to be there in the end was there ever since it first was, in between
    as well; nothing was made twice.
    """
    role_id = sandbox.client("iam", ACCOUNT).get_role(RoleName=ROLE)["Role"]["RoleId"]
    for key, statements in (
        (role_id, wanted.policies.trust),
        (NEW.bucket_name, wanted.policies.bucket),
    ):
        documents = [_statements(document) for document in sandbox.accounts.past_policies(key)]
        for statement in statements:
            present = [statement in document for document in documents]
            assert present == sorted(present), f"{statement} was gone for a while"
    assert len(versions(sandbox)) <= len(wanted.versions)


def converged(sandbox: Sandbox, wanted: Reference) -> None:
    """The scene has the result that it has without faults."""
    assert policies(sandbox) == wanted.policies
    found = versions(sandbox)
    assert len(found) == len(wanted.versions)
    assert all(same_config(one, other) for one, other in zip(found, wanted.versions, strict=True))


def clean(sandbox: Sandbox, scene: str, wanted: Reference, result: Json) -> None:
    """A failure that says what is to be done next, and truly what was done and what was not."""
    message, error = failure(result)["msg"], result.get("error", {})
    assert re.search(r"[Rr]un again|Check ", message), message
    written = error.get("written", [])
    assert all(name in message for name in written)
    # What was done before the failure, and what the failed part has written.
    possible = {name for name in written if name.endswith(POSSIBLY)}
    certain = [name for name in written if name not in possible]
    named = {_step_named(name) for name in (*result.get("resources", []), *certain)}
    succeeded = [call["operation"] for call in sandbox.writes() if 200 <= call["status"] < 300]
    made = {_step_of(operation) for operation in succeeded}
    # For a write whose answer breaks off each time, the error says that it may have been done.
    if possible or re.search(r"may have (taken effect|been published)", message):
        made -= {_step_of(error.get("operation", CREATE))} - named
    assert named == made, (error, succeeded)
    now = policies(sandbox)
    is_there = {
        "trust": now.trust == wanted.policies.trust,
        "bucket": now.bucket == wanted.policies.bucket,
        "compute config": len(versions(sandbox)) == len(wanted.versions),
    }
    changed = {_step_named(name) for name in result.get("resources", [])}
    assert all(is_there.get(step, True) for step in changed)
    if not ALL_SCENES[scene].module:
        assert result["changed"] is bool(named or possible)


def _step_named(name: str) -> str:
    return next(step for step in STEPS if step in name)


def _step_of(operation: str) -> str:
    return (
        "trust"
        if "AssumeRole" in operation
        else "bucket"
        if "Bucket" in operation
        else "instance profile"
        if "InstanceProfile" in operation
        else "compute config"
    )


# --- the runs -------------------------------------------------------------------------------------


@pytest.fixture(name="clock")
def _clock(monkeypatch: pytest.MonkeyPatch) -> QuickTime:
    return pass_quickly(monkeypatch)


def recovered(sandbox: Sandbox, run: Run, scene: str, wanted: Reference) -> None:
    """Without faults, a run converges, and another one finds nothing to do."""
    sandbox.clear_faults()
    sandbox.settings(consistency_delay=0.0)
    sandbox.come_back()
    results: list[Json] = []
    while not results or (results[-1]["changed"] and len(results) < 2):
        sandbox.clear_calls()
        results.append(ALL_SCENES[scene].run(run))
        assert not results[-1].get("failed"), results[-1]["msg"]
    assert (results[-1]["changed"], results[-1]["reasons"], sandbox.writes()) == (False, [], [])
    nothing_lost(sandbox, wanted)
    converged(sandbox, wanted)


@pytest.fixture(scope="module", name="tally")
def _tally(request: pytest.FixtureRequest) -> t.Iterator[Tally]:
    yield from tallied(
        request,
        "faults-onboarding",
        "Each call of the fleet engine and of each module failing in each way, once and for ever",
    )


@pytest.mark.parametrize("case", list(_cases()))
def test_a_fault_is_outlasted_or_reported(
    sandbox: Sandbox, run_module: Run, clock: QuickTime, tally: Tally, case: Case
) -> None:
    wanted = reference(sandbox, run_module, case.scene)
    ALL_SCENES[case.scene].prepare(sandbox)
    with Failure(sandbox, clock, case.operation, case.kind, case.number, case.times).under_way():
        result = ALL_SCENES[case.scene].run(run_module)
    nothing_lost(sandbox, wanted)
    if result.get("failed"):
        assert case.times > 1 or not case.is_outlasted, result["msg"]
        assert re.search(case.subject, result["msg"]), result["msg"]
        clean(sandbox, case.scene, wanted, result)
    else:
        converged(sandbox, wanted)
    recovered(sandbox, run_module, case.scene, wanted)
    tally.add(case.operation, case.kind, reported=bool(result.get("failed")))


def test_every_operation_is_in_the_matrix() -> None:
    """Whatever the budgets have, with every kind of fault, in each of its calls, once and for ever."""
    cases = [parameter.values[0] for parameter in _cases()]
    assert {case.operation for case in cases} == set(OPERATIONS)
    for operation in OPERATIONS:
        for scene in _scenes_of(operation):
            found = [case for case in cases if (case.operation, case.scene) == (operation, scene)]
            assert {(case.number, case.kind, case.times) for case in found} == {
                (number, kind, times)
                for number in range(1, ALL_SCENES[scene].calls[operation] + 1)
                for kind in kinds(operation)
                for times in (1, FOR_EVER)
            }


# --- others who write meanwhile -------------------------------------------------------------------

NEWCOMER: Json = {
    "Sid": "Newcomer",
    "Effect": "Allow",
    "Principal": {"AWS": f"arn:aws:iam::{PARTNER_ACCOUNT}:root"},
}
THEIRS = ("PartnerIngest", "AnalyticsExport", "ClusterBucket")
EDITS: dict[str, t.Callable[[list[Json], Json], list[Json]]] = {
    "adds a statement": lambda statements, newcomer: [*statements, newcomer],
    "takes out their own": lambda statements, newcomer: [
        raw for raw in statements if raw.get("Sid") not in THEIRS
    ],
}


class Editor:
    """Another writer that changes a policy, once, when the module pauses between two attempts to
    write.
    """

    def __init__(self, sandbox: Sandbox, operation: str, edit: str) -> None:
        self._sandbox = sandbox
        self._is_trust = operation == "UpdateAssumeRolePolicy"
        self._edit = EDITS[edit]
        self.statements: list[Json] | None = None

    def __call__(self) -> None:
        if self.statements is not None:
            return
        now = policies(self._sandbox)
        if self._is_trust:
            self.statements = self._edit(now.trust, {**NEWCOMER, "Action": "sts:AssumeRole"})
            put_trust(self._sandbox, policy(*self.statements))
        else:
            objects = f"arn:aws:s3:::{NEW.bucket_name}/*"
            self.statements = self._edit(
                now.bucket, {**NEWCOMER, "Action": "s3:GetObject", "Resource": objects}
            )
            if self.statements:
                put_bucket_policy(self._sandbox, NEW.bucket_name, policy(*self.statements))
            else:
                self._sandbox.client("s3", ACCOUNT).delete_bucket_policy(Bucket=NEW.bucket_name)


@pytest.mark.parametrize("edit", EDITS)
@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        pytest.param(
            operation,
            kind,
            id=f"{operation}, {kind}",
            marks=[] if kind in _REFUSED_OR_LOST else [pytest.mark.soak],
        )
        for operation in POLICY_WRITES
        for kind in kinds(operation)
        # What is no failure, or fails at once; and a policy that was deleted, from which another
        # writer can take nothing out.
        if kind not in ("half an answer", "connections refused")
        and (operation, "after" in kind) != ("DeleteBucketPolicy", True)
    ],
)
def test_another_attempt_overwrites_no_other_writer(
    sandbox: Sandbox, run_module: Run, clock: QuickTime, operation: str, kind: str, edit: str
) -> None:
    """Neither IAM nor S3 has an ETag: what was decided before another writer's change must not be
    sent after it.
    """
    scene = _scene_of(operation)
    wanted = reference(sandbox, run_module, scene)
    SCENES[scene].prepare(sandbox)
    editor = Editor(sandbox, operation, edit)
    clock.on_pause = editor
    sandbox.fault(operation, **kinds(operation)[kind])
    with impatient(kind):
        result = SCENES[scene].run(run_module)
    assert not result.get("failed"), result["msg"]
    assert editor.statements is not None
    now, (goal, found) = policies(sandbox), (wanted.policies, editor.statements)
    statements, ours = (
        (now.trust, goal.trust)
        if operation == "UpdateAssumeRolePolicy"
        else (now.bucket, goal.bucket)
    )
    assert any(raw["Sid"] == "Newcomer" for raw in statements if "Sid" in raw) == (
        edit == "adds a statement"
    )
    assert [raw for raw in ours if raw not in statements and raw.get("Sid") not in THEIRS] == []
    assert [raw for raw in statements if raw not in found and raw.get("Sid") in THEIRS] == [], (
        "what was taken out is back"
    )


_SEEN: dict[str, tuple[str, str, str]] = {
    "trust": ("EC2 not trusted", "UpdateAssumeRolePolicy", "GetRole"),
    "bucket": ("no bucket access", "PutBucketPolicy", "GetBucketPolicy"),
}


@pytest.mark.parametrize("kind", ["500 after it acts", "reset after it acts"])
@pytest.mark.parametrize("step", _SEEN)
def test_a_write_that_was_seen_is_reported(
    sandbox: Sandbox, run_module: Run, clock: QuickTime, step: str, kind: str
) -> None:
    """Its answer was lost, then it showed, and then nothing could be read any more: it is there,
    and is said to be.
    """
    scene, write, read = _SEEN[step]
    wanted = reference(sandbox, run_module, scene)
    SCENES[scene].prepare(sandbox)
    sandbox.fault(write, **kinds(write)[kind])
    sandbox.fault(read, **kinds(read)["503"], skip=3, times=FOR_EVER)
    result = failure(SCENES[scene].run(run_module))
    assert policies(sandbox) == wanted.policies
    (written,) = result["error"]["written"]
    assert result["resources"] == [written]
    assert _step_named(written) == step
    assert "possibly" not in written
    assert f"Already written: {written}." in result["msg"]
    recovered(sandbox, run_module, scene, wanted)


# --- answers that are late ------------------------------------------------------------------------


@pytest.mark.parametrize("lag", few_of([5.0, 20.0], 20.0), ids="{:g} s".format)
@pytest.mark.parametrize(
    "scene", [name for name, scene in SCENES.items() if any(map(is_write, scene.calls))]
)
def test_stale_reads_are_outlasted(
    sandbox: Sandbox, run_module: Run, clock: QuickTime, scene: str, lag: float
) -> None:
    """Each write is made once, however long it does not show."""
    wanted = reference(sandbox, run_module, scene)
    SCENES[scene].prepare(sandbox)
    sandbox.settings(consistency_delay=lag)
    result = SCENES[scene].run(run_module)
    assert not result.get("failed"), result["msg"]
    written = collections.Counter(call["operation"] for call in sandbox.writes())
    assert written == {
        operation: count for operation, count in SCENES[scene].calls.items() if is_write(operation)
    }
    nothing_lost(sandbox, wanted)
    recovered(sandbox, run_module, scene, wanted)


@pytest.mark.parametrize(
    "scene", [name for name, scene in SCENES.items() if {*POLICY_WRITES, CREATE} & set(scene.calls)]
)
def test_reads_that_stay_stale_are_reported(
    sandbox: Sandbox, run_module: Run, clock: QuickTime, scene: str
) -> None:
    """What was written and never shows is an error, and is not written for ever."""
    wanted = reference(sandbox, run_module, scene)
    SCENES[scene].prepare(sandbox)
    sandbox.settings(consistency_delay=100_000.0)
    result = failure(SCENES[scene].run(run_module))
    assert clock.slept <= LONGEST_SECONDS
    assert result["error"]["written"]
    nothing_lost(sandbox, wanted)
    recovered(sandbox, run_module, scene, wanted)


@pytest.mark.parametrize("times", [5, FOR_EVER], ids=["for a while", "for ever"])
@pytest.mark.parametrize(
    "scene", ["no instance profile", "instance profile without its role", "nothing created yet"]
)
def test_an_instance_profile_that_does_not_show(
    sandbox: Sandbox, run_module: Run, clock: QuickTime, scene: str, times: int
) -> None:
    """It is made once and waited for, and no compute config names it before it is there."""
    wanted = reference(sandbox, run_module, scene)
    SCENES[scene].prepare(sandbox)
    before = len(versions(sandbox))
    sandbox.fault("GetInstanceProfile", status=404, code="NoSuchEntity", skip=2, times=times)
    result = SCENES[scene].run(run_module)
    made = collections.Counter(call["operation"] for call in sandbox.writes())
    assert made["CreateInstanceProfile"] == SCENES[scene].calls.get("CreateInstanceProfile", 0)
    assert made["AddRoleToInstanceProfile"] == 1
    assert clock.slept <= LONGEST_SECONDS
    if times == FOR_EVER:
        assert f"role {ROLE} in instance profile {ROLE}" in failure(result)["error"]["written"]
        assert len(versions(sandbox)) == before
    else:
        assert not result.get("failed"), result["msg"]
    recovered(sandbox, run_module, scene, wanted)


_LOST_ONCE_MADE = (
    "reset after it acts",
    "no answer in time after it acts",
    "500 after it acts",
    "half an answer",
)


@pytest.mark.parametrize("lag", few_of([10.0, 25.0, 40.0], 25.0, 40.0), ids="{:g} s".format)
@pytest.mark.parametrize("kind", _LOST_ONCE_MADE)
def test_a_version_whose_answer_is_lost_is_not_made_twice(
    sandbox: Sandbox, run_module: Run, clock: QuickTime, kind: str, lag: float
) -> None:
    """Not even where searches do not find it at once. What the policies say must show within half a
    minute.
    """
    scene = "nothing created yet" if lag < 30.0 else "no compute config"
    wanted = reference(sandbox, run_module, scene)
    SCENES[scene].prepare(sandbox)
    sandbox.settings(consistency_delay=lag)
    sandbox.fault(CREATE, **kinds(CREATE)[kind])
    with impatient(kind):
        result = SCENES[scene].run(run_module)
    assert not result.get("failed"), result["msg"]
    converged(sandbox, wanted)
    recovered(sandbox, run_module, scene, wanted)


@pytest.mark.parametrize("kind", _LOST_ONCE_MADE)
def test_a_version_that_does_not_show_in_time_is_reported_and_not_made_twice(
    sandbox: Sandbox, run_module: Run, clock: QuickTime, kind: str
) -> None:
    """To send it again would make another one, which stays for ever; to run again, once it shows,
    finds it.
    """
    scene = "no compute config"
    wanted = reference(sandbox, run_module, scene)
    SCENES[scene].prepare(sandbox)
    sandbox.settings(consistency_delay=1000.0)
    sandbox.fault(CREATE, **kinds(CREATE)[kind])
    before = clock.slept
    with impatient(kind):
        result = failure(SCENES[scene].run(run_module))
    assert "may have been published all the same" in result["msg"]
    assert "run again" in result["msg"]
    assert write_operations(sandbox) == [CREATE]
    assert 60 <= clock.slept - before < 80
    recovered(sandbox, run_module, scene, wanted)


@pytest.mark.parametrize("kind", ["reset before it acts", "503"])
def test_a_version_that_was_not_made_is_made_by_the_next_run(
    sandbox: Sandbox, run_module: Run, clock: QuickTime, kind: str
) -> None:
    """It cannot be distinguished from one that does not show yet, so the error is the same."""
    scene = "nothing created yet"
    wanted = reference(sandbox, run_module, scene)
    SCENES[scene].prepare(sandbox)
    sandbox.fault(CREATE, **kinds(CREATE)[kind])
    result = failure(SCENES[scene].run(run_module))
    assert "may have been published all the same" in result["msg"]
    assert "run again" in result["msg"]
    assert versions(sandbox) == []
    recovered(sandbox, run_module, scene, wanted)


def test_a_version_that_is_made_late_is_not_made_twice(
    sandbox: Sandbox, run_module: Run, clock: QuickTime
) -> None:
    """The server still works on it after the client's timeout: it cannot be known then whether it
    will be done.
    """
    scene = "nothing created yet"
    wanted = reference(sandbox, run_module, scene)
    SCENES[scene].prepare(sandbox)
    sandbox.fault(CREATE, delay=3 * PATIENCE)
    with impatient("no answer"):
        result = failure(SCENES[scene].run(run_module))
    assert "may have been published all the same" in result["msg"]
    assert "run again" in result["msg"]
    done = [_step_named(name) for name in result["resources"]]
    assert done == ["trust", "bucket", "instance profile"]
    end = time.monotonic() + 30
    while not versions(sandbox) and time.monotonic() < end:
        time.sleep(0.05)
    converged(sandbox, wanted)
    recovered(sandbox, run_module, scene, wanted)


# --- refusals -------------------------------------------------------------------------------------

REFUSALS = {
    "the call itself": ("no identity-based policy allows it", "iam:AddRoleToInstanceProfile"),
    "what the message names": (
        f"User: arn:aws:iam::{ACCOUNT}:user/jo is not authorized to perform: iam:PassRole on "
        f"resource: arn:aws:iam::{ACCOUNT}:role/{ROLE} "
        "because no identity-based policy allows the iam:PassRole action",
        "iam:PassRole",
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_a_refusal_names_the_action_to_allow(sandbox: Sandbox, run_module: Run, name: str) -> None:
    """AWS asks for the permission of more than the call: a caller that adds a role to a profile has
    to be allowed to pass it on.
    """
    message, action = REFUSALS[name]
    scene = SCENES["no instance profile"]
    scene.prepare(sandbox)
    sandbox.fault("AddRoleToInstanceProfile", status=403, code="AccessDenied", message=message)
    result = failure(scene.run(run_module))
    assert f"Grant {action} to the caller." in result["msg"]
    assert result["error"]["written"] == [f"instance profile {ROLE}"]
