# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks on the role: its trust policy, for AWS and for 'anyscale cloud verify', its account
and its permissions boundary.

This module util is private to the collection. Pure: each function takes the facts and returns the
outcome of its check. https://docs.anyscale.com/iam/manage-iam-roles
"""

from __future__ import annotations

import sys
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    ec2_service,
    partition_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    FAIL,
    PASS,
    Outcome,
    failed,
    not_applicable,
    onboard,
    passed,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import trust_policy_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    Wanted,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
    as_list,
    describe_statement,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    ALLOWED,
    DENIED,
    Action,
    Identity,
    judge,
)

_CONVERGE = onboard("iam_trust_ec2")
# What 'anyscale cloud verify' looks for, in every partition.
_VERIFIED_SERVICE = "ec2.amazonaws.com"


def trust_ec2(facts: Facts) -> Outcome:
    """Whether EC2 can assume the role, by the rules of AWS."""
    if facts.role.get() is None:
        return failed(
            f"Role {facts.role_wanted.get()} does not exist in account {facts.account_id}.",
            "Create it, or set cloud_iam_role (the module's option role) to the role that clusters "
            "should run with.",
        )
    named = [
        (describe_statement(raw, index), raw)
        for index, raw in enumerate(statements_of(facts.trust.get()))
    ]
    denying = _denying(named, facts)
    if denying and denying.status == FAIL:
        return denying
    allowing = _allowing(named, facts)
    return denying or allowing if allowing.status == PASS else allowing


def _allowing(named: t.Iterable[tuple[str, RawStatement]], facts: Facts) -> Outcome:
    """The outcome for the statement that allows EC2 the role most surely."""
    service = ec2_service(partition_of(facts.live_role()["Arn"]))
    allowing = [
        (_meets_condition(raw, facts), where)
        for where, raw in named
        if trust_policy_plan.allows(raw, service)
    ]
    verdicts = dict(reversed(allowing))  # the first statement of each verdict
    if True in verdicts:
        return passed(f"{verdicts[True]} allows EC2 to assume the role.")
    change = _change(facts)
    if None in verdicts:
        reason = (
            f"{verdicts[None]} allows EC2 to assume the role only under a Condition, which may not "
            "be met for every cluster."
        )
        return warned(reason, _CONVERGE, **change)
    if False in verdicts:
        reason = (
            f"{verdicts[False]} allows EC2 to assume the role only under a Condition, which EC2 "
            "does not meet."
        )
        return failed(reason, _CONVERGE, **change)
    return failed(
        "No statement of the trust policy allows EC2 to assume the role.", _CONVERGE, **change
    )


def _meets_condition(raw: RawStatement, facts: Facts) -> bool | None:
    partition = partition_of(facts.live_role()["Arn"])
    return trust_policy_plan.condition_is_met(raw, partition, facts.now)


def _denying(named: t.Iterable[tuple[str, RawStatement]], facts: Facts) -> Outcome | None:
    """The outcome for the statement that denies EC2 the role, or that may: the first that does."""
    partition = partition_of(facts.live_role()["Arn"])
    verdicts = [
        (trust_policy_plan.denies(raw, partition, facts.now), where, raw) for where, raw in named
    ]
    for verdict, where, raw in sorted(verdicts, key=lambda one: one[0] is None):
        if verdict:
            return failed(
                f"{where} of the trust policy denies EC2 sts:AssumeRole, which overrides every "
                "Allow.",
                "Remove that statement, or give it a Condition that excludes EC2.",
                statement=raw,
            )
        if verdict is None:
            return warned(
                f"{where} of the trust policy may deny EC2 sts:AssumeRole: that depends on the "
                "request.",
                "Exclude EC2, by all its names, from that statement.",
                statement=raw,
            )
    return None


def trust_anyscale_verify(facts: Facts) -> Outcome:
    """Whether 'anyscale cloud verify' accepts the trust policy: its rules are narrower than those
    of AWS.
    """
    role = facts.live_role()
    raws = statements_of(facts.trust.get())
    change = _change(facts)
    unreadable = [
        describe_statement(raw, index)
        for index, raw in enumerate(raws)
        if trust_policy_plan.breaks_anyscale_verify(raw)
    ]
    if unreadable:
        return failed(
            f"'anyscale cloud verify' fails with a traceback at {unreadable[0]}: it expects a "
            "Principal that is a JSON object.",
            'Replace the Principal "*" by {"AWS": "*"}, and NotPrincipal by a Principal.',
            **change,
        )
    if not any(_is_accepted(raw) for raw in raws):
        _expect_verified_service(role["Arn"], raws)
        return failed(
            "'anyscale cloud verify' does not accept the trust policy: it expects a statement that "
            f"allows EC2, with the string {trust_policy_plan.ACTION!r} as its Action.",
            _CONVERGE,
            **change,
        )
    if facts.control_plane_arn.value == role["Arn"]:
        return warned(
            "The role is also the cloud's control-plane role: 'anyscale cloud register' rewrites "
            "all statements of its trust policy, with an external ID that EC2 does not send.",
            "Set cloud_iam_role (the module's option role) to a role that only clusters use.",
        )
    return passed("'anyscale cloud verify' accepts the trust policy.")


def _expect_verified_service(role_arn: str, raws: t.Iterable[RawStatement]) -> None:
    """Raise where only the name that EC2 has in the partition keeps Anyscale from accepting it: the
    role must trust that name, and nothing here would make both right.
    """
    partition = partition_of(role_arn)
    service = ec2_service(partition)
    if service != _VERIFIED_SERVICE and any(_is_accepted(raw, service) for raw in raws):
        raise not_applicable(
            f"'anyscale cloud verify' knows EC2 as {_VERIFIED_SERVICE} alone. In {partition}, which "
            f"Anyscale does not support, it is {service}."
        )


def role_account(facts: Facts) -> Outcome:
    """Whether the role and the control-plane role are in the cloud's account."""
    cloud_account = facts.cloud_account.get()
    arns = {"role": str(facts.role_wanted.get().arn or facts.live_role()["Arn"])}
    if facts.control_plane_arn.is_known:
        arns["control-plane role"] = facts.control_plane_arn.get()
    for kind, arn in arns.items():
        if account_of(arn) != cloud_account:
            return failed(
                f"The {kind} {arn} is in account {account_of(arn)}; the cloud is in account "
                f"{cloud_account}.",
                "All roles of a cloud must be in its AWS account: set cloud_iam_role (the module's "
                "option role) to a role there, or correct cloud_iam_account_id.",
                arns=arns,
                cloud_account=cloud_account,
            )
    return passed(f"{facts.live_role()['Arn']} is in the cloud's account {cloud_account}.")


def permissions_boundary(facts: Facts) -> Outcome:
    """Whether the role's permissions boundary, where it has one, allows what the bucket's policy
    grants.
    """
    boundary, role = facts.boundary.get(), facts.principal()
    if boundary is None:
        return passed("The role has no permissions boundary.")
    answers = {
        name: judge(
            Identity((boundary,)), Action(name, resource, role.context(facts.now, name))
        ).answer
        for name, resource in _wanted_of_bucket(facts).pairs()
    }
    evidence: dict[str, t.Any] = {"boundary": boundary.name, "actions": answers}
    denied = [name for name, answer in answers.items() if answer == DENIED]
    if denied:
        return failed(
            f"The permissions boundary {boundary.name} does not allow {', '.join(denied)}, which "
            "also limits what the bucket's policy grants to the role.",
            "Allow these actions on the cloud's bucket in the boundary, or remove the boundary "
            "from the role.",
            **evidence,
        )
    if any(answer != ALLOWED for answer in answers.values()):
        return warned(
            f"The permissions boundary {boundary.name} allows the cloud's bucket only under "
            "conditions.",
            **evidence,
        )
    return passed(
        f"The permissions boundary {boundary.name} allows what clusters need of the bucket.",
        **evidence,
    )


def _wanted_of_bucket(facts: Facts) -> Wanted:
    role = facts.principal()
    return Wanted(
        facts.bucket.get(),
        (role,),
        partition=partition_of(role.arn),
        actions=facts.bucket_actions,
        prefix=facts.bucket_prefix,
    )


def wanted_trust(facts: Facts) -> Document | None:
    """The trust policy as the collection would write it; ``None`` where it refuses to."""
    partition = partition_of(facts.live_role()["Arn"])
    try:
        return trust_policy_plan.decide(
            facts.trust.get(),
            trust_policy_plan.Wanted(partition=partition, quota_chars=sys.maxsize, now=facts.now),
        ).after
    except TaskError:
        return None


def _change(facts: Facts) -> dict[str, t.Any]:
    """The policy as it is and as the collection would write it, where these differ."""
    before, after = facts.trust.get(), wanted_trust(facts)
    return {} if after is None or after == before else {"before": before, "after": after}


def _is_accepted(raw: RawStatement, service: str = _VERIFIED_SERVICE) -> bool:
    principal = raw.get("Principal")
    services = as_list(principal.get("Service")) if isinstance(principal, dict) else []
    return (
        raw["Effect"] == "Allow"
        and raw.get("Action") == trust_policy_plan.ACTION
        and service in services
    )
