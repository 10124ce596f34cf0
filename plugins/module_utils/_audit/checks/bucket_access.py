# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks on whether the clusters' role and the role that Anyscale assumes have access to the
cloud's bucket: by the bucket's policy, or by the role's own policies.

This module util is private to the collection. Pure: each function takes the facts and returns the
outcome of its check. Where AWS and Anyscale's verification differ, the outcome says so: the latter
reads actions by their full names alone, and one side at a time.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-policy-language-overview.html
"""

from __future__ import annotations

import dataclasses
import functools
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils import _json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import account_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Fact,
    Outcome,
    failed,
    onboard,
    passed,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.wanted_bucket import (
    wanted_access,
    wanted_policy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    ACTIONS,
    Wanted,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.bucket_access import (
    VERIFIED_ACTIONS,
    Access,
    Pair,
    by_bucket_policy,
    by_identity,
    verified_by_bucket_policy,
    verified_by_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.conditions import (
    all_of,
    any_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import (
    Role,
    denies,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    describe_statement,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Action,
    Identity,
    judge,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.request_context import (
    RequestContext,
    control_plane_context,
)

_CONVERGE = onboard("s3_cloud_access")


@dataclasses.dataclass(frozen=True)
class _ControlPlaneRole(Role):
    """The role that Anyscale assumes, whose requests come from elsewhere than a cluster's."""

    def context(self, now: float, action: str, resource_account: str = "") -> RequestContext:
        """What is known of the control plane's requests."""
        service = action.partition(":")[0].lower()
        return control_plane_context(self.arn, resource_account or self.account_id, service, now)


@dataclasses.dataclass(frozen=True)
class _Asked:
    """Whose access is judged, to what, and by which documents. needed: of the pairs, those without
    which nothing works.
    """

    who: str
    role: Role
    bucket: str
    pairs: t.Sequence[Pair]
    document: Document
    arns: t.Mapping[str, str]
    own: Fact[Identity]
    now: float

    @property
    def needed(self) -> list[Pair]:
        """The pairs without which nothing works, also by Anyscale's verification."""
        return [pair for pair in self.pairs if pair[0] in VERIFIED_ACTIONS]

    @property
    def needed_actions(self) -> set[str]:
        """Their actions."""
        return {action for action, _resource in self.needed}


@dataclasses.dataclass(frozen=True)
class _Sides:
    """What each side allows; nothing is known of the role's own policies where they were not read
    and do not matter.
    """

    bucket: Access
    own: Access

    def either(self, pairs: t.Iterable[Pair]) -> dict[Pair, bool | None]:
        """What both sides together allow."""
        return {
            pair: any_of([self.bucket.verdicts[pair], self.own.verdicts[pair]]) for pair in pairs
        }

    def one_has_all(self, pairs: t.Sequence[Pair]) -> bool | None:
        """Whether one side alone allows it all."""
        return any_of(
            all_of(side.verdicts[pair] for pair in pairs) for side in (self.bucket, self.own)
        )

    def granted_by(self) -> dict[str, list[str]]:
        """The statements that allow an action, or may do so."""
        return {
            pair[0]: [
                name for side in (self.bucket, self.own) for name in side.granted_by.get(pair, ())
            ]
            for pair in self.bucket.verdicts
        }

    def sources(self) -> str:
        """What grants all, in words."""
        own, bucket = self.own.sources, self.bucket.sources
        if self.bucket.verdict or not own:
            return f"the bucket's policy ({', '.join(bucket)})"
        if self.own.verdict or not bucket:
            return ", ".join(own)
        return f"the bucket's policy ({', '.join(bucket)}) and {', '.join(own)}"


def bucket_access(facts: Facts) -> Outcome:
    """Whether the bucket's policy or the role's own policies grant the role what clusters need."""
    wanted, document = wanted_access(facts), facts.bucket_policy.get()
    asked = _Asked(
        "the role",
        wanted.roles[0],
        wanted.bucket,
        wanted.pairs(),
        document,
        wanted.arns,
        facts.identity,
        facts.now,
    )
    sides = _sides(asked)
    after = wanted_policy(document, wanted)
    evidence = {
        "bucket": asked.bucket,
        "role": asked.role.arn,
        "granted_by": sides.granted_by(),
        **({} if after == document else {"before": document, "after": after}),
    }
    problem = _problem(asked, sides)
    if problem:
        outcome, reason = problem
        return outcome(f"{facts.unregistered_bucket()} {reason}", _CONVERGE, **evidence)
    return _verification(asked, evidence) or _passed(asked, sides, evidence)


def control_plane_bucket_access(facts: Facts) -> Outcome:
    """Whether the role that Anyscale assumes has access to the bucket, by either side."""
    arn, role = facts.control_plane_arn.get(), facts.control_plane_role.get()
    if role is None or facts.control_plane == Fact(None):
        return failed(
            f"Role {arn}, which is registered as the cloud's control-plane role, does not exist.",
            "Create it, or register the cloud with another one.",
        )
    wanted = dataclasses.replace(wanted_access(facts), actions=ACTIONS, prefix="")
    asked = _Asked(
        f"the control-plane role {arn}",
        _ControlPlaneRole(arn, account_of(arn), role["RoleId"]),
        wanted.bucket,
        [pair for pair in wanted.pairs() if pair[0] in VERIFIED_ACTIONS],
        facts.bucket_policy.get(),
        {**wanted.arns, role["RoleId"]: arn},
        t.cast("Fact[Identity]", facts.control_plane),
        facts.now,
    )
    denied = _denied(asked)
    if denied:
        return denied
    sides = _sides(asked)
    evidence = {
        "bucket": asked.bucket,
        "role": arn,
        "granted_by": sides.granted_by(),
    }
    problem = _problem(asked, sides)
    if problem:
        return _control_plane_problem(facts, problem, wanted, evidence)
    return _verification(asked, evidence) or _passed(asked, sides, evidence)


def _control_plane_problem(
    facts: Facts,
    problem: tuple[t.Callable[..., Outcome], str],
    wanted: Wanted,
    evidence: t.Mapping[str, t.Any],
) -> Outcome:
    """Access is added to the registered bucket alone: any other one is probably a mistake."""
    outcome, reason = problem
    unregistered = facts.unregistered_bucket()
    if unregistered:
        registered = facts.registered_bucket.get()
        remedy = f"Set cloud_iam_bucket (the module's option bucket) to {registered}."
        return outcome(f"{unregistered} {reason}", remedy, **evidence)
    statement = {
        "Sid": "AnyscaleBucketAccess",
        "Effect": "Allow",
        "Action": list(wanted.actions),
        "Resource": [wanted.bucket_arn, f"{wanted.bucket_arn}/*"],
    }
    return outcome(
        f"{reason} Add the statement in the remedy to a policy of that role.",
        _json.dumps(statement, indent=2),
        **evidence,
        statement_to_add=statement,
    )


def _sides(asked: _Asked) -> _Sides:
    in_bucket = by_bucket_policy(asked.document, asked.role, asked.pairs, asked.arns, asked.now)
    if in_bucket.verdict and not asked.own.is_known:
        return _Sides(in_bucket, Access(dict.fromkeys(asked.pairs, None)))
    own = by_identity(asked.own.get(), asked.role, asked.pairs, asked.now, asked.role.account_id)
    return _Sides(in_bucket, own)


def _problem(asked: _Asked, sides: _Sides) -> tuple[t.Callable[..., Outcome], str] | None:
    """The outcome and its reason where something is missing."""
    needed = sides.either(asked.needed)
    missing = [action for (action, _resource), verdict in needed.items() if verdict is False]
    neither = f"Neither the policy of bucket {asked.bucket} nor its own policies grant {asked.who}"
    if missing:
        return failed, f"{neither} {', '.join(missing)}."
    if sides.one_has_all(asked.needed) is False:
        return functools.partial(failed, only_anyscale_verify=True), (
            f"The policy of bucket {asked.bucket} and its own policies grant {asked.who} access "
            "only together, which 'anyscale cloud verify' does not find: it looks at each alone."
        )
    if sides.one_has_all(asked.needed) is None:
        return warned, (
            f"Whether {asked.who} has access to bucket {asked.bucket} depends on a condition: "
            f"{_uncertain(sides)}."
        )
    others = [
        action for (action, _resource), verdict in sides.either(asked.pairs).items() if not verdict
    ]
    if others:
        return warned, (
            f"{neither} {', '.join(others)} without a condition, which cloud_iam_bucket_actions (the "
            "module's option bucket_actions) asks for. Clusters start without that."
        )
    return None


def _uncertain(sides: _Sides) -> str:
    """The statements that grant something without doing so for sure."""
    return ", ".join(
        dict.fromkeys(
            name
            for side in (sides.bucket, sides.own)
            for pair in side.missing
            for name in side.granted_by.get(pair, ())
        )
    )


def _verification(asked: _Asked, evidence: dict[str, t.Any]) -> Outcome | None:
    """The outcome where the role has access, and Anyscale's verification does not find it."""
    actions = asked.needed_actions
    in_bucket = verified_by_bucket_policy(asked.document, asked.role.arn, actions)
    if in_bucket is None:
        where = next(
            describe_statement(raw, index)
            for index, raw in enumerate(statements_of(asked.document))
            if raw["Effect"] == "Allow" and "Principal" not in raw
        )
        return warned(
            f"There is access for {asked.who}, but 'anyscale cloud verify' fails with a traceback at "
            f"{where}, which has no Principal.",
            "Replace its NotPrincipal by a Principal that names whom it allows.",
            **evidence,
        )
    own = asked.own.value
    if in_bucket or (own and verified_by_identity(own, asked.bucket, actions)):
        return None
    return warned(
        f"There is access for {asked.who}, but not in a form that 'anyscale cloud verify' finds: it "
        "looks for the role by its ARN, and for actions by their full names or s3:*.",
        _CONVERGE if "after" in evidence else "Name the actions in that statement, and the role.",
        **evidence,
    )


def _passed(asked: _Asked, sides: _Sides, evidence: dict[str, t.Any]) -> Outcome:
    if "after" in evidence:
        return warned(
            f"There is access for {asked.who}, but the collection's statement in the policy of "
            f"bucket {asked.bucket} has drifted, or is missing some of it.",
            _CONVERGE,
            **evidence,
        )
    return passed(
        f"All that is needed of bucket {asked.bucket} is granted to {asked.who} by "
        f"{sides.sources()}.",
        **evidence,
    )


def _denied(asked: _Asked) -> Outcome | None:
    """The outcome where a statement denies the access, on either side."""
    found = [
        (verdict, f"{describe_statement(raw, index)} of the policy of bucket {asked.bucket}", raw)
        for index, raw in enumerate(statements_of(asked.document))
        for verdict in [denies(raw, asked.role, asked.pairs, asked.now)]
    ]
    found += [
        (place.applies, str(place), place.raw)
        for action, resource in asked.pairs
        for place in judge(
            asked.own.get(), Action(action, resource, asked.role.context(asked.now, action))
        ).statements
        if place.effect == "Deny"
    ]
    for verdict, where, raw in sorted(found, key=lambda one: one[0] is None):
        if verdict is not False:
            outcome, verb = (failed, "denies") if verdict else (warned, "may deny")
            return outcome(
                f"{where} {verb} {asked.who} access to the bucket.",
                "Exclude the role from that statement.",
                statement=raw,
            )
    return None
