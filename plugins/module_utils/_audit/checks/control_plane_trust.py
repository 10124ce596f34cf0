# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The check on who may assume the role that Anyscale launches clusters with.

This module util is private to the collection. Pure: the facts in, the outcome out.
https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.auth import DEFAULT_HOST
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import partition_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Outcome,
    failed,
    not_applicable,
    passed,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import trust_policy_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.conditions import are_met
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    RawStatement,
    describe_statement,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import canonical
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.request_context import (
    RequestContext,
)

# Of console.anyscale.com, from the documentation of Anyscale and the variables of its module for Terraform.
# https://github.com/anyscale/terraform-aws-anyscale-cloudfoundation-modules
ANYSCALE_ACCOUNT = "525325868955"
_EXTERNAL_ID = "sts:externalid"


def control_plane_trust(facts: Facts) -> Outcome:
    """Whether Anyscale's account can assume the control-plane role, and only for this cloud."""
    arn = facts.control_plane_arn.get()
    if partition_of(arn) != "aws":
        raise not_applicable(
            f"No account of Anyscale is known in partition {partition_of(arn)}: it supports aws "
            "alone."
        )
    if facts.anyscale_host.startswith("https://") and facts.anyscale_host != DEFAULT_HOST:
        raise not_applicable(f"No account of the control plane {facts.anyscale_host} is known.")
    if facts.control_plane_role.get() is None:
        return failed(
            f"Role {arn}, which is registered as the cloud's control-plane role, does not exist.",
            "Create it, or register the cloud with another one.",
        )
    named = [
        (describe_statement(raw, index), raw)
        for index, raw in enumerate(statements_of(facts.control_plane_trust.get()))
    ]
    return _refused(facts, named) or _allowed(facts, named)


def _refused(facts: Facts, named: t.Sequence[tuple[str, RawStatement]]) -> Outcome | None:
    """The outcome where no Allow matters any more: Anyscale's own verification ends in a traceback,
    or a statement denies Anyscale the role.
    """
    unreadable = [where for where, raw in named if trust_policy_plan.breaks_anyscale_verify(raw)]
    if unreadable:
        return failed(
            f"'anyscale cloud verify' fails with a traceback at {unreadable[0]}: it expects a "
            "Principal that is a JSON object.",
            'Replace the Principal "*" by {"AWS": "*"}, and NotPrincipal by a Principal.',
            only_anyscale_verify=True,
        )
    denying = [(_is_met(facts, raw), where, raw) for where, raw in named if _denies_anyscale(raw)]
    for verdict, where, raw in sorted(denying, key=lambda one: one[0] is None):
        if verdict is not False:
            outcome, verb = (failed, "denies") if verdict else (warned, "may deny")
            return outcome(
                f"{where} of the trust policy of {facts.control_plane_arn.get()} {verb} Anyscale "
                "the role, which overrides every Allow.",
                "Remove that statement, or exclude Anyscale's account from it.",
                statement=raw,
            )
    return None


def _allowed(facts: Facts, named: t.Sequence[tuple[str, RawStatement]]) -> Outcome:
    arn, external_id = facts.control_plane_arn.get(), _external_id(facts)
    wanted = _wanted_statement(facts, external_id)
    remedy = _json.dumps(wanted, indent=2)
    allowing = [(_is_met(facts, raw), where, raw) for where, raw in named if _allows_anyscale(raw)]
    verdicts = {verdict: where for verdict, where, _raw in reversed(allowing)}
    if not allowing:
        return failed(
            f"The trust policy of {arn} does not allow Anyscale's account {ANYSCALE_ACCOUNT} "
            f"{trust_policy_plan.ACTION}, with that string as its Action: Anyscale cannot launch "
            "clusters. Add the statement in the remedy to it.",
            remedy,
            statement_to_add=wanted,
        )
    if True not in verdicts:
        outcome, is_met = (warned, "may not be") if None in verdicts else (failed, "is not")
        where = verdicts[None if None in verdicts else False]
        return outcome(
            f"{where} of the trust policy of {arn} allows Anyscale the role only under a "
            f"Condition, which {is_met} met: the external ID that is registered for the cloud is "
            f"{external_id or 'not known'}.",
            remedy,
        )
    unasked = [where for _verdict, where, raw in allowing if not _asks_for_external_id(raw)]
    if unasked and external_id:
        return warned(
            f"{unasked[0]} of the trust policy of {arn} allows Anyscale the role without an "
            "external ID: another customer of Anyscale could register this role. Replace it by "
            "the statement in the remedy.",
            remedy,
        )
    return passed(f"{verdicts[True]} allows Anyscale's account {ANYSCALE_ACCOUNT} the role.")


def _allows_anyscale(raw: RawStatement) -> bool:
    """Whether a statement names Anyscale's account, in the form that its verification reads."""
    return (
        raw["Effect"] == "Allow"
        and raw.get("Action") == trust_policy_plan.ACTION
        and ("AWS", ANYSCALE_ACCOUNT) in (canonical(raw).principals or ())
    )


def _denies_anyscale(raw: RawStatement) -> bool:
    """Whether a Deny is about Anyscale's account, if its conditions are met."""
    statement, account = canonical(raw), {("AWS", ANYSCALE_ACCOUNT), ("AWS", "*")}
    is_for_it = (
        bool(account.intersection(statement.principals))
        if statement.principals is not None
        else not account.intersection(statement.not_principals or ())
    )
    return (
        statement.effect == "Deny"
        and is_for_it
        and statement.includes_action(trust_policy_plan.ACTION)
    )


def _is_met(facts: Facts, raw: RawStatement) -> bool | None:
    """Whether Anyscale's request meets the conditions of a statement. Where no external ID is
    registered, Anyscale may send the one of its own template, the cloud's ID, but no other is known.
    """
    asks = _asks_for_external_id(raw)
    registered = _external_id(facts) if asks else ""
    external_id = registered or (facts.cloud_id if asks else None)
    context = RequestContext(
        "sts",
        {
            "aws:principalaccount": (ANYSCALE_ACCOUNT,),
            "aws:principalisawsservice": ("false",),
            "aws:securetransport": ("true",),
            **({_EXTERNAL_ID: (external_id,)} if external_id else {}),
        },
    )
    is_met = are_met(canonical(raw), context)
    return is_met or (is_met if registered or not asks else None)


def _asks_for_external_id(raw: RawStatement) -> bool:
    return any(key == _EXTERNAL_ID for _operator, key, _values in canonical(raw).conditions)


def _external_id(facts: Facts) -> str:
    """The external ID that is registered for the cloud; empty where there is none."""
    return str((facts.primary.get().get("aws_config") or {}).get("external_id") or "")


def _wanted_statement(facts: Facts, external_id: str) -> RawStatement:
    return {
        "Sid": "AnyscaleControlPlaneAssumeRole",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{ANYSCALE_ACCOUNT}:root"},
        "Action": trust_policy_plan.ACTION,
        "Condition": {"StringEquals": {"sts:ExternalId": external_id or facts.cloud_id}},
    }
