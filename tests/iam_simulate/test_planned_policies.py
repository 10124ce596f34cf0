# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the collection says of random policies, and what it makes of them, judged by iam-simulate.

Left out are NotPrincipal, which it takes to except the sessions of a role or account that is named,
while AWS has each session named (https://docs.aws.amazon.com/IAM/latest/UserGuide/
reference_policies_elements_notprincipal.html); a star among services, which it takes for the name
of one; and under negated ARN operators values that are no ARN, of which it says that neither the
operator nor its opposite is met.
"""

from __future__ import annotations

import os
import typing as t

import pytest

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import (
    bucket_policy_plan,
    bucket_want,
    trust_policy_plan,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.plan import Plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_bucket_access import (
    BucketGrantPlanner,
    BucketWant,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.role_policy import (
    LiveRolePolicy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role, denies
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    ALLOWED,
    DENIED,
    Action,
    Identity,
    NamedPolicy,
    judge,
)
from ansible_collections.rayfleet.anyscale.tests.iam_simulate.random_policies import NOW, Maker
from ansible_collections.rayfleet.anyscale.tests.support.iam_simulate import (
    Request,
    answers,
    is_installed,
)
from ansible_collections.rayfleet.anyscale.tests.unit.plugins.module_utils._policy.builders import (
    ACCOUNT,
    ASSUME,
    BUCKET,
    BUCKET_ARN,
    ROLE,
    ROLE_ID,
    Document,
    allow,
    policy,
)

pytestmark = pytest.mark.skipif(
    not is_installed(), reason="iam-simulate is not installed: run `make judge`"
)
TIMES = int(os.environ.get("TIMES", "1"))  # as many policies; set by `make judge`
SEED = 1
TEAM_A = Role(ROLE, ACCOUNT, ROLE_ID)
PAIRS = bucket_want.Wanted(BUCKET, (TEAM_A,)).pairs()
OBJECT = f"{BUCKET_ARN}/some/key"
FULL_ACCESS = policy(allow(Action="*", Resource="*"))

Case = t.TypeVar("Case")


def disagreements(
    cases: t.Sequence[tuple[Case, bool, Request]],
) -> list[tuple[Case, bool, Request, str]]:
    """The cases in which iam-simulate does not answer what is expected: allowed or not."""
    found = answers([request for _case, _expected, request in cases])
    return [
        (case, expected, request, answer)
        for (case, expected, request), answer in zip(cases, found, strict=True)
        if (answer == "Allowed") is not expected
    ]


def on(resource: str) -> str:
    """A resource that a request names, of those that an ARN with a star stands for."""
    return resource.replace("/*", "/some/key")


def test_what_a_deny_does_to_the_role() -> None:
    make = Maker(SEED)
    verdicts: list[bool | None] = []
    cases = []
    for _number in range(2000 * TIMES):
        raw, pair = make.deny(), make.chance.choice(PAIRS)
        verdicts.append(denies(raw, TEAM_A, [pair], NOW))
        if verdicts[-1] is not None:
            grant = allow(Principal={"AWS": ROLE}, Action=pair[0], Resource=pair[1])
            session, context = make.request_of_cluster()
            request = Request(session, pair[0], on(pair[1]), context, policy(grant, raw))
            cases.append((raw, not verdicts[-1], request))
    assert disagreements(cases) == []
    assert min(map(verdicts.count, (True, False, None))) > len(verdicts) / 40


def test_what_the_roles_own_policies_allow() -> None:
    make = Maker(SEED)
    verdicts, cases = [], []
    for _number in range(1000 * TIMES):
        document, (action, resource) = make.identity_policy(), make.chance.choice(PAIRS)
        verdict = judge(
            Identity((NamedPolicy("own", document),)),
            Action(action, resource, TEAM_A.context(NOW, action)),
        ).answer
        verdicts.append(verdict)
        if verdict in (ALLOWED, DENIED):
            session, context = make.request_of_cluster()
            request = Request(session, action, on(resource), context, identity_policies=(document,))
            cases.append((document, verdict == ALLOWED, request))
    assert disagreements(cases) == []
    assert min(map(verdicts.count, (ALLOWED, DENIED))) > len(verdicts) / 20


@pytest.mark.parametrize("state", ["present", "absent"])
def test_access_to_the_bucket(state: str) -> None:
    make = Maker(SEED)
    roles, others = [], []
    for _number in range(200 * TIMES):
        document = make.bucket_policy()
        plan = bucket_plan(document, state)
        if plan is None:
            continue
        pair = make.chance.choice(PAIRS)
        session, context = make.request_of_cluster()
        request = Request(session, pair[0], on(pair[1]), context, plan.after)
        if state == "present" and not any("may deny" in warning for warning in plan.warnings):
            roles.append((document, True, request))
        if state == "absent" and not says_what_still_grants(plan):
            roles.append((document, False, request))
        others += unchanged(make, plan, pair[0], on(pair[1]))
    assert disagreements(roles) == []
    assert changed(others) == []
    assert len(roles) > 70


def test_a_role_is_taken_out_of_the_lists_of_conditions_at_the_cost_of_no_other_principal() -> None:
    make = Maker(SEED)
    roles, others = [], []
    for _number in range(200 * TIMES):
        document, pair = make.policy_that_lists_the_role(), make.chance.choice(PAIRS)
        plan = t.cast(Plan, bucket_plan(document, "absent"))
        others += unchanged(make, plan, pair[0], on(pair[1]))
        if not says_what_still_grants(plan):
            session, context = make.request_of_cluster()
            request = Request(session, pair[0], on(pair[1]), context, plan.after)
            roles.append((document, False, request))
    assert disagreements(roles) == []
    assert changed(others) == []
    assert len(roles) > 70


def test_a_role_that_moves_to_the_other_way_and_back_has_access_after_every_call() -> None:
    make = Maker(SEED)
    cases, moves = [], 0
    for _number in range(200 * TIMES):
        start, own = bucket_plan(make.bucket_policy(), "present"), make.identity_policy()
        states = [] if start is None else documents_of_moves(start, own)
        moves += bool(states)
        pair = make.chance.choice(PAIRS)
        for bucket, inline in states:
            session, context = make.request_of_cluster()
            request = Request(
                session, pair[0], on(pair[1]), context, bucket, (own, inline) if inline else (own,)
            )
            cases.append(((bucket, own, inline), True, request))
    assert disagreements(cases) == []
    assert moves > 20


@pytest.mark.parametrize("state", ["present", "absent"])
def test_the_right_to_assume_the_role(state: str) -> None:
    make = Maker(SEED)
    of_ec2, others = [], []
    for _number in range(200 * TIMES):
        document = make.trust_policy()
        wanted = trust_policy_plan.Wanted(state, quota_chars=10**6, now=NOW)
        try:
            plan = trust_policy_plan.decide(document, wanted)
        except TaskError:
            continue
        if not plan.warnings or (state == "present" and not may_deny(plan)):
            principal, context = make.request_of_ec2()
            request = Request(principal, ASSUME, ROLE, context, plan.after)
            of_ec2.append((document, state == "present", request))
        others += unchanged(make, plan, ASSUME, ROLE)
    assert disagreements(of_ec2) == []
    assert changed(others) == []
    assert len(of_ec2) > 70


def bucket_plan(document: Document, state: str) -> Plan | None:
    """The plan, unless a Deny is in its way."""
    wanted = bucket_want.Wanted(BUCKET, (TEAM_A,), state, now=NOW)
    try:
        return bucket_policy_plan.decide(document, wanted)
    except TaskError:
        return None


def documents_of_moves(start: Plan, own: Document) -> list[tuple[Document, Document | None]]:
    """The bucket's policy and the inline policy of ours after each call of a move to the role's own
    policies and back; none where a Deny is in its way.
    """
    live = LiveRolePolicy(
        "inline policy",
        policy(),
        policy_name="ours",
        role_arn=ROLE,
        role={"Arn": ROLE, "RoleId": ROLE_ID},
        own=Identity((NamedPolicy("own", own),)),
    )
    try:
        inline = BucketGrantPlanner(BucketWant(BUCKET)).plan(live)
        released = bucket_plan(start.after, "released")
    except TaskError:
        return []
    back = None if released is None else bucket_plan(released.after, "present")
    if released is None or back is None or may_deny(start) or may_deny(inline):
        return []
    ours = inline.after if statements_of(inline.after) else None
    return [
        (start.after, None),
        (start.after, ours),
        (released.after, ours),
        (back.after, ours),
        (back.after, None),
    ]


def says_what_still_grants(plan: Plan) -> bool:
    """Whether a plan names what may still give the role access: silence means that nothing does."""
    return any("still allow" in warning for warning in plan.warnings)


def may_deny(plan: Plan) -> bool:
    """Whether a plan warns that EC2 may be denied the role all the same."""
    return any("may deny" in warning for warning in plan.warnings)


def unchanged(
    make: Maker, plan: Plan, action: str, resource: str
) -> list[tuple[Document, Request, Request]]:
    """The same request of six other principals before and after: what one of another account may
    do is also up to its own policies, which allow it all.
    """
    if not plan.changed:
        return []
    found = []
    for principal, context in make.request_of_others():
        own = () if principal.endswith(".com") or f":{ACCOUNT}:" in principal else (FULL_ACCESS,)
        before, after = (
            Request(principal, action, resource, context, document, own)
            for document in (plan.before, plan.after)
        )
        found.append((plan.before, before, after))
    return found


def changed(cases: list[tuple[Document, Request, Request]]) -> list[tuple[t.Any, ...]]:
    """The cases in which the answers before and after differ."""
    before = answers([one for _document, one, _other in cases])
    after = answers([other for _document, _one, other in cases])
    return [
        (*case, was, now)
        for case, was, now in zip(cases, before, after, strict=True)
        if (was == "Allowed") is not (now == "Allowed")
    ]
