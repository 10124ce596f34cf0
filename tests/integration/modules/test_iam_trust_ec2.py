# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module iam_trust_ec2 against IAM as the sandbox plays it."""

from __future__ import annotations

import json
import typing as t

import pytest
from anyscale.util import verify_data_plane_role_assume_role_policy

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import overwriting
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.trust_policy import (
    TrustPolicyStore,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox import Sandbox
from ansible_collections.rayfleet.anyscale.tests.sandbox._organization import opaque_id
from ansible_collections.rayfleet.anyscale.tests.support.accounts import (
    ACCOUNT,
    LAMBDA,
    OTHER_ACCOUNT,
    PARTNER,
    ROLE,
    ROLE_ARN,
    Json,
    delete_role,
    make_role,
    policy,
    put_trust,
    register_cloud,
    trust_of,
)
from ansible_collections.rayfleet.anyscale.tests.support.module_assertions import (
    Run,
    after,
    before,
    converge,
    documented_reasons,
    failure,
    hold_up,
    refused,
    settled,
    write_operations,
)

MODULE = "iam_trust_ec2"
WRITE = "UpdateAssumeRolePolicy"
CLOUD_ID = opaque_id("cld", "apollo")
DEFAULT_ROLE = f"{CLOUD_ID}-cluster_node_role"
EC2 = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
OURS = {"Sid": "AnyscaleEC2Trust", **EC2}
ONLY_HERE = {"StringEquals": {"aws:SourceAccount": ACCOUNT}}
CONDITIONAL = {**EC2, "Sid": "OnlyThisAccount", "Condition": ONLY_HERE}
LIST_ACTION = {**EC2, "Action": ["sts:AssumeRole"]}
DENY_EC2 = {**EC2, "Sid": "NoInstances", "Effect": "Deny"}
FORMER = "FormerTool"


def allow(
    services: str | list[str], action: str | list[str] = "sts:AssumeRole", **more: t.Any
) -> Json:
    return {"Effect": "Allow", "Principal": {"Service": services}, "Action": action, **more}


# --- the cycle ------------------------------------------------------------------------------------

DRIFTS: dict[str, tuple[Json, str]] = {
    "ours under a condition": (
        policy(PARTNER, {**OURS, "Condition": ONLY_HERE}, LAMBDA),
        "statement_differs",
    ),
    "ours taken out": (policy(PARTNER, LAMBDA), "ec2_trust_missing"),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_create_modify_delete(sandbox: Sandbox, run_module: Run, drift: str) -> None:
    make_role(sandbox, trust=policy(PARTNER, LAMBDA))
    options = {"role": ROLE, "account_id": ACCOUNT}

    made = converge(sandbox, run_module, MODULE, ["ec2_trust_missing"], **options)
    assert before(made) == made["previous"] == policy(PARTNER, LAMBDA)
    assert after(made) == made["trust_policy"] == trust_of(sandbox) == policy(PARTNER, LAMBDA, OURS)
    assert (made["role_arn"], made["role_name"], made["sid"]) == (
        ROLE_ARN,
        ROLE,
        "AnyscaleEC2Trust",
    )
    assert made["role_id"].startswith("AROA")

    drifted, reason = DRIFTS[drift]
    put_trust(sandbox, drifted)
    restored = converge(sandbox, run_module, MODULE, [reason], **options)
    assert before(restored) == drifted
    wanted = (
        policy(PARTNER, LAMBDA, OURS)
        if reason == "ec2_trust_missing"
        else policy(PARTNER, OURS, LAMBDA)
    )
    assert after(restored) == trust_of(sandbox) == wanted

    gone = converge(sandbox, run_module, MODULE, ["ec2_trust_present"], state="absent", **options)
    assert before(gone) == wanted
    assert after(gone) == trust_of(sandbox) == policy(PARTNER, LAMBDA)
    assert gone["sid"] == ""


def test_the_documents_restore_what_was_there(sandbox: Sandbox, run_module: Run) -> None:
    make_role(sandbox, trust=policy(PARTNER, LAMBDA))
    put_trust(sandbox, run_module(MODULE, role=ROLE)["previous"])
    assert trust_of(sandbox) == policy(PARTNER, LAMBDA)


# --- the states in which roles are found ----------------------------------------------------------

HOLDS: dict[str, Json] = {
    "the page of the manual procedure": policy(allow(["ec2.amazonaws.com"], Condition={})),
    "a statement without a list": {"Version": "2012-10-17", "Statement": EC2},
}


@pytest.mark.parametrize("state", HOLDS)
def test_a_trust_that_holds_is_left_alone(sandbox: Sandbox, run_module: Run, state: str) -> None:
    make_role(sandbox, trust=HOLDS[state])
    result = settled(sandbox, run_module, MODULE, role=ROLE)
    assert result["trust_policy"] == trust_of(sandbox) == HOLDS[state]


DIFFERS: dict[str, tuple[Json, list[str], Json]] = {
    "a list of one action": (
        policy(PARTNER, LIST_ACTION, LAMBDA),
        ["action_not_a_string"],
        policy(PARTNER, EC2, LAMBDA),
    ),
    "under a condition": (
        policy(CONDITIONAL),
        ["ec2_trust_conditional"],
        policy(CONDITIONAL, OURS),
    ),
    "a single statement without a list": (
        {"Version": "2012-10-17", "Id": "kept", "Statement": LAMBDA},
        ["ec2_trust_missing"],
        {"Version": "2012-10-17", "Id": "kept", "Statement": [LAMBDA, OURS]},
    ),
}


@pytest.mark.parametrize("state", DIFFERS)
def test_only_what_differs_is_changed(sandbox: Sandbox, run_module: Run, state: str) -> None:
    found, reasons, wanted = DIFFERS[state]
    make_role(sandbox, trust=found)
    result = converge(sandbox, run_module, MODULE, reasons, role=ROLE)
    assert after(result) == result["trust_policy"] == trust_of(sandbox) == wanted


ABSENT: dict[str, tuple[Json, Json]] = {
    "several at once": (policy(OURS, PARTNER, LIST_ACTION), policy(PARTNER)),
}


@pytest.mark.parametrize("state", ABSENT)
def test_absent_means_that_nothing_lets_ec2_in(
    sandbox: Sandbox, run_module: Run, state: str
) -> None:
    found, wanted = ABSENT[state]
    make_role(sandbox, trust=found)
    converge(sandbox, run_module, MODULE, ["ec2_trust_present"], role=ROLE, state="absent")
    assert trust_of(sandbox) == wanted


# --- which role -----------------------------------------------------------------------------------

NAMED: dict[str, Json] = {
    "by name": {"role": ROLE},
    "by the alias": {"role_name": ROLE},
    "by ARN": {"role": ROLE_ARN},
    "by ARN, in the account": {"role": ROLE_ARN, "account_id": ACCOUNT},
}


@pytest.mark.parametrize("how", NAMED)
def test_a_role_can_be_named(sandbox: Sandbox, run_module: Run, how: str) -> None:
    make_role(sandbox)
    assert run_module(MODULE, **NAMED[how])["role_arn"] == ROLE_ARN
    assert trust_of(sandbox) == policy(LAMBDA, OURS)


@pytest.mark.parametrize("is_registered", [True, False], ids=["registered", "by its name"])
def test_a_cloud_stands_for_its_role(
    sandbox: Sandbox, run_module: Run, is_registered: bool
) -> None:
    """The one that is registered for it at Anyscale, else the one that Anyscale created."""
    arn = make_role(sandbox, name="customers" if is_registered else DEFAULT_ROLE)
    assert register_cloud(sandbox, arn if is_registered else None) == CLOUD_ID
    assert run_module(MODULE, cloud_id=CLOUD_ID)["role_arn"] == arn


def test_a_role_with_a_path(sandbox: Sandbox, run_module: Run) -> None:
    arn = make_role(sandbox, Path="/ray/lab/")
    assert arn == f"arn:aws:iam::{ACCOUNT}:role/ray/lab/{ROLE}"
    assert (
        run_module(MODULE, role=arn)["role_arn"] == run_module(MODULE, role=ROLE)["role_arn"] == arn
    )


# --- refusals -------------------------------------------------------------------------------------


def test_numbers_of_unmanaged_statements_go_back_as_they_came(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sandbox keeps documents as Python's own json reads them, so that they are kept here."""
    numbers = "[1e999,1.50,12345678901234567890.123]"
    condition = f'{{"NumericLessThan":{{"aws:MultiFactorAuthAge":{numbers}}}}}'
    lambdas = json.dumps(LAMBDA, separators=(",", ":"))[:-1] + f',"Condition":{condition}}}'
    texts = [f'{{"Version":"2012-10-17","Statement":[{lambdas}]}}']
    call = AwsSession.call

    def keep(self: AwsSession, service: str, method: str, **arguments: t.Any) -> Json:
        texts.extend(filter(None, [arguments.get("PolicyDocument")]))
        answer = call(self, service, method, **arguments)
        if method == "get_role":
            answer["Role"]["AssumeRolePolicyDocument"] = _json.loads(texts[-1])
        return answer

    monkeypatch.setattr(AwsSession, "call", keep)
    make_role(sandbox)
    result = run_module(MODULE, role=ROLE)
    assert [lambdas in text for text in texts] == [True, True]
    assert "1e999" in result["diff"]["before"]
    returned = json.loads(json.dumps(result), parse_constant=pytest.fail)
    assert returned["previous"]["Statement"][0]["Condition"] == {
        "NumericLessThan": {"aws:MultiFactorAuthAge": ["1e999", 1.5, "12345678901234567890.123"]}
    }


def padded(characters: int) -> Json:
    """A trust policy of so many characters without white space."""
    document = policy({**PARTNER, "Sid": ""}, LAMBDA)
    document["Statement"][0]["Sid"] = "P" * (
        characters - len(json.dumps(document, separators=(",", ":")))
    )
    return document


OUR_LENGTH = len(json.dumps(OURS, separators=(",", ":"))) + len(",")


def nothing(sandbox: Sandbox) -> None:
    """No role at all."""


Arrange = t.Callable[[Sandbox], object]
REFUSALS: dict[str, tuple[Arrange, Json, tuple[str, ...]]] = {
    "role does not exist": (nothing, {"role": ROLE}, (ROLE, "does not exist", "Create it first")),
    "default role does not exist": (
        register_cloud,
        {"cloud_id": CLOUD_ID},
        (DEFAULT_ROLE, "does not exist"),
    ),
    "registered role does not exist": (
        lambda sandbox: register_cloud(sandbox, ROLE_ARN),
        {"cloud_id": CLOUD_ID},
        (ROLE, "does not exist"),
    ),
    "cloud does not exist": (nothing, {"cloud_id": CLOUD_ID}, (CLOUD_ID, "HTTP 404")),
    "registered role of another account": (
        lambda sandbox: register_cloud(sandbox, f"arn:aws:iam::{OTHER_ACCOUNT}:role/{ROLE}"),
        {"cloud_id": CLOUD_ID, "account_id": ACCOUNT},
        (OTHER_ACCOUNT, ACCOUNT, "account"),
    ),
    "role of another account": (
        make_role,
        {"role": f"arn:aws:iam::{OTHER_ACCOUNT}:role/{ROLE}", "account_id": ACCOUNT},
        (OTHER_ACCOUNT, ACCOUNT, "must be in the AWS account of its cloud"),
    ),
    "ARN of another account than the caller's": (
        make_role,
        {"role": f"arn:aws:iam::{OTHER_ACCOUNT}:role/{ROLE}"},
        (OTHER_ACCOUNT, ACCOUNT, "assume_role_arn"),
    ),
    "caller in another account": (
        make_role,
        {"role": ROLE, "account_id": OTHER_ACCOUNT},
        (OTHER_ACCOUNT, ACCOUNT, "assume_role_arn"),
    ),
    "ARN with another path": (
        lambda sandbox: make_role(sandbox, Path="/ray/"),
        {"role": ROLE_ARN},
        (ROLE_ARN, f"arn:aws:iam::{ACCOUNT}:role/ray/{ROLE}", "path"),
    ),
    "service-linked role": (
        lambda sandbox: make_role(sandbox, Path="/aws-service-role/batch.amazonaws.com/"),
        {"role": ROLE},
        (ROLE, "service-linked", "Set role"),
    ),
    "Deny for EC2": (
        lambda sandbox: make_role(sandbox, trust=policy(LAMBDA, DENY_EC2)),
        {"role": ROLE},
        ("NoInstances", "denies EC2"),
    ),
    "one character over the quota": (
        lambda sandbox: make_role(sandbox, trust=padded(2049 - OUR_LENGTH)),
        {"role": ROLE},
        ("2049", "2048", "quota_chars"),
    ),
    "over a quota that was given": (
        make_role,
        {"role": ROLE, "quota_chars": 200},
        ("200", "quota_chars"),
    ),
    "no other principal left": (
        lambda sandbox: make_role(sandbox, trust=policy(OURS)),
        {"role": ROLE, "state": "absent"},
        ("cannot be empty",),
    ),
    "a deleted principal": (
        lambda sandbox: (
            make_role(sandbox, FORMER),
            make_role(
                sandbox,
                trust=policy(
                    {**PARTNER, "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/{FORMER}"}}
                ),
            ),
            delete_role(sandbox, FORMER),
        ),
        {"role": ROLE},
        ("PartnerIngest", "AROA", "was deleted", "Remove it"),
    ),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_it_refuses(sandbox: Sandbox, run_module: Run, case: str) -> None:
    arrange, options, phrases = REFUSALS[case]
    arrange(sandbox)
    refused(sandbox, run_module, MODULE, *phrases, **options)


def test_the_statement_that_denies_is_returned(sandbox: Sandbox, run_module: Run) -> None:
    make_role(sandbox, trust=policy(LAMBDA, DENY_EC2))
    assert refused(sandbox, run_module, MODULE, role=ROLE)["error"]["statement"] == DENY_EC2


def test_a_policy_as_long_as_the_quota_is_written(sandbox: Sandbox, run_module: Run) -> None:
    make_role(sandbox, trust=padded(2048 - OUR_LENGTH))
    assert run_module(MODULE, role=ROLE)["changed"] is True
    assert len(json.dumps(trust_of(sandbox), separators=(",", ":"))) == 2048


def test_a_raised_quota_can_be_given(sandbox: Sandbox, run_module: Run) -> None:
    sandbox.settings(trust_quota=4096)
    make_role(sandbox, trust=padded(2049 - OUR_LENGTH))
    assert run_module(MODULE, role=ROLE, quota_chars=4096)["changed"] is True


def test_a_refusal_of_the_read_is_explained(sandbox: Sandbox, run_module: Run) -> None:
    make_role(sandbox)
    sandbox.fault(
        "GetRole",
        status=403,
        code="AccessDenied",
        message="is not authorized to perform: iam:GetRole",
        times=2,
    )
    result = refused(sandbox, run_module, MODULE, ROLE, "iam:GetRole", role=ROLE)
    request_id = result["error"].pop("request_id")
    assert len(request_id) == 36
    assert result["error"] == {"operation": "GetRole", "code": "AccessDenied", "status": 403}


WRITE_REFUSALS: dict[str, tuple[Json, tuple[str, ...]]] = {
    "AccessDenied": (
        {
            "status": 403,
            "code": "AccessDenied",
            "message": "explicit deny in a service control policy",
        },
        ("iam:Update",),
    ),
    "LimitExceeded": (
        {
            "status": 409,
            "code": "LimitExceeded",
            "message": "Cannot exceed quota for ACLSizePerRole: 1024",
        },
        ("quota",),
    ),
}


@pytest.mark.parametrize("code", WRITE_REFUSALS)
def test_a_refusal_of_the_write_is_explained(sandbox: Sandbox, run_module: Run, code: str) -> None:
    make_role(sandbox)
    fault, phrases = WRITE_REFUSALS[code]
    sandbox.fault(WRITE, **fault)
    result = failure(run_module(MODULE, role=ROLE))
    for phrase in (ROLE, fault["message"], *phrases):
        assert phrase in result["msg"]
    error = result["error"]
    assert (error["operation"], error["code"], error["status"]) == (WRITE, code, fault["status"])
    assert error["request_id"]
    assert trust_of(sandbox) == policy(LAMBDA)


# --- warnings -------------------------------------------------------------------------------------


def warned(result: Json, *phrases: str) -> bool:
    """Whether one warning has all phrases."""
    return any(all(phrase in warning for phrase in phrases) for warning in result["warnings"])


def anyscale_can_read(document: Json) -> bool:
    """Whether Anyscale's own check of a trust policy comes to a verdict."""
    try:
        verify_data_plane_role_assume_role_policy(document)
    except (AttributeError, KeyError):
        return False
    return True


UNREADABLE: dict[str, Json] = {
    "all but some": {
        "Sid": "Public",
        "Effect": "Allow",
        "NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
        "Action": "sts:AssumeRole",
    },
}


@pytest.mark.parametrize("kind", UNREADABLE)
def test_it_warns_where_anyscales_check_would_crash(
    sandbox: Sandbox, run_module: Run, kind: str
) -> None:
    make_role(sandbox, trust=policy(LAMBDA, UNREADABLE[kind]))
    for check in (True, False, False):
        result = run_module(MODULE, role=ROLE, check=check)
        assert warned(result, "Public", "anyscale cloud verify") is not anyscale_can_read(
            result["trust_policy"]
        )


def test_it_warns_of_a_condition_that_is_widened(sandbox: Sandbox, run_module: Run) -> None:
    make_role(sandbox, trust=policy(CONDITIONAL))
    for check in (True, False):
        assert warned(
            run_module(MODULE, role=ROLE, check=check),
            "OnlyThisAccount",
            "aws:SourceAccount",
            "a statement without one is added",
        )


OWNERS: dict[str, tuple[dict[str, str], str]] = {
    "Terraform": ({"tf_module": "anyscale", "tf_sub_module": "aws-anyscale-iam"}, "Terraform"),
}


@pytest.mark.parametrize("owner", OWNERS)
def test_it_warns_of_a_tool_that_owns_the_role(
    sandbox: Sandbox, run_module: Run, owner: str
) -> None:
    tags, shown = OWNERS[owner]
    make_role(sandbox, Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    for check in (True, False):
        assert warned(run_module(MODULE, role=ROLE, check=check), shown)


def test_it_does_not_warn_without_a_cause(sandbox: Sandbox, run_module: Run) -> None:
    make_role(sandbox, trust=policy(PARTNER, LAMBDA))
    assert run_module(MODULE, role=ROLE)["warnings"] == []


# --- other writers, slow and failing AWS ----------------------------------------------------------


def test_reads_may_lag_behind_the_write(sandbox: Sandbox, run_module: Run) -> None:
    make_role(sandbox)
    sandbox.settings(consistency_delay=1.0)
    assert run_module(MODULE, role=ROLE)["changed"] is True
    assert write_operations(sandbox) == [WRITE]
    assert trust_of(sandbox) == policy(LAMBDA, OURS)
    settled(sandbox, run_module, MODULE, role=ROLE)


PASSING: dict[str, Json] = {
    "another change is under way": {"status": 409, "code": "ConcurrentModification", "times": 2},
    "throttled": {"status": 400, "code": "Throttling"},
    "an error of the service": {"status": 500},
    "the answer is lost": {"after": True, "drop": True},
}


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_failure_is_outlasted(sandbox: Sandbox, run_module: Run, fault: str) -> None:
    make_role(sandbox)
    sandbox.fault(WRITE, **PASSING[fault])
    result = run_module(MODULE, role=ROLE)
    print(result)
    assert (result["changed"], result["reasons"]) == (True, ["ec2_trust_missing"])
    assert trust_of(sandbox) == policy(LAMBDA, OURS)
    assert sandbox.faults() == []


@pytest.fixture
def overwrite(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> t.Callable[..., None]:
    """Let another writer put these trust policies, one after each of our writes."""
    put = Iam.put_trust_policy

    def prepare(*documents: Json) -> None:
        coming = list(documents)

        def put_and_lose(self: Iam, role_name: str, document: Json) -> None:
            put(self, role_name, document)
            if coming:
                put_trust(sandbox, coming.pop(0))

        monkeypatch.setattr(Iam, "put_trust_policy", put_and_lose)
        # What was there before our write may also be an old answer: it is waited for, here not as
        # long as for AWS.
        monkeypatch.setattr(overwriting, "_VISIBLE_SECONDS", 0.5)

    return prepare


OTHER = {**LAMBDA, "Sid": "Newcomer"}
OVERWRITES: dict[str, tuple[Json, Json]] = {
    "ours wiped out": (policy(PARTNER, LAMBDA), policy(PARTNER, LAMBDA, OURS)),
    "ours and another wiped out": (policy(PARTNER), policy(PARTNER, LAMBDA, OURS)),
    "ours and that of another account wiped out": (policy(LAMBDA), policy(LAMBDA, OURS)),
    "ours replaced by a newcomer": (
        policy(PARTNER, LAMBDA, OTHER),
        policy(PARTNER, LAMBDA, OTHER, OURS),
    ),
}


def by_text(document: Json) -> list[str]:
    """The statements in a canonical order."""
    return sorted(json.dumps(statement, sort_keys=True) for statement in document["Statement"])


@pytest.mark.parametrize("case", OVERWRITES)
def test_nothing_is_lost_to_another_writer(
    sandbox: Sandbox, run_module: Run, overwrite: t.Callable[..., None], case: str
) -> None:
    make_role(sandbox, trust=policy(PARTNER, LAMBDA))
    written, wanted = OVERWRITES[case]
    overwrite(written)
    result = run_module(MODULE, role=ROLE)
    print(result)
    assert by_text(trust_of(sandbox)) == by_text(wanted) == by_text(result["trust_policy"])
    assert before(result) == result["previous"] == policy(PARTNER, LAMBDA)
    assert write_operations(sandbox) == [WRITE, WRITE]


def test_a_policy_that_was_replaced_as_a_whole_is_a_conflict(
    sandbox: Sandbox, run_module: Run, overwrite: t.Callable[..., None]
) -> None:
    make_role(sandbox, trust=policy(PARTNER, LAMBDA))
    overwrite(policy(OTHER))
    result = failure(run_module(MODULE, role=ROLE))
    assert "was replaced as a whole by another writer" in result["msg"]
    assert result["error"]["found"] == trust_of(sandbox) == policy(OTHER)
    assert by_text(result["error"]["expected"]) == by_text(policy(PARTNER, LAMBDA, OURS))
    assert write_operations(sandbox) == [WRITE]


def test_what_was_removed_deliberately_stays_removed(
    sandbox: Sandbox, run_module: Run, overwrite: t.Callable[..., None]
) -> None:
    make_role(sandbox, trust=policy(PARTNER, LAMBDA))
    overwrite(policy(LAMBDA, OURS))
    result = run_module(MODULE, role=ROLE)
    print(result)
    assert trust_of(sandbox) == result["trust_policy"] == policy(LAMBDA, OURS)
    assert warned(result, "PartnerIngest")
    assert write_operations(sandbox) == [WRITE]


def test_a_writer_that_never_stops_is_an_error(
    sandbox: Sandbox, run_module: Run, overwrite: t.Callable[..., None]
) -> None:
    make_role(sandbox, trust=policy(PARTNER, LAMBDA))
    overwrite(*[policy(PARTNER, {**LAMBDA, "Sid": f"Round{number}"}) for number in range(50)])
    result = failure(run_module(MODULE, role=ROLE))
    assert ROLE in result["msg"]
    assert "another writer" in result["msg"]
    assert len(write_operations(sandbox)) < 20


def test_what_was_written_while_this_was_held_up_is_kept(
    sandbox: Sandbox, run_module: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that resumes after seconds, to a policy that another writer has changed, reads it
    again first.
    """
    make_role(sandbox, trust=policy(PARTNER, LAMBDA))
    hold_up(
        monkeypatch, TrustPolicyStore, lambda: put_trust(sandbox, policy(PARTNER, LAMBDA, OTHER))
    )
    run_module(MODULE, role=ROLE)
    assert trust_of(sandbox) == policy(PARTNER, LAMBDA, OTHER, OURS)


# --- each reason that is documented ---------------------------------------------------------------

REASONS: dict[str, tuple[Json, Json, Json]] = {
    "ec2_trust_missing": (policy(LAMBDA), {}, {}),
    "ec2_trust_conditional": (policy(CONDITIONAL), {}, {}),
    "action_not_a_string": (policy(LIST_ACTION), {}, {}),
    "statement_differs": (policy({**OURS, "Condition": ONLY_HERE}), {}, {}),
    "unmanaged_statement_lost": (policy(LAMBDA, PARTNER), policy(PARTNER), {}),
    "ec2_trust_present": (policy(LAMBDA, OURS), {}, {"state": "absent"}),
}


@pytest.mark.parametrize("reason", REASONS)
def test_each_reason_occurs(
    sandbox: Sandbox, run_module: Run, overwrite: t.Callable[..., None], reason: str
) -> None:
    found, overwritten, options = REASONS[reason]
    make_role(sandbox, trust=found)
    if overwritten:
        overwrite(overwritten)
    assert reason in run_module(MODULE, role=ROLE, **options)["reasons"]


def test_each_documented_reason_has_a_case() -> None:
    assert documented_reasons(MODULE) == set(REASONS)
