# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a task wants of the access of cluster roles to a cloud's bucket, by either way.

This module util is private to the collection. Pure.
https://docs.anyscale.com/iam/manage-iam-roles
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.deny import Role
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import Identity

SID = "AnyscaleClusterAccess"
# Of the number that follows our Sid where another statement has it.
SID_DIGITS = 3
# With a hash of what is granted, where that is not the usual.
OUR_SID = re.compile(rf"{SID}(?:[0-9a-f]{{8}})?[0-9]{{0,{SID_DIGITS}}}")
BUCKET_ACTIONS = ("s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:GetBucketLocation")
OBJECT_ACTIONS = (
    "s3:PutObject",
    "s3:GetObject",
    "s3:DeleteObject",
    "s3:ListMultipartUploadParts",
    "s3:AbortMultipartUpload",
)
ACTIONS = BUCKET_ACTIONS + OBJECT_ACTIONS
# What a role is granted, by the name of the preset: what Anyscale's Terraform module grants; what
# clusters cannot do without, which is what Anyscale's verification looks for; and to read alone.
PRESETS = {
    "all": ACTIONS,
    "required": ("s3:ListBucket", "s3:PutObject", "s3:GetObject"),
    "read_only": ("s3:ListBucket", "s3:GetBucketLocation", "s3:GetObject"),
}
# Object actions without Object in their name.
_OTHER_OBJECT_ACTIONS = (
    "s3:listmultipartuploadparts",
    "s3:abortmultipartupload",
    "s3:bypassgovernanceretention",
)


class Limit(t.NamedTuple):
    """A permissions boundary, and the actions that it does not certainly allow."""

    boundary: str
    actions: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Wanted:
    """What one task wants of a bucket's policy.

    roles: which get (or lose) access; state: ``released`` takes them out of our own statements
    alone, where their own policies allow the same; actions: what each is granted; prefix: of the
    objects that it is granted on; arns: the ARNs of existing principals, by unique id;
    own_grants: the statements of their own policies that grant it, by ARN, for roles that have it
    all by these (with ``absent``, any of it); own_denies: those that deny some of it; limits: by ARN,
    where no statement denies it, but the role's boundary does not allow it; unread: why these are
    not known, by ARN; identities: with ``released``, the own policies of roles as they are going to
    be, by ARN, where these decide;
    dangling: unique ids of deleted principals in the policy; prune: remove these from unmanaged
    statements too;
    sid: the Sid of our statement in this policy, which ``decide`` determines.
    now: from when on access counts, in seconds since 1970, by which dates in conditions are judged.
    """

    bucket: str
    roles: tuple[Role, ...]
    state: str = "present"
    partition: str = "aws"
    actions: tuple[str, ...] = ACTIONS
    prefix: str = ""
    own_grants: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    own_denies: t.Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    limits: t.Mapping[str, Limit] = dataclasses.field(default_factory=dict)
    unread: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    identities: t.Mapping[str, Identity] = dataclasses.field(default_factory=dict)
    arns: t.Mapping[str, str] = dataclasses.field(default_factory=dict)
    dangling: frozenset[str] = frozenset()
    prune: bool = False
    sid: str = ""
    now: float = 0.0

    @property
    def usual_sid(self) -> str:
        """The Sid of the one statement for all roles with the same actions, so that many clouds fit
        into a 20 KB policy.
        """
        return sid_of(self.actions, self.prefix)

    @property
    def bucket_arn(self) -> str:
        """The ARN of the bucket."""
        return f"arn:{self.partition}:s3:::{self.bucket}"

    @property
    def objects_arn(self) -> str:
        """What stands for the objects."""
        return f"{self.bucket_arn}/{self.prefix}*"

    @property
    def resources(self) -> tuple[str, ...]:
        """What our statements are on: the bucket and its objects, as far as an action is on them."""
        return tuple(sorted({resource for _action, resource in self.pairs()}))

    def pairs(self) -> list[tuple[str, str]]:
        """Each action with the resource that it applies to."""
        return [
            (action, self.objects_arn if is_object_action(action) else self.bucket_arn)
            for action in self.actions
        ]

    def pairs_of_any_access(self) -> list[tuple[str, str]]:
        """The same for all that a role may be left with when it loses the bucket, which it does
        whatever the actions and the prefix are.
        """
        actions = tuple(dict.fromkeys((*self.actions, *ACTIONS)))
        everything = dataclasses.replace(self, actions=actions, prefix="")
        return list(dict.fromkeys((*self.pairs(), *everything.pairs())))


def sid_of(actions: t.Iterable[str], prefix: str = "") -> str:
    """The Sid of our statement for these actions on the objects with a prefix."""
    actions = sorted(actions)
    if actions == sorted(ACTIONS) and not prefix:
        return SID
    words = " ".join([*actions, *([prefix] if prefix else [])])
    return SID + hashlib.sha256(words.encode()).hexdigest()[:8]


@dataclasses.dataclass(frozen=True)
class OfBucket:
    """Tells the resources of a bucket in statements: itself, and its objects."""

    bucket: str

    def __call__(self, resource: str) -> bool:
        """Whether a resource is the bucket's, in whichever partition."""
        # Keys of objects may have colons and spaces.
        kind, *fields = resource.split(":", 5)
        is_s3 = kind == "arn" and len(fields) == 5 and fields[1] == "s3"
        return is_s3 and fields[4].partition("/")[0] == self.bucket


def is_object_action(action: str) -> bool:
    """Whether an action is on objects, by its name, of which the case does not count."""
    name = action.lower()
    return name in _OTHER_OBJECT_ACTIONS or ("object" in name and "bucket" not in name)
