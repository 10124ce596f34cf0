# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""EC2's statement is merged into a trust policy, and taken out again, with every other statement
left alone.
"""

from __future__ import annotations

import copy
import json
import re
import typing as t

import pytest
from anyscale.util import verify_data_plane_role_assume_role_policy as anyscale_accepts
from hypothesis import given

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import trust_policy_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy_plan import (
    Wanted,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    as_list,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import canonical
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ASSUME,
    EC2,
    EC2_CHINA,
    LAMBDA,
    ROOT,
    TRUST_CONTROL_PLANE,
    TRUST_LAMBDA,
    TRUST_OF_CLOUDFORMATION,
    TRUST_OF_THE_CLI,
    TRUST_OF_THE_MANUAL,
    Document,
    Raw,
    allow,
    atoms,
    deny,
    policy,
    trust_policies,
    without,
)

ROOMY = 10**6
NOW = 1_795_000_000.0  # 2026-11-18
SOURCE_ACCOUNT = {"StringEquals": {"aws:SourceAccount": "123456789012"}}


def ours(sid: str = "AnyscaleEC2Trust", service: str = EC2) -> Raw:
    """The statement as it is written."""
    return {"Sid": sid, "Effect": "Allow", "Principal": {"Service": service}, "Action": ASSUME}


def ec2(**elements: t.Any) -> Raw:
    """An unmanaged statement that lets EC2 assume the role, with some elements changed."""
    return {**allow(Sid="Instances", Principal={"Service": EC2}, Action=ASSUME), **elements}


def present(document: Document, quota_chars: int = ROOMY, partition: str = "aws") -> Plan:
    return _decided(document, Wanted(quota_chars=quota_chars, partition=partition, now=NOW))


def absent(document: Document, partition: str = "aws") -> Plan:
    return _decided(document, Wanted(state="absent", partition=partition, now=NOW))


def _decided(document: Document, wanted: Wanted) -> Plan:
    """The plan, once it is certain that the document given was not changed in place."""
    kept = copy.deepcopy(document)
    plan = trust_policy_plan.decide(document, wanted)
    assert document == kept
    assert plan.before == document
    assert plan.changed is (plan.after != plan.before) is bool(plan.reasons)
    assert plan.result["trust_policy"] == plan.after
    return plan


HOLDS = {
    "the manual's, with a list of services and an empty Condition": policy(TRUST_OF_THE_MANUAL),
    "the CLI's, whose Statement is an object": TRUST_OF_THE_CLI,
    "CloudFormation's, with Sid Allow": policy(TRUST_OF_CLOUDFORMATION),
    "ours": policy(ours()),
    "ours after others": policy(TRUST_LAMBDA, ours()),
    "EC2 among other services": policy(ec2(Principal={"Service": [LAMBDA, EC2]})),
    "EC2 beside an AWS principal": policy(ec2(Principal={"Service": EC2, "AWS": ROOT})),
    "a second one under a condition": policy(ec2(Sid="Strict", Condition=SOURCE_ACCOUNT), ec2()),
    "a second one with a list of actions": policy(ec2(Sid="Listed", Action=[ASSUME]), ec2()),
    "of an older version": {**policy(ec2()), "Version": "2008-10-17"},
    "beside the control plane's": policy(TRUST_CONTROL_PLANE, TRUST_OF_CLOUDFORMATION),
}


@pytest.mark.parametrize("document", HOLDS.values(), ids=list(HOLDS))
def test_a_trust_that_holds_is_left_as_it_is(document: Document) -> None:
    plan = present(document)
    assert (plan.reasons, plan.warnings) == ((), ())
    assert anyscale_accepts(document)


def test_a_trust_that_holds_is_named_by_its_sid() -> None:
    assert present(policy(TRUST_LAMBDA, TRUST_OF_CLOUDFORMATION)).result["sid"] == "Allow"
    assert present(policy(TRUST_OF_THE_MANUAL)).result["sid"] == ""
    assert present(policy(TRUST_LAMBDA)).result["sid"] == "AnyscaleEC2Trust"


APPENDED = {
    "another service alone": (policy(TRUST_LAMBDA), "ec2_trust_missing"),
    "the control plane alone": (policy(TRUST_CONTROL_PLANE), "ec2_trust_missing"),
    "a Statement that is an object": (
        {"Version": "2012-10-17", "Statement": TRUST_LAMBDA},
        "ec2_trust_missing",
    ),
    "EC2 with another action": (policy(ec2(Action="sts:TagSession")), "ec2_trust_missing"),
    "EC2 all but named": (
        policy(ec2(Principal={"Service": "ec2.amazonaws.com.cn"})),
        "ec2_trust_missing",
    ),
    "EC2 in another case": (
        policy(ec2(Principal={"Service": "EC2.amazonaws.com"})),
        "ec2_trust_missing",
    ),
    "EC2 as an AWS principal": (policy(ec2(Principal={"AWS": EC2})), "ec2_trust_missing"),
    "everybody": (policy(ec2(Principal={"AWS": "*"})), "ec2_trust_missing"),
    "a Deny for another service": (
        policy(deny(Principal={"Service": LAMBDA}, Action=ASSUME), TRUST_LAMBDA),
        "ec2_trust_missing",
    ),
    "a list of actions for several services": (
        policy(ec2(Principal={"Service": [EC2, LAMBDA]}, Action=[ASSUME])),
        "action_not_a_string",
    ),
    "a list of actions for EC2 and an account": (
        policy(ec2(Principal={"Service": EC2, "AWS": ROOT}, Action=[ASSUME])),
        "action_not_a_string",
    ),
    "a list of two actions": (
        policy(ec2(Action=[ASSUME, "sts:TagSession"])),
        "action_not_a_string",
    ),
    "all actions of STS": (policy(ec2(Action="sts:*")), "action_not_a_string"),
    "a wildcard in the action": (policy(ec2(Action="sts:Assume*")), "action_not_a_string"),
    "the action in another case": (policy(ec2(Action="STS:assumerole")), "action_not_a_string"),
    "NotAction": (
        policy({**without(ec2(), "Action"), "NotAction": "sts:TagSession"}),
        "action_not_a_string",
    ),
    "a Condition": (policy(ec2(Condition=SOURCE_ACCOUNT)), "ec2_trust_conditional"),
    "a Condition and a list of one action": (
        policy(ec2(Condition=SOURCE_ACCOUNT, Action=[ASSUME])),
        "ec2_trust_conditional",
    ),
}


@pytest.mark.parametrize(("document", "reason"), APPENDED.values(), ids=list(APPENDED))
def test_a_statement_is_appended_to(document: Document, reason: str) -> None:
    plan = present(document)
    assert statements_of(plan.after) == [*statements_of(document), ours()]
    assert without(plan.after, "Statement") == without(document, "Statement")
    assert plan.reasons == (reason,)
    assert plan.result["sid"] == "AnyscaleEC2Trust"
    assert anyscale_accepts(plan.after)
    assert not anyscale_accepts(document) or reason == "ec2_trust_conditional"


REWRITTEN = {
    "by the string alone": (ec2(Action=[ASSUME]), ec2()),
    "with the list of services kept": (
        ec2(Action=[ASSUME], Principal={"Service": [EC2]}),
        ec2(Principal={"Service": [EC2]}),
    ),
    "with the empty Condition kept": (ec2(Action=[ASSUME], Condition={}), ec2(Condition={})),
    "without a Sid": (without(ec2(Action=[ASSUME]), "Sid"), without(ec2(), "Sid")),
}


@pytest.mark.parametrize(("before", "after"), REWRITTEN.values(), ids=list(REWRITTEN))
def test_a_list_of_the_one_action_for_ec2_alone_is_rewritten_in_its_place(
    before: Raw, after: Raw
) -> None:
    plan = present(policy(TRUST_LAMBDA, before, TRUST_CONTROL_PLANE))
    assert plan.after == policy(TRUST_LAMBDA, after, TRUST_CONTROL_PLANE)
    assert list(plan.after["Statement"][1]) == list(before)
    assert plan.reasons == ("action_not_a_string",)
    assert plan.warnings == ()
    assert plan.result["sid"] == after.get("Sid", "")


OURS_EDITED = {
    "a Condition put in": {**ours(), "Condition": SOURCE_ACCOUNT},
    "its action made a list": {**ours(), "Action": [ASSUME]},
    "its action in other letters": {**ours(), "Action": ASSUME.lower()},
}


@pytest.mark.parametrize("edited", OURS_EDITED.values(), ids=list(OURS_EDITED))
def test_our_own_statement_is_repaired_in_its_place(edited: Raw) -> None:
    plan = present(policy(TRUST_LAMBDA, edited, TRUST_CONTROL_PLANE))
    assert plan.after == policy(TRUST_LAMBDA, ours(), TRUST_CONTROL_PLANE)
    assert plan.reasons
    assert plan.result["sid"] == "AnyscaleEC2Trust"


@pytest.mark.parametrize(
    "edited",
    [ours() | {"Condition": SOURCE_ACCOUNT}, ours() | {"Action": [ASSUME]}],
    ids=["Condition", "Action"],
)
def test_an_edit_of_our_own_statement_is_given_as_the_reason(edited: Raw) -> None:
    assert "statement_differs" in present(policy(TRUST_LAMBDA, edited)).reasons


MORE_IN_OURS = {
    "another action": ({**ours(), "Action": "sts:TagSession"}, "ec2_trust_missing"),
    "a wildcard in its action": ({**ours(), "Action": "sts:*"}, "action_not_a_string"),
    "a further action": ({**ours(), "Action": [ASSUME, "sts:TagSession"]}, "action_not_a_string"),
    "all actions but one": (
        without({**ours(), "NotAction": "sts:GetFederationToken"}, "Action"),
        "action_not_a_string",
    ),
    "a further action, under a Condition": (
        {**ours(), "Action": [ASSUME, "sts:TagSession"], "Condition": SOURCE_ACCOUNT},
        "ec2_trust_conditional",
    ),
}


@pytest.mark.parametrize(("edited", "reason"), MORE_IN_OURS.values(), ids=list(MORE_IN_OURS))
def test_what_ec2_may_do_beyond_ours_under_our_sid_stays(edited: Raw, reason: str) -> None:
    """In its statement, which is as good as another writer's."""
    plan = present(policy(edited, TRUST_LAMBDA))
    added = {**ours(), "Sid": "AnyscaleEC2Trust2"}
    assert plan.after == policy(edited, TRUST_LAMBDA, added)
    assert plan.reasons == (reason,)
    assert not present(plan.after).changed


def test_a_condition_that_was_put_into_our_statement_is_not_silently_removed() -> None:
    (warning,) = present(policy(TRUST_LAMBDA, {**ours(), "Condition": SOURCE_ACCOUNT})).warnings
    assert "aws:SourceAccount" in warning
    assert "the Condition is removed" in warning
    assert "also allows EC2" not in warning


def test_the_warning_says_what_becomes_of_each_condition() -> None:
    theirs = ec2(Sid="OnlyFromHome", Condition=SOURCE_ACCOUNT)
    repaired, widened = present(policy({**ours(), "Condition": SOURCE_ACCOUNT}, theirs)).warnings
    assert "AnyscaleEC2Trust" in repaired
    assert "removed" in repaired
    assert "OnlyFromHome" in widened
    assert "a statement without one is added" in widened


UNMANAGED_WITH_OUR_SID = {
    "for another service": {**TRUST_LAMBDA, "Sid": "AnyscaleEC2Trust"},
    "for an account": {**TRUST_CONTROL_PLANE, "Sid": "AnyscaleEC2Trust"},
    "for EC2 and another service, with a list of actions": {
        **ours(),
        "Principal": {"Service": [EC2, LAMBDA]},
        "Action": [ASSUME],
    },
    "for EC2 and an account, under a Condition": {
        **ours(),
        "Principal": {"Service": EC2, "AWS": ROOT},
        "Condition": SOURCE_ACCOUNT,
    },
    "that denies another service": {
        **deny(Principal={"Service": LAMBDA}, Action=ASSUME),
        "Sid": "AnyscaleEC2Trust",
    },
}


@pytest.mark.parametrize("taken", UNMANAGED_WITH_OUR_SID.values(), ids=list(UNMANAGED_WITH_OUR_SID))
def test_an_unmanaged_statement_with_our_sid_stays_and_ours_gets_another(taken: Raw) -> None:
    plan = present(policy(taken, TRUST_LAMBDA))
    sid = plan.result["sid"]
    assert re.fullmatch("AnyscaleEC2Trust[0-9]+", sid)
    assert plan.after == policy(taken, TRUST_LAMBDA, ours(sid))
    assert not present(plan.after).changed


def test_our_statement_with_an_unmanaged_principal_in_it_holds_as_it_is() -> None:
    assert not present(policy({**ours(), "Principal": {"Service": [EC2, LAMBDA]}})).changed


DENIES = {
    "EC2": deny(Sid="NoEC2", Principal={"Service": EC2}, Action=ASSUME),
    "EC2 among others": deny(Sid="NoEC2", Principal={"Service": [LAMBDA, EC2]}, Action=[ASSUME]),
    "EC2 with an empty Condition": deny(
        Sid="NoEC2", Principal={"Service": EC2}, Action=ASSUME, Condition={}
    ),
    "everybody": deny(Sid="NoEC2", Principal="*", Action=ASSUME),
    "everybody everything": deny(Sid="NoEC2", Principal="*", Action="*"),
    "all of STS": deny(Sid="NoEC2", Principal={"Service": EC2}, Action="sts:*"),
    "a wildcard of actions": deny(
        Sid="NoEC2", Principal={"Service": EC2}, Action=["sts:TagSession", "sts:assume*"]
    ),
    "all but another action": deny(
        Sid="NoEC2", Principal={"Service": EC2}, NotAction="sts:TagSession"
    ),
    "all services": deny(Sid="NoEC2", Principal={"Service": "*"}, Action=ASSUME),
    "all but an account": deny(Sid="NoEC2", NotPrincipal={"AWS": ROOT}, Action=ASSUME),
    "all but another service": deny(Sid="NoEC2", NotPrincipal={"Service": LAMBDA}, Action=ASSUME),
}


@pytest.mark.parametrize(
    "others", [[TRUST_LAMBDA], [ours()]], ids=["where ours is missing", "where ours is there"]
)
@pytest.mark.parametrize("raw", DENIES.values(), ids=list(DENIES))
def test_a_deny_that_covers_ec2_is_an_error_that_names_it(raw: Raw, others: list[Raw]) -> None:
    with pytest.raises(TaskError, match="NoEC2") as caught:
        present(policy(*others, raw))
    assert caught.value.remedy
    assert caught.value.details["statement"] == raw


def deny_for_all(**condition: t.Any) -> Raw:
    """A Deny of the role for everybody, under a Condition."""
    return deny(Sid="D", Principal="*", Action=ASSUME, Condition=condition)


HARMLESS_DENIES = {
    "of another service": deny(Sid="D", Principal={"Service": LAMBDA}, Action=ASSUME),
    "of an account": deny(Sid="D", Principal={"AWS": ROOT}, Action="*"),
    "of another action": deny(Sid="D", Principal={"Service": EC2}, Action="sts:TagSession"),
    "of a longer action": deny(
        Sid="D", Principal={"Service": EC2}, Action="sts:AssumeRoleWithSAML"
    ),
    "of all but this action": deny(Sid="D", Principal={"Service": EC2}, NotAction=[ASSUME]),
    "of all but all of STS": deny(Sid="D", Principal="*", NotAction="sts:*"),
    "of all but everybody": deny(Sid="D", NotPrincipal="*", Action=ASSUME),
    "of all but EC2": deny(Sid="D", NotPrincipal={"Service": [EC2, LAMBDA]}, Action=ASSUME),
    "of those who give an external id": deny_for_all(StringEquals={"sts:ExternalId": "x"}),
    "of those who give one at all": deny_for_all(Null={"sts:ExternalId": "false"}),
    "of those who have no second factor, but not of services": deny_for_all(
        Bool={"aws:MultiFactorAuthPresent": "false", "aws:PrincipalIsAWSService": "false"}
    ),
    "of all but all services": deny(Sid="D", NotPrincipal={"Service": "*"}, Action=ASSUME),
    "of those who come before a past moment": deny_for_all(
        DateLessThan={"aws:CurrentTime": "2020-01-01T00:00:00Z"}
    ),
    "of those who have a user name": deny_for_all(stringlike={"aws:username": "*"}),
    "of callers without TLS": deny_for_all(Bool={"aws:SecureTransport": "false"}),
    "of services, but for EC2": deny_for_all(StringNotEquals={"aws:PrincipalServiceName": EC2}),
}
# EC2 has no external id and no second factor, and a condition that denies a value is met without
# one.
CONDITIONAL_DENIES = {
    "another external id": deny_for_all(StringNotEquals={"sts:ExternalId": "x"}),
    "another external id, by a pattern": deny_for_all(
        StringNotLike={"sts:ExternalId": ["x-*", "y-*"]}
    ),
    "no external id": deny_for_all(Null={"sts:ExternalId": "true"}),
    "no second factor, if the key is present": deny_for_all(
        BoolIfExists={"aws:MultiFactorAuthPresent": "false"}
    ),
    "all of no external ids": deny_for_all(
        **{"ForAllValues:StringEquals": {"sts:ExternalId": "x"}}
    ),
    "an old second factor, or none": deny_for_all(
        NumericGreaterThanIfExists={"aws:MultiFactorAuthAge": "3600"}
    ),
    "those who come after a past moment": deny_for_all(
        DateGreaterThan={"aws:CurrentTime": "2020-01-01T00:00:00Z"}
    ),
    "services": deny_for_all(Bool={"aws:PrincipalIsAWSService": "true"}),
    "EC2 by its name": deny_for_all(StringLike={"aws:PrincipalServiceName": "ec2*"}),
}
PERHAPS_DENIES = {
    "an account": deny_for_all(StringNotEquals={"aws:SourceAccount": "222222222222"}),
    "from a future moment on": deny_for_all(
        DateGreaterThan={"aws:CurrentTime": "2030-01-01T00:00:00Z"}
    ),
    "an organization": deny_for_all(StringNotEqualsIfExists={"aws:PrincipalOrgID": "o-1"}),
    "an address, without an external id": deny_for_all(
        NotIpAddress={"aws:SourceIp": "10.0.0.0/8"}, StringNotEquals={"sts:ExternalId": "x"}
    ),
}


@pytest.mark.parametrize("raw", HARMLESS_DENIES.values(), ids=list(HARMLESS_DENIES))
def test_a_deny_stops_nothing(raw: Raw) -> None:
    assert present(policy(raw)).after == policy(raw, ours())
    assert not present(policy(raw, ours())).changed
    assert not any("deny" in warning for warning in present(policy(raw, ours())).warnings)


@pytest.mark.parametrize("raw", CONDITIONAL_DENIES.values(), ids=list(CONDITIONAL_DENIES))
def test_a_deny_under_a_condition_that_ec2_surely_meets_is_an_error(raw: Raw) -> None:
    for document in (policy(raw), policy(raw, ours())):
        with pytest.raises(TaskError, match=r"'D'.* denies EC2"):
            present(document)


@pytest.mark.parametrize("raw", PERHAPS_DENIES.values(), ids=list(PERHAPS_DENIES))
def test_a_deny_under_a_condition_that_ec2_may_meet_is_a_warning(raw: Raw) -> None:
    for document in (policy(raw), policy(raw, ours())):
        assert any(
            "'D'" in warning and "may deny EC2" in warning for warning in present(document).warnings
        )


def test_the_condition_that_ours_widens_is_named_in_a_warning() -> None:
    (warning,) = present(
        policy(TRUST_LAMBDA, ec2(Sid="OnlyFromHome", Condition=SOURCE_ACCOUNT))
    ).warnings
    assert "OnlyFromHome" in warning
    assert "aws:SourceAccount" in warning


CRASHING = {
    "everybody": allow(Sid="Everybody", Principal="*", Action=ASSUME),
    "all but some": allow(Sid="Everybody", NotPrincipal={"AWS": ROOT}, Action=ASSUME),
}


@pytest.mark.parametrize("raw", CRASHING.values(), ids=list(CRASHING))
def test_a_statement_that_crashes_anyscales_check_is_named_in_a_warning(raw: Raw) -> None:
    with pytest.raises((AttributeError, KeyError)):
        anyscale_accepts(policy(raw))
    for document in (policy(ours(), raw), policy(raw)):
        assert any("Everybody" in warning for warning in present(document).warnings)


READABLE_BY_ANYSCALE = {
    "everybody by kind": allow(Sid="Everybody", Principal={"AWS": "*"}, Action=ASSUME),
    "a Deny for all but some": deny(Sid="Everybody", NotPrincipal={"Service": EC2}, Action=ASSUME),
    "another action": allow(Sid="Everybody", Principal="*", Action="sts:TagSession"),
    "a list of actions": allow(Sid="Everybody", Principal="*", Action=[ASSUME]),
}


@pytest.mark.parametrize("raw", READABLE_BY_ANYSCALE.values(), ids=list(READABLE_BY_ANYSCALE))
def test_a_statement_that_anyscales_check_can_read_is_not_warned_of(raw: Raw) -> None:
    assert anyscale_accepts(policy(raw, ours()))
    assert present(policy(raw, ours())).warnings == ()


QUOTA_DOCUMENTS = {
    "plain letters": policy(TRUST_LAMBDA),
    "letters beyond ASCII, each one character": policy(
        allow(
            Principal={"AWS": ROOT},
            Action=ASSUME,
            Condition={"StringEquals": {"sts:ExternalId": "é" * 100}},
        )
    ),
    "white space within a text": policy(
        allow(Principal={"AWS": ROOT}, Action=ASSUME, Condition={"StringEquals": {"a:b": "x y  z"}})
    ),
}


def _length(document: Document) -> int:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return len("".join(text.split()))  # IAM counts no white space


@pytest.mark.parametrize("document", QUOTA_DOCUMENTS.values(), ids=list(QUOTA_DOCUMENTS))
def test_the_quota_may_be_used_up_to_its_last_character(document: Document) -> None:
    length = _length(present(document).after)
    assert present(document, quota_chars=length).changed
    with pytest.raises(TaskError, match=str(length)) as caught:
        present(document, quota_chars=length - 1)
    assert str(length - 1) in caught.value.message
    assert "quota_chars" in caught.value.remedy


def test_the_quota_is_2048_characters_by_default() -> None:
    room = (
        2048
        - _length(present(policy(allow(Principal={"AWS": ROOT}, Action=ASSUME, Sid="x"))).after)
        + 1
    )
    for letters, fits in ((room, True), (room + 1, False)):
        document = policy(allow(Principal={"AWS": ROOT}, Action=ASSUME, Sid="x" * letters))
        if fits:
            assert _length(trust_policy_plan.decide(document, Wanted()).after) == 2048
        else:
            with pytest.raises(TaskError, match="2049"):
                trust_policy_plan.decide(document, Wanted())


def test_a_trust_that_holds_or_grows_no_longer_is_no_matter_of_the_quota() -> None:
    """A live policy that is longer shows that the quota of the account is higher."""
    assert not present(policy(TRUST_LAMBDA, ours()), quota_chars=10).changed
    listed = policy(TRUST_LAMBDA, ec2(Action=[ASSUME]))
    assert _length(present(listed, quota_chars=10).after) < _length(listed)
    with pytest.raises(TaskError, match="quota"):
        present(policy(TRUST_LAMBDA), quota_chars=10)


ABSENT = {
    "ours": ([TRUST_LAMBDA, ours(), TRUST_CONTROL_PLANE], [TRUST_LAMBDA, TRUST_CONTROL_PLANE]),
    "an unmanaged one": ([TRUST_OF_CLOUDFORMATION, TRUST_LAMBDA], [TRUST_LAMBDA]),
    "the manual's": ([TRUST_OF_THE_MANUAL, TRUST_LAMBDA], [TRUST_LAMBDA]),
    "with a list of actions": (
        [ec2(Action=[ASSUME, "sts:TagSession"]), TRUST_LAMBDA],
        [TRUST_LAMBDA],
    ),
    "with a wildcard of actions": ([ec2(Action="sts:*"), TRUST_LAMBDA], [TRUST_LAMBDA]),
    "with every action": ([ec2(Action="*"), TRUST_LAMBDA], [TRUST_LAMBDA]),
    "with NotAction": (
        [{**without(ec2(), "Action"), "NotAction": "sts:TagSession"}, TRUST_LAMBDA],
        [TRUST_LAMBDA],
    ),
    "with the action in another case": (
        [ec2(Action="STS:ASSUMEROLE"), TRUST_LAMBDA],
        [TRUST_LAMBDA],
    ),
    "under a Condition": ([ec2(Condition=SOURCE_ACCOUNT), TRUST_LAMBDA], [TRUST_LAMBDA]),
    "in several statements": (
        [ec2(), TRUST_LAMBDA, ec2(Sid="Two", Action=[ASSUME]), ours()],
        [TRUST_LAMBDA],
    ),
    "among other services": (
        [ec2(Principal={"Service": [EC2, LAMBDA, "glue.amazonaws.com"]})],
        [ec2(Principal={"Service": [LAMBDA, "glue.amazonaws.com"]})],
    ),
    "beside an AWS principal": (
        [ec2(Principal={"Service": EC2, "AWS": ROOT})],
        [ec2(Principal={"AWS": ROOT})],
    ),
}


@pytest.mark.parametrize(("before", "after"), ABSENT.values(), ids=list(ABSENT))
def test_ec2_is_removed_from_a_statement(before: list[Raw], after: list[Raw]) -> None:
    plan = absent(policy(*before))
    assert plan.after == policy(*after)
    assert plan.reasons == ("ec2_trust_present",)
    assert plan.result["sid"] == ""
    assert not absent(plan.after).changed


def test_a_service_that_is_left_alone_with_its_statement_may_be_a_list_or_not() -> None:
    (left,) = statements_of(absent(policy(ec2(Principal={"Service": [EC2, LAMBDA]}))).after)
    assert canonical(left) == canonical(ec2(Principal={"Service": LAMBDA}))


NOTHING_TO_TAKE_OUT = {
    "another service": policy(TRUST_LAMBDA),
    "a Statement that is an object": {"Version": "2012-10-17", "Statement": TRUST_LAMBDA},
    "EC2 with another action": policy(ec2(Action="sts:TagSession")),
    "EC2 with all but this action": policy({**without(ec2(), "Action"), "NotAction": ASSUME}),
    "EC2 denied": policy(TRUST_LAMBDA, deny(Principal={"Service": EC2}, Action=ASSUME)),
    "everybody denied": policy(TRUST_LAMBDA, deny(Principal="*", Action="*")),
    "everybody allowed, which names no service": policy(allow(Principal="*", Action=ASSUME)),
    "all but EC2 allowed": policy(allow(NotPrincipal={"Service": EC2}, Action=ASSUME)),
    "our Sid on a statement for others": policy({**TRUST_LAMBDA, "Sid": "AnyscaleEC2Trust"}),
}


@pytest.mark.parametrize("document", NOTHING_TO_TAKE_OUT.values(), ids=list(NOTHING_TO_TAKE_OUT))
def test_absent_leaves_alone(document: Document) -> None:
    assert not absent(document).changed


LAST_ONES = {
    "ours": policy(ours()),
    "the CLI's, whose Statement is an object": TRUST_OF_THE_CLI,
    "two": policy(ours(), ec2(Action="sts:*")),
}


@pytest.mark.parametrize("document", LAST_ONES.values(), ids=list(LAST_ONES))
def test_the_last_statement_cannot_be_removed(document: Document) -> None:
    with pytest.raises(TaskError, match="cannot be empty") as caught:
        absent(document)
    assert caught.value.remedy


@pytest.mark.parametrize("partition", ["aws", "aws-us-gov"])
def test_ec2_has_its_usual_name_in(partition: str) -> None:
    assert present(policy(TRUST_LAMBDA), partition=partition).after == policy(TRUST_LAMBDA, ours())
    assert not present(policy(ours()), partition=partition).changed


def test_ec2_has_a_name_of_its_own_in_china() -> None:
    plan = present(policy(TRUST_LAMBDA), partition="aws-cn")
    assert plan.after == policy(TRUST_LAMBDA, ours(service=EC2_CHINA))
    assert not present(plan.after, partition="aws-cn").changed
    assert absent(plan.after, partition="aws-cn").after == policy(TRUST_LAMBDA)


def test_in_china_a_list_of_the_one_action_is_rewritten_too() -> None:
    listed = {**ours(service=EC2_CHINA), "Sid": "Mine", "Action": [ASSUME]}
    assert present(policy(listed), partition="aws-cn").after == policy({**listed, "Action": ASSUME})


def test_in_china_both_names_of_ec2_are_removed() -> None:
    assert absent(
        policy(TRUST_LAMBDA, ours(), ours("Two", EC2_CHINA)), partition="aws-cn"
    ).after == policy(TRUST_LAMBDA)
    both = {**ours(), "Principal": {"Service": [EC2, LAMBDA, EC2_CHINA]}}
    assert absent(policy(both), partition="aws-cn").after == policy(
        {**both, "Principal": {"Service": [LAMBDA]}}
    )


def test_in_china_only_its_own_name_of_ec2_lets_clusters_in() -> None:
    assert present(policy(ours("One")), partition="aws-cn").after == policy(
        ours("One"), ours(service=EC2_CHINA)
    )


@pytest.mark.parametrize(
    "raw",
    [
        deny(Sid="D", Principal={"Service": EC2}, Action=ASSUME),
        deny(Sid="D", NotPrincipal={"Service": EC2}, Action=ASSUME),
        deny_for_all(StringEquals={"aws:PrincipalServiceName": EC2}),
    ],
    ids=["of it", "of all but it", "of it by a condition"],
)
def test_in_china_a_deny_by_the_usual_name_of_ec2_may_hit(raw: Raw) -> None:
    (warning,) = present(policy(ours(service=EC2_CHINA), raw), partition="aws-cn").warnings
    assert "may deny EC2" in warning


def test_in_china_a_deny_of_all_but_both_names_of_ec2_stops_nothing() -> None:
    raw = deny(Sid="D", NotPrincipal={"Service": [EC2, EC2_CHINA]}, Action=ASSUME)
    assert present(policy(ours(service=EC2_CHINA), raw), partition="aws-cn").warnings == ()


STILL_ALLOWED = {
    "all services": {"Principal": {"Service": "*"}},
    "everybody": {"Principal": {"AWS": "*"}},
    "all but an account": {"NotPrincipal": {"AWS": ROOT}},
    "everybody, under a condition that EC2 meets": {
        "Principal": {"AWS": "*"},
        "Condition": {"Null": {"sts:ExternalId": "true"}},
    },
    "everybody, under a condition that EC2 may meet": {
        "Principal": {"AWS": "*"},
        "Condition": SOURCE_ACCOUNT,
    },
}


@pytest.mark.parametrize("elements", STILL_ALLOWED.values(), ids=list(STILL_ALLOWED))
def test_absent_says_what_may_still_allow_ec2(elements: Raw) -> None:
    wide = allow(Sid="Wide", Action=ASSUME, **elements)
    for document in (policy(wide), policy(wide, ours())):
        plan = absent(document)
        assert plan.after == policy(wide)
        assert "'Wide'" in plan.warnings[0]


NOT_ALLOWED_ANY_MORE = {
    "everybody, under a condition that EC2 does not meet": allow(
        Principal={"AWS": "*"}, Action=ASSUME, Condition={"StringEquals": {"sts:ExternalId": "x"}}
    ),
    "all but EC2": allow(NotPrincipal={"Service": EC2}, Action=ASSUME),
    "everybody, another action": allow(Principal={"AWS": "*"}, Action="sts:TagSession"),
    "another service": TRUST_LAMBDA,
}


@pytest.mark.parametrize(
    ("raw", "number"),
    [
        pytest.param(ours(), 0, id="ours"),
        pytest.param(ours("Theirs"), 1, id="with another Sid"),
        pytest.param({**ours(), "Principal": {"Service": [EC2, LAMBDA]}}, 1, id="ours, extended"),
        pytest.param(ec2(Principal={"Service": [EC2, LAMBDA]}), 1, id="with another service"),
        pytest.param(TRUST_CONTROL_PLANE, 0, id="without EC2"),
    ],
)
def test_absent_says_which_unmanaged_statements_lose_ec2(raw: Raw, number: int) -> None:
    """Their owners do not expect it."""
    warnings = absent(policy(TRUST_LAMBDA, raw)).warnings
    assert [
        one.partition(" is not one that this collection adds")[1] != "" for one in warnings
    ] == ([True] * number)


@pytest.mark.parametrize("raw", NOT_ALLOWED_ANY_MORE.values(), ids=list(NOT_ALLOWED_ANY_MORE))
def test_absent_says_nothing_of_what_does_not_allow_ec2(raw: Raw) -> None:
    assert absent(policy(raw, ours())).warnings == ()


def test_elsewhere_the_name_of_ec2_in_china_is_left_alone() -> None:
    assert not absent(policy(TRUST_LAMBDA, ours(service=EC2_CHINA))).changed


@given(trust_policies())
def test_merging_keeps_every_unmanaged_statement_and_adds_just_ours(document: Document) -> None:
    plan = present(document)
    before, after = statements_of(document), statements_of(plan.after)
    kept = [*before, *after[len(before) :]]
    changed = [(old, new) for old, new in zip(kept, after, strict=True) if old != new]
    assert [without(old, "Action") for old, _new in changed] == [
        without(new, "Action") for _old, new in changed
    ]
    assert [old["Action"] for old, _new in changed] in ([], [[ASSUME]])
    assert len(after) - len(before) + len(changed) == int(plan.changed)
    assert atoms(plan.after) - atoms(document) <= atoms(policy(ours()))
    assert atoms(document) <= atoms(plan.after)


@given(trust_policies(("Allow", "Deny")))
def test_the_plan_passes_anyscales_check_and_is_final(document: Document) -> None:
    try:
        plan = present(document)
    except TaskError:
        assert any(raw["Effect"] == "Deny" for raw in statements_of(document))
        return
    assert anyscale_accepts(plan.after)
    assert any(trust_policy_plan.holds(raw, EC2) for raw in statements_of(plan.after))
    again = present(plan.after)
    assert not again.changed
    assert again.after == plan.after


@given(trust_policies(("Allow", "Deny")))
def test_absent_takes_just_ec2_out_and_is_final(document: Document) -> None:
    try:
        plan = absent(document)
    except TaskError:
        assert all(_names_ec2(raw) for raw in statements_of(document))
        return
    lost = atoms(document) - atoms(plan.after)
    assert atoms(plan.after) <= atoms(document)
    assert all(json.loads(atom)[1] == ["Service", EC2] for atom in lost)
    for raw in statements_of(plan.after):
        granted = raw["Effect"] == "Allow" and {ASSUME, "sts:*"} & set(as_list(raw["Action"]))
        assert not (granted and _names_ec2(raw))
    assert not absent(plan.after).changed


@given(
    trust_policies().filter(
        lambda document: not any(_names_ec2(raw) for raw in statements_of(document))
    )
)
def test_absent_undoes_present_where_nothing_was_granted_before(document: Document) -> None:
    undone = absent(present(document).after).after
    assert statements_of(undone) == statements_of(document)
    assert without(undone, "Statement") == without(document, "Statement")


def _names_ec2(raw: Raw) -> bool:
    return EC2 in as_list(raw["Principal"].get("Service"))
