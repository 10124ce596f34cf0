# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The checks on the cloud's bucket: its account, its region, and what in its policy stands in the
way.

This module util is private to the collection. Pure: each function takes the facts and returns the
outcome of its check.
https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-policy-language-overview.html
"""

from __future__ import annotations

from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    Outcome,
    failed,
    onboard,
    passed,
    unknown,
    warned,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.wanted_bucket import (
    wanted_access,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import denies
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    RawStatement,
    describe_statement,
    statements_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Action,
    MatchedStatement,
    judge,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    document_unique_ids,
    statement_unique_ids,
)


def bucket_deny(facts: Facts) -> Outcome:
    """Whether a Deny statement, in the bucket's policy or in the role's own policies, denies the
    role access.
    """
    wanted = wanted_access(facts)
    role = wanted.roles[0]
    found = [
        (
            denies(raw, role, wanted.pairs(), facts.now),
            f"{describe_statement(raw, index)} of the policy of bucket {wanted.bucket}",
            raw,
        )
        for index, raw in enumerate(statements_of(facts.bucket_policy.get()))
    ]
    denied = _denied([one for one in found if one[0]])
    if denied:
        return denied
    own = [
        (place.applies, str(place), place.raw)
        for action, resource in wanted.pairs()
        for place in _own_places(facts, action, resource)
        if place.effect == "Deny"
    ]
    denied = _denied([one for one in own if one[0]])
    if denied:
        return denied
    possible = [(where, raw) for verdict, where, raw in (*found, *own) if verdict is None]
    if possible:
        where, raw = possible[0]
        return warned(
            f"{where} may deny the role access to the bucket: that depends on each request.",
            "Test the access on a running cluster.",
            statement=raw,
        )
    return passed("No statement denies the role access to the bucket.")


def bucket_account(facts: Facts) -> Outcome:
    """Whether the bucket exists, and is in the cloud's account."""
    bucket, account_id = facts.bucket.get(), facts.cloud_account.get()
    if facts.bucket_region.is_not_applicable:
        return failed(
            f"Bucket {bucket} is not in account {facts.account_id}.",
            "Set cloud_iam_bucket (the module's option bucket) to the cloud's own bucket: bucket "
            "names are global, so this one belongs to another account.",
        )
    if not facts.bucket_policy.is_known and facts.bucket_region.get() is None:
        return failed(
            f"Bucket {bucket} does not exist.",
            "Create it, or set cloud_iam_bucket (the module's option bucket) to the cloud's "
            "bucket.",
        )
    if facts.account_id != account_id:
        return failed(
            f"Bucket {bucket} is in account {facts.account_id}; the cloud is in account "
            f"{account_id}.",
            "Set cloud_iam_bucket (the module's option bucket) to a bucket in the cloud's account.",
        )
    unregistered = facts.unregistered_bucket()
    if unregistered:
        return warned(
            unregistered,
            "Set cloud_iam_bucket (the module's option bucket) to "
            f"{facts.registered_bucket.get()}, unless the role is meant to use {bucket} too.",
        )
    return passed(f"Bucket {bucket} is in the cloud's account {account_id}.")


def bucket_region(facts: Facts) -> Outcome:
    """Whether the bucket is in the region of the cloud."""
    bucket, region, primary = (
        facts.bucket.get(),
        facts.existing_bucket_region(),
        facts.primary.get(),
    )
    registered = (primary.get("object_storage") or {}).get("region") or primary.get("region")
    if primary.get("region") is None:
        raise unknown(
            "Anyscale returned no region for the cloud.",
            "Run 'anyscale cloud get', and check the region of its primary resource.",
        )
    evidence = {
        "bucket_region": region,
        "cloud_region": primary.get("region"),
        "registered_region": registered,
    }
    if region == primary.get("region"):
        return passed(f"Bucket {bucket} is in the cloud's region {region}.", **evidence)
    if region == registered:
        reason = (
            f"Bucket {bucket} is in {region}, as registered, but the cloud is in "
            f"{primary.get('region')}."
        )
        return warned(
            reason,
            "Give the cloud a bucket in its region: transfer between regions is slow and charged.",
            **evidence,
        )
    return failed(
        f"Bucket {bucket} is in {region}, not in {registered}.",
        "Give the cloud a bucket in its region.",
        **evidence,
    )


def bucket_dangling_principals(facts: Facts) -> Outcome:
    """Whether the bucket's policy names deleted principals: S3 then rejects every change to it."""
    document = facts.bucket_policy.get()
    unique_ids = document_unique_ids(document)
    gone = unique_ids - set(facts.principals.get()) if unique_ids else set()
    if not gone:
        return passed("The bucket's policy names no deleted principal.")
    places = {
        describe_statement(raw, index): sorted(gone.intersection(statement_unique_ids(raw)))
        for index, raw in enumerate(statements_of(document))
        if gone.intersection(statement_unique_ids(raw))
    }
    return warned(
        f"The bucket's policy names {', '.join(sorted(gone))} in {', '.join(places)}. No role or "
        "user of this account has this unique ID, and S3 rejects every change to a policy that "
        "names a deleted principal.",
        onboard(
            "s3_cloud_access with prune_dangling_principals",
            " -e cloud_iam_prune_dangling_principals=true",
        ),
        statements=places,
    )


def _own_places(facts: Facts, action: str, resource: str) -> tuple[MatchedStatement, ...]:
    context = facts.principal().context(facts.now, action, facts.account_id)
    return judge(facts.identity.get(), Action(action, resource, context)).statements


def _denied(found: list[tuple[bool | None, str, RawStatement]]) -> Outcome | None:
    if not found:
        return None
    _verdict, where, raw = found[0]
    return failed(
        f"{where} denies the role access to the bucket, which overrides every Allow.",
        "Exclude the role from that statement.",
        statement=raw,
    )
