# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks of a role: who may assume it, whose it is, and what its boundary leaves it."""

from __future__ import annotations

import pytest
from anyscale.util import verify_data_plane_role_assume_role_policy

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    RoleReference,
    parse_role,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._audit.facts_builder import (
    GONE,
    PROFILE_NAME,
    REFUSED,
    TRUST,
    Json,
    Row,
    assert_verdict,
    checks_of,
    facts,
    named,
    role,
    rows_of,
    trusting,
    verdict,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    ASSUME,
    BUCKET_ARN,
    CONTROL,
    EC2,
    LAMBDA,
    OBJECTS_ARN,
    OTHER_ACCOUNT,
    ROLE,
    ROLE_B,
    TRUST_LAMBDA,
    TRUST_OF_THE_CLI,
    allow,
    deny,
    policy,
)

BOUNDARY = {
    "PermissionsBoundary": {"PermissionsBoundaryArn": f"arn:aws:iam::{ACCOUNT}:policy/boundary"}
}
ELSEWHERE_ARN = ROLE.replace(ACCOUNT, OTHER_ACCOUNT)


def bounded(*raws: Json) -> Json:
    """The role's boundary."""
    return {"role": Fact(role(**BOUNDARY)), "boundary": Fact(named(*raws, name="boundary"))}


# By check: what is the case, the facts that differ, the status, and words of the reason.
TABLE: dict[str, dict[str, Row]] = {
    "trust_ec2": {
        "a statement of the CLI": ({"trust": Fact(TRUST_OF_THE_CLI)}, "pass", "Statement 1"),
        "a list as Action, which AWS takes": (trusting({**TRUST, "Action": [ASSUME]}), "pass", ""),
        "one statement with a Condition and one without": (
            trusting({**TRUST, "Condition": {"Bool": {"a:b": "true"}}}, TRUST),
            "pass",
            "Statement 2",
        ),
        "another service alone": (trusting(TRUST_LAMBDA), "fail", "No statement"),
        "a Condition": (
            trusting({**TRUST, "Condition": {"Bool": {"a:b": "true"}}}),
            "warn",
            "only under a Condition, which may not be met",
        ),
        "a Condition that every cluster meets": (
            trusting(
                {**TRUST, "Condition": {"Bool": {"aws:SecureTransport": "true"}}},
                {**TRUST, "Condition": {"Bool": {"a:b": "true"}}},
            ),
            "pass",
            "Statement 1",
        ),
        "a Condition that no cluster meets": (
            trusting({**TRUST, "Condition": {"StringEquals": {"sts:ExternalId": "x"}}}),
            "fail",
            "only under a Condition, which EC2 does not meet",
        ),
        "a Condition that is over": (
            trusting({**TRUST, "Condition": {"DateLessThan": {"aws:CurrentTime": "2020-01-01"}}}),
            "fail",
            "which EC2 does not meet",
        ),
        "a Deny": (
            trusting(TRUST, deny(Principal="*", Action="sts:*")),
            "fail",
            "Statement 2 (without a Sid) of the trust policy denies",
        ),
        "a Deny under a Condition": (
            trusting(TRUST, deny(Principal="*", Action="*", Condition={"Bool": {"a:b": "true"}})),
            "warn",
            "may deny",
        ),
        "no such role": (
            {"role": GONE},
            "fail",
            f"Role {ROLE} does not exist in account {ACCOUNT}",
        ),
    },
    "trust_anyscale_verify": {
        "a list as Action": (
            trusting({**TRUST, "Action": [ASSUME]}),
            "fail",
            "the string 'sts:AssumeRole'",
        ),
        "a Condition": (trusting({**TRUST, "Condition": {"Bool": {"a:b": "true"}}}), "pass", ""),
        "everybody": (
            trusting(TRUST, allow(Principal="*", Action=ASSUME)),
            "fail",
            "traceback at Statement 2",
        ),
        "all but one role": (
            trusting(allow(NotPrincipal={"AWS": ROLE_B}, Action=ASSUME), TRUST),
            "fail",
            "traceback at Statement 1",
        ),
        "a Deny of all but one role": (
            trusting(TRUST, deny(NotPrincipal={"AWS": ROLE_B}, Action=ASSUME)),
            "pass",
            "",
        ),
        "the control plane's own role": (
            {"control_plane_arn": Fact(ROLE)},
            "warn",
            "control-plane role",
        ),
        "no such role": ({"role": GONE}, "not_applicable", "does not exist"),
    },
    "role_account": {
        "the role elsewhere": (
            {"role_wanted": Fact(parse_role(ELSEWHERE_ARN)), "role": REFUSED},
            "fail",
            f"is in account {OTHER_ACCOUNT}",
        ),
        "the control plane elsewhere": (
            {"control_plane_arn": Fact(CONTROL.replace(ACCOUNT, OTHER_ACCOUNT))},
            "fail",
            "control-plane role",
        ),
        "a role by its name": ({"role_wanted": Fact(RoleReference(PROFILE_NAME))}, "pass", ROLE),
        "no such role": ({"role": GONE}, "not_applicable", "does not exist"),
    },
    "permissions_boundary": {
        "all of S3": (
            bounded(allow(Action="s3:*", Resource="*")),
            "pass",
            "allows what clusters need",
        ),
        "the bucket alone": (
            bounded(allow(Action="s3:*", Resource=[BUCKET_ARN, OBJECTS_ARN])),
            "pass",
            "",
        ),
        "reading alone": (
            bounded(allow(Action=["s3:Get*", "s3:List*"], Resource="*")),
            "fail",
            "s3:PutObject, s3:DeleteObject",
        ),
        "a part of the objects": (
            bounded(allow(Action="s3:*", Resource=[BUCKET_ARN, f"{BUCKET_ARN}/a/*"])),
            "warn",
            "under conditions",
        ),
        "a Deny": (
            bounded(allow(Action="*", Resource="*"), deny(Action="s3:Delete*", Resource="*")),
            "fail",
            "s3:DeleteObject",
        ),
        "one that is refused": (
            {"role": Fact(role(**BOUNDARY)), "boundary": REFUSED},
            "unknown",
            "refused",
        ),
    },
}
ROWS = rows_of(TABLE)


@pytest.mark.parametrize(("check", "changes", "status", "words"), ROWS.values(), ids=list(ROWS))
def test_verdicts(check: str, changes: Json, status: str, words: str) -> None:
    assert_verdict(check, changes, status, words)


def test_each_check_has_rows() -> None:
    assert set(TABLE) == checks_of("role")


TRUSTS = {
    "the CLI's own": TRUST_OF_THE_CLI,
    "a list as Action": policy({**TRUST, "Action": [ASSUME]}),
    "a wildcard": policy({**TRUST, "Action": "sts:*"}),
    "China's name of the service": policy({**TRUST, "Principal": {"Service": f"{EC2}.cn"}}),
    "services in a list": policy({**TRUST, "Principal": {"Service": [LAMBDA, EC2]}}),
    "another service": policy(TRUST_LAMBDA),
    "a Condition": policy({**TRUST, "Condition": {"Bool": {"a:b": "true"}}}),
    "everybody beside it": policy(TRUST, allow(Principal="*", Action=ASSUME)),
    "everybody by kind beside it": policy(TRUST, allow(Principal={"AWS": "*"}, Action=ASSUME)),
    "everybody for another action beside it": policy(
        TRUST, allow(Principal="*", Action="sts:TagSession")
    ),
    "everybody for a list of actions beside it": policy(
        TRUST, allow(Principal="*", Action=[ASSUME])
    ),
    "all but one role beside it": policy(TRUST, allow(NotPrincipal={"AWS": ROLE_B}, Action=ASSUME)),
    "all but one role denied": policy(TRUST, deny(NotPrincipal={"AWS": ROLE_B}, Action=ASSUME)),
    "no statement": policy(),
}


@pytest.mark.parametrize("document", TRUSTS.values(), ids=list(TRUSTS))
def test_the_check_predicts_anyscales_verdict(document: Json) -> None:
    """By the function that 'anyscale cloud verify' itself calls."""
    one = verdict("trust_anyscale_verify", facts(trust=Fact(document)))
    try:
        assert (one["status"] == "pass") is verify_data_plane_role_assume_role_policy(document)
        assert "traceback" not in one["reason"]
    except (AttributeError, KeyError):
        assert "traceback" in one["reason"]
