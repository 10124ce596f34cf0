# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS checks, keeps and shows beyond what moto does: the rules before and after a call that
moto carries out.
"""

from __future__ import annotations

import io
import json
import re
import typing as t
from urllib.parse import quote, urlencode

from moto.iam.models import iam_backends
from moto.s3.models import s3_backends
from moto.sts.models import sts_backends
from werkzeug.wrappers import Response

from ansible_collections.rayfleet.anyscale.tests.sandbox import (
    _aws_account_details,
    _aws_authorization,
    _aws_bucket_list,
    _principals,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_call import PARTITION, AwsCall
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_callers import EC2, Caller, Callers
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_errors import Refusal
from ansible_collections.rayfleet.anyscale.tests.sandbox._policy_documents import (
    accepted_bucket_policy,
    accepted_trust_policy,
)
from ansible_collections.rayfleet.anyscale.tests.sandbox._policy_store import PolicyStore
from ansible_collections.rayfleet.anyscale.tests.sandbox._principals import Document
from ansible_collections.rayfleet.anyscale.tests.sandbox._settings import Settings

_OWNER_ONLY = ("GetBucketPolicy", "PutBucketPolicy", "DeleteBucketPolicy", "GetBucketPolicyStatus")

# https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-security-credentials.html shows
# credentials for six hours.
_INSTANCE_SESSION_SECONDS = 6 * 3600

_RESERVED_PATHS = ("/aws-reserved/", "/aws-service-role/")
_TAG_KEY = re.compile(r"Tags\.member\.\d+\.Key")

# Moto's own check of trust policies is narrower than IAM's, so it gets this one in the place of the
# checked one.
_PLAIN_TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": {
            "Effect": "Allow",
            "Principal": {"Service": "ec2.amazonaws.com"},
            "Action": "sts:AssumeRole",
        },
    }
)


class AwsRules:
    """The rules, and the policies that they keep. Not thread-safe: the caller holds a lock around
    each call.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._callers = Callers()
        self.policies = PolicyStore()

    def reset(self) -> None:
        """Forget the policies and the sessions."""
        self.policies.clear()
        self._callers.clear()

    def before(self, call: AwsCall, environ: dict[str, t.Any]) -> None:
        """Refuse what AWS refuses, and lay out for moto what AWS would show."""
        if not call.account_id:
            raise _unknown_key(call)
        self._callers.check_expiration(call)
        if not call.is_setup:
            self._authorize(call)
        if call.service == "s3":
            self._before_s3(call)
        elif call.service == "iam":
            self._before_iam(call, environ)
        elif call.operation == "AssumeRole":
            self._before_assume_role(call, environ)

    def caller(self, call: AwsCall) -> Caller:
        """The principal that a call comes from."""
        return self._callers.caller(call)

    def _authorize(self, call: AwsCall) -> None:
        if call.operation in self._settings.denied:
            raise _aws_authorization.denied(call, self._callers.caller(call))
        policy = self._settings.identity_policies.get(call.account_id)
        if policy is not None:
            _aws_authorization.check_policy(call, self._callers.caller(call), policy)

    def answer(self, call: AwsCall) -> Response | None:
        """The answer to a call that moto would not answer as AWS does; ``None`` leaves the call to
        moto.
        """
        if call.operation == _aws_bucket_list.OPERATION:
            return _aws_bucket_list.answer(s3_backends[call.account_id][PARTITION], call.parameters)
        if call.operation != _aws_account_details.OPERATION:
            return None
        page = _aws_account_details.read_page(
            iam_backends[call.account_id][PARTITION], call.parameters
        )
        self._show_trust(page.roles, call)
        return page.response()

    def after(self, call: AwsCall) -> None:
        """Keep what a successful call wrote."""
        if call.operation == "PutBucketPolicy":
            self.policies.put(call.resource, self._bucket_policy(call), settled=call.is_setup)
        elif call.operation == "DeleteBucketPolicy":
            self.policies.put(call.resource, None, settled=call.is_setup)
        elif call.operation == "DeleteBucket":
            self.policies.forget(call.resource)
        elif call.operation in ("CreateRole", "UpdateAssumeRolePolicy"):
            settled = call.is_setup or call.operation == "CreateRole"
            self.policies.put(_role(call).id, self._trust_policy(call), settled=settled)
        elif call.operation == "AssumeRole":
            self._callers.remember_session(call)

    def begin_instance_session(self, account_id: str, role: t.Any, instance_id: str) -> t.Any:
        """The session of an instance's role, named after the instance; ``None`` where the role does
        not trust EC2.
        https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_switch-role-ec2.html
        """
        if not _aws_authorization.is_trusted(self.policies.get(role.id, 0.0), EC2, None):
            return None
        session = sts_backends[account_id][PARTITION].assume_role(
            region_name="us-east-1",
            role_session_name=instance_id,
            role_arn=role.arn,
            policy="",
            duration=_INSTANCE_SESSION_SECONDS,
            external_id="",
        )
        self._callers.remember_newest_session(account_id)
        return session

    # --- S3 ---

    def _before_s3(self, call: AwsCall) -> None:
        """https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html and
        https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketPolicy.html
        """
        owner = s3_backends.bucket_accounts.get(call.resource, (PARTITION, ""))[1]
        expected = call.headers.get("x-amz-expected-bucket-owner")
        if owner and expected and expected != owner:
            raise Refusal("AccessDenied", 403, "Access Denied")
        if owner and owner != call.account_id and call.operation in _OWNER_ONLY:
            raise Refusal(
                "MethodNotAllowed",
                405,
                "The specified method is not allowed against this resource.",
            )
        if owner and call.operation == "PutBucketPolicy":
            self._bucket_policy(call)
        if owner and call.operation in ("GetBucketPolicy", "GetBucketPolicyStatus"):
            document = self.policies.get(call.resource, self._lag(call))
            bucket = s3_backends[owner][PARTITION].get_bucket(call.resource)
            bucket.policy = (
                None if document is None else _compact(_principals.show(document)).encode()
            )

    def _bucket_policy(self, call: AwsCall) -> Document:
        return accepted_bucket_policy(
            call.body.decode("utf-8", "replace"), call.resource, self._principal_delay(call)
        )

    # --- IAM ---

    def _before_iam(self, call: AwsCall, environ: dict[str, t.Any]) -> None:
        _check_protected_role(call)
        _check_tags(call)
        if call.operation == "CreateRole":
            _check_new_role(call)
            self._trust_policy(call)
        elif call.operation == "UpdateAssumeRolePolicy":
            self._check_update_trust(call, environ)
        elif call.operation == "RemoveRoleFromInstanceProfile":
            _check_role_in_profile(call)
        self._show_trust(_roles_shown_by(call), call)

    def _show_trust(self, roles: t.Iterable[t.Any], call: AwsCall) -> None:
        """Lay out trust policies in the form of the call's answer: AWS encodes them in each, moto
        in GetRole's alone.
        """
        for role in roles:
            document = self.policies.get(role.id, self._lag(call))
            if document is not None:
                text = _compact(_principals.show(document))
                role.assume_role_policy_document = (
                    text if call.operation == "GetRole" else quote(text)
                )

    def _check_update_trust(self, call: AwsCall, environ: dict[str, t.Any]) -> None:
        if _role(call):
            self._trust_policy(call)
            _pass_on(call, environ, PolicyDocument=_PLAIN_TRUST)

    def _trust_policy(self, call: AwsCall) -> Document:
        text = call.parameters.get("AssumeRolePolicyDocument") or call.parameters.get(
            "PolicyDocument", ""
        )
        return accepted_trust_policy(text, self._settings.trust_quota, self._principal_delay(call))

    # --- STS ---

    def _before_assume_role(self, call: AwsCall, environ: dict[str, t.Any]) -> None:
        caller = self._callers.caller(call)
        role = _principals.entity_of_arn(call.parameters.get("RoleArn", ""))
        trust = self.policies.get(role.id, 0.0) if role else None
        if not _aws_authorization.is_trusted(trust, caller, call.parameters.get("ExternalId")):
            raise _aws_authorization.not_trusted(call, caller)
        if self._settings.session_seconds is not None:
            _pass_on(call, environ, DurationSeconds=str(self._settings.session_seconds))

    def _lag(self, call: AwsCall) -> float:
        return 0.0 if call.is_setup else self._settings.consistency_delay

    def _principal_delay(self, call: AwsCall) -> float:
        return 0.0 if call.is_setup else self._settings.principal_delay


def _unknown_key(call: AwsCall) -> Refusal:
    if call.service == "s3":
        return Refusal(
            "InvalidAccessKeyId",
            403,
            "The AWS Access Key Id you provided does not exist in our records.",
        )
    return Refusal(
        "InvalidClientTokenId", 403, "The security token included in the request is invalid."
    )


def _pass_on(call: AwsCall, environ: dict[str, t.Any], **changes: str) -> None:
    """Let moto read other parameters than the caller sent."""
    form = urlencode({**call.parameters, **changes}).encode()
    environ.update({"wsgi.input": io.BytesIO(form), "CONTENT_LENGTH": str(len(form))})


def _compact(document: Document) -> str:
    return json.dumps(document, separators=(",", ":"))


def _role(call: AwsCall) -> t.Any:
    name = call.parameters.get("RoleName")
    return next(
        (
            role
            for role in iam_backends[call.account_id][PARTITION].roles.values()
            if role.name == name
        ),
        None,
    )


def _roles_shown_by(call: AwsCall) -> list[t.Any]:
    """The roles whose trust policy is in moto's answer: one, those of an instance profile, or all
    of the account.
    """
    backend = iam_backends[call.account_id][PARTITION]
    if "RoleName" in call.parameters:
        role = _role(call)
        return [role] if role else []
    if "InstanceProfileName" in call.parameters:
        profile = backend.instance_profiles.get(call.parameters["InstanceProfileName"])
        return list(profile.roles) if profile else []
    return (
        list(backend.roles.values())
        if call.operation in ("ListRoles", "ListInstanceProfiles")
        else []
    )


def _check_protected_role(call: AwsCall) -> None:
    """Roles in AWS's own paths are its own: https://github.com/rebuy-de/aws-nuke/issues/441"""
    is_write = not call.operation.startswith(("Get", "List", "Simulate", "Generate"))
    role = _role(call) if is_write and call.operation != "CreateRole" else None
    if role and not call.is_setup and role.path.startswith(_RESERVED_PATHS):
        message = (
            f"Cannot perform the operation on the protected role '{role.name}' - this role is "
            "only modifiable by AWS"
        )
        raise Refusal("UnmodifiableEntity", 400, message)


def _check_new_role(call: AwsCall) -> None:
    """Its path must not be AWS's, and its name must not be another's in other letters.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html; that and how reserved
    paths are refused is a guess.
    """
    path = call.parameters.get("Path", "/")
    if path.startswith(_RESERVED_PATHS) and not call.is_setup:
        raise Refusal("InvalidInput", 400, "The path is reserved for AWS.")
    name = call.parameters.get("RoleName", "")
    roles = iam_backends[call.account_id][PARTITION].roles.values()
    if any(role.name.lower() == name.lower() for role in roles):
        raise Refusal("EntityAlreadyExists", 409, f"Role with name {name} already exists.")


def _check_tags(call: AwsCall) -> None:
    """https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html"""
    keys = [value for name, value in call.parameters.items() if _TAG_KEY.fullmatch(name)]
    if any(key.lower().startswith("aws:") for key in keys) and not call.operation.startswith(
        "Untag"
    ):
        message = "Tag keys that begin with aws: are reserved for AWS."
        raise Refusal("InvalidInput", 400, message)


def _check_role_in_profile(call: AwsCall) -> None:
    """https://docs.aws.amazon.com/IAM/latest/APIReference/API_RemoveRoleFromInstanceProfile.html"""
    profile = iam_backends[call.account_id][PARTITION].instance_profiles.get(
        call.parameters.get("InstanceProfileName", "")
    )
    role = _role(call)
    if profile and role and role not in profile.roles:
        raise Refusal(
            "NoSuchEntity",
            404,
            f"The role with name {role.name} cannot be found in the instance profile.",
        )
