# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read all facts about one cloud, those in AWS as well: a refused read makes only the facts unknown
that depend on it.

This module util is private to the collection. I/O only, and never a call that writes.
"""

from __future__ import annotations

import functools
import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.client import (
    AnyscaleClient,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    account_of,
    instance_profile_name_of,
    parse_arn,
    parse_instance_profile,
    role_name_of,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.facts import Facts, Json
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.outcome import (
    fact,
    not_applicable,
    unknown,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.read_anyscale import (
    AnyscaleReader,
    reads,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.iam import Iam
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.identity import (
    boundary_of,
    own_policies,
    read_identity,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.kms import Key
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.s3 import Bucket
from ansible_collections.rayfleet.anyscale.plugins.module_utils._aws.session import AwsSession
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_access import (
    parse_prefix,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.bucket_want import (
    PRESETS,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.instance_profile_plan import (
    holds,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import AwsError
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.document import (
    Document,
    parse_policy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.identity import (
    Identity,
    NamedPolicy,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._policy.principals import (
    document_unique_ids,
)

_REFUSALS = ("AccessDenied", "MethodNotAllowed")


class CloudReader(AnyscaleReader):
    """Reads the facts about the cloud that are in the caller's account."""

    def __init__(
        self, params: t.Mapping[str, t.Any], session: AwsSession, anyscale: AnyscaleClient | None
    ) -> None:
        self._session = session
        self._iam = Iam(session)
        self._profiles: dict[str, Json | None] = {}
        self.account_id = session.account_id()
        super().__init__(params, anyscale)

    def facts(self) -> Facts:
        """All facts, by the names of the properties."""
        names = [
            name
            for kind in type(self).__mro__
            for name, value in vars(kind).items()
            if isinstance(value, functools.cached_property) and not name.startswith("_")
        ]
        return Facts(
            account_id=self.account_id,
            cloud_id=self.cloud_id,
            now=time.time(),
            arn_kind=self.params["arn_kind"],
            anyscale_host=self._anyscale.api.host if self._anyscale else "",
            authority=self.params["authority"],
            bucket_actions=PRESETS[self.params.get("bucket_actions") or "all"],
            bucket_prefix=parse_prefix(self.params.get("bucket_prefix"), "bucket_prefix"),
            **{name: getattr(self, name) for name in names},
        )

    # --- IAM --------------------------------------------------------------------------------------

    @reads("iam")
    def role(self) -> Json | None:
        """The role, ``None`` where it does not exist."""
        wanted = self.role_wanted.get()
        self._expect_here(wanted.account_id or self.cloud_account.value, f"Role {wanted}")
        role = self._iam.role(wanted.name)
        if role is None and self._is_guessed:
            raise unknown(
                f"Role {wanted} does not exist, and the role that the cloud registered is not "
                "known.",
                "Set cloud_iam_role (the module's option role), or let Anyscale be queried.",
            )
        return role if role is None or wanted.arn is None or role["Arn"] == str(wanted) else None

    @reads()
    def trust(self) -> Document:
        """The role's trust policy."""
        role = self._live_role()
        return parse_policy(
            role["AssumeRolePolicyDocument"], f"trust policy of role {role['RoleName']}"
        )

    @reads("iam")
    def identity(self) -> Identity:
        """The role's own policies and its boundary."""
        return Identity(own_policies(self._iam, self._live_role()), self.boundary.get())

    @reads("iam")
    def boundary(self) -> NamedPolicy | None:
        """The role's permissions boundary."""
        return boundary_of(self._iam, self._live_role())

    @reads("iam")
    def profile_name(self) -> str:
        """The name of the instance profile to check: the one in the parameters, else that of the
        role, unless only the registered one holds the role.
        """
        wanted = self.role_wanted.get()
        name = parse_instance_profile(self.params.get("instance_profile") or wanted.name)
        registered = self._registered.instance_profile if self.resources.is_known else None
        other = instance_profile_name_of(registered or "")
        if self.params.get("instance_profile") or other in ("", name):
            return name
        own, found = self.instance_profile(name), self.instance_profile(other)
        is_used = found and found["Arn"] == registered and holds(found, wanted)
        return other if is_used and not holds(own, wanted) else name

    @reads("iam")
    def profile(self) -> Json | None:
        """The instance profile to check, ``None`` where it does not exist."""
        wanted = self.role_wanted.get()
        self._expect_here(wanted.account_id or self.cloud_account.value, f"Role {wanted}")
        if self._is_guessed:
            self._live_role()
        return self.instance_profile(self.profile_name.get())

    @reads("iam")
    def role_profiles(self) -> list[Json]:
        """The instance profiles that hold the role."""
        return self._iam.instance_profiles_of(self._live_role()["RoleName"])

    @reads("iam")
    def control_plane_role(self) -> Json | None:
        """The role that Anyscale assumes, ``None`` where it does not exist."""
        arn = self.control_plane_arn.get()
        self._expect_here(account_of(arn), f"Role {arn}")
        role = self._iam.role(role_name_of(arn))
        return role if role and role["Arn"] == arn else None

    @reads()
    def control_plane_trust(self) -> Document:
        """The trust policy of the role that Anyscale assumes."""
        role = self.control_plane_role.get()
        if role is None:
            raise not_applicable(f"Role {self.control_plane_arn.get()} does not exist.")
        return parse_policy(
            role["AssumeRolePolicyDocument"], f"trust policy of role {role['RoleName']}"
        )

    @reads("iam")
    def control_plane(self) -> Identity | None:
        """The policies of the role that Anyscale assumes, ``None`` where it does not exist."""
        role = self.control_plane_role.get()
        return read_identity(self._iam, role) if role else None

    @reads("iam")
    def principals(self) -> dict[str, str]:
        """The account's principals by unique ID, where the bucket's policy contains such IDs."""
        return self._iam.principals() if document_unique_ids(self.bucket_policy.get()) else {}

    def instance_profile(self, name: str) -> Json | None:
        """An instance profile of the caller's account, ``None`` where it does not exist. Several
        roles may lead to it; it is read once.
        """
        if name not in self._profiles:
            self._profiles[name] = self._iam.instance_profile(name)
        return self._profiles[name]

    @property
    def _is_guessed(self) -> bool:
        """Whether the role to check has the name of Anyscale's convention only because the
        registered role could not be read.
        """
        return self.params.get("role") is None and not self.default_role.is_known

    def _expect_here(self, account_id: str | None, what: str) -> None:
        """Refuse to read in the caller's account what is in another one: the same name may belong
        to something else there.
        """
        if account_id and account_id != self.account_id:
            raise unknown(
                f"{what} is in account {account_id}, but the credentials are for account "
                f"{self.account_id}.",
                "Use credentials for that account: set cloud_iam_assume_role_arn (the module's "
                "option assume_role_arn) to a role in it.",
            )

    def _live_role(self) -> Json:
        role = self.role.get()
        if role is None:
            raise not_applicable(f"Role {self.role_wanted.get()} does not exist.")
        return role

    # --- the bucket -------------------------------------------------------------------------------

    @reads("s3")
    def bucket_region(self) -> str | None:
        """The region of the bucket, ``None`` where the bucket does not exist."""
        bucket = self._bucket()
        try:
            return bucket.region()
        except AwsError as error:
            if error.code == "NoSuchBucket":
                return None
            if error.code in _REFUSALS and fact(bucket.region_without_owner_check).is_known:
                raise not_applicable(
                    f"Bucket {self.bucket.get()} is not in account {self.account_id}."
                ) from error
            raise

    @reads("s3")
    def bucket_policy(self) -> Document:
        """The bucket's policy."""
        return parse_policy(self._found_bucket().policy(), f"policy of bucket {self.bucket.get()}")

    @reads("s3")
    def bucket_tags(self) -> list[dict[str, str]]:
        """The bucket's tags."""
        return self._found_bucket().tags()

    @reads("s3")
    def bucket_cors(self) -> list[Json]:
        """The bucket's rules for cross-origin requests."""
        return self._found_bucket().cors_rules()

    @reads("s3")
    def _encryption(self) -> Json:
        """How S3 encrypts the bucket's objects."""
        return self._found_bucket().encryption() or {}

    @reads("kms")
    def bucket_key(self) -> Json | None:
        """The customer's KMS key of the bucket. AWS's own, which is used where none is named, needs
        no permission.
        """
        encryption = self._encryption.get()
        name = encryption.get("KMSMasterKeyID")
        if not str(encryption.get("SSEAlgorithm", "")).startswith("aws:kms") or not name:
            return None
        arn = parse_arn(name)
        if arn and arn.account_id != self.account_id:
            raise unknown(
                f"Key {name} of bucket {self.bucket.get()} is in account {arn.account_id}, where its "
                f"policy cannot be read from account {self.account_id}.",
                "Ask the owner of the key whether its policy lets the role use it.",
            )
        metadata = self._key(name).metadata()
        return None if metadata.get("KeyManager") == "AWS" else metadata

    @reads("kms")
    def key_policy(self) -> Document:
        """The policy of the bucket's key."""
        key = self._found_key()
        return parse_policy(self._key(key).policy(), f"policy of key {key}")

    @reads("kms")
    def key_grants(self) -> list[Json]:
        """The grants on the bucket's key."""
        return self._key(self._found_key()).grants()

    def _key(self, name: str) -> Key:
        return Key(self._session, name)

    def _found_key(self) -> str:
        key = self.bucket_key.get()
        if key is None:
            raise not_applicable("The bucket is not encrypted with a key of a customer.")
        return str(key["Arn"])

    def _bucket(self) -> Bucket:
        return Bucket(self._session, self.bucket.get(), self.account_id)

    def _found_bucket(self) -> Bucket:
        """The bucket, unless it is known not to exist or to belong to another account. Where its
        region could not be read, it may exist.
        """
        if self.bucket_region.is_known and self.bucket_region.get() is None:
            raise not_applicable(f"Bucket {self.bucket.get()} does not exist.")
        if self.bucket_region.is_not_applicable:
            self.bucket_region.get()
        return self._bucket()
