# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rules a Cloud IAM mapping is to have, in which order, and why it differs."""

from __future__ import annotations

import typing as t

import pytest
from hypothesis import given, strategies as st

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.iam_mapping_plan import (
    CLOUD_DEFAULT,
    FAIL,
    MappingPlan,
    decide,
    mapping_of,
    parse_wanted,
    restored_mapping,
    rules_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import (
    InputError,
    RefusedError,
    TaskError,
)
from ansible_collections.rayfleet.anyscale.tests.support.mapping_rules import (
    KIND,
    options,
    spec,
    words_of,
)

Json = dict[str, t.Any]


def plan(live: Json, wanted: Json) -> MappingPlan:
    return decide(live, parse_wanted(wanted), KIND)


# live, wanted, where they go, the rules then, the reasons
MERGED: dict[str, tuple[str, str, str | None, str, list[str]]] = {
    "the first rule": ("", "A", None, "A", ["rule_missing"]),
    "several first rules": ("", "B A", None, "B A", ["rule_missing"]),
    "a new rule goes to the end": ("X Y", "A", None, "X Y A", ["rule_missing"]),
    "it is there": ("X A Y", "A", None, "X A Y", []),
    "another role, in its place": ("X A:q Y", "A", None, "X A Y", ["role_differs"]),
    "a new one before its successor": ("B X", "A B", None, "A B X", ["rule_missing"]),
    "a new one behind its predecessor": ("A X", "A B", None, "A X B", ["rule_missing"]),
    "a new one between two": ("A X C", "A B C", None, "A X B C", ["rule_missing"]),
    "several new ones": ("B X", "A B C D", None, "A B X C D", ["rule_missing"]),
    "in another order among themselves": (
        "B X A",
        "A B",
        None,
        "A X B",
        ["rules_out_of_order"],
    ),
    "rules of others keep their order": ("Y X", "A", None, "Y X A", ["rule_missing"]),
    "a second one with the selector never applies": ("A X A:q", "A", None, "A X A:q", []),
    "first, and new": ("X Y", "A", "first", "A X Y", ["rule_missing"]),
    "first, and there": ("A X Y", "A", "first", "A X Y", []),
    "first, and elsewhere": ("X A Y", "A", "first", "A X Y", ["rules_out_of_order"]),
    "first, and one is elsewhere": (
        "A X B",
        "A B",
        "first",
        "A B X",
        ["rules_out_of_order"],
    ),
    "first, elsewhere and with another role": (
        "X A:q",
        "A",
        "first",
        "A X",
        ["role_differs", "rules_out_of_order"],
    ),
    "last, and new": ("X", "A B", "last", "X A B", ["rule_missing"]),
    "last, and there": ("X A", "A", "last", "X A", []),
    "last, and elsewhere": ("A X", "A", "last", "X A", ["rules_out_of_order"]),
    "before one, and new": ("X Y", "A", "before Y", "X A Y", ["rule_missing"]),
    "before one, and right there": ("X A Y", "A", "before Y", "X A Y", []),
    "before one, and further before": ("A X Y", "A", "before Y", "A X Y", []),
    "before one, and behind it": (
        "X Y A",
        "A",
        "before Y",
        "X A Y",
        ["rules_out_of_order"],
    ),
    "before one, all together": (
        "A X Y",
        "A B",
        "before Y",
        "X A B Y",
        ["rule_missing", "rules_out_of_order"],
    ),
    "after one, and new": ("X Y", "A", "after X", "X A Y", ["rule_missing"]),
    "after one, and further behind": ("X Y A", "A", "after X", "X Y A", []),
    "after one, and before it": ("A X Y", "A", "after X", "X A Y", ["rules_out_of_order"]),
    "after one, with another role": ("X Y A:q", "A", "after X", "X Y A", ["role_differs"]),
}


@pytest.mark.parametrize("case", MERGED)
def test_merged(case: str) -> None:
    live, wanted, at, expected, reasons = MERGED[case]
    found = plan(spec(live), options(wanted, at=at))
    assert (words_of(found.spec), list(found.reasons)) == (expected, reasons)
    assert found.changed is (live != expected)


REPLACED: dict[str, tuple[str, str, str, list[str]]] = {
    "from none": ("", "A B", "A B", ["rule_missing"]),
    "the same": ("A B", "A B", "A B", []),
    "another order": ("B A", "A B", "A B", ["rules_out_of_order"]),
    "one more": ("X A", "A", "A", ["unmanaged_rule"]),
    "a second one that never applies": ("A A:q", "A", "A", ["unmanaged_rule"]),
    "all but one": ("A:q X", "A B", "A B", ["rule_missing", "role_differs", "unmanaged_rule"]),
    "to none": ("A X", "", "", ["unmanaged_rule"]),
    "none": ("", "", "", []),
}


@pytest.mark.parametrize("case", REPLACED)
def test_replaced(case: str) -> None:
    live, wanted, expected, reasons = REPLACED[case]
    found = plan(spec(live), options(wanted, "replaced"))
    assert (words_of(found.spec), list(found.reasons)) == (expected, reasons)


ABSENT: dict[str, tuple[str, str, str, list[str], int]] = {
    "it is there": ("X A Y", "A", "X Y", ["rule_present"], 0),
    "it is not there": ("X Y", "A", "X Y", [], 0),
    "one of two": ("X A", "A B", "X", ["rule_present"], 0),
    "the last one": ("A", "A", "", ["rule_present"], 0),
    "with another role it is another rule": ("A:q X", "A", "A:q X", [], 1),
    "each of two that are the same": ("A X A", "A", "X", ["rule_present"], 0),
}


@pytest.mark.parametrize("case", ABSENT)
def test_absent(case: str) -> None:
    live, wanted, expected, reasons, warnings = ABSENT[case]
    found = plan(spec(live), options(wanted, "absent"))
    assert (words_of(found.spec), list(found.reasons)) == (expected, reasons)
    assert len(found.warnings) == warnings


# live rules, its fallback rule, the wanted rules and fallback rule, the fallback rule then
FALLBACKS: dict[str, tuple[str, str, str, str | None, str | None, list[str]]] = {
    "none is given for the first rule": ("", "", "A", None, CLOUD_DEFAULT, ["rule_missing"]),
    "one is given for the first rule": ("", "", "A", FAIL, FAIL, ["rule_missing"]),
    "none is given, and there is one": ("X", FAIL, "A", None, FAIL, ["rule_missing"]),
    "another one is given": (
        "A",
        FAIL,
        "A",
        CLOUD_DEFAULT,
        CLOUD_DEFAULT,
        ["fallback_rule_differs"],
    ),
    "the same one is given": ("A", FAIL, "A", FAIL, FAIL, []),
}


@pytest.mark.parametrize("case", FALLBACKS)
def test_fallback_rule(case: str) -> None:
    live, fallback, wanted, given_rule, expected, reasons = FALLBACKS[case]
    found = plan(spec(live, fallback), options(wanted, fallback_rule=given_rule))
    assert found.after["fallback_rule"] == expected
    assert list(found.reasons) == reasons


class TestWhatIsSent:
    def test_all_else_survives(self) -> None:
        live = spec("X", user_tag_annotation_prefix="team/", something_new={"a": [1]})
        live["dataplane_iam_mapping"]["limit"] = 5
        live["dataplane_iam_mapping"]["rules"][0]["comment"] = "of others"
        sent = plan(live, options("A")).spec
        mapping = sent.pop("dataplane_iam_mapping")
        assert sent == {key: live[key] for key in live if key != "dataplane_iam_mapping"}
        assert mapping["rules"][0] == live["dataplane_iam_mapping"]["rules"][0]
        assert mapping["limit"] == 5

    def test_a_rule_keeps_what_else_it_has(self) -> None:
        live = spec("A:q")
        (rule,) = live["dataplane_iam_mapping"]["rules"]
        rule |= {"selector": " user == a@x.y ", "comment": "mine"}
        (sent,) = rules_of(plan(live, options("A")).spec)
        assert sent == {**rule, "value": "ray-a"}

    def test_what_the_service_derives_or_refuses_is_left_out(self) -> None:
        live = spec("X")
        live["dataplane_iam_mapping"]["default_rule"] = "x"
        sent = plan(live, options("A")).spec["dataplane_iam_mapping"]
        assert set(sent) == {"rules", "fallback_rule"}

    def test_a_former_default_rule_is_the_fallback_rule(self) -> None:
        live = spec("X", "")
        live["dataplane_iam_mapping"]["default_rule"] = FAIL
        assert plan(live, options("A")).after["fallback_rule"] == FAIL

    @pytest.mark.parametrize("state", ["absent", "replaced"])
    def test_no_rules_are_sent_with_the_kind_and_without_a_fallback_rule(self, state: str) -> None:
        live = spec("A", FAIL, user_tag_annotation_prefix="team/")
        sent = plan(live, options("A" if state == "absent" else "", state)).spec
        assert sent == {**live, "dataplane_iam_mapping": {}}
        assert {key: sent[key] for key in KIND} == KIND

    def test_a_config_without_its_kind_gets_it(self) -> None:
        sent = plan({"dataplane_iam_mapping": {}}, options("A")).spec
        assert {key: sent[key] for key in KIND} == KIND

    def test_a_role_is_sent_by_its_name(self) -> None:
        wanted = options("A")
        wanted["rules"][0]["role"] = "arn:aws:iam::123456789012:role/ray/ray-a"
        assert words_of(plan(spec(""), wanted).spec) == "A"

    def test_the_plan_leaves_what_it_was_made_from(self) -> None:
        live = spec("X A:q")
        before = mapping_of(live)
        plan(live, options("A B", at="first"))
        assert mapping_of(live) == before


class TestWarnings:
    def rules(self, *selectors: str) -> list[Json]:
        return [{"selector": text, "role": f"ray-{n}"} for n, text in enumerate(selectors)]

    def live(self, *selectors: str) -> Json:
        rules = [{"selector": text, "value": "x"} for text in selectors]
        return {**spec(""), "dataplane_iam_mapping": {"rules": rules, "fallback_rule": FAIL}}

    def test_a_rule_that_never_applies(self) -> None:
        wanted = {"rules": self.rules("workload-type=job,project=ml"), "state": "merged"}
        (warning,) = plan(self.live("workload-type=job"), wanted).warnings
        assert "'workload-type=job,project=ml' never applies: rule 'workload-type=job'" in warning

    def test_in_time_before_the_other(self) -> None:
        wanted = {
            "rules": self.rules("workload-type=job,project=ml"),
            "state": "merged",
            "position": {"at": "first"},
        }
        assert plan(self.live("workload-type=job"), wanted).warnings == ()

    def test_rules_of_others_are_none_of_ours(self) -> None:
        wanted = {"rules": self.rules("user=a@b.c"), "state": "merged"}
        assert plan(self.live("project", "project=ml"), wanted).warnings == ()

    def test_clusters_that_did_not_start_do_now(self) -> None:
        (warning,) = plan(spec("A", FAIL), options("A", "absent")).warnings
        assert "fallback_rule FAIL" in warning

    def test_another_role_stays(self) -> None:
        (warning,) = plan(spec("A:q"), options("A", "absent")).warnings
        assert "gives another role, q" in warning


REFUSED: dict[str, tuple[Json, str]] = {
    "no rules": (options(""), r"rules \(cloud_iam_mapping_rules in playbooks\) is an empty list"),
    "no rules to remove": (options("", "absent"), "empty list"),
    "rules that are none": ({**options(""), "rules": None}, "not a list"),
    "a rule that is a text": ({**options(""), "rules": ["A"]}, "rule 1 of .* keys selector and"),
    "a rule without a role": (
        {**options(""), "rules": [{"selector": "project=ml"}]},
        "rule 1 of .* keys selector and role",
    ),
    "a rule with a value": (
        {**options(""), "rules": [{"selector": "project=ml", "value": "x"}]},
        "rule 1 of .* keys selector and role",
    ),
    "a role that is a number": (
        {**options("A"), "rules": [{"selector": "project=ml", "role": 5}]},
        "role of rule 1 of .* not a text",
    ),
    "a role that is none": (
        {**options("A"), "rules": [{"selector": "project=ml", "role": "a b"}]},
        "role of rule 1 of .*'a b'",
    ),
    "an ARN of an instance profile": (
        {
            **options("A"),
            "rules": [
                {
                    "selector": "project=ml",
                    "role": "arn:aws:iam::123456789012:instance-profile/x",
                }
            ],
        },
        "role of rule 1 of .*not the ARN of an IAM role",
    ),
    "a selector that is none": (
        {**options("A"), "rules": [*options("A")["rules"], {"selector": "team=x", "role": "r"}]},
        "selector of rule 2 of .*'team'",
    ),
    "two rules with the same selector": (options("A B A:q"), "rule 3 .* same selector as rule 1"),
    "a position for all rules": (
        options("A", "replaced", "first"),
        "position .*state .*is replaced",
    ),
    "a position to remove": (options("A", "absent", "first"), "position .* but state .*is absent"),
    "a place that is none": (options("A", at="middle"), "position .*no valid value of at"),
    "before what": (options("A", at="before"), "names no rule"),
    "first, before another one": (options("A", at="first X"), "has a selector, but at is first"),
    "before itself": (options("A", at="before A"), "is one of rules"),
    "before a selector that is none": (
        {**options("A"), "position": {"at": "before", "selector": "team=x"}},
        "selector of position .*'team'",
    ),
    "a position that is a text": ({**options("A"), "position": "first"}, "not a dictionary"),
    "a fallback without rules": (
        options("", "replaced", fallback_rule=FAIL),
        "fallback_rule .*no rules",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_mapping_can_have(case: str) -> None:
    given_options, words = REFUSED[case]
    with pytest.raises(InputError, match=words) as error:
        parse_wanted(given_options)
    assert error.value.remedy


def test_a_rule_to_go_before_that_is_not_there() -> None:
    with pytest.raises(RefusedError, match="does not have") as error:
        plan(spec("X A"), options("A", at="before Q"))
    assert "'user=x@x.y'" in error.value.remedy
    assert "'user=a@x.y'" not in error.value.remedy


# --- laws -----------------------------------------------------------------------------------------

_WORDS = st.lists(
    st.sampled_from(["A", "B", "C", "X", "Y", "A:q", "B:q", "X:q"]),
    max_size=5,
    unique_by=lambda word: word[0],
).map(" ".join)
_OURS = st.lists(st.sampled_from("ABC"), min_size=1, max_size=3, unique=True).map(" ".join)
_VALUES = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.none())
_ANY_RULES = st.lists(
    st.dictionaries(st.sampled_from(["selector", "value", "other"]), _VALUES), max_size=3
)
_PLACES = st.sampled_from([None, "first", "last", "before X", "after X"])


@given(
    live=_WORDS, wanted=_OURS, at=_PLACES, state=st.sampled_from(["merged", "replaced", "absent"])
)
def test_a_plan_leads_to_where_nothing_is_left_to_do(
    live: str, wanted: str, at: str | None, state: str
) -> None:
    given_options = options(wanted, state, at if state == "merged" else None)
    try:
        found = plan(spec(live), given_options)
    except TaskError:
        assert "X" not in live
        return
    assert not plan(found.spec, given_options).changed
    others = [word for word in live.split() if word[0] not in wanted]
    now = words_of(found.spec).split()
    if state != "replaced":
        assert [word for word in now if word[0] not in wanted] == others
    if state != "absent":
        assert [word for word in now if word[0] in wanted] == wanted.split()
    assert found.changed is (words_of(found.spec) != words_of(spec(live)))


@given(
    live=_ANY_RULES,
    fallback=_VALUES,
    state=st.sampled_from(["merged", "replaced", "absent"]),
    at=_PLACES,
)
def test_live_rules_of_any_form_are_kept_as_they_are(
    live: list[Json], fallback: t.Any, state: str, at: str | None
) -> None:
    config = {**spec(""), "dataplane_iam_mapping": {"rules": live, "fallback_rule": fallback}}
    try:
        found = plan(config, options("A", state, at if state == "merged" else None))
    except RefusedError:
        return
    if state != "replaced":
        assert [rule for rule in rules_of(found.spec) if rule.get("value") != "ray-a"] == live


@given(
    live=_ANY_RULES,
    fallback=st.sampled_from([FAIL, CLOUD_DEFAULT]),
    state=st.sampled_from(["merged", "replaced", "absent"]),
    others=st.dictionaries(st.sampled_from(["zones", "file_storage"]), _VALUES),
)
def test_a_mapping_is_restored_as_it_was_and_all_else_stays(
    live: list[Json], fallback: str, state: str, others: Json
) -> None:
    """A rollback of the rollback leads to where the run had led."""
    earlier = {**spec(""), "dataplane_iam_mapping": {"rules": live, "fallback_rule": fallback}}
    try:
        found = plan(earlier, options("A", state))
    except RefusedError:
        return
    changed_since = {**found.spec, **others}
    restored = restored_mapping(changed_since, earlier, KIND)
    assert mapping_of(restored) == mapping_of(earlier)
    assert {**restored, "dataplane_iam_mapping": {}} == {
        **KIND,
        **changed_since,
        "dataplane_iam_mapping": {},
    }
    again = restored_mapping(restored, found.spec, KIND)
    assert mapping_of(again) == mapping_of(found.spec)
