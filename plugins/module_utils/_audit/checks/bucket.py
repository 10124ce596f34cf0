# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks on the cloud's bucket: whose it is, where it is, and whether the role can use it.

This module util is private to the collection. Pure: each function takes the facts and returns what
the check comes to.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-policy-language-overview.html
"""

from __future__ import annotations

import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import partition_of
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Outcome,
    failed,
    passed,
    unknown,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge import bucket_policy_plan
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_policy_plan import (
    Wanted,
    grants,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import TaskError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.conditions import (
    all_of,
    any_of,
    are_met,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role, denies
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    RawStatement,
    describe_statement,
    statement_name,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.equality import canonical
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    BY_ANSWER,
    Action,
    MatchedStatement,
    judge,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    document_unique_ids,
    statement_unique_ids,
)

_CONVERGE = "Run rayfleet.anyscale.s3_cloud_access."


def bucket_access(facts: Facts) -> Outcome:
    """Whether the bucket's policy, statement by statement, gives the role all that clusters need."""
    wanted, document = wanted_access(facts), facts.bucket_policy.get()
    role = wanted.roles[0]
    named = [(statement_name(raw, index), raw) for index, raw in enumerate(statements_of(document))]
    granted_by = {
        action: [name for name, raw in named if grants(raw, role, action, resource, wanted.arns)]
        for action, resource in wanted.pairs()
    }
    evidence = {
        "bucket": wanted.bucket,
        "role": role.arn,
        "granted_by": granted_by,
        **_change(document, wanted),
    }
    missing = [pair for pair in wanted.pairs() if not granted_by[pair[0]]]
    if not missing:
        return _as_seen_by_others(document, wanted, evidence)
    held = all_of(_held(facts, wanted, action, resource) for action, resource in missing)
    what = (
        f"The policy of bucket {wanted.bucket} does not give the role "
        f"{', '.join(action for action, _resource in missing)} by name"
    )
    if held:
        return warned(
            f"{what}; a wildcard there or the role's own policies do.", _CONVERGE, **evidence
        )
    if held is None:
        return warned(f"{what}; others may, under a condition.", _CONVERGE, **evidence)
    return failed(f"{what}, nor does anything else.", _CONVERGE, **evidence)


def bucket_deny(facts: Facts) -> Outcome:
    """Whether a statement that denies, in the bucket's policy or the role's own, takes the bucket
    from the role.
    """
    wanted = wanted_access(facts)
    role = wanted.roles[0]
    found = [
        (
            denies(raw, role, wanted.pairs()),
            f"{describe_statement(raw, index)} of the policy of bucket {wanted.bucket}",
            raw,
        )
        for index, raw in enumerate(statements_of(facts.bucket_policy.get()))
    ]
    surely = _denied([one for one in found if one[0]])
    if surely:
        return surely
    own = [
        (place.applies, str(place), place.raw)
        for action, resource in wanted.pairs()
        for place in _own_places(facts, action, resource)
        if place.effect == "Deny"
    ]
    surely = _denied([one for one in own if one[0]])
    if surely:
        return surely
    perhaps = [(where, raw) for verdict, where, raw in (*found, *own) if verdict is None]
    if perhaps:
        where, raw = perhaps[0]
        return warned(
            f"{where} may deny the role the bucket: that depends on each request.",
            "Check it on a running cluster.",
            statement=raw,
        )
    return passed("No statement denies the role the bucket.")


def bucket_account(facts: Facts) -> Outcome:
    """Whether the bucket is there, and in the cloud's account."""
    bucket, account_id = facts.bucket.get(), facts.cloud_account.get()
    if facts.bucket_region.is_not_applicable:
        return failed(
            f"Bucket {bucket} is not in account {facts.account_id}.",
            "Name the cloud's own bucket: names are shared by all accounts, and what clusters "
            "write there would be another's.",
        )
    if not facts.bucket_policy.is_known and facts.bucket_region.get() is None:
        return failed(f"There is no bucket {bucket}.", "Make it, or name the cloud's bucket.")
    if facts.account_id != account_id:
        return failed(
            f"Bucket {bucket} is in account {facts.account_id}; the cloud is in account "
            f"{account_id}."
        )
    registered = facts.registered_bucket.value
    if registered not in (None, bucket):
        return warned(
            f"{bucket} was looked at; the cloud's clusters use {registered}.",
            "Put bucket right, or leave it out.",
        )
    return passed(f"Bucket {bucket} is in account {account_id}, the cloud's.")


def bucket_region(facts: Facts) -> Outcome:
    """Whether the bucket is in the region of the cloud."""
    bucket, region, primary = (
        facts.bucket.get(),
        facts.existing_bucket_region(),
        facts.primary.get(),
    )
    registered = (primary.get("object_storage") or {}).get("region") or primary.get("region")
    if primary.get("region") is None:
        raise unknown("Anyscale does not tell the cloud's region.", "Look at 'anyscale cloud get'.")
    evidence = {
        "bucket_region": region,
        "cloud_region": primary.get("region"),
        "registered_region": registered,
    }
    if region == primary.get("region"):
        return passed(f"Bucket {bucket} is in {region}, as the cloud is.", **evidence)
    if region == registered:
        reason = (
            f"Bucket {bucket} is in {region}, as registered; the cloud is in "
            f"{primary.get('region')}."
        )
        return warned(
            reason,
            "Transfer between regions is slow and costs: give the cloud a bucket in its region.",
            **evidence,
        )
    return failed(
        f"Bucket {bucket} is in {region}, not in {registered}.",
        "Give the cloud a bucket in its region.",
        **evidence,
    )


def bucket_dangling_principals(facts: Facts) -> Outcome:
    """Whether the bucket's policy names principals that were deleted: S3 then refuses every change
    to it.
    """
    document = facts.bucket_policy.get()
    shown = document_unique_ids(document)
    gone = shown - set(facts.principals.get()) if shown else set()
    if not gone:
        return passed("The bucket's policy names no deleted principal.")
    places = {
        describe_statement(raw, index): sorted(gone.intersection(statement_unique_ids(raw)))
        for index, raw in enumerate(statements_of(document))
        if gone.intersection(statement_unique_ids(raw))
    }
    return warned(
        f"{', '.join(places)} of the bucket's policy name {', '.join(sorted(gone))}, which no "
        "role or user of this account has: S3 "
        "refuses every change of a policy that names a deleted principal.",
        "Run rayfleet.anyscale.s3_cloud_access with prune_dangling_principals; unique ids are "
        "never used again.",
        statements=places,
    )


def wanted_access(facts: Facts) -> Wanted:
    """What the role is to have, with all that is known of the principals that the bucket's policy
    shows by their ids.
    """
    role, shown = facts.principal(), document_unique_ids(facts.bucket_policy.get())
    arns = {**(facts.principals.value or {}), role.unique_id: role.arn}
    dangling = frozenset(shown - set(arns)) if facts.principals.is_known else frozenset()
    return Wanted(
        facts.bucket.get(), (role,), partition=partition_of(role.arn), arns=arns, dangling=dangling
    )


def wanted_policy(document: Document, wanted: Wanted) -> Document:
    """The bucket's policy as the collection would make it, or as it is where the collection would
    refuse to.
    """
    try:
        return bucket_policy_plan.decide(document, wanted).after
    except TaskError:
        return document


def _as_seen_by_others(document: Document, wanted: Wanted, evidence: dict[str, t.Any]) -> Outcome:
    """Access is there; what the vendor's check and the next convergence make of how it is given is
    another question.
    """
    raws, role = statements_of(document), wanted.roles[0]
    unnamed = [
        describe_statement(raw, index)
        for index, raw in enumerate(raws)
        if raw["Effect"] == "Allow" and "Principal" not in raw
    ]
    if unnamed:
        reason = (
            "The role has its access, but 'anyscale cloud verify' ends with a traceback at "
            f"{unnamed[0]}, which has no Principal."
        )
        return warned(reason, "Name in it whom it allows.", **evidence)
    if not all(any(grants(raw, role, *pair, {}) for raw in raws) for pair in wanted.pairs()):
        reason = (
            f"The role has its access by its unique id {role.unique_id}, which 'anyscale cloud "
            "verify' does not know."
        )
        return warned(reason, **evidence)
    if "after" in evidence:
        return warned(
            "The role has its access, but the statement that gives it is not as the collection "
            "makes it.",
            _CONVERGE,
            **evidence,
        )
    return passed(
        f"The policy of bucket {wanted.bucket} gives the role all that clusters need.", **evidence
    )


def _held(facts: Facts, wanted: Wanted, action: str, resource: str) -> bool | None:
    """Whether the role may take an action by any statement of the bucket's policy, or else by its
    own policies.
    """
    role = wanted.roles[0]
    in_bucket = any_of(
        _allows(raw, role, action, resource, wanted)
        for raw in statements_of(facts.bucket_policy.get())
    )
    if in_bucket:
        return True
    own = judge(
        facts.identity.get(),
        Action(action, resource, role.request() | {"aws:resourceaccount": facts.account_id}),
    )
    return any_of([in_bucket, BY_ANSWER[own.answer]])


def _allows(
    raw: RawStatement, role: Role, action: str, resource: str, wanted: Wanted
) -> bool | None:
    """Whether a statement of the bucket's policy allows it, be it by a wildcard, under a condition,
    or in part.
    """
    statement = canonical(raw, wanted.arns)
    is_named = {("AWS", role.arn), ("AWS", "*")} & (statement.principals or frozenset())
    if (
        statement.effect != "Allow"
        or not is_named
        or not statement.includes_action(action)
        or not statement.overlaps_resource(resource)
    ):
        return False
    return all_of(
        [
            True if statement.includes_resource(resource) else None,
            are_met(statement, role.request()),
        ]
    )


def _own_places(facts: Facts, action: str, resource: str) -> tuple[MatchedStatement, ...]:
    known = facts.principal().request() | {"aws:resourceaccount": facts.account_id}
    return judge(facts.identity.get(), Action(action, resource, known)).statements


def _denied(found: list[tuple[bool | None, str, RawStatement]]) -> Outcome | None:
    if not found:
        return None
    _verdict, where, raw = found[0]
    return failed(
        f"{where} denies the role the bucket, whatever else allows it.",
        "Take the role out of its reach.",
        statement=raw,
    )


def _change(document: Document, wanted: Wanted) -> dict[str, t.Any]:
    after = wanted_policy(document, wanted)
    return {} if after == document else {"before": document, "after": after}
