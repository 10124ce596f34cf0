# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A document is restored where no other writer has changed it since, or by force; one in sync is
left alone.
"""

from __future__ import annotations

import dataclasses
import re
import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.restore_plan import (
    Equality,
    Obstacles,
    decide,
    regained_by_role,
    regained_principals,
    single_resource,
    written_for,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    naming_variables,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._files.backup import (
    Backup,
    StoredBackup,
    Untrusted,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    EC2,
    LAMBDA,
    Raw,
    allow,
    deny,
    policy,
)


def _same(one: str, other: str) -> bool:
    return one.upper() == other.upper()


# Letters mean the same in upper case. Only documents are compared: there is nothing to compare with
# none.
same = Equality(_same)


def chain(*documents: tuple[str | None, str | None], bucket: str = "fleet-data") -> list[Backup]:
    """Backups of one document: what each task found, and what it left. Letters stand for documents."""
    return [
        Backup("bucket_policy", {"bucket": bucket}, "222222222222", before, after)
        for before, after in documents
    ]


NEEDED = ("speech", "vision")


def test_what_other_clouds_need_is_restored_only_by_force() -> None:
    """Whichever writer was last; a document that is restored already cannot lose anything."""
    backups = chain(("a", "b"))
    with pytest.raises(
        RefusedError,
        match=r"used by hosts that the run has not recorded \(needed_by: speech, vision",
    ):
        decide(backups, "b", same, False, Obstacles(needed_by=NEEDED))
    reason, warnings = decide(backups, "b", same, True, Obstacles(needed_by=NEEDED))
    assert reason == "changed_since_backup"
    assert "speech, vision" in warnings[0]
    assert decide(backups, "a", same, False, Obstacles(needed_by=NEEDED)) == ("", ())


OWN_CLOUDS = {
    "of a task without a cloud": ((), "these hosts are its clouds.*backup_restore.*option files"),
    "of a known cloud": (("cld_1",), "what other writers changed or other clouds need.$"),
}


@pytest.mark.parametrize(("clouds", "words"), OWN_CLOUDS.values(), ids=list(OWN_CLOUDS))
def test_hosts_that_need_a_document_may_be_those_of_the_run(
    clouds: tuple[str, ...], words: str
) -> None:
    """The error says so where the backups do not record the clouds, and what to do then."""
    backups = [dataclasses.replace(one, clouds=clouds) for one in chain(("a", "b"))]
    with pytest.raises(RefusedError) as caught:
        decide(backups, "b", same, False, Obstacles(needed_by=NEEDED))
    assert re.search(words, caught.value.remedy)


FILES = Untrusted(unsigned=("/b/1.json",), altered=("/b/2.json",))


@pytest.mark.parametrize("force", [False, True])
def test_no_force_makes_up_for_a_signature(force: bool) -> None:
    """The error tells files without one from those that were changed, and names what accepts both."""
    backups = chain(("a", "b"))
    with pytest.raises(RefusedError) as caught:
        decide(backups, "b", same, force, Obstacles(untrusted=FILES))
    assert re.search("without a signature.*1.json.*changed.*2.json", caught.value.message)
    assert "accept_unsigned (rollback_accept_unsigned in playbooks)" in caught.value.remedy
    assert "force" not in caught.value.remedy
    assert decide(backups, "a", same, False, Obstacles(untrusted=FILES)) == ("", ())
    accepted = Obstacles(untrusted=FILES, accepts_untrusted=True)
    assert decide(backups, "b", same, force, accepted) == ("changed_since_backup", ())


REGAINS = Obstacles(regained=("210987654321", EC2))
AGAIN = f"again allow access to 210987654321, {EC2}"


def test_what_signed_runs_alone_have_taken_they_give_back() -> None:
    """With a warning: it is what undoing them is for."""
    reason, warnings = decide(chain(("a", "b"), ("b", "c")), "c", same, False, REGAINS)
    assert reason == "changed_since_backup"
    assert warnings == (f"It gives access back to 210987654321, {EC2}.",)


@pytest.mark.parametrize(
    ("live", "more"),
    [("x", {}), ("b", {"untrusted": FILES, "accepts_untrusted": True})],
    ids=["another writer", "files that others may have written"],
)
def test_what_others_may_have_taken_is_given_back_only_by_force(live: str, more: t.Any) -> None:
    backups, obstacles = chain(("a", "b")), dataclasses.replace(REGAINS, **more)
    with pytest.raises(RefusedError, match=AGAIN) as caught:
        decide(backups, live, same, False, obstacles)
    assert "rollback_force" in caught.value.remedy
    assert AGAIN in decide(backups, live, same, True, obstacles).warnings[0]


ROLE_ID, ROLE, OTHER = "AROAQ3EGSIJTZ5AAAAAAA", "arn:aws:iam::123456789012:role/ray", "210987654321"
LIVE = [allow(Principal={"AWS": ROLE, "Service": EC2}), deny(Principal={"AWS": OTHER})]
REGAINED: dict[str, tuple[list[Raw], tuple[str, ...]]] = {
    "none": ([], ()),
    "one that has other rights": ([allow(Principal={"AWS": [ROLE]}, Action="s3:*")], ()),
    "one that is shown as its unique id": ([allow(Principal={"AWS": ROLE_ID})], ()),
    "another account": ([allow(Principal={"AWS": f"arn:aws:iam::{OTHER}:root"})], (OTHER,)),
    "another service": ([allow(Principal={"Service": [EC2, LAMBDA]})], (LAMBDA,)),
    "everybody": ([allow(Principal="*")], ("*",)),
    "everybody but one": ([allow(NotPrincipal={"AWS": ROLE})], (f"all but {ROLE}",)),
    "one that is denied": ([deny(Principal="*")], ()),
}


@pytest.mark.parametrize(("raws", "regained"), REGAINED.values(), ids=REGAINED)
def test_principals_that_the_live_policy_does_not_allow_anything(
    raws: list[Raw], regained: tuple[str, ...]
) -> None:
    assert regained_principals(policy(*raws), policy(*LIVE), {ROLE_ID: ROLE}) == regained


REASONS = {
    "what the run left": ([("a", "b")], "b", "changed_since_backup"),
    "what it found": ([("a", "b")], "a", ""),
    "there was none, and it is what the run left": ([(None, "b")], "b", "added_since_backup"),
    "there was none, and there is none": ([(None, "b")], None, ""),
    "the run took it away": ([("a", None)], None, "removed_since_backup"),
    "several tasks, what the last one left": (
        [("a", "b"), ("b", "c"), ("c", "d")],
        "d",
        "changed_since_backup",
    ),
    "several tasks, the last one failed to write": (
        [("a", "b"), ("b", "c")],
        "b",
        "changed_since_backup",
    ),
    "several tasks, one in between failed to write": (
        [("a", "b"), ("a", "c")],
        "c",
        "changed_since_backup",
    ),
    "several tasks, none wrote": ([("a", "b"), ("a", "c")], "a", ""),
    "several tasks that cancel out": ([("a", "b"), ("b", "a")], "a", ""),
    "several tasks, the first made it": ([(None, "b"), ("b", "c")], "c", "added_since_backup"),
    "what it found, though others wrote meanwhile": ([("a", "b"), ("x", "c")], "a", ""),
}


@pytest.mark.parametrize("case", REASONS)
@pytest.mark.parametrize("force", [False, True])
def test_why_it_differs(case: str, force: bool) -> None:
    documents, live, reason = REASONS[case]
    assert decide(chain(*documents), live, same, force) == (reason, ())


DRIFT = {
    "another writer changed it": ([("a", "b")], "x", "by another writer after the run"),
    "another writer deleted it": ([("a", "b")], None, "by another writer after the run"),
    "another writer created it again": ([("a", None)], "x", "by another writer after the run"),
    "another writer changed it between two tasks": (
        [("a", "b"), ("bx", "cx")],
        "cx",
        "while the run wrote to it",
    ),
    "another writer deleted it between two tasks": (
        [("a", "b"), (None, "c")],
        "c",
        "while the run wrote to it",
    ),
}


@pytest.mark.parametrize("case", DRIFT)
def test_what_another_writer_wrote_is_refused(case: str) -> None:
    documents, live, words = DRIFT[case]
    with pytest.raises(RefusedError, match=words) as caught:
        decide(chain(*documents), live, same, force=False)
    assert "fleet-data" in caught.value.message
    assert "force" in caught.value.remedy


@pytest.mark.parametrize("case", DRIFT)
def test_force_puts_it_back_with_a_warning(case: str) -> None:
    documents, live, words = DRIFT[case]
    verdict = decide(chain(*documents), live, same, force=True)
    assert verdict.reason
    assert words in verdict.warnings[0]


def of_runs(**documents: tuple[str | None, str | None]) -> list[StoredBackup]:
    """Backups of one document by other runs, oldest first."""
    return [
        StoredBackup(
            f"/b/{run}.json",
            backup,
            {"run_id": run, "run_name": "onboard", "written_at": "2027-01-05T09:30:00+00:00"},
        )
        for run, backup in zip(documents, chain(*documents.values()), strict=True)
    ]


ONBOARD = r"\(onboard, 2027-01-05 09:30 UTC\)"
# The documents of the runs that are rolled back, those of other runs, the live one, and what is said.
OTHER_RUNS: dict[
    str,
    tuple[
        list[tuple[str | None, str | None]],
        dict[str, tuple[str | None, str | None]],
        str | None,
        str,
    ],
] = {
    "a later run": (
        [("a", "b")],
        {"4712": ("b", "c")},
        "c",
        f"was also changed by run 4712 {ONBOARD}, which is not rolled back",
    ),
    "two later runs": (
        [("a", "b")],
        {"4712": ("b", "c"), "4713": ("c", "d")},
        "d",
        f"by runs 4713 {ONBOARD} and 4712 {ONBOARD}, which are not",
    ),
    "a later run that deleted it": ([("a", "b")], {"4712": ("b", None)}, None, "by run 4712"),
    "one that was rolled back, and one more": (
        [("a", "b")],
        {"4712": ("b", "c"), "back": ("c", "b"), "4713": ("b", "d")},
        "d",
        "by run 4713 [^ ]*onboard, [^,]*, which is not",
    ),
    "one between two that are rolled back": (
        [("a", "b"), ("c", "d")],
        {"4712": ("b", "c")},
        "d",
        "by run 4712",
    ),
    "one between, and one after": (
        [("a", "b"), ("c", "d")],
        {"4712": ("b", "c"), "4713": ("d", "e")},
        "e",
        "by runs 4713 .* and 4712",
    ),
    "one between, of which the later one was undone": (
        [("a", "b"), ("c", "d")],
        {"4712": ("b", "c"), "back": ("d", "c")},
        "c",
        "by run 4712 [^ ]*onboard, [^,]*, which is not",
    ),
    "another writer, and a later run": (
        [("a", "b")],
        {"4712": ("x", "c")},
        "c",
        "by another writer after the run",
    ),
    "a later run, and another writer": (
        [("a", "b")],
        {"4712": ("b", "c")},
        "x",
        "by another writer after the run",
    ),
    "one between, and another writer after": (
        [("a", "b"), ("c", "d")],
        {"4712": ("b", "c")},
        "x",
        "by another writer after the run",
    ),
}


@pytest.mark.parametrize("case", OTHER_RUNS)
def test_another_run_of_ours_is_no_other_writer(case: str) -> None:
    documents, others, live, words = OTHER_RUNS[case]
    obstacles = Obstacles(runs=("4711",), read_others=lambda: of_runs(**others))
    with pytest.raises(RefusedError) as caught:
        decide(chain(*documents), live, same, False, obstacles)
    assert re.search(words, caught.value.message)
    assert ("Roll them back together" in caught.value.remedy) is ("another writer" not in words)
    assert re.search(words, decide(chain(*documents), live, same, True, obstacles).warnings[0])


def test_the_error_says_how_both_are_rolled_back() -> None:
    """By what its reader sets. So it is done."""
    later = of_runs(**{"4712": ("b", "c"), "4713": ("c", "d")})
    obstacles = Obstacles(runs=("4711", "4710"), read_others=lambda: later)
    with pytest.raises(RefusedError) as in_a_task:
        decide(chain(("a", "b")), "d", same, False, obstacles)
    assert "add /b/4713.json and /b/4712.json to files" in in_a_task.value.remedy
    with naming_variables(), pytest.raises(RefusedError) as in_a_playbook:
        decide(chain(("a", "b")), "d", same, False, obstacles)
    assert "rollback_run=4713,4712,4711,4710" in in_a_playbook.value.remedy
    together = chain(("a", "b"), ("b", "c"), ("c", "d"))
    assert decide(together, "d", same, False).reason == "changed_since_backup"


def test_other_runs_are_looked_for_only_where_something_differs() -> None:
    def read_others() -> list[StoredBackup]:
        raise AssertionError("the directory was read")

    decide(chain(("a", "b")), "b", same, False, Obstacles(read_others=read_others))


def shared(*clouds: tuple[str, ...]) -> list[Backup]:
    """A chain of three documents, and the clouds that each backup of it is for."""
    return [
        dataclasses.replace(backup, clouds=of)
        for backup, of in zip(chain(("a", "b"), ("b", "c")), clouds, strict=True)
    ]


CLOUDS: dict[str, tuple[tuple[tuple[str, ...], tuple[str, ...]], list[str] | None, str]] = {
    "all of them": ((("cld_1",), ("cld_2",)), ["cld_1", "cld_2", "cld_3"], ""),
    "one of them": (
        (("cld_1",), ("cld_2",)),
        ["cld_1"],
        "for clouds that it is not restored for: cld_2",
    ),
    "another one": (
        (("cld_1",), ("cld_2",)),
        ["cld_3"],
        "that it is not restored for: cld_1, cld_2",
    ),
    "one without an id": (
        (("cld_1",), ("cld_2",)),
        [],
        "that it is not restored for: cld_1, cld_2",
    ),
    "one of them, of a rollback": (
        (("cld_1", "cld_2"), ("cld_1",)),
        ["cld_1"],
        "that it is not restored for: cld_2",
    ),
    "whichever": ((("cld_1",), ("cld_2",)), None, ""),
}


@pytest.mark.parametrize("case", CLOUDS)
def test_what_other_clouds_use_is_refused_unless_forced(case: str) -> None:
    of, clouds, words = CLOUDS[case]
    if not words:
        assert decide(shared(*of), "c", same, False, Obstacles(clouds)) == (
            "changed_since_backup",
            (),
        )
        return
    with pytest.raises(RefusedError, match=words):
        decide(shared(*of), "c", same, False, Obstacles(clouds))
    assert words in decide(shared(*of), "c", same, True, Obstacles(clouds)).warnings[0]
    assert decide(shared(*of), "a", same, False, Obstacles(clouds)) == ("", ())


def test_a_backup_that_does_not_say_for_which_cloud_it_is_is_warned_about() -> None:
    verdict = decide(shared(("cld_1",), ()), "c", same, False, Obstacles(["cld_1"]))
    assert verdict.reason
    assert "may have been written for other clouds" in verdict.warnings[0]
    assert written_for(shared(("cld_1",), ())) == ()
    assert written_for(shared(("cld_2",), ("cld_1",))) == ("cld_1", "cld_2")


def test_documents_of_other_writers_are_compared_by_their_meaning() -> None:
    assert decide(chain(("a", "b")), "B", same, force=False).reason
    assert not decide(chain(("a", "b")), "A", same, force=False).reason


SPELLINGS = {
    "the run's own": ([("A", "a")], "a"),
    "that of another writer": ([("A", "b")], "a"),
    "that of the last of several tasks": ([("A", "b"), ("b", "a")], "a"),
}


@pytest.mark.parametrize(("documents", "live"), SPELLINGS.values(), ids=list(SPELLINGS))
def test_another_spelling_of_what_the_run_found_is_restored(
    documents: list[tuple[str, str]], live: str
) -> None:
    """Without force: nothing is lost by it."""
    exactly = Equality(_same, lambda one, other: bool(one == other))
    assert decide(chain(*documents), live, exactly, False) == ("changed_since_backup", ())
    assert decide(chain(*documents), "A", exactly, False) == ("", ())


@pytest.mark.parametrize(
    "backups",
    [[], chain(("a", "b")) + chain(("a", "b"), bucket="other-data")],
    ids=["none", "of two documents"],
)
def test_backups_that_are_not_of_one_document(backups: list[Backup]) -> None:
    with pytest.raises(InputError, match="files"):
        single_resource(backups)


def test_a_role_regains_what_its_policy_allows_only_where_nothing_is_left() -> None:
    grant, other = allow(Action="s3:*", Resource="*"), allow(Action="ec2:*", Resource="*")
    assert regained_by_role("r", policy(grant), policy()) == ("r",)
    assert regained_by_role("r", policy(grant), policy(deny(Action="*", Resource="*"))) == ("r",)
    assert regained_by_role("r", policy(grant), policy(other)) == ()
    assert regained_by_role("r", policy(), policy(other)) == ()


# --- any history ----------------------------------------------------------------------------------


@given(
    events=st.lists(st.sampled_from(["run", "another writer"]), min_size=1, max_size=8),
    data=st.data(),
)
def test_a_rollback_reverts_the_runs_that_it_names_and_nothing_else(
    events: list[str], data: st.DataObject
) -> None:
    """Whatever runs and other writers did one after the other: it is refused where anything else was
    done since the first of its runs, the error says whether that were runs and which, and with these
    it is not refused.
    """
    states = [str(number) for number in range(len(events) + 1)]
    runs = [place for place, event in enumerate(events) if event == "run"]
    if not runs:
        return
    chosen = sorted(data.draw(st.sets(st.sampled_from(runs), min_size=1)))
    found = {place: (states[place], states[place + 1]) for place in runs}
    since = range(chosen[0], len(events))
    others = {str(place): found[place] for place in runs if place in since and place not in chosen}
    obstacles = Obstacles(
        runs=[str(place) for place in reversed(chosen)], read_others=lambda: of_runs(**others)
    )
    backups = chain(*(found[place] for place in chosen))
    if not others and all(events[place] == "run" for place in since):
        assert decide(backups, states[-1], same, False, obstacles).reason
        return
    with naming_variables(), pytest.raises(RefusedError) as caught:
        decide(backups, states[-1], same, False, obstacles)
    if any(events[place] != "run" for place in since):
        assert "by another writer" in caught.value.message
        return
    told = re.search("rollback_run=([0-9,]+)", caught.value.remedy)
    assert told
    together = sorted(map(int, told[1].split(",")))
    assert together == [place for place in runs if place in since]
    assert decide(chain(*(found[place] for place in together)), states[-1], same, False).reason
