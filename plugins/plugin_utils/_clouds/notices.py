# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the operator is told of the variables of clouds: what is valid, and perhaps not what was meant.

This plugin util is private to the collection. Pure. None of it is an error: what Anyscale says is text
that any member of an organization can register.
"""

from __future__ import annotations

import contextlib
import datetime
import time
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._anyscale.registration import (
    Registration,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._arns import (
    folded_role_name,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._audit.acknowledged import (
    parse_acknowledged,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    COMPUTE_CONFIG,
    IAM_MAPPING,
    PREFIX,
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.module_utils._errors import InputError
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._clouds.registered_buckets import (
    VARIABLE as BUCKET,
    name_of,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._text import summarize_names

BUCKET_REGION = "anyscale_bucket_region"
# The check of an audit that reads whether Anyscale may pass the role.
_PASS_ROLE_CHECK = "control_plane_pass_role"
# The variables that count for one way to the role alone. The inventory plugin sets the resource of a
# mapping, whatever the way.
_OF_WAY = {
    COMPUTE_CONFIG: ("compute_config", "compute_config_spec", "node_group_roles"),
    IAM_MAPPING: ("mapping_rules", "mapping_fallback_rule", "mapping_position"),
}


def grouped(notices: t.Mapping[str, t.Iterable[str]]) -> list[str]:
    """The notices of clouds, each once, with the clouds that it is about."""
    clouds: dict[str, list[str]] = {}
    for name, texts in notices.items():
        for text in texts:
            clouds.setdefault(text, []).append(name)
    return [f"{summarize_names(names)}: {text}" for text, names in clouds.items()]


def pass_role_notice(
    settings: CloudSettings,
    registered_role: str | None,
    now: float,
    names_control_plane: bool = True,
) -> str:
    """What is told of roles that Anyscale launches clusters with, and was not registered with, if it
    is not given the permission to; empty if it need not be.

    names_control_plane: whether its own role is known to the module that would give it.
    """
    if registered_role is None or settings.manage_pass_role or _is_accepted(settings, now):
        return ""
    own, named = folded_role_name(registered_role), []
    if settings.role is not None and folded_role_name(settings.role) != own:
        named.append("role")
    if any(folded_role_name(role) != own for role in settings.further_roles):
        named.append("mapping_rules" if settings.assign == IAM_MAPPING else "node_group_roles")
    if not named:
        return ""
    what = "names another role" if len(named) == 1 else "name other roles"
    fixes = [f"{PREFIX}manage_pass_role to true"]
    if not names_control_plane:
        fixes.append(f"{PREFIX}control_plane_role to the role that Anyscale assumes")
    return (
        f"{_variables(named)} {what} than the one registered for the cloud at Anyscale, and "
        f"{PREFIX}manage_pass_role is false. Unless the cloud's control-plane role is allowed to pass "
        "it already (iam:PassRole; the playbook explain says), no cluster starts with it. Set "
        f"{', and '.join(fixes)}."
    )


def pass_role_notice_of(cloud: Cloud, registered_role: str | None) -> str:
    """The same for a cloud, now."""
    is_known = cloud.authority is None or cloud.settings.control_plane_role is not None
    return pass_role_notice(cloud.settings, registered_role, time.time(), is_known)


def region_notice(settings: CloudSettings, read: t.Mapping[str, t.Any]) -> str:
    """What is told of a region that is not that of the registered bucket; empty where it is, and
    where the variables name another bucket, which may be in any.

    read: what the inventory has read of Anyscale for the cloud.
    """
    region, registered = settings.connection.get("region"), read.get(BUCKET_REGION)
    bucket = name_of(settings.bucket)
    if not isinstance(registered, str) or region in (None, registered):
        return ""
    if bucket is not None and bucket != read.get(BUCKET):
        return ""
    return (
        f"{PREFIX}region, or else AWS_REGION, is {region}; the region registered for this cloud's "
        f"bucket at Anyscale is {registered}. Correct {PREFIX}region."
    )


def region_notice_of(cloud: Cloud, registration: Registration | None) -> str:
    """The same for a cloud, of what was read for its plan. Of a resource that is not the primary one,
    that says nothing.
    """
    if registration is None or cloud.settings.mapping_resource is not None:
        return ""
    storage = (registration.primary or {}).get("object_storage") or {}
    region = storage.get("region") or registration.region
    return region_notice(
        cloud.settings, {BUCKET: name_of(registration.bucket), BUCKET_REGION: region}
    )


def unused_notice(settings: CloudSettings) -> str:
    """What is told of variables of another way to the role than the chosen one; empty if none is
    set.
    """
    ways = {
        way: unused
        for way, names in _OF_WAY.items()
        if way != settings.assign
        and (unused := [name for name in names if getattr(settings, name) is not None])
    }
    found = [name for names in ways.values() for name in names]
    if not found:
        return ""
    has, them = ("has", "it") if len(found) == 1 else ("have", "them")
    return (
        f"{_variables(found)} {has} no effect, because {PREFIX}assign is {settings.assign}. Omit "
        f"{them}, or set {PREFIX}assign to {' or '.join(ways)}."
    )


def _is_accepted(settings: CloudSettings, now: float) -> bool:
    """Whether the operator accepts today what an audit may find of it."""
    today = datetime.datetime.fromtimestamp(now, datetime.timezone.utc).date()
    for entry in settings.acknowledged or ():
        with contextlib.suppress(InputError):  # of another check, or for the audit to refuse
            if parse_acknowledged([entry], {_PASS_ROLE_CHECK})[_PASS_ROLE_CHECK].until >= today:
                return True
    return False


def _variables(names: t.Sequence[str]) -> str:
    """Their whole names, as a list in a sentence."""
    whole = [PREFIX + name for name in names]
    return " and ".join(filter(None, (", ".join(whole[:-1]), whole[-1])))
