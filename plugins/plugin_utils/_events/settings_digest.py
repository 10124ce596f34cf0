# Copyright (c) 2026, Rayfleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the variables of a cloud want of each resource, as one digest: onboard notes it for the clouds
that it has converged, and heal converges none that has another one.

This plugin util is private to the collection. Pure. How a cloud is reached is not in it, so no credential
either. It has no key: who reads it can try guesses, and a short secret of a compute config can be
guessed, so only its owner may read where it is kept. What is not set is left out, so that a new
variable, which no cloud sets yet, changes no digest. What a release makes of the same variables is in it
too, by a number: an upgrade is rolled out by onboard, with its canary, and not by healing.
"""

from __future__ import annotations

import hashlib
import json
import typing as t

from ansible_collections.rayfleet.anyscale.plugins.module_utils._converge.settings import (
    CloudSettings,
)
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.resources import Cloud
from ansible_collections.rayfleet.anyscale.plugins.plugin_utils._resources.stages import (
    CONFIG,
    MAPPING,
    OF_BUCKET,
    PASS_ROLE,
    PROFILE,
    TRUST,
)

# Of the documents that a release wants: one more with each release that wants others of the same variables.
DOCUMENTS = 1
_PRESENT = "present"
_OPTIONS: dict[str, t.Callable[[CloudSettings, str], dict[str, t.Any]]] = {
    TRUST: CloudSettings.trust_options,
    **dict.fromkeys(OF_BUCKET, CloudSettings.bucket_options),
    PROFILE: CloudSettings.instance_profile_options,
    PASS_ROLE: CloudSettings.pass_role_options,
    CONFIG: CloudSettings.compute_config_options,
    MAPPING: CloudSettings.mapping_options,
}
# A file beside the backups, whose path may differ from one controller to the other.
_ON_CONTROLLER = ("dest",)


def digests_of(clouds: t.Iterable[Cloud]) -> dict[str, str]:
    """The digests of the clouds with valid variables, by name."""
    return {cloud.name: _digest(cloud) for cloud in clouds if not cloud.error}


def _digest(cloud: Cloud) -> str:
    settings = cloud.settings
    registered = cloud.registered_role if settings.role is None else None
    wants = {stage: _wants(cloud, stage) for stage in _OPTIONS if cloud.manages(stage, _PRESENT)}
    text = _canonical([DOCUMENTS, settings.account_id, registered, wants])
    return hashlib.sha256(text.encode()).hexdigest()


def _wants(cloud: Cloud, stage: str) -> list[str]:
    """What a cloud wants of a kind of resource. Which of its roles is named first decides nothing."""
    left_out = {*cloud.settings.shared_options(), *_ON_CONTROLLER}
    return sorted(
        _canonical(
            {
                name: value
                for name, value in _OPTIONS[stage](settings, _PRESENT).items()
                if value is not None and name not in left_out
            }
        )
        for settings in cloud.wants(stage, _PRESENT)
    )


def _canonical(document: t.Any) -> str:
    try:
        return json.dumps(document, sort_keys=True, separators=(",", ":"))
    except TypeError:  # of a text that Ansible reads as a dictionary of Python
        return repr(document)
