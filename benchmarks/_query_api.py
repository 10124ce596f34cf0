# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM and STS, which take forms and answer in XML, for the stand-in server.

https://docs.aws.amazon.com/IAM/latest/APIReference/ and
https://docs.aws.amazon.com/STS/latest/APIReference/
"""

from __future__ import annotations

import functools
import hashlib
import typing as t
from urllib.parse import quote
from xml.sax.saxutils import escape

from ansible_collections.rayfleet.anyscale.benchmarks._state import State
from ansible_collections.rayfleet.anyscale.tests.sandbox._aws_errors import Refusal

Form = t.Mapping[str, str]

_MADE = "<CreateDate>2024-01-01T00:00:00Z</CreateDate>"
_NOT_TRUNCATED = "<IsTruncated>false</IsTruncated>"
_NAMESPACES = {
    "iam": "https://iam.amazonaws.com/doc/2010-05-08/",
    "sts": "https://sts.amazonaws.com/doc/2011-06-15/",
}
_REQUEST_ID = (
    "<ResponseMetadata><RequestId>00000000-0000-4000-8000-000000000000</RequestId>"
    "</ResponseMetadata>"
)
_LARGEST_PAGE, _PAGE = 1000, 100
_ASSUMED_KEY = "ASIATOOL"


def answer(state: State, service: str, account: str, form: Form) -> str:
    """The XML that answers a form. Refuses what it does not know, so that nothing is measured that
    was not answered.
    """
    operation = form.get("Action", "")
    if operation not in OPERATIONS:
        raise Refusal("InvalidAction", 400, f"Could not find operation {operation}")
    result = OPERATIONS[operation](state, account, form)
    content = f"<{operation}Result>{result}</{operation}Result>" if result else ""
    return f'<{operation}Response xmlns="{_NAMESPACES[service]}">{content}{_REQUEST_ID}</{operation}Response>'


def _get_role(state: State, account: str, form: Form) -> str:
    return f"<Role>{_role(account, form['RoleName'], _trust(state, account, form))}<RoleLastUsed/></Role>"


def _list_role_policies(state: State, account: str, form: Form) -> str:
    _trust(state, account, form)
    names = state.fleet.inline_policies.get((account, form["RoleName"]), {})
    members = "".join(f"<member>{name}</member>" for name in names)
    return f"<PolicyNames>{members}</PolicyNames>{_NOT_TRUNCATED}"


def _get_role_policy(state: State, account: str, form: Form) -> str:
    _trust(state, account, form)
    role, name = form["RoleName"], form["PolicyName"]
    found = state.fleet.inline_policies.get((account, role), {})
    if name not in found:
        raise Refusal("NoSuchEntity", 404, f"The role policy with name {name} cannot be found.")
    return f"<RoleName>{role}</RoleName>{_inline_policy(name, found[name])}"


def _list_instance_profiles_for_role(state: State, account: str, form: Form) -> str:
    trust, name = _trust(state, account, form), form["RoleName"]
    has_profile = (account, name) in state.fleet.profiles
    member = f"<member>{_profile(account, name, trust)}</member>" if has_profile else ""
    return f"<InstanceProfiles>{member}</InstanceProfiles>{_NOT_TRUNCATED}"


def _list_attached_role_policies(state: State, account: str, form: Form) -> str:
    _trust(state, account, form)
    return f"{_NOT_TRUNCATED}<AttachedPolicies/>"


def _update_assume_role_policy(state: State, account: str, form: Form) -> str:
    _trust(state, account, form)
    state.trust[account, form["RoleName"]] = form["PolicyDocument"]
    return ""


def _get_instance_profile(state: State, account: str, form: Form) -> str:
    name = form["InstanceProfileName"]
    if (account, name) not in state.fleet.profiles:
        raise Refusal("NoSuchEntity", 404, f"Instance Profile {name} cannot be found.")
    return (
        f"<InstanceProfile>{_profile(account, name, state.trust[account, name])}</InstanceProfile>"
    )


def _get_account_authorization_details(state: State, account: str, form: Form) -> str:
    """One page of all roles; the account has no users, no groups and no policies of its own."""
    kinds = [value for name, value in form.items() if name.startswith("Filter.member.")]
    roles = state.fleet.roles[account] if "Role" in kinds or not kinds else []
    start = int(form.get("Marker", 0))
    end = start + min(int(form.get("MaxItems", _PAGE)), _LARGEST_PAGE)
    page = (
        _role_detail(
            account,
            role,
            state.trust[account, role],
            (account, role) in state.fleet.profiles,
            tuple(state.fleet.inline_policies.get((account, role), {}).items()),
        )
        for role in roles[start:end]
    )
    more = (
        f"<IsTruncated>true</IsTruncated><Marker>{end}</Marker>"
        if end < len(roles)
        else _NOT_TRUNCATED
    )
    details = f"<RoleDetailList>{''.join(page)}</RoleDetailList>"
    return f"{more}<UserDetailList/><GroupDetailList/>{details}<Policies/>"


def _assume_role(state: State, account: str, form: Form) -> str:
    """Credentials whose access key contains the account, like that of the caller."""
    target, role = form["RoleArn"].split(":")[4], form["RoleArn"].rpartition("/")[2]
    if (target, role) not in state.trust:
        raise Refusal(
            "AccessDenied",
            403,
            f"User: arn:aws:iam::{account}:root is not authorized to perform: sts:AssumeRole",
        )
    session = f"{_unique_id('AROA', target, role)}:{escape(form['RoleSessionName'])}"
    arn = f"arn:aws:sts::{target}:assumed-role/{role}/{escape(form['RoleSessionName'])}"
    return (
        f"<Credentials><AccessKeyId>{_ASSUMED_KEY}{target}</AccessKeyId><SecretAccessKey>secret</SecretAccessKey>"
        "<SessionToken>token</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>"
        f"<AssumedRoleUser><AssumedRoleId>{session}</AssumedRoleId><Arn>{arn}</Arn></AssumedRoleUser>"
    )


def _get_caller_identity(state: State, account: str, form: Form) -> str:
    return f"<UserId>{account}</UserId><Account>{account}</Account><Arn>arn:aws:iam::{account}:root</Arn>"


OPERATIONS: dict[str, t.Callable[[State, str, Form], str]] = {
    "GetRole": _get_role,
    "ListAttachedRolePolicies": _list_attached_role_policies,
    "ListRolePolicies": _list_role_policies,
    "GetRolePolicy": _get_role_policy,
    "ListInstanceProfilesForRole": _list_instance_profiles_for_role,
    "UpdateAssumeRolePolicy": _update_assume_role_policy,
    "GetInstanceProfile": _get_instance_profile,
    "GetAccountAuthorizationDetails": _get_account_authorization_details,
    "AssumeRole": _assume_role,
    "GetCallerIdentity": _get_caller_identity,
}


def _trust(state: State, account: str, form: Form) -> str:
    """The trust policy of the role that a form names, which must exist."""
    role = form["RoleName"]
    if (account, role) not in state.trust:
        raise Refusal("NoSuchEntity", 404, f"The role with name {role} cannot be found.")
    return state.trust[account, role]


def _role(account: str, name: str, trust: str) -> str:
    return (
        f"<Path>/</Path><RoleName>{name}</RoleName><RoleId>{_unique_id('AROA', account, name)}</RoleId>"
        f"<Arn>arn:aws:iam::{account}:role/{name}</Arn>{_MADE}"
        f"<AssumeRolePolicyDocument>{quote(trust, safe='')}</AssumeRolePolicyDocument>"
        "<MaxSessionDuration>3600</MaxSessionDuration>"
    )


def _profile(account: str, name: str, trust: str) -> str:
    return (
        f"<Path>/</Path><InstanceProfileName>{name}</InstanceProfileName>"
        f"<InstanceProfileId>{_unique_id('AIPA', account, name)}</InstanceProfileId>"
        f"<Arn>arn:aws:iam::{account}:instance-profile/{name}</Arn>{_MADE}"
        f"<Roles><member>{_role(account, name, trust)}</member></Roles>"
    )


def _inline_policy(name: str, document: str) -> str:
    return (
        f"<PolicyName>{name}</PolicyName>"
        f"<PolicyDocument>{quote(document, safe='')}</PolicyDocument>"
    )


@functools.cache
def _role_detail(
    account: str, name: str, trust: str, has_profile: bool, policies: tuple[tuple[str, str], ...]
) -> str:
    profiles = f"<member>{_profile(account, name, trust)}</member>" if has_profile else ""
    role = _role(account, name, trust).removesuffix("<MaxSessionDuration>3600</MaxSessionDuration>")
    inline = "".join(f"<member>{_inline_policy(*policy)}</member>" for policy in policies)
    lists = f"<InstanceProfileList>{profiles}</InstanceProfileList>"
    lists += f"<RolePolicyList>{inline}</RolePolicyList>"
    lists += "<AttachedManagedPolicies/><Tags/><RoleLastUsed/>"
    return f"<member>{role}{lists}</member>"


@functools.cache
def _unique_id(prefix: str, account: str, name: str) -> str:
    return prefix + hashlib.sha256(f"{account}/{name}".encode()).hexdigest()[:17].upper()
